/* How fast the store takes trades, with their candles, fills and ended orders.
 *
 *     store_bench FOLDER [trades [instruments [trades a commit]]]
 *
 * Each trade is of a taker that ends with it or goes on to the next one (a third of them), and of a
 * maker that ends with one in three. So there are about one ended order a trade and 1.7 entries of
 * fills. Trades come as fast as the store takes them, their times 3 microseconds apart. At the end
 * the store is flushed, which is part of the time, and some reads are timed.
 *
 * FOLDER must not hold a store; what is made there stays.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "store/store.h"

#define START_NS (UINT64_C(1762777020) * 1000000000)
#define MAKERS 4096u
#define TRADERS 1000u
#define READS 20000u

typedef struct bench {
    store *s;
    uint64_t random, orders, sequence, time_ns, ended;
    uint64_t last_trade[MATCHING_INSTRUMENTS_MAX];
    matching_order makers[MAKERS];
    matching_order taker;
} bench;

static uint64_t next_random(bench *b)
{
    b->random ^= b->random << 13;
    b->random ^= b->random >> 7;
    b->random ^= b->random << 17;
    return b->random;
}

static char traders[TRADERS][MATCHING_TRADER_MAX + 1];

static double now_s(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void check(const bench *b, int outcome)
{
    if (outcome != 0) {
        fprintf(stderr, "store_bench: %s: %s\n", strerror(-outcome), store_why(b->s));
        exit(EXIT_FAILURE);
    }
}

static matching_order new_order(bench *b, unsigned instrument)
{
    matching_order order = {.order_id = ++b->orders,
                            .price_ticks = 5000000 + (int64_t)(next_random(b) % 1000),
                            .quantity_lots = 10000,
                            .instrument = (uint16_t)instrument,
                            .created_ns = b->time_ns};
    memcpy(order.trader_id, traders[next_random(b) % TRADERS], sizeof order.trader_id);
    return order;
}

static void end_order(bench *b, matching_order *order)
{
    order->status = MATCHING_FILLED;
    order->updated_ns = b->time_ns;
    check(b, store_add_order(b->s, 0, order));
    b->ended++;
}

static void trade(bench *b, unsigned instruments)
{
    bool goes_on = b->taker.order_id != 0 && next_random(b) % 3 == 0;
    if (!goes_on) {
        if (b->taker.order_id != 0) {
            end_order(b, &b->taker);
        }
        b->taker = new_order(b, (unsigned)(next_random(b) % instruments));
        b->sequence++;
    }
    unsigned instrument = b->taker.instrument;
    uint64_t maker_at = next_random(b) % (MAKERS / instruments) * instruments + instrument;
    matching_order *maker = &b->makers[maker_at];
    if (maker->order_id == 0) {
        *maker = new_order(b, instrument);
    }
    b->time_ns += 3000;
    matching_trade t = {.trade_id = ++b->last_trade[instrument],
                        .price_ticks = maker->price_ticks,
                        .quantity_lots = 100,
                        .time_ns = b->time_ns,
                        .buy_order_id = b->taker.order_id,
                        .sell_order_id = maker->order_id,
                        .instrument = (uint16_t)instrument};
    memcpy(t.buyer, b->taker.trader_id, sizeof t.buyer);
    memcpy(t.seller, maker->trader_id, sizeof t.seller);
    check(b, store_add_trade(b->s, 0, &t));
    if (next_random(b) % 3 == 0) {
        end_order(b, maker);
        maker->order_id = 0;
    }
}

/* Microseconds of one read, on the average. */
static void time_reads(bench *b, unsigned instruments)
{
    static matching_trade trades[100];
    static matching_order orders[100];
    static matching_candle candles[100];
    size_t count;
    uint64_t after;
    bool more;
    double times[4], begin = now_s(CLOCK_MONOTONIC);
    for (unsigned i = 0; i < READS; i++) {
        (void)store_read_order(b->s, 1 + next_random(b) % b->orders, &orders[0]);
    }
    times[0] = now_s(CLOCK_MONOTONIC) - begin;
    begin = now_s(CLOCK_MONOTONIC);
    for (unsigned i = 0; i < READS / 10; i++) {
        unsigned instrument = (unsigned)(next_random(b) % instruments);
        check(b, store_read_trades(b->s, (uint16_t)instrument,
                                   1 + next_random(b) % b->last_trade[instrument], 0, 100, trades,
                                   &count));
    }
    times[1] = (now_s(CLOCK_MONOTONIC) - begin) * 10;
    begin = now_s(CLOCK_MONOTONIC);
    for (unsigned i = 0; i < READS / 100; i++) {
        store_order_query query = {.trader_id = traders[next_random(b) % TRADERS],
                                   .after = next_random(b) % b->orders,
                                   .status = MATCHING_STATUS_ANY,
                                   .limit = 100};
        check(b, store_read_orders(b->s, &query, orders, &count, &after));
    }
    times[2] = (now_s(CLOCK_MONOTONIC) - begin) * 100;
    begin = now_s(CLOCK_MONOTONIC);
    for (unsigned i = 0; i < READS / 10; i++) {
        store_candle_query query = {.instrument = (uint16_t)(next_random(b) % instruments),
                                    .interval = MATCHING_S1,
                                    .limit = 100};
        check(b, store_read_candles(b->s, &query, candles, &count, &more));
    }
    times[3] = (now_s(CLOCK_MONOTONIC) - begin) * 10;
    printf("reads: an order by id %.1f us, 100 trades %.1f us, 100 orders of a trader %.1f us, "
           "100 candles %.1f us\n",
           times[0] * 1e6 / READS, times[1] * 1e6 / READS, times[2] * 1e6 / READS,
           times[3] * 1e6 / READS);
}

static unsigned argument(int argc, char **argv, int at, unsigned otherwise)
{
    return argc > at ? (unsigned)strtoul(argv[at], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
    static bench b = {.random = 88172645463325252u, .time_ns = START_NS};
    char error[STORE_ERROR_SIZE];
    unsigned trades = argument(argc, argv, 2, 3000000), instruments = argument(argc, argv, 3, 3);
    unsigned a_commit = argument(argc, argv, 4, 1000);
    if (argc < 2 || trades == 0 || a_commit == 0 || instruments == 0 || instruments > MAKERS) {
        fprintf(stderr, "usage: %s FOLDER [trades [instruments [trades a commit]]]\n", argv[0]);
        return EXIT_FAILURE;
    }
    store_options options;
    store_options_default(&options);
    options.path = argv[1];
    options.data_dir = argv[1];
    options.shards = 1;
    options.max_instruments = instruments;
    b.s = store_open(&options, error, sizeof error);
    if (b.s == NULL || store_progress(b.s, 0, NULL) != 0) {
        fprintf(stderr, "store_bench: %s\n", b.s == NULL ? error : "the folder holds a store");
        return EXIT_FAILURE;
    }
    for (unsigned i = 0; i < TRADERS; i++) {
        snprintf(traders[i], sizeof traders[i], "trader-%u", i);
    }
    for (unsigned i = 0; i < instruments; i++) {
        matching_instrument instrument = {
            .id = i + 1, .index = (uint16_t)i, .tick_size = 1000000, .lot_size = 10000};
        snprintf(instrument.symbol, sizeof instrument.symbol, "S%u", i);
        check(&b, store_add_instrument(b.s, &instrument));
    }
    double begin = now_s(CLOCK_MONOTONIC), worst = 0, last = begin;
    double thread = now_s(CLOCK_THREAD_CPUTIME_ID), process = now_s(CLOCK_PROCESS_CPUTIME_ID);
    for (unsigned i = 1; i <= trades; i++) {
        trade(&b, instruments);
        if (i % a_commit == 0 || i == trades) {
            check(&b, store_commit(b.s, 0, b.sequence, b.time_ns));
            double now = now_s(CLOCK_MONOTONIC);
            worst = now - last > worst ? now - last : worst;
            last = now;
        }
    }
    double adding = last - begin;
    thread = now_s(CLOCK_THREAD_CPUTIME_ID) - thread;
    check(&b, store_flush(b.s));
    double all = now_s(CLOCK_MONOTONIC) - begin;
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    printf("%u trades of %u instruments, %" PRIu64 " ended orders, %u trades a commit\n", trades,
           instruments, b.ended, a_commit);
    printf("%.0f trades/s until flushed (%.0f until added), slowest commit %.0f ms\n", trades / all,
           trades / adding, worst * 1e3);
    printf("CPU: %.2f us a trade on the adding thread, %.2f us with RocksDB's; %ld MB resident\n",
           thread * 1e6 / trades, (now_s(CLOCK_PROCESS_CPUTIME_ID) - process) * 1e6 / trades,
           use.ru_maxrss / 1024);
    time_reads(&b, instruments);
    return store_close(b.s, error, sizeof error) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
