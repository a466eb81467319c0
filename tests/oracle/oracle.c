/* The oracle's commands. See oracle.h for what it is for.
 *
 * Invariants: `working` holds every working order, in no meaningful order: those that rest, and
 * stops that wait. Not here: speed, bounded memory, anything learned from core/.
 *
 * Where a further rule goes: what a taker does with a maker into oracle_match.c, as does what
 * happens after a command; the single price of an auction into oracle_auction.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle_internal.h"

oracle *oracle_create(const oracle_limits *limits)
{
    oracle *o = oracle_need(calloc(1, sizeof *o));
    o->limits = *limits;
    o->markets = oracle_need(calloc(limits->instruments, sizeof *o->markets));
    o->ended = oracle_need(calloc(ENDED_MAX, sizeof *o->ended));
    o->traders = oracle_need(calloc(limits->max_traders + 1, sizeof *o->traders));
    oracle_reset(o);
    return o;
}

void oracle_reset(oracle *o)
{
    for (uint32_t i = 0; i < o->limits.instruments; i++) {
        o->markets[i] = (market){.tick_size = 1, .lot_size = 1};
    }
    o->working_count = o->ended_count = o->trader_count = o->event_count = 0;
    o->arrivals = 0;
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

/* The price at which an order of a book stands, or at which a stop waits. */
static int64_t place_of(const matching_order *order)
{
    return order->status == MATCHING_UNTRIGGERED ? order->stop_price_ticks : order->price_ticks;
}

static bool shares_level(const matching_order *a, const matching_order *b)
{
    return a->instrument == b->instrument && a->side == b->side && place_of(a) == place_of(b) &&
           (a->status == MATCHING_UNTRIGGERED) == (b->status == MATCHING_UNTRIGGERED);
}

/* How many of the working orders share a level with this one. */
static size_t count_sharing(const oracle *o, const matching_order *order)
{
    size_t count = 0;
    for (size_t i = 0; i < o->working_count; i++) {
        count += shares_level(&o->working[i].order, order);
    }
    return count;
}

/* Levels that neither orders nor waiting stops have, and that no stop-limit order needs later. */
static int64_t free_levels(const oracle *o)
{
    int64_t left = (int64_t)o->limits.max_levels;
    if (2 * o->working_count + 2 <= o->limits.max_levels) {
        return left; /* enough, however they stand; saves the count */
    }
    for (size_t i = 0; i < o->working_count; i++) {
        const matching_order *order = &o->working[i].order;
        bool first = true;
        for (size_t j = 0; j < i && first; j++) {
            first = !shares_level(order, &o->working[j].order);
        }
        left -= first;
        left -= order->status == MATCHING_UNTRIGGERED && order->type == MATCHING_STOP_LIMIT;
    }
    return left;
}

/* Limits are judged on the book as the command finds it, not on what its trades would free: an
 * order that could rest needs an order and a level, a stop an order and a level to wait at and
 * perhaps one to rest at, any order needs its trader known. */
static bool is_full(const oracle *o, const matching_order *order)
{
    if (!is_known_trader(o, order->trader_id) && o->trader_count == o->limits.max_traders) {
        return true;
    }
    if (!oracle_is_stop(order) && !oracle_may_rest(order)) {
        return false;
    }
    if (o->working_count == o->limits.max_orders) {
        return true;
    }
    int64_t wanted = order->type == MATCHING_STOP_LIMIT ? 2 : 1;
    return free_levels(o) < wanted && (oracle_is_stop(order) || count_sharing(o, order) == 0);
}

/* ---- commands ------------------------------------------------------------------------------- */

static record make_order(const oracle *o, uint64_t order_id)
{
    const matching_command *command = o->command;
    record r;
    memset(&r, 0, sizeof r);
    r.order.order_id = order_id;
    r.order.price_ticks = command->price_ticks;
    r.order.stop_price_ticks = command->stop_price_ticks;
    r.order.quantity_lots = command->quantity_lots;
    r.order.display_lots = command->display_lots;
    r.order.expire_time_ms = command->expire_time_ms;
    r.order.self_trade = command->self_trade;
    r.order.created_ns = r.order.updated_ns = command->time_ns;
    r.order.instrument = command->instrument;
    r.order.side = command->side;
    r.order.type = command->order_type;
    r.order.time_in_force = command->time_in_force;
    r.order.status = MATCHING_OPEN;
    r.order.post_only = command->flags & MATCHING_FLAG_POST_ONLY ? 1 : 0;
    r.guarded = command->flags & MATCHING_FLAG_GUARDED;
    memcpy(r.order.trader_id, o->trader_id, sizeof r.order.trader_id);
    memcpy(r.order.client_order_id, o->client_order_id, sizeof r.order.client_order_id);
    return r;
}

/* Is its time over? */
static bool is_due(const oracle *o, const matching_order *order)
{
    return order->expire_time_ms <= o->command->time_ns / 1000000;
}

/* Does the market's state take this order? */
static bool is_admitted(const oracle *o, const matching_order *order)
{
    unsigned state = o->markets[order->instrument].state;
    if (state == MATCHING_AUCTION) {
        return oracle_is_stop(order) ||
               (order->type == MATCHING_LIMIT && oracle_may_rest(order) && !order->post_only);
    }
    return state == MATCHING_TRADING;
}

/* The checks of a new order, in the order in which they win. */
static bool may_enter(oracle *o, const matching_order *order)
{
    if (order->time_in_force == MATCHING_GTD && is_due(o, order)) {
        oracle_refuse(o, MATCHING_INVALID_PARAMETER, MATCHING_FIELD_EXPIRE_TIME);
        return false;
    }
    if (!is_admitted(o, order)) {
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
    if (order->post_only && oracle_would_cross(o, order)) {
        oracle_refuse(o, MATCHING_POST_ONLY_WOULD_CROSS, MATCHING_FIELD_PRICE);
        return false;
    }
    if (is_full(o, order)) {
        oracle_refuse(o, MATCHING_BOOK_FULL, MATCHING_FIELD_NONE);
        return false;
    }
    return true;
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
    if (oracle_is_stop(&r.order)) {
        r.order.status = MATCHING_UNTRIGGERED;
        oracle_add_working(o, &r);
        oracle_tell_order(o, &r, 0, 0, 0);
    } else {
        oracle_enter(o, &r, false);
    }
    oracle_run_stops(o, r.order.instrument);
    oracle_show_by_id(o, new_order_id);
}

static record cancel_record(oracle *o, record *found, matching_reason reason)
{
    record r = oracle_take_working(o, found);
    oracle_end(o, &r, MATCHING_CANCELLED, reason);
    oracle_tell_order(o, &r, 0, 0, 0);
    return r;
}

static void cancel(oracle *o)
{
    record *found = find_working(o);
    if (found == NULL) {
        oracle_refuse_not_found(o);
        return;
    }
    record r = cancel_record(o, found, (matching_reason)o->command->reason);
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
        cancel_record(o, oldest, (matching_reason)o->command->reason);
    }
}

static void release_guards(oracle *o)
{
    for (size_t i = 0; i < o->working_count; i++) {
        o->working[i].guarded = false;
    }
}

/* The trader's guarded order with the lowest id; NULL: none. */
static record *oldest_guarded(oracle *o, const char *trader_id)
{
    record *oldest = NULL;
    for (size_t i = 0; i < o->working_count; i++) {
        record *r = &o->working[i];
        if (r->guarded && strcmp(r->order.trader_id, trader_id) == 0 &&
            (oldest == NULL || r->order.order_id < oldest->order.order_id)) {
            oldest = r;
        }
    }
    return oldest;
}

/* Trader by trader as they became known, each one's oldest first. */
static void cancel_guarded(oracle *o)
{
    for (size_t i = 0; i < o->trader_count; i++) {
        record *found;
        while ((found = oldest_guarded(o, o->traders[i])) != NULL) {
            cancel_record(o, found, MATCHING_REASON_DISCONNECT);
        }
    }
}

/* Before a command: what is due ends, by (expire_time, order_id). */
static void expire(oracle *o)
{
    for (;;) {
        record *next = NULL;
        for (size_t i = 0; i < o->working_count; i++) {
            record *r = &o->working[i];
            if (r->order.time_in_force != MATCHING_GTD || !is_due(o, &r->order)) {
                continue;
            }
            if (next == NULL || r->order.expire_time_ms < next->order.expire_time_ms ||
                (r->order.expire_time_ms == next->order.expire_time_ms &&
                 r->order.order_id < next->order.order_id)) {
                next = r;
            }
        }
        if (next == NULL) {
            return;
        }
        cancel_record(o, next, MATCHING_REASON_EXPIRED);
    }
}

/* Decimals become ticks or lots. False: not a multiple, or too many of them. */
static bool convert(int64_t *value, int64_t size, int64_t most)
{
    bool fits = *value % size == 0 && *value / size <= most;
    *value /= size;
    return fits;
}

/* Does an amend tell what shall be open, instead of the total? */
static bool is_open_quantity(const oracle *o)
{
    return o->command->flags & MATCHING_FLAG_OPEN_QUANTITY;
}

/* What the order would be; false and the refusal if the command's numbers do not suit it. */
static bool amended(oracle *o, const matching_order *now, matching_order *wanted)
{
    const market *m = &o->markets[now->instrument];
    bool decimals = o->command->flags & MATCHING_FLAG_DECIMALS;
    int64_t price = o->command->price_ticks, quantity = o->command->quantity_lots;
    int64_t stop_price = o->command->stop_price_ticks;
    if (decimals && !convert(&price, m->tick_size, MATCHING_TICKS_MAX)) {
        oracle_refuse(o, MATCHING_INVALID_PRICE, MATCHING_FIELD_PRICE);
    } else if (decimals && !convert(&stop_price, m->tick_size, MATCHING_TICKS_MAX)) {
        oracle_refuse(o, MATCHING_INVALID_PRICE, MATCHING_FIELD_STOP_PRICE);
    } else if (decimals && !convert(&quantity, m->lot_size, MATCHING_LOTS_MAX)) {
        oracle_refuse(o, MATCHING_INVALID_QUANTITY, MATCHING_FIELD_QUANTITY);
    } else if (quantity != 0 && is_open_quantity(o) &&
               (quantity += now->filled_lots) > MATCHING_LOTS_MAX) {
        oracle_refuse(o, MATCHING_INVALID_QUANTITY, MATCHING_FIELD_QUANTITY);
    } else if (price != 0 && now->type == MATCHING_STOP) {
        oracle_refuse(o, MATCHING_INVALID_PARAMETER, MATCHING_FIELD_PRICE);
    } else if (stop_price != 0 && now->status != MATCHING_UNTRIGGERED) {
        oracle_refuse(o, MATCHING_INVALID_PARAMETER, MATCHING_FIELD_STOP_PRICE);
    } else {
        *wanted = *now;
        wanted->price_ticks = price != 0 ? price : now->price_ticks;
        wanted->stop_price_ticks = stop_price != 0 ? stop_price : now->stop_price_ticks;
        wanted->quantity_lots = quantity != 0 ? quantity : now->quantity_lots;
        return true;
    }
    return false;
}

/* False with the refusal, if the market does not let the order become what is wanted. */
static bool may_become(oracle *o, const matching_order *now, const matching_order *wanted)
{
    bool shows_too_little =
        now->display_lots != 0 && now->display_lots * 1000 < wanted->quantity_lots;
    if (o->markets[now->instrument].state == MATCHING_HALTED) {
        oracle_refuse(o, MATCHING_MARKET_HALTED, MATCHING_FIELD_NONE);
    } else if (wanted->quantity_lots <= now->filled_lots || shows_too_little) {
        oracle_refuse(o, MATCHING_INVALID_QUANTITY, MATCHING_FIELD_QUANTITY);
    } else if (now->post_only && wanted->price_ticks != now->price_ticks &&
               oracle_would_cross(o, wanted)) {
        oracle_refuse(o, MATCHING_POST_ONLY_WOULD_CROSS, MATCHING_FIELD_PRICE);
    } else if (count_sharing(o, now) > 1 && free_levels(o) < 1 && count_sharing(o, wanted) == 0) {
        /* Alone on its level it would give that one back. */
        oracle_refuse(o, MATCHING_BOOK_FULL, MATCHING_FIELD_NONE);
    } else {
        return true;
    }
    return false;
}

static void reenter(oracle *o, record *r)
{
    int64_t filled = r->order.filled_lots;
    if (o->markets[r->order.instrument].state == MATCHING_TRADING) {
        oracle_match(o, r);
    }
    if (matching_order_is_working(&r->order)) {
        oracle_add_working(o, r);
        if (r->order.filled_lots == filled) {
            oracle_tell_order(o, r, 0, 0, 0);
        }
    }
}

static void amend(oracle *o)
{
    record *found = find_working(o);
    if (found == NULL) {
        oracle_refuse_not_found(o);
        return;
    }
    matching_order now = found->order, wanted;
    if (!amended(o, &now, &wanted) || !may_become(o, &now, &wanted)) {
        return;
    }
    found->order = wanted;
    oracle_touch(o, found);
    bool waits = wanted.status == MATCHING_UNTRIGGERED;
    if (!waits && (wanted.price_ticks != now.price_ticks ||
                   wanted.quantity_lots > now.quantity_lots || is_open_quantity(o))) {
        record r = oracle_take_working(o, found);
        reenter(o, &r);
    } else {
        if (found->shown > oracle_remaining(&wanted)) {
            found->shown = oracle_remaining(&wanted);
        }
        oracle_tell_order(o, found, 0, 0, 0);
    }
    oracle_run_stops(o, now.instrument);
    oracle_show_by_id(o, now.order_id);
}

/* A crossed book trades again only through an auction, which uncrosses it. */
static void set_state(oracle *o)
{
    uint16_t instrument = o->command->instrument;
    market *m = &o->markets[instrument];
    uint8_t wanted = o->command->state;
    if (m->state == wanted) {
        return;
    }
    if (wanted == MATCHING_TRADING && oracle_is_crossed(o, instrument)) {
        if (m->state == MATCHING_HALTED) {
            oracle_refuse(o, MATCHING_MARKET_HALTED, MATCHING_FIELD_STATE);
            return;
        }
        oracle_uncross(o, instrument);
    }
    m->state = wanted;
    oracle_add_event(o, MATCHING_EVENT_STATE, instrument)->state = wanted;
    oracle_run_stops(o, instrument);
}

const oracle_reply *oracle_apply(oracle *o, const matching_command *command, uint64_t new_order_id)
{
    oracle_begin(o, command);
    expire(o);
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
    case MATCHING_RELEASE_GUARDS:
        release_guards(o);
        break;
    case MATCHING_CANCEL_GUARDED:
        cancel_guarded(o);
        break;
    case MATCHING_SET_LIMITS:
    case MATCHING_TICK:
        break; /* what was due has expired */
    default:
        fprintf(stderr, "oracle: no rule for command type %u\n", command->type);
        abort();
    }
    o->reply.events = o->events;
    o->reply.event_count = o->event_count;
    return &o->reply;
}
