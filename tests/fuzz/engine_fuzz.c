/* Fuzz target: any bytes as commands, to the engine and to the oracle.
 *
 * What must hold: no difference between the two (core/engine/duel.h) and every invariant after each
 * command; and the same commands once more, to a second engine, lead to the same state hash.
 *
 * The first byte chooses the limits (bits 0-1), where prices lie (bits 2-5) and whether the second
 * engine comes in (bit 6 clear). Then come commands.
 * Each begins with a byte of its kind (bits 0-3), side (4), instrument (5) and trader (6-7);
 * `makers` below has the kinds, and each maker takes the few bytes more that its kind needs.
 * Missing bytes are 0. Prices and quantities are numbers of a small grid, so that orders meet; the
 * last of them are the ends of their ranges.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine/duel.h"

#define COMMANDS_MAX 160 /* of one input: what comes behind is not looked at */
#define GRID 32          /* prices of the grid */

typedef struct input {
    const uint8_t *data;
    size_t size, at;
    unsigned where; /* prices of the grid */
    uint8_t head;   /* the command's first byte */
    duel *duel;
    matching_command command;
    matching_command repeated; /* the newest PLACE */
    unsigned repeats;          /* commands that are still to be made of it */
    uint64_t leap_ns;          /* the next command comes that much later */
} input;

static uint8_t take(input *in)
{
    return in->at < in->size ? in->data[in->at++] : 0;
}

/* ---- values ---------------------------------------------------------------------------------- */

/* Neighbours, the ends of the range, and steps that lead from one group of prices to the next,
 * however a book groups them. */
static int64_t grid_price(unsigned where, unsigned index)
{
    static const struct {
        int64_t first, step;
    } grids[16] = {{95, 1},
                   {1, 1},
                   {48, 1},
                   {240, 2},
                   {1000, 7},
                   {4080, 1},
                   {65520, 1},
                   {50000, 63},
                   {1 << 20, 64},
                   {1, 65},
                   {1, 511},
                   {4096, 4096},
                   {1000000007, 1 << 24},
                   {(INT64_C(1) << 40) - 16, 1},
                   {MATCHING_TICKS_MAX - GRID + 1, 1},
                   {1, MATCHING_TICKS_MAX / GRID}};
    return grids[where].first + (int64_t)index * grids[where].step;
}

static int64_t take_price(input *in)
{
    static const int64_t edges[] = {1,
                                    2,
                                    64,
                                    MATCHING_TICKS_MAX / 2,
                                    MATCHING_TICKS_MAX / 2 + 1,
                                    MATCHING_TICKS_MAX - 64,
                                    MATCHING_TICKS_MAX - 1,
                                    MATCHING_TICKS_MAX};
    uint8_t byte = take(in);
    return byte < 0xF8 ? grid_price(in->where, byte % GRID) : edges[byte - 0xF8];
}

static int64_t take_quantity(input *in)
{
    static const int64_t edges[] = {999,
                                    1000,
                                    1001,
                                    1000000,
                                    MATCHING_LOTS_MAX / 2,
                                    MATCHING_LOTS_MAX / 2 + 1,
                                    MATCHING_LOTS_MAX - 1,
                                    MATCHING_LOTS_MAX};
    uint8_t byte = take(in);
    return byte < 0xF8 ? 1 + byte % 16 : edges[byte - 0xF8];
}

/* At least a thousandth of the quantity. */
static int64_t take_display(input *in, int64_t quantity)
{
    int64_t display = (quantity + 999) / 1000 + take(in) % 16;
    return display < MATCHING_LOTS_MAX ? display : MATCHING_LOTS_MAX;
}

static void set_numbered_trader(matching_command *c, unsigned number)
{
    static const char *const names[] = {"a", "bb", "c.3", "trader-with-a-name-of-32-letters"};
    set_trader(c, names[number]);
}

static void set_numbered_client_id(matching_command *c, unsigned number)
{
    static const char *const ids[] = {"1", "a client order id of 36 characters.!", "x", "yy"};
    set_client_id(c, ids[number]);
}

/* ---- new orders ------------------------------------------------------------------------------ */

static void start_place(input *in, matching_order_type type)
{
    matching_command *c = &in->command;
    c->type = MATCHING_PLACE;
    c->order_type = (uint8_t)type;
    c->time_in_force = MATCHING_GTC;
    set_numbered_trader(c, in->head >> 6);
}

/* Time in force (bits 0-1), self-trade prevention (2-3), post_only (4), display (5), client id
 * (6-7); what does not go with the type is left out. */
static void take_options(input *in)
{
    matching_command *c = &in->command;
    uint8_t options = take(in);
    c->time_in_force = options & 3;
    c->self_trade = options >> 2 & 3;
    bool rests = c->time_in_force == MATCHING_GTC || c->time_in_force == MATCHING_GTD;
    if (c->order_type == MATCHING_MARKET && c->time_in_force != MATCHING_FOK) {
        c->time_in_force = MATCHING_IOC;
    }
    if (c->order_type == MATCHING_LIMIT && rests && (options & 16)) {
        c->flags |= MATCHING_FLAG_POST_ONLY;
    }
    if (c->order_type == MATCHING_LIMIT && (options & 32)) {
        c->display_lots = take_display(in, c->quantity_lots);
    }
    if (options >> 6 != 0) {
        set_numbered_client_id(c, options >> 6);
    }
    if (c->time_in_force == MATCHING_GTD) {
        uint8_t later = take(in);
        c->expire_time_ms =
            later == 255 ? MATCHING_ORDER_ID_MAX : now_ms(&in->duel->engine) + later % 64;
    }
}

static void make_limit(input *in)
{
    start_place(in, MATCHING_LIMIT);
    in->command.price_ticks = take_price(in);
    in->command.quantity_lots = take_quantity(in);
}

static void make_limit_with_options(input *in)
{
    make_limit(in);
    take_options(in);
}

static void make_guarded_limit(input *in)
{
    make_limit_with_options(in);
    in->command.flags |= MATCHING_FLAG_GUARDED;
}

static void make_market(input *in)
{
    start_place(in, MATCHING_MARKET);
    in->command.quantity_lots = take_quantity(in);
    take_options(in);
}

static void make_stop(input *in)
{
    start_place(in, MATCHING_STOP);
    in->command.stop_price_ticks = take_price(in);
    in->command.quantity_lots = take_quantity(in);
    take_options(in);
}

static void make_stop_limit(input *in)
{
    start_place(in, MATCHING_STOP_LIMIT);
    in->command.stop_price_ticks = take_price(in);
    in->command.price_ticks = take_price(in);
    in->command.quantity_lots = take_quantity(in);
    take_options(in);
}

/* The newest order up to 16 times again, each at the next price: up, or down for side 1. */
static void make_repeat(input *in)
{
    in->repeats = in->repeated.type == MATCHING_PLACE ? 1 + take(in) % 16 : 0;
}

static int64_t next_price(const input *in, int64_t price)
{
    int64_t step = grid_price(in->where, 1) - grid_price(in->where, 0);
    int64_t next = in->head & 16 ? price - step : price + step;
    return price == 0 || next < 1 || next > MATCHING_TICKS_MAX ? price : next;
}

static void repeat(input *in)
{
    matching_command *c = &in->repeated;
    c->price_ticks = next_price(in, c->price_ticks);
    c->stop_price_ticks = next_price(in, c->stop_price_ticks);
    in->command = *c;
    in->repeats--;
}

/* ---- changes and reads ----------------------------------------------------------------------- */

/* A working order (below 192) or one that ended (below 240) by its number, else an odd id. It is
 * named by its id, by its id with the head's trader and instrument, or by its client id. */
static void take_order(input *in)
{
    static const uint64_t odd[] = {
        1, 2, 63, 64, 1u << 31, MATCHING_ORDER_ID_MAX, UINT64_MAX - 1, UINT64_MAX};
    matching_command *c = &in->command;
    const oracle *o = in->duel->oracle;
    uint8_t byte = take(in);
    size_t working = oracle_working_count(o), ended = oracle_ended_count(o);
    const matching_order *order = NULL;
    if (byte < 192 && working > 0) {
        order = oracle_working(o, (byte & 63) % working);
    } else if (byte >= 192 && byte < 240 && ended > 0) {
        order = oracle_ended(o, (byte & 15) % ended);
    }
    set_numbered_trader(c, in->head >> 6);
    if (order == NULL) {
        c->order_id = byte & 8 ? odd[byte & 7] : in->duel->last_order_id + 1 + (byte & 7);
        return;
    }
    unsigned how = byte < 192 ? byte >> 6 : (byte - 192) >> 4;
    if (how == 2) {
        c->instrument = order->instrument;
        set_trader(c, order->trader_id);
        set_client_id(c, order->client_order_id[0] != 0 ? order->client_order_id : "1");
        return;
    }
    c->order_id = order->order_id;
    if (how == 1) {
        c->flags |= MATCHING_FLAG_HAS_SYMBOL;
    } else {
        memset(c->trader_id, 0, sizeof c->trader_id);
    }
}

static void make_cancel(input *in)
{
    in->command.type = MATCHING_CANCEL;
    in->command.reason = in->head & 16 ? MATCHING_REASON_DISCONNECT : MATCHING_REASON_USER;
    take_order(in);
}

/* The decimal of a number of ticks or lots, or one beside it. */
static int64_t to_decimal(int64_t value, int64_t unit, bool beside)
{
    if (value == 0) {
        return 0;
    }
    return (value > INT64_MAX / unit ? INT64_MAX : value * unit) - (beside ? 1 : 0);
}

/* Price (bit 0), quantity (1), stop price (2); as decimals (3), which are no multiples (4-6); the
 * quantity is what shall be open (7). */
static void make_amend(input *in)
{
    matching_command *c = &in->command;
    c->type = MATCHING_AMEND;
    take_order(in);
    uint8_t what = take(in);
    what |= (what & 7) == 0 ? 2 : 0;
    c->price_ticks = what & 1 ? take_price(in) : 0;
    c->quantity_lots = what & 2 ? take_quantity(in) : 0;
    c->stop_price_ticks = what & 4 ? take_price(in) : 0;
    c->flags |= what & 128 ? MATCHING_FLAG_OPEN_QUANTITY : 0;
    if ((what & 8) && c->order_id != 0) {
        int64_t tick = duel_tick_size(c->instrument), lot = duel_lot_size(c->instrument);
        c->flags |= MATCHING_FLAG_DECIMALS;
        c->price_ticks = to_decimal(c->price_ticks, tick, what & 16);
        c->quantity_lots = to_decimal(c->quantity_lots, lot, what & 32);
        c->stop_price_ticks = to_decimal(c->stop_price_ticks, tick, what & 64);
    }
}

static void make_cancel_all(input *in)
{
    in->command.type = MATCHING_CANCEL_ALL;
    in->command.reason = MATCHING_REASON_MASS_CANCEL;
    in->command.flags = in->head & 16 ? MATCHING_FLAG_ALL_SYMBOLS : 0;
    set_numbered_trader(&in->command, in->head >> 6);
}

static void make_state(input *in)
{
    in->command.type = MATCHING_SET_STATE;
    in->command.state = (in->head >> 6) % 3;
}

/* The next command comes later, so that what is due expires before it. */
static void make_later(input *in)
{
    in->leap_ns = take(in) * UINT64_C(1000000);
}

/* What the shard says of itself: mostly a tick (the head's upper bits 0). */
static void make_own(input *in)
{
    static const uint8_t types[4] = {MATCHING_TICK, MATCHING_RELEASE_GUARDS,
                                     MATCHING_CANCEL_GUARDED, MATCHING_SET_LIMITS};
    make_later(in);
    in->command.type = types[in->head >> 6];
    in->command.instrument = 0;
    if (in->command.type == MATCHING_SET_LIMITS) {
        set_limits(&in->command, &in->duel->engine.limits);
    }
}

static void make_read(input *in)
{
    in->command.type = MATCHING_READ_ORDER;
    take_order(in);
}

static void make_read_open(input *in)
{
    in->command.type = MATCHING_READ_OPEN_ORDERS;
    in->command.limit = 1 + take(in) % 8;
    in->command.flags = in->head & 16 ? MATCHING_FLAG_ALL_SYMBOLS : 0;
    in->command.order_id = in->head & 32 ? in->duel->last_order_id / 2 : 0;
    set_numbered_trader(&in->command, in->head >> 6);
}

/* Filter (bits 0-2), of the trader (3), with a client id (4), from the middle (5), short (6). */
static void make_read_page(input *in)
{
    static const uint8_t filters[] = {
        MATCHING_STATUS_ANY, MATCHING_STATUS_WORKING, MATCHING_OPEN,        MATCHING_PARTIAL,
        MATCHING_FILLED,     MATCHING_CANCELLED,      MATCHING_UNTRIGGERED, MATCHING_STATUS_ANY};
    matching_command *c = &in->command;
    uint8_t what = take(in);
    c->type = MATCHING_READ_ORDERS;
    c->status = filters[what & 7];
    c->flags = in->head & 16 ? MATCHING_FLAG_ALL_SYMBOLS : 0;
    c->order_id = what & 32 ? in->duel->last_order_id / 2 : 0;
    c->limit = what & 64 ? 2 : 60;
    if (what & 8) {
        set_numbered_trader(c, in->head >> 6);
    }
    if (what & 16) {
        set_numbered_client_id(c, 1);
    }
}

/* ---- one input ------------------------------------------------------------------------------- */

/* By the lowest bits of a command's first byte. Makers that leave the type alone only prepare. */
static void (*const makers[16])(input *in) = {make_limit,      make_limit_with_options,
                                              make_market,     make_stop,
                                              make_stop_limit, make_repeat,
                                              make_cancel,     make_amend,
                                              make_cancel_all, make_state,
                                              make_own,        make_later,
                                              make_read,       make_read_open,
                                              make_read_page,  make_guarded_limit};

static bool next_command(input *in)
{
    if (in->repeats > 0) {
        repeat(in);
        return true;
    }
    do {
        if (in->at == in->size) {
            return false;
        }
        memset(&in->command, 0, sizeof in->command);
        in->head = take(in);
        in->command.side = in->head >> 4 & 1;
        in->command.instrument =
            (uint16_t)((in->head >> 5 & 1) % in->duel->engine.limits.instruments);
        makers[in->head & 15](in);
        if (in->repeats > 0) {
            repeat(in);
        }
    } while (in->command.type == MATCHING_COMMAND_NONE);
    if (in->command.type == MATCHING_PLACE) {
        in->repeated = in->command;
    }
    in->command.time_ns = in->leap_ns != 0 ? in->duel->engine.time_ns + in->leap_ns : 0;
    in->leap_ns = 0;
    return true;
}

_Noreturn static void fail(const input *in, unsigned count, const char *what)
{
    const matching_command *c = &in->command;
    fprintf(stderr,
            "command %u, at byte %zu: type %u order %llu side %u order_type %u tif %u flags %u\n"
            "price %lld stop %lld quantity %lld display %lld trader '%.32s' client '%.40s'\n%s\n",
            count, in->at, c->type, (unsigned long long)c->order_id, c->side, c->order_type,
            c->time_in_force, c->flags, (long long)c->price_ticks, (long long)c->stop_price_ticks,
            (long long)c->quantity_lots, (long long)c->display_lots, c->trader_id,
            c->client_order_id, what);
    abort();
}

static void run(duel *d, fixture *again, const uint8_t *data, size_t size)
{
    static matching_command log[COMMANDS_MAX];
    unsigned logged = 0;
    duel_reset(d);
    fixture_reset(again);
    for (uint16_t i = 0; i < again->limits.instruments; i++) {
        fixture_set_instrument(again, i, duel_tick_size(i), duel_lot_size(i));
    }
    input in = {.data = data, .size = size, .at = 1, .where = data[0] >> 2 & 15, .duel = d};
    for (unsigned i = 0; i < COMMANDS_MAX && next_command(&in); i++) {
        if (!duel_apply(d, &in.command, true)) {
            fail(&in, i, d->difference);
        }
        if (in.command.type < MATCHING_READ_ORDER) {
            log[logged++] = in.command;
        }
    }
    if (data[0] & 64) {
        return;
    }
    for (unsigned i = 0; i < logged; i++) {
        fixture_apply_alone(again, log[i]);
    }
    if (matching_engine_hash(again->engine) != matching_engine_hash(d->engine.engine)) {
        fail(&in, logged, "a replay gives another state");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* So small that inputs of a few dozen bytes reach each limit, and one that hardly ever is. */
    static const matching_engine_limits limits[4] = {{.instruments = 2,
                                                      .max_orders = 48,
                                                      .max_levels = 64,
                                                      .max_traders = 4,
                                                      .retained_orders = 12},
                                                     {.instruments = 2,
                                                      .shard = 1,
                                                      .shard_bits = 1,
                                                      .max_orders = 12,
                                                      .max_levels = 5,
                                                      .max_traders = 3,
                                                      .retained_orders = 2},
                                                     {.instruments = 1,
                                                      .shard = 63,
                                                      .shard_bits = 6,
                                                      .max_orders = 6,
                                                      .max_levels = 12,
                                                      .max_traders = 2,
                                                      .retained_orders = 0},
                                                     {.instruments = 1,
                                                      .max_orders = 1,
                                                      .max_levels = 1,
                                                      .max_traders = 1,
                                                      .retained_orders = 1}};
    static duel duels[4];
    static fixture replays[4];
    static bool ready;
    for (unsigned i = 0; !ready && i < 4; i++) {
        duel_init(&duels[i], &limits[i]);
        fixture_init_alone(&replays[i], &limits[i]);
    }
    ready = true;
    if (size > 0) {
        run(&duels[data[0] & 3], &replays[data[0] & 3], data, size);
    }
    return 0;
}
