/* The gateway as a library: what its handler is told of trades and errors, by whatever clients
 * send. */
#include "gateway_fixture.h"
#include "support/cunit_main.h"

/* ---- Trades ---------------------------------------------------------------------------------- */

static void test_a_frames_trades_come_as_one_run(void)
{
    open_gateway(&ALL);
    join(&one);
    for (uint64_t id = 1; id <= 100; id++) {
        add_trade(&one, id);
    }
    go(&one);
    add_trade(&one, 101);
    go(&one);
    settle(&one);
    expect_told("0 connect\n0 run of 100 by 29 from 1\n0 run of 1 by 29 from 101\n");
    CU_ASSERT_EQUAL(told.volume, 303);
    CU_ASSERT_EQUAL(told.last_id, 101);
    ws_client_close(&one.ws);
    close_gateway();
}

/* Trades of a later schema, of four more bytes, are runs of their own. */
static void test_longer_trades_are_further_apart(void)
{
    open_gateway(&ALL);
    join(&one);
    add_trade(&one, 1);
    for (uint64_t id = 2; id <= 4; id++) {
        uint8_t *header = one.out + one.length;
        add_trade(&one, id);
        sbe_store_u16(header, SBE_TRADE_BLOCK + 4);
        sbe_store_u16(header + 6, 1);
        memset(one.out + one.length, 0xff, 4);
        one.length += 4;
    }
    add_trade(&one, 5);
    go(&one);
    settle(&one);
    expect_told("0 connect\n0 run of 1 by 29 from 1\n0 run of 3 by 33 from 2\n"
                "0 run of 1 by 29 from 5\n");
    CU_ASSERT_EQUAL(told.volume, 15);
    ws_client_close(&one.ws);
    close_gateway();
}

static void test_trades_come_one_by_one_without_on_trades(void)
{
    matching_sbe_handler handler = ALL;
    handler.on_trades = NULL;
    open_gateway(&handler);
    join(&one);
    add_trade(&one, 1);
    add_trade(&one, 2);
    go(&one);
    settle(&one);
    expect_told("0 connect\n0 trade 1 B 50000.2 3\n0 trade 2 B 50000.2 3\n");
    ws_client_close(&one.ws);
    close_gateway();
}

static void test_a_run_that_is_not_wanted_comes_one_by_one(void)
{
    open_gateway(&ALL);
    set_answer(MATCHING_SBE_ONE_BY_ONE);
    join(&one);
    add_trade(&one, 1);
    add_trade(&one, 2);
    go(&one);
    settle(&one);
    expect_told("0 connect\n0 run of 2 by 29 from 1\n0 trade 1 B 50000.2 3\n"
                "0 trade 2 B 50000.2 3\n");
    ws_client_close(&one.ws);
    close_gateway();
}

static void test_nobody_has_to_listen(void)
{
    open_gateway(&(matching_sbe_handler){0});
    join(&one);
    add_trade(&one, 1);
    go(&one);
    settle(&one);
    ws_client_close(&one.ws);
    close_gateway();
}

/* ---- Errors ---------------------------------------------------------------------------------- */

static void test_a_handlers_error_is_told_and_ends_nothing(void)
{
    open_gateway(&ALL);
    set_answer(-5);
    join(&one);
    add_trade(&one, 1);
    add_trade(&one, 2);
    go(&one);
    settle(&one);
    expect_told("0 connect\n0 run of 2 by 29 from 1\n"
                "0 error -5 on_trades returned -5 for 2 trades\n");
    ws_client_close(&one.ws);
    close_gateway();
}

static void test_one_trade_that_fails_does_not_stop_the_next(void)
{
    matching_sbe_handler handler = ALL;
    handler.on_trades = NULL;
    open_gateway(&handler);
    join(&one);
    for (uint64_t id = 12; id <= 15; id++) {
        add_trade(&one, id);
    }
    go(&one);
    settle(&one);
    expect_told("0 connect\n0 trade 12 B 50000.2 3\n0 trade 13 B 50000.2 3\n"
                "0 error 7 on_trade returned 7 for trade 13\n0 trade 14 B 50000.2 3\n"
                "0 error 1 on_trade returned 1 for trade 14\n0 trade 15 B 50000.2 3\n");
    ws_client_close(&one.ws);
    close_gateway();
}

static void test_a_frame_that_is_cut_costs_its_end_alone(void)
{
    open_gateway(&ALL);
    join(&one);
    settle(&one);
    join(&two);
    settle(&two);
    for (uint64_t id = 1; id <= 3; id++) {
        add_trade(&one, id);
    }
    one.length -= 9;
    go(&one);
    hear_reject(&one, 0, SBE_TRADE, 2);
    add_trade(&two, 4);
    go(&two);
    settle(&two);
    add_trade(&one, 5);
    go(&one);
    settle(&one);
    expect_told("0 connect\n1 connect\n0 run of 2 by 29 from 1\n"
                "0 error 0 insufficient data: expected 29 bytes, got 20\n"
                "1 run of 1 by 29 from 4\n0 run of 1 by 29 from 5\n");
    ws_client_close(&one.ws);
    ws_client_close(&two.ws);
    close_gateway();
}

static void test_a_trade_without_a_quantity_is_refused_alone(void)
{
    const sbe_trade without = {.trade_id = 3, .symbol = 'B', .quantity = UINT32_MAX};
    open_gateway(&ALL);
    join(&one);
    add_trade(&one, 1);
    add_trade(&one, 2);
    one.length += sbe_trade_write(one.out + one.length, sizeof one.out - one.length, &without);
    add_trade(&one, 4);
    go(&one);
    hear_reject(&one, 0, SBE_TRADE, 7);
    settle(&one);
    expect_told("0 connect\n0 run of 2 by 29 from 1\n0 error 0 trade 3 has no quantity\n"
                "0 run of 1 by 29 from 4\n");
    ws_client_close(&one.ws);
    close_gateway();
}

static void test_bytes_that_are_no_message_are_told(void)
{
    open_gateway(&ALL);
    join(&one);
    memcpy(one.out, "\x15\x00\x63\x00\x01\x00\x00\x00", one.length = 8);
    go(&one);
    hear_reject(&one, 0, 99, 3);
    memcpy(one.out, "\x15\x00\x01\x00\x09\x00\x00\x00", one.length = 8);
    go(&one);
    hear_reject(&one, 0, SBE_TRADE, 2);
    expect_told("0 connect\n0 error 0 unknown template: 99\n"
                "0 error 0 wrong schema: expected 1, got 9\n");
    ws_client_close(&one.ws);
    close_gateway();
}

static void test_orders_are_refused_with_their_id(void)
{
    const sbe_new_order order = {.client_order_id = 77};
    const sbe_logon logon = {.trader_id = "alice"};
    const sbe_subscribe subscribe = {.channels = 7};
    open_gateway(&ALL);
    join(&one);
    one.length = sbe_new_order_write(one.out, sizeof one.out, &order);
    go(&one);
    hear_reject(&one, 77, SBE_NEW_ORDER, 3);
    one.length = sbe_logon_write(one.out, sizeof one.out, &logon);
    go(&one);
    hear_reject(&one, 0, SBE_LOGON, 3);
    one.length = sbe_subscribe_write(one.out, sizeof one.out, &subscribe);
    go(&one);
    hear_reject(&one, 0, SBE_SUBSCRIBE, 3);
    expect_told("0 connect\n0 error 0 unknown template: 2\n0 error 0 unknown template: 12\n"
                "0 error 0 unknown template: 8\n");
    ws_client_close(&one.ws);
    close_gateway();
}

static void test_text_ends_its_connection_alone(void)
{
    const char *data;
    size_t length;
    open_gateway(&ALL);
    join(&two);
    settle(&two);
    join(&one);
    one.ws.is_binary = false;
    ws_client_send(&one.ws, "hello", 5);
    CU_ASSERT_FALSE(ws_client_receive(&one.ws, &data, &length, DEADLINE_MS));
    CU_ASSERT_EQUAL(one.ws.close_code, 1003);
    settle(&two);
    CU_ASSERT_EQUAL(told.errors, 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(told.lines, "1 error 0 a text frame\n"));
    ws_client_close(&one.ws);
    ws_client_close(&two.ws);
    close_gateway();
}

static void test_a_client_of_many_errors_is_sent_away_where_that_is_wanted(void)
{
    const char *data;
    size_t length;
    open_with(&(matching_sbe_gateway_options){.max_errors_in_a_row = 2}, &ALL);
    join(&one);
    one.length = 3;
    go(&one);
    hear_reject(&one, 0, 0, 2);
    one.length = 3;
    go(&one);
    hear_reject(&one, 0, 0, 2);
    CU_ASSERT_FALSE(ws_client_receive(&one.ws, &data, &length, DEADLINE_MS));
    CU_ASSERT_EQUAL(one.ws.close_code, 1008);
    ws_client_close(&one.ws);
    close_gateway();
}

MATCHING_TESTS(MATCHING_TEST(test_a_frames_trades_come_as_one_run),
               MATCHING_TEST(test_longer_trades_are_further_apart),
               MATCHING_TEST(test_trades_come_one_by_one_without_on_trades),
               MATCHING_TEST(test_a_run_that_is_not_wanted_comes_one_by_one),
               MATCHING_TEST(test_nobody_has_to_listen),
               MATCHING_TEST(test_a_handlers_error_is_told_and_ends_nothing),
               MATCHING_TEST(test_one_trade_that_fails_does_not_stop_the_next),
               MATCHING_TEST(test_a_frame_that_is_cut_costs_its_end_alone),
               MATCHING_TEST(test_a_trade_without_a_quantity_is_refused_alone),
               MATCHING_TEST(test_bytes_that_are_no_message_are_told),
               MATCHING_TEST(test_orders_are_refused_with_their_id),
               MATCHING_TEST(test_text_ends_its_connection_alone),
               MATCHING_TEST(test_a_client_of_many_errors_is_sent_away_where_that_is_wanted))
