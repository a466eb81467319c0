/* A connection of HTTP: its id, and the line and the span that tell of it when it has ended. */
#include <stdio.h>
#include <string.h>

#include "ids.h"
#include "matching/connections.h"
#include "matching/log.h"

#define NS_PER_MS UINT64_C(1000000)

void matching_http_began(matching_http_traffic *traffic, const char *address, unsigned port)
{
    static _Thread_local connection_ids ids;
    uint64_t words[2];
    *traffic = (matching_http_traffic){.since_ns = matching_monotonic_ns()};
    if (connection_ids_take(&ids, words)) {
        connection_id_print(traffic->id, words);
    }
    bool is_v6 = strchr(address, ':') != NULL;
    if (address[0] != '\0') {
        snprintf(traffic->remote, sizeof traffic->remote, is_v6 ? "[%s]:%u" : "%s:%u", address,
                 port);
    }
    matching_span_begin(&traffic->span, NULL, traffic->since_ns);
}

void matching_http_named(matching_http_traffic *traffic, const matching_command *command)
{
    /* An instrument's addition has its symbol there. */
    if (command->type != MATCHING_ADD_INSTRUMENT && command->trader_id[0] != '\0') {
        memcpy(traffic->trader_id, command->trader_id, MATCHING_TRADER_MAX);
    }
}

static void log_end(const char *transport, const matching_http_traffic *traffic)
{
    if (!matching_log_wants(MATCHING_LOG_INFO, transport)) {
        return;
    }
    matching_connection_info info = {
        .transport = transport,
        .counts =
            {
                [MATCHING_CONNECTION_MESSAGES_RECEIVED] = traffic->requests,
                [MATCHING_CONNECTION_MESSAGES_SENT] = traffic->answers,
                [MATCHING_CONNECTION_BYTES_RECEIVED] = traffic->bytes_received,
                [MATCHING_CONNECTION_BYTES_SENT] = traffic->bytes_sent,
                [MATCHING_CONNECTION_ERRORS] = traffic->errors,
            },
    };
    memcpy(info.id, traffic->id, sizeof info.id);
    memcpy(info.trader_id, traffic->trader_id, sizeof info.trader_id);
    memcpy(info.remote, traffic->remote, sizeof info.remote);
    matching_connection_ended(&info, (matching_monotonic_ns() - traffic->since_ns) / NS_PER_MS,
                              traffic->last_status);
}

void matching_http_ended(const char *transport, const char *span, const char *address,
                         matching_http_traffic *traffic)
{
    log_end(transport, traffic);
    if (!matching_span_is_sampled(&traffic->span)) {
        return;
    }
    const matching_trace_field fields[] = {
        {.name = "connection.id", .text = traffic->id},
        {.name = "user.id", .text = traffic->trader_id},
        {.name = "client.address", .text = address},
        {.name = "connection.messages_received", .number = traffic->requests},
        {.name = "connection.messages_sent", .number = traffic->answers},
        {.name = "connection.bytes_received", .number = traffic->bytes_received},
        {.name = "connection.bytes_sent", .number = traffic->bytes_sent},
    };
    _Static_assert(sizeof fields / sizeof fields[0] <= MATCHING_SPAN_FIELDS_MAX, "all are told");
    matching_span_end(&traffic->span,
                      &(matching_span_facts){.name = span,
                                             .kind = MATCHING_SPAN_INTERNAL,
                                             .fields = fields,
                                             .field_count = sizeof fields / sizeof fields[0]});
}
