/* A scanner for flat objects of order fields.
 *
 * Invariants: never reads beyond the end; gives up at the first byte that it has no rule for, so
 * what it takes is a small part of JSON in which nothing can be read in two ways; a field is read
 * at most once.
 *
 * Not a judge, neither of JSON nor of orders: it takes a text or leaves it to others.
 */
#include "json_flat.h"

#include <stdint.h>
#include <string.h>

#include "json_places.h"
#include "matching/decimal.h"

#define LENGTH_MAX 65536u
#define INTEGER_DIGITS 18 /* fit an int64, whatever they are */
#define WHOLE_DIGITS 10   /* ... with eight decimals behind them */
#define PLACES 8

typedef struct member {
    matching_field field;
    const char *name;
    size_t length;
} member;

#define ONES UINT64_C(0x0101010101010101)
#define HIGHS (0x80 * ONES)

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the first byte is the lowest");

/* The high bit of each byte that a plain string cannot hold: quote, backslash, control, not ASCII.
 * Above the lowest one that is set others may be set wrongly, for the subtractions carry. */
static uint64_t marks(uint64_t word)
{
    uint64_t quote = word ^ ('"' * ONES), backslash = word ^ ('\\' * ONES);
    return (((word - ' ' * ONES) & ~word) | ((quote - ONES) & ~quote) |
            ((backslash - ONES) & ~backslash) | word) &
           HIGHS;
}

/* From behind the opening quote to the closing one; NULL: the string is not plain. */
static const char *string_end(const char *at, const char *end)
{
    while (end - at >= 8) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        uint64_t found = marks(word);
        if (found != 0) {
            at += __builtin_ctzll(found) / 8;
            return *at == '"' ? at : NULL;
        }
        at += 8;
    }
    for (; at < end && *at != '"'; at++) {
        if (*at < ' ' || *at == '\\' || *at > '~') {
            return NULL;
        }
    }
    return at < end ? at : NULL;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* To behind the digits; NULL: none, more than `most`, or a zero in front. */
static const char *read_digits(const char *at, const char *end, ptrdiff_t most, uint64_t *value)
{
    const char *first = at;
    uint64_t sum = 0; /* runs over only where there are too many digits */
    for (; at < end && is_digit(*at); at++) {
        sum = sum * 10 + (uint64_t)(*at - '0');
    }
    ptrdiff_t count = at - first;
    *value = sum;
    return count == 0 || count > most || (count > 1 && *first == '0') ? NULL : at;
}

static const char *read_decimal(const char *at, const char *end, int64_t *mantissa)
{
    static const uint64_t units[PLACES + 1] = {100000000, 10000000, 1000000, 100000, 10000,
                                               1000,      100,      10,      1};
    uint64_t whole;
    at = read_digits(at, end, WHOLE_DIGITS, &whole);
    if (at == NULL || at == end || *at != '.') {
        *mantissa = (int64_t)(whole * MATCHING_DECIMAL_ONE);
        return at;
    }
    const char *first = ++at;
    uint64_t fraction = 0;
    for (; at < end && is_digit(*at); at++) {
        fraction = fraction * 10 + (uint64_t)(*at - '0');
    }
    ptrdiff_t count = at - first;
    if (count == 0 || count > PLACES) {
        return NULL;
    }
    *mantissa = (int64_t)(whole * MATCHING_DECIMAL_ONE + fraction * units[count]);
    return at;
}

static const char *read_string(const char *at, const char *end, json_kind kind, void *out)
{
    const char *last = string_end(++at, end);
    if (last == NULL) {
        return NULL;
    }
    if (kind == JSON_TEXT) {
        *(matching_text *)out = (matching_text){at, (size_t)(last - at)};
        return last + 1;
    }
    return kind == JSON_DECIMAL && read_decimal(at, last, out) == last ? last + 1 : NULL;
}

static const char *read_boolean(const char *at, const char *end, bool *out)
{
    if (end - at >= 4 && memcmp(at, "true", 4) == 0) {
        *out = true;
        return at + 4;
    }
    *out = false;
    return end - at >= 5 && memcmp(at, "false", 5) == 0 ? at + 5 : NULL;
}

static const char *read_value(const char *at, const char *end, const json_place *place,
                              matching_request *request)
{
    void *out = (char *)request + place->offset;
    uint64_t number;
    if (*at == '"') {
        return read_string(at, end, place->kind, out);
    }
    switch (place->kind) {
    case JSON_DECIMAL:
        return read_decimal(at, end, out);
    case JSON_INTEGER:
        at = read_digits(at, end, INTEGER_DIGITS, &number);
        *(int64_t *)out = (int64_t)number;
        return at;
    case JSON_BOOLEAN:
        return read_boolean(at, end, out);
    default:
        return NULL;
    }
}

static const char *read_id(const char *at, const char *end, matching_text *id)
{
    const char *first = at;
    uint64_t number;
    if (*at == '"') {
        at = string_end(at + 1, end);
        at = at == NULL ? NULL : at + 1;
    } else {
        at = read_digits(at, end, INTEGER_DIGITS, &number);
    }
    *id = (matching_text){first, at == NULL ? 0 : (size_t)(at - first)};
    return at;
}

/* The field of that name; NONE: not one that orders have. */
static matching_field find_field(const char *name, size_t length)
{
#define IS(upper, lower)                                                                           \
    if (memcmp(name, lower, sizeof lower - 1) == 0) {                                              \
        return MATCHING_FIELD_##upper;                                                             \
    }                                                                                              \
    break
    switch (length) {
    case 2:
        IS(ID, "id");
    case 4:
        if (memcmp(name, "type", 4) == 0) {
            return MATCHING_FIELD_TYPE;
        }
        IS(SIDE, "side");
    case 5:
        IS(PRICE, "price");
    case 6:
        IS(SYMBOL, "symbol");
    case 8:
        if (memcmp(name, "quantity", 8) == 0) {
            return MATCHING_FIELD_QUANTITY;
        }
        IS(ORDER_ID, "order_id");
    case 9:
        if (memcmp(name, "trader_id", 9) == 0) {
            return MATCHING_FIELD_TRADER_ID;
        }
        IS(POST_ONLY, "post_only");
    case 10:
        IS(STOP_PRICE, "stop_price");
    case 11:
        IS(EXPIRE_TIME, "expire_time");
    case 13:
        IS(TIME_IN_FORCE, "time_in_force");
    case 15:
        IS(CLIENT_ORDER_ID, "client_order_id");
    case 16:
        IS(DISPLAY_QUANTITY, "display_quantity");
    case 21:
        IS(SELF_TRADE_PREVENTION, "self_trade_prevention");
    default:
        break;
    }
#undef IS
    return MATCHING_FIELD_NONE;
}

static const char *skip_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')) {
        at++;
    }
    return at;
}

/* "name" : value, from its first byte to the byte behind it; NULL: not the plain way. What was read
 * is noted in `present`. */
static const char *read_member(const char *at, const char *end, matching_request *request,
                               matching_text *id)
{
    if (at == end || *at != '"') {
        return NULL;
    }
    const char *name = at + 1;
    at = string_end(name, end);
    if (at == NULL) {
        return NULL;
    }
    matching_field field = find_field(name, (size_t)(at - name));
    uint32_t bit = MATCHING_FIELD_BIT(field);
    if (field == MATCHING_FIELD_NONE || (request->present & bit)) {
        return NULL;
    }
    request->present |= bit;
    at = skip_space(at + 1, end);
    if (at == end || *at != ':') {
        return NULL;
    }
    at = skip_space(at + 1, end);
    if (at == end) {
        return NULL;
    }
    return field == MATCHING_FIELD_ID ? read_id(at, end, id)
                                      : read_value(at, end, &json_places[field], request);
}

bool matching_json_flat(const char *text, size_t length, matching_request *request,
                        matching_text *id)
{
    const char *end = text + length;
    *id = (matching_text){NULL, 0};
    const char *at = skip_space(text, end);
    if (length > LENGTH_MAX || at == end || *at != '{') {
        return false;
    }
    do {
        at = read_member(skip_space(at + 1, end), end, request, id);
        if (at == NULL) {
            return false;
        }
        at = skip_space(at, end);
    } while (at < end && *at == ',');
    request->present &= ~MATCHING_FIELD_BIT(MATCHING_FIELD_ID);
    return at < end && *at == '}' && skip_space(at + 1, end) == end;
}
