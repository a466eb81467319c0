/* Tests of the HTTP door before a shard whose journal has failed: what clients and monitoring are
 * told, and that instruments of the other shard go on.
 */
#include "door_fixture.h"
#include "support/cunit_main.h"
#include "support/journal_double.h"

static client one;

static unsigned shard_of(const char *symbol)
{
    const matching_instrument *found =
        matching_core_find_instrument(door.core, symbol, strlen(symbol));
    CU_ASSERT_PTR_NOT_NULL_FATAL(found);
    return found->shard;
}

static unsigned order(const char *symbol)
{
    char json[160];
    snprintf(json, sizeof json,
             "{\"symbol\":\"%s\",\"trader_id\":\"t\",\"side\":\"buy\",\"price\":100,"
             "\"quantity\":1}",
             symbol);
    return client_ask(&one, &answer, "POST", "/api/orders", json);
}

static void begin(void)
{
    journal_double_reset();
    prepare();
    open_door();
    CU_ASSERT_NOT_EQUAL_FATAL(shard_of("BTCUSDT"), shard_of("ETHUSDT"));
    connect_or_fail(&one);
}

static void end(void)
{
    client_close(&one);
    close_door();
}

static void test_health_says_which_shard_and_why(void)
{
    begin();
    CU_ASSERT_EQUAL(client_ask(&one, &answer, "GET", "/health", NULL), 200);
    CU_ASSERT(client_answer_has(&answer, NULL, "{\"status\":\"healthy\","));
    CU_ASSERT_PTR_NULL(strstr(answer.body, "shards"));
    journal_double_fail(1, "no space");
    CU_ASSERT_EQUAL(client_ask(&one, &answer, "GET", "/health", NULL), 503);
    CU_ASSERT(client_answer_has(&answer, "Content-Type: application/json\r\n",
                                "{\"status\":\"failing\",\"service\":\"matching-service\","));
    CU_ASSERT(
        client_answer_has(&answer, NULL, ",\"shards\":[{\"shard\":1,\"failed\":\"no space\"}]}"));
    CU_ASSERT_PTR_NULL(strstr(answer.head, "Retry-After")); /* a restart is needed */
    CU_ASSERT(client_send_text(&one, "HEAD /health HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    CU_ASSERT_TRUE(client_read(&one, &answer, true));
    CU_ASSERT_EQUAL(answer.status, 503);
    CU_ASSERT_EQUAL(client_ask(&one, &answer, "GET", "/api/time", NULL), 200);
    end();
}

static void test_its_instruments_are_refused_and_the_others_go_on(void)
{
    begin();
    CU_ASSERT_EQUAL(order("BTCUSDT"), 200);
    journal_double_fail(shard_of("BTCUSDT"), "no space");
    CU_ASSERT_EQUAL(order("BTCUSDT"), 503);
    CU_ASSERT(client_answer_has(&answer, NULL, "\"code\":\"INTERNAL_ERROR\""));
    CU_ASSERT(client_answer_has(&answer, NULL, "known only after a restart"));
    CU_ASSERT_PTR_NULL(strstr(answer.head, "Retry-After")); /* it may have been done */
    CU_ASSERT_EQUAL(client_ask(&one, &answer, "GET", "/api/market/depth?symbol=BTCUSDT", NULL),
                    503);
    CU_ASSERT_EQUAL(order("ETHUSDT"), 200);
    CU_ASSERT(client_answer_has(&answer, NULL, "\"status\":\"open\""));
    end();
}

/* What another instrument stands in the way of is a conflict; this is not. */
static void test_adding_an_instrument_is_no_conflict(void)
{
    begin();
    journal_double_fail(0, "no space");
    journal_double_fail(1, "no space");
    CU_ASSERT_EQUAL(client_ask(&one, &answer, "POST", "/api/symbols",
                               "{\"symbol\":\"NEW\",\"tick_size\":1,\"lot_size\":1}"),
                    503);
    CU_ASSERT(client_answer_has(&answer, NULL, "\"code\":\"INTERNAL_ERROR\""));
    CU_ASSERT(client_answer_has(&answer, NULL, "known only after a restart"));
    end();
}

MATCHING_TESTS(MATCHING_TEST(test_health_says_which_shard_and_why),
               MATCHING_TEST(test_its_instruments_are_refused_and_the_others_go_on),
               MATCHING_TEST(test_adding_an_instrument_is_no_conflict))
