/* Tests that orders which are to end with their connection are marked for the engine, so that they
 * end too if the service dies. That they end with the connection is tested in door_test.c.
 */
#include "door_fixture.h"
#include "support/journal_double.h"

#define LIMIT                                                                                      \
    "{\"type\":\"limit_order\",\"trader_id\":\"t\",\"side\":\"buy\",\"price\":100,\"quantity\":1}"
#define POST_ONLY                                                                                  \
    "{\"type\":\"limit_order\",\"trader_id\":\"t\",\"side\":\"buy\",\"price\":90,\"quantity\":1,"  \
    "\"post_only\":true}"
#define ICEBERG                                                                                    \
    "{\"type\":\"limit_order\",\"trader_id\":\"t\",\"side\":\"buy\",\"price\":80,\"quantity\":9,"  \
    "\"display_quantity\":1}"
#define MARKET "{\"type\":\"market_order\",\"trader_id\":\"t\",\"side\":\"sell\",\"quantity\":1}"
#define STOP                                                                                       \
    "{\"type\":\"stop_order\",\"trader_id\":\"t\",\"side\":\"buy\",\"stop_price\":900,"            \
    "\"quantity\":1}"
#define STOP_LIMIT                                                                                 \
    "{\"type\":\"stop_order\",\"trader_id\":\"t\",\"side\":\"buy\",\"stop_price\":900,"            \
    "\"quantity\":1,"                                                                              \
    "\"price\":901}"

static ws_client client;

static void begin(void)
{
    journal_double_reset();
    prepare();
    open_door();
    connect_client(&client);
}

static void end(void)
{
    ws_client_close(&client);
    close_door();
}

static bool is_marked(const char *order)
{
    tell(&client, "%s", order);
    expect_begin(&client, "{\"type\":\"order_ack\"");
    return (journal_double_place_flags() & MATCHING_FLAG_GUARDED) != 0;
}

static void set_guarded(bool enabled)
{
    tell(&client, "{\"type\":\"cancel_on_disconnect\",\"enabled\":%s}", enabled ? "true" : "false");
    expect_begin(&client, "{\"type\":\"cancel_on_disconnect\"");
}

static void test_orders_of_every_type_are_marked(void)
{
    static const char *const orders[] = {LIMIT, POST_ONLY, ICEBERG, MARKET, STOP, STOP_LIMIT};
    begin();
    set_guarded(true);
    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
        CU_ASSERT_TRUE(is_marked(orders[i]));
    }
    end();
}

static void test_only_those_entered_meanwhile_are_marked(void)
{
    begin();
    CU_ASSERT_FALSE(is_marked(LIMIT));
    set_guarded(true);
    CU_ASSERT_TRUE(is_marked(LIMIT));
    set_guarded(false);
    CU_ASSERT_FALSE(is_marked(LIMIT));
    end();
}

/* A connection's wish is its own. */
static void test_other_connections_are_not_marked(void)
{
    begin();
    ws_client other;
    connect_client(&other);
    set_guarded(true);
    tell(&other, LIMIT);
    expect_begin(&other, "{\"type\":\"order_ack\"");
    CU_ASSERT_EQUAL(journal_double_place_flags() & MATCHING_FLAG_GUARDED, 0);
    ws_client_close(&other);
    end();
}

/* The other flags are as they were. */
static void test_post_only_still_counts(void)
{
    begin();
    set_guarded(true);
    CU_ASSERT_TRUE(is_marked(POST_ONLY));
    CU_ASSERT_TRUE((journal_double_place_flags() & MATCHING_FLAG_POST_ONLY) != 0);
    end();
}

MATCHING_TESTS(MATCHING_TEST(test_orders_of_every_type_are_marked),
               MATCHING_TEST(test_only_those_entered_meanwhile_are_marked),
               MATCHING_TEST(test_other_connections_are_not_marked),
               MATCHING_TEST(test_post_only_still_counts))
