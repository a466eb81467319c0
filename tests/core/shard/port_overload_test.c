/* Full rings, readers that stall, commands with more events than a ring holds, a full book: the
 * answer is a code or a flag, never a stop, and what is refused changes nothing.
 */
#include <string.h>

#include "core/shard/bench.h"
#include "shard/port_internal.h"
#include "support/cunit_main.h"

#define SMALL_EVENT_RING 1024u /* the least that a core takes */

static void test_full_rings_answer_overloaded_and_nothing_changes(void)
{
    bench b;
    bench_init(&b, &(bench_options){.ring_size = 4});
    probe *p = &b.probes[0];
    const matching_instrument *instrument = bench_instrument(&b, 0, 0);
    for (uint64_t i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(submit(p, limit_order(instrument, "ann", MATCHING_BUY, 10, 1), i),
                        MATCHING_OK);
    }
    CU_ASSERT_EQUAL(submit(p, limit_order(instrument, "eve", MATCHING_BUY, 10, 1), 90),
                    MATCHING_OVERLOADED);
    CU_ASSERT_EQUAL(submit(p, read_command(MATCHING_READ_DEPTH, instrument, 5), 91),
                    MATCHING_OVERLOADED);
    bench_step(&b); /* applied, but the replies were not taken: their slots are needed */
    CU_ASSERT_EQUAL(submit(p, limit_order(instrument, "eve", MATCHING_BUY, 10, 1), 92),
                    MATCHING_OVERLOADED);
    CU_ASSERT_EQUAL(matching_port_in_flight(p->port), 4);
    bench_settle(&b);
    CU_ASSERT_EQUAL(count_entries(p, ENTRY_REPLY), 4);
    CU_ASSERT_EQUAL(b.core->shards[0].books.sequence, 4);
    CU_ASSERT_EQUAL(submit(p, limit_order(instrument, "ann", MATCHING_BUY, 10, 1), 4), MATCHING_OK);
    bench_settle(&b);
    CU_ASSERT_EQUAL(reply_of(p, 4)->reply.sequence, 5);
    CU_ASSERT_PTR_NULL(reply_of(p, 90));
    assert_books_are_sound(&b);
    bench_fini(&b);
}

static void test_one_full_ring_refuses_a_command_for_all_shards_as_a_whole(void)
{
    bench b;
    bench_init(&b, &(bench_options){.shards = 3, .ring_size = 2});
    probe *p = &b.probes[0];
    submit(p, limit_order(bench_instrument(&b, 0, 0), "ann", MATCHING_BUY, 10, 1), 1);
    submit(p, limit_order(bench_instrument(&b, 2, 0), "ann", MATCHING_BUY, 10, 1), 2);
    submit(p, limit_order(bench_instrument(&b, 2, 0), "ann", MATCHING_BUY, 10, 1), 3);
    CU_ASSERT_EQUAL(submit(p, cancel_everything("ann"), 4), MATCHING_OVERLOADED);
    bench_settle(&b);
    CU_ASSERT_EQUAL(b.core->shards[0].books.sequence, 1); /* it did not get the cancel */
    CU_ASSERT_EQUAL(b.core->shards[1].books.sequence, 0);
    CU_ASSERT_EQUAL(matching_port_in_flight(p->port), 0);
    CU_ASSERT_EQUAL(submit(p, cancel_everything("ann"), 5), MATCHING_OK);
    bench_settle(&b);
    CU_ASSERT_EQUAL(reply_of(p, 5)->reply.order_id_count, 3);
    bench_fini(&b);
}

static void check_large_reads(unsigned ring_size)
{
    bench b;
    bench_init(&b, &(bench_options){.ring_size = ring_size});
    probe *p = &b.probes[0];
    const matching_instrument *instrument = bench_instrument(&b, 0, 0);
    unsigned taken = 0;
    matching_code code = MATCHING_OK;
    while (taken < 200 && code == MATCHING_OK) {
        code = submit(p, read_command(MATCHING_READ_DEPTH, instrument, 5000), taken);
        taken += code == MATCHING_OK;
    }
    CU_ASSERT_EQUAL(code, MATCHING_OVERLOADED);
    CU_ASSERT_TRUE(taken >= 16 && taken < 200);
    CU_ASSERT_EQUAL(submit(p, limit_order(instrument, "ann", MATCHING_BUY, 10, 1), 500),
                    MATCHING_OK); /* orders are not held up by reads */
    bench_settle(&b);
    CU_ASSERT_EQUAL(count_entries(p, ENTRY_REPLY), taken + 1);
    CU_ASSERT_EQUAL(submit(p, read_command(MATCHING_READ_DEPTH, instrument, 5000), 501),
                    MATCHING_OK);
    bench_settle(&b);
    CU_ASSERT_PTR_NOT_NULL(reply_of(p, 501));
    bench_fini(&b);
}

static void test_reads_with_large_answers_are_bounded(void)
{
    check_large_reads(1024);
    check_large_reads(64); /* the smallest that can be configured */
}

/* ---- From inside the handlers --------------------------------------------------------------- */

static void submit_and_step(probe *p, const matching_reply *reply)
{
    bench *b = p->context;
    if (reply->tag < 100) {
        matching_command order = limit_order(bench_instrument(b, 0, 0), "ann", MATCHING_BUY, 10, 1);
        submit(p, order, 100 + reply->tag);
        bench_step(b);
    }
}

/* A handler may answer a reply with a command at once, even where everything is full. */
static void test_on_reply_may_submit_while_the_rings_are_full(void)
{
    bench b;
    bench_init(&b, &(bench_options){.ring_size = 8});
    probe *p = &b.probes[0];
    p->context = &b;
    p->at_reply = submit_and_step;
    for (uint64_t i = 0; i < 8; i++) {
        submit(p, limit_order(bench_instrument(&b, 0, 0), "ann", MATCHING_BUY, 10, 1), i);
    }
    bench_settle(&b);
    for (uint64_t i = 0; i < 8; i++) {
        CU_ASSERT_EQUAL(count_replies_of(p, i), 1);
        CU_ASSERT_TRUE(count_replies_of(p, 100 + i) <= 1);
    }
    CU_ASSERT_TRUE(count_entries(p, ENTRY_REPLY) > 8);
    CU_ASSERT_EQUAL(matching_port_in_flight(p->port), 0);
    assert_books_are_sound(&b);
    bench_fini(&b);
}

static void rest_sells(bench *b, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        submit(&b->probes[0], limit_order(bench_instrument(b, 0, 0), "ann", MATCHING_SELL, 10, 1),
               0);
        if (i % 32 == 31) {
            bench_settle(b);
        }
    }
    bench_settle(b);
    forget(&b->probes[0]);
}

static matching_command sweep(const bench *b, int64_t lots)
{
    matching_command order = limit_order(bench_instrument(b, 0, 0), "bob", MATCHING_BUY, 10, lots);
    order.time_in_force = MATCHING_IOC;
    order.flags |= MATCHING_FLAG_COLLECT;
    return order;
}

static void poll_and_submit_all(probe *p)
{
    bench *b = p->context;
    matching_port_poll(p->port, 0);
    while (submit(p, limit_order(bench_instrument(b, 0, 0), "eve", MATCHING_BUY, 1, 1), 1000) ==
           MATCHING_OK) {
    }
    matching_port_sleep(p->port);
}

/* In the middle of a batch the shard waits for room; the port takes the replies that are out and
 * fills its ring again. */
static void test_a_port_may_fill_its_ring_while_the_shard_waits_for_room(void)
{
    bench b;
    bench_init(&b, &(bench_options){.ring_size = 64, .event_ring_size = SMALL_EVENT_RING});
    probe *p = &b.probes[0];
    rest_sells(&b, 192);
    p->context = &b;
    for (uint64_t i = 0; i < 32; i++) {
        submit(p, limit_order(bench_instrument(&b, 0, 1), "ann", MATCHING_BUY, 10, 1), i);
    }
    submit(p, sweep(&b, 192), 500);
    for (uint64_t i = 0; i < 31; i++) {
        submit(p, limit_order(bench_instrument(&b, 0, 1), "ann", MATCHING_BUY, 10, 1), 100 + i);
    }
    p->at_wake = poll_and_submit_all;
    CU_ASSERT_TRUE(matching_port_sleep(p->port));
    shard_poll(&b.core->shards[0]);
    CU_ASSERT_TRUE(atomic_load(&p->wakes) > 0);
    p->at_wake = NULL;
    bench_settle(&b);
    CU_ASSERT_EQUAL(count_replies_of(p, 500), 1);
    CU_ASSERT_EQUAL(reply_of(p, 500)->reply.order.filled_lots, 192);
    CU_ASSERT_TRUE(count_replies_of(p, 1000) >= 32);
    CU_ASSERT_EQUAL(matching_port_in_flight(p->port), 0);
    assert_books_are_sound(&b);
    bench_fini(&b);
}

/* ---- More events than the ring holds -------------------------------------------------------- */

static void keep_up(probe *p)
{
    while (matching_port_poll(p->port, 0)) {
    }
    matching_port_sleep(p->port);
}

/* The place of the first trade, or of the reply with this tag, in what the probe was handed. */
static size_t place_of(const probe *p, bool is_trade, uint64_t tag)
{
    size_t at = 0;
    while (at < p->count &&
           (is_trade
                ? p->log[at].kind != ENTRY_EVENT || p->log[at].event.kind != MATCHING_EVENT_TRADE
                : p->log[at].kind != ENTRY_REPLY || p->log[at].reply.tag != tag)) {
        at++;
    }
    return at;
}

/* Each trade once, in order, from the first one on. Returns how many. */
static uint64_t count_trades(const probe *p)
{
    uint64_t count = 0;
    for (size_t at = 0; at < p->count; at++) {
        const entry *e = &p->log[at];
        if (e->kind == ENTRY_EVENT && e->event.kind == MATCHING_EVENT_TRADE) {
            count++;
            CU_ASSERT_EQUAL(e->event.trade.trade_id, count);
        }
    }
    return count;
}

/* Whoever sent it hears of it first, and of the trades of all that came after it later. Others are
 * told as it goes on. */
static void test_a_reply_comes_before_more_events_than_the_ring_holds(void)
{
    bench b;
    bench_init(&b, &(bench_options){.ports = 2, .event_ring_size = SMALL_EVENT_RING});
    probe *p = &b.probes[0], *other = &b.probes[1];
    rest_sells(&b, 401); /* ten slots each when they trade */
    forget(other);
    p->at_wake = keep_up;
    other->at_wake = keep_up;
    CU_ASSERT_TRUE(matching_port_sleep(p->port));
    CU_ASSERT_TRUE(matching_port_sleep(other->port));
    submit(p, sweep(&b, 400), 1);
    submit(p, sweep(&b, 1), 2);
    bench_step(&b);
    CU_ASSERT_TRUE(place_of(other, true, 0) < other->count); /* the shard waited for room */
    bench_settle(&b);
    CU_ASSERT_EQUAL(count_entries(p, ENTRY_LAPPED), 0);
    CU_ASSERT_TRUE(place_of(p, false, 1) < place_of(p, true, 0));
    CU_ASSERT_TRUE(place_of(p, false, 2) < p->count);
    CU_ASSERT_EQUAL(count_trades(p), 401);
    CU_ASSERT_EQUAL(count_trades(other), 401);
    bench_fini(&b);
}

static size_t most_room; /* for what a port has held */

static void keep_up_and_look(probe *p)
{
    bool more = true;
    while (more) {
        more = matching_port_poll(p->port, 200);
        size_t room = p->port->shards[0].held.room;
        most_room = room > most_room ? room : most_room;
    }
    matching_port_sleep(p->port);
}

/* What is held is bounded, and so is its memory: of more the first come before the reply, and none
 * is lost. */
static void test_a_command_with_very_many_events_is_told_while_it_goes_on(void)
{
    enum { COUNT = 6 * SMALL_EVENT_RING };
    bench b;
    bench_init(&b, &(bench_options){.event_ring_size = SMALL_EVENT_RING, .max_orders = COUNT});
    probe *p = &b.probes[0];
    rest_sells(&b, COUNT);
    most_room = 0;
    p->at_wake = keep_up_and_look;
    CU_ASSERT_TRUE(matching_port_sleep(p->port));
    submit(p, sweep(&b, COUNT), 1);
    bench_settle(&b);
    CU_ASSERT_TRUE(most_room >= 4 * SMALL_EVENT_RING);
    CU_ASSERT_TRUE(most_room <= 5 * SMALL_EVENT_RING + CHUNK_SLOTS);
    CU_ASSERT_EQUAL(count_entries(p, ENTRY_LAPPED), 0);
    CU_ASSERT_TRUE(place_of(p, false, 1) > place_of(p, true, 0));
    CU_ASSERT_EQUAL(count_trades(p), COUNT);
    CU_ASSERT_EQUAL(reply_of(p, 1)->reply.order.filled_lots, COUNT);
    bench_fini(&b);
}

static void test_a_command_with_more_events_than_the_ring_loses_none_for_a_live_reader(void)
{
    bench b;
    bench_init(&b, &(bench_options){.event_ring_size = SMALL_EVENT_RING});
    probe *p = &b.probes[0];
    rest_sells(&b, 500);
    p->at_wake = keep_up;
    CU_ASSERT_TRUE(matching_port_sleep(p->port));
    submit(p, sweep(&b, 500), 1);
    bench_settle(&b);
    CU_ASSERT_EQUAL(count_entries(p, ENTRY_LAPPED), 0);
    uint64_t next = 1;
    for (size_t n = 0; entry_of(p, ENTRY_EVENT, n) != NULL && next <= 500; n++) {
        const entry *e = entry_of(p, ENTRY_EVENT, n);
        if (e->event.kind == MATCHING_EVENT_TRADE) {
            CU_ASSERT_EQUAL(e->event.trade.trade_id, next);
            next++;
        }
    }
    CU_ASSERT_EQUAL(next, 501);
    const entry *reply = reply_of(p, 1);
    CU_ASSERT_EQUAL(count_replies_of(p, 1), 1);
    CU_ASSERT_EQUAL(reply->reply.order.filled_lots, 500);
    CU_ASSERT_EQUAL_FATAL(reply->reply.trade_count, 500);
    CU_ASSERT_FALSE(reply->reply.trades_truncated);
    for (uint64_t i = 0; i < 500; i++) {
        CU_ASSERT_EQUAL(reply->trades[i].trade_id, i + 1);
    }
    bench_fini(&b);
}

/* A stop that the command triggers trades too, after more events than the ring holds. */
static void test_a_reply_brings_only_its_own_orders_trades(void)
{
    bench b;
    bench_init(&b, &(bench_options){.event_ring_size = SMALL_EVENT_RING, .ring_size = 64});
    probe *p = &b.probes[0];
    rest_sells(&b, 310);
    matching_command stop = limit_order(bench_instrument(&b, 0, 0), "cat", MATCHING_BUY, 0, 10);
    stop.order_type = MATCHING_STOP;
    stop.stop_price_ticks = 10;
    stop.flags |= MATCHING_FLAG_COLLECT;
    submit(p, stop, 1);
    bench_settle(&b);
    CU_ASSERT_EQUAL(reply_of(p, 1)->reply.order.status, MATCHING_UNTRIGGERED);
    CU_ASSERT_EQUAL(reply_of(p, 1)->reply.trade_count, 0);
    p->at_wake = keep_up;
    CU_ASSERT_TRUE(matching_port_sleep(p->port));
    submit(p, sweep(&b, 300), 2);
    bench_settle(&b);
    const entry *reply = reply_of(p, 2);
    CU_ASSERT_EQUAL_FATAL(reply->reply.trade_count, 300);
    for (size_t i = 0; i < 300; i++) {
        CU_ASSERT_EQUAL(reply->trades[i].buy_order_id, reply->reply.order.order_id);
    }
    uint64_t trades = 0;
    for (size_t i = 0; i < p->count; i++) {
        trades += p->log[i].kind == ENTRY_EVENT && p->log[i].event.kind == MATCHING_EVENT_TRADE;
    }
    CU_ASSERT_EQUAL(trades, 310); /* the stop's ten as well */
    bench_fini(&b);
}

static void test_a_mass_cancel_with_more_events_than_the_ring_tells_every_id(void)
{
    bench b;
    bench_init(&b, &(bench_options){.event_ring_size = SMALL_EVENT_RING});
    probe *p = &b.probes[0];
    rest_sells(&b, 500);
    p->at_wake = keep_up;
    CU_ASSERT_TRUE(matching_port_sleep(p->port));
    submit(p, cancel_everything("ann"), 1);
    bench_settle(&b);
    CU_ASSERT_EQUAL(count_replies_of(p, 1), 1);
    const entry *reply = reply_of(p, 1);
    CU_ASSERT_EQUAL(reply->reply.order_id_count, 500);
    CU_ASSERT_FALSE(reply->reply.ids_truncated);
    bench_fini(&b);
}

static void test_a_stalled_port_is_lapped_and_told_and_gets_every_reply(void)
{
    bench b;
    bench_init(&b, &(bench_options){.ports = 2, .event_ring_size = SMALL_EVENT_RING});
    probe *stalled = &b.probes[0], *live = &b.probes[1];
    rest_sells(&b, 300);
    forget(live);
    submit(stalled, limit_order(bench_instrument(&b, 0, 1), "ann", MATCHING_BUY, 10, 1), 1);
    submit(stalled, sweep(&b, 300), 2);
    submit(stalled, cancel_everything("ann"), 3);
    live->at_wake = keep_up;
    CU_ASSERT_TRUE(matching_port_sleep(live->port));
    bench_step(&b); /* waits for the stalled one, not for ever */
    CU_ASSERT_EQUAL(count_entries(live, ENTRY_LAPPED), 0);
    for (unsigned i = 0; i < 10; i++) {
        matching_port_poll(stalled->port, 0);
    }
    CU_ASSERT_EQUAL(count_entries(stalled, ENTRY_LAPPED), 1);
    CU_ASSERT_EQUAL(count_entries(stalled, ENTRY_REPLY), 3);
    CU_ASSERT_EQUAL(matching_port_in_flight(stalled->port), 0);
    CU_ASSERT_EQUAL(reply_of(stalled, 2)->reply.order.filled_lots, 300);
    CU_ASSERT_EQUAL(reply_of(stalled, 2)->reply.trade_count, 300);
    CU_ASSERT_FALSE(reply_of(stalled, 2)->reply.trades_truncated);
    CU_ASSERT_EQUAL(reply_of(stalled, 3)->reply.order_id_count, 1);
    uint64_t tail = atomic_load(&b.core->shards[0].events.tail);
    forget(stalled);
    submit(stalled, limit_order(bench_instrument(&b, 0, 0), "ann", MATCHING_BUY, 10, 1), 4);
    bench_settle(&b);
    CU_ASSERT_PTR_NOT_NULL_FATAL(entry_of(stalled, ENTRY_EVENT, 0));
    CU_ASSERT_TRUE(entry_of(stalled, ENTRY_EVENT, 0)->position >= tail);
    CU_ASSERT_EQUAL(count_entries(stalled, ENTRY_LAPPED), 0);
    bench_fini(&b);
}

/* The reply is there only after the reader was lapped and has caught up: no later event may be
 * needed to send it. */
static void test_a_reply_whose_events_are_gone_still_tells_its_trades(void)
{
    bench b;
    bench_init(&b, &(bench_options){.event_ring_size = SMALL_EVENT_RING});
    probe *p = &b.probes[0];
    submit(p, limit_order(bench_instrument(&b, 0, 0), "ann", MATCHING_SELL, 10, 1), 0);
    bench_settle(&b);
    submit(p, sweep(&b, 1), 1);
    bench_step(&b);
    bench_hold_gate(&b, 0, 1);
    atomic_store(&b.core->shards[0].events.readers[0].lapped, true);
    matching_port_poll(p->port, 0); /* catches up beyond the sweep, whose reply the gate holds */
    CU_ASSERT_EQUAL(count_entries(p, ENTRY_LAPPED), 1);
    CU_ASSERT_PTR_NULL(reply_of(p, 1));
    bench_hold_gate(&b, 0, 2);
    matching_port_poll(p->port, 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(reply_of(p, 1));
    CU_ASSERT_EQUAL(reply_of(p, 1)->reply.order.filled_lots, 1);
    CU_ASSERT_EQUAL(reply_of(p, 1)->reply.trade_count, 1);
    CU_ASSERT_FALSE(reply_of(p, 1)->reply.trades_truncated);
    bench_fini(&b);
}

/* A port without a listener has no cursor: it is not waited for, and its replies are whole. */
static void test_a_port_that_does_not_listen_is_never_waited_for(void)
{
    bench b;
    bench_init(&b, &(bench_options){.deaf = true, .event_ring_size = SMALL_EVENT_RING});
    probe *p = &b.probes[0];
    rest_sells(&b, 800);
    CU_ASSERT_TRUE(matching_port_sleep(p->port));
    for (unsigned i = 0; i < 20; i++) {
        submit(p, sweep(&b, 40), i);
    }
    shard_poll(&b.core->shards[0]);
    CU_ASSERT_EQUAL(atomic_load(&p->wakes), 1); /* at the end, not to make room */
    bench_settle(&b);
    for (unsigned i = 0; i < 20; i++) {
        CU_ASSERT_EQUAL(reply_of(p, i)->reply.trade_count, 40);
    }
    CU_ASSERT_EQUAL(count_entries(p, ENTRY_LAPPED) + count_entries(p, ENTRY_EVENT), 0);
    bench_fini(&b);
}

/* Nobody reads: the shard laps all and goes on; its own memory of trades must not suffer. */
static void test_recent_trades_survive_a_command_that_laps_everybody(void)
{
    bench b;
    bench_init(&b, &(bench_options){.event_ring_size = SMALL_EVENT_RING});
    probe *p = &b.probes[0];
    rest_sells(&b, 800);
    submit(p, sweep(&b, 800), 1);
    submit(p, read_command(MATCHING_READ_TRADES, bench_instrument(&b, 0, 0), 1000), 2);
    bench_step(&b);
    for (unsigned i = 0; i < 10; i++) {
        matching_port_poll(p->port, 0);
    }
    const entry *e = reply_of(p, 2);
    CU_ASSERT_PTR_NOT_NULL_FATAL(e);
    CU_ASSERT_EQUAL_FATAL(e->reply.trade_count, 800);
    for (uint64_t i = 0; i < 800; i++) {
        CU_ASSERT_EQUAL(e->trades[i].trade_id, i + 1);
        CU_ASSERT_EQUAL(e->trades[i].quantity_lots, 1);
        CU_ASSERT_STRING_EQUAL(e->trades[i].seller, "ann");
    }
    bench_fini(&b);
}

/* ---- A full book ---------------------------------------------------------------------------- */

static void test_a_full_book_refuses_and_changes_nothing(void)
{
    bench b;
    bench_init(&b, &(bench_options){.max_orders = 64, .retained_orders = 8, .deaf = true});
    probe *p = &b.probes[0];
    const matching_instrument *instrument = bench_instrument(&b, 0, 0);
    for (uint64_t i = 0; i < 64; i++) {
        submit(p, limit_order(instrument, "ann", MATCHING_BUY, 10, 1), i);
    }
    bench_settle(&b);
    uint64_t full = state_of(&b);
    submit(p, limit_order(instrument, "ann", MATCHING_BUY, 10, 1), 100);
    bench_settle(&b);
    CU_ASSERT_EQUAL(reply_of(p, 100)->reply.code, MATCHING_BOOK_FULL);
    CU_ASSERT_FALSE(reply_of(p, 100)->reply.has_order);
    CU_ASSERT_EQUAL(state_of(&b), full);
    matching_command taker = limit_order(instrument, "bob", MATCHING_SELL, 10, 1);
    taker.time_in_force = MATCHING_IOC;
    submit(p, taker, 101); /* needs no room */
    submit(p, limit_order(instrument, "ann", MATCHING_BUY, 10, 1), 102);
    submit(p, limit_order(instrument, "ann", MATCHING_BUY, 10, 1), 103);
    bench_settle(&b);
    CU_ASSERT_EQUAL(reply_of(p, 101)->reply.order.status, MATCHING_FILLED);
    CU_ASSERT_EQUAL(reply_of(p, 102)->reply.code, MATCHING_OK);
    CU_ASSERT_EQUAL(reply_of(p, 103)->reply.code, MATCHING_BOOK_FULL);
    assert_books_are_sound(&b);
    bench_fini(&b);
}

MATCHING_TESTS(
    MATCHING_TEST(test_full_rings_answer_overloaded_and_nothing_changes),
    MATCHING_TEST(test_one_full_ring_refuses_a_command_for_all_shards_as_a_whole),
    MATCHING_TEST(test_reads_with_large_answers_are_bounded),
    MATCHING_TEST(test_on_reply_may_submit_while_the_rings_are_full),
    MATCHING_TEST(test_a_port_may_fill_its_ring_while_the_shard_waits_for_room),
    MATCHING_TEST(test_a_reply_comes_before_more_events_than_the_ring_holds),
    MATCHING_TEST(test_a_command_with_very_many_events_is_told_while_it_goes_on),
    MATCHING_TEST(test_a_command_with_more_events_than_the_ring_loses_none_for_a_live_reader),
    MATCHING_TEST(test_a_mass_cancel_with_more_events_than_the_ring_tells_every_id),
    MATCHING_TEST(test_a_stalled_port_is_lapped_and_told_and_gets_every_reply),
    MATCHING_TEST(test_a_reply_whose_events_are_gone_still_tells_its_trades),
    MATCHING_TEST(test_a_reply_brings_only_its_own_orders_trades),
    MATCHING_TEST(test_a_port_that_does_not_listen_is_never_waited_for),
    MATCHING_TEST(test_recent_trades_survive_a_command_that_laps_everybody),
    MATCHING_TEST(test_a_full_book_refuses_and_changes_nothing))
