/* Where traces go: to a collector that speaks OTLP over HTTP, as JSON, if the environment says so
 * by OpenTelemetry's own variables (docs/tracing.md has those that are looked at).
 *
 * Main thread. A program without this library records nothing, whatever it calls of
 * matching/trace.h.
 */
#ifndef MATCHING_TRACE_EXPORT_H
#define MATCHING_TRACE_EXPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MATCHING_TRACE_URL_MAX 1024
#define MATCHING_TRACE_PAIRS_MAX 4096 /* bytes */
#define MATCHING_TRACE_NAME_MAX 256
#define MATCHING_TRACE_PATH_MAX 1024
#define MATCHING_TRACE_UNKNOWN_MAX 512 /* of names of variables */

/* Names and values, one behind the other, each with its NUL. */
typedef struct matching_trace_pairs {
    size_t length;
    char bytes[MATCHING_TRACE_PAIRS_MAX];
} matching_trace_pairs;

typedef struct matching_trace_options {
    bool is_on; /* false: the rest is not set */
    char url[MATCHING_TRACE_URL_MAX];
    char service_name[MATCHING_TRACE_NAME_MAX];
    matching_trace_pairs headers, attributes;
    bool is_parent_based; /* a traceparent decides about its trace */
    double ratio;         /* of the other traces, those that are recorded; 0 to 1 */
    bool is_gzip;         /* how requests are compressed */
    /* Files, as PEM: who may have signed the collector's certificate, and what it is shown; "":
     * libcurl's own, and nothing. */
    char authorities[MATCHING_TRACE_PATH_MAX];
    char own_certificate[MATCHING_TRACE_PATH_MAX], own_key[MATCHING_TRACE_PATH_MAX];
    char
        unknown[MATCHING_TRACE_UNKNOWN_MAX]; /* names of variables that are set and not looked at */
    uint32_t timeout_ms;                     /* of one request */
    uint32_t give_up_ms;                     /* of a batch, with all that it is sent again */
    uint32_t queue;                          /* spans that may wait */
    uint32_t batch;    /* spans in a request at most, and enough for one to be sent at once */
    uint32_t delay_ms; /* the longest that a span waits for others */
} matching_trace_options;

/* Reads the environment. 0, or -EINVAL with an error that names the variable. */
int matching_trace_options_read(matching_trace_options *options, char *error, size_t error_size);

/* Spans are recorded and sent from now on; nothing if it is off. Before the core is made, so that
 * its ports know. version: the program's. 0, or a negative errno with the reason in error. */
int matching_trace_start(const matching_trace_options *options, const char *version, char *error,
                         size_t error_size);

/* Sends what is there, for a few seconds at most, and ends. When nobody records any more. Again, or
 * without start, does nothing. */
void matching_trace_stop(void);

#endif
