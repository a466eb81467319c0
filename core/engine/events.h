/* Writes events into the sink, in the order in which things happen.
 *
 * An ORDER event is one header slot and MATCHING_ORDER_SLOTS slots with the order's copy, never
 * split by make_room; it is written for traders that somebody watches. A CHANGE event is written in
 * its place for those whom somebody follows, unless a TRADE event or the reply tells as much. Not
 * here: who reads events, and when they may leave (core/shard).
 */
#ifndef MATCHING_ENGINE_EVENTS_H
#define MATCHING_ENGINE_EVENTS_H

#include "engine/levels.h"

void events_make_room(matching_event_sink *sink, uint64_t slots);
void events_write_order(apply_context *context, uint32_t slot, unsigned status, uint64_t trade_id,
                        int64_t price_ticks, int64_t lots);
void emit_state(apply_context *context, uint16_t instrument, unsigned state);
void emit_instrument(apply_context *context);

static inline matching_event *event_reserve(matching_event_sink *sink, uint64_t slots)
{
    if (unlikely(sink->limit - sink->head < slots)) {
        events_make_room(sink, slots);
    }
    return &sink->slots[sink->head & sink->mask];
}

/* The first eight bytes, from sequence_low to side, are written as one number. */
static inline void event_header(matching_event *event, const matching_command *command,
                                uint16_t instrument, matching_event_kind kind, unsigned side)
{
    uint64_t head = (uint32_t)command->sequence | (uint64_t)instrument << 32 |
                    (uint64_t)kind << 48 | (uint64_t)side << 56;
    memcpy(event, &head, sizeof head);
    event->time_ns = command->time_ns;
}

_Static_assert(offsetof(matching_event, sequence_low) == 0 &&
                   offsetof(matching_event, instrument) == 4 &&
                   offsetof(matching_event, kind) == 6 && offsetof(matching_event, side) == 7 &&
                   __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "as event_header() has it");

/* Two orders trade at a price; side: the taker's. */
static inline void write_trade(matching_event_sink *sink, const matching_command *command,
                               const order_record *maker, uint64_t taker_id, uint32_t taker_trader,
                               unsigned side, int64_t price_ticks, int64_t lots, uint64_t trade_id)
{
    matching_event *event = event_reserve(sink, 1);
    event_header(event, command, maker->instrument, MATCHING_EVENT_TRADE, side);
    event->trade.trade_id = trade_id;
    event->trade.price_ticks = price_ticks;
    event->trade.quantity_lots = lots;
    event->trade.maker_order_id = maker->order_id;
    event->trade.taker_order_id = taker_id;
    event->trade.maker_trader = maker->trader;
    event->trade.taker_trader = taker_trader;
    sink->head++;
}

/* A level has a new total, possibly none. */
static inline void write_level_sum(matching_event_sink *sink, const matching_command *command,
                                   book_record *book, uint16_t instrument, unsigned side,
                                   int64_t price_ticks, matching_wide total_lots, uint32_t orders)
{
    matching_event *event = event_reserve(sink, 1);
    event_header(event, command, instrument, MATCHING_EVENT_LEVEL, side);
    event->level.total_lots = total_lots;
    event->level.price_ticks = price_ticks;
    event->level.depth_sequence = ++book->depth_sequence;
    event->level.orders = orders;
    sink->head++;
}

static inline void write_level(matching_event_sink *sink, const matching_command *command,
                               book_record *book, uint16_t instrument, unsigned side,
                               int64_t price_ticks, const level_record *level)
{
    write_level_sum(sink, command, book, instrument, side, price_ticks, level_total(level),
                    level->orders);
}

/* An order is as it is now. */
static inline void write_change(matching_event_sink *sink, const matching_command *command,
                                const order_record *order, bool is_begun)
{
    matching_event *event = event_reserve(sink, 1);
    event_header(event, command, order->instrument, MATCHING_EVENT_CHANGE, order->side);
    event->change.order_id = order->order_id;
    event->change.price_ticks = order->price_ticks;
    event->change.quantity_lots = order->quantity_lots;
    event->change.filled_lots = order->quantity_lots - order->remaining_lots;
    event->change.trader = order->trader;
    event->change.status = order->status;
    event->change.reason = order->reason;
    event->change.is_begun = is_begun;
    sink->head++;
}

static inline void emit_trade(apply_context *context, const order_record *maker,
                              const order_record *taker, unsigned side, int64_t price_ticks,
                              int64_t lots, uint64_t trade_id)
{
    write_trade(context->sink, context->command, maker, taker->order_id, taker->trader, side,
                price_ticks, lots, trade_id);
}

static inline void emit_level(apply_context *context, book_record *book, uint16_t instrument,
                              unsigned side, int64_t price_ticks, const level_record *level)
{
    write_level(context->sink, context->command, book, instrument, side, price_ticks, level);
}

/* Could somebody want to know about any order? */
static inline bool has_watchers(const matching_event_sink *sink)
{
    const matching_watch *watch = sink->watch;
    return watch == NULL || atomic_load_explicit(&watch->watchers, memory_order_relaxed) != 0;
}

/* Does somebody want to know about this trader's orders? */
static inline bool trader_is_watched(const matching_engine *engine, const matching_event_sink *sink,
                                     uint32_t trader)
{
    const matching_watch *watch = sink->watch;
    return has_watchers(sink) &&
           (watch == NULL || atomic_load_explicit(&watch->everybody, memory_order_relaxed) != 0 ||
            atomic_load_explicit(&watch->buckets[engine->traders[trader].watch],
                                 memory_order_relaxed) != 0);
}

/* Does somebody follow this trader's orders? */
static inline bool trader_is_followed(const matching_engine *engine,
                                      const matching_event_sink *sink, uint32_t trader)
{
    const matching_watch *watch = sink->watch;
    return watch != NULL && atomic_load_explicit(&watch->following, memory_order_relaxed) != 0 &&
           atomic_load_explicit(&watch->followers[engine->traders[trader].watch],
                                memory_order_relaxed) != 0;
}

/* ... or does the command itself? The reply to a mass cancel lists the orders. */
static inline bool is_watched(const apply_context *context, uint32_t trader)
{
    return context->command->type == MATCHING_CANCEL_ALL ||
           trader_is_watched(context->engine, context->sink, trader);
}

/* Does the command enter this order? Then its reply tells what becomes of it. */
static inline bool is_entered_by(const apply_context *context, const order_record *order)
{
    return context->command->type == MATCHING_PLACE &&
           context->reply->order.order_id == order->order_id;
}

/* An order has changed; trade_id 0: something other than a fill did it. status: what it is told to
 * be, for one that is about to be so. */
static inline void emit_order_as(apply_context *context, const order_record *order, uint32_t slot,
                                 unsigned status, uint64_t trade_id, int64_t price_ticks,
                                 int64_t lots)
{
    if (unlikely(is_watched(context, order->trader))) {
        events_write_order(context, slot, status, trade_id, price_ticks, lots);
    } else if (trade_id == 0 && trader_is_followed(context->engine, context->sink, order->trader) &&
               !is_entered_by(context, order)) {
        write_change(context->sink, context->command, order, false);
    }
}

static inline void emit_order(apply_context *context, const order_record *order, uint32_t slot,
                              uint64_t trade_id, int64_t price_ticks, int64_t lots)
{
    emit_order_as(context, order, slot, order->status, trade_id, price_ticks, lots);
}

#endif
