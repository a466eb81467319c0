/* Random commands of every kind, shaped by what a market is for. */
#ifndef MATCHING_TESTS_ENGINE_GENERATOR_H
#define MATCHING_TESTS_ENGINE_GENERATOR_H

#include "duel.h"

typedef struct market {
    const char *name;
    matching_engine_limits limits;
    unsigned traders;    /* names in use, may be more than the limit */
    unsigned client_ids; /* names in use, 0: none */
    int64_t price_low, price_high;
    int64_t quantity_high;
    unsigned passive;     /* percent of prices on the order's own side of the middle */
    bool extreme;         /* prices and quantities at the ends of their range */
    bool pages;           /* prices where pages of levels begin and end */
    unsigned calm;        /* percent of the time in which there is nothing special about orders */
    unsigned stops;       /* percent of new orders that are stops, 0: 18 */
    unsigned auctions;    /* percent of state changes that begin an auction, 0: 22 */
    unsigned check_every; /* commands between two walks of all invariants */
    unsigned divisor;     /* fewer commands than usual */
} market;

typedef struct generator {
    const market *market;
    const duel *duel;      /* whose orders are cancelled, amended and read, and whose clock runs */
    uint64_t random_state; /* the seed at first */
    uint64_t made;         /* commands and reads */
    bool calm;
} generator;

/* The next command or read; its time is set where time makes a leap. */
matching_command generator_next(generator *generator);

/* From now on others than before watch the twin's orders (twin.h): mostly nobody. */
void generator_watch(generator *generator);

#endif
