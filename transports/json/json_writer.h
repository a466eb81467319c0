/* JSON output: a bounded growing buffer and writers for what every door prints.
 *
 * Numbers are exact decimals, never floating point. Any thread, one at a time per writer; only the
 * order results read a clock (latency_us). A writer that could not get memory, or would pass
 * MATCHING_WRITER_MAX, sets `failed` and ignores what follows; check it once at the end.
 */
#ifndef MATCHING_JSON_WRITER_H
#define MATCHING_JSON_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "matching/candles.h"
#include "matching/core.h"
#include "matching/event.h"
#include "matching/gateway.h"
#include "matching/port.h"

#define MATCHING_WRITER_MAX (64u << 20) /* bytes; more than the largest reply needs */

typedef struct matching_writer {
    char *data; /* heap, owned by the writer; not NUL-terminated; NULL before the first write */
    size_t length, capacity;
    bool failed;
} matching_writer;

void matching_writer_init(matching_writer *writer);
void matching_writer_fini(matching_writer *writer);

/* Empties it and keeps its memory for the next text. */
static inline void matching_writer_clear(matching_writer *writer)
{
    writer->length = 0;
    writer->failed = false;
}

/* Gives the text away: the caller frees it with free(). The writer is as after init. NULL if it is
 * empty or has failed. */
char *matching_writer_take(matching_writer *writer, size_t *length);

/* Room for `wanted` more bytes, at the end of the text; NULL: the writer has failed. What is put
 * there counts once matching_writer_advance has said how much it is. */
char *matching_writer_grow(matching_writer *writer, size_t wanted);
static inline char *matching_writer_reserve(matching_writer *writer, size_t wanted)
{
    return wanted <= writer->capacity - writer->length && !writer->failed
               ? writer->data + writer->length
               : matching_writer_grow(writer, wanted);
}
static inline void matching_writer_advance(matching_writer *writer, size_t length)
{
    writer->length += length;
}

/* Raw text as it is; a literal. */
static inline void matching_write(matching_writer *writer, const char *text, size_t length)
{
    char *out = matching_writer_reserve(writer, length);
    if (out != NULL && length > 0) {
        memcpy(out, text, length);
        matching_writer_advance(writer, length);
    }
}
#define MATCHING_WRITE(writer, literal) matching_write((writer), "" literal, sizeof(literal) - 1)

/* A JSON string with quotes and escapes (RFC 8259 section 7). The text must be UTF-8; it may hold
 * NUL. */
void matching_write_string(matching_writer *writer, const char *text, size_t length);
void matching_write_cstring(matching_writer *writer, const char *text);
void matching_write_integer(matching_writer *writer, int64_t value);
void matching_write_unsigned(matching_writer *writer, uint64_t value);
void matching_write_decimal(matching_writer *writer, int64_t mantissa);
/* lots x lot_size of a 128-bit sum. */
void matching_write_total(matching_writer *writer, matching_wide lots, int64_t lot_size);
/* The same of a sum of ticks x lots. */
void matching_write_turnover(matching_writer *writer, const matching_turnover *turnover,
                             const matching_instrument *instrument);

/* An error of REST: {"error":message,"code":"INVALID_PRICE",["field":"price"],["order_id":7]}. */
void matching_write_error(matching_writer *writer, const matching_error *error);

/* Its members but for the message, without braces, for doors that wrap them otherwise:
 * "code":"INVALID_PRICE",["field":"price"],["order_id":7]. */
void matching_write_error_members(matching_writer *writer, const matching_error *error);

/* The Order object of the contract, fields without a value left out: {"order_id":...}; expire_time
 * too where the order has one. With `open_ended` the closing brace is left out so that members can
 * follow (begin them with a comma). */
void matching_write_order(matching_writer *writer, const matching_core *core,
                          const matching_order *order, bool open_ended);

/* {"trade_id":1,"symbol":...,"buyer":...,"seller":...,"price":...,"quantity":...,"timestamp":ms,
 *  "buy_order_id":...,"sell_order_id":...,"taker_side":"buy"} ; taker_side null: auction. */
void matching_write_trade(matching_writer *writer, const matching_core *core,
                          const matching_trade *trade, bool open_ended);

/* The body that answers an order entry or amend over REST and JSON-RPC:
 * {"order_id","status","symbol","filled_quantity","remaining_quantity",["client_order_id","reason",
 *  "average_price"],"trades":[...],["trades_truncated":true],"latency_us"}. */
void matching_write_order_result(matching_writer *writer, const matching_core *core,
                                 const matching_reply *reply);

/* {"success":true,"message":...,"order_id",["client_order_id"],"status","reason","filled_quantity",
 *  "remaining_quantity"} */
void matching_write_cancel_result(matching_writer *writer, const matching_core *core,
                                  const matching_reply *reply);

/* {"order_ids":[...],["order_ids_truncated":true]} */
void matching_write_cancel_all_result(matching_writer *writer, const matching_reply *reply);

/* {"orders":[...]} */
void matching_write_orders(matching_writer *writer, const matching_core *core,
                           const matching_reply *reply);

/* {"symbol","sequence","best_bid","best_ask","spread","bids":[[price,quantity,orders],...],"asks"};
 * best_bid, best_ask and spread are null where there is none and while the book is crossed. */
void matching_write_depth(matching_writer *writer, const matching_core *core, size_t instrument,
                          const matching_depth *depth);

/* {"symbol","best_bid","best_ask","spread","bid_quantity","ask_quantity"} of a depth read with at
 * least one level. Prices null as above, and then the quantity is 0. */
void matching_write_book_status(matching_writer *writer, const matching_core *core,
                                size_t instrument, const matching_depth *depth);

/* {"symbol","last","open","high","low","volume","quote_volume","count","best_bid","best_ask",
 *  ["indicative_price","indicative_quantity"],"timestamp"}; prices null where there is none, the
 * indicative ones only while the book is crossed. quote_volume has up to 16 decimals. */
void matching_write_ticker(matching_writer *writer, const matching_core *core, size_t instrument,
                           const matching_ticker *ticker);

/* {"trades":[...]} */
void matching_write_trades(matching_writer *writer, const matching_core *core,
                           const matching_reply *reply);

/* A candle: {"time","open","high","low","close","volume","is_final","update_count"}; time in Unix
 * seconds. */
void matching_write_candle(matching_writer *writer, const matching_instrument *instrument,
                           const matching_candle *candle);

/* {"klines":[...]} of a read of candles. */
void matching_write_klines(matching_writer *writer, const matching_core *core, size_t instrument,
                           const matching_reply *reply);

/* What answers an addition, and tells of it: {"symbol","id","tick_size","lot_size","timestamp"}. */
void matching_write_token_created(matching_writer *writer, const matching_instrument *instrument,
                                  uint64_t time_ns);

/* {"symbols":[{"symbol","id","tick_size","lot_size","state"},...]} */
void matching_write_symbols(matching_writer *writer, const matching_core *core);

/* What GET /health answers: {"status":"healthy"|"failing","service":...,members...,["shards":
 * [{"shard":0,"failed":reason},...]]}. members: further ones as JSON text, each with the comma
 * before it; "" for none. Returns whether all shards are healthy; only if not are they listed,
 * those that are not. */
bool matching_write_health(matching_writer *writer, const matching_core *core, const char *service,
                           const char *members);

/* A refusal of the engine, or of history, as a matching_error (message from code and field, other
 * order's id). History that is catching up is OVERLOADED: asked again later it answers. */
void matching_reply_error(const matching_reply *reply, matching_error *error);

#endif
