/* The gateway: what a client asked for, checked field by field and made into a command.
 *
 * A codec fills a matching_request with what the bytes said, right or wrong; it judges nothing but
 * types. All judgement is here, once for every transport: which fields an action needs, their
 * ranges, the instrument's tick and lot, and which refusal wins when several apply (the order of
 * the codes in codes.h; among fields the order of the contract's tables).
 */
#ifndef MATCHING_GATEWAY_H
#define MATCHING_GATEWAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "matching/codes.h"
#include "matching/command.h"
#include "matching/core.h"

/* The fields of requests, by the names that every wire uses and `field` in an error shows. */
#define MATCHING_FIELD_TABLE(X)                                                                    \
    X(ORDER_ID, order_id)                                                                          \
    X(TRADER_ID, trader_id)                                                                        \
    X(SIDE, side)                                                                                  \
    X(PRICE, price)                                                                                \
    X(STOP_PRICE, stop_price)                                                                      \
    X(QUANTITY, quantity)                                                                          \
    X(SYMBOL, symbol)                                                                              \
    X(TYPE, type)                                                                                  \
    X(TIME_IN_FORCE, time_in_force)                                                                \
    X(EXPIRE_TIME, expire_time)                                                                    \
    X(POST_ONLY, post_only)                                                                        \
    X(DISPLAY_QUANTITY, display_quantity)                                                          \
    X(CLIENT_ORDER_ID, client_order_id)                                                            \
    X(SELF_TRADE_PREVENTION, self_trade_prevention)                                                \
    X(STATE, state)                                                                                \
    X(STATUS, status)                                                                              \
    X(AFTER, after)                                                                                \
    X(LEVELS, levels)                                                                              \
    X(LIMIT, limit)                                                                                \
    X(FROM_ID, from_id)                                                                            \
    X(BEFORE_ID, before_id)                                                                        \
    X(TICK_SIZE, tick_size)                                                                        \
    X(LOT_SIZE, lot_size)                                                                          \
    X(ID, id)                                                                                      \
    X(SBE_CHAR, sbe_char)                                                                          \
    X(INTERVAL, interval)                                                                          \
    X(FROM, from)                                                                                  \
    X(TO, to)

typedef enum matching_field {
    MATCHING_FIELD_NONE = 0,
#define MATCHING_FIELD_ENUM(upper, lower) MATCHING_FIELD_##upper,
    MATCHING_FIELD_TABLE(MATCHING_FIELD_ENUM)
#undef MATCHING_FIELD_ENUM
        MATCHING_FIELD_COUNT
} matching_field;

#define MATCHING_FIELD_BIT(field) (1u << (field))

/* "price" for MATCHING_FIELD_PRICE; "" for none. Static string. */
const char *matching_field_name(matching_field field);

/* The field of that name; MATCHING_FIELD_NONE if there is none. */
matching_field matching_field_find(const char *name, size_t length);

/* Text of the received bytes, in place; not NUL-terminated. Must live until prepare returns. */
typedef struct matching_text {
    const char *data;
    size_t length;
} matching_text;

typedef enum matching_action {
    MATCHING_ACTION_NONE = 0,
    MATCHING_ACTION_PLACE, /* any order; the codec sets `type` where the message implies it */
    MATCHING_ACTION_CANCEL,
    MATCHING_ACTION_AMEND,
    MATCHING_ACTION_CANCEL_ALL,
    MATCHING_ACTION_SET_STATE, /* administration: the transport has checked who asks (access.h) */
    MATCHING_ACTION_ADD_INSTRUMENT, /* administration: symbol, tick_size, lot_size, [id, sbe_char,
                                       state]; COLLECT has no effect on it */
    MATCHING_ACTION_GET_ORDER,
    MATCHING_ACTION_LIST_ORDERS, /* [trader_id, symbol, status, client_order_id, after, limit] */
    MATCHING_ACTION_LIST_OPEN_ORDERS, /* trader_id, [symbol, after, limit]: working ones */
    MATCHING_ACTION_GET_DEPTH,        /* [symbol, levels] */
    MATCHING_ACTION_GET_TRADES,       /* [symbol, limit, from_id, before_id] */
    MATCHING_ACTION_GET_TICKER,       /* [symbol] */
    MATCHING_ACTION_GET_KLINES        /* interval, [symbol, from, to, limit] */
} matching_action;

typedef struct matching_request {
    matching_action action;
    uint32_t present;    /* MATCHING_FIELD_BIT of each field that was there and not null */
    uint32_t wrong_type; /* ... whose JSON type is not the documented one (also set in present) */
    uint32_t malformed;  /* ... numbers of the right type that do not fit their variable below, or
                            decimal strings that are no number (also set in present) */
    uint32_t numbered;   /* ... of SIDE, TYPE, TIME_IN_FORCE and SELF_TRADE_PREVENTION: their value
                            is the number of the enum and not the text; of SYMBOL: it is
                            `instrument`, NULL if there is none (also set in present) */
    matching_text symbol, trader_id, client_order_id;
    matching_text side, type, time_in_force, self_trade_prevention, state, status, sbe_char;
    matching_text interval;
    int64_t price, stop_price, quantity, display_quantity, tick_size, lot_size; /* of 10^-8 */
    int64_t order_id, expire_time, after, levels, limit, from_id, before_id, id, from, to;
    bool post_only;
    uint8_t side_number, type_number, time_in_force_number, self_trade_number; /* right or wrong */
    const matching_instrument *instrument;
} matching_request;

/* An error as every transport reports it. */
typedef struct matching_error {
    matching_code code;
    matching_field field;
    uint64_t order_id; /* DUPLICATE_CLIENT_ORDER_ID: the other order's; else 0 */
    char message[200]; /* NUL-terminated; says what to do where that is not plain */
} matching_error;

/* Checks a request and makes its command (tag, received_ns and MATCHING_FLAG_COLLECT are left for
 * the caller to set). MATCHING_OK, or the code, with *error filled in and the command unusable.
 * Any thread; no allocation; changes nothing. */
matching_code matching_gateway_prepare(const matching_core *core, const matching_request *request,
                                       matching_command *command, matching_error *error);

/* The fields that an action takes, in the contract's order, MATCHING_FIELD_NONE after the last one;
 * *required: MATCHING_FIELD_BIT of those that it always needs. order_type: of
 * MATCHING_ACTION_PLACE, else ignored. For documents; the checks use the same table. Static
 * memory. Any thread. */
const uint8_t *matching_gateway_fields(matching_action action, unsigned order_type,
                                       uint32_t *required);

/* Fills an error from an engine's refusal, a port's answer or a transport's own finding. message
 * NULL: the code's text. Any thread. */
void matching_error_set(matching_error *error, matching_code code, matching_field field,
                        const char *message);

#endif
