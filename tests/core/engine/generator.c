/* See generator.h. Mostly sensible commands, some absurd ones; the same seed gives the same
 * commands as long as the duel goes the same way.
 */
#include "generator.h"

#include <stdio.h>
#include <string.h>

#include "twin.h"

#define SEASON 400u /* commands between two changes of what they are like */

/* SplitMix64, Steele, Lea and Flood 2014: any seed is as good as any other. */
static uint64_t next_random(generator *r)
{
    uint64_t z = r->random_state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static uint64_t below(generator *r, uint64_t bound)
{
    return next_random(r) % bound;
}

static bool chance(generator *r, unsigned percent)
{
    return below(r, 100) < percent;
}

/* Where pages of 32 prices meet; also such as are 32 pages apart, and the ends. */
static int64_t page_price(generator *r, unsigned side)
{
    enum { LOW = 6, HIGH = 6 };
    static const int64_t edges[LOW + HIGH] = {1,
                                              32,
                                              64,
                                              1024,
                                              1056,
                                              2048,
                                              MATCHING_TICKS_MAX / 2 + 1,
                                              MATCHING_TICKS_MAX / 2 + 1025,
                                              MATCHING_TICKS_MAX - 1055,
                                              MATCHING_TICKS_MAX - 1023,
                                              MATCHING_TICKS_MAX - 31,
                                              MATCHING_TICKS_MAX};
    uint64_t first = 0, count = LOW + HIGH;
    if (chance(r, r->market->passive)) {
        first = side == MATCHING_BUY ? 0 : LOW;
        count = side == MATCHING_BUY ? LOW : HIGH;
    }
    int64_t price = edges[first + below(r, count)] - 1 + (int64_t)below(r, 3);
    return price < 1 ? 1 : price > MATCHING_TICKS_MAX ? MATCHING_TICKS_MAX : price;
}

static int64_t random_price(generator *r, unsigned side)
{
    const market *m = r->market;
    if (m->pages) {
        return page_price(r, side);
    }
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

/* Stops mostly wait for the price to come to them: on the other side of the middle. */
static int64_t random_stop_price(generator *r, unsigned side)
{
    return random_price(r, chance(r, 70) ? !side : side);
}

/* At least a thousandth of the quantity, often not much more. */
static int64_t random_display(generator *r, int64_t quantity)
{
    int64_t least = (quantity + 999) / 1000;
    uint64_t span = chance(r, 70) ? 4 : (uint64_t)(quantity - least) + 3;
    int64_t display = least + (int64_t)below(r, span);
    return display > MATCHING_LOTS_MAX ? MATCHING_LOTS_MAX : display;
}

static int64_t random_quantity(generator *r)
{
    if (r->market->extreme && chance(r, 80)) {
        static const int64_t edges[] = {
            1, 2, 1000, MATCHING_LOTS_MAX / 2, MATCHING_LOTS_MAX - 1, MATCHING_LOTS_MAX};
        return edges[below(r, sizeof edges / sizeof edges[0])];
    }
    return 1 + (int64_t)below(r, (uint64_t)r->market->quantity_high);
}

/* Names of the full length among them: 32 and 36 characters have no NUL in a command. */
static void random_name(generator *r, char name[MATCHING_TRADER_MAX + 1])
{
    unsigned number = (unsigned)below(r, r->market->traders);
    if (number == 0) {
        strcpy(name, "trader-with-a-name-of-32-letters");
    } else {
        snprintf(name, MATCHING_TRADER_MAX + 1, "t%u", number);
    }
}

static void random_trader(generator *r, matching_command *command)
{
    char name[MATCHING_TRADER_MAX + 1];
    random_name(r, name);
    set_trader(command, name);
}

void generator_watch(generator *r)
{
    unsigned dice = (unsigned)below(r, 100);
    twin_watch_nobody(r->duel->engine.twin);
    if (dice < 10) {
        twin_watch(r->duel->engine.twin, NULL);
    } else if (dice < 50) {
        char name[MATCHING_TRADER_MAX + 1];
        random_name(r, name);
        (dice < 30 ? twin_watch : twin_follow)(r->duel->engine.twin, name);
    }
}

static void random_client_id(generator *r, matching_command *command)
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

/* Sometimes over already, mostly soon. */
static uint64_t random_expiry(generator *r)
{
    return r->duel->engine.time_ns / 1000000 + below(r, 60);
}

static void make_stop(generator *r, matching_command *c)
{
    static const uint8_t mix[] = {MATCHING_GTC, MATCHING_GTC, MATCHING_GTC,
                                  MATCHING_IOC, MATCHING_FOK, MATCHING_GTD};
    c->order_type = chance(r, 50) ? MATCHING_STOP : MATCHING_STOP_LIMIT;
    c->stop_price_ticks = random_stop_price(r, c->side);
    c->price_ticks = c->order_type == MATCHING_STOP ? 0 : random_price(r, c->side);
    c->time_in_force = mix[below(r, sizeof mix)];
}

static void make_limit(generator *r, matching_command *c)
{
    static const uint8_t mix[] = {MATCHING_GTC, MATCHING_GTC, MATCHING_GTC,
                                  MATCHING_GTC, MATCHING_GTC, MATCHING_GTD,
                                  MATCHING_GTD, MATCHING_IOC, MATCHING_FOK};
    c->order_type = MATCHING_LIMIT;
    c->price_ticks = random_price(r, c->side);
    c->time_in_force = mix[below(r, sizeof mix)];
    if (c->time_in_force != MATCHING_IOC && c->time_in_force != MATCHING_FOK && chance(r, 15)) {
        c->flags |= MATCHING_FLAG_POST_ONLY;
    }
    if (chance(r, 30)) {
        c->display_lots = random_display(r, c->quantity_lots);
    }
}

/* What the engine has a short way for. */
static void make_plain(generator *r, matching_command *c)
{
    unsigned dice = (unsigned)below(r, 100);
    c->order_type = dice < 8 ? MATCHING_MARKET : MATCHING_LIMIT;
    c->time_in_force = dice < 20 ? MATCHING_IOC : MATCHING_GTC;
    c->side = (uint8_t)below(r, 2);
    c->quantity_lots = random_quantity(r);
    c->price_ticks = c->order_type == MATCHING_MARKET ? 0 : random_price(r, c->side);
}

static void make_place(generator *r, matching_command *c)
{
    c->type = MATCHING_PLACE;
    random_trader(r, c);
    if (chance(r, 5)) {
        c->trader_hint = chance(r, 10) ? UINT32_MAX : (uint32_t)below(r, r->market->traders + 3);
    }
    if (chance(r, 20)) {
        c->flags |= MATCHING_FLAG_GUARDED;
    }
    if (r->calm && chance(r, 95)) {
        make_plain(r, c);
        return;
    }
    if (r->market->client_ids > 0 && chance(r, 40)) {
        random_client_id(r, c);
    }
    c->side = (uint8_t)below(r, 2);
    c->quantity_lots = random_quantity(r);
    c->self_trade = chance(r, 40) ? (uint8_t)below(r, 4) : MATCHING_STP_NONE;
    unsigned dice = (unsigned)below(r, 100);
    if (dice < 10) {
        c->order_type = MATCHING_MARKET;
        c->time_in_force = chance(r, 70) ? MATCHING_IOC : MATCHING_FOK;
    } else if (dice < 10 + (r->market->stops != 0 ? r->market->stops : 18)) {
        make_stop(r, c);
    } else {
        make_limit(r, c);
    }
    if (c->time_in_force == MATCHING_GTD) {
        c->expire_time_ms = random_expiry(r);
    }
}

/* A stop that waits: as long as there is one in a book, nothing about it is plain. */
static const matching_order *find_stop(const oracle *o)
{
    for (size_t i = 0; i < oracle_working_count(o); i++) {
        if (oracle_working(o, i)->status == MATCHING_UNTRIGGERED) {
            return oracle_working(o, i);
        }
    }
    return NULL;
}

/* An order to cancel, amend or read: mostly one that works, also ended, unknown and absurd
 * ones. Gives the order, NULL if it is none of the oracle's. */
static const matching_order *name_order(generator *r, matching_command *c)
{
    const oracle *o = r->duel->oracle;
    size_t working = oracle_working_count(o), ended = oracle_ended_count(o);
    const matching_order *order = r->calm && c->type == MATCHING_CANCEL ? find_stop(o) : NULL;
    if (order != NULL) {
        c->order_id = order->order_id;
        return order;
    }
    if (working > 0 && chance(r, 80)) {
        order = oracle_working(o, below(r, working));
    } else if (ended > 0 && chance(r, 80)) {
        size_t span = r->market->limits.retained_orders + 3;
        order = oracle_ended(o, below(r, ended < span ? ended : span));
    }
    if (order == NULL) {
        static const uint64_t odd[] = {1, 63, 64, MATCHING_ORDER_ID_MAX, UINT64_MAX, 1u << 31};
        c->order_id = chance(r, 50) ? odd[below(r, sizeof odd / sizeof odd[0])]
                                    : 1 + below(r, r->duel->last_order_id + 100);
        return NULL;
    }
    c->instrument = order->instrument;
    if (order->client_order_id[0] != 0 && chance(r, 50)) {
        set_trader(c, order->trader_id);
        set_client_id(c, order->client_order_id);
        return order;
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
    return order;
}

/* Mostly the exact decimal of a number of ticks or lots. */
static int64_t to_decimal(generator *r, int64_t value, int64_t size)
{
    if (value > INT64_MAX / size) {
        return chance(r, 50) ? INT64_MAX : INT64_MAX / size * size;
    }
    return value * size + (value != 0 && chance(r, 10) ? (int64_t)below(r, 3) : 0);
}

static void make_amend(generator *r, matching_command *c)
{
    c->type = MATCHING_AMEND;
    const matching_order *order = name_order(r, c);
    unsigned side = order != NULL ? order->side : MATCHING_BUY;
    bool waits = order != NULL && order->status == MATCHING_UNTRIGGERED;
    unsigned what = (unsigned)below(r, 3);
    if (what != 0) {
        c->price_ticks = random_price(r, side);
    }
    if (what != 1) {
        c->quantity_lots = random_quantity(r);
    }
    if (chance(r, waits ? 60 : 2)) {
        c->stop_price_ticks = random_stop_price(r, side);
        c->price_ticks = chance(r, 50) ? 0 : c->price_ticks;
    }
    if (chance(r, 25)) {
        c->flags |= MATCHING_FLAG_OPEN_QUANTITY;
    }
    if (c->order_id != 0 && chance(r, 25)) {
        c->flags |= MATCHING_FLAG_DECIMALS;
        c->price_ticks = to_decimal(r, c->price_ticks, duel_tick_size(c->instrument));
        c->stop_price_ticks = to_decimal(r, c->stop_price_ticks, duel_tick_size(c->instrument));
        c->quantity_lots = to_decimal(r, c->quantity_lots, duel_lot_size(c->instrument));
    }
}

static void make_read(generator *r, matching_command *c)
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
    if (c->type == MATCHING_READ_OPEN_ORDERS && c->limit % 2 == 0) { /* a page of them */
        c->order_id = c->limit * r->duel->last_order_id / r->market->limits.max_orders;
    }
    if (c->type == MATCHING_READ_ORDERS) {
        static const uint8_t filters[] = {
            MATCHING_STATUS_ANY, MATCHING_STATUS_WORKING, MATCHING_OPEN,       MATCHING_PARTIAL,
            MATCHING_FILLED,     MATCHING_CANCELLED,      MATCHING_UNTRIGGERED};
        c->status = filters[below(r, sizeof filters)];
        c->order_id = chance(r, 50) ? below(r, r->duel->last_order_id + 2) : 0;
        if (r->market->client_ids > 0 && chance(r, 20)) {
            random_client_id(r, c);
        }
    }
}

/* The shard's own: no instrument, no trader. */
static void make_housekeeping(generator *r, matching_command *c)
{
    static const uint8_t mix[] = {MATCHING_TICK,           MATCHING_TICK,
                                  MATCHING_TICK,           MATCHING_RELEASE_GUARDS,
                                  MATCHING_CANCEL_GUARDED, MATCHING_SET_LIMITS};
    c->instrument = 0;
    c->type = mix[below(r, sizeof mix)];
    if (c->type == MATCHING_SET_LIMITS) {
        set_limits(c, &r->market->limits);
    }
}

matching_command generator_next(generator *r)
{
    matching_command c;
    memset(&c, 0, sizeof c);
    if (r->made++ % SEASON == 0) {
        r->calm = chance(r, r->market->calm);
    }
    c.instrument = (uint16_t)below(r, r->market->limits.instruments);
    if (chance(r, 15)) {
        c.time_ns = r->duel->engine.time_ns + 1 + below(r, 8000000);
    }
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
    } else if (dice < 930) {
        unsigned auctions = r->market->auctions != 0 ? r->market->auctions : 22;
        c.type = MATCHING_SET_STATE;
        c.state = r->calm               ? MATCHING_TRADING
                  : chance(r, auctions) ? MATCHING_AUCTION
                  : chance(r, 15)       ? MATCHING_HALTED
                                        : MATCHING_TRADING;
    } else if (dice < 940) {
        make_housekeeping(r, &c);
    } else {
        make_read(r, &c);
    }
    return c;
}
