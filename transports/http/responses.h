/* Answers as libmicrohttpd sends them, with their headers.
 *
 * Making one with its headers takes as long as reading a request: some twenty calls of malloc and
 * free. Most are short JSON under the same headers, so those are kept, by the length of their body,
 * and sent again with other bytes.
 *
 * Thread: the loop's.
 */
#ifndef MATCHING_HTTP_RESPONSES_H
#define MATCHING_HTTP_RESPONSES_H

/* libmicrohttpd.h wants its socket types declared first. */
#include <sys/socket.h>

#include <microhttpd.h>

#include "answer.h"

#define HTTP_RESPONSE_KEPT_MAX 512u /* bytes of a body; orders' answers have 150 to 400 */
#define HTTP_RESPONSES_MAX 1024u    /* that are kept, each of them about a kilobyte in all */

typedef struct http_response http_response;

/* Zero before the first use. */
typedef struct http_responses {
    http_response *spare[HTTP_RESPONSE_KEPT_MAX + 1]; /* by the length of the body */
    size_t spare_count;
    size_t hand; /* the length of which one is let go of when there are too many */
} http_responses;

/* What the headers depend on beside the answer. */
typedef struct http_response_headers {
    const char *origin;     /* whose scripts may read the answer; NULL: none but this service's */
    const char *request_id; /* given back; NULL: there is none */
    bool close;             /* the connection ends with this answer */
} http_response_headers;

/* Queues an answer, whose body must stay as it is until the request has completed. MHD_NO: it could
 * not be, as of too little memory. *kept: to be given back when the request has completed, or
 * NULL. */
enum MHD_Result http_responses_send(http_responses *responses, struct MHD_Connection *connection,
                                    const http_answer *answer, const http_response_headers *headers,
                                    http_response **kept);

/* kept: may be NULL. */
void http_responses_give_back(http_responses *responses, http_response *kept);

void http_responses_fini(http_responses *responses);

#endif
