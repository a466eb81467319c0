/* See spans.h. Nothing is ever released: the records stay where they are until spans_forget. */
#include "support/spans.h"

#include "support/cunit_main.h"

#define SPANS_MAX 4096

const trace_sampler spans_all = {.is_parent_based = true, .is_always = true};
const trace_sampler spans_of_parents = {.is_parent_based = true};

void spans_record(const trace_sampler *sampler)
{
    CU_ASSERT_TRUE_FATAL(trace_recorder_start(sampler, SPANS_MAX, SPANS_MAX));
}

void spans_forget(void)
{
    matching_trace_counts counts;
    matching_trace_counts_get(&counts);
    CU_ASSERT_EQUAL(counts.dropped, 0);
    trace_recorder_stop();
    trace_recorder_free();
}

const span_record *spans_nth(const char *name, size_t number)
{
    const span_record *span;
    for (size_t i = 0; (span = trace_peek(i)) != NULL; i++) {
        if (strcmp(span->name, name) == 0 && number-- == 0) {
            return span;
        }
    }
    return NULL;
}

size_t spans_count(const char *name)
{
    size_t count = 0;
    while (spans_nth(name, count) != NULL) {
        count++;
    }
    return count;
}

const span_record *spans_only(const char *name)
{
    size_t count = spans_count(name);
    if (count != 1) {
        printf("%zu spans %s\n", count, name);
    }
    CU_ASSERT_EQUAL_FATAL(count, 1);
    return spans_nth(name, 0);
}

const span_record *spans_with(const char *name, const char *field, const char *text)
{
    const span_record *span;
    for (size_t i = 0; (span = spans_nth(name, i)) != NULL; i++) {
        if (strcmp(span_text(span, field), text) == 0) {
            break;
        }
    }
    return span;
}

static const span_record_field *find(const span_record *span, const char *name, bool is_text)
{
    for (unsigned i = 0; i < span->field_count; i++) {
        if (strcmp(span->fields[i].name, name) == 0 && span->fields[i].is_text == is_text) {
            return &span->fields[i];
        }
    }
    return NULL;
}

const char *span_text(const span_record *span, const char *field)
{
    const span_record_field *found = find(span, field, true);
    return found != NULL ? span->text + found->value : "";
}

uint64_t span_number(const span_record *span, const char *field)
{
    const span_record_field *found = find(span, field, false);
    return found != NULL ? found->value : UINT64_MAX;
}

const char *span_error(const span_record *span)
{
    return span->is_error ? span->text + span->error_at : NULL;
}

static bool is_same_trace(const matching_trace_context *a, const matching_trace_context *b)
{
    return a->trace_high == b->trace_high && a->trace_low == b->trace_low;
}

bool span_is_below(const span_record *span, const span_record *parent)
{
    return is_same_trace(&span->own, &parent->own) && span->parent_id == parent->own.span_id;
}

bool span_is_linked(const span_record *span, const span_record *to)
{
    return is_same_trace(&span->link, &to->own) && span->link.span_id == to->own.span_id;
}
