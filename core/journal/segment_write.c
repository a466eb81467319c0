/* Segments as files: how one begins, how an old one is continued, and writes that are whole.
 *
 * A file gets its name as a segment only when its zeros and its header are on disk, and the caller
 * begins one only when the segment before it is: whatever has a name is complete, but for the end
 * of the last one.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "journal/codec.h"
#include "journal/writer_internal.h"

#define PUSH_BYTES (1u << 18)
#define PAGE 4096u /* of memory, or a part of one; segments are a multiple of it */

static int trouble_is(char *trouble, size_t size, int code, const char *path, const char *what)
{
    snprintf(trouble, size, "%s: %s: %s", path, what, strerror(-code));
    return code;
}

int segment_write(int fd, const void *bytes, size_t size, uint64_t offset)
{
    const char *at = bytes;
    while (size > 0) {
        ssize_t written = pwrite(fd, at, size, (off_t)offset);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return written < 0 ? -errno : -EIO;
        }
        at += written;
        offset += (uint64_t)written;
        size -= (size_t)written;
    }
    return 0;
}

/* The zeros of a segment are on disk but not in memory: to write a part of a page that was not
 * written to yet, the system would have to read it first. So the zeros behind the last record are
 * written with it, to the end of its page. A page that was begun by the write before is at hand. */
static size_t zeros_behind(const segment *s, size_t size)
{
    uint64_t end = s->offset + size, page = end / PAGE * PAGE;
    if (page == end || page < s->offset) {
        return 0;
    }
    return (size_t)((page + PAGE < s->size ? page + PAGE : s->size) - end);
}

static int write_through_cache(segment *s, const journal_record *claim, const void *records,
                               size_t size)
{
    static const char zeros[PAGE];
    struct iovec parts[3] = {
        {.iov_base = (void *)(uintptr_t)claim, .iov_len = sizeof *claim},
        {.iov_base = (void *)(uintptr_t)records, .iov_len = size},
        {.iov_base = (void *)(uintptr_t)zeros, .iov_len = zeros_behind(s, sizeof *claim + size)}};
    ssize_t written;
    do {
        written = pwritev(s->fd, parts, 3, (off_t)s->offset);
    } while (written < 0 && errno == EINTR);
    if (written < 0) {
        return -errno;
    }
    /* A short write is rare: its rest goes part by part, without the zeros. */
    size_t done = (size_t)written < sizeof *claim + size ? (size_t)written : sizeof *claim + size;
    if (done < sizeof *claim) {
        int code = segment_write(s->fd, (const char *)claim + done, sizeof *claim - done,
                                 s->offset + done);
        if (code < 0) {
            return code;
        }
        done = sizeof *claim;
    }
    size_t from = done - sizeof *claim;
    int code = segment_write(s->fd, (const char *)records + from, size - from, s->offset + done);
    if (code == 0) {
        s->offset += sizeof *claim + size;
    }
    return code;
}

/* ---- Large writes past the page cache -------------------------------------------------------- */

/* In the cache a page has to be found for each page of the file, filled, and given to the disk.
 * That costs more than all else that is done for a large write, so these are put together in memory
 * that is used over and over. Small ones stay with the cache, where who follows the journal finds
 * them. Between the two sizes it goes on as before: each change costs a read. */
#define LARGE_UNTIL 16384u

static int set_direct(segment *s, bool direct)
{
    int flags = fcntl(s->fd, F_GETFL);
    if (flags < 0 || fcntl(s->fd, F_SETFL, direct ? flags | O_DIRECT : flags & ~O_DIRECT) != 0) {
        return -errno;
    }
    s->is_direct = direct;
    return 0;
}

/* The page that is begun is written again as a whole, so its beginning has to be known. */
static bool read_last_page(segment *s)
{
    size_t wanted = s->offset % PAGE;
    ssize_t got;
    do {
        got = pread(s->fd, s->large, wanted, (off_t)(s->offset - wanted));
    } while (got < 0 && errno == EINTR);
    return got == (ssize_t)wanted;
}

/* Whole pages only, and none behind the end of the file. */
static bool is_large(const segment *s, size_t size)
{
    return s->large != NULL && size >= (s->is_direct ? LARGE_UNTIL : LARGE_FROM) &&
           s->offset + size <= s->size / PAGE * PAGE;
}

/* Adds bytes to what is put together; what fills the memory is written. */
static int put_large(segment *s, uint64_t *page, size_t *held, const void *bytes, size_t size)
{
    const char *at = bytes;
    while (size > 0) {
        size_t now = LARGE_BUFFER - *held < size ? LARGE_BUFFER - *held : size;
        memcpy(s->large + *held, at, now);
        at += now;
        size -= now;
        *held += now;
        if (*held == LARGE_BUFFER) {
            int code = segment_write(s->fd, s->large, LARGE_BUFFER, *page);
            if (code < 0) {
                return code;
            }
            *page += LARGE_BUFFER;
            *held = 0;
        }
    }
    return 0;
}

static int write_large(segment *s, const journal_record *claim, const void *records, size_t size)
{
    uint64_t page = s->offset / PAGE * PAGE;
    size_t held = (size_t)(s->offset - page);
    int code = put_large(s, &page, &held, claim, sizeof *claim);
    if (code == 0) {
        code = put_large(s, &page, &held, records, size);
    }
    if (code < 0) {
        return code;
    }
    size_t full = held / PAGE * PAGE, pages = full == held ? full : full + PAGE;
    memset(s->large + held, 0, pages - held);
    code = segment_write(s->fd, s->large, pages, page);
    if (code == 0) {
        memmove(s->large, s->large + full, held - full);
        s->offset += sizeof *claim + size;
    }
    return code;
}

/* Begins or ends writing past the page cache, as this write wants it. */
static int choose_way(segment *s, size_t size)
{
    bool large = is_large(s, size);
    if (large == s->is_direct) {
        return 0;
    }
    if (!large) {
        return set_direct(s, false);
    }
    if (!read_last_page(s) || set_direct(s, true) != 0) {
        s->large = NULL; /* this file cannot */
    }
    return 0;
}

int segment_write_claimed(segment *s, const journal_record *claim, const void *records, size_t size)
{
    int code = choose_way(s, sizeof *claim + size);
    if (code == 0 && s->is_direct) {
        code = write_large(s, claim, records, size);
        if (code != -EINVAL) {
            return code;
        }
        s->large = NULL; /* a file system may take the flag and refuse the write */
        code = set_direct(s, false);
    }
    return code < 0 ? code : write_through_cache(s, claim, records, size);
}

int segment_sync(int fd)
{
    int code;
    do {
        code = fdatasync(fd) == 0 ? 0 : -errno;
    } while (code == -EINTR); /* it did not finish; any other failure is final */
    return code;
}

void segment_push(segment *s)
{
    uint64_t to = s->offset / PAGE * PAGE; /* the page that is begun is written once more anyway */
    if (to >= s->pushed + PUSH_BYTES) {
        sync_file_range(s->fd, (off_t)s->pushed, (off_t)(to - s->pushed),
                        SYNC_FILE_RANGE_WRITE); /* whether it works is the sync's to say */
        s->pushed = to;
    }
}

static int write_header(const journal *j, int fd, uint64_t size, uint64_t first_sequence,
                        uint32_t previous)
{
    _Alignas(JOURNAL_ALIGN) char page[JOURNAL_RECORDS_AT];
    journal_make_header(page, j->shard, j->dir->shards, first_sequence, previous, size,
                        journal_unix_ns());
    int code = segment_write(fd, page, sizeof page, 0);
    return code < 0 ? code : segment_sync(fd);
}

static int sync_folder(int folder_fd)
{
    int code;
    do {
        code = fsync(folder_fd) == 0 ? 0 : -errno;
    } while (code == -EINTR); /* it did not finish; any other failure is final */
    return code;
}

int segment_begin(const journal *j, int fd, uint64_t size, uint64_t first_sequence,
                  uint32_t previous, segment *out, char *trouble, size_t trouble_size)
{
    char from[DATA_DIR_PATH_SIZE], to[DATA_DIR_PATH_SIZE];
    if (!data_dir_file_path(j->dir, j->shard, SEGMENT_SPARE, from) ||
        !data_dir_journal_path(j->dir, j->shard, first_sequence, to)) {
        return trouble_is(trouble, trouble_size, -ENAMETOOLONG, j->dir->path, "no name");
    }
    if (!data_dir_is_in_place(j->dir)) {
        return trouble_is(trouble, trouble_size, -ESTALE, to, SEGMENT_MOVED);
    }
    int code = write_header(j, fd, size, first_sequence, previous);
    if (code < 0) {
        return trouble_is(trouble, trouble_size, code, from, "writing the header");
    }
    if (renameat(j->folder_fd, SEGMENT_SPARE, j->folder_fd, strrchr(to, '/') + 1) != 0) {
        return trouble_is(trouble, trouble_size, -errno, to, "giving the segment its name");
    }
    code = sync_folder(j->folder_fd);
    if (code < 0) {
        return trouble_is(trouble, trouble_size, code, to, "syncing its folder");
    }
    *out = (segment){.fd = fd,
                     .size = size,
                     .offset = JOURNAL_RECORDS_AT,
                     .first_sequence = first_sequence,
                     .pushed = JOURNAL_RECORDS_AT,
                     .large = j->large};
    return 0;
}

/* After a sync that failed the system may take for clean what never reached the disk: it can be
 * read, and another sync does nothing about it. Only what is written again is. */
static int write_again(int fd, uint64_t from, uint64_t to)
{
    char bytes[1 << 16];
    while (from < to) {
        size_t size = to - from < sizeof bytes ? (size_t)(to - from) : sizeof bytes;
        ssize_t got = pread(fd, bytes, size, (off_t)from);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        int code = got > 0 ? segment_write(fd, bytes, (size_t)got, from) : got < 0 ? -errno : -EIO;
        if (code < 0) {
            return code;
        }
        from += (uint64_t)got;
    }
    return 0;
}

/* A process that was killed may have written more than it synced, and named what it did not. */
static int sync_what_is_there(int fd, int folder_fd, struct stat *file)
{
    if (fsync(fd) != 0 || fstat(fd, file) != 0) {
        return -errno;
    }
    return sync_folder(folder_fd);
}

int segment_continue(const data_dir *dir, unsigned shard, int folder_fd, const journal_position *at,
                     segment *out, char *trouble, size_t trouble_size)
{
    char path[DATA_DIR_PATH_SIZE];
    if (!data_dir_journal_path(dir, shard, at->first_sequence, path)) {
        return trouble_is(trouble, trouble_size, -ENAMETOOLONG, dir->path, "no name");
    }
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        return trouble_is(trouble, trouble_size, -errno, path, "opening");
    }
    struct stat file;
    uint64_t from = at->safe_offset < JOURNAL_RECORDS_AT ? JOURNAL_RECORDS_AT : at->safe_offset;
    int code = write_again(fd, from, at->offset);
    code = code < 0 ? code : sync_what_is_there(fd, folder_fd, &file);
    if (code == 0 && (at->offset < JOURNAL_RECORDS_AT || at->offset > (uint64_t)file.st_size)) {
        code = -EINVAL;
    }
    if (code < 0) {
        close(fd);
        return trouble_is(trouble, trouble_size, code, path, "making safe what is there");
    }
    *out = (segment){.fd = fd,
                     .size = (uint64_t)file.st_size,
                     .offset = at->offset,
                     .first_sequence = at->first_sequence,
                     .pushed = at->offset};
    return 0;
}

int journal_make_safe(const data_dir *dir, unsigned shard, const journal_position *at, char *error,
                      size_t error_size)
{
    char folder[DATA_DIR_PATH_SIZE];
    if (at->first_sequence == 0) {
        return 0; /* there is no segment yet */
    }
    if (!data_dir_shard_path(dir, shard, folder)) {
        return trouble_is(error, error_size, -ENAMETOOLONG, dir->path, "no name");
    }
    int folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder_fd < 0) {
        return trouble_is(error, error_size, -errno, folder, "opening");
    }
    segment last;
    int code = segment_continue(dir, shard, folder_fd, at, &last, error, error_size);
    close(folder_fd);
    return code < 0 || close(last.fd) == 0
               ? code
               : trouble_is(error, error_size, -errno, folder, "closing");
}
