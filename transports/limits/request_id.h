/* X-Request-Id: a client's own name for a request, given back with the answer whatever that is.
 *
 * It goes into headers of ours, and through them into logs of others, so it is bounded and plain.
 * One that is neither is left out of the answer; the request is served all the same. Pure; any
 * thread.
 */
#ifndef MATCHING_LIMITS_REQUEST_ID_H
#define MATCHING_LIMITS_REQUEST_ID_H

#include <stdbool.h>

#define MATCHING_REQUEST_ID_HEADER "X-Request-Id"
#define MATCHING_REQUEST_ID_MAX 64 /* characters */

/* 1 to MATCHING_REQUEST_ID_MAX printable ASCII characters without spaces? NULL: no. */
bool matching_request_id_is_good(const char *id);

#endif
