/* The candles of one instrument: all eight intervals from one pass over its trades.
 *
 * A candle holds the trades of one stretch of Unix time [start, start + its interval's seconds). A
 * stretch without a trade has no candle. The candle of the present stretch runs; it is final once
 * the time told has reached its end, by a trade or by matching_candles_advance. Final candles never
 * change.
 *
 * Time is told, never asked for: the time of the shard's commands. It does not go back within a
 * shard. Should it be told an earlier one all the same (the clock was put back between two runs,
 * and the run before had been told a time that no command bore out), then the latest time told
 * counts: the trade joins the running candles, or begins new ones, and no final one changes.
 *
 * Plain data without pointers: a copy is a copy, and what has to be kept over a restart are the
 * running candles and the time (matching_candles_running, matching_candles_resume). Pure, no
 * allocation. One thread at a time for each object.
 */
#ifndef MATCHING_CANDLES_H
#define MATCHING_CANDLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "matching/decimal.h"

/* Each is a multiple of the one before. The numbers are those of the store's keys. */
typedef enum matching_interval {
    MATCHING_S1 = 0,
    MATCHING_S30 = 1,
    MATCHING_M1 = 2,
    MATCHING_M5 = 3,
    MATCHING_M15 = 4,
    MATCHING_H1 = 5,
    MATCHING_H4 = 6,
    MATCHING_D1 = 7
} matching_interval;

#define MATCHING_INTERVALS 8

typedef struct matching_candle {
    matching_wide volume_lots;
    uint64_t start_s; /* Unix seconds, a multiple of the interval's */
    int64_t open_ticks, high_ticks, low_ticks, close_ticks;
    uint64_t update_count; /* its trades; 0: there is no candle */
    uint8_t interval;      /* matching_interval */
    uint8_t is_final;
} matching_candle;

typedef struct matching_candles {
    matching_candle running[MATCHING_INTERVALS]; /* update_count 0: none runs */
    uint64_t time_ns;                            /* the latest that was told */
    uint64_t next_end_ns;                        /* of the running candle that ends first */
    uint8_t changed; /* a bit for each interval whose running candle has not been told of since */
} matching_candles;

/* Takes one candle, valid during the call only. It must not call back into the same object. */
typedef void matching_candle_sink(void *context, const matching_candle *candle);

/* "s1" ... "d1"; "" for a number that is none. The name's interval; false: there is none such. */
const char *matching_interval_name(unsigned interval);
bool matching_interval_find(const char *name, size_t length, matching_interval *interval);

/* Its length; 0 for a number that is none. */
uint32_t matching_interval_seconds(unsigned interval);

/* Nothing has been traded yet. */
void matching_candles_init(matching_candles *candles);

/* A trade of at least one lot at a price of at least one tick. First the sink (NULL: nobody wants
 * to know) gets those candles that end by its time, the shortest interval first, each with is_final
 * set. */
void matching_candles_trade(matching_candles *candles, uint64_t time_ns, int64_t price_ticks,
                            int64_t quantity_lots, matching_candle_sink *sink, void *context);

/* It is so late, whether somebody trades or not: the sink gets those that have ended, as above. The
 * time must be one that no later trade of the shard lies before. */
void matching_candles_advance(matching_candles *candles, uint64_t time_ns,
                              matching_candle_sink *sink, void *context);

/* When the next running candle ends; UINT64_MAX: none runs. Advancing to before that does
 * nothing. */
static inline uint64_t matching_candles_next_end(const matching_candles *candles)
{
    return candles->next_end_ns;
}

/* The sink gets each running candle in which there was a trade since the last call of this
 * function, once, however many trades there were; the shortest interval first. */
void matching_candles_changed(matching_candles *candles, matching_candle_sink *sink, void *context);

/* The running candle of the interval, NULL: there is none. Valid until the next trade or
 * advance. */
static inline const matching_candle *matching_candles_running(const matching_candles *candles,
                                                              matching_interval interval)
{
    const matching_candle *candle = &candles->running[interval];
    return candle->update_count > 0 ? candle : NULL;
}

/* Goes on where another run was: at this time, with these running candles in any order, none
 * counted as changed. False, and *candles as after init, if that cannot have been: a candle that is
 * not of this time, two of one interval, prices that contradict each other, a longer interval
 * without what a shorter one has. */
bool matching_candles_resume(matching_candles *candles, uint64_t time_ns,
                             const matching_candle *running, size_t count);

#endif
