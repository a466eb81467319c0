/* What the WebSocket door says, of any values: json-c reads it, and finds these values, under the
 * contract's names and in their order, with nothing besides.
 *
 * An input is a kind of message, and the numbers and texts for it. The message begins at any place
 * in the writer, so that its memory ends at any place too.
 */
#include "json_reader.h"
#include "reply.h"
#include "said.h"

#define LIST_MAX 6
#define NS_PER_MS UINT64_C(1000000)

/* ---- One message ----------------------------------------------------------------------------- */

typedef struct test {
    input in;
    const matching_core *core;
    const matching_instrument *instrument;
    matching_writer writer;
    char id_text[64]; /* as a client may have sent it */
    matching_text id; /* into id_text, or none */
    size_t begin;     /* of the message in the writer */
    struct json_object *said;
} test;

static void take_id(test *t)
{
    static const char *const parts[] = {"a", "\\\"", "\\u00e9", "\xc3\xa9", "\\\\", "}", " ", ","};
    unsigned count = take_byte(&t->in) % 9;
    int length = 0;
    if (count > 6) {
        length = snprintf(t->id_text, sizeof t->id_text, "%" PRIu64,
                          take_number(&t->in, UINT64_MAX - 1));
    } else if (count > 0) {
        t->id_text[length++] = '"';
        for (unsigned i = 1; i < count; i++) {
            length += snprintf(t->id_text + length, sizeof t->id_text - (size_t)length, "%s",
                               parts[take_byte(&t->in) % (sizeof parts / sizeof parts[0])]);
        }
        t->id_text[length++] = '"';
    }
    t->id = (matching_text){t->id_text, (size_t)length};
}

/* The message has been written: reads it. */
static members read_said(test *t, const char *type)
{
    must(!t->writer.failed);
    must(matching_json_parse(t->writer.data + t->begin, t->writer.length - t->begin, &t->said) ==
         MATCHING_OK);
    members in = members_of(t->said);
    expect_text(&in, "type", type);
    return in;
}

/* The id comes last, as it was sent. */
static void expect_id(test *t, members *in)
{
    if (t->id.length > 0) {
        const char *end = t->writer.data + t->writer.length;
        next(in, "id");
        must(memcmp(end - 1 - t->id.length, t->id.data, t->id.length) == 0 && end[-1] == '}');
    }
    expect_end(in);
}

static matching_order take_order(test *t)
{
    input *in = &t->in;
    const matching_instrument *instrument = t->instrument;
    matching_order order = {.instrument = instrument->index};
    order.order_id = take_number(in, UINT64_MAX);
    order.price_ticks = take_ticks(in, instrument);
    order.quantity_lots = take_lots(in, instrument);
    order.status = take_byte(in) % 8;
    order.reason = take_byte(in) % 12;
    order.side = take_byte(in) % 2;
    order.type = take_byte(in) % 4;
    order.time_in_force = take_byte(in) % 4;
    order.post_only = take_byte(in) % 2;
    order.stop_price_ticks = take_ticks(in, instrument);
    order.display_lots = take_lots(in, instrument);
    order.created_ns = take_number(in, UINT64_MAX);
    order.updated_ns = take_number(in, UINT64_MAX);
    order.expire_time_ms = take_number(in, UINT64_MAX);
    order.filled_lots = (int64_t)take_number(in, (uint64_t)order.quantity_lots);
    order.notional = (matching_wide)order.filled_lots * (matching_wide)take_ticks(in, instrument);
    take_text(in, order.client_order_id, MATCHING_CLIENT_ID_MAX);
    take_text(in, order.trader_id, MATCHING_TRADER_MAX);
    return order;
}

static void expect_filled(members *in, const matching_instrument *instrument,
                          const matching_order *order)
{
    expect_quantity(in, "filled_quantity", instrument, (matching_wide)order->filled_lots);
    expect_quantity(in, "remaining_quantity", instrument,
                    (matching_wide)(order->quantity_lots - order->filled_lots));
}

static void expect_client_order_id(members *in, const matching_order *order)
{
    if (order->client_order_id[0] != '\0') {
        expect_text(in, "client_order_id", order->client_order_id);
    }
}

static void expect_reason(members *in, const matching_order *order)
{
    if (order->reason != MATCHING_REASON_NONE) {
        expect_text(in, "reason", matching_reason_name(order->reason));
    }
}

/* The members of the Order object, up to what may follow. */
static void expect_order(test *t, members *in, const matching_order *order)
{
    const matching_instrument *instrument = t->instrument;
    expect_whole(in, "order_id", order->order_id);
    expect_client_order_id(in, order);
    expect_text(in, "symbol", instrument->symbol);
    expect_text(in, "trader_id", order->trader_id);
    expect_text(in, "side", matching_side_name(order->side));
    expect_text(in, "order_type", matching_order_type_name(order->type));
    expect_text(in, "time_in_force", matching_time_in_force_name(order->time_in_force));
    if (order->expire_time_ms != 0) {
        expect_whole(in, "expire_time", order->expire_time_ms);
    }
    if (order->price_ticks != 0) {
        expect_price(in, "price", instrument, order->price_ticks);
    }
    if (order->stop_price_ticks != 0) {
        expect_price(in, "stop_price", instrument, order->stop_price_ticks);
    }
    expect_quantity(in, "quantity", instrument, (matching_wide)order->quantity_lots);
    if (order->display_lots != 0) {
        expect_quantity(in, "display_quantity", instrument, (matching_wide)order->display_lots);
    }
    expect_filled(in, instrument, order);
    int64_t average = matching_average_price(instrument, order);
    if (average != 0) {
        check_decimal(next(in, "average_price"), (matching_wide)average, 8);
    }
    expect_text(in, "status", matching_status_name(order->status));
    expect_reason(in, order);
    expect_boolean(in, "post_only", order->post_only);
    expect_whole(in, "created", order->created_ns / NS_PER_MS);
    expect_whole(in, "updated", order->updated_ns / NS_PER_MS);
}

/* ---- Replies --------------------------------------------------------------------------------- */

static void check_error(test *t)
{
    ws_error error = {.code = (matching_code)(take_byte(&t->in) % MATCHING_CODE_COUNT)};
    error.field = matching_field_name(take_byte(&t->in) % MATCHING_FIELD_COUNT);
    error.order_id = take_number(&t->in, UINT64_MAX);
    take_text(&t->in, error.message, sizeof error.message - 1);
    ws_write_error(&t->writer, &error, t->id);
    members in = read_said(t, "error");
    expect_text(&in, "code", matching_code_name(error.code));
    expect_text(&in, "message", error.message);
    if (error.field[0] != '\0') {
        expect_text(&in, "field", error.field);
    }
    if (error.order_id != 0) {
        expect_whole(&in, "order_id", error.order_id);
    }
    expect_id(t, &in);
}

static void check_pong(test *t)
{
    uint64_t timestamp = take_number(&t->in, UINT64_MAX);
    ws_write_pong(&t->writer, timestamp, t->id);
    members in = read_said(t, "pong");
    expect_whole(&in, "timestamp", timestamp);
    expect_id(t, &in);
}

static void check_channels(test *t)
{
    const char *type = take_byte(&t->in) % 2 == 0 ? "subscribed" : "unsubscribed";
    unsigned channels = (unsigned)take_number(&t->in, WS_CHANNEL_BIT(WS_CHANNEL_COUNT) - 1);
    ws_write_channels(&t->writer, type, channels, t->id);
    members in = read_said(t, type);
    struct json_object *list = next(&in, "channels");
    size_t count = 0;
    for (unsigned channel = 0; channel < WS_CHANNEL_COUNT; channel++) {
        if (channels & WS_CHANNEL_BIT(channel)) {
            struct json_object *name = json_object_array_get_idx(list, count++);
            must(json_object_is_type(name, json_type_string));
            must(strcmp(json_object_get_string(name), ws_channel_name((ws_channel)channel)) == 0);
        }
    }
    must(json_object_array_length(list) == count);
    expect_id(t, &in);
}

static void check_cancel_on_disconnect(test *t)
{
    bool enabled = take_byte(&t->in) % 2;
    ws_write_cancel_on_disconnect(&t->writer, enabled, t->id);
    members in = read_said(t, "cancel_on_disconnect");
    expect_boolean(&in, "enabled", enabled);
    expect_id(t, &in);
}

static void check_order_ack(test *t)
{
    matching_reply reply = {0};
    reply.order = take_order(t);
    reply.received_ns = take_number(&t->in, UINT64_MAX);
    uint64_t now_ns = take_number(&t->in, UINT64_MAX);
    const matching_order *order = &reply.order;
    ws_write_order_ack(&t->writer, t->core, &reply, now_ns, t->id);
    members in = read_said(t, "order_ack");
    expect_whole(&in, "order_id", order->order_id);
    expect_text(&in, "status", matching_status_name(order->status));
    expect_whole(&in, "latency_us",
                 now_ns > reply.received_ns ? (now_ns - reply.received_ns) / 1000 : 0);
    expect_text(&in, "symbol", t->instrument->symbol);
    expect_filled(&in, t->instrument, order);
    expect_client_order_id(&in, order);
    expect_reason(&in, order);
    expect_id(t, &in);
}

static void check_cancel_all_ack(test *t)
{
    uint64_t ids[LIST_MAX];
    matching_reply reply = {.order_ids = ids};
    reply.order_id_count = take_byte(&t->in) % (LIST_MAX + 1);
    reply.ids_truncated = take_byte(&t->in) % 2;
    for (size_t i = 0; i < reply.order_id_count; i++) {
        ids[i] = take_number(&t->in, UINT64_MAX);
    }
    ws_write_cancel_all_ack(&t->writer, &reply, t->id);
    members in = read_said(t, "cancel_all_ack");
    struct json_object *list = next(&in, "order_ids");
    must(json_object_array_length(list) == reply.order_id_count);
    for (size_t i = 0; i < reply.order_id_count; i++) {
        check_whole(json_object_array_get_idx(list, i), ids[i]);
    }
    if (reply.ids_truncated) {
        expect_boolean(&in, "order_ids_truncated", true);
    }
    expect_id(t, &in);
}

static void check_order_update(test *t)
{
    matching_order order = take_order(t);
    matching_event event = {0};
    event.time_ns = take_number(&t->in, UINT64_MAX);
    bool is_event = take_byte(&t->in) % 4 != 0;
    event.order.trade_id = take_number(&t->in, UINT64_MAX);
    event.order.last_price_ticks = take_ticks(&t->in, t->instrument);
    event.order.last_quantity_lots = take_lots(&t->in, t->instrument);
    ws_write_order_update(&t->writer, t->core, &order, is_event ? &event : NULL, t->id);
    members in = read_said(t, "order_update");
    expect_order(t, &in, &order);
    if (is_event && event.order.trade_id != 0) {
        expect_price_or_null(&in, "last_price", t->instrument, event.order.last_price_ticks);
        expect_quantity(&in, "last_quantity", t->instrument,
                        (matching_wide)event.order.last_quantity_lots);
        expect_whole(&in, "trade_id", event.order.trade_id);
    }
    expect_whole(&in, "timestamp", (is_event ? event.time_ns : order.updated_ns) / NS_PER_MS);
    expect_id(t, &in);
}

/* ---- Feeds ----------------------------------------------------------------------------------- */

static void check_orders_snapshot(test *t)
{
    matching_order orders[LIST_MAX];
    size_t count = take_byte(&t->in) % (LIST_MAX + 1);
    ws_snapshot_end end = (ws_snapshot_end)(take_byte(&t->in) % (WS_SNAPSHOT_TRUNCATED + 1));
    for (size_t i = 0; i < count; i++) {
        orders[i] = take_order(t);
    }
    ws_write_orders_snapshot(&t->writer, t->core, orders, count, end);
    members in = read_said(t, "orders_snapshot");
    struct json_object *list = next(&in, "orders");
    must(json_object_array_length(list) == count);
    for (size_t i = 0; i < count; i++) {
        members order = members_of(json_object_array_get_idx(list, i));
        expect_order(t, &order, &orders[i]);
        expect_end(&order);
    }
    if (end != WS_SNAPSHOT_WHOLE) {
        expect_boolean(&in, end == WS_SNAPSHOT_MORE ? "more" : "orders_truncated", true);
    }
    expect_end(&in);
}

static void check_trade(test *t)
{
    matching_trade trade = {.instrument = t->instrument->index};
    trade.trade_id = take_number(&t->in, UINT64_MAX);
    trade.price_ticks = take_ticks(&t->in, t->instrument);
    trade.quantity_lots = take_lots(&t->in, t->instrument);
    trade.time_ns = take_number(&t->in, UINT64_MAX);
    trade.buy_order_id = take_number(&t->in, UINT64_MAX);
    trade.sell_order_id = take_number(&t->in, UINT64_MAX);
    static const uint8_t sides[] = {MATCHING_BUY, MATCHING_SELL, MATCHING_SIDE_NONE};
    trade.taker_side = sides[take_byte(&t->in) % 3];
    take_text(&t->in, trade.buyer, MATCHING_TRADER_MAX);
    take_text(&t->in, trade.seller, MATCHING_TRADER_MAX);
    ws_write_trade(&t->writer, t->core, &trade);
    members in = read_said(t, "trade");
    expect_whole(&in, "trade_id", trade.trade_id);
    expect_text(&in, "symbol", t->instrument->symbol);
    expect_text(&in, "buyer", trade.buyer);
    expect_text(&in, "seller", trade.seller);
    expect_price(&in, "price", t->instrument, trade.price_ticks);
    expect_quantity(&in, "quantity", t->instrument, (matching_wide)trade.quantity_lots);
    expect_whole(&in, "timestamp", trade.time_ns / NS_PER_MS);
    expect_whole(&in, "buy_order_id", trade.buy_order_id);
    expect_whole(&in, "sell_order_id", trade.sell_order_id);
    if (trade.taker_side == MATCHING_SIDE_NONE) {
        must(next(&in, "taker_side") == NULL);
    } else {
        expect_text(&in, "taker_side", trade.taker_side == MATCHING_BUY ? "buy" : "sell");
    }
    expect_end(&in);
}

static void check_book_update(test *t)
{
    matching_view_best best = {0};
    best.bid_ticks = take_ticks(&t->in, t->instrument);
    best.bid_lots = take_total(&t->in, t->instrument);
    best.ask_lots = take_total(&t->in, t->instrument);
    int64_t room = INT64_MAX / t->instrument->tick_size - best.bid_ticks;
    int64_t spread = (int64_t)take_number(&t->in, (uint64_t)room);
    best.ask_ticks = spread > 0 ? best.bid_ticks + spread : 0; /* 0: no offers */
    ws_write_book_update(&t->writer, t->instrument, &best);
    members in = read_said(t, "book_update");
    expect_text(&in, "symbol", t->instrument->symbol);
    expect_price_or_null(&in, "best_bid", t->instrument, best.bid_ticks);
    expect_price_or_null(&in, "best_ask", t->instrument, best.ask_ticks);
    expect_price_or_null(&in, "spread", t->instrument, best.bid_ticks > 0 ? spread : 0);
    expect_quantity(&in, "bid_quantity", t->instrument, best.bid_lots);
    expect_quantity(&in, "ask_quantity", t->instrument, best.ask_lots);
    expect_end(&in);
}

static void check_ticker(test *t)
{
    input *from = &t->in;
    const matching_instrument *instrument = t->instrument;
    matching_ticker ticker = {0};
    ticker.last_ticks = take_ticks(from, instrument);
    ticker.open_ticks = take_ticks(from, instrument);
    ticker.high_ticks = take_ticks(from, instrument);
    ticker.low_ticks = take_ticks(from, instrument);
    ticker.volume_lots = take_total(from, instrument);
    ticker.count = take_number(from, UINT64_MAX);
    ticker.bid_ticks = take_ticks(from, instrument);
    ticker.ask_ticks = take_ticks(from, instrument);
    ticker.indicative_ticks = take_ticks(from, instrument);
    ticker.indicative_lots = take_total(from, instrument);
    ticker.time_ns = take_number(from, UINT64_MAX);
    matching_wide turnover = take_number(from, UINT64_MAX);
    matching_turnover_add(&ticker.turnover, turnover);
    ws_write_ticker(&t->writer, t->core, instrument->index, &ticker);
    members in = read_said(t, "ticker");
    expect_text(&in, "symbol", instrument->symbol);
    expect_price_or_null(&in, "last", instrument, ticker.last_ticks);
    expect_price_or_null(&in, "open", instrument, ticker.open_ticks);
    expect_price_or_null(&in, "high", instrument, ticker.high_ticks);
    expect_price_or_null(&in, "low", instrument, ticker.low_ticks);
    expect_quantity(&in, "volume", instrument, ticker.volume_lots);
    matching_wide unit = (matching_wide)instrument->tick_size * (matching_wide)instrument->lot_size;
    check_decimal(next(&in, "quote_volume"), turnover * unit, 16);
    expect_whole(&in, "count", ticker.count);
    expect_price_or_null(&in, "best_bid", instrument, ticker.bid_ticks);
    expect_price_or_null(&in, "best_ask", instrument, ticker.ask_ticks);
    if (ticker.indicative_ticks != 0) {
        expect_price(&in, "indicative_price", instrument, ticker.indicative_ticks);
        expect_quantity(&in, "indicative_quantity", instrument, ticker.indicative_lots);
    }
    expect_whole(&in, "timestamp", ticker.time_ns / NS_PER_MS);
    expect_end(&in);
}

static void check_kline(test *t)
{
    matching_candle candle = {0};
    candle.volume_lots = take_total(&t->in, t->instrument);
    candle.start_s = take_number(&t->in, UINT64_MAX);
    candle.open_ticks = take_ticks(&t->in, t->instrument);
    candle.high_ticks = take_ticks(&t->in, t->instrument);
    candle.low_ticks = take_ticks(&t->in, t->instrument);
    candle.close_ticks = take_ticks(&t->in, t->instrument);
    candle.update_count = take_number(&t->in, UINT64_MAX);
    candle.interval = take_byte(&t->in) % MATCHING_INTERVALS;
    candle.is_final = take_byte(&t->in) % 2;
    ws_write_kline(&t->writer, t->instrument, &candle);
    members in = read_said(t, "kline");
    expect_text(&in, "symbol", t->instrument->symbol);
    expect_text(&in, "interval", matching_interval_name(candle.interval));
    members data = members_of(next(&in, "data"));
    expect_end(&in);
    expect_whole(&data, "time", candle.start_s);
    expect_price(&data, "open", t->instrument, candle.open_ticks);
    expect_price(&data, "high", t->instrument, candle.high_ticks);
    expect_price(&data, "low", t->instrument, candle.low_ticks);
    expect_price(&data, "close", t->instrument, candle.close_ticks);
    expect_quantity(&data, "volume", t->instrument, candle.volume_lots);
    expect_boolean(&data, "is_final", candle.is_final);
    expect_whole(&data, "update_count", candle.update_count);
    expect_end(&data);
}

/* Levels from the best on, as many as there are prices for. */
static size_t take_levels(test *t, matching_side side, matching_level *levels)
{
    size_t wanted = take_byte(&t->in) % (LIST_MAX + 1), count = 0;
    int64_t most = INT64_MAX / t->instrument->tick_size;
    int64_t price = take_ticks(&t->in, t->instrument);
    for (; count < wanted && price > 0; count++) {
        int64_t room = side == MATCHING_BUY ? price : most - price;
        int64_t step = room > 0 ? 1 + (int64_t)take_number(&t->in, (uint64_t)room - 1) : 0;
        levels[count] = (matching_level){.price_ticks = price,
                                         .total_lots = 1 + take_total(&t->in, t->instrument) / 2,
                                         .orders = 1};
        price = step == 0 ? 0 : side == MATCHING_BUY ? price - step : price + step;
    }
    return count;
}

static void expect_levels(test *t, members *in, const char *name, const matching_level *levels,
                          size_t count)
{
    struct json_object *list = next(in, name);
    must(json_object_is_type(list, json_type_array) && json_object_array_length(list) == count);
    for (size_t i = 0; i < count; i++) {
        struct json_object *level = json_object_array_get_idx(list, i);
        must(json_object_is_type(level, json_type_array) && json_object_array_length(level) == 2);
        check_decimal(
            json_object_array_get_idx(level, 0),
            (matching_wide)levels[i].price_ticks * (matching_wide)t->instrument->tick_size, 8);
        check_decimal(json_object_array_get_idx(level, 1),
                      levels[i].total_lots * (matching_wide)t->instrument->lot_size, 8);
    }
}

/* A snapshot of this depth, and the update that leads there from an empty one. */
static void check_depth(test *t)
{
    static matching_depth_step step;
    matching_level bids[LIST_MAX], asks[LIST_MAX];
    matching_depth depth = {.bids = bids, .asks = asks, .bids_complete = 1, .asks_complete = 1};
    depth.sequence = take_number(&t->in, UINT64_MAX);
    bool is_update = take_byte(&t->in) % 2;
    depth.bid_count = (uint32_t)take_levels(t, MATCHING_BUY, bids);
    depth.ask_count = (uint32_t)take_levels(t, MATCHING_SELL, asks);
    matching_depth_view *view = matching_depth_view_create();
    must(view != NULL && matching_depth_view_load(view, &depth));
    bool has_changed = matching_depth_view_step(view, &step);
    if (is_update && has_changed) {
        ws_write_depth_update(&t->writer, t->instrument, &step);
    } else {
        ws_write_depth_snapshot(&t->writer, t->instrument, view);
    }
    members in = read_said(t, is_update && has_changed ? "depth_update" : "depth_snapshot");
    expect_text(&in, "symbol", t->instrument->symbol);
    if (is_update && has_changed) {
        expect_whole(&in, "prev_sequence", 0);
    }
    expect_whole(&in, "sequence", matching_depth_view_sequence(view));
    expect_levels(t, &in, "bids", bids, depth.bid_count);
    expect_levels(t, &in, "asks", asks, depth.ask_count);
    expect_end(&in);
    matching_depth_view_destroy(view);
}

/* ---- All of them ----------------------------------------------------------------------------- */

static void (*const CHECKS[])(test *t) = {
    check_order_ack,
    check_error,
    check_pong,
    check_channels,
    check_cancel_on_disconnect,
    check_cancel_all_ack,
    check_order_update,
    check_orders_snapshot,
    check_trade,
    check_book_update,
    check_ticker,
    check_kline,
    check_depth,
};

/* Units of a cent, the smallest, and large ones that are no power of ten. */
static const matching_core *make_core(void)
{
    static const matching_instrument_options instruments[] = {
        {.symbol = "BTCUSDT", .id = 1, .tick_size = 1000000, .lot_size = 10000},
        {.symbol = "S", .id = 2, .tick_size = 1, .lot_size = 1},
        {.symbol = "SIXTEEN-LETTERS_", .id = 3, .tick_size = 700000000, .lot_size = 12500}};
    matching_core_options options;
    char error[256];
    matching_core_options_default(&options);
    options.instruments = instruments;
    options.instrument_count = sizeof instruments / sizeof instruments[0];
    options.shards = 1;
    options.ring_size = options.max_orders = options.max_traders = 16;
    options.retained_orders = options.recent_trades = 16;
    const matching_core *core = matching_core_create(&options, error, sizeof error);
    must(core != NULL);
    return core;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const matching_core *core; /* kept: its making costs more than a thousand messages */
    core = core == NULL ? make_core() : core;
    test t = {.in = {data, data + size}, .core = core};
    unsigned kind = take_byte(&t.in) % (sizeof CHECKS / sizeof CHECKS[0]);
    t.instrument = matching_core_instrument(core, take_byte(&t.in) % 3);
    t.begin = take_number(&t.in, 1100);
    matching_writer_init(&t.writer);
    for (size_t i = 0; i < t.begin; i++) {
        MATCHING_WRITE(&t.writer, "#");
    }
    take_id(&t);
    CHECKS[kind](&t);
    json_object_put(t.said);
    matching_writer_fini(&t.writer);
    return 0;
}
