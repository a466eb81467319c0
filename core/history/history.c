/* The history of a running core: opens the store, brings it up to date, and tells how far it is.
 * The threads that do so are in writers.c, reading is in reads.c, what a shard's commands lead to
 * in follower.c.
 *
 * The writer's turns: as long as something is behind, it goes on without rest. Once all is stored
 * it sleeps, and is woken by whatever becomes durable next (note_safe); then it lets a little more
 * gather, unless somebody waits for it: a commit costs far more than what is in it.
 *
 *   flusher: durable_sequence = n; is the writer asleep? -> wakes it
 *   writer:  asleep; is there something durable that is not stored? -> goes on
 *
 * These are sequentially consistent, so at least one of the two sees the other.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "history/history_internal.h"
#include "matching/log.h"
#include "matching/metrics.h"

#define GATHER_MS 20                 /* that a commit may wait for more */
#define LOOK_NS UINT64_C(1000000000) /* between two looks at what is on disk */
#define BEHIND 100000                /* commands: more, and history is catching up ... */
#define NEAR 10000                   /* ... until it is less than this */

static int fail_with(char *error, size_t error_size, int code, const char *why)
{
    snprintf(error, error_size, "%s", why);
    return code;
}

/* What the outside is told does not say where the directory is; the log says all. */
void history_fail(history *h, const char *why)
{
    static const char text[] = "history stands still, the log says why; trading goes on. Stop the "
                               "service and make the store anew: matching store rebuild DIR";
    pthread_mutex_lock(&h->lock);
    bool is_first = !h->is_failed;
    h->is_failed = true;
    for (unsigned i = 0; i < h->core->shard_count; i++) {
        atomic_store(&h->shards[i].state, MATCHING_HISTORY_STATE_FAILED);
    }
    atomic_store(&h->warning, text);
    pthread_mutex_unlock(&h->lock);
    history_wake(h);
    if (is_first) {
        matching_log(MATCHING_LOG_WARN, "store",
                     "history stands still, trading goes on; stop the service and run "
                     "`matching store rebuild %s`: %s",
                     h->core->dir.path, why);
    }
}

bool history_has_failed(const history *h)
{
    return atomic_load(&h->shards[0].state) == MATCHING_HISTORY_STATE_FAILED;
}

static uint64_t durable_of(const history *h, unsigned number)
{
    return atomic_load(&h->core->shards[number].durable_sequence);
}

/* ---- The writer ------------------------------------------------------------------------------ */

/* A long way is told, its beginning and its end. */
static void tell_lag(shard_history *it, unsigned number, uint64_t stored, uint64_t lag)
{
    if (it->behind_since == 0 && lag >= BEHIND) {
        it->behind_since = stored + 1;
        matching_log(MATCHING_LOG_INFO, "store",
                     "history of shard %u is %" PRIu64 " commands behind, catching up", number,
                     lag);
    } else if (it->behind_since != 0 && lag < NEAR) {
        matching_log(MATCHING_LOG_INFO, "store",
                     "history of shard %u has caught up with command %" PRIu64, number, stored);
        it->behind_since = 0;
    }
}

static void note_stored(history *h, unsigned number)
{
    shard_history *it = &h->shards[number];
    uint64_t time_ns;
    uint64_t stored = store_progress(h->s, number, &time_ns), now_ns = matching_monotonic_ns();
    atomic_store(&it->time_ns, time_ns);
    atomic_store(&it->stored, stored);
    matching_metrics_stored(h->core, number, stored);
    if (now_ns - it->looked_ns > LOOK_NS) {
        it->looked_ns = now_ns;
        atomic_store(&it->safe, store_safe_sequence(h->s, number));
    }
    uint64_t lag = durable_of(h, number) - stored;
    tell_lag(it, number, stored, lag);
    int state = atomic_load(&it->state);
    int wanted = lag < NEAR      ? MATCHING_HISTORY_STATE_LIVE
                 : lag >= BEHIND ? MATCHING_HISTORY_STATE_CATCHING_UP
                                 : state;
    /* Another thread may fail it meanwhile: that stays. */
    if (state != MATCHING_HISTORY_STATE_FAILED) {
        atomic_compare_exchange_strong(&it->state, &state, wanted);
    }
}

static uint64_t take_wanted_time(history *h, unsigned number)
{
    pthread_mutex_lock(&h->lock);
    uint64_t time_ns = h->shards[number].wanted_ns;
    h->shards[number].wanted_ns = 0;
    pthread_mutex_unlock(&h->lock);
    return time_ns;
}

/* One step of one shard. *more: it is not through. 0 or a negative errno. */
static int follow(history *h, unsigned number, bool *more)
{
    follower *f = &h->followers[number];
    shard_history *it = &h->shards[number];
    uint64_t wanted_ns = take_wanted_time(h, number); /* before durable is looked at */
    uint64_t until = durable_of(h, number), before = f->sequence;
    int failed = follower_step(f, until, more);
    if (failed == 0 && *more && wanted_ns != 0) {
        pthread_mutex_lock(&h->lock);
        it->wanted_ns = it->wanted_ns > wanted_ns ? it->wanted_ns : wanted_ns;
        pthread_mutex_unlock(&h->lock);
    } else if (failed == 0 && wanted_ns > atomic_load(&it->time_ns)) {
        failed = follower_tell_time(f, wanted_ns);
    } else if (f->sequence == before) {
        return failed; /* nothing is new */
    }
    uint64_t flush = atomic_load(&it->wants_flush_of);
    if (failed == 0 && flush != 0 && f->sequence >= flush) {
        atomic_store(&it->wants_flush_of, 0);
        failed = store_flush(h->s);
        if (failed != 0) {
            snprintf(f->why, sizeof f->why, "%s", store_why(h->s));
        }
    }
    if (failed == 0) {
        note_stored(h, number);
    }
    return failed;
}

static bool is_all_stored(const history *h)
{
    bool all = true;
    for (unsigned i = 0; i < h->core->shard_count; i++) {
        all = all && h->followers[i].sequence >= durable_of(h, i);
    }
    return all;
}

void history_wake(history *h)
{
    uint64_t one = 1;
    ssize_t written = write(h->wake_fd, &one, sizeof one);
    (void)written; /* a full counter has woken it already */
}

/* Until it is woken; ms -1: however long that takes. */
static void wait_ms(history *h, int ms)
{
    struct pollfd wanted = {.fd = h->wake_fd, .events = POLLIN};
    if (poll(&wanted, 1, ms) > 0) {
        uint64_t count;
        ssize_t got = read(h->wake_fd, &count, sizeof count);
        (void)got; /* whatever came: look at all */
    }
}

/* With the lock. */
static bool has_work(const history *h)
{
    bool has = !is_all_stored(h);
    for (unsigned i = 0; i < h->core->shard_count; i++) {
        has = has || h->shards[i].wanted_ns != 0;
    }
    return has;
}

/* With the lock: is there a reason not to rest? */
static bool is_wanted(const history *h)
{
    return h->is_urgent || h->is_failed || atomic_load(&h->stopping);
}

/* All that was there has been stored: until there is more, or somebody wants something. */
void history_rest(history *h)
{
    pthread_mutex_lock(&h->lock);
    reads_release(h, false);
    bool wanted = is_wanted(h), has = has_work(h);
    pthread_mutex_unlock(&h->lock);
    if (wanted) {
        wait_ms(h, has ? 0 : 1);
        return;
    }
    atomic_store(&h->sleeping, true);
    if (is_all_stored(h)) {
        wait_ms(h, -1);
    }
    atomic_store(&h->sleeping, false);
    pthread_mutex_lock(&h->lock);
    wanted = is_wanted(h);
    pthread_mutex_unlock(&h->lock);
    if (!wanted) {
        wait_ms(h, GATHER_MS);
    }
}

static void note_safe(const history_link *link)
{
    history *h = (history *)link;
    if (atomic_load(&h->sleeping) && atomic_exchange(&h->sleeping, false)) {
        history_wake(h);
    }
}

/* Brings the books of all shards to where the store is. */
int history_open_followers(history *h)
{
    int failed = 0;
    for (unsigned i = 0; failed == 0 && i < h->core->shard_count; i++) {
        follower *f = &h->followers[i];
        failed = follower_open(f, &h->stopping);
        if (failed == 0 && f->begins != 0) {
            matching_log(MATCHING_LOG_INFO, "store",
                         "the journal of shard %u begins after command %" PRIu64
                         ": trades and orders of before are not in the store, but for the latest",
                         i, f->begins);
        }
        if (failed == 0) {
            note_stored(h, i);
        } else if (failed != -ECANCELED) {
            history_fail(h, f->why);
        }
    }
    return failed;
}

/* A step of each shard. True: one of them has more. */
bool history_follow_all(history *h)
{
    bool any_more = false;
    for (unsigned i = 0; i < h->core->shard_count && !history_has_failed(h); i++) {
        bool more = false;
        if (follow(h, i, &more) != 0) {
            history_fail(h, h->followers[i].why);
        }
        any_more = any_more || more;
    }
    return any_more && !history_has_failed(h);
}

/* ---- What the core asks ---------------------------------------------------------------------- */

static matching_history_progress progress(const history_link *link, unsigned number)
{
    const history *h = (const history *)link;
    const shard_history *it = &h->shards[number];
    uint64_t stored = atomic_load(&it->stored), durable = durable_of(h, number);
    matching_history_progress result = {
        .state = (matching_history_state)atomic_load(&it->state),
        .stored = stored,
        .safe = atomic_load(&it->safe),
        .lag = durable > stored ? durable - stored : 0,
        .time_ns = atomic_load(&it->time_ns),
        .why = "",
    };
    if (result.state == MATCHING_HISTORY_STATE_FAILED) {
        result.why = atomic_load(&h->warning);
    }
    return result;
}

static const char *warning(const history_link *link)
{
    const history *h = (const history *)link;
    return atomic_load(&h->warning);
}

/* Bytes of the shard's journal from the segment with this command on. */
static uint64_t journal_bytes(const history *h, unsigned number, uint64_t from)
{
    uint64_t *segments = NULL;
    long count = data_dir_list(&h->core->dir, number, DATA_DIR_JOURNAL, &segments), behind = 0;
    for (long i = 0; i < count; i++) {
        behind += i + 1 == count || segments[i + 1] > from;
    }
    free(segments);
    return (uint64_t)behind * h->core->options.segment_bytes;
}

/* Before it is too late somebody should know. One that failed says so for good. */
static void warn(history *h, bool is_far_behind)
{
    static const char text[] = "history is far behind and will be given up if that goes on: the "
                               "journal that waits for it is half of store.max_backlog_bytes";
    pthread_mutex_lock(&h->lock);
    bool is_new = is_far_behind && atomic_load(&h->warning)[0] == 0;
    if (!h->is_failed) {
        atomic_store(&h->warning, is_far_behind ? text : "");
    }
    pthread_mutex_unlock(&h->lock);
    if (is_new) {
        matching_log(MATCHING_LOG_WARN, "store", "%s", text);
    }
}

static uint64_t needed(const history_link *link, unsigned number)
{
    history *h = (history *)link;
    char why[200];
    if (history_has_failed(h)) {
        return UINT64_MAX;
    }
    uint64_t safe = store_safe_sequence(h->s, number);
    uint64_t stored = atomic_load(&h->shards[number].stored);
    atomic_store(&h->shards[number].wants_flush_of, stored > safe ? stored : 0);
    uint64_t bytes = journal_bytes(h, number, stored);
    warn(h, bytes > h->max_backlog_bytes / 2);
    if (bytes > h->max_backlog_bytes) {
        snprintf(why, sizeof why,
                 "shard %u's journal would have to keep %" PRIu64
                 " bytes for it, more than store.max_backlog_bytes",
                 number, bytes);
        history_fail(h, why);
        return UINT64_MAX;
    }
    return safe;
}

/* ---- Life ------------------------------------------------------------------------------------ */

static void destroy(history *h)
{
    char error[STORE_ERROR_SIZE];
    for (unsigned i = 0; h->followers != NULL && i < h->core->shard_count; i++) {
        follower_fini(&h->followers[i]);
    }
    if (h->s != NULL && store_close(h->s, error, sizeof error) != 0) {
        matching_log(MATCHING_LOG_WARN, "store", "%s", error);
    }
    if (h->wake_fd >= 0) {
        close(h->wake_fd);
    }
    sem_destroy(&h->tokens);
    pthread_cond_destroy(&h->handed);
    pthread_mutex_destroy(&h->lock);
    free(h->followers);
    free(h->shards);
    free(h);
}

static void stop_threads(history *h)
{
    atomic_store(&h->stopping, true);
    history_wake(h);
    pthread_mutex_lock(&h->lock);
    pthread_cond_broadcast(&h->handed);
    pthread_mutex_unlock(&h->lock);
    for (unsigned i = 0; i < READERS; i++) {
        sem_post(&h->tokens);
    }
    if (h->has_writer) {
        pthread_join(h->writer, NULL);
    }
    if (h->has_hurried) {
        pthread_join(h->hurried, NULL);
    }
    for (unsigned i = 0; i < h->reader_count; i++) {
        pthread_join(h->readers[i], NULL);
    }
}

static void stop(const history_link *link)
{
    history *h = (history *)link;
    stop_threads(h);
    destroy(h);
}

static history *make(matching_core *core, const matching_history_options *options)
{
    history *h = calloc(1, sizeof *h);
    if (h == NULL) {
        return NULL;
    }
    h->link = (history_link){.progress = progress,
                             .warning = warning,
                             .read = reads_begin,
                             .note_safe = note_safe,
                             .needed = needed,
                             .stop = stop};
    h->core = core;
    h->max_backlog_bytes = options->max_backlog_bytes;
    atomic_init(&h->warning, "");
    pthread_mutex_init(&h->lock, NULL);
    pthread_cond_init(&h->handed, NULL);
    sem_init(&h->tokens, 0, 0);
    h->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    list_init(&h->waiting);
    list_init(&h->ready);
    h->followers = calloc(core->shard_count, sizeof *h->followers);
    h->shards = calloc(core->shard_count, sizeof *h->shards);
    if (h->followers == NULL || h->shards == NULL || h->wake_fd < 0) {
        destroy(h);
        return NULL;
    }
    return h;
}

/* The store may be older than the directory's other files, never newer. */
static int check_progress(history *h, char *error, size_t error_size)
{
    for (unsigned i = 0; i < h->core->shard_count; i++) {
        uint64_t stored = store_progress(h->s, i, NULL);
        atomic_store(&h->shards[i].state, MATCHING_HISTORY_STATE_CATCHING_UP);
        atomic_store(&h->shards[i].stored, stored);
        matching_metrics_stored(h->core, i, stored);
        if (stored > durable_of(h, i)) {
            snprintf(error, error_size,
                     "the store %s/" DATA_DIR_STORE " has shard %u up to command %" PRIu64
                     ", but its journal ends with %" PRIu64
                     "; `matching store rebuild %s` makes it anew from the journal",
                     h->core->dir.path, i, stored, durable_of(h, i), h->core->dir.path);
            return -EBADMSG;
        }
        follower_init(&h->followers[i], &h->core->dir, i, h->s,
                      h->core->options.sync != MATCHING_SYNC_COMMIT);
    }
    return 0;
}

static int start_threads(history *h)
{
    int failed = pthread_create(&h->hurried, NULL, history_write_hurried, h);
    h->has_hurried = failed == 0;
    if (failed == 0) {
        pthread_setname_np(h->hurried, "history-soon");
        failed = pthread_create(&h->writer, NULL, history_write, h);
        h->has_writer = failed == 0;
    }
    if (h->has_writer) {
        pthread_setname_np(h->writer, "history");
    }
    for (unsigned i = 0; failed == 0 && i < READERS; i++) {
        failed = pthread_create(&h->readers[i], NULL, reads_run, h);
        h->reader_count += failed == 0;
        if (failed == 0) {
            pthread_setname_np(h->readers[i], "history-read");
        }
    }
    return -failed;
}

int matching_history_attach(matching_core *core, const matching_history_options *options,
                            char *error, size_t error_size)
{
    if (core->options.data_dir == NULL || core->started || core->history != NULL) {
        return fail_with(error, error_size, -EINVAL, "this core cannot have a history");
    }
    int failed = data_dir_add_identity(&core->dir, error, error_size);
    if (failed != 0) {
        return failed;
    }
    history *h = make(core, options);
    if (h == NULL) {
        return fail_with(error, error_size, -ENOMEM, "no memory for the history");
    }
    failed = history_open_store(&h->s, &core->dir, core->options.max_instruments, options, error,
                                error_size);
    failed = failed == 0 ? check_progress(h, error, error_size) : failed;
    if (failed == 0) {
        failed = start_threads(h);
        if (failed != 0) {
            stop_threads(h);
            snprintf(error, error_size, "the history's threads cannot start: %s",
                     strerror(-failed));
        }
    }
    if (failed != 0) {
        destroy(h);
        return failed;
    }
    core->history = &h->link;
    return 0;
}
