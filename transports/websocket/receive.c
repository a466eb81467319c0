/* What a client sends: from its socket to frames, messages, and the door's answers to control
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

#include "connection.h"

/* ---- Whether it is read at all --------------------------------------------------------------- */

static void resume(ws_connection *connection)
{
    ws_door *door = connection->door;
    connection->is_paused = false;
    ev_io_start(door->loop, &connection->reading);
    if (connection->held_length > 0) {
        ev_feed_event(door->loop, &connection->reading, EV_READ);
        door->is_resumed = true;
    }
}

void ws_adjust_reading(ws_connection *connection)
{
    size_t replies = connection->door->limits.replies;
    bool full = connection->reply_bytes > replies || connection->in_flight >= WS_IN_FLIGHT_MAX;
    bool low =
        connection->reply_bytes <= replies / 2 && connection->in_flight <= WS_IN_FLIGHT_MAX / 2;
    if (connection->state == WS_OVER) {
        return;
    }
    if (connection->state != WS_OPEN) { /* the client's close frame must be heard */
        low = true;
        full = false;
    }
    if (!connection->is_paused && full) {
        connection->is_paused = true;
        ev_io_stop(connection->door->loop, &connection->reading);
    } else if (connection->is_paused && low) {
        resume(connection);
    }
}

/* ---- Messages -------------------------------------------------------------------------------- */

static void out_of_memory(ws_connection *connection)
{
    ws_end(connection, LWS_CLOSE_STATUS_UNEXPECTED_CONDITION, "out of memory", WS_CLOSE_GRACE_MS);
}

static bool keep_part(ws_connection *connection, const char *data, size_t length)
{
    size_t wanted = connection->message_length + length;
    if (wanted > connection->message_room) {
        size_t room = connection->message_room == 0 ? 4096 : connection->message_room;
        while (room < wanted) {
            room *= 2;
        }
        char *larger = realloc(connection->message, room);
        if (larger == NULL) {
            return false;
        }
        connection->message = larger;
        connection->message_room = room;
    }
    if (length > 0) { /* an empty first part has no memory to go to */
        memcpy(connection->message + connection->message_length, data, length);
    }
    connection->message_length = wanted;
    return true;
}

static void refuse_binary(ws_connection *connection)
{
    ws_error error;
    ws_error_set(&error, MATCHING_UNSUPPORTED_FRAME, "",
                 "binary frames are not supported here, send text frames");
    ws_fault(connection, &error, (matching_text){NULL, 0});
}

/* All parts are there. */
static void finish_message(ws_connection *connection, const ws_part *part)
{
    const char *data = (const char *)part->data;
    if (part->is_binary) {
        refuse_binary(connection);
    } else if (connection->message_length == 0) {
        ws_on_message(connection, data, part->length); /* one part: no copy */
    } else if (keep_part(connection, data, part->length)) {
        ws_on_message(connection, connection->message, connection->message_length);
    } else {
        out_of_memory(connection);
    }
    connection->message_length = 0;
    connection->incoming = 0;
}

static void on_data(ws_connection *connection, const ws_part *part)
{
    if (connection->state != WS_OPEN) {
        return; /* whatever still comes is passed over until the close frame */
    }
    if (part->is_first) {
        connection->message_length = 0;
        connection->incoming = 0;
    }
    connection->incoming += part->length;
    size_t most = connection->door->config->websocket.max_message_bytes;
    if (connection->incoming > most || part->frame_left > most - connection->incoming) {
        ws_end(connection, LWS_CLOSE_STATUS_MESSAGE_TOO_LARGE, "message too large",
               WS_CLOSE_GRACE_MS);
    } else if (part->is_last) {
        finish_message(connection, part);
    } else if (!part->is_binary && !keep_part(connection, (const char *)part->data, part->length)) {
        out_of_memory(connection);
    }
}

/* ---- Control frames -------------------------------------------------------------------------- */

static void on_ping(ws_connection *connection, const ws_part *part)
{
    if (connection->state != WS_OPEN) {
        return; /* nothing follows a close frame */
    }
    if (!ws_outbox_control(&connection->outbox, &connection->door->queued, WS_OPCODE_PONG,
                           part->data, part->length)) {
        out_of_memory(connection);
        return;
    }
    connection->reply_bytes += part->length; /* it is one: see connection.h */
    ws_mark_dirty(connection);
    ws_adjust_reading(connection);
}

static void on_close(ws_connection *connection, const ws_part *part)
{
    connection->has_closed = connection->is_deaf = true;
    if (connection->state == WS_OPEN) {
        ws_end(connection, part->code, "", WS_CLOSE_GRACE_MS); /* its own code, as an echo */
    } else {
        ws_mark_dirty(connection);
    }
}

static void on_fault(ws_connection *connection, const ws_part *part)
{
    connection->is_deaf = true;
    if (connection->state == WS_OPEN) {
        ws_end(connection, part->code, part->reason, WS_CLOSE_GRACE_MS);
    } else {
        ws_mark_dirty(connection);
    }
}

/* ---- Bytes ----------------------------------------------------------------------------------- */

/* Takes frames until there are no more, or it is paused or deaf. Returns how many bytes that was. */
static size_t take(ws_connection *connection, unsigned char *bytes, size_t length)
{
    unsigned char *at = bytes, *end = bytes + length;
    ws_part part;
    while (!connection->is_paused && !connection->is_deaf) {
        switch (ws_frame_next(&connection->reader, &at, end, &part)) {
        case WS_PART_NONE:
            return length;
        case WS_PART_DATA:
            on_data(connection, &part);
            break;
        case WS_PART_PING:
            on_ping(connection, &part);
            break;
        case WS_PART_PONG:
            break; /* that it came is all that counts */
        case WS_PART_CLOSE:
            on_close(connection, &part);
            break;
        case WS_PART_FAULT:
            on_fault(connection, &part);
            break;
        }
    }
    return connection->is_deaf ? length : (size_t)(at - bytes);
}

/* What was read while it could go on, for when it can again. */
static void hold(ws_connection *connection, const unsigned char *bytes, size_t length)
{
    unsigned char *held = malloc(length);
    if (held == NULL) {
        connection->is_deaf = true;
        out_of_memory(connection);
        return;
    }
    memcpy(held, bytes, length);
    connection->held = held;
    connection->held_length = length;
}

static void take_held(ws_connection *connection)
{
    unsigned char *held = connection->held;
    size_t length = connection->held_length;
    connection->held = NULL;
    connection->held_length = 0;
    size_t taken = take(connection, held, length);
    if (taken < length) {
        hold(connection, held + taken, length - taken);
    }
    free(held);
}

static void on_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
    ws_connection *connection = watcher->data;
    unsigned char *bytes = connection->door->input;
    (void)loop;
    (void)events;
    if (connection->held_length > 0) {
        take_held(connection);
        if (connection->is_paused) {
            return;
        }
    }
    ssize_t got = recv(watcher->fd, bytes, WS_INPUT_MAX, 0);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
        ws_kill(connection);
        return;
    }
    if (got < 0) {
        return;
    }
    connection->seen_ms = connection->door->now_ms;
    connection->was_used = true;
    size_t taken = take(connection, bytes, (size_t)got);
    if (taken < (size_t)got) {
        hold(connection, bytes + taken, (size_t)got - taken);
    }
}

/* ---- Beginning and end ----------------------------------------------------------------------- */

/* A client must wait for the handshake's answer (RFC 6455 section 4.1). What the bytes are that one
 * has sent before, libwebsockets knows that has read them with the request: it does not give them
 * back, but it asks to be called when it is forbidden to read once more while it has some. So they
 * are not lost in silence: the first callback is asked for here, the second one is that. */
void ws_receive_writable(ws_connection *connection)
{
    if (connection->early == WS_EARLY_ASKED) {
        connection->early = WS_EARLY_NONE;
        connection->is_deaf = true;
        ws_end(connection, WS_CLOSE_PROTOCOL, "frames before the handshake was answered",
               WS_CLOSE_GRACE_MS);
    } else if (connection->early == WS_EARLY_UNKNOWN) {
        bool is_quiet =
            ws_outbox_length(&connection->outbox) == 0 && !lws_partial_buffered(connection->wsi);
        connection->early = is_quiet ? WS_EARLY_ASKED : WS_EARLY_NONE;
        lws_rx_flow_control(connection->wsi, 0);
    }
}

void ws_receive_ask(ws_connection *connection)
{
    if (connection->early == WS_EARLY_ASKED) {
        connection->early = WS_EARLY_NONE;
    }
}

void ws_receive_start(ws_connection *connection)
{
    lws_rx_flow_control(connection->wsi, 0);
    lws_callback_on_writable(connection->wsi);
    ev_io_init(&connection->reading, on_readable, connection->fd, EV_READ);
    connection->reading.data = connection;
    ev_io_start(connection->door->loop, &connection->reading);
}

void ws_receive_stop(ws_connection *connection)
{
    ev_io_stop(connection->door->loop, &connection->reading);
    free(connection->held);
    connection->held = NULL;
    connection->held_length = 0;
}
