/* An order comes to, leaves, or shrinks in its book, and the market is told of the level. */
#ifndef MATCHING_ENGINE_BOOK_H
#define MATCHING_ENGINE_BOOK_H

#include "engine/events.h"
#include "engine/queues.h"

/* The order joins the back of its price's queue. */
static inline void book_enqueue(apply_context *context, order_record *order, uint32_t slot)
{
    matching_engine *engine = context->engine;
    uint16_t instrument = order->instrument;
    unsigned side = order->side;
    int64_t ticks = order->price_ticks;
    uint32_t at = level_obtain(engine, &engine->books[instrument], side, ticks);
    queue_append(engine, at, order, slot);
    emit_level(context, &engine->books[instrument], instrument, side, ticks, &engine->levels[at]);
}

/* The order leaves the book; an empty level goes. */
static inline void book_dequeue(apply_context *context, order_record *order, uint32_t slot)
{
    matching_engine *engine = context->engine;
    uint16_t instrument = order->instrument;
    unsigned side = order->side;
    book_record *book = &engine->books[instrument];
    uint32_t at = order->level;
    level_record *level = &engine->levels[at];
    queue_unlink(engine, order, slot);
    if (level->orders == 0) {
        level_remove(engine, book, side, at);
    }
    emit_level(context, book, instrument, side, order->price_ticks, level);
}

/* Takes lots off an order in place, hidden ones first; it keeps its priority. */
static inline void book_reduce(apply_context *context, order_record *order, int64_t lots)
{
    matching_engine *engine = context->engine;
    level_record *level = &engine->levels[order->level];
    engine_assert(order->level != 0 && lots > 0 && lots < order->remaining_lots);
    int64_t hidden = order->remaining_lots - visible_lots(engine, order);
    int64_t from_hidden = lots < hidden ? lots : hidden;
    order->remaining_lots -= lots;
    order->quantity_lots -= lots;
    if (order->flags & ORDER_ICEBERG) {
        engine->extras[order->extra].visible_lots -= lots - from_hidden;
    }
    level_take_hidden(level, from_hidden);
    level_take_total(level, lots - from_hidden);
    emit_level(context, &engine->books[order->instrument], order->instrument, order->side,
               order->price_ticks, level);
}

#endif
