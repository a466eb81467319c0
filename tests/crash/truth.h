/* What is true of a data directory: its journals, read from the first command on, and applied once
 * more by those who must agree: the engine, its twin and the oracle (core/engine/duel.h), and the
 * books that recovery builds. Each life's log is held against it.
 *
 * It follows the journals from life to life, so a life costs what it added. Whatever does not agree
 * ends the test program with what it was; the folder stays. Thread: the test's.
 */
#ifndef MATCHING_TESTS_CRASH_TRUTH_H
#define MATCHING_TESTS_CRASH_TRUTH_H

#include "core/engine/duel.h"
#include "crash/life.h"
#include "crash/past.h"
#include "journal/data_dir.h"
#include "journal/reader.h"
#include "shard/books.h"

#define TRUTH_RECENT 50u /* trades kept of each instrument */

typedef struct truth_shard {
    unsigned number;
    duel duel;
    books books;
    uint64_t sequence;                 /* followed so far */
    uint8_t symbols[LIFE_SYMBOLS_MAX]; /* by instrument index: its name's number, */
    bool is_there[LIFE_SYMBOLS_MAX];   /* ... where it is one of this shard's */
    journal_position position;         /* where its journal ends */
} truth_shard;

typedef struct truth_counts {
    uint64_t lives, commands, own, acknowledged, refused, reads, trades, unanswered, torn;
} truth_counts;

typedef struct truth {
    char journals[LIFE_PATH_SIZE]; /* a data directory of all segments there ever were */
    unsigned shards;
    matching_engine_limits limits; /* of shard 0 */
    truth_shard *shard;            /* `shards` of them */
    past *past;                    /* is told all that is followed; NULL: nobody asks */
    bool was_clean; /* the last life stopped by itself: its orders are not guarded any more */
    truth_counts counts;
} truth;

typedef struct truth_expectation {
    bool may_lose; /* what was acknowledged may be missing: a policy below "commit" */
    bool may_fail; /* INTERNAL_ERROR is to be expected */
} truth_expectation;

void truth_init(truth *t, const life *set_up, const char *journals);
void truth_fini(truth *t);

/* After a life on this directory (its folder as it is now): brings all segments into t->journals,
 * follows them, and checks that
 *   - the journals are whole, or torn at their ends;
 *   - what is new in them is the planned commands in their order, each shard's a prefix of those
 *     that were sent to it, and what the shard enters by itself, where it may;
 *   - all that was acknowledged, read or shown in an event is in them, and every answer is the
 *     oracle's;
 *   - what the life recovered at its start is the same state, to the last byte;
 *   - after its first INTERNAL_ERROR a shard answered no command otherwise. */
void truth_follow(truth *t, const life *l, const char *folder, truth_expectation expected);

/* Recovery of this folder from each of its snapshots and the segments that it still has, and of
 * t->journals without any, lead to what was followed, to the last byte. Returns how many snapshots
 * there are. */
unsigned truth_check_snapshots(truth *t, const char *folder);

#endif
