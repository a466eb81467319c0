/* An array with a free list. Indices are stable, addresses are not: the array moves when it grows.
 */
#include "pending.h"

#include <stdlib.h>

#define FIRST_ROOM 256u

void sbe_pending_fini(sbe_pending_table *table)
{
    free(table->entries);
    *table = (sbe_pending_table){0};
}

sbe_pending *sbe_pending_add(sbe_pending_table *table, sbe_pending_kind kind, uint64_t *tag)
{
    size_t index = table->first_free;
    if (index != 0) {
        table->first_free = table->entries[--index].next_free;
    } else {
        if (table->used == table->room) {
            size_t room = table->room == 0 ? FIRST_ROOM : 2 * table->room;
            sbe_pending *entries = realloc(table->entries, room * sizeof *entries);
            if (entries == NULL) {
                return NULL;
            }
            table->entries = entries;
            table->room = room;
        }
        index = table->used++;
    }
    table->entries[index] = (sbe_pending){.kind = (uint8_t)kind};
    *tag = index;
    return &table->entries[index];
}

void sbe_pending_remove(sbe_pending_table *table, uint64_t tag)
{
    table->entries[tag] = (sbe_pending){.kind = SBE_PENDING_FREE, .next_free = table->first_free};
    table->first_free = (size_t)tag + 1;
}
