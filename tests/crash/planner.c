/* See planner.h. */
#define _GNU_SOURCE
#include "crash/planner.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/engine/generator.h"
#include "crash/process.h"

/* Numbers that are easily read, and those of a real market: what an order has filled for takes more
 * than six bytes there. */
static const market shapes[] = {{.name = "crash",
                                 .traders = 6,
                                 .client_ids = 8,
                                 .price_low = 95,
                                 .price_high = 112,
                                 .quantity_high = 20,
                                 .passive = 50,
                                 .calm = 20,
                                 .divisor = 1},
                                {.name = "large",
                                 .traders = 6,
                                 .client_ids = 8,
                                 .price_low = 3000000,
                                 .price_high = 3000017,
                                 .quantity_high = 400000000,
                                 .passive = 50,
                                 .calm = 20,
                                 .divisor = 1}};

typedef struct planner {
    const truth *t;
    life *l;
    market market;
    generator generators[LIFE_SHARDS_MAX];
    uint64_t random_state;
    unsigned added; /* names given to new instruments, with the configured ones */
} planner;

static uint64_t below(planner *p, uint64_t bound)
{
    p->random_state = p->random_state * 6364136223846793005u + 1442695040888963407u;
    return (p->random_state >> 33) % bound;
}

/* The shard's n-th instrument, in turn. */
static uint16_t instrument_of(const truth_shard *s, unsigned n)
{
    unsigned count = 0;
    for (unsigned i = 0; i < LIFE_SYMBOLS_MAX; i++) {
        count += s->is_there[i];
    }
    n %= count;
    for (uint16_t i = 0; i < LIFE_SYMBOLS_MAX; i++) {
        if (s->is_there[i] && n-- == 0) {
            return i;
        }
    }
    return 0;
}

static bool has_instruments(const truth_shard *s)
{
    for (unsigned i = 0; i < LIFE_SYMBOLS_MAX; i++) {
        if (s->is_there[i]) {
            return true;
        }
    }
    return false;
}

/* An id leads to the shard that made it, whatever else the command says. */
static unsigned target_of(const planner *p, unsigned shard, const matching_command *command)
{
    if (command->order_id == 0 || command->type == MATCHING_READ_ORDERS) {
        return shard;
    }
    uint64_t mask = (UINT64_C(1) << p->t->limits.shard_bits) - 1;
    unsigned target = (unsigned)(command->order_id & mask);
    return target < p->t->shards ? target : 0;
}

static void add_step(planner *p, const truth_shard *s, const matching_command *command)
{
    if (p->l->step_count == LIFE_STEPS_MAX) {
        return;
    }
    life_step *step = &p->l->steps[p->l->step_count++];
    step->command = *command;
    step->shard = target_of(p, s->number, command);
    step->symbol = s->symbols[command->instrument];
    if (command->expire_time_ms != 0) {
        uint64_t now_ms = s->duel.engine.time_ns / 1000000;
        step->expire_in_ms = (int64_t)(command->expire_time_ms - now_ms);
    }
    step->command.time_ns = 0;
    step->command.trader_hint = 0;
}

/* How everything looks at the start. */
static void plan_look(planner *p, const truth_shard *s)
{
    for (uint16_t i = 0; i < LIFE_SYMBOLS_MAX; i++) {
        static const uint8_t reads[] = {MATCHING_READ_DEPTH, MATCHING_READ_TRADES,
                                        MATCHING_READ_TICKER, MATCHING_READ_ORDERS};
        for (unsigned k = 0; k < sizeof reads && s->is_there[i]; k++) {
            matching_command read = {.type = reads[k],
                                     .instrument = i,
                                     .limit =
                                         reads[k] == MATCHING_READ_TRADES ? TRUTH_RECENT : 1000,
                                     .status = MATCHING_STATUS_ANY};
            add_step(p, s, &read);
        }
    }
}

/* New names are few, and an instrument that is there is not added again. */
static void plan_addition(planner *p)
{
    if (p->added == LIFE_SYMBOLS_MAX) {
        return;
    }
    unsigned number = p->added++;
    life_step *step = &p->l->steps[p->l->step_count++];
    step->command = (matching_command){.type = MATCHING_ADD_INSTRUMENT,
                                       .price_ticks = life_tick_size(number),
                                       .quantity_lots = life_lot_size(number),
                                       .state = MATCHING_TRADING};
    const char *symbol = life_symbol(number);
    memcpy(step->command.symbol, symbol, strlen(symbol));
    step->symbol = (uint8_t)number;
    step->shard = UINT32_MAX; /* whichever has the name */
}

static void play(planner *p, unsigned shard, const matching_command *command)
{
    duel *d = &p->t->shard[shard].duel;
    if (!duel_apply(d, command, false)) {
        process_give_up("planned life: %s", d->difference);
    }
}

/* Shards enter these by themselves, nobody sends them. */
static bool is_housekeeping(const matching_command *command)
{
    return command->type == MATCHING_TICK || command->type == MATCHING_SET_LIMITS ||
           command->type == MATCHING_RELEASE_GUARDS || command->type == MATCHING_CANCEL_GUARDED;
}

static void plan_one(planner *p, unsigned shard)
{
    const truth_shard *s = &p->t->shard[shard];
    matching_command command = generator_next(&p->generators[shard]);
    if (is_housekeeping(&command)) {
        return;
    }
    if (!s->is_there[command.instrument]) {
        command.instrument = instrument_of(s, command.instrument);
    }
    if (command.type >= MATCHING_READ_ORDER) {
        command.flags &= (uint8_t)~MATCHING_FLAG_ALL_SYMBOLS; /* one shard answers */
        command.limit = command.limit > 1000 ? 1000 : command.limit;
    } else if (below(p, 5) == 0) {
        command.flags |= MATCHING_FLAG_COLLECT;
    }
    add_step(p, s, &command);
    if (command.type == MATCHING_CANCEL_ALL && (command.flags & MATCHING_FLAG_ALL_SYMBOLS) != 0) {
        for (unsigned i = 0; i < p->t->shards; i++) {
            play(p, i, &command);
        }
    } else {
        play(p, target_of(p, shard, &command), &command);
    }
}

static void plan(planner *p, unsigned steps)
{
    unsigned ready = 0;
    for (unsigned i = 0; i < p->t->shards; i++) {
        const truth_shard *s = &p->t->shard[i];
        p->generators[i] = (generator){
            .market = &p->market, .duel = &s->duel, .random_state = p->random_state + i};
        ready += has_instruments(s);
        plan_look(p, s);
        for (unsigned k = 0; k < LIFE_SYMBOLS_MAX; k++) {
            if (s->is_there[k] && s->symbols[k] >= p->added) {
                p->added = s->symbols[k] + 1u;
            }
        }
    }
    while (ready > 0 && p->l->step_count < steps) {
        unsigned shard = (unsigned)below(p, p->t->shards);
        if (below(p, 3000) == 0) {
            plan_addition(p);
        } else if (has_instruments(&p->t->shard[shard])) {
            plan_one(p, shard);
        }
    }
}

void planner_plan(const truth *t, life *l, unsigned steps, uint64_t seed)
{
    size_t set_up = offsetof(life, stage);
    memset((char *)l + set_up, 0, offsetof(life, trades) - set_up);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        planner p = {.t = t,
                     .l = l,
                     .market = shapes[t->shards % 2 == 0], /* one for all lives of a history */
                     .random_state = seed,
                     .added = LIFE_SYMBOLS};
        p.market.limits = t->limits;
        plan(&p, steps < LIFE_STEPS_MAX ? steps : LIFE_STEPS_MAX - 1);
        fflush(stdout);
        _exit(EXIT_SUCCESS);
    }
    int status;
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
        process_give_up("no life could be planned (seed %llu)", (unsigned long long)seed);
    }
}
