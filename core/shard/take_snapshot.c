/* Snapshots from a data directory alone: replay, write, remove what is no longer needed. Nothing of
 * a running shard is looked at. See recovery.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "journal/snapshot.h"
#include "journal/writer.h"
#include "shard/recovery.h"

#define SNAPSHOTS_KEPT 2

/* Removes the snapshots (newest last) that nobody needs. Returns the sequence of the oldest that
 * stays; 0: commands before any of them are needed. */
static uint64_t remove_old_snapshots(const data_dir *dir, unsigned shard, const uint64_t *sequences,
                                     long count, uint64_t keep_from)
{
    char path[DATA_DIR_PATH_SIZE];
    long kept = -1; /* the newest one from which keep_from can be reached */
    for (long i = 0; i < count && sequences[i] <= keep_from; i++) {
        kept = i;
    }
    for (long i = 0; i + SNAPSHOTS_KEPT < count; i++) {
        if (i != kept && data_dir_snapshot_path(dir, shard, sequences[i], path)) {
            unlink(path);
        }
    }
    long oldest = count - SNAPSHOTS_KEPT;
    return kept < 0 ? 0 : sequences[kept < oldest ? kept : oldest];
}

/* A segment ends before the next one begins; the one with the snapshot's own command stays. */
static void remove_old_segments(const data_dir *dir, unsigned shard, uint64_t needed_sequence)
{
    char path[DATA_DIR_PATH_SIZE];
    uint64_t *sequences;
    long count = data_dir_list(dir, shard, ".journal", &sequences);
    for (long i = 0; i + 1 < count && sequences[i + 1] <= needed_sequence; i++) {
        if (data_dir_journal_path(dir, shard, sequences[i], path)) {
            unlink(path);
        }
    }
    if (count >= 0) {
        free(sequences);
    }
}

/* Snapshots first, and for good, so that no segment goes that one which is left needs. */
static void remove_old(const data_dir *dir, unsigned shard, uint64_t keep_from)
{
    uint64_t *sequences;
    long count = data_dir_list(dir, shard, ".snapshot", &sequences);
    if (count < 0) {
        return;
    }
    if (count >= SNAPSHOTS_KEPT) {
        uint64_t needed = remove_old_snapshots(dir, shard, sequences, count, keep_from);
        if (data_dir_sync(dir, shard) == 0) {
            remove_old_segments(dir, shard, needed);
        }
    }
    free(sequences);
}

static int write_snapshot(const data_dir *dir, const books *b, uint32_t checksum, unsigned pace_us,
                          char *error, size_t error_size)
{
    snapshot_head head = {.sequence = b->sequence,
                          .time_ns = b->time_ns,
                          .previous = checksum,
                          .shard_count = dir->shards,
                          .state_hash = matching_engine_hash(b->engine),
                          .limits = b->limits};
    snapshot_writer *writer =
        snapshot_create(dir, b->limits.shard, &head, pace_us, error, error_size);
    if (writer == NULL) {
        return -EIO;
    }
    matching_state_output output = {.write = snapshot_write, .context = writer};
    books_save(b, &output); /* what went wrong, finish knows */
    return snapshot_finish(writer, error, error_size);
}

int books_snapshot(const data_dir *dir, unsigned shard, const recovery_options *options,
                   unsigned pace_us, uint64_t *sequence, char *error, size_t error_size)
{
    books b;
    recovery_result result;
    int failed = books_recover(&b, dir, shard, options, &result, error, error_size);
    if (failed != 0) {
        return failed;
    }
    *sequence = b.sequence;
    if (options->make_safe) {
        failed = journal_make_safe(dir, shard, &result.position, error, error_size);
    }
    if (failed == 0 && result.snapshot_sequence != b.sequence) {
        failed = write_snapshot(dir, &b, result.checksum, pace_us, error, error_size);
    }
    books_fini(&b);
    /* A bad one that was met counts for nothing: then all stays until there are two good ones. */
    if (failed == 0 && result.skipped[0] == 0) {
        remove_old(dir, shard, options->keep_from);
    }
    return failed;
}
