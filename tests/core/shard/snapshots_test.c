/* core/shard/snapshots.c: which of the two workers makes a snapshot, and how long their books are
 * kept. The linker's --wrap holds the usual one where a test wants it, as processors that never
 * rest would, and gives it a clock of its own.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "bench.h"
#include "folder.h"
#include "shard/recovery.h"
#include "support/cunit_main.h"

#define EVERY 10
#define SEGMENT 65536
#define BURST 100

/* ---- What stands in between ------------------------------------------------------------------ */

int __real_books_snapshot(const data_dir *dir, unsigned number, const recovery_options *options,
                          kept_books *kept, snapshot_made *made, char *error, size_t error_size);
int __wrap_books_snapshot(const data_dir *dir, unsigned number, const recovery_options *options,
                          kept_books *kept, snapshot_made *made, char *error, size_t error_size);
void __real_books_forget(kept_books *kept);
void __wrap_books_forget(kept_books *kept);
uint64_t __real_matching_monotonic_ns(void);
uint64_t __wrap_matching_monotonic_ns(void);
int __real_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
                                  const struct timespec *until);
int __wrap_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
                                  const struct timespec *until);

void __wrap_background_begin(void);

/* A machine that is busy with other tests would let nobody go on who has the lowest priority. */
void __wrap_background_begin(void)
{
}

/* Of one worker. */
typedef struct outcomes {
    atomic_uint made, left, failed;
    _Atomic uint64_t sequence; /* of the last that was made */
    atomic_uint pace_us;
    atomic_bool went_on; /* with books that were kept */
} outcomes;

static outcomes usual, hurried;
static atomic_bool holds_usual; /* it does not come to its end unless it is to leave off */
static atomic_bool is_held;
static atomic_uint forgotten;
static _Atomic uint64_t worker_s; /* what the usual worker's clock shows */
static atomic_uint looks;         /* at it */

static bool is_thread(const char *name)
{
    char mine[16] = "";
    return pthread_getname_np(pthread_self(), mine, sizeof mine) == 0 && strcmp(mine, name) == 0;
}

static uint64_t deadline(void)
{
    return __real_matching_monotonic_ns() + BENCH_DEADLINE_MS * 1000000ull;
}

static bool is_over(uint64_t until)
{
    sched_yield();
    return __real_matching_monotonic_ns() > until;
}

static void hold(const atomic_bool *stop)
{
    uint64_t until = deadline();
    atomic_store(&is_held, true);
    while (atomic_load(&holds_usual) && !atomic_load(stop) && !is_over(until)) {
    }
    atomic_store(&is_held, false);
}

int __wrap_books_snapshot(const data_dir *dir, unsigned number, const recovery_options *options,
                          kept_books *kept, snapshot_made *made, char *error, size_t error_size)
{
    outcomes *mine = is_thread("snapshots-soon") ? &hurried : &usual;
    if (mine == &usual) {
        hold(options->stop);
    }
    atomic_store(&mine->went_on, kept->are_there);
    int failed = __real_books_snapshot(dir, number, options, kept, made, error, error_size);
    atomic_store(&mine->pace_us, options->pace_us);
    if (failed == 0) {
        atomic_store(&mine->sequence, made->sequence);
    }
    atomic_fetch_add(failed == 0            ? &mine->made
                     : failed == -ECANCELED ? &mine->left
                                            : &mine->failed,
                     1);
    return failed;
}

void __wrap_books_forget(kept_books *kept)
{
    atomic_fetch_add(&forgotten, kept->are_there);
    __real_books_forget(kept);
}

uint64_t __wrap_matching_monotonic_ns(void)
{
    if (!is_thread("snapshots")) {
        return __real_matching_monotonic_ns();
    }
    atomic_fetch_add(&looks, 1);
    return atomic_load(&worker_s) * 1000000000u;
}

int __wrap_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
                                  const struct timespec *until)
{
    if (!is_thread("snapshots")) {
        return __real_pthread_cond_timedwait(cond, mutex, until);
    }
    pthread_mutex_unlock(mutex);
    sched_yield();
    pthread_mutex_lock(mutex);
    return ETIMEDOUT;
}

static void reset(void)
{
    memset(&usual, 0, sizeof usual);
    memset(&hurried, 0, sizeof hurried);
    atomic_store(&holds_usual, false);
    atomic_store(&is_held, false);
    atomic_store(&forgotten, 0);
    atomic_store(&worker_s, 1000);
    atomic_store(&looks, 0);
}

/* Until *count is at least so much. */
static void await(const atomic_uint *count, unsigned wanted)
{
    uint64_t until = deadline();
    while (atomic_load(count) < wanted && !is_over(until)) {
    }
    CU_ASSERT_TRUE_FATAL(atomic_load(count) >= wanted);
}

/* ---- Life ------------------------------------------------------------------------------------ */

/* Commands that leave something behind, all of them safe when it returns. */
static void trade(bench *b, unsigned commands)
{
    static uint64_t tag;
    probe *p = &b->probes[0];
    for (unsigned done = 0; done < commands; done += BURST) {
        for (unsigned i = done; i < commands && i < done + BURST; i++) {
            tag++;
            submit(p,
                   limit_order(bench_instrument(b, 0, tag % 2), i % 3 == 0 ? "ann" : "bob",
                               i % 2 == 0 ? MATCHING_BUY : MATCHING_SELL, 10 + (int64_t)(tag % 5),
                               1 + (int64_t)(tag % 4)),
                   tag);
        }
        bench_step(b);
        CU_ASSERT_TRUE(journal_wait(b->core->shards[0].journal));
        bench_settle(b);
        forget(p);
    }
}

static void take_snapshot(bench *b)
{
    uint64_t ticket, until = deadline();
    matching_snapshot_result results[MATCHING_SHARDS_MAX];
    CU_ASSERT_EQUAL(matching_core_request_snapshot(b->core, &ticket), MATCHING_OK);
    bool is_done;
    while (!(is_done = matching_core_snapshot_done(b->core, ticket, results)) && !is_over(until)) {
    }
    CU_ASSERT_TRUE_FATAL(is_done);
    CU_ASSERT_FALSE(results[0].failed);
    CU_ASSERT_EQUAL(results[0].sequence, b->core->shards[0].books.sequence);
}

static bench_options stored(const folder *f)
{
    return (bench_options){.data_dir = f->path, .segment_bytes = SEGMENT};
}

/* ---- Tests ----------------------------------------------------------------------------------- */

/* More than sixteen snapshots are due and the journal piles up: the hurried one goes on with what
 * the usual one has, and leaves the next to it. */
static void test_the_hurried_worker_takes_over_and_gives_back(void)
{
    folder f;
    bench b;
    folder_make(&f);
    reset();
    atomic_store(&holds_usual, true);
    bench_options options = stored(&f);
    options.snapshot_every = EVERY;
    bench_init(&b, &options);
    trade(&b, BURST);
    uint64_t until = deadline();
    while (!atomic_load(&is_held) && !is_over(until)) {
    }
    CU_ASSERT_TRUE_FATAL(atomic_load(&is_held));

    trade(&b, 7 * BURST); /* eighty are due, in less than a segment: nothing piles up yet */
    CU_ASSERT_TRUE(atomic_load(&is_held));
    CU_ASSERT_EQUAL(atomic_load(&hurried.made) + atomic_load(&hurried.failed), 0);

    trade(&b, 5 * BURST);
    await(&hurried.made, 1);
    CU_ASSERT_TRUE(atomic_load(&usual.left) >= 1);
    CU_ASSERT_EQUAL(atomic_load(&usual.made), 0);
    CU_ASSERT_TRUE(atomic_load(&hurried.went_on));
    CU_ASSERT_TRUE(atomic_load(&hurried.pace_us) > 0);
    CU_ASSERT_TRUE(atomic_load(&hurried.pace_us) < atomic_load(&usual.pace_us));
    CU_ASSERT_TRUE(folder_count(&f, ".snapshot") >= 1);

    atomic_store(&holds_usual, false);
    take_snapshot(&b);
    trade(&b, 2 * EVERY);
    take_snapshot(&b);
    CU_ASSERT_TRUE(atomic_load(&usual.made) >= 1);
    CU_ASSERT_EQUAL(atomic_load(&usual.sequence), b.core->shards[0].books.sequence);
    CU_ASSERT_EQUAL(atomic_load(&usual.failed) + atomic_load(&hurried.failed), 0);
    uint64_t state = state_of(&b);
    bench_die(&b);
    options.snapshot_every = 0;
    bench_init(&b, &options);
    CU_ASSERT_EQUAL(state_of(&b), state);
    assert_books_are_sound(&b);
    bench_fini(&b);
    folder_remove(&f);
}

/* They are there for the next snapshot, but not for one that may never come. */
static void test_kept_books_are_given_back_when_nobody_needs_them(void)
{
    folder f;
    bench b;
    folder_make(&f);
    reset();
    bench_options options = stored(&f);
    bench_init(&b, &options);
    trade(&b, BURST);
    take_snapshot(&b);
    await(&looks, atomic_load(&looks) + 3);
    atomic_store(&worker_s, 1009);
    await(&looks, atomic_load(&looks) + 3);
    CU_ASSERT_EQUAL(atomic_load(&forgotten), 0);
    trade(&b, BURST);
    take_snapshot(&b); /* the time begins again */
    await(&looks, atomic_load(&looks) + 3);
    atomic_store(&worker_s, 1018);
    await(&looks, atomic_load(&looks) + 3);
    CU_ASSERT_EQUAL(atomic_load(&forgotten), 0);
    atomic_store(&worker_s, 1019);
    await(&forgotten, 1);

    trade(&b, BURST); /* and then they are made anew */
    take_snapshot(&b);
    uint64_t state = state_of(&b);
    bench_die(&b);
    CU_ASSERT_EQUAL(atomic_load(&forgotten), 2); /* the last at the end */
    CU_ASSERT_EQUAL(folder_count(&f, ".snapshot"), 2);
    bench_init(&b, &options);
    CU_ASSERT_EQUAL(state_of(&b), state);
    bench_fini(&b);
    folder_remove(&f);
}

MATCHING_TESTS(MATCHING_TEST(test_the_hurried_worker_takes_over_and_gives_back),
               MATCHING_TEST(test_kept_books_are_given_back_when_nobody_needs_them))
