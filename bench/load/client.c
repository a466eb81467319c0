/* See client.h; RFC 6455. */
#define _GNU_SOURCE /* memmem */
#include "load/client.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "load/report.h"

#define BUFFER_SIZE (256u << 10)
#define FRAME_MAX (BUFFER_SIZE / 2)
#define EVENTS 256
#define HANDSHAKES 128u /* at a time */
#define SOURCE_CONNECTIONS 4000u
#define SILENCE_MS 10000
#define KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

enum { FINAL = 0x80, TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10 };

uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static void *grown(void *memory, size_t size)
{
    memory = realloc(memory, size);
    if (memory == NULL) {
        fail("out of memory");
    }
    return memory;
}

void swarm_init(swarm *s)
{
    memset(s, 0, sizeof *s);
    s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    s->buffer = grown(NULL, BUFFER_SIZE);
    if (s->epoll_fd < 0) {
        fail("epoll: %s", strerror(errno));
    }
}

void swarm_fini(swarm *s)
{
    const struct linger reset = {.l_onoff = 1};
    for (size_t i = 0; i < s->count; i++) {
        client *c = s->clients[i];
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(c->fd);
        free(c->out);
        free(c->kept);
        free(c);
    }
    free(s->clients);
    free(s->buffer);
    close(s->epoll_fd);
    memset(s, 0, sizeof *s);
}

/* ---- Sending --------------------------------------------------------------------------------- */

static char *out_space(client *c, size_t length)
{
    if (c->out_end + length > c->out_room) {
        c->out_room = 2 * (c->out_end + length);
        c->out = grown(c->out, c->out_room);
    }
    return c->out + c->out_end;
}

static void mask_copy(char *to, const char *from, size_t length, uint32_t mask)
{
    uint64_t wide = mask * UINT64_C(0x100000001), bytes;
    for (; length >= sizeof wide; length -= sizeof wide) {
        memcpy(&bytes, from, sizeof bytes);
        bytes ^= wide;
        memcpy(to, &bytes, sizeof bytes);
        from += sizeof bytes;
        to += sizeof bytes;
    }
    const char *key = (const char *)&mask;
    for (size_t i = 0; i < length; i++) {
        to[i] = (char)(from[i] ^ key[i & 3]);
    }
}

static void queue_frame(client *c, unsigned opcode, const char *data, size_t length)
{
    char *at = out_space(c, length + 8);
    size_t head = 2;
    at[0] = (char)(FINAL | opcode);
    if (length < 126) {
        at[1] = (char)(0x80 | length);
    } else if (length < 65536) {
        at[1] = (char)(0x80 | 126);
        at[2] = (char)(length >> 8);
        at[3] = (char)length;
        head = 4;
    } else {
        fail("a message of %zu bytes: this client sends none above 65535", length);
    }
    c->mask = c->mask * 1664525u + 1013904223u;
    memcpy(at + head, &c->mask, sizeof c->mask);
    mask_copy(at + head + 4, data, length, c->mask);
    c->out_end += head + 4 + length;
}

void client_queue(client *c, const char *text, size_t length)
{
    queue_frame(c, TEXT, text, length);
}

void client_queue_binary(client *c, const void *data, size_t length)
{
    queue_frame(c, BINARY, data, length);
}

static void want_out(swarm *s, client *c, bool waits)
{
    if (c->waits != waits) {
        struct epoll_event event = {.events = waits ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.ptr = c};
        c->waits = waits;
        if (epoll_ctl(s->epoll_fd, EPOLL_CTL_MOD, c->fd, &event) != 0) {
            fail("epoll: %s", strerror(errno));
        }
    }
}

void client_flush(swarm *s, client *c)
{
    while (c->out_begin < c->out_end) {
        ssize_t sent = send(c->fd, c->out + c->out_begin, c->out_end - c->out_begin,
                            MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent >= 0) {
            c->out_begin += (size_t)sent;
        } else if (errno == EAGAIN) {
            want_out(s, c, true);
            return;
        } else if (errno != EINTR) {
            fail("connection %u: %s", c->number, strerror(errno));
        }
    }
    c->out_begin = c->out_end = 0;
    want_out(s, c, false);
}

/* ---- Receiving ------------------------------------------------------------------------------- */

static size_t take_handshake(swarm *s, client *c, const char *data, size_t length)
{
    const char *end = memmem(data, length, "\r\n\r\n", 4);
    if (end == NULL) {
        return 0;
    }
    size_t size = (size_t)(end - data) + 4;
    if (memcmp(data, "HTTP/1.1 101 ", 13) != 0 ||
        memmem(data, size, ACCEPT, sizeof ACCEPT - 1) == NULL) {
        fail("connection %u is not taken: %.*s", c->number, (int)strcspn(data, "\r"), data);
    }
    c->is_ready = true;
    s->ready_count++;
    return size;
}

static void take_payload(swarm *s, client *c, unsigned first, const char *data, size_t length)
{
    switch (first) {
    case FINAL | TEXT:
    case FINAL | BINARY:
        if (s->is_binary != (first == (FINAL | BINARY))) {
            fail("a frame of another kind than expected (%#x)", first);
        }
        s->on_message(s->context, c, data, length);
        break;
    case FINAL | PING:
        queue_frame(c, PONG, data, length);
        break;
    case FINAL | PONG:
        break;
    case FINAL | CLOSE:
        fail("the server closed connection %u with %d %.*s", c->number,
             length < 2 ? 1005 : (unsigned char)data[0] << 8 | (unsigned char)data[1],
             length < 2 ? 0 : (int)length - 2, data + 2);
    default:
        fail("a frame of another kind than expected (%#x)", first);
    }
}

/* One frame; its size, or 0 if not all of it is there. */
static size_t take_frame(swarm *s, client *c, const char *data, size_t length)
{
    const unsigned char *at = (const unsigned char *)data;
    if (length < 2) {
        return 0;
    }
    size_t head = at[1] < 126 ? 2 : at[1] == 126 ? 4 : 10;
    if (length < head) {
        return 0;
    }
    uint64_t size = at[1] & 127;
    for (size_t i = 2; i < head; i++) {
        size = (i == 2 ? 0 : size << 8) | at[i];
    }
    if (size > FRAME_MAX) {
        fail("a frame of %llu bytes", (unsigned long long)size);
    }
    if (length < head + size) {
        return 0;
    }
    take_payload(s, c, at[0], data + head, size);
    return head + size;
}

static void keep(client *c, const char *data, size_t length)
{
    if (length > c->kept_room) {
        c->kept_room = 2 * length;
        c->kept = grown(c->kept, c->kept_room);
    }
    if (length > 0) {
        memcpy(c->kept, data, length);
    }
    c->kept_length = length;
}

static void receive(swarm *s, client *c)
{
    size_t length = c->kept_length, used = 0;
    if (length > 0) {
        memcpy(s->buffer, c->kept, length);
    }
    ssize_t got = recv(c->fd, s->buffer + length, BUFFER_SIZE - length, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (got <= 0) {
        fail("connection %u: %s", c->number, got == 0 ? "the server ended it" : strerror(errno));
    }
    s->now_ns = now_ns();
    length += (size_t)got;
    for (size_t size = 1; size > 0 && used < length; used += size) {
        size = c->is_ready ? take_frame(s, c, s->buffer + used, length - used)
                           : take_handshake(s, c, s->buffer, length);
    }
    keep(c, s->buffer + used, length - used);
    if (c->out_end > 0) {
        client_flush(s, c);
    }
}

void swarm_neglect(swarm *s, client *c)
{
    if (epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL) != 0) {
        fail("epoll: %s", strerror(errno));
    }
}

int swarm_turn(swarm *s, int timeout_ms)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(s->epoll_fd, events, EVENTS, timeout_ms);
    for (int i = 0; i < count; i++) {
        client *c = events[i].data.ptr;
        if (events[i].events & EPOLLOUT) {
            client_flush(s, c);
        }
        if (events[i].events & ~(uint32_t)EPOLLOUT) {
            receive(s, c);
        }
    }
    return count < 0 ? 0 : count;
}

/* ---- Connecting ------------------------------------------------------------------------------ */

static int open_socket(const struct sockaddr_in *address, size_t number, bool spread)
{
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        fail("connection %zu: %s; the limit of descriptors (ulimit -Hn) has to allow one for each",
             number, strerror(errno));
    }
    if (spread) {
        struct sockaddr_in source = {
            .sin_family = AF_INET,
            .sin_addr.s_addr =
                htonl(INADDR_LOOPBACK + 1 + (uint32_t)(number / SOURCE_CONNECTIONS))};
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
        if (bind(fd, (const struct sockaddr *)&source, sizeof source) != 0) {
            fail("bind: %s", strerror(errno));
        }
    }
    if (connect(fd, (const struct sockaddr *)address, sizeof *address) != 0) {
        fail("connection %zu: %s", number, strerror(errno));
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static void open_client(swarm *s, const struct sockaddr_in *address, bool spread)
{
    static const char REQUEST[] =
        "GET /ws HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " KEY "\r\n\r\n";
    if (s->count == s->room) {
        s->room = s->room == 0 ? 64 : 2 * s->room;
        s->clients = grown(s->clients, s->room * sizeof *s->clients);
    }
    client *c = grown(NULL, sizeof *c);
    *c = (client){.fd = open_socket(address, s->count, spread),
                  .number = (uint32_t)s->count,
                  .mask = (uint32_t)s->count + 1};
    s->clients[s->count++] = c;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, c->fd, &event) != 0) {
        fail("epoll: %s", strerror(errno));
    }
    char *room = out_space(c, sizeof REQUEST + 8);
    c->out_end +=
        (size_t)snprintf(room, sizeof REQUEST + 8, REQUEST, (unsigned)ntohs(address->sin_port));
    client_flush(s, c);
}

void swarm_connect(swarm *s, const struct sockaddr_in *address, size_t count, bool spread)
{
    size_t wanted = s->count + count;
    while (s->ready_count < wanted) {
        if (s->count < wanted && s->count - s->ready_count < HANDSHAKES) {
            open_client(s, address, spread);
        } else if (swarm_turn(s, SILENCE_MS) == 0) {
            fail("no answer to a handshake");
        }
    }
}
