/* The auction's end: one price, the most volume, then the least imbalance, then nearest to the last
 * trade price, then the lowest; better prices first, then visible before hidden, then time.
 *
 * Between two prices of the book demand and supply do not change, so prices are looked at in
 * segments: one begins at each ask price and just above each bid price. Demand at p is all bids at
 * p and above, supply all asks at p and below, hidden quantity included.
 */
#include "engine/book.h"
#include "engine/orders.h"

typedef struct candidate {
    matching_wide volume, imbalance;
    uint64_t distance; /* from the last trade price; 0 without one */
    int64_t price;
} candidate;

static matching_wide level_lots(const matching_engine *engine, uint32_t at)
{
    return level_total(&engine->levels[at]) + level_hidden(&engine->levels[at]);
}

bool book_is_crossed(const matching_engine *engine, uint16_t instrument)
{
    const book_side *sides = engine->books[instrument].sides;
    return sides[BIDS].best_ticks >= sides[ASKS].best_ticks;
}

static bool is_better(const candidate *a, const candidate *b)
{
    if (a->volume != b->volume) {
        return a->volume > b->volume;
    }
    if (a->imbalance != b->imbalance) {
        return a->imbalance < b->imbalance;
    }
    return a->distance != b->distance ? a->distance < b->distance : a->price < b->price;
}

/* The best price of a segment low ... high with this demand and supply. */
static candidate judge(matching_wide demand, matching_wide supply, int64_t low, int64_t high,
                       int64_t last)
{
    candidate result = {.volume = demand < supply ? demand : supply,
                        .imbalance = demand < supply ? supply - demand : demand - supply,
                        .price = low};
    if (last != 0) {
        result.price = last < low ? low : last > high ? high : last;
        result.distance =
            (uint64_t)(result.price < last ? last - result.price : result.price - last);
    }
    return result;
}

bool auction_price(const matching_engine *engine, uint16_t instrument, int64_t *price_ticks,
                   matching_wide *volume_lots)
{
    const book_record *book = &engine->books[instrument];
    if (!book_is_crossed(engine, instrument)) {
        return false;
    }
    /* From the highest bid down: supply at the top is every ask up to it. */
    uint32_t bid = book->sides[MATCHING_BUY].best, ask = book->sides[MATCHING_SELL].best;
    int64_t top = level_price(engine, bid), bottom = level_price(engine, ask);
    matching_wide demand = 0, supply = 0;
    uint32_t beyond = ask, highest = 0;
    for (; beyond != 0 && level_price(engine, beyond) <= top;
         beyond = level_worse(engine, MATCHING_SELL, beyond)) {
        supply += level_lots(engine, beyond);
        highest = beyond;
    }
    ask = highest; /* the highest ask within reach; walked downwards */
    candidate best = {0};
    bool found = false;
    for (int64_t high = top; high >= bottom;) {
        if (bid != 0 && level_price(engine, bid) == high) {
            demand += level_lots(engine, bid);
            bid = level_worse(engine, MATCHING_BUY, bid);
        }
        /* The segment goes down to the next ask, or to just above the next bid. */
        int64_t low = level_price(engine, ask);
        if (bid != 0 && level_price(engine, bid) + 1 > low) {
            low = level_price(engine, bid) + 1;
        }
        candidate here = judge(demand, supply, low, high, book->last_price_ticks);
        if (!found || is_better(&here, &best)) {
            best = here;
            found = true;
        }
        if (level_price(engine, ask) == low) {
            supply -= level_lots(engine, ask);
            ask = level_better(engine, MATCHING_SELL, ask);
            if (ask == 0) {
                break;
            }
        }
        high = low - 1;
    }
    *price_ticks = best.price;
    *volume_lots = best.volume;
    return found && best.volume > 0;
}

bool matching_engine_indicative(const matching_engine *engine, uint16_t instrument,
                                int64_t *price_ticks, matching_wide *volume_lots)
{
    return auction_price(engine, instrument, price_ticks, volume_lots);
}

/* One side's next order to be filled: the visible part of a queue first, then the hidden parts. */
typedef struct allocation {
    uint32_t level;
    uint32_t slot;
    bool hidden; /* the visible parts of this level are done */
} allocation;

static int64_t available(const matching_engine *engine, const allocation *at)
{
    const order_record *order = &engine->orders[at->slot];
    int64_t visible = visible_lots(engine, order);
    return at->hidden ? order->remaining_lots - visible : visible;
}

/* Moves on to the next part with something left; the volume guarantees that there is one. */
static void settle(const matching_engine *engine, unsigned side, allocation *at)
{
    while (at->slot == NO_SLOT || available(engine, at) == 0) {
        if (at->slot != NO_SLOT) {
            at->slot = engine->links[at->slot].next;
        }
        if (at->slot == NO_SLOT) {
            if (at->hidden) {
                at->level = level_worse(engine, side, at->level);
            }
            at->hidden = !at->hidden;
            engine_assert(at->level != 0);
            at->slot = engine->levels[at->level].head;
        }
    }
}

/* Takes lots from an order where it rests; it stays in its queue for now. */
static void take(apply_context *context, const allocation *at, int64_t ticks, int64_t lots)
{
    matching_engine *engine = context->engine;
    level_record *level = &engine->levels[at->level];
    order_record *order = &engine->orders[at->slot];
    if (at->hidden) {
        level_take_hidden(level, lots);
    } else {
        level_take_total(level, lots);
        if (order->flags & ORDER_ICEBERG) {
            engine->extras[order->extra].visible_lots -= lots;
        }
    }
    fill_order(context, at->slot, ticks, lots);
}

/* Tells an order's new state; one that is filled stays in its queue until tidy_side. */
static void tell(apply_context *context, uint32_t slot, int64_t ticks, int64_t lots)
{
    const order_record *order = &context->engine->orders[slot];
    uint64_t trade_id = context->engine->books[order->instrument].last_trade_id;
    emit_order_as(context, order, slot,
                  order->remaining_lots == 0 ? MATCHING_FILLED : MATCHING_PARTIAL, trade_id, ticks,
                  lots);
}

/* After the cross: filled orders leave, spent slices are renewed, touched levels are told. */
static void tidy_side(apply_context *context, uint16_t instrument, unsigned side_number,
                      uint32_t last_level)
{
    matching_engine *engine = context->engine;
    book_record *book = &engine->books[instrument];
    bool more = true;
    for (uint32_t at = book->sides[side_number].best; at != 0 && more;) {
        level_record *level = &engine->levels[at];
        more = at != last_level;
        uint32_t next_level = level_worse(engine, side_number, at);
        uint32_t slot = level->head, last = level->tail;
        for (bool walking = true; walking;) {
            order_record *order = &engine->orders[slot];
            uint32_t next = engine->links[slot].next;
            walking = slot != last;
            if (order->remaining_lots == 0) {
                queue_unlink(engine, order, slot);
                order_end(context, order, slot, MATCHING_FILLED, MATCHING_REASON_NONE);
            } else if (visible_lots(engine, order) == 0) {
                slice_renew(engine, order, slot);
            }
            slot = next;
        }
        int64_t ticks = level_price(engine, at);
        if (level->orders == 0) {
            level_remove(engine, book, side_number, at);
        }
        emit_level(context, book, instrument, side_number, ticks, level);
        at = next_level;
    }
}

void auction_uncross(apply_context *context, uint16_t instrument)
{
    matching_engine *engine = context->engine;
    book_record *book = &engine->books[instrument];
    int64_t ticks;
    matching_wide volume;
    if (!auction_price(engine, instrument, &ticks, &volume)) {
        return;
    }
    allocation at[2];
    for (unsigned side = 0; side < 2; side++) {
        uint32_t level = book->sides[side].best;
        at[side] = (allocation){level, engine->levels[level].head, false};
    }
    while (volume > 0) {
        settle(engine, MATCHING_BUY, &at[MATCHING_BUY]);
        settle(engine, MATCHING_SELL, &at[MATCHING_SELL]);
        int64_t buy = available(engine, &at[MATCHING_BUY]);
        int64_t sell = available(engine, &at[MATCHING_SELL]);
        int64_t lots = buy < sell ? buy : sell;
        if (volume < (matching_wide)lots) {
            lots = (int64_t)volume;
        }
        volume -= (matching_wide)lots;
        book->last_trade_id++;
        book->last_price_ticks = ticks;
        take(context, &at[MATCHING_BUY], ticks, lots);
        take(context, &at[MATCHING_SELL], ticks, lots);
        /* No side took: the buy order stands in the taker's place. */
        emit_trade(context, &engine->orders[at[MATCHING_SELL].slot],
                   &engine->orders[at[MATCHING_BUY].slot], MATCHING_SIDE_NONE, ticks, lots,
                   book->last_trade_id);
        tell(context, at[MATCHING_SELL].slot, ticks, lots);
        tell(context, at[MATCHING_BUY].slot, ticks, lots);
    }
    tidy_side(context, instrument, MATCHING_BUY, at[MATCHING_BUY].level);
    tidy_side(context, instrument, MATCHING_SELL, at[MATCHING_SELL].level);
}
