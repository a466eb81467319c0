/* Requests to commands, replies to reports.
 *
 * Invariants: every request gets exactly one answer while its connection lives (a mass cancel's is
 * several messages), in the order of the requests; a command that the port took has one entry in
 * the table of what is pending.
 */
#include <string.h>

#include "door.h"

static matching_code refuse(matching_error *error, matching_code code, const char *message)
{
    matching_error_set(error, code, MATCHING_FIELD_NONE, message);
    return code;
}

/* Will the order work when it has been processed, if it is not filled? Nothing comes of the others
 * later. */
static bool may_rest(const matching_command *command)
{
    return command->type == MATCHING_PLACE &&
           (command->time_in_force == MATCHING_GTC || command->time_in_force == MATCHING_GTD ||
            command->order_type >= MATCHING_STOP);
}

static matching_code check_limits(const sbe_connection *connection, const matching_command *command,
                                  matching_error *error)
{
    size_t owed = sbe_owed_count(&connection->owed);
    if (command->type == MATCHING_PLACE && connection->peer.is_guarded &&
        connection->peer.guarded_count + owed >= WIRE_GUARDED_MAX) {
        return refuse(error, MATCHING_RISK_LIMIT,
                      "too many working orders on a connection with cancel on disconnect");
    }
    if (may_rest(command) && connection->working.count + owed >= SBE_WORKING_MAX) {
        return refuse(error, MATCHING_RISK_LIMIT, "too many working orders on a connection");
    }
    return MATCHING_OK;
}

/* Hands the command to the port. MATCHING_OK: a reply will come. */
static matching_code submit(sbe_connection *connection, const sbe_message *message,
                            matching_command *command)
{
    sbe_door *door = sbe_door_of(connection);
    sbe_owed *owed = &connection->owed;
    sbe_pending *pending = sbe_owed_reserve(owed)
                               ? sbe_pending_add(&door->pending, SBE_PENDING_ORDER, &command->tag)
                               : NULL;
    if (pending == NULL) {
        return MATCHING_OVERLOADED;
    }
    pending->client_order_id = sbe_request_id(message);
    pending->number = owed->tail;
    pending->slot = connection->peer.slot;
    pending->generation = connection->peer.generation;
    pending->template_id = (uint8_t)message->template_id;
    pending->watch = SBE_NO_WATCH;
    command->flags |= MATCHING_FLAG_BRIEF;
    command->received_ns = door->server.now_ns;
    if (may_rest(command)) {
        pending->watch = sbe_watch_use(&door->working.watches, command->trader_id);
        if (pending->watch == SBE_NO_WATCH) {
            sbe_pending_remove(&door->pending, command->tag);
            return MATCHING_OVERLOADED;
        }
    }
    if (connection->peer.is_guarded && command->type == MATCHING_PLACE) {
        command->flags |= MATCHING_FLAG_GUARDED; /* for the case that this process dies first */
        pending->is_guarded = true;
        pending->guard_watch = matching_port_watch(door->server.port, command->trader_id);
    }
    matching_code code = matching_port_submit(door->server.port, command);
    if (code != MATCHING_OK) {
        sbe_watch_release(&door->working.watches, pending->watch);
        if (pending->is_guarded) {
            matching_port_unwatch(door->server.port, pending->guard_watch);
        }
        sbe_pending_remove(&door->pending, command->tag);
        return code;
    }
    sbe_owed_add(owed, SBE_OWED_NOTHING);
    return MATCHING_OK;
}

static matching_code submit_mass(sbe_connection *connection, const sbe_message *message,
                                 matching_command *command)
{
    sbe_door *door = sbe_door_of(connection);
    if (!sbe_owed_reserve(&connection->owed)) {
        return MATCHING_OVERLOADED;
    }
    sbe_mass *mass = sbe_mass_begin(door, connection, sbe_request_id(message), command->trader_id);
    sbe_pending *pending =
        mass == NULL ? NULL : sbe_pending_add(&door->pending, SBE_PENDING_MASS, &command->tag);
    matching_code code = MATCHING_OVERLOADED;
    if (pending != NULL) {
        pending->mass = mass;
        command->flags |= MATCHING_FLAG_COLLECT;
        command->received_ns = door->server.now_ns;
        code = matching_port_submit(door->server.port, command);
        if (code != MATCHING_OK) {
            sbe_pending_remove(&door->pending, command->tag);
        }
    }
    if (code == MATCHING_OK) {
        sbe_owed_add(&connection->owed, SBE_OWED_MASS);
    } else if (mass != NULL) {
        sbe_mass_forget(door, mass);
    }
    return code;
}

matching_code sbe_on_request(sbe_connection *connection, const sbe_message *message,
                             matching_error *error)
{
    sbe_door *door = sbe_door_of(connection);
    const sbe_sender sender = {.core = door->server.core,
                               .instruments = &door->instruments,
                               .trader_id = {connection->trader_id, connection->trader_id_length}};
    matching_command command;
    matching_code code = sbe_request_prepare(&sender, message, &command, error);
    if (code == MATCHING_OK) {
        code = check_limits(connection, &command, error);
    }
    if (code != MATCHING_OK) {
        return code;
    }
    matching_connection_trader(connection->peer.entry, command.trader_id);
    code = message->template_id == SBE_MASS_CANCEL ? submit_mass(connection, message, &command)
                                                   : submit(connection, message, &command);
    sbe_count_owed(connection);
    connection->has_ordered |= code == MATCHING_OK && command.type == MATCHING_PLACE;
    return code == MATCHING_OK ? code : refuse(error, code, NULL);
}

/* ---- Replies --------------------------------------------------------------------------------- */

static sbe_exec_type exec_type_of(unsigned template_id)
{
    return template_id == SBE_NEW_ORDER      ? SBE_EXEC_NEW
           : template_id == SBE_CANCEL_ORDER ? SBE_EXEC_CANCELLED
                                             : SBE_EXEC_AMENDED;
}

/* The connection's table after a reply to it. */
static void note_order(sbe_door *door, sbe_connection *connection, const sbe_pending *pending,
                       const matching_reply *reply)
{
    sbe_working_table *table = &door->working;
    bool works = reply->code == MATCHING_OK && matching_order_is_working(&reply->order);
    if (pending->watch != SBE_NO_WATCH) {
        if (!works || connection == NULL) {
            sbe_watch_release(&table->watches, pending->watch);
        } else if (!sbe_working_add(table, connection, pending, reply)) {
            wire_end(&connection->peer, LWS_CLOSE_STATUS_UNEXPECTED_CONDITION, "out of memory",
                     WIRE_CLOSE_GRACE_MS);
        }
        return;
    }
    if (pending->template_id == SBE_NEW_ORDER || reply->code != MATCHING_OK) {
        return;
    }
    sbe_working *entry = sbe_working_find(table, reply->order.order_id);
    if (entry != NULL && entry->owner == connection) {
        entry->last_number = pending->number;
        sbe_working_changed(table, entry, reply);
    }
}

static size_t write_answer(sbe_door *door, const sbe_connection *connection,
                           uint8_t message[SBE_MESSAGE_BYTES_MAX], const sbe_pending *pending,
                           const matching_reply *reply)
{
    if (reply->code != MATCHING_OK) {
        matching_error error;
        sbe_reject reject;
        matching_connection_failed(door->server.table, connection->peer.entry);
        matching_reply_error(reply, &error);
        sbe_report_refusal(&reject, pending->template_id, pending->client_order_id, &error);
        return sbe_reject_write(message, SBE_MESSAGE_BYTES_MAX, &reject);
    }
    sbe_execution_report report;
    uint64_t now_ns = wire_reply_clock(&door->server);
    matching_connection_latency(door->server.table,
                                now_ns > reply->received_ns ? now_ns - reply->received_ns : 0);
    sbe_report_order(&report, matching_core_instrument(door->server.core, reply->order.instrument),
                     &reply->order, exec_type_of(pending->template_id), pending->client_order_id,
                     reply->time_ns);
    return sbe_execution_report_write(message, SBE_MESSAGE_BYTES_MAX, &report);
}

static void on_order_reply(sbe_door *door, const sbe_pending *pending, const matching_reply *reply)
{
    sbe_connection *connection =
        (sbe_connection *)wire_peer_find(&door->server, pending->slot, pending->generation);
    if (pending->is_guarded) {
        wire_guard_order(&door->server, connection == NULL ? NULL : &connection->peer, reply,
                         pending->guard_watch);
    }
    note_order(door, connection, pending, reply);
    if (connection != NULL) {
        uint8_t message[SBE_MESSAGE_BYTES_MAX];
        size_t length = write_answer(door, connection, message, pending, reply);
        sbe_answer(connection, pending->number, message, length);
    }
}

void sbe_on_reply(void *context, const matching_reply *reply)
{
    sbe_door *door = context;
    sbe_pending pending = *sbe_pending_at(&door->pending, reply->tag);
    sbe_pending_remove(&door->pending, reply->tag);
    switch (pending.kind) {
    case SBE_PENDING_ORDER:
        on_order_reply(door, &pending, reply);
        break;
    case SBE_PENDING_MASS:
        sbe_mass_answered(door, pending.mass, reply);
        break;
    default:
        sbe_feeds_loaded(door, pending.instrument, reply);
        break;
    }
}
