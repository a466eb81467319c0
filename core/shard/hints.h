/* What a port remembers of its traders: the number that each has in a shard, so that the engine
 * finds a trader by looking at one name instead of looking it up. The engine checks the name; a
 * wrong or missing number costs the look-up, nothing else. The port's thread only.
 */
#ifndef MATCHING_HINTS_H
#define MATCHING_HINTS_H

#include <stdint.h>

#include "matching/command.h"
#include "matching/port.h"

#define HINT_PLACES 4096u /* a power of two; traders that meet in one take turns */

typedef struct hint {
    char trader_id[MATCHING_TRADER_MAX];
    uint32_t shard;
    uint32_t number; /* 0: not known yet */
} hint;

/* For a command that is about to go to a shard: its hint, and where its reply belongs. */
void hints_give(hint *hints, unsigned shard, matching_command *command);

/* Its reply has come. */
void hints_learn(hint *hints, unsigned shard, const matching_reply *reply);

#endif
