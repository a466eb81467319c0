/* The table of calls, and the way of a request through it.
 *
 * Invariants: who asks is checked before what is asked; a request that is refused here has touched
 * nothing; what a call takes in its query is in the table and nowhere else.
 *
 * Not a validator: which fields an order needs and which values they may have, the gateway says.
 */
#include "routes.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "json_flat.h"
#include "json_reader.h"
#include "monitor.h"
#include "openapi.h"
#include "page.h"
#include "status.h"

#ifndef MATCHING_VERSION
#define MATCHING_VERSION "unknown"
#endif

enum {
    ROUTE_PUBLIC = 1,    /* open to origins let in by "*" */
    ROUTE_BODY = 2,      /* takes a JSON object */
    ROUTE_ADMIN = 4,     /* administration */
    ROUTE_ANY_QUERY = 8, /* the query is ignored: for health checks that add a number */
    ROUTE_HTML = 16,
    ROUTE_TEXT = 32 /* its answer is plain text */
};

#define BIT(name) MATCHING_FIELD_BIT(MATCHING_FIELD_##name)

typedef struct route {
    unsigned method;
    unsigned flags;
    const char *segments[HTTP_SEGMENTS_MAX]; /* "*": any one that is not empty, it is path_field */
    matching_action action;                  /* NONE: answered here */
    void (*write)(const http_service *service, const matching_request *request,
                  http_answer *answer);
    matching_field path_field;
    uint32_t query; /* bits of the fields that the query may have */
    const char *summary;
    matching_schema answer; /* of what is answered here; else the action's */
} route;

static void write_health(const http_service *service, const matching_request *request,
                         http_answer *answer)
{
    (void)request;
    char members[128];
    uint64_t uptime_ns = matching_monotonic_ns() - service->started_ns;
    snprintf(members, sizeof members, ",\"version\":\"%s\",\"uptime_seconds\":%llu",
             MATCHING_VERSION, (unsigned long long)(uptime_ns / 1000000000));
    if (!matching_write_health(&answer->body, service->core, "matching-service", members))
        answer->status = 503;
}

static void write_time(const http_service *service, const matching_request *request,
                       http_answer *answer)
{
    (void)request;
    (void)service;
    MATCHING_WRITE(&answer->body, "{\"server_time\":");
    matching_write_unsigned(&answer->body, matching_unix_ns() / 1000000);
    MATCHING_WRITE(&answer->body, "}");
}

static void write_symbols(const http_service *service, const matching_request *request,
                          http_answer *answer)
{
    (void)request;
    matching_write_symbols(&answer->body, service->core);
}

static void write_status(const http_service *service, const matching_request *request,
                         http_answer *answer)
{
    (void)request;
    http_status_write(&answer->body, service->core, service->counters);
}

static void write_openapi(const http_service *service, const matching_request *request,
                          http_answer *answer)
{
    (void)request;
    http_openapi_write(&answer->body, service);
}

static void write_page(const http_service *service, const matching_request *request,
                       http_answer *answer)
{
    (void)request;
    http_page_write(&answer->body, service->address);
}

static void write_connections(const http_service *service, const matching_request *request,
                              http_answer *answer)
{
    http_monitor_connections(service->core, request, answer);
}

static void write_metrics(const http_service *service, const matching_request *request,
                          http_answer *answer)
{
    (void)request;
    http_monitor_metrics(service->core, answer);
}

static void write_prometheus(const http_service *service, const matching_request *request,
                             http_answer *answer)
{
    (void)request;
    http_monitor_prometheus(service->core, answer);
}

static void write_latency(const http_service *service, const matching_request *request,
                          http_answer *answer)
{
    (void)request;
    http_monitor_latency(service->core, answer);
}

/* clang-format off */
static const route ROUTES[] = {
    {HTTP_GET, ROUTE_PUBLIC | ROUTE_ANY_QUERY | ROUTE_HTML, {0}, .write = write_page,
     .summary = "a page for people"},
    {HTTP_GET, ROUTE_PUBLIC | ROUTE_ANY_QUERY, {"health"}, .write = write_health,
     .summary = "is the service well", .answer = MATCHING_SCHEMA_HEALTH},
    {HTTP_GET, ROUTE_PUBLIC, {"api", "time"}, .write = write_time,
     .summary = "the service's clock", .answer = MATCHING_SCHEMA_TIME},
    {HTTP_GET, ROUTE_PUBLIC, {"api", "symbols"}, .write = write_symbols,
     .summary = "the instruments and their states", .answer = MATCHING_SCHEMA_SYMBOLS},
    {HTTP_GET, 0, {"api", "events", "status"}, .write = write_status,
     .summary = "how far the shards are, what doors have counted",
     .answer = MATCHING_SCHEMA_EVENTS_STATUS},
    {HTTP_GET, ROUTE_TEXT, {"metrics"}, .write = write_prometheus,
     .summary = "all that is counted and measured, for Prometheus"},
    {HTTP_GET, ROUTE_ADMIN, {"api", "admin", "latency"}, .write = write_latency,
     .summary = "the times of the stages of orders", .answer = MATCHING_SCHEMA_LATENCY},
    {HTTP_POST, ROUTE_ADMIN | ROUTE_BODY, {"api", "symbols"},
     .action = MATCHING_ACTION_ADD_INSTRUMENT, .summary = "adds an instrument"},
    {HTTP_PATCH, ROUTE_ADMIN | ROUTE_BODY, {"api", "symbols", "*"},
     .action = MATCHING_ACTION_SET_STATE, .path_field = MATCHING_FIELD_SYMBOL,
     .summary = "halts an instrument, opens an auction, or lets it trade"},
    {HTTP_POST, ROUTE_BODY, {"api", "orders"}, .action = MATCHING_ACTION_PLACE,
     .summary = "enters an order"},
    {HTTP_GET, 0, {"api", "orders"}, .action = MATCHING_ACTION_LIST_ORDERS,
     .query = BIT(TRADER_ID) | BIT(SYMBOL) | BIT(STATUS) | BIT(CLIENT_ORDER_ID) | BIT(AFTER) |
              BIT(LIMIT),
     .summary = "orders by ascending order_id, ended ones included"},
    {HTTP_DELETE, 0, {"api", "orders"}, .action = MATCHING_ACTION_CANCEL_ALL,
     .query = BIT(TRADER_ID) | BIT(SYMBOL),
     .summary = "cancels all working orders of a trader"},
    {HTTP_POST, ROUTE_BODY, {"api", "orders", "cancel"}, .action = MATCHING_ACTION_CANCEL,
     .summary = "cancels the order that the body names"},
    {HTTP_GET, 0, {"api", "orders", "*"}, .action = MATCHING_ACTION_GET_ORDER,
     .path_field = MATCHING_FIELD_ORDER_ID, .query = BIT(TRADER_ID) | BIT(SYMBOL),
     .summary = "one order, also one that has ended"},
    {HTTP_DELETE, 0, {"api", "orders", "*"}, .action = MATCHING_ACTION_CANCEL,
     .path_field = MATCHING_FIELD_ORDER_ID, .query = BIT(TRADER_ID) | BIT(SYMBOL),
     .summary = "cancels an order"},
    {HTTP_PATCH, ROUTE_BODY, {"api", "orders", "*"}, .action = MATCHING_ACTION_AMEND,
     .path_field = MATCHING_FIELD_ORDER_ID,
     .summary = "changes the price, the total quantity or the stop price of an order"},
    {HTTP_GET, ROUTE_PUBLIC, {"api", "market", "depth"}, .action = MATCHING_ACTION_GET_DEPTH,
     .query = BIT(SYMBOL) | BIT(LEVELS), .summary = "the price levels of an instrument"},
    {HTTP_GET, ROUTE_PUBLIC, {"api", "market", "trades"}, .action = MATCHING_ACTION_GET_TRADES,
     .query = BIT(SYMBOL) | BIT(LIMIT) | BIT(FROM_ID) | BIT(BEFORE_ID),
     .summary = "the latest trades of an instrument, newest last"},
    {HTTP_GET, ROUTE_PUBLIC, {"api", "market", "klines"}, .action = MATCHING_ACTION_GET_KLINES,
     .query = BIT(SYMBOL) | BIT(INTERVAL) | BIT(FROM) | BIT(TO) | BIT(LIMIT),
     .summary = "candles of an instrument, the oldest first"},
    {HTTP_GET, ROUTE_ADMIN, {"api", "ws", "connections"}, .write = write_connections,
     .query = BIT(AFTER) | BIT(LIMIT), .summary = "who is connected at the other doors",
     .answer = MATCHING_SCHEMA_CONNECTIONS},
    {HTTP_GET, 0, {"api", "ws", "metrics"}, .write = write_metrics,
     .summary = "how busy these connections are", .answer = MATCHING_SCHEMA_METRICS},
    {HTTP_GET, ROUTE_PUBLIC, {"api", "market", "ticker"}, .action = MATCHING_ACTION_GET_TICKER,
     .query = BIT(SYMBOL),
     .summary = "the last price, the last 24 hours, the best prices"},
    {HTTP_GET, ROUTE_PUBLIC, {"openapi.json"}, .write = write_openapi,
     .summary = "this document", .answer = MATCHING_SCHEMA_DOCUMENT},
};
/* clang-format on */

#define ROUTE_COUNT (sizeof ROUTES / sizeof ROUTES[0])

bool http_route_at(size_t index, http_route_view *view)
{
    if (index >= ROUTE_COUNT)
        return false;
    const route *found = &ROUTES[index];
    *view = (http_route_view){
        .method = found->method,
        .is_public = found->flags & ROUTE_PUBLIC,
        .has_body = found->flags & ROUTE_BODY,
        .is_administration = found->flags & ROUTE_ADMIN,
        .takes_any_query = found->flags & ROUTE_ANY_QUERY,
        .is_html = found->flags & ROUTE_HTML,
        .is_text = found->flags & ROUTE_TEXT,
        .segments = found->segments,
        .action = found->action,
        .path_field = found->path_field,
        .query = found->query,
        .summary = found->summary != NULL ? found->summary : "",
        .answer = found->action != MATCHING_ACTION_NONE ? matching_schema_of_action(found->action)
                                                        : found->answer,
    };
    return true;
}

/* ---- Finding the route ---------------------------------------------------------------------- */

/* From the last segment on, as many begin alike. */
static bool path_matches(const route *candidate, const http_target *target)
{
    size_t count = target->segment_count;
    if ((count < HTTP_SEGMENTS_MAX && candidate->segments[count] != NULL) ||
        (count > 0 && candidate->segments[count - 1] == NULL))
        return false;
    for (size_t i = count; i-- > 0;) {
        const char *wanted = candidate->segments[i];
        if (wanted[0] == '*' ? target->segments[i].length == 0
                             : !http_text_is(target->segments[i], wanted))
            return false;
    }
    return true;
}

/* The routes at this path as a bit set. A path that is in the table as it stands is never also
 * taken for one with a "*": /api/orders/cancel is no order. */
static uint32_t routes_at(const http_target *target)
{
    _Static_assert(ROUTE_COUNT <= 32, "a bit for each route");
    uint32_t plain = 0;
    uint32_t with_field = 0;
    if (target->bad_path || target->is_asterisk)
        return 0;
    for (size_t i = 0; i < ROUTE_COUNT; i++)
        if (path_matches(&ROUTES[i], target))
            *(ROUTES[i].path_field == MATCHING_FIELD_NONE ? &plain : &with_field) |= 1u << i;
    return plain != 0 ? plain : with_field;
}

static unsigned methods_of(uint32_t routes, unsigned flags_wanted)
{
    unsigned methods = 0;
    for (size_t i = 0; i < ROUTE_COUNT; i++)
        if ((routes & 1u << i) && (ROUTES[i].flags & flags_wanted) == flags_wanted)
            methods |= ROUTES[i].method;
    if (methods & HTTP_GET)
        methods |= HTTP_HEAD;
    return methods != 0 ? methods | HTTP_OPTIONS : 0;
}

static const route *route_with_method(uint32_t routes, unsigned method)
{
    if (method == HTTP_HEAD)
        method = HTTP_GET;
    for (; routes != 0; routes &= routes - 1) { /* without its lowest bit */
        const route *lowest = &ROUTES[__builtin_ctz(routes)];
        if (lowest->method == method)
            return lowest;
    }
    return NULL;
}

/* ---- Who asks ------------------------------------------------------------------------------- */

matching_access_level http_access_level(const matching_access *access, const char *origin,
                                        const char *host, const http_target *target)
{
    matching_access_level level = matching_access_check(access, origin, host);
    if (target->authority.data == NULL)
        return level;
    char authority[MATCHING_ACCESS_NAME_SIZE];
    if (target->authority.length >= sizeof authority)
        return MATCHING_ACCESS_DENIED;
    memcpy(authority, target->authority.data, target->authority.length);
    authority[target->authority.length] = '\0';
    matching_access_level by_target = matching_access_check(access, origin, authority);
    return by_target < level ? by_target : level;
}

void http_refuse_caller(http_answer *answer)
{
    http_answer_problem(answer, 403, MATCHING_UNAUTHORIZED,
                        "this Origin or Host is not let in here, see allow_origins and allow_hosts "
                        "in the configuration");
}

/* False with the answer filled, if this caller may not administrate. */
static bool may_administrate(const http_service *service, const http_request *request,
                             http_answer *answer)
{
    if (matching_access_admin(service->access, request->authorization, request->peer))
        return true;
    if (service->access->admin_token[0] != '\0') {
        http_answer_problem(answer, 401, MATCHING_UNAUTHORIZED,
                            "administration needs the header Authorization: Bearer <admin token>");
        answer->challenge = true;
    } else {
        http_answer_problem(answer, 403, MATCHING_UNAUTHORIZED,
                            "administration from another machine needs a token, see [admin] in the "
                            "configuration");
    }
    return false;
}

/* ---- What is asked -------------------------------------------------------------------------- */

/* "application/json", with or without parameters. */
static bool is_json(const char *content_type)
{
    static const char json[] = "application/json";
    if (content_type == NULL)
        return false;
    content_type += strspn(content_type, " \t");
    if (strncasecmp(content_type, json, sizeof json - 1) != 0)
        return false;
    content_type += sizeof json - 1;
    content_type += strspn(content_type, " \t");
    return *content_type == '\0' || *content_type == ';';
}

static bool read_query(const route *chosen, const http_target *target, matching_request *request,
                       http_answer *answer)
{
    for (size_t i = 0; i < target->parameter_count; i++) {
        const http_parameter *parameter = &target->parameters[i];
        matching_field field = matching_field_find(parameter->name.data, parameter->name.length);
        const char *wrong = NULL;
        if (parameter->malformed)
            wrong = "malformed percent-encoding";
        else if (field == MATCHING_FIELD_NONE || !(chosen->query & MATCHING_FIELD_BIT(field)))
            wrong = "this call does not take it";
        else if (request->present & MATCHING_FIELD_BIT(field))
            wrong = "given more than once";
        if (wrong != NULL) {
            http_answer_parameter(answer, parameter->name, wrong);
            return false;
        }
        matching_request_from_text(request, field, parameter->value.data, parameter->value.length);
    }
    if (target->too_many_parameters) {
        http_answer_problem(answer, 400, MATCHING_INVALID_PARAMETER, "too many query parameters");
        return false;
    }
    return true;
}

static bool read_body(const http_request *request, http_answer *answer, http_call *call)
{
    if (!is_json(request->content_type)) {
        http_answer_problem(answer, 415, MATCHING_INVALID_MESSAGE,
                            "the body must come with the header Content-Type: application/json");
        return false;
    }
    matching_text id;
    if (matching_json_flat(request->body, request->body_length, &call->request, &id) &&
        id.length == 0) /* which is not read as the number that some calls want */
        return true;
    call->request = (matching_request){.action = call->request.action};
    matching_code code = matching_json_parse(request->body, request->body_length, &call->object);
    if (code == MATCHING_OK && !json_object_is_type(call->object, json_type_object))
        code = MATCHING_INVALID_MESSAGE;
    if (code != MATCHING_OK) {
        http_answer_problem(answer, http_status_of(code), code, NULL);
        return false;
    }
    matching_json_request(call->object, &call->request);
    if (call->request.action == MATCHING_ACTION_PLACE)
        matching_json_order_type(call->object, &call->request);
    return true;
}

/* A positive integer of at most 2^53 - 1 in plain digits; 0: it is none. */
static int64_t order_id_of(matching_text text)
{
    int64_t id = 0;
    if (text.length == 0 || text.length > 16 || text.data[0] == '0')
        return 0;
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return 0;
        id = id * 10 + (text.data[i] - '0');
    }
    return id <= MATCHING_ORDER_ID_MAX ? id : 0;
}

static bool refuse_field(http_answer *answer, matching_field field, const char *message)
{
    matching_error error;
    matching_error_set(&error, MATCHING_INVALID_PARAMETER, field, message);
    http_answer_error(answer, &error);
    return false;
}

/* The path names the order or instrument. A body that names another one is a mistake; one whose
 * value has a wrong type is left for the gateway to refuse. */
static bool read_path(const route *chosen, const http_target *target, matching_request *request,
                      http_answer *answer)
{
    if (chosen->path_field == MATCHING_FIELD_NONE)
        return true;
    matching_text text = target->segments[target->segment_count - 1];
    uint32_t bit = MATCHING_FIELD_BIT(chosen->path_field);
    bool in_body = request->present & bit;
    bool is_wrong = (request->wrong_type | request->malformed) & bit;
    if (chosen->path_field == MATCHING_FIELD_SYMBOL) {
        if (in_body && !is_wrong &&
            (request->symbol.length != text.length ||
             memcmp(request->symbol.data, text.data, text.length) != 0))
            return refuse_field(answer, MATCHING_FIELD_SYMBOL,
                                "the body names another symbol than the path");
        request->symbol = text;
    } else {
        int64_t id = order_id_of(text);
        if (id == 0)
            return refuse_field(answer, MATCHING_FIELD_ORDER_ID,
                                "the order_id in the path must be an integer from 1 to "
                                "9007199254740991");
        if (in_body && !is_wrong && request->order_id != id)
            return refuse_field(answer, MATCHING_FIELD_ORDER_ID,
                                "the body names another order_id than the path");
        request->order_id = id;
    }
    request->present |= bit;
    return true;
}

static http_next answer_here(const route *chosen, const http_service *service,
                             const matching_request *request, http_answer *answer)
{
    answer->is_html = chosen->flags & ROUTE_HTML;
    chosen->write(service, request, answer);
    if (answer->status == 0) /* nothing was in the way */
        answer->status = 200;
    return HTTP_ANSWERED;
}

static http_next run_route(const route *chosen, const http_service *service,
                           const http_request *request, http_answer *answer, http_call *call)
{
    if (request->level < MATCHING_ACCESS_FULL && !(chosen->flags & ROUTE_PUBLIC)) {
        http_refuse_caller(answer);
        return HTTP_ANSWERED;
    }
    if ((chosen->flags & ROUTE_ADMIN) && !may_administrate(service, request, answer))
        return HTTP_ANSWERED;
    *call = (http_call){.request.action = chosen->action};
    bool good = !(chosen->flags & ROUTE_BODY) || read_body(request, answer, call);
    if (good && !(chosen->flags & ROUTE_ANY_QUERY))
        good = read_query(chosen, request->target, &call->request, answer);
    good = good && read_path(chosen, request->target, &call->request, answer);
    if (good && chosen->action != MATCHING_ACTION_NONE)
        return HTTP_ASK;
    http_next next = good ? answer_here(chosen, service, &call->request, answer) : HTTP_ANSWERED;
    http_call_fini(call);
    return next;
}

static void answer_options(const http_request *request, uint32_t routes, http_answer *answer)
{
    unsigned allow = methods_of(routes, 0);
    if (request->target->is_asterisk)
        allow = HTTP_GET | HTTP_HEAD | HTTP_POST | HTTP_PATCH | HTTP_DELETE | HTTP_OPTIONS;
    if (request->level < MATCHING_ACCESS_FULL)
        allow = methods_of(routes, ROUTE_PUBLIC);
    if (allow == 0) {
        http_refuse_caller(answer);
        return;
    }
    http_answer_nothing(answer, allow);
    answer->preflight = request->origin != NULL;
}

http_next http_route(const http_service *service, const http_request *request, http_answer *answer,
                     http_call *call)
{
    if (request->level == MATCHING_ACCESS_DENIED) {
        http_refuse_caller(answer);
        return HTTP_ANSWERED;
    }
    unsigned method = http_method_find(request->method);
    uint32_t routes = routes_at(request->target);
    bool asks_server = request->target->is_asterisk && method == HTTP_OPTIONS;
    if (routes == 0 && !asks_server) {
        http_answer_problem(answer, 404, MATCHING_UNKNOWN_TYPE, "no such path, GET / lists them");
        return HTTP_ANSWERED;
    }
    if (method == HTTP_OPTIONS) {
        answer_options(request, routes, answer);
        return HTTP_ANSWERED;
    }
    const route *chosen = route_with_method(routes, method);
    if (chosen == NULL) {
        char message[160];
        char methods[HTTP_METHODS_TEXT];
        unsigned allow = methods_of(routes, 0);
        http_methods_print(methods, allow);
        snprintf(message, sizeof message, "this path takes only %s", methods);
        http_answer_problem(answer, 405, MATCHING_UNKNOWN_TYPE, message);
        answer->allow = allow;
        return HTTP_ANSWERED;
    }
    return run_route(chosen, service, request, answer, call);
}

void http_call_fini(http_call *call)
{
    json_object_put(call->object);
    call->object = NULL;
}

/* ---- The reply ------------------------------------------------------------------------------ */

static void write_state(const matching_core *core, const matching_command *command,
                        matching_writer *writer)
{
    static const char *const names[] = {"trading", "halted", "auction"};
    assert(command->state < sizeof names / sizeof names[0]);
    MATCHING_WRITE(writer, "{\"symbol\":");
    matching_write_cstring(writer, matching_core_instrument(core, command->instrument)->symbol);
    MATCHING_WRITE(writer, ",\"state\":");
    matching_write_cstring(writer, names[command->state]);
    MATCHING_WRITE(writer, "}");
}

void http_answer_reply(const http_service *service, matching_action action,
                       const matching_command *command, const matching_reply *reply,
                       http_answer *answer)
{
    const matching_core *core = service->core;
    matching_writer *body = &answer->body;
    if (reply->code != MATCHING_OK) {
        matching_error error;
        matching_reply_error(reply, &error);
        http_answer_error(answer, &error);
        answer->code = MATCHING_OK; /* the port has counted it */
        if (action == MATCHING_ACTION_ADD_INSTRUMENT && error.code != MATCHING_INTERNAL_ERROR)
            answer->status = 409; /* a good request; what stands in its way is what exists */
        return;
    }
    answer->status = 200;
    switch (action) {
    case MATCHING_ACTION_PLACE:
    case MATCHING_ACTION_AMEND:
        matching_write_order_result(body, core, reply);
        break;
    case MATCHING_ACTION_CANCEL:
        matching_write_cancel_result(body, core, reply);
        break;
    case MATCHING_ACTION_CANCEL_ALL:
        matching_write_cancel_all_result(body, reply);
        break;
    case MATCHING_ACTION_GET_ORDER:
        matching_write_order(body, core, &reply->order, false);
        break;
    case MATCHING_ACTION_LIST_ORDERS:
    case MATCHING_ACTION_LIST_OPEN_ORDERS:
        matching_write_orders(body, core, reply);
        break;
    case MATCHING_ACTION_GET_DEPTH:
        matching_write_depth(body, core, command->instrument, reply->depth);
        break;
    case MATCHING_ACTION_GET_TRADES:
        matching_write_trades(body, core, reply);
        break;
    case MATCHING_ACTION_GET_TICKER:
        matching_write_ticker(body, core, command->instrument, reply->ticker);
        break;
    case MATCHING_ACTION_GET_KLINES:
        matching_write_klines(body, core, command->instrument, reply);
        break;
    case MATCHING_ACTION_SET_STATE:
        write_state(core, command, body);
        break;
    case MATCHING_ACTION_ADD_INSTRUMENT:
        matching_write_token_created(body, matching_core_instrument(core, reply->instrument),
                                     reply->time_ns);
        break;
    case MATCHING_ACTION_NONE:
        assert(false);
        break;
    }
}
