/* The outbox: frames as RFC 6455 has them, own ones and shared ones in order, sent piece by
 * piece. */
#include "outbox.h"

#include "support/cunit_main.h"

static size_t held;

static void append(wire_outbox *outbox, size_t length)
{
    char *payload = malloc(length + 1);
    memset(payload, 'x', length + 1);
    CU_ASSERT_TRUE(wire_outbox_message(outbox, &held, WIRE_OPCODE_TEXT, payload, length));
    free(payload);
}

/* All that waits, in one piece, in `bytes`. */
static size_t look(const wire_outbox *outbox, unsigned char *bytes)
{
    struct iovec parts[16];
    size_t sum, length = 0;
    size_t count = wire_outbox_gather(outbox, parts, 16, &sum);
    for (size_t i = 0; i < count; i++) {
        memcpy(bytes + length, parts[i].iov_base, parts[i].iov_len);
        length += parts[i].iov_len;
    }
    CU_ASSERT_EQUAL(length, sum);
    return length;
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
    static unsigned char bytes[70000];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        wire_outbox outbox = {0};
        append(&outbox, rows[i].length);
        size_t length = look(&outbox, bytes);
        CU_ASSERT_EQUAL(length, rows[i].header + rows[i].length);
        CU_ASSERT_EQUAL(wire_outbox_length(&outbox), length);
        CU_ASSERT_EQUAL(memcmp(bytes, rows[i].bytes, length < 4 ? length : 4), 0);
        wire_frame *frame = wire_frame_create(&held, WIRE_OPCODE_TEXT,
                                              (const char *)bytes + rows[i].header, rows[i].length);
        CU_ASSERT_EQUAL_FATAL(frame->length, length);
        CU_ASSERT_EQUAL(memcmp(frame->data, bytes, length), 0);
        wire_frame_release(&held, frame);
        wire_outbox_free(&outbox, &held);
    }
    CU_ASSERT_EQUAL(held, 0);
}

static void test_control_frames(void)
{
    char payload[WIRE_CONTROL_MAX] = {'a', 'b'};
    unsigned char bytes[2 + 4 + 2 + WIRE_CONTROL_MAX];
    wire_outbox outbox = {0};
    CU_ASSERT_TRUE(wire_outbox_control(&outbox, &held, WIRE_OPCODE_PING, NULL, 0));
    CU_ASSERT_TRUE(wire_outbox_control(&outbox, &held, WIRE_OPCODE_CLOSE, "\x03\xe8", 2));
    CU_ASSERT_TRUE(wire_outbox_control(&outbox, &held, WIRE_OPCODE_PONG, payload, sizeof payload));
    CU_ASSERT_EQUAL_FATAL(look(&outbox, bytes), sizeof bytes);
    CU_ASSERT_EQUAL(memcmp(bytes, "\x89\0\x88\2\x03\xe8\x8a\x7d", 8), 0);
    CU_ASSERT_EQUAL(memcmp(bytes + 8, payload, sizeof payload), 0);
    wire_outbox_free(&outbox, &held);
}

/* own (12 bytes, 204), shared (7), own (70010, 3): cut everywhere. */
static void test_the_rest_of_a_frame_that_is_cut_is_found(void)
{
    static const size_t ends[] = {
        0, 12, 12 + 204, 12 + 204 + 7, 12 + 204 + 7 + 70010, 12 + 204 + 7 + 70010 + 3};
    static unsigned char bytes[71000];
    wire_outbox outbox = {0};
    wire_frame *frame = wire_frame_create(&held, WIRE_OPCODE_TEXT, "hello", 5);
    append(&outbox, 10);
    append(&outbox, 200);
    CU_ASSERT_TRUE(wire_outbox_share(&outbox, &held, frame));
    append(&outbox, 70000);
    CU_ASSERT_TRUE(wire_outbox_control(&outbox, &held, WIRE_OPCODE_PING, "?", 1));
    wire_frame_release(&held, frame);
    size_t length = look(&outbox, bytes), next = 0;
    CU_ASSERT_EQUAL_FATAL(length, ends[5]);
    for (size_t i = 0; i <= length; i++) {
        size_t rest;
        const unsigned char *cut = wire_outbox_cut(&outbox, i, &rest);
        next += i > ends[next];
        CU_ASSERT_EQUAL(i + rest, ends[next]);
        CU_ASSERT_TRUE(rest == 0 ? cut == NULL : memcmp(cut, bytes + i, rest) == 0);
    }
    wire_outbox_sent(&outbox, &held, ends[1]); /* in steps: what is left is what stood there */
    for (size_t i = 1; i < 5; i++) {
        CU_ASSERT_EQUAL(look(&outbox, bytes), length - ends[i]);
        CU_ASSERT_EQUAL(wire_outbox_length(&outbox), length - ends[i]);
        CU_ASSERT_EQUAL(bytes[0], i == 4 ? 0x89 : 0x81);
        wire_outbox_sent(&outbox, &held, ends[i + 1] - ends[i]);
    }
    CU_ASSERT_EQUAL(wire_outbox_length(&outbox), 0);
    wire_outbox_free(&outbox, &held);
    CU_ASSERT_EQUAL(held, 0);
}

static void test_a_shared_frame_lives_as_long_as_somebody_sends_it(void)
{
    enum { COUNT = 1000, LENGTH = 500 };
    static wire_outbox outboxes[COUNT];
    static char payload[LENGTH];
    unsigned char bytes[LENGTH + 4];
    memset(payload, 'y', sizeof payload);
    wire_frame *frame = wire_frame_create(&held, WIRE_OPCODE_TEXT, payload, LENGTH);
    for (unsigned i = 0; i < COUNT; i++) {
        CU_ASSERT_TRUE(wire_outbox_share(&outboxes[i], &held, frame));
    }
    CU_ASSERT_TRUE(held < COUNT * 100); /* once, not a thousand times */
    wire_frame_release(&held, frame);
    for (unsigned i = 0; i < COUNT; i++) {
        CU_ASSERT_EQUAL(look(&outboxes[i], bytes), LENGTH + 4);
        CU_ASSERT_EQUAL(memcmp(bytes + 4, payload, LENGTH), 0);
        if (i % 2 == 0) {
            wire_outbox_sent(&outboxes[i], &held, LENGTH + 4);
        }
        wire_outbox_free(&outboxes[i], &held); /* half of them unsent */
    }
    CU_ASSERT_EQUAL(held, 0);
}

/* Whoever asks gets the same one; what does not get smaller is its own. */
static void test_a_shared_frame_is_compressed_once(void)
{
    static const char noise[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    wire_packer packers[WIRE_PACKING_COUNT] = {{.is_ready = false}};
    wire_outbox outbox = {0};
    char payload[2000];
    memset(payload, 'z', sizeof payload);
    wire_frame *frame = wire_frame_create(&held, WIRE_OPCODE_TEXT, payload, sizeof payload);
    wire_frame *deflated = wire_frame_packed(&held, &packers[WIRE_DEFLATE], WIRE_DEFLATE, frame);
    wire_frame *gzipped = wire_frame_packed(&held, &packers[WIRE_GZIP], WIRE_GZIP, frame);
    CU_ASSERT_TRUE(deflated != frame && gzipped != frame && deflated != gzipped);
    CU_ASSERT_EQUAL(deflated->data[0], 0xc1);
    CU_ASSERT_EQUAL(gzipped->data[0], 0x82);
    CU_ASSERT_TRUE(deflated->length < 100 && gzipped->length < 100);
    CU_ASSERT_PTR_EQUAL(wire_frame_packed(&held, &packers[WIRE_GZIP], WIRE_GZIP, frame), gzipped);
    CU_ASSERT_TRUE(wire_outbox_share(&outbox, &held, deflated));
    wire_frame_release(&held, frame); /* the compressed one is still to be sent */
    CU_ASSERT_EQUAL(wire_outbox_length(&outbox), deflated->length);
    wire_frame *other = wire_frame_create(&held, WIRE_OPCODE_TEXT, noise, sizeof noise);
    CU_ASSERT_PTR_EQUAL(wire_frame_packed(&held, &packers[WIRE_DEFLATE], WIRE_DEFLATE, other),
                        other);
    CU_ASSERT_EQUAL(other->references, 1);
    wire_frame_release(&held, other);
    wire_outbox_free(&outbox, &held);
    CU_ASSERT_EQUAL(held, 0);
    wire_packer_fini(&packers[WIRE_DEFLATE]);
    wire_packer_fini(&packers[WIRE_GZIP]);
}

/* A queue that never runs empty does not grow, nor does what it holds change places. */
static void test_memory_is_used_again(void)
{
    static unsigned char bytes[8192];
    wire_outbox outbox = {0};
    append(&outbox, 0);
    for (unsigned i = 0; i < 10000; i++) {
        char text[16];
        int length = snprintf(text, sizeof text, "%09u", i);
        CU_ASSERT_TRUE(wire_outbox_message(&outbox, &held, WIRE_OPCODE_TEXT, text, (size_t)length));
        wire_frame *frame = wire_frame_create(&held, WIRE_OPCODE_TEXT, text, (size_t)length);
        CU_ASSERT_TRUE(wire_outbox_share(&outbox, &held, frame));
        wire_frame_release(&held, frame);
        wire_outbox_sent(&outbox, &held, i == 0 ? 2 : 22); /* one of each stays */
        CU_ASSERT_EQUAL_FATAL(look(&outbox, bytes), 22);
        CU_ASSERT_EQUAL(memcmp(bytes + 2, text, 9), 0);
        CU_ASSERT_EQUAL(memcmp(bytes + 13, text, 9), 0);
    }
    CU_ASSERT_TRUE(held <= 4096);
    wire_outbox_free(&outbox, &held);
    CU_ASSERT_EQUAL(held, 0);
}

static void join(wire_outbox *outbox, const char *payload, size_t most)
{
    CU_ASSERT_TRUE(
        wire_outbox_join(outbox, &held, WIRE_OPCODE_BINARY, payload, strlen(payload), most));
}

static bool looks(const wire_outbox *outbox, const char *expected, size_t length)
{
    unsigned char bytes[1024];
    return look(outbox, bytes) == length && memcmp(bytes, expected, length) == 0 &&
           wire_outbox_length(outbox) == length;
}

/* What a burst took is not kept by a connection that goes on being used. */
static void test_much_memory_is_given_back_once_all_is_sent(void)
{
    enum { LENGTH = 1u << 21, SHARES = 100000 };
    wire_outbox outbox = {0};
    append(&outbox, LENGTH);
    wire_outbox_sent(&outbox, &held, 1000);
    CU_ASSERT_TRUE(held > LENGTH);
    wire_outbox_sent(&outbox, &held, wire_outbox_length(&outbox));
    CU_ASSERT_EQUAL(held, 0);
    wire_frame *frame = wire_frame_create(&held, WIRE_OPCODE_TEXT, "x", 1);
    size_t before = held;
    for (unsigned i = 0; i < SHARES; i++) {
        CU_ASSERT_TRUE_FATAL(wire_outbox_share(&outbox, &held, frame));
    }
    wire_outbox_sent(&outbox, &held, wire_outbox_length(&outbox));
    CU_ASSERT_EQUAL(held, before);
    wire_frame_release(&held, frame);
    append(&outbox, 100);
    CU_ASSERT_EQUAL(wire_outbox_length(&outbox), 102);
    wire_outbox_free(&outbox, &held);
    CU_ASSERT_EQUAL(held, 0);
}

static void test_messages_join_in_one_frame_until_something_else_is_queued(void)
{
    wire_outbox outbox = {0};
    join(&outbox, "abc", 100);
    join(&outbox, "de", 100);
    CU_ASSERT_TRUE(looks(&outbox,
                         "\x82\x05"
                         "abcde",
                         7));
    CU_ASSERT_TRUE(wire_outbox_message(&outbox, &held, WIRE_OPCODE_BINARY, "x", 1));
    join(&outbox, "f", 100);
    join(&outbox, "g", 100);
    CU_ASSERT_TRUE(wire_outbox_control(&outbox, &held, WIRE_OPCODE_PING, NULL, 0));
    join(&outbox, "h", 100);
    wire_frame *frame = wire_frame_create(&held, WIRE_OPCODE_BINARY, "s", 1);
    CU_ASSERT_TRUE(wire_outbox_share(&outbox, &held, frame));
    wire_frame_release(&held, frame);
    join(&outbox, "i", 100);
    CU_ASSERT_TRUE(looks(&outbox,
                         "\x82\x05"
                         "abcde\x82\1x\x82\2fg\x89\0\x82\1h\x82\1s\x82\1i",
                         7 + 3 + 4 + 2 + 3 + 3 + 3));
    wire_outbox_sent(&outbox, &held, 7 + 3 + 4 + 2 + 3 + 3 + 3);
    join(&outbox, "j", 100);
    CU_ASSERT_TRUE(looks(&outbox, "\x82\1j", 3));
    wire_outbox_free(&outbox, &held);
    CU_ASSERT_EQUAL(held, 0);
}

static void test_a_joined_frame_has_a_limit(void)
{
    wire_outbox outbox = {0};
    join(&outbox, "abcd", 10);
    join(&outbox, "efgh", 10);
    join(&outbox, "i", 10);
    CU_ASSERT_TRUE(looks(&outbox,
                         "\x82\x08"
                         "abcdefgh\x82\1i",
                         13));
    wire_outbox_free(&outbox, &held);
}

/* Its header grows with it, where RFC 6455 wants that. */
static void test_a_joined_frame_outgrows_its_header(void)
{
    static unsigned char bytes[70000];
    wire_outbox outbox = {0};
    size_t length = 0;
    for (; length < 65530; length += 5) {
        join(&outbox, "01234", 65535);
        if (length == 120) {
            CU_ASSERT_EQUAL(look(&outbox, bytes), 127);
            CU_ASSERT_EQUAL(bytes[1], 125);
        }
    }
    CU_ASSERT_EQUAL_FATAL(look(&outbox, bytes), 4 + length);
    CU_ASSERT_EQUAL(memcmp(bytes, "\x82\x7e\xff\xfa", 4), 0);
    for (size_t i = 0; i < length; i++) {
        CU_ASSERT_EQUAL_FATAL(bytes[4 + i], '0' + i % 5);
    }
    wire_outbox_sent(&outbox, &held, 4 + length);
    wire_outbox_free(&outbox, &held);
    CU_ASSERT_EQUAL(held, 0);
}

MATCHING_TESTS(MATCHING_TEST(test_lengths_are_framed_as_the_rfc_has_them),
               MATCHING_TEST(test_control_frames),
               MATCHING_TEST(test_the_rest_of_a_frame_that_is_cut_is_found),
               MATCHING_TEST(test_a_shared_frame_lives_as_long_as_somebody_sends_it),
               MATCHING_TEST(test_a_shared_frame_is_compressed_once),
               MATCHING_TEST(test_memory_is_used_again),
               MATCHING_TEST(test_much_memory_is_given_back_once_all_is_sent),
               MATCHING_TEST(test_messages_join_in_one_frame_until_something_else_is_queued),
               MATCHING_TEST(test_a_joined_frame_has_a_limit),
               MATCHING_TEST(test_a_joined_frame_outgrows_its_header))
