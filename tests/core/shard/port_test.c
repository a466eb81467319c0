/* core/shard/port.c, driven by hand: one reply for each command, its order with events, the gate,
 * sleeping and waking, ends. Reads are in port_read_test.c, full rings in port_overload_test.c.
 */
#include <string.h>

#include "core/shard/bench.h"
#include "support/cunit_main.h"

static void test_every_command_gets_exactly_one_reply(void)
{
    bench b;
    bench_init(&b, &(bench_options){.shards = 2});
    probe *p = &b.probes[0];
    uint64_t tag = 0;
    for (unsigned i = 0; i < 20; i++) {
        const matching_instrument *instrument = bench_instrument(&b, i % 2, 0);
        CU_ASSERT_EQUAL(submit(p, limit_order(instrument, "ann", MATCHING_BUY, 10, 1), ++tag), 0);
        CU_ASSERT_EQUAL(submit(p, cancel_by_id(1000 + i), ++tag), 0); /* refused */
        CU_ASSERT_EQUAL(submit(p, cancel_everything("bob"), ++tag), 0);
        CU_ASSERT_EQUAL(submit(p, read_command(MATCHING_READ_DEPTH, instrument, 5), ++tag), 0);
    }
    CU_ASSERT_EQUAL(matching_port_in_flight(p->port), tag);
    CU_ASSERT_EQUAL(p->count, 0); /* nothing before poll */
    bench_settle(&b);
    CU_ASSERT_EQUAL(matching_port_in_flight(p->port), 0);
    CU_ASSERT_EQUAL(count_entries(p, ENTRY_REPLY), tag);
    for (uint64_t t = 1; t <= tag; t++) {
        CU_ASSERT_EQUAL(count_replies_of(p, t), 1);
    }
    CU_ASSERT_EQUAL(reply_of(p, 2)->reply.code, MATCHING_ORDER_NOT_FOUND);
    CU_ASSERT_EQUAL(reply_of(p, 2)->reply.field, MATCHING_FIELD_ORDER_ID);
    assert_books_are_sound(&b);
    bench_fini(&b);
}

static void test_a_reply_carries_its_tag_and_time_back(void)
{
    bench b;
    bench_init(&b, NULL);
    probe *p = &b.probes[0];
    matching_command order = limit_order(bench_instrument(&b, 0, 0), "ann", MATCHING_SELL, 10, 3);
    order.received_ns = 12345;
    submit(p, order, 0xfedcba9876543210u);
    bench_settle(&b);
    const entry *e = reply_of(p, 0xfedcba9876543210u);
    CU_ASSERT_PTR_NOT_NULL_FATAL(e);
    CU_ASSERT_EQUAL(e->reply.received_ns, 12345);
    CU_ASSERT_EQUAL(e->reply.sequence, 1);
    CU_ASSERT_EQUAL(e->reply.type, MATCHING_PLACE);
    CU_ASSERT_TRUE(e->reply.has_order);
    CU_ASSERT_STRING_EQUAL(e->reply.order.trader_id, "ann");
    CU_ASSERT_EQUAL(e->reply.events_end, atomic_load(&b.core->shards[0].events.tail));
    bench_fini(&b);
}

static void test_commands_on_one_instrument_take_effect_in_the_order_sent(void)
{
    bench b;
    bench_init(&b, &(bench_options){.shards = 3, .batch_size = 7});
    probe *p = &b.probes[0];
    for (uint64_t i = 0; i < 90; i++) {
        submit(p, limit_order(bench_instrument(&b, i % 3, 0), "ann", MATCHING_BUY, 10, 1), i);
    }
    bench_settle(&b);
    uint64_t last[3] = {0}, last_id[3] = {0}, last_tag[3] = {0};
    for (size_t n = 0; n < 90; n++) {
        const matching_reply *reply = &entry_of(p, ENTRY_REPLY, n)->reply;
        unsigned s = reply->shard;
        CU_ASSERT_EQUAL(reply->sequence, last[s] + 1);
        CU_ASSERT_TRUE(reply->order.order_id > last_id[s]);
        CU_ASSERT_TRUE(last[s] == 0 || reply->tag == last_tag[s] + 3);
        last[s] = reply->sequence;
        last_id[s] = reply->order.order_id;
        last_tag[s] = reply->tag;
    }
    bench_fini(&b);
}

/* The maker's port and the taker's port, each with the same events. */
static void test_a_reply_comes_before_the_events_of_its_command(void)
{
    bench b;
    bench_init(&b, &(bench_options){.ports = 2});
    const matching_instrument *instrument = bench_instrument(&b, 0, 0);
    submit(&b.probes[0], limit_order(instrument, "ann", MATCHING_SELL, 10, 5), 1);
    bench_step(&b);
    submit(&b.probes[1], limit_order(instrument, "bob", MATCHING_BUY, 10, 2), 2);
    submit(&b.probes[1], limit_order(instrument, "bob", MATCHING_BUY, 11, 2), 3);
    bench_settle(&b);
    for (unsigned port = 0; port < 2; port++) {
        const probe *p = &b.probes[port];
        CU_ASSERT_EQUAL(count_entries(p, ENTRY_EVENT),
                        count_entries(&b.probes[1 - port], ENTRY_EVENT));
        CU_ASSERT_EQUAL(count_entries(p, ENTRY_REPLY), port + 1);
        uint64_t position = 0;
        for (size_t i = 0; i < p->count; i++) {
            const entry *e = &p->log[i];
            if (e->kind != ENTRY_EVENT) {
                continue;
            }
            CU_ASSERT_TRUE(e->position >= position);
            position = e->position + 1;
            for (size_t later = i + 1; later < p->count; later++) {
                const entry *l = &p->log[later];
                CU_ASSERT_FALSE(l->kind == ENTRY_REPLY &&
                                l->reply.sequence == e->event.sequence_low);
            }
        }
    }
    bench_fini(&b);
}

static void test_events_tell_trades_levels_and_orders(void)
{
    bench b;
    bench_init(&b, NULL);
    probe *p = &b.probes[0];
    const matching_instrument *instrument = bench_instrument(&b, 0, 0);
    submit(p, limit_order(instrument, "ann", MATCHING_SELL, 10, 5), 1);
    submit(p, limit_order(instrument, "bob", MATCHING_BUY, 12, 2), 2);
    bench_settle(&b);
    const entry *trade = NULL;
    unsigned orders = 0;
    for (size_t n = 0; entry_of(p, ENTRY_EVENT, n) != NULL; n++) {
        const entry *e = entry_of(p, ENTRY_EVENT, n);
        trade = e->event.kind == MATCHING_EVENT_TRADE ? e : trade;
        if (e->event.kind == MATCHING_EVENT_ORDER) {
            CU_ASSERT_EQUAL(e->order.order_id, e->event.order.order_id);
            orders++;
        }
    }
    CU_ASSERT_EQUAL(orders, 3); /* ann rests; ann and bob trade */
    CU_ASSERT_PTR_NOT_NULL_FATAL(trade);
    CU_ASSERT_EQUAL(trade->event.trade.price_ticks, 10);
    CU_ASSERT_EQUAL(trade->event.trade.quantity_lots, 2);
    CU_ASSERT_EQUAL(trade->event.side, MATCHING_BUY);
    CU_ASSERT_STRING_EQUAL(matching_core_trader(b.core, 0, trade->event.trade.maker_trader), "ann");
    CU_ASSERT_STRING_EQUAL(matching_core_trader(b.core, 0, trade->event.trade.taker_trader), "bob");
    bench_fini(&b);
}

static void test_a_collecting_reply_brings_its_orders_trades(void)
{
    bench b;
    bench_init(&b, &(bench_options){.deaf = true});
    probe *p = &b.probes[0];
    const matching_instrument *instrument = bench_instrument(&b, 0, 0);
    for (uint64_t i = 0; i < 3; i++) {
        submit(p, limit_order(instrument, "ann", MATCHING_SELL, 10 + (int64_t)i, 5), i);
    }
    matching_command order = limit_order(instrument, "bob", MATCHING_BUY, 11, 12);
    order.flags |= MATCHING_FLAG_COLLECT;
    submit(p, order, 10);
    submit(p, limit_order(instrument, "eve", MATCHING_SELL, 11, 1), 11); /* trades with bob later */
    bench_settle(&b);
    const entry *e = reply_of(p, 10);
    CU_ASSERT_PTR_NOT_NULL_FATAL(e);
    CU_ASSERT_EQUAL(e->reply.trade_count, 2);
    CU_ASSERT_EQUAL(e->reply.order.filled_lots, 10);
    CU_ASSERT_FALSE(e->reply.trades_truncated);
    for (size_t i = 0; i < 2 && i < e->reply.trade_count; i++) {
        CU_ASSERT_EQUAL(e->trades[i].trade_id, i + 1);
        CU_ASSERT_EQUAL(e->trades[i].price_ticks, 10 + (int64_t)i);
        CU_ASSERT_EQUAL(e->trades[i].quantity_lots, 5);
        CU_ASSERT_EQUAL(e->trades[i].buy_order_id, e->reply.order.order_id);
        CU_ASSERT_STRING_EQUAL(e->trades[i].buyer, "bob");
        CU_ASSERT_STRING_EQUAL(e->trades[i].seller, "ann");
    }
    CU_ASSERT_EQUAL(count_entries(p, ENTRY_EVENT), 0);
    bench_fini(&b);
}

static void test_more_trades_than_a_reply_holds_are_cut_and_said(void)
{
    bench b;
    bench_init(&b, &(bench_options){.ring_size = 4096});
    probe *p = &b.probes[0];
    const matching_instrument *instrument = bench_instrument(&b, 0, 0);
    for (uint64_t i = 0; i <= MATCHING_REPLY_TRADES_MAX; i++) {
        submit(p, limit_order(instrument, "ann", MATCHING_SELL, 10, 1), i);
    }
    bench_settle(&b);
    for (int64_t lots = MATCHING_REPLY_TRADES_MAX; lots <= MATCHING_REPLY_TRADES_MAX + 1; lots++) {
        matching_command order = limit_order(instrument, "bob", MATCHING_BUY, 10, lots);
        order.flags |= MATCHING_FLAG_COLLECT;
        submit(p, order, 5000 + (uint64_t)lots);
        bench_settle(&b);
        const entry *e = reply_of(p, 5000 + (uint64_t)lots);
        CU_ASSERT_PTR_NOT_NULL_FATAL(e);
        CU_ASSERT_EQUAL(e->reply.order.filled_lots,
                        lots == MATCHING_REPLY_TRADES_MAX ? lots : 1001);
        CU_ASSERT_EQUAL(e->reply.trade_count, MATCHING_REPLY_TRADES_MAX);
        CU_ASSERT_EQUAL(e->reply.trades_truncated, lots > MATCHING_REPLY_TRADES_MAX);
        CU_ASSERT_EQUAL(e->trades[0].trade_id + 999, e->trades[999].trade_id);
        for (uint64_t i = 0; lots == MATCHING_REPLY_TRADES_MAX && i < 1000; i++) {
            submit(p, limit_order(instrument, "ann", MATCHING_SELL, 10, 1), i);
        }
        bench_settle(&b);
    }
    bench_fini(&b);
}

/* ---- The gate ------------------------------------------------------------------------------- */

static uint64_t highest_sequence(const probe *p)
{
    uint64_t highest = 0;
    for (size_t i = 0; i < p->count; i++) {
        const entry *e = &p->log[i];
        uint64_t sequence =
            e->kind == ENTRY_REPLY ? e->reply.sequence : (uint64_t)e->event.sequence_low;
        highest = sequence > highest ? sequence : highest;
    }
    return highest;
}

static void test_nothing_beyond_the_durable_sequence_leaves(void)
{
    bench b;
    bench_init(&b, &(bench_options){.ports = 2});
    probe *p = &b.probes[0];
    const matching_instrument *instrument = bench_instrument(&b, 0, 0);
    for (uint64_t i = 1; i <= 10; i++) {
        submit(p, limit_order(instrument, "ann", MATCHING_BUY, 10, 1), i);
    }
    submit(p, read_command(MATCHING_READ_DEPTH, instrument, 5), 11);
    bench_step(&b);
    for (uint64_t durable = 0; durable <= 10; durable++) {
        bench_hold_gate(&b, 0, durable);
        for (unsigned port = 0; port < 2; port++) {
            while (matching_port_poll(b.probes[port].port, 0)) {
            }
            CU_ASSERT_EQUAL(highest_sequence(&b.probes[port]), durable);
        }
        CU_ASSERT_EQUAL(count_entries(p, ENTRY_REPLY), durable == 10 ? 11 : durable);
    }
    CU_ASSERT_PTR_NOT_NULL(reply_of(p, 11)); /* the read waited for what it saw */
    CU_ASSERT_EQUAL(count_entries(p, ENTRY_EVENT), count_entries(&b.probes[1], ENTRY_EVENT));
    bench_fini(&b);
}

static void test_a_collecting_reply_waits_for_the_gate_too(void)
{
    bench b;
    bench_init(&b, NULL);
    probe *p = &b.probes[0];
    const matching_instrument *instrument = bench_instrument(&b, 0, 0);
    submit(p, limit_order(instrument, "ann", MATCHING_SELL, 10, 1), 1);
    matching_command order = limit_order(instrument, "bob", MATCHING_BUY, 10, 1);
    order.flags |= MATCHING_FLAG_COLLECT;
    submit(p, order, 2);
    submit(p, cancel_everything("ann"), 3);
    bench_step(&b);
    bench_hold_gate(&b, 0, 1);
    matching_port_poll(p->port, 0);
    CU_ASSERT_PTR_NULL(reply_of(p, 2));
    bench_hold_gate(&b, 0, 2);
    matching_port_poll(p->port, 0);
    CU_ASSERT_PTR_NOT_NULL(reply_of(p, 2));
    CU_ASSERT_PTR_NULL(reply_of(p, 3));
    bench_hold_gate(&b, 0, 3);
    matching_port_poll(p->port, 0);
    CU_ASSERT_PTR_NOT_NULL(reply_of(p, 3));
    bench_fini(&b);
}

static void test_the_gate_of_one_shard_does_not_hold_another(void)
{
    bench b;
    bench_init(&b, &(bench_options){.shards = 2});
    probe *p = &b.probes[0];
    for (unsigned s = 0; s < 2; s++) {
        submit(p, limit_order(bench_instrument(&b, s, 0), "ann", MATCHING_BUY, 10, 1), s + 1);
    }
    submit(p, cancel_everything("ann"), 3);
    bench_step(&b);
    bench_hold_gate(&b, 0, 0);
    matching_port_poll(p->port, 0);
    CU_ASSERT_PTR_NULL(reply_of(p, 1));
    CU_ASSERT_PTR_NOT_NULL(reply_of(p, 2));
    CU_ASSERT_PTR_NULL(reply_of(p, 3)); /* one of its two parts is held */
    bench_hold_gate(&b, 0, 2);
    matching_port_poll(p->port, 0);
    CU_ASSERT_PTR_NOT_NULL(reply_of(p, 3));
    CU_ASSERT_EQUAL(reply_of(p, 3)->reply.order_id_count, 2);
    bench_fini(&b);
}

/* ---- Sleeping ------------------------------------------------------------------------------- */

static void test_a_sleeping_port_is_woken_once_for_what_is_ready(void)
{
    bench b;
    bench_init(&b, NULL);
    probe *p = &b.probes[0];
    const matching_instrument *instrument = bench_instrument(&b, 0, 0);
    CU_ASSERT_TRUE(matching_port_sleep(p->port));
    submit(p, limit_order(instrument, "ann", MATCHING_BUY, 10, 1), 1);
    bench_step(&b);
    CU_ASSERT_EQUAL(atomic_load(&p->wakes), 1);
    submit(p, limit_order(instrument, "ann", MATCHING_BUY, 10, 1), 2);
    bench_step(&b);
    CU_ASSERT_EQUAL(atomic_load(&p->wakes), 1); /* it is awake already */
    CU_ASSERT_FALSE(matching_port_sleep(p->port));
    bench_settle(&b);
    CU_ASSERT_TRUE(matching_port_sleep(p->port));
    CU_ASSERT_EQUAL(atomic_load(&p->wakes), 1);
    bench_fini(&b);
}

static void test_what_the_gate_holds_does_not_keep_a_port_awake(void)
{
    bench b;
    bench_init(&b, NULL);
    probe *p = &b.probes[0];
    submit(p, limit_order(bench_instrument(&b, 0, 0), "ann", MATCHING_BUY, 10, 1), 1);
    bench_step(&b);
    bench_hold_gate(&b, 0, 0);
    matching_port_poll(p->port, 0);
    CU_ASSERT_TRUE(matching_port_sleep(p->port));
    bench_hold_gate(&b, 0, 1);
    CU_ASSERT_FALSE(matching_port_sleep(p->port));
    bench_fini(&b);
}

static void test_other_ports_events_wake_only_who_listens(void)
{
    for (unsigned deaf = 0; deaf < 2; deaf++) {
        bench b;
        bench_init(&b, &(bench_options){.ports = 2, .deaf = deaf});
        CU_ASSERT_TRUE(matching_port_sleep(b.probes[1].port));
        submit(&b.probes[0], limit_order(bench_instrument(&b, 0, 0), "a", MATCHING_BUY, 1, 1), 1);
        bench_step(&b);
        CU_ASSERT_EQUAL(atomic_load(&b.probes[1].wakes), 1 - deaf);
        bench_fini(&b);
    }
}

static void test_sleep_flushes_what_was_submitted(void)
{
    bench b;
    bench_init(&b, NULL);
    probe *p = &b.probes[0];
    matching_command order = limit_order(bench_instrument(&b, 0, 0), "ann", MATCHING_BUY, 10, 1);
    CU_ASSERT_EQUAL(matching_port_submit(p->port, &order), MATCHING_OK);
    CU_ASSERT_EQUAL(bench_step(&b), 0);
    matching_port_sleep(p->port);
    CU_ASSERT_TRUE(bench_step(&b) > 0);
    bench_fini(&b);
}

/* ---- Ends ----------------------------------------------------------------------------------- */

static void test_a_closed_port_takes_nothing_and_still_answers(void)
{
    bench b;
    bench_init(&b, NULL);
    probe *p = &b.probes[0];
    const matching_instrument *instrument = bench_instrument(&b, 0, 0);
    submit(p, limit_order(instrument, "ann", MATCHING_BUY, 10, 1), 1);
    matching_port_close(p->port);
    uint64_t before = state_of(&b);
    CU_ASSERT_EQUAL(submit(p, limit_order(instrument, "ann", MATCHING_BUY, 10, 1), 2),
                    MATCHING_SHUTTING_DOWN);
    CU_ASSERT_EQUAL(submit(p, cancel_everything("ann"), 3), MATCHING_SHUTTING_DOWN);
    CU_ASSERT_EQUAL(submit(p, read_command(MATCHING_READ_DEPTH, instrument, 5), 4),
                    MATCHING_SHUTTING_DOWN);
    CU_ASSERT_EQUAL(state_of(&b), before);
    CU_ASSERT_EQUAL(matching_port_in_flight(p->port), 1);
    bench_settle(&b);
    CU_ASSERT_EQUAL(count_entries(p, ENTRY_REPLY), 1);
    CU_ASSERT_EQUAL(reply_of(p, 1)->reply.code, MATCHING_OK);
    CU_ASSERT_EQUAL(matching_port_in_flight(p->port), 0);
    bench_fini(&b);
}

static void test_ports_are_made_before_the_start_only(void)
{
    bench b;
    bench_init(&b, NULL);
    const matching_port_handlers handlers = {0};
    CU_ASSERT_PTR_NULL(matching_port_create(b.core, &handlers, NULL));
    bench_fini(&b);
}

static void test_what_is_under_way_at_the_end_is_freed(void)
{
    bench b;
    bench_init(&b, &(bench_options){.shards = 2});
    probe *p = &b.probes[0];
    submit(p, limit_order(bench_instrument(&b, 0, 0), "ann", MATCHING_BUY, 10, 1), 1);
    submit(p, cancel_everything("ann"), 2);
    submit(p, read_command(MATCHING_READ_ORDERS, NULL, 10), 3);
    bench_step(&b);
    bench_fini(&b); /* replies are in the rings; the sanitizers say whether anything leaks */
}

MATCHING_TESTS(MATCHING_TEST(test_every_command_gets_exactly_one_reply),
               MATCHING_TEST(test_a_reply_carries_its_tag_and_time_back),
               MATCHING_TEST(test_commands_on_one_instrument_take_effect_in_the_order_sent),
               MATCHING_TEST(test_a_reply_comes_before_the_events_of_its_command),
               MATCHING_TEST(test_events_tell_trades_levels_and_orders),
               MATCHING_TEST(test_a_collecting_reply_brings_its_orders_trades),
               MATCHING_TEST(test_more_trades_than_a_reply_holds_are_cut_and_said),
               MATCHING_TEST(test_nothing_beyond_the_durable_sequence_leaves),
               MATCHING_TEST(test_a_collecting_reply_waits_for_the_gate_too),
               MATCHING_TEST(test_the_gate_of_one_shard_does_not_hold_another),
               MATCHING_TEST(test_a_sleeping_port_is_woken_once_for_what_is_ready),
               MATCHING_TEST(test_what_the_gate_holds_does_not_keep_a_port_awake),
               MATCHING_TEST(test_other_ports_events_wake_only_who_listens),
               MATCHING_TEST(test_sleep_flushes_what_was_submitted),
               MATCHING_TEST(test_a_closed_port_takes_nothing_and_still_answers),
               MATCHING_TEST(test_ports_are_made_before_the_start_only),
               MATCHING_TEST(test_what_is_under_way_at_the_end_is_freed))
