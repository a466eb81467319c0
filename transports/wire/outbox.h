/* What waits to be sent on a connection: whole frames, framed by hand (RFC 6455 section 5.2).
 *
 * A frame for one connection is copied into the outbox's own bytes. A frame for many is made once
 * and each outbox holds a reference to it, so that a message to ten thousand clients takes 16 bytes
 * of each.
 *
 * Pure: no socket. How much may wait is the owner's rule (peer.h). `held` in what follows
 * counts the bytes of memory that all outboxes and shared frames of a server have taken.
 */
#ifndef MATCHING_WIRE_OUTBOX_H
#define MATCHING_WIRE_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "deflate.h"
#include "frames.h"

#define WIRE_FRAME_HEADER_MAX 10

/* A frame that several outboxes send. One thread: references are counted without atomics. */
typedef struct wire_frame {
    uint32_t references;
    size_t length;
    struct wire_frame *packed[WIRE_PACKING_COUNT]; /* the same message compressed; NULL: nobody has
                                                      asked; itself: it does not get smaller */
    unsigned char data[];
} wire_frame;

/* A frame of text or binary (kind: the opcode, or with WIRE_COMPRESSED) with one reference, the
 * caller's; NULL when out of memory. */
wire_frame *wire_frame_create(size_t *held, unsigned kind, const void *payload, size_t length);
void wire_frame_release(size_t *held, wire_frame *frame);
const unsigned char *wire_frame_payload(const wire_frame *frame, size_t *length);

/* The same message compressed, made once; the frame itself where that is not smaller. No further
 * reference. */
wire_frame *wire_frame_packed(size_t *held, wire_packer *packer, wire_packing how,
                              wire_frame *frame);

/* The first byte of a frame with such a message (but for FIN), of an opcode's. */
unsigned wire_packed_kind(wire_packing how, unsigned kind);

typedef struct wire_piece {
    wire_frame *frame; /* NULL: the next bytes of `data` */
    size_t length;
} wire_piece;

#define WIRE_FEW 2

/* All zeros: empty. It stays where it is while it holds memory. */
typedef struct wire_outbox {
    size_t length;            /* of what waits, shared frames in full */
    wire_piece *pieces;       /* in the order in which they are sent: on the heap, or */
    wire_piece few[WIRE_FEW]; /* ... here, while that is room enough */
    uint32_t first_piece, end_piece, piece_room;
    unsigned char *data; /* heap: own bytes */
    size_t begin, end, room;
    size_t joined; /* bytes at the end of data, a frame that may still grow; 0: none */
} wire_outbox;

static inline size_t wire_outbox_length(const wire_outbox *outbox)
{
    return outbox->length;
}

/* Appends a frame of text or binary; a reference to a shared one; a ping, a pong or a close frame,
 * whose payload is at most WIRE_CONTROL_MAX bytes. False: out of memory, nothing was appended. */
bool wire_outbox_message(wire_outbox *outbox, size_t *held, unsigned kind, const void *payload,
                         size_t length);
bool wire_outbox_share(wire_outbox *outbox, size_t *held, wire_frame *frame);
bool wire_outbox_control(wire_outbox *outbox, size_t *held, wire_opcode opcode, const void *payload,
                         size_t length);

/* Appends to the payload of the last frame, if that was made by this function too, has not been
 * sent, and then has no more than `most` bytes; else a new frame: for protocols whose messages
 * stand back to back. False: out of memory, nothing was appended. */
bool wire_outbox_join(wire_outbox *outbox, size_t *held, wire_opcode kind, const void *payload,
                      size_t length, size_t most);

/* What to send next, at most `most` parts. Returns how many; *bytes: their sum. */
size_t wire_outbox_gather(const wire_outbox *outbox, struct iovec *parts, size_t most,
                          size_t *bytes);

/* Where a frame is cut if only so many bytes are sent: the rest of it, and its length. NULL: none
 * is, they end where a frame ends. */
const unsigned char *wire_outbox_cut(const wire_outbox *outbox, size_t bytes, size_t *rest);

/* So many bytes have gone, which end where a frame ends. */
void wire_outbox_sent(wire_outbox *outbox, size_t *held, size_t bytes);

/* Gives memory back; drops what is in it. */
void wire_outbox_free(wire_outbox *outbox, size_t *held);

#endif
