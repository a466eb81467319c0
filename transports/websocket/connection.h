/* A connection, and the one place that says what happens to a client that reads too slowly.
 *
 * Everything that is sent in a loop turn is gathered in the connection's outbox and written to the
 * socket once, when the turn ends. What does not fit there waits; nobody waits for it.
 *
 * The rule for slow clients (ws_limits in door.h has the figures):
 * - book, depth and ticker are left out of a backlog, and sent afresh when it has drained;
 * - a trade or an order update beyond max_queue_bytes ends the connection with 1008;
 * - while its own replies back up, nothing more is read from it;
 * - when what waits for all clients takes more memory than max_total_queue_bytes, the one with the
 *   longest queue loses it and is ended with 1008, and so on until it fits.
 */
#ifndef MATCHING_WEBSOCKET_CONNECTION_H
#define MATCHING_WEBSOCKET_CONNECTION_H

#include "door.h"
#include "frames.h"
#include "outbox.h"

typedef enum ws_connection_state {
    WS_OPEN = 0,
    WS_ENDING = 1,  /* a close frame is queued, and nothing after it */
    WS_WAITING = 2, /* it has been sent: for the client's, or for the end of the stream */
    WS_OVER = 3     /* libwebsockets sees to the rest */
} ws_connection_state;

/* Whether frames came with the handshake's request, before its answer (receive.c). */
typedef enum ws_early {
    WS_EARLY_UNKNOWN = 0,
    WS_EARLY_ASKED = 1, /* the next that libwebsockets says of the socket is a yes */
    WS_EARLY_NONE = 2
} ws_early;

struct ws_connection {
    ws_door *door;
    struct lws *wsi;
    uint32_t slot, generation;
    ws_connection_state state;
    matching_access_level level;
    uint64_t close_deadline_ms; /* WS_ENDING, WS_WAITING: then it ends without manners */
    bool has_closed;            /* the client's close frame has come */

    ws_outbox outbox;
    int fd;
    bool is_dirty;      /* in door->dirty, */
    uint32_t dirty_at;  /* ... here */
    bool is_blocked;    /* the socket was full: ws_on_writable will be called */
    bool was_used;      /* since the last second */
    size_t reply_bytes; /* own replies queued since the outbox was last empty */

    ev_io reading;
    ws_frame_reader reader;
    ws_early early;
    bool is_deaf;        /* what comes is read, but not taken for frames any more */
    unsigned char *held; /* bytes that were read before it was paused */
    size_t held_length;
    char *message; /* the parts so far of a message that comes in parts */
    size_t message_length, message_room;
    size_t incoming; /* bytes of the message that is coming in, kept or not */
    bool is_paused;  /* nothing is read */
    unsigned in_flight;
    unsigned faults; /* errors in a row */
    uint64_t seen_ms, pinged_ms;

    ws_subscription *subscriptions;
    size_t subscription_count, subscription_room;
    size_t stale_count; /* subscriptions that wait for a fresh snapshot */

    bool is_guarded;   /* cancel_on_disconnect */
    uint64_t *guarded; /* ids of working orders entered while guarded */
    size_t guarded_count, guarded_room;
};

/* NULL: out of memory, or the limit of connections is reached. */
ws_connection *ws_connection_open(ws_door *door, struct lws *wsi, matching_access_level level);

/* libwebsockets is done with it: cancels what it guards, unsubscribes, frees. */
void ws_connection_closed(ws_connection *connection);

/* NULL: it is gone. */
ws_connection *ws_connection_find(const ws_door *door, uint32_t slot, uint32_t generation);

/* The writer for the next message, emptied: for one connection; for so many, which are then sent
 * the same frame. */
matching_writer *ws_begin(ws_door *door);
matching_writer *ws_begin_shared(ws_door *door, size_t receivers);

/* The frame of the shared message that has been written, to be sent again: a reference, which
 * ws_frame_release gives back. NULL when out of memory. Then the same for another turn. */
ws_frame *ws_keep(ws_door *door);
void ws_begin_kept(ws_door *door, ws_frame *frame);

/* Queue what door->writer holds: a direct reply; a feed that must not be lost; one that may be left
 * out (false: it was). */
void ws_send_reply(ws_connection *connection);
void ws_send_event(ws_connection *connection);
bool ws_send_state(ws_connection *connection);

/* No book or depth should be queued now. */
bool ws_is_behind(const ws_connection *connection);

/* Calls ws_flush at the end of the turn. */
void ws_mark_dirty(ws_connection *connection);

/* Writes what waits, as much as the socket takes. */
void ws_flush(ws_connection *connection);

/* Keeps to max_total_queue_bytes. */
void ws_bound_queues(ws_door *door);

/* The socket takes more. */
void ws_on_writable(ws_connection *connection);

/* Ends it with this code (WS_CLOSE_NONE: a close frame without one) and reason once all that waits
 * has been sent, at the latest after grace_ms. */
void ws_end(ws_connection *connection, unsigned code, const char *reason, uint64_t grace_ms);

/* Ends it without manners, as soon as this turn is over. */
void ws_kill(ws_connection *connection);

/* Once a second: heartbeats, deadlines, unused memory. */
void ws_connection_second(ws_connection *connection);

/* receive.c: takes over the reading of the socket, and ends it. */
void ws_receive_start(ws_connection *connection);
void ws_receive_stop(ws_connection *connection);

/* receive.c: libwebsockets says that the socket takes more; it will be asked to say so. */
void ws_receive_writable(ws_connection *connection);
void ws_receive_ask(ws_connection *connection);

/* receive.c: starts or stops reading as its replies and commands in flight allow. */
void ws_adjust_reading(ws_connection *connection);

#endif
