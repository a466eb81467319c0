/* Cancel, mass cancel, amend, and an instrument's state. */
#include "engine/engine_internal.h"

static bool is_working_slot(const matching_engine *engine, uint32_t slot)
{
    return slot != NO_SLOT && record_is_working(&engine->orders[slot]);
}

static void cancel_order(apply_context *context, uint32_t slot)
{
    book_dequeue(context, slot);
    order_end(context, slot, MATCHING_CANCELLED, (matching_reason)context->command->reason);
    emit_order(context, slot, 0, 0, 0);
}

static void reply_order(apply_context *context, uint32_t slot)
{
    context->reply->has_order = 1;
    order_copy(context->engine, slot, &context->reply->order);
}

static void refuse(apply_context *context, matching_code code, matching_field field)
{
    context->reply->code = (uint16_t)code;
    context->reply->field = (uint8_t)field;
}

/* The field by which a command named its order. */
static matching_field naming_field(const matching_command *command)
{
    return command->order_id != 0 ? MATCHING_FIELD_ORDER_ID : MATCHING_FIELD_CLIENT_ORDER_ID;
}

void apply_cancel(apply_context *context)
{
    uint32_t slot = order_locate(context->engine, context->command);
    if (!is_working_slot(context->engine, slot)) {
        refuse(context, MATCHING_ORDER_NOT_FOUND, naming_field(context->command));
        return;
    }
    cancel_order(context, slot);
    reply_order(context, slot);
}

/* All of the trader's working orders, oldest first. An unknown trader has none. */
void apply_cancel_all(apply_context *context)
{
    matching_engine *engine = context->engine;
    const matching_command *command = context->command;
    uint32_t trader = trader_find(engine, command->trader_id);
    uint32_t slot = trader == 0 ? NO_SLOT : engine->traders[trader].first;
    while (slot != NO_SLOT) {
        uint32_t next = engine->orders[slot].trader_next;
        if ((command->flags & MATCHING_FLAG_ALL_SYMBOLS) ||
            engine->orders[slot].instrument == command->instrument) {
            cancel_order(context, slot);
        }
        slot = next;
    }
}

/* The new price and quantity; where the command leaves one out, the order's own. False with the
 * refusal set: a decimal that does not fit the order's instrument. */
static bool amended_values(apply_context *context, const order_record *order, int64_t *price_ticks,
                           int64_t *quantity_lots)
{
    const matching_command *command = context->command;
    const book_record *book = &context->engine->books[order->instrument];
    bool decimals = command->flags & MATCHING_FLAG_DECIMALS;
    int64_t tick = decimals ? book->tick_size : 1, lot = decimals ? book->lot_size : 1;
    if (command->price_ticks % tick != 0 || command->price_ticks / tick > MATCHING_TICKS_MAX) {
        refuse(context, MATCHING_INVALID_PRICE, MATCHING_FIELD_PRICE);
        return false;
    }
    if (command->quantity_lots % lot != 0 || command->quantity_lots / lot > MATCHING_LOTS_MAX) {
        refuse(context, MATCHING_INVALID_QUANTITY, MATCHING_FIELD_QUANTITY);
        return false;
    }
    if (command->stop_price_ticks != 0) {
        refuse(context, MATCHING_INVALID_PARAMETER, MATCHING_FIELD_STOP_PRICE);
        return false;
    }
    *price_ticks = command->price_ticks != 0 ? command->price_ticks / tick : order->price_ticks;
    *quantity_lots =
        command->quantity_lots != 0 ? command->quantity_lots / lot : order->quantity_lots;
    return true;
}

static matching_code check_amend(const apply_context *context, const order_record *order,
                                 int64_t price_ticks, int64_t quantity_lots)
{
    const matching_engine *engine = context->engine;
    const book_record *book = &engine->books[order->instrument];
    matching_reply *reply = context->reply;
    if (book->state != MATCHING_TRADING) {
        return MATCHING_MARKET_HALTED;
    }
    if (quantity_lots <= order->quantity_lots - order->remaining_lots) {
        reply->field = MATCHING_FIELD_QUANTITY;
        return MATCHING_INVALID_QUANTITY;
    }
    uint32_t best = book->sides[!order->side].best;
    if ((order->flags & ORDER_POST_ONLY) && best != 0 &&
        price_reaches(order->side, price_ticks, engine->levels[best].price_ticks)) {
        reply->field = MATCHING_FIELD_PRICE;
        return MATCHING_POST_ONLY_WOULD_CROSS;
    }
    /* Alone on its level, the order gives that one back before it needs another. */
    if (engine->free_level == 0 && engine->levels[order->level].orders > 1 &&
        level_find(engine, &book->sides[order->side], price_ticks) == 0) {
        return MATCHING_BOOK_FULL;
    }
    return MATCHING_OK;
}

/* New price or more quantity: out of the queue, perhaps trades, and to the back of a queue. */
static void reenter(apply_context *context, uint32_t slot, int64_t price_ticks,
                    int64_t quantity_lots)
{
    order_record *order = &context->engine->orders[slot];
    book_dequeue(context, slot);
    order->remaining_lots += quantity_lots - order->quantity_lots;
    order->quantity_lots = quantity_lots;
    order->price_ticks = price_ticks;
    int64_t before = order->remaining_lots;
    match_run(context, slot);
    if (order->remaining_lots > 0) {
        book_enqueue(context, slot);
    }
    if (order->remaining_lots == before) {
        emit_order(context, slot, 0, 0, 0);
    }
}

void apply_amend(apply_context *context)
{
    matching_engine *engine = context->engine;
    const matching_command *command = context->command;
    uint32_t slot = order_locate(engine, command);
    if (!is_working_slot(engine, slot)) {
        refuse(context, MATCHING_ORDER_NOT_FOUND, naming_field(command));
        return;
    }
    order_record *order = &engine->orders[slot];
    int64_t price, quantity;
    if (!amended_values(context, order, &price, &quantity)) {
        return;
    }
    matching_code code = check_amend(context, order, price, quantity);
    if (code != MATCHING_OK) {
        context->reply->code = (uint16_t)code;
        return;
    }
    engine->extras[slot].updated_ns = command->time_ns;
    if (price != order->price_ticks || quantity > order->quantity_lots) {
        reenter(context, slot, price, quantity);
    } else {
        if (quantity < order->quantity_lots) {
            book_reduce(context, slot, order->quantity_lots - quantity);
        }
        emit_order(context, slot, 0, 0, 0);
    }
    reply_order(context, slot);
}

void apply_set_state(apply_context *context)
{
    book_record *book = &context->engine->books[context->command->instrument];
    if (book->state != context->command->state) {
        book->state = context->command->state;
        emit_state(context, context->command->instrument, book->state);
    }
}
