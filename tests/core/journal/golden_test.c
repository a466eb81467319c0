/* The bytes on disk never change: a segment whose bytes were put together apart from the program
 * (golden/make.py) is what the program writes, and is read as what it says.
 */
#include <inttypes.h>

#include "core/journal/workshop.h"
#include "support/cunit_main.h"

#define NS UINT64_C(1700000000000000000)
#define SIZE_MAX_EXPECTED 65536

static char golden[SIZE_MAX_EXPECTED];
static size_t golden_size;

/* As in make.py. */
static const matching_command commands[] = {
    {.sequence = 1,
     .time_ns = NS + 1000,
     .type = MATCHING_ADD_INSTRUMENT,
     .price_ticks = 1000000,
     .quantity_lots = 10000,
     .sbe_char = 'B',
     .instrument_id = 1,
     .symbol = "BTCUSDT"},
    {.sequence = 2,
     .time_ns = NS + 2000,
     .type = MATCHING_PLACE,
     .price_ticks = 5000000,
     .quantity_lots = 15000,
     .side = MATCHING_BUY,
     .trader_id = "alice",
     .client_order_id = "order-1"},
    {.sequence = 3,
     .time_ns = NS + 2000,
     .type = MATCHING_PLACE,
     .price_ticks = 5000100,
     .quantity_lots = 20000,
     .side = MATCHING_SELL,
     .order_type = MATCHING_STOP_LIMIT,
     .time_in_force = MATCHING_GTD,
     .flags = MATCHING_FLAG_POST_ONLY,
     .self_trade = MATCHING_STP_CANCEL_MAKER,
     .display_lots = 1000,
     .stop_price_ticks = 4999900,
     .expire_time_ms = UINT64_C(1700000060000),
     .trader_id = "a-trader-with-32-characters-name",
     .client_order_id = "123456789012345678901234567890123456"},
    {.sequence = 4,
     .time_ns = NS + 3000,
     .type = MATCHING_CANCEL,
     .order_id = 64,
     .reason = MATCHING_REASON_USER},
    {.sequence = 5,
     .time_ns = NS + 3000,
     .type = MATCHING_AMEND,
     .price_ticks = 5000001,
     .flags = MATCHING_FLAG_OPEN_QUANTITY,
     .trader_id = "bob",
     .client_order_id = "7"},
    {.sequence = 6, .time_ns = NS + 4000, .type = MATCHING_SET_STATE, .state = MATCHING_AUCTION},
    {.sequence = 7,
     .time_ns = NS + 4000,
     .type = MATCHING_CANCEL_ALL,
     .flags = MATCHING_FLAG_ALL_SYMBOLS,
     .reason = MATCHING_REASON_MASS_CANCEL,
     .trader_id = "alice"},
    {.sequence = 8, .time_ns = NS + 5000, .type = MATCHING_TICK},
};

#define COMMANDS (sizeof commands / sizeof commands[0])

/* Lines `size N` and `OFFSET  BYTES  name`, in hexadecimal; # begins a comment. */
static void load(void)
{
    char line[256];
    FILE *file = fopen(GOLDEN_SEGMENT, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    memset(golden, 0, sizeof golden);
    golden_size = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        unsigned offset, byte;
        int used, length = 0;
        if (*line == '#' || sscanf(line, "size %zu", &golden_size) == 1) {
            continue;
        }
        CU_ASSERT_FATAL(sscanf(line, "%x%n", &offset, &used) == 1);
        for (const char *at = line + used + 1; sscanf(at, " %2x%n", &byte, &length) == 1;
             at += length) {
            CU_ASSERT_FATAL(offset < golden_size && golden_size <= sizeof golden);
            golden[offset++] = (char)byte;
            if (at[length] != ' ' || at[length + 1] == ' ') {
                break; /* what follows is the name */
            }
        }
    }
    fclose(file);
    CU_ASSERT_FATAL(golden_size > JOURNAL_RECORDS_AT);
}

static void add_claim(image *i, uint64_t sequence, uint64_t time_ns)
{
    journal_record record;
    journal_make_claim(&record, sequence, time_ns);
    image_record_of(i, &record);
}

static void test_the_program_writes_the_golden_bytes(void)
{
    load();
    union {
        journal_record record;
        char bytes[JOURNAL_RECORD_MAX];
    } out;
    image i;
    image_begin(&i, 1, 3, 1, 0, golden_size);
    journal_make_header(i.bytes, 1, 3, 1, 0, golden_size, NS);
    add_claim(&i, 0, NS + 1);
    for (size_t n = 0; n < COMMANDS; n++) {
        journal_encode(&commands[n], out.bytes);
        image_record_of(&i, &out.record);
        if (n == 1) {
            add_claim(&i, 2, NS + 2001);
        } else if (n == 4) {
            add_claim(&i, 5, NS + 3500);
        }
    }
    add_claim(&i, 8, NS + 5001);
    for (size_t at = 0; at < golden_size; at++) {
        if (i.bytes[at] != golden[at]) {
            printf("the first difference is at offset 0x%04zx ", at);
            break;
        }
    }
    CU_ASSERT_EQUAL(memcmp(i.bytes, golden, golden_size), 0);
    image_free(&i);
}

static void test_the_program_reads_the_golden_bytes(void)
{
    load();
    workshop shop;
    char error[DATA_DIR_ERROR_SIZE];
    matching_command command;
    workshop_begin(&shop, 3);
    workshop_put(&shop, 1, 1, golden, golden_size);
    journal_reader *reader = journal_reader_open(&shop.dir, 1, 1, 0, error, sizeof error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(reader);
    for (size_t n = 0; n < COMMANDS; n++) {
        CU_ASSERT_EQUAL_FATAL(journal_reader_next(reader, &command), JOURNAL_MORE);
        CU_ASSERT_EQUAL(memcmp(&command, &commands[n], sizeof command), 0);
    }
    CU_ASSERT_EQUAL(journal_reader_next(reader, &command), JOURNAL_WHOLE);
    CU_ASSERT_EQUAL(journal_reader_position(reader)->claimed, 8);
    CU_ASSERT_EQUAL(journal_reader_position(reader)->last_time_ns, NS + 5000);
    journal_reader_close(reader);
    workshop_end(&shop);
}

MATCHING_TESTS(MATCHING_TEST(test_the_program_writes_the_golden_bytes),
               MATCHING_TEST(test_the_program_reads_the_golden_bytes))
