/* Tests of the journal's writer: what is safe when, how segments follow each other, how a journal
 * goes on. In every test the disk (disk.h) checks what is claimed, and the fixture what is told.
 */
#include "journal/writer.h"

#include <sys/wait.h>
#include <unistd.h>

#include "core/journal/disk.h"
#include "core/journal/writer_fixture.h"
#include "journal/writer_internal.h"
#include "support/cunit_main.h"

#define LARGE_SEGMENT (1u << 20)

static fixture f;

static void test_what_is_appended_is_in_the_journal(void)
{
    static const unsigned batches[] = {1, 2, 100, 7, 400, 1, 89};
    fixture_init(&f, MATCHING_SYNC_COMMIT, LARGE_SEGMENT);
    fixture_open(&f);
    for (size_t i = 0; i < sizeof batches / sizeof batches[0]; i++) {
        CU_ASSERT_EQUAL(fixture_append(&f, batches[i]), batches[i]);
    }
    CU_ASSERT_TRUE(journal_wait(f.journal));
    CU_ASSERT_EQUAL(journal_safe(f.journal), 600);
    CU_ASSERT_STRING_EQUAL(journal_failure(f.journal), "");
    history h;
    fixture_close_and_compare(&f, &h);
    CU_ASSERT_EQUAL(h.segments, 1);
    CU_ASSERT_EQUAL(h.size[0], LARGE_SEGMENT);
    history_free(&h);
    fixture_fini(&f);
}

static void test_nothing_is_safe_before_its_sync(void)
{
    fixture_init(&f, MATCHING_SYNC_COMMIT, LARGE_SEGMENT);
    fixture_open(&f);
    disk_hold(DISK_SYNC);
    fixture_append(&f, 10);
    CU_ASSERT_TRUE(disk_await_held());
    CU_ASSERT_EQUAL(disk_written(), 10);
    CU_ASSERT_EQUAL(journal_safe(f.journal), 0);
    disk_release();
    CU_ASSERT_TRUE(fixture_await_safe(&f, 10));
    fixture_close_and_compare(&f, NULL);
    fixture_fini(&f);
}

static void test_what_waits_shares_one_sync(void)
{
    fixture_init(&f, MATCHING_SYNC_COMMIT, LARGE_SEGMENT);
    fixture_open(&f);
    disk_hold(DISK_SYNC);
    fixture_append(&f, 1);
    CU_ASSERT_TRUE(disk_await_held());
    uint64_t syncs = disk_count(DISK_SYNC), writes = disk_count(DISK_WRITE);
    for (unsigned i = 0; i < 200; i++) {
        fixture_append(&f, 1);
    }
    disk_release();
    CU_ASSERT_TRUE(fixture_await_safe(&f, 201));
    CU_ASSERT_EQUAL(disk_count(DISK_SYNC), syncs + 1);
    /* The spare may be filled beside it, in a few large pieces. */
    CU_ASSERT_TRUE(disk_count(DISK_WRITE) <= writes + 10);
    fixture_close_and_compare(&f, NULL);
    fixture_fini(&f);
}

static bool has_synced(fixture *fix)
{
    return disk_synced() == fix->sequence;
}

static void test_interval_is_safe_once_written_and_synced_in_time(void)
{
    fixture_init(&f, MATCHING_SYNC_INTERVAL, LARGE_SEGMENT);
    fixture_open(&f);
    fixture_append(&f, 10);
    CU_ASSERT_TRUE(fixture_await_safe(&f, 10));
    CU_ASSERT_EQUAL(disk_synced(), 0); /* its time is an hour away */
    CU_ASSERT_TRUE(journal_wait(f.journal));
    CU_ASSERT_EQUAL(disk_synced(), 10);
    fixture_close_and_compare(&f, NULL);
    f.options.sync_interval_ms = 1;
    fixture_open(&f);
    fixture_append(&f, 10);
    CU_ASSERT_TRUE(fixture_await(has_synced, &f));
    fixture_close_and_compare(&f, NULL);
    fixture_fini(&f);
}

static void test_none_syncs_only_when_asked_and_at_the_end(void)
{
    fixture_init(&f, MATCHING_SYNC_NONE, LARGE_SEGMENT);
    fixture_open(&f);
    for (unsigned i = 1; i <= 50; i++) {
        fixture_append(&f, 1);
        CU_ASSERT_TRUE(fixture_await_safe(&f, i));
    }
    CU_ASSERT_EQUAL(disk_synced(), 0);
    CU_ASSERT_TRUE(journal_wait(f.journal));
    CU_ASSERT_EQUAL(disk_synced(), 50);
    fixture_append(&f, 5);
    CU_ASSERT_EQUAL(fixture_close(&f), 0);
    CU_ASSERT_EQUAL(disk_synced(), 55);
    fixture_fini(&f);
}

/* Full to within a record, named by the first, the sizes as asked for; told as they are left. */
static void check_segments(matching_sync sync, unsigned batch)
{
    history h;
    fixture_init(&f, sync, SMALL_SEGMENT);
    fixture_open(&f);
    CU_ASSERT_TRUE(fixture_append_all(&f, 2000, batch));
    fixture_close_and_compare(&f, &h);
    CU_ASSERT_TRUE(h.segments > 40);
    CU_ASSERT_EQUAL(f.sealed_count, h.segments - 1);
    for (unsigned i = 0; i < h.segments; i++) {
        CU_ASSERT_EQUAL(h.size[i], SMALL_SEGMENT);
        if (i + 1 < h.segments) {
            CU_ASSERT_EQUAL(f.sealed[i], h.first[i + 1] - 1);
            CU_ASSERT_TRUE(h.used[i] + JOURNAL_RECORD_MAX + 3 * sizeof(journal_record) >
                           SMALL_SEGMENT);
        }
    }
    history_free(&h);
    fixture_fini(&f);
}

static void test_segments_follow_each_other(void)
{
    check_segments(MATCHING_SYNC_COMMIT, 1);
    check_segments(MATCHING_SYNC_COMMIT, 300);
    check_segments(MATCHING_SYNC_INTERVAL, 7);
    check_segments(MATCHING_SYNC_NONE, 2000);
}

static void test_it_goes_on_where_it_ended(void)
{
    history h;
    fixture_init(&f, MATCHING_SYNC_COMMIT, SMALL_SEGMENT);
    for (unsigned round = 0; round < 30; round++) {
        fixture_open(&f);
        CU_ASSERT_EQUAL(journal_safe(f.journal), f.sequence);
        CU_ASSERT_TRUE(fixture_append_all(&f, round % 11, 3));
        f.options.segment_bytes = SMALL_SEGMENT + round % 4 * 4096;
        fixture_close_and_compare(&f, NULL);
    }
    fixture_open(&f);
    fixture_close_and_compare(&f, &h);
    uint64_t used = h.used[h.segments - 1];
    history_free(&h);
    fixture_open(&f);
    fixture_close_and_compare(&f, &h);
    CU_ASSERT_EQUAL(h.used[h.segments - 1], used); /* nothing new: nothing is written */
    history_free(&h);
    fixture_fini(&f);
}

/* A process that writes, is not asked to sync, and is gone in the middle of it. */
static void write_and_die(unsigned count)
{
    pid_t child = fork();
    if (child == 0) {
        fixture_open(&f);
        bool good = fixture_append_all(&f, count, 10) && fixture_await_safe(&f, f.sequence);
        good = good && f.wrong == 0 && disk_violations() == 0;
        _exit(good && disk_synced() < f.sequence ? 0 : 1);
    }
    int status = -1;
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    CU_ASSERT_EQUAL(status, 0);
}

static void test_what_a_killed_process_left_is_synced_and_kept(void)
{
    char spare_path[DATA_DIR_PATH_SIZE];
    fixture_init(&f, MATCHING_SYNC_NONE, SMALL_SEGMENT);
    write_and_die(95);
    CU_ASSERT_TRUE(data_dir_file_path(&f.dir, 0, "spare", spare_path));
    fclose(fopen(spare_path, "a")); /* one that never was finished, whatever the child left */
    disk_reset(95);
    disk_hold(DISK_RESERVE); /* no new spare: the folder shows what opening leaves */
    uint64_t synced = disk_count(DISK_FSYNC);
    fixture_open(&f);
    CU_ASSERT_EQUAL(disk_count(DISK_FSYNC), synced + 2); /* the segment, the folder */
    CU_ASSERT_EQUAL(f.sequence, 95);
    disk_release();
    CU_ASSERT_TRUE(fixture_append_all(&f, 100, 10));
    fixture_close_and_compare(&f, NULL);
    CU_ASSERT_NOT_EQUAL(access(spare_path, F_OK), 0);
    fixture_fini(&f);
}

static void test_a_full_buffer_says_so_and_when_it_is_not(void)
{
    fixture_init(&f, MATCHING_SYNC_COMMIT, LARGE_SEGMENT);
    f.options.buffer_bytes = 1; /* the smallest */
    fixture_open(&f);
    disk_hold(DISK_SYNC);
    fixture_append(&f, 1);
    CU_ASSERT_TRUE(disk_await_held());
    unsigned appended = fixture_append(&f, 10000);
    CU_ASSERT_TRUE(appended > 65536 / JOURNAL_RECORD_MAX && appended < 1000);
    CU_ASSERT_FALSE(journal_has_room(f.journal));
    CU_ASSERT_EQUAL(f.rooms, 0);
    disk_release();
    CU_ASSERT_TRUE(fixture_await_room(&f, 1));
    CU_ASSERT_TRUE(fixture_append_all(&f, 5000, 10000)); /* round the ring, many times */
    fixture_close_and_compare(&f, NULL);
    fixture_fini(&f);
}

/* Nobody wakes the flusher: the next segment's file is there. */
static bool sleeps(fixture *it)
{
    return atomic_load(&it->journal->next.state) == SPARE_READY &&
           atomic_load(&it->journal->preparer_bell.sleepers) > 0 &&
           atomic_load(&it->journal->flusher_bell.sleepers) > 0;
}

/* One write takes half a buffer; the flusher sees to the rest though nothing follows. */
static void test_more_than_one_write_takes_is_not_left_behind(void)
{
    fixture_init(&f, MATCHING_SYNC_NONE, LARGE_SEGMENT);
    f.options.buffer_bytes = 1; /* the smallest */
    f.options.write_here_bytes = SIZE_MAX;
    fixture_open(&f);
    CU_ASSERT_TRUE(fixture_await(sleeps, &f));
    unsigned appended = fixture_append(&f, 10000);
    CU_ASSERT_TRUE(appended < 10000); /* the buffer was full */
    CU_ASSERT_TRUE(fixture_await_safe(&f, appended));
    fixture_close_and_compare(&f, NULL);
    fixture_fini(&f);
}

static void test_a_segment_is_sealed_on_request(void)
{
    history h;
    fixture_init(&f, MATCHING_SYNC_COMMIT, LARGE_SEGMENT);
    fixture_open(&f);
    journal_seal_segment(f.journal); /* has no command */
    CU_ASSERT_TRUE(fixture_await_sealed(&f, 1));
    fixture_append(&f, 10);
    journal_seal_segment(f.journal);
    CU_ASSERT_TRUE(fixture_await_sealed(&f, 2));
    journal_seal_segment(f.journal); /* has none again */
    CU_ASSERT_TRUE(fixture_await_sealed(&f, 3));
    fixture_append(&f, 10);
    fixture_close_and_compare(&f, &h);
    CU_ASSERT_EQUAL(h.segments, 2);
    CU_ASSERT_EQUAL(h.first[1], 11);
    CU_ASSERT_EQUAL(f.sealed[0], 0);
    CU_ASSERT_EQUAL(f.sealed[1], 10);
    CU_ASSERT_EQUAL(f.sealed[2], 10);
    history_free(&h);
    fixture_fini(&f);
}

/* Commands do not wait for the next segment's file. */
static void test_sealing_waits_for_the_next_segment_alone(void)
{
    fixture_init(&f, MATCHING_SYNC_INTERVAL, LARGE_SEGMENT);
    fixture_open(&f);
    disk_hold(DISK_RESERVE);
    fixture_append(&f, 10);
    journal_seal_segment(f.journal);
    fixture_append(&f, 10);
    CU_ASSERT_TRUE(journal_wait(f.journal));
    pthread_mutex_lock(&f.mutex);
    unsigned sealed = f.sealed_count;
    pthread_mutex_unlock(&f.mutex);
    disk_release();
    CU_ASSERT_TRUE(fixture_await_sealed(&f, 1));
    CU_ASSERT_TRUE(sealed == 1 ? f.sealed[0] >= 10 : f.sealed[0] == 20);
    fixture_append(&f, 10);
    fixture_close_and_compare(&f, NULL);
    fixture_fini(&f);
}

static bool is_claimed(fixture *fix)
{
    history h;
    bool claimed = history_read(&h, &fix->dir, 0) && h.end.claimed == fix->sequence;
    history_free(&h);
    return claimed;
}

static void test_an_idle_journal_claims_all(void)
{
    fixture_init(&f, MATCHING_SYNC_COMMIT, LARGE_SEGMENT);
    fixture_open(&f);
    fixture_append(&f, 10);
    CU_ASSERT_TRUE(fixture_await(is_claimed, &f));
    uint64_t writes = disk_count(DISK_WRITE);
    fixture_append(&f, 10);
    CU_ASSERT_TRUE(fixture_await(is_claimed, &f));
    CU_ASSERT_TRUE(disk_count(DISK_WRITE) >= writes + 2);
    fixture_close_and_compare(&f, NULL);
    fixture_fini(&f);
}

static void *wait_for_journal(void *result)
{
    *(bool *)result = journal_wait(f.journal);
    return NULL;
}

static void test_several_threads_may_wait(void)
{
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    bool results[THREADS] = {0};
    fixture_init(&f, MATCHING_SYNC_NONE, LARGE_SEGMENT);
    fixture_open(&f);
    for (unsigned round = 0; round < 20; round++) {
        fixture_append(&f, 10);
        for (unsigned i = 0; i < THREADS; i++) {
            pthread_create(&threads[i], NULL, wait_for_journal, &results[i]);
        }
        fixture_append(&f, 10);
        for (unsigned i = 0; i < THREADS; i++) {
            pthread_join(threads[i], NULL);
            CU_ASSERT_TRUE(results[i]);
        }
        CU_ASSERT_TRUE(disk_synced() >= f.sequence - 10);
    }
    fixture_close_and_compare(&f, NULL);
    fixture_fini(&f);
}

static void test_closing_writes_all_that_was_appended(void)
{
    fixture_init(&f, MATCHING_SYNC_INTERVAL, SMALL_SEGMENT);
    f.options.buffer_bytes = 4u << 20;
    fixture_open(&f);
    fixture_append(&f, 5000); /* more than a hundred segments, none of them there yet */
    fixture_close_and_compare(&f, NULL);
    fixture_fini(&f);
}

/* There is room for the last claim, wherever the records happen to end. */
static void test_all_is_claimed_however_full_the_segment_is(void)
{
    for (unsigned writes = 0; writes < 4; writes++) {
        for (unsigned rest = 24; rest < 36; rest++) {
            fixture_init(&f, MATCHING_SYNC_COMMIT, SMALL_SEGMENT);
            fixture_open(&f);
            for (unsigned i = 0; i < writes; i++) { /* each with a claim of its own */
                fixture_append(&f, 1);
                CU_ASSERT_TRUE(journal_wait(f.journal));
            }
            fixture_append(&f, rest);
            fixture_close_and_compare(&f, NULL);
            fixture_fini(&f);
        }
    }
}

MATCHING_TESTS(MATCHING_TEST(test_what_is_appended_is_in_the_journal),
               MATCHING_TEST(test_nothing_is_safe_before_its_sync),
               MATCHING_TEST(test_what_waits_shares_one_sync),
               MATCHING_TEST(test_interval_is_safe_once_written_and_synced_in_time),
               MATCHING_TEST(test_none_syncs_only_when_asked_and_at_the_end),
               MATCHING_TEST(test_segments_follow_each_other),
               MATCHING_TEST(test_it_goes_on_where_it_ended),
               MATCHING_TEST(test_what_a_killed_process_left_is_synced_and_kept),
               MATCHING_TEST(test_a_full_buffer_says_so_and_when_it_is_not),
               MATCHING_TEST(test_more_than_one_write_takes_is_not_left_behind),
               MATCHING_TEST(test_a_segment_is_sealed_on_request),
               MATCHING_TEST(test_sealing_waits_for_the_next_segment_alone),
               MATCHING_TEST(test_an_idle_journal_claims_all),
               MATCHING_TEST(test_several_threads_may_wait),
               MATCHING_TEST(test_closing_writes_all_that_was_appended),
               MATCHING_TEST(test_all_is_claimed_however_full_the_segment_is))
