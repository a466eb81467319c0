/* A connection, and the one place that says what happens to a client that reads too slowly.
 *
 * Everything that is sent in a loop turn is gathered in the connection's outbox and written to the
 * socket once, when the turn ends, or before that, as soon as it is more than may wait. What does
 * not fit there waits; nobody waits for it.
 *
 * The rule for slow clients (wire_limits in server.h has the figures):
 * - what is only a state (wire_send_state) is left out of a backlog, and sent afresh when it has
 *   drained; what waits in a batch (batch.h) is part of the backlog;
 * - an event that must not be lost, beyond max_queue_bytes, ends the connection with 1008. One
 *   command may cause more than that within a moment, so a client that reads (whose socket has
 *   taken something in the last WIRE_READS_WITHIN_MS, or would now) may have some times as much; it
 *   is ended when it has stopped;
 * - while its own replies back up, nothing more is read from it;
 * - when what waits for all clients takes more memory than max_total_queue_bytes, the one with the
 *   longest queue loses it and is ended with 1008, and so on until it fits.
 *
 * The rule for clients that ask for much (work.h): what a message of few bytes can set off, or a
 * connection is owed by the hundred, is counted as work (wire_work). Who has had its share of a
 * turn is spent: nothing is read from it, and what it is owed waits, until it has been paid for out
 * of what the spent ones get together in each turn, in the order in which they were spent.
 */
#ifndef MATCHING_WIRE_CONNECTION_H
#define MATCHING_WIRE_CONNECTION_H

#include "batch.h"
#include "frames.h"
#include "outbox.h"
#include "server.h"
#include "work.h"

#define WIRE_SHARED_FROM 4u /* receivers for whom one frame is cheaper than a copy each */

/* Messages of more bytes are compressed, if that makes them smaller: as gzip; by permessage-deflate
 * for many; by that for one connection alone, where it saves less than it costs. */
#define WIRE_GZIP_OVER 1024u
#define WIRE_DEFLATE_OVER 256u
#define WIRE_DEFLATE_OWN_OVER 1024u

typedef enum wire_peer_state {
    WIRE_OPEN = 0,
    WIRE_ENDING = 1,  /* a close frame is queued, and nothing after it */
    WIRE_WAITING = 2, /* it has been sent: for the client's, or for the end of the stream */
    WIRE_OVER = 3     /* libwebsockets sees to the rest */
} wire_peer_state;

/* Whether frames came with the handshake's request, before its answer (receive.c). */
typedef enum wire_early {
    WIRE_EARLY_UNKNOWN = 0,
    WIRE_EARLY_ASKED = 1, /* the next that libwebsockets says of the socket is a yes */
    WIRE_EARLY_NONE = 2
} wire_early;

struct wire_peer {
    wire_server *server;
    struct lws *wsi;
    uint32_t slot, generation;
    wire_peer_state state;
    matching_access_level level;
    uint64_t close_deadline_ms; /* WIRE_ENDING, WIRE_WAITING: then it ends without manners */
    bool has_closed;            /* the client's close frame has come */
    unsigned close_code;        /* of the close frame that was sent; else WIRE_CLOSE_ABNORMAL */
    matching_connection *entry; /* in server->table */

    wire_outbox outbox;
    wire_batching batching;
    bool is_packed;      /* some of what it is sent is compressed: */
    bool takes_gzip;     /* ... as binary frames, if the door has asked for it; else */
    uint8_t window_bits; /* ... as permessage-deflate has it; 0: that was not agreed on */
    int fd;
    bool is_dirty;      /* in server->dirty, */
    uint32_t dirty_at;  /* ... here */
    bool is_blocked;    /* the socket was full: wire_on_writable will be called */
    bool was_used;      /* since the last second */
    bool is_bursting;   /* more than limits.queue waits, or did: it has to go on reading */
    uint64_t took_ms;   /* when the socket took something, or was seen to have room */
    size_t reply_bytes; /* own replies that wait, at most: what is sent may have been a feed's */

    ev_io reading;
    wire_frame_reader reader;
    wire_early early;
    bool is_deaf;        /* what comes is read, but not taken for frames any more */
    unsigned char *held; /* bytes that were read before it was paused */
    size_t held_length;
    char *message; /* the parts so far of a message that comes in parts */
    size_t message_length, message_room;
    size_t incoming;    /* bytes of the message that is coming in, kept or not */
    bool is_paused;     /* nothing is read */
    unsigned in_flight; /* commands, counted by the door */
    uint64_t seen_ms, pinged_ms;

    wire_share share; /* of the server's work */

    bool is_guarded;   /* cancel_on_disconnect */
    uint64_t *guarded; /* ids of working orders entered while guarded */
    size_t guarded_count, guarded_room;

    matching_span span; /* spans.h */
};

/* The address of whoever the socket leads to, as logs have it; "": that is not known. */
void wire_print_remote(char out[MATCHING_CONNECTION_REMOTE_SIZE], int fd);

/* NULL: out of memory or of random numbers, or the limit of connections is reached. */
wire_peer *wire_peer_open(wire_server *server, struct lws *wsi, matching_access_level level);

/* libwebsockets is done with it: tells the door, cancels what it still guards, frees. */
void wire_peer_closed(wire_peer *peer);

/* NULL: it is gone. */
wire_peer *wire_peer_find(const wire_server *server, uint32_t slot, uint32_t generation);

/* The writer for the next message, emptied: for one connection; for so many, which are then sent
 * the same frame. */
matching_writer *wire_begin(wire_server *server);
matching_writer *wire_begin_shared(wire_server *server, size_t receivers);

/* The frame of the shared message that has been written, to be sent again: a reference, which
 * wire_frame_release gives back. NULL when out of memory. Then the same for another turn. */
wire_frame *wire_keep(wire_server *server);
void wire_begin_kept(wire_server *server, wire_frame *frame);

/* Queue what server->writer holds: a direct reply; a feed that must not be lost; one that may be
 * left out (false: it was). */
void wire_send_reply(wire_peer *peer);
void wire_send_event(wire_peer *peer);
bool wire_send_state(wire_peer *peer);

/* For batch.c: the message in the writer goes to the outbox (false: it did not); so do other bytes
 * as a message, and a shared frame (false: out of memory), after which wire_queued sees to their
 * sending. */
bool wire_queue(wire_peer *peer);
bool wire_append(wire_peer *peer, const void *payload, size_t length);
bool wire_append_frame(wire_peer *peer, wire_frame *frame);
void wire_queued(wire_peer *peer);
void wire_out_of_memory(wire_peer *peer);

/* The event in the writer fits; else the connection is ended. */
bool wire_event_fits(wire_peer *peer);

/* From now on what is long enough is sent as binary frames that hold its gzip, or no longer. */
void wire_take_gzip(wire_peer *peer, bool takes);

/* The same of a reply and of a feed that must not be lost, for protocols whose messages stand back
 * to back: those of a turn share a frame of at most WIRE_JOINED_MAX bytes. */
void wire_join_reply(wire_peer *peer, const void *data, size_t length);
void wire_join_event(wire_peer *peer, const void *data, size_t length);

/* What waits for the client, in bytes. */
size_t wire_waiting(const wire_peer *peer);

/* The client reads: the socket has taken something lately, or has room. Where nothing has gone for
 * long, that may be because this thread has not come to it. */
bool wire_reads(wire_peer *peer);

/* No state should be queued now. */
bool wire_is_behind(const wire_peer *peer);

/* A state is not sent, since the client is owed a fresh one anyway: left out, if a backlog is
 * why. */
void wire_pass_over(const wire_peer *peer);

/* Calls wire_flush at the end of the turn. */
void wire_mark_dirty(wire_peer *peer);

/* Writes what waits, as much as the socket takes. */
void wire_flush(wire_peer *peer);

/* Keeps to max_total_queue_bytes. */
void wire_bound_queues(wire_server *server);

/* The socket takes more. */
void wire_on_writable(wire_peer *peer);

/* Ends it with this code (WIRE_CLOSE_NONE: a close frame without one) and reason once all that
 * waits has been sent, at the latest after grace_ms. What it guards is cancelled at once. */
void wire_end(wire_peer *peer, unsigned code, const char *reason, uint64_t grace_ms);

/* Ends it with 1008 `slow consumer`: something that may not be left out finds no room, or is
 * lost. */
void wire_end_slow(wire_peer *peer);

/* Ends it without manners, as soon as this turn is over. */
void wire_kill(wire_peer *peer);

/* Once a second: heartbeats, deadlines, unused memory. */
void wire_peer_second(wire_peer *peer);

/* work.c. wire_share_use for a connection: so much has been done for it. From the moment it is
 * spent its door should do no more of that: it is marked dirty when it is not any longer, so that
 * refresh goes on with what is owed. */
void wire_work(wire_peer *peer, size_t units);
static inline bool wire_is_spent(const wire_peer *peer)
{
    return peer->share.is_spent;
}
static inline void wire_work_forget(wire_peer *peer)
{
    wire_share_forget(peer->server, &peer->share);
}

/* receive.c: takes over the reading of the socket, and ends it. */
void wire_receive_start(wire_peer *peer);
void wire_receive_stop(wire_peer *peer);

/* receive.c: libwebsockets says that the socket takes more; it will be asked to say so. */
void wire_receive_writable(wire_peer *peer);
void wire_receive_ask(wire_peer *peer);

/* receive.c: see wire_adjust_reading. */
void wire_receive_adjust(wire_peer *peer);

/* No more is to be read before some of it has gone. */
static inline bool wire_owes_enough(const wire_peer *peer)
{
    return peer->reply_bytes > peer->server->limits.replies ||
           peer->in_flight >= WIRE_IN_FLIGHT_MAX || peer->share.is_spent;
}

/* Starts or stops reading as its replies, commands in flight and work allow; to be called when
 * in_flight has changed, which is with every message. */
static inline void wire_adjust_reading(wire_peer *peer)
{
    if (peer->is_paused || peer->state != WIRE_OPEN || wire_owes_enough(peer)) {
        wire_receive_adjust(peer);
    }
}

#endif
