/* Tests of the HTTP door through real sockets: calls, framing, who gets in. The rules of matching
 * are not its subject.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "door_fixture.h"
#include "support/cunit_main.h"

static void test_orders_are_entered_read_amended_and_cancelled(void)
{
    static client one;
    prepare();
    open_door();
    connect_or_fail(&one);
    CU_ASSERT_EQUAL(client_ask(&one, &answer, "POST", "/api/orders", ORDER("sell", "100")), 200);
    CU_ASSERT(
        client_answer_has(&answer, "Content-Type: application/json\r\n", "\"status\":\"open\""));
    unsigned long id = strtoul(strstr(answer.body, "\"order_id\":") + 11, NULL, 10);
    char path[64];
    snprintf(path, sizeof path, "/api/orders/%lu", id);
    CU_ASSERT_EQUAL(client_ask(&one, &answer, "POST", "/api/orders", ORDER("buy", "100.5")), 200);
    CU_ASSERT(client_answer_has(&answer, NULL, "\"status\":\"filled\""));
    CU_ASSERT(client_answer_has(&answer, NULL, "\"trades\":[{\"trade_id\":1,"));
    CU_ASSERT_EQUAL(client_ask(&one, &answer, "GET", path, NULL), 200);
    CU_ASSERT(client_answer_has(&answer, NULL, "\"status\":\"filled\""));
    CU_ASSERT_EQUAL(client_ask(&one, &answer, "DELETE", path, NULL), 404);
    CU_ASSERT(client_answer_has(&answer, NULL, "\"code\":\"ORDER_NOT_FOUND\""));
    CU_ASSERT_EQUAL(client_ask(&one, &answer, "POST", "/api/orders", ORDER("sell", "200")), 200);
    id = strtoul(strstr(answer.body, "\"order_id\":") + 11, NULL, 10);
    snprintf(path, sizeof path, "/api/orders/%lu", id);
    CU_ASSERT_EQUAL(client_ask(&one, &answer, "PATCH", path, "{\"quantity\":\"0.5\"}"), 200);
    CU_ASSERT(client_answer_has(&answer, NULL, "\"remaining_quantity\":0.5"));
    CU_ASSERT_EQUAL(client_ask(&one, &answer, "GET", "/api/market/depth", NULL), 200);
    CU_ASSERT(
        client_answer_has(&answer, NULL, "\"best_bid\":null,\"best_ask\":200,\"spread\":null"));
    CU_ASSERT(client_answer_has(&answer, NULL, "\"asks\":[[200,0.5,1]]"));
    CU_ASSERT_EQUAL(client_ask(&one, &answer, "GET", "/api/market/trades?limit=5", NULL), 200);
    CU_ASSERT(client_answer_has(&answer, NULL, "{\"trades\":[{\"trade_id\":1,"));
    CU_ASSERT_EQUAL(client_ask(&one, &answer, "GET", "/api/orders?trader_id=t&status=open", NULL),
                    200);
    CU_ASSERT(client_answer_has(&answer, NULL, "{\"orders\":[{\"order_id\":"));
    CU_ASSERT_EQUAL(client_ask(&one, &answer, "DELETE", path, NULL), 200);
    CU_ASSERT(client_answer_has(&answer, NULL, "{\"success\":true,"));
    CU_ASSERT_EQUAL(client_ask(&one, &answer, "DELETE", "/api/orders?trader_id=t", NULL), 200);
    CU_ASSERT_STRING_EQUAL(answer.body, "{\"order_ids\":[]}");
    CU_ASSERT_EQUAL(client_ask(&one, &answer, "DELETE", "/api/orders", NULL), 400);
    CU_ASSERT(
        client_answer_has(&answer, NULL, "\"code\":\"MISSING_FIELD\",\"field\":\"trader_id\""));
    client_close(&one);
    close_door();
}

static void test_bad_input_does_not_end_a_connection(void)
{
    static const struct {
        const char *json, *code;
        unsigned status;
    } cases[] = {
        {"", "INVALID_JSON", 400},
        {"{", "INVALID_JSON", 400},
        {"{\"price\":NaN}", "INVALID_JSON", 400},
        {"{\"trader_id\":\"\xff\"}", "INVALID_JSON", 400},
        {"[]", "INVALID_MESSAGE", 400},
        {"{\"trader_id\":5,\"side\":\"buy\",\"price\":1,\"quantity\":1}", "INVALID_MESSAGE", 400},
        {"{\"side\":\"buy\",\"price\":1,\"quantity\":1}", "MISSING_FIELD", 400},
        {"{\"trader_id\":\"t\",\"side\":\"up\",\"price\":1,\"quantity\":1}", "INVALID_SIDE", 400},
        {"{\"trader_id\":\"t\",\"side\":\"buy\",\"price\":1e400,\"quantity\":1}", "INVALID_PRICE",
         400},
        {"{\"trader_id\":\"t\",\"side\":\"buy\",\"price\":9223372036854775808,\"quantity\":1}",
         "INVALID_PRICE", 400},
        {"{\"trader_id\":\"t\",\"side\":\"buy\",\"price\":1,\"quantity\":-1}", "INVALID_QUANTITY",
         400},
        {"{\"trader_id\":\"a\\u0000\",\"side\":\"buy\",\"price\":1,\"quantity\":1}",
         "INVALID_TRADER", 400},
        {"{\"trader_id\":\"t\",\"side\":\"buy\",\"price\":1,\"quantity\":1,\"symbol\":\"NOPE\"}",
         "UNKNOWN_SYMBOL", 404},
    };
    static client one;
    prepare();
    open_door();
    connect_or_fail(&one);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CU_ASSERT_EQUAL(client_ask(&one, &answer, "POST", "/api/orders", cases[i].json),
                        cases[i].status);
        CU_ASSERT(client_answer_has(&answer, NULL, cases[i].code));
    }
    CU_ASSERT_EQUAL(client_ask(&one, &answer, "GET", "/nope", NULL), 404);
    CU_ASSERT_EQUAL(client_ask(&one, &answer, "PUT", "/api/orders", "{}"), 405);
    CU_ASSERT(client_answer_has(&answer, "Allow: GET, HEAD, POST, DELETE, OPTIONS\r\n", NULL));
    CU_ASSERT_EQUAL(client_ask(&one, &answer, "GET", "/api/orders/x", NULL), 400);
    client_send_text(&one, "POST /api/orders HTTP/1.1\r\nHost: localhost\r\n"
                           "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}");
    CU_ASSERT_TRUE(client_read(&one, &answer, false));
    CU_ASSERT_EQUAL(answer.status, 415);
    CU_ASSERT_TRUE(is_alive(&one));
    CU_ASSERT_EQUAL(client_ask(&one, &answer, "GET", "/api/orders", NULL), 200);
    CU_ASSERT_STRING_EQUAL(answer.body, "{\"orders\":[]}");
    client_close(&one);
    close_door();
}

static void test_pipelined_requests_are_answered_in_order(void)
{
    enum { COUNT = 200 };
    static client one;
    static char text[COUNT * 256];
    prepare();
    open_door();
    connect_or_fail(&one);
    size_t length = 0;
    for (int i = 0; i < COUNT; i++) {
        char json[128];
        int size = snprintf(json, sizeof json,
                            "{\"trader_id\":\"t\",\"side\":\"buy\",\"price\":%d,\"quantity\":1,"
                            "\"client_order_id\":\"%d\"}",
                            i + 1, i);
        length += (size_t)snprintf(text + length, sizeof text - length,
                                   "POST /api/orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                                   "application/json\r\nContent-Length: %d\r\n\r\n%s",
                                   size, json);
    }
    CU_ASSERT_TRUE_FATAL(client_send(&one, text, length));
    for (int i = 0; i < COUNT; i++) {
        char wanted[64];
        snprintf(wanted, sizeof wanted, "\"client_order_id\":\"%d\"", i);
        CU_ASSERT_TRUE_FATAL(client_read(&one, &answer, false));
        CU_ASSERT_EQUAL(answer.status, 200);
        CU_ASSERT(client_answer_has(&answer, NULL, wanted));
    }
    CU_ASSERT_TRUE(is_alive(&one));
    client_close(&one);
    close_door();
}

static void test_a_request_may_come_byte_by_byte(void)
{
    static const char text[] =
        "POST /api/orders HTTP/1.1\r\nHost: localhost\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        "1f\r\n{\"trader_id\":\"t\",\"side\":\"sell\",\r\n"
        "19\r\n\"price\":7,\"quantity\":1.5}\r\n0\r\n\r\n";
    static client one;
    prepare();
    open_door();
    connect_or_fail(&one);
    for (size_t i = 0; i < sizeof text - 1; i++)
        CU_ASSERT_TRUE_FATAL(client_send(&one, text + i, 1));
    CU_ASSERT_TRUE(client_read(&one, &answer, false));
    CU_ASSERT_EQUAL(answer.status, 200);
    CU_ASSERT(client_answer_has(&answer, NULL, "\"remaining_quantity\":1.5"));
    CU_ASSERT_TRUE(is_alive(&one));
    client_close(&one);
    close_door();
}

static void test_head_has_the_headers_of_get(void)
{
    static client one;
    static client_answer head;
    prepare();
    open_door();
    connect_or_fail(&one);
    CU_ASSERT_EQUAL(client_ask(&one, &answer, "GET", "/api/symbols", NULL), 200);
    CU_ASSERT_EQUAL(client_ask(&one, &head, "HEAD", "/api/symbols", NULL), 200);
    char wanted[64];
    snprintf(wanted, sizeof wanted, "Content-Length: %zu\r\n", strlen(answer.body));
    CU_ASSERT(client_answer_has(&head, wanted, NULL));
    CU_ASSERT_EQUAL(client_ask(&one, &head, "HEAD", "/api/market/depth", NULL), 200);
    CU_ASSERT_EQUAL(client_ask(&one, &head, "HEAD", "/nope", NULL), 404);
    CU_ASSERT_TRUE(is_alive(&one));
    client_close(&one);
    close_door();
}

static void test_ambiguous_requests_are_refused_and_the_connection_ends(void)
{
    static const char *const heads[] = {
        "GET /health HTTP/1.1\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: localhost\r\nOrigin: http://a\r\nOrigin: "
        "http://localhost\r\n\r\n",
        POST_HEAD "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        POST_HEAD "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        POST_HEAD "Transfer-Encoding: gzip, chunked\r\n\r\n",
        POST_HEAD "Transfer-Encoding: identity\r\n\r\n{}",
    };
    static client one;
    prepare();
    open_door();
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        connect_or_fail(&one);
        CU_ASSERT_TRUE(client_send_text(&one, heads[i]));
        CU_ASSERT_TRUE(client_read(&one, &answer, false));
        if (answer.status != 400)
            printf("\n    %u for %s\n", answer.status, heads[i]);
        CU_ASSERT_EQUAL(answer.status, 400);
        CU_ASSERT(client_answer_has(&answer, NULL, "INVALID_MESSAGE"));
        CU_ASSERT_TRUE(client_sees_end(&one));
        client_close(&one);
    }
    connect_or_fail(&one);
    CU_ASSERT_TRUE(client_send_text(&one, "GET /health HTTP/1.0\r\n\r\n"));
    CU_ASSERT_TRUE(client_read(&one, &answer, false));
    CU_ASSERT_EQUAL(answer.status, 200);
    client_close(&one);
    close_door();
}

static void test_foreign_pages_are_kept_out(void)
{
    static const struct {
        const char *head;
        unsigned status;
        const char *allowed; /* the origin that the answer names; NULL: none */
    } cases[] = {
        {"GET /api/orders HTTP/1.1\r\nHost: localhost\r\n", 200, NULL},
        {"GET /api/orders HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost:3000\r\n", 200,
         "http://localhost:3000"},
        {"GET /api/orders HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nOrigin: http://[::1]\r\n", 200,
         "http://[::1]"},
        {"GET /api/orders HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\n", 403,
         "https://evil.example"},
        {"GET /api/market/depth HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\n",
         200, "https://evil.example"},
        {"GET /health HTTP/1.1\r\nHost: evil.example\r\n", 403, NULL},
        {"GET http://evil.example/health HTTP/1.1\r\nHost: localhost\r\n", 403, NULL},
        {"GET /health HTTP/1.1\r\nHost:\r\n", 403, NULL},
        {"DELETE /api/orders?trader_id=t HTTP/1.1\r\nHost: localhost\r\nOrigin: null\r\n", 403,
         "null"},
        {"OPTIONS /api/orders HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\n", 403,
         "https://evil.example"},
        {"OPTIONS /api/orders HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n"
         "Access-Control-Request-Method: POST\r\n",
         204, "http://localhost"},
    };
    static client one;
    prepare();
    open_door();
    connect_or_fail(&one);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char allowed[100] = "Access-Control-Allow-Origin:";
        CU_ASSERT_TRUE(client_send_text(&one, cases[i].head));
        CU_ASSERT_TRUE(client_send_text(&one, "\r\n"));
        CU_ASSERT_TRUE(client_read(&one, &answer, false));
        CU_ASSERT_EQUAL(answer.status, cases[i].status);
        if (cases[i].status == 403)
            CU_ASSERT(client_answer_has(&answer, NULL, "UNAUTHORIZED"));
        if (cases[i].allowed != NULL) {
            snprintf(allowed, sizeof allowed, "Access-Control-Allow-Origin: %s\r\n",
                     cases[i].allowed);
            CU_ASSERT(client_answer_has(&answer, allowed, NULL));
            CU_ASSERT(client_answer_has(&answer, "Vary: Origin\r\n", NULL));
        } else {
            CU_ASSERT_PTR_NULL(strstr(answer.head, allowed));
        }
    }
    CU_ASSERT(client_answer_has(
        &answer, "Access-Control-Allow-Methods: GET, HEAD, POST, DELETE, OPTIONS\r\n", NULL));
    CU_ASSERT(client_answer_has(&answer,
                                "Access-Control-Allow-Headers: Content-Type, Authorization", NULL));
    client_close(&one);
    close_door();
}

static void test_no_cors_header_where_it_is_switched_off(void)
{
    static client one;
    prepare();
    config.http.cors.enabled = false;
    open_door();
    connect_or_fail(&one);
    CU_ASSERT_TRUE(client_send_text(
        &one, "GET /health HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n\r\n"));
    CU_ASSERT_TRUE(client_read(&one, &answer, false));
    CU_ASSERT_EQUAL(answer.status, 200);
    CU_ASSERT_PTR_NULL(strstr(answer.head, "Access-Control"));
    client_close(&one);
    close_door();
}

static void test_instruments_are_added_up_to_the_limit(void)
{
    static client one;
    prepare();
    open_door();
    connect_or_fail(&one);
    static const struct {
        const char *body;
        unsigned status;
        const char *told;
    } turns[] = {
        {"{\"symbol\":\"ETHUSDT\",\"tick_size\":1,\"lot_size\":1}", 409,
         "{\"error\":\"an instrument of this name exists already\","
         "\"code\":\"INVALID_PARAMETER\",\"field\":\"symbol\"}"},
        {"{\"symbol\":\"NEW\",\"tick_size\":1,\"lot_size\":1,\"id\":2}", 409, "\"field\":\"id\"}"},
        {"{\"symbol\":\"new\",\"tick_size\":1,\"lot_size\":1}", 400, "\"field\":\"symbol\"}"},
        {"{\"symbol\":\"NEW\",\"tick_size\":0.25,\"lot_size\":2}", 200,
         "{\"symbol\":\"NEW\",\"id\":3,\"tick_size\":0.25,\"lot_size\":2,\"timestamp\":1"},
        {"{\"symbol\":\"MORE\",\"tick_size\":1,\"lot_size\":1}", 409, "\"code\":\"BOOK_FULL\"}"},
        {"{\"symbol\":\"NEW\",\"tick_size\":1,\"lot_size\":1}", 409, "\"field\":\"symbol\"}"},
    };
    for (size_t i = 0; i < sizeof turns / sizeof turns[0]; i++) {
        CU_ASSERT_EQUAL(client_ask(&one, &answer, "POST", "/api/symbols", turns[i].body),
                        turns[i].status);
        CU_ASSERT(client_answer_has(&answer, NULL, turns[i].told));
    }
    CU_ASSERT_EQUAL(client_ask(&one, &answer, "GET", "/api/symbols", NULL), 200);
    CU_ASSERT(client_answer_has(&answer, NULL,
                                "{\"symbol\":\"NEW\",\"id\":3,\"tick_size\":0.25,"
                                "\"lot_size\":2,\"state\":\"trading\"}]}"));
    CU_ASSERT_EQUAL(client_ask(&one, &answer, "POST", "/api/orders",
                               "{\"symbol\":\"NEW\",\"trader_id\":\"t\",\"side\":\"buy\","
                               "\"price\":0.75,\"quantity\":4}"),
                    200);
    CU_ASSERT(client_answer_has(&answer, NULL, "\"symbol\":\"NEW\",\"status\":\"open\""));
    client_close(&one);
    close_door();
}

static void test_administration_asks_for_the_token(void)
{
    static client one;
    prepare();
    snprintf(access_rules.admin_token, sizeof access_rules.admin_token, "secret");
    open_door();
    connect_or_fail(&one);
    CU_ASSERT_EQUAL(
        client_ask(&one, &answer, "PATCH", "/api/symbols/BTCUSDT", "{\"state\":\"halted\"}"), 401);
    CU_ASSERT(client_answer_has(&answer, "WWW-Authenticate: Bearer\r\n", "UNAUTHORIZED"));
    CU_ASSERT_TRUE(client_send_text(&one,
                                    "PATCH /api/symbols/BTCUSDT HTTP/1.1\r\nHost: localhost\r\n"
                                    "Authorization: Bearer secret\r\n"
                                    "Content-Type: application/json\r\n"
                                    "Content-Length: 18\r\n\r\n{\"state\":\"halted\"}"));
    CU_ASSERT_TRUE(client_read(&one, &answer, false));
    CU_ASSERT_EQUAL(answer.status, 200);
    CU_ASSERT_STRING_EQUAL(answer.body, "{\"symbol\":\"BTCUSDT\",\"state\":\"halted\"}");
    CU_ASSERT_EQUAL(client_ask(&one, &answer, "POST", "/api/orders", ORDER("buy", "1")), 409);
    CU_ASSERT(client_answer_has(&answer, NULL, "MARKET_HALTED"));
    client_close(&one);
    close_door();
}

MATCHING_TESTS(MATCHING_TEST(test_orders_are_entered_read_amended_and_cancelled),
               MATCHING_TEST(test_bad_input_does_not_end_a_connection),
               MATCHING_TEST(test_pipelined_requests_are_answered_in_order),
               MATCHING_TEST(test_a_request_may_come_byte_by_byte),
               MATCHING_TEST(test_head_has_the_headers_of_get),
               MATCHING_TEST(test_ambiguous_requests_are_refused_and_the_connection_ends),
               MATCHING_TEST(test_foreign_pages_are_kept_out),
               MATCHING_TEST(test_no_cors_header_where_it_is_switched_off),
               MATCHING_TEST(test_instruments_are_added_up_to_the_limit),
               MATCHING_TEST(test_administration_asks_for_the_token))
