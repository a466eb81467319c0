/* Tests that a shard takes no memory once it runs, whatever its commands bring; the ports, which
 * are the edge, may. By hand the shard's work is the only one between two looks at the counter;
 * running, its thread is the only other one.
 */
#include <string.h>

#include "core/shard/bench.h"
#include "support/cunit_main.h"
#include "support/heap_calls.h"

#define FLIGHT 60u /* commands submitted before the shard works */
#define ROUNDS 100u

static bench b;
static uint64_t random_state;

/* SplitMix64, Steele, Lea and Flood 2014. */
static uint64_t below(uint64_t bound)
{
    uint64_t z = random_state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return (z ^ z >> 31) % bound;
}

static const char *random_trader(void)
{
    static const char *const names[] = {"ann", "bob", "cid", "dan"};
    return names[below(4)];
}

/* Limits, icebergs and stops around 100, now and then one that sweeps all; some expire soon. */
static matching_command random_order(const matching_instrument *instrument)
{
    matching_side side = below(2) == 0 ? MATCHING_BUY : MATCHING_SELL;
    int64_t away = (int64_t)below(30);
    matching_command c =
        limit_order(instrument, random_trader(), side,
                    side == MATCHING_BUY ? 100 - away + 3 : 100 + away - 3, 1 + (int64_t)below(20));
    unsigned what = (unsigned)below(12);
    c.self_trade = below(3) == 0 ? (uint8_t)below(4) : MATCHING_STP_NONE;
    if (what == 0) {
        c.order_type = MATCHING_STOP_LIMIT;
        c.stop_price_ticks = side == MATCHING_BUY ? 100 + away : 101 - away;
    } else if (what == 1) {
        c.order_type = MATCHING_MARKET;
        c.time_in_force = MATCHING_IOC;
        c.price_ticks = 0;
        c.quantity_lots = 10 * (1 + (int64_t)below(100));
    } else if (what < 5) {
        c.quantity_lots *= 10;
        c.display_lots = 1 + (int64_t)below(5);
    } else if (what == 5) {
        c.time_in_force = MATCHING_GTD;
        c.expire_time_ms = matching_unix_ns() / 1000000 + below(200);
    } else if (what == 6) {
        c.time_in_force = MATCHING_FOK;
    }
    if (below(3) == 0) {
        c.client_order_id[0] = (char)('a' + below(20));
    }
    return c;
}

static matching_command random_command(void)
{
    const matching_instrument *instrument = bench_instrument(&b, 0, (unsigned)below(2));
    unsigned what = (unsigned)below(100);
    matching_command c = random_order(instrument);
    if (what >= 75) {
        c = cancel_by_id(1 + below(FLIGHT * ROUNDS));
        c.type = what < 85 ? MATCHING_AMEND : MATCHING_CANCEL;
        c.price_ticks = what < 85 ? 90 + (int64_t)below(20) : 0;
    }
    if (what == 95) {
        c = cancel_everything(random_trader());
    } else if (what == 96 || what == 97) {
        c = read_command(MATCHING_SET_STATE, instrument, 0);
        c.state = (uint8_t)(below(4) == 0 ? MATCHING_AUCTION : MATCHING_TRADING);
    } else if (what > 97) {
        static const matching_command_type reads[] = {MATCHING_READ_ORDERS, MATCHING_READ_DEPTH,
                                                      MATCHING_READ_TRADES,
                                                      MATCHING_READ_OPEN_ORDERS};
        c = read_command(reads[below(4)], instrument, 100);
        memcpy(c.trader_id, "ann", 3);
    }
    return c;
}

static void submit_some(probe *p, unsigned round)
{
    for (unsigned i = 0; i < FLIGHT; i++) {
        matching_command command = random_command();
        command.flags |= (round + i) % 2 == 0 ? MATCHING_FLAG_COLLECT : 0;
        CU_ASSERT_EQUAL_FATAL(submit(p, command, 1), MATCHING_OK);
    }
}

static void test_random_commands_take_no_memory_in_the_shard(void)
{
    bench_init(&b, NULL);
    random_state = 1;
    probe *p = &b.probes[0];
    uint64_t taken = 0;
    size_t trades = 0, most = 0, ids = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        submit_some(p, round);
        uint64_t before = heap_calls_everywhere();
        bench_step(&b);
        taken += heap_calls_everywhere() - before;
        bench_settle(&b);
        CU_ASSERT_EQUAL(count_entries(p, ENTRY_REPLY), FLIGHT);
        for (size_t i = 0; i < p->count; i++) {
            const matching_reply *reply = &p->log[i].reply;
            if (p->log[i].kind == ENTRY_REPLY && reply->type < MATCHING_READ_ORDER) {
                trades += reply->trade_count;
                most = reply->trade_count > most ? reply->trade_count : most;
                ids += reply->order_id_count;
            }
        }
        forget(p);
    }
    CU_ASSERT_EQUAL(taken, 0);
    CU_ASSERT_TRUE(trades > 1000 && most > 20 && ids > 100);
    assert_books_are_sound(&b);
    bench_fini(&b);
}

static void test_the_largest_replies_take_no_memory_in_the_shard(void)
{
    enum { ORDERS = 15000 };
    bench_init(&b, NULL);
    probe *p = &b.probes[0];
    const matching_instrument *instrument = bench_instrument(&b, 0, 0);
    for (unsigned i = 0; i < ORDERS; i++) {
        submit(p, limit_order(instrument, "ann", MATCHING_SELL, 100, 1), 1);
        if (i % FLIGHT == 0) {
            bench_settle(&b);
        }
    }
    bench_settle(&b);
    forget(p);
    matching_command sweep = limit_order(instrument, "bob", MATCHING_BUY, 100, 1500);
    sweep.flags |= MATCHING_FLAG_COLLECT;
    submit(p, sweep, 2);
    submit(p, cancel_everything("ann"), 3);
    uint64_t before = heap_calls_everywhere();
    bench_step(&b);
    CU_ASSERT_EQUAL(heap_calls_everywhere(), before);
    bench_settle(&b);
    CU_ASSERT_EQUAL(reply_of(p, 2)->reply.trade_count, MATCHING_REPLY_TRADES_MAX);
    CU_ASSERT_TRUE(reply_of(p, 2)->reply.trades_truncated);
    CU_ASSERT_EQUAL(reply_of(p, 3)->reply.order_id_count, ORDERS - 1500);
    CU_ASSERT_FALSE(reply_of(p, 3)->reply.ids_truncated);
    bench_fini(&b);
}

/* With threads of their own: from the start to the end only this one takes memory. */
static void test_running_shards_take_no_memory(void)
{
    bench_init_running(&b, &(bench_options){.event_ring_size = 1024});
    random_state = 2;
    probe *p = &b.probes[0];
    uint64_t before = heap_calls_everywhere() - heap_calls_here();
    for (unsigned round = 0; round < ROUNDS; round++) {
        submit_some(p, round);
        bench_wait_replies(p, FLIGHT);
        forget(p);
    }
    CU_ASSERT_EQUAL(heap_calls_everywhere() - heap_calls_here(), before);
    bench_fini(&b);
}

/* The memory of a reply that has been taken serves a later one. */
static void test_orders_that_collect_take_memory_for_their_replies_once(void)
{
    bench_init(&b, NULL);
    probe *p = &b.probes[0];
    const matching_instrument *instrument = bench_instrument(&b, 0, 0);
    for (unsigned round = 0; round < 3; round++) {
        uint64_t before = heap_calls_everywhere();
        for (unsigned i = 0; i < FLIGHT; i++) {
            matching_command command =
                limit_order(instrument, "ann", i % 2 == 0 ? MATCHING_SELL : MATCHING_BUY, 100, 1);
            command.flags |= MATCHING_FLAG_COLLECT;
            CU_ASSERT_EQUAL_FATAL(submit(p, command, 1), MATCHING_OK);
        }
        CU_ASSERT_EQUAL(heap_calls_everywhere() - before, round == 0 ? FLIGHT : 0);
        bench_settle(&b);
        unsigned replies = 0;
        for (size_t i = 0; i < p->count; i++) {
            if (p->log[i].kind == ENTRY_REPLY) {
                CU_ASSERT_EQUAL(p->log[i].reply.trade_count, replies++ % 2);
            }
        }
        CU_ASSERT_EQUAL(replies, FLIGHT);
        forget(p);
    }
    bench_fini(&b);
}

MATCHING_TESTS(MATCHING_TEST(test_random_commands_take_no_memory_in_the_shard),
               MATCHING_TEST(test_the_largest_replies_take_no_memory_in_the_shard),
               MATCHING_TEST(test_orders_that_collect_take_memory_for_their_replies_once),
               MATCHING_TEST(test_running_shards_take_no_memory))
