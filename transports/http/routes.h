/* Which request does what: from method, target, caller and body to an answer or a matching_request.
 *
 * Pure: no socket, no libmicrohttpd, no waiting; a read-only look at the core. Any thread.
 */
#ifndef MATCHING_HTTP_ROUTES_H
#define MATCHING_HTTP_ROUTES_H

#include <json-c/json.h>

#include "answer.h"
#include "describe.h"
#include "matching/access.h"
#include "matching/command.h"
#include "matching/config.h"
#include "matching/core.h"
#include "matching/counters.h"
#include "matching/gateway.h"
#include "matching/port.h"
#include "target.h"

/* What the routes know of the house. */
typedef struct http_service {
    const matching_core *core;
    const matching_access *access;     /* who may administrate */
    const matching_counters *counters; /* of all doors; NULL: none are kept */
    const matching_config *config;     /* the limits that openapi.json tells; NULL: none */
    const char *address;               /* "127.0.0.1:8080", where this door listens */
    uint64_t started_ns;               /* matching_monotonic_ns() */
} http_service;

/* A request as far as routes look at it. Nothing is owned. */
typedef struct http_request {
    const char *method;
    const http_target *target;
    const char *origin; /* header values, NULL where absent */
    const char *content_type;
    const char *authorization;
    const char *peer; /* the client's numeric address */
    matching_access_level level;
    const char *body;
    size_t body_length;
} http_request;

/* What is to be asked of the core, and how its reply is to be shown. */
typedef struct http_call {
    matching_request request;   /* its texts point into the target and the body or the object */
    struct json_object *object; /* owned; NULL without a body, or with one that is read flat */
} http_call;

typedef enum http_next {
    HTTP_ANSWERED, /* *answer is filled */
    HTTP_ASK       /* *call->request is to be prepared and submitted; free with http_call_fini */
} http_next;

/* A row of the table of calls, for the document that describes it. */
typedef struct http_route_view {
    unsigned method; /* HTTP_* */
    bool is_public;  /* open to origins let in by "*" */
    bool has_body;
    bool is_administration;
    bool takes_any_query;
    bool is_html;
    bool is_text;
    const char *const *segments; /* HTTP_SEGMENTS_MAX at most; "*": it is path_field */
    matching_action action;      /* NONE: answered without the core */
    matching_field path_field;
    uint32_t query; /* bits of the fields that the query may have */
    const char *summary;
    matching_schema answer; /* NONE: no JSON */
} http_route_view;

/* False: there are no more. */
bool http_route_at(size_t index, http_route_view *view);

/* What may this caller do: the stricter of Host and, where the target has one, its authority. */
matching_access_level http_access_level(const matching_access *access, const char *origin,
                                        const char *host, const http_target *target);

/* The answer to a caller with MATCHING_ACCESS_DENIED. */
void http_refuse_caller(http_answer *answer);

/* Decides about a request. HTTP_ANSWERED: *call needs no fini. The answer must be just initialised.
 */
http_next http_route(const http_service *service, const http_request *request, http_answer *answer,
                     http_call *call);

void http_call_fini(http_call *call);

/* Makes the answer out of the reply to what was asked. command: as it was submitted. */
void http_answer_reply(const http_service *service, matching_action action,
                       const matching_command *command, const matching_reply *reply,
                       http_answer *answer);

#endif
