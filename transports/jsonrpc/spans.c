/* The spans jsonrpc.request, one for a body, and jsonrpc.message.handle, one for each call in it. A
 * call of a notification, or of a client that has gone, is told like any other.
 */
#include <string.h>
#include <strings.h>
#include <sys/queue.h>

#include <event2/http.h>
#include <event2/keyvalq_struct.h> /* needs sys/queue.h */

#include "door.h"

static void take_state(matching_span *span, struct evhttp_request *request)
{
    matching_tracestate all = {.length = 0};
    const struct evkeyval *header = NULL;
    TAILQ_FOREACH(header, evhttp_request_get_input_headers(request), next)
    {
        if (strcasecmp(header->key, "tracestate") == 0) {
            matching_tracestate_add(&all, header->value, strlen(header->value));
        }
    }
    matching_span_state(span, all.text, all.length);
}

void jsonrpc_exchange_span_begin(jsonrpc_exchange *exchange, const jsonrpc_connection *connection,
                                 struct evhttp_request *request, const char *traceparent)
{
    jsonrpc_origin *origin = &exchange->origin;
    matching_span_begin_remote(&exchange->span, traceparent,
                               traceparent != NULL ? strlen(traceparent) : 0,
                               exchange->received_ns);
    if (matching_span_is_sampled(&exchange->span)) {
        memcpy(origin->id, connection->traffic.id, sizeof origin->id);
        memcpy(origin->peer, connection->peer, sizeof origin->peer);
        origin->span = connection->traffic.span.own;
        take_state(&exchange->span, request);
    }
}

/* Whom its calls name, if that is one. */
static const char *trader_of(const jsonrpc_exchange *exchange)
{
    const char *found = "";
    for (size_t i = 0; exchange->slots != NULL && i < exchange->message.count; i++) {
        const char *own = exchange->slots[i].trader_id;
        if (own[0] != '\0' && found[0] != '\0' && strcmp(own, found) != 0) {
            return "";
        }
        found = own[0] != '\0' ? own : found;
    }
    return found;
}

void jsonrpc_exchange_span_end(jsonrpc_exchange *exchange, int status)
{
    if (!matching_span_is_sampled(&exchange->span)) {
        return;
    }
    const matching_trace_field fields[] = {
        {.name = "http.response.status_code",
         .text = status != 0 ? NULL : "",
         .number = (uint64_t)status},
        {.name = "message.size_bytes", .number = exchange->body_length},
        {.name = "message.calls", .number = exchange->message.count},
        {.name = "client.address", .text = exchange->origin.peer},
        {.name = "connection.id", .text = exchange->origin.id},
        {.name = "user.id", .text = trader_of(exchange)},
    };
    const char *error = status == 0     ? "the client went away"
                        : status >= 500 ? "the answer could not be held in memory"
                                        : NULL;
    matching_span_end(&exchange->span, &(matching_span_facts){
                                           .name = "jsonrpc.request",
                                           .kind = MATCHING_SPAN_SERVER,
                                           .error = error,
                                           .link = &exchange->origin.span,
                                           .fields = fields,
                                           .field_count = sizeof fields / sizeof fields[0],
                                       });
}

void jsonrpc_slot_span_begin(jsonrpc_exchange *exchange, size_t index)
{
    matching_span_begin(&exchange->slots[index].span, &exchange->span.own, exchange->received_ns);
}

void jsonrpc_slot_span_end(jsonrpc_slot *slot)
{
    if (!matching_span_is_sampled(&slot->span)) {
        return;
    }
    const jsonrpc_exchange *exchange = slot->exchange;
    const jsonrpc_request *request = &exchange->message.requests[slot - exchange->slots];
    /* From the table: clients must not be able to make up others. */
    const char *type = request->valid ? jsonrpc_method_name(request) : "";
    bool is_alone = exchange->message.count == 1;
    const matching_trace_field fields[] = {
        {.name = "message.type", .text = type},
        {.name = "message.size_bytes",
         .text = is_alone ? NULL : "",
         .number = exchange->body_length},
        {.name = "user.id", .text = slot->trader_id},
    };
    matching_span_end(
        &slot->span, &(matching_span_facts){
                         .name = "jsonrpc.message.handle",
                         .kind = MATCHING_SPAN_INTERNAL,
                         .error = slot->code == MATCHING_OK ? NULL : matching_code_name(slot->code),
                         .fields = fields,
                         .field_count = sizeof fields / sizeof fields[0],
                     });
}
