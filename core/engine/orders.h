/* Order slots: where an order is, how it comes and goes, and its copy for the outside.
 *
 * Invariants: order number n lives in slot n & slot_mask or nowhere; a working order's slot is
 * never taken; an order has an extra exactly if it is an iceberg, a stop, good till a date, or has
 * a client id. Not here: prices and queues (queues.h), traders and client ids (traders.h), outcomes
 * (place.c, change.c).
 */
#ifndef MATCHING_ENGINE_ORDERS_H
#define MATCHING_ENGINE_ORDERS_H

#include "engine/traders.h"

uint32_t order_search_slot(matching_engine *engine);
void order_release_extra(matching_engine *engine, uint32_t slot);
order_extra *order_add_extra(matching_engine *engine, uint32_t slot);
void order_copy(const matching_engine *engine, uint32_t slot, matching_order *out);
matching_wide order_notional(const matching_engine *engine, uint32_t slot);

/* NO_SLOT: no such order is known. */
static inline uint32_t order_find(const matching_engine *engine, uint64_t order_id)
{
    uint64_t slot = order_number(engine, order_id) & engine->slot_mask;
    return slot <= engine->last_slot && engine->orders[slot].order_id == order_id && order_id != 0
               ? (uint32_t)slot
               : NO_SLOT;
}

/* May another order take this one's place? */
static inline bool order_slot_is_free(const matching_engine *engine, const order_record *order)
{
    return order->order_id == 0 ||
           (!record_is_working(order) &&
            engine->ended_count - order->end_mark > engine->limits.retained_orders);
}

/* The order in this slot works no more. Returns what marks when it ended. */
static inline uint64_t order_note_end(matching_engine *engine, uint64_t slot)
{
    engine->full_groups[slot >> GROUP_BITS] = 0;
    return engine->ended_count++;
}

/* The slot of the order that is about to be entered, which the next number leads to; numbers whose
 * slot is taken are passed. Its record is as the last one left it, but for the extra. */
static inline uint32_t order_next_slot(matching_engine *engine)
{
    uint64_t slot = (engine->last_number + 1) & engine->slot_mask;
    if (unlikely(slot - 1 >= engine->last_slot ||
                 !order_slot_is_free(engine, &engine->orders[slot]))) {
        slot = order_search_slot(engine);
    }
    if (unlikely(engine->orders[slot].extra != 0)) {
        order_release_extra(engine, (uint32_t)slot);
    }
    return (uint32_t)slot;
}

/* Its id. Both once an order, and when nothing can refuse it any more: the number is taken. */
static inline uint64_t order_next_id(matching_engine *engine)
{
    return ++engine->last_number << engine->limits.shard_bits | engine->limits.shard;
}

/* A working order, in no queue any more, ends. */
static inline void order_end(apply_context *context, order_record *order, uint32_t slot,
                             matching_status status, matching_reason reason)
{
    matching_engine *engine = context->engine;
    engine_assert(record_is_working(order) && order->level == 0);
    if (engine->links[slot].older != NO_SLOT) {
        trader_unlink(engine, slot);
    }
    if (unlikely(order->extra != 0) && engine->extras[order->extra].expiry_at != 0) {
        expiry_remove(engine, slot);
    }
    order->outcome = OUTCOME(status, reason);
    order->end_mark = order_note_end(engine, slot);
    order->updated_ns = context->command->time_ns;
}

/* The order that a command names, working or ended; NO_SLOT if there is none or it is another's. */
static inline uint32_t order_locate(const matching_engine *engine, const matching_command *command)
{
    if (command->order_id == 0) {
        uint32_t trader = trader_find(engine, command->trader_id);
        return trader == 0
                   ? NO_SLOT
                   : client_find(engine, trader, command->instrument, command->client_order_id);
    }
    uint32_t slot = order_find(engine, command->order_id);
    if (slot == NO_SLOT) {
        return NO_SLOT;
    }
    const order_record *order = &engine->orders[slot];
    if (command->trader_id[0] != 0 &&
        !trader_has_name(&engine->traders[order->trader], command->trader_id)) {
        return NO_SLOT;
    }
    if ((command->flags & MATCHING_FLAG_HAS_SYMBOL) && order->instrument != command->instrument) {
        return NO_SLOT;
    }
    return slot;
}

/* What a brief reply tells. */
static inline void order_copy_brief(const matching_engine *engine, const order_record *order,
                                    matching_order *out)
{
    out->order_id = order->order_id;
    out->price_ticks = order->price_ticks;
    out->quantity_lots = order->quantity_lots;
    out->filled_lots = order->quantity_lots - order->remaining_lots;
    out->instrument = order->instrument;
    out->status = (uint8_t)order->outcome;
    out->reason = (uint8_t)(order->outcome >> 8);
    out->side = order->side;
    out->type = order->type;
    out->client_order_id[0] = 0;
    if (unlikely(order->flags & ORDER_HAS_CLIENT_ID)) {
        memcpy(out->client_order_id, engine->extras[order->extra].client_order_id, CLIENT_ID_BYTES);
        out->client_order_id[CLIENT_ID_BYTES] = 0;
    }
}

/* What is so in every reply unless the command makes it otherwise. */
static inline void begin_reply(matching_reply *reply, unsigned type, bool has_order,
                               uint64_t sequence)
{
    reply->code = MATCHING_OK;
    reply->field = MATCHING_FIELD_NONE;
    reply->type = (uint8_t)type;
    reply->has_order = has_order;
    reply->trades_truncated = 0;
    reply->ids_truncated = 0;
    reply->state = 0;
    reply->related_order_id = 0;
    reply->sequence = sequence;
}

/* The order that the command was about, as it is now. */
static inline void reply_order(apply_context *context, const order_record *order, uint32_t slot)
{
    matching_reply *reply = context->reply;
    reply->has_order = 1;
    reply->trader = order->trader;
    if (context->command->flags & MATCHING_FLAG_BRIEF) {
        order_copy_brief(context->engine, order, &reply->order);
    } else {
        order_copy(context->engine, slot, &reply->order);
    }
}

#endif
