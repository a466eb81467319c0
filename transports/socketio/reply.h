/* What the server says: the objects of its events, without the heads of packets.
 *
 * Pure. Any thread, one at a time per writer.
 */
#ifndef MATCHING_SOCKETIO_REPLY_H
#define MATCHING_SOCKETIO_REPLY_H

#include "json_writer.h"
#include "request.h"

/* {"clientId","serverTime" (ms),"supportedSymbols":[...],"supportedIntervals":["s1",...]} */
void sio_write_success(matching_writer *writer, const matching_core *core, const char *client_id,
                       uint64_t now_ms);

/* {"symbol","interval",["subscriptionId"],"success","message"}; label: JSON, "" for none. */
void sio_write_confirmed(matching_writer *writer, const char *symbol, matching_interval interval,
                         const char *label, bool success, const char *message);

/* {"topic",["symbol"],"success","message"}; symbol NULL: the topic is token_events. */
void sio_write_topic_confirmed(matching_writer *writer, const char *symbol, bool success,
                               const char *message);

/* {"symbol","interval",["subscriptionId"],"data":candle,"timestamp" (ms)}: what stands before the
 * subscriptionId, that (label: JSON, "" for none), and what stands behind. */
void sio_begin_kline(matching_writer *writer, const char *symbol, matching_interval interval);
void sio_write_label(matching_writer *writer, const char *label);
void sio_end_kline(matching_writer *writer, const matching_instrument *instrument,
                   const matching_candle *candle, uint64_t now_ms);

/* {"symbol","interval","data":[ ... ],"hasMore"}: what stands before the candles, and behind. */
void sio_begin_history(matching_writer *writer, const char *symbol, matching_interval interval);
void sio_end_history(matching_writer *writer, bool has_more);

/* {"symbol","price","timestamp" (ms),"side"}; side null: an auction's trade. */
void sio_write_price(matching_writer *writer, const matching_instrument *instrument,
                     int64_t price_ticks, uint64_t time_ns, uint8_t side);

/* {"code","message","data":{["event"],["field"]}}; event "": unknown. */
void sio_write_error(matching_writer *writer, const sio_error *error, const char *event);

#endif
