/* The strict JSON scanner: bytes in, yes or no out.
 *
 * Invariants: never reads beyond the end; what nests is a bit in a word, so no input can exhaust a
 * stack; each byte is looked at once.
 *
 * Not a parser: it keeps no values. json_reader.c lets json-c build them from text that passed.
 */
#include "json_text.h"

#include <assert.h>
#include <ctype.h>
#include <stdint.h>
#include <string.h>

typedef struct scan {
    const unsigned char *at;
    const unsigned char *end;
} scan;

static bool is_digit(const scan *in)
{
    return in->at < in->end && *in->at >= '0' && *in->at <= '9';
}

static bool take(scan *in, unsigned char wanted)
{
    if (in->at == in->end || *in->at != wanted)
        return false;
    in->at++;
    return true;
}

static void skip_space(scan *in)
{
    while (in->at < in->end &&
           (*in->at == ' ' || *in->at == '\t' || *in->at == '\n' || *in->at == '\r'))
        in->at++;
}

static bool scan_word(scan *in, const char *word)
{
    size_t length = strlen(word);
    if ((size_t)(in->end - in->at) < length || memcmp(in->at, word, length) != 0)
        return false;
    in->at += length;
    return true;
}

static bool scan_digits(scan *in)
{
    if (!is_digit(in))
        return false;
    while (is_digit(in))
        in->at++;
    return true;
}

static bool scan_number(scan *in)
{
    take(in, '-');
    if (!take(in, '0') && !scan_digits(in))
        return false;
    if (take(in, '.') && !scan_digits(in))
        return false;
    if (take(in, 'e') || take(in, 'E')) {
        if (!take(in, '+'))
            take(in, '-');
        return scan_digits(in);
    }
    return true;
}

/* The tail of a UTF-8 sequence whose lead byte has just been passed. The second byte's range is
 * what excludes overlong forms, surrogates and all beyond U+10FFFF. */
static bool scan_utf8_tail(scan *in, unsigned char lead)
{
    if (lead < 0xc2 || lead > 0xf4)
        return false;
    size_t tail = lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
    if ((size_t)(in->end - in->at) < tail)
        return false;
    unsigned char low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    unsigned char high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (in->at[0] < low || in->at[0] > high)
        return false;
    for (size_t i = 1; i < tail; i++)
        if ((in->at[i] & 0xc0) != 0x80)
            return false;
    in->at += tail;
    return true;
}

/* What follows a backslash. */
static bool scan_escape(scan *in, bool is_name)
{
    if (in->at == in->end)
        return false;
    unsigned char kind = *in->at++;
    if (kind != 'u')
        return kind != '\0' && strchr("\"\\/bfnrt", kind) != NULL;
    if (in->end - in->at < 4)
        return false;
    bool is_nul = true;
    for (unsigned i = 0; i < 4; i++) {
        unsigned char digit = *in->at++;
        if (!isxdigit(digit))
            return false;
        is_nul = is_nul && digit == '0';
    }
    return !is_nul || !is_name;
}

/* A string whose opening quote has been passed. */
static bool scan_string(scan *in, bool is_name)
{
    while (in->at < in->end) {
        unsigned char c = *in->at++;
        if (c == '"')
            return true;
        if (c == '\\') {
            if (!scan_escape(in, is_name))
                return false;
        } else if (c < 0x20 || (c >= 0x80 && !scan_utf8_tail(in, c))) {
            return false;
        }
    }
    return false;
}

static bool scan_scalar(scan *in)
{
    if (in->at == in->end)
        return false;
    switch (*in->at) {
    case '"':
        in->at++;
        return scan_string(in, false);
    case 't':
        return scan_word(in, "true");
    case 'f':
        return scan_word(in, "false");
    case 'n':
        return scan_word(in, "null");
    default:
        return scan_number(in);
    }
}

/* "name": up to where the value begins. */
static bool scan_name(scan *in)
{
    skip_space(in);
    if (!take(in, '"') || !scan_string(in, true))
        return false;
    skip_space(in);
    return take(in, ':');
}

bool matching_json_check(const char *text, size_t length, unsigned depth_max)
{
    assert(depth_max >= 1 && depth_max <= 64);
    scan in = {(const unsigned char *)text, (const unsigned char *)text + length};
    uint64_t objects = 0; /* bit d: the container at depth d is an object */
    unsigned depth = 0;
    for (;;) {
        /* A value begins here. */
        skip_space(&in);
        bool object = take(&in, '{');
        if (object || take(&in, '[')) {
            if (depth == depth_max)
                return false;
            objects = (objects & ~(UINT64_C(1) << depth)) | ((uint64_t)object << depth);
            depth++;
            skip_space(&in);
            if (!take(&in, object ? '}' : ']')) {
                if (object && !scan_name(&in))
                    return false;
                continue;
            }
            depth--;
        } else if (!scan_scalar(&in)) {
            return false;
        }
        /* A value has ended here: close what closes with it, go on to the next one. */
        for (;;) {
            skip_space(&in);
            if (depth == 0)
                return in.at == in.end;
            object = objects >> (depth - 1) & 1;
            if (take(&in, ','))
                break;
            if (!take(&in, object ? '}' : ']'))
                return false;
            depth--;
        }
        if (object && !scan_name(&in))
            return false;
    }
}
