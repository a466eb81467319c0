/* A request under way, for the files that see to one: exchange.c from its first line to its last byte
 * sent, asking.c while it is the core's. Thread: the loop's.
 */
#ifndef MATCHING_HTTP_EXCHANGE_H
#define MATCHING_HTTP_EXCHANGE_H

#include "door.h"
#include "request_trace.h"

/* The headers of interest. Values are libmicrohttpd's and live as long as the exchange. */
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
    bool is_ambiguous;       /* one of them twice, or with a NUL inside */
} http_head;

struct http_exchange {
    http_door *door;
    http_connection *connection;
    struct MHD_Connection *mhd;     /* NULL: completed */
    http_exchange *previous, *next; /* in door->asking */
    char *text;                     /* the target as received; what `target` points into */
    http_target target;
    http_head head;
    matching_access_level level;
    char *body;
    size_t body_length, body_capacity;
    size_t received; /* of the body, discarded bytes too */
    bool has_begun;  /* the headers have come */
    bool is_too_large;
    bool is_out_of_memory;
    bool is_too_often;       /* its address has used up its rate */
    bool is_asking;          /* the core has its command */
    matching_turn turn;      /* it waits for the core to have room, in door->waiting: */
    uint64_t waits_since_ns; /* ... since then */
    bool is_suspended;       /* libmicrohttpd leaves the connection alone until it is resumed */
    bool is_answered;        /* `answer` is filled, not yet queued */
    matching_action action;
    matching_command command; /* as submitted */
    http_answer answer;
    http_request_trace trace;
};

/* exchange.c: frees it, which libmicrohttpd has let go of. */
void http_exchange_free(http_exchange *exchange);

/* asking.c: prepares the command and hands it to the core, or has it wait until there is room. False:
 * the answer, an error, is filled in. */
bool http_ask(http_exchange *exchange, const matching_request *request, uint64_t received_ns);

/* asking.c: does a reply of the core come, sooner or later? */
bool http_is_asking(const http_exchange *exchange);

/* asking.c: libmicrohttpd lets go of it. */
void http_ask_no_more(http_exchange *exchange);

#endif
