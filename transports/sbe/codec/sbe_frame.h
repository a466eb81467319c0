/* A frame's messages, one after the other, in place.
 *
 * A frame holds whole messages back to back (contract section 9). The first one that is bad ends
 * it: where the next one would begin is not known. What came before stands.
 * All functions: any thread, no allocation; what they return points into the frame.
 */
#ifndef MATCHING_SBE_FRAME_H
#define MATCHING_SBE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sbe_messages.h"

typedef enum sbe_fault {
    SBE_FAULT_NONE = 0,
    SBE_FAULT_SHORT = 1,    /* the frame ends before the message does, or its blockLength is below
                               the template's */
    SBE_FAULT_TEMPLATE = 2, /* a template that the schema does not have */
    SBE_FAULT_SCHEMA = 3    /* another schema */
} sbe_fault;

/* What is wrong with the message that ended a frame. */
typedef struct sbe_error {
    sbe_fault fault;
    uint16_t template_id; /* 0: the frame ends before it */
    uint64_t
        client_order_id;  /* of an order, cancel, amend or mass cancel that got that far, else 0 */
    size_t expected, got; /* SHORT: bytes with the header; SCHEMA: schema ids */
} sbe_error;

/* What is left of a frame. */
typedef struct sbe_frame {
    const uint8_t *at;
    size_t left;
} sbe_frame;

typedef struct sbe_message {
    const uint8_t *block;  /* for the functions of sbe_messages.h; the header is before it */
    size_t bytes;          /* with the header, as sent: from this message to the next */
    uint16_t template_id;  /* one of sbe_template */
    uint16_t block_length; /* as sent: at least the template's */
    uint16_t version;      /* of the sender's schema; a newer one only adds to the end of blocks */
} sbe_message;

#define SBE_ERROR_TEXT 96 /* room for any error's text, NUL included */

/* The template's block length; 0: no such template. */
static inline size_t sbe_block_length(uint16_t template_id)
{
    static const uint8_t lengths[SBE_TEMPLATE_MAX + 1] = {
#define SBE_DEFINE(id, NAME, name, bytes) [id] = (bytes),
        SBE_TEMPLATE_TABLE(SBE_DEFINE)
#undef SBE_DEFINE
    };
    return template_id <= SBE_TEMPLATE_MAX ? lengths[template_id] : 0;
}

static inline void sbe_frame_init(sbe_frame *frame, const void *data, size_t length)
{
    frame->at = data;
    frame->left = length;
}

/* Finds what is wrong with the message at the frame's front, or nothing. sbe_frame_next calls it
 * for messages that are not plainly good. */
sbe_fault sbe_frame_judge(const sbe_frame *frame, sbe_error *error);

/* Steps over so many bytes, which are there. */
static inline void sbe_frame_skip(sbe_frame *frame, size_t bytes)
{
    frame->at += bytes;
    frame->left -= bytes;
}

/* Steps to the next message. True: *message is set. False: the frame is at its end, error->fault
 * SBE_FAULT_NONE, or the message there is bad, with *error set; the frame is at its end then. */
static inline bool sbe_frame_next(sbe_frame *frame, sbe_message *message, sbe_error *error)
{
    if (frame->left >= SBE_HEADER_BYTES) {
        const uint8_t *at = frame->at;
        message->block_length = sbe_load_u16(at);
        message->template_id = sbe_load_u16(at + 2);
        message->version = sbe_load_u16(at + 6);
        message->block = at + SBE_HEADER_BYTES;
        message->bytes = SBE_HEADER_BYTES + (size_t)message->block_length;
        size_t known = sbe_block_length(message->template_id);
        if (known != 0 && message->block_length >= known && message->bytes <= frame->left &&
            sbe_load_u16(at + 4) == SBE_SCHEMA_ID) {
            sbe_frame_skip(frame, message->bytes);
            return true;
        }
    }
    error->fault = SBE_FAULT_NONE;
    if (frame->left > 0) {
        sbe_frame_judge(frame, error);
        frame->left = 0;
    }
    return false;
}

/* There is a message at the frame's front whose header is that of `message`, an earlier one, byte
 * for byte: it has message->bytes too. */
static inline bool sbe_frame_is_alike(const sbe_frame *frame, const sbe_message *message)
{
    return frame->left >= message->bytes &&
           sbe_load_u64(frame->at) == sbe_load_u64(message->block - SBE_HEADER_BYTES);
}

/* Steps over the messages right behind `message`, the last one that sbe_frame_next gave, that are
 * alike. How many there are; each lies message->bytes behind the one before. */
static inline size_t sbe_frame_skip_alike(sbe_frame *frame, const sbe_message *message)
{
    size_t count = 0;
    while (sbe_frame_is_alike(frame, message)) {
        sbe_frame_skip(frame, message->bytes);
        count++;
    }
    return count;
}

/* "insufficient data: expected 29 bytes, got 20". Returns the length; NUL-terminated. */
size_t sbe_error_print(char out[SBE_ERROR_TEXT], const sbe_error *error);

#endif
