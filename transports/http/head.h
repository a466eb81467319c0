/* The headers of a request that this door looks at.
 *
 * Thread: the loop's.
 */
#ifndef MATCHING_HTTP_HEAD_H
#define MATCHING_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>

/* libmicrohttpd.h wants its socket types declared first. */
#include <sys/socket.h>

#include <microhttpd.h>

/* Values are libmicrohttpd's and live as long as the request. Zero before it is filled. */
typedef struct http_head {
    const char *origin;
    const char *host;
    const char *content_type;
    const char *authorization;
    const char *transfer_encoding;
    const char *content_length;
    const char *expect;
    const char *request_id;  /* given back if it is good */
    const char *traceparent; /* "": there are several, which count as none */
    size_t size;             /* bytes of all headers */
    bool is_ambiguous;       /* one of them twice */
} http_head;

/* Takes note of the headers that have come. */
void http_head_collect(http_head *head, struct MHD_Connection *connection);

/* What makes servers disagree about where a request ends, or whose it is; NULL: nothing. Static. */
const char *http_head_ambiguity(const http_head *head, const char *version);

#endif
