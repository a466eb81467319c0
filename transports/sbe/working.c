/* The table order_id -> connection, and back through the connection's own list.
 *
 * Orders come and go by the million, so what a look-up touches is small: cells of eight bytes, and
 * then the one entry.
 *
 * Invariants: every entry in use has a cell, and its place stands at `position` in its owner's
 * list, whose places are all in use. A shard's own changes rise in sequence, and each of them wrote
 * events that the port has not delivered yet, so there are never more of them than slots in the
 * event ring.
 */
#include "working.h"

#include <stdlib.h>
#include <string.h>

#include "door.h"

#define FIRST_CELLS 1024u
#define CELLS_A_LINE 8u

void sbe_working_fini(sbe_working_table *table)
{
    for (size_t shard = 0; shard < MATCHING_SHARDS_MAX; shard++) {
        free(table->changes[shard].list);
    }
    free(table->cells);
    free(table->entries);
    sbe_watches_fini(&table->watches);
    *table = (sbe_working_table){0};
}

/* Neighbouring ids have neighbouring cells: what comes in together is looked up together. */
static uint32_t hash_of(uint64_t order_id)
{
    uint64_t line = order_id / CELLS_A_LINE;
    return (uint32_t)(line * UINT64_C(0x9e3779b97f4a7c15) >> 32) * CELLS_A_LINE +
           (uint32_t)(order_id % CELLS_A_LINE);
}

/* The cell of the id, or the free one where it would go. */
static size_t cell_of(const sbe_working_table *table, uint64_t order_id)
{
    uint32_t hash = hash_of(order_id);
    size_t mask = table->cell_count - 1, at = hash & mask;
    for (; table->cells[at].place != 0; at = (at + 1) & mask) {
        const sbe_working_cell *cell = &table->cells[at];
        if (cell->hash == hash && table->entries[cell->place - 1].order.order_id == order_id) {
            break;
        }
    }
    return at;
}

static bool grow_cells(sbe_working_table *table)
{
    size_t old_count = table->cell_count, count = old_count == 0 ? FIRST_CELLS : 2 * old_count;
    sbe_working_cell *old = table->cells, *cells = calloc(count, sizeof *cells);
    if (cells == NULL) {
        return false;
    }
    for (size_t i = 0; i < old_count; i++) {
        size_t at = old[i].hash & (count - 1);
        while (old[i].place != 0 && cells[at].place != 0) {
            at = (at + 1) & (count - 1);
        }
        if (old[i].place != 0) {
            cells[at] = old[i];
        }
    }
    table->cells = cells;
    table->cell_count = count;
    free(old);
    return true;
}

/* Room for one more, in the cells and in the entries. */
static bool grow_table(sbe_working_table *table)
{
    if (2 * table->count >= table->cell_count && !grow_cells(table)) {
        return false;
    }
    if (table->first_free != 0 || table->used < table->room) {
        return true;
    }
    size_t room = table->room == 0 ? FIRST_CELLS / 2 : 2 * table->room;
    sbe_working *entries = realloc(table->entries, room * sizeof *entries);
    if (entries == NULL) {
        return false;
    }
    memset(entries + table->room, 0, (room - table->room) * sizeof *entries);
    table->entries = entries;
    table->room = room;
    return true;
}

/* The entry that was freed last is the one whose memory is near. */
static uint32_t take_place(sbe_working_table *table)
{
    uint32_t place = table->first_free;
    if (place == 0) {
        return table->used++;
    }
    table->first_free = table->entries[place - 1].position;
    return place - 1;
}

static bool grow_list(sbe_working_list *list)
{
    if (list->count < list->room) {
        return true;
    }
    uint32_t room = list->room == 0 ? 16 : 2 * list->room;
    uint32_t *places = realloc(list->places, room * sizeof *places);
    if (places == NULL) {
        return false;
    }
    list->places = places;
    list->room = room;
    return true;
}

sbe_working *sbe_working_find(const sbe_working_table *table, uint64_t order_id)
{
    if (table->count == 0) {
        return NULL;
    }
    uint32_t place = table->cells[cell_of(table, order_id)].place;
    return place != 0 ? &table->entries[place - 1] : NULL;
}

bool sbe_working_add(sbe_working_table *table, sbe_connection *owner, const sbe_pending *request,
                     const matching_reply *reply)
{
    sbe_working_list *list = &owner->working;
    if (!grow_table(table) || !grow_list(list)) {
        sbe_watch_release(&table->watches, request->watch);
        return false;
    }
    const matching_order *order = &reply->order;
    size_t cell = cell_of(table, order->order_id);
    uint32_t place = take_place(table);
    table->cells[cell] = (sbe_working_cell){.hash = hash_of(order->order_id), .place = place + 1};
    table->entries[place] = (sbe_working){.order = {.order_id = order->order_id,
                                                    .client_order_id = request->client_order_id,
                                                    .price_ticks = order->price_ticks,
                                                    .quantity_lots = order->quantity_lots,
                                                    .filled_lots = order->filled_lots,
                                                    .side = order->side,
                                                    .waits = order->status == MATCHING_UNTRIGGERED},
                                          .owner = owner,
                                          .last_number = request->number,
                                          .placed_end = reply->events_end,
                                          .position = list->count,
                                          .watch = request->watch,
                                          .shard = (uint8_t)reply->shard};
    list->places[list->count++] = place;
    table->count++;
    return true;
}

/* Frees a cell and moves those behind it that had to give way to it. */
static void free_cell(sbe_working_table *table, size_t at)
{
    sbe_working_cell *cells = table->cells;
    size_t mask = table->cell_count - 1;
    cells[at].place = 0;
    for (size_t next = (at + 1) & mask; cells[next].place != 0; next = (next + 1) & mask) {
        size_t home = cells[next].hash & mask;
        if (((next - home) & mask) >= ((next - at) & mask)) {
            cells[at] = cells[next];
            cells[next].place = 0;
            at = next;
        }
    }
}

static void free_entry(sbe_working_table *table, sbe_working *entry)
{
    sbe_watch_release(&table->watches, entry->watch);
    free_cell(table, cell_of(table, entry->order.order_id));
    entry->order.order_id = 0;
    entry->position = table->first_free;
    table->first_free = (uint32_t)(entry - table->entries) + 1;
    table->count--;
}

void sbe_working_remove(sbe_working_table *table, sbe_working *entry)
{
    sbe_working_list *list = &entry->owner->working;
    uint32_t last = list->places[--list->count];
    list->places[entry->position] = last;
    table->entries[last].position = entry->position;
    free_entry(table, entry);
}

void sbe_working_release(sbe_working_table *table, sbe_connection *owner)
{
    sbe_working_list *list = &owner->working;
    for (uint32_t i = 0; i < list->count; i++) {
        free_entry(table, &table->entries[list->places[i]]);
    }
    free(list->places);
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
    changes->list[changes->end++] = (sbe_own_change){.order_id = entry->order.order_id,
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
           first->order_id == entry->order.order_id && first->owner == entry->owner;
}

void sbe_working_lapped(sbe_working_table *table, unsigned shard)
{
    table->changes[shard].begin = table->changes[shard].end = 0;
}
