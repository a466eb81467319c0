/* Exact decimals with eight places; see matching/decimal.h. Integers only. */
#include "matching/decimal.h"

#include <string.h>

#define PLACES 8
#define EXPONENT_MAX 100000 /* beyond: the value is 0, or does not fit */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* A number's text in parts, JSON grammar. */
typedef struct parts {
    bool negative;
    const char *whole, *fraction; /* digits */
    size_t whole_length, fraction_length;
    long exponent;
} parts;

static bool split(const char *at, const char *end, parts *out)
{
    memset(out, 0, sizeof *out);
    if (at < end && *at == '-') {
        out->negative = true;
        at++;
    }
    out->whole = at;
    while (at < end && is_digit(*at)) {
        at++;
    }
    out->whole_length = (size_t)(at - out->whole);
    if (out->whole_length == 0 || (out->whole_length > 1 && out->whole[0] == '0')) {
        return false;
    }
    if (at < end && *at == '.') {
        out->fraction = ++at;
        while (at < end && is_digit(*at)) {
            at++;
        }
        out->fraction_length = (size_t)(at - out->fraction);
        if (out->fraction_length == 0) {
            return false;
        }
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        bool minus = false;
        if (++at < end && (*at == '+' || *at == '-')) {
            minus = *at++ == '-';
        }
        const char *digits = at;
        for (; at < end && is_digit(*at); at++) {
            if (out->exponent <= EXPONENT_MAX) {
                out->exponent = out->exponent * 10 + (*at - '0');
            }
        }
        if (at == digits) {
            return false;
        }
        out->exponent = minus ? -out->exponent : out->exponent;
    }
    return at == end;
}

/* The digit of the given place, counted from the units: 0 units, 1 tens, -1 tenths. */
static int digit_at(const parts *number, long place)
{
    place -= number->exponent;
    if (place >= 0) {
        return place < (long)number->whole_length
                   ? number->whole[(long)number->whole_length - 1 - place] - '0'
                   : 0;
    }
    return -place <= (long)number->fraction_length ? number->fraction[-place - 1] - '0' : 0;
}

bool matching_decimal_parse(const char *text, size_t length, int64_t *mantissa)
{
    parts number;
    if (length > EXPONENT_MAX || !split(text, text + length, &number)) {
        return false;
    }
    long highest = (long)number.whole_length - 1 + number.exponent;
    long lowest = -(long)number.fraction_length + number.exponent;
    /* Digits outside of 10^-8 ... 10^10 must be zeros. */
    for (long place = lowest; place < -PLACES && place <= highest; place++) {
        if (digit_at(&number, place) != 0) {
            return false;
        }
    }
    uint64_t value = 0;
    for (long place = highest; place >= -PLACES; place--) {
        if (place < lowest && value == 0) {
            break;
        }
        uint64_t digit = (uint64_t)digit_at(&number, place);
        if (value > ((uint64_t)INT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    *mantissa = number.negative ? -(int64_t)value : (int64_t)value;
    return true;
}

size_t matching_decimal_print_wide(char out[MATCHING_DECIMAL_WIDE_TEXT], matching_wide mantissa)
{
    char digits[MATCHING_DECIMAL_WIDE_TEXT];
    size_t count = 0, length = 0;
    do {
        digits[count++] = (char)('0' + (int)(mantissa % 10));
        mantissa /= 10;
    } while (mantissa != 0 || count <= PLACES);
    while (count > PLACES) {
        out[length++] = digits[--count];
    }
    size_t zeros = 0;
    while (zeros < PLACES && digits[zeros] == '0') {
        zeros++;
    }
    if (zeros < PLACES) {
        out[length++] = '.';
        while (count > zeros) {
            out[length++] = digits[--count];
        }
    }
    out[length] = 0;
    return length;
}

size_t matching_decimal_print(char out[MATCHING_DECIMAL_TEXT], int64_t mantissa)
{
    char wide[MATCHING_DECIMAL_WIDE_TEXT];
    uint64_t magnitude = mantissa < 0 ? 0 - (uint64_t)mantissa : (uint64_t)mantissa;
    size_t sign = mantissa < 0 ? 1 : 0;
    size_t length = matching_decimal_print_wide(wide, magnitude);
    out[0] = '-';
    memcpy(out + sign, wide, length + 1);
    return sign + length;
}
