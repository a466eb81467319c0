/* Bytes between one thread that appends records and one that takes them, as shard/ring.h is for
 * items: positions count up forever, no lock.
 *
 * The memory is mapped twice, back to back, so a record or any number of them is always in one
 * piece, also where it runs over the end.
 */
#ifndef MATCHING_BYTE_RING_H
#define MATCHING_BYTE_RING_H

#include <stddef.h>
#include <stdint.h>

typedef struct byte_ring {
    char *bytes;
    uint64_t mask; /* size - 1; the size is a power of two */
} byte_ring;

/* At least `size` bytes, touched, so that none is missing later. 0 or a negative errno. */
int byte_ring_init(byte_ring *ring, size_t size);

/* Nothing for one that is all zero. */
void byte_ring_fini(byte_ring *ring);

static inline size_t byte_ring_size(const byte_ring *ring)
{
    return ring->mask + 1;
}

/* From here on a ring's size of bytes can be used. */
static inline void *byte_ring_at(const byte_ring *ring, uint64_t position)
{
    return ring->bytes + (position & ring->mask);
}

#endif
