/* The reader of frames by itself: what it makes of bytes does not depend on how they come in, and
 * text is held to UTF-8 as RFC 3629 defines it, by a rule of its own here.
 */
#include "frames.h"

#include "support/cunit_main.h"

#define LOG_MAX 4096

/* What came of some bytes, written down so that neighbouring pieces of a message are one. */
typedef struct story {
    char text[LOG_MAX];
    size_t length;
    bool is_open; /* within a message */
} story;

static bool takes_compressed; /* the reader's */

static void add(story *told, const void *bytes, size_t length)
{
    CU_ASSERT_TRUE_FATAL(told->length + length <= LOG_MAX);
    memcpy(told->text + told->length, bytes, length);
    told->length += length;
}

static void add_part(story *told, const wire_part *part)
{
    char code[32];
    switch (part->kind) {
    case WIRE_PART_DATA:
        CU_ASSERT_EQUAL(part->is_first, !told->is_open);
        if (part->is_first) {
            add(told, part->is_binary ? "[b:" : "[t:", 3);
            add(told, "z", part->is_compressed);
        }
        add(told, part->data, part->length);
        if (part->is_last) {
            add(told, "]", 1);
        }
        told->is_open = !part->is_last;
        return;
    case WIRE_PART_PING:
    case WIRE_PART_PONG:
        add(told, part->kind == WIRE_PART_PING ? "(ping:" : "(pong:", 6);
        add(told, part->data, part->length);
        add(told, ")", 1);
        return;
    default:
        snprintf(code, sizeof code, "(%s %u)", part->kind == WIRE_PART_CLOSE ? "close" : "fault",
                 part->code);
        add(told, code, strlen(code));
    }
}

/* The bytes in parts of `step`; ends at a close frame or a fault. */
static void tell_story(const void *bytes, size_t length, size_t step, story *told)
{
    wire_frame_reader reader = {.takes_compressed = takes_compressed};
    wire_part part = {0};
    *told = (story){.length = 0};
    for (size_t from = 0; from < length; from += step) {
        size_t count = length - from < step ? length - from : step;
        unsigned char *cut = malloc(count); /* exactly as large: a sanitizer sees what is beyond */
        CU_ASSERT_PTR_NOT_NULL_FATAL(cut);
        memcpy(cut, (const char *)bytes + from, count);
        unsigned char *at = cut;
        while (wire_frame_next(&reader, &at, cut + count, &part) != WIRE_PART_NONE) {
            add_part(told, &part);
            if (part.kind == WIRE_PART_CLOSE || part.kind == WIRE_PART_FAULT) {
                break;
            }
        }
        free(cut);
        if (part.kind == WIRE_PART_CLOSE || part.kind == WIRE_PART_FAULT) {
            return;
        }
    }
}

static void expect_story(const void *bytes, size_t length, const char *wanted)
{
    for (size_t step = 1; step <= length; step++) {
        story told;
        tell_story(bytes, length, step, &told);
        if (told.length != strlen(wanted) || memcmp(told.text, wanted, told.length) != 0) {
            printf("in steps of %zu: %.*s instead of %s\n", step, (int)told.length, told.text,
                   wanted);
            CU_FAIL("another story");
            return;
        }
    }
}

#define STORY(bytes, wanted) expect_story(bytes, sizeof(bytes) - 1, wanted)
#define KEY "\1\2\3\4"

static void test_messages_and_what_comes_between_their_frames(void)
{
    STORY("\x81\x85" KEY "igohn", "[t:hello]");
    STORY("\x82\x85" KEY "igohn\x81\x80" KEY, "[b:hello][t:]");
    STORY("\1\x82" KEY "ig\x89\x81\0\0\0\0x\0\x80" KEY "\x8a\x80" KEY "\x80\x83" KEY "mnl",
          "[t:he(ping:x)(pong:)llo]");
    STORY("\x88\x80" KEY, "(close 0)");
    STORY("\x88\x84\0\0\0\0\x03\xe8ok", "(close 1000)");
    STORY("\1\x82" KEY "ig\x88\x82\0\0\0\0\x0f\xa0", "[t:he(close 4000)");
}

static void test_faults_are_told_at_the_byte_that_shows_them(void)
{
    STORY("\xc1", "(fault 1002)");
    STORY("\xa1", "(fault 1002)");
    STORY("\x91", "(fault 1002)");
    STORY("\x83", "(fault 1002)");
    STORY("\x8b", "(fault 1002)");
    STORY("\x09", "(fault 1002)");
    STORY("\x80", "(fault 1002)");
    STORY("\1\x80" KEY "\1", "[t:(fault 1002)");
    STORY("\x81\x05", "(fault 1002)");
    STORY("\x89\xfe", "(fault 1002)");
    STORY("\x88\xff", "(fault 1002)");
    STORY("\x81\xfe\0\x7d" KEY, "(fault 1002)");
    STORY("\x81\xff\0\0\0\0\0\0\xff\xff" KEY, "(fault 1002)");
    STORY("\x81\xff\x80\0\0\0\0\1\0\0" KEY, "(fault 1002)");
    STORY("\x88\x81\0\0\0\0\x03", "(fault 1002)");
    STORY("\x88\x83\0\0\0\0\x03\xe8\xff", "(fault 1007)");
    STORY("\x88\x83\0\0\0\0\x03\xe8\xc3", "(fault 1007)");
    STORY("\1\x81\0\0\0\0\xc3\x80\x81\0\0\0\0x", "[t:\xc3(fault 1007)");
    STORY("\1\x81\0\0\0\0\xc3\x80\x80\0\0\0\0", "[t:\xc3(fault 1007)");
}

/* RFC 7692 section 6: the bit belongs to a message, and is on its first frame. What is compressed
 * may be any bytes; the message after it is looked at again. */
static void test_a_compressed_message_is_told_where_it_was_agreed_on(void)
{
    takes_compressed = true;
    STORY("\xc1\x82\0\0\0\0\xff\xfe", "[t:z\xff\xfe]");
    STORY("\xc2\x81" KEY "z", "[b:z{]");
    STORY("\x41\x81\0\0\0\0\xff\x89\x80" KEY "\0\x80" KEY "\x80\x81\0\0\0\0\xfe",
          "[t:z\xff(ping:)\xfe]");
    STORY("\xc1\x81\0\0\0\0\xff\x01\x80" KEY "\x80\x81\0\0\0\0\xff", "[t:z\xff][t:(fault 1007)");
    STORY("\x41\x80" KEY "\xc0", "[t:z(fault 1002)");
    STORY("\x01\x80" KEY "\xc0", "[t:(fault 1002)");
    STORY("\xc9", "(fault 1002)");
    STORY("\xc8", "(fault 1002)");
    STORY("\xe1", "(fault 1002)");
    STORY("\xd1", "(fault 1002)");
    STORY("\xa1", "(fault 1002)");
    takes_compressed = false;
    STORY("\xc1", "(fault 1002)");
}

/* A long frame's head alone says how much is to come. */
static void test_a_head_alone_is_told(void)
{
    unsigned char bytes[] = "\x01\xff\0\0\1\0\0\0\0\0" KEY;
    unsigned char *at = bytes, *end = bytes + sizeof bytes - 1;
    wire_frame_reader reader = {0};
    wire_part part;
    CU_ASSERT_EQUAL(wire_frame_next(&reader, &at, end, &part), WIRE_PART_DATA);
    CU_ASSERT_TRUE(part.is_first && !part.is_last && !part.is_binary);
    CU_ASSERT_EQUAL(part.length, 0);
    CU_ASSERT_EQUAL(part.frame_left, UINT64_C(1) << 40);
    CU_ASSERT_EQUAL(wire_frame_next(&reader, &at, end, &part), WIRE_PART_NONE);
}

/* ---- UTF-8 ----------------------------------------------------------------------------------- */

static wire_part_kind read_text(const unsigned char *text, size_t length)
{
    unsigned char frame[32] = {0x81, (unsigned char)(0x80 | length)}; /* and a mask of zeros */
    unsigned char *at = frame;
    wire_frame_reader reader = {0};
    wire_part part;
    memcpy(frame + 6, text, length);
    return wire_frame_next(&reader, &at, frame + 6 + length, &part);
}

/* Decodes by arithmetic: a character is good if writing its number gives the same bytes. */
static bool is_character(const unsigned char *text, size_t length)
{
    static const unsigned first[] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t number = text[0];
    if (length == 1) {
        return number < 0x80;
    }
    if (number >> (7 - length) != (0xffu >> (7 - length) & ~1u)) {
        return false;
    }
    number &= 0x7fu >> length;
    for (size_t i = 1; i < length; i++) {
        if (text[i] >> 6 != 2) {
            return false;
        }
        number = number << 6 | (text[i] & 0x3fu);
    }
    return number >= first[length] && number <= 0x10ffff && (number < 0xd800 || number > 0xdfff);
}

/* Does the text consist of whole characters? */
static bool is_utf8(const unsigned char *text, size_t length)
{
    for (size_t at = 0; at < length;) {
        size_t count = 1;
        while (count <= 4 && at + count <= length && !is_character(text + at, count)) {
            count++;
        }
        if (count > 4 || at + count > length) {
            return false;
        }
        at += count;
    }
    return true;
}

static void test_text_is_utf8(void)
{
    unsigned wrong = 0;
    for (uint32_t bytes = 0; bytes < 1u << 24; bytes++) {
        unsigned char text[] = {(unsigned char)(bytes >> 16), (unsigned char)(bytes >> 8),
                                (unsigned char)bytes};
        if (text[0] > 0 && text[0] < 0x80) {
            bytes |= 0xffff; /* as with 0 */
            continue;
        }
        wrong += (read_text(text, 3) == WIRE_PART_DATA) != is_utf8(text, 3);
    }
    for (unsigned first = 0xe8; first <= 0xff; first++) { /* the third and fourth: at the edges */
        static const unsigned char edges[] = {0, 0x7f, 0x80, 0x8f, 0x90, 0xa0, 0xbf, 0xc0, 0xff};
        for (unsigned second = 0; second <= 0xff; second++) {
            for (size_t i = 0; i < sizeof edges * sizeof edges; i++) {
                unsigned char text[] = {(unsigned char)first, (unsigned char)second,
                                        edges[i / sizeof edges], edges[i % sizeof edges]};
                wrong += (read_text(text, 4) == WIRE_PART_DATA) != is_utf8(text, 4);
            }
        }
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

/* Plain text is gone over in steps: a bad byte is found at every place. */
static void test_a_bad_byte_is_found_wherever_it_is(void)
{
    for (size_t at = 0; at < 26; at++) {
        unsigned char text[26];
        memset(text, 'a', sizeof text);
        CU_ASSERT_EQUAL(read_text(text, sizeof text), WIRE_PART_DATA);
        text[at] = 0xff;
        CU_ASSERT_EQUAL(read_text(text, sizeof text), WIRE_PART_FAULT);
    }
}

MATCHING_TESTS(MATCHING_TEST(test_messages_and_what_comes_between_their_frames),
               MATCHING_TEST(test_faults_are_told_at_the_byte_that_shows_them),
               MATCHING_TEST(test_a_compressed_message_is_told_where_it_was_agreed_on),
               MATCHING_TEST(test_a_head_alone_is_told), MATCHING_TEST(test_text_is_utf8),
               MATCHING_TEST(test_a_bad_byte_is_found_wherever_it_is))
