/* A port: one thread's two-way connection to all shards. Each transport's event loop has one.
 *
 * Thread: create before matching_core_start on the main thread; submit, poll, sleep and wake-up
 * handling belong to the one thread that owns the port. Nothing here blocks or locks.
 *
 * Every submitted command gets exactly one reply, through on_reply, and only once everything that
 * the reply tells is durable. Events of all shards come through on_event, each once, in order
 * within a shard. A reply comes before the events of its own command, unless those are more than
 * five times event_ring_size: then the first of them have to go before the command is through.
 */
#ifndef MATCHING_PORT_H
#define MATCHING_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "matching/candles.h"
#include "matching/codes.h"
#include "matching/command.h"
#include "matching/core.h"
#include "matching/event.h"

#define MATCHING_REPLY_TRADES_MAX 1000
#define MATCHING_DEPTH_LEVELS_MAX 5000
#define MATCHING_PAGE_MAX 1000 /* orders or trades in one read */

typedef struct matching_port matching_port;

/* A level of a depth read. */
typedef struct matching_level {
    matching_wide total_lots; /* visible */
    int64_t price_ticks;
    uint32_t orders;
} matching_level;

typedef struct matching_depth {
    uint64_t sequence; /* depth_sequence of the last LEVEL event that it contains, 0: none yet */
    uint32_t bid_count, ask_count;
    matching_level *bids; /* best first */
    matching_level *asks;
    uint8_t bids_complete, asks_complete; /* the side has no further levels */
    uint8_t state;                        /* matching_state of the instrument */
} matching_depth;

/* An instrument now, and its trades of the last 24 hours: those of the running minute of Unix time
 * and of the 1,440 minutes before it. Prices are 0 where there is none. */
typedef struct matching_ticker {
    int64_t last_ticks;                        /* of the last trade, also of an older one */
    int64_t open_ticks, high_ticks, low_ticks; /* 0: no trade in 24 hours */
    matching_wide volume_lots;
    matching_turnover turnover;   /* ticks x lots */
    uint64_t count;               /* of trades */
    int64_t bid_ticks, ask_ticks; /* the best ones; both 0 while the book is crossed */
    int64_t indicative_ticks;     /* where a crossed book would uncross; 0: it is not crossed */
    matching_wide indicative_lots;
    uint64_t time_ns; /* as of when */
} matching_ticker;

typedef struct matching_trade {
    uint64_t trade_id;
    int64_t price_ticks;
    int64_t quantity_lots;
    uint64_t time_ns;
    uint64_t buy_order_id;
    uint64_t sell_order_id;
    uint16_t instrument;
    uint8_t taker_side; /* MATCHING_SIDE_NONE: none (auction) */
    char buyer[MATCHING_TRADER_MAX + 1];
    char seller[MATCHING_TRADER_MAX + 1];
} matching_trade;

typedef struct matching_reply {
    uint64_t tag;             /* the command's */
    uint64_t received_ns;     /* the command's */
    uint64_t sequence;        /* the command's place in its shard */
    uint64_t events_end;      /* event position of the shard just after the command */
    uint16_t code;            /* matching_code */
    uint8_t field;            /* matching_field (gateway.h) at fault, 0: none */
    uint8_t type;             /* matching_command_type */
    uint8_t has_order;        /* `order` is set */
    uint8_t trades_truncated; /* there were more than MATCHING_REPLY_TRADES_MAX */
    uint8_t ids_truncated;    /* order_ids is not complete: no memory for more */
    uint8_t state;            /* SET_STATE: the new one */
    uint32_t shard;
    uint32_t trader;           /* with has_order: the number of the order's trader in its shard */
    uint32_t hint_place;       /* the command's, the port's own */
    uint64_t related_order_id; /* DUPLICATE_CLIENT_ORDER_ID: the other order */
    uint64_t time_ns;          /* Unix, of the command, or as of when a read is */
    matching_order order;      /* as it is after all that the command set off */
    /* With MATCHING_FLAG_COLLECT, and for reads. Valid during on_reply only. */
    const matching_trade
        *trades; /* PLACE, AMEND: those the order took part in; READ_TRADES: page */
    size_t trade_count;
    const uint64_t *order_ids; /* CANCEL_ALL: what was cancelled, ascending */
    size_t order_id_count;
    const matching_order *orders; /* READ_ORDERS, READ_OPEN_ORDERS; ascending order_id */
    size_t order_count;
    bool orders_complete;           /* no further order after these */
    uint64_t orders_until;          /* READ_OPEN_ORDERS in one shard: orders up to this id were
                                     * looked at, there are none of them but these */
    const matching_depth *depth;    /* READ_DEPTH */
    const matching_ticker *ticker;  /* READ_TICKER */
    const matching_candle *candles; /* READ_CANDLES; oldest first */
    size_t candle_count;
    uint64_t last_trade_id; /* READ_CANDLES of running ones: the last trade that they contain */
    uint64_t exact_from_s;  /* ... candles that began before it lack trades; 0: none does */
    bool candles_more;      /* there are further ones, see history.h */
    uint8_t history;        /* with INTERNAL_ERROR: matching_history_trouble (history.h) */
    uint16_t instrument;    /* ADD_INSTRUMENT, SET_STATE: its index */
} matching_reply;

typedef struct matching_port_handlers {
    /* Required. On the port's thread, inside matching_port_poll, or inside flush and sleep, where a
     * command has more events than its shard holds: then nobody else could take them. */
    void (*on_reply)(void *context, const matching_reply *reply);

    /* May be NULL. Likewise. position counts the shard's events; compare with a read's
     * reply.events_end: positions from there on came after the read. order is set for
     * MATCHING_EVENT_ORDER, else NULL. Pointers valid during the call only. */
    void (*on_event)(void *context, unsigned shard, uint64_t position, const matching_event *event,
                     const matching_order *order);

    /* May be NULL. This reader stalled so long that events of the shard were overwritten; the next
     * on_event continues at a later position. Send fresh snapshots. */
    void (*on_lapped)(void *context, unsigned shard);

    /* Required. On any thread of the core or of another port: something is ready and the port said
     * that it sleeps. Must be quick and must not block: lws_cancel_service, an eventfd write. */
    void (*wake)(void *context);
} matching_port_handlers;

/* Before matching_core_start. The core frees it. NULL when out of memory. */
matching_port *matching_port_create(matching_core *core, const matching_port_handlers *handlers,
                                    void *context);

/* Hands a command made by matching_gateway_prepare to its shard (to all shards for CANCEL_ALL,
 * READ_ORDERS and READ_OPEN_ORDERS with MATCHING_FLAG_ALL_SYMBOLS; one reply all the same).
 * MATCHING_OK: a reply will come. MATCHING_OVERLOADED, MATCHING_SHUTTING_DOWN: none will, nothing
 * was done. The command is copied. */
matching_code matching_port_submit(matching_port *port, const matching_command *command);

/* Is it one of the reads with large answers, of which a port has room for a few at a time? Any
 * thread. */
bool matching_port_is_bulk(const matching_command *command);

/* Asks for the ORDER events of a trader (NUL-terminated; NULL: of everybody): without anybody who
 * asks for them they are not made. They come for every command that this port submits from now on,
 * and for those that others submit once they see it; others' traders' may come too. Returns what
 * unwatch wants; each watch wants one. */
uint32_t matching_port_watch(matching_port *port, const char *trader_id);

/* The same in short, of one trader: CHANGE events of its orders, where nobody asks for their ORDER
 * events. For who keeps what the replies to their entry told, since these things come without one:
 * what a PLACE does to the order that it enters, and fills, which TRADE events tell. An amend that
 * may fill tells the order's new price and quantity first. */
uint32_t matching_port_follow(matching_port *port, const char *trader_id);

/* Ends a watch or follow. */
void matching_port_unwatch(matching_port *port, uint32_t watched);

/* Wakes the shards that have new commands, or applies them here and now where that takes less; call
 * once after a loop turn's submissions. */
void matching_port_flush(matching_port *port);

/* Delivers what is ready, at most about `budget` events (0: a default). True if there is more. */
bool matching_port_poll(matching_port *port, unsigned budget);

/* Says that the thread is about to sleep in its event loop: the next thing ready calls wake().
 * False: something is ready already; poll first. */
bool matching_port_sleep(matching_port *port);

/* Commands whose reply has not been delivered yet. */
size_t matching_port_in_flight(const matching_port *port);

/* From now on submit answers MATCHING_SHUTTING_DOWN; replies still come. */
void matching_port_close(matching_port *port);

#endif
