/* A taker against the other side: best price first, then arrival; trades at the maker's price.
 *
 * Each trade emits TRADE, the maker's ORDER, the taker's ORDER; each level touched one LEVEL once the
 * taker is done with it.
 */
#include "engine/engine_internal.h"

/* Would matching fill this many lots completely? Changes nothing. */
bool match_can_fill(const matching_engine *engine, uint16_t instrument, unsigned side,
                    int64_t limit_ticks, int64_t lots)
{
    const book_record *book = &engine->books[instrument];
    matching_wide wanted = (matching_wide)lots, found = 0;
    for (uint32_t at = book->sides[!side].best;
         at != 0 && price_reaches(side, limit_ticks, engine->levels[at].price_ticks);
         at = level_worse(engine, !side, at)) {
        found += engine->levels[at].total_lots;
        if (found >= wanted) {
            return true;
        }
    }
    return false;
}

static void fill_order(apply_context *context, uint32_t slot, int64_t ticks, int64_t lots)
{
    order_record *order = &context->engine->orders[slot];
    order_extra *extra = &context->engine->extras[slot];
    engine_assert(lots > 0 && lots <= order->remaining_lots);
    order->remaining_lots -= lots;
    order->status = MATCHING_PARTIAL;
    extra->notional += (matching_wide)ticks * (matching_wide)lots;
    extra->updated_ns = context->command->time_ns;
}

/* Takes the filled head of a level out of its queue. */
static void pop_head(matching_engine *engine, level_record *level)
{
    order_record *order = &engine->orders[level->head];
    level->head = order->next;
    if (level->head == NO_SLOT) {
        level->tail = NO_SLOT;
    } else {
        engine->orders[level->head].prev = NO_SLOT;
    }
    order->next = NO_SLOT;
    order->level = 0;
    level->orders--;
}

/* The taker and the oldest order of the level trade what both can. */
static void trade(apply_context *context, uint32_t taker, level_record *level)
{
    matching_engine *engine = context->engine;
    uint32_t maker = level->head;
    order_record *m = &engine->orders[maker], *t = &engine->orders[taker];
    book_record *book = &engine->books[t->instrument];
    int64_t ticks = level->price_ticks;
    int64_t lots =
        m->remaining_lots < t->remaining_lots ? m->remaining_lots : t->remaining_lots;

    book->last_trade_id++;
    book->last_price_ticks = ticks;
    level->total_lots -= (matching_wide)lots;
    fill_order(context, maker, ticks, lots);
    fill_order(context, taker, ticks, lots);
    emit_trade(context, maker, taker, lots);
    if (m->remaining_lots == 0) {
        pop_head(engine, level);
        order_end(context, maker, MATCHING_FILLED, MATCHING_REASON_NONE);
    }
    emit_order(context, maker, book->last_trade_id, ticks, lots);
    if (t->remaining_lots == 0) {
        order_end(context, taker, MATCHING_FILLED, MATCHING_REASON_NONE);
    }
    emit_order(context, taker, book->last_trade_id, ticks, lots);
}

/* Matches a working order that is in no queue until it is filled or reaches nothing more. */
void match_run(apply_context *context, uint32_t taker)
{
    matching_engine *engine = context->engine;
    const order_record *order = &engine->orders[taker];
    unsigned other = !order->side;
    int64_t limit = taker_limit(order);
    book_side *side = &engine->books[order->instrument].sides[other];
    while (order->remaining_lots > 0 && side->best != 0 &&
           price_reaches(order->side, limit, engine->levels[side->best].price_ticks)) {
        uint32_t at = side->best;
        level_record *level = &engine->levels[at];
        do {
            trade(context, taker, level);
        } while (order->remaining_lots > 0 && level->orders > 0);
        int64_t ticks = level->price_ticks;
        if (level->orders == 0) {
            level_remove(engine, side, at);
            at = 0;
        }
        emit_level(context, order->instrument, other, ticks, at);
    }
}
