/* The engine's memory and its one entry. What each command does is in place.c and change.c. */
#include "engine/engine_internal.h"

#define CACHE_LINE 64u
#define ORDERS_MAX (1u << 30)

#ifndef MATCHING_ENGINE_CHECKS
#define MATCHING_ENGINE_CHECKS 0 /* 1 in debug and fuzz builds */
#endif
/* Orders and levels that an engine may have and still check itself after each command. */
#define CHECKED_EACH 1024

static uint64_t power_of_two(uint64_t at_least)
{
    uint64_t size = 1;
    while (size < at_least) {
        size *= 2;
    }
    return size;
}

/* Working orders at their limit, the taker that is just being applied, and the retained ones. */
static uint64_t slot_count(const matching_engine_limits *limits)
{
    return power_of_two(limits->max_orders + limits->retained_orders + 1);
}

static size_t round_up(size_t bytes)
{
    return (bytes + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1);
}

/* Gives each array its place behind the engine itself; with engine NULL only adds up. */
static size_t lay_out(const matching_engine_limits *limits, matching_engine *engine)
{
    uint64_t slots = slot_count(limits);
    uint64_t trader_places = power_of_two(2 * limits->max_traders + 2);
    struct {
        size_t bytes;
        void **place;
    } parts[] = {
        {slots * sizeof(order_record), engine ? (void **)&engine->orders : NULL},
        {slots * sizeof(order_extra), engine ? (void **)&engine->extras : NULL},
        {(limits->max_levels + 1) * sizeof(level_record), engine ? (void **)&engine->levels : NULL},
        {limits->instruments * sizeof(book_record), engine ? (void **)&engine->books : NULL},
        {(limits->max_traders + 1) * sizeof(trader_record),
         engine ? (void **)&engine->traders : NULL},
        {trader_places * sizeof(uint32_t), engine ? (void **)&engine->trader_table : NULL},
        {2 * slots * sizeof(uint32_t), engine ? (void **)&engine->client_table : NULL},
        {(limits->max_orders + 2) * sizeof(uint32_t),
         engine ? (void **)&engine->expiry_heap : NULL},
        {(limits->max_orders + 2) * sizeof(uint32_t),
         engine ? (void **)&engine->trigger_heap : NULL},
    };
    size_t at = round_up(sizeof(matching_engine));
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (engine != NULL) {
            *parts[i].place = (char *)engine + at;
        }
        at += round_up(parts[i].bytes);
    }
    if (engine != NULL) {
        engine->slot_mask = slots - 1;
        engine->client_mask = 2 * slots - 1;
        engine->trader_mask = trader_places - 1;
    }
    return at;
}

size_t matching_engine_size(const matching_engine_limits *limits)
{
    if (limits->instruments < 1 || limits->instruments > MATCHING_INSTRUMENTS_MAX ||
        limits->max_orders < 1 || limits->max_orders > ORDERS_MAX ||
        limits->retained_orders > ORDERS_MAX || limits->max_levels < 1 ||
        limits->max_levels > ORDERS_MAX || limits->max_traders < 1 ||
        limits->max_traders > ORDERS_MAX || limits->shard_bits > 6 ||
        limits->shard >> limits->shard_bits != 0) {
        return 0;
    }
    return lay_out(limits, NULL);
}

matching_engine *matching_engine_init(void *memory, const matching_engine_limits *limits)
{
    engine_assert(matching_engine_size(limits) != 0);
    engine_assert((uintptr_t)memory % CACHE_LINE == 0);
    matching_engine *engine = memory;
    engine->limits = *limits;
    lay_out(limits, engine);
    for (uint64_t i = 1; i <= limits->max_levels; i++) {
        engine->levels[i].right = i < limits->max_levels ? (uint32_t)i + 1 : 0;
    }
    engine->free_level = 1;
    for (uint32_t i = 0; i < limits->instruments; i++) {
        engine->books[i].tick_size = engine->books[i].lot_size = 1;
    }
    return engine;
}

void matching_engine_set_instrument(matching_engine *engine, uint16_t instrument, int64_t tick_size,
                                    int64_t lot_size)
{
    engine_assert(instrument < engine->limits.instruments && tick_size > 0 && lot_size > 0);
    engine->books[instrument].tick_size = tick_size;
    engine->books[instrument].lot_size = lot_size;
}

/* Walks every invariant: in a small engine after each command, in a larger one as much more
 * seldom as the walk is longer. */
static void check_itself(const matching_engine *engine, const matching_command *command)
{
    const matching_engine_limits *limits = &engine->limits;
    uint64_t size = limits->max_orders + limits->retained_orders + limits->max_levels;
    if (command->sequence % (1 + size / CHECKED_EACH) == 0) {
        const char *broken = matching_engine_check(engine);
        if (broken != NULL) {
            matching_engine_panic(__FILE__, __LINE__, broken);
        }
    }
}

void matching_engine_apply(matching_engine *engine, const matching_command *command,
                           matching_event_sink *sink, matching_reply *reply)
{
    engine_assert(command->instrument < engine->limits.instruments);
    apply_context context = {engine, command, sink, reply};
    reply->code = MATCHING_OK;
    reply->field = MATCHING_FIELD_NONE;
    reply->type = command->type;
    reply->has_order = 0;
    reply->related_order_id = 0;
    reply->sequence = command->sequence;
    expire_due(&context);
    switch (command->type) {
    case MATCHING_PLACE:
        apply_place(&context);
        break;
    case MATCHING_CANCEL:
        apply_cancel(&context);
        break;
    case MATCHING_AMEND:
        apply_amend(&context);
        break;
    case MATCHING_CANCEL_ALL:
        apply_cancel_all(&context);
        break;
    case MATCHING_SET_STATE:
        apply_set_state(&context);
        break;
    case MATCHING_TICK:
        break; /* time has passed: what was due has expired */
    default:
        matching_engine_panic(__FILE__, __LINE__, "not a command");
    }
    if (MATCHING_ENGINE_CHECKS) {
        check_itself(engine, command);
    }
}

uint64_t matching_engine_next_expiry(const matching_engine *engine)
{
    return engine->expiry_count == 0 ? 0 : engine->extras[engine->expiry_heap[1]].expire_time_ms;
}

const char *matching_engine_trader(const matching_engine *engine, uint32_t trader)
{
    return trader >= 1 && trader <= engine->limits.max_traders ? engine->traders[trader].name : "";
}
