/* Who watches and follows decides which ORDER and CHANGE events are written and nothing else:
 * random commands while several traders are watched, and while watchers come and go in the middle
 * of commands.
 *
 * The twin compares what is told at one setting of the watch (twin.h). Here it is given several
 * traders at once, and strangers who share a bucket with one. A third engine has its watch changed
 * whenever its ring is full, as other threads may do at any moment.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "generator.h"
#include "support/cunit_main.h"
#include "twin.h"

#define COMMANDS 20000u
#define SPELL 50u /* commands between two settings of the watch */
#define TRADERS 5u

static const market crowd = {.name = "watched",
                             .limits = {.instruments = 2,
                                        .shard_bits = 1,
                                        .max_orders = 150,
                                        .max_levels = 90,
                                        .max_traders = 6,
                                        .retained_orders = 20},
                             .traders = TRADERS,
                             .client_ids = 3,
                             .price_low = 58,
                             .price_high = 69,
                             .quantity_high = 25,
                             .passive = 60,
                             .calm = 80,
                             .check_every = 16,
                             .divisor = 1};

static duel d;
static generator commands;

static void begin(uint64_t seed)
{
    duel_init(&d, &crowd.limits);
    commands = (generator){.market = &crowd, .duel = &d, .random_state = seed};
}

/* False with the difference told. */
static bool next_command(unsigned index, matching_command *command)
{
    *command = generator_next(&commands);
    if (duel_apply(&d, command, index % crowd.check_every == 0)) {
        return true;
    }
    printf("\n    command %u: %s\n", index, d.difference);
    return false;
}

/* The generator's names (random_name), the first of the full length. */
static void name_of(unsigned number, char name[MATCHING_TRADER_MAX + 1])
{
    snprintf(name, MATCHING_TRADER_MAX + 1,
             number == 0 ? "trader-with-a-name-of-32-letters" : "t%u", number);
}

static uint32_t bucket_of(const char *name)
{
    matching_command named = {0};
    set_trader(&named, name);
    return matching_watch_bucket(named.trader_id);
}

/* Somebody who never trades, in the bucket of somebody who does. */
static void stranger_like(const char *name, char stranger[MATCHING_TRADER_MAX + 1])
{
    uint32_t bucket = bucket_of(name);
    unsigned number = 0;
    do {
        snprintf(stranger, MATCHING_TRADER_MAX + 1, "stranger-%u", number++);
    } while (bucket_of(stranger) != bucket);
}

/* Each trader or not, by the bits of `who`; by those above, as a stranger; followed, by those above
 * these. */
static void watch(unsigned who)
{
    char name[MATCHING_TRADER_MAX + 1], stranger[MATCHING_TRADER_MAX + 1];
    twin_watch_nobody(d.engine.twin);
    for (unsigned i = 0; i < TRADERS; i++) {
        if (who >> i & 1) {
            name_of(i, name);
            stranger_like(name, stranger);
            twin_watch(d.engine.twin, who >> (TRADERS + i) & 1 ? stranger : name);
        }
        if (who >> (2 * TRADERS + i) & 1) {
            name_of(i, name);
            twin_follow(d.engine.twin, name);
        }
    }
}

static void test_several_traders_are_watched(void)
{
    size_t told = 0, in_short = 0, begun = 0;
    bool same = true;
    matching_command command;
    begin(1);
    for (unsigned i = 0; i < COMMANDS && same; i++) {
        if (i % SPELL == 0) {
            watch(i / SPELL * 83); /* all sets of traders come */
        }
        same = next_command(i, &command);
        told += count_events(&d.engine, MATCHING_EVENT_ORDER);
        in_short += twin_count_changes(d.engine.twin, false);
        begun += twin_count_changes(d.engine.twin, true);
    }
    CU_ASSERT_TRUE(same);
    CU_ASSERT_TRUE(told > COMMANDS / 2);
    CU_ASSERT_TRUE(in_short > COMMANDS / 50);
    CU_ASSERT_TRUE(begun > COMMANDS / 1000);
    duel_fini(&d);
}

/* ---- In the middle of a command -------------------------------------------------------------- */

static fixture restless;
static matching_watch restless_watch;
static void (*empty_ring)(matching_event_sink *sink);
static uint64_t dice;
static unsigned changes;

/* What other threads do: each setting is one that ports could have made. */
static void change_watch(void)
{
    char name[MATCHING_TRADER_MAX + 1];
    dice = dice * UINT64_C(6364136223846793005) + 1442695040888963407u;
    unsigned what = (unsigned)(dice >> 40) % 16;
    memset(&restless_watch, 0, sizeof restless_watch);
    changes++;
    if (what == 0) {
        restless_watch.watchers = restless_watch.everybody = 1;
    } else if (what < 10) {
        name_of(what % TRADERS, name);
        restless_watch.watchers = restless_watch.buckets[bucket_of(name)] = 1;
    }
}

static void change_and_empty_ring(matching_event_sink *sink)
{
    change_watch();
    empty_ring(sink);
}

static void begin_restless(void)
{
    fixture_init_alone(&restless, &crowd.limits);
    for (uint16_t i = 0; i < crowd.limits.instruments; i++) {
        fixture_set_instrument(&restless, i, duel_tick_size(i), duel_lot_size(i));
    }
    empty_ring = restless.sink.make_room;
    restless.sink.make_room = change_and_empty_ring;
    restless.sink.watch = &restless_watch;
    dice = 1;
    changes = 0;
}

static bool same_event(const fixture_event *a, const fixture_event *b)
{
    return a->event.kind == b->event.kind && a->event.instrument == b->event.instrument &&
           a->event.side == b->event.side && memcmp(&a->order, &b->order, sizeof a->order) == 0 &&
           (a->event.kind != MATCHING_EVENT_LEVEL
                ? memcmp(&a->event.trade, &b->event.trade, sizeof a->event.trade) == 0
                : a->event.level.total_lots == b->event.level.total_lots &&
                      a->event.level.price_ticks == b->event.level.price_ticks &&
                      a->event.level.depth_sequence == b->event.level.depth_sequence &&
                      a->event.level.orders == b->event.level.orders);
}

/* All that the other engine tells, in its order; of ORDER events perhaps only some. */
static bool tells_the_same(void)
{
    size_t next = 0;
    for (size_t i = 0; i < d.engine.event_count; i++) {
        const fixture_event *event = &d.engine.events[i];
        if (next < restless.event_count && same_event(event, &restless.events[next])) {
            next++;
        } else if (event->event.kind != MATCHING_EVENT_ORDER) {
            return false;
        }
    }
    return next == restless.event_count;
}

static bool does_the_same(matching_command command)
{
    uint32_t number = crowd.limits.max_traders;
    while (number > 0 && strncmp(matching_engine_trader(restless.engine, number), command.trader_id,
                                 MATCHING_TRADER_MAX) != 0) {
        number--;
    }
    command.trader_hint = number;
    fixture_apply_alone(&restless, command);
    const matching_reply *a = &d.engine.reply, *b = &restless.reply;
    return a->code == b->code && a->field == b->field && a->has_order == b->has_order &&
           memcmp(&a->order, &b->order, sizeof a->order) == 0 && tells_the_same() &&
           matching_engine_hash(restless.engine) == matching_engine_hash(d.engine.engine) &&
           matching_engine_check(restless.engine) == NULL;
}

static void test_watchers_come_and_go_within_commands(void)
{
    bool same = true;
    size_t wanted = 0, told = 0;
    matching_command command;
    begin(2);
    begin_restless();
    for (unsigned i = 0; i < COMMANDS && same; i++) {
        same = next_command(i, &command) &&
               (command.type >= MATCHING_READ_ORDER || does_the_same(command));
        wanted += count_events(&d.engine, MATCHING_EVENT_ORDER);
        told += count_events(&restless, MATCHING_EVENT_ORDER);
    }
    CU_ASSERT_TRUE(same);
    CU_ASSERT_TRUE(told > 0 && told < wanted);
    CU_ASSERT_TRUE(changes > COMMANDS / 8);
    fixture_fini(&restless);
    duel_fini(&d);
}

MATCHING_TESTS(MATCHING_TEST(test_several_traders_are_watched),
               MATCHING_TEST(test_watchers_come_and_go_within_commands))
