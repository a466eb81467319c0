/* See bench.h. Takes the threads away from started shards, so that the test can call shard_poll. */
#include "core/shard/bench.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/cunit_main.h"

_Noreturn static void broken(const char *what)
{
    fprintf(stderr, "bench: %s\n", what);
    abort();
}

static void *copy_of(const void *from, size_t bytes)
{
    void *copy = malloc(bytes + 1);
    if (copy == NULL) {
        broken("out of memory");
    }
    if (bytes > 0) {
        memcpy(copy, from, bytes);
    }
    return copy;
}

static entry *append(probe *p, entry_kind kind, unsigned number)
{
    if (p->count == p->room) {
        p->room = 2 * p->room + 64;
        p->log = realloc(p->log, p->room * sizeof *p->log);
        if (p->log == NULL) {
            broken("out of memory");
        }
    }
    entry *e = &p->log[p->count++];
    memset(e, 0, sizeof *e);
    e->kind = kind;
    e->shard = number;
    return e;
}

static void on_reply(void *context, const matching_reply *reply)
{
    probe *p = context;
    entry *e = append(p, ENTRY_REPLY, reply->shard);
    e->reply = *reply;
    if (reply->trades != NULL) {
        e->trades = copy_of(reply->trades, reply->trade_count * sizeof *reply->trades);
    }
    if (reply->order_ids != NULL) {
        e->order_ids = copy_of(reply->order_ids, reply->order_id_count * sizeof *reply->order_ids);
    }
    if (reply->orders != NULL) {
        e->orders = copy_of(reply->orders, reply->order_count * sizeof *reply->orders);
    }
    if (reply->candles != NULL) {
        e->candles = copy_of(reply->candles, reply->candle_count * sizeof *reply->candles);
    }
    if (reply->ticker != NULL) {
        e->ticker = *reply->ticker;
    }
    if (reply->depth != NULL) {
        e->depth = *reply->depth;
        e->depth.bids = copy_of(e->depth.bids, e->depth.bid_count * sizeof *e->depth.bids);
        e->depth.asks = copy_of(e->depth.asks, e->depth.ask_count * sizeof *e->depth.asks);
    }
    e->reply.trades = e->trades;
    e->reply.order_ids = e->order_ids;
    e->reply.orders = e->orders;
    e->reply.candles = e->candles;
    if (p->at_reply != NULL) {
        p->at_reply(p, reply);
    }
}

static void on_event(void *context, unsigned number, uint64_t position, const matching_event *event,
                     const matching_order *order)
{
    entry *e = append(context, ENTRY_EVENT, number);
    e->position = position;
    e->event = *event;
    if (order != NULL) {
        e->order = *order;
    }
}

static void on_lapped(void *context, unsigned number)
{
    append(context, ENTRY_LAPPED, number);
}

static void wake(void *context)
{
    probe *p = context;
    atomic_fetch_add(&p->wakes, 1);
    if (p->at_wake != NULL) {
        p->at_wake(p);
    }
}

static unsigned or_else(unsigned given, unsigned usual)
{
    return given != 0 ? given : usual;
}

static matching_core *create_core(const bench_options *wanted, char *error, size_t error_size)
{
    static matching_instrument_options instruments[BENCH_INSTRUMENTS];
    int64_t tick_size = wanted->tick_size != 0 ? wanted->tick_size : 1;
    for (unsigned i = 0; i < BENCH_INSTRUMENTS; i++) {
        instruments[i] =
            (matching_instrument_options){.id = i + 1, .tick_size = tick_size, .lot_size = 1};
        snprintf(instruments[i].symbol, sizeof instruments[i].symbol, "SYM%u", i);
    }
    matching_core_options options;
    matching_core_options_default(&options);
    options.instruments = instruments;
    options.instruments_are_defaults = wanted->defaults;
    options.instrument_count = or_else(wanted->instruments, BENCH_INSTRUMENTS);
    options.shards = or_else(wanted->shards, 1);
    options.ring_size = or_else(wanted->ring_size, 256);
    options.batch_size = or_else(wanted->batch_size, 100);
    options.event_ring_size = or_else(wanted->event_ring_size, 65536);
    options.max_orders = wanted->max_orders != 0 ? wanted->max_orders : 20000;
    options.retained_orders = wanted->retained_orders != 0 ? wanted->retained_orders : 20000;
    options.memory_at_start = wanted->memory_at_start;
    options.max_instruments = or_else(wanted->max_instruments, 64);
    options.max_traders = wanted->max_traders != 0 ? wanted->max_traders : 100;
    options.max_levels = wanted->max_levels;
    options.recent_trades = or_else(wanted->recent_trades, 1000);
    options.data_dir = wanted->data_dir;
    options.sync = wanted->sync;
    options.segment_bytes = wanted->segment_bytes != 0 ? wanted->segment_bytes : 1u << 20;
    options.snapshot_every = wanted->snapshot_every;
    options.on_note = wanted->on_note;
    options.progress_context = wanted->note_context;
    return matching_core_create(&options, error, error_size);
}

int bench_refused(const bench_options *options, char *error, size_t error_size)
{
    matching_core *core = create_core(options, error, error_size);
    if (core == NULL) {
        return errno;
    }
    matching_core_destroy(core);
    return 0;
}

static void create(bench *b, const bench_options *given)
{
    static const bench_options usual;
    const bench_options *wanted = given != NULL ? given : &usual;
    char error[1000];
    memset(b, 0, sizeof *b);
    b->core = create_core(wanted, error, sizeof error);
    if (b->core == NULL) {
        broken(error);
    }
    if (wanted->at_create != NULL) {
        wanted->at_create(wanted->create_context, b->core);
    }
    b->port_count = or_else(wanted->ports, 1);
    const matching_port_handlers handlers = {.on_reply = on_reply,
                                             .on_event = wanted->deaf ? NULL : on_event,
                                             .on_lapped = on_lapped,
                                             .wake = wake};
    for (unsigned i = 0; i < b->port_count; i++) {
        b->probes[i].port = matching_port_create(b->core, &handlers, &b->probes[i]);
        if (b->probes[i].port == NULL) {
            broken("no port");
        }
        if (!wanted->deaf) {
            matching_port_watch(b->probes[i].port, NULL);
        }
    }
}

void bench_init_running(bench *b, const bench_options *options)
{
    char error[200];
    create(b, options);
    if (matching_core_start(b->core, error, sizeof error) != 0) {
        broken(error);
    }
}

void bench_init(bench *b, const bench_options *options)
{
    bench_init_running(b, options);
    for (unsigned i = 0; i < b->core->shard_count; i++) {
        shard_stop(&b->core->shards[i]);
        atomic_store(&b->core->shards[i].stopping, false); /* it lives on by hand */
    }
}

static void let_go(bench *b)
{
    matching_core_destroy(b->core);
    for (unsigned i = 0; i < b->port_count; i++) {
        forget(&b->probes[i]);
        free(b->probes[i].log);
    }
}

void bench_fini(bench *b)
{
    matching_core_stop(b->core);
    let_go(b);
}

void bench_die(bench *b)
{
    for (unsigned i = 0; i < b->core->shard_count; i++) {
        shard_stop(&b->core->shards[i]);
    }
    let_go(b);
}

unsigned bench_step(bench *b)
{
    unsigned turns = 0;
    for (bool worked = true; worked;) {
        worked = false;
        for (unsigned i = 0; i < b->core->shard_count; i++) {
            worked = shard_poll(&b->core->shards[i]) || worked;
        }
        turns += worked;
    }
    return turns;
}

void bench_settle(bench *b)
{
    for (bool busy = true; busy;) {
        busy = bench_step(b) > 0;
        for (unsigned i = 0; i < b->port_count; i++) {
            size_t before = b->probes[i].count;
            busy = matching_port_poll(b->probes[i].port, 0) || busy;
            busy = b->probes[i].count != before || busy;
        }
    }
}

void bench_hold_gate(bench *b, unsigned number, uint64_t durable_sequence)
{
    atomic_store(&b->core->shards[number].durable_sequence, durable_sequence);
}

void bench_wait_replies(probe *p, size_t replies)
{
    uint64_t deadline = matching_monotonic_ns() + BENCH_DEADLINE_MS * 1000000ull;
    while (count_entries(p, ENTRY_REPLY) < replies) {
        if (!matching_port_poll(p->port, 0)) {
            sched_yield();
        }
        if (matching_monotonic_ns() > deadline) {
            broken("the replies did not come in time");
        }
    }
}

const matching_instrument *bench_instrument(const bench *b, unsigned number, unsigned n)
{
    for (size_t i = 0; i < matching_core_instrument_count(b->core); i++) {
        const matching_instrument *instrument = matching_core_instrument(b->core, i);
        if (instrument != NULL && instrument->shard == number && n-- == 0) {
            return instrument;
        }
    }
    broken("a shard has too few of the bench's instruments");
}

matching_command limit_order(const matching_instrument *instrument, const char *trader,
                             matching_side side, int64_t price_ticks, int64_t quantity_lots)
{
    matching_command command = {.type = MATCHING_PLACE,
                                .instrument = instrument->index,
                                .side = (uint8_t)side,
                                .order_type = MATCHING_LIMIT,
                                .time_in_force = MATCHING_GTC,
                                .price_ticks = price_ticks,
                                .quantity_lots = quantity_lots};
    memcpy(command.trader_id, trader, strlen(trader));
    return command;
}

matching_command cancel_by_id(uint64_t order_id)
{
    return (matching_command){
        .type = MATCHING_CANCEL, .order_id = order_id, .reason = MATCHING_REASON_USER};
}

matching_command cancel_everything(const char *trader)
{
    matching_command command = {.type = MATCHING_CANCEL_ALL,
                                .flags = MATCHING_FLAG_ALL_SYMBOLS,
                                .reason = MATCHING_REASON_MASS_CANCEL};
    memcpy(command.trader_id, trader, strlen(trader));
    return command;
}

matching_command read_command(matching_command_type type, const matching_instrument *instrument,
                              uint32_t limit)
{
    matching_command command = {
        .type = (uint8_t)type, .limit = limit, .status = MATCHING_STATUS_ANY};
    if (instrument == NULL) {
        command.flags = MATCHING_FLAG_ALL_SYMBOLS;
    } else {
        command.instrument = instrument->index;
    }
    return command;
}

matching_code submit(probe *p, matching_command command, uint64_t tag)
{
    command.tag = tag;
    matching_code code = matching_port_submit(p->port, &command);
    matching_port_flush(p->port);
    return code;
}

const entry *entry_of(const probe *p, entry_kind kind, size_t n)
{
    for (size_t i = 0; i < p->count; i++) {
        if (p->log[i].kind == kind && n-- == 0) {
            return &p->log[i];
        }
    }
    return NULL;
}

size_t count_entries(const probe *p, entry_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < p->count; i++) {
        count += p->log[i].kind == kind;
    }
    return count;
}

const entry *reply_of(const probe *p, uint64_t tag)
{
    for (size_t i = 0; i < p->count; i++) {
        if (p->log[i].kind == ENTRY_REPLY && p->log[i].reply.tag == tag) {
            return &p->log[i];
        }
    }
    return NULL;
}

size_t count_replies_of(const probe *p, uint64_t tag)
{
    size_t count = 0;
    for (size_t i = 0; i < p->count; i++) {
        count += p->log[i].kind == ENTRY_REPLY && p->log[i].reply.tag == tag;
    }
    return count;
}

size_t index_of(const probe *p, const entry *e)
{
    return (size_t)(e - p->log);
}

void forget(probe *p)
{
    for (size_t i = 0; i < p->count; i++) {
        free(p->log[i].trades);
        free(p->log[i].order_ids);
        free(p->log[i].orders);
        free(p->log[i].candles);
        free(p->log[i].depth.bids);
        free(p->log[i].depth.asks);
    }
    p->count = 0;
}

void assert_books_are_sound(const bench *b)
{
    for (unsigned i = 0; i < b->core->shard_count; i++) {
        const char *wrong = matching_engine_check(b->core->shards[i].books.engine);
        CU_ASSERT_PTR_NULL(wrong);
        if (wrong != NULL) {
            fprintf(stderr, "shard %u: %s\n", i, wrong);
        }
    }
}

uint64_t state_of(const bench *b)
{
    uint64_t state = 0;
    for (unsigned i = 0; i < b->core->shard_count; i++) {
        state = state * 31 + matching_engine_hash(b->core->shards[i].books.engine);
    }
    return state;
}
