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
#include <unistd.h>

#include "crash/driver.h"
#include "crash/mount.h"
#include "support/cunit_main.h"

#define CUTS 12u
#define SOAK_CUTS 1000u
#define STEPS 1200u
#define HISTORY_STEPS 1800u
#define WINDOW_MAX 60u

/* Lives until power fails, if it does. The data directory is `data` in the mounted folder, so that
 * its own name can be lost too. */
static bool live_until_the_cut(driver *d, const char *store, const char *point)
{
    static const char *const keeps[] = {"none", "pages", "sectors", "all"};
    process fs;
    /* Mostly while it runs; sometimes while it starts, sometimes when it is killed or stopped. */
    uint64_t dice = driver_below(d, 10);
    /* With all done and a snapshot there, so that segments are gone by then. */
    bool is_late = d->options.has_history && dice > 3 && dice < 9, is_killed = is_late || dice == 9;
    unsigned long calls = d->options.has_history ? 4 : 1; /* RocksDB has its own */
    unsigned long at = 1 + driver_below(d, calls * (dice < 3 ? 60 : 1500));
    mount_start(&fs, &(mount_options){.store = store,
                                      .point = point,
                                      .cut_after = is_killed ? 0 : at,
                                      .seed = driver_below(d, UINT32_MAX),
                                      .keep = keeps[driver_below(d, 4)],
                                      .names_in_order = d->options.has_history});
    driver_plan(d, d->options.has_history ? HISTORY_STEPS : STEPS);
    d->life->window = 1 + (unsigned)driver_below(d, WINDOW_MAX);
    d->life->snapshot_at = (unsigned)driver_below(d, 2 * STEPS);
    /* What a snapshot makes superfluous goes. */
    d->life->sees_snapshot = d->options.has_history && (is_late || driver_below(d, 2) == 0);
    d->life->frees_journal = is_late && driver_below(d, 2) == 0;
    d->life->lingers = is_killed;
    d->life->tell_after = is_late ? LIFE_STEPS_MAX + 1 : (unsigned)driver_below(d, STEPS);
    driver_start(d, NULL);
    int code = is_killed ? driver_kill_once_told(d) : process_wait(&d->child);
    bool was_cut = mount_stop(&fs);
    bool is_refused = code == 2 && strstr(d->life->error, strerror(EIO)) == NULL;
    if (is_refused || (code != 0 && code != -SIGKILL && !was_cut)) {
        process_give_up("%s: ended with %d: %s", store, code, d->life->error);
    }
    /* A page that was mapped may be gone with the power: SIGBUS is an end like any other. */
    bool is_rocksdb = d->options.has_history && code == -SIGABRT; /* asserts that no write fails */
    CU_ASSERT_TRUE(code == 0 || code == 2 || code == -SIGKILL || code == -SIGBUS || is_rocksdb);
    return was_cut || code == -SIGKILL;
}

static void name_folders(driver *d, char store[LIFE_PATH_SIZE], char point[LIFE_PATH_SIZE])
{
    snprintf(store, LIFE_PATH_SIZE, "%s/store", d->base);
    snprintf(point, LIFE_PATH_SIZE, "%s/point", d->base);
    snprintf(d->data, sizeof d->data, "%s/store/data", d->base);
    snprintf(d->life->folder, sizeof d->life->folder, "%s/point/data", d->base);
    CU_ASSERT_EQUAL_FATAL(mkdir(store, 0755) | mkdir(point, 0755), 0);
}

static void run(const driver_options *options, unsigned times)
{
    driver d;
    char store[LIFE_PATH_SIZE], point[LIFE_PATH_SIZE];
    bool may_lose = options->sync != MATCHING_SYNC_COMMIT;
    unsigned done = 0;
    driver_init(&d, options);
    name_folders(&d, store, point);
    bool wants_less = options->has_history && !may_lose; /* of the journal, at least once */
    while (done < times || (wants_less && done < 10 * times && d.truth.past->cut_short == 0)) {
        done += live_until_the_cut(&d, store, point);
        driver_follow(&d, (truth_expectation){.may_fail = true, .may_lose = may_lose});
    }
    snprintf(d.life->folder, sizeof d.life->folder, "%s", d.data);
    driver_live_quietly(&d);
    driver_live_well(&d, STEPS / 4);
    truth_check_snapshots(&d.truth, d.data);
    CU_ASSERT_TRUE(d.truth.counts.acknowledged > 0);
    if (wants_less) {
        CU_ASSERT_TRUE(d.truth.past->behind > 0 && d.truth.past->cut_short > 0);
    }
    driver_fini(&d);
}

static void test_power_fails_with_one_shard(void)
{
    run(&(driver_options){.shards = 1, .snapshot_every = 400, .seed = driver_seed() + 1},
        driver_times(CUTS, SOAK_CUTS) / 2);
}

static void test_power_fails_with_two_shards(void)
{
    run(&(driver_options){.shards = 2, .snapshot_every = 250, .seed = driver_seed() + 2},
        driver_times(CUTS, SOAK_CUTS) / 3);
}

/* What was acknowledged may be lost, but nothing from the middle, and it starts again. */
static void test_power_fails_under_other_policies(void)
{
    static const matching_sync policies[] = {MATCHING_SYNC_INTERVAL, MATCHING_SYNC_NONE};
    for (unsigned i = 0; i < 2; i++) {
        run(
            &(driver_options){
                .shards = 1, .sync = policies[i], .snapshot_every = 300, .seed = driver_seed() + 1},
            driver_times(CUTS, SOAK_CUTS) / 12 + 1);
    }
}

/* RocksDB loses what it had not synced too, and the journal what the store was said to have: all
 * that happened is in the one or the other, and a start brings it into history once. RocksDB takes
 * it that names come to disk in their order: it renames CURRENT before it syncs the folder, in
 * which the manifest that CURRENT tells of is new too. */
static void test_power_fails_beside_a_history(void)
{
    run(&(driver_options){.shards = 2,
                          .segment_bytes = 16u << 10,
                          .snapshot_every = 100,
                          .has_history = true,
                          .seed = driver_seed() + 3},
        driver_times(CUTS, SOAK_CUTS) / 2);
}

/* A store that joins a directory later: once it may hold what the journal lets go of, no power cut
 * takes its name. */
static void test_the_name_of_a_new_store_is_on_disk(void)
{
    driver d;
    process fs;
    char store[LIFE_PATH_SIZE], point[LIFE_PATH_SIZE], current[2 * LIFE_PATH_SIZE];
    driver_init(&d, &(driver_options){.shards = 1, .has_history = true, .seed = driver_seed() + 5});
    name_folders(&d, store, point);
    snprintf(d.life->folder, sizeof d.life->folder, "%s", d.data);
    d.life->has_history = false;
    driver_live_well(&d, STEPS / 4);
    d.life->has_history = true;
    snprintf(d.life->folder, sizeof d.life->folder, "%s/point/data", d.base);
    mount_start(&fs, &(mount_options){.store = store, .point = point, .keep = "none"});
    driver_plan(&d, STEPS / 4);
    driver_start(&d, NULL);
    CU_ASSERT_EQUAL(process_wait(&d.child), 0);
    mount_stop(&fs);
    snprintf(current, sizeof current, "%s/store/CURRENT", d.data);
    CU_ASSERT_EQUAL(access(current, F_OK), 0);
    driver_follow(&d, (truth_expectation){0});
    driver_fini(&d);
}

/* The store is never ahead of a journal that loses its end. */
static void test_power_fails_beside_a_history_under_other_policies(void)
{
    static const matching_sync policies[] = {MATCHING_SYNC_INTERVAL, MATCHING_SYNC_NONE};
    for (unsigned i = 0; i < 2; i++) {
        run(&(driver_options){.shards = 1,
                              .sync = policies[i],
                              .snapshot_every = 200,
                              .has_history = true,
                              .seed = driver_seed() + 4},
            driver_times(CUTS, SOAK_CUTS) / 12 + 1);
    }
}

static const matching_test tests[] = {
    MATCHING_TEST(test_power_fails_with_one_shard),
    MATCHING_TEST(test_power_fails_with_two_shards),
    MATCHING_TEST(test_power_fails_under_other_policies),
    MATCHING_TEST(test_the_name_of_a_new_store_is_on_disk),
    MATCHING_TEST(test_power_fails_beside_a_history),
    MATCHING_TEST(test_power_fails_beside_a_history_under_other_policies)};

int main(int argc, char **argv)
{
    const char *impossible = mount_is_impossible();
    if (impossible != NULL) {
        printf("skipped, no power cuts: %s\n", impossible);
        return 77;
    }
    return matching_run_tests(argv[0], tests, sizeof tests / sizeof tests[0], argc, argv);
}
