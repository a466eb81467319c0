/* Counts in a table with linear probing.
 *
 * Invariants: at most half of the table is used, so a search ends; an entry stands at its place or
 * behind it without a free one between (a removal moves up those that follow).
 */
#include "peers.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE 64u

void matching_peers_init(matching_peers *peers, uint32_t limit)
{
    *peers = (matching_peers){.limit = limit};
    matching_secret_make(peers->secret);
}

void matching_peers_fini(matching_peers *peers)
{
    free(peers->entries);
    peers->entries = NULL;
    peers->size = peers->used = 0;
}

static size_t place_of(const matching_peers *peers, const matching_peer_key *key)
{
    uint64_t hash = matching_secret_hash(peers->secret, key->bytes, sizeof key->bytes);
    return (size_t)hash & (peers->size - 1);
}

/* The key's entry, or the free one where it would be. */
static matching_peers_entry *find(const matching_peers *peers, const matching_peer_key *key)
{
    size_t at = place_of(peers, key);
    while (peers->entries[at].count > 0 && memcmp(&peers->entries[at].key, key, sizeof *key) != 0)
        at = (at + 1) & (peers->size - 1);
    return &peers->entries[at];
}

static bool make_room(matching_peers *peers)
{
    if (peers->size > 0 && peers->used < peers->size / 2)
        return true;
    matching_peers grown = *peers;
    grown.size = peers->size > 0 ? 2 * peers->size : FIRST_SIZE;
    grown.entries = calloc(grown.size, sizeof *grown.entries);
    if (grown.entries == NULL)
        return false;
    for (size_t i = 0; i < peers->size; i++)
        if (peers->entries[i].count > 0)
            *find(&grown, &peers->entries[i].key) = peers->entries[i];
    free(peers->entries);
    *peers = grown;
    return true;
}

matching_peers_verdict matching_peers_enter(matching_peers *peers, const matching_peer_key *key)
{
    if (peers->limit == 0)
        return MATCHING_PEERS_WELCOME;
    if (!make_room(peers))
        return MATCHING_PEERS_CUT;
    matching_peers_entry *entry = find(peers, key);
    if (entry->count >= peers->limit && entry->count - peers->limit >= MATCHING_PEERS_SURPLUS)
        return MATCHING_PEERS_CUT;
    if (entry->count == 0) {
        entry->key = *key;
        peers->used++;
    }
    return ++entry->count > peers->limit ? MATCHING_PEERS_SURPLUS_TOLD : MATCHING_PEERS_WELCOME;
}

/* Closes the gap: whoever stands behind it may have its place at or before it. */
static void remove_at(matching_peers *peers, size_t gap)
{
    size_t mask = peers->size - 1;
    for (size_t at = (gap + 1) & mask; peers->entries[at].count > 0; at = (at + 1) & mask) {
        size_t wanted = place_of(peers, &peers->entries[at].key);
        if (((at - wanted) & mask) >= ((at - gap) & mask)) {
            peers->entries[gap] = peers->entries[at];
            gap = at;
        }
    }
    peers->entries[gap] = (matching_peers_entry){.count = 0};
    peers->used--;
}

void matching_peers_leave(matching_peers *peers, const matching_peer_key *key)
{
    if (peers->limit == 0)
        return;
    matching_peers_entry *entry = find(peers, key);
    assert(entry->count > 0);
    if (--entry->count == 0)
        remove_at(peers, (size_t)(entry - peers->entries));
}
