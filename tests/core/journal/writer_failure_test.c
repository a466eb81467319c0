/* Tests of what the journal's writer does when the disk does not: nothing is told that is not so,
 * nothing is tried again, and what was safe stays.
 */
#include <errno.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/journal/disk.h"
#include "core/journal/writer_fixture.h"
#include "journal/writer.h"
#include "support/cunit_main.h"

#define LARGE_SEGMENT (1u << 20)

static fixture f;

/* After a failure: it was told once, and from then on the journal does nothing. */
static void check_that_it_has_stopped(void)
{
    CU_ASSERT_TRUE(journal_has_failed(f.journal));
    CU_ASSERT_TRUE(fixture_await_failure(&f));
    CU_ASSERT_EQUAL(f.failures, 1);
    CU_ASSERT_STRING_EQUAL(journal_failure(f.journal), f.failure);
    uint64_t safe = journal_safe(f.journal), writes = disk_count(DISK_WRITE),
             syncs = disk_count(DISK_SYNC);
    for (unsigned i = 0; i < 1000; i++) { /* there is room for all that is thrown away */
        CU_ASSERT_EQUAL_FATAL(fixture_append(&f, 1), 1);
    }
    CU_ASSERT_FALSE(journal_wait(f.journal));
    journal_seal_segment(f.journal);
    CU_ASSERT_EQUAL(journal_safe(f.journal), safe);
    CU_ASSERT_EQUAL(f.safe, safe);
    CU_ASSERT_EQUAL(disk_count(DISK_SYNC), syncs);
    CU_ASSERT_TRUE(disk_count(DISK_WRITE) <= writes + 1); /* the preparer may be in the middle */
}

/* The directory holds at least what was safe, and is good up to where it ends. A write that failed
 * in the middle would leave a torn tail; here writes fail as a whole. */
static void check_what_is_left(uint64_t safe)
{
    history h;
    CU_ASSERT_TRUE(history_read(&h, &f.dir, 0));
    CU_ASSERT_STRING_EQUAL(h.trouble, "");
    CU_ASSERT_TRUE(h.count >= safe);
    uint64_t different = 0;
    for (uint64_t i = 0; i < h.count; i++) {
        matching_command expected = fixture_command(i + 1);
        different += memcmp(&expected, &h.commands[i], sizeof expected) != 0;
    }
    CU_ASSERT_EQUAL(different, 0);
    fixture_compare_reader(&f, &h);
    history_free(&h);
}

/* Opens, appends 120 commands in three segments, closes; the nth call fails. True if there were as
 * many calls. */
static bool run_with_failure(matching_sync sync, disk_call call, unsigned nth, int error)
{
    char what[512] = "";
    journal_position nothing = {0};
    fixture_init(&f, sync, SMALL_SEGMENT);
    disk_fail(call, nth, error, false);
    f.journal = journal_open(&f.dir, 0, &nothing, &f.options, what, sizeof what);
    if (f.journal == NULL) {
        CU_ASSERT_TRUE(disk_has_failed());
        CU_ASSERT_NOT_EQUAL(what[0], '\0');
        fixture_fini(&f);
        return true;
    }
    bool good = fixture_append_all(&f, 120, 10) && journal_wait(f.journal);
    bool failed = disk_has_failed();
    if (!good) {
        CU_ASSERT_TRUE(failed);
        check_that_it_has_stopped();
        CU_ASSERT_PTR_NOT_NULL(strstr(f.failure, strerror(error)));
        CU_ASSERT_EQUAL(fixture_close(&f), -error);
    } else {
        CU_ASSERT_EQUAL(journal_safe(f.journal), 120);
        int code = fixture_close(&f); /* may meet the failure yet */
        CU_ASSERT_TRUE(code == 0 || (code == -error && disk_has_failed()));
        failed = disk_has_failed();
    }
    check_what_is_left(f.safe);
    fixture_fini(&f);
    return failed;
}

static void check_each_call(disk_call call, unsigned least)
{
    static const matching_sync policies[] = {MATCHING_SYNC_COMMIT, MATCHING_SYNC_INTERVAL,
                                             MATCHING_SYNC_NONE};
    for (unsigned i = 0; i < 3; i++) {
        unsigned n = 1;
        while (n < 200 && run_with_failure(policies[i], call, n, EIO)) {
            n++;
        }
        CU_ASSERT_TRUE(n >= least && n < 200);
    }
}

static void test_each_write_may_fail(void)
{
    check_each_call(DISK_WRITE, 10);
}

static void test_each_sync_may_fail(void)
{
    check_each_call(DISK_SYNC, 6);
}

static void test_each_sync_of_a_file_or_a_folder_may_fail(void)
{
    check_each_call(DISK_FSYNC, 6);
}

static void test_each_rename_may_fail(void)
{
    check_each_call(DISK_RENAME, 3);
}

static void test_each_reservation_may_fail(void)
{
    check_each_call(DISK_RESERVE, 3);
}

static void test_a_file_system_that_cannot_reserve_will_do(void)
{
    fixture_init(&f, MATCHING_SYNC_COMMIT, SMALL_SEGMENT);
    disk_fail(DISK_RESERVE, 1, EOPNOTSUPP, true);
    fixture_open(&f);
    CU_ASSERT_TRUE(fixture_append_all(&f, 500, 10));
    fixture_close_and_compare(&f, NULL);
    fixture_fini(&f);
}

static void test_short_and_interrupted_writes_are_finished(void)
{
    static const uint64_t sizes[] = {7, 32, 100, 4096};
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        fixture_init(&f, MATCHING_SYNC_COMMIT, SMALL_SEGMENT);
        fixture_open(&f);
        disk_shorten_writes(sizes[i]);
        CU_ASSERT_TRUE(fixture_append_all(&f, 200, 10));
        fixture_close_and_compare(&f, NULL);
        fixture_fini(&f);
    }
}

static bool has_warning(fixture *fix)
{
    return journal_warning(fix->journal)[0] != '\0';
}

/* What the preparer tells: how often, and the last of it. */
static _Atomic(const char *) warned_last;
static atomic_uint warned_count;

static void on_warning(void *context, const char *what)
{
    (void)context;
    atomic_store(&warned_last, what);
    atomic_fetch_add(&warned_count, 1);
}

static bool is_warned_twice(fixture *fix)
{
    (void)fix;
    return atomic_load(&warned_count) >= 2;
}

static bool is_well(fixture *fix)
{
    (void)fix;
    return *atomic_load(&warned_last) == '\0';
}

/* Each try is told, so that who waits for the file is not left waiting; what it says stands while
 * the next one is under way. */
static void test_a_full_disk_is_told_until_it_has_passed(void)
{
    fixture_init(&f, MATCHING_SYNC_COMMIT, SMALL_SEGMENT);
    f.options.on_warning = on_warning;
    atomic_store(&warned_count, 0);
    atomic_store(&warned_last, "");
    disk_fail(DISK_RESERVE, 2, ENOSPC, true); /* the first segment is made by the first */
    fixture_open(&f);
    CU_ASSERT_TRUE(fixture_await(is_warned_twice, &f));
    CU_ASSERT_STRING_EQUAL(atomic_load(&warned_last), journal_warning(f.journal));
    CU_ASSERT_PTR_NOT_NULL(strstr(journal_warning(f.journal), "no room on the disk"));
    disk_hold(DISK_RESERVE);
    CU_ASSERT_TRUE(disk_await_held());
    CU_ASSERT_STRING_NOT_EQUAL(journal_warning(f.journal), "");
    disk_mend();
    disk_release();
    CU_ASSERT_TRUE(fixture_await(is_well, &f));
    CU_ASSERT_STRING_EQUAL(journal_warning(f.journal), "");
    unsigned told = atomic_load(&warned_count);
    CU_ASSERT_TRUE(fixture_append_all(&f, 200, 10)); /* through segments that nothing ails */
    CU_ASSERT_EQUAL(atomic_load(&warned_count), told);
    fixture_close_and_compare(&f, NULL);
    fixture_fini(&f);
}

static void test_a_full_disk_is_a_failure_when_the_segment_is_full(void)
{
    fixture_init(&f, MATCHING_SYNC_COMMIT, SMALL_SEGMENT);
    fixture_open(&f);
    CU_ASSERT_STRING_EQUAL(journal_warning(f.journal), "");
    fixture_append(&f, 1);
    CU_ASSERT_TRUE(journal_wait(f.journal));
    fixture_close_and_compare(&f, NULL);
    disk_fail(DISK_RESERVE, 1, ENOSPC, true);
    fixture_open(&f);
    CU_ASSERT_TRUE(fixture_await(has_warning, &f));
    CU_ASSERT_EQUAL(fixture_append(&f, 10), 10);
    CU_ASSERT_TRUE(journal_wait(f.journal));
    CU_ASSERT_EQUAL(journal_safe(f.journal), 11);
    fixture_append_all(&f, 100, 100);
    CU_ASSERT_FALSE(journal_wait(f.journal));
    check_that_it_has_stopped();
    CU_ASSERT_PTR_NOT_NULL(strstr(f.failure, strerror(ENOSPC)));
    CU_ASSERT_EQUAL(fixture_close(&f), -ENOSPC);
    check_what_is_left(f.safe);
    CU_ASSERT_TRUE(f.safe > 11 && f.safe < 111); /* what fitted was still taken */
    fixture_fini(&f);
}

static void test_a_disk_that_was_full_in_between_is_no_failure(void)
{
    fixture_init(&f, MATCHING_SYNC_COMMIT, LARGE_SEGMENT);
    disk_fail(DISK_RESERVE, 2, ENOSPC, true); /* the first segment is made by the first */
    fixture_open(&f);
    CU_ASSERT_TRUE(fixture_await(has_warning, &f));
    fixture_append(&f, 10);
    disk_mend();
    journal_seal_segment(f.journal); /* asks for the next segment, so it is tried again at once */
    CU_ASSERT_TRUE(fixture_await_sealed(&f, 1));
    CU_ASSERT_STRING_EQUAL(journal_warning(f.journal), "");
    fixture_append(&f, 10);
    fixture_close_and_compare(&f, NULL);
    fixture_fini(&f);
}

static void test_a_full_disk_is_tried_again_without_being_asked(void)
{
    fixture_init(&f, MATCHING_SYNC_COMMIT, SMALL_SEGMENT);
    disk_fail(DISK_RESERVE, 2, ENOSPC, false);
    fixture_open(&f);
    CU_ASSERT_TRUE(fixture_await(has_warning, &f));
    CU_ASSERT_EQUAL(disk_count(DISK_RESERVE), 2);
    disk_hold(DISK_RESERVE);
    CU_ASSERT_TRUE(disk_await_held()); /* a second later */
    disk_release();
    CU_ASSERT_TRUE(fixture_append_all(&f, 500, 10));
    fixture_close_and_compare(&f, NULL);
    fixture_fini(&f);
}

/* A shard that waits for room hears of the failure as of room. */
static void test_a_failure_frees_who_waits_for_room(void)
{
    fixture_init(&f, MATCHING_SYNC_COMMIT, LARGE_SEGMENT);
    f.options.buffer_bytes = 1;
    fixture_open(&f);
    disk_hold(DISK_SYNC);
    fixture_append(&f, 1);
    CU_ASSERT_TRUE(disk_await_held());
    fixture_append(&f, 10000);
    CU_ASSERT_FALSE(journal_has_room(f.journal));
    disk_fail(DISK_WRITE, 1, EIO, true);
    disk_release();
    CU_ASSERT_TRUE(fixture_await_room(&f, 1));
    check_that_it_has_stopped();
    CU_ASSERT_EQUAL(fixture_close(&f), -EIO);
    check_what_is_left(1);
    fixture_fini(&f);
}

static bool is_warned(fixture *it)
{
    return journal_warning(it->journal)[0] != '\0';
}

/* Connections take all descriptors: what is written waits, and goes on when some are free again. */
static void test_too_many_open_files_are_waited_for(void)
{
    struct rlimit before, none;
    CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
    fixture_init(&f, MATCHING_SYNC_COMMIT, SMALL_SEGMENT);
    fixture_open(&f);
    CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_NOFILE, &none), 0);
    CU_ASSERT_TRUE(fixture_append_all(&f, 400, 10)); /* many segments */
    CU_ASSERT_TRUE(fixture_await(is_warned, &f));
    CU_ASSERT_FALSE(journal_has_failed(f.journal));
    CU_ASSERT_TRUE(journal_safe(f.journal) < 400);
    CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_NOFILE, &before), 0);
    CU_ASSERT_TRUE(fixture_await_safe(&f, 400));
    CU_ASSERT_EQUAL(fixture_close(&f), 0);
    check_what_is_left(400);
    fixture_fini(&f);
}

static void test_a_directory_that_cannot_be_written_is_told(void)
{
    char error[512] = "", shard[DATA_DIR_PATH_SIZE];
    journal_position nothing = {0};
    fixture_init(&f, MATCHING_SYNC_COMMIT, SMALL_SEGMENT);
    CU_ASSERT_TRUE(data_dir_shard_path(&f.dir, 0, shard));
    CU_ASSERT_EQUAL(rmdir(shard), 0);
    CU_ASSERT_PTR_NULL(journal_open(&f.dir, 0, &nothing, &f.options, error, sizeof error));
    CU_ASSERT_PTR_NOT_NULL(strstr(error, shard));
    CU_ASSERT_PTR_NOT_NULL(strstr(error, strerror(ENOENT)));
    fixture_fini(&f);
}

/* What a failed sync left can be read, but may not be on disk, and a system that was told of the
 * failure once does not write it any more. */
static void test_what_was_never_claimed_is_written_again(void)
{
    char error[512] = "";
    history h;
    fixture_init(&f, MATCHING_SYNC_COMMIT, SMALL_SEGMENT);
    fixture_open(&f);
    CU_ASSERT_TRUE(fixture_append_all(&f, 10, 10) && journal_wait(f.journal));
    disk_fail(DISK_SYNC, 1, EIO, true);
    fixture_append_all(&f, 10, 10);
    CU_ASSERT_FALSE(journal_wait(f.journal));
    CU_ASSERT_EQUAL(fixture_close(&f), -EIO);
    disk_fail(DISK_WRITE, 1, EIO, false);
    CU_ASSERT_TRUE(history_read(&h, &f.dir, 0));
    CU_ASSERT_EQUAL(h.count, 20);
    CU_ASSERT_PTR_NULL(journal_open(&f.dir, 0, &h.end, &f.options, error, sizeof error));
    CU_ASSERT_PTR_NOT_NULL(strstr(error, ".journal"));
    disk_fail(DISK_WRITE, 1, EIO, false); /* the same without a journal that goes on */
    CU_ASSERT_EQUAL(journal_make_safe(&f.dir, 0, &h.end, error, sizeof error), -EIO);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, ".journal"));
    disk_fail(DISK_FSYNC, 1, EIO, false);
    CU_ASSERT_EQUAL(journal_make_safe(&f.dir, 0, &h.end, error, sizeof error), -EIO);
    disk_mend();
    CU_ASSERT_EQUAL(journal_make_safe(&f.dir, 0, &h.end, error, sizeof error), 0);
    history again;
    CU_ASSERT_TRUE(history_read(&again, &f.dir, 0));
    CU_ASSERT_EQUAL(again.count, 20);
    CU_ASSERT_TRUE(again.end.offset == h.end.offset && again.end.checksum == h.end.checksum);
    history_free(&again);
    history_free(&h);
    disk_reset(20); /* mended, and by then so much is on disk */
    f.failures = 0;
    fixture_open(&f);
    CU_ASSERT_TRUE(fixture_append_all(&f, 10, 10));
    fixture_close_and_compare(&f, NULL);
    fixture_fini(&f);
}

MATCHING_TESTS(MATCHING_TEST(test_what_was_never_claimed_is_written_again),
               MATCHING_TEST(test_each_write_may_fail), MATCHING_TEST(test_each_sync_may_fail),
               MATCHING_TEST(test_each_sync_of_a_file_or_a_folder_may_fail),
               MATCHING_TEST(test_each_rename_may_fail),
               MATCHING_TEST(test_each_reservation_may_fail),
               MATCHING_TEST(test_a_file_system_that_cannot_reserve_will_do),
               MATCHING_TEST(test_short_and_interrupted_writes_are_finished),
               MATCHING_TEST(test_a_full_disk_is_told_until_it_has_passed),
               MATCHING_TEST(test_a_full_disk_is_a_failure_when_the_segment_is_full),
               MATCHING_TEST(test_a_disk_that_was_full_in_between_is_no_failure),
               MATCHING_TEST(test_a_full_disk_is_tried_again_without_being_asked),
               MATCHING_TEST(test_a_failure_frees_who_waits_for_room),
               MATCHING_TEST(test_too_many_open_files_are_waited_for),
               MATCHING_TEST(test_a_directory_that_cannot_be_written_is_told))
