/* What comes in, taken apart: a client's frames as RFC 6455 sections 5 to 8 have them.
 *
 * Pure: no socket, no memory of its own. Bytes come in as they were read, in pieces of any size;
 * what a message consists of is handed on as it comes, without waiting for its end, and what is
 * wrong is told at the first byte that shows it. How long a message may be is the owner's rule.
 */
#ifndef MATCHING_WEBSOCKET_FRAMES_H
#define MATCHING_WEBSOCKET_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WS_CONTROL_MAX 125u /* bytes of a control frame's payload */

typedef enum ws_opcode {
    WS_OPCODE_CONTINUATION = 0,
    WS_OPCODE_TEXT = 1,
    WS_OPCODE_BINARY = 2,
    WS_OPCODE_CLOSE = 8,
    WS_OPCODE_PING = 9,
    WS_OPCODE_PONG = 10
} ws_opcode;

/* Codes of close frames (section 7.4.1) that are of concern here. */
typedef enum ws_close_code {
    WS_CLOSE_NONE = 0, /* a close frame without a code */
    WS_CLOSE_PROTOCOL = 1002,
    WS_CLOSE_BAD_TEXT = 1007
} ws_close_code;

typedef enum ws_part_kind {
    WS_PART_NONE = 0, /* all bytes are used up */
    WS_PART_DATA = 1, /* of a message */
    WS_PART_PING = 2, /* whole, as are the next two */
    WS_PART_PONG = 3,
    WS_PART_CLOSE = 4, /* nothing after it counts */
    WS_PART_FAULT = 5  /* the connection must fail; the reader is not to be used again */
} ws_part_kind;

typedef struct ws_part {
    ws_part_kind kind;
    unsigned char *data; /* DATA: in the bytes given; control frames: in the reader */
    size_t length;
    uint64_t frame_left;               /* DATA: bytes of the same frame that are still to come */
    bool is_first, is_last, is_binary; /* DATA: of the message */
    uint16_t code;      /* CLOSE: the client's, or WS_CLOSE_NONE; FAULT: to be told */
    const char *reason; /* FAULT: static */
} ws_part;

/* All zeros: nothing has come yet. */
typedef struct ws_frame_reader {
    uint64_t left; /* payload of the frame that is coming in */
    uint32_t mask; /* its next byte is for the next byte of payload, lowest address first */
    unsigned char head[14];
    uint8_t head_length; /* 0: between frames */
    bool in_payload;
    uint8_t message;               /* opcode of the message under way, 0: none */
    bool is_begun;                 /* some of that message has been handed on */
    uint8_t text_left;             /* bytes that the character under way still needs, */
    uint8_t text_least, text_most; /* ... and what the next one may be */
    uint8_t control_length;
    unsigned char control[WS_CONTROL_MAX];
} ws_frame_reader;

/* Takes bytes from *at, which is moved on, up to end, until there is something to tell. Payload is
 * unmasked where it lies. */
ws_part_kind ws_frame_next(ws_frame_reader *reader, unsigned char **at, unsigned char *end,
                           ws_part *part);

#endif
