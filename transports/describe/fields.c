/* One row a field: what its value may be. The gateway judges; this tells what it judges by.
 *
 * Invariants: whatever a schema here refuses, the gateway refuses; what depends on the instrument
 * or on other fields, the gateway alone knows.
 */
#include <inttypes.h>
#include <stdio.h>

#include "describe.h"
#include "matching/candles.h"
#include "matching/order.h"

typedef enum rule_kind {
    RULE_NONE = 0,
    RULE_TEXT,    /* of min to max characters that match the pattern */
    RULE_DECIMAL, /* positive */
    RULE_INTEGER,
    RULE_BOOLEAN,
    RULE_WORDS
} rule_kind;

typedef struct rule {
    rule_kind kind;
    int64_t min, max;
    const char *pattern;
    const char *(*word)(unsigned number);
    unsigned words;
    const char *one_more; /* a word beside those; NULL: none */
    const char *meaning;
} rule;

#define KLINES_MAX 500 /* candles in a page; of everything else MATCHING_PAGE_MAX */
#define DECIMAL_MAX "92233720368"
#define DECIMAL_PATTERN "^[0-9]+([.][0-9]+)?([eE][+-]?[0-9]+)?$"
#define F(name) [MATCHING_FIELD_##name]

static const rule RULES[MATCHING_FIELD_COUNT] = {
    F(ORDER_ID) = {RULE_INTEGER, 1, MATCHING_ORDER_ID_MAX,
                   .meaning = "the service's name for an order"},
    F(TRADER_ID) = {RULE_TEXT, 1, MATCHING_TRADER_MAX, "^[!-~]+$", .meaning = "whose order it is"},
    F(SIDE) = {RULE_WORDS, .word = matching_side_name, .words = 2, .meaning = "buy or sell"},
    F(PRICE) = {RULE_DECIMAL, .meaning = "the worst price that is acceptable; a multiple of the "
                                         "instrument's tick_size"},
    F(STOP_PRICE) = {RULE_DECIMAL,
                     .meaning = "the price at which a stop wakes; a multiple of tick_size"},
    F(QUANTITY) = {RULE_DECIMAL, .meaning = "how much; a multiple of the instrument's lot_size"},
    F(SYMBOL) = {RULE_TEXT, 1, MATCHING_SYMBOL_MAX, "^[A-Z0-9._-]+$", .meaning = "the instrument"},
    F(TYPE) = {RULE_WORDS, .word = matching_order_type_name, .words = 4,
               .meaning = "the order's type"},
    F(TIME_IN_FORCE) = {RULE_WORDS, .word = matching_time_in_force_name, .words = 4,
                        .meaning = "how long the order works; GTC for a limit order, IOC for a "
                                   "market order unless it is FOK"},
    F(EXPIRE_TIME) = {RULE_INTEGER, 1, MATCHING_ORDER_ID_MAX,
                      .meaning =
                          "when a GTD order ends, in Unix milliseconds; goes with nothing else"},
    F(POST_ONLY) = {RULE_BOOLEAN,
                    .meaning = "refused if it would trade at once; limit orders, GTC or GTD"},
    F(DISPLAY_QUANTITY) = {RULE_DECIMAL,
                           .meaning = "how much of a limit order the market sees; at least a "
                                      "thousandth of the quantity"},
    F(CLIENT_ORDER_ID) = {RULE_TEXT, 1, MATCHING_CLIENT_ID_MAX, "^[ -~]+$",
                          .meaning = "the client's own name for an order, given once among the "
                                     "trader's working orders of an instrument"},
    F(SELF_TRADE_PREVENTION) = {RULE_WORDS, .word = matching_self_trade_name, .words = 4,
                                .meaning = "what happens when it meets an order of its own trader"},
    F(STATE) = {RULE_WORDS, .word = matching_state_name, .words = 3,
                .meaning = "the instrument's state"},
    F(STATUS) = {RULE_WORDS, .word = matching_status_name, .words = 5, .one_more = "working",
                 .meaning = "only orders of this status; working: open, partial or untriggered"},
    F(AFTER) = {RULE_INTEGER, 0, MATCHING_ORDER_ID_MAX,
                .meaning = "the page begins behind this one"},
    F(LEVELS) = {RULE_INTEGER, 1, MATCHING_DEPTH_LEVELS_MAX,
                 .meaning = "price levels of a side; 20 if left out"},
    F(LIMIT) = {RULE_INTEGER, 1, MATCHING_PAGE_MAX, .meaning = "how many at most"},
    F(FROM_ID) = {RULE_INTEGER, 1, MATCHING_ORDER_ID_MAX, .meaning = "from this trade_id on"},
    F(BEFORE_ID) = {RULE_INTEGER, 1, MATCHING_ORDER_ID_MAX, .meaning = "before this trade_id"},
    F(TICK_SIZE) = {RULE_DECIMAL, .meaning = "the step of prices"},
    F(LOT_SIZE) = {RULE_DECIMAL, .meaning = "the step of quantities"},
    F(ID) = {RULE_INTEGER, 1, UINT32_MAX,
             .meaning = "the instrument's number; one above the highest if left out"},
    F(SBE_CHAR) = {RULE_TEXT, 1, 1, "^[!-~]$",
                   .meaning = "the instrument's letter in SBE's trades"},
    F(INTERVAL) = {RULE_WORDS, .word = matching_interval_name, .words = MATCHING_INTERVALS,
                   .meaning = "how long a candle lasts"},
    F(FROM) = {RULE_INTEGER, 0, MATCHING_ORDER_ID_MAX,
               .meaning = "no candle that began before this, in Unix seconds"},
    F(TO) = {RULE_INTEGER, 1, MATCHING_ORDER_ID_MAX,
             .meaning = "no candle that began after this, in Unix seconds"},
};

static const rule *rule_of(matching_field field)
{
    return &RULES[field < MATCHING_FIELD_COUNT ? field : MATCHING_FIELD_NONE];
}

bool matching_describe_knows(matching_field field)
{
    return rule_of(field)->kind != RULE_NONE;
}

const char *matching_describe_meaning(matching_field field)
{
    const char *meaning = rule_of(field)->meaning;
    return meaning != NULL ? meaning : "";
}

static void write_words(matching_writer *writer, const rule *which)
{
    MATCHING_WRITE(writer, "\"type\":\"string\",\"enum\":[");
    for (unsigned i = 0; i < which->words; i++) {
        if (i > 0)
            MATCHING_WRITE(writer, ",");
        matching_write_cstring(writer, which->word(i));
    }
    if (which->one_more != NULL) {
        MATCHING_WRITE(writer, ",");
        matching_write_cstring(writer, which->one_more);
    }
    MATCHING_WRITE(writer, "]");
}

static void write_decimal(matching_writer *writer, bool as_text)
{
    static const char text[] = "\"type\":\"string\",\"pattern\":\"" DECIMAL_PATTERN "\"";
    if (as_text) {
        MATCHING_WRITE(writer,
                       "\"type\":\"number\",\"exclusiveMinimum\":0,\"maximum\":" DECIMAL_MAX);
        return;
    }
    MATCHING_WRITE(writer, "\"anyOf\":[{\"type\":\"number\",\"exclusiveMinimum\":0,"
                           "\"maximum\":" DECIMAL_MAX "},{");
    matching_write(writer, text, sizeof text - 1);
    MATCHING_WRITE(writer, "}]");
}

void matching_describe_field(matching_writer *writer, matching_action action, matching_field field,
                             bool as_text)
{
    const rule *which = rule_of(field);
    bool counts_candles = action == MATCHING_ACTION_GET_KLINES && field == MATCHING_FIELD_LIMIT;
    char text[200] = "";
    MATCHING_WRITE(writer, "{");
    switch (which->kind) {
    case RULE_TEXT:
        snprintf(text, sizeof text,
                 "\"type\":\"string\",\"minLength\":%" PRId64 ",\"maxLength\":%" PRId64
                 ",\"pattern\":\"%s\"",
                 which->min, which->max, which->pattern);
        break;
    case RULE_DECIMAL:
        write_decimal(writer, as_text);
        break;
    case RULE_INTEGER:
        snprintf(text, sizeof text,
                 "\"type\":\"integer\",\"minimum\":%" PRId64 ",\"maximum\":%" PRId64, which->min,
                 counts_candles ? (int64_t)KLINES_MAX : which->max);
        break;
    case RULE_BOOLEAN:
        snprintf(text, sizeof text, "\"type\":\"boolean\"");
        break;
    case RULE_WORDS:
        write_words(writer, which);
        break;
    case RULE_NONE:
        break;
    }
    matching_describe_text(writer, text);
    if (which->kind != RULE_NONE) {
        MATCHING_WRITE(writer, ",\"description\":");
        matching_write_cstring(writer, which->meaning);
    }
    MATCHING_WRITE(writer, "}");
}
