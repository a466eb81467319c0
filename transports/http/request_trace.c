/* See request_trace.h. A route is told as it stands in the table, with the names of its fields:
 * what clients write in their place would make a name of its own for every order.
 */
#include "request_trace.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* How many of its segments are written as in the target; -1: it is another path. */
static int likeness(const http_route_view *view, const http_target *target)
{
    int plain = 0;
    for (size_t i = 0; i < HTTP_SEGMENTS_MAX; i++) {
        const char *wanted = view->segments[i];
        if (wanted == NULL || i == target->segment_count)
            return wanted == NULL && i == target->segment_count ? plain : -1;
        bool is_field = strcmp(wanted, "*") == 0;
        if (!is_field && !http_text_is(target->segments[i], wanted))
            return -1;
        plain += !is_field;
    }
    return plain;
}

static void print_route(char *out, size_t size, const http_route_view *view)
{
    size_t length = (size_t)snprintf(out, size, "%s", view->segments[0] == NULL ? "/" : "");
    for (size_t i = 0; i < HTTP_SEGMENTS_MAX && view->segments[i] != NULL && length < size; i++) {
        bool is_field = strcmp(view->segments[i], "*") == 0;
        int more = snprintf(out + length, size - length, is_field ? "/{%s}" : "/%s",
                            is_field ? matching_field_name(view->path_field) : view->segments[i]);
        length += (size_t)more;
    }
}

static const char *method_name(unsigned method)
{
    switch (method) {
    case HTTP_GET:
        return "GET";
    case HTTP_HEAD:
        return "HEAD";
    case HTTP_POST:
        return "POST";
    case HTTP_PATCH:
        return "PATCH";
    case HTTP_DELETE:
        return "DELETE";
    case HTTP_OPTIONS:
        return "OPTIONS";
    default:
        return "_OTHER"; /* as OpenTelemetry calls what is not known */
    }
}

static enum MHD_Result collect_state(void *context, enum MHD_ValueKind kind, const char *name,
                                     size_t name_size, const char *value, size_t value_size)
{
    static const char wanted[] = "tracestate";
    (void)kind;
    if (name_size == sizeof wanted - 1 && strcasecmp(name, wanted) == 0 && value != NULL)
        matching_tracestate_add(context, value, value_size);
    return MHD_YES;
}

void http_request_trace_begin(http_request_trace *trace, struct MHD_Connection *mhd,
                              const char *traceparent)
{
    matching_span_begin_remote(&trace->span, traceparent,
                               traceparent != NULL ? strlen(traceparent) : 0, 0);
    if (matching_span_is_sampled(&trace->span) && trace->span.has_remote_parent) {
        matching_tracestate all = {.length = 0};
        MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, collect_state, &all);
        matching_span_state(&trace->span, all.text, all.length);
    }
}

void http_request_trace_note(http_request_trace *trace, const char *method,
                             const http_target *target)
{
    if (!matching_span_is_sampled(&trace->span))
        return;
    int best = -1;
    http_route_view view;
    trace->method = method_name(http_method_find(method));
    for (size_t i = 0; !target->bad_path && http_route_at(i, &view); i++) {
        int found = likeness(&view, target);
        if (found > best) {
            best = found;
            print_route(trace->route, sizeof trace->route, &view);
        }
    }
}

void http_request_trace_named(http_request_trace *trace, const matching_command *command)
{
    if (matching_span_is_sampled(&trace->span) && command->type != MATCHING_ADD_INSTRUMENT)
        memcpy(trace->trader_id, command->trader_id, MATCHING_TRADER_MAX);
}

void http_request_trace_end(http_request_trace *trace, unsigned status, size_t received,
                            const char *peer, const matching_http_traffic *connection, bool is_sent)
{
    if (!matching_span_is_sampled(&trace->span))
        return;
    char error[32] = "the client went away";
    if (is_sent)
        snprintf(error, sizeof error, "status %u", status);
    const matching_trace_field fields[] = {
        {.name = "http.request.method", .text = trace->method != NULL ? trace->method : ""},
        {.name = "http.route", .text = trace->route},
        {.name = "http.response.status_code", .text = status != 0 ? NULL : "", .number = status},
        {.name = "message.size_bytes", .number = received},
        {.name = "client.address", .text = peer},
        {.name = "connection.id", .text = connection->id},
        {.name = "user.id", .text = trace->trader_id},
    };
    _Static_assert(sizeof fields / sizeof fields[0] <= MATCHING_SPAN_FIELDS_MAX, "all are told");
    matching_span_end(&trace->span, &(matching_span_facts){
                                        .name = "http.request",
                                        .kind = MATCHING_SPAN_SERVER,
                                        .error = is_sent && status < 500 ? NULL : error,
                                        .link = &connection->span.own,
                                        .fields = fields,
                                        .field_count = sizeof fields / sizeof fields[0],
                                    });
}
