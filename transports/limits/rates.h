/* How often something may happen, counted for each key: requests of an address, of a trader.
 *
 * A key may do `per_second` things in a second, all of them at once if it likes, and then one more
 * whenever its share of a second has passed. Memory is taken once, for some 65,000 keys; when more
 * than that are busy at one time, the one that has used least of its share is forgotten, and begins
 * afresh. So memory is bounded, and whoever brings many keys gains little for each.
 *
 * One thread at a time. The caller brings the time, in nanoseconds of a clock that never goes back.
 */
#ifndef MATCHING_LIMITS_RATES_H
#define MATCHING_LIMITS_RATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "matching/command.h"

typedef struct matching_rates matching_rates;

/* per_second: 1 to 1,000,000. NULL: out of memory. */
matching_rates *matching_rates_create(uint32_t per_second);
void matching_rates_destroy(matching_rates *rates);

/* May this key do one more thing now? Then it is counted. rates NULL: always. */
bool matching_rates_take(matching_rates *rates, const void *key, size_t length, uint64_t now_ns);

/* The same of the trader whom a command names; one that names nobody always may. */
bool matching_rates_take_trader(matching_rates *rates, const matching_command *command,
                                uint64_t now_ns);

#endif
