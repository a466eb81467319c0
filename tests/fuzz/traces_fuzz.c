/* Fuzz target: any bytes as a traceparent, as a tracestate, as OpenTelemetry's variables (lines of
 * NAME=VALUE), and as a text in a span.
 *
 * What must hold: no crash; a traceparent that is taken says what was read of it; what is kept of a
 * tracestate is one; variables are taken
 * whole or refused with the name of one; names and values in them end where they should; whatever a
 * span and its resource hold, a request is JSON.
 */
#define _GNU_SOURCE /* environ */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "json_reader.h"
#include "json_text.h"
#include "matching/trace.h"
#include "trace/otlp.h"
#include "trace/tracestate.h"

#define VARIABLES_MAX 24

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void check_traceparent(const char *text, size_t length)
{
    char again[64];
    const matching_trace_context before = {.trace_high = 1, .span_id = 2};
    matching_trace_context context = before;
    if (!matching_traceparent_parse(text, length, &context)) {
        must(memcmp(&context, &before, sizeof context) == 0);
        return;
    }
    int size = snprintf(again, sizeof again, "-%016llx%016llx-%016llx-",
                        (unsigned long long)context.trace_high,
                        (unsigned long long)context.trace_low, (unsigned long long)context.span_id);
    must(length >= 55 && memcmp(again, text + 2, (size_t)size) == 0);
    must((context.trace_high | context.trace_low) != 0 && context.span_id != 0);
    must(memcmp(text, "ff", 2) != 0 && (memcmp(text, "00", 2) != 0 || length == 55));
    must(context.is_remote && context.is_sampled == (strchr("13579bdf", text[54]) != NULL));
}

static void check_tracestate(const char *text, size_t length)
{
    char once[TRACE_STATE_MAX], again[TRACE_STATE_MAX];
    size_t kept = tracestate_clean(text, length, once);
    must(kept <= sizeof once && (kept == 0 || memchr(once, '=', kept) != NULL));
    must(tracestate_clean(once, kept, again) == kept && memcmp(once, again, kept) == 0);
}

/* ---- Variables ------------------------------------------------------------------------------- */

/* Names and values in turn, each with its NUL. */
static void check_pairs(const matching_trace_pairs *pairs)
{
    size_t texts = 0;
    must(pairs->length <= sizeof pairs->bytes);
    must(pairs->length == 0 || pairs->bytes[pairs->length - 1] == '\0');
    for (size_t at = 0; at < pairs->length; at += strlen(pairs->bytes + at) + 1) {
        must(texts % 2 == 1 || pairs->bytes[at] != '\0');
        for (const char *c = pairs->bytes + at; *c != '\0'; c++)
            must((unsigned char)*c >= ' ' && *c != 0x7f);
        texts++;
    }
    must(texts % 2 == 0);
}

static void check_options(const matching_trace_options *options)
{
    must(strncasecmp(options->url, "http", 4) == 0 && strchr(options->url, ' ') == NULL);
    must(memchr(options->url, '\0', sizeof options->url) != NULL);
    must(memchr(options->service_name, '\0', sizeof options->service_name) != NULL);
    must(options->service_name[0] != '\0');
    check_pairs(&options->headers);
    check_pairs(&options->attributes);
    must(memchr(options->unknown, '\0', sizeof options->unknown) != NULL);
    must(options->own_key[0] == '\0' || options->own_certificate[0] != '\0');
    must(options->ratio >= 0 && options->ratio <= 1);
    must(options->queue >= 2 && options->batch >= 1 && options->batch <= options->queue);
    must(options->timeout_ms > 0 && options->give_up_ms > 0 && options->delay_ms > 0);
}

/* True: traces are on. `lines` is taken apart. */
static bool read_options(char *lines, matching_trace_options *options)
{
    static char on[] = "OTEL_TRACES_EXPORTER=otlp";
    char *variables[VARIABLES_MAX + 1] = {on}, **before = environ, error[256] = "";
    size_t count = 1;
    for (char *line = strtok(lines, "\n"); line != NULL; line = strtok(NULL, "\n"))
        if (count < VARIABLES_MAX && strncmp(line, "OTEL_", 5) == 0)
            variables[count++] = line;
    environ = variables;
    int code = matching_trace_options_read(options, error, sizeof error);
    environ = before;
    must(code == 0 ? error[0] == '\0' : strncmp(error, "OTEL_", 5) == 0);
    if (code == 0 && options->is_on)
        check_options(options);
    return code == 0 && options->is_on;
}

/* ---- A request ------------------------------------------------------------------------------- */

static void check_request(const matching_trace_options *options, const char *text)
{
    span_record span = {.own = {.trace_high = 1, .span_id = 1},
                        .name = "name",
                        .kind = MATCHING_SPAN_SERVER,
                        .is_error = true,
                        .field_count = 1};
    otlp_text out = {0};
    size_t length = strnlen(text, sizeof span.text - 1);
    memcpy(span.text, text, length);
    span.error_length = (uint16_t)length;
    span.fields[0] =
        (span_record_field){.name = "text", .is_text = true, .length = (uint16_t)length};
    otlp_begin(&out, options, "1");
    otlp_span(&out, &span, 0, true);
    otlp_span(&out, &span, UINT64_C(1700000000000000000), false);
    otlp_end(&out);
    must(!out.failed && matching_json_check(out.bytes, out.length, MATCHING_JSON_DEPTH_MAX));
    otlp_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static matching_trace_options options;
    static const matching_trace_options plain = {.service_name = "s"};
    char *copy = malloc(size + 1);
    if (copy == NULL)
        return 0;
    memcpy(copy, data, size);
    copy[size] = '\0';
    check_traceparent((const char *)data, size);
    check_tracestate((const char *)data, size);
    check_request(&plain, copy);
    if (read_options(copy, &options))
        check_request(&options, "");
    free(copy);
    return 0;
}
