/* See otlp.h. 64-bit numbers are strings, bytes of ids hexadecimal digits, enums numbers. */
#include "trace/otlp.h"

#include <inttypes.h>
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

static void write_text(FILE *out, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    putc('"', out);
    while (*at != '\0') {
        size_t length = character_length(at);
        if (length == 0) {
            fputs("\\ufffd", out);
            at++;
            continue;
        }
        if (*at < ' ') {
            fprintf(out, "\\u%04x", *at);
        } else {
            if (*at == '"' || *at == '\\') {
                putc('\\', out);
            }
            fwrite(at, 1, length, out);
        }
        at += length;
    }
    putc('"', out);
}

static void write_ids(FILE *out, const matching_trace_context *context)
{
    fprintf(out, "\"traceId\":\"%016" PRIx64 "%016" PRIx64 "\",\"spanId\":\"%016" PRIx64 "\"",
            context->trace_high, context->trace_low, context->span_id);
}

static void write_text_attribute(FILE *out, const char *key, const char *value, bool is_first)
{
    fputs(is_first ? "{\"key\":" : ",{\"key\":", out);
    write_text(out, key);
    fputs(",\"value\":{\"stringValue\":", out);
    write_text(out, value);
    fputs("}}", out);
}

static void write_number_attribute(FILE *out, const char *key, uint64_t value, bool is_first)
{
    fputs(is_first ? "{\"key\":" : ",{\"key\":", out);
    write_text(out, key);
    fprintf(out, ",\"value\":{\"intValue\":\"%" PRId64 "\"}}", (int64_t)value);
}

/* What the service says of itself stands before what the environment adds; a name is there once. */
static bool is_own(const char *key)
{
    return strcmp(key, "service.name") == 0 || strcmp(key, "service.version") == 0 ||
           strcmp(key, "process.pid") == 0;
}

void otlp_begin(FILE *out, const matching_trace_options *options, const char *version)
{
    const matching_trace_pairs *pairs = &options->attributes;
    fputs("{\"resourceSpans\":[{\"resource\":{\"attributes\":[", out);
    write_text_attribute(out, "service.name", options->service_name, true);
    write_text_attribute(out, "service.version", version, false);
    write_number_attribute(out, "process.pid", (uint64_t)getpid(), false);
    for (size_t at = 0; at < pairs->length;) {
        const char *key = pairs->bytes + at, *value = key + strlen(key) + 1;
        if (!is_own(key)) {
            write_text_attribute(out, key, value, false);
        }
        at = (size_t)(value - pairs->bytes) + strlen(value) + 1;
    }
    fputs("]},\"scopeSpans\":[{\"scope\":{\"name\":\"matching\",\"version\":", out);
    write_text(out, version);
    fputs("},\"spans\":[", out);
}

static void write_attributes(FILE *out, const span_record *span)
{
    fputs(",\"attributes\":[", out);
    for (unsigned i = 0; i < span->field_count; i++) {
        const span_record_field *field = &span->fields[i];
        if (field->is_text) {
            write_text_attribute(out, field->name, span->text + field->value, i == 0);
        } else {
            write_number_attribute(out, field->name, field->value, i == 0);
        }
    }
    putc(']', out);
}

static void write_events(FILE *out, const span_record *span, uint64_t unix_ns)
{
    fputs(",\"events\":[", out);
    for (unsigned i = 0; i < span->event_count; i++) {
        fprintf(out, "%s{\"timeUnixNano\":\"%" PRIu64 "\",\"name\":", i == 0 ? "" : ",",
                span->events[i].time_ns + unix_ns);
        write_text(out, span->events[i].name);
        putc('}', out);
    }
    putc(']', out);
}

void otlp_span(FILE *out, const span_record *span, uint64_t unix_ns, bool is_first)
{
    fputs(is_first ? "{" : ",{", out);
    write_ids(out, &span->own);
    if (span->parent_id != 0) {
        fprintf(out, ",\"parentSpanId\":\"%016" PRIx64 "\"", span->parent_id);
    }
    fprintf(out, ",\"flags\":%u,\"name\":",
            FLAG_SAMPLED | FLAG_KNOWS_REMOTE | (span->has_remote_parent ? FLAG_IS_REMOTE : 0));
    write_text(out, span->name);
    fprintf(out,
            ",\"kind\":%u,\"startTimeUnixNano\":\"%" PRIu64 "\",\"endTimeUnixNano\":\"%" PRIu64
            "\"",
            span->kind, span->start_ns + unix_ns, span->end_ns + unix_ns);
    if (span->field_count > 0) {
        write_attributes(out, span);
    }
    if (span->event_count > 0) {
        write_events(out, span, unix_ns);
    }
    if (span->link.span_id != 0) {
        fputs(",\"links\":[{", out);
        write_ids(out, &span->link);
        fprintf(out, ",\"flags\":%u}]",
                FLAG_SAMPLED | FLAG_KNOWS_REMOTE | (span->link.is_remote ? FLAG_IS_REMOTE : 0));
    }
    if (span->is_error) {
        fprintf(out, ",\"status\":{\"code\":%d,\"message\":", STATUS_ERROR);
        write_text(out, span->text + span->error_at);
        putc('}', out);
    }
    putc('}', out);
}

void otlp_end(FILE *out)
{
    fputs("]}]}]}", out);
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
