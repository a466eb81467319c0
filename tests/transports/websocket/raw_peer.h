/* The other end of a WebSocket, byte by byte: frames as a test wants them, right or wrong, and the
 * server's frames one at a time with every rule of RFC 6455 that binds a server checked. Needs
 * door_fixture.c.
 */
#ifndef MATCHING_TESTS_WEBSOCKET_RAW_PEER_H
#define MATCHING_TESTS_WEBSOCKET_RAW_PEER_H

#include "door_fixture.h"

enum { TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10, FIN = 0x80 };

/* A socket after the handshake, with a deadline on reads; or the test ends. */
int peer_open(void);

/* Sends these bytes, `step` at a time, each step a segment of its own where the system allows. */
void peer_put(int fd, const void *bytes, size_t length, size_t step);

/* A masked frame whose first byte is this one, made in `out` (room for 14 bytes more); its size. */
size_t peer_frame(unsigned char *out, unsigned first, const void *payload, size_t length);

/* Makes and sends it. */
void peer_send(int fd, unsigned first, const void *payload, size_t length);

typedef struct peer_received {
    unsigned first; /* byte */
    size_t length;
    unsigned char payload[65536 + 1]; /* and a NUL */
} peer_received;

/* False: the end of the stream; the test fails if that was a reset, or nothing came in time. */
bool peer_receive(int fd, peer_received *frame);

/* The same where permessage-deflate was agreed on: the first byte may have its bit. */
bool peer_receive_any(int fd, peer_received *frame);

/* The next frame is exactly this one. */
void peer_expect(int fd, unsigned first, const void *payload, size_t length);

/* The next message is text that begins so. */
void peer_expect_text(int fd, const char *begin);

/* The next frame is a close frame with this code (0: none), and then the stream ends. Closes fd. */
void peer_expect_end(int fd, unsigned code);

#endif
