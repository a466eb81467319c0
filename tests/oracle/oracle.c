/* The oracle's rules. See oracle.h for what it is for.
 *
 * Invariants: `working` holds every working order, in no meaningful order; priority is price, then
 * `arrival`, which an order gets anew whenever it joins the back of a level. A taker is in no array
 * while it matches. Not here: speed, bounded memory, anything learned from core/.
 *
 * Where a further rule goes: another reason to stop or to remove a maker belongs into match();
 * quantity that is not shown into oracle_lots_shown() and trade(); what happens after a command
 * into finish(); orders that wait for something else are working orders that best_maker() skips.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle_internal.h"

static void *need(void *memory)
{
    if (memory == NULL) {
        fprintf(stderr, "oracle: out of memory\n");
        abort();
    }
    return memory;
}

oracle *oracle_create(const oracle_limits *limits)
{
    oracle *o = need(calloc(1, sizeof *o));
    o->limits = *limits;
    o->markets = need(calloc(limits->instruments, sizeof *o->markets));
    o->ended = need(calloc(ENDED_MAX, sizeof *o->ended));
    o->traders = need(calloc(limits->max_traders + 1, sizeof *o->traders));
    for (uint32_t i = 0; i < limits->instruments; i++) {
        o->markets[i].tick_size = o->markets[i].lot_size = 1;
    }
    return o;
}

void oracle_set_instrument(oracle *o, uint16_t instrument, int64_t tick_size, int64_t lot_size)
{
    o->markets[instrument].tick_size = tick_size;
    o->markets[instrument].lot_size = lot_size;
}

void oracle_destroy(oracle *o)
{
    if (o != NULL) {
        free(o->markets);
        free(o->working);
        free(o->ended);
        free(o->traders);
        free(o->events);
        free(o);
    }
}

/* ---- small questions ---------------------------------------------------------------------- */

/* Would an order of this side and price (0: any) trade with a resting order at `maker_price`? */
static bool reaches(unsigned side, int64_t price, int64_t maker_price)
{
    if (price == 0) {
        return true;
    }
    return side == MATCHING_BUY ? maker_price <= price : maker_price >= price;
}

static record *best_maker(oracle *o, const matching_order *taker)
{
    record *best = NULL;
    for (size_t i = 0; i < o->working_count; i++) {
        record *r = &o->working[i];
        if (r->order.instrument != taker->instrument || r->order.side == taker->side ||
            !oracle_is_resting(r)) {
            continue;
        }
        if (best == NULL ||
            oracle_better(r->order.side, r->order.price_ticks, best->order.price_ticks) ||
            (r->order.price_ticks == best->order.price_ticks && r->arrival < best->arrival)) {
            best = r;
        }
    }
    return best;
}

static bool would_cross(oracle *o, const matching_order *order)
{
    const record *maker = best_maker(o, order);
    return maker != NULL && reaches(order->side, order->price_ticks, maker->order.price_ticks);
}

/* ---- events and the array of working orders ----------------------------------------------- */

static oracle_event *add_event(oracle *o, matching_event_kind kind, uint16_t instrument)
{
    if (o->event_count == o->event_room) {
        o->event_room = o->event_room * 2 + 64;
        o->events = need(realloc(o->events, o->event_room * sizeof *o->events));
    }
    oracle_event *event = &o->events[o->event_count++];
    memset(event, 0, sizeof *event);
    event->kind = (uint8_t)kind;
    event->instrument = instrument;
    return event;
}

static void tell_order(oracle *o, const record *r, uint64_t trade_id, int64_t price, int64_t lots)
{
    if (!o->silent) {
        oracle_event *event = add_event(o, MATCHING_EVENT_ORDER, r->order.instrument);
        event->side = r->order.side;
        event->trade_id = trade_id;
        event->price_ticks = price;
        event->quantity_lots = lots;
        event->order = r->order;
    }
}

static void tell_trade(oracle *o, const record *maker, const record *taker, uint64_t trade_id,
                       int64_t lots)
{
    if (!o->silent) {
        oracle_event *event = add_event(o, MATCHING_EVENT_TRADE, maker->order.instrument);
        event->side = taker->order.side;
        event->trade_id = trade_id;
        event->price_ticks = maker->order.price_ticks;
        event->quantity_lots = lots;
        event->maker_order_id = maker->order.order_id;
        event->taker_order_id = taker->order.order_id;
        memcpy(event->maker_trader, maker->order.trader_id, sizeof event->maker_trader);
        memcpy(event->taker_trader, taker->order.trader_id, sizeof event->taker_trader);
    }
}

/* The order joins the back of its price. */
static void add_working(oracle *o, const record *r)
{
    if (o->working_count == o->working_room) {
        o->working_room = o->working_room * 2 + 64;
        o->working = need(realloc(o->working, o->working_room * sizeof *o->working));
    }
    o->working[o->working_count] = *r;
    o->working[o->working_count].arrival = ++o->arrivals;
    o->working_count++;
}

static record take_working(oracle *o, record *r)
{
    record taken = *r;
    *r = o->working[--o->working_count];
    return taken;
}

static void remember_ended(oracle *o, const record *r)
{
    if (o->silent) {
        return;
    }
    if (o->ended_count == ENDED_MAX) {
        o->ended_count /= 2;
        memmove(o->ended, o->ended + ENDED_MAX / 2, o->ended_count * sizeof *o->ended);
    }
    o->ended[o->ended_count++] = *r;
}

static void touch(oracle *o, record *r)
{
    r->order.updated_ns = o->command->time_ns;
}

static void end(oracle *o, record *r, matching_status status, matching_reason reason)
{
    r->order.status = (uint8_t)status;
    r->order.reason = (uint8_t)reason;
    touch(o, r);
    remember_ended(o, r);
}

/* ---- matching ------------------------------------------------------------------------------ */

static void fill(oracle *o, record *r, int64_t price, int64_t lots)
{
    r->order.filled_lots += lots;
    r->order.notional += (matching_wide)price * (matching_wide)lots;
    r->order.status = MATCHING_PARTIAL;
    touch(o, r);
    if (oracle_remaining(&r->order) == 0) {
        end(o, r, MATCHING_FILLED, MATCHING_REASON_NONE);
    }
}

static void trade(oracle *o, record *maker, record *taker)
{
    int64_t lots = oracle_remaining(&taker->order);
    if (oracle_lots_shown(maker) < lots) {
        lots = oracle_lots_shown(maker);
    }
    int64_t price = maker->order.price_ticks;
    uint64_t trade_id = ++o->markets[taker->order.instrument].last_trade_id;
    tell_trade(o, maker, taker, trade_id, lots);
    fill(o, maker, price, lots);
    tell_order(o, maker, trade_id, price, lots);
    fill(o, taker, price, lots);
    tell_order(o, taker, trade_id, price, lots);
    if (maker->order.status == MATCHING_FILLED) {
        take_working(o, maker);
    }
}

static void match(oracle *o, record *taker)
{
    while (oracle_remaining(&taker->order) > 0) {
        record *maker = best_maker(o, &taker->order);
        if (maker == NULL ||
            !reaches(taker->order.side, taker->order.price_ticks, maker->order.price_ticks)) {
            break;
        }
        trade(o, maker, taker);
    }
}

/* Tries the match on a copy of everything. */
static bool would_fill(const oracle *o, const record *taker)
{
    oracle copy = *o;
    copy.silent = true;
    copy.working_room = o->working_count + 1;
    copy.working = need(malloc(copy.working_room * sizeof *copy.working));
    if (o->working_count > 0) {
        memcpy(copy.working, o->working, o->working_count * sizeof *copy.working);
    }
    copy.markets = need(malloc(o->limits.instruments * sizeof *copy.markets));
    memcpy(copy.markets, o->markets, o->limits.instruments * sizeof *copy.markets);
    record trial = *taker;
    match(&copy, &trial);
    free(copy.working);
    free(copy.markets);
    return trial.order.status == MATCHING_FILLED;
}

/* ---- finding orders ------------------------------------------------------------------------- */

static record *find_working(oracle *o)
{
    for (size_t i = 0; i < o->working_count; i++) {
        if (oracle_is_named(o, &o->working[i].order)) {
            return &o->working[i];
        }
    }
    return NULL;
}

static bool is_known_trader(const oracle *o, const char *trader_id)
{
    for (size_t i = 0; i < o->trader_count; i++) {
        if (strcmp(o->traders[i], trader_id) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- the limits ----------------------------------------------------------------------------- */

static size_t count_levels(const oracle *o)
{
    size_t count = 0;
    for (size_t i = 0; i < o->working_count; i++) {
        bool first = oracle_is_resting(&o->working[i]);
        for (size_t j = 0; j < i && first; j++) {
            const matching_order *a = &o->working[i].order, *b = &o->working[j].order;
            first = a->instrument != b->instrument || a->side != b->side ||
                    a->price_ticks != b->price_ticks;
        }
        count += first;
    }
    return count;
}

static bool has_level(const oracle *o, uint16_t instrument, unsigned side, int64_t price)
{
    for (size_t i = 0; i < o->working_count; i++) {
        const matching_order *order = &o->working[i].order;
        if (order->instrument == instrument && order->side == side && order->price_ticks == price) {
            return true;
        }
    }
    return false;
}

static bool no_level_left(const oracle *o, const matching_order *order, int64_t price)
{
    return o->working_count >= o->limits.max_levels && count_levels(o) >= o->limits.max_levels &&
           !has_level(o, order->instrument, order->side, price);
}

static bool may_rest(const matching_order *order)
{
    return order->type == MATCHING_LIMIT && order->time_in_force != MATCHING_IOC &&
           order->time_in_force != MATCHING_FOK;
}

/* Limits are judged on the book as the command finds it, not on what its trades would free: an
 * order that could rest needs an order and a level, any order needs its trader known. */
static bool is_full(const oracle *o, const matching_order *order)
{
    if (!is_known_trader(o, order->trader_id) && o->trader_count == o->limits.max_traders) {
        return true;
    }
    return may_rest(order) && (o->working_count == o->limits.max_orders ||
                               no_level_left(o, order, order->price_ticks));
}

/* ---- commands ------------------------------------------------------------------------------- */

static record make_order(const oracle *o, uint64_t order_id)
{
    const matching_command *command = o->command;
    record r;
    memset(&r, 0, sizeof r);
    r.order.order_id = order_id;
    r.order.price_ticks = command->price_ticks;
    r.order.quantity_lots = command->quantity_lots;
    r.order.created_ns = r.order.updated_ns = command->time_ns;
    r.order.instrument = command->instrument;
    r.order.side = command->side;
    r.order.type = command->order_type;
    r.order.time_in_force = command->time_in_force;
    r.order.status = MATCHING_OPEN;
    r.order.post_only = command->flags & MATCHING_FLAG_POST_ONLY ? 1 : 0;
    memcpy(r.order.trader_id, o->trader_id, sizeof r.order.trader_id);
    memcpy(r.order.client_order_id, o->client_order_id, sizeof r.order.client_order_id);
    return r;
}

/* The checks of a new order, in the order in which they win. */
static bool may_enter(oracle *o, const matching_order *order)
{
    if (o->markets[order->instrument].state != MATCHING_TRADING) {
        oracle_refuse(o, MATCHING_MARKET_HALTED, MATCHING_FIELD_NONE);
        return false;
    }
    for (size_t i = 0; i < o->working_count && order->client_order_id[0] != 0; i++) {
        const matching_order *other = &o->working[i].order;
        if (other->instrument == order->instrument &&
            strcmp(other->trader_id, order->trader_id) == 0 &&
            strcmp(other->client_order_id, order->client_order_id) == 0) {
            oracle_refuse(o, MATCHING_DUPLICATE_CLIENT_ORDER_ID, MATCHING_FIELD_CLIENT_ORDER_ID);
            o->reply.related_order_id = other->order_id;
            return false;
        }
    }
    if (order->post_only && would_cross(o, order)) {
        oracle_refuse(o, MATCHING_POST_ONLY_WOULD_CROSS, MATCHING_FIELD_PRICE);
        return false;
    }
    if (is_full(o, order)) {
        oracle_refuse(o, MATCHING_BOOK_FULL, MATCHING_FIELD_NONE);
        return false;
    }
    return true;
}

static matching_reason remainder_reason(const matching_order *order)
{
    if (order->time_in_force == MATCHING_FOK) {
        return MATCHING_REASON_FOK;
    }
    return order->type == MATCHING_MARKET ? MATCHING_REASON_NO_LIQUIDITY : MATCHING_REASON_IOC;
}

/* What becomes of an order that has matched all it could. */
static void finish(oracle *o, record *r)
{
    if (r->order.status == MATCHING_FILLED) {
        return;
    }
    bool untouched = r->order.filled_lots == 0;
    if (may_rest(&r->order)) {
        add_working(o, r);
        if (untouched) {
            tell_order(o, r, 0, 0, 0);
        }
    } else {
        end(o, r, MATCHING_CANCELLED, remainder_reason(&r->order));
        tell_order(o, r, 0, 0, 0);
    }
}

static void place(oracle *o, uint64_t new_order_id)
{
    record r = make_order(o, new_order_id);
    if (!may_enter(o, &r.order)) {
        return;
    }
    if (!is_known_trader(o, r.order.trader_id)) {
        strcpy(o->traders[o->trader_count++], r.order.trader_id);
    }
    if (r.order.time_in_force != MATCHING_FOK || would_fill(o, &r)) {
        match(o, &r);
    }
    finish(o, &r);
    oracle_show(o, &r);
}

static record cancel_record(oracle *o, record *found)
{
    record r = take_working(o, found);
    end(o, &r, MATCHING_CANCELLED, (matching_reason)o->command->reason);
    tell_order(o, &r, 0, 0, 0);
    return r;
}

static void cancel(oracle *o)
{
    record *found = find_working(o);
    if (found == NULL) {
        oracle_refuse_not_found(o);
        return;
    }
    record r = cancel_record(o, found);
    oracle_show(o, &r);
}

/* Oldest first, which is by ascending order id. */
static void cancel_all(oracle *o)
{
    for (;;) {
        record *oldest = NULL;
        for (size_t i = 0; i < o->working_count; i++) {
            record *r = &o->working[i];
            if (strcmp(r->order.trader_id, o->trader_id) == 0 &&
                ((o->command->flags & MATCHING_FLAG_ALL_SYMBOLS) ||
                 r->order.instrument == o->command->instrument) &&
                (oldest == NULL || r->order.order_id < oldest->order.order_id)) {
                oldest = r;
            }
        }
        if (oldest == NULL) {
            return;
        }
        cancel_record(o, oldest);
    }
}

/* Decimals become ticks or lots. False: not a multiple, or too many of them. */
static bool convert(int64_t *value, int64_t size, int64_t most)
{
    bool fits = *value % size == 0 && *value / size <= most;
    *value /= size;
    return fits;
}

/* What the order would be; false and the refusal if the command's numbers do not suit it. */
static bool amended(oracle *o, const matching_order *now, matching_order *wanted)
{
    const market *m = &o->markets[now->instrument];
    bool decimals = o->command->flags & MATCHING_FLAG_DECIMALS;
    int64_t price = o->command->price_ticks, quantity = o->command->quantity_lots;
    if (decimals && !convert(&price, m->tick_size, MATCHING_TICKS_MAX)) {
        oracle_refuse(o, MATCHING_INVALID_PRICE, MATCHING_FIELD_PRICE);
        return false;
    }
    if (decimals && !convert(&quantity, m->lot_size, MATCHING_LOTS_MAX)) {
        oracle_refuse(o, MATCHING_INVALID_QUANTITY, MATCHING_FIELD_QUANTITY);
        return false;
    }
    if (o->command->stop_price_ticks != 0) {
        oracle_refuse(o, MATCHING_INVALID_PARAMETER, MATCHING_FIELD_STOP_PRICE);
        return false;
    }
    *wanted = *now;
    if (price != 0) {
        wanted->price_ticks = price;
    }
    if (quantity != 0) {
        wanted->quantity_lots = quantity;
    }
    return true;
}

/* Moving away gives a level back if the order is alone on it. */
static bool amend_needs_level(const oracle *o, const matching_order *now, int64_t price)
{
    size_t neighbours = 0;
    for (size_t i = 0; i < o->working_count; i++) {
        const matching_order *order = &o->working[i].order;
        neighbours += order->instrument == now->instrument && order->side == now->side &&
                      order->price_ticks == now->price_ticks;
    }
    return neighbours > 1 && no_level_left(o, now, price);
}

static void amend(oracle *o)
{
    record *found = find_working(o);
    if (found == NULL) {
        oracle_refuse_not_found(o);
        return;
    }
    matching_order now = found->order, wanted;
    if (!amended(o, &now, &wanted)) {
        return;
    }
    if (o->markets[now.instrument].state != MATCHING_TRADING) {
        oracle_refuse(o, MATCHING_MARKET_HALTED, MATCHING_FIELD_NONE);
    } else if (wanted.quantity_lots <= now.filled_lots) {
        oracle_refuse(o, MATCHING_INVALID_QUANTITY, MATCHING_FIELD_QUANTITY);
    } else if (now.post_only && would_cross(o, &wanted)) {
        oracle_refuse(o, MATCHING_POST_ONLY_WOULD_CROSS, MATCHING_FIELD_PRICE);
    } else if (amend_needs_level(o, &now, wanted.price_ticks)) {
        oracle_refuse(o, MATCHING_BOOK_FULL, MATCHING_FIELD_NONE);
    } else if (wanted.price_ticks == now.price_ticks && wanted.quantity_lots <= now.quantity_lots) {
        found->order = wanted;
        touch(o, found);
        tell_order(o, found, 0, 0, 0);
        oracle_show(o, found);
    } else {
        record r = take_working(o, found);
        r.order = wanted;
        touch(o, &r);
        match(o, &r);
        if (r.order.status != MATCHING_FILLED) {
            add_working(o, &r);
        }
        if (r.order.filled_lots == now.filled_lots) {
            tell_order(o, &r, 0, 0, 0);
        }
        oracle_show(o, &r);
    }
}

static void set_state(oracle *o)
{
    market *m = &o->markets[o->command->instrument];
    if (m->state != o->command->state) {
        m->state = o->command->state;
        add_event(o, MATCHING_EVENT_STATE, o->command->instrument)->state = m->state;
    }
}

const oracle_reply *oracle_apply(oracle *o, const matching_command *command, uint64_t new_order_id)
{
    oracle_begin(o, command);
    switch (command->type) {
    case MATCHING_PLACE:
        place(o, new_order_id);
        break;
    case MATCHING_CANCEL:
        cancel(o);
        break;
    case MATCHING_AMEND:
        amend(o);
        break;
    case MATCHING_CANCEL_ALL:
        cancel_all(o);
        break;
    case MATCHING_SET_STATE:
        set_state(o);
        break;
    default:
        fprintf(stderr, "oracle: no rule for command type %u\n", command->type);
        abort();
    }
    o->reply.events = o->events;
    o->reply.event_count = o->event_count;
    return &o->reply;
}
