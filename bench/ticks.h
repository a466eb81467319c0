/* Time stamps for what takes nanoseconds: the processor's counter where there is one.
 *
 * ticks_start and ticks_stop enclose what is measured: nothing of it is executed before the
 * first or after the second. Both cost something themselves; ticks_overhead says how much.
 */
#ifndef MATCHING_BENCH_TICKS_H
#define MATCHING_BENCH_TICKS_H

#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#if defined(__x86_64__)
#include <x86intrin.h>

static inline uint64_t ticks_start(void)
{
    _mm_lfence();
    uint64_t now = __rdtsc();
    _mm_lfence();
    return now;
}

static inline uint64_t ticks_stop(void)
{
    unsigned cpu;
    uint64_t now = __rdtscp(&cpu);
    _mm_lfence();
    return now;
}
#else
static inline uint64_t ticks_start(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline uint64_t ticks_stop(void)
{
    return ticks_start();
}
#endif

static inline int ticks_compare(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

/* What an empty measurement shows: the median of many. */
static inline uint64_t ticks_overhead(void)
{
    enum { SAMPLES = 20001 };
    static uint32_t samples[SAMPLES];
    for (size_t i = 0; i < SAMPLES; i++) {
        uint64_t from = ticks_start();
        samples[i] = (uint32_t)(ticks_stop() - from);
    }
    qsort(samples, SAMPLES, sizeof samples[0], ticks_compare);
    return samples[SAMPLES / 2];
}

#endif
