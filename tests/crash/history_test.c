/* Random histories with every type of order: a snapshot and the journal after it, the whole
 * journal, and the oracle come to the same (truth.h); and a history that is damaged is refused,
 * nothing of it changed. MATCHING_SEED=n; MATCHING_SOAK=n (1 counts as 150) says how many
 * histories. */
#include <dirent.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crash/driver.h"
#include "journal/checksum.h"
#include "support/cunit_main.h"

#define HISTORIES 4u
#define SOAK_HISTORIES 150u
#define LIVES 3u
#define STEPS 2000u
#define DAMAGES 8u

static void live_with_snapshot(driver *d)
{
    driver_plan(d, STEPS);
    d->life->snapshot_at = (unsigned)driver_below(d, STEPS + 1);
    d->life->sees_snapshot = true;
    driver_start(d, NULL);
    int code = process_wait(&d->child);
    CU_ASSERT_EQUAL_FATAL(code, 0);
    driver_follow(d, (truth_expectation){0});
}

static void test_snapshot_and_tail_and_replay_and_oracle_agree(void)
{
    unsigned snapshots = 0, most = driver_times(HISTORIES, SOAK_HISTORIES);
    for (unsigned i = 0; i < most; i++) {
        driver d;
        driver_init(
            &d, &(driver_options){.shards = 1 + i % 3,
                                  .sync = i % 4 == 3 ? MATCHING_SYNC_NONE : MATCHING_SYNC_COMMIT,
                                  .seed = driver_seed() + i});
        driver_live_quietly(&d);
        for (unsigned k = 0; k < LIVES; k++) {
            d.life->snapshot_every = driver_below(&d, 3) == 0 ? 0 : 100 + driver_below(&d, 900);
            live_with_snapshot(&d);
            snapshots += truth_check_snapshots(&d.truth, d.data);
        }
        driver_fini(&d);
    }
    CU_ASSERT_TRUE(snapshots >= most);
}

/* ---- Damage ---------------------------------------------------------------------------------- */

/* A number for all names and bytes of a folder, but for the lock's. */
static uint64_t sum_of(const char *folder)
{
    uint64_t sum = 0;
    DIR *list = opendir(folder);
    CU_ASSERT_PTR_NOT_NULL_FATAL(list);
    for (struct dirent *e = readdir(list); e != NULL; e = readdir(list)) {
        static unsigned char bytes[1 << 20];
        char path[PATH_MAX];
        if (e->d_name[0] == '.' || strcmp(e->d_name, "LOCK") == 0) {
            continue;
        }
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        uint32_t name = checksum_crc32c(0, e->d_name, strlen(e->d_name));
        if (e->d_type == DT_DIR) {
            sum += name * sum_of(path);
            continue;
        }
        FILE *file = fopen(path, "rb");
        CU_ASSERT_PTR_NOT_NULL_FATAL(file);
        size_t size = fread(bytes, 1, sizeof bytes, file);
        fclose(file);
        sum += checksum_crc32c(name, bytes, size) + size;
    }
    closedir(list);
    return sum;
}

static void change_byte(const char *path, uint64_t offset, unsigned char mask)
{
    FILE *file = fopen(path, "r+b");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fseek(file, (long)offset, SEEK_SET);
    int byte = fgetc(file);
    fseek(file, (long)offset, SEEK_SET);
    fputc(byte ^ mask, file);
    fclose(file);
}

static void segment_path(const driver *d, unsigned shard, uint64_t sequence, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/shard-%02u/%020" PRIu64 ".journal", d->data, shard, sequence);
}

/* A start that must be refused, naming this file, with nothing changed. */
static void refuse(driver *d, const char *path)
{
    uint64_t before = sum_of(d->data);
    driver_plan(d, 0);
    driver_start(d, NULL);
    int code = process_wait(&d->child);
    CU_ASSERT_EQUAL(code, 2);
    if (strstr(d->life->error, strrchr(path, '/')) == NULL) {
        process_give_up("%s is damaged, but the start says: %s", path, d->life->error);
    }
    if (sum_of(d->data) != before) {
        process_give_up("%s was refused and changed: %s", d->data, d->life->error);
    }
}

/* The last shard is damaged in what was claimed, while the first one has a torn tail that a start
 * would cut off and guarded orders that it would cancel. */
static void test_damage_is_refused_and_nothing_is_changed(void)
{
    for (unsigned i = 0; i < DAMAGES; i++) {
        driver d;
        char damaged[PATH_MAX], torn[PATH_MAX];
        driver_init(&d, &(driver_options){.shards = 2, .seed = driver_seed() + i});
        driver_live_quietly(&d);
        driver_live_well(&d, STEPS / 4);
        driver_plan(&d, STEPS / 4);
        d.life->lingers = true;
        d.life->tell_after = STEPS / 8;
        driver_start(&d, NULL);
        driver_kill_once_told(&d);
        driver_follow(&d, (truth_expectation){0});
        const journal_position *end = &d.truth.shard[0].position;
        segment_path(&d, 0, end->first_sequence, torn);
        change_byte(torn, end->offset + 4, 0x55);
        segment_path(&d, 1, 1, damaged);
        uint64_t offset = driver_below(&d, JOURNAL_RECORDS_AT + 64);
        change_byte(damaged, offset, (unsigned char)(1u << driver_below(&d, 8)));
        refuse(&d, damaged);
        refuse(&d, damaged);
        driver_fini(&d);
    }
}

/* Without it the history is shorter than it was. */
static void test_a_segment_that_is_missing_is_refused(void)
{
    driver d;
    char path[PATH_MAX], away[PATH_MAX];
    driver_init(&d, &(driver_options){.shards = 1, .seed = driver_seed()});
    driver_live_quietly(&d);
    driver_live_well(&d, STEPS);
    segment_path(&d, 0, 1, path);
    snprintf(away, sizeof away, "%s/away", d.base);
    CU_ASSERT_EQUAL(rename(path, away), 0);
    uint64_t before = sum_of(d.data);
    driver_plan(&d, 0);
    driver_start(&d, NULL);
    int code = process_wait(&d.child);
    CU_ASSERT_EQUAL(code, 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(d.life->error, "shard-00"));
    CU_ASSERT_EQUAL(sum_of(d.data), before);
    CU_ASSERT_EQUAL(rename(away, path), 0);
    driver_live_quietly(&d);
    driver_fini(&d);
}

MATCHING_TESTS(MATCHING_TEST(test_snapshot_and_tail_and_replay_and_oracle_agree),
               MATCHING_TEST(test_damage_is_refused_and_nothing_is_changed),
               MATCHING_TEST(test_a_segment_that_is_missing_is_refused))
