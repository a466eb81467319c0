/* core/shard/shard.c: orders expire when they are due though nothing else comes, and the command
 * that does it is numbered like any other.
 */
#include <string.h>

#include "core/shard/bench.h"
#include "support/cunit_main.h"

static matching_command lasting(const matching_instrument *instrument, uint64_t milliseconds)
{
    matching_command order = limit_order(instrument, "ann", MATCHING_BUY, 10, 1);
    order.time_in_force = MATCHING_GTD;
    order.expire_time_ms = matching_unix_ns() / 1000000 + milliseconds;
    return order;
}

/* The event that tells of an expiry; NULL: not yet. */
static const entry *find_expiry(const probe *p)
{
    for (size_t n = 0;; n++) {
        const entry *e = entry_of(p, ENTRY_EVENT, n);
        if (e == NULL ||
            (e->event.kind == MATCHING_EVENT_ORDER && e->order.reason == MATCHING_REASON_EXPIRED)) {
            return e;
        }
    }
}

/* Lets the port (and by hand the shards) work until an order has expired, or the deadline. */
static const entry *wait_for_expiry(bench *b, bool by_hand)
{
    uint64_t deadline = matching_monotonic_ns() + BENCH_DEADLINE_MS * 1000000ull;
    const entry *e = NULL;
    while (e == NULL && matching_monotonic_ns() < deadline) {
        if (by_hand) {
            bench_step(b);
        }
        matching_port_poll(b->probes[0].port, 0);
        e = find_expiry(&b->probes[0]);
    }
    CU_ASSERT_PTR_NOT_NULL_FATAL(e);
    return e;
}

/* An order that will expire; if the machine was so slow that its time had come, one with more. */
static matching_order place_lasting(bench *b, bool by_hand)
{
    probe *p = &b->probes[0];
    for (uint64_t milliseconds = 20, tag = 1;; milliseconds *= 2, tag++) {
        CU_ASSERT_EQUAL_FATAL(submit(p, lasting(bench_instrument(b, 0, 0), milliseconds), tag), 0);
        if (by_hand) {
            bench_step(b);
        }
        bench_wait_replies(p, tag);
        const entry *e = reply_of(p, tag);
        if (e->reply.code == MATCHING_OK) {
            return e->reply.order;
        }
        CU_ASSERT_EQUAL_FATAL(e->reply.code, MATCHING_INVALID_PARAMETER);
    }
}

static void test_a_tick_comes_when_an_order_is_due(void)
{
    bench b;
    bench_init(&b, NULL);
    matching_order order = place_lasting(&b, true);
    uint64_t before = count_entries(&b.probes[0], ENTRY_REPLY); /* each was a command */
    const entry *e = wait_for_expiry(&b, true);
    CU_ASSERT_EQUAL(e->order.order_id, order.order_id);
    CU_ASSERT_EQUAL(e->order.status, MATCHING_CANCELLED);
    CU_ASSERT_TRUE(e->event.time_ns >= order.expire_time_ms * 1000000);
    CU_ASSERT_EQUAL(e->event.sequence_low, before + 1);
    CU_ASSERT_EQUAL(b.core->shards[0].books.sequence, before + 1); /* one tick, no more */
    CU_ASSERT_EQUAL(bench_step(&b), 0);
    assert_books_are_sound(&b);
    bench_fini(&b);
}

static void test_reads_do_not_keep_a_tick_away(void)
{
    bench b;
    bench_init(&b, NULL);
    probe *p = &b.probes[0];
    matching_order order = place_lasting(&b, true);
    /* Busy until the time has come, without a turn of the shard in between. */
    while (matching_unix_ns() / 1000000 < order.expire_time_ms) {
    }
    submit(p, read_command(MATCHING_READ_DEPTH, bench_instrument(&b, 0, 0), 1), 100);
    CU_ASSERT_TRUE(shard_poll(&b.core->shards[0])); /* one turn, which has the read to do */
    matching_port_poll(p->port, 0);
    CU_ASSERT_PTR_NOT_NULL(reply_of(p, 100));
    const entry *e = find_expiry(p);
    CU_ASSERT_PTR_NOT_NULL_FATAL(e);
    CU_ASSERT_EQUAL(e->order.order_id, order.order_id);
    bench_fini(&b);
}

static void test_no_tick_comes_before_an_order_is_due(void)
{
    bench b;
    bench_init(&b, NULL);
    submit(&b.probes[0], lasting(bench_instrument(&b, 0, 0), 3600000), 1);
    bench_settle(&b);
    CU_ASSERT_EQUAL(b.core->shards[0].books.sequence, 1);
    CU_ASSERT_EQUAL(bench_step(&b), 0);
    submit(&b.probes[0], cancel_by_id(reply_of(&b.probes[0], 1)->reply.order.order_id), 2);
    bench_settle(&b);
    CU_ASSERT_EQUAL(bench_step(&b), 0);
    CU_ASSERT_EQUAL(b.core->shards[0].books.sequence, 2);
    bench_fini(&b);
}

static void test_a_sleeping_shard_wakes_for_an_expiry(void)
{
    for (unsigned shards = 1; shards <= 2; shards++) {
        bench b;
        bench_init_running(&b, &(bench_options){.shards = shards});
        matching_order order = place_lasting(&b, false);
        const entry *e = wait_for_expiry(&b, false);
        CU_ASSERT_EQUAL(e->order.order_id, order.order_id);
        CU_ASSERT_TRUE(e->event.time_ns >= order.expire_time_ms * 1000000);
        bench_fini(&b);
    }
}

/* Mass cancel tells the ids that it cancelled, not those that expired just before it. */
static void test_a_mass_cancel_does_not_claim_what_expired(void)
{
    bench b;
    bench_init(&b, NULL);
    probe *p = &b.probes[0];
    matching_order expiring = place_lasting(&b, true);
    submit(p, limit_order(bench_instrument(&b, 0, 0), "ann", MATCHING_BUY, 9, 1), 100);
    bench_step(&b);
    /* Busy until the time has come, without a turn of the shard in between. */
    while (matching_unix_ns() / 1000000 < expiring.expire_time_ms) {
    }
    submit(p, cancel_everything("ann"), 101);
    bench_settle(&b);
    const entry *e = reply_of(p, 101);
    CU_ASSERT_PTR_NOT_NULL_FATAL(e);
    CU_ASSERT_EQUAL(e->reply.order_id_count, 1);
    CU_ASSERT_EQUAL(e->order_ids[0], reply_of(p, 100)->reply.order.order_id);
    CU_ASSERT_PTR_NOT_NULL(find_expiry(p));
    bench_fini(&b);
}

MATCHING_TESTS(MATCHING_TEST(test_a_tick_comes_when_an_order_is_due),
               MATCHING_TEST(test_reads_do_not_keep_a_tick_away),
               MATCHING_TEST(test_no_tick_comes_before_an_order_is_due),
               MATCHING_TEST(test_a_sleeping_shard_wakes_for_an_expiry),
               MATCHING_TEST(test_a_mass_cancel_does_not_claim_what_expired))
