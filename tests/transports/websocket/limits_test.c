/* Limits and ends: sizes, counts, silence, a taken port, and stopping. */
#define _GNU_SOURCE /* memmem */
#include "door_fixture.h"

#include <errno.h>
#include <unistd.h>

static void test_a_message_beyond_the_limit_ends_the_connection(void)
{
    prepare();
    config.websocket.max_message_bytes = 1000;
    open_door();
    ws_client client;
    char text[1100];
    memset(text, ' ', sizeof text);
    connect_client(&client);
    memcpy(text, "{\"type\":\"ping\"}", 15);
    send_frame(&client, 1, true, text, 1000);
    expect_begin(&client, "{\"type\":\"pong\"");
    send_frame(&client, 1, true, text, 1001);
    expect_close(&client, 1009, "message too large");
    ws_client_close(&client);
    connect_client(&client);
    send_frame(&client, 1, false, text, 600);
    send_frame(&client, 0, true, text, 600);
    expect_close(&client, 1009, "message too large");
    ws_client_close(&client);
    connect_client(&client);
    send_frame(&client, 2, false, text, 600);
    send_frame(&client, 0, false, text, 600);
    expect_close(&client, 1009, "message too large");
    ws_client_close(&client);
    close_door();
}

static void test_too_many_errors_in_a_row_end_the_connection(void)
{
    prepare();
    config.websocket.max_errors_in_a_row = 3;
    open_door();
    ws_client client;
    connect_client(&client);
    for (unsigned i = 0; i < 5;
         i++) { /* never three in a row; a refusal by the market is no error */
        tell(&client, "{");
        expect_begin(&client, "{\"type\":\"error\"");
        tell(&client, "{}");
        expect_begin(&client, "{\"type\":\"error\"");
        tell(&client, "{\"type\":\"cancel_order\",\"order_id\":1}");
        expect_begin(&client, "{\"type\":\"error\",\"code\":\"ORDER_NOT_FOUND\"");
    }
    for (unsigned i = 0; i < 3; i++) {
        tell(&client, "{");
        expect_begin(&client, "{\"type\":\"error\"");
    }
    expect_close(&client, 1008, "too many errors");
    ws_client_close(&client);
    close_door();
}

/* Refusals are no errors in a row, have the id of what they refuse, also where that is only looked
 * for then, and the next second has messages of its own. */
static void test_more_messages_a_second_than_allowed_are_refused(void)
{
    enum { ALLOWED = 5, SENT = 100 };
    prepare();
    config.websocket.max_messages_per_second = ALLOWED;
    config.websocket.max_errors_in_a_row = 3;
    open_door();
    ws_client client, other;
    connect_client(&client);
    connect_client(&other);
    unsigned answered = 0;
    uint64_t begun = matching_monotonic_ns();
    for (unsigned i = 0; i < SENT; i++) {
        char wanted[32];
        tell(&client,
             i % 2 == 0 ? "{\"type\":\"ping\",\"id\":%u}"
                        : "{\"type\":\"subscribe\",\"channels\":[\"trades\"],\"id\":%u}",
             i);
        const char *text = hear(&client);
        snprintf(wanted, sizeof wanted, "\"id\":%u}", i);
        CU_ASSERT_PTR_NOT_NULL(strstr(text, wanted));
        if (strncmp(text, "{\"type\":\"error\"", 15) != 0) {
            answered++;
        } else {
            CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"code\":\"RATE_LIMITED\""));
            CU_ASSERT_PTR_NOT_NULL(strstr(text, "at most 5 messages a second"));
        }
        CU_ASSERT_TRUE(i >= ALLOWED || answered == i + 1);
    }
    uint64_t seconds = 1 + (matching_monotonic_ns() - begun) / UINT64_C(1000000000);
    CU_ASSERT_TRUE(answered <= ALLOWED + ALLOWED * seconds);
    CU_ASSERT_TRUE(answered < SENT);
    tell(&other, "{\"type\":\"ping\"}"); /* each has its own */
    expect_begin(&other, "{\"type\":\"pong\"");
    for (bool refused = true; refused;) {
        tell(&client, "{\"type\":\"subscribe\",\"channels\":[\"trades\"],\"id\":1}");
        refused = strstr(hear(&client), "RATE_LIMITED") != NULL;
    }
    ws_client_close(&client);
    ws_client_close(&other);
    close_door();
}

static void test_connections_beyond_the_limit_are_refused(void)
{
    static const char upgrade[] =
        "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    prepare();
    config.websocket.max_connections = 2;
    open_door();
    ws_client first, second;
    connect_client(&first);
    connect_client(&second);
    char body[200];
    CU_ASSERT_EQUAL(http_body(upgrade, body, sizeof body), 503);
    CU_ASSERT_STRING_EQUAL(
        body, "{\"error\":\"too many connections\",\"code\":\"TOO_MANY_CONNECTIONS\"}");
    CU_ASSERT_EQUAL(http_status("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"), 200);
    send_frame(&second, 8, true, "\x03\xe8", 2);
    expect_close(&second, 1000, "");
    ws_client_close(&second);
    unsigned status = 503;
    for (unsigned i = 0; i < 1000 && status == 503; i++) { /* its place is free soon */
        status = http_status(upgrade);
    }
    CU_ASSERT_EQUAL(status, 101);
    ws_client_close(&first);
    close_door();
}

static void test_a_silent_client_is_pinged_and_then_dropped(void)
{
    prepare();
    config.websocket.heartbeat_interval_s = 1;
    config.websocket.client_timeout_s = 2;
    open_door();
    ws_client silent, answering;
    connect_with(&silent, "");
    connect_client(&answering);
    unsigned char frame[2] = {0, 0};
    CU_ASSERT_EQUAL(read(silent.fd, frame, 2), 2);
    CU_ASSERT_EQUAL(frame[0], 0x89);
    CU_ASSERT_EQUAL(frame[1], 0);
    const char *text;
    size_t length;
    CU_ASSERT_FALSE(ws_client_receive(&answering, &text, &length, 3000)); /* answers pings */
    CU_ASSERT_EQUAL(answering.close_code, 0);
    unsigned char rest[256];
    ssize_t got = 1;
    bool closed = false;
    while (!closed && got > 0) { /* pings, then the end: 1001 */
        static const char goodbye[] = "\x88\x10\x03\xe9"
                                      "client timeout";
        got = read(silent.fd, rest, sizeof rest);
        closed = got > 0 && memmem(rest, (size_t)got, goodbye, sizeof goodbye - 1) != NULL;
    }
    CU_ASSERT_TRUE(closed);
    tell(&answering, "{\"type\":\"ping\"}");
    expect_begin(&answering, "{\"type\":\"pong\"");
    ws_client_close(&silent);
    ws_client_close(&answering);
    close_door();
}

/* What has been read is answered, in order; what has not been read by then was never taken. */
static void test_stopping_answers_what_was_taken_and_says_goodbye(void)
{
    enum { COUNT = 500 };
    prepare();
    open_door();
    ws_client client;
    connect_client(&client);
    for (unsigned i = 0; i < COUNT; i++) {
        char order[160];
        int length = snprintf(order, sizeof order,
                              "{\"type\":\"limit_order\",\"trader_id\":\"a\",\"side\":\"buy\","
                              "\"price\":1,\"quantity\":1,\"id\":%u}",
                              i);
        ws_client_send(&client, order, (size_t)length);
    }
    CU_ASSERT_TRUE(ws_client_flush(&client, DEADLINE_MS));
    expect_begin(&client, "{\"type\":\"order_ack\"");
    door.ops->stop(&door); /* waits for the goodbye at most a few seconds */
    bool seen[COUNT] = {true};
    unsigned answered = 1, last = 0;
    const char *text;
    size_t length;
    while (ws_client_receive(&client, &text, &length, DEADLINE_MS)) {
        unsigned id = (unsigned)number_of(text, "id") % COUNT;
        CU_ASSERT_FALSE(seen[id]);
        CU_ASSERT_TRUE(strstr(text, "order_ack") != NULL || strstr(text, "SHUTTING_DOWN") != NULL);
        seen[id] = true;
        last = id > last ? id : last;
        answered++;
    }
    CU_ASSERT_EQUAL(answered, last + 1); /* no gap */
    CU_ASSERT_STRING_EQUAL(client.error, "closed with 1001 the server is stopping");
    ws_client_close(&client);
    free_door();
}

static void test_a_taken_port_is_told(void)
{
    prepare();
    open_door();
    matching_config taken = config;
    taken.websocket.port = (uint16_t)strtoul(strrchr(door.address, ':') + 1, NULL, 10);
    char error[256] = "";
    matching_core_options options;
    matching_core_options_default(&options);
    options.instruments = taken.instruments;
    options.instrument_count = taken.instrument_count;
    options.shards = 1;
    options.ring_size = 16;
    options.max_orders = 16;
    options.max_traders = 16;
    options.retained_orders = 16;
    matching_transport second = {.ops = &matching_websocket_transport,
                                 .config = &taken,
                                 .access = &access_rules,
                                 .core = matching_core_create(&options, error, sizeof error)};
    CU_ASSERT_PTR_NOT_NULL_FATAL(second.core);
    CU_ASSERT_EQUAL(second.ops->init(&second), 0);
    CU_ASSERT_EQUAL(second.ops->start(&second), -EADDRINUSE);
    CU_ASSERT_PTR_NOT_NULL(strstr(second.error, strrchr(door.address, ':') + 1));
    CU_ASSERT_PTR_NOT_NULL(strstr(second.error, "--ws-port"));
    second.ops->stop(&second);
    second.ops->fini(&second);
    matching_core_destroy(second.core);
    close_door();
}

MATCHING_TESTS(MATCHING_TEST(test_a_message_beyond_the_limit_ends_the_connection),
               MATCHING_TEST(test_too_many_errors_in_a_row_end_the_connection),
               MATCHING_TEST(test_more_messages_a_second_than_allowed_are_refused),
               MATCHING_TEST(test_connections_beyond_the_limit_are_refused),
               MATCHING_TEST(test_a_silent_client_is_pinged_and_then_dropped),
               MATCHING_TEST(test_stopping_answers_what_was_taken_and_says_goodbye),
               MATCHING_TEST(test_a_taken_port_is_told))
