/* Memory is there before a shard comes to use it.
 *
 * The memory of a shard is reserved at the start, and the machine gives a page when it is first
 * written. For a large page of a virtual machine that can take 7 ms (docs/performance.md), in which
 * nobody is answered. So a thread, one for the core, has the machine give what the shard will need
 * next: the shard tells now and then how far it has used each part of its memory, the thread sees
 * that a stretch behind that is there. What it cannot have in time, or at all, the shard takes as
 * it goes, as it would without.
 */
#ifndef MATCHING_AHEAD_H
#define MATCHING_AHEAD_H

#include <stdatomic.h>
#include <stdint.h>

#include "engine/engine.h"
#include "journal/doorbell.h"

#define AHEAD_EVENTS MATCHING_ENGINE_PARTS /* behind the engine's parts: the events */
#define AHEAD_PARTS (MATCHING_ENGINE_PARTS + 1)

struct matching_core;
struct shard;

/* What a shard tells. */
typedef struct ahead_marks {
    uint64_t next_used;                 /* the shard's: at so many bytes it tells again */
    doorbell *bell;                     /* NULL: nobody listens */
    _Atomic uint64_t used[AHEAD_PARTS]; /* entries, in the order of matching_engine_parts */
    atomic_int node; /* where the shard's thread runs (NUMA); -1: it has told nothing yet */
} ahead_marks;

/* Starts the thread, before the shards' own. It takes nothing for a shard before that has told for
 * the first time. Where there is no thread to be had, all goes on without. */
void ahead_start(struct matching_core *core);

/* Waits until what every shard needs first is there, for some milliseconds at most. */
void ahead_wait(struct matching_core *core);

/* Ends the thread; without a start it does nothing. The shards have ended. */
void ahead_stop(struct matching_core *core);

/* Tells, where the shard has used so much more that it is worth it. Whoever may call shard_poll. */
void ahead_note(struct shard *s);

#endif
