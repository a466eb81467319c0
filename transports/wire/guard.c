/* The table of guarded orders: order_id -> connection, and back through the connection's own list.
 *
 * Invariants: every entry's order_id stands at `position` in its owner's list, and every id of a
 * list has an entry.
 */
#include "guard.h"

#include <stdlib.h>
#include <string.h>

#include "matching/log.h"
#include "peer.h"

#define FIRST_ROOM 1024u

void wire_guard_fini(wire_guard *guard)
{
    free(guard->entries);
    free(guard->sweep);
    *guard = (wire_guard){0};
}

static size_t home_of(const wire_guard *guard, uint64_t order_id)
{
    return (size_t)(order_id * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (guard->room - 1);
}

/* Where the id is, or the free place where it would go. */
static size_t place_of(const wire_guard *guard, uint64_t order_id)
{
    size_t at = home_of(guard, order_id);
    while (guard->entries[at].order_id != 0 && guard->entries[at].order_id != order_id) {
        at = (at + 1) & (guard->room - 1);
    }
    return at;
}

static bool grow_table(wire_guard *guard)
{
    if (guard->room > 0 && guard->count < guard->room / 2) {
        return true;
    }
    wire_guard larger = *guard;
    larger.room = guard->room == 0 ? FIRST_ROOM : 2 * guard->room;
    larger.entries = calloc(larger.room, sizeof *larger.entries);
    if (larger.entries == NULL) {
        return false;
    }
    for (size_t i = 0; i < guard->room; i++) {
        if (guard->entries[i].order_id != 0) {
            larger.entries[place_of(&larger, guard->entries[i].order_id)] = guard->entries[i];
        }
    }
    free(guard->entries);
    *guard = larger;
    return true;
}

/* Room for one more id at the end of a list. */
static bool grow_list(uint64_t **list, size_t *room, size_t used)
{
    if (used < *room) {
        return true;
    }
    size_t wanted = *room == 0 ? 16 : 2 * *room;
    uint64_t *larger = realloc(*list, wanted * sizeof *larger);
    if (larger == NULL) {
        return false;
    }
    *list = larger;
    *room = wanted;
    return true;
}

bool wire_guard_add(wire_guard *guard, wire_peer *owner, uint64_t order_id, uint32_t watched)
{
    if (!grow_table(guard) ||
        !grow_list(&owner->guarded, &owner->guarded_room, owner->guarded_count)) {
        return false;
    }
    size_t at = place_of(guard, order_id);
    if (guard->entries[at].order_id == 0) {
        guard->entries[at] = (wire_guard_entry){order_id, owner, owner->guarded_count, watched};
        owner->guarded[owner->guarded_count++] = order_id;
        guard->count++;
    } else {
        matching_port_unwatch(guard->port, watched);
    }
    return true;
}

/* Frees a place and moves those behind it that had to give way to it. */
static void free_place(wire_guard *guard, size_t at)
{
    size_t mask = guard->room - 1;
    matching_port_unwatch(guard->port, guard->entries[at].watched);
    guard->entries[at].order_id = 0;
    guard->count--;
    for (size_t next = (at + 1) & mask; guard->entries[next].order_id != 0;
         next = (next + 1) & mask) {
        size_t home = home_of(guard, guard->entries[next].order_id);
        if (((next - home) & mask) >= ((next - at) & mask)) {
            guard->entries[at] = guard->entries[next];
            guard->entries[next].order_id = 0;
            at = next;
        }
    }
}

void wire_guard_remove(wire_guard *guard, uint64_t order_id)
{
    if (guard->count == 0) {
        return;
    }
    size_t at = place_of(guard, order_id);
    if (guard->entries[at].order_id == 0) {
        return;
    }
    wire_peer *owner = guard->entries[at].owner;
    size_t position = guard->entries[at].position;
    uint64_t last = owner->guarded[--owner->guarded_count];
    if (last != order_id) {
        owner->guarded[position] = last;
        guard->entries[place_of(guard, last)].position = position;
    }
    free_place(guard, at);
}

void wire_guard_release(wire_guard *guard, wire_peer *owner, bool cancel)
{
    for (size_t i = 0; i < owner->guarded_count; i++) {
        free_place(guard, place_of(guard, owner->guarded[i]));
        if (cancel) {
            wire_guard_sweep_add(guard, owner->guarded[i]);
        }
    }
    free(owner->guarded);
    owner->guarded = NULL;
    owner->guarded_count = owner->guarded_room = 0;
}

void wire_guard_sweep_add(wire_guard *guard, uint64_t order_id)
{
    if (guard->sweep_begin > 0 && guard->sweep_end == guard->sweep_room) {
        size_t count = guard->sweep_end - guard->sweep_begin;
        memmove(guard->sweep, guard->sweep + guard->sweep_begin, count * sizeof *guard->sweep);
        guard->sweep_begin = 0;
        guard->sweep_end = count;
    }
    if (!grow_list(&guard->sweep, &guard->sweep_room, guard->sweep_end)) {
        matching_log(MATCHING_LOG_ERROR, guard->name,
                     "out of memory, order %llu stays in the book after its connection has ended",
                     (unsigned long long)order_id);
        return;
    }
    guard->sweep[guard->sweep_end++] = order_id;
}

void wire_guard_order(wire_server *server, wire_peer *peer, const matching_reply *reply,
                      uint32_t watched)
{
    bool works = reply->code == MATCHING_OK && matching_order_is_working(&reply->order);
    bool is_open = peer != NULL && peer->state == WIRE_OPEN; /* else it has been released */
    if (works && is_open && wire_guard_add(&server->guard, peer, reply->order.order_id, watched)) {
        return;
    }
    matching_port_unwatch(server->port, watched);
    if (!works) {
        return;
    }
    if (is_open) {
        wire_end(peer, LWS_CLOSE_STATUS_UNEXPECTED_CONDITION, "out of memory", WIRE_CLOSE_GRACE_MS);
        wire_guard_sweep_add(&server->guard, reply->order.order_id);
    } else if (server->phase == WIRE_RUNNING) {
        wire_guard_sweep_add(&server->guard, reply->order.order_id);
    }
}

/* The port refuses what goes beyond its ring: the cancels together take no more of it than one
 * connection may. */
static bool may_sweep(const wire_server *server)
{
    uint32_t half = server->config->engine.ring_size / 2;
    uint32_t most = half < WIRE_IN_FLIGHT_MAX ? half : WIRE_IN_FLIGHT_MAX;
    return server->guard.sweep_in_flight < most;
}

void wire_guard_swept(wire_guard *guard)
{
    guard->sweep_in_flight--;
}

void wire_guard_sweep(wire_server *server)
{
    wire_guard *guard = &server->guard;
    while (wire_guard_sweeping(guard)) {
        if (!may_sweep(server)) {
            return; /* the replies bring the next turn */
        }
        matching_request request = {
            .action = MATCHING_ACTION_CANCEL,
            .present = MATCHING_FIELD_BIT(MATCHING_FIELD_ORDER_ID),
            .order_id = (int64_t)guard->sweep[guard->sweep_begin],
        };
        matching_command command;
        matching_error error;
        if (matching_gateway_prepare(server->core, &request, &command, &error) == MATCHING_OK) {
            command.reason = MATCHING_REASON_DISCONNECT;
            command.received_ns = matching_monotonic_ns();
            command.tag = WIRE_SWEEP_TAG;
            matching_code code = matching_port_submit(server->port, &command);
            if (code == MATCHING_OVERLOADED) {
                return; /* the next turn tries again */
            }
            guard->sweep_in_flight += code == MATCHING_OK;
        }
        guard->sweep_begin++;
    }
    guard->sweep_begin = guard->sweep_end = 0;
}
