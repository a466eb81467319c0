/* An array with a free list. Indices are stable, addresses are not: the array moves when it grows.
 */
#include "pending.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 256u
#define ROOM_MAX (1u << 22)
#define NONE UINT32_MAX

void ws_pending_init(ws_pending_table *table)
{
    *table = (ws_pending_table){.first_free = NONE};
}

void ws_pending_fini(ws_pending_table *table)
{
    for (uint32_t i = 0; i < table->used; i++) {
        free(table->entries[i].long_id);
    }
    free(table->entries);
    ws_pending_init(table);
}

/* An index that is free, or NONE. */
static uint32_t take_index(ws_pending_table *table)
{
    uint32_t index = table->first_free;
    if (index != NONE) {
        table->first_free = table->entries[index].next_free;
        return index;
    }
    if (table->used == table->room) {
        uint32_t room = table->room == 0 ? FIRST_ROOM : 2 * table->room;
        ws_pending *entries =
            room > ROOM_MAX ? NULL : realloc(table->entries, room * sizeof *entries);
        if (entries == NULL) {
            return NONE;
        }
        table->entries = entries;
        table->room = room;
    }
    return table->used++;
}

static void give_index(ws_pending_table *table, uint32_t index)
{
    table->entries[index] = (ws_pending){.kind = WS_PENDING_FREE, .next_free = table->first_free};
    table->first_free = index;
}

ws_pending *ws_pending_add(ws_pending_table *table, ws_pending_kind kind, matching_text id,
                           uint64_t *tag)
{
    uint32_t index = take_index(table);
    if (index == NONE) {
        return NULL;
    }
    ws_pending *pending = &table->entries[index];
    *pending = (ws_pending){.kind = (uint8_t)kind, .id_length = (uint16_t)id.length};
    char *room = pending->id;
    if (id.length > WS_PENDING_ID_INLINE) {
        room = pending->long_id = malloc(id.length);
        if (room == NULL) {
            give_index(table, index);
            return NULL;
        }
    }
    if (id.length > 0) {
        memcpy(room, id.data, id.length);
    }
    *tag = index;
    return pending;
}

ws_pending *ws_pending_find(ws_pending_table *table, uint64_t tag)
{
    if (tag >= table->used || table->entries[tag].kind == WS_PENDING_FREE) {
        return NULL;
    }
    return &table->entries[tag];
}

matching_text ws_pending_id(const ws_pending *pending)
{
    return (matching_text){pending->long_id != NULL ? pending->long_id : pending->id,
                           pending->id_length};
}

void ws_pending_remove(ws_pending_table *table, uint64_t tag)
{
    free(table->entries[tag].long_id);
    give_index(table, (uint32_t)tag);
}
