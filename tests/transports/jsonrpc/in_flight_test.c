/* Order calls wait for their result without a thread: 10,000 at one time before a core that takes
 * its time.
 */
#include <time.h>

#include "door_client.h"
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

MATCHING_TESTS(MATCHING_TEST(test_ten_thousand_orders_wait_without_a_thread))
