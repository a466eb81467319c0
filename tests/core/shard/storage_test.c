/* A core with a data directory: what it knew is there again, whatever ended it; what was promised
 * at a connection's end is kept. */
#include <CUnit/CUnit.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "storage_fixture.h"
#include "support/cunit_main.h"

/* Asks for everything that can be read, and writes the answers down. */
static void write_down(bench *b, char *out, size_t size)
{
    probe *p = &b->probes[0];
    size_t used = 0;
    for (unsigned i = 0; i < 2; i++) {
        const matching_instrument *it = bench_instrument(b, 0, i);
        submit(p, read_command(MATCHING_READ_DEPTH, it, 20), 100);
        submit(p, read_command(MATCHING_READ_TRADES, it, 20), 101);
        submit(p, read_command(MATCHING_READ_TICKER, it, 0), 102);
        matching_command all = read_command(MATCHING_READ_ORDERS, it, 100);
        all.status = MATCHING_STATUS_ANY;
        submit(p, all, 103);
        settle(b);
        const matching_depth *depth = &reply_of(p, 100)->depth;
        used += (size_t)snprintf(out + used, size - used, "%s %u: %llu %u+%u;", it->symbol,
                                 matching_core_state(b->core, it->index),
                                 (unsigned long long)depth->sequence, depth->bid_count,
                                 depth->ask_count);
        for (unsigned n = 0; n < depth->ask_count; n++) {
            used += (size_t)snprintf(out + used, size - used, " %lld:%llu",
                                     (long long)depth->asks[n].price_ticks,
                                     (unsigned long long)depth->asks[n].total_lots);
        }
        const entry *trades = reply_of(p, 101);
        for (unsigned n = 0; n < trades->reply.trade_count; n++) {
            const matching_trade *t = &trades->trades[n];
            used += (size_t)snprintf(out + used, size - used, " T%llu %s %s %lld %llu",
                                     (unsigned long long)t->trade_id, t->buyer, t->seller,
                                     (long long)t->price_ticks, (unsigned long long)t->time_ns);
        }
        const matching_ticker *day = &reply_of(p, 102)->ticker;
        used += (size_t)snprintf(out + used, size - used, " L%lld C%llu V%llu",
                                 (long long)day->last_ticks, (unsigned long long)day->count,
                                 (unsigned long long)day->volume_lots);
        const entry *orders = reply_of(p, 103);
        for (unsigned n = 0; n < orders->reply.order_count; n++) {
            const matching_order *o = &orders->orders[n];
            used +=
                (size_t)snprintf(out + used, size - used, " O%llu %s %u %u %lld %lld %s %llu",
                                 (unsigned long long)o->order_id, o->trader_id, o->status,
                                 o->reason, (long long)o->filled_lots, (long long)o->display_lots,
                                 o->client_order_id, (unsigned long long)o->updated_ns);
        }
        forget(p);
    }
    CU_ASSERT_TRUE(used + 1 < size);
}

typedef enum ending { STOPPED, DIED } ending;

static void check_return(bool with_snapshot, ending how)
{
    static char before[20000], after[20000];
    folder f;
    notes heard;
    bench b;
    folder_make(&f);
    bench_options options = stored(&f, &heard);
    bench_init(&b, &options);
    make_history(&b);
    if (with_snapshot) {
        take_snapshot(&b);
        place(&b, limit_order(bench_instrument(&b, 0, 0), "zoe", MATCHING_BUY, 90, 3), 1);
        forget(&b.probes[0]);
    }
    uint64_t state = state_of(&b), sequence = b.core->shards[0].books.sequence;
    write_down(&b, before, sizeof before);
    CU_ASSERT_STRING_EQUAL(heard.text, ""); /* nothing was there to recover */
    if (how == STOPPED) {
        bench_fini(&b);
    } else {
        bench_die(&b);
    }

    bench_init(&b, &options);
    CU_ASSERT_EQUAL(state_of(&b), state);
    CU_ASSERT_EQUAL(b.core->shards[0].books.sequence, sequence);
    write_down(&b, after, sizeof after);
    CU_ASSERT_STRING_EQUAL(after, before);
    assert_books_are_sound(&b);
    CU_ASSERT_PTR_NOT_NULL(strstr(heard.text, "recovered shard 0: "));
    CU_ASSERT_EQUAL(strstr(heard.text, "snapshot ") != NULL, with_snapshot);
    bench_fini(&b);
    folder_remove(&f);
}

static void test_everything_is_there_after_a_stop(void)
{
    check_return(false, STOPPED);
}

static void test_everything_is_there_after_a_death(void)
{
    check_return(false, DIED);
}

static void test_everything_is_there_with_a_snapshot(void)
{
    check_return(true, STOPPED);
    check_return(true, DIED);
}

static void test_ids_go_on_where_they_were(void)
{
    folder f;
    notes heard;
    bench b;
    folder_make(&f);
    bench_options options = stored(&f, &heard);
    uint64_t last = 0;
    for (unsigned life = 0; life < 3; life++) {
        bench_init(&b, &options);
        const matching_instrument *it = bench_instrument(&b, 0, 0);
        uint64_t id = place(&b, limit_order(it, "alice", MATCHING_BUY, 10, 1), 1);
        CU_ASSERT_EQUAL(id, last + 1);
        last = id;
        bench_fini(&b);
    }
    folder_remove(&f);
}

static void test_instruments_stay_and_may_become_more(void)
{
    folder f;
    notes heard;
    bench b;
    folder_make(&f);
    bench_options options = stored(&f, &heard);
    options.instruments = 2;
    bench_init(&b, &options);
    matching_command addition = {.type = MATCHING_ADD_INSTRUMENT,
                                 .price_ticks = 5,
                                 .quantity_lots = 7,
                                 .state = MATCHING_HALTED,
                                 .instrument_id = 77,
                                 .symbol = "LATER"};
    submit(&b.probes[0], addition, 1);
    settle(&b);
    CU_ASSERT_EQUAL(reply_of(&b.probes[0], 1)->reply.code, MATCHING_OK);
    bench_fini(&b);

    options.instruments = 3; /* one more in the configuration; LATER is not in it */
    for (unsigned life = 0; life < 2; life++) {
        bench_init(&b, &options);
        CU_ASSERT_EQUAL(matching_core_instrument_count(b.core), 4);
        const matching_instrument *later = matching_core_find_instrument(b.core, "LATER", 5);
        const matching_instrument *third = matching_core_find_instrument(b.core, "SYM2", 4);
        CU_ASSERT_PTR_NOT_NULL_FATAL(later);
        CU_ASSERT_PTR_NOT_NULL_FATAL(third);
        CU_ASSERT_EQUAL(later->index, 2);
        CU_ASSERT_EQUAL(third->index, 3);
        CU_ASSERT_EQUAL(later->tick_size, 5);
        CU_ASSERT_EQUAL(later->lot_size, 7);
        CU_ASSERT_EQUAL(matching_core_state(b.core, later->index), MATCHING_HALTED);
        bench_fini(&b);
    }
    folder_remove(&f);
}

/* The promise of cancel-on-disconnect: a stop takes leave of clients, a death does not. */
static void test_guarded_orders_end_with_a_death_and_stay_at_a_stop(void)
{
    folder f;
    notes heard;
    bench b;
    folder_make(&f);
    bench_options options = stored(&f, &heard);
    bench_init(&b, &options);
    matching_command guarded =
        limit_order(bench_instrument(&b, 0, 0), "alice", MATCHING_BUY, 10, 1);
    guarded.flags |= MATCHING_FLAG_GUARDED;
    uint64_t kept = place(&b, guarded, 1);
    bench_fini(&b); /* a stop */
    bench_init(&b, &options);
    uint64_t lost = place(&b, guarded, 1);
    bench_die(&b);
    bench_init(&b, &options);
    matching_command read = {.type = MATCHING_READ_ORDER, .order_id = kept};
    submit(&b.probes[0], read, 2);
    read.order_id = lost;
    submit(&b.probes[0], read, 3);
    settle(&b);
    CU_ASSERT_EQUAL(reply_of(&b.probes[0], 2)->reply.order.status, MATCHING_OPEN);
    CU_ASSERT_EQUAL(reply_of(&b.probes[0], 3)->reply.order.status, MATCHING_CANCELLED);
    CU_ASSERT_EQUAL(reply_of(&b.probes[0], 3)->reply.order.reason, MATCHING_REASON_DISCONNECT);
    uint64_t sequence = b.core->shards[0].books.sequence;
    bench_die(&b);
    bench_init(&b, &options);
    CU_ASSERT_EQUAL(b.core->shards[0].books.sequence, sequence); /* once */
    bench_fini(&b);
    folder_remove(&f);
}

static void test_snapshots_come_by_themselves_and_old_files_go(void)
{
    folder f;
    notes heard;
    bench b;
    folder_make(&f);
    bench_options options = stored(&f, &heard);
    options.snapshot_every = 100;
    bench_init(&b, &options);
    const matching_instrument *it = bench_instrument(&b, 0, 0);
    uint64_t deadline = matching_monotonic_ns() + BENCH_DEADLINE_MS * 1000000ull;
    char first[600] = "";
    for (uint64_t tag = 1; matching_monotonic_ns() < deadline; tag++) {
        place(&b, cancel_by_id(place(&b, limit_order(it, "alice", MATCHING_BUY, 10, 1), tag)),
              tag + (1u << 30));
        forget(&b.probes[0]);
        folder_first(&f, ".journal", first, sizeof first);
        if (folder_count(&f, ".snapshot") == 2 && strstr(first, "00000000000000000001.") == NULL) {
            break;
        }
    }
    CU_ASSERT_PTR_NULL(strstr(first, "00000000000000000001.")); /* the first segment has gone */
    uint64_t state = state_of(&b);
    bench_die(&b);
    CU_ASSERT_EQUAL(folder_count(&f, ".tmp"), 0);
    bench_init(&b, &options);
    CU_ASSERT_EQUAL(state_of(&b), state);
    bench_die(&b);

    /* The older one is as good, where the newer is not. */
    char newest[600];
    folder_last(&f, ".snapshot", newest, sizeof newest);
    folder_flip(newest, 5000);
    heard = (notes){""};
    options.snapshot_every = 0;
    bench_init(&b, &options);
    CU_ASSERT_EQUAL(state_of(&b), state);
    CU_ASSERT_PTR_NOT_NULL(strstr(heard.text, "warn: "));
    CU_ASSERT_PTR_NOT_NULL(strstr(heard.text, newest));
    bench_fini(&b);

    /* Without either the journal does not reach back far enough, and it is said why that
     * matters. */
    char oldest[600], error[2000];
    folder_first(&f, ".snapshot", oldest, sizeof oldest);
    folder_flip(oldest, 5000);
    uint64_t sum = folder_sum(&f);
    CU_ASSERT_EQUAL(bench_refused(&options, error, sizeof error), EBADMSG);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, ".journal"));
    CU_ASSERT_PTR_NOT_NULL(strstr(error, oldest));
    CU_ASSERT_EQUAL(folder_sum(&f), sum);
    folder_remove(&f);
}

/* Each snapshot goes on with the books of the one before it; they are to be those that a start
 * makes of the journal alone. */
static void test_one_snapshot_after_the_other_is_of_the_same_books(void)
{
    folder f;
    notes heard;
    bench b;
    folder_make(&f);
    bench_options options = stored(&f, &heard);
    bench_init(&b, &options);
    const matching_instrument *it = bench_instrument(&b, 0, 0);
    for (uint64_t tag = 1; tag <= 60; tag++) {
        place(&b, limit_order(it, "alice", MATCHING_BUY, 10 + (int64_t)(tag % 7), 3), tag);
        place(&b, limit_order(it, "bob", MATCHING_SELL, 12 + (int64_t)(tag % 5), 2), 100 + tag);
        forget(&b.probes[0]);
        if (tag % 10 == 0) {
            take_snapshot(&b);
        }
    }
    place(&b, limit_order(it, "carol", MATCHING_SELL, 9, 50), 1000);
    uint64_t state = state_of(&b);
    bench_die(&b);
    CU_ASSERT_EQUAL(folder_count(&f, ".snapshot"), 2);
    heard = (notes){""};
    bench_init(&b, &options);
    CU_ASSERT_EQUAL(state_of(&b), state);
    CU_ASSERT_PTR_NOT_NULL(strstr(heard.text, "snapshot ")); /* its hash was found again */
    CU_ASSERT_PTR_NULL(strstr(heard.text, "warn: "));
    bench_fini(&b);
    folder_remove(&f);
}

/* A snapshot that stays has gone bad, and nobody has loaded it since: what it would need stays. */
static void test_nothing_goes_on_the_word_of_a_bad_snapshot(void)
{
    folder f;
    notes heard;
    bench b;
    char path[600], first[600];
    folder_make(&f);
    bench_options options = stored(&f, &heard);
    bench_init(&b, &options);
    const matching_instrument *it = bench_instrument(&b, 0, 0);
    for (uint64_t tag = 1; tag <= 2; tag++) {
        place(&b, limit_order(it, "alice", MATCHING_BUY, 10, 3), tag);
        take_snapshot(&b);
    }
    folder_last(&f, ".snapshot", path, sizeof path);
    folder_first(&f, ".journal", first, sizeof first);
    folder_flip(path, 5000);
    place(&b, limit_order(it, "alice", MATCHING_BUY, 11, 3), 3);
    take_snapshot(&b);
    uint64_t state = state_of(&b);
    bench_die(&b);
    CU_ASSERT_EQUAL(folder_count(&f, ".snapshot"), 3);
    char still_first[600];
    folder_first(&f, ".journal", still_first, sizeof still_first);
    CU_ASSERT_STRING_EQUAL(still_first, first);
    bench_init(&b, &options);
    CU_ASSERT_EQUAL(state_of(&b), state);
    bench_fini(&b);
    folder_remove(&f);
}

MATCHING_TESTS(MATCHING_TEST(test_everything_is_there_after_a_stop),
               MATCHING_TEST(test_everything_is_there_after_a_death),
               MATCHING_TEST(test_everything_is_there_with_a_snapshot),
               MATCHING_TEST(test_ids_go_on_where_they_were),
               MATCHING_TEST(test_instruments_stay_and_may_become_more),
               MATCHING_TEST(test_guarded_orders_end_with_a_death_and_stay_at_a_stop),
               MATCHING_TEST(test_snapshots_come_by_themselves_and_old_files_go),
               MATCHING_TEST(test_one_snapshot_after_the_other_is_of_the_same_books),
               MATCHING_TEST(test_nothing_goes_on_the_word_of_a_bad_snapshot))
