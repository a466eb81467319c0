/* See request_text.h. */
#include "request_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELD(name) MATCHING_FIELD_##name

matching_core *create_core(void)
{
    static const matching_instrument_options instruments[] = {
        {.symbol = "BTCUSDT", .id = 1, .tick_size = 1000000, .lot_size = 10000},
        {.symbol = "FINE-1.0_X", .id = 2, .tick_size = 1, .lot_size = 1},
        {.symbol = "SIXTEENLETTERS16", .id = 3, .tick_size = 500000000, .lot_size = 700000000},
    };
    matching_core_options options;
    matching_core_options_default(&options);
    options.instruments = instruments;
    options.instrument_count = sizeof instruments / sizeof instruments[0];
    options.shards = 2;
    options.max_orders = options.max_levels = options.retained_orders = 16;
    options.max_traders = 4;
    options.recent_trades = 4;
    char error[256] = "";
    matching_core *core = matching_core_create(&options, error, sizeof error);
    if (core == NULL) {
        fprintf(stderr, "matching_core_create: %s\n", error);
        exit(EXIT_FAILURE);
    }
    return core;
}

static void mark(uint32_t *bits, matching_field field, bool on)
{
    *bits = on ? *bits | MATCHING_FIELD_BIT(field) : *bits & ~MATCHING_FIELD_BIT(field);
}

static matching_text *text_of(matching_request *r, matching_field field)
{
    switch (field) {
    case FIELD(SYMBOL):
        return &r->symbol;
    case FIELD(TRADER_ID):
        return &r->trader_id;
    case FIELD(CLIENT_ORDER_ID):
        return &r->client_order_id;
    case FIELD(SIDE):
        return &r->side;
    case FIELD(TYPE):
        return &r->type;
    case FIELD(TIME_IN_FORCE):
        return &r->time_in_force;
    case FIELD(SELF_TRADE_PREVENTION):
        return &r->self_trade_prevention;
    case FIELD(STATE):
        return &r->state;
    case FIELD(STATUS):
        return &r->status;
    case FIELD(SBE_CHAR):
        return &r->sbe_char;
    case FIELD(INTERVAL):
        return &r->interval;
    default:
        return NULL;
    }
}

static int64_t *decimal_of(matching_request *r, matching_field field)
{
    switch (field) {
    case FIELD(PRICE):
        return &r->price;
    case FIELD(STOP_PRICE):
        return &r->stop_price;
    case FIELD(QUANTITY):
        return &r->quantity;
    case FIELD(DISPLAY_QUANTITY):
        return &r->display_quantity;
    case FIELD(TICK_SIZE):
        return &r->tick_size;
    case FIELD(LOT_SIZE):
        return &r->lot_size;
    default:
        return NULL;
    }
}

static int64_t *integer_of(matching_request *r, matching_field field)
{
    switch (field) {
    case FIELD(ORDER_ID):
        return &r->order_id;
    case FIELD(EXPIRE_TIME):
        return &r->expire_time;
    case FIELD(AFTER):
        return &r->after;
    case FIELD(LEVELS):
        return &r->levels;
    case FIELD(LIMIT):
        return &r->limit;
    case FIELD(FROM_ID):
        return &r->from_id;
    case FIELD(BEFORE_ID):
        return &r->before_id;
    case FIELD(ID):
        return &r->id;
    case FIELD(FROM):
        return &r->from;
    case FIELD(TO):
        return &r->to;
    default:
        return NULL;
    }
}

static bool read_integer(const char *value, size_t length, int64_t *integer)
{
    char copy[32], *stop;
    if (length == 0 || length >= sizeof copy) {
        return false;
    }
    memcpy(copy, value, length);
    copy[length] = 0;
    errno = 0;
    *integer = strtoll(copy, &stop, 10);
    return *stop == 0 && errno == 0;
}

static void set_field(matching_request *r, matching_field field, const char *value, size_t length)
{
    bool wrong = length == 1 && *value == '!';
    mark(&r->present, field, true);
    mark(&r->wrong_type, field, wrong);
    mark(&r->malformed, field, false);
    if (wrong) {
        return;
    }
    if (text_of(r, field) != NULL) {
        *text_of(r, field) = (matching_text){value, length};
    } else if (decimal_of(r, field) != NULL) {
        mark(&r->malformed, field, !matching_decimal_parse(value, length, decimal_of(r, field)));
    } else if (integer_of(r, field) != NULL) {
        mark(&r->malformed, field, !read_integer(value, length, integer_of(r, field)));
    } else {
        r->post_only = length == 4 && memcmp(value, "true", 4) == 0;
    }
}

matching_request make_request(matching_action action, const char *text)
{
    matching_request r = {.action = action};
    while (*text != 0) {
        size_t length = strcspn(text, ";");
        bool remove = *text == '-';
        size_t name = strcspn(text, "=;");
        matching_field field = matching_field_find(text + remove, name - remove);
        if (field == MATCHING_FIELD_NONE) {
            fprintf(stderr, "no such field in this test: %s\n", text);
            exit(EXIT_FAILURE);
        }
        if (remove) {
            mark(&r.present, field, false);
        } else {
            set_field(&r, field, text + name + 1, length - name - 1);
        }
        text += length + (text[length] == ';');
    }
    return r;
}

matching_code prepare(const matching_core *core, matching_action action, const char *text,
                      matching_command *command, matching_error *error)
{
    matching_request request = make_request(action, text);
    memset(command, 0xA5, sizeof *command);
    memset(error, 0xA5, sizeof *error);
    return matching_gateway_prepare(core, &request, command, error);
}
