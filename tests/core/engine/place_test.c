/* Tests of order entry: types and times in force, what is refused and which refusal wins. */
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

static matching_command with_time_in_force(matching_command command, matching_time_in_force tif)
{
    command.time_in_force = (uint8_t)tif;
    return command;
}

static matching_command post_only(matching_command command)
{
    command.flags |= MATCHING_FLAG_POST_ONLY;
    return command;
}

static matching_command with_client_id(matching_command command, const char *client_order_id)
{
    set_client_id(&command, client_order_id);
    return command;
}

static void test_reply_tells_the_whole_order(void)
{
    begin();
    matching_command command =
        post_only(with_client_id(limit_order("alice", MATCHING_SELL, 105, 7), "my-1"));
    command.instrument = 2;
    matching_order order = accepted(&f, command);
    CU_ASSERT_EQUAL(order.price_ticks, 105);
    CU_ASSERT_EQUAL(order.stop_price_ticks, 0);
    CU_ASSERT_EQUAL(order.quantity_lots, 7);
    CU_ASSERT_EQUAL(order.display_lots, 0);
    CU_ASSERT_EQUAL(order.filled_lots, 0);
    CU_ASSERT_TRUE(order.notional == 0);
    CU_ASSERT_EQUAL(order.created_ns, f.time_ns);
    CU_ASSERT_EQUAL(order.updated_ns, f.time_ns);
    CU_ASSERT_EQUAL(order.expire_time_ms, 0);
    CU_ASSERT_EQUAL(order.instrument, 2);
    CU_ASSERT_EQUAL(order.side, MATCHING_SELL);
    CU_ASSERT_EQUAL(order.type, MATCHING_LIMIT);
    CU_ASSERT_EQUAL(order.time_in_force, MATCHING_GTC);
    CU_ASSERT_EQUAL(order.status, MATCHING_OPEN);
    CU_ASSERT_EQUAL(order.reason, MATCHING_REASON_NONE);
    CU_ASSERT_EQUAL(order.post_only, 1);
    CU_ASSERT_STRING_EQUAL(order.trader_id, "alice");
    CU_ASSERT_STRING_EQUAL(order.client_order_id, "my-1");
    end();
}

static void test_names_of_full_length_are_kept_whole(void)
{
    static const char trader[] = "12345678901234567890123456789012";
    static const char client[] = "123456789012345678901234567890123456";
    begin();
    matching_order order =
        accepted(&f, with_client_id(limit_order(trader, MATCHING_BUY, 100, 1), client));
    CU_ASSERT_STRING_EQUAL(order.trader_id, trader);
    CU_ASSERT_STRING_EQUAL(order.client_order_id, client);
    const fixture_event *event = event_of(&f, MATCHING_EVENT_ORDER, 0);
    CU_ASSERT_STRING_EQUAL(matching_engine_trader(f.engine, event->event.order.trader), trader);
    accepted(&f, cancel_by_client_id(trader, client));
    end();
}

static void test_limit_is_gtc_and_rests(void)
{
    begin();
    matching_order order = accepted(&f, limit_order("a", MATCHING_BUY, 100, 5));
    CU_ASSERT_EQUAL(order.status, MATCHING_OPEN);
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_BUY, 100), 5);
    end();
}

static void test_ioc_remainder_is_cancelled(void)
{
    begin();
    accepted(&f, limit_order("a", MATCHING_SELL, 100, 4));
    accepted(&f, limit_order("a", MATCHING_SELL, 102, 4));
    matching_order order =
        accepted(&f, with_time_in_force(limit_order("b", MATCHING_BUY, 101, 10), MATCHING_IOC));
    CU_ASSERT_EQUAL(order.status, MATCHING_CANCELLED);
    CU_ASSERT_EQUAL(order.reason, MATCHING_REASON_IOC);
    CU_ASSERT_EQUAL(order.filled_lots, 4);
    CU_ASSERT_EQUAL(order.quantity_lots, 10);
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_BUY, 101), 0);
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_SELL, 102), 4);
    end();
}

static void test_ioc_that_fills_is_filled(void)
{
    begin();
    accepted(&f, limit_order("a", MATCHING_SELL, 100, 4));
    matching_order order =
        accepted(&f, with_time_in_force(limit_order("b", MATCHING_BUY, 100, 4), MATCHING_IOC));
    CU_ASSERT_EQUAL(order.status, MATCHING_FILLED);
    CU_ASSERT_EQUAL(order.reason, MATCHING_REASON_NONE);
    end();
}

static void test_market_order_takes_any_price(void)
{
    begin();
    accepted(&f, limit_order("a", MATCHING_SELL, 1, 4));
    accepted(&f, limit_order("a", MATCHING_SELL, MATCHING_TICKS_MAX, 4));
    matching_order order = accepted(&f, market_order("b", MATCHING_BUY, 8));
    CU_ASSERT_EQUAL(order.status, MATCHING_FILLED);
    CU_ASSERT_EQUAL(order.price_ticks, 0);
    accepted(&f, limit_order("a", MATCHING_BUY, MATCHING_TICKS_MAX, 4));
    accepted(&f, limit_order("a", MATCHING_BUY, 1, 4));
    CU_ASSERT_EQUAL(accepted(&f, market_order("b", MATCHING_SELL, 8)).status, MATCHING_FILLED);
    end();
}

static void test_market_remainder_has_no_liquidity(void)
{
    begin();
    matching_order order = accepted(&f, market_order("b", MATCHING_BUY, 8));
    CU_ASSERT_EQUAL(order.status, MATCHING_CANCELLED);
    CU_ASSERT_EQUAL(order.reason, MATCHING_REASON_NO_LIQUIDITY);
    CU_ASSERT_EQUAL(order.filled_lots, 0);
    CU_ASSERT_EQUAL(count_events(&f, MATCHING_EVENT_ORDER), 1);
    CU_ASSERT_EQUAL(count_events(&f, MATCHING_EVENT_LEVEL), 0);
    accepted(&f, limit_order("a", MATCHING_SELL, 100, 3));
    order = accepted(&f, market_order("b", MATCHING_BUY, 8));
    CU_ASSERT_EQUAL(order.status, MATCHING_CANCELLED);
    CU_ASSERT_EQUAL(order.reason, MATCHING_REASON_NO_LIQUIDITY);
    CU_ASSERT_EQUAL(order.filled_lots, 3);
    end();
}

static void test_fok_all_or_nothing(void)
{
    begin();
    accepted(&f, limit_order("a", MATCHING_SELL, 100, 4));
    accepted(&f, limit_order("b", MATCHING_SELL, 101, 4));
    accepted(&f, limit_order("c", MATCHING_SELL, 102, 100));
    matching_command command =
        with_time_in_force(limit_order("d", MATCHING_BUY, 101, 9), MATCHING_FOK);
    matching_order killed = accepted(&f, command);
    CU_ASSERT_EQUAL(killed.status, MATCHING_CANCELLED);
    CU_ASSERT_EQUAL(killed.reason, MATCHING_REASON_FOK);
    CU_ASSERT_EQUAL(killed.filled_lots, 0);
    CU_ASSERT_EQUAL(f.event_count, 1); /* its own update and nothing else */
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_SELL, 100), 4);
    command.quantity_lots = 8;
    matching_order filled = accepted(&f, command);
    CU_ASSERT_EQUAL(filled.status, MATCHING_FILLED);
    CU_ASSERT_EQUAL(filled.filled_lots, 8);
    CU_ASSERT_TRUE(filled.order_id > killed.order_id);
    end();
}

static void test_fok_market_order(void)
{
    begin();
    accepted(&f, limit_order("a", MATCHING_BUY, 100, 4));
    accepted(&f, limit_order("b", MATCHING_BUY, 1, 4));
    matching_order killed =
        accepted(&f, with_time_in_force(market_order("c", MATCHING_SELL, 9), MATCHING_FOK));
    CU_ASSERT_EQUAL(killed.status, MATCHING_CANCELLED);
    CU_ASSERT_EQUAL(killed.reason, MATCHING_REASON_FOK);
    matching_order filled =
        accepted(&f, with_time_in_force(market_order("c", MATCHING_SELL, 8), MATCHING_FOK));
    CU_ASSERT_EQUAL(filled.status, MATCHING_FILLED);
    end();
}

static void test_fok_of_huge_quantity_over_huge_levels(void)
{
    begin();
    for (int i = 0; i < 3; i++) {
        accepted(&f, limit_order("a", MATCHING_SELL, 100 + i % 2, MATCHING_LOTS_MAX));
    }
    matching_order filled = accepted(
        &f, with_time_in_force(market_order("c", MATCHING_BUY, MATCHING_LOTS_MAX), MATCHING_FOK));
    CU_ASSERT_EQUAL(filled.status, MATCHING_FILLED);
    end();
}

static void test_post_only_rests_when_it_does_not_reach(void)
{
    begin();
    accepted(&f, limit_order("a", MATCHING_SELL, 100, 4));
    CU_ASSERT_EQUAL(accepted(&f, post_only(limit_order("b", MATCHING_BUY, 99, 4))).status,
                    MATCHING_OPEN);
    end();
}

static void test_post_only_refused_uses_no_order_id(void)
{
    begin();
    uint64_t step = UINT64_C(1) << f.limits.shard_bits;
    uint64_t before = accepted(&f, limit_order("a", MATCHING_SELL, 100, 4)).order_id;
    refused(&f, post_only(limit_order("b", MATCHING_BUY, 100, 4)), MATCHING_POST_ONLY_WOULD_CROSS,
            MATCHING_FIELD_PRICE);
    refused(&f, post_only(limit_order("b", MATCHING_BUY, 101, 4)), MATCHING_POST_ONLY_WOULD_CROSS,
            MATCHING_FIELD_PRICE);
    CU_ASSERT_EQUAL(accepted(&f, limit_order("b", MATCHING_BUY, 99, 4)).order_id, before + step);
    refused(&f, post_only(limit_order("b", MATCHING_SELL, 99, 4)), MATCHING_POST_ONLY_WOULD_CROSS,
            MATCHING_FIELD_PRICE);
    end();
}

/* "whoever owns that": also one's own order. */
static void test_post_only_is_refused_at_own_order_too(void)
{
    begin();
    accepted(&f, limit_order("a", MATCHING_SELL, 100, 4));
    refused(&f, post_only(limit_order("a", MATCHING_BUY, 100, 4)), MATCHING_POST_ONLY_WOULD_CROSS,
            MATCHING_FIELD_PRICE);
    end();
}

static void test_duplicate_client_id_is_refused_and_names_the_other(void)
{
    begin();
    uint64_t other =
        accepted(&f, with_client_id(limit_order("a", MATCHING_BUY, 100, 4), "x")).order_id;
    refused(&f, with_client_id(limit_order("a", MATCHING_SELL, 200, 1), "x"),
            MATCHING_DUPLICATE_CLIENT_ORDER_ID, MATCHING_FIELD_CLIENT_ORDER_ID);
    CU_ASSERT_EQUAL(f.reply.related_order_id, other);
    /* partly filled still works */
    accepted(&f, limit_order("b", MATCHING_SELL, 100, 1));
    refused(&f, with_client_id(limit_order("a", MATCHING_BUY, 99, 1), "x"),
            MATCHING_DUPLICATE_CLIENT_ORDER_ID, MATCHING_FIELD_CLIENT_ORDER_ID);
    CU_ASSERT_EQUAL(f.reply.related_order_id, other);
    end();
}

/* The id is its trader's and its instrument's own. */
static void test_same_client_id_of_another_trader_or_instrument_is_fine(void)
{
    begin();
    matching_command command = with_client_id(limit_order("a", MATCHING_BUY, 100, 4), "x");
    accepted(&f, command);
    command.instrument = 1;
    accepted(&f, command);
    accepted(&f, with_client_id(limit_order("b", MATCHING_BUY, 100, 4), "x"));
    accepted(&f, with_client_id(limit_order("a", MATCHING_BUY, 100, 4), "y"));
    CU_ASSERT_EQUAL(f.reply.related_order_id, 0);
    end();
}

static void test_client_id_is_free_again_after_the_end(void)
{
    begin();
    matching_command command = with_client_id(limit_order("a", MATCHING_BUY, 100, 4), "x");
    uint64_t first = accepted(&f, command).order_id;
    accepted(&f, cancel_by_id(first));
    uint64_t second = accepted(&f, command).order_id;
    CU_ASSERT_TRUE(second > first);
    accepted(&f, market_order("b", MATCHING_SELL, 4)); /* fills it */
    uint64_t third = accepted(&f, command).order_id;
    CU_ASSERT_TRUE(third > second);
    matching_order order;
    CU_ASSERT_TRUE(read_order(&f, read_by_client_id("a", "x"), &order));
    CU_ASSERT_EQUAL(order.order_id, third);
    end();
}

static void test_halted_market_refuses_new_orders(void)
{
    begin();
    accepted(&f, limit_order("a", MATCHING_SELL, 100, 4));
    fixture_apply(&f, set_state(0, MATCHING_HALTED));
    refused(&f, limit_order("b", MATCHING_BUY, 90, 1), MATCHING_MARKET_HALTED, MATCHING_FIELD_NONE);
    refused(&f, market_order("b", MATCHING_BUY, 1), MATCHING_MARKET_HALTED, MATCHING_FIELD_NONE);
    matching_command elsewhere = limit_order("b", MATCHING_BUY, 90, 1);
    elsewhere.instrument = 1;
    accepted(&f, elsewhere);
    fixture_apply(&f, set_state(0, MATCHING_TRADING));
    CU_ASSERT_EQUAL(accepted(&f, market_order("b", MATCHING_BUY, 1)).status, MATCHING_FILLED);
    end();
}

/* State, then duplicate, then post_only, then the limits: each refusal shows once those before it
 * are out of the way. */
static void test_which_refusal_of_a_new_order_wins(void)
{
    matching_engine_limits limits = fixture_limits();
    limits.max_orders = 2;
    fixture_init(&f, &limits);
    uint64_t other =
        accepted(&f, with_client_id(limit_order("a", MATCHING_BUY, 90, 1), "x")).order_id;
    accepted(&f, limit_order("b", MATCHING_SELL, 100, 1));
    matching_command wrong = post_only(with_client_id(limit_order("a", MATCHING_BUY, 100, 1), "x"));

    fixture_apply(&f, set_state(0, MATCHING_HALTED));
    refused(&f, wrong, MATCHING_MARKET_HALTED, MATCHING_FIELD_NONE);
    CU_ASSERT_EQUAL(f.reply.related_order_id, 0);

    fixture_apply(&f, set_state(0, MATCHING_TRADING));
    refused(&f, wrong, MATCHING_DUPLICATE_CLIENT_ORDER_ID, MATCHING_FIELD_CLIENT_ORDER_ID);
    CU_ASSERT_EQUAL(f.reply.related_order_id, other);

    set_client_id(&wrong, "y");
    refused(&f, wrong, MATCHING_POST_ONLY_WOULD_CROSS, MATCHING_FIELD_PRICE);
    CU_ASSERT_EQUAL(f.reply.related_order_id, 0);

    wrong.price_ticks = 99;
    refused(&f, wrong, MATCHING_BOOK_FULL, MATCHING_FIELD_NONE);
    accepted(&f, cancel_by_id(other));
    accepted(&f, wrong);
    end();
}

MATCHING_TESTS(MATCHING_TEST(test_reply_tells_the_whole_order),
               MATCHING_TEST(test_names_of_full_length_are_kept_whole),
               MATCHING_TEST(test_limit_is_gtc_and_rests),
               MATCHING_TEST(test_ioc_remainder_is_cancelled),
               MATCHING_TEST(test_ioc_that_fills_is_filled),
               MATCHING_TEST(test_market_order_takes_any_price),
               MATCHING_TEST(test_market_remainder_has_no_liquidity),
               MATCHING_TEST(test_fok_all_or_nothing), MATCHING_TEST(test_fok_market_order),
               MATCHING_TEST(test_fok_of_huge_quantity_over_huge_levels),
               MATCHING_TEST(test_post_only_rests_when_it_does_not_reach),
               MATCHING_TEST(test_post_only_refused_uses_no_order_id),
               MATCHING_TEST(test_post_only_is_refused_at_own_order_too),
               MATCHING_TEST(test_duplicate_client_id_is_refused_and_names_the_other),
               MATCHING_TEST(test_same_client_id_of_another_trader_or_instrument_is_fine),
               MATCHING_TEST(test_client_id_is_free_again_after_the_end),
               MATCHING_TEST(test_halted_market_refuses_new_orders),
               MATCHING_TEST(test_which_refusal_of_a_new_order_wins))
