/* Tests of writes that go past the page cache: the journal has the same in it whichever way its
 * writes went, and whatever becomes of one. Where the file system has no such writes, all go the
 * other way, and only that they are counted is left out.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/journal/disk.h"
#include "core/journal/writer_fixture.h"
#include "journal/writer_internal.h"
#include "support/cunit_main.h"

#define SEGMENT (4u << 20)
#define MANY 1500u /* commands that are more than LARGE_FROM, and less than LARGE_BUFFER */
#define PAGE 4096u

static fixture f;

/* Does the file system know writes past the page cache? */
static bool knows_large_writes(void)
{
    char path[128];
    void *page = aligned_alloc(PAGE, PAGE);
    memset(page, 0, PAGE);
    snprintf(path, sizeof path, "%s/direct", f.path);
    int fd = open(path, O_WRONLY | O_CREAT | O_DIRECT | O_CLOEXEC, 0600);
    bool knows = fd >= 0 && write(fd, page, PAGE) == (ssize_t)PAGE;
    if (fd >= 0) {
        close(fd);
    }
    unlink(path);
    free(page);
    return knows;
}

/* Commands that are written together: while one is synced they gather. */
static void append_at_once(unsigned count)
{
    disk_hold(DISK_SYNC);
    fixture_append(&f, 1);
    CU_ASSERT_TRUE(disk_await_held());
    CU_ASSERT_EQUAL(fixture_append(&f, count), count);
    disk_release();
}

static void begin(uint64_t segment_bytes)
{
    fixture_init(&f, MATCHING_SYNC_COMMIT, segment_bytes);
    fixture_open(&f);
}

/* Ends at any place of a page, of the memory through which they go, and of the segment. */
static void test_large_and_small_writes_make_one_journal(void)
{
    static const unsigned counts[] = {3,    MANY, MANY + 1, 60,       1,    9000, 130,
                                      9001, 2,    9002,     MANY + 7, 9003, 500,  MANY};
    begin(SEGMENT);
    bool knows = knows_large_writes();
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        uint64_t before = disk_large_writes();
        append_at_once(counts[i]);
        CU_ASSERT_TRUE(fixture_await_safe(&f, f.sequence));
        CU_ASSERT_EQUAL(disk_synced(), f.sequence);
        if (knows && counts[i] == 9000) { /* more than the memory holds */
            CU_ASSERT_TRUE(disk_large_writes() > before + 1);
        } else if (knows && counts[i] >= MANY) {
            CU_ASSERT_TRUE(disk_large_writes() > before);
        } else if (counts[i] <= 60) {
            CU_ASSERT_EQUAL(disk_large_writes(), before);
        }
    }
    history h;
    fixture_close_and_compare(&f, &h);
    CU_ASSERT_TRUE(h.segments > 1);
    fixture_compare_reader(&f, &h);
    history_free(&h);
    fixture_fini(&f);
}

/* What comes at once is written at once. The last page of one is the first of the next; one that is
 * not so large goes the same way behind those that are. */
static void test_large_writes_follow_each_other(void)
{
    static const unsigned counts[] = {MANY, MANY + 1, 300, MANY + 2, 9000, 301, 9001, MANY, 302};
    begin(SEGMENT);
    for (unsigned round = 0; round < 3; round++) {
        for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
            CU_ASSERT_EQUAL(fixture_append(&f, counts[i]), counts[i]);
            CU_ASSERT_TRUE(fixture_await_safe(&f, f.sequence));
        }
    }
    fixture_close_and_compare(&f, NULL);
    fixture_fini(&f);
}

/* The page in which the last life ended is read and written again. */
static void test_a_large_write_may_be_the_first_of_a_life(void)
{
    begin(SEGMENT);
    for (unsigned round = 0; round < 6; round++) {
        CU_ASSERT_EQUAL(fixture_append(&f, MANY + round), MANY + round); /* as it comes */
        CU_ASSERT_TRUE(fixture_await_safe(&f, f.sequence));
        append_at_once(MANY);
        fixture_close_and_compare(&f, NULL);
        fixture_open(&f);
    }
    fixture_close_and_compare(&f, NULL);
    fixture_fini(&f);
}

/* Nobody else waits for the disk, so the system may gather what it writes. */
static void test_without_waiting_for_syncs_no_write_is_large(void)
{
    fixture_init(&f, MATCHING_SYNC_INTERVAL, SEGMENT);
    fixture_open(&f);
    CU_ASSERT_EQUAL(fixture_append(&f, 9000), 9000);
    CU_ASSERT_TRUE(fixture_await_safe(&f, f.sequence));
    CU_ASSERT_EQUAL(disk_large_writes(), 0);
    fixture_close_and_compare(&f, NULL);
    fixture_fini(&f);
}

static bool has_spare(fixture *it)
{
    return atomic_load(&it->journal->next.state) == SPARE_READY;
}

/* The one that is refused goes the other way at once; the same file is not asked again. */
static void test_a_file_system_that_refuses_them_will_do(void)
{
    begin(SEGMENT);
    bool knows = knows_large_writes();
    CU_ASSERT_TRUE(fixture_await(has_spare, &f)); /* so that no other write is refused */
    disk_hold(DISK_SYNC);
    fixture_append(&f, 1);
    CU_ASSERT_TRUE(disk_await_held());
    fixture_append(&f, MANY);
    disk_fail(DISK_WRITE, 1, EINVAL, false);
    disk_release();
    if (knows) {
        CU_ASSERT_TRUE(fixture_await_safe(&f, f.sequence));
        CU_ASSERT_TRUE(disk_has_failed());
        append_at_once(MANY);
        CU_ASSERT_TRUE(fixture_await_safe(&f, f.sequence));
        CU_ASSERT_EQUAL(disk_large_writes(), 0);
        fixture_close_and_compare(&f, NULL);
    }
    fixture_fini(&f);
}

static void test_short_and_interrupted_large_writes_are_finished(void)
{
    static const uint64_t sizes[] = {1000, PAGE, 3 * PAGE, PAGE + 1};
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        begin(SEGMENT);
        append_at_once(MANY);
        CU_ASSERT_TRUE(fixture_await_safe(&f, f.sequence));
        disk_shorten_writes(sizes[i]);
        for (unsigned round = 0; round < 3; round++) {
            append_at_once(MANY + round);
            CU_ASSERT_TRUE(fixture_await_safe(&f, f.sequence));
        }
        fixture_close_and_compare(&f, NULL);
        fixture_fini(&f);
    }
}

static void test_a_large_write_that_fails_is_the_end(void)
{
    begin(SEGMENT);
    append_at_once(MANY);
    CU_ASSERT_TRUE(fixture_await_safe(&f, f.sequence));
    uint64_t safe = f.sequence;
    disk_hold(DISK_SYNC);
    fixture_append(&f, 1);
    CU_ASSERT_TRUE(disk_await_held());
    fixture_append(&f, MANY);
    disk_fail(DISK_WRITE, 1, EIO, true);
    disk_release();
    CU_ASSERT_TRUE(fixture_await_failure(&f));
    CU_ASSERT_PTR_NOT_NULL(strstr(f.failure, strerror(EIO)));
    CU_ASSERT_TRUE(f.safe >= safe && f.safe <= safe + 1);
    disk_mend();
    CU_ASSERT_EQUAL(fixture_close(&f), -EIO);
    history h;
    CU_ASSERT_TRUE(history_read(&h, &f.dir, 0));
    CU_ASSERT_EQUAL(h.count, safe + 1);
    fixture_compare_reader(&f, &h);
    history_free(&h);
    fixture_fini(&f);
}

MATCHING_TESTS(MATCHING_TEST(test_large_and_small_writes_make_one_journal),
               MATCHING_TEST(test_large_writes_follow_each_other),
               MATCHING_TEST(test_a_large_write_may_be_the_first_of_a_life),
               MATCHING_TEST(test_without_waiting_for_syncs_no_write_is_large),
               MATCHING_TEST(test_a_file_system_that_refuses_them_will_do),
               MATCHING_TEST(test_short_and_interrupted_large_writes_are_finished),
               MATCHING_TEST(test_a_large_write_that_fails_is_the_end))
