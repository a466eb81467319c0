/* See world.h. */
#include "core/store/world.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/same.h"

#define SECOND UINT64_C(1000000000)
#define PAGE 16

uint64_t world_random(uint64_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random;
}

static uint64_t below(uint64_t *random, uint64_t bound)
{
    return world_random(random) % bound;
}

void world_init(world *w, uint64_t seed)
{
    memset(w, 0, sizeof *w);
    for (unsigned i = 0; i < WORLD_SHARDS; i++) {
        w->shards[i].random = (seed + i + 1) * UINT64_C(0x9e3779b97f4a7c15) | 1;
        w->shards[i].time_ns = WORLD_START_NS;
        w->shards[i].ended = calloc(WORLD_MOST, sizeof *w->shards[i].ended);
    }
    for (unsigned i = 0; i < WORLD_INSTRUMENTS; i++) {
        w->trades[i] = calloc(WORLD_MOST, sizeof *w->trades[i]);
    }
    w->random = seed * 77 + 1;
}

void world_fini(world *w)
{
    for (unsigned i = 0; i < WORLD_SHARDS; i++) {
        free(w->shards[i].ended);
    }
    for (unsigned i = 0; i < WORLD_INSTRUMENTS; i++) {
        free(w->trades[i]);
    }
}

matching_instrument world_instrument(unsigned index)
{
    matching_instrument instrument = {.id = index + 10,
                                      .index = (uint16_t)index,
                                      .shard = (uint8_t)(index % WORLD_SHARDS),
                                      .sbe_char = index == 0 ? 'B' : 0,
                                      .tick_size = 1000000,
                                      .lot_size = 10000 * ((int64_t)index + 1)};
    snprintf(instrument.symbol, sizeof instrument.symbol, "SYMBOL-%u", index);
    return instrument;
}

bool world_add_instruments(const world *w, store *s)
{
    for (unsigned i = 0; i < WORLD_INSTRUMENTS; i++) {
        matching_instrument instrument = world_instrument(i);
        if (store_add_instrument(s, &instrument) != 0) {
            return false;
        }
    }
    for (unsigned i = 0; i < WORLD_SHARDS; i++) {
        if (store_commit(s, i, w->shards[i].sequence, w->shards[i].time_ns) != 0) {
            return false;
        }
    }
    return true;
}

/* ---- What happens --------------------------------------------------------------------------- */

static void name_trader(char *out, uint64_t number)
{
    static const char *const names[WORLD_TRADERS] = {"a", "ab", "a-trader-with-32-characters-name"};
    snprintf(out, MATCHING_TRADER_MAX + 1, "%s", names[number]);
}

static matching_order new_order(world_shard *shard, unsigned number, unsigned instrument)
{
    matching_order order = {.order_id = ++shard->orders * WORLD_SHARDS + number,
                            .price_ticks = 1 + (int64_t)below(&shard->random, 500),
                            .quantity_lots = 1000000,
                            .instrument = (uint16_t)instrument,
                            .status = MATCHING_OPEN,
                            .side = (uint8_t)below(&shard->random, 2),
                            .created_ns = shard->time_ns};
    name_trader(order.trader_id, below(&shard->random, WORLD_TRADERS));
    if (below(&shard->random, 3) == 0) {
        snprintf(order.client_order_id, sizeof order.client_order_id, "c%u",
                 (unsigned)below(&shard->random, 5));
    }
    return order;
}

static bool end_order(world_shard *shard, unsigned number, const matching_order *order, store *s)
{
    matching_order *ended = &shard->ended[shard->ended_count++];
    *ended = *order;
    ended->updated_ns = shard->time_ns;
    ended->status = below(&shard->random, 2) ? MATCHING_FILLED : MATCHING_CANCELLED;
    ended->reason = ended->status == MATCHING_CANCELLED ? MATCHING_REASON_USER : 0;
    return s == NULL || store_add_order(s, number, ended) == 0;
}

static bool trade_with(world *w, unsigned number, matching_order *taker, matching_order *maker,
                       store *s)
{
    world_shard *shard = &w->shards[number];
    unsigned instrument = taker->instrument;
    const matching_order *buy = taker->side == MATCHING_BUY ? taker : maker;
    const matching_order *sell = buy == taker ? maker : taker;
    matching_trade trade = {.trade_id = w->trade_counts[instrument] + 1,
                            .price_ticks = maker->price_ticks,
                            .quantity_lots = 1 + (int64_t)below(&shard->random, 1000),
                            .time_ns = shard->time_ns,
                            .buy_order_id = buy->order_id,
                            .sell_order_id = sell->order_id,
                            .instrument = (uint16_t)instrument,
                            .taker_side = taker->side};
    memcpy(trade.buyer, buy->trader_id, sizeof trade.buyer);
    memcpy(trade.seller, sell->trader_id, sizeof trade.seller);
    w->trades[instrument][w->trade_counts[instrument]++] = trade;
    taker->filled_lots += trade.quantity_lots;
    maker->filled_lots += trade.quantity_lots;
    taker->notional += (matching_wide)(trade.quantity_lots * trade.price_ticks);
    maker->notional += (matching_wide)(trade.quantity_lots * trade.price_ticks);
    return s == NULL || store_add_trade(s, number, &trade) == 0;
}

bool world_step(world *w, unsigned number, store *s)
{
    world_shard *shard = &w->shards[number];
    bool good = true;
    shard->sequence++;
    uint64_t kind = below(&shard->random, 100);
    shard->time_ns += kind == 0  ? below(&shard->random, 7200 * SECOND)
                      : kind < 5 ? below(&shard->random, 90 * SECOND)
                                 : below(&shard->random, SECOND / 2);
    unsigned instrument =
        number + WORLD_SHARDS * (unsigned)below(&shard->random, WORLD_INSTRUMENTS / WORLD_SHARDS);
    matching_order taker = new_order(shard, number, instrument);
    for (size_t i = 0; i < shard->open_count && good;) {
        matching_order *maker = &shard->open[i];
        if (maker->instrument != instrument || below(&shard->random, 4) != 0) {
            i++;
            continue;
        }
        good = trade_with(w, number, &taker, maker, s);
        if (good && below(&shard->random, 3) == 0) {
            good = end_order(shard, number, maker, s);
            *maker = shard->open[--shard->open_count];
        } else {
            i++;
        }
    }
    if (shard->open_count < WORLD_OPEN && below(&shard->random, 2) == 0) {
        shard->open[shard->open_count++] = taker;
        return good;
    }
    return good && end_order(shard, number, &taker, s);
}

/* ---- Whether the store tells the same ------------------------------------------------------- */

static bool differs(const char *what, uint64_t a, uint64_t b)
{
    printf("\n    %s: %" PRIu64 ", expected %" PRIu64 "\n", what, a, b);
    return false;
}

static bool trades_agree(world *w, const store *s, unsigned instrument)
{
    matching_trade read[PAGE];
    size_t all = w->trade_counts[instrument], count;
    uint64_t from = below(&w->random, 3) == 0 ? 0 : below(&w->random, all + 3);
    uint64_t before = below(&w->random, 3) == 0 ? 0 : below(&w->random, all + 20);
    size_t limit = below(&w->random, PAGE + 1);
    if (store_read_trades(s, (uint16_t)instrument, from, before, limit, read, &count) != 0) {
        return differs("reading trades failed", from, before);
    }
    uint64_t end = before != 0 && before <= all ? before : all + 1;
    uint64_t first = from != 0 ? from : end > limit ? end - limit : 1;
    uint64_t expected = limit == 0 || first >= end ? 0 : end - first < limit ? end - first : limit;
    if (count != expected) {
        return differs("trades read", count, expected);
    }
    for (size_t i = 0; i < count; i++) {
        if (!same_trade(&read[i], &w->trades[instrument][first - 1 + i])) {
            return differs("trade", read[i].trade_id, first + i);
        }
    }
    return true;
}

static bool order_agrees(world *w, const store *s)
{
    world_shard *shard = &w->shards[below(&w->random, WORLD_SHARDS)];
    if (shard->ended_count == 0) {
        return true;
    }
    const matching_order *order = &shard->ended[below(&w->random, shard->ended_count)];
    matching_order read;
    if (store_read_order(s, order->order_id, &read) != 0 || !same_order(&read, order)) {
        return differs("order by id", read.order_id, order->order_id);
    }
    if (order->client_order_id[0] != '\0') {
        uint64_t newest = 0;
        for (size_t i = 0; i < shard->ended_count; i++) {
            const matching_order *other = &shard->ended[i];
            if (other->instrument == order->instrument && other->order_id > newest &&
                strcmp(other->trader_id, order->trader_id) == 0 &&
                strcmp(other->client_order_id, order->client_order_id) == 0) {
                newest = other->order_id;
            }
        }
        if (store_read_client_order(s, order->trader_id, order->client_order_id, order->instrument,
                                    &read) != 0 ||
            read.order_id != newest) {
            return differs("order by client id", read.order_id, newest);
        }
    }
    matching_trade fills[PAGE];
    size_t count, place = 0, seen = 0;
    uint64_t after = 0;
    do {
        if (store_read_fills(s, order->order_id, after, 3, fills, &count) != 0) {
            return differs("fills cannot be read", order->order_id, 0);
        }
        for (size_t i = 0; i < count; i++, seen++, place++) {
            const matching_trade *all = w->trades[order->instrument];
            while (place < w->trade_counts[order->instrument] &&
                   all[place].buy_order_id != order->order_id &&
                   all[place].sell_order_id != order->order_id) {
                place++;
            }
            if (place == w->trade_counts[order->instrument] ||
                !same_trade(&fills[i], &all[place])) {
                return differs("fill", fills[i].trade_id, place + 1);
            }
            after = fills[i].trade_id;
        }
    } while (count > 0);
    for (; place < w->trade_counts[order->instrument]; place++) {
        const matching_trade *trade = &w->trades[order->instrument][place];
        if (trade->buy_order_id == order->order_id || trade->sell_order_id == order->order_id) {
            return differs("fills of an order", seen, seen + 1);
        }
    }
    return true;
}

static int by_id(const void *a, const void *b)
{
    const matching_order *x = a, *y = b;
    return (x->order_id > y->order_id) - (x->order_id < y->order_id);
}

static size_t wanted_orders(const world *w, const store_order_query *query, matching_order *out)
{
    size_t count = 0;
    for (unsigned k = 0; k < WORLD_SHARDS; k++) {
        for (size_t i = 0; i < w->shards[k].ended_count; i++) {
            const matching_order *order = &w->shards[k].ended[i];
            if (order->order_id > query->after &&
                (query->trader_id == NULL || strcmp(order->trader_id, query->trader_id) == 0) &&
                (query->status == MATCHING_STATUS_ANY || order->status == query->status) &&
                (!query->has_instrument || order->instrument == query->instrument)) {
                out[count++] = *order;
            }
        }
    }
    qsort(out, count, sizeof *out, by_id);
    return count;
}

static bool order_list_agrees(world *w, const store *s)
{
    static matching_order expected[WORLD_SHARDS * WORLD_MOST];
    matching_order read[PAGE];
    char trader[MATCHING_TRADER_MAX + 1];
    name_trader(trader, below(&w->random, WORLD_TRADERS));
    static const uint8_t statuses[] = {MATCHING_STATUS_ANY, MATCHING_FILLED, MATCHING_CANCELLED};
    store_order_query query = {.trader_id = below(&w->random, 3) == 0 ? NULL : trader,
                               .status = statuses[below(&w->random, 3)],
                               .has_instrument = below(&w->random, 2),
                               .instrument = (uint16_t)below(&w->random, WORLD_INSTRUMENTS),
                               .limit = 1 + below(&w->random, PAGE)};
    query.after = below(&w->random, 2) ? below(&w->random, w->shards[0].orders * 2 + 1) : 0;
    size_t all = wanted_orders(w, &query, expected), seen = 0, count;
    uint64_t after;
    do {
        if (store_read_orders(s, &query, read, &count, &after) != 0) {
            return differs("orders cannot be read", query.after, 0);
        }
        for (size_t i = 0; i < count; i++, seen++) {
            if (seen >= all || !same_order(&read[i], &expected[seen])) {
                return differs("order of a list", read[i].order_id, seen);
            }
        }
        query.after = after;
    } while (after != 0);
    return seen == all || differs("orders of a list", seen, all);
}

static size_t wanted_candles(const world *w, unsigned instrument, unsigned interval,
                             matching_candle *out)
{
    uint64_t seconds = matching_interval_seconds(interval);
    uint64_t now_s = w->shards[instrument % WORLD_SHARDS].time_ns / SECOND;
    size_t count = 0;
    for (size_t i = 0; i < w->trade_counts[instrument]; i++) {
        const matching_trade *trade = &w->trades[instrument][i];
        uint64_t start_s = trade->time_ns / SECOND / seconds * seconds;
        if (count == 0 || out[count - 1].start_s != start_s) {
            out[count++] = (matching_candle){.start_s = start_s,
                                             .open_ticks = trade->price_ticks,
                                             .low_ticks = INT64_MAX,
                                             .is_final = start_s + seconds <= now_s};
        }
        matching_candle *candle = &out[count - 1];
        if (trade->price_ticks > candle->high_ticks) {
            candle->high_ticks = trade->price_ticks;
        }
        if (trade->price_ticks < candle->low_ticks) {
            candle->low_ticks = trade->price_ticks;
        }
        candle->close_ticks = trade->price_ticks;
        candle->volume_lots += (matching_wide)trade->quantity_lots;
        candle->update_count++;
    }
    return count;
}

static bool is_candle(const matching_candle *read, const matching_candle *expected)
{
    return same_candle(read, expected) && read->is_final == expected->is_final;
}

static bool candles_agree(world *w, const store *s, unsigned instrument)
{
    static matching_candle expected[WORLD_MOST];
    matching_candle read[PAGE];
    store_candle_query query = {.instrument = (uint16_t)instrument,
                                .interval =
                                    (matching_interval)below(&w->random, MATCHING_INTERVALS),
                                .limit = 1 + below(&w->random, PAGE)};
    size_t all = wanted_candles(w, instrument, query.interval, expected), count;
    bool more;
    query.to_s = below(&w->random, 2) && all > 0 ? expected[below(&w->random, all)].start_s : 0;
    size_t end = all;
    while (query.to_s != 0 && end > 0 && expected[end - 1].start_s > query.to_s) {
        end--;
    }
    if (store_read_candles(s, &query, read, &count, &more) != 0) {
        return differs("candles cannot be read", instrument, query.interval);
    }
    size_t begin = end > query.limit ? end - query.limit : 0;
    for (size_t i = 0; i < count; i++) {
        if (begin + i >= end || !is_candle(&read[i], &expected[begin + i])) {
            return differs("candle of the newest", read[i].start_s, expected[begin + i].start_s);
        }
    }
    if (count != end - begin || more != (begin > 0)) {
        return differs("newest candles", count, end - begin);
    }
    size_t seen = end > 0 ? below(&w->random, end) : 0;
    query.from_s = end > 0 ? expected[seen].start_s : 1;
    do {
        if (store_read_candles(s, &query, read, &count, &more) != 0) {
            return differs("candles cannot be read", instrument, query.interval);
        }
        for (size_t i = 0; i < count; i++, seen++) {
            if (seen >= end || !is_candle(&read[i], &expected[seen])) {
                return differs("candle", read[i].start_s, seen);
            }
            query.from_s = read[i].start_s + 1;
        }
    } while (more);
    return seen == end || differs("candles", seen, end);
}

bool world_agrees(world *w, const store *s)
{
    bool good = true;
    for (unsigned i = 0; i < WORLD_SHARDS && good; i++) {
        uint64_t time_ns;
        good = store_progress(s, i, &time_ns) == w->shards[i].sequence &&
               time_ns == w->shards[i].time_ns;
    }
    for (unsigned round = 0; round < 20 && good; round++) {
        for (unsigned i = 0; i < WORLD_INSTRUMENTS && good; i++) {
            good = trades_agree(w, s, i) && candles_agree(w, s, i);
        }
        good = good && order_agrees(w, s) && order_list_agrees(w, s);
    }
    return good;
}
