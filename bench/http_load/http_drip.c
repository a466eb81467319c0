/* Clients that never get done: each sends a request byte by byte, half of them the head, half the
 * body, and begins again on a new connection when it has been closed.
 *
 * http_drip [--clients N] [--every MS] ADDRESS:PORT: 500 clients, a byte of each in 100 ms. Ends by
 * a signal. Says on stdout "ready" when all have connected once.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define STEPS 10u /* a round of all clients is sent in so many parts, so that it is no burst */
#define NS_PER_MS 1000000

typedef struct client {
    int fd; /* -1: to be opened */
    size_t sent;
    bool is_in_body; /* the head goes out at once, the body drips */
} client;

static const char HEAD[] = "POST /api/orders HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                           "Content-Type: application/json\r\nContent-Length: 60000\r\n\r\n";

static volatile sig_atomic_t is_over;

static void on_signal(int number)
{
    (void)number;
    is_over = 1;
}

static void open_client(client *c, const struct sockaddr_in *address)
{
    c->sent = 0;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd >= 0 && connect(c->fd, (const struct sockaddr *)address, sizeof *address) == 0)
        return;
    perror("http_drip: connect");
    exit(EXIT_FAILURE);
}

/* What comes back is only looked at to see the end. */
static bool has_ended(const client *c)
{
    char bytes[512];
    ssize_t got;
    do
        got = recv(c->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    while (got > 0);
    return got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

static void drip(client *c, const struct sockaddr_in *address)
{
    const size_t head = sizeof HEAD - 1;
    if (c->fd >= 0 && has_ended(c)) {
        close(c->fd);
        c->fd = -1;
    }
    if (c->fd < 0)
        open_client(c, address);
    const char *from = c->sent < head ? HEAD + c->sent : " ";
    size_t length = c->is_in_body && c->sent == 0 ? head : 1;
    /* A head that drips stops before its end. */
    if (!c->is_in_body && c->sent + 4 > head)
        return;
    ssize_t sent = send(c->fd, from, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0)
        c->sent += (size_t)sent;
}

static void run(client *clients, size_t count, long every_ms, const struct sockaddr_in *address)
{
    const long step_ns = every_ms * NS_PER_MS / (long)STEPS;
    const struct timespec step = {step_ns / 1000000000, step_ns % 1000000000};
    for (unsigned round = 0; !is_over; round++) {
        if (round == STEPS) {
            puts("ready");
            fflush(stdout);
        }
        for (size_t i = round % STEPS; i < count; i += STEPS)
            drip(&clients[i], address);
        nanosleep(&step, NULL);
    }
}

static bool read_address(const char *text, struct sockaddr_in *address)
{
    char host[64];
    unsigned port = 0;
    *address = (struct sockaddr_in){.sin_family = AF_INET};
    if (sscanf(text, "%63[^:]:%u", host, &port) != 2)
        return false;
    address->sin_port = htons((uint16_t)port);
    return inet_pton(AF_INET, host, &address->sin_addr) == 1;
}

int main(int argc, char **argv)
{
    size_t count = 500;
    long every_ms = 100;
    int at = 1;
    for (; at + 2 < argc; at += 2) {
        if (strcmp(argv[at], "--clients") == 0)
            count = strtoul(argv[at + 1], NULL, 10);
        else if (strcmp(argv[at], "--every") == 0)
            every_ms = strtol(argv[at + 1], NULL, 10);
        else
            break;
    }
    struct sockaddr_in address;
    if (at + 1 != argc || !read_address(argv[at], &address) || count == 0 || every_ms <= 0) {
        fputs("usage: http_drip [--clients N] [--every MS] ADDRESS:PORT\n", stderr);
        return 2;
    }
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    client *clients = calloc(count, sizeof *clients);
    if (clients == NULL)
        return EXIT_FAILURE;
    for (size_t i = 0; i < count; i++)
        clients[i] = (client){.fd = -1, .is_in_body = i / STEPS % 2 == 1};
    run(clients, count, every_ms, &address);
    for (size_t i = 0; i < count; i++)
        if (clients[i].fd >= 0)
            close(clients[i].fd);
    free(clients);
    return EXIT_SUCCESS;
}
