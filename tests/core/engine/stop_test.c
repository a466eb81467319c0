/* Tests of stops: when they wait, what triggers them, in which order, and what they are then. */
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

/* One lot trades at this price between two others; nothing of theirs stays. */
static void trade_at(int64_t price_ticks)
{
    place(limit_order("m", MATCHING_BUY, price_ticks, 1));
    place(limit_order("n", MATCHING_SELL, price_ticks, 1));
}

static unsigned status_of(uint64_t order_id)
{
    return order_now(&f, order_id).status;
}

static void test_a_stop_waits_out_of_sight(void)
{
    begin();
    trade_at(100);
    matching_order order = accepted(&f, stop_order("a", MATCHING_BUY, 105, 106, 5));
    CU_ASSERT_EQUAL(order.status, MATCHING_UNTRIGGERED);
    CU_ASSERT_EQUAL(order.stop_price_ticks, 105);
    CU_ASSERT_EQUAL(f.event_count, 1); /* no level */
    told(&f, 0, order.order_id, MATCHING_UNTRIGGERED);
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_BUY, 106), 0);
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_BUY, 105), 0);
    CU_ASSERT_EQUAL(accepted(&f, market_order("b", MATCHING_SELL, 1)).filled_lots, 0);
    end();
}

static void test_without_a_trade_nothing_triggers(void)
{
    begin();
    uint64_t sell = place(stop_order("a", MATCHING_SELL, 1000, 0, 5));
    uint64_t buy = place(stop_order("a", MATCHING_BUY, 1, 0, 5));
    CU_ASSERT_EQUAL(status_of(sell), MATCHING_UNTRIGGERED);
    CU_ASSERT_EQUAL(status_of(buy), MATCHING_UNTRIGGERED);
    end();
}

static void test_a_buy_stop_triggers_at_or_above_its_price(void)
{
    begin();
    trade_at(100);
    place(limit_order("x", MATCHING_SELL, 105, 5));
    uint64_t stop = place(stop_order("a", MATCHING_BUY, 102, 0, 5));
    trade_at(101);
    CU_ASSERT_EQUAL(status_of(stop), MATCHING_UNTRIGGERED);
    trade_at(102);
    CU_ASSERT_EQUAL(status_of(stop), MATCHING_FILLED);
    end();
}

static void test_a_sell_stop_triggers_at_or_below_its_price(void)
{
    begin();
    trade_at(100);
    place(limit_order("x", MATCHING_BUY, 95, 5));
    uint64_t stop = place(stop_order("a", MATCHING_SELL, 98, 0, 5));
    trade_at(99);
    CU_ASSERT_EQUAL(status_of(stop), MATCHING_UNTRIGGERED);
    trade_at(98);
    CU_ASSERT_EQUAL(status_of(stop), MATCHING_FILLED);
    CU_ASSERT_EQUAL(order_now(&f, stop).notional, 5 * 95);
    end();
}

static void test_a_condition_that_holds_on_entry_triggers_at_once(void)
{
    begin();
    trade_at(100);
    uint64_t maker = place(limit_order("x", MATCHING_BUY, 90, 5));
    matching_order stop = accepted(&f, stop_order("a", MATCHING_SELL, 100, 0, 5));
    CU_ASSERT_EQUAL(stop.status, MATCHING_FILLED);
    traded(&f, 0, maker, stop.order_id, 90, 5);
    told(&f, 0, stop.order_id, MATCHING_UNTRIGGERED);
    told(&f, 1, stop.order_id, MATCHING_OPEN);
    told(&f, 2, maker, MATCHING_FILLED);
    told(&f, 3, stop.order_id, MATCHING_FILLED);
    end();
}

static void test_the_lowest_order_id_enters_first(void)
{
    begin();
    trade_at(100);
    uint64_t cheap = place(limit_order("x", MATCHING_SELL, 104, 1));
    uint64_t dear = place(limit_order("x", MATCHING_SELL, 105, 1));
    uint64_t first = place(stop_order("a", MATCHING_BUY, 103, 0, 1)); /* the later stop price */
    uint64_t second = place(stop_order("a", MATCHING_BUY, 101, 0, 1));
    trade_at(103);
    traded(&f, 1, cheap, first, 104, 1);
    traded(&f, 2, dear, second, 105, 1);
    end();
}

/* Of three stops the one with the lowest id comes within reach only by the first that enters. */
static void test_each_stop_is_processed_before_the_next_is_looked_for(void)
{
    begin();
    trade_at(100);
    uint64_t asks[3];
    for (int i = 0; i < 3; i++) {
        asks[i] = place(limit_order("x", MATCHING_SELL, 110 + 10 * i, 1));
    }
    uint64_t far = place(stop_order("a", MATCHING_BUY, 110, 0, 1));
    uint64_t near_one = place(stop_order("a", MATCHING_BUY, 101, 0, 1));
    uint64_t near_two = place(stop_order("a", MATCHING_BUY, 101, 0, 1));
    trade_at(101);
    CU_ASSERT_EQUAL(count_events(&f, MATCHING_EVENT_TRADE), 4);
    traded(&f, 1, asks[0], near_one, 110, 1);
    traded(&f, 2, asks[1], far, 120, 1);
    traded(&f, 3, asks[2], near_two, 130, 1);
    end();
}

static void test_prices_passed_within_a_command_do_not_trigger(void)
{
    begin();
    trade_at(103);
    place(limit_order("x", MATCHING_SELL, 100, 1));
    place(limit_order("x", MATCHING_SELL, 105, 1));
    uint64_t stop = place(stop_order("a", MATCHING_SELL, 100, 0, 1));
    place(limit_order("b", MATCHING_BUY, 105, 2)); /* trades at 100, then at 105 */
    CU_ASSERT_EQUAL(count_events(&f, MATCHING_EVENT_TRADE), 2);
    CU_ASSERT_EQUAL(status_of(stop), MATCHING_UNTRIGGERED);
    trade_at(100);
    CU_ASSERT_EQUAL(status_of(stop), MATCHING_CANCELLED);
    end();
}

static void test_a_stop_waits_on_if_its_condition_has_passed(void)
{
    begin();
    trade_at(90);
    uint64_t one = place(stop_order("a", MATCHING_BUY, 101, 0, 1));
    uint64_t two = place(stop_order("a", MATCHING_BUY, 101, 0, 1));
    place(limit_order("x", MATCHING_BUY, 101, 1));
    /* Trades at 101 and leaves a lot at 95, which the first stop takes: the last price is 95. */
    uint64_t seller = place(limit_order("y", MATCHING_SELL, 95, 2));
    traded(&f, 1, seller, one, 95, 1);
    CU_ASSERT_EQUAL(status_of(two), MATCHING_UNTRIGGERED);
    place(limit_order("x", MATCHING_SELL, 120, 1));
    trade_at(101);
    CU_ASSERT_EQUAL(status_of(two), MATCHING_FILLED);
    end();
}

/* In one cascade the price leaves a stop and comes back to it. */
static void test_a_price_that_comes_back_triggers(void)
{
    begin();
    trade_at(90);
    uint64_t one = place(stop_order("a", MATCHING_BUY, 101, 0, 1));
    uint64_t two = place(stop_order("a", MATCHING_BUY, 101, 0, 1));
    uint64_t three = place(stop_order("a", MATCHING_BUY, 95, 0, 1));
    place(limit_order("x", MATCHING_SELL, 110, 2));
    place(limit_order("x", MATCHING_BUY, 101, 1));
    uint64_t seller = place(limit_order("y", MATCHING_SELL, 95, 2));
    traded(&f, 1, seller, one, 95, 1);
    CU_ASSERT_EQUAL(event_of(&f, MATCHING_EVENT_TRADE, 2)->event.trade.taker_order_id, three);
    CU_ASSERT_EQUAL(event_of(&f, MATCHING_EVENT_TRADE, 3)->event.trade.taker_order_id, two);
    CU_ASSERT_EQUAL(status_of(two), MATCHING_FILLED);
    end();
}

static void test_a_triggered_order_that_rests_is_told_once(void)
{
    begin();
    trade_at(100);
    uint64_t stop = place(stop_order("a", MATCHING_BUY, 101, 99, 5));
    trade_at(101);
    CU_ASSERT_EQUAL(count_events(&f, MATCHING_EVENT_ORDER), 3);
    told(&f, 2, stop, MATCHING_OPEN);
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_BUY, 99), 5);
    matching_order order = order_now(&f, stop);
    CU_ASSERT_EQUAL(order.type, MATCHING_STOP_LIMIT);
    CU_ASSERT_EQUAL(order.updated_ns, f.time_ns);
    end();
}

static void test_time_in_force_applies_once_triggered(void)
{
    begin();
    trade_at(100);
    place(limit_order("x", MATCHING_SELL, 105, 3));
    matching_command stop = stop_order("a", MATCHING_BUY, 100, 0, 5);
    stop.time_in_force = MATCHING_FOK;
    CU_ASSERT_EQUAL(accepted(&f, stop).reason, MATCHING_REASON_FOK);
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_SELL, 105), 3);
    stop = stop_order("a", MATCHING_BUY, 100, 105, 2);
    stop.time_in_force = MATCHING_FOK;
    CU_ASSERT_EQUAL(accepted(&f, stop).status, MATCHING_FILLED);
    stop = stop_order("a", MATCHING_BUY, 100, 105, 5);
    stop.time_in_force = MATCHING_IOC;
    matching_order order = accepted(&f, stop);
    CU_ASSERT_EQUAL(order.filled_lots, 1);
    CU_ASSERT_EQUAL(order.reason, MATCHING_REASON_IOC);
    order = accepted(&f, stop_order("a", MATCHING_BUY, 100, 0, 5));
    CU_ASSERT_EQUAL(order.status, MATCHING_CANCELLED);
    CU_ASSERT_EQUAL(order.reason, MATCHING_REASON_NO_LIQUIDITY);
    end();
}

static matching_command amend_stop_price(uint64_t order_id, int64_t stop_price_ticks)
{
    matching_command command = amend_by_id(order_id, 0, 0);
    command.stop_price_ticks = stop_price_ticks;
    return command;
}

static void test_an_amended_stop_price_that_is_met_triggers(void)
{
    begin();
    trade_at(100);
    place(limit_order("x", MATCHING_SELL, 105, 5));
    uint64_t stop = place(stop_order("a", MATCHING_BUY, 110, 0, 5));
    matching_order order = accepted(&f, amend_stop_price(stop, 101));
    CU_ASSERT_EQUAL(order.status, MATCHING_UNTRIGGERED);
    CU_ASSERT_EQUAL(order.stop_price_ticks, 101);
    order = accepted(&f, amend_stop_price(stop, 100));
    CU_ASSERT_EQUAL(order.status, MATCHING_FILLED);
    end();
}

static void test_an_amend_changes_what_a_stop_will_be(void)
{
    begin();
    trade_at(100);
    uint64_t stop = place(stop_order("a", MATCHING_BUY, 101, 99, 5));
    matching_order order = accepted(&f, amend_by_id(stop, 98, 9));
    CU_ASSERT_EQUAL(order.status, MATCHING_UNTRIGGERED);
    trade_at(101);
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_BUY, 98), 9);
    end();
}

static void test_prices_that_an_order_has_no_use_for_are_refused(void)
{
    begin();
    trade_at(100);
    fixture_set_instrument(&f, 0, 5, 1);
    uint64_t market = place(stop_order("a", MATCHING_BUY, 110, 0, 5));
    uint64_t limit = place(limit_order("a", MATCHING_BUY, 90, 5));
    refused(&f, amend_by_id(market, 99, 0), MATCHING_INVALID_PARAMETER, MATCHING_FIELD_PRICE);
    refused(&f, amend_stop_price(limit, 99), MATCHING_INVALID_PARAMETER, MATCHING_FIELD_STOP_PRICE);
    matching_command decimals = amend_stop_price(limit, 7); /* not a multiple of 5 */
    decimals.flags |= MATCHING_FLAG_DECIMALS;
    refused(&f, decimals, MATCHING_INVALID_PRICE, MATCHING_FIELD_STOP_PRICE);
    decimals.stop_price_ticks = 10;
    refused(&f, decimals, MATCHING_INVALID_PARAMETER, MATCHING_FIELD_STOP_PRICE);
    decimals = amend_by_id(market, 7, 0);
    decimals.flags |= MATCHING_FLAG_DECIMALS;
    refused(&f, decimals, MATCHING_INVALID_PRICE, MATCHING_FIELD_PRICE);
    uint64_t stop = place(stop_order("a", MATCHING_BUY, 101, 80, 5));
    trade_at(101); /* now it is a limit order that rests */
    refused(&f, amend_stop_price(stop, 99), MATCHING_INVALID_PARAMETER, MATCHING_FIELD_STOP_PRICE);
    end();
}

static void test_waiting_stops_can_be_cancelled(void)
{
    begin();
    trade_at(100);
    uint64_t one = place(stop_order("a", MATCHING_BUY, 101, 0, 5));
    uint64_t two = place(stop_order("a", MATCHING_SELL, 99, 98, 5));
    place(cancel_by_id(one));
    told(&f, 0, one, MATCHING_CANCELLED);
    CU_ASSERT_EQUAL(fixture_apply(&f, cancel_all("a"))->code, MATCHING_OK);
    told(&f, 0, two, MATCHING_CANCELLED);
    trade_at(101);
    CU_ASSERT_EQUAL(count_events(&f, MATCHING_EVENT_ORDER), 2);
    end();
}

/* What a stop sets off is part of the command: the order it traded with is shown as it is then. */
static void test_the_reply_shows_what_stops_did_to_its_order(void)
{
    begin();
    trade_at(105);
    place(stop_order("a", MATCHING_SELL, 101, 0, 2));
    place(limit_order("x", MATCHING_SELL, 101, 1));
    matching_order order = accepted(&f, limit_order("b", MATCHING_BUY, 101, 3));
    CU_ASSERT_EQUAL(order.status, MATCHING_FILLED);
    CU_ASSERT_EQUAL(order.filled_lots, 3);
    end();
}

/* A stop-limit order can always rest when it triggers: its level is kept free. */
static void test_a_level_is_kept_for_a_stop_limit_order(void)
{
    matching_engine_limits limits = fixture_limits();
    limits.max_levels = 3;
    fixture_init(&f, &limits);
    uint64_t stop = place(stop_order("a", MATCHING_BUY, 100, 90, 1));
    place(limit_order("b", MATCHING_BUY, 80, 1));
    refused(&f, limit_order("b", MATCHING_BUY, 81, 1), MATCHING_BOOK_FULL, MATCHING_FIELD_NONE);
    refused(&f, stop_order("b", MATCHING_BUY, 100, 0, 1), MATCHING_BOOK_FULL, MATCHING_FIELD_NONE);
    place(cancel_by_id(stop));
    place(limit_order("b", MATCHING_BUY, 81, 1));
    end();
}

MATCHING_TESTS(MATCHING_TEST(test_a_stop_waits_out_of_sight),
               MATCHING_TEST(test_without_a_trade_nothing_triggers),
               MATCHING_TEST(test_a_buy_stop_triggers_at_or_above_its_price),
               MATCHING_TEST(test_a_sell_stop_triggers_at_or_below_its_price),
               MATCHING_TEST(test_a_condition_that_holds_on_entry_triggers_at_once),
               MATCHING_TEST(test_the_lowest_order_id_enters_first),
               MATCHING_TEST(test_each_stop_is_processed_before_the_next_is_looked_for),
               MATCHING_TEST(test_prices_passed_within_a_command_do_not_trigger),
               MATCHING_TEST(test_a_stop_waits_on_if_its_condition_has_passed),
               MATCHING_TEST(test_a_price_that_comes_back_triggers),
               MATCHING_TEST(test_a_triggered_order_that_rests_is_told_once),
               MATCHING_TEST(test_time_in_force_applies_once_triggered),
               MATCHING_TEST(test_an_amended_stop_price_that_is_met_triggers),
               MATCHING_TEST(test_an_amend_changes_what_a_stop_will_be),
               MATCHING_TEST(test_prices_that_an_order_has_no_use_for_are_refused),
               MATCHING_TEST(test_waiting_stops_can_be_cancelled),
               MATCHING_TEST(test_the_reply_shows_what_stops_did_to_its_order),
               MATCHING_TEST(test_a_level_is_kept_for_a_stop_limit_order))
