/* Do two say the same, field by field: what an exchange, a store and a replay are compared by. */
#ifndef MATCHING_TESTS_SUPPORT_SAME_H
#define MATCHING_TESTS_SUPPORT_SAME_H

#include <stdbool.h>
#include <string.h>

#include "matching/candles.h"
#include "matching/order.h"
#include "matching/port.h"

static inline bool same_trade(const matching_trade *a, const matching_trade *b)
{
    return a->trade_id == b->trade_id && a->price_ticks == b->price_ticks &&
           a->quantity_lots == b->quantity_lots && a->time_ns == b->time_ns &&
           a->buy_order_id == b->buy_order_id && a->sell_order_id == b->sell_order_id &&
           a->instrument == b->instrument && a->taker_side == b->taker_side &&
           strcmp(a->buyer, b->buyer) == 0 && strcmp(a->seller, b->seller) == 0;
}

static inline bool same_order(const matching_order *a, const matching_order *b)
{
    return a->order_id == b->order_id && a->price_ticks == b->price_ticks &&
           a->quantity_lots == b->quantity_lots && a->filled_lots == b->filled_lots &&
           a->instrument == b->instrument && a->status == b->status && a->reason == b->reason &&
           a->side == b->side && a->type == b->type && a->time_in_force == b->time_in_force &&
           a->self_trade == b->self_trade && a->post_only == b->post_only &&
           strcmp(a->client_order_id, b->client_order_id) == 0 &&
           strcmp(a->trader_id, b->trader_id) == 0 && a->stop_price_ticks == b->stop_price_ticks &&
           a->display_lots == b->display_lots && a->notional == b->notional &&
           a->created_ns == b->created_ns && a->updated_ns == b->updated_ns &&
           a->expire_time_ms == b->expire_time_ms;
}

/* But for whether it is final: that is a matter of when it was read. */
static inline bool same_candle(const matching_candle *a, const matching_candle *b)
{
    return a->start_s == b->start_s && a->open_ticks == b->open_ticks &&
           a->high_ticks == b->high_ticks && a->low_ticks == b->low_ticks &&
           a->close_ticks == b->close_ticks && a->volume_lots == b->volume_lots &&
           a->update_count == b->update_count;
}

#endif
