/* The life of a connection: what goes out in one write a turn, and how it ends. What comes in is in
 * receive.c.
 *
 * Frames are written to the socket past libwebsockets. The rest of a frame that the socket did not
 * take whole is handed to libwebsockets, which sends it before anything else; so what waits here
 * begins where a frame does. A write begins only while libwebsockets has nothing left to send.
 *
 * Invariants: nothing is queued on one that is not WIRE_OPEN; a connection is freed only by
 * wire_peer_closed, which libwebsockets' last callback for it calls.
 */
#include "peer.h"
#include "matching/probes.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define PARTS_A_WRITE 64u
#define MS_PER_S UINT64_C(1000)

void wire_print_remote(char out[MATCHING_CONNECTION_REMOTE_SIZE], int fd)
{
    struct sockaddr_storage remote;
    socklen_t size = sizeof remote;
    char host[47], port[6]; /* an address with a scope that is longer is left out */
    out[0] = '\0';
    if (getpeername(fd, (struct sockaddr *)&remote, &size) == 0 &&
        getnameinfo((struct sockaddr *)&remote, size, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) == 0) {
        bool v6 = remote.ss_family == AF_INET6;
        snprintf(out, MATCHING_CONNECTION_REMOTE_SIZE, "%.1s%.46s%.1s:%.5s", v6 ? "[" : "", host,
                 v6 ? "]" : "", port);
    }
}

wire_peer *wire_peer_open(wire_server *server, struct lws *wsi, matching_access_level level)
{
    if (server->peer_count >= server->settings->max_connections) {
        return NULL;
    }
    wire_peer *peer = calloc(1, server->handlers->peer_size);
    if (peer == NULL) {
        return NULL;
    }
    char remote[MATCHING_CONNECTION_REMOTE_SIZE];
    uint32_t slot = server->free_slots[server->free_slot_count - 1];
    peer->server = server;
    peer->wsi = wsi;
    peer->fd = lws_get_socket_fd(wsi);
    wire_print_remote(remote, peer->fd);
    peer->message_room = server->settings->message_bytes;
    peer->message = peer->message_room > 0 ? malloc(peer->message_room) : NULL;
    if (peer->message != NULL || peer->message_room == 0) {
        peer->entry = matching_connection_open(server->table, slot, remote);
    }
    if (peer->entry == NULL) {
        free(peer->message);
        free(peer);
        return NULL;
    }
    server->free_slot_count--;
    peer->close_code = WIRE_CLOSE_ABNORMAL;
    peer->slot = slot;
    peer->generation = ++server->generations[slot];
    peer->level = level;
    peer->seen_ms = peer->pinged_ms = server->now_ms;
    peer->window_bits = (uint8_t)wire_http_deflate(server, wsi);
    peer->is_packed = peer->reader.takes_compressed = peer->window_bits != 0;
    server->peers[slot] = peer;
    server->peer_count++;
    wire_connection_begin(peer);
    wire_receive_start(peer);
    if (server->handlers->on_open != NULL) {
        server->handlers->on_open(peer);
    }
    return peer;
}

void wire_peer_closed(wire_peer *peer)
{
    wire_server *server = peer->server;
    wire_receive_stop(peer);
    wire_work_forget(peer);
    peer->state = WIRE_OVER; /* what the door does now must not queue or read any more */
    server->handlers->on_closed(peer);
    wire_guard_release(&server->guard, peer, server->phase == WIRE_RUNNING);
    wire_connection_end(peer);
    matching_connection_close(server->table, peer->entry, peer->close_code);
    if (peer->is_dirty) {
        wire_peer *last = server->dirty[--server->dirty_count];
        server->dirty[peer->dirty_at] = last;
        last->dirty_at = peer->dirty_at;
    }
    server->peers[peer->slot] = NULL;
    server->free_slots[server->free_slot_count++] = peer->slot;
    server->peer_count--;
    wire_batch_drop(peer);
    wire_outbox_free(&peer->outbox, &server->queued);
    free(peer->message);
    free(peer);
}

wire_peer *wire_peer_find(const wire_server *server, uint32_t slot, uint32_t generation)
{
    wire_peer *peer = slot < server->peer_max ? server->peers[slot] : NULL;
    return peer != NULL && peer->generation == generation ? peer : NULL;
}

/* ---- What goes out -------------------------------------------------------------------------- */

matching_writer *wire_begin(wire_server *server)
{
    if (server->frame != NULL) {
        wire_frame_release(&server->queued, server->frame);
        server->frame = NULL;
    }
    server->is_shared = false;
    matching_writer_clear(&server->writer);
    return &server->writer;
}

matching_writer *wire_begin_shared(wire_server *server, size_t receivers)
{
    wire_begin(server);
    server->messages++;
    server->is_shared = receivers >= WIRE_SHARED_FROM;
    return &server->writer;
}

static wire_frame *frame_of(wire_server *server)
{
    const matching_writer *writer = &server->writer;
    if (server->frame == NULL && !writer->failed) {
        server->frame = wire_frame_create(&server->queued, server->settings->kind, writer->data,
                                          writer->length);
    }
    return server->frame;
}

wire_frame *wire_keep(wire_server *server)
{
    wire_frame *frame = frame_of(server);
    if (frame != NULL) {
        frame->references++;
    }
    return frame;
}

void wire_begin_kept(wire_server *server, wire_frame *frame)
{
    wire_begin_shared(server, WIRE_SHARED_FROM);
    frame->references++;
    server->frame = frame;
}

void wire_mark_dirty(wire_peer *peer)
{
    wire_server *server = peer->server;
    if (!peer->is_dirty) {
        peer->is_dirty = true;
        peer->dirty_at = (uint32_t)server->dirty_count;
        server->dirty[server->dirty_count++] = peer;
    }
}

/* What waits for the client, in bytes. */
static size_t waiting(const wire_peer *peer)
{
    return wire_outbox_length(&peer->outbox) + peer->batching.length;
}

bool wire_is_behind(const wire_peer *peer)
{
    return waiting(peer) > peer->server->limits.conflate;
}

void wire_pass_over(const wire_peer *peer)
{
    if (waiting(peer) > peer->server->limits.fresh) {
        matching_connection_slow(peer->server->table, MATCHING_CONNECTIONS_SLOW_CONFLATED);
    }
}

void wire_out_of_memory(wire_peer *peer)
{
    wire_end(peer, LWS_CLOSE_STATUS_UNEXPECTED_CONDITION, "out of memory", WIRE_CLOSE_GRACE_MS);
}

/* Queues what the writer holds. False: out of memory. */
static bool append(wire_peer *peer)
{
    wire_server *server = peer->server;
    const matching_writer *writer = &server->writer;
    if (writer->failed) {
        return false;
    }
    if (!server->is_shared) {
        return wire_append(peer, writer->data, writer->length);
    }
    wire_frame *frame = frame_of(server);
    server->handed_out++;
    return frame != NULL && wire_append_frame(peer, frame);
}

void wire_queued(wire_peer *peer)
{
    if (!peer->is_blocked) { /* else wire_on_writable does it */
        wire_mark_dirty(peer);
    }
}

bool wire_queue(wire_peer *peer)
{
    if (peer->state != WIRE_OPEN) {
        return false;
    }
    if (!append(peer)) {
        wire_out_of_memory(peer);
        return false;
    }
    matching_connection_sent(peer->server->table, peer->entry);
    wire_queued(peer);
    return true;
}

void wire_end_slow(wire_peer *peer)
{
    if (peer->state == WIRE_OPEN) {
        matching_connection_slow(peer->server->table, MATCHING_CONNECTIONS_SLOW_CLOSED);
    }
    wire_end(peer, LWS_CLOSE_STATUS_POLICY_VIOLATION, "slow consumer", WIRE_SLOW_GRACE_MS);
}

static bool write_out(wire_peer *peer);

/* May so many bytes more wait? What the socket takes goes out before it is said no: one turn may
 * bring more than may wait to a client that reads all it gets. */
static bool fits(wire_peer *peer, size_t length, size_t most)
{
    if (waiting(peer) + length <= most) {
        return true;
    }
    if (peer->state == WIRE_OPEN && !write_out(peer)) {
        wire_kill(peer);
        return false;
    }
    return waiting(peer) + length <= most;
}

/* Where nothing has gone for long, that may be because this thread has not come to it: then the socket
 * has room. */
static bool reads(wire_peer *peer)
{
    uint64_t now = peer->server->now_ms;
    if (now - peer->took_ms >= WIRE_READS_WITHIN_MS) {
        struct pollfd socket = {.fd = peer->fd, .events = POLLOUT};
        if (poll(&socket, 1, 0) == 1 && (socket.revents & POLLOUT) != 0) {
            peer->took_ms = now;
        }
    }
    return now - peer->took_ms < WIRE_READS_WITHIN_MS;
}

/* The same of an event's. What one command causes comes within a moment, in which nobody can read
 * it all: who is about to may have more. */
static bool event_fits(wire_peer *peer, size_t length)
{
    const wire_limits *limits = &peer->server->limits;
    if (fits(peer, length, limits->queue)) {
        return true;
    }
    peer->is_bursting =
        peer->state == WIRE_OPEN && reads(peer) && waiting(peer) + length <= limits->burst;
    return peer->is_bursting;
}

/* The same of a reply's. Reading stops long before, so only a few large ones can be too much. */
static bool reply_fits(wire_peer *peer, size_t length)
{
    const wire_limits *limits = &peer->server->limits;
    return wire_outbox_length(&peer->outbox) == 0 ||
           fits(peer, length, limits->queue + (peer->is_bursting ? limits->burst : limits->queue));
}

void wire_send_reply(wire_peer *peer)
{
    if (peer->batching.batch != NULL) {
        wire_batch_flush(peer); /* it was said before */
    }
    if (!reply_fits(peer, peer->server->writer.length)) {
        wire_end_slow(peer);
        return;
    }
    if (wire_queue(peer)) {
        peer->reply_bytes += peer->server->writer.length;
        wire_adjust_reading(peer);
    }
}

bool wire_event_fits(wire_peer *peer)
{
    if (event_fits(peer, peer->server->writer.length)) {
        return true;
    }
    wire_end_slow(peer);
    return false;
}

void wire_send_event(wire_peer *peer)
{
    if (wire_event_fits(peer)) {
        wire_queue(peer);
    }
}

bool wire_send_state(wire_peer *peer)
{
    if (wire_is_behind(peer)) {
        matching_connection_slow(peer->server->table, MATCHING_CONNECTIONS_SLOW_CONFLATED);
        return false;
    }
    return wire_queue(peer);
}

/* True: it is queued, in a frame with those before it. */
static bool join(wire_peer *peer, const void *data, size_t length)
{
    wire_server *server = peer->server;
    if (!wire_outbox_join(&peer->outbox, &server->queued, server->settings->kind, data, length,
                          WIRE_JOINED_MAX)) {
        wire_end(peer, LWS_CLOSE_STATUS_UNEXPECTED_CONDITION, "out of memory", WIRE_CLOSE_GRACE_MS);
        return false;
    }
    matching_connection_sent(server->table, peer->entry);
    if (!peer->is_blocked) { /* else wire_on_writable does it */
        wire_mark_dirty(peer);
    }
    return true;
}

void wire_join_reply(wire_peer *peer, const void *data, size_t length)
{
    if (peer->state != WIRE_OPEN) {
        return;
    }
    if (!reply_fits(peer, length)) {
        wire_end_slow(peer);
    } else if (join(peer, data, length)) {
        peer->reply_bytes += length;
        wire_adjust_reading(peer);
    }
}

void wire_join_event(wire_peer *peer, const void *data, size_t length)
{
    if (peer->state != WIRE_OPEN) {
        return;
    }
    if (!event_fits(peer, length)) {
        wire_end_slow(peer);
    } else {
        join(peer, data, length);
    }
}

/* The socket is full. */
static void block(wire_peer *peer)
{
    peer->is_blocked = true;
    wire_receive_ask(peer);
    lws_callback_on_writable(peer->wsi);
}

/* Writes once. False: it is broken. */
static bool write_some(wire_peer *peer)
{
    wire_outbox *outbox = &peer->outbox;
    struct iovec parts[PARTS_A_WRITE];
    struct msghdr message = {.msg_iov = parts};
    size_t offered, rest;
    message.msg_iovlen = wire_outbox_gather(outbox, parts, PARTS_A_WRITE, &offered);
    ssize_t sent = message.msg_iovlen == 1
                       ? send(peer->fd, parts->iov_base, parts->iov_len, MSG_NOSIGNAL)
                       : sendmsg(peer->fd, &message, MSG_NOSIGNAL);
    if (sent < 0) {
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            block(peer);
            return true;
        }
        return errno == EINTR;
    }
    const unsigned char *cut = wire_outbox_cut(outbox, (size_t)sent, &rest);
    if (cut != NULL) {
        wire_receive_ask(peer); /* which a write does if it is not whole */
    }
    if (cut != NULL && lws_write(peer->wsi, (unsigned char *)cut, rest, LWS_WRITE_RAW) < 0) {
        return false;
    }
    wire_outbox_sent(outbox, &peer->server->queued, (size_t)sent + rest);
    MATCHING_PROBE2(sent, peer->fd, sent);
    matching_connection_wrote(peer->server->table, peer->entry, (size_t)sent + rest);
    peer->was_used = true;
    peer->took_ms = peer->server->now_ms;
    if ((size_t)sent < offered) {
        block(peer);
    }
    return true;
}

/* Writes until the socket takes no more. False: it is broken. */
static bool write_out(wire_peer *peer)
{
    bool good = true;
    while (good && !peer->is_blocked && wire_outbox_length(&peer->outbox) > 0) {
        if (lws_partial_buffered(peer->wsi)) {
            block(peer);
        } else {
            good = write_some(peer);
        }
    }
    return good;
}

/* All is sent, the close frame last. After a close frame of the client's the server is the first to
 * close the socket (RFC 6455 section 7.1.1); where that cannot be told from the noise any more, the
 * client sees the end of the stream behind the close frame, and what it still sends is passed over,
 * since a socket closed with unread bytes takes the close frame back. */
static void finish(wire_peer *peer)
{
    if (peer->has_closed) {
        wire_kill(peer);
        return;
    }
    if (peer->is_deaf) {
        (void)shutdown(peer->fd, SHUT_WR);
    }
    if (peer->state == WIRE_ENDING) {
        peer->state = WIRE_WAITING;
        peer->close_deadline_ms = peer->server->now_ms + WIRE_CLOSE_GRACE_MS;
    }
}

static bool refresh(wire_peer *peer)
{
    bool (*owed)(wire_peer *) = peer->server->handlers->refresh;
    return owed != NULL && peer->state == WIRE_OPEN && owed(peer);
}

void wire_flush(wire_peer *peer)
{
    wire_outbox *outbox = &peer->outbox;
    if (peer->state == WIRE_OVER) {
        return;
    }
    if (peer->state == WIRE_WAITING) {
        finish(peer);
        return;
    }
    /* Snapshots that are owed go out as the backlog drains, so look again after each write. */
    do {
        refresh(peer);
        if (!write_out(peer)) {
            wire_kill(peer);
            return;
        }
    } while (wire_outbox_length(outbox) == 0 && refresh(peer));
    if (peer->reply_bytes > wire_outbox_length(outbox)) { /* the rest has gone */
        peer->reply_bytes = wire_outbox_length(outbox);
        wire_adjust_reading(peer);
    }
    if (peer->state != WIRE_ENDING || peer->is_blocked) {
        return;
    }
    if (lws_partial_buffered(peer->wsi)) {
        block(peer);
    } else {
        finish(peer);
    }
}

void wire_bound_queues(wire_server *server)
{
    while (server->queued > server->limits.all) {
        wire_peer *longest = NULL;
        size_t most = 0;
        for (uint32_t slot = 0; slot < server->peer_max; slot++) {
            wire_peer *peer = server->peers[slot];
            if (peer != NULL && waiting(peer) > most) {
                longest = peer;
                most = waiting(peer);
            }
        }
        if (longest == NULL) {
            return;
        }
        wire_batch_drop(longest);
        wire_outbox_free(&longest->outbox,
                         &server->queued); /* whole frames: the stream stays sound */
        if (longest->state == WIRE_OPEN) {
            wire_end_slow(longest);
        } else if (longest->state != WIRE_OVER) {
            wire_kill(longest); /* its close frame was among them */
        }
    }
}

void wire_on_writable(wire_peer *peer)
{
    peer->is_blocked = false;
    if (peer->is_paused) {
        peer->seen_ms = peer->server->now_ms; /* it reads, and cannot be heard */
    }
    wire_receive_writable(peer);
    wire_mark_dirty(peer);
}

/* ---- How it ends ---------------------------------------------------------------------------- */

void wire_end(wire_peer *peer, unsigned code, const char *reason, uint64_t grace_ms)
{
    unsigned char payload[WIRE_CONTROL_MAX] = {(unsigned char)(code >> 8), (unsigned char)code};
    if (peer->state == WIRE_OPEN) {
        wire_batch_flush(peer); /* what it was told before goes out before; may end it itself */
    }
    if (peer->state != WIRE_OPEN) {
        return;
    }
    size_t length = strlen(reason);
    length = length < sizeof payload - 2 ? length : sizeof payload - 2;
    memcpy(payload + 2, reason, length);
    peer->state = WIRE_ENDING;
    peer->close_code = code == WIRE_CLOSE_NONE ? WIRE_CLOSE_UNTOLD : code;
    peer->close_deadline_ms = peer->server->now_ms + grace_ms;
    /* Not once the client has read what waits: until then nobody is told what becomes of them. */
    wire_guard_release(&peer->server->guard, peer, peer->server->phase == WIRE_RUNNING);
    if (!wire_outbox_control(&peer->outbox, &peer->server->queued, WIRE_OPCODE_CLOSE, payload,
                             code == WIRE_CLOSE_NONE ? 0 : 2 + length)) {
        wire_kill(peer); /* not even memory for that */
        return;
    }
    wire_adjust_reading(peer);
    wire_mark_dirty(peer);
}

void wire_kill(wire_peer *peer)
{
    peer->state = WIRE_OVER;
    wire_batch_drop(peer);
    ev_io_stop(peer->server->loop, &peer->reading);
    lws_set_timeout(peer->wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_ASYNC);
    lws_cancel_service(peer->server->lws); /* it looks at its timeouts after an event only */
}

/* ---- Once a second -------------------------------------------------------------------------- */

/* Idle connections hold no buffers. */
static void trim(wire_peer *peer)
{
    if (!peer->was_used && wire_outbox_length(&peer->outbox) == 0) {
        wire_outbox_free(&peer->outbox, &peer->server->queued);
    }
    if (!peer->was_used && peer->incoming == 0 && peer->server->settings->message_bytes == 0) {
        free(peer->message);
        peer->message = NULL;
        peer->message_room = 0;
    }
    peer->was_used = false;
}

void wire_peer_second(wire_peer *peer)
{
    const wire_settings *settings = peer->server->settings;
    uint64_t now = peer->server->now_ms;
    if (peer->state != WIRE_OPEN) {
        if (peer->state != WIRE_OVER && now >= peer->close_deadline_ms) {
            wire_kill(peer);
        }
        return;
    }
    trim(peer);
    peer->is_bursting = peer->is_bursting && waiting(peer) > peer->server->limits.queue;
    if (peer->is_bursting && !reads(peer)) {
        wire_end_slow(peer);
        return;
    }
    /* Rather half a second early than a whole one late; nobody is dropped who was not asked. */
    if (now - peer->seen_ms >= settings->client_timeout_s * MS_PER_S &&
        peer->pinged_ms > peer->seen_ms) {
        wire_end(peer, LWS_CLOSE_STATUS_GOINGAWAY, "client timeout", WIRE_CLOSE_GRACE_MS);
    } else if (now + MS_PER_S / 2 - peer->pinged_ms >= settings->heartbeat_interval_s * MS_PER_S &&
               peer->server->pings_left > 0) {
        peer->server->pings_left--;
        peer->pinged_ms = now;
        lws_validity_confirmed(peer->wsi); /* it hears nothing, and would end it one day */
        if (wire_outbox_control(&peer->outbox, &peer->server->queued, WIRE_OPCODE_PING, NULL, 0)) {
            wire_mark_dirty(peer);
        }
    }
}
