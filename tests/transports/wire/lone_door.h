/* A door without a thread, whose turns a test makes one by one, on a core in memory of one shard
 * with instruments "S0", "S1", and so on.
 */
#ifndef MATCHING_TESTS_WIRE_LONE_DOOR_H
#define MATCHING_TESTS_WIRE_LONE_DOOR_H

#include "lone_peer.h"

typedef struct lone_door {
    matching_config config; /* the defaults, which a test may change before the door begins */
    matching_access access;
    unsigned event_ring_size; /* of the core's shard; 0: the default */
    matching_transport transport;
    wire_server *server; /* the door itself: its state begins with it */
} lone_door;

void lone_door_prepare(lone_door *door);
void lone_door_begin(lone_door *door, const matching_transport_ops *ops, unsigned instruments);

/* Its connections have been closed. What the door has running in the loop is the test's to stop. */
void lone_door_end(lone_door *door);

/* A turn of the loop, but for the sockets. */
void lone_door_turn(lone_door *door);

/* lone_open and lone_close for a connection of the door's, with all that the server does at its
 * end. */
int lone_door_open(lone_door *door, wire_peer *peer, uint32_t slot);
void lone_door_close(lone_door *door, wire_peer *peer, int client);

#endif
