/* The WebSocket door over a real socket: who gets in, frames, commands and how connections end. */
#include "door_fixture.h"

#define UPGRADE                                                                                    \
    "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n"       \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

#define ORDER(trader, side, price, quantity)                                                       \
    "{\"type\":\"limit_order\",\"trader_id\":\"" trader "\",\"side\":\"" side                      \
    "\",\"price\":" price ",\"quantity\":" quantity "}"

static void test_health_and_other_paths(void)
{
    prepare();
    open_door();
    static const struct {
        const char *request;
        unsigned status;
    } rows[] = {
        {"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n", 200},
        {"HEAD /health HTTP/1.1\r\nHost: localhost\r\n\r\n", 200},
        {"GET /health?probe=1 HTTP/1.0\r\n\r\n", 200},
        {"POST /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}", 405},
        {"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 404},
        {"GET /ws HTTP/1.1\r\nHost: localhost\r\n\r\n", 426},
        {"GET /health HTTP/1.1\r\nHost: example.com\r\n\r\n", 403},
        {"GET /health HTTP/1.1\r\nHost: localhost\r\nOrigin: https://example.com\r\n\r\n", 403},
        {"CONNECT localhost:1 HTTP/1.1\r\nHost: localhost\r\n\r\n", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        unsigned status = http_status(rows[i].request);
        if (status != rows[i].status) {
            printf("%u for %s", status, rows[i].request);
        }
        CU_ASSERT_EQUAL(status, rows[i].status);
    }
    close_door();
}

static void test_who_becomes_a_websocket(void)
{
    prepare();
    open_door();
    static const struct {
        const char *request;
        unsigned status;
    } rows[] = {
        {"GET /ws HTTP/1.1\r\nHost: localhost\r\n" UPGRADE "\r\n", 101},
        {"GET /ws?x=1 HTTP/1.1\r\nHost: 127.0.0.1:9090\r\n" UPGRADE "\r\n", 101},
        {"GET /ws HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost:3000\r\n" UPGRADE "\r\n",
         101},
        {"GET /ws HTTP/1.1\r\nHost: localhost\r\nOrigin: https://example.com\r\n" UPGRADE "\r\n",
         403},
        {"GET /ws HTTP/1.1\r\nHost: localhost\r\nOrigin: null\r\n" UPGRADE "\r\n", 403},
        {"GET /ws HTTP/1.1\r\nHost: example.com\r\n" UPGRADE "\r\n", 403},
        {"GET /ws HTTP/1.1\r\n" UPGRADE "\r\n", 400},
        {"GET /other HTTP/1.1\r\nHost: localhost\r\n" UPGRADE "\r\n", 404},
        {"GET /ws/ HTTP/1.1\r\nHost: localhost\r\n" UPGRADE "\r\n", 404},
        {"POST /ws HTTP/1.1\r\nHost: localhost\r\n" UPGRADE "\r\n", 405},
        {"GET /ws HTTP/1.1\r\nHost: localhost\r\n" UPGRADE "Sec-WebSocket-Protocol: chat\r\n\r\n",
         400},
        {"GET /ws HTTP/1.1\r\nHost: localhost\r\n" UPGRADE
         "Sec-WebSocket-Protocol: chat, matching\r\n\r\n",
         101},
        {"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: AA==\r\n\r\n",
         426},
        {"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Version: 13\r\n\r\n",
         400},
        {"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: close\r\n"
         "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AA==\r\n\r\n",
         400},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        unsigned status = http_status(rows[i].request);
        if (status != rows[i].status) {
            printf("%u for %s", status, rows[i].request);
        }
        CU_ASSERT_EQUAL(status, rows[i].status);
    }
    close_door();
}

static void test_a_page_of_any_origin_may_only_look(void)
{
    prepare();
    strcpy(access_rules.allow_origins[0], "*");
    access_rules.allow_origin_count = 1;
    open_door();
    ws_client client;
    connect_with(&client, "Origin: https://example.com\r\n");
    static const char *const refused[] = {
        ORDER("a", "buy", "1", "1"),
        "{\"type\":\"cancel_order\",\"order_id\":1}",
        "{\"type\":\"get_order\",\"order_id\":1}",
        "{\"type\":\"cancel_all\",\"trader_id\":\"a\"}",
        "{\"type\":\"cancel_on_disconnect\",\"enabled\":true}",
        "{\"type\":\"subscribe\",\"channels\":[\"orders\"],\"trader_id\":\"a\"}",
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        tell(&client, "%s", refused[i]);
        expect_begin(&client, "{\"type\":\"error\",\"code\":\"UNAUTHORIZED\"");
    }
    tell(&client, "{\"type\":\"subscribe\",\"channels\":[\"trades\"]}");
    expect_begin(&client, "{\"type\":\"subscribed\",\"channels\":[\"trades\"]}");
    ws_client_close(&client);
    close_door();
}

static void test_messages_in_parts(void)
{
    static const char message[] = "{\"type\":\"ping\",\"id\":\"\xc5\xbc\xe2\x82\xac\"}";
    prepare();
    open_door();
    ws_client client;
    connect_client(&client);
    send_frame(&client, 1, false, "", 0); /* nothing yet, and nothing to put it into */
    send_frame(&client, 0, true, message, sizeof message - 1);
    expect_begin(&client, "{\"type\":\"pong\"");
    for (size_t i = 0; i < sizeof message - 1; i++) { /* a byte a frame, a ping between them */
        send_frame(&client, i == 0 ? 1 : 0, i == sizeof message - 2, message + i, 1);
        send_frame(&client, 9, true, "p", 1);
    }
    const char *text = hear(&client);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"id\":\"\xc5\xbc\xe2\x82\xac\""));
    send_frame(&client, 1, false, "", 0);
    send_frame(&client, 0, false, message, sizeof message - 1);
    send_frame(&client, 0, true, "", 0);
    expect_begin(&client, "{\"type\":\"pong\"");
    /* Longer than what is read at once. */
    char *longer = malloc(60000);
    memset(longer, ' ', 60000);
    memcpy(longer, message, sizeof message - 1);
    send_frame(&client, 1, true, longer, 60000);
    expect_begin(&client, "{\"type\":\"pong\"");
    free(longer);
    ws_client_close(&client);
    close_door();
}

static void test_a_binary_frame_is_refused_and_the_connection_lives(void)
{
    prepare();
    open_door();
    ws_client client;
    connect_client(&client);
    send_frame(&client, 2, true, "\0\xff", 2);
    expect_begin(&client, "{\"type\":\"error\",\"code\":\"UNSUPPORTED_FRAME\"");
    send_frame(&client, 2, false, "\0\xff", 2);
    send_frame(&client, 0, true, "\xff", 1);
    expect_begin(&client, "{\"type\":\"error\",\"code\":\"UNSUPPORTED_FRAME\"");
    tell(&client, "{\"type\":\"ping\"}");
    expect_begin(&client, "{\"type\":\"pong\"");
    ws_client_close(&client);
    close_door();
}

static void test_frames_that_break_the_protocol_end_it(void)
{
    prepare();
    open_door();
    ws_client client;
    connect_client(&client);
    send_frame(&client, 1, true, "\"\xff\"", 3);
    expect_close(&client, 1007, "text that is not UTF-8");
    ws_client_close(&client);
    connect_client(&client);
    send_frame(&client, 0, true, "x", 1);
    expect_close(&client, 1002, "a continuation of nothing");
    ws_client_close(&client);
    close_door();
}

static void test_an_ack_comes_before_its_trades(void)
{
    prepare();
    open_door();
    ws_client client;
    connect_client(&client);
    tell(&client, "{\"type\":\"subscribe\",\"channels\":[\"trades\"],\"symbols\":[\"BTCUSDT\"]}");
    expect_begin(&client, "{\"type\":\"subscribed\"");
    for (unsigned i = 1; i <= 50; i++) {
        tell(&client, ORDER("alice", "sell", "100", "2"));
        expect_begin(&client, "{\"type\":\"order_ack\"");
        tell(&client, ORDER("bob", "buy", "100", "2"));
        const char *text = hear(&client);
        CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"status\":\"filled\""));
        text = hear(&client);
        CU_ASSERT_PTR_NOT_NULL(strstr(text, "{\"type\":\"trade\""));
        CU_ASSERT_EQUAL(number_of(text, "trade_id"), i);
    }
    ws_client_close(&client);
    close_door();
}

/* Orders that are sent ahead: acks in their order, each before what its order set off, and both
 * channels together tell what happened in its order. */
static void test_both_channels_tell_what_happened_in_its_order(void)
{
    static const char *const happened[] = {"\"status\":\"open\"", "{\"type\":\"trade\"",
                                           "\"status\":\"filled\"", "\"status\":\"filled\""};
    enum { PAIRS = 300, EVENTS = 4 };
    prepare();
    open_door();
    ws_client client;
    connect_client(&client);
    tell(&client,
         "{\"type\":\"subscribe\",\"channels\":[\"trades\",\"orders\"],\"trader_id\":\"a\","
         "\"symbols\":[\"BTCUSDT\"]}");
    expect_begin(&client, "{\"type\":\"subscribed\"");
    expect_begin(&client, "{\"type\":\"orders_snapshot\"");
    for (unsigned i = 0; i < PAIRS; i++) {
        ws_client_send(&client, ORDER("a", "sell", "100", "2"),
                       sizeof ORDER("a", "sell", "100", "2") - 1);
        ws_client_send(&client, ORDER("a", "buy", "100", "2"),
                       sizeof ORDER("a", "buy", "100", "2") - 1);
    }
    unsigned long long last = 0;
    for (unsigned acks = 0, events = 0; acks < 2 * PAIRS || events < EVENTS * PAIRS;) {
        const char *text = hear(&client);
        CU_ASSERT_TRUE_FATAL(text[0] != '\0');
        if (strncmp(text, "{\"type\":\"order_ack\"", 19) == 0) {
            unsigned long long id = number_of(text, "order_id");
            CU_ASSERT_TRUE(id > last);
            last = id;
            acks++;
        } else {
            unsigned step = events % EVENTS;
            CU_ASSERT_PTR_NOT_NULL(strstr(text, happened[step]));
            CU_ASSERT_TRUE(acks >= 2 * (events / EVENTS) + (step == 0 ? 1 : 2));
            CU_ASSERT_TRUE(step == 0 || number_of(text, "trade_id") == 1 + events / EVENTS);
            events++;
        }
    }
    ws_client_close(&client);
    close_door();
}

static void test_every_command_has_its_reply(void)
{
    prepare();
    open_door();
    ws_client client;
    connect_client(&client);
    static const char *const rows[][2] = {
        {"{\"type\":\"limit_order\",\"trader_id\":\"a\",\"side\":\"buy\",\"price\":10,"
         "\"quantity\":1,\"client_order_id\":\"c\",\"id\":1}",
         "{\"type\":\"order_ack\",\"order_id\":"},
        {"{\"type\":\"limit_order\",\"trader_id\":\"a\",\"side\":\"buy\",\"price\":10,"
         "\"quantity\":1,\"client_order_id\":\"c\"}",
         "{\"type\":\"error\",\"code\":\"DUPLICATE_CLIENT_ORDER_ID\""},
        {"{\"type\":\"get_order\",\"trader_id\":\"a\",\"client_order_id\":\"c\"}",
         "{\"type\":\"order_update\",\"order_id\":"},
        {"{\"type\":\"amend_order\",\"trader_id\":\"a\",\"client_order_id\":\"c\",\"price\":11}",
         "{\"type\":\"order_ack\",\"order_id\":"},
        {"{\"type\":\"cancel_order\",\"trader_id\":\"a\",\"client_order_id\":\"c\"}",
         "{\"type\":\"order_ack\",\"order_id\":"},
        {"{\"type\":\"cancel_order\",\"order_id\":123456789}",
         "{\"type\":\"error\",\"code\":\"ORDER_NOT_FOUND\""},
        {"{\"type\":\"market_order\",\"trader_id\":\"a\",\"side\":\"buy\",\"quantity\":1}",
         "{\"type\":\"order_ack\",\"order_id\":"},
        {"{\"type\":\"cancel_all\",\"trader_id\":\"a\",\"id\":\"x\"}",
         "{\"type\":\"cancel_all_ack\",\"order_ids\":[],\"id\":\"x\"}"},
        {"{\"type\":\"limit_order\",\"trader_id\":\"a\",\"side\":\"up\",\"price\":10,"
         "\"quantity\":1}",
         "{\"type\":\"error\",\"code\":\"INVALID_SIDE\",\"message\":"
         "\"invalid side, must be 'buy' or 'sell'\",\"field\":\"side\"}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        tell(&client, "%s", rows[i][0]);
        expect_begin(&client, rows[i][1]);
    }
    ws_client_close(&client);
    close_door();
}

static void test_pipelined_orders_are_all_answered_in_order(void)
{
    enum { COUNT = 20000 };
    prepare();
    open_door();
    ws_client client;
    connect_client(&client);
    bool ordered = true;
    for (unsigned round = 0; round < 2; round++) { /* far more than may be in flight at once */
        for (unsigned i = 0; i < COUNT; i++) {
            char text[200];
            int length = snprintf(text, sizeof text,
                                  "{\"type\":\"limit_order\",\"trader_id\":\"a\",\"side\":\"%s\","
                                  "\"price\":%u,\"quantity\":1,\"id\":%u}",
                                  i % 2 == 0 ? "buy" : "sell", 100 + i % 7, i);
            ws_client_send(&client, text, (size_t)length);
        }
        for (unsigned i = 0; i < COUNT && ordered; i++) {
            const char *text = hear(&client);
            ordered =
                strncmp(text, "{\"type\":\"order_ack\"", 18) == 0 && number_of(text, "id") == i;
        }
    }
    CU_ASSERT_TRUE(ordered);
    ws_client_close(&client);
    close_door();
}

static void test_orders_of_a_guarded_connection_end_with_it(void)
{
    prepare();
    open_door();
    ws_client watcher, client;
    connect_client(&watcher);
    tell(&watcher, "{\"type\":\"subscribe\",\"channels\":[\"orders\"],\"trader_id\":\"g\","
                   "\"symbols\":[\"BTCUSDT\"]}");
    expect_begin(&watcher, "{\"type\":\"subscribed\"");
    expect_begin(&watcher, "{\"type\":\"orders_snapshot\",\"orders\":[]}");
    connect_client(&client);
    tell(&client, ORDER("g", "buy", "1", "1")); /* before: stays */
    unsigned long long kept = number_of(hear(&client), "order_id");
    tell(&client, "{\"type\":\"cancel_on_disconnect\",\"enabled\":true,\"id\":3}");
    expect_begin(&client, "{\"type\":\"cancel_on_disconnect\",\"enabled\":true,\"id\":3}");
    for (unsigned i = 0; i < 100; i++) {
        tell(&client, ORDER("g", "buy", "2", "1"));
        hear(&client);
    }
    tell(&client,
         "{\"type\":\"market_order\",\"trader_id\":\"x\",\"side\":\"sell\",\"quantity\":40}");
    hear(&client); /* fills 40 of them */
    tell(&client, "{\"type\":\"cancel_on_disconnect\",\"enabled\":false}");
    hear(&client);
    tell(&client, ORDER("g", "buy", "1", "1")); /* after: stays */
    hear(&client);
    tell(&client, ORDER("g", "buy", "3", "1"));
    ws_client_close(&client);
    unsigned cancelled = 0;
    for (unsigned i = 0; i < 1000 && cancelled < 60; i++) {
        cancelled += strstr(hear(&watcher), "\"reason\":\"disconnect\"") != NULL;
    }
    CU_ASSERT_EQUAL(cancelled, 60);
    connect_client(&client);
    tell(&client, "{\"type\":\"get_order\",\"order_id\":%llu}", kept);
    CU_ASSERT_PTR_NOT_NULL(strstr(hear(&client), "\"status\":\"open\""));
    ws_client_close(&client);
    ws_client_close(&watcher);
    close_door();
}

/* Far more orders than the port's rings hold end with a connection; another one does not notice. */
static void test_the_end_of_many_orders_holds_nobody_up(void)
{
    enum { GUARDED = 16000, STEP = 500, ORDERS = 300 };
    prepare();
    open_door();
    ws_client guarded, other;
    connect_client(&guarded);
    connect_client(&other);
    tell(&guarded, "{\"type\":\"cancel_on_disconnect\",\"enabled\":true}");
    hear(&guarded);
    unsigned long long last = 0;
    for (unsigned i = 0; i < GUARDED; i += STEP) {
        for (unsigned k = 0; k < STEP; k++) {
            tell(&guarded, ORDER("g", "buy", "2", "1"));
        }
        for (unsigned k = 0; k < STEP; k++) {
            last = number_of(hear(&guarded), "order_id");
        }
    }
    ws_client_close(&guarded);
    unsigned acknowledged = 0;
    for (unsigned i = 0; i < ORDERS; i++) {
        tell(&other, ORDER("x", "buy", "1", "1"));
        acknowledged += strncmp(hear(&other), "{\"type\":\"order_ack\"", 19) == 0;
    }
    CU_ASSERT_EQUAL(acknowledged, ORDERS);
    bool ended = false;
    for (unsigned i = 0; i < 100000 && !ended; i++) {
        tell(&other, "{\"type\":\"get_order\",\"order_id\":%llu}", last);
        ended = strstr(hear(&other), "\"reason\":\"disconnect\"") != NULL;
    }
    CU_ASSERT_TRUE(ended);
    ws_client_close(&other);
    close_door();
}

MATCHING_TESTS(MATCHING_TEST(test_health_and_other_paths),
               MATCHING_TEST(test_who_becomes_a_websocket),
               MATCHING_TEST(test_a_page_of_any_origin_may_only_look),
               MATCHING_TEST(test_messages_in_parts),
               MATCHING_TEST(test_a_binary_frame_is_refused_and_the_connection_lives),
               MATCHING_TEST(test_frames_that_break_the_protocol_end_it),
               MATCHING_TEST(test_an_ack_comes_before_its_trades),
               MATCHING_TEST(test_both_channels_tell_what_happened_in_its_order),
               MATCHING_TEST(test_every_command_has_its_reply),
               MATCHING_TEST(test_pipelined_orders_are_all_answered_in_order),
               MATCHING_TEST(test_orders_of_a_guarded_connection_end_with_it),
               MATCHING_TEST(test_the_end_of_many_orders_holds_nobody_up))
