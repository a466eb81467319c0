/* What stands after a recovery is what stood before it: the books of a core that has lived, and
 * those that its journal alone leads to, a snapshot and the journal behind it, a snapshot alone, an
 * older one and more of the journal, and a start after a crash, and another one. All that can be
 * read is compared (recovery_compare.h).
 *
 * The core took its commands through a port and the shard's own loop: what is compared with a
 * replay has come about without one.
 *
 * MATCHING_SEED=n lives one life of each shape with that seed; MATCHING_SOAK=n (1 counts as 100)
 * says how many fresh ones there are of each.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "recovery_compare.h"
#include "recovery_life.h"
#include "shard/recovery.h"
#include "support/cunit_main.h"

#define STAGES 4u
#define COMMANDS 500u /* in a stage */
#define FIXED_SEEDS 2u
#define SOAK 100u

/* A data directory with the segments of another, as links, and with snapshots of its own. */
typedef struct view {
    folder folder;
    data_dir dir;
} view;

static void must(bool is_well, const char *what)
{
    if (!is_well) {
        perror(what);
        abort();
    }
}

static void link_one(const view *v, const char *from, const char *name)
{
    char target[600], path[600];
    snprintf(target, sizeof target, "%s/%s", from, name);
    snprintf(path, sizeof path, "%s/%s", v->folder.path, name);
    unlink(path);
    must(symlink(target, path) == 0, path);
}

/* Brings the links up to date. */
static void gather(const view *v, const char *from)
{
    char path[300];
    for (unsigned i = 0; i < v->dir.shards; i++) {
        snprintf(path, sizeof path, "%s/shard-%02u", from, i);
        DIR *list = opendir(path);
        must(list != NULL, path);
        for (struct dirent *e = readdir(list); e != NULL; e = readdir(list)) {
            char name[300];
            snprintf(name, sizeof name, "shard-%02u/%s", i, e->d_name);
            if (strstr(name, DATA_DIR_JOURNAL) != NULL) {
                link_one(v, from, name);
            }
        }
        closedir(list);
    }
}

static void view_begin(view *v, const life *l)
{
    char path[300], error[DATA_DIR_ERROR_SIZE];
    folder_make(&v->folder);
    for (unsigned i = 0; i < l->shape->shards; i++) {
        snprintf(path, sizeof path, "%s/shard-%02u", v->folder.path, i);
        must(mkdir(path, 0755) == 0, path);
    }
    link_one(v, l->folder.path, "MANIFEST");
    link_one(v, l->folder.path, "BEGUN");
    if (data_dir_open_read_only(&v->dir, v->folder.path, error, sizeof error) != 0) {
        must(false, error);
    }
}

static void view_end(view *v)
{
    data_dir_close(&v->dir);
    folder_remove(&v->folder);
}

/* ---- Comparing ------------------------------------------------------------------------------- */

typedef struct trial {
    life life;
    view view;
    uint64_t seed;
    unsigned stage;
    kept_books kept[8];
} trial;

static void disagree(const trial *t, unsigned number, const char *way, const char *what)
{
    printf("\n  %s, MATCHING_SEED=%" PRIu64 ", stage %u, shard %u, %s: %s", t->life.shape->name,
           t->seed, t->stage, number, way, what);
    fflush(stdout);
    CU_FAIL("recovery leads to something else");
}

/* Recovers and compares with the living shard. Returns how many commands came after a snapshot. */
static uint64_t compare(const trial *t, unsigned number, bool ignore_snapshots, const char *way)
{
    recovery_options options = {.recent_capacity = t->life.shape->recent_trades,
                                .ignore_snapshots = ignore_snapshots};
    recovery_result result;
    char error[600] = "";
    books b;
    if (books_recover(&b, &t->view.dir, number, &options, &result, error, sizeof error) != 0) {
        disagree(t, number, way, error);
        return 0;
    }
    const char *what = result.skipped[0] != 0
                           ? result.skipped
                           : books_difference(&t->life.bench.core->shards[number].books, &b);
    if (what != NULL) {
        disagree(t, number, way, what);
    }
    books_fini(&b);
    return result.commands;
}

static uint64_t take_snapshot(trial *t, unsigned number)
{
    recovery_options options = {.recent_capacity = t->life.shape->recent_trades};
    snapshot_made made = {0};
    char error[600] = "";
    if (books_snapshot(&t->view.dir, number, &options, &t->kept[number], &made, error,
                       sizeof error) != 0 ||
        books_remove_old(&t->view.dir, number, UINT64_MAX, 0, NULL, error, sizeof error) != 0) {
        disagree(t, number, "taking a snapshot", error);
    }
    const char *what =
        books_difference(&t->life.bench.core->shards[number].books, &t->kept[number].books);
    if (what != NULL) {
        disagree(t, number, "kept", what);
    }
    return made.sequence;
}

/* The one before it, and the journal from there on. */
static void compare_from_older(const trial *t, unsigned number, uint64_t newest)
{
    char path[DATA_DIR_PATH_SIZE], away[DATA_DIR_PATH_SIZE + 8];
    must(data_dir_snapshot_path(&t->view.dir, number, newest, path), "path");
    snprintf(away, sizeof away, "%s.away", path);
    must(rename(path, away) == 0, path);
    compare(t, number, false, "from the older snapshot");
    must(rename(away, path) == 0, away);
}

static void compare_all(trial *t)
{
    for (unsigned i = 0; i < t->life.shape->shards; i++) {
        gather(&t->view, t->life.folder.path);
        compare(t, i, true, "from the journal");
        compare(t, i, false, "from a snapshot and the journal");
        uint64_t newest = take_snapshot(t, i);
        CU_ASSERT_EQUAL(compare(t, i, false, "from a snapshot"), 0);
        if (t->stage > 0) {
            compare_from_older(t, i, newest);
        }
    }
}

/* What anybody can look up: the same after a start as before. */
static void check_table(const matching_core *core, const matching_instrument *had,
                        const matching_state *states, size_t count)
{
    CU_ASSERT_EQUAL_FATAL(matching_core_instrument_count(core), count);
    for (size_t i = 0; i < count; i++) {
        const matching_instrument *now = matching_core_instrument(core, i);
        CU_ASSERT_PTR_NOT_NULL_FATAL(now);
        CU_ASSERT_TRUE(same_instrument(now, &had[i]));
        CU_ASSERT_EQUAL(matching_core_state(core, i), states[i]);
        CU_ASSERT_PTR_EQUAL(matching_core_find_instrument(core, now->symbol, strlen(now->symbol)),
                            now);
    }
}

/* What a start may change, and how it was before. */
typedef struct before {
    uint64_t sequence, hash, next_expiry_ms;
    bool has_guarded;
} before;

static before look_at(const books *b)
{
    return (before){b->sequence, matching_engine_hash(b->engine),
                    matching_engine_next_expiry(b->engine), matching_engine_has_guarded(b->engine)};
}

/* One command, if any: guarded orders end, and what has become due. */
static void check_start(const before *had, const books *b)
{
    uint64_t now_ms = matching_unix_ns() / 1000000;
    bool is_due = had->next_expiry_ms != 0 && had->next_expiry_ms <= now_ms;
    bool is_changed = had->has_guarded || is_due;
    CU_ASSERT_EQUAL(b->sequence, had->sequence + is_changed);
    CU_ASSERT_TRUE(is_changed || matching_engine_hash(b->engine) == had->hash);
    CU_ASSERT_FALSE(matching_engine_has_guarded(b->engine));
}

/* Twice: the second start has nothing left to end but what becomes due. */
static void restart(trial *t)
{
    matching_instrument had[64];
    matching_state states[64];
    before shards[MATCHING_SHARDS_MAX];
    size_t count = matching_core_instrument_count(t->life.bench.core);
    for (size_t i = 0; i < count; i++) {
        had[i] = *matching_core_instrument(t->life.bench.core, i);
        states[i] = matching_core_state(t->life.bench.core, i);
    }
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < t->life.shape->shards; i++) {
            shards[i] = look_at(&t->life.bench.core->shards[i].books);
        }
        life_restart(&t->life);
        check_table(t->life.bench.core, had, states, count);
        for (unsigned i = 0; i < t->life.shape->shards; i++) {
            check_start(&shards[i], &t->life.bench.core->shards[i].books);
        }
        compare_all(t);
    }
}

static void live(const life_shape *shape, uint64_t seed)
{
    static trial t;
    t.seed = seed;
    printf("\n  %s, MATCHING_SEED=%" PRIu64 " ", shape->name, seed); /* to live it again */
    fflush(stdout);
    life_begin(&t.life, shape, seed);
    view_begin(&t.view, &t.life);
    for (t.stage = 0; t.stage < STAGES; t.stage++) {
        life_go_on(&t.life, COMMANDS);
        compare_all(&t);
        if (t.stage % 2 == 1) {
            restart(&t);
        }
    }
    for (unsigned i = 0; i < 8; i++) {
        books_forget(&t.kept[i]);
    }
    view_end(&t.view);
    life_end(&t.life);
}

/* ---- Seeds ----------------------------------------------------------------------------------- */

static uint64_t setting(const char *name)
{
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 10) : 0;
}

static uint64_t fresh_seed(void)
{
    return ((matching_monotonic_ns() ^ (uint64_t)getpid()) & UINT32_MAX) | (FIXED_SEEDS + 1);
}

static void live_often(const life_shape *shape)
{
    uint64_t wanted = setting("MATCHING_SEED"), soak = setting("MATCHING_SOAK");
    if (wanted != 0) {
        live(shape, wanted);
        return;
    }
    for (uint64_t seed = 1; seed <= FIXED_SEEDS; seed++) {
        live(shape, seed);
    }
    for (uint64_t i = 0; i < (soak == 0 ? 1 : soak == 1 ? SOAK : soak); i++) {
        live(shape, fresh_seed());
    }
}

/* Everything is scarce: orders, levels, traders, trades and orders that are kept. */
static void test_a_narrow_market_comes_back(void)
{
    live_often(&(life_shape){.name = "narrow",
                             .shards = 2,
                             .max_orders = 60,
                             .max_levels = 45,
                             .retained_orders = 16,
                             .max_traders = 10,
                             .event_ring_size = 1024,
                             .recent_trades = 20,
                             .tick_size = 5,
                             .passive = 50,
                             .mass = 10,
                             .watching = 40});
}

/* Deep books, and mass cancels with more events than a ring of them holds. */
static void test_a_deep_market_comes_back(void)
{
    live_often(&(life_shape){.name = "deep",
                             .shards = 1,
                             .max_orders = 3000,
                             .max_levels = 2000,
                             .retained_orders = 300,
                             .max_traders = 14,
                             .event_ring_size = 1024,
                             .recent_trades = 300,
                             .tick_size = 1,
                             .passive = 92,
                             .mass = 1,
                             .watching = 20});
}

/* Mostly trades, and mass cancels of what has traded in part. */
static void test_a_busy_market_comes_back(void)
{
    live_often(&(life_shape){.name = "busy",
                             .shards = 3,
                             .max_orders = 400,
                             .max_levels = 400,
                             .retained_orders = 100,
                             .max_traders = 14,
                             .event_ring_size = 1024,
                             .recent_trades = 100,
                             .tick_size = 1,
                             .passive = 40,
                             .mass = 60,
                             .watching = 0});
}

/* ---- More events than a replay has room for -------------------------------------------------- */

#define FLOOD 4500u /* orders; each is at least one event, and a replay's ring has 4096 */

static void send(life *l, matching_command command)
{
    CU_ASSERT_EQUAL(submit(&l->bench.probes[0], command, 1), MATCHING_OK);
    bench_step(&l->bench);
}

static void set_state(life *l, uint16_t instrument, matching_state state)
{
    send(l, (matching_command){
                .type = MATCHING_SET_STATE, .instrument = instrument, .state = (uint8_t)state});
    life_settle(l);
}

/* All of one trader, at a few prices; what one has traded is worth more than 2^48. */
static void fill_book(life *l, const matching_instrument *instrument)
{
    for (unsigned i = 0; i < FLOOD; i++) {
        send(l, limit_order(instrument, "many", MATCHING_SELL, 3000000 + i % 7, 100000000));
        if (i % 64 == 63) {
            life_settle(l);
        }
    }
    life_settle(l);
}

static void buy(life *l, const matching_instrument *instrument, int64_t lots)
{
    send(l, limit_order(instrument, "one", MATCHING_BUY, 3000006, lots));
    life_settle(l);
}

static void test_commands_with_very_many_events_come_back(void)
{
    static const life_shape flood = {.name = "flood",
                                     .shards = 1,
                                     .max_orders = 5000,
                                     .retained_orders = 1000,
                                     .max_traders = 10,
                                     .event_ring_size = 1024,
                                     .recent_trades = 10000,
                                     .tick_size = 1};
    static trial t;
    life_begin(&t.life, &flood, 1);
    view_begin(&t.view, &t.life);
    const matching_instrument *instrument = bench_instrument(&t.life.bench, 0, 0);
    const books *b = &t.life.bench.core->shards[0].books;
    fill_book(&t.life, instrument);
    buy(&t.life, instrument, FLOOD * INT64_C(100000000) - 50000000);
    CU_ASSERT_EQUAL(b->recent[instrument->index].last_id, FLOOD);
    fill_book(&t.life, instrument);
    buy(&t.life, instrument, 100000000);
    send(&t.life, cancel_everything("many"));
    set_state(&t.life, instrument->index, MATCHING_AUCTION);
    fill_book(&t.life, instrument);
    buy(&t.life, instrument, FLOOD * INT64_C(100000000) - 50000000);
    set_state(&t.life, instrument->index, MATCHING_TRADING);
    CU_ASSERT_EQUAL(b->recent[instrument->index].last_id, 2 * FLOOD + 1);
    compare_all(&t);
    for (unsigned i = 0; i < 8; i++) {
        books_forget(&t.kept[i]);
    }
    view_end(&t.view);
    life_end(&t.life);
}

MATCHING_TESTS(MATCHING_TEST(test_a_narrow_market_comes_back),
               MATCHING_TEST(test_a_deep_market_comes_back),
               MATCHING_TEST(test_a_busy_market_comes_back),
               MATCHING_TEST(test_commands_with_very_many_events_come_back))
