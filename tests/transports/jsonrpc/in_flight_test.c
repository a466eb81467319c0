/* Order calls wait for their result without a thread: 10,000 at one time before a core that takes
 * its time.
 */
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>

#include "door_client.h"
#include "matching/command.h"
#include "support/held_core.h"

enum { CONNECTIONS = 100, CALLS = 100, ALL = CONNECTIONS * CALLS, TURNS_MAX = 3000 };

#define ORDER                                                                                      \
    CALL("place_limit_order", "\"trader_id\":\"t\",\"side\":\"buy\",\"price\":1,\"quantity\":1,"   \
                              "\"time_in_force\":\"IOC\"")

static void test_ten_thousand_orders_wait_without_a_thread(void)
{
    static char batch[CALLS * sizeof ORDER + 2];
    static int connections[CONNECTIONS];
    char *end = batch;
    for (int i = 0; i < CALLS; i++) {
        end += sprintf(end, "%c%s", i == 0 ? '[' : ',', ORDER);
    }
    strcpy(end, "]");
    held_core_hold(ALL);
    service *it = open_service(NULL);
    int other = dial(it);
    free(call(other, HEALTH_CALL, "", 200));
    size_t threads = held_core_threads();
    for (int i = 0; i < CONNECTIONS; i++) {
        connections[i] = dial(it);
        post(connections[i], batch, "");
    }
    for (int turn = 0; turn < TURNS_MAX && held_core_count() < ALL; turn++) {
        const struct timespec length = {0, 10000000};
        nanosleep(&length, NULL);
    }
    CU_ASSERT_EQUAL(held_core_count(), ALL);
    free(call(other, HEALTH_CALL, "", 200)); /* nobody waits behind them */
    CU_ASSERT_EQUAL(held_core_threads(), threads);
    held_core_let_go();
    free(call(other, HEALTH_CALL, "", 200));
    for (int i = 0; i < CONNECTIONS; i++) {
        response got = read_response(connections[i]);
        CU_ASSERT_EQUAL(got.status, 200);
        int answered = 0;
        for (const char *at = got.body;
             at != NULL && (at = strstr(at, "\"reason\":\"ioc\"")) != NULL; at++) {
            answered++;
        }
        CU_ASSERT_EQUAL(answered, CALLS);
        free(got.body);
        close(connections[i]);
    }
    close(other);
    close_service(it);
    held_core_fini();
}

#define TRADES CALL("get_trades", "")

static void wait_until_kept(size_t count)
{
    for (int turn = 0; turn < TURNS_MAX && held_core_count() < count; turn++) {
        const struct timespec length = {0, 10000000};
        nanosleep(&length, NULL);
    }
    CU_ASSERT_EQUAL_FATAL(held_core_count(), count);
}

static void expect_trades(int connection, unsigned count)
{
    response got = read_response(connection);
    unsigned answered = 0;
    CU_ASSERT_EQUAL(got.status, 200);
    for (const char *at = got.body; at != NULL && (at = strstr(at, "\"trades\":[]")) != NULL;
         at++) {
        answered++;
    }
    CU_ASSERT_EQUAL(answered, count);
    free(got.body);
    close(connection);
}

/* A batch that finds no room goes on read by read, as the others do that wait. */
static void test_reads_wait_their_turn(void)
{
    enum { ROOM = 3, READERS = 20, READS = 6 };
    static char batch[READS * sizeof TRADES + 2];
    int readers[READERS];
    char *end = batch;
    for (int i = 0; i < READS; i++) {
        end += sprintf(end, "%c%s", i == 0 ? '[' : ',', TRADES);
    }
    strcpy(end, "]");
    held_core_hold(ROOM);
    service *it = open_service(NULL);
    int many = dial(it), other = dial(it);
    post(many, batch, "");
    wait_until_kept(ROOM); /* all that it took are the batch's */
    for (unsigned i = 0; i < READERS; i++) {
        readers[i] = dial(it);
        post(readers[i], TRADES, "");
    }
    int leaves = dial(it);
    post(leaves, TRADES, "");
    shutdown(leaves, SHUT_WR);
    free(call(other, HEALTH_CALL, "", 200)); /* what needs no core is not kept waiting */
    held_core_let_go();
    free(call(other, HEALTH_CALL, "", 200));
    for (unsigned i = 0; i < READERS; i++) {
        expect_trades(readers[i], 1);
    }
    expect_trades(many, READS);
    response told = read_response(leaves);
    CU_ASSERT_TRUE(told.body != NULL && strstr(told.body, "OVERLOADED") != NULL);
    free(told.body);
    close(leaves);
    close(other);
    CU_ASSERT_EQUAL(held_core_taken(MATCHING_READ_TRADES), READERS + READS);
    close_service(it);
    held_core_fini();
}

/* They need none of the room that others wait for. */
static void test_a_small_read_does_not_wait(void)
{
    static const struct {
        const char *call, *answer;
    } reads[] = {{CALL("get_ticker", ""), "\"last\":null"},
                 {CALL("get_order", "\"order_id\":1"), "ORDER_NOT_FOUND"}}; /* by the core */
    held_core_hold_bulk(1);
    service *it = open_service(NULL);
    int other = dial(it), first = dial(it), waits = dial(it);
    post(first, TRADES, "");
    wait_until_kept(1);
    post(waits, TRADES, "");
    free(call(other, HEALTH_CALL, "", 200)); /* the line is there */
    for (size_t i = 0; i < sizeof reads / sizeof reads[0]; i++) {
        expect(other, reads[i].call, reads[i].answer);
        int half_closed = dial(it);
        post(half_closed, reads[i].call, "");
        shutdown(half_closed, SHUT_WR);
        response got = read_response(half_closed);
        CU_ASSERT_TRUE(got.body != NULL && strstr(got.body, reads[i].answer) != NULL);
        free(got.body);
        close(half_closed);
    }
    CU_ASSERT_EQUAL(held_core_taken(MATCHING_READ_TRADES), 1);
    held_core_let_go();
    free(call(other, HEALTH_CALL, "", 200));
    expect_trades(first, 1);
    expect_trades(waits, 1);
    close(other);
    close_service(it);
    held_core_fini();
}

static void *stop(void *argument)
{
    service *it = argument;
    it->transport.ops->stop(&it->transport);
    return NULL;
}

/* Those who wait are told so at once, before the core has room; what changes something is done. */
static void test_a_stop_ends_the_waiting(void)
{
    static const char batch[] = "[" TRADES "," ORDER "," TRADES "]";
    static const char last[] = "POST / HTTP/1.1\r\nHost: localhost\r\n";
    pthread_t stopper;
    held_core_hold_bulk(1);
    service *it = open_service(NULL);
    int other = dial(it), first = dial(it), waits = dial(it), late = dial(it);
    post(first, TRADES, "");
    wait_until_kept(1);
    post(waits, batch, "");
    send_text(late, last, strlen(last)); /* it is still to wake the door when the core is let go */
    free(call(other, HEALTH_CALL, "", 200));
    CU_ASSERT_EQUAL_FATAL(pthread_create(&stopper, NULL, stop, it), 0);
    response told = read_response(waits);
    const char *refused = told.body != NULL ? strstr(told.body, "SHUTTING_DOWN") : NULL;
    CU_ASSERT_PTR_NOT_NULL(refused);
    CU_ASSERT_TRUE(refused != NULL && strstr(refused + 1, "SHUTTING_DOWN") != NULL);
    CU_ASSERT_TRUE(told.body != NULL && strstr(told.body, "\"reason\":\"ioc\"") != NULL);
    CU_ASSERT_EQUAL(held_core_taken(MATCHING_READ_TRADES), 1);
    held_core_let_go();
    close(late);
    expect_trades(first, 1);
    pthread_join(stopper, NULL);
    free(told.body);
    close(waits);
    close(other);
    close_service(it);
    held_core_fini();
}

/* Nobody would hear its answer. */
static void test_a_read_without_an_id_is_not_made(void)
{
    static const char notification[] = "{\"jsonrpc\":\"2.0\",\"method\":\"get_trades\"}";
    held_core_hold(1);
    service *it = open_service(NULL);
    int connection = dial(it);
    free(call(connection, notification, "", 204));
    CU_ASSERT_EQUAL(held_core_taken(MATCHING_READ_TRADES), 0);
    close(connection);
    close_service(it);
    held_core_fini();
}

MATCHING_TESTS(MATCHING_TEST(test_ten_thousand_orders_wait_without_a_thread),
               MATCHING_TEST(test_reads_wait_their_turn),
               MATCHING_TEST(test_a_small_read_does_not_wait),
               MATCHING_TEST(test_a_stop_ends_the_waiting),
               MATCHING_TEST(test_a_read_without_an_id_is_not_made))
