/* The table of methods, and how their params become a request to the gateway.
 *
 * Invariants: what a method's name implies (an order's type, the one level of get_book_status) wins
 * over a param of that name; a param that no method knows is harmless; nothing is judged here that
 * the gateway judges, but for what only this door has: `command` of execute.
 *
 * Not here: who may call what (exchanges.c) and what the results look like (answers.c).
 */
#include "methods.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "json_reader.h"

typedef struct method {
    const char *name;
    matching_action action;
    jsonrpc_answer answer;
    const char *order_type; /* implied by the name; NULL: none */
    bool market_data;
    bool administration;
    const char *summary;
} method;

static const method METHODS[] = {
    {"place_limit_order", MATCHING_ACTION_PLACE, JSONRPC_ANSWER_PLACED, "limit", false, false,
     "enters a limit order"},
    {"place_market_order", MATCHING_ACTION_PLACE, JSONRPC_ANSWER_PLACED, "market", false, false,
     "enters a market order"},
    {"place_order", MATCHING_ACTION_PLACE, JSONRPC_ANSWER_PLACED, NULL, false, false,
     "enters an order of any type"},
    {"cancel_order", MATCHING_ACTION_CANCEL, JSONRPC_ANSWER_CANCELLED, NULL, false, false,
     "cancels an order"},
    {"amend_order", MATCHING_ACTION_AMEND, JSONRPC_ANSWER_PLACED, NULL, false, false,
     "changes the price, the total quantity or the stop price of an order"},
    {"cancel_all_orders", MATCHING_ACTION_CANCEL_ALL, JSONRPC_ANSWER_ORDER_IDS, NULL, false, false,
     "cancels all working orders of a trader"},
    {"get_order", MATCHING_ACTION_GET_ORDER, JSONRPC_ANSWER_ORDER, NULL, false, false,
     "one order, also one that has ended"},
    {"get_open_orders", MATCHING_ACTION_LIST_OPEN_ORDERS, JSONRPC_ANSWER_ORDERS, NULL, false, false,
     "the working orders of a trader, the oldest first"},
    {"get_depth", MATCHING_ACTION_GET_DEPTH, JSONRPC_ANSWER_DEPTH, NULL, true, false,
     "the price levels of an instrument"},
    {"get_book_status", MATCHING_ACTION_GET_DEPTH, JSONRPC_ANSWER_BOOK_STATUS, NULL, true, false,
     "the best prices of an instrument"},
    {"get_trades", MATCHING_ACTION_GET_TRADES, JSONRPC_ANSWER_TRADES, NULL, true, false,
     "the latest trades of an instrument, newest last"},
    {"get_klines", MATCHING_ACTION_GET_KLINES, JSONRPC_ANSWER_KLINES, NULL, true, false,
     "candles of an instrument, the oldest first"},
    {"get_ticker", MATCHING_ACTION_GET_TICKER, JSONRPC_ANSWER_TICKER, NULL, true, false,
     "the last price, the last 24 hours, the best prices"},
    {"get_symbols", MATCHING_ACTION_NONE, JSONRPC_ANSWER_SYMBOLS, NULL, true, false,
     "the instruments and their states"},
    {"add_symbol", MATCHING_ACTION_ADD_INSTRUMENT, JSONRPC_ANSWER_ADDED, NULL, false, true,
     "adds an instrument"},
    {"set_symbol_state", MATCHING_ACTION_SET_STATE, JSONRPC_ANSWER_STATE, NULL, false, true,
     "halts an instrument, opens an auction, or lets it trade"},
    {"admin_snapshot", MATCHING_ACTION_NONE, JSONRPC_ANSWER_SNAPSHOTS, NULL, false, true,
     "writes a snapshot of every shard, and answers when they are on disk"},
    {"health", MATCHING_ACTION_NONE, JSONRPC_ANSWER_HEALTH, NULL, true, false,
     "is the service well"},
    {"rpc.discover", MATCHING_ACTION_NONE, JSONRPC_ANSWER_DOCUMENT, NULL, true, false,
     "this document"},
};

/* What execute's `command` may say. */
static const struct {
    const char *command;
    const char *method;
    bool iceberg;
} COMMANDS[] = {
    {"LimitOrder", "place_limit_order", false},
    {"MarketOrder", "place_market_order", false},
    {"IcebergOrder", "place_limit_order", true},
    {"CancelOrder", "cancel_order", false},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

bool jsonrpc_method_at(size_t index, jsonrpc_method_view *view)
{
    if (index >= COUNT(METHODS)) {
        return false;
    }
    const method *found = &METHODS[index];
    *view = (jsonrpc_method_view){found->name,          found->summary,    found->action,
                                  found->answer,        found->order_type, found->market_data,
                                  found->administration};
    return true;
}

const char *jsonrpc_command_at(size_t index)
{
    return index < COUNT(COMMANDS) ? COMMANDS[index].command : NULL;
}

static bool same(matching_text text, const char *word)
{
    return text.length == strlen(word) && memcmp(text.data, word, text.length) == 0;
}

static bool same_in_any_case(matching_text text, const char *word)
{
    return text.length == strlen(word) && strncasecmp(text.data, word, text.length) == 0;
}

void jsonrpc_failure_set(jsonrpc_failure *failure, int number, matching_code code,
                         const char *field, const char *message)
{
    failure->number = number;
    failure->code = code;
    failure->field = field;
    failure->order_id = 0;
    snprintf(failure->message, sizeof failure->message, "%s",
             message != NULL ? message : matching_code_text(code));
}

void jsonrpc_failure_from(jsonrpc_failure *failure, const matching_error *error, bool refused)
{
    int number = JSONRPC_INVALID_PARAMS;
    if (error->code == MATCHING_INTERNAL_ERROR) {
        number = JSONRPC_INTERNAL_ERROR;
    } else if (refused || error->code > MATCHING_INVALID_PARAMETER) {
        number = JSONRPC_REFUSED; /* the gateway too says UNKNOWN_SYMBOL: no fault of the form */
    }
    jsonrpc_failure_set(failure, number, error->code, matching_field_name(error->field),
                        error->message[0] != '\0' ? error->message : NULL);
    failure->order_id = error->order_id;
}

static const method *find_method(matching_text name)
{
    for (size_t i = 0; i < COUNT(METHODS); i++) {
        if (same(name, METHODS[i].name)) {
            return &METHODS[i];
        }
    }
    return NULL;
}

/* execute: the method behind its `command`; NULL and a failure if there is none. */
static const method *find_command(struct json_object *params, bool *iceberg,
                                  jsonrpc_failure *failure)
{
    struct json_object *command = NULL;
    json_object_object_get_ex(params, "command", &command);
    if (command == NULL) {
        jsonrpc_failure_set(failure, JSONRPC_INVALID_PARAMS, MATCHING_MISSING_FIELD, "command",
                            "command is missing");
        return NULL;
    }
    if (!json_object_is_type(command, json_type_string)) {
        jsonrpc_failure_set(failure, JSONRPC_INVALID_PARAMS, MATCHING_INVALID_MESSAGE, "command",
                            "command must be a string");
        return NULL;
    }
    matching_text name = {json_object_get_string(command),
                          (size_t)json_object_get_string_len(command)};
    for (size_t i = 0; i < COUNT(COMMANDS); i++) {
        if (same(name, COMMANDS[i].command)) {
            *iceberg = COMMANDS[i].iceberg;
            const char *found = COMMANDS[i].method;
            return find_method((matching_text){found, strlen(found)});
        }
    }
    jsonrpc_failure_set(
        failure, JSONRPC_INVALID_PARAMS, MATCHING_UNKNOWN_TYPE, "command",
        "unknown command, use LimitOrder, MarketOrder, IcebergOrder or CancelOrder");
    return NULL;
}

static void imply_text(matching_request *request, matching_field field, matching_text *place,
                       const char *text)
{
    uint32_t bit = MATCHING_FIELD_BIT(field);
    request->present |= bit;
    request->wrong_type &= ~bit;
    request->malformed &= ~bit;
    *place = (matching_text){text, strlen(text)};
}

/* Replaces a text by the contract's spelling of it, if it is one of these words in any case. */
static void spell(matching_text *text, const char *const words[][2], size_t count)
{
    for (size_t i = 0; text->data != NULL && i < count; i++) {
        if (same_in_any_case(*text, words[i][0])) {
            *text = (matching_text){words[i][1], strlen(words[i][1])};
            return;
        }
    }
}

static void spell_words(matching_request *request)
{
    static const char *const sides[][2] = {
        {"buy", "buy"}, {"sell", "sell"}, {"B", "buy"}, {"S", "sell"}};
    static const char *const types[][2] = {
        {"limit", "limit"}, {"market", "market"}, {"stop", "stop"}, {"stop_limit", "stop_limit"}};
    spell(&request->side, sides, COUNT(sides));
    spell(&request->type, types, COUNT(types));
}

/* One level tells the best prices; a `levels` among the params does not matter. */
static void imply_one_level(matching_request *request)
{
    uint32_t bit = MATCHING_FIELD_BIT(MATCHING_FIELD_LEVELS);
    request->present |= bit;
    request->wrong_type &= ~bit;
    request->malformed &= ~bit;
    request->levels = 1;
}

static void read_params(const method *wanted, const jsonrpc_request *asked, jsonrpc_call *call)
{
    struct json_object *params = asked->params;
    matching_request *request = &call->request;
    if (asked->flat != NULL) {
        *request = *asked->flat;
    } else if (params != NULL) {
        matching_json_request(params, request);
    }
    request->action = wanted->action;
    if (wanted->order_type != NULL) {
        imply_text(request, MATCHING_FIELD_TYPE, &request->type, wanted->order_type);
    } else if (wanted->action == MATCHING_ACTION_PLACE) {
        matching_json_order_type(params, request);
    }
    if (wanted->answer == JSONRPC_ANSWER_BOOK_STATUS) {
        imply_one_level(request);
    }
    spell_words(request);
}

const char *jsonrpc_method_name(const jsonrpc_request *request)
{
    const method *found = find_method(request->method);
    return found != NULL ? found->name : same(request->method, "execute") ? "execute" : "unknown";
}

bool jsonrpc_read_call(const jsonrpc_request *request, jsonrpc_call *call, jsonrpc_failure *failure)
{
    memset(call, 0, sizeof *call);
    bool execute = same(request->method, "execute");
    const method *wanted = find_method(request->method);
    if (wanted == NULL && !execute) {
        jsonrpc_failure_set(failure, JSONRPC_METHOD_NOT_FOUND, MATCHING_UNKNOWN_TYPE, "",
                            "Method not found");
        return false;
    }
    if (json_object_is_type(request->params, json_type_array)) {
        jsonrpc_failure_set(failure, JSONRPC_INVALID_PARAMS, MATCHING_INVALID_MESSAGE, "",
                            "Invalid params: parameters are taken by name, send an object");
        return false;
    }
    if (execute) {
        wanted = find_command(request->params, &call->iceberg, failure);
        if (wanted == NULL) {
            return false;
        }
    }
    call->answer = wanted->answer;
    call->market_data = wanted->market_data;
    call->administration = wanted->administration;
    read_params(wanted, request, call);
    return true;
}

bool jsonrpc_prepare(const matching_core *core, const jsonrpc_call *call, matching_command *command,
                     jsonrpc_failure *failure)
{
    matching_error error;
    matching_code code = matching_gateway_prepare(core, &call->request, command, &error);
    /* The gateway takes display_quantity for optional; here its absence counts among the missing
     * fields, in the place that the contract's order of refusals gives it. */
    if (call->iceberg && (code == MATCHING_OK || code > MATCHING_MISSING_FIELD) &&
        (call->request.present & MATCHING_FIELD_BIT(MATCHING_FIELD_DISPLAY_QUANTITY)) == 0) {
        jsonrpc_failure_set(failure, JSONRPC_INVALID_PARAMS, MATCHING_MISSING_FIELD,
                            matching_field_name(MATCHING_FIELD_DISPLAY_QUANTITY),
                            "display_quantity is missing");
        return false;
    }
    if (code != MATCHING_OK) {
        jsonrpc_failure_from(failure, &error, false);
    }
    return code == MATCHING_OK;
}
