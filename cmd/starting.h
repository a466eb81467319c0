/* What a start tells while the shards are recovered: a bar on a terminal, else lines of the log;
 * and to whoever asks at a door's port (waiting_room.h).
 *
 * Main thread, as the core's callbacks come on that.
 */
#ifndef MATCHING_STARTING_H
#define MATCHING_STARTING_H

#include "matching/core.h"
#include "progress.h"
#include "waiting_room.h"

typedef struct starting {
    progress shown;
    uint64_t told_ns;   /* monotonic: the last line about progress */
    waiting_room *room; /* NULL: nobody can ask */
} starting;

void starting_begin(starting *it, const matching_config *config);

/* The core tells it from now on; `it` outlives matching_core_create. */
void starting_listen(starting *it, matching_core_options *options);

/* Recovered or not, standard error is free for other things. */
void starting_end(starting *it);

/* The doors may have their ports. Again, or without begin on zeros, does nothing. */
void starting_leave(starting *it);

#endif
