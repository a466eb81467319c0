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
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "matching/log.h"
#include "metrics/recorder.h"
#include "shard/core_internal.h"
#include "shard/gate.h"
#include "shard/recovery.h"

#define LOWEST_PRIORITY 19
#define PACE_US 4000 /* rest after each block, so that journals on the same disk go first */

typedef struct shard_snapshots {
    uint64_t asked, target; /* ticket; sequence */
    uint64_t done, good;    /* tickets: through with all up to here; those of them that went well */
    uint64_t sealed;        /* the newest sealed sequence */
    uint64_t newest;        /* the newest snapshot's sequence */
    bool wanted;            /* the segment is being sealed for a snapshot */
    bool ready;             /* it is */
    bool busy;              /* the worker is at it */
} shard_snapshots;

struct snapshots {
    matching_core *core;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    atomic_bool stopping;
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
    bool is_idle = !worker->shards[s->number].wanted;
    worker->shards[s->number].wanted = true;
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
        pthread_cond_signal(&worker->changed);
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
    }
    pthread_mutex_unlock(&worker->lock);
    if (waits) {
        tell_failure(s->number, what);
    }
}

/* ---- The worker ------------------------------------------------------------------------------ */

static int find_work(const snapshots *worker)
{
    for (unsigned i = 0; i < worker->core->shard_count; i++) {
        if (worker->shards[i].ready) {
            return (int)i;
        }
    }
    return -1;
}

/* Makes one; 0: there is one up to `until`. Without the lock. */
static int make(snapshots *worker, unsigned number, uint64_t until)
{
    const matching_core *core = worker->core;
    recovery_options options = {
        .until = until, .recent_capacity = core->options.recent_trades, .stop = &worker->stopping};
    char error[600] = "";
    uint64_t sequence = 0;
    int failed =
        books_snapshot(&core->dir, number, &options, PACE_US, &sequence, error, sizeof error);
    if (failed != 0 && failed != -ECANCELED) {
        tell_failure(number, error);
    }
    return failed;
}

static void work(snapshots *worker, unsigned number)
{
    shard_snapshots *it = &worker->shards[number];
    uint64_t until = it->sealed, covered = it->target <= until ? it->asked : 0;
    it->ready = false;
    it->busy = true;
    pthread_mutex_unlock(&worker->lock);
    int failed = make(worker, number, until);
    shard_metrics_snapshot(worker->core->shards[number].metrics, failed != 0);
    pthread_mutex_lock(&worker->lock);
    it->busy = false;
    if (failed == 0) {
        it->newest = until;
        it->good = covered > it->good ? covered : it->good;
    }
    it->done = covered > it->done ? covered : it->done;
    it->wanted = it->asked > it->done;
    bool again = it->wanted && it->sealed < it->target;
    it->ready = it->wanted && !again;
    pthread_mutex_unlock(&worker->lock);
    if (again) {
        journal_seal_segment(worker->core->shards[number].journal);
    }
    pthread_mutex_lock(&worker->lock);
}

static void *run(void *argument)
{
    snapshots *worker = argument;
    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), LOWEST_PRIORITY); /* of this thread */
    pthread_mutex_lock(&worker->lock);
    while (!atomic_load(&worker->stopping)) {
        int number = find_work(worker);
        if (number >= 0) {
            work(worker, (unsigned)number);
        } else {
            pthread_cond_wait(&worker->changed, &worker->lock);
        }
    }
    pthread_mutex_unlock(&worker->lock);
    return NULL;
}

snapshots *snapshots_start(matching_core *core)
{
    snapshots *worker = calloc(1, sizeof *worker + core->shard_count * sizeof(shard_snapshots));
    if (worker == NULL) {
        return NULL;
    }
    worker->core = core;
    pthread_mutex_init(&worker->lock, NULL);
    pthread_cond_init(&worker->changed, NULL);
    if (pthread_create(&worker->thread, NULL, run, worker) != 0) {
        free(worker);
        return NULL;
    }
    pthread_setname_np(worker->thread, "snapshots");
    return worker;
}

void snapshots_note_found(snapshots *worker, unsigned number, uint64_t sequence)
{
    pthread_mutex_lock(&worker->lock);
    worker->shards[number].newest = sequence;
    pthread_mutex_unlock(&worker->lock);
}

void snapshots_stop(snapshots *worker)
{
    pthread_mutex_lock(&worker->lock);
    atomic_store(&worker->stopping, true);
    pthread_cond_signal(&worker->changed);
    pthread_mutex_unlock(&worker->lock);
    pthread_join(worker->thread, NULL);
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
