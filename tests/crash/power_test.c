/* Power cuts: a core on a file system that forgets what was not synced (cutfs.c), in the midst of
 * any call. All that it acknowledged is there, and it starts again: torn tails are cut, nothing is
 * called damaged that is not. MATCHING_SEED=n; MATCHING_SOAK=n (1 counts as 1,000) says how often
 * power fails in all. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "crash/driver.h"
#include "crash/mount.h"
#include "support/cunit_main.h"

#define CUTS 12u
#define SOAK_CUTS 1000u
#define STEPS 1200u
#define WINDOW_MAX 60u

/* Lives until power fails, if it does. The data directory is `data` in the mounted folder, so that
 * its own name can be lost too. */
static bool live_until_the_cut(driver *d, const char *store, const char *point)
{
    static const char *const keeps[] = {"none", "pages", "sectors", "all"};
    process fs;
    /* Mostly while it runs; sometimes while it starts, sometimes when it is killed or stopped. */
    uint64_t dice = driver_below(d, 10);
    unsigned long at = dice < 3 ? 1 + driver_below(d, 60) : 1 + driver_below(d, 1500);
    mount_start(&fs, &(mount_options){.store = store,
                                      .point = point,
                                      .cut_after = dice == 9 ? 0 : at,
                                      .seed = driver_below(d, UINT32_MAX),
                                      .keep = keeps[driver_below(d, 4)]});
    driver_plan(d, STEPS);
    d->life->window = 1 + (unsigned)driver_below(d, WINDOW_MAX);
    d->life->snapshot_at = (unsigned)driver_below(d, 2 * STEPS);
    d->life->lingers = dice == 9;
    d->life->tell_after = (unsigned)driver_below(d, STEPS);
    driver_start(d, NULL);
    int code = dice == 9 ? driver_kill_once_told(d) : process_wait(&d->child);
    bool was_cut = mount_stop(&fs);
    bool is_refused = code == 2 && strstr(d->life->error, strerror(EIO)) == NULL;
    if (is_refused || (code != 0 && code != -SIGKILL && !was_cut)) {
        process_give_up("%s: ended with %d: %s", store, code, d->life->error);
    }
    /* A page that was mapped may be gone with the power: SIGBUS is an end like any other. */
    CU_ASSERT_TRUE(code == 0 || code == 2 || code == -SIGKILL || code == -SIGBUS);
    return was_cut || code == -SIGKILL;
}

static void run(unsigned shards, matching_sync sync, uint64_t snapshot_every, unsigned times)
{
    driver d;
    char store[LIFE_PATH_SIZE], point[LIFE_PATH_SIZE];
    bool may_lose = sync != MATCHING_SYNC_COMMIT;
    unsigned done = 0;
    driver_init(&d, &(driver_options){.shards = shards,
                                      .sync = sync,
                                      .snapshot_every = snapshot_every,
                                      .seed = driver_seed() + shards});
    snprintf(store, sizeof store, "%s/store", d.base);
    snprintf(point, sizeof point, "%s/point", d.base);
    snprintf(d.data, sizeof d.data, "%s/store/data", d.base);
    snprintf(d.life->folder, sizeof d.life->folder, "%s/point/data", d.base);
    CU_ASSERT_EQUAL_FATAL(mkdir(store, 0755) | mkdir(point, 0755), 0);
    while (done < times) {
        done += live_until_the_cut(&d, store, point);
        driver_follow(&d, (truth_expectation){.may_fail = true, .may_lose = may_lose});
    }
    snprintf(d.life->folder, sizeof d.life->folder, "%s", d.data);
    driver_live_quietly(&d);
    driver_live_well(&d, STEPS / 4);
    truth_check_snapshots(&d.truth, d.data);
    CU_ASSERT_TRUE(d.truth.counts.acknowledged > 0);
    driver_fini(&d);
}

static void test_power_fails_with_one_shard(void)
{
    run(1, MATCHING_SYNC_COMMIT, 400, driver_times(CUTS, SOAK_CUTS) / 2);
}

static void test_power_fails_with_two_shards(void)
{
    run(2, MATCHING_SYNC_COMMIT, 250, driver_times(CUTS, SOAK_CUTS) / 3);
}

/* What was acknowledged may be lost, but nothing from the middle, and it starts again. */
static void test_power_fails_under_other_policies(void)
{
    run(1, MATCHING_SYNC_INTERVAL, 300, driver_times(CUTS, SOAK_CUTS) / 12 + 1);
    run(1, MATCHING_SYNC_NONE, 300, driver_times(CUTS, SOAK_CUTS) / 12 + 1);
}

static const matching_test tests[] = {MATCHING_TEST(test_power_fails_with_one_shard),
                                      MATCHING_TEST(test_power_fails_with_two_shards),
                                      MATCHING_TEST(test_power_fails_under_other_policies)};

int main(int argc, char **argv)
{
    const char *impossible = mount_is_impossible();
    if (impossible != NULL) {
        printf("skipped, no power cuts: %s\n", impossible);
        return 77;
    }
    return matching_run_tests(argv[0], tests, sizeof tests / sizeof tests[0], argc, argv);
}
