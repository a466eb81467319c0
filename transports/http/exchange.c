/* A request from its first line to its last byte sent.
 *
 * Invariants: an exchange belongs to libmicrohttpd's connection until http_on_completed, and to the
 * core while `is_asking` (asking.c); whichever lets go last ends it, and its memory serves another
 * one. A body is never larger than max_body_bytes. Answers are queued when the request has been
 * read in full, since libmicrohttpd ends a connection that is answered earlier; only what is too
 * large or ambiguous is answered at once.
 *
 * Not the rules: what a request means is for routes.c.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exchange.h"
#include "matching/metrics.h"
#include "matching/probes.h"
#include "request_id.h"

/* How much of a body that is too large is read so that the client sees the answer: closing with
 * unread data resets the connection, and the answer is lost. */
#define DISCARD_MAX (16u << 20)

/* Bytes of a request's line and headers. libmicrohttpd, which would answer in HTML, keeps them in
 * twice that much, with what it notes about them. */
#define HEAD_MAX (HTTP_CONNECTION_MEMORY / 2)

/* What an exchange keeps of its memory for its next request: most need no more, in either
 * direction. */
#define TEXT_KEPT 256u
#define BODY_KEPT 2048u
#define ANSWER_KEPT 4096u
#define SPARE_MAX 256u /* exchanges that wait for their next request */

static void wait_for(http_exchange *exchange, http_wait wait)
{
    http_connection_wait(exchange->connection, wait);
}

/* ---- The life of an exchange ---------------------------------------------------------------- */

static void free_body(http_exchange *exchange)
{
    free(exchange->body);
    exchange->body = NULL;
    exchange->body_length = exchange->body_capacity = 0;
}

/* What came is needed no longer: lets go of what would be too much to keep. */
static void trim_input(http_exchange *exchange)
{
    if (exchange->text_capacity > TEXT_KEPT) {
        free(exchange->text);
        exchange->text = NULL;
        exchange->text_capacity = 0;
    }
    if (exchange->body_capacity > BODY_KEPT)
        free_body(exchange);
}

void http_exchange_free(http_exchange *exchange)
{
    free(exchange->text);
    free(exchange->body);
    http_answer_fini(&exchange->answer);
    free(exchange);
}

/* NULL: out of memory. */
static http_exchange *begin_exchange(http_door *door)
{
    http_exchange *exchange = door->spare;
    if (exchange == NULL) {
        exchange = calloc(1, sizeof *exchange);
        if (exchange != NULL)
            http_answer_init(&exchange->answer);
        return exchange;
    }
    door->spare = exchange->next;
    door->spare_count--;
    memset(exchange, 0, offsetof(http_exchange, text));
    http_answer_clear(&exchange->answer);
    return exchange;
}

void http_exchange_end(http_exchange *exchange)
{
    http_door *door = exchange->door;
    if (door->spare_count == SPARE_MAX) {
        http_exchange_free(exchange);
        return;
    }
    trim_input(exchange);
    if (exchange->answer.body.capacity > ANSWER_KEPT)
        http_answer_fini(&exchange->answer);
    exchange->next = door->spare;
    door->spare = exchange;
    door->spare_count++;
}

static bool keep_text(http_exchange *exchange, const char *text)
{
    size_t size = strlen(text) + 1;
    if (size > exchange->text_capacity) {
        size_t capacity = size < TEXT_KEPT ? TEXT_KEPT : size;
        free(exchange->text);
        exchange->text = malloc(capacity);
        exchange->text_capacity = exchange->text != NULL ? capacity : 0;
    }
    if (exchange->text == NULL)
        return false;
    memcpy(exchange->text, text, size);
    return true;
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
        /* It came in pieces. libmicrohttpd 0.9.75 would try to note its parameters, and then
         * wait. */
        http_connection_refuse(connection, &refusal, true);
        http_connection_cut(connection);
        return NULL;
    }
    http_exchange *exchange = connection != NULL ? begin_exchange(door) : NULL;
    if (exchange == NULL)
        return NULL;
    exchange->door = door;
    exchange->connection = connection;
    exchange->mhd = mhd;
    exchange->connection->traffic.requests++;
    if (!keep_text(exchange, target != NULL ? target : "")) {
        http_exchange_end(exchange);
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
    http_responses_give_back(&exchange->door->responses, exchange->response);
    exchange->response = NULL;
    if (how == MHD_REQUEST_TERMINATED_COMPLETED_OK)
        MATCHING_PROBE2(sent, exchange->connection->fd, exchange->sent);
    http_request_trace_end(&exchange->trace, exchange->answer.status, exchange->received,
                           exchange->connection->peer, &exchange->connection->traffic,
                           how == MHD_REQUEST_TERMINATED_COMPLETED_OK);
    http_ask_no_more(exchange);
    if (!exchange->is_asking)
        http_exchange_end(exchange);
}

void http_free_spare(http_door *door)
{
    while (door->spare != NULL) {
        http_exchange *exchange = door->spare;
        door->spare = exchange->next;
        http_exchange_free(exchange);
    }
    door->spare_count = 0;
}

/* ---- Answering ------------------------------------------------------------------------------ */

static enum MHD_Result send_answer(http_exchange *exchange)
{
    http_door *door = exchange->door;
    const http_answer *answer = &exchange->answer;
    const http_head *asked = &exchange->head;
    size_t length = answer->body.length;
    bool names_origin =
        exchange->level != MATCHING_ACCESS_DENIED && door->transport->config->http.cors.enabled;
    const http_response_headers headers = {
        .origin = names_origin ? asked->origin : NULL,
        .request_id = matching_request_id_is_good(asked->request_id) ? asked->request_id : NULL,
        .close = answer->close || door->is_draining,
    };
    if (answer->body.failed)
        return MHD_NO; /* out of memory: closing is all that is left */
    exchange->is_answered = false;
    exchange->sent = length;
    matching_port_refused(door->port, answer->code);
    matching_port_responded(door->port, answer->status);
    matching_port_carried(door->port, exchange->received, length);
    exchange->connection->traffic.bytes_received += exchange->received;
    matching_http_answered(&exchange->connection->traffic, answer->status, length);
    wait_for(exchange, HTTP_WAIT_SEND);
    return http_responses_send(&door->responses, exchange->mhd, answer, &headers,
                               &exchange->response);
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

/* What may this caller do? The last Host that was let in without an Origin is remembered: nearly
 * all requests come with it. */
static matching_access_level level_of(const http_exchange *exchange)
{
    http_door *door = exchange->door;
    const char *host = exchange->head.host;
    bool is_plain =
        host != NULL && exchange->head.origin == NULL && exchange->target.authority.data == NULL;
    if (is_plain && door->known_host[0] != '\0' && strcmp(host, door->known_host) == 0)
        return MATCHING_ACCESS_FULL;
    matching_access_level level =
        http_access_level(door->transport->access, exchange->head.origin, host, &exchange->target);
    if (is_plain && level == MATCHING_ACCESS_FULL && strlen(host) < sizeof door->known_host)
        strcpy(door->known_host, host);
    return level;
}

/* Health checks are not counted: who looks after the service is not to take it for dead because
 * somebody else at the same address is too busy. */
static bool may_come(const http_exchange *exchange)
{
    const http_target *target = &exchange->target;
    http_connection *connection = exchange->connection;
    return (target->segment_count == 1 && http_text_is(target->segments[0], "health")) ||
           matching_rates_take(exchange->door->address_rates, connection->key.bytes,
                               sizeof connection->key.bytes, exchange->door->now_ns);
}

/* The status of a head that is too large; 0: it is not. */
static unsigned find_excess(const http_exchange *exchange)
{
    size_t line = strlen(exchange->text);
    return line > HEAD_MAX ? 414 : line + exchange->head.size > HEAD_MAX ? 431 : 0;
}

static enum MHD_Result take_head(http_exchange *exchange, const char *version)
{
    http_door *door = exchange->door;
    http_head *headers = &exchange->head;
    exchange->has_begun = true;
    wait_for(exchange, HTTP_WAIT_BODY);
    http_head_collect(headers, exchange->mhd);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(exchange->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    exchange->connection->consumed += info != NULL ? info->header_size : 0;
    http_request_trace_begin(&exchange->trace, exchange->mhd, headers->traceparent);
    http_target_parse(exchange->text, strlen(exchange->text), &exchange->target);
    exchange->level = level_of(exchange);
    const char *ambiguity = http_head_ambiguity(headers, version);
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
        free_body(exchange);
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
    MATCHING_PROBE2(received, exchange->connection->fd, exchange->received);
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
    trim_input(exchange); /* the command holds what is needed */
    exchange->asked_in = door->turn;
    wait_for(exchange, HTTP_WAIT_NONE);
    return MHD_YES; /* without an answer: libmicrohttpd asks again in its next run */
}

/* Most replies are there in the next turn of the loop, when libmicrohttpd asks for the answer
 * again; only who has to wait longer is taken out of its epoll set and put back, two system
 * calls. */
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
        return take_head(exchange, version);
    if (*upload_size > 0) {
        size_t size = *upload_size;
        *upload_size = 0;
        return take_body(exchange, upload, size);
    }
    if (exchange->is_answered) {
        exchange->door->has_queued = true;
        return send_answer(exchange);
    }
    if (http_is_asking(exchange))
        return exchange->asked_in == exchange->door->turn ? MHD_YES : suspend(exchange);
    return finish_request(exchange, method);
}
