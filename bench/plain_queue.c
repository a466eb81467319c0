/* See plain_queue.h. No cached positions, no groups: what report_ring.h is measured against. */
#include "bench/plain_queue.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

typedef struct plain_queue {
    yardstick_report *slots;
    uint64_t mask; /* slots - 1 */
    _Alignas(64) _Atomic uint64_t written;
    _Alignas(64) _Atomic uint64_t read;
} plain_queue;

static void *create(uint32_t capacity)
{
    uint64_t count = 1;
    while (count < capacity) {
        count *= 2;
    }
    plain_queue *queue = aligned_alloc(64, sizeof *queue);
    yardstick_report *slots = calloc(count, sizeof *slots);
    if (queue == NULL || slots == NULL) {
        free(queue);
        free(slots);
        return NULL;
    }
    memset(queue, 0, sizeof *queue);
    queue->slots = slots;
    queue->mask = count - 1;
    return queue;
}

static int push(void *handle, const yardstick_report *report)
{
    plain_queue *queue = handle;
    uint64_t at = atomic_load_explicit(&queue->written, memory_order_relaxed);
    if (at - atomic_load_explicit(&queue->read, memory_order_acquire) > queue->mask) {
        return 0;
    }
    queue->slots[at & queue->mask] = *report;
    atomic_store_explicit(&queue->written, at + 1, memory_order_release);
    return 1;
}

static uint32_t drain(void *handle, yardstick_report *out, uint32_t max)
{
    plain_queue *queue = handle;
    uint64_t at = atomic_load_explicit(&queue->read, memory_order_relaxed);
    uint64_t count = atomic_load_explicit(&queue->written, memory_order_acquire) - at;
    count = count < max ? count : max;
    for (uint64_t i = 0; i < count; i++) {
        out[i] = queue->slots[(at + i) & queue->mask];
    }
    atomic_store_explicit(&queue->read, at + count, memory_order_release);
    return (uint32_t)count;
}

static void flush(void *handle)
{
    (void)handle;
}

static void destroy(void *handle)
{
    plain_queue *queue = handle;
    free(queue->slots);
    free(queue);
}

const yardstick_transport plain_queue_transport = {create, push, drain, flush, destroy};
