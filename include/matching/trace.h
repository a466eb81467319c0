/* Traces: spans for an OpenTelemetry collector, so that one request can be followed through all of
 * it. docs/tracing.md says what is told and how it is turned on.
 *
 * There is one recorder for the process, as there is one log; it is off unless the environment asks
 * for it (matching_trace_start in core/trace/tracing.h). While it is off, and for a span that is
 * not sampled, all that is here costs one branch that always goes the same way. Whoever ends a
 * sampled span copies it into a bounded queue and goes on: no lock, no memory, no I/O. When the
 * queue is full the span is dropped and counted.
 *
 * A door keeps a matching_span beside what it times, from begin to end, and tells what it has
 * learnt when it ends it. All functions: any thread; a span belongs to one thread at a time. A span
 * that was begun and is never ended is told to nobody and needs no cleaning up.
 *
 *   matching_span span;
 *   matching_span_begin(&span, NULL, received_ns);
 *   const matching_trace_context *before = matching_trace_enter(&span);
 *   ... what is submitted to a port here gets an order.match span below this one ...
 *   matching_trace_leave(before);
 *   if (matching_span_is_sampled(&span)) {
 *       const matching_trace_field fields[] = {
 *           {.name = "message.type", .text = type},
 *           {.name = "message.size_bytes", .number = length},
 *       };
 *       matching_span_end(&span, &(matching_span_facts){
 *           .name = "websocket.message.handle", .kind = MATCHING_SPAN_SERVER,
 *           .fields = fields, .field_count = 2});
 *   }
 */
#ifndef MATCHING_TRACE_H
#define MATCHING_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MATCHING_SPAN_FIELDS_MAX 8 /* further ones are left out */
#define MATCHING_SPAN_EVENTS_MAX 8
#define MATCHING_SPAN_TEXT_MAX 192 /* bytes of all texts of a span together; what is over is cut */
#define MATCHING_TRACESTATE_SIZE 2048 /* of what comes in headers; of longer ones nothing counts */
#define MATCHING_SPAN_NAME_MAX 48 /* bytes of a name, of which none may need an escape in JSON */

/* Who a span is, for those below it. All zeros: nobody, and not sampled. */
typedef struct matching_trace_context {
    uint64_t trace_high, trace_low; /* the trace's id, as a number of 128 bits */
    uint64_t span_id;
    bool is_sampled;
    bool is_remote; /* it came in a traceparent */
    uint32_t state; /* number of the tracestate that came beside it; 0: none */
} matching_trace_context;

/* A span that is under way. Its end_ns is not known yet; times are monotonic nanoseconds. */
typedef struct matching_span {
    matching_trace_context own;
    uint64_t parent_id; /* 0: it is the first of its trace */
    uint64_t start_ns;
    bool has_remote_parent;
} matching_span;

/* What OTLP calls them. */
typedef enum matching_span_kind {
    MATCHING_SPAN_INTERNAL = 1,
    MATCHING_SPAN_SERVER = 2,  /* handles a request of a client */
    MATCHING_SPAN_PRODUCER = 4 /* sends what nobody has asked for just now */
} matching_span_kind;

/* An attribute. */
typedef struct matching_trace_field {
    const char *name; /* static: only the pointer is kept */
    const char *text; /* copied; UTF-8. NULL: it is a number; "": it is left out */
    uint64_t number;
} matching_trace_field;

/* Something that happened within the span. */
typedef struct matching_trace_event {
    const char *name; /* static */
    uint64_t time_ns; /* monotonic; 0: it is left out */
} matching_trace_event;

typedef struct matching_span_facts {
    const char *name; /* static */
    matching_span_kind kind;
    const char *error; /* why it failed, copied; NULL: it did not */
    const matching_trace_context
        *link; /* a span of another trace that this one has to do with, such
                                           as the connection's; NULL or not sampled: none */
    const matching_trace_field *fields;
    size_t field_count;
    const matching_trace_event *events;
    size_t event_count;
    uint64_t end_ns; /* monotonic; 0: now */
} matching_span_facts;

/* For the functions below only. */
extern bool matching_trace_active; /* changes only while nobody records */
/* What is looked at for each message is found without a call, in a library too: 16 bytes of the
 * little room that a program has for those that it loads late. */
#define MATCHING_TRACE_NEAR __attribute__((tls_model("initial-exec")))
extern _Thread_local const matching_trace_context *matching_trace_current MATCHING_TRACE_NEAR;
/* Traces that are passed over before the next one that is sampled. */
extern _Thread_local uint64_t matching_trace_gap MATCHING_TRACE_NEAR;
void matching_span_begin_slow(matching_span *span, const matching_trace_context *parent,
                              uint64_t start_ns);
void matching_span_begin_remote_slow(matching_span *span, const char *traceparent, size_t length,
                                     uint64_t start_ns);
void matching_span_state_slow(matching_span *span, const char *tracestate, size_t length);

/* Are traces recorded at all? */
static inline bool matching_trace_is_on(void)
{
    return __builtin_expect(matching_trace_active, 0);
}

/* While traces are on: a trace that would begin here is not sampled, and counts as begun. False: it
 * is for matching_span_begin to tell. For where a span that is not sampled need not even be. */
static inline bool matching_trace_passes(void)
{
    if (__builtin_expect(matching_trace_gap > 0, 1)) {
        matching_trace_gap--;
        return true;
    }
    return false;
}

/* Is it worth the work to find out what the span's end would tell? Of a span that is all zeros it
 * is not. */
static inline bool matching_span_is_sampled(const matching_span *span)
{
    return __builtin_expect(span->own.is_sampled, 0);
}

/* A span begins, as part of its parent's trace; NULL: of a trace of its own, which the sampler
 * decides about. Below a parent that is not sampled, none is. start_ns: 0 means now. Sets all of
 * *span that is looked at later. */
static inline void matching_span_begin(matching_span *span, const matching_trace_context *parent,
                                       uint64_t start_ns)
{
    span->own.is_sampled = false;
    if (matching_trace_is_on() && (parent != NULL || !matching_trace_passes())) {
        matching_span_begin_slow(span, parent, start_ns);
    }
}

/* The same for a request that may carry a W3C traceparent: its value, as it came; NULL: it has
 * none. One that is malformed counts as none. */
static inline void matching_span_begin_remote(matching_span *span, const char *traceparent,
                                              size_t length, uint64_t start_ns)
{
    span->own.is_sampled = false;
    if (matching_trace_is_on()) {
        matching_span_begin_remote_slow(span, traceparent, length, start_ns);
    }
}

/* The tracestate that came beside the traceparent of a span that has just begun: its value, as it
 * came, those of several headers joined by commas in their order. It goes out with this span and
 * those below it. Does nothing where the traceparent did not count, or if it is malformed
 * itself. */
static inline void matching_span_state(matching_span *span, const char *tracestate, size_t length)
{
    if (matching_span_is_sampled(span) && span->has_remote_parent && length > 0) {
        matching_span_state_slow(span, tracestate, length);
    }
}

/* From here on until leave, what this thread submits to a port is this span's work: a PLACE, CANCEL
 * or AMEND gets an order.match span below it. Of a span that is not sampled there is none. Returns
 * what leave wants. */
static inline const matching_trace_context *matching_trace_enter(const matching_span *span)
{
    const matching_trace_context *before = NULL;
    if (matching_trace_is_on()) {
        before = matching_trace_current;
        matching_trace_current = span->own.is_sampled ? &span->own : NULL;
    }
    return before;
}
static inline void matching_trace_leave(const matching_trace_context *before)
{
    if (matching_trace_is_on()) {
        matching_trace_current = before;
    }
}

/* The span has ended. Does nothing if it is not sampled; one that is, is told once: it is not
 * sampled any more then, but its context may still be a parent or link if it was copied before. */
void matching_span_end(matching_span *span, const matching_span_facts *facts);

/* Several headers tracestate as one, to be handed to matching_span_state. All zeros: none yet. */
typedef struct matching_tracestate {
    size_t length;
    bool is_too_long; /* none of it counts */
    char text[MATCHING_TRACESTATE_SIZE];
} matching_tracestate;
void matching_tracestate_add(matching_tracestate *all, const char *value, size_t length);

/* Reads a W3C traceparent. False, and *context unchanged: it is malformed. Pure. */
bool matching_traceparent_parse(const char *text, size_t length, matching_trace_context *context);

/* Counts since the start. */
typedef struct matching_trace_counts {
    uint64_t recorded; /* sampled spans that ended */
    uint64_t dropped;  /* of these: the queue was full */
    uint64_t exported; /* the collector took them */
    uint64_t failed;   /* it did not */
} matching_trace_counts;
void matching_trace_counts_get(matching_trace_counts *counts);

#endif
