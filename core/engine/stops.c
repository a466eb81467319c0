/* Stop orders: they wait at their stop price, and enter when the last trade price reaches it.
 *
 * After a command the cascade runs: of all stops whose condition holds at that moment the one with
 * the lowest order_id enters and is processed in full, then the next is looked for, by the last
 * trade price of that moment. Levels within reach are loaded into a heap by order_id once; an order
 * whose condition does not hold any more when its turn comes goes back to waiting.
 */
#include "engine/stops.h"
#include "engine/orders.h"

static bool needs_level_later(const order_record *order)
{
    return order->type == MATCHING_STOP_LIMIT;
}

void stop_insert(matching_engine *engine, uint32_t slot)
{
    order_record *order = &engine->orders[slot];
    int64_t stop = extra_of(engine, slot)->stop_price_ticks;
    book_record *book = &engine->books[order->instrument];
    queue_append(engine, level_obtain(engine, book, stop_kind(order->side), stop), order, slot);
    engine->levels_left -= needs_level_later(order);
    book_note_plain(book);
}

void stop_remove(matching_engine *engine, uint32_t slot)
{
    order_record *order = &engine->orders[slot];
    uint32_t at = order->level;
    queue_unlink(engine, order, slot);
    if (engine->levels[at].orders == 0) {
        level_remove(engine, &engine->books[order->instrument], stop_kind(order->side), at);
    }
    engine->levels_left += needs_level_later(order);
    book_note_plain(&engine->books[order->instrument]);
}

static bool is_met(unsigned side, int64_t stop_ticks, int64_t last_ticks)
{
    return side == MATCHING_BUY ? last_ticks >= stop_ticks : last_ticks <= stop_ticks;
}

static void heap_push(matching_engine *engine, uint32_t slot)
{
    uint32_t *heap = engine->trigger_heap;
    uint32_t at = ++engine->trigger_count;
    uint64_t id = engine->orders[slot].order_id;
    for (; at > 1 && engine->orders[heap[at / 2]].order_id > id; at /= 2) {
        heap[at] = heap[at / 2];
    }
    heap[at] = slot;
    engine->orders[slot].flags |= ORDER_LOADED;
}

static uint32_t heap_pop(matching_engine *engine)
{
    uint32_t *heap = engine->trigger_heap;
    uint32_t top = heap[1], last = heap[engine->trigger_count--], at = 1;
    uint64_t id = engine->orders[last].order_id;
    for (;;) {
        uint32_t child = 2 * at;
        if (child > engine->trigger_count) {
            break;
        }
        if (child < engine->trigger_count &&
            engine->orders[heap[child + 1]].order_id < engine->orders[heap[child]].order_id) {
            child++;
        }
        if (engine->orders[heap[child]].order_id >= id) {
            break;
        }
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = last;
    engine->orders[top].flags &= (uint8_t)~ORDER_LOADED;
    return top;
}

/* The best level of a side that is strictly worse than the price; 0: none. */
static uint32_t level_after(const matching_engine *engine, const book_record *book, unsigned kind,
                            int64_t price_ticks)
{
    bool lower = best_is_highest(kind);
    int64_t base = price_ticks >> PAGE_BITS;
    uint32_t page = page_search(engine, &book->sides[kind], base);
    uint32_t offset = (uint32_t)price_ticks & (PAGE_LEVELS - 1);
    uint64_t beyond = page_beyond_level(engine->pages[page].used, offset, lower); /* [0] has none */
    if (beyond == 0) {
        page = page_beyond(engine, &book->sides[kind], base, lower);
        beyond = engine->pages[page].used;
    }
    return beyond == 0 ? 0 : page_nearest(page, beyond, lower);
}

/* Loads the stops of a side whose condition holds and that are beyond what was loaded before. */
static void load(matching_engine *engine, const book_record *book, unsigned side, int64_t *loaded)
{
    int64_t last = book->last_price_ticks;
    unsigned kind = stop_kind(side);
    uint32_t at = *loaded == 0 ? book->sides[kind].best : level_after(engine, book, kind, *loaded);
    for (; at != 0 && is_met(side, level_price(engine, at), last);
         at = level_worse(engine, kind, at)) {
        for (uint32_t slot = engine->levels[at].head; slot != NO_SLOT;
             slot = engine->links[slot].next) {
            if (!(engine->orders[slot].flags & ORDER_LOADED)) {
                heap_push(engine, slot);
            }
        }
    }
    if (*loaded == 0 || is_met(side, *loaded, last)) {
        *loaded = last;
    }
}

/* The next stop to enter; NO_SLOT: none. */
static uint32_t next_triggered(matching_engine *engine, const book_record *book, int64_t loaded[2])
{
    int64_t last = book->last_price_ticks;
    load(engine, book, MATCHING_BUY, &loaded[MATCHING_BUY]);
    load(engine, book, MATCHING_SELL, &loaded[MATCHING_SELL]);
    while (engine->trigger_count > 0) {
        uint32_t slot = heap_pop(engine);
        unsigned side = engine->orders[slot].side;
        int64_t stop = extra_of(engine, slot)->stop_price_ticks;
        if (is_met(side, stop, last)) {
            return slot;
        }
        /* Load it again when the price comes back to it. */
        int64_t just_before = side == MATCHING_BUY ? stop - 1 : stop + 1;
        if (is_met(side, just_before, loaded[side])) {
            loaded[side] = just_before;
        }
    }
    return NO_SLOT;
}

void stops_cascade(apply_context *context, uint16_t instrument)
{
    matching_engine *engine = context->engine;
    const book_record *book = &engine->books[instrument];
    int64_t loaded[2] = {0, 0};
    if (book->state != MATCHING_TRADING || book->last_price_ticks == 0) {
        return;
    }
    while (has_stops(book)) {
        uint32_t slot = next_triggered(engine, book, loaded);
        if (slot == NO_SLOT) {
            break;
        }
        stop_remove(engine, slot);
        engine->orders[slot].status = MATCHING_OPEN;
        engine->orders[slot].updated_ns = context->command->time_ns;
        emit_order(context, &engine->orders[slot], slot, 0, 0, 0);
        enter_order(context, slot, true);
    }
    engine_assert(engine->trigger_count == 0);
}
