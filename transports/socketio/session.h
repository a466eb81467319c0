/* A session of Engine.IO, as a state machine: what may come when, and what is to be done then.
 *
 * It has one carrier at a time: polling, where packets wait here for the next GET, or a WebSocket,
 * where the owner sends them. A session that began by polling may be moved to a WebSocket: that one
 * sends `2probe` and is answered `3probe`, waiting GETs are released with a noop so that the client
 * can end its polling, and with its `5` the WebSocket becomes the carrier and gets what still
 * waits. (Engine.IO protocol 4, sections Upgrade and Heartbeat.)
 *
 * Pure: no socket, no clock; times are monotonic milliseconds. One thread. The owner does what the
 * returned action says, and destroys the session after EIO_DO_CLOSE.
 */
#ifndef MATCHING_SOCKETIO_SESSION_H
#define MATCHING_SOCKETIO_SESSION_H

#include "engine_packet.h"

#define EIO_PROBE_MS 10000u /* from a second carrier's beginning to its upgrade packet */

/* A packet for one or many sessions. One thread: references are counted without atomics. */
typedef struct eio_text {
    uint32_t references;
    uint32_t length;
    char data[];
} eio_text;

/* With one reference, the caller's; NULL when out of memory. */
eio_text *eio_text_create(const char *data, size_t length);
void eio_text_release(eio_text *text);

typedef enum eio_action {
    EIO_DO_NOTHING = 0,
    EIO_DO_HOLD,    /* the GET waits until eio_session_has_answer */
    EIO_DO_ANSWER,  /* the GET is answered with eio_session_take */
    EIO_DO_DELIVER, /* the packet is a message for the owner */
    EIO_DO_PROBED,  /* `3probe` goes to the WebSocket; a waiting GET has an answer now */
    EIO_DO_UPGRADE, /* the WebSocket is the carrier: it gets what waits (eio_session_next), and a
                       GET that waits a noop */
    EIO_DO_PING,    /* `2` is to be sent */
    EIO_DO_REFUSE,  /* 400, bad request; the session goes on */
    EIO_DO_DROP,    /* the second WebSocket is to be ended; the session goes on */
    EIO_DO_CLOSE    /* the session is over; a request in hand is answered by 400 */
} eio_action;

typedef enum eio_carrier {
    EIO_FROM_POST = 0,
    EIO_FROM_WEBSOCKET = 1,
    EIO_FROM_PROBE = 2 /* a WebSocket that is not the carrier yet */
} eio_carrier;

/* All zeros before eio_session_begin. */
typedef struct eio_session {
    eio_transport transport;
    bool is_closed;
    bool has_poll;  /* a GET waits */
    bool has_post;  /* a POST's body is coming in */
    bool has_probe; /* a second WebSocket is there */
    bool is_probed; /* ... and has been answered */
    uint32_t ping_interval_ms, ping_timeout_ms;
    uint64_t ping_due_ms;       /* UINT64_MAX: one is under way */
    uint64_t pong_deadline_ms;  /* UINT64_MAX: none is awaited */
    uint64_t probe_deadline_ms; /* with has_probe */
    eio_text **packets;         /* a ring of `room`, a power of two */
    uint32_t first, count, room;
    size_t bytes; /* of the packets */
} eio_session;

void eio_session_begin(eio_session *session, eio_transport transport, const eio_terms *terms,
                       uint64_t now_ms);

/* Closed from now on: nothing waits, nothing is taken. */
void eio_session_end(eio_session *session);

/* A GET: HOLD, ANSWER, REFUSE, CLOSE (there is one already). Its client has gone before it was
 * answered: CLOSE or NOTHING. It is answered: to be told after HOLD. */
eio_action eio_session_poll(eio_session *session);
eio_action eio_session_poll_gone(eio_session *session);
bool eio_session_has_answer(const eio_session *session);

/* A POST's head is there: NOTHING, REFUSE, CLOSE (there is one already). Its body has been dealt
 * with, or will not come. */
eio_action eio_session_post(eio_session *session);
void eio_session_post_done(eio_session *session);

/* A WebSocket that names the session: NOTHING, or DROP. It has gone before it was the carrier. */
eio_action eio_session_probe(eio_session *session, uint64_t now_ms);
void eio_session_probe_gone(eio_session *session);

/* A packet: NOTHING, DELIVER, PROBED, UPGRADE, DROP, CLOSE. */
eio_action eio_session_receive(eio_session *session, eio_carrier carrier, const eio_packet *packet,
                               uint64_t now_ms);

/* From time to time: NOTHING, PING, DROP, CLOSE (no pong came). */
eio_action eio_session_tick(eio_session *session, uint64_t now_ms);

/* Queues a packet for the next GET, with a reference of its own. False: out of memory. */
bool eio_session_push(eio_session *session, eio_text *text);

/* What a GET is answered with: packets joined by the separator, so many that they take about
 * `most` bytes, at least one; a noop where none waits. The GET waits no more. */
void eio_session_take(eio_session *session, matching_writer *writer, size_t most);

/* The packet that waits longest, its reference the caller's; NULL: none. */
eio_text *eio_session_next(eio_session *session);

#endif
