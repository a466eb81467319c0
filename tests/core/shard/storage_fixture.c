/* See storage_fixture.h. */
#include "storage_fixture.h"

#include <CUnit/CUnit.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

static void on_note(void *context, const char *line)
{
    notes *all = context;
    size_t length = strlen(all->text);
    snprintf(all->text + length, sizeof all->text - length, "%s\n", line);
}

bench_options stored(const folder *f, notes *heard)
{
    *heard = (notes){""};
    return (bench_options){.data_dir = f->path, .on_note = on_note, .note_context = heard};
}

/* By hand the flusher still has a thread of its own. */
void settle(bench *b)
{
    for (unsigned i = 0; i < b->core->shard_count; i++) {
        bench_step(b);
        CU_ASSERT_TRUE(journal_wait(b->core->shards[i].journal));
    }
    bench_settle(b);
}

uint64_t place(bench *b, matching_command command, uint64_t tag)
{
    CU_ASSERT_EQUAL(submit(&b->probes[0], command, tag), MATCHING_OK);
    settle(b);
    const entry *e = reply_of(&b->probes[0], tag);
    CU_ASSERT_PTR_NOT_NULL_FATAL(e);
    CU_ASSERT_EQUAL(e->reply.code, MATCHING_OK);
    return e->reply.order.order_id;
}

/* Some of everything: trades, an iceberg, a stop, client ids, a cancel, a halted instrument. */
void make_history(bench *b)
{
    const matching_instrument *one = bench_instrument(b, 0, 0), *two = bench_instrument(b, 0, 1);
    place(b, limit_order(one, "alice", MATCHING_SELL, 100, 5), 1);
    place(b, limit_order(one, "bob", MATCHING_BUY, 100, 2), 2);
    matching_command iceberg = limit_order(one, "carol", MATCHING_SELL, 101, 50);
    iceberg.display_lots = 5;
    place(b, iceberg, 3);
    matching_command stop = limit_order(one, "dave", MATCHING_BUY, 120, 7);
    stop.order_type = MATCHING_STOP_LIMIT;
    stop.stop_price_ticks = 110;
    place(b, stop, 4);
    matching_command named = limit_order(two, "erin", MATCHING_BUY, 55, 9);
    strcpy(named.client_order_id, "my-first");
    place(b, named, 5);
    uint64_t gone = place(b, limit_order(two, "erin", MATCHING_BUY, 54, 1), 6);
    place(b, cancel_by_id(gone), 7);
    matching_command halt = {.type = MATCHING_SET_STATE, .instrument = two->index};
    halt.state = MATCHING_HALTED;
    CU_ASSERT_EQUAL(submit(&b->probes[0], halt, 8), MATCHING_OK);
    settle(b);
    forget(&b->probes[0]);
}

void take_snapshot(bench *b)
{
    uint64_t ticket;
    matching_snapshot_result results[MATCHING_SHARDS_MAX];
    uint64_t deadline = matching_monotonic_ns() + BENCH_DEADLINE_MS * 1000000ull;
    CU_ASSERT_EQUAL(matching_core_request_snapshot(b->core, &ticket), MATCHING_OK);
    while (!matching_core_snapshot_done(b->core, ticket, results) &&
           matching_monotonic_ns() < deadline) {
        sched_yield();
    }
    CU_ASSERT_TRUE_FATAL(matching_core_snapshot_done(b->core, ticket, results));
    CU_ASSERT_FALSE(results[0].failed);
    CU_ASSERT_EQUAL(results[0].sequence, b->core->shards[0].books.sequence);
}
