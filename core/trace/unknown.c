/* See unknown.h. All names that begin with OTEL_ but those in the table, so that one that is
 * misspelt, or that a later version of the specification brings, is told as well.
 */
#define _GNU_SOURCE /* environ */
#include "trace/unknown.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define PREFIX "OTEL_"
#define COMMA ", "
#define ELLIPSIS "..."

/* value: what it may be without being told, NULL: anything, since it is looked at. */
static const struct {
    const char *name, *value;
} known[] = {
    {"OTEL_SDK_DISABLED", NULL},
    {"OTEL_SERVICE_NAME", NULL},
    {"OTEL_RESOURCE_ATTRIBUTES", NULL},
    {"OTEL_TRACES_EXPORTER", NULL},
    {"OTEL_TRACES_SAMPLER", NULL},
    {"OTEL_TRACES_SAMPLER_ARG", NULL},
    {"OTEL_BSP_MAX_QUEUE_SIZE", NULL},
    {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", NULL},
    {"OTEL_BSP_SCHEDULE_DELAY", NULL},
    {"OTEL_BSP_EXPORT_TIMEOUT", NULL},
    {"OTEL_EXPORTER_OTLP_ENDPOINT", NULL},
    {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", NULL},
    {"OTEL_EXPORTER_OTLP_HEADERS", NULL},
    {"OTEL_EXPORTER_OTLP_TRACES_HEADERS", NULL},
    {"OTEL_EXPORTER_OTLP_TIMEOUT", NULL},
    {"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", NULL},
    {"OTEL_EXPORTER_OTLP_PROTOCOL", NULL},
    {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", NULL},
    {"OTEL_EXPORTER_OTLP_COMPRESSION", NULL},
    {"OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", NULL},
    {"OTEL_EXPORTER_OTLP_CERTIFICATE", NULL},
    {"OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", NULL},
    {"OTEL_EXPORTER_OTLP_CLIENT_KEY", NULL},
    {"OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", NULL},
    {"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", NULL},
    {"OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE", NULL},
    /* What is done anyway. */
    {"OTEL_PROPAGATORS", "tracecontext"},
    {"OTEL_METRICS_EXPORTER", "none"},
    {"OTEL_LOGS_EXPORTER", "none"},
};

/* variable: NAME=VALUE, with a name of so many bytes. An empty one counts as absent. */
static bool is_told(const char *variable, size_t length)
{
    const char *value = variable + length + 1;
    if (strncmp(variable, PREFIX, sizeof PREFIX - 1) != 0 || variable[length] != '=' ||
        value[0] == '\0') {
        return false;
    }
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strlen(known[i].name) == length && memcmp(variable, known[i].name, length) == 0) {
            return known[i].value != NULL && strcasecmp(value, known[i].value) != 0;
        }
    }
    return true;
}

void trace_unknown_variables(char *names, size_t size)
{
    size_t end = 0;
    names[0] = '\0';
    for (char **at = environ; at != NULL && *at != NULL; at++) {
        size_t length = strcspn(*at, "=");
        if (!is_told(*at, length)) {
            continue;
        }
        const char *comma = end > 0 ? COMMA : "";
        /* Behind it there is to be room for the rest that finds none. */
        if (end + strlen(comma) + length + sizeof COMMA ELLIPSIS > size) {
            snprintf(names + end, size - end, "%s" ELLIPSIS, comma);
            return;
        }
        end += (size_t)snprintf(names + end, size - end, "%s%.*s", comma, (int)length, *at);
    }
}
