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
#define HISTOGRAM_BITS 40u /* of times 18 minutes; what is more counts as that */
#define HISTOGRAM_TIME_PART 0x624dd2f1a9fbe77u /* 3/125 of 2^64, rounded up */
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
    /* What is shifted has its highest bit, the sixteen, still set: that is the next power's. */
    unsigned power = 63u - HISTOGRAM_STEPS_LOG2 - (unsigned)__builtin_clzll(below);
    return power * HISTOGRAM_STEPS + (unsigned)(below >> power);
}

/* Times are put into buckets not by the nanosecond but by 1/1024 of a microsecond, so that a bucket
 * ends at a microsecond, at five and at ten, which are what is promised. Their sum is of
 * nanoseconds. */
static inline uint64_t histogram_time(uint64_t ns)
{
    /* 128/125 of it: a multiplication, which a division by a constant would take three of. */
    return ns + (uint64_t)((unsigned __int128)ns * HISTOGRAM_TIME_PART >> 64);
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

static inline void histogram_add_time(histogram *h, uint64_t ns)
{
    metric_add(&h->buckets[histogram_bucket(histogram_time(ns))], 1);
    metric_add(&h->sum, ns);
}

/* The highest value that counts in a bucket. */
uint64_t histogram_most(unsigned bucket);

/* The highest time that counts in a bucket, in nanoseconds. */
uint64_t histogram_most_time(unsigned bucket);

void histogram_collect(histogram_total *total, const histogram *from);

/* How many values are at most this one, which must be the most of a bucket to be exact. */
uint64_t histogram_at_most(const histogram_total *total, uint64_t most);

/* A value that `parts` of `of` values do not exceed, rounded up to a bucket's most; 0: there is no
 * value at all. parts = of: the largest. */
uint64_t histogram_quantile(const histogram_total *total, uint64_t parts, uint64_t of);

/* The same of times, in nanoseconds. */
uint64_t histogram_quantile_time(const histogram_total *total, uint64_t parts, uint64_t of);

#endif
