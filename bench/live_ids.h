/* Which engine order stands behind an outside id, and the way back: live orders only, so that the
 * tables stay small whatever the range of ids.
 *
 * `entries` is a table with open addressing and linear probing, eight bytes an entry; a removal
 * moves the entries behind it up, so there are no tombstones and a look-up ends at the first gap.
 * An entry holds the low halves of both ids, which is all of them for most; `orders` has the rest.
 * Any 64-bit ids may be used.
 *
 * Where an id is in the table is as good as random. So the table begins small, to stay in a near
 * cache, and one of twice the size, behind it in memory, takes over when more than an eighth is
 * taken: so the first entry looked at is mostly the last. From LIVE_IDS_NEAR entries on room is
 * dearer, and half full is not too full.
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

#define LIVE_IDS_FIRST 512u      /* entries of the first table */
#define LIVE_IDS_NEAR (1u << 15) /* 256 KiB */
#define LIVE_ID_WIDE (1u << 31)  /* one of the ids has more bits than the entry has for it */

/* Entries of all tables up to the one that so many live orders need, at most. */
#define LIVE_IDS_ENTRIES(live)                                                                     \
    ((live) > LIVE_IDS_NEAR / 8 ? 8 * (size_t)(live) + 4 * LIVE_IDS_NEAR                           \
                                : 32 * (size_t)(live) + 2 * LIVE_IDS_FIRST)

typedef struct live_order {
    uint64_t outside;
    uint32_t engine_high; /* from bit 31 on */
    uint32_t open_lots;
} live_order;

typedef struct live_id {
    uint32_t outside; /* the lowest 32 bits */
    uint32_t engine;  /* the lowest 31 bits, perhaps LIVE_ID_WIDE; 0: the entry is free */
} live_id;

typedef struct live_ids {
    live_id *entries;
    live_order *orders;
    uint32_t entry_mask; /* entries - 1 */
    uint32_t order_mask; /* orders - 1 */
    uint32_t count;      /* of live orders */
    uint32_t count_most; /* in this table */
    unsigned shift;      /* 64 - log2(entries) */
} live_ids;

static inline void live_ids_use(live_ids *ids, live_id *entries, uint32_t count)
{
    ids->entries = entries;
    ids->entry_mask = count - 1;
    ids->count_most = count < LIVE_IDS_NEAR ? count / 8 : count / 2;
    ids->shift = 64 - (unsigned)__builtin_ctz(count);
}

/* entries: LIVE_IDS_ENTRIES(orders that can be live); orders: a power of two. */
static inline void live_ids_init(live_ids *ids, live_id *entries, live_order *orders,
                                 uint32_t order_places)
{
    *ids = (live_ids){.orders = orders, .order_mask = order_places - 1};
    live_ids_use(ids, entries, LIVE_IDS_FIRST);
}

static inline uint32_t live_ids_home(const live_ids *ids, uint64_t outside)
{
    return (uint32_t)(outside * 0x9E3779B97F4A7C15u >> ids->shift);
}

/* Has the entry brought near while something else is done. */
static inline void live_ids_prefetch(const live_ids *ids, uint64_t outside)
{
    __builtin_prefetch(&ids->entries[live_ids_home(ids, outside)], 1);
}

/* The order behind an engine id, which must be live. */
static inline live_order *live_ids_by_engine(const live_ids *ids, uint64_t engine)
{
    return &ids->orders[engine & ids->order_mask];
}

static inline uint64_t live_ids_outside(const live_ids *ids, live_id entry)
{
    return entry.engine & LIVE_ID_WIDE ? live_ids_by_engine(ids, entry.engine)->outside
                                       : entry.outside;
}

/* Where the id is, or the gap where it would be; until something is removed or inserted. */
static inline uint32_t live_ids_search(const live_ids *ids, uint64_t outside)
{
    for (uint32_t at = live_ids_home(ids, outside);; at = (at + 1) & ids->entry_mask) {
        live_id entry = ids->entries[at];
        if (entry.engine == 0 ||
            (entry.outside == (uint32_t)outside && live_ids_outside(ids, entry) == outside)) {
            return at;
        }
    }
}

/* The engine id of what was searched; 0: no live order has the outside id. */
static inline uint64_t live_ids_engine(const live_ids *ids, uint32_t at)
{
    uint32_t engine = ids->entries[at].engine;
    return engine & LIVE_ID_WIDE ? (uint64_t)live_ids_by_engine(ids, engine)->engine_high << 31 |
                                       (engine & ~LIVE_ID_WIDE)
                                 : engine;
}

/* Moves to a table of twice the size. */
static inline void live_ids_grow(live_ids *ids)
{
    live_id *old = ids->entries;
    uint32_t count = ids->entry_mask + 1;
    live_ids_use(ids, old + count, 2 * count);
    for (uint32_t i = 0; i < count; i++) {
        if (old[i].engine != 0) {
            ids->entries[live_ids_search(ids, live_ids_outside(ids, old[i]))] = old[i];
        }
    }
}

/* False, and nothing is changed, if a live order has the id. */
static inline bool live_ids_insert(live_ids *ids, uint64_t outside, uint64_t engine,
                                   uint32_t open_lots)
{
    live_id *entry = &ids->entries[live_ids_search(ids, outside)];
    if (entry->engine != 0) {
        return false;
    }
    *live_ids_by_engine(ids, engine) = (live_order){
        .outside = outside, .engine_high = (uint32_t)(engine >> 31), .open_lots = open_lots};
    entry->outside = (uint32_t)outside;
    entry->engine = (uint32_t)engine | (engine >> 31 | outside >> 32 ? LIVE_ID_WIDE : 0);
    if (++ids->count > ids->count_most) {
        live_ids_grow(ids);
    }
    return true;
}

/* gap: where live_ids_search() found the id. */
static inline void live_ids_remove(live_ids *ids, uint32_t gap)
{
    uint32_t mask = ids->entry_mask;
    for (uint32_t at = (gap + 1) & mask; ids->entries[at].engine != 0; at = (at + 1) & mask) {
        uint32_t home = live_ids_home(ids, live_ids_outside(ids, ids->entries[at]));
        /* May stand in the gap if its home is not between gap and here. */
        if (((at - home) & mask) >= ((at - gap) & mask)) {
            ids->entries[gap] = ids->entries[at];
            gap = at;
        }
    }
    ids->entries[gap].engine = 0;
    ids->count--;
}

#endif
