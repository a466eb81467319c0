/* A snapshot's file: a head, then bytes in blocks with a checksum each, then an end that tells how
 * many there were. Written beside its name, synced, renamed, the folder synced. docs/journal.md.
 */
#ifndef MATCHING_JOURNAL_SNAPSHOT_H
#define MATCHING_JOURNAL_SNAPSHOT_H

#include "engine/engine.h"
#include "journal/data_dir.h"

#define SNAPSHOT_VERSION 1u

/* What a snapshot is of. */
typedef struct snapshot_head {
    uint64_t sequence; /* the last command in it */
    uint64_t time_ns;  /* that command's */
    uint32_t previous; /* checksum of that command's record: where the journal goes on */
    uint32_t shard_count;
    uint64_t state_hash; /* matching_engine_hash, compared after loading */
    matching_engine_limits limits;
} snapshot_head;

typedef struct snapshot_writer snapshot_writer;

/* `pace_us`: microseconds of rest after each block that is written (which is then pushed to the
 * disk), so that a journal on the same disk is not held up; 0: as fast as it goes. NULL with the
 * reason in error. */
snapshot_writer *snapshot_create(const data_dir *dir, unsigned shard, const snapshot_head *head,
                                 unsigned pace_us, char *error, size_t error_size);

/* Takes all; false after a failure. The signature of matching_state_output. */
bool snapshot_write(void *writer, const void *bytes, size_t size);

/* Ends, syncs, renames. 0, or a negative errno with the reason in error, and no file is left. Frees
 * the writer. snapshot_abandon frees it and leaves no file. */
int snapshot_finish(snapshot_writer *writer, char *error, size_t error_size);
void snapshot_abandon(snapshot_writer *writer);

typedef struct snapshot_reader snapshot_reader;

/* Opens the snapshot of that sequence. NULL with a line that names file, offset and reason. */
snapshot_reader *snapshot_open(const data_dir *dir, unsigned shard, uint64_t sequence,
                               snapshot_head *head, char *error, size_t error_size);

/* The signature of matching_state_input. A block's bytes are handed out only after its checksum was
 * found right. */
bool snapshot_read(void *reader, void *bytes, size_t size);

/* Is all read, and does the end say so? Call last. False: see snapshot_trouble. */
bool snapshot_at_end(snapshot_reader *reader);
const char *snapshot_trouble(const snapshot_reader *reader); /* names file, offset, reason */
void snapshot_progress(const snapshot_reader *reader, uint64_t *done, uint64_t *all);
void snapshot_close(snapshot_reader *reader);

#endif
