/* Tests of what replies bring beside their order, trades and ids of mass cancels, when a port takes
 * them late: its own commands wait, nobody else's, and nothing is lost.
 */
#include <sched.h>

#include "core/shard/bench.h"
#include "support/cunit_main.h"

#define SWEEP 1000 /* trades of one reply, as many as it may tell */

static bench b;
static const matching_instrument *instrument;

static matching_command collected(matching_command command)
{
    command.flags |= MATCHING_FLAG_COLLECT;
    return command;
}

/* For 20,000 orders there are 8,192 slots of extras: eight sweeps fit. */
static void begin(unsigned ports)
{
    bench_init(&b, &(bench_options){.ports = ports});
    instrument = bench_instrument(&b, 0, 0);
}

static void fill_book(probe *p, unsigned orders)
{
    for (unsigned i = 0; i < orders; i++) {
        submit(p, limit_order(instrument, "ann", MATCHING_SELL, 100, 1), 1);
        if (i % 200 == 0) {
            bench_settle(&b);
        }
    }
    bench_settle(&b);
    forget(p);
}

static void test_commands_wait_until_their_port_takes_replies(void)
{
    enum { SWEEPS = 12 };
    begin(2);
    probe *slow = &b.probes[0], *other = &b.probes[1];
    fill_book(other, SWEEPS * SWEEP);
    for (unsigned i = 0; i < SWEEPS; i++) {
        matching_command sweep = limit_order(instrument, "bob", MATCHING_BUY, 100, SWEEP);
        CU_ASSERT_EQUAL(submit(slow, collected(sweep), 100 + i), MATCHING_OK);
    }
    bench_step(&b);
    /* the slow port's last sweeps wait, the other port's commands do not */
    submit(other, read_command(MATCHING_READ_DEPTH, instrument, 5), 7);
    submit(other, limit_order(instrument, "cid", MATCHING_BUY, 90, 1), 8);
    bench_step(&b);
    while (matching_port_poll(other->port, 0)) {
    }
    CU_ASSERT_PTR_NOT_NULL_FATAL(reply_of(other, 7));
    CU_ASSERT_PTR_NOT_NULL(reply_of(other, 8));
    const matching_level *left = reply_of(other, 7)->depth.asks;
    CU_ASSERT_TRUE(left[0].total_lots > 0 && left[0].total_lots < SWEEPS * SWEEP);
    bench_settle(&b);
    uint64_t next_trade = 1;
    for (unsigned i = 0; i < SWEEPS; i++) {
        const entry *e = reply_of(slow, 100 + i);
        CU_ASSERT_PTR_NOT_NULL_FATAL(e);
        CU_ASSERT_EQUAL_FATAL(e->reply.trade_count, SWEEP);
        CU_ASSERT_FALSE(e->reply.trades_truncated);
        for (unsigned t = 0; t < SWEEP; t++) {
            CU_ASSERT_EQUAL(e->trades[t].trade_id, next_trade++);
        }
        CU_ASSERT_STRING_EQUAL(e->trades[0].buyer, "bob");
        CU_ASSERT_STRING_EQUAL(e->trades[SWEEP - 1].seller, "ann");
    }
    bench_fini(&b);
}

/* What waits stays in its place: a later command of the same port does not overtake it. */
static void test_the_order_of_a_ports_commands_is_kept_while_they_wait(void)
{
    begin(1);
    probe *p = &b.probes[0];
    fill_book(p, 10000);
    for (unsigned i = 0; i < 10; i++) {
        submit(p, collected(limit_order(instrument, "bob", MATCHING_BUY, 100, SWEEP)), 100 + i);
    }
    submit(p, limit_order(instrument, "ann", MATCHING_SELL, 101, 5), 200);
    submit(p, cancel_everything("ann"), 201);
    submit(p, limit_order(instrument, "ann", MATCHING_SELL, 102, 5), 202);
    bench_settle(&b);
    uint64_t last = 0;
    for (size_t i = 0; i < p->count; i++) {
        if (p->log[i].kind == ENTRY_REPLY) {
            CU_ASSERT_TRUE(p->log[i].reply.sequence > last);
            last = p->log[i].reply.sequence;
        }
    }
    const entry *all = reply_of(p, 201);
    CU_ASSERT_EQUAL_FATAL(all->reply.order_id_count, 1);
    CU_ASSERT_EQUAL(all->order_ids[0], reply_of(p, 200)->reply.order.order_id);
    CU_ASSERT_EQUAL(reply_of(p, 202)->reply.code, MATCHING_OK);
    bench_fini(&b);
}

/* Every count of ids around the eight that share a slot, several mass cancels behind each other. */
static void test_ids_of_mass_cancels_are_complete(void)
{
    begin(1);
    probe *p = &b.probes[0];
    uint64_t next = 1;
    for (unsigned count = 0; count < 40; count++) {
        for (unsigned i = 0; i < count; i++) {
            submit(p, limit_order(instrument, "ann", MATCHING_SELL, 100 + i, 1), 1);
        }
        submit(p, cancel_everything("ann"), 2);
        submit(p, cancel_everything("ann"), 3);
        bench_settle(&b);
        const entry *e = reply_of(p, 2);
        CU_ASSERT_EQUAL_FATAL(e->reply.order_id_count, count);
        for (unsigned i = 0; i < count; i++) {
            CU_ASSERT_EQUAL(e->order_ids[i], next++);
        }
        CU_ASSERT_EQUAL(reply_of(p, 3)->reply.order_id_count, 0);
        forget(p);
    }
    bench_fini(&b);
}

static void start_with_twelve_sweeps(void)
{
    bench_init_running(&b, &(bench_options){.ring_size = 16384, .deaf = true});
    instrument = bench_instrument(&b, 0, 0);
    probe *p = &b.probes[0];
    for (unsigned i = 0; i < 12 * SWEEP; i++) {
        submit(p, limit_order(instrument, "ann", MATCHING_SELL, 100, 1), 1);
    }
    for (unsigned i = 0; i < 12; i++) {
        submit(p, collected(limit_order(instrument, "bob", MATCHING_BUY, 100, SWEEP)), 2);
    }
    submit(p, cancel_everything("ann"), 3);
}

/* With threads: the shard sleeps over commands that wait, and wakes when there is room. */
static void test_a_sleeping_shard_goes_on_when_there_is_room(void)
{
    start_with_twelve_sweeps();
    shard *s = &b.core->shards[0];
    uint64_t deadline = matching_monotonic_ns() + BENCH_DEADLINE_MS * 1000000ull;
    while (atomic_load(&s->durable_sequence) < 12 * SWEEP + 8 || !atomic_load(&s->sleeping)) {
        CU_ASSERT_TRUE_FATAL(matching_monotonic_ns() < deadline);
        sched_yield();
    }
    CU_ASSERT_EQUAL(atomic_load(&s->durable_sequence), 12 * SWEEP + 8);
    probe *p = &b.probes[0];
    bench_wait_replies(p, 12 * SWEEP + 13);
    for (size_t i = 12 * SWEEP; i < 12 * SWEEP + 12; i++) {
        CU_ASSERT_EQUAL(entry_of(p, ENTRY_REPLY, i)->reply.trade_count, SWEEP);
    }
    CU_ASSERT_EQUAL(reply_of(p, 3)->reply.order_id_count, 0);
    bench_fini(&b);
}

/* Who stops the core does not wait for a port that takes nothing any more. */
static void test_a_stop_does_not_wait_for_room(void)
{
    start_with_twelve_sweeps();
    probe *p = &b.probes[0];
    matching_core_stop(b.core);
    while (matching_port_poll(p->port, 0)) {
    }
    CU_ASSERT_EQUAL(count_replies_of(p, 2), 12);
    bench_fini(&b);
}

MATCHING_TESTS(MATCHING_TEST(test_commands_wait_until_their_port_takes_replies),
               MATCHING_TEST(test_the_order_of_a_ports_commands_is_kept_while_they_wait),
               MATCHING_TEST(test_ids_of_mass_cancels_are_complete),
               MATCHING_TEST(test_a_sleeping_shard_goes_on_when_there_is_room),
               MATCHING_TEST(test_a_stop_does_not_wait_for_room))
