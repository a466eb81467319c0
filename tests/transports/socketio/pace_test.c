/* How often the door tells of one candle and one price, and how soon of a candle's end: a door
 * without a thread, whose clock is the test's. Trades are events that the test makes.
 */
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "door.h"

#include "../wire/lone_door.h"
#include "socketio.h"
#include "support/cunit_main.h"

#define NS_PER_S UINT64_C(1000000000)
#define DEADLINE_NS (20 * NS_PER_S)
#define BEGIN_MS UINT64_C(5000)
#define DAY_S UINT64_C(86400)
#define FUTURE_S (DAY_S * 40000) /* of a day that does not end while this runs */
#define PAST_S (DAY_S * 10000)   /* of one that is over */
#define TEXT_SIZE (1u << 20)

static lone_door lone;
static sio_door *door;
static uint64_t trades;

typedef struct client {
    sio_connection connection; /* the server's end */
    int fd;
    char text[TEXT_SIZE]; /* what has come and was not counted yet */
    size_t length;
} client;

static client follower;

static void turn(void)
{
    door->server.is_resumed = false;
    lone_door_turn(&lone);
}

static void say(client *c, const char *text)
{
    door->server.handlers->on_message(&c->connection.peer, text, strlen(text));
}

/* How often the word stands in what came since the last call; zero bytes are of frames. */
static size_t count(client *c, const char *word)
{
    size_t got, found = 0;
    turn();
    c->length = 0;
    do {
        got = lone_read(&c->connection.peer, c->fd, c->text + c->length, TEXT_SIZE - 1 - c->length);
        c->length += got;
        wire_flush(&c->connection.peer);
    } while (got > 0);
    for (size_t i = 0; i < c->length; i++) {
        c->text[i] = c->text[i] == '\0' ? ' ' : c->text[i];
    }
    c->text[c->length] = '\0';
    for (const char *at = strstr(c->text, word); at != NULL; at = strstr(at + 1, word)) {
        found++;
    }
    return found;
}

/* With a client that is in our namespace, and has said this. */
static void begin(uint32_t batch_ms, const char *const *messages, size_t message_count)
{
    lone_door_prepare(&lone);
    lone.config.socketio.cors.enabled = false;
    lone.config.socketio.batch_ms = batch_ms;
    lone_door_begin(&lone, &matching_socketio_transport, 1);
    door = (sio_door *)lone.server;
    door->server.now_ms = BEGIN_MS;
    trades = 0;
    memset(&follower, 0, sizeof follower);
    follower.fd = lone_door_open(&lone, &follower.connection.peer, 0);
    follower.connection.client = sio_client_create(door, &follower.connection.peer, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(follower.connection.client);
    say(&follower, "40/ws/kline,");
    for (size_t i = 0; i < message_count; i++) {
        say(&follower, messages[i]);
    }
    CU_ASSERT_EQUAL(count(&follower, "\"success\":true"), message_count);
    uint64_t deadline_ns = matching_monotonic_ns() + DEADLINE_NS;
    while (matching_candle_feed_is_behind(door->candles, 0) && /* it looks for trades of before */
           matching_monotonic_ns() < deadline_ns) {
        turn();
        sched_yield();
    }
    CU_ASSERT_FALSE(matching_candle_feed_is_behind(door->candles, 0));
}

static void end(void)
{
    lone_door_close(&lone, &follower.connection.peer, follower.fd);
    ev_timer_stop(door->server.loop, &door->round);
    ev_timer_stop(door->server.loop, &door->beat);
    lone_door_end(&lone);
}

static void trade(uint64_t time_s)
{
    matching_event event = {.kind = MATCHING_EVENT_TRADE, .time_ns = time_s * NS_PER_S};
    event.trade.trade_id = ++trades;
    event.trade.price_ticks = 100;
    event.trade.quantity_lots = 1;
    sio_on_event(door, 0, trades - 1, &event, NULL);
}

static const char subscribe_s1[] = "42/ws/kline,[\"subscribe_kline\",{\"interval\":\"s1\"}]";
static const char subscribe_d1[] = "42/ws/kline,[\"subscribe_kline\",{\"interval\":\"d1\"}]";
static const char subscribe_price[] = "42/ws/kline,[\"subscribe\",{\"topic\":\"price:S0\"}]";

/* A trade and a turn each millisecond for half a second: each message of this kind comes once in
 * batch_ms, the first one at once. */
static void expect_pace(uint32_t batch_ms, const char *message, const char *word)
{
    begin(batch_ms, &message, 1);
    for (uint64_t ms = 0; ms < 500; ms++) {
        door->server.now_ms = BEGIN_MS + ms;
        trade(FUTURE_S);
        CU_ASSERT_EQUAL(count(&follower, word), batch_ms == 0 || ms % batch_ms == 0);
    }
    end();
}

static void test_a_candle_is_told_once_a_batch(void)
{
    matching_config defaults;
    matching_config_default(&defaults);
    CU_ASSERT_EQUAL(defaults.socketio.batch_ms, 50);
    expect_pace(defaults.socketio.batch_ms, subscribe_d1, "[\"kline_data\"");
    expect_pace(7, subscribe_d1, "[\"kline_data\"");
    expect_pace(0, subscribe_d1, "[\"kline_data\"");
}

static void test_a_price_is_told_once_a_batch(void)
{
    expect_pace(50, subscribe_price, "[\"price_update\"");
    expect_pace(7, subscribe_price, "[\"price_update\"");
    expect_pace(0, subscribe_price, "[\"price_update\"");
}

/* Nothing is lost by it: the last state comes when it may, by the timer that the turn has set. */
static void test_the_last_state_is_told_when_it_may_be(void)
{
    static const char *const messages[] = {subscribe_d1, subscribe_price};
    begin(50, messages, 2);
    trade(FUTURE_S);
    CU_ASSERT_EQUAL(count(&follower, "\"update_count\":1}"), 1);
    door->server.now_ms += 20;
    for (unsigned i = 0; i < 9; i++) {
        trade(FUTURE_S);
    }
    CU_ASSERT_EQUAL(count(&follower, "42/ws/kline"), 0);
    CU_ASSERT_TRUE(ev_is_active(&door->round));
    CU_ASSERT_DOUBLE_EQUAL(ev_timer_remaining(door->server.loop, &door->round), 0.03, 0.001);
    door->server.now_ms += 30;
    CU_ASSERT_EQUAL(count(&follower, "\"update_count\":10}"), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(follower.text, "[\"price_update\""));
    door->server.now_ms += 1000;
    CU_ASSERT_EQUAL(count(&follower, "42/ws/kline"), 0);
    end();
}

/* The longest batch that can be configured, and a clock that stands still: the candle's trades
 * wait, its end does not. */
static void test_a_final_candle_never_waits(void)
{
    const char *const messages[] = {subscribe_s1};
    size_t finals = 0;
    begin(10000, messages, 1);
    trade(PAST_S);
    CU_ASSERT_EQUAL(count(&follower, "\"is_final\":false,\"update_count\":1}"), 1);
    trade(PAST_S);
    trade(PAST_S);
    uint64_t deadline_ns = matching_monotonic_ns() + DEADLINE_NS;
    while (finals == 0 &&
           matching_monotonic_ns() < deadline_ns) { /* the shard is asked for its time */
        finals = count(&follower, "\"is_final\":true,\"update_count\":3}");
        CU_ASSERT_PTR_NULL(strstr(follower.text, "\"is_final\":false"));
        sched_yield();
    }
    CU_ASSERT_EQUAL(finals, 1);
    CU_ASSERT_EQUAL(door->server.now_ms, BEGIN_MS);
    CU_ASSERT_EQUAL(count(&follower, "42/ws/kline"), 0); /* and is told once */
    end();
}

MATCHING_TESTS(MATCHING_TEST(test_a_candle_is_told_once_a_batch),
               MATCHING_TEST(test_a_price_is_told_once_a_batch),
               MATCHING_TEST(test_the_last_state_is_told_when_it_may_be),
               MATCHING_TEST(test_a_final_candle_never_waits))
