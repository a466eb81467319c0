/* Order slots: where an order is, how it comes and goes, and its copy for the outside.
 *
 * Invariants: order number n lives in slot n & slot_mask or nowhere; a working order's slot is
 * never taken; an order has an extra exactly if it is an iceberg, a stop, good till a date, or has
 * a client id. Not here: prices and queues (queues.h), traders and client ids (traders.c), outcomes
 * (place.c, change.c).
 */
#include "engine/orders.h"

void order_release_extra(matching_engine *engine, uint32_t slot)
{
    order_record *order = &engine->orders[slot];
    if (order->flags & ORDER_HAS_CLIENT_ID) {
        client_remove(engine, slot);
    }
    engine->extras[order->extra].expiry_at = engine->free_extra;
    engine->free_extra = order->extra;
    order->extra = 0;
}

/* The slots that order numbers lead to one after the other, until one is free, which the next
 * number leads to then. There always is one: slots outnumber working and retained orders. A group
 * that was found full of working orders is passed in one step until one of them ends, so that it
 * does not matter how many of them lie side by side. */
uint32_t order_search_slot(matching_engine *engine)
{
    enum { GROUP = 1 << GROUP_BITS };
    uint64_t number = engine->last_number;
    unsigned in_a_row = 0; /* working orders */
    for (uint64_t tries = 0; tries <= 2 * engine->slot_mask + 1; tries++) {
        uint64_t slot = ++number & engine->slot_mask;
        const order_record *order = &engine->orders[slot];
        if (slot > engine->last_slot) {
            number |= engine->slot_mask; /* the next has slot 0, the one after it 1 */
        } else if (slot != NO_SLOT && order_slot_is_free(engine, order)) {
            engine->full_at += --number - engine->last_number;
            engine->last_number = number;
            return (uint32_t)slot;
        } else if (slot % GROUP == 0 && engine->full_groups[slot >> GROUP_BITS]) {
            number |= GROUP - 1;
        } else {
            in_a_row = slot != NO_SLOT && record_is_working(order) ? in_a_row + 1 : 0;
            if (slot % GROUP == GROUP - 1 && in_a_row >= GROUP) {
                engine->full_groups[slot >> GROUP_BITS] = 1;
            }
        }
    }
    matching_engine_panic(__FILE__, __LINE__, "no free order slot");
}

/* Gives the order an extra, all zero. There always is one: as many as slots. */
order_extra *order_add_extra(matching_engine *engine, uint32_t slot)
{
    uint32_t at = engine->free_extra;
    if (at != 0) {
        engine->free_extra = engine->extras[at].expiry_at;
    } else {
        at = engine->new_extras++;
        engine_assert(at <= engine->last_slot);
    }
    memset(&engine->extras[at], 0, sizeof engine->extras[at]);
    engine->orders[slot].extra = at;
    return &engine->extras[at];
}

matching_wide order_notional(const matching_engine *engine, uint32_t slot)
{
    const order_record *order = &engine->orders[slot];
    return engine->histories[slot].surplus +
           (matching_wide)order->price_ticks *
               (matching_wide)(order->quantity_lots - order->remaining_lots);
}

void order_copy(const matching_engine *engine, uint32_t slot, matching_order *out)
{
    const order_record *order = &engine->orders[slot];
    const order_extra *extra = &engine->extras[order->extra];
    order_copy_brief(engine, order, out);
    out->stop_price_ticks = extra->stop_price_ticks;
    out->display_lots = extra->display_lots;
    out->notional = order_notional(engine, slot);
    out->created_ns = engine->histories[slot].created_ns;
    out->updated_ns = order->updated_ns;
    out->expire_time_ms = extra->expire_time_ms;
    out->time_in_force = order->time_in_force;
    out->self_trade = (uint8_t)record_self_trade(order);
    out->post_only = order->flags & ORDER_POST_ONLY ? 1 : 0;
    memcpy(out->trader_id, engine->traders[order->trader].name, sizeof out->trader_id);
}
