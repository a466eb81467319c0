/* What a history has to tell: the trades and ended orders that the journals' commands led to, from
 * the first one on, in plain arrays; and whether a data directory as a crash left it tells them,
 * all of them and each once. Thread: the test's.
 */
#ifndef MATCHING_TESTS_CRASH_PAST_H
#define MATCHING_TESTS_CRASH_PAST_H

#include "crash/life.h"
#include "shard/books.h"

typedef struct past_trades {
    matching_trade *list;
    size_t count, room;
} past_trades;

typedef struct past {
    unsigned shards;
    books books[LIFE_SHARDS_MAX];
    past_trades trades[LIFE_SYMBOLS_MAX]; /* by instrument index */
    matching_order *ended;
    size_t ended_count, ended_room;
    unsigned looks, behind, cut_short; /* how often it was checked; ... the store lacked something;
                                        ... the journal no longer had its beginning */
} past;

/* limits: of shard 0. */
past *past_create(const matching_engine_limits *limits, unsigned shards);
void past_destroy(past *p);

/* The shard's next command. */
void past_apply(past *p, unsigned shard, const matching_command *command);

/* Brings a copy of the directory's store to the journal's end, as a start does, and compares. Ends
 * the test program where it does not agree; the directory itself stays as it is. A shard that has
 * no command yet has no history: then nothing is looked at. */
void past_check(past *p, const char *folder, const char *copy);

#endif
