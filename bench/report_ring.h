/* A bounded ring of reports from one producer thread to one consumer thread.
 *
 * The producer fills slots in place and publishes them REPORT_RING_GROUP at a time, so the two
 * threads share a cache line once a group, not once a report; each side looks at the other's
 * position only when its own copy of it says full or empty. All memory is there from the start.
 */
#ifndef MATCHING_BENCH_REPORT_RING_H
#define MATCHING_BENCH_REPORT_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "bench/yardstick.h"

#define REPORT_RING_GROUP 32u

typedef struct report_ring {
    yardstick_report *slots;
    uint64_t mask; /* slots - 1 */
    /* The producer's line. */
    _Alignas(64) uint64_t write; /* next slot to fill */
    uint64_t room_until;         /* slots below it are known to be free */
    _Alignas(64) _Atomic uint64_t published;
    /* The consumer's line. */
    _Alignas(64) uint64_t read;
    uint64_t filled_until; /* slots below it are known to be filled */
    _Alignas(64) _Atomic uint64_t released;
} report_ring;

/* NULL: no memory. */
report_ring *report_ring_create(uint32_t capacity);
void report_ring_destroy(report_ring *ring);

/* Producer: what was filled can be drained. */
static inline void report_ring_publish(report_ring *ring)
{
    atomic_store_explicit(&ring->published, ring->write, memory_order_release);
}

/* Producer: the next slot, to be filled whole; NULL: full, and everything has been published. */
static inline yardstick_report *report_ring_slot(report_ring *ring)
{
    if (__builtin_expect(ring->write == ring->room_until, 0)) {
        ring->room_until =
            atomic_load_explicit(&ring->released, memory_order_acquire) + ring->mask + 1;
        if (ring->write == ring->room_until) {
            report_ring_publish(ring);
            return NULL;
        }
    }
    return &ring->slots[ring->write & ring->mask];
}

/* Producer: the slot is filled. */
static inline void report_ring_advance(report_ring *ring)
{
    if (++ring->write % REPORT_RING_GROUP == 0) {
        report_ring_publish(ring);
    }
}

/* Consumer. */
uint32_t report_ring_drain(report_ring *ring, yardstick_report *out, uint32_t max);

/* The ring as the interface has transports. */
extern const yardstick_transport report_ring_transport;

#endif
