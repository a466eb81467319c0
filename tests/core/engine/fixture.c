/* See fixture.h. A broken rule of the sink ends the program: no later result would mean a thing. */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/cunit_main.h"
#include "twin.h"

#define POISON 0xA5

_Noreturn void matching_engine_panic(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: the engine's invariant does not hold: %s\n", file, line, what);
    abort();
}

_Noreturn static void broken(const char *what)
{
    fprintf(stderr, "fixture: %s\n", what);
    abort();
}

static void drain(fixture *f)
{
    if (f->sink.head > f->sink.limit) {
        broken("the engine wrote beyond the sink's limit");
    }
    for (; f->drained < f->sink.head; f->drained++) {
        if (f->slot_count == f->slot_room) {
            f->slot_room = f->slot_room * 2 + 64;
            f->slots = realloc(f->slots, f->slot_room * sizeof *f->slots);
            if (f->slots == NULL) {
                broken("out of memory");
            }
        }
        matching_event *slot = &f->ring[f->drained % FIXTURE_RING];
        f->slots[f->slot_count++] = *slot;
        memset(slot, POISON, sizeof *slot);
    }
}

static void make_room(matching_event_sink *sink)
{
    fixture *f = sink->context;
    drain(f);
    sink->limit = f->drained + FIXTURE_RING;
}

static void check_ring_is_clean(const fixture *f)
{
    const unsigned char *bytes = (const unsigned char *)f->ring;
    for (size_t i = 0; i < sizeof f->ring; i++) {
        if (bytes[i] != POISON) {
            broken("the engine wrote to a slot at or behind the sink's head");
        }
    }
}

static void take_apart(fixture *f)
{
    f->event_count = 0;
    for (size_t at = 0; at < f->slot_count; at++) {
        if (f->event_count == f->event_room) {
            f->event_room = f->event_room * 2 + 64;
            f->events = realloc(f->events, f->event_room * sizeof *f->events);
            if (f->events == NULL) {
                broken("out of memory");
            }
        }
        fixture_event *event = &f->events[f->event_count++];
        memset(event, 0, sizeof *event);
        event->event = f->slots[at];
        if (event->event.kind == MATCHING_EVENT_ORDER) {
            if (at + MATCHING_ORDER_SLOTS >= f->slot_count) {
                broken("an ORDER event without its order");
            }
            memcpy(&event->order, &f->slots[at + 1], sizeof event->order);
            at += MATCHING_ORDER_SLOTS;
        }
    }
}

matching_engine_limits fixture_limits(void)
{
    return (matching_engine_limits){.instruments = 3,
                                    .shard = 1,
                                    .shard_bits = 2,
                                    .max_orders = 100,
                                    .max_levels = 100,
                                    .max_traders = 20,
                                    .retained_orders = 50};
}

void fixture_init_alone(fixture *f, const matching_engine_limits *limits)
{
    memset(f, 0, sizeof *f);
    f->limits = *limits;
    size_t size = matching_engine_size(limits);
    if (size == 0) {
        broken("limits out of range");
    }
    f->memory_bytes = (size + 63) / 64 * 64;
    f->memory = aligned_alloc(64, f->memory_bytes);
    if (f->memory == NULL) {
        broken("out of memory");
    }
    fixture_reset(f);
}

void fixture_reset(fixture *f)
{
    memset(f->memory, 0, f->memory_bytes);
    f->engine = matching_engine_init(f->memory, &f->limits);
    memset(f->ring, POISON, sizeof f->ring);
    f->sink = (matching_event_sink){
        .slots = f->ring, .mask = FIXTURE_RING - 1, .make_room = make_room, .context = f};
    f->drained = f->slot_count = f->event_count = 0;
    f->sequence = 0;
    f->time_ns = 1700000000000000000u;
    if (f->twin != NULL) {
        twin_reset(f->twin);
    }
}

void fixture_init(fixture *f, const matching_engine_limits *limits)
{
    fixture_init_alone(f, limits);
    f->twin = twin_create(limits);
}

void fixture_fini(fixture *f)
{
    twin_destroy(f->twin);
    free(f->memory);
    free(f->slots);
    free(f->events);
    memset(f, 0, sizeof *f);
}

void fixture_set_instrument(fixture *f, uint16_t instrument, int64_t tick_size, int64_t lot_size)
{
    matching_engine_set_instrument(f->engine, instrument, tick_size, lot_size);
    if (f->twin != NULL) {
        twin_set_instrument(f->twin, instrument, tick_size, lot_size);
    }
}

const matching_reply *fixture_apply_alone(fixture *f, matching_command command)
{
    command.sequence = ++f->sequence;
    f->time_ns = command.time_ns > f->time_ns ? command.time_ns : f->time_ns + 1000;
    command.time_ns = f->time_ns;
    uint64_t earlier = f->reply.order.order_id;
    memset(&f->reply, 0, sizeof f->reply);
    f->reply.order.order_id = earlier; /* where a reply goes there was one before */
    f->slot_count = 0;
    matching_engine_apply(f->engine, &command, &f->sink, &f->reply);
    drain(f);
    check_ring_is_clean(f);
    take_apart(f);
    return &f->reply;
}

const matching_reply *fixture_try(fixture *f, matching_command command, bool check)
{
    fixture_apply_alone(f, command);
    f->difference = f->twin == NULL ? NULL : twin_apply(f->twin, f, command);
    if (f->difference == NULL && f->twin != NULL && check) {
        f->difference = twin_check(f->twin, f);
    }
    return &f->reply;
}

const matching_reply *fixture_apply_unchecked(fixture *f, matching_command command)
{
    fixture_try(f, command, false);
    if (f->difference != NULL) {
        broken(f->difference);
    }
    return &f->reply;
}

const matching_reply *fixture_apply(fixture *f, matching_command command)
{
    fixture_apply_unchecked(f, command);
    const char *wrong = matching_engine_check(f->engine);
    if (wrong == NULL && f->twin != NULL) {
        wrong = twin_check(f->twin, f);
    }
    if (wrong != NULL) {
        broken(wrong);
    }
    return &f->reply;
}

void set_trader(matching_command *command, const char *trader)
{
    memset(command->trader_id, 0, sizeof command->trader_id);
    memcpy(command->trader_id, trader, strlen(trader));
}

void set_client_id(matching_command *command, const char *client_order_id)
{
    memset(command->client_order_id, 0, sizeof command->client_order_id);
    memcpy(command->client_order_id, client_order_id, strlen(client_order_id));
}

matching_command limit_order(const char *trader, matching_side side, int64_t price_ticks,
                             int64_t quantity_lots)
{
    matching_command command = {.type = MATCHING_PLACE,
                                .side = (uint8_t)side,
                                .order_type = MATCHING_LIMIT,
                                .time_in_force = MATCHING_GTC,
                                .price_ticks = price_ticks,
                                .quantity_lots = quantity_lots};
    set_trader(&command, trader);
    return command;
}

matching_command market_order(const char *trader, matching_side side, int64_t quantity_lots)
{
    matching_command command = limit_order(trader, side, 0, quantity_lots);
    command.order_type = MATCHING_MARKET;
    command.time_in_force = MATCHING_IOC;
    return command;
}

matching_command cancel_by_id(uint64_t order_id)
{
    return (matching_command){
        .type = MATCHING_CANCEL, .order_id = order_id, .reason = MATCHING_REASON_USER};
}

matching_command cancel_by_client_id(const char *trader, const char *client_order_id)
{
    matching_command command = cancel_by_id(0);
    set_trader(&command, trader);
    set_client_id(&command, client_order_id);
    return command;
}

matching_command amend_by_id(uint64_t order_id, int64_t price_ticks, int64_t quantity_lots)
{
    return (matching_command){.type = MATCHING_AMEND,
                              .order_id = order_id,
                              .price_ticks = price_ticks,
                              .quantity_lots = quantity_lots};
}

matching_command cancel_all(const char *trader)
{
    matching_command command = {.type = MATCHING_CANCEL_ALL,
                                .flags = MATCHING_FLAG_ALL_SYMBOLS,
                                .reason = MATCHING_REASON_MASS_CANCEL};
    set_trader(&command, trader);
    return command;
}

matching_command set_state(uint16_t instrument, matching_state state)
{
    return (matching_command){
        .type = MATCHING_SET_STATE, .instrument = instrument, .state = (uint8_t)state};
}

matching_command stop_order(const char *trader, matching_side side, int64_t stop_price_ticks,
                            int64_t price_ticks, int64_t quantity_lots)
{
    matching_command command = limit_order(trader, side, price_ticks, quantity_lots);
    command.order_type = price_ticks != 0 ? MATCHING_STOP_LIMIT : MATCHING_STOP;
    command.stop_price_ticks = stop_price_ticks;
    return command;
}

matching_command iceberg_order(const char *trader, matching_side side, int64_t price_ticks,
                               int64_t quantity_lots, int64_t display_lots)
{
    matching_command command = limit_order(trader, side, price_ticks, quantity_lots);
    command.display_lots = display_lots;
    return command;
}

matching_command tick_at(uint64_t time_ms)
{
    return (matching_command){.type = MATCHING_TICK, .time_ns = time_ms * 1000000};
}

matching_command guarded(matching_command place)
{
    place.flags |= MATCHING_FLAG_GUARDED;
    return place;
}

void set_limits(matching_command *command, const matching_engine_limits *limits)
{
    command->type = MATCHING_SET_LIMITS;
    command->price_ticks = (int64_t)limits->max_orders;
    command->quantity_lots = (int64_t)limits->max_levels;
    command->display_lots = (int64_t)limits->max_traders;
    command->stop_price_ticks = (int64_t)limits->retained_orders;
    command->instrument_id = limits->instruments;
}

uint64_t now_ms(const fixture *f)
{
    return f->time_ns / 1000000;
}

matching_command read_by_id(uint64_t order_id)
{
    return (matching_command){.type = MATCHING_READ_ORDER, .order_id = order_id};
}

matching_command read_by_client_id(const char *trader, const char *client_order_id)
{
    matching_command command = read_by_id(0);
    set_trader(&command, trader);
    set_client_id(&command, client_order_id);
    return command;
}

matching_order accepted(fixture *f, matching_command command)
{
    const matching_reply *reply = fixture_apply(f, command);
    CU_ASSERT_EQUAL_FATAL(reply->code, MATCHING_OK);
    CU_ASSERT_EQUAL(reply->field, MATCHING_FIELD_NONE);
    CU_ASSERT_TRUE(reply->has_order);
    return reply->order;
}

void refused(fixture *f, matching_command command, matching_code code, matching_field field)
{
    uint64_t before = matching_engine_hash(f->engine);
    const matching_reply *reply = fixture_apply(f, command);
    CU_ASSERT_EQUAL(reply->code, code);
    CU_ASSERT_EQUAL(reply->field, field);
    CU_ASSERT_FALSE(reply->has_order);
    CU_ASSERT_EQUAL(f->event_count, 0);
    CU_ASSERT_EQUAL(matching_engine_hash(f->engine), before);
}

bool read_order(fixture *f, matching_command command, matching_order *order)
{
    matching_reply reply;
    memset(&reply, 0, sizeof reply);
    matching_engine_read_order(f->engine, &command, &reply);
    *order = reply.order;
    CU_ASSERT_EQUAL(reply.code, reply.has_order ? MATCHING_OK : MATCHING_ORDER_NOT_FOUND);
    return reply.has_order;
}

const fixture_event *event_of(const fixture *f, matching_event_kind kind, size_t index)
{
    for (size_t i = 0; i < f->event_count; i++) {
        if (f->events[i].event.kind == kind && index-- == 0) {
            return &f->events[i];
        }
    }
    return NULL;
}

size_t count_events(const fixture *f, matching_event_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < f->event_count; i++) {
        count += f->events[i].event.kind == kind;
    }
    return count;
}

void traded(const fixture *f, size_t index, uint64_t maker, uint64_t taker, int64_t price_ticks,
            int64_t lots)
{
    const fixture_event *event = event_of(f, MATCHING_EVENT_TRADE, index);
    CU_ASSERT_PTR_NOT_NULL_FATAL(event);
    CU_ASSERT_EQUAL(event->event.trade.maker_order_id, maker);
    CU_ASSERT_EQUAL(event->event.trade.taker_order_id, taker);
    CU_ASSERT_EQUAL(event->event.trade.price_ticks, price_ticks);
    CU_ASSERT_EQUAL(event->event.trade.quantity_lots, lots);
}

void told(const fixture *f, size_t index, uint64_t order_id, matching_status status)
{
    const fixture_event *event = event_of(f, MATCHING_EVENT_ORDER, index);
    CU_ASSERT_PTR_NOT_NULL_FATAL(event);
    CU_ASSERT_EQUAL(event->order.order_id, order_id);
    CU_ASSERT_EQUAL(event->order.status, status);
}

matching_order order_now(fixture *f, uint64_t order_id)
{
    matching_order order;
    CU_ASSERT_TRUE_FATAL(read_order(f, read_by_id(order_id), &order));
    return order;
}

size_t open_orders(const fixture *f, const matching_command *command, matching_order *orders,
                   size_t capacity, bool *complete)
{
    matching_order_page page = {.orders = orders, .capacity = (uint32_t)capacity};
    while (!page.done) {
        matching_engine_read_open_orders(f->engine, command, &page, 3);
    }
    *complete = !page.more;
    return page.count;
}

uint64_t level_total(fixture *f, uint16_t instrument, matching_side side, int64_t price_ticks)
{
    static matching_level bids[1000], asks[1000];
    matching_depth depth = {.bids = bids, .asks = asks};
    matching_engine_read_depth(f->engine, instrument, 1000, &depth);
    const matching_level *levels = side == MATCHING_BUY ? bids : asks;
    uint32_t count = side == MATCHING_BUY ? depth.bid_count : depth.ask_count;
    for (uint32_t i = 0; i < count; i++) {
        if (levels[i].price_ticks == price_ticks) {
            return (uint64_t)levels[i].total_lots;
        }
    }
    return 0;
}
