/* A queue of pieces: runs of own bytes, and references to shared frames.
 *
 * Invariants: first_piece <= end_piece <= piece_room; begin <= end <= room; the lengths of the
 * pieces add up to `length`, those without a frame to end - begin; every piece begins and ends
 * where a frame does. While `joined` is not 0 the last piece is of own bytes, and its last frame
 * that long.
 */
#include "outbox.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 256u
#define FIRST_PIECES 8u
#define KEPT_EMPTY (1u << 20) /* bytes: what took more before gives it back once it is empty */
#define FINAL 0x80u
#define OPCODE 0x0fu

/* ---- Frames ---------------------------------------------------------------------------------- */

/* Bytes of the header of so long a message. */
static size_t header_length_for(size_t length)
{
    return length < 126 ? 2 : length < 65536 ? 4 : WIRE_FRAME_HEADER_MAX;
}

/* Writes the header of a whole message; returns its length. */
static size_t put_header(unsigned char *out, unsigned kind, size_t length)
{
    out[0] = (unsigned char)(FINAL | kind);
    if (length < 126) {
        out[1] = (unsigned char)length;
        return 2;
    }
    if (length < 65536) {
        out[1] = 126;
        out[2] = (unsigned char)(length >> 8);
        out[3] = (unsigned char)length;
        return 4;
    }
    out[1] = 127;
    for (unsigned i = 0; i < 8; i++) {
        out[2 + i] = (unsigned char)((uint64_t)length >> (56 - 8 * i));
    }
    return WIRE_FRAME_HEADER_MAX;
}

/* Of the frame that begins here: its header's length, and its payload's. */
static size_t read_header(const unsigned char *frame, size_t *payload)
{
    if (frame[1] < 126) {
        *payload = frame[1];
        return 2;
    }
    if (frame[1] == 126) {
        *payload = (size_t)frame[2] << 8 | frame[3];
        return 4;
    }
    uint64_t length = 0;
    for (unsigned i = 2; i < 10; i++) {
        length = length << 8 | frame[i];
    }
    *payload = (size_t)length;
    return WIRE_FRAME_HEADER_MAX;
}

static size_t frame_length(const unsigned char *frame)
{
    size_t payload;
    return read_header(frame, &payload) + payload;
}

static size_t frame_memory(const wire_frame *frame)
{
    return sizeof *frame + frame->length;
}

wire_frame *wire_frame_create(size_t *held, unsigned kind, const void *payload, size_t length)
{
    unsigned char header[WIRE_FRAME_HEADER_MAX];
    size_t header_length = put_header(header, kind, length);
    wire_frame *frame = malloc(sizeof *frame + header_length + length);
    if (frame == NULL) {
        return NULL;
    }
    frame->references = 1;
    memset(frame->packed, 0, sizeof frame->packed);
    frame->length = header_length + length;
    memcpy(frame->data, header, header_length);
    memcpy(frame->data + header_length, payload, length);
    *held += frame_memory(frame);
    return frame;
}

void wire_frame_release(size_t *held, wire_frame *frame)
{
    if (--frame->references > 0) {
        return;
    }
    for (unsigned i = 0; i < WIRE_PACKING_COUNT; i++) {
        if (frame->packed[i] != NULL && frame->packed[i] != frame) {
            wire_frame_release(held, frame->packed[i]);
        }
    }
    *held -= frame_memory(frame);
    free(frame);
}

const unsigned char *wire_frame_payload(const wire_frame *frame, size_t *length)
{
    return frame->data + read_header(frame->data, length);
}

unsigned wire_packed_kind(wire_packing how, unsigned kind)
{
    return how == WIRE_GZIP ? (unsigned)WIRE_OPCODE_BINARY : kind | WIRE_COMPRESSED;
}

wire_frame *wire_frame_packed(size_t *held, wire_packer *packer, wire_packing how,
                              wire_frame *frame)
{
    if (frame->packed[how] == NULL) {
        size_t length, packed_length;
        const unsigned char *payload = wire_frame_payload(frame, &length);
        const unsigned char *packed = wire_pack(packer, how, payload, length, &packed_length);
        wire_frame *made = NULL;
        if (packed != NULL) {
            made = wire_frame_create(held, wire_packed_kind(how, frame->data[0] & OPCODE), packed,
                                     packed_length);
        }
        frame->packed[how] = made != NULL ? made : frame;
    }
    return frame->packed[how];
}

/* ---- Appending ------------------------------------------------------------------------------- */

static wire_piece *last_piece(const wire_outbox *outbox)
{
    return outbox->end_piece > outbox->first_piece ? &outbox->pieces[outbox->end_piece - 1] : NULL;
}

static size_t piece_memory(const wire_outbox *outbox)
{
    return outbox->pieces == outbox->few ? 0 : outbox->piece_room * sizeof *outbox->pieces;
}

static bool grow_pieces(wire_outbox *outbox, size_t *held)
{
    bool is_first = outbox->pieces == outbox->few;
    uint32_t room = is_first ? FIRST_PIECES : 2 * outbox->piece_room;
    wire_piece *pieces = realloc(is_first ? NULL : outbox->pieces, room * sizeof *pieces);
    if (pieces == NULL) {
        return false;
    }
    if (is_first) {
        memcpy(pieces, outbox->few, sizeof outbox->few);
    }
    *held += room * sizeof *pieces - piece_memory(outbox);
    outbox->pieces = pieces;
    outbox->piece_room = room;
    return true;
}

/* Room for one more piece. Moving what waits to the front is worth it only if it is the lesser
 * part, or a long queue would be moved again and again. */
static bool reserve_piece(wire_outbox *outbox, size_t *held)
{
    if (outbox->end_piece < outbox->piece_room) {
        return true;
    }
    uint32_t count = outbox->end_piece - outbox->first_piece;
    if (outbox->first_piece > 0 && count <= outbox->first_piece) {
        memmove(outbox->pieces, outbox->pieces + outbox->first_piece,
                count * sizeof *outbox->pieces);
        outbox->first_piece = 0;
        outbox->end_piece = count;
        return true;
    }
    if (outbox->piece_room == 0) {
        outbox->pieces = outbox->few;
        outbox->piece_room = WIRE_FEW;
        return true;
    }
    return grow_pieces(outbox, held);
}

static void add_piece(wire_outbox *outbox, wire_frame *frame, size_t length)
{
    outbox->pieces[outbox->end_piece++] = (wire_piece){frame, length};
    outbox->length += length;
}

/* Room for so many more own bytes behind the last one. */
static bool reserve_bytes(wire_outbox *outbox, size_t *held, size_t wanted)
{
    if (outbox->room - outbox->end >= wanted) {
        return true;
    }
    size_t length = outbox->end - outbox->begin;
    if (length <= outbox->begin && outbox->room - length >= wanted) {
        memmove(outbox->data, outbox->data + outbox->begin, length);
        outbox->begin = 0;
        outbox->end = length;
        return true;
    }
    size_t room = outbox->room == 0 ? FIRST_ROOM : 2 * outbox->room;
    while (room - outbox->end < wanted) {
        room *= 2;
    }
    unsigned char *data = realloc(outbox->data, room);
    if (data == NULL) {
        return false;
    }
    *held += room - outbox->room;
    outbox->data = data;
    outbox->room = room;
    return true;
}

/* Room for a frame of at most so many own bytes: where it goes, or NULL. */
static unsigned char *reserve(wire_outbox *outbox, size_t *held, size_t wanted)
{
    const wire_piece *last = last_piece(outbox);
    bool joins = last != NULL && last->frame == NULL;
    if (!reserve_bytes(outbox, held, wanted) || (!joins && !reserve_piece(outbox, held))) {
        return NULL;
    }
    return outbox->data + outbox->end;
}

/* The frame has been written where reserve said. */
static void add_own(wire_outbox *outbox, size_t length)
{
    wire_piece *last = last_piece(outbox);
    outbox->end += length;
    if (last != NULL && last->frame == NULL) {
        last->length += length;
        outbox->length += length;
    } else {
        add_piece(outbox, NULL, length);
    }
    outbox->joined = 0;
}

bool wire_outbox_message(wire_outbox *outbox, size_t *held, unsigned kind, const void *payload,
                         size_t length)
{
    unsigned char *out = reserve(outbox, held, WIRE_FRAME_HEADER_MAX + length);
    if (out == NULL) {
        return false;
    }
    size_t header_length = put_header(out, kind, length);
    memcpy(out + header_length, payload, length);
    add_own(outbox, header_length + length);
    return true;
}

/* The frame that may grow, with so many more bytes of payload. Its header may grow as well. */
static bool extend(wire_outbox *outbox, size_t *held, unsigned kind, const void *payload,
                   size_t length)
{
    unsigned char header[WIRE_FRAME_HEADER_MAX];
    if (reserve(outbox, held, WIRE_FRAME_HEADER_MAX + length) == NULL) {
        return false;
    }
    unsigned char *frame = outbox->data + outbox->end - outbox->joined;
    size_t old, old_header = read_header(frame, &old);
    size_t new_header = put_header(header, kind, old + length);
    if (new_header != old_header) {
        memmove(frame + new_header, frame + old_header, old);
    }
    memcpy(frame, header, new_header);
    memcpy(frame + new_header + old, payload, length);
    size_t joined = new_header + old + length;
    add_own(outbox, joined - outbox->joined);
    outbox->joined = joined;
    return true;
}

bool wire_outbox_join(wire_outbox *outbox, size_t *held, wire_opcode kind, const void *payload,
                      size_t length, size_t most)
{
    if (outbox->joined > 0 && outbox->joined + length <= most) {
        return extend(outbox, held, kind, payload, length);
    }
    if (!wire_outbox_message(outbox, held, kind, payload, length)) {
        return false;
    }
    outbox->joined = header_length_for(length) + length;
    return true;
}

bool wire_outbox_control(wire_outbox *outbox, size_t *held, wire_opcode opcode, const void *payload,
                         size_t length)
{
    assert(length <= WIRE_CONTROL_MAX);
    unsigned char *out = reserve(outbox, held, 2 + length);
    if (out == NULL) {
        return false;
    }
    out[0] = (unsigned char)(FINAL | opcode);
    out[1] = (unsigned char)length;
    if (length > 0) {
        memcpy(out + 2, payload, length);
    }
    add_own(outbox, 2 + length);
    return true;
}

bool wire_outbox_share(wire_outbox *outbox, size_t *held, wire_frame *frame)
{
    if (!reserve_piece(outbox, held)) {
        return false;
    }
    frame->references++;
    add_piece(outbox, frame, frame->length);
    outbox->joined = 0;
    return true;
}

/* ---- Sending --------------------------------------------------------------------------------- */

size_t wire_outbox_gather(const wire_outbox *outbox, struct iovec *parts, size_t most,
                          size_t *bytes)
{
    size_t own = outbox->begin, count = 0;
    *bytes = 0;
    for (uint32_t i = outbox->first_piece; i < outbox->end_piece && count < most; i++) {
        const wire_piece *piece = &outbox->pieces[i];
        parts[count].iov_len = piece->length;
        if (piece->frame != NULL) {
            parts[count].iov_base = piece->frame->data;
        } else {
            parts[count].iov_base = outbox->data + own;
            own += piece->length;
        }
        count++;
        *bytes += piece->length;
    }
    return count;
}

const unsigned char *wire_outbox_cut(const wire_outbox *outbox, size_t bytes, size_t *rest)
{
    size_t own = outbox->begin;
    const wire_piece *piece = outbox->pieces + outbox->first_piece;
    for (; bytes > 0 && bytes >= piece->length; piece++) {
        bytes -= piece->length;
        own += piece->frame != NULL ? 0 : piece->length;
    }
    *rest = 0;
    if (bytes == 0) {
        return NULL;
    }
    const unsigned char *frame = piece->frame != NULL ? piece->frame->data : outbox->data + own;
    size_t length = frame_length(frame);
    while (bytes > length) {
        bytes -= length;
        frame += length;
        length = frame_length(frame);
    }
    *rest = length - bytes;
    return *rest > 0 ? frame + bytes : NULL;
}

void wire_outbox_sent(wire_outbox *outbox, size_t *held, size_t bytes)
{
    outbox->length -= bytes;
    outbox->joined = 0;
    while (bytes > 0) {
        wire_piece *piece = &outbox->pieces[outbox->first_piece];
        size_t gone = bytes < piece->length ? bytes : piece->length;
        bytes -= gone;
        piece->length -= gone;
        if (piece->frame == NULL) {
            outbox->begin += gone;
        }
        if (piece->length == 0) {
            if (piece->frame != NULL) {
                wire_frame_release(held, piece->frame);
            }
            outbox->first_piece++;
        }
    }
    if (outbox->begin == outbox->end) {
        outbox->begin = outbox->end = 0;
    }
    if (outbox->first_piece == outbox->end_piece) {
        outbox->first_piece = outbox->end_piece = 0;
        if (outbox->room + piece_memory(outbox) > KEPT_EMPTY) {
            wire_outbox_free(outbox, held);
        }
    }
}

void wire_outbox_free(wire_outbox *outbox, size_t *held)
{
    for (uint32_t i = outbox->first_piece; i < outbox->end_piece; i++) {
        if (outbox->pieces[i].frame != NULL) {
            wire_frame_release(held, outbox->pieces[i].frame);
        }
    }
    *held -= outbox->room + piece_memory(outbox);
    free(outbox->data);
    if (outbox->pieces != outbox->few) {
        free(outbox->pieces);
    }
    *outbox = (wire_outbox){0};
}
