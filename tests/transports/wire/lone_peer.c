/* See lone_peer.h. */
#include "lone_peer.h"

#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/cunit_main.h"

/* The rest of a frame that the socket has not taken whole. */
typedef struct rest {
    bool is_taken; /* by a peer */
    unsigned char bytes[WIRE_JOINED_MAX + WIRE_FRAME_HEADER_MAX];
    size_t length;
} rest;

static rest rests[LONE_PEERS];

/* What is taken for libwebsockets' own is a number here. */
static rest *rest_of(struct lws *wsi)
{
    return &rests[(uintptr_t)wsi - 1];
}

int lws_partial_buffered(struct lws *wsi)
{
    return rest_of(wsi)->length > 0;
}

int lws_write(struct lws *wsi, unsigned char *data, size_t length, enum lws_write_protocol kind)
{
    rest *left = rest_of(wsi);
    (void)kind;
    CU_ASSERT_TRUE_FATAL(left->length == 0 && length <= sizeof left->bytes);
    memcpy(left->bytes, data, length);
    left->length = length;
    return (int)length;
}

int lws_callback_on_writable(struct lws *wsi)
{
    (void)wsi;
    return 0;
}

/* A connection that is killed is WIRE_OVER; the rest is libwebsockets'. */
void lws_set_timeout(struct lws *wsi, enum pending_timeout reason, int seconds)
{
    (void)wsi;
    (void)reason;
    (void)seconds;
}

/* There is no loop to be woken. */
void lws_cancel_service(struct lws_context *context)
{
    (void)context;
}

/* There was no request, so it has no headers. */
int lws_hdr_total_length(struct lws *wsi, enum lws_token_indexes token)
{
    (void)wsi;
    (void)token;
    return 0;
}

int lws_hdr_copy_fragment(struct lws *wsi, char *out, int size, enum lws_token_indexes token,
                          int fragment)
{
    (void)wsi;
    (void)out;
    (void)size;
    (void)token;
    (void)fragment;
    return -1;
}

int lone_open(wire_server *server, wire_peer *peer, matching_connection *entry)
{
    int pair[2], small = 4096;
    int made = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair);
    CU_ASSERT_EQUAL_FATAL(made, 0);
    setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    uintptr_t number = 1;
    while (number < LONE_PEERS && rests[number - 1].is_taken) {
        number++;
    }
    CU_ASSERT_FALSE_FATAL(rests[number - 1].is_taken);
    rests[number - 1].is_taken = true;
    rests[number - 1].length = 0;
    peer->server = server;
    peer->wsi = (struct lws *)number;
    peer->entry = entry;
    peer->fd = pair[0];
    peer->early = WIRE_EARLY_NONE;
    ev_io_init(&peer->reading, NULL, peer->fd, EV_READ);
    ev_io_start(server->loop, &peer->reading);
    return pair[1];
}

void lone_close(wire_peer *peer, int client)
{
    rest_of(peer->wsi)->is_taken = false;
    ev_io_stop(peer->server->loop, &peer->reading);
    close(peer->fd);
    close(client);
}

static void on_writable(wire_peer *peer)
{
    rest *left = rest_of(peer->wsi);
    if (left->length > 0) {
        ssize_t sent = send(peer->fd, left->bytes, left->length, MSG_NOSIGNAL);
        size_t gone = sent > 0 ? (size_t)sent : 0;
        memmove(left->bytes, left->bytes + gone, left->length - gone);
        left->length -= gone;
    }
    if (left->length == 0 && peer->is_blocked) {
        wire_on_writable(peer);
    }
}

size_t lone_read(wire_peer *peer, int client, void *bytes, size_t most)
{
    ssize_t got = recv(client, bytes, most, 0);
    on_writable(peer);
    return got > 0 ? (size_t)got : 0;
}
