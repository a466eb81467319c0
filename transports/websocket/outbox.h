/* What waits to be sent on a connection: whole frames, framed by hand (RFC 6455 section 5.2).
 *
 * A frame for one connection is copied into the outbox's own bytes. A frame for many is made once
 * and each outbox holds a reference to it, so that a message to ten thousand clients takes 16 bytes
 * of each.
 *
 * Pure: no socket. How much may wait is the owner's rule (connection.h). `held` in what follows
 * counts the bytes of memory that all outboxes and shared frames of a door have taken.
 */
#ifndef MATCHING_WEBSOCKET_OUTBOX_H
#define MATCHING_WEBSOCKET_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "frames.h"

#define WS_FRAME_HEADER_MAX 10

/* A frame that several outboxes send. One thread: references are counted without atomics. */
typedef struct ws_frame {
    uint32_t references;
    size_t length;
    unsigned char data[];
} ws_frame;

/* A text frame with one reference, the caller's; NULL when out of memory. */
ws_frame *ws_frame_create(size_t *held, const char *payload, size_t length);
void ws_frame_release(size_t *held, ws_frame *frame);

typedef struct ws_piece {
    ws_frame *frame; /* NULL: the next bytes of `data` */
    size_t length;
} ws_piece;

#define WS_FEW 2

/* All zeros: empty. It stays where it is while it holds memory. */
typedef struct ws_outbox {
    size_t length;        /* of what waits, shared frames in full */
    ws_piece *pieces;     /* in the order in which they are sent: on the heap, or */
    ws_piece few[WS_FEW]; /* ... here, while that is room enough */
    uint32_t first_piece, end_piece, piece_room;
    unsigned char *data; /* heap: own bytes */
    size_t begin, end, room;
} ws_outbox;

static inline size_t ws_outbox_length(const ws_outbox *outbox)
{
    return outbox->length;
}

/* Appends a text frame; a reference to a shared one; a ping, a pong or a close frame, whose payload
 * is at most WS_CONTROL_MAX bytes. False: out of memory, nothing was appended. */
bool ws_outbox_text(ws_outbox *outbox, size_t *held, const char *payload, size_t length);
bool ws_outbox_share(ws_outbox *outbox, size_t *held, ws_frame *frame);
bool ws_outbox_control(ws_outbox *outbox, size_t *held, ws_opcode opcode, const void *payload,
                       size_t length);

/* What to send next, at most `most` parts. Returns how many; *bytes: their sum. */
size_t ws_outbox_gather(const ws_outbox *outbox, struct iovec *parts, size_t most, size_t *bytes);

/* Where a frame is cut if only so many bytes are sent: the rest of it, and its length. NULL: none
 * is, they end where a frame ends. */
const unsigned char *ws_outbox_cut(const ws_outbox *outbox, size_t bytes, size_t *rest);

/* So many bytes have gone, which end where a frame ends. */
void ws_outbox_sent(ws_outbox *outbox, size_t *held, size_t bytes);

/* Gives memory back; drops what is in it. */
void ws_outbox_free(ws_outbox *outbox, size_t *held);

#endif
