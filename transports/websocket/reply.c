/* What the server says: names and order of members as the contract has them, `type` first, `id`
 * last.
 *
 * Not a judge of who may see it, nor of when it is sent.
 */
#include "reply.h"

#include <string.h>

#define MEMBER(writer, name) MATCHING_WRITE(writer, ",\"" name "\":")

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_US UINT64_C(1000)

static void write_id(matching_writer *writer, matching_text id)
{
    if (id.length > 0) {
        MEMBER(writer, "id");
        matching_write(writer, id.data, id.length);
    }
}

static void finish(matching_writer *writer, matching_text id)
{
    write_id(writer, id);
    MATCHING_WRITE(writer, "}");
}

/* The shared writers begin an object of their own. Written behind {"type":"x" it becomes one with
 * that: its brace, which stands at `brace`, turns into a comma. */
static void join(matching_writer *writer, size_t brace)
{
    if (!writer->failed && brace < writer->length && writer->data[brace] == '{') {
        writer->data[brace] = ',';
    }
}

static void write_quantity(matching_writer *writer, const matching_instrument *instrument,
                           int64_t lots)
{
    matching_write_decimal(writer, matching_quantity_of(instrument, lots));
}

/* 0: there is none. */
static void write_price(matching_writer *writer, const matching_instrument *instrument,
                        int64_t ticks)
{
    if (ticks == 0) {
        MATCHING_WRITE(writer, "null");
    } else {
        matching_write_decimal(writer, matching_price_of(instrument, ticks));
    }
}

void ws_write_error(matching_writer *writer, const ws_error *error, matching_text id)
{
    MATCHING_WRITE(writer, "{\"type\":\"error\",\"code\":");
    matching_write_cstring(writer, matching_code_name(error->code));
    MEMBER(writer, "message");
    matching_write_cstring(writer, error->message);
    if (error->field[0] != '\0') {
        MEMBER(writer, "field");
        matching_write_cstring(writer, error->field);
    }
    if (error->order_id != 0) {
        MEMBER(writer, "order_id");
        matching_write_unsigned(writer, error->order_id);
    }
    finish(writer, id);
}

void ws_write_pong(matching_writer *writer, uint64_t timestamp_ms, matching_text id)
{
    MATCHING_WRITE(writer, "{\"type\":\"pong\",\"timestamp\":");
    matching_write_unsigned(writer, timestamp_ms);
    finish(writer, id);
}

void ws_write_channels(matching_writer *writer, const char *name, unsigned channels,
                       matching_text id)
{
    MATCHING_WRITE(writer, "{\"type\":");
    matching_write_cstring(writer, name);
    MATCHING_WRITE(writer, ",\"channels\":[");
    bool first = true;
    for (unsigned channel = 0; channel < WS_CHANNEL_COUNT; channel++) {
        if (channels & WS_CHANNEL_BIT(channel)) {
            if (!first) {
                MATCHING_WRITE(writer, ",");
            }
            matching_write_cstring(writer, ws_channel_name((ws_channel)channel));
            first = false;
        }
    }
    MATCHING_WRITE(writer, "]");
    finish(writer, id);
}

void ws_write_cancel_on_disconnect(matching_writer *writer, bool enabled, matching_text id)
{
    MATCHING_WRITE(writer, "{\"type\":\"cancel_on_disconnect\",\"enabled\":");
    if (enabled) {
        MATCHING_WRITE(writer, "true");
    } else {
        MATCHING_WRITE(writer, "false");
    }
    finish(writer, id);
}

/* ---- order_ack -------------------------------------------------------------------------------
 *
 * There are as many of them as of orders, so they are put straight into the buffer: one check for
 * room, texts of a fixed size that are copied with a few moves.
 */

#define PIECE_MAX 32

/* A text of at most PIECE_MAX bytes. All of them are copied; what follows lies over the rest. */
typedef struct piece {
    char text[PIECE_MAX];
    uint8_t length;
} piece;

#define PIECE(literal)                                                                             \
    {                                                                                              \
        literal, sizeof literal - 1                                                                \
    }

static const piece STATUS[] = {
    [MATCHING_OPEN] = PIECE(",\"status\":\"open\""),
    [MATCHING_PARTIAL] = PIECE(",\"status\":\"partial\""),
    [MATCHING_FILLED] = PIECE(",\"status\":\"filled\""),
    [MATCHING_CANCELLED] = PIECE(",\"status\":\"cancelled\""),
    [MATCHING_UNTRIGGERED] = PIECE(",\"status\":\"untriggered\""),
};

/* Numbers and fixed texts: six of the one, each shorter than PIECE_MAX, and less than 200 bytes of
 * the other. */
#define ACK_ROOM 512u

#define PUT(at, literal)                                                                           \
    ((char *)memcpy((at), "" literal, sizeof(literal) - 1) + sizeof(literal) - 1)

static char *put_piece(char *at, const piece *text)
{
    memcpy(at, text->text, sizeof text->text);
    return at + text->length;
}

static char *put_quantity(char *at, const matching_instrument *instrument, int64_t lots)
{
    return at + matching_decimal_print(at, matching_quantity_of(instrument, lots));
}

/* Up to what not every order has. */
static void write_ack_head(matching_writer *writer, const matching_instrument *instrument,
                           const matching_order *order, uint64_t latency_us)
{
    static const piece no_status = PIECE(",\"status\":\"\"");
    char *out = matching_writer_reserve(writer, ACK_ROOM);
    if (out == NULL) {
        return;
    }
    char *at = PUT(out, "{\"type\":\"order_ack\",\"order_id\":");
    at += matching_unsigned_print(at, order->order_id);
    at = put_piece(at, order->status < sizeof STATUS / sizeof STATUS[0] ? &STATUS[order->status]
                                                                        : &no_status);
    at = PUT(at, ",\"latency_us\":");
    at += matching_unsigned_print(at, latency_us);
    at = PUT(at, ",\"symbol\":\"");
    memcpy(at, instrument->symbol, MATCHING_SYMBOL_MAX); /* letters that need no escape */
    at += strlen(instrument->symbol);
    at = PUT(at, "\",\"filled_quantity\":");
    at = put_quantity(at, instrument, order->filled_lots);
    at = PUT(at, ",\"remaining_quantity\":");
    at = put_quantity(at, instrument, order->quantity_lots - order->filled_lots);
    matching_writer_advance(writer, (size_t)(at - out));
}

void ws_write_order_ack(matching_writer *writer, const matching_core *core,
                        const matching_reply *reply, uint64_t now_ns, matching_text id)
{
    const matching_order *order = &reply->order;
    uint64_t latency_ns = now_ns > reply->received_ns ? now_ns - reply->received_ns : 0;
    write_ack_head(writer, matching_core_instrument(core, order->instrument), order,
                   latency_ns / NS_PER_US);
    if (order->client_order_id[0] != '\0') {
        MEMBER(writer, "client_order_id");
        matching_write_cstring(writer, order->client_order_id);
    }
    if (order->reason != MATCHING_REASON_NONE) {
        MEMBER(writer, "reason");
        matching_write_cstring(writer, matching_reason_name(order->reason));
    }
    finish(writer, id);
}

void ws_write_cancel_all_ack(matching_writer *writer, const matching_reply *reply, matching_text id)
{
    MATCHING_WRITE(writer, "{\"type\":\"cancel_all_ack\",\"order_ids\":[");
    for (size_t i = 0; i < reply->order_id_count; i++) {
        if (i > 0) {
            MATCHING_WRITE(writer, ",");
        }
        matching_write_unsigned(writer, reply->order_ids[i]);
    }
    MATCHING_WRITE(writer, "]");
    if (reply->ids_truncated) {
        MATCHING_WRITE(writer, ",\"order_ids_truncated\":true");
    }
    finish(writer, id);
}

void ws_write_order_update(matching_writer *writer, const matching_core *core,
                           const matching_order *order, const matching_event *event,
                           matching_text id)
{
    const matching_instrument *instrument = matching_core_instrument(core, order->instrument);
    MATCHING_WRITE(writer, "{\"type\":\"order_update\"");
    size_t brace = writer->length;
    matching_write_order(writer, core, order, true);
    join(writer, brace);
    if (event != NULL && event->order.trade_id != 0) {
        MEMBER(writer, "last_price");
        write_price(writer, instrument, event->order.last_price_ticks);
        MEMBER(writer, "last_quantity");
        write_quantity(writer, instrument, event->order.last_quantity_lots);
        MEMBER(writer, "trade_id");
        matching_write_unsigned(writer, event->order.trade_id);
    }
    MEMBER(writer, "timestamp");
    matching_write_unsigned(writer,
                            (event != NULL ? event->time_ns : order->updated_ns) / NS_PER_MS);
    finish(writer, id);
}

void ws_write_orders_snapshot(matching_writer *writer, const matching_core *core,
                              const matching_order *orders, size_t count, ws_snapshot_end end)
{
    MATCHING_WRITE(writer, "{\"type\":\"orders_snapshot\",\"orders\":[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            MATCHING_WRITE(writer, ",");
        }
        matching_write_order(writer, core, &orders[i], false);
    }
    MATCHING_WRITE(writer, "]");
    if (end == WS_SNAPSHOT_MORE) {
        MATCHING_WRITE(writer, ",\"more\":true");
    } else if (end == WS_SNAPSHOT_TRUNCATED) {
        MATCHING_WRITE(writer, ",\"orders_truncated\":true");
    }
    MATCHING_WRITE(writer, "}");
}

void ws_write_trade(matching_writer *writer, const matching_core *core, const matching_trade *trade)
{
    MATCHING_WRITE(writer, "{\"type\":\"trade\"");
    size_t brace = writer->length;
    matching_write_trade(writer, core, trade, false);
    join(writer, brace);
}

void ws_write_book_update(matching_writer *writer, const matching_instrument *instrument,
                          const matching_view_best *best)
{
    MATCHING_WRITE(writer, "{\"type\":\"book_update\",\"symbol\":");
    matching_write_cstring(writer, instrument->symbol);
    MEMBER(writer, "best_bid");
    write_price(writer, instrument, best->bid_ticks);
    MEMBER(writer, "best_ask");
    write_price(writer, instrument, best->ask_ticks);
    MEMBER(writer, "spread");
    bool both = best->bid_ticks != 0 && best->ask_ticks != 0;
    write_price(writer, instrument, both ? best->ask_ticks - best->bid_ticks : 0);
    MEMBER(writer, "bid_quantity");
    matching_write_total(writer, best->bid_lots, instrument->lot_size);
    MEMBER(writer, "ask_quantity");
    matching_write_total(writer, best->ask_lots, instrument->lot_size);
    MATCHING_WRITE(writer, "}");
}

void ws_write_ticker(matching_writer *writer, const matching_core *core, size_t instrument,
                     const matching_ticker *ticker)
{
    MATCHING_WRITE(writer, "{\"type\":\"ticker\"");
    size_t brace = writer->length;
    matching_write_ticker(writer, core, instrument, ticker);
    join(writer, brace);
}

static void write_level(matching_writer *writer, const matching_instrument *instrument,
                        const matching_view_level *level, bool first)
{
    if (!first) {
        MATCHING_WRITE(writer, ",");
    }
    MATCHING_WRITE(writer, "[");
    write_price(writer, instrument, level->price_ticks);
    MATCHING_WRITE(writer, ",");
    matching_write_total(writer, level->total_lots, instrument->lot_size);
    MATCHING_WRITE(writer, "]");
}

void ws_write_kline(matching_writer *writer, const matching_instrument *instrument,
                    const matching_candle *candle)
{
    MATCHING_WRITE(writer, "{\"type\":\"kline\",\"symbol\":");
    matching_write_cstring(writer, instrument->symbol);
    MATCHING_WRITE(writer, ",\"interval\":");
    matching_write_cstring(writer, matching_interval_name(candle->interval));
    MATCHING_WRITE(writer, ",\"data\":");
    matching_write_candle(writer, instrument, candle);
    MATCHING_WRITE(writer, "}");
}

void ws_write_depth_snapshot(matching_writer *writer, const matching_instrument *instrument,
                             const matching_depth_view *view)
{
    MATCHING_WRITE(writer, "{\"type\":\"depth_snapshot\",\"symbol\":");
    matching_write_cstring(writer, instrument->symbol);
    MEMBER(writer, "sequence");
    matching_write_unsigned(writer, matching_depth_view_sequence(view));
    MATCHING_WRITE(writer, ",\"bids\":[");
    for (size_t i = 0; i < matching_depth_view_count(view, MATCHING_BUY); i++) {
        write_level(writer, instrument, matching_depth_view_level(view, MATCHING_BUY, i), i == 0);
    }
    MATCHING_WRITE(writer, "],\"asks\":[");
    for (size_t i = 0; i < matching_depth_view_count(view, MATCHING_SELL); i++) {
        write_level(writer, instrument, matching_depth_view_level(view, MATCHING_SELL, i), i == 0);
    }
    MATCHING_WRITE(writer, "]}");
}

void ws_write_depth_update(matching_writer *writer, const matching_instrument *instrument,
                           const matching_depth_step *step)
{
    MATCHING_WRITE(writer, "{\"type\":\"depth_update\",\"symbol\":");
    matching_write_cstring(writer, instrument->symbol);
    MEMBER(writer, "prev_sequence");
    matching_write_unsigned(writer, step->prev_sequence);
    MEMBER(writer, "sequence");
    matching_write_unsigned(writer, step->sequence);
    MATCHING_WRITE(writer, ",\"bids\":[");
    for (size_t i = 0; i < step->counts[MATCHING_BUY]; i++) {
        write_level(writer, instrument, &step->changes[MATCHING_BUY][i], i == 0);
    }
    MATCHING_WRITE(writer, "],\"asks\":[");
    for (size_t i = 0; i < step->counts[MATCHING_SELL]; i++) {
        write_level(writer, instrument, &step->changes[MATCHING_SELL][i], i == 0);
    }
    MATCHING_WRITE(writer, "]}");
}
