/* A core with a data directory: what it knew is there again, whatever ended it; what contradicts
 * the directory is refused; what was promised at a connection's end is kept. */
#include <CUnit/CUnit.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "folder.h"
#include "journal/checksum.h"
#include "support/cunit_main.h"

typedef struct notes {
    char text[4000];
} notes;

static void on_note(void *context, const char *line)
{
    notes *all = context;
    size_t length = strlen(all->text);
    snprintf(all->text + length, sizeof all->text - length, "%s\n", line);
}

static bench_options stored(const folder *f, notes *heard)
{
    *heard = (notes){""};
    return (bench_options){.data_dir = f->path, .on_note = on_note, .note_context = heard};
}

/* By hand the flusher still has a thread of its own. */
static void settle(bench *b)
{
    for (unsigned i = 0; i < b->core->shard_count; i++) {
        bench_step(b);
        CU_ASSERT_TRUE(journal_wait(b->core->shards[i].journal));
    }
    bench_settle(b);
}

static uint64_t place(bench *b, matching_command command, uint64_t tag)
{
    CU_ASSERT_EQUAL(submit(&b->probes[0], command, tag), MATCHING_OK);
    settle(b);
    const entry *e = reply_of(&b->probes[0], tag);
    CU_ASSERT_PTR_NOT_NULL_FATAL(e);
    CU_ASSERT_EQUAL(e->reply.code, MATCHING_OK);
    return e->reply.order.order_id;
}

/* Some of everything: trades, an iceberg, a stop, client ids, a cancel, a halted instrument. */
static void make_history(bench *b)
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

static void take_snapshot(bench *b)
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

static void test_a_directory_in_use_is_refused_by_name(void)
{
    folder f;
    notes heard;
    bench b;
    char error[1000], pid[32];
    folder_make(&f);
    bench_options options = stored(&f, &heard);
    bench_init(&b, &options);
    CU_ASSERT_NOT_EQUAL(bench_refused(&options, error, sizeof error), 0);
    snprintf(pid, sizeof pid, "%ld", (long)getpid());
    CU_ASSERT_PTR_NOT_NULL(strstr(error, f.path));
    CU_ASSERT_PTR_NOT_NULL(strstr(error, pid));
    bench_fini(&b);
    folder_remove(&f);
}

static void test_other_limits_are_refused_by_key(void)
{
    folder f;
    notes heard;
    bench b;
    char error[1000];
    folder_make(&f);
    bench_options options = stored(&f, &heard);
    bench_init(&b, &options);
    bench_fini(&b);
    uint64_t sum = folder_sum(&f);
    struct {
        bench_options options;
        const char *key;
    } cases[] = {{options, "max_orders"},      {options, "retained_orders"},
                 {options, "max_instruments"}, {options, "max_traders"},
                 {options, "shards"},          {options, "tick_size"}};
    cases[0].options.max_orders = 500;
    cases[1].options.retained_orders = 500;
    cases[2].options.max_instruments = 50;
    cases[3].options.max_traders = 50;
    cases[4].options.shards = 2;
    cases[5].options.tick_size = 2;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CU_ASSERT_EQUAL(bench_refused(&cases[i].options, error, sizeof error), EBADMSG);
        CU_ASSERT_PTR_NOT_NULL(strstr(error, cases[i].key));
        CU_ASSERT_EQUAL(folder_sum(&f), sum);
    }
    CU_ASSERT_EQUAL(bench_refused(&options, error, sizeof error), 0);
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

    /* Without either the journal does not reach back far enough, and it is said why that matters. */
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

/* Each snapshot goes on with the books of the one before it; they are to be those that a start makes
 * of the journal alone. */
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

/* One whose files are gone is not taken for a new one, unless none has had a command yet. */
static void test_a_lost_shard_is_no_fresh_start(void)
{
    folder f;
    notes heard;
    bench b;
    char error[1000], path[600], begun[600];
    folder_make(&f);
    bench_options options = stored(&f, &heard);
    options.shards = 2;
    options.defaults = true;
    bench_init(&b, &options);
    bench_fini(&b);
    folder_last(&f, ".journal", path, sizeof path);
    CU_ASSERT_EQUAL(unlink(path), 0); /* as if the first start had been cut short */
    snprintf(begun, sizeof begun, "%s/BEGUN", f.path);
    CU_ASSERT_EQUAL(unlink(begun), 0);
    bench_init(&b, &options);
    for (size_t i = 0; i < BENCH_INSTRUMENTS; i++) { /* then it is as if it had not been */
        const matching_instrument *instrument = matching_core_instrument(b.core, i);
        CU_ASSERT_PTR_NOT_NULL_FATAL(instrument);
        CU_ASSERT_EQUAL(instrument->id, i + 1);
    }
    place(&b, limit_order(bench_instrument(&b, 1, 0), "alice", MATCHING_BUY, 10, 1), 1);
    bench_fini(&b);
    CU_ASSERT_EQUAL(unlink(path), 0);
    uint64_t sum = folder_sum(&f);
    CU_ASSERT_EQUAL(bench_refused(&options, error, sizeof error), EBADMSG);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "shard 0 has lost its journal"));
    CU_ASSERT_EQUAL(folder_sum(&f), sum);
    folder_remove(&f);
}

/* A newer program's version into a file that has it at byte 8 of a sealed head; `seal` of so many
 * bytes, 0: as if bits had flipped. */
static void make_newer(const char *path, size_t seal)
{
    unsigned char head[4096] = {0};
    uint32_t version = 7, checksum = 0;
    FILE *file = fopen(path, "r+b");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL_FATAL(fread(head, 1, seal, file), seal);
    memcpy(head + 8, &version, sizeof version);
    memcpy(head + 12, &checksum, sizeof checksum);
    checksum = checksum_crc32c(0, head, seal);
    memcpy(head + 12, &checksum, sizeof checksum);
    fseek(file, 8, SEEK_SET);
    CU_ASSERT_EQUAL(fwrite(head + 8, 1, seal > 0 ? 8 : 4, file), seal > 0 ? 8 : 4);
    CU_ASSERT_EQUAL(fclose(file), 0);
}

/* The start is refused with these words, and nothing is changed by it. */
static void expect_refused(const folder *f, const bench_options *options, const char *file,
                           const char *words)
{
    char error[2000];
    uint64_t sum = folder_sum(f);
    CU_ASSERT_EQUAL(bench_refused(options, error, sizeof error), EBADMSG);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, file));
    CU_ASSERT_PTR_NOT_NULL(strstr(error, words));
    CU_ASSERT_EQUAL(folder_sum(f), sum);
}

/* A snapshot, of several, although the others would do; a segment; BEGUN; MANIFEST. */
static void test_a_newer_version_is_refused_by_name(void)
{
    folder f;
    notes heard;
    bench b;
    char path[600], newest[600];
    folder_make(&f);
    bench_options options = stored(&f, &heard);
    bench_init(&b, &options);
    make_history(&b);
    take_snapshot(&b);
    place(&b, limit_order(bench_instrument(&b, 0, 0), "zoe", MATCHING_BUY, 10, 1), 1);
    take_snapshot(&b);
    uint64_t state = state_of(&b);
    bench_die(&b);
    folder_first(&f, ".snapshot", path, sizeof path);
    folder_last(&f, ".snapshot", newest, sizeof newest);
    CU_ASSERT_STRING_NOT_EQUAL(path, newest);
    make_newer(newest, 0);
    bench_init(&b, &options); /* that is plain damage, and the older one serves */
    CU_ASSERT_EQUAL(state_of(&b), state);
    CU_ASSERT_PTR_NOT_NULL(strstr(heard.text, "warn: shard 0: a snapshot was passed over: "));
    bench_die(&b);
    make_newer(newest, 128);
    expect_refused(&f, &options, newest, "of version 7; this program reads up to 1: use the newer");
    CU_ASSERT_EQUAL(unlink(newest), 0);
    bench_init(&b, &options); /* it may be moved away */
    CU_ASSERT_EQUAL(state_of(&b), state);
    bench_die(&b);
    folder_last(&f, ".journal", path, sizeof path);
    make_newer(path, 4096);
    expect_refused(&f, &options, path, "its version is 7, this one knows 1");
    folder_put_sealed(&f, "BEGUN", "matching data directory has begun\nversion 7\n");
    expect_refused(&f, &options, "BEGUN", "its version is 7, this one knows 1");
    folder_put_sealed(&f, "MANIFEST", "matching data directory\nversion 7\n");
    expect_refused(&f, &options, "MANIFEST", "its version is 7, this one knows 1");
    folder_remove(&f);
}

static void test_a_torn_tail_is_cut_off_and_told(void)
{
    folder f;
    notes heard;
    bench b;
    folder_make(&f);
    bench_options options = stored(&f, &heard);
    bench_init(&b, &options);
    make_history(&b);
    uint64_t state = state_of(&b);
    bench_fini(&b);
    char last[600];
    folder_last(&f, ".journal", last, sizeof last);
    folder_flip(last, 500000); /* far behind the records */
    heard = (notes){""};
    bench_init(&b, &options);
    CU_ASSERT_EQUAL(state_of(&b), state);
    CU_ASSERT_PTR_NOT_NULL(strstr(heard.text, "warn: "));
    CU_ASSERT_PTR_NOT_NULL(strstr(heard.text, last));
    bench_fini(&b);
    heard = (notes){""};
    bench_init(&b, &options);
    CU_ASSERT_PTR_NULL(strstr(heard.text, "warn: ")); /* it was cut for good */
    bench_fini(&b);
    folder_remove(&f);
}

static void test_damage_is_refused_and_touches_nothing(void)
{
    folder f;
    notes heard;
    bench b;
    char error[1000], last[600];
    folder_make(&f);
    bench_options options = stored(&f, &heard);
    bench_init(&b, &options);
    make_history(&b);
    bench_fini(&b);
    folder_last(&f, ".journal", last, sizeof last);
    folder_flip(last, 4096 + 100);
    uint64_t sum = folder_sum(&f);
    CU_ASSERT_EQUAL(bench_refused(&options, error, sizeof error), EBADMSG);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, last));
    CU_ASSERT_EQUAL(folder_sum(&f), sum);
    folder_remove(&f);
}

MATCHING_TESTS(MATCHING_TEST(test_everything_is_there_after_a_stop),
               MATCHING_TEST(test_everything_is_there_after_a_death),
               MATCHING_TEST(test_everything_is_there_with_a_snapshot),
               MATCHING_TEST(test_ids_go_on_where_they_were),
               MATCHING_TEST(test_a_directory_in_use_is_refused_by_name),
               MATCHING_TEST(test_other_limits_are_refused_by_key),
               MATCHING_TEST(test_instruments_stay_and_may_become_more),
               MATCHING_TEST(test_guarded_orders_end_with_a_death_and_stay_at_a_stop),
               MATCHING_TEST(test_snapshots_come_by_themselves_and_old_files_go),
               MATCHING_TEST(test_one_snapshot_after_the_other_is_of_the_same_books),
               MATCHING_TEST(test_nothing_goes_on_the_word_of_a_bad_snapshot),
               MATCHING_TEST(test_a_lost_shard_is_no_fresh_start),
               MATCHING_TEST(test_a_newer_version_is_refused_by_name),
               MATCHING_TEST(test_a_torn_tail_is_cut_off_and_told),
               MATCHING_TEST(test_damage_is_refused_and_touches_nothing))
