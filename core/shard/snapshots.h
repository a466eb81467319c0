/* Snapshots beside the running shards: a worker of low priority makes them from sealed segments. It
 * keeps its books from one to the next for some seconds. Where it cannot keep up, another one of
 * ordinary priority goes on with them, up to the newest sealed segment: fewer snapshots, but the
 * journal does not pile up.
 *
 *   flusher: enough commands since the last one, or somebody asked -> the segment is sealed
 *   flusher: it is sealed -> the worker is told up to where
 *   worker:  books_snapshot(), one shard after the other
 *
 * The shard itself does nothing for it. One snapshot of a shard at a time; while it is made, its
 * further segments wait for the next one.
 */
#ifndef MATCHING_SNAPSHOTS_H
#define MATCHING_SNAPSHOTS_H

#include "matching/core.h"

typedef struct snapshots snapshots;
typedef struct shard shard;

/* The worker of this core, whose journals are open. NULL: out of memory or threads. Main thread. */
snapshots *snapshots_start(matching_core *core);

/* A shard was recovered from this snapshot; 0: from none. */
void snapshots_note_found(snapshots *worker, unsigned shard, uint64_t sequence);

/* From now on what a snapshot makes superfluous is removed. Until then it stays: a start's own
 * commands can make a snapshot due before a history, which may need more of the journal, is
 * attached. Main thread, once the core starts. */
void snapshots_allow_removal(snapshots *worker);

/* Ends the thread; a snapshot that it is just making is given up, without a trace. Before the
 * journals are closed, and free after that. */
void snapshots_stop(snapshots *worker);
void snapshots_free(snapshots *worker);

/* The journal's callbacks, on the flusher's thread. note_safe: everything up to there is safe. */
void snapshots_note_safe(shard *s, uint64_t sequence);
void snapshots_on_sealed(void *context, uint64_t last_sequence); /* context: the shard */

/* On the preparer's: the segment cannot be sealed just now, as `what` says. Whoever waits for a
 * snapshot of it is told that it failed; it is not known when it could be made. */
void snapshots_on_unsealed(shard *s, const char *what);

/* See matching_core_request_snapshot and matching_core_snapshot_done. */
uint64_t snapshots_request(snapshots *worker);
bool snapshots_done(snapshots *worker, uint64_t ticket, matching_snapshot_result *results);

#endif
