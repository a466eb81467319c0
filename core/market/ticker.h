/* What has happened in one instrument within the last 24 hours, kept by its shard's thread.
 *
 * Kept by the minute: at any time the statistics are of all trades in the running minute (of Unix
 * time) and in the 1,440 minutes before it. So they reach back 24 hours, and up to one minute more.
 * Exact whatever the number and size of the trades: no sum can overflow.
 *
 * Time is told, never asked for, and does not go back. A trade and a read take constant time, but
 * for the first of a minute, which lets go of what has become too old.
 */
#ifndef MATCHING_TICKER_H
#define MATCHING_TICKER_H

#include "matching/port.h"

#define TICKER_MINUTES 1440
#define TICKER_BYTES (TICKER_MINUTES * sizeof(ticker_minute)) /* what `closed` needs */

/* The trades of a minute, or of several; all 0 without any. */
typedef struct ticker_minute {
    uint64_t begin_ns; /* Unix time */
    int64_t open_ticks, high_ticks, low_ticks;
    uint64_t count;
    matching_turnover turnover; /* ticks x lots */
    matching_wide volume_lots;
} ticker_minute;

typedef struct ticker {
    ticker_minute running;
    int64_t last_ticks; /* of the last trade, however long ago; 0: there was none */
    /* A ring of TICKER_MINUTES, the owner's memory, whatever it holds at first: those minutes
     * before the running one in which there was a trade. It is touched only as far as there are
     * such. */
    ticker_minute *closed;
    uint32_t oldest, closed_count;
    ticker_minute total; /* of the closed ones */
} ticker;

/* A trade. */
void ticker_add(ticker *t, uint64_t time_ns, int64_t price_ticks, int64_t quantity_lots);

/* Of a ticker that is being put together again from its minutes: another closed one, the oldest
 * first; `running` is set. False: it cannot be. */
bool ticker_restore(ticker *t, const ticker_minute *closed);

/* The statistics as of a time: fills in what of *out is about trades, and time_ns. */
void ticker_read(ticker *t, uint64_t time_ns, matching_ticker *out);

#endif
