/* Tests of transports/json/json_writer.h: atoms, bodies, and that all of it is JSON. */
#include "json_writer.h"

#include "json_text.h"
#include "support/cunit_main.h"

static matching_core *core;

/* Instrument 0 with ticks of 0.01 and lots of 0.0001, instrument 1 with 0.5 and 1. */
static void make_core(void)
{
    static const matching_instrument_options instruments[] = {
        {.symbol = "BTCUSDT", .id = 1, .sbe_char = 'B', .tick_size = 1000000, .lot_size = 10000},
        {.symbol = "X.Y_Z-1", .id = 7, .tick_size = 50000000, .lot_size = 100000000},
    };
    char error[256];
    matching_core_options options;
    matching_core_options_default(&options);
    options.instruments = instruments;
    options.instrument_count = 2;
    options.shards = 1;
    options.ring_size = 16;
    options.max_orders = 64;
    options.max_traders = 16;
    options.retained_orders = 64;
    options.recent_trades = 16;
    core = matching_core_create(&options, error, sizeof error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(core);
}

static void end_core(void)
{
    matching_core_destroy(core);
    core = NULL;
}

/* Compares with what has been written, and empties the writer. */
static bool wrote(matching_writer *writer, const char *expected)
{
    bool same = !writer->failed && writer->length == strlen(expected) &&
                memcmp(writer->data, expected, writer->length) == 0;
    if (!same)
        printf("\n    wrote    %.*s\n    expected %s\n", (int)writer->length,
               writer->data != NULL ? writer->data : "", expected);
    matching_writer_clear(writer);
    return same;
}

static void test_strings_are_escaped(void)
{
    matching_writer writer;
    matching_writer_init(&writer);
    matching_write_cstring(&writer, "");
    CU_ASSERT(wrote(&writer, "\"\""));
    matching_write_cstring(&writer, "plain \xe2\x82\xac / text\x7f");
    CU_ASSERT(wrote(&writer, "\"plain \xe2\x82\xac / text\x7f\""));
    matching_write_string(&writer, "\"\\\b\f\n\r\t\0\x01\x1f", 10);
    CU_ASSERT(wrote(&writer, "\"\\\"\\\\\\b\\f\\n\\r\\t\\u0000\\u0001\\u001f\""));
    for (int c = 0; c < 128; c++) {
        char text[3] = {'<', (char)c, '>'};
        matching_write_string(&writer, text, 3);
        CU_ASSERT(matching_json_check(writer.data, writer.length, 1));
        matching_writer_clear(&writer);
    }
    matching_writer_fini(&writer);
}

static void test_numbers(void)
{
    matching_writer writer;
    matching_writer_init(&writer);
    matching_write_unsigned(&writer, 0);
    CU_ASSERT(wrote(&writer, "0"));
    matching_write_unsigned(&writer, UINT64_MAX);
    CU_ASSERT(wrote(&writer, "18446744073709551615"));
    matching_write_integer(&writer, INT64_MIN);
    CU_ASSERT(wrote(&writer, "-9223372036854775808"));
    matching_write_integer(&writer, INT64_MAX);
    CU_ASSERT(wrote(&writer, "9223372036854775807"));
    matching_write_integer(&writer, -7);
    CU_ASSERT(wrote(&writer, "-7"));
    matching_write_decimal(&writer, 5000000000000);
    CU_ASSERT(wrote(&writer, "50000"));
    matching_write_decimal(&writer, -25000000);
    CU_ASSERT(wrote(&writer, "-0.25"));
    matching_write_decimal(&writer, 1);
    CU_ASSERT(wrote(&writer, "0.00000001"));
    matching_write_total(&writer, 25, 10000);
    CU_ASSERT(wrote(&writer, "0.0025"));
    matching_write_total(&writer, (matching_wide)MATCHING_LOTS_MAX * 1000000, 100000000);
    CU_ASSERT(wrote(&writer, "999999999999999000000"));
    matching_writer_fini(&writer);
}

static void test_a_writer_grows_and_is_given_away(void)
{
    matching_writer writer;
    matching_writer_init(&writer);
    size_t length = 99;
    CU_ASSERT_PTR_NULL(matching_writer_take(&writer, &length));
    CU_ASSERT_EQUAL(length, 0);
    for (int i = 0; i < 100000; i++)
        MATCHING_WRITE(&writer, "0123456789");
    CU_ASSERT_EQUAL(writer.length, 1000000);
    CU_ASSERT_FALSE(writer.failed);
    char *data = matching_writer_take(&writer, &length);
    CU_ASSERT_PTR_NOT_NULL_FATAL(data);
    CU_ASSERT_EQUAL(length, 1000000);
    CU_ASSERT_EQUAL(memcmp(data + length - 10, "0123456789", 10), 0);
    free(data);
    CU_ASSERT_PTR_NULL(writer.data);
    CU_ASSERT_EQUAL(writer.length, 0);
    matching_writer_fini(&writer);
}

static void test_a_writer_is_bounded(void)
{
    static char megabyte[1 << 20];
    matching_writer writer;
    matching_writer_init(&writer);
    for (int i = 0; i < 64; i++)
        matching_write(&writer, megabyte, sizeof megabyte);
    CU_ASSERT_EQUAL(writer.length, MATCHING_WRITER_MAX);
    CU_ASSERT_FALSE(writer.failed);
    MATCHING_WRITE(&writer, "x");
    CU_ASSERT_TRUE(writer.failed);
    CU_ASSERT_EQUAL(writer.length, MATCHING_WRITER_MAX);
    matching_write_decimal(&writer, 5);
    CU_ASSERT_EQUAL(writer.length, MATCHING_WRITER_MAX);
    size_t length;
    CU_ASSERT_PTR_NULL(matching_writer_take(&writer, &length));
    MATCHING_WRITE(&writer, "again");
    CU_ASSERT(wrote(&writer, "again"));
    matching_writer_fini(&writer);
}

static void test_errors(void)
{
    matching_writer writer;
    matching_error error;
    matching_writer_init(&writer);
    matching_error_set(&error, MATCHING_INVALID_SIDE, MATCHING_FIELD_SIDE, NULL);
    matching_write_error(&writer, &error);
    CU_ASSERT(wrote(&writer, "{\"error\":\"invalid side, must be 'buy' or 'sell'\","
                             "\"code\":\"INVALID_SIDE\",\"field\":\"side\"}"));
    matching_error_set(&error, MATCHING_OVERLOADED, MATCHING_FIELD_NONE, "say \"when\"");
    matching_write_error(&writer, &error);
    CU_ASSERT(wrote(&writer, "{\"error\":\"say \\\"when\\\"\",\"code\":\"OVERLOADED\"}"));
    matching_error_set(&error, MATCHING_DUPLICATE_CLIENT_ORDER_ID, MATCHING_FIELD_CLIENT_ORDER_ID,
                       "m");
    error.order_id = 9007199254740991;
    matching_write_error(&writer, &error);
    CU_ASSERT(wrote(&writer, "{\"error\":\"m\",\"code\":\"DUPLICATE_CLIENT_ORDER_ID\","
                             "\"field\":\"client_order_id\",\"order_id\":9007199254740991}"));
    matching_write_error_members(&writer, &error);
    CU_ASSERT(wrote(&writer, "\"code\":\"DUPLICATE_CLIENT_ORDER_ID\","
                             "\"field\":\"client_order_id\",\"order_id\":9007199254740991"));
    matching_writer_fini(&writer);
}

static matching_order make_order(void)
{
    matching_order order = {
        .order_id = 64,
        .price_ticks = 5000000,
        .quantity_lots = 10000,
        .filled_lots = 2500,
        .notional = (matching_wide)5000000 * 2500,
        .created_ns = 1700000000123456789,
        .updated_ns = 1700000000999999999,
        .side = MATCHING_SELL,
        .type = MATCHING_LIMIT,
        .status = MATCHING_PARTIAL,
        .trader_id = "alice",
    };
    return order;
}

static void test_an_order_has_only_what_it_has(void)
{
    make_core();
    matching_writer writer;
    matching_writer_init(&writer);
    matching_order order = make_order();
    matching_write_order(&writer, core, &order, false);
    CU_ASSERT(
        wrote(&writer,
              "{\"order_id\":64,\"symbol\":\"BTCUSDT\",\"trader_id\":\"alice\",\"side\":\"sell\","
              "\"order_type\":\"limit\",\"time_in_force\":\"GTC\",\"price\":50000,\"quantity\":1,"
              "\"filled_quantity\":0.25,\"remaining_quantity\":0.75,\"average_price\":50000,"
              "\"status\":\"partial\",\"post_only\":false,\"created\":1700000000123,"
              "\"updated\":1700000000999}"));
    strcpy(order.client_order_id, "a\"b");
    order.instrument = 1;
    order.type = MATCHING_STOP_LIMIT;
    order.time_in_force = MATCHING_GTD;
    order.expire_time_ms = 1800000000000;
    order.stop_price_ticks = 3;
    order.display_lots = 20;
    order.filled_lots = 0;
    order.notional = 0;
    order.status = MATCHING_CANCELLED;
    order.reason = MATCHING_REASON_EXPIRED;
    order.post_only = 1;
    matching_write_order(&writer, core, &order, true);
    MATCHING_WRITE(&writer, ",\"more\":1}");
    CU_ASSERT(wrote(&writer,
                    "{\"order_id\":64,\"client_order_id\":\"a\\\"b\",\"symbol\":\"X.Y_Z-1\","
                    "\"trader_id\":\"alice\",\"side\":\"sell\",\"order_type\":\"stop_limit\","
                    "\"time_in_force\":\"GTD\",\"expire_time\":1800000000000,\"price\":2500000,"
                    "\"stop_price\":1.5,\"quantity\":10000,\"display_quantity\":20,"
                    "\"filled_quantity\":0,\"remaining_quantity\":10000,\"status\":\"cancelled\","
                    "\"reason\":\"expired\",\"post_only\":true,\"created\":1700000000123,"
                    "\"updated\":1700000000999,\"more\":1}"));
    matching_writer_fini(&writer);
    end_core();
}

#define TRADE_JSON                                                                                 \
    "{\"trade_id\":3,\"symbol\":\"BTCUSDT\",\"buyer\":\"bob\",\"seller\":\"alice\",\"price\":"     \
    "49999.99,"                                                                                    \
    "\"quantity\":0.0001,\"timestamp\":1700000000000,\"buy_order_id\":2,\"sell_order_id\":1,"

static matching_trade make_trade(void)
{
    return (matching_trade){.trade_id = 3,
                            .price_ticks = 4999999,
                            .quantity_lots = 1,
                            .time_ns = 1700000000000999999,
                            .buy_order_id = 2,
                            .sell_order_id = 1,
                            .taker_side = MATCHING_BUY,
                            .buyer = "bob",
                            .seller = "alice"};
}

static void test_trades(void)
{
    make_core();
    matching_writer writer;
    matching_writer_init(&writer);
    matching_trade trades[2] = {make_trade(), make_trade()};
    trades[1].taker_side = MATCHING_SIDE_NONE;
    matching_reply reply = {.trades = trades, .trade_count = 0};
    matching_write_trades(&writer, core, &reply);
    CU_ASSERT(wrote(&writer, "{\"trades\":[]}"));
    reply.trade_count = 2;
    matching_write_trades(&writer, core, &reply);
    CU_ASSERT(wrote(&writer, "{\"trades\":[" TRADE_JSON "\"taker_side\":\"buy\"}," TRADE_JSON
                             "\"taker_side\":null}]}"));
    matching_writer_fini(&writer);
    end_core();
}

static void test_results(void)
{
    make_core();
    matching_writer writer;
    matching_writer_init(&writer);
    matching_trade trade = make_trade();
    matching_reply reply = {.order = make_order(),
                            .trades = &trade,
                            .trade_count = 1,
                            .has_order = 1,
                            .received_ns = UINT64_MAX};
    matching_write_order_result(&writer, core, &reply);
    CU_ASSERT(wrote(&writer, "{\"order_id\":64,\"symbol\":\"BTCUSDT\",\"status\":\"partial\","
                             "\"filled_quantity\":0.25,\"remaining_quantity\":0.75,"
                             "\"average_price\":50000,\"trades\":[" TRADE_JSON
                             "\"taker_side\":\"buy\"}],\"latency_us\":0}"));
    reply.trades_truncated = 1;
    reply.trade_count = 0;
    reply.order.reason = MATCHING_REASON_IOC;
    reply.order.status = MATCHING_CANCELLED;
    strcpy(reply.order.client_order_id, "c");
    matching_write_order_result(&writer, core, &reply);
    CU_ASSERT(wrote(&writer, "{\"order_id\":64,\"client_order_id\":\"c\",\"symbol\":\"BTCUSDT\","
                             "\"status\":\"cancelled\",\"reason\":\"ioc\",\"filled_quantity\":0.25,"
                             "\"remaining_quantity\":0.75,\"average_price\":50000,\"trades\":[],"
                             "\"trades_truncated\":true,\"latency_us\":0}"));
    reply.order.reason = MATCHING_REASON_USER;
    matching_write_cancel_result(&writer, core, &reply);
    CU_ASSERT(wrote(&writer,
                    "{\"success\":true,\"message\":\"order cancelled\",\"order_id\":64,"
                    "\"client_order_id\":\"c\",\"status\":\"cancelled\",\"reason\":\"user\","
                    "\"filled_quantity\":0.25,\"remaining_quantity\":0.75}"));
    uint64_t ids[] = {1, 64, 9007199254740991};
    reply.order_ids = ids;
    matching_write_cancel_all_result(&writer, &reply);
    CU_ASSERT(wrote(&writer, "{\"order_ids\":[]}"));
    reply.order_id_count = 3;
    reply.ids_truncated = 1;
    matching_write_cancel_all_result(&writer, &reply);
    CU_ASSERT(
        wrote(&writer, "{\"order_ids\":[1,64,9007199254740991],\"order_ids_truncated\":true}"));
    matching_writer_fini(&writer);
    end_core();
}

static void test_depth(void)
{
    make_core();
    matching_writer writer;
    matching_writer_init(&writer);
    matching_level bids[] = {
        {.price_ticks = 100, .total_lots = 5, .orders = 2},
        {.price_ticks = 99, .total_lots = (matching_wide)1 << 70, .orders = 1}};
    matching_level asks[] = {{.price_ticks = 103, .total_lots = 10000, .orders = 1}};
    matching_depth depth = {.sequence = 12, .bids = bids, .asks = asks};
    matching_write_depth(&writer, core, 0, &depth);
    CU_ASSERT(wrote(&writer, "{\"symbol\":\"BTCUSDT\",\"sequence\":12,\"best_bid\":null,"
                             "\"best_ask\":null,\"spread\":null,\"bids\":[],\"asks\":[]}"));
    matching_write_book_status(&writer, core, 0, &depth);
    CU_ASSERT(wrote(&writer, "{\"symbol\":\"BTCUSDT\",\"best_bid\":null,\"best_ask\":null,"
                             "\"spread\":null,\"bid_quantity\":0,\"ask_quantity\":0}"));
    depth.bid_count = 2;
    matching_write_depth(&writer, core, 0, &depth);
    CU_ASSERT(wrote(&writer, "{\"symbol\":\"BTCUSDT\",\"sequence\":12,\"best_bid\":1,"
                             "\"best_ask\":null,\"spread\":null,\"bids\":[[1,0.0005,2],"
                             "[0.99,118059162071741130.3424,1]],\"asks\":[]}"));
    depth.ask_count = 1;
    matching_write_depth(&writer, core, 0, &depth);
    CU_ASSERT(wrote(&writer, "{\"symbol\":\"BTCUSDT\",\"sequence\":12,\"best_bid\":1,"
                             "\"best_ask\":1.03,\"spread\":0.03,\"bids\":[[1,0.0005,2],"
                             "[0.99,118059162071741130.3424,1]],\"asks\":[[1.03,1,1]]}"));
    matching_write_book_status(&writer, core, 0, &depth);
    CU_ASSERT(wrote(&writer, "{\"symbol\":\"BTCUSDT\",\"best_bid\":1,\"best_ask\":1.03,"
                             "\"spread\":0.03,\"bid_quantity\":0.0005,\"ask_quantity\":1}"));
    asks[0].price_ticks = 100; /* an auction's book */
    matching_write_book_status(&writer, core, 0, &depth);
    CU_ASSERT(wrote(&writer, "{\"symbol\":\"BTCUSDT\",\"best_bid\":null,\"best_ask\":null,"
                             "\"spread\":null,\"bid_quantity\":0,\"ask_quantity\":0}"));
    matching_writer_fini(&writer);
    end_core();
}

static void test_ticker(void)
{
    make_core();
    matching_writer writer;
    matching_writer_init(&writer);
    matching_ticker ticker = {.last_ticks = 10000,
                              .open_ticks = 9900,
                              .high_ticks = 10250,
                              .low_ticks = 9899,
                              .volume_lots = 15000,
                              .turnover = {{150750000, 0, 0}},
                              .count = 3,
                              .bid_ticks = 9999,
                              .time_ns = 1700000000999999999};
    matching_write_ticker(&writer, core, 0, &ticker);
    CU_ASSERT(wrote(&writer, "{\"symbol\":\"BTCUSDT\",\"last\":100,\"open\":99,\"high\":102.5,"
                             "\"low\":98.99,\"volume\":1.5,\"quote_volume\":150.75,\"count\":3,"
                             "\"best_bid\":99.99,\"best_ask\":null,"
                             "\"timestamp\":1700000000999}"));
    /* Crossed, and with sums of more than 64 and 128 bits. */
    ticker = (matching_ticker){.last_ticks = 1,
                               .volume_lots = (matching_wide)1 << 80,
                               .turnover = {{0, 0, 1}},
                               .indicative_ticks = 3,
                               .indicative_lots = (matching_wide)1 << 70};
    matching_write_ticker(&writer, core, 1, &ticker);
    CU_ASSERT(wrote(&writer, "{\"symbol\":\"X.Y_Z-1\",\"last\":0.5,\"open\":null,\"high\":null,"
                             "\"low\":null,\"volume\":1208925819614629174706176,"
                             "\"quote_volume\":170141183460469231731687303715884105728,\"count\":0,"
                             "\"best_bid\":null,\"best_ask\":null,\"indicative_price\":1.5,"
                             "\"indicative_quantity\":1180591620717411303424,\"timestamp\":0}"));
    matching_writer_fini(&writer);
    end_core();
}

static void test_candle(void)
{
    make_core();
    matching_writer writer;
    matching_writer_init(&writer);
    matching_candle candle = {.volume_lots = 10001,
                              .start_s = 1762777140,
                              .open_ticks = 10603830,
                              .high_ticks = 10603900,
                              .low_ticks = 10603801,
                              .close_ticks = 10603850,
                              .update_count = 12,
                              .interval = MATCHING_M1};
    matching_write_candle(&writer, matching_core_instrument(core, 0), &candle);
    CU_ASSERT(wrote(&writer, "{\"time\":1762777140,\"open\":106038.3,\"high\":106039,"
                             "\"low\":106038.01,\"close\":106038.5,\"volume\":1.0001,"
                             "\"is_final\":false,\"update_count\":12}"));
    candle.volume_lots = (matching_wide)1 << 80;
    candle.is_final = 1;
    candle.start_s = 0;
    candle.update_count = UINT64_MAX;
    matching_write_candle(&writer, matching_core_instrument(core, 1), &candle);
    CU_ASSERT(wrote(&writer, "{\"time\":0,\"open\":5301915,\"high\":5301950,\"low\":5301900.5,"
                             "\"close\":5301925,\"volume\":1208925819614629174706176,"
                             "\"is_final\":true,\"update_count\":18446744073709551615}"));
    matching_writer_fini(&writer);
    end_core();
}

static void test_symbols_and_orders(void)
{
    make_core();
    matching_writer writer;
    matching_writer_init(&writer);
    matching_write_symbols(&writer, core);
    CU_ASSERT(wrote(&writer,
                    "{\"symbols\":["
                    "{\"symbol\":\"BTCUSDT\",\"id\":1,\"tick_size\":0.01,\"lot_size\":0.0001,"
                    "\"state\":\"trading\"},"
                    "{\"symbol\":\"X.Y_Z-1\",\"id\":7,\"tick_size\":0.5,\"lot_size\":1,"
                    "\"state\":\"trading\"}]}"));
    matching_order orders[2] = {make_order(), make_order()};
    matching_reply reply = {.orders = orders};
    matching_write_orders(&writer, core, &reply);
    CU_ASSERT(wrote(&writer, "{\"orders\":[]}"));
    reply.order_count = 2;
    matching_write_orders(&writer, core, &reply);
    CU_ASSERT(matching_json_check(writer.data, writer.length, 8));
    matching_writer_fini(&writer);
    end_core();
}

static void test_a_refusal_becomes_an_error(void)
{
    matching_error error;
    matching_reply reply = {.code = MATCHING_DUPLICATE_CLIENT_ORDER_ID,
                            .field = MATCHING_FIELD_CLIENT_ORDER_ID,
                            .type = MATCHING_PLACE,
                            .related_order_id = 7};
    matching_reply_error(&reply, &error);
    CU_ASSERT_EQUAL(error.code, MATCHING_DUPLICATE_CLIENT_ORDER_ID);
    CU_ASSERT_EQUAL(error.field, MATCHING_FIELD_CLIENT_ORDER_ID);
    CU_ASSERT_EQUAL(error.order_id, 7);
    CU_ASSERT_STRING_EQUAL(error.message, matching_code_text(error.code));
    reply = (matching_reply){.code = MATCHING_ORDER_NOT_FOUND, .type = MATCHING_READ_ORDER};
    matching_reply_error(&reply, &error);
    CU_ASSERT_STRING_EQUAL(error.message, "no such order");
    CU_ASSERT_EQUAL(error.order_id, 0);
}

MATCHING_TESTS(MATCHING_TEST(test_strings_are_escaped), MATCHING_TEST(test_numbers),
               MATCHING_TEST(test_a_writer_grows_and_is_given_away),
               MATCHING_TEST(test_a_writer_is_bounded), MATCHING_TEST(test_errors),
               MATCHING_TEST(test_an_order_has_only_what_it_has), MATCHING_TEST(test_trades),
               MATCHING_TEST(test_results), MATCHING_TEST(test_depth), MATCHING_TEST(test_ticker),
               MATCHING_TEST(test_candle), MATCHING_TEST(test_symbols_and_orders),
               MATCHING_TEST(test_a_refusal_becomes_an_error))
