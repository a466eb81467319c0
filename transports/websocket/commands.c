/* Messages to commands, replies to messages.
 *
 * Invariants: every accepted message gets exactly one direct reply while its connection lives; a
 * command that the port took has one entry in the table of what is pending.
 */
#include <stdio.h>
#include <string.h>

#include "connection.h"
#include "reply.h"

#define NS_PER_MS UINT64_C(1000000)
#define REPLIES_A_CLOCK 16u /* written within some microseconds */

/* The client cannot have meant that; what the market or the load refuses is not its fault. */
static bool is_fault(matching_code code)
{
    return code <= MATCHING_UNKNOWN_SYMBOL || code == MATCHING_TOO_MANY_SUBSCRIPTIONS ||
           code == MATCHING_UNSUPPORTED_FRAME || code == MATCHING_UNAUTHORIZED;
}

static void send_error(ws_connection *connection, const ws_error *error, matching_text id)
{
    ws_write_error(ws_begin(connection->door), error, id);
    ws_send_reply(connection);
}

void ws_fault(ws_connection *connection, const ws_error *error, matching_text id)
{
    uint32_t most = connection->door->config->websocket.max_errors_in_a_row;
    send_error(connection, error, id);
    connection->faults += is_fault(error->code);
    if (most > 0 && connection->faults >= most) {
        ws_end(connection, LWS_CLOSE_STATUS_POLICY_VIOLATION, "too many errors", WS_CLOSE_GRACE_MS);
    }
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
    ws_door *door = connection->door;
    ws_pending *pending = ws_pending_add(&door->pending, pending_kind(message->request.action),
                                         message->id, &command->tag);
    if (pending == NULL) {
        return MATCHING_OVERLOADED;
    }
    pending->slot = connection->slot;
    pending->generation = connection->generation;
    pending->guarded = connection->is_guarded && command->type == MATCHING_PLACE;
    uint32_t watched = 0;
    if (pending->guarded) {                      /* the ORDER events tell when the order ends */
        command->flags |= MATCHING_FLAG_GUARDED; /* for the case that this process dies first */
        watched = pending->watched = matching_port_watch(door->port, command->trader_id);
    }
    command->flags |= is_brief(command->type) ? MATCHING_FLAG_BRIEF : 0;
    command->received_ns = connection->door->now_ns;
    matching_code code = matching_port_submit(door->port, command);
    if (code != MATCHING_OK) {
        if (connection->is_guarded && command->type == MATCHING_PLACE) {
            matching_port_unwatch(door->port, watched);
        }
        ws_pending_remove(&door->pending, command->tag);
        return code;
    }
    connection->in_flight++;
    ws_adjust_reading(connection);
    return MATCHING_OK;
}

static matching_code on_command(ws_connection *connection, const ws_message *message,
                                ws_error *error)
{
    matching_command command;
    matching_error wrong;
    if (connection->level != MATCHING_ACCESS_FULL) {
        return ws_error_set(error, MATCHING_UNAUTHORIZED, "",
                            "this origin may follow market data only");
    }
    if (matching_gateway_prepare(connection->door->core, &message->request, &command, &wrong) !=
        MATCHING_OK) {
        ws_error_from(error, &wrong);
        return error->code;
    }
    if (connection->is_guarded && command.type == MATCHING_PLACE &&
        connection->guarded_count + connection->in_flight >= WS_GUARDED_MAX) {
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
    if (code == MATCHING_OK) {
        ws_write_channels(ws_begin(connection->door), subscribes ? "subscribed" : "unsubscribed",
                          channels, message->id);
        ws_send_reply(connection);
    }
    return code;
}

static matching_code on_cancel_on_disconnect(ws_connection *connection, const ws_message *message,
                                             ws_error *error)
{
    if (connection->level != MATCHING_ACCESS_FULL) {
        return ws_error_set(error, MATCHING_UNAUTHORIZED, "",
                            "this origin may follow market data only");
    }
    connection->is_guarded = message->enabled;
    ws_write_cancel_on_disconnect(ws_begin(connection->door), message->enabled, message->id);
    ws_send_reply(connection);
    return MATCHING_OK;
}

static matching_code on_kind(ws_connection *connection, const ws_message *message, ws_error *error)
{
    ws_kind kind = message->type->kind;
    if (connection->door->phase != WS_RUNNING && kind != WS_PING && kind != WS_UNSUBSCRIBE) {
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
        ws_write_pong(ws_begin(connection->door), matching_unix_ns() / NS_PER_MS, message->id);
        ws_send_reply(connection);
        return MATCHING_OK;
    }
}

void ws_on_message(ws_connection *connection, const char *text, size_t length)
{
    ws_message message;
    ws_error error;
    matching_code code = ws_message_read(text, length, &message, &error);
    if (code == MATCHING_OK) {
        code = on_kind(connection, &message, &error);
    }
    if (code == MATCHING_OK) {
        connection->faults = 0;
    } else {
        ws_fault(connection, &error, message.id);
    }
    ws_message_fini(&message);
}

/* ---- Replies --------------------------------------------------------------------------------- */

static uint64_t reply_clock(ws_door *door)
{
    if (door->replies_timed++ % REPLIES_A_CLOCK == 0) {
        door->reply_ns = matching_monotonic_ns();
    }
    return door->reply_ns;
}

static void write_reply(ws_door *door, const ws_pending *pending, const matching_reply *reply)
{
    matching_writer *writer = ws_begin(door);
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
        ws_write_order_update(writer, door->core, &reply->order, NULL, id);
        break;
    default:
        ws_write_order_ack(writer, door->core, reply, reply_clock(door), id);
        break;
    }
}

/* An order entered under cancel_on_disconnect works: remembered, or cancelled if it is too late. */
static void guard_order(ws_door *door, ws_connection *connection, const matching_reply *reply,
                        uint32_t watched)
{
    bool works = reply->code == MATCHING_OK && matching_order_is_working(&reply->order);
    if (works && connection != NULL &&
        ws_guard_add(&door->guard, connection, reply->order.order_id, watched)) {
        return;
    }
    matching_port_unwatch(door->port, watched);
    if (!works) {
        return;
    }
    if (connection != NULL) {
        ws_end(connection, LWS_CLOSE_STATUS_UNEXPECTED_CONDITION, "out of memory",
               WS_CLOSE_GRACE_MS);
        ws_guard_sweep_add(&door->guard, reply->order.order_id);
    } else if (door->phase == WS_RUNNING) {
        ws_guard_sweep_add(&door->guard, reply->order.order_id);
    }
}

void ws_on_reply(void *context, const matching_reply *reply)
{
    ws_door *door = context;
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
    if (pending->kind == WS_PENDING_SWEEP) {
        ws_guard_swept(&door->guard);
        ws_pending_remove(&door->pending, reply->tag);
        return;
    }
    ws_connection *connection = ws_connection_find(door, pending->slot, pending->generation);
    if (pending->guarded) {
        guard_order(door, connection, reply, pending->watched);
    }
    if (connection != NULL) {
        write_reply(door, pending, reply);
        connection->in_flight--;
        ws_send_reply(connection);
        ws_adjust_reading(connection);
    }
    ws_pending_remove(&door->pending, reply->tag);
}
