/* A bounded ring between exactly one producer thread and one consumer thread.
 *
 * Positions count up forever. The producer fills slots and publishes them together; the consumer
 * takes them in place and gives them back together. No locks, no allocation after ring_init; full
 * and empty are answers, not waits. Items are 64-byte aligned when their size is a multiple of 64.
 */
#ifndef MATCHING_RING_H
#define MATCHING_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ring {
    /* Both sides read these. */
    char *items;
    uint64_t mask; /* slots - 1 */
    size_t item_size;
    /* The producer's line. */
    _Alignas(64) uint64_t write; /* next slot to fill */
    uint64_t room_until;         /* slots below it are known to be free */
    uint64_t write_passed;       /* slots that were passed over so far */
    uint64_t write_sample;       /* the next item whose way is measured (metrics/recorder.h) ... */
    void *write_unseen;          /* ... and the last of those that are not published; NULL: none */
    _Atomic uint64_t published;
    _Atomic uint64_t begin; /* slots below it were passed over, those that were not taken yet */
    /* The consumer's line. */
    _Alignas(64) uint64_t read; /* next slot to take */
    uint64_t read_passed;       /* as write_passed, likewise */
    uint64_t read_sample;
    _Atomic uint64_t released;
} ring;

/* memory: slots * item_size bytes that outlive the ring; slots a power of two. */
static inline void ring_init(ring *r, void *memory, uint64_t slots, size_t item_size)
{
    r->items = memory;
    r->mask = slots - 1;
    r->item_size = item_size;
    r->write = r->read = 0;
    r->write_passed = r->read_passed = 0;
    r->room_until = slots;
    r->write_sample = r->read_sample = UINT64_MAX; /* none */
    r->write_unseen = NULL;
    atomic_init(&r->published, 0);
    atomic_init(&r->begin, 0);
    atomic_init(&r->released, 0);
}

/* Producer: looks again how far it may go. */
static inline void ring_look(ring *r)
{
    uint64_t released = atomic_load_explicit(&r->released, memory_order_acquire);
    uint64_t begin = atomic_load_explicit(&r->begin, memory_order_relaxed);
    r->room_until = (released > begin ? released : begin) + r->mask + 1;
}

/* Producer: the next free slot, or NULL when the ring is full. */
static inline void *ring_slot(ring *r)
{
    if (r->write == r->room_until) {
        ring_look(r);
        if (r->write == r->room_until) {
            return NULL;
        }
    }
    return r->items + (r->write & r->mask) * r->item_size;
}

/* Producer: are this many slots free? */
static inline bool ring_has_room(ring *r, uint64_t slots)
{
    if (r->room_until - r->write < slots) {
        ring_look(r);
    }
    return r->room_until - r->write >= slots;
}

/* Producer: the slot is filled; the consumer sees it after ring_publish. */
static inline void ring_advance(ring *r)
{
    r->write++;
}

/* Producer: how many are filled, but not yet published. */
static inline uint64_t ring_unpublished(const ring *r)
{
    return r->write - atomic_load_explicit(&r->published, memory_order_relaxed);
}

static inline void ring_publish(ring *r)
{
    atomic_store_explicit(&r->published, r->write, memory_order_release);
}

/* Producer: how many items came before the one that goes into the next slot. */
static inline uint64_t ring_written(const ring *r)
{
    return r->write - r->write_passed;
}

/* Producer, with all published: if all was taken, goes on at the first slot of the memory. As long
 * as little is under way at a time that is all of it that is used, and stays in the near caches. */
static inline void ring_rewind(ring *r)
{
    uint64_t begin = (r->write + r->mask) & ~r->mask;
    if (begin == r->write || atomic_load_explicit(&r->released, memory_order_acquire) != r->write) {
        return;
    }
    r->write_passed += begin - r->write;
    r->write = begin;
    r->room_until = begin + r->mask + 1;
    atomic_store_explicit(&r->begin, begin, memory_order_relaxed);
    atomic_store_explicit(&r->published, begin, memory_order_release);
}

/* Consumer: one past the last slot to take now, the first of which is `read` after this call. */
static inline uint64_t ring_end(ring *r)
{
    uint64_t end = atomic_load_explicit(&r->published, memory_order_acquire);
    uint64_t begin = atomic_load_explicit(&r->begin, memory_order_relaxed);
    if (r->read < begin) {
        r->read_passed += begin - r->read;
        r->read = begin;
    }
    return end > begin ? end : begin; /* the producer may have rewound in between */
}

/* Consumer: how many items came before the next one. */
static inline uint64_t ring_taken(const ring *r)
{
    return r->read - r->read_passed;
}

/* How many items wait; those that come or go meanwhile may be missing. Any thread. */
static inline uint64_t ring_depth(const ring *r)
{
    uint64_t end = atomic_load_explicit(&r->published, memory_order_acquire);
    uint64_t begin = atomic_load_explicit(&r->begin, memory_order_relaxed);
    uint64_t released = atomic_load_explicit(&r->released, memory_order_acquire);
    uint64_t from = released > begin ? released : begin;
    return end > from ? end - from : 0;
}

static inline void *ring_at(ring *r, uint64_t position)
{
    return r->items + (position & r->mask) * r->item_size;
}

/* Consumer: slots before `read` are free again. */
static inline void ring_release(ring *r)
{
    atomic_store_explicit(&r->released, r->read, memory_order_release);
}

#endif
