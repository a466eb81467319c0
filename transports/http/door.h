/* What the files of this door share: its state, a connection, a request under way.
 *
 * Thread: all of it belongs to the loop's thread while that runs, except `stopping` and the
 * eventfd.
 */
#ifndef MATCHING_HTTP_DOOR_H
#define MATCHING_HTTP_DOOR_H

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>

/* libmicrohttpd.h wants its socket types declared first. */
#include <microhttpd.h>

#include "deadlines.h"
#include "matching/connections.h"
#include "matching/transport.h"
#include "peers.h"
#include "rates.h"
#include "responses.h"
#include "routes.h"
#include "screen.h"
#include "turns.h"

/* Bytes that libmicrohttpd has for a request's line and headers, and the headers of its answer. It
 * clears them all after each request. */
#define HTTP_CONNECTION_MEMORY ((size_t)16 * 1024)

typedef struct http_exchange http_exchange;

typedef struct http_door {
    matching_transport *transport;
    matching_port *port;
    http_service service;
    struct MHD_Daemon *daemon;
    pthread_t thread;
    bool is_running;
    int listen_fd; /* -1: none, or handed to libmicrohttpd */
    int epoll_fd;  /* holds libmicrohttpd's epoll descriptor, wake_fd, and each connection, to see a
                      request's first byte, which libmicrohttpd does not tell */
    int wake_fd;   /* eventfd: a shard has replies, or stop is asked for */
    atomic_bool stopping;
    bool is_draining; /* every answer from now on ends its connection */
    size_t connection_count;
    size_t held_count;             /* connections that libmicrohttpd leaves alone for their heads */
    struct http_connection *fresh; /* begun in this turn; by next_fresh */
    size_t asking_count;           /* exchanges that wait for the core */
    http_exchange *asking;         /* ... as a list */
    matching_turns waiting;        /* exchanges that wait until the core has room for them */
    http_exchange *spare;          /* that have ended, with their memory, for the next ones */
    size_t spare_count;
    http_responses responses;
    char known_host[64]; /* a Host that is let in; empty: none has come yet */
    uint64_t now_ns;     /* matching_monotonic_ns() of this turn of the loop */
    uint64_t looked_ns;  /* when the loop last asked its own epoll set */
    uint64_t turn;       /* of the loop, counted */
    bool has_queued;     /* answers that libmicrohttpd writes in its next run */
    http_deadlines deadlines;
    matching_peers peers;          /* connections of each address */
    matching_rates *address_rates; /* NULL: no limit, as for the next */
    matching_rates *trader_rates;
} http_door;

/* A connection: libmicrohttpd's socket context. */
typedef struct http_connection {
    http_deadline deadline; /* first, so that one leads to the other */
    http_door *door;
    struct MHD_Connection *mhd;
    int fd;
    bool is_held;        /* libmicrohttpd leaves it alone: its head is not whole yet, or refused */
    bool is_refused;     /* what still comes is thrown away */
    bool is_counted_out; /* a chunked body came: `consumed` lacks bytes */
    uint64_t consumed;   /* bytes of the requests so far */
    struct http_connection *next_fresh;
    http_exchange *exchange; /* that waits, or waited, for room; else NULL */
    bool is_surplus;         /* beyond a limit of connections: told so, then closed */
    bool is_counted;         /* in door->peers, under `key` */
    matching_peer_key key;
    char peer[INET6_ADDRSTRLEN];
    matching_http_traffic traffic;
} http_connection;

/* connection.c: libmicrohttpd's callback, and what a connection waits for from now on. */
void http_on_connection(void *door, struct MHD_Connection *mhd, void **context,
                        enum MHD_ConnectionNotificationCode what);
void http_connection_wait(http_connection *connection, http_wait wait);

/* connection.c: bytes have come, or the end, behind which nothing can. Not within libmicrohttpd. */
void http_connection_heard(http_connection *connection, bool has_ended);

/* connection.c: holds those that have begun in this turn. Not within libmicrohttpd. */
void http_connections_hold_fresh(http_door *door);

/* connection.c: answers without libmicrohttpd, before that has an answer of its own, and says that
 * nothing more will come. The connection is to be held or cut. */
void http_connection_refuse(http_connection *connection, const http_refusal *refusal,
                            bool has_body);

/* connection.c: libmicrohttpd sees the end of the stream and closes. */
void http_connection_cut(http_connection *connection);

/* exchange.c: the callbacks of libmicrohttpd. */
void *http_on_target(void *door, const char *target, struct MHD_Connection *mhd);
enum MHD_Result http_on_request(void *door, struct MHD_Connection *mhd, const char *url,
                                const char *method, const char *version, const char *upload,
                                size_t *upload_size, void **context);
void http_on_completed(void *door, struct MHD_Connection *mhd, void **context,
                       enum MHD_RequestTerminationCode how);

/* asking.c: the port's callback. */
void http_on_reply(void *door, const matching_reply *reply);

/* asking.c: hands to the core what waits for its room, as far as there is some. Once a turn. */
void http_serve_waiting(http_door *door);

/* asking.c: milliseconds until the first that waits has waited too long; -1: none waits. */
int http_waiting_timeout_ms(const http_door *door, uint64_t now_ns);

/* asking.c: the exchange's client has gone, or sends no more, which looks alike: it waits no
 * longer. Not within libmicrohttpd. */
void http_client_left(http_exchange *exchange);

/* asking.c: answers everything that still waits for the core with an error: the time to stop is
 * up. */
void http_give_up_asking(http_door *door);

/* asking.c: frees exchanges that outlived the daemon. After the loop has ended. */
void http_free_asking(http_door *door);

/* exchange.c: frees those whose memory waits for another request. After the loop has ended. */
void http_free_spare(http_door *door);

/* loop.c: the thread. Argument and result: the door, NULL. */
void *http_loop(void *door);

/* Makes the loop look around. Any thread. */
void http_wake(http_door *door);

#endif
