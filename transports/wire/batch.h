/* Messages that wait a little to become one frame, joined by line breaks.
 *
 * Followers of the same feeds are told the same, so their batches are one: its text is gathered
 * once, each connection knows only how much of it is its own, and it becomes one frame for all of
 * them. One who is told something else goes on with a copy.
 *
 * A batch is sent when it holds batch_messages, when it has WIRE_BATCH_BYTES or the next message
 * does not fit under that, when the timer fires (one for the server: batch_timeout_ms after the
 * first of the open ones was begun, so that all begin anew together), and before whatever must not
 * overtake it: a direct reply, a close frame, and what the door sends after wire_batch_flush.
 *
 * Thread: the loop's. `server->queued` counts its memory.
 */
#ifndef MATCHING_WIRE_BATCH_H
#define MATCHING_WIRE_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct wire_server wire_server;
typedef struct wire_peer wire_peer;
typedef struct wire_batch wire_batch;

#define WIRE_BATCH_BYTES 65536u /* at most; less where max_queue_bytes is small */

/* Of a connection. All zeros: nothing waits. */
typedef struct wire_batching {
    wire_batch *batch;          /* NULL: none is open */
    size_t length;              /* what of it is this connection's, in bytes */
    uint32_t count;             /* ... and in messages */
    wire_peer *next, *previous; /* in server->batches.open */
} wire_batching;

/* Of a server. */
typedef struct wire_batches {
    wire_peer *open;    /* connections with an open batch */
    wire_batch *newest; /* NULL: it is gone */
} wire_batches;

/* As wire_send_event and wire_send_state, but the message may wait. */
void wire_batch_event(wire_peer *peer);
bool wire_batch_state(wire_peer *peer);

/* Queues what waits in the connection's batch, or drops it. */
void wire_batch_flush(wire_peer *peer);
void wire_batch_drop(wire_peer *peer);

/* On the loop's thread, before it runs and after. */
void wire_batches_start(wire_server *server);
void wire_batches_stop(wire_server *server);

#endif
