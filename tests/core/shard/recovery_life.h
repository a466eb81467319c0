/* A core that lives through random commands of every kind, as clients and operators send them, with
 * a clock that is the test's. It has a data directory and no snapshots there, so its journal is
 * whole.
 *
 * Numbers are of three kinds, by instrument: small ones, those of a real market (prices and
 * quantities of six to nine digits), and the ends of what is legal. So values, and their sums and
 * products, take every byte that they have.
 */
#ifndef MATCHING_TESTS_RECOVERY_LIFE_H
#define MATCHING_TESTS_RECOVERY_LIFE_H

#include "bench.h"
#include "folder.h"

#define LIFE_KNOWN 128u
#define LIFE_TRADERS 14u
#define LIFE_CLIENT_IDS 8u

/* What a life is lived with. */
typedef struct life_shape {
    const char *name;
    unsigned shards;
    uint64_t max_orders, max_levels, retained_orders, max_traders;
    unsigned event_ring_size, recent_trades;
    int64_t tick_size;
    unsigned passive;  /* percent of limit prices that reach nothing */
    unsigned mass;     /* per thousand commands that are mass cancels */
    unsigned watching; /* percent of the time in which somebody watches orders */
} life_shape;

typedef struct life {
    const life_shape *shape;
    folder folder;
    bench bench;
    uint64_t random_state;            /* the seed at first */
    matching_order known[LIFE_KNOWN]; /* orders that were entered */
    unsigned known_count;             /* in all; the newest take the places of the oldest */
    unsigned added;                   /* names given to instruments */
    uint32_t watched;
    bool is_watching;
} life;

void life_begin(life *l, const life_shape *shape, uint64_t seed);
void life_end(life *l);

/* So many commands and reads, and settled. */
void life_go_on(life *l, unsigned commands);

/* Then every reply to what was submitted is there, and all is in the journal. */
void life_settle(life *l);

/* The process dies; another begins with what is on the disk, some time later. What has become due
 * meanwhile has expired. */
void life_restart(life *l);

/* From 0 to bound - 1. */
uint64_t life_below(life *l, uint64_t bound);

/* The n-th name; for n = 0 of the full length. */
void life_trader(unsigned n, char name[MATCHING_TRADER_MAX + 1]);
void life_client_id(unsigned n, char id[MATCHING_CLIENT_ID_MAX + 1]);

#endif
