/* The server's memory, sockets and thread, and their end in the opposite order.
 *
 * Invariants: whatever init or start took is given back by fini, also after a failure half way;
 * between start and stop everything but `stopping` is the loop's, and other threads call nothing of
 * libwebsockets but lws_cancel_service. The context lives until the core has let go of the port's
 * `wake`, which a shard may still call.
 */
#define _GNU_SOURCE /* pthread_setname_np */
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exchange.h"
#include "matching/log.h"
#include "matching/metrics.h"
#include "peer.h"

#define BACKLOG_MAX (256u << 10) /* bytes at which a client is treated as behind */
#define BURST 8u                 /* times max_queue_bytes */

/* Larger writes than the default, which is made for small devices. What libwebsockets reads is HTTP
 * alone (receive.c), so the buffer that it keeps for each WebSocket is as good as none. */
#define SERVICE_BUFFER 65536
#define REQUEST_HEAD 8192 /* browsers send the cookies of every page of this host */
#define RECEIVE_BUFFER 128
#define WRITE_LIMIT 65536

static const struct lws_protocols PROTOCOLS[] = {
    {WIRE_SUBPROTOCOL, wire_callback, sizeof(wire_socket), RECEIVE_BUFFER, 0, NULL, WRITE_LIMIT},
    {NULL, NULL, 0, 0, 0, NULL, 0},
};

/* Heartbeats are this server's own business (peer.c), which tells libwebsockets at each of them
 * that all is well: its own time for that is longer than the longest heartbeat_interval. */
static const lws_retry_bo_t NO_HEARTBEAT = {
    .secs_since_valid_ping = UINT16_MAX - 1,
    .secs_since_valid_hangup = UINT16_MAX,
};

static void on_wake(void *context)
{
    const wire_server *server = context;
    if (server->lws != NULL) {
        lws_cancel_service(server->lws);
    }
}

static bool make_slots(wire_server *server)
{
    uint32_t count = server->settings->max_connections + server->settings->max_sessions;
    server->peer_max = count;
    server->peers = calloc(count, sizeof *server->peers);
    server->generations = calloc(count, sizeof *server->generations);
    server->free_slots = malloc(count * sizeof *server->free_slots);
    /* Twice: one can be marked again while the first round of marks is being worked off. */
    server->dirty = malloc(2 * (size_t)count * sizeof *server->dirty);
    server->input = malloc(WIRE_INPUT_MAX);
    if (server->peers == NULL || server->generations == NULL || server->free_slots == NULL ||
        server->dirty == NULL || server->input == NULL) {
        return false;
    }
    for (uint32_t slot = count; slot-- > 0;) {
        server->free_slots[server->free_slot_count++] = slot;
    }
    return true;
}

matching_connection *wire_session_open(wire_server *server, uint32_t *slot, const char *remote)
{
    assert(server->free_slot_count > 0);
    *slot = server->free_slots[server->free_slot_count - 1];
    matching_connection *entry = matching_connection_open(server->table, *slot, remote);
    server->free_slot_count -= entry != NULL;
    return entry;
}

void wire_session_close(wire_server *server, uint32_t slot, matching_connection *entry,
                        unsigned code)
{
    matching_connection_close(server->table, entry, code);
    server->free_slots[server->free_slot_count++] = slot;
}

/* A small queue shrinks what depends on it. */
static wire_limits limits_of(const wire_settings *settings)
{
    size_t queue = settings->max_queue_bytes;
    size_t part = queue / 4 < BACKLOG_MAX ? queue / 4 : BACKLOG_MAX;
    return (wire_limits){.queue = queue,
                         .burst = BURST * queue,
                         .conflate = part,
                         .fresh = part / 4,
                         .replies = part,
                         .all = settings->max_total_queue_bytes};
}

static void on_reply(void *context, const matching_reply *reply)
{
    wire_server *server = context;
    if (reply->tag == WIRE_SWEEP_TAG) {
        wire_guard_swept(&server->guard);
    } else {
        server->handlers->port.on_reply(server, reply);
    }
}

int wire_server_init(wire_server *server, matching_transport *transport,
                     const wire_settings *settings, const wire_handlers *handlers)
{
    matching_port_handlers port = handlers->port;
    port.on_reply = on_reply;
    port.wake = on_wake;
    server->transport = transport;
    server->settings = settings;
    server->handlers = handlers;
    server->config = transport->config;
    server->core = transport->core;
    server->limits = limits_of(settings);
    server->listen_fd = -1;
    matching_writer_init(&server->writer);
    if (make_slots(server)) {
        server->table = matching_connections_create(server->core, settings->name, server->peer_max);
    }
    if (server->table != NULL) {
        server->port = matching_port_create(transport->core, &port, server);
    }
    if (server->port == NULL) {
        snprintf(transport->error, sizeof transport->error, "out of memory for %s",
                 server->table != NULL ? "a port" : "connections");
        return -ENOMEM;
    }
    matching_port_name(server->port, settings->name);
    server->guard.port = server->port;
    server->guard.name = settings->name;
    return 0;
}

/* ---- Starting -------------------------------------------------------------------------------- */

/* libwebsockets reports what clients do wrong as errors, so to us it is all debugging. What goes
 * wrong with the server itself is told by the server. */
static void on_lws_line(int level, const char *line)
{
    (void)level;
    matching_log(MATCHING_LOG_DEBUG, "libwebsockets", "%.*s", (int)strcspn(line, "\n"), line);
}

static int lws_levels(void)
{
    return matching_log_wants(MATCHING_LOG_DEBUG, "libwebsockets") ? LLL_ERR | LLL_WARN : 0;
}

/* libwebsockets has the whole process ignore SIGPIPE from then on, which is for the program to
 * decide. It writes without MSG_NOSIGNAL, but where that signal is blocked: on the server's thread,
 * and in destroy_context. */
static struct lws_context *create_context(const struct lws_context_creation_info *info)
{
    struct sigaction before;
    sigaction(SIGPIPE, NULL, &before);
    struct lws_context *context = lws_create_context(info);
    sigaction(SIGPIPE, &before, NULL);
    return context;
}

/* On the caller's thread, so that a signal which comes of it is taken back. */
static void destroy_context(struct lws_context *context)
{
    const struct timespec at_once = {0, 0};
    sigset_t one, before, pending;
    sigemptyset(&one);
    sigaddset(&one, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &one, &before);
    sigpending(&pending);
    lws_context_destroy(context); /* closes what is left; calls back for each */
    if (sigismember(&pending, SIGPIPE) == 0) {
        (void)sigtimedwait(&one, NULL, &at_once);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static int start_lws(wire_server *server)
{
    matching_transport *transport = server->transport;
    lws_set_log_level(lws_levels(), on_lws_line); /* of the whole process */
    server->loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
    if (server->loop == NULL) {
        snprintf(transport->error, sizeof transport->error,
                 "no event loop: epoll is not available");
        return -ENOSYS;
    }
    void *loops[1] = {server->loop};
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .protocols = PROTOCOLS,
        .options = LWS_SERVER_OPTION_LIBEV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS,
        .foreign_loops = loops,
        .pt_serv_buf_size = SERVICE_BUFFER,
        .max_http_header_data2 = REQUEST_HEAD,
        .retry_and_idle_policy = &NO_HEARTBEAT,
        .vhost_name = "matching",
        .gid = (gid_t)-1,
        .uid = (uid_t)-1,
        .user = server,
    };
    server->lws = create_context(&info);
    if (server->lws == NULL) {
        snprintf(transport->error, sizeof transport->error,
                 "libwebsockets did not start; it needs its libev plugin "
                 "(libwebsockets-evlib-ev)");
        return -ENOSYS;
    }
    server->vhost = lws_create_vhost(server->lws, &info);
    if (server->vhost == NULL) {
        snprintf(transport->error, sizeof transport->error, "libwebsockets: no virtual host");
        return -ENOMEM;
    }
    return 0;
}

static int start_thread(wire_server *server)
{
    /* Signals are the main thread's; SIGPIPE, which is for the thread that writes, stays
     * pending. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&server->thread, NULL, wire_loop, server);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code != 0) {
        snprintf(server->transport->error, sizeof server->transport->error, "no thread: %s",
                 strerror(code));
        return -code;
    }
    server->is_running = true;
    (void)pthread_setname_np(server->thread, server->settings->name);
    return 0;
}

int wire_server_start(wire_server *server)
{
    int result = wire_listen(server);
    if (result == 0) {
        result = start_lws(server);
    }
    return result == 0 ? start_thread(server) : result;
}

/* ---- Stopping -------------------------------------------------------------------------------- */

void wire_server_stop(wire_server *server)
{
    if (!server->is_running) {
        return;
    }
    atomic_store_explicit(&server->stopping, true, memory_order_release);
    lws_cancel_service(server->lws);
    pthread_join(server->thread, NULL);
    server->is_running = false;
}

void wire_server_disconnect(wire_server *server)
{
    assert(!server->is_running);
    if (server->lws != NULL) {
        destroy_context(server->lws);
        server->lws = NULL;
    }
    if (server->loop != NULL) {
        ev_loop_destroy(server->loop);
        server->loop = NULL;
    }
    if (server->listen_fd >= 0) {
        close(server->listen_fd);
        server->listen_fd = -1;
    }
    wire_begin(server); /* lets go of the last shared frame */
}

void wire_server_fini(wire_server *server)
{
    wire_guard_fini(&server->guard);
    matching_writer_fini(&server->writer);
    for (unsigned i = 0; i < WIRE_PACKING_COUNT; i++) {
        wire_packer_fini(&server->packers[i]);
    }
    wire_unpacker_fini(&server->unpacker);
    free(server->peers);
    free(server->generations);
    free(server->free_slots);
    free(server->dirty);
    free(server->input);
}
