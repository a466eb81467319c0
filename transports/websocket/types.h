/* What a client can send and follow: message types and channels, by name. */
#ifndef MATCHING_WEBSOCKET_TYPES_H
#define MATCHING_WEBSOCKET_TYPES_H

#include <stdbool.h>
#include <stddef.h>

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
    WS_ORDERS = 4, /* of a trader; those before are the market's */
    WS_CHANNEL_COUNT = 5
} ws_channel;

#define WS_CHANNEL_BIT(channel) (1u << (channel))

const char *ws_channel_name(ws_channel channel);

/* False: no channel of this version has that name. */
bool ws_channel_find(const char *name, size_t length, ws_channel *channel);

/* The contract has a channel of that name, this version does not. */
bool ws_channel_comes_later(const char *name, size_t length);

#endif
