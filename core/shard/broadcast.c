/* See broadcast.h. The hand-shake that lets the writer lap a reader:
 *
 *   writer: lapped = true; wait while looking      reader: looking = true; lapped? -> do not look
 *
 * Both sides use sequentially consistent operations, so at least one sees the other.
 */
#include "shard/broadcast.h"

#include <sched.h>
#include <string.h>

void broadcast_init(broadcast *ring, matching_event *memory, uint64_t slots,
                    broadcast_reader *readers, unsigned reader_count)
{
    memset(ring, 0, sizeof *ring);
    ring->sink.slots = memory;
    ring->sink.mask = slots - 1;
    ring->sink.limit = slots;
    ring->capacity = slots;
    ring->readers = readers;
    ring->reader_count = reader_count;
    atomic_init(&ring->tail, 0);
    atomic_init(&ring->limit, slots);
    for (unsigned i = 0; i < reader_count; i++) {
        atomic_init(&readers[i].cursor, 0);
        atomic_init(&readers[i].lapped, false);
        atomic_init(&readers[i].looking, false);
    }
}

/* One past the last position that the readers, but for lapped ones, allow to be written. */
static uint64_t allowed(broadcast *ring)
{
    uint64_t slowest = ring->sink.head;
    for (unsigned i = 0; i < ring->reader_count; i++) {
        broadcast_reader *reader = &ring->readers[i];
        if (atomic_load(&reader->lapped)) {
            continue;
        }
        uint64_t cursor = atomic_load(&reader->cursor);
        slowest = cursor < slowest ? cursor : slowest;
    }
    return slowest + ring->capacity;
}

/* The new limit is told first and then made sure of: a reader that is just coming back from a lap
 * either sees it, and moves on, or is seen. */
bool broadcast_raise_limit(broadcast *ring)
{
    uint64_t wanted = allowed(ring);
    if (wanted <= ring->sink.limit) {
        return false;
    }
    atomic_store(&ring->limit, wanted);
    uint64_t certain = allowed(ring);
    wanted = certain < wanted ? certain : wanted;
    if (wanted <= ring->sink.limit) {
        return false;
    }
    ring->sink.limit = wanted;
    return true;
}

void broadcast_lap(broadcast *ring)
{
    for (unsigned i = 0; i < ring->reader_count; i++) {
        broadcast_reader *reader = &ring->readers[i];
        if (atomic_load(&reader->lapped) ||
            atomic_load(&reader->cursor) + ring->capacity > ring->sink.limit) {
            continue;
        }
        atomic_store(&reader->lapped, true);
        while (atomic_load(&reader->looking)) {
            sched_yield();
        }
    }
}

/* After a lap: to the newest position, and only back among the readers when the writer's limit is
 * known to spare it. */
static void catch_up(broadcast *ring, broadcast_reader *reader)
{
    atomic_store(&reader->cursor, atomic_load(&ring->tail));
    atomic_store(&reader->lapped, false);
    while (atomic_load(&reader->cursor) + ring->capacity < atomic_load(&ring->limit)) {
        atomic_store(&reader->cursor, atomic_load(&ring->tail));
    }
}

uint32_t broadcast_read(broadcast *ring, unsigned number, uint64_t tail, uint64_t durable_sequence,
                        matching_event *out, uint32_t slots, uint64_t *position, bool *lapped)
{
    broadcast_reader *reader = &ring->readers[number];
    uint32_t count = 0;
    *lapped = false;
    atomic_store(&reader->looking, true);
    if (atomic_load(&reader->lapped)) {
        atomic_store(&reader->looking, false);
        catch_up(ring, reader);
        *lapped = true;
        return 0;
    }
    uint64_t cursor = atomic_load_explicit(&reader->cursor, memory_order_relaxed);
    *position = cursor;
    while (cursor + count < tail) {
        const matching_event *event = &ring->sink.slots[(cursor + count) & ring->sink.mask];
        uint32_t wanted = matching_event_slots(event);
        if ((int32_t)(event->sequence_low - (uint32_t)durable_sequence) > 0 ||
            count + wanted > slots) {
            break;
        }
        for (uint32_t i = 0; i < wanted; i++, count++) {
            memcpy(&out[count], &ring->sink.slots[(cursor + count) & ring->sink.mask], sizeof *out);
        }
    }
    atomic_store_explicit(&reader->cursor, cursor + count, memory_order_release);
    atomic_store(&reader->looking, false);
    return count;
}

bool broadcast_has_events(broadcast *ring, unsigned number, uint64_t durable_sequence)
{
    broadcast_reader *reader = &ring->readers[number];
    bool has = false;
    atomic_store(&reader->looking, true);
    if (atomic_load(&reader->lapped)) {
        has = true;
    } else {
        uint64_t cursor = atomic_load_explicit(&reader->cursor, memory_order_relaxed);
        if (cursor < atomic_load(&ring->tail)) {
            const matching_event *event = &ring->sink.slots[cursor & ring->sink.mask];
            has = (int32_t)(event->sequence_low - (uint32_t)durable_sequence) <= 0;
        }
    }
    atomic_store(&reader->looking, false);
    return has;
}
