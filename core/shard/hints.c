/* See hints.h. A place belongs to the trader that a command was last sent for. */
#include "shard/hints.h"

#include <string.h>

#include "engine/engine.h"

void hints_give(hint *hints, unsigned shard, matching_command *command)
{
    uint32_t place = (matching_watch_bucket(command->trader_id) ^ shard * 0x9E5u) % HINT_PLACES;
    hint *h = &hints[place];
    if (h->shard != shard || memcmp(h->trader_id, command->trader_id, MATCHING_TRADER_MAX) != 0) {
        memcpy(h->trader_id, command->trader_id, MATCHING_TRADER_MAX);
        h->shard = shard;
        h->number = 0;
    }
    command->trader_hint = h->number;
    command->hint_place = place + 1;
}

void hints_learn(hint *hints, unsigned shard, const matching_reply *reply)
{
    if (reply->hint_place != 0 && reply->has_order) {
        hint *h = &hints[reply->hint_place - 1];
        h->number = h->shard == shard ? reply->trader : 0;
    }
}
