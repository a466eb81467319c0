/* Tests of what the HTTP door does not put up with, through real sockets: bodies without end, too
 * many connections, clients that vanish or drip; and of its start and stop.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "door_fixture.h"
#include "support/cunit_main.h"

/* Sends headers that announce a body, then `pieces` of 1000 bytes with `before` and `after` around
 * each. */
static unsigned upload(client *self, const char *head, int pieces, const char *before,
                       const char *after, const char *last)
{
    static char piece[1000];
    memset(piece, ' ', sizeof piece);
    bool sent = client_send_text(self, head);
    for (int i = 0; sent && i < pieces; i++)
        sent = client_send_text(self, before) && client_send(self, piece, sizeof piece) &&
               client_send_text(self, after);
    if (sent)
        client_send_text(self, last);
    client_read(self, &answer, false);
    return answer.status;
}

static void test_a_body_too_large_is_refused_and_the_connection_ends(void)
{
    static client one;
    prepare();
    config.http.max_body_bytes = 10000;
    open_door();
    static const struct {
        const char *head, *before, *after, *last;
        int pieces;
        unsigned status;
    } cases[] = {
        {POST_HEAD "Content-Length: 10000\r\n\r\n", "", "", "", 10, 400}, /* just fits; blank */
        {POST_HEAD "Content-Length: 11000\r\n\r\n", "", "", "", 11, 413},
        {POST_HEAD "Content-Length: 1000000\r\n\r\n", "", "", "", 1000, 413},
        {POST_HEAD "Transfer-Encoding: chunked\r\n\r\n", "3e8\r\n", "\r\n", "0\r\n\r\n", 10, 400},
        {POST_HEAD "Transfer-Encoding: chunked\r\n\r\n", "3e8\r\n", "\r\n", "0\r\n\r\n", 11, 413},
        {POST_HEAD "Transfer-Encoding: chunked\r\n\r\n", "3e8\r\n", "\r\n", "0\r\n\r\n", 1000, 413},
        {POST_HEAD "Content-Length: 11000\r\nExpect: 100-continue\r\n\r\n", "", "", "", 0, 413},
        {POST_HEAD "Content-Length: 99999999999\r\n\r\n", "", "", "", 0, 413},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        connect_or_fail(&one);
        unsigned status = upload(&one, cases[i].head, cases[i].pieces, cases[i].before,
                                 cases[i].after, cases[i].last);
        CU_ASSERT_EQUAL(status, cases[i].status);
        if (status != 413) {
            CU_ASSERT(client_answer_has(&answer, NULL, "INVALID_JSON"));
            CU_ASSERT_TRUE(is_alive(&one));
        } else {
            CU_ASSERT(client_answer_has(&answer, "Connection: close\r\n", "MESSAGE_TOO_LARGE"));
            CU_ASSERT_TRUE(client_sees_end(&one));
        }
        client_close(&one);
    }
    close_door();
}

/* A target of `target` bytes and a header of `header` bytes, and the status that comes. */
static unsigned ask_with_head(client *self, int target, int header)
{
    static char line[20000], value[20000], request[40100];
    memset(line, 'a', sizeof line);
    memset(value, 'v', sizeof value);
    snprintf(request, sizeof request,
             "GET /%.*s HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Much: %.*s\r\n\r\n", target - 1, line,
             header - (int)sizeof "X-Much: \r\n" + 1, value);
    client_send_text(self, request);
    client_read(self, &answer, false);
    return answer.status;
}

static void test_a_head_too_large_is_refused_in_json(void)
{
    enum { LIMIT = 8192, HOST = sizeof "Host: 127.0.0.1\r\n" - 1 };
    static const struct {
        int target, header;
        unsigned status;
    } cases[] = {
        {100, LIMIT - 100 - HOST, 404},
        {100, LIMIT - 100 - HOST + 1, 431},
        {LIMIT - 100 - HOST, 100, 404},
        {LIMIT, 100, 431},
        {LIMIT + 1, 100, 414},
        {12000, 100, 414},
        {100, 12000, 431},
    };
    static client one;
    prepare();
    open_door();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        connect_or_fail(&one);
        CU_ASSERT_EQUAL(ask_with_head(&one, cases[i].target, cases[i].header), cases[i].status);
        if (cases[i].status == 404) {
            CU_ASSERT_TRUE(is_alive(&one));
        } else {
            CU_ASSERT(client_answer_has(&answer, "Content-Type: application/json\r\n",
                                        "\"code\":\"MESSAGE_TOO_LARGE\""));
            CU_ASSERT_TRUE(client_sees_end(&one));
        }
        client_close(&one);
    }
    close_door();
}

static void test_an_endless_body_ends_the_connection(void)
{
    static client one;
    prepare();
    open_door();
    connect_or_fail(&one);
    CU_ASSERT_TRUE(client_send_text(&one, POST_HEAD "Transfer-Encoding: chunked\r\n\r\n"));
    static char piece[65536 + 9];
    memset(piece, ' ', sizeof piece);
    memcpy(piece, "10000\r\n", 7);
    memcpy(piece + sizeof piece - 2, "\r\n", 2);
    bool sent = true;
    for (int i = 0; sent && i < 4096; i++)
        sent = client_send(&one, piece, sizeof piece);
    CU_ASSERT_FALSE(sent);
    client_close(&one);
    connect_or_fail(&one);
    CU_ASSERT_TRUE(is_alive(&one));
    client_close(&one);
    close_door();
}

static void test_continue_is_said_to_those_who_wait_for_it(void)
{
    static client one;
    prepare();
    open_door();
    connect_or_fail(&one);
    CU_ASSERT_TRUE(
        client_send_text(&one, POST_HEAD "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n"));
    CU_ASSERT_TRUE(client_read(&one, &answer, false));
    CU_ASSERT_EQUAL(answer.status, 100);
    CU_ASSERT_TRUE(client_send_text(&one, "{}"));
    CU_ASSERT_TRUE(client_read(&one, &answer, false));
    CU_ASSERT_EQUAL(answer.status, 400);
    CU_ASSERT(client_answer_has(&answer, NULL, "MISSING_FIELD"));
    client_close(&one);
    close_door();
}

static void test_a_client_that_vanishes_harms_nobody(void)
{
    enum { COUNT = 300 };
    static client one;
    prepare();
    open_door();
    for (int i = 0; i < COUNT; i++) {
        connect_or_fail(&one);
        CU_ASSERT_TRUE(
            client_send_text(&one, POST_HEAD "Content-Length: 53\r\n\r\n" ORDER("buy", "1")));
        if (i % 3 == 0)
            client_reset(&one);
        else
            client_close(&one);
    }
    connect_or_fail(&one);
    CU_ASSERT_TRUE(is_alive(&one));
    CU_ASSERT_EQUAL(client_ask(&one, &answer, "DELETE", "/api/orders?trader_id=t", NULL), 200);
    CU_ASSERT_STRING_NOT_EQUAL(answer.body,
                               "{\"order_ids\":[]}"); /* they were served all the same */
    client_close(&one);
    close_door();
}

static void test_connections_beyond_the_limit_are_told_so(void)
{
    static client held[3];
    prepare();
    config.http.max_connections = 2;
    open_door();
    for (int i = 0; i < 2; i++) {
        connect_or_fail(&held[i]);
        CU_ASSERT_TRUE(is_alive(&held[i]));
    }
    connect_or_fail(&held[2]);
    CU_ASSERT_EQUAL(client_ask(&held[2], &answer, "GET", "/health", NULL), 503);
    CU_ASSERT(client_answer_has(&answer, "Retry-After: 1\r\n", "TOO_MANY_CONNECTIONS"));
    CU_ASSERT_TRUE(client_sees_end(&held[2]));
    client_close(&held[2]);
    CU_ASSERT_TRUE(is_alive(&held[0]));
    client_close(&held[0]);
    /* The door learns of the end when it gets to it: ask until there is room. */
    unsigned status = 503;
    for (int i = 0; i < 1000 && status == 503; i++) {
        connect_or_fail(&held[0]);
        status = client_ask(&held[0], &answer, "GET", "/health", NULL);
        if (status == 503)
            client_close(&held[0]);
    }
    CU_ASSERT_EQUAL(status, 200);
    client_close(&held[0]);
    client_close(&held[1]);
    close_door();
}

static void test_a_stop_answers_what_was_taken(void)
{
    enum { CLIENTS = 16, ROUNDS = 3 };
    static client clients[CLIENTS];
    for (int round = 0; round < ROUNDS; round++) {
        prepare();
        open_door();
        for (int i = 0; i < CLIENTS; i++) {
            connect_or_fail(&clients[i]);
            if (i % 4 < 2) /* the others may still be in the kernel's queue */
                CU_ASSERT_TRUE(is_alive(&clients[i]));
        }
        /* Half of a request each, the rest for the even ones: those are taken, these are not. */
        static const char text[] = POST_HEAD "Content-Length: 53\r\n\r\n" ORDER("buy", "1");
        for (int i = 0; i < CLIENTS; i++)
            CU_ASSERT_TRUE(client_send(&clients[i], text, i % 2 ? 40 : sizeof text - 1));
        door.ops->stop(&door);
        for (int i = 0; i < CLIENTS; i++) {
            bool complete = client_read(&clients[i], &answer, false);
            CU_ASSERT_EQUAL(complete, i % 2 == 0);
            CU_ASSERT(!complete || answer.status == 200);
            CU_ASSERT_TRUE(client_sees_end(&clients[i]));
            client_close(&clients[i]);
        }
        CU_ASSERT_FALSE(client_connect(&clients[0], door.address));
        end_core();
    }
}

static void test_a_port_in_use_is_named(void)
{
    prepare();
    open_door();
    matching_transport second = {.ops = &matching_http_transport,
                                 .config = &config,
                                 .access = &access_rules,
                                 .core = door.core};
    config.http.port = (uint16_t)atoi(strrchr(door.address, ':') + 1);
    /* Ports are made before the core runs; start needs none. */
    CU_ASSERT_NOT_EQUAL(second.ops->init(&second), 0);
    CU_ASSERT_NOT_EQUAL(second.ops->start(&second), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(second.error, strrchr(door.address, ':') + 1));
    CU_ASSERT_PTR_NOT_NULL(strstr(second.error, "127.0.0.1"));
    CU_ASSERT_PTR_NOT_NULL(strstr(second.error, "--http-port"));
    second.ops->stop(&second);
    second.ops->fini(&second);
    close_door();
}

static void test_ipv6(void)
{
    prepare();
    snprintf(config.bind, sizeof config.bind, "::1");
    int probe = socket(AF_INET6, SOCK_STREAM, 0);
    struct sockaddr_in6 loopback = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    bool available = probe >= 0 && bind(probe, (struct sockaddr *)&loopback, sizeof loopback) == 0;
    if (probe >= 0)
        close(probe);
    if (!available) {
        printf("skipped: no IPv6 loopback here ");
        return;
    }
    open_door();
    CU_ASSERT_EQUAL(strncmp(door.address, "[::1]:", 6), 0);
    close_door();
}

MATCHING_TESTS(MATCHING_TEST(test_a_body_too_large_is_refused_and_the_connection_ends),
               MATCHING_TEST(test_a_head_too_large_is_refused_in_json),
               MATCHING_TEST(test_an_endless_body_ends_the_connection),
               MATCHING_TEST(test_continue_is_said_to_those_who_wait_for_it),
               MATCHING_TEST(test_a_client_that_vanishes_harms_nobody),
               MATCHING_TEST(test_connections_beyond_the_limit_are_told_so),
               MATCHING_TEST(test_a_stop_answers_what_was_taken),
               MATCHING_TEST(test_a_port_in_use_is_named), MATCHING_TEST(test_ipv6))
