/* A connection from its first byte to its end: whose it is, and how long it may wait for what.
 *
 * Invariants: a connection of ours lives as long as libmicrohttpd's; it is in the queue of what it
 * waits for, so none waits for ever, but while the core has its request, whose reply is sure to
 * come.
 *
 * Not requests: those are exchange.c's.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "door.h"
#include "matching/metrics.h"

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
    http_deadline_set(&connection->door->deadlines, &connection->deadline, wait,
                      matching_monotonic_ns());
}

/* libmicrohttpd says nothing before a request line has come in full, which a client that drips puts
 * off for ever. */
void http_connection_heard(http_connection *connection)
{
    if (connection->deadline.wait == HTTP_WAIT_IDLE)
        http_connection_wait(connection, HTTP_WAIT_HEAD);
}

static void close_connection(http_connection *connection)
{
    http_door *door = connection->door;
    http_connection_wait(connection, HTTP_WAIT_NONE);
    matching_http_ended(door->transport->ops->name, connection->peer, &connection->traffic);
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
    connection->fd = info != NULL ? info->connect_fd : -1;
    info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *address = info != NULL ? info->client_addr : NULL;
    connection->key = matching_peer_key_of(address);
    print_peer(address, connection->peer);
    connection->traffic.since_ns = matching_monotonic_ns();
    matching_port_connected(door->port);
    door->connection_count++;
    admit(connection);
    /* Leaves the set by itself when libmicrohttpd closes it. */
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = connection};
    bool is_heard = epoll_ctl(door->epoll_fd, EPOLL_CTL_ADD, connection->fd, &event) == 0;
    http_connection_wait(connection,
                         connection->is_surplus || !is_heard ? HTTP_WAIT_HEAD : HTTP_WAIT_IDLE);
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
