/* A gather: what a reply brings beyond its order (trades, ids, pages, depth), while it comes together.
 *
 * Made by the port for commands with MATCHING_FLAG_COLLECT and for reads with a payload; a command for
 * several shards has a part for each. The port's thread owns it; a shard fills in a part's read
 * results between submit and reply.
 */
#ifndef MATCHING_GATHER_H
#define MATCHING_GATHER_H

#include "shard/shard.h"

typedef struct gather {
    struct gather *previous, *next; /* in the port's list of those under way */
    matching_command command;
    matching_reply reply;
    unsigned part_count;
    unsigned parts_left;
    bool bulk; /* counts against the port's limit of bulk reads */
    matching_trade *trades;
    size_t trade_count, trade_room;
    uint64_t *order_ids;
    size_t order_id_count, order_id_room;
    matching_order *orders; /* the parts' pages merged */
    void *memory;           /* the parts' read buffers */
    gather_part parts[];
} gather;

/* A gather with room for what the command reads on `shards` shards; NULL: out of memory. */
gather *gather_create(const matching_command *command, unsigned shards);
void gather_free(gather *g);

/* Does this command need one? */
bool gather_needed(const matching_command *command);

/* An event of the command's own range passes by. order: for ORDER events. */
void gather_event(gather *g, const matching_core *core, unsigned shard_number,
                  const matching_event *event, const matching_order *order);

/* Events of the range were lost. */
void gather_lost(gather *g);

/* All parts are done: sets the reply's pointers. */
void gather_finish(gather *g);

#endif
