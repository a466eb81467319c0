/* What a thread is like that shall be in nobody's way. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shard/background.h"
#include "support/cunit_main.h"

#define NS_PER_MS 1000000u
#define ATTRIBUTES_SIZE                                                                            \
    48u /* of the system's struct sched_attr, which the C library has no name for */
#define RUNTIME_AT 24u

typedef struct thread_kind {
    int policy, nice;
    uint64_t slice_ns; /* 0: this system does not tell */
} thread_kind;

static thread_kind look(void)
{
    uint64_t attributes[ATTRIBUTES_SIZE / 8] = {0};
    CU_ASSERT_EQUAL_FATAL(syscall(SYS_sched_getattr, 0, attributes, ATTRIBUTES_SIZE, 0), 0);
    return (thread_kind){sched_getscheduler(0), getpriority(PRIO_PROCESS, gettid()),
                         attributes[RUNTIME_AT / 8]};
}

static void *look_at_child(void *seen)
{
    *(thread_kind *)seen = look();
    return NULL;
}

typedef struct background {
    void (*begin)(void);
    thread_kind kinds[2]; /* of itself, and of a thread that it starts */
} background;

static void *look_in_background(void *context)
{
    background *b = context;
    pthread_t child;
    b->begin();
    b->kinds[0] = look();
    CU_ASSERT_EQUAL_FATAL(pthread_create(&child, NULL, look_at_child, &b->kinds[1]), 0);
    pthread_join(child, NULL);
    return NULL;
}

static void expect(void (*begin)(void), int policy)
{
    pthread_t thread;
    background b = {.begin = begin};
    thread_kind ours = look();
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, look_in_background, &b), 0);
    pthread_join(thread, NULL);
    for (unsigned i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(b.kinds[i].policy, policy);
        CU_ASSERT_EQUAL(b.kinds[i].nice, 19);
        CU_ASSERT_TRUE(ours.slice_ns == 0 || b.kinds[i].slice_ns == 100 * NS_PER_MS);
    }
    thread_kind after = look();
    CU_ASSERT_EQUAL(after.policy, ours.policy);
    CU_ASSERT_EQUAL(after.nice, ours.nice);
    CU_ASSERT_EQUAL(after.slice_ns, ours.slice_ns);
}

static void test_it_runs_where_nobody_else_wants_to_and_leaves_at_once(void)
{
    expect(background_begin, SCHED_IDLE);
}

static void test_what_is_awaited_has_a_small_part_and_leaves_at_once(void)
{
    expect(background_begin_awaited, SCHED_BATCH);
}

MATCHING_TESTS(MATCHING_TEST(test_it_runs_where_nobody_else_wants_to_and_leaves_at_once),
               MATCHING_TEST(test_what_is_awaited_has_a_small_part_and_leaves_at_once))
