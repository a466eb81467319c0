/* See exchange.h. */
#include "exchange.h"

#include <CUnit/CUnit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/same.h"

#define BURST 64u /* commands under way at a time */
#define SYMBOLS 3u

static const char *const traders[EXCHANGE_TRADERS] = {"ann", "bob", "cyd", "dee"};

static uint64_t next_random(exchange *x)
{
    x->random ^= x->random << 13;
    x->random ^= x->random >> 7;
    x->random ^= x->random << 17;
    return x->random;
}

static uint64_t below(exchange *x, uint64_t end)
{
    return next_random(x) % end;
}

static void at_create(void *context, matching_core *core)
{
    exchange *x = context;
    for (unsigned i = 0; i < x->early_snapshots; i++) {
        CU_ASSERT_TRUE_FATAL(exchange_snapshot(x));
    }
    x->attached = x->without_history
                      ? 0
                      : matching_history_attach(core, &x->history, x->error, sizeof x->error);
}

void exchange_init(exchange *x, uint64_t seed)
{
    *x = (exchange){.random = seed};
    folder_make(&x->f);
    x->options = (bench_options){.shards = 2,
                                 .data_dir = x->f.path,
                                 .max_orders = 4096,
                                 .retained_orders = EXCHANGE_RETAINED,
                                 .recent_trades = EXCHANGE_RECENT,
                                 .instruments = 6,
                                 .at_create = at_create,
                                 .create_context = x};
    matching_history_options_default(&x->history);
    x->trades = calloc(EXCHANGE_TRADES_MAX, sizeof *x->trades);
    x->ended = calloc(EXCHANGE_ORDERS_MAX, sizeof *x->ended);
    CU_ASSERT_PTR_NOT_NULL_FATAL(x->trades);
    CU_ASSERT_PTR_NOT_NULL_FATAL(x->ended);
}

void exchange_start(exchange *x)
{
    bench_init_running(&x->b, &x->options);
    x->is_running = true;
    x->seen = 0;
}

static void forget_all(exchange *x)
{
    forget(&x->b.probes[0]);
    x->seen = 0;
}

void exchange_stop(exchange *x)
{
    bench_fini(&x->b);
    x->is_running = false;
}

void exchange_die(exchange *x)
{
    bench_die(&x->b);
    x->is_running = false;
}

void exchange_fini(exchange *x)
{
    if (x->is_running) {
        exchange_stop(x);
    }
    folder_remove(&x->f);
    free(x->trades);
    free(x->ended);
}

/* ---- What happens ---------------------------------------------------------------------------- */

static void note_event(exchange *x, const entry *e)
{
    if (e->event.kind == MATCHING_EVENT_TRADE && x->trade_count < EXCHANGE_TRADES_MAX) {
        books_trade_of(&x->b.core->shards[e->shard].books, &e->event, &x->trades[x->trade_count++]);
    } else if (e->event.kind == MATCHING_EVENT_ORDER && !matching_order_is_working(&e->order) &&
               x->ended_count < EXCHANGE_ORDERS_MAX) {
        x->ended[x->ended_count++] = e->order;
    }
}

static void note_log(exchange *x)
{
    const probe *p = &x->b.probes[0];
    for (; x->seen < p->count; x->seen++) {
        const entry *e = &p->log[x->seen];
        CU_ASSERT_NOT_EQUAL(e->kind, ENTRY_LAPPED);
        if (e->kind == ENTRY_EVENT) {
            note_event(x, e);
        }
    }
}

static matching_command random_order(exchange *x, const matching_instrument *instrument)
{
    matching_command c = limit_order(instrument, traders[below(x, EXCHANGE_TRADERS)],
                                     below(x, 2) ? MATCHING_SELL : 0, (int64_t)(95 + below(x, 11)),
                                     (int64_t)(1 + below(x, 20)));
    switch (below(x, 10)) {
    case 0:
        c.order_type = MATCHING_STOP;
        c.stop_price_ticks = (int64_t)(95 + below(x, 11));
        c.price_ticks = 0;
        c.time_in_force = MATCHING_IOC;
        break;
    case 1:
        c.display_lots = 1 + c.quantity_lots / 4;
        break;
    case 2:
        c.time_in_force = below(x, 2) ? MATCHING_IOC : MATCHING_FOK;
        break;
    case 3:
        c.time_in_force = MATCHING_GTD;
        c.expire_time_ms = matching_unix_ns() / 1000000 + 1 + below(x, 30);
        x->last_expiry_ms =
            c.expire_time_ms > x->last_expiry_ms ? c.expire_time_ms : x->last_expiry_ms;
        break;
    case 4:
        c.self_trade = (uint8_t)(1 + below(x, 3));
        break;
    case 5:
        snprintf(c.client_order_id, sizeof c.client_order_id, "id-%u", (unsigned)below(x, 9));
        break;
    default:
        break;
    }
    return c;
}

static matching_command random_command(exchange *x)
{
    const matching_instrument *instrument =
        bench_instrument(&x->b, (unsigned)below(x, x->b.core->shard_count), (unsigned)below(x, 2));
    uint64_t what = below(x, 100);
    if (what < 10) {
        matching_command c = cancel_by_id(below(x, 4000) + 1);
        return c;
    }
    if (what < 11) {
        return cancel_everything(traders[below(x, EXCHANGE_TRADERS)]);
    }
    if (what < 13) {
        matching_command c = {.type = MATCHING_SET_STATE, .instrument = instrument->index};
        c.state = (uint8_t)(below(x, 3) != 0 ? MATCHING_TRADING : MATCHING_AUCTION);
        return c;
    }
    return random_order(x, instrument);
}

static void wait_replies(exchange *x, size_t replies)
{
    bench_wait_replies(&x->b.probes[0], replies);
    while (matching_port_poll(x->b.probes[0].port, 0)) {
    }
    note_log(x);
}

/* Whatever had a date has expired: from now on nothing happens by itself. */
static void settle(exchange *x)
{
    while (matching_unix_ns() / 1000000 <= x->last_expiry_ms) {
        usleep(1000);
    }
    for (unsigned s = 0; s < x->b.core->shard_count; s++) {
        uint64_t nobodys = UINT64_C(1) << 40 | s;
        CU_ASSERT_EQUAL(exchange_ask(x, cancel_by_id(nobodys))->reply.code,
                        MATCHING_ORDER_NOT_FOUND);
        exchange_ask(x, read_command(MATCHING_READ_TICKER, bench_instrument(&x->b, s, 0), 0));
    }
}

void exchange_trade(exchange *x, unsigned commands)
{
    probe *p = &x->b.probes[0];
    for (unsigned done = 0; done < commands; done += BURST) {
        forget_all(x);
        for (unsigned i = 0; i < BURST; i++) {
            CU_ASSERT_EQUAL(submit(p, random_command(x), ++x->tag), MATCHING_OK);
        }
        wait_replies(x, BURST);
        /* The events of a command come after its reply. */
        for (unsigned s = 0; s < x->b.core->shard_count; s++) {
            matching_command read =
                read_command(MATCHING_READ_TICKER, bench_instrument(&x->b, s, 0), 0);
            CU_ASSERT_EQUAL(submit(p, read, ++x->tag), MATCHING_OK);
        }
        wait_replies(x, BURST + x->b.core->shard_count);
    }
    settle(x);
}

const entry *exchange_ask(exchange *x, matching_command command)
{
    probe *p = &x->b.probes[0];
    forget_all(x);
    CU_ASSERT_EQUAL_FATAL(submit(p, command, ++x->tag), MATCHING_OK);
    wait_replies(x, 1);
    const entry *e = reply_of(p, x->tag);
    CU_ASSERT_PTR_NOT_NULL_FATAL(e);
    return e;
}

const entry *exchange_ask_again(exchange *x, matching_command command)
{
    uint64_t deadline = matching_monotonic_ns() + BENCH_DEADLINE_MS * 1000000ull;
    const entry *e;
    do {
        e = exchange_ask(x, command);
    } while (e->reply.code == MATCHING_INTERNAL_ERROR &&
             e->reply.history == MATCHING_HISTORY_CATCHING_UP &&
             matching_monotonic_ns() < deadline);
    return e;
}

bool exchange_snapshot(exchange *x)
{
    uint64_t ticket, deadline = matching_monotonic_ns() + 10 * BENCH_DEADLINE_MS * 1000000ull;
    matching_snapshot_result results[MATCHING_SHARDS_MAX];
    CU_ASSERT_EQUAL_FATAL(matching_core_request_snapshot(x->b.core, &ticket), MATCHING_OK);
    while (!matching_core_snapshot_done(x->b.core, ticket, results)) {
        CU_ASSERT_TRUE_FATAL(matching_monotonic_ns() < deadline);
        usleep(1000);
    }
    return !results[0].failed && !results[1].failed;
}

/* ---- Comparing ------------------------------------------------------------------------------- */

/* The instrument's trades, on the heap. */
static matching_trade *trades_of(const exchange *x, const matching_instrument *instrument,
                                 size_t *count)
{
    matching_trade *own = calloc(x->trade_count + 1, sizeof *own);
    *count = 0;
    for (size_t i = 0; i < x->trade_count; i++) {
        if (x->trades[i].instrument == instrument->index) {
            own[(*count)++] = x->trades[i];
        }
    }
    return own;
}

void exchange_compare_trades(exchange *x, const matching_instrument *instrument, uint32_t limit)
{
    size_t count, at = 0;
    unsigned wrong = 0;
    matching_trade *own = trades_of(x, instrument, &count);
    /* Upwards, page by page, to the end. */
    for (bool more = true; more;) {
        matching_command read = read_command(MATCHING_READ_TRADES, instrument, limit);
        read.from_id = at + 1;
        const entry *e = exchange_ask_again(x, read);
        CU_ASSERT_EQUAL_FATAL(e->reply.code, MATCHING_OK);
        for (size_t i = 0; i < e->reply.trade_count; i++, at++) {
            wrong += at >= count || !same_trade(&e->trades[i], &own[at]);
        }
        more = e->reply.trade_count == limit;
    }
    CU_ASSERT_EQUAL(at, count);
    /* And down again. */
    while (at > 0 && wrong == 0) {
        matching_command read = read_command(MATCHING_READ_TRADES, instrument, limit);
        read.before_id = at + 1;
        const entry *e = exchange_ask_again(x, read);
        CU_ASSERT_EQUAL_FATAL(e->reply.trade_count, at < limit ? at : limit);
        for (size_t i = e->reply.trade_count; i-- > 0;) {
            wrong += !same_trade(&e->trades[i], &own[--at]);
        }
    }
    CU_ASSERT_EQUAL(wrong, 0);
    free(own);
}

static int by_id(const void *a, const void *b)
{
    uint64_t one = ((const matching_order *)a)->order_id;
    uint64_t two = ((const matching_order *)b)->order_id;
    return one < two ? -1 : one > two;
}

/* Working orders are told by the engine itself; what is compared are the ended ones among them. */
void exchange_compare_orders(exchange *x, const char *trader, unsigned status, uint32_t limit)
{
    matching_order *own = calloc(x->ended_count + 1, sizeof *own);
    size_t count = 0, at = 0;
    unsigned wrong = 0;
    uint64_t after = 0;
    for (size_t i = 0; i < x->ended_count; i++) {
        if ((trader == NULL || strcmp(x->ended[i].trader_id, trader) == 0) &&
            (status == MATCHING_STATUS_ANY || x->ended[i].status == status)) {
            own[count++] = x->ended[i];
        }
    }
    qsort(own, count, sizeof *own, by_id);
    for (bool more = true; more;) {
        matching_command read = read_command(MATCHING_READ_ORDERS, NULL, limit);
        read.status = (uint8_t)status;
        read.order_id = after;
        if (trader != NULL) {
            memcpy(read.trader_id, trader, strlen(trader));
        }
        const entry *e = exchange_ask_again(x, read);
        CU_ASSERT_EQUAL_FATAL(e->reply.code, MATCHING_OK);
        for (size_t i = 0; i < e->reply.order_count; i++) {
            const matching_order *order = &e->orders[i];
            wrong += order->order_id <= after;
            after = order->order_id;
            if (matching_order_is_working(order)) {
                wrong += status != MATCHING_STATUS_ANY;
            } else {
                wrong += at >= count || !same_order(order, &own[at]);
                at++;
            }
        }
        more = !e->reply.orders_complete;
        CU_ASSERT_TRUE_FATAL(!more || e->reply.order_count == limit);
    }
    CU_ASSERT_EQUAL(at, count);
    CU_ASSERT_EQUAL(wrong, 0);
    free(own);
}

typedef struct candle_list {
    matching_candle *candles;
    size_t count;
    unsigned interval;
} candle_list;

static void keep(void *context, const matching_candle *candle)
{
    candle_list *list = context;
    if (candle->interval == list->interval) {
        list->candles[list->count++] = *candle;
    }
}

static void compare_candles(exchange *x, const matching_instrument *instrument,
                            matching_interval interval, uint32_t limit, bool from_the_first_told)
{
    size_t trade_count, at = 0;
    unsigned wrong = 0;
    matching_trade *own = trades_of(x, instrument, &trade_count);
    candle_list list = {.candles = calloc(trade_count + 1, sizeof(matching_candle)),
                        .interval = interval};
    matching_candles candles;
    matching_candles_init(&candles);
    for (size_t i = 0; i < trade_count; i++) {
        matching_candles_trade(&candles, own[i].time_ns, own[i].price_ticks, own[i].quantity_lots,
                               keep, &list);
    }
    matching_candles_advance(&candles, UINT64_MAX, keep, &list);
    matching_command read = read_command(MATCHING_READ_CANDLES, instrument, limit);
    read.interval = (uint8_t)interval;
    read.from_s = 1;
    for (bool more = true; more;) {
        const entry *e = exchange_ask_again(x, read);
        CU_ASSERT_EQUAL_FATAL(e->reply.code, MATCHING_OK);
        for (size_t i = 0; i < e->reply.candle_count; i++, at++) {
            const matching_candle *c = &e->candles[i];
            while (from_the_first_told && at < list.count &&
                   list.candles[at].start_s < c->start_s) {
                at++;
            }
            from_the_first_told = false;
            uint64_t end_s = c->start_s + matching_interval_seconds(interval);
            wrong += at >= list.count || !same_candle(c, &list.candles[at]);
            wrong += c->is_final != (e->reply.time_ns / 1000000000 >= end_s);
            read.from_s = c->start_s + 1;
        }
        more = e->reply.candles_more;
    }
    CU_ASSERT(at == list.count || from_the_first_told); /* none was told */
    CU_ASSERT_EQUAL(wrong, 0);
    free(list.candles);
    free(own);
}

void exchange_compare_candles(exchange *x, const matching_instrument *instrument,
                              matching_interval interval, uint32_t limit)
{
    compare_candles(x, instrument, interval, limit, false);
}

void exchange_compare_candles_told(exchange *x, const matching_instrument *instrument,
                                   matching_interval interval)
{
    compare_candles(x, instrument, interval, 100, true);
}

static void compare_single_orders(exchange *x)
{
    unsigned wrong = 0;
    for (unsigned i = 0; i < 200 && x->ended_count > 0; i++) {
        const matching_order *one = &x->ended[below(x, x->ended_count)], *last = one;
        matching_command read = {.type = MATCHING_READ_ORDER, .order_id = one->order_id};
        matching_order expected = *one;
        const entry *e = exchange_ask_again(x, read);
        wrong += e->reply.code != MATCHING_OK || !same_order(&e->reply.order, &expected);
        if (one->client_order_id[0] == 0) {
            continue;
        }
        for (size_t k = 0; k < x->ended_count; k++) {
            const matching_order *other = &x->ended[k];
            if (strcmp(other->client_order_id, one->client_order_id) == 0 &&
                strcmp(other->trader_id, one->trader_id) == 0 &&
                other->instrument == one->instrument && other->order_id > last->order_id) {
                last = other;
            }
        }
        expected = *last;
        read = (matching_command){.type = MATCHING_READ_ORDER, .instrument = one->instrument};
        memcpy(read.trader_id, one->trader_id, strlen(one->trader_id));
        memcpy(read.client_order_id, one->client_order_id, strlen(one->client_order_id));
        e = exchange_ask_again(x, read);
        wrong += e->reply.code != MATCHING_OK || (!matching_order_is_working(&e->reply.order) &&
                                                  !same_order(&e->reply.order, &expected));
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

void exchange_compare(exchange *x)
{
    for (unsigned s = 0; s < x->b.core->shard_count; s++) {
        for (unsigned n = 0; n < 2; n++) {
            const matching_instrument *instrument = bench_instrument(&x->b, s, n);
            exchange_compare_trades(x, instrument, 1000);
            exchange_compare_candles(x, instrument, MATCHING_S1, 3);
            exchange_compare_candles(x, instrument, MATCHING_D1, 1);
        }
    }
    exchange_compare_trades(x, bench_instrument(&x->b, 0, 0), 37);
    exchange_compare_orders(x, NULL, MATCHING_STATUS_ANY, 1000);
    exchange_compare_orders(x, "ann", MATCHING_STATUS_ANY, 41);
    exchange_compare_orders(x, "bob", MATCHING_FILLED, 100);
    exchange_compare_orders(x, NULL, MATCHING_CANCELLED, 999);
    compare_single_orders(x);
}
