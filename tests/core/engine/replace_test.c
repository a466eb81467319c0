/* Tests of amends by open quantity: a cancel-replace that keeps the order's id. */
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

static matching_command replace(uint64_t order_id, int64_t price_ticks, int64_t open_lots)
{
    matching_command command = amend_by_id(order_id, price_ticks, open_lots);
    command.flags |= MATCHING_FLAG_OPEN_QUANTITY;
    return command;
}

static void test_what_has_filled_is_added_to_the_open_quantity(void)
{
    begin();
    uint64_t bid = accepted(&f, limit_order("a", MATCHING_BUY, 100, 10)).order_id;
    accepted(&f, limit_order("b", MATCHING_SELL, 100, 7));
    matching_order order = accepted(&f, replace(bid, 0, 5)); /* as a total: less than filled */
    CU_ASSERT_EQUAL(order.quantity_lots, 12);
    CU_ASSERT_EQUAL(order.filled_lots, 7);
    CU_ASSERT_EQUAL(order.status, MATCHING_PARTIAL);
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_BUY, 100), 5);
    CU_ASSERT_EQUAL(accepted(&f, replace(bid, 99, 0)).quantity_lots, 12); /* 0: unchanged */
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_BUY, 99), 5);
    end();
}

/* What may be refused of an order with nothing special about it. */
static void test_what_cannot_be_is_refused(void)
{
    begin();
    uint64_t bid = accepted(&f, limit_order("a", MATCHING_BUY, 100, 10)).order_id;
    matching_command foreign = replace(bid, 99, 5);
    foreign.flags |= MATCHING_FLAG_HAS_SYMBOL;
    foreign.instrument = 1;
    refused(&f, foreign, MATCHING_ORDER_NOT_FOUND, MATCHING_FIELD_ORDER_ID);
    refused(&f, replace(bid, MATCHING_TICKS_MAX + 1, 5), MATCHING_INVALID_PRICE,
            MATCHING_FIELD_PRICE);
    refused(&f, replace(bid, 99, MATCHING_LOTS_MAX + 1), MATCHING_INVALID_QUANTITY,
            MATCHING_FIELD_QUANTITY);
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_BUY, 100), 10);
    foreign.instrument = 0;
    CU_ASSERT_EQUAL(accepted(&f, foreign).price_ticks, 99);
    end();
}

/* Even with nothing changed: to the back of the queue. */
static void test_priority_is_always_lost(void)
{
    static const int64_t open_lots[] = {10, 12, 3, 0};
    for (size_t i = 0; i < sizeof open_lots / sizeof open_lots[0]; i++) {
        begin();
        uint64_t first = accepted(&f, limit_order("a", MATCHING_BUY, 100, 10)).order_id;
        uint64_t second = accepted(&f, limit_order("b", MATCHING_BUY, 100, 10)).order_id;
        matching_order order = accepted(&f, replace(first, 0, open_lots[i]));
        CU_ASSERT_EQUAL(order.quantity_lots, open_lots[i] != 0 ? open_lots[i] : 10);
        CU_ASSERT_EQUAL(order.status, MATCHING_OPEN);
        told(&f, 0, first, MATCHING_OPEN);
        uint64_t taker = accepted(&f, limit_order("c", MATCHING_SELL, 100, 1)).order_id;
        traded(&f, 0, second, taker, 100, 1);
        end();
    }
}

static void test_an_iceberg_shows_a_fresh_slice(void)
{
    begin();
    uint64_t ice = accepted(&f, iceberg_order("a", MATCHING_SELL, 100, 10, 4)).order_id;
    accepted(&f, limit_order("b", MATCHING_BUY, 100, 3));
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_SELL, 100), 1);
    CU_ASSERT_EQUAL(accepted(&f, replace(ice, 0, 7)).quantity_lots, 10);
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_SELL, 100), 4);
    end();
}

static void test_a_total_beyond_the_range_is_refused(void)
{
    begin();
    uint64_t bid = accepted(&f, limit_order("a", MATCHING_BUY, 100, 10)).order_id;
    accepted(&f, limit_order("b", MATCHING_SELL, 100, 7));
    refused(&f, replace(bid, 0, MATCHING_LOTS_MAX - 6), MATCHING_INVALID_QUANTITY,
            MATCHING_FIELD_QUANTITY);
    CU_ASSERT_EQUAL(accepted(&f, replace(bid, 0, MATCHING_LOTS_MAX - 7)).quantity_lots,
                    MATCHING_LOTS_MAX);
    end();
}

static void test_the_open_quantity_may_be_decimal(void)
{
    begin();
    fixture_set_instrument(&f, 0, 1000000, 10000);
    uint64_t bid = accepted(&f, limit_order("a", MATCHING_BUY, 100, 10)).order_id;
    accepted(&f, limit_order("b", MATCHING_SELL, 100, 7));
    matching_command command = replace(bid, 0, 5 * 10000);
    command.flags |= MATCHING_FLAG_DECIMALS;
    CU_ASSERT_EQUAL(accepted(&f, command).quantity_lots, 12);
    end();
}

/* What has filled did so at the old price. */
static void test_the_average_price_stays(void)
{
    begin();
    uint64_t bid = accepted(&f, limit_order("a", MATCHING_BUY, 100, 10)).order_id;
    accepted(&f, limit_order("b", MATCHING_SELL, 100, 4));
    CU_ASSERT_TRUE(accepted(&f, replace(bid, 90, 6)).notional == 4 * 100);
    CU_ASSERT_TRUE(accepted(&f, amend_by_id(bid, 110, 0)).notional == 4 * 100);
    accepted(&f, limit_order("b", MATCHING_SELL, 110, 6));
    CU_ASSERT_TRUE(order_now(&f, bid).notional == 4 * 100 + 6 * 110);
    end();
}

static void test_a_stop_that_waits_gets_what_shall_be_open(void)
{
    begin();
    uint64_t stop = accepted(&f, stop_order("a", MATCHING_BUY, 120, 125, 10)).order_id;
    matching_order order = accepted(&f, replace(stop, 0, 4));
    CU_ASSERT_EQUAL(order.quantity_lots, 4);
    CU_ASSERT_EQUAL(order.status, MATCHING_UNTRIGGERED);
    end();
}

MATCHING_TESTS(MATCHING_TEST(test_what_cannot_be_is_refused),
               MATCHING_TEST(test_what_has_filled_is_added_to_the_open_quantity),
               MATCHING_TEST(test_priority_is_always_lost),
               MATCHING_TEST(test_an_iceberg_shows_a_fresh_slice),
               MATCHING_TEST(test_a_total_beyond_the_range_is_refused),
               MATCHING_TEST(test_the_open_quantity_may_be_decimal),
               MATCHING_TEST(test_the_average_price_stays),
               MATCHING_TEST(test_a_stop_that_waits_gets_what_shall_be_open))
