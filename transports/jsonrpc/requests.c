/* One HTTP request, before anything in its body matters: who sent it, from where, to which path,
 * with which method and what kind of body. Refusals are JSON-RPC errors with the id null, under the
 * status of HTTP that fits; answers to calls are 200 whatever they say (204 if nothing is said).
 *
 * Order: a page of somebody else learns nothing but that it is not let in, so that comes first.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>

#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/http_struct.h>    /* needs the one above */
#include <event2/keyvalq_struct.h> /* needs sys/queue.h */

#include "answers.h"
#include "door.h"
#include "matching/metrics.h"
#include "request_id.h"

typedef struct refusal {
    int status;
    const char *reason; /* HTTP's phrase */
    int number;
    matching_code code;
    const char *message; /* NULL: the code's text */
} refusal;

static const refusal REFUSALS[] = {
    {400, "Bad Request", JSONRPC_INVALID_REQUEST, MATCHING_INVALID_MESSAGE,
     "this is not a well-formed HTTP request"},
    {403, "Forbidden", JSONRPC_REFUSED, MATCHING_UNAUTHORIZED,
     "this Origin or Host is not let in, see allow_origins and allow_hosts"},
    {404, "Not Found", JSONRPC_INVALID_REQUEST, MATCHING_UNKNOWN_TYPE,
     "no such path, JSON-RPC is at POST /"},
    {405, "Method Not Allowed", JSONRPC_INVALID_REQUEST, MATCHING_UNKNOWN_TYPE,
     "this path does not take this method, JSON-RPC is at POST /"},
    {413, "Content Too Large", JSONRPC_REFUSED, MATCHING_MESSAGE_TOO_LARGE, NULL},
    {415, "Unsupported Media Type", JSONRPC_INVALID_REQUEST, MATCHING_INVALID_MESSAGE,
     "the body must be application/json"},
    {417, "Expectation Failed", JSONRPC_INVALID_REQUEST, MATCHING_INVALID_MESSAGE,
     "the only Expect taken is 100-continue"},
    {429, "Too Many Requests", JSONRPC_REFUSED, MATCHING_RATE_LIMITED, NULL},
    {500, "Internal Server Error", JSONRPC_INTERNAL_ERROR, MATCHING_INTERNAL_ERROR, NULL},
    {503, "Service Unavailable", JSONRPC_REFUSED, MATCHING_TOO_MANY_CONNECTIONS, NULL},
    {505, "HTTP Version Not Supported", JSONRPC_INVALID_REQUEST, MATCHING_INVALID_MESSAGE,
     "the versions taken are HTTP/1.0 and HTTP/1.1"},
};

static const refusal *find_refusal(int status)
{
    for (size_t i = 0; i < sizeof REFUSALS / sizeof REFUSALS[0]; i++) {
        if (REFUSALS[i].status == status) {
            return &REFUSALS[i];
        }
    }
    return &REFUSALS[0];
}

const char *jsonrpc_reason(int status)
{
    return status == 200 ? "OK" : status == 204 ? "No Content" : find_refusal(status)->reason;
}

void jsonrpc_write_refusal(matching_writer *writer, int status)
{
    const refusal *found = find_refusal(status);
    jsonrpc_failure failure;
    jsonrpc_failure_set(&failure, found->number, found->code, "", found->message);
    jsonrpc_write_failure(writer, (matching_text){NULL, 0}, &failure);
}

static void set_header(struct evhttp_request *request, const char *name, const char *value)
{
    evhttp_add_header(evhttp_request_get_output_headers(request), name, value);
}

/* ---- What a request says of itself ---- */

enum {
    HEAD_HOST,
    HEAD_ORIGIN,
    HEAD_CONTENT_LENGTH,
    HEAD_CONTENT_TYPE,
    HEAD_CONTENT_ENCODING,
    HEAD_TRANSFER_ENCODING,
    HEAD_AUTHORIZATION,
    HEAD_REQUEST_ID,
    HEAD_COUNT
};

/* The headers of interest, found in one walk. */
typedef struct heads {
    const char *value[HEAD_COUNT]; /* the first of a name; NULL: none */
    bool is_twice;                 /* one that must be there at most once */
} heads;

static void read_heads(struct evhttp_request *request, heads *given)
{
    static const struct {
        const char *name;
        size_t length;
    } names[HEAD_COUNT] = {
#define HEAD(name) {name, sizeof(name) - 1}
        [HEAD_HOST] = HEAD("Host"),
        [HEAD_ORIGIN] = HEAD("Origin"),
        [HEAD_CONTENT_LENGTH] = HEAD("Content-Length"),
        [HEAD_CONTENT_TYPE] = HEAD("Content-Type"),
        [HEAD_CONTENT_ENCODING] = HEAD("Content-Encoding"),
        [HEAD_TRANSFER_ENCODING] = HEAD("Transfer-Encoding"),
        [HEAD_AUTHORIZATION] = HEAD("Authorization"),
        [HEAD_REQUEST_ID] = HEAD(MATCHING_REQUEST_ID_HEADER),
#undef HEAD
    };
    const struct evkeyval *header = NULL;
    *given = (heads){0};
    TAILQ_FOREACH(header, evhttp_request_get_input_headers(request), next)
    {
        size_t length = strlen(header->key);
        for (int i = 0; i < HEAD_COUNT; i++) {
            if (length != names[i].length || strcasecmp(header->key, names[i].name) != 0) {
                continue;
            }
            if (given->value[i] == NULL) {
                given->value[i] = header->value;
            } else if (i != HEAD_CONTENT_ENCODING) {
                given->is_twice = true;
            }
        }
    }
}

/* ---- Refusals ---- */

/* body: taken. */
static void send_refusal(jsonrpc_connection *connection, struct evhttp_request *request, int status,
                         matching_writer *body)
{
    set_header(request, "Content-Type", "application/json");
    if (status == 503 || status == 429) {
        set_header(request, "Retry-After", "1");
    }
    jsonrpc_connection_reply(connection, request, status, body->data, body->length);
    matching_writer_fini(body);
}

static void refuse(jsonrpc_connection *connection, struct evhttp_request *request, int status)
{
    matching_writer body;
    matching_writer_init(&body);
    jsonrpc_write_refusal(&body, status);
    matching_port_refused(connection->door->port, find_refusal(status)->code);
    send_refusal(connection, request, status, &body);
}

/* A query where none is taken: the caller expects something of it. Its first name is told if it is
 * short and plain. */
static void refuse_query(jsonrpc_connection *connection, struct evhttp_request *request,
                         const char *query)
{
    enum { NAME_MAX_SHOWN = 40 };
    char name[NAME_MAX_SHOWN + 1] = "";
    char message[120];
    size_t length = strcspn(query, "=&");
    bool plain = length > 0 && length <= NAME_MAX_SHOWN;
    for (size_t i = 0; plain && i < length; i++) {
        plain = query[i] > ' ' && query[i] <= '~' && query[i] != '%';
    }
    memcpy(name, query, plain ? length : 0);
    snprintf(message, sizeof message, "query parameter%s%s: parameters go into the body",
             plain ? " " : "", name);
    jsonrpc_failure failure;
    matching_writer body;
    matching_writer_init(&body);
    jsonrpc_failure_set(&failure, JSONRPC_INVALID_REQUEST, MATCHING_INVALID_PARAMETER, name,
                        message);
    jsonrpc_write_failure(&body, (matching_text){NULL, 0}, &failure);
    matching_port_refused(connection->door->port, failure.code);
    send_refusal(connection, request, 400, &body);
}

/* The value of a header that counts only if it is there once. NULL: it is not. */
static const char *get_only(struct evhttp_request *request, const char *name)
{
    const struct evkeyval *header = NULL;
    const char *found = NULL;
    TAILQ_FOREACH(header, evhttp_request_get_input_headers(request), next)
    {
        if (strcasecmp(header->key, name) == 0) {
            if (found != NULL) {
                return NULL;
            }
            found = header->value;
        }
    }
    return found;
}

/* Whatever the answer will be. */
static void echo_request_id(struct evhttp_request *request, const heads *given)
{
    if (matching_request_id_is_good(given->value[HEAD_REQUEST_ID])) {
        set_header(request, MATCHING_REQUEST_ID_HEADER, given->value[HEAD_REQUEST_ID]);
    }
}

/* Lets a page's script read the reply, where CORS is configured and the page is let in. */
static void set_cors(const jsonrpc_door *door, struct evhttp_request *request, const char *origin)
{
    if (!door->transport->config->jsonrpc.cors.enabled) {
        return;
    }
    set_header(request, "Vary", "Origin");
    if (origin != NULL) {
        set_header(request, "Access-Control-Allow-Origin", origin);
        set_header(request, "Access-Control-Expose-Headers",
                   "Allow, Retry-After, " MATCHING_REQUEST_ID_HEADER);
    }
}

static void answer_options(jsonrpc_connection *connection, struct evhttp_request *request,
                           const char *allow, const char *origin)
{
    set_header(request, "Allow", allow);
    if (connection->door->transport->config->jsonrpc.cors.enabled && origin != NULL) {
        set_header(request, "Access-Control-Allow-Methods", allow);
        set_header(request, "Access-Control-Allow-Headers",
                   "Content-Type, Authorization, " MATCHING_REQUEST_ID_HEADER
                   ", traceparent, tracestate");
        set_header(request, "Access-Control-Max-Age", "600");
    }
    jsonrpc_connection_reply(connection, request, 204, NULL, 0);
}

/* application/json, with or without parameters, and not compressed. */
static bool is_json(const heads *given)
{
    static const char wanted[] = "application/json";
    const char *type = given->value[HEAD_CONTENT_TYPE];
    const char *encoding = given->value[HEAD_CONTENT_ENCODING];
    if (type == NULL || strncasecmp(type, wanted, sizeof wanted - 1) != 0 ||
        (encoding != NULL && strcasecmp(encoding, "identity") != 0)) {
        return false;
    }
    const char *rest = type + sizeof wanted - 1;
    rest += strspn(rest, " \t");
    return *rest == '\0' || *rest == ';';
}

/* Could another reader see other headers, or find the end of the body elsewhere? evhttp looks at
 * the first of several headers, passes over a coding that it does not know, and reads a length as
 * the C library does, with a sign. HTTP/1.1 needs a Host. */
static bool is_ambiguous(const struct evhttp_request *request, const heads *given)
{
    const char *coding = given->value[HEAD_TRANSFER_ENCODING];
    bool nameless = request->minor > 0 && given->value[HEAD_HOST] == NULL;
    const char *length = given->value[HEAD_CONTENT_LENGTH];
    length = length != NULL ? length + strspn(length, " \t") : "0";
    size_t digits = strspn(length, "0123456789");
    bool is_number = digits > 0 && length[digits + strspn(length + digits, " \t")] == '\0';
    return given->is_twice || nameless || !is_number ||
           (coding != NULL &&
            (strcasecmp(coding, "chunked") != 0 || given->value[HEAD_CONTENT_LENGTH] != NULL));
}

/* Answers are HTTP/1.1 at most (RFC 9110, 2.5), where evhttp would repeat the request's version. */
static bool has_other_version(struct evhttp_request *request)
{
    bool is_other = request->major != 1 || request->minor < 0;
    request->major = 1;
    request->minor = is_other || request->minor > 1 ? 1 : request->minor;
    return is_other;
}

/* For probes that look at the status alone; the method `health` says the same in its result. */
static void send_health(jsonrpc_connection *connection, struct evhttp_request *request)
{
    matching_writer body;
    matching_writer_init(&body);
    const matching_core *core = connection->door->transport->core;
    bool healthy = matching_write_health(&body, core, JSONRPC_SERVICE, "");
    set_header(request, "Content-Type", "application/json");
    jsonrpc_connection_reply(connection, request, healthy ? 200 : 503, body.data, body.length);
    matching_writer_fini(&body);
}

static void answer_health(jsonrpc_connection *connection, struct evhttp_request *request,
                          const char *origin)
{
    static const char allow[] = "GET, HEAD, OPTIONS";
    switch (evhttp_request_get_command(request)) {
    case EVHTTP_REQ_GET:
    case EVHTTP_REQ_HEAD:
        send_health(connection, request);
        break;
    case EVHTTP_REQ_OPTIONS:
        answer_options(connection, request, allow, origin);
        break;
    default:
        set_header(request, "Allow", allow);
        refuse(connection, request, 405);
        break;
    }
}

static void start_exchange(jsonrpc_connection *connection, struct evhttp_request *request,
                           const heads *given, matching_access_level level)
{
    const matching_access *access = connection->door->transport->access;
    struct evbuffer *input = evhttp_request_get_input_buffer(request);
    size_t length = evbuffer_get_length(input);
    if (length > connection->door->transport->config->jsonrpc.max_body_bytes) {
        refuse(connection, request, 413);
        return;
    }
    char *body = malloc(length + 1);
    if (body == NULL) {
        refuse(connection, request, 500);
        return;
    }
    evbuffer_remove(input, body, length);
    body[length] = '\0';
    char *peer = NULL;
    ev_uint16_t port = 0;
    evhttp_connection_get_peer(connection->http, &peer, &port);
    const char *authorization = given->value[HEAD_AUTHORIZATION];
    jsonrpc_rights rights = {level != MATCHING_ACCESS_FULL, false};
    rights.administrator =
        !rights.market_data_only && matching_access_admin(access, authorization, peer);
    const char *traceparent = matching_trace_is_on() ? get_only(request, "traceparent") : NULL;
    if (!jsonrpc_exchange_start(connection, request, body, length, traceparent, rights)) {
        refuse(connection, request, 500);
    }
}

static void answer_root(jsonrpc_connection *connection, struct evhttp_request *request,
                        const heads *given, matching_access_level level)
{
    static const char allow[] = "POST, OPTIONS";
    enum evhttp_cmd_type command = evhttp_request_get_command(request);
    const char *query = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(request));
    if (command == EVHTTP_REQ_OPTIONS) {
        answer_options(connection, request, allow, given->value[HEAD_ORIGIN]);
    } else if (command != EVHTTP_REQ_POST) {
        set_header(request, "Allow", allow);
        refuse(connection, request, 405);
    } else if (query != NULL && query[0] != '\0') {
        refuse_query(connection, request, query);
    } else if (!is_json(given)) {
        refuse(connection, request, 415);
    } else {
        start_exchange(connection, request, given, level);
    }
}

static bool is_path(const char *path, const char *wanted)
{
    return path != NULL && strcmp(path, wanted) == 0;
}

static matching_access_level access_level(const jsonrpc_door *door, struct evhttp_request *request,
                                          const heads *given)
{
    const matching_access *access = door->transport->access;
    const struct evhttp_uri *target = evhttp_request_get_evhttp_uri(request);
    matching_access_level level =
        matching_access_check(access, given->value[HEAD_ORIGIN], given->value[HEAD_HOST]);
    /* A target may name a host too (http://host/path). */
    const char *host = evhttp_uri_get_host(target);
    bool foreign =
        host != NULL && matching_access_check(access, NULL, host) == MATCHING_ACCESS_DENIED;
    return foreign ? MATCHING_ACCESS_DENIED : level;
}

void jsonrpc_request_arrived(struct evhttp_request *request, void *argument)
{
    jsonrpc_door *door = argument;
    jsonrpc_connection *connection = jsonrpc_connection_begin(door, request);
    if (connection == NULL) {
        evhttp_send_error(request, HTTP_SERVUNAVAIL, NULL);
        return;
    }
    heads given;
    bool is_of_other_version = has_other_version(request);
    read_heads(request, &given);
    const char *origin = given.value[HEAD_ORIGIN];
    const char *path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(request));
    matching_access_level level = access_level(door, request, &given);
    echo_request_id(request, &given);
    if (level == MATCHING_ACCESS_DENIED) {
        refuse(connection, request, 403);
        return;
    }
    set_cors(door, request, origin);
    if (is_of_other_version) {
        set_header(request, "Connection", "close");
        refuse(connection, request, 505);
    } else if (is_ambiguous(request, &given)) {
        set_header(request, "Connection", "close");
        refuse(connection, request, 400);
    } else if (connection->surplus) {
        refuse(connection, request, 503);
    } else if (is_path(path, "/health")) {
        answer_health(connection, request, origin);
    } else if (!jsonrpc_peer_may_call(door, &connection->key)) {
        refuse(connection, request, 429);
    } else if (is_path(path, "/") || is_path(path, "") || is_path(path, "*")) {
        answer_root(connection, request, &given, level);
    } else {
        refuse(connection, request, 404);
    }
}
