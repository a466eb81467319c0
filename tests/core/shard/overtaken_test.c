/* core/shard/recovery.c, claimed_only: the process that writes to the directory removes what is
 * superfluous while it is read. That is no damage, and done again it succeeds.
 *
 * The linker's --wrap lets the removal happen at a chosen moment, with the functions of the
 * snapshot worker.
 */
#include <errno.h>
#include <string.h>

#include "bench.h"
#include "folder.h"
#include "journal/snapshot.h"
#include "shard/recovery.h"
#include "support/cunit_main.h"

#define SEGMENT 8192
#define COMMANDS 600
#define RECENT 100

typedef enum moment { NEVER, AT_SNAPSHOT, AT_JOURNAL, AT_COMMAND } moment;

snapshot_reader *__real_snapshot_open(const data_dir *dir, unsigned number, uint64_t sequence,
                                      unsigned pace_us, snapshot_head *head, char *error,
                                      size_t error_size);
snapshot_reader *__wrap_snapshot_open(const data_dir *dir, unsigned number, uint64_t sequence,
                                      unsigned pace_us, snapshot_head *head, char *error,
                                      size_t error_size);
journal_reader *__real_journal_reader_open(const data_dir *dir, unsigned number, uint64_t from,
                                           unsigned how, char *error, size_t error_size);
journal_reader *__wrap_journal_reader_open(const data_dir *dir, unsigned number, uint64_t from,
                                           unsigned how, char *error, size_t error_size);
journal_end __real_journal_reader_next(journal_reader *reader, matching_command *command);
journal_end __wrap_journal_reader_next(journal_reader *reader, matching_command *command);

typedef struct stage {
    folder folder;
    data_dir dir;
    uint64_t commands; /* in the journal */
    uint64_t state;    /* after them */
    moment when;       /* the other process removes; NEVER again after that */
} stage;

static stage now;

/* How it was asked for the last time. */
static unsigned pace_asked, how_asked;

/* Sequences of snapshots: those that there are, and those that the other process makes. */
static const uint64_t two[] = {100, 300}, later[] = {500, 550};

/* Two more snapshots, and what they make superfluous goes. */
static void go_on_beside(moment when)
{
    char error[600] = "";
    if (now.when != when) {
        return;
    }
    now.when = NEVER;
    for (unsigned i = 0; i < 2; i++) {
        recovery_options options = {.until = later[i], .recent_capacity = RECENT};
        snapshot_made made;
        CU_ASSERT_EQUAL_FATAL(
            books_snapshot(&now.dir, 0, &options, NULL, &made, error, sizeof error), 0);
    }
    CU_ASSERT_EQUAL(books_remove_old(&now.dir, 0, UINT64_MAX, 1, NULL, error, sizeof error), 0);
}

snapshot_reader *__wrap_snapshot_open(const data_dir *dir, unsigned number, uint64_t sequence,
                                      unsigned pace_us, snapshot_head *head, char *error,
                                      size_t error_size)
{
    pace_asked = pace_us;
    go_on_beside(AT_SNAPSHOT);
    return __real_snapshot_open(dir, number, sequence, pace_us, head, error, error_size);
}

journal_reader *__wrap_journal_reader_open(const data_dir *dir, unsigned number, uint64_t from,
                                           unsigned how, char *error, size_t error_size)
{
    how_asked = how;
    go_on_beside(AT_JOURNAL);
    return __real_journal_reader_open(dir, number, from, how, error, error_size);
}

/* The reader has a segment open, and the next ones before it. */
journal_end __wrap_journal_reader_next(journal_reader *reader, matching_command *command)
{
    journal_end end = __real_journal_reader_next(reader, command);
    go_on_beside(AT_COMMAND);
    return end;
}

/* A journal of many segments with these snapshots. */
static void begin(const uint64_t *snapshots, size_t count)
{
    bench b;
    char error[600] = "";
    folder_make(&now.folder);
    now.when = NEVER;
    bench_options options = {.data_dir = now.folder.path, .segment_bytes = SEGMENT};
    bench_init(&b, &options);
    for (uint64_t tag = 1; tag <= COMMANDS; tag++) {
        submit(&b.probes[0],
               limit_order(bench_instrument(&b, 0, tag % 2), tag % 3 == 0 ? "ann" : "bob",
                           tag % 2 == 0 ? MATCHING_BUY : MATCHING_SELL, 10 + (int64_t)(tag % 5), 1),
               tag);
        bench_settle(&b);
        CU_ASSERT_TRUE(journal_wait(b.core->shards[0].journal));
        bench_settle(&b);
        forget(&b.probes[0]);
    }
    now.commands = b.core->shards[0].books.sequence;
    now.state = matching_engine_hash(b.core->shards[0].books.engine);
    bench_fini(&b); /* which claims all of it */
    CU_ASSERT_EQUAL_FATAL(data_dir_open_read_only(&now.dir, now.folder.path, error, sizeof error),
                          0);
    for (size_t i = 0; i < count; i++) {
        recovery_options until = {.until = snapshots[i], .recent_capacity = RECENT};
        snapshot_made made;
        CU_ASSERT_EQUAL_FATAL(books_snapshot(&now.dir, 0, &until, NULL, &made, error, sizeof error),
                              0);
    }
}

static void end(void)
{
    data_dir_close(&now.dir);
    folder_remove(&now.folder);
}

/* Its code; the books are looked at and given back. */
static int recover(const recovery_options *options, char *error, size_t error_size)
{
    books b;
    recovery_result result;
    error[0] = 0;
    int failed = books_recover(&b, &now.dir, 0, options, &result, error, error_size);
    if (failed == 0) {
        CU_ASSERT_EQUAL(b.sequence, now.commands);
        CU_ASSERT_EQUAL(matching_engine_hash(b.engine), now.state);
        books_fini(&b);
    }
    return failed;
}

static void check(const uint64_t *snapshots, size_t count, moment when, bool from_the_beginning)
{
    char error[600];
    recovery_options options = {
        .claimed_only = true, .ignore_snapshots = from_the_beginning, .recent_capacity = RECENT};
    begin(snapshots, count);
    CU_ASSERT_EQUAL(recover(&options, error, sizeof error), 0);
    now.when = when;
    CU_ASSERT_EQUAL(recover(&options, error, sizeof error), -ESTALE);
    CU_ASSERT_EQUAL(now.when, NEVER);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "removed while"));
    options.ignore_snapshots = false;
    CU_ASSERT_EQUAL(recover(&options, error, sizeof error), 0);
    end();
}

static void test_a_snapshot_that_is_about_to_be_read(void)
{
    check(two, 2, AT_SNAPSHOT, false);
}

static void test_segments_that_follow_the_snapshot(void)
{
    check(two, 2, AT_JOURNAL, false);
}

static void test_segments_that_follow_the_one_being_read(void)
{
    check(two, 2, AT_COMMAND, false);
    check(two, 1, AT_COMMAND, false);
}

static void test_segments_before_there_was_any_snapshot(void)
{
    check(NULL, 0, AT_JOURNAL, false);
    check(NULL, 0, AT_COMMAND, false);
    check(two, 2, AT_COMMAND, true);
}

/* Something bad where nothing was removed; and a directory that nobody should be writing to. */
static void test_damage_stays_damage(void)
{
    char error[600], path[600];
    recovery_options options = {.claimed_only = true, .recent_capacity = RECENT};
    begin(two, 2);
    folder_last(&now.folder, ".journal", path, sizeof path);
    folder_flip(path, 4096 + 40); /* below the claims that follow */
    CU_ASSERT_EQUAL(recover(&options, error, sizeof error), -EBADMSG);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, path));
    end();

    begin(two, 2);
    options.claimed_only = false;
    now.when = AT_JOURNAL;
    CU_ASSERT_EQUAL(recover(&options, error, sizeof error), -EBADMSG);
    end();
}

/* A start reads as fast as it can; whoever reads beside a service does not. */
static void test_how_gently_files_are_read(void)
{
    char error[600];
    const struct {
        recovery_options options;
        unsigned how;
    } cases[] = {
        {{.recent_capacity = RECENT}, 0},
        {{.recent_capacity = RECENT, .pace_us = 3}, JOURNAL_GENTLY},
        {{.recent_capacity = RECENT, .claimed_only = true}, JOURNAL_GENTLY | JOURNAL_CLAIMED_ONLY}};
    begin(two, 2);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pace_asked = how_asked = UINT32_MAX;
        CU_ASSERT_EQUAL(recover(&cases[i].options, error, sizeof error), 0);
        CU_ASSERT_EQUAL(pace_asked, cases[i].options.pace_us);
        CU_ASSERT_EQUAL(how_asked, cases[i].how);
    }
    end();
}

MATCHING_TESTS(MATCHING_TEST(test_a_snapshot_that_is_about_to_be_read),
               MATCHING_TEST(test_segments_that_follow_the_snapshot),
               MATCHING_TEST(test_segments_that_follow_the_one_being_read),
               MATCHING_TEST(test_segments_before_there_was_any_snapshot),
               MATCHING_TEST(test_damage_stays_damage),
               MATCHING_TEST(test_how_gently_files_are_read))
