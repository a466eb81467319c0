/* The log: a ring of lines with many producers, and the thread that writes them out.
 *
 * Each slot has a turn: equal to a line's number, the slot is free for that line; one more, the
 * line is in it. A producer takes a number by moving `head` on, fills the slot and sets its turn;
 * the writer takes the slots in order and gives them back for the line that is SLOTS later.
 *
 * A file is opened again by the writer, so nobody else ever uses its descriptor.
 *
 * Invariants: only the writer reads lines and moves `tail`; a line that finds no free slot is
 * counted and forgotten; the writer never begins a write that could block for good: it waits until
 * the descriptor takes one, and what it then writes is less than PIPE_BUF.
 *
 * A process has one standard error, so this is the one place with a state that belongs to nobody.
 */
#define _GNU_SOURCE /* pthread_setname_np */
#include "matching/log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "log/line.h"
#include "matching/core.h"

#define SLOTS 1024u /* a power of two */
#define OFF (MATCHING_LOG_ERROR + 1)
#define POLL_MS 100
#define STOP_NS UINT64_C(1000000000)

_Static_assert(MATCHING_LOG_LINE_MAX <= PIPE_BUF, "a pipe takes a line whole or not at all");

typedef struct slot {
    _Atomic uint64_t turn;
    size_t length;
    char line[MATCHING_LOG_LINE_MAX];
} slot;

static struct {
    slot slots[SLOTS];
    _Alignas(64) _Atomic uint64_t head; /* the next line's number */
    _Alignas(64) uint64_t tail;         /* the next one to be written */
    _Atomic uint64_t dropped;           /* and not told yet */
    _Atomic uint64_t dropped_ever;
    atomic_int level; /* OFF + the least level of any module; 0: not started, as good as OFF */
    matching_log_levels levels;
    bool as_json;
    bool is_running;
    int fd;           /* the writer's once it runs, as are the next two */
    int error;        /* of a write since it was told of drops; 0: none */
    bool is_torn;     /* what was written last is not the end of a line */
    const char *path; /* NULL: fd is somebody else's */
    atomic_bool reopening;
    sem_t lines; /* raised for each line, and once for the end */
    atomic_bool stopping;
    _Atomic uint64_t deadline_ns; /* monotonic, when stopping */
    pthread_t thread;
} the;

bool matching_log_wants(matching_log_level level, const char *module)
{
    int least = atomic_load_explicit(&the.level, memory_order_acquire);
    return least != 0 && (int)level >= least - OFF &&
           level >= matching_log_level_of(&the.levels, module);
}

uint64_t matching_log_dropped(void)
{
    return atomic_load_explicit(&the.dropped_ever, memory_order_relaxed);
}

static void count_dropped(void)
{
    atomic_fetch_add_explicit(&the.dropped, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&the.dropped_ever, 1, memory_order_relaxed);
}

/* ---- Producers ------------------------------------------------------------------------------- */

/* A slot of one's own, or NULL: the ring is full. */
static slot *take_slot(uint64_t *number)
{
    uint64_t at = atomic_load_explicit(&the.head, memory_order_relaxed);
    for (;;) {
        slot *found = &the.slots[at % SLOTS];
        uint64_t turn = atomic_load_explicit(&found->turn, memory_order_acquire);
        if (turn == at) {
            if (atomic_compare_exchange_weak_explicit(&the.head, &at, at + 1, memory_order_relaxed,
                                                      memory_order_relaxed)) {
                *number = at;
                return found;
            }
        } else if (turn < at) {
            return NULL;
        } else {
            at = atomic_load_explicit(&the.head, memory_order_relaxed);
        }
    }
}

void matching_log_fields(matching_log_level level, const char *module, const char *message,
                         const matching_log_field *fields, size_t count)
{
    if (!matching_log_wants(level, module)) {
        return;
    }
    uint64_t number;
    slot *own = take_slot(&number);
    if (own == NULL) {
        count_dropped();
        return;
    }
    own->length = log_line_make(own->line, the.as_json, matching_unix_ns(), level, module, message,
                                fields, count);
    atomic_store_explicit(&own->turn, number + 1, memory_order_release);
    sem_post(&the.lines);
}

void matching_log(matching_log_level level, const char *module, const char *format, ...)
{
    char message[MATCHING_LOG_LINE_MAX];
    va_list arguments;
    if (!matching_log_wants(level, module)) {
        return;
    }
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    matching_log_fields(level, module, message, NULL, 0);
}

/* ---- The writer ------------------------------------------------------------------------------ */

static bool time_is_up(void)
{
    return atomic_load_explicit(&the.stopping, memory_order_acquire) &&
           matching_monotonic_ns() >= atomic_load_explicit(&the.deadline_ns, memory_order_relaxed);
}

/* False: nobody takes it. */
static bool write_all(const char *text, size_t length)
{
    while (length > 0) {
        struct pollfd ready = {.fd = the.fd, .events = POLLOUT};
        bool last = time_is_up();
        int found = poll(&ready, 1, last ? 0 : POLL_MS);
        if (found <= 0 && last) {
            return false;
        }
        if (found <= 0) {
            continue;
        }
        ssize_t written = write(the.fd, text, length);
        if (written < 0 && errno != EINTR && errno != EAGAIN) {
            the.error = errno;
            return false;
        }
        if (written > 0) {
            the.is_torn = text[written - 1] != '\n';
            text += written;
            length -= (size_t)written;
        }
    }
    return true;
}

/* A disk that filled up took a part of the line before: this one does not go on with it. */
static bool write_line(const char *line, size_t length)
{
    return (!the.is_torn || write_all("\n", 1)) && write_all(line, length);
}

/* A line of the writer's own. error: NULL, or its second field. */
static bool tell(const char *message, matching_log_field first, const char *error)
{
    char line[MATCHING_LOG_LINE_MAX];
    const matching_log_field fields[] = {first, {.name = "error", .text = error}};
    size_t length = log_line_make(line, the.as_json, matching_unix_ns(), MATCHING_LOG_WARN, "log",
                                  message, fields, error != NULL ? 2 : 1);
    return write_line(line, length);
}

static void tell_dropped(void)
{
    char text[128];
    uint64_t dropped = atomic_exchange_explicit(&the.dropped, 0, memory_order_relaxed);
    if (dropped == 0) {
        return;
    }
    const matching_log_field lines = {.name = "lines", .number = dropped};
    bool is_told = the.error == 0
                       ? tell("lines were dropped, whoever reads them is too slow", lines, NULL)
                       : tell("lines were dropped, they could not be written", lines,
                              strerror_r(the.error, text, sizeof text));
    if (is_told) {
        the.error = 0;
    } else {
        atomic_fetch_add_explicit(&the.dropped, dropped, memory_order_relaxed);
    }
}

static int open_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
    return fd < 0 ? -errno : fd;
}

static void reopen_file(void)
{
    char why[128];
    int fd = open_file(the.path);
    if (fd >= 0) {
        close(the.fd);
        the.fd = fd;
        the.is_torn = the.is_torn && lseek(fd, 0, SEEK_END) > 0; /* it may be the same one */
        return;
    }
    const char *text = strerror_r(-fd, why, sizeof why);
    (void)tell("the file cannot be opened again, the old one stays",
               (matching_log_field){.name = "error", .text = text}, NULL);
}

/* A flow of lines may never end: each of them looks whether its file is to be opened again
 * first. */
static void write_lines(void)
{
    for (;;) {
        if (atomic_exchange(&the.reopening, false)) {
            reopen_file();
        }
        slot *next = &the.slots[the.tail % SLOTS];
        if (atomic_load_explicit(&next->turn, memory_order_acquire) != the.tail + 1) {
            return;
        }
        if (!write_line(next->line, next->length)) {
            count_dropped();
        }
        atomic_store_explicit(&next->turn, the.tail + SLOTS, memory_order_release);
        the.tail++;
        tell_dropped();
    }
}

static void *write_out(void *unused)
{
    (void)unused;
    while (!atomic_load_explicit(&the.stopping, memory_order_acquire)) {
        while (sem_wait(&the.lines) != 0) {
            assert(errno == EINTR);
        }
        write_lines();
    }
    write_lines(); /* what came before the stop */
    return NULL;
}

/* ---- Beginning and end ----------------------------------------------------------------------- */

static int least_of(const matching_log_levels *levels)
{
    int least = levels->others;
    for (size_t i = 0; i < MATCHING_LOG_MODULE_COUNT; i++) {
        least = levels->of[i] < least ? levels->of[i] : least;
    }
    return least;
}

static void close_file(void)
{
    if (the.path != NULL) {
        close(the.fd);
    }
    the.path = NULL;
}

static int start_thread(void)
{
    sigset_t all, before; /* signals are the main thread's */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&the.thread, NULL, write_out, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -code;
}

int matching_log_start(const matching_log_options *options)
{
    assert(!the.is_running);
    the.path = options->path != NULL && options->path[0] != '\0' ? options->path : NULL;
    the.fd = the.path != NULL ? open_file(the.path) : options->fd;
    if (the.fd < 0) {
        the.path = NULL;
        return the.fd;
    }
    the.levels = options->levels;
    the.as_json = options->as_json;
    the.tail = 0;
    the.error = 0;
    the.is_torn = false;
    atomic_store(&the.reopening, false);
    atomic_store(&the.head, 0);
    atomic_store(&the.dropped, 0);
    atomic_store(&the.stopping, false);
    for (uint64_t i = 0; i < SLOTS; i++) {
        atomic_store_explicit(&the.slots[i].turn, i, memory_order_relaxed);
    }
    int code = sem_init(&the.lines, 0, 0) == 0 ? 0 : -errno;
    if (code == 0) {
        code = start_thread();
        if (code != 0) {
            sem_destroy(&the.lines);
        }
    }
    if (code != 0) {
        close_file();
        return code;
    }
    (void)pthread_setname_np(the.thread, "log");
    the.is_running = true;
    atomic_store_explicit(&the.level, OFF + least_of(&the.levels), memory_order_release);
    return 0;
}

void matching_log_reopen(void)
{
    if (the.is_running && the.path != NULL) {
        atomic_store(&the.reopening, true);
        sem_post(&the.lines);
    }
}

void matching_log_stop(void)
{
    if (!the.is_running) {
        return;
    }
    atomic_store_explicit(&the.level, 0, memory_order_relaxed);
    atomic_store_explicit(&the.deadline_ns, matching_monotonic_ns() + STOP_NS,
                          memory_order_relaxed);
    atomic_store_explicit(&the.stopping, true, memory_order_release);
    sem_post(&the.lines);
    pthread_join(the.thread, NULL);
    sem_destroy(&the.lines);
    the.is_running = false;
    close_file();
}
