/* What waits to be sent on a connection: whole frames, framed by hand (RFC 6455 section 5.2).
 *
 * Pure: no socket. Memory grows as needed; how much may wait is the owner's rule (connection.h).
 */
#ifndef MATCHING_WEBSOCKET_OUTBOX_H
#define MATCHING_WEBSOCKET_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>

#define WS_FRAME_HEADER_MAX 10

typedef struct ws_outbox {
    unsigned char *data; /* heap */
    size_t begin;        /* what has gone out already */
    size_t end;
    size_t room;
} ws_outbox;

static inline size_t ws_outbox_length(const ws_outbox *outbox)
{
    return outbox->end - outbox->begin;
}

/* Appends a text frame. False: out of memory, nothing was appended. */
bool ws_outbox_text(ws_outbox *outbox, const char *payload, size_t length);

/* Appends a ping. It has a payload, because libwebsockets keeps pongs without one to itself. */
bool ws_outbox_ping(ws_outbox *outbox);

/* How many bytes to hand over next: whole frames, at most about `most` bytes, but one frame in any
 * case. libwebsockets may put a control frame of its own between two writes, so a write must end
 * where a frame does. */
size_t ws_outbox_chunk(const ws_outbox *outbox, size_t most);

void ws_outbox_sent(ws_outbox *outbox, size_t length);

/* Gives memory back; drops what is in it. */
void ws_outbox_free(ws_outbox *outbox);

#endif
