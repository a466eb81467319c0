/* The oracle's matching: a taker against the book, icebergs, self-trade prevention, and stops.
 *
 * Priority is price, then `arrival`, which an order gets anew whenever it joins the back of a
 * level: on entry, when an amend costs its priority, when an iceberg's slice is renewed. A taker is
 * in no array while it matches. Stops that wait are working orders which do not rest.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle_internal.h"

void *oracle_need(void *memory)
{
    if (memory == NULL) {
        fprintf(stderr, "oracle: out of memory\n");
        abort();
    }
    return memory;
}

/* ---- events and the array of working orders ----------------------------------------------- */

oracle_event *oracle_add_event(oracle *o, matching_event_kind kind, uint16_t instrument)
{
    if (o->event_count == o->event_room) {
        o->event_room = o->event_room * 2 + 64;
        o->events = oracle_need(realloc(o->events, o->event_room * sizeof *o->events));
    }
    oracle_event *event = &o->events[o->event_count++];
    memset(event, 0, sizeof *event);
    event->kind = (uint8_t)kind;
    event->instrument = instrument;
    return event;
}

void oracle_tell_order(oracle *o, const record *r, uint64_t trade_id, int64_t price, int64_t lots)
{
    if (!o->silent) {
        oracle_event *event = oracle_add_event(o, MATCHING_EVENT_ORDER, r->order.instrument);
        event->side = r->order.side;
        event->trade_id = trade_id;
        event->price_ticks = price;
        event->quantity_lots = lots;
        event->order = r->order;
    }
}

void oracle_tell_trade(oracle *o, const record *maker, const record *taker, uint64_t trade_id,
                       int64_t price, int64_t lots)
{
    if (!o->silent) {
        oracle_event *event = oracle_add_event(o, MATCHING_EVENT_TRADE, maker->order.instrument);
        event->side = taker->order.side;
        event->trade_id = trade_id;
        event->price_ticks = price;
        event->quantity_lots = lots;
        event->maker_order_id = maker->order.order_id;
        event->taker_order_id = taker->order.order_id;
        memcpy(event->maker_trader, maker->order.trader_id, sizeof event->maker_trader);
        memcpy(event->taker_trader, taker->order.trader_id, sizeof event->taker_trader);
    }
}

/* What the market sees of an order that shows itself anew. */
void oracle_show_slice(record *r)
{
    r->shown = oracle_remaining(&r->order);
    if (r->order.display_lots != 0 && r->order.display_lots < r->shown) {
        r->shown = r->order.display_lots;
    }
}

/* The order joins the back of its price, or waits if it is a stop. */
void oracle_add_working(oracle *o, const record *r)
{
    if (o->working_count == o->working_room) {
        o->working_room = o->working_room * 2 + 64;
        o->working = oracle_need(realloc(o->working, o->working_room * sizeof *o->working));
    }
    record *added = &o->working[o->working_count++];
    *added = *r;
    added->arrival = ++o->arrivals;
    oracle_show_slice(added);
}

record oracle_take_working(oracle *o, record *r)
{
    record taken = *r;
    *r = o->working[--o->working_count];
    return taken;
}

void oracle_remember_ended(oracle *o, const record *r)
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

void oracle_touch(oracle *o, record *r)
{
    r->order.updated_ns = o->command->time_ns;
}

void oracle_end(oracle *o, record *r, matching_status status, matching_reason reason)
{
    r->order.status = (uint8_t)status;
    r->order.reason = (uint8_t)reason;
    oracle_touch(o, r);
    oracle_remember_ended(o, r);
}

/* ---- matching ------------------------------------------------------------------------------ */

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

bool oracle_would_cross(oracle *o, const matching_order *order)
{
    const record *maker = best_maker(o, order);
    return maker != NULL && reaches(order->side, order->price_ticks, maker->order.price_ticks);
}

/* Only the numbers: an order that is filled by it is not remembered as ended yet. */
void oracle_fill(oracle *o, record *r, int64_t price, int64_t lots)
{
    r->order.filled_lots += lots;
    r->order.notional += (matching_wide)price * (matching_wide)lots;
    r->order.status =
        oracle_remaining(&r->order) == 0 ? (uint8_t)MATCHING_FILLED : (uint8_t)MATCHING_PARTIAL;
    oracle_touch(o, r);
}

static void trade(oracle *o, record *maker, record *taker)
{
    int64_t lots = oracle_remaining(&taker->order);
    if (maker->shown < lots) {
        lots = maker->shown;
    }
    market *m = &o->markets[taker->order.instrument];
    int64_t price = maker->order.price_ticks;
    uint64_t trade_id = ++m->last_trade_id;
    m->last_price = price;
    oracle_tell_trade(o, maker, taker, trade_id, price, lots);
    maker->shown -= lots;
    oracle_fill(o, maker, price, lots);
    oracle_tell_order(o, maker, trade_id, price, lots);
    oracle_fill(o, taker, price, lots);
    oracle_tell_order(o, taker, trade_id, price, lots);
    if (maker->order.status == MATCHING_FILLED) {
        oracle_remember_ended(o, maker);
        oracle_take_working(o, maker);
    } else if (maker->shown == 0) {
        oracle_show_slice(maker);
        maker->arrival = ++o->arrivals;
    }
    if (taker->order.status == MATCHING_FILLED) {
        oracle_remember_ended(o, taker);
    }
}

/* The taker has met an order of its own trader, and does not want to trade with it. */
static void prevent_self_trade(oracle *o, record *maker, record *taker)
{
    unsigned mode = taker->order.self_trade;
    if (mode == MATCHING_STP_CANCEL_MAKER || mode == MATCHING_STP_CANCEL_BOTH) {
        record r = oracle_take_working(o, maker);
        oracle_end(o, &r, MATCHING_CANCELLED, MATCHING_REASON_SELF_TRADE);
        oracle_tell_order(o, &r, 0, 0, 0);
    }
    if (mode == MATCHING_STP_CANCEL_TAKER || mode == MATCHING_STP_CANCEL_BOTH) {
        oracle_end(o, taker, MATCHING_CANCELLED, MATCHING_REASON_SELF_TRADE);
        oracle_tell_order(o, taker, 0, 0, 0);
    }
}

void oracle_match(oracle *o, record *taker)
{
    while (matching_order_is_working(&taker->order)) {
        record *maker = best_maker(o, &taker->order);
        if (maker == NULL ||
            !reaches(taker->order.side, taker->order.price_ticks, maker->order.price_ticks)) {
            break;
        }
        if (taker->order.self_trade != MATCHING_STP_NONE &&
            strcmp(taker->order.trader_id, maker->order.trader_id) == 0) {
            prevent_self_trade(o, maker, taker);
        } else {
            trade(o, maker, taker);
        }
    }
}

/* Tries the match on a copy of everything. */
static bool would_fill(const oracle *o, const record *taker)
{
    oracle copy = *o;
    copy.silent = true;
    copy.working_room = o->working_count + 1;
    copy.working = oracle_need(malloc(copy.working_room * sizeof *copy.working));
    if (o->working_count > 0) {
        memcpy(copy.working, o->working, o->working_count * sizeof *copy.working);
    }
    copy.markets = oracle_need(malloc(o->limits.instruments * sizeof *copy.markets));
    memcpy(copy.markets, o->markets, o->limits.instruments * sizeof *copy.markets);
    record trial = *taker;
    oracle_match(&copy, &trial);
    free(copy.working);
    free(copy.markets);
    return trial.order.status == MATCHING_FILLED;
}

/* ---- entry, also of a stop that has triggered ------------------------------------------------ */

static matching_reason remainder_reason(const matching_order *order)
{
    if (order->time_in_force == MATCHING_FOK) {
        return MATCHING_REASON_FOK;
    }
    return order->type == MATCHING_MARKET || order->type == MATCHING_STOP
               ? MATCHING_REASON_NO_LIQUIDITY
               : MATCHING_REASON_IOC;
}

/* Matches where the market trades, then rests or ends. told: an update has shown it as it is. */
void oracle_enter(oracle *o, record *r, bool told)
{
    if (o->markets[r->order.instrument].state == MATCHING_TRADING &&
        (r->order.time_in_force != MATCHING_FOK || would_fill(o, r))) {
        oracle_match(o, r);
    }
    if (!matching_order_is_working(&r->order)) {
        return;
    }
    if (oracle_may_rest(&r->order)) {
        oracle_add_working(o, r);
        if (r->order.filled_lots == 0 && !told) {
            oracle_tell_order(o, r, 0, 0, 0);
        }
    } else {
        oracle_end(o, r, MATCHING_CANCELLED, remainder_reason(&r->order));
        oracle_tell_order(o, r, 0, 0, 0);
    }
}

static bool is_triggered(const record *r, int64_t last_price)
{
    if (r->order.status != MATCHING_UNTRIGGERED || last_price == 0) {
        return false;
    }
    return r->order.side == MATCHING_BUY ? last_price >= r->order.stop_price_ticks
                                         : last_price <= r->order.stop_price_ticks;
}

/* One at a time, the lowest order id of those that the price of this moment triggers. */
void oracle_run_stops(oracle *o, uint16_t instrument)
{
    const market *m = &o->markets[instrument];
    while (m->state == MATCHING_TRADING) {
        record *next = NULL;
        for (size_t i = 0; i < o->working_count; i++) {
            record *r = &o->working[i];
            if (r->order.instrument == instrument && is_triggered(r, m->last_price) &&
                (next == NULL || r->order.order_id < next->order.order_id)) {
                next = r;
            }
        }
        if (next == NULL) {
            return;
        }
        record r = oracle_take_working(o, next);
        r.order.status = MATCHING_OPEN;
        oracle_touch(o, &r);
        oracle_tell_order(o, &r, 0, 0, 0);
        oracle_enter(o, &r, true);
    }
}
