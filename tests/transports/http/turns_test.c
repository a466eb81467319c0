/* Reads that find no room in the core wait until there is some, as long as their client does. */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "door_fixture.h"
#include "matching/command.h"
#include "support/cunit_main.h"
#include "support/held_core.h"

enum { ROOM = 2, READERS = 12, LOOKS_MAX = 3000 };

static const char TRADES[] = "GET /api/market/trades HTTP/1.1\r\nHost: localhost\r\n\r\n";
static client one;

/* A core that takes so many commands and answers none before it is let go. */
static void begin_with(void (*hold)(size_t), size_t room)
{
    prepare();
    hold(room);
    open_door();
    connect_or_fail(&one);
}

static void begin(size_t room)
{
    begin_with(held_core_hold, room);
}

static void end(void)
{
    client_close(&one);
    close_door();
    held_core_fini();
}

static void wait_until_kept(size_t count)
{
    for (int look = 0; look < LOOKS_MAX && held_core_count() < count; look++) {
        const struct timespec length = {0, 10000000};
        nanosleep(&length, NULL);
    }
    CU_ASSERT_EQUAL_FATAL(held_core_count(), count);
}

/* A reader with its request on its way. */
static int ask(const char *request)
{
    static client each;
    CU_ASSERT_TRUE_FATAL(client_connect(&each, door.address));
    CU_ASSERT_TRUE(client_send_text(&each, request));
    return each.fd;
}

static int ask_trades(void)
{
    return ask(TRADES);
}

static unsigned status_of(int fd)
{
    static client each;
    each.fd = fd;
    each.length = 0;
    CU_ASSERT_TRUE(client_read(&each, &answer, false));
    client_close(&each);
    return answer.status;
}

/* The core gives back what it has kept once the door looks: each request makes it look, but not
 * each after this. */
static void let_go(int fd)
{
    struct pollfd one_answer = {.fd = fd, .events = POLLIN};
    held_core_let_go();
    for (int look = 0; look < LOOKS_MAX && poll(&one_answer, 1, 10) == 0; look++) {
        CU_ASSERT_TRUE(is_alive(&one));
    }
}

static void test_each_reader_gets_its_answer(void)
{
    int fds[READERS];
    begin(ROOM);
    for (unsigned i = 0; i < READERS; i++) {
        fds[i] = ask_trades();
    }
    wait_until_kept(ROOM);
    CU_ASSERT_TRUE(is_alive(&one));
    let_go(fds[0]);
    for (unsigned i = 0; i < READERS; i++) {
        CU_ASSERT_EQUAL(status_of(fds[i]), 200);
    }
    end();
}

/* While the core still has no room: so it was not asked for those who left. */
static void test_who_leaves_waits_no_more(void)
{
    static client gone;
    begin(1);
    int first = ask_trades();
    wait_until_kept(1);
    int leaves = ask_trades(), stays = ask_trades();
    CU_ASSERT_TRUE_FATAL(client_connect(&gone, door.address));
    CU_ASSERT_TRUE(client_send_text(&gone, TRADES));
    CU_ASSERT_TRUE(is_alive(&one)); /* the requests have been read */
    CU_ASSERT_EQUAL(shutdown(leaves, SHUT_WR), 0);
    CU_ASSERT_EQUAL(status_of(leaves), 503);
    CU_ASSERT_TRUE(client_answer_has(&answer, NULL, "OVERLOADED"));
    client_reset(&gone);
    CU_ASSERT_TRUE(is_alive(&one));
    let_go(first);
    CU_ASSERT_EQUAL(status_of(first), 200);
    CU_ASSERT_EQUAL(status_of(stays), 200);
    end();
}

static void test_an_order_does_not_wait(void)
{
    static client trader;
    begin(1);
    int reader = ask_trades();
    wait_until_kept(1);
    CU_ASSERT_TRUE_FATAL(client_connect(&trader, door.address));
    CU_ASSERT_EQUAL(client_ask(&trader, &answer, "POST", "/api/orders", ORDER("buy", "1")), 503);
    CU_ASSERT_TRUE(client_answer_has(&answer, NULL, "OVERLOADED"));
    held_core_let_go();
    CU_ASSERT_EQUAL(client_ask(&trader, &answer, "POST", "/api/orders", ORDER("buy", "1")), 200);
    CU_ASSERT_EQUAL(status_of(reader), 200);
    client_close(&trader);
    end();
}

/* They need none of the room that others wait for. */
static void test_a_small_read_does_not_wait(void)
{
    static const struct {
        const char *request;
        unsigned status;
    } reads[] = {
        {"GET /api/market/ticker HTTP/1.1\r\nHost: localhost\r\n\r\n", 200},
        {"GET /api/orders/1 HTTP/1.1\r\nHost: localhost\r\n\r\n", 404}, /* by the core */
    };
    begin_with(held_core_hold_bulk, 1);
    int first = ask_trades();
    wait_until_kept(1);
    int waits = ask_trades();
    CU_ASSERT_TRUE(is_alive(&one)); /* the line is there */
    for (size_t i = 0; i < sizeof reads / sizeof reads[0]; i++) {
        CU_ASSERT_EQUAL(status_of(ask(reads[i].request)), reads[i].status);
        int half_closed = ask(reads[i].request);
        CU_ASSERT_EQUAL(shutdown(half_closed, SHUT_WR), 0);
        CU_ASSERT_EQUAL(status_of(half_closed), reads[i].status);
    }
    CU_ASSERT_EQUAL(held_core_taken(MATCHING_READ_TRADES), 1);
    let_go(first);
    CU_ASSERT_EQUAL(status_of(first), 200);
    CU_ASSERT_EQUAL(status_of(waits), 200);
    end();
}

/* A stop tells those who wait, and does not wait for them. */
static void test_a_stop_answers_those_who_wait(void)
{
    begin(1);
    int first = ask_trades();
    wait_until_kept(1);
    int waits = ask_trades();
    CU_ASSERT_TRUE(is_alive(&one));
    client_close(&one);
    held_core_let_go();
    door.ops->stop(&door);
    CU_ASSERT_EQUAL(status_of(first), 200);
    unsigned status = status_of(waits);
    CU_ASSERT_TRUE(status == 200 || status == 503);
    end_core();
    held_core_fini();
}

MATCHING_TESTS(MATCHING_TEST(test_each_reader_gets_its_answer),
               MATCHING_TEST(test_who_leaves_waits_no_more),
               MATCHING_TEST(test_an_order_does_not_wait),
               MATCHING_TEST(test_a_small_read_does_not_wait),
               MATCHING_TEST(test_a_stop_answers_those_who_wait))
