/* The outbox: frames as RFC 6455 has them, handed over in whole frames. */
#include "outbox.h"

#include "support/cunit_main.h"

static void append(ws_outbox *outbox, size_t length)
{
    char *payload = malloc(length + 1);
    memset(payload, 'x', length + 1);
    CU_ASSERT_TRUE(ws_outbox_text(outbox, payload, length));
    free(payload);
}

static void test_lengths_are_framed_as_the_rfc_has_them(void)
{
    static const struct {
        size_t length, header;
        unsigned char bytes[4];
    } rows[] = {
        {0, 2, {0x81, 0, 0, 0}},        {125, 2, {0x81, 125, 'x', 'x'}},
        {126, 4, {0x81, 126, 0, 126}},  {65535, 4, {0x81, 126, 0xff, 0xff}},
        {65536, 10, {0x81, 127, 0, 0}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ws_outbox outbox = {0};
        append(&outbox, rows[i].length);
        CU_ASSERT_EQUAL(ws_outbox_length(&outbox), rows[i].header + rows[i].length);
        size_t compared = ws_outbox_length(&outbox) < 4 ? ws_outbox_length(&outbox) : 4;
        CU_ASSERT_EQUAL(memcmp(outbox.data, rows[i].bytes, compared), 0);
        CU_ASSERT_EQUAL(ws_outbox_chunk(&outbox, 1), ws_outbox_length(&outbox));
        ws_outbox_free(&outbox);
    }
}

static void test_a_ping_has_a_payload(void)
{
    ws_outbox outbox = {0};
    CU_ASSERT_TRUE(ws_outbox_ping(&outbox));
    CU_ASSERT_EQUAL(ws_outbox_length(&outbox), 3);
    CU_ASSERT_EQUAL(outbox.data[0], 0x89);
    CU_ASSERT_EQUAL(outbox.data[1], 1);
    ws_outbox_free(&outbox);
}

static void test_a_chunk_ends_where_a_frame_ends(void)
{
    ws_outbox outbox = {0};
    append(&outbox, 10);    /* 12 bytes */
    append(&outbox, 200);   /* 204 */
    append(&outbox, 70000); /* 70010 */
    ws_outbox_ping(&outbox);
    CU_ASSERT_EQUAL(ws_outbox_chunk(&outbox, 1000000), 12 + 204 + 70010 + 3);
    CU_ASSERT_EQUAL(ws_outbox_chunk(&outbox, 216), 216);
    CU_ASSERT_EQUAL(ws_outbox_chunk(&outbox, 215), 12);
    CU_ASSERT_EQUAL(ws_outbox_chunk(&outbox, 5), 12);
    ws_outbox_sent(&outbox, 216);
    CU_ASSERT_EQUAL(ws_outbox_chunk(&outbox, 1000), 70010);
    ws_outbox_sent(&outbox, 70010);
    CU_ASSERT_EQUAL(ws_outbox_chunk(&outbox, 1000), 3);
    ws_outbox_sent(&outbox, 3);
    CU_ASSERT_EQUAL(ws_outbox_length(&outbox), 0);
    ws_outbox_free(&outbox);
}

static void test_memory_is_used_again(void)
{
    ws_outbox outbox = {0};
    for (unsigned i = 0; i < 10000; i++) {
        append(&outbox, 1000);
        append(&outbox, 500);
        ws_outbox_sent(&outbox, ws_outbox_chunk(&outbox, 1004));
        if (i % 100 == 99) {
            ws_outbox_sent(&outbox, ws_outbox_length(&outbox));
        }
    }
    CU_ASSERT_EQUAL(ws_outbox_length(&outbox), 0);
    CU_ASSERT_TRUE(outbox.room <= 1u << 18);
    ws_outbox_free(&outbox);
}

MATCHING_TESTS(MATCHING_TEST(test_lengths_are_framed_as_the_rfc_has_them),
               MATCHING_TEST(test_a_ping_has_a_payload),
               MATCHING_TEST(test_a_chunk_ends_where_a_frame_ends),
               MATCHING_TEST(test_memory_is_used_again))
