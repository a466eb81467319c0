/* An order as the outside sees it: a copy, never a pointer into a book.
 *
 * Prices are ticks and quantities lots of the order's instrument (matching/core.h converts).
 * The numbers of the enums are those of the SBE wire where it has the field.
 */
#ifndef MATCHING_ORDER_H
#define MATCHING_ORDER_H

#include <stdint.h>

#include "matching/decimal.h"

#define MATCHING_TRADER_MAX 32                   /* characters of a trader_id */
#define MATCHING_CLIENT_ID_MAX 36                /* characters of a client_order_id */
#define MATCHING_SYMBOL_MAX 16                   /* characters of a symbol */
#define MATCHING_TICKS_MAX 999999999999999LL     /* 10^15 - 1, the largest price in ticks */
#define MATCHING_LOTS_MAX 999999999999999LL      /* 10^15 - 1, the largest quantity in lots */
#define MATCHING_ORDER_ID_MAX 9007199254740991LL /* 2^53 - 1, exact in every JSON reader */

typedef enum matching_side {
    MATCHING_BUY = 0,
    MATCHING_SELL = 1,
    MATCHING_SIDE_NONE = 255
} matching_side;

typedef enum matching_order_type {
    MATCHING_LIMIT = 0,
    MATCHING_MARKET = 1,
    MATCHING_STOP = 2,
    MATCHING_STOP_LIMIT = 3
} matching_order_type;

typedef enum matching_time_in_force {
    MATCHING_GTC = 0,
    MATCHING_IOC = 1,
    MATCHING_FOK = 2,
    MATCHING_GTD = 3
} matching_time_in_force;

typedef enum matching_status {
    MATCHING_OPEN = 0,
    MATCHING_PARTIAL = 1,
    MATCHING_FILLED = 2,
    MATCHING_CANCELLED = 3,
    MATCHING_UNTRIGGERED = 4
} matching_status;

/* Why an order ended without being filled. */
typedef enum matching_reason {
    MATCHING_REASON_NONE = 0,
    MATCHING_REASON_USER = 1,
    MATCHING_REASON_IOC = 2,
    MATCHING_REASON_NO_LIQUIDITY = 3,
    MATCHING_REASON_FOK = 4,
    MATCHING_REASON_EXPIRED = 5,
    MATCHING_REASON_SELF_TRADE = 6,
    MATCHING_REASON_MASS_CANCEL = 7,
    MATCHING_REASON_DISCONNECT = 8
} matching_reason;

typedef enum matching_self_trade {
    MATCHING_STP_NONE = 0,
    MATCHING_STP_CANCEL_TAKER = 1,
    MATCHING_STP_CANCEL_MAKER = 2,
    MATCHING_STP_CANCEL_BOTH = 3
} matching_self_trade;

typedef struct matching_order {
    uint64_t order_id;
    int64_t price_ticks;   /* 0: none (market, stop) */
    int64_t quantity_lots; /* total, including what has filled */
    int64_t filled_lots;
    uint16_t instrument; /* index, see matching/core.h */
    uint8_t status;
    uint8_t reason;
    uint8_t side;
    uint8_t type;
    char client_order_id[MATCHING_CLIENT_ID_MAX + 1]; /* NUL-terminated, empty: none */
    char trader_id[MATCHING_TRADER_MAX + 1];          /* NUL-terminated */
    uint8_t time_in_force;
    uint8_t self_trade;
    uint8_t post_only;
    int64_t stop_price_ticks; /* 0: none */
    int64_t display_lots;     /* 0: not an iceberg */
    matching_wide_member
        notional;        /* sum of ticks x lots over the fills: average price = notional/filled */
    uint64_t created_ns; /* Unix time in nanoseconds of the command that entered it */
    uint64_t updated_ns; /* ... of the command that changed it last */
    uint64_t expire_time_ms; /* Unix milliseconds, 0: none */
} matching_order;

/* Names as JSON has them: "buy", "limit", "GTC", "open", "user"... Static strings, any thread.
 * A number outside the enum gives "". */
const char *matching_side_name(unsigned side);
const char *matching_order_type_name(unsigned type);
const char *matching_time_in_force_name(unsigned time_in_force);
const char *matching_status_name(unsigned status);
const char *matching_reason_name(unsigned reason);
const char *matching_self_trade_name(unsigned self_trade);
const char *matching_state_name(unsigned state); /* matching_state of command.h */

/* Working means open, partial or untriggered. */
static inline int matching_order_is_working(const matching_order *order)
{
    return order->status == MATCHING_OPEN || order->status == MATCHING_PARTIAL ||
           order->status == MATCHING_UNTRIGGERED;
}

#endif
