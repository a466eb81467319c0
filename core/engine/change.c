/* Cancel, mass cancel, amend, and an instrument's state. */
#include "engine/book.h"
#include "engine/orders.h"
#include "engine/stops.h"

static bool is_working_slot(const matching_engine *engine, uint32_t slot)
{
    return slot != NO_SLOT && record_is_working(&engine->orders[slot]);
}

/* A working order leaves where it rests or waits, and ends. */
static inline void cancel(apply_context *context, order_record *order, uint32_t slot,
                          matching_reason reason)
{
    if (unlikely(order->status == MATCHING_UNTRIGGERED)) {
        stop_remove(context->engine, slot);
    } else {
        book_dequeue(context, order, slot);
    }
    order_end(context, order, slot, MATCHING_CANCELLED, reason);
    emit_order(context, order, slot, 0, 0, 0);
}

void cancel_order(apply_context *context, uint32_t slot, matching_reason reason)
{
    cancel(context, &context->engine->orders[slot], slot, reason);
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
    order_record *order = &context->engine->orders[slot];
    cancel(context, order, slot, (matching_reason)context->command->reason);
    reply_order(context, order, slot);
}

/* All of the trader's working orders, oldest first. An unknown trader has none. */
void apply_cancel_all(apply_context *context)
{
    matching_engine *engine = context->engine;
    const matching_command *command = context->command;
    uint32_t trader = trader_find(engine, command->trader_id);
    uint32_t next = trader_first(engine, trader);
    while (next != NO_SLOT) {
        uint32_t slot = next;
        next = trader_after(engine, slot);
        if ((command->flags & MATCHING_FLAG_ALL_SYMBOLS) ||
            engine->orders[slot].instrument == command->instrument) {
            cancel_order(context, slot, (matching_reason)command->reason);
        }
    }
}

/* What an amend asks for; where the command leaves a value out, the order's own. */
typedef struct amendment {
    int64_t price_ticks, stop_price_ticks, quantity_lots;
} amendment;

/* A decimal of the command in ticks or lots; false: it does not fit the order's instrument. */
static bool convert(int64_t given, int64_t unit, int64_t most, int64_t own, int64_t *value)
{
    *value = given != 0 ? given / unit : own;
    return given % unit == 0 && given / unit <= most;
}

/* An open quantity becomes a total; false: too much. */
static bool add_filled(const matching_command *command, const order_record *order, amendment *to)
{
    if ((command->flags & MATCHING_FLAG_OPEN_QUANTITY) && command->quantity_lots != 0) {
        to->quantity_lots += order->quantity_lots - order->remaining_lots;
    }
    return to->quantity_lots <= MATCHING_LOTS_MAX;
}

/* False with the refusal set. */
static bool amended_values(apply_context *context, uint32_t slot, amendment *to)
{
    const matching_command *command = context->command;
    const order_record *order = &context->engine->orders[slot];
    const order_extra *extra = extra_of(context->engine, slot);
    const book_record *book = &context->engine->books[order->instrument];
    bool decimals = command->flags & MATCHING_FLAG_DECIMALS;
    bool waits = order->status == MATCHING_UNTRIGGERED;
    int64_t tick = decimals ? book->tick_size : 1, lot = decimals ? book->lot_size : 1;
    if (!convert(command->price_ticks, tick, MATCHING_TICKS_MAX, order->price_ticks,
                 &to->price_ticks)) {
        refuse(context, MATCHING_INVALID_PRICE, MATCHING_FIELD_PRICE);
    } else if (!convert(command->stop_price_ticks, tick, MATCHING_TICKS_MAX,
                        extra->stop_price_ticks, &to->stop_price_ticks)) {
        refuse(context, MATCHING_INVALID_PRICE, MATCHING_FIELD_STOP_PRICE);
    } else if (!convert(command->quantity_lots, lot, MATCHING_LOTS_MAX, order->quantity_lots,
                        &to->quantity_lots) ||
               !add_filled(command, order, to)) {
        refuse(context, MATCHING_INVALID_QUANTITY, MATCHING_FIELD_QUANTITY);
    } else if (command->price_ticks != 0 && order->type == MATCHING_STOP) {
        refuse(context, MATCHING_INVALID_PARAMETER, MATCHING_FIELD_PRICE);
    } else if (command->stop_price_ticks != 0 && !waits) {
        refuse(context, MATCHING_INVALID_PARAMETER, MATCHING_FIELD_STOP_PRICE);
    } else {
        return true;
    }
    return false;
}

/* Would the new value need a level that is not to be had? */
static bool lacks_level(const matching_engine *engine, const order_record *order,
                        const amendment *to)
{
    const book_record *book = &engine->books[order->instrument];
    /* Alone on its level, the order gives that one back before it needs another. */
    if (level_is_free(engine) || engine->levels[order->level].orders == 1) {
        return false;
    }
    return order->status == MATCHING_UNTRIGGERED
               ? level_find(engine, book, stop_kind(order->side), to->stop_price_ticks) == 0
               : level_find(engine, book, order->side, to->price_ticks) == 0;
}

static matching_code check_amend(const apply_context *context, uint32_t slot, const amendment *to)
{
    const matching_engine *engine = context->engine;
    const order_record *order = &engine->orders[slot];
    const book_record *book = &engine->books[order->instrument];
    matching_reply *reply = context->reply;
    if (book->state == MATCHING_HALTED) {
        return MATCHING_MARKET_HALTED;
    }
    int64_t display = extra_of(engine, slot)->display_lots;
    if (to->quantity_lots <= order->quantity_lots - order->remaining_lots ||
        (display != 0 && display < to->quantity_lots / ICEBERG_SLICES_MAX +
                                       (to->quantity_lots % ICEBERG_SLICES_MAX != 0))) {
        reply->field = MATCHING_FIELD_QUANTITY;
        return MATCHING_INVALID_QUANTITY;
    }
    /* In an auction others may have crossed it where it stands: only a move makes it reach. */
    if ((order->flags & ORDER_POST_ONLY) && to->price_ticks != order->price_ticks &&
        price_reaches(order->side, to->price_ticks, book->sides[!order->side].best_ticks)) {
        reply->field = MATCHING_FIELD_PRICE;
        return MATCHING_POST_ONLY_WOULD_CROSS;
    }
    return lacks_level(engine, order, to) ? MATCHING_BOOK_FULL : MATCHING_OK;
}

/* New price or more quantity: out of the queue, perhaps trades, and to the back of a queue. */
static void reenter(apply_context *context, uint32_t slot, const amendment *to)
{
    order_record *order = &context->engine->orders[slot];
    book_dequeue(context, order, slot);
    int64_t filled = order->quantity_lots - order->remaining_lots;
    if (filled != 0) { /* at the old price: the notional stays. Mostly none, and the history far */
        context->engine->histories[slot].surplus +=
            ((matching_wide)order->price_ticks - (matching_wide)to->price_ticks) *
            (matching_wide)filled;
    }
    order->remaining_lots += to->quantity_lots - order->quantity_lots;
    order->quantity_lots = to->quantity_lots;
    order->price_ticks = to->price_ticks;
    int64_t before = order->remaining_lots;
    if (context->engine->books[order->instrument].state == MATCHING_TRADING) {
        if (trader_is_followed(context->engine, context->sink, order->trader)) {
            write_change(context->sink, context->command, order, true);
        }
        match_run(context, slot);
    }
    if (!record_is_working(order)) {
        return;
    }
    book_enqueue(context, order, slot);
    if (order->remaining_lots == before) {
        emit_order(context, order, slot, 0, 0, 0);
    }
}

/* A stop that waits goes to its new stop price; what it will be is changed in place. */
static void amend_stop(apply_context *context, uint32_t slot, const amendment *to)
{
    matching_engine *engine = context->engine;
    order_record *order = &engine->orders[slot];
    stop_remove(engine, slot);
    order->remaining_lots = order->quantity_lots = to->quantity_lots;
    order->price_ticks = to->price_ticks;
    engine->extras[order->extra].stop_price_ticks = to->stop_price_ticks;
    stop_insert(engine, slot);
    emit_order(context, order, slot, 0, 0, 0);
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
    amendment to;
    if (!amended_values(context, slot, &to)) {
        return;
    }
    matching_code code = check_amend(context, slot, &to);
    if (code != MATCHING_OK) {
        context->reply->code = (uint16_t)code;
        return;
    }
    order->updated_ns = command->time_ns;
    context->reply->order.order_id = order->order_id; /* told before its events */
    if (order->status == MATCHING_UNTRIGGERED) {
        amend_stop(context, slot, &to);
    } else if (to.price_ticks != order->price_ticks || to.quantity_lots > order->quantity_lots ||
               (command->flags & MATCHING_FLAG_OPEN_QUANTITY)) {
        reenter(context, slot, &to);
    } else {
        if (to.quantity_lots < order->quantity_lots) {
            book_reduce(context, order, order->quantity_lots - to.quantity_lots);
        }
        emit_order(context, order, slot, 0, 0, 0);
    }
    stops_run(context, order->instrument);
    reply_order(context, order, slot);
}

/* To trading from an auction the book uncrosses; a crossed one gets there no other way. */
void apply_set_state(apply_context *context)
{
    matching_engine *engine = context->engine;
    uint16_t instrument = context->command->instrument;
    book_record *book = &engine->books[instrument];
    unsigned to = context->command->state;
    if (book->state == to) {
        return;
    }
    if (to == MATCHING_TRADING && book->state != MATCHING_AUCTION &&
        book_is_crossed(engine, instrument)) {
        refuse(context, MATCHING_MARKET_HALTED, MATCHING_FIELD_STATE);
        return;
    }
    if (to == MATCHING_TRADING) {
        auction_uncross(context, instrument);
    }
    book->state = (uint8_t)to;
    book_note_plain(book);
    emit_state(context, instrument, to);
    stops_run(context, instrument);
}

/* The shard has chosen an unused index within the limits (apply.c asserts it). */
void apply_add_instrument(apply_context *context)
{
    const matching_command *command = context->command;
    matching_engine_set_instrument(context->engine, command->instrument, command->price_ticks,
                                   command->quantity_lots);
    book_record *book = &context->engine->books[command->instrument];
    book->state = command->state;
    book_note_plain(book);
    context->reply->instrument = command->instrument;
    context->reply->time_ns = command->time_ns;
    emit_instrument(context);
}

/* They are a journal's first word, so that a replay cannot be decided by others. Whoever opens the
 * journal has refused them before it comes to that. */
void apply_set_limits(const apply_context *context)
{
    const matching_engine_limits *limits = &context->engine->limits;
    const matching_command *command = context->command;
    engine_assert((uint64_t)command->price_ticks == limits->max_orders &&
                  (uint64_t)command->quantity_lots == limits->max_levels);
    engine_assert((uint64_t)command->display_lots == limits->max_traders &&
                  (uint64_t)command->stop_price_ticks == limits->retained_orders);
    engine_assert(command->instrument_id == limits->instruments);
}
