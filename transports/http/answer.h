/* An HTTP answer before it becomes bytes: status, body and what the headers depend on.
 *
 * Pure: no socket, no libmicrohttpd. One thread at a time per answer.
 */
#ifndef MATCHING_HTTP_ANSWER_H
#define MATCHING_HTTP_ANSWER_H

#include <stdbool.h>

#include "json_writer.h"
#include "matching/gateway.h"

/* Methods as bits, for Allow and for CORS. */
enum {
    HTTP_GET = 1,
    HTTP_HEAD = 2,
    HTTP_POST = 4,
    HTTP_PATCH = 8,
    HTTP_DELETE = 16,
    HTTP_OPTIONS = 32
};

#define HTTP_METHODS_TEXT 64 /* room for all their names, NUL included */

typedef struct http_answer {
    unsigned status;
    matching_code code;   /* why it is an error that this door found itself */
    matching_writer body; /* empty with 204 */
    bool is_html;         /* else JSON, but for: */
    bool is_metrics;      /* Prometheus' text */
    bool close;           /* this connection ends with this answer */
    bool challenge;       /* WWW-Authenticate: Bearer */
    bool later;           /* Retry-After: the same request may do better soon */
    bool preflight;       /* the CORS headers of a preflight, for the methods in `allow` */
    unsigned allow;       /* HTTP_*: the Allow header, 0: none */
} http_answer;

void http_answer_init(http_answer *answer);
void http_answer_fini(http_answer *answer);

/* For another answer, in the memory of this one's body. */
void http_answer_clear(http_answer *answer);

/* The status that a code has over REST. */
unsigned http_status_of(matching_code code);

/* Retry-After goes with it: what is refused so was not done, and may be granted soon. */
bool http_code_asks_to_retry(matching_code code);

/* An error of the gateway or the engine, with the status of its code. */
void http_answer_error(http_answer *answer, const matching_error *error);

/* An error found here. message NULL: the code's text. */
void http_answer_problem(http_answer *answer, unsigned status, matching_code code,
                         const char *message);

/* INVALID_PARAMETER about a query parameter, which need not be a field of requests. A name that is
 * not short printable ASCII is not repeated. */
void http_answer_parameter(http_answer *answer, matching_text name, const char *what);

/* 204 without a body. */
void http_answer_nothing(http_answer *answer, unsigned allow);

/* "GET, HEAD, OPTIONS". */
void http_methods_print(char out[HTTP_METHODS_TEXT], unsigned methods);

/* The bit of a method's name, 0: one that no path takes. */
unsigned http_method_find(const char *name);

#endif
