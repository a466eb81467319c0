/* Traces: the spans of connections, of messages on either carrier, and of broadcasts. */
#include <unistd.h>

#include "door_fixture.h"
#include "support/spans.h"

static ws_client client;

static void begin(void)
{
    spans_record(&spans_all);
    prepare();
    open_door();
}

static void join(ws_client *one)
{
    CU_ASSERT_TRUE_FATAL(ws_open(one, ""));
    ws_say(one, "40/ws/kline,");
    CU_ASSERT_TRUE_FATAL(ws_until(one, "[\"connection_success\""));
}

static void follow_price(ws_client *one)
{
    ws_say(one, "42/ws/kline,[\"subscribe\",{\"topic\":\"price:BTCUSDT\"}]");
    CU_ASSERT_TRUE(ws_until(one, "subscription_confirmed"));
}

static void test_messages_of_a_websocket_tell_their_events(void)
{
    static const struct {
        const char *type, *error;
    } cases[] = {{"connect", NULL}, {"subscribe", NULL}, {"unknown", "INVALID_PARAMETER"}};
    const size_t count = sizeof cases / sizeof cases[0];
    begin();
    join(&client);
    follow_price(&client);
    ws_say(&client, "42/ws/kline,[\"made up by a client\",{}]");
    CU_ASSERT_TRUE(ws_until(&client, "[\"error\""));
    ws_client_close(&client);
    close_door();
    const span_record *connection = spans_only("socketio.connection");
    CU_ASSERT_TRUE(span_is_below(connection, spans_only("socketio.upgrade")));
    CU_ASSERT_EQUAL(span_number(connection, "connection.messages_received"), count);
    CU_ASSERT_EQUAL_FATAL(spans_count("socketio.message.handle"), count);
    for (size_t i = 0; i < count; i++) {
        const span_record *message = spans_nth("socketio.message.handle", i);
        CU_ASSERT_STRING_EQUAL(span_text(message, "message.type"), cases[i].type);
        CU_ASSERT_TRUE(span_is_linked(message, connection));
        if (cases[i].error == NULL) {
            CU_ASSERT_PTR_NULL(span_error(message));
        } else {
            CU_ASSERT_PTR_NOT_NULL_FATAL(span_error(message));
            CU_ASSERT_STRING_EQUAL(span_error(message), cases[i].error);
        }
    }
    spans_forget();
}

static void test_a_post_is_one_span_for_its_packets(void)
{
    static const char body[] = "42/ws/kline,[\"subscribe\",{\"topic\":\"price:BTCUSDT\"}]\x1e"
                               "42/ws/kline,[\"subscribe\",{\"topic\":\"price:ETHUSDT\"}]";
    char query[64];
    begin();
    int fd = dial();
    join_namespace(fd, query);
    CU_ASSERT_EQUAL(ask(fd, "POST", query, body)->status, 200);
    CU_ASSERT_EQUAL(ask(fd, "POST", query, "no packet")->status, 400);
    close(fd);
    close_door();
    CU_ASSERT_EQUAL_FATAL(spans_count("socketio.message.handle"), 3);
    const span_record *connect = spans_nth("socketio.message.handle", 0);
    CU_ASSERT_STRING_EQUAL(span_text(connect, "message.type"), "connect");
    CU_ASSERT_EQUAL(span_number(connect, "message.count"), 1);
    const span_record *two = spans_nth("socketio.message.handle", 1);
    CU_ASSERT_STRING_EQUAL(span_text(two, "message.type"), "subscribe");
    CU_ASSERT_EQUAL(span_number(two, "message.count"), 2);
    CU_ASSERT_EQUAL(span_number(two, "message.size_bytes"), strlen(body));
    CU_ASSERT_PTR_NULL(span_error(two));
    const span_record *bad = spans_nth("socketio.message.handle", 2);
    CU_ASSERT_STRING_EQUAL(span_text(bad, "message.type"), "unknown");
    CU_ASSERT_STRING_EQUAL_FATAL(span_error(bad), "the protocol was broken");
    CU_ASSERT_EQUAL(spans_count("socketio.connection"), 0); /* there was no WebSocket */
    spans_forget();
}

static void test_a_broadcast_is_one_span_however_many_it_reaches(void)
{
    ws_client other;
    begin();
    join(&client);
    join(&other);
    follow_price(&client);
    follow_price(&other);
    ws_say(&client, "42/ws/kline,[\"subscribe_kline\",{\"symbol\":\"BTCUSDT\",\"interval\":"
                    "\"m1\"}]");
    CU_ASSERT_TRUE(ws_until(&client, "subscription_confirmed"));
    trade("BTCUSDT", "100", 1);
    CU_ASSERT_TRUE(ws_until(&other, "[\"price_update\""));
    CU_ASSERT_TRUE(ws_until(&client, "[\"kline_data\""));
    ws_client_close(&client);
    ws_client_close(&other);
    close_door();
    const span_record *price = spans_with("socketio.broadcast", "channel", "price_update");
    CU_ASSERT_PTR_NOT_NULL_FATAL(price);
    CU_ASSERT_STRING_EQUAL(span_text(price, "symbol"), "BTCUSDT");
    CU_ASSERT_EQUAL(span_number(price, "recipients"), 2);
    CU_ASSERT_EQUAL(price->kind, MATCHING_SPAN_PRODUCER);
    const span_record *candle = spans_with("socketio.broadcast", "channel", "kline_data");
    CU_ASSERT_PTR_NOT_NULL_FATAL(candle);
    CU_ASSERT_EQUAL(span_number(candle, "recipients"), 1);
    spans_forget();
}

MATCHING_TESTS(MATCHING_TEST(test_messages_of_a_websocket_tell_their_events),
               MATCHING_TEST(test_a_post_is_one_span_for_its_packets),
               MATCHING_TEST(test_a_broadcast_is_one_span_however_many_it_reaches))
