/* Tests of the recorder: who is sampled, what a span's record holds, and that the queue is bounded,
 * loses nothing that it took, and counts what it did not.
 */
#include "trace/recorder.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "matching/core.h"
#include "support/cunit_main.h"

#define TRACEPARENT "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-"
#define HIGH UINT64_C(0x0af7651916cd43dd)
#define LOW UINT64_C(0x8448eb211c80319c)
#define SPAN UINT64_C(0xb7ad6b7169203331)

static const trace_sampler always = {.is_parent_based = true, .is_always = true};
static const trace_sampler never = {.is_parent_based = true};

static void start(const trace_sampler *sampler, size_t capacity)
{
    CU_ASSERT_FATAL(trace_recorder_start(sampler, capacity, capacity));
}

static void stop(void)
{
    trace_recorder_stop();
    trace_recorder_free();
}

static void end_named(matching_span *span, const char *name)
{
    matching_span_end(span, &(matching_span_facts){.name = name, .kind = MATCHING_SPAN_INTERNAL});
}

static matching_trace_counts counts(void)
{
    matching_trace_counts now;
    matching_trace_counts_get(&now);
    return now;
}

/* ---- traceparent ----------------------------------------------------------------------------- */

static bool parses(const char *text, matching_trace_context *context)
{
    return matching_traceparent_parse(text, strlen(text), context);
}

static void test_a_traceparent_is_read(void)
{
    matching_trace_context c = {0};
    CU_ASSERT_FATAL(parses(TRACEPARENT "01", &c));
    CU_ASSERT_EQUAL(c.trace_high, HIGH);
    CU_ASSERT_EQUAL(c.trace_low, LOW);
    CU_ASSERT_EQUAL(c.span_id, SPAN);
    CU_ASSERT_TRUE(c.is_sampled);
    CU_ASSERT_TRUE(c.is_remote);
    CU_ASSERT_FATAL(parses(TRACEPARENT "fe", &c));
    CU_ASSERT_FALSE(c.is_sampled);
    CU_ASSERT_FATAL(parses(TRACEPARENT "ff", &c));
    CU_ASSERT_TRUE(c.is_sampled);
}

static void test_each_wrong_byte_of_a_traceparent_is_seen(void)
{
    static const char good[] = TRACEPARENT "01", bad[] = "gG-/:@`A \t\x80";
    matching_trace_context c = {.span_id = 7};
    for (size_t i = 0; i < sizeof good - 1; i++) {
        for (const char *byte = bad; *byte != '\0'; byte++) {
            char text[sizeof good];
            memcpy(text, good, sizeof good);
            if (text[i] == *byte) {
                continue;
            }
            text[i] = *byte;
            CU_ASSERT_FALSE(parses(text, &c));
        }
        CU_ASSERT_FALSE(matching_traceparent_parse(good, i, &c)); /* cut short */
    }
    CU_ASSERT_FALSE(parses(TRACEPARENT "01-", &c)); /* version 00 has no more */
    CU_ASSERT_EQUAL(c.span_id, 7);
}

/* ---- Sampling -------------------------------------------------------------------------------- */

static void test_nothing_happens_while_it_is_off(void)
{
    matching_span span;
    matching_trace_counts before = counts();
    matching_span_begin(&span, NULL, 0);
    CU_ASSERT_FALSE(matching_span_is_sampled(&span));
    matching_span_begin_remote(&span, TRACEPARENT "01", 55, 0);
    CU_ASSERT_FALSE(matching_span_is_sampled(&span));
    matching_trace_leave(matching_trace_enter(&span));
    CU_ASSERT_PTR_NULL(matching_trace_current);
    end_named(&span, "x");
    CU_ASSERT_EQUAL(counts().recorded, before.recorded);
}

static void test_children_do_as_their_parents(void)
{
    matching_span parent, child;
    start(&always, 8);
    matching_span_begin(&parent, NULL, 0);
    matching_span_begin(&child, &parent.own, 0);
    CU_ASSERT_EQUAL(child.own.trace_high, parent.own.trace_high);
    CU_ASSERT_EQUAL(child.own.trace_low, parent.own.trace_low);
    CU_ASSERT_EQUAL(child.parent_id, parent.own.span_id);
    CU_ASSERT_NOT_EQUAL(child.own.span_id, parent.own.span_id);
    CU_ASSERT_FALSE(child.has_remote_parent);
    CU_ASSERT_EQUAL(parent.parent_id, 0);
    parent.own.is_sampled = false;
    matching_span_begin(&child, &parent.own, 0);
    CU_ASSERT_FALSE(matching_span_is_sampled(&child));
    stop();
}

static bool is_sampled_below(const trace_sampler *sampler, const char *flags)
{
    char text[64];
    matching_span span;
    snprintf(text, sizeof text, TRACEPARENT "%s", flags);
    start(sampler, 8);
    matching_span_begin_remote(&span, text, strlen(text), 0);
    if (span.own.is_sampled) {
        CU_ASSERT_EQUAL(span.own.trace_high, HIGH);
        CU_ASSERT_EQUAL(span.own.trace_low, LOW);
        CU_ASSERT_EQUAL(span.parent_id, SPAN);
        CU_ASSERT_TRUE(span.has_remote_parent);
        CU_ASSERT_FALSE(span.own.is_remote);
    }
    stop();
    return span.own.is_sampled;
}

static void test_a_remote_parent_decides_only_where_it_is_asked(void)
{
    const trace_sampler below = {.below = LOW + 1}, above = {.below = LOW};
    CU_ASSERT_TRUE(is_sampled_below(&never, "01"));
    CU_ASSERT_FALSE(is_sampled_below(&always, "00"));
    CU_ASSERT_TRUE(is_sampled_below(&below, "00")); /* by the trace's id alone */
    CU_ASSERT_FALSE(is_sampled_below(&above, "01"));
}

static void test_the_ratio_is_kept(void)
{
    enum { SPANS = 100000 };
    const trace_sampler one_percent = {.is_parent_based = true, .below = UINT64_MAX / 100};
    unsigned chosen = 0;
    start(&one_percent, 8);
    for (unsigned i = 0; i < SPANS; i++) {
        matching_span span;
        matching_span_begin(&span, NULL, 1);
        chosen += span.own.is_sampled;
    }
    stop();
    /* 1,000 are expected, with a standard deviation of 31.5: eight of them are out of reach. */
    CU_ASSERT_TRUE(chosen > 748 && chosen < 1252);
}

/* ---- Records --------------------------------------------------------------------------------- */

static void test_a_record_holds_what_it_was_told(void)
{
    matching_span span;
    matching_trace_context link = {
        .trace_high = 1, .trace_low = 2, .span_id = 3, .is_sampled = true};
    char kept[] = "kept";
    const matching_trace_field fields[] = {{.name = "text", .text = kept},
                                           {.name = "none", .text = ""},
                                           {.name = "number", .number = 7}};
    const matching_trace_event events[] = {{"a", 10}, {"missing", 0}, {"b", 12}};
    start(&always, 8);
    matching_span_begin(&span, NULL, 10);
    matching_span_end(&span, &(matching_span_facts){.name = "it",
                                                    .kind = MATCHING_SPAN_PRODUCER,
                                                    .error = "why",
                                                    .link = &link,
                                                    .fields = fields,
                                                    .field_count = 3,
                                                    .events = events,
                                                    .event_count = 3,
                                                    .end_ns = 20});
    kept[0] = 'x';
    CU_ASSERT_FALSE(matching_span_is_sampled(&span));
    const span_record *r = trace_peek(0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(r);
    CU_ASSERT_STRING_EQUAL(r->name, "it");
    CU_ASSERT_EQUAL(r->kind, MATCHING_SPAN_PRODUCER);
    CU_ASSERT_EQUAL(r->start_ns, 10);
    CU_ASSERT_EQUAL(r->end_ns, 20);
    CU_ASSERT_EQUAL(r->link.span_id, 3);
    CU_ASSERT_TRUE(r->is_error);
    CU_ASSERT_STRING_EQUAL(r->text + r->error_at, "why");
    CU_ASSERT_EQUAL_FATAL(r->field_count, 2);
    CU_ASSERT_STRING_EQUAL(r->text + r->fields[0].value, "kept");
    CU_ASSERT_EQUAL(r->fields[1].value, 7);
    CU_ASSERT_EQUAL_FATAL(r->event_count, 2);
    CU_ASSERT_STRING_EQUAL(r->events[1].name, "b");
    end_named(&span, "again"); /* it has been told */
    CU_ASSERT_PTR_NULL(trace_peek(1));
    stop();
}

static void test_long_texts_are_cut_between_characters(void)
{
    char text[MATCHING_SPAN_TEXT_MAX + 8];
    const matching_trace_field fields[] = {{.name = "long", .text = text},
                                           {.name = "late", .text = "x"}};
    for (size_t shift = 0; shift < 3; shift++) {
        matching_span span;
        memset(text, 'a', shift);
        for (size_t i = shift; i + 3 < sizeof text; i += 3) {
            memcpy(text + i, "\xe2\x82\xac", 4);
        }
        start(&always, 8);
        matching_span_begin(&span, NULL, 0);
        matching_span_end(&span, &(matching_span_facts){.name = "it",
                                                        .kind = MATCHING_SPAN_INTERNAL,
                                                        .fields = fields,
                                                        .field_count = 2});
        const span_record *r = trace_peek(0);
        CU_ASSERT_PTR_NOT_NULL_FATAL(r);
        size_t length = strlen(r->text + r->fields[0].value);
        CU_ASSERT_TRUE(length > MATCHING_SPAN_TEXT_MAX - 8);
        CU_ASSERT_EQUAL((length - shift) % 3, 0);
        CU_ASSERT_TRUE(strlen(r->text + r->fields[1].value) <= 1);
        stop();
    }
}

static void test_more_fields_than_fit_are_left_out(void)
{
    matching_trace_field fields[MATCHING_SPAN_FIELDS_MAX + 2];
    matching_span span;
    for (size_t i = 0; i < MATCHING_SPAN_FIELDS_MAX + 2; i++) {
        fields[i] = (matching_trace_field){.name = "n", .number = i};
    }
    start(&always, 8);
    matching_span_begin(&span, NULL, 0);
    matching_span_end(&span, &(matching_span_facts){.name = "it",
                                                    .kind = MATCHING_SPAN_INTERNAL,
                                                    .fields = fields,
                                                    .field_count = MATCHING_SPAN_FIELDS_MAX + 2});
    CU_ASSERT_EQUAL(trace_peek(0)->field_count, MATCHING_SPAN_FIELDS_MAX);
    stop();
}

/* ---- The queue ------------------------------------------------------------------------------- */

static void record(unsigned spans)
{
    for (unsigned i = 0; i < spans; i++) {
        matching_span span;
        matching_span_begin(&span, NULL, i + 1);
        end_named(&span, "it");
    }
}

static void test_a_full_queue_drops_and_counts(void)
{
    matching_trace_counts before = counts();
    start(&always, 5);
    record(8);
    CU_ASSERT_EQUAL(counts().recorded - before.recorded, 8);
    CU_ASSERT_EQUAL(counts().dropped - before.dropped, 3);
    CU_ASSERT_EQUAL(trace_peek(4)->start_ns, 5);
    CU_ASSERT_PTR_NULL(trace_peek(5));
    trace_release(2, 1);
    CU_ASSERT_EQUAL(counts().exported - before.exported, 1);
    CU_ASSERT_EQUAL(counts().failed - before.failed, 1);
    record(3);
    CU_ASSERT_EQUAL(counts().dropped - before.dropped, 4);
    CU_ASSERT_EQUAL(trace_peek(0)->start_ns, 3);
    CU_ASSERT_EQUAL(trace_peek(4)->start_ns, 2);
    stop();
    CU_ASSERT_EQUAL(counts().recorded - before.recorded, 11); /* it goes on counting */
}

/* The exporter sleeps until a batch is full, counted from what it took last: that may have been any
 * number, if it took what had waited long enough. */
static void test_a_full_batch_wakes_the_exporter(void)
{
    enum { BATCH = 4 };
    for (unsigned taken = 0; taken <= BATCH; taken++) {
        struct timespec now, until;
        CU_ASSERT_FATAL(trace_recorder_start(&always, 64, BATCH));
        record(taken);
        trace_release(taken, 0);
        record(BATCH - 1);
        do { /* whatever it was woken for so far is spent */
            clock_gettime(CLOCK_MONOTONIC, &now);
        } while (trace_wait(&now));
        CU_ASSERT_PTR_NULL(trace_peek(BATCH - 1));
        record(1);
        until = (struct timespec){.tv_sec = now.tv_sec + 10};
        CU_ASSERT_TRUE(trace_wait(&until));
        CU_ASSERT_PTR_NOT_NULL(trace_peek(BATCH - 1));
        stop();
    }
}

enum { THREADS = 4, EACH = 20000 };
static atomic_uint writers_left;

static void *write_spans(void *own)
{
    unsigned number = *(unsigned *)own;
    for (uint64_t i = 0; i < EACH; i++) {
        matching_span span;
        const matching_trace_field field = {.name = "writer", .number = number};
        matching_span_begin(&span, NULL, i + 1);
        matching_span_end(&span, &(matching_span_facts){.name = "it",
                                                        .kind = MATCHING_SPAN_INTERNAL,
                                                        .fields = &field,
                                                        .field_count = 1,
                                                        .end_ns = i + 2});
    }
    atomic_fetch_sub(&writers_left, 1);
    return NULL;
}

/* Each writer's spans come in its order, and all that were not dropped come. */
static void test_many_threads_record(void)
{
    pthread_t threads[THREADS];
    unsigned numbers[THREADS];
    uint64_t last[THREADS] = {0}, taken = 0;
    matching_trace_counts before = counts();
    start(&always, 64);
    atomic_store(&writers_left, THREADS);
    for (unsigned i = 0; i < THREADS; i++) {
        numbers[i] = i;
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, write_spans, &numbers[i]), 0);
    }
    for (bool is_last = false; !is_last;) {
        const span_record *r;
        is_last = atomic_load(&writers_left) == 0;
        while ((r = trace_peek(0)) != NULL) {
            uint64_t writer = r->fields[0].value;
            CU_ASSERT_FATAL(writer < THREADS);
            CU_ASSERT_TRUE(r->start_ns > last[writer]);
            CU_ASSERT_EQUAL(r->end_ns, r->start_ns + 1);
            last[writer] = r->start_ns;
            taken++;
            trace_release(1, 0);
        }
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    matching_trace_counts after = counts();
    CU_ASSERT_EQUAL(after.recorded - before.recorded, THREADS * EACH);
    CU_ASSERT_EQUAL(taken + after.dropped - before.dropped, THREADS * EACH);
    CU_ASSERT_EQUAL(after.exported - before.exported, taken);
    stop();
}

MATCHING_TESTS(MATCHING_TEST(test_a_traceparent_is_read),
               MATCHING_TEST(test_each_wrong_byte_of_a_traceparent_is_seen),
               MATCHING_TEST(test_nothing_happens_while_it_is_off),
               MATCHING_TEST(test_children_do_as_their_parents),
               MATCHING_TEST(test_a_remote_parent_decides_only_where_it_is_asked),
               MATCHING_TEST(test_the_ratio_is_kept),
               MATCHING_TEST(test_a_record_holds_what_it_was_told),
               MATCHING_TEST(test_long_texts_are_cut_between_characters),
               MATCHING_TEST(test_more_fields_than_fit_are_left_out),
               MATCHING_TEST(test_a_full_queue_drops_and_counts),
               MATCHING_TEST(test_a_full_batch_wakes_the_exporter),
               MATCHING_TEST(test_many_threads_record))
