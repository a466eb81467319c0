/* Tests of HTTP itself at the REST door, through real sockets: request ids, waiting bodies, what
 * pages of elsewhere may read of an answer.
 */
#include <stdio.h>
#include <string.h>

#include "door_fixture.h"
#include "support/cunit_main.h"

static unsigned ask_with(client *self, const char *line, const char *headers, const char *body)
{
    static char text[20000];
    int length = snprintf(text, sizeof text,
                          "%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n%s\r\n%s", line,
                          strlen(body), headers, body);
    CU_ASSERT_TRUE_FATAL(length > 0 && (size_t)length < sizeof text);
    CU_ASSERT_TRUE(client_send(self, text, (size_t)length));
    client_read(self, &answer, false);
    return answer.status;
}

static void test_a_request_id_comes_back_with_every_answer(void)
{
    static const struct {
        const char *line, *headers, *body;
        unsigned status;
    } cases[] = {
        {"GET /health", "", "", 200},
        {"GET /nope", "", "", 404},
        {"PUT /api/orders", "", "", 405},
        {"POST /api/orders", "", "{}", 415},
        {"POST /api/orders", "Content-Type: application/json\r\n", "{}", 400},
        {"POST /api/orders", "Content-Type: application/json\r\n", ORDER("buy", "5"), 200},
        {"GET /api/orders/77", "", "", 404},
        {"OPTIONS /api/orders", "", "", 204},
        {"GET /api/orders", "Origin: https://evil.example\r\n", "", 403},
    };
    static client one;
    prepare();
    open_door();
    connect_or_fail(&one);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char headers[200];
        char wanted[64];
        snprintf(headers, sizeof headers, "%sx-request-id: r-%zu/~\r\n", cases[i].headers, i);
        snprintf(wanted, sizeof wanted, "X-Request-Id: r-%zu/~\r\n", i);
        CU_ASSERT_EQUAL(ask_with(&one, cases[i].line, headers, cases[i].body), cases[i].status);
        CU_ASSERT(client_answer_has(&answer, wanted, NULL));
    }
    CU_ASSERT_TRUE(is_alive(&one));
    CU_ASSERT_PTR_NULL(strstr(answer.head, "X-Request-Id"));
    client_close(&one);
    close_door();
}

static void test_a_request_id_that_is_not_plain_is_left_out(void)
{
    static const char *const headers[] = {
        "X-Request-Id: a b\r\n", "X-Request-Id: \xc3\xa4\r\n", "X-Request-Id:\r\n",
        "X-Request-Id: 12345678901234567890123456789012345678901234567890123456789012345\r\n"};
    static client one;
    prepare();
    open_door();
    connect_or_fail(&one);
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        CU_ASSERT_EQUAL(ask_with(&one, "GET /health", headers[i], ""), 200);
        CU_ASSERT_PTR_NULL(strstr(answer.head, "X-Request-Id"));
    }
    CU_ASSERT_EQUAL(ask_with(&one, "GET /health", "X-Request-Id: a\r\nX-Request-Id: b\r\n", ""),
                    400);
    client_close(&one);
    close_door();
}

static void test_a_page_may_read_what_it_needs(void)
{
    static client one;
    prepare();
    open_door();
    connect_or_fail(&one);
    CU_ASSERT_EQUAL(ask_with(&one, "OPTIONS /api/orders", "Origin: http://localhost:3000\r\n", ""),
                    204);
    CU_ASSERT(client_answer_has(
        &answer,
        "Access-Control-Allow-Headers: Content-Type, Authorization, X-Request-Id, "
        "traceparent, tracestate\r\n",
        NULL));
    CU_ASSERT_EQUAL(ask_with(&one, "GET /health", "Origin: http://localhost:3000\r\n", ""), 200);
    CU_ASSERT(client_answer_has(
        &answer, "Access-Control-Expose-Headers: Allow, Retry-After, X-Request-Id\r\n", NULL));
    client_close(&one);
    close_door();
}

/* A client that sends in two pieces, and one that does not keep the connection. */
static void test_connections_are_kept_or_closed_as_asked(void)
{
    static client one;
    prepare();
    open_door();
    connect_or_fail(&one);
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_TRUE(
            client_send_text(&one, POST_HEAD "Content-Length: 53\r\nExpect: 100-continue\r\n\r\n"));
        CU_ASSERT_TRUE(client_read(&one, &answer, false));
        CU_ASSERT_EQUAL(answer.status, 100);
        CU_ASSERT_TRUE(client_send_text(&one, ORDER("buy", "1")));
        CU_ASSERT_TRUE(client_read(&one, &answer, false));
        CU_ASSERT_EQUAL(answer.status, 200);
    }
    CU_ASSERT_EQUAL(ask_with(&one, "GET /health", "Connection: close\r\n", ""), 200);
    CU_ASSERT_TRUE(client_sees_end(&one));
    client_close(&one);
    connect_or_fail(&one);
    CU_ASSERT_TRUE(client_send_text(&one, "GET /health HTTP/1.0\r\n\r\n"));
    CU_ASSERT_TRUE(client_read(&one, &answer, false));
    CU_ASSERT_EQUAL(answer.status, 200);
    CU_ASSERT_TRUE(client_sees_end(&one));
    client_close(&one);
    close_door();
}

/* Responses of one length are used again, for whoever comes next. */
static void test_answers_of_one_length_keep_their_bytes_and_headers(void)
{
    enum { CONNECTIONS = 12, REQUESTS = 60 };
    static client clients[CONNECTIONS];
    prepare();
    open_door();
    for (size_t i = 0; i < CONNECTIONS; i++)
        connect_or_fail(&clients[i]);
    for (size_t k = 0; k < REQUESTS; k++) {
        for (size_t i = 0; i < CONNECTIONS; i++) {
            char text[200];
            bool has_id = (i + k) % 3 == 0;
            snprintf(text, sizeof text,
                     "%s /api/time?n%03zu%03zu=1 HTTP/1.1\r\nHost: localhost\r\n%s\r\n",
                     (i + k) % 5 == 0 ? "HEAD" : "GET", i, k, has_id ? "X-Request-Id: a\r\n" : "");
            CU_ASSERT_TRUE(client_send_text(&clients[i], text));
        }
        for (size_t i = 0; i < CONNECTIONS; i++) {
            char wanted[32];
            bool is_head = (i + k) % 5 == 0;
            snprintf(wanted, sizeof wanted, " n%03zu%03zu:", i, k);
            CU_ASSERT_TRUE(client_read(&clients[i], &answer, is_head));
            CU_ASSERT_EQUAL(answer.status, 400);
            CU_ASSERT_EQUAL(strstr(answer.body, wanted) != NULL, !is_head);
            CU_ASSERT_EQUAL(strstr(answer.head, "X-Request-Id: a\r\n") != NULL, (i + k) % 3 == 0);
            CU_ASSERT(client_answer_has(&answer, "Content-Type: application/json\r\n", NULL));
        }
    }
    for (size_t i = 0; i < CONNECTIONS; i++)
        client_close(&clients[i]);
    close_door();
}

/* Whoever came before, each request is let in or not by its own headers. */
static void test_nobody_is_let_in_for_the_one_before(void)
{
    static const struct {
        const char *target, *headers;
        unsigned status;
    } cases[] = {
        {"/api/orders", "Host:\r\n", 403},
        {"/api/orders", "Host: localhost\r\n", 200},
        {"/api/orders", "Host:\r\n", 403},
        {"/api/orders", "Host: localhos\r\n", 403},
        {"/api/orders", "Host: localhost.evil.example\r\n", 403},
        {"/api/orders", "Host: localhost\r\nOrigin: https://evil.example\r\n", 403},
        {"http://evil.example/api/orders", "Host: localhost\r\n", 403},
        {"/api/orders", "Host: localhost\r\n", 200},
        {"/api/orders", "Host: 127.0.0.1:1\r\n", 200},
        {"/api/orders", "Host: evil.example\r\n", 403},
    };
    static client one;
    prepare();
    open_door();
    connect_or_fail(&one);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[300];
        snprintf(text, sizeof text, "GET %s HTTP/1.1\r\n%s\r\n", cases[i].target, cases[i].headers);
        CU_ASSERT_TRUE(client_send_text(&one, text));
        CU_ASSERT_TRUE(client_read(&one, &answer, false));
        CU_ASSERT_EQUAL(answer.status, cases[i].status);
    }
    client_close(&one);
    close_door();
}

MATCHING_TESTS(MATCHING_TEST(test_a_request_id_comes_back_with_every_answer),
               MATCHING_TEST(test_a_request_id_that_is_not_plain_is_left_out),
               MATCHING_TEST(test_a_page_may_read_what_it_needs),
               MATCHING_TEST(test_connections_are_kept_or_closed_as_asked),
               MATCHING_TEST(test_answers_of_one_length_keep_their_bytes_and_headers),
               MATCHING_TEST(test_nobody_is_let_in_for_the_one_before))
