/* Reads snapshots. A block's bytes are believed, and handed out, only once its checksum was found
 * right; the first trouble is kept and ends the reading.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "journal/checksum.h"
#include "journal/format.h"
#include "journal/snapshot.h"

#define NEWER_HELP "use the newer program, or move the file away"

struct snapshot_reader {
    int fd;
    uint64_t position, size; /* of the file */
    uint32_t head_checksum;
    uint32_t blocks;
    uint64_t before;     /* bytes in the blocks that were read, this one included */
    size_t used, length; /* of the bytes of this block */
    bool is_last;        /* the block was not full: only the end can follow */
    bool has_ended;      /* the end was read */
    unsigned pace_us;    /* of rest after each block */
    int code;            /* see snapshot_verify; 0: no trouble */
    char path[DATA_DIR_PATH_SIZE];
    char trouble[DATA_DIR_PATH_SIZE + 200];
    char bytes[SNAPSHOT_BLOCK_BYTES];
};

__attribute__((format(printf, 4, 5))) static bool fail(snapshot_reader *r, int code,
                                                       uint64_t offset, const char *format, ...)
{
    if (r->code != 0) {
        return false;
    }
    r->code = code;
    int length = snprintf(r->trouble, sizeof r->trouble, "%s: byte %" PRIu64 ": ", r->path, offset);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(r->trouble + length, sizeof r->trouble - (size_t)length, format, arguments);
    va_end(arguments);
    return false;
}

/* Exactly so much. */
static bool read_all(snapshot_reader *r, void *bytes, size_t size)
{
    char *at = bytes;
    while (size > 0) {
        ssize_t got = read(r->fd, at, size);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return fail(r, -errno, r->position, "%s", strerror(errno));
        }
        if (got == 0) {
            return fail(r, -EINVAL, r->position, "the file ends too early");
        }
        at += got;
        size -= (size_t)got;
        r->position += (size_t)got;
    }
    return true;
}

/* What a head says must go with where the file stands. The checksum comes first: only a head that
 * is as it was written can say that its version is a newer one. */
static bool check_head(snapshot_reader *r, snapshot_file_head *in, const data_dir *dir,
                       unsigned shard, uint64_t sequence)
{
    if (memcmp(in->magic, SNAPSHOT_MAGIC, sizeof in->magic) != 0) {
        return fail(r, -EINVAL, 0, "this is no snapshot");
    }
    r->head_checksum = in->checksum;
    in->checksum = 0;
    if (in->version == 0 || checksum_crc32c(0, in, sizeof *in) != r->head_checksum) {
        return fail(r, -EINVAL, 0, "the head's checksum is wrong");
    }
    if (in->version > SNAPSHOT_VERSION) {
        return fail(r, -EPROTO, offsetof(snapshot_file_head, version),
                    "it is of version %" PRIu32 "; this program reads up to %u: " NEWER_HELP,
                    in->version, SNAPSHOT_VERSION);
    }
    if (in->rules > JOURNAL_RULES) {
        return fail(r, -EPROTO, offsetof(snapshot_file_head, rules),
                    "it is of version %" PRIu32
                    " of the matching rules; this program reads up to %u: " NEWER_HELP,
                    in->rules, JOURNAL_RULES);
    }
    if (in->shard != shard || in->shard_count != dir->shards || in->sequence != sequence) {
        return fail(r, -EINVAL, offsetof(snapshot_file_head, shard),
                    "it is of shard %" PRIu32 " of %" PRIu32 ", sequence %" PRIu64
                    ": not what its name says",
                    in->shard, in->shard_count, in->sequence);
    }
    return true;
}

static bool read_head(snapshot_reader *r, const data_dir *dir, unsigned shard, uint64_t sequence,
                      snapshot_head *head)
{
    snapshot_file_head in;
    if (!read_all(r, &in, sizeof in) || !check_head(r, &in, dir, shard, sequence)) {
        return false;
    }
    *head = (snapshot_head){.sequence = in.sequence,
                            .time_ns = in.time_ns,
                            .previous = in.previous,
                            .shard_count = in.shard_count,
                            .state_hash = in.state_hash,
                            .limits = {.instruments = in.instruments,
                                       .shard = in.shard,
                                       .shard_bits = in.shard_bits,
                                       .max_orders = in.max_orders,
                                       .max_levels = in.max_levels,
                                       .max_traders = in.max_traders,
                                       .retained_orders = in.retained_orders}};
    return true;
}

/* The file's path and its descriptor. */
static bool open_file(snapshot_reader *r, const data_dir *dir, unsigned shard, uint64_t sequence)
{
    if (!data_dir_snapshot_path(dir, shard, sequence, r->path)) {
        return fail(r, -ENAMETOOLONG, 0, "too long a path");
    }
    struct stat status;
    r->fd = open(r->path, O_RDONLY | O_CLOEXEC);
    if (r->fd < 0 || fstat(r->fd, &status) != 0) {
        return fail(r, -errno, 0, "%s", strerror(errno));
    }
    r->size = (uint64_t)status.st_size;
    posix_fadvise(r->fd, 0, 0, r->pace_us > 0 ? POSIX_FADV_RANDOM : POSIX_FADV_SEQUENTIAL);
    return true;
}

/* NULL: *code says why. */
static snapshot_reader *open_reader(const data_dir *dir, unsigned shard, uint64_t sequence,
                                    unsigned pace_us, snapshot_head *head, int *code, char *error,
                                    size_t error_size)
{
    snapshot_reader *r = malloc(sizeof *r);
    if (r == NULL) {
        *code = -ENOMEM;
        snprintf(error, error_size, "no memory to read a snapshot");
        return NULL;
    }
    memset(r, 0, offsetof(snapshot_reader, bytes));
    r->fd = -1;
    r->pace_us = pace_us;
    if (!open_file(r, dir, shard, sequence) || !read_head(r, dir, shard, sequence, head)) {
        *code = r->code;
        snprintf(error, error_size, "%s", r->trouble);
        snapshot_close(r);
        return NULL;
    }
    return r;
}

snapshot_reader *snapshot_open(const data_dir *dir, unsigned shard, uint64_t sequence,
                               unsigned pace_us, snapshot_head *head, char *error,
                               size_t error_size)
{
    int code;
    return open_reader(dir, shard, sequence, pace_us, head, &code, error, error_size);
}

static void rest(const snapshot_reader *r)
{
    const struct timespec pause = {.tv_sec = r->pace_us / 1000000,
                                   .tv_nsec = r->pace_us % 1000000 * 1000L};
    if (r->pace_us > 0) {
        nanosleep(&pause, NULL);
    }
}

/* The next block, or the end, which has no bytes. */
static bool read_block(snapshot_reader *r)
{
    uint64_t at = r->position;
    snapshot_block block;
    if (r->code != 0 || !read_all(r, &block, sizeof block)) {
        return false;
    }
    if (block.length > SNAPSHOT_BLOCK_BYTES || block.number != r->blocks ||
        block.head != r->head_checksum || block.before != r->before ||
        (r->is_last && block.length != 0)) {
        return fail(r, -EINVAL, at, "this is not the block that belongs here");
    }
    if (!read_all(r, r->bytes, block.length)) {
        return false;
    }
    uint32_t wanted = block.checksum;
    block.checksum = 0;
    uint32_t found = checksum_crc32c(0, &block, sizeof block);
    if (checksum_crc32c(found, r->bytes, block.length) != wanted) {
        return fail(r, -EINVAL, at, "the block's checksum is wrong");
    }
    r->blocks++;
    r->before += block.length;
    r->used = 0;
    r->length = block.length;
    r->is_last = block.length < SNAPSHOT_BLOCK_BYTES;
    r->has_ended = block.length == 0;
    rest(r);
    return true;
}

bool snapshot_read(void *reader, void *bytes, size_t size)
{
    snapshot_reader *r = reader;
    char *at = bytes;
    while (size > 0) {
        if (r->used == r->length) {
            uint64_t begin = r->position;
            if (!read_block(r)) {
                return false;
            }
            if (r->has_ended) {
                return fail(r, -EINVAL, begin, "it holds less than its own counts say");
            }
        }
        size_t has = r->length - r->used, now = size < has ? size : has;
        memcpy(at, r->bytes + r->used, now);
        r->used += now;
        at += now;
        size -= now;
    }
    return true;
}

static bool is_all(snapshot_reader *r)
{
    return r->code == 0 &&
           (r->position == r->size ||
            fail(r, -EINVAL, r->position, "something follows the end of the snapshot"));
}

bool snapshot_at_end(snapshot_reader *r)
{
    uint64_t begin = r->position;
    if (r->used == r->length && !read_block(r)) {
        return false;
    }
    return r->has_ended ? is_all(r)
                        : fail(r, -EINVAL, begin, "it holds more than its own counts say");
}

int snapshot_verify(const data_dir *dir, unsigned shard, uint64_t sequence, unsigned pace_us,
                    snapshot_head *head, char *error, size_t error_size)
{
    int code = 0;
    snapshot_reader *r = open_reader(dir, shard, sequence, pace_us, head, &code, error, error_size);
    if (r == NULL) {
        return code;
    }
    while (!r->has_ended && read_block(r)) {
        continue;
    }
    if (!is_all(r)) {
        snprintf(error, error_size, "%s", r->trouble);
    }
    code = r->code;
    posix_fadvise(r->fd, 0, 0, POSIX_FADV_DONTNEED); /* nobody reads it again soon */
    snapshot_close(r);
    return code;
}

/* One that is bad or gone is not newer. */
int snapshot_check_version(const data_dir *dir, unsigned shard, uint64_t sequence, char *error,
                           size_t error_size)
{
    int code = 0;
    snapshot_head head;
    snapshot_reader *r = open_reader(dir, shard, sequence, 0, &head, &code, error, error_size);
    if (r != NULL) {
        snapshot_close(r);
    }
    return code == -EPROTO || code == -ENOMEM ? code : 0;
}

int snapshot_check_versions(const data_dir *dir, unsigned shard, uint64_t until, char *error,
                            size_t error_size)
{
    uint64_t *sequences;
    long count = data_dir_list(dir, shard, DATA_DIR_SNAPSHOT, &sequences);
    int code = 0;
    for (long i = 0; i < count && code == 0 && (until == 0 || sequences[i] <= until); i++) {
        code = snapshot_check_version(dir, shard, sequences[i], error, error_size);
    }
    free(sequences);
    return code;
}

const char *snapshot_trouble(const snapshot_reader *r)
{
    return r->trouble;
}

void snapshot_progress(const snapshot_reader *r, uint64_t *done, uint64_t *all)
{
    *done = r->position;
    *all = r->size;
}

void snapshot_close(snapshot_reader *r)
{
    if (r->fd >= 0) {
        close(r->fd);
    }
    free(r);
}
