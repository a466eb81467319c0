/* A shard's journal while it is written: the shard's thread appends, a flusher thread makes it
 * safe and tells how far it has come.
 *
 *   shard:    has_room? append, append, ... hand_over        never waits for the disk
 *   flusher:  takes all that was handed over, seals the chain, one write, one fdatasync,
 *             raises the gate: group commit. Where the policy is not COMMIT and the flusher sleeps,
 *             hand_over does a small write and raises the gate itself
 *   preparer: makes the next segment's zero-filled file while the present one fills
 *
 * The gate: a record is "safe" as the policy says: under COMMIT after fdatasync, under INTERVAL
 * and NONE after write. on_safe tells the highest safe sequence.
 *
 * Each write begins with a claim of what was on disk before it; with nothing to write for a tenth
 * of a second, a claim alone follows the last records, so that readers beside us see them all.
 *
 * After a failed write, fdatasync or rename nothing is tried again: on_failed is called once,
 * nothing becomes safe any more, append and hand_over do nothing. A disk too full for the next
 * segment is a warning until the present one is full: then it is such a failure.
 */
#ifndef MATCHING_JOURNAL_WRITER_H
#define MATCHING_JOURNAL_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "journal/data_dir.h"
#include "journal/reader.h"
#include "matching/command.h"
#include "matching/core.h"

typedef struct journal_options {
    matching_sync sync;
    unsigned sync_interval_ms; /* INTERVAL: an fdatasync at least that often */
    uint64_t segment_bytes;    /* of the segments begun from now on */
    size_t buffer_bytes;       /* of appended records that are not yet written; 0: 8 MiB */
    size_t write_here_bytes;   /* not COMMIT: at most these hand_over writes itself */
    /* On the flusher's thread, or in hand_over; must not block. Any may be NULL. After on_failed
     * only on_room. */
    void (*on_safe)(void *context, uint64_t sequence);
    void (*on_room)(void *context); /* has_room said no before; now it says yes */
    void (*on_failed)(void *context, const char *what);
    void (*on_sealed)(void *context, uint64_t last_sequence); /* a segment is full and on disk */
    /* On the preparer's thread, which tries once a second; must not block, may be NULL: after each
     * try that did not bring the next segment's file, what journal_warning says; "" once it has
     * come after all. Not after a failure. */
    void (*on_warning)(void *context, const char *what);
    void *context;
    struct journal_metrics *metrics; /* NULL: nobody counts */
} journal_options;

typedef struct journal journal;

/* Goes on at `end`, where a reader came out (WHOLE, or TORN and cut); begins the first segment
 * where there is none. What is in it is on disk before this returns. dir outlives the journal. NULL
 * with the reason in error. Main thread; callbacks may come from now on. */
journal *journal_open(const data_dir *dir, unsigned shard, const journal_position *end,
                      const journal_options *options, char *error, size_t error_size);

/* Shard's thread (or the main thread before the shard runs). has_room: for one record of any size;
 * always once the journal has failed. append: takes a command with its sequence and time; there is
 * room. hand_over: what was appended may be written; wakes the
 * flusher if need be. */
bool journal_has_room(journal *j);
void journal_append(journal *j, const matching_command *command);
void journal_hand_over(journal *j);

/* Any thread but the flusher's: waits until everything handed over is safe and on disk, under any
 * policy. False: the journal has failed. */
bool journal_wait(journal *j);

/* Any thread. */
bool journal_has_failed(const journal *j);
const char *journal_failure(const journal *j); /* "": it has not */
uint64_t journal_safe(const journal *j);

/* What is not well but may mend by itself: "", or why there is no file for the next segment. Static
 * string. */
const char *journal_warning(const journal *j);

/* Any thread: the present segment is to be sealed after what was handed over so far, although it
 * is not full; on_sealed follows once the next one's file is there, and until then commands go on
 * into it: its last sequence may be later. Where it has no command yet, on_sealed follows at once,
 * with the last sequence of the one before. */
void journal_seal_segment(journal *j);

/* Writes and syncs what was handed over, ends with a claim of all, ends the threads. Main thread.
 * 0, or a negative errno when not everything is safe. */
int journal_close(journal *j);

/* Does what journal_open does before anything is added, and no more: what stands before `end`,
 * where a reader came out, is on disk afterwards. What no claim names is written again for that; a
 * sync alone may leave out what an earlier one that failed took for done. For whoever makes
 * something of a journal that nobody has open. 0, or a negative errno with the reason in error. Any
 * thread. */
int journal_make_safe(const data_dir *dir, unsigned shard, const journal_position *end, char *error,
                      size_t error_size);

#endif
