/* A disk that fails: in each life the n-th call to it goes wrong, n = 1, 2, 3, ... (fault_shim.c).
 * What was acknowledged is there afterwards; a shard whose journal failed acknowledges nothing any
 * more, says INTERNAL_ERROR and is not healthy; the others go on; short writes and interrupted
 * calls are no failures of a journal, though a start may refuse to go on. MATCHING_SEED=n;
 * MATCHING_SOAK=n (1 counts as 200) says up to which call. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crash/driver.h"
#include "support/cunit_main.h"

#define CALLS 30u
#define SOAK_CALLS 200u
#define STEPS 600u
#define WINDOW 12u /* small, so that there are many calls */
#define SHARDS 2u
#define NOTICE_MS 100u

/* Which shard's file is it? SHARDS: none's. */
static unsigned shard_of(const char *line)
{
    const char *name = strstr(line, "/shard-");
    unsigned number = name == NULL ? SHARDS : (unsigned)strtoul(name + 7, NULL, 10);
    return number < SHARDS ? number : SHARDS;
}

static bool ends_with(const char *line, const char *end)
{
    size_t length = strlen(line), size = strlen(end);
    return length >= size && strcmp(line + length - size, end) == 0;
}

/* Did writing or syncing the shard's journal itself fail? What happens to a spare segment or a
 * snapshot may fail the shard later, or never. */
static bool fails_for_sure(const char *line)
{
    return ends_with(line, ".journal") && strncmp(line, "open", 4) != 0 &&
           strncmp(line, "unlink", 6) != 0 && strncmp(line, "rename", 6) != 0;
}

typedef struct answers {
    unsigned good, failed; /* of a shard */
} answers;

static void count_answers(const life *l, answers counts[SHARDS])
{
    memset(counts, 0, SHARDS * sizeof *counts);
    for (unsigned i = 0; i < l->step_count; i++) {
        const life_step *step = &l->steps[i];
        bool to_all = (step->command.flags & MATCHING_FLAG_ALL_SYMBOLS) != 0;
        if (atomic_load(&step->state) == STEP_ANSWERED && step->shard < SHARDS && !to_all) {
            bool failed = step->code == MATCHING_INTERNAL_ERROR;
            counts[step->shard].failed += failed;
            counts[step->shard].good += !failed;
        }
    }
}

/* The life went on to its end beside the failure. */
static void check_shards(const life *l, const char *line, const char *action, bool is_failure)
{
    bool is_everywhere = strcmp(action, "FULL") == 0; /* the disk is one for all of them */
    answers counts[SHARDS];
    count_answers(l, counts);
    for (unsigned i = 0; i < SHARDS; i++) {
        if (!is_failure || (shard_of(line) != i && !is_everywhere)) {
            CU_ASSERT_EQUAL(counts[i].failed, 0);
            CU_ASSERT_FALSE(l->failed[i]);
            CU_ASSERT_TRUE(counts[i].good > 0 || l->step_count == 0);
            continue;
        }
        if (l->had_fault && !is_everywhere && fails_for_sure(line)) {
            CU_ASSERT_TRUE(l->failed[i]);
        }
        if (l->failed[i]) {
            CU_ASSERT_TRUE(strlen(l->why[i]) > 0);
        } else {
            CU_ASSERT_EQUAL(counts[i].failed, 0);
        }
    }
    for (unsigned i = 0; i < l->step_count; i++) {
        CU_ASSERT_EQUAL_FATAL(atomic_load(&l->steps[i].state), STEP_ANSWERED);
    }
}

typedef struct tally {
    unsigned lives, hit, refused, failed;
} tally;

static void live(driver *d, unsigned long at, const char *action, const char *which, tally *t)
{
    char line[512] = "";
    bool is_failure = strcmp(action, "SHORT") != 0 && strcmp(action, "EINTR") != 0;
    driver_plan(d, STEPS);
    d->life->window = WINDOW;
    d->life->snapshot_at = STEPS / 3;
    d->life->notice_ms = is_failure ? NOTICE_MS : 0;
    driver_start_with_fault(d, at, action, which);
    int code = process_wait(&d->child);
    bool hit = driver_fault(d, line, sizeof line);
    t->lives++;
    t->hit += hit;
    if (code != 0 && (code != 2 || !hit)) {
        process_give_up("%s: call %lu (%s), %s: ended with %d %s", d->data, at, line, action, code,
                        d->life->error);
    }
    if (code == 2) {
        CU_ASSERT_TRUE(strlen(d->life->error) > 0);
        t->refused++;
    } else {
        check_shards(d->life, line, action, is_failure && hit);
        t->failed += d->life->failed[0] || d->life->failed[1];
    }
    if (CU_get_number_of_failures() > 0) {
        process_give_up("%s: call %lu (%s), %s", d->data, at, line, action);
    }
    driver_follow(d, (truth_expectation){.may_fail = is_failure && hit});
}

/* Ten lives in a directory, each from what the one before it left; now and then one without a
 * fault, which has to start. */
static void run(const char *action, const char *which)
{
    driver d;
    tally t = {0};
    unsigned long most = driver_times(CALLS, SOAK_CALLS);
    for (unsigned long at = 1; at <= most; at++) {
        if (at % 10 == 1) {
            driver_init(&d, &(driver_options){.shards = SHARDS,
                                              .sync = MATCHING_SYNC_COMMIT,
                                              .snapshot_every = 300,
                                              .seed = driver_seed() + at});
        }
        live(&d, at, action, which, &t);
        bool is_last = at % 10 == 0 || at == most;
        if (is_last || at % 3 == 0) {
            driver_live_quietly(&d);
        }
        if (is_last) {
            truth_check_snapshots(&d.truth, d.data);
            driver_fini(&d);
        }
    }
    printf("\n    %s: %u lives, in %u of them the call came, %u did not start, in %u a shard "
           "failed",
           action, t.lives, t.hit, t.refused, t.failed);
}

static void test_a_call_fails(void)
{
    run("EIO", NULL);
}

static void test_a_write_is_done_in_part_and_fails(void)
{
    run("HALF", "write");
}

static void test_a_sync_fails(void)
{
    run("EIO", "sync");
}

static void test_the_disk_is_full(void)
{
    run("FULL", NULL);
}

static void test_short_writes_are_no_failures(void)
{
    run("SHORT", "write");
}

static void test_interrupted_calls_are_no_failures(void)
{
    run("EINTR", "write,sync");
}

MATCHING_TESTS(MATCHING_TEST(test_a_call_fails),
               MATCHING_TEST(test_a_write_is_done_in_part_and_fails),
               MATCHING_TEST(test_a_sync_fails), MATCHING_TEST(test_the_disk_is_full),
               MATCHING_TEST(test_short_writes_are_no_failures),
               MATCHING_TEST(test_interrupted_calls_are_no_failures))
