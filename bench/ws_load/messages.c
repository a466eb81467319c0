/* See messages.h. */
#include "messages.h"

#include <string.h>

#define STARTS(text, length, with)                                                                 \
    ((length) >= sizeof(with) - 1 && memcmp(text, with, sizeof(with) - 1) == 0)

#define TRADER_AT (sizeof "{'type':'limit_order','trader_id':'buyer-" - 1)
#define ORDER(trader, side)                                                                        \
    "{\"type\":\"limit_order\",\"trader_id\":\"" trader "-00\",\"side\":\"" side                   \
    "\",\"price\":00000.00,\"quantity\":0.000,\"symbol\":\"BTCUSDT\"}"

typedef struct template
{
    const char *text;
    size_t length, price_at;
}
template;

static const template BID = {ORDER("buyer", "buy"), sizeof ORDER("buyer", "buy") - 1,
                             TRADER_AT + sizeof "00','side':'buy','price':" - 1};
static const template ASK = {ORDER("maker", "sell"), sizeof ORDER("maker", "sell") - 1,
                             TRADER_AT + sizeof "00','side':'sell','price':" - 1};
#define QUANTITY_AFTER_PRICE (sizeof "00000.00,'quantity':" - 1)

static const char PING[] = "{\"type\":\"ping\"}";
static const char CANCEL[] = "{\"type\":\"cancel_order\",\"order_id\":";

static void put_digits(char *at, unsigned count, uint64_t value)
{
    while (count-- > 0) {
        at[count] = (char)('0' + value % 10);
        value /= 10;
    }
}

static size_t write_order(char *room, const template *order, unsigned trader, uint64_t cents,
                          uint64_t thousandths)
{
    char *price = room + order->price_at, *quantity = price + QUANTITY_AFTER_PRICE;
    memcpy(room, order->text, order->length);
    put_digits(room + TRADER_AT, 2, trader);
    put_digits(price, 5, cents / 100);
    put_digits(price + 6, 2, cents % 100);
    put_digits(quantity, 1, thousandths / 1000);
    put_digits(quantity + 2, 3, thousandths % 1000);
    return order->length;
}

static size_t write_cancel(char *room, uint64_t order_id)
{
    unsigned digits = 1;
    for (uint64_t rest = order_id; rest >= 10; rest /= 10) {
        digits++;
    }
    memcpy(room, CANCEL, sizeof CANCEL - 1);
    put_digits(room + sizeof CANCEL - 1, digits, order_id);
    room[sizeof CANCEL - 1 + digits] = '}';
    return sizeof CANCEL + digits;
}

size_t message_write(char room[MESSAGE_MAX], message_kind kind, unsigned trader, uint64_t n)
{
    switch (kind) {
    case MESSAGE_PING:
        memcpy(room, PING, sizeof PING - 1);
        return sizeof PING - 1;
    case MESSAGE_REST:
        return write_order(room, &BID, trader, 4000000 + n * 7919 % 10000, 1 + n % 3000);
    case MESSAGE_CANCEL:
        return write_cancel(room, n);
    case MESSAGE_CROSS_BID:
        return write_order(room, &BID, trader, 5000000 + n % 100, 1000);
    case MESSAGE_CROSS_ASK:
        return write_order(room, &ASK, trader, 5000000, 1000);
    case MESSAGE_TRADE_ASK:
        return write_order(room, &ASK, trader, 6000000, 1000);
    case MESSAGE_TRADE_BID:
        break;
    }
    return write_order(room, &BID, trader, 6000000, 1000);
}

bool message_is_ack(const char *text, size_t length, uint64_t *order_id)
{
    static const char BEGIN[] = "{\"type\":\"order_ack\",\"order_id\":";
    static const char STATUS[] = ",\"status\":\"";
    if (!STARTS(text, length, BEGIN)) {
        return false;
    }
    const char *at = text + sizeof BEGIN - 1, *end = text + length;
    uint64_t id = 0;
    for (; at < end && *at >= '0' && *at <= '9'; at++) {
        id = id * 10 + (uint64_t)(*at - '0');
    }
    if (order_id != NULL) {
        *order_id = id;
    }
    return STARTS(at, (size_t)(end - at), STATUS);
}

bool message_is_pong(const char *text, size_t length)
{
    return STARTS(text, length, "{\"type\":\"pong\"");
}

bool message_is_trade(const char *text, size_t length)
{
    return STARTS(text, length, "{\"type\":\"trade\"");
}
