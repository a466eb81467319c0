/* Who writes where history is far behind: the usual writer, or the hurried one where that is kept
 * from a processor. How much of a processor a thread has had is the test's to say. */
#define _GNU_SOURCE
#include <CUnit/CUnit.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "exchange.h"
#include "support/cunit_main.h"

#define FAR_BEHIND 110000u /* commands: more than history may lack and be called live */
#define STEP 4096u         /* commands of a commit */
#define NOBODYS_ORDER (UINT64_C(1) << 40)

static exchange x;
static atomic_bool is_starved;
static atomic_uint rests;

int __real_clock_gettime(clockid_t clock, struct timespec *out);
int __wrap_clock_gettime(clockid_t clock, struct timespec *out);
int __real_usleep(useconds_t us);
int __wrap_usleep(useconds_t us);

/* Of a processor's time a thread has had nothing, or all. */
int __wrap_clock_gettime(clockid_t clock, struct timespec *out)
{
    if (clock == CLOCK_THREAD_CPUTIME_ID && atomic_load(&is_starved)) {
        *out = (struct timespec){.tv_sec = 0};
        return 0;
    }
    return __real_clock_gettime(clock == CLOCK_THREAD_CPUTIME_ID ? CLOCK_MONOTONIC : clock, out);
}

int __wrap_usleep(useconds_t us)
{
    char name[16] = "";
    pthread_getname_np(pthread_self(), name, sizeof name);
    if (strcmp(name, "history-soon") == 0) {
        atomic_fetch_add(&rests, 1);
        return 0;
    }
    return __real_usleep(us);
}

/* Commands that a journal has and no history yet; they are quickly replayed. */
static void fall_behind(void)
{
    probe *p = &x.b.probes[0];
    for (uint64_t tag = 0; tag < FAR_BEHIND; tag++) {
        if (submit(p, cancel_by_id(NOBODYS_ORDER), tag) == MATCHING_OVERLOADED) {
            bench_wait_replies(p, 1);
            forget(p);
            tag--;
        }
    }
}

static void begin(bool starved)
{
    exchange_init(&x, 61);
    x.options.max_orders = 2048;
    x.options.sync = MATCHING_SYNC_NONE;
    x.without_history = true;
    exchange_start(&x);
    exchange_trade(&x, 512);
    fall_behind();
    exchange_stop(&x);
    atomic_store(&is_starved, starved);
    atomic_store(&rests, 0);
    x.without_history = false;
    exchange_start(&x);
}

/* Waits without taking the processor from the usual writer, who needs one that nobody else wants:
 * longer than for others. */
static bool waits_for(bool (*has_come)(void))
{
    uint64_t deadline = matching_monotonic_ns() + 10 * BENCH_DEADLINE_MS * 1000000ull;
    while (!has_come() && matching_monotonic_ns() < deadline) {
        usleep(1000);
    }
    return has_come();
}

static bool is_live(void)
{
    return matching_core_history_progress(x.b.core, 0).state == MATCHING_HISTORY_STATE_LIVE;
}

static bool has_done_steps(void)
{
    return matching_core_history_progress(x.b.core, 0).stored > 3 * STEP;
}

static bool has_rested(void)
{
    return atomic_load(&rests) > 0;
}

static void test_who_is_far_behind_and_starved_has_another_go_on(void)
{
    begin(true);
    CU_ASSERT_TRUE(waits_for(is_live));
    CU_ASSERT_TRUE(has_rested());
    exchange_trade(&x, 64);
    exchange_compare(&x);
    exchange_fini(&x);
}

static void test_who_has_a_processor_goes_on_itself(void)
{
    begin(false);
    CU_ASSERT_TRUE(waits_for(has_done_steps));
    CU_ASSERT_FALSE(has_rested());
    atomic_store(&is_starved, true);
    CU_ASSERT_TRUE(waits_for(is_live));
    exchange_compare(&x);
    exchange_fini(&x);
}

/* The hurried one does not keep the end waiting. */
static void test_an_end_in_the_midst_of_a_hurry(void)
{
    begin(true);
    CU_ASSERT_TRUE(waits_for(has_rested));
    exchange_stop(&x);
    exchange_start(&x);
    CU_ASSERT_TRUE(waits_for(is_live));
    exchange_compare(&x);
    exchange_fini(&x);
}

MATCHING_TESTS(MATCHING_TEST(test_who_is_far_behind_and_starved_has_another_go_on),
               MATCHING_TEST(test_who_has_a_processor_goes_on_itself),
               MATCHING_TEST(test_an_end_in_the_midst_of_a_hurry))
