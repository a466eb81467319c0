/* Who gets in: the rules for a request's Origin and Host, and for administration.
 *
 * A web page of somebody else must not trade through its visitor's browser: not by a cross-site
 * request (Origin, RFC 6454) and not by a name that was rebound to loopback (Host, RFC 9110 7.2).
 * All functions: any thread, pure.
 */
#ifndef MATCHING_ACCESS_H
#define MATCHING_ACCESS_H

#include <stdbool.h>
#include <stddef.h>

#define MATCHING_ACCESS_NAMES_MAX 64
#define MATCHING_ACCESS_NAME_SIZE 256

typedef struct matching_access {
    char allow_origins[MATCHING_ACCESS_NAMES_MAX][MATCHING_ACCESS_NAME_SIZE];
    size_t allow_origin_count; /* "https://example.com"; "*": any origin, for market data only */
    char allow_hosts[MATCHING_ACCESS_NAMES_MAX][MATCHING_ACCESS_NAME_SIZE];
    size_t allow_host_count; /* names beside loopback and the bind address, without a port */
    char bind_address[MATCHING_ACCESS_NAME_SIZE];
    char admin_token[MATCHING_ACCESS_NAME_SIZE]; /* empty: none is set */
} matching_access;

typedef enum matching_access_level {
    MATCHING_ACCESS_DENIED = 0,
    MATCHING_ACCESS_MARKET_DATA =
        1, /* let in by "*": no orders, no private data, no administration */
    MATCHING_ACCESS_FULL = 2
} matching_access_level;

/* What a request with these headers may do. origin, host: NUL-terminated header values, NULL where
 * the header is absent. A missing Host is let in (HTTP/1.0), an empty or foreign one is not. */
matching_access_level matching_access_check(const matching_access *access, const char *origin,
                                            const char *host);

/* May this request administrate? authorization: the header's value or NULL. peer: the client's
 * numeric address. With a token set: "Bearer <token>" is needed, compared in constant time;
 * without: a loopback peer. */
bool matching_access_admin(const matching_access *access, const char *authorization,
                           const char *peer);

/* Is this numeric IPv4 or IPv6 address (brackets allowed), or "localhost", loopback? */
bool matching_access_is_loopback(const char *address);

#endif
