/* A taker against the other side: best price first, then arrival; trades at the maker's price.
 *
 * Each trade emits TRADE, the maker's ORDER, the taker's ORDER; each level touched one LEVEL once
 * the taker is done with it. Self-trade prevention is decided by the taker when it meets its own
 * trader.
 */
#include "engine/events.h"
#include "engine/orders.h"
#include "engine/sweep.h"

static bool is_own(const matching_engine *engine, const order_record *taker, uint32_t maker)
{
    return record_self_trade(taker) != MATCHING_STP_NONE &&
           engine->orders[maker].trader == taker->trader;
}

/* What the taker can take from a level before its mode of self-trade prevention ends it. Sets *ends
 * if it does end there. Slices that are renewed queue up behind the own order, so only what is
 * visible ahead of it counts. */
static matching_wide level_supply(const matching_engine *engine, const order_record *taker,
                                  uint32_t at, bool *ends)
{
    const level_record *level = &engine->levels[at];
    matching_wide all = level_total(level) + level_hidden(level);
    if (record_self_trade(taker) == MATCHING_STP_NONE) {
        return all;
    }
    matching_wide ahead = 0;
    for (uint32_t slot = level->head; slot != NO_SLOT; slot = engine->links[slot].next) {
        if (!is_own(engine, taker, slot)) {
            ahead += (matching_wide)visible_lots(engine, &engine->orders[slot]);
        } else if (record_self_trade(taker) == MATCHING_STP_CANCEL_MAKER) {
            all -= (matching_wide)engine->orders[slot].remaining_lots;
        } else {
            *ends = true;
            return ahead;
        }
    }
    return all;
}

/* Would matching fill this order completely? Changes nothing. */
bool match_can_fill(const matching_engine *engine, uint32_t slot)
{
    const order_record *taker = &engine->orders[slot];
    const book_record *book = &engine->books[taker->instrument];
    matching_wide wanted = (matching_wide)taker->remaining_lots, found = 0;
    bool ends = false;
    for (uint32_t at = book->sides[!taker->side].best;
         at != 0 && !ends &&
         price_reaches(taker->side, taker_limit(taker->side, taker->price_ticks),
                       level_price(engine, at));
         at = level_worse(engine, !taker->side, at)) {
        found += level_supply(engine, taker, at, &ends);
        if (found >= wanted) {
            return true;
        }
    }
    return false;
}

/* Books a fill in an order; what it rests as is the caller's. */
static inline void fill(apply_context *context, order_record *order, uint32_t slot, int64_t ticks,
                        int64_t lots)
{
    engine_assert(lots > 0 && lots <= order->remaining_lots);
    order->remaining_lots -= lots;
    order->outcome = OUTCOME(MATCHING_PARTIAL, MATCHING_REASON_NONE);
    order->updated_ns = context->command->time_ns;
    if (ticks != order->price_ticks) {
        context->engine->histories[slot].surplus +=
            ((matching_wide)ticks - (matching_wide)order->price_ticks) * (matching_wide)lots;
    }
}

void fill_order(apply_context *context, uint32_t slot, int64_t ticks, int64_t lots)
{
    fill(context, &context->engine->orders[slot], slot, ticks, lots);
}

/* The taker and the oldest order of the level trade what both can. */
static inline void trade(apply_context *context, uint32_t taker, order_record *t, book_record *book,
                         level_record *level, int64_t ticks)
{
    matching_engine *engine = context->engine;
    uint32_t maker = level->head;
    order_record *m = &engine->orders[maker];
    __builtin_prefetch(&engine->orders[engine->links[maker].next], 1);
    bool iceberg = m->flags & ORDER_ICEBERG;
    int64_t visible = visible_lots(engine, m);
    int64_t lots = visible < t->remaining_lots ? visible : t->remaining_lots;
    uint64_t trade_id = ++book->last_trade_id;

    level_take_total(level, lots);
    if (unlikely(iceberg)) {
        engine->extras[m->extra].visible_lots -= lots;
    }
    fill(context, m, maker, ticks, lots);
    fill(context, t, taker, ticks, lots);
    emit_trade(context, m, t, t->side, ticks, lots, trade_id);
    if (m->remaining_lots == 0) {
        queue_unlink(engine, m, maker);
        order_end(context, m, maker, MATCHING_FILLED, MATCHING_REASON_NONE);
    } else if (unlikely(iceberg) && lots == visible) {
        slice_renew(engine, m, maker);
    }
    emit_order(context, m, maker, trade_id, ticks, lots);
    if (t->remaining_lots == 0) {
        order_end(context, t, taker, MATCHING_FILLED, MATCHING_REASON_NONE);
    }
    emit_order(context, t, taker, trade_id, ticks, lots);
}

/* The taker meets an order of its own trader. */
static void prevent_self_trade(apply_context *context, uint32_t taker, uint32_t maker)
{
    matching_engine *engine = context->engine;
    order_record *m = &engine->orders[maker], *t = &engine->orders[taker];
    unsigned mode = record_self_trade(t);
    if (mode != MATCHING_STP_CANCEL_TAKER) {
        queue_unlink(engine, m, maker);
        order_end(context, m, maker, MATCHING_CANCELLED, MATCHING_REASON_SELF_TRADE);
        emit_order(context, m, maker, 0, 0, 0);
    }
    if (mode != MATCHING_STP_CANCEL_MAKER) {
        order_end(context, t, taker, MATCHING_CANCELLED, MATCHING_REASON_SELF_TRADE);
        emit_order(context, t, taker, 0, 0, 0);
    }
}

/* The same for any maker and any taker, one after the other. */
static void trade_all(apply_context *context, uint32_t taker, order_record *order,
                      book_record *book, level_record *level, int64_t ticks)
{
    do {
        if (is_own(context->engine, order, level->head)) {
            prevent_self_trade(context, taker, level->head);
        } else {
            trade(context, taker, order, book, level, ticks);
            book->last_price_ticks = ticks;
        }
    } while (record_is_working(order) && level->orders > 0);
}

/* Matches a working order that is in no queue, until it ends or reaches nothing more. */
void match_run(apply_context *context, uint32_t taker)
{
    matching_engine *engine = context->engine;
    order_record *order = &engine->orders[taker];
    book_record *book = &engine->books[order->instrument];
    unsigned other = !order->side;
    int64_t limit = taker_limit(order->side, order->price_ticks);
    book_side *side = &book->sides[other];
    bool watched = is_watched(context, order->trader);
    const sweep_taker common = {
        .order_id = order->order_id,
        .trader = order->trader,
        .minded = record_self_trade(order) == MATCHING_STP_NONE ? 0 : order->trader,
        .side = order->side};
    while (record_is_working(order) && price_reaches(order->side, limit, side->best_ticks)) {
        uint32_t at = side->best;
        int64_t ticks = side->best_ticks, wanted = order->remaining_lots, left = wanted;
        level_record *level = &engine->levels[at];
        if (likely(!watched)) {
            left =
                sweep(engine, context->command, context->sink, &common, wanted, book, level, ticks);
        }
        if (left < wanted) {
            fill(context, order, taker, ticks, wanted - left);
            if (order->remaining_lots == 0) {
                order_end(context, order, taker, MATCHING_FILLED, MATCHING_REASON_NONE);
            }
        }
        if (unlikely(level->orders > 0 && record_is_working(order))) {
            trade_all(context, taker, order, book, level, ticks);
        }
        if (level->orders == 0) {
            level_remove(engine, book, other, at);
        }
        emit_level(context, book, order->instrument, other, ticks, level);
    }
}
