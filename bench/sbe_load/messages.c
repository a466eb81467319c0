/* See sbe_load.h. */
#include <inttypes.h>
#include <stdio.h>

#include "load/report.h"
#include "sbe_load.h"

#define ONE INT64_C(100000000)
#define CENT (ONE / 100)

enum { BUY, SELL };

static size_t write_order(uint8_t *out, unsigned side, unsigned trader, int64_t price,
                          int64_t quantity)
{
    sbe_new_order order = {.instrument_id = 1,
                           .side = (uint8_t)side,
                           .price = price,
                           .quantity = quantity,
                           .display_quantity = SBE_NULL_I64,
                           .stop_price = SBE_NULL_I64};
    memcpy(order.trader_id, side == BUY ? "buyer-00" : "maker-00", 8);
    order.trader_id[6] = (char)('0' + trader / 10 % 10);
    order.trader_id[7] = (char)('0' + trader % 10);
    return sbe_new_order_write(out, SBE_NEW_ORDER_BYTES, &order);
}

size_t write_resting(uint8_t *out, unsigned trader, uint64_t n)
{
    return write_order(out, BUY, trader, 40000 * ONE + (int64_t)(n * 7919 % 10000) * CENT,
                       (int64_t)(1 + n % 3000) * (ONE / 1000));
}

size_t write_crossing(uint8_t *out, unsigned trader, uint64_t n)
{
    return write_order(out, n % 2 == 0 ? BUY : SELL, trader, 50000 * ONE, ONE);
}

size_t write_cancel(uint8_t *out, uint64_t order_id)
{
    const sbe_cancel_order cancel = {.order_id = order_id, .instrument_id = 1};
    return sbe_cancel_order_write(out, SBE_CANCEL_ORDER_BYTES, &cancel);
}

size_t write_trade(uint8_t *out, uint64_t trade_id)
{
    const sbe_trade trade = {
        .trade_id = trade_id, .symbol = 'B', .price = 50000.5, .quantity = 1 + trade_id % 7};
    return sbe_trade_write(out, SBE_TRADE_BYTES, &trade);
}

size_t write_heartbeat(uint8_t *out, uint64_t number)
{
    const sbe_heartbeat beat = {.timestamp = number};
    return sbe_heartbeat_write(out, SBE_HEARTBEAT_BYTES, &beat);
}

bool next_answer(sbe_frame *frame, sbe_message *message)
{
    sbe_error error;
    while (sbe_frame_next(frame, message, &error)) {
        switch (message->template_id) {
        case SBE_INSTRUMENT:
            break;
        case SBE_EXECUTION_REPORT:
            if (sbe_execution_report_exec_type(message->block) == SBE_EXEC_TRADE) {
                break;
            }
            return true;
        case SBE_HEARTBEAT:
            return true;
        case SBE_REJECT:
            fail("refused with code %u: %.16s", sbe_reject_code(message->block),
                 sbe_reject_text(message->block));
        default:
            fail("not the reply that was expected: template %u", message->template_id);
        }
    }
    if (error.fault != SBE_FAULT_NONE) {
        char text[SBE_ERROR_TEXT];
        sbe_error_print(text, &error);
        fail("a frame that makes no sense: %s", text);
    }
    return false;
}
