/* What a reader makes of a shard's segments: commands in order, and how they end. */
#include <fcntl.h>
#include <unistd.h>

#include "journal/checksum.h"

#include "core/journal/workshop.h"
#include "support/cunit_main.h"

#define SIZE ((size_t)16384)

static workshop shop;
static image images[3];

static bool mentions(const outcome *o, const char *text)
{
    if (strstr(o->trouble, text) != NULL) {
        return true;
    }
    printf("\n    \"%s\" lacks \"%s\" ", o->trouble, text);
    return false;
}

/* All of from..last was read as written. */
static bool has_read(const outcome *o, uint64_t from, uint64_t last)
{
    return o->count == last + 1 - from && (o->count == 0 || o->first == from) && o->as_written &&
           o->position.last_sequence == last;
}

/* Three segments on disk: commands 1..30, 31..60, 61..85. */
static void three_segments(void)
{
    uint32_t previous = 0;
    uint64_t first = 1;
    workshop_begin(&shop, 1);
    for (unsigned i = 0; i < 3; i++) {
        image_begin(&images[i], 0, 1, first, previous, SIZE);
        for (unsigned batch = 0; batch < 5; batch++) {
            image_batch(&images[i], i == 2 ? 5 : 6);
        }
        workshop_put_image(&shop, &images[i]);
        previous = images[i].checksum;
        first = images[i].last_sequence + 1;
    }
}

static void put_back(void)
{
    for (unsigned i = 0; i < 3; i++) {
        workshop_put_image(&shop, &images[i]);
    }
}

static void finish(void)
{
    for (unsigned i = 0; i < 3; i++) {
        image_free(&images[i]);
    }
    workshop_end(&shop);
}

static void test_all_segments_are_one_journal(void)
{
    three_segments();
    outcome o = workshop_read(&shop, 1, false);
    CU_ASSERT_EQUAL(o.end, JOURNAL_WHOLE);
    CU_ASSERT(has_read(&o, 1, 85));
    CU_ASSERT_STRING_EQUAL(o.trouble, "");
    CU_ASSERT_EQUAL(o.position.first_sequence, 61);
    CU_ASSERT_EQUAL(o.position.offset, images[2].used);
    CU_ASSERT_EQUAL(o.position.checksum, images[2].checksum);
    CU_ASSERT_EQUAL(o.position.claimed, 80);
    CU_ASSERT_EQUAL(o.position.last_time_ns, workshop_command(85).time_ns);
    finish();
}

static void test_reading_begins_anywhere(void)
{
    three_segments();
    for (uint64_t from = 1; from <= 86; from++) {
        outcome o = workshop_read(&shop, from, false);
        CU_ASSERT_EQUAL(o.end, JOURNAL_WHOLE);
        CU_ASSERT(has_read(&o, from, 85));
    }
    outcome o = workshop_read(&shop, 87, false);
    CU_ASSERT_EQUAL(o.end, JOURNAL_DAMAGED);
    CU_ASSERT(o.count == 0 && mentions(&o, "command 86 was there once"));
    finish();
}

static void test_older_segments_may_be_gone(void)
{
    three_segments();
    workshop_remove(&shop, 0, 1);
    outcome o = workshop_read(&shop, 31, false);
    CU_ASSERT(o.end == JOURNAL_WHOLE && has_read(&o, 31, 85));
    o = workshop_read(&shop, 30, false);
    CU_ASSERT_EQUAL(o.end, JOURNAL_DAMAGED);
    CU_ASSERT(mentions(&o, "begins with command 31, but command 30 is needed"));
    finish();
}

static void test_older_segments_are_not_looked_at(void)
{
    three_segments();
    workshop_put(&shop, 0, 1, "spoiled", 7);
    outcome o = workshop_read(&shop, 31, false);
    CU_ASSERT(o.end == JOURNAL_WHOLE && has_read(&o, 31, 85));
    o = workshop_read(&shop, 30, false);
    CU_ASSERT(o.end == JOURNAL_DAMAGED && mentions(&o, "shorter than a header"));
    finish();
}

/* It was begun when all before it was on disk. */
static void test_a_fresh_segment_claims_what_was_before_it(void)
{
    three_segments();
    image next;
    image_begin(&next, 0, 1, 86, images[2].checksum, SIZE);
    workshop_put_image(&shop, &next);
    for (unsigned i = 0; i < 2; i++) {
        outcome o = workshop_read(&shop, 1, i == 1);
        CU_ASSERT(o.end == JOURNAL_WHOLE && has_read(&o, 1, 85));
        CU_ASSERT(i == 1 || (o.position.claimed == 85 && o.position.first_sequence == 86));
    }
    image_free(&next);
    finish();
}

static void test_without_segments_there_is_nothing(void)
{
    workshop_begin(&shop, 1);
    outcome o = workshop_read(&shop, 1, false);
    CU_ASSERT(o.end == JOURNAL_WHOLE && o.count == 0);
    CU_ASSERT_EQUAL(o.position.first_sequence, 0);
    o = workshop_read(&shop, 2, false);
    CU_ASSERT(o.end == JOURNAL_DAMAGED && mentions(&o, "command 1 was there once"));
    workshop_end(&shop);
}

static void test_an_end_is_final(void)
{
    char error[DATA_DIR_ERROR_SIZE];
    matching_command command;
    three_segments();
    journal_reader *reader = journal_reader_open(&shop.dir, 0, 85, 0, error, sizeof error);
    CU_ASSERT_EQUAL(journal_reader_next(reader, &command), JOURNAL_MORE);
    CU_ASSERT_EQUAL(journal_reader_next(reader, &command), JOURNAL_WHOLE);
    CU_ASSERT_EQUAL(journal_reader_next(reader, &command), JOURNAL_WHOLE);
    journal_reader_close(reader);
    finish();
}

static void test_progress_counts_from_the_first_segment_read(void)
{
    char error[DATA_DIR_ERROR_SIZE];
    matching_command command;
    uint64_t done, all, before = 0;
    three_segments();
    journal_reader *reader = journal_reader_open(&shop.dir, 0, 40, 0, error, sizeof error);
    journal_reader_progress(reader, &done, &all);
    CU_ASSERT(done == 0 && all == 2 * SIZE);
    while (journal_reader_next(reader, &command) == JOURNAL_MORE) {
        journal_reader_progress(reader, &done, &all);
        CU_ASSERT(done > before && done < all);
        before = done;
    }
    journal_reader_progress(reader, &done, &all);
    CU_ASSERT_EQUAL(done, all);
    journal_reader_close(reader);
    finish();
}

/* ---- Segments that do not fit ---------------------------------------------------------------- */

static void test_a_missing_segment_is_damage(void)
{
    three_segments();
    workshop_remove(&shop, 0, 31);
    outcome o = workshop_read(&shop, 1, false);
    CU_ASSERT_EQUAL(o.end, JOURNAL_DAMAGED);
    CU_ASSERT(has_read(&o, 1, 30));
    CU_ASSERT(mentions(&o, "the next segment begins with 61: commands are missing"));
    finish();
}

static void test_a_segment_of_another_history_is_damage(void)
{
    three_segments();
    image other;
    image_begin(&other, 0, 1, 31, images[0].checksum ^ 1, SIZE);
    image_batch(&other, 30);
    workshop_put_image(&shop, &other);
    outcome o = workshop_read(&shop, 1, false);
    CU_ASSERT_EQUAL(o.end, JOURNAL_DAMAGED);
    CU_ASSERT(has_read(&o, 1, 30) && mentions(&o, "031.journal, offset 0"));
    CU_ASSERT(mentions(&o, "the chain is wrong"));
    image_free(&other);
    finish();
}

/* Bytes of a header changed, and its checksum made right again unless `spoiled`. */
static outcome with_header(size_t segment, size_t field, uint32_t value, bool spoiled)
{
    char *copy = malloc(SIZE);
    memcpy(copy, images[segment].bytes, SIZE);
    journal_header fresh;
    char page[JOURNAL_RECORDS_AT];
    memcpy(&fresh, copy, sizeof fresh);
    memcpy((char *)&fresh + field, &value, sizeof value);
    fresh.checksum = 0;
    memset(page, 0, sizeof page);
    memcpy(page, &fresh, sizeof fresh);
    fresh.checksum = checksum_crc32c(0, page, sizeof page) ^ (spoiled ? 1u : 0);
    memcpy(copy, &fresh, sizeof fresh);
    workshop_put(&shop, 0, images[segment].first_sequence, copy, SIZE);
    outcome o = workshop_read(&shop, 1, false);
    free(copy);
    put_back();
    return o;
}

#define FIELD(name) offsetof(journal_header, name)

static void test_headers_are_checked(void)
{
    three_segments();
    for (size_t i = 0; i < 3; i++) {
        outcome o = with_header(i, FIELD(version), 2, false);
        CU_ASSERT_EQUAL(o.end, JOURNAL_REFUSED);
        CU_ASSERT(mentions(&o, "a newer matching: its version is 2"));
        o = with_header(i, FIELD(version), 2, true);
        CU_ASSERT_EQUAL(o.end, JOURNAL_DAMAGED);
        CU_ASSERT(mentions(&o, "checksum is wrong (it says version 2)"));
        o = with_header(i, FIELD(rules), JOURNAL_RULES + 1, false);
        CU_ASSERT(o.end == JOURNAL_REFUSED && mentions(&o, "of the matching rules"));
        o = with_header(i, FIELD(magic), 0x4843544E, false);
        CU_ASSERT(o.end == JOURNAL_DAMAGED && mentions(&o, "does not begin as a segment does"));
        o = with_header(i, FIELD(shard), 1, false);
        CU_ASSERT(o.end == JOURNAL_DAMAGED && mentions(&o, "another shard"));
        o = with_header(i, FIELD(shard_count), 2, false);
        CU_ASSERT(o.end == JOURNAL_DAMAGED && mentions(&o, "another shard"));
        o = with_header(i, FIELD(first_sequence), 7, false);
        CU_ASSERT(o.end == JOURNAL_DAMAGED && mentions(&o, "its name is not"));
        o = with_header(i, FIELD(size_bytes), SIZE - 8, false);
        CU_ASSERT(o.end == JOURNAL_DAMAGED && mentions(&o, "longer than its header says"));
        o = with_header(i, FIELD(size_bytes), 4, false);
        CU_ASSERT(o.end == JOURNAL_DAMAGED && mentions(&o, "cannot have the size"));
        o = with_header(i, FIELD(size_bytes) + 4, 2, false);
        CU_ASSERT(o.end == JOURNAL_DAMAGED && mentions(&o, "cannot have the size"));
        o = with_header(i, FIELD(previous), 99, false);
        CU_ASSERT_EQUAL(o.end, JOURNAL_DAMAGED);
        CU_ASSERT(mentions(&o, i == 0 ? "before the first command" : "the chain is wrong"));
    }
    finish();
}

/* ---- Records that cannot be ------------------------------------------------------------------ */

typedef union room {
    journal_record record;
    char bytes[JOURNAL_RECORD_MAX];
} room;

/* 20 commands with the record as the 21st, whole and linked; nothing is behind it. */
static outcome with_record(journal_record *record)
{
    workshop_begin(&shop, 1);
    image_begin(&images[0], 0, 1, 1, 0, SIZE);
    image_batch(&images[0], 10);
    image_batch(&images[0], 10);
    image_record_of(&images[0], record);
    workshop_put_image(&shop, &images[0]);
    outcome o = workshop_read(&shop, 1, false);
    CU_ASSERT(has_read(&o, 1, 20));
    CU_ASSERT(o.end != JOURNAL_DAMAGED ||
              o.position.offset == images[0].records[images[0].count - 1].offset);
    image_free(&images[0]);
    workshop_end(&shop);
    return o;
}

/* No torn write makes a record that is whole and linked, so none of these is cut off. */
static void test_a_linked_record_that_cannot_be_is_damage(void)
{
    room out;
    matching_command command = workshop_command(22);
    journal_encode(&command, out.bytes);
    outcome o = with_record(&out.record);
    CU_ASSERT(o.end == JOURNAL_DAMAGED && mentions(&o, "sequence is not the next one"));

    command = workshop_command(21);
    command.time_ns = workshop_command(20).time_ns - 1;
    journal_encode(&command, out.bytes);
    o = with_record(&out.record);
    CU_ASSERT(o.end == JOURNAL_DAMAGED && mentions(&o, "time is before"));

    command = workshop_command(21);
    command.type = MATCHING_READ_DEPTH;
    journal_encode(&command, out.bytes);
    o = with_record(&out.record);
    CU_ASSERT(o.end == JOURNAL_DAMAGED && mentions(&o, "an unknown type of command"));

    journal_make_claim(&out.record, 20, 1);
    out.record.kind = 3;
    o = with_record(&out.record);
    CU_ASSERT(o.end == JOURNAL_DAMAGED && mentions(&o, "an unknown kind of record"));

    journal_make_claim(&out.record, 21, 1);
    o = with_record(&out.record);
    CU_ASSERT(o.end == JOURNAL_DAMAGED && mentions(&o, "a command that is not there"));

    journal_make_claim(&out.record, 9, 1);
    o = with_record(&out.record);
    CU_ASSERT(o.end == JOURNAL_DAMAGED && mentions(&o, "less than the one before it"));

    journal_make_claim(&out.record, 20, 1);
    out.record.reserved = 1;
    o = with_record(&out.record);
    CU_ASSERT(o.end == JOURNAL_DAMAGED && mentions(&o, "none of ours"));

    journal_make_claim(&out.record, 20, 1);
    o = with_record(&out.record);
    CU_ASSERT(o.end == JOURNAL_WHOLE && o.position.claimed == 20);
}

/* What a snapshot keeps of the command that it was made after. */
static void test_each_command_has_its_checksum(void)
{
    char error[DATA_DIR_ERROR_SIZE];
    matching_command command;
    three_segments();
    journal_reader *reader = journal_reader_open(&shop.dir, 0, 20, 0, error, sizeof error);
    CU_ASSERT_EQUAL(journal_reader_checksum(reader), 0);
    for (size_t i = 0; i < 3; i++) {
        for (size_t n = 0; n < images[i].count; n++) {
            const image_record *record = &images[i].records[n];
            uint32_t checksum;
            memcpy(&checksum, images[i].bytes + record->offset + 4, sizeof checksum);
            if (!record->is_claim && record->sequence >= 20) {
                CU_ASSERT_EQUAL_FATAL(journal_reader_next(reader, &command), JOURNAL_MORE);
                CU_ASSERT_EQUAL(command.sequence, record->sequence);
                CU_ASSERT_EQUAL(journal_reader_checksum(reader), checksum);
            }
        }
    }
    journal_reader_close(reader);
    finish();
}

/* Without a length that can be there is no record to be whole. */
static void test_an_impossible_length_is_no_record(void)
{
    static const unsigned lengths[] = {sizeof(journal_record) + 4, JOURNAL_RECORD_MAX + 8};
    for (size_t i = 0; i < 2; i++) {
        union {
            journal_record record;
            char bytes[JOURNAL_RECORD_MAX + 8];
        } out;
        memset(out.bytes, 0, sizeof out.bytes);
        journal_make_claim(&out.record, 20, 1);
        out.record.length = lengths[i];
        outcome o = with_record(&out.record);
        CU_ASSERT(o.end == JOURNAL_TORN && mentions(&o, "cannot have the length that it says"));
    }
}

/* ---- Beside a writer ------------------------------------------------------------------------- */

static void test_claimed_only_ends_at_the_highest_claim(void)
{
    three_segments();
    outcome o = workshop_read(&shop, 1, true);
    CU_ASSERT(o.end == JOURNAL_WHOLE && has_read(&o, 1, 80));
    /* Whatever the last write has got to, and however much of it can be seen. */
    size_t claim = images[2].records[images[2].count - 6].offset;
    CU_ASSERT(images[2].records[images[2].count - 6].is_claim);
    char *copy = malloc(SIZE);
    for (size_t until = claim; until <= images[2].used; until++) {
        memcpy(copy, images[2].bytes, SIZE);
        memset(copy + until, 0, images[2].used - until);
        workshop_put(&shop, 0, 61, copy, SIZE);
        bool is_seen = memcmp(copy + claim, images[2].bytes + claim, sizeof(journal_record)) == 0;
        o = workshop_read(&shop, 1, true);
        CU_ASSERT(o.end == JOURNAL_WHOLE && has_read(&o, 1, is_seen ? 80 : 75));
        /* The end of the write may be there before its beginning. */
        memcpy(copy, images[2].bytes, SIZE);
        memset(copy + claim, 0, until - claim);
        workshop_put(&shop, 0, 61, copy, SIZE);
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
    char *copy = calloc(1, SIZE);
    for (size_t i = 0; i < images[at].count; i++) {
        const image_record *record = &images[at].records[i];
        if (!record->is_claim && record->sequence == n) {
            memcpy(copy, images[at].bytes, record->offset + record->length + 12);
        }
    }
    workshop_put(&shop, 0, 30 * at + 1, copy, SIZE);
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

/* The process that removed it may have done anything to its bytes while the reader has it open: here
 * `remains` of them are left, then `filler` up to `size`. */
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
    image_begin(&next, 0, 1, large.last_sequence + 1, large.checksum, SIZE);
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

/* ---- Cutting --------------------------------------------------------------------------------- */

static void test_a_torn_tail_is_cut_and_the_journal_goes_on(void)
{
    char error[DATA_DIR_ERROR_SIZE];
    three_segments();
    for (size_t n = images[2].count - 5; n < images[2].count; n++) {
        for (unsigned shorter = 0; shorter < 2; shorter++) {
            const image_record *record = &images[2].records[n];
            images[2].bytes[record->offset + record->length - 1] ^= 0x40;
            workshop_put(&shop, 0, 61, images[2].bytes, shorter ? images[2].used : SIZE);
            images[2].bytes[record->offset + record->length - 1] ^= 0x40;
            outcome o = workshop_read(&shop, 1, false);
            CU_ASSERT(o.end == JOURNAL_TORN && has_read(&o, 1, record->sequence - 1));
            CU_ASSERT(o.position.offset == record->offset && mentions(&o, "a torn tail"));
            CU_ASSERT_EQUAL(journal_cut(&shop.dir, 0, &o.position, error, sizeof error), 0);
            outcome after = workshop_read(&shop, 1, false);
            CU_ASSERT(after.end == JOURNAL_WHOLE && has_read(&after, 1, record->sequence - 1));
            CU_ASSERT_EQUAL(memcmp(&after.position, &o.position, sizeof o.position), 0);
        }
    }
    journal_position nowhere = {.first_sequence = 61, .offset = 8};
    CU_ASSERT(journal_cut(&shop.dir, 0, &nowhere, error, sizeof error) < 0);
    nowhere = (journal_position){.first_sequence = 62, .offset = 4096};
    CU_ASSERT(journal_cut(&shop.dir, 0, &nowhere, error, sizeof error) < 0);
    CU_ASSERT(strstr(error, "cannot be cut off: No such file") != NULL);
    finish();
}

MATCHING_TESTS(MATCHING_TEST(test_all_segments_are_one_journal),
               MATCHING_TEST(test_reading_begins_anywhere),
               MATCHING_TEST(test_older_segments_may_be_gone),
               MATCHING_TEST(test_older_segments_are_not_looked_at),
               MATCHING_TEST(test_a_fresh_segment_claims_what_was_before_it),
               MATCHING_TEST(test_without_segments_there_is_nothing),
               MATCHING_TEST(test_an_end_is_final),
               MATCHING_TEST(test_progress_counts_from_the_first_segment_read),
               MATCHING_TEST(test_a_missing_segment_is_damage),
               MATCHING_TEST(test_a_segment_of_another_history_is_damage),
               MATCHING_TEST(test_headers_are_checked),
               MATCHING_TEST(test_a_linked_record_that_cannot_be_is_damage),
               MATCHING_TEST(test_an_impossible_length_is_no_record),
               MATCHING_TEST(test_each_command_has_its_checksum),
               MATCHING_TEST(test_claimed_only_ends_at_the_highest_claim),
               MATCHING_TEST(test_claimed_only_is_not_led_astray_by_stale_claims),
               MATCHING_TEST(test_claimed_only_finds_damage_too),
               MATCHING_TEST(test_claimed_only_tells_of_a_removed_segment),
               MATCHING_TEST(test_a_reader_goes_on_with_the_writer),
               MATCHING_TEST(test_claimed_only_takes_no_removed_segment_for_a_bad_one),
               MATCHING_TEST(test_a_torn_tail_is_cut_and_the_journal_goes_on))
