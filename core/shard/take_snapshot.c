/* Snapshots from a data directory alone: replay, write, remove what is no longer needed. Nothing of
 * a running shard is looked at. See recovery.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "journal/removal.h"
#include "journal/snapshot.h"
#include "journal/writer.h"
#include "shard/recovery.h"

#define SNAPSHOTS_KEPT 2

/* Takes their names; newest last. */
static void remove_old_snapshots(const data_dir *dir, unsigned shard, const uint64_t *sequences,
                                 long count)
{
    char path[DATA_DIR_PATH_SIZE];
    for (long i = 0; i + SNAPSHOTS_KEPT < count; i++) {
        if (data_dir_snapshot_path(dir, shard, sequences[i], path)) {
            removal_rename(path);
        }
    }
}

/* A segment ends before the next one begins; the one with the snapshot's own command stays. */
static void remove_old_segments(const data_dir *dir, unsigned shard, uint64_t needed_sequence)
{
    char path[DATA_DIR_PATH_SIZE];
    uint64_t *sequences;
    long count = data_dir_list(dir, shard, ".journal", &sequences);
    for (long i = 0; i + 1 < count && sequences[i + 1] <= needed_sequence; i++) {
        if (data_dir_journal_path(dir, shard, sequences[i], path)) {
            removal_rename(path);
        }
    }
    if (count >= 0) {
        free(sequences);
    }
}

/* Snapshots first, and for good, so that no segment goes that one which is left needs. Contents go
 * after the names have gone for good. */
int books_remove_old(const data_dir *dir, unsigned shard, bool gently, const atomic_bool *stop)
{
    uint64_t *sequences;
    long count = data_dir_list(dir, shard, ".snapshot", &sequences);
    if (count < SNAPSHOTS_KEPT) {
        free(sequences);
        return count < 0 ? (int)count : 0;
    }
    uint64_t needed = sequences[count - SNAPSHOTS_KEPT];
    remove_old_snapshots(dir, shard, sequences, count);
    free(sequences);
    int failed = data_dir_sync(dir, shard);
    if (failed == 0) {
        remove_old_segments(dir, shard, needed);
        failed = data_dir_sync(dir, shard);
    }
    if (failed == 0) {
        removal_give_back(dir, shard, gently, stop);
    }
    return failed;
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
                   unsigned pace_us, snapshot_made *made, char *error, size_t error_size)
{
    books b;
    recovery_result result;
    int failed = books_recover(&b, dir, shard, options, &result, error, error_size);
    snprintf(made->skipped, sizeof made->skipped, "%s", result.skipped);
    if (failed != 0) {
        return failed;
    }
    made->sequence = b.sequence;
    if (options->make_safe) {
        failed = journal_make_safe(dir, shard, &result.position, error, error_size);
    }
    if (failed == 0 && result.snapshot_sequence != b.sequence) {
        failed = write_snapshot(dir, &b, result.checksum, pace_us, error, error_size);
    }
    books_fini(&b);
    return failed;
}
