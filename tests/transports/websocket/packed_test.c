/* Compressed messages over a real socket: permessage-deflate (RFC 7692) both ways, and gzip
 * frames. */
#include <unistd.h>
#include <zlib.h>

#include "raw_peer.h"

enum { RSV1 = 0x40, EXPANDED_MAX = 100000 };

#define OFFER "Sec-WebSocket-Extensions: permessage-deflate"
#define PING_TEXT "{\"type\":\"ping\"}"
#define PONG_BEGIN "{\"type\":\"pong\""

static int open_packed(const char *more)
{
    ws_client client;
    char headers[200];
    snprintf(headers, sizeof headers, OFFER "%s\r\n", more);
    connect_with(&client, headers);
    return client.fd;
}

/* As a client compresses a message; its length. */
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

static void send_packed(int fd, unsigned first, const char *text)
{
    static unsigned char packed[65536];
    size_t length = squeeze(text, strlen(text), packed, sizeof packed);
    peer_send(fd, first | RSV1, packed, length);
}

/* The text of a frame, whichever form it has; NUL-terminated, valid until the next call. */
static const char *text_of(const peer_received *frame)
{
    static char text[EXPANDED_MAX];
    bool is_gzip = frame->first == (FIN | BINARY);
    if (frame->first == (FIN | TEXT)) {
        return (const char *)frame->payload;
    }
    CU_ASSERT_TRUE_FATAL(is_gzip || frame->first == (FIN | RSV1 | TEXT));
    z_stream stream = {.zalloc = Z_NULL};
    CU_ASSERT_EQUAL_FATAL(inflateInit2(&stream, is_gzip ? 31 : -15), Z_OK);
    stream.next_in = (unsigned char *)frame->payload;
    stream.avail_in = (uInt)frame->length;
    stream.next_out = (unsigned char *)text;
    stream.avail_out = sizeof text - 1;
    CU_ASSERT_EQUAL(inflate(&stream, Z_SYNC_FLUSH), is_gzip ? Z_STREAM_END : Z_OK);
    CU_ASSERT_EQUAL(stream.avail_in, 0);
    size_t length = sizeof text - 1 - stream.avail_out;
    CU_ASSERT_TRUE(frame->length < length);
    text[length] = '\0';
    inflateEnd(&stream);
    return text;
}

/* ---- Inbound --------------------------------------------------------------------------------- */

static void test_compressed_messages_are_read(void)
{
    unsigned char packed[512];
    char spaced[300];
    prepare();
    open_door();
    int fd = open_packed("; client_max_window_bits");
    send_packed(fd, FIN | TEXT, PING_TEXT);
    peer_expect_text(fd, PONG_BEGIN);
    peer_send(fd, FIN | TEXT, PING_TEXT, strlen(PING_TEXT)); /* one that is not */
    peer_expect_text(fd, PONG_BEGIN);
    snprintf(spaced, sizeof spaced, "%-250s{\"type\":\"ping\",\"id\":\"\xc3\xa9\"}", "");
    size_t length = squeeze(spaced, strlen(spaced), packed, sizeof packed);
    for (size_t cut = 0; cut <= length; cut += 7) { /* in frames, with one between them */
        peer_send(fd, RSV1 | TEXT, packed, cut);
        peer_send(fd, FIN | PING, "x", 1);
        peer_expect(fd, FIN | PONG, "x", 1);
        peer_send(fd, 0, packed + cut, (length - cut) / 2);
        peer_send(fd, FIN, packed + cut + (length - cut) / 2, length - cut - (length - cut) / 2);
        peer_expect_text(fd, PONG_BEGIN);
    }
    peer_send(fd, FIN | RSV1 | TEXT, "\0", 1); /* empty, in both ways */
    peer_expect_text(fd, "{\"type\":\"error\",\"code\":\"INVALID_JSON\"");
    peer_send(fd, FIN | RSV1 | TEXT, "", 0);
    peer_expect_text(fd, "{\"type\":\"error\",\"code\":\"INVALID_JSON\"");
    peer_send(fd, FIN | RSV1 | BINARY, "\0", 1);
    peer_expect_text(fd, "{\"type\":\"error\",\"code\":\"UNSUPPORTED_FRAME\"");
    close(fd);
    close_door();
}

/* Bytes of two connections come in turns: what one has sent of a message is not the other's. */
static void test_connections_do_not_mix(void)
{
    unsigned char packed[256], frame[300];
    int fds[4];
    prepare();
    open_door();
    size_t length = squeeze(PING_TEXT, strlen(PING_TEXT), packed, sizeof packed);
    size_t size = peer_frame(frame, FIN | RSV1 | TEXT, packed, length);
    for (unsigned i = 0; i < 4; i++) {
        fds[i] = open_packed("");
    }
    for (size_t at = 0; at < size; at++) {
        for (unsigned i = 0; i < 4; i++) {
            peer_put(fds[i], frame + at, 1, 1);
        }
    }
    for (unsigned i = 0; i < 4; i++) {
        peer_expect_text(fds[i], PONG_BEGIN);
        close(fds[i]);
    }
    close_door();
}

static void expect_end(unsigned first, const void *payload, size_t length, unsigned code)
{
    int fd = open_packed("");
    peer_send(fd, first, payload, length);
    peer_expect_end(fd, code);
}

static void test_faults(void)
{
    unsigned char packed[256];
    prepare();
    open_door();
    expect_end(FIN | RSV1 | TEXT, "\xff\xff", 2, 1007);
    expect_end(FIN | RSV1 | TEXT, "\xf2\x48\xcd\xc9", 4, 1007); /* the rest is missing */
    size_t length = squeeze("{\"a\":\"\xc3\"}", 9, packed, sizeof packed);
    expect_end(FIN | RSV1 | TEXT, packed, length, 1007); /* not UTF-8 */
    length = squeeze("{\xe2\x82", 3, packed, sizeof packed);
    expect_end(FIN | RSV1 | TEXT, packed, length, 1007);
    expect_end(FIN | RSV1 | PING, "", 0, 1002);
    expect_end(FIN | RSV1 | CLOSE, "\x03\xe8", 2, 1002);
    expect_end(FIN | 0x20 | TEXT, "", 0, 1002);
    int fd = open_packed("");
    peer_send(fd, RSV1 | TEXT, packed, 1);
    peer_send(fd, FIN | RSV1, packed + 1, 1); /* the bit is the first frame's */
    peer_expect_end(fd, 1002);
    fd = peer_open(); /* nothing was agreed on */
    peer_send(fd, FIN | RSV1 | TEXT, packed, 1);
    peer_expect_end(fd, 1002);
    close_door();
}

/* The connection is ended by 1009, and closed once the client has said so too. */
static void expect_too_large(int fd)
{
    static peer_received frame;
    CU_ASSERT_TRUE_FATAL(peer_receive(fd, &frame));
    CU_ASSERT_EQUAL(frame.first, FIN | CLOSE);
    CU_ASSERT_EQUAL(memcmp(frame.payload, "\x03\xf1message too large", 19), 0);
    peer_send(fd, FIN | CLOSE, "\x03\xf1", 2);
    CU_ASSERT_FALSE(peer_receive(fd, &frame));
    close(fd);
}

/* A limit of what a message is, not of what it is packed into. */
static void test_bombs(void)
{
    enum { MOST = 2000, BOMB = 8 << 20 };
    static unsigned char packed[1 << 16];
    char text[MOST + 2];
    prepare();
    config.websocket.max_message_bytes = MOST;
    open_door();
    int fd = open_packed("");
    snprintf(text, sizeof text, "%-*s", MOST, PING_TEXT);
    send_packed(fd, FIN | TEXT, text);
    peer_expect_text(fd, PONG_BEGIN);
    snprintf(text, sizeof text, "%-*s", MOST + 1, PING_TEXT);
    send_packed(fd, FIN | TEXT, text);
    expect_too_large(fd);
    char *zeros = calloc(1, BOMB);
    CU_ASSERT_PTR_NOT_NULL_FATAL(zeros);
    size_t length = squeeze(zeros, MOST * 500, packed, sizeof packed);
    CU_ASSERT_TRUE_FATAL(length < MOST); /* small enough to be taken in */
    fd = open_packed("");
    peer_send(fd, FIN | RSV1 | TEXT, packed, length);
    expect_too_large(fd);
    length = squeeze(zeros, BOMB, packed, sizeof packed);
    CU_ASSERT_TRUE_FATAL(length > 2 * MOST); /* its head alone is enough */
    fd = open_packed("");
    peer_send(fd, FIN | RSV1 | TEXT, packed, length);
    expect_too_large(fd);
    free(zeros);
    close_door();
}

/* ---- Outbound -------------------------------------------------------------------------------- */

static void subscribe(int fd, const char *more)
{
    static peer_received frame;
    char text[200];
    int length = snprintf(text, sizeof text,
                          "{\"type\":\"subscribe\",\"channels\":[\"depth\"],\"symbols\":"
                          "[\"BTCUSDT\"]%s}",
                          more);
    peer_send(fd, FIN | TEXT, text, (size_t)length);
    CU_ASSERT_TRUE_FATAL(peer_receive(fd, &frame)); /* too short to be compressed */
    CU_ASSERT_EQUAL(strncmp((char *)frame.payload, "{\"type\":\"subscribed\"", 20), 0);
}

/* Bids from this price down. */
static void put_levels(ws_client *trader, unsigned price, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char text[160];
        int length = snprintf(text, sizeof text,
                              "{\"type\":\"limit_order\",\"trader_id\":\"a\",\"side\":\"buy\","
                              "\"price\":%u,\"quantity\":%u}",
                              price - i, 1 + i);
        ws_client_send(trader, text, (size_t)length);
    }
    for (unsigned i = 0; i < count; i++) {
        expect_begin(trader, "{\"type\":\"order_ack\"");
    }
}

/* A snapshot of some kilobytes, as the connection is sent it: its frame's first byte. */
static unsigned snapshot_first(const char *headers, const char *more, const char *wanted)
{
    static peer_received frame;
    ws_client client;
    connect_with(&client, headers);
    subscribe(client.fd, more);
    CU_ASSERT_TRUE_FATAL(peer_receive_any(client.fd, &frame));
    CU_ASSERT_STRING_EQUAL(text_of(&frame), wanted);
    close(client.fd);
    return frame.first;
}

static void test_each_form_holds_the_same(void)
{
    static char wanted[65536];
    static peer_received frame;
    ws_client trader;
    prepare();
    open_door();
    connect_client(&trader);
    put_levels(&trader, 9000, 600);
    int fd = peer_open();
    subscribe(fd, "");
    CU_ASSERT_TRUE_FATAL(peer_receive(fd, &frame));
    CU_ASSERT_TRUE(frame.length > 4096);
    memcpy(wanted, frame.payload, frame.length + 1);
    close(fd);
    for (unsigned again = 0; again < 3; again++) { /* the same frame for all who come now */
        CU_ASSERT_EQUAL(snapshot_first(OFFER "\r\n", "", wanted), FIN | RSV1 | TEXT);
        CU_ASSERT_EQUAL(snapshot_first("", ",\"compression\":\"gzip\"", wanted), FIN | BINARY);
        CU_ASSERT_EQUAL(snapshot_first(OFFER "\r\n", ",\"compression\":\"gzip\"", wanted),
                        FIN | BINARY);
        CU_ASSERT_EQUAL(snapshot_first("", ",\"compression\":\"none\"", wanted), FIN | TEXT);
        /* Too small a window for such a message. */
        CU_ASSERT_EQUAL(snapshot_first(OFFER "; server_max_window_bits=9\r\n", "", wanted),
                        FIN | TEXT);
        CU_ASSERT_EQUAL(snapshot_first(OFFER "; server_max_window_bits=12\r\n", "", wanted),
                        FIN | RSV1 | TEXT);
    }
    ws_client_close(&trader);
    close_door();
}

/* The last subscribe that says something of compression counts, for all that the connection
 * gets. */
static void test_gzip_is_the_connections(void)
{
    static peer_received frame;
    ws_client trader;
    prepare();
    open_door();
    connect_client(&trader);
    put_levels(&trader, 9000, 300);
    int fd = peer_open();
    const char *const rows[] = {"", ",\"compression\":\"gzip\"", "", ",\"compression\":\"none\"",
                                ""};
    const unsigned wanted[] = {TEXT, BINARY, BINARY, TEXT, TEXT};
    for (unsigned i = 0; i < 5; i++) {
        subscribe(fd, rows[i]);
        CU_ASSERT_TRUE_FATAL(peer_receive(fd, &frame));
        CU_ASSERT_EQUAL(frame.first, FIN | wanted[i]);
        CU_ASSERT_EQUAL(strncmp(text_of(&frame), "{\"type\":\"depth_snapshot\"", 24), 0);
    }
    subscribe(fd, ",\"compression\":\"gzip\"");
    CU_ASSERT_TRUE_FATAL(peer_receive(fd, &frame));
    peer_send(fd, FIN | TEXT, "{\"type\":\"cancel_all\",\"trader_id\":\"a\"}", 37);
    bool is_ack = false;
    while (!is_ack) { /* a reply, of 300 ids; the levels that are gone may come before it */
        CU_ASSERT_TRUE_FATAL(peer_receive(fd, &frame));
        CU_ASSERT_EQUAL(frame.first, FIN | BINARY);
        is_ack = strncmp(text_of(&frame), "{\"type\":\"cancel_all_ack\"", 24) == 0;
    }
    close(fd);
    ws_client_close(&trader);
    close_door();
}

/* Updates that are shared, some by batches: whoever reads them in whatever form has the same
 * depth. */
static void test_followers_in_every_form(void)
{
    enum { COUNT = 18, STEPS = 5, ORDERS = 40 };
    static const char *const headers[] = {"", OFFER "\r\n", OFFER "; server_max_window_bits=8\r\n"};
    static const char *const more[] = {"",
                                       ",\"batch\":true",
                                       ",\"compression\":\"gzip\"",
                                       ",\"batch\":true,\"compression\":\"gzip\"",
                                       ",\"compression\":\"none\"",
                                       ",\"batch\":true"};
    static peer_received frame;
    int fds[COUNT];
    ws_client trader;
    unsigned packed = 0, gzipped = 0;
    prepare();
    config.websocket.message_batch_timeout_ms = 30;
    open_door();
    connect_client(&trader);
    for (unsigned i = 0; i < COUNT; i++) {
        ws_client client;
        connect_with(&client, headers[i % 3]);
        fds[i] = client.fd;
        subscribe(fds[i], more[i / 3]);
    }
    for (unsigned step = 0; step < STEPS; step++) {
        put_levels(&trader, 9000 - step, ORDERS);
    }
    for (unsigned i = 0; i < COUNT; i++) {
        unsigned long long at = 0;
        while (at < STEPS * ORDERS) {
            CU_ASSERT_TRUE_FATAL(peer_receive_any(fds[i], &frame));
            packed += frame.first == (FIN | RSV1 | TEXT);
            gzipped += frame.first == (FIN | BINARY);
            CU_ASSERT_TRUE(i % 3 > 0 || frame.first != (FIN | RSV1 | TEXT));
            for (const char *line = text_of(&frame); line != NULL; line = strchr(line, '\n')) {
                line += *line == '\n';
                bool is_update = strncmp(line, "{\"type\":\"depth_update\"", 22) == 0;
                CU_ASSERT_EQUAL(number_of(line, "prev_sequence"), is_update ? at : 0);
                at = number_of(line, "sequence");
            }
        }
        close(fds[i]);
    }
    CU_ASSERT_TRUE(packed > 0 && gzipped > 0);
    ws_client_close(&trader);
    close_door();
}

MATCHING_TESTS(MATCHING_TEST(test_compressed_messages_are_read),
               MATCHING_TEST(test_connections_do_not_mix), MATCHING_TEST(test_faults),
               MATCHING_TEST(test_bombs), MATCHING_TEST(test_each_form_holds_the_same),
               MATCHING_TEST(test_gzip_is_the_connections),
               MATCHING_TEST(test_followers_in_every_form))
