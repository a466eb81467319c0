/* Reads through a port: what they see, pages over many orders and several shards, mass cancel. */
#include <stdlib.h>
#include <string.h>

#include "core/shard/bench.h"
#include "support/cunit_main.h"

/* ---- What a read sees ----------------------------------------------------------------------- */

static void test_a_read_sees_all_commands_before_it_even_of_its_own_batch(void)
{
    bench b;
    bench_init(&b, NULL);
    probe *p = &b.probes[0];
    const matching_instrument *instrument = bench_instrument(&b, 0, 0);
    submit(p, limit_order(instrument, "ann", MATCHING_SELL, 10, 5), 1);
    submit(p, limit_order(instrument, "bob", MATCHING_BUY, 10, 2), 2);
    submit(p, read_command(MATCHING_READ_TRADES, instrument, 10), 3);
    submit(p, read_command(MATCHING_READ_ORDERS, NULL, 10), 4);
    submit(p, limit_order(instrument, "bob", MATCHING_BUY, 10, 1), 5);
    submit(p, read_command(MATCHING_READ_TRADES, instrument, 10), 6);
    bench_settle(&b);
    CU_ASSERT_EQUAL(reply_of(p, 3)->reply.trade_count, 1);
    CU_ASSERT_EQUAL(reply_of(p, 4)->reply.order_count, 2);
    CU_ASSERT_TRUE(reply_of(p, 4)->reply.orders_complete);
    CU_ASSERT_EQUAL_FATAL(reply_of(p, 6)->reply.trade_count, 2);
    CU_ASSERT_EQUAL(reply_of(p, 6)->trades[0].quantity_lots, 2);
    CU_ASSERT_EQUAL(reply_of(p, 6)->trades[1].quantity_lots, 1);
    bench_fini(&b);
}

static void test_recent_trades_are_paged_by_id(void)
{
    bench b;
    bench_init(&b, NULL);
    probe *p = &b.probes[0];
    const matching_instrument *instrument = bench_instrument(&b, 0, 0);
    submit(p, limit_order(instrument, "ann", MATCHING_SELL, 10, 100), 0);
    for (unsigned i = 0; i < 30; i++) {
        submit(p, limit_order(instrument, "bob", MATCHING_BUY, 10, 1), 0);
    }
    static const struct {
        uint32_t limit;
        uint64_t from, before, first, count;
    } cases[] = {{10, 0, 0, 21, 10}, {100, 0, 0, 1, 30}, {10, 5, 0, 5, 10}, {10, 28, 0, 28, 3},
                 {10, 0, 15, 5, 10}, {10, 0, 4, 1, 3},   {10, 3, 7, 3, 4},  {10, 31, 0, 0, 0},
                 {10, 7, 3, 0, 0},   {10, 0, 1, 0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        matching_command read = read_command(MATCHING_READ_TRADES, instrument, cases[i].limit);
        read.from_id = cases[i].from;
        read.before_id = cases[i].before;
        submit(p, read, 100 + i);
    }
    bench_settle(&b);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const entry *e = reply_of(p, 100 + i);
        CU_ASSERT_EQUAL_FATAL(e->reply.trade_count, cases[i].count);
        for (uint64_t t = 0; t < cases[i].count; t++) {
            CU_ASSERT_EQUAL(e->trades[t].trade_id, cases[i].first + t);
        }
    }
    bench_fini(&b);
}

static void test_a_depth_read_tells_the_levels_and_where_it_stands(void)
{
    bench b;
    bench_init(&b, NULL);
    probe *p = &b.probes[0];
    const matching_instrument *instrument = bench_instrument(&b, 0, 0);
    for (int64_t i = 0; i < 5; i++) {
        submit(p, limit_order(instrument, "ann", MATCHING_BUY, 100 - i / 2, 1 + i), 0);
    }
    submit(p, limit_order(instrument, "bob", MATCHING_SELL, 101, 7), 0);
    submit(p, read_command(MATCHING_READ_DEPTH, instrument, 2), 1);
    submit(p, limit_order(instrument, "bob", MATCHING_SELL, 101, 7), 0);
    submit(p, read_command(MATCHING_READ_DEPTH, bench_instrument(&b, 0, 1), 2), 2);
    bench_settle(&b);
    const matching_depth *depth = &reply_of(p, 1)->depth;
    CU_ASSERT_EQUAL(depth->sequence, 6);
    CU_ASSERT_EQUAL_FATAL(depth->bid_count, 2);
    CU_ASSERT_EQUAL_FATAL(depth->ask_count, 1);
    CU_ASSERT_EQUAL(depth->bids[0].price_ticks, 100);
    CU_ASSERT_TRUE(depth->bids[0].total_lots == 3 && depth->bids[0].orders == 2);
    CU_ASSERT_EQUAL(depth->bids[1].price_ticks, 99);
    CU_ASSERT_TRUE(depth->bids[1].total_lots == 7 && depth->bids[1].orders == 2);
    CU_ASSERT_TRUE(depth->asks[0].total_lots == 7 && depth->asks[0].orders == 1);
    CU_ASSERT_FALSE(depth->bids_complete);
    CU_ASSERT_TRUE(depth->asks_complete);
    const matching_depth *empty = &reply_of(p, 2)->depth;
    CU_ASSERT_EQUAL(empty->sequence, 0);
    CU_ASSERT_EQUAL(empty->bid_count + empty->ask_count, 0);
    CU_ASSERT_TRUE(empty->bids_complete && empty->asks_complete);
    bench_fini(&b);
}

static matching_command set_state(const matching_instrument *instrument, matching_state state)
{
    return (matching_command){
        .type = MATCHING_SET_STATE, .instrument = instrument->index, .state = (uint8_t)state};
}

static void test_a_ticker_read_tells_trades_and_best_prices(void)
{
    bench b;
    bench_init(&b, NULL);
    probe *p = &b.probes[0];
    const matching_instrument *instrument = bench_instrument(&b, 0, 0);
    submit(p, read_command(MATCHING_READ_TICKER, instrument, 0), 1);
    submit(p, limit_order(instrument, "ann", MATCHING_SELL, 10, 5), 0);
    submit(p, limit_order(instrument, "ann", MATCHING_SELL, 12, 5), 0);
    submit(p, limit_order(instrument, "bob", MATCHING_BUY, 12, 7), 0);
    submit(p, limit_order(instrument, "bob", MATCHING_BUY, 11, 1), 0);
    submit(p, read_command(MATCHING_READ_TICKER, instrument, 0), 2); /* all in one batch */
    bench_settle(&b);
    const matching_ticker *empty = &reply_of(p, 1)->ticker, *now = &reply_of(p, 2)->ticker;
    CU_ASSERT(empty->last_ticks == 0 && empty->count == 0 && empty->bid_ticks == 0 &&
              empty->ask_ticks == 0 && empty->indicative_ticks == 0);
    CU_ASSERT(now->last_ticks == 12 && now->open_ticks == 10 && now->high_ticks == 12 &&
              now->low_ticks == 10);
    CU_ASSERT(now->count == 2 && now->volume_lots == 7 && now->turnover.words[0] == 74);
    CU_ASSERT(now->bid_ticks == 11 && now->ask_ticks == 12 && now->indicative_ticks == 0);
    CU_ASSERT_EQUAL(now->time_ns, b.core->shards[0].books.time_ns);
    /* Two days later, as the shard's clock has it. */
    b.core->shards[0].books.time_ns += UINT64_C(2) * 86400 * 1000000000;
    submit(p, read_command(MATCHING_READ_TICKER, instrument, 0), 3);
    bench_settle(&b);
    now = &reply_of(p, 3)->ticker;
    CU_ASSERT(now->last_ticks == 12 && now->open_ticks == 0 && now->high_ticks == 0 &&
              now->low_ticks == 0);
    CU_ASSERT(now->count == 0 && now->volume_lots == 0 && now->turnover.words[0] == 0);
    CU_ASSERT(now->bid_ticks == 11 && now->ask_ticks == 12);
    bench_fini(&b);
}

static void test_a_ticker_read_of_a_crossed_book_tells_where_it_uncrosses(void)
{
    bench b;
    bench_init(&b, NULL);
    probe *p = &b.probes[0];
    const matching_instrument *instrument = bench_instrument(&b, 0, 0);
    submit(p, set_state(instrument, MATCHING_AUCTION), 0);
    submit(p, limit_order(instrument, "ann", MATCHING_SELL, 10, 5), 0);
    submit(p, limit_order(instrument, "bob", MATCHING_BUY, 9, 3), 0);
    submit(p, read_command(MATCHING_READ_TICKER, instrument, 0), 1);
    submit(p, limit_order(instrument, "bob", MATCHING_BUY, 12, 3), 0);
    submit(p, read_command(MATCHING_READ_TICKER, instrument, 0), 2);
    submit(p, set_state(instrument, MATCHING_TRADING), 0);
    submit(p, read_command(MATCHING_READ_TICKER, instrument, 0), 3);
    bench_settle(&b);
    const matching_ticker *now = &reply_of(p, 1)->ticker;
    CU_ASSERT(now->bid_ticks == 9 && now->ask_ticks == 10 && now->indicative_ticks == 0);
    now = &reply_of(p, 2)->ticker;
    CU_ASSERT(now->bid_ticks == 0 && now->ask_ticks == 0);
    CU_ASSERT(now->indicative_ticks == 10 && now->indicative_lots == 3);
    CU_ASSERT(now->last_ticks == 0 && now->count == 0);
    now = &reply_of(p, 3)->ticker;
    CU_ASSERT(now->bid_ticks == 9 && now->ask_ticks == 10 && now->indicative_ticks == 0);
    CU_ASSERT(now->last_ticks == 10 && now->count == 1 && now->volume_lots == 3);
    bench_fini(&b);
}

/* ---- Many orders ---------------------------------------------------------------------------- */

static uint64_t ids[12000]; /* of every order placed, ascending once sorted */
static size_t id_count;

static int by_id(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Places orders all over the shards, in windows that the rings hold; notes their ids. */
static void place_many(bench *b, size_t count)
{
    probe *p = &b->probes[0];
    for (size_t i = 0; i < count; i++) {
        const matching_instrument *instrument =
            matching_core_instrument(b->core, i % BENCH_INSTRUMENTS);
        matching_command order =
            limit_order(instrument, i % 5 == 0 ? "ann" : "bob", MATCHING_BUY, 10, 1);
        CU_ASSERT_EQUAL_FATAL(submit(p, order, i), MATCHING_OK);
        if (i % 100 == 99 || i + 1 == count) {
            bench_settle(b);
            for (size_t n = 0; n < p->count; n++) {
                if (p->log[n].kind == ENTRY_REPLY) {
                    ids[id_count++] = p->log[n].reply.order.order_id;
                }
            }
            forget(p);
        }
    }
    qsort(ids, id_count, sizeof ids[0], by_id);
}

static void test_pages_over_many_orders_and_shards_miss_and_repeat_nothing(void)
{
    for (unsigned shards = 1; shards <= 3; shards += 2) {
        bench b;
        bench_init(&b, &(bench_options){.shards = shards});
        probe *p = &b.probes[0];
        id_count = 0;
        place_many(&b, 11000);
        uint64_t after = 0;
        size_t seen = 0;
        for (bool complete = false; !complete;) {
            matching_command read = read_command(MATCHING_READ_ORDERS, NULL, MATCHING_PAGE_MAX);
            read.order_id = after;
            CU_ASSERT_EQUAL_FATAL(submit(p, read, 1), MATCHING_OK);
            bench_settle(&b);
            const entry *e = reply_of(p, 1);
            CU_ASSERT_PTR_NOT_NULL_FATAL(e);
            CU_ASSERT_TRUE_FATAL(e->reply.order_count <= MATCHING_PAGE_MAX);
            for (size_t i = 0; i < e->reply.order_count; i++) {
                CU_ASSERT_EQUAL_FATAL(e->orders[i].order_id, ids[seen]);
                seen++;
                after = e->orders[i].order_id;
            }
            complete = e->reply.orders_complete;
            CU_ASSERT_TRUE(complete || e->reply.order_count == MATCHING_PAGE_MAX);
            forget(p);
        }
        CU_ASSERT_EQUAL(seen, id_count);
        bench_fini(&b);
    }
}

static void test_a_page_has_only_what_was_asked_for(void)
{
    bench b;
    bench_init(&b, &(bench_options){.shards = 3});
    probe *p = &b.probes[0];
    id_count = 0;
    place_many(&b, 6000);
    for (size_t i = 0; i < id_count; i += 3) { /* a third is cancelled */
        submit(p, cancel_by_id(ids[i]), 0);
        if (i % 100 == 0) {
            bench_settle(&b);
        }
    }
    bench_settle(&b);
    forget(p);
    const matching_instrument *instrument = bench_instrument(&b, 1, 1);
    matching_command read = read_command(MATCHING_READ_ORDERS, instrument, MATCHING_PAGE_MAX);
    memcpy(read.trader_id, "ann", 3);
    read.status = MATCHING_STATUS_WORKING;
    submit(p, read, 1);
    read.status = MATCHING_CANCELLED;
    submit(p, read, 2);
    read.status = MATCHING_STATUS_ANY;
    submit(p, read, 3);
    memcpy(read.trader_id, "eve", 3);
    submit(p, read, 4);
    bench_settle(&b);
    size_t working = reply_of(p, 1)->reply.order_count;
    size_t cancelled = reply_of(p, 2)->reply.order_count;
    CU_ASSERT_TRUE(working > 0 && cancelled > 0);
    CU_ASSERT_EQUAL(reply_of(p, 3)->reply.order_count, working + cancelled);
    CU_ASSERT_EQUAL(reply_of(p, 4)->reply.order_count, 0);
    CU_ASSERT_TRUE(reply_of(p, 4)->reply.orders_complete);
    for (uint64_t tag = 1; tag <= 3; tag++) {
        const entry *e = reply_of(p, tag);
        for (size_t i = 0; i < e->reply.order_count; i++) {
            CU_ASSERT_STRING_EQUAL(e->orders[i].trader_id, "ann");
            CU_ASSERT_EQUAL(e->orders[i].instrument, instrument->index);
            CU_ASSERT_TRUE(tag == 3 || matching_order_is_working(&e->orders[i]) == (tag == 1));
        }
    }
    bench_fini(&b);
}

/* A long scan is done in steps, so that others get their turn in between. */
static void expect_others_to_pass(bench *b, matching_command read)
{
    probe *p = &b->probes[0];
    forget(p);
    submit(p, read, 1);
    submit(p, limit_order(bench_instrument(b, 0, 0), "ann", MATCHING_BUY, 10, 1), 2);
    bench_settle(b);
    CU_ASSERT_PTR_NOT_NULL_FATAL(reply_of(p, 1));
    CU_ASSERT_TRUE(index_of(p, reply_of(p, 2)) < index_of(p, reply_of(p, 1)));
    CU_ASSERT_EQUAL(count_replies_of(p, 1), 1);
    CU_ASSERT_EQUAL(matching_port_in_flight(p->port), 0);
}

static void test_a_long_scan_lets_others_pass(void)
{
    bench b;
    bench_init(&b, NULL);
    id_count = 0;
    place_many(&b, 11000);
    expect_others_to_pass(&b, read_command(MATCHING_READ_ORDERS, NULL, 10));
    bench_fini(&b);
}

/* All of a trader's orders are of another instrument. */
static void test_a_long_list_of_open_orders_lets_others_pass(void)
{
    bench b;
    bench_init(&b, NULL);
    probe *p = &b.probes[0];
    for (unsigned i = 0; i < 9000; i++) {
        submit(p, limit_order(bench_instrument(&b, 0, 0), "cat", MATCHING_BUY, 10, 1), i);
        if (i % 100 == 99) {
            bench_settle(&b);
            forget(p);
        }
    }
    matching_command read = read_command(MATCHING_READ_OPEN_ORDERS, bench_instrument(&b, 0, 1), 10);
    memcpy(read.trader_id, "cat", 3);
    expect_others_to_pass(&b, read);
    CU_ASSERT_EQUAL(reply_of(p, 1)->reply.order_count, 0);
    CU_ASSERT_TRUE(reply_of(p, 1)->reply.orders_complete);
    bench_fini(&b);
}

/* A page of one moment ends where it would take long: what happens behind it is news of each order
 * on it, and the next page begins where it ended. */
static void test_a_page_of_one_moment_is_as_of_its_reply(void)
{
    bench b;
    bench_init(&b, NULL);
    probe *p = &b.probes[0];
    submit(p, limit_order(bench_instrument(&b, 0, 1), "cat", MATCHING_BUY, 10, 1), 1);
    bench_settle(&b);
    uint64_t first = reply_of(p, 1)->reply.order.order_id;
    for (unsigned i = 0; i < 9000; i++) {
        submit(p, limit_order(bench_instrument(&b, 0, i == 8999), "cat", MATCHING_BUY, 10, 1), 2);
        if (i % 100 == 99) {
            bench_settle(&b);
            forget(p);
        }
    }
    matching_command read = read_command(MATCHING_READ_OPEN_ORDERS, bench_instrument(&b, 0, 1), 10);
    read.flags |= MATCHING_FLAG_ONE_MOMENT;
    memcpy(read.trader_id, "cat", 3);
    submit(p, read, 3);
    submit(p, cancel_by_id(first), 4);
    bench_settle(&b);
    const matching_reply *page = &reply_of(p, 3)->reply;
    CU_ASSERT_EQUAL_FATAL(page->order_count, 1);
    CU_ASSERT_EQUAL(reply_of(p, 3)->orders[0].order_id, first);
    CU_ASSERT_FALSE(page->orders_complete);
    CU_ASSERT_TRUE(page->events_end < reply_of(p, 4)->reply.events_end);
    unsigned pages = 1;
    size_t count = 0;
    for (bool complete = false; !complete && pages < 10; pages++) {
        CU_ASSERT_TRUE_FATAL(reply_of(p, 3)->reply.orders_until > read.order_id);
        read.order_id = reply_of(p, 3)->reply.orders_until;
        forget(p);
        submit(p, read, 3);
        bench_settle(&b);
        complete = reply_of(p, 3)->reply.orders_complete;
        count += reply_of(p, 3)->reply.order_count;
        CU_ASSERT_TRUE(complete || reply_of(p, 3)->reply.order_count == 0);
    }
    CU_ASSERT_EQUAL(pages, 3);
    CU_ASSERT_EQUAL(count, 1);
    bench_fini(&b);
}

static void test_open_orders_of_all_shards_come_in_one_reply(void)
{
    bench b;
    bench_init(&b, &(bench_options){.shards = 3});
    probe *p = &b.probes[0];
    uint64_t expected[6];
    for (unsigned i = 0; i < 6; i++) {
        submit(p, limit_order(bench_instrument(&b, i % 3, 0), "ann", MATCHING_BUY, 10, 1), i);
        submit(p, limit_order(bench_instrument(&b, i % 3, 0), "bob", MATCHING_BUY, 10, 1), 50);
    }
    bench_settle(&b);
    for (unsigned i = 0; i < 6; i++) {
        expected[i] = reply_of(p, i)->reply.order.order_id;
    }
    qsort(expected, 6, sizeof expected[0], by_id);
    matching_command read = read_command(MATCHING_READ_OPEN_ORDERS, NULL, MATCHING_PAGE_MAX);
    memcpy(read.trader_id, "ann", 3);
    submit(p, read, 100);
    read.limit = 4;
    submit(p, read, 101);
    bench_settle(&b);
    CU_ASSERT_EQUAL(count_replies_of(p, 100), 1);
    const entry *e = reply_of(p, 100);
    CU_ASSERT_EQUAL_FATAL(e->reply.order_count, 6);
    CU_ASSERT_TRUE(e->reply.orders_complete);
    for (unsigned i = 0; i < 6; i++) {
        CU_ASSERT_EQUAL(e->orders[i].order_id, expected[i]);
    }
    CU_ASSERT_EQUAL(reply_of(p, 101)->reply.order_count, 4);
    CU_ASSERT_FALSE(reply_of(p, 101)->reply.orders_complete);
    read.order_id = reply_of(p, 101)->orders[3].order_id;
    submit(p, read, 102);
    read = read_command(MATCHING_READ_OPEN_ORDERS, bench_instrument(&b, 1, 0), 4);
    memcpy(read.trader_id, "ann", 3);
    read.order_id = expected[0]; /* no order of that shard: it is not asked for this */
    submit(p, read, 103);
    bench_settle(&b);
    CU_ASSERT_EQUAL_FATAL(reply_of(p, 102)->reply.order_count, 2);
    CU_ASSERT_TRUE(reply_of(p, 102)->reply.orders_complete);
    CU_ASSERT_EQUAL(reply_of(p, 102)->orders[0].order_id, expected[4]);
    CU_ASSERT_EQUAL(reply_of(p, 102)->orders[1].order_id, expected[5]);
    CU_ASSERT_EQUAL(reply_of(p, 103)->reply.order_count, 2);
    bench_fini(&b);
}

/* ---- Mass cancel ---------------------------------------------------------------------------- */

static void test_mass_cancel_over_three_shards_gives_one_reply_with_all_ids(void)
{
    bench b;
    bench_init(&b, &(bench_options){.shards = 3, .ports = 2});
    probe *p = &b.probes[0];
    uint64_t expected[9];
    for (unsigned i = 0; i < 9; i++) {
        submit(p, limit_order(bench_instrument(&b, i % 3, i % 2), "ann", MATCHING_BUY, 10, 1), i);
    }
    submit(p, limit_order(bench_instrument(&b, 0, 0), "bob", MATCHING_BUY, 9, 1), 20);
    bench_settle(&b);
    for (unsigned i = 0; i < 9; i++) {
        expected[i] = reply_of(p, i)->reply.order.order_id;
    }
    qsort(expected, 9, sizeof expected[0], by_id);
    submit(&b.probes[1], cancel_everything("ann"), 100);
    submit(&b.probes[1], cancel_everything("ann"), 101);
    bench_settle(&b);
    const probe *q = &b.probes[1];
    CU_ASSERT_EQUAL(count_replies_of(q, 100), 1);
    const entry *e = reply_of(q, 100);
    CU_ASSERT_EQUAL_FATAL(e->reply.order_id_count, 9);
    CU_ASSERT_FALSE(e->reply.ids_truncated);
    CU_ASSERT_EQUAL(memcmp(e->order_ids, expected, sizeof expected), 0);
    CU_ASSERT_EQUAL(reply_of(q, 101)->reply.order_id_count, 0);
    CU_ASSERT_EQUAL(reply_of(q, 101)->reply.code, MATCHING_OK);
    matching_command read = read_command(MATCHING_READ_ORDERS, NULL, 100);
    read.status = MATCHING_STATUS_WORKING;
    submit(p, read, 102);
    bench_settle(&b);
    CU_ASSERT_EQUAL_FATAL(reply_of(p, 102)->reply.order_count, 1);
    CU_ASSERT_STRING_EQUAL(reply_of(p, 102)->orders[0].trader_id, "bob");
    assert_books_are_sound(&b);
    bench_fini(&b);
}

static void test_mass_cancel_of_one_symbol_leaves_the_others(void)
{
    bench b;
    bench_init(&b, &(bench_options){.shards = 2});
    probe *p = &b.probes[0];
    const matching_instrument *one = bench_instrument(&b, 0, 0),
                              *other = bench_instrument(&b, 0, 1);
    submit(p, limit_order(one, "ann", MATCHING_BUY, 10, 1), 1);
    submit(p, limit_order(other, "ann", MATCHING_BUY, 10, 1), 2);
    matching_command cancel = cancel_everything("ann");
    cancel.flags = MATCHING_FLAG_HAS_SYMBOL;
    cancel.instrument = one->index;
    submit(p, cancel, 3);
    bench_settle(&b);
    CU_ASSERT_EQUAL_FATAL(reply_of(p, 3)->reply.order_id_count, 1);
    CU_ASSERT_EQUAL(reply_of(p, 3)->order_ids[0], reply_of(p, 1)->reply.order.order_id);
    bench_fini(&b);
}

MATCHING_TESTS(MATCHING_TEST(test_a_read_sees_all_commands_before_it_even_of_its_own_batch),
               MATCHING_TEST(test_recent_trades_are_paged_by_id),
               MATCHING_TEST(test_a_depth_read_tells_the_levels_and_where_it_stands),
               MATCHING_TEST(test_a_ticker_read_tells_trades_and_best_prices),
               MATCHING_TEST(test_a_ticker_read_of_a_crossed_book_tells_where_it_uncrosses),
               MATCHING_TEST(test_pages_over_many_orders_and_shards_miss_and_repeat_nothing),
               MATCHING_TEST(test_a_page_has_only_what_was_asked_for),
               MATCHING_TEST(test_a_long_scan_lets_others_pass),
               MATCHING_TEST(test_a_long_list_of_open_orders_lets_others_pass),
               MATCHING_TEST(test_a_page_of_one_moment_is_as_of_its_reply),
               MATCHING_TEST(test_open_orders_of_all_shards_come_in_one_reply),
               MATCHING_TEST(test_mass_cancel_over_three_shards_gives_one_reply_with_all_ids),
               MATCHING_TEST(test_mass_cancel_of_one_symbol_leaves_the_others))
