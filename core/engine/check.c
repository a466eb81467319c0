/* Walks every invariant of the engine's state; for debug builds, tests and tools, never for service. */
#include "engine/engine_internal.h"

#define TREE_DEPTH_MAX 64

static const char *check_queue(const matching_engine *engine, uint32_t at, bool stops,
                               uint64_t *orders)
{
    const level_record *level = &engine->levels[at];
    matching_wide total = 0, hidden = 0;
    uint32_t count = 0, previous = NO_SLOT;
    for (uint32_t slot = level->head; slot != NO_SLOT; slot = engine->orders[slot].next) {
        const order_record *order = &engine->orders[slot];
        const order_extra *extra = &engine->extras[slot];
        int64_t price = stops ? extra->stop_price_ticks : order->price_ticks;
        if (order->level != at || order->side != (stops ? !level->side : level->side) ||
            order->instrument != level->instrument || price != level->price_ticks ||
            stops != (order->status == MATCHING_UNTRIGGERED)) {
            return "an order rests at a level that is not its own";
        }
        if (order->prev != previous) {
            return "a queue's links do not agree";
        }
        if (!record_is_working(order) || order->remaining_lots <= 0 ||
            order->remaining_lots > order->quantity_lots) {
            return "an order in a queue is not working";
        }
        if ((order->status == MATCHING_PARTIAL) != (order->remaining_lots < order->quantity_lots) ||
            (order->status == MATCHING_PARTIAL) != (engine->extras[slot].notional != 0)) {
            return "an order's status does not tell its fills";
        }
        int64_t slice = extra->display_lots != 0 ? extra->display_lots : order->remaining_lots;
        if (order->visible_lots <= 0 || order->visible_lots > order->remaining_lots ||
            order->visible_lots > slice ||
            (extra->display_lots == 0 && order->visible_lots != order->remaining_lots)) {
            return "an order shows more or less than it should";
        }
        if (order->flags & ORDER_LOADED) {
            return "a stop is still loaded after a command";
        }
        total += (matching_wide)order->visible_lots;
        hidden += (matching_wide)(order->remaining_lots - order->visible_lots);
        previous = slot;
        if (++count > level->orders) {
            return "a queue is longer than its level says";
        }
    }
    if (level->tail != previous || count != level->orders || count == 0) {
        return "a level's count or tail is wrong, or it is empty";
    }
    if (total != level->total_lots || hidden != level->hidden_lots) {
        return "a level's total is not the sum of its orders";
    }
    *orders += count;
    return NULL;
}

/* The red-black rules: every level with a missing child has as many black levels above it. */
static const char *check_tree(const matching_engine *engine, const book_side *side)
{
    const level_record *levels = engine->levels;
    if (levels[side->root].red || levels[0].red) {
        return "a tree's root or nil is red";
    }
    int blacks_wanted = -1;
    for (uint32_t at = side->best; at != 0; at = level_worse(engine, levels[at].side, at)) {
        const level_record *level = &levels[at];
        if ((level->left != 0 && levels[level->left].parent != at) ||
            (level->right != 0 && levels[level->right].parent != at)) {
            return "a tree's links do not agree";
        }
        if (level->red && (levels[level->left].red || levels[level->right].red)) {
            return "a red level has a red child";
        }
        if (level->left != 0 && level->right != 0) {
            continue;
        }
        int blacks = 0, depth = 0;
        for (uint32_t up = at; up != 0; up = levels[up].parent) {
            blacks += !levels[up].red;
            if (++depth > TREE_DEPTH_MAX) {
                return "a tree is too deep";
            }
        }
        if (blacks_wanted >= 0 && blacks != blacks_wanted) {
            return "a tree's paths differ in black levels";
        }
        blacks_wanted = blacks;
    }
    return NULL;
}

static const char *check_side(const matching_engine *engine, uint32_t instrument,
                              const book_side *side, unsigned number, bool stops, uint64_t *orders,
                              uint64_t *levels)
{
    if ((side->root == 0) != (side->best == 0)) {
        return "a side has a best level and no tree, or the reverse";
    }
    int64_t previous = 0;
    for (uint32_t at = side->best; at != 0; at = level_worse(engine, number, at)) {
        const level_record *level = &engine->levels[at];
        if (level->side != number || level->instrument != instrument) {
            return "a level is in a tree that is not its own";
        }
        if (previous != 0 && (number == MATCHING_BUY ? level->price_ticks >= previous
                                                     : level->price_ticks <= previous)) {
            return "levels are out of order";
        }
        if (level_find(engine, side, level->price_ticks) != at) {
            return "a level cannot be found by its price";
        }
        previous = level->price_ticks;
        const char *broken = check_queue(engine, at, stops, orders);
        if (broken != NULL) {
            return broken;
        }
        if (++*levels > engine->used_levels) {
            return "more levels in trees than are in use";
        }
    }
    if (side->best != 0) {
        uint32_t extreme = side->root;
        for (;;) {
            uint32_t next = number == MATCHING_BUY ? engine->levels[extreme].right
                                                   : engine->levels[extreme].left;
            if (next == 0) {
                break;
            }
            extreme = next;
        }
        if (extreme != side->best) {
            return "a side's best level is not its extreme";
        }
    }
    return check_tree(engine, side);
}

static const char *check_traders(const matching_engine *engine)
{
    uint64_t working = 0;
    for (uint32_t trader = 1; trader <= engine->trader_count; trader++) {
        const trader_record *record = &engine->traders[trader];
        uint32_t previous = NO_SLOT;
        if (trader_find(engine, record->name) != trader) {
            return "a trader cannot be found by its name";
        }
        for (uint32_t slot = record->first; slot != NO_SLOT;
             slot = engine->extras[slot].trader_next) {
            const order_record *order = &engine->orders[slot];
            if (order->trader != trader || !record_is_working(order) ||
                engine->extras[slot].trader_prev != previous || ++working > engine->working_count) {
                return "a trader's list of working orders is broken";
            }
            previous = slot;
        }
        if (record->last != previous) {
            return "a trader's list has a wrong end";
        }
    }
    return working == engine->working_count ? NULL : "traders' lists miss working orders";
}

/* One of the last retained_orders that ended. Of older ones nothing is promised: where two had the
 * same client id, the newer's slot may be used again first, and takes the key with it. */
static bool is_retained(const matching_engine *engine, uint32_t slot)
{
    return engine->ended_count - engine->extras[slot].end_mark <= engine->limits.retained_orders;
}

static const char *check_slots(const matching_engine *engine)
{
    uint64_t working = 0;
    for (uint64_t i = 0; i <= engine->slot_mask; i++) {
        const order_record *order = &engine->orders[i];
        if (order->order_id == 0) {
            continue;
        }
        if (order_find(engine, order->order_id) != i) {
            return "an order cannot be found by its id";
        }
        working += record_is_working(order);
        if (record_is_working(order) && order->time_in_force == MATCHING_GTD &&
            engine->extras[i].expiry_at == 0) {
            return "a good-till-date order would never expire";
        }
        if (record_is_working(order) != (order->level != 0)) {
            return "an order works outside the book, or rests though it ended";
        }
        if (order->flags & ORDER_HAS_CLIENT_ID) {
            uint32_t found = client_find(engine, order->trader, order->instrument,
                                         engine->extras[i].client_order_id);
            if (record_is_working(order) ? found != i
                                         : is_retained(engine, (uint32_t)i) && found == NO_SLOT) {
                return "an order cannot be found by its client id";
            }
        }
    }
    return working == engine->working_count ? NULL : "the count of working orders is wrong";
}

static const char *check_expiry(const matching_engine *engine)
{
    for (uint32_t at = 1; at <= engine->expiry_count; at++) {
        uint32_t slot = engine->expiry_heap[at];
        const order_extra *extra = &engine->extras[slot];
        if (extra->expiry_at != at || !record_is_working(&engine->orders[slot]) ||
            engine->orders[slot].time_in_force != MATCHING_GTD) {
            return "the expiry heap holds what does not expire";
        }
        if (at > 1 &&
            engine->extras[engine->expiry_heap[at / 2]].expire_time_ms > extra->expire_time_ms) {
            return "the expiry heap is out of order";
        }
    }
    return NULL;
}

/* After a command no stop waits whose condition holds, and the cascade has left nothing behind. */
static const char *check_stops(const matching_engine *engine)
{
    uint64_t reserved = 0;
    for (uint64_t i = 0; i <= engine->slot_mask; i++) {
        const order_record *order = &engine->orders[i];
        if (order->order_id == 0 || order->status != MATCHING_UNTRIGGERED) {
            continue;
        }
        const book_record *book = &engine->books[order->instrument];
        int64_t last = book->last_price_ticks, stop = engine->extras[i].stop_price_ticks;
        reserved += order->type == MATCHING_STOP_LIMIT;
        if (book->state == MATCHING_TRADING && last != 0 &&
            (order->side == MATCHING_BUY ? last >= stop : last <= stop)) {
            return "a stop waits though its price has come";
        }
    }
    if (reserved != engine->reserved_levels ||
        engine->used_levels + engine->reserved_levels > engine->limits.max_levels) {
        return "levels for stop-limit orders are not kept";
    }
    return engine->trigger_count == 0 ? NULL : "a cascade has not come to its end";
}

const char *matching_engine_check(const matching_engine *engine)
{
    uint64_t orders = 0, levels = 0, free_levels = 0;
    for (uint32_t i = 0; i < engine->limits.instruments; i++) {
        const book_record *book = &engine->books[i];
        for (unsigned side = 0; side < 2; side++) {
            const char *broken =
                check_side(engine, i, &book->sides[side], side, false, &orders, &levels);
            if (broken == NULL) {
                broken = check_side(engine, i, &book->stops[side], !side, true, &orders, &levels);
            }
            if (broken != NULL) {
                return broken;
            }
        }
        if (book->state == MATCHING_TRADING && book_is_crossed(engine, (uint16_t)i)) {
            return "a book is crossed";
        }
    }
    for (uint32_t at = engine->free_level; at != 0; at = engine->levels[at].right) {
        if (++free_levels > engine->limits.max_levels) {
            return "the free list of levels runs in a circle";
        }
    }
    if (levels != engine->used_levels || levels + free_levels != engine->limits.max_levels) {
        return "levels were lost";
    }
    if (orders != engine->working_count) {
        return "working orders and orders in queues differ";
    }
    const char *broken = check_traders(engine);
    if (broken == NULL) {
        broken = check_expiry(engine);
    }
    if (broken == NULL) {
        broken = check_stops(engine);
    }
    return broken != NULL ? broken : check_slots(engine);
}
