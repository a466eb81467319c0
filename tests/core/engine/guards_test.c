/* Guarded orders end when the service died; the limits that a journal begins with. */
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

static const matching_reply *apply_own(matching_command_type type)
{
    return fixture_apply(&f, (matching_command){.type = (uint8_t)type});
}

static void test_guarded_orders_end_by_trader_and_age(void)
{
    begin();
    uint64_t a1 = accepted(&f, guarded(limit_order("a", MATCHING_BUY, 90, 5))).order_id;
    uint64_t b1 = accepted(&f, guarded(limit_order("b", MATCHING_SELL, 110, 5))).order_id;
    uint64_t a2 = accepted(&f, limit_order("a", MATCHING_BUY, 91, 5)).order_id;
    uint64_t a3 = accepted(&f, guarded(limit_order("a", MATCHING_SELL, 111, 5))).order_id;
    matching_command elsewhere = guarded(limit_order("b", MATCHING_BUY, 7, 5));
    elsewhere.instrument = 2;
    uint64_t b2 = accepted(&f, elsewhere).order_id;
    const matching_reply *reply = apply_own(MATCHING_CANCEL_GUARDED);
    CU_ASSERT_EQUAL(reply->code, MATCHING_OK);
    CU_ASSERT_FALSE(reply->has_order);
    uint64_t ended[] = {a1, a3, b1, b2};
    CU_ASSERT_EQUAL(count_events(&f, MATCHING_EVENT_ORDER), 4);
    for (size_t i = 0; i < 4; i++) {
        told(&f, i, ended[i], MATCHING_CANCELLED);
        CU_ASSERT_EQUAL(order_now(&f, ended[i]).reason, MATCHING_REASON_DISCONNECT);
    }
    CU_ASSERT_EQUAL(order_now(&f, a2).status, MATCHING_OPEN);
    CU_ASSERT_EQUAL(apply_own(MATCHING_CANCEL_GUARDED)->code, MATCHING_OK);
    CU_ASSERT_EQUAL(f.event_count, 0); /* nothing is left to end */
    end();
}

static void test_every_kind_of_working_order_can_be_guarded(void)
{
    begin();
    uint64_t buy = accepted(&f, guarded(limit_order("a", MATCHING_BUY, 100, 10))).order_id;
    accepted(&f, limit_order("b", MATCHING_SELL, 100, 4));
    uint64_t stop = accepted(&f, guarded(stop_order("a", MATCHING_SELL, 90, 0, 5))).order_id;
    uint64_t waits = accepted(&f, guarded(stop_order("a", MATCHING_BUY, 120, 125, 5))).order_id;
    uint64_t berg = accepted(&f, guarded(iceberg_order("a", MATCHING_SELL, 105, 50, 5))).order_id;
    matching_command dated = guarded(limit_order("a", MATCHING_BUY, 80, 5));
    dated.time_in_force = MATCHING_GTD;
    dated.expire_time_ms = now_ms(&f) + 1000;
    uint64_t gtd = accepted(&f, dated).order_id;
    apply_own(MATCHING_CANCEL_GUARDED);
    uint64_t all[] = {buy, stop, waits, berg, gtd};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        CU_ASSERT_EQUAL(order_now(&f, all[i]).status, MATCHING_CANCELLED);
    }
    CU_ASSERT_EQUAL(order_now(&f, buy).filled_lots, 4);
    CU_ASSERT_EQUAL(matching_engine_next_expiry(f.engine), 0);
    end();
}

static void test_a_guard_survives_amends_and_triggering(void)
{
    begin();
    uint64_t moved = accepted(&f, guarded(limit_order("a", MATCHING_BUY, 90, 5))).order_id;
    accepted(&f, amend_by_id(moved, 91, 7));
    accepted(&f, amend_by_id(moved, 0, 6));
    uint64_t stop = accepted(&f, guarded(stop_order("a", MATCHING_BUY, 100, 105, 9))).order_id;
    accepted(&f, limit_order("b", MATCHING_SELL, 100, 1));
    accepted(&f, limit_order("c", MATCHING_BUY, 100, 1));
    CU_ASSERT_EQUAL(order_now(&f, stop).status, MATCHING_OPEN);
    apply_own(MATCHING_CANCEL_GUARDED);
    CU_ASSERT_EQUAL(order_now(&f, moved).status, MATCHING_CANCELLED);
    CU_ASSERT_EQUAL(order_now(&f, stop).status, MATCHING_CANCELLED);
    end();
}

static void test_released_orders_stay(void)
{
    begin();
    uint64_t ids[40];
    for (unsigned i = 0; i < 40; i++) {
        ids[i] = accepted(&f, guarded(limit_order(i % 2 == 0 ? "a" : "b", MATCHING_BUY, 50 + i, 1)))
                     .order_id;
    }
    CU_ASSERT_EQUAL(apply_own(MATCHING_RELEASE_GUARDS)->code, MATCHING_OK);
    CU_ASSERT_EQUAL(f.event_count, 0);
    uint64_t later = accepted(&f, guarded(limit_order("a", MATCHING_BUY, 50, 1))).order_id;
    apply_own(MATCHING_CANCEL_GUARDED);
    CU_ASSERT_EQUAL(count_events(&f, MATCHING_EVENT_ORDER), 1);
    CU_ASSERT_EQUAL(order_now(&f, later).status, MATCHING_CANCELLED);
    for (unsigned i = 0; i < 40; i++) {
        CU_ASSERT_EQUAL(order_now(&f, ids[i]).status, MATCHING_OPEN);
    }
    end();
}

/* Each is looked for after the one before it has left the list. */
static void test_many_guarded_orders_of_one_trader_end(void)
{
    begin();
    for (unsigned i = 0; i < 60; i++) {
        matching_command command = limit_order("a", MATCHING_BUY, 50, 1);
        accepted(&f, i % 3 == 0 ? command : guarded(command));
    }
    apply_own(MATCHING_CANCEL_GUARDED);
    CU_ASSERT_EQUAL(count_events(&f, MATCHING_EVENT_ORDER), 40);
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_BUY, 50), 20);
    end();
}

static void test_a_guard_is_no_self_trade_prevention(void)
{
    begin();
    accepted(&f, guarded(limit_order("a", MATCHING_BUY, 100, 5)));
    matching_order taker = accepted(&f, guarded(limit_order("a", MATCHING_SELL, 100, 5)));
    CU_ASSERT_EQUAL(taker.status, MATCHING_FILLED);
    CU_ASSERT_EQUAL(taker.self_trade, MATCHING_STP_NONE);
    accepted(&f, guarded(limit_order("a", MATCHING_BUY, 100, 5)));
    matching_command minding = guarded(limit_order("a", MATCHING_SELL, 100, 5));
    minding.self_trade = MATCHING_STP_CANCEL_BOTH;
    taker = accepted(&f, minding);
    CU_ASSERT_EQUAL(taker.reason, MATCHING_REASON_SELF_TRADE);
    CU_ASSERT_EQUAL(taker.self_trade, MATCHING_STP_CANCEL_BOTH);
    end();
}

static void test_the_state_hash_knows_guards(void)
{
    begin();
    accepted(&f, guarded(limit_order("a", MATCHING_BUY, 100, 5)));
    uint64_t guarded_hash = matching_engine_hash(f.engine);
    apply_own(MATCHING_RELEASE_GUARDS);
    uint64_t released = matching_engine_hash(f.engine);
    CU_ASSERT_NOT_EQUAL(released, guarded_hash);
    apply_own(MATCHING_RELEASE_GUARDS);
    CU_ASSERT_EQUAL(matching_engine_hash(f.engine), released);
    end();
}

static void test_limits_of_its_own_change_nothing(void)
{
    begin();
    accepted(&f, limit_order("a", MATCHING_BUY, 100, 5));
    uint64_t before = matching_engine_hash(f.engine);
    matching_command command = {0};
    set_limits(&command, &f.limits);
    const matching_reply *reply = fixture_apply(&f, command);
    CU_ASSERT_EQUAL(reply->code, MATCHING_OK);
    CU_ASSERT_EQUAL(reply->type, MATCHING_SET_LIMITS);
    CU_ASSERT_FALSE(reply->has_order);
    CU_ASSERT_EQUAL(f.event_count, 0);
    CU_ASSERT_EQUAL(matching_engine_hash(f.engine), before);
    end();
}

MATCHING_TESTS(MATCHING_TEST(test_guarded_orders_end_by_trader_and_age),
               MATCHING_TEST(test_every_kind_of_working_order_can_be_guarded),
               MATCHING_TEST(test_a_guard_survives_amends_and_triggering),
               MATCHING_TEST(test_released_orders_stay),
               MATCHING_TEST(test_many_guarded_orders_of_one_trader_end),
               MATCHING_TEST(test_a_guard_is_no_self_trade_prevention),
               MATCHING_TEST(test_the_state_hash_knows_guards),
               MATCHING_TEST(test_limits_of_its_own_change_nothing))
