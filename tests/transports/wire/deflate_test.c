/* Compressed messages: RFC 7692's own bytes, what is broken or too large, and that zlib by itself
 * reads what is made here, with the window that was agreed on.
 */
#include "deflate.h"

#include "support/cunit_main.h"

#define MOST 1000

static wire_unpacker unpacker;

static void expect_unpacked(const void *payload, size_t length, const char *text)
{
    size_t unpacked = 0;
    CU_ASSERT_EQUAL(wire_unpack(&unpacker, payload, length, MOST, &unpacked), WIRE_UNPACKED);
    CU_ASSERT_EQUAL_FATAL(unpacked, strlen(text));
    CU_ASSERT_TRUE(unpacked == 0 || unpacker.out != NULL);
    CU_ASSERT_EQUAL(memcmp(unpacker.out, text, unpacked), 0);
}

static void expect_broken(const void *payload, size_t length)
{
    size_t unpacked;
    CU_ASSERT_EQUAL(wire_unpack(&unpacker, payload, length, MOST, &unpacked), WIRE_UNPACKED_BROKEN);
}

#define UNPACKED(bytes, text) expect_unpacked(bytes, sizeof(bytes) - 1, text)
#define BROKEN(bytes) expect_broken(bytes, sizeof(bytes) - 1)

/* Section 7.2.3: one block; no compression; a block that says it is the last; two blocks. */
static void test_the_examples_of_the_rfc(void)
{
    UNPACKED("\xf2\x48\xcd\xc9\xc9\x07\x00", "Hello");
    UNPACKED("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", "Hello");
    UNPACKED("\xf3\x48\xcd\xc9\xc9\x07\x00\x00", "Hello");
    UNPACKED("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", "Hello");
    UNPACKED("\x00", ""); /* 7.2.3.6 */
    UNPACKED("", "");
    /* 7.2.3.2, the second message: it needs the first, which both sides forget. */
    BROKEN("\xf2\x00\x11\x00\x00");
    wire_unpacker_fini(&unpacker);
}

static void test_broken_messages(void)
{
    BROKEN("\xff");
    BROKEN("\x06");                                         /* a kind of block that there is not */
    BROKEN("\xf2\x48\xcd\xc9");                             /* the rest is missing */
    BROKEN("\x00\x05\x00\xfa\xff\x48\x65");                 /* likewise */
    BROKEN("\x00\x05\x00\xfb\xff\x48\x65\x6c\x6c\x6f\x00"); /* lengths that differ */
    BROKEN("\xf3\x48\xcd\xc9\xc9\x07\x00");                 /* without the byte that ends it */
    UNPACKED("\xf2\x48\xcd\xc9\xc9\x07\x00", "Hello");      /* none of them is remembered */
    wire_unpacker_fini(&unpacker);
}

/* What zlib makes of bytes, without the four at the end. */
static size_t squeeze(const void *bytes, size_t length, unsigned char *out, size_t room)
{
    z_stream stream = {.zalloc = Z_NULL};
    CU_ASSERT_EQUAL_FATAL(deflateInit2(&stream, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_in = (unsigned char *)bytes;
    stream.avail_in = (uInt)length;
    stream.next_out = out;
    stream.avail_out = (uInt)room;
    CU_ASSERT_EQUAL(deflate(&stream, Z_SYNC_FLUSH), Z_OK);
    CU_ASSERT_TRUE_FATAL(stream.avail_out > 0);
    deflateEnd(&stream);
    return room - stream.avail_out - 4;
}

/* As long as it may be, one byte more, and a bomb: never more memory than it may have. */
static void test_no_more_is_made_than_may_be(void)
{
    enum { BOMB = 64 << 20 };
    static unsigned char packed[1 << 20];
    size_t unpacked, length;
    char *zeros = calloc(1, BOMB);
    CU_ASSERT_PTR_NOT_NULL_FATAL(zeros);
    for (size_t most = 1; most < 300000; most = 3 * most + 1) {
        wire_unpacker own = {.is_ready = false};
        length = squeeze(zeros, most, packed, sizeof packed);
        CU_ASSERT_EQUAL(wire_unpack(&own, packed, length, most, &unpacked), WIRE_UNPACKED);
        CU_ASSERT_EQUAL(unpacked, most);
        length = squeeze(zeros, most + 1, packed, sizeof packed);
        CU_ASSERT_EQUAL(wire_unpack(&own, packed, length, most, &unpacked),
                        WIRE_UNPACKED_TOO_LARGE);
        length = squeeze(zeros, BOMB, packed, sizeof packed);
        CU_ASSERT_EQUAL(wire_unpack(&own, packed, length, most, &unpacked),
                        WIRE_UNPACKED_TOO_LARGE);
        CU_ASSERT_TRUE(own.room <= most + 1);
        CU_ASSERT_EQUAL(wire_unpack(&own, "\xf2\x48\xcd\xc9\xc9\x07\x00", 7, most, &unpacked),
                        most >= 5 ? WIRE_UNPACKED : WIRE_UNPACKED_TOO_LARGE);
        wire_unpacker_fini(&own);
    }
    free(zeros);
}

/* The message again, from what was made of it: by zlib, with so large a window. */
static void expect_expanded(const unsigned char *packed, size_t length, int window_bits,
                            wire_packing how, const char *message, size_t message_length)
{
    static unsigned char out[100000];
    z_stream stream = {.zalloc = Z_NULL};
    CU_ASSERT_EQUAL_FATAL(inflateInit2(&stream, window_bits), Z_OK);
    stream.next_out = out;
    stream.avail_out = sizeof out;
    stream.next_in = (unsigned char *)packed;
    stream.avail_in = (uInt)length;
    int result = inflate(&stream, Z_SYNC_FLUSH);
    if (how == WIRE_GZIP) {
        CU_ASSERT_EQUAL(result, Z_STREAM_END);
        CU_ASSERT_EQUAL(stream.avail_in, 0);
    } else {
        unsigned char tail[] = {0, 0, 0xff, 0xff};
        CU_ASSERT_EQUAL(result, Z_OK);
        stream.next_in = tail;
        stream.avail_in = sizeof tail;
        CU_ASSERT_EQUAL(inflate(&stream, Z_SYNC_FLUSH), Z_OK);
    }
    CU_ASSERT_EQUAL_FATAL(sizeof out - stream.avail_out, message_length);
    CU_ASSERT_EQUAL(memcmp(out, message, message_length), 0);
    inflateEnd(&stream);
}

static size_t make_message(char *out, size_t room, unsigned seed)
{
    size_t length = 0;
    while (length + 64 < room) {
        seed = seed * 1103515245u + 12345u;
        length += (size_t)snprintf(out + length, room - length, "[%zu.%u,%u],", 50000 + length % 97,
                                   seed >> 28, seed >> 24);
    }
    return length;
}

static void test_others_read_what_is_made(void)
{
    static char message[60000];
    wire_packer packers[WIRE_PACKING_COUNT] = {{.is_ready = false}};
    for (size_t room = 100; room <= sizeof message; room += room / 2) {
        size_t length = make_message(message, room, (unsigned)room), packed_length;
        for (unsigned how = 0; how < WIRE_PACKING_COUNT; how++) {
            const unsigned char *packed =
                wire_pack(&packers[how], (wire_packing)how, message, length, &packed_length);
            if (packed == NULL) { /* as short as that it may not pay */
                CU_ASSERT_TRUE(length < 100);
                continue;
            }
            CU_ASSERT_TRUE(packed_length < length);
            expect_expanded(packed, packed_length, how == WIRE_GZIP ? 31 : -15, (wire_packing)how,
                            message, length);
            for (unsigned bits = 8; bits <= 15 && how == WIRE_DEFLATE; bits++) {
                if (wire_deflate_reaches(bits, length)) {
                    expect_expanded(packed, packed_length, -(int)bits, WIRE_DEFLATE, message,
                                    length);
                }
            }
        }
    }
    CU_ASSERT_FALSE(wire_deflate_reaches(8, 257));
    CU_ASSERT_TRUE(wire_deflate_reaches(8, 256));
    CU_ASSERT_TRUE(wire_deflate_reaches(12, 1 << 20));
    wire_packer_fini(&packers[WIRE_DEFLATE]);
    wire_packer_fini(&packers[WIRE_GZIP]);
}

static void test_what_does_not_get_smaller_stays_as_it_is(void)
{
    unsigned char noise[4000];
    wire_packer packers[WIRE_PACKING_COUNT] = {{.is_ready = false}};
    unsigned seed = 1;
    size_t packed;
    for (size_t i = 0; i < sizeof noise; i++) {
        seed = seed * 1103515245u + 12345u;
        noise[i] = (unsigned char)(seed >> 24);
    }
    for (unsigned how = 0; how < WIRE_PACKING_COUNT; how++) {
        for (size_t length = 0; length <= sizeof noise; length += 1 + length / 3) {
            CU_ASSERT_PTR_NULL(wire_pack(&packers[how], (wire_packing)how, noise, length, &packed));
        }
        CU_ASSERT_PTR_NOT_NULL(
            wire_pack(&packers[how], (wire_packing)how,
                      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 58, &packed));
        wire_packer_fini(&packers[how]);
    }
}

MATCHING_TESTS(MATCHING_TEST(test_the_examples_of_the_rfc), MATCHING_TEST(test_broken_messages),
               MATCHING_TEST(test_no_more_is_made_than_may_be),
               MATCHING_TEST(test_others_read_what_is_made),
               MATCHING_TEST(test_what_does_not_get_smaller_stays_as_it_is))
