/* See snapshots.h.
 *
 * Tickets: `asked` of a shard is the newest request that it has not been able to forget, `target`
 * what a snapshot must hold for it. When the worker begins with a segment that was sealed at or
 * after the target, that snapshot is for all tickets up to `asked`; requests that come later wait
 * for the next one, so none waits forever however many come.
 */
#define _GNU_SOURCE
#include "shard/snapshots.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "matching/log.h"
#include "metrics/recorder.h"
#include "shard/background.h"
#include "shard/core_internal.h"
#include "shard/gate.h"
#include "shard/recovery.h"

#define PACE_US 4000 /* rest after each block, so that journals on the same disk go first */
#define HURRIED_PACE_US 1
#define BEHIND_AT 16    /* times snapshot_every since the last snapshot: the journal piles up */
#define LEAST_RECORD 64 /* bytes: so many commands fill a segment, and fewer are no pile */
#define KEEP_BOOKS_S 10

typedef struct shard_snapshots {
    uint64_t asked, target; /* ticket; sequence */
    uint64_t done, good;    /* tickets: through with all up to here; those of them that went well */
    uint64_t sealed;        /* the newest sealed sequence */
    uint64_t newest;        /* the newest snapshot's sequence */
    bool wanted;            /* the segment is being sealed for a snapshot */
    bool ready;             /* it is */
    bool busy;              /* a worker is at it */
    bool urgent;            /* for the worker that has the priority of others */
    atomic_bool stop;       /* who is at it is to leave it */
    kept_books kept;        /* of who is at it */
    time_t used;            /* when that was, monotonic seconds */
} shard_snapshots;

/* At the lowest priority a snapshot costs nobody anything, and on processors that never rest it is
 * never ready. Who has lowered its priority may not raise it again: so there is a second worker,
 * for shards that have fallen behind. */
typedef struct snapshot_worker {
    struct snapshots *all;
    pthread_t thread;
    bool is_hurried;
} snapshot_worker;

struct snapshots {
    matching_core *core;
    snapshot_worker usual, hurried;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    atomic_bool stopping;
    atomic_bool may_remove; /* whoever else needs the journal is known */
    atomic_bool keeps_all;  /* a folder could not be synced, so nothing is removed any more */
    uint64_t tickets;
    shard_snapshots shards[]; /* under the lock */
};

/* ---- On the flushers' threads ---------------------------------------------------------------- */

static snapshots *worker_of(const shard *s)
{
    return s->core->snapshots;
}

void snapshots_note_safe(shard *s, uint64_t sequence)
{
    uint64_t every = s->core->options.snapshot_every;
    if (every == 0 || sequence < s->snapshot_due || worker_of(s) == NULL) {
        return;
    }
    s->snapshot_due = sequence + every;
    snapshots *worker = worker_of(s);
    pthread_mutex_lock(&worker->lock);
    shard_snapshots *it = &worker->shards[s->number];
    bool is_idle = !it->wanted;
    it->wanted = true;
    uint64_t behind = sequence - it->newest;
    if (behind >= BEHIND_AT * every && !it->urgent &&
        behind >= s->core->options.segment_bytes / LEAST_RECORD) {
        it->urgent = true;
        atomic_store(&it->stop, it->busy); /* the other one goes on with what there is */
        pthread_cond_broadcast(&worker->changed);
    }
    pthread_mutex_unlock(&worker->lock);
    if (is_idle) {
        journal_seal_segment(s->journal);
    }
}

void snapshots_on_sealed(void *context, uint64_t last_sequence)
{
    shard *s = context;
    snapshots *worker = worker_of(s);
    if (worker == NULL) {
        return;
    }
    pthread_mutex_lock(&worker->lock);
    shard_snapshots *it = &worker->shards[s->number];
    it->sealed = last_sequence;
    if (it->wanted && last_sequence >= it->target) {
        it->ready = true;
        pthread_cond_broadcast(&worker->changed);
    }
    pthread_mutex_unlock(&worker->lock);
}

static void tell_failure(unsigned number, const char *what)
{
    matching_log(MATCHING_LOG_WARN, "snapshot",
                 "shard %u: no snapshot: %s; the journal stays as long as it is needed", number,
                 what);
}

void snapshots_on_unsealed(shard *s, const char *what)
{
    snapshots *worker = worker_of(s);
    if (worker == NULL) {
        return;
    }
    pthread_mutex_lock(&worker->lock);
    shard_snapshots *it = &worker->shards[s->number];
    bool waits = it->wanted && !it->ready && !it->busy;
    if (waits) {
        it->wanted = false;
        it->done = it->asked;
        shard_metrics_snapshot(s->metrics, true); /* here no worker counts for it */
    }
    pthread_mutex_unlock(&worker->lock);
    if (waits) {
        tell_failure(s->number, what);
    }
}

/* ---- The worker ------------------------------------------------------------------------------ */

static int find_work(const snapshot_worker *w)
{
    const snapshots *all = w->all;
    for (unsigned i = 0; i < all->core->shard_count; i++) {
        const shard_snapshots *it = &all->shards[i];
        if (it->ready && !it->busy && it->urgent == w->is_hurried) {
            return (int)i;
        }
    }
    return -1;
}

static unsigned pace_of(const snapshot_worker *w)
{
    return w->is_hurried ? HURRIED_PACE_US : PACE_US;
}

/* Makes one; 0: there is one up to `until`. Without the lock. */
static int make(const snapshot_worker *w, unsigned number, uint64_t until, snapshot_made *made)
{
    const matching_core *core = w->all->core;
    shard_snapshots *it = &w->all->shards[number];
    recovery_options options = {.until = until,
                                .recent_capacity = core->options.recent_trades,
                                .stop = &it->stop,
                                .pace_us = pace_of(w)};
    char error[600] = "";
    if (!data_dir_is_in_place(&core->dir)) {
        tell_failure(number, "the data directory was moved away or replaced");
        return -ESTALE;
    }
    int failed = books_snapshot(&core->dir, number, &options, &it->kept, made, error, sizeof error);
    if (failed != 0 && failed != -ECANCELED) {
        tell_failure(number, error);
    }
    return failed;
}

/* Whoever waited for the snapshot has been told. */
static void remove_old(const snapshot_worker *w, unsigned number)
{
    snapshots *all = w->all;
    char error[600] = "";
    if (!atomic_load(&all->may_remove) || atomic_load(&all->keeps_all) ||
        !data_dir_is_in_place(&all->core->dir)) {
        return;
    }
    const history_link *history = all->core->history;
    uint64_t keep_from = history != NULL ? history->needed(history, number) : UINT64_MAX;
    int failed = books_remove_old(&all->core->dir, number, keep_from, pace_of(w), &all->stopping,
                                  error, sizeof error);
    if (failed == -EBADMSG) {
        matching_log(MATCHING_LOG_WARN, "snapshot",
                     "shard %u: a snapshot is bad, so nothing is removed: %s", number, error);
    } else if (failed != 0) {
        atomic_store(&all->keeps_all, true); /* which names are gone for good is not known */
        matching_log(MATCHING_LOG_WARN, "snapshot",
                     "shard %u: superfluous files stay from now on: %s", number, error);
    }
}

/* What came of it, under the lock. True: the segment has to be sealed for those who still wait. */
static bool note_outcome(shard_snapshots *it, int failed, uint64_t until, uint64_t covered)
{
    if (failed == 0) {
        it->newest = until;
        it->urgent = false;
        it->good = covered > it->good ? covered : it->good;
    }
    it->done = covered > it->done ? covered : it->done;
    it->wanted = it->asked > it->done;
    bool again = it->wanted && it->sealed < it->target;
    it->ready = it->wanted && !again;
    return again;
}

static time_t now_s(void)
{
    return (time_t)(matching_monotonic_ns() / 1000000000u);
}

static void work(const snapshot_worker *w, unsigned number)
{
    snapshots *all = w->all;
    shard_snapshots *it = &all->shards[number];
    uint64_t until = it->sealed, covered = it->target <= until ? it->asked : 0;
    it->ready = false;
    it->busy = true;
    atomic_store(&it->stop, atomic_load(&all->stopping));
    pthread_mutex_unlock(&all->lock);
    snapshot_made made;
    int failed = make(w, number, until, &made);
    if (failed != -ECANCELED) {
        shard_metrics_snapshot(all->core->shards[number].metrics, failed != 0);
    }
    pthread_mutex_lock(&all->lock);
    bool is_left = failed == -ECANCELED && !atomic_load(&all->stopping), again = false;
    if (is_left) {
        it->ready = true;
    } else {
        again = note_outcome(it, failed, until, covered);
    }
    pthread_mutex_unlock(&all->lock);
    if (again) {
        journal_seal_segment(all->core->shards[number].journal);
    }
    if (failed == 0 && made.skipped[0] == 0) {
        remove_old(w, number);
    }
    pthread_mutex_lock(&all->lock);
    it->busy = false;
    it->used = now_s();
    pthread_cond_broadcast(&all->changed); /* what came meanwhile may be the other one's */
}

/* Gives back the books that nobody has gone on with for a while. Under the lock, which is let go
 * meanwhile. True: there are some left. */
static bool forget_books(snapshots *all)
{
    bool are_left = false;
    for (unsigned i = 0; i < all->core->shard_count; i++) {
        shard_snapshots *it = &all->shards[i];
        if (it->busy) {
            are_left = true; /* by then */
            continue;
        }
        if (it->kept.are_there && now_s() - it->used >= KEEP_BOOKS_S) {
            it->busy = true;
            pthread_mutex_unlock(&all->lock);
            books_forget(&it->kept);
            pthread_mutex_lock(&all->lock);
            it->busy = false;
            pthread_cond_broadcast(&all->changed);
        }
        are_left = are_left || it->kept.are_there;
    }
    return are_left;
}

static void wait_for_work(snapshots *all, bool with_books)
{
    struct timespec until;
    if (!with_books) {
        pthread_cond_wait(&all->changed, &all->lock);
        return;
    }
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += 1;
    pthread_cond_timedwait(&all->changed, &all->lock, &until);
}

static void *run(void *argument)
{
    const snapshot_worker *w = argument;
    snapshots *all = w->all;
    if (!w->is_hurried) {
        background_begin();
    }
    pthread_mutex_lock(&all->lock);
    while (!atomic_load(&all->stopping)) {
        int number = find_work(w);
        if (number >= 0) {
            work(w, (unsigned)number);
            continue;
        }
        bool with_books = !w->is_hurried && forget_books(all);
        if (find_work(w) < 0 && !atomic_load(&all->stopping)) {
            wait_for_work(all, with_books);
        }
    }
    pthread_mutex_unlock(&all->lock);
    return NULL;
}

static bool start_thread(snapshots *all, snapshot_worker *w, bool is_hurried)
{
    *w = (snapshot_worker){.all = all, .is_hurried = is_hurried};
    if (pthread_create(&w->thread, NULL, run, w) != 0) {
        return false;
    }
    pthread_setname_np(w->thread, is_hurried ? "snapshots-soon" : "snapshots");
    return true;
}

static void end_threads(snapshots *all, bool both)
{
    pthread_mutex_lock(&all->lock);
    atomic_store(&all->stopping, true);
    for (unsigned i = 0; i < all->core->shard_count; i++) {
        atomic_store(&all->shards[i].stop, true);
    }
    pthread_cond_broadcast(&all->changed);
    pthread_mutex_unlock(&all->lock);
    pthread_join(all->usual.thread, NULL);
    if (both) {
        pthread_join(all->hurried.thread, NULL);
    }
}

/* Its waits end when they should whatever somebody does to the clock. */
static void init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

snapshots *snapshots_start(matching_core *core)
{
    snapshots *all = calloc(1, sizeof *all + core->shard_count * sizeof(shard_snapshots));
    if (all == NULL) {
        return NULL;
    }
    all->core = core;
    pthread_mutex_init(&all->lock, NULL);
    init_condition(&all->changed);
    if (!start_thread(all, &all->usual, false)) {
        snapshots_free(all);
        return NULL;
    }
    if (!start_thread(all, &all->hurried, true)) {
        end_threads(all, false);
        snapshots_free(all);
        return NULL;
    }
    return all;
}

void snapshots_note_found(snapshots *worker, unsigned number, uint64_t sequence)
{
    pthread_mutex_lock(&worker->lock);
    worker->shards[number].newest = sequence;
    pthread_mutex_unlock(&worker->lock);
}

void snapshots_allow_removal(snapshots *worker)
{
    atomic_store(&worker->may_remove, true);
}

void snapshots_stop(snapshots *worker)
{
    end_threads(worker, true);
    for (unsigned i = 0; i < worker->core->shard_count; i++) {
        books_forget(&worker->shards[i].kept);
    }
}

void snapshots_free(snapshots *worker)
{
    pthread_mutex_destroy(&worker->lock);
    pthread_cond_destroy(&worker->changed);
    free(worker);
}

/* ---- Requests -------------------------------------------------------------------------------- */

uint64_t snapshots_request(snapshots *worker)
{
    matching_core *core = worker->core;
    bool seal[MATCHING_SHARDS_MAX];
    pthread_mutex_lock(&worker->lock);
    uint64_t ticket = ++worker->tickets;
    for (unsigned i = 0; i < core->shard_count; i++) {
        shard_snapshots *it = &worker->shards[i];
        it->asked = ticket;
        it->target = atomic_load(&core->shards[i].durable_sequence);
        seal[i] = !it->wanted || it->sealed < it->target;
        it->wanted = true;
    }
    pthread_mutex_unlock(&worker->lock);
    for (unsigned i = 0; i < core->shard_count; i++) {
        if (seal[i]) {
            journal_seal_segment(core->shards[i].journal);
        }
    }
    return ticket;
}

bool snapshots_done(snapshots *worker, uint64_t ticket, matching_snapshot_result *results)
{
    bool all = true;
    pthread_mutex_lock(&worker->lock);
    for (unsigned i = 0; i < worker->core->shard_count; i++) {
        const shard_snapshots *it = &worker->shards[i];
        bool is_dead = gate_has_failed(&worker->core->shards[i]) && it->done < ticket;
        all = all && (is_dead || it->done >= ticket);
        results[i].sequence = it->newest;
        results[i].failed = it->good < ticket;
    }
    pthread_mutex_unlock(&worker->lock);
    return all;
}
