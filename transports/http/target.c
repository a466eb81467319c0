/* Splitting first, decoding each piece after: an encoded slash or ampersand separates nothing.
 *
 * Invariants: every piece lies within the given text; decoding only ever shortens; a text is never
 * read at or beyond its length, so it need not end in NUL.
 *
 * Not a judge: empty names, unknown names and repeated names are the routes' to refuse.
 */
#include "target.h"

#include <string.h>
#include <strings.h>

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes in place. False at a malformed escape, with *text cut off there. */
static bool decode(char *data, size_t length, bool plus_is_space, matching_text *text)
{
    size_t to = 0;
    for (size_t from = 0; from < length; from++) {
        char c = data[from];
        if (c == '+' && plus_is_space)
            c = ' ';
        if (c == '%') {
            int high = length - from > 2 ? hex_value(data[from + 1]) : -1;
            int low = high >= 0 ? hex_value(data[from + 2]) : -1;
            if (low < 0) {
                *text = (matching_text){data, to};
                return false;
            }
            c = (char)(high * 16 + low);
            from += 2;
        }
        data[to++] = c;
    }
    *text = (matching_text){data, to};
    return true;
}

static size_t find(const char *data, size_t length, char wanted)
{
    const char *found = length > 0 ? memchr(data, wanted, length) : NULL;
    return found != NULL ? (size_t)(found - data) : length;
}

static void parse_path(char *data, size_t length, http_target *target)
{
    if (length == 0 || data[0] != '/') {
        target->bad_path = true;
        return;
    }
    if (length == 1)
        return; /* "/" */
    for (size_t at = 1; at <= length; at++) {
        size_t segment = find(data + at, length - at, '/');
        if (target->segment_count == HTTP_SEGMENTS_MAX) {
            target->bad_path = true;
            return;
        }
        if (!decode(data + at, segment, false, &target->segments[target->segment_count++]))
            target->bad_path = true;
        at += segment;
    }
}

static void parse_query(char *data, size_t length, http_target *target)
{
    for (size_t at = 0; at < length; at++) {
        size_t size = find(data + at, length - at, '&');
        if (size > 0) { /* "a=1&&b=2" and a lone "?" say nothing more */
            if (target->parameter_count == HTTP_PARAMETERS_MAX) {
                target->too_many_parameters = true;
                return;
            }
            http_parameter *parameter = &target->parameters[target->parameter_count++];
            size_t name = find(data + at, size, '=');
            size_t skip = name < size ? name + 1 : size;
            bool good = decode(data + at, name, true, &parameter->name);
            good &= decode(data + at + skip, size - skip, true, &parameter->value);
            parameter->malformed = !good;
        }
        at += size;
    }
}

/* "http://host:port" before the path, as a client writes it to a proxy. Its length, else 0. */
static size_t skip_authority(const char *data, size_t length, matching_text *authority)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t scheme = strlen(schemes[i]);
        if (length < scheme || strncasecmp(data, schemes[i], scheme) != 0)
            continue;
        size_t end = scheme;
        while (end < length && data[end] != '/' && data[end] != '?')
            end++;
        *authority = (matching_text){data + scheme, end - scheme};
        return end;
    }
    return 0;
}

void http_target_parse(char *text, size_t length, http_target *target)
{
    target->authority = (matching_text){0};
    target->segment_count = target->parameter_count = 0; /* what lies beyond them is not read */
    target->is_asterisk = target->bad_path = target->too_many_parameters = false;
    if (length == 1 && text[0] == '*') {
        target->is_asterisk = true;
        return;
    }
    size_t skipped =
        length > 0 && text[0] == '/' ? 0 : skip_authority(text, length, &target->authority);
    text += skipped;
    length -= skipped;
    size_t path = find(text, length, '?');
    if (skipped == 0 || path > 0) /* "http://host" means its "/" */
        parse_path(text, path, target);
    if (path < length)
        parse_query(text + path + 1, length - path - 1, target);
}

bool http_text_is(matching_text text, const char *word)
{
    size_t at = 0; /* words are short, and mostly not alike from the start */
    while (at < text.length && word[at] != '\0' && word[at] == text.data[at])
        at++;
    return at == text.length && word[at] == '\0';
}
