/* The two threads that bring the store up to date, of which one at a time has the followers.
 *
 * The usual one runs where nobody else wants a processor. Where that is hardly ever, and history is
 * far behind, it lets the hurried one go on until history is near again. That one has ordinary
 * priority, so it gets its part of a processor; it rests after each few commands, so the part is
 * bounded and no door waits long for it. Where commands come more than twice as fast even so it
 * gives up for a while, since it would cost trading much and be of little use. One thread could not
 * be both: there is no way back from the lowest priority without privileges.
 *
 * Invariant: the hurried one has the followers while is_hurrying is set, the usual one otherwise.
 */
#include <time.h>

#include "history/history_internal.h"
#include "shard/background.h"

#define HURRIED_REST_US 300 /* after each few commands: about a third of a processor is taken */
#define STARVED 4           /* a step took so many times its processor time */
#define LAST_STEPS 25       /* when the service ends: about so many commands are stored first */
#define NS_PER_S UINT64_C(1000000000)
#define LOOK_NS NS_PER_S         /* between two looks at what hurrying is good for */
#define PAUSE_NS (10 * NS_PER_S) /* until it is tried again where it was good for little */

static void let_reads_go(history *h, bool all)
{
    pthread_mutex_lock(&h->lock);
    reads_release(h, all);
    pthread_mutex_unlock(&h->lock);
}

static bool is_over(const history *h)
{
    return atomic_load(&h->stopping) || history_has_failed(h);
}

static bool is_catching_up(const history *h)
{
    bool is = false;
    for (unsigned i = 0; i < h->core->shard_count; i++) {
        is = is || atomic_load(&h->shards[i].state) == MATCHING_HISTORY_STATE_CATCHING_UP;
    }
    return is;
}

/* ---- The hurried one ------------------------------------------------------------------------- */

static void set_rests(history *h, uint32_t rest_us)
{
    for (unsigned i = 0; i < h->core->shard_count; i++) {
        h->followers[i].rest_us = rest_us;
    }
}

/* Commands of all shards together. */
typedef struct extent {
    uint64_t stored, durable;
} extent;

static extent look(const history *h)
{
    extent all = {0};
    for (unsigned i = 0; i < h->core->shard_count; i++) {
        all.stored += atomic_load(&h->shards[i].stored);
        all.durable += atomic_load(&h->core->shards[i].durable_sequence);
    }
    return all;
}

/* False: it was good for little. */
static bool come_near(history *h)
{
    extent before = look(h);
    uint64_t looked_ns = matching_monotonic_ns();
    bool is_useful = true;
    set_rests(h, HURRIED_REST_US);
    while (is_useful && !is_over(h) && is_catching_up(h) && history_follow_all(h)) {
        let_reads_go(h, false);
        if (matching_monotonic_ns() - looked_ns >= LOOK_NS) {
            extent now = look(h);
            is_useful = now.durable - before.durable <= 2 * (now.stored - before.stored);
            before = now;
            looked_ns = matching_monotonic_ns();
        }
    }
    set_rests(h, 0);
    return is_useful;
}

void *history_write_hurried(void *context)
{
    history *h = context;
    pthread_mutex_lock(&h->lock);
    while (h->is_hurrying || !atomic_load(&h->stopping)) {
        if (!h->is_hurrying) {
            pthread_cond_wait(&h->handed, &h->lock);
            continue;
        }
        pthread_mutex_unlock(&h->lock);
        bool is_useful = come_near(h);
        pthread_mutex_lock(&h->lock);
        h->is_hurrying = false;
        h->is_hurry_useful = is_useful;
        pthread_cond_broadcast(&h->handed);
    }
    pthread_mutex_unlock(&h->lock);
    return NULL;
}

/* ---- The usual one --------------------------------------------------------------------------- */

/* Until the hurried one has come near, or found that it is of little use (false); not at all where
 * that has ended already. */
static bool have_hurried(history *h)
{
    pthread_mutex_lock(&h->lock);
    h->is_hurrying = !atomic_load(&h->stopping);
    pthread_cond_broadcast(&h->handed);
    while (h->is_hurrying) {
        pthread_cond_wait(&h->handed, &h->lock);
    }
    bool is_useful = h->is_hurry_useful;
    pthread_mutex_unlock(&h->lock);
    return is_useful;
}

static uint64_t processor_ns(void)
{
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * NS_PER_S + (uint64_t)used.tv_nsec;
}

/* A step of each shard. starved: it was mostly kept from a processor. True: there is more. */
static bool follow_all(history *h, bool *starved)
{
    uint64_t began_ns = matching_monotonic_ns(), used_ns = processor_ns();
    bool more = history_follow_all(h);
    used_ns = processor_ns() - used_ns;
    *starved = matching_monotonic_ns() - began_ns > STARVED * used_ns;
    return more;
}

void *history_write(void *context)
{
    history *h = context;
    uint64_t pause_end_ns = 0;
    bool starved;
    background_begin();
    bool is_open = history_open_followers(h) == 0;
    while (is_open && !is_over(h)) {
        if (!follow_all(h, &starved)) {
            history_rest(h);
            continue;
        }
        let_reads_go(h, false);
        if (starved && is_catching_up(h) && matching_monotonic_ns() >= pause_end_ns &&
            !have_hurried(h)) {
            pause_end_ns = matching_monotonic_ns() + PAUSE_NS;
        }
    }
    for (unsigned i = 0; is_open && i < LAST_STEPS && history_follow_all(h); i++) {
    }
    let_reads_go(h, true);
    return NULL;
}
