/* Orders, refusals, trades and books to messages. Arithmetic only. */
#include "sbe_report.h"

#include <string.h>

#include "matching/decimal.h"

uint64_t sbe_client_order_id(const char *text)
{
    uint64_t number = 0;
    if (*text < '1' || *text > '9') {
        return 0;
    }
    for (; *text >= '0' && *text <= '9'; text++) {
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(*text - '0'), &number)) {
            return 0;
        }
    }
    return *text == '\0' ? number : 0;
}

static int64_t price_or_null(const matching_instrument *instrument, int64_t ticks)
{
    return ticks != 0 ? matching_price_of(instrument, ticks) : SBE_NULL_I64;
}

void sbe_report_order(sbe_execution_report *report, const matching_instrument *instrument,
                      const matching_order *order, sbe_exec_type exec_type,
                      uint64_t client_order_id, uint64_t time_ns)
{
    *report = (sbe_execution_report){
        .client_order_id = client_order_id,
        .order_id = order->order_id,
        .instrument_id = instrument->id,
        .status = order->status,
        .reason = order->reason,
        .side = order->side,
        .exec_type = (uint8_t)exec_type,
        .price = price_or_null(instrument, order->price_ticks),
        .filled_quantity = matching_quantity_of(instrument, order->filled_lots),
        .remaining_quantity =
            matching_quantity_of(instrument, order->quantity_lots - order->filled_lots),
        .timestamp = time_ns,
        .last_price = SBE_NULL_I64};
}

static sbe_execution_report report_of(const matching_instrument *instrument,
                                      const sbe_reported_order *order)
{
    return (sbe_execution_report){
        .client_order_id = order->client_order_id,
        .order_id = order->order_id,
        .instrument_id = instrument->id,
        .side = order->side,
        .price = price_or_null(instrument, order->price_ticks),
        .filled_quantity = matching_quantity_of(instrument, order->filled_lots),
        .remaining_quantity =
            matching_quantity_of(instrument, order->quantity_lots - order->filled_lots),
        .last_price = SBE_NULL_I64};
}

void sbe_report_fill(sbe_execution_report *report, const matching_instrument *instrument,
                     const sbe_reported_order *order, const matching_event *event)
{
    *report = report_of(instrument, order);
    report->status =
        order->filled_lots == order->quantity_lots ? MATCHING_FILLED : MATCHING_PARTIAL;
    report->exec_type = SBE_EXEC_TRADE;
    report->timestamp = event->time_ns;
    report->trade_id = event->trade.trade_id;
    report->last_price = matching_price_of(instrument, event->trade.price_ticks);
    report->last_quantity = matching_quantity_of(instrument, event->trade.quantity_lots);
}

void sbe_report_change(sbe_execution_report *report, const matching_instrument *instrument,
                       const sbe_reported_order *order, matching_status status,
                       matching_reason reason, bool waited, uint64_t time_ns)
{
    *report = report_of(instrument, order);
    report->status = (uint8_t)status;
    report->reason = (uint8_t)reason;
    report->exec_type = status == MATCHING_CANCELLED               ? SBE_EXEC_CANCELLED
                        : waited && status != MATCHING_UNTRIGGERED ? SBE_EXEC_TRIGGERED
                                                                   : SBE_EXEC_AMENDED;
    report->timestamp = time_ns;
}

/* The first 16 characters of a text, zero-padded. */
static void set_text(char field[16], const char *text)
{
    memset(field, 0, 16);
    memcpy(field, text, strnlen(text, 16));
}

/* The field at fault where only this wire has it, by its name in the schema; NULL: none. */
static const char *own_field(uint16_t template_id, matching_code code)
{
    if (template_id == SBE_SUBSCRIBE) {
        return code == MATCHING_INVALID_CHANNEL || code == MATCHING_TOO_MANY_SUBSCRIPTIONS
                   ? "channels"
               : code == MATCHING_INVALID_PARAMETER ? "action"
                                                    : NULL;
    }
    bool has_flags = template_id == SBE_NEW_ORDER || template_id == SBE_LOGON;
    return has_flags && code == MATCHING_INVALID_PARAMETER ? "flags" : NULL;
}

void sbe_report_refusal(sbe_reject *reject, uint16_t template_id, uint64_t client_order_id,
                        const matching_error *error)
{
    char order_id[MATCHING_UNSIGNED_TEXT];
    *reject = (sbe_reject){.client_order_id = client_order_id,
                           .template_id = template_id,
                           .code = (uint16_t)error->code};
    if (error->order_id != 0) {
        matching_unsigned_print(order_id, error->order_id);
        set_text(reject->text, order_id);
    } else if (error->field != MATCHING_FIELD_NONE) {
        set_text(reject->text, matching_field_name(error->field));
    } else {
        const char *field = own_field(template_id, error->code);
        set_text(reject->text, field != NULL ? field : matching_code_name(error->code));
    }
}

void sbe_report_fault(sbe_reject *reject, const sbe_error *error)
{
    matching_error refusal = {.code = error->fault == SBE_FAULT_TEMPLATE
                                          ? MATCHING_UNKNOWN_TYPE
                                          : MATCHING_INVALID_MESSAGE};
    sbe_report_refusal(reject, error->template_id, error->client_order_id, &refusal);
}

void sbe_report_trade(sbe_trade *trade, const matching_instrument *instrument,
                      const matching_event *event)
{
    int64_t units =
        matching_quantity_of(instrument, event->trade.quantity_lots) / MATCHING_DECIMAL_ONE;
    *trade =
        (sbe_trade){.trade_id = event->trade.trade_id,
                    .symbol = instrument->sbe_char,
                    .price = (double)matching_price_of(instrument, event->trade.price_ticks) / 1e8,
                    .quantity = units < SBE_QUANTITY_MAX ? (uint32_t)units : SBE_QUANTITY_MAX};
}

void sbe_report_trade_exact(sbe_trade_exact *trade, const matching_instrument *instrument,
                            const matching_event *event)
{
    /* In an auction the buy order stands in the taker's place. */
    bool sold = event->side == MATCHING_SELL;
    *trade = (sbe_trade_exact){
        .trade_id = event->trade.trade_id,
        .instrument_id = instrument->id,
        .taker_side = event->side,
        .price = matching_price_of(instrument, event->trade.price_ticks),
        .quantity = matching_quantity_of(instrument, event->trade.quantity_lots),
        .buy_order_id = sold ? event->trade.maker_order_id : event->trade.taker_order_id,
        .sell_order_id = sold ? event->trade.taker_order_id : event->trade.maker_order_id,
        .timestamp = event->time_ns};
}

/* Visible lots of a level, a sum of many orders. */
static int64_t sum_of(const matching_instrument *instrument, matching_wide lots)
{
    return lots <= (matching_wide)(INT64_MAX / instrument->lot_size)
               ? (int64_t)lots * instrument->lot_size
               : INT64_MAX;
}

void sbe_report_book(sbe_book_update *update, const matching_instrument *instrument,
                     int64_t bid_ticks, matching_wide bid_lots, int64_t ask_ticks,
                     matching_wide ask_lots, uint64_t sequence)
{
    *update = (sbe_book_update){.instrument_id = instrument->id,
                                .best_bid = price_or_null(instrument, bid_ticks),
                                .bid_quantity = bid_ticks != 0 ? sum_of(instrument, bid_lots) : 0,
                                .best_ask = price_or_null(instrument, ask_ticks),
                                .ask_quantity = ask_ticks != 0 ? sum_of(instrument, ask_lots) : 0,
                                .sequence = sequence};
}

void sbe_report_instrument(sbe_instrument *message, const matching_instrument *instrument,
                           matching_state state)
{
    *message = (sbe_instrument){.id = instrument->id,
                                .sbe_char = instrument->sbe_char,
                                .state = (uint8_t)state,
                                .tick_size = instrument->tick_size,
                                .lot_size = instrument->lot_size};
    set_text(message->symbol, instrument->symbol);
}
