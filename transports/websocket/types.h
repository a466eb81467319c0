/* What a client can send and follow: message types and channels, by name. */
#ifndef MATCHING_WEBSOCKET_TYPES_H
#define MATCHING_WEBSOCKET_TYPES_H

#include <stdbool.h>
#include <stddef.h>

#include "matching/candles.h"
#include "matching/gateway.h"

typedef enum ws_kind {
    WS_NOTHING = 0,
    WS_COMMAND, /* a matching_request for the gateway */
    WS_SUBSCRIBE,
    WS_UNSUBSCRIBE,
    WS_CANCEL_ON_DISCONNECT,
    WS_PING
} ws_kind;

typedef struct ws_type {
    matching_text name;
    ws_kind kind;
    matching_action action;   /* WS_COMMAND */
    matching_text order_type; /* of the order that it enters; length 0: enters none */
    bool order_type_stops;    /* stop: with a price it is stop_limit */
} ws_type;

/* NULL: no such message. Any thread. */
const ws_type *ws_type_find(const char *name, size_t length);

typedef enum ws_channel {
    WS_TRADES = 0,
    WS_BOOK = 1,
    WS_DEPTH = 2,
    WS_TICKER = 3,
    WS_KLINE = 4,                              /* and the next ones: kline:s1, kline:s30, ... */
    WS_ORDERS = WS_KLINE + MATCHING_INTERVALS, /* of a trader; those before are the market's */
    WS_CHANNEL_COUNT
} ws_channel;

#define WS_CHANNEL_BIT(channel) (1u << (channel))

const char *ws_channel_name(ws_channel channel);

/* MATCHING_OK, or INVALID_CHANNEL; INVALID_INTERVAL: kline:, and then what is no interval. */
matching_code ws_channel_find(const char *name, size_t length, ws_channel *channel);

static inline bool ws_channel_is_kline(unsigned channel)
{
    return channel >= WS_KLINE && channel < WS_ORDERS;
}

#endif
