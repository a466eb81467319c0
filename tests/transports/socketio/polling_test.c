/* Polling and the upgrade, byte by byte. */
#include <sys/socket.h>
#include <unistd.h>

#include "door_fixture.h"
#include "matching/connections.h"

#define BAD_REQUEST "{\"code\":3,\"message\":\"Bad request\"}"
#define UNKNOWN_SID "{\"code\":1,\"message\":\"Session ID unknown\"}"
#define UNKNOWN_TRANSPORT "{\"code\":0,\"message\":\"Transport unknown\"}"
#define BAD_METHOD "{\"code\":2,\"message\":\"Bad handshake method\"}"
#define UNSUPPORTED "{\"code\":5,\"message\":\"Unsupported protocol version\"}"

static char query[64];
static int fd, other;

static void setup(void)
{
    prepare();
    open_door();
    fd = dial();
    other = dial();
}

static void teardown(void)
{
    close(fd);
    close(other);
    close_door();
}

/* What was sent on another connection has been read once these are answered: libwebsockets may
 * need a turn of the loop to be ready for a next request, and one to read it; each of these takes
 * one. */
static void wait_for_turns(void)
{
    for (unsigned i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(ask(other, "GET", "", NULL)->status, 200);
    }
}

static void test_a_handshake_tells_the_terms(void)
{
    setup();
    const answer *got = ask(fd, "GET", "", NULL);
    CU_ASSERT_EQUAL(got->status, 200);
    CU_ASSERT_TRUE(has(got, "\",\"upgrades\":[\"websocket\"],\"pingInterval\":25000,"
                            "\"pingTimeout\":20000,\"maxPayload\":65536}"));
    CU_ASSERT_PTR_NOT_NULL(strstr(got->head, "Content-Type: text/plain; charset=UTF-8\r\n"));
    join_namespace(fd, query); /* the same connection goes on */
    teardown();
}

/* The line's first word and the target; the rest is as usual. */
static const answer *ask_target(const char *line)
{
    char bytes[512];
    snprintf(bytes, sizeof bytes, "%s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", line,
             strncmp(line, "P", 1) == 0 ? "Content-Length: 0\r\n" : "");
    int one = dial();
    say(one, bytes);
    const answer *got = hear(one);
    close(one);
    return got;
}

static void test_bad_handshakes_are_told_why(void)
{
    static const struct {
        const char *line, *body;
    } table[] = {
        {"GET /socket.io/?EIO=3&transport=polling", UNSUPPORTED},
        {"GET /socket.io/?transport=polling", UNSUPPORTED},
        {"GET /socket.io/", UNSUPPORTED},
        {"GET /socket.io/?EIO=4&transport=flash", UNKNOWN_TRANSPORT},
        {"GET /socket.io/?EIO=4", UNKNOWN_TRANSPORT},
        {"GET /socket.io/?EIO=4&transport=websocket", BAD_REQUEST},
        {"POST /socket.io/?EIO=4&transport=polling", BAD_METHOD},
        {"PUT /socket.io/?EIO=4&transport=polling", BAD_METHOD},
        {"HEAD /socket.io/?EIO=4&transport=polling", ""},
        {"DELETE /socket.io/?EIO=4&transport=polling", BAD_METHOD},
        {"GET /socket.io/?EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA", UNKNOWN_SID},
        {"GET /socket.io/?EIO=4&transport=polling&sid=short", UNKNOWN_SID},
        {"POST /socket.io/?EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA", UNKNOWN_SID},
    };
    setup();
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        expect(ask_target(table[i].line), 400, table[i].body);
    }
    CU_ASSERT_EQUAL(ask_target("GET /socket.io")->status, 404);
    CU_ASSERT_EQUAL(ask_target("GET /ws")->status, 404);
    CU_ASSERT_EQUAL(ask_target("GET /health")->status, 200);
    teardown();
}

static const answer *ask_upgrade(const char *target)
{
    char bytes[512];
    snprintf(bytes, sizeof bytes,
             "GET %s HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
             target);
    int one = dial();
    say(one, bytes);
    const answer *got = hear(one);
    close(one);
    return got;
}

static void test_bad_websocket_handshakes_are_told_why(void)
{
    setup();
    expect(ask_upgrade("/socket.io/?EIO=3&transport=websocket"), 400, UNSUPPORTED);
    expect(ask_upgrade("/socket.io/?EIO=4&transport=polling"), 400, BAD_REQUEST);
    expect(ask_upgrade("/socket.io/?EIO=4&transport=websocket&sid=AAAAAAAAAAAAAAAAAAAA"), 400,
           UNKNOWN_SID);
    CU_ASSERT_EQUAL(ask_upgrade("/socket.io/?EIO=4&transport=websocket")->status, 101);
    teardown();
}

static void test_a_second_get_ends_the_session(void)
{
    setup();
    open_session(fd, query);
    request(fd, "GET", query, NULL);
    /* Which of the two the door sees first is its affair: the later one is at fault. */
    request(other, "GET", query, NULL);
    const answer *got = hear(fd);
    bool first = got->status == 200;
    expect(got, first ? 200 : 400, first ? "1" : BAD_REQUEST);
    expect(hear(other), first ? 400 : 200, first ? BAD_REQUEST : "1");
    expect(ask(dial(), "GET", query, NULL), 400, UNKNOWN_SID);
    teardown();
}

static void test_a_second_post_ends_the_session(void)
{
    char bytes[256];
    setup();
    open_session(fd, query);
    snprintf(bytes, sizeof bytes,
             "POST /socket.io/?EIO=4&transport=polling%s HTTP/1.1\r\nHost: localhost\r\n"
             "Content-Length: 2\r\n\r\n",
             query);
    say(fd, bytes);
    say(fd, "4"); /* half of it */
    wait_for_turns();
    expect(ask(other, "POST", query, "3"), 400, BAD_REQUEST);
    say(fd, "x");
    expect(hear(fd), 400, UNKNOWN_SID);
    teardown();
}

static void test_a_close_packet_releases_the_get(void)
{
    setup();
    open_session(fd, query);
    request(fd, "GET", query, NULL);
    wait_for_turns();
    expect(ask(other, "POST", query, "1"), 200, "ok");
    expect(hear(fd), 200, "6");
    expect(ask(fd, "GET", query, NULL), 400, UNKNOWN_SID);
    teardown();
}

static void test_a_get_that_breaks_off_ends_the_session(void)
{
    setup();
    open_session(fd, query);
    request(fd, "GET", query, NULL);
    wait_for_turns();
    shutdown(fd, SHUT_WR);
    CU_ASSERT_EQUAL(hear(fd)->status, 0); /* the door has seen it */
    expect(ask(other, "GET", query, NULL), 400, UNKNOWN_SID);
    teardown();
}

static void test_bodies_that_are_none_end_the_session(void)
{
    static const char *const bad[] = {"abc", "", "7", "6\x1e", "2", "4abc", "42{}"};
    setup();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        open_session(fd, query);
        unsigned status = ask(fd, "POST", query, bad[i])->status;
        CU_ASSERT_EQUAL(status, i < 4 ? 400 : 200); /* packets they are, but not good ones */
        expect(ask(fd, "GET", query, NULL), 400, UNKNOWN_SID);
    }
    teardown();
}

static void test_bodies_have_a_limit(void)
{
    char bytes[256];
    setup();
    open_session(fd, query);
    snprintf(bytes, sizeof bytes,
             "POST /socket.io/?EIO=4&transport=polling%s HTTP/1.1\r\nHost: localhost\r\n"
             "Content-Length: 65537\r\n\r\n",
             query);
    say(other, bytes);
    CU_ASSERT_EQUAL(hear(other)->status, 413);
    close(other);
    other = dial();
    snprintf(bytes, sizeof bytes,
             "POST /socket.io/?EIO=4&transport=polling%s HTTP/1.1\r\nHost: localhost\r\n"
             "Transfer-Encoding: chunked\r\n\r\n",
             query);
    say(other, bytes);
    CU_ASSERT_EQUAL(hear(other)->status, 411);
    static char most[65536 + 1];
    memset(most, 'x', sizeof most - 1);
    memcpy(most, "4", 1);
    snprintf(bytes, sizeof bytes,
             "POST /socket.io/?EIO=4&transport=polling%s HTTP/1.1\r\nHost: localhost\r\n"
             "Content-Length: 65536\r\n\r\n",
             query);
    say(fd, bytes);
    say(fd, most); /* the longest that is read, though it is no good message */
    expect(hear(fd), 200, "ok");
    teardown();
}

/* A body of so many packets is taken in several turns; then the connection goes on. */
static void test_a_long_body_is_answered_when_it_is_done(void)
{
    static char body[60000];
    size_t length = 0, count = 0;
    setup();
    join_namespace(fd, query);
    while (length < sizeof body - 100) {
        length += (size_t)snprintf(body + length, sizeof body - length,
                                   "42/ws/kline,[\"subscribe\",{\"topic\":\"token_events\"}]\x1e");
        count++;
    }
    length += (size_t)snprintf(body + length, sizeof body - length, "3");
    expect(ask(fd, "POST", query, body), 200, "ok");
    size_t confirmed = 0;
    while (confirmed < count) {
        const answer *got = ask(fd, "GET", query, NULL);
        CU_ASSERT_EQUAL_FATAL(got->status, 200);
        for (const char *at = got->body; (at = strstr(at, "subscription_confirmed")) != NULL;
             at++) {
            confirmed++;
        }
    }
    CU_ASSERT_EQUAL(confirmed, count);
    expect(ask(fd, "POST", query, "1"), 200, "ok");
    teardown();
}

static void test_requests_may_follow_one_another_at_once(void)
{
    char bytes[512];
    setup();
    open_session(fd, query);
    snprintf(bytes, sizeof bytes,
             "GET /socket.io/?EIO=4&transport=polling%s HTTP/1.1\r\nHost: localhost\r\n\r\n"
             "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n",
             query);
    say(fd, bytes); /* the second waits for the first, and the first for something to say */
    wait_for_turns();
    expect(ask(other, "POST", query, "40"), 200, "ok");
    expect(hear(fd), 200, "44{\"message\":\"Invalid namespace\"}");
    CU_ASSERT_TRUE(has(hear(fd), "\"service\":\"socketio-matching-service\""));
    teardown();
}

/* Node's clients take a connection for one that lasts unless the answer says otherwise, whatever
 * they asked for. */
static void test_a_last_answer_says_so(void)
{
    static const char *const paths[] = {"/health", "/socket.io/?EIO=4&transport=polling",
                                        "/socket.io/?EIO=3&transport=polling"};
    setup();
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        char bytes[256];
        int one = dial();
        snprintf(bytes, sizeof bytes, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", paths[i]);
        say(one, bytes);
        CU_ASSERT_PTR_NULL(strstr(hear(one)->head, "Connection: close\r\n"));
        snprintf(bytes, sizeof bytes,
                 "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", paths[i]);
        say(one, bytes);
        CU_ASSERT_PTR_NOT_NULL(strstr(hear(one)->head, "Connection: close\r\n"));
        CU_ASSERT_EQUAL(hear(one)->status, 0);
        close(one);
    }
    teardown();
}

static void test_strangers_stay_outside(void)
{
    setup();
    say(fd, "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: localhost\r\n"
            "Origin: http://evil.example\r\n\r\n");
    CU_ASSERT_EQUAL(hear(fd)->status, 403);
    say(other, "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: evil.example\r\n\r\n");
    CU_ASSERT_EQUAL(hear(other)->status, 403);
    teardown();
}

static void test_allowed_origins_are_told_so(void)
{
    prepare();
    snprintf(access_rules.allow_origins[0], sizeof access_rules.allow_origins[0], "*");
    access_rules.allow_origin_count = 1;
    open_door();
    fd = dial();
    other = dial();
    say(fd, "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: localhost\r\n"
            "Origin: https://charts.example\r\n\r\n");
    const answer *got = hear(fd);
    CU_ASSERT_EQUAL(got->status, 200);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(got->head, "Access-Control-Allow-Origin: https://charts.example\r\n"));
    say(fd, "OPTIONS /socket.io/?EIO=4&transport=polling&sid=x HTTP/1.1\r\nHost: localhost\r\n"
            "Origin: https://charts.example\r\nAccess-Control-Request-Method: POST\r\n\r\n");
    got = hear(fd);
    CU_ASSERT_EQUAL(got->status, 204);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(got->head, "Access-Control-Allow-Origin: https://charts.example\r\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(got->head, "Access-Control-Allow-Methods: GET, POST, OPTIONS"));
    CU_ASSERT_PTR_NOT_NULL(strstr(
        got->head, "Access-Control-Allow-Headers: content-type, traceparent, tracestate\r\n"));
    open_session(fd, query); /* and the connection goes on */
    teardown();
}

static void test_pings_are_answered_or_it_ends(void)
{
    prepare();
    config.socketio.ping_interval_s = 1;
    config.socketio.ping_timeout_s = 1;
    open_door();
    fd = dial();
    other = dial();
    open_session(fd, query);
    expect(ask(fd, "GET", query, NULL), 200, "2");
    expect(ask(other, "POST", query, "3"), 200, "ok");
    expect(ask(fd, "GET", query, NULL), 200, "2"); /* alive */
    expect(ask(fd, "GET", query, NULL), 200, "1"); /* no pong */
    expect(ask(fd, "GET", query, NULL), 400, UNKNOWN_SID);
    teardown();
}

static void test_an_upgrade_moves_the_session(void)
{
    ws_client probe, late;
    setup();
    join_namespace(fd, query);
    request(fd, "GET", query, NULL);
    wait_for_turns();
    CU_ASSERT_TRUE_FATAL(ws_open(&probe, query));
    ws_say(&probe, "2probe");
    CU_ASSERT_STRING_EQUAL(ws_hear(&probe), "3probe");
    expect(hear(fd), 200, "6");
    expect(ask(other, "POST", query, "42/ws/kline,1[\"subscribe\",{\"topic\":\"token_events\"}]"),
           200, "ok"); /* its answers wait for the WebSocket */
    ws_say(&probe, "5");
    CU_ASSERT_TRUE(strstr(ws_hear(&probe), "[\"subscription_confirmed\"") != NULL);
    CU_ASSERT_TRUE(strstr(ws_hear(&probe), "43/ws/kline,1[") != NULL);
    expect(ask(fd, "GET", query, NULL), 400, BAD_REQUEST);
    expect(ask(fd, "POST", query, "3"), 400, BAD_REQUEST);
    CU_ASSERT_FALSE(ws_open(&late, query));
    ws_say(&probe, "42/ws/kline,2[\"unsubscribe\",{\"topic\":\"token_events\"}]");
    CU_ASSERT_TRUE(ws_until(&probe, "43/ws/kline,2["));
    ws_client_close(&probe);
    teardown();
}

static matching_connections_metrics measure(void)
{
    matching_connections_metrics metrics;
    matching_connections_measure(door.core, &metrics);
    return metrics;
}

/* Both carriers are connections, one after the other; what waited for a GET and was sent by the
 * WebSocket is counted once. */
static void test_an_upgrade_ends_one_connection_and_goes_on_with_another(void)
{
    ws_client probe;
    matching_connection_info info;
    uint64_t position = 0;
    setup();
    join_namespace(fd, query); /* three packets: open, connect, connection_success */
    matching_connections_metrics metrics = measure();
    CU_ASSERT_EQUAL(metrics.opened, 1);
    CU_ASSERT_EQUAL(metrics.active, 1);
    CU_ASSERT_EQUAL(metrics.messages_sent, 3);
    expect(ask(other, "POST", query, "42/ws/kline,1[\"subscribe\",{\"topic\":\"token_events\"}]"),
           200, "ok");
    CU_ASSERT_EQUAL(measure().subscriptions, 1);
    CU_ASSERT_TRUE_FATAL(ws_open(&probe, query));
    ws_say(&probe, "2probe");
    CU_ASSERT_STRING_EQUAL(ws_hear(&probe), "3probe");
    CU_ASSERT_EQUAL(measure().active, 2);
    ws_say(&probe, "5");
    CU_ASSERT_TRUE(ws_until(&probe, "43/ws/kline,1["));
    metrics = measure();
    CU_ASSERT_EQUAL(metrics.opened, 2);
    CU_ASSERT_EQUAL(metrics.active, 1);
    CU_ASSERT_EQUAL(metrics.subscriptions, 1);
    CU_ASSERT_EQUAL(metrics.messages_sent, 6); /* 3probe, subscription_confirmed, the answer */
    CU_ASSERT_EQUAL(metrics.received, 4);
    CU_ASSERT_TRUE(matching_connections_next(door.core, &position, &info));
    CU_ASSERT_EQUAL(info.counts[MATCHING_CONNECTION_MESSAGES_SENT], 3);
    CU_ASSERT_EQUAL(info.counts[MATCHING_CONNECTION_SUBSCRIPTIONS], 1);
    CU_ASSERT_FALSE(matching_connections_next(door.core, &position, &info));
    ws_client_close(&probe);
    teardown();
}

static void test_a_bad_probe_leaves_the_session(void)
{
    ws_client probe;
    const char *text;
    size_t length;
    setup();
    open_session(fd, query);
    CU_ASSERT_TRUE_FATAL(ws_open(&probe, query));
    ws_say(&probe, "5");
    CU_ASSERT_FALSE(ws_client_receive(&probe, &text, &length, DEADLINE_MS));
    CU_ASSERT_EQUAL(probe.close_code, 1002);
    ws_client_close(&probe);
    CU_ASSERT_TRUE_FATAL(ws_open(&probe, query)); /* it may try again */
    ws_client_close(&probe);
    expect(ask(fd, "POST", query, "40"), 200, "ok");
    expect(ask(fd, "GET", query, NULL), 200, "44{\"message\":\"Invalid namespace\"}");
    teardown();
}

static void test_stopping_answers_those_who_wait(void)
{
    setup();
    open_session(fd, query);
    request(fd, "GET", query, NULL);
    wait_for_turns();
    door.ops->stop(&door);
    expect(hear(fd), 200, "1");
    teardown();
}

static void test_sessions_have_a_limit(void)
{
    prepare();
    config.socketio.max_connections = 2;
    open_door();
    fd = dial();
    other = dial();
    open_session(fd, query);
    open_session(fd, query);
    CU_ASSERT_EQUAL(measure().active, 2);
    CU_ASSERT_EQUAL(ask(fd, "GET", "", NULL)->status, 503);
    CU_ASSERT_EQUAL(ask_upgrade("/socket.io/?EIO=4&transport=websocket")->status, 503);
    expect(ask(fd, "POST", query, "1"), 200, "ok");
    open_session(fd, query);
    teardown();
}

MATCHING_TESTS(MATCHING_TEST(test_a_handshake_tells_the_terms),
               MATCHING_TEST(test_bad_handshakes_are_told_why),
               MATCHING_TEST(test_bad_websocket_handshakes_are_told_why),
               MATCHING_TEST(test_a_second_get_ends_the_session),
               MATCHING_TEST(test_a_second_post_ends_the_session),
               MATCHING_TEST(test_a_close_packet_releases_the_get),
               MATCHING_TEST(test_a_get_that_breaks_off_ends_the_session),
               MATCHING_TEST(test_bodies_that_are_none_end_the_session),
               MATCHING_TEST(test_bodies_have_a_limit),
               MATCHING_TEST(test_a_long_body_is_answered_when_it_is_done),
               MATCHING_TEST(test_requests_may_follow_one_another_at_once),
               MATCHING_TEST(test_a_last_answer_says_so),
               MATCHING_TEST(test_strangers_stay_outside),
               MATCHING_TEST(test_allowed_origins_are_told_so),
               MATCHING_TEST(test_pings_are_answered_or_it_ends),
               MATCHING_TEST(test_an_upgrade_moves_the_session),
               MATCHING_TEST(test_an_upgrade_ends_one_connection_and_goes_on_with_another),
               MATCHING_TEST(test_a_bad_probe_leaves_the_session),
               MATCHING_TEST(test_stopping_answers_those_who_wait),
               MATCHING_TEST(test_sessions_have_a_limit))
