/* Which working orders belong to which connection: what becomes of them is reported to it.
 *
 * TRADE and CHANGE events tell that, and of the connection's own requests too, which their answers
 * have told already: those are not reported. What an order is as of the events so far is kept here,
 * since neither says all of it; an order leaves the table with the event of its end.
 *
 * Memory: some 120 bytes for each working order that came in here and whose connection is there.
 */
#ifndef MATCHING_SBE_WORKING_H
#define MATCHING_SBE_WORKING_H

#include "matching/event.h"
#include "pending.h"
#include "sbe_report.h"
#include "watches.h"

#define SBE_WORKING_MAX (1u << 20) /* orders of one connection */

typedef struct sbe_connection sbe_connection;

typedef struct sbe_working {
    /* As of the events so far; order_id 0: free, then position is the next free place + 1, 0:
     * none. */
    sbe_reported_order order;
    sbe_connection *owner;
    uint64_t last_number; /* in the owner's sbe_owed: nothing about the order may overtake that */
    uint64_t placed_end;  /* events before it are those of its entry */
    uint32_t position;    /* in the owner's list */
    uint32_t watch;       /* of its trader */
    uint8_t shard;        /* where it is */
} sbe_working;

/* An amend or cancel that has been answered, and whose events are still to come. */
typedef struct sbe_own_change {
    uint64_t order_id, events_end;
    const sbe_connection *owner;
    uint32_t sequence_low;
} sbe_own_change;

/* Those of a shard, in its order. */
typedef struct sbe_own_changes {
    sbe_own_change *list;
    size_t begin, end, room;
    uint64_t last_end; /* events_end of the last answer */
} sbe_own_changes;

typedef struct sbe_working_cell {
    uint32_t hash;  /* of the order id */
    uint32_t place; /* in the entries, + 1; 0: free */
} sbe_working_cell;

/* All zeros but the watches: empty. */
typedef struct sbe_working_table {
    sbe_working_cell *cells; /* open addressing, a power of two, at most half full */
    size_t cell_count;
    sbe_working *entries;
    size_t room, count;  /* entries that there are; that are used */
    uint32_t used;       /* those behind it have never been */
    uint32_t first_free; /* place + 1; 0: none below `used` */
    sbe_own_changes changes[MATCHING_SHARDS_MAX];
    sbe_watches watches;
} sbe_working_table;

/* A connection's orders. All zeros: none. */
typedef struct sbe_working_list {
    uint32_t *places; /* in the table's entries */
    uint32_t count, room;
} sbe_working_list;

void sbe_working_fini(sbe_working_table *table);

/* NULL: nobody here entered it, or it has ended. */
sbe_working *sbe_working_find(const sbe_working_table *table, uint64_t order_id);

/* An order of the connection works: its request, and the reply to that. Takes over the watch.
 * False: out of memory, with the watch released. */
bool sbe_working_add(sbe_working_table *table, sbe_connection *owner, const sbe_pending *request,
                     const matching_reply *reply);
void sbe_working_remove(sbe_working_table *table, sbe_working *entry);

/* The connection has ended. */
void sbe_working_release(sbe_working_table *table, sbe_connection *owner);

/* The reply to an amend or cancel of the connection's own order: its events are told with it.
 * False: out of memory, they will be told once more. */
bool sbe_working_changed(sbe_working_table *table, const sbe_working *entry,
                         const matching_reply *reply);

/* Has the order's owner been told of this event by an answer? */
bool sbe_working_is_told(const sbe_working_table *table, const sbe_working *entry, unsigned shard,
                         uint64_t position, const matching_event *event);

/* To be told of every event of the shard, before it is looked at. */
static inline void sbe_working_passed(sbe_working_table *table, unsigned shard, uint64_t position)
{
    sbe_own_changes *changes = &table->changes[shard];
    while (changes->begin < changes->end && changes->list[changes->begin].events_end <= position) {
        changes->begin++;
    }
}

/* Events of the shard were lost. */
void sbe_working_lapped(sbe_working_table *table, unsigned shard);

#endif
