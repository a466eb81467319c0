/* json-c's tree to a matching_request, field by field.
 *
 * Invariants: a bit of wrong_type or malformed is never set without the same bit of present; a
 * variable whose field has such a bit, or is absent, is zero; no number is ever rounded.
 *
 * Not a judge: which fields are needed and which values are allowed is the gateway's to say.
 */
#include "json_reader.h"

#include <assert.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>

#include "json_places.h"
#include "json_text.h"
#include "matching/decimal.h"

#define PLACE(kind, member)                                                                        \
    {                                                                                              \
        kind, offsetof(matching_request, member)                                                   \
    }

const json_place json_places[MATCHING_FIELD_COUNT] = {
    [MATCHING_FIELD_ORDER_ID] = PLACE(JSON_INTEGER, order_id),
    [MATCHING_FIELD_TRADER_ID] = PLACE(JSON_TEXT, trader_id),
    [MATCHING_FIELD_SIDE] = PLACE(JSON_TEXT, side),
    [MATCHING_FIELD_PRICE] = PLACE(JSON_DECIMAL, price),
    [MATCHING_FIELD_STOP_PRICE] = PLACE(JSON_DECIMAL, stop_price),
    [MATCHING_FIELD_QUANTITY] = PLACE(JSON_DECIMAL, quantity),
    [MATCHING_FIELD_SYMBOL] = PLACE(JSON_TEXT, symbol),
    [MATCHING_FIELD_TYPE] = PLACE(JSON_TEXT, type),
    [MATCHING_FIELD_TIME_IN_FORCE] = PLACE(JSON_TEXT, time_in_force),
    [MATCHING_FIELD_EXPIRE_TIME] = PLACE(JSON_INTEGER, expire_time),
    [MATCHING_FIELD_POST_ONLY] = PLACE(JSON_BOOLEAN, post_only),
    [MATCHING_FIELD_DISPLAY_QUANTITY] = PLACE(JSON_DECIMAL, display_quantity),
    [MATCHING_FIELD_CLIENT_ORDER_ID] = PLACE(JSON_TEXT, client_order_id),
    [MATCHING_FIELD_SELF_TRADE_PREVENTION] = PLACE(JSON_TEXT, self_trade_prevention),
    [MATCHING_FIELD_STATE] = PLACE(JSON_TEXT, state),
    [MATCHING_FIELD_STATUS] = PLACE(JSON_TEXT, status),
    [MATCHING_FIELD_AFTER] = PLACE(JSON_INTEGER, after),
    [MATCHING_FIELD_LEVELS] = PLACE(JSON_INTEGER, levels),
    [MATCHING_FIELD_LIMIT] = PLACE(JSON_INTEGER, limit),
    [MATCHING_FIELD_FROM_ID] = PLACE(JSON_INTEGER, from_id),
    [MATCHING_FIELD_BEFORE_ID] = PLACE(JSON_INTEGER, before_id),
    [MATCHING_FIELD_TICK_SIZE] = PLACE(JSON_DECIMAL, tick_size),
    [MATCHING_FIELD_LOT_SIZE] = PLACE(JSON_DECIMAL, lot_size),
    [MATCHING_FIELD_ID] = PLACE(JSON_INTEGER, id),
    [MATCHING_FIELD_SBE_CHAR] = PLACE(JSON_TEXT, sbe_char),
    [MATCHING_FIELD_INTERVAL] = PLACE(JSON_TEXT, interval),
    [MATCHING_FIELD_FROM] = PLACE(JSON_INTEGER, from),
    [MATCHING_FIELD_TO] = PLACE(JSON_INTEGER, to),
};

typedef enum outcome { TAKEN = 0, WRONG_TYPE, MALFORMED } outcome;

matching_code matching_json_parse(const char *text, size_t length, struct json_object **value)
{
    *value = NULL;
    if (length >= INT_MAX || !matching_json_check(text, length, MATCHING_JSON_DEPTH_MAX))
        return MATCHING_INVALID_JSON;
    /* json-c counts scalars as a level too; the real limit has just been checked. */
    struct json_tokener *tokener = json_tokener_new_ex(MATCHING_JSON_DEPTH_MAX + 2);
    if (tokener == NULL)
        return MATCHING_INVALID_JSON;
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    struct json_object *parsed = json_tokener_parse_ex(tokener, text, (int)length);
    if (json_tokener_get_error(tokener) == json_tokener_continue)
        parsed = json_tokener_parse_ex(tokener, "", 1); /* a bare number ends only here */
    bool good = json_tokener_get_error(tokener) == json_tokener_success;
    json_tokener_free(tokener);
    if (!good) {
        json_object_put(parsed);
        return MATCHING_INVALID_JSON;
    }
    *value = parsed;
    return MATCHING_OK;
}

/* One step of value = value x 10 + digit. False: beyond int64. */
static bool append_digit(int64_t *value, int digit)
{
    return !__builtin_mul_overflow(*value, 10, value) &&
           !__builtin_add_overflow(*value, digit, value);
}

/* A number in JSON's grammar (the caller has seen to that) as an exact integer. The digits are
 * taken as one row; `point` is how many of them, after the exponent has moved it, stand before the
 * point. */
static outcome integer_from_number(const char *text, size_t length, int64_t *out)
{
    const char *end = text + length;
    bool negative = text < end && *text == '-';
    const char *first = text + negative;
    const char *mark = first; /* end of the digits: exponent or end of text */
    int64_t point = -1;
    int64_t digits = 0;
    for (; mark < end && *mark != 'e' && *mark != 'E'; mark++) {
        if (*mark == '.')
            point = digits;
        else
            digits++;
    }
    if (point < 0)
        point = digits;
    int64_t exponent = 0;
    if (mark < end) {
        const char *at = mark + 1;
        bool down = *at == '-';
        at += *at == '-' || *at == '+';
        for (; at < end; at++) /* held far below overflow, far above any length of text */
            exponent = exponent > INT32_MAX ? exponent : exponent * 10 + (*at - '0');
        point += down ? -exponent : exponent;
    }
    int64_t value = 0;
    int64_t index = 0;
    bool overflow = false;
    for (const char *at = first; at < mark; at++) {
        if (*at == '.')
            continue;
        if (index >= point && *at != '0')
            return WRONG_TYPE;
        if (index < point && !overflow)
            overflow = !append_digit(&value, *at - '0');
        index++;
    }
    for (; index < point && value != 0 && !overflow; index++)
        overflow = !append_digit(&value, 0);
    if (overflow)
        return MALFORMED;
    *out = negative ? -value : value;
    return TAKEN;
}

/* json-c's source text of a number with a fraction or exponent. */
static const char *double_text(struct json_object *value)
{
    const char *text = json_object_get_userdata(value);
    return text != NULL ? text : json_object_get_string(value);
}

/* An integer of the tree. json-c holds what does not fit at the nearest bound of uint64 or int64,
 * so the bounds themselves are taken for too large. */
static outcome integer_from_int(struct json_object *value, int64_t *out)
{
    int64_t number = json_object_get_int64(value);
    if (number == INT64_MAX || number == INT64_MIN)
        return MALFORMED;
    *out = number;
    return TAKEN;
}

static outcome read_integer(struct json_object *value, int64_t *out)
{
    if (json_object_is_type(value, json_type_int))
        return integer_from_int(value, out);
    if (!json_object_is_type(value, json_type_double))
        return WRONG_TYPE;
    const char *text = double_text(value);
    return integer_from_number(text, strlen(text), out);
}

static outcome decimal_from_text(const char *text, size_t length, int64_t *out)
{
    return matching_decimal_parse(text, length, out) ? TAKEN : MALFORMED;
}

static outcome read_decimal(struct json_object *value, int64_t *out)
{
    int64_t whole;
    switch (json_object_get_type(value)) {
    case json_type_int:
        if (integer_from_int(value, &whole) != TAKEN)
            return MALFORMED;
        return __builtin_mul_overflow(whole, MATCHING_DECIMAL_ONE, out) ? MALFORMED : TAKEN;
    case json_type_double:
        return decimal_from_text(double_text(value), strlen(double_text(value)), out);
    case json_type_string:
        return decimal_from_text(json_object_get_string(value),
                                 (size_t)json_object_get_string_len(value), out);
    default:
        return WRONG_TYPE;
    }
}

static outcome read_member(struct json_object *value, json_kind kind, void *out)
{
    switch (kind) {
    case JSON_TEXT:
        if (!json_object_is_type(value, json_type_string))
            return WRONG_TYPE;
        *(matching_text *)out = (matching_text){json_object_get_string(value),
                                                (size_t)json_object_get_string_len(value)};
        return TAKEN;
    case JSON_DECIMAL:
    case JSON_INTEGER: {
        int64_t number = 0;
        outcome result =
            kind == JSON_DECIMAL ? read_decimal(value, &number) : read_integer(value, &number);
        *(int64_t *)out = result == TAKEN ? number : 0;
        return result;
    }
    case JSON_BOOLEAN:
        if (!json_object_is_type(value, json_type_boolean))
            return WRONG_TYPE;
        *(bool *)out = json_object_get_boolean(value);
        return TAKEN;
    default:
        return TAKEN;
    }
}

static void note(matching_request *request, matching_field field, outcome result)
{
    request->present |= MATCHING_FIELD_BIT(field);
    if (result == WRONG_TYPE)
        request->wrong_type |= MATCHING_FIELD_BIT(field);
    if (result == MALFORMED)
        request->malformed |= MATCHING_FIELD_BIT(field);
}

void matching_json_request(struct json_object *object, matching_request *request)
{
    assert(json_object_is_type(object, json_type_object));
    matching_action action = request->action;
    memset(request, 0, sizeof *request);
    request->action = action;
    json_object_object_foreach(object, name, value)
    {
        matching_field field = matching_field_find(name, strlen(name));
        if (field == MATCHING_FIELD_NONE || value == NULL)
            continue;
        const json_place *place = &json_places[field];
        note(request, field, read_member(value, place->kind, (char *)request + place->offset));
    }
}

/* Plain text is a JSON number: decides before integer_from_number relies on it. */
static bool is_number(const char *text, size_t length)
{
    bool begins = length > 0 && (text[0] == '-' || (text[0] >= '0' && text[0] <= '9'));
    bool ends = length > 0 && text[length - 1] >= '0' && text[length - 1] <= '9';
    return begins && ends && matching_json_check(text, length, 1);
}

static outcome read_text(json_kind kind, const char *text, size_t length, void *out)
{
    switch (kind) {
    case JSON_TEXT:
        *(matching_text *)out = (matching_text){text, length};
        return TAKEN;
    case JSON_DECIMAL:
        return decimal_from_text(text, length, out);
    case JSON_INTEGER:
        return is_number(text, length) && integer_from_number(text, length, out) == TAKEN
                   ? TAKEN
                   : MALFORMED;
    case JSON_BOOLEAN:
        *(bool *)out = length == 4 && memcmp(text, "true", 4) == 0;
        return *(bool *)out || (length == 5 && memcmp(text, "false", 5) == 0) ? TAKEN : MALFORMED;
    default:
        return TAKEN;
    }
}

void matching_request_from_text(matching_request *request, matching_field field, const char *text,
                                size_t length)
{
    assert(field < MATCHING_FIELD_COUNT);
    if (field == MATCHING_FIELD_NONE)
        return;
    const json_place *place = &json_places[field];
    note(request, field, read_text(place->kind, text, length, (char *)request + place->offset));
}

void matching_json_order_type(struct json_object *object, matching_request *request)
{
    struct json_object *type = NULL;
    json_object_object_get_ex(object, "order_type", &type);
    if (type == NULL || (request->present & MATCHING_FIELD_BIT(MATCHING_FIELD_TYPE)) != 0) {
        return;
    }
    request->present |= MATCHING_FIELD_BIT(MATCHING_FIELD_TYPE);
    if (!json_object_is_type(type, json_type_string)) {
        request->wrong_type |= MATCHING_FIELD_BIT(MATCHING_FIELD_TYPE);
        return;
    }
    request->type =
        (matching_text){json_object_get_string(type), (size_t)json_object_get_string_len(type)};
}
