/* Ids of connections: UUIDs of version 4 (RFC 9562 section 5.4), random but for six bits. */
#ifndef MATCHING_CONNECTION_IDS_H
#define MATCHING_CONNECTION_IDS_H

#include <stdbool.h>
#include <stdint.h>

#include "matching/connections.h"

#define CONNECTION_ID_BYTES 16u
#define CONNECTION_IDS_AT_ONCE 64u /* of one call for random numbers */

/* Ids that nobody has yet. All zeros: none. One thread at a time. */
typedef struct connection_ids {
    unsigned left;
    unsigned char random[CONNECTION_IDS_AT_ONCE * CONNECTION_ID_BYTES];
} connection_ids;

/* Full again. False: the system gives no random numbers. */
bool connection_ids_refill(connection_ids *ids);

/* One of them. False: likewise. */
bool connection_ids_take(connection_ids *ids, uint64_t words[2]);

void connection_id_print(char out[MATCHING_CONNECTION_ID_SIZE], const uint64_t words[2]);

#endif
