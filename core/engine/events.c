/* Writes events into the sink, in the order in which things happen.
 *
 * An ORDER event is one header slot and MATCHING_ORDER_SLOTS slots with the order's copy, never split
 * by make_room. Not here: who reads them, and when they may leave (core/shard).
 */
#include "engine/engine_internal.h"

static matching_event *reserve(matching_event_sink *sink, uint64_t slots)
{
    while (sink->limit - sink->head < slots) {
        uint64_t before = sink->limit;
        sink->make_room(sink);
        engine_assert(sink->limit > before);
    }
    return &sink->slots[sink->head & sink->mask];
}

static matching_event header(const apply_context *context, uint16_t instrument,
                             matching_event_kind kind, unsigned side)
{
    return (matching_event){.sequence_low = (uint32_t)context->command->sequence,
                            .instrument = instrument,
                            .kind = (uint8_t)kind,
                            .side = (uint8_t)side,
                            .time_ns = context->command->time_ns};
}

void emit_trade(apply_context *context, uint32_t maker, uint32_t taker, int64_t lots)
{
    const matching_engine *engine = context->engine;
    const order_record *m = &engine->orders[maker], *t = &engine->orders[taker];
    matching_event *event = reserve(context->sink, 1);
    *event = header(context, m->instrument, MATCHING_EVENT_TRADE, t->side);
    event->trade.trade_id = engine->books[m->instrument].last_trade_id;
    event->trade.price_ticks = m->price_ticks;
    event->trade.quantity_lots = lots;
    event->trade.maker_order_id = m->order_id;
    event->trade.taker_order_id = t->order_id;
    event->trade.maker_trader = m->trader;
    event->trade.taker_trader = t->trader;
    context->sink->head++;
}

/* A trade of an auction: no side took. The buy order stands in the taker's place. */
void emit_cross(apply_context *context, uint32_t buy, uint32_t sell, int64_t price_ticks,
                int64_t lots)
{
    emit_trade(context, sell, buy, lots);
    matching_event_sink *sink = context->sink;
    matching_event *event = &sink->slots[(sink->head - 1) & sink->mask];
    event->side = MATCHING_SIDE_NONE;
    event->trade.price_ticks = price_ticks;
}

/* level 0: gone. */
void emit_level(apply_context *context, uint16_t instrument, unsigned side, int64_t price_ticks,
                uint32_t level)
{
    matching_engine *engine = context->engine;
    const level_record *record = &engine->levels[level];
    matching_event *event = reserve(context->sink, 1);
    *event = header(context, instrument, MATCHING_EVENT_LEVEL, side);
    event->level.price_ticks = price_ticks;
    event->level.total_lots = level == 0 ? 0 : record->total_lots;
    event->level.orders = level == 0 ? 0 : record->orders;
    event->level.depth_sequence = ++engine->books[instrument].depth_sequence;
    context->sink->head++;
}

/* trade_id 0: something other than a fill changed the order. */
void emit_order(apply_context *context, uint32_t slot, uint64_t trade_id, int64_t price_ticks,
                int64_t lots)
{
    const matching_engine *engine = context->engine;
    matching_event_sink *sink = context->sink;
    const order_record *record = &engine->orders[slot];
    matching_event *event = reserve(sink, 1 + MATCHING_ORDER_SLOTS);
    *event = header(context, record->instrument, MATCHING_EVENT_ORDER, record->side);
    event->order.order_id = record->order_id;
    event->order.trade_id = trade_id;
    event->order.last_price_ticks = price_ticks;
    event->order.last_quantity_lots = lots;
    event->order.trader = record->trader;
    sink->head++;

    union {
        matching_order order;
        matching_event slots[MATCHING_ORDER_SLOTS];
    } copy;
    memset(&copy, 0, sizeof copy);
    order_copy(engine, slot, &copy.order);
    for (size_t i = 0; i < MATCHING_ORDER_SLOTS; i++) {
        memcpy(&sink->slots[sink->head++ & sink->mask], &copy.slots[i], sizeof(matching_event));
    }
}

void emit_state(apply_context *context, uint16_t instrument, unsigned state)
{
    matching_event *event = reserve(context->sink, 1);
    *event = header(context, instrument, MATCHING_EVENT_STATE, MATCHING_SIDE_NONE);
    event->state.state = (uint8_t)state;
    context->sink->head++;
}

/* All that the command says of the new instrument. */
void emit_instrument(apply_context *context)
{
    const matching_command *command = context->command;
    matching_event *event = reserve(context->sink, 1);
    *event = header(context, command->instrument, MATCHING_EVENT_INSTRUMENT, MATCHING_SIDE_NONE);
    memcpy(event->added.symbol, command->symbol, sizeof event->added.symbol);
    event->added.tick_size = command->price_ticks;
    event->added.lot_size = command->quantity_lots;
    event->added.id = command->instrument_id;
    event->added.sbe_char = command->sbe_char;
    event->added.state = command->state;
    context->sink->head++;
}
