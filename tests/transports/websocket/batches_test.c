/* Batches over a real socket: what is joined, when it comes, and that nothing is overtaken which
 * must not be. Where a test waits for a batch that no reply ends, the timeout is short; else it is
 * so long that a batch which only the timeout ends would fail the test.
 */
#include "door_fixture.h"

#define NEVER_MS 10000
#define SELL "{\"type\":\"limit_order\",\"trader_id\":\"s\",\"side\":\"sell\",\"price\":100,"
#define BUY "{\"type\":\"limit_order\",\"trader_id\":\"b\",\"side\":\"buy\",\"price\":100,"

static void open_with(uint32_t size, uint32_t timeout_ms)
{
    prepare();
    config.websocket.message_batch_size = size;
    config.websocket.message_batch_timeout_ms = timeout_ms;
    open_door();
}

static void follow(ws_client *client, const char *channels, const char *more)
{
    connect_client(client);
    tell(client, "{\"type\":\"subscribe\",\"channels\":[%s],\"symbols\":[\"BTCUSDT\"]%s}", channels,
         more);
    expect_begin(client, "{\"type\":\"subscribed\"");
}

static void put(ws_client *trader, const char *order)
{
    tell(trader, "%s\"quantity\":1}", order);
    expect_begin(trader, "{\"type\":\"order_ack\"");
}

static void trade(ws_client *trader, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        put(trader, SELL);
        put(trader, BUY);
    }
}

/* The trades of a message are these, one in each line. */
static void expect_trades(const char *text, unsigned first, unsigned count)
{
    const char *line = text;
    for (unsigned i = 0; i < count && line != NULL; i++) {
        CU_ASSERT_EQUAL(strncmp(line, "{\"type\":\"trade\",", 16), 0);
        CU_ASSERT_EQUAL(number_of(line, "trade_id"), first + i);
        const char *end = strchr(line, '\n');
        CU_ASSERT_TRUE(end == NULL || end[-1] == '}');
        CU_ASSERT_EQUAL(end == NULL, i + 1 == count);
        line = end == NULL ? NULL : end + 1;
    }
}

static void test_so_many_messages_are_a_frame(void)
{
    open_with(3, NEVER_MS);
    ws_client watcher, plain, trader;
    follow(&watcher, "\"trades\"", ",\"batch\":true");
    follow(&plain, "\"trades\"", ",\"batch\":false");
    connect_client(&trader);
    trade(&trader, 7);
    expect_trades(hear(&watcher), 1, 3);
    expect_trades(hear(&watcher), 4, 3);
    for (unsigned i = 1; i <= 7; i++) {
        expect_trades(hear(&plain), i, 1);
    }
    tell(&watcher, "{\"type\":\"ping\"}"); /* the seventh comes with the next reply */
    expect_trades(hear(&watcher), 7, 1);
    expect_begin(&watcher, "{\"type\":\"pong\"");
    ws_client_close(&watcher);
    ws_client_close(&plain);
    ws_client_close(&trader);
    close_door();
}

static void test_a_batch_does_not_wait_for_more_than_its_time(void)
{
    open_with(10000, 20);
    ws_client watcher, trader;
    follow(&watcher, "\"trades\"", ",\"batch\":true");
    connect_client(&trader);
    for (unsigned i = 0; i < 5; i++) {
        put(&trader, SELL);
    }
    tell(&trader, "%s\"quantity\":5}", BUY); /* five trades at once */
    expect_begin(&trader, "{\"type\":\"order_ack\"");
    expect_trades(hear(&watcher), 1, 5);
    trade(&trader, 1); /* and the timer begins anew */
    expect_trades(hear(&watcher), 6, 1);
    ws_client_close(&watcher);
    ws_client_close(&trader);
    close_door();
}

/* The ack of a command comes before its trades, and after those of the commands before. */
static void test_a_reply_ends_the_batch(void)
{
    open_with(10000, NEVER_MS);
    ws_client trader, other;
    follow(&trader, "\"trades\"", ",\"batch\":true");
    follow(&other, "\"trades\"", "");
    put(&trader, SELL);
    put(&trader, BUY);
    expect_trades(hear(&other), 1, 1); /* so it is in the batch */
    tell(&trader, "%s\"quantity\":1}", SELL);
    expect_trades(hear(&trader), 1, 1);
    expect_begin(&trader, "{\"type\":\"order_ack\"");
    put(&trader, BUY);
    expect_trades(hear(&other), 2, 1);
    tell(&trader, "{\"type\":\"unsubscribe\",\"channels\":[\"trades\"]}");
    expect_trades(hear(&trader), 2, 1);
    expect_begin(&trader, "{\"type\":\"unsubscribed\"");
    ws_client_close(&trader);
    ws_client_close(&other);
    close_door();
}

static void test_a_connection_that_ends_gets_what_waited(void)
{
    open_with(10000, NEVER_MS);
    ws_client watcher, gone, other, trader;
    follow(&watcher, "\"trades\"", ",\"batch\":true");
    follow(&gone, "\"trades\"", ",\"batch\":true");
    follow(&other, "\"trades\"", "");
    connect_client(&trader);
    trade(&trader, 2);
    expect_trades(hear(&other), 1, 1);
    expect_trades(hear(&other), 2, 1);
    ws_client_close(&gone); /* without a word */
    door.ops->stop(&door);
    expect_trades(hear(&watcher), 1, 2);
    expect_close(&watcher, 1001, "the server is stopping");
    ws_client_close(&watcher);
    ws_client_close(&other);
    ws_client_close(&trader);
    free_door();
}

/* Snapshots do not wait, and what follows them fits. */
static void test_depth_and_orders_in_batches(void)
{
    open_with(10000, NEVER_MS);
    ws_client depth, orders, other, trader;
    connect_client(&trader);
    put(&trader, SELL);
    follow(&depth, "\"depth\"", ",\"batch\":true");
    expect_begin(&depth, "{\"type\":\"depth_snapshot\",\"symbol\":\"BTCUSDT\",\"sequence\":1,");
    follow(&orders, "\"orders\"", ",\"batch\":true,\"trader_id\":\"s\"");
    expect_begin(&orders, "{\"type\":\"orders_snapshot\",\"orders\":[{\"order_id\":");
    follow(&other, "\"depth\",\"orders\"", ",\"trader_id\":\"s\"");
    CU_ASSERT_TRUE(wait_until(&other, "\"sequence\":1,"));
    put(&trader, SELL);
    CU_ASSERT_TRUE(wait_until(&other, "\"sequence\":2,"));
    put(&trader, BUY);
    CU_ASSERT_TRUE(wait_until(&other, "\"sequence\":3,"));
    tell(&depth, "{\"type\":\"ping\"}");
    const char *text = hear(&depth), *second = strchr(text, '\n');
    CU_ASSERT_EQUAL(number_of(text, "prev_sequence"), 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(second);
    CU_ASSERT_EQUAL(number_of(second, "prev_sequence"), 2);
    CU_ASSERT_EQUAL(number_of(second, "sequence"), 3);
    expect_begin(&depth, "{\"type\":\"pong\"");
    tell(&orders, "{\"type\":\"ping\"}");
    text = hear(&orders);
    second = strchr(text, '\n');
    CU_ASSERT_PTR_NOT_NULL_FATAL(second);
    CU_ASSERT_EQUAL(strncmp(text, "{\"type\":\"order_update\"", 22), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(second, "\"status\":\"filled\""));
    expect_begin(&orders, "{\"type\":\"pong\"");
    ws_client_close(&depth);
    ws_client_close(&orders);
    ws_client_close(&other);
    ws_client_close(&trader);
    close_door();
}

/* What was batched comes before the answer to the subscription that no longer is. */
static void test_the_last_subscription_says_whether_it_is_batched(void)
{
    open_with(10000, NEVER_MS);
    ws_client watcher, trader;
    follow(&watcher, "\"trades\"", "");
    connect_client(&trader);
    trade(&trader, 1);
    expect_trades(hear(&watcher), 1, 1);
    tell(&watcher, "{\"type\":\"subscribe\",\"channels\":[\"trades\"],\"symbols\":[\"BTCUSDT\"],"
                   "\"batch\":true}");
    expect_begin(&watcher, "{\"type\":\"subscribed\"");
    trade(&trader, 2);
    tell(&trader, "{\"type\":\"ping\"}");
    expect_begin(&trader, "{\"type\":\"pong\"");
    tell(&watcher, "{\"type\":\"subscribe\",\"channels\":[\"trades\"],\"symbols\":[\"BTCUSDT\"]}");
    for (unsigned next = 2; next <= 3;) { /* both at once, unless the second was not told yet */
        const char *text = hear(&watcher);
        bool is_trade = strncmp(text, "{\"type\":\"trade\",", 16) == 0;
        unsigned count = is_trade ? 1u + (strchr(text, '\n') != NULL) : 0;
        expect_trades(text, next, count);
        CU_ASSERT_TRUE_FATAL(is_trade || strstr(text, "subscribed") != NULL);
        next += count;
    }
    ws_client_close(&watcher);
    ws_client_close(&trader);
    close_door();
}

/* A small queue has small batches, so that a state is not held back by them for good. */
static void test_batches_are_as_small_as_the_queue_wants_them(void)
{
    enum { TRADES = 100, MOST = 65536 / 16 };
    prepare();
    config.websocket.message_batch_size = 10000;
    config.websocket.message_batch_timeout_ms = 50;
    config.websocket.max_queue_bytes = 65536;
    open_door();
    ws_client watcher, trader;
    follow(&watcher, "\"trades\"", ",\"batch\":true");
    connect_client(&trader);
    for (unsigned i = 0; i < TRADES; i++) {
        put(&trader, SELL);
    }
    tell(&trader, "%s\"quantity\":%u}", BUY, TRADES);
    for (unsigned next = 1; next <= TRADES;) {
        const char *text = hear(&watcher);
        unsigned count = 1;
        for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++) {
            count++;
        }
        CU_ASSERT_TRUE_FATAL(strlen(text) > 0 && strlen(text) < MOST);
        CU_ASSERT_TRUE(next > 1 || count > 2);
        expect_trades(text, next, count);
        next += count;
    }
    ws_client_close(&watcher);
    ws_client_close(&trader);
    close_door();
}

/* ---- Many, who follow the same or not -------------------------------------------------------- */

enum { CLIENTS = 24, ROUNDS = 60, SYMBOLS = 3 };

static const char *const SYMBOL[SYMBOLS] = {"BTCUSDT", "ETHUSDT", "SOLUSDT"};

typedef struct watcher {
    ws_client client;
    unsigned follows; /* bits of SYMBOL */
    unsigned trades[SYMBOLS];
} watcher;

static void note_trades(watcher *own, const char *text)
{
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, "{\"type\":\"trade\",", 16) != 0) {
            continue;
        }
        unsigned symbol = 0;
        while (symbol < SYMBOLS && strncmp(strstr(line, "\"symbol\":\"") + 10, SYMBOL[symbol], 7)) {
            symbol++;
        }
        CU_ASSERT_TRUE_FATAL(symbol < SYMBOLS && (own->follows & 1u << symbol));
        CU_ASSERT_EQUAL(number_of(line, "trade_id"), ++own->trades[symbol]);
    }
}

/* Groups that share batches part and meet again as some are told what others are not, and as
 * replies end the batches of some. */
static void test_each_gets_its_own_whoever_shares_its_batches(void)
{
    static watcher watchers[CLIENTS];
    unsigned trades[SYMBOLS] = {0}, seed = 7;
    open_with(10, 5);
    ws_client trader;
    connect_client(&trader);
    for (unsigned i = 0; i < CLIENTS; i++) {
        watchers[i] = (watcher){.follows = i < 8 ? 1u : 1u + i % 7u};
        connect_client(&watchers[i].client);
        for (unsigned symbol = 0; symbol < SYMBOLS; symbol++) {
            if (watchers[i].follows & 1u << symbol) {
                tell(&watchers[i].client,
                     "{\"type\":\"subscribe\",\"channels\":[\"trades\"],\"symbols\":[\"%s\"],"
                     "\"batch\":%s}",
                     SYMBOL[symbol], i % 5 == 4 ? "false" : "true");
                expect_begin(&watchers[i].client, "{\"type\":\"subscribed\"");
            }
        }
    }
    for (unsigned round = 0; round < ROUNDS; round++) {
        seed = seed * 1103515245u + 12345u;
        unsigned symbol = seed >> 16 & 3u, who = (seed >> 20) % CLIENTS;
        symbol = symbol < SYMBOLS ? symbol : 0;
        for (unsigned i = 0; i < 1 + (seed >> 25) % 4; i++, trades[symbol]++) {
            tell(&trader, SELL "\"quantity\":1,\"symbol\":\"%s\"}", SYMBOL[symbol]);
            expect_begin(&trader, "{\"type\":\"order_ack\"");
            tell(&trader, BUY "\"quantity\":1,\"symbol\":\"%s\"}", SYMBOL[symbol]);
            expect_begin(&trader, "{\"type\":\"order_ack\"");
        }
        tell(&watchers[who].client, "{\"type\":\"ping\"}");
    }
    for (unsigned i = 0; i < CLIENTS; i++) {
        for (unsigned symbol = 0; symbol < SYMBOLS; symbol++) {
            unsigned wanted = watchers[i].follows & 1u << symbol ? trades[symbol] : 0;
            while (watchers[i].trades[symbol] < wanted) {
                const char *text = hear(&watchers[i].client);
                CU_ASSERT_TRUE_FATAL(text[0] != '\0');
                note_trades(&watchers[i], text);
            }
            CU_ASSERT_EQUAL(watchers[i].trades[symbol], wanted);
        }
        ws_client_close(&watchers[i].client);
    }
    ws_client_close(&trader);
    close_door();
}

/* A connection that follows the orders of these traders, in this order. */
static void follow_traders(ws_client *client, const char *traders)
{
    connect_client(client);
    for (; *traders != '\0'; traders++) {
        tell(client,
             "{\"type\":\"subscribe\",\"channels\":[\"orders\"],\"symbols\":[\"BTCUSDT\"],"
             "\"batch\":true,\"trader_id\":\"%c\"}",
             *traders);
        expect_begin(client, "{\"type\":\"subscribed\"");
        expect_begin(client, "{\"type\":\"orders_snapshot\"");
    }
}

/* What waits for it are changes of the orders of these, one in each line. */
static void expect_traders(ws_client *client, const char *traders)
{
    tell(client, "{\"type\":\"ping\"}");
    const char *line = hear(client);
    for (; *traders != '\0'; traders++) {
        char wanted[32];
        snprintf(wanted, sizeof wanted, "\"trader_id\":\"%c\"", *traders);
        CU_ASSERT_PTR_NOT_NULL_FATAL(line);
        CU_ASSERT_EQUAL(strncmp(line, "{\"type\":\"order_update\"", 22), 0);
        const char *end = strchr(line, '\n'), *found = strstr(line, wanted);
        CU_ASSERT_PTR_NOT_NULL(found);
        CU_ASSERT_TRUE(end == NULL || found < end);
        line = end == NULL ? NULL : end + 1;
    }
    CU_ASSERT_PTR_NULL(line);
    expect_begin(client, "{\"type\":\"pong\"");
}

/* Three begin alike. One parts from the others after its first message, another after its second,
 * and then both are told the same, as their third. */
static void test_those_who_part_at_different_messages_stay_apart(void)
{
    open_with(10000, NEVER_MS);
    ws_client longest, first, second, trader;
    follow_traders(&longest, "abc");
    follow_traders(&first, "ade");
    follow_traders(&second, "abe");
    connect_client(&trader);
    for (const char *who = "abcde"; *who != '\0'; who++) {
        tell(&trader,
             "{\"type\":\"limit_order\",\"trader_id\":\"%c\",\"side\":\"buy\",\"price\":100,"
             "\"quantity\":1}",
             *who);
        expect_begin(&trader, "{\"type\":\"order_ack\"");
    }
    tell(&trader, "{\"type\":\"ping\"}"); /* a turn more: all have been told */
    expect_begin(&trader, "{\"type\":\"pong\"");
    expect_traders(&longest, "abc");
    expect_traders(&first, "ade");
    expect_traders(&second, "abe");
    ws_client_close(&longest);
    ws_client_close(&first);
    ws_client_close(&second);
    ws_client_close(&trader);
    close_door();
}

MATCHING_TESTS(MATCHING_TEST(test_so_many_messages_are_a_frame),
               MATCHING_TEST(test_a_batch_does_not_wait_for_more_than_its_time),
               MATCHING_TEST(test_a_reply_ends_the_batch),
               MATCHING_TEST(test_a_connection_that_ends_gets_what_waited),
               MATCHING_TEST(test_depth_and_orders_in_batches),
               MATCHING_TEST(test_the_last_subscription_says_whether_it_is_batched),
               MATCHING_TEST(test_batches_are_as_small_as_the_queue_wants_them),
               MATCHING_TEST(test_those_who_part_at_different_messages_stay_apart),
               MATCHING_TEST(test_each_gets_its_own_whoever_shares_its_batches))
