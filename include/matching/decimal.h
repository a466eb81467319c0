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
#define MATCHING_DECIMAL_TEXT 24         /* room for any printed int64 mantissa, NUL included */
#define MATCHING_DECIMAL_WIDE_TEXT 48    /* room for any printed 128-bit mantissa, NUL included */

typedef unsigned __int128 matching_wide; /* sums of lots, ticks x lots: exact, never overflowing */

/* Reads a number in JSON's grammar (RFC 8259 section 6: optional minus, digits, fraction,
 * exponent). False, and *mantissa untouched, if the text is not such a number in full, needs more
 * than eight decimals, does not fit, or is longer than 100,000 characters. 1.10000000000 and 5e4
 * are fine, 0.000000001 is not. */
bool matching_decimal_parse(const char *text, size_t length, int64_t *mantissa);

/* Prints without trailing zeros ("50000", "0.25", "-3.5"), NUL-terminated. Returns the length. */
size_t matching_decimal_print(char out[MATCHING_DECIMAL_TEXT], int64_t mantissa);

/* The same for an unsigned 128-bit mantissa in units of 10^-8. */
size_t matching_decimal_print_wide(char out[MATCHING_DECIMAL_WIDE_TEXT], matching_wide mantissa);

#endif
