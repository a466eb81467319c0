/* metrics_bench on|off [orders [at_once]]: orders through a port and a shard, with metrics or without.
 *
 * The shard's thread sleeps and the port's thread does its work, so all is done by one thread, in the
 * same order each time: instructions can be counted, which other programs do not disturb:
 *
 *   valgrind --tool=cachegrind --cache-sim=no --cachegrind-out-file=/dev/null metrics_bench on 200000
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

#define AT_ONCE_MAX 4096u
#define SETTLE_US 300000 /* for the shard's thread to go to sleep */
#define KEPT 4096u       /* resting orders that may be cancelled, a power of two */

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

int main(int argc, char **argv)
{
    static bench b = {.random = 1};
    uint64_t orders = argc > 2 ? strtoull(argv[2], NULL, 10) : 200000;
    uint64_t at_once = argc > 3 ? strtoull(argv[3], NULL, 10) : 100;
    char error[256];
    if (argc < 2 || at_once < 1 || at_once > AT_ONCE_MAX) {
        fprintf(stderr, "usage: metrics_bench on|off [orders [at_once]]\n");
        return 2;
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
    for (uint64_t sent = 0; sent < orders;) {
        for (uint64_t i = 0; i < at_once && sent < orders; i++, sent++) {
            matching_command command = make(&b);
            if (matching_port_submit(b.port, &command) != MATCHING_OK) {
                fprintf(stderr, "metrics_bench: a ring is full\n");
                return 1;
            }
        }
        do {
            matching_port_flush(b.port);
            matching_port_poll(b.port, 0);
        } while (b.answered < sent);
    }
    uint64_t took_ns = matching_monotonic_ns() - began_ns;
    printf("metrics %s, %" PRIu64 " commands, %" PRIu64 " at once: %" PRIu64 " refused, %" PRIu64
           " ns each\n",
           argv[1], orders, at_once, b.refused, orders > 0 ? took_ns / orders : 0);
    matching_latency latency;
    matching_metrics_latency(core, MATCHING_STAGE_MATCH, &latency);
    printf("in the shard, of %" PRIu64 ": p50 %" PRIu64 ", p99 %" PRIu64 ", p99.9 %" PRIu64 " ns\n",
           latency.count, latency.p50_ns, latency.p99_ns, latency.p999_ns);
    matching_core_stop(core);
    matching_core_destroy(core);
    return 0;
}
