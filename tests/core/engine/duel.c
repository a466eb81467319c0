/* See duel.h. The first difference ends a comparison; what it was stands in duel.difference. */
#include "duel.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *need(void *memory)
{
    if (memory == NULL) {
        fprintf(stderr, "duel: out of memory\n");
        abort();
    }
    return memory;
}

int64_t duel_tick_size(uint16_t instrument)
{
    static const int64_t sizes[] = {1000000, 1, 5, 92233};
    return sizes[instrument % 4];
}

int64_t duel_lot_size(uint16_t instrument)
{
    static const int64_t sizes[] = {10000, 7, 1, 100000000};
    return sizes[instrument % 4];
}

static void set_instruments(duel *d)
{
    for (uint16_t i = 0; i < d->engine.limits.instruments; i++) {
        fixture_set_instrument(&d->engine, i, duel_tick_size(i), duel_lot_size(i));
        oracle_set_instrument(d->oracle, i, duel_tick_size(i), duel_lot_size(i));
    }
}

void duel_init(duel *d, const matching_engine_limits *limits)
{
    memset(d, 0, sizeof *d);
    fixture_init(&d->engine, limits);
    d->oracle = oracle_create(&(oracle_limits){.instruments = limits->instruments,
                                               .max_orders = limits->max_orders,
                                               .max_levels = limits->max_levels,
                                               .max_traders = limits->max_traders,
                                               .retained_orders = limits->retained_orders});
    d->books = need(calloc(limits->instruments, sizeof *d->books));
    size_t room = limits->max_levels + 1;
    for (uint16_t i = 0; i < limits->instruments; i++) {
        for (unsigned side = 0; side < 2; side++) {
            d->books[i].sides[side] = need(calloc(room, sizeof(matching_level)));
        }
    }
    d->order_room = 2 * (limits->max_orders + limits->retained_orders + 1);
    for (unsigned i = 0; i < 3; i++) {
        d->levels[i] = need(calloc(room, sizeof(matching_level)));
        d->orders[i] = need(calloc(d->order_room, sizeof(matching_order)));
    }
    set_instruments(d);
}

void duel_reset(duel *d)
{
    fixture_reset(&d->engine);
    oracle_reset(d->oracle);
    set_instruments(d);
    for (uint32_t i = 0; i < d->engine.limits.instruments; i++) {
        d->books[i].counts[0] = d->books[i].counts[1] = 0;
        d->books[i].depth_sequence = 0;
    }
    d->last_order_id = 0;
    d->difference[0] = 0;
}

void duel_fini(duel *d)
{
    for (uint32_t i = 0; i < d->engine.limits.instruments; i++) {
        free(d->books[i].sides[0]);
        free(d->books[i].sides[1]);
    }
    free(d->books);
    for (unsigned i = 0; i < 3; i++) {
        free(d->levels[i]);
        free(d->orders[i]);
    }
    oracle_destroy(d->oracle);
    fixture_fini(&d->engine);
}

__attribute__((format(printf, 2, 3))) static bool differ(duel *d, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(d->difference, sizeof d->difference, format, arguments);
    va_end(arguments);
    return false;
}

static void print_order(char *out, size_t size, const matching_order *o)
{
    snprintf(out, size,
             "{id %" PRIu64 " price %" PRId64 " stop %" PRId64 " quantity %" PRId64
             " display %" PRId64 " filled %" PRId64 " notional %" PRIu64 ":%" PRIu64
             " created %" PRIu64 " updated %" PRIu64 " expire %" PRIu64
             " instrument %u side %u type %u tif %u status %u reason %u stp %u post_only %u"
             " trader '%s' client '%s'}",
             o->order_id, o->price_ticks, o->stop_price_ticks, o->quantity_lots, o->display_lots,
             o->filled_lots, (uint64_t)(o->notional >> 64), (uint64_t)o->notional, o->created_ns,
             o->updated_ns, o->expire_time_ms, o->instrument, o->side, o->type, o->time_in_force,
             o->status, o->reason, o->self_trade, o->post_only, o->trader_id, o->client_order_id);
}

static bool same_order(const matching_order *a, const matching_order *b)
{
    return a->order_id == b->order_id && a->price_ticks == b->price_ticks &&
           a->stop_price_ticks == b->stop_price_ticks && a->quantity_lots == b->quantity_lots &&
           a->display_lots == b->display_lots && a->filled_lots == b->filled_lots &&
           a->notional == b->notional && a->created_ns == b->created_ns &&
           a->updated_ns == b->updated_ns && a->expire_time_ms == b->expire_time_ms &&
           a->instrument == b->instrument && a->side == b->side && a->type == b->type &&
           a->time_in_force == b->time_in_force && a->status == b->status &&
           a->reason == b->reason && a->self_trade == b->self_trade &&
           a->post_only == b->post_only && strcmp(a->trader_id, b->trader_id) == 0 &&
           strcmp(a->client_order_id, b->client_order_id) == 0;
}

static bool compare_order(duel *d, const char *where, const matching_order *wanted,
                          const matching_order *got)
{
    if (same_order(wanted, got)) {
        return true;
    }
    char w[700], g[700];
    print_order(w, sizeof w, wanted);
    print_order(g, sizeof g, got);
    return differ(d, "%s:\n  wanted %s\n  got    %s", where, w, g);
}

static bool compare_reply(duel *d, const oracle_reply *wanted, const matching_reply *got)
{
    if (wanted->code != got->code || wanted->field != got->field) {
        return differ(d, "reply: wanted code %d field %d, got code %d field %d", wanted->code,
                      wanted->field, got->code, got->field);
    }
    if (wanted->related_order_id != got->related_order_id) {
        return differ(d, "reply: wanted related order %" PRIu64 ", got %" PRIu64,
                      wanted->related_order_id, got->related_order_id);
    }
    if (wanted->has_order != got->has_order) {
        return differ(d, "reply: wanted %s order", wanted->has_order ? "an" : "no");
    }
    return !wanted->has_order || compare_order(d, "reply", &wanted->order, &got->order);
}

static bool compare_trade(duel *d, const oracle_event *wanted, const matching_event *got)
{
    if (wanted->trade_id != got->trade.trade_id || wanted->price_ticks != got->trade.price_ticks ||
        wanted->quantity_lots != got->trade.quantity_lots || wanted->side != got->side ||
        wanted->maker_order_id != got->trade.maker_order_id ||
        wanted->taker_order_id != got->trade.taker_order_id) {
        return differ(d,
                      "trade: wanted id %" PRIu64 " %" PRId64 " x %" PRId64 " maker %" PRIu64
                      " taker %" PRIu64 ", got id %" PRIu64 " %" PRId64 " x %" PRId64
                      " maker %" PRIu64 " taker %" PRIu64,
                      wanted->trade_id, wanted->quantity_lots, wanted->price_ticks,
                      wanted->maker_order_id, wanted->taker_order_id, got->trade.trade_id,
                      got->trade.quantity_lots, got->trade.price_ticks, got->trade.maker_order_id,
                      got->trade.taker_order_id);
    }
    const matching_engine *engine = d->engine.engine;
    if (strcmp(matching_engine_trader(engine, got->trade.maker_trader), wanted->maker_trader) ||
        strcmp(matching_engine_trader(engine, got->trade.taker_trader), wanted->taker_trader)) {
        return differ(d, "trade %" PRIu64 ": its trader numbers lead to other names",
                      wanted->trade_id);
    }
    return true;
}

static bool compare_update(duel *d, const oracle_event *wanted, const fixture_event *got)
{
    const matching_event *event = &got->event;
    if (wanted->trade_id != event->order.trade_id ||
        wanted->price_ticks != event->order.last_price_ticks ||
        wanted->quantity_lots != event->order.last_quantity_lots || wanted->side != event->side) {
        return differ(d,
                      "update of order %" PRIu64 ": wanted trade %" PRIu64 " %" PRId64 " x %" PRId64
                      ", got order %" PRIu64 " trade %" PRIu64 " %" PRId64 " x %" PRId64,
                      wanted->order.order_id, wanted->trade_id, wanted->quantity_lots,
                      wanted->price_ticks, event->order.order_id, event->order.trade_id,
                      event->order.last_quantity_lots, event->order.last_price_ticks);
    }
    if (event->order.order_id != got->order.order_id) {
        return differ(d, "update: header and order have different ids");
    }
    if (strcmp(matching_engine_trader(d->engine.engine, event->order.trader),
               wanted->order.trader_id) != 0) {
        return differ(d, "update: its trader number leads to another name");
    }
    return compare_order(d, "update", &wanted->order, &got->order);
}

static bool compare_event(duel *d, const oracle_event *wanted, const fixture_event *got)
{
    if (wanted->kind != got->event.kind || wanted->instrument != got->event.instrument) {
        return differ(d, "events: wanted kind %u of instrument %u, got kind %u of %u", wanted->kind,
                      wanted->instrument, got->event.kind, got->event.instrument);
    }
    switch (wanted->kind) {
    case MATCHING_EVENT_TRADE:
        d->trades++;
        d->crosses += wanted->side == MATCHING_SIDE_NONE;
        return compare_trade(d, wanted, &got->event);
    case MATCHING_EVENT_ORDER:
        d->reasons[wanted->order.reason]++;
        d->triggers += wanted->order.stop_price_ticks != 0 && wanted->trade_id == 0 &&
                       wanted->order.status == MATCHING_OPEN;
        return compare_update(d, wanted, got);
    default:
        return wanted->state == got->event.state.state || differ(d, "state: a wrong one");
    }
}

/* A client's depth after one more LEVEL event. */
static bool replay_level(duel *d, const matching_event *event)
{
    if (event->instrument >= d->engine.limits.instruments || event->side > 1) {
        return differ(d, "level: no such book");
    }
    duel_book *book = &d->books[event->instrument];
    if (event->level.depth_sequence != ++book->depth_sequence) {
        return differ(d, "level: wanted depth_sequence %" PRIu64 ", got %" PRIu64,
                      book->depth_sequence, event->level.depth_sequence);
    }
    if ((event->level.total_lots == 0) != (event->level.orders == 0)) {
        return differ(d, "level: a total without orders, or the reverse");
    }
    matching_level *levels = book->sides[event->side];
    size_t *count = &book->counts[event->side], at = 0;
    int64_t price = event->level.price_ticks;
    while (at < *count && (event->side == MATCHING_BUY ? levels[at].price_ticks > price
                                                       : levels[at].price_ticks < price)) {
        at++;
    }
    bool known = at < *count && levels[at].price_ticks == price;
    if (event->level.total_lots == 0) {
        if (known) {
            memmove(levels + at, levels + at + 1, (--*count - at) * sizeof *levels);
        }
        return known || differ(d, "level: one is gone that was not there");
    }
    if (!known) {
        if (*count == d->engine.limits.max_levels) {
            return differ(d, "level: more of them than the limit allows");
        }
        memmove(levels + at + 1, levels + at, ((*count)++ - at) * sizeof *levels);
    }
    levels[at] = (matching_level){event->level.total_lots, price, event->level.orders};
    return true;
}

static bool same_levels(const matching_level *a, const matching_level *b, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (a[i].price_ticks != b[i].price_ticks || a[i].total_lots != b[i].total_lots ||
            a[i].orders != b[i].orders) {
            return false;
        }
    }
    return true;
}

/* The client's depth and the engine's own, in full and cut short, against the oracle's. */
static bool compare_book(duel *d, uint16_t instrument)
{
    const duel_book *book = &d->books[instrument];
    matching_depth depth = {.bids = d->levels[1], .asks = d->levels[2]};
    uint32_t room = (uint32_t)d->engine.limits.max_levels + 1;
    matching_engine_read_depth(d->engine.engine, instrument, room, &depth);
    size_t read[2] = {depth.bid_count, depth.ask_count};
    if (depth.sequence != book->depth_sequence) {
        return differ(d, "depth: read at sequence %" PRIu64 ", events are at %" PRIu64,
                      depth.sequence, book->depth_sequence);
    }
    if (!depth.bids_complete || !depth.asks_complete) {
        return differ(d, "depth: read in full, but said to be incomplete");
    }
    for (unsigned side = 0; side < 2; side++) {
        size_t count = oracle_depth(d->oracle, instrument, side, d->levels[0], room);
        if (count != book->counts[side] || !same_levels(d->levels[0], book->sides[side], count)) {
            return differ(d, "depth: instrument %u side %u, as told by LEVEL events, is wrong",
                          instrument, side);
        }
        if (count != read[side] || !same_levels(d->levels[0], d->levels[1 + side], count)) {
            return differ(d, "depth: instrument %u side %u, as read, is wrong", instrument, side);
        }
    }
    matching_engine_read_depth(d->engine.engine, instrument, 1, &depth);
    if (depth.bid_count != (read[0] > 0) || depth.ask_count != (read[1] > 0) ||
        depth.bids_complete != (read[0] <= 1) || depth.asks_complete != (read[1] <= 1)) {
        return differ(d, "depth: one level was read wrongly");
    }
    return true;
}

/* What an auction would do now, and when a tick is wanted. */
static bool compare_outlook(duel *d, uint16_t instrument)
{
    int64_t wanted_price = 0, price = 0;
    matching_wide wanted_volume = 0, volume = 0;
    bool wanted = oracle_indicative(d->oracle, instrument, &wanted_price, &wanted_volume);
    bool got = matching_engine_indicative(d->engine.engine, instrument, &price, &volume);
    if (wanted != got || (wanted && (wanted_price != price || wanted_volume != volume))) {
        return differ(d, "auction: wanted %d %" PRId64 ", got %d %" PRId64, wanted, wanted_price,
                      got, price);
    }
    return oracle_next_expiry(d->oracle) == matching_engine_next_expiry(d->engine.engine) ||
           differ(d, "expiry: the next one is told wrongly");
}

static bool compare_events(duel *d, const matching_command *command, const oracle_reply *wanted)
{
    size_t next = 0;
    for (size_t i = 0; i < d->engine.event_count; i++) {
        const fixture_event *got = &d->engine.events[i];
        if (got->event.sequence_low != (uint32_t)command->sequence ||
            got->event.time_ns != command->time_ns) {
            return differ(d, "events: one has another command's sequence or time");
        }
        if (got->event.kind == MATCHING_EVENT_LEVEL) {
            if (!replay_level(d, &got->event)) {
                return false;
            }
        } else if (next == wanted->event_count) {
            return differ(d, "events: one more than wanted, kind %u", got->event.kind);
        } else if (!compare_event(d, &wanted->events[next++], got)) {
            return false;
        }
    }
    return next == wanted->event_count ||
           differ(d, "events: wanted %zu trades, updates and states, got %zu", wanted->event_count,
                  next);
}

static bool check_new_id(duel *d, uint64_t order_id)
{
    const matching_engine_limits *limits = &d->engine.limits;
    if (order_id <= d->last_order_id || order_id > MATCHING_ORDER_ID_MAX ||
        (order_id & ((UINT64_C(1) << limits->shard_bits) - 1)) != limits->shard) {
        return differ(d, "reply: order id %" PRIu64 " after %" PRIu64, order_id, d->last_order_id);
    }
    d->last_order_id = order_id;
    return true;
}

static bool apply_command(duel *d, matching_command command, bool check)
{
    uint64_t hash = check ? matching_engine_hash(d->engine.engine) : 0;
    /* A state that is not the twin's stays so: looking now and then is enough. */
    bool look = check && d->engine.sequence % 8 == 0;
    const matching_reply *got = fixture_try(&d->engine, command, look);
    command.sequence = d->engine.sequence;
    command.time_ns = d->engine.time_ns;
    uint64_t new_id = command.type == MATCHING_PLACE && got->has_order ? got->order.order_id : 0;
    const oracle_reply *wanted = oracle_apply(d->oracle, &command, new_id);
    d->codes[wanted->code]++;
    if (got->type != command.type || got->sequence != command.sequence) {
        return differ(d, "reply: another command's type or sequence");
    }
    if (!compare_reply(d, wanted, got) || (new_id != 0 && !check_new_id(d, new_id)) ||
        !compare_events(d, &command, wanted)) {
        return false;
    }
    const char *broken = check ? matching_engine_check(d->engine.engine) : NULL;
    if (broken != NULL) {
        return differ(d, "invariant: %s", broken);
    }
    if (d->engine.difference != NULL) {
        return differ(d, "%s", d->engine.difference);
    }
    if (check && wanted->code != MATCHING_OK && wanted->event_count == 0 &&
        matching_engine_hash(d->engine.engine) != hash) {
        return differ(d, "a refused command changed the state hash");
    }
    for (uint16_t i = 0; i < d->engine.limits.instruments; i++) {
        if ((check || i == command.instrument) && (!compare_book(d, i) || !compare_outlook(d, i))) {
            return false;
        }
    }
    return true;
}

static bool read_one(duel *d, const matching_command *command)
{
    matching_reply got = {0};
    matching_engine_read_order(d->engine.engine, command, &got);
    const oracle_reply *wanted = oracle_read_order(d->oracle, command);
    if (wanted->may_be_forgotten && got.code == MATCHING_ORDER_NOT_FOUND) {
        return true;
    }
    return compare_reply(d, wanted, &got);
}

static bool read_open(duel *d, const matching_command *command)
{
    matching_command working = *command;
    working.status = MATCHING_STATUS_WORKING;
    memset(working.client_order_id, 0, sizeof working.client_order_id);
    size_t wanted = oracle_orders(d->oracle, &working, false, d->orders[0], d->order_room);
    bool complete = false;
    size_t got = open_orders(&d->engine, command, d->orders[2], command->limit, &complete);
    if (got != (wanted < command->limit ? wanted : command->limit) ||
        complete != (wanted <= command->limit)) {
        return differ(d, "open orders: wanted %zu, got %zu of at most %u", wanted, got,
                      command->limit);
    }
    for (size_t i = 0; i < got; i++) {
        if (!compare_order(d, "open orders", &d->orders[0][i], &d->orders[2][i])) {
            return false;
        }
    }
    return true;
}

/* A page holds what still works and the ended ones that are retained; it may hold older ended ones
 * too, as long as they are true. */
static bool compare_page(duel *d, const matching_order_page *page, size_t working, size_t ended)
{
    size_t w = 0, e = 0;
    for (uint32_t i = 0; i < page->count; i++) {
        const matching_order *got = &page->orders[i];
        if (i > 0 && page->orders[i - 1].order_id >= got->order_id) {
            return differ(d, "page of orders: not by ascending id");
        }
        bool listed;
        if (w < working && d->orders[0][w].order_id <= got->order_id) {
            listed = compare_order(d, "page of orders", &d->orders[0][w++], got);
        } else if (e < ended && d->orders[1][e].order_id <= got->order_id) {
            listed = compare_order(d, "page of orders", &d->orders[1][e++], got);
        } else {
            const oracle_reply *old =
                oracle_read_order(d->oracle, &(matching_command){.type = MATCHING_READ_ORDER,
                                                                 .order_id = got->order_id});
            listed = old->may_be_forgotten
                         ? compare_order(d, "page of orders", &old->order, got)
                         : differ(d, "page of orders: %" PRIu64 " is not one", got->order_id);
        }
        if (!listed) {
            return false;
        }
    }
    return page->more || (w == working && e == ended) ||
           differ(d, "page of orders: some are missing");
}

static bool read_page(duel *d, const matching_command *command)
{
    size_t working = oracle_orders(d->oracle, command, false, d->orders[0], d->order_room);
    size_t ended = oracle_orders(d->oracle, command, true, d->orders[1], d->order_room);
    matching_order_page page = {.orders = d->orders[2], .capacity = command->limit};
    while (!page.done) {
        uint64_t before = page.next_slot;
        matching_engine_read_orders(d->engine.engine, command, &page, 7);
        if (page.next_slot > before + 7 || (page.next_slot == before && !page.done)) {
            return differ(d, "page of orders: a step was longer than its budget, or stood still");
        }
    }
    if (page.count > command->limit || (page.more && page.count < command->limit)) {
        return differ(d, "page of orders: %u of at most %u", page.count, command->limit);
    }
    return compare_page(d, &page, working, ended);
}

bool duel_apply(duel *d, const matching_command *command, bool check)
{
    switch (command->type) {
    case MATCHING_READ_ORDER:
        return read_one(d, command);
    case MATCHING_READ_OPEN_ORDERS:
        return read_open(d, command);
    case MATCHING_READ_ORDERS:
        return read_page(d, command);
    default:
        return apply_command(d, *command, check);
    }
}
