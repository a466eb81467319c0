/* The words for codes, fields and the enums of an order. Tables only; nothing is decided here. */
#include <string.h>

#include "matching/candles.h"
#include "matching/codes.h"
#include "matching/gateway.h"
#include "matching/history.h"
#include "matching/order.h"

const char *matching_code_name(matching_code code)
{
    static const char *const names[MATCHING_CODE_COUNT] = {"OK",
#define CODE_NAME(name, text) #name,
                                                           MATCHING_CODE_TABLE(CODE_NAME)
#undef CODE_NAME
    };
    return (unsigned)code < MATCHING_CODE_COUNT ? names[code] : "INTERNAL_ERROR";
}

const char *matching_code_text(matching_code code)
{
    static const char *const texts[MATCHING_CODE_COUNT] = {"ok",
#define CODE_TEXT(name, text) text,
                                                           MATCHING_CODE_TABLE(CODE_TEXT)
#undef CODE_TEXT
    };
    return (unsigned)code < MATCHING_CODE_COUNT ? texts[code] : "internal error";
}

static const char *const field_names[MATCHING_FIELD_COUNT] = {"",
#define FIELD_NAME(upper, lower) #lower,
                                                              MATCHING_FIELD_TABLE(FIELD_NAME)
#undef FIELD_NAME
};

const char *matching_field_name(matching_field field)
{
    return (unsigned)field < MATCHING_FIELD_COUNT ? field_names[field] : "";
}

matching_field matching_field_find(const char *name, size_t length)
{
    for (unsigned i = 1; i < MATCHING_FIELD_COUNT; i++) {
        if (strlen(field_names[i]) == length && memcmp(field_names[i], name, length) == 0) {
            return (matching_field)i;
        }
    }
    return MATCHING_FIELD_NONE;
}

static const char *pick(const char *const *names, size_t count, unsigned at)
{
    return at < count ? names[at] : "";
}
#define PICK(names, at) pick((names), sizeof(names) / sizeof((names)[0]), (at))

const char *matching_side_name(unsigned side)
{
    static const char *const names[] = {"buy", "sell"};
    return PICK(names, side);
}

const char *matching_order_type_name(unsigned type)
{
    static const char *const names[] = {"limit", "market", "stop", "stop_limit"};
    return PICK(names, type);
}

const char *matching_time_in_force_name(unsigned time_in_force)
{
    static const char *const names[] = {"GTC", "IOC", "FOK", "GTD"};
    return PICK(names, time_in_force);
}

const char *matching_status_name(unsigned status)
{
    static const char *const names[] = {"open", "partial", "filled", "cancelled", "untriggered"};
    return PICK(names, status);
}

const char *matching_reason_name(unsigned reason)
{
    static const char *const names[] = {"",          "user",    "ioc",        "no_liquidity",
                                        "fok",       "expired", "self_trade", "mass_cancel",
                                        "disconnect"};
    return PICK(names, reason);
}

const char *matching_self_trade_name(unsigned self_trade)
{
    static const char *const names[] = {"none", "cancel_taker", "cancel_maker", "cancel_both"};
    return PICK(names, self_trade);
}

const char *matching_state_name(unsigned state)
{
    static const char *const names[] = {"trading", "halted", "auction"};
    return PICK(names, state);
}

static const char *const interval_names[MATCHING_INTERVALS] = {"s1",  "s30", "m1", "m5",
                                                               "m15", "h1",  "h4", "d1"};

const char *matching_interval_name(unsigned interval)
{
    return PICK(interval_names, interval);
}

bool matching_interval_find(const char *name, size_t length, matching_interval *interval)
{
    for (unsigned i = 0; i < MATCHING_INTERVALS; i++) {
        if (strlen(interval_names[i]) == length && memcmp(interval_names[i], name, length) == 0) {
            *interval = (matching_interval)i;
            return true;
        }
    }
    return false;
}

const char *matching_history_text(unsigned trouble)
{
    static const char *const texts[] = {
        [MATCHING_HISTORY_FINE] = "",
        [MATCHING_HISTORY_CATCHING_UP] = "history is catching up, ask again soon",
        [MATCHING_HISTORY_FAILED] = "history failed, see the health check",
    };
    return trouble < sizeof texts / sizeof texts[0] ? texts[trouble] : "";
}

const char *matching_history_state_name(unsigned state)
{
    static const char *const names[] = {
        [MATCHING_HISTORY_STATE_OFF] = "off",
        [MATCHING_HISTORY_STATE_CATCHING_UP] = "catching_up",
        [MATCHING_HISTORY_STATE_LIVE] = "live",
        [MATCHING_HISTORY_STATE_FAILED] = "failed",
    };
    return state < sizeof names / sizeof names[0] ? names[state] : "";
}
