/* The grammar of allow lists: hosts and origins, as browsers write them.
 *
 * A list is compared with what a browser sends, character by character. An entry that a browser can
 * never send (with a path, a trailing slash) would silently let nobody in, so it is refused here.
 * "null" is refused too: any sandboxed page sends it.
 *
 * Not here: the decision about a request, which is the gateway's (matching/access.h).
 */
#include "origins.h"

#include <arpa/inet.h>
#include <string.h>

#define HOST_MAX 253 /* RFC 1035: the longest name */

static bool name_is_valid(const char *name, size_t length)
{
    static const char legal[] = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
    if (length == 0 || length > HOST_MAX || name[0] == '.' || name[0] == '-')
        return false;
    for (size_t i = 0; i < length; i++)
        if (name[i] == '\0' || !strchr(legal, name[i]) || (name[i] == '.' && name[i - 1] == '.'))
            return false;
    return true;
}

static bool ipv6_is_valid(const char *text, size_t length)
{
    char copy[INET6_ADDRSTRLEN];
    struct in6_addr address;
    if (length >= sizeof copy)
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    return inet_pton(AF_INET6, copy, &address) == 1;
}

/* Length of the host at text: a bracketed address, or what stands before a colon. 0: not legal. */
static size_t host_length(const char *text)
{
    if (text[0] == '[') {
        size_t length = strcspn(text, "]");
        return text[length] && ipv6_is_valid(text + 1, length - 1) ? length + 1 : 0;
    }
    size_t length = strcspn(text, ":");
    return name_is_valid(text, length) ? length : 0;
}

bool matching_host_is_valid(const char *host)
{
    size_t length = host_length(host);
    return (length > 0 && host[length] == '\0') || ipv6_is_valid(host, strlen(host));
}

static bool port_is_valid(const char *port)
{
    size_t length = strlen(port);
    unsigned number = 0;
    if (length == 0 || length > 5 || strspn(port, "0123456789") != length)
        return false;
    for (; *port; port++)
        number = number * 10 + (unsigned)(*port - '0');
    return number >= 1 && number <= 65535;
}

bool matching_origin_is_valid(const char *origin)
{
    if (strcmp(origin, "*") == 0)
        return true;
    size_t scheme = strspn(origin, "abcdefghijklmnopqrstuvwxyz0123456789+-.");
    if (scheme == 0 || strncmp(origin + scheme, "://", 3) != 0)
        return false;
    const char *host = origin + scheme + 3;
    size_t length = host_length(host);
    if (length == 0)
        return false;
    return host[length] == '\0' || (host[length] == ':' && port_is_valid(host + length + 1));
}
