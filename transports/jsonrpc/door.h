/* What the files of this door share: its state, its connections, its exchanges.
 *
 * All of it belongs to the door's thread, but for `stopping` and `wake`.
 *
 *   jsonrpc.c      the ops, the thread and its loop
 *   connections.c  the life of a connection: deadlines, limits, what evhttp would answer by itself
 *   requests.c     one HTTP request: who asks, where, what kind of body
 *   exchanges.c    one JSON-RPC body: its commands on their way, its answers gathered
 *   snapshots.c    calls that wait for snapshots
 *   spans.c        what traces tell of bodies and calls
 */
#ifndef MATCHING_JSONRPC_DOOR_H
#define MATCHING_JSONRPC_DOOR_H

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "json_writer.h"
#include "matching/connections.h"
#include "matching/trace.h"
#include "matching/transport.h"
#include "message.h"
#include "methods.h"
#include "peers.h"
#include "rates.h"
#include "turns.h"

#define JSONRPC_LINGER_TIMEOUT_MS 2000 /* for a client to read why it was refused */
#define JSONRPC_HEADERS_MAX 16384      /* bytes of a request's head */
#define JSONRPC_SURPLUS_MAX 64         /* connections beyond the limit, there only to be told so */
#define JSONRPC_CALLS_MAX 65536        /* commands under way, of all connections */
#define JSONRPC_SNAPSHOTS_MAX 64       /* calls that wait for snapshots, of all connections */
#define JSONRPC_REPLY_BYTES_MAX ((size_t)256 << 20) /* of replies gathered or being taken */

typedef struct jsonrpc_door jsonrpc_door;
typedef struct jsonrpc_connection jsonrpc_connection;
typedef struct jsonrpc_exchange jsonrpc_exchange;

typedef enum connection_state {
    CONNECTION_NEW = 0,  /* libevent is still setting it up */
    CONNECTION_IDLE,     /* no byte of a next request yet */
    CONNECTION_READING,  /* evhttp gathers a request; `line` tells which part */
    CONNECTION_HANDLING, /* the request is ours; nothing is read meanwhile */
    CONNECTION_WRITING,  /* the reply is on its way out */
    CONNECTION_TAKEN,    /* evhttp wants to answer by itself; we are about to in its place */
    CONNECTION_LINGERING /* we did; what still comes in is thrown away */
} connection_state;

struct jsonrpc_connection {
    jsonrpc_door *door;
    jsonrpc_connection *previous, *next;
    struct evhttp_connection *http;
    struct bufferevent *bytes; /* evhttp's */
    struct event alarm;
    evutil_socket_t socket;
    connection_state state;
    uint8_t line; /* READING: line_state of the head's end */
    bool surplus; /* over a limit: one refusal, then the end */
    bool counted; /* in door->peers, under `key` */
    matching_peer_key key;
    int status;                 /* TAKEN: what evhttp was about to answer */
    jsonrpc_exchange *exchange; /* HANDLING: may be NULL */
    size_t reply_bytes;         /* WRITING: counted in door->reply_bytes */
    matching_http_traffic traffic;
    char peer[INET6_ADDRSTRLEN];
};

/* What the sender of a body may do. */
typedef struct jsonrpc_rights {
    bool market_data_only;
    bool administrator;
} jsonrpc_rights;

/* One call of a body. */
typedef struct jsonrpc_slot jsonrpc_slot;
struct jsonrpc_slot {
    jsonrpc_exchange *exchange;
    matching_text id; /* into the exchange's body; empty: a notification */
    jsonrpc_expected expected;
    matching_writer answer;
    uint64_t snapshot_ticket;   /* admin_snapshot: what the core is asked about */
    jsonrpc_slot *next_waiting; /* in door->snapshots */
    matching_code code;         /* why it failed */
    matching_span span;
    char trader_id[MATCHING_TRADER_MAX + 1]; /* whom its command names; "": nobody */
};

/* The connection that a body came over, which may be gone when its span ends. Set if that is
 * sampled. */
typedef struct jsonrpc_origin {
    char id[MATCHING_CONNECTION_ID_SIZE];
    char peer[INET6_ADDRSTRLEN];
    matching_trace_context span;
} jsonrpc_origin;

struct jsonrpc_exchange {
    jsonrpc_door *door;
    jsonrpc_exchange *previous, *next;
    jsonrpc_connection *connection; /* NULL: gone, nobody waits for the answer */
    struct evhttp_request *request; /* NULL with it */
    jsonrpc_message message;
    jsonrpc_rights rights;
    matching_peer_key peer;
    bool late;    /* it came when the door was closing: no command of it is sent */
    bool stalled; /* goes on when calls of it have come back: the rings are full of them, or: */
    bool settles; /* one that is away changes an instrument; all have to come back */
    matching_turn
        turn; /* its next call is a read that waits, in door->readers, for the core's room: */
    uint64_t waits_since_ns; /* ... since then */
    size_t taken;            /* slots that have been looked at, in order */
    size_t counted;          /* slots that the rates have counted */
    size_t outstanding;      /* of them, those whose command is away */
    size_t snapshots;        /* ... and those that wait for snapshots */
    size_t answer_bytes;     /* counted in door->reply_bytes */
    uint64_t received_ns;
    jsonrpc_slot *slots; /* message.count; `single` where it is one */
    jsonrpc_slot single;
    char *body;
    size_t body_length;
    matching_span span;
    jsonrpc_origin origin;
};

struct jsonrpc_door {
    matching_transport *transport;
    matching_port *port;
    struct event_base *base;
    struct evhttp *http;
    struct evhttp_bound_socket *bound;
    struct evconnlistener *listener; /* http's, through bound */
    struct event *wakeup;            /* reads `wake` */
    struct event *relisten;          /* ends a pause of the listener */
    struct event *deadline;          /* of the stop */
    struct event *snapshots_timer;   /* runs while somebody waits for snapshots */
    struct event *turns_timer;       /* runs while somebody waits his turn */
    pthread_t thread;
    bool thread_started;
    int wake; /* eventfd; written by any thread */
    atomic_bool stopping;
    bool draining; /* stop has been seen: no new connections, no keep-alive */
    bool expired;  /* the stop's deadline has passed */
    bool in_loop;  /* libevent's loop runs, and with it perhaps evhttp's own code */

    jsonrpc_connection *connections;
    jsonrpc_connection **by_socket; /* index: descriptor */
    size_t by_socket_size;
    size_t connection_count;
    uint64_t requests; /* that have come so far */
    size_t busy;       /* connections HANDLING or WRITING */

    jsonrpc_exchange *exchanges;
    size_t stalled;
    matching_turns readers;  /* exchanges whose next read waits for room */
    size_t calls;            /* commands under way */
    size_t reply_bytes;      /* of answers held in memory */
    jsonrpc_slot *snapshots; /* that wait for snapshots */
    size_t snapshots_waiting;
    matching_peers peers;          /* connections of each address */
    matching_rates *address_rates; /* NULL: no limit, as for the next */
    matching_rates *trader_rates;
};

/* ---- connections.c ---- */

/* For evhttp_set_bevcb; argument: the door. */
struct bufferevent *jsonrpc_connection_new(struct event_base *base, void *door);

/* The connection that a request came on, now HANDLING; NULL: libevent had no memory for ours. */
jsonrpc_connection *jsonrpc_connection_begin(jsonrpc_door *door, struct evhttp_request *request);

/* May this address call once more now? Then it is counted. */
bool jsonrpc_peer_may_call(jsonrpc_door *door, const matching_peer_key *peer);

/* Sends the reply to the request that is being handled; headers must be set. The body is copied. */
void jsonrpc_connection_reply(jsonrpc_connection *connection, struct evhttp_request *request,
                              int status, const char *body, size_t length);

/* Ends those that have no request under way. */
void jsonrpc_connections_close_idle(jsonrpc_door *door);

/* Accepting failed: stops it for a moment. */
void jsonrpc_pause_listening(jsonrpc_door *door);

/* ---- requests.c ---- */

/* For evhttp_set_gencb; argument: the door. */
void jsonrpc_request_arrived(struct evhttp_request *request, void *door);

/* The body and the reason phrase of a refusal on the level of HTTP. */
void jsonrpc_write_refusal(matching_writer *writer, int status);
const char *jsonrpc_reason(int status);

/* ---- exchanges.c ---- */

/* Executes the body of a request and sees to its answer, now or when the last reply is in. Takes
 * over body (heap) in any case. traceparent: the header's value, NULL: there is none. False: no
 * memory, nothing was done. */
bool jsonrpc_exchange_start(jsonrpc_connection *connection, struct evhttp_request *request,
                            char *body, size_t length, const char *traceparent,
                            jsonrpc_rights rights);

/* For the port. */
void jsonrpc_exchange_reply(void *door, const matching_reply *reply);

/* Goes on with exchanges that waited for room; after matching_port_poll. */
void jsonrpc_exchanges_resume(jsonrpc_door *door);

/* Its client is gone. */
void jsonrpc_exchange_abandon(jsonrpc_exchange *exchange);

/* Frees what is left after the loop has ended. */
void jsonrpc_exchanges_free(jsonrpc_door *door);

/* Nobody waits for this answer: a notification, or the client has gone. */
bool jsonrpc_slot_is_mute(const jsonrpc_slot *slot);

/* For snapshots.c. The answer is this failure; the answer has been written; the call waits no more,
 * and if it was the last one its exchange is answered and gone. */
void jsonrpc_slot_fail(jsonrpc_slot *slot, const jsonrpc_failure *failure);
void jsonrpc_slot_written(jsonrpc_slot *slot);
void jsonrpc_slot_snapshot_ended(jsonrpc_slot *slot);

/* ---- spans.c: nothing of it does anything unless the span is sampled ---- */

/* A body has come; has been answered (status), or its client has gone (0). */
void jsonrpc_exchange_span_begin(jsonrpc_exchange *exchange, const jsonrpc_connection *connection,
                                 struct evhttp_request *request, const char *traceparent);
void jsonrpc_exchange_span_end(jsonrpc_exchange *exchange, int status);

/* A call of it is looked at for the first time; has its answer. */
void jsonrpc_slot_span_begin(jsonrpc_exchange *exchange, size_t index);
void jsonrpc_slot_span_end(jsonrpc_slot *slot);

/* ---- snapshots.c ---- */

/* Asks for snapshots. The slot has its answer after this, or is counted in exchange->snapshots. */
void jsonrpc_snapshot_begin(jsonrpc_slot *slot);

/* The timer's; argument: the door. */
void jsonrpc_snapshots_look(evutil_socket_t unused, short what, void *door);

/* The door stops: answers everybody who waits. */
void jsonrpc_snapshots_give_up(jsonrpc_door *door);

/* The exchange's client is gone; the exchange may be too after this. */
void jsonrpc_snapshots_forget(const jsonrpc_exchange *exchange);

#endif
