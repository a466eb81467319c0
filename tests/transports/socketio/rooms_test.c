/* A candle is written once for all who follow it, whatever their subscriptionIds and carriers
 * are. */
#include <stdatomic.h>
#include <unistd.h>

#include "door_fixture.h"
#include "json_writer.h"

enum { CLIENTS = 12 };

static atomic_uint written;

void __real_matching_write_candle(matching_writer *writer, const matching_instrument *instrument,
                                  const matching_candle *candle);
void __wrap_matching_write_candle(matching_writer *writer, const matching_instrument *instrument,
                                  const matching_candle *candle);

/* In place of the writer's, which it calls. */
void __wrap_matching_write_candle(matching_writer *writer, const matching_instrument *instrument,
                                  const matching_candle *candle)
{
    atomic_fetch_add(&written, 1);
    __real_matching_write_candle(writer, instrument, candle);
}

/* The next message is the candle of one trade, with the parts around the id in their places. */
static void expect_candle(ws_client *client, const char *id)
{
    char head[200];
    const char *text = ws_hear(client);
    snprintf(
        head, sizeof head,
        "42/ws/"
        "kline,[\"kline_data\",{\"symbol\":\"BTCUSDT\",\"interval\":\"d1\"%s,\"data\":{\"time\":",
        id);
    CU_ASSERT_EQUAL(strncmp(text, head, strlen(head)), 0);
    static const char end[] = "\"update_count\":1},\"timestamp\":";
    const char *tail = strstr(text, end);
    CU_ASSERT_PTR_NOT_NULL_FATAL(tail);
    CU_ASSERT_STRING_EQUAL(tail + strlen(tail) - 2, "}]");
    CU_ASSERT_EQUAL(strspn(tail + strlen(end), "0123456789"), 13); /* milliseconds */
}

static void test_a_candle_is_written_once_for_all_rooms(void)
{
    static ws_client clients[CLIENTS], plain;
    char text[160], query[64];
    prepare();
    config.socketio.batch_ms = 10000; /* the first trade is told at once, and then none for long */
    open_door();
    for (unsigned i = 0; i <= CLIENTS; i++) {
        ws_client *client = i == CLIENTS ? &plain : &clients[i];
        CU_ASSERT_TRUE_FATAL(ws_open(client, ""));
        ws_say(client, "40/ws/kline,");
        snprintf(text, sizeof text,
                 i == CLIENTS ? "42/ws/kline,1[\"subscribe_kline\",{\"interval\":\"d1\"}]"
                              : "42/ws/kline,1[\"subscribe_kline\",{\"interval\":\"d1\","
                                "\"subscriptionId\":%u}]",
                 i);
        ws_say(client, text);
        CU_ASSERT_TRUE(ws_until(client, "43/ws/kline,1["));
    }
    int fd = dial();
    join_namespace(fd, query);
    expect(ask(fd, "POST", query,
               "42/ws/kline,[\"subscribe_kline\",{\"interval\":\"d1\",\"subscriptionId\":\"p\"}]"),
           200, "ok");
    CU_ASSERT_TRUE(poll_until(fd, query, "subscription_confirmed"));
    CU_ASSERT_EQUAL(atomic_load(&written), 0);
    trade("BTCUSDT", "100", 10000);
    for (unsigned i = 0; i < CLIENTS; i++) {
        snprintf(text, sizeof text, ",\"subscriptionId\":%u", i);
        expect_candle(&clients[i], text);
        ws_client_close(&clients[i]);
    }
    expect_candle(&plain, "");
    ws_client_close(&plain);
    CU_ASSERT_TRUE(poll_until(fd, query, "\"subscriptionId\":\"p\",\"data\":{\"time\":"));
    close(fd);
    CU_ASSERT_EQUAL(atomic_load(&written), 1);
    close_door();
}

MATCHING_TESTS(MATCHING_TEST(test_a_candle_is_written_once_for_all_rooms))
