/* The ops of the SBE door, and what it hooks into the server of WebSockets.
 *
 * Invariants: whatever init took is given back by fini, also after a failure half way.
 */
#include "sbe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "door.h"

#define COMMANDS_AT_ONCE 256u /* what they touch fits into the near caches */

static void on_open(wire_peer *peer)
{
    sbe_connection *connection = (sbe_connection *)peer;
    wire_mark_dirty(peer); /* it is owed the instruments */
    sbe_tell_open(connection);
}

static void on_closed(wire_peer *peer)
{
    sbe_connection *connection = (sbe_connection *)peer;
    sbe_door *door = sbe_door_of(connection);
    sbe_unsubscribe_all(connection);
    sbe_mass_release(door, connection);
    sbe_working_release(&door->working, connection);
    sbe_owed_fini(&connection->owed);
    free(connection->subscriptions);
    free(connection->following);
    free(connection->rest);
    sbe_tell_closed(connection);
}

static void on_fault(wire_peer *peer, const char *text)
{
    sbe_tell_error((const sbe_connection *)peer, 0, text);
}

static bool on_refresh(wire_peer *peer)
{
    sbe_connection *connection = (sbe_connection *)peer;
    if (sbe_door_of(connection)->takes_trades_only) {
        return false;
    }
    bool any = sbe_refresh(connection);
    return sbe_go_on(connection) || any;
}

static bool is_owed(const wire_peer *peer)
{
    const sbe_connection *connection = (const sbe_connection *)peer;
    return sbe_owed_count(&connection->owed) > 0 || connection->rest != NULL;
}

static void on_event(void *context, unsigned shard, uint64_t position, const matching_event *event,
                     const matching_order *order)
{
    sbe_door *door = context;
    sbe_working_passed(&door->working, shard, position);
    switch (event->kind) {
    case MATCHING_EVENT_TRADE:
        sbe_on_trade_event(door, event);
        sbe_on_fills(door, shard, position, event);
        break;
    case MATCHING_EVENT_LEVEL:
        sbe_on_level_event(door, event);
        break;
    case MATCHING_EVENT_ORDER:
        sbe_on_order_event(door, shard, position, event, order);
        break;
    case MATCHING_EVENT_CHANGE:
        sbe_on_change_event(door, shard, position, event);
        break;
    case MATCHING_EVENT_INSTRUMENT:
    case MATCHING_EVENT_STATE:
        sbe_on_instrument(door, event->instrument, event->kind == MATCHING_EVENT_INSTRUMENT);
        break;
    default:
        break;
    }
}

/* What became of their orders is not known: who entered some has to look. */
static void end_owners(sbe_door *door, unsigned shard)
{
    const sbe_working_table *table = &door->working;
    for (size_t i = 0; i < table->room; i++) {
        const sbe_working *entry = &table->entries[i];
        if (entry->order.order_id != 0 && entry->shard == shard) {
            wire_end(&entry->owner->peer, LWS_CLOSE_STATUS_POLICY_VIOLATION, "events were lost",
                     WIRE_CLOSE_GRACE_MS);
        }
    }
}

/* Nor what becomes of those that are still to be answered: what was lost may be later than they. */
static void end_askers(sbe_door *door)
{
    for (uint32_t slot = 0; slot < door->server.peer_max; slot++) {
        sbe_connection *connection = (sbe_connection *)door->server.peers[slot];
        if (connection != NULL && sbe_owed_count(&connection->owed) > 0) {
            wire_end(&connection->peer, LWS_CLOSE_STATUS_POLICY_VIOLATION, "events were lost",
                     WIRE_CLOSE_GRACE_MS);
        }
    }
}

static void on_lapped(void *context, unsigned shard)
{
    sbe_door *door = context;
    sbe_working_lapped(&door->working, shard);
    end_owners(door, shard);
    end_askers(door);
    sbe_mass_lapped(door);
    sbe_feeds_lapped(door, shard);
}

static void on_turn(wire_server *server)
{
    sbe_door *door = (sbe_door *)server;
    sbe_feeds_publish(door);
    sbe_feeds_load(door);
}

static void on_second(wire_server *server)
{
    sbe_watches_second(&((sbe_door *)server)->working.watches);
}

static const wire_handlers HANDLERS = {
    .peer_size = sizeof(sbe_connection),
    .on_open = on_open,
    .on_message = sbe_on_message,
    .on_other_kind = sbe_on_text,
    .describe = sbe_describe,
    .on_fault = on_fault,
    .refresh = on_refresh,
    .is_owed = is_owed,
    .on_closed = on_closed,
    .on_turn = on_turn,
    .on_second = on_second,
    .port = {.on_reply = sbe_on_reply, .on_event = on_event, .on_lapped = on_lapped},
};

static wire_settings settings_of(const matching_config *config)
{
    return (wire_settings){
        .name = "sbe",
        .port_how = "--sbe-port, SBE_PORT or [sbe] port",
        .path = NULL,
        .service = "sbe-matching-service",
        .service_members = ",\"protocol\":\"sbe\"",
        .kind = WIRE_OPCODE_BINARY,
        .cors = &config->sbe.cors,
        .port = config->sbe.port,
        .max_connections = config->sbe.max_connections,
        .max_message_bytes = config->sbe.max_message_bytes,
        .heartbeat_interval_s = config->sbe.heartbeat_interval_s,
        .client_timeout_s = config->sbe.client_timeout_s,
        /* As many as a turn's frames set off: what events lag behind their replies is kept in
         * working.c, and grows out of the caches. */
        .events_a_turn = 65536,
        .commands_at_once = COMMANDS_AT_ONCE,
        .max_queue_bytes = config->sbe.max_queue_bytes,
        .max_total_queue_bytes = config->sbe.max_total_queue_bytes,
        .spans = {.upgrade = "sbe.upgrade",
                  .connection = "sbe.connection",
                  .message = "sbe.message.handle",
                  .broadcast = "sbe.broadcast"},
    };
}

static int init(matching_transport *transport)
{
    sbe_door *door = calloc(1, sizeof *door);
    if (door == NULL) {
        snprintf(transport->error, sizeof transport->error, "out of memory");
        return -ENOMEM;
    }
    transport->state = door;
    door->settings = settings_of(transport->config);
    int result = wire_server_init(&door->server, transport, &door->settings, &HANDLERS);
    if (result == 0 &&
        (!sbe_feeds_init(door) || sbe_instruments_init(&door->instruments, transport->core) != 0)) {
        snprintf(transport->error, sizeof transport->error, "out of memory for instruments");
        result = -ENOMEM;
    }
    door->working.watches.port = door->server.port;
    return result;
}

static int start(matching_transport *transport)
{
    sbe_door *door = transport->state;
    return wire_server_start(&door->server);
}

static void stop(matching_transport *transport)
{
    sbe_door *door = transport->state;
    if (door != NULL) {
        wire_server_stop(&door->server);
    }
}

static void fini(matching_transport *transport)
{
    sbe_door *door = transport->state;
    if (door == NULL) {
        return;
    }
    wire_server_disconnect(&door->server);
    sbe_mass_fini(door);
    sbe_feeds_fini(door);
    sbe_working_fini(&door->working);
    sbe_pending_fini(&door->pending);
    sbe_instruments_fini(&door->instruments);
    wire_server_fini(&door->server);
    free(door);
    transport->state = NULL;
}

void matching_sbe_set_handler(matching_transport *transport, const matching_sbe_handler *handler)
{
    sbe_door *door = transport->state;
    door->handler = handler;
}

void sbe_take_trades_only(matching_transport *transport, size_t read_bytes, size_t message_bytes)
{
    sbe_door *door = transport->state;
    door->takes_trades_only = true;
    door->settings.service = "sbe-gateway";
    door->settings.port_how = "another number";
    door->settings.read_bytes = read_bytes;
    door->settings.message_bytes = message_bytes;
}

const matching_transport_ops matching_sbe_transport = {
    .name = "sbe",
    .init = init,
    .start = start,
    .stop = stop,
    .fini = fini,
};
