/* A level's queue from the front against a taker: the part of matching that is mostly all of it.
 *
 * Takes makers as long as there is nothing special about them: no iceberg, no order of a trader
 * that the taker minds, nobody who watches the maker's trader. What trades have in common stays in
 * registers until the end. What becomes of the taker, and of a level that is empty afterwards, is
 * the caller's; so are makers that are left over (match.c).
 */
#ifndef MATCHING_ENGINE_SWEEP_H
#define MATCHING_ENGINE_SWEEP_H

#include "engine/book.h"
#include "engine/orders.h"

typedef struct sweep_taker {
    uint64_t order_id;
    uint32_t trader;
    uint32_t minded; /* whose orders it would not trade with; 0: it minds nobody */
    unsigned side;
} sweep_taker;

/* A maker that has been filled, and is out of its queue. */
static inline void sweep_end(matching_engine *engine, const matching_command *command,
                             order_record *maker, uint32_t slot)
{
    engine_assert(record_is_working(maker));
    trader_unlink(engine, slot);
    if (unlikely(maker->extra != 0) && engine->extras[maker->extra].expiry_at != 0) {
        expiry_remove(engine, slot);
    }
    maker->remaining_lots = 0;
    maker->outcome = OUTCOME(MATCHING_FILLED, MATCHING_REASON_NONE);
    maker->end_mark = order_note_end(engine, slot);
    maker->updated_ns = command->time_ns;
}

/* Returns what the taker still wants of `wanted`. */
static inline int64_t sweep(matching_engine *engine, const matching_command *command,
                            matching_event_sink *sink, const sweep_taker *taker, int64_t wanted,
                            book_record *book, level_record *level, int64_t ticks)
{
    bool watching = has_watchers(sink);
    uint32_t head = level->head, left = level->orders;
    int64_t before = wanted;
    while (wanted > 0 && left > 0) {
        order_record *maker = &engine->orders[head];
        if (unlikely((maker->flags & ORDER_ICEBERG) || maker->trader == taker->minded ||
                     (watching && trader_is_watched(engine, sink, maker->trader)))) {
            break;
        }
        uint32_t next = engine->links[head].next;
        __builtin_prefetch(&engine->orders[next], 1);
        int64_t has = maker->remaining_lots;
        int64_t lots = has < wanted ? has : wanted;
        write_trade(sink, command, maker, taker->order_id, taker->trader, taker->side, ticks, lots,
                    ++book->last_trade_id);
        wanted -= lots;
        if (lots != has) {
            maker->remaining_lots = has - lots;
            maker->outcome = OUTCOME(MATCHING_PARTIAL, MATCHING_REASON_NONE);
            maker->updated_ns = command->time_ns;
            break;
        }
        sweep_end(engine, command, maker, head);
        left--;
        head = next;
    }
    if (before != wanted) {
        level->head = left == 0 ? NO_SLOT : head;
        level->tail = left == 0 ? NO_SLOT : level->tail;
        level->orders = left;
        engine->links[level->head].prev = NO_SLOT;
        level_take_total(level, before - wanted);
        book->last_price_ticks = ticks;
    }
    return wanted;
}

#endif
