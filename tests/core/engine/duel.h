/* The engine and the oracle side by side: one command to both, everything compared.
 *
 * Compared are the reply, trades and order updates in exact order, the depth that a client builds
 * from LEVEL events, the depth and the orders that reads show, and the invariants; then the engine
 * with its twin (twin.h), which goes the short ways. Serves random tests and fuzzing alike.
 */
#ifndef MATCHING_TESTS_ENGINE_DUEL_H
#define MATCHING_TESTS_ENGINE_DUEL_H

#include <stdbool.h>

#include "fixture.h"
#include "oracle/oracle.h"

typedef struct duel_book {
    matching_level *sides[2]; /* what a client knows, best first */
    size_t counts[2];
    uint64_t depth_sequence;
} duel_book;

typedef struct duel {
    fixture engine;
    oracle *oracle;
    duel_book *books;
    matching_level *levels[3]; /* scratch: the oracle's side, the engine's two */
    matching_order *orders[3]; /* scratch: working, ended, the engine's */
    size_t order_room;
    uint64_t last_order_id;
    uint64_t trades;
    uint64_t crosses;                                 /* trades of auctions among them */
    uint64_t triggers;                                /* stops that entered */
    uint64_t reasons[MATCHING_REASON_DISCONNECT + 1]; /* why orders ended */
    uint64_t codes[MATCHING_CODE_COUNT];              /* how often commands got each answer */
    char difference[1600];
} duel;

/* Instruments get different tick and lot sizes, see duel_tick_size. */
void duel_init(duel *d, const matching_engine_limits *limits);
int64_t duel_tick_size(uint16_t instrument);
int64_t duel_lot_size(uint16_t instrument);
void duel_fini(duel *d);

/* Both empty again, in the same memory; the counts go on. */
void duel_reset(duel *d);

/* Applies a command (below 32) or a read to both. True: no difference; else duel.difference says
 * what is different. check: also walk the engine's invariants and all books. */
bool duel_apply(duel *d, const matching_command *command, bool check);

#endif
