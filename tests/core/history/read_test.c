/* What a port reads of what has been: all that was acknowledged, nothing twice, wherever it is. */
#include <CUnit/CUnit.h>
#include <string.h>

#include "exchange.h"
#include "support/cunit_main.h"

static exchange x;

static void test_history_is_what_happened(void)
{
    exchange_init(&x, 20260301);
    exchange_start(&x);
    CU_ASSERT_EQUAL_FATAL(x.attached, 0);
    exchange_trade(&x, 4096);
    CU_ASSERT(x.trade_count > 500 && x.ended_count > 1000);
    exchange_compare(&x);
    exchange_trade(&x, 1024);
    exchange_compare(&x);
    exchange_fini(&x);
}

static void test_it_is_there_after_every_start(void)
{
    exchange_init(&x, 7);
    for (unsigned i = 0; i < 4; i++) {
        exchange_start(&x);
        CU_ASSERT_EQUAL_FATAL(x.attached, 0);
        exchange_trade(&x, 1024);
        if (i % 2 == 0) {
            exchange_compare(&x);
            exchange_die(&x);
        } else {
            exchange_stop(&x);
        }
    }
    exchange_start(&x);
    exchange_compare(&x);
    exchange_fini(&x);
}

/* No matter how the journal is brought to the disk. */
static void test_the_sync_policy_does_not_matter(void)
{
    for (unsigned sync = MATCHING_SYNC_INTERVAL; sync <= MATCHING_SYNC_NONE; sync++) {
        exchange_init(&x, 99 + sync);
        x.options.sync = (matching_sync)sync;
        exchange_start(&x);
        exchange_trade(&x, 1024);
        exchange_compare(&x);
        exchange_fini(&x);
    }
}

/* It ended long before: memory has had many others since. */
static void test_an_order_is_found_as_soon_as_it_was_answered(void)
{
    exchange_init(&x, 5);
    x.options.max_orders = EXCHANGE_RETAINED; /* so that memory soon needs their places */
    exchange_start(&x);
    const matching_instrument *one = bench_instrument(&x.b, 1, 0);
    for (unsigned i = 0; i < 50; i++) {
        uint64_t ids[4 * EXCHANGE_RETAINED];
        for (unsigned k = 0; k < 4 * EXCHANGE_RETAINED; k++) {
            matching_command c = limit_order(one, "ann", MATCHING_BUY, 1, 1);
            c.time_in_force = MATCHING_IOC;
            ids[k] = exchange_ask(&x, c)->reply.order.order_id;
        }
        matching_command read = {.type = MATCHING_READ_ORDER, .order_id = ids[0]};
        const entry *e = exchange_ask_again(&x, read);
        CU_ASSERT_EQUAL(e->reply.code, MATCHING_OK);
        CU_ASSERT_EQUAL(e->reply.order.order_id, ids[0]);
        read.source = MATCHING_SOURCE_MEMORY;
        CU_ASSERT_EQUAL(exchange_ask(&x, read)->reply.code, MATCHING_ORDER_NOT_FOUND);
        read = (matching_command){.type = MATCHING_READ_ORDER, .order_id = ids[0]};
        memcpy(read.trader_id, "bob", 3);
        CU_ASSERT_EQUAL(exchange_ask(&x, read)->reply.code, MATCHING_ORDER_NOT_FOUND);
        read = (matching_command){.type = MATCHING_READ_ORDER,
                                  .flags = MATCHING_FLAG_HAS_SYMBOL,
                                  .instrument = bench_instrument(&x.b, 1, 1)->index,
                                  .order_id = ids[0]};
        CU_ASSERT_EQUAL(exchange_ask(&x, read)->reply.code, MATCHING_ORDER_NOT_FOUND);
    }
    matching_command read = {.type = MATCHING_READ_ORDER, .order_id = UINT64_C(1) << 40};
    CU_ASSERT_EQUAL(exchange_ask(&x, read)->reply.code, MATCHING_ORDER_NOT_FOUND);
    exchange_fini(&x);
}

/* Nobody trades any more, and the candle ends all the same. */
static void test_a_candle_ends_by_the_clock(void)
{
    exchange_init(&x, 3);
    exchange_start(&x);
    const matching_instrument *one = bench_instrument(&x.b, 0, 0);
    exchange_ask(&x, limit_order(one, "ann", MATCHING_BUY, 100, 7));
    exchange_ask(&x, limit_order(one, "bob", MATCHING_SELL, 100, 7));
    matching_command read = read_command(MATCHING_READ_CANDLES, one, 10);
    read.interval = MATCHING_S1;
    uint64_t deadline = matching_monotonic_ns() + BENCH_DEADLINE_MS * 1000000ull;
    bool is_final = false;
    while (!is_final && matching_monotonic_ns() < deadline) {
        const entry *e = exchange_ask_again(&x, read);
        CU_ASSERT_EQUAL_FATAL(e->reply.candle_count, 1);
        CU_ASSERT_EQUAL(e->candles[0].update_count, 1);
        CU_ASSERT(e->candles[0].volume_lots == 7);
        is_final = e->candles[0].is_final;
        CU_ASSERT_EQUAL(is_final, e->reply.time_ns / 1000000000 > e->candles[0].start_s);
    }
    CU_ASSERT_TRUE(is_final);
    exchange_fini(&x);
}

static void test_progress_tells_how_far_it_is(void)
{
    exchange_init(&x, 11);
    exchange_start(&x);
    CU_ASSERT_TRUE(matching_core_has_history(x.b.core));
    CU_ASSERT_STRING_EQUAL(matching_core_history_warning(x.b.core), "");
    exchange_trade(&x, 512);
    exchange_compare_trades(&x, bench_instrument(&x.b, 0, 0), 1000);
    matching_history_progress progress = matching_core_history_progress(x.b.core, 0);
    CU_ASSERT_EQUAL(progress.state, MATCHING_HISTORY_STATE_LIVE);
    CU_ASSERT_EQUAL(progress.stored, matching_core_shard_progress(x.b.core, 0).commands);
    CU_ASSERT_EQUAL(progress.lag, 0);
    CU_ASSERT(progress.safe <= progress.stored && progress.time_ns > 0);
    CU_ASSERT_STRING_EQUAL(progress.why, "");
    exchange_fini(&x);
}

/* Then memory is all that there is, and says so. */
static void test_without_a_store_memory_answers(void)
{
    exchange_init(&x, 12);
    x.without_history = true;
    exchange_start(&x);
    exchange_trade(&x, 512);
    const matching_instrument *one = bench_instrument(&x.b, 0, 0);
    CU_ASSERT_FALSE(matching_core_has_history(x.b.core));
    CU_ASSERT_EQUAL(matching_core_history_progress(x.b.core, 1).state, MATCHING_HISTORY_STATE_OFF);
    matching_command read = read_command(MATCHING_READ_TRADES, one, 1000);
    read.from_id = 1;
    CU_ASSERT_EQUAL(exchange_ask(&x, read)->reply.trade_count, EXCHANGE_RECENT);
    read = read_command(MATCHING_READ_CANDLES, one, 10);
    read.interval = MATCHING_D1; /* lacks the trades that memory has let go */
    const entry *e = exchange_ask(&x, read);
    CU_ASSERT_EQUAL(e->reply.code, MATCHING_OK);
    CU_ASSERT_EQUAL(e->reply.history, MATCHING_HISTORY_FINE);
    CU_ASSERT_EQUAL(e->reply.candle_count, 0);
    CU_ASSERT_FALSE(e->reply.candles_more);
    exchange_fini(&x);
}

MATCHING_TESTS(MATCHING_TEST(test_history_is_what_happened),
               MATCHING_TEST(test_it_is_there_after_every_start),
               MATCHING_TEST(test_the_sync_policy_does_not_matter),
               MATCHING_TEST(test_an_order_is_found_as_soon_as_it_was_answered),
               MATCHING_TEST(test_a_candle_ends_by_the_clock),
               MATCHING_TEST(test_progress_tells_how_far_it_is),
               MATCHING_TEST(test_without_a_store_memory_answers))
