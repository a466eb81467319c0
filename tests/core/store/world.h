/* Shards that trade at random, what they have led to by plain arrays, and whether a store tells the
 * same. The same seed gives the same, command by command, so a world can be run again up to where a
 * store has come.
 */
#ifndef MATCHING_TESTS_STORE_WORLD_H
#define MATCHING_TESTS_STORE_WORLD_H

#include "store/store.h"

#define WORLD_SHARDS 2u
#define WORLD_INSTRUMENTS 4u /* instrument i is of shard i % 2 */
#define WORLD_TRADERS 3u
#define WORLD_OPEN 24u /* working orders of a shard */
#define WORLD_MOST 20000u
#define WORLD_START_NS (UINT64_C(1762777020) * 1000000000)

typedef struct world_shard {
    uint64_t random, sequence, time_ns, orders;
    matching_order open[WORLD_OPEN];
    size_t open_count;
    matching_order *ended;
    size_t ended_count;
} world_shard;

typedef struct world {
    world_shard shards[WORLD_SHARDS];
    matching_trade *trades[WORLD_INSTRUMENTS];
    size_t trade_counts[WORLD_INSTRUMENTS];
    uint64_t random; /* of the comparisons, beside what happens */
} world;

void world_init(world *w, uint64_t seed);
void world_fini(world *w);

matching_instrument world_instrument(unsigned index);
uint64_t world_random(uint64_t *random);

/* The shard's next command; its effects are added to the store too, unless that is NULL. False: the
 * store refused. */
bool world_step(world *w, unsigned shard, store *s);

/* All instruments, each committed with the shard's present sequence. */
bool world_add_instruments(const world *w, store *s);

/* Reads this and that from the store, which has all commands of all shards. False, and says what,
 * where it tells something else. */
bool world_agrees(world *w, const store *s);

#endif
