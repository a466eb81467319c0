/* The ops of the WebSocket door, and what it hooks into the server of WebSockets.
 *
 * Invariants: whatever init took is given back by fini, also after a failure half way.
 */
#include "websocket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "door.h"

static void on_turn(wire_server *server)
{
    ws_door *door = (ws_door *)server;
    ws_feeds_publish(door);
    ws_feeds_load(door);
    ws_tickers_read(door);
    ws_orders_submit(door);
    ws_klines_turn(door);
}

static void on_second(wire_server *server)
{
    ws_door *door = (ws_door *)server;
    ws_tickers_second(door);
    ws_feeds_second(door);
}

static void on_round(struct ev_loop *loop, ev_timer *watcher, int events)
{
    (void)loop;
    (void)watcher;
    (void)events; /* the turn that follows does the work */
}

static bool on_refresh(wire_peer *peer)
{
    return ws_refresh((ws_connection *)peer);
}

static void on_closed(wire_peer *peer)
{
    ws_connection *connection = (ws_connection *)peer;
    ws_unsubscribe_all(connection);
    free(connection->subscriptions);
}

static const wire_handlers HANDLERS = {
    .peer_size = sizeof(ws_connection),
    .on_message = ws_on_message,
    .on_other_kind = ws_on_binary,
    .describe = ws_describe,
    .refresh = on_refresh,
    .on_closed = on_closed,
    .on_turn = on_turn,
    .on_second = on_second,
    .port = {.on_reply = ws_on_reply, .on_event = ws_on_event, .on_lapped = ws_on_lapped},
};

static wire_settings settings_of(const matching_config *config)
{
    return (wire_settings){
        .name = "websocket",
        .port_how = "--ws-port, WS_PORT or [websocket] port",
        .path = "/ws",
        .service = "websocket-matching-service",
        .service_members = ",\"protocol\":\"ws\"",
        .kind = WIRE_OPCODE_TEXT,
        .cors = &config->websocket.cors,
        .port = config->websocket.port,
        .max_connections = config->websocket.max_connections,
        .max_message_bytes = config->websocket.max_message_bytes,
        .heartbeat_interval_s = config->websocket.heartbeat_interval_s,
        .client_timeout_s = config->websocket.client_timeout_s,
        .max_queue_bytes = config->websocket.max_queue_bytes,
        .max_total_queue_bytes = config->websocket.max_total_queue_bytes,
        .offers_deflate = config->websocket.permessage_deflate,
        .batch_messages = config->websocket.message_batch_size,
        .batch_timeout_ms = config->websocket.message_batch_timeout_ms,
        .spans = {.upgrade = "websocket.upgrade",
                  .connection = "websocket.connection",
                  .message = "websocket.message.handle",
                  .broadcast = "websocket.broadcast"},
    };
}

static int ws_init(matching_transport *transport)
{
    ws_door *door = calloc(1, sizeof *door);
    if (door == NULL) {
        snprintf(transport->error, sizeof transport->error, "out of memory");
        return -ENOMEM;
    }
    transport->state = door;
    door->settings = settings_of(transport->config);
    ev_timer_init(&door->round, on_round, 0., 0.);
    ev_timer_init(&door->candle, on_round, 0., 0.);
    ws_pending_init(&door->pending);
    int result = wire_server_init(&door->server, transport, &door->settings, &HANDLERS);
    door->feeds.port = door->server.port;
    if (result == 0 && !ws_feeds_init(door)) {
        snprintf(transport->error, sizeof transport->error, "out of memory for instruments");
        result = -ENOMEM;
    }
    return result;
}

static int ws_start(matching_transport *transport)
{
    ws_door *door = transport->state;
    return wire_server_start(&door->server);
}

static void ws_stop(matching_transport *transport)
{
    ws_door *door = transport->state;
    if (door != NULL) {
        wire_server_stop(&door->server);
    }
}

static void ws_fini(matching_transport *transport)
{
    ws_door *door = transport->state;
    if (door == NULL) {
        return;
    }
    wire_server_disconnect(&door->server);
    ws_feeds_fini(door);
    ws_pending_fini(&door->pending);
    wire_server_fini(&door->server);
    free(door);
    transport->state = NULL;
}

const matching_transport_ops matching_websocket_transport = {
    .name = "websocket",
    .init = ws_init,
    .start = ws_start,
    .stop = ws_stop,
    .fini = ws_fini,
};
