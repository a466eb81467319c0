/* One function a field: what it may be, what it means. See gateway.c for who wins. */
#include "gateway/fields.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "matching/candles.h"

#define F(name) MATCHING_FIELD_##name
#define ICEBERG_SLICES_MAX 1000 /* display_quantity is at least a thousandth of the quantity */
#define VALUE_MAX 92233720368LL
#define VALUE_MAX_TEXT "92233720368"

void refuse(check_state *check, matching_code code, matching_field field, const char *format, ...)
{
    matching_error *error = check->error;
    if (error->code != MATCHING_OK && error->code <= code) {
        return;
    }
    error->code = code;
    error->field = field;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
}

static bool has(const check_state *check, matching_field field)
{
    return check->request->present & MATCHING_FIELD_BIT(field);
}

static bool is_malformed(const check_state *check, matching_field field)
{
    return (check->request->malformed | check->request->wrong_type) & MATCHING_FIELD_BIT(field);
}

/* There, and of its documented type. */
static bool has_good(const check_state *check, matching_field field)
{
    return has(check, field) && !(check->request->wrong_type & MATCHING_FIELD_BIT(field));
}

/* The words are short and mostly differ in their first letter: quicker than asking for lengths. */
static bool text_is(const matching_text *text, const char *word)
{
    for (size_t i = 0; i < text->length; i++) {
        if (text->data[i] != word[i] || word[i] == '\0') {
            return false;
        }
    }
    return word[text->length] == '\0';
}

/* Position of the text among words; -1: none of them. */
static int pick(const matching_text *text, const char *(*name)(unsigned), unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (text_is(text, name(i))) {
            return (int)i;
        }
    }
    return -1;
}

/* The value of a field that wires have as a word or as its number; -1: none of them. */
static int choose(const matching_request *request, matching_field field, const matching_text *text,
                  unsigned number, const char *(*name)(unsigned), unsigned count)
{
    if (request->numbered & MATCHING_FIELD_BIT(field)) {
        return number < count ? (int)number : -1;
    }
    return pick(text, name, count);
}

static bool is_printable(const matching_text *text, char lowest)
{
    for (size_t i = 0; i < text->length; i++) {
        if (text->data[i] < lowest || text->data[i] > '~') {
            return false;
        }
    }
    return true;
}

bool text_is_printable(const matching_text *text)
{
    return is_printable(text, ' ');
}

int order_type_of(const matching_request *request)
{
    if (!(request->present & MATCHING_FIELD_BIT(F(TYPE)))) {
        return MATCHING_LIMIT;
    }
    if (request->wrong_type & MATCHING_FIELD_BIT(F(TYPE))) {
        return -1;
    }
    return choose(request, F(TYPE), &request->type, request->type_number, matching_order_type_name,
                  4);
}

void check_side(check_state *check)
{
    const matching_request *request = check->request;
    if (!has_good(check, F(SIDE))) {
        return;
    }
    int side =
        choose(request, F(SIDE), &request->side, request->side_number, matching_side_name, 2);
    if (side < 0) {
        refuse(check, MATCHING_INVALID_SIDE, F(SIDE), "%s",
               matching_code_text(MATCHING_INVALID_SIDE));
        return;
    }
    check->command->side = (uint8_t)side;
}

/* A mantissa to ticks or lots. False: not positive, not a multiple, or too many. */
static bool to_units(const check_state *check, int64_t mantissa, int64_t unit, int64_t most,
                     int64_t *units)
{
    if (mantissa <= 0 || mantissa > VALUE_MAX * MATCHING_DECIMAL_ONE) {
        return false;
    }
    if (check->decimals || check->instrument == NULL) {
        *units = mantissa;
        return true;
    }
    *units = mantissa / unit;
    return mantissa % unit == 0 && *units <= most;
}

/* The largest legal value: so many ticks or lots, or what any value may be at most. */
static void print_most(char text[MATCHING_DECIMAL_TEXT], int64_t unit, int64_t units_most)
{
    int64_t most = VALUE_MAX * MATCHING_DECIMAL_ONE, whole = 0;
    if (!__builtin_mul_overflow(unit, units_most, &whole) && whole < most) {
        most = whole;
    } else {
        most -= most % unit;
    }
    matching_decimal_print(text, most);
}

void check_price(check_state *check, matching_field field)
{
    if (!has_good(check, field)) {
        return;
    }
    bool stop = field == F(STOP_PRICE);
    const matching_instrument *instrument = check->instrument;
    int64_t *ticks = stop ? &check->command->stop_price_ticks : &check->command->price_ticks;
    int64_t mantissa = stop ? check->request->stop_price : check->request->price;
    int64_t tick_size = instrument != NULL ? instrument->tick_size : 1;
    if (check->request->action == MATCHING_ACTION_PLACE && !stop &&
        (check->order_type == MATCHING_MARKET || check->order_type == MATCHING_STOP)) {
        return; /* orders without a price: the field means nothing */
    }
    if (!is_malformed(check, field) &&
        to_units(check, mantissa, tick_size, MATCHING_TICKS_MAX, ticks)) {
        return;
    }
    char tick[MATCHING_DECIMAL_TEXT], most[MATCHING_DECIMAL_TEXT];
    matching_decimal_print(tick, tick_size);
    print_most(most, tick_size, MATCHING_TICKS_MAX);
    if (instrument != NULL && !check->decimals) {
        refuse(check, MATCHING_INVALID_PRICE, field,
               "%s must be a positive multiple of the tick size %s, at most %s",
               matching_field_name(field), tick, most);
    } else {
        refuse(check, MATCHING_INVALID_PRICE, field,
               "%s must be positive, with at most 8 decimals, at most " VALUE_MAX_TEXT,
               matching_field_name(field));
    }
}

void check_quantity(check_state *check, matching_field field, int64_t *lots)
{
    if (!has_good(check, field)) {
        return;
    }
    const matching_instrument *instrument = check->instrument;
    int64_t lot_size = instrument != NULL ? instrument->lot_size : 1;
    int64_t mantissa =
        field == F(QUANTITY) ? check->request->quantity : check->request->display_quantity;
    if (!is_malformed(check, field) &&
        to_units(check, mantissa, lot_size, MATCHING_LOTS_MAX, lots)) {
        return;
    }
    char lot[MATCHING_DECIMAL_TEXT], most[MATCHING_DECIMAL_TEXT];
    matching_decimal_print(lot, lot_size);
    print_most(most, lot_size, MATCHING_LOTS_MAX);
    if (instrument != NULL && !check->decimals) {
        refuse(check, MATCHING_INVALID_QUANTITY, field,
               "%s must be a positive multiple of the lot size %s, at most %s",
               matching_field_name(field), lot, most);
    } else {
        refuse(check, MATCHING_INVALID_QUANTITY, field,
               "%s must be positive, with at most 8 decimals, at most " VALUE_MAX_TEXT,
               matching_field_name(field));
    }
}

void check_quantities(check_state *check)
{
    matching_command *command = check->command;
    check_quantity(check, F(QUANTITY), &command->quantity_lots);
    check_quantity(check, F(DISPLAY_QUANTITY), &command->display_lots);
    if (has_good(check, F(DISPLAY_QUANTITY)) && command->display_lots > 0 &&
        command->quantity_lots > 0 &&
        command->display_lots < command->quantity_lots / ICEBERG_SLICES_MAX +
                                    (command->quantity_lots % ICEBERG_SLICES_MAX != 0)) {
        refuse(check, MATCHING_INVALID_QUANTITY, F(DISPLAY_QUANTITY),
               "display_quantity must be at least a thousandth of the quantity");
    }
}

void check_trader(check_state *check)
{
    const matching_text *trader = &check->request->trader_id;
    if (!has_good(check, F(TRADER_ID))) {
        return;
    }
    if (trader->length < 1 || trader->length > MATCHING_TRADER_MAX || !is_printable(trader, '!')) {
        refuse(check, MATCHING_INVALID_TRADER, F(TRADER_ID), "%s",
               matching_code_text(MATCHING_INVALID_TRADER));
        return;
    }
    memcpy(check->command->trader_id, trader->data, trader->length);
}

void check_order_type(check_state *check)
{
    if (check->order_type < 0) {
        if (has_good(check, F(TYPE))) {
            refuse(check, MATCHING_INVALID_ORDER_TYPE, F(TYPE), "%s",
                   matching_code_text(MATCHING_INVALID_ORDER_TYPE));
        }
        return;
    }
    check->command->order_type = (uint8_t)check->order_type;
}

void check_time_in_force(check_state *check)
{
    const matching_request *request = check->request;
    bool market = check->order_type == MATCHING_MARKET;
    check->command->time_in_force = market ? MATCHING_IOC : MATCHING_GTC;
    if (!has_good(check, F(TIME_IN_FORCE))) {
        return;
    }
    int found = choose(request, F(TIME_IN_FORCE), &request->time_in_force,
                       request->time_in_force_number, matching_time_in_force_name, 4);
    if (found < 0) {
        refuse(check, MATCHING_INVALID_TIME_IN_FORCE, F(TIME_IN_FORCE), "%s",
               matching_code_text(MATCHING_INVALID_TIME_IN_FORCE));
    } else if (found == MATCHING_GTD && market) {
        refuse(check, MATCHING_INVALID_TIME_IN_FORCE, F(TIME_IN_FORCE),
               "a market order is IOC or FOK");
    } else if (!market) {
        check->command->time_in_force = (uint8_t)found;
    } else if (found == MATCHING_FOK) {
        check->command->time_in_force = MATCHING_FOK; /* anything else is IOC for a market order */
    }
}

void check_client_order_id(check_state *check)
{
    const matching_text *id = &check->request->client_order_id;
    if (!has_good(check, F(CLIENT_ORDER_ID))) {
        return;
    }
    if (id->length < 1 || id->length > MATCHING_CLIENT_ID_MAX || !is_printable(id, ' ')) {
        refuse(check, MATCHING_INVALID_PARAMETER, F(CLIENT_ORDER_ID),
               "client_order_id must be 1 to 36 printable ASCII characters");
        return;
    }
    memcpy(check->command->client_order_id, id->data, id->length);
}

static void check_self_trade(check_state *check)
{
    const matching_request *request = check->request;
    if (!has_good(check, F(SELF_TRADE_PREVENTION))) {
        return;
    }
    int found = choose(request, F(SELF_TRADE_PREVENTION), &request->self_trade_prevention,
                       request->self_trade_number, matching_self_trade_name, 4);
    if (found < 0) {
        refuse(check, MATCHING_INVALID_PARAMETER, F(SELF_TRADE_PREVENTION),
               "self_trade_prevention must be none, cancel_taker, cancel_maker or cancel_both");
    } else {
        check->command->self_trade = (uint8_t)found;
    }
}

/* What an order may say beside the fields that have a code of their own. */
void check_order_parameters(check_state *check)
{
    const matching_request *request = check->request;
    matching_command *command = check->command;
    bool limit = check->order_type == MATCHING_LIMIT;
    bool gtd = command->time_in_force == MATCHING_GTD;
    if (has_good(check, F(PRICE)) && check->order_type == MATCHING_STOP) {
        refuse(check, MATCHING_INVALID_PARAMETER, F(PRICE),
               "a stop order has no price; the one that has is stop_limit");
    }
    if (has_good(check, F(STOP_PRICE)) && (limit || check->order_type == MATCHING_MARKET)) {
        refuse(check, MATCHING_INVALID_PARAMETER, F(STOP_PRICE),
               "stop_price goes with stop orders only");
    }
    check_integer(check, F(EXPIRE_TIME), 1, MATCHING_ORDER_ID_MAX, &command->expire_time_ms);
    if (has_good(check, F(EXPIRE_TIME)) && !gtd) {
        refuse(check, MATCHING_INVALID_PARAMETER, F(EXPIRE_TIME),
               "expire_time goes with time_in_force GTD only");
    }
    if (gtd && !has(check, F(EXPIRE_TIME))) {
        refuse(check, MATCHING_MISSING_FIELD, F(EXPIRE_TIME),
               "expire_time is missing; time_in_force GTD needs it");
    }
    if (has_good(check, F(POST_ONLY)) && request->post_only) {
        if (!limit || (command->time_in_force != MATCHING_GTC && !gtd)) {
            refuse(check, MATCHING_INVALID_PARAMETER, F(POST_ONLY),
                   "post_only goes with limit orders that are GTC or GTD only");
        }
        command->flags |= MATCHING_FLAG_POST_ONLY;
    }
    if (has_good(check, F(DISPLAY_QUANTITY)) && !limit) {
        refuse(check, MATCHING_INVALID_PARAMETER, F(DISPLAY_QUANTITY),
               "display_quantity goes with limit orders only");
    }
    check_client_order_id(check);
    check_self_trade(check);
}

void check_state_name(check_state *check)
{
    if (!has_good(check, F(STATE))) {
        return;
    }
    int found = pick(&check->request->state, matching_state_name, 3);
    if (found < 0) {
        refuse(check, MATCHING_INVALID_PARAMETER, F(STATE),
               "state must be trading, halted or auction");
        return;
    }
    check->command->state = (uint8_t)found;
}

void check_status(check_state *check)
{
    check->command->status = MATCHING_STATUS_ANY;
    if (!has_good(check, F(STATUS))) {
        return;
    }
    int found = pick(&check->request->status, matching_status_name, 5);
    if (found >= 0) {
        check->command->status = (uint8_t)found;
    } else if (text_is(&check->request->status, "working")) {
        check->command->status = MATCHING_STATUS_WORKING;
    } else {
        refuse(check, MATCHING_INVALID_PARAMETER, F(STATUS),
               "status must be open, partial, filled, cancelled, untriggered or working");
    }
}

static int64_t integer_of(const matching_request *request, matching_field field)
{
    switch (field) {
    case F(ORDER_ID):
        return request->order_id;
    case F(AFTER):
        return request->after;
    case F(EXPIRE_TIME):
        return request->expire_time;
    case F(LEVELS):
        return request->levels;
    case F(LIMIT):
        return request->limit;
    case F(FROM_ID):
        return request->from_id;
    case F(BEFORE_ID):
        return request->before_id;
    case F(ID):
        return request->id;
    case F(FROM):
        return request->from;
    case F(TO):
        return request->to;
    default:
        return 0;
    }
}

void check_integer(check_state *check, matching_field field, int64_t least, int64_t most,
                   uint64_t *value)
{
    if (!has_good(check, field)) {
        return;
    }
    int64_t given = integer_of(check->request, field);
    if (is_malformed(check, field) || given < least || given > most) {
        refuse(check, MATCHING_INVALID_PARAMETER, field, "%s must be an integer from %lld to %lld",
               matching_field_name(field), (long long)least, (long long)most);
        return;
    }
    *value = (uint64_t)given;
}

void check_limit(check_state *check, matching_field field, uint32_t usual, uint32_t most)
{
    uint64_t value = usual;
    check_integer(check, field, 1, most, &value);
    check->command->limit = (uint32_t)value;
}

/* ---- Candles --------------------------------------------------------------------------------- */

void check_interval(check_state *check)
{
    const matching_text *name = &check->request->interval;
    matching_interval interval;
    if (!has_good(check, F(INTERVAL))) {
        return;
    }
    if (!matching_interval_find(name->data, name->length, &interval)) {
        refuse(check, MATCHING_INVALID_INTERVAL, F(INTERVAL), "%s",
               matching_code_text(MATCHING_INVALID_INTERVAL));
        return;
    }
    check->command->interval = (uint8_t)interval;
}

void check_time_range(check_state *check)
{
    matching_command *command = check->command;
    check_integer(check, F(FROM), 0, MATCHING_ORDER_ID_MAX, &command->from_s);
    check_integer(check, F(TO), 1, MATCHING_ORDER_ID_MAX, &command->to_s);
    if (has_good(check, F(FROM)) && command->from_s == 0) {
        command->from_s = 1; /* for a command 0 is no beginning; no candle begins before */
    }
    if (has_good(check, F(TO)) && command->to_s < command->from_s) {
        refuse(check, MATCHING_INVALID_PARAMETER, F(TO), "to must not lie before from");
    }
}

/* ---- A new instrument ------------------------------------------------------------------------ */

static void check_new_symbol(check_state *check)
{
    static const char legal[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    const matching_text *symbol = &check->request->symbol;
    if (!has_good(check, F(SYMBOL))) {
        return;
    }
    bool good = symbol->length >= 1 && symbol->length <= MATCHING_SYMBOL_MAX;
    for (size_t i = 0; good && i < symbol->length; i++) {
        good = memchr(legal, symbol->data[i], sizeof legal - 1) != NULL;
    }
    if (!good) {
        refuse(check, MATCHING_INVALID_PARAMETER, F(SYMBOL),
               "the symbol of an instrument must be 1 to 16 of A-Z 0-9 . _ -");
        return;
    }
    memcpy(check->command->symbol, symbol->data, symbol->length);
}

static void check_size(check_state *check, matching_field field, int64_t mantissa, int64_t *size)
{
    if (!has_good(check, field)) {
        return;
    }
    if (is_malformed(check, field) || mantissa <= 0 ||
        mantissa > VALUE_MAX * MATCHING_DECIMAL_ONE) {
        refuse(check, MATCHING_INVALID_PARAMETER, field,
               "%s must be positive, with at most 8 decimals, at most " VALUE_MAX_TEXT,
               matching_field_name(field));
        return;
    }
    *size = mantissa;
}

static void check_sbe_char(check_state *check)
{
    const matching_text *letter = &check->request->sbe_char;
    if (!has_good(check, F(SBE_CHAR))) {
        return;
    }
    if (letter->length != 1 || !is_printable(letter, '!')) {
        refuse(check, MATCHING_INVALID_PARAMETER, F(SBE_CHAR),
               "sbe_char must be one printable ASCII character");
        return;
    }
    check->command->sbe_char = letter->data[0];
}

void check_new_instrument(check_state *check)
{
    matching_command *command = check->command;
    uint64_t id = 0;
    check_new_symbol(check);
    check_size(check, F(TICK_SIZE), check->request->tick_size, &command->price_ticks);
    check_size(check, F(LOT_SIZE), check->request->lot_size, &command->quantity_lots);
    check_integer(check, F(ID), 1, UINT32_MAX, &id);
    check_sbe_char(check);
    check_state_name(check);
    command->instrument_id = (uint32_t)id;
}
