/* See otlp.h. 64-bit numbers are strings, bytes of ids hexadecimal digits, enums numbers. */
#include "trace/otlp.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STATUS_ERROR 2
#define FLAG_SAMPLED 0x001u
#define FLAG_KNOWS_REMOTE 0x100u /* the next one tells something */
#define FLAG_IS_REMOTE 0x200u

/* How long the character is that begins here; 0: it is no UTF-8. */
static size_t character_length(const unsigned char *text)
{
    static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = text[0] < 0x80 ? 1 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;
    if (length == 1) {
        return 1;
    }
    if (text[0] < 0xc2 || text[0] > 0xf4) {
        return 0;
    }
    unsigned value = text[0] & (0xffu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return 0;
        }
        value = value << 6 | (text[i] & 0x3fu);
    }
    bool is_good =
        value >= least[length] && value <= 0x10ffff && (value < 0xd800 || value > 0xdfff);
    return is_good ? length : 0;
}

/* ---- Bytes ----------------------------------------------------------------------------------- */

#define PUT(out, literal) put(out, "" literal, sizeof(literal) - 1)

static __attribute__((noinline)) bool make_room(otlp_text *out, size_t more)
{
    size_t wanted = out->capacity == 0 ? 16384 : 2 * out->capacity;
    while (wanted < out->length + more) {
        wanted *= 2;
    }
    char *bytes = out->failed ? NULL : realloc(out->bytes, wanted);
    out->failed = bytes == NULL;
    if (bytes != NULL) {
        out->bytes = bytes;
        out->capacity = wanted;
    }
    return bytes != NULL;
}

/* Inline, so that the many short constants become plain stores. */
static inline __attribute__((always_inline)) void put(otlp_text *out, const char *bytes,
                                                      size_t length)
{
    if (out->capacity - out->length >= length || make_room(out, length)) {
        memcpy(out->bytes + out->length, bytes, length);
        out->length += length;
    }
}

static void put_hex(otlp_text *out, uint64_t value)
{
    char digits[16];
    for (unsigned i = 0; i < 16; i++) {
        digits[i] = "0123456789abcdef"[value >> (60 - 4 * i) & 15];
    }
    put(out, digits, sizeof digits);
}

/* "00", "01", ..., "99" */
#define TEN(d) d "0" d "1" d "2" d "3" d "4" d "5" d "6" d "7" d "8" d "9"
static const char two_digits[] =
    TEN("0") TEN("1") TEN("2") TEN("3") TEN("4") TEN("5") TEN("6") TEN("7") TEN("8") TEN("9");

static void put_number(otlp_text *out, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    for (; value >= 100; value /= 100) {
        at -= 2;
        memcpy(digits + at, &two_digits[2 * (value % 100)], 2);
    }
    if (value >= 10) {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    }
    digits[--at] = (char)('0' + value);
    put(out, digits + at, sizeof digits - at);
}

static void put_signed(otlp_text *out, uint64_t value)
{
    if (value > INT64_MAX) {
        PUT(out, "-");
        value = 0 - value;
    }
    put_number(out, value);
}

static bool is_plain(unsigned char c)
{
    return c >= ' ' && c < 0x80 && c != '"' && c != '\\';
}

/* As a JSON string. */
static void put_text(otlp_text *out, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    PUT(out, "\"");
    while (*at != '\0') {
        const unsigned char *from = at;
        while (is_plain(*at)) {
            at++;
        }
        put(out, (const char *)from, (size_t)(at - from));
        if (*at == '\0') {
            break;
        }
        size_t length = character_length(at);
        if (length == 0) {
            PUT(out, "\\ufffd");
            length = 1;
        } else if (*at < ' ') {
            const char escape[] = {
                '\\', 'u', '0', '0', (char)('0' + (*at >> 4)), "0123456789abcdef"[*at & 15]};
            put(out, escape, sizeof escape);
        } else {
            if (length == 1) {
                PUT(out, "\\"); /* a quotation mark or a backslash */
            }
            put(out, (const char *)at, length);
        }
        at += length;
    }
    PUT(out, "\"");
}

/* One of our own names, in which nothing needs an escape. */
static void put_name(otlp_text *out, const char *name)
{
    PUT(out, "\"");
    put(out, name, strlen(name));
    PUT(out, "\"");
}

/* ---- What a request consists of -------------------------------------------------------------- */

static void put_ids(otlp_text *out, const matching_trace_context *context)
{
    PUT(out, "\"traceId\":\"");
    put_hex(out, context->trace_high);
    put_hex(out, context->trace_low);
    PUT(out, "\",\"spanId\":\"");
    put_hex(out, context->span_id);
    PUT(out, "\"");
}

/* Of the resource, whose names may come from the environment. */
static void put_resource_text(otlp_text *out, const char *key, const char *value)
{
    PUT(out, "{\"key\":");
    put_text(out, key);
    PUT(out, ",\"value\":{\"stringValue\":");
    put_text(out, value);
    PUT(out, "}}");
}

/* What the service says of itself stands before what the environment adds; a name is there once. */
static bool is_own(const char *key)
{
    return strcmp(key, "service.name") == 0 || strcmp(key, "service.version") == 0 ||
           strcmp(key, "process.pid") == 0;
}

void otlp_begin(otlp_text *out, const matching_trace_options *options, const char *version)
{
    const matching_trace_pairs *pairs = &options->attributes;
    PUT(out, "{\"resourceSpans\":[{\"resource\":{\"attributes\":[");
    put_resource_text(out, "service.name", options->service_name);
    PUT(out, ",");
    put_resource_text(out, "service.version", version);
    PUT(out, ",{\"key\":\"process.pid\",\"value\":{\"intValue\":\"");
    put_number(out, (uint64_t)getpid());
    PUT(out, "\"}}");
    for (size_t at = 0; at < pairs->length;) {
        const char *key = pairs->bytes + at, *value = key + strlen(key) + 1;
        if (!is_own(key)) {
            PUT(out, ",");
            put_resource_text(out, key, value);
        }
        at = (size_t)(value - pairs->bytes) + strlen(value) + 1;
    }
    PUT(out, "]},\"scopeSpans\":[{\"scope\":{\"name\":\"matching\",\"version\":");
    put_text(out, version);
    PUT(out, "},\"spans\":[");
}

static void put_attributes(otlp_text *out, const span_record *span)
{
    PUT(out, ",\"attributes\":[");
    for (unsigned i = 0; i < span->field_count; i++) {
        const span_record_field *field = &span->fields[i];
        if (i > 0) {
            PUT(out, ",");
        }
        PUT(out, "{\"key\":");
        put_name(out, field->name);
        if (field->is_text) {
            PUT(out, ",\"value\":{\"stringValue\":");
            put_text(out, span->text + field->value);
            PUT(out, "}}");
        } else {
            PUT(out, ",\"value\":{\"intValue\":\"");
            put_signed(out, field->value);
            PUT(out, "\"}}");
        }
    }
    PUT(out, "]");
}

static void put_events(otlp_text *out, const span_record *span, uint64_t unix_ns)
{
    PUT(out, ",\"events\":[");
    for (unsigned i = 0; i < span->event_count; i++) {
        if (i > 0) {
            PUT(out, ",");
        }
        PUT(out, "{\"timeUnixNano\":\"");
        put_number(out, span->events[i].time_ns + unix_ns);
        PUT(out, "\",\"name\":");
        put_name(out, span->events[i].name);
        PUT(out, "}");
    }
    PUT(out, "]");
}

static void put_flags(otlp_text *out, bool is_remote)
{
    PUT(out, ",\"flags\":");
    put_number(out, FLAG_SAMPLED | FLAG_KNOWS_REMOTE | (is_remote ? FLAG_IS_REMOTE : 0));
}

void otlp_span(otlp_text *out, const span_record *span, uint64_t unix_ns, bool is_first)
{
    if (!is_first) {
        PUT(out, ",");
    }
    PUT(out, "{");
    put_ids(out, &span->own);
    if (span->parent_id != 0) {
        PUT(out, ",\"parentSpanId\":\"");
        put_hex(out, span->parent_id);
        PUT(out, "\"");
    }
    put_flags(out, span->has_remote_parent);
    PUT(out, ",\"name\":");
    put_name(out, span->name);
    PUT(out, ",\"kind\":");
    put_number(out, span->kind);
    PUT(out, ",\"startTimeUnixNano\":\"");
    put_number(out, span->start_ns + unix_ns);
    PUT(out, "\",\"endTimeUnixNano\":\"");
    put_number(out, span->end_ns + unix_ns);
    PUT(out, "\"");
    if (span->field_count > 0) {
        put_attributes(out, span);
    }
    if (span->event_count > 0) {
        put_events(out, span, unix_ns);
    }
    if (span->link.span_id != 0) {
        PUT(out, ",\"links\":[{");
        put_ids(out, &span->link);
        put_flags(out, span->link.is_remote);
        PUT(out, "}]");
    }
    if (span->is_error) {
        PUT(out, ",\"status\":{\"code\":");
        put_number(out, STATUS_ERROR);
        PUT(out, ",\"message\":");
        put_text(out, span->text + span->error_at);
        PUT(out, "}");
    }
    PUT(out, "}");
}

void otlp_end(otlp_text *out)
{
    PUT(out, "]}]}]}");
}

uint64_t otlp_rejected(const char *response)
{
    static const char name[] = "\"rejectedSpans\"";
    const char *at = strstr(response, name);
    if (at == NULL) {
        return 0;
    }
    at += sizeof name - 1;
    at += strspn(at, " \t\r\n:\""); /* a number, or one as a string */
    return *at >= '0' && *at <= '9' ? strtoull(at, NULL, 10) : 0;
}
