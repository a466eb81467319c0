/* core/shard/shard.c, journal/flusher.c: what few commands are done for on the thread that brings
 * them, while the threads that are there for it sleep; and that these wake where they are needed.
 */
#include <string.h>

#include "journal/writer_internal.h" /* before shard/ring.h, whose `ring` it has parameters of */

#include "core/shard/bench.h"
#include "core/shard/folder.h"
#include "shard/port_internal.h"
#include "support/cunit_main.h"

/* The shard's thread sleeps, and so does its flusher. */
static void wait_for_sleep_of(shard *s)
{
    uint64_t deadline = matching_monotonic_ns() + BENCH_DEADLINE_MS * 1000000ull;
    for (;;) {
        bool sleeps = atomic_load(&s->sleeping) && pthread_mutex_trylock(&s->polling) == 0;
        if (sleeps) {
            pthread_mutex_unlock(&s->polling);
        }
        if (sleeps && (s->journal == NULL || atomic_load(&s->journal->flusher_bell.sleepers) > 0)) {
            return;
        }
        CU_ASSERT_FATAL(matching_monotonic_ns() < deadline);
    }
}

/* Nobody but the test's thread does anything. */
static void wait_until_asleep(const bench *b)
{
    for (unsigned i = 0; i < b->core->shard_count; i++) {
        wait_for_sleep_of(&b->core->shards[i]);
    }
}

static void begin(bench *b, const bench_options *options)
{
    bench_init_running(b, options);
    for (unsigned i = 0; i < b->core->shard_count; i++) {
        if (b->core->shards[i].serve_max > 16) {
            b->core->shards[i].serve_max = 16; /* as where there are several processors */
        }
    }
    wait_until_asleep(b);
}

static void test_a_few_commands_are_answered_by_the_flush(void)
{
    bench b;
    begin(&b, NULL);
    probe *p = &b.probes[0];
    submit(p, limit_order(bench_instrument(&b, 0, 0), "ann", MATCHING_BUY, 10, 1), 1);
    submit(p, limit_order(bench_instrument(&b, 0, 0), "ben", MATCHING_SELL, 10, 1), 2);
    CU_ASSERT_TRUE(atomic_load(&b.core->shards[0].sleeping)); /* nobody was woken */
    matching_port_poll(p->port, 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(reply_of(p, 2));
    CU_ASSERT_EQUAL(reply_of(p, 2)->reply.order.status, MATCHING_FILLED);
    assert_books_are_sound(&b);
    bench_fini(&b);
}

/* The thread is woken if what comes is much, or may take long. */
static void test_much_work_is_left_to_the_thread(void)
{
    bench b;
    begin(&b, NULL);
    probe *p = &b.probes[0];
    b.core->shards[0].serve_max = 2;
    for (uint64_t tag = 1; tag <= 3; tag++) {
        matching_command order =
            limit_order(bench_instrument(&b, 0, 0), "ann", MATCHING_BUY, 10, 1);
        order.tag = tag;
        matching_port_submit(p->port, &order);
    }
    matching_port_flush(p->port);
    bench_wait_replies(p, 3);
    CU_ASSERT_PTR_NULL(b.core->shards[0].server);
    wait_until_asleep(&b);
    b.core->shards[0].serve_max = 0;
    submit(p, cancel_everything("ann"), 4);
    bench_wait_replies(p, 4);
    CU_ASSERT_EQUAL(reply_of(p, 4)->reply.order_id_count, 3);
    bench_fini(&b);
}

/* Whoever finds the shard in other hands leaves the command to its thread. */
static void test_a_shard_that_is_being_served_is_woken(void)
{
    bench b;
    begin(&b, NULL);
    probe *p = &b.probes[0];
    shard *s = &b.core->shards[0];
    CU_ASSERT_EQUAL_FATAL(pthread_mutex_trylock(&s->polling), 0);
    submit(p, limit_order(bench_instrument(&b, 0, 0), "ann", MATCHING_BUY, 10, 1), 1);
    matching_port_poll(p->port, 0);
    CU_ASSERT_PTR_NULL(reply_of(p, 1));
    CU_ASSERT_FALSE(atomic_load(&s->sleeping));
    pthread_mutex_unlock(&s->polling);
    bench_wait_replies(p, 1);
    bench_fini(&b);
}

/* The thread sleeps for ever, as nothing expires; then the test's thread enters what will. */
static void test_an_expiry_wakes_the_thread(void)
{
    bench b;
    begin(&b, NULL);
    probe *p = &b.probes[0];
    matching_command order = limit_order(bench_instrument(&b, 0, 0), "ann", MATCHING_BUY, 10, 1);
    order.time_in_force = MATCHING_GTD;
    uint64_t tag = 0;
    do { /* again with more time, where that had come before the order */
        tag++;
        order.expire_time_ms = matching_unix_ns() / 1000000 + (20u << tag);
        submit(p, order, tag);
        bench_wait_replies(p, tag);
    } while (reply_of(p, tag)->reply.code != MATCHING_OK);
    uint64_t deadline = matching_monotonic_ns() + BENCH_DEADLINE_MS * 1000000ull;
    bool expired = false;
    while (!expired && matching_monotonic_ns() < deadline) {
        matching_port_poll(p->port, 0);
        const entry *e;
        for (size_t n = 0; (e = entry_of(p, ENTRY_EVENT, n)) != NULL; n++) {
            expired = expired || (e->event.kind == MATCHING_EVENT_ORDER &&
                                  e->order.reason == MATCHING_REASON_EXPIRED);
        }
    }
    CU_ASSERT_TRUE(expired);
    bench_fini(&b);
}

/* A command with more events than the ring holds: the thread that brings it has to take them
 * itself, or nobody would before it is lapped. */
static void test_events_beyond_the_ring_are_taken_meanwhile(void)
{
    enum { MAKERS = 1500 };
    bench b;
    begin(&b, &(bench_options){.event_ring_size = 1024, .ring_size = 4096});
    probe *p = &b.probes[0];
    const matching_instrument *instrument = bench_instrument(&b, 0, 0);
    for (uint64_t tag = 1; tag <= MAKERS; tag++) {
        submit(p, limit_order(instrument, "ann", MATCHING_SELL, (int64_t)tag, 1), tag);
        matching_port_poll(p->port, 0);
    }
    bench_wait_replies(p, MAKERS);
    wait_until_asleep(&b);
    while (matching_port_poll(p->port, 0)) {
    }
    forget(p);
    submit(p, limit_order(instrument, "ben", MATCHING_BUY, MAKERS, MAKERS), MAKERS + 1);
    CU_ASSERT_TRUE(atomic_load(&b.core->shards[0].sleeping));
    while (matching_port_poll(p->port, 0)) {
    }
    CU_ASSERT_PTR_NOT_NULL(reply_of(p, MAKERS + 1));
    size_t trades = 0;
    for (size_t i = 0; i < p->count; i++) {
        trades += p->log[i].kind == ENTRY_EVENT && p->log[i].event.kind == MATCHING_EVENT_TRADE;
    }
    CU_ASSERT_EQUAL(trades, MAKERS);
    CU_ASSERT_EQUAL(count_entries(p, ENTRY_LAPPED), 0);
    assert_books_are_sound(&b);
    bench_fini(&b);
}

/* While it does so, other shards wait for it as a reader too, and would lap it. */
static void test_other_shards_events_are_taken_meanwhile(void)
{
    enum { MAKERS = 1500 };
    bench b;
    begin(&b, &(bench_options){.shards = 2, .event_ring_size = 1024, .ring_size = 4096});
    probe *p = &b.probes[0];
    const matching_instrument *instrument = bench_instrument(&b, 0, 0);
    for (uint64_t tag = 1; tag <= MAKERS; tag++) {
        submit(p, limit_order(instrument, "ann", MATCHING_SELL, (int64_t)tag, 1), tag);
        matching_port_poll(p->port, 0);
    }
    bench_wait_replies(p, MAKERS);
    wait_until_asleep(&b);
    while (matching_port_poll(p->port, 0)) {
    }
    forget(p);
    submit(p, limit_order(bench_instrument(&b, 1, 0), "ann", MATCHING_SELL, 10, 1), MAKERS + 1);
    CU_ASSERT_EQUAL(p->count, 0); /* it is there, and was not taken yet */
    submit(p, limit_order(instrument, "ben", MATCHING_BUY, MAKERS, MAKERS), MAKERS + 2);
    CU_ASSERT_PTR_NOT_NULL(reply_of(p, MAKERS + 1));
    bool seen = false;
    for (size_t i = 0; i < p->count; i++) {
        seen = seen || (p->log[i].kind == ENTRY_EVENT && p->log[i].shard == 1);
    }
    CU_ASSERT_TRUE(seen);
    bench_fini(&b);
}

static void test_a_small_write_is_done_where_nobody_waits_for_the_disk(void)
{
    static const matching_sync policies[] = {MATCHING_SYNC_NONE, MATCHING_SYNC_INTERVAL};
    for (size_t i = 0; i < 2; i++) {
        folder f;
        bench b;
        folder_make(&f);
        begin(&b, &(bench_options){.data_dir = f.path, .sync = policies[i]});
        probe *p = &b.probes[0];
        const matching_instrument *instrument = bench_instrument(&b, 0, 0);
        submit(p, limit_order(instrument, "ann", MATCHING_BUY, 10, 1), 1);
        matching_port_poll(p->port, 0);
        CU_ASSERT_PTR_NOT_NULL_FATAL(reply_of(p, 1));
        CU_ASSERT_EQUAL(reply_of(p, 1)->reply.code, MATCHING_OK);
        /* INTERVAL: the flusher, which knows of the write, syncs in time though nothing follows. */
        uint64_t deadline = matching_monotonic_ns() + BENCH_DEADLINE_MS * 1000000ull;
        const journal *j = b.core->shards[0].journal;
        while (i == 1 && atomic_load(&j->synced) < atomic_load(&j->handed)) {
            CU_ASSERT_FATAL(matching_monotonic_ns() < deadline);
        }
        uint64_t state = state_of(&b);
        bench_die(&b);
        begin(&b, &(bench_options){.data_dir = f.path, .sync = policies[i]});
        CU_ASSERT_EQUAL(state_of(&b), state);
        bench_fini(&b);
        folder_remove(&f);
    }
}

static uint64_t submit_many(probe *p, const matching_instrument *instrument, uint64_t *tag,
                            unsigned count)
{
    const journal *j = p->port->core->shards[0].journal;
    uint64_t before = atomic_load(&j->present_bytes);
    for (unsigned i = 0; i < count; i++) {
        matching_command order = limit_order(instrument, "ann", MATCHING_BUY, 10, 1);
        order.tag = ++*tag;
        CU_ASSERT_EQUAL_FATAL(matching_port_submit(p->port, &order), MATCHING_OK);
    }
    matching_port_flush(p->port);
    return atomic_load(&j->present_bytes) - before;
}

/* Each write of the journal begins with a claim, so its bytes tell how many there were. */
static void test_batches_that_are_served_go_into_one_write(void)
{
    const uint64_t claim = sizeof(journal_record);
    folder f;
    bench b;
    folder_make(&f);
    begin(&b, &(bench_options){.data_dir = f.path, .sync = MATCHING_SYNC_NONE, .ring_size = 4096});
    probe *p = &b.probes[0];
    shard *s = &b.core->shards[0];
    const matching_instrument *instrument = bench_instrument(&b, 0, 0);
    s->serve_max = 4096; /* as where there is one processor */
    s->journal->options.write_here_bytes = 1 << 20;
    uint64_t tag = 0, record = submit_many(p, instrument, &tag, 1) - claim;
    CU_ASSERT_EQUAL(submit_many(p, instrument, &tag, 350), 350 * record + claim);
    /* Others shall not wait too long for theirs. */
    CU_ASSERT_EQUAL(submit_many(p, instrument, &tag, 1300), 1300 * record + 2 * claim);
    while (matching_port_poll(p->port, 0)) {
    }
    for (uint64_t i = 1; i <= tag; i++) {
        CU_ASSERT_PTR_NOT_NULL_FATAL(reply_of(p, i));
        CU_ASSERT_EQUAL(reply_of(p, i)->reply.code, MATCHING_OK);
    }
    CU_ASSERT_EQUAL(atomic_load(&s->durable_sequence), s->books.sequence);
    bench_fini(&b);
    folder_remove(&f);
}

MATCHING_TESTS(MATCHING_TEST(test_a_few_commands_are_answered_by_the_flush),
               MATCHING_TEST(test_much_work_is_left_to_the_thread),
               MATCHING_TEST(test_a_shard_that_is_being_served_is_woken),
               MATCHING_TEST(test_an_expiry_wakes_the_thread),
               MATCHING_TEST(test_events_beyond_the_ring_are_taken_meanwhile),
               MATCHING_TEST(test_other_shards_events_are_taken_meanwhile),
               MATCHING_TEST(test_a_small_write_is_done_where_nobody_waits_for_the_disk),
               MATCHING_TEST(test_batches_that_are_served_go_into_one_write))
