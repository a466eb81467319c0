/* What the methods mean: a JSON-RPC request to a matching_request and the shape of its answer.
 *
 * Pure: no socket; any thread. Refusals come out as a jsonrpc_failure, ready to be printed.
 */
#ifndef MATCHING_JSONRPC_METHODS_H
#define MATCHING_JSONRPC_METHODS_H

#include <stdbool.h>
#include <stdint.h>

#include "matching/core.h"
#include "matching/gateway.h"
#include "message.h"

/* The shape of a method's result. */
typedef enum jsonrpc_answer {
    JSONRPC_ANSWER_NONE = 0,
    JSONRPC_ANSWER_PLACED, /* also of amend_order */
    JSONRPC_ANSWER_CANCELLED,
    JSONRPC_ANSWER_ORDER_IDS,
    JSONRPC_ANSWER_ORDER,
    JSONRPC_ANSWER_ORDERS,
    JSONRPC_ANSWER_DEPTH,
    JSONRPC_ANSWER_BOOK_STATUS,
    JSONRPC_ANSWER_TRADES,
    JSONRPC_ANSWER_TICKER,
    JSONRPC_ANSWER_KLINES,
    JSONRPC_ANSWER_STATE,
    JSONRPC_ANSWER_ADDED,
    JSONRPC_ANSWER_SNAPSHOTS, /* needs no command, but time */
    JSONRPC_ANSWER_DOCUMENT,  /* needs no command, but the configuration */
    JSONRPC_ANSWER_SYMBOLS,   /* this and what follows needs no command */
    JSONRPC_ANSWER_HEALTH
} jsonrpc_answer;

typedef struct jsonrpc_call {
    jsonrpc_answer answer;
    bool market_data;         /* open to those who may see market data only */
    bool administration;      /* needs matching_access_admin */
    bool iceberg;             /* display_quantity is not optional */
    matching_request request; /* its texts point into the JSON-RPC request's params */
} jsonrpc_call;

/* What has to be remembered of a call while its command is away. */
typedef struct jsonrpc_expected {
    jsonrpc_answer answer;
    uint16_t instrument; /* the command's */
    uint8_t state;       /* the command's */
} jsonrpc_expected;

typedef struct jsonrpc_failure {
    int number; /* JSONRPC_... */
    matching_code code;
    const char *field; /* static; empty: none */
    uint64_t order_id; /* DUPLICATE_CLIENT_ORDER_ID: the other order; else 0 */
    char message[200]; /* NUL-terminated */
} jsonrpc_failure;

/* A row of the table of methods, for the document that describes it. */
typedef struct jsonrpc_method_view {
    const char *name;
    const char *summary;
    matching_action action; /* NONE: needs no command */
    jsonrpc_answer answer;
    const char *order_type; /* implied by the name; NULL: none */
    bool market_data;
    bool administration;
} jsonrpc_method_view;

/* False: there are no more. execute is none of them. */
bool jsonrpc_method_at(size_t index, jsonrpc_method_view *view);

/* What execute's `command` may say; NULL: there are no more. Static string. */
const char *jsonrpc_command_at(size_t index);

/* The method's name as the table has it; "unknown" for what is not in it. Static. */
const char *jsonrpc_method_name(const jsonrpc_request *request);

/* Looks the method up and reads its params. False: *failure is the answer. */
bool jsonrpc_read_call(const jsonrpc_request *request, jsonrpc_call *call,
                       jsonrpc_failure *failure);

/* The gateway's verdict on a call that needs a command. False: *failure is the answer. */
bool jsonrpc_prepare(const matching_core *core, const jsonrpc_call *call, matching_command *command,
                     jsonrpc_failure *failure);

/* message NULL: the code's text. */
void jsonrpc_failure_set(jsonrpc_failure *failure, int number, matching_code code,
                         const char *field, const char *message);

/* refused: the engine or a port said it (JSONRPC_REFUSED), not the check of the parameters. */
void jsonrpc_failure_from(jsonrpc_failure *failure, const matching_error *error, bool refused);

/* What this door is called where it tells of its health. */
#define JSONRPC_SERVICE "jsonrpc-matching-service"

#endif
