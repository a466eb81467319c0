/* cancel_on_disconnect: which working orders belong to which connection, and the cancels still owed
 * for connections that have ended.
 *
 * Only working orders are kept: ORDER events take the others out. They are also marked in the engine
 * (MATCHING_FLAG_GUARDED), for a process that dies cancels nothing: its successor does.
 */
#ifndef MATCHING_WEBSOCKET_GUARD_H
#define MATCHING_WEBSOCKET_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ws_door ws_door;
typedef struct ws_connection ws_connection;

typedef struct matching_port matching_port;

typedef struct ws_guard_entry {
    uint64_t order_id; /* 0: free */
    ws_connection *owner;
    size_t position;  /* in the owner's `guarded` */
    uint32_t watched; /* matching_port_watch of the order's trader, until the entry goes */
} ws_guard_entry;

typedef struct ws_guard {
    matching_port *port;     /* the door's */
    ws_guard_entry *entries; /* open addressing, a power of two, at most half full */
    size_t room, count;
    uint64_t *sweep; /* orders to cancel: their connection has ended */
    size_t sweep_begin, sweep_end, sweep_room;
    uint32_t sweep_in_flight; /* submitted and not yet answered */
} ws_guard;

void ws_guard_fini(ws_guard *guard);

/* A guarded connection's order works; takes over the watch of its trader. Out of memory: it is not
 * guarded; false. */
bool ws_guard_add(ws_guard *guard, ws_connection *owner, uint64_t order_id, uint32_t watched);

/* An order works no more; does nothing for one that is not guarded. */
void ws_guard_remove(ws_guard *guard, uint64_t order_id);

/* The connection has ended: its orders are to be cancelled (or, with `cancel` false, let be). */
void ws_guard_release(ws_guard *guard, ws_connection *owner, bool cancel);

/* An order whose connection ended before its reply came. */
void ws_guard_sweep_add(ws_guard *guard, uint64_t order_id);

static inline bool ws_guard_sweeping(const ws_guard *guard)
{
    return guard->sweep_begin != guard->sweep_end;
}

/* Submits the cancels owed, but never so many at once that they leave others no room in the port. */
void ws_guard_sweep(ws_door *door);

/* One of them has been answered. */
void ws_guard_swept(ws_guard *guard);

#endif
