/* cancel_on_disconnect: which working orders belong to which connection, and the cancels still owed
 * for connections that have ended.
 *
 * Only working orders are kept: ORDER events take the others out. They are also marked in the
 * engine (MATCHING_FLAG_GUARDED), for a process that dies cancels nothing: its successor does.
 */
#ifndef MATCHING_WIRE_GUARD_H
#define MATCHING_WIRE_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "matching/port.h"

#define WIRE_GUARDED_MAX 65536u   /* orders of one connection that a door guards */
#define WIRE_SWEEP_TAG UINT64_MAX /* of the cancels: no door may use it */

typedef struct wire_server wire_server;
typedef struct wire_peer wire_peer;

typedef struct wire_guard_entry {
    uint64_t order_id; /* 0: free */
    wire_peer *owner;
    size_t position;  /* in the owner's `guarded` */
    uint32_t watched; /* matching_port_watch of the order's trader, until the entry goes */
} wire_guard_entry;

typedef struct wire_guard {
    matching_port *port;       /* the server's */
    const char *name;          /* the door's */
    wire_guard_entry *entries; /* open addressing, a power of two, at most half full */
    size_t room, count;
    uint64_t *sweep; /* orders to cancel: their connection has ended */
    size_t sweep_begin, sweep_end, sweep_room;
    uint32_t sweep_in_flight; /* submitted and not yet answered */
} wire_guard;

void wire_guard_fini(wire_guard *guard);

/* A guarded connection's order works; takes over the watch of its trader. Out of memory: it is not
 * guarded; false. */
bool wire_guard_add(wire_guard *guard, wire_peer *owner, uint64_t order_id, uint32_t watched);

/* What becomes of an order that was entered guarded, whose trader is watched: it is guarded from
 * now on, or cancelled if its connection is gone (NULL) or about to end, or memory is out. */
void wire_guard_order(wire_server *server, wire_peer *peer, const matching_reply *reply,
                      uint32_t watched);

/* An order works no more; does nothing for one that is not guarded. */
void wire_guard_remove(wire_guard *guard, uint64_t order_id);

/* The connection ends, with wire_end or without: its orders are to be cancelled (or, with `cancel`
 * false, let be). */
void wire_guard_release(wire_guard *guard, wire_peer *owner, bool cancel);

/* An order whose connection ended before its reply came. */
void wire_guard_sweep_add(wire_guard *guard, uint64_t order_id);

static inline bool wire_guard_sweeping(const wire_guard *guard)
{
    return guard->sweep_begin != guard->sweep_end;
}

/* Submits the cancels owed, but never so many at once that they leave others no room in the
 * port. */
void wire_guard_sweep(wire_server *server);

/* One of them has been answered. */
void wire_guard_swept(wire_guard *guard);

#endif
