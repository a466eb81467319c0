/* The channels kline:* over a real socket. */
#include "door_fixture.h"

#include <sys/socket.h>

static ws_client watcher, trader;

static void begin(void)
{
    open_door();
    connect_client(&watcher);
    connect_client(&trader);
}

static void end(void)
{
    ws_client_close(&watcher);
    ws_client_close(&trader);
    close_door();
}

static void follow(ws_client *client, const char *interval)
{
    tell(client, "{\"type\":\"subscribe\",\"channels\":[\"kline:%s\"],\"symbols\":[\"BTCUSDT\"]}",
         interval);
    CU_ASSERT(wait_until(client, "{\"type\":\"subscribed\""));
}

/* Two orders that meet. */
static void trade(const char *symbol, unsigned price, const char *quantity)
{
    static const char *const sides[] = {"sell", "buy"};
    for (unsigned i = 0; i < 2; i++) {
        tell(&trader,
             "{\"type\":\"limit_order\",\"trader_id\":\"a\",\"symbol\":\"%s\",\"side\":\"%s\","
             "\"price\":%u,\"quantity\":%s}",
             symbol, sides[i], price, quantity);
        expect_begin(&trader, "{\"type\":\"order_ack\"");
    }
}

/* The next message is a candle of BTCUSDT with this interval and these members behind its time. */
static void expect_kline(ws_client *client, const char *interval, const char *members)
{
    char head[128];
    snprintf(head, sizeof head,
             "{\"type\":\"kline\",\"symbol\":\"BTCUSDT\",\"interval\":\"%s\",\"data\":{\"time\":",
             interval);
    const char *text = hear(client);
    if (strncmp(text, head, strlen(head)) != 0 || strstr(text, members) == NULL) {
        printf("got %s\nexpected %s ... %s\n", text, head, members);
        CU_FAIL("another message");
    }
}

static void test_a_candle_runs_and_ends_by_the_clock(void)
{
    prepare();
    begin();
    follow(&watcher, "s1");
    trade("BTCUSDT", 50000, "0.25");
    expect_kline(&watcher, "s1",
                 "\"open\":50000,\"high\":50000,\"low\":50000,\"close\":50000,\"volume\":0.25,"
                 "\"is_final\":false,\"update_count\":1}}");
    /* Nobody trades any more, and yet: */
    expect_kline(&watcher, "s1",
                 "\"open\":50000,\"high\":50000,\"low\":50000,\"close\":50000,\"volume\":0.25,"
                 "\"is_final\":true,\"update_count\":1}}");
    end();
}

static void test_all_intervals_are_channels(void)
{
    static const char *const names[] = {"s1", "s30", "m1", "m5", "m15", "h1", "h4", "d1"};
    prepare();
    begin();
    tell(&watcher, "{\"type\":\"subscribe\",\"channels\":[\"kline:d1\",\"kline:h4\",\"kline:h1\","
                   "\"kline:m15\",\"kline:m5\",\"kline:m1\",\"kline:s30\",\"kline:s1\"],"
                   "\"symbols\":[\"BTCUSDT\",\"ETHUSDT\"]}");
    expect_begin(&watcher, "{\"type\":\"subscribed\",\"channels\":[\"kline:s1\",\"kline:s30\","
                           "\"kline:m1\",\"kline:m5\",\"kline:m15\",\"kline:h1\",\"kline:h4\","
                           "\"kline:d1\"]}");
    trade("SOLUSDT", 7, "1"); /* nobody's */
    trade("BTCUSDT", 100, "2");
    for (unsigned i = 0; i < 8; i++) {
        expect_kline(&watcher, names[i], "\"volume\":2,\"is_final\":false,\"update_count\":1}}");
    }
    trade("ETHUSDT", 9, "3");
    CU_ASSERT(wait_until(&watcher, "{\"type\":\"kline\",\"symbol\":\"ETHUSDT\",\"interval\":"
                                   "\"d1\","));
    end();
}

static void test_a_newcomer_is_told_the_running_candle_at_once(void)
{
    prepare();
    begin();
    trade("BTCUSDT", 100, "1");
    trade("BTCUSDT", 90, "1");
    trade("BTCUSDT", 110, "1");
    follow(&watcher, "d1");
    expect_kline(&watcher, "d1",
                 "\"open\":100,\"high\":110,\"low\":90,\"close\":110,\"volume\":3,"
                 "\"is_final\":false,\"update_count\":3}}");
    trade("BTCUSDT", 95, "1");
    CU_ASSERT(wait_until(&watcher, "\"open\":100,\"high\":110,\"low\":90,\"close\":95,"
                                   "\"volume\":4,\"is_final\":false,\"update_count\":4}}"));
    end();
}

/* Many trades within the time of a batch are few messages, and the last state is always told. */
static void test_trades_are_told_together(void)
{
    enum { TRADES = 200 };
    const char *text;
    unsigned messages = 0;
    prepare();
    config.websocket.kline_batch_ms = 300;
    begin();
    follow(&watcher, "d1");
    for (unsigned i = 0; i < TRADES; i++) {
        trade("BTCUSDT", 100, "1");
    }
    do {
        text = hear(&watcher);
        messages++;
    } while (*text != '\0' && number_of(text, "update_count") != TRADES);
    CU_ASSERT(messages < TRADES);
    end();
}

static void test_who_has_unsubscribed_hears_no_more(void)
{
    prepare();
    begin();
    follow(&watcher, "d1");
    follow(&watcher, "h4");
    tell(&watcher, "{\"type\":\"unsubscribe\",\"channels\":[\"kline:d1\"]}");
    expect_begin(&watcher, "{\"type\":\"unsubscribed\",\"channels\":[\"kline:d1\"]}");
    trade("BTCUSDT", 100, "1");
    expect_kline(&watcher, "h4", "\"update_count\":1}}");
    tell(&watcher, "{\"type\":\"ping\"}");
    expect_begin(&watcher, "{\"type\":\"pong\"");
    end();
}

static void test_each_counts_as_a_subscription(void)
{
    prepare();
    config.websocket.max_subscriptions_per_client = 3;
    begin();
    tell(&watcher, "{\"type\":\"subscribe\",\"channels\":[\"kline:m1\",\"kline:h1\"],"
                   "\"symbols\":[\"BTCUSDT\",\"ETHUSDT\"]}");
    expect_begin(&watcher, "{\"type\":\"error\",\"code\":\"TOO_MANY_SUBSCRIPTIONS\"");
    tell(&watcher, "{\"type\":\"subscribe\",\"channels\":[\"kline:m1\"]}"); /* of all three */
    expect_begin(&watcher, "{\"type\":\"subscribed\",\"channels\":[\"kline:m1\"]}");
    end();
}

static void test_other_intervals_are_refused(void)
{
    prepare();
    begin();
    tell(&watcher, "{\"type\":\"subscribe\",\"channels\":[\"kline:m2\"],\"id\":1}");
    expect_begin(&watcher, "{\"type\":\"error\",\"code\":\"INVALID_INTERVAL\"");
    tell(&watcher, "{\"type\":\"subscribe\",\"channels\":[\"kline:\",\"kline\"]}");
    expect_begin(&watcher, "{\"type\":\"error\",\"code\":\"INVALID_CHANNEL\"");
    end();
}

/* For who asked for batches too, a final candle ends the wait; and a frame has both. */
static void test_a_final_candle_does_not_wait_for_a_batch(void)
{
    prepare();
    config.websocket.message_batch_timeout_ms = 10000;
    begin();
    tell(&watcher, "{\"type\":\"subscribe\",\"channels\":[\"kline:s1\"],\"symbols\":[\"BTCUSDT\"],"
                   "\"batch\":true}");
    expect_begin(&watcher, "{\"type\":\"subscribed\"");
    trade("BTCUSDT", 100, "1");
    const char *text = hear(&watcher), *second = strchr(text, '\n');
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"is_final\":false,\"update_count\":1}}\n{\"type\":"));
    CU_ASSERT(second != NULL && strstr(second, "\"is_final\":true,\"update_count\":1}}") != NULL);
    end();
}

/* Reads on to the next final candle; 0: none came. */
static unsigned long long next_final(ws_client *client)
{
    return wait_until(client, "\"is_final\":true") ? number_of(client->message, "time") : 0;
}

/* One who does not read for some seconds, with a backlog of other things: it is told of every
 * candle that ended meanwhile, in order, and then how the present one stands. */
static void test_a_slow_follower_misses_no_final_candle(void)
{
    enum { LEVELS = 900, SNAPSHOTS = 400, FINALS = 3 };
    unsigned long long times[FINALS];
    int small = 4096;
    ws_client witness;
    prepare();
    config.websocket.max_queue_bytes = 65536;
    begin();
    connect_client(&witness);
    setsockopt(watcher.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    follow(&watcher, "s1");
    follow(&witness, "s1");
    for (unsigned i = 0; i < LEVELS; i++) {
        tell(&trader,
             "{\"type\":\"limit_order\",\"trader_id\":\"a\",\"side\":\"buy\",\"price\":%u,"
             "\"quantity\":1}",
             1 + i);
        expect_begin(&trader, "{\"type\":\"order_ack\"");
    }
    for (unsigned i = 0; i < SNAPSHOTS; i++) { /* the backlog */
        tell(&watcher, "{\"type\":\"subscribe\",\"channels\":[\"depth\"],"
                       "\"symbols\":[\"BTCUSDT\"]}");
        ws_client_flush(&watcher, DEADLINE_MS);
        tell(&trader,
             "{\"type\":\"limit_order\",\"trader_id\":\"a\",\"side\":\"buy\",\"price\":%u,"
             "\"quantity\":1}",
             1000 + i);
        expect_begin(&trader, "{\"type\":\"order_ack\"");
    }
    for (unsigned i = 0; i < FINALS; i++) {
        trade("BTCUSDT", 2000 + i, "1");
        times[i] = next_final(&witness);
        CU_ASSERT(times[i] > 0 && (i == 0 || times[i] > times[i - 1]));
    }
    for (unsigned i = 0; i < FINALS; i++) {
        CU_ASSERT_EQUAL(next_final(&watcher), times[i]);
    }
    follow(&watcher, "d1");
    CU_ASSERT(wait_until(&watcher, "\"is_final\":false,\"update_count\":3}}"));
    ws_client_close(&witness);
    end();
}

MATCHING_TESTS(MATCHING_TEST(test_a_candle_runs_and_ends_by_the_clock),
               MATCHING_TEST(test_all_intervals_are_channels),
               MATCHING_TEST(test_a_newcomer_is_told_the_running_candle_at_once),
               MATCHING_TEST(test_trades_are_told_together),
               MATCHING_TEST(test_who_has_unsubscribed_hears_no_more),
               MATCHING_TEST(test_each_counts_as_a_subscription),
               MATCHING_TEST(test_other_intervals_are_refused),
               MATCHING_TEST(test_a_final_candle_does_not_wait_for_a_batch),
               MATCHING_TEST(test_a_slow_follower_misses_no_final_candle))
