/* The last final candles of one interval of one instrument: a ring that grows as it fills. */
#ifndef MATCHING_KEPT_CANDLES_H
#define MATCHING_KEPT_CANDLES_H

#include "matching/candles.h"

/* All zeros: empty. */
typedef struct kept_candles {
    matching_candle *ring; /* heap */
    size_t room, first, count;
    bool has_dropped; /* older ones than those that are kept */
} kept_candles;

void kept_candles_fini(kept_candles *kept);

/* As if there had never been one. */
void kept_candles_clear(kept_candles *kept);

/* Begins later than all before it. At most so many are kept, at least one; when out of memory
 * fewer. */
void kept_candles_add(kept_candles *kept, const matching_candle *candle, size_t most);

/* By number, the oldest is 0; NULL: beyond. Valid until the next one is added. */
const matching_candle *kept_candles_at(const kept_candles *kept, size_t number);

/* The number of the first one that begins at start_s or later; their count: there is none. */
size_t kept_candles_find(const kept_candles *kept, uint64_t start_s);

#endif
