/* What a client sends: from its socket to frames, messages, and the server's answers to control
 * frames.
 *
 * libwebsockets sees to the handshake, to what the socket does not take at once and to timeouts. It
 * is not let read: it takes frames without a mask, drops pings, and tells less of a frame than the
 * rules of RFC 6455 need; and it goes over each head byte by byte.
 *
 * Invariants: a connection's frames are read in their order, and nothing is read while it is
 * paused; bytes that were read already wait in `held` until it goes on.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "matching/probes.h"
#include "peer.h"

/* ---- Whether it is read at all --------------------------------------------------------------- */

static void resume(wire_peer *peer)
{
    wire_server *server = peer->server;
    peer->is_paused = false;
    ev_io_start(server->loop, &peer->reading);
    if (peer->held_length > 0) {
        ev_feed_event(server->loop, &peer->reading, EV_READ);
        server->is_resumed = true;
    }
}

void wire_receive_adjust(wire_peer *peer)
{
    size_t replies = peer->server->limits.replies;
    bool full = wire_owes_enough(peer);
    bool low = peer->reply_bytes <= replies / 2 && peer->in_flight <= WIRE_IN_FLIGHT_MAX / 2 &&
               !peer->share.is_spent;
    if (peer->state == WIRE_OVER) {
        return;
    }
    if (peer->state != WIRE_OPEN) { /* the client's close frame must be heard */
        low = true;
        full = false;
    }
    if (!peer->is_paused && full) {
        peer->is_paused = true;
        if (!peer->share.is_spent) {
            matching_connection_slow(peer->server->table, MATCHING_CONNECTIONS_SLOW_PAUSED);
        }
        ev_io_stop(peer->server->loop, &peer->reading);
    } else if (peer->is_paused && low) {
        resume(peer);
    }
}

/* ---- Messages -------------------------------------------------------------------------------- */

static bool keep_part(wire_peer *peer, const char *data, size_t length)
{
    size_t wanted = peer->message_length + length;
    if (wanted > peer->message_room) {
        size_t room = peer->message_room == 0 ? 4096 : peer->message_room;
        while (room < wanted) {
            room *= 2;
        }
        char *larger = realloc(peer->message, room);
        if (larger == NULL) {
            return false;
        }
        peer->message = larger;
        peer->message_room = room;
    }
    if (length > 0) { /* an empty first part has no memory to go to */
        memcpy(peer->message + peer->message_length, data, length);
    }
    peer->message_length = wanted;
    return true;
}

static bool is_other_kind(const wire_peer *peer, const wire_part *part)
{
    return part->is_binary != (peer->server->settings->kind == WIRE_OPCODE_BINARY);
}

static void end_for_fault(wire_peer *peer, unsigned code, const char *text)
{
    if (peer->server->handlers->on_fault != NULL) {
        peer->server->handlers->on_fault(peer, text);
    }
    wire_end(peer, code, text, WIRE_CLOSE_GRACE_MS);
}

static void too_large(wire_peer *peer)
{
    end_for_fault(peer, LWS_CLOSE_STATUS_MESSAGE_TOO_LARGE, "message too large");
}

/* Like a frame that breaks the protocol: nothing more is heard. */
static void bad_message(wire_peer *peer, const char *reason)
{
    peer->is_deaf = true;
    end_for_fault(peer, WIRE_CLOSE_BAD_TEXT, reason);
}

/* Apart, so that nothing of it is in the way of others. */
static __attribute__((noinline)) void hand_over_traced(wire_peer *peer, const char *data,
                                                       size_t length)
{
    wire_server *server = peer->server;
    matching_span span;
    matching_span_begin(&span, NULL, server->now_ns);
    if (matching_span_is_sampled(&span)) {
        wire_message_sampled(peer, &span, data, length);
    } else {
        server->handlers->on_message(peer, data, length);
    }
}

static void hand_over(wire_peer *peer, const char *data, size_t length)
{
    if (matching_trace_is_on() && !matching_trace_passes()) {
        hand_over_traced(peer, data, length);
    } else {
        peer->server->handlers->on_message(peer, data, length);
    }
}

/* A compressed message, whole. Text is looked at only now, since zlib is one for all. */
static void on_packed(wire_peer *peer, const wire_part *part, const char *data, size_t length)
{
    wire_server *server = peer->server;
    wire_unpacker *unpacker = &server->unpacker;
    size_t unpacked;
    switch (wire_unpack(unpacker, data, length, server->settings->max_message_bytes, &unpacked)) {
    case WIRE_UNPACKED:
        if (part->is_binary || wire_is_text(unpacker->out, unpacked)) {
            hand_over(peer, unpacked > 0 ? (const char *)unpacker->out : "", unpacked);
        } else {
            bad_message(peer, "text that is not UTF-8");
        }
        break;
    case WIRE_UNPACKED_TOO_LARGE:
        too_large(peer);
        break;
    case WIRE_UNPACKED_BROKEN:
        bad_message(peer, "a message that cannot be inflated");
        break;
    case WIRE_UNPACKED_NO_MEMORY:
        wire_out_of_memory(peer);
        break;
    }
}

static void on_whole(wire_peer *peer, const wire_part *part, const char *data, size_t length)
{
    if (part->is_compressed) {
        on_packed(peer, part, data, length);
    } else {
        hand_over(peer, data, length);
    }
}

/* All parts are there. */
static void finish_message(wire_peer *peer, const wire_part *part)
{
    const char *data = (const char *)part->data;
    matching_connection_received(peer->server->table, peer->entry);
    if (is_other_kind(peer, part)) {
        peer->server->handlers->on_other_kind(peer);
    } else if (peer->message_length == 0) {
        on_whole(peer, part, data, part->length); /* one part: no copy */
    } else if (keep_part(peer, data, part->length)) {
        on_whole(peer, part, peer->message, peer->message_length);
    } else {
        wire_out_of_memory(peer);
    }
    peer->message_length = 0;
    peer->incoming = 0;
}

static void on_data(wire_peer *peer, const wire_part *part)
{
    if (peer->state != WIRE_OPEN) {
        return; /* whatever still comes is passed over until the close frame */
    }
    if (part->is_first) {
        peer->message_length = 0;
        peer->incoming = 0;
    }
    peer->incoming += part->length;
    size_t most = peer->server->settings->max_message_bytes;
    if (part->is_compressed) {
        most = wire_packed_most(most);
    }
    if (peer->incoming > most || part->frame_left > most - peer->incoming) {
        too_large(peer);
    } else if (part->is_last) {
        finish_message(peer, part);
    } else if (!is_other_kind(peer, part) &&
               !keep_part(peer, (const char *)part->data, part->length)) {
        wire_out_of_memory(peer);
    }
}

/* ---- Control frames -------------------------------------------------------------------------- */

static void on_ping(wire_peer *peer, const wire_part *part)
{
    if (peer->state != WIRE_OPEN) {
        return; /* nothing follows a close frame */
    }
    if (!wire_outbox_control(&peer->outbox, &peer->server->queued, WIRE_OPCODE_PONG, part->data,
                             part->length)) {
        wire_out_of_memory(peer);
        return;
    }
    peer->reply_bytes += part->length; /* it is one: see connection.h */
    wire_mark_dirty(peer);
    wire_adjust_reading(peer);
}

static void on_close(wire_peer *peer, const wire_part *part)
{
    peer->has_closed = peer->is_deaf = true;
    if (peer->state == WIRE_OPEN) {
        wire_end(peer, part->code, "", WIRE_CLOSE_GRACE_MS); /* its own code, as an echo */
    } else {
        wire_mark_dirty(peer);
    }
}

static void on_fault(wire_peer *peer, const wire_part *part)
{
    peer->is_deaf = true;
    if (peer->state == WIRE_OPEN) {
        end_for_fault(peer, part->code, part->reason);
    } else {
        wire_mark_dirty(peer);
    }
}

/* ---- Bytes ----------------------------------------------------------------------------------- */

/* Takes frames until there are no more, or it is paused or deaf. Returns how many bytes that
 * was. */
static size_t take(wire_peer *peer, unsigned char *bytes, size_t length)
{
    unsigned char *at = bytes, *end = bytes + length;
    wire_part part;
    while (!peer->is_paused && !peer->is_deaf) {
        switch (wire_frame_next(&peer->reader, &at, end, &part)) {
        case WIRE_PART_NONE:
            return length;
        case WIRE_PART_DATA:
            on_data(peer, &part);
            wire_commands_at_once(peer->server);
            break;
        case WIRE_PART_PING:
            on_ping(peer, &part);
            break;
        case WIRE_PART_PONG:
            break; /* that it came is all that counts */
        case WIRE_PART_CLOSE:
            on_close(peer, &part);
            break;
        case WIRE_PART_FAULT:
            on_fault(peer, &part);
            break;
        }
    }
    return peer->is_deaf ? length : (size_t)(at - bytes);
}

/* What was read while it could go on, for when it can again. */
static void hold(wire_peer *peer, const unsigned char *bytes, size_t length)
{
    unsigned char *held = malloc(length);
    if (held == NULL) {
        peer->is_deaf = true;
        wire_out_of_memory(peer);
        return;
    }
    memcpy(held, bytes, length);
    peer->held = held;
    peer->held_length = length;
}

static void take_held(wire_peer *peer)
{
    unsigned char *held = peer->held;
    size_t length = peer->held_length;
    peer->held = NULL;
    peer->held_length = 0;
    size_t taken = take(peer, held, length);
    if (taken < length) {
        hold(peer, held + taken, length - taken);
    }
    free(held);
}

static void on_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
    wire_peer *peer = watcher->data;
    unsigned char *bytes = peer->server->input;
    (void)loop;
    (void)events;
    if (peer->held_length > 0) {
        take_held(peer);
        if (peer->is_paused) {
            return;
        }
    }
    size_t most = peer->server->settings->read_bytes;
    ssize_t got = recv(watcher->fd, bytes, most != 0 ? most : WIRE_INPUT_MAX, 0);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
        wire_kill(peer);
        return;
    }
    if (got < 0) {
        return;
    }
    peer->seen_ms = peer->server->now_ms;
    peer->was_used = true;
    MATCHING_PROBE2(received, watcher->fd, got);
    matching_connection_heard(peer->server->table, peer->entry, (size_t)got, peer->seen_ms);
    size_t taken = take(peer, bytes, (size_t)got);
    if (taken < (size_t)got) {
        hold(peer, bytes + taken, (size_t)got - taken);
    }
}

/* ---- Beginning and end ----------------------------------------------------------------------- */

/* A client must wait for the handshake's answer (RFC 6455 section 4.1). What the bytes are that one
 * has sent before, libwebsockets knows that has read them with the request: it does not give them
 * back, but it asks to be called when it is forbidden to read once more while it has some. So they
 * are not lost in silence: the first callback is asked for here, the second one is that. */
void wire_receive_writable(wire_peer *peer)
{
    if (peer->early == WIRE_EARLY_ASKED) {
        peer->early = WIRE_EARLY_NONE;
        peer->is_deaf = true;
        wire_end(peer, WIRE_CLOSE_PROTOCOL, "frames before the handshake was answered",
                 WIRE_CLOSE_GRACE_MS);
    } else if (peer->early == WIRE_EARLY_UNKNOWN) {
        bool is_quiet = wire_outbox_length(&peer->outbox) == 0 && !lws_partial_buffered(peer->wsi);
        peer->early = is_quiet ? WIRE_EARLY_ASKED : WIRE_EARLY_NONE;
        lws_rx_flow_control(peer->wsi, 0);
    }
}

void wire_receive_ask(wire_peer *peer)
{
    if (peer->early == WIRE_EARLY_ASKED) {
        peer->early = WIRE_EARLY_NONE;
    }
}

void wire_receive_start(wire_peer *peer)
{
    lws_rx_flow_control(peer->wsi, 0);
    lws_callback_on_writable(peer->wsi);
    ev_io_init(&peer->reading, on_readable, peer->fd, EV_READ);
    peer->reading.data = peer;
    ev_io_start(peer->server->loop, &peer->reading);
}

void wire_receive_stop(wire_peer *peer)
{
    ev_io_stop(peer->server->loop, &peer->reading);
    free(peer->held);
    peer->held = NULL;
    peer->held_length = 0;
}
