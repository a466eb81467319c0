/* WebSocket clients for load: many on one epoll, one thread.
 *
 * Frames are made by hand and masked with a fresh key each, as RFC 6455 wants it of a client. What
 * arrives is read into one buffer that all share, so a connection that is idle holds next to
 * nothing. Pings are answered. Whatever goes wrong, a connection that the server ends included,
 * ends the program with a line that says what (report.h, fail).
 */
#ifndef MATCHING_BENCH_LOAD_CLIENT_H
#define MATCHING_BENCH_LOAD_CLIENT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct client {
    int fd;
    uint32_t number;
    uint32_t mask; /* of the frame before */
    bool is_ready; /* the opening handshake is done */
    bool waits;    /* EPOLLOUT is asked for */
    char *out;     /* frames to send */
    size_t out_begin, out_end, out_room;
    char *kept; /* a frame of which the rest is to come */
    size_t kept_length, kept_room;
} client;

typedef struct swarm swarm;

/* A message has come; swarm->now_ns is when. What is queued on this client is sent when all
 * that came with it has been told. */
typedef void swarm_message_fn(void *context, client *c, const char *text, size_t length);

struct swarm {
    int epoll_fd;
    client **clients;
    size_t count, room, ready_count;
    bool is_binary;  /* messages that come are, not text */
    char *buffer;    /* what was read last */
    uint64_t now_ns; /* monotonic, as of the last read */
    swarm_message_fn *on_message;
    void *context;
};

uint64_t now_ns(void);

void swarm_init(swarm *s);
void swarm_fini(swarm *s); /* resets all connections, so that no port is kept waiting */

/* Adds `count` connections and waits until all are open. With `spread` they come from several
 * loopback addresses, since one address has about 28,000 ports to come from. */
void swarm_connect(swarm *s, const struct sockaddr_in *address, size_t count, bool spread);

/* From now on nothing that comes for it is read. */
void swarm_neglect(swarm *s, client *c);

/* Takes what has come, having waited for it at most timeout_ms (0: not at all). The number of
 * connections that had something. */
int swarm_turn(swarm *s, int timeout_ms);

/* Queues a message, text or binary, of at most 65535 bytes; client_flush sends all that is queued
 * with one write. */
void client_queue(client *c, const char *text, size_t length);
void client_queue_binary(client *c, const void *data, size_t length);
void client_flush(swarm *s, client *c);

#endif
