/* Commands under way: what a reply's tag stands for.
 *
 * An entry outlives its connection; slot and generation tell whether that is still there. The table
 * grows with the commands in flight, which the port bounds.
 */
#ifndef MATCHING_SBE_PENDING_H
#define MATCHING_SBE_PENDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum sbe_pending_kind {
    SBE_PENDING_FREE = 0,
    SBE_PENDING_ORDER, /* entry, cancel, amend */
    SBE_PENDING_MASS,  /* a mass cancel */
    SBE_PENDING_DEPTH  /* a depth view's load: nobody is told */
} sbe_pending_kind;

struct sbe_mass;

typedef struct sbe_pending {
    uint64_t client_order_id; /* the request's */
    union {
        uint64_t number;       /* ORDER: of the answer, in the connection's sbe_owed */
        struct sbe_mass *mass; /* MASS */
        size_t next_free;      /* FREE */
    };
    uint32_t slot, generation; /* the connection's */
    uint32_t watch;            /* of the order's trader (working.h), or SBE_NO_WATCH */
    uint32_t guard_watch;      /* is_guarded: matching_port_watch of the order's trader */
    uint16_t instrument;       /* DEPTH */
    uint8_t kind;
    uint8_t template_id; /* of the request */
    bool is_guarded;     /* the order was entered under cancel_on_disconnect */
} sbe_pending;

/* All zeros: empty. */
typedef struct sbe_pending_table {
    sbe_pending *entries;
    size_t room, used, first_free; /* first_free: index + 1, 0: none */
} sbe_pending_table;

void sbe_pending_fini(sbe_pending_table *table);

/* An entry of this kind; *tag leads back to it. NULL: out of memory. Valid until the next add. */
sbe_pending *sbe_pending_add(sbe_pending_table *table, sbe_pending_kind kind, uint64_t *tag);

static inline sbe_pending *sbe_pending_at(const sbe_pending_table *table, uint64_t tag)
{
    return &table->entries[tag];
}

void sbe_pending_remove(sbe_pending_table *table, uint64_t tag);

#endif
