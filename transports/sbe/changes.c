/* What becomes of working orders later, to reports for the connections that entered them.
 *
 * The port is asked to tell of their traders in short (watches.c). Where somebody else asks for
 * ORDER events, those tell of changes in the place of CHANGE events; of fills they tell nothing
 * that TRADE events have not told before.
 *
 * Invariants: an entry of the table is its order as of the last event; nothing is reported that an
 * answer has told.
 */
#include "door.h"

static void report(sbe_working *entry, const sbe_execution_report *told)
{
    uint8_t message[SBE_MESSAGE_BYTES_MAX];
    sbe_report_later(entry->owner, &entry->last_number, message,
                     sbe_execution_report_write(message, sizeof message, told));
}

static void fill(sbe_door *door, unsigned shard, uint64_t position, const matching_event *event,
                 uint64_t order_id)
{
    sbe_working *entry = sbe_working_find(&door->working, order_id);
    if (entry == NULL || position < entry->placed_end) {
        return;
    }
    sbe_reported_order *order = &entry->order;
    order->filled_lots += event->trade.quantity_lots;
    if (!sbe_working_is_told(&door->working, entry, shard, position, event)) {
        sbe_execution_report told;
        sbe_report_fill(&told, matching_core_instrument(door->server.core, event->instrument),
                        order, event);
        report(entry, &told);
    }
    if (order->filled_lots == order->quantity_lots) {
        sbe_working_remove(&door->working, entry);
    }
}

void sbe_on_fills(sbe_door *door, unsigned shard, uint64_t position, const matching_event *event)
{
    if (door->working.count > 0) {
        fill(door, shard, position, event, event->trade.maker_order_id);
        fill(door, shard, position, event, event->trade.taker_order_id);
    }
}

/* Something other than a fill has left the order so. is_told: its owner will not hear of it
 * here. */
static void change(sbe_door *door, unsigned shard, uint64_t position, const matching_event *event,
                   sbe_working *entry, const sbe_reported_order *now, matching_status status,
                   matching_reason reason, bool is_told)
{
    if (position < entry->placed_end) {
        return;
    }
    bool waited = entry->order.waits;
    entry->order = *now;
    if (!is_told && !sbe_working_is_told(&door->working, entry, shard, position, event)) {
        sbe_execution_report told;
        sbe_report_change(&told, matching_core_instrument(door->server.core, event->instrument),
                          now, status, reason, waited, event->time_ns);
        report(entry, &told);
    }
    if (status == MATCHING_CANCELLED) {
        sbe_working_remove(&door->working, entry);
    }
}

void sbe_on_change_event(sbe_door *door, unsigned shard, uint64_t position,
                         const matching_event *event)
{
    sbe_working *entry = sbe_working_find(&door->working, event->change.order_id);
    if (entry == NULL) {
        return;
    }
    sbe_reported_order now = entry->order;
    now.price_ticks = event->change.price_ticks;
    now.quantity_lots = event->change.quantity_lots;
    now.filled_lots = event->change.filled_lots;
    now.waits = event->change.status == MATCHING_UNTRIGGERED;
    change(door, shard, position, event, entry, &now, event->change.status, event->change.reason,
           event->change.is_begun);
}

void sbe_on_order_event(sbe_door *door, unsigned shard, uint64_t position,
                        const matching_event *event, const matching_order *order)
{
    sbe_working *entry = sbe_working_find(&door->working, order->order_id);
    bool is_told = false;
    if (!matching_order_is_working(order)) {
        wire_guard_remove(&door->server.guard, order->order_id);
        is_told = order->reason == MATCHING_REASON_MASS_CANCEL &&
                  sbe_mass_event(door, entry == NULL ? NULL : entry->owner, event, order);
    }
    if (entry == NULL || event->order.trade_id != 0) {
        return;
    }
    sbe_reported_order now = entry->order;
    now.price_ticks = order->price_ticks;
    now.quantity_lots = order->quantity_lots;
    now.filled_lots = order->filled_lots;
    now.waits = order->status == MATCHING_UNTRIGGERED;
    change(door, shard, position, event, entry, &now, order->status, order->reason, is_told);
}
