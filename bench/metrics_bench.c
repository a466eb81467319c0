/* metrics_bench on|off [orders [at_once [ratio]]]: orders through a port and a shard, with metrics
 * or without. ratio: of the orders, how many are traced; without it traces are off. A traced order
 * has the span of a message around it, as a door makes it, and both spans are written as JSON.
 *
 * The shard's thread sleeps and the port's thread does its work, so all is done by one thread, in
 * the same order each time: instructions can be counted, which other programs do not disturb:
 *
 *   valgrind --tool=cachegrind --cache-sim=no --cachegrind-out-file=/dev/null \
 *     metrics_bench on 200000
 *
 * The same with 0 orders is what beginning and ending cost. Half of the commands rest, a quarter
 * trades, a quarter cancels.
 */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "matching/core.h"
#include "matching/metrics.h"
#include "matching/port.h"
#include "trace/otlp.h"

#define AT_ONCE_MAX 4096u
#define SETTLE_US 300000 /* for the shard's thread to go to sleep */
#define KEPT 4096u       /* resting orders that may be cancelled, a power of two */
#define SPANS_MAX 65536u

typedef struct bench {
    matching_port *port;
    uint64_t random, answered, refused;
    uint64_t kept[KEPT];
    uint64_t keeps;
} bench;

static void on_reply(void *context, const matching_reply *reply)
{
    bench *b = context;
    b->answered++;
    b->refused += reply->code != MATCHING_OK;
    if (reply->type == MATCHING_PLACE && matching_order_is_working(&reply->order)) {
        b->kept[b->keeps++ % KEPT] = reply->order.order_id;
    }
}

static void wake(void *context)
{
    (void)context;
}

static uint64_t next(bench *b)
{
    b->random = b->random * 6364136223846793005u + 1442695040888963407u;
    return b->random >> 33;
}

static matching_command make(bench *b)
{
    uint64_t dice = next(b);
    matching_command command = {.type = MATCHING_PLACE,
                                .order_type = MATCHING_LIMIT,
                                .time_in_force = MATCHING_GTC,
                                .flags = MATCHING_FLAG_BRIEF,
                                .trader_id = "trader",
                                .side = dice % 2 ? MATCHING_BUY : MATCHING_SELL};
    if (dice / 2 % 4 == 0 && b->keeps > 0) {
        uint64_t among = b->keeps < KEPT ? b->keeps : KEPT;
        command.type = MATCHING_CANCEL;
        command.order_id = b->kept[dice / 8 % among];
    } else {
        bool trades = dice / 2 % 4 == 1;
        int64_t distance = (int64_t)(dice / 8 % 50);
        bool above = (command.side == MATCHING_SELL) != trades;
        command.price_ticks = 10000 + (above ? 1 + distance : -distance);
        command.quantity_lots = 1 + (int64_t)(dice / 512 % 10);
    }
    command.received_ns = matching_monotonic_ns();
    return command;
}

/* As a door does with a message. */
static matching_code submit(bench *b)
{
    matching_command command = make(b);
    matching_span span;
    matching_span_begin(&span, NULL, command.received_ns);
    const matching_trace_context *before = matching_trace_enter(&span);
    matching_code code = matching_port_submit(b->port, &command);
    matching_trace_leave(before);
    if (matching_span_is_sampled(&span)) {
        const matching_trace_field fields[] = {{.name = "message.type", .text = "order"},
                                               {.name = "message.size_bytes", .number = 100}};
        matching_span_end(&span, &(matching_span_facts){.name = "message.handle",
                                                        .kind = MATCHING_SPAN_SERVER,
                                                        .fields = fields,
                                                        .field_count = 2});
    }
    return code;
}

static bool start_traces(double ratio)
{
    trace_sampler sampler = {.is_parent_based = true, .is_always = ratio >= 1};
    if (!sampler.is_always) {
        sampler.below = (uint64_t)(ratio * 18446744073709551616.0);
    }
    return trace_recorder_start(&sampler, SPANS_MAX, SPANS_MAX);
}

/* What the thread that exports would do, but for sending it. Returns how many there were. */
static uint64_t write_spans(void)
{
    static const matching_trace_options options = {.service_name = "bench"};
    const span_record *span;
    static otlp_text out; /* its memory serves again, as the exporter's does */
    size_t count = 0;
    if (!matching_trace_is_on() || trace_peek(0) == NULL) {
        return 0;
    }
    otlp_begin(&out, &options, "0");
    for (; (span = trace_peek(count)) != NULL; count++) {
        otlp_span(&out, span, 0, count == 0);
    }
    otlp_end(&out);
    trace_release(count, 0);
    return count;
}

int main(int argc, char **argv)
{
    static bench b = {.random = 1};
    uint64_t orders = argc > 2 ? strtoull(argv[2], NULL, 10) : 200000;
    uint64_t at_once = argc > 3 ? strtoull(argv[3], NULL, 10) : 100;
    char error[256];
    if (argc < 2 || at_once < 1 || at_once > AT_ONCE_MAX) {
        fprintf(stderr, "usage: metrics_bench on|off [orders [at_once [ratio]]]\n");
        return 2;
    }
    if (argc > 4 && !start_traces(strtod(argv[4], NULL))) {
        fprintf(stderr, "metrics_bench: no memory\n");
        return 1;
    }
    matching_instrument_options instrument = {
        .symbol = "BENCH", .id = 1, .tick_size = 1, .lot_size = 1};
    matching_core_options options;
    matching_core_options_default(&options);
    options.instruments = &instrument;
    options.instrument_count = 1;
    options.shards = 1;
    options.spin_us = 0;
    options.serve_max = UINT_MAX;
    options.metrics = strcmp(argv[1], "on") == 0;
    matching_core *core = matching_core_create(&options, error, sizeof error);
    const matching_port_handlers handlers = {.on_reply = on_reply, .wake = wake};
    b.port = core != NULL ? matching_port_create(core, &handlers, &b) : NULL;
    if (b.port == NULL || matching_core_start(core, error, sizeof error) != 0) {
        fprintf(stderr, "metrics_bench: it does not start\n");
        return 1;
    }
    usleep(SETTLE_US);
    uint64_t began_ns = matching_monotonic_ns();
    uint64_t spans = 0;
    for (uint64_t sent = 0; sent < orders;) {
        for (uint64_t i = 0; i < at_once && sent < orders; i++, sent++) {
            if (submit(&b) != MATCHING_OK) {
                fprintf(stderr, "metrics_bench: a ring is full\n");
                return 1;
            }
        }
        do {
            matching_port_flush(b.port);
            matching_port_poll(b.port, 0);
        } while (b.answered < sent);
        spans += sent / 8192 != (sent - at_once) / 8192 ? write_spans() : 0;
    }
    spans += write_spans();
    uint64_t took_ns = matching_monotonic_ns() - began_ns;
    printf("metrics %s, %" PRIu64 " commands, %" PRIu64 " at once: %" PRIu64 " refused, %" PRIu64
           " ns each\n",
           argv[1], orders, at_once, b.refused, orders > 0 ? took_ns / orders : 0);
    if (argc > 4) {
        printf("%" PRIu64 " spans\n", spans);
    }
    matching_latency latency;
    matching_metrics_latency(core, MATCHING_STAGE_MATCH, &latency);
    printf("in the shard, of %" PRIu64 ": p50 %" PRIu64 ", p99 %" PRIu64 ", p99.9 %" PRIu64 " ns\n",
           latency.count, latency.p50_ns, latency.p99_ns, latency.p999_ns);
    matching_core_stop(core);
    matching_core_destroy(core);
    return 0;
}
