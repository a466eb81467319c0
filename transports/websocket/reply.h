/* The codec, outbound: replies and feeds as JSON, one object a call, appended to a writer.
 *
 * Pure. `id` is the client's, as JSON; length 0 leaves it out. Any thread.
 */
#ifndef MATCHING_WEBSOCKET_REPLY_H
#define MATCHING_WEBSOCKET_REPLY_H

#include "json_writer.h"
#include "matching/depth_view.h"
#include "message.h"

void ws_write_error(matching_writer *writer, const ws_error *error, matching_text id);
void ws_write_pong(matching_writer *writer, uint64_t timestamp_ms, matching_text id);

/* name: "subscribed" or "unsubscribed". */
void ws_write_channels(matching_writer *writer, const char *name, unsigned channels,
                       matching_text id);

/* {"type":"cancel_on_disconnect","enabled":true,[id]} */
void ws_write_cancel_on_disconnect(matching_writer *writer, bool enabled, matching_text id);

/* Of an entry, a cancel or an amend. now_ns: matching_monotonic_ns, for latency_us. */
void ws_write_order_ack(matching_writer *writer, const matching_core *core,
                        const matching_reply *reply, uint64_t now_ns, matching_text id);
void ws_write_cancel_all_ack(matching_writer *writer, const matching_reply *reply,
                             matching_text id);

/* event NULL: the answer to get_order. */
void ws_write_order_update(matching_writer *writer, const matching_core *core,
                           const matching_order *order, const matching_event *event,
                           matching_text id);

/* What comes behind the orders of a message: nothing; further ones in the next message ("more");
 * what could not be read ("orders_truncated"). */
typedef enum ws_snapshot_end {
    WS_SNAPSHOT_WHOLE = 0,
    WS_SNAPSHOT_MORE,
    WS_SNAPSHOT_TRUNCATED
} ws_snapshot_end;

/* {"type":"orders_snapshot","orders":[...]}, with "more":true or "orders_truncated":true. */
void ws_write_orders_snapshot(matching_writer *writer, const matching_core *core,
                              const matching_order *orders, size_t count, ws_snapshot_end end);

void ws_write_trade(matching_writer *writer, const matching_core *core,
                    const matching_trade *trade);
void ws_write_book_update(matching_writer *writer, const matching_instrument *instrument,
                          const matching_view_best *best);
void ws_write_ticker(matching_writer *writer, const matching_core *core, size_t instrument,
                     const matching_ticker *ticker);
void ws_write_kline(matching_writer *writer, const matching_instrument *instrument,
                    const matching_candle *candle);
void ws_write_depth_snapshot(matching_writer *writer, const matching_instrument *instrument,
                             const matching_depth_view *view);
void ws_write_depth_update(matching_writer *writer, const matching_instrument *instrument,
                           const matching_depth_step *step);

#endif
