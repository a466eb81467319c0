/* A core with a history on the bench, commands at random, and the truth about what came of them:
 * the trades and ended orders that its events told, in plain arrays. The truth outlives the core,
 * which may be ended and made again on the same folder.
 */
#ifndef MATCHING_TESTS_HISTORY_EXCHANGE_H
#define MATCHING_TESTS_HISTORY_EXCHANGE_H

#include "matching/history.h"
#include "tests/core/shard/bench.h"
#include "tests/core/shard/folder.h"

#define EXCHANGE_RETAINED 16u /* ended orders in memory */
#define EXCHANGE_RECENT 8u    /* trades in memory */
#define EXCHANGE_TRADERS 4u
#define EXCHANGE_TRADES_MAX 60000u
#define EXCHANGE_ORDERS_MAX 60000u

typedef struct exchange {
    folder f;
    bench b;
    bench_options options;
    matching_history_options history;
    bool is_running, without_history;
    unsigned early_snapshots; /* so many when the core is made and has no history yet */
    int attached;             /* what attach answered, and why */
    char error[2000];
    uint64_t random, tag;
    uint64_t last_expiry_ms; /* of an order so far */
    matching_trade *trades;  /* of all instruments, in the order of each */
    size_t trade_count;
    matching_order *ended;
    size_t ended_count;
    size_t seen; /* entries of the log that were taken into the arrays */
} exchange;

/* Nothing runs yet. */
void exchange_init(exchange *x, uint64_t seed);
void exchange_fini(exchange *x);

/* Makes the core on its folder, with a history unless without_history, and starts it. */
void exchange_start(exchange *x);

/* Ends it: it takes leave, or dies. */
void exchange_stop(exchange *x);
void exchange_die(exchange *x);

/* So many commands at random; all are answered when it returns, and the truth knows them. */
void exchange_trade(exchange *x, unsigned commands);

/* Submits and waits for the reply, which is valid until the next call of anything here. */
const entry *exchange_ask(exchange *x, matching_command command);

/* The same again while history is catching up, up to the bench's deadline. */
const entry *exchange_ask_again(exchange *x, matching_command command);

/* Snapshots of all shards; false: one of them failed. */
bool exchange_snapshot(exchange *x);

/* Compares all that can be read of history with the truth. */
void exchange_compare(exchange *x);
void exchange_compare_trades(exchange *x, const matching_instrument *instrument, uint32_t limit);
void exchange_compare_orders(exchange *x, const char *trader, unsigned status, uint32_t limit);
/* The candles of the truth from the first one on that history tells: it tells all of them. */
void exchange_compare_candles_told(exchange *x, const matching_instrument *instrument,
                                   matching_interval interval);
void exchange_compare_candles(exchange *x, const matching_instrument *instrument,
                              matching_interval interval, uint32_t limit);

#endif
