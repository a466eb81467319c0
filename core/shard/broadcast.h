/* A shard's broadcast ring: one writer, several readers inside the process, each with a cursor.
 *
 * The writer never waits for a client. When a reader has not made room for LAP_AFTER_MS, the writer
 * laps it: that reader loses events, is told so, and continues at the newest position. Slots are
 * written only when no reader can be looking at them, so there is nothing to tear.
 */
#ifndef MATCHING_BROADCAST_H
#define MATCHING_BROADCAST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/engine.h"

#define BROADCAST_LAP_AFTER_MS 200

typedef struct broadcast_reader {
    _Alignas(64) _Atomic uint64_t cursor; /* next position it wants */
    atomic_bool lapped;                   /* set by the writer, cleared by the reader */
    atomic_bool looking;                  /* the reader is copying slots */
} broadcast_reader;

typedef struct broadcast {
    matching_event_sink sink; /* the writer's: the engine writes here */
    uint64_t capacity;
    broadcast_reader *readers;
    unsigned reader_count;
    _Alignas(64) _Atomic uint64_t tail; /* readers may take positions below it */
    _Atomic uint64_t limit;             /* what the writer may come to write below */
} broadcast;

/* memory: `slots` events (a power of two), 64-byte aligned; readers: an array that outlives it. */
void broadcast_init(broadcast *ring, matching_event *memory, uint64_t slots,
                    broadcast_reader *readers, unsigned reader_count);

/* Writer: makes everything written so far visible. */
static inline void broadcast_publish(broadcast *events)
{
    atomic_store_explicit(&events->tail, events->sink.head, memory_order_release);
}

/* Writer: raises sink.limit as far as the readers allow. False: some reader is still in the way. */
bool broadcast_raise_limit(broadcast *ring);

/* Writer: laps every reader that is in the way, so that raise_limit succeeds. */
void broadcast_lap(broadcast *ring);

/* Reader: copies whole events from its cursor on, at most `slots` slots, below `tail`, stopping at
 * the first whose command is after durable_sequence. Returns the slots copied; *position is the
 * first one's. *lapped: events were lost, the cursor is now at the newest position (returns 0). */
uint32_t broadcast_read(broadcast *ring, unsigned reader, uint64_t tail, uint64_t durable_sequence,
                        matching_event *out, uint32_t slots, uint64_t *position, bool *lapped);

/* Reader: would broadcast_read deliver something now? */
bool broadcast_has_events(broadcast *ring, unsigned reader, uint64_t durable_sequence);

#endif
