/* Message type -> what is done with it. One table: a new message begins here. */
#include "types.h"

#include <string.h>

#define TEXT(literal)                                                                              \
    {                                                                                              \
        literal, sizeof literal - 1                                                                \
    }

static const ws_type TYPES[] = {
    {TEXT("limit_order"), WS_COMMAND, MATCHING_ACTION_PLACE, TEXT("limit"), false},
    {TEXT("market_order"), WS_COMMAND, MATCHING_ACTION_PLACE, TEXT("market"), false},
    {TEXT("stop_order"), WS_COMMAND, MATCHING_ACTION_PLACE, TEXT("stop"), true},
    {TEXT("cancel_order"), WS_COMMAND, MATCHING_ACTION_CANCEL, TEXT(""), false},
    {TEXT("amend_order"), WS_COMMAND, MATCHING_ACTION_AMEND, TEXT(""), false},
    {TEXT("get_order"), WS_COMMAND, MATCHING_ACTION_GET_ORDER, TEXT(""), false},
    {TEXT("cancel_all"), WS_COMMAND, MATCHING_ACTION_CANCEL_ALL, TEXT(""), false},
    {TEXT("subscribe"), WS_SUBSCRIBE, MATCHING_ACTION_NONE, TEXT(""), false},
    {TEXT("unsubscribe"), WS_UNSUBSCRIBE, MATCHING_ACTION_NONE, TEXT(""), false},
    {TEXT("cancel_on_disconnect"), WS_CANCEL_ON_DISCONNECT, MATCHING_ACTION_NONE, TEXT(""), false},
    {TEXT("ping"), WS_PING, MATCHING_ACTION_NONE, TEXT(""), false},
};

static const char KLINE[] = "kline:";

static const char *const CHANNELS[WS_CHANNEL_COUNT] = {
    [WS_TRADES] = "trades",
    [WS_BOOK] = "book",
    [WS_DEPTH] = "depth",
    [WS_TICKER] = "ticker",
    [WS_KLINE + MATCHING_S1] = "kline:s1",
    [WS_KLINE + MATCHING_S30] = "kline:s30",
    [WS_KLINE + MATCHING_M1] = "kline:m1",
    [WS_KLINE + MATCHING_M5] = "kline:m5",
    [WS_KLINE + MATCHING_M15] = "kline:m15",
    [WS_KLINE + MATCHING_H1] = "kline:h1",
    [WS_KLINE + MATCHING_H4] = "kline:h4",
    [WS_KLINE + MATCHING_D1] = "kline:d1",
    [WS_ORDERS] = "orders",
};

static bool is_name(const char *name, const char *text, size_t length)
{
    return strlen(name) == length && memcmp(name, text, length) == 0;
}

const ws_type *ws_type_find(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof TYPES / sizeof TYPES[0]; i++) {
        const matching_text *known = &TYPES[i].name;
        if (known->length == length && memcmp(known->data, name, length) == 0) {
            return &TYPES[i];
        }
    }
    return NULL;
}

const char *ws_channel_name(ws_channel channel)
{
    return channel < WS_CHANNEL_COUNT ? CHANNELS[channel] : "";
}

matching_code ws_channel_find(const char *name, size_t length, ws_channel *channel)
{
    for (unsigned i = 0; i < WS_CHANNEL_COUNT; i++) {
        if (is_name(CHANNELS[i], name, length)) {
            *channel = (ws_channel)i;
            return MATCHING_OK;
        }
    }
    size_t prefix = sizeof KLINE - 1;
    return length >= prefix && memcmp(name, KLINE, prefix) == 0 ? MATCHING_INVALID_INTERVAL
                                                                : MATCHING_INVALID_CHANNEL;
}
