/* The document, from the table of calls (routes.c), the gateway's table of fields
 * (transports/describe) and the table of codes.
 *
 * Invariants: an operation has the parameters that its call takes and no others; an error has the
 * codes whose status it is (http_status_of), and those that routes.c gives it beside them.
 */
#include "openapi.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "request_id.h"

#ifndef MATCHING_VERSION
#define MATCHING_VERSION "unknown"
#endif

#define PATH_TEXT 80

/* A status that refuses, and the codes that it has beside those of http_status_of. */
static const struct {
    unsigned status;
    const char *says;
    matching_code more[3]; /* MATCHING_OK ends it */
    const char *header;    /* that comes with it; NULL: none */
} REFUSALS[] = {
    {400, "bad input", {MATCHING_OK}, NULL},
    {401, "administration without the token", {MATCHING_UNAUTHORIZED}, "WWW-Authenticate"},
    {403, "not let in: Origin, Host, or administration from elsewhere", {MATCHING_OK}, NULL},
    {404, "no such order or instrument", {MATCHING_OK}, NULL},
    {409,
     "refused by what is there: a duplicate, the instrument's state, memory that is used up",
     {MATCHING_INVALID_PARAMETER},
     NULL},
    {413, "the body is too large", {MATCHING_OK}, NULL},
    {414, "the target is too long", {MATCHING_MESSAGE_TOO_LARGE}, NULL},
    {415, "the body is not application/json", {MATCHING_INVALID_MESSAGE}, NULL},
    {422, "refused by a rule: post_only, risk", {MATCHING_OK}, NULL},
    {429, "too many requests", {MATCHING_OK}, "Retry-After"},
    {431, "the headers are too large", {MATCHING_MESSAGE_TOO_LARGE}, NULL},
    {503,
     "not now; with INTERNAL_ERROR it is not known whether it was done",
     {MATCHING_OK},
     "Retry-After"},
};

#define REFUSAL_COUNT (sizeof REFUSALS / sizeof REFUSALS[0])

static const char *method_word(unsigned method)
{
    switch (method) {
    case HTTP_GET:
        return "get";
    case HTTP_POST:
        return "post";
    case HTTP_PATCH:
        return "patch";
    default:
        return "delete";
    }
}

/* "/api/orders/{order_id}"; with another separator and brackets, a name of the operation. */
static void print_path(char out[PATH_TEXT], const http_route_view *view, const char *separator,
                       const char *before, const char *after)
{
    size_t length = 0;
    out[0] = '\0';
    for (size_t i = 0; i < HTTP_SEGMENTS_MAX && view->segments[i] != NULL; i++) {
        bool is_field = strcmp(view->segments[i], "*") == 0;
        length += (size_t)snprintf(
            out + length, PATH_TEXT - length, "%s%s%s%s", separator, is_field ? before : "",
            is_field ? matching_field_name(view->path_field) : view->segments[i],
            is_field ? after : "");
    }
    if (length == 0)
        snprintf(out, PATH_TEXT, "%s", strcmp(separator, "/") == 0 ? "/" : "_page");
}

/* ---- One operation --------------------------------------------------------------------------- */

static void write_parameter(matching_writer *writer, const http_route_view *view,
                            matching_field field, const char *place, bool is_required)
{
    MATCHING_WRITE(writer, "{\"name\":");
    matching_write_cstring(writer, matching_field_name(field));
    MATCHING_WRITE(writer, ",\"in\":");
    matching_write_cstring(writer, place);
    matching_describe_text(writer, is_required ? ",\"required\":true,\"description\":"
                                               : ",\"required\":false,\"description\":");
    matching_write_cstring(writer, matching_describe_meaning(field));
    MATCHING_WRITE(writer, ",\"schema\":");
    matching_describe_field(writer, view->action, field, true);
    MATCHING_WRITE(writer, "},");
}

static void write_parameters(matching_writer *writer, const http_route_view *view)
{
    uint32_t required = 0;
    (void)matching_gateway_fields(view->action, 0, &required);
    MATCHING_WRITE(writer, ",\"parameters\":[");
    if (view->path_field != MATCHING_FIELD_NONE)
        write_parameter(writer, view, view->path_field, "path", true);
    for (unsigned field = 1; field < MATCHING_FIELD_COUNT; field++)
        if (view->query & MATCHING_FIELD_BIT(field))
            write_parameter(writer, view, (matching_field)field, "query",
                            required & MATCHING_FIELD_BIT(field));
    MATCHING_WRITE(writer, "{\"$ref\":\"#/components/parameters/RequestId\"}]");
}

static bool has_refusal(const http_route_view *view, unsigned status)
{
    matching_action action = view->action;
    bool changes_order = action == MATCHING_ACTION_PLACE || action == MATCHING_ACTION_AMEND;
    bool names_order = action == MATCHING_ACTION_CANCEL || action == MATCHING_ACTION_AMEND ||
                       action == MATCHING_ACTION_GET_ORDER;
    switch (status) {
    case 400:
        return !view->takes_any_query;
    case 401:
        return view->is_administration;
    case 404:
        return names_order ||
               (action != MATCHING_ACTION_NONE && action != MATCHING_ACTION_ADD_INSTRUMENT);
    case 409:
        return changes_order || action == MATCHING_ACTION_ADD_INSTRUMENT;
    case 413:
    case 415:
        return view->has_body;
    case 422:
        return changes_order;
    default:
        return true;
    }
}

static void write_responses(matching_writer *writer, const http_route_view *view)
{
    MATCHING_WRITE(writer, ",\"responses\":{\"200\":{\"description\":\"done\",\"headers\":{"
                           "\"" MATCHING_REQUEST_ID_HEADER "\":"
                           "{\"$ref\":\"#/components/headers/RequestId\"}},\"content\":{");
    if (view->answer == MATCHING_SCHEMA_NONE) {
        matching_write_cstring(writer, view->is_html ? "text/html" : "text/plain");
        MATCHING_WRITE(writer, ":{\"schema\":{\"type\":\"string\"}}}}");
    } else {
        MATCHING_WRITE(writer, "\"application/json\":{\"schema\":");
        matching_describe_reference(writer, view->answer);
        MATCHING_WRITE(writer, "}}}");
    }
    for (size_t i = 0; i < REFUSAL_COUNT; i++) {
        char text[80];
        bool is_health = view->answer == MATCHING_SCHEMA_HEALTH && REFUSALS[i].status == 503;
        if (!has_refusal(view, REFUSALS[i].status))
            continue;
        snprintf(text, sizeof text, ",\"%u\":{\"$ref\":\"#/components/responses/%s%u\"}",
                 REFUSALS[i].status, is_health ? "Health" : "Refused", REFUSALS[i].status);
        matching_describe_text(writer, text);
    }
    MATCHING_WRITE(writer, "}");
}

static void write_operation(matching_writer *writer, const http_route_view *view)
{
    char name[PATH_TEXT];
    print_path(name, view, "_", "by_", "");
    matching_describe_name(writer, method_word(view->method));
    MATCHING_WRITE(writer, "{\"operationId\":\"");
    matching_describe_text(writer, method_word(view->method));
    matching_describe_text(writer, name);
    MATCHING_WRITE(writer, "\",\"summary\":");
    matching_write_cstring(writer, view->summary);
    MATCHING_WRITE(writer, ",\"tags\":[");
    matching_write_cstring(writer, view->is_administration                 ? "administration"
                                   : view->segments[0] == NULL             ? "service"
                                   : strcmp(view->segments[0], "api") == 0 ? view->segments[1]
                                                                           : "service");
    MATCHING_WRITE(writer, "]");
    if (view->is_administration) /* a loopback peer needs no token where none is configured */
        MATCHING_WRITE(writer, ",\"security\":[{\"AdminToken\":[]},{}]");
    write_parameters(writer, view);
    if (view->has_body) {
        MATCHING_WRITE(writer, ",\"requestBody\":{\"required\":true,\"content\":"
                               "{\"application/json\":{\"schema\":");
        matching_describe_body(
            writer, view->action,
            view->path_field == MATCHING_FIELD_NONE ? 0 : MATCHING_FIELD_BIT(view->path_field));
        MATCHING_WRITE(writer, "}}}");
    }
    write_responses(writer, view);
    MATCHING_WRITE(writer, "}");
}

/* ---- The whole ------------------------------------------------------------------------------- */

/* Is there a call with this path before this one? Then it has been written with that. */
static bool is_first_of_path(size_t index, const char *path)
{
    http_route_view view;
    char other[PATH_TEXT];
    for (size_t i = 0; i < index && http_route_at(i, &view); i++) {
        print_path(other, &view, "/", "{", "}");
        if (strcmp(path, other) == 0)
            return false;
    }
    return true;
}

static void write_paths(matching_writer *writer)
{
    http_route_view view;
    http_route_view other;
    MATCHING_WRITE(writer, ",\"paths\":{");
    for (size_t i = 0; http_route_at(i, &view); i++) {
        char path[PATH_TEXT];
        char its[PATH_TEXT];
        print_path(path, &view, "/", "{", "}");
        if (!is_first_of_path(i, path))
            continue;
        if (i > 0)
            MATCHING_WRITE(writer, ",");
        matching_describe_name(writer, path);
        MATCHING_WRITE(writer, "{");
        write_operation(writer, &view);
        for (size_t j = i + 1; http_route_at(j, &other); j++) {
            print_path(its, &other, "/", "{", "}");
            if (strcmp(path, its) != 0)
                continue;
            MATCHING_WRITE(writer, ",");
            write_operation(writer, &other);
        }
        MATCHING_WRITE(writer, "}");
    }
    MATCHING_WRITE(writer, "}");
}

static void write_codes(matching_writer *writer, size_t refusal)
{
    unsigned status = REFUSALS[refusal].status;
    const char *separator = "";
    MATCHING_WRITE(writer, "{\"enum\":[");
    for (unsigned code = 1; code < MATCHING_CODE_COUNT; code++) {
        bool has = http_status_of((matching_code)code) == status;
        for (size_t i = 0; REFUSALS[refusal].more[i] != MATCHING_OK; i++)
            has = has || REFUSALS[refusal].more[i] == code;
        if (!has)
            continue;
        matching_describe_text(writer, separator);
        matching_write_cstring(writer, matching_code_name((matching_code)code));
        separator = ",";
    }
    MATCHING_WRITE(writer, "]}");
}

static void write_refusal(matching_writer *writer, size_t refusal)
{
    char text[40];
    snprintf(text, sizeof text, "\"Refused%u\":{\"description\":", REFUSALS[refusal].status);
    matching_describe_text(writer, text);
    matching_write_cstring(writer, REFUSALS[refusal].says);
    MATCHING_WRITE(writer, ",\"headers\":{\"" MATCHING_REQUEST_ID_HEADER "\":"
                           "{\"$ref\":\"#/components/headers/RequestId\"}");
    if (REFUSALS[refusal].header != NULL) {
        MATCHING_WRITE(writer, ",");
        matching_describe_name(writer, REFUSALS[refusal].header);
        MATCHING_WRITE(writer, "{\"schema\":{\"type\":\"string\"}}");
    }
    MATCHING_WRITE(writer, "},\"content\":{\"application/json\":{\"schema\":{\"allOf\":["
                           "{\"$ref\":\"#/components/schemas/Error\"},{\"properties\":{\"code\":");
    write_codes(writer, refusal);
    MATCHING_WRITE(writer, "}}]}}}},");
}

static void write_components(matching_writer *writer)
{
    char text[300];
    MATCHING_WRITE(writer, ",\"components\":{\"schemas\":");
    matching_describe_schemas(writer);
    MATCHING_WRITE(writer, ",\"responses\":{");
    for (size_t i = 0; i < REFUSAL_COUNT; i++)
        write_refusal(writer, i);
    MATCHING_WRITE(writer, "\"Health503\":{\"description\":\"starting, or a shard has failed, or "
                           "not now\",\"content\":"
                           "{\"application/json\":{\"schema\":{\"anyOf\":["
                           "{\"$ref\":\"#/components/schemas/Health\"},"
                           "{\"$ref\":\"#/components/schemas/Error\"}]}}}}},");
    snprintf(text, sizeof text,
             "\"RequestId\":{\"name\":\"" MATCHING_REQUEST_ID_HEADER
             "\",\"in\":\"header\",\"required\":false,\"description\":"
             "\"comes back with the answer\",\"schema\":{\"type\":\"string\",\"minLength\":1,"
             "\"maxLength\":%d,\"pattern\":\"^[!-~]+$\"}}",
             MATCHING_REQUEST_ID_MAX);
    MATCHING_WRITE(writer, "\"parameters\":{");
    matching_describe_text(writer, text);
    MATCHING_WRITE(writer,
                   "},\"headers\":{\"RequestId\":{\"description\":\"that of the request, if it "
                   "had one\",\"schema\":{\"type\":\"string\"}}},"
                   "\"securitySchemes\":{\"AdminToken\":{\"type\":\"http\",\"scheme\":\"bearer\","
                   "\"description\":\"needed where [admin] token is configured\"}}}");
}

static void write_limits(matching_writer *writer, const matching_config *config)
{
    char text[600];
    const matching_config_limits *limits = &config->http.limits;
    snprintf(text, sizeof text,
             ",\"x-limits\":{\"max_connections\":%" PRIu32 ",\"max_body_bytes\":%" PRIu32
             ",\"header_timeout_ms\":%" PRIu32 ",\"body_timeout_ms\":%" PRIu32
             ",\"idle_timeout_ms\":%" PRIu32 ",\"max_connections_per_address\":%" PRIu32
             ",\"max_requests_per_second_per_address\":%" PRIu32
             ",\"max_requests_per_second_per_trader\":%" PRIu32
             ",\"page\":%d,\"trades_in_an_answer\":%d,\"depth_levels\":%d}",
             config->http.max_connections, config->http.max_body_bytes, limits->header_timeout_ms,
             limits->body_timeout_ms, limits->idle_timeout_ms, limits->max_connections_per_address,
             limits->max_requests_per_second_per_address,
             limits->max_requests_per_second_per_trader, MATCHING_PAGE_MAX,
             MATCHING_REPLY_TRADES_MAX, MATCHING_DEPTH_LEVELS_MAX);
    matching_describe_text(writer, text);
}

void http_openapi_write(matching_writer *writer, const http_service *service)
{
    MATCHING_WRITE(
        writer,
        "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"matching\",\"version\":\"" MATCHING_VERSION
        "\",\"summary\":\"An order-matching service\",\"description\":"
        "\"HEAD works wherever GET does, OPTIONS tells what a path takes. Members of a body that a "
        "call does not know are ignored, and null counts as left out; a query parameter that it "
        "does not know is refused. Prices and quantities are exact decimals. In x-limits 0 means "
        "that there is no limit.\",\"license\":{\"name\":\"MIT\",\"identifier\":\"MIT\"}},"
        "\"servers\":[{\"url\":\"/\"}]");
    if (service->config != NULL)
        write_limits(writer, service->config);
    write_paths(writer);
    write_components(writer);
    MATCHING_WRITE(writer, "}");
}
