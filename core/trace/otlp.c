/* See otlp.h. 64-bit numbers are strings, bytes of ids hexadecimal digits, enums numbers.
 *
 * A span is most of what a sampled order costs, so it is written in one go: room for the longest is
 * made once, and after that each writer stores at `at` without looking and returns what is behind
 * it. Writers of texts and numbers may store up to SLACK bytes more than they return.
 */
#include "trace/otlp.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "trace/states.h"

#define STATUS_ERROR "2"

/* Flags of a span: sampled (0x001), it is known whether its parent was remote (0x100), it was
 * (0x200). */
#define FLAGS_LOCAL "257"
#define FLAGS_REMOTE "769"

#define SECOND_NS UINT64_C(1000000000)
#define SLACK 64
#define ESCAPE_MAX 6 /* bytes that one of a text becomes at most */

/* The longest span: all that is constant in it, attributes, events, texts. */
#define SPAN_ROOM                                                                                  \
    (1024 + MATCHING_SPAN_FIELDS_MAX * (MATCHING_SPAN_NAME_MAX + 96) +                             \
     MATCHING_SPAN_EVENTS_MAX * (MATCHING_SPAN_NAME_MAX + 96) +                                    \
     MATCHING_SPAN_TEXT_MAX * ESCAPE_MAX + 2 * (TRACE_STATE_MAX * ESCAPE_MAX + SLACK) + SLACK)

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

#define PUT(at, literal)                                                                           \
    ((char *)memcpy((at), "" literal, sizeof(literal) - 1) + sizeof(literal) - 1)

static __attribute__((noinline)) bool grow(otlp_text *out, size_t more)
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

/* Where to write so many bytes. NULL: no memory. */
static inline char *room_for(otlp_text *out, size_t bytes)
{
    return out->capacity - out->length >= bytes || grow(out, bytes) ? out->bytes + out->length
                                                                    : NULL;
}

static inline void written(otlp_text *out, const char *end)
{
    out->length = (size_t)(end - out->bytes);
}

/* "00", "01", ... */
#define TEN(d) d "0" d "1" d "2" d "3" d "4" d "5" d "6" d "7" d "8" d "9"
#define SIXTEEN(d) TEN(d) d "a" d "b" d "c" d "d" d "e" d "f"
static const char two_digits[] =
    TEN("0") TEN("1") TEN("2") TEN("3") TEN("4") TEN("5") TEN("6") TEN("7") TEN("8") TEN("9");
static const char two_hex_digits[] = SIXTEEN("0") SIXTEEN("1") SIXTEEN("2") SIXTEEN("3")
    SIXTEEN("4") SIXTEEN("5") SIXTEEN("6") SIXTEEN("7") SIXTEEN("8") SIXTEEN("9") SIXTEEN("a")
        SIXTEEN("b") SIXTEEN("c") SIXTEEN("d") SIXTEEN("e") SIXTEEN("f");

static inline char *write_hex(char *at, uint64_t value)
{
#pragma GCC unroll 8
    for (unsigned i = 0; i < 8; i++) {
        memcpy(at + 2 * i, &two_hex_digits[2 * (value >> (56 - 8 * i) & 255)], 2);
    }
    return at + 16;
}

static char *write_number(char *at, uint64_t value)
{
    char *end = at + 1;
    for (uint64_t rest = value; rest >= 10; rest /= 10) {
        end++;
    }
    at = end;
    for (; value >= 100; value /= 100) {
        at -= 2;
        memcpy(at, &two_digits[2 * (value % 100)], 2);
    }
    if (value >= 10) {
        memcpy(at - 2, &two_digits[2 * value], 2);
    } else {
        at[-1] = (char)('0' + value);
    }
    return end;
}

static char *write_signed(char *at, uint64_t value)
{
    if (value > INT64_MAX) {
        at = PUT(at, "-");
        value = 0 - value;
    }
    return write_number(at, value);
}

/* ---- Times ----------------------------------------------------------------------------------- */

/* Times of spans that are exported together lie within a few seconds: the digits of the second are
 * kept. False: it has not the usual ten. */
static __attribute__((noinline)) bool keep_second(otlp_text *out, uint64_t time_ns)
{
    uint64_t second = time_ns / SECOND_NS;
    if (second < SECOND_NS || second >= 10 * SECOND_NS) {
        return false;
    }
    out->second_ns = second * SECOND_NS;
    (void)write_number(out->second, second);
    return true;
}

static inline char *write_time(otlp_text *out, char *at, uint64_t time_ns)
{
    if (__builtin_expect(time_ns - out->second_ns >= SECOND_NS, 0) && !keep_second(out, time_ns)) {
        return write_number(at, time_ns);
    }
    uint32_t rest = (uint32_t)(time_ns - out->second_ns);
    memcpy(at, out->second, sizeof out->second);
#pragma GCC unroll 4
    for (unsigned i = 8; i > 0; i -= 2, rest /= 100) {
        memcpy(at + sizeof out->second + i - 1, &two_digits[2 * (rest % 100)], 2);
    }
    at[sizeof out->second] = (char)('0' + rest);
    return at + sizeof out->second + 9;
}

/* ---- Texts ----------------------------------------------------------------------------------- */

static bool is_plain(unsigned char c)
{
    return c >= ' ' && c < 0x80 && c != '"' && c != '\\';
}

/* Copies eight bytes. True: all of them are plain. */
static inline bool copy_plain_8(char *at, const char *text)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
    uint64_t word;
    memcpy(&word, text, 8);
    memcpy(at, &word, 8);
    uint64_t quotes = word ^ ones * '"', backslashes = word ^ ones * '\\';
    /* The top bit of a byte is set where it is below 0x20, 0 in one of the others, or above 0x7f;
     * what a borrow adds stands above one that is set rightly. */
    return (((word - ones * ' ') | (quotes - ones) | (backslashes - ones) | word) & tops) == 0;
}

/* What is before the first byte that is not plain may be written and is written again then. */
static inline bool copy_plain(char *at, const char *text, size_t length)
{
    if (length < 8) {
        for (size_t i = 0; i < length; i++) {
            at[i] = text[i];
            if (!is_plain((unsigned char)text[i])) {
                return false;
            }
        }
        return true;
    }
    for (size_t i = 0; i + 8 < length; i += 8) {
        if (!copy_plain_8(at + i, text + i)) {
            return false;
        }
    }
    return copy_plain_8(at + length - 8, text + length - 8);
}

static __attribute__((noinline)) char *write_escaped(char *at, const char *text)
{
    const unsigned char *from = (const unsigned char *)text;
    while (*from != '\0') {
        size_t length = character_length(from);
        if (length == 0) {
            at = PUT(at, "\\ufffd");
            length = 1;
        } else if (*from < ' ') {
            const char escape[] = {
                '\\', 'u', '0', '0', (char)('0' + (*from >> 4)), "0123456789abcdef"[*from & 15]};
            at = (char *)memcpy(at, escape, sizeof escape) + sizeof escape;
        } else {
            if (*from == '"' || *from == '\\') {
                at = PUT(at, "\\");
            }
            at = (char *)memcpy(at, from, length) + length;
        }
        from += length;
    }
    return at;
}

/* As a JSON string. */
static inline char *write_text(char *at, const char *text, size_t length)
{
    at = PUT(at, "\"");
    at = copy_plain(at, text, length) ? at + length : write_escaped(at, text);
    return PUT(at, "\"");
}

/* Names are few, and told apart by where they are. */
static otlp_name *name_slot(otlp_text *out, const char *name)
{
    _Static_assert(OTLP_NAMES == 1 << 6, "as many as 32 - 26 bits tell apart");
    return &out->names[(uint32_t)((uintptr_t)name * 2654435769u) >> 26];
}

/* One that is not in its own place: in one of the next, or not yet. */
static __attribute__((noinline)) const otlp_name *find_name(otlp_text *out, const char *name)
{
    otlp_name *own = name_slot(out, name), *found = own;
    for (unsigned i = 0; i < 4; i++) {
        otlp_name *next = &out->names[(size_t)(own - out->names + i) % OTLP_NAMES];
        if (next->name == name) {
            return next;
        }
        found = found->name != NULL && next->name == NULL ? next : found;
    }
    found->name = name;
    found->length = strlen(name);
    assert(found->length <= MATCHING_SPAN_NAME_MAX);
    memcpy(found->bytes, name, found->length);
    return found;
}

/* One of our own names, in which nothing needs an escape. */
static inline char *write_name(otlp_text *out, char *at, const char *name)
{
    const otlp_name *kept = name_slot(out, name);
    _Static_assert(sizeof kept->bytes == 48 && sizeof kept->bytes <= SLACK, "copied at a stroke");
    if (__builtin_expect(kept->name != name, 0)) {
        kept = find_name(out, name);
    }
    memcpy(at, kept->bytes, 32);
    if (__builtin_expect(kept->length > 32, 0)) {
        memcpy(at + 32, kept->bytes + 32, 16);
    }
    return at + kept->length;
}

/* ---- What a request consists of -------------------------------------------------------------- */

static void put_text(otlp_text *out, const char *text)
{
    size_t length = strlen(text);
    char *at = room_for(out, ESCAPE_MAX * length + SLACK);
    if (at != NULL) {
        written(out, write_text(at, text, length));
    }
}

static void put(otlp_text *out, const char *bytes, size_t length)
{
    char *at = room_for(out, length);
    if (at != NULL) {
        written(out, (char *)memcpy(at, bytes, length) + length);
    }
}
#define PUT_OUT(out, literal) put(out, "" literal, sizeof(literal) - 1)

/* Of the resource, whose names may come from the environment. */
static void put_resource_text(otlp_text *out, const char *key, const char *value)
{
    PUT_OUT(out, "{\"key\":");
    put_text(out, key);
    PUT_OUT(out, ",\"value\":{\"stringValue\":");
    put_text(out, value);
    PUT_OUT(out, "}}");
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
    char pid[SLACK];
    out->length = 0;
    out->failed = false;
    if (out->second_ns == 0) {
        (void)keep_second(out, SECOND_NS * SECOND_NS); /* any will do */
    }
    PUT_OUT(out, "{\"resourceSpans\":[{\"resource\":{\"attributes\":[");
    put_resource_text(out, "service.name", options->service_name);
    PUT_OUT(out, ",");
    put_resource_text(out, "service.version", version);
    PUT_OUT(out, ",{\"key\":\"process.pid\",\"value\":{\"intValue\":\"");
    put(out, pid, (size_t)(write_number(pid, (uint64_t)getpid()) - pid));
    PUT_OUT(out, "\"}}");
    for (size_t at = 0; at < pairs->length;) {
        const char *key = pairs->bytes + at, *value = key + strlen(key) + 1;
        if (!is_own(key)) {
            PUT_OUT(out, ",");
            put_resource_text(out, key, value);
        }
        at = (size_t)(value - pairs->bytes) + strlen(value) + 1;
    }
    PUT_OUT(out, "]},\"scopeSpans\":[{\"scope\":{\"name\":\"matching\",\"version\":");
    put_text(out, version);
    PUT_OUT(out, "},\"spans\":[");
}

/* ---- A span ---------------------------------------------------------------------------------- */

static inline char *write_ids(char *at, const matching_trace_context *context)
{
    at = PUT(at, "\"traceId\":\"");
    at = write_hex(at, context->trace_high);
    at = write_hex(at, context->trace_low);
    at = PUT(at, "\",\"spanId\":\"");
    at = write_hex(at, context->span_id);
    return at;
}

/* The tracestate of that number, if it is still there. */
static __attribute__((noinline)) char *write_state(char *at, uint32_t number)
{
    char text[TRACE_STATE_MAX + 1];
    size_t length = trace_states_read(number, text);
    if (length > 0) {
        text[length] = '\0';
        at = PUT(at, ",\"traceState\":");
        at = write_text(at, text, length);
    }
    return at;
}

static char *write_attributes(otlp_text *out, char *at, const span_record *span)
{
    at = PUT(at, ",\"attributes\":[");
    for (unsigned i = 0; i < span->field_count; i++) {
        const span_record_field *field = &span->fields[i];
        at = PUT(at, "{\"key\":\"");
        at = write_name(out, at, field->name);
        if (field->is_text) {
            at = PUT(at, "\",\"value\":{\"stringValue\":");
            at = write_text(at, span->text + field->value, field->length);
            at = PUT(at, "}},");
        } else {
            at = PUT(at, "\",\"value\":{\"intValue\":\"");
            at = write_signed(at, field->value);
            at = PUT(at, "\"}},");
        }
    }
    return PUT(at - 1, "]"); /* in place of the last comma */
}

static char *write_events(otlp_text *out, char *at, const span_record *span, uint64_t unix_ns)
{
    at = PUT(at, ",\"events\":[");
    for (unsigned i = 0; i < span->event_count; i++) {
        at = PUT(at, "{\"timeUnixNano\":\"");
        at = write_time(out, at, span->events[i].time_ns + unix_ns);
        at = PUT(at, "\",\"name\":\"");
        at = write_name(out, at, span->events[i].name);
        at = PUT(at, "\"},");
    }
    return PUT(at - 1, "]");
}

static inline char *write_flags(char *at, bool is_remote)
{
    return is_remote ? PUT(at, ",\"flags\":" FLAGS_REMOTE) : PUT(at, ",\"flags\":" FLAGS_LOCAL);
}

void otlp_span(otlp_text *out, const span_record *span, uint64_t unix_ns, bool is_first)
{
    char *at = room_for(out, SPAN_ROOM);
    if (at == NULL) {
        return;
    }
    at = is_first ? PUT(at, "{") : PUT(at, ",{");
    at = write_ids(at, &span->own);
    if (span->parent_id != 0) {
        at = PUT(at, "\",\"parentSpanId\":\"");
        at = write_hex(at, span->parent_id);
    }
    at = PUT(at, "\"");
    at = write_flags(at, span->has_remote_parent);
    if (__builtin_expect(span->own.state != 0, 0)) {
        at = write_state(at, span->own.state);
    }
    at = PUT(at, ",\"name\":\"");
    at = write_name(out, at, span->name);
    at = PUT(at, "\",\"kind\":");
    *at++ = (char)('0' + span->kind);
    at = PUT(at, ",\"startTimeUnixNano\":\"");
    at = write_time(out, at, span->start_ns + unix_ns);
    at = PUT(at, "\",\"endTimeUnixNano\":\"");
    at = write_time(out, at, span->end_ns + unix_ns);
    at = PUT(at, "\"");
    if (span->field_count > 0) {
        at = write_attributes(out, at, span);
    }
    if (span->event_count > 0) {
        at = write_events(out, at, span, unix_ns);
    }
    if (span->link.span_id != 0) {
        at = PUT(at, ",\"links\":[{");
        at = write_ids(at, &span->link);
        at = PUT(at, "\"");
        at = write_flags(at, span->link.is_remote);
        if (span->link.state != 0) {
            at = write_state(at, span->link.state);
        }
        at = PUT(at, "}]");
    }
    if (span->is_error) {
        at = PUT(at, ",\"status\":{\"code\":" STATUS_ERROR ",\"message\":");
        at = write_text(at, span->text + span->error_at, span->error_length);
        at = PUT(at, "}");
    }
    written(out, PUT(at, "}"));
}

void otlp_end(otlp_text *out)
{
    PUT_OUT(out, "]}]}]}");
}

void otlp_free(otlp_text *out)
{
    free(out->bytes);
    *out = (otlp_text){0};
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
