/* What the measures of ws_load share: their settings. */
#ifndef MATCHING_BENCH_WS_LOAD_H
#define MATCHING_BENCH_WS_LOAD_H

#include "load/target.h"

enum { MIX_CANCEL, MIX_CROSS, MIX_REST };

/* Every setting has a default (ws_load.c). */
typedef struct settings {
    unsigned connections, in_flight, rounds, seconds;
    unsigned rate; /* messages a second at fixed times; 0: as fast as replies come */
    unsigned mix;  /* MIX_* */
    unsigned samples;
    unsigned subscribers, trades;
    unsigned idle;
    unsigned slow; /* clients that do not read */
} settings;

/* Each takes turns over the targets and reports. */
void measure_throughput(const settings *s, target *targets, unsigned count);
void measure_latency(const settings *s, target *targets, unsigned count);
void measure_fanout(const settings *s, target *targets, unsigned count);
void measure_idle(const settings *s, target *targets, unsigned count);
void measure_slow(const settings *s, target *targets, unsigned count);

#endif
