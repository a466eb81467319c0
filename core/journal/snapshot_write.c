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
#define PAGE 4096u /* all but the end is written in whole ones, as the disk likes it */
#define BUFFER (PAGE + sizeof(snapshot_block) + SNAPSHOT_BLOCK_BYTES + PAGE)

struct snapshot_writer {
    const data_dir *dir;
    unsigned shard, pace_us;
    int folder_fd; /* in which the file is made and gets its name; -1: not open */
    int fd;
    int failure;             /* errno of the first; 0: none */
    const char *failed_what; /* what that was */
    uint32_t head_checksum;
    uint32_t blocks;
    uint64_t before;   /* bytes in the blocks that are written */
    uint64_t position; /* in the file: a multiple of PAGE, where `bytes` goes */
    size_t waiting;    /* of `bytes`: what comes before the block, less than a page */
    size_t used;       /* of the block that is being filled */
    bool direct;       /* past the page cache: nobody reads it soon */
    char path[DATA_DIR_PATH_SIZE], tmp_path[DATA_DIR_PATH_SIZE + sizeof TMP];
    char *bytes; /* BUFFER of them, aligned: what waits, the block's head, its bytes */
};

static const char *name_in(const char *path)
{
    return strrchr(path, '/') + 1;
}

static bool fail(snapshot_writer *w, int error, const char *what)
{
    if (w->failure == 0) {
        w->failure = error != 0 ? error : EIO;
        w->failed_what = what;
    }
    return false;
}

/* Writes past the page cache from now on, or through it. False: this file cannot. */
static bool go_direct(snapshot_writer *w, bool direct)
{
    int flags = fcntl(w->fd, F_GETFL);
    w->direct = flags >= 0 &&
                fcntl(w->fd, F_SETFL, direct ? flags | O_DIRECT : flags & ~O_DIRECT) == 0 && direct;
    return w->direct == direct;
}

/* Writes so much of what is in the buffer. */
static bool write_pages(snapshot_writer *w, size_t size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t written = pwrite(w->fd, w->bytes + done, size - done, (off_t)(w->position + done));
        if (written < 0 && errno == EINVAL && w->direct && go_direct(w, false)) {
            continue; /* the flag was taken, the write is not, or no more after a short one */
        }
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return fail(w, written < 0 ? errno : ENOSPC, "write");
        }
        done += (size_t)written;
    }
    w->position += size;
    return true;
}

/* Writes the whole pages of what is ready; the rest waits for the next block. */
static bool write_ready(snapshot_writer *w, size_t ready)
{
    size_t whole = ready / PAGE * PAGE;
    if (!write_pages(w, whole)) {
        return false;
    }
    memmove(w->bytes, w->bytes + whole, ready - whole);
    w->waiting = ready - whole;
    return true;
}

/* So much goes to the disk at a time that a journal's sync beside it does not wait long. */
static void pace(const snapshot_writer *w, uint64_t from)
{
    if (w->pace_us == 0) {
        return;
    }
    if (!w->direct) {
        sync_file_range(w->fd, (off_t)from, (off_t)(w->position - from),
                        SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                            SYNC_FILE_RANGE_WAIT_AFTER); /* whether it worked is fsync's to say */
    }
    struct timespec rest = {.tv_sec = w->pace_us / 1000000,
                            .tv_nsec = w->pace_us % 1000000 * 1000L};
    nanosleep(&rest, NULL);
}

/* The block that was being filled, or with nothing in it the end. */
static bool write_block(snapshot_writer *w)
{
    uint64_t from = w->position;
    char *at = w->bytes + w->waiting;
    snapshot_block block = {.length = (uint32_t)w->used,
                            .number = w->blocks,
                            .head = w->head_checksum,
                            .before = w->before};
    memcpy(at, &block, sizeof block);
    block.checksum = checksum_crc32c(0, at, sizeof block + w->used);
    memcpy(at, &block, sizeof block);
    if (!write_ready(w, w->waiting + sizeof block + w->used)) {
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

static void put_head(snapshot_writer *w, const snapshot_head *head)
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
    memcpy(w->bytes, &out, sizeof out);
    w->waiting = sizeof out;
}

static void free_writer(snapshot_writer *w)
{
    if (w->folder_fd >= 0) {
        close(w->folder_fd);
    }
    free(w->bytes);
    free(w);
}

/* The reason in error, no file left, the writer freed. */
static int give_up(snapshot_writer *w, const char *path, char *error, size_t error_size)
{
    int failure = w->failure;
    snprintf(error, error_size, "%s: %s: %s", path, w->failed_what, strerror(failure));
    snapshot_abandon(w);
    return -failure;
}

/* A descriptor or a negative errno. Where it can be, the room of a superfluous one is written over:
 * nothing to be taken, and nothing to be freed. */
static int open_file(const snapshot_writer *w)
{
    const char *name = name_in(w->tmp_path);
    bool is_used = w->pace_us > 0 && removal_take_snapshot(w->folder_fd, name);
    int fd =
        openat(w->folder_fd, name, O_WRONLY | O_CREAT | (is_used ? 0 : O_TRUNC) | O_CLOEXEC, 0640);
    return fd >= 0 ? fd : -errno;
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
    w->fd = w->folder_fd = -1;
    w->bytes = aligned_alloc(PAGE, (BUFFER + PAGE - 1) / PAGE * PAGE);
    if (w->bytes == NULL) {
        snprintf(error, error_size, "no memory to write a snapshot");
        free(w);
        return NULL;
    }
    if (!data_dir_snapshot_path(dir, shard, head->sequence, w->path)) {
        snprintf(error, error_size, "%s: too long a path", dir->path);
        free_writer(w);
        return NULL;
    }
    snprintf(w->tmp_path, sizeof w->tmp_path, "%s" TMP, w->path);
    w->folder_fd = data_dir_open_shard(dir, shard);
    w->fd = w->folder_fd < 0 ? w->folder_fd : open_file(w);
    if (w->fd < 0) {
        fail(w, -w->fd, "open");
        give_up(w, w->tmp_path, error, error_size);
        return NULL;
    }
    go_direct(w, true);
    put_head(w, head);
    return w;
}

bool snapshot_write(void *writer, const void *bytes, size_t size)
{
    snapshot_writer *w = writer;
    const char *at = bytes;
    while (size > 0 && w->failure == 0) {
        size_t room = SNAPSHOT_BLOCK_BYTES - w->used, now = size < room ? size : room;
        memcpy(w->bytes + w->waiting + sizeof(snapshot_block) + w->used, at, now);
        w->used += now;
        at += now;
        size -= now;
        if (w->used == SNAPSHOT_BLOCK_BYTES) {
            write_block(w);
        }
    }
    return w->failure == 0;
}

/* The last page is written whole, and the file cut to what it has. */
static bool write_last_page(snapshot_writer *w)
{
    uint64_t size = w->position + w->waiting;
    memset(w->bytes + w->waiting, 0, PAGE - w->waiting);
    if (w->waiting > 0 && !write_pages(w, PAGE)) {
        return false;
    }
    int code = removal_shorten(w->fd, size, NULL);
    if (code != 0) {
        return fail(w, -code, "truncate");
    }
    return true;
}

static bool sync_and_close(snapshot_writer *w)
{
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
    if (!data_dir_is_in_place(w->dir)) {
        return fail(w, ESTALE, "rename"); /* what was replayed may be another's */
    }
    if (renameat(w->folder_fd, name_in(w->tmp_path), w->folder_fd, name_in(w->path)) != 0) {
        return fail(w, errno, "rename");
    }
    int code = data_dir_sync(w->dir, w->shard);
    if (code != 0) {
        unlinkat(w->folder_fd, name_in(w->path),
                 0); /* whether it would be there after a power cut is not known */
        return fail(w, -code, "fsync of its folder");
    }
    return true;
}

int snapshot_finish(snapshot_writer *w, char *error, size_t error_size)
{
    if (w->failure != 0 || (w->used > 0 && !write_block(w)) || !write_block(w) ||
        !write_last_page(w) || !sync_and_close(w) || !publish(w)) {
        return give_up(w, w->path, error, error_size);
    }
    free_writer(w);
    return 0;
}

void snapshot_abandon(snapshot_writer *w)
{
    if (w->fd >= 0) {
        close(w->fd);
    }
    unlinkat(w->folder_fd, name_in(w->tmp_path), 0);
    free_writer(w);
}
