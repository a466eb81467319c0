/* Order entry: every check that can refuse, then the order, then matching, then what remains. */
#include "engine/book.h"
#include "engine/orders.h"
#include "engine/stops.h"

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
    return price_reaches(command->side, command->price_ticks,
                         engine->books[command->instrument].sides[!command->side].best_ticks);
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
    if (orders_are_full(engine)) {
        return true;
    }
    if (level_is_free(engine) &&
        (command->order_type != MATCHING_STOP_LIMIT || engine->levels_left > 1)) {
        return false;
    }
    const book_record *book = &engine->books[command->instrument];
    return is_stop(command) || level_find(engine, book, command->side, command->price_ticks) == 0;
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

/* What only some orders have. */
static void add_extra(matching_engine *engine, uint32_t slot, const matching_command *command)
{
    order_record *order = &engine->orders[slot];
    order_extra *extra = order_add_extra(engine, slot);
    extra->stop_price_ticks = command->stop_price_ticks;
    extra->expire_time_ms = command->expire_time_ms;
    if (command->display_lots != 0) {
        extra->display_lots = command->display_lots;
        order->flags |= ORDER_ICEBERG;
    }
    if (command->client_order_id[0] != 0) {
        memcpy(extra->client_order_id, command->client_order_id, CLIENT_ID_BYTES);
        order->flags |= ORDER_HAS_CLIENT_ID;
        client_insert(engine, slot);
    }
    if (order->time_in_force == MATCHING_GTD) {
        expiry_insert(engine, slot);
    }
}

/* trader 0: not known yet. */
static uint32_t create(apply_context *context, uint32_t trader)
{
    matching_engine *engine = context->engine;
    const matching_command *command = context->command;
    uint32_t slot = order_next_slot(engine);
    order_record *order = &engine->orders[slot];
    __builtin_prefetch(order + 8, 1);
    order->order_id = order_next_id(engine);
    order->price_ticks = command->price_ticks;
    order->quantity_lots = order->remaining_lots = command->quantity_lots;
    order->level = 0;
    order->trader = trader != 0 ? trader : trader_intern(engine, command->trader_id);
    order->instrument = command->instrument;
    order->side = command->side;
    order->type = command->order_type;
    order->time_in_force = command->time_in_force;
    order->outcome = OUTCOME(MATCHING_OPEN, MATCHING_REASON_NONE);
    order->flags = (uint8_t)(command->self_trade << ORDER_SELF_TRADE_SHIFT |
                             (command->flags & MATCHING_FLAG_POST_ONLY ? ORDER_POST_ONLY : 0) |
                             (command->flags & MATCHING_FLAG_GUARDED ? ORDER_GUARDED : 0));
    order->updated_ns = command->time_ns;
    engine->histories[slot] = (order_history){.created_ns = command->time_ns};
    engine->links[slot] = (order_links){.prev = NO_SLOT};
    if (unlikely((command->stop_price_ticks | command->display_lots) != 0 ||
                 command->expire_time_ms != 0 || command->client_order_id[0] != 0)) {
        add_extra(engine, slot, command);
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
static inline void enter(apply_context *context, order_record *order, uint32_t slot, bool told)
{
    matching_engine *engine = context->engine;
    const book_record *book = &engine->books[order->instrument];
    if (unlikely(order->time_in_force == MATCHING_FOK) && !match_can_fill(engine, slot)) {
        order_end(context, order, slot, MATCHING_CANCELLED, MATCHING_REASON_FOK);
        emit_order(context, order, slot, 0, 0, 0);
        return;
    }
    if (price_reaches(order->side, taker_limit(order->side, order->price_ticks),
                      book->sides[!order->side].best_ticks) &&
        book->state == MATCHING_TRADING) {
        match_run(context, slot);
        if (!record_is_working(order)) {
            return;
        }
    }
    if (may_rest(order->type, order->time_in_force)) {
        book_enqueue(context, order, slot);
        if (engine->links[slot].older == NO_SLOT) {
            trader_link(engine, order, slot);
        }
    } else {
        order_end(context, order, slot, MATCHING_CANCELLED, remainder_reason(order));
    }
    if (order->status == MATCHING_CANCELLED || (order->status == MATCHING_OPEN && !told)) {
        emit_order(context, order, slot, 0, 0, 0);
    }
}

void enter_order(apply_context *context, uint32_t slot, bool told)
{
    enter(context, &context->engine->orders[slot], slot, told);
}

void apply_place(apply_context *context)
{
    matching_engine *engine = context->engine;
    const matching_command *command = context->command;
    matching_reply *reply = context->reply;
    uint32_t trader = trader_of(engine, command);
    matching_code code = check(context, trader);
    if (unlikely(code != MATCHING_OK)) {
        reply->code = (uint16_t)code;
        return;
    }
    uint32_t slot = create(context, trader);
    order_record *order = &engine->orders[slot];
    reply->order.order_id = order->order_id; /* told before its events */
    if (unlikely(is_stop(command))) {
        order->outcome = OUTCOME(MATCHING_UNTRIGGERED, MATCHING_REASON_NONE);
        stop_insert(engine, slot);
        trader_link(engine, order, slot);
        emit_order(context, order, slot, 0, 0, 0);
    } else {
        enter(context, order, slot, false);
    }
    stops_run(context, command->instrument);
    reply_order(context, order, slot);
}
