/* The readers' side of a histogram. See histogram.h. */
#include "metrics/histogram.h"

uint64_t histogram_most(unsigned bucket)
{
    uint64_t step = bucket % HISTOGRAM_STEPS + 1;
    unsigned power = bucket / HISTOGRAM_STEPS;
    return power == 0 ? step : (HISTOGRAM_STEPS + step) << (power - 1);
}

void histogram_collect(histogram_total *total, const histogram *from)
{
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        uint64_t here = metric_read(&from->buckets[i]);
        total->buckets[i] += here;
        total->count += here;
    }
    total->sum += metric_read(&from->sum);
}

uint64_t histogram_at_most(const histogram_total *total, uint64_t most)
{
    uint64_t count = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS && histogram_most(i) <= most; i++) {
        count += total->buckets[i];
    }
    return count;
}

uint64_t histogram_quantile(const histogram_total *total, uint64_t parts, uint64_t of)
{
    if (total->count == 0) {
        return 0;
    }
    uint64_t wanted = (uint64_t)((unsigned __int128)total->count * parts / of), seen = 0;
    wanted += (unsigned __int128)total->count * parts % of != 0; /* at least so many */
    wanted = wanted == 0 ? 1 : wanted;
    unsigned i = 0;
    for (; i < HISTOGRAM_BUCKETS - 1; i++) {
        seen += total->buckets[i];
        if (seen >= wanted) {
            break;
        }
    }
    return histogram_most(i);
}

/* The last nanosecond that is not above it. */
static uint64_t time_of(uint64_t most)
{
    return ((most + 1) * 125 + 127) / 128 - 1;
}

uint64_t histogram_most_time(unsigned bucket)
{
    return time_of(histogram_most(bucket));
}

uint64_t histogram_quantile_time(const histogram_total *total, uint64_t parts, uint64_t of)
{
    uint64_t most = histogram_quantile(total, parts, of);
    return most == 0 ? 0 : time_of(most);
}
