/* The reader of frames.
 *
 * Invariants: head_length bytes of a frame's head are there, in_payload once it is whole, and then
 * `left` bytes of payload are still to come; a message that is under way (message != 0) is text
 * whose bytes so far are UTF-8 but for a last character that is not whole, or binary, or
 * compressed.
 *
 * The rules of section 5.2 are checked as soon as the byte is there that can break them, and text
 * as it comes in (section 8.1), so that a client hears of its fault without sending the rest.
 */
#include "frames.h"

#include <string.h>

#define FINAL 0x80u
#define RESERVED 0x70u
#define OPCODE 0x0fu
#define CONTROL 0x08u
#define MASKED 0x80u
#define LENGTH 0x7fu
#define LENGTH_16 126u
#define LENGTH_64 127u
#define KEY_SIZE 4u

static wire_part_kind fault(wire_part *part, wire_close_code code, const char *reason)
{
    *part = (wire_part){.kind = WIRE_PART_FAULT, .code = (uint16_t)code, .reason = reason};
    return WIRE_PART_FAULT;
}

static wire_part_kind none(wire_part *part)
{
    *part = (wire_part){.kind = WIRE_PART_NONE};
    return WIRE_PART_NONE;
}

/* ---- UTF-8 (RFC 3629) ------------------------------------------------------------------------ */

/* A character's first byte: how many follow, and what the next one may be, so that overlong forms,
 * surrogates and what lies beyond U+10FFFF end here. False: no character begins so. */
static bool begin_character(wire_frame_reader *reader, unsigned char byte)
{
    reader->text_least = 0x80;
    reader->text_most = 0xbf;
    if (byte < 0xc2 || byte > 0xf4) {
        return false;
    }
    if (byte < 0xe0) {
        reader->text_left = 1;
        return true;
    }
    if (byte < 0xf0) {
        reader->text_left = 2;
        reader->text_least = byte == 0xe0 ? 0xa0 : 0x80;
        reader->text_most = byte == 0xed ? 0x9f : 0xbf;
        return true;
    }
    reader->text_left = 3;
    reader->text_least = byte == 0xf0 ? 0x90 : 0x80;
    reader->text_most = byte == 0xf4 ? 0x8f : 0xbf;
    return true;
}

/* How many bytes from here on are ASCII, in steps of eight. */
static size_t plain_length(const unsigned char *text, size_t length)
{
    size_t at = 0;
    for (; at + 8 <= length; at += 8) {
        uint64_t eight;
        memcpy(&eight, text + at, sizeof eight);
        if (eight & UINT64_C(0x8080808080808080)) {
            break;
        }
    }
    return at;
}

/* False: these bytes cannot go on the text so far. */
static bool check_text(wire_frame_reader *reader, const unsigned char *text, size_t length)
{
    size_t at = 0;
    while (at < length) {
        if (reader->text_left == 0) {
            at += plain_length(text + at, length - at);
            if (at == length) {
                return true;
            }
        }
        unsigned char byte = text[at++];
        if (reader->text_left > 0) {
            if (byte < reader->text_least || byte > reader->text_most) {
                return false;
            }
            reader->text_left--;
            reader->text_least = 0x80;
            reader->text_most = 0xbf;
        } else if (byte >= 0x80 && !begin_character(reader, byte)) {
            return false;
        }
    }
    return true;
}

bool wire_is_text(const unsigned char *bytes, size_t length)
{
    wire_frame_reader reader = {.text_left = 0};
    return check_text(&reader, bytes, length) && reader.text_left == 0;
}

/* ---- Heads ----------------------------------------------------------------------------------- */

/* The first byte. NULL, or what is wrong with it. */
static const char *check_opcode(const wire_frame_reader *reader, unsigned char byte)
{
    unsigned opcode = byte & OPCODE;
    if (byte & RESERVED) {
        /* Compressed is a message, which its first frame says (RFC 7692 section 6.1). */
        bool is_first = opcode == WIRE_OPCODE_TEXT || opcode == WIRE_OPCODE_BINARY;
        if ((byte & RESERVED) != WIRE_COMPRESSED || !is_first || !reader->takes_compressed) {
            return "reserved bits";
        }
    }
    if (opcode > WIRE_OPCODE_PONG || (opcode > WIRE_OPCODE_BINARY && opcode < WIRE_OPCODE_CLOSE)) {
        return "unknown opcode";
    }
    if (opcode & CONTROL) {
        return byte & FINAL ? NULL : "a control frame in fragments";
    }
    if (opcode == WIRE_OPCODE_CONTINUATION) {
        return reader->message != 0 ? NULL : "a continuation of nothing";
    }
    return reader->message == 0 ? NULL : "a message within a message";
}

/* The second one. */
static const char *check_length(const wire_frame_reader *reader, unsigned char byte)
{
    if (!(byte & MASKED)) {
        return "a frame without a mask";
    }
    bool is_long = (byte & LENGTH) > WIRE_CONTROL_MAX;
    return is_long && (reader->head[0] & CONTROL) ? "a long control frame" : NULL;
}

static size_t extended_size(unsigned char byte)
{
    unsigned length = byte & LENGTH;
    return length == LENGTH_64 ? 8 : length == LENGTH_16 ? 2 : 0;
}

/* The whole head is there: what follows. NULL, or what is wrong with the length. */
static const char *finish_head(wire_frame_reader *reader)
{
    size_t size = extended_size(reader->head[1]);
    uint64_t length = reader->head[1] & LENGTH;
    if (size > 0) {
        length = 0;
        for (size_t i = 0; i < size; i++) {
            length = length << 8 | reader->head[2 + i];
        }
        if (length >> 63) {
            return "a length beyond 63 bits";
        }
        if (length < (size == 2 ? LENGTH_16 : UINT64_C(65536))) {
            return "a length in too many bytes";
        }
    }
    reader->left = length;
    memcpy(&reader->mask, reader->head + 2 + size, KEY_SIZE);
    reader->in_payload = true;
    reader->control_length = 0;
    unsigned opcode = reader->head[0] & OPCODE;
    if (opcode == WIRE_OPCODE_TEXT || opcode == WIRE_OPCODE_BINARY) {
        reader->message = reader->head[0] & (WIRE_COMPRESSED | OPCODE);
        reader->is_begun = false;
        reader->text_left = 0;
    }
    return NULL;
}

/* Takes what there is of a head. NULL, or what is wrong; in_payload: it is whole. */
static const char *take_head(wire_frame_reader *reader, unsigned char **at,
                             const unsigned char *end)
{
    const char *wrong = NULL;
    while (reader->head_length < 2 && *at < end && wrong == NULL) {
        unsigned char byte = *(*at)++;
        wrong = reader->head_length == 0 ? check_opcode(reader, byte) : check_length(reader, byte);
        reader->head[reader->head_length++] = byte;
    }
    if (wrong != NULL || reader->head_length < 2) {
        return wrong;
    }
    size_t missing = 2 + extended_size(reader->head[1]) + KEY_SIZE - reader->head_length;
    size_t count = missing < (size_t)(end - *at) ? missing : (size_t)(end - *at);
    memcpy(reader->head + reader->head_length, *at, count);
    reader->head_length = (uint8_t)(reader->head_length + count);
    *at += count;
    return count == missing ? finish_head(reader) : NULL;
}

/* ---- Payload --------------------------------------------------------------------------------- */

static void unmask(wire_frame_reader *reader, unsigned char *bytes, size_t length)
{
    uint64_t mask = (uint64_t)reader->mask << 32 | reader->mask;
    unsigned char key[sizeof mask];
    size_t at = 0;
    for (; at + sizeof mask <= length; at += sizeof mask) {
        uint64_t eight;
        memcpy(&eight, bytes + at, sizeof eight);
        eight ^= mask;
        memcpy(bytes + at, &eight, sizeof eight);
    }
    memcpy(key, &mask, sizeof key);
    size_t rest = length - at;
    for (size_t i = 0; i < rest; i++) {
        bytes[at + i] ^= key[i];
    }
    memcpy(&reader->mask, key + rest % KEY_SIZE,
           KEY_SIZE); /* turned to where the next one begins */
}

static void end_frame(wire_frame_reader *reader)
{
    reader->in_payload = false;
    reader->head_length = 0;
}

static wire_part_kind take_data(wire_frame_reader *reader, unsigned char *bytes, size_t length,
                                wire_part *part)
{
    bool is_last = reader->left == 0 && (reader->head[0] & FINAL);
    if (reader->message == WIRE_OPCODE_TEXT) { /* as it is */
        if (!check_text(reader, bytes, length) || (is_last && reader->text_left > 0)) {
            return fault(part, WIRE_CLOSE_BAD_TEXT, "text that is not UTF-8");
        }
    }
    *part = (wire_part){.kind = WIRE_PART_DATA,
                        .data = bytes,
                        .length = length,
                        .frame_left = reader->left,
                        .is_first = !reader->is_begun,
                        .is_last = is_last,
                        .is_binary = reader->message & WIRE_OPCODE_BINARY,
                        .is_compressed = reader->message & WIRE_COMPRESSED};
    reader->is_begun = true;
    if (reader->left == 0) {
        end_frame(reader);
    }
    if (is_last) {
        reader->message = 0;
    }
    return WIRE_PART_DATA;
}

/* Codes that a close frame may carry: those of section 7.4.1 that are for the wire, those that were
 * registered since (1012 to 1014), and those of libraries and programs. */
static bool is_close_code(unsigned code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

static wire_part_kind take_close(wire_frame_reader *reader, wire_part *part)
{
    size_t length = reader->control_length;
    part->kind = WIRE_PART_CLOSE;
    part->code = WIRE_CLOSE_NONE;
    if (length == 0) {
        return WIRE_PART_CLOSE;
    }
    if (length == 1) {
        return fault(part, WIRE_CLOSE_PROTOCOL, "half a close code");
    }
    unsigned code = (unsigned)reader->control[0] << 8 | reader->control[1];
    if (!is_close_code(code)) {
        return fault(part, WIRE_CLOSE_PROTOCOL, "no code for a close frame");
    }
    reader->text_left = 0; /* whatever message was under way, it is not gone on with */
    if (!check_text(reader, reader->control + 2, length - 2) || reader->text_left > 0) {
        return fault(part, WIRE_CLOSE_BAD_TEXT, "a close reason that is not UTF-8");
    }
    part->code = (uint16_t)code;
    return WIRE_PART_CLOSE;
}

static wire_part_kind take_control(wire_frame_reader *reader, const unsigned char *bytes,
                                   size_t length, wire_part *part)
{
    memcpy(reader->control + reader->control_length, bytes, length);
    reader->control_length = (uint8_t)(reader->control_length + length);
    if (reader->left > 0) {
        return none(part);
    }
    end_frame(reader);
    *part = (wire_part){.data = reader->control, .length = reader->control_length};
    switch (reader->head[0] & OPCODE) {
    case WIRE_OPCODE_CLOSE:
        return take_close(reader, part);
    case WIRE_OPCODE_PING:
        return part->kind = WIRE_PART_PING;
    default:
        return part->kind = WIRE_PART_PONG;
    }
}

wire_part_kind wire_frame_next(wire_frame_reader *reader, unsigned char **at, unsigned char *end,
                               wire_part *part)
{
    if (*at == end) {
        return none(part);
    }
    if (!reader->in_payload) {
        const char *wrong = take_head(reader, at, end);
        if (wrong != NULL) {
            return fault(part, WIRE_CLOSE_PROTOCOL, wrong);
        }
        if (!reader->in_payload) {
            return none(part);
        }
    }
    unsigned char *bytes = *at;
    size_t length = (size_t)(end - bytes);
    length = length < reader->left ? length : (size_t)reader->left;
    unmask(reader, bytes, length);
    *at += length;
    reader->left -= length;
    return reader->head[0] & CONTROL ? take_control(reader, bytes, length, part)
                                     : take_data(reader, bytes, length, part);
}
