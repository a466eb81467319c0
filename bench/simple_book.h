/* A book that is plainly right: what the reports and queries of yardstick.h have to be.
 *
 * One linked list for each price and side, one entry for each id, the best price found by
 * walking. It shares nothing with the engine. Ids up to SIMPLE_ID_MAX, prices below
 * SIMPLE_PRICES.
 */
#ifndef MATCHING_BENCH_SIMPLE_BOOK_H
#define MATCHING_BENCH_SIMPLE_BOOK_H

#include "bench/yardstick.h"

#define SIMPLE_ID_MAX ((1u << 22) - 1)
#define SIMPLE_PRICES (1u << 18)

typedef struct simple_book simple_book;

typedef void (*simple_report)(void *context, const yardstick_report *report);

/* NULL: no memory. */
simple_book *simple_book_create(void);
void simple_book_destroy(simple_book *book);

/* Calls report for each report of the message, in order. */
void simple_book_apply(simple_book *book, const yardstick_message *message, simple_report report,
                       void *context);

/* As engine_query_best_bid and so on. */
int64_t simple_book_best_bid(const simple_book *book);
int64_t simple_book_best_ask(const simple_book *book);
uint64_t simple_book_depth_at(const simple_book *book, int64_t price_ticks, uint8_t side);
uint32_t simple_book_live(const simple_book *book); /* orders that rest */

#endif
