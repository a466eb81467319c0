/* What a thread is like that shall be in nobody's way. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include "shard/background.h"
#include "support/cunit_main.h"

typedef struct thread_kind {
    int policy, nice;
} thread_kind;

static thread_kind look(void)
{
    return (thread_kind){sched_getscheduler(0), getpriority(PRIO_PROCESS, (id_t)gettid())};
}

static void *look_at_child(void *seen)
{
    *(thread_kind *)seen = look();
    return NULL;
}

typedef struct background {
    void (*begin)(void);
    thread_kind kinds[2]; /* of itself, and of a thread that it starts */
    int failed;
} background;

static void *look_in_background(void *context)
{
    background *b = context;
    pthread_t child;
    b->begin();
    b->kinds[0] = look();
    b->failed = pthread_create(&child, NULL, look_at_child, &b->kinds[1]);
    if (b->failed == 0) {
        pthread_join(child, NULL);
    }
    return NULL;
}

static background run(void (*begin)(void))
{
    pthread_t thread;
    background b = {.begin = begin};
    thread_kind ours = look();
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, look_in_background, &b), 0);
    pthread_join(thread, NULL);
    CU_ASSERT_EQUAL_FATAL(b.failed, 0);
    CU_ASSERT_EQUAL(look().policy, ours.policy); /* who starts it goes on as before */
    CU_ASSERT_EQUAL(look().nice, ours.nice);
    return b;
}

static void test_it_runs_where_nobody_else_wants_to(void)
{
    background b = run(background_begin);
    CU_ASSERT_EQUAL(b.kinds[0].policy, SCHED_IDLE);
    CU_ASSERT_EQUAL(b.kinds[1].policy, SCHED_IDLE);
}

static void test_what_is_awaited_has_a_small_part(void)
{
    background b = run(background_begin_awaited);
    for (unsigned i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(b.kinds[i].policy, SCHED_BATCH);
        CU_ASSERT_EQUAL(b.kinds[i].nice, 19);
    }
}

MATCHING_TESTS(MATCHING_TEST(test_it_runs_where_nobody_else_wants_to),
               MATCHING_TEST(test_what_is_awaited_has_a_small_part))
