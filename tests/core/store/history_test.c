/* A store of random histories against plain arrays: whole, opened again, and after additions that
 * were given up; and read while it is added to.
 *
 * Random runs have fixed seeds and a fresh one, which is printed; MATCHING_SEED=n runs only that
 * one.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/shard/folder.h"
#include "core/store/world.h"
#include "support/cunit_main.h"

static char error[STORE_ERROR_SIZE];

static store *open_store(const char *path, uint64_t memory_bytes)
{
    store_options options;
    store_options_default(&options);
    options.path = path;
    options.data_dir = "DIR";
    options.shards = WORLD_SHARDS;
    options.max_instruments = WORLD_INSTRUMENTS;
    options.memory_bytes = memory_bytes;
    store *s = store_open(&options, error, sizeof error);
    if (s == NULL) {
        printf("\n    %s\n", error);
    }
    return s;
}

/* One commit of a shard with some commands in it. */
static bool advance(world *w, store *s, unsigned shard, uint64_t commands)
{
    for (uint64_t i = 0; i < commands; i++) {
        if (!world_step(w, shard, s)) {
            return false;
        }
    }
    return s == NULL ||
           store_commit(s, shard, w->shards[shard].sequence, w->shards[shard].time_ns) == 0;
}

static bool run_whole(uint64_t seed, const char *path)
{
    world w;
    world_init(&w, seed);
    uint64_t random = seed + 5;
    store *s = open_store(path, UINT64_C(1) << 20);
    bool good = s != NULL && world_add_instruments(&w, s) && world_agrees(&w, s);
    for (unsigned round = 0; round < 60 && good; round++) {
        good = advance(&w, s, round % WORLD_SHARDS, world_random(&random) % 60) &&
               advance(&w, s, (round + 1) % WORLD_SHARDS, world_random(&random) % 3);
        if (good && round % 10 == 9) {
            good = world_agrees(&w, s);
        }
        if (good && round % 20 == 15) {
            good = store_close(s, error, sizeof error) == 0 &&
                   (s = open_store(path, UINT64_C(1) << 20)) != NULL && world_agrees(&w, s);
        }
        if (good && round % 7 == 3) { /* what is given up leaves no trace */
            world other;
            world_init(&other, seed);
            for (uint64_t i = 0; i < w.shards[0].sequence && good; i++) {
                good = world_step(&other, 0, NULL);
            }
            for (unsigned i = 0; i < 20 && good; i++) {
                good = world_step(&other, 0, s);
            }
            store_discard(s, 0);
            world_fini(&other);
            good = good && store_pending(s, 0) < 100 && world_agrees(&w, s);
        }
    }
    if (s != NULL) {
        good = store_close(s, error, sizeof error) == 0 && good;
    }
    world_fini(&w);
    return good;
}

static void for_each_seed(bool (*run)(uint64_t, const char *))
{
    const char *given = getenv("MATCHING_SEED");
    uint64_t seeds[] = {1, 7, (uint64_t)time(NULL)};
    size_t count = sizeof seeds / sizeof seeds[0];
    if (given != NULL && *given != '\0') {
        seeds[0] = strtoull(given, NULL, 10);
        count = 1;
    }
    printf("seed %" PRIu64 " ", seeds[count - 1]);
    for (size_t i = 0; i < count; i++) {
        folder f;
        char path[300];
        folder_make(&f);
        snprintf(path, sizeof path, "%s/store", f.path);
        CU_ASSERT(run(seeds[i], path));
        folder_remove(&f);
    }
}

static void test_a_store_tells_what_happened(void)
{
    for_each_seed(run_whole);
}

/* ---- Reading beside the adding thread ------------------------------------------------------- */

typedef struct reader {
    const store *s;
    atomic_bool stop;
    unsigned rounds, wrong;
} reader;

/* What one read tells is of one moment: no trade between others is missing, no candle comes twice,
 * and only the last may be running. */
static void *read_beside(void *context)
{
    reader *r = context;
    static matching_trade trades[40];
    static matching_candle candles[40];
    size_t count;
    bool more;
    while (!atomic_load(&r->stop)) {
        store_candle_query query = {.interval = MATCHING_S1, .limit = 40};
        r->wrong += store_read_trades(r->s, 0, 0, 0, 40, trades, &count) != 0;
        for (size_t i = 1; i < count; i++) {
            r->wrong += trades[i].trade_id != trades[i - 1].trade_id + 1;
        }
        r->wrong += store_read_candles(r->s, &query, candles, &count, &more) != 0;
        for (size_t i = 1; i < count; i++) {
            r->wrong += candles[i].start_s <= candles[i - 1].start_s || !candles[i - 1].is_final;
        }
        r->rounds++;
    }
    return NULL;
}

static bool run_beside(uint64_t seed, const char *path)
{
    world w;
    pthread_t thread;
    reader r = {.s = open_store(path, 256 * 1024)};
    store *s = (store *)(uintptr_t)r.s;
    world_init(&w, seed);
    bool good = s != NULL && world_add_instruments(&w, s) &&
                pthread_create(&thread, NULL, read_beside, &r) == 0;
    if (!good) {
        return false;
    }
    for (unsigned i = 0; i < 300 && good; i++) {
        good = advance(&w, s, i % WORLD_SHARDS, 8);
    }
    atomic_store(&r.stop, true);
    pthread_join(thread, NULL);
    good = good && r.wrong == 0 && r.rounds > 0 && world_agrees(&w, s);
    good = store_close(s, error, sizeof error) == 0 && good;
    world_fini(&w);
    return good;
}

static void test_reads_beside_the_adding_thread_are_of_one_moment(void)
{
    for_each_seed(run_beside);
}

MATCHING_TESTS(MATCHING_TEST(test_a_store_tells_what_happened),
               MATCHING_TEST(test_reads_beside_the_adding_thread_are_of_one_moment))
