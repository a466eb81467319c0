/* A request from its first line to its last byte sent.
 *
 * Invariants: an exchange belongs to libmicrohttpd's connection until http_on_completed, and to the
 * core while `is_asking` (asking.c); it is freed by whichever lets go last. A body is never larger than
 * max_body_bytes. Answers are queued when the request has been read in full, since libmicrohttpd
 * ends a connection that is answered earlier; only what is too large or ambiguous is answered at
 * once.
 *
 * Not the rules: what a request means is for routes.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "exchange.h"
#include "matching/metrics.h"
#include "request_id.h"

/* How much of a body that is too large is read so that the client sees the answer: closing with
 * unread data resets the connection, and the answer is lost. */
#define DISCARD_MAX (16u << 20)

/* Bytes of a request's line and headers. libmicrohttpd, which would answer in HTML, keeps them in twice
 * that much, with what it notes about them. */
#define HEAD_MAX (HTTP_CONNECTION_MEMORY / 2)

static void wait_for(http_exchange *exchange, http_wait wait)
{
    http_connection_wait(exchange->connection, wait);
}

/* ---- The life of an exchange ---------------------------------------------------------------- */

static void free_input(http_exchange *exchange)
{
    free(exchange->text);
    free(exchange->body);
    exchange->text = NULL;
    exchange->body = NULL;
    exchange->body_length = exchange->body_capacity = 0;
}

void http_exchange_free(http_exchange *exchange)
{
    free_input(exchange);
    http_answer_fini(&exchange->answer);
    free(exchange);
}

/* The request line has come. What this returns is the request's context, NULL when out of memory.
 */
void *http_on_target(void *context, const char *target, struct MHD_Connection *mhd)
{
    http_door *door = context;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    http_refusal refusal;
    http_connection *connection = info != NULL ? info->socket_context : NULL;
    if (connection != NULL && connection->is_refused) {
        return NULL; /* what lay behind a head that was refused is nobody's request */
    }
    if (connection != NULL && target != NULL && http_target_is_too_much(target, &refusal)) {
        /* It came in pieces. libmicrohttpd 0.9.75 would try to note its parameters, and then wait. */
        http_connection_refuse(connection, &refusal, true);
        http_connection_cut(connection);
        return NULL;
    }
    http_exchange *exchange = calloc(1, sizeof *exchange);
    if (exchange == NULL || connection == NULL) {
        free(exchange);
        return NULL;
    }
    exchange->door = door;
    exchange->connection = connection;
    exchange->mhd = mhd;
    exchange->text = strdup(target != NULL ? target : "");
    http_answer_init(&exchange->answer);
    exchange->connection->traffic.requests++;
    if (exchange->text == NULL) {
        http_exchange_free(exchange);
        return NULL;
    }
    wait_for(exchange, HTTP_WAIT_HEAD);
    return exchange;
}

void http_on_completed(void *context, struct MHD_Connection *mhd, void **slot,
                       enum MHD_RequestTerminationCode how)
{
    (void)context;
    (void)mhd;
    http_exchange *exchange = *slot;
    *slot = NULL;
    if (exchange == NULL)
        return;
    wait_for(exchange, HTTP_WAIT_IDLE);
    exchange->connection->consumed += exchange->received;
    exchange->connection->is_counted_out |= exchange->head.transfer_encoding != NULL;
    exchange->mhd = NULL;
    http_request_trace_end(&exchange->trace, exchange->answer.status, exchange->received,
                           exchange->connection->peer, how == MHD_REQUEST_TERMINATED_COMPLETED_OK);
    http_ask_no_more(exchange);
    if (!exchange->is_asking)
        http_exchange_free(exchange);
}

/* ---- Answering ------------------------------------------------------------------------------ */

static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
    /* Fails only when out of memory or for a value that is no header value: then without it. */
    (void)MHD_add_response_header(response, name, value);
}

static void add_cors_headers(struct MHD_Response *response, const http_exchange *exchange)
{
    const char *origin = exchange->head.origin;
    if (origin == NULL || exchange->level == MATCHING_ACCESS_DENIED ||
        !exchange->door->transport->config->http.cors.enabled)
        return;
    add_header(response, "Access-Control-Allow-Origin", origin);
    add_header(response, "Access-Control-Expose-Headers",
               "Allow, Retry-After, " MATCHING_REQUEST_ID_HEADER);
    add_header(response, "Vary", "Origin");
    if (exchange->answer.preflight) {
        char methods[HTTP_METHODS_TEXT];
        http_methods_print(methods, exchange->answer.allow);
        add_header(response, "Access-Control-Allow-Methods", methods);
        add_header(response, "Access-Control-Allow-Headers",
                   "Content-Type, Authorization, " MATCHING_REQUEST_ID_HEADER);
        add_header(response, "Access-Control-Max-Age", "600");
    }
}

static void add_headers(struct MHD_Response *response, const http_exchange *exchange)
{
    const http_answer *answer = &exchange->answer;
    if (answer->status != 204)
        add_header(response, "Content-Type",
                   answer->is_html      ? "text/html; charset=utf-8"
                   : answer->is_metrics ? "text/plain; version=0.0.4; charset=utf-8"
                                        : "application/json");
    if (answer->is_html)
        /* connect-src: a person tries the doors from this page's console. */
        add_header(response, "Content-Security-Policy",
                   "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; "
                   "connect-src http: https: ws: wss:");
    add_header(response, "X-Content-Type-Options", "nosniff");
    add_header(response, "Cache-Control", "no-store");
    if (answer->allow != 0) {
        char methods[HTTP_METHODS_TEXT];
        http_methods_print(methods, answer->allow);
        add_header(response, "Allow", methods);
    }
    if (answer->later)
        add_header(response, "Retry-After", "1");
    if (answer->challenge)
        add_header(response, "WWW-Authenticate", "Bearer");
    if (answer->close || exchange->door->is_draining)
        add_header(response, "Connection", "close");
    if (matching_request_id_is_good(exchange->head.request_id))
        add_header(response, MATCHING_REQUEST_ID_HEADER, exchange->head.request_id);
    add_cors_headers(response, exchange);
}

static struct MHD_Response *make_response(http_answer *answer)
{
    size_t length = 0;
    if (answer->body.failed)
        return NULL;
    char *data = matching_writer_take(&answer->body, &length);
    if (data == NULL)
        return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    struct MHD_Response *response =
        MHD_create_response_from_buffer_with_free_callback(length, data, free);
    if (response == NULL)
        free(data);
    return response;
}

static enum MHD_Result send_answer(http_exchange *exchange)
{
    size_t length = exchange->answer.body.length;
    struct MHD_Response *response = make_response(&exchange->answer);
    if (response == NULL)
        return MHD_NO; /* out of memory: closing is all that is left */
    add_headers(response, exchange);
    exchange->is_answered = false;
    matching_port_refused(exchange->door->port, exchange->answer.code);
    matching_port_responded(exchange->door->port, exchange->answer.status);
    matching_port_carried(exchange->door->port, exchange->received, length);
    exchange->connection->traffic.bytes_received += exchange->received;
    matching_http_answered(&exchange->connection->traffic, exchange->answer.status, length);
    wait_for(exchange, HTTP_WAIT_SEND);
    enum MHD_Result result = MHD_queue_response(exchange->mhd, exchange->answer.status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result refuse(http_exchange *exchange, unsigned status, matching_code code,
                              const char *message)
{
    if (exchange->level == MATCHING_ACCESS_DENIED)
        http_refuse_caller(&exchange->answer);
    else
        http_answer_problem(&exchange->answer, status, code, message);
    exchange->answer.close = true;
    return send_answer(exchange);
}

/* ---- The headers have come ------------------------------------------------------------------ */

static enum MHD_Result collect_header(void *context, enum MHD_ValueKind kind, const char *name,
                                      size_t name_size, const char *value, size_t value_size)
{
    (void)kind;
    http_head *into = context;
    into->size += name_size + value_size + sizeof ": \r\n" - 1;
    if (name_size == sizeof "traceparent" - 1 && strcasecmp(name, "traceparent") == 0) {
        into->traceparent = into->traceparent == NULL && value != NULL ? value : "";
        return MHD_YES;
    }
#define WANTED(name, value) name, sizeof(name) - 1, &into->value
    const struct {
        const char *name;
        size_t length;
        const char **value;
    } wanted[] = {
        {WANTED("Origin", origin)},
        {WANTED("Host", host)},
        {WANTED("Content-Type", content_type)},
        {WANTED("Authorization", authorization)},
        {WANTED("Transfer-Encoding", transfer_encoding)},
        {WANTED("Content-Length", content_length)},
        {WANTED("Expect", expect)},
        {WANTED(MATCHING_REQUEST_ID_HEADER, request_id)},
    };
#undef WANTED
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        if (name_size != wanted[i].length || strcasecmp(name, wanted[i].name) != 0)
            continue;
        if (*wanted[i].value != NULL || value == NULL || strlen(value) != value_size)
            into->is_ambiguous = true;
        *wanted[i].value = value != NULL ? value : "";
    }
    return MHD_YES;
}

/* What makes servers disagree about where a request ends, or whose it is, is not for guessing. */
static const char *find_ambiguity(const http_head *headers, const char *version)
{
    if (headers->is_ambiguous)
        return "a header that must be there at most once is there twice";
    if (headers->transfer_encoding != NULL && headers->content_length != NULL)
        return "both Transfer-Encoding and Content-Length";
    if (headers->transfer_encoding != NULL &&
        strcasecmp(headers->transfer_encoding, "chunked") != 0)
        return "the only Transfer-Encoding known here is chunked";
    if (headers->host == NULL && strcmp(version, "HTTP/1.0") != 0)
        return "HTTP/1.1 needs a Host header";
    return NULL;
}

/* Health checks are not counted: who looks after the service is not to take it for dead because
 * somebody else at the same address is too busy. */
static bool may_come(const http_exchange *exchange)
{
    const http_target *target = &exchange->target;
    http_connection *connection = exchange->connection;
    return (target->segment_count == 1 && http_text_is(target->segments[0], "health")) ||
           matching_rates_take(exchange->door->address_rates, connection->key.bytes,
                               sizeof connection->key.bytes, matching_monotonic_ns());
}

/* The status of a head that is too large; 0: it is not. */
static unsigned find_excess(const http_exchange *exchange)
{
    size_t line = strlen(exchange->text);
    return line > HEAD_MAX ? 414 : line + exchange->head.size > HEAD_MAX ? 431 : 0;
}

static enum MHD_Result begin_exchange(http_exchange *exchange, const char *version)
{
    http_door *door = exchange->door;
    http_head *headers = &exchange->head;
    exchange->has_begun = true;
    wait_for(exchange, HTTP_WAIT_BODY);
    MHD_get_connection_values_n(exchange->mhd, MHD_HEADER_KIND, collect_header, headers);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(exchange->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    exchange->connection->consumed += info != NULL ? info->header_size : 0;
    const char *traceparent = headers->traceparent;
    matching_span_begin_remote(&exchange->trace.span, traceparent,
                               traceparent != NULL ? strlen(traceparent) : 0, 0);
    http_target_parse(exchange->text, strlen(exchange->text), &exchange->target);
    exchange->level = http_access_level(door->transport->access, headers->origin, headers->host,
                                        &exchange->target);
    const char *ambiguity = find_ambiguity(headers, version);
    if (ambiguity != NULL)
        return refuse(exchange, 400, MATCHING_INVALID_MESSAGE, ambiguity);
    unsigned excess = find_excess(exchange);
    if (excess != 0)
        return refuse(exchange, excess, MATCHING_MESSAGE_TOO_LARGE,
                      "a request's line and headers may have 8 KiB");
    if (exchange->connection->is_surplus)
        return refuse(exchange, 503, MATCHING_TOO_MANY_CONNECTIONS, NULL);
    exchange->is_too_often = !may_come(exchange);
    if (exchange->is_too_often && headers->expect != NULL)
        return refuse(exchange, 429, MATCHING_RATE_LIMITED, NULL);
    if (headers->content_length != NULL) {
        unsigned long long length = strtoull(headers->content_length, NULL, 10);
        exchange->is_too_large = length > door->transport->config->http.max_body_bytes;
        if (exchange->is_too_large && (headers->expect != NULL || length > DISCARD_MAX))
            return refuse(exchange, 413, MATCHING_MESSAGE_TOO_LARGE, NULL);
    }
    return MHD_YES;
}

/* ---- The body comes ------------------------------------------------------------------------- */

/* Room for `size` more bytes, at most max_body_bytes in all, which the caller has checked. */
static bool grow_body(http_exchange *exchange, size_t size)
{
    size_t wanted = exchange->body_length + size;
    size_t most = exchange->door->transport->config->http.max_body_bytes;
    if (wanted <= exchange->body_capacity)
        return true;
    size_t capacity = exchange->body_capacity > 0 ? 2 * exchange->body_capacity : 512;
    capacity = capacity < wanted ? wanted : capacity > most ? most : capacity;
    char *body = realloc(exchange->body, capacity);
    if (body == NULL)
        return false;
    exchange->body = body;
    exchange->body_capacity = capacity;
    return true;
}

static enum MHD_Result take_body(http_exchange *exchange, const char *data, size_t size)
{
    exchange->received += size;
    if (exchange->received > exchange->door->transport->config->http.max_body_bytes)
        exchange->is_too_large = true;
    if (exchange->received > DISCARD_MAX)
        return MHD_NO;
    bool is_wanted = !exchange->is_too_large && !exchange->is_too_often;
    if (is_wanted && !exchange->is_out_of_memory && !grow_body(exchange, size))
        exchange->is_out_of_memory = true;
    if (!is_wanted || exchange->is_out_of_memory) {
        free(exchange->body);
        exchange->body = NULL;
        exchange->body_length = exchange->body_capacity = 0;
        return MHD_YES;
    }
    memcpy(exchange->body + exchange->body_length, data, size);
    exchange->body_length += size;
    return MHD_YES;
}

/* ---- The request is complete ---------------------------------------------------------------- */

static enum MHD_Result finish_request(http_exchange *exchange, const char *method)
{
    http_door *door = exchange->door;
    http_request_trace_note(&exchange->trace, method, &exchange->target);
    if (exchange->is_too_large)
        return refuse(exchange, 413, MATCHING_MESSAGE_TOO_LARGE, NULL);
    if (exchange->is_out_of_memory)
        return refuse(exchange, 503, MATCHING_OVERLOADED, NULL);
    if (exchange->is_too_often) {
        if (exchange->level == MATCHING_ACCESS_DENIED)
            http_refuse_caller(&exchange->answer);
        else
            http_answer_problem(&exchange->answer, 429, MATCHING_RATE_LIMITED, NULL);
        return send_answer(exchange);
    }
    http_request request = {
        .method = method,
        .target = &exchange->target,
        .origin = exchange->head.origin,
        .content_type = exchange->head.content_type,
        .authorization = exchange->head.authorization,
        .peer = exchange->connection->peer,
        .level = exchange->level,
        .body = exchange->body,
        .body_length = exchange->body_length,
    };
    http_call call;
    uint64_t received_ns = matching_monotonic_ns(); /* the body is still to be parsed */
    bool is_asked = false;
    if (http_route(&door->service, &request, &exchange->answer, &call) == HTTP_ASK) {
        is_asked = http_ask(exchange, &call.request, received_ns);
        http_call_fini(&call);
    }
    if (!is_asked)
        return send_answer(exchange);
    free_input(exchange); /* the command holds what is needed */
    wait_for(exchange, HTTP_WAIT_NONE);
    return MHD_YES; /* without an answer: libmicrohttpd asks again in its next run */
}

/* Most replies are there in the next turn of the loop, when libmicrohttpd asks for the answer again;
 * only who has to wait longer is taken out of its epoll set and put back, two system calls. */
static enum MHD_Result suspend(http_exchange *exchange)
{
    exchange->is_suspended = true;
    MHD_suspend_connection(exchange->mhd);
    return MHD_YES;
}

/* Called by libmicrohttpd when the headers have come, for each piece of the body, when all has
 * come, and again until there is an answer. */
enum MHD_Result http_on_request(void *context, struct MHD_Connection *mhd, const char *url,
                                const char *method, const char *version, const char *upload,
                                size_t *upload_size, void **slot)
{
    (void)context;
    (void)mhd;
    (void)url;
    http_exchange *exchange = *slot;
    if (exchange == NULL)
        return MHD_NO;
    if (!exchange->has_begun)
        return begin_exchange(exchange, version);
    if (*upload_size > 0) {
        size_t size = *upload_size;
        *upload_size = 0;
        return take_body(exchange, upload, size);
    }
    if (exchange->is_answered)
        return send_answer(exchange);
    if (http_is_asking(exchange))
        return suspend(exchange);
    return finish_request(exchange, method);
}
