/* The life of a request that a door answers.
 *
 * Invariants: a socket has at most one exchange; it is freed when its answer is out or its socket
 * ends, whichever is first; on_gone is called for one that was not answered.
 */
#include "exchange.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define HEAD_MAX 1536
#define LENGTH_MAX 20      /* digits of a Content-Length, and a NUL */
#define WRITE_TIMEOUT_S 30 /* for a client to take its answer */
#define PARAMETER_MAX 64

const char *wire_query(struct lws *wsi, const char *name, char *out, size_t size)
{
    char one[256];
    size_t length = strlen(name);
    for (int i = 0; i < PARAMETER_MAX; i++) {
        int got = lws_hdr_copy_fragment(wsi, one, sizeof one, WSI_TOKEN_HTTP_URI_ARGS, i);
        if (got < 0 && lws_hdr_fragment_length(wsi, WSI_TOKEN_HTTP_URI_ARGS, i) == 0) {
            return NULL;
        }
        if (got > (int)length && strncmp(one, name, length) == 0 && one[length] == '=') {
            int written = snprintf(out, size, "%s", one + length + 1);
            return written >= 0 && (size_t)written < size ? out : NULL;
        }
    }
    return NULL;
}

/* ---- The socket while libwebsockets does not read -------------------------------------------- */

static void release(wire_exchange *exchange)
{
    struct ev_loop *loop = exchange->server->loop;
    ev_io_stop(loop, &exchange->reading);
    ev_io_stop(loop, &exchange->writing);
    if (exchange->is_held) {
        exchange->is_held = false;
        lws_rx_flow_control(exchange->wsi, 1);
    }
}

static void destroy(wire_exchange *exchange)
{
    wire_socket *socket = lws_wsi_user(exchange->wsi);
    if (socket != NULL) {
        socket->exchange = NULL;
    }
    exchange->server->exchange_count--;
    free(exchange->body);
    free(exchange->out);
    free(exchange);
}

static void kill_socket(wire_exchange *exchange)
{
    ev_io_stop(exchange->server->loop, &exchange->reading);
    ev_io_stop(exchange->server->loop, &exchange->writing);
    lws_set_timeout(exchange->wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_ASYNC);
    lws_cancel_service(exchange->server->lws);
}

/* The client has nothing to say before it has its answer. */
static void on_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
    wire_exchange *exchange = watcher->data;
    char byte;
    (void)events;
    ssize_t got = recv(watcher->fd, &byte, 1, MSG_PEEK);
    if (got > 0) {
        ev_io_stop(loop, watcher); /* the next request, already: libwebsockets reads it then */
    } else if (got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
        kill_socket(exchange);
    }
}

static void hold(wire_exchange *exchange)
{
    lws_set_timeout(exchange->wsi, NO_PENDING_TIMEOUT, 0);
    if (!exchange->is_held) {
        exchange->is_held = true;
        lws_rx_flow_control(exchange->wsi, 0);
        ev_io_start(exchange->server->loop, &exchange->reading);
    }
}

/* ---- The answer ------------------------------------------------------------------------------ */

/* All is sent. 0, or -1: the socket is to be closed. */
static int complete(wire_exchange *exchange)
{
    struct lws *wsi = exchange->wsi;
    release(exchange);
    destroy(exchange);
    return lws_http_transaction_completed(wsi) != 0 ? -1 : 0;
}

/* True: all is out. Else *failed, or the socket is full. */
static bool send_some(wire_exchange *exchange, bool *failed)
{
    *failed = false;
    while (exchange->out_sent < exchange->out_length) {
        ssize_t sent = send(lws_get_socket_fd(exchange->wsi), exchange->out + exchange->out_sent,
                            exchange->out_length - exchange->out_sent, MSG_NOSIGNAL);
        if (sent < 0) {
            *failed = errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR;
            return false;
        }
        exchange->out_sent += (size_t)sent;
    }
    return true;
}

static void on_takes_more(struct ev_loop *loop, ev_io *watcher, int events)
{
    wire_exchange *exchange = watcher->data;
    struct lws *wsi = exchange->wsi;
    wire_server *server = exchange->server;
    bool failed;
    (void)loop;
    (void)events;
    if (!send_some(exchange, &failed)) {
        if (failed) {
            kill_socket(exchange);
        }
    } else if (complete(exchange) != 0) {
        lws_set_timeout(wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_ASYNC);
        lws_cancel_service(server->lws);
    }
}

/* Writes what the socket takes. 0; -1: the socket is to be closed. */
static int begin_writing(wire_exchange *exchange)
{
    bool failed;
    if (send_some(exchange, &failed)) {
        return complete(exchange);
    }
    if (failed) {
        return -1;
    }
    hold(exchange);
    lws_set_timeout(exchange->wsi, PENDING_TIMEOUT_HTTP_CONTENT, WRITE_TIMEOUT_S);
    ev_io_start(exchange->server->loop, &exchange->writing);
    return 0;
}

void wire_answer(wire_exchange *exchange, const char *status, const char *type, const char *body,
                 size_t length)
{
    char head[HEAD_MAX], cors[WIRE_CORS_SIZE];
    wire_http_cors(exchange->server, exchange->wsi, cors);
    int head_length = snprintf(head, sizeof head,
                               "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                               "Cache-Control: no-store\r\n%s%s\r\n",
                               status, type, length, cors,
                               wire_http_is_last(exchange->wsi) ? "Connection: close\r\n" : "");
    exchange->is_answered = true;
    length = exchange->is_head ? 0 : length;
    exchange->out = malloc((size_t)head_length + length);
    if (exchange->out != NULL && head_length < HEAD_MAX) {
        memcpy(exchange->out, head, (size_t)head_length);
        memcpy(exchange->out + head_length, body, length);
        exchange->out_length = (size_t)head_length + length;
    }
    if (exchange->is_in_callback) {
        return; /* which goes on with it */
    }
    struct lws *wsi = exchange->wsi;
    wire_server *server = exchange->server;
    if (exchange->out_length == 0 || begin_writing(exchange) != 0) {
        lws_set_timeout(wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_ASYNC);
        lws_cancel_service(server->lws);
    }
}

/* After the door was called from within a callback. */
static int go_on(wire_exchange *exchange, bool has_body_to_come)
{
    exchange->is_in_callback = false;
    if (exchange->is_answered) {
        return exchange->out_length == 0 ? -1 : begin_writing(exchange);
    }
    if (!has_body_to_come) {
        hold(exchange);
    }
    return 0;
}

/* ---- The request ----------------------------------------------------------------------------- */

static wire_method method_of(struct lws *wsi)
{
    char *path = NULL;
    int length = 0;
    int method = lws_http_get_uri_and_method(wsi, &path, &length);
    return method == LWSHUMETH_GET    ? WIRE_GET
           : method == LWSHUMETH_POST ? WIRE_POST
                                      : WIRE_OTHER_METHOD;
}

static bool is_head(struct lws *wsi)
{
    char *path = NULL;
    int length = 0;
    return lws_http_get_uri_and_method(wsi, &path, &length) == LWSHUMETH_HEAD;
}

/* The body's length; -1: it is not told, or is no number. */
static long long body_length(struct lws *wsi)
{
    char text[LENGTH_MAX];
    int length = lws_hdr_copy(wsi, text, sizeof text, WSI_TOKEN_HTTP_CONTENT_LENGTH);
    if (length < 1 || strspn(text, "0123456789") != (size_t)length ||
        lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0) {
        return -1;
    }
    return atoll(text);
}

/* NULL, or the answer to a POST whose body will not be read. */
static const char *refuse_body(const wire_server *server, struct lws *wsi, const char **body)
{
    long long length = body_length(wsi);
    if (length < 0) {
        *body = "{\"error\":\"a body needs its Content-Length\",\"code\":\"INVALID_MESSAGE\"}";
        return "411 Length Required";
    }
    if (length > (long long)server->settings->max_message_bytes) {
        *body = "{\"error\":\"the body is larger than maxPayload\",\"code\":"
                "\"MESSAGE_TOO_LARGE\"}";
        return "413 Content Too Large";
    }
    return NULL;
}

int wire_exchange_begin(wire_server *server, struct lws *wsi, wire_socket *socket)
{
    const char *refusal = NULL, *body = NULL;
    wire_method method = method_of(wsi);
    if (method == WIRE_POST && (refusal = refuse_body(server, wsi, &body)) != NULL) {
        return wire_http_refuse(server, wsi, refusal, body);
    }
    wire_exchange *exchange = calloc(1, sizeof *exchange);
    if (exchange == NULL) {
        return -1;
    }
    exchange->server = server;
    exchange->wsi = wsi;
    exchange->method = method;
    exchange->is_head = is_head(wsi);
    exchange->is_in_callback = true;
    exchange->body_room = method == WIRE_POST ? (size_t)body_length(wsi) : 0;
    ev_io_init(&exchange->reading, on_readable, lws_get_socket_fd(wsi), EV_READ);
    ev_io_init(&exchange->writing, on_takes_more, lws_get_socket_fd(wsi), EV_WRITE);
    exchange->reading.data = exchange->writing.data = exchange;
    socket->exchange = exchange;
    server->exchange_count++;
    server->handlers->on_request(exchange);
    return go_on(exchange, method == WIRE_POST);
}

int wire_exchange_body(wire_socket *socket, const char *data, size_t length)
{
    wire_exchange *exchange = socket->exchange;
    if (exchange == NULL || exchange->is_answered || length == 0) {
        return 0;
    }
    if (length > exchange->body_room - exchange->body_length) {
        return -1;
    }
    if (exchange->body == NULL) {
        exchange->body = malloc(exchange->body_room);
        if (exchange->body == NULL) {
            return -1;
        }
    }
    memcpy(exchange->body + exchange->body_length, data, length);
    exchange->body_length += length;
    return 0;
}

int wire_exchange_body_done(wire_socket *socket)
{
    wire_exchange *exchange = socket->exchange;
    if (exchange == NULL || exchange->is_answered) {
        return 0;
    }
    exchange->is_in_callback = true;
    exchange->server->handlers->on_body(exchange);
    return go_on(exchange, false);
}

void wire_exchange_gone(wire_socket *socket)
{
    wire_exchange *exchange = socket->exchange;
    if (exchange == NULL) {
        return;
    }
    ev_io_stop(exchange->server->loop, &exchange->reading);
    ev_io_stop(exchange->server->loop, &exchange->writing);
    if (!exchange->is_answered) {
        exchange->server->handlers->on_gone(exchange);
    }
    destroy(exchange);
}
