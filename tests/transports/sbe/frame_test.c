/* Frames: what is one, where it ends, and what is said of the message that ends it. */
#include "golden.h"
#include "sbe_frame.h"
#include "support/cunit_main.h"

/* A frame in memory of exactly its size: a sanitizer sees the first byte read beyond. */
typedef struct walk {
    uint8_t *bytes;
    sbe_frame frame;
    sbe_message message;
    sbe_error error;
} walk;

static void walk_init(walk *w, const void *bytes, size_t length)
{
    *w = (walk){.bytes = malloc(length > 0 ? length : 1)};
    CU_ASSERT_PTR_NOT_NULL_FATAL(w->bytes);
    memcpy(w->bytes, bytes, length);
    sbe_frame_init(&w->frame, w->bytes, length);
}

static bool next(walk *w)
{
    return sbe_frame_next(&w->frame, &w->message, &w->error);
}

static void walk_fini(walk *w)
{
    free(w->bytes);
}

static void expect_text(const sbe_error *error, const char *wanted)
{
    char text[SBE_ERROR_TEXT];
    CU_ASSERT_EQUAL(sbe_error_print(text, error), strlen(wanted));
    CU_ASSERT_STRING_EQUAL(text, wanted);
}

static void test_a_frame_of_all_messages(void)
{
    const golden_message *all;
    size_t count = golden_messages(&all), length = 0;
    uint8_t bytes[GOLDEN_MAX * SBE_MESSAGE_BYTES_MAX];
    for (size_t i = 0; i < count; i++) {
        memcpy(bytes + length, all[i].bytes, all[i].length);
        length += all[i].length;
    }
    walk w;
    walk_init(&w, bytes, length);
    for (size_t i = 0; i < count; i++) {
        CU_ASSERT_TRUE_FATAL(next(&w));
        CU_ASSERT_EQUAL(w.message.bytes, all[i].length);
        CU_ASSERT_EQUAL(memcmp(w.message.block - SBE_HEADER_BYTES, all[i].bytes, all[i].length), 0);
    }
    CU_ASSERT_FALSE(next(&w));
    CU_ASSERT_EQUAL(w.error.fault, SBE_FAULT_NONE);
    walk_fini(&w);
}

static void test_an_empty_frame_has_no_message(void)
{
    walk w;
    walk_init(&w, "", 0);
    CU_ASSERT_FALSE(next(&w));
    CU_ASSERT_EQUAL(w.error.fault, SBE_FAULT_NONE);
    expect_text(&w.error, "");
    walk_fini(&w);
}

/* Each message cut off after each of its bytes, behind one that is whole. */
static void test_a_message_cut_off_anywhere_is_short(void)
{
    const golden_message *all, *first = golden_find("heartbeat");
    size_t count = golden_messages(&all);
    for (size_t i = 0; i < count; i++) {
        for (size_t got = 1; got < all[i].length; got++) {
            uint8_t bytes[2 * SBE_MESSAGE_BYTES_MAX];
            memcpy(bytes, first->bytes, first->length);
            memcpy(bytes + first->length, all[i].bytes, got);
            walk w;
            walk_init(&w, bytes, first->length + got);
            CU_ASSERT_TRUE(next(&w));
            CU_ASSERT_FALSE(next(&w));
            CU_ASSERT_EQUAL(w.error.fault, SBE_FAULT_SHORT);
            CU_ASSERT_EQUAL(w.error.expected, got < 8 ? 8 : all[i].length);
            CU_ASSERT_EQUAL(w.error.got, got);
            CU_ASSERT_EQUAL(w.error.template_id, got < 4 ? 0 : all[i].bytes[2]);
            CU_ASSERT_FALSE(next(&w));
            CU_ASSERT_EQUAL(w.error.fault, SBE_FAULT_NONE);
            walk_fini(&w);
        }
    }
}

static void test_the_text_of_a_short_trade(void)
{
    walk w;
    walk_init(&w, golden_find("trade")->bytes, 20);
    CU_ASSERT_FALSE(next(&w));
    expect_text(&w.error, "insufficient data: expected 29 bytes, got 20");
    walk_fini(&w);
    walk_init(&w, golden_find("trade")->bytes, 5);
    CU_ASSERT_FALSE(next(&w));
    expect_text(&w.error, "insufficient data: expected 8 bytes, got 5");
    walk_fini(&w);
}

/* The block says itself that it is short, with more bytes of the frame behind it. */
static void test_a_short_block_is_short(void)
{
    uint8_t bytes[SBE_NEW_ORDER_BYTES + 100] = {0};
    memcpy(bytes, golden_find("new_order")->bytes, SBE_NEW_ORDER_BYTES);
    for (uint16_t length = 0; length < SBE_NEW_ORDER_BLOCK; length++) {
        walk w;
        sbe_store_u16(bytes, length);
        walk_init(&w, bytes, sizeof bytes);
        CU_ASSERT_FALSE(next(&w));
        CU_ASSERT_EQUAL(w.error.fault, SBE_FAULT_SHORT);
        CU_ASSERT_EQUAL(w.error.expected, SBE_NEW_ORDER_BYTES);
        CU_ASSERT_EQUAL(w.error.got, 8u + length);
        CU_ASSERT_EQUAL(w.error.client_order_id, length < 8 ? 0 : 506097522914230528u);
        walk_fini(&w);
    }
}

/* A schema of version 7 has put 13 bytes at the end of a cancel. */
static void test_a_longer_block_is_read_and_skipped(void)
{
    uint8_t bytes[SBE_CANCEL_ORDER_BYTES + 13 + SBE_HEARTBEAT_BYTES];
    memcpy(bytes, golden_find("cancel_order")->bytes, SBE_CANCEL_ORDER_BYTES);
    memset(bytes + SBE_CANCEL_ORDER_BYTES, 0xee, 13);
    memcpy(bytes + SBE_CANCEL_ORDER_BYTES + 13, golden_find("heartbeat")->bytes,
           SBE_HEARTBEAT_BYTES);
    sbe_store_u16(bytes, SBE_CANCEL_ORDER_BLOCK + 13);
    sbe_store_u16(bytes + 6, 7);
    walk w;
    walk_init(&w, bytes, sizeof bytes);
    CU_ASSERT_TRUE_FATAL(next(&w));
    CU_ASSERT_EQUAL(w.message.version, 7);
    CU_ASSERT_EQUAL(w.message.block_length, SBE_CANCEL_ORDER_BLOCK + 13);
    CU_ASSERT_EQUAL(w.message.bytes, SBE_CANCEL_ORDER_BYTES + 13);
    CU_ASSERT_EQUAL(sbe_cancel_order_order_id(w.message.block), 9007199254740991u);
    CU_ASSERT_TRUE_FATAL(next(&w));
    CU_ASSERT_EQUAL(sbe_heartbeat_timestamp(w.message.block), 1700000000987654321u);
    walk_fini(&w);
    walk_init(&w, bytes, SBE_CANCEL_ORDER_BYTES + 12);
    CU_ASSERT_FALSE(next(&w));
    expect_text(&w.error, "insufficient data: expected 45 bytes, got 44");
    walk_fini(&w);
}

static void test_an_unknown_template_ends_the_frame(void)
{
    static const uint16_t ids[] = {0, 14, 15, 255, 256, 257, 32767, 32768, 65535};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        uint8_t bytes[2 * SBE_HEARTBEAT_BYTES];
        char text[SBE_ERROR_TEXT];
        memcpy(bytes, golden_find("heartbeat")->bytes, SBE_HEARTBEAT_BYTES);
        memcpy(bytes + SBE_HEARTBEAT_BYTES, bytes, SBE_HEARTBEAT_BYTES);
        sbe_store_u16(bytes + 2, ids[i]);
        walk w;
        walk_init(&w, bytes, sizeof bytes);
        CU_ASSERT_FALSE(next(&w));
        CU_ASSERT_EQUAL(w.error.fault, SBE_FAULT_TEMPLATE);
        CU_ASSERT_EQUAL(w.error.template_id, ids[i]);
        CU_ASSERT_EQUAL(w.error.client_order_id, 0);
        snprintf(text, sizeof text, "unknown template: %u", ids[i]);
        expect_text(&w.error, text);
        CU_ASSERT_FALSE(next(&w));
        CU_ASSERT_EQUAL(w.error.fault, SBE_FAULT_NONE);
        walk_fini(&w);
    }
}

static void test_another_schema_ends_the_frame(void)
{
    uint8_t bytes[SBE_HEARTBEAT_BYTES];
    memcpy(bytes, golden_find("heartbeat")->bytes, sizeof bytes);
    sbe_store_u16(bytes + 4, 2);
    walk w;
    walk_init(&w, bytes, sizeof bytes);
    CU_ASSERT_FALSE(next(&w));
    CU_ASSERT_EQUAL(w.error.fault, SBE_FAULT_SCHEMA);
    CU_ASSERT_EQUAL(w.error.template_id, SBE_HEARTBEAT);
    expect_text(&w.error, "wrong schema: expected 1, got 2");
    walk_fini(&w);
}

static void test_alike_messages_are_stepped_over_together(void)
{
    uint8_t bytes[4 * SBE_TRADE_BYTES + SBE_HEARTBEAT_BYTES], *end = bytes;
    for (int i = 0; i < 3; i++) {
        memcpy(end, golden_find("trade")->bytes, SBE_TRADE_BYTES);
        end += SBE_TRADE_BYTES;
    }
    memcpy(end, golden_find("heartbeat")->bytes, SBE_HEARTBEAT_BYTES);
    end += SBE_HEARTBEAT_BYTES;
    memcpy(end, golden_find("trade")->bytes, SBE_TRADE_BYTES);
    walk w;
    walk_init(&w, bytes, sizeof bytes);
    CU_ASSERT_TRUE_FATAL(next(&w));
    CU_ASSERT_EQUAL(sbe_frame_skip_alike(&w.frame, &w.message), 2);
    CU_ASSERT_TRUE_FATAL(next(&w));
    CU_ASSERT_EQUAL(w.message.template_id, SBE_HEARTBEAT);
    CU_ASSERT_EQUAL(sbe_frame_skip_alike(&w.frame, &w.message), 0);
    CU_ASSERT_TRUE_FATAL(next(&w));
    CU_ASSERT_EQUAL(w.message.template_id, SBE_TRADE);
    CU_ASSERT_FALSE(next(&w));
    walk_fini(&w);
    /* The last of them ends the frame. */
    walk_init(&w, bytes, 3 * SBE_TRADE_BYTES);
    CU_ASSERT_TRUE_FATAL(next(&w));
    CU_ASSERT_EQUAL(sbe_frame_skip_alike(&w.frame, &w.message), 2);
    CU_ASSERT_FALSE(next(&w));
    CU_ASSERT_EQUAL(w.error.fault, SBE_FAULT_NONE);
    walk_fini(&w);
    /* One that is cut off is not among them, and is told of. */
    walk_init(&w, bytes, 3 * SBE_TRADE_BYTES - 1);
    CU_ASSERT_TRUE_FATAL(next(&w));
    CU_ASSERT_EQUAL(sbe_frame_skip_alike(&w.frame, &w.message), 1);
    CU_ASSERT_FALSE(next(&w));
    expect_text(&w.error, "insufficient data: expected 29 bytes, got 28");
    walk_fini(&w);
}

MATCHING_TESTS(MATCHING_TEST(test_a_frame_of_all_messages),
               MATCHING_TEST(test_an_empty_frame_has_no_message),
               MATCHING_TEST(test_a_message_cut_off_anywhere_is_short),
               MATCHING_TEST(test_the_text_of_a_short_trade),
               MATCHING_TEST(test_a_short_block_is_short),
               MATCHING_TEST(test_a_longer_block_is_read_and_skipped),
               MATCHING_TEST(test_an_unknown_template_ends_the_frame),
               MATCHING_TEST(test_another_schema_ends_the_frame),
               MATCHING_TEST(test_alike_messages_are_stepped_over_together))
