/* Tests of heads that are too large or no HTTP, and of heads that come in pieces, through real
 * sockets: each is answered, in JSON.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "door_fixture.h"
#include "support/cunit_main.h"

#define HEAD " HTTP/1.1\r\nHost: localhost\r\n"

static client one;
static char request[1 << 17];

/* `times` times `piece` between the two others, into `request`. */
static size_t fill(const char *before, const char *piece, size_t times, const char *after)
{
    size_t length = (size_t)sprintf(request, "%s", before);
    for (size_t i = 0; i < times; i++)
        length += (size_t)sprintf(request + length, "%s", piece);
    return length + (size_t)sprintf(request + length, "%s", after);
}

/* Sends `request`, in pieces of at most `piece` bytes, and reads the answer. */
static void ask(size_t length, size_t piece)
{
    int now = 1;
    connect_or_fail(&one);
    setsockopt(one.fd, IPPROTO_TCP, TCP_NODELAY, &now, sizeof now);
    for (size_t at = 0; at < length; at += piece)
        if (!client_send(&one, request + at, length - at < piece ? length - at : piece))
            break; /* it is told so already */
    client_read(&one, &answer, false);
}

static void expect_refusal(unsigned status, const char *code)
{
    CU_ASSERT_EQUAL(answer.status, status);
    CU_ASSERT(client_answer_has(&answer, "Content-Type: application/json\r\n", code));
    CU_ASSERT(client_answer_has(&answer, "Connection: close\r\n", "{\"error\":\""));
    CU_ASSERT_TRUE(client_sees_end(&one));
    client_close(&one);
}

static void test_what_would_not_fit_is_refused_in_json(void)
{
    static const struct {
        const char *before, *piece;
        size_t times;
        const char *after;
        unsigned status;
        const char *code;
    } cases[] = {
        {"GET /health?a=1", "&a=1", 250, HEAD "\r\n", 400, "INVALID_PARAMETER"},
        {"GET /health?a=1", "&a=1", 2000, HEAD "\r\n", 400, "INVALID_PARAMETER"},
        {"GET /health?a=1", "&a=1", 20000, HEAD "\r\n", 400, "INVALID_PARAMETER"},
        {"GET /", "a", 16300, HEAD "\r\n", 414, "MESSAGE_TOO_LARGE"},
        {"GET /", "a", 70000, HEAD "\r\n", 414, "MESSAGE_TOO_LARGE"},
        {"GET /health" HEAD "X: ", "a", 16300, "\r\n\r\n", 431, "MESSAGE_TOO_LARGE"},
        {"GET /health" HEAD "X: ", "a", 70000, "\r\n\r\n", 431, "MESSAGE_TOO_LARGE"},
        {"GET /health" HEAD, "a: b\r\n", 250, "\r\n", 431, "MESSAGE_TOO_LARGE"},
        {"GET /health" HEAD "Cookie: a=b", ";a=b", 250, "\r\n\r\n", 431, "MESSAGE_TOO_LARGE"},
    };
    prepare();
    open_door();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t length = fill(cases[i].before, cases[i].piece, cases[i].times, cases[i].after);
        ask(length, length);
        expect_refusal(cases[i].status, cases[i].code);
        ask(length, 1000);
        expect_refusal(cases[i].status, cases[i].code);
    }
    close_door();
}

static void test_what_is_no_http_is_refused_in_json(void)
{
    static const struct {
        const char *text;
        unsigned status;
    } cases[] = {
        {"BLAH\r\n\r\n", 400},
        {"\x16\x03\x01\x02", 400},
        {"GET / HTTP/2.0\r\n\r\n", 505},
        {"GET /" HEAD "Host\r\n\r\n", 400},
        {"POST /api/orders" HEAD "Content-Length: x\r\n\r\n", 400},
        {"POST /api/orders" HEAD "Content-Length: 18446744073709551616\r\n\r\n", 413},
    };
    prepare();
    open_door();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t length = fill(cases[i].text, "", 0, "");
        ask(length, length);
        expect_refusal(cases[i].status,
                       cases[i].status == 413 ? "MESSAGE_TOO_LARGE" : "INVALID_MESSAGE");
        ask(length, 1);
        expect_refusal(cases[i].status,
                       cases[i].status == 413 ? "MESSAGE_TOO_LARGE" : "INVALID_MESSAGE");
    }
    close_door();
}

/* Behind another request libmicrohttpd may be there first, so once is enough. */
static void test_what_is_no_http_behind_a_request(void)
{
    enum { TRIES = 50 };
    static const char *const bodies[] = {"", "Content-Length: 2\r\n"};
    prepare();
    open_door();
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        bool is_json = false;
        for (int k = 0; k < TRIES && !is_json; k++) {
            size_t length = fill("GET /health" HEAD, bodies[i], 1, "\r\n");
            if (bodies[i][0] != '\0')
                length += (size_t)sprintf(request + length, "{}");
            ask(length, length);
            CU_ASSERT_EQUAL(answer.status, 200);
            CU_ASSERT_TRUE(client_send_text(&one, "GET / HTTP/2.0\r\n\r\n"));
            CU_ASSERT_TRUE(client_read(&one, &answer, false));
            CU_ASSERT_EQUAL(answer.status, 505);
            is_json = strstr(answer.head, "Content-Type: application/json\r\n") != NULL;
            CU_ASSERT_TRUE(client_sees_end(&one));
            client_close(&one);
        }
        CU_ASSERT_TRUE(is_json);
    }
    close_door();
}

static void test_a_refused_head_request_gets_no_body(void)
{
    char rest[64];
    prepare();
    open_door();
    connect_or_fail(&one);
    CU_ASSERT_TRUE(client_send_text(&one, "HEAD / HTTP/2.0\r\n\r\n"));
    CU_ASSERT_TRUE(client_read(&one, &answer, true));
    CU_ASSERT_EQUAL(answer.status, 505);
    CU_ASSERT_EQUAL(one.length, 0);
    CU_ASSERT_EQUAL(read(one.fd, rest, sizeof rest), 0);
    client_close(&one);
    close_door();
}

/* A client that has said all it had to, half a head, need not wait for its time to be up. */
static void test_half_a_head_and_the_end(void)
{
    prepare();
    config.http.limits.header_timeout_ms = config.http.limits.idle_timeout_ms = 3600 * 1000;
    open_door();
    connect_or_fail(&one);
    CU_ASSERT_TRUE(client_send_text(&one, "GET /health HTTP/1.1\r\nHo"));
    CU_ASSERT_EQUAL(shutdown(one.fd, SHUT_WR), 0);
    CU_ASSERT_TRUE(client_sees_end(&one));
    client_close(&one);
    close_door();
}

static void test_a_stop_does_not_wait_for_held_heads(void)
{
    static client two;
    prepare();
    open_door();
    connect_or_fail(&one);
    connect_or_fail(&two);
    CU_ASSERT_TRUE(client_send_text(&one, "GET /health HTT"));
    close_door();
    CU_ASSERT_TRUE(client_sees_end(&one));
    CU_ASSERT_TRUE(client_sees_end(&two));
    client_close(&one);
    client_close(&two);
}

/* What comes behind a head that is refused is thrown away, also where it looks like a request: a
 * page of another origin can have a browser send any body behind a head of its own. */
static void test_no_order_is_behind_a_refused_head(void)
{
    enum { TRIES = 8, BODY = 4 << 20, EMPTY = 2000 };
    static const char order[] =
        "POST /api/orders HTTP/1.1\r\nHost: localhost\r\n"
        "Content-Type: application/json\r\nContent-Length: 55\r\n\r\n"
        "{\"trader_id\":\"t\",\"side\":\"buy\",\"price\":1,\"quantity\":1}  ";
    char *all = malloc(BODY + EMPTY + sizeof order);
    CU_ASSERT_PTR_NOT_NULL_FATAL(all);
    char length[96];
    snprintf(length, sizeof length, HEAD "Content-Length: %d\r\n\r\n", BODY);
    size_t size = fill("POST /", "x", 15000, length);
    memcpy(all, request, size);
    while (size < BODY) { /* wherever it were read from, empty lines and an order would come */
        for (int k = 0; k < EMPTY; k += 2, size += 2)
            memcpy(all + size, "\r\n", 2);
        memcpy(all + size, order, sizeof order);
        size += sizeof order - 1;
    }
    prepare();
    open_door();
    for (int i = 0; i < TRIES; i++) {
        connect_or_fail(&one);
        (void)client_send(&one, all, size); /* until it is cut off */
        client_close(&one);
    }
    connect_or_fail(&one);
    CU_ASSERT_EQUAL(client_ask(&one, &answer, "GET", "/api/orders?trader_id=t", NULL), 200);
    CU_ASSERT_PTR_NULL(strstr(answer.body, "order_id"));
    CU_ASSERT_EQUAL(client_ask(&one, &answer, "POST", "/api/orders", strstr(order, "{")), 200);
    CU_ASSERT_EQUAL(client_ask(&one, &answer, "GET", "/api/orders?trader_id=t", NULL), 200);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer.body, "order_id")); /* it would have been one */
    client_close(&one);
    close_door();
    free(all);
}

/* Just so large that the line alone, or with its end, is all there is room for. */
static void test_a_line_about_as_long_as_there_is_room(void)
{
    prepare();
    open_door();
    for (size_t length = 14 * 1024 - 6; length < 14 * 1024 + 6; length++) {
        size_t rest = strlen("GET / HTTP/1.1");
        ask(fill("GET /", "x", length - rest, HEAD "\r\n"), SIZE_MAX / 2);
        CU_ASSERT(answer.status == 414 || answer.status == 431);
        client_close(&one);
    }
    close_door();
}

/* From 0 to limit - 1, the same in each run. */
static uint64_t below(uint64_t *random, uint64_t limit)
{
    *random = *random * UINT64_C(6364136223846793005) + 1;
    return (*random >> 33) % limit;
}

static size_t add_random_request(uint64_t *random, size_t length)
{
    static const char *const newlines[] = {"\r\n", "\n"};
    const char *end = newlines[below(random, 2)];
    static const char body[] = ORDER("buy", "1");
    const char *before = below(random, 3) == 0 ? "\r\n" : "";
    char *at = request + length;
    switch (below(random, 3)) {
    case 0:
        return length + (size_t)sprintf(at, "%sGET /health HTTP/1.1%sHost: localhost%s%s", before,
                                        end, end, end);
    case 1:
        return length +
               (size_t)sprintf(at,
                               "%sPOST /api/orders HTTP/1.1%sHost: localhost%sContent-Type: "
                               "application/json%sContent-Length: %zu%s%s%s",
                               before, end, end, end, sizeof body - 1, end, end, body);
    default:
        return length +
               (size_t)sprintf(at,
                               "%sPOST /api/orders HTTP/1.1%sHost: localhost%sContent-Type: "
                               "application/json%sTransfer-Encoding: chunked%s%s%zx\r\n%s\r\n0\r\n"
                               "\r\n",
                               before, end, end, end, end, end, sizeof body - 1, body);
    }
}

/* Whatever the pieces, and whoever of libmicrohttpd and the loop sees them first. */
static void test_good_requests_are_answered_in_any_pieces(void)
{
    enum { CONNECTIONS = 400, REQUESTS_MAX = 6 };
    uint64_t random = 9;
    int now = 1;
    prepare();
    open_door();
    for (int i = 0; i < CONNECTIONS; i++) {
        size_t length = 0;
        uint64_t count = 1 + below(&random, REQUESTS_MAX);
        uint64_t piece_max = 1 + below(&random, i % 2 ? 40 : 700);
        for (uint64_t k = 0; k < count; k++)
            length = add_random_request(&random, length);
        connect_or_fail(&one);
        setsockopt(one.fd, IPPROTO_TCP, TCP_NODELAY, &now, sizeof now);
        for (size_t at = 0; at < length;) {
            size_t size = 1 + below(&random, piece_max);
            size = size < length - at ? size : length - at;
            CU_ASSERT_TRUE(client_send(&one, request + at, size));
            at += size;
        }
        for (uint64_t k = 0; k < count; k++) {
            CU_ASSERT_TRUE(client_read(&one, &answer, false));
            CU_ASSERT_EQUAL(answer.status, 200);
        }
        client_close(&one);
    }
    close_door();
}

MATCHING_TESTS(MATCHING_TEST(test_what_would_not_fit_is_refused_in_json),
               MATCHING_TEST(test_what_is_no_http_is_refused_in_json),
               MATCHING_TEST(test_what_is_no_http_behind_a_request),
               MATCHING_TEST(test_a_refused_head_request_gets_no_body),
               MATCHING_TEST(test_half_a_head_and_the_end),
               MATCHING_TEST(test_a_stop_does_not_wait_for_held_heads),
               MATCHING_TEST(test_no_order_is_behind_a_refused_head),
               MATCHING_TEST(test_a_line_about_as_long_as_there_is_room),
               MATCHING_TEST(test_good_requests_are_answered_in_any_pieces))
