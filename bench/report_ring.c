/* See report_ring.h. Not for more than one thread a side. */
#define _GNU_SOURCE
#include "bench/report_ring.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGE (2u << 20)

static size_t slot_bytes(uint64_t mask)
{
    return (mask + 1) * sizeof(yardstick_report);
}

report_ring *report_ring_create(uint32_t capacity)
{
    uint64_t slots = REPORT_RING_GROUP;
    while (slots < capacity) {
        slots *= 2;
    }
    report_ring *ring = aligned_alloc(64, sizeof *ring);
    if (ring == NULL) {
        return NULL;
    }
    memset(ring, 0, sizeof *ring);
    ring->mask = slots - 1;
    ring->room_until = slots;
    ring->slots = aligned_alloc(HUGE_PAGE, (slot_bytes(ring->mask) + HUGE_PAGE - 1) &
                                               ~(size_t)(HUGE_PAGE - 1));
    if (ring->slots == NULL) {
        free(ring);
        return NULL;
    }
    madvise(ring->slots, slot_bytes(ring->mask), MADV_HUGEPAGE);
    memset(ring->slots, 0, slot_bytes(ring->mask)); /* now, not while it is being used */
    atomic_init(&ring->published, 0);
    atomic_init(&ring->released, 0);
    return ring;
}

void report_ring_destroy(report_ring *ring)
{
    free(ring->slots);
    free(ring);
}

uint32_t report_ring_drain(report_ring *ring, yardstick_report *out, uint32_t max)
{
    if (ring->read == ring->filled_until) {
        ring->filled_until = atomic_load_explicit(&ring->published, memory_order_acquire);
        if (ring->read == ring->filled_until) {
            return 0;
        }
    }
    uint64_t ready = ring->filled_until - ring->read;
    uint64_t at = ring->read & ring->mask, until_end = ring->mask + 1 - at;
    uint64_t count = ready < max ? ready : max;
    count = count < until_end ? count : until_end;
    memcpy(out, &ring->slots[at], count * sizeof *out);
    ring->read += count;
    atomic_store_explicit(&ring->released, ring->read, memory_order_release);
    return (uint32_t)count;
}

static void *create(uint32_t capacity)
{
    return report_ring_create(capacity);
}

static int push(void *handle, const yardstick_report *report)
{
    report_ring *ring = handle;
    yardstick_report *slot = report_ring_slot(ring);
    if (slot == NULL) {
        return 0;
    }
    *slot = *report;
    report_ring_advance(ring);
    return 1;
}

static uint32_t drain(void *handle, yardstick_report *out, uint32_t max)
{
    return report_ring_drain(handle, out, max);
}

static void flush(void *handle)
{
    report_ring_publish(handle);
}

static void destroy(void *handle)
{
    report_ring_destroy(handle);
}

const yardstick_transport report_ring_transport = {create, push, drain, flush, destroy};
