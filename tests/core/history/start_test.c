/* Where a history begins: beside a journal that was cut short, after a break, in another's
 * store. */
#define _GNU_SOURCE /* pthread_getname_np */
#include <CUnit/CUnit.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "exchange.h"
#include "history/follower.h"
#include "history/needed.h"
#include "store/store.h"
#include "support/cunit_main.h"
#include "support/metric.h"

static exchange x;

static atomic_uint journal_syncs; /* by the thread that writes the store */

/* In place of the library's. */
int fdatasync(int fd)
{
    char thread[16] = "", link[64], name[400] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    if (pthread_getname_np(pthread_self(), thread, sizeof thread) == 0 &&
        strcmp(thread, "history") == 0 && readlink(link, name, sizeof name - 1) > 0 &&
        strstr(name, DATA_DIR_JOURNAL) != NULL) {
        atomic_fetch_add(&journal_syncs, 1);
    }
    return (int)syscall(SYS_fdatasync, fd);
}

static void begin(uint64_t seed)
{
    exchange_init(&x, seed);
    x.options.max_orders = 2048;
}

static const char *store_path(char path[300])
{
    snprintf(path, 300, "%s/store", x.f.path);
    return path;
}

/* The journal's first segments and all but the newest snapshots go once they are not needed. */
static void move_on(unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        exchange_trade(&x, 512);
        CU_ASSERT_TRUE_FATAL(exchange_snapshot(&x));
    }
}

static void remove_store(void)
{
    char command[400], path[300];
    snprintf(command, sizeof command, "rm -r '%s'", store_path(path));
    CU_ASSERT_EQUAL_FATAL(system(command), 0);
}

static bool has_first_segment(void)
{
    char path[400];
    snprintf(path, sizeof path, "%s/shard-00/00000000000000000001.journal", x.f.path);
    return access(path, F_OK) == 0;
}

/* Files may go a little after the snapshot that made them superfluous. */
static bool loses_first_segment(void)
{
    uint64_t deadline = matching_monotonic_ns() + 10 * BENCH_DEADLINE_MS * 1000000ull;
    while (has_first_segment() && matching_monotonic_ns() < deadline) {
        usleep(1000);
    }
    return !has_first_segment();
}

static bool comes_to(matching_history_state state)
{
    uint64_t deadline = matching_monotonic_ns() + 10 * BENCH_DEADLINE_MS * 1000000ull;
    while (matching_core_history_progress(x.b.core, 0).state != state &&
           matching_monotonic_ns() < deadline) {
        usleep(1000);
    }
    return matching_core_history_progress(x.b.core, 0).state == state;
}

/* What is not on disk in the store stays in the journal, however many snapshots there are. */
static void test_the_journal_waits_for_the_store(void)
{
    begin(21);
    exchange_start(&x);
    move_on(5);
    exchange_die(&x);
    exchange_start(&x);
    exchange_compare(&x);
    move_on(3);
    exchange_compare(&x);
    exchange_stop(&x);
    CU_ASSERT(folder_count(&x.f, ".snapshot") <= 4); /* one may be left to be removed */
    exchange_fini(&x);
}

/* The commands of a start itself can make a snapshot due, when the history is not attached yet. Who
 * asks for a second one knows that the first has removed what it wanted to. */
static void test_the_journal_waits_for_a_history_that_is_still_to_come(void)
{
    begin(31);
    x.options.segment_bytes = 16u << 10;
    exchange_start(&x);
    exchange_trade(&x, 64);
    exchange_stop(&x);
    x.without_history = true;
    exchange_start(&x);
    exchange_trade(&x, 512);
    CU_ASSERT_TRUE_FATAL(exchange_snapshot(&x)); /* one alone makes nothing superfluous */
    exchange_trade(&x, 64);
    exchange_stop(&x);
    x.without_history = false;
    x.early_snapshots = 2;
    exchange_start(&x);
    CU_ASSERT_EQUAL_FATAL(x.attached, 0);
    CU_ASSERT_EQUAL(folder_count(&x.f, ".snapshot"), 2);
    CU_ASSERT_TRUE(has_first_segment());
    CU_ASSERT_TRUE(comes_to(MATCHING_HISTORY_STATE_LIVE));
    exchange_compare(&x);
    move_on(3);
    CU_ASSERT_TRUE(loses_first_segment());
    exchange_compare(&x);
    exchange_fini(&x);
}

/* The store's files are on disk by the end: then the journal may go, and does. */
static void test_what_is_stored_leaves_the_journal(void)
{
    begin(22);
    exchange_start(&x);
    move_on(1);
    exchange_stop(&x);
    exchange_start(&x);
    CU_ASSERT_TRUE(has_first_segment());
    move_on(4);
    exchange_stop(&x);
    exchange_start(&x);
    move_on(3);
    CU_ASSERT_TRUE(loses_first_segment());
    exchange_compare(&x);
    exchange_fini(&x);
}

static bool is_all_stored(void)
{
    uint64_t deadline = matching_monotonic_ns() + 10 * BENCH_DEADLINE_MS * 1000000ull, lag;
    do {
        usleep(1000);
        lag = matching_core_history_progress(x.b.core, 0).lag +
              matching_core_history_progress(x.b.core, 1).lag;
    } while (lag > 0 && matching_monotonic_ns() < deadline);
    return lag == 0;
}

/* Its effects are stored only when the journal is on disk, which one sync of a segment sees to for
 * all that was written by then: the start itself adds a few commands behind the many. */
static void test_a_store_that_is_behind_syncs_the_journal_once(void)
{
    enum { STEPS = 3, STARTS = 2 };
    begin(33);
    x.options.sync = MATCHING_SYNC_NONE;
    x.without_history = true;
    exchange_start(&x);
    exchange_trade(&x, 2 * STEPS * FOLLOWER_STEP); /* two shards */
    exchange_stop(&x);
    x.without_history = false;
    atomic_store(&journal_syncs, 0);
    exchange_start(&x);
    CU_ASSERT_TRUE(is_all_stored());
    unsigned syncs = atomic_load(&journal_syncs);
    CU_ASSERT_TRUE(syncs >= 1);
    CU_ASSERT_TRUE(syncs <= 2 * STARTS);
    exchange_compare(&x);
    exchange_fini(&x);
}

/* Of what was before only the latest is left. */
static void test_a_new_store_begins_where_the_journal_does(void)
{
    begin(23);
    x.without_history = true;
    exchange_start(&x);
    move_on(4);
    CU_ASSERT_TRUE(loses_first_segment());
    size_t before = x.trade_count;
    exchange_stop(&x);
    x.without_history = false;
    exchange_start(&x);
    CU_ASSERT_EQUAL_FATAL(x.attached, 0);
    exchange_trade(&x, 512);
    const matching_instrument *one = bench_instrument(&x.b, 0, 0);
    matching_command read = read_command(MATCHING_READ_TRADES, one, 1000);
    read.from_id = 1;
    const entry *e = exchange_ask_again(&x, read);
    CU_ASSERT_EQUAL_FATAL(e->reply.code, MATCHING_OK);
    CU_ASSERT_FATAL(e->reply.trade_count > 0);
    uint64_t first = e->trades[0].trade_id;
    CU_ASSERT(first > 1);
    unsigned wrong = 0;
    for (size_t i = 1; i < e->reply.trade_count; i++) {
        wrong += e->trades[i].trade_id != first + i;
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT(x.trade_count > before);
    uint64_t last = 0;
    for (size_t i = 0; i < x.trade_count; i++) {
        last = x.trades[i].instrument == one->index ? x.trades[i].trade_id : last;
    }
    CU_ASSERT_EQUAL(e->trades[e->reply.trade_count - 1].trade_id, last);
    /* Candles that lack trades are not told. */
    uint64_t begun_s = e->trades[0].time_ns / 1000000000;
    while (matching_unix_ns() / 1000000000 <= begun_s + 1) {
        exchange_trade(&x, 64);
    }
    for (unsigned i = 0; i < MATCHING_INTERVALS; i++) {
        exchange_compare_candles_told(&x, one, (matching_interval)i);
    }
    read = read_command(MATCHING_READ_CANDLES, one, 10);
    read.interval = MATCHING_S1;
    CU_ASSERT(exchange_ask_again(&x, read)->reply.candle_count > 0);
    exchange_fini(&x);
}

/* Trades that history knows, of all instruments. */
static size_t count_trades(void)
{
    size_t count = 0;
    for (unsigned i = 0; i < 4; i++) {
        const matching_instrument *one = bench_instrument(&x.b, i / 2, i % 2);
        matching_command read = read_command(MATCHING_READ_TRADES, one, MATCHING_PAGE_MAX);
        read.from_id = 1;
        const entry *e = exchange_ask_again(&x, read);
        CU_ASSERT_EQUAL_FATAL(e->reply.code, MATCHING_OK);
        CU_ASSERT_TRUE(e->reply.trade_count < MATCHING_PAGE_MAX);
        count += e->reply.trade_count;
    }
    return count;
}

/* Of the shard's journal, with nobody using the directory. */
static uint64_t needed_at_rest(unsigned number)
{
    data_dir dir;
    char error[STORE_ERROR_SIZE];
    uint64_t keep_from = 1;
    CU_ASSERT_EQUAL_FATAL(data_dir_open(&dir, x.f.path, 0, 0, error, sizeof error), 0);
    CU_ASSERT_EQUAL(data_dir_add_identity(&dir, error, sizeof error), 0);
    CU_ASSERT_EQUAL(matching_history_needed(&dir, number, &keep_from, error, sizeof error), 0);
    data_dir_close(&dir);
    return keep_from;
}

/* Nothing of it was on disk when the process died: the snapshot that it began with is still there.
 * What RocksDB had on disk is what its folder held before. */
static void test_a_new_store_begins_there_again_after_a_crash(void)
{
    char command[1000], path[300];
    begin(32);
    x.without_history = true;
    exchange_start(&x);
    move_on(4);
    CU_ASSERT_TRUE(loses_first_segment());
    exchange_stop(&x);
    x.without_history = false;
    exchange_start(&x);
    exchange_trade(&x, 512);
    size_t trades = count_trades();
    snprintf(command, sizeof command, "cp -r '%s' '%s-on-disk'", store_path(path), path);
    CU_ASSERT_EQUAL_FATAL(system(command), 0);
    CU_ASSERT_TRUE_FATAL(exchange_snapshot(&x));
    CU_ASSERT_TRUE_FATAL(exchange_snapshot(&x)); /* the first has removed what it wanted to */
    exchange_die(&x);
    remove_store();
    snprintf(command, sizeof command, "mv '%s-on-disk' '%s'", path, path);
    CU_ASSERT_EQUAL_FATAL(system(command), 0);
    CU_ASSERT_EQUAL(needed_at_rest(0), 0);
    exchange_start(&x);
    CU_ASSERT_EQUAL(count_trades(), trades);
    exchange_fini(&x);
}

/* A store that was left out for so long that the journal has gone on without it. */
static void test_a_gap_is_told_and_trading_goes_on(void)
{
    begin(24);
    exchange_start(&x);
    exchange_trade(&x, 512);
    exchange_stop(&x);
    x.without_history = true;
    exchange_start(&x);
    move_on(4);
    exchange_stop(&x);
    x.without_history = false;
    exchange_start(&x);
    CU_ASSERT_EQUAL_FATAL(x.attached, 0);
    CU_ASSERT_TRUE(comes_to(MATCHING_HISTORY_STATE_FAILED));
    CU_ASSERT_PTR_NOT_NULL(strstr(matching_core_history_warning(x.b.core), "store rebuild"));
    CU_ASSERT_EQUAL(metric_value(x.b.core, "matching_store_healthy"), 0);
    CU_ASSERT_EQUAL(metric_value(x.b.core, "matching_store_warning"), 0);
    exchange_trade(&x, 64);
    matching_command read = read_command(MATCHING_READ_ORDERS, NULL, 10);
    const entry *e = exchange_ask(&x, read);
    CU_ASSERT_EQUAL(e->reply.code, MATCHING_INTERNAL_ERROR);
    CU_ASSERT_EQUAL(e->reply.history, MATCHING_HISTORY_FAILED);
    read.source = MATCHING_SOURCE_MEMORY;
    CU_ASSERT_EQUAL(exchange_ask(&x, read)->reply.code, MATCHING_OK);
    exchange_stop(&x);
    char error[2000] = "";
    CU_ASSERT_EQUAL(matching_history_rebuild(x.f.path, NULL, NULL, NULL, error, sizeof error), 0);
    exchange_start(&x);
    CU_ASSERT_EQUAL(exchange_ask_again(&x, read)->reply.code, MATCHING_OK);
    CU_ASSERT_EQUAL(metric_value(x.b.core, "matching_store_healthy"), 1);
    exchange_fini(&x);
}

static void test_a_rebuilt_store_says_the_same(void)
{
    char error[2000] = "";
    begin(25);
    exchange_start(&x);
    exchange_trade(&x, 1024);
    CU_ASSERT_EQUAL(matching_history_rebuild(x.f.path, NULL, NULL, NULL, error, sizeof error),
                    -EBUSY);
    exchange_stop(&x);
    CU_ASSERT_EQUAL(matching_history_rebuild(x.f.path, NULL, NULL, NULL, error, sizeof error), 0);
    exchange_start(&x);
    exchange_compare(&x);
    exchange_stop(&x);
    remove_store(); /* then it is made anew without being asked for */
    exchange_start(&x);
    exchange_compare(&x);
    exchange_fini(&x);
}

static char notes[2000];

static void note(void *context, const char *line)
{
    size_t used = strlen(notes);
    (void)context;
    snprintf(notes + used, sizeof notes - used, "%s\n", line);
}

static void test_anothers_store_is_refused(void)
{
    char here[300], there[300];
    exchange other;
    begin(26);
    exchange_start(&x);
    exchange_trade(&x, 64);
    exchange_stop(&x);
    exchange_init(&other, 27);
    exchange_start(&other);
    exchange_stop(&other);
    remove_store();
    snprintf(there, sizeof there, "%s/store", other.f.path);
    CU_ASSERT_EQUAL_FATAL(rename(there, store_path(here)), 0);
    exchange_start(&x);
    CU_ASSERT_EQUAL(x.attached, -EBADMSG);
    CU_ASSERT_PTR_NOT_NULL(strstr(x.error, "belongs to another data directory"));
    CU_ASSERT_PTR_NOT_NULL(strstr(x.error, "matching store rebuild"));
    CU_ASSERT_FALSE(matching_core_has_history(x.b.core));
    exchange_stop(&x);
    char error[2000] = "", aside[320];
    notes[0] = '\0';
    CU_ASSERT_EQUAL(matching_history_rebuild(x.f.path, NULL, note, NULL, error, sizeof error), 0);
    snprintf(aside, sizeof aside, "%s.aside-1", here);
    CU_ASSERT_PTR_NOT_NULL(strstr(notes, aside)); /* the operator hears of it */
    CU_ASSERT_EQUAL(access(aside, F_OK), 0);
    exchange_start(&x);
    exchange_compare(&x);
    CU_ASSERT_EQUAL_FATAL(rename(aside, there), 0); /* the other has lost nothing */
    exchange_start(&other);
    CU_ASSERT_EQUAL(other.attached, 0);
    exchange_compare(&other);
    exchange_fini(&other);
    exchange_fini(&x);
}

/* Its journal was put back to an older copy. */
static void test_a_store_ahead_of_its_journal_is_refused(void)
{
    char command[2000], path[300];
    begin(28);
    exchange_start(&x);
    exchange_trade(&x, 64);
    exchange_stop(&x);
    snprintf(command, sizeof command, "cp -r '%s/shard-00' '%s/shard-01' '%s/store/'", x.f.path,
             x.f.path, x.f.path);
    CU_ASSERT_EQUAL_FATAL(system(command), 0);
    exchange_start(&x);
    exchange_trade(&x, 64);
    exchange_stop(&x);
    snprintf(command, sizeof command, "rm -r '%s/shard-00' '%s/shard-01' && mv '%s'/shard-0? '%s'",
             x.f.path, x.f.path, store_path(path), x.f.path);
    CU_ASSERT_EQUAL_FATAL(system(command), 0);
    exchange_start(&x);
    CU_ASSERT_EQUAL(x.attached, -EBADMSG);
    CU_ASSERT_PTR_NOT_NULL(strstr(x.error, "but its journal ends with"));
    CU_ASSERT_PTR_NOT_NULL(strstr(x.error, "matching store rebuild"));
    exchange_fini(&x);
}

/* A directory from before there were identities. */
static void test_an_old_directory_gets_an_identity(void)
{
    begin(29);
    x.without_history = true;
    exchange_start(&x);
    exchange_trade(&x, 64);
    exchange_stop(&x);
    folder_put_sealed(&x.f, "MANIFEST",
                      "matching data directory\nversion 1\nshards 2\nsymbol_hash fnv1a-223\n");
    x.without_history = false;
    exchange_start(&x);
    CU_ASSERT_EQUAL(x.attached, 0);
    exchange_compare(&x);
    exchange_stop(&x);
    exchange_start(&x);
    CU_ASSERT_EQUAL(x.attached, 0);
    exchange_compare(&x);
    exchange_fini(&x);
}

/* Half of what the journal may keep for it is the one segment that there is; what the snapshots'
 * worker asks before it removes any, the test asks. */
static void test_a_store_that_may_be_given_up_is_warned_of(void)
{
    begin(31);
    x.history.max_backlog_bytes = x.options.segment_bytes = 1u << 20;
    exchange_start(&x);
    exchange_trade(&x, 64);
    CU_ASSERT_EQUAL(metric_value(x.b.core, "matching_store_warning"), 0);
    const history_link *link = atomic_load(&x.b.core->history);
    CU_ASSERT_NOT_EQUAL(link->needed(link, 0), UINT64_MAX);
    CU_ASSERT_PTR_NOT_NULL(strstr(matching_core_history_warning(x.b.core), "far behind"));
    CU_ASSERT_EQUAL(metric_value(x.b.core, "matching_store_warning"), 1);
    CU_ASSERT_EQUAL(metric_value(x.b.core, "matching_store_healthy"), 1);
    exchange_fini(&x);
}

static void test_a_store_too_far_behind_is_given_up(void)
{
    begin(30);
    x.history.max_backlog_bytes = 1;
    exchange_start(&x);
    exchange_trade(&x, 64);
    CU_ASSERT_TRUE(exchange_snapshot(&x));
    CU_ASSERT_TRUE(comes_to(MATCHING_HISTORY_STATE_FAILED));
    CU_ASSERT_NOT_EQUAL(matching_core_history_warning(x.b.core)[0], '\0');
    exchange_trade(&x, 64);
    exchange_fini(&x);
}

MATCHING_TESTS(MATCHING_TEST(test_the_journal_waits_for_the_store),
               MATCHING_TEST(test_the_journal_waits_for_a_history_that_is_still_to_come),
               MATCHING_TEST(test_what_is_stored_leaves_the_journal),
               MATCHING_TEST(test_a_store_that_is_behind_syncs_the_journal_once),
               MATCHING_TEST(test_a_new_store_begins_where_the_journal_does),
               MATCHING_TEST(test_a_new_store_begins_there_again_after_a_crash),
               MATCHING_TEST(test_a_gap_is_told_and_trading_goes_on),
               MATCHING_TEST(test_a_rebuilt_store_says_the_same),
               MATCHING_TEST(test_anothers_store_is_refused),
               MATCHING_TEST(test_a_store_ahead_of_its_journal_is_refused),
               MATCHING_TEST(test_an_old_directory_gets_an_identity),
               MATCHING_TEST(test_a_store_that_may_be_given_up_is_warned_of),
               MATCHING_TEST(test_a_store_too_far_behind_is_given_up))
