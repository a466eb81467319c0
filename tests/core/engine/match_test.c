/* Tests of matching itself: who trades with whom, at which price, and what is told about it. */
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

/* The index-th trade of the last command. */
static void expect_trade(size_t index, uint64_t trade_id, uint64_t maker, uint64_t taker,
                         int64_t price, int64_t lots)
{
    const fixture_event *event = event_of(&f, MATCHING_EVENT_TRADE, index);
    CU_ASSERT_PTR_NOT_NULL_FATAL(event);
    CU_ASSERT_EQUAL(event->event.trade.trade_id, trade_id);
    CU_ASSERT_EQUAL(event->event.trade.maker_order_id, maker);
    CU_ASSERT_EQUAL(event->event.trade.taker_order_id, taker);
    CU_ASSERT_EQUAL(event->event.trade.price_ticks, price);
    CU_ASSERT_EQUAL(event->event.trade.quantity_lots, lots);
}

static void test_price_time_priority(void)
{
    begin();
    uint64_t late = accepted(&f, limit_order("a", MATCHING_SELL, 101, 5)).order_id;
    uint64_t first = accepted(&f, limit_order("a", MATCHING_SELL, 100, 5)).order_id;
    uint64_t second = accepted(&f, limit_order("b", MATCHING_SELL, 100, 5)).order_id;
    uint64_t best = accepted(&f, limit_order("c", MATCHING_SELL, 99, 5)).order_id;
    uint64_t taker = accepted(&f, limit_order("d", MATCHING_BUY, 101, 17)).order_id;
    CU_ASSERT_EQUAL(count_events(&f, MATCHING_EVENT_TRADE), 4);
    expect_trade(0, 1, best, taker, 99, 5);
    expect_trade(1, 2, first, taker, 100, 5);
    expect_trade(2, 3, second, taker, 100, 5);
    expect_trade(3, 4, late, taker, 101, 2);
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_SELL, 101), 3);
    end();
}

static void test_price_time_priority_of_bids(void)
{
    begin();
    uint64_t worst = accepted(&f, limit_order("a", MATCHING_BUY, 99, 5)).order_id;
    uint64_t first = accepted(&f, limit_order("a", MATCHING_BUY, 100, 5)).order_id;
    uint64_t second = accepted(&f, limit_order("b", MATCHING_BUY, 100, 5)).order_id;
    uint64_t best = accepted(&f, limit_order("c", MATCHING_BUY, 101, 5)).order_id;
    uint64_t taker = accepted(&f, limit_order("d", MATCHING_SELL, 99, 17)).order_id;
    CU_ASSERT_EQUAL(count_events(&f, MATCHING_EVENT_TRADE), 4);
    expect_trade(0, 1, best, taker, 101, 5);
    expect_trade(1, 2, first, taker, 100, 5);
    expect_trade(2, 3, second, taker, 100, 5);
    expect_trade(3, 4, worst, taker, 99, 2);
    end();
}

static void test_trade_prints_at_makers_price(void)
{
    begin();
    uint64_t ask = accepted(&f, limit_order("a", MATCHING_SELL, 100, 5)).order_id;
    uint64_t buyer = accepted(&f, limit_order("b", MATCHING_BUY, 500, 5)).order_id;
    expect_trade(0, 1, ask, buyer, 100, 5);
    uint64_t bid = accepted(&f, limit_order("a", MATCHING_BUY, 100, 5)).order_id;
    uint64_t seller = accepted(&f, limit_order("b", MATCHING_SELL, 1, 5)).order_id;
    expect_trade(0, 2, bid, seller, 100, 5);
    end();
}

static void test_prices_that_do_not_meet_rest(void)
{
    begin();
    accepted(&f, limit_order("a", MATCHING_SELL, 101, 5));
    matching_order bid = accepted(&f, limit_order("b", MATCHING_BUY, 100, 5));
    CU_ASSERT_EQUAL(bid.status, MATCHING_OPEN);
    CU_ASSERT_EQUAL(count_events(&f, MATCHING_EVENT_TRADE), 0);
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_BUY, 100), 5);
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_SELL, 101), 5);
    end();
}

/* A partly filled maker stays at the head of its queue. */
static void test_partial_fill_keeps_priority(void)
{
    begin();
    uint64_t first = accepted(&f, limit_order("a", MATCHING_SELL, 100, 10)).order_id;
    accepted(&f, limit_order("b", MATCHING_SELL, 100, 10));
    accepted(&f, limit_order("c", MATCHING_BUY, 100, 4));
    uint64_t taker = accepted(&f, limit_order("c", MATCHING_BUY, 100, 6)).order_id;
    expect_trade(0, 2, first, taker, 100, 6);
    CU_ASSERT_EQUAL(count_events(&f, MATCHING_EVENT_TRADE), 1);
    end();
}

static void test_remainder_of_a_limit_order_rests_at_its_own_price(void)
{
    begin();
    accepted(&f, limit_order("a", MATCHING_SELL, 100, 4));
    matching_order taker = accepted(&f, limit_order("b", MATCHING_BUY, 103, 10));
    CU_ASSERT_EQUAL(taker.status, MATCHING_PARTIAL);
    CU_ASSERT_EQUAL(taker.filled_lots, 4);
    CU_ASSERT_EQUAL(taker.price_ticks, 103);
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_BUY, 103), 6);
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_SELL, 100), 0);
    end();
}

/* An order trades with its owner's own order: self-trade prevention is off unless asked for. */
static void test_own_orders_trade(void)
{
    begin();
    uint64_t maker = accepted(&f, limit_order("a", MATCHING_SELL, 100, 4)).order_id;
    matching_order taker = accepted(&f, limit_order("a", MATCHING_BUY, 100, 4));
    CU_ASSERT_EQUAL(taker.status, MATCHING_FILLED);
    expect_trade(0, 1, maker, taker.order_id, 100, 4);
    end();
}

static void test_instruments_do_not_touch_each_other(void)
{
    begin();
    accepted(&f, limit_order("a", MATCHING_SELL, 100, 4));
    matching_command command = limit_order("b", MATCHING_BUY, 100, 4);
    command.instrument = 1;
    CU_ASSERT_EQUAL(accepted(&f, command).status, MATCHING_OPEN);
    command = limit_order("c", MATCHING_SELL, 100, 4);
    command.instrument = 1;
    accepted(&f, command);
    CU_ASSERT_EQUAL(event_of(&f, MATCHING_EVENT_TRADE, 0)->event.trade.trade_id, 1);
    CU_ASSERT_EQUAL(event_of(&f, MATCHING_EVENT_TRADE, 0)->event.instrument, 1);
    accepted(&f, limit_order("b", MATCHING_BUY, 100, 4));
    CU_ASSERT_EQUAL(event_of(&f, MATCHING_EVENT_TRADE, 0)->event.trade.trade_id, 1);
    CU_ASSERT_EQUAL(event_of(&f, MATCHING_EVENT_TRADE, 0)->event.instrument, 0);
    end();
}

static void test_trade_ids_have_no_gaps(void)
{
    begin();
    for (uint64_t i = 1; i <= 30; i++) {
        accepted(&f, limit_order("a", MATCHING_SELL, 100, 1));
        refused(&f, cancel_by_id(MATCHING_ORDER_ID_MAX), MATCHING_ORDER_NOT_FOUND,
                MATCHING_FIELD_ORDER_ID);
        accepted(&f, market_order("b", MATCHING_BUY, 1));
        CU_ASSERT_EQUAL(event_of(&f, MATCHING_EVENT_TRADE, 0)->event.trade.trade_id, i);
    }
    end();
}

static void expect_update(size_t index, uint64_t order_id, uint64_t trade_id, int64_t last_price,
                          int64_t last_quantity, matching_status status, int64_t filled)
{
    const fixture_event *event = event_of(&f, MATCHING_EVENT_ORDER, index);
    CU_ASSERT_PTR_NOT_NULL_FATAL(event);
    CU_ASSERT_EQUAL(event->event.order.order_id, order_id);
    CU_ASSERT_EQUAL(event->order.order_id, order_id);
    CU_ASSERT_EQUAL(event->event.order.trade_id, trade_id);
    CU_ASSERT_EQUAL(event->event.order.last_price_ticks, last_price);
    CU_ASSERT_EQUAL(event->event.order.last_quantity_lots, last_quantity);
    CU_ASSERT_EQUAL(event->order.status, status);
    CU_ASSERT_EQUAL(event->order.filled_lots, filled);
}

/* Of each trade: the trade, the maker's update, the taker's, each with the state right after it. */
static void test_updates_follow_their_trade(void)
{
    begin();
    uint64_t one = accepted(&f, limit_order("a", MATCHING_SELL, 100, 4)).order_id;
    expect_update(0, one, 0, 0, 0, MATCHING_OPEN, 0);
    CU_ASSERT_EQUAL(count_events(&f, MATCHING_EVENT_ORDER), 1);
    uint64_t two = accepted(&f, limit_order("b", MATCHING_SELL, 101, 4)).order_id;
    uint64_t taker = accepted(&f, limit_order("c", MATCHING_BUY, 101, 6)).order_id;

    static const uint8_t kinds[] = {MATCHING_EVENT_TRADE, MATCHING_EVENT_ORDER,
                                    MATCHING_EVENT_ORDER};
    size_t seen = 0;
    for (size_t i = 0; i < f.event_count; i++) {
        if (f.events[i].event.kind != MATCHING_EVENT_LEVEL) {
            CU_ASSERT_EQUAL(f.events[i].event.kind, kinds[seen % 3]);
            seen++;
        }
    }
    CU_ASSERT_EQUAL(seen, 6);
    expect_update(0, one, 1, 100, 4, MATCHING_FILLED, 4);
    expect_update(1, taker, 1, 100, 4, MATCHING_PARTIAL, 4);
    expect_update(2, two, 2, 101, 2, MATCHING_PARTIAL, 2);
    expect_update(3, taker, 2, 101, 2, MATCHING_FILLED, 6);
    end();
}

/* What a fill changed last has been told; what else changed the taker is told once more. */
static void test_taker_has_a_last_update_only_if_something_else_changed_it(void)
{
    begin();
    accepted(&f, limit_order("a", MATCHING_SELL, 100, 4));
    uint64_t rests = accepted(&f, limit_order("b", MATCHING_BUY, 100, 6)).order_id;
    CU_ASSERT_EQUAL(count_events(&f, MATCHING_EVENT_ORDER), 2);
    expect_update(1, rests, 1, 100, 4, MATCHING_PARTIAL, 4);

    matching_command command = limit_order("c", MATCHING_SELL, 100, 6);
    command.time_in_force = MATCHING_IOC;
    uint64_t ioc = accepted(&f, command).order_id;
    CU_ASSERT_EQUAL(count_events(&f, MATCHING_EVENT_ORDER), 3);
    expect_update(1, ioc, 2, 100, 2, MATCHING_PARTIAL, 2);
    expect_update(2, ioc, 0, 0, 0, MATCHING_CANCELLED, 2);
    end();
}

static void test_level_events_tell_totals_and_what_is_gone(void)
{
    begin();
    accepted(&f, limit_order("a", MATCHING_SELL, 100, 4));
    accepted(&f, limit_order("b", MATCHING_SELL, 100, 5));
    const matching_event *level = &event_of(&f, MATCHING_EVENT_LEVEL, 0)->event;
    CU_ASSERT_EQUAL(level->side, MATCHING_SELL);
    CU_ASSERT_EQUAL(level->level.price_ticks, 100);
    CU_ASSERT_EQUAL(level->level.total_lots, 9);
    CU_ASSERT_EQUAL(level->level.orders, 2);
    CU_ASSERT_EQUAL(level->level.depth_sequence, 2);
    accepted(&f, market_order("c", MATCHING_BUY, 20));
    size_t count = count_events(&f, MATCHING_EVENT_LEVEL);
    CU_ASSERT_TRUE_FATAL(count > 0);
    level = &event_of(&f, MATCHING_EVENT_LEVEL, count - 1)->event;
    CU_ASSERT_EQUAL(level->level.total_lots, 0);
    CU_ASSERT_EQUAL(level->level.orders, 0);
    CU_ASSERT_EQUAL(level->level.depth_sequence, 2 + count);
    end();
}

/* 10^15 - 1 ticks times 10^15 - 1 lots does not fit 64 bits; several such fills must add up. */
static void test_notional_is_exact_for_huge_values(void)
{
    begin();
    matching_wide product = (matching_wide)MATCHING_TICKS_MAX * MATCHING_LOTS_MAX;
    accepted(&f, limit_order("a", MATCHING_SELL, MATCHING_TICKS_MAX, MATCHING_LOTS_MAX));
    matching_order taker =
        accepted(&f, limit_order("b", MATCHING_BUY, MATCHING_TICKS_MAX, MATCHING_LOTS_MAX));
    CU_ASSERT_TRUE(taker.notional == product);
    CU_ASSERT_EQUAL(taker.filled_lots, MATCHING_LOTS_MAX);

    matching_order maker = accepted(&f, limit_order("a", MATCHING_SELL, 1, MATCHING_LOTS_MAX));
    for (int i = 0; i < 3; i++) {
        accepted(&f, limit_order("b", MATCHING_BUY, MATCHING_TICKS_MAX, 333333333333333));
    }
    CU_ASSERT_TRUE(read_order(&f, read_by_id(maker.order_id), &maker));
    CU_ASSERT_EQUAL(maker.status, MATCHING_FILLED);
    CU_ASSERT_TRUE(maker.notional == MATCHING_LOTS_MAX);

    accepted(&f, limit_order("a", MATCHING_SELL, MATCHING_TICKS_MAX - 1, 1));
    accepted(&f, limit_order("a", MATCHING_SELL, MATCHING_TICKS_MAX, MATCHING_LOTS_MAX - 1));
    taker = accepted(&f, market_order("b", MATCHING_BUY, MATCHING_LOTS_MAX));
    CU_ASSERT_TRUE(taker.notional == product - 1);
    end();
}

/* The sum of a level is wider than any single quantity. */
static void test_level_totals_do_not_overflow(void)
{
    matching_engine_limits limits = fixture_limits();
    limits.max_orders = 12000;
    limits.max_levels = 1;
    fixture_init(&f, &limits);
    for (int i = 0; i < 10000; i++) {
        fixture_apply_unchecked(
            &f, limit_order("a", MATCHING_SELL, MATCHING_TICKS_MAX, MATCHING_LOTS_MAX));
        CU_ASSERT_EQUAL_FATAL(f.reply.code, MATCHING_OK);
    }
    matching_level bids[1], asks[1];
    matching_depth depth = {.bids = bids, .asks = asks};
    matching_engine_read_depth(f.engine, 0, 1, &depth);
    CU_ASSERT_EQUAL_FATAL(depth.ask_count, 1);
    CU_ASSERT_TRUE(asks[0].total_lots == (matching_wide)MATCHING_LOTS_MAX * 10000);
    CU_ASSERT_EQUAL(asks[0].orders, 10000);
    CU_ASSERT_PTR_NULL(matching_engine_check(f.engine));
    end();
}

/* One command that empties a long book: events by far outnumber the ring. */
static void test_a_sweep_through_a_long_book(void)
{
    matching_engine_limits limits = fixture_limits();
    limits.max_orders = limits.max_levels = 5000;
    fixture_init(&f, &limits);
    for (int i = 0; i < 5000; i++) {
        /* 2003 is prime: levels come in no order at all */
        fixture_apply_unchecked(&f,
                                limit_order("a", MATCHING_SELL, 1 + i * 2003 % 5000, 1 + i % 7));
        CU_ASSERT_EQUAL_FATAL(f.reply.code, MATCHING_OK);
    }
    CU_ASSERT_PTR_NULL_FATAL(matching_engine_check(f.engine));
    matching_order taker = accepted(&f, market_order("b", MATCHING_BUY, MATCHING_LOTS_MAX));
    CU_ASSERT_EQUAL(count_events(&f, MATCHING_EVENT_TRADE), 5000);
    CU_ASSERT_EQUAL(taker.status, MATCHING_CANCELLED);
    int64_t last = 0;
    for (size_t i = 0; i < f.event_count; i++) {
        if (f.events[i].event.kind == MATCHING_EVENT_TRADE) {
            CU_ASSERT_TRUE(f.events[i].event.trade.price_ticks == last + 1);
            last = f.events[i].event.trade.price_ticks;
        }
    }
    CU_ASSERT_EQUAL(last, 5000);
    end();
}

MATCHING_TESTS(MATCHING_TEST(test_price_time_priority),
               MATCHING_TEST(test_price_time_priority_of_bids),
               MATCHING_TEST(test_trade_prints_at_makers_price),
               MATCHING_TEST(test_prices_that_do_not_meet_rest),
               MATCHING_TEST(test_partial_fill_keeps_priority),
               MATCHING_TEST(test_remainder_of_a_limit_order_rests_at_its_own_price),
               MATCHING_TEST(test_own_orders_trade),
               MATCHING_TEST(test_instruments_do_not_touch_each_other),
               MATCHING_TEST(test_trade_ids_have_no_gaps),
               MATCHING_TEST(test_updates_follow_their_trade),
               MATCHING_TEST(test_taker_has_a_last_update_only_if_something_else_changed_it),
               MATCHING_TEST(test_level_events_tell_totals_and_what_is_gone),
               MATCHING_TEST(test_notional_is_exact_for_huge_values),
               MATCHING_TEST(test_level_totals_do_not_overflow),
               MATCHING_TEST(test_a_sweep_through_a_long_book))
