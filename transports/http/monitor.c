/* The connections' registry and the core's metrics as JSON, and the latter as Prometheus' text.
 *
 * Invariants: numbers are exact or cut, never floating point; one page is bounded, whatever is
 * connected.
 */
#include "monitor.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "matching/command.h"
#include "matching/connections.h"
#include "matching/metrics.h"
#include "matching/port.h"

/* Decimals are written from mantissas of 10^-8. */
#define UNIT INT64_C(100000000)
#define MS_OF_NS (UNIT / 1000000)
#define PER_THOUSANDTH (UNIT / 1000)

/* ---- Connections ----------------------------------------------------------------------------- */

static void write_text(matching_writer *body, const char *text)
{
    if (text[0] != '\0')
        matching_write_cstring(body, text);
    else
        MATCHING_WRITE(body, "null");
}

static void write_connection(matching_writer *body, const matching_connection_info *info)
{
    MATCHING_WRITE(body, "{\"id\":");
    matching_write_cstring(body, info->id);
    MATCHING_WRITE(body, ",\"transport\":");
    matching_write_cstring(body, info->transport);
    MATCHING_WRITE(body, ",\"trader_id\":");
    write_text(body, info->trader_id);
    MATCHING_WRITE(body, ",\"remote_address\":");
    write_text(body, info->remote);
    MATCHING_WRITE(body, ",\"connected_at\":");
    matching_write_unsigned(body, info->connected_ms);
    MATCHING_WRITE(body, ",\"last_activity\":");
    matching_write_unsigned(body, info->seen_ms);
    MATCHING_WRITE(body, ",\"messages_received\":");
    matching_write_unsigned(body, info->counts[MATCHING_CONNECTION_MESSAGES_RECEIVED]);
    MATCHING_WRITE(body, ",\"messages_sent\":");
    matching_write_unsigned(body, info->counts[MATCHING_CONNECTION_MESSAGES_SENT]);
    MATCHING_WRITE(body, ",\"bytes_received\":");
    matching_write_unsigned(body, info->counts[MATCHING_CONNECTION_BYTES_RECEIVED]);
    MATCHING_WRITE(body, ",\"bytes_sent\":");
    matching_write_unsigned(body, info->counts[MATCHING_CONNECTION_BYTES_SENT]);
    MATCHING_WRITE(body, ",\"errors\":");
    matching_write_unsigned(body, info->counts[MATCHING_CONNECTION_ERRORS]);
    MATCHING_WRITE(body, ",\"subscriptions\":");
    matching_write_unsigned(body, info->counts[MATCHING_CONNECTION_SUBSCRIPTIONS]);
    MATCHING_WRITE(body, "}");
}

/* The value of a field that may be left out. False with the answer filled: it is out of range. */
static bool take_number(const matching_request *request, matching_field field, int64_t given,
                        int64_t least, int64_t most, int64_t *value, http_answer *answer)
{
    uint32_t bit = MATCHING_FIELD_BIT(field);
    if (!(request->present & bit))
        return true;
    if (!((request->malformed | request->wrong_type) & bit) && given >= least && given <= most) {
        *value = given;
        return true;
    }
    char message[80];
    matching_error error;
    snprintf(message, sizeof message, "%s must be an integer from %lld to %lld",
             matching_field_name(field), (long long)least, (long long)most);
    matching_error_set(&error, MATCHING_INVALID_PARAMETER, field, message);
    http_answer_error(answer, &error);
    return false;
}

void http_monitor_connections(const matching_core *core, const matching_request *request,
                              http_answer *answer)
{
    matching_writer *body = &answer->body;
    matching_connection_info info;
    int64_t after = 0, limit = MATCHING_PAGE_MAX;
    if (!take_number(request, MATCHING_FIELD_AFTER, request->after, 0, MATCHING_ORDER_ID_MAX,
                     &after, answer) ||
        !take_number(request, MATCHING_FIELD_LIMIT, request->limit, 1, MATCHING_PAGE_MAX, &limit,
                     answer))
        return;
    uint64_t position = (uint64_t)after;
    bool more = matching_connections_next(core, &position, &info);
    uint64_t end = (uint64_t)after;
    MATCHING_WRITE(body, "{\"connections\":[");
    for (int64_t i = 0; more && i < limit; i++) {
        if (i > 0)
            MATCHING_WRITE(body, ",");
        write_connection(body, &info);
        end = position;
        more = matching_connections_next(core, &position, &info);
    }
    MATCHING_WRITE(body, "],\"next\":");
    if (more)
        matching_write_unsigned(body, end);
    else
        MATCHING_WRITE(body, "null");
    MATCHING_WRITE(body, "}");
}

/* ---- Metrics --------------------------------------------------------------------------------- */

/* What the process has in memory, of its own and shared; 0: the system does not say. */
static uint64_t resident_bytes(void)
{
    unsigned long long size, resident;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL)
        return 0;
    int found = fscanf(file, "%llu %llu", &size, &resident);
    fclose(file);
    return found == 2 ? resident * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

static int64_t mantissa_of(matching_wide value)
{
    return value < INT64_MAX ? (int64_t)value : INT64_MAX;
}

void http_monitor_metrics(const matching_core *core, http_answer *answer)
{
    matching_writer *body = &answer->body;
    matching_connections_metrics metrics;
    matching_connections_measure(core, &metrics);
    uint64_t received = metrics.received > 0 ? metrics.received : 1;
    /* An error may be told in another window than its message came in. */
    uint64_t errors = metrics.errors < received ? metrics.errors : received;
    uint64_t latencies = metrics.latencies > 0 ? metrics.latencies : 1;
    MATCHING_WRITE(body, "{\"connections\":{\"total_connections\":");
    matching_write_unsigned(body, metrics.opened);
    MATCHING_WRITE(body, ",\"active_connections\":");
    matching_write_unsigned(body, metrics.active);
    MATCHING_WRITE(body, ",\"total_messages_sent\":");
    matching_write_unsigned(body, metrics.messages_sent);
    MATCHING_WRITE(body, ",\"total_subscriptions\":");
    matching_write_unsigned(body, metrics.subscriptions);
    MATCHING_WRITE(body, "},\"messages_per_second\":");
    matching_write_decimal(body,
                           mantissa_of((matching_wide)metrics.messages_a_1000_s * PER_THOUSANDTH));
    MATCHING_WRITE(body, ",\"average_latency_ms\":");
    matching_write_decimal(body,
                           mantissa_of((matching_wide)(metrics.latency_ns / latencies) * MS_OF_NS));
    MATCHING_WRITE(body, ",\"error_rate\":");
    matching_write_decimal(body, mantissa_of((matching_wide)errors * UNIT / received));
    MATCHING_WRITE(body, ",\"memory_usage_mb\":");
    matching_write_decimal(body, mantissa_of((matching_wide)(resident_bytes() / 1000) *
                                             PER_THOUSANDTH)); /* kilobytes are enough */
    MATCHING_WRITE(body, "}");
}

/* ---- The core's metrics ---------------------------------------------------------------------- */

void http_monitor_prometheus(const matching_core *core, http_answer *answer)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    if (out == NULL) {
        http_answer_problem(answer, 503, MATCHING_OVERLOADED, NULL);
        return;
    }
    matching_metrics_print(core, out);
    if (fclose(out) == 0) {
        matching_write(&answer->body, text, length);
        answer->is_metrics = true;
    } else {
        http_answer_problem(answer, 503, MATCHING_OVERLOADED, NULL);
    }
    free(text);
}

static void write_latency(matching_writer *body, const char *name, uint64_t value)
{
    MATCHING_WRITE(body, ",");
    matching_write_cstring(body, name);
    MATCHING_WRITE(body, ":");
    matching_write_unsigned(body, value);
}

static void write_buckets(matching_writer *body, const matching_latency *latency)
{
    MATCHING_WRITE(body, ",\"buckets\":[");
    for (unsigned i = 0; i < latency->bucket_count; i++) {
        if (i > 0)
            MATCHING_WRITE(body, ",");
        MATCHING_WRITE(body, "{\"most_ns\":");
        matching_write_unsigned(body, latency->buckets[i].most_ns);
        write_latency(body, "count", latency->buckets[i].count);
        MATCHING_WRITE(body, "}");
    }
    MATCHING_WRITE(body, "]");
}

void http_monitor_latency(const matching_core *core, http_answer *answer)
{
    matching_writer *body = &answer->body;
    MATCHING_WRITE(body, "{\"stages\":[");
    for (unsigned stage = 0; stage < MATCHING_STAGES; stage++) {
        matching_latency latency;
        matching_metrics_latency(core, stage, &latency);
        if (stage > 0)
            MATCHING_WRITE(body, ",");
        MATCHING_WRITE(body, "{\"stage\":");
        matching_write_cstring(body, matching_stage_name(stage));
        write_latency(body, "count", latency.count);
        write_latency(body, "mean_ns", latency.mean_ns);
        write_latency(body, "p50_ns", latency.p50_ns);
        write_latency(body, "p90_ns", latency.p90_ns);
        write_latency(body, "p99_ns", latency.p99_ns);
        write_latency(body, "p999_ns", latency.p999_ns);
        write_latency(body, "max_ns", latency.max_ns);
        write_buckets(body, &latency);
        MATCHING_WRITE(body, "}");
    }
    MATCHING_WRITE(body, "]}");
}
