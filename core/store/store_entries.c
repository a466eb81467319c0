/* See store_entries.h. */
#include "store/store_entries.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 1024

/* The array, with room for one more. NULL: no memory; then it is as it was. */
static void *with_room(void *array, size_t count, size_t *room, size_t size)
{
    if (count < *room) {
        return array;
    }
    size_t wanted = *room > 0 ? *room * 2 : FIRST_ROOM;
    void *larger = realloc(array, wanted * size);
    if (larger != NULL) {
        *room = wanted;
    }
    return larger;
}

id_entry *entries_add_id(index_entries *entries, uint64_t order_id, uint64_t trade_id)
{
    id_entry *ids =
        with_room(entries->ids, entries->id_count, &entries->id_room, sizeof *entries->ids);
    if (ids == NULL) {
        return NULL;
    }
    entries->ids = ids;
    id_entry *entry = &ids[entries->id_count++];
    entry->order_id = order_id;
    entry->trade_id = trade_id;
    return entry;
}

owner_entry *entries_add_owner(index_entries *entries)
{
    owner_entry *owners = with_room(entries->owners, entries->owner_count, &entries->owner_room,
                                    sizeof *entries->owners);
    if (owners == NULL) {
        return NULL;
    }
    entries->owners = owners;
    return &owners[entries->owner_count++];
}

static int compare_ids(const void *a, const void *b)
{
    const id_entry *x = a, *y = b;
    if (x->order_id != y->order_id) {
        return x->order_id < y->order_id ? -1 : 1;
    }
    return (x->trade_id > y->trade_id) - (x->trade_id < y->trade_id);
}

static int compare_owners(const void *a, const void *b)
{
    const owner_entry *x = a, *y = b;
    if (x->start != y->start) {
        return x->start < y->start ? -1 : 1;
    }
    size_t length = x->key_length < y->key_length ? x->key_length : y->key_length;
    int order = memcmp(x->key, y->key, length);
    return order != 0 ? order : (int)x->key_length - (int)y->key_length;
}

void entries_put(index_entries *entries, rocksdb_writebatch_t *batch)
{
    char key[STORE_ID_KEY];
    if (entries->id_count > 0) {
        qsort(entries->ids, entries->id_count, sizeof *entries->ids, compare_ids);
    }
    for (size_t i = 0; i < entries->id_count; i++) {
        const id_entry *entry = &entries->ids[i];
        size_t length = store_id_key(key, entry->order_id, entry->trade_id);
        rocksdb_writebatch_put(batch, key, length, (const char *)&entry->ended,
                               entry->trade_id == 0 ? sizeof entry->ended : sizeof entry->fill);
    }
    for (size_t i = 0; i < entries->owner_count; i++) {
        owner_entry *entry = &entries->owners[i];
        entry->start = store_key_number(entry->key, 8);
    }
    if (entries->owner_count > 0) {
        qsort(entries->owners, entries->owner_count, sizeof *entries->owners, compare_owners);
    }
    for (size_t i = 0; i < entries->owner_count; i++) {
        const owner_entry *entry = &entries->owners[i];
        rocksdb_writebatch_put(batch, entry->key, entry->key_length, (const char *)&entry->place,
                               sizeof entry->place);
    }
    entries_clear(entries);
}

void entries_clear(index_entries *entries)
{
    entries->id_count = 0;
    entries->owner_count = 0;
}

void entries_free(index_entries *entries)
{
    free(entries->ids);
    free(entries->owners);
}

size_t entries_bytes(const index_entries *entries)
{
    return entries->id_count * sizeof(id_entry) + entries->owner_count * sizeof(owner_entry);
}
