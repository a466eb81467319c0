/* The ops of the HTTP door: memory, sockets, thread, and their end in the opposite order.
 *
 * Invariants: whatever init or start took is given back by stop and fini, also after a failure half
 * way; between start and stop everything but `stopping` and the eventfd is the loop's.
 *
 * Not the loop: that is loop.c.
 */
#define _GNU_SOURCE /* pthread_setname_np, accept4 flags */
#include "http.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "door.h"
#include "matching/log.h"
#include "matching/metrics.h"

#define BACKLOG 1024
#define SURPLUS_CONNECTIONS 16u /* beyond the limit, to be told so */

static void on_wake(void *context)
{
    http_wake(context);
}

/* False: out of memory. */
static bool make_rates(matching_rates **rates, uint32_t per_second)
{
    *rates = per_second > 0 ? matching_rates_create(per_second) : NULL;
    return per_second == 0 || *rates != NULL;
}

static int http_init(matching_transport *transport)
{
    static const matching_port_handlers handlers = {.on_reply = http_on_reply, .wake = on_wake};
    http_door *door = calloc(1, sizeof *door);
    if (door == NULL) {
        snprintf(transport->error, sizeof transport->error, "out of memory");
        return -ENOMEM;
    }
    transport->state = door;
    door->transport = transport;
    door->listen_fd = door->epoll_fd = door->wake_fd = -1;
    door->service = (http_service){
        .core = transport->core,
        .access = transport->access,
        .counters = transport->counters,
        .config = transport->config,
        .address = transport->address,
    };
    const matching_config_limits *limits = &transport->config->http.limits;
    http_deadlines_init(&door->deadlines, limits);
    matching_peers_init(&door->peers, limits->max_connections_per_address);
    if (!make_rates(&door->address_rates, limits->max_requests_per_second_per_address) ||
        !make_rates(&door->trader_rates, limits->max_requests_per_second_per_trader)) {
        snprintf(transport->error, sizeof transport->error, "out of memory");
        return -ENOMEM;
    }
    /* Before the port: a shard may wake it as soon as the core runs. */
    door->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (door->wake_fd < 0) {
        int code = errno;
        snprintf(transport->error, sizeof transport->error, "eventfd: %s", strerror(code));
        return -code;
    }
    door->port = matching_port_create(transport->core, &handlers, door);
    if (door->port == NULL) {
        snprintf(transport->error, sizeof transport->error, "out of memory for a port");
        return -ENOMEM;
    }
    matching_port_name(door->port, transport->ops->name);
    return 0;
}

/* ---- Listening ------------------------------------------------------------------------------ */

static void print_address(matching_transport *transport, int fd)
{
    struct sockaddr_storage bound;
    socklen_t size = sizeof bound;
    char host[64] = "?";
    char port[8] = "0";
    if (getsockname(fd, (struct sockaddr *)&bound, &size) == 0)
        (void)getnameinfo((struct sockaddr *)&bound, size, host, sizeof host, port, sizeof port,
                          NI_NUMERICHOST | NI_NUMERICSERV);
    const char *format = strchr(host, ':') != NULL ? "[%s]:%s" : "%s:%s";
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(transport->address, sizeof transport->address, format, host, port);
#pragma GCC diagnostic pop
}

/* A listening socket for a numeric address, or a negative errno. */
static int open_listener(const struct addrinfo *address)
{
    int one = 1;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
        bind(fd, address->ai_addr, address->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        int code = errno;
        close(fd);
        return -code;
    }
    return fd;
}

static int listen_there(http_door *door)
{
    matching_transport *transport = door->transport;
    const matching_config *config = transport->config;
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE};
    struct addrinfo *address = NULL;
    char port[8];
    snprintf(port, sizeof port, "%u", (unsigned)config->http.port);
    int failure = getaddrinfo(config->bind, port, &hints, &address);
    if (failure != 0) {
        snprintf(transport->error, sizeof transport->error, "bind address %s: %s", config->bind,
                 gai_strerror(failure));
        return -EINVAL;
    }
    int fd = open_listener(address);
    freeaddrinfo(address);
    if (fd < 0) {
        snprintf(transport->error, sizeof transport->error, "cannot listen on %s port %s: %s%s",
                 config->bind, port, strerror(-fd),
                 fd == -EADDRINUSE || fd == -EACCES
                     ? "; choose another port with --http-port, PORT or [http] port"
                     : "");
        return fd;
    }
    door->listen_fd = fd;
    print_address(transport, fd);
    return 0;
}

/* ---- Starting ------------------------------------------------------------------------------- */

/* Like libwebsockets it speaks of what clients do. */
static void on_mhd_line(void *unused, const char *format, va_list arguments)
{
    char line[512];
    (void)unused;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    vsnprintf(line, sizeof line, format, arguments);
#pragma GCC diagnostic pop
    matching_log(MATCHING_LOG_DEBUG, "libmicrohttpd", "%.*s", (int)strcspn(line, "\n"), line);
}

static int start_daemon(http_door *door)
{
    matching_transport *transport = door->transport;
    const matching_config *config = transport->config;
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME;
    if (matching_log_wants(MATCHING_LOG_DEBUG, "libmicrohttpd"))
        flags |= MHD_USE_ERROR_LOG;
    door->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, http_on_request, door,   /* */
        MHD_OPTION_EXTERNAL_LOGGER, on_mhd_line, door, /* the first, or it is not heard by all */
        MHD_OPTION_LISTEN_SOCKET, door->listen_fd,     /* */
        MHD_OPTION_CONNECTION_LIMIT, config->http.max_connections + SURPLUS_CONNECTIONS,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, HTTP_CONNECTION_MEMORY, /* */
        MHD_OPTION_URI_LOG_CALLBACK, http_on_target, door,          /* */
        MHD_OPTION_NOTIFY_CONNECTION, http_on_connection, door,     /* */
        MHD_OPTION_NOTIFY_COMPLETED, http_on_completed, door,       /* */
        MHD_OPTION_END);
    if (door->daemon == NULL) {
        snprintf(transport->error, sizeof transport->error, "libmicrohttpd did not start");
        return -ENOMEM;
    }
    door->listen_fd = -1; /* libmicrohttpd's now */
    return 0;
}

/* what: how the loop tells it from connections. */
static int watch(const http_door *door, int fd, uint32_t events, void *what)
{
    struct epoll_event event = {.events = events, .data.ptr = what};
    return epoll_ctl(door->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

static int start_thread(http_door *door)
{
    /* Signals are the main thread's. */
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&door->thread, NULL, http_loop, door);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code == 0) {
        door->is_running = true;
        (void)pthread_setname_np(door->thread, "http");
    }
    return -code;
}

static int http_start(matching_transport *transport)
{
    http_door *door = transport->state;
    int result = listen_there(door);
    if (result == 0)
        result = start_daemon(door);
    if (result != 0)
        return result;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(door->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    door->service.started_ns = matching_monotonic_ns();
    door->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    result =
        door->epoll_fd < 0 || info == NULL ? -errno : watch(door, info->epoll_fd, EPOLLIN, door);
    if (result == 0)
        result = watch(door, door->wake_fd, EPOLLIN | EPOLLET, &door->wake_fd);
    if (result == 0)
        result = start_thread(door);
    if (result != 0)
        snprintf(transport->error, sizeof transport->error, "event loop: %s", strerror(-result));
    return result;
}

/* ---- Stopping ------------------------------------------------------------------------------- */

static void http_stop(matching_transport *transport)
{
    http_door *door = transport->state;
    if (door == NULL || !door->is_running)
        return;
    atomic_store_explicit(&door->stopping, true, memory_order_release);
    http_wake(door);
    pthread_join(door->thread, NULL);
    door->is_running = false;
}

static void close_if_open(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void http_fini(matching_transport *transport)
{
    http_door *door = transport->state;
    if (door == NULL)
        return;
    assert(!door->is_running);
    if (door->daemon != NULL)
        MHD_stop_daemon(door->daemon);
    http_free_asking(door);
    http_free_spare(door);
    http_responses_fini(&door->responses);
    close_if_open(&door->listen_fd);
    close_if_open(&door->epoll_fd);
    matching_peers_fini(&door->peers);
    matching_rates_destroy(door->address_rates);
    matching_rates_destroy(door->trader_rates);
    close_if_open(&door->wake_fd); /* the shards have ended: nobody wakes this port any more */
    transport->state = NULL;
    free(door);
}

const matching_transport_ops matching_http_transport = {
    .name = "http",
    .init = http_init,
    .start = http_start,
    .stop = http_stop,
    .fini = http_fini,
};
