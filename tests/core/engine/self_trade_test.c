/* Tests of self-trade prevention: the taker's mode decides what happens when it meets its own. */
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

static matching_command buyer(int64_t quantity_lots, matching_self_trade mode)
{
    matching_command command = limit_order("a", MATCHING_BUY, 100, quantity_lots);
    command.self_trade = (uint8_t)mode;
    return command;
}

static matching_command fok_buyer(int64_t quantity_lots, matching_self_trade mode)
{
    matching_command command = buyer(quantity_lots, mode);
    command.time_in_force = MATCHING_FOK;
    return command;
}

/* Asks at 100: 5 of b, 4 of a, 3 of c. */
static uint64_t b, own, c;

static void three_asks(void)
{
    b = place(limit_order("b", MATCHING_SELL, 100, 5));
    own = place(limit_order("a", MATCHING_SELL, 100, 4));
    c = place(limit_order("c", MATCHING_SELL, 100, 3));
}

static void test_without_a_mode_a_trader_trades_with_itself(void)
{
    begin();
    three_asks();
    matching_order order = accepted(&f, buyer(12, MATCHING_STP_NONE));
    CU_ASSERT_EQUAL(order.status, MATCHING_FILLED);
    traded(&f, 1, own, order.order_id, 100, 4);
    end();
}

static void test_cancel_taker(void)
{
    begin();
    three_asks();
    matching_order order = accepted(&f, buyer(12, MATCHING_STP_CANCEL_TAKER));
    CU_ASSERT_EQUAL(order.status, MATCHING_CANCELLED);
    CU_ASSERT_EQUAL(order.reason, MATCHING_REASON_SELF_TRADE);
    CU_ASSERT_EQUAL(order.filled_lots, 5);
    CU_ASSERT_EQUAL(count_events(&f, MATCHING_EVENT_TRADE), 1);
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_SELL, 100), 7);
    CU_ASSERT_EQUAL(order_now(&f, own).status, MATCHING_OPEN);
    told(&f, 2, order.order_id, MATCHING_CANCELLED);
    end();
}

static void test_cancel_maker(void)
{
    begin();
    three_asks();
    matching_order order = accepted(&f, buyer(12, MATCHING_STP_CANCEL_MAKER));
    CU_ASSERT_EQUAL(order.status, MATCHING_PARTIAL);
    CU_ASSERT_EQUAL(order.filled_lots, 8);
    traded(&f, 0, b, order.order_id, 100, 5);
    traded(&f, 1, c, order.order_id, 100, 3);
    CU_ASSERT_EQUAL(order_now(&f, own).reason, MATCHING_REASON_SELF_TRADE);
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_BUY, 100), 4);
    end();
}

static void test_cancel_both(void)
{
    begin();
    three_asks();
    matching_order order = accepted(&f, buyer(12, MATCHING_STP_CANCEL_BOTH));
    CU_ASSERT_EQUAL(order.reason, MATCHING_REASON_SELF_TRADE);
    CU_ASSERT_EQUAL(order_now(&f, own).reason, MATCHING_REASON_SELF_TRADE);
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_SELL, 100), 3);
    told(&f, 2, own, MATCHING_CANCELLED); /* the maker first */
    told(&f, 3, order.order_id, MATCHING_CANCELLED);
    end();
}

static void test_the_makers_mode_means_nothing(void)
{
    begin();
    matching_command maker = limit_order("a", MATCHING_SELL, 100, 5);
    maker.self_trade = MATCHING_STP_CANCEL_BOTH;
    place(maker);
    CU_ASSERT_EQUAL(accepted(&f, buyer(5, MATCHING_STP_NONE)).status, MATCHING_FILLED);
    end();
}

static void test_orders_of_others_are_not_own(void)
{
    begin();
    place(limit_order("b", MATCHING_SELL, 100, 5));
    place(limit_order("aa", MATCHING_SELL, 100, 5));
    CU_ASSERT_EQUAL(accepted(&f, buyer(10, MATCHING_STP_CANCEL_BOTH)).status, MATCHING_FILLED);
    end();
}

static void test_cancel_maker_takes_all_of_an_iceberg(void)
{
    begin();
    uint64_t iceberg = place(iceberg_order("a", MATCHING_SELL, 100, 30, 10));
    matching_order order = accepted(&f, buyer(5, MATCHING_STP_CANCEL_MAKER));
    CU_ASSERT_EQUAL(order_now(&f, iceberg).status, MATCHING_CANCELLED);
    CU_ASSERT_EQUAL(order.status, MATCHING_OPEN);
    CU_ASSERT_EQUAL(count_events(&f, MATCHING_EVENT_ORDER), 2);
    told(&f, 0, iceberg, MATCHING_CANCELLED);
    told(&f, 1, order.order_id, MATCHING_OPEN);
    end();
}

static void test_fok_that_would_meet_its_own_order_is_killed(void)
{
    static const matching_self_trade modes[] = {MATCHING_STP_CANCEL_TAKER,
                                                MATCHING_STP_CANCEL_BOTH};
    for (size_t i = 0; i < 2; i++) {
        begin();
        three_asks();
        matching_order order = accepted(&f, fok_buyer(6, modes[i]));
        CU_ASSERT_EQUAL(order.reason, MATCHING_REASON_FOK);
        CU_ASSERT_EQUAL(order.filled_lots, 0);
        CU_ASSERT_EQUAL(f.event_count, 1);
        CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_SELL, 100), 12);
        place(limit_order("d", MATCHING_SELL, 101, 9)); /* behind the own order, out of reach */
        matching_command farther = fok_buyer(6, modes[i]);
        farther.price_ticks = 101;
        CU_ASSERT_EQUAL(accepted(&f, farther).reason, MATCHING_REASON_FOK);
        CU_ASSERT_EQUAL(accepted(&f, fok_buyer(5, modes[i])).status, MATCHING_FILLED);
        end();
    }
}

static void test_fok_does_not_count_own_orders_that_it_would_cancel(void)
{
    begin();
    three_asks();
    matching_order order = accepted(&f, fok_buyer(9, MATCHING_STP_CANCEL_MAKER));
    CU_ASSERT_EQUAL(order.reason, MATCHING_REASON_FOK);
    CU_ASSERT_EQUAL(order_now(&f, own).status, MATCHING_OPEN);
    order = accepted(&f, fok_buyer(8, MATCHING_STP_CANCEL_MAKER));
    CU_ASSERT_EQUAL(order.status, MATCHING_FILLED);
    CU_ASSERT_EQUAL(order_now(&f, own).reason, MATCHING_REASON_SELF_TRADE);
    end();
}

/* Renewed slices queue up behind the own order, so only what is shown ahead of it can be had. */
static void test_fok_reckons_with_slices_that_are_renewed(void)
{
    begin();
    place(iceberg_order("b", MATCHING_SELL, 100, 10, 2));
    place(limit_order("a", MATCHING_SELL, 100, 1));
    CU_ASSERT_EQUAL(accepted(&f, fok_buyer(3, MATCHING_STP_CANCEL_TAKER)).reason,
                    MATCHING_REASON_FOK);
    CU_ASSERT_EQUAL(accepted(&f, fok_buyer(10, MATCHING_STP_CANCEL_MAKER)).status, MATCHING_FILLED);
    end();
}

static void test_an_own_order_behind_the_last_fill_is_not_met(void)
{
    begin();
    three_asks();
    CU_ASSERT_EQUAL(accepted(&f, buyer(5, MATCHING_STP_CANCEL_BOTH)).status, MATCHING_FILLED);
    CU_ASSERT_EQUAL(order_now(&f, own).status, MATCHING_OPEN);
    end();
}

static void test_an_amended_order_keeps_its_mode(void)
{
    begin();
    matching_command resting = buyer(5, MATCHING_STP_CANCEL_TAKER);
    resting.price_ticks = 90;
    uint64_t order = place(resting);
    uint64_t other = place(limit_order("a", MATCHING_SELL, 100, 5));
    CU_ASSERT_EQUAL(accepted(&f, amend_by_id(order, 100, 0)).reason, MATCHING_REASON_SELF_TRADE);
    CU_ASSERT_EQUAL(count_events(&f, MATCHING_EVENT_ORDER), 1);
    CU_ASSERT_EQUAL(order_now(&f, other).status, MATCHING_OPEN);
    end();
}

static void test_a_triggered_stop_has_its_own_mode(void)
{
    begin();
    place(limit_order("m", MATCHING_SELL, 100, 1));
    place(limit_order("n", MATCHING_BUY, 100, 1));
    uint64_t resting = place(limit_order("a", MATCHING_SELL, 105, 5));
    matching_command stop = stop_order("a", MATCHING_BUY, 100, 0, 5);
    stop.self_trade = MATCHING_STP_CANCEL_BOTH;
    CU_ASSERT_EQUAL(accepted(&f, stop).reason, MATCHING_REASON_SELF_TRADE);
    CU_ASSERT_EQUAL(order_now(&f, resting).reason, MATCHING_REASON_SELF_TRADE);
    end();
}

MATCHING_TESTS(MATCHING_TEST(test_without_a_mode_a_trader_trades_with_itself),
               MATCHING_TEST(test_cancel_taker), MATCHING_TEST(test_cancel_maker),
               MATCHING_TEST(test_cancel_both), MATCHING_TEST(test_the_makers_mode_means_nothing),
               MATCHING_TEST(test_orders_of_others_are_not_own),
               MATCHING_TEST(test_cancel_maker_takes_all_of_an_iceberg),
               MATCHING_TEST(test_fok_that_would_meet_its_own_order_is_killed),
               MATCHING_TEST(test_fok_does_not_count_own_orders_that_it_would_cancel),
               MATCHING_TEST(test_fok_reckons_with_slices_that_are_renewed),
               MATCHING_TEST(test_an_own_order_behind_the_last_fill_is_not_met),
               MATCHING_TEST(test_an_amended_order_keeps_its_mode),
               MATCHING_TEST(test_a_triggered_stop_has_its_own_mode))
