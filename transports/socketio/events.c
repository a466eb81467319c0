/* Socket.IO: what messages mean, and their answers.
 *
 * Every event is answered by an event, and by an acknowledgement with the same object where the
 * client asks for one. What is wrong in an event is answered by `error`; what is no packet, or one
 * for a namespace that was not joined, breaks the protocol and ends the session.
 */
#include <string.h>

#include "door.h"
#include "matching/metrics.h"

#define NS_PER_MS UINT64_C(1000000)

/* ---- Answers --------------------------------------------------------------------------------- */

/* Sends the door's `object` as an event, and as the acknowledgement if one is wanted. */
void sio_answer(sio_client *client, const char *event, const sio_packet *packet)
{
    sio_door *door = client->door;
    matching_writer *writer = sio_begin(door, 1);
    sio_work(client, door->object.length / SIO_BYTES_A_UNIT);
    sio_begin_event(writer, event);
    matching_write(writer, door->object.data, door->object.length);
    MATCHING_WRITE(writer, "]");
    sio_reply(client);
    if (packet->has_id) {
        writer = sio_begin(door, 1);
        sio_begin_ack(writer, packet->id);
        matching_write(writer, door->object.data, door->object.length);
        MATCHING_WRITE(writer, "]");
        sio_reply(client);
    }
}

static matching_writer *begin_object(sio_door *door)
{
    matching_writer_clear(&door->object);
    return &door->object;
}

void sio_answer_error(sio_client *client, const sio_error *error, const char *event,
                      const sio_packet *packet)
{
    matching_code code = error->code == SIO_BAD_PARAMETER ? MATCHING_INVALID_PARAMETER
                         : error->code == SIO_TOO_MANY    ? MATCHING_TOO_MANY_SUBSCRIPTIONS
                                                          : MATCHING_OVERLOADED;
    sio_tell_error(client);
    matching_port_refused(client->door->server.port, code);
    wire_message_refused(&client->door->server, matching_code_name(code));
    sio_write_error(begin_object(client->door), error, event);
    sio_answer(client, "error", packet);
}

static void break_off(sio_client *client, const char *reason)
{
    wire_message_refused(&client->door->server, reason);
    sio_client_close(client, "1", WIRE_CLOSE_PROTOCOL, reason);
}

/* ---- Events ---------------------------------------------------------------------------------- */

/* The instrument that is meant; the first one where none is named. NULL: none such. */
static const matching_instrument *instrument_of(const sio_door *door, const sio_request *request,
                                                sio_error *error)
{
    const matching_core *core = door->server.core;
    const matching_instrument *instrument =
        request->has_symbol
            ? matching_core_find_instrument(core, request->symbol.data, request->symbol.length)
            : matching_core_instrument(core, 0);
    if (instrument == NULL) {
        sio_error_set(error, SIO_BAD_PARAMETER,
                      request->kind == SIO_SUBSCRIBE || request->kind == SIO_UNSUBSCRIBE ? "topic"
                                                                                         : "symbol",
                      "unknown symbol");
        return NULL;
    }
    return instrument;
}

/* Room and its member come or go. */
static sio_code change(sio_client *client, const sio_request *request, bool joins,
                       const matching_instrument *instrument, const char **message,
                       sio_error *error)
{
    bool is_kline = request->kind == SIO_SUBSCRIBE_KLINE || request->kind == SIO_UNSUBSCRIBE_KLINE;
    sio_room_kind kind = is_kline                      ? SIO_ROOM_KLINE
                         : request->topic == SIO_PRICE ? SIO_ROOM_PRICE
                                                       : SIO_ROOM_TOKENS;
    uint16_t index = instrument == NULL ? 0 : instrument->index;
    uint8_t interval = is_kline ? (uint8_t)request->interval : 0;
    bool already = false;
    if (!joins) {
        bool was = sio_leave(client, kind, index, interval, request->label);
        *message = was ? "unsubscribed" : "there was no such subscription";
        return was ? SIO_FINE : SIO_BAD_PARAMETER;
    }
    sio_code code = sio_join(client, kind, index, interval, request->label, &already);
    *message = already ? "already subscribed" : "subscribed";
    if (code == SIO_TOO_MANY) {
        sio_error_set(error, code, NULL, "too many subscriptions; unsubscribe from some first");
    } else if (code != SIO_FINE) {
        sio_error_set(error, code, NULL, "out of memory");
    }
    return code;
}

static sio_code on_subscription(sio_client *client, const sio_request *request,
                                const sio_packet *packet, sio_error *error)
{
    sio_door *door = client->door;
    bool joins = request->kind == SIO_SUBSCRIBE_KLINE || request->kind == SIO_SUBSCRIBE;
    bool is_topic = request->kind == SIO_SUBSCRIBE || request->kind == SIO_UNSUBSCRIBE;
    const matching_instrument *instrument = NULL;
    const char *message = "";
    if (!is_topic || request->topic == SIO_PRICE) {
        instrument = instrument_of(door, request, error);
        if (instrument == NULL) {
            return error->code;
        }
    }
    sio_code code = change(client, request, joins, instrument, &message, error);
    if (joins && code != SIO_FINE) {
        return code;
    }
    if (is_topic) {
        sio_write_topic_confirmed(begin_object(door),
                                  instrument == NULL ? NULL : instrument->symbol, code == SIO_FINE,
                                  message);
    } else {
        sio_write_confirmed(begin_object(door), instrument->symbol, request->interval,
                            request->label, code == SIO_FINE, message);
    }
    sio_answer(client, joins ? "subscription_confirmed" : "unsubscribe_confirmed", packet);
    if (joins && instrument != NULL) { /* what is so now comes behind the confirmation */
        sio_owe(client, is_topic ? SIO_ROOM_PRICE : SIO_ROOM_KLINE, instrument->index,
                is_topic ? 0 : (uint8_t)request->interval, request->label);
    }
    return SIO_FINE;
}

static sio_code on_history(sio_client *client, const sio_request *request, const sio_packet *packet,
                           sio_error *error)
{
    const matching_instrument *instrument = instrument_of(client->door, request, error);
    return instrument == NULL ? error->code
                              : sio_history(client, instrument->index, request, packet, error);
}

static void on_event(sio_client *client, const sio_packet *packet)
{
    sio_request request;
    sio_error error;
    bool is_array;
    sio_code code = sio_request_read(packet->payload, &request, &error, &is_array);
    if (code == SIO_FINE) {
        code = request.kind == SIO_GET_HISTORY ? on_history(client, &request, packet, &error)
                                               : on_subscription(client, &request, packet, &error);
    }
    if (!is_array) {
        break_off(client, "an event that is no JSON array with a name");
    } else if (code != SIO_FINE) {
        sio_answer_error(client, &error, request.name, packet);
    }
    sio_request_fini(&request);
}

/* ---- Packets --------------------------------------------------------------------------------- */

static void on_connect(sio_client *client, const sio_packet *packet)
{
    sio_door *door = client->door;
    if (!sio_is_our_namespace(packet->namespace_name)) {
        sio_write_connect_error(sio_begin(door, 1), packet->namespace_name, "Invalid namespace");
        sio_reply(client);
        return;
    }
    if (client->is_connected) {
        break_off(client, "a second CONNECT to one namespace");
        return;
    }
    client->is_connected = true;
    client->joins++;
    sio_write_connected(sio_begin(door, 1), client->client_id);
    sio_reply(client);
    sio_write_success(begin_object(door), door->server.core, client->client_id,
                      matching_unix_ns() / NS_PER_MS);
    sio_answer(client, "connection_success", &(sio_packet){0});
}

static void on_disconnect(sio_client *client, const sio_packet *packet)
{
    if (client->is_connected && sio_is_our_namespace(packet->namespace_name)) {
        client->is_connected = false;
        client->connect_deadline_ms = client->door->server.now_ms + SIO_CONNECT_MS;
        sio_history_forget(client);
        sio_leave_all(client);
    }
}

static void refuse_binary(sio_client *client, const sio_packet *packet)
{
    sio_error error;
    sio_error_set(&error, SIO_BAD_PARAMETER, NULL, "binary data is not supported here");
    sio_answer_error(client, &error, "", packet);
}

/* Bytes: what belongs to a packet that was refused is passed over. */
static void on_bytes(sio_client *client)
{
    if (client->attachments > 0) {
        client->attachments--;
    } else if (client->is_connected) {
        refuse_binary(client, &(sio_packet){0});
    } else {
        break_off(client, "binary data is not supported here");
    }
}

void sio_on_packet(sio_client *client, const eio_packet *engine)
{
    sio_packet packet;
    if (engine->is_binary) {
        on_bytes(client);
        return;
    }
    if (!sio_packet_read(engine->data.data, engine->data.length, &packet)) {
        break_off(client, "not a Socket.IO packet");
        return;
    }
    if (packet.type == SIO_CONNECT) {
        on_connect(client, &packet);
        return;
    }
    if (packet.type == SIO_DISCONNECT) {
        on_disconnect(client, &packet);
        return;
    }
    if (!client->is_connected || !sio_is_our_namespace(packet.namespace_name)) {
        break_off(client, "a namespace that was not connected to");
        return;
    }
    if (packet.type == SIO_EVENT) {
        on_event(client, &packet);
    } else if (packet.type == SIO_BINARY_EVENT || packet.type == SIO_BINARY_ACK) {
        client->attachments = packet.attachments;
        packet.has_id = packet.has_id && packet.type == SIO_BINARY_EVENT;
        refuse_binary(client, &packet);
    } /* an ACK: nothing was asked */
}
