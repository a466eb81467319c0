/* Spans as OTLP's JSON: protobuf's JSON mapping with ids in hexadecimal, as OTLP has it. No I/O;
 * any thread, an otlp_text being one thread's.
 */
#ifndef MATCHING_OTLP_H
#define MATCHING_OTLP_H

#include <stdbool.h>
#include <stddef.h>

#include "matching/trace_export.h"
#include "trace/recorder.h"

#define OTLP_NAMES 64 /* names that are kept; twice as many as there are */

typedef struct otlp_name {
    const char *name; /* NULL: none yet */
    size_t length;
    char bytes[MATCHING_SPAN_NAME_MAX];
} otlp_name;

/* A text that grows. All zeros: empty. */
typedef struct otlp_text {
    char *bytes; /* heap; see otlp_free */
    size_t length, capacity;
    bool failed; /* no memory: it is not whole */

    /* What was written and is likely to come again; otlp.c's. */
    uint64_t second_ns; /* a time of whole seconds */
    char second[10];    /* and its seconds in digits */
    otlp_name names[OTLP_NAMES];
} otlp_text;

/* An ExportTraceServiceRequest: begin, each span, end. What was there before is gone, but not its
 * memory. */
void otlp_begin(otlp_text *out, const matching_trace_options *options, const char *version);

/* unix_ns: what is to be added to a monotonic time. is_first: of this request. */
void otlp_span(otlp_text *out, const span_record *span, uint64_t unix_ns, bool is_first);
void otlp_end(otlp_text *out);

/* Its memory; it is empty then. */
void otlp_free(otlp_text *out);

/* How many spans the collector has refused of those in a request that it took: what it says in its
 * ExportTraceServiceResponse. */
uint64_t otlp_rejected(const char *response);

#endif
