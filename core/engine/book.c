/* Queues of orders at the levels of a book.
 *
 * Invariants: an order in a queue rests at its own price on its own side, `level` says where;
 * total_lots is the sum of the queue's remaining lots; a level without orders does not exist. Each
 * function emits the LEVEL event of what it did.
 */
#include "engine/engine_internal.h"

bool price_reaches(unsigned taker_side, int64_t limit_ticks, int64_t maker_ticks)
{
    return taker_side == MATCHING_BUY ? maker_ticks <= limit_ticks : maker_ticks >= limit_ticks;
}

/* The order joins the back of its price's queue. */
void book_enqueue(apply_context *context, uint32_t slot)
{
    matching_engine *engine = context->engine;
    order_record *order = &engine->orders[slot];
    engine_assert(order->level == 0 && order->remaining_lots > 0);
    book_side *side = &engine->books[order->instrument].sides[order->side];
    uint32_t at = level_find(engine, side, order->price_ticks);
    if (at == 0) {
        at = level_insert(engine, side, order->side, order->instrument, order->price_ticks);
    }
    level_record *level = &engine->levels[at];
    order->level = at;
    order->prev = level->tail;
    order->next = NO_SLOT;
    if (level->tail == NO_SLOT) {
        level->head = slot;
    } else {
        engine->orders[level->tail].next = slot;
    }
    level->tail = slot;
    level->orders++;
    level->total_lots += (matching_wide)order->remaining_lots;
    emit_level(context, order->instrument, order->side, order->price_ticks, at);
}

/* The order leaves its queue; an empty level goes. */
void book_dequeue(apply_context *context, uint32_t slot)
{
    matching_engine *engine = context->engine;
    order_record *order = &engine->orders[slot];
    uint32_t at = order->level;
    engine_assert(at != 0);
    level_record *level = &engine->levels[at];
    if (order->prev == NO_SLOT) {
        level->head = order->next;
    } else {
        engine->orders[order->prev].next = order->next;
    }
    if (order->next == NO_SLOT) {
        level->tail = order->prev;
    } else {
        engine->orders[order->next].prev = order->prev;
    }
    order->prev = order->next = NO_SLOT;
    order->level = 0;
    level->orders--;
    level->total_lots -= (matching_wide)order->remaining_lots;
    if (level->orders == 0) {
        level_remove(engine, &engine->books[order->instrument].sides[order->side], at);
        at = 0;
    }
    emit_level(context, order->instrument, order->side, order->price_ticks, at);
}

/* Takes lots off an order in place; it keeps its priority. */
void book_reduce(apply_context *context, uint32_t slot, int64_t lots)
{
    matching_engine *engine = context->engine;
    order_record *order = &engine->orders[slot];
    engine_assert(order->level != 0 && lots > 0 && lots < order->remaining_lots);
    order->remaining_lots -= lots;
    order->quantity_lots -= lots;
    engine->levels[order->level].total_lots -= (matching_wide)lots;
    emit_level(context, order->instrument, order->side, order->price_ticks, order->level);
}
