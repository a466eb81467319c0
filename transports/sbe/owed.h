/* What is owed to a connection, in the order in which it is to be sent.
 *
 * Each request takes the next number. Shards answer in an order of their own, so an answer that
 * comes before an older one's waits here. One that is the oldest owed is never stored, which is all
 * of them as long as one shard answers.
 *
 * Memory: grows with what is owed, and is given back with sbe_owed_fini.
 */
#ifndef MATCHING_SBE_OWED_H
#define MATCHING_SBE_OWED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sbe_messages.h"

#define SBE_OWED_MAX 65536u /* at most so many at once */
#define SBE_OWED_NOTHING 0  /* the answer has not come */
#define SBE_OWED_MASS 255   /* a mass cancel (mass.h) knows when it has */

/* All zeros: nothing is owed. */
typedef struct sbe_owed {
    uint64_t head, tail; /* number of the oldest that is owed; of the next one */
    uint8_t *lengths;    /* by number: of the message, or SBE_OWED_* */
    uint8_t (*messages)[SBE_MESSAGE_BYTES_MAX]; /* NULL until one had to be stored */
    uint32_t room;                              /* a power of two */
    uint32_t stored;                            /* messages that wait for something older */
} sbe_owed;

void sbe_owed_fini(sbe_owed *owed);

static inline size_t sbe_owed_count(const sbe_owed *owed)
{
    return (size_t)(owed->tail - owed->head);
}

/* Makes sure that one more can be owed: its number will be owed->tail. False: out of memory, or
 * there are SBE_OWED_MAX. */
bool sbe_owed_reserve(sbe_owed *owed);

/* After a reserve. One that is answered later (or is a mass cancel); one that is answered already
 * (false: out of memory). */
static inline void sbe_owed_add(sbe_owed *owed, uint8_t what)
{
    owed->lengths[owed->tail++ & (owed->room - 1)] = what;
}
bool sbe_owed_add_message(sbe_owed *owed, const uint8_t *message, size_t length);

/* The answer of one that is not the oldest. False: out of memory. */
bool sbe_owed_store(sbe_owed *owed, uint64_t number, const uint8_t *message, size_t length);

/* The oldest one has been sent. */
static inline void sbe_owed_sent(sbe_owed *owed)
{
    uint8_t what = owed->lengths[owed->head & (owed->room - 1)];
    owed->stored -= what != SBE_OWED_NOTHING && what != SBE_OWED_MASS;
    owed->head++;
}

/* What the oldest one is: SBE_OWED_*, or the length of its message, which *message points to. There
 * must be one. */
static inline uint8_t sbe_owed_oldest(const sbe_owed *owed, const uint8_t **message)
{
    size_t at = owed->head & (owed->room - 1);
    *message = owed->messages != NULL ? owed->messages[at] : NULL;
    return owed->lengths[at];
}

#endif
