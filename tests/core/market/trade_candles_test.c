/* Candles of the trades at hand: which are told, and on which page. */
#include "market/trade_candles.h"
#include "support/cunit_main.h"

#define SECOND UINT64_C(1000000000)
#define BEGIN_S UINT64_C(1767323040) /* a multiple of 60 */
#define TRADES 20u

static matching_trade trades[TRADES];
static matching_candle out[TRADES];
static bool more;

/* One trade every 7 seconds, the first with this id. */
static void make_trades(uint64_t first_id)
{
    for (unsigned i = 0; i < TRADES; i++) {
        trades[i] = (matching_trade){.trade_id = first_id + i,
                                     .price_ticks = 100 + i,
                                     .quantity_lots = 1 + i,
                                     .time_ns = (BEGIN_S + 7 * i) * SECOND};
    }
}

static size_t make(matching_interval interval, uint64_t from_s, uint64_t to_s, size_t limit)
{
    const trade_candles_query query = {interval, from_s, to_s, limit};
    memset(out, 0, sizeof out);
    return trade_candles_make(trades, TRADES, trades[TRADES - 1].time_ns, &query, out, &more);
}

static void test_all_trades_make_all_candles(void)
{
    make_trades(1);
    CU_ASSERT_EQUAL(make(MATCHING_M1, 0, 0, 10), 3); /* 0 ... 59, 60 ... 119, 120 ... 133 s */
    CU_ASSERT_FALSE(more);
    CU_ASSERT_EQUAL(out[0].start_s, BEGIN_S);
    CU_ASSERT_EQUAL(out[0].update_count, 9);
    CU_ASSERT_EQUAL(out[0].open_ticks, 100);
    CU_ASSERT_EQUAL(out[0].close_ticks, 108);
    CU_ASSERT_EQUAL(out[0].volume_lots, 45);
    CU_ASSERT_TRUE(out[0].is_final && out[1].is_final);
    CU_ASSERT_EQUAL(out[2].start_s, BEGIN_S + 120);
    CU_ASSERT_EQUAL(out[2].update_count, 2);
    CU_ASSERT_FALSE(out[2].is_final);
}

static void test_time_alone_ends_a_candle(void)
{
    const trade_candles_query query = {MATCHING_M1, 0, 0, 10};
    make_trades(1);
    size_t count = trade_candles_make(trades, TRADES, (BEGIN_S + 180) * SECOND, &query, out, &more);
    CU_ASSERT_EQUAL(count, 3);
    CU_ASSERT_TRUE(out[2].is_final);
}

static void test_what_may_lack_trades_is_left_out(void)
{
    make_trades(5);
    CU_ASSERT_EQUAL(make(MATCHING_M1, 0, 0, 10), 2);
    CU_ASSERT_EQUAL(out[0].start_s, BEGIN_S + 60);
    CU_ASSERT_EQUAL(make(MATCHING_D1, 0, 0, 10), 0);
    CU_ASSERT_FALSE(more);
}

static void test_pages_go_on_where_the_last_one_ended(void)
{
    uint64_t from_s = 1;
    size_t seen = 0;
    make_trades(1);
    do {
        size_t count = make(MATCHING_S1, from_s, 0, 3);
        for (size_t i = 0; i < count; i++, seen++) {
            CU_ASSERT_EQUAL(out[i].start_s, BEGIN_S + 7 * seen);
        }
        from_s = count > 0 ? out[count - 1].start_s + 1 : from_s;
    } while (more && seen < TRADES);
    CU_ASSERT_EQUAL(seen, TRADES);
    uint64_t to_s = 0;
    do { /* and backwards */
        size_t count = make(MATCHING_S1, 0, to_s, 6);
        for (size_t i = 0; i < count; i++) {
            CU_ASSERT_EQUAL(out[count - 1 - i].start_s, BEGIN_S + 7 * (seen - 1 - i));
        }
        seen -= count;
        to_s = out[0].start_s - 1;
    } while (more && seen > 0);
    CU_ASSERT_EQUAL(seen, 0);
}

static void test_both_bounds_hold(void)
{
    make_trades(1);
    CU_ASSERT_EQUAL(make(MATCHING_S1, BEGIN_S + 7, BEGIN_S + 21, 10), 3);
    CU_ASSERT_FALSE(more);
    CU_ASSERT_EQUAL(out[0].start_s, BEGIN_S + 7);
    CU_ASSERT_EQUAL(out[2].start_s, BEGIN_S + 21);
    CU_ASSERT_EQUAL(make(MATCHING_S1, BEGIN_S + 8, BEGIN_S + 13, 10), 0);
}

static void test_no_trades_no_candles(void)
{
    const trade_candles_query query = {MATCHING_S1, 0, 0, 1};
    CU_ASSERT_EQUAL(trade_candles_make(trades, 0, SECOND, &query, out, &more), 0);
    CU_ASSERT_FALSE(more);
}

MATCHING_TESTS(MATCHING_TEST(test_all_trades_make_all_candles),
               MATCHING_TEST(test_time_alone_ends_a_candle),
               MATCHING_TEST(test_what_may_lack_trades_is_left_out),
               MATCHING_TEST(test_pages_go_on_where_the_last_one_ended),
               MATCHING_TEST(test_both_bounds_hold), MATCHING_TEST(test_no_trades_no_candles))
