/* Tests of good-till-date orders: they end by time, before whatever comes next. */
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

/* A limit order that expires so many milliseconds after the last command. */
static matching_command lasting(matching_command command, uint64_t milliseconds)
{
    command.time_in_force = MATCHING_GTD;
    command.expire_time_ms = now_ms(&f) + milliseconds;
    return command;
}

static void tick(uint64_t time_ms)
{
    const matching_reply *reply = fixture_apply(&f, tick_at(time_ms));
    CU_ASSERT_EQUAL(reply->code, MATCHING_OK);
    CU_ASSERT_FALSE(reply->has_order);
}

static void test_a_tick_ends_what_is_due(void)
{
    begin();
    matching_order order = accepted(&f, lasting(limit_order("a", MATCHING_BUY, 100, 5), 10));
    CU_ASSERT_EQUAL(order.status, MATCHING_OPEN);
    CU_ASSERT_EQUAL(matching_engine_next_expiry(f.engine), order.expire_time_ms);
    tick(order.expire_time_ms - 1);
    CU_ASSERT_EQUAL(f.event_count, 0);
    tick(order.expire_time_ms);
    told(&f, 0, order.order_id, MATCHING_CANCELLED);
    CU_ASSERT_EQUAL(order_now(&f, order.order_id).reason, MATCHING_REASON_EXPIRED);
    CU_ASSERT_EQUAL(order_now(&f, order.order_id).updated_ns, f.time_ns);
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_BUY, 100), 0);
    CU_ASSERT_EQUAL(matching_engine_next_expiry(f.engine), 0);
    end();
}

static void test_expiry_comes_before_the_command(void)
{
    begin();
    uint64_t resting = place(lasting(limit_order("a", MATCHING_BUY, 100, 5), 10));
    matching_command seller = limit_order("b", MATCHING_SELL, 100, 5);
    seller.time_ns = f.time_ns + 10000000;
    matching_order order = accepted(&f, seller);
    CU_ASSERT_EQUAL(order.filled_lots, 0);
    told(&f, 0, resting, MATCHING_CANCELLED);
    told(&f, 1, order.order_id, MATCHING_OPEN);
    end();
}

static void test_an_order_can_be_hit_until_it_is_due(void)
{
    begin();
    place(lasting(limit_order("a", MATCHING_BUY, 100, 5), 10));
    matching_command seller = limit_order("b", MATCHING_SELL, 100, 5);
    seller.time_ns = f.time_ns + 9000000;
    CU_ASSERT_EQUAL(accepted(&f, seller).status, MATCHING_FILLED);
    end();
}

static void test_orders_expire_by_time_then_id(void)
{
    begin();
    uint64_t late = place(lasting(limit_order("a", MATCHING_BUY, 100, 1), 30));
    uint64_t first = place(lasting(limit_order("a", MATCHING_BUY, 101, 1), 10));
    matching_command other = lasting(limit_order("b", MATCHING_SELL, 200, 1), 20);
    other.instrument = 2;
    uint64_t middle = place(other);
    uint64_t second = place(lasting(limit_order("a", MATCHING_BUY, 99, 1), 10));
    tick(now_ms(&f) + 100); /* all at once, in every instrument */
    CU_ASSERT_EQUAL(count_events(&f, MATCHING_EVENT_ORDER), 4);
    told(&f, 0, first, MATCHING_CANCELLED);
    told(&f, 1, second, MATCHING_CANCELLED);
    told(&f, 2, middle, MATCHING_CANCELLED);
    told(&f, 3, late, MATCHING_CANCELLED);
    end();
}

static void test_a_time_that_has_come_is_refused(void)
{
    begin();
    matching_command command = limit_order("a", MATCHING_BUY, 100, 1);
    command.time_in_force = MATCHING_GTD;
    command.expire_time_ms = now_ms(&f);
    refused(&f, command, MATCHING_INVALID_PARAMETER, MATCHING_FIELD_EXPIRE_TIME);
    fixture_apply(&f, set_state(0, MATCHING_HALTED));
    refused(&f, command, MATCHING_INVALID_PARAMETER, MATCHING_FIELD_EXPIRE_TIME);
    command.expire_time_ms++;
    refused(&f, command, MATCHING_MARKET_HALTED, MATCHING_FIELD_NONE);
    fixture_apply(&f, set_state(0, MATCHING_TRADING));
    accepted(&f, command);
    end();
}

static void test_orders_expire_in_every_state(void)
{
    static const matching_state states[] = {MATCHING_HALTED, MATCHING_AUCTION};
    for (size_t i = 0; i < 2; i++) {
        begin();
        uint64_t order = place(lasting(limit_order("a", MATCHING_BUY, 100, 1), 10));
        fixture_apply(&f, set_state(0, states[i]));
        tick(now_ms(&f) + 10);
        told(&f, 0, order, MATCHING_CANCELLED);
        end();
    }
}

static void test_stops_expire_while_they_wait_and_after(void)
{
    begin();
    uint64_t waiting = place(lasting(stop_order("a", MATCHING_BUY, 110, 0, 1), 10));
    uint64_t triggered = place(lasting(stop_order("a", MATCHING_BUY, 100, 90, 1), 20));
    place(limit_order("m", MATCHING_BUY, 100, 1));
    place(limit_order("n", MATCHING_SELL, 100, 1));
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_BUY, 90), 1);
    tick(now_ms(&f) + 10);
    CU_ASSERT_EQUAL(order_now(&f, waiting).reason, MATCHING_REASON_EXPIRED);
    CU_ASSERT_EQUAL(order_now(&f, triggered).status, MATCHING_OPEN);
    tick(now_ms(&f) + 10);
    CU_ASSERT_EQUAL(order_now(&f, triggered).reason, MATCHING_REASON_EXPIRED);
    end();
}

static void test_a_refused_command_lets_time_pass_too(void)
{
    begin();
    uint64_t order = place(lasting(limit_order("a", MATCHING_BUY, 100, 1), 10));
    matching_command cancel = cancel_by_id(order); /* comes too late */
    cancel.time_ns = f.time_ns + 10000000;
    CU_ASSERT_EQUAL(fixture_apply(&f, cancel)->code, MATCHING_ORDER_NOT_FOUND);
    told(&f, 0, order, MATCHING_CANCELLED);
    CU_ASSERT_EQUAL(order_now(&f, order).reason, MATCHING_REASON_EXPIRED);
    end();
}

static void test_ended_orders_do_not_expire(void)
{
    begin();
    uint64_t filled = place(lasting(limit_order("a", MATCHING_BUY, 100, 1), 10));
    uint64_t cancelled = place(lasting(limit_order("a", MATCHING_BUY, 90, 1), 20));
    matching_order kept = accepted(&f, lasting(limit_order("a", MATCHING_BUY, 80, 1), 30));
    place(market_order("b", MATCHING_SELL, 1));
    place(cancel_by_id(cancelled));
    CU_ASSERT_EQUAL(matching_engine_next_expiry(f.engine), kept.expire_time_ms);
    tick(kept.expire_time_ms);
    CU_ASSERT_EQUAL(count_events(&f, MATCHING_EVENT_ORDER), 1);
    CU_ASSERT_EQUAL(order_now(&f, filled).status, MATCHING_FILLED);
    CU_ASSERT_EQUAL(order_now(&f, cancelled).reason, MATCHING_REASON_USER);
    end();
}

static void test_an_expired_order_tells_what_it_filled(void)
{
    begin();
    uint64_t order = place(lasting(iceberg_order("a", MATCHING_BUY, 100, 9, 2), 10));
    place(market_order("b", MATCHING_SELL, 3));
    tick(now_ms(&f) + 10);
    matching_order now = order_now(&f, order);
    CU_ASSERT_EQUAL(now.status, MATCHING_CANCELLED);
    CU_ASSERT_EQUAL(now.filled_lots, 3);
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_BUY, 100), 0);
    end();
}

MATCHING_TESTS(MATCHING_TEST(test_a_tick_ends_what_is_due),
               MATCHING_TEST(test_expiry_comes_before_the_command),
               MATCHING_TEST(test_an_order_can_be_hit_until_it_is_due),
               MATCHING_TEST(test_orders_expire_by_time_then_id),
               MATCHING_TEST(test_a_time_that_has_come_is_refused),
               MATCHING_TEST(test_orders_expire_in_every_state),
               MATCHING_TEST(test_stops_expire_while_they_wait_and_after),
               MATCHING_TEST(test_a_refused_command_lets_time_pass_too),
               MATCHING_TEST(test_ended_orders_do_not_expire),
               MATCHING_TEST(test_an_expired_order_tells_what_it_filled))
