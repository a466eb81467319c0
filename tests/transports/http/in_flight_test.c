/* Order calls wait for their result without a thread: many at one time before a core that takes
 * its time.
 */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "door_fixture.h"
#include "support/cunit_main.h"
#include "support/held_core.h"

enum { WANTED = 2000, SPARE_DESCRIPTORS = 64, TURNS_MAX = 3000 };

/* A client takes two descriptors, as both ends are in this process. */
static size_t affordable_clients(void)
{
    struct rlimit files;
    CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_NOFILE, &files), 0);
    files.rlim_cur = files.rlim_max;
    CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_NOFILE, &files), 0);
    size_t most = (size_t)(files.rlim_cur - SPARE_DESCRIPTORS) / 2;
    return most < WANTED ? most : WANTED;
}

static void test_many_orders_wait_without_a_thread(void)
{
    static int fds[WANTED];
    static client one;
    size_t count = affordable_clients();
    prepare();
    core_options.ring_size = 16384;
    held_core_hold(WANTED);
    open_door();
    connect_or_fail(&one);
    CU_ASSERT_TRUE(is_alive(&one));
    size_t threads = held_core_threads();
    for (size_t i = 0; i < count; i++) {
        client each;
        CU_ASSERT_TRUE_FATAL(client_connect(&each, door.address));
        CU_ASSERT_TRUE(
            client_send_text(&each, POST_HEAD "Content-Length: 53\r\n\r\n" ORDER("buy", "1")));
        fds[i] = each.fd;
    }
    for (int turn = 0; turn < TURNS_MAX && held_core_count() < count; turn++) {
        const struct timespec length = {0, 10000000};
        nanosleep(&length, NULL);
    }
    CU_ASSERT_EQUAL(held_core_count(), count);
    CU_ASSERT_TRUE(is_alive(&one)); /* nobody waits behind them */
    CU_ASSERT_EQUAL(held_core_threads(), threads);
    held_core_let_go();
    CU_ASSERT_TRUE(is_alive(&one));
    for (size_t i = 0; i < count; i++) {
        static client each;
        each.fd = fds[i];
        each.length = 0;
        CU_ASSERT_TRUE(client_read(&each, &answer, false));
        CU_ASSERT_EQUAL(answer.status, 200);
        client_close(&each);
    }
    client_close(&one);
    close_door();
    held_core_fini();
}

MATCHING_TESTS(MATCHING_TEST(test_many_orders_wait_without_a_thread))
