/* The ops of the WebSocket door: memory, sockets, thread, and their end in the opposite order.
 *
 * Invariants: whatever init or start took is given back by fini, also after a failure half way;
 * between start and stop everything but `stopping` is the loop's, and other threads call nothing of
 * libwebsockets but lws_cancel_service. The context lives until fini, since a shard may still wake
 * the port until the core has stopped.
 */
#define _GNU_SOURCE /* pthread_setname_np */
#include "websocket.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "connection.h"

#define BACKLOG_MAX (256u << 10) /* bytes at which a client is treated as behind */
#define DESCRIPTORS_BESIDE 256u  /* of the rest of the program */

/* Larger writes than the default, which is made for small devices. What libwebsockets reads is HTTP
 * alone (receive.c), so the buffer that it keeps for each WebSocket is as good as none. */
#define SERVICE_BUFFER 65536
#define RECEIVE_BUFFER 128
#define WRITE_LIMIT 65536

static const struct lws_protocols PROTOCOLS[] = {
    {"matching", ws_callback, sizeof(ws_connection *), RECEIVE_BUFFER, 0, NULL, WRITE_LIMIT},
    {NULL, NULL, 0, 0, 0, NULL, 0},
};

/* Heartbeats are this door's own business (connection.c), which tells libwebsockets at each of them
 * that all is well: its own time for that is longer than the longest heartbeat_interval. */
static const lws_retry_bo_t NO_HEARTBEAT = {
    .secs_since_valid_ping = UINT16_MAX - 1,
    .secs_since_valid_hangup = UINT16_MAX,
};

static void on_wake(void *context)
{
    const ws_door *door = context;
    if (door->lws != NULL) {
        lws_cancel_service(door->lws);
    }
}

static bool make_slots(ws_door *door)
{
    uint32_t count = door->config->websocket.max_connections;
    door->connection_max = count;
    door->connections = calloc(count, sizeof *door->connections);
    door->generations = calloc(count, sizeof *door->generations);
    door->free_slots = malloc(count * sizeof *door->free_slots);
    /* Twice: one can be marked again while the first round of marks is being worked off. */
    door->dirty = malloc(2 * (size_t)count * sizeof *door->dirty);
    door->input = malloc(WS_INPUT_MAX);
    if (door->connections == NULL || door->generations == NULL || door->free_slots == NULL ||
        door->dirty == NULL || door->input == NULL) {
        return false;
    }
    for (uint32_t slot = count; slot-- > 0;) {
        door->free_slots[door->free_slot_count++] = slot;
    }
    return true;
}

/* A small queue shrinks what depends on it. */
static ws_limits limits_of(const matching_config *config)
{
    size_t queue = config->websocket.max_queue_bytes;
    size_t part = queue / 4 < BACKLOG_MAX ? queue / 4 : BACKLOG_MAX;
    return (ws_limits){.queue = queue,
                       .conflate = part,
                       .fresh = part / 4,
                       .replies = part,
                       .all = config->websocket.max_total_queue_bytes};
}

static int ws_init(matching_transport *transport)
{
    static const matching_port_handlers handlers = {.on_reply = ws_on_reply,
                                                    .on_event = ws_on_event,
                                                    .on_lapped = ws_on_lapped,
                                                    .wake = on_wake};
    ws_door *door = calloc(1, sizeof *door);
    if (door == NULL) {
        snprintf(transport->error, sizeof transport->error, "out of memory");
        return -ENOMEM;
    }
    transport->state = door;
    door->transport = transport;
    door->config = transport->config;
    door->core = transport->core;
    door->limits = limits_of(transport->config);
    door->listen_fd = -1;
    matching_writer_init(&door->writer);
    ws_pending_init(&door->pending);
    bool made = make_slots(door) && ws_feeds_init(door);
    if (made) {
        door->port = matching_port_create(transport->core, &handlers, door);
    }
    if (door->port == NULL) {
        snprintf(transport->error, sizeof transport->error, "out of memory for %s",
                 made ? "a port" : "connections and instruments");
        return -ENOMEM;
    }
    door->feeds.port = door->guard.port = door->port;
    return 0;
}

/* ---- Starting -------------------------------------------------------------------------------- */

/* libwebsockets reports what clients do wrong as errors, so it is heard only where somebody looks
 * for that. What goes wrong with the door itself is told by the door. */
static int log_levels(const matching_config *config)
{
    return config->telemetry.log_level == MATCHING_CONFIG_LOG_DEBUG ? LLL_ERR | LLL_WARN : 0;
}

static int start_lws(ws_door *door)
{
    matching_transport *transport = door->transport;
    lws_set_log_level(log_levels(door->config), NULL); /* to stderr */
    door->loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
    if (door->loop == NULL) {
        snprintf(transport->error, sizeof transport->error,
                 "no event loop: epoll is not available");
        return -ENOSYS;
    }
    void *loops[1] = {door->loop};
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .protocols = PROTOCOLS,
        .options = LWS_SERVER_OPTION_LIBEV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS,
        .foreign_loops = loops,
        .pt_serv_buf_size = SERVICE_BUFFER,
        .retry_and_idle_policy = &NO_HEARTBEAT,
        .vhost_name = "matching",
        .gid = (gid_t)-1,
        .uid = (uid_t)-1,
        .user = door,
    };
    door->lws = lws_create_context(&info);
    if (door->lws == NULL) {
        snprintf(transport->error, sizeof transport->error,
                 "libwebsockets did not start; it needs its libev plugin "
                 "(libwebsockets-evlib-ev)");
        return -ENOSYS;
    }
    door->vhost = lws_create_vhost(door->lws, &info);
    if (door->vhost == NULL) {
        snprintf(transport->error, sizeof transport->error, "libwebsockets: no virtual host");
        return -ENOMEM;
    }
    return 0;
}

static int start_thread(ws_door *door)
{
    /* Signals are the main thread's. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&door->thread, NULL, ws_loop, door);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code != 0) {
        snprintf(door->transport->error, sizeof door->transport->error, "no thread: %s",
                 strerror(code));
        return -code;
    }
    door->is_running = true;
    (void)pthread_setname_np(door->thread, "websocket");
    return 0;
}

static int ws_start(matching_transport *transport)
{
    ws_door *door = transport->state;
    int result = ws_listen(door);
    if (result == 0) {
        result = start_lws(door);
    }
    return result == 0 ? start_thread(door) : result;
}

/* ---- Stopping -------------------------------------------------------------------------------- */

static void ws_stop(matching_transport *transport)
{
    ws_door *door = transport->state;
    if (door == NULL || !door->is_running) {
        return;
    }
    atomic_store_explicit(&door->stopping, true, memory_order_release);
    lws_cancel_service(door->lws);
    pthread_join(door->thread, NULL);
    door->is_running = false;
}

static void ws_fini(matching_transport *transport)
{
    ws_door *door = transport->state;
    if (door == NULL) {
        return;
    }
    assert(!door->is_running);
    if (door->lws != NULL) {
        lws_context_destroy(door->lws); /* closes what is left; calls back for each */
    }
    if (door->loop != NULL) {
        ev_loop_destroy(door->loop);
    }
    if (door->listen_fd >= 0) {
        close(door->listen_fd);
    }
    ws_begin(door); /* lets go of the last shared frame */
    ws_feeds_fini(door);
    ws_guard_fini(&door->guard);
    ws_pending_fini(&door->pending);
    matching_writer_fini(&door->writer);
    free(door->connections);
    free(door->generations);
    free(door->free_slots);
    free(door->dirty);
    free(door->input);
    free(door);
    transport->state = NULL;
}

const matching_transport_ops matching_websocket_transport = {
    .name = "websocket",
    .init = ws_init,
    .start = ws_start,
    .stop = ws_stop,
    .fini = ws_fini,
};
