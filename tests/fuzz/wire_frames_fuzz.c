/* The reader of frames on any bytes: what it makes of them is the same however they are cut, and
 * keeps to its promises. The first byte says how they are cut, and whether
 * permessage-deflate was agreed on.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "frames.h"

/* What came of the bytes. */
typedef struct outcome {
    size_t used;     /* bytes, up to the fault or close frame if there is one */
    uint64_t digest; /* of payloads and of where messages and control frames begin and end */
    uint16_t code;
    wire_part_kind last;
} outcome;

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void mix(outcome *out, const unsigned char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        out->digest = (out->digest ^ bytes[i]) * UINT64_C(1099511628211);
    }
}

static void mark(outcome *out, unsigned what)
{
    out->digest = (out->digest ^ (0x100u + what)) * UINT64_C(1099511628211);
}

static void check_part(const wire_part *part, bool *is_open, bool takes_compressed)
{
    if (part->kind == WIRE_PART_DATA) {
        must(part->is_first != *is_open);
        must(!part->is_last || part->frame_left == 0);
        must(!part->is_compressed || takes_compressed);
        *is_open = !part->is_last;
    } else if (part->kind == WIRE_PART_FAULT) {
        must(part->code == WIRE_CLOSE_PROTOCOL || part->code == WIRE_CLOSE_BAD_TEXT);
        must(part->reason != NULL && strlen(part->reason) <= WIRE_CONTROL_MAX - 2);
    } else {
        must(part->length <= WIRE_CONTROL_MAX);
        must(part->kind != WIRE_PART_CLOSE || part->code == WIRE_CLOSE_NONE ||
             (part->code >= 1000 && part->code < 5000));
    }
}

static void note(outcome *out, const wire_part *part)
{
    if (part->kind == WIRE_PART_DATA) {
        if (part->is_first) {
            mark(out, part->is_binary);
            mark(out, part->is_compressed ? 20 : 21);
        }
        mix(out, part->data, part->length);
        if (part->is_last) {
            mark(out, 2);
        }
    } else if (part->kind != WIRE_PART_FAULT) {
        mark(out, 3u + (unsigned)part->kind);
        mix(out, part->data, part->length);
    }
}

/* In parts of at most `step` bytes, each in memory of its own size. A fault within text may be told
 * some bytes earlier or later, with more or less of the text before it: then only the code
 * counts. */
static outcome read_all(const uint8_t *data, size_t size, size_t step, bool takes_compressed)
{
    outcome out = {.digest = UINT64_C(14695981039346656037)};
    wire_frame_reader reader = {.takes_compressed = takes_compressed};
    bool is_open = false;
    for (size_t from = 0; from < size; from += step) {
        size_t count = size - from < step ? size - from : step;
        unsigned char *cut = malloc(count);
        must(cut != NULL);
        memcpy(cut, data + from, count);
        unsigned char *at = cut;
        wire_part part;
        while (wire_frame_next(&reader, &at, cut + count, &part) != WIRE_PART_NONE) {
            must(at >= cut && at <= cut + count);
            check_part(&part, &is_open, takes_compressed);
            note(&out, &part);
            out.last = part.kind;
            out.code = part.code;
            out.used = from + (size_t)(at - cut);
            if (part.kind == WIRE_PART_FAULT || part.kind == WIRE_PART_CLOSE) {
                free(cut);
                return out;
            }
        }
        must(at == cut + count);
        free(cut);
    }
    out.last = WIRE_PART_NONE;
    out.used = size;
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    size_t step = 1 + (data[0] & 0x7fu);
    bool takes_compressed = data[0] & 0x80u;
    outcome whole = read_all(data + 1, size - 1, size, takes_compressed);
    outcome parts = read_all(data + 1, size - 1, step, takes_compressed);
    must(whole.last == parts.last);
    if (whole.last == WIRE_PART_FAULT) {
        must(whole.code == parts.code);
        must(whole.code == WIRE_CLOSE_BAD_TEXT || whole.digest == parts.digest);
    } else {
        must(whole.digest == parts.digest && whole.used == parts.used);
    }
    return 0;
}
