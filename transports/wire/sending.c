/* What goes out of a connection: queued message by message, sent in one write a turn.
 *
 * Frames are written to the socket past libwebsockets. The rest of a frame that the socket did not
 * take whole is handed to libwebsockets, which sends it before anything else; so what waits here
 * begins where a frame does. A write begins only while libwebsockets has nothing left to send.
 *
 * Invariant: nothing is queued on one that is not WIRE_OPEN.
 */
#include "matching/probes.h"
#include "peer.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#define PARTS_A_WRITE 64u

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

size_t wire_waiting(const wire_peer *peer)
{
    return wire_outbox_length(&peer->outbox) + peer->batching.length;
}

bool wire_is_behind(const wire_peer *peer)
{
    return wire_waiting(peer) > peer->server->limits.conflate;
}

void wire_pass_over(const wire_peer *peer)
{
    if (wire_waiting(peer) > peer->server->limits.fresh) {
        matching_connection_slow(peer->server->table, MATCHING_CONNECTIONS_SLOW_CONFLATED);
    }
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

static bool write_out(wire_peer *peer);

/* May so many bytes more wait? What the socket takes goes out before it is said no: one turn may
 * bring more than may wait to a client that reads all it gets. */
static bool fits(wire_peer *peer, size_t length, size_t most)
{
    if (wire_waiting(peer) + length <= most) {
        return true;
    }
    if (peer->state == WIRE_OPEN && !write_out(peer)) {
        wire_kill(peer);
        return false;
    }
    return wire_waiting(peer) + length <= most;
}

bool wire_reads(wire_peer *peer)
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
    peer->is_bursting = peer->state == WIRE_OPEN && wire_reads(peer) &&
                        wire_waiting(peer) + length <= limits->burst;
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
        wire_out_of_memory(peer);
        return false;
    }
    matching_connection_sent(server->table, peer->entry);
    wire_queued(peer);
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

void wire_on_writable(wire_peer *peer)
{
    peer->is_blocked = false;
    if (peer->is_paused) {
        peer->seen_ms = peer->server->now_ms; /* it reads, and cannot be heard */
    }
    wire_receive_writable(peer);
    wire_mark_dirty(peer);
}
