/* Spans as they were recorded, for tests of what tells them. Main thread.
 *
 *     spans_record(&all);          before the core, whose ports have to know
 *     ... what is to be traced, and its end ...
 *     spans_only("x.y"), spans_nth("x.y", 2)
 *     spans_forget();
 */
#ifndef MATCHING_TESTS_SPANS_H
#define MATCHING_TESTS_SPANS_H

#include "core/trace/recorder.h"

/* All traces; none but those that a traceparent brings as sampled. */
extern const trace_sampler spans_all, spans_of_parents;

void spans_record(const trace_sampler *sampler);
void spans_forget(void);

/* How many have this name; the one of them with this number, from 0, in the order of their ends,
 * NULL: there are fewer; the only one, else the test ends. */
size_t spans_count(const char *name);
const span_record *spans_nth(const char *name, size_t number);
const span_record *spans_only(const char *name);

/* The first whose attribute has this text; NULL: there is none. */
const span_record *spans_with(const char *name, const char *field, const char *text);

/* An attribute: "" and UINT64_MAX if there is none, or one of the other kind. Then why it failed;
 * NULL: it did not. */
const char *span_text(const span_record *span, const char *field);
uint64_t span_number(const span_record *span, const char *field);
const char *span_error(const span_record *span);

bool span_is_below(const span_record *span, const span_record *parent);
bool span_is_linked(const span_record *span, const span_record *to);

#endif
