/* Channels: who follows what, and how events become messages.
 *
 * A message of a feed is made once and appended to the outbox of every follower. The depth views
 * (matching/depth_view.h) live here: one for each instrument, kept up by every LEVEL event while
 * somebody follows `book` or `depth`, and read again for the first who does. A ticker is read
 * from its shard when an event says that it may have changed.
 */
#ifndef MATCHING_WEBSOCKET_FEEDS_H
#define MATCHING_WEBSOCKET_FEEDS_H

#include "matching/candle_feed.h"
#include "message.h"
#include "outbox.h"
#include "pending.h"
#include "views.h"

typedef struct ws_door ws_door;
typedef struct ws_connection ws_connection;
typedef struct ws_orders_read ws_orders_read;

#define WS_SNAPSHOTS_AT_ONCE 8u /* of orders, being made by a door */

typedef struct ws_orders_list {
    ws_orders_read *first, *last;
} ws_orders_list;

typedef struct ws_subscriber {
    ws_connection *connection;
    uint32_t index; /* in its subscriptions */
    bool is_batched;
} ws_subscriber;

typedef struct ws_feed {
    ws_subscriber *list;
    size_t count, room;
} ws_feed;

/* The orders of one trader in one instrument; exists while somebody follows them. */
typedef struct ws_order_feed {
    ws_feed feed;               /* first: one leads to the other */
    struct ws_order_feed *next; /* in its bucket */
    uint16_t instrument;
    char trader_id[MATCHING_TRADER_MAX + 1];
    uint32_t watched; /* matching_port_watch of the trader */
} ws_order_feed;

/* Orders with ids up to this one were read for a snapshot when their shard had had so many
 * events. */
typedef struct ws_orders_page {
    uint64_t last_id, from_position;
} ws_orders_page;

typedef struct ws_subscription {
    ws_feed *feed;
    size_t position; /* in the feed's list */
    uint16_t instrument;
    uint8_t channel;
    bool follows_new;  /* made without symbols: instruments added later are followed too */
    bool is_batched;   /* as in the feed's list */
    bool is_stale;     /* all but trades and orders: a fresh one is owed, changes are left out until
                      then */
    uint64_t missed_s; /* kline: ... and final candles that begin from here on; 0: none */
    uint64_t from_position; /* orders: events before it are in the snapshot's last page, UINT64_MAX:
                                none was read yet; */
    uint64_t read_id;       /* ... up to this id it was read, */
    uint64_t told_id;       /* ... and told; UINT64_MAX: all */
    ws_orders_page *pages;  /* ... read before the last page, on the heap */
    size_t page_count;
    uint64_t first_read;     /* ticker: number of the first read begun after it subscribed */
    bool is_live;            /* orders: told updates before this snapshot was asked for: goes on */
    ws_orders_read *reading; /* orders: the snapshot that is being gathered */
} ws_subscription;

/* The channel `ticker` of an instrument. At most one read is under way. */
typedef struct ws_ticker {
    matching_ticker told; /* by the last read; followers who are not stale know it */
    uint64_t reads_begun, reads_done;
    bool is_waiting; /* in feeds->tickers: it may have changed since the last read began */
    bool is_urgent;  /* ... and somebody has just subscribed: the next round is too late */
} ws_ticker;

typedef struct ws_market {
    wire_view view;           /* without a depth: this door does not know the instrument yet */
    ws_feed feeds[WS_ORDERS]; /* by channel */
    ws_ticker ticker;
    wire_frame *snapshot; /* of the depth, for the next who is owed one; NULL: none */
    uint64_t snapshot_sequence;
    bool is_dirty; /* in `dirty` */
} ws_market;

typedef struct ws_feeds {
    matching_port *port; /* the door's */
    ws_market *markets;  /* by instrument index, room for as many as there can ever be */
    size_t market_end;   /* one past the highest known */
    uint16_t *dirty;     /* instruments with LEVEL events in this turn */
    size_t dirty_count;
    bool has_snapshots; /* some market keeps one */
    wire_loads loads;   /* of the views */
    uint16_t *tickers;  /* instruments whose ticker waits to be read */
    size_t ticker_count;
    bool has_urgent_ticker;
    uint64_t round_due_ms;  /* no round of reads before */
    uint64_t ticker_minute; /* Unix time in minutes when trades were last seen to grow old */
    matching_depth_step *step;
    ws_order_feed **buckets;
    size_t bucket_count, order_feed_count;
    ws_orders_list reads;     /* orders_snapshots that found the port full, or wait their turn */
    bool are_reads_held_up;   /* ... no other one can begin, since they were tried */
    ws_orders_read *admitted; /* whose turn it is */
    size_t making;            /* snapshots of which orders are there or under way */
    ws_orders_list abandoned; /* which nobody wants any more, with commands in flight */
    uint16_t *chosen;         /* scratch: the instruments of a subscription */
    bool *is_chosen;
    uint32_t
        *found; /* scratch, all 0: by channel and instrument, 1 + the index of a subscription */
    matching_candle_feed *candles;
} ws_feeds;

/* feeds.c. init: false when out of memory; fini also after that. */
bool ws_feeds_init(ws_door *door);
void ws_feeds_fini(ws_door *door);
void ws_on_event(void *door, unsigned shard, uint64_t position, const matching_event *event,
                 const matching_order *order);
void ws_on_lapped(void *door, unsigned shard);

/* Makes sure that a listed instrument is known. False: out of memory. */
bool ws_market_open(ws_door *door, size_t index);

/* At the end of a turn: one step of every instrument that changed, told to its followers. */
void ws_feeds_publish(ws_door *door);

/* Reads the depth for the views that need it; takes over what came of it. */
void ws_feeds_load(ws_door *door);
void ws_feeds_loaded(ws_door *door, uint16_t instrument, const matching_reply *reply);

/* MATCHING_OK, or what the port said: a read of an instrument, `action` being GET_DEPTH (for a
 * view) or GET_TICKER. */
matching_code ws_read_market(ws_door *door, matching_action action, ws_pending_kind kind,
                             uint16_t instrument);

/* A read of the instrument was answered by INTERNAL_ERROR, as a shard does whose journal has
 * failed: none is sent any more, and who is owed something is told so. */
void ws_market_failed(ws_door *door, uint16_t instrument);

/* Queues the event that door->server.writer holds. */
void ws_send_event(const ws_subscriber *follower);

/* Queues what door->server.writer holds for every follower who is not stale; who is behind becomes
 * stale. Returns for how many it was queued. For one follower: false, it was left out. */
size_t ws_send_to_followers(const ws_feed *feed);
bool ws_send_state(const ws_subscriber *follower);

/* A broadcast (wire_broadcast_begin) has been queued for so many. */
void ws_broadcast_end(const ws_door *door, matching_span *span, ws_channel channel,
                      uint16_t instrument, size_t recipients);

/* Once a second: what was kept for others takes no memory for long. */
void ws_feeds_second(ws_door *door);

/* Queues the snapshots that are owed, until there is a backlog. True if there were any. */
bool ws_refresh(ws_connection *connection);

/* tickers.c. Something that a ticker tells may have changed; somebody has subscribed to it. */
void ws_ticker_changed(ws_feeds *feeds, uint16_t instrument);
void ws_ticker_followed(ws_feeds *feeds, ws_subscription *subscription);

/* At the end of a turn: reads what waits, if a round is due. */
void ws_tickers_read(ws_door *door);
void ws_ticker_answered(ws_door *door, uint16_t instrument, const matching_reply *reply);

/* Once a second: trades that have become too old change tickers too. */
void ws_tickers_second(ws_door *door);

/* klines.c: the channels kline:*. init: false when out of memory; fini also after that. */
bool ws_klines_init(ws_door *door);
void ws_klines_fini(ws_door *door);

/* At the end of a turn: tells what is due, and sets the timer for what is not yet. */
void ws_klines_turn(ws_door *door);

/* The channel has followers now, or none any more. */
void ws_kline_followed(ws_door *door, uint16_t instrument, unsigned channel);

/* Queues what the subscription is owed. False: not all of it went, the rest is owed still. */
bool ws_kline_refresh(ws_connection *connection, ws_subscription *subscription);

/* subscriptions.c. MATCHING_OK and the channels concerned, or the code with *error filled in and
 * nothing changed. */
matching_code ws_subscribe(ws_connection *connection, const ws_message *message, unsigned *channels,
                           ws_error *error);
matching_code ws_unsubscribe(ws_connection *connection, const ws_message *message,
                             unsigned *channels, ws_error *error);
void ws_unsubscribe_all(ws_connection *connection);

/* An instrument was added: those who follow all of them follow it too. */
void ws_follow_new(ws_door *door, uint16_t instrument);
bool ws_feed_reserve(ws_feed *feed, size_t more);

/* orders.c: the channel `orders`. */
ws_order_feed *ws_order_feed_find(const ws_feeds *feeds, uint16_t instrument,
                                  const char *trader_id);
ws_order_feed *ws_order_feed_get(ws_feeds *feeds, uint16_t instrument, const char *trader_id);
void ws_order_feed_drop(ws_feeds *feeds, ws_order_feed *feed); /* if nobody follows it */
void ws_on_order_event(ws_door *door, uint64_t position, const matching_event *event,
                       const matching_order *order);

/* orders_snapshot.c. A snapshot of these instruments, which become subscriptions' `reading`; NULL
 * when out of memory. Then begins with it, or puts it behind the connection's others; goes on as
 * far as the queue allows (true: something was queued), and, at the end of a turn, where the port
 * was full. */
ws_orders_read *ws_orders_read_create(ws_connection *connection, const char *trader_id,
                                      const uint16_t *instruments, size_t count);
void ws_orders_read_start(ws_connection *connection, ws_orders_read *read);
bool ws_orders_go_on(ws_connection *connection);
void ws_orders_submit(ws_door *door);
void ws_orders_answered(ws_door *door, ws_orders_read *read, uint16_t instrument,
                        const matching_reply *reply);

/* One more subscription's `reading` is this; one that has just been removed had it. After the last
 * there is no such read. */
void ws_orders_joined(ws_orders_read *read);
void ws_orders_left(ws_connection *connection, ws_orders_read *read);

/* All connections have ended, and no answer will come any more. */
void ws_orders_fini(ws_feeds *feeds);

/* Does the event come after what the snapshot shows of the order, as far as that was read? */
bool ws_orders_is_news(const ws_subscription *subscription, uint64_t position, uint64_t order_id);

/* There is such news while the snapshot is being made: what has not been told of it is changed, or
 * told. */
void ws_orders_changed(ws_connection *connection, const ws_subscription *subscription,
                       const matching_order *order);
void ws_orders_forget_pages(ws_subscription *subscription);

#endif
