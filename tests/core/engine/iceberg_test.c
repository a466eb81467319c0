/* Tests of icebergs: what the market sees, whose turn it is, and what an amend does to a slice. */
#include "fixture.h"
#include "support/cunit_main.h"

static fixture f;

static void begin(void)
{
    matching_engine_limits limits = fixture_limits();
    fixture_init(&f, &limits);
}

static void end(void)
{
    fixture_fini(&f);
}

static uint64_t place(matching_command command)
{
    return accepted(&f, command).order_id;
}

static void test_only_the_slice_is_shown(void)
{
    begin();
    matching_order order = accepted(&f, iceberg_order("a", MATCHING_SELL, 100, 30, 10));
    CU_ASSERT_EQUAL(order.display_lots, 10);
    CU_ASSERT_EQUAL(order.quantity_lots, 30);
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_SELL, 100), 10);
    const fixture_event *level = event_of(&f, MATCHING_EVENT_LEVEL, 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(level);
    CU_ASSERT_EQUAL((uint64_t)level->event.level.total_lots, 10);
    CU_ASSERT_EQUAL(level->event.level.orders, 1);
    end();
}

static void test_a_display_beyond_the_quantity_shows_all(void)
{
    begin();
    place(iceberg_order("a", MATCHING_SELL, 100, 5, 10));
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_SELL, 100), 5);
    end();
}

static void test_a_new_slice_joins_the_back(void)
{
    begin();
    uint64_t a = place(iceberg_order("a", MATCHING_SELL, 100, 30, 10));
    uint64_t b = place(limit_order("b", MATCHING_SELL, 100, 5));
    uint64_t taker = place(limit_order("c", MATCHING_BUY, 100, 12));
    traded(&f, 0, a, taker, 100, 10);
    traded(&f, 1, b, taker, 100, 2);
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_SELL, 100), 3 + 10);
    taker = place(limit_order("c", MATCHING_BUY, 100, 20));
    CU_ASSERT_EQUAL(count_events(&f, MATCHING_EVENT_TRADE), 3);
    traded(&f, 0, b, taker, 100, 3);
    traded(&f, 1, a, taker, 100, 10);
    traded(&f, 2, a, taker, 100, 7);
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_SELL, 100), 3);
    end();
}

static void test_icebergs_take_turns(void)
{
    begin();
    uint64_t a = place(iceberg_order("a", MATCHING_BUY, 100, 6, 2));
    uint64_t b = place(iceberg_order("b", MATCHING_BUY, 100, 5, 2));
    uint64_t taker = place(limit_order("c", MATCHING_SELL, 100, 11));
    CU_ASSERT_EQUAL(count_events(&f, MATCHING_EVENT_TRADE), 6);
    static const int64_t lots[] = {2, 2, 2, 2, 2, 1};
    for (size_t i = 0; i < 6; i++) {
        traded(&f, i, i % 2 == 0 ? a : b, taker, 100, lots[i]);
    }
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_BUY, 100), 0);
    CU_ASSERT_EQUAL(order_now(&f, a).status, MATCHING_FILLED);
    CU_ASSERT_EQUAL(order_now(&f, b).status, MATCHING_FILLED);
    end();
}

static void test_a_begun_slice_keeps_its_place(void)
{
    begin();
    uint64_t a = place(iceberg_order("a", MATCHING_SELL, 100, 20, 10));
    uint64_t b = place(limit_order("b", MATCHING_SELL, 100, 10));
    place(limit_order("c", MATCHING_BUY, 100, 4));
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_SELL, 100), 6 + 10);
    uint64_t taker = place(limit_order("c", MATCHING_BUY, 100, 8));
    traded(&f, 0, a, taker, 100, 6);
    traded(&f, 1, b, taker, 100, 2);
    end();
}

static void test_the_last_slice_is_what_is_left(void)
{
    begin();
    uint64_t a = place(iceberg_order("a", MATCHING_SELL, 100, 25, 10));
    place(limit_order("c", MATCHING_BUY, 100, 20));
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_SELL, 100), 5);
    CU_ASSERT_EQUAL(order_now(&f, a).filled_lots, 20);
    end();
}

static void test_as_a_taker_it_trades_its_whole_quantity(void)
{
    begin();
    uint64_t maker = place(limit_order("a", MATCHING_SELL, 100, 25));
    matching_order order = accepted(&f, iceberg_order("b", MATCHING_BUY, 100, 50, 10));
    CU_ASSERT_EQUAL(count_events(&f, MATCHING_EVENT_TRADE), 1);
    traded(&f, 0, maker, order.order_id, 100, 25);
    CU_ASSERT_EQUAL(order.status, MATCHING_PARTIAL);
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_BUY, 100), 10);
    end();
}

static void test_a_reduction_takes_hidden_lots_first(void)
{
    begin();
    uint64_t a = place(iceberg_order("a", MATCHING_SELL, 100, 30, 10));
    uint64_t b = place(limit_order("b", MATCHING_SELL, 100, 5));
    place(amend_by_id(a, 0, 12));
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_SELL, 100), 10 + 5);
    place(amend_by_id(a, 0, 4));
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_SELL, 100), 4 + 5);
    uint64_t taker = place(limit_order("c", MATCHING_BUY, 100, 5));
    traded(&f, 0, a, taker, 100, 4); /* its place was kept */
    traded(&f, 1, b, taker, 100, 1);
    end();
}

static void test_a_reduction_leaves_a_begun_slice(void)
{
    begin();
    uint64_t a = place(iceberg_order("a", MATCHING_SELL, 100, 30, 10));
    place(limit_order("c", MATCHING_BUY, 100, 7));
    place(amend_by_id(a, 0, 12)); /* 5 remain, 3 of them shown */
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_SELL, 100), 3);
    place(amend_by_id(a, 0, 8)); /* 1 remains */
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_SELL, 100), 1);
    end();
}

static void test_losing_priority_renews_the_slice(void)
{
    begin();
    uint64_t a = place(iceberg_order("a", MATCHING_SELL, 100, 30, 10));
    uint64_t b = place(limit_order("b", MATCHING_SELL, 100, 5));
    place(limit_order("c", MATCHING_BUY, 100, 7));
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_SELL, 100), 3 + 5);
    place(amend_by_id(a, 0, 31));
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_SELL, 100), 10 + 5);
    uint64_t taker = place(limit_order("c", MATCHING_BUY, 100, 6));
    traded(&f, 0, b, taker, 100, 5);
    traded(&f, 1, a, taker, 100, 1);
    place(amend_by_id(a, 101, 0));
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_SELL, 101), 10);
    end();
}

static void test_an_amend_keeps_a_thousandth_on_display(void)
{
    begin();
    uint64_t a = place(iceberg_order("a", MATCHING_SELL, 100, 999, 1));
    place(amend_by_id(a, 0, 1000));
    refused(&f, amend_by_id(a, 0, 1001), MATCHING_INVALID_QUANTITY, MATCHING_FIELD_QUANTITY);
    refused(&f, amend_by_id(a, 101, MATCHING_LOTS_MAX), MATCHING_INVALID_QUANTITY,
            MATCHING_FIELD_QUANTITY);
    end();
}

static void test_fok_counts_hidden_lots(void)
{
    begin();
    place(iceberg_order("a", MATCHING_SELL, 100, 30, 10));
    matching_command fok = limit_order("b", MATCHING_BUY, 100, 31);
    fok.time_in_force = MATCHING_FOK;
    CU_ASSERT_EQUAL(accepted(&f, fok).reason, MATCHING_REASON_FOK);
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_SELL, 100), 10);
    fok.quantity_lots = 30;
    CU_ASSERT_EQUAL(accepted(&f, fok).status, MATCHING_FILLED);
    CU_ASSERT_EQUAL(count_events(&f, MATCHING_EVENT_TRADE), 3);
    end();
}

static void test_a_cancel_takes_what_is_hidden_too(void)
{
    begin();
    uint64_t a = place(iceberg_order("a", MATCHING_SELL, 100, 30, 10));
    place(cancel_by_id(a));
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_SELL, 100), 0);
    CU_ASSERT_EQUAL(accepted(&f, market_order("b", MATCHING_BUY, 5)).filled_lots, 0);
    end();
}

MATCHING_TESTS(MATCHING_TEST(test_only_the_slice_is_shown),
               MATCHING_TEST(test_a_display_beyond_the_quantity_shows_all),
               MATCHING_TEST(test_a_new_slice_joins_the_back),
               MATCHING_TEST(test_icebergs_take_turns),
               MATCHING_TEST(test_a_begun_slice_keeps_its_place),
               MATCHING_TEST(test_the_last_slice_is_what_is_left),
               MATCHING_TEST(test_as_a_taker_it_trades_its_whole_quantity),
               MATCHING_TEST(test_a_reduction_takes_hidden_lots_first),
               MATCHING_TEST(test_a_reduction_leaves_a_begun_slice),
               MATCHING_TEST(test_losing_priority_renews_the_slice),
               MATCHING_TEST(test_an_amend_keeps_a_thousandth_on_display),
               MATCHING_TEST(test_fok_counts_hidden_lots),
               MATCHING_TEST(test_a_cancel_takes_what_is_hidden_too))
