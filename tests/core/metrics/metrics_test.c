/* Tests of the core's metrics: what is counted is exact, what is sampled is one in 256 at places
 * that no pattern hides from, and reading while others write gives numbers that only grow.
 */
#define _GNU_SOURCE /* pipe2 */
#include "matching/metrics.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/shard/bench.h"
#include "matching/log.h"
#include "metrics/recorder.h"
#include "support/cunit_main.h"
#include "support/metric.h"

static bench b;

static double value_of(const char *line)
{
    return metric_value(b.core, line);
}

#define CHECK(line, wanted) CU_ASSERT_EQUAL(value_of(line), (double)(wanted))

static uint64_t samples_of(matching_stage stage)
{
    matching_latency latency;
    matching_metrics_latency(b.core, stage, &latency);
    return latency.count;
}

static void place(probe *p, matching_side side, int64_t price, uint64_t tag)
{
    CU_ASSERT_EQUAL_FATAL(
        submit(p, limit_order(bench_instrument(&b, 0, 0), "t", side, price, 1), tag), MATCHING_OK);
}

static void test_counts_are_exact(void)
{
    bench_init(&b, &(bench_options){.ports = 3});
    matching_port_name(b.probes[0].port, "one");
    matching_port_name(b.probes[1].port, "two");
    matching_port_name(b.probes[2].port, "one");
    const matching_instrument *instrument = bench_instrument(&b, 0, 0);
    char line[96];
    for (uint64_t i = 0; i < 10; i++) {
        place(&b.probes[i % 3], MATCHING_SELL, 100 + (int64_t)i, i);
    }
    bench_settle(&b);
    matching_command taker = limit_order(instrument, "u", MATCHING_BUY, 103, 9);
    submit(&b.probes[1], taker, 10); /* meets four of them */
    submit(&b.probes[0], cancel_by_id(99), 11);
    submit(&b.probes[2], cancel_by_id(98), 12);
    submit(&b.probes[0], read_command(MATCHING_READ_DEPTH, instrument, 5), 13);
    matching_port_refused(b.probes[2].port, MATCHING_INVALID_PRICE);
    matching_port_refused(b.probes[2].port, MATCHING_OK);
    bench_settle(&b);
    CHECK("matching_commands_total{transport=\"one\",type=\"place\"}", 7);
    CHECK("matching_commands_total{transport=\"two\",type=\"place\"}", 4);
    CHECK("matching_commands_total{transport=\"one\",type=\"cancel\"}", 2);
    CHECK("matching_commands_total{transport=\"one\",type=\"read_depth\"}", 1);
    CHECK("matching_refusals_total{transport=\"one\",code=\"ORDER_NOT_FOUND\"}", 2);
    CHECK("matching_refusals_total{transport=\"one\",code=\"INVALID_PRICE\"}", 1);
    CHECK("matching_refusals_total{transport=\"two\",code=\"ORDER_NOT_FOUND\"}", 0);
    snprintf(line, sizeof line, "matching_orders_total{symbol=\"%s\"}", instrument->symbol);
    CHECK(line, 11);
    snprintf(line, sizeof line, "matching_trades_total{symbol=\"%s\"}", instrument->symbol);
    CHECK(line, 4);
    CHECK("matching_shard_sequence_total{shard=\"0\"}",
          matching_core_shard_progress(b.core, 0).commands);
    CHECK("matching_shard_healthy{shard=\"0\"}", 1);
    bench_fini(&b);
}

static void test_batches_and_what_waits_are_told(void)
{
    bench_init(&b, &(bench_options){.ports = 1, .batch_size = 8});
    matching_port_name(b.probes[0].port, "one");
    for (uint64_t i = 0; i < 20; i++) {
        place(&b.probes[0], MATCHING_SELL, 100, i);
    }
    CHECK("matching_ring_depth{ring=\"commands\",shard=\"0\",transport=\"one\",port=\"0\"}", 20);
    bench_step(&b);
    CHECK("matching_ring_depth{ring=\"commands\",shard=\"0\",transport=\"one\",port=\"0\"}", 0);
    CHECK("matching_ring_depth{ring=\"replies\",shard=\"0\",transport=\"one\",port=\"0\"}", 20);
    CHECK("matching_batch_commands_bucket{le=\"4\"}", 1); /* 8, 8 and 4 */
    CHECK("matching_batch_commands_bucket{le=\"8\"}", 3);
    CHECK("matching_batch_commands_sum", 20);
    CHECK("matching_batch_seconds_count", 3);
    bench_settle(&b);
    CHECK("matching_ring_depth{ring=\"replies\",shard=\"0\",transport=\"one\",port=\"0\"}", 0);
    CHECK("matching_ring_slots", 256);
    place(&b.probes[0], MATCHING_SELL, 100, 20); /* slots that the ring passes over do not wait */
    CHECK("matching_ring_depth{ring=\"commands\",shard=\"0\",transport=\"one\",port=\"0\"}", 1);
    bench_step(&b);
    CHECK("matching_ring_depth{ring=\"replies\",shard=\"0\",transport=\"one\",port=\"0\"}", 1);
    bench_settle(&b);
    bench_fini(&b);
}

/* Each block of 256 commands gives one sample, whatever the ring's size, and a sample goes through
 * all stages. */
static void test_one_command_in_256_is_measured_from_end_to_end(void)
{
    static const unsigned rings[] = {2, 64, 256, 1024};
    for (size_t r = 0; r < sizeof rings / sizeof rings[0]; r++) {
        bench_init(&b, &(bench_options){.ports = 2, .ring_size = rings[r]});
        for (uint64_t i = 0; i < 256 * 6; i++) {
            place(&b.probes[0], MATCHING_SELL, 100 + (int64_t)(i % 50), i);
            if (i % 2 == 1) {
                bench_settle(&b);
            }
        }
        matching_port_flush(b.probes[0].port); /* the port's thread has written what it took */
        for (matching_stage stage = 0; stage < MATCHING_STAGES; stage++) {
            CU_ASSERT_EQUAL(samples_of(stage), 6);
        }
        CHECK("matching_stage_seconds_count{stage=\"match\"}", 6);
        CHECK("matching_processing_seconds_count", 6);
        /* What is promised of this stage is a border of its buckets. */
        CU_ASSERT_TRUE(value_of("matching_stage_seconds_bucket{stage=\"match\",le=\"1e-06\"}") >=
                       0);
        CU_ASSERT_TRUE(value_of("matching_stage_seconds_bucket{stage=\"match\",le=\"5e-06\"}") >=
                       0);
        CU_ASSERT_TRUE(value_of("matching_stage_seconds_bucket{stage=\"match\",le=\"1e-05\"}") >=
                       0);
        bench_fini(&b);
    }
}

/* A client that cancels each of its orders: half of the samples are not always of one kind. Reads
 * are no orders and give none. */
static void test_no_pattern_hides_from_the_samples(void)
{
    enum { BLOCKS = 64 };
    unsigned even = 0, found = 0;
    uint64_t next = sample_place(0);
    for (uint64_t position = 0; position < 256 * BLOCKS; position++) {
        bool is_it = is_sampled(&next, position);
        found += is_it;
        even += is_it && position % 2 == 0;
    }
    CU_ASSERT_EQUAL(found, BLOCKS);
    CU_ASSERT_TRUE(even > BLOCKS / 4 && even < BLOCKS * 3 / 4);
    bench_init(&b, &(bench_options){.ports = 1});
    for (uint64_t i = 0; i < 512; i++) {
        submit(&b.probes[0], read_command(MATCHING_READ_TICKER, bench_instrument(&b, 0, 0), 1), i);
        bench_settle(&b);
    }
    CU_ASSERT_EQUAL(samples_of(MATCHING_STAGE_MATCH), 0);
    bench_fini(&b);
}

/* The gate is closed: nothing is durable or sent yet. */
static void test_a_sample_waits_for_the_gate(void)
{
    bench_init(&b, &(bench_options){.ports = 1, .ring_size = 1024});
    for (uint64_t i = 0; i < 512; i++) {
        place(&b.probes[0], MATCHING_SELL, 100, i);
    }
    bench_step(&b);
    bench_hold_gate(&b, 0, 0);
    matching_port_poll(b.probes[0].port, 0);
    CU_ASSERT_EQUAL(samples_of(MATCHING_STAGE_MATCH), 0); /* no reply has come */
    place(&b.probes[0], MATCHING_SELL, 100, 512);
    bench_settle(&b);
    CU_ASSERT_EQUAL(samples_of(MATCHING_STAGE_TOTAL), 0); /* taken, and not written yet */
    matching_port_flush(b.probes[0].port);
    CU_ASSERT_EQUAL(samples_of(MATCHING_STAGE_MATCH), 2);
    CU_ASSERT_EQUAL(samples_of(MATCHING_STAGE_TOTAL), 2);
    bench_fini(&b);
}

/* Samples in all buckets, which must go up, and end where the largest sample is. */
static uint64_t count_in_buckets(const matching_latency *latency)
{
    uint64_t count = 0, below_ns = 0;
    for (unsigned i = 0; i < latency->bucket_count; i++) {
        CU_ASSERT_TRUE(latency->buckets[i].most_ns > below_ns);
        CU_ASSERT_TRUE(latency->buckets[i].count > 0);
        below_ns = latency->buckets[i].most_ns;
        count += latency->buckets[i].count;
    }
    CU_ASSERT_EQUAL(below_ns, latency->max_ns);
    return count;
}

/* What is submitted at once is seen by the shard at once: every sample of it waits for the last. */
static void test_a_sample_is_queued_when_its_port_publishes(void)
{
    matching_latency submitted, queued, total;
    bench_init(&b, &(bench_options){.ports = 1, .ring_size = 1024});
    for (uint64_t i = 0; i < 768; i++) {
        matching_command order =
            limit_order(bench_instrument(&b, 0, 0), "t", MATCHING_SELL, 100, 1);
        order.received_ns = matching_monotonic_ns();
        CU_ASSERT_EQUAL_FATAL(matching_port_submit(b.probes[0].port, &order), MATCHING_OK);
    }
    const sample_slots *samples = &b.core->shards[0].metrics->samples[0];
    for (uint64_t block = 0; block < 3; block++) {
        const sample_times *times = sample_at(samples, sample_place(block));
        CU_ASSERT_NOT_EQUAL(times->parsed_ns, 0);
        CU_ASSERT_EQUAL(times->queued_ns, 0);
    }
    matching_port_flush(b.probes[0].port);
    uint64_t queued_ns = sample_at(samples, sample_place(0))->queued_ns;
    for (uint64_t block = 0; block < 3; block++) {
        const sample_times *times = sample_at(samples, sample_place(block));
        CU_ASSERT_EQUAL(times->queued_ns, queued_ns);
        CU_ASSERT_TRUE(times->parsed_ns < queued_ns);
    }
    bench_settle(&b);
    matching_port_flush(b.probes[0].port);
    matching_metrics_latency(b.core, MATCHING_STAGE_SUBMIT, &submitted);
    matching_metrics_latency(b.core, MATCHING_STAGE_QUEUE, &queued);
    matching_metrics_latency(b.core, MATCHING_STAGE_TOTAL, &total);
    CU_ASSERT_EQUAL(submitted.count, 3);
    CU_ASSERT_EQUAL(count_in_buckets(&submitted), 3);
    CU_ASSERT_TRUE(submitted.p50_ns > 0);
    CU_ASSERT_TRUE(queued.max_ns <= total.max_ns);
    bench_fini(&b);
}

static void test_a_store_that_lags_is_told(void)
{
    bench_init(&b, &(bench_options){.ports = 1});
    CHECK("matching_store_lag_commands{shard=\"0\"}", -1); /* nobody has told of a store */
    CHECK("matching_store_healthy", -1);
    CHECK("matching_store_warning", -1);
    for (uint64_t i = 0; i < 7; i++) {
        place(&b.probes[0], MATCHING_SELL, 100, i);
    }
    bench_settle(&b);
    uint64_t last = matching_core_shard_progress(b.core, 0).commands;
    matching_metrics_stored(b.core, 0, 0);
    CHECK("matching_store_lag_commands{shard=\"0\"}", last);
    matching_metrics_stored(b.core, 0, last - 2);
    CHECK("matching_store_lag_commands{shard=\"0\"}", 2);
    bench_fini(&b);
}

/* Of orders and trades 256 instruments are told by name, and those after them together, however
 * many are added while it runs. */
static void test_instruments_beyond_the_bound_are_one(void)
{
    enum { NAMED = 256, COUNT = NAMED + 3 };
    bench_init(&b, &(bench_options){.ports = 1, .max_instruments = COUNT});
    for (uint64_t i = BENCH_INSTRUMENTS; i < COUNT; i++) {
        matching_command addition = {
            .type = MATCHING_ADD_INSTRUMENT, .price_ticks = 1, .quantity_lots = 1};
        snprintf(addition.symbol, sizeof addition.symbol, "LATE%03u", (unsigned)i);
        CU_ASSERT_EQUAL_FATAL(submit(&b.probes[0], addition, i), MATCHING_OK);
        bench_settle(&b);
        CU_ASSERT_EQUAL_FATAL(reply_of(&b.probes[0], i)->reply.code, MATCHING_OK);
        if (i == NAMED - 1) {
            CHECK("matching_orders_total{symbol=\"other\"}", -1);
        }
    }
    CHECK("matching_orders_total{symbol=\"other\"}", 0);
    for (uint64_t i = NAMED - 1; i < COUNT; i++) { /* 1, 2, 3 and 4 sells, each with a buy */
        const matching_instrument *instrument = matching_core_instrument(b.core, i);
        for (uint64_t k = 0; k < i + 2 - NAMED; k++) {
            submit(&b.probes[0], limit_order(instrument, "t", MATCHING_SELL, 100, 1), 1000);
            submit(&b.probes[0], limit_order(instrument, "u", MATCHING_BUY, 100, 1), 1001);
            bench_settle(&b);
        }
    }
    CHECK("matching_orders_total{symbol=\"LATE255\"}", 2);
    CHECK("matching_trades_total{symbol=\"LATE255\"}", 1);
    CHECK("matching_orders_total{symbol=\"LATE256\"}", -1);
    CHECK("matching_orders_total{symbol=\"other\"}", 2 * (2 + 3 + 4));
    CHECK("matching_trades_total{symbol=\"other\"}", 2 + 3 + 4);
    bench_fini(&b);
}

/* Into a pipe that is not read go some lines, and into the log's ring some more. */
static void test_lines_that_the_log_dropped_are_told(void)
{
    int ends[2];
    matching_log_options options = {0};
    CU_ASSERT_EQUAL_FATAL(pipe2(ends, O_CLOEXEC), 0);
    options.fd = ends[1];
    CU_ASSERT_TRUE_FATAL(matching_log_levels_parse("info", &options.levels));
    CU_ASSERT_EQUAL_FATAL(matching_log_start(&options), 0);
    bench_init(&b, &(bench_options){.ports = 1});
    CHECK("matching_log_dropped_lines_total", 0);
    for (unsigned i = 0; i < 20000 && matching_log_dropped() < 7; i++) {
        matching_log(MATCHING_LOG_INFO, "test", "nobody reads this line, nor the others");
    }
    CHECK("matching_log_dropped_lines_total", 7);
    signal(SIGPIPE, SIG_IGN);
    close(ends[0]); /* so that its end need not wait for a reader */
    matching_log_stop();
    close(ends[1]);
    CU_ASSERT_TRUE(value_of("matching_log_dropped_lines_total") > 7); /* those in the ring */
    bench_fini(&b);
}

static atomic_bool done;

/* Counts of one moment need not fit each other, but none goes back. */
static void *read_on(void *unused)
{
    (void)unused;
    double before[3] = {0, 0, 0};
    while (!atomic_load(&done)) {
        double now[3] = {value_of("matching_commands_total{transport=\"one\",type=\"place\"}"),
                         value_of("matching_batch_commands_sum"),
                         value_of("matching_stage_seconds_count{stage=\"durable\"}")};
        for (size_t i = 0; i < 3; i++) {
            CU_ASSERT_TRUE(now[i] >= before[i]);
            before[i] = now[i];
        }
    }
    return NULL;
}

static void test_threads_record_while_another_reads(void)
{
    enum { ORDERS = 4096 };
    pthread_t reader;
    bench_init_running(&b, &(bench_options){.ports = 1, .deaf = true});
    matching_port_name(b.probes[0].port, "one");
    atomic_store(&done, false);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&reader, NULL, read_on, NULL), 0);
    for (uint64_t i = 0; i < ORDERS; i += 64) {
        for (uint64_t k = 0; k < 64; k++) {
            place(&b.probes[0], k % 2 == 0 ? MATCHING_SELL : MATCHING_BUY, 100, i + k);
        }
        bench_wait_replies(&b.probes[0], i + 64);
    }
    atomic_store(&done, true);
    pthread_join(reader, NULL);
    matching_port_flush(b.probes[0].port);
    CHECK("matching_commands_total{transport=\"one\",type=\"place\"}", ORDERS);
    CHECK("matching_batch_commands_sum", ORDERS);
    CU_ASSERT_EQUAL(samples_of(MATCHING_STAGE_TOTAL), ORDERS / 256);
    bench_fini(&b);
}

MATCHING_TESTS(MATCHING_TEST(test_counts_are_exact),
               MATCHING_TEST(test_batches_and_what_waits_are_told),
               MATCHING_TEST(test_one_command_in_256_is_measured_from_end_to_end),
               MATCHING_TEST(test_no_pattern_hides_from_the_samples),
               MATCHING_TEST(test_a_sample_waits_for_the_gate),
               MATCHING_TEST(test_a_sample_is_queued_when_its_port_publishes),
               MATCHING_TEST(test_a_store_that_lags_is_told),
               MATCHING_TEST(test_instruments_beyond_the_bound_are_one),
               MATCHING_TEST(test_lines_that_the_log_dropped_are_told),
               MATCHING_TEST(test_threads_record_while_another_reads))
