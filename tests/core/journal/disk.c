/* See disk.h. */
#define _GNU_SOURCE
#include "core/journal/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "journal/format.h"

#define PATIENCE_S 30

ssize_t __real_pwrite(int fd, const void *bytes, size_t size, off_t offset);
ssize_t __real_pwritev(int fd, const struct iovec *parts, int count, off_t offset);
int __real_fdatasync(int fd);
int __real_fsync(int fd);
int __real_renameat(int from_folder, const char *from, int to_folder, const char *to);
int __real_fallocate(int fd, int mode, off_t offset, off_t size);
ssize_t __wrap_pwrite(int fd, const void *bytes, size_t size, off_t offset);
ssize_t __wrap_pwritev(int fd, const struct iovec *parts, int count, off_t offset);
int __wrap_fdatasync(int fd);
int __wrap_fsync(int fd);
int __wrap_renameat(int from_folder, const char *from, int to_folder, const char *to);
int __wrap_fallocate(int fd, int mode, off_t offset, off_t size);

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct {
    uint64_t counts[DISK_CALLS];
    disk_call failing;
    uint64_t fail_at; /* 0: never */
    int error;
    bool stays, failed;
    disk_call holding;
    bool holds;
    unsigned held;
    uint64_t most;
    bool interrupt;
    uint64_t written, synced; /* sequences */
    int segment;              /* the file that records were written to last */
    uint64_t writes;          /* to it */
    uint64_t large_writes;    /* past the page cache */
    bool is_dirty;            /* it has what no sync has covered */
    int filled;               /* the file that was written to last, but for records */
    bool fill_is_dirty;       /* it has what no sync has covered */
    bool zeros_are_dirty;     /* no fsync of a file since room for one was reserved */
    bool name_is_dirty;       /* no fsync of a folder since a segment got its name */
    unsigned violations;
} disk;

void disk_reset(uint64_t last_sequence)
{
    pthread_mutex_lock(&mutex);
    memset(&disk, 0, sizeof disk);
    disk.written = disk.synced = last_sequence;
    pthread_mutex_unlock(&mutex);
}

uint64_t disk_count(disk_call call)
{
    pthread_mutex_lock(&mutex);
    uint64_t count = disk.counts[call];
    pthread_mutex_unlock(&mutex);
    return count;
}

void disk_fail(disk_call call, uint64_t nth, int error, bool stays)
{
    pthread_mutex_lock(&mutex);
    disk.failing = call;
    disk.fail_at = disk.counts[call] + nth;
    disk.error = error;
    disk.stays = stays;
    disk.failed = false;
    pthread_mutex_unlock(&mutex);
}

bool disk_has_failed(void)
{
    pthread_mutex_lock(&mutex);
    bool failed = disk.failed;
    pthread_mutex_unlock(&mutex);
    return failed;
}

void disk_mend(void)
{
    pthread_mutex_lock(&mutex);
    disk.fail_at = 0;
    pthread_mutex_unlock(&mutex);
}

void disk_hold(disk_call call)
{
    pthread_mutex_lock(&mutex);
    disk.holding = call;
    disk.holds = true;
    pthread_mutex_unlock(&mutex);
}

bool disk_await_held(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    int late = 0;
    pthread_mutex_lock(&mutex);
    while (disk.held == 0 && late == 0) {
        late = pthread_cond_timedwait(&changed, &mutex, &until);
    }
    bool held = disk.held > 0;
    pthread_mutex_unlock(&mutex);
    return held;
}

void disk_release(void)
{
    pthread_mutex_lock(&mutex);
    disk.holds = false;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}

void disk_shorten_writes(uint64_t most)
{
    pthread_mutex_lock(&mutex);
    disk.most = most;
    disk.interrupt = false;
    pthread_mutex_unlock(&mutex);
}

uint64_t disk_written(void)
{
    pthread_mutex_lock(&mutex);
    uint64_t written = disk.written;
    pthread_mutex_unlock(&mutex);
    return written;
}

uint64_t disk_synced(void)
{
    pthread_mutex_lock(&mutex);
    uint64_t synced = disk.synced;
    pthread_mutex_unlock(&mutex);
    return synced;
}

unsigned disk_violations(void)
{
    pthread_mutex_lock(&mutex);
    unsigned violations = disk.violations;
    pthread_mutex_unlock(&mutex);
    return violations;
}

uint64_t disk_large_writes(void)
{
    pthread_mutex_lock(&mutex);
    uint64_t writes = disk.large_writes;
    pthread_mutex_unlock(&mutex);
    return writes;
}

/* ---- The calls ------------------------------------------------------------------------------- */

/* Counts it and stands where it is held. The mutex is taken. False: it shall fail, errno says. */
static bool enter(disk_call call)
{
    pthread_mutex_lock(&mutex);
    disk.counts[call]++;
    while (disk.holds && disk.holding == call) {
        disk.held++;
        pthread_cond_broadcast(&changed);
        pthread_cond_wait(&changed, &mutex);
        disk.held--;
    }
    uint64_t at = disk.fail_at;
    if (at != 0 && disk.failing == call &&
        (disk.counts[call] == at || (disk.stays && disk.counts[call] > at))) {
        disk.failed = true;
        errno = disk.error;
        return false;
    }
    return true;
}

static void require(bool condition, const char *what)
{
    if (!condition) {
        disk.violations++;
        fprintf(stderr, "disk: %s\n", what);
    }
}

/* Does a write to it go past the page cache, into a segment? Zeros go into one without a name. */
static bool is_large_write(int fd)
{
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path);
    return (fcntl(fd, F_GETFL) & O_DIRECT) != 0 && length > 8 &&
           memcmp(path + length - 8, ".journal", 8) == 0;
}

/* Such a write has whole pages, so what is new is looked for in the file. The mutex is taken. */
static void look_into(int fd)
{
    char link[64];
    struct stat status;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    int file = open(link, O_RDONLY | O_CLOEXEC); /* by which any bytes can be read */
    size_t size = file >= 0 && fstat(file, &status) == 0 ? (size_t)status.st_size : 0;
    char *bytes = malloc(size + 1);
    size_t got = 0;
    for (ssize_t some = 1; some > 0 && got<size; got += some> 0 ? (size_t)some : 0) {
        some = pread(file, bytes + got, size - got, (off_t)got);
    }
    require(size > 0 && got == size, "a segment cannot be read");
    for (size_t at = JOURNAL_RECORDS_AT; at + sizeof(journal_record) <= got;) {
        const journal_record *record = (const journal_record *)(const void *)(bytes + at);
        if (record->length == 0) {
            break;
        }
        if (record->kind == JOURNAL_CLAIM) {
            require(record->sequence <= disk.synced, "a claim of what is not on disk");
        } else if (record->sequence > disk.written) {
            require(disk.written == 0 || record->sequence == disk.written + 1, "a gap");
            disk.written = record->sequence;
        }
        at += record->length;
    }
    free(bytes);
    close(file);
}

static void begin_records(int fd)
{
    require(fd == disk.segment || !disk.is_dirty, "records before the last segment is on disk");
    require(!disk.name_is_dirty, "records before the segment's name is on disk");
    disk.segment = fd;
    disk.is_dirty = true;
    disk.writes++;
}

/* A write of a claim and whole records. The mutex is taken. */
static void look_at(const struct iovec *parts, int count)
{
    const journal_record *claim = parts[0].iov_base;
    require(claim->kind == JOURNAL_CLAIM, "a write does not begin with a claim");
    require(claim->sequence <= disk.synced, "a claim of what is not on disk");
    for (size_t at = 0; count >= 2 && at < parts[1].iov_len;) {
        const journal_record *record =
            (const journal_record *)(const void *)((const char *)parts[1].iov_base + at);
        require(disk.written == 0 || record->sequence == disk.written + 1, "a gap");
        disk.written = record->sequence;
        at += record->length;
    }
}

/* How much of a write is to be done; -1: it is interrupted. The mutex is taken. */
static ssize_t shortened(size_t size)
{
    if (disk.most == 0) {
        return (ssize_t)size;
    }
    disk.interrupt = !disk.interrupt;
    if (disk.interrupt) {
        errno = EINTR;
        return -1;
    }
    return size < disk.most ? (ssize_t)size : (ssize_t)disk.most;
}

ssize_t __wrap_pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
    bool large = is_large_write(fd);
    ssize_t result = enter(DISK_WRITE) ? shortened(size) : -1;
    if (!large) {
        disk.filled = fd;
        disk.fill_is_dirty = true;
    } else if (result >= 0) {
        begin_records(fd);
        result = __real_pwrite(fd, bytes, (size_t)result, offset);
        int error = errno;
        look_into(fd);
        errno = error;
        disk.large_writes += result > 0;
    }
    pthread_mutex_unlock(&mutex);
    return result < 0 || large ? result : __real_pwrite(fd, bytes, (size_t)result, offset);
}

ssize_t __wrap_pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    size_t size = 0;
    for (int i = 0; i < count; i++) {
        size += parts[i].iov_len;
    }
    ssize_t result = enter(DISK_WRITE) ? shortened(size) : -1;
    if (result >= 0) {
        begin_records(fd);
        look_at(parts, count);
    }
    pthread_mutex_unlock(&mutex);
    if (result < 0) {
        return -1;
    }
    struct iovec some[3];
    size_t left = (size_t)result;
    for (int i = 0; i < count; i++) {
        some[i] = parts[i];
        some[i].iov_len = parts[i].iov_len < left ? parts[i].iov_len : left;
        left -= some[i].iov_len;
    }
    return __real_pwritev(fd, some, count, offset);
}

int __wrap_fdatasync(int fd)
{
    bool goes = enter(DISK_SYNC);
    uint64_t written = disk.written, writes = disk.writes;
    pthread_mutex_unlock(&mutex);
    int result = goes ? __real_fdatasync(fd) : -1;
    pthread_mutex_lock(&mutex);
    if (result == 0 && fd == disk.segment) {
        disk.synced = written;
        disk.is_dirty = disk.is_dirty && disk.writes != writes;
    }
    if (result == 0 && fd == disk.filled) {
        disk.fill_is_dirty = false;
    }
    pthread_mutex_unlock(&mutex);
    return result;
}

int __wrap_fsync(int fd)
{
    struct stat status;
    bool goes = enter(DISK_FSYNC);
    pthread_mutex_unlock(&mutex);
    int result = goes ? __real_fsync(fd) : -1;
    if (result == 0 && fstat(fd, &status) == 0) {
        pthread_mutex_lock(&mutex);
        disk.name_is_dirty = disk.name_is_dirty && !S_ISDIR(status.st_mode);
        disk.zeros_are_dirty = disk.zeros_are_dirty && !S_ISREG(status.st_mode);
        pthread_mutex_unlock(&mutex);
    }
    return result;
}

int __wrap_renameat(int from_folder, const char *from, int to_folder, const char *to)
{
    bool goes = enter(DISK_RENAME);
    size_t length = strlen(to);
    if (length > 8 && strcmp(to + length - 8, ".journal") == 0) {
        require(!disk.is_dirty, "a segment begins before the last one is on disk");
        require(!disk.fill_is_dirty, "a segment begins before its header is on disk");
        require(!disk.zeros_are_dirty, "a segment begins before its zeros are on disk");
        disk.name_is_dirty = true;
    }
    pthread_mutex_unlock(&mutex);
    return goes ? __real_renameat(from_folder, from, to_folder, to) : -1;
}

int __wrap_fallocate(int fd, int mode, off_t offset, off_t size)
{
    bool goes = enter(DISK_RESERVE);
    disk.zeros_are_dirty = true;
    pthread_mutex_unlock(&mutex);
    return goes ? __real_fallocate(fd, mode, offset, size) : -1;
}
