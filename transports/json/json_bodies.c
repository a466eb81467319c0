/* What every JSON door prints: orders, trades, depth, results.
 *
 * Invariants: member names are the contract's; a value that an object does not have is left out,
 * never null, except where the contract says null; ticks and lots become exact decimals only here.
 *
 * Not a judge of what may be shown to whom: the doors ask only for what their client may see.
 */
#include <string.h>

#include "json_writer.h"
#include "matching/history.h"

/* ,"name": of a member that is not the first. */
#define MEMBER(writer, name) MATCHING_WRITE(writer, ",\"" name "\":")

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_US UINT64_C(1000)

static const matching_instrument *instrument_of(const matching_core *core, size_t index)
{
    return matching_core_instrument(core, index);
}

static void write_price(matching_writer *writer, const matching_instrument *instrument,
                        int64_t ticks)
{
    matching_write_decimal(writer, matching_price_of(instrument, ticks));
}

/* 0: there is none. */
static void write_price_or_null(matching_writer *writer, const matching_instrument *instrument,
                                int64_t ticks)
{
    if (ticks != 0)
        write_price(writer, instrument, ticks);
    else
        MATCHING_WRITE(writer, "null");
}

static void write_quantity(matching_writer *writer, const matching_instrument *instrument,
                           int64_t lots)
{
    matching_write_decimal(writer, matching_quantity_of(instrument, lots));
}

static void write_bool(matching_writer *writer, bool value)
{
    if (value)
        MATCHING_WRITE(writer, "true");
    else
        MATCHING_WRITE(writer, "false");
}

static void write_average_price(matching_writer *writer, const matching_instrument *instrument,
                                const matching_order *order)
{
    int64_t average = matching_average_price(instrument, order);
    if (average != 0) {
        MEMBER(writer, "average_price");
        matching_write_decimal(writer, average);
    }
}

static void write_status(matching_writer *writer, const matching_order *order)
{
    MEMBER(writer, "status");
    matching_write_cstring(writer, matching_status_name(order->status));
    if (order->reason != MATCHING_REASON_NONE) {
        MEMBER(writer, "reason");
        matching_write_cstring(writer, matching_reason_name(order->reason));
    }
}

static void write_filled(matching_writer *writer, const matching_instrument *instrument,
                         const matching_order *order)
{
    MEMBER(writer, "filled_quantity");
    write_quantity(writer, instrument, order->filled_lots);
    MEMBER(writer, "remaining_quantity");
    write_quantity(writer, instrument, order->quantity_lots - order->filled_lots);
}

static void write_client_order_id(matching_writer *writer, const matching_order *order)
{
    if (order->client_order_id[0] != '\0') {
        MEMBER(writer, "client_order_id");
        matching_write_cstring(writer, order->client_order_id);
    }
}

/* What the order asked for: prices and quantities. */
static void write_terms(matching_writer *writer, const matching_instrument *instrument,
                        const matching_order *order)
{
    if (order->price_ticks != 0) {
        MEMBER(writer, "price");
        write_price(writer, instrument, order->price_ticks);
    }
    if (order->stop_price_ticks != 0) {
        MEMBER(writer, "stop_price");
        write_price(writer, instrument, order->stop_price_ticks);
    }
    MEMBER(writer, "quantity");
    write_quantity(writer, instrument, order->quantity_lots);
    if (order->display_lots != 0) {
        MEMBER(writer, "display_quantity");
        write_quantity(writer, instrument, order->display_lots);
    }
}

void matching_write_order(matching_writer *writer, const matching_core *core,
                          const matching_order *order, bool open_ended)
{
    const matching_instrument *instrument = instrument_of(core, order->instrument);
    MATCHING_WRITE(writer, "{\"order_id\":");
    matching_write_unsigned(writer, order->order_id);
    write_client_order_id(writer, order);
    MEMBER(writer, "symbol");
    matching_write_cstring(writer, instrument->symbol);
    MEMBER(writer, "trader_id");
    matching_write_cstring(writer, order->trader_id);
    MEMBER(writer, "side");
    matching_write_cstring(writer, matching_side_name(order->side));
    MEMBER(writer, "order_type");
    matching_write_cstring(writer, matching_order_type_name(order->type));
    MEMBER(writer, "time_in_force");
    matching_write_cstring(writer, matching_time_in_force_name(order->time_in_force));
    if (order->expire_time_ms != 0) {
        MEMBER(writer, "expire_time");
        matching_write_unsigned(writer, order->expire_time_ms);
    }
    write_terms(writer, instrument, order);
    write_filled(writer, instrument, order);
    write_average_price(writer, instrument, order);
    write_status(writer, order);
    MEMBER(writer, "post_only");
    write_bool(writer, order->post_only);
    MEMBER(writer, "created");
    matching_write_unsigned(writer, order->created_ns / NS_PER_MS);
    MEMBER(writer, "updated");
    matching_write_unsigned(writer, order->updated_ns / NS_PER_MS);
    if (!open_ended)
        MATCHING_WRITE(writer, "}");
}

void matching_write_trade(matching_writer *writer, const matching_core *core,
                          const matching_trade *trade, bool open_ended)
{
    const matching_instrument *instrument = instrument_of(core, trade->instrument);
    MATCHING_WRITE(writer, "{\"trade_id\":");
    matching_write_unsigned(writer, trade->trade_id);
    MEMBER(writer, "symbol");
    matching_write_cstring(writer, instrument->symbol);
    MEMBER(writer, "buyer");
    matching_write_cstring(writer, trade->buyer);
    MEMBER(writer, "seller");
    matching_write_cstring(writer, trade->seller);
    MEMBER(writer, "price");
    write_price(writer, instrument, trade->price_ticks);
    MEMBER(writer, "quantity");
    write_quantity(writer, instrument, trade->quantity_lots);
    MEMBER(writer, "timestamp");
    matching_write_unsigned(writer, trade->time_ns / NS_PER_MS);
    MEMBER(writer, "buy_order_id");
    matching_write_unsigned(writer, trade->buy_order_id);
    MEMBER(writer, "sell_order_id");
    matching_write_unsigned(writer, trade->sell_order_id);
    MEMBER(writer, "taker_side");
    if (trade->taker_side == MATCHING_SIDE_NONE)
        MATCHING_WRITE(writer, "null");
    else
        matching_write_cstring(writer, matching_side_name(trade->taker_side));
    if (!open_ended)
        MATCHING_WRITE(writer, "}");
}

static void write_trade_array(matching_writer *writer, const matching_core *core,
                              const matching_reply *reply)
{
    MATCHING_WRITE(writer, "\"trades\":[");
    for (size_t i = 0; i < reply->trade_count; i++) {
        if (i > 0)
            MATCHING_WRITE(writer, ",");
        matching_write_trade(writer, core, &reply->trades[i], false);
    }
    MATCHING_WRITE(writer, "]");
}

void matching_write_order_result(matching_writer *writer, const matching_core *core,
                                 const matching_reply *reply)
{
    const matching_order *order = &reply->order;
    const matching_instrument *instrument = instrument_of(core, order->instrument);
    MATCHING_WRITE(writer, "{\"order_id\":");
    matching_write_unsigned(writer, order->order_id);
    write_client_order_id(writer, order);
    MEMBER(writer, "symbol");
    matching_write_cstring(writer, instrument->symbol);
    write_status(writer, order);
    write_filled(writer, instrument, order);
    write_average_price(writer, instrument, order);
    MATCHING_WRITE(writer, ",");
    write_trade_array(writer, core, reply);
    if (reply->trades_truncated)
        MATCHING_WRITE(writer, ",\"trades_truncated\":true");
    uint64_t now = matching_monotonic_ns();
    MEMBER(writer, "latency_us");
    matching_write_unsigned(writer,
                            now > reply->received_ns ? (now - reply->received_ns) / NS_PER_US : 0);
    MATCHING_WRITE(writer, "}");
}

void matching_write_cancel_result(matching_writer *writer, const matching_core *core,
                                  const matching_reply *reply)
{
    const matching_order *order = &reply->order;
    MATCHING_WRITE(writer, "{\"success\":true,\"message\":\"order cancelled\",\"order_id\":");
    matching_write_unsigned(writer, order->order_id);
    write_client_order_id(writer, order);
    write_status(writer, order);
    write_filled(writer, instrument_of(core, order->instrument), order);
    MATCHING_WRITE(writer, "}");
}

void matching_write_cancel_all_result(matching_writer *writer, const matching_reply *reply)
{
    MATCHING_WRITE(writer, "{\"order_ids\":[");
    for (size_t i = 0; i < reply->order_id_count; i++) {
        if (i > 0)
            MATCHING_WRITE(writer, ",");
        matching_write_unsigned(writer, reply->order_ids[i]);
    }
    MATCHING_WRITE(writer, "]");
    if (reply->ids_truncated)
        MATCHING_WRITE(writer, ",\"order_ids_truncated\":true");
    MATCHING_WRITE(writer, "}");
}

void matching_write_orders(matching_writer *writer, const matching_core *core,
                           const matching_reply *reply)
{
    MATCHING_WRITE(writer, "{\"orders\":[");
    for (size_t i = 0; i < reply->order_count; i++) {
        if (i > 0)
            MATCHING_WRITE(writer, ",");
        matching_write_order(writer, core, &reply->orders[i], false);
    }
    MATCHING_WRITE(writer, "]}");
}

/* In an auction bids may reach asks: then neither best price is one at which somebody can trade. */
static bool is_crossed(const matching_depth *depth)
{
    return depth->bid_count > 0 && depth->ask_count > 0 &&
           depth->bids[0].price_ticks >= depth->asks[0].price_ticks;
}

/* "best_bid":...,"best_ask":...,"spread":... */
static void write_best(matching_writer *writer, const matching_instrument *instrument,
                       const matching_depth *depth)
{
    bool crossed = is_crossed(depth);
    int64_t bid = depth->bid_count > 0 && !crossed ? depth->bids[0].price_ticks : 0;
    int64_t ask = depth->ask_count > 0 && !crossed ? depth->asks[0].price_ticks : 0;
    MATCHING_WRITE(writer, "\"best_bid\":");
    write_price_or_null(writer, instrument, bid);
    MEMBER(writer, "best_ask");
    write_price_or_null(writer, instrument, ask);
    MEMBER(writer, "spread");
    write_price_or_null(writer, instrument, bid != 0 && ask != 0 ? ask - bid : 0);
}

static void write_levels(matching_writer *writer, const matching_instrument *instrument,
                         const matching_level *levels, size_t count)
{
    MATCHING_WRITE(writer, "[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            MATCHING_WRITE(writer, ",");
        MATCHING_WRITE(writer, "[");
        write_price(writer, instrument, levels[i].price_ticks);
        MATCHING_WRITE(writer, ",");
        matching_write_total(writer, levels[i].total_lots, instrument->lot_size);
        MATCHING_WRITE(writer, ",");
        matching_write_unsigned(writer, levels[i].orders);
        MATCHING_WRITE(writer, "]");
    }
    MATCHING_WRITE(writer, "]");
}

void matching_write_depth(matching_writer *writer, const matching_core *core,
                          size_t instrument_index, const matching_depth *depth)
{
    const matching_instrument *instrument = instrument_of(core, instrument_index);
    MATCHING_WRITE(writer, "{\"symbol\":");
    matching_write_cstring(writer, instrument->symbol);
    MEMBER(writer, "sequence");
    matching_write_unsigned(writer, depth->sequence);
    MATCHING_WRITE(writer, ",");
    write_best(writer, instrument, depth);
    MEMBER(writer, "bids");
    write_levels(writer, instrument, depth->bids, depth->bid_count);
    MEMBER(writer, "asks");
    write_levels(writer, instrument, depth->asks, depth->ask_count);
    MATCHING_WRITE(writer, "}");
}

static void write_best_quantity(matching_writer *writer, const matching_instrument *instrument,
                                const matching_level *levels, size_t count)
{
    matching_write_total(writer, count > 0 ? levels[0].total_lots : 0, instrument->lot_size);
}

void matching_write_book_status(matching_writer *writer, const matching_core *core,
                                size_t instrument_index, const matching_depth *depth)
{
    const matching_instrument *instrument = instrument_of(core, instrument_index);
    bool crossed = is_crossed(depth);
    MATCHING_WRITE(writer, "{\"symbol\":");
    matching_write_cstring(writer, instrument->symbol);
    MATCHING_WRITE(writer, ",");
    write_best(writer, instrument, depth);
    MEMBER(writer, "bid_quantity");
    write_best_quantity(writer, instrument, depth->bids, crossed ? 0 : depth->bid_count);
    MEMBER(writer, "ask_quantity");
    write_best_quantity(writer, instrument, depth->asks, crossed ? 0 : depth->ask_count);
    MATCHING_WRITE(writer, "}");
}

void matching_write_ticker(matching_writer *writer, const matching_core *core,
                           size_t instrument_index, const matching_ticker *ticker)
{
    const matching_instrument *instrument = instrument_of(core, instrument_index);
    MATCHING_WRITE(writer, "{\"symbol\":");
    matching_write_cstring(writer, instrument->symbol);
    MEMBER(writer, "last");
    write_price_or_null(writer, instrument, ticker->last_ticks);
    MEMBER(writer, "open");
    write_price_or_null(writer, instrument, ticker->open_ticks);
    MEMBER(writer, "high");
    write_price_or_null(writer, instrument, ticker->high_ticks);
    MEMBER(writer, "low");
    write_price_or_null(writer, instrument, ticker->low_ticks);
    MEMBER(writer, "volume");
    matching_write_total(writer, ticker->volume_lots, instrument->lot_size);
    MEMBER(writer, "quote_volume");
    matching_write_turnover(writer, &ticker->turnover, instrument);
    MEMBER(writer, "count");
    matching_write_unsigned(writer, ticker->count);
    MEMBER(writer, "best_bid");
    write_price_or_null(writer, instrument, ticker->bid_ticks);
    MEMBER(writer, "best_ask");
    write_price_or_null(writer, instrument, ticker->ask_ticks);
    if (ticker->indicative_ticks != 0) {
        MEMBER(writer, "indicative_price");
        write_price(writer, instrument, ticker->indicative_ticks);
        MEMBER(writer, "indicative_quantity");
        matching_write_total(writer, ticker->indicative_lots, instrument->lot_size);
    }
    MEMBER(writer, "timestamp");
    matching_write_unsigned(writer, ticker->time_ns / NS_PER_MS);
    MATCHING_WRITE(writer, "}");
}

void matching_write_trades(matching_writer *writer, const matching_core *core,
                           const matching_reply *reply)
{
    MATCHING_WRITE(writer, "{");
    write_trade_array(writer, core, reply);
    MATCHING_WRITE(writer, "}");
}

/* {"symbol":...,"id":...,"tick_size":...,"lot_size":... without the closing brace */
static void write_instrument(matching_writer *writer, const matching_instrument *instrument)
{
    MATCHING_WRITE(writer, "{\"symbol\":");
    matching_write_cstring(writer, instrument->symbol);
    MEMBER(writer, "id");
    matching_write_unsigned(writer, instrument->id);
    MEMBER(writer, "tick_size");
    matching_write_decimal(writer, instrument->tick_size);
    MEMBER(writer, "lot_size");
    matching_write_decimal(writer, instrument->lot_size);
}

void matching_write_candle(matching_writer *writer, const matching_instrument *instrument,
                           const matching_candle *candle)
{
    MATCHING_WRITE(writer, "{\"time\":");
    matching_write_unsigned(writer, candle->start_s);
    MEMBER(writer, "open");
    write_price(writer, instrument, candle->open_ticks);
    MEMBER(writer, "high");
    write_price(writer, instrument, candle->high_ticks);
    MEMBER(writer, "low");
    write_price(writer, instrument, candle->low_ticks);
    MEMBER(writer, "close");
    write_price(writer, instrument, candle->close_ticks);
    MEMBER(writer, "volume");
    matching_write_total(writer, candle->volume_lots, instrument->lot_size);
    MEMBER(writer, "is_final");
    write_bool(writer, candle->is_final);
    MEMBER(writer, "update_count");
    matching_write_unsigned(writer, candle->update_count);
    MATCHING_WRITE(writer, "}");
}

void matching_write_klines(matching_writer *writer, const matching_core *core, size_t instrument,
                           const matching_reply *reply)
{
    MATCHING_WRITE(writer, "{\"klines\":[");
    for (size_t i = 0; i < reply->candle_count; i++) {
        matching_write(writer, ",", i > 0);
        matching_write_candle(writer, matching_core_instrument(core, instrument),
                              &reply->candles[i]);
    }
    MATCHING_WRITE(writer, "]}");
}

void matching_write_token_created(matching_writer *writer, const matching_instrument *instrument,
                                  uint64_t time_ns)
{
    write_instrument(writer, instrument);
    MEMBER(writer, "timestamp");
    matching_write_unsigned(writer, time_ns / 1000000);
    MATCHING_WRITE(writer, "}");
}

void matching_write_symbols(matching_writer *writer, const matching_core *core)
{
    bool first = true;
    MATCHING_WRITE(writer, "{\"symbols\":[");
    for (size_t i = 0; i < matching_core_instrument_count(core); i++) {
        const matching_instrument *instrument = matching_core_instrument(core, i);
        if (instrument == NULL)
            continue; /* still on its way in */
        if (!first)
            MATCHING_WRITE(writer, ",");
        first = false;
        write_instrument(writer, instrument);
        MEMBER(writer, "state");
        matching_write_cstring(writer, matching_state_name(matching_core_state(core, i)));
        MATCHING_WRITE(writer, "}");
    }
    MATCHING_WRITE(writer, "]}");
}

static const char *addition_refused(matching_code code, matching_field field)
{
    if (code == MATCHING_BOOK_FULL)
        return "there are as many instruments as engine.max_instruments allows";
    if (field == MATCHING_FIELD_SYMBOL)
        return "an instrument of this name exists already";
    if (field == MATCHING_FIELD_ID)
        return "another instrument has this id";
    return field == MATCHING_FIELD_SBE_CHAR ? "another instrument has this sbe_char" : NULL;
}

void matching_reply_error(const matching_reply *reply, matching_error *error)
{
    matching_code code = (matching_code)reply->code;
    matching_field field = (matching_field)reply->field;
    const char *message = NULL; /* the code's own text */
    if (reply->history != MATCHING_HISTORY_FINE) {
        message = matching_history_text(reply->history);
        code = reply->history == MATCHING_HISTORY_CATCHING_UP ? MATCHING_OVERLOADED : code;
    } else if (code == MATCHING_INTERNAL_ERROR) /* all that a shard ever says so for */
        message = "the journal failed: what became of this is known only after a restart";
    else if (reply->type == MATCHING_ADD_INSTRUMENT)
        message = addition_refused(code, field);
    else if (code == MATCHING_ORDER_NOT_FOUND && reply->type == MATCHING_READ_ORDER)
        message = "no such order";
    else if (code == MATCHING_INVALID_PARAMETER && field == MATCHING_FIELD_EXPIRE_TIME)
        message = "expire_time must lie in the future (Unix milliseconds)";
    else if (code == MATCHING_INVALID_PARAMETER && field == MATCHING_FIELD_PRICE)
        message = "a stop order without a limit price has no price to amend";
    else if (code == MATCHING_INVALID_PARAMETER && field == MATCHING_FIELD_STOP_PRICE)
        message = "only an untriggered stop order has a stop_price to amend";
    else if (code == MATCHING_INVALID_QUANTITY && reply->type == MATCHING_AMEND)
        message = "the new total quantity must be a multiple of the lot size, larger than what has "
                  "filled, and at most a thousand times the display_quantity";
    matching_error_set(error, code, field, message);
    error->order_id = reply->related_order_id;
}
