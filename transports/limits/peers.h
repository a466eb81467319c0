/* How many connections each address has (matching/config.h: max_connections_per_address).
 *
 * One thread at a time. Memory follows the number of addresses that are connected, which the limit
 * of all connections bounds.
 */
#ifndef MATCHING_LIMITS_PEERS_H
#define MATCHING_LIMITS_PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "peer_key.h"

/* As many connections of one address beyond its limit are let in to be told so; more are cut off.
 * */
#define MATCHING_PEERS_SURPLUS 8

typedef enum matching_peers_verdict {
    MATCHING_PEERS_WELCOME = 0,
    MATCHING_PEERS_SURPLUS_TOLD, /* let in to be refused */
    MATCHING_PEERS_CUT           /* to be closed without a word */
} matching_peers_verdict;

typedef struct matching_peers_entry {
    matching_peer_key key;
    uint32_t count; /* 0: free */
} matching_peers_entry;

/* Zero but for the limit before the first use. */
typedef struct matching_peers {
    uint32_t limit; /* of one address; 0: none, and nothing is counted */
    uint64_t secret[2];
    matching_peers_entry *entries; /* heap; a power of two of them */
    size_t size, used;
} matching_peers;

void matching_peers_init(matching_peers *peers, uint32_t limit);
void matching_peers_fini(matching_peers *peers);

/* A connection has come. It is counted, whatever the verdict, until matching_peers_leave; but not
 * after MATCHING_PEERS_CUT, which is also the verdict when out of memory. */
matching_peers_verdict matching_peers_enter(matching_peers *peers, const matching_peer_key *key);
void matching_peers_leave(matching_peers *peers, const matching_peer_key *key);

#endif
