/* Exact decimals with eight places: an int64 mantissa in units of 10^-8 (50000 is 5000000000000).
 *
 * The bound of every price and quantity, 92,233,720,368, is where such a mantissa still fits.
 * No floating point anywhere. All functions: any thread, no allocation.
 */
#ifndef MATCHING_DECIMAL_H
#define MATCHING_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MATCHING_DECIMAL_ONE 100000000LL /* 10^8, the mantissa of 1 */
#define MATCHING_UNSIGNED_TEXT 21        /* room for any printed uint64, NUL included */
#define MATCHING_DECIMAL_TEXT 24         /* room for any printed int64 mantissa, NUL included */
#define MATCHING_DECIMAL_WIDE_TEXT 48    /* room for any printed 128-bit mantissa, NUL included */
#define MATCHING_TURNOVER_TEXT 64        /* room for any printed turnover, NUL included */

typedef unsigned __int128 matching_wide; /* sums of lots, ticks x lots: exact, never overflowing */
/* The same as a member that leaves no gap before it. */
typedef matching_wide matching_wide_member __attribute__((aligned(8)));

/* A sum of price x quantity. One product of mantissas has up to 126 bits, so a sum of them has to
 * have more than 128 to be exact however many there are: 192, the least significant word first. */
typedef struct matching_turnover {
    uint64_t words[3];
} matching_turnover;

/* Reads a number in JSON's grammar (RFC 8259 section 6: optional minus, digits, fraction,
 * exponent). False, and *mantissa untouched, if the text is not such a number in full, needs more
 * than eight decimals, does not fit, or is longer than 100,000 characters. 1.10000000000 and 5e4
 * are fine, 0.000000001 is not. */
bool matching_decimal_parse(const char *text, size_t length, int64_t *mantissa);

/* Prints an integer, NUL-terminated. Returns the length. */
size_t matching_unsigned_print(char out[MATCHING_UNSIGNED_TEXT], uint64_t value);

/* Prints without trailing zeros ("50000", "0.25", "-3.5"), NUL-terminated. Returns the length. */
size_t matching_decimal_print(char out[MATCHING_DECIMAL_TEXT], int64_t mantissa);

/* The same for an unsigned 128-bit mantissa in units of 10^-8. */
size_t matching_decimal_print_wide(char out[MATCHING_DECIMAL_WIDE_TEXT], matching_wide mantissa);

/* *sum + value, + *other, - *other, x factor. The result must fit and not be negative. */
void matching_turnover_add(matching_turnover *sum, matching_wide value);
void matching_turnover_add_all(matching_turnover *sum, const matching_turnover *other);
void matching_turnover_subtract(matching_turnover *sum, const matching_turnover *other);
void matching_turnover_multiply(matching_turnover *sum, uint64_t factor);

/* Prints a turnover in units of 10^-16, which is what a product of two mantissas of 10^-8 is;
 * otherwise as matching_decimal_print does. */
size_t matching_turnover_print(char out[MATCHING_TURNOVER_TEXT], const matching_turnover *sum);

#endif
