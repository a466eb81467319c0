/* kill -9 under load: a core with a data directory is killed at any moment, recovered, loaded and
 * killed again in the same directory. All that it acknowledged is there, and what is there is what
 * the oracle says (truth.h). MATCHING_SEED=n runs that seed; MATCHING_SOAK=n (1 counts as 2,000)
 * says how often it is killed in all. */
#include <signal.h>
#include <stdio.h>

#include "crash/driver.h"
#include "support/cunit_main.h"

#define KILLS 24u
#define SOAK_KILLS 2000u
#define STEPS 2500u

/* Killed from outside, once so many answers have come. */
static void kill_after_answers(driver *d)
{
    driver_plan(d, STEPS);
    d->life->lingers = true;
    d->life->tell_after = 1 + (unsigned)driver_below(d, STEPS);
    d->life->snapshot_at = (unsigned)driver_below(d, 2 * STEPS);
    driver_start(d, NULL);
    int code = driver_kill_once_told(d);
    CU_ASSERT_EQUAL_FATAL(code, -SIGKILL);
    driver_follow(d, (truth_expectation){0});
}

/* Killed by itself, within a call: recovery, rotation, snapshots and all. */
static void kill_within_a_call(driver *d)
{
    static const char *const actions[] = {"KILL", "KILL_HALF", "KILL_AFTER"};
    char line[512];
    unsigned long most = driver_below(d, 3) == 0 ? 12 : 400;
    driver_plan(d, STEPS);
    d->life->snapshot_at = (unsigned)driver_below(d, 2 * STEPS);
    driver_start_with_fault(d, 1 + driver_below(d, most), actions[driver_below(d, 3)],
                            driver_below(d, 4) == 0 ? "rename,unlink,truncate,open" : NULL);
    int code = process_wait(&d->child);
    CU_ASSERT_EQUAL_FATAL(code, driver_fault(d, line, sizeof line) ? -SIGKILL : 0);
    driver_follow(d, (truth_expectation){0});
}

static void run(unsigned shards, matching_sync sync, uint64_t snapshot_every, unsigned times)
{
    driver d;
    driver_init(&d, &(driver_options){.shards = shards,
                                      .sync = sync,
                                      .snapshot_every = snapshot_every,
                                      .seed = driver_seed() + shards});
    for (unsigned i = 0; i < times; i++) {
        uint64_t dice = driver_below(&d, 10);
        if (dice == 0) {
            driver_live_well(&d, STEPS / 4);
            i--;
        } else if (dice < 6) {
            kill_after_answers(&d);
        } else {
            kill_within_a_call(&d);
        }
    }
    driver_live_quietly(&d);
    driver_live_well(&d, STEPS / 4);
    truth_check_snapshots(&d.truth, d.data);
    CU_ASSERT_TRUE(d.truth.counts.acknowledged > 0);
    driver_fini(&d);
}

static void test_killed_with_one_shard(void)
{
    run(1, MATCHING_SYNC_COMMIT, 700, driver_times(KILLS, SOAK_KILLS) / 3);
}

static void test_killed_with_three_shards(void)
{
    run(3, MATCHING_SYNC_COMMIT, 500, driver_times(KILLS, SOAK_KILLS) / 3);
}

static void test_killed_under_other_policies(void)
{
    run(2, MATCHING_SYNC_INTERVAL, 600, driver_times(KILLS, SOAK_KILLS) / 6);
    run(1, MATCHING_SYNC_NONE, 0, driver_times(KILLS, SOAK_KILLS) / 6);
}

MATCHING_TESTS(MATCHING_TEST(test_killed_with_one_shard),
               MATCHING_TEST(test_killed_with_three_shards),
               MATCHING_TEST(test_killed_under_other_policies))
