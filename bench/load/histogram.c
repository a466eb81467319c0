/* See histogram.h. */
#include "load/histogram.h"

#define STEPS (UINT64_C(1) << HISTOGRAM_STEP_BITS)

/* Values below STEPS have a bucket each; above, the leading bits count and the rest is dropped. */
static unsigned bucket_of(uint64_t ns)
{
    if (ns < STEPS) {
        return (unsigned)ns;
    }
    unsigned dropped = 63u - (unsigned)__builtin_clzll(ns) - HISTOGRAM_STEP_BITS;
    return (dropped << HISTOGRAM_STEP_BITS) + (unsigned)(ns >> dropped);
}

static uint64_t highest_in(unsigned bucket)
{
    if (bucket < STEPS) {
        return bucket;
    }
    unsigned dropped = (bucket >> HISTOGRAM_STEP_BITS) - 1;
    return (((bucket & (STEPS - 1)) + STEPS + 1) << dropped) - 1;
}

void histogram_add(histogram *h, uint64_t ns)
{
    h->buckets[bucket_of(ns)]++;
    h->count++;
    h->max_ns = ns > h->max_ns ? ns : h->max_ns;
}

void histogram_merge(histogram *to, const histogram *from)
{
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        to->buckets[i] += from->buckets[i];
    }
    to->count += from->count;
    to->max_ns = from->max_ns > to->max_ns ? from->max_ns : to->max_ns;
}

uint64_t histogram_at(const histogram *h, double part)
{
    uint64_t seen = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->buckets[i];
        if (seen > 0 && (double)seen >= part * (double)h->count) {
            uint64_t highest = highest_in(i);
            return highest < h->max_ns ? highest : h->max_ns;
        }
    }
    return 0;
}
