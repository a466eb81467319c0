/* A taker against the other side: best price first, then arrival; trades at the maker's price.
 *
 * Each trade emits TRADE, the maker's ORDER, the taker's ORDER; each level touched one LEVEL once the
 * taker is done with it. Self-trade prevention is decided by the taker when it meets its own trader.
 */
#include "engine/engine_internal.h"

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
    matching_wide all = level->total_lots + level->hidden_lots;
    if (record_self_trade(taker) == MATCHING_STP_NONE) {
        return all;
    }
    matching_wide ahead = 0;
    for (uint32_t slot = level->head; slot != NO_SLOT; slot = engine->orders[slot].next) {
        if (!is_own(engine, taker, slot)) {
            ahead += (matching_wide)engine->orders[slot].visible_lots;
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
         price_reaches(taker->side, taker_limit(taker), engine->levels[at].price_ticks);
         at = level_worse(engine, !taker->side, at)) {
        found += level_supply(engine, taker, at, &ends);
        if (found >= wanted) {
            return true;
        }
    }
    return false;
}

void fill_order(apply_context *context, uint32_t slot, int64_t ticks, int64_t lots)
{
    order_record *order = &context->engine->orders[slot];
    order_extra *extra = &context->engine->extras[slot];
    engine_assert(lots > 0 && lots <= order->remaining_lots);
    order->remaining_lots -= lots;
    order->status = MATCHING_PARTIAL;
    extra->notional += (matching_wide)ticks * (matching_wide)lots;
    extra->updated_ns = context->command->time_ns;
}

/* The taker and the oldest order of the level trade what both can. */
static void trade(apply_context *context, uint32_t taker, level_record *level)
{
    matching_engine *engine = context->engine;
    uint32_t maker = level->head;
    order_record *m = &engine->orders[maker], *t = &engine->orders[taker];
    book_record *book = &engine->books[t->instrument];
    int64_t ticks = level->price_ticks;
    int64_t lots = m->visible_lots < t->remaining_lots ? m->visible_lots : t->remaining_lots;

    book->last_trade_id++;
    book->last_price_ticks = ticks;
    m->visible_lots -= lots;
    level->total_lots -= (matching_wide)lots;
    fill_order(context, maker, ticks, lots);
    fill_order(context, taker, ticks, lots);
    emit_trade(context, maker, taker, lots);
    if (m->remaining_lots == 0) {
        queue_unlink(engine, maker);
        order_end(context, maker, MATCHING_FILLED, MATCHING_REASON_NONE);
    } else if (m->visible_lots == 0) {
        slice_renew(engine, maker);
    }
    emit_order(context, maker, book->last_trade_id, ticks, lots);
    if (t->remaining_lots == 0) {
        order_end(context, taker, MATCHING_FILLED, MATCHING_REASON_NONE);
    }
    emit_order(context, taker, book->last_trade_id, ticks, lots);
}

/* The taker meets an order of its own trader. */
static void prevent_self_trade(apply_context *context, uint32_t taker, uint32_t maker)
{
    matching_engine *engine = context->engine;
    unsigned mode = record_self_trade(&engine->orders[taker]);
    if (mode != MATCHING_STP_CANCEL_TAKER) {
        queue_unlink(engine, maker);
        order_end(context, maker, MATCHING_CANCELLED, MATCHING_REASON_SELF_TRADE);
        emit_order(context, maker, 0, 0, 0);
    }
    if (mode != MATCHING_STP_CANCEL_MAKER) {
        order_end(context, taker, MATCHING_CANCELLED, MATCHING_REASON_SELF_TRADE);
        emit_order(context, taker, 0, 0, 0);
    }
}

/* Matches a working order that is in no queue, until it ends or reaches nothing more. */
void match_run(apply_context *context, uint32_t taker)
{
    matching_engine *engine = context->engine;
    const order_record *order = &engine->orders[taker];
    unsigned other = !order->side;
    int64_t limit = taker_limit(order);
    book_side *side = &engine->books[order->instrument].sides[other];
    while (record_is_working(order) && side->best != 0 &&
           price_reaches(order->side, limit, engine->levels[side->best].price_ticks)) {
        uint32_t at = side->best;
        level_record *level = &engine->levels[at];
        do {
            if (is_own(engine, order, level->head)) {
                prevent_self_trade(context, taker, level->head);
            } else {
                trade(context, taker, level);
            }
        } while (record_is_working(order) && level->orders > 0);
        int64_t ticks = level->price_ticks;
        if (level->orders == 0) {
            level_remove(engine, side, at);
            at = 0;
        }
        emit_level(context, order->instrument, other, ticks, at);
    }
}
