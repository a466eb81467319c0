/* Lines of the log: text for people, JSON for machines.
 *
 * Invariants: a line has no newline but its last byte and no other control character; END bytes are
 * always left for what closes it.
 */
#include "log/line.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define NS_PER_S UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)
#define END 3 /* a quote, a brace, the newline */

typedef struct line {
    char *data;
    size_t length;
} line;

static bool put(line *to, const char *text, size_t length)
{
    if (length > MATCHING_LOG_LINE_MAX - END - to->length) {
        return false;
    }
    memcpy(to->data + to->length, text, length);
    to->length += length;
    return true;
}

static bool put_text(line *to, const char *text)
{
    return put(to, text, strlen(text));
}

/* How many bytes belong together here: a character of UTF-8 is not cut in two. */
static size_t character_length(const char *text)
{
    size_t length = 1;
    while (((unsigned char)text[length] & 0xc0) == 0x80 && length < 4) {
        length++;
    }
    return length;
}

/* The text as inside the quotes of a JSON string. False: there is no room for all of it. */
static bool put_escaped(line *to, const char *text)
{
    while (*text != '\0') {
        size_t length = 1;
        bool good;
        if ((unsigned char)*text < 0x20 || *text == 0x7f) {
            char escape[7];
            snprintf(escape, sizeof escape, "\\u%04x", (unsigned)(unsigned char)*text);
            good = put_text(to, escape);
        } else if (*text == '"' || *text == '\\') {
            char escape[2] = {'\\', *text};
            good = put(to, escape, sizeof escape);
        } else {
            length = character_length(text);
            good = put(to, text, length);
        }
        if (!good) {
            return false;
        }
        text += length;
    }
    return true;
}

static void put_time(line *to, uint64_t time_ns)
{
    char text[40];
    time_t seconds = (time_t)(time_ns / NS_PER_S);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    size_t length = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text + length, sizeof text - length, ".%03uZ",
             (unsigned)(time_ns % NS_PER_S / NS_PER_MS));
    put_text(to, text);
}

/* In text a value has quotes only if it could be misread without. */
static bool needs_quotes(const char *text)
{
    bool needs = *text == '\0';
    for (; !needs && *text != '\0'; text++) {
        needs = *text <= ' ' || *text == '"' || *text == '=' || *text == '\\' || *text == 0x7f;
    }
    return needs;
}

static bool put_field(line *to, bool as_json, const matching_log_field *field)
{
    char number[24];
    snprintf(number, sizeof number, "%" PRIu64, field->number);
    bool quotes = field->text != NULL && (as_json || needs_quotes(field->text));
    bool good = put_text(to, as_json ? ",\"" : " ") && put_text(to, field->name) &&
                put_text(to, as_json ? "\":" : "=") && put_text(to, quotes ? "\"" : "");
    if (field->text == NULL) {
        good = good && put_text(to, number);
    } else {
        good = good && put_escaped(to, field->text);
    }
    return good && put_text(to, quotes ? "\"" : "");
}

size_t log_line_make(char out[MATCHING_LOG_LINE_MAX], bool as_json, uint64_t time_ns,
                     matching_log_level level, const char *module, const char *message,
                     const matching_log_field *fields, size_t count)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    line made = {out, 0};
    put_text(&made, as_json ? "{\"time\":\"" : "");
    put_time(&made, time_ns);
    put_text(&made, as_json ? "\",\"level\":\"" : " ");
    put_text(&made, names[level]);
    put_text(&made, as_json ? "\",\"module\":\"" : " ");
    put_text(&made, module);
    put_text(&made, as_json ? "\",\"message\":\"" : ": ");
    bool whole = put_escaped(&made, message);
    if (as_json) {
        made.data[made.length++] = '"'; /* there is room, see END; so put would be in its way */
    }
    for (size_t i = 0; whole && i < count; i++) {
        size_t before = made.length;
        bool is_empty = fields[i].text != NULL && fields[i].text[0] == '\0';
        if (!is_empty && !put_field(&made, as_json, &fields[i])) {
            made.length = before;
            whole = false;
        }
    }
    if (as_json) {
        made.data[made.length++] = '}';
    }
    made.data[made.length++] = '\n';
    return made.length;
}
