/* Socket.IO on the door: namespaces, events, acknowledgements, rooms, candles. */
#include <sys/socket.h>
#include <unistd.h>

#include "door_fixture.h"
#include "support/metric.h"

static ws_client client;

/* Passes over the connection's greetings. */
static void join(ws_client *one)
{
    CU_ASSERT_TRUE_FATAL(ws_open(one, ""));
    ws_say(one, "40/ws/kline,{\"token\":\"x\"}");
    CU_ASSERT_TRUE_FATAL(ws_until(one, "[\"connection_success\""));
}

static void setup(void)
{
    prepare();
    open_door();
    join(&client);
}

static void teardown(void)
{
    ws_client_close(&client);
    close_door();
}

static void expect_text(ws_client *one, const char *text)
{
    const char *got = ws_hear(one);
    if (strcmp(got, text) != 0) {
        printf("got %s\nexpected %s\n", got, text);
        CU_FAIL("another message");
    }
}

/* The next message has both. */
static void expect_parts(ws_client *one, const char *first, const char *second)
{
    const char *got = ws_hear(one);
    if (strstr(got, first) == NULL || strstr(got, second) == NULL) {
        printf("got %s\nexpected %s ... %s\n", got, first, second);
        CU_FAIL("another message");
    }
}

static void expect_end(ws_client *one, unsigned code)
{
    const char *text;
    size_t length;
    while (ws_client_receive(one, &text, &length, DEADLINE_MS)) {
    }
    CU_ASSERT_EQUAL(one->close_code, code);
}

static void test_a_client_is_greeted(void)
{
    prepare();
    open_door();
    CU_ASSERT_TRUE_FATAL(ws_open(&client, ""));
    expect_parts(&client, "0{\"sid\":\"", "\"upgrades\":[],\"pingInterval\":25000");
    ws_say(&client, "40/ws/kline,");
    expect_parts(&client, "40/ws/kline,{\"sid\":\"", "\"}");
    expect_parts(&client, "42/ws/kline,[\"connection_success\",{\"clientId\":\"",
                 "\"supportedSymbols\":[\"BTCUSDT\",\"ETHUSDT\"],\"supportedIntervals\":"
                 "[\"s1\",\"s30\",\"m1\",\"m5\",\"m15\",\"h1\",\"h4\",\"d1\"]}]");
    teardown();
}

static void test_other_namespaces_are_refused(void)
{
    setup();
    ws_say(&client, "40");
    expect_text(&client, "44{\"message\":\"Invalid namespace\"}");
    ws_say(&client, "40/ws/klines,{}");
    expect_text(&client, "44/ws/klines,{\"message\":\"Invalid namespace\"}");
    ws_say(&client, "41/other,"); /* nothing to leave */
    ws_say(&client, "42/ws/kline,0[\"subscribe\",{\"topic\":\"token_events\"}]");
    CU_ASSERT_TRUE(ws_until(&client, "43/ws/kline,0["));
    teardown();
}

static void test_what_breaks_the_protocol_ends_the_session(void)
{
    static const char *const bad[] = {
        "40/ws/kline,",      /* a second time */
        "42[\"subscribe\"]", /* to a namespace that was not joined */
        "42/ws/kline,[]",
        "42/ws/kline,[1]",
        "42/ws/kline,[\"a\"",
        "47",
        "4",
        "9",
        "2", /* it is the server that pings */
    };
    prepare();
    open_door();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        join(&client);
        ws_say(&client, bad[i]);
        expect_end(&client, 1002);
        ws_client_close(&client);
    }
    CU_ASSERT_TRUE_FATAL(ws_open(&client, ""));
    ws_say(&client, "42/ws/kline,[\"subscribe\",{\"topic\":\"token_events\"}]"); /* too early */
    expect_end(&client, 1002);
    teardown();
}

static void test_leaving_ends_subscriptions(void)
{
    setup();
    ws_say(&client, "42/ws/kline,[\"subscribe\",{\"topic\":\"token_events\"}]");
    CU_ASSERT_TRUE(ws_until(&client, "subscription_confirmed"));
    ws_say(&client, "41/ws/kline,");
    ws_say(&client, "40/ws/kline,"); /* and back: nothing is left */
    CU_ASSERT_TRUE(ws_until(&client, "connection_success"));
    add_instrument("SOLUSDT");
    ws_say(&client, "42/ws/kline,1[\"unsubscribe\",{\"topic\":\"token_events\"}]");
    expect_text(&client, "42/ws/kline,[\"unsubscribe_confirmed\",{\"topic\":\"token_events\","
                         "\"success\":false,\"message\":\"there was no such subscription\"}]");
    teardown();
}

static void test_binary_data_is_refused_clearly(void)
{
    static const char refusal[] =
        "42/ws/kline,[\"error\",{\"code\":1001,\"message\":\"binary data is not supported here\","
        "\"data\":{}}]";
    static const unsigned char frame[] = {0x82, 0x81, 0, 0, 0, 0, 7}; /* one byte, masked by 0 */
    setup();
    ws_say(&client, "451-/ws/kline,[\"subscribe\",{\"_placeholder\":true,\"num\":0}]");
    expect_text(&client, refusal);
    CU_ASSERT_EQUAL(write(client.fd, frame, sizeof frame),
                    (ssize_t)sizeof frame); /* belongs to it */
    CU_ASSERT_EQUAL(write(client.fd, frame, sizeof frame), (ssize_t)sizeof frame); /* does not */
    expect_text(&client, refusal);
    ws_say(&client, "42/ws/kline,[\"subscribe\",{\"topic\":\"token_events\"}]");
    expect_parts(&client, "[\"subscription_confirmed\"", "\"success\":true"); /* it goes on */
    teardown();
}

static void test_events_are_confirmed_and_acknowledged(void)
{
    setup();
    ws_say(&client, "42/ws/kline,12[\"subscribe_kline\",{\"symbol\":\"ETHUSDT\",\"interval\":"
                    "\"m1\",\"subscriptionId\":\"a\"}]");
    expect_text(&client, "42/ws/kline,[\"subscription_confirmed\",{\"symbol\":\"ETHUSDT\","
                         "\"interval\":\"m1\",\"subscriptionId\":\"a\",\"success\":true,"
                         "\"message\":\"subscribed\"}]");
    expect_text(&client, "43/ws/kline,12[{\"symbol\":\"ETHUSDT\",\"interval\":\"m1\","
                         "\"subscriptionId\":\"a\",\"success\":true,\"message\":\"subscribed\"}]");
    ws_say(&client, "42/ws/kline,[\"subscribe_kline\",{\"symbol\":\"ETHUSDT\",\"interval\":"
                    "\"m1\",\"subscriptionId\":\"a\"}]");
    expect_parts(&client, "subscription_confirmed", "already subscribed");
    ws_say(&client, "42/ws/kline,[\"unsubscribe_kline\",{\"symbol\":\"ETHUSDT\",\"interval\":"
                    "\"m1\"}]"); /* another one: without an id */
    expect_parts(&client, "unsubscribe_confirmed", "\"success\":false");
    ws_say(&client, "42/ws/kline,[\"unsubscribe_kline\",{\"symbol\":\"ETHUSDT\",\"interval\":"
                    "\"m1\",\"subscriptionId\":\"a\"}]");
    expect_parts(&client, "unsubscribe_confirmed", "\"success\":true,\"message\":\"unsubscribed\"");
    ws_say(&client, "42/ws/kline,3[\"subscribe_kline\",{\"symbol\":\"NONE\",\"interval\":\"m1\"}]");
    expect_text(&client, "42/ws/kline,[\"error\",{\"code\":1001,\"message\":\"unknown symbol\","
                         "\"data\":{\"event\":\"subscribe_kline\",\"field\":\"symbol\"}}]");
    expect_text(&client, "43/ws/kline,3[{\"code\":1001,\"message\":\"unknown symbol\","
                         "\"data\":{\"event\":\"subscribe_kline\",\"field\":\"symbol\"}}]");
    ws_say(&client, "42/ws/kline,[\"subscribe\",{\"topic\":\"price:NONE\"}]");
    expect_parts(&client, "\"code\":1001", "\"field\":\"topic\"");
    teardown();
}

static void test_a_client_has_fifty_subscriptions(void)
{
    char text[160];
    setup();
    for (unsigned i = 0; i < 50; i++) {
        snprintf(text, sizeof text,
                 "42/ws/kline,[\"subscribe_kline\",{\"interval\":\"h1\",\"subscriptionId\":%u}]",
                 i);
        ws_say(&client, text);
        expect_parts(&client, "subscription_confirmed", "\"success\":true");
    }
    ws_say(&client, "42/ws/kline,[\"subscribe\",{\"topic\":\"token_events\"}]");
    expect_parts(&client, "[\"error\",{\"code\":1002,", "\"event\":\"subscribe\"");
    ws_say(&client, "42/ws/kline,[\"unsubscribe_kline\",{\"interval\":\"h1\",\"subscriptionId\":"
                    "7}]");
    expect_parts(&client, "unsubscribe_confirmed", "\"success\":true");
    ws_say(&client, "42/ws/kline,[\"subscribe\",{\"topic\":\"token_events\"}]");
    expect_parts(&client, "subscription_confirmed", "\"success\":true");
    teardown();
}

static void test_candles_run_and_end_by_the_clock(void)
{
    static const char subscribe[] = "42/ws/kline,1[\"subscribe_kline\",{\"symbol\":\"BTCUSDT\","
                                    "\"interval\":\"s1\",\"subscriptionId\":\"x\"}]";
    setup();
    ws_say(&client, subscribe);
    CU_ASSERT_TRUE(ws_until(&client, "43/ws/kline,1["));
    trade("BTCUSDT", "50000", 2500);
    expect_parts(&client,
                 "42/ws/kline,[\"kline_data\",{\"symbol\":\"BTCUSDT\",\"interval\":\"s1\","
                 "\"subscriptionId\":\"x\",\"data\":{\"time\":",
                 "\"open\":50000,\"high\":50000,\"low\":50000,\"close\":50000,\"volume\":0.25,"
                 "\"is_final\":false,\"update_count\":1},\"timestamp\":");
    /* Nobody trades any more, and yet: */
    expect_parts(&client, "\"open\":50000,\"high\":50000,\"low\":50000,\"close\":50000,",
                 "\"volume\":0.25,\"is_final\":true,\"update_count\":1}");
    ws_say(&client, "42/ws/kline,[\"get_history\",{\"interval\":\"s1\"}]");
    expect_parts(&client,
                 "42/ws/kline,[\"history_data\",{\"symbol\":\"BTCUSDT\",\"interval\":\"s1\","
                 "\"data\":[{\"time\":",
                 "\"is_final\":true,\"update_count\":1}],\"hasMore\":false}]");
    teardown();
}

/* A candle of an hour: who subscribes is told it at once, and later trades join it. */
static void test_a_running_candle_is_told_at_once(void)
{
    prepare();
    open_door();
    trade("BTCUSDT", "100", 10000);
    trade("BTCUSDT", "90", 10000);
    trade("BTCUSDT", "110", 10000);
    join(&client);
    ws_say(&client, "42/ws/kline,1[\"subscribe_kline\",{\"interval\":\"d1\"}]");
    CU_ASSERT_TRUE(ws_until(&client, "43/ws/kline,1["));
    CU_ASSERT_TRUE(ws_until(&client, "\"open\":100,\"high\":110,\"low\":90,\"close\":110,"
                                     "\"volume\":3,\"is_final\":false,\"update_count\":3}"));
    trade("BTCUSDT", "95", 10000);
    expect_parts(&client, "\"interval\":\"d1\",\"data\":{\"time\":",
                 "\"open\":100,\"high\":110,\"low\":90,\"close\":95,\"volume\":4,\"is_final\":"
                 "false,\"update_count\":4}");
    teardown();
}

/* Many trades within the time of a batch are one message, and the last state is always told. */
static void test_trades_are_batched(void)
{
    const char *text;
    unsigned messages = 0;
    prepare();
    config.socketio.batch_ms = 300;
    open_door();
    join(&client);
    ws_say(&client, "42/ws/kline,1[\"subscribe_kline\",{\"interval\":\"d1\"}]");
    CU_ASSERT_TRUE(ws_until(&client, "43/ws/kline,1["));
    for (unsigned i = 0; i < 200; i++) {
        trade("BTCUSDT", "100", 1);
    }
    do {
        text = ws_hear(&client);
        messages++;
    } while (*text != '\0' && strstr(text, "\"update_count\":200}") == NULL);
    CU_ASSERT_TRUE(messages < 200);
    teardown();
}

static void test_prices_and_additions_are_told(void)
{
    setup();
    ws_say(&client, "42/ws/kline,1[\"subscribe\",{\"topic\":\"price:BTCUSDT\"}]");
    CU_ASSERT_TRUE(ws_until(&client, "43/ws/kline,1[{\"topic\":\"price:BTCUSDT\",\"symbol\":"
                                     "\"BTCUSDT\",\"success\":true"));
    ws_say(&client, "42/ws/kline,2[\"subscribe\",{\"topic\":\"token_events\"}]");
    CU_ASSERT_TRUE(ws_until(&client, "43/ws/kline,2[{\"topic\":\"token_events\",\"success\":true"));
    trade("ETHUSDT", "7", 1); /* nobody's */
    trade("BTCUSDT", "101", 1);
    expect_parts(&client, "42/ws/kline,[\"price_update\",{\"symbol\":\"BTCUSDT\",\"price\":101,",
                 "\"side\":\"sell\"}]");
    add_instrument("SOLUSDT");
    expect_parts(&client,
                 "42/ws/kline,[\"token_created\",{\"symbol\":\"SOLUSDT\",\"id\":3,\"tick_size\":"
                 "0.01,\"lot_size\":0.0001,\"timestamp\":",
                 "}]");
    ws_say(&client, "42/ws/kline,3[\"subscribe_kline\",{\"symbol\":\"SOLUSDT\",\"interval\":"
                    "\"m1\"}]");
    CU_ASSERT_TRUE(ws_until(&client, "43/ws/kline,3["));
    trade("SOLUSDT", "5", 10000);
    CU_ASSERT_TRUE(ws_until(&client, "\"symbol\":\"SOLUSDT\",\"interval\":\"m1\",\"data\":{"));
    teardown();
}

/* In an auction nobody is the taker. */
static void test_a_price_of_an_auction_has_no_side(void)
{
    setup();
    ws_say(&client, "42/ws/kline,1[\"subscribe\",{\"topic\":\"price:BTCUSDT\"}]");
    CU_ASSERT_TRUE(ws_until(&client, "43/ws/kline,1["));
    set_state("BTCUSDT", "auction");
    place("BTCUSDT", "ann", "buy", INT64_C(10200000000), 1);
    place("BTCUSDT", "bob", "sell", INT64_C(10200000000), 1);
    set_state("BTCUSDT", "trading");
    expect_parts(&client, "42/ws/kline,[\"price_update\",{\"symbol\":\"BTCUSDT\",\"price\":102,",
                 ",\"side\":null}]");
    trade("BTCUSDT", "101", 1); /* and the next one has one again */
    expect_parts(&client, "[\"price_update\",{\"symbol\":\"BTCUSDT\",\"price\":101,",
                 ",\"side\":\"sell\"}]");
    teardown();
}

/* An event of so many bytes; what fills it is a member that nobody knows. */
static const char *event_of(size_t length)
{
    static char text[2 * 65536];
    static const char end[] = "\"}]";
    size_t used = (size_t)snprintf(
        text, sizeof text, "42/ws/kline,1[\"subscribe\",{\"topic\":\"token_events\",\"more\":\"");
    memset(text + used, 'x', length - used);
    memcpy(text + length - (sizeof end - 1), end, sizeof end);
    return text;
}

/* A text message of many frames, masked by 0. */
static void ws_say_in_parts(ws_client *one, const char *text, size_t part)
{
    static unsigned char bytes[2 * 65536];
    size_t length = strlen(text), used = 0;
    for (size_t at = 0; at < length; at += part) {
        size_t count = length - at < part ? length - at : part;
        bytes[used++] = (unsigned char)((at == 0 ? 1 : 0) | (at + count == length ? 0x80 : 0));
        bytes[used++] = 0x80 | 126;
        bytes[used++] = (unsigned char)(count >> 8);
        bytes[used++] = (unsigned char)count;
        memset(bytes + used, 0, 4);
        memcpy(bytes + used + 4, text + at, count);
        used += 4 + count;
    }
    CU_ASSERT_EQUAL(send(one->fd, bytes, used, MSG_NOSIGNAL), (ssize_t)used);
}

/* Of a message, not of a frame. */
static void test_messages_have_a_limit(void)
{
    prepare();
    open_door();
    join(&client);
    ws_say(&client, event_of(65536)); /* the longest that is read */
    CU_ASSERT_TRUE(ws_until(&client, "43/ws/kline,1["));
    ws_say(&client, event_of(65537));
    expect_end(&client, 1009);
    ws_client_close(&client);
    join(&client);
    ws_say_in_parts(&client, event_of(65537), 1000);
    expect_end(&client, 1009);
    ws_client_close(&client);
    join(&client); /* others go on */
    ws_say_in_parts(&client, event_of(65536), 1000);
    CU_ASSERT_TRUE(ws_until(&client, "43/ws/kline,1["));
    teardown();
}

/* Followers with one id share a message, those with others have their own. */
static void test_rooms_are_by_subscription_id(void)
{
    enum { CLIENTS = 12 };
    ws_client many[CLIENTS];
    char text[160];
    prepare();
    open_door();
    for (unsigned i = 0; i < CLIENTS; i++) {
        join(&many[i]);
        snprintf(text, sizeof text,
                 "42/ws/kline,1[\"subscribe_kline\",{\"interval\":\"d1\",\"subscriptionId\":"
                 "\"%s\"}]",
                 i % 2 == 0 ? "even" : "odd");
        ws_say(&many[i], text);
        CU_ASSERT_TRUE(ws_until(&many[i], "43/ws/kline,1["));
    }
    trade("BTCUSDT", "100", 10000);
    for (unsigned i = 0; i < CLIENTS; i++) {
        expect_parts(&many[i], i % 2 == 0 ? "\"subscriptionId\":\"even\"" : "\"odd\"",
                     "\"update_count\":1}");
    }
    for (unsigned i = 0; i < CLIENTS; i += 3) { /* some go */
        ws_client_close(&many[i]);
    }
    trade("BTCUSDT", "100", 10000);
    for (unsigned i = 0; i < CLIENTS; i++) {
        if (i % 3 != 0) {
            CU_ASSERT_TRUE(ws_until(&many[i], "\"update_count\":2}"));
            ws_client_close(&many[i]);
        }
    }
    close_door();
}

static void test_history_has_pages(void)
{
    setup();
    ws_say(&client, "42/ws/kline,1[\"subscribe_kline\",{\"interval\":\"s1\"}]");
    CU_ASSERT_TRUE(ws_until(&client, "43/ws/kline,1["));
    unsigned long long times[3];
    for (unsigned i = 0; i < 3; i++) { /* one candle a second */
        trade("BTCUSDT", "100", 1);
        CU_ASSERT_TRUE_FATAL(ws_until(&client, "\"is_final\":true"));
        const char *at = strstr(client.message, "\"time\":");
        times[i] = strtoull(at + 7, NULL, 10);
        CU_ASSERT_TRUE(i == 0 || times[i] > times[i - 1]);
    }
    char text[160], begin[64];
    ws_say(&client, "42/ws/kline,[\"get_history\",{\"interval\":\"s1\",\"limit\":2}]");
    snprintf(begin, sizeof begin, "\"data\":[{\"time\":%llu,", times[1]);
    expect_parts(&client, begin, "\"hasMore\":true}]");
    snprintf(text, sizeof text,
             "42/ws/kline,[\"get_history\",{\"interval\":\"s1\",\"limit\":2,\"from\":%llu}]",
             times[0]);
    ws_say(&client, text);
    snprintf(begin, sizeof begin, "\"data\":[{\"time\":%llu,", times[0]);
    expect_parts(&client, begin, "\"hasMore\":true}]");
    snprintf(text, sizeof text, "42/ws/kline,[\"get_history\",{\"interval\":\"s1\",\"from\":%llu}]",
             times[2]);
    ws_say(&client, text);
    snprintf(begin, sizeof begin, "\"data\":[{\"time\":%llu,", times[2]);
    expect_parts(&client, begin, "\"hasMore\":false}]");
    snprintf(text, sizeof text, "42/ws/kline,[\"get_history\",{\"interval\":\"s1\",\"from\":%llu}]",
             times[2] + 1);
    ws_say(&client, text);
    expect_parts(&client, "\"data\":[],", "\"hasMore\":false}]");
    teardown();
}

/* As metrics tell it. */
static double slow_actions(const char *action)
{
    char line[96];
    snprintf(line, sizeof line,
             "matching_slow_consumer_actions_total{transport=\"socketio\",action=\"%s\"}", action);
    return metric_value(door.core, line);
}

/* One who does not poll is told what is so when it does, not what was so meanwhile. */
static void test_a_slow_poller_is_told_the_last_state(void)
{
    char query[64];
    prepare();
    config.socketio.batch_ms = 0;
    config.socketio.max_queue_bytes = 65536; /* states are left out beyond a quarter of that */
    open_door();
    int fd = dial();
    join_namespace(fd, query);
    CU_ASSERT_EQUAL(
        ask(fd, "POST", query, "42/ws/kline,[\"subscribe_kline\",{\"interval\":\"d1\"}]")->status,
        200);
    CU_ASSERT_TRUE(poll_until(fd, query, "subscription_confirmed"));
    join(&client);
    ws_say(&client, "42/ws/kline,1[\"subscribe_kline\",{\"interval\":\"d1\"}]");
    for (unsigned i = 1; i <= 400; i++) {
        char text[32];
        snprintf(text, sizeof text, "\"update_count\":%u}", i);
        trade("BTCUSDT", "100", 1);
        CU_ASSERT_TRUE(ws_until(&client, text)); /* each of them is told */
    }
    const answer *got = ask(fd, "GET", query, NULL);
    CU_ASSERT_EQUAL(got->status, 200);
    CU_ASSERT_FALSE(has(got, "\"update_count\":400}")); /* these had to wait */
    CU_ASSERT_TRUE(strlen(got->body) < 20000);
    CU_ASSERT_TRUE(poll_until(fd, query, "\"update_count\":400}"));
    CU_ASSERT_TRUE(slow_actions("conflate") > 0);
    CU_ASSERT_EQUAL(slow_actions("close"), 0);
    close(fd);
    teardown();
}

/* Answers may not be left out: more of them than may wait end the session. */
static void test_who_fetches_no_answers_is_ended(void)
{
    char query[64];
    unsigned asked = 0;
    prepare();
    config.socketio.max_queue_bytes = 65536;
    open_door();
    int fd = dial();
    join_namespace(fd, query);
    while (slow_actions("close") == 0 && asked++ < 10000) {
        CU_ASSERT_EQUAL_FATAL(
            ask(fd, "POST", query, "42/ws/kline,[\"subscribe_kline\",{}]")->status, 200);
    }
    CU_ASSERT_EQUAL(slow_actions("close"), 1);
    CU_ASSERT_EQUAL(slow_actions("conflate"), 0);
    CU_ASSERT_EQUAL(ask(fd, "GET", query, NULL)->status, 400);
    close(fd);
    close_door();
}

/* More events than the ring holds, so that the door has to read what it has not seen: the shard
 * still has 128 trades. */
static void trade_100_times(void)
{
    for (unsigned i = 0; i < 100; i++) {
        trade("BTCUSDT", "100", 1);
    }
    uint64_t began_s;
    unsigned times = 0;
    do { /* until they are of one second: no candle begins with one that the shard still has */
        CU_ASSERT_TRUE_FATAL(times++ < 100);
        began_s = matching_unix_ns() / 1000000000;
        for (unsigned i = 0; i < 400; i++) {
            trade("ETHUSDT", "7", 1);
        }
    } while (matching_unix_ns() / 1000000000 != began_s);
}

static void test_missed_trades_are_read(void)
{
    prepare();
    event_ring_size = 1024;
    before_start = trade_100_times;
    open_door();
    join(&client);
    ws_say(&client, "42/ws/kline,1[\"subscribe_kline\",{\"symbol\":\"BTCUSDT\",\"interval\":"
                    "\"d1\"}]");
    CU_ASSERT_TRUE(ws_until(&client, "43/ws/kline,1["));
    trade("BTCUSDT", "100", 1);
    CU_ASSERT_TRUE(ws_until(&client, "\"is_final\":false,\"update_count\":101}"));
    teardown();
}

/* 272 of ETHUSDT's trades are gone for good: candles that they may belong to are not told, those of
 * later stretches are. */
static void test_candles_that_lack_trades_are_not_told(void)
{
    prepare();
    event_ring_size = 1024;
    before_start = trade_100_times;
    open_door();
    join(&client);
    ws_say(&client, "42/ws/kline,1[\"subscribe_kline\",{\"symbol\":\"ETHUSDT\",\"interval\":"
                    "\"d1\"}]");
    CU_ASSERT_TRUE(ws_until(&client, "43/ws/kline,1["));
    ws_say(&client, "42/ws/kline,2[\"subscribe_kline\",{\"symbol\":\"ETHUSDT\",\"interval\":"
                    "\"s1\"}]");
    CU_ASSERT_TRUE(ws_until(&client, "43/ws/kline,2["));
    const char *got;
    do { /* trades until one belongs to a second that began after all that is missing */
        trade("ETHUSDT", "8", 1);
        ws_say(&client, "42/ws/kline,3[\"subscribe\",{\"topic\":\"token_events\"}]");
        do {
            got = ws_hear(&client);
            CU_ASSERT_PTR_NULL(strstr(got, "\"interval\":\"d1\""));
        } while (*got != '\0' && strstr(got, "43/ws/kline,3[") == NULL &&
                 strstr(got, "kline_data") == NULL);
    } while (strstr(got, "kline_data") == NULL && *got != '\0');
    CU_ASSERT_PTR_NOT_NULL(strstr(got, "\"open\":8,"));
    /* What is gone cannot be had by another page. */
    ws_say(&client, "42/ws/kline,[\"get_history\",{\"symbol\":\"ETHUSDT\",\"interval\":\"d1\"}]");
    CU_ASSERT_TRUE(ws_until(&client, "\"interval\":\"d1\",\"data\":[],\"hasMore\":false}]"));
    ws_say(&client, "42/ws/kline,[\"get_history\",{\"symbol\":\"ETHUSDT\",\"interval\":\"d1\","
                    "\"from\":1}]");
    CU_ASSERT_TRUE(ws_until(&client, "[\"error\",{\"code\":1003,"));
    teardown();
}

MATCHING_TESTS(MATCHING_TEST(test_a_client_is_greeted),
               MATCHING_TEST(test_other_namespaces_are_refused),
               MATCHING_TEST(test_what_breaks_the_protocol_ends_the_session),
               MATCHING_TEST(test_leaving_ends_subscriptions),
               MATCHING_TEST(test_binary_data_is_refused_clearly),
               MATCHING_TEST(test_events_are_confirmed_and_acknowledged),
               MATCHING_TEST(test_a_client_has_fifty_subscriptions),
               MATCHING_TEST(test_candles_run_and_end_by_the_clock),
               MATCHING_TEST(test_a_running_candle_is_told_at_once),
               MATCHING_TEST(test_trades_are_batched),
               MATCHING_TEST(test_prices_and_additions_are_told),
               MATCHING_TEST(test_a_price_of_an_auction_has_no_side),
               MATCHING_TEST(test_messages_have_a_limit),
               MATCHING_TEST(test_rooms_are_by_subscription_id),
               MATCHING_TEST(test_history_has_pages), MATCHING_TEST(test_missed_trades_are_read),
               MATCHING_TEST(test_candles_that_lack_trades_are_not_told),
               MATCHING_TEST(test_a_slow_poller_is_told_the_last_state),
               MATCHING_TEST(test_who_fetches_no_answers_is_ended))
