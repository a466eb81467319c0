/* A gather: what a reply brings beyond its order (trades, ids, pages, depth).
 *
 * Made by the port for orders and amends with MATCHING_FLAG_COLLECT, for mass cancels and for reads
 * with a payload; a command for several shards has a part for each. The port's thread owns it;
 * between submit and reply the shard fills in a part.
 */
#ifndef MATCHING_GATHER_H
#define MATCHING_GATHER_H

#include "shard/history_link.h"
#include "shard/shard.h"

typedef struct gather {
    struct gather *previous, *next; /* in the port's list of those under way */
    matching_command command;
    matching_reply reply;
    unsigned part_count;
    unsigned parts_left;
    bool bulk;              /* counts against the port's limit of bulk reads */
    uint64_t *order_ids;    /* the parts' ids merged; heap */
    matching_order *orders; /* the parts' pages merged */
    void *memory;           /* the parts' read buffers */
    history_read read;      /* where memory did not have all of it */
    gather_part parts[];
} gather;

/* Those of one part that have ended: the next ones take their memory. Zero before the first use. */
typedef struct gather_spares {
    gather *first; /* by next */
    unsigned count;
} gather_spares;

/* A gather with room for what the command reads on `shards` shards; NULL: out of memory. */
gather *gather_create(gather_spares *spares, const matching_command *command, unsigned shards);

/* Ends it; what it holds besides its own memory goes back to the heap. */
void gather_free(gather_spares *spares, gather *g);

void gather_spares_fini(gather_spares *spares);

/* Does this command need one? */
bool gather_needed(const matching_command *command);

/* Is it a read whose answer may be large? */
bool gather_is_bulk(const matching_command *command);

/* All parts are done: sets the reply's pointers. */
void gather_finish(gather *g);

/* A finished one: does the store have to be asked too? */
bool gather_wants_history(const gather *g);

/* There is no store: the candles of the trades that the shard still had. */
void gather_make_candles(gather *g);

/* Becomes the answer that history cannot give; trouble: matching_history_trouble. */
void gather_refuse(gather *g, unsigned trouble);

/* How many slots of extras the command may take at most; the shard applies it only when they are
 * there. */
uint64_t gather_extras_most(const matching_command *command, uint64_t max_orders);

/* On the shard's thread, for each event of the command, as it passes: the trades that the order of
 * reply took part in, the ids that a mass cancel ended. order: for ORDER events, else NULL. */
void gather_event(gather_part *part, const matching_command *command, const matching_reply *reply,
                  ring *extras, const matching_event *event, const matching_order *order);

/* On the port's thread, once the reply has come: takes the part's extras out of their ring. */
void gather_take_extras(gather_part *part, const matching_core *core, unsigned number,
                        ring *extras);

#endif
