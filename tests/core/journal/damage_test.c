/* Every kind of damage to a last segment, and what a reader says of it.
 *
 * The rule is computed here from the table of what was written and from which bytes differ, never
 * by looking for records as the reader does: the first record that is not as it was written is the
 * end; a claim behind it, itself as it was written, that names this record or a later one makes it
 * damage; else it is a torn tail, or a whole end where nothing but zeros follows.
 *
 * Random choices have fixed seeds.
 */
#include <inttypes.h>

#include "core/journal/workshop.h"
#include "support/cunit_main.h"

#define SIZE ((size_t)8192)
#define BIG_SIZE ((size_t)65536)
#define SECTOR ((size_t)512)
#define PAGE ((size_t)4096)
#define CUT_EACH 61 /* torn tails; a cut waits for the disk */

static workshop shop;
static image original;
static char *spoiled; /* the bytes that go to the file, as long as the original */
static size_t file_size;
static unsigned cases, torn, damaged, whole;
static uint64_t random_state;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static void begin(size_t size)
{
    workshop_begin(&shop, 1);
    image_begin(&original, 0, 1, 1, 0, size);
    spoiled = malloc(size);
    cases = torn = damaged = whole = 0;
    random_state = 20121206;
}

/* 30 commands in batches of 1 to 6; the last batch is not claimed. */
static void begin_small(void)
{
    static const unsigned batches[] = {5, 1, 6, 3, 4, 2, 5, 1, 3};
    begin(SIZE);
    for (size_t i = 0; i < sizeof batches / sizeof batches[0]; i++) {
        image_batch(&original, batches[i]);
    }
}

/* Some 500 commands, over eleven pages. */
static void begin_big(void)
{
    begin(BIG_SIZE);
    while (original.used < 12 * PAGE - 2000) {
        image_batch(&original, 1 + (unsigned)(next_random() % 12));
    }
}

static void finish(void)
{
    printf("%u cases: %u torn, %u damaged, %u whole ", cases, torn, damaged, whole);
    CU_ASSERT_EQUAL(torn + damaged + whole, cases);
    image_free(&original);
    free(spoiled);
    workshop_end(&shop);
}

static void fresh(void)
{
    memcpy(spoiled, original.bytes, original.size);
    file_size = original.size;
}

/* ---- The rule -------------------------------------------------------------------------------- */

typedef struct verdict {
    journal_end end;
    uint64_t offset; /* of the first record that is not as it was written, or behind the last */
    uint64_t last;   /* command before that */
} verdict;

static bool is_as_written(size_t offset, size_t length)
{
    return offset + length <= file_size &&
           memcmp(spoiled + offset, original.bytes + offset, length) == 0;
}

static bool is_zero(size_t offset)
{
    for (; offset < file_size; offset++) {
        if (spoiled[offset] != 0) {
            return false;
        }
    }
    return true;
}

static verdict judge(void)
{
    verdict v = {.end = JOURNAL_WHOLE, .offset = JOURNAL_RECORDS_AT};
    if (!is_as_written(0, JOURNAL_RECORDS_AT)) {
        return (verdict){.end = JOURNAL_DAMAGED};
    }
    size_t n = 0;
    for (; n < original.count; n++) {
        const image_record *record = &original.records[n];
        if (!is_as_written(record->offset, record->length)) {
            break;
        }
        v.offset = record->offset + record->length;
        v.last = record->is_claim ? v.last : record->sequence;
    }
    if (is_zero(v.offset) && file_size == original.size) {
        return v;
    }
    v.end = JOURNAL_TORN;
    for (; n < original.count; n++) {
        const image_record *record = &original.records[n];
        if (record->is_claim && record->sequence > v.last &&
            is_as_written(record->offset, record->length)) {
            v.end = JOURNAL_DAMAGED;
        }
    }
    return v;
}

/* Reads what is in `spoiled` and compares with the rule. */
static void check(void)
{
    char offset[64], error[DATA_DIR_ERROR_SIZE];
    verdict v = judge();
    workshop_put(&shop, 0, 1, spoiled, file_size);
    outcome o = workshop_read(&shop, 1, false);
    cases++;
    torn += o.end == JOURNAL_TORN;
    damaged += o.end == JOURNAL_DAMAGED;
    whole += o.end == JOURNAL_WHOLE;
    CU_ASSERT_EQUAL_FATAL(o.end, v.end);
    CU_ASSERT_EQUAL_FATAL(o.position.offset, v.offset);
    CU_ASSERT_FATAL(o.count == v.last && o.as_written && o.position.last_sequence == v.last);
    if (o.end == JOURNAL_WHOLE) {
        CU_ASSERT_FATAL(*o.trouble == '\0');
        return;
    }
    snprintf(offset, sizeof offset, "00001.journal, offset %" PRIu64 ": ", v.offset);
    CU_ASSERT_FATAL(strstr(o.trouble, offset) != NULL);
    if (o.end == JOURNAL_TORN && torn % CUT_EACH == 0) {
        CU_ASSERT_FATAL(journal_cut(&shop.dir, 0, &o.position, error, sizeof error) == 0);
        outcome after = workshop_read(&shop, 1, false);
        CU_ASSERT_FATAL(after.end == JOURNAL_WHOLE && after.count == o.count);
        CU_ASSERT_FATAL(memcmp(&after.position, &o.position, sizeof o.position) == 0);
    }
}

/* ---- Files that end too early ---------------------------------------------------------------- */

static void test_every_truncation(void)
{
    begin_small();
    for (size_t length = 0; length < SIZE; length++) {
        fresh();
        file_size = length;
        check();
    }
    finish();
}

static void test_zeros_from_every_byte_on(void)
{
    begin_small();
    for (size_t length = 0; length <= original.used; length++) {
        fresh();
        memset(spoiled + length, 0, SIZE - length);
        check();
    }
    CU_ASSERT(torn > 2000 && whole >= original.count);
    finish();
}

/* ---- Bits ------------------------------------------------------------------------------------ */

static void test_a_bit_of_every_byte(void)
{
    begin_small();
    for (size_t at = 0; at < SIZE; at++) {
        fresh();
        spoiled[at] ^= (char)(1 << next_random() % 8);
        check();
    }
    finish();
}

static void test_every_bit_of_the_last_records(void)
{
    begin_small();
    size_t from = original.records[original.count - 11].offset;
    for (size_t bit = 8 * from; bit < 8 * original.used; bit++) {
        fresh();
        spoiled[bit / 8] ^= (char)(1 << bit % 8);
        check();
    }
    CU_ASSERT(torn > 0 && damaged > 0);
    finish();
}

/* Where writes are not waited for (sync = "interval"), several stand behind what is claimed. */
static void test_a_bit_of_every_byte_where_claims_lag(void)
{
    begin(SIZE);
    for (uint64_t durable = 0; original.used < SIZE - 1000;) {
        uint64_t before = original.last_sequence;
        for (unsigned i = 0; i < 4; i++) {
            image_claim(&original, durable);
            image_commands(&original, 2);
        }
        durable = before;
    }
    for (size_t at = JOURNAL_RECORDS_AT; at < original.used; at++) {
        fresh();
        spoiled[at] ^= (char)(1 << next_random() % 8);
        check();
    }
    CU_ASSERT(torn > 500 && damaged > 1000);
    finish();
}

/* ---- Sectors and pages ----------------------------------------------------------------------- */

static void lose(size_t unit, size_t number)
{
    memset(spoiled + number * unit, 0, unit);
}

static void test_each_sector_and_each_page_lost(void)
{
    begin_big();
    for (size_t i = 0; i < BIG_SIZE / SECTOR; i++) {
        fresh();
        lose(SECTOR, i);
        check();
    }
    for (size_t i = 0; i < BIG_SIZE / PAGE; i++) {
        fresh();
        lose(PAGE, i);
        check();
    }
    CU_ASSERT(damaged > 60);
    finish();
}

static void test_any_sectors_lost_before_kept_ones(void)
{
    begin_big();
    size_t sectors = original.used / SECTOR + 1;
    for (unsigned i = 0; i < 1500; i++) {
        fresh();
        unsigned losses = 1 + (unsigned)(next_random() % 6);
        /* The nearer to the end, the more often nothing behind it is claimed. */
        size_t span = i % 3 == 0 ? sectors : 10;
        for (unsigned k = 0; k < losses; k++) {
            lose(SECTOR, sectors - 1 - next_random() % span);
        }
        check();
    }
    CU_ASSERT(torn > 50 && damaged > 500);
    finish();
}

/* What a power cut may do: all that was synced is there, and of the rest any sectors. That is never
 * damage, whether one write was on its way (sync = "commit") or several, whose claims then all name
 * what was synced before the first of them. */
static void test_a_power_cut_is_never_damage(void)
{
    begin(BIG_SIZE);
    for (unsigned i = 0; i < 600; i++) {
        image_free(&original);
        image_begin(&original, 0, 1, 1, 0, BIG_SIZE);
        unsigned synced_batches = (unsigned)(next_random() % 20);
        for (unsigned k = 0; k < synced_batches; k++) {
            image_batch(&original, 1 + (unsigned)(next_random() % 20));
        }
        size_t synced = original.used;
        uint64_t durable = original.last_sequence;
        for (uint64_t k = next_random() % 5; k < 5; k++) {
            image_claim(&original, durable);
            image_commands(&original, 1 + (unsigned)(next_random() % 60));
        }
        fresh();
        size_t unit = i % 2 ? SECTOR : PAGE;
        for (size_t at = synced / unit * unit; at < original.used; at += unit) {
            if (next_random() % 2) {
                size_t from = at < synced ? synced : at;
                memset(spoiled + from, 0, at + unit - from);
            }
        }
        check();
        CU_ASSERT_EQUAL(damaged, 0);
        CU_ASSERT(judge().last >= durable);
    }
    CU_ASSERT(torn > 400);
    finish();
}

/* ---- Bytes of other segments ----------------------------------------------------------------- */

/* Sectors of an older segment of the same shard show up behind the end, as where a file system
 * gives out old blocks: a chain that does not fit, and claims of what is long past. */
static void test_stale_bytes_of_an_older_segment(void)
{
    begin_small();
    image older = original;
    image_begin(&original, 0, 1, 31, older.checksum, SIZE);
    for (unsigned i = 0; i < 6; i++) {
        image_batch(&original, 4);
    }
    for (size_t at = JOURNAL_RECORDS_AT; at < older.used; at += JOURNAL_ALIGN) {
        memcpy(spoiled, original.bytes, SIZE);
        size_t from = at < original.used ? original.used : at;
        memcpy(spoiled + from, older.bytes + at, SIZE - from);
        workshop_put_image(&shop, &older);
        workshop_put(&shop, 0, 31, spoiled, SIZE);
        outcome o = workshop_read(&shop, 1, false);
        cases++;
        torn++;
        CU_ASSERT_FATAL(o.end == JOURNAL_TORN && o.as_written && o.count == 54);
        CU_ASSERT_EQUAL(o.position.offset, original.used);
    }
    image_free(&older);
    finish();
}

/* A whole claim of something that is not there is believed wherever it is: better a refusal than a
 * history that was cut off in error. */
static void test_a_later_claim_of_another_chain_is_believed(void)
{
    begin_small();
    image other;
    image_begin(&other, 0, 1, 1, 77, SIZE);
    image_batch(&other, 2);
    image_claim(&other, 29);
    image_claim(&other, 30);
    image_claim(&other, 31);
    for (size_t n = other.count - 3; n < other.count; n++) {
        for (size_t at = original.used; at < original.used + 600; at += JOURNAL_ALIGN) {
            fresh();
            memcpy(spoiled + at, other.bytes + other.records[n].offset, sizeof(journal_record));
            workshop_put(&shop, 0, 1, spoiled, SIZE);
            outcome o = workshop_read(&shop, 1, false);
            bool is_later = other.records[n].sequence > 30;
            cases++;
            torn += o.end == JOURNAL_TORN;
            damaged += o.end == JOURNAL_DAMAGED;
            CU_ASSERT_EQUAL_FATAL(o.end, is_later ? JOURNAL_DAMAGED : JOURNAL_TORN);
            CU_ASSERT_FATAL(o.count == 30 && o.as_written);
            CU_ASSERT_EQUAL_FATAL(o.position.offset, original.used);
        }
    }
    image_free(&other);
    finish();
}

/* ---- Segments that are not the last ---------------------------------------------------------- */

/* There nothing is ever torn: whatever differs, it is damage, and commands before it are right. */
static void test_any_change_of_an_older_segment_is_damage(void)
{
    begin_small();
    image later;
    image_begin(&later, 0, 1, 31, original.checksum, SIZE);
    image_batch(&later, 3);
    workshop_put_image(&shop, &later);
    for (size_t at = 0; at < SIZE; at++) {
        fresh();
        spoiled[at] ^= (char)(1 << next_random() % 8);
        verdict v = judge();
        workshop_put(&shop, 0, 1, spoiled, SIZE);
        outcome o = workshop_read(&shop, 1, false);
        cases++;
        damaged++;
        CU_ASSERT_FATAL(o.end == JOURNAL_DAMAGED && o.as_written && o.count == v.last);
        CU_ASSERT_EQUAL_FATAL(o.position.first_sequence, 1);
        CU_ASSERT_EQUAL_FATAL(o.position.offset, v.offset);
    }
    for (size_t length = 0; length < SIZE; length += 7) {
        workshop_put(&shop, 0, 1, original.bytes, length);
        outcome o = workshop_read(&shop, 1, false);
        cases++;
        damaged++;
        CU_ASSERT_FATAL(o.end == JOURNAL_DAMAGED && o.as_written);
    }
    image_free(&later);
    finish();
}

MATCHING_TESTS(MATCHING_TEST(test_every_truncation), MATCHING_TEST(test_zeros_from_every_byte_on),
               MATCHING_TEST(test_a_bit_of_every_byte),
               MATCHING_TEST(test_every_bit_of_the_last_records),
               MATCHING_TEST(test_a_bit_of_every_byte_where_claims_lag),
               MATCHING_TEST(test_each_sector_and_each_page_lost),
               MATCHING_TEST(test_any_sectors_lost_before_kept_ones),
               MATCHING_TEST(test_a_power_cut_is_never_damage),
               MATCHING_TEST(test_stale_bytes_of_an_older_segment),
               MATCHING_TEST(test_a_later_claim_of_another_chain_is_believed),
               MATCHING_TEST(test_any_change_of_an_older_segment_is_damage))
