/* Frames to messages, and what is done with each kind.
 *
 * Invariants: messages are taken in their order; the first bad one is refused and ends its frame,
 * what came before it stands.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "door.h"
#include "matching/metrics.h"

/* The client cannot have meant that; what the market or the load refuses is not its fault. */
static bool is_fault(matching_code code)
{
    return code <= MATCHING_UNKNOWN_SYMBOL || code == MATCHING_TOO_MANY_SUBSCRIPTIONS ||
           code == MATCHING_UNAUTHORIZED;
}

/* Counts errors in a row; too many end the connection. */
static void note_outcome(sbe_connection *connection, matching_code code)
{
    uint32_t most = connection->peer.server->config->sbe.max_errors_in_a_row;
    if (code == MATCHING_OK) {
        connection->faults = 0;
        return;
    }
    connection->faults += is_fault(code);
    if (most > 0 && connection->faults >= most) {
        wire_end(&connection->peer, LWS_CLOSE_STATUS_POLICY_VIOLATION, "too many errors",
                 WIRE_CLOSE_GRACE_MS);
    }
}

static matching_code fail(matching_error *error, matching_code code, const char *message)
{
    matching_error_set(error, code, MATCHING_FIELD_NONE, message);
    return code;
}

/* ---- Kinds of messages ----------------------------------------------------------------------- */

static matching_code on_logon(sbe_connection *connection, const sbe_message *message,
                              matching_error *error)
{
    matching_text trader = sbe_text(sbe_logon_trader_id(message->block), SBE_SIZE_text32);
    if (connection->has_ordered || connection->trader_id_length > 0) {
        return fail(error, MATCHING_INVALID_MESSAGE, "a Logon comes once, before orders");
    }
    uint8_t flags = sbe_logon_flags(message->block);
    matching_code code = sbe_logon_check(connection->peer.server->core, trader, flags, error);
    if (code != MATCHING_OK) {
        return code;
    }
    memcpy(connection->trader_id, trader.data, trader.length);
    connection->trader_id_length = (uint8_t)trader.length;
    matching_connection_trader(connection->peer.entry, connection->trader_id);
    connection->peer.is_guarded = flags & SBE_CANCEL_ON_DISCONNECT;
    sbe_answer_heartbeat(connection, matching_unix_ns());
    return MATCHING_OK;
}

/* The server counts frames as messages; this one had so many beyond the first. */
static void count_received(const sbe_connection *connection, size_t more)
{
    matching_connection *entry = connection->peer.entry;
    matching_connection_add(&entry->counts[MATCHING_CONNECTION_MESSAGES_RECEIVED], more);
    matching_connection_add(&connection->peer.server->table->totals[MATCHING_CONNECTIONS_RECEIVED],
                            more);
}

/* Nobody else writes these. A sum that does not fit is the largest number, and stays it. */
static void add_volume(matching_counters *counters, unsigned char symbol, uint64_t units)
{
    uint64_t volume = atomic_load_explicit(&counters->sbe_volume[symbol], memory_order_relaxed);
    volume = units <= UINT64_MAX - volume ? volume + units : UINT64_MAX;
    atomic_store_explicit(&counters->sbe_volume[symbol], volume, memory_order_relaxed);
}

static bool has_quantity(const uint8_t *block)
{
    return sbe_trade_quantity(block) <= SBE_QUANTITY_MAX;
}

static matching_code refuse_trade(sbe_connection *connection, const uint8_t *block,
                                  matching_error *error)
{
    char text[64];
    snprintf(text, sizeof text, "trade %llu has no quantity",
             (unsigned long long)sbe_trade_trade_id(block));
    sbe_tell_error(connection, 0, text);
    matching_error_set(error, MATCHING_INVALID_QUANTITY, MATCHING_FIELD_QUANTITY, NULL);
    return MATCHING_INVALID_QUANTITY;
}

/* Trades that were printed elsewhere, as many as stand together: counted and handed on. One without
 * a quantity stands alone. */
static matching_code on_trades(sbe_connection *connection, const sbe_message *first,
                               sbe_frame *frame, matching_error *error)
{
    matching_counters *counters = connection->peer.server->transport->counters;
    size_t count = 1;
    if (!has_quantity(first->block)) {
        return refuse_trade(connection, first->block, error);
    }
    while (sbe_frame_is_alike(frame, first) && has_quantity(frame->at + SBE_HEADER_BYTES)) {
        sbe_frame_skip(frame, first->bytes);
        count++;
    }
    count_received(connection, count - 1);
    const uint8_t *block = first->block;
    unsigned char symbol = (unsigned char)sbe_trade_symbol(block);
    uint64_t units = 0;
    for (size_t i = 0; counters != NULL && i < count; i++, block += first->bytes) {
        if ((unsigned char)sbe_trade_symbol(block) != symbol) {
            add_volume(counters, symbol, units);
            symbol = (unsigned char)sbe_trade_symbol(block);
            units = 0;
        }
        units += sbe_trade_quantity(block);
    }
    if (counters != NULL) {
        add_volume(counters, symbol, units);
        atomic_fetch_add_explicit(&counters->sbe_trades, count, memory_order_relaxed);
    }
    sbe_tell_trades(connection, first->block - SBE_HEADER_BYTES, first->bytes, count);
    return MATCHING_OK;
}

/* The kinds that may come in, each with what it needs. */
static matching_code on_kind(sbe_connection *connection, const sbe_message *message,
                             sbe_frame *frame, matching_error *error)
{
    bool is_running = connection->peer.server->phase == WIRE_RUNNING;
    if (message->template_id == SBE_HEARTBEAT) {
        sbe_answer_heartbeat(connection, sbe_heartbeat_timestamp(message->block));
        return MATCHING_OK;
    }
    if (message->template_id == SBE_SUBSCRIBE) {
        return is_running || sbe_subscribe_action(message->block) == SBE_ACTION_UNSUBSCRIBE
                   ? sbe_on_subscribe(connection, message, error)
                   : fail(error, MATCHING_SHUTTING_DOWN, NULL);
    }
    if (connection->peer.level != MATCHING_ACCESS_FULL) {
        return fail(error, MATCHING_UNAUTHORIZED, "this origin may follow market data only");
    }
    if (message->template_id == SBE_TRADE) {
        return on_trades(connection, message, frame, error);
    }
    if (!is_running) {
        return fail(error, MATCHING_SHUTTING_DOWN, NULL);
    }
    return message->template_id == SBE_LOGON ? on_logon(connection, message, error)
                                             : sbe_on_request(connection, message, error);
}

static bool comes_in(const sbe_door *door, uint16_t template_id)
{
    if (template_id == SBE_TRADE || template_id == SBE_HEARTBEAT || door->takes_trades_only) {
        return template_id == SBE_TRADE || template_id == SBE_HEARTBEAT;
    }
    return template_id == SBE_SUBSCRIBE || template_id == SBE_LOGON ||
           template_id == SBE_NEW_ORDER || template_id == SBE_CANCEL_ORDER ||
           template_id == SBE_AMEND_ORDER || template_id == SBE_MASS_CANCEL;
}

/* The message that ends its frame. */
static void on_fault(sbe_connection *connection, const sbe_error *error)
{
    char text[SBE_ERROR_TEXT];
    uint8_t message[SBE_REJECT_BYTES];
    sbe_reject reject;
    matching_connection_failed(connection->peer.server->table, connection->peer.entry);
    sbe_report_fault(&reject, error);
    matching_port_refused(connection->peer.server->port, reject.code);
    wire_message_refused(connection->peer.server, matching_code_name((matching_code)reject.code));
    sbe_answer_now(connection, message, sbe_reject_write(message, sizeof message, &reject));
    sbe_error_print(text, error);
    sbe_tell_error(connection, 0, text);
    note_outcome(connection, (matching_code)reject.code);
}

/* The connection has had its share of this turn: the rest of the frame is for later. */
static void leave(sbe_connection *connection, const sbe_frame *frame)
{
    if (frame->left == 0) {
        return;
    }
    connection->rest = malloc(frame->left);
    if (connection->rest == NULL) {
        wire_out_of_memory(&connection->peer);
        return;
    }
    memcpy(connection->rest, frame->at, frame->left);
    connection->rest_length = frame->left;
}

/* counted: how many of its messages the server has counted. */
static void take(sbe_connection *connection, const void *data, size_t length, size_t counted)
{
    wire_peer *peer = &connection->peer;
    sbe_frame frame;
    sbe_message message;
    sbe_error fault = {.fault = SBE_FAULT_NONE};
    size_t count = 0;
    sbe_frame_init(&frame, data, length);
    while (peer->state == WIRE_OPEN && !wire_is_spent(peer) &&
           sbe_frame_next(&frame, &message, &fault)) {
        matching_error error;
        count++;
        if (!comes_in(sbe_door_of(connection), message.template_id)) {
            fault = (sbe_error){.fault = SBE_FAULT_TEMPLATE,
                                .template_id = message.template_id,
                                .client_order_id =
                                    sbe_is_request(&message) ? sbe_request_id(&message) : 0};
            break;
        }
        matching_code code = on_kind(connection, &message, &frame, &error);
        if (code != MATCHING_OK) {
            sbe_refuse(connection, message.template_id,
                       sbe_is_request(&message) ? sbe_request_id(&message) : 0, &error);
        }
        note_outcome(connection, code);
    }
    if (count > counted) {
        count_received(connection, count - counted);
    }
    if (peer->state != WIRE_OPEN) {
        return;
    }
    if (fault.fault != SBE_FAULT_NONE) {
        on_fault(connection, &fault);
    } else if (wire_is_spent(peer)) {
        leave(connection, &frame);
    }
}

void sbe_on_message(wire_peer *peer, const char *data, size_t length)
{
    sbe_connection *connection = (sbe_connection *)peer;
    connection->has_owed_all = false;
    take(connection, data, length, 1);
    if (connection->rest != NULL) {
        connection->rest_span = wire_message_span(peer->server);
    }
}

bool sbe_go_on(sbe_connection *connection)
{
    uint8_t *rest = connection->rest;
    size_t length = connection->rest_length;
    if (rest == NULL || wire_is_spent(&connection->peer)) {
        return false;
    }
    connection->rest = NULL;
    const matching_trace_context *before = matching_trace_enter(&connection->rest_span);
    take(connection, rest, length, 0);
    matching_trace_leave(before);
    free(rest);
    return true;
}

static const char *template_name(uint16_t template_id)
{
    static const char *const names[SBE_TEMPLATE_MAX + 1] = {
#define SBE_DEFINE(id, NAME, name, bytes) [id] = #name,
        SBE_TEMPLATE_TABLE(SBE_DEFINE)
#undef SBE_DEFINE
    };
    return names[template_id];
}

void sbe_describe(wire_peer *peer, const char *data, size_t length, wire_message_facts *facts)
{
    sbe_frame frame;
    sbe_message message;
    sbe_error fault;
    uint16_t first = 0;
    (void)peer;
    sbe_frame_init(&frame, data, length);
    while (sbe_frame_next(&frame, &message, &fault)) {
        first = facts->count == 0 ? message.template_id : first;
        facts->count += 1 + sbe_frame_skip_alike(&frame, &message);
        facts->type = message.template_id == first ? template_name(first) : "mixed";
        if (message.template_id != first) {
            first = 0; /* which no other is */
        }
    }
    if (facts->count == 0) {
        facts->type = "unknown";
    }
}

void sbe_on_text(wire_peer *peer)
{
    sbe_tell_error((sbe_connection *)peer, 0, "a text frame");
    wire_end(peer, LWS_CLOSE_STATUS_UNACCEPTABLE_OPCODE,
             "text frames are not supported here, send binary frames", WIRE_CLOSE_GRACE_MS);
}
