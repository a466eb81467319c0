/* A core with a data directory: what contradicts the directory is refused and changes nothing; what
 * a torn end has left is cut off. */
#include <CUnit/CUnit.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "journal/checksum.h"
#include "storage_fixture.h"
#include "support/cunit_main.h"

static void test_a_directory_in_use_is_refused_by_name(void)
{
    folder f;
    notes heard;
    bench b;
    char error[1000], pid[32];
    folder_make(&f);
    bench_options options = stored(&f, &heard);
    bench_init(&b, &options);
    CU_ASSERT_NOT_EQUAL(bench_refused(&options, error, sizeof error), 0);
    snprintf(pid, sizeof pid, "%ld", (long)getpid());
    CU_ASSERT_PTR_NOT_NULL(strstr(error, f.path));
    CU_ASSERT_PTR_NOT_NULL(strstr(error, pid));
    bench_fini(&b);
    folder_remove(&f);
}

static void test_other_limits_are_refused_by_key(void)
{
    folder f;
    notes heard;
    bench b;
    char error[1000];
    folder_make(&f);
    bench_options options = stored(&f, &heard);
    bench_init(&b, &options);
    bench_fini(&b);
    folder_put_unfinished(&f);
    uint64_t sum = folder_sum(&f);
    struct {
        bench_options options;
        const char *key;
    } cases[] = {{options, "max_orders"},      {options, "retained_orders"},
                 {options, "max_instruments"}, {options, "max_traders"},
                 {options, "shards"},          {options, "tick_size"}};
    cases[0].options.max_orders = 500;
    cases[1].options.retained_orders = 500;
    cases[2].options.max_instruments = 50;
    cases[3].options.max_traders = 50;
    cases[4].options.shards = 2;
    cases[5].options.tick_size = 2;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CU_ASSERT_EQUAL(bench_refused(&cases[i].options, error, sizeof error), EBADMSG);
        CU_ASSERT_PTR_NOT_NULL(strstr(error, cases[i].key));
        CU_ASSERT_EQUAL(folder_sum(&f), sum);
    }
    CU_ASSERT_EQUAL(folder_count(&f, ".tmp"), 2);
    CU_ASSERT_EQUAL(bench_refused(&options, error, sizeof error), 0);
    CU_ASSERT_EQUAL(folder_count(&f, ".tmp"), 0); /* who takes it clears it up */
    folder_remove(&f);
}

/* One whose files are gone is not taken for a new one, unless none has had a command yet. */
static void test_a_lost_shard_is_no_fresh_start(void)
{
    folder f;
    notes heard;
    bench b;
    char error[1000], path[600], begun[600];
    folder_make(&f);
    bench_options options = stored(&f, &heard);
    options.shards = 2;
    options.defaults = true;
    bench_init(&b, &options);
    bench_fini(&b);
    folder_last(&f, ".journal", path, sizeof path);
    CU_ASSERT_EQUAL(unlink(path), 0); /* as if the first start had been cut short */
    snprintf(begun, sizeof begun, "%s/BEGUN", f.path);
    CU_ASSERT_EQUAL(unlink(begun), 0);
    bench_init(&b, &options);
    for (size_t i = 0; i < BENCH_INSTRUMENTS; i++) { /* then it is as if it had not been */
        const matching_instrument *instrument = matching_core_instrument(b.core, i);
        CU_ASSERT_PTR_NOT_NULL_FATAL(instrument);
        CU_ASSERT_EQUAL(instrument->id, i + 1);
    }
    place(&b, limit_order(bench_instrument(&b, 1, 0), "alice", MATCHING_BUY, 10, 1), 1);
    bench_fini(&b);
    CU_ASSERT_EQUAL(unlink(path), 0);
    uint64_t sum = folder_sum(&f);
    CU_ASSERT_EQUAL(bench_refused(&options, error, sizeof error), EBADMSG);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "shard 0 has lost its journal"));
    CU_ASSERT_EQUAL(folder_sum(&f), sum);
    folder_remove(&f);
}

/* A newer program's version into a file that has it at byte 8 of a sealed head; `seal` of so many
 * bytes, 0: as if bits had flipped. */
static void make_newer(const char *path, size_t seal)
{
    unsigned char head[4096] = {0};
    uint32_t version = 7, checksum = 0;
    FILE *file = fopen(path, "r+b");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL_FATAL(fread(head, 1, seal, file), seal);
    memcpy(head + 8, &version, sizeof version);
    memcpy(head + 12, &checksum, sizeof checksum);
    checksum = checksum_crc32c(0, head, seal);
    memcpy(head + 12, &checksum, sizeof checksum);
    fseek(file, 8, SEEK_SET);
    CU_ASSERT_EQUAL(fwrite(head + 8, 1, seal > 0 ? 8 : 4, file), seal > 0 ? 8 : 4);
    CU_ASSERT_EQUAL(fclose(file), 0);
}

/* The start is refused with these words, and nothing is changed by it. */
static void expect_refused(const folder *f, const bench_options *options, const char *file,
                           const char *words)
{
    char error[2000];
    uint64_t sum = folder_sum(f);
    CU_ASSERT_EQUAL(bench_refused(options, error, sizeof error), EBADMSG);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, file));
    CU_ASSERT_PTR_NOT_NULL(strstr(error, words));
    CU_ASSERT_EQUAL(folder_sum(f), sum);
}

/* A snapshot, of several, although the others would do; a segment; BEGUN; MANIFEST. */
static void test_a_newer_version_is_refused_by_name(void)
{
    folder f;
    notes heard;
    bench b;
    char path[600], newest[600];
    folder_make(&f);
    bench_options options = stored(&f, &heard);
    bench_init(&b, &options);
    make_history(&b);
    take_snapshot(&b);
    place(&b, limit_order(bench_instrument(&b, 0, 0), "zoe", MATCHING_BUY, 10, 1), 1);
    take_snapshot(&b);
    uint64_t state = state_of(&b);
    bench_die(&b);
    folder_first(&f, ".snapshot", path, sizeof path);
    folder_last(&f, ".snapshot", newest, sizeof newest);
    CU_ASSERT_STRING_NOT_EQUAL(path, newest);
    make_newer(newest, 0);
    bench_init(&b, &options); /* that is plain damage, and the older one serves */
    CU_ASSERT_EQUAL(state_of(&b), state);
    CU_ASSERT_PTR_NOT_NULL(strstr(heard.text, "warn: shard 0: a snapshot was passed over: "));
    bench_die(&b);
    make_newer(newest, 128);
    expect_refused(&f, &options, newest, "of version 7; this program reads up to 1: use the newer");
    CU_ASSERT_EQUAL(unlink(newest), 0);
    bench_init(&b, &options); /* it may be moved away */
    CU_ASSERT_EQUAL(state_of(&b), state);
    bench_die(&b);
    folder_last(&f, ".journal", path, sizeof path);
    make_newer(path, 4096);
    expect_refused(&f, &options, path, "its version is 7, this one knows 1");
    folder_put_sealed(&f, "BEGUN", "matching data directory has begun\nversion 7\n");
    expect_refused(&f, &options, "BEGUN", "its version is 7, this one knows 1");
    folder_put_sealed(&f, "MANIFEST", "matching data directory\nversion 7\n");
    expect_refused(&f, &options, "MANIFEST", "its version is 7, this one knows 1");
    folder_remove(&f);
}

static void test_a_torn_tail_is_cut_off_and_told(void)
{
    folder f;
    notes heard;
    bench b;
    folder_make(&f);
    bench_options options = stored(&f, &heard);
    bench_init(&b, &options);
    make_history(&b);
    uint64_t state = state_of(&b);
    bench_fini(&b);
    char last[600];
    folder_last(&f, ".journal", last, sizeof last);
    folder_flip(last, 500000); /* far behind the records */
    heard = (notes){""};
    bench_init(&b, &options);
    CU_ASSERT_EQUAL(state_of(&b), state);
    CU_ASSERT_PTR_NOT_NULL(strstr(heard.text, "warn: "));
    CU_ASSERT_PTR_NOT_NULL(strstr(heard.text, last));
    bench_fini(&b);
    heard = (notes){""};
    bench_init(&b, &options);
    CU_ASSERT_PTR_NULL(strstr(heard.text, "warn: ")); /* it was cut for good */
    bench_fini(&b);
    folder_remove(&f);
}

static void test_damage_is_refused_and_touches_nothing(void)
{
    folder f;
    notes heard;
    bench b;
    char error[1000], last[600];
    folder_make(&f);
    bench_options options = stored(&f, &heard);
    bench_init(&b, &options);
    make_history(&b);
    bench_fini(&b);
    folder_last(&f, ".journal", last, sizeof last);
    folder_flip(last, 4096 + 100);
    folder_put_unfinished(&f);
    uint64_t sum = folder_sum(&f);
    CU_ASSERT_EQUAL(bench_refused(&options, error, sizeof error), EBADMSG);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, last));
    CU_ASSERT_EQUAL(folder_sum(&f), sum);
    folder_remove(&f);
}

MATCHING_TESTS(MATCHING_TEST(test_a_directory_in_use_is_refused_by_name),
               MATCHING_TEST(test_other_limits_are_refused_by_key),
               MATCHING_TEST(test_a_lost_shard_is_no_fresh_start),
               MATCHING_TEST(test_a_newer_version_is_refused_by_name),
               MATCHING_TEST(test_a_torn_tail_is_cut_off_and_told),
               MATCHING_TEST(test_damage_is_refused_and_touches_nothing))
