/* The door itself: connections, frames, the order of answers, refusals, Logon. */
#include "sbe_fixture.h"

static client one, two;

static void begin(void)
{
    prepare();
    open_door();
    connect_client(&one);
}

static void end(void)
{
    disconnect(&one);
    close_door();
}

static void test_instruments_are_told_first(void)
{
    static const struct {
        uint32_t id;
        char letter;
        const char *symbol;
    } rows[] = {{BTC, 'B', "BTCUSDT"}, {ETH, 'E', "ETHUSDT"}, {SOL, 'S', "SOLUSDT"}};
    prepare();
    open_door();
    connect_raw(&one);
    for (size_t i = 0; i < 3; i++) {
        sbe_instrument told;
        sbe_instrument_read(hear_block(&one, SBE_INSTRUMENT), &told);
        CU_ASSERT_EQUAL(told.id, rows[i].id);
        CU_ASSERT_EQUAL(told.sbe_char, rows[i].letter);
        CU_ASSERT_EQUAL(told.state, MATCHING_TRADING);
        CU_ASSERT_EQUAL(strncmp(told.symbol, rows[i].symbol, sizeof told.symbol), 0);
        CU_ASSERT_EQUAL(told.tick_size, ONE / 100);
        CU_ASSERT_EQUAL(told.lot_size, ONE / 10000);
    }
    CU_ASSERT_EQUAL(one.frames, 1);
    end();
}

static void test_an_order_is_entered_and_reported(void)
{
    begin();
    tell_order(&one, limit(77, "ann", MATCHING_SELL, 50000, 2));
    sbe_execution_report report = hear_report(&one, 77, SBE_EXEC_NEW, MATCHING_OPEN);
    CU_ASSERT_TRUE(report.order_id > 0);
    CU_ASSERT_EQUAL(report.instrument_id, BTC);
    CU_ASSERT_EQUAL(report.side, MATCHING_SELL);
    CU_ASSERT_EQUAL(report.reason, MATCHING_REASON_NONE);
    CU_ASSERT_EQUAL(report.price, 50000 * ONE);
    CU_ASSERT_EQUAL(report.filled_quantity, 0);
    CU_ASSERT_EQUAL(report.remaining_quantity, 2 * ONE);
    CU_ASSERT_EQUAL(report.last_quantity, 0);
    CU_ASSERT_EQUAL(report.last_price, SBE_NULL_I64);
    CU_ASSERT_EQUAL(report.trade_id, 0);
    /* Later than 2020, in nanoseconds. */
    CU_ASSERT_TRUE(report.timestamp > UINT64_C(1577836800000000000));
    tell_order(&one, limit(78, "bob", MATCHING_BUY, 50001, 3));
    report = hear_report(&one, 78, SBE_EXEC_NEW, MATCHING_PARTIAL);
    CU_ASSERT_EQUAL(report.filled_quantity, 2 * ONE);
    CU_ASSERT_EQUAL(report.remaining_quantity, ONE);
    end();
}

/* Shards answer apart, refusals and heartbeats at once; what comes back is in order anyway. */
static void test_answers_come_in_the_order_of_the_requests(void)
{
    enum { COUNT = 600 };
    static const uint32_t instruments[] = {BTC, ETH, SOL};
    begin();
    for (uint64_t i = 1; i <= COUNT; i++) {
        if (i % 7 == 0) {
            ADD(&one, heartbeat, .timestamp = i);
        } else if (i % 5 == 0) {
            add_order(&one, limit(i, "ann", 9, 100, 1));
        } else if (i % 11 == 0) {
            ADD(&one, cancel_order, .client_order_id = i, .order_id = 1u << 20);
        } else if (i % 61 == 0) {
            ADD(&one, mass_cancel, .client_order_id = i, .trader_id = "zoe");
        } else {
            add_order(&one, in(limit(i, "ann", MATCHING_BUY, 100, 1), instruments[i % 3]));
        }
    }
    size_t before = one.frames, in_shard[2] = {0, 0};
    go(&one);
    for (uint64_t i = 1; i <= COUNT; i++) {
        if (i % 7 == 0) {
            hear_heartbeat(&one, i);
        } else if (i % 5 == 0) {
            hear_reject(&one, i, SBE_NEW_ORDER, MATCHING_INVALID_SIDE, "side");
        } else if (i % 11 == 0) {
            hear_reject(&one, i, SBE_CANCEL_ORDER, MATCHING_ORDER_NOT_FOUND, "order_id");
        } else if (i % 61 == 0) {
            hear_heartbeat(&one, 0);
        } else {
            in_shard[hear_report(&one, i, SBE_EXEC_NEW, MATCHING_OPEN).order_id & 1]++;
        }
    }
    CU_ASSERT_TRUE(in_shard[0] > 100 && in_shard[1] > 100);
    CU_ASSERT_TRUE(one.frames - before < COUNT / 2);
    end();
}

/* A frame of 64 KiB is answered by more than may stand in one. */
static void test_a_full_frame_is_answered(void)
{
    enum { COUNT = 65536 / SBE_NEW_ORDER_BYTES };
    begin();
    for (uint64_t i = 1; i <= COUNT; i++) {
        add_order(&one, limit(i, "ann", MATCHING_BUY, 1, 1));
    }
    go(&one);
    for (uint64_t i = 1; i <= COUNT; i++) {
        hear_report(&one, i, SBE_EXEC_NEW, MATCHING_OPEN);
    }
    end();
}

static void test_a_bad_message_ends_its_frame_and_undoes_nothing(void)
{
    static const uint8_t unknown[] = {0, 0, 99, 0, 1, 0, 0, 0};
    begin();
    add_order(&one, limit(1, "ann", MATCHING_BUY, 100, 1));
    memcpy(one.out + one.length, unknown, sizeof unknown);
    one.length += sizeof unknown;
    tell_order(&one, limit(2, "ann", MATCHING_BUY, 100, 1));
    hear_report(&one, 1, SBE_EXEC_NEW, MATCHING_OPEN);
    hear_reject(&one, 0, 99, MATCHING_UNKNOWN_TYPE, "UNKNOWN_TYPE");
    hear_nothing(&one);

    add_order(&one, limit(3, "ann", MATCHING_BUY, 100, 1));
    add_order(&one, limit(4, "ann", MATCHING_BUY, 100, 1));
    one.length -= 1;
    go(&one);
    hear_report(&one, 3, SBE_EXEC_NEW, MATCHING_OPEN);
    hear_reject(&one, 4, SBE_NEW_ORDER, MATCHING_INVALID_MESSAGE, "INVALID_MESSAGE");
    hear_nothing(&one);

    /* What only goes out is as good as unknown. */
    ADD(&one, execution_report, .client_order_id = 5);
    TELL(&one, heartbeat, .timestamp = 6);
    hear_reject(&one, 0, SBE_EXECUTION_REPORT, MATCHING_UNKNOWN_TYPE, "UNKNOWN_TYPE");
    hear_nothing(&one);
    end();
}

static void test_blocks_of_a_newer_schema_are_taken(void)
{
    begin();
    add_order(&one, limit(1, "ann", MATCHING_BUY, 100, 1));
    sbe_store_u16(one.out, SBE_NEW_ORDER_BLOCK + 5);
    sbe_store_u16(one.out + 6, 3);
    memset(one.out + one.length, 0xee, 5);
    one.length += 5;
    TELL(&one, heartbeat, .timestamp = 2);
    hear_report(&one, 1, SBE_EXEC_NEW, MATCHING_OPEN);
    hear_heartbeat(&one, 2);
    end();
}

static void test_a_text_frame_ends_the_connection(void)
{
    begin();
    one.ws.is_binary = false;
    ws_client_send(&one.ws, "{}", 2);
    one.ws.is_binary = true;
    expect_close(&one, 1003, "text frames are not supported here, send binary frames");
    end();
}

static void test_limits_of_a_connection(void)
{
    prepare();
    config.sbe.max_errors_in_a_row = 3;
    config.sbe.max_message_bytes = 1024;
    open_door();
    connect_client(&one);
    connect_client(&two);
    for (uint64_t i = 0; i < 5; i++) { /* a good one between them: not in a row */
        add_order(&one, limit(1, "ann", 7, 100, 1));
        add_order(&one, limit(2, "ann", MATCHING_BUY, 100, 1));
    }
    go(&one);
    for (uint64_t i = 0; i < 5; i++) {
        hear_reject(&one, 1, SBE_NEW_ORDER, MATCHING_INVALID_SIDE, "side");
        sbe_message message = hear(&one); /* the second: a duplicate, which is no fault */
        CU_ASSERT_EQUAL(message.template_id, i == 0 ? SBE_EXECUTION_REPORT : SBE_REJECT);
    }
    for (uint64_t i = 0; i < 3; i++) {
        add_order(&one, limit(1, "ann", 7, 100, 1));
    }
    go(&one);
    expect_close(&one, 1008, "too many errors");
    memset(two.out, 0, 1025);
    two.length = 1025;
    go(&two);
    expect_close(&two, 1009, "message too large");
    disconnect(&two);
    end();
}

static void test_a_duplicate_names_the_other_order(void)
{
    begin();
    tell_order(&one, limit(9, "ann", MATCHING_BUY, 100, 1));
    char text[24];
    snprintf(text, sizeof text, "%llu",
             (unsigned long long)hear_report(&one, 9, SBE_EXEC_NEW, MATCHING_OPEN).order_id);
    tell_order(&one, limit(9, "ann", MATCHING_BUY, 99, 1));
    hear_reject(&one, 9, SBE_NEW_ORDER, MATCHING_DUPLICATE_CLIENT_ORDER_ID, text);
    end();
}

/* ---- Logon ----------------------------------------------------------------------------------- */

static void test_a_logon_names_the_trader(void)
{
    begin();
    tell_order(&one, limit(1, "", MATCHING_BUY, 100, 1));
    hear_reject(&one, 1, SBE_NEW_ORDER, MATCHING_MISSING_FIELD, "trader_id");
    TELL(&one, cancel_order, .client_order_id = 2, .order_id = 1);
    hear_reject(&one, 2, SBE_CANCEL_ORDER, MATCHING_ORDER_NOT_FOUND, "order_id");
    TELL(&one, logon, .trader_id = "ann"); /* not too late: there is no order yet */
    hear_heartbeat(&one, 0);
    connect_client(&two);
    tell_order(&two, limit(1, "ann", MATCHING_BUY, 100, 1));
    hear_report(&two, 1, SBE_EXEC_NEW, MATCHING_OPEN);
    TELL(&two, logon, .trader_id = "ann");
    hear_reject(&two, 0, SBE_LOGON, MATCHING_INVALID_MESSAGE, "INVALID_MESSAGE"); /* too late */
    disconnect(&two);
    connect_client(&two);
    TELL(&two, logon, .trader_id = "");
    hear_reject(&two, 0, SBE_LOGON, MATCHING_MISSING_FIELD, "trader_id");
    TELL(&two, logon, .trader_id = "a n");
    hear_reject(&two, 0, SBE_LOGON, MATCHING_INVALID_TRADER, "trader_id");
    TELL(&two, logon, .trader_id = "ann", .flags = 2);
    hear_reject(&two, 0, SBE_LOGON, MATCHING_INVALID_PARAMETER, "flags");
    ADD(&two, logon, .trader_id = "a-trader-of-32-characters-at-mos");
    ADD(&two, logon, .trader_id = "bob");
    add_order(&two, limit(5, "", MATCHING_BUY, 100, 1));
    add_order(&two, limit(5, "bob", MATCHING_BUY, 100, 1)); /* another's id may be the same */
    add_order(&two, limit(5, "", MATCHING_BUY, 100, 1));
    go(&two);
    hear_heartbeat(&two, 0);
    hear_reject(&two, 0, SBE_LOGON, MATCHING_INVALID_MESSAGE, "INVALID_MESSAGE");
    hear_report(&two, 5, SBE_EXEC_NEW, MATCHING_OPEN);
    hear_report(&two, 5, SBE_EXEC_NEW, MATCHING_OPEN);
    sbe_reject reject;
    sbe_reject_read(hear_block(&two, SBE_REJECT), &reject);
    CU_ASSERT_EQUAL(reject.code, MATCHING_DUPLICATE_CLIENT_ORDER_ID);
    disconnect(&two);
    end();
}

static void hear_book(client *c, int64_t bid, int64_t quantity)
{
    sbe_book_update book;
    sbe_book_update_read(hear_block(c, SBE_BOOK_UPDATE), &book);
    CU_ASSERT_EQUAL(book.best_bid, bid);
    CU_ASSERT_EQUAL(book.bid_quantity, quantity);
}

static void test_orders_end_with_their_connection(void)
{
    begin();
    connect_client(&two);
    TELL(&two, logon, .trader_id = "ann", .flags = SBE_CANCEL_ON_DISCONNECT);
    hear_heartbeat(&two, 0);
    rest(&two, "", MATCHING_BUY, 100, 3);
    rest(&one, "ann", MATCHING_BUY, 90, 1); /* of the same trader, but not of that connection */
    TELL(&one, subscribe, .instrument_id = BTC, .channels = SBE_CHANNEL_BOOK);
    hear_book(&one, 100 * ONE, 3 * ONE);
    disconnect(&two);
    hear_book(&one, 90 * ONE, ONE);
    end();
}

static void test_the_stop_says_goodbye(void)
{
    begin();
    add_order(&one, limit(1, "ann", MATCHING_BUY, 100, 1));
    go(&one);
    hear_report(&one, 1, SBE_EXEC_NEW, MATCHING_OPEN);
    door.ops->stop(&door);
    expect_close(&one, 1001, "the server is stopping");
    end();
}

MATCHING_TESTS(MATCHING_TEST(test_instruments_are_told_first),
               MATCHING_TEST(test_an_order_is_entered_and_reported),
               MATCHING_TEST(test_answers_come_in_the_order_of_the_requests),
               MATCHING_TEST(test_a_full_frame_is_answered),
               MATCHING_TEST(test_a_bad_message_ends_its_frame_and_undoes_nothing),
               MATCHING_TEST(test_blocks_of_a_newer_schema_are_taken),
               MATCHING_TEST(test_a_text_frame_ends_the_connection),
               MATCHING_TEST(test_limits_of_a_connection),
               MATCHING_TEST(test_a_duplicate_names_the_other_order),
               MATCHING_TEST(test_a_logon_names_the_trader),
               MATCHING_TEST(test_orders_end_with_their_connection),
               MATCHING_TEST(test_the_stop_says_goodbye))
