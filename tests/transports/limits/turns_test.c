/* Who comes when, and that going away leaves the others as they stood. */
#include "turns.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/cunit_main.h"

enum { CLIENTS = 5 };

static matching_turns turns;
static matching_turn waiting[CLIENTS];

static void begin(void)
{
    turns = (matching_turns){0};
    memset(waiting, 0, sizeof waiting);
    for (unsigned i = 0; i < CLIENTS; i++) {
        matching_turns_join(&turns, &waiting[i]);
    }
}

/* These wait, in this order, by both links. */
static void expect(const char *order)
{
    const matching_turn *turn = turns.first, *previous = NULL;
    CU_ASSERT_EQUAL(turns.count, strlen(order));
    for (; *order != '\0'; order++) {
        CU_ASSERT_PTR_EQUAL_FATAL(turn, &waiting[*order - '0']);
        CU_ASSERT_TRUE(turn->is_waiting);
        CU_ASSERT_PTR_EQUAL(turn->previous, previous);
        previous = turn;
        turn = turn->next;
    }
    CU_ASSERT_PTR_NULL(turn);
    CU_ASSERT_PTR_EQUAL(turns.last, previous);
}

static void test_they_come_by_order_of_arrival(void)
{
    begin();
    expect("01234");
    matching_turns_leave(&turns, &waiting[0]);
    matching_turns_join(&turns, &waiting[0]); /* it wants one more */
    expect("12340");
    matching_turns_join(&turns, &waiting[3]); /* it waits already, and keeps its place */
    expect("12340");
}

static void test_who_goes_leaves_no_gap(void)
{
    begin();
    matching_turns_leave(&turns, &waiting[2]);
    expect("0134");
    matching_turns_leave(&turns, &waiting[4]);
    expect("013");
    matching_turns_leave(&turns, &waiting[0]);
    expect("13");
    matching_turns_leave(&turns, &waiting[0]); /* it has gone */
    expect("13");
    matching_turns_leave(&turns, &waiting[1]);
    matching_turns_leave(&turns, &waiting[3]);
    expect("");
    matching_turns_join(&turns, &waiting[4]);
    expect("4");
}

static void test_only_reads_may_wait(void)
{
    static const uint8_t reads[] = {MATCHING_READ_ORDER, MATCHING_READ_ORDERS, MATCHING_READ_TRADES,
                                    MATCHING_READ_CANDLES};
    static const uint8_t others[] = {MATCHING_PLACE,     MATCHING_CANCEL,
                                     MATCHING_AMEND,     MATCHING_CANCEL_ALL,
                                     MATCHING_SET_STATE, MATCHING_ADD_INSTRUMENT};
    for (size_t i = 0; i < sizeof reads; i++) {
        CU_ASSERT_TRUE(matching_turns_may_wait(&(matching_command){.type = reads[i]}));
    }
    for (size_t i = 0; i < sizeof others; i++) {
        CU_ASSERT_FALSE(matching_turns_may_wait(&(matching_command){.type = others[i]}));
    }
}

static void test_nobody_waits_for_more_than_a_minute(void)
{
    const uint64_t since_ns = UINT64_C(7000000123), due_ns = since_ns + MATCHING_TURN_WAIT_NS;
    CU_ASSERT_EQUAL(matching_turns_left_ms(since_ns, since_ns), 60000);
    CU_ASSERT_EQUAL(matching_turns_left_ms(since_ns, since_ns + 1), 60000);
    CU_ASSERT_EQUAL(matching_turns_left_ms(since_ns, since_ns + 1000000), 59999);
    CU_ASSERT_EQUAL(matching_turns_left_ms(since_ns, due_ns - 1), 1);
    CU_ASSERT_EQUAL(matching_turns_left_ms(since_ns, due_ns), 0);
    CU_ASSERT_EQUAL(matching_turns_left_ms(since_ns, due_ns + MATCHING_TURN_WAIT_NS), 0);
}

/* A connection over the loopback: ends[0] is the service's, ends[1] the client's. */
static void connect_ends(int ends[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CU_ASSERT_EQUAL_FATAL(bind(listener, (struct sockaddr *)&address, length), 0);
    CU_ASSERT_EQUAL_FATAL(listen(listener, 1), 0);
    CU_ASSERT_EQUAL_FATAL(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    ends[1] = socket(AF_INET, SOCK_STREAM, 0);
    CU_ASSERT_EQUAL_FATAL(connect(ends[1], (struct sockaddr *)&address, length), 0);
    ends[0] = accept(listener, NULL, NULL);
    CU_ASSERT_TRUE_FATAL(ends[0] >= 0);
    close(listener);
}

static void test_who_has_gone_is_seen(void)
{
    const struct linger at_once = {.l_onoff = 1};
    char byte = 'x';
    int ends[2];
    connect_ends(ends);
    CU_ASSERT_FALSE(matching_turns_has_left(ends[0]));
    CU_ASSERT_EQUAL(send(ends[1], &byte, 1, 0), 1);
    CU_ASSERT_FALSE(matching_turns_has_left(ends[0]));
    CU_ASSERT_EQUAL(recv(ends[0], &byte, 1, MSG_WAITALL), 1); /* only looked at */
    CU_ASSERT_EQUAL(shutdown(ends[1], SHUT_WR), 0);
    CU_ASSERT_TRUE(matching_turns_has_left(ends[0]));
    close(ends[0]);
    close(ends[1]);
    connect_ends(ends);
    CU_ASSERT_EQUAL(setsockopt(ends[1], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    close(ends[1]); /* with a reset */
    CU_ASSERT_TRUE(matching_turns_has_left(ends[0]));
    close(ends[0]);
}

MATCHING_TESTS(MATCHING_TEST(test_they_come_by_order_of_arrival),
               MATCHING_TEST(test_who_goes_leaves_no_gap), MATCHING_TEST(test_only_reads_may_wait),
               MATCHING_TEST(test_nobody_waits_for_more_than_a_minute),
               MATCHING_TEST(test_who_has_gone_is_seen))
