/* What comes in, taken apart: a client's frames as RFC 6455 sections 5 to 8 have them.
 *
 * Pure: no socket, no memory of its own. Bytes come in as they were read, in pieces of any size;
 * what a message consists of is handed on as it comes, without waiting for its end, and what is
 * wrong is told at the first byte that shows it. How long a message may be is the owner's rule.
 */
#ifndef MATCHING_WIRE_FRAMES_H
#define MATCHING_WIRE_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_CONTROL_MAX 125u /* bytes of a control frame's payload */
#define WIRE_COMPRESSED 0x40u /* beside an opcode: the bit RSV1 (RFC 7692 section 6) */

typedef enum wire_opcode {
    WIRE_OPCODE_CONTINUATION = 0,
    WIRE_OPCODE_TEXT = 1,
    WIRE_OPCODE_BINARY = 2,
    WIRE_OPCODE_CLOSE = 8,
    WIRE_OPCODE_PING = 9,
    WIRE_OPCODE_PONG = 10
} wire_opcode;

/* Codes of close frames (section 7.4.1) that are of concern here. */
typedef enum wire_close_code {
    WIRE_CLOSE_NONE = 0, /* a close frame without a code */
    WIRE_CLOSE_PROTOCOL = 1002,
    WIRE_CLOSE_UNTOLD = 1005,   /* never sent: there was a close frame without a code */
    WIRE_CLOSE_ABNORMAL = 1006, /* never sent: there was no close frame */
    WIRE_CLOSE_BAD_TEXT = 1007
} wire_close_code;

typedef enum wire_part_kind {
    WIRE_PART_NONE = 0, /* all bytes are used up */
    WIRE_PART_DATA = 1, /* of a message */
    WIRE_PART_PING = 2, /* whole, as are the next two */
    WIRE_PART_PONG = 3,
    WIRE_PART_CLOSE = 4, /* nothing after it counts */
    WIRE_PART_FAULT = 5  /* the connection must fail; the reader is not to be used again */
} wire_part_kind;

typedef struct wire_part {
    wire_part_kind kind;
    unsigned char *data; /* DATA: in the bytes given; control frames: in the reader */
    size_t length;
    uint64_t frame_left;               /* DATA: bytes of the same frame that are still to come */
    bool is_first, is_last, is_binary; /* DATA: of the message */
    bool is_compressed;                /* DATA: likewise; whether it is text was not looked at */
    uint16_t code;      /* CLOSE: the client's, or WIRE_CLOSE_NONE; FAULT: to be told */
    const char *reason; /* FAULT: static */
} wire_part;

/* All zeros but for takes_compressed: nothing has come yet. */
typedef struct wire_frame_reader {
    uint64_t left; /* payload of the frame that is coming in */
    uint32_t mask; /* its next byte is for the next byte of payload, lowest address first */
    unsigned char head[14];
    uint8_t head_length; /* 0: between frames */
    bool in_payload;
    uint8_t message;               /* opcode of the message under way, perhaps with WIRE_COMPRESSED;
                                      0: none */
    bool is_begun;                 /* some of that message has been handed on */
    uint8_t text_left;             /* bytes that the character under way still needs, */
    uint8_t text_least, text_most; /* ... and what the next one may be */
    uint8_t control_length;
    bool takes_compressed; /* permessage-deflate was agreed on */
    unsigned char control[WIRE_CONTROL_MAX];
} wire_frame_reader;

/* Takes bytes from *at, which is moved on, up to end, until there is something to tell. Payload is
 * unmasked where it lies. */
wire_part_kind wire_frame_next(wire_frame_reader *reader, unsigned char **at, unsigned char *end,
                               wire_part *part);

/* Is it UTF-8, all of it? For what was compressed. */
bool wire_is_text(const unsigned char *bytes, size_t length);

#endif
