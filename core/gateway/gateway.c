/* Requests to commands: every check of a field, once for all transports.
 *
 * Refusals win in the order of the codes (codes.h); among fields of one code, in the order of the
 * tables below, which is the contract's. Not here: what depends on the state of a book (engine).
 */
#include <stdio.h>
#include <string.h>

#include "gateway/fields.h"
#include "matching/probes.h"

#define DEPTH_LEVELS_DEFAULT 20
#define TRADES_DEFAULT 100
#define KLINES_DEFAULT 100
#define KLINES_MAX 500
#define SYMBOL_TOLD 40 /* bytes of an unknown symbol that are repeated at most */

/* The fields of an action in the contract's order, and which of them must be there. */
typedef struct action_fields {
    const uint8_t *fields; /* MATCHING_FIELD_NONE ends it */
    uint32_t required;     /* MATCHING_FIELD_BIT */
} action_fields;

#define F(name) MATCHING_FIELD_##name
#define BIT(name) MATCHING_FIELD_BIT(F(name))

static const uint8_t place_fields[] = {F(TRADER_ID),
                                       F(SIDE),
                                       F(PRICE),
                                       F(STOP_PRICE),
                                       F(QUANTITY),
                                       F(SYMBOL),
                                       F(TYPE),
                                       F(TIME_IN_FORCE),
                                       F(EXPIRE_TIME),
                                       F(POST_ONLY),
                                       F(DISPLAY_QUANTITY),
                                       F(CLIENT_ORDER_ID),
                                       F(SELF_TRADE_PREVENTION),
                                       F(NONE)};
static const uint8_t stop_fields[] = {F(TRADER_ID),
                                      F(SIDE),
                                      F(STOP_PRICE),
                                      F(QUANTITY),
                                      F(PRICE),
                                      F(SYMBOL),
                                      F(TYPE),
                                      F(TIME_IN_FORCE),
                                      F(EXPIRE_TIME),
                                      F(POST_ONLY),
                                      F(DISPLAY_QUANTITY),
                                      F(CLIENT_ORDER_ID),
                                      F(SELF_TRADE_PREVENTION),
                                      F(NONE)};
static const uint8_t named_fields[] = {F(ORDER_ID), F(TRADER_ID), F(CLIENT_ORDER_ID), F(SYMBOL),
                                       F(NONE)};
static const uint8_t amend_fields[] = {F(ORDER_ID), F(TRADER_ID), F(CLIENT_ORDER_ID), F(SYMBOL),
                                       F(PRICE),    F(QUANTITY),  F(STOP_PRICE),      F(NONE)};
static const uint8_t owner_fields[] = {F(TRADER_ID), F(SYMBOL), F(NONE)};
static const uint8_t open_fields[] = {F(TRADER_ID), F(SYMBOL), F(AFTER), F(LIMIT), F(NONE)};
static const uint8_t state_fields[] = {F(SYMBOL), F(STATE), F(NONE)};
static const uint8_t new_fields[] = {F(SYMBOL),   F(TICK_SIZE), F(LOT_SIZE), F(ID),
                                     F(SBE_CHAR), F(STATE),     F(NONE)};
static const uint8_t list_fields[] = {F(TRADER_ID), F(SYMBOL), F(STATUS), F(CLIENT_ORDER_ID),
                                      F(AFTER),     F(LIMIT),  F(NONE)};
static const uint8_t depth_fields[] = {F(SYMBOL), F(LEVELS), F(NONE)};
static const uint8_t symbol_fields[] = {F(SYMBOL), F(NONE)};
static const uint8_t trades_fields[] = {F(SYMBOL), F(LIMIT), F(FROM_ID), F(BEFORE_ID), F(NONE)};
static const uint8_t klines_fields[] = {F(SYMBOL), F(INTERVAL), F(FROM), F(TO), F(LIMIT), F(NONE)};

/* What an action takes, an order entry by its type (-1: no such type). */
static action_fields fields_of(const matching_request *request, int order_type)
{
    const uint32_t entry = BIT(TRADER_ID) | BIT(SIDE) | BIT(QUANTITY);
    switch (request->action) {
    case MATCHING_ACTION_PLACE:
        switch (order_type) {
        case MATCHING_LIMIT:
            return (action_fields){place_fields, entry | BIT(PRICE)};
        case MATCHING_STOP:
            return (action_fields){stop_fields, entry | BIT(STOP_PRICE)};
        case MATCHING_STOP_LIMIT:
            return (action_fields){stop_fields, entry | BIT(STOP_PRICE) | BIT(PRICE)};
        default:
            return (action_fields){place_fields, entry};
        }
    case MATCHING_ACTION_CANCEL:
    case MATCHING_ACTION_GET_ORDER:
        return (action_fields){named_fields, 0};
    case MATCHING_ACTION_AMEND:
        return (action_fields){amend_fields, 0};
    case MATCHING_ACTION_CANCEL_ALL:
        return (action_fields){owner_fields, BIT(TRADER_ID)};
    case MATCHING_ACTION_LIST_OPEN_ORDERS:
        return (action_fields){open_fields, BIT(TRADER_ID)};
    case MATCHING_ACTION_SET_STATE:
        return (action_fields){state_fields, BIT(SYMBOL) | BIT(STATE)};
    case MATCHING_ACTION_ADD_INSTRUMENT:
        return (action_fields){new_fields, BIT(SYMBOL) | BIT(TICK_SIZE) | BIT(LOT_SIZE)};
    case MATCHING_ACTION_LIST_ORDERS:
        return (action_fields){list_fields, 0};
    case MATCHING_ACTION_GET_DEPTH:
        return (action_fields){depth_fields, 0};
    case MATCHING_ACTION_GET_TRADES:
        return (action_fields){trades_fields, 0};
    case MATCHING_ACTION_GET_KLINES:
        return (action_fields){klines_fields, BIT(INTERVAL)};
    case MATCHING_ACTION_GET_TICKER:
    case MATCHING_ACTION_NONE:
        break;
    }
    return (action_fields){symbol_fields, 0};
}

const uint8_t *matching_gateway_fields(matching_action action, unsigned order_type,
                                       uint32_t *required)
{
    const matching_request request = {.action = action};
    action_fields found = fields_of(&request, (int)order_type);
    *required = found.required;
    return found.fields;
}

static bool has(const check_state *check, matching_field field)
{
    return check->request->present & MATCHING_FIELD_BIT(field);
}

/* The first field of the action that is among `bits`. */
static matching_field first_of(const uint8_t *fields, uint32_t bits)
{
    for (; bits != 0 && *fields != MATCHING_FIELD_NONE; fields++) {
        if (bits & MATCHING_FIELD_BIT(*fields)) {
            return (matching_field)*fields;
        }
    }
    return MATCHING_FIELD_NONE;
}

static void check_types(check_state *check, const action_fields *action)
{
    static const char *const wanted[MATCHING_FIELD_COUNT] = {
        [F(ORDER_ID)] = "an integer",
        [F(TRADER_ID)] = "a string",
        [F(SIDE)] = "a string",
        [F(PRICE)] = "a number or a decimal string",
        [F(STOP_PRICE)] = "a number or a decimal string",
        [F(QUANTITY)] = "a number or a decimal string",
        [F(SYMBOL)] = "a string",
        [F(TYPE)] = "a string",
        [F(TIME_IN_FORCE)] = "a string",
        [F(EXPIRE_TIME)] = "an integer",
        [F(POST_ONLY)] = "true or false",
        [F(DISPLAY_QUANTITY)] = "a number or a decimal string",
        [F(CLIENT_ORDER_ID)] = "a string",
        [F(SELF_TRADE_PREVENTION)] = "a string",
        [F(STATE)] = "a string",
        [F(STATUS)] = "a string",
        [F(AFTER)] = "an integer",
        [F(LEVELS)] = "an integer",
        [F(LIMIT)] = "an integer",
        [F(FROM_ID)] = "an integer",
        [F(BEFORE_ID)] = "an integer",
        [F(TICK_SIZE)] = "a number or a decimal string",
        [F(LOT_SIZE)] = "a number or a decimal string",
        [F(ID)] = "an integer",
        [F(SBE_CHAR)] = "a string",
        [F(INTERVAL)] = "a string",
        [F(FROM)] = "an integer",
        [F(TO)] = "an integer"};
    matching_field field = first_of(action->fields, check->request->wrong_type);
    if (field != MATCHING_FIELD_NONE) {
        refuse(check, MATCHING_INVALID_MESSAGE, field, "%s must be %s", matching_field_name(field),
               wanted[field]);
    }
}

static void check_missing(check_state *check, const action_fields *action)
{
    const matching_request *request = check->request;
    uint32_t missing = action->required & ~request->present;
    matching_action kind = request->action;
    if ((kind == MATCHING_ACTION_CANCEL || kind == MATCHING_ACTION_AMEND ||
         kind == MATCHING_ACTION_GET_ORDER) &&
        !has(check, F(ORDER_ID))) {
        if (!has(check, F(CLIENT_ORDER_ID))) {
            refuse(check, MATCHING_MISSING_FIELD, F(ORDER_ID),
                   "order_id is missing; give it, or trader_id and client_order_id");
        } else if (!has(check, F(TRADER_ID))) {
            refuse(check, MATCHING_MISSING_FIELD, F(TRADER_ID),
                   "trader_id is missing; client_order_id goes with it");
        }
    }
    if (kind == MATCHING_ACTION_AMEND &&
        !(request->present & (BIT(PRICE) | BIT(QUANTITY) | BIT(STOP_PRICE)))) {
        refuse(check, MATCHING_MISSING_FIELD, F(PRICE),
               "nothing to amend: give price, quantity or stop_price");
    }
    matching_field field = first_of(action->fields, missing);
    if (field != MATCHING_FIELD_NONE) {
        refuse(check, MATCHING_MISSING_FIELD, field, "%s is missing", matching_field_name(field));
    }
}

/* The instrument that prices and quantities are measured by; NULL: not known from the request. */
static const matching_instrument *find_instrument(check_state *check)
{
    const matching_request *request = check->request;
    if (request->action == MATCHING_ACTION_ADD_INSTRUMENT) {
        return NULL; /* it is yet to come */
    }
    if (request->numbered & BIT(SYMBOL)) {
        return request->instrument;
    }
    if (has(check, F(SYMBOL))) {
        return matching_core_find_instrument(check->core, request->symbol.data,
                                             request->symbol.length);
    }
    const matching_instrument *first = NULL;
    for (size_t i = 0; first == NULL && i < matching_core_instrument_count(check->core); i++) {
        first = matching_core_instrument(check->core, i); /* not all indexes are taken */
    }
    return first;
}

static void check_symbol(check_state *check)
{
    const matching_text *symbol = &check->request->symbol;
    if (check->instrument != NULL || !has(check, F(SYMBOL))) {
        return;
    }
    if (check->request->numbered & BIT(SYMBOL)) {
        refuse(check, MATCHING_UNKNOWN_SYMBOL, F(SYMBOL), "no instrument has this id");
    } else if (symbol->length <= SYMBOL_TOLD && text_is_printable(symbol)) {
        refuse(check, MATCHING_UNKNOWN_SYMBOL, F(SYMBOL),
               "no instrument is called '%.*s'; the list of symbols names them all",
               (int)symbol->length, symbol->data);
    } else {
        refuse(check, MATCHING_UNKNOWN_SYMBOL, F(SYMBOL),
               "no instrument has such a name; the list of symbols names them all");
    }
}

/* The checks of an order entry, by code. */
static void check_place(check_state *check)
{
    bool stop = check->order_type == MATCHING_STOP || check->order_type == MATCHING_STOP_LIMIT;
    check_side(check);
    check_price(check, stop ? F(STOP_PRICE) : F(PRICE));
    check_price(check, stop ? F(PRICE) : F(STOP_PRICE));
    check_quantities(check);
    check_trader(check);
    check_order_type(check);
    check_time_in_force(check);
    check_order_parameters(check);
}

static void check_fields(check_state *check)
{
    matching_command *command = check->command;
    switch (check->request->action) {
    case MATCHING_ACTION_PLACE:
        check_place(check);
        break;
    case MATCHING_ACTION_AMEND:
        check_price(check, F(PRICE));
        check_price(check, F(STOP_PRICE));
        check_quantity(check, F(QUANTITY), &command->quantity_lots);
        check_trader(check);
        check_integer(check, F(ORDER_ID), 1, MATCHING_ORDER_ID_MAX, &command->order_id);
        check_client_order_id(check);
        break;
    case MATCHING_ACTION_CANCEL:
    case MATCHING_ACTION_GET_ORDER:
        check_trader(check);
        check_integer(check, F(ORDER_ID), 1, MATCHING_ORDER_ID_MAX, &command->order_id);
        check_client_order_id(check);
        break;
    case MATCHING_ACTION_CANCEL_ALL:
        check_trader(check);
        break;
    case MATCHING_ACTION_LIST_OPEN_ORDERS:
        check_trader(check);
        check_integer(check, F(AFTER), 0, MATCHING_ORDER_ID_MAX, &command->order_id);
        check_limit(check, F(LIMIT), MATCHING_PAGE_MAX, MATCHING_PAGE_MAX);
        break;
    case MATCHING_ACTION_SET_STATE:
        check_state_name(check);
        break;
    case MATCHING_ACTION_ADD_INSTRUMENT:
        check_new_instrument(check);
        return; /* its symbol is not one that must be known */
    case MATCHING_ACTION_LIST_ORDERS:
        check_trader(check);
        check_status(check);
        check_client_order_id(check);
        check_integer(check, F(AFTER), 0, MATCHING_ORDER_ID_MAX, &command->order_id);
        check_limit(check, F(LIMIT), MATCHING_PAGE_MAX, MATCHING_PAGE_MAX);
        break;
    case MATCHING_ACTION_GET_DEPTH:
        check_limit(check, F(LEVELS), DEPTH_LEVELS_DEFAULT, MATCHING_DEPTH_LEVELS_MAX);
        break;
    case MATCHING_ACTION_GET_TRADES:
        check_limit(check, F(LIMIT), TRADES_DEFAULT, MATCHING_PAGE_MAX);
        check_integer(check, F(FROM_ID), 1, MATCHING_ORDER_ID_MAX, &command->from_id);
        check_integer(check, F(BEFORE_ID), 1, MATCHING_ORDER_ID_MAX, &command->before_id);
        break;
    case MATCHING_ACTION_GET_KLINES:
        check_interval(check);
        check_time_range(check);
        check_limit(check, F(LIMIT), KLINES_DEFAULT, KLINES_MAX);
        break;
    case MATCHING_ACTION_GET_TICKER:
        break;
    case MATCHING_ACTION_NONE:
        refuse(check, MATCHING_UNKNOWN_TYPE, F(NONE), "unknown message type");
        break;
    }
    check_symbol(check);
}

static uint8_t command_type(matching_action action)
{
    static const uint8_t types[] = {[MATCHING_ACTION_PLACE] = MATCHING_PLACE,
                                    [MATCHING_ACTION_CANCEL] = MATCHING_CANCEL,
                                    [MATCHING_ACTION_AMEND] = MATCHING_AMEND,
                                    [MATCHING_ACTION_CANCEL_ALL] = MATCHING_CANCEL_ALL,
                                    [MATCHING_ACTION_SET_STATE] = MATCHING_SET_STATE,
                                    [MATCHING_ACTION_ADD_INSTRUMENT] = MATCHING_ADD_INSTRUMENT,
                                    [MATCHING_ACTION_GET_ORDER] = MATCHING_READ_ORDER,
                                    [MATCHING_ACTION_LIST_ORDERS] = MATCHING_READ_ORDERS,
                                    [MATCHING_ACTION_LIST_OPEN_ORDERS] = MATCHING_READ_OPEN_ORDERS,
                                    [MATCHING_ACTION_GET_DEPTH] = MATCHING_READ_DEPTH,
                                    [MATCHING_ACTION_GET_TRADES] = MATCHING_READ_TRADES,
                                    [MATCHING_ACTION_GET_TICKER] = MATCHING_READ_TICKER,
                                    [MATCHING_ACTION_GET_KLINES] = MATCHING_READ_CANDLES};
    return (unsigned)action < sizeof types ? types[action] : MATCHING_COMMAND_NONE;
}

/* Where an absent symbol means something other than the first instrument. */
static void set_scope(check_state *check)
{
    matching_command *command = check->command;
    matching_action action = check->request->action;
    bool listed = action == MATCHING_ACTION_CANCEL_ALL || action == MATCHING_ACTION_LIST_ORDERS ||
                  action == MATCHING_ACTION_LIST_OPEN_ORDERS;
    if (has(check, F(SYMBOL))) {
        command->flags |= MATCHING_FLAG_HAS_SYMBOL;
    } else if (listed) {
        command->flags |= MATCHING_FLAG_ALL_SYMBOLS;
    }
    command->instrument = check->instrument != NULL ? check->instrument->index : 0;
    if (action == MATCHING_ACTION_CANCEL) {
        command->reason = MATCHING_REASON_USER;
    } else if (action == MATCHING_ACTION_CANCEL_ALL) {
        command->reason = MATCHING_REASON_MASS_CANCEL;
    }
}

/* Of a memset whose size it knows a compiler may make a string instruction, which for a command
 * takes longer than half of all checks. */
static void clear(void *place, size_t size)
{
    __asm__("" : "+r"(size));
    memset(place, 0, size);
}

matching_code matching_gateway_prepare(const matching_core *core, const matching_request *request,
                                       matching_command *command, matching_error *error)
{
    clear(command, sizeof *command);
    error->code = MATCHING_OK;
    error->field = MATCHING_FIELD_NONE;
    error->order_id = 0;
    error->message[0] = '\0'; /* clearing all of it would be much of what a good order costs here */
    check_state check = {.core = core, .request = request, .command = command, .error = error};
    check.order_type = order_type_of(request);
    check.instrument = find_instrument(&check);
    /* By order_id alone the instrument is the order's: the engine converts. */
    check.decimals = request->action == MATCHING_ACTION_AMEND && has(&check, F(ORDER_ID)) &&
                     !has(&check, F(SYMBOL));
    action_fields action = fields_of(request, check.order_type);
    command->type = command_type(request->action);
    check_types(&check, &action);
    check_missing(&check, &action);
    check_fields(&check);
    if (error->code == MATCHING_OK) {
        set_scope(&check);
        command->flags |= check.decimals ? MATCHING_FLAG_DECIMALS : 0;
    }
    MATCHING_PROBE2(parsed, command->type, error->code);
    return error->code;
}

void matching_error_set(matching_error *error, matching_code code, matching_field field,
                        const char *message)
{
    *error = (matching_error){.code = code, .field = field};
    snprintf(error->message, sizeof error->message, "%s",
             message != NULL ? message : matching_code_text(code));
}
