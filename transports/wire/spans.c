/* See spans.h.
 *
 * Invariants: a span of a handshake ends before the callback does that it was begun in, unless the
 * handshake was broken off, and then nobody is told of it; what a message's span tells is looked at
 * before the message is handled, since it may be gone after that.
 */
#include "spans.h"

#include <stdio.h>
#include <string.h>

#include "peer.h"

#define TRACEPARENT_MAX 256 /* one of a version to come may be longer than ours; this is enough */
#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

static void take_state(matching_span *span, struct lws *wsi)
{
    static const char name[] = "tracestate:";
    char text[MATCHING_TRACESTATE_SIZE];
    int length = lws_hdr_custom_copy(wsi, text, sizeof text, name, sizeof name - 1);
    matching_span_state(span, text, length > 0 ? (size_t)length : 0);
}

void wire_upgrade_begin(wire_server *server, struct lws *wsi)
{
    static const char name[] = "traceparent:";
    char text[TRACEPARENT_MAX];
    if (!matching_trace_is_on()) {
        return;
    }
    int length = lws_hdr_custom_copy(wsi, text, sizeof text, name, sizeof name - 1);
    matching_span_begin_remote(&server->spans.upgrade, length > 0 ? text : NULL,
                               length > 0 ? (size_t)length : 0, server->now_ns);
    server->spans.upgraded = wsi;
    if (matching_span_is_sampled(&server->spans.upgrade)) {
        take_state(&server->spans.upgrade, wsi);
    }
}

void wire_upgrade_end(wire_server *server, struct lws *wsi, unsigned status, const char *why)
{
    matching_span *span = &server->spans.upgrade;
    char address[MATCHING_CONNECTION_REMOTE_SIZE] = "", error[32];
    if (server->spans.upgraded != wsi) {
        return;
    }
    server->spans.upgraded = NULL;
    if (!matching_span_is_sampled(span)) {
        return;
    }
    if (why == NULL && status >= 500) { /* the others are the client's doing */
        snprintf(error, sizeof error, "status %u", status);
        why = error;
    }
    (void)lws_get_peer_simple(wsi, address, sizeof address);
    const matching_trace_field fields[] = {
        {.name = "http.request.method", .text = "GET"},
        {.name = "http.response.status_code", .number = status},
        {.name = "client.address", .text = address},
    };
    matching_span_end(span, &(matching_span_facts){.name = server->settings->spans.upgrade,
                                                   .kind = MATCHING_SPAN_SERVER,
                                                   .error = why,
                                                   .fields = fields,
                                                   .field_count = COUNT_OF(fields)});
}

void wire_connection_begin(wire_peer *peer)
{
    wire_server *server = peer->server;
    if (server->spans.upgraded == peer->wsi) {
        matching_span_begin(&peer->span, &server->spans.upgrade.own, 0);
        wire_upgrade_end(server, peer->wsi, WIRE_STATUS_UPGRADED, NULL);
    }
}

/* "[::1]:1234" and "127.0.0.1:1234" to what is before the port. */
static const char *address_of(char remote[MATCHING_CONNECTION_REMOTE_SIZE])
{
    char *port = strrchr(remote, ':');
    bool is_v6 = remote[0] == '[';
    if (port == NULL) {
        return remote;
    }
    port[is_v6 ? -1 : 0] = '\0';
    return is_v6 ? remote + 1 : remote;
}

/* A client may close with what it likes; these say that something has gone wrong. */
static bool is_failure(unsigned code)
{
    return code >= WIRE_CLOSE_PROTOCOL && code < 3000 && code != WIRE_CLOSE_UNTOLD;
}

void wire_connection_end(wire_peer *peer)
{
    const wire_server *server = peer->server;
    matching_connection_info info;
    char error[32] = "";
    if (!matching_span_is_sampled(&peer->span) ||
        !matching_connection_read(server->table, peer->entry, &info)) {
        return;
    }
    if (is_failure(peer->close_code)) {
        snprintf(error, sizeof error, "close code %u", peer->close_code);
    }
    const uint64_t *counts = info.counts;
    const matching_trace_field fields[] = {
        {.name = "connection.id", .text = info.id},
        {.name = "user.id", .text = info.trader_id},
        {.name = "client.address", .text = address_of(info.remote)},
        {.name = "connection.messages_received",
         .number = counts[MATCHING_CONNECTION_MESSAGES_RECEIVED]},
        {.name = "connection.messages_sent", .number = counts[MATCHING_CONNECTION_MESSAGES_SENT]},
        {.name = "connection.bytes_received", .number = counts[MATCHING_CONNECTION_BYTES_RECEIVED]},
        {.name = "connection.bytes_sent", .number = counts[MATCHING_CONNECTION_BYTES_SENT]},
        {.name = "connection.close_code", .number = peer->close_code},
    };
    _Static_assert(COUNT_OF(fields) <= MATCHING_SPAN_FIELDS_MAX, "none is left out");
    matching_span_end(&peer->span,
                      &(matching_span_facts){.name = server->settings->spans.connection,
                                             .kind = MATCHING_SPAN_INTERNAL,
                                             .error = error[0] != '\0' ? error : NULL,
                                             .fields = fields,
                                             .field_count = COUNT_OF(fields)});
}

void wire_message_end(wire_server *server, const wire_peer *peer, matching_span *span,
                      size_t length)
{
    const wire_message_facts *facts = &server->spans.message;
    matching_connection_info info = {.id = ""};
    if (peer != NULL) {
        (void)matching_connection_read(server->table, peer->entry, &info);
    }
    const matching_trace_field fields[] = {
        {.name = "message.type", .text = facts->type},
        {.name = "message.size_bytes", .number = length},
        {.name = "connection.id", .text = info.id},
        {.name = "user.id", .text = info.trader_id},
        {.name = "message.count", .number = facts->count},
    };
    matching_span_end(
        span, &(matching_span_facts){.name = server->settings->spans.message,
                                     .kind = MATCHING_SPAN_SERVER,
                                     .error = facts->error,
                                     .link = peer != NULL ? &peer->span.own : NULL,
                                     .fields = fields,
                                     .field_count = COUNT_OF(fields) - (facts->count == 0)});
}

void wire_message_sampled(wire_peer *peer, matching_span *span, const char *data, size_t length)
{
    wire_server *server = peer->server;
    const wire_handlers *handlers = server->handlers;
    server->spans.message = (wire_message_facts){.type = ""};
    handlers->describe(peer, data, length, &server->spans.message);
    server->spans.handled = span;
    const matching_trace_context *before = matching_trace_enter(span);
    handlers->on_message(peer, data, length);
    matching_trace_leave(before);
    server->spans.handled = NULL;
    wire_message_end(server, peer, span, length);
}

void wire_broadcast_tell(const wire_server *server, matching_span *span, const char *channel,
                         const char *symbol, size_t recipients, size_t count)
{
    const matching_trace_field fields[] = {
        {.name = "channel", .text = channel},
        {.name = "symbol", .text = symbol},
        {.name = "recipients", .number = recipients},
        {.name = "message.count", .number = count},
    };
    matching_span_end(span, &(matching_span_facts){.name = server->settings->spans.broadcast,
                                                   .kind = MATCHING_SPAN_PRODUCER,
                                                   .fields = fields,
                                                   .field_count = COUNT_OF(fields) - (count == 0)});
}
