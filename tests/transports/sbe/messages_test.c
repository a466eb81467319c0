/* The codec against bytes that were put together apart from it (golden/make.py): what it writes and
 * what it reads, every message both ways, at every alignment.
 */
#include "golden.h"
#include "sbe_frame.h"
#include "support/cunit_main.h"

#define NONE SBE_NULL_I64

/* As in golden/values.json. */
static const sbe_trade trade = {72623859790382856u, 'B', 50000.25, 305419896u};
static const sbe_trade trade_most = {UINT64_MAX, '~', -0.5, SBE_QUANTITY_MAX};
static const sbe_new_order new_order = {
    506097522914230528u, "alice",       67305985u,     1, 3, 2, 7, 5000025000000, 150000000,
    81985529216486895,   4999900000000, 1700000000123u};
static const sbe_new_order new_order_nulls = {
    .trader_id = {'a', '-', 't', 'r', 'a', 'd', 'e', 'r', '-', 'o', 'f', '-', '1', '6', '-', 'c'},
    .order_type = 1,
    .time_in_force = 1,
    .price = NONE,
    .quantity = 1,
    .display_quantity = NONE,
    .stop_price = NONE};
static const sbe_new_order new_order_no_trader = {.client_order_id = 7,
                                                  .instrument_id = 2,
                                                  .flags = SBE_POST_ONLY,
                                                  .price = 100000000,
                                                  .quantity = 9223372036800000000,
                                                  .display_quantity = NONE,
                                                  .stop_price = NONE};
static const sbe_cancel_order cancel_order = {1311768467463790320u, 9007199254740991u, 4275878552u};
static const sbe_amend_order amend_order = {1,  283686952306183u,  3, 5100000000000,
                                            -2, 578437695752307201};
static const sbe_amend_order amend_order_nulls = {2, 5, 0, NONE, 250000000, NONE};
static const sbe_execution_report execution_report = {1157159078456920585u,
                                                      4822678189205111u,
                                                      16909060u,
                                                      2,
                                                      8,
                                                      1,
                                                      SBE_EXEC_TRIGGERED,
                                                      5000000000000,
                                                      81985529216486895,
                                                      1234567890123456,
                                                      144115188075855873,
                                                      1700000000123456789u,
                                                      72340172838076673u,
                                                      4999912345678};
static const sbe_execution_report execution_report_nulls = {.order_id = 1,
                                                            .instrument_id = 1,
                                                            .price = NONE,
                                                            .remaining_quantity = 100000000,
                                                            .timestamp = 1,
                                                            .last_price = NONE};
static const sbe_reject reject = {
    651345242494996240u,
    2,
    7,
    {'d', 'i', 's', 'p', 'l', 'a', 'y', '_', 'q', 'u', 'a', 'n', 't', 'i', 't', 'y'}};
static const sbe_reject reject_of_a_header = {0, 0, 2, "INVALID_MESSAGE"};
static const sbe_book_update book_update = {3735928559u,   4999900000000, 81985529216486895,
                                            5000100000000, INT64_MAX,     1108152157446u};
static const sbe_book_update book_update_empty = {2, NONE, 0, NONE, 0, 0};
static const sbe_subscribe subscribe = {
    219025168u, SBE_CHANNEL_TRADES | SBE_CHANNEL_BOOK | SBE_CHANNEL_TRADES_EXACT,
    SBE_ACTION_UNSUBSCRIBE};
static const sbe_subscribe subscribe_all = {0, SBE_CHANNEL_TRADES, SBE_ACTION_SUBSCRIBE};
static const sbe_heartbeat heartbeat = {1700000000987654321u};
static const sbe_instrument instrument = {84281096u, 'B', 2, "BTCUSDT", 1000000, 10000};
static const sbe_instrument instrument_no_letter = {
    UINT32_MAX, 0,
    0,          {'S', 'Y', 'M', 'B', 'O', 'L', '-', 'O', 'F', '-', '1', '6', '.', 'C', 'H', '_'},
    1,          9223372036800000000};
static const sbe_trade_exact trade_exact = {
    506097522914230528u, 1, 1, 5000000000000, 50000000, 283686952306183u, 4822678189205111u,
    1700000000123456789u};
static const sbe_trade_exact trade_exact_of_an_auction = {1, 2, SBE_NULL_SIDE, 1, 2, 3, 4, 5};
static const sbe_logon logon = {{'a', '-', 't', 'r', 'a', 'd', 'e', 'r', '-', 'w', 'i',
                                 't', 'h', '-', 'a', '-', 'n', 'a', 'm', 'e', '-', 'o',
                                 'f', '-', '3', '2', '-', 'c', 'h', 'a', 'r', 's'},
                                SBE_CANCEL_ON_DISCONNECT};
static const sbe_mass_cancel mass_cancel = {1311768467463790320u, "bob", 16909060u};
static const sbe_mass_cancel mass_cancel_all = {.client_order_id = 9};

static unsigned compared;

static void expect_bytes(const char *name, const uint8_t *bytes, size_t length)
{
    const golden_message *golden = golden_find(name);
    bool same = length == golden->length && memcmp(bytes, golden->bytes, length) == 0;
    if (!same) {
        printf("%s differs:", name);
        for (size_t i = 0; i < length; i++) {
            printf(i < golden->length && bytes[i] == golden->bytes[i] ? " %02x" : " [%02x]",
                   bytes[i]);
        }
        printf("\n");
    }
    CU_ASSERT(same);
}

#define SAME_u8(view, member) CU_ASSERT_EQUAL(view(block), member)
#define SAME_u16(view, member) CU_ASSERT_EQUAL(view(block), member)
#define SAME_u32(view, member) CU_ASSERT_EQUAL(view(block), member)
#define SAME_u64(view, member) CU_ASSERT_EQUAL(view(block), member)
#define SAME_i64(view, member) CU_ASSERT_EQUAL(view(block), member)
#define SAME_f64(view, member) CU_ASSERT_EQUAL(view(block), member)
#define SAME_chr(view, member) CU_ASSERT_EQUAL(view(block), member)
#define SAME_text16(view, member) CU_ASSERT_EQUAL(memcmp(view(block), member, 16), 0)
#define SAME_text32(view, member) CU_ASSERT_EQUAL(memcmp(view(block), member, 32), 0)
#define SAME_pad2(view, member)
#define SAME_pad3(view, member)
#define SAME_pad4(view, member)
#define SAME_pad7(view, member)
#define SAME_pad8(view, member)
#define CHECK_VIEW(message, kind, name, offset) SAME_##kind(message##_##name, wanted->name);

/* Written: the golden bytes. Read from there at each alignment: what had been written, by the
 * functions of single fields and by the one for all. As its bytes are those of one structure only,
 * what writes them again is that. */
#define SBE_DEFINE(id, NAME, name, block_bytes)                                                    \
    static void check_##name(const char *golden_name, const sbe_##name *wanted)                    \
    {                                                                                              \
        const golden_message *golden = golden_find(golden_name);                                   \
        uint8_t out[SBE_MESSAGE_BYTES_MAX], in[SBE_MESSAGE_BYTES_MAX + 8];                         \
        memset(out, 0xa5, sizeof out);                                                             \
        expect_bytes(golden_name, out, sbe_##name##_write(out, sizeof out, wanted));               \
        CU_ASSERT_EQUAL(golden->length, SBE_##NAME##_BYTES);                                       \
        for (size_t shift = 0; shift < 8; shift++) {                                               \
            sbe_frame frame;                                                                       \
            sbe_message message = {0};                                                             \
            sbe_error error;                                                                       \
            sbe_##name got;                                                                        \
            memcpy(in + shift, golden->bytes, golden->length);                                     \
            sbe_frame_init(&frame, in + shift, golden->length);                                    \
            CU_ASSERT_FATAL(sbe_frame_next(&frame, &message, &error));                             \
            CU_ASSERT_EQUAL(message.template_id, SBE_##NAME);                                      \
            CU_ASSERT_EQUAL(message.bytes, golden->length);                                        \
            const uint8_t *block = message.block;                                                  \
            SBE_##NAME##_FIELDS(CHECK_VIEW, sbe_##name);                                           \
            sbe_##name##_read(block, &got);                                                        \
            memset(out, 0xa5, sizeof out);                                                         \
            expect_bytes(golden_name, out, sbe_##name##_write(out, sizeof out, &got));             \
            CU_ASSERT_FALSE(sbe_frame_next(&frame, &message, &error));                             \
            CU_ASSERT_EQUAL(error.fault, SBE_FAULT_NONE);                                          \
        }                                                                                          \
        compared++;                                                                                \
    }
SBE_TEMPLATE_TABLE(SBE_DEFINE)
#undef SBE_DEFINE

static void test_every_message_has_the_golden_bytes(void)
{
    const golden_message *all;
    compared = 0;
    check_trade("trade", &trade);
    check_trade("trade_most", &trade_most);
    check_new_order("new_order", &new_order);
    check_new_order("new_order_nulls", &new_order_nulls);
    check_new_order("new_order_no_trader", &new_order_no_trader);
    check_cancel_order("cancel_order", &cancel_order);
    check_amend_order("amend_order", &amend_order);
    check_amend_order("amend_order_nulls", &amend_order_nulls);
    check_execution_report("execution_report", &execution_report);
    check_execution_report("execution_report_nulls", &execution_report_nulls);
    check_reject("reject", &reject);
    check_reject("reject_of_a_header", &reject_of_a_header);
    check_book_update("book_update", &book_update);
    check_book_update("book_update_empty", &book_update_empty);
    check_subscribe("subscribe", &subscribe);
    check_subscribe("subscribe_all", &subscribe_all);
    check_heartbeat("heartbeat", &heartbeat);
    check_instrument("instrument", &instrument);
    check_instrument("instrument_no_letter", &instrument_no_letter);
    check_trade_exact("trade_exact", &trade_exact);
    check_trade_exact("trade_exact_of_an_auction", &trade_exact_of_an_auction);
    check_logon("logon", &logon);
    check_mass_cancel("mass_cancel", &mass_cancel);
    check_mass_cancel("mass_cancel_all", &mass_cancel_all);
    CU_ASSERT_EQUAL(compared, golden_messages(&all));
}

/* The frame of 29 bytes that the contract speaks of, byte by byte. */
static void test_a_trade_is_29_bytes(void)
{
    static const uint8_t bytes[29] = {21,  0, 1, 0, 1, 0,    0,    0,    /* header */
                                      1,   0, 0, 0, 0, 0,    0,    0,    /* tradeId 1 */
                                      'B',                               /* symbol */
                                      0,   0, 0, 0, 0, 0x6a, 0xe8, 0x40, /* price 50000.0 */
                                      10,  0, 0, 0};                     /* quantity 10 */
    uint8_t out[29];
    sbe_trade first = {1, 'B', 50000.0, 10};
    CU_ASSERT_EQUAL(sbe_trade_write(out, sizeof out, &first), 29);
    CU_ASSERT_EQUAL(memcmp(out, bytes, 29), 0);
}

static void test_nothing_is_written_where_there_is_no_room(void)
{
    uint8_t out[SBE_MESSAGE_BYTES_MAX], untouched[SBE_MESSAGE_BYTES_MAX];
    memset(out, 0xa5, sizeof out);
    memset(untouched, 0xa5, sizeof untouched);
    for (size_t room = 0; room < SBE_EXECUTION_REPORT_BYTES; room++) {
        CU_ASSERT_EQUAL(sbe_execution_report_write(out, room, &execution_report), 0);
    }
    for (size_t room = 0; room < SBE_HEARTBEAT_BYTES; room++) {
        CU_ASSERT_EQUAL(sbe_heartbeat_write(out, room, &heartbeat), 0);
    }
    CU_ASSERT_EQUAL(memcmp(out, untouched, sizeof out), 0);
    CU_ASSERT_EQUAL(sbe_heartbeat_write(out, SBE_HEARTBEAT_BYTES, &heartbeat), 16);
}

MATCHING_TESTS(MATCHING_TEST(test_every_message_has_the_golden_bytes),
               MATCHING_TEST(test_a_trade_is_29_bytes),
               MATCHING_TEST(test_nothing_is_written_where_there_is_no_room))
