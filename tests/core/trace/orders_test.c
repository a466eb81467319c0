/* Tests of order.match: which commands get one, that its times are those of its own command, and
 * that a port which has too many under way goes on without.
 */
#include "shard/order_trace.h"

#include <string.h>

#include "core/shard/bench.h"
#include "matching/metrics.h"
#include "support/cunit_main.h"
#include "trace/recorder.h"

static bench b;

static void begin(size_t capacity, const bench_options *options)
{
    const trace_sampler always = {.is_parent_based = true, .is_always = true};
    CU_ASSERT_FATAL(trace_recorder_start(&always, capacity, capacity));
    bench_init(&b, options);
}

static void finish(void)
{
    bench_fini(&b);
    trace_recorder_stop();
    trace_recorder_free();
}

/* Submits below a span of its own, whose id it returns. */
static uint64_t submit_below(matching_command command, uint64_t tag)
{
    matching_span span = {0};
    matching_span_begin(&span, NULL, 0);
    uint64_t id = span.own.span_id;
    const matching_trace_context *before = matching_trace_enter(&span);
    command.received_ns = span.start_ns;
    CU_ASSERT_EQUAL_FATAL(submit(&b.probes[0], command, tag), MATCHING_OK);
    matching_trace_leave(before);
    return id;
}

static matching_command order(matching_side side)
{
    return limit_order(bench_instrument(&b, 0, 0), "t", side, 100, 1);
}

static uint64_t time_of(const span_record *r, const char *event)
{
    for (unsigned i = 0; i < r->event_count; i++) {
        if (strcmp(r->events[i].name, event) == 0) {
            return r->events[i].time_ns;
        }
    }
    return 0;
}

static void test_commands_about_orders_get_a_span(void)
{
    uint64_t ids[3];
    begin(64, &(bench_options){.ports = 1});
    matching_port_name(b.probes[0].port, "here");
    ids[0] = submit_below(order(MATCHING_SELL), 1);
    submit_below(read_command(MATCHING_READ_TICKER, bench_instrument(&b, 0, 0), 0), 2);
    CU_ASSERT_EQUAL_FATAL(submit(&b.probes[0], order(MATCHING_SELL), 3), MATCHING_OK);
    ids[1] = submit_below(cancel_by_id(999), 4);
    submit_below(cancel_everything("t"), 5);
    ids[2] = submit_below(order(MATCHING_BUY), 6);
    bench_settle(&b);
    matching_port_flush(b.probes[0].port); /* now they are written */
    for (size_t i = 0; i < 3; i++) {
        static const char *const stages[] = {"received", "parsed",  "queued", "sequenced",
                                             "matched",  "durable", "sent"};
        const span_record *r = trace_peek(i);
        CU_ASSERT_PTR_NOT_NULL_FATAL(r);
        CU_ASSERT_STRING_EQUAL(r->name, "order.match");
        CU_ASSERT_EQUAL(r->parent_id, ids[i]);
        CU_ASSERT_EQUAL(r->is_error, i == 1);
        uint64_t last = r->start_ns;
        for (size_t s = 0; s < 7; s++) {
            CU_ASSERT_TRUE(time_of(r, stages[s]) >= last);
            last = time_of(r, stages[s]);
        }
        CU_ASSERT_EQUAL(last, r->end_ns);
    }
    CU_ASSERT_STRING_EQUAL(trace_peek(1)->text + trace_peek(1)->error_at,
                           matching_code_name(MATCHING_ORDER_NOT_FOUND));
    CU_ASSERT_PTR_NULL(trace_peek(3));
    finish();
}

static void test_a_span_waits_for_the_gate(void)
{
    begin(64, &(bench_options){.ports = 1});
    submit_below(order(MATCHING_SELL), 1);
    submit_below(order(MATCHING_SELL), 2);
    bench_step(&b);
    bench_hold_gate(&b, 0, 0);
    matching_port_poll(b.probes[0].port, 0);
    matching_port_flush(b.probes[0].port);
    CU_ASSERT_PTR_NULL(trace_peek(0));
    bench_settle(&b);
    /* What was held is let go with the next command. */
    submit_below(order(MATCHING_SELL), 3);
    bench_settle(&b);
    matching_port_flush(b.probes[0].port);
    CU_ASSERT_PTR_NOT_NULL(trace_peek(2));
    CU_ASSERT_PTR_NULL(trace_peek(3));
    finish();
}

static void test_too_many_under_way_are_dropped_and_counted(void)
{
    enum { MORE = 40 };
    matching_trace_counts before, after;
    matching_trace_counts_get(&before);
    begin(1024, &(bench_options){.ports = 1, .ring_size = 512});
    for (unsigned round = 0; round < 2; round++) { /* what was used is used again */
        for (uint64_t i = 0; i < ORDER_TRACES_MAX + MORE; i++) {
            submit_below(order(MATCHING_SELL), i);
        }
        bench_settle(&b);
        matching_port_flush(b.probes[0].port);
        matching_trace_counts_get(&after);
        CU_ASSERT_EQUAL(after.dropped - before.dropped, (round + 1) * MORE);
        CU_ASSERT_EQUAL(after.recorded - before.recorded, (round + 1) * (ORDER_TRACES_MAX + MORE));
    }
    CU_ASSERT_EQUAL(b.probes[0].count >= 2 * (ORDER_TRACES_MAX + MORE), true);
    finish();
}

static void test_two_shards_do_not_mix_them_up(void)
{
    begin(1024, &(bench_options){.ports = 1, .shards = 2});
    uint64_t ids[100];
    for (unsigned i = 0; i < 100; i++) {
        ids[i] = submit_below(
            limit_order(bench_instrument(&b, i % 2, 0), "t", MATCHING_SELL, 100, 1), i);
    }
    bench_settle(&b);
    matching_port_flush(b.probes[0].port);
    for (size_t i = 0; i < 100; i++) {
        const span_record *r = trace_peek(i);
        CU_ASSERT_PTR_NOT_NULL_FATAL(r);
        uint64_t number = UINT64_MAX, sequence = 0;
        for (unsigned f = 0; f < r->field_count; f++) {
            number = strcmp(r->fields[f].name, "shard") == 0 ? r->fields[f].value : number;
            sequence = strcmp(r->fields[f].name, "sequence") == 0 ? r->fields[f].value : sequence;
        }
        CU_ASSERT_FATAL(number < 2 && sequence >= 1 && sequence <= 50);
        CU_ASSERT_EQUAL(r->parent_id, ids[2 * (sequence - 1) + number]);
    }
    finish();
}

MATCHING_TESTS(MATCHING_TEST(test_commands_about_orders_get_a_span),
               MATCHING_TEST(test_a_span_waits_for_the_gate),
               MATCHING_TEST(test_too_many_under_way_are_dropped_and_counted),
               MATCHING_TEST(test_two_shards_do_not_mix_them_up))
