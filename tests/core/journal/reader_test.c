/* What a reader makes of a shard's segments: commands in order, and how they end. */

#include "journal/checksum.h"

#include "core/journal/reader_fixture.h"
#include "support/cunit_main.h"

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
    image_begin(&next, 0, 1, 86, images[2].checksum, READER_SIZE);
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
    CU_ASSERT(done == 0 && all == 2 * READER_SIZE);
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
    image_begin(&other, 0, 1, 31, images[0].checksum ^ 1, READER_SIZE);
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
    char *copy = malloc(READER_SIZE);
    memcpy(copy, images[segment].bytes, READER_SIZE);
    journal_header fresh;
    char page[JOURNAL_RECORDS_AT];
    memcpy(&fresh, copy, sizeof fresh);
    memcpy((char *)&fresh + field, &value, sizeof value);
    fresh.checksum = 0;
    memset(page, 0, sizeof page);
    memcpy(page, &fresh, sizeof fresh);
    fresh.checksum = checksum_crc32c(0, page, sizeof page) ^ (spoiled ? 1u : 0);
    memcpy(copy, &fresh, sizeof fresh);
    workshop_put(&shop, 0, images[segment].first_sequence, copy, READER_SIZE);
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
        o = with_header(i, FIELD(size_bytes), READER_SIZE - 8, false);
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
    image_begin(&images[0], 0, 1, 1, 0, READER_SIZE);
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

/* ---- Cutting --------------------------------------------------------------------------------- */

static void test_a_torn_tail_is_cut_and_the_journal_goes_on(void)
{
    char error[DATA_DIR_ERROR_SIZE];
    three_segments();
    for (size_t n = images[2].count - 5; n < images[2].count; n++) {
        for (unsigned shorter = 0; shorter < 2; shorter++) {
            const image_record *record = &images[2].records[n];
            images[2].bytes[record->offset + record->length - 1] ^= 0x40;
            workshop_put(&shop, 0, 61, images[2].bytes, shorter ? images[2].used : READER_SIZE);
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
               MATCHING_TEST(test_a_torn_tail_is_cut_and_the_journal_goes_on))
