/* Spans as OTLP's JSON: protobuf's JSON mapping with ids in hexadecimal, as OTLP has it. Pure; any
 * thread.
 */
#ifndef MATCHING_OTLP_H
#define MATCHING_OTLP_H

#include <stdio.h>

#include "matching/trace_export.h"
#include "trace/recorder.h"

/* An ExportTraceServiceRequest: begin, each span, end. */
void otlp_begin(FILE *out, const matching_trace_options *options, const char *version);

/* unix_ns: what is to be added to a monotonic time. is_first: of this request. */
void otlp_span(FILE *out, const span_record *span, uint64_t unix_ns, bool is_first);
void otlp_end(FILE *out);

/* How many spans the collector has refused of those in a request that it took: what it says in its
 * ExportTraceServiceResponse. */
uint64_t otlp_rejected(const char *response);

#endif
