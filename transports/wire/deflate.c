/* zlib, a message at a time.
 *
 * Invariants: the streams are reset before each message, never after; what a client sends makes no
 * more output than it may, whatever it is.
 */
#include "deflate.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Measured on snapshots, batches and updates: higher levels take twice the time for a tenth less;
 * more memory only makes each reset longer, for the tables are cleared. */
#define LEVEL 2
#define MEMORY_LEVEL 5
#define GZIP_WRAPPER 16 /* zlib's way to ask for gzip's header and trailer */
#define INFLATE_WINDOW 15
#define FIRST_ROOM 4096u

/* The end of an empty stored block, which each message is without (section 7.2.1). */
static const unsigned char TAIL[4] = {0, 0, 0xff, 0xff};

/* ---- Packing --------------------------------------------------------------------------------- */

static bool prepare(wire_packer *packer, wire_packing how, size_t room)
{
    if (packer->is_ready) {
        deflateReset(&packer->stream);
    } else {
        int bits = (int)WIRE_WINDOW_BITS;
        packer->stream = (z_stream){.zalloc = Z_NULL};
        packer->is_ready = deflateInit2(&packer->stream, LEVEL, Z_DEFLATED,
                                        how == WIRE_GZIP ? bits + GZIP_WRAPPER : -bits,
                                        MEMORY_LEVEL, Z_DEFAULT_STRATEGY) == Z_OK;
    }
    if (packer->is_ready && room > packer->room) {
        unsigned char *out = realloc(packer->out, room);
        if (out == NULL) {
            return false;
        }
        packer->out = out;
        packer->room = room;
    }
    return packer->is_ready;
}

const unsigned char *wire_pack(wire_packer *packer, wire_packing how, const void *message,
                               size_t length, size_t *packed)
{
    size_t tail = how == WIRE_GZIP ? 0 : sizeof TAIL;
    size_t room = length + tail; /* what fills that is not smaller */
    if (length == 0 || room > UINT_MAX || !prepare(packer, how, room)) {
        return NULL;
    }
    z_stream *stream = &packer->stream;
    stream->next_in = (unsigned char *)message; /* zlib's interface has no const; it only reads */
    stream->avail_in = (uInt)length;
    stream->next_out = packer->out;
    stream->avail_out = (uInt)room;
    int result = deflate(stream, how == WIRE_GZIP ? Z_FINISH : Z_SYNC_FLUSH);
    if (result != (how == WIRE_GZIP ? Z_STREAM_END : Z_OK) || stream->avail_out == 0) {
        return NULL;
    }
    *packed = room - stream->avail_out - tail;
    return packer->out;
}

void wire_packer_fini(wire_packer *packer)
{
    if (packer->is_ready) {
        deflateEnd(&packer->stream);
    }
    free(packer->out);
    *packer = (wire_packer){.is_ready = false};
}

/* ---- Unpacking ------------------------------------------------------------------------------- */

/* Room for more output, up to one byte more than `most`, which tells that there was more. */
static bool grow(wire_unpacker *unpacker, size_t most)
{
    size_t room = unpacker->room == 0 ? FIRST_ROOM : 2 * unpacker->room;
    room = room < most + 1 ? room : most + 1;
    unsigned char *out = realloc(unpacker->out, room);
    if (out == NULL) {
        return false;
    }
    unpacker->out = out;
    unpacker->room = room;
    return true;
}

/* A message may have blocks that say they are the last (section 7.2.3.4); the next begins anew. */
static bool is_at_end(z_stream *stream, int *result)
{
    if (*result != Z_STREAM_END) {
        return false;
    }
    *result = Z_OK;
    return inflateReset(stream) == Z_OK && stream->avail_in == 0;
}

/* Takes these bytes, output going on at *made. */
static wire_unpacked take(wire_unpacker *unpacker, const unsigned char *bytes, size_t length,
                          size_t most, size_t *made)
{
    z_stream *stream = &unpacker->stream;
    stream->next_in = (unsigned char *)bytes; /* it only reads */
    stream->avail_in = (uInt)length;
    for (;;) {
        size_t room = unpacker->room < most + 1 ? unpacker->room : most + 1;
        stream->next_out = unpacker->out + *made;
        stream->avail_out = (uInt)(room - *made);
        int result = inflate(stream, Z_SYNC_FLUSH);
        *made = room - stream->avail_out;
        if (*made > most) {
            return WIRE_UNPACKED_TOO_LARGE;
        }
        if (is_at_end(stream, &result)) {
            return WIRE_UNPACKED;
        }
        if (result == Z_MEM_ERROR) {
            return WIRE_UNPACKED_NO_MEMORY;
        }
        if (result != Z_OK && result != Z_BUF_ERROR) {
            return WIRE_UNPACKED_BROKEN;
        }
        if (stream->avail_out > 0 && stream->avail_in == 0) {
            return WIRE_UNPACKED;
        }
        if (stream->avail_out == 0 && !grow(unpacker, most)) {
            return WIRE_UNPACKED_NO_MEMORY;
        }
    }
}

/* Between two blocks, on a byte's end: nothing of the message is missing. */
static bool is_whole(const z_stream *stream)
{
    enum { BITS_LEFT = 7, LAST_BLOCK = 64, BETWEEN_BLOCKS = 128 };
    int state = stream->data_type & (BITS_LEFT | LAST_BLOCK | BETWEEN_BLOCKS);
    return state == BETWEEN_BLOCKS;
}

wire_unpacked wire_unpack(wire_unpacker *unpacker, const void *payload, size_t length, size_t most,
                          size_t *unpacked)
{
    *unpacked = 0;
    if (length == 0) { /* should be a byte (section 7.2.3.6); there is but one thing it can mean */
        return WIRE_UNPACKED;
    }
    if (length > UINT_MAX || most >= UINT_MAX) {
        return WIRE_UNPACKED_TOO_LARGE;
    }
    if (unpacker->is_ready) {
        inflateReset(&unpacker->stream);
    } else {
        unpacker->stream = (z_stream){.zalloc = Z_NULL};
        unpacker->is_ready = inflateInit2(&unpacker->stream, -INFLATE_WINDOW) == Z_OK;
    }
    if (!unpacker->is_ready || (unpacker->room == 0 && !grow(unpacker, most))) {
        return WIRE_UNPACKED_NO_MEMORY;
    }
    wire_unpacked result = take(unpacker, payload, length, most, unpacked);
    if (result == WIRE_UNPACKED) {
        result = take(unpacker, TAIL, sizeof TAIL, most, unpacked);
    }
    if (result == WIRE_UNPACKED && !is_whole(&unpacker->stream)) {
        result = WIRE_UNPACKED_BROKEN;
    }
    return result;
}

void wire_unpacker_fini(wire_unpacker *unpacker)
{
    if (unpacker->is_ready) {
        inflateEnd(&unpacker->stream);
    }
    free(unpacker->out);
    *unpacker = (wire_unpacker){.is_ready = false};
}
