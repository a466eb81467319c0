/* See ws_client.h; RFC 6455. The opening handshake uses the key of the RFC's own example, whose
 * answer is known, so that no SHA-1 is needed to check it.
 */
#define _GNU_SOURCE /* memmem */
#include "support/ws_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

enum { CONTINUATION = 0, TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10 };

static long long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static bool fail(ws_client *client, const char *why)
{
    snprintf(client->error, sizeof client->error, "%s", why);
    return false;
}

static void reserve(char **buffer, size_t *room, size_t wanted)
{
    if (wanted > *room) {
        *room = wanted * 2;
        *buffer = realloc(*buffer, *room);
        if (*buffer == NULL) {
            abort();
        }
    }
}

static bool wait_for(ws_client *client, short events, long long deadline)
{
    struct pollfd descriptor = {.fd = client->fd, .events = events};
    for (;;) {
        long long left = deadline - now_ms();
        int ready = poll(&descriptor, 1, left > 0 ? (int)left : 0);
        if (ready > 0) {
            return true;
        }
        if (ready == 0) {
            return fail(client, "timed out");
        }
        if (errno != EINTR) {
            return fail(client, strerror(errno));
        }
    }
}

bool ws_client_flush(ws_client *client, int timeout_ms)
{
    long long deadline = now_ms() + timeout_ms;
    size_t sent = 0;
    while (sent < client->out_length) {
        ssize_t got = send(client->fd, client->out + sent, client->out_length - sent,
                           MSG_NOSIGNAL | MSG_DONTWAIT);
        if (got >= 0) {
            sent += (size_t)got;
        } else if (errno != EAGAIN && errno != EINTR) {
            return fail(client, strerror(errno));
        } else if (!wait_for(client, POLLOUT, deadline)) {
            return false;
        }
    }
    client->out_length = 0;
    return true;
}

/* Some more bytes, at least one. */
static bool read_more(ws_client *client, long long deadline)
{
    if (client->in_begin > 0) {
        client->in_end -= client->in_begin;
        memmove(client->in, client->in + client->in_begin, client->in_end);
        client->in_begin = 0;
    }
    reserve(&client->in, &client->in_room, client->in_end + 65536);
    for (;;) {
        ssize_t got = recv(client->fd, client->in + client->in_end,
                           client->in_room - client->in_end, MSG_DONTWAIT);
        if (got > 0) {
            client->in_end += (size_t)got;
            return true;
        }
        if (got == 0) {
            return fail(client, "the server closed the connection");
        }
        if (errno != EAGAIN && errno != EINTR) {
            return fail(client, strerror(errno));
        }
        if (!wait_for(client, POLLIN, deadline)) {
            return false;
        }
    }
}

static bool need(ws_client *client, size_t bytes, long long deadline)
{
    while (client->in_end - client->in_begin < bytes) {
        if (!read_more(client, deadline)) {
            return false;
        }
    }
    return true;
}

static void queue_frame(ws_client *client, int opcode, const char *data, size_t length)
{
    reserve(&client->out, &client->out_room, client->out_length + length + 14);
    unsigned char *at = (unsigned char *)client->out + client->out_length;
    *at++ = (unsigned char)(0x80 | opcode);
    if (length < 126) {
        *at++ = (unsigned char)(0x80 | length);
    } else {
        unsigned bytes = length < 65536 ? 2 : 8;
        *at++ = (unsigned char)(0x80 | (bytes == 2 ? 126 : 127));
        for (unsigned i = bytes; i-- > 0;) {
            *at++ = (unsigned char)((uint64_t)length >> (8 * i));
        }
    }
    client->mask = client->mask * 1664525u + 1013904223u;
    unsigned char key[4];
    memcpy(key, &client->mask, sizeof key);
    memcpy(at, key, sizeof key);
    at += sizeof key;
    for (size_t i = 0; i < length; i++) {
        at[i] = (unsigned char)data[i] ^ key[i & 3];
    }
    client->out_length = (size_t)((char *)at - client->out) + length;
}

void ws_client_send(ws_client *client, const char *text, size_t length)
{
    queue_frame(client, client->is_binary ? BINARY : TEXT, text, length);
}

/* The next frame's header; its payload is then at in_begin, whole. */
static bool next_frame(ws_client *client, unsigned *opcode, bool *final, size_t *length,
                       long long deadline)
{
    if (!need(client, 2, deadline)) {
        return false;
    }
    const unsigned char *at = (const unsigned char *)client->in + client->in_begin;
    *final = at[0] & 0x80;
    *opcode = at[0] & 15;
    *length = at[1] & 127;
    if ((at[0] & 0x70) || (at[1] & 0x80)) {
        return fail(client, "a frame with reserved bits or a mask");
    }
    size_t head = 2;
    if (*length >= 126) {
        size_t bytes = *length == 126 ? 2 : 8;
        if (!need(client, 2 + bytes, deadline)) {
            return false;
        }
        at = (const unsigned char *)client->in + client->in_begin;
        *length = 0;
        for (size_t i = 0; i < bytes; i++) {
            *length = *length << 8 | at[2 + i];
        }
        head += bytes;
    }
    if (*length > 64u << 20) {
        return fail(client, "a frame beyond any sense");
    }
    if (!need(client, head + *length, deadline)) {
        return false;
    }
    client->in_begin += head;
    return true;
}

static bool take_control(ws_client *client, unsigned opcode, const char *data, size_t length)
{
    if (opcode == PING) {
        queue_frame(client, PONG, data, length);
        return ws_client_flush(client, 1000);
    }
    if (opcode == CLOSE) {
        client->close_code =
            length >= 2 ? (unsigned)((unsigned char)data[0] << 8 | (unsigned char)data[1]) : 1005;
        snprintf(client->error, sizeof client->error, "closed with %u %.*s", client->close_code,
                 length > 2 ? (int)length - 2 : 0, length > 2 ? data + 2 : "");
        queue_frame(client, CLOSE, data, length < 2 ? 0 : 2);
        char error[sizeof client->error];
        memcpy(error, client->error, sizeof error);
        ws_client_flush(client, 1000); /* the server waits for it, and may be gone already */
        memcpy(client->error, error, sizeof error);
        return false;
    }
    return opcode == PONG || fail(client, "a frame of an unknown kind");
}

bool ws_client_receive(ws_client *client, const char **text, size_t *length, int timeout_ms)
{
    long long deadline = now_ms() + timeout_ms;
    client->message_length = 0;
    if (!ws_client_flush(client, timeout_ms)) {
        return false;
    }
    for (;;) {
        unsigned opcode;
        bool final;
        size_t bytes;
        if (!next_frame(client, &opcode, &final, &bytes, deadline)) {
            return false;
        }
        const char *data = client->in + client->in_begin;
        client->in_begin += bytes;
        if (opcode >= CLOSE) {
            if (!take_control(client, opcode, data, bytes)) {
                return false;
            }
            continue;
        }
        if (opcode != CONTINUATION && opcode != (client->is_binary ? BINARY : TEXT)) {
            return fail(client, "a frame of the other kind");
        }
        reserve(&client->message, &client->message_room, client->message_length + bytes + 1);
        memcpy(client->message + client->message_length, data, bytes);
        client->message_length += bytes;
        if (final) {
            client->message[client->message_length] = '\0';
            *text = client->message;
            *length = client->message_length;
            return true;
        }
    }
}

static bool open_socket(ws_client *client, const char *address)
{
    char host[64];
    unsigned port;
    struct sockaddr_in to = {.sin_family = AF_INET};
    int one = 1;
    if (sscanf(address, "%63[0-9.]:%u", host, &port) != 2 ||
        inet_pton(AF_INET, host, &to.sin_addr) != 1) {
        return fail(client, "not an IPv4 address and port");
    }
    to.sin_port = htons((uint16_t)port);
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->fd < 0 || connect(client->fd, (struct sockaddr *)&to, sizeof to) != 0) {
        return fail(client, strerror(errno));
    }
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return true;
}

static bool upgrade(ws_client *client, const char *address, const char *path, int timeout_ms)
{
    reserve(&client->out, &client->out_room, 512);
    client->out_length = (size_t)snprintf(
        client->out, client->out_room,
        "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " KEY "\r\n\r\n",
        path, address);
    if (!ws_client_flush(client, timeout_ms)) {
        return false;
    }
    long long deadline = now_ms() + timeout_ms;
    char *end = NULL;
    while (end == NULL) {
        if (!read_more(client, deadline)) {
            return false;
        }
        end = memmem(client->in, client->in_end, "\r\n\r\n", 4);
    }
    *end = '\0';
    client->in_begin = (size_t)(end + 4 - client->in);
    if (strncmp(client->in, "HTTP/1.1 101 ", 13) != 0 || strstr(client->in, ACCEPT) == NULL) {
        snprintf(client->error, sizeof client->error, "no upgrade: %.*s",
                 (int)strcspn(client->in, "\r"), client->in);
        return false;
    }
    return true;
}

bool ws_client_connect(ws_client *client, const char *address, const char *path, int timeout_ms)
{
    memset(client, 0, sizeof *client);
    client->fd = -1;
    client->mask = 2463534242u;
    if (open_socket(client, address) && upgrade(client, address, path, timeout_ms)) {
        return true;
    }
    char error[sizeof client->error];
    memcpy(error, client->error, sizeof error);
    ws_client_close(client);
    memcpy(client->error, error, sizeof error);
    return false;
}

void ws_client_close(ws_client *client)
{
    if (client->fd >= 0) {
        close(client->fd);
    }
    free(client->out);
    free(client->in);
    free(client->message);
    memset(client, 0, sizeof *client);
    client->fd = -1;
}
