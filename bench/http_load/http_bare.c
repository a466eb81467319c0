/* The bare handler that the REST door is measured beside: libmicrohttpd on one thread with an epoll
 * loop around it, as the door has it, and nothing but a constant for every request, whose body is
 * read and thrown away.
 *
 * http_bare [BYTES]: the size of that constant (128). It says "listening http 127.0.0.1:PORT".
 */
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

/* Wants the types of sockets declared first. */
#include <microhttpd.h>

#define BACKLOG 1024
#define CONNECTION_MEMORY ((size_t)16 * 1024)
#define CONNECTIONS 10000u
#define EVENTS_MAX 128

static void fail(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static enum MHD_Result on_request(void *response, struct MHD_Connection *connection,
                                  const char *url, const char *method, const char *version,
                                  const char *upload, size_t *upload_size, void **slot)
{
    static char seen;
    (void)url;
    (void)method;
    (void)version;
    (void)upload;
    if (*slot == NULL) {
        *slot = &seen; /* answered now, the connection would be ended */
        return MHD_YES;
    }
    if (*upload_size > 0) {
        *upload_size = 0;
        return MHD_YES;
    }
    return MHD_queue_response(connection, MHD_HTTP_OK, response);
}

/* The headers are the door's. */
static struct MHD_Response *make_response(size_t size)
{
    char *body = malloc(size);
    if (body == NULL)
        fail("http_bare: memory");
    memset(body, 'x', size);
    struct MHD_Response *response =
        MHD_create_response_from_buffer_with_free_callback(size, body, free);
    if (response == NULL ||
        MHD_add_response_header(response, "Content-Type", "application/json") != MHD_YES ||
        MHD_add_response_header(response, "X-Content-Type-Options", "nosniff") != MHD_YES ||
        MHD_add_response_header(response, "Cache-Control", "no-store") != MHD_YES)
        fail("http_bare: response");
    return response;
}

static int listen_somewhere(unsigned *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(fd, BACKLOG) != 0 || getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        fail("http_bare: listen");
    *port = ntohs(address.sin_port);
    return fd;
}

static void run(struct MHD_Daemon *daemon)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD);
    struct epoll_event events[EVENTS_MAX] = {{.events = EPOLLIN}};
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (info == NULL || epoll_fd < 0 ||
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, info->epoll_fd, &events[0]) != 0)
        fail("http_bare: epoll");
    for (;;) {
        MHD_UNSIGNED_LONG_LONG timeout_ms;
        bool is_set = MHD_get_timeout(daemon, &timeout_ms) == MHD_YES;
        (void)epoll_wait(epoll_fd, events, EVENTS_MAX,
                         !is_set              ? -1
                         : timeout_ms > 60000 ? 60000
                                              : (int)timeout_ms);
        MHD_run(daemon);
    }
}

int main(int argc, char **argv)
{
    unsigned port;
    int fd = listen_somewhere(&port);
    struct MHD_Response *response =
        make_response(argc > 1 ? (size_t)strtoul(argv[1], NULL, 10) : 128);
    struct MHD_Daemon *daemon =
        MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, response, /* */
                         MHD_OPTION_LISTEN_SOCKET, fd,                       /* */
                         MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS,           /* */
                         MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY, MHD_OPTION_END);
    if (daemon == NULL)
        fail("http_bare: libmicrohttpd");
    printf("listening http 127.0.0.1:%u\nready\n", port);
    fflush(stdout);
    run(daemon);
    return EXIT_SUCCESS;
}
