/* See recovery_life.h. */
#include "recovery_life.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/cunit_main.h"

#define MS UINT64_C(1000000)
#define MINUTE (60000 * MS)
#define BEGINNING UINT64_C(1700000000123456789)

/* ---- The clock ------------------------------------------------------------------------------- */

static uint64_t now_ns = BEGINNING;

uint64_t __wrap_matching_unix_ns(void);

uint64_t __wrap_matching_unix_ns(void)
{
    return now_ns;
}

/* SplitMix64, Steele, Lea and Flood 2014. */
uint64_t life_below(life *l, uint64_t bound)
{
    uint64_t z = l->random_state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return (z ^ z >> 31) % bound;
}

static bool chance(life *l, unsigned percent)
{
    return life_below(l, 100) < percent;
}

/* Sometimes somebody sets the clock back. */
static void let_time_pass(life *l)
{
    uint64_t dice = life_below(l, 2000);
    if (dice < 10) {
        now_ns -= MINUTE / 3;
        return;
    }
    now_ns += dice == 10   ? 1441 * MINUTE
              : dice < 13  ? 90 * MINUTE
              : dice < 70  ? MINUTE
              : dice < 110 ? MINUTE / 3
                           : life_below(l, 5 * MS);
}

/* ---- Names and numbers ----------------------------------------------------------------------- */

void life_trader(unsigned n, char name[MATCHING_TRADER_MAX + 1])
{
    snprintf(name, MATCHING_TRADER_MAX + 1, n == 0 ? "trader-with-a-name-of-32-letters" : "t%u", n);
}

void life_client_id(unsigned n, char id[MATCHING_CLIENT_ID_MAX + 1])
{
    snprintf(id, MATCHING_CLIENT_ID_MAX + 1,
             n == 0 ? "a client order id of 36 characters.!" : "c%u", n);
}

static void give_trader(life *l, matching_command *c)
{
    char name[MATCHING_TRADER_MAX + 1];
    life_trader((unsigned)life_below(l, LIFE_TRADERS), name);
    memcpy(c->trader_id, name, strlen(name));
}

enum { SMALL, REAL, EXTREME, KINDS_OF_NUMBERS };

static int64_t one_of(life *l, const int64_t *values, size_t count)
{
    return values[life_below(l, count)];
}

static int64_t random_price(life *l, unsigned instrument, unsigned side)
{
    static const int64_t ends[] = {1,
                                   2,
                                   3,
                                   MATCHING_TICKS_MAX / 2,
                                   MATCHING_TICKS_MAX - 2,
                                   MATCHING_TICKS_MAX - 1,
                                   MATCHING_TICKS_MAX};
    static const int64_t middles[] = {[SMALL] = 100, [REAL] = 3000000, [EXTREME] = 1 << 30};
    unsigned kind = instrument % KINDS_OF_NUMBERS;
    if (kind == EXTREME && chance(l, 60)) {
        return one_of(l, ends, sizeof ends / sizeof ends[0]);
    }
    int64_t away = (int64_t)life_below(l, 12);
    bool is_below = (side == MATCHING_BUY) == chance(l, l->shape->passive);
    return middles[kind] + (is_below ? -away : away);
}

static int64_t random_quantity(life *l, unsigned instrument)
{
    static const int64_t ends[] = {
        1, 2, 1000, MATCHING_LOTS_MAX / 2, MATCHING_LOTS_MAX - 1, MATCHING_LOTS_MAX};
    switch (instrument % KINDS_OF_NUMBERS) {
    case SMALL:
        return 1 + (int64_t)life_below(l, 20);
    case REAL:
        return 1 + (int64_t)life_below(l, 400000000);
    default:
        return chance(l, 50) ? one_of(l, ends, sizeof ends / sizeof ends[0])
                             : 1 + (int64_t)life_below(l, 10000000);
    }
}

static const matching_instrument *random_instrument(life *l)
{
    const matching_instrument *found = NULL;
    while (found == NULL) {
        size_t count = matching_core_instrument_count(l->bench.core);
        found = matching_core_instrument(l->bench.core, life_below(l, count));
    }
    return found;
}

/* ---- Commands -------------------------------------------------------------------------------- */

static void make_special(life *l, matching_command *c)
{
    unsigned dice = (unsigned)life_below(l, 100);
    if (dice < 10) {
        c->order_type = MATCHING_MARKET;
        c->time_in_force = chance(l, 70) ? MATCHING_IOC : MATCHING_FOK;
        c->price_ticks = 0;
    } else if (dice < 30) {
        c->order_type = chance(l, 50) ? MATCHING_STOP : MATCHING_STOP_LIMIT;
        c->stop_price_ticks = random_price(l, c->instrument, !c->side);
        c->price_ticks = c->order_type == MATCHING_STOP ? 0 : c->price_ticks;
        c->time_in_force = (uint8_t)life_below(l, 4);
    } else {
        c->time_in_force = (uint8_t)life_below(l, 4);
        bool may_rest = c->time_in_force == MATCHING_GTC || c->time_in_force == MATCHING_GTD;
        c->flags |= may_rest && chance(l, 15) ? MATCHING_FLAG_POST_ONLY : 0;
        if (chance(l, 30)) {
            int64_t least = (c->quantity_lots + 999) / 1000;
            c->display_lots = least + (int64_t)life_below(l, 4);
        }
    }
    if (c->time_in_force == MATCHING_GTD) {
        c->expire_time_ms = chance(l, 5) ? MATCHING_ORDER_ID_MAX : now_ns / MS + life_below(l, 400);
    }
    if (chance(l, 40)) {
        char id[MATCHING_CLIENT_ID_MAX + 1];
        life_client_id((unsigned)life_below(l, LIFE_CLIENT_IDS), id);
        memcpy(c->client_order_id, id, strlen(id));
    }
    c->self_trade = chance(l, 40) ? (uint8_t)life_below(l, 4) : MATCHING_STP_NONE;
}

static void make_place(life *l, matching_command *c)
{
    static const uint8_t flags[] = {0, MATCHING_FLAG_COLLECT, MATCHING_FLAG_BRIEF,
                                    MATCHING_FLAG_HAS_SYMBOL};
    c->type = MATCHING_PLACE;
    c->instrument = random_instrument(l)->index;
    give_trader(l, c);
    c->side = (uint8_t)life_below(l, 2);
    c->flags = flags[life_below(l, sizeof flags)];
    c->flags |= chance(l, 15) ? MATCHING_FLAG_GUARDED : 0;
    c->quantity_lots = random_quantity(l, c->instrument);
    c->price_ticks = random_price(l, c->instrument, c->side);
    if (chance(l, 55)) {
        make_special(l, c);
    }
}

/* Mostly an order that was entered; it may have ended, or be forgotten. */
static void name_order(life *l, matching_command *c)
{
    unsigned known = l->known_count < LIFE_KNOWN ? l->known_count : LIFE_KNOWN;
    c->instrument = random_instrument(l)->index;
    if (known == 0 || chance(l, 3)) {
        c->order_id = chance(l, 50) ? MATCHING_ORDER_ID_MAX : 1 + life_below(l, 10000);
        return;
    }
    const matching_order *order = &l->known[life_below(l, known)];
    c->instrument = chance(l, 95) ? order->instrument : c->instrument;
    bool by_name = order->client_order_id[0] != 0 && chance(l, 50);
    if (by_name || chance(l, 30)) {
        memcpy(c->trader_id, order->trader_id, MATCHING_TRADER_MAX);
    }
    if (by_name) {
        memcpy(c->client_order_id, order->client_order_id, strlen(order->client_order_id));
    } else {
        c->order_id = order->order_id;
        c->flags = chance(l, 20) ? MATCHING_FLAG_HAS_SYMBOL : 0;
    }
}

static void make_amend(life *l, matching_command *c)
{
    c->type = MATCHING_AMEND;
    name_order(l, c);
    unsigned what = (unsigned)life_below(l, 4), side = (unsigned)life_below(l, 2);
    c->price_ticks = what != 0 ? random_price(l, c->instrument, side) : 0;
    c->quantity_lots = what != 1 ? random_quantity(l, c->instrument) : 0;
    if (what == 3) {
        c->price_ticks = 0;
        c->stop_price_ticks = random_price(l, c->instrument, side);
    }
    c->flags |= chance(l, 30) ? MATCHING_FLAG_OPEN_QUANTITY : 0;
    if (c->order_id != 0 && c->flags == 0 && chance(l, 40)) { /* some do not fit the tick size */
        int64_t tick = chance(l, 80) ? l->shape->tick_size : 1;
        c->flags = MATCHING_FLAG_DECIMALS;
        c->price_ticks *= tick;
        c->stop_price_ticks *= tick;
    }
}

static void make_mass_cancel(life *l, matching_command *c)
{
    c->type = MATCHING_CANCEL_ALL;
    c->instrument = random_instrument(l)->index;
    give_trader(l, c);
    c->flags = chance(l, 60) ? MATCHING_FLAG_ALL_SYMBOLS : MATCHING_FLAG_HAS_SYMBOL;
    c->reason = chance(l, 80) ? MATCHING_REASON_MASS_CANCEL : MATCHING_REASON_DISCONNECT;
}

/* Some names and ids are taken already. */
static void make_addition(life *l, matching_command *c)
{
    c->type = MATCHING_ADD_INSTRUMENT;
    l->added += chance(l, 80);
    snprintf(c->symbol, sizeof c->symbol, "SIXTEEN.LETTR-%02u", l->added % 100);
    c->price_ticks = 1 + (int64_t)life_below(l, 3) * l->shape->tick_size;
    c->quantity_lots = 1 + (int64_t)life_below(l, 2);
    c->instrument_id = chance(l, 30) ? UINT32_MAX - (uint32_t)life_below(l, 9) : 0;
    c->sbe_char = chance(l, 30) ? (char)('!' + life_below(l, 90)) : 0;
    c->state = (uint8_t)life_below(l, 3);
}

static void make_rare(life *l, matching_command *c)
{
    unsigned dice = (unsigned)life_below(l, 100);
    c->instrument = random_instrument(l)->index;
    if (dice < 45) {
        c->type = MATCHING_SET_STATE;
        c->state = chance(l, 65) ? MATCHING_TRADING : (uint8_t)life_below(l, 3);
    } else if (dice < 55) {
        make_addition(l, c);
    } else if (dice < 60) {
        c->type = MATCHING_CANCEL_GUARDED;
        c->reason = MATCHING_REASON_DISCONNECT;
    } else if (dice < 63) {
        c->type = MATCHING_RELEASE_GUARDS;
    } else if (dice < 90) {
        c->type = MATCHING_READ_TICKER;
    } else {
        c->type = MATCHING_READ_ORDER;
        name_order(l, c);
    }
}

static matching_command make(life *l)
{
    matching_command c = {0};
    unsigned dice = (unsigned)life_below(l, 1000), mass = l->shape->mass;
    if (dice < mass) {
        make_mass_cancel(l, &c);
    } else if (dice < mass + 120) {
        c.type = MATCHING_CANCEL;
        c.reason = chance(l, 90) ? MATCHING_REASON_USER : MATCHING_REASON_DISCONNECT;
        name_order(l, &c);
    } else if (dice < mass + 220) {
        make_amend(l, &c);
    } else if (dice < mass + 300) {
        make_rare(l, &c);
    } else {
        make_place(l, &c);
    }
    return c;
}

/* ---- Living ---------------------------------------------------------------------------------- */

static void on_reply(probe *p, const matching_reply *reply)
{
    life *l = p->context;
    if (reply->type == MATCHING_PLACE && reply->has_order) {
        matching_order *order = &l->known[l->known_count++ % LIFE_KNOWN];
        memset(order, 0, sizeof *order);
        order->order_id = reply->order.order_id;
        order->instrument = reply->order.instrument;
        memcpy(order->client_order_id, reply->order.client_order_id, sizeof order->client_order_id);
        const char *name = matching_core_trader(l->bench.core, reply->shard, reply->trader);
        memcpy(order->trader_id, name, strlen(name));
    }
}

static void begin_core(life *l)
{
    const life_shape *shape = l->shape;
    bench_init(&l->bench, &(bench_options){.shards = shape->shards,
                                           .event_ring_size = shape->event_ring_size,
                                           .max_orders = shape->max_orders,
                                           .max_levels = shape->max_levels,
                                           .retained_orders = shape->retained_orders,
                                           .max_traders = shape->max_traders,
                                           .max_instruments = 24,
                                           .recent_trades = shape->recent_trades,
                                           .tick_size = shape->tick_size,
                                           .deaf = true, /* events are not waited for */
                                           .data_dir = l->folder.path,
                                           .sync = MATCHING_SYNC_NONE,
                                           .segment_bytes = 1u << 16});
    l->bench.probes[0].at_reply = on_reply;
    l->bench.probes[0].context = l;
    l->is_watching = false;
}

void life_begin(life *l, const life_shape *shape, uint64_t seed)
{
    *l = (life){.shape = shape, .random_state = seed};
    now_ns = BEGINNING;
    folder_make(&l->folder);
    begin_core(l);
}

void life_end(life *l)
{
    bench_fini(&l->bench);
    folder_remove(&l->folder);
}

void life_settle(life *l)
{
    probe *p = &l->bench.probes[0];
    while (matching_port_in_flight(p->port) > 0) {
        bench_step(&l->bench);
        for (unsigned i = 0; i < l->bench.core->shard_count; i++) {
            CU_ASSERT_TRUE_FATAL(journal_wait(l->bench.core->shards[i].journal));
        }
        matching_port_poll(p->port, 0);
    }
    bench_step(&l->bench); /* what is due by now expires */
    for (unsigned i = 0; i < l->bench.core->shard_count; i++) {
        CU_ASSERT_TRUE_FATAL(journal_wait(l->bench.core->shards[i].journal));
    }
    forget(p);
}

void life_restart(life *l)
{
    bench_die(&l->bench);
    let_time_pass(l);
    begin_core(l);
    life_settle(l);
}

static void change_watch(life *l)
{
    matching_port *port = l->bench.probes[0].port;
    if (l->is_watching) {
        matching_port_unwatch(port, l->watched);
    }
    l->is_watching = chance(l, l->shape->watching);
    if (l->is_watching) {
        char name[MATCHING_TRADER_MAX + 1];
        life_trader((unsigned)life_below(l, LIFE_TRADERS), name);
        l->watched = matching_port_watch(port, chance(l, 30) ? NULL : name);
    }
}

void life_go_on(life *l, unsigned commands)
{
    probe *p = &l->bench.probes[0];
    for (unsigned i = 0; i < commands; i++) {
        if (chance(l, 40)) {
            let_time_pass(l);
        }
        matching_code code = submit(p, make(l), i);
        CU_ASSERT_EQUAL(code, MATCHING_OK);
        if (chance(l, 25)) { /* what comes between two turns has one time */
            bench_step(&l->bench);
        }
        if (i % 64 == 63) {
            life_settle(l);
            change_watch(l);
        }
    }
    life_settle(l);
}
