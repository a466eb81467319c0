/* Tests of the WebSocket door before a shard whose journal has failed: nobody is left waiting, and
 * the instruments of the other shard go on.
 */
#include "door_fixture.h"
#include "support/journal_double.h"

#define ORDER(symbol)                                                                              \
    "{\"type\":\"limit_order\",\"trader_id\":\"t\",\"side\":\"buy\",\"price\":100,"                \
    "\"quantity\":1,\"symbol\":\"" symbol "\"}"
#define SUBSCRIBE(channels, symbols)                                                               \
    "{\"type\":\"subscribe\",\"channels\":[" channels "],\"symbols\":[" symbols "]}"

static const char HEALTH[] = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";

static unsigned shard_of(const char *symbol)
{
    const matching_instrument *found =
        matching_core_find_instrument(door.core, symbol, strlen(symbol));
    CU_ASSERT_PTR_NOT_NULL_FATAL(found);
    return found->shard;
}

static void begin(void)
{
    journal_double_reset();
    prepare();
    open_door();
    CU_ASSERT_NOT_EQUAL_FATAL(shard_of("BTCUSDT"), shard_of("ETHUSDT"));
}

static void fail_btcusdt(void)
{
    journal_double_fail(shard_of("BTCUSDT"), "no space");
}

static void test_health(void)
{
    char body[256];
    begin();
    CU_ASSERT_EQUAL(http_body(HEALTH, body, sizeof body), 200);
    CU_ASSERT_STRING_EQUAL(body,
                           "{\"status\":\"healthy\",\"service\":\"websocket-matching-service\","
                           "\"protocol\":\"ws\"}");
    journal_double_fail(1, "no space");
    CU_ASSERT_EQUAL(http_body(HEALTH, body, sizeof body), 503);
    CU_ASSERT_STRING_EQUAL(
        body, "{\"status\":\"failing\",\"service\":\"websocket-matching-service\","
              "\"protocol\":\"ws\",\"shards\":[{\"shard\":1,\"failed\":\"no space\"}]}");
    /* one that asks for an upgrade which is not offered gets the same */
    CU_ASSERT_EQUAL(http_body("GET /health HTTP/1.1\r\nHost: localhost\r\nUpgrade: h2c\r\n"
                              "Connection: Upgrade\r\n\r\n",
                              body, sizeof body),
                    503);
    CU_ASSERT_PTR_NOT_NULL(strstr(body, "\"no space\""));
    close_door();
}

static void test_its_instruments_are_refused_and_the_others_go_on(void)
{
    begin();
    ws_client client;
    connect_client(&client);
    tell(&client, ORDER("BTCUSDT"));
    expect_begin(&client, "{\"type\":\"order_ack\"");
    fail_btcusdt();
    tell(&client, ORDER("BTCUSDT"));
    expect_begin(&client,
                 "{\"type\":\"error\",\"code\":\"INTERNAL_ERROR\",\"message\":\"the journal "
                 "failed: what became of this is known only after a restart\"}");
    tell(&client, ORDER("ETHUSDT"));
    expect_begin(&client, "{\"type\":\"order_ack\"");
    ws_client_close(&client);
    close_door();
}

/* A ticker is read from the shard for each change and each new follower. */
static void test_who_follows_a_ticker_is_told(void)
{
    begin();
    ws_client client;
    connect_client(&client);
    fail_btcusdt();
    tell(&client, SUBSCRIBE("\"ticker\"", "\"BTCUSDT\",\"ETHUSDT\""));
    expect_begin(&client, "{\"type\":\"subscribed\"");
    bool told = false, other = false;
    for (unsigned i = 0; i < 2; i++) {
        const char *text = hear(&client);
        told =
            told || strcmp(text, "{\"type\":\"error\",\"code\":\"INTERNAL_ERROR\",\"message\":\"no "
                                 "ticker of BTCUSDT: its journal failed, nothing comes of it "
                                 "before a restart\",\"field\":\"channels\"}") == 0;
        other = other || strncmp(text, "{\"type\":\"ticker\",\"symbol\":\"ETHUSDT\"", 34) == 0;
    }
    CU_ASSERT_TRUE(told && other);
    /* again, now that the door knows */
    tell(&client, SUBSCRIBE("\"ticker\"", "\"BTCUSDT\""));
    expect_begin(&client, "{\"type\":\"subscribed\"");
    expect_begin(&client,
                 "{\"type\":\"error\",\"code\":\"INTERNAL_ERROR\",\"message\":\"no ticker");
    tell(&client, ORDER("ETHUSDT"));
    expect_begin(&client, "{\"type\":\"order_ack\"");
    expect_begin(&client, "{\"type\":\"ticker\",\"symbol\":\"ETHUSDT\"");
    ws_client_close(&client);
    close_door();
}

/* Candles come by themselves: nothing has to be read that would show the failure. */
static void test_who_follows_candles_is_told(void)
{
    begin();
    ws_client client;
    connect_client(&client);
    fail_btcusdt();
    tell(&client, SUBSCRIBE("\"kline:m1\"", "\"BTCUSDT\",\"ETHUSDT\""));
    expect_begin(&client, "{\"type\":\"subscribed\"");
    expect_begin(&client, "{\"type\":\"error\",\"code\":\"INTERNAL_ERROR\",\"message\":\"no "
                          "kline:m1 of BTCUSDT: its journal failed, nothing comes of it before a "
                          "restart\",\"field\":\"channels\"}");
    tell(&client, "{\"type\":\"ping\"}");
    expect_begin(&client, "{\"type\":\"pong\"");
    ws_client_close(&client);
    close_door();
}

/* The views are read when the door opens. */
static void test_a_book_that_was_never_read_is_told_of_too(void)
{
    journal_double_reset();
    prepare();
    for (unsigned shard = 0; shard < 2; shard++) {
        journal_double_fail(shard, "no space");
    }
    open_door();
    ws_client client;
    connect_client(&client);
    tell(&client, SUBSCRIBE("\"book\",\"depth\"", "\"BTCUSDT\""));
    expect_begin(&client, "{\"type\":\"subscribed\"");
    expect_begin(&client,
                 "{\"type\":\"error\",\"code\":\"INTERNAL_ERROR\",\"message\":\"no book of");
    expect_begin(&client,
                 "{\"type\":\"error\",\"code\":\"INTERNAL_ERROR\",\"message\":\"no depth of");
    tell(&client, "{\"type\":\"ping\"}");
    expect_begin(&client, "{\"type\":\"pong\"");
    ws_client_close(&client);
    close_door();
}

/* What was safe before the failure stays true; there is just nothing new. */
static void test_a_book_that_was_read_is_still_shown(void)
{
    begin();
    ws_client client;
    connect_client(&client);
    tell(&client, SUBSCRIBE("\"book\"", "\"BTCUSDT\""));
    expect_begin(&client, "{\"type\":\"subscribed\"");
    expect_begin(&client, "{\"type\":\"book_update\",\"symbol\":\"BTCUSDT\",\"best_bid\":null");
    tell(&client, ORDER("BTCUSDT"));
    expect_begin(&client, "{\"type\":\"order_ack\"");
    expect_begin(&client, "{\"type\":\"book_update\",\"symbol\":\"BTCUSDT\",\"best_bid\":100");
    fail_btcusdt();
    tell(&client, ORDER("BTCUSDT"));
    expect_begin(&client, "{\"type\":\"error\",\"code\":\"INTERNAL_ERROR\"");
    tell(&client, SUBSCRIBE("\"depth\"", "\"BTCUSDT\""));
    expect_begin(&client, "{\"type\":\"subscribed\"");
    expect_begin(&client, "{\"type\":\"depth_snapshot\",\"symbol\":\"BTCUSDT\",\"sequence\":1,"
                          "\"bids\":[[100,1]],\"asks\":[]}");
    ws_client_close(&client);
    close_door();
}

static void test_a_snapshot_of_orders_says_that_it_is_not_all(void)
{
    begin();
    ws_client client;
    connect_client(&client);
    tell(&client, ORDER("BTCUSDT"));
    expect_begin(&client, "{\"type\":\"order_ack\"");
    tell(&client, ORDER("ETHUSDT"));
    expect_begin(&client, "{\"type\":\"order_ack\"");
    fail_btcusdt();
    tell(&client, "{\"type\":\"subscribe\",\"channels\":[\"orders\"],\"trader_id\":\"t\"}");
    expect_begin(&client, "{\"type\":\"subscribed\"");
    const char *text = hear(&client);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"symbol\":\"ETHUSDT\""));
    CU_ASSERT_PTR_NULL(strstr(text, "\"symbol\":\"BTCUSDT\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"orders_truncated\":true}"));
    ws_client_close(&client);
    close_door();
}

/* The cancels that are owed fail too, and the door stops all the same. */
static void test_a_guarded_connection_may_end(void)
{
    begin();
    ws_client client, other;
    connect_client(&client);
    tell(&client, "{\"type\":\"cancel_on_disconnect\",\"enabled\":true}");
    hear(&client);
    tell(&client, ORDER("BTCUSDT"));
    expect_begin(&client, "{\"type\":\"order_ack\"");
    fail_btcusdt();
    ws_client_close(&client);
    connect_client(&other);
    tell(&other, ORDER("ETHUSDT"));
    expect_begin(&other, "{\"type\":\"order_ack\"");
    ws_client_close(&other);
    close_door();
}

MATCHING_TESTS(MATCHING_TEST(test_health),
               MATCHING_TEST(test_its_instruments_are_refused_and_the_others_go_on),
               MATCHING_TEST(test_who_follows_a_ticker_is_told),
               MATCHING_TEST(test_who_follows_candles_is_told),
               MATCHING_TEST(test_a_book_that_was_never_read_is_told_of_too),
               MATCHING_TEST(test_a_book_that_was_read_is_still_shown),
               MATCHING_TEST(test_a_snapshot_of_orders_says_that_it_is_not_all),
               MATCHING_TEST(test_a_guarded_connection_may_end))
