/* Tests of what takes the engine's short ways: orders with nothing special about them while nobody
 * watches, traders' numbers as hints, brief replies; and of who is told about orders at all. The
 * long ways have the other tests, which hold the short ones against them (twin.h).
 */
#include "fixture.h"
#include "support/cunit_main.h"

static fixture f;
static matching_watch watch;

/* An engine with a watch that nobody uses yet. */
static void begin(void)
{
    matching_engine_limits limits = fixture_limits();
    fixture_init_alone(&f, &limits);
    memset(&watch, 0, sizeof watch);
    f.sink.watch = &watch;
}

static void end(void)
{
    fixture_fini(&f);
}

static void watch_trader(const char *trader)
{
    matching_command named = limit_order(trader, MATCHING_BUY, 1, 1);
    atomic_fetch_add(&watch.watchers, 1);
    atomic_fetch_add(&watch.buckets[matching_watch_bucket(named.trader_id)], 1);
}

/* The command with its trader's number, which an order that comes and goes finds out. */
static matching_command hinted(matching_command command)
{
    char name[MATCHING_TRADER_MAX + 1] = {0};
    memcpy(name, command.trader_id, MATCHING_TRADER_MAX);
    accepted(&f, limit_order(name, MATCHING_BUY, 1, 1));
    command.trader_hint = f.reply.trader;
    accepted(&f, cancel_by_id(f.reply.order.order_id));
    return command;
}

static matching_command immediate(matching_command command)
{
    command.time_in_force = MATCHING_IOC;
    return command;
}

static void test_replies_tell_the_traders_number(void)
{
    begin();
    accepted(&f, limit_order("a", MATCHING_BUY, 90, 5));
    uint32_t a = f.reply.trader;
    CU_ASSERT_STRING_EQUAL(matching_engine_trader(f.engine, a), "a");
    accepted(&f, limit_order("b", MATCHING_BUY, 90, 5));
    uint32_t b = f.reply.trader;
    CU_ASSERT_STRING_EQUAL(matching_engine_trader(f.engine, b), "b");
    matching_command order = limit_order("a", MATCHING_BUY, 91, 5);
    order.trader_hint = a;
    uint64_t id = accepted(&f, order).order_id;
    CU_ASSERT_EQUAL(f.reply.trader, a);
    accepted(&f, amend_by_id(id, 0, 4));
    CU_ASSERT_EQUAL(f.reply.trader, a);
    accepted(&f, cancel_by_id(id));
    CU_ASSERT_EQUAL(f.reply.trader, a);
    end();
}

/* A hint may be anybody's number or nobody's: the name decides. */
static void test_a_wrong_hint_is_not_trusted(void)
{
    static const uint32_t hints[] = {1, 2, 3, 4, 20, 21, 1000000, UINT32_MAX};
    begin();
    accepted(&f, limit_order("a", MATCHING_SELL, 200, 5)); /* number 1 */
    accepted(&f, limit_order("b", MATCHING_SELL, 200, 5)); /* number 2 */
    for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++) {
        matching_command order = limit_order("b", MATCHING_BUY, 100, 5);
        order.trader_hint = hints[i];
        CU_ASSERT_STRING_EQUAL(accepted(&f, order).trader_id, "b");
        CU_ASSERT_EQUAL(f.reply.trader, 2);
    }
    matching_command first = limit_order("c", MATCHING_BUY, 100, 5);
    first.trader_hint = 2;
    CU_ASSERT_STRING_EQUAL(accepted(&f, first).trader_id, "c");
    CU_ASSERT_EQUAL(f.reply.trader, 3);
    end();
}

static void test_orders_are_not_told_while_nobody_watches(void)
{
    begin();
    accepted(&f, hinted(limit_order("a", MATCHING_SELL, 100, 5)));
    CU_ASSERT_EQUAL(f.event_count, 1);
    CU_ASSERT_EQUAL(count_events(&f, MATCHING_EVENT_LEVEL), 1);
    uint64_t id = accepted(&f, hinted(limit_order("b", MATCHING_BUY, 100, 3))).order_id;
    CU_ASSERT_EQUAL(f.event_count, 2);
    CU_ASSERT_EQUAL(count_events(&f, MATCHING_EVENT_TRADE), 1);
    CU_ASSERT_EQUAL(order_now(&f, id).status, MATCHING_FILLED);
    accepted(&f, iceberg_order("a", MATCHING_SELL, 100, 10, 2));
    accepted(&f, hinted(limit_order("b", MATCHING_BUY, 100, 4)));
    CU_ASSERT_EQUAL(count_events(&f, MATCHING_EVENT_TRADE), 2);
    CU_ASSERT_EQUAL(count_events(&f, MATCHING_EVENT_ORDER), 0);
    end();
}

static void test_orders_of_a_watched_trader_are_told(void)
{
    begin();
    uint64_t ask = accepted(&f, hinted(limit_order("a", MATCHING_SELL, 100, 5))).order_id;
    watch_trader("b");
    matching_command order = hinted(limit_order("b", MATCHING_BUY, 100, 3));
    uint64_t bid = accepted(&f, order).order_id;
    CU_ASSERT_EQUAL(count_events(&f, MATCHING_EVENT_ORDER), 1);
    told(&f, 0, bid, MATCHING_FILLED);
    order.price_ticks = 90;
    bid = accepted(&f, order).order_id; /* rests at once */
    told(&f, 0, bid, MATCHING_OPEN);
    accepted(&f, cancel_by_id(bid));
    told(&f, 0, bid, MATCHING_CANCELLED);
    accepted(&f, cancel_by_id(ask));
    CU_ASSERT_EQUAL(count_events(&f, MATCHING_EVENT_ORDER), 0);
    end();
}

/* By one short event for what neither its reply nor a trade tells. */
static void test_changes_of_a_followed_trader_are_told(void)
{
    begin();
    uint64_t ask = accepted(&f, hinted(limit_order("a", MATCHING_SELL, 100, 5))).order_id;
    matching_command order = hinted(limit_order("b", MATCHING_BUY, 100, 3));
    matching_command named = limit_order("b", MATCHING_BUY, 1, 1);
    atomic_fetch_add(&watch.following, 1);
    atomic_fetch_add(&watch.followers[matching_watch_bucket(named.trader_id)], 1);
    accepted(&f, order);
    CU_ASSERT_EQUAL(f.event_count, 2); /* the trade and the level */
    order.price_ticks = 90;
    uint64_t bid = accepted(&f, order).order_id;
    CU_ASSERT_EQUAL(f.event_count, 1);
    accepted(&f, immediate(limit_order("a", MATCHING_SELL, 90, 1)));
    CU_ASSERT_EQUAL(f.event_count, 2);
    accepted(&f, cancel_by_id(bid));
    CU_ASSERT_EQUAL(f.event_count, 2);
    const fixture_event *change = event_of(&f, MATCHING_EVENT_CHANGE, 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(change);
    CU_ASSERT_EQUAL(change->event.change.order_id, bid);
    CU_ASSERT_EQUAL(change->event.change.status, MATCHING_CANCELLED);
    CU_ASSERT_EQUAL(change->event.change.reason, MATCHING_REASON_USER);
    CU_ASSERT_EQUAL(change->event.change.quantity_lots, 3);
    CU_ASSERT_EQUAL(change->event.change.filled_lots, 1);
    CU_ASSERT_EQUAL(change->event.change.price_ticks, 90);
    accepted(&f, cancel_by_id(ask));
    CU_ASSERT_EQUAL(count_events(&f, MATCHING_EVENT_CHANGE), 0);
    end();
}

/* Neither its taker nor those before and behind it in the queue. */
static void test_a_watched_maker_is_told_whoever_takes_it(void)
{
    begin();
    accepted(&f, limit_order("a", MATCHING_SELL, 100, 2));
    uint64_t watched = accepted(&f, limit_order("b", MATCHING_SELL, 100, 3)).order_id;
    accepted(&f, limit_order("a", MATCHING_SELL, 100, 4));
    watch_trader("b");
    accepted(&f, hinted(limit_order("c", MATCHING_BUY, 100, 9)));
    CU_ASSERT_EQUAL(count_events(&f, MATCHING_EVENT_TRADE), 3);
    CU_ASSERT_EQUAL(count_events(&f, MATCHING_EVENT_ORDER), 1);
    told(&f, 0, watched, MATCHING_FILLED);
    end();
}

static void test_all_orders_are_told_to_who_wants_everybodys(void)
{
    begin();
    atomic_fetch_add(&watch.watchers, 1);
    atomic_fetch_add(&watch.everybody, 1);
    uint64_t ask = accepted(&f, hinted(limit_order("a", MATCHING_SELL, 100, 5))).order_id;
    told(&f, 0, ask, MATCHING_OPEN);
    uint64_t bid = accepted(&f, hinted(limit_order("b", MATCHING_BUY, 100, 3))).order_id;
    told(&f, 0, ask, MATCHING_PARTIAL);
    told(&f, 1, bid, MATCHING_FILLED);
    end();
}

/* The reply to a mass cancel is made of them. */
static void test_a_mass_cancel_tells_its_orders_to_nobody_too(void)
{
    begin();
    accepted(&f, limit_order("a", MATCHING_SELL, 100, 5));
    accepted(&f, limit_order("a", MATCHING_SELL, 101, 5));
    fixture_apply(&f, cancel_all("a"));
    CU_ASSERT_EQUAL(count_events(&f, MATCHING_EVENT_ORDER), 2);
    end();
}

/* Only what MATCHING_FLAG_BRIEF promises; the fixture's reply is all zero beforehand. */
static void check_brief(matching_command command, matching_status status, int64_t filled)
{
    command.flags |= MATCHING_FLAG_BRIEF;
    matching_order brief = accepted(&f, command), whole = order_now(&f, brief.order_id);
    CU_ASSERT_EQUAL(brief.status, status);
    CU_ASSERT_EQUAL(brief.status, whole.status);
    CU_ASSERT_EQUAL(brief.reason, whole.reason);
    CU_ASSERT_EQUAL(brief.filled_lots, filled);
    CU_ASSERT_EQUAL(brief.filled_lots, whole.filled_lots);
    CU_ASSERT_EQUAL(brief.price_ticks, whole.price_ticks);
    CU_ASSERT_EQUAL(brief.quantity_lots, whole.quantity_lots);
    CU_ASSERT_EQUAL(brief.instrument, whole.instrument);
    CU_ASSERT_EQUAL(brief.side, whole.side);
    CU_ASSERT_EQUAL(brief.type, whole.type);
    CU_ASSERT_STRING_EQUAL(brief.client_order_id, whole.client_order_id);
    CU_ASSERT_EQUAL(brief.created_ns, 0);
    CU_ASSERT_EQUAL(brief.trader_id[0], 0);
}

static void test_brief_replies_tell_a_part(void)
{
    begin();
    matching_command sell = hinted(limit_order("a", MATCHING_SELL, 100, 5));
    sell.instrument = 1;
    check_brief(sell, MATCHING_OPEN, 0);
    uint64_t ask = f.reply.order.order_id;
    matching_command buy = hinted(limit_order("b", MATCHING_BUY, 100, 3));
    buy.instrument = 1;
    check_brief(buy, MATCHING_FILLED, 3);
    check_brief(amend_by_id(ask, 0, 6), MATCHING_PARTIAL, 3);
    check_brief(cancel_by_id(ask), MATCHING_CANCELLED, 3);
    set_client_id(&buy, "mine");
    check_brief(buy, MATCHING_OPEN, 0);
    check_brief(cancel_by_id(f.reply.order.order_id), MATCHING_CANCELLED, 0);
    end();
}

static void test_what_cannot_rest_ends_on_the_short_way_too(void)
{
    begin();
    accepted(&f, limit_order("a", MATCHING_SELL, 100, 5));
    accepted(&f, limit_order("a", MATCHING_SELL, 102, 5));
    matching_order order = accepted(&f, hinted(immediate(limit_order("b", MATCHING_BUY, 101, 8))));
    CU_ASSERT_EQUAL(order.status, MATCHING_CANCELLED);
    CU_ASSERT_EQUAL(order.reason, MATCHING_REASON_IOC);
    CU_ASSERT_EQUAL(order.filled_lots, 5);
    order = accepted(&f, hinted(market_order("b", MATCHING_BUY, 8)));
    CU_ASSERT_EQUAL(order.reason, MATCHING_REASON_NO_LIQUIDITY);
    CU_ASSERT_TRUE(order.notional == 5 * 102);
    order = accepted(&f, hinted(limit_order("b", MATCHING_BUY, 101, 8)));
    CU_ASSERT_EQUAL(order.status, MATCHING_OPEN);
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_BUY, 101), 8);
    end();
}

/* One after the other, the oldest first; then an iceberg and an own order in the same queue. */
static void test_a_sweep_takes_makers_by_age(void)
{
    begin();
    uint64_t a = accepted(&f, limit_order("a", MATCHING_SELL, 100, 2)).order_id;
    uint64_t b = accepted(&f, limit_order("b", MATCHING_SELL, 100, 3)).order_id;
    uint64_t ice = accepted(&f, iceberg_order("a", MATCHING_SELL, 100, 10, 2)).order_id;
    uint64_t own = accepted(&f, limit_order("c", MATCHING_SELL, 100, 4)).order_id;
    uint64_t last = accepted(&f, limit_order("a", MATCHING_SELL, 100, 5)).order_id;
    matching_command order = hinted(limit_order("c", MATCHING_BUY, 100, 30));
    order.self_trade = MATCHING_STP_CANCEL_MAKER;
    uint64_t taker = accepted(&f, order).order_id;
    traded(&f, 0, a, taker, 100, 2);
    traded(&f, 1, b, taker, 100, 3);
    traded(&f, 2, ice, taker, 100, 2);
    traded(&f, 3, last, taker, 100, 5);
    traded(&f, 4, ice, taker, 100, 2);
    CU_ASSERT_EQUAL(count_events(&f, MATCHING_EVENT_TRADE), 8);
    CU_ASSERT_EQUAL(count_events(&f, MATCHING_EVENT_ORDER), 0);
    CU_ASSERT_EQUAL(count_events(&f, MATCHING_EVENT_LEVEL), 2);
    CU_ASSERT_EQUAL(order_now(&f, own).reason, MATCHING_REASON_SELF_TRADE);
    CU_ASSERT_EQUAL(order_now(&f, taker).filled_lots, 20);
    end();
}

MATCHING_TESTS(MATCHING_TEST(test_replies_tell_the_traders_number),
               MATCHING_TEST(test_a_wrong_hint_is_not_trusted),
               MATCHING_TEST(test_orders_are_not_told_while_nobody_watches),
               MATCHING_TEST(test_orders_of_a_watched_trader_are_told),
               MATCHING_TEST(test_changes_of_a_followed_trader_are_told),
               MATCHING_TEST(test_a_watched_maker_is_told_whoever_takes_it),
               MATCHING_TEST(test_all_orders_are_told_to_who_wants_everybodys),
               MATCHING_TEST(test_a_mass_cancel_tells_its_orders_to_nobody_too),
               MATCHING_TEST(test_brief_replies_tell_a_part),
               MATCHING_TEST(test_what_cannot_rest_ends_on_the_short_way_too),
               MATCHING_TEST(test_a_sweep_takes_makers_by_age))
