/* What carries sessions: GETs and POSTs, and WebSockets.
 *
 * Invariants: an exchange's owner is the client that has it as poll or post; a connection's client
 * is the one that has it as peer or probe. A POST whose body is here waits only while its client is
 * spent (wire_share), and is answered when all of it has been taken.
 */
#include <string.h>

#include "door.h"

#define PARAMETER_SIZE 64

typedef struct parameters {
    char version[PARAMETER_SIZE], transport[PARAMETER_SIZE], sid[PARAMETER_SIZE];
    eio_query query;
} parameters;

static void read_query(struct lws *wsi, bool is_upgrade, bool is_get, parameters *out)
{
    out->query = (eio_query){
        .version = wire_query(wsi, "EIO", out->version, sizeof out->version),
        .transport = wire_query(wsi, "transport", out->transport, sizeof out->transport),
        .sid = wire_query(wsi, "sid", out->sid, sizeof out->sid),
        .is_upgrade = is_upgrade,
        .is_get = is_get,
    };
}

static void refuse(wire_exchange *exchange, eio_error error)
{
    const char *body = eio_error_body(error);
    wire_answer(exchange, "400 Bad Request", "application/json", body, strlen(body));
}

static void end_session(sio_client *client)
{
    wire_message_refused(&client->door->server, "the protocol was broken");
    sio_client_close(client, "1", WIRE_CLOSE_PROTOCOL, "the protocol was broken");
}

/* ---- Polling --------------------------------------------------------------------------------- */

static void on_handshake(wire_exchange *exchange)
{
    static const char full[] =
        "{\"error\":\"too many connections\",\"code\":\"TOO_MANY_CONNECTIONS\"}";
    sio_door *door = sio_door_of(exchange->server);
    char remote[MATCHING_CONNECTION_REMOTE_SIZE];
    wire_print_remote(remote, lws_get_socket_fd(exchange->wsi));
    sio_client *client = sio_client_create(door, NULL, remote);
    if (client == NULL) {
        wire_answer(exchange, "503 Service Unavailable", "application/json", full, sizeof full - 1);
        return;
    }
    (void)eio_session_poll(&client->session);
    client->poll = exchange;
    exchange->owner = client;
    sio_mark_ready(client);
}

static void on_get(wire_exchange *exchange, sio_client *client)
{
    sio_tell_heard(client, 0);
    switch (eio_session_poll(&client->session)) {
    case EIO_DO_HOLD:
    case EIO_DO_ANSWER:
        client->poll = exchange;
        exchange->owner = client;
        sio_mark_ready(client);
        return;
    case EIO_DO_CLOSE:
        end_session(client);
        break;
    default:
        break;
    }
    refuse(exchange, EIO_BAD_REQUEST);
}

static void on_post(wire_exchange *exchange, sio_client *client)
{
    switch (eio_session_post(&client->session)) {
    case EIO_DO_NOTHING:
        client->post = exchange; /* its body comes */
        exchange->owner = client;
        return;
    case EIO_DO_CLOSE:
        end_session(client);
        break;
    default:
        break;
    }
    refuse(exchange, EIO_BAD_REQUEST);
}

void sio_on_request(wire_exchange *exchange)
{
    sio_door *door = sio_door_of(exchange->server);
    parameters given;
    eio_transport transport;
    read_query(exchange->wsi, false, exchange->method == WIRE_GET, &given);
    eio_error error = eio_query_judge(&given.query, &transport);
    if (error != EIO_FINE) {
        refuse(exchange, error);
        return;
    }
    if (given.query.sid == NULL) {
        on_handshake(exchange);
        return;
    }
    sio_client *client = sio_client_find(door, given.sid);
    if (client == NULL) {
        refuse(exchange, EIO_UNKNOWN_SID);
    } else if (exchange->method == WIRE_OTHER_METHOD) {
        refuse(exchange, EIO_BAD_REQUEST);
    } else if (exchange->method == WIRE_GET) {
        on_get(exchange, client);
    } else {
        on_post(exchange, client);
    }
}

/* One packet. */
static void on_engine_packet(sio_client *client, eio_carrier carrier, const eio_packet *packet)
{
    sio_work(client, packet->type == EIO_MESSAGE ? SIO_MESSAGE_UNITS : 1);
    switch (eio_session_receive(&client->session, carrier, packet, client->door->server.now_ms)) {
    case EIO_DO_DELIVER:
        sio_on_packet(client, packet);
        break;
    case EIO_DO_CLOSE: /* its own wish, if it is a CLOSE packet: then the GET just ends */
        sio_client_close(client, packet->type == EIO_CLOSE ? "6" : "1",
                         packet->type == EIO_CLOSE ? LWS_CLOSE_STATUS_NORMAL : WIRE_CLOSE_PROTOCOL,
                         "");
        break;
    default:
        break;
    }
}

/* ---- What a message is, for its span --------------------------------------------------------- */

static const char *packet_name(const eio_packet *packet)
{
    static const char *const engine[] = {"open",    "close",   "ping", "pong",
                                         "message", "upgrade", "noop"};
    static const char *const names[] = {"connect",       "disconnect",   "event",     "ack",
                                        "connect_error", "binary_event", "binary_ack"};
    sio_packet inner;
    if (packet->type != EIO_MESSAGE) {
        return engine[packet->type];
    }
    if (packet->is_binary || !sio_packet_read(packet->data.data, packet->data.length, &inner)) {
        return packet->is_binary ? "binary" : "unknown";
    }
    return inner.type == SIO_EVENT ? sio_event_name(inner.payload) : names[inner.type];
}

void sio_describe(wire_peer *peer, const char *text, size_t length, wire_message_facts *facts)
{
    eio_packet packet;
    (void)peer;
    facts->type = eio_packet_read(text, length, &packet) ? packet_name(&packet) : "unknown";
}

/* The same of a POST's body. */
static void describe_body(const wire_exchange *exchange, wire_message_facts *facts)
{
    eio_payload payload = {.text = exchange->body, .length = exchange->body_length};
    eio_packet packet;
    const char *name = "unknown";
    while (payload.length > 0 && eio_payload_next(&payload, &packet) == EIO_NEXT_PACKET) {
        const char *next = packet_name(&packet); /* static ones: the same name is the same text */
        name = facts->count++ == 0 || next == name ? next : "mixed";
    }
    facts->type = name;
}

/* ---- Bodies ---------------------------------------------------------------------------------- */

void sio_take_body(sio_client *client)
{
    static const char ok[] = "ok";
    wire_exchange *post = client->post;
    eio_packet packet;
    eio_next next = client->rest.length > 0 ? EIO_NEXT_PACKET : EIO_NEXT_BAD;
    client->post = NULL; /* it is answered here, whatever becomes of the session */
    while (next == EIO_NEXT_PACKET && !client->is_over && !client->share.is_spent &&
           (next = eio_payload_next(&client->rest, &packet)) == EIO_NEXT_PACKET) {
        sio_tell_packet(client);
        on_engine_packet(client, EIO_FROM_POST, &packet);
    }
    if (next == EIO_NEXT_PACKET && !client->is_over) {
        client->post = post;
        return;
    }
    client->has_body = false;
    post->owner = NULL;
    eio_session_post_done(&client->session);
    if (next == EIO_NEXT_BAD) {
        end_session(client);
        refuse(post, EIO_BAD_REQUEST);
    } else {
        wire_answer(post, "200 OK", "text/plain; charset=UTF-8", ok, strlen(ok));
    }
}

void sio_drop_post(sio_client *client)
{
    wire_exchange *post = client->post;
    if (post == NULL) {
        return;
    }
    post->owner = NULL;
    client->post = NULL;
    if (client->has_body) {
        refuse(post, EIO_UNKNOWN_SID);
    }
}

/* The client has sent so much and will be told "ok": counted now, since it may be its last. */
static void begin_body(sio_client *client, const wire_exchange *exchange)
{
    client->rest = (eio_payload){.text = exchange->body, .length = exchange->body_length};
    client->has_body = true;
    sio_tell_heard(client, exchange->body_length);
    sio_tell_wrote(client, strlen("ok"));
}

void sio_on_body(wire_exchange *exchange)
{
    wire_server *server = exchange->server;
    size_t length = exchange->body_length; /* it may be gone when it is answered */
    matching_span span;
    sio_client *client = exchange->owner;
    if (client == NULL) { /* the session ended meanwhile */
        refuse(exchange, EIO_UNKNOWN_SID);
        return;
    }
    begin_body(client, exchange);
    matching_span_begin(&span, NULL, server->now_ns);
    if (!matching_span_is_sampled(&span)) {
        sio_take_body(client);
        return;
    }
    server->spans.message = (wire_message_facts){.type = ""};
    describe_body(exchange, &server->spans.message);
    sio_take_body(client);
    wire_message_end(server, NULL, &span, length);
}

void sio_on_gone(wire_exchange *exchange)
{
    sio_client *client = exchange->owner;
    if (client == NULL) {
        return;
    }
    exchange->owner = NULL;
    if (client->post == exchange) {
        client->post = NULL;
        client->has_body = false;
        eio_session_post_done(&client->session);
        return;
    }
    client->poll = NULL;
    if (eio_session_poll_gone(&client->session) == EIO_DO_CLOSE) {
        sio_client_close(client, "1", LWS_CLOSE_STATUS_GOINGAWAY, "the poll was given up");
    }
}

/* ---- WebSockets ------------------------------------------------------------------------------ */

bool sio_judge_upgrade(wire_server *server, struct lws *wsi, const char **status, const char **body)
{
    const sio_door *door = sio_door_of(server);
    parameters given;
    eio_transport transport;
    read_query(wsi, true, true, &given);
    eio_error error = eio_query_judge(&given.query, &transport);
    *status = "400 Bad Request";
    if (error == EIO_FINE && given.query.sid != NULL) {
        const sio_client *client = sio_client_find(door, given.sid);
        error = client == NULL                                                ? EIO_UNKNOWN_SID
                : client->session.transport == EIO_WEBSOCKET || client->probe ? EIO_BAD_REQUEST
                                                                              : EIO_FINE;
    } else if (error == EIO_FINE && door->client_count == door->client_max) {
        *status = "503 Service Unavailable";
        *body = "{\"error\":\"too many connections\",\"code\":\"TOO_MANY_CONNECTIONS\"}";
        return false;
    }
    *body = error == EIO_FINE ? "" : eio_error_body(error);
    return error == EIO_FINE;
}

void sio_on_open(wire_peer *peer)
{
    sio_door *door = sio_door_of(peer->server);
    sio_connection *connection = (sio_connection *)peer;
    parameters given;
    read_query(peer->wsi, true, true, &given);
    if (given.query.sid == NULL) {
        connection->client = sio_client_create(door, peer, NULL);
        if (connection->client == NULL) {
            wire_end(peer, LWS_CLOSE_STATUS_UNEXPECTED_CONDITION, "too many connections",
                     WIRE_CLOSE_GRACE_MS);
        }
        return;
    }
    sio_client *client = sio_client_find(door, given.sid);
    if (client == NULL || eio_session_probe(&client->session, door->server.now_ms) == EIO_DO_DROP) {
        wire_end(peer, LWS_CLOSE_STATUS_POLICY_VIOLATION,
                 "no such session, or it has its WebSocket", WIRE_CLOSE_GRACE_MS);
        return;
    }
    connection->client = client;
    client->probe = peer;
}

static void drop_probe(sio_client *client)
{
    wire_peer *probe = client->probe;
    eio_session_probe_gone(&client->session);
    client->probe = NULL;
    ((sio_connection *)probe)->client = NULL;
    wire_end(probe, WIRE_CLOSE_PROTOCOL, "not what an upgrade consists of", WIRE_CLOSE_GRACE_MS);
}

static void on_probe(sio_client *client, const eio_packet *packet)
{
    sio_door *door = client->door;
    switch (eio_session_receive(&client->session, EIO_FROM_PROBE, packet, door->server.now_ms)) {
    case EIO_DO_PROBED:
        MATCHING_WRITE(sio_begin(door, 1), "3probe");
        wire_send_reply(client->probe);
        sio_mark_ready(client); /* a GET that waits has an answer now */
        break;
    case EIO_DO_UPGRADE:
        client->peer = client->probe;
        client->probe = NULL;
        sio_client_upgraded(client);
        break;
    default:
        drop_probe(client);
        break;
    }
}

static void on_frame(wire_peer *peer, const eio_packet *packet)
{
    sio_client *client = ((sio_connection *)peer)->client;
    if (client->probe == peer) {
        on_probe(client, packet);
    } else {
        on_engine_packet(client, EIO_FROM_WEBSOCKET, packet);
    }
}

void sio_on_message(wire_peer *peer, const char *text, size_t length)
{
    sio_client *client = ((sio_connection *)peer)->client;
    eio_packet packet;
    if (client == NULL) {
        return;
    }
    if (eio_packet_read(text, length, &packet) && !packet.is_binary) {
        on_frame(peer, &packet);
    } else if (client->probe == peer) {
        drop_probe(client);
    } else {
        end_session(client);
    }
}

void sio_on_binary(wire_peer *peer)
{
    static const eio_packet packet = {.type = EIO_MESSAGE, .is_binary = true};
    if (((sio_connection *)peer)->client != NULL) {
        on_frame(peer, &packet);
    }
}

void sio_on_closed(wire_peer *peer)
{
    sio_client *client = ((sio_connection *)peer)->client;
    if (client == NULL) {
        return;
    }
    if (client->probe == peer) {
        client->probe = NULL;
        eio_session_probe_gone(&client->session);
        return;
    }
    sio_tell_count(client, 0);
    client->peer = NULL;
    sio_client_close(client, "1", WIRE_CLOSE_NONE, "");
}
