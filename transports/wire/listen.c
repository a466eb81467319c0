/* The listening socket: ours rather than libwebsockets', so that a failure to bind says what and
 * where, port 0 tells the real port, and stopping closes it at once.
 *
 * Accepted sockets are handed to libwebsockets.
 */
#define _GNU_SOURCE /* accept4 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peer.h"

#define BACKLOG 1024
#define ACCEPTS_A_TURN 64
/* Bytes that the kernel keeps for a client before it has sent them: what waits here can still be
 * left out, what waits there cannot, and takes memory that nobody bounds. */
#define UNSENT_MAX (128 << 10)
#define SURPLUS_SOCKETS 64u /* beyond max_connections: health checks, and those to be refused */

static void print_address(matching_transport *transport, int fd)
{
    struct sockaddr_storage bound;
    socklen_t size = sizeof bound;
    char host[64] = "?", port[8] = "0";
    if (getsockname(fd, (struct sockaddr *)&bound, &size) == 0) {
        (void)getnameinfo((struct sockaddr *)&bound, size, host, sizeof host, port, sizeof port,
                          NI_NUMERICHOST | NI_NUMERICSERV);
    }
    bool v6 = strchr(host, ':') != NULL;
    snprintf(transport->address, sizeof transport->address, "%s%.63s%s:%.7s", v6 ? "[" : "", host,
             v6 ? "]" : "", port);
}

/* A listening socket, or a negative errno. */
static int open_socket(const struct addrinfo *address)
{
    int one = 1;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
        bind(fd, address->ai_addr, address->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        int code = errno;
        close(fd);
        return -code;
    }
    return fd;
}

int wire_listen(wire_server *server)
{
    matching_transport *transport = server->transport;
    const matching_config *config = server->config;
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE};
    struct addrinfo *address = NULL;
    char port[8];
    snprintf(port, sizeof port, "%u", (unsigned)server->settings->port);
    int failure = getaddrinfo(config->bind, port, &hints, &address);
    if (failure != 0) {
        snprintf(transport->error, sizeof transport->error, "bind address %s: %s", config->bind,
                 gai_strerror(failure));
        return -EINVAL;
    }
    int fd = open_socket(address);
    freeaddrinfo(address);
    if (fd < 0) {
        bool elsewhere = fd == -EADDRINUSE || fd == -EACCES;
        snprintf(transport->error, sizeof transport->error, "cannot listen on %s port %s: %s%s%s",
                 config->bind, port, strerror(-fd), elsewhere ? "; choose another port with " : "",
                 elsewhere ? server->settings->port_how : "");
        return fd;
    }
    server->listen_fd = fd;
    print_address(transport, fd);
    return 0;
}

static void on_acceptable(struct ev_loop *loop, ev_io *watcher, int events)
{
    wire_server *server = watcher->data;
    (void)events;
    for (unsigned i = 0; i < ACCEPTS_A_TURN; i++) {
        int fd = accept4(server->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                ev_io_stop(loop, watcher); /* the second's timer tries again */
            }
            return;
        }
        if (server->socket_count >= (size_t)server->settings->max_connections +
                                        server->settings->http_connections + SURPLUS_SOCKETS) {
            close(fd);
            continue;
        }
        int one = 1, unsent = UNSENT_MAX;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
        (void)lws_adopt_socket_vhost(server->vhost, fd); /* closes it if it fails */
    }
}

void wire_accept_start(wire_server *server)
{
    if (server->listen_fd >= 0 && !ev_is_active(&server->accepting)) {
        ev_io_init(&server->accepting, on_acceptable, server->listen_fd, EV_READ);
        server->accepting.data = server;
        ev_io_start(server->loop, &server->accepting);
    }
}

void wire_accept_again(wire_server *server)
{
    if (server->listen_fd >= 0 && server->accepting.data != NULL &&
        !ev_is_active(&server->accepting)) {
        ev_io_start(server->loop, &server->accepting);
    }
}

void wire_accept_stop(wire_server *server)
{
    if (server->listen_fd >= 0) {
        ev_io_stop(server->loop, &server->accepting);
        close(server->listen_fd);
        server->listen_fd = -1;
    }
}
