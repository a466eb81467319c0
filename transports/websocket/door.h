/* What the files of this door share: its state, its connections, its limits.
 *
 * Sockets, frames, queues and the loop are transports/wire's; what happens to a slow client stands
 * in its peer.h.
 *
 * Thread: all of it belongs to the loop's thread while that runs.
 */
#ifndef MATCHING_WEBSOCKET_DOOR_H
#define MATCHING_WEBSOCKET_DOOR_H

#include "feeds.h"
#include "peer.h"
#include "pending.h"

#define WS_TICKER_INTERVAL_MS 100u /* changes of tickers are told in rounds, this far apart */
#define WS_KLINES_KEPT 64u         /* final candles of an interval, for followers who are behind */

struct ws_door {
    wire_server server; /* first: one leads to the other */
    wire_settings settings;
    ev_timer round;  /* runs while a ticker waits for the next round */
    ev_timer candle; /* runs until a candle ends, or may be told again */
    ws_pending_table pending;
    ws_feeds feeds;
};

struct ws_connection {
    wire_peer peer;      /* first, likewise */
    unsigned faults;     /* errors in a row */
    uint64_t allowed_ns; /* commands.c: how far the messages so far have used up what it may send */

    ws_subscription *subscriptions;
    size_t subscription_count, subscription_room;
    size_t stale_count;   /* subscriptions that wait for a fresh snapshot */
    ws_orders_list reads; /* snapshots of orders, the first of which is being made */
};

static inline ws_door *ws_door_of(const ws_connection *connection)
{
    return (ws_door *)connection->peer.server;
}

/* NULL: it is gone. */
static inline ws_connection *ws_connection_find(const ws_door *door, uint32_t slot,
                                                uint32_t generation)
{
    return (ws_connection *)wire_peer_find(&door->server, slot, generation);
}

/* commands.c, for the server: a whole text message has come in, or a binary one; what such a text
 * is; a reply has come back. */
void ws_on_message(wire_peer *peer, const char *text, size_t length);
void ws_on_binary(wire_peer *peer);
void ws_describe(wire_peer *peer, const char *text, size_t length, wire_message_facts *facts);
void ws_on_reply(void *door, const matching_reply *reply);

#endif
