/* The orders of a script as they should stand, by the script's ids. Independent of the engine: it
 * does no matching, it only writes down what the script says.
 */
#ifndef MATCHING_TESTS_MARKET_ORDERS_H
#define MATCHING_TESTS_MARKET_ORDERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "market/script.h"

typedef struct known_order {
    char id[SCRIPT_ID_SIZE]; /* the script's; empty: a free place */
    uint64_t order_id;       /* the server's; 0: not told yet */
    int64_t price;
    int64_t total;     /* as amended */
    int64_t remaining; /* 0: ended */
    char side;
} known_order;

typedef struct known_orders {
    known_order *places;
    size_t mask, count;
} known_orders;

typedef struct known_level {
    int64_t price, quantity;
} known_level;

void orders_init(known_orders *orders, size_t most);
void orders_free(known_orders *orders);

/* A new order, perhaps in the place of an ended one; NULL: the id is taken. Stays where it is. */
known_order *orders_add(known_orders *orders, const char *id);
/* NULL: unknown. */
known_order *orders_find(const known_orders *orders, const char *id);

/* The levels of a side, best first, at most `most`; *count of them. The caller frees the array. */
known_level *orders_levels(const known_orders *orders, char side, size_t most, size_t *count);

#endif
