/* RFC 6455 section 7 over a real socket: how a connection ends, whoever wants it to. */
#include <sys/socket.h>
#include <unistd.h>

#include "raw_peer.h"

static void send_close(int fd, unsigned code, const char *reason)
{
    unsigned char payload[125] = {(unsigned char)(code >> 8), (unsigned char)code};
    size_t length = strlen(reason);
    memcpy(payload + 2, reason, length);
    peer_send(fd, FIN | CLOSE, payload, 2 + length);
}

/* 7.4: a good code is echoed, any other is a fault. */
static void test_close_codes(void)
{
    prepare();
    open_door();
    for (unsigned code = 0; code <= 5001; code++) {
        bool good = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
                    (code >= 3000 && code <= 4999);
        bool edge = code % 1000 < 20 || code % 1000 > 997 || code % 1000 == 100;
        if (!edge) {
            continue;
        }
        int fd = peer_open();
        send_close(fd, code, "");
        peer_expect_end(fd, good ? code : 1002);
    }
    int fd = peer_open();
    send_close(fd, 65535, "");
    peer_expect_end(fd, 1002);
    close_door();
}

/* 5.5.1 */
static void test_close_payloads(void)
{
    char longest[124];
    memset(longest, 'x', 123);
    longest[123] = '\0';
    prepare();
    open_door();
    int fd = peer_open();
    peer_send(fd, FIN | CLOSE, "", 0);
    peer_expect_end(fd, 0);
    fd = peer_open();
    peer_send(fd, FIN | CLOSE, "\x03", 1);
    peer_expect_end(fd, 1002);
    fd = peer_open();
    send_close(fd, 1000, longest);
    peer_expect_end(fd, 1000);
    fd = peer_open();
    send_close(fd, 1001, "\xe2\x82\xac");
    peer_expect_end(fd, 1001);
    static const char *const bad[] = {"\xff", "\xe2\x82", "\xed\xa0\x80", "ok\xc0\x80"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        fd = peer_open();
        send_close(fd, 1000, bad[i]);
        peer_expect_end(fd, 1007);
    }
    close_door();
}

/* Byte by byte, and within a message. */
static void test_a_close_frame_in_pieces(void)
{
    unsigned char frame[32];
    prepare();
    open_door();
    int fd = peer_open();
    peer_send(fd, TEXT, "\"\xe2", 2);
    size_t size = peer_frame(frame, FIN | CLOSE, "\x03\xe8 bye", 6);
    peer_put(fd, frame, size, 1);
    peer_expect_end(fd, 1000);
    close_door();
}

/* What came before it is answered first; what comes after it is not looked at. */
static void test_the_close_frame_is_the_last(void)
{
    enum { COUNT = 1000 };
    static unsigned char frames[(COUNT + 3) * 32];
    size_t size = 0;
    prepare();
    open_door();
    int fd = peer_open();
    for (unsigned i = 0; i < COUNT; i++) {
        size += peer_frame(frames + size, FIN | PING, &i, sizeof i);
    }
    size += peer_frame(frames + size, FIN | CLOSE, "\x0b\xb8", 2);
    size += peer_frame(frames + size, FIN | PING, "late", 4);
    size += peer_frame(frames + size, FIN | CLOSE, "\x03\xe8", 2);
    peer_put(fd, frames, size, size);
    for (unsigned i = 0; i < COUNT; i++) {
        peer_expect(fd, FIN | PONG, &i, sizeof i);
    }
    peer_expect_end(fd, 3000);
    close_door();
}

/* 7.1.7: the client that is told of its fault hears so even while it goes on sending. */
static void test_a_fault_is_told_in_spite_of_what_follows(void)
{
    static unsigned char noise[1 << 20];
    unsigned char frame[16];
    memset(noise, 0xff, sizeof noise);
    prepare();
    open_door();
    for (unsigned i = 0; i < 20; i++) {
        int fd = peer_open();
        size_t size = peer_frame(frame, FIN | 3, "", 0);
        peer_put(fd, frame, size, size);
        for (size_t sent = 0; sent < sizeof noise;) { /* as far as it is taken */
            ssize_t count = send(fd, noise + sent, sizeof noise - sent, MSG_NOSIGNAL);
            CU_ASSERT_TRUE_FATAL(count > 0);
            sent += (size_t)count;
        }
        peer_expect_end(fd, 1002);
    }
    close_door();
}

/* 7.1.2: the door closes: it waits for the client's close frame, and passes over what else
 * comes. */
static void test_the_door_ends_it(void)
{
    static peer_received got;
    prepare();
    config.websocket.max_errors_in_a_row = 1;
    open_door();
    int fd = peer_open();
    peer_send(fd, FIN | TEXT, "{", 1);
    peer_expect_text(fd, "{\"type\":\"error\"");
    CU_ASSERT_TRUE_FATAL(peer_receive(fd, &got));
    CU_ASSERT_EQUAL(got.first, FIN | CLOSE);
    CU_ASSERT_EQUAL((unsigned)got.payload[0] << 8 | got.payload[1], 1008);
    CU_ASSERT_STRING_EQUAL((const char *)got.payload + 2, "too many errors");
    peer_send(fd, FIN | TEXT, "{\"type\":\"ping\"}", 15);
    peer_send(fd, FIN | PING, "?", 1);
    peer_send(fd, TEXT, "{\"type\":", 8);
    send_close(fd, 1008, "");
    CU_ASSERT_FALSE(peer_receive(fd, &got)); /* no pong, no answer: the end */
    close(fd);
    close_door();
}

/* The same with a client that does not answer but breaks the protocol, or just goes. */
static void test_the_door_ends_it_and_the_client_has_no_manners(void)
{
    static peer_received got;
    prepare();
    config.websocket.max_errors_in_a_row = 1;
    open_door();
    for (unsigned i = 0; i < 2; i++) {
        int fd = peer_open();
        peer_send(fd, FIN | TEXT, "{", 1);
        peer_expect_text(fd, "{\"type\":\"error\"");
        CU_ASSERT_TRUE_FATAL(peer_receive(fd, &got));
        CU_ASSERT_EQUAL(got.first, FIN | CLOSE);
        if (i == 0) {
            peer_send(fd, 0x70, "x", 1);
        } else {
            shutdown(fd, SHUT_WR);
        }
        CU_ASSERT_FALSE(peer_receive(fd, &got));
        close(fd);
    }
    close_door();
}

/* A place is free again as soon as both close frames are there, whoever sent the first. */
static void test_places_are_given_back(void)
{
    prepare();
    config.websocket.max_connections = 1;
    open_door();
    for (unsigned i = 0; i < 50; i++) {
        ws_client client;
        bool is_in = false;
        for (unsigned k = 0; k < 1000 && !is_in; k++) {
            is_in = ws_client_connect(&client, door.address, "/ws", DEADLINE_MS);
        }
        CU_ASSERT_TRUE_FATAL(is_in);
        if (i % 2 == 0) {
            send_close(client.fd, 1000, "");
            peer_expect_end(client.fd, 1000);
        } else {
            peer_send(client.fd, FIN | 7, "", 0);
            peer_expect_end(client.fd, 1002);
        }
        client.fd = -1;
        ws_client_close(&client);
    }
    close_door();
}

MATCHING_TESTS(MATCHING_TEST(test_close_codes), MATCHING_TEST(test_close_payloads),
               MATCHING_TEST(test_a_close_frame_in_pieces),
               MATCHING_TEST(test_the_close_frame_is_the_last),
               MATCHING_TEST(test_a_fault_is_told_in_spite_of_what_follows),
               MATCHING_TEST(test_the_door_ends_it),
               MATCHING_TEST(test_the_door_ends_it_and_the_client_has_no_manners),
               MATCHING_TEST(test_places_are_given_back))
