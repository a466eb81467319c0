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

/* Lays digits out as a decimal with this many places; digits[0] is the last one, and there are more
 * of them than places. */
static size_t lay_out(char *out, const char *digits, size_t count, size_t places)
{
    size_t length = 0;
    while (count > places) {
        out[length++] = digits[--count];
    }
    size_t zeros = 0;
    while (zeros < places && digits[zeros] == '0') {
        zeros++;
    }
    if (zeros < places) {
        out[length++] = '.';
        while (count > zeros) {
            out[length++] = digits[--count];
        }
    }
    out[length] = 0;
    return length;
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the first digit is the lowest byte");

/* Two digits, the tens first. */
static void put_pair(char *out, uint32_t value)
{
    static const char pairs[] = "0001020304050607080910111213141516171819"
                                "2021222324252627282930313233343536373839"
                                "4041424344454647484950515253545556575859"
                                "6061626364656667686970717273747576777879"
                                "8081828384858687888990919293949596979899";
    memcpy(out, pairs + 2 * (size_t)value, 2);
}

static void put_eight(char *out, uint32_t value)
{
    uint32_t high = value / 10000, low = value % 10000;
    put_pair(out, high / 100);
    put_pair(out + 2, high % 100);
    put_pair(out + 4, low / 100);
    put_pair(out + 6, low % 100);
}

static size_t count_digits(uint64_t value)
{
    static const uint64_t powers[] = {0,
                                      10,
                                      100,
                                      1000,
                                      10000,
                                      100000,
                                      1000000,
                                      10000000,
                                      100000000,
                                      1000000000,
                                      10000000000,
                                      100000000000,
                                      1000000000000,
                                      10000000000000,
                                      100000000000000,
                                      1000000000000000,
                                      10000000000000000,
                                      100000000000000000,
                                      1000000000000000000,
                                      10000000000000000000u};
    /* Bits x log10(2), with 1233 / 4096 for the logarithm: never more than one too few. */
    size_t least = (size_t)(64 - __builtin_clzll(value | 1)) * 1233 >> 12;
    return least + (value >= powers[least]);
}

size_t matching_unsigned_print(char out[MATCHING_UNSIGNED_TEXT], uint64_t value)
{
    size_t count = count_digits(value), at = count;
    while (value >= 100) {
        put_pair(out + (at -= 2), (uint32_t)(value % 100));
        value /= 100;
    }
    if (at == 2) {
        put_pair(out, (uint32_t)value);
    } else {
        out[0] = (char)('0' + value);
    }
    out[count] = 0;
    return count;
}

static size_t print_narrow(char *out, uint64_t mantissa)
{
    uint32_t fraction = (uint32_t)(mantissa % MATCHING_DECIMAL_ONE);
    size_t length = matching_unsigned_print(out, mantissa / MATCHING_DECIMAL_ONE);
    if (fraction != 0) {
        uint64_t digits;
        out[length] = '.';
        put_eight(out + length + 1, fraction);
        memcpy(&digits, out + length + 1, sizeof digits);
        digits ^= UINT64_C(0x3030303030303030); /* trailing zeros are leading zero bytes now */
        length += 1 + PLACES - (size_t)__builtin_clzll(digits) / 8;
        out[length] = 0;
    }
    return length;
}

size_t matching_decimal_print_wide(char out[MATCHING_DECIMAL_WIDE_TEXT], matching_wide mantissa)
{
    if (mantissa <= UINT64_MAX) {
        return print_narrow(out, (uint64_t)mantissa);
    }
    char digits[MATCHING_DECIMAL_WIDE_TEXT];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + (int)(mantissa % 10));
        mantissa /= 10;
    } while (mantissa != 0 || count <= PLACES);
    return lay_out(out, digits, count, PLACES);
}

size_t matching_decimal_print(char out[MATCHING_DECIMAL_TEXT], int64_t mantissa)
{
    size_t sign = mantissa < 0 ? 1 : 0;
    out[0] = '-';
    return sign + print_narrow(out + sign, sign ? 0 - (uint64_t)mantissa : (uint64_t)mantissa);
}

/* ---- Turnover -------------------------------------------------------------------------------- */

void matching_turnover_add(matching_turnover *sum, matching_wide value)
{
    const matching_turnover other = {{(uint64_t)value, (uint64_t)(value >> 64), 0}};
    matching_turnover_add_all(sum, &other);
}

void matching_turnover_add_all(matching_turnover *sum, const matching_turnover *other)
{
    matching_wide carry = 0;
    for (unsigned i = 0; i < 3; i++) {
        carry += (matching_wide)sum->words[i] + other->words[i];
        sum->words[i] = (uint64_t)carry;
        carry >>= 64;
    }
}

void matching_turnover_subtract(matching_turnover *sum, const matching_turnover *other)
{
    uint64_t borrow = 0;
    for (unsigned i = 0; i < 3; i++) {
        matching_wide from = (matching_wide)sum->words[i];
        matching_wide taken = (matching_wide)other->words[i] + borrow;
        borrow = from < taken;
        sum->words[i] = (uint64_t)(from - taken);
    }
}

void matching_turnover_multiply(matching_turnover *sum, uint64_t factor)
{
    matching_wide carry = 0;
    for (unsigned i = 0; i < 3; i++) {
        carry += (matching_wide)sum->words[i] * factor;
        sum->words[i] = (uint64_t)carry;
        carry >>= 64;
    }
}

size_t matching_turnover_print(char out[MATCHING_TURNOVER_TEXT], const matching_turnover *sum)
{
    const uint64_t chunk = 1000000000000000000u; /* 18 digits at a time */
    matching_turnover left = *sum;
    char digits[4 * 18];
    size_t count = 0;
    do {
        matching_wide rest = 0;
        for (unsigned i = 3; i-- > 0;) {
            rest = rest << 64 | left.words[i];
            left.words[i] = (uint64_t)(rest / chunk);
            rest %= chunk;
        }
        uint64_t low = (uint64_t)rest;
        for (unsigned i = 0; i < 18; i++, low /= 10) {
            digits[count++] = (char)('0' + (int)(low % 10));
        }
    } while ((left.words[0] | left.words[1] | left.words[2]) != 0);
    while (count > 2 * PLACES + 1 && digits[count - 1] == '0') {
        count--;
    }
    return lay_out(out, digits, count, 2 * PLACES);
}
