/* core/shard/instruments.c: instruments added while the core runs. What is refused leaves nothing
 * behind, nobody finds one too early, and whoever has the answer can trade it on any port. The tsan
 * preset looks for races in the last tests.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "core/shard/bench.h"
#include "support/cunit_main.h"

static matching_command addition(const char *symbol, uint32_t id)
{
    matching_command command = {
        .type = MATCHING_ADD_INSTRUMENT, .instrument_id = id, .price_ticks = 5, .quantity_lots = 7};
    memcpy(command.symbol, symbol, strlen(symbol));
    return command;
}

static const matching_instrument *find(const bench *b, const char *symbol)
{
    return matching_core_find_instrument(b->core, symbol, strlen(symbol));
}

/* Submits, lets everything work, gives the reply. */
static const matching_reply *ask(bench *b, unsigned port, matching_command command)
{
    static uint64_t tag = 1000000;
    tag++;
    CU_ASSERT_EQUAL_FATAL(submit(&b->probes[port], command, tag), MATCHING_OK);
    bench_settle(b);
    const entry *e = reply_of(&b->probes[port], tag);
    CU_ASSERT_PTR_NOT_NULL_FATAL(e);
    return &e->reply;
}

static void check_refused(bench *b, matching_command command, matching_code code,
                          matching_field field)
{
    uint64_t before = 0, after = 0, state = state_of(b);
    size_t count = matching_core_instrument_count(b->core);
    for (unsigned i = 0; i < b->core->shard_count; i++) {
        before += b->core->shards[i].books.sequence;
    }
    const matching_reply *reply = ask(b, 0, command);
    CU_ASSERT_EQUAL(reply->code, code);
    CU_ASSERT_EQUAL(reply->field, field);
    for (unsigned i = 0; i < b->core->shard_count; i++) {
        after += b->core->shards[i].books.sequence;
    }
    CU_ASSERT_EQUAL(after, before); /* a replay never meets it */
    CU_ASSERT_EQUAL(state_of(b), state);
    CU_ASSERT_EQUAL(matching_core_instrument_count(b->core), count);
}

static void test_an_added_instrument_is_traded_on_every_port(void)
{
    bench b;
    bench_init(&b, &(bench_options){.shards = 3, .ports = 2});
    for (unsigned i = 0; i < 10; i++) {
        char symbol[MATCHING_SYMBOL_MAX + 1];
        snprintf(symbol, sizeof symbol, "NEW%u", i);
        CU_ASSERT_PTR_NULL(find(&b, symbol));
        matching_command add = addition(symbol, i == 4 ? 1000 : 0);
        add.sbe_char = (char)('a' + i);
        const matching_reply *reply = ask(&b, i % 2, add);
        CU_ASSERT_EQUAL_FATAL(reply->code, MATCHING_OK);
        const matching_instrument *instrument = find(&b, symbol);
        CU_ASSERT_PTR_NOT_NULL_FATAL(instrument);
        CU_ASSERT_EQUAL(instrument->index, BENCH_INSTRUMENTS + i); /* in the order of additions */
        CU_ASSERT_EQUAL(reply->instrument, instrument->index);
        CU_ASSERT_EQUAL(instrument->id, i < 4 ? BENCH_INSTRUMENTS + 1 + i : 996 + i);
        CU_ASSERT_EQUAL(instrument->tick_size, 5);
        CU_ASSERT_EQUAL(instrument->lot_size, 7);
        CU_ASSERT_EQUAL(instrument->sbe_char, 'a' + (char)i);
        CU_ASSERT_EQUAL(instrument->shard, reply->shard);
        CU_ASSERT_PTR_EQUAL(matching_core_instrument(b.core, instrument->index), instrument);
        CU_ASSERT_EQUAL(matching_core_instrument_count(b.core), instrument->index + 1u);
        for (unsigned port = 0; port < 2; port++) {
            matching_command order =
                limit_order(instrument, "ann", port == 0 ? MATCHING_BUY : MATCHING_SELL, 10, 3);
            order.flags = MATCHING_FLAG_COLLECT;
            const matching_reply *placed = ask(&b, port, order);
            CU_ASSERT_EQUAL(placed->code, MATCHING_OK);
            CU_ASSERT_EQUAL(placed->trade_count, port);
        }
        reply = ask(&b, 0, read_command(MATCHING_READ_TRADES, instrument, 10));
        CU_ASSERT_EQUAL(reply->trade_count, 1);
        reply = ask(&b, 0, read_command(MATCHING_READ_DEPTH, instrument, 10));
        CU_ASSERT_EQUAL(reply->code, MATCHING_OK);
    }
    assert_books_are_sound(&b);
    bench_fini(&b);
}

static void test_the_addition_is_told_to_whoever_listens(void)
{
    bench b;
    bench_init(&b, &(bench_options){.shards = 2, .ports = 2});
    matching_command add = addition("SIXTEEN.LETTERS1", 4000000000u);
    add.sbe_char = 'x';
    add.state = MATCHING_AUCTION;
    const matching_reply *reply = ask(&b, 0, add);
    const matching_instrument *instrument = find(&b, "SIXTEEN.LETTERS1");
    CU_ASSERT_PTR_NOT_NULL_FATAL(instrument);
    CU_ASSERT_EQUAL(matching_core_state(b.core, instrument->index), MATCHING_AUCTION);
    for (unsigned port = 0; port < 2; port++) {
        CU_ASSERT_EQUAL(count_entries(&b.probes[port], ENTRY_EVENT), 1);
        const matching_event *event = &entry_of(&b.probes[port], ENTRY_EVENT, 0)->event;
        CU_ASSERT_EQUAL(event->kind, MATCHING_EVENT_INSTRUMENT);
        CU_ASSERT_EQUAL(event->instrument, instrument->index);
        CU_ASSERT_EQUAL(event->time_ns, reply->time_ns);
        CU_ASSERT_EQUAL(memcmp(event->added.symbol, instrument->symbol, MATCHING_SYMBOL_MAX), 0);
        CU_ASSERT_EQUAL(event->added.id, 4000000000u);
        CU_ASSERT_EQUAL(event->added.tick_size, 5);
        CU_ASSERT_EQUAL(event->added.lot_size, 7);
        CU_ASSERT_EQUAL(event->added.sbe_char, 'x');
        CU_ASSERT_EQUAL(event->added.state, MATCHING_AUCTION);
    }
    matching_command halt = {
        .type = MATCHING_SET_STATE, .instrument = instrument->index, .state = MATCHING_HALTED};
    CU_ASSERT_EQUAL(ask(&b, 1, halt)->code, MATCHING_OK);
    CU_ASSERT_EQUAL(matching_core_state(b.core, instrument->index), MATCHING_HALTED);
    bench_fini(&b);
}

static void test_nobody_finds_it_before_it_is_durable(void)
{
    bench b;
    bench_init(&b, &(bench_options){.ports = 2});
    submit(&b.probes[0], addition("NEW", 0), 1);
    bench_step(&b);
    bench_hold_gate(&b, 0, 0);
    for (unsigned port = 0; port < 2; port++) {
        matching_port_poll(b.probes[port].port, 0);
        CU_ASSERT_EQUAL(b.probes[port].count, 0);
    }
    CU_ASSERT_PTR_NULL(find(&b, "NEW"));
    CU_ASSERT_PTR_NULL(matching_core_instrument(b.core, BENCH_INSTRUMENTS));
    CU_ASSERT_EQUAL(matching_core_instrument_count(b.core), BENCH_INSTRUMENTS);
    submit(&b.probes[1], addition("NEW", 0), 2); /* but its name is taken */
    bench_settle(&b);
    CU_ASSERT_EQUAL(reply_of(&b.probes[0], 1)->reply.code, MATCHING_OK);
    CU_ASSERT_EQUAL(reply_of(&b.probes[1], 2)->reply.code, MATCHING_INVALID_PARAMETER);
    CU_ASSERT_EQUAL(reply_of(&b.probes[1], 2)->reply.field, MATCHING_FIELD_SYMBOL);
    CU_ASSERT_PTR_NOT_NULL(find(&b, "NEW"));
    bench_fini(&b);
}

/* A halt that a power cut may still undo is nobody's to see, and reads tell what was acknowledged;
 * of two ports that tell different changes the newer one counts, whoever comes first. */
static void test_nobody_sees_a_state_before_it_is_durable(void)
{
    bench b;
    bench_init(&b, &(bench_options){.ports = 2});
    const uint16_t it = bench_instrument(&b, 0, 0)->index;
    matching_command halt = {
        .type = MATCHING_SET_STATE, .instrument = it, .state = MATCHING_HALTED};
    matching_command resume = {
        .type = MATCHING_SET_STATE, .instrument = it, .state = MATCHING_TRADING};
    submit(&b.probes[0], halt, 1);
    bench_step(&b);
    bench_hold_gate(&b, 0, 0);
    matching_port_poll(b.probes[0].port, 0);
    matching_port_poll(b.probes[1].port, 0);
    CU_ASSERT_EQUAL(matching_core_state(b.core, it), MATCHING_TRADING);
    bench_hold_gate(&b, 0, 1);
    matching_port_poll(b.probes[1].port, 0); /* told by the event */
    CU_ASSERT_EQUAL(matching_core_state(b.core, it), MATCHING_HALTED);
    submit(&b.probes[1], resume, 2);
    bench_step(&b);
    matching_port_poll(b.probes[1].port, 0);
    CU_ASSERT_EQUAL(reply_of(&b.probes[1], 2)->reply.code, MATCHING_OK);
    CU_ASSERT_EQUAL(matching_core_state(b.core, it), MATCHING_TRADING);
    bench_hold_gate(&b, 0, 1);
    matching_port_poll(b.probes[0].port, 0); /* comes late, with the first of the two */
    CU_ASSERT_EQUAL(reply_of(&b.probes[0], 1)->reply.code, MATCHING_OK);
    CU_ASSERT_EQUAL(matching_core_state(b.core, it), MATCHING_TRADING);
    bench_fini(&b);
}

/* Without events a port knows from its own reply. */
static void test_a_deaf_port_sees_the_state_that_it_set(void)
{
    bench b;
    bench_init(&b, &(bench_options){.deaf = true});
    const uint16_t it = bench_instrument(&b, 0, 0)->index;
    matching_command halt = {
        .type = MATCHING_SET_STATE, .instrument = it, .state = MATCHING_HALTED};
    submit(&b.probes[0], halt, 1);
    bench_step(&b);
    CU_ASSERT_EQUAL(matching_core_state(b.core, it), MATCHING_TRADING);
    matching_port_poll(b.probes[0].port, 0);
    CU_ASSERT_EQUAL(matching_core_state(b.core, it), MATCHING_HALTED);
    bench_fini(&b);
}

/* The listener hears of it first: its client may trade it, though the answer is still to be
 * taken. */
static void test_whoever_is_told_first_finds_it(void)
{
    bench b;
    bench_init(&b, &(bench_options){.ports = 2});
    submit(&b.probes[0], addition("NEW", 0), 1);
    bench_step(&b);
    matching_port_poll(b.probes[1].port, 0);
    CU_ASSERT_EQUAL(count_entries(&b.probes[1], ENTRY_EVENT), 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(find(&b, "NEW"));
    CU_ASSERT_EQUAL(ask(&b, 1, limit_order(find(&b, "NEW"), "ann", MATCHING_BUY, 1, 1))->code,
                    MATCHING_OK);
    bench_fini(&b);
}

/* An addition that is listed before an earlier one of another shard leaves a gap for a while. */
static void test_a_gap_in_the_table_is_no_instrument(void)
{
    bench b;
    bench_init(&b, &(bench_options){.shards = 2});
    const char *symbols[2] = {NULL, NULL};
    static char names[16][8];
    for (unsigned i = 0; i < 16; i++) {
        snprintf(names[i], sizeof names[i], "NEW%u", i);
        symbols[core_shard_of(b.core, names[i])] = names[i];
    }
    CU_ASSERT_TRUE_FATAL(symbols[0] != NULL && symbols[1] != NULL);
    submit(&b.probes[0], addition(symbols[0], 0), 1);
    submit(&b.probes[0], addition(symbols[1], 0), 2);
    bench_step(&b);
    bench_hold_gate(&b, 0, 0);
    matching_port_poll(b.probes[0].port, 0);
    CU_ASSERT_PTR_NULL(find(&b, symbols[0]));
    CU_ASSERT_PTR_NOT_NULL_FATAL(find(&b, symbols[1]));
    size_t index = find(&b, symbols[1])->index;
    CU_ASSERT_EQUAL(index, BENCH_INSTRUMENTS + 1);
    CU_ASSERT_EQUAL(matching_core_instrument_count(b.core), index + 1);
    CU_ASSERT_PTR_NULL(matching_core_instrument(b.core, index - 1));
    CU_ASSERT_EQUAL(matching_core_state(b.core, index - 1), MATCHING_HALTED);
    bench_hold_gate(&b, 0, 1);
    bench_settle(&b);
    CU_ASSERT_PTR_NOT_NULL(matching_core_instrument(b.core, index - 1));
    bench_fini(&b);
}

static void test_what_is_taken_is_refused(void)
{
    bench b;
    bench_init(&b, &(bench_options){.shards = 2});
    matching_command add = addition("NEW", 0);
    add.sbe_char = 'x';
    CU_ASSERT_EQUAL(ask(&b, 0, add)->code, MATCHING_OK);
    check_refused(&b, addition("SYM0", 0), MATCHING_INVALID_PARAMETER, MATCHING_FIELD_SYMBOL);
    check_refused(&b, addition("NEW", 0), MATCHING_INVALID_PARAMETER, MATCHING_FIELD_SYMBOL);
    check_refused(&b, addition("NEW", 1), MATCHING_INVALID_PARAMETER, MATCHING_FIELD_SYMBOL);
    check_refused(&b, addition("OTHER", 1), MATCHING_INVALID_PARAMETER, MATCHING_FIELD_ID);
    check_refused(&b, addition("OTHER", 17), MATCHING_INVALID_PARAMETER, MATCHING_FIELD_ID);
    add = addition("OTHER", 0);
    add.sbe_char = 'x';
    check_refused(&b, add, MATCHING_INVALID_PARAMETER, MATCHING_FIELD_SBE_CHAR);
    add.instrument_id = 17;
    check_refused(&b, add, MATCHING_INVALID_PARAMETER, MATCHING_FIELD_ID);
    CU_ASSERT_PTR_NULL(find(&b, "OTHER"));
    CU_ASSERT_EQUAL(ask(&b, 0, addition("OTHER", 0))->code, MATCHING_OK);
    CU_ASSERT_EQUAL(find(&b, "OTHER")->id, 18);
    bench_fini(&b);
}

static void test_ids_go_on_where_the_highest_is_taken(void)
{
    bench b;
    bench_init(&b, NULL);
    CU_ASSERT_EQUAL(ask(&b, 0, addition("LAST", UINT32_MAX))->code, MATCHING_OK);
    CU_ASSERT_EQUAL(ask(&b, 0, addition("NEW", 0))->code, MATCHING_OK);
    CU_ASSERT_EQUAL(find(&b, "NEW")->id, 17); /* the lowest free one */
    CU_ASSERT_EQUAL(ask(&b, 0, addition("NEXT", 0))->code, MATCHING_OK);
    CU_ASSERT_EQUAL(find(&b, "NEXT")->id, 18);
    bench_fini(&b);
}

static void test_the_limit_is_reached_and_all_else_goes_on(void)
{
    bench b;
    bench_init(&b, &(bench_options){.shards = 2, .max_instruments = BENCH_INSTRUMENTS + 2});
    CU_ASSERT_EQUAL(ask(&b, 0, addition("ONE", 0))->code, MATCHING_OK);
    CU_ASSERT_EQUAL(ask(&b, 0, addition("TWO", 0))->code, MATCHING_OK);
    check_refused(&b, addition("THREE", 0), MATCHING_BOOK_FULL, MATCHING_FIELD_NONE);
    check_refused(&b, addition("ONE", 0), MATCHING_INVALID_PARAMETER, MATCHING_FIELD_SYMBOL);
    CU_ASSERT_EQUAL(matching_core_instrument_limit(b.core), BENCH_INSTRUMENTS + 2);
    CU_ASSERT_EQUAL(ask(&b, 0, limit_order(find(&b, "TWO"), "ann", MATCHING_BUY, 1, 1))->code,
                    MATCHING_OK);
    bench_fini(&b);
}

static void test_a_full_ring_leaves_the_name_free(void)
{
    bench b;
    bench_init(&b, &(bench_options){.ring_size = 2, .ports = 2});
    probe *p = &b.probes[0];
    for (uint64_t i = 0; i < 2; i++) {
        submit(p, limit_order(bench_instrument(&b, 0, 0), "ann", MATCHING_BUY, 10, 1), i);
    }
    CU_ASSERT_EQUAL(submit(p, addition("NEW", 99), 2), MATCHING_OVERLOADED);
    CU_ASSERT_EQUAL(ask(&b, 1, addition("NEW", 99))->code, MATCHING_OK);
    CU_ASSERT_EQUAL(find(&b, "NEW")->id, 99);
    bench_fini(&b);
}

/* All that a replay needs is in the command, as the shard leaves it in its ring. */
static void test_the_command_carries_what_was_decided(void)
{
    bench b;
    bench_init(&b, NULL);
    CU_ASSERT_EQUAL(ask(&b, 0, addition("NEW", 0))->code, MATCHING_OK);
    ring *commands = &b.core->shards[0].commands[0];
    const matching_command *kept = ring_at(commands, commands->read - 1);
    CU_ASSERT_EQUAL(kept->type, MATCHING_ADD_INSTRUMENT);
    CU_ASSERT_EQUAL(kept->instrument, BENCH_INSTRUMENTS);
    CU_ASSERT_EQUAL(kept->instrument_id, BENCH_INSTRUMENTS + 1);
    CU_ASSERT_EQUAL(kept->sequence, 1);
    CU_ASSERT_STRING_EQUAL(kept->symbol, "NEW");
    bench_fini(&b);
}

/* ---- Threads --------------------------------------------------------------------------------- */

#define ROUNDS 24u /* additions of each client; both want the same names */

typedef struct adder {
    bench *b;
    probe *probe;
    unsigned added, refused, wrong;
} adder;

/* Two clients add the same instruments, and each looks all of them up while the other adds. */
static void *add_and_trade(void *argument)
{
    adder *self = argument;
    uint64_t tag = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        char symbol[MATCHING_SYMBOL_MAX + 1];
        snprintf(symbol, sizeof symbol, "NEW%u", round);
        submit(self->probe, addition(symbol, 0), ++tag);
        bench_wait_replies(self->probe, tag);
        const matching_reply *reply = &reply_of(self->probe, tag)->reply;
        bool taken =
            reply->code == MATCHING_INVALID_PARAMETER && reply->field == MATCHING_FIELD_SYMBOL;
        self->added += reply->code == MATCHING_OK;
        self->refused += taken;
        self->wrong += reply->code != MATCHING_OK && !taken;
        for (size_t i = 0; i < matching_core_instrument_count(self->b->core); i++) {
            const matching_instrument *one = matching_core_instrument(self->b->core, i);
            self->wrong += one != NULL && (one->index != i || one->symbol[0] == 0 ||
                                           find(self->b, one->symbol) != one);
        }
        const matching_instrument *found = find(self->b, symbol);
        if (reply->code == MATCHING_OK && found == NULL) {
            self->wrong++; /* who has the answer can trade it */
        } else if (found != NULL) {
            submit(self->probe, limit_order(found, "ann", MATCHING_BUY, 10, 1), ++tag);
            bench_wait_replies(self->probe, tag);
            self->wrong += reply_of(self->probe, tag)->reply.code != MATCHING_OK;
        }
    }
    return NULL;
}

static void test_two_clients_add_the_same_instruments(void)
{
    bench b;
    adder adders[2];
    pthread_t threads[2];
    bench_init_running(&b, &(bench_options){.shards = 3, .ports = 2, .max_instruments = 64});
    for (unsigned i = 0; i < 2; i++) {
        adders[i] = (adder){.b = &b, .probe = &b.probes[i]};
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, add_and_trade, &adders[i]), 0);
    }
    for (unsigned i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
    }
    CU_ASSERT_EQUAL(adders[0].added + adders[1].added, ROUNDS);
    CU_ASSERT_EQUAL(adders[0].refused + adders[1].refused, ROUNDS);
    CU_ASSERT_EQUAL(adders[0].wrong + adders[1].wrong, 0);
    CU_ASSERT_EQUAL(matching_core_instrument_count(b.core), BENCH_INSTRUMENTS + ROUNDS);
    for (unsigned i = 0; i < BENCH_INSTRUMENTS + ROUNDS; i++) {
        const matching_instrument *one = matching_core_instrument(b.core, i);
        CU_ASSERT_PTR_NOT_NULL_FATAL(one);
        CU_ASSERT_EQUAL(one->id, i + 1); /* each once, without gaps */
    }
    bench_fini(&b);
}

MATCHING_TESTS(MATCHING_TEST(test_an_added_instrument_is_traded_on_every_port),
               MATCHING_TEST(test_the_addition_is_told_to_whoever_listens),
               MATCHING_TEST(test_nobody_finds_it_before_it_is_durable),
               MATCHING_TEST(test_nobody_sees_a_state_before_it_is_durable),
               MATCHING_TEST(test_a_deaf_port_sees_the_state_that_it_set),
               MATCHING_TEST(test_whoever_is_told_first_finds_it),
               MATCHING_TEST(test_a_gap_in_the_table_is_no_instrument),
               MATCHING_TEST(test_what_is_taken_is_refused),
               MATCHING_TEST(test_ids_go_on_where_the_highest_is_taken),
               MATCHING_TEST(test_the_limit_is_reached_and_all_else_goes_on),
               MATCHING_TEST(test_a_full_ring_leaves_the_name_free),
               MATCHING_TEST(test_the_command_carries_what_was_decided),
               MATCHING_TEST(test_two_clients_add_the_same_instruments))
