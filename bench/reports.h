/* Reports as they are compared: what each kind has to say, and nothing else.
 *
 * Engines differ in the order in which they tell a message's acknowledgement and trades; sorted
 * by kind within a message, trades as they came, the reports of two right engines are the same.
 */
#ifndef MATCHING_BENCH_REPORTS_H
#define MATCHING_BENCH_REPORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/yardstick.h"

/* Sorts, and clears members that a kind does not have. */
void reports_normalise(yardstick_report *reports, size_t count);

/* Of normalised reports. */
uint64_t reports_hash(const yardstick_report *reports, size_t count);
bool reports_equal(const yardstick_report *left, const yardstick_report *right);

/* "trade seq=… …", into text. */
void reports_describe(const yardstick_report *report, char *text, size_t size);

#endif
