/* A histogram of times in nanoseconds, log-linear: 128 steps to each power of two, so a value that
 * is read from it is at most 0.8% too high, and never too low. The maximum is exact.
 */
#ifndef MATCHING_BENCH_LOAD_HISTOGRAM_H
#define MATCHING_BENCH_LOAD_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_STEP_BITS 7
#define HISTOGRAM_BUCKETS ((64 - HISTOGRAM_STEP_BITS + 1) << HISTOGRAM_STEP_BITS)

/* All zero: empty. */
typedef struct histogram {
    uint64_t count, max_ns;
    uint64_t buckets[HISTOGRAM_BUCKETS];
} histogram;

void histogram_add(histogram *h, uint64_t ns);
void histogram_merge(histogram *to, const histogram *from);

/* The value that `part` (0 to 1) of all values do not exceed; 0 if there are none. */
uint64_t histogram_at(const histogram *h, double part);

#endif
