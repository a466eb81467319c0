/* See outcome.h. */
#include "conformance/outcome.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void set(struct json_object *object, const char *name, const char *text)
{
    json_object_object_add(object, name, json_object_new_string(text));
}

static void set_id(struct json_object *object, const char *name, uint64_t id)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, id);
    set(object, name, text);
}

static struct json_object *decimal(int64_t mantissa)
{
    char text[MATCHING_DECIMAL_TEXT];
    matching_decimal_print(text, mantissa);
    return json_object_new_string(text);
}

struct json_object *outcome_of_error(const matching_error *error)
{
    struct json_object *outcome = json_object_new_object();
    set(outcome, "code", matching_code_name(error->code));
    set(outcome, "message", error->message);
    if (error->field != MATCHING_FIELD_NONE) {
        set(outcome, "field", matching_field_name(error->field));
    }
    if (error->order_id != 0) {
        set_id(outcome, "order_id", error->order_id);
    }
    return outcome;
}

static void set_fill(struct json_object *outcome, const matching_instrument *instrument,
                     const matching_order *order)
{
    set(outcome, "status", matching_status_name(order->status));
    if (order->reason != MATCHING_REASON_NONE) {
        set(outcome, "reason", matching_reason_name(order->reason));
    }
    json_object_object_add(outcome, "filled_quantity",
                           decimal(matching_quantity_of(instrument, order->filled_lots)));
    json_object_object_add(
        outcome, "remaining_quantity",
        decimal(matching_quantity_of(instrument, order->quantity_lots - order->filled_lots)));
    if (order->client_order_id[0] != '\0') {
        set(outcome, "client_order_id", order->client_order_id);
    }
    if (order->filled_lots > 0) {
        json_object_object_add(outcome, "average_price",
                               decimal(matching_average_price(instrument, order)));
    }
}

static struct json_object *order_of(const matching_core *core, const matching_order *order)
{
    const matching_instrument *instrument = matching_core_instrument(core, order->instrument);
    struct json_object *out = json_object_new_object();
    set_id(out, "order_id", order->order_id);
    set(out, "symbol", instrument->symbol);
    set(out, "trader_id", order->trader_id);
    set(out, "side", matching_side_name(order->side));
    set(out, "order_type", matching_order_type_name(order->type));
    set(out, "time_in_force", matching_time_in_force_name(order->time_in_force));
    if (order->price_ticks != 0) {
        json_object_object_add(out, "price",
                               decimal(matching_price_of(instrument, order->price_ticks)));
    }
    if (order->stop_price_ticks != 0) {
        json_object_object_add(out, "stop_price",
                               decimal(matching_price_of(instrument, order->stop_price_ticks)));
    }
    json_object_object_add(out, "quantity",
                           decimal(matching_quantity_of(instrument, order->quantity_lots)));
    if (order->display_lots != 0) {
        json_object_object_add(out, "display_quantity",
                               decimal(matching_quantity_of(instrument, order->display_lots)));
    }
    if (order->expire_time_ms != 0) {
        set_id(out, "expire_time", order->expire_time_ms);
    }
    set_fill(out, instrument, order);
    set(out, "post_only", order->post_only ? "true" : "false");
    return out;
}

static struct json_object *party(const char *trader, uint64_t order_id)
{
    char text[MATCHING_TRADER_MAX + 24];
    snprintf(text, sizeof text, "%s %" PRIu64, trader, order_id);
    return json_object_new_string(text);
}

static struct json_object *trades_of(const matching_core *core, const matching_reply *reply)
{
    struct json_object *all = json_object_new_array();
    for (size_t i = 0; i < reply->trade_count; i++) {
        const matching_trade *trade = &reply->trades[i];
        const matching_instrument *instrument = matching_core_instrument(core, trade->instrument);
        struct json_object *one = json_object_new_array();
        json_object_array_add(one, party(trade->buyer, trade->buy_order_id));
        json_object_array_add(one, party(trade->seller, trade->sell_order_id));
        json_object_array_add(one, decimal(matching_price_of(instrument, trade->price_ticks)));
        json_object_array_add(one, decimal(matching_quantity_of(instrument, trade->quantity_lots)));
        json_object_array_add(one,
                              trade->taker_side == MATCHING_SIDE_NONE
                                  ? NULL
                                  : json_object_new_string(matching_side_name(trade->taker_side)));
        json_object_array_add(all, one);
    }
    return all;
}

static struct json_object *levels_of(const matching_instrument *instrument,
                                     const matching_level *levels, size_t count)
{
    struct json_object *all = json_object_new_array();
    for (size_t i = 0; i < count; i++) {
        char text[MATCHING_DECIMAL_WIDE_TEXT];
        struct json_object *one = json_object_new_array();
        json_object_array_add(one, decimal(matching_price_of(instrument, levels[i].price_ticks)));
        matching_decimal_print_wide(text,
                                    levels[i].total_lots * (matching_wide)instrument->lot_size);
        json_object_array_add(one, json_object_new_string(text));
        snprintf(text, sizeof text, "%" PRIu32, levels[i].orders);
        json_object_array_add(one, json_object_new_string(text));
        json_object_array_add(all, one);
    }
    return all;
}

static void set_depth(struct json_object *outcome, const matching_instrument *instrument,
                      const matching_depth *depth)
{
    int64_t bid = depth->bid_count > 0 ? depth->bids[0].price_ticks : 0;
    int64_t ask = depth->ask_count > 0 ? depth->asks[0].price_ticks : 0;
    if (bid != 0 && ask != 0 && bid >= ask) { /* crossed, in an auction: nobody can trade there */
        bid = ask = 0;
    }
    int64_t spread = bid != 0 && ask != 0 ? ask - bid : 0;
    json_object_object_add(outcome, "bids", levels_of(instrument, depth->bids, depth->bid_count));
    json_object_object_add(outcome, "asks", levels_of(instrument, depth->asks, depth->ask_count));
    json_object_object_add(outcome, "best_bid",
                           bid != 0 ? decimal(matching_price_of(instrument, bid)) : NULL);
    json_object_object_add(outcome, "best_ask",
                           ask != 0 ? decimal(matching_price_of(instrument, ask)) : NULL);
    json_object_object_add(outcome, "spread",
                           spread != 0 ? decimal(matching_price_of(instrument, spread)) : NULL);
}

/* 0: there is none. */
static void set_price(struct json_object *outcome, const char *name,
                      const matching_instrument *instrument, int64_t ticks)
{
    json_object_object_add(outcome, name,
                           ticks != 0 ? decimal(matching_price_of(instrument, ticks)) : NULL);
}

static void set_total(struct json_object *outcome, const char *name,
                      const matching_instrument *instrument, matching_wide lots)
{
    char text[MATCHING_DECIMAL_WIDE_TEXT];
    matching_decimal_print_wide(text, lots * (matching_wide)instrument->lot_size);
    set(outcome, name, text);
}

static void set_ticker(struct json_object *outcome, const matching_instrument *instrument,
                       const matching_ticker *ticker)
{
    char text[MATCHING_TURNOVER_TEXT];
    matching_turnover turnover = ticker->turnover;
    matching_turnover_multiply(&turnover, (uint64_t)instrument->tick_size);
    matching_turnover_multiply(&turnover, (uint64_t)instrument->lot_size);
    matching_turnover_print(text, &turnover);
    set_price(outcome, "last", instrument, ticker->last_ticks);
    set_price(outcome, "open", instrument, ticker->open_ticks);
    set_price(outcome, "high", instrument, ticker->high_ticks);
    set_price(outcome, "low", instrument, ticker->low_ticks);
    set_total(outcome, "volume", instrument, ticker->volume_lots);
    set(outcome, "quote_volume", text);
    set_id(outcome, "count", ticker->count);
    set_price(outcome, "best_bid", instrument, ticker->bid_ticks);
    set_price(outcome, "best_ask", instrument, ticker->ask_ticks);
    if (ticker->indicative_ticks != 0) {
        set_price(outcome, "indicative_price", instrument, ticker->indicative_ticks);
        set_total(outcome, "indicative_quantity", instrument, ticker->indicative_lots);
    }
}

/* [open, high, low, close, volume, trades] of each. */
static struct json_object *candles_of(const matching_instrument *instrument,
                                      const matching_reply *reply)
{
    struct json_object *all = json_object_new_array();
    for (size_t i = 0; i < reply->candle_count; i++) {
        const matching_candle *candle = &reply->candles[i];
        const int64_t prices[] = {candle->open_ticks, candle->high_ticks, candle->low_ticks,
                                  candle->close_ticks};
        char text[MATCHING_DECIMAL_WIDE_TEXT];
        struct json_object *one = json_object_new_array();
        for (size_t k = 0; k < sizeof prices / sizeof prices[0]; k++) {
            json_object_array_add(one, decimal(matching_price_of(instrument, prices[k])));
        }
        matching_decimal_print_wide(text,
                                    candle->volume_lots * (matching_wide)instrument->lot_size);
        json_object_array_add(one, json_object_new_string(text));
        snprintf(text, sizeof text, "%" PRIu64, candle->update_count);
        json_object_array_add(one, json_object_new_string(text));
        json_object_array_add(all, one);
    }
    return all;
}

static void set_ids(struct json_object *outcome, const char *name, const matching_reply *reply)
{
    struct json_object *ids = json_object_new_array();
    bool whole_orders = reply->orders != NULL;
    size_t count = whole_orders ? reply->order_count : reply->order_id_count;
    for (size_t i = 0; i < count; i++) {
        char text[24];
        snprintf(text, sizeof text, "%" PRIu64,
                 whole_orders ? reply->orders[i].order_id : reply->order_ids[i]);
        json_object_array_add(ids, json_object_new_string(text));
    }
    json_object_object_add(outcome, name, ids);
}

/* The instrument of a request that names one or means the first. */
static const matching_instrument *instrument_of(const matching_core *core,
                                                const matching_request *request)
{
    return request->symbol.length > 0
               ? matching_core_find_instrument(core, request->symbol.data, request->symbol.length)
               : matching_core_instrument(core, 0);
}

static void set_instrument(struct json_object *outcome, const matching_instrument *instrument)
{
    set(outcome, "symbol", instrument->symbol);
    set_id(outcome, "id", instrument->id);
    json_object_object_add(outcome, "tick_size", decimal(instrument->tick_size));
    json_object_object_add(outcome, "lot_size", decimal(instrument->lot_size));
}

struct json_object *outcome_of_reply(const matching_core *core, const matching_request *request,
                                     const matching_reply *reply)
{
    struct json_object *outcome = json_object_new_object();
    const matching_order *order = &reply->order;
    switch (request->action) {
    case MATCHING_ACTION_PLACE:
    case MATCHING_ACTION_AMEND:
        json_object_object_add(outcome, "trades", trades_of(core, reply));
        set(outcome, "symbol", matching_core_instrument(core, order->instrument)->symbol);
        set_fill(outcome, matching_core_instrument(core, order->instrument), order);
        break;
    case MATCHING_ACTION_CANCEL:
        set_fill(outcome, matching_core_instrument(core, order->instrument), order);
        break;
    case MATCHING_ACTION_CANCEL_ALL:
        set_ids(outcome, "order_ids", reply);
        break;
    case MATCHING_ACTION_GET_ORDER:
        json_object_object_add(outcome, "order", order_of(core, order));
        break;
    case MATCHING_ACTION_LIST_ORDERS:
    case MATCHING_ACTION_LIST_OPEN_ORDERS:
        set_ids(outcome, "orders", reply);
        break;
    case MATCHING_ACTION_GET_DEPTH:
        set_depth(outcome, instrument_of(core, request), reply->depth);
        break;
    case MATCHING_ACTION_GET_TRADES:
        json_object_object_add(outcome, "trades", trades_of(core, reply));
        break;
    case MATCHING_ACTION_GET_TICKER:
        set_ticker(outcome, instrument_of(core, request), reply->ticker);
        break;
    case MATCHING_ACTION_GET_KLINES:
        json_object_object_add(outcome, "klines", candles_of(instrument_of(core, request), reply));
        break;
    case MATCHING_ACTION_SET_STATE:
        set(outcome, "symbol", instrument_of(core, request)->symbol);
        json_object_object_add(
            outcome, "state",
            json_object_new_string_len(request->state.data, (int)request->state.length));
        break;
    case MATCHING_ACTION_ADD_INSTRUMENT:
        set_instrument(outcome, matching_core_instrument(core, reply->instrument));
        break;
    case MATCHING_ACTION_NONE:
        break;
    }
    return outcome;
}

/* "bob $b" to "bob 17", "$b" to "17". */
static struct json_object *text_with_names(const char *text, struct json_object *names)
{
    const char *dollar = strchr(text, '$');
    struct json_object *id = NULL;
    char out[200];
    if (dollar == NULL || !json_object_object_get_ex(names, dollar + 1, &id)) {
        return json_object_new_string(text);
    }
    snprintf(out, sizeof out, "%.*s%s", (int)(dollar - text), text, json_object_get_string(id));
    return json_object_new_string(out);
}

/* A copy in which scalars are strings and names are ids. */
static struct json_object *plain(struct json_object *from, struct json_object *names)
{
    struct json_object *to = NULL;
    if (json_object_is_type(from, json_type_object)) {
        to = json_object_new_object();
        json_object_object_foreach(from, name, value)
        {
            json_object_object_add(to, name, plain(value, names));
        }
    } else if (json_object_is_type(from, json_type_array)) {
        to = json_object_new_array();
        for (size_t i = 0; i < json_object_array_length(from); i++) {
            json_object_array_add(to, plain(json_object_array_get_idx(from, i), names));
        }
    } else if (from != NULL) {
        to = text_with_names(json_object_get_string(from), names);
    }
    return to;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = json_object_get_uint64(*(struct json_object *const *)a);
    uint64_t y = json_object_get_uint64(*(struct json_object *const *)b);
    return x < y ? -1 : x > y;
}

struct json_object *outcome_expected(struct json_object *step, struct json_object *names)
{
    struct json_object *then = NULL, *action = NULL;
    json_object_object_get_ex(step, "then", &then);
    json_object_object_get_ex(step, "do", &action);
    struct json_object *expected = plain(then, names);
    json_object_object_del(expected, "market_trades"); /* what feeds tell; there is none here */
    const char *word = json_object_get_string(action);
    if ((strcmp(word, "place") == 0 || strcmp(word, "amend") == 0) &&
        !json_object_object_get_ex(expected, "code", NULL)) {
        if (!json_object_object_get_ex(expected, "trades", NULL)) {
            json_object_object_add(expected, "trades", json_object_new_array());
        }
        if (!json_object_object_get_ex(expected, "symbol", NULL)) {
            set(expected, "symbol", "BTCUSDT");
        }
    }
    /* Lists are by order_id, whichever shard made them. */
    struct json_object *list = NULL;
    if (json_object_object_get_ex(expected, "orders", &list) ||
        json_object_object_get_ex(expected, "order_ids", &list)) {
        json_object_array_sort(list, by_number);
    }
    return expected;
}

static bool same_objects(struct json_object *expected, struct json_object *actual)
{
    json_object_object_foreach(expected, name, value)
    {
        struct json_object *other = NULL;
        if (!json_object_object_get_ex(actual, name, &other) || !outcome_same(value, other)) {
            return false;
        }
    }
    json_object_object_foreach(actual, other_name, other_value)
    {
        (void)other_value;
        if (!json_object_object_get_ex(expected, other_name, NULL) &&
            strcmp(other_name, "message") != 0 && strcmp(other_name, "average_price") != 0) {
            return false;
        }
    }
    return true;
}

bool outcome_same(struct json_object *expected, struct json_object *actual)
{
    if (expected == NULL || actual == NULL) {
        return expected == actual;
    }
    if (json_object_get_type(expected) != json_object_get_type(actual)) {
        return false;
    }
    if (json_object_is_type(expected, json_type_object)) {
        return same_objects(expected, actual);
    }
    if (!json_object_is_type(expected, json_type_array)) {
        return strcmp(json_object_get_string(expected), json_object_get_string(actual)) == 0;
    }
    size_t count = json_object_array_length(expected);
    bool same = json_object_array_length(actual) == count;
    for (size_t i = 0; same && i < count; i++) {
        same = outcome_same(json_object_array_get_idx(expected, i),
                            json_object_array_get_idx(actual, i));
    }
    return same;
}
