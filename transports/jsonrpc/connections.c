/* The life of a connection, and what evhttp 2.1 leaves to its user: deadlines for a whole request
 * (its own run per read, so a client that drips is never ended), a limit on connections, memory
 * bounds while a body is read, and errors in the form of this door instead of HTML.
 *
 * How it hooks in: evhttp asks jsonrpc_connection_new for each connection's bufferevent. It hands
 * the connection itself out only with the first request, too late for a client that never sends
 * one; but it gives it to its bufferevent as the callbacks' argument (2.0 to 2.2 do), and there
 * `adopt` takes it, before the first byte is read.
 *
 * Invariants: a connection of ours lives exactly as long as evhttp's, whose close callback frees
 * it; its alarm runs in every state but HANDLING, where the core's reply is sure to come; while a
 * request is handled or answered nothing is read, so the kernel holds back a client that sends on.
 */
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/buffer.h>

#include "door.h"
#include "matching/metrics.h"
#include "matching/probes.h"

_Static_assert(LIBEVENT_VERSION_NUMBER >= 0x02010000 && LIBEVENT_VERSION_NUMBER < 0x02030000,
               "see `adopt` before taking another libevent");

#define RELISTEN_PAUSE_US 100000

/* Where the bytes of a request are: within a line of the head, at the beginning of one, or behind
 * the head. */
typedef enum line_state { LINE_BEGUN = 0, LINE_EMPTY, LINE_LAST } line_state;

static const matching_config_limits *limits_of(const jsonrpc_connection *connection)
{
    return &connection->door->transport->config->jsonrpc.limits;
}

static void alarm_after(jsonrpc_connection *connection, uint32_t ms)
{
    const struct timeval timeout = {(long)(ms / 1000), (long)(ms % 1000) * 1000};
    event_add(&connection->alarm, &timeout);
}

void jsonrpc_pause_listening(jsonrpc_door *door)
{
    const struct timeval pause = {0, RELISTEN_PAUSE_US};
    if (door->listener != NULL) {
        evconnlistener_disable(door->listener);
        event_add(door->relisten, &pause);
    }
}

static size_t connection_limit(const jsonrpc_door *door)
{
    return door->transport->config->jsonrpc.max_connections;
}

static void set_state(jsonrpc_connection *connection, connection_state state)
{
    jsonrpc_door *door = connection->door;
    bool was_busy =
        connection->state == CONNECTION_HANDLING || connection->state == CONNECTION_WRITING;
    bool busy = state == CONNECTION_HANDLING || state == CONNECTION_WRITING;
    door->busy += (size_t)busy - (size_t)was_busy;
    connection->state = state;
}

static void forget_reply(jsonrpc_connection *connection)
{
    connection->door->reply_bytes -= connection->reply_bytes;
    connection->reply_bytes = 0;
}

static void release(jsonrpc_connection *connection)
{
    jsonrpc_door *door = connection->door;
    set_state(connection, CONNECTION_LINGERING);
    forget_reply(connection);
    event_del(&connection->alarm);
    matching_http_ended(door->transport->ops->name, "jsonrpc.connection", connection->peer,
                        &connection->traffic);
    if (connection->previous != NULL) {
        connection->previous->next = connection->next;
    } else {
        door->connections = connection->next;
    }
    if (connection->next != NULL) {
        connection->next->previous = connection->previous;
    }
    matching_port_disconnected(door->port);
    door->connection_count--;
    if (connection->counted) {
        matching_peers_leave(&door->peers, &connection->key);
    }
    if (!door->draining && door->listener != NULL &&
        !event_pending(door->relisten, EV_TIMEOUT, NULL)) {
        evconnlistener_enable(door->listener);
    }
    free(connection);
}

/* ---- Answers in evhttp's place ---- */

static void discard_input(struct bufferevent *bytes, void *unused)
{
    (void)unused; /* evhttp may still call this with an argument of its own */
    struct evbuffer *input = bufferevent_get_input(bytes);
    evbuffer_drain(input, evbuffer_get_length(input));
}

static void lingering_ended(struct bufferevent *bytes, short what, void *argument)
{
    (void)bytes;
    (void)what;
    jsonrpc_connection *connection = argument;
    evhttp_connection_free(connection->http);
}

/* evhttp's page lies in the output buffer and is never sent: the socket is fresh or drained (evhttp
 * answers one request after the other), so our few bytes go straight to it. */
static void answer_in_its_place(jsonrpc_connection *connection)
{
    matching_writer body;
    matching_writer_init(&body);
    jsonrpc_write_refusal(&body, connection->status);
    char head[256];
    int head_length = snprintf(head, sizeof head,
                               "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\n"
                               "Content-Length: %zu\r\n%sConnection: close\r\n\r\n",
                               connection->status, jsonrpc_reason(connection->status), body.length,
                               connection->status == 405 ? "Allow: POST, OPTIONS\r\n" : "");
    connection->traffic.requests++;
    matching_port_responded(connection->door->port, (unsigned)connection->status);
    matching_http_answered(&connection->traffic, (unsigned)connection->status, body.length);
    struct iovec parts[2] = {{head, (size_t)head_length}, {body.data, body.length}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    bufferevent_disable(connection->bytes, EV_WRITE);
    bufferevent_setcb(connection->bytes, discard_input, NULL, lingering_ended, connection);
    ssize_t sent = sendmsg(connection->socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    matching_writer_fini(&body);
    if (sent < 0) {
        evhttp_connection_free(connection->http);
        return;
    }
    /* Closing at once would reset the connection if more is on its way, and the client might never
     * read why. So say that this was all, and wait a little for the client to close. */
    shutdown(connection->socket, SHUT_WR);
    set_state(connection, CONNECTION_LINGERING);
    discard_input(connection->bytes, NULL);
    bufferevent_enable(connection->bytes, EV_READ);
    alarm_after(connection, JSONRPC_LINGER_TIMEOUT_MS);
}

static int status_of(struct evbuffer *output)
{
    char text[16] = "";
    struct evbuffer_iovec piece;
    if (evbuffer_peek(output, sizeof text, NULL, &piece, 1) >= 1) {
        size_t length = piece.iov_len < sizeof text - 1 ? piece.iov_len : sizeof text - 1;
        memcpy(text, piece.iov_base, length);
    }
    int status = 0;
    return sscanf(text, "HTTP/%*d.%*d %d", &status) == 1 ? status : 0;
}

/* Output while a request is still being read is evhttp's own: "100 Continue", or an error page. */
static void on_output(struct evbuffer *output, const struct evbuffer_cb_info *info, void *argument)
{
    jsonrpc_connection *connection = argument;
    if (info->n_added == 0 ||
        (connection->state != CONNECTION_READING && connection->state != CONNECTION_IDLE)) {
        return;
    }
    int status = status_of(output);
    if (status == 100) {
        return;
    }
    /* A method that it does not know leaves it without a status. */
    connection->status = status >= 400 && status != 501 ? status : 405;
    set_state(connection, CONNECTION_TAKEN);
    /* Runs before the loop looks at sockets again, so before evhttp's page could leave. */
    event_active(&connection->alarm, EV_TIMEOUT, 0);
}

/* ---- From the first byte to the last ---- */

/* The empty line that ends a head, in what may come byte by byte. A line ends with LF, before
 * which a CR may stand. */
static line_state next_line_state(line_state at, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length && at != LINE_LAST; i++) {
        if (bytes[i] == '\n') {
            at = at == LINE_EMPTY ? LINE_LAST : LINE_EMPTY;
        } else if (bytes[i] != '\r') {
            const char *end = memchr(bytes + i, '\n', length - i);
            at = LINE_BEGUN;
            i = end != NULL ? (size_t)(end - bytes) - 1 : length;
        }
    }
    return at;
}

/* The last bytes of the input have come: does the head end in them? evhttp does not tell. */
static void look_for_body(jsonrpc_connection *connection, struct evbuffer *input, size_t added)
{
    enum { PIECES = 4 };
    struct evbuffer_iovec pieces[PIECES];
    struct evbuffer_ptr from;
    line_state line = connection->line;
    size_t length = evbuffer_get_length(input);
    while (added > 0 && line != LINE_LAST &&
           evbuffer_ptr_set(input, &from, length - added, EVBUFFER_PTR_SET) == 0) {
        int count = evbuffer_peek(input, (ev_ssize_t)added, &from, pieces, PIECES);
        for (int i = 0; i < count && i < PIECES && added > 0; i++) {
            size_t size = pieces[i].iov_len < added ? pieces[i].iov_len : added;
            line = next_line_state(line, pieces[i].iov_base, size);
            added -= size;
        }
    }
    connection->line = (uint8_t)line;
    if (line == LINE_LAST) {
        alarm_after(connection, limits_of(connection)->body_timeout_ms);
    }
}

/* The first bytes of a request have come. */
static void begin_reading(jsonrpc_connection *connection)
{
    set_state(connection, CONNECTION_READING);
    connection->line = LINE_BEGUN; /* an empty line before a request is none of its head */
    alarm_after(connection, limits_of(connection)->header_timeout_ms);
}

static void on_input(struct evbuffer *input, const struct evbuffer_cb_info *info, void *argument)
{
    jsonrpc_connection *connection = argument;
    if (info->n_added > 0 && connection->state == CONNECTION_IDLE) {
        begin_reading(connection);
    }
    if (info->n_added > 0 && connection->state == CONNECTION_READING &&
        connection->line != LINE_LAST) {
        look_for_body(connection, input, info->n_added);
    }
}

static void on_close(struct evhttp_connection *http, void *argument)
{
    (void)http;
    jsonrpc_connection *connection = argument;
    if (connection->exchange != NULL) {
        jsonrpc_exchange_abandon(connection->exchange);
    }
    evbuffer_remove_cb(bufferevent_get_input(connection->bytes), on_input, connection);
    evbuffer_remove_cb(bufferevent_get_output(connection->bytes), on_output, connection);
    connection->door->by_socket[connection->socket] = NULL;
    release(connection);
}

static bool remember_socket(jsonrpc_connection *connection)
{
    jsonrpc_door *door = connection->door;
    size_t index = (size_t)connection->socket;
    if (index >= door->by_socket_size) {
        size_t size = (index + 1) * 2;
        jsonrpc_connection **grown = realloc(door->by_socket, size * sizeof *grown);
        if (grown == NULL) {
            return false;
        }
        memset(grown + door->by_socket_size, 0, (size - door->by_socket_size) * sizeof *grown);
        door->by_socket = grown;
        door->by_socket_size = size;
    }
    door->by_socket[index] = connection;
    return true;
}

/* Is it within the limits? Else it is told so; false where even that would be too much. */
static bool admit(jsonrpc_connection *connection)
{
    connection->key = matching_peer_key_of_socket(connection->socket);
    matching_peers_verdict verdict =
        matching_peers_enter(&connection->door->peers, &connection->key);
    connection->counted = verdict != MATCHING_PEERS_CUT;
    connection->surplus = connection->surplus || verdict != MATCHING_PEERS_WELCOME;
    return connection->counted;
}

static void adopt(jsonrpc_connection *connection)
{
    bufferevent_data_cb on_read = NULL;
    void *argument = NULL;
    bufferevent_getcb(connection->bytes, &on_read, NULL, NULL, &argument);
    connection->socket = bufferevent_getfd(connection->bytes);
    bool ended = on_read == NULL || connection->socket < 0; /* evhttp has given it up already */
    char *peer = NULL;
    uint16_t port = 0;
    if (!ended) {
        evhttp_connection_get_peer(argument, &peer, &port);
    }
    snprintf(connection->peer, sizeof connection->peer, "%s", peer != NULL ? peer : "");
    matching_http_began(&connection->traffic, connection->peer, port);
    if (!ended && !(admit(connection) && remember_socket(connection))) {
        evhttp_connection_free(argument);
        ended = true;
    }
    if (ended) {
        bufferevent_decref(connection->bytes);
        release(connection);
        return;
    }
    connection->http = argument;
    assert(evhttp_connection_get_bufferevent(connection->http) == connection->bytes);
    evhttp_connection_set_closecb(connection->http, on_close, connection);
    evbuffer_add_cb(bufferevent_get_input(connection->bytes), on_input, connection);
    evbuffer_add_cb(bufferevent_get_output(connection->bytes), on_output, connection);
    /* evhttp bounds heads and bodies, but not the line that announces a chunk. */
    bufferevent_setwatermark(connection->bytes, EV_READ, 0,
                             connection->door->transport->config->jsonrpc.max_body_bytes +
                                 JSONRPC_HEADERS_MAX);
    const int on = 1;
    setsockopt(connection->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const matching_config_limits *limits = limits_of(connection);
    set_state(connection, CONNECTION_IDLE);
    alarm_after(connection,
                connection->surplus ? limits->header_timeout_ms : limits->idle_timeout_ms);
    bufferevent_decref(connection->bytes);
}

static void on_alarm(evutil_socket_t unused, short what, void *argument)
{
    (void)unused;
    (void)what;
    jsonrpc_connection *connection = argument;
    switch (connection->state) {
    case CONNECTION_NEW:
        adopt(connection);
        break;
    case CONNECTION_TAKEN:
        answer_in_its_place(connection);
        break;
    case CONNECTION_HANDLING:
        break;
    default:
        evhttp_connection_free(connection->http);
        break;
    }
}

struct bufferevent *jsonrpc_connection_new(struct event_base *base, void *argument)
{
    jsonrpc_door *door = argument;
    struct bufferevent *bytes = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
    jsonrpc_connection *connection = calloc(1, sizeof *connection);
    if (bytes == NULL || connection == NULL) {
        free(connection);
        return bytes; /* evhttp sees to NULL; without ours, requests.c refuses */
    }
    connection->door = door;
    connection->bytes = bytes;
    connection->socket = -1;
    connection->next = door->connections;
    if (connection->next != NULL) {
        connection->next->previous = connection;
    }
    door->connections = connection;
    matching_port_connected(door->port);
    door->connection_count++;
    connection->surplus = door->connection_count > connection_limit(door);
    if (door->connection_count >= connection_limit(door) + JSONRPC_SURPLUS_MAX) {
        evconnlistener_disable(door->listener);
    }
    event_assign(&connection->alarm, base, -1, 0, on_alarm, connection);
    bufferevent_incref(bytes); /* until adopted */
    event_active(&connection->alarm, EV_TIMEOUT, 0);
    return bytes;
}

jsonrpc_connection *jsonrpc_connection_begin(jsonrpc_door *door, struct evhttp_request *request)
{
    struct evhttp_connection *http = evhttp_request_get_connection(request);
    evutil_socket_t descriptor = bufferevent_getfd(evhttp_connection_get_bufferevent(http));
    if (descriptor < 0 || (size_t)descriptor >= door->by_socket_size) {
        return NULL;
    }
    jsonrpc_connection *connection = door->by_socket[descriptor];
    if (connection != NULL) {
        assert(connection->http == http);
        event_del(&connection->alarm);
        set_state(connection, CONNECTION_HANDLING);
        door->requests++;
        connection->traffic.requests++;
        MATCHING_PROBE2(received, descriptor,
                        evbuffer_get_length(evhttp_request_get_input_buffer(request)));
    }
    return connection;
}

static void on_complete(struct evhttp_request *request, void *argument)
{
    (void)request;
    jsonrpc_connection *connection = argument;
    MATCHING_PROBE2(sent, connection->socket, connection->reply_bytes);
    forget_reply(connection);
    struct evbuffer *input = bufferevent_get_input(connection->bytes);
    size_t pipelined = evbuffer_get_length(input);
    if (pipelined > 0) {
        begin_reading(connection);
        look_for_body(connection, input, pipelined);
    } else {
        set_state(connection, CONNECTION_IDLE);
        alarm_after(connection, limits_of(connection)->idle_timeout_ms);
    }
}

/* Writes the reply at once instead of waiting until the loop finds the socket writable, which it
 * nearly always is: that spares a look at all sockets and two changes of what the kernel watches.
 * Not from within evhttp's own code, for the reply's end may be the connection's. */
static void write_now(jsonrpc_connection *connection)
{
    struct bufferevent *bytes = connection->bytes;
    struct evbuffer *output = bufferevent_get_output(bytes);
    bufferevent_disable(bytes, EV_WRITE);
    evbuffer_unfreeze(output, 1); /* a bufferevent keeps its front for itself */
    (void)evbuffer_write(output, connection->socket);
    evbuffer_freeze(output, 1);
    if (evbuffer_get_length(output) > 0) {
        bufferevent_enable(bytes, EV_WRITE); /* sends the rest, and sees errors */
    } else {
        bufferevent_trigger(bytes, EV_WRITE, 0); /* for the next reply evhttp enables it */
    }
}

void jsonrpc_connection_reply(jsonrpc_connection *connection, struct evhttp_request *request,
                              int status, const char *body, size_t length)
{
    jsonrpc_door *door = connection->door;
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    char digits[24];
    snprintf(digits, sizeof digits, "%zu", length);
    matching_port_responded(door->port, (unsigned)status);
    matching_port_carried(door->port, 0, length);
    matching_http_answered(&connection->traffic, (unsigned)status, length);
    if (status != 204) {
        evhttp_add_header(headers, "Content-Length", digits);
    }
    if (connection->surplus || door->draining) {
        evhttp_add_header(headers, "Connection", "close");
    }
    struct evbuffer *content = NULL;
    bool head = evhttp_request_get_command(request) == EVHTTP_REQ_HEAD;
    if (length > 0 && !head) {
        content = evbuffer_new();
        if (content == NULL || evbuffer_add(content, body, length) != 0) {
            if (content != NULL) {
                evbuffer_free(content);
            }
            connection->exchange = NULL;
            evhttp_connection_free(connection->http); /* no memory to say so */
            return;
        }
        connection->reply_bytes = length;
        door->reply_bytes += length;
    }
    connection->exchange = NULL;
    set_state(connection, CONNECTION_WRITING);
    alarm_after(connection, limits_of(connection)->idle_timeout_ms);
    evhttp_request_set_on_complete_cb(request, on_complete, connection);
    evhttp_send_reply(request, status, jsonrpc_reason(status), content);
    if (content != NULL) {
        evbuffer_free(content);
    }
    /* evhttp reads while it writes: it would drop the reply of a client that closed its half. */
    bufferevent_disable(connection->bytes, EV_READ);
    if (!door->in_loop) {
        write_now(connection);
    }
}

bool jsonrpc_peer_may_call(jsonrpc_door *door, const matching_peer_key *peer)
{
    return matching_rates_take(door->address_rates, peer->bytes, sizeof peer->bytes,
                               matching_monotonic_ns());
}

void jsonrpc_connections_close_idle(jsonrpc_door *door)
{
    jsonrpc_connection *next = NULL;
    for (jsonrpc_connection *at = door->connections; at != NULL; at = next) {
        next = at->next;
        if (at->state == CONNECTION_IDLE) {
            evhttp_connection_free(at->http);
        }
    }
}
