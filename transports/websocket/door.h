/* What the files of this door share: its state and its limits.
 *
 * Thread: all of it belongs to the loop's thread while that runs, except what is marked.
 */
#ifndef MATCHING_WEBSOCKET_DOOR_H
#define MATCHING_WEBSOCKET_DOOR_H

#include <ev.h>
#include <libwebsockets.h>
#include <pthread.h>
#include <stdatomic.h>

#include "feeds.h"
#include "guard.h"
#include "json_writer.h"
#include "matching/transport.h"
#include "outbox.h"
#include "pending.h"

#define WS_IN_FLIGHT_MAX 1024u /* commands of one connection: beyond it nothing is read */
#define WS_INPUT_MAX 65536u    /* what is read from a socket at once */
#define WS_GUARDED_MAX 65536u  /* orders of one connection under cancel_on_disconnect */

#define WS_TICKER_INTERVAL_MS 100u /* changes of tickers are told in rounds, this far apart */

#define WS_CLOSE_GRACE_MS 5000u
#define WS_SLOW_GRACE_MS 30000u

typedef enum ws_phase {
    WS_RUNNING = 0,
    WS_ANSWERING = 1, /* stop was asked for: no new commands, replies still come */
    WS_CLOSING = 2,   /* every connection is told to go */
    WS_ENDED = 3
} ws_phase;

/* What may wait for a client (connection.h), from the configuration. */
typedef struct ws_limits {
    size_t queue;    /* bytes beyond which a feed is lost: 1008 */
    size_t conflate; /* ... at which book, depth and ticker are no longer queued */
    size_t fresh;    /* ... at which they start afresh */
    size_t replies;  /* of its own replies: beyond it nothing is read */
    size_t all;      /* of memory for all clients together */
} ws_limits;

struct ws_door {
    matching_transport *transport;
    const matching_config *config;
    matching_core *core;
    matching_port *port;

    struct ev_loop *loop;
    ev_check awake;  /* once a loop turn, before anything else is called */
    ev_prepare turn; /* once a loop turn, before it sleeps */
    ev_idle again;   /* active: the loop must not sleep */
    ev_timer ticks;  /* heartbeats, deadlines */
    ev_timer round;  /* runs while a ticker waits for the next round */
    ev_io accepting;
    int listen_fd; /* -1: none */
    struct lws_context *lws;
    struct lws_vhost *vhost;
    size_t socket_count; /* WebSocket or not yet */
    pthread_t thread;
    bool is_running;
    atomic_bool stopping; /* any thread */

    ws_phase phase;
    uint64_t now_ns, now_ms; /* monotonic, as of the turn's begin */
    uint64_t reply_ns;       /* ... as of one of the last replies; the clock costs as much as one */
    unsigned replies_timed;  /* by reply_ns; 0: it is from an earlier turn */
    uint64_t phase_deadline_ms;

    ws_connection **connections; /* by slot; NULL: free */
    uint32_t *generations;       /* by slot: counts its connections, so that a late reply is told */
    uint32_t *free_slots;
    uint32_t free_slot_count, connection_max;
    size_t connection_count;
    uint32_t tick;       /* of the second */
    uint32_t pings_left; /* in this tick */

    ws_connection **dirty; /* those with something to send, each once; room for twice as many */
    size_t dirty_count;

    unsigned char *input; /* what was read from a socket, WS_INPUT_MAX bytes */
    bool is_resumed;      /* a connection goes on with what it holds */

    ws_limits limits;
    size_t queued;          /* bytes of memory that wait to be sent, of all connections */
    matching_writer writer; /* the message that is being made */
    bool is_shared;         /* ... for so many that they share one frame: */
    ws_frame *frame;        /* NULL: not made yet */
    size_t handed_out;      /* in this turn: shared frames, counted once for each connection */
    ws_pending_table pending;
    ws_guard guard;
    ws_feeds feeds;
};

/* loop.c: the thread. Argument and result: the door, NULL. */
void *ws_loop(void *door);

/* loop.c: the callback of libwebsockets. */
int ws_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                size_t length);

/* listen.c: opens the socket and fills in transport->address; 0 or a negative errno with the reason
 * in transport->error. Then what accepts on it. */
int ws_listen(ws_door *door);
void ws_accept_start(ws_door *door);
void ws_accept_stop(ws_door *door);  /* and closes the socket */
void ws_accept_again(ws_door *door); /* after it paused for want of descriptors */

/* http.c: what is not, or not yet, a WebSocket. Both answer and return what libwebsockets wants. */
int ws_http_request(ws_door *door, struct lws *wsi);
int ws_http_upgrade(ws_door *door, struct lws *wsi, const char *protocol);
matching_access_level ws_http_level(const ws_door *door, struct lws *wsi);

/* commands.c: a whole text message has come in; a reply has come back. */
void ws_on_message(ws_connection *connection, const char *text, size_t length);
void ws_on_reply(void *door, const matching_reply *reply);
/* The client is at fault: tells it, and ends it after too many in a row. */
void ws_fault(ws_connection *connection, const ws_error *error, matching_text id);

#endif
