/* What a reader makes of segments that a process writes, and removes, meanwhile: it goes as far as
 * was claimed, or as it is told. (live_test.c has a writer that really runs.)
 */
#include <fcntl.h>
#include <unistd.h>

#include "core/journal/reader_fixture.h"
#include "support/cunit_main.h"

static void test_claimed_only_ends_at_the_highest_claim(void)
{
    three_segments();
    outcome o = workshop_read(&shop, 1, true);
    CU_ASSERT(o.end == JOURNAL_WHOLE && has_read(&o, 1, 80));
    /* Whatever the last write has got to, and however much of it can be seen. */
    size_t claim = images[2].records[images[2].count - 6].offset;
    CU_ASSERT(images[2].records[images[2].count - 6].is_claim);
    char *copy = malloc(READER_SIZE);
    for (size_t until = claim; until <= images[2].used; until++) {
        memcpy(copy, images[2].bytes, READER_SIZE);
        memset(copy + until, 0, images[2].used - until);
        workshop_put(&shop, 0, 61, copy, READER_SIZE);
        bool is_seen = memcmp(copy + claim, images[2].bytes + claim, sizeof(journal_record)) == 0;
        o = workshop_read(&shop, 1, true);
        CU_ASSERT(o.end == JOURNAL_WHOLE && has_read(&o, 1, is_seen ? 80 : 75));
        /* The end of the write may be there before its beginning. */
        memcpy(copy, images[2].bytes, READER_SIZE);
        memset(copy + claim, 0, until - claim);
        workshop_put(&shop, 0, 61, copy, READER_SIZE);
        o = workshop_read(&shop, 1, true);
        CU_ASSERT(o.end == JOURNAL_WHOLE && has_read(&o, 1, until == claim ? 80 : 75));
    }
    free(copy);
    finish();
}

static void test_claimed_only_is_not_led_astray_by_stale_claims(void)
{
    three_segments();
    memcpy(images[2].bytes + images[2].used + 64, images[0].bytes + images[0].records[0].offset,
           sizeof(journal_record));
    workshop_put_image(&shop, &images[2]);
    outcome o = workshop_read(&shop, 1, true);
    CU_ASSERT(o.end == JOURNAL_WHOLE && has_read(&o, 1, 80));
    finish();
}

static void test_claimed_only_finds_damage_too(void)
{
    three_segments();
    for (size_t i = 0; i < 3; i++) {
        for (size_t n = 0; n < images[i].count; n += 3) {
            const image_record *record = &images[i].records[n];
            bool is_claimed = i < 2 || record->sequence <= 80;
            images[i].bytes[record->offset + 20] ^= 1;
            workshop_put_image(&shop, &images[i]);
            outcome o = workshop_read(&shop, 1, true);
            if (!record->is_claim) {
                CU_ASSERT_EQUAL(o.end, is_claimed ? JOURNAL_DAMAGED : JOURNAL_WHOLE);
                CU_ASSERT(has_read(&o, 1, is_claimed ? record->sequence - 1 : 80));
            }
            images[i].bytes[record->offset + 20] ^= 1;
            workshop_put_image(&shop, &images[i]);
        }
    }
    finish();
}

static void test_claimed_only_tells_of_a_removed_segment(void)
{
    char error[DATA_DIR_ERROR_SIZE];
    matching_command command;
    three_segments();
    journal_reader *reader =
        journal_reader_open(&shop.dir, 0, 1, JOURNAL_CLAIMED_ONLY, error, sizeof error);
    CU_ASSERT_EQUAL(journal_reader_next(reader, &command), JOURNAL_MORE);
    workshop_remove(&shop, 0, 31);
    journal_end end;
    while ((end = journal_reader_next(reader, &command)) == JOURNAL_MORE) {
    }
    CU_ASSERT_EQUAL(end, JOURNAL_REMOVED);
    CU_ASSERT(strstr(journal_reader_trouble(reader), "removed while") != NULL);
    CU_ASSERT_EQUAL(journal_reader_position(reader)->last_sequence, 30);
    journal_reader_close(reader);
    finish();
}

/* Command n of the three segments is written, and half of the next record is. */
static void write_up_to(unsigned n)
{
    unsigned at = n <= 30 ? 0 : n <= 60 ? 1 : 2;
    char *copy = calloc(1, READER_SIZE);
    for (size_t i = 0; i < images[at].count; i++) {
        const image_record *record = &images[at].records[i];
        if (!record->is_claim && record->sequence == n) {
            memcpy(copy, images[at].bytes, record->offset + record->length + 12);
        }
    }
    workshop_put(&shop, 0, 30 * at + 1, copy, READER_SIZE);
    free(copy);
}

/* The process that writes knows how far it is: its reader goes along, whatever stands behind. */
static void test_a_reader_goes_on_with_the_writer(void)
{
    char error[DATA_DIR_ERROR_SIZE];
    matching_command command;
    unsigned wrong = 0;
    three_segments();
    workshop_remove(&shop, 0, 31);
    workshop_remove(&shop, 0, 61);
    write_up_to(9);
    journal_reader *reader = journal_reader_open_until(&shop.dir, 0, 10, 9, error, sizeof error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(reader);
    CU_ASSERT_EQUAL(journal_reader_next(reader, &command), JOURNAL_WHOLE);
    for (unsigned n = 10; n <= 85; n++) {
        write_up_to(n);
        journal_reader_go_on(reader, n - 1); /* which it has read */
        wrong += journal_reader_next(reader, &command) != JOURNAL_WHOLE;
        journal_reader_go_on(reader, n);
        wrong += journal_reader_next(reader, &command) != JOURNAL_MORE || command.sequence != n;
        wrong += journal_reader_next(reader, &command) != JOURNAL_WHOLE;
        wrong += journal_reader_sync(reader) != 0;
        if (n == 30 || n == 60) {
            workshop_put_image(&shop, &images[n / 30 - 1]); /* sealed */
        } else if (n == 70) {
            workshop_remove(&shop, 0, 1);
            workshop_remove(&shop, 0, 31);
        }
    }
    CU_ASSERT_EQUAL(wrong, 0);
    journal_reader_go_on(reader, 86); /* so it was said, and it is not there */
    CU_ASSERT_EQUAL(journal_reader_next(reader, &command), JOURNAL_DAMAGED);
    journal_reader_close(reader);
    finish();
}

/* The process that removed it may have done anything to its bytes while the reader has it open:
 * here `remains` of them are left, then `filler` up to `size`. */
static void read_while_it_goes(size_t remains, int filler, size_t size, bool is_first_of_two)
{
    static char other[1 << 20];
    char error[DATA_DIR_ERROR_SIZE], path[DATA_DIR_PATH_SIZE], nameless[DATA_DIR_PATH_SIZE + 8];
    matching_command command;
    static image large, next;
    workshop_begin(&shop, 1);
    image_begin(&large, 0, 1, 1, 0, sizeof other);
    while (large.used < 300000) { /* more than a reader reads at once */
        image_batch(&large, 20);
    }
    image_begin(&next, 0, 1, large.last_sequence + 1, large.checksum, READER_SIZE);
    image_batch(&next, 5);
    image_batch(&next, 5);
    workshop_put_image(&shop, &large);
    if (is_first_of_two) {
        workshop_put_image(&shop, &next);
    }
    journal_reader *reader =
        journal_reader_open(&shop.dir, 0, 1, JOURNAL_CLAIMED_ONLY, error, sizeof error);
    CU_ASSERT_EQUAL(journal_reader_next(reader, &command), JOURNAL_MORE);
    CU_ASSERT_TRUE_FATAL(data_dir_journal_path(&shop.dir, 0, 1, path));
    snprintf(nameless, sizeof nameless, "%s.tmp", path);
    CU_ASSERT_EQUAL(rename(path, nameless), 0);
    int fd = open(nameless, O_WRONLY | O_CLOEXEC);
    memset(other, filler, sizeof other);
    CU_ASSERT_EQUAL(ftruncate(fd, (off_t)remains), 0);
    CU_ASSERT_EQUAL(pwrite(fd, other, size - remains, (off_t)remains), (ssize_t)(size - remains));
    close(fd);
    journal_end end;
    while ((end = journal_reader_next(reader, &command)) == JOURNAL_MORE) {
    }
    CU_ASSERT_EQUAL(end, JOURNAL_REMOVED);
    CU_ASSERT(strstr(journal_reader_trouble(reader), "removed while") != NULL);
    journal_reader_close(reader);
    image_free(&large);
    image_free(&next);
    workshop_end(&shop);
}

static void test_claimed_only_takes_no_removed_segment_for_a_bad_one(void)
{
    for (int two = 0; two < 2; two++) {
        read_while_it_goes(0, 0, 0, two);
        read_while_it_goes(290000, 0, 290000, two);
        read_while_it_goes(0, 0, 1 << 20, two);
        read_while_it_goes(0, 'x', 1 << 20, two);
        read_while_it_goes(280000, 0, 1 << 20, two);
    }
}

MATCHING_TESTS(MATCHING_TEST(test_claimed_only_ends_at_the_highest_claim),
               MATCHING_TEST(test_claimed_only_is_not_led_astray_by_stale_claims),
               MATCHING_TEST(test_claimed_only_finds_damage_too),
               MATCHING_TEST(test_claimed_only_tells_of_a_removed_segment),
               MATCHING_TEST(test_a_reader_goes_on_with_the_writer),
               MATCHING_TEST(test_claimed_only_takes_no_removed_segment_for_a_bad_one))
