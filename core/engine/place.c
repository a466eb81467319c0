/* Order entry: every check that can refuse, then the order, then matching, then what remains. */
#include "engine/engine_internal.h"

/* May what is left of such an order stay in the book? */
bool may_rest(unsigned type, unsigned time_in_force)
{
    return (type == MATCHING_LIMIT || type == MATCHING_STOP_LIMIT) &&
           (time_in_force == MATCHING_GTC || time_in_force == MATCHING_GTD);
}

static bool is_stop(const matching_command *command)
{
    return command->order_type == MATCHING_STOP || command->order_type == MATCHING_STOP_LIMIT;
}

static bool would_reach(const matching_engine *engine, const matching_command *command)
{
    uint32_t best = engine->books[command->instrument].sides[!command->side].best;
    return best != 0 &&
           price_reaches(command->side, command->price_ticks, engine->levels[best].price_ticks);
}

/* Does the instrument's state take this order? */
static bool is_admitted(const matching_engine *engine, const matching_command *command)
{
    switch (engine->books[command->instrument].state) {
    case MATCHING_TRADING:
        return true;
    case MATCHING_AUCTION:
        return is_stop(command) || (may_rest(command->order_type, command->time_in_force) &&
                                    !(command->flags & MATCHING_FLAG_POST_ONLY));
    default:
        return false;
    }
}

/* Does a configured limit stand against this order? */
static bool is_full(const matching_engine *engine, const matching_command *command, uint32_t trader)
{
    if (trader == 0 && engine->trader_count == engine->limits.max_traders) {
        return true;
    }
    if (!is_stop(command) && !may_rest(command->order_type, command->time_in_force)) {
        return false;
    }
    if (engine->working_count == engine->limits.max_orders) {
        return true;
    }
    if (level_is_free(engine) &&
        (command->order_type != MATCHING_STOP_LIMIT ||
         engine->limits.max_levels - engine->used_levels > engine->reserved_levels + 1)) {
        return false;
    }
    const book_record *book = &engine->books[command->instrument];
    return is_stop(command) ||
           level_find(engine, &book->sides[command->side], command->price_ticks) == 0;
}

static matching_code check(const apply_context *context, uint32_t trader)
{
    const matching_engine *engine = context->engine;
    const matching_command *command = context->command;
    matching_reply *reply = context->reply;
    if (command->time_in_force == MATCHING_GTD &&
        command->expire_time_ms <= command->time_ns / 1000000) {
        reply->field = MATCHING_FIELD_EXPIRE_TIME;
        return MATCHING_INVALID_PARAMETER;
    }
    if (!is_admitted(engine, command)) {
        return MATCHING_MARKET_HALTED;
    }
    if (command->client_order_id[0] != 0 && trader != 0) {
        uint32_t other = client_find(engine, trader, command->instrument, command->client_order_id);
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
    order->flags = (uint8_t)(command->self_trade << ORDER_SELF_TRADE_SHIFT);
    order->flags |= command->flags & MATCHING_FLAG_POST_ONLY ? ORDER_POST_ONLY : 0;
    order->trader = trader_intern(engine, command->trader_id);
    extra->created_ns = extra->updated_ns = command->time_ns;
    extra->display_lots = command->display_lots;
    extra->stop_price_ticks = command->stop_price_ticks;
    extra->expire_time_ms = command->expire_time_ms;
    if (command->client_order_id[0] != 0) {
        order->flags |= ORDER_HAS_CLIENT_ID;
        memcpy(extra->client_order_id, command->client_order_id, sizeof extra->client_order_id);
        client_insert(engine, slot);
    }
    engine->working_count++;
    trader_link(engine, slot);
    if (order->time_in_force == MATCHING_GTD) {
        expiry_insert(engine, slot);
    }
    return slot;
}

/* Why the remainder of an order that may not rest is cancelled. */
static matching_reason remainder_reason(const order_record *order)
{
    return order->type == MATCHING_MARKET || order->type == MATCHING_STOP
               ? MATCHING_REASON_NO_LIQUIDITY
               : MATCHING_REASON_IOC;
}

/* A new or triggered order takes what it can, then rests or ends. told: its present state has an
 * ORDER event already. */
void enter_order(apply_context *context, uint32_t slot, bool told)
{
    matching_engine *engine = context->engine;
    order_record *order = &engine->orders[slot];
    bool trading = engine->books[order->instrument].state == MATCHING_TRADING;
    if (order->time_in_force == MATCHING_FOK && !match_can_fill(engine, slot)) {
        order_end(context, slot, MATCHING_CANCELLED, MATCHING_REASON_FOK);
        emit_order(context, slot, 0, 0, 0);
        return;
    }
    if (trading) {
        match_run(context, slot);
    }
    if (!record_is_working(order)) {
        return;
    }
    if (may_rest(order->type, order->time_in_force)) {
        book_enqueue(context, slot);
    } else {
        order_end(context, slot, MATCHING_CANCELLED, remainder_reason(order));
    }
    if (order->status == MATCHING_CANCELLED || (order->status == MATCHING_OPEN && !told)) {
        emit_order(context, slot, 0, 0, 0);
    }
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
    reply->order.order_id = engine->orders[slot].order_id; /* told before its events */
    if (is_stop(command)) {
        engine->orders[slot].status = MATCHING_UNTRIGGERED;
        stop_insert(engine, slot);
        emit_order(context, slot, 0, 0, 0);
    } else {
        enter_order(context, slot, false);
    }
    stops_run(context, command->instrument);
    reply->has_order = 1;
    order_copy(engine, slot, &reply->order);
}
