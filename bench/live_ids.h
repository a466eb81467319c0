/* Which engine order stands behind an outside id, and the way back: live orders only, so that the
 * tables stay small whatever the range of ids.
 *
 * `entries` is a table with open addressing and linear probing, eight bytes an entry, never more
 * than three quarters full; a removal moves the entries behind it up, so there are no tombstones
 * and a look-up ends at the first gap. An entry holds the low half of the id, which is all of it
 * for most; `orders` has the rest. Any 64-bit id may be used.
 *
 * `orders` is indexed by the engine id modulo a power of two that is not below the number of the
 * engine's slots, so no two live orders meet there (docs/architecture.md, "Ids and slots").
 *
 * One thread. The owner gives the memory, zero-filled.
 */
#ifndef MATCHING_BENCH_LIVE_IDS_H
#define MATCHING_BENCH_LIVE_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct live_order {
    uint64_t outside;
    uint64_t engine;
    uint32_t open_lots;
} live_order;

#define LIVE_ID_WIDE (1u << 31) /* the id has more than 32 bits */

typedef struct live_id {
    uint32_t low;   /* of the outside id */
    uint32_t place; /* index in orders + 1, perhaps LIVE_ID_WIDE; 0: the entry is free */
} live_id;

typedef struct live_ids {
    live_id *entries;
    live_order *orders;
    uint32_t entry_mask; /* entries - 1 */
    uint32_t order_mask; /* orders - 1 */
    unsigned shift;      /* 64 - log2(entries) */
} live_ids;

static inline uint32_t live_ids_home(const live_ids *ids, uint64_t outside)
{
    return (uint32_t)(outside * 0x9E3779B97F4A7C15u >> ids->shift);
}

/* Has the entry brought near while something else is done. */
static inline void live_ids_prefetch(const live_ids *ids, uint64_t outside)
{
    __builtin_prefetch(&ids->entries[live_ids_home(ids, outside)], 1);
}

static inline live_order *live_ids_order(const live_ids *ids, live_id entry)
{
    return &ids->orders[(entry.place & ~LIVE_ID_WIDE) - 1];
}

/* Where the id is, or the gap where it would be. */
static inline uint32_t live_ids_search(const live_ids *ids, uint64_t outside)
{
    uint32_t wide = outside >> 32 != 0 ? LIVE_ID_WIDE : 0;
    for (uint32_t at = live_ids_home(ids, outside);; at = (at + 1) & ids->entry_mask) {
        live_id entry = ids->entries[at];
        if (entry.place == 0 ||
            (entry.low == (uint32_t)outside && (entry.place & LIVE_ID_WIDE) == wide &&
             (wide == 0 || live_ids_order(ids, entry)->outside == outside))) {
            return at;
        }
    }
}

/* NULL: no live order has this id. */
static inline live_order *live_ids_find(const live_ids *ids, uint64_t outside)
{
    live_id entry = ids->entries[live_ids_search(ids, outside)];
    return entry.place != 0 ? live_ids_order(ids, entry) : NULL;
}

/* The order behind an engine id, which must be live. */
static inline live_order *live_ids_by_engine(const live_ids *ids, uint64_t engine)
{
    return &ids->orders[engine & ids->order_mask];
}

/* False, and nothing is changed, if a live order has the id. */
static inline bool live_ids_insert(live_ids *ids, uint64_t outside, uint64_t engine,
                                   uint32_t open_lots)
{
    live_id *entry = &ids->entries[live_ids_search(ids, outside)];
    if (entry->place != 0) {
        return false;
    }
    live_order *order = live_ids_by_engine(ids, engine);
    order->outside = outside;
    order->engine = engine;
    order->open_lots = open_lots;
    entry->low = (uint32_t)outside;
    entry->place =
        ((uint32_t)(engine & ids->order_mask) + 1) | (outside >> 32 != 0 ? LIVE_ID_WIDE : 0);
    return true;
}

/* The id must be in the table. */
static inline void live_ids_remove(live_ids *ids, uint64_t outside)
{
    uint32_t gap = live_ids_search(ids, outside), mask = ids->entry_mask;
    for (uint32_t at = (gap + 1) & mask; ids->entries[at].place != 0; at = (at + 1) & mask) {
        live_id entry = ids->entries[at];
        bool wide = entry.place & LIVE_ID_WIDE;
        uint32_t home = live_ids_home(ids, wide ? live_ids_order(ids, entry)->outside : entry.low);
        /* May stand in the gap if its home is not between gap and here. */
        if (((at - home) & mask) >= ((at - gap) & mask)) {
            ids->entries[gap] = entry;
            gap = at;
        }
    }
    ids->entries[gap].place = 0;
}

#endif
