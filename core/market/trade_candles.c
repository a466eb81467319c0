/* See trade_candles.h. Goes over the trades twice: how many candles there are, then which. */
#include "market/trade_candles.h"

#define NS_PER_S UINT64_C(1000000000)

typedef struct collection {
    const trade_candles_query *query;
    uint64_t exact_from_ns; /* candles that begin later have all their trades; 0: all have */
    size_t skip;            /* the first ones */
    size_t count;           /* that fit the query */
    matching_candle *out;   /* NULL: they are counted only */
} collection;

static void collect(void *context, const matching_candle *candle)
{
    collection *all = context;
    const trade_candles_query *query = all->query;
    if (candle->interval != query->interval || candle->start_s < query->from_s ||
        (query->to_s != 0 && candle->start_s > query->to_s) ||
        (all->exact_from_ns != 0 && candle->start_s * NS_PER_S <= all->exact_from_ns)) {
        return;
    }
    size_t number = all->count++;
    if (all->out != NULL && number >= all->skip && number - all->skip < query->limit) {
        all->out[number - all->skip] = *candle;
    }
}

static size_t collect_all(const matching_trade *trades, size_t count, uint64_t now_ns,
                          collection *all)
{
    matching_candles candles;
    matching_candles_init(&candles);
    for (size_t i = 0; i < count; i++) {
        matching_candles_trade(&candles, trades[i].time_ns, trades[i].price_ticks,
                               trades[i].quantity_lots, collect, all);
    }
    matching_candles_advance(&candles, now_ns, collect, all);
    const matching_candle *running = matching_candles_running(&candles, all->query->interval);
    if (running != NULL) {
        collect(all, running);
    }
    return all->count;
}

size_t trade_candles_make(const matching_trade *trades, size_t count, uint64_t now_ns,
                          const trade_candles_query *query, matching_candle *out, bool *more)
{
    *more = false;
    if ((unsigned)query->interval >= MATCHING_INTERVALS) {
        return 0;
    }
    uint64_t exact_from_ns = count > 0 && trades[0].trade_id > 1 ? trades[0].time_ns : 0;
    collection all = {.query = query, .exact_from_ns = exact_from_ns};
    size_t total = collect_all(trades, count, now_ns, &all);
    *more = total > query->limit;
    all = (collection){.query = query, .exact_from_ns = exact_from_ns, .out = out};
    all.skip = query->from_s == 0 && *more ? total - query->limit : 0;
    collect_all(trades, count, now_ns, &all);
    return *more ? query->limit : total;
}
