/* The codec, outbound: every message as the contract has it, letter by letter. */
#include "reply.h"

#include "support/cunit_main.h"

static matching_core *core;
static matching_writer writer;
static const matching_text no_id = {NULL, 0};
static const matching_text seven = {"7", 1};

static void setup(void)
{
    static const matching_instrument_options instruments[] = {
        {.symbol = "BTCUSDT", .id = 1, .tick_size = 1000000, .lot_size = 10000}};
    matching_core_options options;
    char error[256];
    matching_core_options_default(&options);
    options.instruments = instruments;
    options.instrument_count = 1;
    options.shards = 1;
    options.ring_size = 16;
    options.max_orders = 16;
    options.max_traders = 16;
    options.retained_orders = 16;
    options.recent_trades = 16;
    core = matching_core_create(&options, error, sizeof error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(core);
    matching_writer_init(&writer);
}

static void teardown(void)
{
    matching_writer_fini(&writer);
    matching_core_destroy(core);
}

static void expect(const char *text)
{
    CU_ASSERT_FALSE(writer.failed);
    if (writer.length != strlen(text) || memcmp(writer.data, text, writer.length) != 0) {
        printf("got      %.*s\nexpected %s\n", (int)writer.length, writer.data, text);
        CU_FAIL("another text");
    }
    matching_writer_clear(&writer);
}

static matching_order order_of(void)
{
    matching_order order = {.order_id = 5,
                            .price_ticks = 5000000,
                            .quantity_lots = 5000,
                            .filled_lots = 2000,
                            .notional = (matching_wide)5000000 * 2000,
                            .created_ns = 1000000000,
                            .updated_ns = 2000000000,
                            .side = MATCHING_SELL,
                            .type = MATCHING_LIMIT,
                            .time_in_force = MATCHING_GTC,
                            .status = MATCHING_PARTIAL,
                            .trader_id = "alice",
                            .client_order_id = "c\"1"};
    return order;
}

static void test_small_messages(void)
{
    setup();
    ws_write_pong(&writer, 1234, seven);
    expect("{\"type\":\"pong\",\"timestamp\":1234,\"id\":7}");
    ws_write_pong(&writer, 1234, no_id);
    expect("{\"type\":\"pong\",\"timestamp\":1234}");
    ws_write_channels(&writer, "subscribed", WS_CHANNEL_BIT(WS_ORDERS) | WS_CHANNEL_BIT(WS_TRADES),
                      seven);
    expect("{\"type\":\"subscribed\",\"channels\":[\"trades\",\"orders\"],\"id\":7}");
    ws_write_channels(&writer, "unsubscribed", 0, no_id);
    expect("{\"type\":\"unsubscribed\",\"channels\":[]}");
    ws_write_cancel_on_disconnect(&writer, true, seven);
    expect("{\"type\":\"cancel_on_disconnect\",\"enabled\":true,\"id\":7}");
    teardown();
}

static void test_errors(void)
{
    setup();
    ws_error error;
    ws_error_set(&error, MATCHING_INVALID_CHANNEL, "channels", NULL);
    ws_write_error(&writer, &error, seven);
    expect("{\"type\":\"error\",\"code\":\"INVALID_CHANNEL\",\"message\":\"unknown channel\","
           "\"field\":\"channels\",\"id\":7}");
    matching_error refused;
    matching_error_set(&refused, MATCHING_DUPLICATE_CLIENT_ORDER_ID, MATCHING_FIELD_CLIENT_ORDER_ID,
                       "taken \"here\"");
    refused.order_id = 9;
    ws_error_from(&error, &refused);
    ws_write_error(&writer, &error, no_id);
    expect("{\"type\":\"error\",\"code\":\"DUPLICATE_CLIENT_ORDER_ID\","
           "\"message\":\"taken \\\"here\\\"\",\"field\":\"client_order_id\",\"order_id\":9}");
    teardown();
}

static void test_order_ack(void)
{
    setup();
    matching_reply reply = {.order = order_of(), .received_ns = 1500};
    ws_write_order_ack(&writer, core, &reply, 999999, seven);
    expect("{\"type\":\"order_ack\",\"order_id\":5,\"status\":\"partial\",\"latency_us\":998,"
           "\"symbol\":\"BTCUSDT\",\"filled_quantity\":0.2,\"remaining_quantity\":0.3,"
           "\"client_order_id\":\"c\\\"1\",\"id\":7}");
    reply.order.client_order_id[0] = '\0';
    reply.order.status = MATCHING_CANCELLED;
    reply.order.reason = MATCHING_REASON_IOC;
    ws_write_order_ack(&writer, core, &reply, 1499, no_id);
    expect("{\"type\":\"order_ack\",\"order_id\":5,\"status\":\"cancelled\",\"latency_us\":0,"
           "\"symbol\":\"BTCUSDT\",\"filled_quantity\":0.2,\"remaining_quantity\":0.3,"
           "\"reason\":\"ioc\"}");
    reply = (matching_reply){.order = {.order_id = MATCHING_ORDER_ID_MAX,
                                       .quantity_lots = 922337203680000,
                                       .filled_lots = 922337203679999,
                                       .status = MATCHING_FILLED}};
    ws_write_order_ack(&writer, core, &reply, UINT64_MAX, no_id);
    expect("{\"type\":\"order_ack\",\"order_id\":9007199254740991,\"status\":\"filled\","
           "\"latency_us\":18446744073709551,\"symbol\":\"BTCUSDT\","
           "\"filled_quantity\":92233720367.9999,\"remaining_quantity\":0.0001}");
    for (unsigned status = MATCHING_OPEN; status <= MATCHING_UNTRIGGERED; status++) {
        char text[256];
        reply.order.status = (uint8_t)status;
        snprintf(text, sizeof text,
                 "{\"type\":\"order_ack\",\"order_id\":9007199254740991,\"status\":\"%s\","
                 "\"latency_us\":0,\"symbol\":\"BTCUSDT\","
                 "\"filled_quantity\":92233720367.9999,\"remaining_quantity\":0.0001}",
                 matching_status_name(status));
        ws_write_order_ack(&writer, core, &reply, 0, no_id);
        expect(text);
    }
    teardown();
}

static void test_cancel_all_ack(void)
{
    setup();
    static const uint64_t ids[] = {3, 9007199254740991};
    matching_reply reply = {.order_ids = ids, .order_id_count = 2};
    ws_write_cancel_all_ack(&writer, &reply, seven);
    expect("{\"type\":\"cancel_all_ack\",\"order_ids\":[3,9007199254740991],\"id\":7}");
    reply.order_id_count = 0;
    ws_write_cancel_all_ack(&writer, &reply, no_id);
    expect("{\"type\":\"cancel_all_ack\",\"order_ids\":[]}");
    teardown();
}

#define ORDER                                                                                      \
    "\"order_id\":5,\"client_order_id\":\"c\\\"1\",\"symbol\":\"BTCUSDT\",\"trader_id\":"          \
    "\"alice\","                                                                                   \
    "\"side\":\"sell\",\"order_type\":\"limit\",\"time_in_force\":\"GTC\",\"price\":50000,"        \
    "\"quantity\":0.5,\"filled_quantity\":0.2,\"remaining_quantity\":0.3,\"average_price\":50000," \
    "\"status\":\"partial\",\"post_only\":false,\"created\":1000,\"updated\":2000"

static void test_order_update_and_snapshot(void)
{
    setup();
    matching_order order = order_of();
    matching_event event = {.kind = MATCHING_EVENT_ORDER, .time_ns = 2000000000};
    event.order.trade_id = 8;
    event.order.last_price_ticks = 5000001;
    event.order.last_quantity_lots = 1;
    ws_write_order_update(&writer, core, &order, &event, no_id);
    expect("{\"type\":\"order_update\"," ORDER ",\"last_price\":50000.01,\"last_quantity\":0.0001,"
           "\"trade_id\":8,\"timestamp\":2000}");
    event.order.trade_id = 0;
    ws_write_order_update(&writer, core, &order, &event, no_id);
    expect("{\"type\":\"order_update\"," ORDER ",\"timestamp\":2000}");
    ws_write_order_update(&writer, core, &order, NULL, seven);
    expect("{\"type\":\"order_update\"," ORDER ",\"timestamp\":2000,\"id\":7}");
    matching_order orders[2] = {order, order};
    ws_write_orders_snapshot(&writer, core, orders, 2, WS_SNAPSHOT_WHOLE);
    expect("{\"type\":\"orders_snapshot\",\"orders\":[{" ORDER "},{" ORDER "}]}");
    ws_write_orders_snapshot(&writer, core, NULL, 0, WS_SNAPSHOT_TRUNCATED);
    expect("{\"type\":\"orders_snapshot\",\"orders\":[],\"orders_truncated\":true}");
    ws_write_orders_snapshot(&writer, core, orders, 1, WS_SNAPSHOT_MORE);
    expect("{\"type\":\"orders_snapshot\",\"orders\":[{" ORDER "}],\"more\":true}");
    teardown();
}

static void test_trade(void)
{
    setup();
    matching_trade trade = {.trade_id = 1,
                            .price_ticks = 5000000,
                            .quantity_lots = 2500,
                            .time_ns = 1500000000,
                            .buy_order_id = 2,
                            .sell_order_id = 1,
                            .taker_side = MATCHING_BUY,
                            .buyer = "bob",
                            .seller = "alice"};
    ws_write_trade(&writer, core, &trade);
    expect("{\"type\":\"trade\",\"trade_id\":1,\"symbol\":\"BTCUSDT\",\"buyer\":\"bob\","
           "\"seller\":\"alice\",\"price\":50000,\"quantity\":0.25,\"timestamp\":1500,"
           "\"buy_order_id\":2,\"sell_order_id\":1,\"taker_side\":\"buy\"}");
    teardown();
}

static void test_book_update(void)
{
    setup();
    const matching_instrument *instrument = matching_core_instrument(core, 0);
    matching_view_best best = {0};
    ws_write_book_update(&writer, instrument, &best);
    expect("{\"type\":\"book_update\",\"symbol\":\"BTCUSDT\",\"best_bid\":null,\"best_ask\":null,"
           "\"spread\":null,\"bid_quantity\":0,\"ask_quantity\":0}");
    best = (matching_view_best){
        .bid_ticks = 4999000, .ask_ticks = 5001050, .bid_lots = 20000, .ask_lots = 5000};
    ws_write_book_update(&writer, instrument, &best);
    expect("{\"type\":\"book_update\",\"symbol\":\"BTCUSDT\",\"best_bid\":49990,"
           "\"best_ask\":50010.5,\"spread\":20.5,\"bid_quantity\":2,\"ask_quantity\":0.5}");
    teardown();
}

static void test_ticker(void)
{
    setup();
    matching_ticker ticker = {.time_ns = 1500000000};
    ws_write_ticker(&writer, core, 0, &ticker);
    expect("{\"type\":\"ticker\",\"symbol\":\"BTCUSDT\",\"last\":null,\"open\":null,"
           "\"high\":null,\"low\":null,\"volume\":0,\"quote_volume\":0,\"count\":0,"
           "\"best_bid\":null,\"best_ask\":null,\"timestamp\":1500}");
    teardown();
}

static void test_depth(void)
{
    setup();
    const matching_instrument *instrument = matching_core_instrument(core, 0);
    matching_depth_view *view = matching_depth_view_create();
    matching_depth_step *step = calloc(1, sizeof *step);
    matching_level bids[] = {{.price_ticks = 102, .total_lots = 10000},
                             {.price_ticks = 101, .total_lots = 1}};
    matching_depth depth = {
        .sequence = 4, .bid_count = 2, .bids = bids, .bids_complete = 1, .asks_complete = 1};
    CU_ASSERT_TRUE(matching_depth_view_load(view, &depth));
    CU_ASSERT_TRUE(matching_depth_view_step(view, step));
    ws_write_depth_snapshot(&writer, instrument, view);
    expect("{\"type\":\"depth_snapshot\",\"symbol\":\"BTCUSDT\",\"sequence\":4,"
           "\"bids\":[[1.02,1],[1.01,0.0001]],\"asks\":[]}");
    step->counts[MATCHING_BUY] = 0;
    step->counts[MATCHING_SELL] = 2;
    step->changes[MATCHING_SELL][0] = (matching_view_level){0, 103};
    step->changes[MATCHING_SELL][1] = (matching_view_level){(matching_wide)1 << 80, 104};
    step->prev_sequence = 4;
    step->sequence = 6;
    ws_write_depth_update(&writer, instrument, step);
    expect("{\"type\":\"depth_update\",\"symbol\":\"BTCUSDT\",\"prev_sequence\":4,\"sequence\":6,"
           "\"bids\":[],\"asks\":[[1.03,0],[1.04,120892581961462917470.6176]]}");
    free(step);
    matching_depth_view_destroy(view);
    teardown();
}

MATCHING_TESTS(MATCHING_TEST(test_small_messages), MATCHING_TEST(test_errors),
               MATCHING_TEST(test_order_ack), MATCHING_TEST(test_cancel_all_ack),
               MATCHING_TEST(test_order_update_and_snapshot), MATCHING_TEST(test_trade),
               MATCHING_TEST(test_book_update), MATCHING_TEST(test_ticker),
               MATCHING_TEST(test_depth))
