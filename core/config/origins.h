/* The grammar of allow lists. Private to core/config. Pure functions. */
#ifndef MATCHING_ORIGINS_H
#define MATCHING_ORIGINS_H

#include <stdbool.h>

/* A host name, an IPv4 address or an IPv6 address with or without brackets; lower case, no port. */
bool matching_host_is_valid(const char *host);

/* "*", or scheme://host with an optional port, in lower case: what a browser sends as Origin. */
bool matching_origin_is_valid(const char *origin);

#endif
