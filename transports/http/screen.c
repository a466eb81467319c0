/* A walk over the lines of a head.
 *
 * Invariants: nothing is read at or beyond `length`; what is refused with `is_whole` false would be
 * refused with anything in front of it too, since the sums only grow.
 *
 * Not a parser: whatever exchange.c refuses in this door's form passes.
 */
#include "screen.h"

#include <string.h>
#include <strings.h>

#include "matching/gateway.h"
#include "target.h"

/* libmicrohttpd's note of a header, a parameter or a cookie. */
#define NOTE_SIZE 64

#define VERSION_LENGTH (sizeof "HTTP/1.1" - 1)
#define TOO_LARGE "a request's line and headers may have 8 KiB"

static http_screening refuse(http_refusal *refusal, unsigned status, matching_code code,
                             const char *message)
{
    *refusal = (http_refusal){status, code, message};
    return HTTP_HEAD_REFUSED;
}

static http_screening refuse_malformed(http_refusal *refusal)
{
    return refuse(refusal, 400, MATCHING_INVALID_MESSAGE, "this is not a well-formed HTTP request");
}

static size_t count(matching_text text, char wanted)
{
    size_t found = 0;
    for (size_t i = 0; i < text.length; i++)
        found += text.data[i] == wanted;
    return found;
}

/* ---- The first line ------------------------------------------------------------------------- */

/* The memory for it is added to *memory. */
static http_screening weigh_line(matching_text line, size_t *memory, http_refusal *refusal)
{
    size_t parameters = memchr(line.data, '?', line.length) != NULL ? 1 + count(line, '&') : 0;
    *memory += line.length + parameters * NOTE_SIZE;
    if (*memory <= HTTP_HEAD_MEMORY)
        return HTTP_HEAD_GOOD;
    if (parameters * NOTE_SIZE > line.length)
        return refuse(refusal, 400, MATCHING_INVALID_PARAMETER, "too many query parameters");
    return refuse(refusal, 414, MATCHING_MESSAGE_TOO_LARGE, TOO_LARGE);
}

bool http_target_is_too_much(const char *target, http_refusal *refusal)
{
    size_t memory = 0;
    matching_text line = {target, strlen(target)};
    return weigh_line(line, &memory, refusal) == HTTP_HEAD_REFUSED;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "METHOD target HTTP/1.1"; what is no version at the end belongs to the target. */
static http_screening check_line(matching_text line, http_refusal *refusal)
{
    while (line.length > 0 && line.data[line.length - 1] == ' ')
        line.length--;
    if (line.length < sizeof "A / HTTP/1.1" - 1)
        return refuse_malformed(refusal);
    const char *version = line.data + line.length - VERSION_LENGTH;
    const char *target = memchr(line.data, ' ', line.length);
    while (target != NULL && target < version && *target == ' ')
        target++;
    if (target == NULL || target == version || line.data[0] == ' ' || version[-1] != ' ' ||
        memcmp(version, "HTTP/", 5) != 0 || !is_digit(version[5]) || version[6] != '.' ||
        !is_digit(version[7]))
        return refuse_malformed(refusal);
    if (version[5] != '1')
        return refuse(refusal, 505, MATCHING_INVALID_MESSAGE, "this door speaks HTTP/1.1");
    return HTTP_HEAD_GOOD;
}

/* ---- Headers -------------------------------------------------------------------------------- */

static bool is_named(matching_text line, const char *name)
{
    size_t length = strlen(name);
    return line.length > length && line.data[length] == ':' &&
           strncasecmp(line.data, name, length) == 0;
}

static size_t memory_of(matching_text line)
{
    size_t memory = line.length + NOTE_SIZE;
    if (line.data[0] == ' ' || line.data[0] == '\t')
        memory += line.length; /* goes on with the one before, which is copied */
    if (is_named(line, "Cookie"))
        memory += line.length + (1 + count(line, ';')) * NOTE_SIZE;
    return memory;
}

static http_screening check_content_length(matching_text line, http_refusal *refusal)
{
    static const char most[] = "18446744073709551615";
    const char *digits = line.data + sizeof "Content-Length:" - 1;
    size_t length = line.length - (sizeof "Content-Length:" - 1);
    while (length > 0 && (*digits == ' ' || *digits == '\t'))
        digits++, length--;
    while (length > 0 && (digits[length - 1] == ' ' || digits[length - 1] == '\t'))
        length--;
    for (size_t i = 0; i < length; i++)
        if (!is_digit(digits[i]))
            return refuse(refusal, 400, MATCHING_INVALID_MESSAGE, "Content-Length is no number");
    if (length == 0)
        return refuse(refusal, 400, MATCHING_INVALID_MESSAGE, "Content-Length is no number");
    while (length > 1 && *digits == '0')
        digits++, length--;
    if (length > sizeof most - 1 ||
        (length == sizeof most - 1 && memcmp(digits, most, sizeof most - 1) > 0))
        return refuse(refusal, 413, MATCHING_MESSAGE_TOO_LARGE, NULL);
    return HTTP_HEAD_GOOD;
}

static http_screening check_header(matching_text line, http_refusal *refusal)
{
    if (memchr(line.data, '\0', line.length) != NULL)
        return refuse_malformed(refusal); /* libmicrohttpd would cut the value there */
    if (line.data[0] == ' ' || line.data[0] == '\t')
        return HTTP_HEAD_GOOD;
    if (memchr(line.data, ':', line.length) == NULL)
        return refuse_malformed(refusal);
    if (is_named(line, "Content-Length"))
        return check_content_length(line, refusal);
    return HTTP_HEAD_GOOD;
}

/* ---- All of it ------------------------------------------------------------------------------ */

/* TLS and other protocols need not ever send the end of a line. */
static bool begins_like_http(const char *data)
{
    return (*data >= 'A' && *data <= 'Z') || (*data >= 'a' && *data <= 'z') || *data == '\r' ||
           *data == '\n';
}

/* is_strict: it is whole, and surely one of a head. */
static http_screening screen_line(matching_text line, bool is_line, bool is_strict, size_t *memory,
                                  http_refusal *refusal)
{
    if (is_line) {
        http_screening found = weigh_line(line, memory, refusal);
        return found == HTTP_HEAD_GOOD && is_strict ? check_line(line, refusal) : found;
    }
    *memory += memory_of(line);
    if (*memory > HTTP_HEAD_MEMORY)
        return refuse(refusal, 431, MATCHING_MESSAGE_TOO_LARGE, TOO_LARGE);
    return is_strict ? check_header(line, refusal) : HTTP_HEAD_GOOD;
}

http_screening http_screen(const char *data, size_t length, bool is_whole, http_refusal *refusal)
{
    size_t memory = 0;
    bool has_line = false;
    const char *end = data + length;
    if (is_whole && length > 0 && !begins_like_http(data))
        return refuse_malformed(refusal);
    while (data < end) {
        const char *newline = memchr(data, '\n', (size_t)(end - data));
        matching_text line = {data, (size_t)((newline != NULL ? newline : end) - data)};
        data = newline != NULL ? newline + 1 : end;
        if (line.length > 0 && line.data[line.length - 1] == '\r')
            line.length--;
        /* Empty lines in front of the first one are nothing to refuse either, and where the
         * beginning has been read, this one may be the end. */
        if (line.length == 0)
            return newline != NULL ? HTTP_HEAD_GOOD : HTTP_HEAD_UNFINISHED;
        if (screen_line(line, !has_line, is_whole && newline != NULL, &memory, refusal) ==
            HTTP_HEAD_REFUSED)
            return HTTP_HEAD_REFUSED;
        has_line = true;
    }
    return HTTP_HEAD_UNFINISHED;
}
