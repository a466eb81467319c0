/* A histogram of whole numbers: buckets of which each power of two has sixteen, so that a value is
 * known to a sixteenth, whether nanoseconds or minutes (what HdrHistogram does).
 *
 * One thread at a time writes, by plain loads and stores; any thread reads.
 */
#ifndef MATCHING_HISTOGRAM_H
#define MATCHING_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

#define HISTOGRAM_STEPS_LOG2 4u /* buckets of a power of two */
#define HISTOGRAM_STEPS (1u << HISTOGRAM_STEPS_LOG2)
#define HISTOGRAM_BITS 40u /* in nanoseconds 18 minutes; what is more counts as that */
#define HISTOGRAM_BUCKETS ((HISTOGRAM_BITS - HISTOGRAM_STEPS_LOG2 + 1) * HISTOGRAM_STEPS)

typedef struct histogram {
    _Atomic uint64_t sum;
    _Atomic uint64_t buckets[HISTOGRAM_BUCKETS];
} histogram;

/* What several of them hold together; its reader's own. */
typedef struct histogram_total {
    uint64_t count, sum;
    uint64_t buckets[HISTOGRAM_BUCKETS];
} histogram_total;

/* A bucket holds the values above the last one's most, up to its own, which is part of it: as
 * Prometheus has it. 0 is in the first one, whose most is 1. */
static inline unsigned histogram_bucket(uint64_t value)
{
    uint64_t below = value - (value != 0);
    if (below >= 1ull << HISTOGRAM_BITS) {
        return HISTOGRAM_BUCKETS - 1;
    }
    if (below < HISTOGRAM_STEPS) {
        return (unsigned)below;
    }
    unsigned log2 = 63u - (unsigned)__builtin_clzll(below);
    unsigned step = (unsigned)(below >> (log2 - HISTOGRAM_STEPS_LOG2)) & (HISTOGRAM_STEPS - 1);
    return (log2 - HISTOGRAM_STEPS_LOG2 + 1) * HISTOGRAM_STEPS + step;
}

/* A count of which there is one writer at a time. */
static inline void metric_add(_Atomic uint64_t *count, uint64_t more)
{
    uint64_t before = atomic_load_explicit(count, memory_order_relaxed);
    atomic_store_explicit(count, before + more, memory_order_relaxed);
}

static inline uint64_t metric_read(const _Atomic uint64_t *count)
{
    return atomic_load_explicit(count, memory_order_relaxed);
}

static inline void histogram_add(histogram *h, uint64_t value)
{
    metric_add(&h->buckets[histogram_bucket(value)], 1);
    metric_add(&h->sum, value);
}

/* The highest value that counts in a bucket. */
uint64_t histogram_most(unsigned bucket);

void histogram_collect(histogram_total *total, const histogram *from);

/* How many values are at most this one, which must be the most of a bucket to be exact. */
uint64_t histogram_at_most(const histogram_total *total, uint64_t most);

/* A value that `parts` of `of` values do not exceed, rounded up to a bucket's most; 0: there is no
 * value at all. parts = of: the largest. */
uint64_t histogram_quantile(const histogram_total *total, uint64_t parts, uint64_t of);

#endif
