/* Tests of the configured limits, orders, levels and trader ids: what is refused when one is
 * reached, that it changes nothing and uses no order id, that all else goes on, and what makes room
 * again.
 */
#include "fixture.h"
#include "support/cunit_main.h"

static fixture f;

static matching_command with_time_in_force(matching_command command, matching_time_in_force tif)
{
    command.time_in_force = (uint8_t)tif;
    return command;
}

static matching_command until(matching_command command, uint64_t expire_time_ms)
{
    command.time_in_force = MATCHING_GTD;
    command.expire_time_ms = expire_time_ms;
    return command;
}

static matching_command elsewhere(matching_command command)
{
    command.instrument = 1;
    return command;
}

static matching_command amend_stop(uint64_t order_id, int64_t stop_price_ticks)
{
    matching_command command = amend_by_id(order_id, 0, 0);
    command.stop_price_ticks = stop_price_ticks;
    return command;
}

static void full(matching_command command)
{
    refused(&f, command, MATCHING_BOOK_FULL, MATCHING_FIELD_NONE);
}

static uint64_t place(matching_command command)
{
    return accepted(&f, command).order_id;
}

/* The number of the newest order, which a refusal must not have used. */
static uint64_t number_of(uint64_t order_id)
{
    return order_id >> f.limits.shard_bits;
}

/* Every read works, and shows `working` orders of the trader. */
static void check_reads(const char *trader, uint64_t order_id, size_t working)
{
    static matching_order orders[16];
    matching_command command = {.type = MATCHING_READ_OPEN_ORDERS,
                                .flags = MATCHING_FLAG_ALL_SYMBOLS,
                                .limit = 16,
                                .status = MATCHING_STATUS_WORKING};
    set_trader(&command, trader);
    bool complete = false;
    CU_ASSERT_EQUAL(open_orders(&f, &command, orders, 16, &complete), working);
    CU_ASSERT_TRUE(complete);
    command.type = MATCHING_READ_ORDERS;
    matching_order_page page = {.orders = orders, .capacity = 16};
    while (!page.done) {
        matching_engine_read_orders(f.engine, &command, &page, 1000);
    }
    CU_ASSERT_EQUAL(page.count, working);
    CU_ASSERT_EQUAL(order_now(&f, order_id).order_id, order_id);
}

/* ---- orders ---------------------------------------------------------------------------------- */

/* Four of four orders: an ask with a date, a bid, a stop and a stop-limit order that wait. */
typedef struct four {
    uint64_t ask, bid, stop, stop_limit;
} four;

static four fill_orders(void)
{
    matching_engine_limits limits = fixture_limits();
    limits.max_orders = 4;
    fixture_init(&f, &limits);
    four ids;
    ids.ask = place(until(limit_order("a", MATCHING_SELL, 100, 5), now_ms(&f) + 50));
    ids.bid = place(limit_order("b", MATCHING_BUY, 90, 5));
    ids.stop = place(stop_order("a", MATCHING_BUY, 120, 0, 2));
    ids.stop_limit = place(stop_order("b", MATCHING_SELL, 80, 79, 2));
    return ids;
}

static void test_full_of_orders_refuses_whatever_could_rest(void)
{
    four ids = fill_orders();
    full(limit_order("a", MATCHING_SELL, 101, 5));
    full(limit_order("a", MATCHING_SELL, 100, 5));             /* its level is there */
    full(limit_order("a", MATCHING_BUY, 100, 5));              /* it would fill, and rest no lot */
    full(elsewhere(limit_order("new", MATCHING_BUY, 100, 5))); /* one limit for all instruments */
    full(iceberg_order("a", MATCHING_BUY, 90, 5, 1));
    full(until(limit_order("a", MATCHING_BUY, 90, 5), now_ms(&f) + 99));
    full(stop_order("a", MATCHING_BUY, 130, 0, 1));
    full(stop_order("a", MATCHING_BUY, 120, 0, 1));
    full(stop_order("a", MATCHING_SELL, 80, 85, 1));
    full(with_time_in_force(stop_order("a", MATCHING_SELL, 80, 85, 1), MATCHING_IOC));
    CU_ASSERT_EQUAL(f.reply.related_order_id, 0);
    uint64_t next = place(market_order("c", MATCHING_SELL, 1));
    CU_ASSERT_EQUAL(number_of(next), number_of(ids.stop_limit) + 1);
    fixture_fini(&f);
}

static void test_full_of_orders_lets_all_else_go_on(void)
{
    four ids = fill_orders();
    CU_ASSERT_EQUAL(accepted(&f, market_order("c", MATCHING_BUY, 1)).status, MATCHING_FILLED);
    matching_command command = limit_order("c", MATCHING_BUY, 100, 9);
    CU_ASSERT_EQUAL(accepted(&f, with_time_in_force(command, MATCHING_FOK)).reason,
                    MATCHING_REASON_FOK);
    command.quantity_lots = 1;
    CU_ASSERT_EQUAL(accepted(&f, with_time_in_force(command, MATCHING_IOC)).filled_lots, 1);
    check_reads("a", ids.ask, 2);
    accepted(&f, amend_by_id(ids.ask, 0, 4));
    accepted(&f, amend_by_id(ids.ask, 105, 6));
    accepted(&f, amend_by_id(ids.bid, 91, 0));
    accepted(&f, amend_stop(ids.stop, 121));
    accepted(&f, amend_by_id(ids.stop_limit, 78, 1));
    CU_ASSERT_EQUAL(fixture_apply(&f, set_state(0, MATCHING_AUCTION))->code, MATCHING_OK);
    full(limit_order("a", MATCHING_BUY, 90, 5));
    CU_ASSERT_EQUAL(fixture_apply(&f, set_state(0, MATCHING_TRADING))->code, MATCHING_OK);
    refused(&f, cancel_by_id(ids.stop_limit + 64), MATCHING_ORDER_NOT_FOUND,
            MATCHING_FIELD_ORDER_ID);
    check_reads("b", ids.bid, 2);
    fixture_fini(&f);
}

/* One order fewer, in whatever way it ended. */
static void free_by_cancel(const four *ids)
{
    accepted(&f, cancel_by_id(ids->bid));
}

static void free_by_cancel_of_a_stop(const four *ids)
{
    accepted(&f, cancel_by_id(ids->stop_limit));
}

static void free_by_fill(const four *ids)
{
    (void)ids;
    accepted(&f, market_order("c", MATCHING_SELL, 5));
}

static void free_by_expiry(const four *ids)
{
    (void)ids;
    fixture_apply(&f, tick_at(now_ms(&f) + 60));
}

static void free_by_mass_cancel(const four *ids)
{
    (void)ids;
    fixture_apply(&f, cancel_all("a"));
}

static void free_by_self_trade(const four *ids)
{
    (void)ids;
    matching_command command = market_order("b", MATCHING_SELL, 1);
    command.self_trade = MATCHING_STP_CANCEL_MAKER;
    accepted(&f, command);
}

/* The stop enters at the price of the trade that the amend causes, and fills. */
static void free_by_trigger(const four *ids)
{
    accepted(&f, amend_stop(ids->stop, 100));
    accepted(&f, amend_by_id(ids->ask, 0, 8));
    accepted(&f, market_order("c", MATCHING_BUY, 1));
    CU_ASSERT_EQUAL(order_now(&f, ids->stop).status, MATCHING_FILLED);
}

static void test_whatever_ends_an_order_makes_room_for_one(void)
{
    static void (*const ways[])(const four *ids) = {
        free_by_cancel,      free_by_cancel_of_a_stop, free_by_fill,   free_by_expiry,
        free_by_mass_cancel, free_by_self_trade,       free_by_trigger};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        four ids = fill_orders();
        matching_command command = limit_order("a", MATCHING_SELL, 110, 5);
        full(command);
        ways[i](&ids);
        place(command);
        fixture_fini(&f);
    }
}

/* Orders that are due end before the command is judged. */
static void test_what_is_due_makes_room_for_the_command_that_finds_it(void)
{
    fill_orders();
    matching_command command = limit_order("a", MATCHING_SELL, 110, 5);
    full(command);
    command.time_ns = (now_ms(&f) + 60) * 1000000;
    place(command);
    full(limit_order("a", MATCHING_SELL, 110, 5));
    fixture_fini(&f);
}

/* ---- levels ---------------------------------------------------------------------------------- */

static void use_levels(uint64_t max_levels)
{
    matching_engine_limits limits = fixture_limits();
    limits.max_levels = max_levels;
    fixture_init(&f, &limits);
}

static void test_full_of_levels_refuses_what_needs_a_new_one(void)
{
    use_levels(3);
    place(limit_order("a", MATCHING_SELL, 100, 5));
    place(limit_order("a", MATCHING_BUY, 90, 5));
    uint64_t last = place(stop_order("a", MATCHING_BUY, 110, 0, 1));
    full(limit_order("a", MATCHING_BUY, 91, 5));
    full(limit_order("a", MATCHING_BUY, 100, 1)); /* it would fill, and rest no lot */
    full(limit_order("a", MATCHING_BUY, 1, 5));
    full(limit_order("a", MATCHING_SELL, MATCHING_TICKS_MAX, 5));
    full(limit_order("a", MATCHING_BUY, 110, 1));             /* only a stop waits at that price */
    full(elsewhere(limit_order("new", MATCHING_BUY, 90, 5))); /* one pool for all instruments */
    full(stop_order("a", MATCHING_BUY, 111, 0, 1));
    full(stop_order("a", MATCHING_SELL, 110, 0, 1));
    full(stop_order("a", MATCHING_SELL, 80, 90, 1));
    /* all else goes on */
    uint64_t next = place(limit_order("b", MATCHING_BUY, 90, 5));
    CU_ASSERT_EQUAL(number_of(next), number_of(last) + 1);
    place(iceberg_order("b", MATCHING_SELL, 100, 5, 2));
    CU_ASSERT_EQUAL(accepted(&f, market_order("c", MATCHING_BUY, 6)).status, MATCHING_FILLED);
    CU_ASSERT_EQUAL(
        accepted(&f, with_time_in_force(limit_order("c", MATCHING_BUY, 95, 1), MATCHING_IOC))
            .reason,
        MATCHING_REASON_IOC);
    check_reads("a", last, 2);
    accepted(&f, cancel_by_id(next));
    full(limit_order("a", MATCHING_BUY, 91, 5)); /* another order keeps the level */
    fixture_fini(&f);
}

static void test_whatever_ends_a_level_makes_room_for_one(void)
{
    for (unsigned way = 0; way < 5; way++) {
        use_levels(3);
        uint64_t ask = place(until(limit_order("a", MATCHING_SELL, 100, 5), now_ms(&f) + 50));
        place(limit_order("b", MATCHING_BUY, 90, 5));
        uint64_t stop = place(stop_order("b", MATCHING_BUY, 110, 0, 1));
        matching_command command = elsewhere(limit_order("b", MATCHING_BUY, 95, 5));
        full(command);
        switch (way) {
        case 0:
            accepted(&f, cancel_by_id(ask));
            break;
        case 1:
            accepted(&f, cancel_by_id(stop));
            break;
        case 2:
            accepted(&f, market_order("b", MATCHING_BUY, 5));
            break;
        case 3:
            fixture_apply(&f, tick_at(now_ms(&f) + 60));
            break;
        default:
            fixture_apply(&f, cancel_all("a"));
        }
        place(command);
        full(elsewhere(limit_order("b", MATCHING_BUY, 96, 5)));
        fixture_fini(&f);
    }
}

static void test_amend_to_a_new_price_when_levels_are_full(void)
{
    use_levels(2);
    uint64_t ask = place(limit_order("a", MATCHING_SELL, 100, 5));
    uint64_t bid = place(limit_order("a", MATCHING_BUY, 90, 5));
    uint64_t neighbour = place(limit_order("b", MATCHING_BUY, 90, 5));
    full(amend_by_id(neighbour, 91, 0));
    full(amend_by_id(neighbour, 100, 5)); /* it would fill */
    matching_order order = order_now(&f, neighbour);
    CU_ASSERT_EQUAL(order.price_ticks, 90);
    /* where it stands, or on a level that is there, it may become anything */
    accepted(&f, amend_by_id(neighbour, 90, 9));
    accepted(&f, amend_by_id(neighbour, 0, 3));
    CU_ASSERT_EQUAL(accepted(&f, amend_by_id(ask, 101, 0)).price_ticks, 101); /* alone on its own */
    accepted(&f, cancel_by_id(bid));
    CU_ASSERT_EQUAL(accepted(&f, amend_by_id(neighbour, 91, 0)).price_ticks, 91);
    CU_ASSERT_EQUAL(accepted(&f, amend_by_id(neighbour, 101, 3)).status, MATCHING_FILLED);
    place(limit_order("a", MATCHING_BUY, 80, 5));
    fixture_fini(&f);
}

static void test_amend_of_a_stop_price_when_levels_are_full(void)
{
    use_levels(2);
    uint64_t stop = place(stop_order("a", MATCHING_BUY, 110, 0, 5));
    uint64_t neighbour = place(stop_order("b", MATCHING_BUY, 110, 0, 5));
    uint64_t bid = place(limit_order("a", MATCHING_BUY, 90, 5));
    full(amend_stop(neighbour, 111));
    full(amend_stop(neighbour, 90)); /* a level of the book is none of the stops */
    accepted(&f, amend_by_id(neighbour, 0, 7));
    accepted(&f, cancel_by_id(stop));
    accepted(&f, amend_stop(neighbour, 111)); /* alone on its own */
    accepted(&f, cancel_by_id(bid));
    accepted(&f, amend_stop(neighbour, 112));
    fixture_fini(&f);
}

/* A stop-limit order needs two levels in its life, and has them from the start. */
static void test_a_stop_limit_order_is_entered_with_both_its_levels_or_not(void)
{
    use_levels(4);
    place(limit_order("a", MATCHING_SELL, 100, 9));
    uint64_t stop = place(stop_order("b", MATCHING_BUY, 110, 111, 1));
    full(stop_order("b", MATCHING_BUY, 120, 121, 1));
    full(stop_order("b", MATCHING_BUY, 110, 111, 1)); /* the stop's level is there, the other not */
    uint64_t plain = place(stop_order("b", MATCHING_BUY, 120, 0, 1));
    full(limit_order("b", MATCHING_BUY, 90, 1));
    accepted(&f, amend_stop(stop, 115));
    accepted(&f, amend_by_id(stop, 116, 2));
    full(limit_order("b", MATCHING_BUY, 90, 1));
    accepted(&f, cancel_by_id(stop)); /* gives both back */
    place(limit_order("b", MATCHING_BUY, 90, 1));
    place(limit_order("b", MATCHING_BUY, 91, 1));
    full(limit_order("b", MATCHING_BUY, 92, 1));
    accepted(&f, cancel_by_id(plain));
    place(limit_order("b", MATCHING_BUY, 92, 1));
    fixture_fini(&f);
}

static void test_a_stop_limit_order_rests_though_levels_are_full(void)
{
    use_levels(8);
    place(limit_order("a", MATCHING_SELL, 100, 9));
    uint64_t one = place(stop_order("b", MATCHING_BUY, 100, 98, 1));
    uint64_t two = place(stop_order("b", MATCHING_BUY, 100, 97, 1));
    place(stop_order("b", MATCHING_BUY, 100, 96, 1));
    place(limit_order("a", MATCHING_SELL, 101, 9));
    place(limit_order("a", MATCHING_SELL, 102, 9));
    place(limit_order("a", MATCHING_SELL, 103, 9));
    full(limit_order("b", MATCHING_BUY, 90, 1));
    accepted(&f, market_order("c", MATCHING_BUY, 1)); /* all three enter, none reaches an ask */
    CU_ASSERT_EQUAL(order_now(&f, one).status, MATCHING_OPEN);
    CU_ASSERT_EQUAL(order_now(&f, two).status, MATCHING_OPEN);
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_BUY, 98), 1);
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_BUY, 96), 1);
    place(limit_order("b", MATCHING_BUY, 90, 1)); /* the level at which they waited */
    full(limit_order("b", MATCHING_BUY, 89, 1));
    fixture_fini(&f);
}

/* ---- trader ids ------------------------------------------------------------------------------ */

static void test_full_of_traders_refuses_every_order_of_a_new_one(void)
{
    matching_engine_limits limits = fixture_limits();
    limits.max_traders = 2;
    fixture_init(&f, &limits);
    uint64_t ask = place(limit_order("a", MATCHING_SELL, 100, 5));
    uint64_t bid = place(limit_order("b", MATCHING_BUY, 90, 5));
    const matching_command wanted[] = {
        limit_order("c", MATCHING_SELL, 100, 5),
        market_order("c", MATCHING_BUY, 5),
        with_time_in_force(limit_order("c", MATCHING_BUY, 100, 5), MATCHING_IOC),
        with_time_in_force(limit_order("c", MATCHING_BUY, 100, 5), MATCHING_FOK),
        stop_order("c", MATCHING_BUY, 110, 0, 5),
        stop_order("c", MATCHING_BUY, 110, 111, 5),
        elsewhere(limit_order("c", MATCHING_SELL, 100, 5))};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        full(wanted[i]);
    }
    /* who has no order may ask all the same */
    CU_ASSERT_EQUAL(fixture_apply(&f, cancel_all("c"))->code, MATCHING_OK);
    refused(&f, cancel_by_client_id("c", "x"), MATCHING_ORDER_NOT_FOUND,
            MATCHING_FIELD_CLIENT_ORDER_ID);
    matching_order order;
    CU_ASSERT_FALSE(read_order(&f, read_by_client_id("c", "x"), &order));
    full(wanted[0]);
    /* known ones go on */
    accepted(&f, cancel_by_id(ask));
    accepted(&f, amend_by_id(bid, 91, 0));
    uint64_t next = place(limit_order("a", MATCHING_SELL, 100, 5));
    CU_ASSERT_EQUAL(number_of(next), number_of(bid) + 1);
    check_reads("b", bid, 1);
    /* a name stays known when its last order has ended: ended orders and trades tell it */
    fixture_apply(&f, cancel_all("a"));
    fixture_apply(&f, cancel_all("b"));
    full(wanted[0]);
    fixture_fini(&f);
}

/* A refusal for another reason does not make a name known. */
static void test_a_refused_order_uses_no_trader_id(void)
{
    matching_engine_limits limits = fixture_limits();
    limits.max_traders = 2;
    limits.max_orders = 1;
    fixture_init(&f, &limits);
    uint64_t ask = place(limit_order("a", MATCHING_SELL, 100, 5));
    full(limit_order("b", MATCHING_SELL, 100, 5));
    matching_command command = limit_order("c", MATCHING_BUY, 100, 5);
    command.flags |= MATCHING_FLAG_POST_ONLY;
    refused(&f, command, MATCHING_POST_ONLY_WOULD_CROSS, MATCHING_FIELD_PRICE);
    accepted(&f, cancel_by_id(ask));
    place(limit_order("d", MATCHING_SELL, 100, 5));
    full(limit_order("b", MATCHING_SELL, 100, 5));
    fixture_fini(&f);
}

/* ---- the smallest and the largest ------------------------------------------------------------ */

static void test_an_engine_of_one(void)
{
    matching_engine_limits limits = {
        .instruments = 1, .max_orders = 1, .max_levels = 1, .max_traders = 1};
    fixture_init(&f, &limits);
    for (unsigned i = 0; i < 100; i++) {
        uint64_t one = place(limit_order("a", MATCHING_SELL, 100 + i, 5));
        full(limit_order("a", MATCHING_SELL, 100 + i, 5));
        full(limit_order("b", MATCHING_BUY, 1, 5));
        full(stop_order("a", MATCHING_BUY, 1, 0, 5));
        accepted(&f, amend_by_id(one, 200, 6));
        CU_ASSERT_EQUAL(accepted(&f, market_order("a", MATCHING_BUY, 2)).status, MATCHING_FILLED);
        full(stop_order("a", MATCHING_BUY, 200, 200, 5)); /* two levels are more than there are */
        accepted(&f, cancel_by_id(one));
    }
    full(stop_order("a", MATCHING_BUY, 900, 900, 5));
    place(stop_order("a", MATCHING_BUY, 900, 0, 5));
    full(stop_order("a", MATCHING_BUY, 900, 0, 5));
    fixture_fini(&f);
}

static void test_limits_that_no_engine_can_have(void)
{
    const matching_engine_limits good = fixture_limits();
    CU_ASSERT_TRUE(matching_engine_size(&good) > 0);
    matching_engine_limits bad[8];
    for (size_t i = 0; i < 8; i++) {
        bad[i] = good;
    }
    bad[0].instruments = 0;
    bad[1].max_orders = 0;
    bad[2].max_levels = 0;
    bad[3].max_traders = 0;
    bad[4].max_orders = (UINT64_C(1) << 30) + 1;
    bad[5].shard = 4;
    bad[6].shard_bits = 7;
    bad[7].max_traders = UINT64_MAX;
    for (size_t i = 0; i < 8; i++) {
        CU_ASSERT_EQUAL(matching_engine_size(&bad[i]), 0);
    }
}

MATCHING_TESTS(MATCHING_TEST(test_full_of_orders_refuses_whatever_could_rest),
               MATCHING_TEST(test_full_of_orders_lets_all_else_go_on),
               MATCHING_TEST(test_whatever_ends_an_order_makes_room_for_one),
               MATCHING_TEST(test_what_is_due_makes_room_for_the_command_that_finds_it),
               MATCHING_TEST(test_full_of_levels_refuses_what_needs_a_new_one),
               MATCHING_TEST(test_whatever_ends_a_level_makes_room_for_one),
               MATCHING_TEST(test_amend_to_a_new_price_when_levels_are_full),
               MATCHING_TEST(test_amend_of_a_stop_price_when_levels_are_full),
               MATCHING_TEST(test_a_stop_limit_order_is_entered_with_both_its_levels_or_not),
               MATCHING_TEST(test_a_stop_limit_order_rests_though_levels_are_full),
               MATCHING_TEST(test_full_of_traders_refuses_every_order_of_a_new_one),
               MATCHING_TEST(test_a_refused_order_uses_no_trader_id),
               MATCHING_TEST(test_an_engine_of_one),
               MATCHING_TEST(test_limits_that_no_engine_can_have))
