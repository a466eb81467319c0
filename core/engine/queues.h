/* Queues of orders at the levels of a book.
 *
 * Invariants: an order in a queue rests at its own price on its own side (a waiting stop: at its
 * stop price), `level` says where; of an iceberg min(display, remaining) at most is visible, of any
 * other order all; a level's totals are the sums over its queue; head and tail of a level without
 * orders are NO_SLOT. An emptied level is left to the caller.
 */
#ifndef MATCHING_ENGINE_QUEUES_H
#define MATCHING_ENGINE_QUEUES_H

#include "engine/levels.h"

/* Links of slot 0 are written and never followed: nobody has to ask for a neighbour. */
static inline void queue_link_last(matching_engine *engine, level_record *level, uint32_t slot)
{
    uint64_t ends = level->ends;
    uint32_t last = (uint32_t)(ends >> 32); /* NO_SLOT where the level is new */
    engine->links[slot].in_queue = last;    /* and nobody behind it */
    engine->links[last].next = slot;
    level->ends = (last == NO_SLOT ? slot : (uint32_t)ends) | (uint64_t)slot << 32;
}

static inline void queue_unlink_only(matching_engine *engine, level_record *level, uint32_t slot)
{
    uint64_t neighbours = engine->links[slot].in_queue, ends = level->ends;
    uint32_t prev = (uint32_t)neighbours, next = (uint32_t)(neighbours >> 32);
    engine->links[prev].next = next;
    engine->links[next].prev = prev;
    uint32_t head = prev == NO_SLOT ? next : (uint32_t)ends;
    uint32_t tail = next == NO_SLOT ? prev : (uint32_t)(ends >> 32);
    level->ends = head | (uint64_t)tail << 32;
}

/* The size of an iceberg's next slice. */
static inline int64_t slice_of(const order_record *order, const order_extra *extra)
{
    return extra->display_lots < order->remaining_lots ? extra->display_lots
                                                       : order->remaining_lots;
}

/* The order joins the back of a level's queue. */
static inline void queue_append(matching_engine *engine, uint32_t at, order_record *order,
                                uint32_t slot)
{
    level_record *level = &engine->levels[at];
    engine_assert(order->level == 0 && order->remaining_lots > 0);
    int64_t visible = order->remaining_lots;
    order->level = at;
    queue_link_last(engine, level, slot);
    level->orders++;
    if (unlikely(order->flags & ORDER_ICEBERG)) {
        order_extra *extra = &engine->extras[order->extra];
        visible = extra->visible_lots = slice_of(order, extra);
        level_add_hidden(level, order->remaining_lots - visible);
    }
    level_add_total(level, visible);
}

/* The order leaves its queue. */
static inline void queue_unlink(matching_engine *engine, order_record *order, uint32_t slot)
{
    level_record *level = &engine->levels[order->level];
    engine_assert(order->level != 0);
    int64_t visible = order->remaining_lots;
    queue_unlink_only(engine, level, slot);
    level->orders--;
    if (unlikely(order->flags & ORDER_ICEBERG)) {
        visible = engine->extras[order->extra].visible_lots;
        level_take_hidden(level, order->remaining_lots - visible);
    }
    level_take_total(level, visible);
    order->level = 0;
}

/* An iceberg whose slice is gone shows the next one, at the back of its queue. */
static inline void slice_renew(matching_engine *engine, order_record *order, uint32_t slot)
{
    order_extra *extra = &engine->extras[order->extra];
    level_record *level = &engine->levels[order->level];
    engine_assert(extra->visible_lots == 0 && order->remaining_lots > 0);
    extra->visible_lots = slice_of(order, extra);
    level_add_total(level, extra->visible_lots);
    level_take_hidden(level, extra->visible_lots);
    if (level->tail != slot) {
        queue_unlink_only(engine, level, slot);
        queue_link_last(engine, level, slot);
    }
}

#endif
