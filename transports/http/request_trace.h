/* The span http.request: from a request's head until its answer is sent.
 *
 * Thread: the loop's. All of it does nothing while the span is not sampled.
 */
#ifndef MATCHING_HTTP_REQUEST_TRACE_H
#define MATCHING_HTTP_REQUEST_TRACE_H

#include <netinet/in.h>

/* libmicrohttpd.h wants its socket types declared first. */
#include <microhttpd.h>

#include "matching/connections.h"
#include "matching/trace.h"
#include "routes.h"

/* All zeros: not sampled. */
typedef struct http_request_trace {
    matching_span span;
    const char *method; /* static */
    char route[64];     /* "/api/orders/{order_id}"; empty: no path that is taken */
    char trader_id[MATCHING_TRADER_MAX + 1]; /* whom its command names; "": nobody */
} http_request_trace;

/* The head is there. traceparent: "": there are several; NULL: none. */
void http_request_trace_begin(http_request_trace *trace, struct MHD_Connection *mhd,
                              const char *traceparent);

/* What it was about. While the target is there. */
void http_request_trace_note(http_request_trace *trace, const char *method,
                             const http_target *target);

/* It is this command. */
void http_request_trace_named(http_request_trace *trace, const matching_command *command);

/* The exchange is over. status: 0: it was not answered. received: bytes of the body. connection:
 * that it came over. */
void http_request_trace_end(http_request_trace *trace, unsigned status, size_t received,
                            const char *peer, const matching_http_traffic *connection,
                            bool is_sent);

#endif
