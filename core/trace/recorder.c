/* See recorder.h. The log's ring (core/log/log.c) works the same way.
 *
 * Invariants: only the consumer moves `tail` and frees slots; a span that finds no free slot is
 * counted and forgotten.
 *
 * A process has one environment that says what becomes of its traces, so their state belongs to
 * nobody else.
 */
#define _GNU_SOURCE /* sem_clockwait */
#include "trace/recorder.h"

#include <assert.h>
#include <math.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "trace/states.h"
#include "trace/tracestate.h"

/* Each span that waits may have a tracestate of its own, and others are under way meanwhile. */
#define STATES_MAX ((size_t)16384)

bool matching_trace_active;
_Thread_local const matching_trace_context *matching_trace_current;
_Thread_local uint64_t matching_trace_gap;

static struct {
    span_record *slots;
    size_t capacity, batch;
    trace_sampler sampler;
    double log_of_others; /* of the share of traces that are not sampled; 0: all are not */
    _Atomic uint64_t starts;
    sem_t ready;
    _Alignas(64) _Atomic uint64_t head; /* the next record's number */
    _Atomic uint64_t dropped;
    _Alignas(64) _Atomic uint64_t tail; /* the oldest one's; the consumer's */
    _Atomic uint64_t recorded, exported, failed;
} the;

/* As matching_monotonic_ns(), which is the core's. */
static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- Numbers as if by chance ----------------------------------------------------------------- */

/* xoshiro256** (Blackman and Vigna); each thread has its own state. Ids need not be secret. */
static _Thread_local uint64_t chance[4];

static void seed_chance(void)
{
    if (getrandom(chance, sizeof chance, 0) != (ssize_t)sizeof chance) {
        for (unsigned i = 0; i < 4; i++) {
            chance[i] = now_ns() * (2 * i + 1) + (uint64_t)(uintptr_t)chance;
        }
    }
    chance[0] |= 1; /* all zeros would stay so */
}

static uint64_t rotate(uint64_t x, unsigned by)
{
    return x << by | x >> (64 - by);
}

/* Never 0, which would be no id. */
static uint64_t draw(void)
{
    if ((chance[0] | chance[1] | chance[2] | chance[3]) == 0) {
        seed_chance();
    }
    uint64_t result = rotate(chance[1] * 5, 7) * 9, shifted = chance[1] << 17;
    chance[2] ^= chance[0];
    chance[3] ^= chance[1];
    chance[1] ^= chance[2];
    chance[0] ^= chance[3];
    chance[2] ^= shifted;
    chance[3] = rotate(chance[3], 45);
    return result | (result == 0);
}

/* ---- Beginning ------------------------------------------------------------------------------- */

static bool is_chosen(uint64_t trace_low)
{
    return the.sampler.is_always || trace_low < the.sampler.below;
}

static void begin(matching_span *span, uint64_t start_ns)
{
    span->own.is_sampled = true;
    span->own.is_remote = false;
    span->own.span_id = draw();
    span->start_ns = start_ns != 0 ? start_ns : now_ns();
}

/* How many traces are passed over before the next one that is sampled: as many as if each of them
 * had been drawn for, but drawn for at once, so that those which are not sampled cost next to
 * nothing. */
static uint64_t draw_gap(void)
{
    const double two_53 = 9007199254740992.0;
    if (the.sampler.is_always) {
        return 0;
    }
    if (the.log_of_others >= 0) {
        return UINT64_MAX; /* none is */
    }
    double uniform = ((double)(draw() >> 11) + 0.5) / two_53;
    double gap = log(uniform) / the.log_of_others;
    return gap < two_53 ? (uint64_t)gap : UINT64_MAX;
}

/* The recorder's start that this thread drew its gap for. */
static _Thread_local uint64_t gap_of_start;

static void begin_trace(matching_span *span, uint64_t start_ns)
{
    uint64_t start = atomic_load_explicit(&the.starts, memory_order_relaxed);
    if (gap_of_start != start) {
        gap_of_start = start;
        matching_trace_gap = draw_gap();
    }
    if (matching_trace_passes()) {
        return;
    }
    matching_trace_gap = draw_gap();
    /* An id that whoever decides by ids, as this sampler does for others, would choose too. */
    span->own.trace_low = the.sampler.is_always ? draw() : draw() % the.sampler.below;
    span->own.trace_high = draw();
    span->own.state = 0;
    span->parent_id = 0;
    span->has_remote_parent = false;
    begin(span, start_ns);
}

static void begin_below(matching_span *span, const matching_trace_context *parent,
                        uint64_t start_ns)
{
    span->own.trace_high = parent->trace_high;
    span->own.trace_low = parent->trace_low;
    span->own.state = parent->state;
    span->parent_id = parent->span_id;
    span->has_remote_parent = parent->is_remote;
    begin(span, start_ns);
}

void matching_span_begin_slow(matching_span *span, const matching_trace_context *parent,
                              uint64_t start_ns)
{
    if (parent == NULL) {
        begin_trace(span, start_ns);
    } else if (parent->is_sampled) {
        begin_below(span, parent, start_ns);
    }
}

void matching_span_begin_remote_slow(matching_span *span, const char *traceparent, size_t length,
                                     uint64_t start_ns)
{
    matching_trace_context parent;
    if (traceparent == NULL || !matching_traceparent_parse(traceparent, length, &parent)) {
        begin_trace(span, start_ns);
        return;
    }
    if (!the.sampler.is_parent_based) {
        parent.is_sampled = is_chosen(parent.trace_low);
    }
    matching_span_begin_slow(span, &parent, start_ns);
}

void matching_span_state_slow(matching_span *span, const char *tracestate, size_t length)
{
    char state[TRACE_STATE_MAX];
    size_t kept = tracestate_clean(tracestate, length, state);
    span->own.state = trace_states_put(state, kept);
}

/* ---- Ending ---------------------------------------------------------------------------------- */

/* A slot of one's own, or NULL: the queue is full. */
static span_record *take_slot(uint64_t *number)
{
    uint64_t at = atomic_load_explicit(&the.head, memory_order_relaxed);
    for (;;) {
        span_record *found = &the.slots[at % the.capacity];
        uint64_t turn = atomic_load_explicit(&found->turn, memory_order_acquire);
        if (turn == at) {
            if (atomic_compare_exchange_weak_explicit(&the.head, &at, at + 1, memory_order_relaxed,
                                                      memory_order_relaxed)) {
                *number = at;
                return found;
            }
        } else if (turn < at) {
            return NULL;
        } else {
            at = atomic_load_explicit(&the.head, memory_order_relaxed);
        }
    }
}

/* Where the text is now, and its length. Cut between two characters if there is too little room. */
static uint16_t keep_text(span_record *r, const char *text, uint16_t *kept_length)
{
    size_t room = MATCHING_SPAN_TEXT_MAX - r->text_length - 1;
    size_t length = strnlen(text, room + 1);
    if (length > room) {
        length = room;
        while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80) {
            length--;
        }
    }
    uint16_t at = r->text_length;
    memcpy(r->text + at, text, length);
    r->text[at + length] = '\0';
    /* The last byte is always free, for the NUL of a text that found no room. */
    size_t end = at + length + 1;
    r->text_length = (uint16_t)(end < MATCHING_SPAN_TEXT_MAX ? end : MATCHING_SPAN_TEXT_MAX - 1);
    *kept_length = (uint16_t)length;
    return at;
}

static void keep_fields(span_record *r, const matching_span_facts *facts)
{
    r->field_count = 0;
    for (size_t i = 0; i < facts->field_count && r->field_count < MATCHING_SPAN_FIELDS_MAX; i++) {
        const matching_trace_field *from = &facts->fields[i];
        if (from->text != NULL && from->text[0] == '\0') {
            continue;
        }
        span_record_field *to = &r->fields[r->field_count++];
        to->name = from->name;
        to->is_text = from->text != NULL;
        to->value = to->is_text ? keep_text(r, from->text, &to->length) : from->number;
    }
    r->event_count = 0;
    for (size_t i = 0; i < facts->event_count && r->event_count < MATCHING_SPAN_EVENTS_MAX; i++) {
        if (facts->events[i].time_ns != 0) {
            r->events[r->event_count++] = facts->events[i];
        }
    }
}

static void keep(span_record *r, const matching_span *span, const matching_span_facts *facts)
{
    uint64_t end_ns = facts->end_ns != 0 ? facts->end_ns : now_ns();
    r->own = span->own;
    r->link =
        facts->link != NULL && facts->link->is_sampled ? *facts->link : (matching_trace_context){0};
    r->parent_id = span->parent_id;
    r->has_remote_parent = span->has_remote_parent;
    r->start_ns = span->start_ns;
    r->end_ns = end_ns > span->start_ns ? end_ns : span->start_ns;
    r->name = facts->name;
    r->kind = (uint8_t)facts->kind;
    r->text_length = 0;
    r->is_error = facts->error != NULL;
    r->error_at = 0;
    r->error_length = 0;
    if (r->is_error) {
        r->error_at = keep_text(r, facts->error, &r->error_length);
    }
    keep_fields(r, facts);
}

void matching_span_end(matching_span *span, const matching_span_facts *facts)
{
    if (!span->own.is_sampled) {
        return;
    }
    if (matching_trace_is_on()) {
        uint64_t number;
        span_record *own = take_slot(&number);
        if (own == NULL) {
            trace_count_dropped();
        } else {
            keep(own, span, facts);
            /* In this order for all: either the exporter sees this span before it sleeps, or it is
             * seen here how far the exporter is. */
            atomic_store_explicit(&own->turn, number + 1, memory_order_seq_cst);
            uint64_t tail = atomic_load_explicit(&the.tail, memory_order_seq_cst);
            if ((number + 1 - tail) % the.batch == 0) { /* the exporter takes from the tail on */
                sem_post(&the.ready);
            }
        }
    }
    span->own.is_sampled = false;
}

void trace_count_dropped(void)
{
    atomic_fetch_add_explicit(&the.dropped, 1, memory_order_relaxed);
}

void matching_trace_counts_get(matching_trace_counts *counts)
{
    uint64_t dropped = atomic_load_explicit(&the.dropped, memory_order_relaxed);
    counts->dropped = dropped;
    counts->recorded = atomic_load_explicit(&the.recorded, memory_order_relaxed) +
                       atomic_load_explicit(&the.head, memory_order_relaxed) + dropped;
    counts->exported = atomic_load_explicit(&the.exported, memory_order_relaxed);
    counts->failed = atomic_load_explicit(&the.failed, memory_order_relaxed);
}

/* ---- The consumer ---------------------------------------------------------------------------- */

const span_record *trace_peek(size_t ahead)
{
    uint64_t number = atomic_load_explicit(&the.tail, memory_order_relaxed) + ahead;
    if (ahead >= the.capacity) {
        return NULL;
    }
    const span_record *found = &the.slots[number % the.capacity];
    return atomic_load_explicit(&found->turn, memory_order_seq_cst) == number + 1 ? found : NULL;
}

void trace_release(size_t count, uint64_t failed)
{
    uint64_t tail = atomic_load_explicit(&the.tail, memory_order_relaxed);
    for (size_t i = 0; i < count; i++, tail++) {
        atomic_store_explicit(&the.slots[tail % the.capacity].turn, tail + the.capacity,
                              memory_order_release);
    }
    atomic_store_explicit(&the.tail, tail, memory_order_seq_cst); /* see matching_span_end */
    atomic_fetch_add_explicit(&the.exported, count - failed, memory_order_relaxed);
    atomic_fetch_add_explicit(&the.failed, failed, memory_order_relaxed);
}

bool trace_wait(const struct timespec *until)
{
    return sem_clockwait(&the.ready, CLOCK_MONOTONIC, until) == 0;
}

void trace_wake(void)
{
    sem_post(&the.ready);
}

/* ---- Birth and end --------------------------------------------------------------------------- */

bool trace_recorder_start(const trace_sampler *sampler, size_t capacity, size_t batch)
{
    assert(the.slots == NULL);
    assert(capacity >= 2 && batch > 0);
    the.slots = calloc(capacity, sizeof *the.slots);
    if (the.slots == NULL ||
        !trace_states_start(capacity < STATES_MAX / 2 ? 2 * capacity : STATES_MAX) ||
        sem_init(&the.ready, 0, 0) != 0) {
        trace_states_free();
        free(the.slots);
        the.slots = NULL;
        return false;
    }
    for (size_t i = 0; i < capacity; i++) {
        atomic_init(&the.slots[i].turn, i);
    }
    the.capacity = capacity;
    the.batch = batch;
    the.sampler = *sampler;
    the.log_of_others = log1p(-(double)sampler->below / 18446744073709551616.0);
    atomic_fetch_add(&the.starts, 1);
    matching_trace_gap = 0; /* of one who began spans after an earlier start */
    matching_trace_active = true;
    return true;
}

void trace_recorder_stop(void)
{
    matching_trace_active = false;
}

void trace_recorder_free(void)
{
    if (the.slots == NULL) {
        return;
    }
    atomic_fetch_add(&the.recorded, atomic_load(&the.head));
    atomic_store(&the.head, 0);
    atomic_store(&the.tail, 0);
    free(the.slots);
    the.slots = NULL;
    trace_states_free();
    sem_destroy(&the.ready);
}
