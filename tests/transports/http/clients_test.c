/* Tests of what the HTTP door grants to each client, through real sockets: time for a request's
 * parts, connections and requests of an address, requests of a trader.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "door_fixture.h"
#include "support/cunit_main.h"

#define TURN_MS 20
#define TURNS_MAX 2000

/* A client from another address of this machine. */
static int dial_from(const char *own_address)
{
    struct sockaddr_in own = {.sin_family = AF_INET};
    struct sockaddr_in to = {.sin_family = AF_INET};
    inet_pton(AF_INET, own_address, &own.sin_addr);
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    to.sin_port = htons((uint16_t)atoi(strrchr(door.address, ':') + 1));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CU_ASSERT_TRUE_FATAL(fd >= 0);
    CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&own, sizeof own), 0);
    CU_ASSERT_EQUAL_FATAL(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static void connect_from(client *self, const char *own_address)
{
    struct timeval deadline = {.tv_sec = CLIENT_DEADLINE_S};
    self->length = 0;
    self->fd = dial_from(own_address);
    setsockopt(self->fd, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof deadline);
}

/* Has the other side ended it? Does not wait; what it said before is thrown away. */
static bool has_ended(int fd)
{
    char bytes[4096];
    ssize_t got;
    while ((got = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
        ;
    return got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

static void pause_ms(long ms)
{
    const struct timespec length = {0, ms * 1000000};
    nanosleep(&length, NULL);
}

/* Sends the last byte of each text again and again, until all have been ended. */
static size_t drip_until_ended(int *fds, const char *const *texts, size_t count, size_t text_count)
{
    size_t left = count;
    for (int turn = 0; turn < TURNS_MAX && left > 0; turn++) {
        pause_ms(TURN_MS);
        for (size_t i = 0; i < count; i++) {
            const char *text = texts[i % text_count];
            if (fds[i] < 0)
                continue;
            bool sent = send(fds[i], text + strlen(text) - 1, 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1;
            if (!sent || has_ended(fds[i])) {
                close(fds[i]);
                fds[i] = -1;
                left--;
            }
        }
    }
    return left;
}

static const char *const DRIPS[] = {
    "GET /a",
    "GET / HTTP/1.1\r\nHost: localhost\r\nX: a",
    POST_HEAD "Content-Length: 60000\r\n\r\n{ ",
    POST_HEAD "Transfer-Encoding: chunked\r\n\r\n3e8\r\n ",
    /* After a request that was answered. */
    "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\nGET /a",
};

enum { DRIP_COUNT = sizeof DRIPS / sizeof DRIPS[0] };

static void begin_to_drip(int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *text = DRIPS[i % DRIP_COUNT];
        fds[i] = dial_from("127.0.0.1");
        CU_ASSERT_EQUAL_FATAL(send(fds[i], text, strlen(text), MSG_NOSIGNAL),
                              (ssize_t)strlen(text));
    }
}

/* Only the deadline that is short can be the one that ended them. */
static void test_each_part_of_a_request_has_its_deadline(void)
{
    static const struct {
        uint32_t header_ms, body_ms;
        bool is_ended[DRIP_COUNT];
    } cases[] = {
        {200, 600000, {true, true, false, false, true}},
        {600000, 200, {false, false, true, true, false}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int fds[DRIP_COUNT];
        prepare();
        config.http.limits.header_timeout_ms = cases[i].header_ms;
        config.http.limits.body_timeout_ms = cases[i].body_ms;
        config.http.limits.idle_timeout_ms = 600000;
        open_door();
        begin_to_drip(fds, DRIP_COUNT);
        for (size_t j = 0; j < DRIP_COUNT; j++) {
            if (cases[i].is_ended[j])
                CU_ASSERT_EQUAL(drip_until_ended(&fds[j], &DRIPS[j], 1, 1), 0);
        }
        for (size_t j = 0; j < DRIP_COUNT; j++) {
            if (cases[i].is_ended[j])
                continue;
            CU_ASSERT_FALSE(has_ended(fds[j]));
            close(fds[j]);
        }
        close_door();
    }
}

static void test_idle_connections_are_ended(void)
{
    static client fresh;
    static client used;
    prepare();
    config.http.limits.header_timeout_ms = 600000;
    config.http.limits.body_timeout_ms = 600000;
    config.http.limits.idle_timeout_ms = 200;
    open_door();
    connect_or_fail(&fresh);
    connect_or_fail(&used);
    CU_ASSERT_TRUE(is_alive(&used));
    CU_ASSERT_TRUE(client_sees_end(&fresh));
    CU_ASSERT_TRUE(client_sees_end(&used));
    client_close(&fresh);
    client_close(&used);
    close_door();
}

static void test_dripping_clients_do_not_keep_honest_ones_waiting(void)
{
    enum { DRIPPING = 500, HONEST = 8, ROUNDS = 40 };
    static int fds[DRIPPING];
    static client honest[HONEST];
    prepare();
    config.http.limits.header_timeout_ms = 1000;
    config.http.limits.body_timeout_ms = 1000;
    open_door();
    begin_to_drip(fds, DRIPPING);
    for (int i = 0; i < HONEST; i++)
        connect_or_fail(&honest[i]);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < DRIPPING; i++) {
            const char *text = DRIPS[i % DRIP_COUNT];
            (void)send(fds[i], text + strlen(text) - 1, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        }
        for (int i = 0; i < HONEST; i++)
            CU_ASSERT_EQUAL(
                client_ask(&honest[i], &answer, "POST", "/api/orders", ORDER("buy", "1")), 200);
    }
    CU_ASSERT_EQUAL(drip_until_ended(fds, DRIPS, DRIPPING, DRIP_COUNT), 0);
    for (int i = 0; i < HONEST; i++) {
        CU_ASSERT_TRUE(is_alive(&honest[i]));
        client_close(&honest[i]);
    }
    close_door();
}

static void test_connections_of_an_address_are_limited(void)
{
    static client held[3];
    static client other;
    prepare();
    config.http.limits.max_connections_per_address = 2;
    open_door();
    for (int i = 0; i < 2; i++) {
        connect_from(&held[i], "127.0.0.2");
        CU_ASSERT_TRUE(is_alive(&held[i]));
    }
    connect_from(&held[2], "127.0.0.2");
    CU_ASSERT_EQUAL(client_ask(&held[2], &answer, "GET", "/health", NULL), 503);
    CU_ASSERT(client_answer_has(&answer, "Retry-After: 1\r\n", "TOO_MANY_CONNECTIONS"));
    CU_ASSERT_TRUE(client_sees_end(&held[2]));
    client_close(&held[2]);
    connect_from(&other, "127.0.0.3");
    CU_ASSERT_TRUE(is_alive(&other));
    client_close(&other);
    client_close(&held[1]);
    /* The door learns of the end when it gets to it: ask until there is room. */
    unsigned status = 503;
    for (int i = 0; i < TURNS_MAX && status != 200; i++) {
        connect_from(&held[1], "127.0.0.2");
        status = client_ask(&held[1], &answer, "GET", "/health", NULL);
        client_close(&held[1]);
    }
    CU_ASSERT_EQUAL(status, 200);
    client_close(&held[0]);
    close_door();
}

/* Those that are let in only to be told so are few, and are ended if they do not ask. */
static void test_a_flood_of_one_address_is_cut_off(void)
{
    enum { FLOOD = 64 };
    static int fds[FLOOD];
    static client other;
    prepare();
    config.http.max_connections = 100;
    config.http.limits.max_connections_per_address = 4;
    config.http.limits.header_timeout_ms = 300;
    open_door();
    for (int i = 0; i < FLOOD; i++)
        fds[i] = dial_from("127.0.0.2");
    connect_from(&other, "127.0.0.3");
    CU_ASSERT_TRUE(is_alive(&other));
    int open = FLOOD;
    for (int turn = 0; turn < TURNS_MAX && open > 4; turn++) {
        open = 0;
        for (int i = 0; i < FLOOD; i++)
            open += !has_ended(fds[i]);
        pause_ms(TURN_MS);
    }
    CU_ASSERT_EQUAL(open, 4);
    CU_ASSERT_TRUE(is_alive(&other));
    for (int i = 0; i < FLOOD; i++)
        close(fds[i]);
    client_close(&other);
    close_door();
}

/* How many of these are let through; the others are refused as they should be. */
static int count_good(client *self, const char *method, const char *target, const char *body,
                      int tries, const char *refusal)
{
    int good = 0;
    for (int i = 0; i < tries; i++) {
        unsigned status = client_ask(self, &answer, method, target, body);
        good += status == 200;
        if (status != 200) {
            CU_ASSERT_EQUAL(status, 429);
            CU_ASSERT(client_answer_has(&answer, "Retry-After: 1\r\n", refusal));
        }
    }
    return good;
}

static void test_requests_of_an_address_are_limited(void)
{
    enum { RATE = 5, TRIES = 50 };
    static client one;
    static client other;
    static const char refusal[] = "\"code\":\"RATE_LIMITED\"}";
    prepare();
    config.http.limits.max_requests_per_second_per_address = RATE;
    open_door();
    connect_from(&one, "127.0.0.2");
    int good = count_good(&one, "GET", "/api/time", NULL, TRIES, refusal);
    CU_ASSERT_TRUE(good >= RATE && good < TRIES);
    /* A body that is not wanted is read all the same, and the connection goes on. */
    (void)count_good(&one, "POST", "/api/orders", ORDER("buy", "1"), TRIES, refusal);
    CU_ASSERT_EQUAL(count_good(&one, "GET", "/health", NULL, TRIES, refusal), TRIES);
    connect_from(&other, "127.0.0.3");
    CU_ASSERT_EQUAL(client_ask(&other, &answer, "GET", "/api/time", NULL), 200);
    /* It may again after its share of a second. */
    unsigned status = 429;
    for (int turn = 0; turn < TURNS_MAX && status == 429; turn++) {
        status = client_ask(&one, &answer, "GET", "/api/time", NULL);
        pause_ms(TURN_MS);
    }
    CU_ASSERT_EQUAL(status, 200);
    client_close(&one);
    client_close(&other);
    close_door();
}

static void test_requests_of_a_trader_are_limited(void)
{
    enum { RATE = 5, TRIES = 50 };
    static client one;
    static const char refusal[] = "\"code\":\"RATE_LIMITED\",\"field\":\"trader_id\"}";
    static const char *const bad = "{\"trader_id\":\"u\",\"side\":\"up\"}";
    prepare();
    config.http.limits.max_requests_per_second_per_trader = RATE;
    open_door();
    connect_or_fail(&one);
    int good = count_good(&one, "POST", "/api/orders", ORDER("buy", "1"), TRIES, refusal);
    CU_ASSERT_TRUE(good >= RATE && good < TRIES);
    CU_ASSERT_EQUAL(count_good(&one, "GET", "/api/orders", NULL, TRIES, refusal), TRIES);
    CU_ASSERT_TRUE(count_good(&one, "GET", "/api/orders?trader_id=t", NULL, TRIES, refusal) <
                   TRIES);
    for (int i = 0; i < TRIES; i++) /* what is no request of his is not counted */
        CU_ASSERT_EQUAL(client_ask(&one, &answer, "POST", "/api/orders", bad), 400);
    CU_ASSERT_EQUAL(client_ask(&one, &answer, "GET", "/api/orders?trader_id=u", NULL), 200);
    client_close(&one);
    close_door();
}

MATCHING_TESTS(MATCHING_TEST(test_each_part_of_a_request_has_its_deadline),
               MATCHING_TEST(test_idle_connections_are_ended),
               MATCHING_TEST(test_dripping_clients_do_not_keep_honest_ones_waiting),
               MATCHING_TEST(test_connections_of_an_address_are_limited),
               MATCHING_TEST(test_a_flood_of_one_address_is_cut_off),
               MATCHING_TEST(test_requests_of_an_address_are_limited),
               MATCHING_TEST(test_requests_of_a_trader_are_limited))
