/* What the door grants to each client, over real sockets: time for a request's parts, connections
 * and calls of an address, calls of a trader.
 */
#include <errno.h>
#include <time.h>

#include "door_client.h"

#define JSON "Content-Type: application/json\r\n"
#define POST_HEAD "POST / HTTP/1.1\r\nHost: localhost\r\n" JSON
#define TURN_MS 20
#define TURNS_MAX 2000
#define ORDER                                                                                      \
    CALL("place_limit_order", "\"trader_id\":\"t\",\"side\":\"buy\",\"price\":1,\"quantity\":1")

static int dial_from(const service *it, const char *own_address)
{
    struct sockaddr_in own = {.sin_family = AF_INET};
    int connection = open_socket();
    inet_pton(AF_INET, own_address, &own.sin_addr);
    CU_ASSERT_EQUAL_FATAL(bind(connection, (const struct sockaddr *)&own, sizeof own), 0);
    connect_socket(it, connection);
    return connection;
}

/* Has the other side ended it? Does not wait; what it said before is thrown away. */
static bool has_ended(int connection)
{
    char bytes[4096];
    ssize_t got;
    while ((got = recv(connection, bytes, sizeof bytes, MSG_DONTWAIT)) > 0) {
    }
    return got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

static void pause_ms(long ms)
{
    const struct timespec length = {0, ms * 1000000};
    nanosleep(&length, NULL);
}

/* The last byte of each is sent again and again. */
static const char *const DRIPS[] = {
    "POST /a",
    POST_HEAD "X: a",
    POST_HEAD "Content-Length: 60000\r\n\r\n ",
    POST_HEAD "Transfer-Encoding: chunked\r\n\r\n3e8\r\n ",
    "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\nPOST /a", /* after one that was answered */
    "POST / HTTP/1.1\nHost: localhost\nContent-Length: 60000\n\n ",
};

enum { DRIP_COUNT = sizeof DRIPS / sizeof DRIPS[0] };

static void drip(int connection, const char *text)
{
    (void)send(connection, text + strlen(text) - 1, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* How many of them last. */
static int drip_until_ended(int *connections, const char *const *texts, int count, int text_count)
{
    int left = count;
    for (int turn = 0; turn < TURNS_MAX && left > 0; turn++) {
        pause_ms(TURN_MS);
        for (int i = 0; i < count; i++) {
            if (connections[i] < 0) {
                continue;
            }
            drip(connections[i], texts[i % text_count]);
            if (has_ended(connections[i])) {
                close(connections[i]);
                connections[i] = -1;
                left--;
            }
        }
    }
    return left;
}

static void begin_to_drip(const service *it, int *connections, int count)
{
    for (int i = 0; i < count; i++) {
        const char *text = DRIPS[i % DRIP_COUNT];
        connections[i] = dial(it);
        send_text(connections[i], text, strlen(text));
    }
}

static void short_headers(service *it)
{
    it->config.jsonrpc.limits = (matching_config_limits){
        .header_timeout_ms = 200, .body_timeout_ms = 600000, .idle_timeout_ms = 600000};
}

static void short_bodies(service *it)
{
    it->config.jsonrpc.limits = (matching_config_limits){
        .header_timeout_ms = 600000, .body_timeout_ms = 200, .idle_timeout_ms = 600000};
}

/* Only the deadline that is short can be the one that ended them. */
static void test_each_part_of_a_request_has_its_deadline(void)
{
    static const struct {
        void (*adjust)(service *);
        bool is_ended[DRIP_COUNT];
    } cases[] = {
        {short_headers, {true, true, false, false, true, false}},
        {short_bodies, {false, false, true, true, false, true}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int connections[DRIP_COUNT];
        service *it = open_service(cases[i].adjust);
        begin_to_drip(it, connections, DRIP_COUNT);
        for (int j = 0; j < DRIP_COUNT; j++) {
            if (cases[i].is_ended[j]) {
                CU_ASSERT_EQUAL(drip_until_ended(&connections[j], &DRIPS[j], 1, 1), 0);
            }
        }
        for (int j = 0; j < DRIP_COUNT; j++) {
            if (!cases[i].is_ended[j]) {
                CU_ASSERT_FALSE(has_ended(connections[j]));
                close(connections[j]);
            }
        }
        close_service(it);
    }
}

static void short_idle(service *it)
{
    it->config.jsonrpc.limits = (matching_config_limits){
        .header_timeout_ms = 600000, .body_timeout_ms = 600000, .idle_timeout_ms = 200};
}

static void test_idle_connections_are_ended(void)
{
    service *it = open_service(short_idle);
    int fresh = dial(it);
    int used = dial(it);
    char rest;
    free(call(used, HEALTH_CALL, "", 200));
    CU_ASSERT_EQUAL(recv(fresh, &rest, 1, 0), 0);
    CU_ASSERT_EQUAL(recv(used, &rest, 1, 0), 0);
    close(fresh);
    close(used);
    close_service(it);
}

static void short_requests(service *it)
{
    it->config.jsonrpc.limits.header_timeout_ms = 1000;
    it->config.jsonrpc.limits.body_timeout_ms = 1000;
}

static void test_dripping_clients_do_not_keep_honest_ones_waiting(void)
{
    enum { DRIPPING = 500, HONEST = 8, ROUNDS = 40 };
    static int connections[DRIPPING];
    int honest[HONEST];
    service *it = open_service(short_requests);
    begin_to_drip(it, connections, DRIPPING);
    for (int i = 0; i < HONEST; i++) {
        honest[i] = dial(it);
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < DRIPPING; i++) {
            drip(connections[i], DRIPS[i % DRIP_COUNT]);
        }
        for (int i = 0; i < HONEST; i++) {
            expect(honest[i], ORDER, "\"status\":\"open\"");
        }
    }
    CU_ASSERT_EQUAL(drip_until_ended(connections, DRIPS, DRIPPING, DRIP_COUNT), 0);
    for (int i = 0; i < HONEST; i++) {
        free(call(honest[i], HEALTH_CALL, "", 200));
        close(honest[i]);
    }
    close_service(it);
}

static void few_connections(service *it)
{
    it->config.jsonrpc.max_connections = 100;
    it->config.jsonrpc.limits.max_connections_per_address = 4;
    it->config.jsonrpc.limits.header_timeout_ms = 300;
}

static void test_connections_of_an_address_are_limited(void)
{
    enum { HELD = 4, FLOOD = 64 };
    static int flood[FLOOD];
    int held[HELD];
    service *it = open_service(few_connections);
    for (int i = 0; i < HELD; i++) {
        held[i] = dial_from(it, "127.0.0.2");
        free(call(held[i], HEALTH_CALL, "", 200));
    }
    int one_more = dial_from(it, "127.0.0.2");
    post(one_more, HEALTH_CALL, "");
    response refused = read_response(one_more);
    CU_ASSERT_EQUAL(refused.status, 503);
    CU_ASSERT_PTR_NOT_NULL(strstr(refused.head, "Retry-After: 1\r\n"));
    free(refused.body);
    close(one_more);
    int other = dial_from(it, "127.0.0.3");
    free(call(other, HEALTH_CALL, "", 200));
    for (int i = 0; i < FLOOD; i++) { /* they say nothing, and are ended all the same */
        flood[i] = dial_from(it, "127.0.0.2");
    }
    int left = FLOOD;
    for (int turn = 0; turn < TURNS_MAX && left > 0; turn++) {
        left = 0;
        for (int i = 0; i < FLOOD; i++) {
            left += !has_ended(flood[i]);
        }
        pause_ms(TURN_MS);
    }
    CU_ASSERT_EQUAL(left, 0);
    for (int i = 0; i < FLOOD; i++) {
        close(flood[i]);
    }
    free(call(other, HEALTH_CALL, "", 200));
    free(call(held[0], HEALTH_CALL, "", 200));
    close(held[1]);
    int status = 503;
    for (int turn = 0; turn < TURNS_MAX && status != 200; turn++) {
        held[1] = dial_from(it, "127.0.0.2");
        post(held[1], HEALTH_CALL, "");
        response got = read_response(held[1]);
        status = got.status;
        free(got.body);
        close(held[1]);
    }
    CU_ASSERT_EQUAL(status, 200);
    close(held[0]);
    close(held[2]);
    close(held[3]);
    close(other);
    close_service(it);
}

enum { RATE = 5, TRIES = 50 };

static void few_calls(service *it)
{
    it->config.jsonrpc.limits.max_requests_per_second_per_address = RATE;
}

static void test_calls_of_an_address_are_limited(void)
{
    service *it = open_service(few_calls);
    int one = dial_from(it, "127.0.0.2");
    int good = 0;
    for (int i = 0; i < TRIES; i++) {
        post(one, HEALTH_CALL, "");
        response got = read_response(one);
        good += got.status == 200;
        if (got.status != 200) {
            CU_ASSERT_EQUAL(got.status, 429);
            CU_ASSERT_PTR_NOT_NULL(strstr(got.head, "Retry-After: 1\r\n"));
            CU_ASSERT_PTR_NOT_NULL(strstr(got.body, "\"data\":{\"code\":\"RATE_LIMITED\"}"));
        }
        free(got.body);
    }
    CU_ASSERT_TRUE(good >= RATE && good < TRIES);
    static const char probe[] = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for (int i = 0; i < TRIES; i++) {
        send_text(one, probe, sizeof probe - 1);
        response got = read_response(one);
        CU_ASSERT_EQUAL(got.status, 200);
        free(got.body);
    }
    close(one);
    close_service(it);
}

/* A batch of so many calls of this text; heap. */
static char *make_batch(const char *text, int count)
{
    char *batch = malloc((strlen(text) + 1) * (size_t)count + 2);
    CU_ASSERT_PTR_NOT_NULL_FATAL(batch);
    char *at = batch;
    for (int i = 0; i < count; i++) {
        at += sprintf(at, "%c%s", i == 0 ? '[' : ',', text);
    }
    strcpy(at, "]");
    return batch;
}

static int count_pieces(const char *text, const char *piece)
{
    int count = 0;
    for (const char *at = text; (at = strstr(at, piece)) != NULL; at += strlen(piece)) {
        count++;
    }
    return count;
}

static void test_each_call_of_a_batch_is_counted(void)
{
    service *it = open_service(few_calls);
    int one = dial_from(it, "127.0.0.2");
    char *batch = make_batch(HEALTH_CALL, TRIES);
    char *answers = call(one, batch, "", 200);
    CU_ASSERT_PTR_NOT_NULL_FATAL(answers);
    int refused = count_pieces(answers, "\"code\":-32000,");
    int good = count_pieces(answers, "\"status\":\"healthy\"");
    CU_ASSERT_EQUAL(good + refused, TRIES);
    CU_ASSERT_EQUAL(count_pieces(answers, "\"code\":\"RATE_LIMITED\""), refused);
    CU_ASSERT_TRUE(good >= RATE && good < TRIES);
    CU_ASSERT_PTR_NOT_NULL(strstr(answers, "[{\"jsonrpc\":\"2.0\",\"result\""));
    free(answers);
    free(batch);
    close(one);
    close_service(it);
}

static void few_calls_of_a_trader(service *it)
{
    it->config.jsonrpc.limits.max_requests_per_second_per_trader = RATE;
}

static void test_calls_of_a_trader_are_limited(void)
{
    service *it = open_service(few_calls_of_a_trader);
    int one = dial(it);
    char *batch = make_batch(ORDER, TRIES);
    char *answers = call(one, batch, "", 200);
    CU_ASSERT_PTR_NOT_NULL_FATAL(answers);
    int refused =
        count_pieces(answers, "\"data\":{\"code\":\"RATE_LIMITED\",\"field\":\"trader_id\"}");
    int good = count_pieces(answers, "\"status\":\"open\"");
    CU_ASSERT_EQUAL(good + refused, TRIES);
    CU_ASSERT_TRUE(good >= RATE && good < TRIES);
    expect(one, CALL("get_open_orders", "\"trader_id\":\"u\""), "\"orders\":[]");
    expect(one, CALL("get_depth", ""), "\"result\"");
    free(answers);
    free(batch);
    close(one);
    close_service(it);
}

MATCHING_TESTS(MATCHING_TEST(test_each_part_of_a_request_has_its_deadline),
               MATCHING_TEST(test_idle_connections_are_ended),
               MATCHING_TEST(test_dripping_clients_do_not_keep_honest_ones_waiting),
               MATCHING_TEST(test_connections_of_an_address_are_limited),
               MATCHING_TEST(test_calls_of_an_address_are_limited),
               MATCHING_TEST(test_each_call_of_a_batch_is_counted),
               MATCHING_TEST(test_calls_of_a_trader_are_limited))
