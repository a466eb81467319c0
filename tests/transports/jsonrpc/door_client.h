/* A door with a core behind it, and a small HTTP client over real sockets on 127.0.0.1. Every read
 * has a deadline.
 */
#ifndef MATCHING_TESTS_JSONRPC_DOOR_CLIENT_H
#define MATCHING_TESTS_JSONRPC_DOOR_CLIENT_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "jsonrpc.h"
#include "support/cunit_main.h"

#define READ_TIMEOUT_S 30
#define HEALTH_CALL "{\"jsonrpc\":\"2.0\",\"method\":\"health\",\"id\":1}"
#define HEALTH_RESULT                                                                              \
    "{\"jsonrpc\":\"2.0\",\"result\":{\"status\":\"healthy\","                                     \
    "\"service\":\"jsonrpc-matching-service\"},\"id\":1}"

#define CALL(method, params)                                                                       \
    "{\"jsonrpc\":\"2.0\",\"method\":\"" method "\",\"params\":{" params "},\"id\":1}"

typedef struct service {
    matching_config config;
    matching_access access;
    matching_core *core;
    matching_transport transport;
} service;

static inline service *open_service(void (*adjust)(service *))
{
    static service it;
    char error[256];
    signal(SIGPIPE, SIG_IGN);
    memset(&it, 0, sizeof it);
    matching_config_default(&it.config);
    it.config.jsonrpc.port = 0;
    snprintf(it.access.bind_address, sizeof it.access.bind_address, "%s", it.config.bind);
    if (adjust != NULL) {
        adjust(&it);
    }
    matching_core_options options;
    matching_core_options_default(&options);
    options.instruments = it.config.instruments;
    options.instrument_count = it.config.instrument_count;
    options.shards = 2;
    options.max_orders = options.retained_orders = 4096;
    options.max_traders = 64;
    it.core = matching_core_create(&options, error, sizeof error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(it.core);
    it.transport.ops = &matching_jsonrpc_transport;
    it.transport.config = &it.config;
    it.transport.access = &it.access;
    it.transport.core = it.core;
    CU_ASSERT_EQUAL_FATAL(it.transport.ops->init(&it.transport), 0);
    CU_ASSERT_EQUAL_FATAL(matching_core_start(it.core, error, sizeof error), 0);
    CU_ASSERT_EQUAL_FATAL(it.transport.ops->start(&it.transport), 0);
    return &it;
}

static inline void close_service(service *it)
{
    it->transport.ops->stop(&it->transport);
    matching_core_stop(it->core);
    it->transport.ops->fini(&it->transport);
    matching_core_destroy(it->core);
}

static inline int open_socket(void)
{
    const struct timeval limit = {READ_TIMEOUT_S, 0};
    const int on = 1;
    int connection = socket(AF_INET, SOCK_STREAM, 0);
    CU_ASSERT_TRUE_FATAL(connection >= 0);
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return connection;
}

static inline void connect_socket(const service *it, int connection)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    const char *colon = strrchr(it->transport.address, ':');
    CU_ASSERT_PTR_NOT_NULL_FATAL(colon);
    address.sin_port = htons((uint16_t)atoi(colon + 1));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CU_ASSERT_EQUAL_FATAL(connect(connection, (const struct sockaddr *)&address, sizeof address),
                          0);
}

static inline int dial(const service *it)
{
    int connection = open_socket();
    connect_socket(it, connection);
    return connection;
}

static inline void send_text(int connection, const char *text, size_t length)
{
    for (size_t sent = 0; sent < length;) {
        ssize_t count = send(connection, text + sent, length - sent, MSG_NOSIGNAL);
        if (count <= 0) {
            return; /* the reader finds out */
        }
        sent += (size_t)count;
    }
}

typedef struct response {
    int status;
    char head[2048];
    char *body; /* heap */
    size_t length;
} response;

/* Reads one response with a Content-Length, byte by byte in its head so that nothing of the next
 * one is taken. Status 0: the connection ended first. */
static inline response read_response(int connection)
{
    response it = {0, "", NULL, 0};
    size_t at = 0;
    while (at < sizeof it.head - 1 && (at < 4 || memcmp(it.head + at - 4, "\r\n\r\n", 4) != 0)) {
        if (recv(connection, it.head + at, 1, 0) != 1) {
            return it;
        }
        it.head[++at] = '\0';
    }
    const char *length = strstr(it.head, "Content-Length: ");
    it.length = length != NULL ? strtoul(length + 16, NULL, 10) : 0;
    it.body = calloc(1, it.length + 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(it.body);
    for (size_t got = 0; got < it.length;) {
        ssize_t count = recv(connection, it.body + got, it.length - got, 0);
        if (count <= 0) {
            return it;
        }
        got += (size_t)count;
    }
    it.status = atoi(it.head + strlen("HTTP/1.1 "));
    return it;
}

static inline void post(int connection, const char *body, const char *headers)
{
    static const char form[] = "POST / HTTP/1.1\r\nHost: localhost\r\n"
                               "Content-Type: application/json\r\nContent-Length: %zu\r\n%s\r\n%s";
    size_t size = sizeof form + 32 + strlen(headers) + strlen(body);
    char *text = malloc(size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    int length = snprintf(text, size, form, strlen(body), headers, body);
    send_text(connection, text, (size_t)length); /* in one piece: TCP may hold back a second one */
    free(text);
}

/* One call on a connection; the body of the answer (heap), which must come with this status. */
static inline char *call(int connection, const char *body, const char *headers, int status)
{
    post(connection, body, headers);
    response it = read_response(connection);
    if (it.status != status) {
        printf("%s\n  status %d, expected %d: %s\n", body, it.status, status, it.body);
    }
    CU_ASSERT_EQUAL(it.status, status);
    return it.body;
}

/* The answer to this call contains the piece. */
static inline void expect(int connection, const char *body, const char *piece)
{
    char *answer = call(connection, body, "", 200);
    bool found = answer != NULL && strstr(answer, piece) != NULL;
    if (!found) {
        printf("%s\n  got      %s\n  expected %s\n", body, answer ? answer : "-", piece);
    }
    CU_ASSERT_TRUE(found);
    free(answer);
}

/* Everybody may see market data, one Origin everything; administration has a token. */
static inline void allow_every_origin(service *it)
{
    it->config.jsonrpc.max_body_bytes = 2000;
    strcpy(it->access.allow_origins[it->access.allow_origin_count++], "*");
    strcpy(it->access.allow_origins[it->access.allow_origin_count++], "https://ours.example");
    strcpy(it->access.admin_token, "token");
}

#endif
