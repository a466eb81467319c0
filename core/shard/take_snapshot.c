/* Snapshots from a data directory alone: replay, write, remove what is no longer needed. Nothing of
 * a running shard is looked at. See recovery.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal/removal.h"
#include "journal/snapshot.h"
#include "journal/writer.h"
#include "shard/recovery.h"

#define SNAPSHOTS_KEPT 2

/* The newest one from which keep_from can be reached (newest last); -1: there is none. */
static long find_kept(const uint64_t *sequences, long count, uint64_t keep_from)
{
    long kept = -1;
    for (long i = 0; i < count && sequences[i] <= keep_from; i++) {
        kept = i;
    }
    return kept;
}

/* Takes their names; newest last. */
static void remove_old_snapshots(const data_dir *dir, unsigned shard, const uint64_t *sequences,
                                 long count, long kept)
{
    char path[DATA_DIR_PATH_SIZE];
    for (long i = 0; i + SNAPSHOTS_KEPT < count; i++) {
        if (i != kept && data_dir_snapshot_path(dir, shard, sequences[i], path)) {
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
int books_remove_old(const data_dir *dir, unsigned shard, uint64_t keep_from, unsigned pace_us,
                     const atomic_bool *stop, char *error, size_t error_size)
{
    uint64_t *sequences;
    long count = data_dir_list(dir, shard, ".snapshot", &sequences);
    if (count < 0) {
        snprintf(error, error_size, "its folder: %s", strerror((int)-count));
        return (int)count;
    }
    if (count < SNAPSHOTS_KEPT) {
        free(sequences);
        return 0;
    }
    long oldest = count - SNAPSHOTS_KEPT, kept = find_kept(sequences, count, keep_from);
    oldest = kept < oldest ? kept : oldest; /* -1: commands before all of them are needed */
    uint64_t needed = sequences[count - SNAPSHOTS_KEPT];
    char why[DATA_DIR_PATH_SIZE + 256];
    snapshot_head head;
    if (pace_us > 0 && snapshot_verify(dir, shard, needed, pace_us, &head, why, sizeof why) != 0) {
        free(sequences); /* nobody has loaded it, and a bad one counts for nothing */
        snprintf(error, error_size, "%s", why);
        return -EBADMSG;
    }
    uint64_t from = oldest < 0 ? 0 : sequences[oldest];
    /* A journal that was cut short before is of use only together with the oldest. */
    remove_old_snapshots(dir, shard, sequences, count, kept < 0 ? 0 : kept);
    free(sequences);
    int failed = data_dir_sync(dir, shard);
    if (failed == 0) {
        remove_old_segments(dir, shard, from);
        failed = data_dir_sync(dir, shard);
    }
    if (failed == 0) {
        removal_give_back(dir, shard, pace_us > 0, stop);
    } else {
        snprintf(error, error_size, "syncing its folder: %s", strerror(-failed));
    }
    return failed;
}

/* Gives a write up once somebody wants that. */
typedef struct careful_output {
    snapshot_writer *writer;
    const atomic_bool *stop;
} careful_output;

static bool is_stopped(const atomic_bool *stop)
{
    return stop != NULL && atomic_load_explicit(stop, memory_order_relaxed);
}

static bool write_some(void *context, const void *bytes, size_t size)
{
    const careful_output *out = context;
    return !is_stopped(out->stop) && snapshot_write(out->writer, bytes, size);
}

static int write_snapshot(const data_dir *dir, const books *b, uint32_t checksum,
                          const recovery_options *options, char *error, size_t error_size)
{
    snapshot_head head = {.sequence = b->sequence,
                          .time_ns = b->time_ns,
                          .previous = checksum,
                          .shard_count = dir->shards,
                          .state_hash = matching_engine_hash(b->engine),
                          .limits = b->limits};
    snapshot_writer *writer =
        snapshot_create(dir, b->limits.shard, &head, options->pace_us, error, error_size);
    if (writer == NULL) {
        return -EIO;
    }
    careful_output to = {.writer = writer, .stop = options->stop};
    matching_state_output output = {.write = write_some, .context = &to};
    books_save(b, &output); /* what went wrong, finish knows */
    if (is_stopped(options->stop)) {
        snapshot_abandon(writer);
        return -ECANCELED;
    }
    return snapshot_finish(writer, error, error_size);
}

void books_forget(kept_books *kept)
{
    if (kept->are_there) {
        books_fini(&kept->books);
    }
    kept->are_there = false;
}

/* The books as they are after `until`, from those of the last time or from the directory alone. */
static int bring_up(kept_books *kept, const data_dir *dir, unsigned shard,
                    const recovery_options *options, char *error, size_t error_size)
{
    if (kept->are_there) {
        int failed =
            books_continue(&kept->books, dir, shard, options, &kept->at, error, error_size);
        if (failed == -ECANCELED || (failed == 0 && kept->books.sequence == options->until)) {
            return failed;
        }
        books_forget(kept);
    }
    int failed = books_recover(&kept->books, dir, shard, options, &kept->at, error, error_size);
    kept->are_there = failed == 0;
    return failed;
}

int books_snapshot(const data_dir *dir, unsigned shard, const recovery_options *options,
                   kept_books *kept, snapshot_made *made, char *error, size_t error_size)
{
    kept_books own = {.are_there = false};
    kept_books *it = kept != NULL ? kept : &own;
    int failed = bring_up(it, dir, shard, options, error, error_size);
    snprintf(made->skipped, sizeof made->skipped, "%s", it->at.skipped);
    if (failed != 0) {
        return failed;
    }
    made->sequence = it->books.sequence;
    if (options->make_safe) {
        failed = journal_make_safe(dir, shard, &it->at.position, error, error_size);
    }
    if (failed == 0 && it->at.snapshot_sequence != made->sequence) {
        failed = write_snapshot(dir, &it->books, it->at.checksum, options, error, error_size);
    }
    if (failed == 0) {
        it->at.snapshot_sequence = made->sequence;
    }
    if (kept == NULL || (failed != 0 && failed != -ECANCELED)) {
        books_forget(it);
    }
    return failed;
}
