/* A connection without a server around it: a pair of sockets whose other end reads as the test
 * says, and what libwebsockets does with the rest of a frame.
 */
#include "peer.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/cunit_main.h"

#define LIMIT 65536u /* of replies */
#define REPLY 1000u

static wire_server server;
static wire_settings settings;
static wire_handlers handlers;
static matching_connection_table table;
static matching_connection entry;
static wire_peer *dirty[4];
static wire_peer peer;
static int client;

/* ---- What stands in for libwebsockets -------------------------------------------------------- */

static unsigned char rest[WIRE_JOINED_MAX + WIRE_FRAME_HEADER_MAX];
static size_t rest_length;

int lws_partial_buffered(struct lws *wsi)
{
    (void)wsi;
    return rest_length > 0;
}

int lws_write(struct lws *wsi, unsigned char *data, size_t length, enum lws_write_protocol kind)
{
    (void)wsi;
    (void)kind;
    CU_ASSERT_TRUE_FATAL(rest_length == 0 && length <= sizeof rest);
    memcpy(rest, data, length);
    rest_length = length;
    return (int)length;
}

int lws_callback_on_writable(struct lws *wsi)
{
    (void)wsi;
    return 0;
}

/* The socket takes more: first the rest of a frame goes out. */
static void on_writable(void)
{
    if (rest_length > 0) {
        ssize_t sent = send(peer.fd, rest, rest_length, MSG_NOSIGNAL | MSG_DONTWAIT);
        size_t gone = sent > 0 ? (size_t)sent : 0;
        memmove(rest, rest + gone, rest_length - gone);
        rest_length -= gone;
    }
    if (rest_length == 0 && peer.is_blocked) {
        wire_on_writable(&peer);
    }
}

/* ---- The connection -------------------------------------------------------------------------- */

static void begin(void)
{
    int pair[2], small = 4096;
    int made = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair);
    CU_ASSERT_EQUAL_FATAL(made, 0);
    setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    client = pair[1];
    settings = (wire_settings){.kind = WIRE_OPCODE_BINARY};
    memset(&server, 0, sizeof server);
    matching_writer_init(&server.writer);
    server.settings = &settings;
    server.handlers = &handlers;
    server.table = &table;
    server.dirty = dirty;
    server.limits =
        (wire_limits){.queue = 4 * LIMIT, .conflate = LIMIT, .fresh = LIMIT / 4, .replies = LIMIT};
    server.loop = ev_loop_new(0);
    memset(&peer, 0, sizeof peer);
    peer.server = &server;
    peer.entry = &entry;
    peer.fd = pair[0];
    peer.early = WIRE_EARLY_NONE;
    rest_length = 0;
}

static void end(void)
{
    wire_begin(&server);
    wire_outbox_free(&peer.outbox, &server.queued);
    matching_writer_fini(&server.writer);
    CU_ASSERT_EQUAL(server.queued, 0);
    ev_io_stop(server.loop, &peer.reading);
    ev_loop_destroy(server.loop);
    close(peer.fd);
    close(client);
}

/* The end of a turn. */
static void turn(void)
{
    server.dirty_count = 0;
    peer.is_dirty = false;
    wire_flush(&peer);
}

/* A message of so many bytes is in the writer. */
static void write_message(void)
{
    static const char bytes[REPLY];
    matching_write(wire_begin(&server), bytes, sizeof bytes);
}

static void reply(void)
{
    write_message();
    wire_send_reply(&peer);
}

/* Reads so much, if it is there. Returns how much it was. */
static size_t read_some(size_t most)
{
    unsigned char bytes[4096];
    ssize_t got = recv(client, bytes, most < sizeof bytes ? most : sizeof bytes, MSG_DONTWAIT);
    on_writable();
    return got > 0 ? (size_t)got : 0;
}

static void start_reading(void)
{
    ev_io_init(&peer.reading, NULL, peer.fd, EV_READ);
    ev_io_start(server.loop, &peer.reading);
}

/* Whoever has not read its answers is read again as soon as half of them have gone, not only when the
 * last one has. */
static void test_reading_goes_on_at_half(void)
{
    begin();
    start_reading();
    while (!peer.is_paused) {
        reply();
        turn();
        CU_ASSERT_TRUE_FATAL(wire_outbox_length(&peer.outbox) < 2 * LIMIT);
    }
    CU_ASSERT_TRUE(wire_outbox_length(&peer.outbox) > LIMIT);
    CU_ASSERT_FALSE(ev_is_active(&peer.reading));
    while (peer.is_paused) {
        size_t before = wire_outbox_length(&peer.outbox);
        CU_ASSERT_TRUE_FATAL(before > LIMIT / 2); /* at half it goes on, and no earlier */
        size_t got = read_some(REPLY);
        CU_ASSERT_TRUE_FATAL(got > 0);
        turn();
    }
    CU_ASSERT_TRUE(wire_outbox_length(&peer.outbox) > 0);
    CU_ASSERT_TRUE(ev_is_active(&peer.reading));
    end();
}

/* A feed that never lets the queue run empty is not taken for replies that are not read. */
static void test_a_feed_is_no_reason_to_stop_reading(void)
{
    begin();
    start_reading();
    while (wire_outbox_length(&peer.outbox) < LIMIT / 4) {
        write_message();
        wire_send_event(&peer);
        turn();
    }
    for (unsigned replies = 0; replies < 4 * LIMIT / REPLY; replies++) {
        reply();
        turn();
        CU_ASSERT_FALSE_FATAL(peer.is_paused);
        for (size_t want = REPLY; want > 0;) {
            size_t got = read_some(want);
            CU_ASSERT_TRUE_FATAL(got > 0);
            want -= got;
            turn();
        }
        CU_ASSERT_TRUE_FATAL(wire_outbox_length(&peer.outbox) > 0);
    }
    end();
}

MATCHING_TESTS(MATCHING_TEST(test_reading_goes_on_at_half),
               MATCHING_TEST(test_a_feed_is_no_reason_to_stop_reading))
