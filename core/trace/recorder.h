/* The recorder of traces: the sampler, and the bounded queue between those who end spans and the
 * one thread that exports them. What doors see of it is matching/trace.h.
 *
 * Records have a fixed size. The queue is a ring with many producers and one consumer: a producer
 * takes a number by moving `head` on, fills the slot of that number and sets its turn. Names are
 * static strings, of which only the pointer is kept; other texts are copied.
 */
#ifndef MATCHING_TRACE_RECORDER_H
#define MATCHING_TRACE_RECORDER_H

#include <stdatomic.h>
#include <time.h>

#include "matching/trace.h"

/* What to do with a trace that begins here, and of one that a traceparent brings. */
typedef struct trace_sampler {
    bool is_parent_based; /* a traceparent decides about its trace */
    bool is_always;       /* else: ids whose low half is below `below` */
    uint64_t below;
} trace_sampler;

typedef struct span_record_field {
    const char *name;
    bool is_text;
    uint16_t length; /* of a text */
    uint64_t value;  /* the number, or where in `text` it begins */
} span_record_field;

typedef struct span_record {
    _Atomic uint64_t turn;
    matching_trace_context own, link; /* link.span_id 0: none */
    uint64_t parent_id;
    uint64_t start_ns, end_ns; /* monotonic */
    const char *name;
    uint8_t kind;
    bool has_remote_parent;
    bool is_error;
    uint8_t field_count, event_count;
    uint16_t error_at, error_length, text_length;
    span_record_field fields[MATCHING_SPAN_FIELDS_MAX];
    matching_trace_event events[MATCHING_SPAN_EVENTS_MAX];
    char text[MATCHING_SPAN_TEXT_MAX]; /* each text with its NUL */
} span_record;

/* From now on spans are recorded, at most `capacity` (>= 2) of them between their end and
 * trace_release; the consumer is woken for each `batch` of them. False: no memory. One thread,
 * while nobody begins or ends spans. Other threads that began traces after an earlier start go on
 * with the gap that they drew then. */
bool trace_recorder_start(const trace_sampler *sampler, size_t capacity, size_t batch);

/* Nothing is recorded any more; the consumer may still take what is there. When no other thread
 * begins or ends spans. */
void trace_recorder_stop(void);

/* Frees the queue. Nobody ends spans any more, and the consumer has gone. */
void trace_recorder_free(void);

/* A span was lost before it could end. Any thread. */
void trace_count_dropped(void);

/* ---- The consumer ---------------------------------------------------------------------------- */

/* The oldest record `ahead` of the first that was not released, NULL: there is none yet. */
const span_record *trace_peek(size_t ahead);

/* Is through with so many of the oldest, of which so many could not be exported. */
void trace_release(size_t count, uint64_t failed);

/* Until a batch is full, someone wakes it, or this time (CLOCK_MONOTONIC) has come. True: it was
 * not the time. A batch that was full already may be told again. */
bool trace_wait(const struct timespec *until);
void trace_wake(void);

#endif
