/* Random commands to the engine and to the oracle, everything compared; then the same commands to a
 * second engine, whose state hash must be the same.
 *
 * Each market below runs with fixed seeds and with a fresh one, which is printed. MATCHING_SEED=n
 * runs only that seed. MATCHING_SOAK=n (1 counts as 50) multiplies the number of commands.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "duel.h"
#include "support/cunit_main.h"

#define COMMANDS 25000u /* of one seed in one market */
#define SOAK_FACTOR 50u
#define CENTURY 1024u /* commands between two notes of the hash */

static const uint64_t fixed_seeds[] = {1, 20120621};

typedef struct market {
    const char *name;
    matching_engine_limits limits;
    unsigned traders;    /* names in use, may be more than the limit */
    unsigned client_ids; /* names in use, 0: none */
    int64_t price_low, price_high;
    int64_t quantity_high;
    unsigned passive;     /* percent of prices on the order's own side of the middle */
    bool extreme;         /* prices and quantities at the ends of their range */
    unsigned check_every; /* commands between two walks of all invariants */
    unsigned divisor;     /* fewer commands than usual */
} market;

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
     .check_every = 50,
     .divisor = 3},
};

typedef struct run {
    const market *market;
    uint64_t seed, random_state;
    unsigned commands;
    duel duel;
    size_t most_orders;    /* working at once */
    matching_command *log; /* what was applied, reads left out */
    uint64_t *hashes;      /* after every CENTURY logged commands */
    unsigned logged;
} run;

/* SplitMix64, Steele, Lea and Flood 2014: any seed is as good as any other. */
static uint64_t next_random(run *r)
{
    uint64_t z = r->random_state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static uint64_t below(run *r, uint64_t bound)
{
    return next_random(r) % bound;
}

static bool chance(run *r, unsigned percent)
{
    return below(r, 100) < percent;
}

static int64_t random_price(run *r, unsigned side)
{
    const market *m = r->market;
    if (m->extreme && chance(r, 90)) {
        static const int64_t edges[] = {1,
                                        2,
                                        3,
                                        MATCHING_TICKS_MAX / 2,
                                        MATCHING_TICKS_MAX - 2,
                                        MATCHING_TICKS_MAX - 1,
                                        MATCHING_TICKS_MAX};
        return edges[below(r, sizeof edges / sizeof edges[0])];
    }
    int64_t low = m->price_low, high = m->price_high, middle = low + (high - low) / 2;
    if (chance(r, m->passive)) {
        low = side == MATCHING_SELL ? middle + 1 : low;
        high = side == MATCHING_BUY ? middle : high;
    }
    return low + (int64_t)below(r, (uint64_t)(high - low) + 1);
}

static int64_t random_quantity(run *r)
{
    if (r->market->extreme && chance(r, 80)) {
        static const int64_t edges[] = {
            1, 2, 1000, MATCHING_LOTS_MAX / 2, MATCHING_LOTS_MAX - 1, MATCHING_LOTS_MAX};
        return edges[below(r, sizeof edges / sizeof edges[0])];
    }
    return 1 + (int64_t)below(r, (uint64_t)r->market->quantity_high);
}

/* Names of the full length among them: 32 and 36 characters have no NUL in a command. */
static void random_trader(run *r, matching_command *command)
{
    char name[MATCHING_TRADER_MAX + 1];
    unsigned number = (unsigned)below(r, r->market->traders);
    if (number == 0) {
        snprintf(name, sizeof name, "%s", "trader-with-a-name-of-32-letters");
    } else {
        snprintf(name, sizeof name, "t%u", number);
    }
    set_trader(command, name);
}

static void random_client_id(run *r, matching_command *command)
{
    char id[MATCHING_CLIENT_ID_MAX + 1];
    unsigned number = (unsigned)below(r, r->market->client_ids);
    if (number == 0) {
        snprintf(id, sizeof id, "%s", "a client order id of 36 characters.!");
    } else {
        snprintf(id, sizeof id, "c%u", number);
    }
    set_client_id(command, id);
}

static void make_place(run *r, matching_command *c)
{
    c->type = MATCHING_PLACE;
    random_trader(r, c);
    if (r->market->client_ids > 0 && chance(r, 40)) {
        random_client_id(r, c);
    }
    c->side = (uint8_t)below(r, 2);
    c->quantity_lots = random_quantity(r);
    if (chance(r, 12)) {
        c->order_type = MATCHING_MARKET;
        c->time_in_force = chance(r, 70) ? MATCHING_IOC : MATCHING_FOK;
        return;
    }
    c->order_type = MATCHING_LIMIT;
    c->price_ticks = random_price(r, c->side);
    static const uint8_t mix[] = {MATCHING_GTC, MATCHING_GTC, MATCHING_GTC, MATCHING_GTC,
                                  MATCHING_GTC, MATCHING_GTC, MATCHING_IOC, MATCHING_FOK};
    c->time_in_force = mix[below(r, sizeof mix)];
    if (c->time_in_force == MATCHING_GTC && chance(r, 15)) {
        c->flags |= MATCHING_FLAG_POST_ONLY;
    }
}

/* An order to cancel, amend or read: mostly one that works, also ended, unknown and absurd
 * ones. Gives its side. */
static unsigned name_order(run *r, matching_command *c)
{
    const oracle *o = r->duel.oracle;
    size_t working = oracle_working_count(o), ended = oracle_ended_count(o);
    const matching_order *order = NULL;
    if (working > 0 && chance(r, 80)) {
        order = oracle_working(o, below(r, working));
    } else if (ended > 0 && chance(r, 80)) {
        size_t span = r->market->limits.retained_orders + 3;
        order = oracle_ended(o, below(r, ended < span ? ended : span));
    }
    if (order == NULL) {
        static const uint64_t odd[] = {1, 63, 64, MATCHING_ORDER_ID_MAX, UINT64_MAX, 1u << 31};
        c->order_id = chance(r, 50) ? odd[below(r, sizeof odd / sizeof odd[0])]
                                    : 1 + below(r, r->duel.last_order_id + 100);
        return MATCHING_BUY;
    }
    c->instrument = order->instrument;
    if (order->client_order_id[0] != 0 && chance(r, 50)) {
        set_trader(c, order->trader_id);
        set_client_id(c, order->client_order_id);
        return order->side;
    }
    c->order_id = order->order_id;
    if (chance(r, 40)) {
        set_trader(c, order->trader_id);
    } else if (chance(r, 15)) {
        random_trader(r, c);
    }
    if (chance(r, 20)) {
        c->flags |= MATCHING_FLAG_HAS_SYMBOL;
    }
    if (chance(r, 10)) {
        c->instrument = (uint16_t)below(r, r->market->limits.instruments);
    }
    if (chance(r, 3)) {
        c->order_id ^= UINT64_C(1) << below(r, 53);
        c->order_id += c->order_id == 0;
    }
    return order->side;
}

/* Mostly the exact decimal of a number of ticks or lots. */
static int64_t to_decimal(run *r, int64_t value, int64_t size)
{
    if (value > INT64_MAX / size) {
        return chance(r, 50) ? INT64_MAX : INT64_MAX / size * size;
    }
    return value * size + (value != 0 && chance(r, 10) ? (int64_t)below(r, 3) : 0);
}

static void make_amend(run *r, matching_command *c)
{
    c->type = MATCHING_AMEND;
    unsigned side = name_order(r, c);
    unsigned what = (unsigned)below(r, 3);
    if (what != 0) {
        c->price_ticks = random_price(r, side);
    }
    if (what != 1) {
        c->quantity_lots = random_quantity(r);
    }
    if (chance(r, 2)) {
        c->stop_price_ticks = random_price(r, side);
    }
    if (c->order_id != 0 && chance(r, 25)) {
        c->flags |= MATCHING_FLAG_DECIMALS;
        c->price_ticks = to_decimal(r, c->price_ticks, duel_tick_size(c->instrument));
        c->quantity_lots = to_decimal(r, c->quantity_lots, duel_lot_size(c->instrument));
    }
}

static void make_read(run *r, matching_command *c)
{
    unsigned what = (unsigned)below(r, 4);
    if (what < 2) {
        c->type = MATCHING_READ_ORDER;
        name_order(r, c);
        return;
    }
    c->type = what == 2 ? MATCHING_READ_OPEN_ORDERS : MATCHING_READ_ORDERS;
    c->limit = 1 + (uint32_t)below(r, r->market->limits.max_orders);
    c->status = MATCHING_STATUS_ANY;
    if (c->type == MATCHING_READ_OPEN_ORDERS || chance(r, 60)) {
        random_trader(r, c);
    }
    if (chance(r, 50)) {
        c->flags |= MATCHING_FLAG_ALL_SYMBOLS;
    }
    if (c->type == MATCHING_READ_ORDERS) {
        static const uint8_t filters[] = {MATCHING_STATUS_ANY, MATCHING_STATUS_WORKING,
                                          MATCHING_OPEN,       MATCHING_PARTIAL,
                                          MATCHING_FILLED,     MATCHING_CANCELLED};
        c->status = filters[below(r, sizeof filters)];
        c->order_id = chance(r, 50) ? below(r, r->duel.last_order_id + 2) : 0;
        if (r->market->client_ids > 0 && chance(r, 20)) {
            random_client_id(r, c);
        }
    }
}

static matching_command random_command(run *r)
{
    matching_command c;
    memset(&c, 0, sizeof c);
    c.instrument = (uint16_t)below(r, r->market->limits.instruments);
    unsigned dice = (unsigned)below(r, 1000);
    if (dice < 600) {
        make_place(r, &c);
    } else if (dice < 730) {
        c.type = MATCHING_CANCEL;
        c.reason = chance(r, 90) ? MATCHING_REASON_USER : MATCHING_REASON_DISCONNECT;
        name_order(r, &c);
    } else if (dice < 900) {
        make_amend(r, &c);
    } else if (dice < 904) {
        c.type = MATCHING_CANCEL_ALL;
        c.reason = MATCHING_REASON_MASS_CANCEL;
        c.flags = chance(r, 50) ? MATCHING_FLAG_ALL_SYMBOLS : 0;
        random_trader(r, &c);
    } else if (dice < 920) {
        c.type = MATCHING_SET_STATE;
        c.state = chance(r, 12) ? MATCHING_HALTED : MATCHING_TRADING;
    } else {
        make_read(r, &c);
    }
    return c;
}

static void tell(const run *r, unsigned index, const matching_command *c)
{
    printf("\n    market \"%s\", MATCHING_SEED=%" PRIu64 ", command %u:"
           "\n    type %u instrument %u order %" PRIu64 " side %u order_type %u tif %u flags %u"
           " price %" PRId64 " quantity %" PRId64 " trader '%.32s' client '%.40s'\n    %s\n",
           r->market->name, r->seed, index, c->type, c->instrument, c->order_id, c->side,
           c->order_type, c->time_in_force, c->flags, c->price_ticks, c->quantity_lots,
           c->trader_id, c->client_order_id, r->duel.difference);
}

static bool fight(run *r)
{
    for (unsigned i = 0; i < r->commands; i++) {
        matching_command command = random_command(r);
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
    fixture_init(&again, &r->duel.engine.limits);
    for (uint16_t i = 0; i < again.limits.instruments; i++) {
        matching_engine_set_instrument(again.engine, i, duel_tick_size(i), duel_lot_size(i));
    }
    bool same = true;
    for (unsigned i = 1; i <= r->logged && same; i++) {
        fixture_apply_unchecked(&again, r->log[i - 1]);
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

static void run_seed(const market *m, uint64_t seed, const char *kind)
{
    uint64_t soak = from_environment("MATCHING_SOAK", 0);
    run r = {.market = m, .seed = seed};
    r.random_state = seed ^ (uint64_t)m->price_high << 32 ^ m->limits.max_orders;
    r.commands = COMMANDS / m->divisor * (unsigned)(soak == 1 ? SOAK_FACTOR : soak > 1 ? soak : 1);
    duel_init(&r.duel, &m->limits);
    r.log = calloc(r.commands, sizeof *r.log);
    r.hashes = calloc(r.commands / CENTURY + 1, sizeof *r.hashes);
    CU_ASSERT_TRUE_FATAL(r.log != NULL && r.hashes != NULL);
    bool won = fight(&r);
    CU_ASSERT_TRUE(won);
    CU_ASSERT_TRUE(!won || replay(&r));
    CU_ASSERT_TRUE(r.duel.trades > 0);
    printf("\n    %s: %s seed %" PRIu64 ", %u commands, %" PRIu64 " trades, %" PRIu64 " refusals"
           " (%" PRIu64 " BOOK_FULL), at most %zu orders",
           m->name, kind, seed, r.commands, r.duel.trades, r.logged - r.duel.codes[MATCHING_OK],
           r.duel.codes[MATCHING_BOOK_FULL], r.most_orders);
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
    run_seed(m,
             ((uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000) ^ (uint64_t)getpid(),
             "fresh");
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

static void test_large_book(void)
{
    run_market("large book");
}

MATCHING_TESTS(MATCHING_TEST(test_tight_prices), MATCHING_TEST(test_many_levels),
               MATCHING_TEST(test_small_limits), MATCHING_TEST(test_as_many_levels_as_orders),
               MATCHING_TEST(test_extreme_values), MATCHING_TEST(test_large_book))
