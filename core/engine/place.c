/* Order entry: every check that can refuse, then the order, then matching, then what remains. */
#include "engine/engine_internal.h"

static bool may_rest(const matching_command *command)
{
    return command->order_type != MATCHING_MARKET && command->time_in_force != MATCHING_IOC &&
           command->time_in_force != MATCHING_FOK;
}

static bool would_reach(const matching_engine *engine, const matching_command *command)
{
    uint32_t best = engine->books[command->instrument].sides[!command->side].best;
    return best != 0 &&
           price_reaches(command->side, command->price_ticks, engine->levels[best].price_ticks);
}

/* Does a configured limit stand against this order? */
static bool is_full(const matching_engine *engine, const matching_command *command,
                    uint32_t trader)
{
    if (trader == 0 && engine->trader_count == engine->limits.max_traders) {
        return true;
    }
    if (!may_rest(command)) {
        return false;
    }
    if (engine->working_count == engine->limits.max_orders) {
        return true;
    }
    const book_side *side = &engine->books[command->instrument].sides[command->side];
    return engine->free_level == 0 && level_find(engine, side, command->price_ticks) == 0;
}

static matching_code check(const apply_context *context, uint32_t trader)
{
    const matching_engine *engine = context->engine;
    const matching_command *command = context->command;
    matching_reply *reply = context->reply;
    if (engine->books[command->instrument].state != MATCHING_TRADING) {
        return MATCHING_MARKET_HALTED;
    }
    if (command->client_order_id[0] != 0 && trader != 0) {
        uint32_t other =
            client_find(engine, trader, command->instrument, command->client_order_id);
        if (other != NO_SLOT && record_is_working(&engine->orders[other])) {
            reply->field = MATCHING_FIELD_CLIENT_ORDER_ID;
            reply->related_order_id = engine->orders[other].order_id;
            return MATCHING_DUPLICATE_CLIENT_ORDER_ID;
        }
    }
    if ((command->flags & MATCHING_FLAG_POST_ONLY) && would_reach(engine, command)) {
        reply->field = MATCHING_FIELD_PRICE;
        return MATCHING_POST_ONLY_WOULD_CROSS;
    }
    return is_full(engine, command, trader) ? MATCHING_BOOK_FULL : MATCHING_OK;
}

static uint32_t create(apply_context *context)
{
    matching_engine *engine = context->engine;
    const matching_command *command = context->command;
    uint32_t slot = order_allocate(engine);
    order_record *order = &engine->orders[slot];
    order_extra *extra = &engine->extras[slot];
    order->price_ticks = command->price_ticks;
    order->quantity_lots = order->remaining_lots = command->quantity_lots;
    order->instrument = command->instrument;
    order->side = command->side;
    order->type = command->order_type;
    order->time_in_force = command->time_in_force;
    order->status = MATCHING_OPEN;
    order->flags = command->flags & MATCHING_FLAG_POST_ONLY ? ORDER_POST_ONLY : 0;
    order->trader = trader_intern(engine, command->trader_id);
    extra->created_ns = extra->updated_ns = command->time_ns;
    if (command->client_order_id[0] != 0) {
        order->flags |= ORDER_HAS_CLIENT_ID;
        memcpy(extra->client_order_id, command->client_order_id, sizeof extra->client_order_id);
        client_insert(engine, slot);
    }
    engine->working_count++;
    trader_link(engine, slot);
    return slot;
}

/* Why the remainder of an order that may not rest is cancelled. */
static matching_reason remainder_reason(const order_record *order)
{
    return order->type == MATCHING_MARKET ? MATCHING_REASON_NO_LIQUIDITY : MATCHING_REASON_IOC;
}

void apply_place(apply_context *context)
{
    matching_engine *engine = context->engine;
    const matching_command *command = context->command;
    matching_reply *reply = context->reply;
    matching_code code = check(context, trader_find(engine, command->trader_id));
    if (code != MATCHING_OK) {
        reply->code = (uint16_t)code;
        return;
    }
    uint32_t slot = create(context);
    order_record *order = &engine->orders[slot];
    if (order->time_in_force == MATCHING_FOK &&
        !match_can_fill(engine, order->instrument, order->side, taker_limit(order),
                        order->remaining_lots)) {
        order_end(context, slot, MATCHING_CANCELLED, MATCHING_REASON_FOK);
        emit_order(context, slot, 0, 0, 0);
    } else {
        match_run(context, slot);
        if (order->remaining_lots > 0) {
            if (may_rest(command)) {
                book_enqueue(context, slot);
            } else {
                order_end(context, slot, MATCHING_CANCELLED, remainder_reason(order));
            }
            if (order->status != MATCHING_PARTIAL) {
                emit_order(context, slot, 0, 0, 0);
            }
        }
    }
    reply->has_order = 1;
    order_copy(engine, slot, &reply->order);
}
