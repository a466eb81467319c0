/* A scanner for flat objects of order fields.
 *
 * First one pass over the text for the places of its quotes. It gives up at any byte that a plain
 * text does not have, so that strings are what stands between two quotes. The second pass goes from
 * quote to quote and checks what lies between.
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
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "json_places.h"
#include "matching/decimal.h"

#define LENGTH_MAX 1024u
#define INTEGER_DIGITS 18 /* fit an int64, whatever they are */
#define WHOLE_DIGITS 10   /* ... with eight decimals behind them */
#define PLACES 8

/* ---- Quotes ---------------------------------------------------------------------------------- */

typedef struct quotes {
    const char *text;
    uint64_t bits[LENGTH_MAX / 64]; /* by place in the text */
    size_t word;                    /* those before it have been taken */
    uint64_t left;                  /* of `word` */
} quotes;

/* Bit i of the result: the i-th of these sixteen bytes is a quote. False: some are not plain. */
static bool look_at_sixteen(const char *at, uint64_t *found)
{
#ifdef __SSE2__
    __m128i bytes = _mm_loadu_si128((const void *)at);
    __m128i strange = _mm_or_si128(_mm_cmplt_epi8(bytes, _mm_set1_epi8(' ')), /* or beyond ASCII */
                                   _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
    *found = (uint64_t)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')));
    return _mm_movemask_epi8(strange) == 0;
#else
    *found = 0;
    bool plain = true;
    for (unsigned i = 0; i < 16; i++) {
        *found |= (uint64_t)(at[i] == '"') << i;
        plain =
            plain && (unsigned char)at[i] >= ' ' && (unsigned char)at[i] < 0x80 && at[i] != '\\';
    }
    return plain;
#endif
}

static bool find_quotes(quotes *all, const char *text, size_t length)
{
    uint64_t found, word = 0;
    size_t at = 0;
    for (; length - at >= 16; at += 16) {
        if (!look_at_sixteen(text + at, &found)) {
            return false;
        }
        word |= found << at % 64;
        if (at % 64 == 48) {
            all->bits[at / 64] = word;
            word = 0;
        }
    }
    if (at < length) {
        char rest[16] = "                ";
        memcpy(rest, text + at, length - at);
        if (!look_at_sixteen(rest, &found)) {
            return false;
        }
        word |= found << at % 64;
    }
    if (length % 64 != 0) {
        all->bits[length / 64] = word;
    }
    all->text = text;
    all->word = 0;
    all->left = all->bits[0];
    return true;
}

/* The next quote from `at` on; NULL: there is none. */
static const char *next_quote(quotes *all, const char *end)
{
    while (all->left == 0) {
        if (++all->word * 64 >= (size_t)(end - all->text)) {
            return NULL;
        }
        all->left = all->bits[all->word];
    }
    const char *at = all->text + all->word * 64 + (size_t)__builtin_ctzll(all->left);
    all->left &= all->left - 1;
    return at;
}

/* The string that begins with the quote at `at`; its end is that of the quote. NULL: none begins or
 * ends. */
static inline const char *read_quoted(const char *at, const char *end, quotes *all,
                                      matching_text *out)
{
    const char *last = next_quote(all, end) == at ? next_quote(all, end) : NULL;
    if (last == NULL) {
        return NULL;
    }
    out->data = at + 1;
    out->length = (size_t)(last - at - 1);
    return last + 1;
}

/* ---- Values ---------------------------------------------------------------------------------- */

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

static const char *read_string(const char *at, const char *end, quotes *all, json_kind kind,
                               void *out)
{
    if (kind == JSON_TEXT) {
        return read_quoted(at, end, all, out);
    }
    matching_text text;
    at = kind == JSON_DECIMAL ? read_quoted(at, end, all, &text) : NULL;
    if (at == NULL) {
        return NULL;
    }
    const char *last = text.data + text.length;
    return read_decimal(text.data, last, out) == last ? at : NULL;
}

/* false is what the request has already. */
static const char *read_boolean(const char *at, const char *end, bool *out)
{
    if (end - at >= 4 && memcmp(at, "true", 4) == 0) {
        *out = true;
        return at + 4;
    }
    return end - at >= 5 && memcmp(at, "false", 5) == 0 ? at + 5 : NULL;
}

static const char *read_value(const char *at, const char *end, quotes *all, const json_place *place,
                              matching_request *request)
{
    void *out = (char *)request + place->offset;
    uint64_t number;
    if (*at == '"') {
        return read_string(at, end, all, place->kind, out);
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

static const char *read_id(const char *at, const char *end, quotes *all, matching_text *id)
{
    const char *first = at;
    uint64_t number;
    matching_text within;
    at = *at == '"' ? read_quoted(at, end, all, &within)
                    : read_digits(at, end, INTEGER_DIGITS, &number);
    *id = (matching_text){first, at == NULL ? 0 : (size_t)(at - first)};
    return at;
}

/* ---- Members --------------------------------------------------------------------------------- */

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

/* Other white space is no part of a plain text. */
static const char *skip_space(const char *at, const char *end)
{
    while (at < end && *at == ' ') {
        at++;
    }
    return at;
}

/* "name" : value, from its first byte to the byte behind it; NULL: not the plain way. What was read
 * is noted in `present`. */
static const char *read_member(const char *at, const char *end, quotes *all,
                               matching_request *request, matching_text *id)
{
    matching_text name;
    at = read_quoted(at, end, all, &name);
    if (at == NULL) {
        return NULL;
    }
    matching_field field = find_field(name.data, name.length);
    uint32_t bit = MATCHING_FIELD_BIT(field);
    if (field == MATCHING_FIELD_NONE || (request->present & bit)) {
        return NULL;
    }
    request->present |= bit;
    at = skip_space(at, end);
    if (at == end || *at != ':') {
        return NULL;
    }
    at = skip_space(at + 1, end);
    if (at == end) {
        return NULL;
    }
    return field == MATCHING_FIELD_ID ? read_id(at, end, all, id)
                                      : read_value(at, end, all, &json_places[field], request);
}

bool matching_json_flat(const char *text, size_t length, matching_request *request,
                        matching_text *id)
{
    quotes all;
    if (length == 0 || length > LENGTH_MAX || !find_quotes(&all, text, length)) {
        return false;
    }
    const char *end = text + length;
    const char *at = skip_space(text, end);
    *id = (matching_text){NULL, 0};
    if (at == end || *at != '{') {
        return false;
    }
    do {
        at = read_member(skip_space(at + 1, end), end, &all, request, id);
        if (at == NULL) {
            return false;
        }
        at = skip_space(at, end);
    } while (at < end && *at == ',');
    request->present &= ~MATCHING_FIELD_BIT(MATCHING_FIELD_ID);
    return at < end && *at == '}' && skip_space(at + 1, end) == end;
}
