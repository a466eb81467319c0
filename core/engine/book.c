/* Queues of orders at the levels of a book.
 *
 * Invariants: an order in a queue rests at its own price on its own side, `level` says where; of an
 * iceberg min(display, remaining) at most is visible, of any other order all; total_lots and
 * hidden_lots are the sums over the queue; a level without orders does not exist. book_* functions
 * emit the LEVEL event of what they did, queue_* and slice_* leave that to their caller.
 */
#include "engine/engine_internal.h"

bool price_reaches(unsigned taker_side, int64_t limit_ticks, int64_t maker_ticks)
{
    return taker_side == MATCHING_BUY ? maker_ticks <= limit_ticks : maker_ticks >= limit_ticks;
}

/* Is there a level to be had, beyond those that waiting stop-limit orders may need? */
bool level_is_free(const matching_engine *engine)
{
    return engine->limits.max_levels - engine->used_levels > engine->reserved_levels;
}

static void link_last(matching_engine *engine, uint32_t at, uint32_t slot)
{
    level_record *level = &engine->levels[at];
    order_record *order = &engine->orders[slot];
    order->prev = level->tail;
    order->next = NO_SLOT;
    if (level->tail == NO_SLOT) {
        level->head = slot;
    } else {
        engine->orders[level->tail].next = slot;
    }
    level->tail = slot;
}

static void unlink_order(matching_engine *engine, uint32_t slot)
{
    order_record *order = &engine->orders[slot];
    level_record *level = &engine->levels[order->level];
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
}

static int64_t slice_of(const matching_engine *engine, uint32_t slot)
{
    int64_t display = engine->extras[slot].display_lots;
    int64_t remaining = engine->orders[slot].remaining_lots;
    return display != 0 && display < remaining ? display : remaining;
}

/* The order joins the back of a level's queue. */
void queue_append(matching_engine *engine, uint32_t at, uint32_t slot)
{
    level_record *level = &engine->levels[at];
    order_record *order = &engine->orders[slot];
    engine_assert(order->level == 0 && order->remaining_lots > 0);
    order->level = at;
    order->visible_lots = slice_of(engine, slot);
    link_last(engine, at, slot);
    level->orders++;
    level->total_lots += (matching_wide)order->visible_lots;
    level->hidden_lots += (matching_wide)(order->remaining_lots - order->visible_lots);
}

/* The order leaves its queue; an empty level is left to the caller. */
void queue_unlink(matching_engine *engine, uint32_t slot)
{
    order_record *order = &engine->orders[slot];
    engine_assert(order->level != 0);
    level_record *level = &engine->levels[order->level];
    unlink_order(engine, slot);
    level->orders--;
    level->total_lots -= (matching_wide)order->visible_lots;
    level->hidden_lots -= (matching_wide)(order->remaining_lots - order->visible_lots);
    order->level = 0;
    order->visible_lots = 0;
}

/* An iceberg whose slice is gone shows the next one, at the back of its queue. */
void slice_renew(matching_engine *engine, uint32_t slot)
{
    order_record *order = &engine->orders[slot];
    level_record *level = &engine->levels[order->level];
    engine_assert(order->visible_lots == 0 && order->remaining_lots > 0);
    order->visible_lots = slice_of(engine, slot);
    level->total_lots += (matching_wide)order->visible_lots;
    level->hidden_lots -= (matching_wide)order->visible_lots;
    if (level->tail != slot) {
        unlink_order(engine, slot);
        link_last(engine, order->level, slot);
    }
}

/* The order joins the back of its price's queue. */
void book_enqueue(apply_context *context, uint32_t slot)
{
    matching_engine *engine = context->engine;
    order_record *order = &engine->orders[slot];
    book_side *side = &engine->books[order->instrument].sides[order->side];
    uint32_t at = level_find(engine, side, order->price_ticks);
    if (at == 0) {
        at = level_insert(engine, side, order->side, order->instrument, order->price_ticks);
    }
    queue_append(engine, at, slot);
    emit_level(context, order->instrument, order->side, order->price_ticks, at);
}

/* The order leaves the book; an empty level goes. */
void book_dequeue(apply_context *context, uint32_t slot)
{
    matching_engine *engine = context->engine;
    order_record *order = &engine->orders[slot];
    uint32_t at = order->level;
    queue_unlink(engine, slot);
    if (engine->levels[at].orders == 0) {
        level_remove(engine, &engine->books[order->instrument].sides[order->side], at);
        at = 0;
    }
    emit_level(context, order->instrument, order->side, order->price_ticks, at);
}

/* Takes lots off an order in place, hidden ones first; it keeps its priority. */
void book_reduce(apply_context *context, uint32_t slot, int64_t lots)
{
    matching_engine *engine = context->engine;
    order_record *order = &engine->orders[slot];
    level_record *level = &engine->levels[order->level];
    engine_assert(order->level != 0 && lots > 0 && lots < order->remaining_lots);
    int64_t hidden = order->remaining_lots - order->visible_lots;
    int64_t from_hidden = lots < hidden ? lots : hidden;
    order->remaining_lots -= lots;
    order->quantity_lots -= lots;
    order->visible_lots -= lots - from_hidden;
    level->hidden_lots -= (matching_wide)from_hidden;
    level->total_lots -= (matching_wide)(lots - from_hidden);
    emit_level(context, order->instrument, order->side, order->price_ticks, order->level);
}
