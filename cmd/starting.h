/* What a start tells while the shards are recovered: a bar on a terminal, else lines of the log.
 *
 * Main thread, as the core's callbacks come on that.
 */
#ifndef MATCHING_STARTING_H
#define MATCHING_STARTING_H

#include "matching/core.h"
#include "progress.h"

typedef struct starting {
    progress shown;
    uint64_t told_ns; /* monotonic: the last line about progress */
} starting;

void starting_begin(starting *it);

/* The core tells it from now on; `it` outlives matching_core_create. */
void starting_listen(starting *it, matching_core_options *options);

/* Recovered or not, standard error is free for other things. */
void starting_end(starting *it);

#endif
