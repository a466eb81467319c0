/* Tests of full books as a client of the HTTP door meets them: with small limits the order that is
 * one too many gets BOOK_FULL and all else goes on.
 */
#include "door_fixture.h"
#include "support/cunit_main.h"

static client one;

static void begin(uint64_t max_orders, uint64_t max_levels, uint64_t max_traders)
{
    prepare();
    core_options.shards = 1; /* order ids are 1, 2, 3, ... */
    core_options.max_orders = max_orders;
    core_options.max_levels = max_levels;
    core_options.max_traders = max_traders;
    open_door();
    connect_or_fail(&one);
}

static void end(void)
{
    client_close(&one);
    close_door();
}

/* Asks and asserts what came. */
static void ask(const char *method, const char *target, const char *json, unsigned status,
                const char *in_body)
{
    unsigned got = client_ask(&one, &answer, method, target, json);
    bool right = got == status && client_answer_has(&answer, NULL, in_body);
    if (!right) {
        printf("\n    %s %s: wanted %u %s, got %u %s", method, target, status, in_body, got,
               answer.body);
    }
    CU_ASSERT_TRUE(right);
}

static void post(const char *json, unsigned status, const char *in_body)
{
    ask("POST", "/api/orders", json, status, in_body);
}

static void test_full_of_orders(void)
{
    begin(2, 0, 8);
    post(ORDER("sell", "101"), 200, "\"order_id\":1,");
    post(ORDER("buy", "99"), 200, "\"order_id\":2,");
    post(ORDER("buy", "98"), 409, "\"code\":\"BOOK_FULL\"");
    post("{\"trader_id\":\"t\",\"side\":\"buy\",\"type\":\"stop\",\"stop_price\":120,"
         "\"quantity\":1}",
         409, "\"code\":\"BOOK_FULL\"");
    /* all else goes on */
    ask("GET", "/api/orders/1", NULL, 200, "\"status\":\"open\"");
    ask("GET", "/api/orders?trader_id=t", NULL, 200, "\"order_id\":2,");
    ask("GET", "/api/market/depth", NULL, 200, "[[99,1,1]]");
    ask("PATCH", "/api/orders/2", "{\"price\":97}", 200, "\"status\":\"open\"");
    post("{\"trader_id\":\"t\",\"side\":\"buy\",\"type\":\"market\",\"quantity\":0.5}", 200,
         "\"order_id\":3,");
    ask("DELETE", "/api/orders/9", NULL, 404, "ORDER_NOT_FOUND");
    post(ORDER("buy", "98"), 409, "BOOK_FULL");
    ask("DELETE", "/api/orders/1", NULL, 200, "\"status\":\"cancelled\"");
    post(ORDER("buy", "98"), 200, "\"order_id\":4,"); /* the refused ones used no order id */
    post(ORDER("buy", "98"), 409, "BOOK_FULL");
    ask("DELETE", "/api/orders?trader_id=t", NULL, 200, "[2,4]");
    post(ORDER("buy", "98"), 200, "\"order_id\":5,");
    end();
}

static void test_full_of_levels(void)
{
    begin(64, 2, 8);
    post(ORDER("sell", "101"), 200, "\"order_id\":1,");
    post(ORDER("buy", "99"), 200, "\"order_id\":2,");
    post(ORDER("buy", "98"), 409, "BOOK_FULL");
    post(ORDER("buy", "99"), 200, "\"order_id\":3,");
    ask("PATCH", "/api/orders/3", "{\"price\":97}", 409, "BOOK_FULL");
    ask("PATCH", "/api/orders/3", "{\"quantity\":3}", 200, "\"remaining_quantity\":3");
    ask("PATCH", "/api/orders/1", "{\"price\":102}", 200, "\"status\":\"open\"");
    ask("GET", "/api/market/depth", NULL, 200, "[[99,4,2]]");
    ask("DELETE", "/api/orders/1", NULL, 200, "cancelled");
    ask("PATCH", "/api/orders/3", "{\"price\":97}", 200, "\"status\":\"open\"");
    post(ORDER("buy", "98"), 409, "BOOK_FULL");
    ask("DELETE", "/api/orders/3", NULL, 200, "cancelled");
    post(ORDER("buy", "98"), 200, "\"order_id\":4,");
    end();
}

static void test_full_of_traders(void)
{
    begin(64, 0, 1);
    post(ORDER("sell", "101"), 200, "\"order_id\":1,");
    post("{\"trader_id\":\"u\",\"side\":\"buy\",\"price\":99,\"quantity\":1}", 409, "BOOK_FULL");
    post("{\"trader_id\":\"u\",\"side\":\"buy\",\"type\":\"market\",\"quantity\":1}", 409,
         "BOOK_FULL");
    ask("GET", "/api/orders?trader_id=u", NULL, 200, "\"orders\":[]");
    ask("DELETE", "/api/orders?trader_id=u", NULL, 200, "[]");
    post(ORDER("buy", "99"), 200, "\"order_id\":2,");
    ask("DELETE", "/api/orders?trader_id=t", NULL, 200, "[1,2]");
    end();
}

MATCHING_TESTS(MATCHING_TEST(test_full_of_orders), MATCHING_TEST(test_full_of_levels),
               MATCHING_TEST(test_full_of_traders))
