/* See layout.h. Pure functions over bytes. What is read is judged, since a disk may change it. */
#include "store/layout.h"

#include <string.h>

/* ---- Keys ----------------------------------------------------------------------------------- */

static char *put_number(char *at, uint64_t number, size_t bytes)
{
    for (size_t i = bytes; i-- > 0; number >>= 8) {
        at[i] = (char)(number & 0xFF);
    }
    return at + bytes;
}

static char *put_text(char *at, const char *text)
{
    size_t size = strlen(text) + 1;
    memcpy(at, text, size);
    return at + size;
}

uint64_t store_key_number(const char *at, size_t bytes)
{
    uint64_t number = 0;
    for (size_t i = 0; i < bytes; i++) {
        number = number << 8 | (uint8_t)at[i];
    }
    return number;
}

/* What every key begins with. */
static char *put_kind(char *out, store_kind kind)
{
    out[0] = (char)kind;
    return out + 1;
}

size_t store_meta_key(char *out, store_kind kind, unsigned number)
{
    return (size_t)(put_number(put_kind(out, kind), number, 2) - out);
}

size_t store_log_key(char *out, store_kind kind, unsigned log, uint64_t number)
{
    return (size_t)(put_number(put_number(put_kind(out, kind), log, 2), number, 8) - out);
}

size_t store_id_key(char *out, uint64_t order_id, uint64_t trade_id)
{
    char *at = put_number(put_kind(out, STORE_BY_ID), order_id, 8);
    return (size_t)(put_number(at, trade_id, 8) - out);
}

size_t store_trader_key(char *out, const char *trader_id, uint64_t order_id)
{
    char *at = put_text(put_kind(out, STORE_BY_TRADER), trader_id);
    return (size_t)(put_number(at, order_id, 8) - out);
}

size_t store_client_key(char *out, const char *trader_id, const char *client_order_id,
                        unsigned instrument, uint64_t order_id)
{
    char *at = put_text(put_text(put_kind(out, STORE_BY_CLIENT), trader_id), client_order_id);
    return (size_t)(put_number(put_number(at, instrument, 2), order_id, 8) - out);
}

size_t store_candle_key(char *out, unsigned instrument, unsigned interval, uint64_t start_s)
{
    char *at = put_number(put_kind(out, STORE_CANDLES), instrument, 2);
    return (size_t)(put_number(put_number(at, interval, 1), start_s, 8) - out);
}

/* ---- Instruments ---------------------------------------------------------------------------- */

size_t store_put_instrument(char *out, const matching_instrument *instrument)
{
    store_instrument value = {.version = STORE_VALUE_VERSION,
                              .shard = instrument->shard,
                              .sbe_char = instrument->sbe_char,
                              .id = instrument->id,
                              .tick_size = instrument->tick_size,
                              .lot_size = instrument->lot_size};
    memcpy(value.symbol, instrument->symbol, strnlen(instrument->symbol, MATCHING_SYMBOL_MAX));
    memcpy(out, &value, sizeof value);
    return sizeof value;
}

bool store_get_instrument(const char *value, size_t length, uint16_t index,
                          matching_instrument *instrument)
{
    store_instrument read;
    if (length != sizeof read) {
        return false;
    }
    memcpy(&read, value, sizeof read);
    if (read.version != STORE_VALUE_VERSION || read.tick_size <= 0 || read.lot_size <= 0) {
        return false;
    }
    *instrument = (matching_instrument){.id = read.id,
                                        .index = index,
                                        .shard = read.shard,
                                        .sbe_char = read.sbe_char,
                                        .tick_size = read.tick_size,
                                        .lot_size = read.lot_size};
    memcpy(instrument->symbol, read.symbol, MATCHING_SYMBOL_MAX);
    return true;
}

/* ---- Candles -------------------------------------------------------------------------------- */

static store_candle candle_value(const matching_candle *candle)
{
    return (store_candle){.version = STORE_VALUE_VERSION,
                          .open_ticks = candle->open_ticks,
                          .high_ticks = candle->high_ticks,
                          .low_ticks = candle->low_ticks,
                          .close_ticks = candle->close_ticks,
                          .volume_low = (uint64_t)candle->volume_lots,
                          .volume_high = (uint64_t)(candle->volume_lots >> 64),
                          .update_count = candle->update_count};
}

static bool candle_of(const store_candle *value, unsigned interval, uint64_t start_s,
                      matching_candle *candle)
{
    *candle = (matching_candle){.volume_lots =
                                    (matching_wide)value->volume_high << 64 | value->volume_low,
                                .start_s = start_s,
                                .open_ticks = value->open_ticks,
                                .high_ticks = value->high_ticks,
                                .low_ticks = value->low_ticks,
                                .close_ticks = value->close_ticks,
                                .update_count = value->update_count,
                                .interval = (uint8_t)interval};
    return value->version == STORE_VALUE_VERSION && interval < MATCHING_INTERVALS &&
           value->update_count > 0;
}

size_t store_put_candle(char *out, const matching_candle *candle)
{
    store_candle value = candle_value(candle);
    memcpy(out, &value, sizeof value);
    return sizeof value;
}

bool store_get_candle(const char *value, size_t length, const char *key, matching_candle *candle)
{
    store_candle read;
    if (length != sizeof read) {
        return false;
    }
    memcpy(&read, value, sizeof read);
    bool good = candle_of(&read, (unsigned)store_key_number(key + 3, 1),
                          store_key_number(key + 4, 8), candle);
    candle->is_final = 1;
    return good;
}

size_t store_put_state(char *out, const matching_candles *candles, uint32_t exact_from_s,
                       uint64_t oldest, uint64_t last)
{
    store_state state = {.version = STORE_VALUE_VERSION,
                         .exact_from_s = exact_from_s,
                         .time_ns = candles->time_ns,
                         .oldest = oldest,
                         .last = last};
    char *at = out + sizeof state;
    for (unsigned i = 0; i < MATCHING_INTERVALS; i++) {
        const matching_candle *candle = matching_candles_running(candles, i);
        if (candle != NULL) {
            store_running running = {
                .interval = (uint8_t)i, .start_s = candle->start_s, .candle = candle_value(candle)};
            memcpy(at, &running, sizeof running);
            at += sizeof running;
            state.running++;
        }
    }
    memcpy(out, &state, sizeof state);
    return (size_t)(at - out);
}

bool store_get_state(const char *value, size_t length, matching_candles *candles,
                     uint32_t *exact_from_s, uint64_t *oldest, uint64_t *last)
{
    store_state state;
    matching_candle running[MATCHING_INTERVALS];
    if (length < sizeof state) {
        return false;
    }
    memcpy(&state, value, sizeof state);
    if (state.version != STORE_VALUE_VERSION || state.running > MATCHING_INTERVALS ||
        length != sizeof state + state.running * sizeof(store_running) ||
        state.oldest > state.last + 1) {
        return false;
    }
    for (unsigned i = 0; i < state.running; i++) {
        store_running read;
        memcpy(&read, value + sizeof state + i * sizeof read, sizeof read);
        if (!candle_of(&read.candle, read.interval, read.start_s, &running[i])) {
            return false;
        }
    }
    *exact_from_s = state.exact_from_s;
    *oldest = state.oldest;
    *last = state.last;
    return matching_candles_resume(candles, state.time_ns, running, state.running);
}

/* ---- Trades and orders ---------------------------------------------------------------------- */

size_t store_put_trade(char *out, const matching_trade *trade)
{
    store_trade value = {.time_ns = trade->time_ns,
                         .price_ticks = trade->price_ticks,
                         .quantity_lots = trade->quantity_lots,
                         .buy_order_id = trade->buy_order_id,
                         .sell_order_id = trade->sell_order_id,
                         .taker_side = trade->taker_side,
                         .buyer_length = (uint8_t)strnlen(trade->buyer, MATCHING_TRADER_MAX),
                         .seller_length = (uint8_t)strnlen(trade->seller, MATCHING_TRADER_MAX)};
    memcpy(out, &value, sizeof value);
    memcpy(out + sizeof value, trade->buyer, value.buyer_length);
    memcpy(out + sizeof value + value.buyer_length, trade->seller, value.seller_length);
    return sizeof value + value.buyer_length + value.seller_length;
}

bool store_get_trade(const char **at, const char *end, matching_trade *trade)
{
    store_trade read;
    if ((size_t)(end - *at) < sizeof read) {
        return false;
    }
    memcpy(&read, *at, sizeof read);
    if (read.buyer_length > MATCHING_TRADER_MAX || read.seller_length > MATCHING_TRADER_MAX ||
        (size_t)(end - *at) < sizeof read + read.buyer_length + read.seller_length) {
        return false;
    }
    *trade = (matching_trade){.price_ticks = read.price_ticks,
                              .quantity_lots = read.quantity_lots,
                              .time_ns = read.time_ns,
                              .buy_order_id = read.buy_order_id,
                              .sell_order_id = read.sell_order_id,
                              .taker_side = read.taker_side};
    *at += sizeof read;
    memcpy(trade->buyer, *at, read.buyer_length);
    *at += read.buyer_length;
    memcpy(trade->seller, *at, read.seller_length);
    *at += read.seller_length;
    return true;
}

size_t store_put_order(char *out, const matching_order *order)
{
    store_order value = {.order_id = order->order_id,
                         .price_ticks = order->price_ticks,
                         .quantity_lots = order->quantity_lots,
                         .filled_lots = order->filled_lots,
                         .stop_price_ticks = order->stop_price_ticks,
                         .display_lots = order->display_lots,
                         .notional_low = (uint64_t)order->notional,
                         .notional_high = (uint64_t)(order->notional >> 64),
                         .created_ns = order->created_ns,
                         .updated_ns = order->updated_ns,
                         .expire_time_ms = order->expire_time_ms,
                         .instrument = order->instrument,
                         .status = order->status,
                         .reason = order->reason,
                         .side = order->side,
                         .type = order->type,
                         .time_in_force = order->time_in_force,
                         .self_trade = order->self_trade,
                         .post_only = order->post_only,
                         .trader_length = (uint8_t)strnlen(order->trader_id, MATCHING_TRADER_MAX),
                         .client_length =
                             (uint8_t)strnlen(order->client_order_id, MATCHING_CLIENT_ID_MAX)};
    memcpy(out, &value, sizeof value);
    memcpy(out + sizeof value, order->trader_id, value.trader_length);
    memcpy(out + sizeof value + value.trader_length, order->client_order_id, value.client_length);
    return sizeof value + value.trader_length + value.client_length;
}

bool store_get_order(const char **at, const char *end, matching_order *order)
{
    store_order read;
    if ((size_t)(end - *at) < sizeof read) {
        return false;
    }
    memcpy(&read, *at, sizeof read);
    if (read.trader_length > MATCHING_TRADER_MAX || read.client_length > MATCHING_CLIENT_ID_MAX ||
        (size_t)(end - *at) < sizeof read + read.trader_length + read.client_length) {
        return false;
    }
    *order =
        (matching_order){.order_id = read.order_id,
                         .price_ticks = read.price_ticks,
                         .quantity_lots = read.quantity_lots,
                         .filled_lots = read.filled_lots,
                         .instrument = read.instrument,
                         .status = read.status,
                         .reason = read.reason,
                         .side = read.side,
                         .type = read.type,
                         .time_in_force = read.time_in_force,
                         .self_trade = read.self_trade,
                         .post_only = read.post_only,
                         .stop_price_ticks = read.stop_price_ticks,
                         .display_lots = read.display_lots,
                         .notional = (matching_wide)read.notional_high << 64 | read.notional_low,
                         .created_ns = read.created_ns,
                         .updated_ns = read.updated_ns,
                         .expire_time_ms = read.expire_time_ms};
    *at += sizeof read;
    memcpy(order->trader_id, *at, read.trader_length);
    *at += read.trader_length;
    memcpy(order->client_order_id, *at, read.client_length);
    *at += read.client_length;
    return true;
}
