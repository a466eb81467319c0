/* Messages for yardstick.h: five markets of our own, each the same for the same seed.
 *
 * Most orders are cancelled soon and never trade, some are modified, one in seven is immediate
 * or cancel; what nobody cancels stays until the price comes by. The markets differ in how far
 * the price goes, and so in how many orders stand: the further, the fewer, at the more prices.
 */
#ifndef MATCHING_BENCH_SCENARIO_H
#define MATCHING_BENCH_SCENARIO_H

#include <stddef.h>
#include <stdint.h>

#include "bench/yardstick.h"

typedef struct scenario {
    const char *name;
    double swing;   /* of the middle price, as a part of it */
    double crash;   /* lost within a fiftieth of the time, and half of it won back */
    double spread;  /* mean distance of an order from the middle, in ticks */
    double lasting; /* part of the orders that nobody cancels */
} scenario;

#define SCENARIOS 5
extern const scenario scenarios[SCENARIOS];

/* Messages of `orders` new orders (at most SIMPLE_ID_MAX), about twice as many; sequence numbers
 * from 0. Heap; NULL: no memory. */
yardstick_message *scenario_generate(const scenario *market, uint32_t orders, uint64_t seed,
                                     size_t *count);

#endif
