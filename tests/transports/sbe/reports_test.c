/* What becomes of an order after its entry, told once to the connection that entered it; mass
 * cancels. */
#include <pthread.h>

#include "sbe_fixture.h"

static client one, two;

static bool is_watched; /* by others, too */

static void begin(void)
{
    prepare();
    others_watch = is_watched;
    open_door();
    connect_client(&one);
    connect_client(&two);
}

static void end(void)
{
    hear_nothing(&one);
    hear_nothing(&two);
    disconnect(&one);
    disconnect(&two);
    close_door();
}

/* An order with a client id that rests; its order id. */
static uint64_t enter(client *c, uint64_t id, const char *trader, unsigned side, int64_t price,
                      int64_t quantity)
{
    tell_order(c, limit(id, trader, side, price, quantity));
    return hear_report(c, id, SBE_EXEC_NEW, MATCHING_OPEN).order_id;
}

static void test_a_fill_is_reported_to_who_rested(void)
{
    begin();
    uint64_t order_id = enter(&one, 11, "ann", MATCHING_SELL, 100, 5);
    tell_order(&two, limit(21, "bob", MATCHING_BUY, 101, 2));
    hear_report(&two, 21, SBE_EXEC_NEW, MATCHING_FILLED);
    sbe_execution_report report = hear_report(&one, 11, SBE_EXEC_TRADE, MATCHING_PARTIAL);
    CU_ASSERT_EQUAL(report.order_id, order_id);
    CU_ASSERT_EQUAL(report.side, MATCHING_SELL);
    CU_ASSERT_EQUAL(report.last_price, 100 * ONE);
    CU_ASSERT_EQUAL(report.last_quantity, 2 * ONE);
    CU_ASSERT_EQUAL(report.filled_quantity, 2 * ONE);
    CU_ASSERT_EQUAL(report.remaining_quantity, 3 * ONE);
    CU_ASSERT_EQUAL(report.trade_id, 1);
    tell_order(&two, limit(22, "bob", MATCHING_BUY, 101, 4));
    hear_report(&two, 22, SBE_EXEC_NEW, MATCHING_PARTIAL);
    report = hear_report(&one, 11, SBE_EXEC_TRADE, MATCHING_FILLED);
    CU_ASSERT_EQUAL(report.trade_id, 2);
    CU_ASSERT_EQUAL(report.filled_quantity, 5 * ONE);
    /* The taker's rest is a working order as any other. */
    tell_order(&one, limit(12, "ann", MATCHING_SELL, 101, 1));
    hear_report(&one, 12, SBE_EXEC_NEW, MATCHING_FILLED);
    report = hear_report(&two, 22, SBE_EXEC_TRADE, MATCHING_FILLED);
    CU_ASSERT_EQUAL(report.last_quantity, ONE);
    CU_ASSERT_EQUAL(report.trade_id, 3);
    end();
}

/* One command may bring more than may wait for a client. */
static void test_who_reads_is_not_slow(void)
{
    prepare();
    config.sbe.max_queue_bytes = 4096;
    open_door();
    connect_client(&one);
    connect_client(&two);
    for (uint64_t i = 1; i <= 100; i++) {
        add_order(&one, limit(i, "ann", MATCHING_SELL, 100, 1));
    }
    go(&one);
    for (uint64_t i = 1; i <= 100; i++) {
        hear_report(&one, i, SBE_EXEC_NEW, MATCHING_OPEN);
    }
    tell_order(&two, limit(1, "bob", MATCHING_BUY, 100, 100));
    hear_report(&two, 1, SBE_EXEC_NEW, MATCHING_FILLED);
    for (uint64_t i = 1; i <= 100; i++) {
        hear_report(&one, i, SBE_EXEC_TRADE, MATCHING_FILLED);
    }
    end();
}

/* Both sides on one connection: the taker is answered, then the maker reported. */
static void test_the_answer_comes_before_the_reports_of_the_same_trade(void)
{
    begin();
    enter(&one, 1, "ann", MATCHING_SELL, 100, 1);
    enter(&one, 2, "bob", MATCHING_SELL, 100, 1);
    tell_order(&one, limit(3, "cat", MATCHING_BUY, 100, 2));
    hear_report(&one, 3, SBE_EXEC_NEW, MATCHING_FILLED);
    hear_report(&one, 1, SBE_EXEC_TRADE, MATCHING_FILLED);
    hear_report(&one, 2, SBE_EXEC_TRADE, MATCHING_FILLED);
    end();
}

static void test_cancels_are_told_once_to_everybody_concerned(void)
{
    begin();
    uint64_t order_id = enter(&one, 11, "ann", MATCHING_BUY, 100, 5);
    TELL(&one, cancel_order, .client_order_id = 12, .order_id = order_id);
    sbe_execution_report report = hear_report(&one, 12, SBE_EXEC_CANCELLED, MATCHING_CANCELLED);
    CU_ASSERT_EQUAL(report.reason, MATCHING_REASON_USER);
    CU_ASSERT_EQUAL(report.remaining_quantity, 5 * ONE);
    hear_nothing(&one);
    TELL(&one, cancel_order, .client_order_id = 13, .order_id = order_id);
    hear_reject(&one, 13, SBE_CANCEL_ORDER, MATCHING_ORDER_NOT_FOUND, "order_id");

    order_id = enter(&one, 14, "ann", MATCHING_BUY, 100, 5);
    TELL(&two, cancel_order, .client_order_id = 21, .order_id = order_id, .instrument_id = BTC);
    hear_report(&two, 21, SBE_EXEC_CANCELLED, MATCHING_CANCELLED);
    report = hear_report(&one, 14, SBE_EXEC_CANCELLED, MATCHING_CANCELLED);
    CU_ASSERT_EQUAL(report.order_id, order_id);
    end();
}

#define UNCHANGED .price = SBE_NULL_I64, .quantity = SBE_NULL_I64, .stop_price = SBE_NULL_I64

static void amend_quantity(client *c, uint64_t id, uint64_t order_id, int64_t quantity)
{
    TELL(c, amend_order, .client_order_id = id, .order_id = order_id, .price = SBE_NULL_I64,
         .quantity = quantity * ONE, .stop_price = SBE_NULL_I64);
}

static void test_amends_are_told_once_to_everybody_concerned(void)
{
    begin();
    uint64_t order_id = enter(&one, 11, "ann", MATCHING_SELL, 100, 5);
    amend_quantity(&one, 12, order_id, 4);
    sbe_execution_report report = hear_report(&one, 12, SBE_EXEC_AMENDED, MATCHING_OPEN);
    CU_ASSERT_EQUAL(report.remaining_quantity, 4 * ONE);
    hear_nothing(&one);
    amend_quantity(&two, 21, order_id, 3);
    hear_report(&two, 21, SBE_EXEC_AMENDED, MATCHING_OPEN);
    report = hear_report(&one, 11, SBE_EXEC_AMENDED, MATCHING_OPEN);
    CU_ASSERT_EQUAL(report.remaining_quantity, 3 * ONE);
    amend_quantity(&one, 13, order_id, 3); /* which changes nothing */
    hear_report(&one, 13, SBE_EXEC_AMENDED, MATCHING_OPEN);

    /* Amended to a price that trades: its own part is in the answer. */
    enter(&two, 22, "bob", MATCHING_BUY, 90, 1);
    TELL(&one, amend_order, .client_order_id = 14, .order_id = order_id, .price = 90 * ONE,
         .quantity = SBE_NULL_I64, .stop_price = SBE_NULL_I64);
    report = hear_report(&one, 14, SBE_EXEC_AMENDED, MATCHING_PARTIAL);
    CU_ASSERT_EQUAL(report.filled_quantity, ONE);
    CU_ASSERT_EQUAL(report.price, 90 * ONE);
    hear_report(&two, 22, SBE_EXEC_TRADE, MATCHING_FILLED);
    TELL(&one, amend_order, .client_order_id = 15, .order_id = order_id, UNCHANGED);
    hear_reject(&one, 15, SBE_AMEND_ORDER, MATCHING_MISSING_FIELD, "price");
    end();
}

static void amend_price(client *c, uint64_t id, uint64_t order_id, int64_t price, int64_t quantity)
{
    TELL(c, amend_order, .client_order_id = id, .order_id = order_id, .price = price * ONE,
         .quantity = quantity * ONE, .stop_price = SBE_NULL_I64);
}

/* The trades tell the order's owner of it, with the new price and quantity; later ones as well. */
static void test_an_amend_by_somebody_else_that_trades(void)
{
    begin();
    uint64_t order_id = enter(&one, 11, "ann", MATCHING_SELL, 100, 5);
    enter(&two, 21, "bob", MATCHING_BUY, 91, 1);
    enter(&two, 22, "bob", MATCHING_BUY, 90, 2);
    amend_price(&two, 23, order_id, 90, 8);
    sbe_execution_report report = hear_report(&two, 23, SBE_EXEC_AMENDED, MATCHING_PARTIAL);
    CU_ASSERT_EQUAL(report.remaining_quantity, 5 * ONE);
    for (int64_t filled = 1; filled <= 3; filled += 2) {
        report = hear_report(&one, 11, SBE_EXEC_TRADE, MATCHING_PARTIAL);
        CU_ASSERT_EQUAL(report.price, 90 * ONE);
        CU_ASSERT_EQUAL(report.last_price, (filled == 1 ? 91 : 90) * ONE);
        CU_ASSERT_EQUAL(report.filled_quantity, filled * ONE);
        CU_ASSERT_EQUAL(report.remaining_quantity, (8 - filled) * ONE);
    }
    hear_report(&two, 21, SBE_EXEC_TRADE, MATCHING_FILLED);
    hear_report(&two, 22, SBE_EXEC_TRADE, MATCHING_FILLED);
    tell_order(&two, limit(24, "bob", MATCHING_BUY, 90, 5));
    hear_report(&two, 24, SBE_EXEC_NEW, MATCHING_FILLED);
    report = hear_report(&one, 11, SBE_EXEC_TRADE, MATCHING_FILLED);
    CU_ASSERT_EQUAL(report.filled_quantity, 8 * ONE);
    end();
}

/* A fill, an own amend and a fill again, all under way at once: each report is as of its trade. */
static void test_fills_before_and_after_an_own_amend(void)
{
    begin();
    uint64_t order_id = enter(&one, 11, "ann", MATCHING_SELL, 100, 5);
    add_order(&one, limit(12, "bob", MATCHING_BUY, 100, 1));
    ADD(&one, amend_order, .client_order_id = 13, .order_id = order_id, .price = SBE_NULL_I64,
        .quantity = 9 * ONE, .stop_price = SBE_NULL_I64);
    add_order(&one, limit(14, "bob", MATCHING_BUY, 100, 2));
    go(&one);
    hear_report(&one, 12, SBE_EXEC_NEW, MATCHING_FILLED);
    sbe_execution_report report = hear_report(&one, 13, SBE_EXEC_AMENDED, MATCHING_PARTIAL);
    CU_ASSERT_EQUAL(report.filled_quantity, ONE);
    CU_ASSERT_EQUAL(report.remaining_quantity, 8 * ONE);
    hear_report(&one, 14, SBE_EXEC_NEW, MATCHING_FILLED);
    report = hear_report(&one, 11, SBE_EXEC_TRADE, MATCHING_PARTIAL);
    CU_ASSERT_EQUAL(report.filled_quantity, ONE);
    CU_ASSERT_EQUAL(report.remaining_quantity, 4 * ONE);
    report = hear_report(&one, 11, SBE_EXEC_TRADE, MATCHING_PARTIAL);
    CU_ASSERT_EQUAL(report.filled_quantity, 3 * ONE);
    CU_ASSERT_EQUAL(report.remaining_quantity, 6 * ONE);
    end();
}

static void test_a_stop_tells_that_it_was_triggered(void)
{
    begin();
    sbe_new_order stop = limit(11, "ann", MATCHING_BUY, 0, 1);
    stop.order_type = MATCHING_STOP;
    stop.price = SBE_NULL_I64;
    stop.stop_price = 100 * ONE;
    tell_order(&one, stop);
    hear_report(&one, 11, SBE_EXEC_NEW, MATCHING_UNTRIGGERED);
    enter(&two, 21, "bob", MATCHING_SELL, 100, 2);
    tell_order(&two, limit(22, "cat", MATCHING_BUY, 100, 1));
    hear_report(&two, 22, SBE_EXEC_NEW, MATCHING_FILLED);
    hear_report(&one, 11, SBE_EXEC_TRIGGERED, MATCHING_OPEN);
    sbe_execution_report report = hear_report(&one, 11, SBE_EXEC_TRADE, MATCHING_FILLED);
    CU_ASSERT_EQUAL(report.last_price, 100 * ONE);
    hear_report(&two, 21, SBE_EXEC_TRADE, MATCHING_PARTIAL);
    hear_report(&two, 21, SBE_EXEC_TRADE, MATCHING_FILLED);
    end();
}

static void test_an_expiry_is_reported(void)
{
    begin();
    sbe_new_order order = limit(11, "ann", MATCHING_BUY, 100, 1);
    order.time_in_force = MATCHING_GTD;
    order.expire_time = matching_unix_ns() / 1000000 + 250; /* else it may come too late */
    tell_order(&one, order);
    hear_report(&one, 11, SBE_EXEC_NEW, MATCHING_OPEN);
    sbe_execution_report report = hear_report(&one, 11, SBE_EXEC_CANCELLED, MATCHING_CANCELLED);
    CU_ASSERT_EQUAL(report.reason, MATCHING_REASON_EXPIRED);
    end();
}

/* Then the core tells of them at more length. */
static void test_orders_that_others_watch(void)
{
    is_watched = true;
    test_a_fill_is_reported_to_who_rested();
    test_the_answer_comes_before_the_reports_of_the_same_trade();
    test_cancels_are_told_once_to_everybody_concerned();
    test_amends_are_told_once_to_everybody_concerned();
    test_an_amend_by_somebody_else_that_trades();
    test_fills_before_and_after_an_own_amend();
    test_a_stop_tells_that_it_was_triggered();
    test_an_expiry_is_reported();
    is_watched = false;
}

/* The door goes on when nobody is there to be told. */
static void test_orders_outlive_their_connection(void)
{
    begin();
    enter(&two, 21, "bob", MATCHING_SELL, 100, 1);
    enter(&two, 22, "bob", MATCHING_SELL, 101, 1);
    disconnect(&two);
    connect_client(&two);
    tell_order(&one, limit(11, "ann", MATCHING_BUY, 101, 2));
    hear_report(&one, 11, SBE_EXEC_NEW, MATCHING_FILLED);
    end();
}

/* ---- Mass cancels ---------------------------------------------------------------------------- */

static void test_a_mass_cancel_reports_each_order_then_beats(void)
{
    uint64_t ids[6];
    begin();
    for (unsigned i = 0; i < 6; i++) {
        tell_order(&one, in(limit(i + 1, "ann", MATCHING_BUY, 100 + i, 1), BTC + i % 3));
        ids[i] = hear_report(&one, i + 1, SBE_EXEC_NEW, MATCHING_OPEN).order_id;
    }
    enter(&one, 7, "bob", MATCHING_BUY, 1, 1);
    ADD(&one, mass_cancel, .client_order_id = 31, .trader_id = "ann");
    add_order(&one, limit(8, "ann", MATCHING_BUY, 50, 1));
    ADD(&one, mass_cancel, .client_order_id = 32, .trader_id = "ann");
    ADD(&one, mass_cancel, .client_order_id = 33, .trader_id = "ann");
    ADD(&one, heartbeat, .timestamp = 99);
    go(&one);
    uint64_t last = 0;
    for (unsigned i = 0; i < 6; i++) {
        sbe_execution_report report = hear_report(&one, 31, SBE_EXEC_CANCELLED, MATCHING_CANCELLED);
        CU_ASSERT_EQUAL(report.reason, MATCHING_REASON_MASS_CANCEL);
        CU_ASSERT_EQUAL(report.remaining_quantity, ONE);
        CU_ASSERT_TRUE(report.order_id > last);
        last = report.order_id;
        unsigned at = 0;
        while (at < 6 && ids[at] != report.order_id) {
            at++;
        }
        CU_ASSERT_TRUE_FATAL(at < 6);
        CU_ASSERT_EQUAL(report.instrument_id, BTC + at % 3);
        CU_ASSERT_EQUAL(report.price, (int64_t)(100 + at) * ONE);
    }
    hear_heartbeat(&one, 0);
    hear_report(&one, 8, SBE_EXEC_NEW, MATCHING_OPEN);
    hear_report(&one, 32, SBE_EXEC_CANCELLED, MATCHING_CANCELLED);
    hear_heartbeat(&one, 0);
    hear_heartbeat(&one, 0);
    hear_heartbeat(&one, 99);
    end();
}

static void test_a_mass_cancel_of_one_instrument_and_of_the_logon(void)
{
    begin();
    disconnect(&one);
    connect_client(&one);
    TELL(&one, logon, .trader_id = "ann");
    hear_heartbeat(&one, 0);
    tell_order(&one, limit(1, "", MATCHING_BUY, 100, 1));
    hear_report(&one, 1, SBE_EXEC_NEW, MATCHING_OPEN);
    tell_order(&one, in(limit(2, "", MATCHING_BUY, 100, 1), ETH));
    hear_report(&one, 2, SBE_EXEC_NEW, MATCHING_OPEN);
    TELL(&one, mass_cancel, .client_order_id = 3, .instrument_id = ETH);
    CU_ASSERT_EQUAL(hear_report(&one, 3, SBE_EXEC_CANCELLED, MATCHING_CANCELLED).instrument_id,
                    ETH);
    hear_heartbeat(&one, 0);
    TELL(&one, mass_cancel, .client_order_id = 4, .instrument_id = 77);
    hear_reject(&one, 4, SBE_MASS_CANCEL, MATCHING_UNKNOWN_SYMBOL, "symbol");
    TELL(&two, mass_cancel, .client_order_id = 5);
    hear_reject(&two, 5, SBE_MASS_CANCEL, MATCHING_MISSING_FIELD, "trader_id");
    end();
}

static void test_others_mass_cancels_are_reported_as_what_they_are(void)
{
    begin();
    uint64_t first = enter(&one, 1, "ann", MATCHING_BUY, 100, 1);
    TELL(&two, mass_cancel, .client_order_id = 21, .trader_id = "ann");
    CU_ASSERT_EQUAL(hear_report(&two, 21, SBE_EXEC_CANCELLED, MATCHING_CANCELLED).order_id, first);
    hear_heartbeat(&two, 0);
    sbe_execution_report report = hear_report(&one, 1, SBE_EXEC_CANCELLED, MATCHING_CANCELLED);
    CU_ASSERT_EQUAL(report.reason, MATCHING_REASON_MASS_CANCEL);
    enter(&one, 2, "ann", MATCHING_BUY, 100, 1);
    cancel_all_elsewhere("ann");
    hear_report(&one, 2, SBE_EXEC_CANCELLED, MATCHING_CANCELLED);
    end();
}

/* Two connections cancel the same trader's orders at once: each is told of every order that it
 * entered exactly once, and both together of all that their requests have ended. */
static void test_mass_cancels_that_meet(void)
{
    enum { COUNT = 50, ROUNDS = 20 };
    begin();
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (uint64_t i = 1; i <= COUNT; i++) {
            add_order(&one, in(limit(i, "ann", MATCHING_BUY, 100, 1), BTC + (uint32_t)i % 3));
        }
        go(&one);
        for (uint64_t i = 1; i <= COUNT; i++) {
            hear_report(&one, i, SBE_EXEC_NEW, MATCHING_OPEN);
        }
        TELL(&one, mass_cancel, .client_order_id = 1000, .trader_id = "ann");
        TELL(&two, mass_cancel, .client_order_id = 2000, .trader_id = "ann");
        unsigned replies = 0, reports = 0, others = 0;
        bool has_beaten = false;
        while (replies + reports < COUNT || !has_beaten) {
            sbe_message message = hear(&one);
            has_beaten = has_beaten || message.template_id == SBE_HEARTBEAT;
            if (message.template_id == SBE_EXECUTION_REPORT) {
                bool is_reply = sbe_execution_report_client_order_id(message.block) == 1000;
                replies += is_reply;
                reports += !is_reply;
            }
        }
        for (sbe_message message; (message = hear(&two)).template_id != SBE_HEARTBEAT;) {
            others++;
        }
        CU_ASSERT_EQUAL(replies + others, COUNT);
        CU_ASSERT_EQUAL(replies + reports, COUNT);
        hear_nothing(&one);
    }
    end();
}

enum { MANY = 12000, AT_ONCE = 600 };

/* More than may wait for a client at once. */
static void cancel_many(void)
{
    prepare();
    config.sbe.max_queue_bytes = 65536;
    open_door();
    connect_client(&one);
    connect_client(&two);
    for (unsigned sent = 0; sent < MANY; sent += AT_ONCE) {
        for (unsigned i = 0; i < AT_ONCE; i++) {
            add_order(&one, limit(0, "ann", MATCHING_BUY, 100, 1));
        }
        go(&one);
        for (unsigned i = 0; i < AT_ONCE; i++) {
            hear_report(&one, 0, SBE_EXEC_NEW, MATCHING_OPEN);
        }
    }
    TELL(&one, mass_cancel, .client_order_id = 5, .trader_id = "ann");
}

/* Each of them but `heard`. */
static void hear_that_many_are_cancelled(unsigned heard)
{
    for (unsigned i = heard; i < MANY; i++) {
        hear_report(&one, 5, SBE_EXEC_CANCELLED, MATCHING_CANCELLED);
    }
    hear_heartbeat(&one, 0);
}

/* It is sent as the client takes it. */
static void test_a_large_mass_cancel_is_told_in_full(void)
{
    cancel_many();
    hear_that_many_are_cancelled(0);
    end();
}

static void *stop_door(void *unused)
{
    door.ops->stop(&door);
    return unused;
}

static void test_a_stop_waits_until_a_mass_cancel_is_told(void)
{
    pthread_t stopping;
    cancel_many();
    disconnect(&two);
    hear_report(&one, 5, SBE_EXEC_CANCELLED, MATCHING_CANCELLED); /* it is under way */
    CU_ASSERT_EQUAL_FATAL(pthread_create(&stopping, NULL, stop_door, NULL), 0);
    hear_that_many_are_cancelled(1);
    expect_close(&one, 1001, "the server is stopping");
    pthread_join(stopping, NULL);
    disconnect(&one);
    close_door();
}

/* Orders of seven traders and mass cancels of five of them in turn, all under way together: each
 * reports what its trader has by then. */
static void test_many_mass_cancels_under_way(void)
{
    enum { ROUNDS = 300, TRADERS = 7, CANCELLED = 5 };
    unsigned working[TRADERS] = {0};
    begin();
    for (unsigned i = 0; i < ROUNDS; i++) {
        char name[] = {(char)('a' + i % TRADERS), '\0'};
        sbe_mass_cancel cancel = {.client_order_id = 1000 + i};
        cancel.trader_id[0] = (char)('a' + i % CANCELLED);
        add_order(&one, in(limit(i + 1, name, MATCHING_BUY, 100, 1), 1 + i % 3));
        one.length += sbe_mass_cancel_write(one.out + one.length, SBE_MASS_CANCEL_BYTES, &cancel);
    }
    go(&one);
    for (unsigned i = 0; i < ROUNDS; i++) {
        hear_report(&one, i + 1, SBE_EXEC_NEW, MATCHING_OPEN);
        working[i % TRADERS]++;
        for (; working[i % CANCELLED] > 0; working[i % CANCELLED]--) {
            sbe_execution_report report =
                hear_report(&one, 1000 + i, SBE_EXEC_CANCELLED, MATCHING_CANCELLED);
            CU_ASSERT_EQUAL(report.reason, MATCHING_REASON_MASS_CANCEL);
        }
        hear_heartbeat(&one, 0);
    }
    end();
}

MATCHING_TESTS(MATCHING_TEST(test_a_fill_is_reported_to_who_rested),
               MATCHING_TEST(test_who_reads_is_not_slow),
               MATCHING_TEST(test_the_answer_comes_before_the_reports_of_the_same_trade),
               MATCHING_TEST(test_cancels_are_told_once_to_everybody_concerned),
               MATCHING_TEST(test_amends_are_told_once_to_everybody_concerned),
               MATCHING_TEST(test_an_amend_by_somebody_else_that_trades),
               MATCHING_TEST(test_fills_before_and_after_an_own_amend),
               MATCHING_TEST(test_a_stop_tells_that_it_was_triggered),
               MATCHING_TEST(test_an_expiry_is_reported),
               MATCHING_TEST(test_orders_that_others_watch),
               MATCHING_TEST(test_orders_outlive_their_connection),
               MATCHING_TEST(test_a_mass_cancel_reports_each_order_then_beats),
               MATCHING_TEST(test_a_mass_cancel_of_one_instrument_and_of_the_logon),
               MATCHING_TEST(test_others_mass_cancels_are_reported_as_what_they_are),
               MATCHING_TEST(test_mass_cancels_that_meet),
               MATCHING_TEST(test_many_mass_cancels_under_way),
               MATCHING_TEST(test_a_large_mass_cancel_is_told_in_full),
               MATCHING_TEST(test_a_stop_waits_until_a_mass_cancel_is_told))
