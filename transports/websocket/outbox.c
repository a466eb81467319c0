/* A growing byte queue of frames.
 *
 * Invariants: begin <= end <= room; data[begin] is the first byte of a frame whenever begin < end.
 */
#include "outbox.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 4096
#define OPCODE_TEXT 0x81 /* with FIN */

static const unsigned char PING[] = {0x89, 1, '?'};

/* Room for `wanted` more bytes behind the last one, or NULL. */
static unsigned char *reserve(ws_outbox *outbox, size_t wanted)
{
    if (outbox->room - outbox->end >= wanted) {
        return outbox->data + outbox->end;
    }
    size_t length = ws_outbox_length(outbox);
    if (outbox->begin > 0) {
        memmove(outbox->data, outbox->data + outbox->begin, length);
        outbox->begin = 0;
        outbox->end = length;
    }
    if (outbox->room - length < wanted) {
        size_t room = outbox->room == 0 ? FIRST_ROOM : outbox->room;
        while (room - length < wanted) {
            room *= 2;
        }
        unsigned char *data = realloc(outbox->data, room);
        if (data == NULL) {
            return NULL;
        }
        outbox->data = data;
        outbox->room = room;
    }
    return outbox->data + outbox->end;
}

bool ws_outbox_text(ws_outbox *outbox, const char *payload, size_t length)
{
    unsigned char *out = reserve(outbox, WS_FRAME_HEADER_MAX + length);
    if (out == NULL) {
        return false;
    }
    *out++ = OPCODE_TEXT;
    if (length < 126) {
        *out++ = (unsigned char)length;
    } else if (length < 65536) {
        *out++ = 126;
        *out++ = (unsigned char)(length >> 8);
        *out++ = (unsigned char)length;
    } else {
        *out++ = 127;
        for (int shift = 56; shift >= 0; shift -= 8) {
            *out++ = (unsigned char)((uint64_t)length >> shift);
        }
    }
    memcpy(out, payload, length);
    outbox->end = (size_t)(out + length - outbox->data);
    return true;
}

bool ws_outbox_ping(ws_outbox *outbox)
{
    unsigned char *out = reserve(outbox, sizeof PING);
    if (out == NULL) {
        return false;
    }
    memcpy(out, PING, sizeof PING);
    outbox->end += sizeof PING;
    return true;
}

/* Header and payload of the frame that begins here. */
static size_t frame_length(const unsigned char *frame)
{
    if (frame[1] < 126) {
        return 2u + frame[1];
    }
    if (frame[1] == 126) {
        return 4u + ((size_t)frame[2] << 8 | frame[3]);
    }
    uint64_t length = 0;
    for (unsigned i = 2; i < 10; i++) {
        length = length << 8 | frame[i];
    }
    return 10u + (size_t)length;
}

size_t ws_outbox_chunk(const ws_outbox *outbox, size_t most)
{
    size_t length = ws_outbox_length(outbox);
    if (length <= most) {
        return length;
    }
    const unsigned char *first = outbox->data + outbox->begin;
    size_t chunk = frame_length(first);
    while (chunk < length) {
        size_t next = frame_length(first + chunk);
        if (chunk + next > most) {
            break;
        }
        chunk += next;
    }
    return chunk;
}

void ws_outbox_sent(ws_outbox *outbox, size_t length)
{
    outbox->begin += length;
    if (outbox->begin == outbox->end) {
        outbox->begin = 0;
        outbox->end = 0;
    }
}

void ws_outbox_free(ws_outbox *outbox)
{
    free(outbox->data);
    *outbox = (ws_outbox){0};
}
