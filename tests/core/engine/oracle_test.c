/* Random commands to the engine, to its twin and to the oracle, everything compared; then the same
 * commands to another engine, whose state hash must be the same.
 *
 * Each market below runs with fixed seeds and with a fresh one, which is printed. MATCHING_SEED=n
 * runs only that seed. MATCHING_SOAK=n (1 counts as 43) multiplies the number of commands and
 * takes ten seeds: with 43, ten times ten million commands over all markets.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "generator.h"
#include "support/cunit_main.h"

#define COMMANDS 25000u /* of one seed in one market */
#define SOAK_FACTOR 43u
#define SOAK_SEEDS 10u
#define CENTURY 1024u /* commands between two notes of the hash */
#define SPELL 100u    /* commands between two changes of who watches */

static const uint64_t fixed_seeds[] = {1, 20120621};

static const market markets[] = {
    {.name = "tight",
     .limits = {.instruments = 3,
                .max_orders = 64,
                .max_levels = 64,
                .max_traders = 8,
                .retained_orders = 16},
     .traders = 4,
     .client_ids = 6,
     .price_low = 95,
     .price_high = 105,
     .quantity_high = 20,
     .passive = 40,
     .calm = 30,
     .check_every = 1,
     .divisor = 1},
    {.name = "many levels",
     .limits = {.instruments = 1,
                .shard = 5,
                .shard_bits = 3,
                .max_orders = 200,
                .max_levels = 200,
                .max_traders = 4,
                .retained_orders = 1},
     .traders = 4,
     .client_ids = 0,
     .price_low = 1,
     .price_high = 150,
     .quantity_high = 5,
     .passive = 80,
     .calm = 40,
     .check_every = 1,
     .divisor = 1},
    {.name = "small limits",
     .limits = {.instruments = 2,
                .shard = 1,
                .shard_bits = 1,
                .max_orders = 10,
                .max_levels = 4,
                .max_traders = 3,
                .retained_orders = 0},
     .traders = 4,
     .client_ids = 3,
     .price_low = 10,
     .price_high = 15,
     .quantity_high = 9,
     .check_every = 1,
     .divisor = 1},
    {.name = "as many levels as orders",
     .limits = {.instruments = 1,
                .max_orders = 7,
                .max_levels = 7,
                .max_traders = 3,
                .retained_orders = 8},
     .traders = 3,
     .client_ids = 2,
     .price_low = 10,
     .price_high = 30,
     .quantity_high = 4,
     .check_every = 1,
     .divisor = 1},
    {.name = "extreme values",
     .limits = {.instruments = 2,
                .shard = 63,
                .shard_bits = 6,
                .max_orders = 50,
                .max_levels = 50,
                .max_traders = 4,
                .retained_orders = 200},
     .traders = 3,
     .client_ids = 4,
     .price_low = 1,
     .price_high = MATCHING_TICKS_MAX,
     .quantity_high = MATCHING_LOTS_MAX,
     .extreme = true,
     .check_every = 1,
     .divisor = 1},
    {.name = "auctions",
     .limits = {.instruments = 1,
                .max_orders = 120,
                .max_levels = 200,
                .max_traders = 4,
                .retained_orders = 40},
     .traders = 3,
     .client_ids = 2,
     .price_low = 100,
     .price_high = 112,
     .quantity_high = 30,
     .passive = 45,
     .auctions = 70,
     .check_every = 1,
     .divisor = 1},
    {.name = "cascades",
     .limits = {.instruments = 1,
                .max_orders = 150,
                .max_levels = 150,
                .max_traders = 6,
                .retained_orders = 40},
     .traders = 6,
     .client_ids = 2,
     .price_low = 100,
     .price_high = 130,
     .quantity_high = 12,
     .passive = 75,
     .stops = 50,
     .check_every = 1,
     .divisor = 1},
    {.name = "plain orders",
     .limits = {.instruments = 2,
                .shard_bits = 1,
                .max_orders = 150,
                .max_levels = 90,
                .max_traders = 6,
                .retained_orders = 20},
     .traders = 5,
     .client_ids = 3,
     .price_low = 58,
     .price_high = 69,
     .quantity_high = 12,
     .passive = 35,
     .calm = 85,
     .check_every = 1,
     .divisor = 1},
    {.name = "page ends",
     .limits = {.instruments = 2,
                .max_orders = 200,
                .max_levels = 130,
                .max_traders = 4,
                .retained_orders = 10},
     .traders = 4,
     .client_ids = 2,
     .price_low = 1,
     .price_high = MATCHING_TICKS_MAX,
     .quantity_high = 12,
     .passive = 55,
     .pages = true,
     .calm = 60,
     .check_every = 1,
     .divisor = 1},
    {.name = "large book",
     .limits = {.instruments = 2,
                .max_orders = 1500,
                .max_levels = 900,
                .max_traders = 50,
                .retained_orders = 500},
     .traders = 40,
     .client_ids = 50,
     .price_low = 10000,
     .price_high = 11000,
     .quantity_high = 1000,
     .passive = 95,
     .calm = 40,
     .check_every = 50,
     .divisor = 3},
};

typedef struct run {
    const market *market;
    uint64_t seed;
    generator generator;
    unsigned commands;
    duel duel;
    size_t most_orders;    /* working at once */
    matching_command *log; /* what was applied, reads left out */
    uint64_t *hashes;      /* after every CENTURY logged commands */
    unsigned logged;
} run;

static void tell(const run *r, unsigned index, const matching_command *c)
{
    printf("\n    market \"%s\", MATCHING_SEED=%" PRIu64 ", command %u:"
           "\n    type %u instrument %u order %" PRIu64 " side %u order_type %u tif %u flags %u"
           " stp %u state %u price %" PRId64 " stop %" PRId64 " quantity %" PRId64
           " display %" PRId64 " expire %" PRIu64 " trader '%.32s' client '%.40s'\n    %s\n",
           r->market->name, r->seed, index, c->type, c->instrument, c->order_id, c->side,
           c->order_type, c->time_in_force, c->flags, c->self_trade, c->state, c->price_ticks,
           c->stop_price_ticks, c->quantity_lots, c->display_lots, c->expire_time_ms, c->trader_id,
           c->client_order_id, r->duel.difference);
}

static bool fight(run *r)
{
    for (unsigned i = 0; i < r->commands; i++) {
        if (i % SPELL == 0) {
            generator_watch(&r->generator);
        }
        matching_command command = generator_next(&r->generator);
        bool check = i % r->market->check_every == 0;
        if (!duel_apply(&r->duel, &command, check)) {
            tell(r, i, &command);
            return false;
        }
        size_t working = oracle_working_count(r->duel.oracle);
        r->most_orders = working > r->most_orders ? working : r->most_orders;
        if (command.type < MATCHING_READ_ORDER) {
            r->log[r->logged++] = command;
            if (r->logged % CENTURY == 0) {
                r->hashes[r->logged / CENTURY] = matching_engine_hash(r->duel.engine.engine);
            }
        }
    }
    return true;
}

/* The reads were left out: had one changed anything, the hashes would differ. */
static bool replay(const run *r)
{
    fixture again;
    fixture_init_alone(&again, &r->duel.engine.limits);
    for (uint16_t i = 0; i < again.limits.instruments; i++) {
        fixture_set_instrument(&again, i, duel_tick_size(i), duel_lot_size(i));
    }
    bool same = true;
    for (unsigned i = 1; i <= r->logged && same; i++) {
        fixture_apply_alone(&again, r->log[i - 1]);
        if (i % CENTURY == 0) {
            same = matching_engine_hash(again.engine) == r->hashes[i / CENTURY];
        }
    }
    same =
        same && matching_engine_hash(again.engine) == matching_engine_hash(r->duel.engine.engine);
    if (!same) {
        printf("\n    market \"%s\", MATCHING_SEED=%" PRIu64 ": a replay gives another state\n",
               r->market->name, r->seed);
    }
    fixture_fini(&again);
    return same;
}

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    if (text == NULL || *text == 0) {
        return otherwise;
    }
    char *end;
    errno = 0;
    uint64_t value = strtoull(text, &end, 10);
    if (*end != 0 || errno != 0) {
        fprintf(stderr, "%s=%s is not a number\n", name, text);
        exit(EXIT_FAILURE);
    }
    return value;
}

/* Every rule is met in every market. Asked of the fixed seeds, whose commands never change: a fresh
 * one may miss something rare. */
static void check_reach(const duel *d, const market *m)
{
    CU_ASSERT_TRUE(d->trades > 0 && d->crosses > 0 && d->triggers > 0);
    for (unsigned i = MATCHING_REASON_USER; i <= MATCHING_REASON_DISCONNECT; i++) {
        CU_ASSERT_TRUE(d->reasons[i] > 0 || m->divisor > 1);
    }
}

static void run_seed(const market *m, uint64_t seed, const char *kind)
{
    bool is_fixed = strcmp(kind, "fixed") == 0;
    uint64_t soak = from_environment("MATCHING_SOAK", 0);
    run r = {.market = m, .seed = seed};
    r.generator =
        (generator){.market = m,
                    .duel = &r.duel,
                    .random_state = seed ^ (uint64_t)m->price_high << 32 ^ m->limits.max_orders};
    r.commands = COMMANDS / m->divisor * (unsigned)(soak == 1 ? SOAK_FACTOR : soak > 1 ? soak : 1);
    printf("\n    %s: %s seed %" PRIu64, m->name, kind, seed);
    fflush(stdout); /* the engine may end the program */
    duel_init(&r.duel, &m->limits);
    r.log = calloc(r.commands, sizeof *r.log);
    r.hashes = calloc(r.commands / CENTURY + 1, sizeof *r.hashes);
    CU_ASSERT_TRUE_FATAL(r.log != NULL && r.hashes != NULL);
    bool won = fight(&r);
    CU_ASSERT_TRUE(won);
    CU_ASSERT_TRUE(!won || replay(&r));
    if (is_fixed) {
        check_reach(&r.duel, m);
    }
    printf(", %u commands, %" PRIu64 " trades (%" PRIu64 " in auctions), %" PRIu64
           " stops triggered, %" PRIu64 " expiries, %" PRIu64 " self trades prevented, %" PRIu64
           " refusals (%" PRIu64 " BOOK_FULL), at most %zu orders",
           r.commands, r.duel.trades, r.duel.crosses, r.duel.triggers,
           r.duel.reasons[MATCHING_REASON_EXPIRED], r.duel.reasons[MATCHING_REASON_SELF_TRADE],
           r.logged - r.duel.codes[MATCHING_OK], r.duel.codes[MATCHING_BOOK_FULL], r.most_orders);
    duel_fini(&r.duel);
    free(r.log);
    free(r.hashes);
}

static void run_market(const char *name)
{
    const market *m = markets;
    while (strcmp(m->name, name) != 0) {
        m++;
    }
    uint64_t seed = from_environment("MATCHING_SEED", 0);
    if (seed != 0) {
        run_seed(m, seed, "given");
        return;
    }
    for (size_t i = 0; i < sizeof fixed_seeds / sizeof fixed_seeds[0]; i++) {
        run_seed(m, fixed_seeds[i], "fixed");
    }
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t fresh =
        ((uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000) ^ (uint64_t)getpid();
    unsigned count = from_environment("MATCHING_SOAK", 0) == 0
                         ? 1
                         : SOAK_SEEDS - (unsigned)(sizeof fixed_seeds / sizeof fixed_seeds[0]);
    for (unsigned i = 0; i < count; i++) {
        run_seed(m, fresh + i, "fresh");
    }
}

static void test_tight_prices(void)
{
    run_market("tight");
}

static void test_many_levels(void)
{
    run_market("many levels");
}

static void test_small_limits(void)
{
    run_market("small limits");
}

static void test_as_many_levels_as_orders(void)
{
    run_market("as many levels as orders");
}

static void test_extreme_values(void)
{
    run_market("extreme values");
}

static void test_auctions(void)
{
    run_market("auctions");
}

static void test_cascades(void)
{
    run_market("cascades");
}

static void test_plain_orders(void)
{
    run_market("plain orders");
}

static void test_page_ends(void)
{
    run_market("page ends");
}

static void test_large_book(void)
{
    run_market("large book");
}

MATCHING_TESTS(MATCHING_TEST(test_tight_prices), MATCHING_TEST(test_many_levels),
               MATCHING_TEST(test_small_limits), MATCHING_TEST(test_as_many_levels_as_orders),
               MATCHING_TEST(test_extreme_values), MATCHING_TEST(test_auctions),
               MATCHING_TEST(test_cascades), MATCHING_TEST(test_plain_orders),
               MATCHING_TEST(test_page_ends), MATCHING_TEST(test_large_book))
