/* What the store lets go of, and that what is left reads as if the rest had never been. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/shard/folder.h"
#include "store/store.h"
#include "store/store_internal.h"
#include "support/cunit_main.h"

#define SECOND UINT64_C(1000000000)
#define DAY (86400 * SECOND)
#define START (UINT64_C(20000) * DAY)
#define READ_MOST 1000

static folder home;
static char path[300];
static char error[STORE_ERROR_SIZE];
static store *s;
static uint64_t trades, sequence, last_time_ns;

static void open_store(const store_options *limits)
{
    store_options options = *limits;
    options.path = path;
    options.data_dir = home.path;
    options.shards = 1;
    options.max_instruments = 1;
    s = store_open(&options, error, sizeof error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
}

static void begin(const store_options *limits)
{
    folder_make(&home);
    snprintf(path, sizeof path, "%s/store", home.path);
    open_store(limits);
    matching_instrument instrument = {.symbol = "X", .id = 1, .tick_size = 1, .lot_size = 1};
    CU_ASSERT_EQUAL(store_add_instrument(s, &instrument), 0);
    trades = 0;
    sequence = 0;
}

static void end(void)
{
    CU_ASSERT_EQUAL(store_close(s, error, sizeof error), 0);
    folder_remove(&home);
}

static store_options defaults(void)
{
    store_options options;
    store_options_default(&options);
    options.max_candles = 0;
    return options;
}

/* A trade whose taker, order 2n - 1, ends with it; the maker is 2n and goes on. */
static void trade(uint64_t time_ns)
{
    uint64_t n = ++trades;
    matching_trade t = {.trade_id = n,
                        .price_ticks = 100,
                        .quantity_lots = 1,
                        .time_ns = time_ns,
                        .buy_order_id = 2 * n - 1,
                        .sell_order_id = 2 * n,
                        .buyer = "b",
                        .seller = "s"};
    matching_order order = {.order_id = 2 * n - 1,
                            .quantity_lots = 1,
                            .filled_lots = 1,
                            .status = MATCHING_FILLED,
                            .updated_ns = time_ns,
                            .trader_id = "b",
                            .client_order_id = "c"};
    CU_ASSERT_EQUAL_FATAL(store_add_trade(s, 0, &t), 0);
    CU_ASSERT_EQUAL_FATAL(store_add_order(s, 0, &order), 0);
    last_time_ns = time_ns;
    sequence++;
}

static void commit(void)
{
    CU_ASSERT_EQUAL_FATAL(store_commit(s, 0, sequence, last_time_ns), 0);
}

/* Whatever is asked for, trades and orders from some n on to the last are there, and none before.
 * Returns that n. */
static uint64_t first_left(void)
{
    static matching_trade read[READ_MOST];
    static matching_order orders[READ_MOST];
    size_t count, order_count;
    uint64_t after;
    CU_ASSERT_EQUAL(store_read_trades(s, 0, 1, 0, READ_MOST, read, &count), 0);
    uint64_t first = count > 0 ? read[0].trade_id : 0;
    CU_ASSERT_EQUAL(read[count - 1].trade_id, first + count - 1);
    CU_ASSERT_EQUAL(store_read_trades(s, 0, 0, first, READ_MOST, read, &count), 0);
    CU_ASSERT_EQUAL(count, 0);
    CU_ASSERT_EQUAL(store_read_fills(s, 2 * trades, 0, 5, read, &count), 0);
    CU_ASSERT(count == 1 && read[0].trade_id == trades);
    if (first > 1) {
        CU_ASSERT_EQUAL(store_read_fills(s, 2 * first - 2, 0, 5, read, &count), 0);
        CU_ASSERT_EQUAL(count, 0);
    }
    store_order_query query = {.status = MATCHING_STATUS_ANY, .limit = READ_MOST};
    CU_ASSERT_EQUAL(store_read_orders(s, &query, orders, &order_count, &after), 0);
    uint64_t first_order = orders[0].order_id;
    query.trader_id = "b";
    CU_ASSERT_EQUAL(store_read_orders(s, &query, orders, &order_count, &after), 0);
    CU_ASSERT_EQUAL(orders[0].order_id, first_order);
    CU_ASSERT_EQUAL(store_read_order(s, first_order, &orders[0]), 0);
    if (first_order > 1) {
        CU_ASSERT_EQUAL(store_read_order(s, first_order - 2, &orders[0]), -ENOENT);
        CU_ASSERT_EQUAL(store_read_order(s, 1, &orders[0]), -ENOENT);
    }
    CU_ASSERT_EQUAL(store_read_client_order(s, "b", "c", 0, &orders[0]), 0);
    CU_ASSERT_EQUAL(orders[0].order_id, 2 * trades - 1);
    return first;
}

static void test_without_limits_all_is_kept(void)
{
    store_options options = defaults();
    begin(&options);
    for (unsigned i = 0; i < 900; i++) {
        trade(START + i * DAY);
        commit();
    }
    CU_ASSERT_EQUAL(first_left(), 1);
    end();
}

static void test_the_newest_are_kept_by_number(void)
{
    store_options options = defaults();
    options.max_trades = 500;
    options.max_orders = 500;
    begin(&options);
    for (unsigned i = 0; i < 3000; i++) {
        trade(START + i * SECOND);
        if (i % 10 == 9) {
            commit();
        }
        if (i % 500 == 499) {
            uint64_t first = first_left(), kept = trades - first + 1;
            CU_ASSERT(trades <= 500 ? first == 1 : kept >= 500 && kept <= 500 + 500 / 16 + 140);
        }
    }
    end();
}

static void test_they_are_kept_by_age(void)
{
    store_options options = defaults();
    options.retention_days = 10;
    begin(&options);
    for (unsigned i = 0; i < 4000; i++) {
        trade(START + i * DAY / 24);
        if (i % 6 == 5) {
            commit();
        }
    }
    commit();
    uint64_t kept = trades - first_left() + 1;
    CU_ASSERT(kept >= 240 && kept <= 240 + 240 / 32 + 140);
    end();
}

static size_t candles(matching_interval interval, uint64_t *first_s)
{
    static matching_candle read[READ_MOST];
    size_t count;
    bool more;
    store_candle_query query = {.interval = interval, .from_s = 1, .limit = READ_MOST};
    CU_ASSERT_EQUAL(store_read_candles(s, &query, read, &count, &more), 0);
    CU_ASSERT_FALSE(more);
    *first_s = count > 0 ? read[0].start_s : 0;
    return count;
}

static void test_old_candles_are_none(void)
{
    store_options options = defaults();
    options.max_candles = 100;
    begin(&options);
    for (unsigned i = 0; i < 500; i++) {
        trade(START + i * SECOND);
    }
    commit();
    uint64_t first_s, now_s = START / SECOND + 499;
    CU_ASSERT_EQUAL(candles(MATCHING_S1, &first_s), 101);
    CU_ASSERT_EQUAL(first_s, now_s - 100);
    CU_ASSERT_EQUAL(candles(MATCHING_M1, &first_s), 9);
    CU_ASSERT_EQUAL(first_s, START / SECOND);
    end();
}

static void reopen(const store_options *limits)
{
    CU_ASSERT_EQUAL(store_close(s, error, sizeof error), 0);
    open_store(limits);
}

/* RocksDB rewrites all its files. */
static void rewrite(void)
{
    CU_ASSERT_EQUAL(store_flush(s), 0);
    rocksdb_compact_range(s->db, NULL, 0, NULL, 0);
}

/* Files that are rewritten without limits keep what others' limits would let go: a tool does this.
 * What goes with limits does not come back without. */
static void test_candles_go_when_files_are_rewritten_and_only_by_limits(void)
{
    store_options unlimited = defaults(), limited = defaults();
    uint64_t first_s;
    limited.max_candles = 100;
    begin(&unlimited);
    for (unsigned i = 0; i < 500; i++) {
        trade(START + i * SECOND);
    }
    commit();
    rewrite();
    CU_ASSERT_EQUAL(candles(MATCHING_S1, &first_s), 500);
    reopen(&limited);
    CU_ASSERT_EQUAL(candles(MATCHING_S1, &first_s), 101);
    reopen(&unlimited);
    rewrite();
    CU_ASSERT_EQUAL(candles(MATCHING_S1, &first_s), 500);
    reopen(&limited);
    rewrite();
    reopen(&unlimited);
    CU_ASSERT_EQUAL(candles(MATCHING_S1, &first_s), 101);
    CU_ASSERT_EQUAL(first_s, START / SECOND + 399);
    end();
}

static void test_candles_become_final_without_trades(void)
{
    store_options options = defaults();
    matching_candle read[3];
    size_t count;
    bool more;
    begin(&options);
    trade(START + 5 * SECOND);
    commit();
    store_candle_query query = {.interval = MATCHING_S30, .limit = 3};
    CU_ASSERT_EQUAL(store_read_candles(s, &query, read, &count, &more), 0);
    CU_ASSERT(count == 1 && !read[0].is_final);
    CU_ASSERT_EQUAL(store_commit(s, 0, sequence, START + 30 * SECOND - 1), 0);
    CU_ASSERT_EQUAL(store_read_candles(s, &query, read, &count, &more), 0);
    CU_ASSERT(count == 1 && !read[0].is_final);
    CU_ASSERT_EQUAL(store_commit(s, 0, sequence, START + 30 * SECOND), 0);
    CU_ASSERT_EQUAL(store_read_candles(s, &query, read, &count, &more), 0);
    CU_ASSERT(count == 1 && read[0].is_final && read[0].start_s == START / SECOND);
    end();
}

/* Commits larger than all the memory: each waits until the last but one before it is on disk. */
static void test_large_commits_wait_for_the_disk(void)
{
    store_options limits = defaults();
    limits.memory_bytes = UINT64_C(1) << 20;
    begin(&limits);
    for (uint64_t last = 0, before = 0, i = 0; i < 5; i++) {
        for (unsigned k = 0; k < 6000; k++) {
            trade(START + sequence);
        }
        commit();
        CU_ASSERT(store_safe_sequence(s, 0) >= before);
        before = last;
        last = sequence;
    }
    end();
}

/* What finds a key in a file would otherwise be in memory for each file that there is. */
static void test_what_is_on_disk_takes_no_memory_of_its_own(void)
{
    store_options limits = defaults();
    uint64_t bytes = UINT64_MAX, on_disk = 0;
    limits.memory_bytes = UINT64_C(1) << 20;
    begin(&limits);
    for (unsigned i = 0; i < 10; i++) {
        for (unsigned k = 0; k < 6000; k++) {
            trade(START + sequence);
        }
        commit();
    }
    CU_ASSERT_EQUAL(store_flush(s), 0);
    CU_ASSERT_EQUAL(rocksdb_property_int(s->db, "rocksdb.total-sst-files-size", &on_disk), 0);
    CU_ASSERT_EQUAL(rocksdb_property_int(s->db, "rocksdb.estimate-table-readers-mem", &bytes), 0);
    CU_ASSERT(on_disk > 1000000);
    CU_ASSERT(bytes < on_disk / 100); /* filters and indexes are a fifteenth of it */
    end();
}

MATCHING_TESTS(MATCHING_TEST(test_without_limits_all_is_kept),
               MATCHING_TEST(test_the_newest_are_kept_by_number),
               MATCHING_TEST(test_they_are_kept_by_age), MATCHING_TEST(test_old_candles_are_none),
               MATCHING_TEST(test_candles_go_when_files_are_rewritten_and_only_by_limits),
               MATCHING_TEST(test_candles_become_final_without_trades),
               MATCHING_TEST(test_large_commits_wait_for_the_disk),
               MATCHING_TEST(test_what_is_on_disk_takes_no_memory_of_its_own))
