/* Tests of auctions: what is let in, at which price the book uncrosses, and who is filled. */
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

static void go(matching_state state)
{
    CU_ASSERT_EQUAL_FATAL(fixture_apply(&f, set_state(0, state))->code, MATCHING_OK);
}

static void begin_auction(void)
{
    begin();
    go(MATCHING_AUCTION);
}

/* The same after a trade at this price. */
static void begin_auction_after(int64_t last_price_ticks)
{
    begin();
    place(limit_order("m", MATCHING_BUY, last_price_ticks, 1));
    place(limit_order("n", MATCHING_SELL, last_price_ticks, 1));
    go(MATCHING_AUCTION);
}

static void expect_indicative(int64_t price_ticks, uint64_t volume_lots)
{
    int64_t price = 0;
    matching_wide volume = 0;
    CU_ASSERT_TRUE(matching_engine_indicative(f.engine, 0, &price, &volume));
    CU_ASSERT_EQUAL(price, price_ticks);
    CU_ASSERT_EQUAL((uint64_t)volume, volume_lots);
}

static void test_orders_rest_without_matching(void)
{
    begin_auction();
    CU_ASSERT_EQUAL(accepted(&f, limit_order("a", MATCHING_BUY, 105, 5)).status, MATCHING_OPEN);
    CU_ASSERT_EQUAL(accepted(&f, limit_order("b", MATCHING_SELL, 100, 5)).status, MATCHING_OPEN);
    CU_ASSERT_EQUAL(count_events(&f, MATCHING_EVENT_TRADE), 0);
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_BUY, 105), 5);
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_SELL, 100), 5);
    end();
}

static void test_what_an_auction_lets_in(void)
{
    begin_auction();
    matching_command command = limit_order("a", MATCHING_BUY, 100, 5);
    accepted(&f, command);
    accepted(&f, iceberg_order("a", MATCHING_BUY, 100, 5, 1));
    accepted(&f, stop_order("a", MATCHING_BUY, 100, 0, 5));
    accepted(&f, stop_order("a", MATCHING_BUY, 100, 101, 5));
    command.time_in_force = MATCHING_GTD;
    command.expire_time_ms = now_ms(&f) + 1000;
    accepted(&f, command);
    command.flags |= MATCHING_FLAG_POST_ONLY;
    refused(&f, command, MATCHING_MARKET_HALTED, MATCHING_FIELD_NONE);
    command.flags = 0;
    command.time_in_force = MATCHING_IOC;
    refused(&f, command, MATCHING_MARKET_HALTED, MATCHING_FIELD_NONE);
    command.time_in_force = MATCHING_FOK;
    refused(&f, command, MATCHING_MARKET_HALTED, MATCHING_FIELD_NONE);
    refused(&f, market_order("a", MATCHING_BUY, 5), MATCHING_MARKET_HALTED, MATCHING_FIELD_NONE);
    end();
}

static void test_the_most_volume_decides_the_price(void)
{
    begin_auction();
    place(limit_order("a", MATCHING_BUY, 105, 5));
    place(limit_order("a", MATCHING_BUY, 103, 10));
    place(limit_order("b", MATCHING_SELL, 100, 8));
    place(limit_order("b", MATCHING_SELL, 102, 4));
    place(limit_order("b", MATCHING_SELL, 104, 10));
    expect_indicative(102, 12); /* 8 at 100, 12 at 102 and 103, 5 at 104 */
    go(MATCHING_TRADING);
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_BUY, 103), 3);
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_BUY, 105), 0);
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_SELL, 104), 10);
    for (size_t i = 0; i < count_events(&f, MATCHING_EVENT_TRADE); i++) {
        CU_ASSERT_EQUAL(event_of(&f, MATCHING_EVENT_TRADE, i)->event.trade.price_ticks, 102);
    }
    end();
}

static void test_then_the_least_imbalance(void)
{
    begin_auction_after(100); /* which would win if nearness counted first */
    place(limit_order("a", MATCHING_BUY, 103, 10));
    place(limit_order("a", MATCHING_BUY, 101, 5));
    place(limit_order("b", MATCHING_SELL, 100, 10));
    expect_indicative(102, 10); /* 5 are left over at 100 and 101, none at 102 and 103 */
    end();
}

static void test_then_what_is_nearest_the_last_price(void)
{
    static const int64_t lasts[] = {90, 100, 107, 110, 120}, prices[] = {100, 100, 107, 110, 110};
    for (size_t i = 0; i < 5; i++) {
        begin_auction_after(lasts[i]);
        place(limit_order("a", MATCHING_BUY, 110, 10));
        place(limit_order("b", MATCHING_SELL, 100, 10));
        expect_indicative(prices[i], 10);
        go(MATCHING_TRADING);
        CU_ASSERT_EQUAL(event_of(&f, MATCHING_EVENT_TRADE, 0)->event.trade.price_ticks, prices[i]);
        end();
    }
}

static void test_then_the_lowest_price(void)
{
    begin_auction(); /* no trade yet */
    place(limit_order("a", MATCHING_BUY, 110, 10));
    place(limit_order("b", MATCHING_SELL, 100, 10));
    expect_indicative(100, 10);
    end();
    /* 12 against 10 at 104, 10 against 12 at 105. */
    for (int64_t last = 0; last <= 110; last += 110) {
        if (last == 0) {
            begin_auction();
        } else {
            begin_auction_after(last);
        }
        place(limit_order("a", MATCHING_BUY, 105, 10));
        place(limit_order("a", MATCHING_BUY, 104, 2));
        place(limit_order("b", MATCHING_SELL, 104, 10));
        place(limit_order("b", MATCHING_SELL, 105, 2));
        expect_indicative(last == 0 ? 104 : 105, 10);
        end();
    }
}

/* Bids: C 1 at 102; at 101 A, an iceberg of 10 that shows 2, then B with 4. */
static uint64_t a, b, c;

static void three_bids(void)
{
    begin_auction();
    a = place(iceberg_order("a", MATCHING_BUY, 101, 10, 2));
    b = place(limit_order("b", MATCHING_BUY, 101, 4));
    c = place(limit_order("c", MATCHING_BUY, 102, 1));
}

static void test_better_prices_then_shown_lots_then_time(void)
{
    three_bids();
    uint64_t sell = place(limit_order("d", MATCHING_SELL, 100, 6));
    go(MATCHING_TRADING);
    CU_ASSERT_EQUAL(count_events(&f, MATCHING_EVENT_TRADE), 3);
    traded(&f, 0, sell, c, 100, 1);
    traded(&f, 1, sell, a, 100, 2);
    traded(&f, 2, sell, b, 100, 3);
    /* A's slice was spent: the next one stands behind B. */
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_BUY, 101), 1 + 2);
    sell = place(limit_order("d", MATCHING_SELL, 101, 2));
    traded(&f, 0, b, sell, 101, 1);
    traded(&f, 1, a, sell, 101, 1);
    end();
}

static void test_hidden_lots_come_after_all_that_is_shown(void)
{
    three_bids();
    uint64_t sell = place(iceberg_order("d", MATCHING_SELL, 100, 9, 1));
    expect_indicative(100, 9);
    go(MATCHING_TRADING);
    CU_ASSERT_EQUAL(order_now(&f, sell).status, MATCHING_FILLED);
    CU_ASSERT_EQUAL(order_now(&f, b).status, MATCHING_FILLED);
    CU_ASSERT_EQUAL(order_now(&f, a).filled_lots, 4);
    size_t trades = count_events(&f, MATCHING_EVENT_TRADE);
    traded(&f, trades - 1, sell, a, 100, 2);
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_BUY, 101), 2);
    end();
}

static void test_no_side_takes(void)
{
    begin_auction();
    uint64_t buy = place(limit_order("a", MATCHING_BUY, 100, 5));
    uint64_t sell = place(limit_order("b", MATCHING_SELL, 100, 5));
    go(MATCHING_TRADING);
    const fixture_event *trade = event_of(&f, MATCHING_EVENT_TRADE, 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(trade);
    CU_ASSERT_EQUAL(trade->event.side, MATCHING_SIDE_NONE);
    CU_ASSERT_EQUAL(trade->event.trade.taker_order_id, buy);
    CU_ASSERT_EQUAL(trade->event.trade.maker_order_id, sell);
    CU_ASSERT_EQUAL(trade->event.trade.trade_id, 1);
    told(&f, 0, sell, MATCHING_FILLED);
    told(&f, 1, buy, MATCHING_FILLED);
    end();
}

static void test_stops_sleep_until_the_auction_ends(void)
{
    begin_auction_after(100);
    uint64_t stop = place(stop_order("s", MATCHING_BUY, 100, 0, 2)); /* its condition holds */
    CU_ASSERT_EQUAL(order_now(&f, stop).status, MATCHING_UNTRIGGERED);
    uint64_t later = place(stop_order("s", MATCHING_BUY, 105, 0, 1));
    uint64_t buy = place(limit_order("a", MATCHING_BUY, 105, 5));
    uint64_t sell = place(limit_order("b", MATCHING_SELL, 105, 5));
    uint64_t ask = place(limit_order("b", MATCHING_SELL, 110, 3));
    go(MATCHING_TRADING);
    traded(&f, 0, sell, buy, 105, 5);
    traded(&f, 1, ask, stop, 110, 2);
    traded(&f, 2, ask, later, 110, 1);
    /* The market trades again before its stops do. */
    size_t states = 0, at = 0, trades = 0;
    for (; at < f.event_count && states == 0; at++) {
        states += f.events[at].event.kind == MATCHING_EVENT_STATE;
        trades += f.events[at].event.kind == MATCHING_EVENT_TRADE;
    }
    CU_ASSERT_EQUAL(trades, 1);
    end();
}

static void test_the_uncross_sets_the_last_price(void)
{
    begin_auction_after(100);
    place(limit_order("a", MATCHING_BUY, 110, 5));
    place(limit_order("b", MATCHING_SELL, 110, 5));
    go(MATCHING_TRADING);
    uint64_t stop = place(stop_order("s", MATCHING_BUY, 110, 90, 1));
    CU_ASSERT_EQUAL(order_now(&f, stop).status, MATCHING_OPEN);
    end();
}

static void test_self_trade_prevention_sleeps(void)
{
    begin_auction();
    matching_command buy = limit_order("a", MATCHING_BUY, 100, 5);
    matching_command sell = limit_order("a", MATCHING_SELL, 100, 5);
    buy.self_trade = sell.self_trade = MATCHING_STP_CANCEL_BOTH;
    uint64_t one = place(buy), two = place(sell);
    go(MATCHING_TRADING);
    CU_ASSERT_EQUAL(order_now(&f, one).status, MATCHING_FILLED);
    CU_ASSERT_EQUAL(order_now(&f, two).status, MATCHING_FILLED);
    end();
}

static void test_a_crossed_book_trades_again_only_through_an_auction(void)
{
    begin_auction();
    place(limit_order("a", MATCHING_BUY, 105, 5));
    place(limit_order("b", MATCHING_SELL, 100, 5));
    go(MATCHING_HALTED);
    CU_ASSERT_EQUAL(count_events(&f, MATCHING_EVENT_TRADE), 0);
    refused(&f, set_state(0, MATCHING_TRADING), MATCHING_MARKET_HALTED, MATCHING_FIELD_STATE);
    go(MATCHING_AUCTION);
    go(MATCHING_TRADING);
    CU_ASSERT_EQUAL(count_events(&f, MATCHING_EVENT_TRADE), 1);
    end();
}

static void test_changes_work_without_matching(void)
{
    begin_auction();
    uint64_t buy = place(limit_order("a", MATCHING_BUY, 90, 5));
    uint64_t sell = place(limit_order("b", MATCHING_SELL, 100, 5));
    CU_ASSERT_EQUAL(accepted(&f, amend_by_id(buy, 110, 7)).status, MATCHING_OPEN);
    CU_ASSERT_EQUAL(count_events(&f, MATCHING_EVENT_TRADE), 0);
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_BUY, 110), 7);
    place(cancel_by_id(sell));
    go(MATCHING_TRADING);
    CU_ASSERT_EQUAL(count_events(&f, MATCHING_EVENT_TRADE), 0);
    end();
}

static void test_a_post_only_order_that_was_crossed_can_be_reduced(void)
{
    begin();
    matching_command post = limit_order("a", MATCHING_BUY, 100, 5);
    post.flags |= MATCHING_FLAG_POST_ONLY;
    uint64_t order = place(post);
    go(MATCHING_AUCTION);
    place(limit_order("b", MATCHING_SELL, 99, 5));
    CU_ASSERT_EQUAL(accepted(&f, amend_by_id(order, 0, 3)).quantity_lots, 3);
    refused(&f, amend_by_id(order, 101, 0), MATCHING_POST_ONLY_WOULD_CROSS, MATCHING_FIELD_PRICE);
    end();
}

static void test_other_instruments_are_left_alone(void)
{
    begin_auction();
    matching_command here = limit_order("a", MATCHING_BUY, 100, 5), there = here;
    there.instrument = 1;
    place(here);
    place(there);
    matching_command seller = limit_order("b", MATCHING_SELL, 100, 5);
    seller.instrument = 1;
    CU_ASSERT_EQUAL(accepted(&f, seller).status, MATCHING_FILLED);
    end();
}

MATCHING_TESTS(MATCHING_TEST(test_orders_rest_without_matching),
               MATCHING_TEST(test_what_an_auction_lets_in),
               MATCHING_TEST(test_the_most_volume_decides_the_price),
               MATCHING_TEST(test_then_the_least_imbalance),
               MATCHING_TEST(test_then_what_is_nearest_the_last_price),
               MATCHING_TEST(test_then_the_lowest_price),
               MATCHING_TEST(test_better_prices_then_shown_lots_then_time),
               MATCHING_TEST(test_hidden_lots_come_after_all_that_is_shown),
               MATCHING_TEST(test_no_side_takes),
               MATCHING_TEST(test_stops_sleep_until_the_auction_ends),
               MATCHING_TEST(test_the_uncross_sets_the_last_price),
               MATCHING_TEST(test_self_trade_prevention_sleeps),
               MATCHING_TEST(test_a_crossed_book_trades_again_only_through_an_auction),
               MATCHING_TEST(test_changes_work_without_matching),
               MATCHING_TEST(test_a_post_only_order_that_was_crossed_can_be_reduced),
               MATCHING_TEST(test_other_instruments_are_left_alone))
