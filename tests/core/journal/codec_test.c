/* Commands become records and come back; a record that encode would not have written is refused. */
#include "journal/codec.h"

#include "support/cunit_main.h"

#define SEED 20041031u

typedef union room {
    uint64_t align;
    journal_record record;
    char bytes[JOURNAL_RECORD_MAX + 8];
} room;

static uint64_t random_state;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* Each second time 0, otherwise any bits. */
static uint64_t maybe(void)
{
    return next_random() % 2 ? next_random() : 0;
}

static void fill_text(char *out, size_t most)
{
    size_t length = next_random() % 2 ? next_random() % (most + 1) : 0;
    for (size_t i = 0; i < length; i++) {
        out[i] = (char)(1 + next_random() % 255);
    }
}

/* A command with every field that the journal keeps, and nothing else. */
static matching_command any_command(void)
{
    matching_command command = {
        .sequence = next_random(),
        .time_ns = next_random(),
        .order_id = maybe(),
        .price_ticks = (int64_t)maybe(),
        .quantity_lots = (int64_t)maybe(),
        .instrument = (uint16_t)maybe(),
        .type = (uint8_t)(1 + next_random() % 31),
        .side = (uint8_t)maybe(),
        .order_type = (uint8_t)maybe(),
        .time_in_force = (uint8_t)maybe(),
        .flags = (uint8_t)(maybe() & ~(uint64_t)(MATCHING_FLAG_COLLECT | MATCHING_FLAG_BRIEF)),
        .self_trade = (uint8_t)maybe(),
        .reason = (uint8_t)maybe(),
        .state = (uint8_t)maybe(),
        .sbe_char = (char)maybe(),
        .display_lots = (int64_t)maybe(),
        .stop_price_ticks = (int64_t)maybe(),
        .expire_time_ms = maybe(),
        .instrument_id = (uint32_t)maybe(),
    };
    fill_text(command.trader_id, MATCHING_TRADER_MAX);
    fill_text(command.client_order_id, sizeof command.client_order_id);
    return command;
}

static void test_any_command_comes_back(void)
{
    random_state = SEED;
    for (unsigned i = 0; i < 20000; i++) {
        matching_command command = any_command(), back;
        room out, again;
        memset(out.bytes, 0xA5, sizeof out.bytes); /* encode writes all that counts */
        memset(again.bytes, 0x5A, sizeof again.bytes);
        memset(&back, 0xFF, sizeof back);
        size_t length = journal_encode(&command, out.bytes);
        CU_ASSERT_FATAL(length <= JOURNAL_RECORD_MAX && length % JOURNAL_ALIGN == 0);
        CU_ASSERT_FATAL(out.record.length == length && out.record.kind == JOURNAL_COMMAND);
        CU_ASSERT(out.record.checksum == 0 && out.record.previous == 0);
        CU_ASSERT_EQUAL(out.bytes[length], (char)0xA5);
        CU_ASSERT_PTR_NULL_FATAL(journal_decode(&out.record, &back));
        CU_ASSERT_EQUAL_FATAL(memcmp(&back, &command, sizeof command), 0);
        CU_ASSERT_EQUAL(journal_encode(&back, again.bytes), length);
        CU_ASSERT_EQUAL(memcmp(again.bytes, out.bytes, length), 0);
    }
}

static void test_what_cannot_change_an_outcome_is_left_out(void)
{
    random_state = SEED;
    for (unsigned i = 0; i < 100; i++) {
        matching_command command = any_command(), noisy = command;
        noisy.flags |= MATCHING_FLAG_COLLECT | MATCHING_FLAG_BRIEF;
        noisy.status = 7;
        noisy.trader_hint = 8;
        noisy.hint_place = 9;
        noisy.from_id = 10;
        noisy.before_id = 11;
        noisy.tag = 12;
        noisy.received_ns = 13;
        noisy.payload = &noisy;
        room plain, other;
        size_t length = journal_encode(&command, plain.bytes);
        CU_ASSERT_EQUAL_FATAL(journal_encode(&noisy, other.bytes), length);
        CU_ASSERT_EQUAL(memcmp(plain.bytes, other.bytes, length), 0);
    }
}

static void test_sizes_of_usual_commands(void)
{
    matching_command limit = {.type = MATCHING_PLACE, .price_ticks = 5, .quantity_lots = 1};
    room out;
    memcpy(limit.trader_id, "trader-1", 8);
    CU_ASSERT_EQUAL(journal_encode(&limit, out.bytes), 80);
    memcpy(limit.client_order_id, "1", 1);
    CU_ASSERT_EQUAL(journal_encode(&limit, out.bytes), 88);
    limit.display_lots = 1;
    limit.stop_price_ticks = 1;
    limit.expire_time_ms = 1;
    limit.instrument_id = 1;
    memset(limit.trader_id, 'x', sizeof limit.trader_id);
    memset(limit.client_order_id, 'x', sizeof limit.client_order_id);
    CU_ASSERT_EQUAL(journal_encode(&limit, out.bytes), JOURNAL_RECORD_MAX);
}

/* Any byte changed: the checksum finds it. Sealed again: it comes back as it then is, or is
 * refused, but is never read as something that encode writes otherwise. */
static void test_no_two_records_mean_the_same(void)
{
    random_state = SEED;
    unsigned refused = 0, taken = 0;
    for (unsigned i = 0; i < 200; i++) {
        matching_command command = any_command(), back;
        room out, again;
        size_t length = journal_encode(&command, out.bytes);
        journal_seal(&out.record, 77);
        for (size_t at = 4; at < length; at++) { /* the length is the reader's to check */
            room changed = out;
            changed.bytes[at] ^= (char)(1u << next_random() % 8);
            CU_ASSERT_FALSE_FATAL(journal_record_is_whole(&changed.record));
            journal_seal(&changed.record, changed.record.previous);
            if (journal_decode(&changed.record, &back) != NULL) {
                refused++;
                continue;
            }
            taken++;
            CU_ASSERT_EQUAL_FATAL(journal_encode(&back, again.bytes), length);
            journal_seal(&again.record, changed.record.previous);
            CU_ASSERT_EQUAL_FATAL(memcmp(again.bytes, changed.bytes, length), 0);
        }
    }
    CU_ASSERT(refused > 1000 && taken > 1000);
}

static void refuses(const room *out, const char *why)
{
    matching_command back;
    const char *fault = journal_decode(&out->record, &back);
    CU_ASSERT_PTR_NOT_NULL_FATAL(fault);
    if (strcmp(fault, why) != 0) {
        printf("\"%s\" instead of \"%s\" ", fault, why);
        CU_FAIL("another reason");
    }
}

static void test_faults_are_named(void)
{
    matching_command command = {.type = MATCHING_PLACE, .display_lots = 1, .instrument_id = 3};
    memcpy(command.trader_id, "alice", 5);
    room good, bad;
    journal_encode(&command, good.bytes);
    journal_command *body = (journal_command *)(&bad.record + 1);
    char *text = (char *)(body + 1) + 16;

    bad = good;
    bad.record.length = 64;
    refuses(&bad, "a command's record cannot have this length");
    bad.record.length = JOURNAL_RECORD_MAX + 8;
    refuses(&bad, "a command's record cannot have this length");
    bad.record.length = good.record.length + 8;
    refuses(&bad, "the length does not fit what is in it");
    bad = good;
    bad.record.kind = JOURNAL_CLAIM;
    refuses(&bad, "an unknown kind of record");
    bad = good;
    bad.record.reserved = 1;
    refuses(&bad, "an unknown kind of record");
    bad = good;
    body->reserved = 1;
    refuses(&bad, "a reserved field is not zero");
    bad = good;
    body->type = MATCHING_READ_ORDER;
    refuses(&bad, "an unknown type of command");
    body->type = 0;
    refuses(&bad, "an unknown type of command");
    bad = good;
    body->flags = MATCHING_FLAG_BRIEF;
    refuses(&bad, "unknown flags");
    bad = good;
    body->has |= 16;
    refuses(&bad, "unknown flags");
    bad = good;
    body->trader_length = MATCHING_TRADER_MAX + 1;
    refuses(&bad, "a text is too long");
    bad = good;
    memset(body + 1, 0, 8);
    refuses(&bad, "a number that is there is 0");
    bad = good;
    memset(body + 1, 0xFF, 16);
    refuses(&bad, "the instrument's id is too large");
    bad = good;
    text[2] = '\0';
    refuses(&bad, "a text has a zero in it");
    bad = good;
    text[7] = 'x';
    refuses(&bad, "the padding is not zero");
}

static void test_a_seal_covers_every_byte_and_the_chain(void)
{
    room claim;
    journal_make_claim(&claim.record, 41, 42);
    CU_ASSERT_EQUAL(claim.record.length, sizeof(journal_record));
    uint32_t checksum = journal_seal(&claim.record, 43);
    CU_ASSERT(claim.record.checksum == checksum && claim.record.previous == 43);
    CU_ASSERT(journal_record_is_whole(&claim.record));
    CU_ASSERT_NOT_EQUAL(journal_seal(&claim.record, 44), checksum);
    for (size_t i = 4; i < sizeof(journal_record); i++) {
        claim.bytes[i] ^= 16;
        CU_ASSERT_FALSE(journal_record_is_whole(&claim.record));
        claim.bytes[i] ^= 16;
    }
}

MATCHING_TESTS(MATCHING_TEST(test_any_command_comes_back),
               MATCHING_TEST(test_what_cannot_change_an_outcome_is_left_out),
               MATCHING_TEST(test_sizes_of_usual_commands),
               MATCHING_TEST(test_no_two_records_mean_the_same),
               MATCHING_TEST(test_faults_are_named),
               MATCHING_TEST(test_a_seal_covers_every_byte_and_the_chain))
