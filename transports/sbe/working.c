/* The table order_id -> connection, and back through the connection's own list.
 *
 * Invariants: every entry's order_id stands at `position` in its owner's list, and every id of a
 * list has an entry. A shard's own changes rise in sequence, and each of them wrote events that the
 * port has not delivered yet, so there are never more of them than slots in the event ring.
 */
#include "working.h"

#include <stdlib.h>
#include <string.h>

#include "door.h"

#define FIRST_ROOM 1024u

void sbe_working_fini(sbe_working_table *table)
{
    for (size_t shard = 0; shard < MATCHING_SHARDS_MAX; shard++) {
        free(table->changes[shard].list);
    }
    free(table->entries);
    sbe_watches_fini(&table->watches);
    *table = (sbe_working_table){0};
}

static size_t home_of(const sbe_working_table *table, uint64_t order_id)
{
    return (size_t)(order_id * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (table->room - 1);
}

/* Where the id is, or the free place where it would go. */
static size_t place_of(const sbe_working_table *table, uint64_t order_id)
{
    size_t at = home_of(table, order_id);
    while (table->entries[at].order_id != 0 && table->entries[at].order_id != order_id) {
        at = (at + 1) & (table->room - 1);
    }
    return at;
}

static bool grow_table(sbe_working_table *table)
{
    if (table->room > 0 && table->count < table->room / 2) {
        return true;
    }
    size_t old_room = table->room;
    sbe_working *old = table->entries;
    size_t room = old_room == 0 ? FIRST_ROOM : 2 * old_room;
    sbe_working *entries = calloc(room, sizeof *entries);
    if (entries == NULL) {
        return false;
    }
    table->entries = entries;
    table->room = room;
    for (size_t i = 0; i < old_room; i++) {
        if (old[i].order_id != 0) {
            entries[place_of(table, old[i].order_id)] = old[i];
        }
    }
    free(old);
    return true;
}

static bool grow_list(sbe_working_list *list)
{
    if (list->count < list->room) {
        return true;
    }
    uint32_t room = list->room == 0 ? 16 : 2 * list->room;
    uint64_t *order_ids = realloc(list->order_ids, room * sizeof *order_ids);
    if (order_ids == NULL) {
        return false;
    }
    list->order_ids = order_ids;
    list->room = room;
    return true;
}

sbe_working *sbe_working_find(const sbe_working_table *table, uint64_t order_id)
{
    if (table->count == 0) {
        return NULL;
    }
    sbe_working *entry = &table->entries[place_of(table, order_id)];
    return entry->order_id != 0 ? entry : NULL;
}

bool sbe_working_add(sbe_working_table *table, sbe_connection *owner, const matching_reply *reply,
                     uint64_t number, uint32_t watch)
{
    sbe_working_list *list = &owner->working;
    if (!grow_table(table) || !grow_list(list)) {
        sbe_watch_release(&table->watches, watch);
        return false;
    }
    table->entries[place_of(table, reply->order.order_id)] =
        (sbe_working){.order_id = reply->order.order_id,
                      .owner = owner,
                      .last_number = number,
                      .position = list->count,
                      .watch = watch,
                      .shard = (uint8_t)reply->shard,
                      .placed_end = reply->events_end,
                      .waits = reply->order.status == MATCHING_UNTRIGGERED};
    list->order_ids[list->count++] = reply->order.order_id;
    table->count++;
    return true;
}

/* Frees a place and moves those behind it that had to give way to it. */
static void free_place(sbe_working_table *table, size_t at)
{
    size_t mask = table->room - 1;
    sbe_watch_release(&table->watches, table->entries[at].watch);
    table->entries[at].order_id = 0;
    table->count--;
    for (size_t next = (at + 1) & mask; table->entries[next].order_id != 0;
         next = (next + 1) & mask) {
        size_t home = home_of(table, table->entries[next].order_id);
        if (((next - home) & mask) >= ((next - at) & mask)) {
            table->entries[at] = table->entries[next];
            table->entries[next].order_id = 0;
            at = next;
        }
    }
}

void sbe_working_remove(sbe_working_table *table, sbe_working *entry)
{
    sbe_working_list *list = &entry->owner->working;
    uint64_t last = list->order_ids[--list->count];
    if (last != entry->order_id) {
        list->order_ids[entry->position] = last;
        table->entries[place_of(table, last)].position = entry->position;
    }
    free_place(table, (size_t)(entry - table->entries));
}

void sbe_working_release(sbe_working_table *table, sbe_connection *owner)
{
    sbe_working_list *list = &owner->working;
    for (uint32_t i = 0; i < list->count; i++) {
        free_place(table, place_of(table, list->order_ids[i]));
    }
    free(list->order_ids);
    *list = (sbe_working_list){0};
}

/* ---- What the owner did itself --------------------------------------------------------------- */

static bool reserve_change(sbe_own_changes *changes)
{
    if (changes->begin == changes->end) {
        changes->begin = changes->end = 0;
    }
    if (changes->end < changes->room) {
        return true;
    }
    size_t count = changes->end - changes->begin;
    if (changes->begin > 0 && changes->begin >= count) {
        memmove(changes->list, changes->list + changes->begin, count * sizeof *changes->list);
        changes->begin = 0;
        changes->end = count;
        return true;
    }
    size_t room = changes->room == 0 ? 64 : 2 * changes->room;
    sbe_own_change *list = realloc(changes->list, room * sizeof *list);
    if (list == NULL) {
        return false;
    }
    changes->list = list;
    changes->room = room;
    return true;
}

bool sbe_working_changed(sbe_working_table *table, const sbe_working *entry,
                         const matching_reply *reply)
{
    sbe_own_changes *changes = &table->changes[reply->shard];
    if (reply->events_end == changes->last_end) {
        return true; /* it wrote none */
    }
    if (!reserve_change(changes)) {
        return false;
    }
    changes->last_end = reply->events_end;
    changes->list[changes->end++] = (sbe_own_change){.order_id = entry->order_id,
                                                     .events_end = reply->events_end,
                                                     .owner = entry->owner,
                                                     .sequence_low = (uint32_t)reply->sequence};
    return true;
}

bool sbe_working_is_told(const sbe_working_table *table, const sbe_working *entry, unsigned shard,
                         uint64_t position, const matching_event *event)
{
    const sbe_own_changes *changes = &table->changes[shard];
    if (position < entry->placed_end) {
        return true;
    }
    const sbe_own_change *first = changes->list + changes->begin;
    return changes->begin < changes->end && first->sequence_low == event->sequence_low &&
           first->order_id == entry->order_id && first->owner == entry->owner;
}

void sbe_working_lapped(sbe_working_table *table, unsigned shard)
{
    table->changes[shard].begin = table->changes[shard].end = 0;
}
