/* RFC 6455 sections 5, 6 and 8 over a real socket: frames, fragments, control frames, text. */
#include <unistd.h>

#include "raw_peer.h"

static const char PING_MESSAGE[] = "{\"type\":\"ping\"}";
static const char PONG_MESSAGE[] = "{\"type\":\"pong\"";

/* A ping of the door's own language, filled up with spaces. */
static unsigned char *message(size_t length)
{
    unsigned char *text = malloc(length + 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    memset(text, ' ', length);
    memcpy(text, PING_MESSAGE, length < sizeof PING_MESSAGE - 1 ? length : sizeof PING_MESSAGE - 1);
    return text;
}

/* 5.2: every form of the length, in one piece and byte by byte. */
static void test_lengths_whole_and_chopped(void)
{
    static const size_t lengths[] = {0, 1, 15, 124, 125, 126, 127, 128, 65534, 65535, 65536, 65537};
    prepare();
    config.websocket.max_message_bytes = 1u << 20;
    open_door();
    int fd = peer_open();
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        unsigned char *text = message(lengths[i]);
        unsigned char *frame = malloc(lengths[i] + 14);
        size_t size = peer_frame(frame, FIN | TEXT, text, lengths[i]);
        const size_t steps[] = {size, 1, 7, size - 1};
        for (size_t k = 0; k < sizeof steps / sizeof steps[0]; k++) {
            peer_put(fd, frame, size, steps[k]);
            peer_expect_text(fd, lengths[i] >= 15 ? PONG_MESSAGE : "{\"type\":\"error\"");
        }
        free(frame);
        free(text);
    }
    close(fd);
    close_door();
}

/* 5.2: the smallest form that holds it, and no more than 63 bits; told by the head alone. */
static void test_lengths_that_are_wrong(void)
{
    static const unsigned char heads[][14] = {
        {FIN | TEXT, 0x80 | 126, 0, 125},
        {FIN | BINARY, 0x80 | 126, 0, 0},
        {FIN | TEXT, 0x80 | 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff},
        {FIN | TEXT, 0x80 | 127, 0x80, 0, 0, 0, 0, 1, 0, 0},
        {FIN | TEXT, 0x80 | 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
    };
    prepare();
    open_door();
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        int fd = peer_open();
        peer_put(fd, heads[i], 14, 14);
        peer_expect_end(fd, 1002);
    }
    close_door();
}

/* 5.2: bits and opcodes that mean nothing here, with payload and without. */
static void test_reserved_bits_and_opcodes(void)
{
    prepare();
    open_door();
    for (unsigned first = 0; first < 256; first++) {
        unsigned opcode = first & 15;
        bool is_known = opcode <= BINARY || (opcode >= CLOSE && opcode <= PONG);
        if (is_known && (first & 0x70) == 0) {
            continue;
        }
        int fd = peer_open();
        peer_send(fd, first, "x", first % 2);
        peer_expect_end(fd, 1002);
    }
    close_door();
}

/* 5.1 */
static void test_frames_without_a_mask(void)
{
    static const unsigned firsts[] = {FIN | TEXT, FIN | BINARY, FIN | PING,
                                      FIN | PONG, FIN | CLOSE,  TEXT};
    prepare();
    open_door();
    for (size_t i = 0; i < sizeof firsts / sizeof firsts[0]; i++) {
        for (size_t length = 0; length <= sizeof PING_MESSAGE - 1; length += 15) {
            unsigned char frame[17] = {(unsigned char)firsts[i], (unsigned char)length};
            memcpy(frame + 2, PING_MESSAGE, length);
            int fd = peer_open();
            peer_send(fd, FIN | TEXT, PING_MESSAGE, 15); /* a good one before */
            peer_put(fd, frame, 2 + length, 2 + length);
            peer_send(fd, FIN | TEXT, PING_MESSAGE, 15); /* is not heard any more */
            peer_received *got = malloc(sizeof *got);
            bool said = peer_receive(fd, got) && got->first == (FIN | TEXT);
            free(got);
            if (said) { /* an answer that went out before; none has to */
                peer_expect_end(fd, 1002);
            } else {
                CU_FAIL("the good message was not answered");
                close(fd);
            }
        }
    }
    close_door();
}

/* 5.5.2: each ping has its pong, with the same payload, in order. */
static void test_pings(void)
{
    unsigned char payload[125], frames[126 * 131];
    size_t size = 0;
    prepare();
    open_door();
    int fd = peer_open();
    for (size_t i = 0; i < sizeof payload; i++) {
        payload[i] = (unsigned char)(0xff - i); /* bytes, not text */
    }
    for (size_t length = 0; length <= sizeof payload; length++) {
        size += peer_frame(frames + size, FIN | PING, payload, length);
    }
    const size_t steps[] = {size, 1, 3, 1000};
    for (size_t k = 0; k < sizeof steps / sizeof steps[0]; k++) {
        peer_put(fd, frames, size, steps[k]);
        for (size_t length = 0; length <= sizeof payload; length++) {
            peer_expect(fd, FIN | PONG, payload, length);
        }
    }
    peer_send(fd, FIN | PONG, "nobody asked", 12);
    peer_send(fd, FIN | PONG, "", 0);
    peer_send(fd, FIN | PING, "last", 4);
    peer_expect(fd, FIN | PONG, "last", 4);
    close(fd);
    close_door();
}

/* 5.5: at most 125 bytes, and whole. */
static void test_control_frames_that_are_wrong(void)
{
    unsigned char payload[65536] = {0};
    prepare();
    open_door();
    for (unsigned opcode = CLOSE; opcode <= PONG; opcode++) {
        int fd = peer_open();
        peer_send(fd, FIN | opcode, payload, 126);
        peer_expect_end(fd, 1002);
        fd = peer_open();
        peer_send(fd, FIN | opcode, payload, sizeof payload);
        peer_expect_end(fd, 1002);
        fd = peer_open();
        peer_send(fd, opcode, "x", 1);
        peer_expect_end(fd, 1002);
    }
    close_door();
}

/* 5.4: a message in three fragments, cut everywhere, control frames between them. */
static void test_fragments(void)
{
    prepare();
    open_door();
    int fd = peer_open();
    for (size_t first = 0; first <= 15; first++) {
        for (size_t second = first; second <= 15; second++) {
            peer_send(fd, TEXT, PING_MESSAGE, first);
            peer_send(fd, FIN | PING, "between", 7);
            peer_expect(fd, FIN | PONG, "between", 7);
            peer_send(fd, 0, PING_MESSAGE + first, second - first);
            peer_send(fd, FIN | PONG, "", 0);
            peer_send(fd, FIN, PING_MESSAGE + second, 15 - second);
            peer_expect_text(fd, PONG_MESSAGE);
        }
    }
    close(fd);
    close_door();
}

static void test_fragments_that_are_wrong(void)
{
    static const struct {
        unsigned firsts[3];
    } rows[] = {
        {{0, FIN, FIN}},                      /* goes on with nothing */
        {{FIN, FIN, FIN}},                    /* ends nothing */
        {{FIN | TEXT, FIN, FIN}},             /* goes on after the end */
        {{FIN | BINARY, 0, FIN}},             /* the same of another kind */
        {{TEXT, FIN | TEXT, FIN}},            /* a message within a message */
        {{TEXT, BINARY, FIN}},                /* its beginning is enough */
        {{BINARY, FIN | PING, FIN | BINARY}}, /* also after a control frame */
        {{TEXT, FIN, 0}},                     /* the first one is whole, the second is not */
    };
    prepare();
    open_door();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        static peer_received got;
        int fd = peer_open();
        for (size_t k = 0; k < 3; k++) {
            peer_send(fd, rows[i].firsts[k], " ", 1);
        }
        bool ended = false;
        while (!ended && peer_receive(fd, &got)) { /* answers to what was good */
            ended = got.first == (FIN | CLOSE);
        }
        CU_ASSERT_TRUE(ended && got.length >= 2);
        CU_ASSERT_EQUAL((unsigned)got.payload[0] << 8 | got.payload[1], 1002);
        CU_ASSERT_FALSE(peer_receive(fd, &got));
        close(fd);
    }
    close_door();
}

/* 8.1: text of every length of characters, cut everywhere, comes back as it was. */
static void test_text_in_fragments(void)
{
    static const char text[] =
        "{\"type\":\"ping\",\"id\":\"\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf"
        "\xee\x80\x80\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"}";
    size_t length = sizeof text - 1;
    prepare();
    open_door();
    int fd = peer_open();
    for (size_t first = 0; first <= length; first++) {
        static peer_received got;
        peer_send(fd, TEXT, text, first);
        peer_send(fd, FIN, text + first, length - first);
        CU_ASSERT_TRUE_FATAL(peer_receive(fd, &got));
        CU_ASSERT_PTR_NOT_NULL(strstr((const char *)got.payload, strstr(text, "\xc2")));
    }
    close(fd);
    close_door();
}

/* 8.1, at once: the rest of the frame, and of the message, is never sent. */
static void test_text_that_is_not_utf8_is_told_at_once(void)
{
    static const char *const bad[] = {
        "\x80",     "\xbf",          "\xc0",
        "\xc1",     "\xf5",          "\xff",
        "\xc2 ",    "\xe0\x9f",      "\xe1\x80 ",
        "\xed\xa0", /* a surrogate */
        "\xf0\x8f", "\xf1\x80\x80 ", "\xf4\x90" /* beyond U+10FFFF */,
    };
    prepare();
    open_door();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        unsigned char frame[1000 + 14], text[1000] = "0123456789";
        size_t length = strlen(bad[i]);
        memcpy(text + 10, bad[i], length);
        size_t size = peer_frame(frame, FIN | TEXT, text, sizeof text);
        size_t sent = size - sizeof text + 10 + length;
        int fd = peer_open();
        peer_put(fd, frame, sent, sent);
        peer_expect_end(fd, 1007);
        fd = peer_open();
        peer_put(fd, frame, sent, 1);
        peer_expect_end(fd, 1007);
        fd = peer_open();
        peer_send(fd, TEXT, text, 10);
        for (size_t k = 0; k < length; k++) {
            peer_send(fd, 0, bad[i] + k, 1);
        }
        peer_expect_end(fd, 1007);
    }
    close_door();
}

/* A message may end only where a character does; a binary one may hold anything. */
static void test_text_that_ends_within_a_character(void)
{
    prepare();
    open_door();
    int fd = peer_open();
    peer_send(fd, FIN | TEXT, "\"\xe2\x82", 3);
    peer_expect_end(fd, 1007);
    fd = peer_open();
    peer_send(fd, TEXT, "\"\xe2\x82", 3);
    peer_send(fd, FIN | PING, "\xff", 1);
    peer_expect(fd, FIN | PONG, "\xff", 1);
    peer_send(fd, FIN, "", 0);
    peer_expect_end(fd, 1007);
    fd = peer_open();
    peer_send(fd, BINARY, "\xe2\x82", 2);
    peer_send(fd, FIN, "\xff", 1);
    peer_expect_text(fd, "{\"type\":\"error\",\"code\":\"UNSUPPORTED_FRAME\"");
    close(fd);
    close_door();
}

/* 7.4.1, 10.4: the limit is judged by the head, before any of it is sent. */
static void test_a_message_beyond_the_limit(void)
{
    unsigned char frame[2000 + 14], text[2000];
    memset(text, ' ', sizeof text);
    prepare();
    config.websocket.max_message_bytes = 1000;
    open_door();
    int fd = peer_open();
    peer_frame(frame, FIN | BINARY, text, 1001);
    peer_put(fd, frame, 8, 8);
    peer_send(fd, FIN | CLOSE, "", 0); /* lies within the frame: not heard */
    static peer_received got;
    CU_ASSERT_TRUE_FATAL(peer_receive(fd, &got));
    CU_ASSERT_EQUAL(got.first, FIN | CLOSE);
    CU_ASSERT_EQUAL((unsigned)got.payload[0] << 8 | got.payload[1], 1009);
    memset(text, 0, sizeof text);
    peer_put(fd, text, 1001 - 6, 1001 - 6); /* the rest of it is passed over */
    peer_send(fd, FIN | CLOSE, "\x03\xf1", 2);
    CU_ASSERT_FALSE(peer_receive(fd, &got));
    close(fd);
    static const unsigned char huge[14] = {BINARY, 0x80 | 127, 0x7f, 0xff, 0xff,
                                           0xff,   0xff,       0xff, 0xff, 0xff};
    fd = peer_open();
    peer_put(fd, huge, sizeof huge, sizeof huge);
    CU_ASSERT_TRUE_FATAL(peer_receive(fd, &got));
    CU_ASSERT_EQUAL((unsigned)got.payload[0] << 8 | got.payload[1], 1009);
    close(fd);
    close_door();
}

/* Bytes of a message that was begun by a client that is gone harm nobody. */
static void test_the_end_of_the_stream_within_a_frame(void)
{
    unsigned char frame[64];
    prepare();
    open_door();
    int other = peer_open();
    size_t size = peer_frame(frame, FIN | TEXT, PING_MESSAGE, 15);
    for (size_t sent = 1; sent < size; sent++) {
        int fd = peer_open();
        peer_put(fd, frame, sent, sent);
        close(fd);
    }
    peer_send(other, FIN | TEXT, PING_MESSAGE, 15);
    peer_expect_text(other, PONG_MESSAGE);
    close(other);
    close_door();
}

MATCHING_TESTS(MATCHING_TEST(test_lengths_whole_and_chopped),
               MATCHING_TEST(test_lengths_that_are_wrong),
               MATCHING_TEST(test_reserved_bits_and_opcodes),
               MATCHING_TEST(test_frames_without_a_mask), MATCHING_TEST(test_pings),
               MATCHING_TEST(test_control_frames_that_are_wrong), MATCHING_TEST(test_fragments),
               MATCHING_TEST(test_fragments_that_are_wrong), MATCHING_TEST(test_text_in_fragments),
               MATCHING_TEST(test_text_that_is_not_utf8_is_told_at_once),
               MATCHING_TEST(test_text_that_ends_within_a_character),
               MATCHING_TEST(test_a_message_beyond_the_limit),
               MATCHING_TEST(test_the_end_of_the_stream_within_a_frame))
