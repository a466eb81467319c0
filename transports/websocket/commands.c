/* Messages to commands, replies to messages.
 *
 * Invariants: every accepted message gets exactly one direct reply while its connection lives; a
 * command that the port took has one entry in the table of what is pending.
 */
#include <stdio.h>
#include <string.h>

#include "door.h"
#include "matching/metrics.h"
#include "reply.h"

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)

/* The client cannot have meant that; what the market or the load refuses is not its fault. */
static bool is_fault(matching_code code)
{
    return code <= MATCHING_UNKNOWN_SYMBOL || code == MATCHING_TOO_MANY_SUBSCRIPTIONS ||
           code == MATCHING_UNSUPPORTED_FRAME || code == MATCHING_UNAUTHORIZED;
}

static void send_error(ws_connection *connection, const ws_error *error, matching_text id)
{
    wire_peer *peer = &connection->peer;
    matching_connection_failed(peer->server->table, peer->entry);
    matching_port_refused(peer->server->port, error->code);
    wire_message_refused(peer->server, matching_code_name(error->code));
    ws_write_error(wire_begin(peer->server), error, id);
    wire_send_reply(&connection->peer);
}

/* The client is at fault: tells it, and ends it after too many in a row. */
static void fault(ws_connection *connection, const ws_error *error, matching_text id)
{
    uint32_t most = connection->peer.server->config->websocket.max_errors_in_a_row;
    send_error(connection, error, id);
    connection->faults += is_fault(error->code);
    if (most > 0 && connection->faults >= most) {
        wire_end(&connection->peer, LWS_CLOSE_STATUS_POLICY_VIOLATION, "too many errors",
                 WIRE_CLOSE_GRACE_MS);
    }
}

/* ---- Messages -------------------------------------------------------------------------------- */

/* A message more: each uses up its part of a second, and up to one second may be used ahead. */
static bool is_allowed(ws_connection *connection)
{
    uint32_t most = connection->peer.server->config->websocket.max_messages_per_second;
    if (most == 0) {
        return true;
    }
    uint64_t now = connection->peer.server->now_ns, part = NS_PER_S / most;
    uint64_t from = connection->allowed_ns > now ? connection->allowed_ns : now;
    if (from + part > now + NS_PER_S) {
        return false;
    }
    connection->allowed_ns = from + part;
    return true;
}

/* It is not what the client said that is wrong, so it is no error in a row. */
static void refuse(ws_connection *connection, matching_text id)
{
    uint32_t most = connection->peer.server->config->websocket.max_messages_per_second;
    ws_error error;
    ws_error_set(&error, MATCHING_RATE_LIMITED, "", NULL);
    snprintf(error.message, sizeof error.message, "at most %u messages a second", most);
    send_error(connection, &error, id);
}

static ws_pending_kind pending_kind(matching_action action)
{
    switch (action) {
    case MATCHING_ACTION_CANCEL_ALL:
        return WS_PENDING_CANCEL_ALL;
    case MATCHING_ACTION_GET_ORDER:
        return WS_PENDING_GET_ORDER;
    default:
        return WS_PENDING_ORDER;
    }
}

/* An order_ack needs no more than a brief reply. */
static bool is_brief(unsigned type)
{
    return type == MATCHING_PLACE || type == MATCHING_CANCEL || type == MATCHING_AMEND;
}

/* Hands the command to the port. MATCHING_OK: a reply will come. */
static matching_code submit(ws_connection *connection, const ws_message *message,
                            matching_command *command)
{
    ws_door *door = ws_door_of(connection);
    ws_pending *pending = ws_pending_add(&door->pending, pending_kind(message->request.action),
                                         message->id, &command->tag);
    if (pending == NULL) {
        return MATCHING_OVERLOADED;
    }
    pending->slot = connection->peer.slot;
    pending->generation = connection->peer.generation;
    pending->guarded = connection->peer.is_guarded && command->type == MATCHING_PLACE;
    uint32_t watched = 0;
    if (pending->guarded) {                      /* the ORDER events tell when the order ends */
        command->flags |= MATCHING_FLAG_GUARDED; /* for the case that this process dies first */
        watched = pending->watched = matching_port_watch(door->server.port, command->trader_id);
    }
    command->flags |= is_brief(command->type) ? MATCHING_FLAG_BRIEF : 0;
    command->received_ns = connection->peer.server->now_ns;
    matching_code code = matching_port_submit(door->server.port, command);
    if (code != MATCHING_OK) {
        if (connection->peer.is_guarded && command->type == MATCHING_PLACE) {
            matching_port_unwatch(door->server.port, watched);
        }
        ws_pending_remove(&door->pending, command->tag);
        return code;
    }
    connection->peer.in_flight++;
    wire_adjust_reading(&connection->peer);
    return MATCHING_OK;
}

static matching_code on_command(ws_connection *connection, const ws_message *message,
                                ws_error *error)
{
    matching_command command;
    matching_error wrong;
    if (connection->peer.level != MATCHING_ACCESS_FULL) {
        return ws_error_set(error, MATCHING_UNAUTHORIZED, "",
                            "this origin may follow market data only");
    }
    if (matching_gateway_prepare(connection->peer.server->core, &message->request, &command,
                                 &wrong) != MATCHING_OK) {
        ws_error_from(error, &wrong);
        return error->code;
    }
    matching_connection_trader(connection->peer.entry, command.trader_id);
    if (connection->peer.is_guarded && command.type == MATCHING_PLACE &&
        connection->peer.guarded_count + connection->peer.in_flight >= WIRE_GUARDED_MAX) {
        return ws_error_set(error, MATCHING_RISK_LIMIT, "",
                            "too many working orders on a connection with cancel_on_disconnect");
    }
    matching_code code = submit(connection, message, &command);
    return code == MATCHING_OK ? code : ws_error_set(error, code, "", NULL);
}

static matching_code on_subscribe(ws_connection *connection, const ws_message *message,
                                  ws_error *error)
{
    bool subscribes = message->type->kind == WS_SUBSCRIBE;
    unsigned channels = 0;
    matching_code code = subscribes ? ws_subscribe(connection, message, &channels, error)
                                    : ws_unsubscribe(connection, message, &channels, error);
    if (code == MATCHING_OK && subscribes && message->compression != WS_COMPRESSION_UNSAID) {
        wire_take_gzip(&connection->peer, message->compression == WS_COMPRESSION_GZIP);
    }
    if (code == MATCHING_OK) {
        ws_write_channels(wire_begin(connection->peer.server),
                          subscribes ? "subscribed" : "unsubscribed", channels, message->id);
        wire_send_reply(&connection->peer);
    }
    return code;
}

static matching_code on_cancel_on_disconnect(ws_connection *connection, const ws_message *message,
                                             ws_error *error)
{
    if (connection->peer.level != MATCHING_ACCESS_FULL) {
        return ws_error_set(error, MATCHING_UNAUTHORIZED, "",
                            "this origin may follow market data only");
    }
    connection->peer.is_guarded = message->enabled;
    ws_write_cancel_on_disconnect(wire_begin(connection->peer.server), message->enabled,
                                  message->id);
    wire_send_reply(&connection->peer);
    return MATCHING_OK;
}

static matching_code on_kind(ws_connection *connection, const ws_message *message, ws_error *error)
{
    ws_kind kind = message->type->kind;
    if (connection->peer.server->phase != WIRE_RUNNING && kind != WS_PING &&
        kind != WS_UNSUBSCRIBE) {
        return ws_error_set(error, MATCHING_SHUTTING_DOWN, "", NULL);
    }
    switch (kind) {
    case WS_COMMAND:
        return on_command(connection, message, error);
    case WS_SUBSCRIBE:
    case WS_UNSUBSCRIBE:
        return on_subscribe(connection, message, error);
    case WS_CANCEL_ON_DISCONNECT:
        return on_cancel_on_disconnect(connection, message, error);
    default:
        ws_write_pong(wire_begin(connection->peer.server), matching_unix_ns() / NS_PER_MS,
                      message->id);
        wire_send_reply(&connection->peer);
        return MATCHING_OK;
    }
}

void ws_on_message(wire_peer *peer, const char *text, size_t length)
{
    ws_connection *connection = (ws_connection *)peer;
    ws_message message;
    ws_error error;
    bool is_read = ws_message_read_flat(text, length, &message);
    if (!is_allowed(connection)) { /* costs less than what was asked for */
        refuse(connection, is_read ? message.id : ws_message_id(text, length));
        return;
    }
    matching_code code =
        is_read ? MATCHING_OK : ws_message_read_json(text, length, &message, &error);
    if (code == MATCHING_OK) {
        code = on_kind(connection, &message, &error);
    }
    if (code == MATCHING_OK) {
        connection->faults = 0;
    } else {
        fault(connection, &error, message.id);
    }
    ws_message_fini(&message);
}

void ws_describe(wire_peer *peer, const char *text, size_t length, wire_message_facts *facts)
{
    ws_message message;
    ws_error error;
    (void)peer;
    bool is_read = ws_message_read_flat(text, length, &message);
    if (!is_read) {
        (void)ws_message_read_json(text, length, &message, &error);
    }
    facts->type = message.type != NULL ? message.type->name.data : "unknown";
    ws_message_fini(&message);
}

void ws_on_binary(wire_peer *peer)
{
    ws_error error;
    if (!is_allowed((ws_connection *)peer)) {
        refuse((ws_connection *)peer, (matching_text){NULL, 0});
        return;
    }
    ws_error_set(&error, MATCHING_UNSUPPORTED_FRAME, "",
                 "binary frames are not supported here, send text frames");
    fault((ws_connection *)peer, &error, (matching_text){NULL, 0});
}

/* ---- Replies --------------------------------------------------------------------------------- */

static void write_ack(ws_door *door, matching_writer *writer, const matching_reply *reply,
                      matching_text id)
{
    uint64_t now_ns = wire_reply_clock(&door->server);
    uint64_t latency_ns = now_ns > reply->received_ns ? now_ns - reply->received_ns : 0;
    matching_connection_latency(door->server.table, latency_ns);
    ws_write_order_ack(writer, door->server.core, reply, now_ns, id);
}

static void write_reply(ws_door *door, const ws_pending *pending, const matching_reply *reply)
{
    matching_writer *writer = wire_begin(&door->server);
    matching_text id = ws_pending_id(pending);
    if (reply->code != MATCHING_OK) {
        matching_error refused;
        ws_error error;
        matching_reply_error(reply, &refused);
        ws_error_from(&error, &refused);
        ws_write_error(writer, &error, id);
        return;
    }
    switch (pending->kind) {
    case WS_PENDING_CANCEL_ALL:
        ws_write_cancel_all_ack(writer, reply, id);
        break;
    case WS_PENDING_GET_ORDER:
        ws_write_order_update(writer, door->server.core, &reply->order, NULL, id);
        break;
    default:
        write_ack(door, writer, reply, id);
        break;
    }
}

void ws_on_reply(void *context, const matching_reply *reply)
{
    ws_door *door = context;
    if (matching_candle_feed_reply(door->feeds.candles, reply)) {
        return;
    }
    ws_pending *pending = ws_pending_find(&door->pending, reply->tag);
    if (pending == NULL) {
        return;
    }
    if (pending->kind == WS_PENDING_DEPTH || pending->kind == WS_PENDING_TICKER) {
        uint16_t instrument = pending->instrument;
        bool is_depth = pending->kind == WS_PENDING_DEPTH;
        ws_pending_remove(&door->pending, reply->tag);
        if (is_depth) {
            ws_feeds_loaded(door, instrument, reply);
        } else {
            ws_ticker_answered(door, instrument, reply);
        }
        return;
    }
    if (pending->kind == WS_PENDING_ORDERS) {
        ws_orders_read *read = pending->read;
        uint16_t instrument = pending->instrument;
        ws_pending_remove(&door->pending, reply->tag);
        ws_orders_answered(door, read, instrument, reply);
        return;
    }
    ws_connection *connection = ws_connection_find(door, pending->slot, pending->generation);
    if (pending->guarded) {
        wire_guard_order(&door->server, connection == NULL ? NULL : &connection->peer, reply,
                         pending->watched);
    }
    if (connection != NULL) {
        if (reply->code != MATCHING_OK) {
            matching_connection_failed(door->server.table, connection->peer.entry);
        }
        write_reply(door, pending, reply);
        connection->peer.in_flight--;
        wire_send_reply(&connection->peer);
        wire_adjust_reading(&connection->peer);
    }
    ws_pending_remove(&door->pending, reply->tag);
}
