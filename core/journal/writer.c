/* A journal's birth and end, and the shard's side of it. See writer.h; the work is in flusher.c. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "journal/codec.h"
#include "journal/writer_internal.h"

#define BUFFER_DEFAULT (8u << 20)
#define HUGE_PAGE ((size_t)2 << 20) /* holds PIECE */

static uint64_t read_clock(clockid_t which)
{
    struct timespec now;
    clock_gettime(which, &now);
    return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

uint64_t journal_monotonic_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t journal_unix_ns(void)
{
    return read_clock(CLOCK_REALTIME);
}

/* ---- Beginning and end ----------------------------------------------------------------------- */

static void free_journal(journal *j)
{
    if (j->present.fd >= 0) {
        close(j->present.fd);
    }
    if (j->next.fd >= 0) {
        close(j->next.fd);
    }
    preparer_clean(j);
    if (j->folder_fd >= 0) {
        close(j->folder_fd);
    }
    byte_ring_fini(&j->ring);
    if (j->zeros_map != MAP_FAILED) {
        munmap(j->zeros_map, 2 * HUGE_PAGE);
    }
    free(j->large);
    pthread_cond_destroy(&j->changed);
    pthread_mutex_destroy(&j->mutex);
    pthread_mutex_destroy(&j->flushing);
    free(j);
}

/* Whole pages, with room for at least a record, and no more than readers take. */
static uint64_t size_of_segments(uint64_t wanted)
{
    uint64_t pages = (wanted + JOURNAL_RECORDS_AT - 1) / JOURNAL_RECORDS_AT;
    uint64_t size = pages * JOURNAL_RECORDS_AT;
    if (size > JOURNAL_SIZE_MAX) {
        return JOURNAL_SIZE_MAX;
    }
    return size < SEGMENT_MIN ? SEGMENT_MIN : size;
}

/* Pages that are only read are all the one page of zeros that the system has: the huge one if it
 * may be, for then the disk gets a piece as one run of memory instead of hundreds. */
static void map_zeros(journal *j)
{
    j->zeros_map = mmap(NULL, 2 * HUGE_PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (j->zeros_map != MAP_FAILED) {
        uintptr_t at = (uintptr_t)j->zeros_map;
        j->zeros = (char *)j->zeros_map + (HUGE_PAGE - at % HUGE_PAGE) % HUGE_PAGE;
        madvise(j->zeros, HUGE_PAGE, MADV_HUGEPAGE); /* a wish */
    }
}

static journal *make_journal(const data_dir *dir, unsigned shard, const journal_position *end,
                             const journal_options *options)
{
    journal *j = aligned_alloc(64, (sizeof *j + 63) / 64 * 64);
    if (j == NULL) {
        return NULL;
    }
    memset(j, 0, sizeof *j);
    j->dir = dir;
    j->shard = shard;
    j->options = *options;
    j->options.segment_bytes = size_of_segments(options->segment_bytes);
    j->present.fd = j->next.fd = j->folder_fd = -1;
    j->written = j->durable = end->last_sequence;
    j->claimed = end->claimed;
    j->last_time_ns = end->last_time_ns;
    j->chain = end->checksum;
    j->is_synced = true;
    atomic_init(&j->warning, "");
    atomic_store(&j->safe, end->last_sequence);
    pthread_mutex_init(&j->flushing, NULL);
    pthread_mutex_init(&j->mutex, NULL);
    pthread_cond_init(&j->changed, NULL);
    map_zeros(j);
    if (options->sync == MATCHING_SYNC_COMMIT) { /* else the system writes what it has together */
        j->large = aligned_alloc(LARGE_BUFFER, LARGE_BUFFER); /* without it nothing is large */
    }
    return j;
}

static int open_segment(journal *j, const journal_position *end, char *error, size_t error_size)
{
    j->folder_fd = data_dir_open_shard(j->dir, j->shard);
    if (j->folder_fd < 0) {
        snprintf(error, error_size, "%.3000s/shard-%02u: %s", j->dir->path, j->shard,
                 strerror(-j->folder_fd));
        return j->folder_fd;
    }
    preparer_clean(j);
    if (end->first_sequence != 0) {
        int code =
            segment_continue(j->dir, j->shard, j->folder_fd, end, &j->present, error, error_size);
        j->present.large = j->large;
        return code;
    }
    int fd;
    uint64_t size;
    int code = preparer_fill(j, false, &fd, &size, error, error_size);
    if (code < 0) {
        return code;
    }
    code = segment_begin(j, fd, size, end->last_sequence + 1, end->checksum, &j->present, error,
                         error_size);
    if (code < 0) {
        close(fd);
    }
    return code;
}

/* Signals are for the main thread. */
static int start_thread(pthread_t *thread, void *(*run)(void *), journal *j, const char *kind)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(thread, NULL, run, j);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed == 0) {
        char name[16];
        snprintf(name, sizeof name, "%s-%u", kind, j->shard);
        pthread_setname_np(*thread, name);
    }
    return -failed;
}

static void stop_flusher(journal *j)
{
    atomic_store(&j->stopping, true);
    doorbell_ring(&j->flusher_bell);
    pthread_join(j->flusher, NULL);
}

static void stop_preparer(journal *j)
{
    atomic_store(&j->preparer_stopping, true);
    doorbell_ring(&j->preparer_bell);
    pthread_join(j->preparer, NULL);
}

static int start_threads(journal *j)
{
    int code = start_thread(&j->preparer, preparer_run, j, "prepare");
    if (code < 0) {
        return code;
    }
    code = start_thread(&j->flusher, journal_flusher_run, j, "journal");
    if (code < 0) {
        stop_preparer(j);
    }
    return code;
}

journal *journal_open(const data_dir *dir, unsigned shard, const journal_position *end,
                      const journal_options *options, char *error, size_t error_size)
{
    journal *j = make_journal(dir, shard, end, options);
    if (j == NULL) {
        snprintf(error, error_size, "journal of shard %u: no memory", shard);
        return NULL;
    }
    size_t buffer = options->buffer_bytes != 0 ? options->buffer_bytes : BUFFER_DEFAULT;
    int code = j->zeros_map == MAP_FAILED ? -ENOMEM : byte_ring_init(&j->ring, buffer);
    if (code < 0) {
        snprintf(error, error_size, "journal of shard %u: %s", shard, strerror(-code));
        free_journal(j);
        return NULL;
    }
    if (open_segment(j, end, error, error_size) < 0) {
        free_journal(j);
        return NULL;
    }
    atomic_store(&j->present_bytes, j->present.offset);
    atomic_store(&j->present_size, j->present.size);
    code = start_threads(j);
    if (code < 0) {
        snprintf(error, error_size, "journal of shard %u: starting its threads: %s", shard,
                 strerror(-code));
        free_journal(j);
        return NULL;
    }
    return j;
}

int journal_close(journal *j)
{
    if (j == NULL) {
        return 0;
    }
    journal_hand_over(j);
    stop_flusher(j);
    stop_preparer(j);
    int code = j->failure_code;
    free_journal(j);
    return code;
}

/* ---- The shard's side ------------------------------------------------------------------------ */

static bool fits(journal *j)
{
    return j->appended + JOURNAL_RECORD_MAX <= j->freed_seen + byte_ring_size(&j->ring);
}

bool journal_has_room(journal *j)
{
    if (fits(j)) {
        return true;
    }
    j->freed_seen = atomic_load_explicit(&j->freed, memory_order_acquire);
    if (fits(j) || journal_has_failed(j)) {
        return true;
    }
    /* Wish first, then look again: either the flusher sees the wish or its bytes are seen here. */
    atomic_store(&j->room_wanted, true);
    j->freed_seen = atomic_load(&j->freed);
    return fits(j) || atomic_load(&j->failed);
}

void journal_append(journal *j, const matching_command *command)
{
    if (!journal_has_failed(j)) {
        j->appended += journal_encode(command, byte_ring_at(&j->ring, j->appended));
    }
}

void journal_hand_over(journal *j)
{
    if (j->appended != atomic_load_explicit(&j->handed, memory_order_relaxed)) {
        atomic_store(&j->handed, j->appended);
        if (j->options.sync == MATCHING_SYNC_COMMIT || !journal_write_here(j)) {
            doorbell_ring(&j->flusher_bell);
        }
    }
}

/* ---- Any thread ------------------------------------------------------------------------------ */

static void raise_to(_Atomic uint64_t *value, uint64_t least)
{
    uint64_t now = atomic_load(value);
    while (now < least && !atomic_compare_exchange_weak(value, &now, least)) {
    }
}

bool journal_wait(journal *j)
{
    uint64_t position = atomic_load(&j->handed);
    raise_to(&j->sync_wanted, position);
    atomic_fetch_add(&j->waiters, 1);
    doorbell_ring(&j->flusher_bell);
    pthread_mutex_lock(&j->mutex);
    while (atomic_load(&j->synced) < position && !atomic_load(&j->failed)) {
        pthread_cond_wait(&j->changed, &j->mutex);
    }
    pthread_mutex_unlock(&j->mutex);
    atomic_fetch_sub(&j->waiters, 1);
    return !journal_has_failed(j); /* after a failure some of it may not even have been kept */
}

bool journal_has_failed(const journal *j)
{
    return atomic_load_explicit(&j->failed, memory_order_acquire);
}

const char *journal_failure(const journal *j)
{
    return journal_has_failed(j) ? j->failure : "";
}

uint64_t journal_safe(const journal *j)
{
    return atomic_load_explicit(&j->safe, memory_order_acquire);
}

const char *journal_warning(const journal *j)
{
    return atomic_load(&j->warning);
}

void journal_seal_segment(journal *j)
{
    raise_to(&j->seal_wanted, atomic_load(&j->handed) + 1);
    doorbell_ring(&j->flusher_bell);
}
