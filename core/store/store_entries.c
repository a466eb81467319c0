/* See store_entries.h. */
#include "store/store_entries.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 1024

/* The array, with room for `more`. NULL: no memory; then it is as it was. */
static void *with_room(void *array, size_t count, size_t more, size_t *room, size_t size)
{
    if (count + more <= *room) {
        return array;
    }
    size_t wanted = *room > 0 ? *room * 2 : FIRST_ROOM;
    while (wanted < count + more) {
        wanted *= 2;
    }
    void *larger = realloc(array, wanted * size);
    if (larger != NULL) {
        *room = wanted;
    }
    return larger;
}

id_entry *entries_add_id(index_entries *entries, uint64_t order_id, uint64_t trade_id)
{
    id_entry *ids =
        with_room(entries->ids, entries->id_count, 1, &entries->id_room, sizeof *entries->ids);
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
    owner_entry *owners = with_room(entries->owners, entries->owner_count, 1, &entries->owner_room,
                                    sizeof *entries->owners);
    if (owners == NULL) {
        return NULL;
    }
    entries->owners = owners;
    return &owners[entries->owner_count++];
}

bool entries_add_page(index_entries *entries, uint16_t instrument, uint64_t first,
                      const char *bytes, size_t length)
{
    page_entry *pages = with_room(entries->pages, entries->page_count, 1, &entries->page_room,
                                  sizeof *entries->pages);
    if (pages == NULL) {
        return false;
    }
    entries->pages = pages;
    char *all = with_room(entries->bytes, entries->byte_count, length, &entries->byte_room, 1);
    if (all == NULL) {
        return false;
    }
    entries->bytes = all;
    memcpy(all + entries->byte_count, bytes, length);
    pages[entries->page_count++] = (page_entry){
        .first = first, .at = entries->byte_count, .length = length, .instrument = instrument};
    entries->byte_count += length;
    return true;
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

static int compare_pages(const void *a, const void *b)
{
    const page_entry *x = a, *y = b;
    if (x->instrument != y->instrument) {
        return (int)x->instrument - (int)y->instrument;
    }
    return (x->first > y->first) - (x->first < y->first);
}

static void put_ids(index_entries *entries, rocksdb_writebatch_t *batch)
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
}

static void put_owners(index_entries *entries, rocksdb_writebatch_t *batch)
{
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
}

static void put_pages(index_entries *entries, rocksdb_writebatch_t *batch)
{
    char key[STORE_LOG_KEY];
    if (entries->page_count > 0) {
        qsort(entries->pages, entries->page_count, sizeof *entries->pages, compare_pages);
    }
    for (size_t i = 0; i < entries->page_count; i++) {
        const page_entry *page = &entries->pages[i];
        size_t length = store_log_key(key, STORE_TRADES, page->instrument, page->first);
        rocksdb_writebatch_put(batch, key, length, entries->bytes + page->at, page->length);
    }
}

_Static_assert(STORE_BY_ID < STORE_BY_CLIENT && STORE_BY_CLIENT < STORE_BY_TRADER &&
                   STORE_BY_TRADER < STORE_TRADES,
               "they are put in this order");

void entries_put(index_entries *entries, rocksdb_writebatch_t *batch)
{
    put_ids(entries, batch);
    put_owners(entries, batch);
    put_pages(entries, batch);
    entries_clear(entries);
}

void entries_clear(index_entries *entries)
{
    entries->id_count = 0;
    entries->owner_count = 0;
    entries->page_count = 0;
    entries->byte_count = 0;
}

void entries_free(index_entries *entries)
{
    free(entries->ids);
    free(entries->owners);
    free(entries->pages);
    free(entries->bytes);
}

size_t entries_bytes(const index_entries *entries)
{
    return entries->id_count * sizeof(id_entry) + entries->owner_count * sizeof(owner_entry) +
           entries->page_count * sizeof(page_entry) + entries->byte_count;
}
