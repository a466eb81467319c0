/* Channels over a real socket: what a follower gets, in which order, and that a copy stays right.
 */
#include "door_fixture.h"
#include "support/metric.h"

#include "matching/connections.h"

static void order(ws_client *client, const char *trader, const char *side, unsigned cents,
                  unsigned quantity)
{
    tell(client,
         "{\"type\":\"limit_order\",\"trader_id\":\"%s\",\"side\":\"%s\",\"price\":%u.%02u,"
         "\"quantity\":%u}",
         trader, side, cents / 100, cents % 100, quantity);
    expect_begin(client, "{\"type\":\"order_ack\"");
}

static void follow(ws_client *client, const char *channel, const char *more)
{
    tell(client, "{\"type\":\"subscribe\",\"channels\":[\"%s\"],\"symbols\":[\"BTCUSDT\"]%s}",
         channel, more);
    expect_begin(client, "{\"type\":\"subscribed\"");
}

static void test_book_at_once_and_when_it_changes(void)
{
    prepare();
    open_door();
    ws_client watcher, trader;
    connect_client(&watcher);
    connect_client(&trader);
    follow(&watcher, "book", "");
    expect_begin(&watcher, "{\"type\":\"book_update\",\"symbol\":\"BTCUSDT\",\"best_bid\":null,"
                           "\"best_ask\":null,\"spread\":null,\"bid_quantity\":0,"
                           "\"ask_quantity\":0}");
    order(&trader, "a", "buy", 4999, 2);
    expect_begin(&watcher, "{\"type\":\"book_update\",\"symbol\":\"BTCUSDT\",\"best_bid\":49.99,"
                           "\"best_ask\":null,\"spread\":null,\"bid_quantity\":2,"
                           "\"ask_quantity\":0}");
    order(&trader, "a", "buy", 4990, 2); /* below the best: nothing to tell */
    order(&trader, "b", "sell", 5001, 3);
    expect_begin(&watcher, "{\"type\":\"book_update\",\"symbol\":\"BTCUSDT\",\"best_bid\":49.99,"
                           "\"best_ask\":50.01,\"spread\":0.02,\"bid_quantity\":2,"
                           "\"ask_quantity\":3}");
    follow(&watcher, "book", ""); /* again: a fresh one */
    expect_begin(&watcher, "{\"type\":\"book_update\",\"symbol\":\"BTCUSDT\",\"best_bid\":49.99,"
                           "\"best_ask\":50.01");
    ws_client_close(&watcher);
    ws_client_close(&trader);
    close_door();
}

static void test_book_has_no_best_prices_while_it_is_crossed(void)
{
    prepare();
    open_door();
    ws_client watcher, trader;
    connect_client(&watcher);
    connect_client(&trader);
    set_state("auction");
    order(&trader, "a", "buy", 5001, 2);
    follow(&watcher, "book", "");
    expect_begin(&watcher, "{\"type\":\"book_update\",\"symbol\":\"BTCUSDT\",\"best_bid\":50.01,"
                           "\"best_ask\":null,\"spread\":null,\"bid_quantity\":2,"
                           "\"ask_quantity\":0}");
    order(&trader, "b", "sell", 5001, 3);
    expect_begin(&watcher, "{\"type\":\"book_update\",\"symbol\":\"BTCUSDT\",\"best_bid\":null,"
                           "\"best_ask\":null,\"spread\":null,\"bid_quantity\":0,"
                           "\"ask_quantity\":0}");
    order(&trader, "a", "buy", 4999, 1); /* still crossed: nothing to tell */
    set_state("trading");
    expect_begin(&watcher, "{\"type\":\"book_update\",\"symbol\":\"BTCUSDT\",\"best_bid\":49.99,"
                           "\"best_ask\":50.01,\"spread\":0.02,\"bid_quantity\":1,"
                           "\"ask_quantity\":1}");
    ws_client_close(&watcher);
    ws_client_close(&trader);
    close_door();
}

static void test_orders_begin_with_a_snapshot(void)
{
    prepare();
    open_door();
    ws_client watcher, trader;
    connect_client(&watcher);
    connect_client(&trader);
    order(&trader, "a", "buy", 1000, 1);
    order(&trader, "a", "buy", 1001, 1);
    order(&trader, "b", "buy", 1002, 1);
    /* Of all instruments, which live on two shards. */
    tell(&watcher,
         "{\"type\":\"subscribe\",\"channels\":[\"orders\"],\"trader_id\":\"a\",\"id\":1}");
    expect_begin(&watcher, "{\"type\":\"subscribed\",\"channels\":[\"orders\"],\"id\":1}");
    const char *text = hear(&watcher);
    CU_ASSERT_EQUAL(strncmp(text, "{\"type\":\"orders_snapshot\",\"orders\":[{\"order_id\":", 48),
                    0);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"price\":10.01"));
    CU_ASSERT_PTR_NULL(strstr(text, "\"trader_id\":\"b\""));
    order(&trader, "c", "sell", 1001, 2); /* fills b's and then a's */
    text = hear(&watcher);
    CU_ASSERT_EQUAL(strncmp(text, "{\"type\":\"order_update\",\"order_id\":", 34), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"status\":\"filled\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"last_price\":10.01,\"last_quantity\":1,\"trade_id\":2"));
    tell(&watcher, "{\"type\":\"unsubscribe\",\"channels\":[\"orders\",\"book\"]}");
    expect_begin(&watcher, "{\"type\":\"unsubscribed\",\"channels\":[\"orders\"]}");
    order(&trader, "a", "buy", 900, 1);
    tell(&watcher, "{\"type\":\"ping\"}");
    expect_begin(&watcher, "{\"type\":\"pong\"");
    ws_client_close(&watcher);
    ws_client_close(&trader);
    close_door();
}

/* A client that subscribes again follows on: what happens before the new snapshot is told as well.
 * The messages go out together, so that the door takes them in one turn. */
/* More than a read of the core brings: one message all the same. */
static void test_a_snapshot_of_thousands_has_all(void)
{
    enum { COUNT = 2500, STEP = 50 };
    static bool seen[4 * COUNT + 2]; /* there are two shards, each with every other id */
    memset(seen, 0, sizeof seen);
    prepare();
    open_door();
    ws_client client;
    connect_client(&client);
    for (unsigned i = 0; i < 2 * COUNT; i += STEP) {
        for (unsigned k = 0; k < STEP; k++) {
            tell(&client,
                 "{\"type\":\"limit_order\",\"trader_id\":\"a\",\"symbol\":\"%s\",\"side\":\"buy\","
                 "\"price\":1,\"quantity\":1,\"id\":1}",
                 k % 2 == 0 ? "BTCUSDT" : "ETHUSDT");
        }
        for (unsigned k = 0; k < STEP; k++) {
            expect_begin(&client, "{\"type\":\"order_ack\"");
        }
    }
    tell(&client, "{\"type\":\"subscribe\",\"channels\":[\"orders\"],\"trader_id\":\"a\"}");
    expect_begin(&client, "{\"type\":\"subscribed\"");
    const char *text = hear(&client);
    CU_ASSERT_PTR_EQUAL(strstr(text, "{\"type\":\"orders_snapshot\",\"orders\":[{"), text);
    CU_ASSERT_STRING_EQUAL(text + strlen(text) - 3, "}]}");
    unsigned count = 0;
    for (const char *at = strstr(text, "{\"order_id\":"); at != NULL;
         at = strstr(at + 1, "{\"order_id\":")) {
        unsigned long long id = number_of(at, "order_id");
        CU_ASSERT_TRUE_FATAL(id > 0 && id < sizeof seen);
        CU_ASSERT_FALSE(seen[id]);
        seen[id] = true;
        count++;
    }
    CU_ASSERT_EQUAL(count, 2 * COUNT);
    ws_client_close(&client);
    close_door();
}

static void test_subscribing_to_orders_again_loses_no_update(void)
{
    prepare();
    open_door();
    ws_client client;
    connect_client(&client);
    follow(&client, "orders", ",\"trader_id\":\"a\"");
    expect_begin(&client, "{\"type\":\"orders_snapshot\"");
    const char *const messages[] = {
        "{\"type\":\"limit_order\",\"trader_id\":\"a\",\"side\":\"sell\",\"price\":10,\"quantity\":"
        "2}",
        "{\"type\":\"limit_order\",\"trader_id\":\"b\",\"side\":\"buy\",\"price\":10,\"quantity\":"
        "1}",
        "{\"type\":\"subscribe\",\"channels\":[\"orders\"],\"symbols\":[\"BTCUSDT\"],"
        "\"trader_id\":\"a\"}",
        "{\"type\":\"limit_order\",\"trader_id\":\"b\",\"side\":\"buy\",\"price\":10,\"quantity\":"
        "1}"};
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
        ws_client_send(&client, messages[i], strlen(messages[i]));
    }
    CU_ASSERT_TRUE_FATAL(ws_client_flush(&client, DEADLINE_MS));
    unsigned updates = 0, snapshots = 0;
    for (bool filled = false; !filled || snapshots == 0;) {
        const char *text = hear(&client);
        if (*text == '\0') {
            break;
        }
        bool is_update = strncmp(text, "{\"type\":\"order_update\"", 22) == 0;
        updates += is_update;
        snapshots += strncmp(text, "{\"type\":\"orders_snapshot\"", 25) == 0;
        filled = filled || (is_update && strstr(text, "\"status\":\"filled\"") != NULL);
    }
    CU_ASSERT_EQUAL(snapshots, 1);
    CU_ASSERT_EQUAL(updates, 3); /* open, partial, filled */
    ws_client_close(&client);
    close_door();
}

/* A client's copy of one side of the book, by price in cents. */
#define CENTS_MAX 4000
typedef struct copy {
    unsigned long long quantities[2][CENTS_MAX];
    unsigned long long sequence;
    unsigned gaps, snapshots;
} copy;

static void take_levels(copy *own, unsigned side, const char *text, const char *name)
{
    const char *at = strstr(text, name);
    if (at == NULL) {
        return;
    }
    for (at += strlen(name); *at == '['; at = *at == ',' ? at + 1 : at) {
        char *end;
        unsigned cents = (unsigned)(strtod(at + 1, &end) * 100 + 0.5);
        own->quantities[side][cents % CENTS_MAX] = strtoull(end + 1, &end, 10);
        at = end + 1;
    }
}

/* Applies messages of the channel depth up to this sequence. */
static void catch_up(ws_client *client, copy *own, unsigned long long sequence)
{
    while (own->sequence < sequence) {
        const char *text = hear(client);
        if (strncmp(text, "{\"type\":\"depth_snapshot\"", 24) == 0) {
            memset(own->quantities, 0, sizeof own->quantities);
            own->snapshots++;
        } else if (strncmp(text, "{\"type\":\"depth_update\"", 22) == 0) {
            own->gaps += number_of(text, "prev_sequence") != own->sequence;
        } else if (text[0] == '\0') {
            return;
        } else {
            continue;
        }
        own->sequence = number_of(text, "sequence");
        take_levels(own, MATCHING_BUY, text, "\"bids\":[");
        take_levels(own, MATCHING_SELL, text, "\"asks\":[");
    }
}

/* What a newcomer is shown now. */
static void look(copy *own)
{
    ws_client client;
    memset(own, 0, sizeof *own);
    connect_client(&client);
    follow(&client, "depth", "");
    const char *text = hear(&client);
    own->sequence = number_of(text, "sequence");
    take_levels(own, MATCHING_BUY, text, "\"bids\":[");
    take_levels(own, MATCHING_SELL, text, "\"asks\":[");
    ws_client_close(&client);
}

static void test_depth_updates_keep_a_copy_right(void)
{
    static copy follower, newcomer;
    prepare();
    open_door();
    ws_client watcher, trader;
    connect_client(&watcher);
    connect_client(&trader);
    memset(&follower, 0, sizeof follower);
    follow(&watcher, "depth", "");
    expect_begin(&watcher, "{\"type\":\"depth_snapshot\",\"symbol\":\"BTCUSDT\",\"sequence\":0,"
                           "\"bids\":[],\"asks\":[]}");
    unsigned random = 20120621;
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned i = 0; i < 100; i++) {
            random = random * 1664525u + 1013904223u;
            unsigned cents = 2000 + (random >> 16) % 600 - 300;
            order(&trader, "a", random >> 31 ? "buy" : "sell", cents, 1 + (random >> 8) % 9);
        }
        look(&newcomer);
        catch_up(&watcher, &follower, newcomer.sequence);
        CU_ASSERT_EQUAL(follower.sequence, newcomer.sequence);
        CU_ASSERT_EQUAL(
            memcmp(follower.quantities, newcomer.quantities, sizeof follower.quantities), 0);
    }
    CU_ASSERT_EQUAL(follower.gaps, 0);
    CU_ASSERT_EQUAL(follower.snapshots, 0);
    ws_client_close(&watcher);
    ws_client_close(&trader);
    close_door();
}

/* Sends a bid that nothing meets, without waiting; notes it. */
static void bid(ws_client *client, copy *truth, unsigned cents)
{
    char text[160];
    int length = snprintf(text, sizeof text,
                          "{\"type\":\"limit_order\",\"trader_id\":\"a\",\"side\":\"buy\","
                          "\"price\":%u.%02u,\"quantity\":1}",
                          cents / 100, cents % 100);
    ws_client_send(client, text, (size_t)length);
    truth->quantities[MATCHING_BUY][cents]++;
    truth->sequence++; /* one level changes */
}

/* Nobody keeps up what nobody follows: whoever comes then is shown the present all the same, also
 * if the book changes while it is being read for him, or while it was for one who left. */
static void test_followers_of_depth_come_and_go(void)
{
    static const char SUBSCRIBE[] = "{\"type\":\"subscribe\",\"channels\":[\"depth\"],"
                                    "\"symbols\":[\"BTCUSDT\"]}";
    static const char UNSUBSCRIBE[] = "{\"type\":\"unsubscribe\",\"channels\":[\"depth\"]}";
    static copy truth, follower;
    prepare();
    open_door();
    ws_client client;
    connect_client(&client);
    memset(&truth, 0, sizeof truth);
    unsigned random = 7;
    for (unsigned round = 0; round < 60; round++) {
        for (unsigned i = 0; i < 12; i++) {
            random = random * 1664525u + 1013904223u;
            if (i == 4 || (round % 2 == 1 && i == 8)) {
                ws_client_send(&client, SUBSCRIBE, sizeof SUBSCRIBE - 1);
            } else if (round % 2 == 1 && i == 6) { /* its snapshot may still be on its way */
                ws_client_send(&client, UNSUBSCRIBE, sizeof UNSUBSCRIBE - 1);
            }
            if (round % 3 == 1) { /* each in a turn of its own */
                CU_ASSERT_TRUE_FATAL(ws_client_flush(&client, DEADLINE_MS));
            }
            bid(&client, &truth, 1000 + (random >> 16) % 50);
        }
        memset(&follower, 0, sizeof follower);
        catch_up(&client, &follower, truth.sequence);
        CU_ASSERT_EQUAL(follower.sequence, truth.sequence);
        CU_ASSERT_EQUAL(memcmp(follower.quantities, truth.quantities, sizeof truth.quantities), 0);
        CU_ASSERT(follower.snapshots > 0);
        CU_ASSERT_EQUAL(follower.gaps, 0);
        tell(&client, "%s", UNSUBSCRIBE);
        expect_begin(&client, "{\"type\":\"unsubscribed\",\"channels\":[\"depth\"]}");
    }
    ws_client_close(&client);
    close_door();
}

/* As metrics tell it. */
static double slow_actions(const char *action)
{
    char line[96];
    snprintf(line, sizeof line,
             "matching_slow_consumer_actions_total{transport=\"websocket\",action=\"%s\"}", action);
    return metric_value(door.core, line);
}

/* Asks for snapshot after snapshot without reading, until the door holds back; then reads on. What
 * it ends up with is the present, however much was left out. */
static void test_a_slow_follower_of_depth_ends_up_right(void)
{
    enum { LEVELS = 900, SNAPSHOTS = 400 };
    static copy follower, newcomer;
    prepare();
    open_door();
    ws_client watcher, trader;
    connect_client(&watcher);
    connect_client(&trader);
    for (unsigned i = 0; i < LEVELS; i++) {
        order(&trader, "a", "buy", 1000 + i, 1);
        order(&trader, "a", "sell", 3000 + i, 1);
    }
    for (unsigned i = 0; i < SNAPSHOTS; i++) {
        tell(&watcher, "{\"type\":\"subscribe\",\"channels\":[\"depth\"],"
                       "\"symbols\":[\"BTCUSDT\"]}");
        tell(&trader, "{\"type\":\"ping\"}"); /* so that each has a turn of its own */
        expect_begin(&trader, "{\"type\":\"pong\"");
    }
    for (unsigned i = 0; i < 100; i++) {
        order(&trader, "a", "buy", 1000 + i, 1);
    }
    look(&newcomer);
    memset(&follower, 0, sizeof follower);
    catch_up(&watcher, &follower, newcomer.sequence);
    CU_ASSERT_EQUAL(memcmp(follower.quantities, newcomer.quantities, sizeof follower.quantities),
                    0);
    CU_ASSERT_EQUAL(follower.gaps, 0);
    CU_ASSERT_TRUE(follower.snapshots > 0 && follower.snapshots < SNAPSHOTS);
    /* Of the 100 orders one or another may share its step with the one before. */
    double left_out = slow_actions("conflate");
    CU_ASSERT_TRUE(left_out > 50 && left_out <= 100);
    CU_ASSERT_EQUAL(slow_actions("close"), 0);
    order(&trader, "a", "buy", 999, 1);
    look(&newcomer);
    catch_up(&watcher, &follower, newcomer.sequence);
    CU_ASSERT_EQUAL(memcmp(follower.quantities, newcomer.quantities, sizeof follower.quantities),
                    0);
    ws_client_close(&watcher);
    ws_client_close(&trader);
    close_door();
}

/* How many clients were ended for being slow. */
static uint64_t slow_closed(void)
{
    const char *transport;
    uint64_t totals[MATCHING_CONNECTIONS_TOTALS];
    CU_ASSERT_TRUE_FATAL(matching_connections_totals(door.core, 0, &transport, totals));
    return totals[MATCHING_CONNECTIONS_SLOW_CLOSED];
}

static void test_who_would_lose_trades_is_ended(void)
{
    prepare();
    open_door();
    ws_client watcher, trader;
    connect_client(&watcher);
    connect_client(&trader);
    follow(&watcher, "trades", "");
    static const char buy[] =
        "{\"type\":\"limit_order\",\"trader_id\":\"buyer-with-a-long-name-of-32c\""
        ",\"side\":\"buy\",\"price\":1,\"quantity\":1}";
    static const char sell[] =
        "{\"type\":\"market_order\",\"trader_id\":\"seller-of-a-long-name-of-32ch\""
        ",\"side\":\"sell\",\"quantity\":1}";
    /* At most 60,000 trades, some 14 MB, of which it reads nothing; once it has been ended it has
     * half a minute to read why. */
    for (unsigned i = 0; i < 300 && slow_closed() == 0; i++) {
        for (unsigned k = 0; k < 200; k++) {
            ws_client_send(&trader, buy, sizeof buy - 1);
            ws_client_send(&trader, sell, sizeof sell - 1);
        }
        for (unsigned k = 0; k < 400; k++) {
            hear(&trader);
        }
    }
    uint64_t deadline_ns = matching_monotonic_ns() + DEADLINE_MS * UINT64_C(1000000);
    do { /* for a moment it may seem to be about to read */
        tell(&trader, "{\"type\":\"ping\"}");
        expect_begin(&trader, "{\"type\":\"pong\"");
    } while (slow_closed() == 0 && matching_monotonic_ns() < deadline_ns);
    expect_close(&watcher, 1008, "slow consumer");
    ws_client_close(&watcher);
    ws_client_close(&trader);
    close_door();
}

static void test_subscriptions_are_all_or_nothing(void)
{
    prepare();
    config.websocket.max_subscriptions_per_client = 4;
    open_door();
    ws_client client;
    connect_client(&client);
    tell(&client, "{\"type\":\"subscribe\",\"channels\":[\"trades\"]}"); /* three instruments */
    expect_begin(&client, "{\"type\":\"subscribed\",\"channels\":[\"trades\"]}");
    tell(&client, "{\"type\":\"subscribe\",\"channels\":[\"trades\",\"book\"]}");
    expect_begin(&client, "{\"type\":\"error\",\"code\":\"TOO_MANY_SUBSCRIPTIONS\"");
    tell(&client,
         "{\"type\":\"subscribe\",\"channels\":[\"book\"],\"symbols\":[\"BTCUSDT\",\"NONE\"]}");
    expect_begin(&client, "{\"type\":\"error\",\"code\":\"UNKNOWN_SYMBOL\"");
    tell(&client, "{\"type\":\"subscribe\",\"channels\":[\"trades\",\"trades\"],"
                  "\"symbols\":[\"BTCUSDT\",\"BTCUSDT\"]}");
    expect_begin(&client, "{\"type\":\"subscribed\",\"channels\":[\"trades\"]}");
    tell(&client, "{\"type\":\"unsubscribe\",\"channels\":[\"trades\"],\"symbols\":[\"ETHUSDT\"]}");
    expect_begin(&client, "{\"type\":\"unsubscribed\",\"channels\":[\"trades\"]}");
    tell(&client,
         "{\"type\":\"subscribe\",\"channels\":[\"book\"],\"symbols\":[\"BTCUSDT\",\"SOLUSDT\"]}");
    expect_begin(&client, "{\"type\":\"subscribed\",\"channels\":[\"trades\",\"book\"]}");
    expect_begin(&client, "{\"type\":\"book_update\"");
    expect_begin(&client, "{\"type\":\"book_update\"");
    ws_client_close(&client);
    close_door();
}

MATCHING_TESTS(MATCHING_TEST(test_book_at_once_and_when_it_changes),
               MATCHING_TEST(test_book_has_no_best_prices_while_it_is_crossed),
               MATCHING_TEST(test_orders_begin_with_a_snapshot),
               MATCHING_TEST(test_a_snapshot_of_thousands_has_all),
               MATCHING_TEST(test_subscribing_to_orders_again_loses_no_update),
               MATCHING_TEST(test_depth_updates_keep_a_copy_right),
               MATCHING_TEST(test_followers_of_depth_come_and_go),
               MATCHING_TEST(test_a_slow_follower_of_depth_ends_up_right),
               MATCHING_TEST(test_who_would_lose_trades_is_ended),
               MATCHING_TEST(test_subscriptions_are_all_or_nothing))
