/* The part of the port that speaks HTTP: the health check, and who may become a WebSocket.
 *
 * Every request is judged in the same order: may this origin and host be here at all (403), is
 * there such a path (404), is the method right (405); an upgrade then needs what RFC 6455 section
 * 4.2.1 asks for (400, 426) and a free place (503). A refusal ends the connection.
 *
 * Not a web server: answers are small, bodies are passed over.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "exchange.h"
#include "peer.h"

#define HEADER_MAX 512
#define HEAD_MAX 1536      /* bytes of an answer before its body */
#define KEY_LENGTH 24      /* of sixteen bytes in base64 */
#define CONNECTION_MAX 127 /* likewise */
#define EXTENSIONS_MAX 254 /* longer ones libwebsockets hangs up on without a word */

typedef struct answer {
    unsigned status;
    const char *reason; /* the status line's */
    const char *header; /* a further header with its CRLF, or "" */
    const char *body;
} answer;

static const answer HEALTH = {200, "OK", "", NULL}; /* its body: what the core says then */
static const answer FOREIGN = {
    403, "Forbidden", "",
    "{\"error\":\"this origin or host is not allowed here\",\"code\":\"UNAUTHORIZED\"}"};
static const answer NO_PATH = {
    404, "Not Found", "",
    "{\"error\":\"no such path; this port has its own one and /health\",\"code\":"
    "\"UNKNOWN_TYPE\"}"};
static const answer WRONG_METHOD = {
    405, "Method Not Allowed", "Allow: GET, HEAD\r\n",
    "{\"error\":\"only GET and HEAD are served here\",\"code\":\"UNKNOWN_TYPE\"}"};
static const answer BAD_UPGRADE = {
    400, "Bad Request", "",
    "{\"error\":\"not a WebSocket handshake (RFC 6455)\",\"code\":\"INVALID_MESSAGE\"}"};
static const answer OTHER_VERSION = {
    426, "Upgrade Required",
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n",
    "{\"error\":\"WebSocket version 13 is spoken here\",\"code\":\"INVALID_PARAMETER\"}"};
static const answer OTHER_PROTOCOL = {
    400, "Bad Request", "",
    "{\"error\":\"the only subprotocol here is '" WIRE_SUBPROTOCOL
    "'; ask for that or for none\",\"code\":\"INVALID_PARAMETER\"}"};
static const answer NOT_UPGRADED = {
    426, "Upgrade Required", "Upgrade: websocket\r\nConnection: Upgrade\r\n",
    "{\"error\":\"this path is a WebSocket\",\"code\":\"INVALID_MESSAGE\"}"};
static const answer FULL = {
    503, "Service Unavailable", "Retry-After: 5\r\n",
    "{\"error\":\"too many connections\",\"code\":\"TOO_MANY_CONNECTIONS\"}"};
static const answer STOPPING = {
    503, "Service Unavailable", "Retry-After: 5\r\n",
    "{\"error\":\"the service is shutting down\",\"code\":\"SHUTTING_DOWN\"}"};

/* A header's value, "" where it is longer than any that could be good; NULL: absent. */
static const char *header(struct lws *wsi, enum lws_token_indexes token, char out[HEADER_MAX])
{
    out[0] = '\0';
    if (lws_hdr_total_length(wsi, token) > 0) {
        if (lws_hdr_copy(wsi, out, HEADER_MAX, token) < 0) {
            out[0] = '\0';
        }
        return out;
    }
    return lws_hdr_copy_fragment(wsi, out, HEADER_MAX, token, 0) < 0 ? NULL : out;
}

matching_access_level wire_http_level(const wire_server *server, struct lws *wsi)
{
    char origin[HEADER_MAX], host[HEADER_MAX];
    return matching_access_check(server->transport->access, header(wsi, WSI_TOKEN_ORIGIN, origin),
                                 header(wsi, WSI_TOKEN_HOST, host));
}

static int method_of(struct lws *wsi)
{
    char *path = NULL;
    int length = 0;
    return lws_http_get_uri_and_method(wsi, &path, &length);
}

static bool is_path(struct lws *wsi, const char *wanted)
{
    char *path = NULL;
    int length = 0;
    return lws_http_get_uri_and_method(wsi, &path, &length) >= 0 && path != NULL &&
           (size_t)length == strlen(wanted) && memcmp(path, wanted, (size_t)length) == 0;
}

static bool is_for_websockets(const wire_server *server, struct lws *wsi)
{
    return server->settings->path == NULL ? !is_path(wsi, "/health")
                                          : is_path(wsi, server->settings->path);
}

/* Cross-origin readers; the origin has been let in. */
void wire_http_cors(const wire_server *server, struct lws *wsi, char out[WIRE_CORS_SIZE])
{
    char origin[HEADER_MAX];
    out[0] = '\0';
    if (server->settings->cors != NULL && server->settings->cors->enabled &&
        header(wsi, WSI_TOKEN_ORIGIN, origin) != NULL) {
        snprintf(out, WIRE_CORS_SIZE, "Access-Control-Allow-Origin: %s\r\nVary: Origin\r\n",
                 origin);
    }
}

/* Sends it. 0, or -1 if the socket is broken or memory is out. */
static int send_answer(wire_server *server, struct lws *wsi, const answer *what, bool keep_alive)
{
    char head[HEAD_MAX];
    char cors[WIRE_CORS_SIZE] = "";
    size_t body_length = strlen(what->body);
    if (what->status != 403) {
        wire_http_cors(server, wsi, cors);
    }
    int head_length =
        snprintf(head, sizeof head,
                 "HTTP/1.1 %u %s\r\n"
                 "Content-Type: application/json\r\n"
                 "Content-Length: %zu\r\n"
                 "%s%s%s\r\n",
                 what->status, what->reason, body_length, what->header, cors,
                 keep_alive && !wire_http_is_last(wsi) ? "" : "Connection: close\r\n");
    if (head_length < 0 || head_length >= HEAD_MAX) {
        return -1;
    }
    body_length = method_of(wsi) == LWSHUMETH_HEAD ? 0 : body_length;
    size_t length = (size_t)head_length + body_length;
    unsigned char *buffer = malloc(LWS_PRE + length);
    if (buffer == NULL) {
        return -1;
    }
    memcpy(buffer + LWS_PRE, head, (size_t)head_length);
    memcpy(buffer + LWS_PRE + head_length, what->body, body_length);
    int written = lws_write(wsi, buffer + LWS_PRE, length, LWS_WRITE_HTTP_FINAL);
    free(buffer);
    return written < 0 ? -1 : 0;
}

static int send_health(wire_server *server, struct lws *wsi, bool keep_alive)
{
    matching_writer body;
    matching_writer_init(&body);
    bool healthy = matching_write_health(&body, server->core, server->settings->service,
                                         server->settings->service_members);
    matching_write(&body, "", 1); /* the NUL of a string */
    answer what = HEALTH;
    what.body = body.data;
    if (!healthy) {
        what.status = FULL.status;
        what.reason = FULL.reason;
    }
    int result = body.failed ? -1 : send_answer(server, wsi, &what, keep_alive);
    matching_writer_fini(&body);
    return result;
}

static int send_judgement(wire_server *server, struct lws *wsi, const answer *what, bool keep_alive)
{
    return what == &HEALTH ? send_health(server, wsi, keep_alive)
                           : send_answer(server, wsi, what, keep_alive);
}

bool wire_http_is_last(struct lws *wsi)
{
    char connection[HEADER_MAX], http[HEADER_MAX];
    const char *wanted = header(wsi, WSI_TOKEN_CONNECTION, connection);
    const char *spoken = header(wsi, WSI_TOKEN_HTTP, http);
    if (wanted != NULL && strcasecmp(wanted, "keep-alive") == 0) {
        return false;
    }
    return (wanted != NULL && strcasecmp(wanted, "close") == 0) || spoken == NULL ||
           strcmp(spoken, "HTTP/1.1") != 0;
}

int wire_http_refuse(wire_server *server, struct lws *wsi, const char *status, const char *body)
{
    answer what = {.header = "", .body = body};
    char *reason = NULL;
    what.status = (unsigned)strtoul(status, &reason, 10);
    what.reason = reason + strspn(reason, " ");
    (void)send_answer(server, wsi, &what, false);
    return -1;
}

/* A browser asks before it sends what a form could not (Fetch, section 4.8). */
static int send_preflight(wire_server *server, struct lws *wsi)
{
    char cors[WIRE_CORS_SIZE];
    unsigned char buffer[LWS_PRE + HEAD_MAX];
    wire_http_cors(server, wsi, cors);
    int length = snprintf(
        (char *)buffer + LWS_PRE, HEAD_MAX, "HTTP/1.1 204 No Content\r\n%s%s\r\n", cors,
        cors[0] == '\0' ? "Allow: GET, POST, OPTIONS\r\n"
                        : "Access-Control-Allow-Methods: GET, POST, OPTIONS\r\n"
                          "Access-Control-Allow-Headers: content-type, traceparent, tracestate\r\n"
                          "Access-Control-Max-Age: 600\r\n");
    return lws_write(wsi, buffer + LWS_PRE, (size_t)length, LWS_WRITE_HTTP_FINAL) < 0 ||
                   lws_http_transaction_completed(wsi) != 0
               ? -1
               : 0;
}

/* What to answer to a request that asks for no upgrade; NULL: the door does. */
static const answer *judge(const wire_server *server, struct lws *wsi)
{
    int method = method_of(wsi);
    if (wire_http_level(server, wsi) == MATCHING_ACCESS_DENIED) {
        return &FOREIGN;
    }
    if (!is_path(wsi, "/health") && !is_for_websockets(server, wsi)) {
        return &NO_PATH;
    }
    if (!is_path(wsi, "/health") && server->handlers->on_request != NULL) {
        return server->phase == WIRE_RUNNING ? NULL : &STOPPING;
    }
    if (method != LWSHUMETH_GET && method != LWSHUMETH_HEAD) {
        return &WRONG_METHOD;
    }
    return is_path(wsi, "/health") ? &HEALTH : &NOT_UPGRADED;
}

int wire_http_request(wire_server *server, struct lws *wsi, wire_socket *socket)
{
    const answer *what = judge(server, wsi);
    if (what == NULL) {
        return method_of(wsi) == LWSHUMETH_OPTIONS ? send_preflight(server, wsi)
                                                   : wire_exchange_begin(server, wsi, socket);
    }
    bool good = what == &HEALTH;
    if (send_judgement(server, wsi, what, good) != 0 || !good) {
        return -1;
    }
    return lws_http_transaction_completed(wsi) != 0 ? -1 : 0;
}

/* Is this word in the comma-separated list? */
static bool lists(const char *list, const char *word)
{
    size_t length = strlen(word);
    while (list != NULL && *list != '\0') {
        list += strspn(list, " \t,");
        size_t item = strcspn(list, " \t,");
        if (item == length && strncasecmp(list, word, length) == 0) {
            return true;
        }
        list += item;
    }
    return false;
}

/* Sixteen bytes in base64 (RFC 6455 section 4.1). */
static bool is_key(const char *key)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    return key != NULL && strlen(key) == KEY_LENGTH && strspn(key, alphabet) == KEY_LENGTH - 2 &&
           strcmp(key + KEY_LENGTH - 2, "==") == 0;
}

/* A request with a body is no handshake: what follows the head would be taken for frames. */
static bool has_body(struct lws *wsi)
{
    char length[HEADER_MAX], coding[HEADER_MAX];
    const char *told = header(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH, length);
    return (told != NULL && strcmp(told, "0") != 0) ||
           header(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING, coding) != NULL;
}

/* RFC 6455 section 4.2.1. NULL, or what to answer. */
static const answer *judge_handshake(struct lws *wsi)
{
    char connection[HEADER_MAX], http[HEADER_MAX], version[HEADER_MAX], key[HEADER_MAX];
    const char *wanted = header(wsi, WSI_TOKEN_CONNECTION, connection);
    const char *spoken = header(wsi, WSI_TOKEN_HTTP, http);
    if (wanted == NULL || !lists(wanted, "upgrade") || strlen(wanted) > CONNECTION_MAX ||
        spoken == NULL || strcmp(spoken, "HTTP/1.1") != 0 || has_body(wsi) ||
        lws_hdr_total_length(wsi, WSI_TOKEN_EXTENSIONS) > EXTENSIONS_MAX ||
        lws_hdr_total_length(wsi, WSI_TOKEN_HOST) < 1) {
        return &BAD_UPGRADE;
    }
    if (header(wsi, WSI_TOKEN_VERSION, version) == NULL || strcmp(version, "13") != 0) {
        return &OTHER_VERSION;
    }
    return is_key(header(wsi, WSI_TOKEN_KEY, key)) ? NULL : &BAD_UPGRADE;
}

/* NULL: this is a good handshake, and there is room. */
static const answer *judge_upgrade(const wire_server *server, struct lws *wsi)
{
    char protocols[HEADER_MAX];
    if (wire_http_level(server, wsi) == MATCHING_ACCESS_DENIED) {
        return &FOREIGN;
    }
    if (!is_for_websockets(server, wsi)) {
        return &NO_PATH;
    }
    if (method_of(wsi) != LWSHUMETH_GET) {
        return &WRONG_METHOD;
    }
    const answer *refusal = judge_handshake(wsi);
    if (refusal != NULL) {
        return refusal;
    }
    /* A browser that asks for subprotocols fails unless one of them is spoken. */
    if (lws_hdr_total_length(wsi, WSI_TOKEN_PROTOCOL) > 0 &&
        (!lists(header(wsi, WSI_TOKEN_PROTOCOL, protocols), WIRE_SUBPROTOCOL) ||
         strlen(protocols) > CONNECTION_MAX)) {
        return &OTHER_PROTOCOL;
    }
    if (server->phase != WIRE_RUNNING) {
        return &STOPPING;
    }
    return server->peer_count >= server->settings->max_connections ? &FULL : NULL;
}

/* Refuses a handshake. Returns what libwebsockets wants. */
static int refuse_upgrade(wire_server *server, struct lws *wsi, const answer *why)
{
    wire_upgrade_end(server, wsi, why->status, NULL);
    return send_answer(server, wsi, why, false) != 0 ? -1 : 1;
}

int wire_http_upgrade(wire_server *server, struct lws *wsi, const char *protocol)
{
    if (strcasecmp(protocol, "websocket") != 0) {
        /* An upgrade that is not offered (h2c) may be ignored: RFC 9110 section 7.8. For any other
         * name libwebsockets has answered already. */
        if (strcasecmp(protocol, "h2c") != 0) {
            return -1;
        }
        const answer *what = judge(server, wsi);
        return send_judgement(server, wsi, what == NULL ? &BAD_UPGRADE : what, false) != 0 ? -1 : 1;
    }
    wire_upgrade_begin(server, wsi);
    const answer *refusal = judge_upgrade(server, wsi);
    if (refusal != NULL) {
        return refuse_upgrade(server, wsi, refusal);
    }
    const char *status = NULL, *body = NULL;
    if (server->handlers->judge_upgrade == NULL ||
        server->handlers->judge_upgrade(server, wsi, &status, &body)) {
        return 0;
    }
    wire_upgrade_end(server, wsi, (unsigned)strtoul(status, NULL, 10), NULL);
    return -wire_http_refuse(server, wsi, status, body);
}

static unsigned choose(const wire_server *server, struct lws *wsi, char agreed[WIRE_ANSWER_MAX])
{
    char offers[HEADER_MAX];
    return server->settings->offers_deflate && header(wsi, WSI_TOKEN_EXTENSIONS, offers) != NULL
               ? wire_deflate_choose(offers, agreed)
               : 0;
}

unsigned wire_http_deflate(const wire_server *server, struct lws *wsi)
{
    char agreed[WIRE_ANSWER_MAX];
    return choose(server, wsi, agreed);
}

int wire_http_headers(wire_server *server, struct lws *wsi, struct lws_process_html_args *out)
{
    char agreed[WIRE_ANSWER_MAX];
    if (choose(server, wsi, agreed) == 0) {
        return 0;
    }
    unsigned char *at = (unsigned char *)out->p;
    if (lws_add_http_header_by_name(
            wsi, (const unsigned char *)"Sec-WebSocket-Extensions:", (const unsigned char *)agreed,
            (int)strlen(agreed), &at, at + out->max_len) != 0) {
        return -1;
    }
    out->p = (char *)at;
    return 0;
}
