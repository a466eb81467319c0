/* Writes snapshots. Nothing has the file's name before all of it is on disk: it is written beside
 * it (.tmp, which the next start deletes), synced, renamed, and the folder synced. After a failure
 * nothing more is written, and an fsync is never tried twice.
 */
#define _GNU_SOURCE
#include "journal/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "journal/checksum.h"
#include "journal/format.h"
#include "journal/removal.h"

#define TMP ".tmp"

struct snapshot_writer {
    const data_dir *dir;
    unsigned shard, pace_us;
    int fd;
    int failure;             /* errno of the first; 0: none */
    const char *failed_what; /* what that was */
    uint32_t head_checksum;
    uint32_t blocks;
    uint64_t before;   /* bytes in the blocks that are written */
    uint64_t position; /* in the file */
    size_t used;       /* of the block that is being filled */
    char path[DATA_DIR_PATH_SIZE], tmp_path[DATA_DIR_PATH_SIZE + sizeof TMP];
    /* The head stands right before its bytes, so that both are written at once. */
    snapshot_block block;
    char bytes[SNAPSHOT_BLOCK_BYTES];
};

_Static_assert(offsetof(struct snapshot_writer, bytes) ==
                   offsetof(struct snapshot_writer, block) + sizeof(snapshot_block),
               "see there");

static bool fail(snapshot_writer *w, int error, const char *what)
{
    if (w->failure == 0) {
        w->failure = error != 0 ? error : EIO;
        w->failed_what = what;
    }
    return false;
}

static bool write_all(snapshot_writer *w, const void *bytes, size_t size)
{
    const char *at = bytes;
    while (size > 0) {
        ssize_t written = write(w->fd, at, size);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return fail(w, written < 0 ? errno : ENOSPC, "write");
        }
        at += written;
        size -= (size_t)written;
        w->position += (size_t)written;
    }
    return true;
}

/* So much goes to the disk at a time that a journal's sync beside it does not wait long. */
static void pace(const snapshot_writer *w, uint64_t from)
{
    if (w->pace_us == 0) {
        return;
    }
    sync_file_range(w->fd, (off_t)from, (off_t)(w->position - from),
                    SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                        SYNC_FILE_RANGE_WAIT_AFTER); /* whether it worked is fsync's to say */
    struct timespec rest = {.tv_sec = w->pace_us / 1000000,
                            .tv_nsec = w->pace_us % 1000000 * 1000L};
    nanosleep(&rest, NULL);
}

/* The block that was being filled, or with nothing in it the end. */
static bool write_block(snapshot_writer *w)
{
    uint64_t from = w->position;
    w->block = (snapshot_block){.length = (uint32_t)w->used,
                                .number = w->blocks,
                                .head = w->head_checksum,
                                .before = w->before};
    w->block.checksum = checksum_crc32c(0, &w->block, sizeof w->block + w->used);
    if (!write_all(w, &w->block, sizeof w->block + w->used)) {
        return false;
    }
    pace(w, from);
    w->blocks++;
    w->before += w->used;
    w->used = 0;
    return true;
}

static uint64_t unix_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static bool write_head(snapshot_writer *w, const snapshot_head *head)
{
    const matching_engine_limits *limits = &head->limits;
    snapshot_file_head out = {.magic = SNAPSHOT_MAGIC,
                              .version = SNAPSHOT_VERSION,
                              .rules = JOURNAL_RULES,
                              .shard = w->shard,
                              .shard_count = head->shard_count,
                              .previous = head->previous,
                              .sequence = head->sequence,
                              .time_ns = head->time_ns,
                              .state_hash = head->state_hash,
                              .created_ns = unix_ns(),
                              .instruments = limits->instruments,
                              .shard_bits = limits->shard_bits,
                              .max_orders = limits->max_orders,
                              .max_levels = limits->max_levels,
                              .max_traders = limits->max_traders,
                              .retained_orders = limits->retained_orders};
    w->head_checksum = out.checksum = checksum_crc32c(0, &out, sizeof out);
    return write_all(w, &out, sizeof out);
}

/* The reason in error, no file left, the writer freed. */
static int give_up(snapshot_writer *w, const char *path, char *error, size_t error_size)
{
    int failure = w->failure;
    snprintf(error, error_size, "%s: %s: %s", path, w->failed_what, strerror(failure));
    snapshot_abandon(w);
    return -failure;
}

snapshot_writer *snapshot_create(const data_dir *dir, unsigned shard, const snapshot_head *head,
                                 unsigned pace_us, char *error, size_t error_size)
{
    snapshot_writer *w = calloc(1, sizeof *w);
    if (w == NULL) {
        snprintf(error, error_size, "no memory to write a snapshot");
        return NULL;
    }
    w->dir = dir;
    w->shard = shard;
    w->pace_us = pace_us;
    w->fd = -1;
    if (!data_dir_snapshot_path(dir, shard, head->sequence, w->path)) {
        snprintf(error, error_size, "%s: too long a path", dir->path);
        free(w);
        return NULL;
    }
    snprintf(w->tmp_path, sizeof w->tmp_path, "%s" TMP, w->path);
    /* The room of a superfluous one, written over: nothing to be taken, and nothing to be freed. */
    bool is_used = pace_us > 0 && removal_take_snapshot(dir, shard, w->tmp_path);
    w->fd = open(w->tmp_path, O_WRONLY | O_CREAT | (is_used ? 0 : O_TRUNC) | O_CLOEXEC, 0640);
    if (w->fd < 0) {
        fail(w, errno, "open");
    }
    if (w->failure != 0 || !write_head(w, head)) {
        give_up(w, w->tmp_path, error, error_size);
        return NULL;
    }
    return w;
}

bool snapshot_write(void *writer, const void *bytes, size_t size)
{
    snapshot_writer *w = writer;
    const char *at = bytes;
    while (size > 0 && w->failure == 0) {
        size_t room = SNAPSHOT_BLOCK_BYTES - w->used, now = size < room ? size : room;
        memcpy(w->bytes + w->used, at, now);
        w->used += now;
        at += now;
        size -= now;
        if (w->used == SNAPSHOT_BLOCK_BYTES) {
            write_block(w);
        }
    }
    return w->failure == 0;
}

static bool sync_and_close(snapshot_writer *w)
{
    int code = removal_shorten(w->fd, w->position, NULL);
    if (code != 0) {
        return fail(w, -code, "truncate");
    }
    if (fsync(w->fd) != 0) {
        return fail(w, errno, "fsync");
    }
    int fd = w->fd;
    w->fd = -1;
    return close(fd) == 0 || fail(w, errno, "close");
}

/* The file gets its name, for good. */
static bool publish(snapshot_writer *w)
{
    if (rename(w->tmp_path, w->path) != 0) {
        return fail(w, errno, "rename");
    }
    int code = data_dir_sync(w->dir, w->shard);
    if (code != 0) {
        unlink(w->path); /* whether it would be there after a power cut is not known */
        return fail(w, -code, "fsync of its folder");
    }
    return true;
}

int snapshot_finish(snapshot_writer *w, char *error, size_t error_size)
{
    if (w->failure != 0 || (w->used > 0 && !write_block(w)) || !write_block(w) ||
        !sync_and_close(w) || !publish(w)) {
        return give_up(w, w->path, error, error_size);
    }
    free(w);
    return 0;
}

void snapshot_abandon(snapshot_writer *w)
{
    if (w->fd >= 0) {
        close(w->fd);
    }
    unlink(w->tmp_path);
    free(w);
}
