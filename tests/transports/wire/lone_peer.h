/* Connections without a server's loop around them: the other end of a pair of sockets reads as the
 * test says, turns come when it says so, and what libwebsockets does with the rest of a frame and
 * tells of a handshake's headers is done here (its functions of these names are replaced).
 */
#ifndef MATCHING_TESTS_WIRE_LONE_PEER_H
#define MATCHING_TESTS_WIRE_LONE_PEER_H

#include "peer.h"

#define LONE_PEERS 16 /* at a time */

/* The peer, all zeros but for what a door has put behind it, becomes a connection of the server,
 * whose loop and table are there. Returns the client's end; nothing blocks there. */
int lone_open(wire_server *server, wire_peer *peer, matching_connection *entry);

/* Both ends are closed. What the peer has besides is the caller's. */
void lone_close(wire_peer *peer, int client);

/* Reads what is there, at most so many bytes; then the socket takes more. Returns how many. */
size_t lone_read(wire_peer *peer, int client, void *bytes, size_t most);

#endif
