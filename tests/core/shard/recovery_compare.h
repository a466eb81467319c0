/* Are two books alike in all that can be read from them? */
#ifndef MATCHING_TESTS_RECOVERY_COMPARE_H
#define MATCHING_TESTS_RECOVERY_COMPARE_H

#include "shard/books.h"

/* Two instruments, or two orders, of which nothing differs. */
bool same_instrument(const matching_instrument *a, const matching_instrument *b);

/* NULL, or what differs first: instruments, states, trades, tickers now and at later times, depth,
 * orders working and ended, by id, trader and client id, traders' numbers, the state hash, and the
 * bytes that a snapshot of the engine would have. Neither is changed: `a` may be a running shard's
 * that rests. */
const char *books_difference(const books *a, const books *b);

#endif
