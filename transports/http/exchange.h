/* A request under way, for the files that see to one: exchange.c from its first line to its last
 * byte sent, asking.c while it is the core's. Thread: the loop's.
 */
#ifndef MATCHING_HTTP_EXCHANGE_H
#define MATCHING_HTTP_EXCHANGE_H

#include "door.h"
#include "head.h"
#include "request_trace.h"

struct http_exchange {
    http_door *door;
    http_connection *connection;
    struct MHD_Connection *mhd;     /* NULL: completed */
    http_exchange *previous, *next; /* in door->asking, or by `next` in door->spare */
    http_head head;
    matching_access_level level;
    size_t body_length;
    size_t received; /* of the body, discarded bytes too */
    size_t sent;     /* of the answer's body */
    bool has_begun;  /* the headers have come */
    bool is_too_large;
    bool is_out_of_memory;
    bool is_too_often;       /* its address has used up its rate */
    bool is_asking;          /* the core has its command */
    matching_turn turn;      /* it waits for the core to have room, in door->waiting: */
    uint64_t waits_since_ns; /* ... since then */
    bool is_suspended;       /* libmicrohttpd leaves the connection alone until it is resumed */
    bool is_answered;        /* `answer` is filled, not yet queued */
    uint64_t asked_in;       /* the turn of the loop in which the core was asked */
    matching_action action;
    http_request_trace trace;
    http_response *response; /* to be given back; NULL: none */
    /* From here on nothing is cleared for the next request. */
    char *text; /* the target as received; what `target` points into */
    size_t text_capacity;
    char *body;
    size_t body_capacity;
    http_answer answer;
    http_target target;
    matching_command command; /* as submitted */
};

/* exchange.c: nobody has it any more: its memory is kept for another one, or freed. What
 * libmicrohttpd still holds of its answer it does not read. */
void http_exchange_end(http_exchange *exchange);

/* exchange.c: frees it, after the loop has ended. */
void http_exchange_free(http_exchange *exchange);

/* asking.c: prepares the command and hands it to the core, or has it wait until there is room.
 * False: the answer, an error, is filled in. */
bool http_ask(http_exchange *exchange, const matching_request *request, uint64_t received_ns);

/* asking.c: does a reply of the core come, sooner or later? */
bool http_is_asking(const http_exchange *exchange);

/* asking.c: libmicrohttpd lets go of it. */
void http_ask_no_more(http_exchange *exchange);

#endif
