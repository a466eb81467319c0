/* The address of a client as a key: what its connections and requests are counted under.
 *
 * IPv4, also where it comes as ::ffff:a.b.c.d: the address. IPv6: its first 64 bits, because that
 * is what one household or one rented machine gets, and who counted single addresses would count
 * nothing. Pure; any thread.
 */
#ifndef MATCHING_LIMITS_PEER_KEY_H
#define MATCHING_LIMITS_PEER_KEY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

typedef struct matching_peer_key {
    uint8_t bytes[16];
} matching_peer_key;

/* address NULL, or of another family: all of these share one key. */
matching_peer_key matching_peer_key_of(const struct sockaddr *address);

/* The key of the other end of a connected socket. */
matching_peer_key matching_peer_key_of_socket(int fd);

/* A keyed hash (SipHash-2-4): who does not know the secret cannot choose keys that collide. */
uint64_t matching_secret_hash(const uint64_t secret[2], const void *data, size_t length);

/* A secret from the system. */
void matching_secret_make(uint64_t secret[2]);

#endif
