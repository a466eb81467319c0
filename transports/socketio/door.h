/* What the files of this door share: its state, its clients, its rooms and its markets.
 *
 * Sockets, frames and the loop are transports/wire's, and so is the rule for slow clients (its
 * peer.h), which holds for clients that poll as well: what waits for their next GET is their queue.
 *
 * Thread: all of it belongs to the loop's thread while that runs.
 */
#ifndef MATCHING_SOCKETIO_DOOR_H
#define MATCHING_SOCKETIO_DOOR_H

#include "exchange.h"
#include "matching/candle_feed.h"
#include "peer.h"
#include "reply.h"
#include "request.h"
#include "session.h"
#include "socket_packet.h"
#include "turns.h"

#define SIO_PATH "/socket.io/"
#define SIO_CONNECT_MS 45000u       /* for a client to come to our namespace */
#define SIO_HISTORY_KEPT 500u       /* final candles of an interval, where there is no store */
#define SIO_HISTORY_ASKED_MAX 64u   /* pages of the store that are under way, of all clients, */
#define SIO_HISTORY_ASKED_EACH 4u   /* ... and of one; */
#define SIO_HISTORY_WAITING_MAX 50u /* ... that one may have waiting: as many as subscriptions */
#define SIO_HISTORY_TAGS (UINT64_C(1) << 61) /* of their reads */
#define SIO_ANSWER_BYTES (64u << 10)         /* of a GET's answer, about */

/* Work (wire_work in peer.h). */
#define SIO_MESSAGE_UNITS 64u /* a message is parsed and answered */
#define SIO_BYTES_A_UNIT 64u  /* of what is made for one client */

typedef struct sio_door sio_door;
typedef struct sio_client sio_client;

/* ---- Rooms (rooms.c): who is told what ------------------------------------------------------- */

typedef enum sio_room_kind {
    SIO_ROOM_KLINE = 0, /* of one series and one subscriptionId */
    SIO_ROOM_PRICE = 1,
    SIO_ROOM_TOKENS = 2
} sio_room_kind;

typedef struct sio_member {
    sio_client *client;
    size_t index; /* in its subscriptions */
} sio_member;

typedef struct sio_room {
    sio_room_kind kind;
    uint16_t instrument;
    uint8_t interval;
    sio_member *members;
    size_t count, member_room;
    size_t place;          /* KLINE: in the series' rooms */
    struct sio_room *next; /* in its bucket */
    char label[];          /* subscriptionId in JSON, "": none */
} sio_room;

typedef struct sio_subscription {
    sio_room *room;
    size_t position; /* in the room's members */
    bool is_stale;   /* KLINE, PRICE: something was left out, it is owed what is so now */
    bool owes_final; /* ... a final candle among it */
} sio_subscription;

/* ---- Markets (markets.c): whom candles and prices are told ----------------------------------- */

/* One interval of one instrument. */
typedef struct sio_series {
    sio_room **rooms; /* by subscriptionId */
    size_t room_count, room_room;
} sio_series;

typedef struct sio_market {
    sio_series series[MATCHING_INTERVALS];
    sio_room *price;     /* NULL: nobody follows it */
    int64_t price_ticks; /* of the last trade; 0: none is known */
    uint64_t price_time_ns, price_told_ms;
    uint8_t price_side;
    bool is_price_due; /* in `prices` */
} sio_market;

/* ---- Clients (clients.c) --------------------------------------------------------------------- */

/* A page of the store that a client wants. */
typedef struct sio_page sio_page;
struct sio_page {
    sio_page *next; /* of the client's that wait */
    uint16_t instrument;
    matching_interval interval;
    uint32_t limit;
    bool has_from, has_id;
    uint64_t from_s;
    uint64_t id; /* of the acknowledgement */
    uint64_t since_ns;
    unsigned joins; /* the client's when it asked */
};

/* A page that is under way. */
typedef struct sio_asked {
    char sid[EIO_SID_SIZE]; /* of the session that asked; "": free */
    sio_page page;
} sio_asked;

struct sio_client {
    sio_door *door;
    eio_session session;
    char sid[EIO_SID_SIZE];       /* of the session */
    char client_id[EIO_SID_SIZE]; /* in our namespace */
    size_t place;                 /* in the door's clients */
    sio_client *next;             /* in its bucket, then among the dead */
    wire_peer *peer;              /* the carrier; NULL: it polls */
    wire_peer *probe;             /* the WebSocket that may become it */
    wire_exchange *poll, *post;   /* under way */
    bool has_body;                /* the post's is here, and not all of it has been taken: */
    eio_payload rest;             /* ... from here on */
    wire_share share;             /* of the server's work, while it polls */
    bool is_connected;            /* is in our namespace */
    unsigned joins;               /* how often it has come to it */
    bool is_ready;                /* in the door's ready */
    bool is_over;
    uint64_t connect_deadline_ms;
    matching_connection
        *polling;         /* its entry in the table while it polls; NULL: the peer has one */
    uint32_t slot;        /* of that entry */
    unsigned attachments; /* of a refused binary packet, still to come */
    sio_subscription *subscriptions;
    size_t subscription_count, subscription_room;
    size_t stale_count;
    sio_page *first_page, *last_page; /* of history, that wait; heap */
    unsigned pages_waiting, pages_asked;
    matching_turn turn; /* in the door's `readers` while one of them may be asked for */
};

typedef struct sio_connection {
    wire_peer peer;     /* first: one leads to the other */
    sio_client *client; /* NULL: it is over */
} sio_connection;

struct sio_door {
    wire_server server; /* first, likewise */
    wire_settings settings;
    eio_terms terms;
    ev_timer round; /* runs while something waits for its time */
    ev_timer beat;  /* heartbeats and deadlines */

    sio_client **clients;
    size_t client_count, client_max;
    sio_client **by_sid; /* buckets, a power of two */
    size_t sid_buckets;
    sio_client **ready; /* with a GET to be answered, or something owed */
    size_t ready_count;
    sio_client *dead; /* are freed when the turn ends */
    size_t polled;    /* bytes that wait for GETs, a shared text in full each time */
    bool is_stopping;

    eio_text *text;         /* what server.writer holds, for those who poll; NULL: not made yet */
    matching_writer object; /* of an event, before its head is known */
    matching_writer answer; /* of a GET */

    sio_room **rooms; /* buckets, a power of two */
    size_t room_buckets, room_count;
    sio_room *tokens;    /* NULL: nobody follows them */
    sio_market *markets; /* by instrument index, room for as many as there can ever be */
    matching_candle_feed *candles;
    uint16_t *prices; /* markets with a price to tell */
    size_t price_count;
    sio_asked asked[SIO_HISTORY_ASKED_MAX];
    matching_turns readers; /* clients whose pages wait until there is room to ask for them */
};

static inline sio_door *sio_door_of(wire_server *server)
{
    return (sio_door *)server;
}

/* clients.c. init: false when out of memory; fini also after that. */
bool sio_clients_init(sio_door *door);
void sio_clients_fini(sio_door *door);

/* peer: what carries it; NULL: it polls, and remote is who does. NULL: too many, or out of memory.
 * Its handshake has been queued. */
sio_client *sio_client_create(sio_door *door, wire_peer *peer, const char *remote);
sio_client *sio_client_find(const sio_door *door, const char *sid);

/* Ends it: a GET that waits is answered with this packet, a WebSocket with this code and reason.
 * Memory goes when the turn ends. */
void sio_client_close(sio_client *client, const char *last, unsigned code, const char *reason);

/* The message for some clients: how many, about. Then queues what server.writer holds, a whole
 * Engine.IO packet: a reply or an event, which must not be lost; a state (false: left out). */
matching_writer *sio_begin(sio_door *door, size_t receivers);
void sio_reply(sio_client *client);
void sio_send(sio_client *client);
bool sio_send_state(sio_client *client);

/* A state is not sent, since the client is owed a fresh one (wire_pass_over). */
void sio_pass_over(const sio_client *client);

/* Moves what waits for a GET to the WebSocket that has become the carrier. */
void sio_client_upgraded(sio_client *client);

/* For those who look from outside: its subscriptions; an error. What comes and goes of a WebSocket
 * the server counts; of one that polls: so many bytes of a body that came or
 * go, a packet that came. */
void sio_tell_count(const sio_client *client, size_t subscriptions);
void sio_tell_error(const sio_client *client);
void sio_tell_heard(const sio_client *client, size_t bytes);
void sio_tell_wrote(const sio_client *client, size_t bytes);
void sio_tell_packet(const sio_client *client);

/* So much has been done for it (wire_work in peer.h), whatever carries it. Once it is spent no
 * packet of it is read, and nothing that it is owed is made; it goes on by itself. */
void sio_work(sio_client *client, size_t units);
bool sio_is_spent(const sio_client *client);

/* At the end of the turn there is something for it. */
void sio_mark_ready(sio_client *client);
void sio_clients_turn(sio_door *door);
void sio_clients_beat(sio_door *door);

/* carriers.c: the server's handlers for requests and for WebSockets. */
void sio_on_request(wire_exchange *exchange);
void sio_on_body(wire_exchange *exchange);
void sio_on_gone(wire_exchange *exchange);

/* Goes on with a POST's body: takes packets until the client is spent, or answers. */
void sio_take_body(sio_client *client);

/* The session ends before that: whoever sent the POST is told, now or when its body is there. */
void sio_drop_post(sio_client *client);

bool sio_judge_upgrade(wire_server *server, struct lws *wsi, const char **status,
                       const char **body);
void sio_on_open(wire_peer *peer);
void sio_on_message(wire_peer *peer, const char *text, size_t length);
void sio_on_binary(wire_peer *peer);
void sio_describe(wire_peer *peer, const char *text, size_t length, wire_message_facts *facts);
void sio_on_closed(wire_peer *peer);

/* events.c: an Engine.IO message. Then: the door's `object` as an event, and as the acknowledgement
 * that the packet wants; the same of an error. */
void sio_on_packet(sio_client *client, const eio_packet *packet);
void sio_answer(sio_client *client, const char *event, const sio_packet *packet);
void sio_answer_error(sio_client *client, const sio_error *error, const char *event,
                      const sio_packet *packet);

/* history.c: answers a get_history, now or when the store has answered, for which it may have to
 * wait its turn. Or the code with *error filled in. */
sio_code sio_history(sio_client *client, uint16_t instrument, const sio_request *request,
                     const sio_packet *packet, sio_error *error);
void sio_history_answered(sio_door *door, const matching_reply *reply);

/* Asks for what has waited, as far as there is room. Once a turn. */
void sio_history_turn(sio_door *door);

/* What waited for the client to read it has become less. Then: it wants nothing any more. */
void sio_history_drained(sio_client *client);
void sio_history_forget(sio_client *client);

/* rooms.c */
bool sio_rooms_init(sio_door *door);
void sio_rooms_fini(sio_door *door);

/* SIO_FINE with *already: it was there. SIO_TOO_MANY; SIO_BAD_PARAMETER: out of memory. */
sio_code sio_join(sio_client *client, sio_room_kind kind, uint16_t instrument, uint8_t interval,
                  const char *label, bool *already);
/* False: it was not there. */
bool sio_leave(sio_client *client, sio_room_kind kind, uint16_t instrument, uint8_t interval,
               const char *label);
void sio_leave_all(sio_client *client);

/* Sends what server.writer holds to all members: a state, or an event. Returns to how many. */
size_t sio_send_to_room(const sio_room *room, bool is_state, bool is_final);

/* Queues what is owed, until there is a backlog. True if there was any. */
bool sio_refresh(sio_client *client);

/* Owed from now on: what is so now. */
void sio_owe(sio_client *client, sio_room_kind kind, uint16_t instrument, uint8_t interval,
             const char *label);

/* markets.c. init: false when out of memory. */
bool sio_markets_init(sio_door *door);
void sio_markets_fini(sio_door *door);
void sio_on_event(void *door, unsigned shard, uint64_t position, const matching_event *event,
                  const matching_order *order);
void sio_on_lapped(void *door, unsigned shard);
void sio_on_reply(void *door, const matching_reply *reply);
void sio_markets_turn(sio_door *door);

/* The last final candle of the room's series that is kept; NULL: none. */
const matching_candle *sio_last_final(const sio_door *door, const sio_room *room);

/* Writes a kline_data of the candle for the room. */
void sio_write_kline_data(sio_door *door, const sio_room *room, const matching_candle *candle,
                          size_t receivers);
void sio_write_price_update(sio_door *door, uint16_t instrument, size_t receivers);

#endif
