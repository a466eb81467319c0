/* The door's HTTP over real sockets: statuses, connections and their number, the start and the
 * stop.
 */
#include <errno.h>
#include <sys/resource.h>

#include "door_client.h"

#define POST_WITH(headers)                                                                         \
    "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 42\r\n" headers "\r\n" HEALTH_CALL
#define JSON "Content-Type: application/json\r\n"
#define ONLY_LINE(line) line " HTTP/1.1\r\nHost: localhost\r\n\r\n"

static void test_statuses(void)
{
    static const struct {
        const char *request;
        int status;
        const char *piece; /* of head or body */
    } rows[] = {
        {POST_WITH(JSON), 200, "\"id\":1}"},
        {POST_WITH("content-type: Application/JSON ; charset=utf-8\r\n"), 200, "\"id\":1}"},
        {POST_WITH(JSON "Origin: http://localhost:3000\r\n"), 200,
         "Access-Control-Allow-Origin: http://localhost:3000\r\n"},
        {POST_WITH(JSON "X-Request-Id: a-1/b~\r\n"), 200, "X-Request-Id: a-1/b~\r\n"},
        {POST_WITH("X-Request-Id: a-2\r\n"), 415, "X-Request-Id: a-2\r\n"},
        {POST_WITH(JSON "X-Request-Id: a\r\nX-Request-Id: b\r\n"), 400, "INVALID_MESSAGE"},
        {POST_WITH(JSON "Origin: http://localhost:3000\r\n"), 200,
         "Access-Control-Expose-Headers: Allow, Retry-After, X-Request-Id\r\n"},
        {POST_WITH(""), 415, "INVALID_MESSAGE"},
        {POST_WITH("Content-Type: text/plain\r\n"), 415, "INVALID_MESSAGE"},
        {POST_WITH("Content-Type: application/jsonp\r\n"), 415, "INVALID_MESSAGE"},
        {POST_WITH(JSON "Content-Encoding: gzip\r\n"), 415, "INVALID_MESSAGE"},
        {POST_WITH(JSON "Host: localhost\r\n"), 400, "INVALID_MESSAGE"},
        {POST_WITH(JSON "Content-Length: 42\r\n"), 400, "INVALID_MESSAGE"},
        {POST_WITH(JSON "Expect: tea\r\n"), 417, "INVALID_MESSAGE"},
        {"POST / HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 0\r\n\r\n", 403, "UNAUTHORIZED"},
        {"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 400, "INVALID_MESSAGE"},
        {"POST http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 403, "UNAUTHORIZED"},
        {"POST / HTTP/1.1\r\nHost: localhost\r\n" JSON "Content-Length: 2001\r\n\r\n", 413,
         "MESSAGE_TOO_LARGE"},
        {"POST / HTTP/1.1\r\nHost: localhost\r\n" JSON "Content-Length: -1\r\n\r\n", 400,
         "INVALID_MESSAGE"},
        {"POST / HTTP/1.1\r\nHost: localhost\r\n" JSON "Content-Length: +2\r\n\r\n{}", 400,
         "INVALID_MESSAGE"},
        {"GET /health HTTP/1.2\r\nHost: localhost\r\n\r\n", 200, "HTTP/1.1 200 OK\r\n"},
        {"GET /health HTTP/1.-1\r\nHost: localhost\r\n\r\n", 505, "HTTP/1.1 505 "},
        {"POST / HTTP/1.1\r\nHost: localhost\r\n" JSON "Content-Length:\t2 \r\n\r\n{}", 200,
         "-32600"},
        {"GET /health HTTP/0.9\r\nHost: localhost\r\n\r\n", 505, "HTTP/1.1 505 "},
        {"GET /health HTTP/2.0\r\nHost: localhost\r\n\r\n", 400, "INVALID_MESSAGE"},
        {"POST / HTTP/1.1\r\nHost: localhost\r\n" JSON
         "Transfer-Encoding: chunked\r\n\r\n2a\r\n" HEALTH_CALL "\r\n0\r\n\r\n",
         200, "\"id\":1}"},
        {"POST / HTTP/1.1\r\nHost: localhost\r\n" JSON "Transfer-Encoding: chunked\r\n\r\n7d1\r\n",
         413, "MESSAGE_TOO_LARGE"},
        {"POST / HTTP/1.1\r\nHost: localhost\r\n" JSON "Transfer-Encoding: gzip\r\n\r\n", 400,
         "INVALID_MESSAGE"},
        {"POST / HTTP/1.1\r\nHost: localhost\r\n" JSON "Content-Length: 0\r\n\r\n", 200, "-32700"},
        {ONLY_LINE("GET /health"), 200,
         "{\"status\":\"healthy\",\"service\":\"jsonrpc-matching-service\"}"},
        {"GET /health HTTP/1.0\r\n\r\n", 200, "healthy"},
        {ONLY_LINE("POST /health"), 405, "Allow: GET, HEAD, OPTIONS\r\n"},
        {ONLY_LINE("OPTIONS /"), 204, "Allow: POST, OPTIONS\r\n"},
        {ONLY_LINE("OPTIONS *"), 204, "Allow: POST, OPTIONS\r\n"},
        {ONLY_LINE("OPTIONS /health"), 204, "Allow: GET, HEAD, OPTIONS\r\n"},
        {"OPTIONS / HTTP/1.1\r\nHost: localhost\r\nOrigin: https://ours.example\r\n\r\n", 204,
         "Access-Control-Allow-Methods: POST, OPTIONS\r\n"},
        {"OPTIONS / HTTP/1.1\r\nHost: localhost\r\nOrigin: https://ours.example\r\n\r\n", 204,
         "Access-Control-Allow-Headers: Content-Type, Authorization, X-Request-Id, traceparent, "
         "tracestate\r\n"},
        {ONLY_LINE("GET /"), 405, "Allow: POST, OPTIONS\r\n"},
        {ONLY_LINE("PUT /"), 405, "UNKNOWN_TYPE"},
        {ONLY_LINE("DELETE /"), 405, "UNKNOWN_TYPE"},
        {ONLY_LINE("PATCH /"), 405, "UNKNOWN_TYPE"},
        {ONLY_LINE("TRACE /"), 405, "UNKNOWN_TYPE"},
        {ONLY_LINE("CONNECT localhost:1"), 405, "Allow: POST, OPTIONS\r\n"},
        {ONLY_LINE("BREW /"), 405, "Allow: POST, OPTIONS\r\n"},
        {ONLY_LINE("POST /other"), 404, "UNKNOWN_TYPE"},
        {"POST /?price=1&x=2 HTTP/1.1\r\nHost: localhost\r\n" JSON
         "Content-Length: 42\r\n\r\n" HEALTH_CALL,
         400, "\"data\":{\"code\":\"INVALID_PARAMETER\",\"field\":\"price\"}"},
        {"POST /?%22=1 HTTP/1.1\r\nHost: localhost\r\n" JSON
         "Content-Length: 42\r\n\r\n" HEALTH_CALL,
         400, "\"data\":{\"code\":\"INVALID_PARAMETER\"}"},
        {"POST /? HTTP/1.1\r\nHost: localhost\r\n" JSON "Content-Length: 42\r\n\r\n" HEALTH_CALL,
         200, "\"id\":1}"},
        {ONLY_LINE("GET /health?t=1"), 200, "healthy"},
        {ONLY_LINE("GET /other"), 404, "UNKNOWN_TYPE"},
        {"garbage\r\n\r\n", 400, "INVALID_MESSAGE"},
        {"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400, "INVALID_MESSAGE"},
        {"GET / HTTP/2.0\r\n\r\n", 400, "INVALID_MESSAGE"},
    };
    service *it = open_service(allow_every_origin);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int c = dial(it);
        send_text(c, rows[i].request, strlen(rows[i].request));
        response got = read_response(c);
        bool found = got.body != NULL && (strstr(got.head, rows[i].piece) != NULL ||
                                          strstr(got.body, rows[i].piece) != NULL);
        if (got.status != rows[i].status || !found) {
            printf("%s\n  got %s%s\n", rows[i].request, got.head, got.body ? got.body : "");
        }
        CU_ASSERT_EQUAL(got.status, rows[i].status);
        CU_ASSERT_TRUE(found);
        free(got.body);
        close(c);
    }
    close_service(it);
}

static void test_a_request_id_that_is_not_plain_is_left_out(void)
{
    service *it = open_service(NULL);
    static const char *const headers[] = {"X-Request-Id: a b\r\n", "X-Request-Id: \xc3\xa4\r\n",
                                          "X-Request-Id: \r\n",
                                          ("X-Request-Id: 12345678901234567890123456789012"
                                           "345678901234567890123456789012345\r\n")};
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        int c = dial(it);
        post(c, HEALTH_CALL, headers[i]);
        response got = read_response(c);
        CU_ASSERT_EQUAL(got.status, 200);
        CU_ASSERT_PTR_NULL(strstr(got.head, "X-Request-Id"));
        free(got.body);
        close(c);
    }
    close_service(it);
}

static void test_continue_is_said_to_those_who_wait_for_it(void)
{
    static const char head[] = "POST / HTTP/1.1\r\nHost: localhost\r\n" JSON
                               "Content-Length: 42\r\nExpect: 100-continue\r\n\r\n";
    service *it = open_service(NULL);
    int c = dial(it);
    for (int i = 0; i < 2; i++) { /* the connection is kept */
        send_text(c, head, sizeof head - 1);
        response got = read_response(c);
        CU_ASSERT_EQUAL(got.status, 100);
        free(got.body);
        send_text(c, HEALTH_CALL, sizeof HEALTH_CALL - 1);
        got = read_response(c);
        CU_ASSERT_EQUAL(got.status, 200);
        CU_ASSERT_STRING_EQUAL(got.body, HEALTH_RESULT);
        free(got.body);
    }
    close(c);
    close_service(it);
}

static void test_head_has_no_body(void)
{
    service *it = open_service(NULL);
    int c = dial(it);
    static const char text[] =
        "HEAD /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    char answer[1024];
    size_t at = 0;
    ssize_t count;
    send_text(c, text, sizeof text - 1);
    while ((count = recv(c, answer + at, sizeof answer - 1 - at, 0)) > 0) {
        at += (size_t)count;
    }
    answer[at] = '\0';
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "HTTP/1.1 200 "));
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "Content-Length: 57\r\n"));
    CU_ASSERT_TRUE(at > 4 && strcmp(answer + at - 4, "\r\n\r\n") == 0);
    close(c);
    close_service(it);
}

static void test_pipelined_requests_are_answered_in_order(void)
{
    enum { COUNT = 50 };
    service *it = open_service(NULL);
    int c = dial(it);
    for (int i = 0; i < COUNT; i++) {
        char body[128];
        snprintf(body, sizeof body, "{\"jsonrpc\":\"2.0\",\"method\":\"get_depth\",\"id\":%d}", i);
        post(c, body, "");
    }
    send_text(c, "garbage\r\n\r\n", 11);
    for (int i = 0; i < COUNT; i++) {
        char expected[32];
        response got = read_response(c);
        snprintf(expected, sizeof expected, "\"id\":%d}", i);
        CU_ASSERT_EQUAL(got.status, 200);
        CU_ASSERT_PTR_NOT_NULL(got.body != NULL ? strstr(got.body, expected) : NULL);
        free(got.body);
    }
    response last = read_response(c);
    CU_ASSERT_EQUAL(last.status, 400);
    free(last.body);
    char rest;
    CU_ASSERT_EQUAL(recv(c, &rest, 1, 0), 0);
    close(c);
    close_service(it);
}

static void test_a_client_that_has_closed_its_half_gets_its_answer(void)
{
    service *it = open_service(NULL);
    for (int i = 0; i < 20; i++) {
        int c = dial(it);
        post(c, CALL("get_depth", ""), "");
        shutdown(c, SHUT_WR);
        response got = read_response(c);
        CU_ASSERT_EQUAL(got.status, 200);
        free(got.body);
        close(c);
    }
    close_service(it);
}

static void test_clients_that_vanish_do_no_harm(void)
{
    service *it = open_service(NULL);
    const struct linger at_once = {1, 0};
    static const char order[] = CALL(
        "place_limit_order", "\"trader_id\":\"v\",\"side\":\"buy\",\"price\":2,\"quantity\":1");
    for (int i = 0; i < 200; i++) {
        int c = dial(it);
        setsockopt(c, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        post(c, order, "");
        close(c);
    }
    int c = dial(it);
    free(call(c, HEALTH_CALL, "", 200));
    close(c);
    close_service(it);
}

static void allow_two_connections(service *it)
{
    it->config.jsonrpc.max_connections = 2;
}

static void test_a_connection_over_the_limit_is_told_so(void)
{
    service *it = open_service(allow_two_connections);
    int first = dial(it);
    int second = dial(it);
    free(call(first, HEALTH_CALL, "", 200));
    free(call(second, HEALTH_CALL, "", 200));
    int third = dial(it);
    post(third, HEALTH_CALL, "");
    response refused = read_response(third);
    CU_ASSERT_EQUAL(refused.status, 503);
    CU_ASSERT_PTR_NOT_NULL(strstr(refused.head, "Retry-After: 1\r\n"));
    CU_ASSERT_PTR_NOT_NULL(refused.body != NULL ? strstr(refused.body, "TOO_MANY_CONNECTIONS")
                                                : NULL);
    free(refused.body);
    char rest;
    CU_ASSERT_EQUAL(recv(third, &rest, 1, 0), 0);
    close(third);
    free(call(first, HEALTH_CALL, "", 200));
    close(first);
    close(second);
    close_service(it);
}

/* Without descriptors the door waits until there are some again, and neither dies nor spins. */
static void test_running_out_of_descriptors_passes(void)
{
    enum { COUNT = 8, SPARE = 3 };
    service *it = open_service(NULL);
    int connections[COUNT];
    struct rlimit before;
    CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_NOFILE, &before), 0);
    int last = -1;
    for (int i = 0; i < COUNT; i++) {
        connections[i] = last = open_socket();
    }
    /* From here on the process gets only SPARE more: the door's side of the first connections. */
    const struct rlimit few = {(rlim_t)last + 1 + SPARE, before.rlim_max};
    CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_NOFILE, &few), 0);
    for (int i = 0; i < COUNT; i++) {
        connect_socket(it, connections[i]);
        post(connections[i], HEALTH_CALL, "");
    }
    for (int i = 0; i < COUNT; i++) { /* each that is closed makes room for another */
        response got = read_response(connections[i]);
        CU_ASSERT_EQUAL(got.status, 200);
        free(got.body);
        close(connections[i]);
    }
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &before), 0);
    close_service(it);
}

/* A client that sends a byte now and then: however often, the request has one deadline in all. */
static void test_a_port_in_use_is_named(void)
{
    service *it = open_service(NULL);
    matching_transport second = it->transport;
    static matching_config config;
    config = it->config;
    config.jsonrpc.port = (uint16_t)atoi(strrchr(it->transport.address, ':') + 1);
    second.config = &config;
    second.state = NULL;
    /* Ports are made before a core starts, so this door has a core of its own. */
    char error[256];
    matching_core_options options;
    matching_core_options_default(&options);
    options.instruments = config.instruments;
    options.instrument_count = config.instrument_count;
    options.shards = 1;
    options.max_orders = options.retained_orders = 1024;
    second.core = matching_core_create(&options, error, sizeof error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(second.core);
    CU_ASSERT_EQUAL_FATAL(second.ops->init(&second), 0);
    CU_ASSERT_EQUAL(second.ops->start(&second), -EADDRINUSE);
    CU_ASSERT_PTR_NOT_NULL(strstr(second.error, it->transport.address));
    CU_ASSERT_PTR_NOT_NULL(strstr(second.error, "--rpc-port"));
    second.ops->stop(&second);
    second.ops->fini(&second);
    matching_core_destroy(second.core);
    close_service(it);
}

static void test_the_stop_answers_what_was_accepted(void)
{
    service *it = open_service(NULL);
    int idle = dial(it);
    int c = dial(it);
    free(call(idle, HEALTH_CALL, "", 200));
    free(call(c, HEALTH_CALL, "", 200)); /* it is accepted by now */
    post(c,
         CALL("place_limit_order",
              "\"trader_id\":\"t\",\"side\":\"buy\",\"price\":2,\"quantity\":1"),
         "");
    it->transport.ops->stop(&it->transport);
    response got = read_response(c);
    CU_ASSERT_EQUAL(got.status, 200);
    CU_ASSERT_PTR_NOT_NULL(got.body != NULL ? strstr(got.body, "\"jsonrpc\"") : NULL);
    free(got.body);
    char rest;
    CU_ASSERT_EQUAL(recv(c, &rest, 1, 0), 0);
    CU_ASSERT_EQUAL(recv(idle, &rest, 1, 0), 0);
    close(c);
    close(idle);
    close_service(it); /* stopping twice is harmless */
}

MATCHING_TESTS(MATCHING_TEST(test_statuses),
               MATCHING_TEST(test_a_request_id_that_is_not_plain_is_left_out),
               MATCHING_TEST(test_continue_is_said_to_those_who_wait_for_it),
               MATCHING_TEST(test_head_has_no_body),
               MATCHING_TEST(test_pipelined_requests_are_answered_in_order),
               MATCHING_TEST(test_a_client_that_has_closed_its_half_gets_its_answer),
               MATCHING_TEST(test_clients_that_vanish_do_no_harm),
               MATCHING_TEST(test_a_connection_over_the_limit_is_told_so),
               MATCHING_TEST(test_running_out_of_descriptors_passes),
               MATCHING_TEST(test_a_port_in_use_is_named),
               MATCHING_TEST(test_the_stop_answers_what_was_accepted))
