/* See recovery_compare.h. */
#include "recovery_compare.h"

#include <stdlib.h>
#include <string.h>

#include "recovery_life.h"
#include "support/same.h"
#include "support/state_bytes.h"

#define MINUTE UINT64_C(60000000000)
#define LEVELS 4096u

static void *room(size_t count, size_t size)
{
    void *memory = calloc(count + 1, size);
    if (memory == NULL) {
        fprintf(stderr, "out of memory\n");
        abort();
    }
    return memory;
}

bool same_instrument(const matching_instrument *a, const matching_instrument *b)
{
    return memcmp(a->symbol, b->symbol, sizeof a->symbol) == 0 && a->id == b->id &&
           a->index == b->index && a->shard == b->shard && a->sbe_char == b->sbe_char &&
           a->tick_size == b->tick_size && a->lot_size == b->lot_size;
}

/* ---- Market data ----------------------------------------------------------------------------- */

static bool same_trades(const books *a, const books *b, unsigned index)
{
    size_t limit = a->recent_capacity;
    matching_trade *x = room(limit, sizeof *x), *y = room(limit, sizeof *y);
    size_t count = recent_trades_read(&a->recent[index], 0, 0, limit, x);
    bool same = recent_trades_read(&b->recent[index], 0, 0, limit, y) == count &&
                a->recent[index].last_id == b->recent[index].last_id;
    for (size_t i = 0; i < count && same; i++) {
        same = same_trade(&x[i], &y[i]);
    }
    free(x);
    free(y);
    return same;
}

/* One to be read without changing the other. */
static ticker copy_of(const ticker *t)
{
    ticker copy = *t;
    copy.closed = room(TICKER_MINUTES, sizeof *copy.closed);
    if (t->closed_count > 0) {
        memcpy(copy.closed, t->closed, TICKER_BYTES);
    }
    return copy;
}

static bool same_statistics(const matching_ticker *x, const matching_ticker *y)
{
    return x->last_ticks == y->last_ticks && x->open_ticks == y->open_ticks &&
           x->high_ticks == y->high_ticks && x->low_ticks == y->low_ticks &&
           x->volume_lots == y->volume_lots && x->count == y->count &&
           memcmp(&x->turnover, &y->turnover, sizeof x->turnover) == 0;
}

/* Now, and while its minutes pass out of sight. */
static bool same_ticker(const books *a, const books *b, unsigned index)
{
    static const uint64_t later[] = {0,
                                     MINUTE / 2,
                                     MINUTE,
                                     61 * MINUTE,
                                     720 * MINUTE,
                                     1380 * MINUTE,
                                     1439 * MINUTE,
                                     1440 * MINUTE,
                                     1441 * MINUTE,
                                     2881 * MINUTE};
    ticker s = copy_of(&a->tickers[index]), t = copy_of(&b->tickers[index]);
    bool same = true;
    for (size_t i = 0; i < sizeof later / sizeof later[0] && same; i++) {
        matching_ticker x = {0}, y = {0};
        ticker_read(&s, a->time_ns + later[i], &x);
        ticker_read(&t, a->time_ns + later[i], &y);
        same = same_statistics(&x, &y);
    }
    free(s.closed);
    free(t.closed);
    return same;
}

static bool same_levels(const matching_level *x, const matching_level *y, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (x[i].price_ticks != y[i].price_ticks || x[i].total_lots != y[i].total_lots ||
            x[i].orders != y[i].orders) {
            return false;
        }
    }
    return true;
}

static bool same_depth(const books *a, const books *b, unsigned index)
{
    static matching_level levels[4][LEVELS];
    matching_depth x = {.bids = levels[0], .asks = levels[1]};
    matching_depth y = {.bids = levels[2], .asks = levels[3]};
    int64_t prices[2] = {0};
    matching_wide lots[2] = {0};
    matching_engine_read_depth(a->engine, (uint16_t)index, LEVELS, &x);
    matching_engine_read_depth(b->engine, (uint16_t)index, LEVELS, &y);
    bool cross = matching_engine_indicative(a->engine, (uint16_t)index, &prices[0], &lots[0]);
    return matching_engine_indicative(b->engine, (uint16_t)index, &prices[1], &lots[1]) == cross &&
           prices[0] == prices[1] && lots[0] == lots[1] && x.sequence == y.sequence &&
           x.state == y.state && x.bid_count == y.bid_count && x.ask_count == y.ask_count &&
           same_levels(x.bids, y.bids, x.bid_count) && same_levels(x.asks, y.asks, x.ask_count);
}

static const char *market_difference(const books *a, const books *b)
{
    for (unsigned i = 0; i < a->limits.instruments; i++) {
        const char *what = !same_instrument(&a->instruments[i], &b->instruments[i]) ? "instrument"
                           : a->states[i] != b->states[i]                           ? "state"
                           : !same_trades(a, b, i)                                  ? "trades"
                           : !same_ticker(a, b, i)                                  ? "ticker"
                           : !same_depth(a, b, i)                                   ? "depth"
                                                                                    : NULL;
        if (what != NULL) {
            return what;
        }
    }
    return a->instrument_end == b->instrument_end ? NULL : "how many instruments there are";
}

/* ---- Orders ---------------------------------------------------------------------------------- */

static bool same_orders(const matching_order *a, const matching_order *b, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!same_order(&a[i], &b[i])) {
            return false;
        }
    }
    return true;
}

/* Working and ended, by id. */
static bool same_pages(const books *a, const books *b)
{
    size_t most = a->limits.max_orders + a->limits.retained_orders + 1;
    matching_command all = {.flags = MATCHING_FLAG_ALL_SYMBOLS, .status = MATCHING_STATUS_ANY};
    matching_order_page x = {.orders = room(most, sizeof *x.orders), .capacity = (uint32_t)most};
    matching_order_page y = {.orders = room(most, sizeof *y.orders), .capacity = (uint32_t)most};
    matching_engine_read_orders(a->engine, &all, &x, UINT32_MAX);
    matching_engine_read_orders(b->engine, &all, &y, UINT32_MAX);
    bool same = x.done && y.done && x.count == y.count && same_orders(x.orders, y.orders, x.count);
    free(x.orders);
    free(y.orders);
    return same;
}

static bool same_open_orders(const books *a, const books *b, const char *trader)
{
    size_t most = a->limits.max_orders;
    matching_order_page x = {.orders = room(most, sizeof *x.orders), .capacity = (uint32_t)most};
    matching_order_page y = {.orders = room(most, sizeof *y.orders), .capacity = (uint32_t)most};
    matching_command wanted = {.flags = MATCHING_FLAG_ALL_SYMBOLS};
    memcpy(wanted.trader_id, trader, strlen(trader));
    matching_engine_read_open_orders(a->engine, &wanted, &x, UINT32_MAX);
    matching_engine_read_open_orders(b->engine, &wanted, &y, UINT32_MAX);
    bool same = x.done && y.done && x.count == y.count && same_orders(x.orders, y.orders, x.count);
    free(x.orders);
    free(y.orders);
    return same;
}

static bool same_named_order(const books *a, const books *b, const matching_command *wanted)
{
    matching_reply x = {0}, y = {0};
    matching_engine_read_order(a->engine, wanted, &x);
    matching_engine_read_order(b->engine, wanted, &y);
    return x.code == y.code && x.has_order == y.has_order &&
           (!x.has_order || same_order(&x.order, &y.order));
}

/* What the client ids of a trader lead to. */
static bool same_client_ids(const books *a, const books *b, const char *trader)
{
    for (unsigned i = 0; i < a->limits.instruments * LIFE_CLIENT_IDS; i++) {
        char id[MATCHING_CLIENT_ID_MAX + 1];
        matching_command wanted = {.type = MATCHING_READ_ORDER,
                                   .instrument = (uint16_t)(i / LIFE_CLIENT_IDS)};
        memcpy(wanted.trader_id, trader, strlen(trader));
        life_client_id(i % LIFE_CLIENT_IDS, id);
        memcpy(wanted.client_order_id, id, strlen(id));
        if (!same_named_order(a, b, &wanted)) {
            return false;
        }
    }
    return true;
}

static const char *order_difference(const books *a, const books *b)
{
    if (!same_pages(a, b)) {
        return "orders";
    }
    for (unsigned i = 0; i < LIFE_TRADERS; i++) {
        char trader[MATCHING_TRADER_MAX + 1];
        life_trader(i, trader);
        if (!same_open_orders(a, b, trader)) {
            return "a trader's open orders";
        }
        if (!same_client_ids(a, b, trader)) {
            return "what a client id leads to";
        }
    }
    for (uint32_t i = 0; i <= a->limits.max_traders; i++) {
        if (strcmp(matching_engine_trader(a->engine, i), matching_engine_trader(b->engine, i)) !=
            0) {
            return "a trader's number";
        }
    }
    return NULL;
}

/* ---- The whole ------------------------------------------------------------------------------- */

static bool same_bytes(const books *a, const books *b)
{
    state_bytes x = {0}, y = {0};
    matching_state_output to_x = state_bytes_output(&x), to_y = state_bytes_output(&y);
    bool same = matching_engine_save(a->engine, &to_x) && matching_engine_save(b->engine, &to_y) &&
                state_bytes_equal(&x, &y);
    state_bytes_free(&x);
    state_bytes_free(&y);
    return same;
}

const char *books_difference(const books *a, const books *b)
{
    const char *broken = matching_engine_check(b->engine);
    if (broken != NULL) {
        return broken;
    }
    if (a->sequence != b->sequence || a->time_ns < b->time_ns) { /* reads have taken their time */
        return "the sequence or the time";
    }
    const char *what = market_difference(a, b);
    what = what != NULL ? what : order_difference(a, b);
    if (what != NULL) {
        return what;
    }
    if (matching_engine_hash(a->engine) != matching_engine_hash(b->engine)) {
        return "the state hash";
    }
    if (matching_engine_next_expiry(a->engine) != matching_engine_next_expiry(b->engine) ||
        matching_engine_has_guarded(a->engine) != matching_engine_has_guarded(b->engine)) {
        return "the next expiry, or guards";
    }
    return same_bytes(a, b) ? NULL : "what would be saved";
}
