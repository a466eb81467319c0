/* Index entries and pages of trades of a batch, put into it in the order of their keys: RocksDB
 * finds the place of a key that lies beside the one before it in a small part of the time, and in
 * less still where nothing lies behind it. */
#ifndef MATCHING_STORE_ENTRIES_H
#define MATCHING_STORE_ENTRIES_H

#include <rocksdb/c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/layout.h"

#define ENTRY_KEY_MAX STORE_CLIENT_KEY_MAX

/* Of STORE_BY_ID. */
typedef struct id_entry {
    uint64_t order_id, trade_id;
    union {
        store_ended ended; /* trade_id 0 */
        store_fill fill;
    };
} id_entry;

/* Of STORE_BY_TRADER and STORE_BY_CLIENT. */
typedef struct owner_entry {
    uint64_t start; /* of the key, as a number: settles most comparisons */
    uint8_t key_length;
    char key[ENTRY_KEY_MAX];
    store_place place;
} owner_entry;

/* Of STORE_TRADES. */
typedef struct page_entry {
    uint64_t first;
    size_t at, length; /* in `bytes` of the index_entries */
    uint16_t instrument;
} page_entry;

/* All zero at first. Their memory is kept from batch to batch. */
typedef struct index_entries {
    id_entry *ids;
    owner_entry *owners;
    page_entry *pages;
    char *bytes; /* the pages' */
    size_t id_count, id_room, owner_count, owner_room, page_count, page_room;
    size_t byte_count, byte_room;
} index_entries;

/* Room for one more, whose key the caller writes; NULL: no memory. */
id_entry *entries_add_id(index_entries *entries, uint64_t order_id, uint64_t trade_id);
owner_entry *entries_add_owner(index_entries *entries);

/* A page of trades, whose bytes are copied. False: no memory. */
bool entries_add_page(index_entries *entries, uint16_t instrument, uint64_t first,
                      const char *bytes, size_t length);

/* Puts all into the batch, and forgets them. */
void entries_put(index_entries *entries, rocksdb_writebatch_t *batch);

void entries_clear(index_entries *entries);
void entries_free(index_entries *entries);
size_t entries_bytes(const index_entries *entries);

#endif
