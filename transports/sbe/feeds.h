/* Market data: who follows what, and how events become messages.
 *
 * Trades that follow each other in one instrument are gathered in one frame, which is made once for
 * all followers. The best prices come from a depth view (matching/depth_view.h), which an
 * instrument has while somebody follows its book.
 */
#ifndef MATCHING_SBE_FEEDS_H
#define MATCHING_SBE_FEEDS_H

#include "json_writer.h"
#include "sbe_frame.h"
#include "views.h"

typedef struct sbe_door sbe_door;
typedef struct sbe_connection sbe_connection;

/* By bit of SBE_CHANNEL_*. */
typedef enum sbe_channel {
    SBE_TRADES = 0,
    SBE_BOOK = 1,
    SBE_EXACT = 2,
    SBE_CHANNEL_COUNT = 3
} sbe_channel;

typedef struct sbe_follower {
    sbe_connection *connection;
    size_t index; /* in its subscriptions */
} sbe_follower;

typedef struct sbe_feed {
    sbe_follower *list;
    size_t count, room;
} sbe_feed;

typedef struct sbe_subscription {
    size_t position; /* in the feed's list */
    uint16_t instrument;
    uint8_t channel;
    bool is_stale; /* book: a fresh one is owed, changes are left out until then */
} sbe_subscription;

typedef struct sbe_market {
    sbe_feed feeds[SBE_CHANNEL_COUNT];
    wire_view view;    /* without a depth: nobody has followed the book yet */
    uint64_t sequence; /* of the depth, as last told */
    bool is_dirty;     /* in `dirty` */
} sbe_market;

typedef struct sbe_feeds {
    sbe_market *markets; /* by instrument index, room for as many as there can ever be */
    size_t listed;       /* one past the highest instrument that this door has heard of */
    uint16_t *dirty;     /* instruments whose view has changed in this turn */
    size_t dirty_count;
    wire_loads loads; /* of the views */
    /* Trades of one instrument that are to be sent: as template 1 and as template 11. */
    matching_writer trades, exact;
    uint16_t trading; /* their instrument */
} sbe_feeds;

/* init: false when out of memory; fini also after that. */
bool sbe_feeds_init(sbe_door *door);
void sbe_feeds_fini(sbe_door *door);

/* Events of the port, but for orders. */
void sbe_on_trade_event(sbe_door *door, const matching_event *event);
void sbe_on_level_event(sbe_door *door, const matching_event *event);
void sbe_feeds_lapped(sbe_door *door, unsigned shard);

/* At the end of a turn: what it has brought goes to the followers. */
void sbe_feeds_publish(sbe_door *door);

/* Reads the depth for the views that need it; takes over what came of it. */
void sbe_feeds_load(sbe_door *door);
void sbe_feeds_loaded(sbe_door *door, uint16_t instrument, const matching_reply *reply);

/* An instrument was added, or its state has changed. */
void sbe_on_instrument(sbe_door *door, uint16_t instrument, bool is_new);

/* Queues what the connection is owed: instruments, fresh books. True if there was something. */
bool sbe_refresh(sbe_connection *connection);

/* The instruments among them. */
bool sbe_tell_instruments(sbe_connection *connection);

/* subscriptions.c. A Subscribe: MATCHING_OK, or the code with *error filled in and nothing
 * changed. */
matching_code sbe_on_subscribe(sbe_connection *connection, const sbe_message *message,
                               matching_error *error);
void sbe_unsubscribe_all(sbe_connection *connection);

/* Those who follow all instruments follow this one too. */
void sbe_follow_new(sbe_door *door, uint16_t instrument);

#endif
