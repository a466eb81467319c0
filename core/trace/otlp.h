/* Spans as OTLP's JSON: protobuf's JSON mapping with ids in hexadecimal, as OTLP has it. Pure; any
 * thread.
 */
#ifndef MATCHING_OTLP_H
#define MATCHING_OTLP_H

#include <stdbool.h>
#include <stddef.h>

#include "matching/trace_export.h"
#include "trace/recorder.h"

/* A text that grows. All zeros: empty. */
typedef struct otlp_text {
    char *bytes; /* heap; the owner frees it */
    size_t length, capacity;
    bool failed; /* no memory: it is not whole */
} otlp_text;

/* An ExportTraceServiceRequest: begin, each span, end. */
void otlp_begin(otlp_text *out, const matching_trace_options *options, const char *version);

/* unix_ns: what is to be added to a monotonic time. is_first: of this request. */
void otlp_span(otlp_text *out, const span_record *span, uint64_t unix_ns, bool is_first);
void otlp_end(otlp_text *out);

/* How many spans the collector has refused of those in a request that it took: what it says in its
 * ExportTraceServiceResponse. */
uint64_t otlp_rejected(const char *response);

#endif
