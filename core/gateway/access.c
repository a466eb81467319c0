/* Who gets in: the verdict on a request's Origin and Host, and on who may administrate.
 *
 * Invariants: an origin or host that is not understood in full is foreign; a name counts as
 * loopback only by its exact text or its numeric value, never by a prefix
 * ("127.0.0.1.example.com" is a name of somebody else); "*" never leads beyond market data; a token
 * is compared in a time that does not depend on where it differs.
 *
 * Not here: reading headers, answering, CORS headers. That is each transport's own.
 */
#include "matching/access.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

/* A part of somebody else's text. */
typedef struct part {
    const char *data;
    size_t length;
} part;

typedef struct authority {
    part host; /* without brackets */
    bool v6;   /* it stood in brackets */
    long port; /* -1: none given */
} authority;

typedef struct numeric {
    bool known;
    uint8_t bytes[16]; /* IPv6, or IPv4 as ::ffff:a.b.c.d */
} numeric;

static bool same_text(part left, part right)
{
    return left.length == right.length && strncasecmp(left.data, right.data, left.length) == 0;
}

static part part_of(const char *text)
{
    return (part){text, strlen(text)};
}

static part without_last_dot(part host)
{
    if (host.length > 1 && host.data[host.length - 1] == '.') {
        host.length--;
    }
    return host;
}

static numeric numeric_of(part host)
{
    numeric result = {false, {0}};
    char text[INET6_ADDRSTRLEN];
    if (host.length == 0 || host.length >= sizeof text) {
        return result;
    }
    memcpy(text, host.data, host.length);
    text[host.length] = '\0';
    if (strlen(text) != host.length) {
        return result;
    }
    if (inet_pton(AF_INET, text, result.bytes + 12) == 1) {
        result.bytes[10] = result.bytes[11] = 0xff;
        result.known = true;
    } else {
        result.known = inet_pton(AF_INET6, text, result.bytes) == 1;
    }
    return result;
}

static bool same_address(const numeric *left, const numeric *right)
{
    return left->known && right->known && memcmp(left->bytes, right->bytes, 16) == 0;
}

static bool numeric_is_loopback(const numeric *address)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    static const uint8_t one[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    bool v4 = memcmp(address->bytes, mapped, sizeof mapped) == 0;
    return address->known &&
           (v4 ? address->bytes[12] == 127 : memcmp(address->bytes, one, sizeof one) == 0);
}

/* 0.0.0.0 or ::, "every address of this machine". */
static bool numeric_is_any(const numeric *address)
{
    static const uint8_t zero[16];
    return address->known &&
           (memcmp(address->bytes, zero, 16) == 0 ||
            (address->bytes[10] == 0xff && memcmp(address->bytes + 12, zero, 4) == 0));
}

/* ":8080", ":" or nothing. */
static bool parse_port(part text, long *port)
{
    *port = -1;
    if (text.length == 0) {
        return true;
    }
    if (text.data[0] != ':' || text.length > 6) {
        return false;
    }
    long value = 0;
    for (size_t i = 1; i < text.length; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        value = value * 10 + (text.data[i] - '0');
    }
    *port = text.length > 1 ? value : -1;
    return value <= 65535;
}

/* host, host:port, [v6] or [v6]:port (RFC 3986 3.2, without userinfo). */
static bool parse_authority(part text, authority *result)
{
    *result = (authority){{text.data, 0}, false, -1};
    size_t end = 0;
    if (text.length > 0 && text.data[0] == '[') {
        const char *close = memchr(text.data, ']', text.length);
        if (close == NULL) {
            return false;
        }
        result->v6 = true;
        result->host = (part){text.data + 1, (size_t)(close - text.data) - 1};
        numeric address = numeric_of(result->host);
        if (!address.known || memchr(result->host.data, ':', result->host.length) == NULL) {
            return false;
        }
        end = result->host.length + 2;
    } else {
        const char *colon = memchr(text.data, ':', text.length);
        end = colon == NULL ? text.length : (size_t)(colon - text.data);
        result->host.length = end;
    }
    for (size_t i = 0; i < result->host.length; i++) {
        unsigned char c = (unsigned char)result->host.data[i];
        if (c <= ' ' || c >= 0x7f || strchr("/\\@?#,\"<>", c) != NULL) {
            return false;
        }
    }
    part rest = {text.data + end, text.length - end};
    return result->host.length > 0 && parse_port(rest, &result->port);
}

static bool host_is_loopback(const authority *where)
{
    part host = without_last_dot(where->host);
    numeric address = numeric_of(host);
    return same_text(host, part_of("localhost")) || numeric_is_loopback(&address);
}

bool matching_access_is_loopback(const char *address)
{
    part text = part_of(address);
    if (text.length > 2 && text.data[0] == '[' && text.data[text.length - 1] == ']') {
        text = (part){text.data + 1, text.length - 2};
    }
    numeric value = numeric_of(text);
    return same_text(text, part_of("localhost")) || numeric_is_loopback(&value);
}

/* scheme://authority and nothing after it (RFC 6454 6.2). The default port is filled in. */
static bool parse_origin(const char *text, part *scheme, authority *where)
{
    const char *colon = strstr(text, "://");
    if (colon == NULL) {
        return false;
    }
    *scheme = (part){text, (size_t)(colon - text)};
    bool http = same_text(*scheme, part_of("http"));
    bool https = same_text(*scheme, part_of("https"));
    if (!(http || https) || !parse_authority(part_of(colon + 3), where)) {
        return false;
    }
    if (where->port < 0) {
        where->port = https ? 443 : 80;
    }
    return true;
}

/* An entry of allow_origins that is not "*". Entries with another scheme (a browser extension's,
 * "null") are compared as text. */
static bool origin_matches(const char *entry, const char *origin)
{
    part scheme[2];
    authority where[2];
    if (!parse_origin(entry, &scheme[0], &where[0]) ||
        !parse_origin(origin, &scheme[1], &where[1])) {
        return strcasecmp(entry, origin) == 0;
    }
    return same_text(scheme[0], scheme[1]) && same_text(where[0].host, where[1].host) &&
           where[0].port == where[1].port;
}

static matching_access_level origin_level(const matching_access *access, const char *origin)
{
    part scheme;
    authority where;
    if (parse_origin(origin, &scheme, &where) && host_is_loopback(&where)) {
        return MATCHING_ACCESS_FULL;
    }
    matching_access_level level = MATCHING_ACCESS_DENIED;
    for (size_t i = 0; i < access->allow_origin_count; i++) {
        if (strcmp(access->allow_origins[i], "*") == 0) {
            level = MATCHING_ACCESS_MARKET_DATA;
        } else if (origin_matches(access->allow_origins[i], origin)) {
            return MATCHING_ACCESS_FULL;
        }
    }
    return level;
}

static bool host_is_ours(const matching_access *access, const char *host)
{
    authority where;
    if (!parse_authority(part_of(host), &where)) {
        return false;
    }
    if (host_is_loopback(&where)) {
        return true;
    }
    numeric address = numeric_of(where.host);
    numeric bound = numeric_of(part_of(access->bind_address));
    /* Bound to every address, each of them is ours and we cannot know them. A rebound name is
     * always a name, so an address is no danger. */
    if (same_address(&address, &bound) || (address.known && numeric_is_any(&bound))) {
        return true;
    }
    part name = without_last_dot(where.host);
    if (access->bind_address[0] != '\0' && same_text(name, part_of(access->bind_address))) {
        return true;
    }
    for (size_t i = 0; i < access->allow_host_count; i++) {
        part entry = without_last_dot(part_of(access->allow_hosts[i]));
        if (entry.length > 2 && entry.data[0] == '[' && entry.data[entry.length - 1] == ']') {
            entry = (part){entry.data + 1, entry.length - 2};
        }
        numeric allowed = numeric_of(entry);
        if (same_text(name, entry) || same_address(&address, &allowed)) {
            return true;
        }
    }
    return false;
}

matching_access_level matching_access_check(const matching_access *access, const char *origin,
                                            const char *host)
{
    if (host != NULL && !host_is_ours(access, host)) {
        return MATCHING_ACCESS_DENIED;
    }
    return origin == NULL ? MATCHING_ACCESS_FULL : origin_level(access, origin);
}

/* Looks at every byte of both whatever they hold: the time taken says nothing of the token. */
static bool same_secret(const char token[MATCHING_ACCESS_NAME_SIZE], const char *given)
{
    char padded[MATCHING_ACCESS_NAME_SIZE] = {0};
    char expected[MATCHING_ACCESS_NAME_SIZE] = {0};
    size_t length = strlen(given);
    if (length >= sizeof padded) {
        return false;
    }
    memcpy(padded, given, length);
    memcpy(expected, token, strnlen(token, sizeof expected - 1));
    volatile unsigned char difference = 0;
    for (size_t i = 0; i < sizeof padded; i++) {
        difference = (unsigned char)(difference | (padded[i] ^ expected[i]));
    }
    return difference == 0;
}

bool matching_access_admin(const matching_access *access, const char *authorization,
                           const char *peer)
{
    static const char scheme[] = "Bearer ";
    if (access->admin_token[0] == '\0') {
        return peer != NULL && matching_access_is_loopback(peer);
    }
    if (authorization == NULL || strncasecmp(authorization, scheme, sizeof scheme - 1) != 0) {
        return false;
    }
    const char *given = authorization + sizeof scheme - 1;
    given += strspn(given, " ");
    return same_secret(access->admin_token, given);
}
