/* The next segment's file, made while the present one fills: zeros that are really written, so that
 * later writes change neither its size nor where it lies on the disk, and fdatasync has one thing
 * to do.
 *
 * All of this shares the disk with the journal itself. So it goes in pieces, each pushed to the
 * disk before the next: small ones with rests in between, without rests when the present segment
 * fills fast, large ones when somebody waits. They go past the page cache where the file system can
 * do that: nobody reads them, and copying zeros costs more than writing them. A full disk is
 * nobody's failure while the present segment has room. Too many open files never are: connections
 * come and go, so it waits for its turn. Anything else that goes wrong is the journal's.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "journal/removal.h"
#include "journal/writer_internal.h"

#define PIECE_AT_EASE 65536u   /* a larger one holds up a processor for longer than a sync takes */
#define PIECE_DIRECT 262144u   /* without copying, each write costs more than its bytes */
#define PIECE_FORGOTTEN 524288 /* of a full segment's memory, 0.1 ms; a whole number of pages */
#define REST_NS 2000000ull     /* after a piece when there is time */
#define TRY_AGAIN_NS 1000000000ull /* after the disk was full, or no file could be opened */
#define LEAD 2                     /* the spare grows at least so many times as fast */

void preparer_clean(const journal *j)
{
    if (j->folder_fd >= 0 && data_dir_is_in_place(j->dir)) { /* else what is there is another's */
        removal_clean(j->dir, j->shard);
        unlinkat(j->folder_fd, SEGMENT_SPARE, 0);
    }
}

/* Is the present segment filling faster than the spare? */
static bool is_behind(journal *j, uint64_t done, uint64_t size)
{
    uint64_t used = atomic_load_explicit(&j->present_bytes, memory_order_relaxed);
    uint64_t of = atomic_load_explicit(&j->present_size, memory_order_relaxed);
    return of > 0 && (double)done / (double)size < LEAD * (double)used / (double)of;
}

/* Lets some time pass if there is any. Returns how many bytes are to be written then. */
static uint64_t rest(journal *j, uint64_t done, uint64_t size, uint64_t at_ease)
{
    uint64_t until = journal_monotonic_ns() + REST_NS;
    for (;;) {
        uint32_t seen = doorbell_seen(&j->preparer_bell);
        uint64_t now = journal_monotonic_ns();
        if (atomic_load(&j->hurry)) {
            return PIECE;
        }
        if (now >= until || is_behind(j, done, size) || atomic_load(&j->preparer_stopping)) {
            return at_ease;
        }
        doorbell_wait(&j->preparer_bell, seen, until - now);
    }
}

/* Waits for the piece to be on its way to the disk, so that it never holds up a sync of the journal
 * for long. The call would tell of a failed write only once, so it counts; a file system that does
 * not know it does without. */
static int push(int fd, uint64_t offset, uint64_t size)
{
    unsigned how = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
    if (sync_file_range(fd, (off_t)offset, (off_t)size, how) == 0 || errno == EINTR ||
        errno == EINVAL || errno == ENOSYS || errno == ESPIPE) {
        return 0;
    }
    return -errno;
}

/* Takes the room first, in one piece if there is one: a full disk shows before anything is written
 * to it. A file system that cannot do that shows it later. */
static int reserve(int fd, uint64_t size)
{
    while (fallocate(fd, 0, 0, (off_t)size) != 0) {
        if (errno != EINTR) {
            return errno == EOPNOTSUPP || errno == ENOSYS ? 0 : -errno;
        }
    }
    return 0;
}

/* Writes past the page cache from now on, or through it again. False: this file cannot. */
static bool go_direct(int fd, bool direct)
{
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && fcntl(fd, F_SETFL, direct ? flags | O_DIRECT : flags & ~O_DIRECT) == 0;
}

/* A file system may take the flag and refuse the write, or want another alignment. */
static int write_piece(journal *j, int fd, uint64_t size, uint64_t at, bool *direct)
{
    int code = segment_write(fd, j->zeros, size, at);
    if (code == -EINVAL && *direct) {
        *direct = false;
        go_direct(fd, false);
        code = segment_write(fd, j->zeros, size, at);
    }
    return code;
}

static int write_zeros(journal *j, bool paced, int fd, uint64_t size)
{
    int code = reserve(fd, size);
    if (code < 0) {
        return code;
    }
    bool direct = go_direct(fd, true);
    for (uint64_t at = 0, piece; at < size; at += piece) {
        piece = paced ? rest(j, at, size, direct ? PIECE_DIRECT : PIECE_AT_EASE) : PIECE;
        piece = size - at < piece ? size - at : piece;
        if (atomic_load(&j->preparer_stopping)) {
            return -ECANCELED;
        }
        code = write_piece(j, fd, piece, at, &direct);
        if (code == 0 && paced && !direct) {
            code = push(fd, at, piece);
        }
        if (code < 0) {
            return code;
        }
    }
    if (direct && !go_direct(fd, false)) {
        return -errno; /* records are not aligned */
    }
    do {
        code = fsync(fd) == 0 ? 0 : -errno;
    } while (code == -EINTR);
    return code;
}

int preparer_fill(journal *j, bool paced, int *fd, uint64_t *size, char *trouble,
                  size_t trouble_size)
{
    char path[DATA_DIR_PATH_SIZE];
    if (!data_dir_file_path(j->dir, j->shard, SEGMENT_SPARE, path)) {
        snprintf(trouble, trouble_size, "%s: %s", j->dir->path, strerror(ENAMETOOLONG));
        return -ENAMETOOLONG;
    }
    if (!data_dir_is_in_place(j->dir)) {
        *fd = -1;
        snprintf(trouble, trouble_size, "%s: %s", path, SEGMENT_MOVED);
        return -ESTALE;
    }
    *size = j->options.segment_bytes;
    /* The room of a segment that is superfluous is the cheapest: none has to be found or freed. */
    bool is_used = paced && removal_take_segment(j->folder_fd, SEGMENT_SPARE);
    *fd = openat(j->folder_fd, SEGMENT_SPARE,
                 O_RDWR | O_CREAT | (is_used ? 0 : O_TRUNC) | O_CLOEXEC, 0640);
    int code = *fd < 0 ? -errno : 0;
    if (code == 0 && is_used) {
        code = removal_shorten(*fd, *size, &j->preparer_stopping);
    }
    if (code == 0) {
        code = write_zeros(j, paced, *fd, *size);
    }
    if (code < 0) {
        snprintf(trouble, trouble_size, "%s: making the next segment: %s%s", path, strerror(-code),
                 code == -EFBIG ? " (raise the limit of file sizes: ulimit -f, LimitFSIZE)" : "");
        if (*fd >= 0) {
            close(*fd);
            unlinkat(j->folder_fd, SEGMENT_SPARE, 0);
        }
        *fd = -1;
    }
    return code;
}

static bool is_full_disk(int code)
{
    return code == -ENOSPC || code == -EDQUOT || code == -EFBIG; /* the last: ulimit -f */
}

static bool is_out_of_files(int code)
{
    return code == -EMFILE || code == -ENFILE;
}

/* A segment that is full is read again at most once, and soon forgotten: its memory is better used
 * for the next one, which needs as much. All of it is on disk. At once it would keep a processor
 * inside the kernel for 15 ms, so there is a rest after each piece, as long as that took, unless
 * the next segment is needed soon. */
static void forget(journal *j, int fd)
{
    off_t size = lseek(fd, 0, SEEK_END);
    for (off_t at = 0; at < size; at += PIECE_FORGOTTEN) {
        uint64_t began_ns = journal_monotonic_ns();
        posix_fadvise(fd, at, PIECE_FORGOTTEN, POSIX_FADV_DONTNEED);
        uint64_t took_ns = journal_monotonic_ns() - began_ns;
        bool is_urgent = atomic_load(&j->hurry) || atomic_load(&j->preparer_stopping);
        if (!is_urgent && !is_behind(j, (uint64_t)at + PIECE_FORGOTTEN, (uint64_t)size)) {
            const struct timespec pause = {.tv_nsec =
                                               (long)(took_ns < REST_NS ? took_ns : REST_NS)};
            nanosleep(&pause, NULL);
        }
    }
}

static void put_away(journal *j)
{
    if (j->next.fd >= 0) {
        forget(j, j->next.fd);
        close(j->next.fd);
        j->next.fd = -1;
    }
}

/* How the last try went. While the next one is under way it stands. */
static void tell_warning(journal *j, int state)
{
    const char *before = atomic_load(&j->warning);
    const char *now =
        state == SPARE_NO_SPACE   ? "no room on the disk for the journal's next segment: once the "
                                    "present one is full, no more commands are taken"
        : state == SPARE_NO_FILES ? "too many open files for the journal's next segment: once the "
                                    "present one is full, commands wait"
                                  : "";
    atomic_store(&j->warning, now);
    bool is_news = *now != '\0' || *before != '\0';
    if (is_news && state != SPARE_BAD && !journal_has_failed(j) && j->options.on_warning != NULL) {
        j->options.on_warning(j->options.context, now);
    }
}

/* One try. False: the thread ends. */
static bool make_spare(journal *j)
{
    spare *next = &j->next;
    int expected = SPARE_NO_SPACE; /* the flusher may have given up */
    if (!atomic_compare_exchange_strong(&next->state, &expected, SPARE_MAKING) &&
        expected != SPARE_MAKING && expected != SPARE_NO_FILES) {
        return false;
    }
    atomic_store(&next->state, SPARE_MAKING);
    put_away(j);
    int code = preparer_fill(j, true, &next->fd, &next->size, next->trouble, sizeof next->trouble);
    if (code == -ECANCELED) {
        return false;
    }
    next->code = code;
    int state = code == 0               ? SPARE_READY
                : is_full_disk(code)    ? SPARE_NO_SPACE
                : is_out_of_files(code) ? SPARE_NO_FILES
                                        : SPARE_BAD;
    tell_warning(j, state); /* before anybody can act on the state */
    atomic_store(&next->state, state);
    doorbell_ring(&j->flusher_bell);
    return state != SPARE_BAD;
}

void *preparer_run(void *argument)
{
    journal *j = argument;
    for (;;) {
        uint32_t seen = doorbell_seen(&j->preparer_bell);
        int state = atomic_load(&j->next.state);
        if (atomic_load(&j->preparer_stopping)) {
            return NULL;
        }
        if (state == SPARE_READY) {
            doorbell_wait(&j->preparer_bell, seen, DOORBELL_FOREVER);
            continue;
        }
        if (!make_spare(j)) {
            return NULL;
        }
        state = atomic_load(&j->next.state);
        if (state == SPARE_NO_SPACE || state == SPARE_NO_FILES) {
            doorbell_wait(&j->preparer_bell, seen, TRY_AGAIN_NS);
        }
    }
}
