/* The candles of all instruments, kept by a door from the events of its port: running ones, the
 * last final ones, and when followers are to be told of which.
 *
 * Every trade counts once: trade ids have no gaps, so what is missing is seen, at the start and
 * after the port was lapped, and read. Candles that may lack trades, because nobody has those any
 * more, are never told. A candle is final by the clock of its shard: once one has ended by ours,
 * the shard is asked for its time, and the answer comes when everything before it is durable.
 *
 * Thread: the port's, all of it. It submits reads of its own, whose tags the door knows by
 * matching_candle_feed_reply; the door hands on events and replies and calls turn at the end of
 * each turn of its loop.
 */
#ifndef MATCHING_CANDLE_FEED_H
#define MATCHING_CANDLE_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "matching/candles.h"
#include "matching/core.h"
#include "matching/event.h"
#include "matching/port.h"

/* Tags of its reads are from this one up to twice as much: the door's own have to lie elsewhere. */
#define MATCHING_CANDLE_FEED_TAGS (UINT64_C(1) << 62)

typedef struct matching_candle_feed matching_candle_feed;

typedef struct matching_candle_feed_handlers {
    /* Followers of the candle's interval are to be told now: that it is final, or how it stands.
     * Only for what is followed. A final candle is told once, at once, a running one not before
     * batch_ms have passed since the last time. May be called within event, reply and turn. */
    void (*on_candle)(void *context, uint16_t instrument, const matching_candle *candle);

    /* Each trade that had not been seen before, in order. May be NULL. */
    void (*on_trade)(void *context, uint16_t instrument, uint64_t time_ns, int64_t price_ticks,
                     uint8_t taker_side);

    /* The instrument's journal failed: nothing comes of it before a restart. Once. May be NULL. */
    void (*on_failed)(void *context, uint16_t instrument);
} matching_candle_feed_handlers;

typedef struct matching_candle_feed_options {
    matching_core *core;
    matching_port *port;
    uint32_t batch_ms; /* 0: whatever came in a turn is told at its end */
    uint32_t kept;     /* final candles of each interval, at least 1 */
} matching_candle_feed_options;

/* After the port, before or after the core's start. NULL when out of memory. */
matching_candle_feed *matching_candle_feed_create(const matching_candle_feed_options *options,
                                                  const matching_candle_feed_handlers *handlers,
                                                  void *context);
void matching_candle_feed_destroy(matching_candle_feed *feed);

/* What the port's handlers of these names were called with. reply: false, it is not one of its
 * reads. */
void matching_candle_feed_event(matching_candle_feed *feed, unsigned shard, uint64_t position,
                                const matching_event *event);
void matching_candle_feed_lapped(matching_candle_feed *feed, unsigned shard);
bool matching_candle_feed_reply(matching_candle_feed *feed, const matching_reply *reply);

/* Tells what is due and asks for what is missing; reads: false while the door stops, when
 * nothing is submitted any more. now_ms: monotonic, by which tellings are spaced; unix_ns: the same
 * moment in Unix time, by which candles seem to have ended. Returns in how many milliseconds the
 * next turn has to come at the latest, UINT64_MAX: whenever something else happens. */
uint64_t matching_candle_feed_turn(matching_candle_feed *feed, uint64_t now_ms, uint64_t unix_ns,
                                   bool reads);

/* Somebody follows the series, or nobody does any more. */
void matching_candle_feed_follow(matching_candle_feed *feed, uint16_t instrument,
                                 matching_interval interval, bool is_followed);

/* The running candle, if all its trades are known; NULL: there is none. */
const matching_candle *matching_candle_feed_running(const matching_candle_feed *feed,
                                                    uint16_t instrument,
                                                    matching_interval interval);

/* Final candles that are kept. They are numbered 0 ... count - 1, the oldest first. */
size_t matching_candle_feed_kept(const matching_candle_feed *feed, uint16_t instrument,
                                 matching_interval interval);
const matching_candle *matching_candle_feed_final(const matching_candle_feed *feed,
                                                  uint16_t instrument, matching_interval interval,
                                                  size_t number);

/* The number of the first one kept that begins at start_s or later; their count: there is none. */
size_t matching_candle_feed_find(const matching_candle_feed *feed, uint16_t instrument,
                                 matching_interval interval, uint64_t start_s);

/* All candles that are over and began at this Unix second or later are kept; UINT64_MAX: none
 * are. */
uint64_t matching_candle_feed_kept_since_s(const matching_candle_feed *feed, uint16_t instrument,
                                           matching_interval interval);

/* Trades are being read: what is kept may lack the newest. The instrument's journal failed. */
bool matching_candle_feed_is_behind(const matching_candle_feed *feed, uint16_t instrument);
bool matching_candle_feed_has_failed(const matching_candle_feed *feed, uint16_t instrument);

#endif
