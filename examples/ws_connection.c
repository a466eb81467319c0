/* Sockets and frames of the example client.
 *
 * Invariant of a buffer: begin <= end < capacity, or it has no memory and all are 0; the bytes in
 * between are its content, and there is room for one NUL behind them.
 */
#define _GNU_SOURCE /* ppoll */
#include "ws_connection.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define READ_SIZE 65536
#define FRAME_MAX (16u << 20)
#define CONNECTIONS_MAX 64

enum { OP_CONTINUATION = 0, OP_TEXT = 1, OP_BINARY = 2, OP_CLOSE = 8, OP_PING = 9, OP_PONG = 10 };

/* The key is there to tell a WebSocket server from one that repeats what it is sent, so a constant
 * does. This pair is the example of RFC 6455, section 1.3. */
#define KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

static int fail(ws_connection *connection, const char *what, const char *why)
{
    snprintf(connection->error, sizeof connection->error, "%s: %s", what, why);
    return -1;
}

/* ---- Buffers -------------------------------------------------------------------------------- */

/* Room for `more` bytes and a NUL behind the content; NULL: no memory. */
static char *buffer_reserve(ws_buffer *buffer, size_t more)
{
    if (buffer->begin == buffer->end) {
        buffer->begin = buffer->end = 0;
    }
    if (buffer->capacity - buffer->end <= more && buffer->begin > 0) {
        memmove(buffer->data, buffer->data + buffer->begin, buffer->end - buffer->begin);
        buffer->end -= buffer->begin;
        buffer->begin = 0;
    }
    if (buffer->capacity - buffer->end <= more) {
        size_t capacity = 2 * (buffer->end + more + 1);
        char *data = realloc(buffer->data, capacity);
        if (data == NULL) {
            return NULL;
        }
        buffer->data = data;
        buffer->capacity = capacity;
    }
    return buffer->data + buffer->end;
}

static int buffer_append(ws_buffer *buffer, const void *data, size_t length)
{
    char *room = buffer_reserve(buffer, length);
    if (room == NULL) {
        return -1;
    }
    memcpy(room, data, length);
    buffer->end += length;
    return 0;
}

static size_t buffer_length(const ws_buffer *buffer)
{
    return buffer->end - buffer->begin;
}

static void buffer_free(ws_buffer *buffer)
{
    free(buffer->data);
    *buffer = (ws_buffer){0};
}

/* ---- Frames out ----------------------------------------------------------------------------- */

/* Clients mask their frames so that no web page can make a proxy see a request of its choice in
 * them. Nobody attacks this client's proxies through it: a simple generator is random enough. */
static uint32_t next_mask(ws_connection *connection)
{
    uint32_t x = connection->mask;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return connection->mask = x;
}

static int put_frame(ws_connection *connection, int opcode, const char *payload, size_t length)
{
    unsigned char header[14] = {(unsigned char)(0x80 | opcode)};
    size_t size = 2;
    unsigned extra = length < 126 ? 0 : length < 65536 ? 2 : 8;
    header[1] = (unsigned char)(0x80 | (extra == 0 ? length : extra == 2 ? 126u : 127u));
    for (unsigned i = 0; i < extra; i++) {
        header[size++] = (unsigned char)((uint64_t)length >> 8 * (extra - 1 - i));
    }
    uint32_t mask = next_mask(connection);
    memcpy(header + size, &mask, sizeof mask);
    size += sizeof mask;
    char *room = buffer_reserve(&connection->out, size + length);
    if (room == NULL) {
        return fail(connection, "send", "out of memory");
    }
    memcpy(room, header, size);
    for (size_t i = 0; i < length; i++) {
        room[size + i] = (char)(payload[i] ^ (char)header[size - 4 + (i & 3)]);
    }
    connection->out.end += size + length;
    return 0;
}

int ws_put(ws_connection *connection, const char *text, size_t length)
{
    return put_frame(connection, OP_TEXT, text, length);
}

int ws_put_binary(ws_connection *connection, const char *data, size_t length)
{
    return put_frame(connection, OP_BINARY, data, length);
}

size_t ws_pending(const ws_connection *connection)
{
    return buffer_length(&connection->out);
}

int ws_flush(ws_connection *connection)
{
    ws_buffer *out = &connection->out;
    while (buffer_length(out) > 0) {
        ssize_t sent =
            send(connection->fd, out->data + out->begin, buffer_length(out), MSG_NOSIGNAL);
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            return 0;
        }
        if (sent < 0 && errno != EINTR) {
            return fail(connection, "send", strerror(errno));
        }
        out->begin += sent > 0 ? (size_t)sent : 0;
    }
    return 0;
}

/* ---- Frames in ------------------------------------------------------------------------------ */

int ws_fill(ws_connection *connection)
{
    for (;;) {
        char *room = buffer_reserve(&connection->in, READ_SIZE);
        if (room == NULL) {
            return fail(connection, "receive", "out of memory");
        }
        ssize_t got = recv(connection->fd, room, READ_SIZE, 0);
        if (got > 0) {
            connection->in.end += (size_t)got;
            if (got == READ_SIZE) {
                continue;
            }
            return 0;
        }
        if (got == 0) {
            return fail(connection, "receive", "the server has closed the connection");
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return 0;
        }
        if (errno != EINTR) {
            return fail(connection, "receive", strerror(errno));
        }
    }
}

typedef struct frame {
    int opcode;
    bool final;
    char *payload;
    size_t length;
} frame;

/* 1: a whole frame was taken, 0: it is not all there yet. */
static int take_frame(ws_connection *connection, frame *taken)
{
    ws_buffer *in = &connection->in;
    const unsigned char *bytes = (const unsigned char *)in->data + in->begin;
    size_t have = buffer_length(in);
    if (have < 2) {
        return 0;
    }
    if ((bytes[0] & 0x70) != 0 || (bytes[1] & 0x80) != 0) {
        return fail(connection, "receive", "a frame with an extension or a mask");
    }
    unsigned extra = (bytes[1] & 0x7f) == 126 ? 2 : (bytes[1] & 0x7f) == 127 ? 8 : 0;
    uint64_t length = extra == 0 ? bytes[1] & 0x7f : 0;
    if (have < 2 + extra) {
        return 0;
    }
    for (unsigned i = 0; i < extra; i++) {
        length = length << 8 | bytes[2 + i];
    }
    if (length > FRAME_MAX) {
        return fail(connection, "receive", "a frame of more than 16 MiB");
    }
    if (have < 2 + extra + length) {
        return 0;
    }
    *taken = (frame){.opcode = bytes[0] & 0x0f,
                     .final = (bytes[0] & 0x80) != 0,
                     .payload = in->data + in->begin + 2 + extra,
                     .length = (size_t)length};
    in->begin += 2 + extra + (size_t)length;
    return 1;
}

static int refuse_close(ws_connection *connection, const frame *taken)
{
    char why[100] = "the server closes the connection";
    if (taken->length >= 2) {
        const unsigned char *code = (const unsigned char *)taken->payload;
        snprintf(why, sizeof why, "the server closes the connection: %d %.*s",
                 code[0] << 8 | code[1], (int)taken->length - 2, taken->payload + 2);
    }
    return fail(connection, "receive", why);
}

/* Puts the parts of a fragmented message together. 1: it is whole. */
static int take_part(ws_connection *connection, const frame *taken)
{
    if (taken->opcode != OP_CONTINUATION) {
        connection->message.begin = connection->message.end = 0;
    }
    if (buffer_append(&connection->message, taken->payload, taken->length) != 0) {
        return fail(connection, "receive", "out of memory");
    }
    return taken->final ? 1 : 0;
}

int ws_next(ws_connection *connection, const char **text, size_t *length)
{
    frame taken;
    int result;
    while ((result = take_frame(connection, &taken)) == 1) {
        if (taken.opcode == OP_CLOSE) {
            return refuse_close(connection, &taken);
        }
        if (taken.opcode == OP_PING) {
            if (put_frame(connection, OP_PONG, taken.payload, taken.length) != 0) {
                return -1;
            }
        } else if (taken.opcode != OP_PONG) {
            /* The next frame begins where a NUL would have to stand, hence a copy. */
            result = take_part(connection, &taken);
            if (result == 1) {
                connection->message.data[connection->message.end] = '\0';
                *text = connection->message.data;
                *length = connection->message.end;
            }
            if (result != 0) {
                return result;
            }
        }
    }
    return result;
}

void ws_wait(const ws_connection *connections, size_t count, int64_t timeout_ns)
{
    struct pollfd polled[CONNECTIONS_MAX];
    for (size_t i = 0; i < count && i < CONNECTIONS_MAX; i++) {
        short events = (short)(POLLIN | (ws_pending(&connections[i]) > 0 ? POLLOUT : 0));
        polled[i] = (struct pollfd){connections[i].fd, events, 0};
    }
    if (timeout_ns < 0) {
        timeout_ns = 0;
    }
    struct timespec timeout = {timeout_ns / 1000000000, timeout_ns % 1000000000};
    ppoll(polled, count < CONNECTIONS_MAX ? count : CONNECTIONS_MAX, &timeout, NULL);
}

/* ---- Connecting ----------------------------------------------------------------------------- */

static int open_socket(ws_connection *connection, const char *host, const char *port,
                       int timeout_ms)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int code = getaddrinfo(host, port, &hints, &found);
    if (code != 0) {
        return fail(connection, host, gai_strerror(code));
    }
    const struct timeval limit = {timeout_ms / 1000, timeout_ms % 1000 * 1000};
    int reason = 0;
    for (const struct addrinfo *at = found; at != NULL && connection->fd < 0; at = at->ai_next) {
        int fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
        if (fd < 0) {
            reason = errno;
            continue;
        }
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit); /* holds for connect too */
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        if (connect(fd, at->ai_addr, at->ai_addrlen) == 0) {
            connection->fd = fd;
        } else {
            reason = errno;
            close(fd);
        }
    }
    freeaddrinfo(found);
    return connection->fd >= 0 ? 0 : fail(connection, "connect", strerror(reason));
}

/* Reads up to the end of the answer's header; frames that follow it stay in `in`. */
static int read_upgrade(ws_connection *connection)
{
    ws_buffer *in = &connection->in;
    for (;;) {
        char *room = buffer_reserve(in, READ_SIZE);
        if (room == NULL) {
            return fail(connection, "upgrade", "out of memory");
        }
        ssize_t got = recv(connection->fd, room, READ_SIZE, 0);
        if (got <= 0) {
            return fail(connection, "upgrade", got == 0 ? "connection closed" : strerror(errno));
        }
        in->end += (size_t)got;
        in->data[in->end] = '\0';
        char *end = strstr(in->data, "\r\n\r\n");
        if (end == NULL) {
            continue;
        }
        *end = '\0';
        if (strncmp(in->data, "HTTP/1.1 101 ", 13) != 0 || strstr(in->data, ACCEPT) == NULL) {
            in->data[strcspn(in->data, "\r\n")] = '\0';
            return fail(connection, "the server refuses to speak WebSocket", in->data);
        }
        in->begin = (size_t)(end - in->data) + 4;
        return 0;
    }
}

int ws_connect(ws_connection *connection, const char *host, const char *port, const char *path,
               int timeout_ms)
{
    *connection = (ws_connection){.fd = -1, .mask = 0x9e3779b9u};
    if (open_socket(connection, host, port, timeout_ms) != 0) {
        return -1;
    }
    char request[1024];
    bool is_ipv6 = strchr(host, ':') != NULL;
    int length = snprintf(request, sizeof request,
                          "GET %s HTTP/1.1\r\nHost: %s%s%s:%s\r\nUpgrade: websocket\r\n"
                          "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                          "Sec-WebSocket-Key: " KEY "\r\n\r\n",
                          path, is_ipv6 ? "[" : "", host, is_ipv6 ? "]" : "", port);
    if (length < 0 || (size_t)length >= sizeof request) {
        return fail(connection, "connect", "the address is too long");
    }
    if (buffer_append(&connection->out, request, (size_t)length) != 0 ||
        ws_flush(connection) != 0 || read_upgrade(connection) != 0) {
        return -1;
    }
    const int on = 1;
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (fcntl(connection->fd, F_SETFL, O_NONBLOCK) != 0) {
        return fail(connection, "connect", strerror(errno));
    }
    return 0;
}

void ws_close(ws_connection *connection)
{
    if (connection->fd >= 0) {
        close(connection->fd);
    }
    connection->fd = -1;
    buffer_free(&connection->in);
    buffer_free(&connection->out);
    buffer_free(&connection->message);
}
