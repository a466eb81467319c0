/* The candles of some trades that are at hand, for who keeps no others: --in-memory. */
#ifndef MATCHING_TRADE_CANDLES_H
#define MATCHING_TRADE_CANDLES_H

#include <stdbool.h>
#include <stddef.h>

#include "matching/candles.h"
#include "matching/port.h"

typedef struct trade_candles_query {
    matching_interval interval;
    uint64_t from_s; /* no candle that began earlier; 0: the newest up to to_s are wanted */
    uint64_t to_s;   /* no candle that began later; 0: up to the present one */
    size_t limit;    /* at least 1 */
} trade_candles_query;

/* The trades: the last ones of an instrument, oldest first, without gaps. A candle that may lack
 * trades of before the first one is left out; so are all of what is no interval; now_ns, a time
 * of the shard that no later trade lies before, says which are final. Writes at most limit,
 * oldest first, and returns how many. *more: there are further ones, after the last with from_s,
 * else before the first. Pure. */
size_t trade_candles_make(const matching_trade *trades, size_t count, uint64_t now_ns,
                          const trade_candles_query *query, matching_candle *out, bool *more);

#endif
