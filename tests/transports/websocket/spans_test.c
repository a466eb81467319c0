/* Traces: which spans the door tells, what they say, and what decides about them. */
#include <sched.h>

#include "door_fixture.h"
#include "matching/connections.h"
#include "support/spans.h"

#define TRACE_HIGH UINT64_C(0x4bf92f3577b34da6)
#define TRACE_LOW UINT64_C(0xa3ce929d0e0e4736)
#define PARENT UINT64_C(0x00f067aa0ba902b7)
#define TRACEPARENT "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-"

#define ORDER(side, price)                                                                         \
    "{\"type\":\"limit_order\",\"symbol\":\"BTCUSDT\",\"side\":\"" side "\",\"price\":\"" price    \
    "\",\"quantity\":\"1\",\"trader_id\":\"ann\"}"

static ws_client client;

static void begin(const trace_sampler *sampler)
{
    spans_record(sampler);
    prepare();
    open_door();
}

/* All that has begun has ended when the door has stopped. */
static void end(void)
{
    ws_client_close(&client);
    close_door();
}

static void say_goodbye(void)
{
    send_frame(&client, 8, true, "\x03\xe8", 2);
    expect_close(&client, 1000, "");
}

static void test_an_order_is_below_its_message(void)
{
    begin(&spans_all);
    connect_client(&client);
    tell(&client, ORDER("buy", "100"));
    expect_begin(&client, "{\"type\":\"order_ack\"");
    end();
    const span_record *message = spans_only("websocket.message.handle");
    CU_ASSERT_STRING_EQUAL(span_text(message, "message.type"), "limit_order");
    CU_ASSERT_EQUAL(span_number(message, "message.size_bytes"), strlen(ORDER("buy", "100")));
    CU_ASSERT_STRING_EQUAL(span_text(message, "user.id"), "ann");
    CU_ASSERT_EQUAL(message->kind, MATCHING_SPAN_SERVER);
    CU_ASSERT_PTR_NULL(span_error(message));
    CU_ASSERT_TRUE(message->end_ns >= message->start_ns);
    const span_record *order = spans_only("order.match");
    CU_ASSERT_TRUE(span_is_below(order, message));
    spans_forget();
}

static void test_a_message_has_a_trace_of_its_own_and_a_link_to_its_connection(void)
{
    begin(&spans_all);
    connect_client(&client);
    tell(&client, "{\"type\":\"ping\"}");
    expect_begin(&client, "{\"type\":\"pong\"");
    end();
    const span_record *connection = spans_only("websocket.connection");
    const span_record *message = spans_only("websocket.message.handle");
    CU_ASSERT_EQUAL(message->parent_id, 0);
    CU_ASSERT_TRUE(span_is_linked(message, connection));
    CU_ASSERT_FALSE(message->own.trace_low == connection->own.trace_low);
    CU_ASSERT_STRING_EQUAL(span_text(message, "connection.id"),
                           span_text(connection, "connection.id"));
    CU_ASSERT_EQUAL(strlen(span_text(connection, "connection.id")), 36);
    spans_forget();
}

static void test_a_connection_tells_what_went_both_ways(void)
{
    begin(&spans_all);
    connect_client(&client);
    tell(&client, ORDER("buy", "100"));
    expect_begin(&client, "{\"type\":\"order_ack\"");
    tell(&client, "{\"type\":\"ping\"}");
    expect_begin(&client, "{\"type\":\"pong\"");
    say_goodbye();
    end();
    const span_record *upgrade = spans_only("websocket.upgrade");
    CU_ASSERT_EQUAL(span_number(upgrade, "http.response.status_code"), 101);
    CU_ASSERT_EQUAL(upgrade->parent_id, 0);
    CU_ASSERT_PTR_NULL(span_error(upgrade));
    const span_record *connection = spans_only("websocket.connection");
    CU_ASSERT_TRUE(span_is_below(connection, upgrade));
    CU_ASSERT_STRING_EQUAL(span_text(connection, "user.id"), "ann");
    CU_ASSERT_STRING_EQUAL(span_text(connection, "client.address"), "127.0.0.1");
    CU_ASSERT_STRING_EQUAL(span_text(upgrade, "client.address"), "127.0.0.1");
    CU_ASSERT_EQUAL(span_number(connection, "connection.messages_received"), 2);
    CU_ASSERT_EQUAL(span_number(connection, "connection.messages_sent"), 2);
    /* Heads of six bytes: two of the frame and a mask; eight of one beyond 125. */
    CU_ASSERT_EQUAL(span_number(connection, "connection.bytes_received"),
                    6 + strlen(ORDER("buy", "100")) + (strlen(ORDER("buy", "100")) > 125 ? 2 : 0) +
                        6 + strlen("{\"type\":\"ping\"}") + 6 + 2);
    CU_ASSERT_TRUE(span_number(connection, "connection.bytes_sent") > 100);
    CU_ASSERT_EQUAL(span_number(connection, "connection.close_code"), 1000);
    CU_ASSERT_PTR_NULL(span_error(connection));
    spans_forget();
}

static void test_a_connection_that_was_ended_for_a_fault_has_failed(void)
{
    spans_record(&spans_all);
    prepare();
    config.websocket.max_message_bytes = 1000;
    open_door();
    static char text[1001];
    memset(text, ' ', sizeof text);
    connect_client(&client);
    send_frame(&client, 1, true, text, sizeof text);
    expect_close(&client, 1009, "message too large");
    end();
    const span_record *connection = spans_only("websocket.connection");
    CU_ASSERT_EQUAL(span_number(connection, "connection.close_code"), 1009);
    CU_ASSERT_STRING_EQUAL_FATAL(span_error(connection), "close code 1009");
    spans_forget();
}

static void test_a_client_that_vanishes_is_told_as_that(void)
{
    matching_connections_metrics metrics;
    begin(&spans_all);
    connect_client(&client);
    tell(&client, "{\"type\":\"ping\"}");
    expect_begin(&client, "{\"type\":\"pong\"");
    ws_client_close(&client);
    do { /* or the door's stop would be the end of it */
        sched_yield();
        matching_connections_measure(door.core, &metrics);
    } while (metrics.active > 0);
    close_door();
    const span_record *connection = spans_only("websocket.connection");
    CU_ASSERT_EQUAL(span_number(connection, "connection.close_code"), 1006);
    CU_ASSERT_STRING_EQUAL_FATAL(span_error(connection), "close code 1006");
    spans_forget();
}

static void test_a_handshake_goes_on_with_a_trace(void)
{
    static const char *const spellings[] = {"traceparent: ", "Traceparent: ", "TRACEPARENT:"};
    for (size_t i = 0; i < sizeof spellings / sizeof spellings[0]; i++) {
        char header[128];
        begin(&spans_of_parents);
        snprintf(header, sizeof header, "%s" TRACEPARENT "01\r\nX-Other: 1\r\n", spellings[i]);
        connect_with(&client, header);
        end();
        const span_record *upgrade = spans_only("websocket.upgrade");
        CU_ASSERT_EQUAL(upgrade->own.trace_high, TRACE_HIGH);
        CU_ASSERT_EQUAL(upgrade->own.trace_low, TRACE_LOW);
        CU_ASSERT_EQUAL(upgrade->parent_id, PARENT);
        CU_ASSERT_TRUE(upgrade->has_remote_parent);
        const span_record *connection = spans_only("websocket.connection");
        CU_ASSERT_TRUE(span_is_below(connection, upgrade));
        CU_ASSERT_FALSE(connection->has_remote_parent);
        spans_forget();
    }
}

/* The connection is the caller's business, the messages are the sampler's. */
static void test_a_sampled_connection_does_not_make_its_messages_sampled(void)
{
    begin(&spans_of_parents);
    connect_with(&client, "traceparent: " TRACEPARENT "01\r\n");
    tell(&client, ORDER("buy", "100"));
    expect_begin(&client, "{\"type\":\"order_ack\"");
    end();
    CU_ASSERT_EQUAL(spans_count("websocket.connection"), 1);
    CU_ASSERT_EQUAL(spans_count("websocket.message.handle"), 0);
    CU_ASSERT_EQUAL(spans_count("order.match"), 0);
    spans_forget();
}

static void test_a_connection_that_is_not_sampled_does_not_hide_its_messages(void)
{
    begin(&spans_all);
    connect_with(&client, "traceparent: " TRACEPARENT "00\r\n");
    tell(&client, ORDER("buy", "100"));
    expect_begin(&client, "{\"type\":\"order_ack\"");
    end();
    CU_ASSERT_EQUAL(spans_count("websocket.upgrade"), 0);
    CU_ASSERT_EQUAL(spans_count("websocket.connection"), 0);
    const span_record *message = spans_only("websocket.message.handle");
    CU_ASSERT_EQUAL(message->link.span_id, 0);
    CU_ASSERT_TRUE(span_is_below(spans_only("order.match"), message));
    spans_forget();
}

static void test_a_malformed_traceparent_counts_as_none(void)
{
    begin(&spans_all);
    connect_with(&client, "traceparent: 00-none-of-that-01\r\n");
    end();
    CU_ASSERT_EQUAL(spans_only("websocket.upgrade")->parent_id, 0);
    spans_forget();
}

/* libwebsockets does not tell that there is another. */
static void test_of_two_traceparents_the_first_counts(void)
{
    begin(&spans_all);
    connect_with(&client,
                 "traceparent: " TRACEPARENT "01\r\n"
                 "traceparent: 00-0123456789abcdef0123456789abcdef-0123456789abcdef-01\r\n");
    end();
    CU_ASSERT_EQUAL(spans_only("websocket.upgrade")->parent_id, PARENT);
    spans_forget();
}

/* Such a header is longer than is kept of one. */
static void test_a_monstrous_traceparent_counts_as_none(void)
{
    char header[800] = "traceparent: " TRACEPARENT "01";
    size_t length = strlen(header);
    memset(header + length, '-', 600);
    memcpy(header + length + 600, "\r\n", 3);
    begin(&spans_all);
    connect_with(&client, header);
    end();
    CU_ASSERT_EQUAL(spans_only("websocket.upgrade")->parent_id, 0);
    spans_forget();
}

static unsigned upgrade_with(const char *path, const char *headers)
{
    char request[1024];
    snprintf(request, sizeof request,
             "GET %s HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n",
             path, headers);
    return http_status(request);
}

/* What the client has done wrong is no error of the server's; want of room is. */
static void test_a_refused_handshake_tells_its_status(void)
{
    spans_record(&spans_all);
    prepare();
    config.websocket.max_connections = 1;
    open_door();
    connect_client(&client);
    CU_ASSERT_EQUAL(upgrade_with("/elsewhere", ""), 404);
    CU_ASSERT_EQUAL(upgrade_with("/ws", ""), 503);
    end();
    CU_ASSERT_EQUAL_FATAL(spans_count("websocket.upgrade"), 3);
    const span_record *unknown = spans_nth("websocket.upgrade", 1);
    CU_ASSERT_EQUAL(span_number(unknown, "http.response.status_code"), 404);
    CU_ASSERT_PTR_NULL(span_error(unknown));
    const span_record *full = spans_nth("websocket.upgrade", 2);
    CU_ASSERT_EQUAL(span_number(full, "http.response.status_code"), 503);
    CU_ASSERT_PTR_NOT_NULL_FATAL(span_error(full));
    CU_ASSERT_STRING_EQUAL(span_error(full), "status 503");
    CU_ASSERT_EQUAL(spans_count("websocket.connection"), 1);
    spans_forget();
}

static void test_a_refused_message_tells_why(void)
{
    static const struct {
        const char *text, *type, *error;
    } cases[] = {
        {"{", "unknown", "INVALID_JSON"},
        {"[]", "unknown", "INVALID_MESSAGE"},
        {"{\"type\":\"made_up_by_a_client\"}", "unknown", "UNKNOWN_TYPE"},
        {"{\"type\":\"subscribe\",\"channels\":[\"none\"]}", "subscribe", "INVALID_CHANNEL"},
        {"{\"type\":\"cancel_order\"}", "cancel_order", "MISSING_FIELD"},
    };
    const size_t count = sizeof cases / sizeof cases[0];
    begin(&spans_all);
    connect_client(&client);
    for (size_t i = 0; i < count; i++) {
        tell(&client, "%s", cases[i].text);
        expect_begin(&client, "{\"type\":\"error\"");
    }
    tell(&client, "{\"type\":\"ping\"}"); /* is not refused because the last one was */
    expect_begin(&client, "{\"type\":\"pong\"");
    end();
    CU_ASSERT_EQUAL_FATAL(spans_count("websocket.message.handle"), count + 1);
    for (size_t i = 0; i < count; i++) {
        const span_record *message = spans_nth("websocket.message.handle", i);
        CU_ASSERT_STRING_EQUAL(span_text(message, "message.type"), cases[i].type);
        CU_ASSERT_PTR_NOT_NULL_FATAL(span_error(message));
        CU_ASSERT_STRING_EQUAL(span_error(message), cases[i].error);
    }
    const span_record *ping = spans_nth("websocket.message.handle", count);
    CU_ASSERT_STRING_EQUAL(span_text(ping, "message.type"), "ping");
    CU_ASSERT_PTR_NULL(span_error(ping));
    spans_forget();
}

static void test_a_broadcast_is_one_span_however_many_it_reaches(void)
{
    ws_client followers[5];
    begin(&spans_all);
    for (unsigned i = 0; i < 5; i++) {
        connect_client(&followers[i]);
        tell(&followers[i],
             "{\"type\":\"subscribe\",\"channels\":[\"trades\"%s],\"symbols\":"
             "[\"BTCUSDT\"],\"trader_id\":\"ann\"}",
             i == 0 ? ",\"orders\"" : "");
        CU_ASSERT_TRUE(wait_until(&followers[i], "\"subscribed\""));
    }
    CU_ASSERT_TRUE(wait_until(&followers[0], "\"orders_snapshot\""));
    connect_client(&client);
    tell(&client, ORDER("buy", "100"));
    expect_begin(&client, "{\"type\":\"order_ack\"");
    tell(&client, ORDER("sell", "100"));
    expect_begin(&client, "{\"type\":\"order_ack\"");
    for (unsigned i = 0; i < 5; i++) {
        CU_ASSERT_TRUE(wait_until(&followers[i], "{\"type\":\"trade\""));
        ws_client_close(&followers[i]);
    }
    end();
    const span_record *trade = spans_with("websocket.broadcast", "channel", "trades");
    CU_ASSERT_PTR_NOT_NULL_FATAL(trade);
    CU_ASSERT_STRING_EQUAL(span_text(trade, "symbol"), "BTCUSDT");
    CU_ASSERT_EQUAL(span_number(trade, "recipients"), 5);
    CU_ASSERT_EQUAL(trade->kind, MATCHING_SPAN_PRODUCER);
    CU_ASSERT_EQUAL(trade->parent_id, 0);
    const span_record *order = spans_with("websocket.broadcast", "channel", "orders");
    CU_ASSERT_PTR_NOT_NULL_FATAL(order);
    CU_ASSERT_EQUAL(span_number(order, "recipients"), 1);
    CU_ASSERT_PTR_NULL(spans_with("websocket.broadcast", "channel", "book"));
    size_t trades = 0;
    for (size_t i = 0; i < spans_count("websocket.broadcast"); i++) {
        const span_record *span = spans_nth("websocket.broadcast", i);
        trades += strcmp(span_text(span, "channel"), "trades") == 0;
    }
    CU_ASSERT_EQUAL(trades, 1);
    spans_forget();
}

/* The channels of states, each with its own way out. A follower is broadcast to once it has had
 * what it is owed first. */
static void test_every_channel_tells_its_broadcasts(void)
{
    static const struct {
        const char *channel, *first, *then;
    } cases[] = {
        {"book", "{\"type\":\"book_update\"", "{\"type\":\"book_update\""},
        {"depth", "{\"type\":\"depth_snapshot\"", "{\"type\":\"depth_update\""},
        {"ticker", "{\"type\":\"ticker\"", "{\"type\":\"ticker\""},
        {"kline:m1", "\"subscribed\"", "{\"type\":\"kline\""},
    };
    const size_t count = sizeof cases / sizeof cases[0];
    ws_client followers[sizeof cases / sizeof cases[0]];
    begin(&spans_all);
    for (size_t i = 0; i < count; i++) {
        connect_client(&followers[i]);
        tell(&followers[i],
             "{\"type\":\"subscribe\",\"channels\":[\"%s\"],\"symbols\":[\"BTCUSDT\"]}",
             cases[i].channel);
        CU_ASSERT_TRUE(wait_until(&followers[i], cases[i].first));
    }
    connect_client(&client);
    tell(&client, ORDER("buy", "100"));
    expect_begin(&client, "{\"type\":\"order_ack\"");
    tell(&client, ORDER("sell", "100"));
    expect_begin(&client, "{\"type\":\"order_ack\"");
    for (size_t i = 0; i < count; i++) {
        CU_ASSERT_TRUE(wait_until(&followers[i], cases[i].then));
        ws_client_close(&followers[i]);
    }
    end();
    for (size_t i = 0; i < count; i++) {
        const span_record *span = spans_with("websocket.broadcast", "channel", cases[i].channel);
        CU_ASSERT_PTR_NOT_NULL_FATAL(span);
        CU_ASSERT_EQUAL(span_number(span, "recipients"), 1);
    }
    spans_forget();
}

MATCHING_TESTS(MATCHING_TEST(test_an_order_is_below_its_message),
               MATCHING_TEST(test_a_message_has_a_trace_of_its_own_and_a_link_to_its_connection),
               MATCHING_TEST(test_a_connection_tells_what_went_both_ways),
               MATCHING_TEST(test_a_connection_that_was_ended_for_a_fault_has_failed),
               MATCHING_TEST(test_a_client_that_vanishes_is_told_as_that),
               MATCHING_TEST(test_a_handshake_goes_on_with_a_trace),
               MATCHING_TEST(test_a_sampled_connection_does_not_make_its_messages_sampled),
               MATCHING_TEST(test_a_connection_that_is_not_sampled_does_not_hide_its_messages),
               MATCHING_TEST(test_a_malformed_traceparent_counts_as_none),
               MATCHING_TEST(test_of_two_traceparents_the_first_counts),
               MATCHING_TEST(test_a_monstrous_traceparent_counts_as_none),
               MATCHING_TEST(test_a_refused_handshake_tells_its_status),
               MATCHING_TEST(test_a_refused_message_tells_why),
               MATCHING_TEST(test_a_broadcast_is_one_span_however_many_it_reaches),
               MATCHING_TEST(test_every_channel_tells_its_broadcasts))
