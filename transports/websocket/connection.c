/* The life of a connection: what goes out in one write a turn, and how it ends. What comes in is in
 * receive.c.
 *
 * Frames are written to the socket past libwebsockets. The rest of a frame that the socket did not
 * take whole is handed to libwebsockets, which sends it before anything else; so what waits here
 * begins where a frame does. A write begins only while libwebsockets has nothing left to send.
 *
 * Invariants: nothing is queued on one that is not WS_OPEN; a connection is freed only by
 * ws_connection_closed, which libwebsockets' last callback for it calls.
 */
#include "connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define PARTS_A_WRITE 64u
#define SHARED_FROM 4u /* receivers for whom one frame is cheaper than a copy each */
#define MS_PER_S UINT64_C(1000)

ws_connection *ws_connection_open(ws_door *door, struct lws *wsi, matching_access_level level)
{
    if (door->free_slot_count == 0) {
        return NULL;
    }
    ws_connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL) {
        return NULL;
    }
    uint32_t slot = door->free_slots[--door->free_slot_count];
    connection->door = door;
    connection->wsi = wsi;
    connection->fd = lws_get_socket_fd(wsi);
    connection->slot = slot;
    connection->generation = ++door->generations[slot];
    connection->level = level;
    connection->seen_ms = connection->pinged_ms = door->now_ms;
    door->connections[slot] = connection;
    door->connection_count++;
    ws_receive_start(connection);
    return connection;
}

void ws_connection_closed(ws_connection *connection)
{
    ws_door *door = connection->door;
    ws_receive_stop(connection);
    ws_unsubscribe_all(connection);
    ws_guard_release(&door->guard, connection, door->phase == WS_RUNNING);
    if (connection->is_dirty) {
        ws_connection *last = door->dirty[--door->dirty_count];
        door->dirty[connection->dirty_at] = last;
        last->dirty_at = connection->dirty_at;
    }
    door->connections[connection->slot] = NULL;
    door->free_slots[door->free_slot_count++] = connection->slot;
    door->connection_count--;
    ws_outbox_free(&connection->outbox, &door->queued);
    free(connection->subscriptions);
    free(connection->message);
    free(connection);
}

ws_connection *ws_connection_find(const ws_door *door, uint32_t slot, uint32_t generation)
{
    ws_connection *connection = slot < door->connection_max ? door->connections[slot] : NULL;
    return connection != NULL && connection->generation == generation ? connection : NULL;
}

/* ---- What goes out -------------------------------------------------------------------------- */

matching_writer *ws_begin_shared(ws_door *door, size_t receivers)
{
    if (door->frame != NULL) {
        ws_frame_release(&door->queued, door->frame);
        door->frame = NULL;
    }
    door->is_shared = receivers >= SHARED_FROM;
    matching_writer_clear(&door->writer);
    return &door->writer;
}

matching_writer *ws_begin(ws_door *door)
{
    return ws_begin_shared(door, 1);
}

static ws_frame *frame_of(ws_door *door)
{
    const matching_writer *writer = &door->writer;
    if (door->frame == NULL && !writer->failed) {
        door->frame = ws_frame_create(&door->queued, writer->data, writer->length);
    }
    return door->frame;
}

ws_frame *ws_keep(ws_door *door)
{
    ws_frame *frame = frame_of(door);
    if (frame != NULL) {
        frame->references++;
    }
    return frame;
}

void ws_begin_kept(ws_door *door, ws_frame *frame)
{
    ws_begin_shared(door, SHARED_FROM);
    frame->references++;
    door->frame = frame;
}

void ws_mark_dirty(ws_connection *connection)
{
    ws_door *door = connection->door;
    if (!connection->is_dirty) {
        connection->is_dirty = true;
        connection->dirty_at = (uint32_t)door->dirty_count;
        door->dirty[door->dirty_count++] = connection;
    }
}

bool ws_is_behind(const ws_connection *connection)
{
    return ws_outbox_length(&connection->outbox) > connection->door->limits.conflate;
}

/* Queues what the writer holds. False: out of memory. */
static bool append(ws_connection *connection)
{
    ws_door *door = connection->door;
    const matching_writer *writer = &door->writer;
    if (writer->failed) {
        return false;
    }
    if (!door->is_shared) {
        return ws_outbox_text(&connection->outbox, &door->queued, writer->data, writer->length);
    }
    ws_frame *frame = frame_of(door);
    door->handed_out++;
    return frame != NULL && ws_outbox_share(&connection->outbox, &door->queued, frame);
}

static bool queue(ws_connection *connection)
{
    if (connection->state != WS_OPEN) {
        return false;
    }
    if (!append(connection)) {
        ws_end(connection, LWS_CLOSE_STATUS_UNEXPECTED_CONDITION, "out of memory",
               WS_CLOSE_GRACE_MS);
        return false;
    }
    if (!connection->is_blocked) { /* else ws_on_writable does it */
        ws_mark_dirty(connection);
    }
    return true;
}

static bool fits(const ws_connection *connection, size_t most)
{
    return ws_outbox_length(&connection->outbox) + connection->door->writer.length <= most;
}

void ws_send_reply(ws_connection *connection)
{
    /* Reading stops long before, so only a few large replies can get here. */
    if (ws_outbox_length(&connection->outbox) > 0 &&
        !fits(connection, 2 * connection->door->limits.queue)) {
        ws_end(connection, LWS_CLOSE_STATUS_POLICY_VIOLATION, "slow consumer", WS_SLOW_GRACE_MS);
        return;
    }
    if (queue(connection)) {
        connection->reply_bytes += connection->door->writer.length;
        ws_adjust_reading(connection);
    }
}

void ws_send_event(ws_connection *connection)
{
    if (!fits(connection, connection->door->limits.queue)) {
        ws_end(connection, LWS_CLOSE_STATUS_POLICY_VIOLATION, "slow consumer", WS_SLOW_GRACE_MS);
        return;
    }
    queue(connection);
}

bool ws_send_state(ws_connection *connection)
{
    return !ws_is_behind(connection) && queue(connection);
}

/* The socket is full. */
static void block(ws_connection *connection)
{
    connection->is_blocked = true;
    ws_receive_ask(connection);
    lws_callback_on_writable(connection->wsi);
}

/* Writes once. False: it is broken. */
static bool write_some(ws_connection *connection)
{
    ws_outbox *outbox = &connection->outbox;
    struct iovec parts[PARTS_A_WRITE];
    struct msghdr message = {.msg_iov = parts};
    size_t offered, rest;
    message.msg_iovlen = ws_outbox_gather(outbox, parts, PARTS_A_WRITE, &offered);
    ssize_t sent = message.msg_iovlen == 1
                       ? send(connection->fd, parts->iov_base, parts->iov_len, MSG_NOSIGNAL)
                       : sendmsg(connection->fd, &message, MSG_NOSIGNAL);
    if (sent < 0) {
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            block(connection);
            return true;
        }
        return errno == EINTR;
    }
    const unsigned char *cut = ws_outbox_cut(outbox, (size_t)sent, &rest);
    if (cut != NULL) {
        ws_receive_ask(connection); /* which a write does if it is not whole */
    }
    if (cut != NULL && lws_write(connection->wsi, (unsigned char *)cut, rest, LWS_WRITE_RAW) < 0) {
        return false;
    }
    ws_outbox_sent(outbox, &connection->door->queued, (size_t)sent + rest);
    connection->was_used = true;
    if ((size_t)sent < offered) {
        block(connection);
    }
    return true;
}

/* Writes until the socket takes no more. False: it is broken. */
static bool write_out(ws_connection *connection)
{
    bool good = true;
    while (good && !connection->is_blocked && ws_outbox_length(&connection->outbox) > 0) {
        if (lws_partial_buffered(connection->wsi)) {
            block(connection);
        } else {
            good = write_some(connection);
        }
    }
    return good;
}

/* All is sent, the close frame last. After a close frame of the client's the server is the first to
 * close the socket (RFC 6455 section 7.1.1); where that cannot be told from the noise any more, the
 * client sees the end of the stream behind the close frame, and what it still sends is passed over,
 * since a socket closed with unread bytes takes the close frame back. */
static void finish(ws_connection *connection)
{
    if (connection->has_closed) {
        ws_kill(connection);
        return;
    }
    if (connection->is_deaf) {
        (void)shutdown(connection->fd, SHUT_WR);
    }
    if (connection->state == WS_ENDING) {
        connection->state = WS_WAITING;
        connection->close_deadline_ms = connection->door->now_ms + WS_CLOSE_GRACE_MS;
    }
}

void ws_flush(ws_connection *connection)
{
    ws_outbox *outbox = &connection->outbox;
    if (connection->state == WS_OVER) {
        return;
    }
    if (connection->state == WS_WAITING) {
        finish(connection);
        return;
    }
    /* Snapshots that are owed go out as the backlog drains, so look again after each write. */
    do {
        ws_refresh(connection);
        if (!write_out(connection)) {
            ws_kill(connection);
            return;
        }
    } while (ws_outbox_length(outbox) == 0 && ws_refresh(connection));
    if (ws_outbox_length(outbox) == 0) {
        connection->reply_bytes = 0;
        ws_adjust_reading(connection);
    }
    if (connection->state != WS_ENDING || connection->is_blocked) {
        return;
    }
    if (lws_partial_buffered(connection->wsi)) {
        block(connection);
    } else {
        finish(connection);
    }
}

void ws_bound_queues(ws_door *door)
{
    while (door->queued > door->limits.all) {
        ws_connection *longest = NULL;
        size_t most = 0;
        for (uint32_t slot = 0; slot < door->connection_max; slot++) {
            ws_connection *connection = door->connections[slot];
            if (connection != NULL && ws_outbox_length(&connection->outbox) > most) {
                longest = connection;
                most = ws_outbox_length(&connection->outbox);
            }
        }
        if (longest == NULL) {
            return;
        }
        ws_outbox_free(&longest->outbox, &door->queued); /* whole frames: the stream stays sound */
        if (longest->state == WS_OPEN) {
            ws_end(longest, LWS_CLOSE_STATUS_POLICY_VIOLATION, "slow consumer", WS_SLOW_GRACE_MS);
        } else if (longest->state != WS_OVER) {
            ws_kill(longest); /* its close frame was among them */
        }
    }
}

void ws_on_writable(ws_connection *connection)
{
    connection->is_blocked = false;
    if (connection->is_paused) {
        connection->seen_ms = connection->door->now_ms; /* it reads, and cannot be heard */
    }
    ws_receive_writable(connection);
    ws_mark_dirty(connection);
}

/* ---- How it ends ---------------------------------------------------------------------------- */

void ws_end(ws_connection *connection, unsigned code, const char *reason, uint64_t grace_ms)
{
    unsigned char payload[WS_CONTROL_MAX] = {(unsigned char)(code >> 8), (unsigned char)code};
    if (connection->state != WS_OPEN) {
        return;
    }
    size_t length = strlen(reason);
    length = length < sizeof payload - 2 ? length : sizeof payload - 2;
    memcpy(payload + 2, reason, length);
    connection->state = WS_ENDING;
    connection->close_deadline_ms = connection->door->now_ms + grace_ms;
    if (!ws_outbox_control(&connection->outbox, &connection->door->queued, WS_OPCODE_CLOSE, payload,
                           code == WS_CLOSE_NONE ? 0 : 2 + length)) {
        ws_kill(connection); /* not even memory for that */
        return;
    }
    ws_adjust_reading(connection);
    ws_mark_dirty(connection);
}

void ws_kill(ws_connection *connection)
{
    connection->state = WS_OVER;
    ev_io_stop(connection->door->loop, &connection->reading);
    lws_set_timeout(connection->wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_ASYNC);
    lws_cancel_service(connection->door->lws); /* it looks at its timeouts after an event only */
}

/* ---- Once a second -------------------------------------------------------------------------- */

/* Idle connections hold no buffers. */
static void trim(ws_connection *connection)
{
    if (!connection->was_used && ws_outbox_length(&connection->outbox) == 0) {
        ws_outbox_free(&connection->outbox, &connection->door->queued);
    }
    if (!connection->was_used && connection->incoming == 0) {
        free(connection->message);
        connection->message = NULL;
        connection->message_room = 0;
    }
    connection->was_used = false;
}

void ws_connection_second(ws_connection *connection)
{
    const matching_config *config = connection->door->config;
    uint64_t now = connection->door->now_ms;
    if (connection->state != WS_OPEN) {
        if (connection->state != WS_OVER && now >= connection->close_deadline_ms) {
            ws_kill(connection);
        }
        return;
    }
    trim(connection);
    /* Rather half a second early than a whole one late; nobody is dropped who was not asked. */
    if (now - connection->seen_ms >= config->websocket.client_timeout_s * MS_PER_S &&
        connection->pinged_ms > connection->seen_ms) {
        ws_end(connection, LWS_CLOSE_STATUS_GOINGAWAY, "client timeout", WS_CLOSE_GRACE_MS);
    } else if (now + MS_PER_S / 2 - connection->pinged_ms >=
                   config->websocket.heartbeat_interval_s * MS_PER_S &&
               connection->door->pings_left > 0) {
        connection->door->pings_left--;
        connection->pinged_ms = now;
        lws_validity_confirmed(connection->wsi); /* it hears nothing, and would end it one day */
        if (ws_outbox_control(&connection->outbox, &connection->door->queued, WS_OPCODE_PING, NULL,
                              0)) {
            ws_mark_dirty(connection);
        }
    }
}
