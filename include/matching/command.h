/* What goes into the engine: one fixed-size command, whatever the transport.
 *
 * The gateway (matching/gateway.h) makes commands out of requests; a port (matching/port.h) carries
 * them to a shard; the shard gives each its sequence and time, and the engine applies it.
 * All that can change an outcome is in here; nothing else is.
 */
#ifndef MATCHING_COMMAND_H
#define MATCHING_COMMAND_H

#include <stdint.h>

#include "matching/order.h"

typedef enum matching_command_type {
    MATCHING_COMMAND_NONE = 0,
    /* Commands: change state, are numbered and journalled. */
    MATCHING_PLACE = 1,
    MATCHING_CANCEL = 2,
    MATCHING_AMEND = 3,
    MATCHING_CANCEL_ALL = 4,
    MATCHING_SET_STATE = 5,
    MATCHING_TICK = 6,           /* the shard's own: time has passed, orders that are due expire */
    MATCHING_ADD_INSTRUMENT = 7, /* from now on the shard serves it */
    MATCHING_SET_LIMITS = 8, /* a journal's first: the limits that what follows was decided by */
    MATCHING_RELEASE_GUARDS = 9, /* no working order is guarded any more */
    /* All guarded working orders end (disconnect): trader by trader as they became known, each
     * one's oldest first. */
    MATCHING_CANCEL_GUARDED = 10,
    /* Reads: pass the same rings, see everything before them, change nothing. */
    MATCHING_READ_ORDER = 32,
    MATCHING_READ_ORDERS = 33,      /* a page by ascending order_id, ended ones included */
    MATCHING_READ_OPEN_ORDERS = 34, /* the same of a trader's working ones */
    MATCHING_READ_DEPTH = 35,
    MATCHING_READ_TRADES = 36,
    MATCHING_READ_TICKER = 37,
    MATCHING_READ_CANDLES = 38 /* history.h */
} matching_command_type;

/* The states of an instrument. */
typedef enum matching_state {
    MATCHING_TRADING = 0,
    MATCHING_HALTED = 1,
    MATCHING_AUCTION = 2
} matching_state;

/* matching_command.flags */
enum {
    MATCHING_FLAG_POST_ONLY = 1,
    /* READ_OPEN_ORDERS in one shard: all of the page is as of one moment; where that would take
     * long it ends early, and the reply's orders_until says where. */
    MATCHING_FLAG_ONE_MOMENT = 1,
    MATCHING_FLAG_COLLECT = 2, /* the reply carries trades and ids (port.h); engine ignores it */
    MATCHING_FLAG_ALL_SYMBOLS = 4, /* CANCEL_ALL, READ_ORDERS, READ_OPEN_ORDERS: every instrument */
    MATCHING_FLAG_HAS_SYMBOL = 8,  /* by order_id: `instrument` was given and must be the order's */
    /* AMEND by order_id without a symbol: price_ticks, stop_price_ticks and quantity_lots are
     * mantissas of 10^-8; the engine, which knows the order's instrument, converts and checks. */
    MATCHING_FLAG_DECIMALS = 16,
    /* PLACE, CANCEL, AMEND: of the reply's order only order_id, instrument, side, type, price,
     * quantity, filled, status, reason and client_order_id are set. */
    MATCHING_FLAG_BRIEF = 32,
    /* AMEND: quantity_lots is what shall be open, whatever has filled, and priority is lost: a
     * cancel-replace that keeps the id. */
    MATCHING_FLAG_OPEN_QUANTITY = 64,
    /* PLACE: nobody will cancel the order if the service dies; so CANCEL_GUARDED does. */
    MATCHING_FLAG_GUARDED = 128
};

/* matching_command.source: where READ_ORDER, READ_ORDERS and READ_TRADES look (history.h) */
enum {
    MATCHING_SOURCE_ANY = 0,
    MATCHING_SOURCE_MEMORY = 1 /* only what the shard holds in memory */
};

#define MATCHING_STATUS_ANY 255
#define MATCHING_STATUS_WORKING 254 /* open, partial or untriggered */

typedef struct matching_command {
    uint64_t sequence;     /* set by the shard: 1, 2, 3, ... of its commands; reads keep the last */
    uint64_t time_ns;      /* set by the shard: Unix nanoseconds, never going back */
    uint64_t order_id;     /* CANCEL, AMEND, READ_ORDER: 0 means by trader_id + client_order_id;
                          READ_ORDERS, READ_OPEN_ORDERS: the page starts after this id */
    int64_t price_ticks;   /* 0: none, or (AMEND) unchanged; ADD_INSTRUMENT: tick_size (10^-8);
                          SET_LIMITS: max_orders */
    int64_t quantity_lots; /* AMEND: the new total, 0 unchanged; ADD_INSTRUMENT: lot_size (10^-8);
                          SET_LIMITS: max_levels */
    uint16_t instrument;   /* index, 0 where none is meant; ADD_INSTRUMENT: the new one, set by the
                          shard */
    uint8_t type;          /* matching_command_type */
    uint8_t side;
    uint8_t order_type;
    uint8_t time_in_force;
    uint8_t flags;
    uint8_t self_trade;
    uint8_t reason; /* CANCEL, CANCEL_ALL: matching_reason that the orders end with */
    union {
        uint8_t state;  /* SET_STATE, ADD_INSTRUMENT: matching_state */
        uint8_t source; /* reads: MATCHING_SOURCE_* */
    };
    union {
        uint8_t status;   /* READ_ORDERS: filter, MATCHING_STATUS_* or a matching_status */
        uint8_t interval; /* READ_CANDLES: matching_interval */
    };
    char sbe_char;        /* ADD_INSTRUMENT: 0 none */
    uint32_t trader_hint; /* the trader's number where the port knows it, else 0; never trusted */
    int64_t display_lots; /* SET_LIMITS: max_traders */
    int64_t stop_price_ticks; /* SET_LIMITS: retained_orders */
    uint64_t expire_time_ms;
    union {
        char trader_id[MATCHING_TRADER_MAX]; /* zero-padded, all zero: not given */
        char symbol[MATCHING_TRADER_MAX];    /* ADD_INSTRUMENT: zero-padded */
    };
    char client_order_id[40]; /* zero-padded, at most MATCHING_CLIENT_ID_MAX used */
    union {
        uint32_t limit;      /* reads: levels a side, orders or trades wanted */
        uint32_t hint_place; /* PLACE: the port's own, given back in the reply */
    };
    uint32_t instrument_id; /* ADD_INSTRUMENT: 0 lets the shard set the next free;
                           SET_LIMITS: max_instruments */
    union {
        uint64_t from_id; /* READ_TRADES: first trade_id wanted, 0: none */
        uint64_t from_s;  /* READ_CANDLES: no candle that began before, 0: the newest */
    };
    union {
        uint64_t before_id; /* READ_TRADES: ids below this one, 0: none */
        uint64_t to_s;      /* READ_CANDLES: no candle that began after, 0: up to now */
    };
    /* Not part of the journal: how the reply finds its way. The engine never looks at these. */
    uint64_t tag;         /* the transport's own, given back in the reply */
    uint64_t received_ns; /* monotonic clock at reception, given back in the reply (latency) */
    void *payload;        /* the port's, room for what a read returns */
    void *trace;          /* the port's, the times of a traced order */
} matching_command;

#endif
