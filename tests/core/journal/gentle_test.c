/* Reading beside a running service: nothing is read ahead, which has to be said before the first
 * read of a file, and a snapshot's blocks are read with rests. A start reads as fast as it can.
 *
 * The linker's --wrap writes down what is asked of the system, by descriptor; nobody really rests.
 */
#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "core/journal/workshop.h"
#include "journal/snapshot.h"
#include "support/cunit_main.h"

#define SIZE ((size_t)8192)
#define FILES 64
#define PACE_US 1500007
#define SNAPSHOT UINT64_C(77)

int __real_posix_fadvise(int fd, off_t offset, off_t length, int advice);
int __wrap_posix_fadvise(int fd, off_t offset, off_t length, int advice);
ssize_t __real_pread(int fd, void *bytes, size_t size, off_t offset);
ssize_t __wrap_pread(int fd, void *bytes, size_t size, off_t offset);
ssize_t __real_read(int fd, void *bytes, size_t size);
ssize_t __wrap_read(int fd, void *bytes, size_t size);
int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_nanosleep(const struct timespec *wanted, struct timespec *left);

static int advice_of[FILES];   /* the last about reading ahead, of an open file; -1: none */
static unsigned reads_with[8]; /* by that advice; the last: without any */
static unsigned rests, other_rests;

static void forget(void)
{
    for (size_t fd = 0; fd < FILES; fd++) {
        advice_of[fd] = -1;
    }
    memset(reads_with, 0, sizeof reads_with);
    rests = other_rests = 0;
}

int __wrap_posix_fadvise(int fd, off_t offset, off_t length, int advice)
{
    if (advice == POSIX_FADV_RANDOM || advice == POSIX_FADV_SEQUENTIAL) {
        CU_ASSERT_FATAL(fd >= 0 && fd < FILES);
        advice_of[fd] = advice;
    }
    return __real_posix_fadvise(fd, offset, length, advice);
}

static void note_read(int fd)
{
    CU_ASSERT_FATAL(fd >= 0 && fd < FILES);
    reads_with[advice_of[fd] < 0 ? 7 : advice_of[fd]]++;
}

ssize_t __wrap_pread(int fd, void *bytes, size_t size, off_t offset)
{
    note_read(fd);
    return __real_pread(fd, bytes, size, offset);
}

ssize_t __wrap_read(int fd, void *bytes, size_t size)
{
    note_read(fd);
    return __real_read(fd, bytes, size);
}

int __wrap_close(int fd)
{
    if (fd >= 0 && fd < FILES) {
        advice_of[fd] = -1;
    }
    return __real_close(fd);
}

int __wrap_nanosleep(const struct timespec *wanted, struct timespec *left)
{
    (void)left;
    bool is_ours =
        wanted->tv_sec == PACE_US / 1000000 && wanted->tv_nsec == PACE_US % 1000000 * 1000L;
    rests += is_ours;
    other_rests += !is_ours;
    return 0;
}

/* All reads since forget() were after this advice; -1: after none. */
static bool all_reads_with(int advice)
{
    unsigned all = 0, right = reads_with[advice < 0 ? 7 : advice];
    for (size_t i = 0; i < 8; i++) {
        all += reads_with[i];
    }
    return all > 0 && all == right;
}

/* ---- Journals -------------------------------------------------------------------------------- */

static workshop shop;
static char error[DATA_DIR_PATH_SIZE + 300];

/* Segments of 30 commands each. */
static void make_segments(unsigned count)
{
    static image one;
    uint32_t previous = 0;
    workshop_begin(&shop, 1);
    for (unsigned i = 0; i < count; i++) {
        image_begin(&one, 0, 1, 30 * i + 1, previous, SIZE);
        for (unsigned batch = 0; batch < 5; batch++) {
            image_batch(&one, 6);
        }
        workshop_put_image(&shop, &one);
        previous = one.checksum;
        image_free(&one);
    }
}

/* How many commands it has; where it ended, and the last one's checksum, for a resume. */
static unsigned read_all(journal_reader *reader, journal_position *at, uint32_t *checksum)
{
    matching_command command;
    unsigned count = 0;
    CU_ASSERT_PTR_NOT_NULL_FATAL(reader);
    while (journal_reader_next(reader, &command) == JOURNAL_MORE) {
        count++;
    }
    CU_ASSERT_STRING_EQUAL(journal_reader_trouble(reader), "");
    *at = *journal_reader_position(reader);
    *checksum = journal_reader_checksum(reader);
    journal_reader_close(reader);
    return count;
}

static void test_journals_are_read_ahead_only_where_nobody_waits(void)
{
    const struct {
        unsigned how, commands;
        int advice;
    } cases[] = {{0, 90, -1},
                 {JOURNAL_GENTLY, 90, POSIX_FADV_RANDOM},
                 {JOURNAL_CLAIMED_ONLY, 84, -1},
                 {JOURNAL_CLAIMED_ONLY | JOURNAL_GENTLY, 84, POSIX_FADV_RANDOM}};
    journal_position at;
    uint32_t checksum;
    make_segments(3);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        forget();
        CU_ASSERT_EQUAL(
            read_all(journal_reader_open(&shop.dir, 0, 1, cases[i].how, error, sizeof error), &at,
                     &checksum),
            cases[i].commands);
        CU_ASSERT_TRUE(all_reads_with(cases[i].advice));
        CU_ASSERT_EQUAL(rests + other_rests, 0);
    }
    workshop_end(&shop);
}

static void test_whoever_goes_on_beside_the_writer_reads_nothing_ahead(void)
{
    journal_position at;
    uint32_t checksum;
    make_segments(2);
    forget();
    CU_ASSERT_EQUAL(read_all(journal_reader_open_until(&shop.dir, 0, 1, 60, error, sizeof error),
                             &at, &checksum),
                    60);
    CU_ASSERT_TRUE(all_reads_with(POSIX_FADV_RANDOM));
    workshop_end(&shop);

    make_segments(2);
    journal_reader *first = journal_reader_open_until(&shop.dir, 0, 1, 40, error, sizeof error);
    CU_ASSERT_EQUAL(read_all(first, &at, &checksum), 40);
    forget();
    CU_ASSERT_EQUAL(
        read_all(journal_reader_resume(&shop.dir, 0, &at, checksum, error, sizeof error), &at,
                 &checksum),
        20);
    CU_ASSERT_TRUE(all_reads_with(POSIX_FADV_RANDOM));
    workshop_end(&shop);
}

/* ---- Snapshots ------------------------------------------------------------------------------- */

static unsigned char bytes[3 * SNAPSHOT_BLOCK_BYTES + 100];

static void make_snapshot(void)
{
    snapshot_head head = {.sequence = SNAPSHOT, .shard_count = 1};
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (unsigned char)(i * 37 + i / 253);
    }
    workshop_begin(&shop, 1);
    snapshot_writer *w = snapshot_create(&shop.dir, 0, &head, 0, error, sizeof error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(w);
    CU_ASSERT_TRUE(snapshot_write(w, bytes, sizeof bytes));
    CU_ASSERT_EQUAL(snapshot_finish(w, error, sizeof error), 0);
}

/* Three blocks, one with the rest, and the end. */
#define BLOCKS 5

static void test_a_snapshot_is_read_with_rests_only_where_it_is_asked_for(void)
{
    static unsigned char found[sizeof bytes];
    snapshot_head head;
    make_snapshot();
    for (unsigned pace_us = 0; pace_us <= PACE_US; pace_us += PACE_US) {
        int advice = pace_us > 0 ? POSIX_FADV_RANDOM : POSIX_FADV_SEQUENTIAL;
        forget();
        snapshot_reader *r =
            snapshot_open(&shop.dir, 0, SNAPSHOT, pace_us, &head, error, sizeof error);
        CU_ASSERT_PTR_NOT_NULL_FATAL(r);
        CU_ASSERT_TRUE(snapshot_read(r, found, sizeof found));
        CU_ASSERT_TRUE(snapshot_at_end(r));
        snapshot_close(r);
        CU_ASSERT_EQUAL(memcmp(found, bytes, sizeof bytes), 0);
        CU_ASSERT_TRUE(all_reads_with(advice));
        CU_ASSERT_EQUAL(rests, pace_us > 0 ? BLOCKS : 0);

        forget();
        CU_ASSERT_EQUAL(
            snapshot_verify(&shop.dir, 0, SNAPSHOT, pace_us, &head, error, sizeof error), 0);
        CU_ASSERT_TRUE(all_reads_with(advice));
        CU_ASSERT_EQUAL(rests, pace_us > 0 ? BLOCKS : 0);
        CU_ASSERT_EQUAL(other_rests, 0);
    }
    workshop_end(&shop);
}

MATCHING_TESTS(MATCHING_TEST(test_journals_are_read_ahead_only_where_nobody_waits),
               MATCHING_TEST(test_whoever_goes_on_beside_the_writer_reads_nothing_ahead),
               MATCHING_TEST(test_a_snapshot_is_read_with_rests_only_where_it_is_asked_for))
