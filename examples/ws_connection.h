/* A small WebSocket client connection (RFC 6455) for programs that measure: as little as possible
 * between the clock and the socket.
 *
 * No TLS, no extensions, no fragments to send. Nothing but ws_connect and
 * ws_wait blocks, so that one thread can drive many connections. All functions: one thread per
 * connection. Failures return -1 with the reason in `error`; the connection is then unusable and
 * only to be closed.
 */
#ifndef WS_CONNECTION_H
#define WS_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ws_buffer {
    char *data; /* heap */
    size_t begin, end, capacity;
} ws_buffer;

typedef struct ws_connection {
    int fd;            /* -1: closed */
    ws_buffer in;      /* received, not yet taken */
    ws_buffer out;     /* framed, not yet sent */
    ws_buffer message; /* the frames of a message that is coming in pieces */
    uint32_t mask;     /* state of the masking keys' generator */
    char error[128];
} ws_connection;

/* Connects to ws://host:port/path and upgrades, within timeout_ms. Blocks. */
int ws_connect(ws_connection *connection, const char *host, const char *port, const char *path,
               int timeout_ms);

/* Closes at once, without a closing handshake, and frees. May be called again. */
void ws_close(ws_connection *connection);

/* Frames a message, text or binary, and puts it into the output. ws_flush sends it. */
int ws_put(ws_connection *connection, const char *text, size_t length);
int ws_put_binary(ws_connection *connection, const char *data, size_t length);

/* Sends what the socket takes now. Bytes left show in ws_pending. */
int ws_flush(ws_connection *connection);
size_t ws_pending(const ws_connection *connection);

/* Receives what there is now. 0 also where there was nothing. */
int ws_fill(ws_connection *connection);

/* Takes the next whole message that was received: 1 and *text (NUL-terminated, valid until the next
 * call for this connection), 0 where there is none yet. Answers pings by itself. */
int ws_next(ws_connection *connection, const char **text, size_t *length);

/* Blocks until one of the connections has something to read or room for its pending output, or
 * timeout_ns have passed. */
void ws_wait(const ws_connection *connections, size_t count, int64_t timeout_ns);

#endif
