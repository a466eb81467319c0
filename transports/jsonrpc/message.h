/* A JSON-RPC 2.0 message: the bytes of one HTTP body to the requests in it.
 *
 * Pure: no socket, no core; any thread. Knows the envelope (version, id, method, params, batches)
 * and nothing of what the methods mean; methods.h does.
 */
#ifndef MATCHING_JSONRPC_MESSAGE_H
#define MATCHING_JSONRPC_MESSAGE_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "matching/gateway.h"

/* The specification's error codes (section 5.1). */
enum {
    JSONRPC_PARSE_ERROR = -32700,
    JSONRPC_INVALID_REQUEST = -32600,
    JSONRPC_METHOD_NOT_FOUND = -32601,
    JSONRPC_INVALID_PARAMS = -32602,
    JSONRPC_INTERNAL_ERROR = -32603,
    JSONRPC_REFUSED = -32000 /* ours: the service understood and refused */
};

typedef struct jsonrpc_request {
    bool valid;        /* false: not a request of the specification, answer JSONRPC_INVALID_REQUEST
                           with the id null; the rest is then unset */
    bool notification; /* no id: executed, never answered */
    matching_text id;  /* the id's own text as it was sent, quotes and all; points into the body */
    matching_text method;
    struct json_object *params;   /* an object or array, NULL: none; the message's */
    const matching_request *flat; /* what is in params, which is NULL then; NULL: see params */
} jsonrpc_request;

typedef struct jsonrpc_message {
    int error;       /* not 0: the whole message is answered by this one error with the id null */
    const char *why; /* a static sentence for `error` */
    bool batch;      /* the answer is an array */
    size_t count;
    jsonrpc_request *requests; /* `single`, or those of a batch on the heap */
    struct json_object *root;  /* NULL: read flat */
    jsonrpc_request single;
    matching_request flat;
} jsonrpc_message;

/* Reads a body. text must outlive the message, and the message stays where it is. max_batch:
 * requests in a batch, more are refused as a whole. False: out of memory. In any case
 * jsonrpc_message_fini frees what the message holds. */
bool jsonrpc_message_parse(jsonrpc_message *message, const char *text, size_t length,
                           size_t max_batch);

/* The two ways that it takes: one request of plain texts whose params are an order's fields,
 * without an allocation (false: the other way must be taken, the message is of no use), and any
 * body. Where the first one is true, calls and ids are those of the second. */
bool jsonrpc_message_parse_flat(jsonrpc_message *message, const char *text, size_t length);
bool jsonrpc_message_parse_json(jsonrpc_message *message, const char *text, size_t length,
                                size_t max_batch);

/* Frees; requests and their params are gone. May be called again. */
void jsonrpc_message_fini(jsonrpc_message *message);

#endif
