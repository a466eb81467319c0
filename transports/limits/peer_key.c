/* Addresses to keys, and the hash of keys (J.-P. Aumasson, D. J. Bernstein: SipHash, 2012). */
#include "peer_key.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define NETWORK_BYTES 8 /* of an IPv6 address */

matching_peer_key matching_peer_key_of(const struct sockaddr *address)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    matching_peer_key key = {{0}};
    if (address != NULL && address->sa_family == AF_INET) {
        const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)address;
        memcpy(key.bytes, mapped, sizeof mapped);
        memcpy(key.bytes + sizeof mapped, &four->sin_addr, 4);
    } else if (address != NULL && address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)address;
        size_t counted = IN6_IS_ADDR_V4MAPPED(&six->sin6_addr) ? 16 : NETWORK_BYTES;
        memcpy(key.bytes, &six->sin6_addr, counted);
    }
    return key;
}

matching_peer_key matching_peer_key_of_socket(int fd)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    memset(&address, 0, sizeof address);
    bool known = fd >= 0 && getpeername(fd, (struct sockaddr *)&address, &length) == 0;
    return matching_peer_key_of(known ? (const struct sockaddr *)&address : NULL);
}

static uint64_t rotate(uint64_t word, unsigned bits)
{
    return word << bits | word >> (64 - bits);
}

static void mix(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32) + v[3];
    v[2] += v[1];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

static void take_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    mix(v);
    mix(v);
    v[0] ^= word;
}

uint64_t matching_secret_hash(const uint64_t secret[2], const void *data, size_t length)
{
    const uint8_t *bytes = data;
    uint64_t v[4] = {
        secret[0] ^ UINT64_C(0x736f6d6570736575), secret[1] ^ UINT64_C(0x646f72616e646f6d),
        secret[0] ^ UINT64_C(0x6c7967656e657261), secret[1] ^ UINT64_C(0x7465646279746573)};
    uint64_t last = (uint64_t)length << 56;
    size_t at = 0;
    for (; at + 8 <= length; at += 8) {
        uint64_t word = 0;
        for (unsigned i = 0; i < 8; i++)
            word |= (uint64_t)bytes[at + i] << (8 * i);
        take_word(v, word);
    }
    for (unsigned i = 0; at + i < length; i++)
        last |= (uint64_t)bytes[at + i] << (8 * i);
    take_word(v, last);
    v[2] ^= 0xff;
    for (int i = 0; i < 4; i++)
        mix(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void matching_secret_make(uint64_t secret[2])
{
    if (getrandom(secret, 2 * sizeof *secret, 0) == (ssize_t)(2 * sizeof *secret))
        return;
    struct timespec
        now; /* no entropy yet on a machine that has just started: better than a constant */
    clock_gettime(CLOCK_MONOTONIC, &now);
    secret[0] = (uint64_t)now.tv_nsec ^ (uint64_t)(uintptr_t)secret;
    secret[1] = (uint64_t)now.tv_sec ^ (uint64_t)(uintptr_t)&now << 20;
}
