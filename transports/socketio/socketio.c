/* The ops of the Socket.IO door, and what it hooks into the server of WebSockets.
 *
 * Invariants: whatever init took is given back by fini, also after a failure half way.
 */
#include "socketio.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "door.h"

/* Engine.IO has heartbeats of its own (session.h); the server's frames are for what never becomes
 * one. */
#define FRAME_HEARTBEAT_S 3600u
#define FRAME_TIMEOUT_S 7200u
#define MS_PER_S 1000u
#define BEAT_S 0.25 /* how late a ping may be */

static void on_turn(wire_server *server)
{
    sio_door *door = sio_door_of(server);
    if (!ev_is_active(&door->beat)) {
        ev_timer_start(server->loop, &door->beat);
    }
    sio_markets_turn(door);
    sio_history_turn(door);
    sio_clients_turn(door);
}

static void on_beat(struct ev_loop *loop, ev_timer *watcher, int events)
{
    (void)loop;
    (void)events;
    sio_clients_beat(watcher->data);
}

static void on_round(struct ev_loop *loop, ev_timer *watcher, int events)
{
    (void)loop;
    (void)watcher;
    (void)events; /* the turn that follows does the work */
}

static bool on_refresh(wire_peer *peer)
{
    sio_client *client = ((sio_connection *)peer)->client;
    if (client == NULL || client->peer != peer) {
        return false;
    }
    sio_history_drained(client);
    return client->stale_count > 0 &&
           wire_outbox_length(&peer->outbox) <= peer->server->limits.fresh && sio_refresh(client);
}

static const wire_handlers HANDLERS = {
    .peer_size = sizeof(sio_connection),
    .on_open = sio_on_open,
    .on_message = sio_on_message,
    .on_other_kind = sio_on_binary,
    .describe = sio_describe,
    .refresh = on_refresh,
    .on_closed = sio_on_closed,
    .on_request = sio_on_request,
    .on_body = sio_on_body,
    .on_gone = sio_on_gone,
    .judge_upgrade = sio_judge_upgrade,
    .on_turn = on_turn,
    .port = {.on_reply = sio_on_reply, .on_event = sio_on_event, .on_lapped = sio_on_lapped},
};

static wire_settings settings_of(const matching_config *config)
{
    return (wire_settings){
        .name = "socketio",
        .port_how = "--socketio-port, SOCKETIO_PORT or [socketio] port",
        .path = SIO_PATH,
        .service = "socketio-matching-service",
        .service_members = ",\"protocol\":\"socket.io\"",
        .kind = WIRE_OPCODE_TEXT,
        .cors = &config->socketio.cors,
        .port = config->socketio.port,
        .max_connections = config->socketio.max_connections,
        .max_sessions = config->socketio.max_connections,     /* all may poll */
        .http_connections = config->socketio.max_connections, /* a GET each, and POSTs */
        .max_message_bytes = config->socketio.max_message_bytes,
        .heartbeat_interval_s = FRAME_HEARTBEAT_S,
        .client_timeout_s = FRAME_TIMEOUT_S,
        .max_queue_bytes = config->socketio.max_queue_bytes,
        .max_total_queue_bytes = config->socketio.max_total_queue_bytes,
        .spans = {.upgrade = "socketio.upgrade",
                  .connection = "socketio.connection",
                  .message = "socketio.message.handle",
                  .broadcast = "socketio.broadcast"},
    };
}

static int sio_init(matching_transport *transport)
{
    sio_door *door = calloc(1, sizeof *door);
    if (door == NULL) {
        snprintf(transport->error, sizeof transport->error, "out of memory");
        return -ENOMEM;
    }
    const matching_config *config = transport->config;
    transport->state = door;
    door->settings = settings_of(config);
    door->terms = (eio_terms){.ping_interval_ms = config->socketio.ping_interval_s * MS_PER_S,
                              .ping_timeout_ms = config->socketio.ping_timeout_s * MS_PER_S,
                              .max_payload = config->socketio.max_message_bytes};
    ev_timer_init(&door->round, on_round, 0., 0.);
    ev_timer_init(&door->beat, on_beat, BEAT_S, BEAT_S);
    door->beat.data = door;
    int result = wire_server_init(&door->server, transport, &door->settings, &HANDLERS);
    if (result == 0 &&
        !(sio_rooms_init(door) && sio_markets_init(door) && sio_clients_init(door))) {
        snprintf(transport->error, sizeof transport->error,
                 "out of memory for clients and instruments");
        result = -ENOMEM;
    }
    return result;
}

static int sio_start(matching_transport *transport)
{
    sio_door *door = transport->state;
    return wire_server_start(&door->server);
}

static void sio_stop(matching_transport *transport)
{
    sio_door *door = transport->state;
    if (door != NULL) {
        wire_server_stop(&door->server);
    }
}

static void sio_fini(matching_transport *transport)
{
    sio_door *door = transport->state;
    if (door == NULL) {
        return;
    }
    wire_server_disconnect(&door->server);
    sio_clients_fini(door);
    sio_markets_fini(door);
    sio_rooms_fini(door);
    wire_server_fini(&door->server);
    free(door);
    transport->state = NULL;
}

const matching_transport_ops matching_socketio_transport = {
    .name = "socketio",
    .init = sio_init,
    .start = sio_start,
    .stop = sio_stop,
    .fini = sio_fini,
};
