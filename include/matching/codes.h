/* Outcome codes: one table gives each its enum, its name on every wire and its text.
 *
 * The order of the table is the contract: it is the precedence in which refusals win when several
 * fields are wrong at once, and the position (from 1) is the number on the SBE wire.
 */
#ifndef MATCHING_CODES_H
#define MATCHING_CODES_H

#define MATCHING_CODE_TABLE(X)                                                                     \
    X(INVALID_JSON, "the message is not valid JSON (RFC 8259)")                                    \
    X(INVALID_MESSAGE, "the message must be an object whose fields have the documented types")     \
    X(UNKNOWN_TYPE, "unknown message type")                                                        \
    X(MISSING_FIELD, "a required field is missing")                                                \
    X(INVALID_SIDE, "invalid side, must be 'buy' or 'sell'")                                       \
    X(INVALID_PRICE, "the price must be positive, in range and a multiple of the tick size")       \
    X(INVALID_QUANTITY, "the quantity must be positive, in range and a multiple of the lot size")  \
    X(INVALID_TRADER, "trader_id must be 1 to 32 printable ASCII characters without spaces")       \
    X(INVALID_ORDER_TYPE, "the order type must be limit, market, stop or stop_limit")              \
    X(INVALID_TIME_IN_FORCE, "time_in_force must be GTC, IOC, FOK or GTD")                         \
    X(INVALID_CHANNEL, "unknown channel")                                                          \
    X(INVALID_INTERVAL, "unknown interval, use one of s1 s30 m1 m5 m15 h1 h4 d1")                  \
    X(INVALID_PARAMETER, "a parameter has a value that is not allowed")                            \
    X(UNKNOWN_SYMBOL, "no such instrument")                                                        \
    X(ORDER_NOT_FOUND, "no such working order")                                                    \
    X(DUPLICATE_CLIENT_ORDER_ID, "a working order of this trader already has this id")             \
    X(POST_ONLY_WOULD_CROSS, "the post-only order would trade at once")                            \
    X(MARKET_HALTED, "the instrument does not take this command in its present state")             \
    X(RISK_LIMIT, "refused by a risk limit")                                                       \
    X(BOOK_FULL, "the configured memory for orders, levels or traders is used up")                 \
    X(TOO_MANY_SUBSCRIPTIONS, "too many subscriptions on this connection")                         \
    X(TOO_MANY_CONNECTIONS, "too many connections")                                                \
    X(MESSAGE_TOO_LARGE, "the message is larger than the configured limit")                        \
    X(UNSUPPORTED_FRAME, "this kind of frame is not supported")                                    \
    X(RATE_LIMITED, "too many requests, slow down")                                                \
    X(UNAUTHORIZED, "not allowed")                                                                 \
    X(OVERLOADED, "the service is overloaded, nothing was changed, try again shortly")             \
    X(SHUTTING_DOWN, "the service is shutting down")                                               \
    X(INTERNAL_ERROR, "internal error")

typedef enum matching_code {
    MATCHING_OK = 0,
#define MATCHING_CODE_ENUM(name, text) MATCHING_##name,
    MATCHING_CODE_TABLE(MATCHING_CODE_ENUM)
#undef MATCHING_CODE_ENUM
        MATCHING_CODE_COUNT /* one past the last code */
} matching_code;

/* The code's name as every wire shows it, for instance "INVALID_PRICE"; "OK" for MATCHING_OK.
 * Any thread. Static string. */
const char *matching_code_name(matching_code code);

/* The code's text, the default message of an error. Any thread. Static string. */
const char *matching_code_text(matching_code code);

#endif
