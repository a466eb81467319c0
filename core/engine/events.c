/* The parts of events.h that are seldom run. */
#include "engine/events.h"
#include "engine/orders.h"

void events_make_room(matching_event_sink *sink, uint64_t slots)
{
    while (sink->limit - sink->head < slots) {
        uint64_t before = sink->limit;
        sink->make_room(sink);
        engine_assert(sink->limit > before);
    }
}

void events_write_order(apply_context *context, uint32_t slot, unsigned status, uint64_t trade_id,
                        int64_t price_ticks, int64_t lots)
{
    const matching_engine *engine = context->engine;
    matching_event_sink *sink = context->sink;
    const order_record *record = &engine->orders[slot];
    matching_event *event = event_reserve(sink, 1 + MATCHING_ORDER_SLOTS);
    event_header(event, context->command, record->instrument, MATCHING_EVENT_ORDER, record->side);
    event->order.order_id = record->order_id;
    event->order.trade_id = trade_id;
    event->order.last_price_ticks = price_ticks;
    event->order.last_quantity_lots = lots;
    event->order.trader = record->trader;
    event->order.reserved = 0;
    sink->head++;

    union {
        matching_order order;
        matching_event slots[MATCHING_ORDER_SLOTS];
    } copy;
    memset(&copy, 0, sizeof copy);
    order_copy(engine, slot, &copy.order);
    copy.order.status = (uint8_t)status;
    for (size_t i = 0; i < MATCHING_ORDER_SLOTS; i++) {
        memcpy(&sink->slots[sink->head++ & sink->mask], &copy.slots[i], sizeof(matching_event));
    }
}

void emit_state(apply_context *context, uint16_t instrument, unsigned state)
{
    matching_event *event = event_reserve(context->sink, 1);
    memset(event, 0, sizeof *event);
    event_header(event, context->command, instrument, MATCHING_EVENT_STATE, MATCHING_SIDE_NONE);
    event->state.state = (uint8_t)state;
    context->sink->head++;
}

/* All that the command says of the new instrument. */
void emit_instrument(apply_context *context)
{
    const matching_command *command = context->command;
    matching_event *event = event_reserve(context->sink, 1);
    memset(event, 0, sizeof *event);
    event_header(event, command, command->instrument, MATCHING_EVENT_INSTRUMENT,
                 MATCHING_SIDE_NONE);
    memcpy(event->added.symbol, command->symbol, sizeof event->added.symbol);
    event->added.tick_size = command->price_ticks;
    event->added.lot_size = command->quantity_lots;
    event->added.id = command->instrument_id;
    event->added.sbe_char = command->sbe_char;
    event->added.state = command->state;
    context->sink->head++;
}
