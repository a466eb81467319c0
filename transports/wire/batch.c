/* Batches, and who shares which.
 *
 * Invariants: a connection's part of its batch is the batch's beginning and ends where a message
 * does; the last message of the whole batch is `last`; a connection is in server->batches.open
 * exactly while it has a batch.
 */
#include "batch.h"

#include <stdlib.h>
#include <string.h>

#include "peer.h"

#define FIRST_ROOM 1024u
#define MS_PER_S 1000.

struct wire_batch {
    uint32_t references; /* connections, and the batch that this one is the fork of */
    uint32_t count;      /* messages */
    uint32_t copied;     /* ... that it began with, of the batch that it is the fork of */
    uint64_t first;      /* server->messages of the first one */
    uint64_t last;       /* ... of the last one */
    wire_frame *frame;   /* of the first frame_text bytes; NULL: none was made */
    size_t frame_text;
    wire_batch *fork; /* the last copy, which others may go on with; NULL: none */
    char *text;
    size_t length, room;
};

/* ---- A batch --------------------------------------------------------------------------------- */

static void forget_frame(wire_server *server, wire_batch *batch)
{
    if (batch->frame != NULL) {
        wire_frame_release(&server->queued, batch->frame);
        batch->frame = NULL;
    }
}

static void release(wire_server *server, wire_batch *batch)
{
    while (batch != NULL && --batch->references == 0) {
        wire_batch *fork = batch->fork;
        forget_frame(server, batch);
        if (server->batches.newest == batch) {
            server->batches.newest = NULL;
        }
        server->queued -= sizeof *batch + batch->room;
        free(batch->text);
        free(batch);
        batch = fork;
    }
}

static bool reserve(wire_server *server, wire_batch *batch, size_t more)
{
    size_t room = batch->room == 0 ? FIRST_ROOM : batch->room;
    while (room - batch->length < more) {
        room *= 2;
    }
    if (room == batch->room) {
        return true;
    }
    char *text = realloc(batch->text, room);
    if (text == NULL) {
        return false;
    }
    server->queued += room - batch->room;
    batch->text = text;
    batch->room = room;
    return true;
}

/* Adds the message that the server's writer holds. False: out of memory. */
static bool put(wire_server *server, wire_batch *batch)
{
    const matching_writer *writer = &server->writer;
    if (writer->failed || !reserve(server, batch, writer->length + 1)) {
        return false;
    }
    if (batch->count > 0) {
        batch->text[batch->length++] = '\n';
    } else {
        batch->first = server->messages;
    }
    memcpy(batch->text + batch->length, writer->data, writer->length);
    batch->length += writer->length;
    batch->last = server->messages;
    batch->count++;
    return true;
}

/* A batch that begins with what these have, and goes on with the message. NULL: out of memory. */
static wire_batch *create(wire_server *server, const wire_batching *own)
{
    wire_batch *batch = calloc(1, sizeof *batch);
    if (batch == NULL) {
        return NULL;
    }
    batch->references = 1;
    server->queued += sizeof *batch;
    bool made = own->length == 0 || reserve(server, batch, own->length);
    if (made && own->length > 0) {
        memcpy(batch->text, own->batch->text, own->length);
        batch->length = own->length;
        batch->count = batch->copied = own->count;
        batch->first = own->batch->first;
    }
    if (!made || !put(server, batch)) {
        release(server, batch);
        return NULL;
    }
    return batch;
}

/* Its message that comes after so many is the one in the writer. */
static bool goes_on(const wire_server *server, const wire_batch *batch, uint32_t count)
{
    return batch->count == count + 1 && batch->last == server->messages;
}

/* ---- A connection's -------------------------------------------------------------------------- */

static void open_batch(wire_peer *peer)
{
    wire_server *server = peer->server;
    wire_peer *next = server->batches.open;
    peer->batching.next = next;
    peer->batching.previous = NULL;
    if (next != NULL) {
        next->batching.previous = peer;
    }
    server->batches.open = peer;
    if (!ev_is_active(&server->batch_timer)) {
        ev_timer_set(&server->batch_timer, server->settings->batch_timeout_ms / MS_PER_S, 0.);
        ev_timer_start(server->loop, &server->batch_timer);
    }
}

/* It has none any more; the caller releases what it had. */
static void close_batch(wire_peer *peer)
{
    wire_server *server = peer->server;
    wire_peer *next = peer->batching.next, *previous = peer->batching.previous;
    if (next != NULL) {
        next->batching.previous = previous;
    }
    if (previous != NULL) {
        previous->batching.next = next;
    } else {
        server->batches.open = next;
    }
    peer->batching = (wire_batching){.batch = NULL};
}

/* The batch in which the connection's next message is the one in the writer, made if nobody has
 * been told the same: a reference for it. NULL: out of memory. */
static wire_batch *begin(wire_peer *peer)
{
    wire_server *server = peer->server;
    wire_batch *newest = server->batches.newest;
    if (newest == NULL || newest->first != server->messages) {
        newest = server->batches.newest = create(server, &peer->batching);
        return newest;
    }
    newest->references++;
    return newest;
}

/* The same where it has a batch. */
static wire_batch *continue_with(wire_peer *peer)
{
    wire_server *server = peer->server;
    wire_batching *own = &peer->batching;
    wire_batch *batch = own->batch;
    if (goes_on(server, batch, own->count)) {
        batch->references++;
        return batch;
    }
    if (batch->count == own->count) { /* it is the first to be told */
        if (!put(server, batch)) {
            return NULL;
        }
        batch->references++;
        return batch;
    }
    /* One that parted elsewhere may have the same message in the same place, behind others. */
    if (batch->fork == NULL || batch->fork->copied != own->count ||
        !goes_on(server, batch->fork, own->count)) {
        wire_batch *fork = create(server, own);
        if (fork == NULL) {
            return NULL;
        }
        release(server, batch->fork);
        batch->fork = fork;
    }
    batch->fork->references++;
    return batch->fork;
}

/* False: out of memory. */
static bool add(wire_peer *peer)
{
    wire_server *server = peer->server;
    wire_batching *own = &peer->batching;
    bool is_open = own->batch != NULL;
    wire_batch *batch = is_open ? continue_with(peer) : begin(peer);
    if (batch == NULL) {
        return false;
    }
    release(server, own->batch);
    own->length += server->writer.length + is_open; /* with its line break */
    own->count++;
    own->batch = batch;
    if (!is_open) {
        open_batch(peer);
    }
    return true;
}

/* ---- Sending --------------------------------------------------------------------------------- */

static size_t most_bytes(const wire_server *server)
{
    size_t fresh = server->limits.fresh;
    return fresh < WIRE_BATCH_BYTES ? fresh : WIRE_BATCH_BYTES;
}

/* The connection's part as frames. False: out of memory. */
static bool append(wire_peer *peer, wire_batch *batch, size_t length)
{
    wire_server *server = peer->server;
    bool is_framed = batch->frame != NULL && batch->frame_text == length;
    if (!is_framed && batch->references < WIRE_SHARED_FROM) {
        return wire_append(peer, batch->text, length);
    }
    if (!is_framed) {
        forget_frame(server, batch);
        batch->frame =
            wire_frame_create(&server->queued, server->settings->kind, batch->text, length);
        batch->frame_text = length;
    }
    return batch->frame != NULL && wire_append_frame(peer, batch->frame);
}

void wire_batch_drop(wire_peer *peer)
{
    wire_batch *batch = peer->batching.batch;
    if (batch != NULL) {
        close_batch(peer);
        release(peer->server, batch);
    }
}

void wire_batch_flush(wire_peer *peer)
{
    wire_batching own = peer->batching;
    if (own.batch == NULL) {
        return;
    }
    close_batch(peer);
    bool good = append(peer, own.batch, own.length);
    release(peer->server, own.batch);
    if (good) {
        wire_queued(peer);
    } else {
        wire_out_of_memory(peer);
    }
}

/* The message, in the batch or alone. */
static bool enter(wire_peer *peer)
{
    wire_server *server = peer->server;
    size_t length = server->writer.length, most = most_bytes(server);
    if (peer->batching.length + length >= most) {
        wire_batch_flush(peer); /* may end the connection, for want of memory */
    }
    if (peer->state != WIRE_OPEN) {
        return false;
    }
    if (length >= most || server->settings->batch_messages == 1) {
        return wire_queue(peer);
    }
    server->handed_out++;
    if (!add(peer)) {
        wire_out_of_memory(peer);
        return false;
    }
    matching_connection_sent(server->table, peer->entry);
    if (peer->batching.count >= server->settings->batch_messages) {
        wire_batch_flush(peer);
    }
    return true;
}

void wire_batch_event(wire_peer *peer)
{
    if (wire_event_fits(peer)) {
        enter(peer);
    }
}

bool wire_batch_state(wire_peer *peer)
{
    if (wire_is_behind(peer)) {
        matching_connection_slow(peer->server->table, MATCHING_CONNECTIONS_SLOW_CONFLATED);
        return false;
    }
    return enter(peer);
}

/* ---- The timer ------------------------------------------------------------------------------- */

static void on_timeout(struct ev_loop *loop, ev_timer *watcher, int events)
{
    wire_server *server = watcher->data;
    (void)loop;
    (void)events;
    while (server->batches.open != NULL) {
        wire_batch_flush(server->batches.open);
    }
}

void wire_batches_start(wire_server *server)
{
    ev_timer_init(&server->batch_timer, on_timeout, 0., 0.);
    server->batch_timer.data = server;
}

void wire_batches_stop(wire_server *server)
{
    ev_timer_stop(server->loop, &server->batch_timer);
}
