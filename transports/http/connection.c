/* A connection from its first byte to its end: whose it is, and how long it may wait for what.
 *
 * Invariants: a connection of ours lives as long as libmicrohttpd's; it is in the queue of what it
 * waits for, so none waits for ever, but while the core has its request, whose reply is sure to
 * come. A connection that is held waits for the rest of its head, or to be cut.
 *
 * Heads are looked at (screen.h) while they still lie in the socket: the first one of a connection
 * while that is held, which takes system calls of libmicrohttpd's epoll set, later ones when the
 * loop hears of them. libmicrohttpd may be there first then, and judges a bad one by itself.
 *
 * Not requests: those are exchange.c's.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h> /* glibc's tcp_info ends earlier */
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#include "door.h"
#include "matching/metrics.h"

#define ANSWER_MAX 1024        /* bytes of an answer that libmicrohttpd does not send */
#define TCP_STATE_CLOSE_WAIT 8 /* the client sends no more */
/* libmicrohttpd walks over all that are held whenever one is released. */
#define HELD_MAX 256
#define DISCARDS_MAX 64 /* reads at once of what is thrown away */

static unsigned port_of(const struct sockaddr *address)
{
    if (address != NULL && address->sa_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)(const void *)address)->sin_port);
    if (address != NULL && address->sa_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)(const void *)address)->sin6_port);
    return 0;
}

static void print_peer(const struct sockaddr *address, char peer[INET6_ADDRSTRLEN])
{
    peer[0] = '\0';
    if (address != NULL && address->sa_family == AF_INET) {
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)address)->sin_addr, peer,
                  INET6_ADDRSTRLEN);
    } else if (address != NULL && address->sa_family == AF_INET6) {
        const struct in6_addr *six =
            &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
        if (IN6_IS_ADDR_V4MAPPED(six))
            inet_ntop(AF_INET, six->s6_addr + 12, peer, INET6_ADDRSTRLEN);
        else
            inet_ntop(AF_INET6, six, peer, INET6_ADDRSTRLEN);
    }
}

void http_connection_wait(http_connection *connection, http_wait wait)
{
    http_door *door = connection->door;
    http_deadline_set(&door->deadlines, &connection->deadline, wait, door->now_ns);
}

/* ---- A request's head, before libmicrohttpd reads it --------------------------------------- */

static void hold(http_connection *connection)
{
    if (connection->is_held)
        return;
    MHD_suspend_connection(connection->mhd);
    connection->is_held = true;
    connection->door->held_count++;
}

static void release(http_connection *connection)
{
    if (!connection->is_held)
        return;
    MHD_resume_connection(connection->mhd);
    connection->is_held = false;
    connection->door->held_count--;
}

void http_connection_cut(http_connection *connection)
{
    if (connection->fd >= 0)
        (void)shutdown(connection->fd, SHUT_RDWR);
    release(connection);
}

void http_connection_refuse(http_connection *connection, const http_refusal *refusal, bool has_body)
{
    http_door *door = connection->door;
    char text[ANSWER_MAX];
    char date[40];
    struct tm now;
    time_t seconds = time(NULL);
    http_answer answer;
    connection->is_refused = true;
    http_answer_init(&answer);
    http_answer_problem(&answer, refusal->status, refusal->code, refusal->message);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&seconds, &now));
    int length = snprintf(text, sizeof text,
                          "HTTP/1.1 %u %s\r\nDate: %s\r\nContent-Type: application/json\r\n"
                          "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n"
                          "Connection: close\r\nContent-Length: %zu\r\n\r\n%.*s",
                          answer.status, MHD_get_reason_phrase_for(answer.status), date,
                          answer.body.length, has_body ? (int)answer.body.length : 0,
                          answer.body.data != NULL ? answer.body.data : "");
    assert(length > 0 && (size_t)length < sizeof text);
    /* What the socket does not take at once is lost with a client that reads nothing. */
    (void)send(connection->fd, text, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)shutdown(connection->fd, SHUT_WR);
    connection->traffic.requests++;
    matching_port_refused(door->port, answer.code);
    matching_port_responded(door->port, answer.status);
    matching_http_answered(&connection->traffic, answer.status, answer.body.length);
    http_answer_fini(&answer);
}

/* Closing with unread data resets the connection, and the answer is lost: all that comes until the
 * client has seen it, or its time is up, is read. */
static void discard(http_connection *connection)
{
    char scratch[HTTP_SCREEN_MAX];
    ssize_t size = 1;
    for (unsigned i = 0; i < DISCARDS_MAX && size > 0; i++)
        size = recv(connection->fd, scratch, sizeof scratch, MSG_DONTWAIT);
    if (size >= 0 || errno != EAGAIN)
        http_connection_cut(connection);
}

/* Does all that has come since the last request still lie in the socket? Empty lines between
 * requests make it seem not so. */
static bool is_untouched(const http_connection *connection)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof info;
    int unread = 0;
    if (connection->is_counted_out || ioctl(connection->fd, SIOCINQ, &unread) != 0 ||
        getsockopt(connection->fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
        size < offsetof(struct tcp_info, tcpi_bytes_received) + sizeof info.tcpi_bytes_received)
        return false;
    /* The end counts as a byte that has come. */
    return info.tcpi_bytes_received ==
           connection->consumed + (uint64_t)unread + (info.tcpi_state == TCP_STATE_CLOSE_WAIT);
}

static http_screening judge(const http_connection *connection, const char *head, size_t size,
                            http_refusal *refusal)
{
    http_screening found = http_screen(head, size, true, refusal);
    if (found == HTTP_HEAD_REFUSED && !is_untouched(connection))
        found = http_screen(head, size, false, refusal);
    return found;
}

static void screen(http_connection *connection, bool has_ended)
{
    char head[HTTP_SCREEN_MAX];
    http_refusal refusal;
    ssize_t size = recv(connection->fd, head, sizeof head, MSG_PEEK | MSG_DONTWAIT);
    if (size <= 0) { /* the end, or libmicrohttpd was here before */
        release(connection);
        return;
    }
    if (connection->deadline.wait == HTTP_WAIT_IDLE)
        http_connection_wait(connection, HTTP_WAIT_HEAD);
    switch (judge(connection, head, (size_t)size, &refusal)) {
    case HTTP_HEAD_UNFINISHED:
        if (has_ended)
            release(connection);
        else if (connection->door->held_count < HELD_MAX)
            hold(connection);
        break;
    case HTTP_HEAD_GOOD:
        release(connection);
        break;
    case HTTP_HEAD_REFUSED:
        hold(connection);
        http_connection_refuse(connection, &refusal, size < 5 || memcmp(head, "HEAD ", 5) != 0);
        discard(connection);
        break;
    }
}

/* libmicrohttpd says nothing before a request line has come in full, which a client that drips puts
 * off for ever. */
void http_connection_heard(http_connection *connection, bool has_ended)
{
    if (has_ended && connection->exchange != NULL)
        http_client_left(connection->exchange);
    if (connection->is_refused)
        discard(connection);
    else if (connection->is_held || connection->deadline.wait == HTTP_WAIT_IDLE)
        screen(connection, has_ended);
}

void http_connections_hold_fresh(http_door *door)
{
    while (door->fresh != NULL) {
        http_connection *connection = door->fresh;
        door->fresh = connection->next_fresh;
        if (connection->deadline.wait == HTTP_WAIT_IDLE && door->held_count < HELD_MAX)
            hold(connection);
    }
}

/* ---- From the first byte to the end ---------------------------------------------------------- */

static void forget_fresh(http_connection *connection)
{
    http_connection **link = &connection->door->fresh;
    while (*link != NULL && *link != connection)
        link = &(*link)->next_fresh;
    if (*link == connection)
        *link = connection->next_fresh;
}

static void close_connection(http_connection *connection)
{
    http_door *door = connection->door;
    forget_fresh(connection);
    http_connection_wait(connection, HTTP_WAIT_NONE);
    matching_http_ended(door->transport->ops->name, "http.connection", connection->peer,
                        &connection->traffic);
    if (connection->is_counted)
        matching_peers_leave(&door->peers, &connection->key);
    matching_port_disconnected(door->port);
    door->connection_count--;
    free(connection);
}

/* Is it within the limits? Else it is told so, or cut off where even that would be too much. */
static void admit(http_connection *connection)
{
    http_door *door = connection->door;
    matching_peers_verdict verdict = matching_peers_enter(&door->peers, &connection->key);
    connection->is_counted = verdict != MATCHING_PEERS_CUT;
    connection->is_surplus = verdict != MATCHING_PEERS_WELCOME ||
                             door->connection_count > door->transport->config->http.max_connections;
    if (verdict == MATCHING_PEERS_CUT)
        (void)shutdown(connection->fd, SHUT_RDWR); /* libmicrohttpd sees the end and closes */
}

static void open_connection(http_connection *connection, struct MHD_Connection *mhd)
{
    http_door *door = connection->door;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    connection->mhd = mhd;
    connection->fd = info != NULL ? info->connect_fd : -1;
    info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *address = info != NULL ? info->client_addr : NULL;
    connection->key = matching_peer_key_of(address);
    print_peer(address, connection->peer);
    matching_http_began(&connection->traffic, connection->peer, port_of(address));
    matching_port_connected(door->port);
    door->connection_count++;
    admit(connection);
    /* Leaves the set by itself when libmicrohttpd closes it. */
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.ptr = connection};
    bool is_heard = epoll_ctl(door->epoll_fd, EPOLL_CTL_ADD, connection->fd, &event) == 0;
    if (connection->is_surplus || !is_heard) {
        http_connection_wait(connection, HTTP_WAIT_HEAD);
        return;
    }
    http_connection_wait(connection, HTTP_WAIT_IDLE);
    connection->next_fresh = door->fresh;
    door->fresh = connection;
}

void http_on_connection(void *context, struct MHD_Connection *mhd, void **slot,
                        enum MHD_ConnectionNotificationCode what)
{
    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (*slot != NULL)
            close_connection(*slot);
        *slot = NULL;
        return;
    }
    http_connection *connection = calloc(1, sizeof *connection);
    *slot = connection;
    if (connection != NULL) {
        connection->door = context;
        open_connection(connection, mhd);
        return;
    }
    /* Nobody would watch its deadlines. */
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (info != NULL)
        (void)shutdown(info->connect_fd, SHUT_RDWR);
}
