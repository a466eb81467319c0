/* A server of WebSockets: what the doors share that speak it. A door brings what its messages mean;
 * here are sockets, the handshake, frames, queues, heartbeats, the turn of the loop, and the clean
 * stop.
 *
 * A door's state begins with a wire_server, its connections with a wire_peer, so that one leads to
 * the other.
 *
 * Thread: all of it belongs to the loop's thread while that runs, except what is marked.
 */
#ifndef MATCHING_WIRE_SERVER_H
#define MATCHING_WIRE_SERVER_H

#include <ev.h>
#include <libwebsockets.h>
#include <pthread.h>
#include <stdatomic.h>

#include "batch.h"
#include "guard.h"
#include "json_writer.h"
#include "matching/connections.h"
#include "matching/transport.h"
#include "outbox.h"
#include "spans.h"
#include "work.h"

#define WIRE_IN_FLIGHT_MAX 1024u    /* commands of one connection: beyond it nothing is read */
#define WIRE_INPUT_MAX 65536u       /* what is read from a socket at once */
#define WIRE_JOINED_MAX 65535u      /* payload of a frame in which messages are gathered */
#define WIRE_SUBPROTOCOL "matching" /* that a client may ask for */

#define WIRE_CLOSE_GRACE_MS 5000u
#define WIRE_SLOW_GRACE_MS 30000u
#define WIRE_READS_WITHIN_MS 250u /* whose socket has taken nothing for so long does not read */

typedef struct wire_server wire_server;
typedef struct wire_peer wire_peer;
typedef struct wire_exchange wire_exchange;
struct wire_socket;

typedef enum wire_phase {
    WIRE_RUNNING = 0,
    WIRE_ANSWERING = 1, /* stop was asked for: no new commands, replies still come */
    WIRE_CLOSING = 2,   /* every connection is told to go */
    WIRE_ENDED = 3
} wire_phase;

/* What a door asks for; must live as long as the server. */
typedef struct wire_settings {
    const char *name;                 /* of the thread, and of the door in what it says */
    const char *port_how;             /* how to choose another port, for an error's text */
    const char *path;                 /* of WebSockets; NULL: any but /health */
    const char *service;              /* what /health says */
    const char *service_members;      /* ... and further members, ",\"a\":1", or "" */
    wire_opcode kind;                 /* of messages: WIRE_OPCODE_TEXT or WIRE_OPCODE_BINARY */
    const matching_config_cors *cors; /* NULL: no CORS header is ever sent */
    uint16_t port;
    uint32_t max_connections, max_message_bytes;
    uint32_t max_sessions;     /* of the door's own beside those (wire_session_open) */
    uint32_t http_connections; /* beside those and a few: for requests of on_request */
    size_t read_bytes;         /* what is read from a socket at once; 0: WIRE_INPUT_MAX, the most */
    size_t message_bytes;      /* taken with each connection for its messages; 0: as they come */
    uint32_t heartbeat_interval_s, client_timeout_s;
    uint32_t events_a_turn; /* of the port: then sockets are looked at again; 0: 4096 */
    /* So many that came in are applied and answered before more is read; 0: when the turn ends. */
    uint32_t commands_at_once;
    size_t max_queue_bytes, max_total_queue_bytes;
    bool offers_deflate;                       /* permessage-deflate is taken where it is offered */
    uint32_t batch_messages, batch_timeout_ms; /* batch.h; at least 1 where the door batches */
    wire_span_names spans;
} wire_settings;

/* What a door does. */
typedef struct wire_handlers {
    size_t peer_size; /* of its connections, which begin with a wire_peer; the rest is zero */

    /* A connection is there, with nothing said yet. NULL: nothing to do. */
    void (*on_open)(wire_peer *peer);

    /* A whole message of the settings' kind; one of the other kind, whose bytes are gone. */
    void (*on_message)(wire_peer *peer, const char *data, size_t length);
    void (*on_other_kind)(wire_peer *peer);

    /* What such a message is, for its span: of one that is sampled, before on_message. */
    void (*describe)(wire_peer *peer, const char *data, size_t length, wire_message_facts *facts);

    /* What it sends breaks the protocol or is too large, and the connection is about to be ended
     * for that. text: the close frame's reason, static. NULL: nothing to do. */
    void (*on_fault)(wire_peer *peer, const char *text);

    /* Queues what is owed to the connection and can be sent now. True: there was something. NULL:
     * nothing ever is. */
    bool (*refresh)(wire_peer *peer);

    /* Is something owed to the connection that no refresh can queue yet, or that it goes on with as
     * the queue drains? The server does not stop before. NULL: never. */
    bool (*is_owed)(const wire_peer *peer);

    /* The connection has ended and is freed after this call. */
    void (*on_closed)(wire_peer *peer);

    /* HTTP requests for settings->path that ask for no upgrade (exchange.h), where a door answers
     * such; NULL: 426. The head is there (a POST's body, of at most max_message_bytes, is not); the
     * body is whole; the client has gone before it was answered, and the exchange ends with this
     * call. */
    void (*on_request)(wire_exchange *exchange);
    void (*on_body)(wire_exchange *exchange);
    void (*on_gone)(wire_exchange *exchange);

    /* May a good handshake become a WebSocket? False: with this status line and body, both static.
     * NULL: all are let in. */
    bool (*judge_upgrade)(wire_server *server, struct lws *wsi, const char **status,
                          const char **body);

    /* At the end of a turn, after the port's replies and events. NULL: nothing to do. */
    void (*on_turn)(wire_server *server);
    void (*on_second)(wire_server *server);

    /* The port's, with the server as their context; on_reply is not called for the cancels of
     * guard.h, and `wake` is the server's own. */
    matching_port_handlers port;
} wire_handlers;

/* What may wait for a client (peer.h), from the settings. */
typedef struct wire_limits {
    size_t queue;    /* bytes beyond which a feed is lost: 1008 */
    size_t burst;    /* ... by a client that reads */
    size_t conflate; /* ... at which what is only a state is no longer queued */
    size_t fresh;    /* ... at which it starts afresh */
    size_t replies;  /* of its own replies: beyond it nothing is read */
    size_t all;      /* of memory for all clients together */
} wire_limits;

struct wire_server {
    matching_transport *transport;
    const wire_settings *settings;
    const wire_handlers *handlers;
    const matching_config *config;
    matching_core *core;
    matching_port *port;
    matching_connection_table *table; /* the connections, for those who look from outside */

    struct ev_loop *loop;
    ev_check awake;  /* once a loop turn, before anything else is called */
    ev_prepare turn; /* once a loop turn, before it sleeps */
    ev_idle again;   /* active: the loop must not sleep */
    ev_timer ticks;  /* heartbeats, deadlines */
    ev_timer batch_timer;
    ev_io accepting;
    int listen_fd; /* -1: none */
    struct lws_context *lws;
    struct lws_vhost *vhost;
    size_t in_flight_before; /* commands, when they were seen to last */
    size_t socket_count;     /* WebSocket or not yet */
    size_t exchange_count;   /* requests of on_request that are under way */
    pthread_t thread;
    bool is_running;
    atomic_bool stopping; /* any thread */

    wire_phase phase;
    uint64_t now_ns, now_ms; /* monotonic, as of the turn's begin */
    uint64_t reply_ns;       /* ... as of one of the last replies; the clock costs as much as one */
    unsigned replies_timed;  /* by reply_ns; 0: it is from an earlier turn */
    uint64_t phase_deadline_ms;

    wire_peer **peers;     /* by slot; NULL: free */
    uint32_t *generations; /* by slot: counts its connections, so that a late reply is told */
    uint32_t *free_slots;
    uint32_t free_slot_count;
    uint32_t peer_max; /* slots, those of sessions included */
    size_t peer_count;
    uint32_t tick;       /* of the second */
    uint32_t pings_left; /* in this tick */

    wire_peer **dirty; /* those with something to send, each once; room for twice as many */
    size_t dirty_count;

    wire_share *first_spent, *last_spent; /* work.h; NULL: none */
    uint64_t turns;

    unsigned char *input; /* what was read from a socket, WIRE_INPUT_MAX bytes */
    bool is_resumed;      /* a client goes on with what it holds: the loop must not sleep */

    wire_limits limits;
    size_t queued;          /* bytes of memory that wait to be sent, of all connections */
    matching_writer writer; /* the message that is being made */
    uint64_t messages;      /* ... counts those for followers before it */
    bool is_shared;         /* ... for so many that they share one frame: */
    wire_frame *frame;      /* NULL: not made yet */
    size_t handed_out;      /* in this turn: shared frames, counted once for each connection */
    wire_batches batches;
    wire_packer packers[WIRE_PACKING_COUNT];
    wire_unpacker unpacker;
    wire_guard guard;
    wire_spans spans;
};

/* server.c. Memory and the port, on the main thread: 0, or a negative errno with the reason in
 * transport->error; wire_server_fini is called after a failure too. */
int wire_server_init(wire_server *server, matching_transport *transport,
                     const wire_settings *settings, const wire_handlers *handlers);

/* Opens the socket, starts the thread; on the main thread, as the transport's op. */
int wire_server_start(wire_server *server);

/* Ends the thread: transport.h says how. */
void wire_server_stop(wire_server *server);

/* After the stop: ends what connections are left, and with each of them calls on_closed; then gives
 * all memory back. */
void wire_server_disconnect(wire_server *server);
void wire_server_fini(wire_server *server);

/* loop.c: the thread. Argument and result: the server, NULL. */
void *wire_loop(void *server);

/* loop.c: the callback of libwebsockets. */
int wire_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                  size_t length);

/* listen.c: opens the socket and fills in transport->address; 0 or a negative errno with the reason
 * in transport->error. Then what accepts on it. */
int wire_listen(wire_server *server);
void wire_accept_start(wire_server *server);
void wire_accept_stop(wire_server *server);  /* and closes the socket */
void wire_accept_again(wire_server *server); /* after it paused for want of descriptors */

/* http.c: what is not, or not yet, a WebSocket. Both answer and return what libwebsockets wants. */
int wire_http_request(wire_server *server, struct lws *wsi, struct wire_socket *socket);
int wire_http_upgrade(wire_server *server, struct lws *wsi, const char *protocol);
matching_access_level wire_http_level(const wire_server *server, struct lws *wsi);

/* While a handshake is being answered: adds what is agreed on; then whether permessage-deflate was
 * (wire_deflate_choose). */
int wire_http_headers(wire_server *server, struct lws *wsi, struct lws_process_html_args *out);
unsigned wire_http_deflate(const wire_server *server, struct lws *wsi);

/* http.c: the CORS headers of an answer, "" or lines with their CRLF; an answer that ends the
 * connection, with a status line such as "413 Content Too Large". Returns what libwebsockets
 * wants. */
#define WIRE_CORS_SIZE 600
void wire_http_cors(const wire_server *server, struct lws *wsi, char out[WIRE_CORS_SIZE]);
int wire_http_refuse(wire_server *server, struct lws *wsi, const char *status, const char *body);

/* libwebsockets closes the connection once this request is answered, which the answer has to say:
 * clients that asked for it wait for the word nonetheless. */
bool wire_http_is_last(struct lws *wsi);

/* server.c: a session of the door's own that no WebSocket carries, and its end: it is in the table
 * of connections as they are, its counts the door's to keep. At most settings->max_sessions at a
 * time. open: NULL where the system gives no random numbers. */
matching_connection *wire_session_open(wire_server *server, uint32_t *slot, const char *remote);
void wire_session_close(wire_server *server, uint32_t slot, matching_connection *entry,
                        unsigned code);

/* loop.c: to be called after each message; sees to settings->commands_at_once. */
void wire_commands_at_once(wire_server *server);

/* The monotonic clock, looked at once for some replies: they are written within microseconds. */
uint64_t wire_reply_clock(wire_server *server);

#endif
