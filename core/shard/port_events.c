/* A port's events: out of a shard's ring, to the transport.
 *
 * A command with more events than the ring holds has the first of them published before it is
 * through and its reply there. The port that sent it takes them out of the shard's way and holds
 * them until the reply has been delivered; what comes behind them waits for them. Other ports are
 * told at once.
 *
 * Invariants: what is held comes before what is in the ring, and ends where an event does. Of a
 * command with so many events that they cannot all be held, the first are told before the reply.
 */
#include <stdlib.h>
#include <string.h>

#include "shard/port_internal.h"

#define HELD_MOST 4u     /* times the shard's ring */
#define HELD_FIRST 4096u /* slots */

/* Whoever sees that another port has an unfinished command now sees the replies of its own. */
uint64_t port_complete(const matching_port *port, unsigned s)
{
    shard *owner = &port->core->shards[s];
    uint64_t complete = atomic_load(&owner->complete_sequence);
    return atomic_load(&owner->unfinished_port) == port->number ? complete : UINT64_MAX;
}

static bool is_early(const matching_event *event, uint64_t complete)
{
    return complete != UINT64_MAX && (int32_t)(event->sequence_low - (uint32_t)complete) > 0;
}

static bool is_empty(const held_events *held)
{
    return held->first == held->end;
}

bool port_has_held(const matching_port *port, unsigned s, uint64_t complete)
{
    const held_events *held = &port->shards[s].held;
    return !is_empty(held) && !is_early(&held->slots[held->first], complete);
}

static void drop(held_events *held)
{
    free(held->slots);
    *held = (held_events){.slots = NULL};
}

/* Room for a chunk more. False: that would be too many, or there is no memory. What is there moves
 * down only where a good part of the room has been delivered, so each slot moves a few times in
 * all. */
static bool reserve(held_events *held, size_t most)
{
    size_t count = held->end - held->first, room_max = most + most / 4 + CHUNK_SLOTS;
    if (held->room - held->end >= CHUNK_SLOTS) {
        return true;
    }
    if (count + CHUNK_SLOTS > most) {
        return false;
    }
    bool grows = held->room < room_max && 2 * held->first <= held->room;
    matching_event *slots = held->slots;
    size_t room = held->room;
    if (grows) {
        room = room == 0 ? HELD_FIRST : 2 * room;
        room = room < room_max ? room : room_max;
        slots = aligned_alloc(64, room * sizeof *slots);
        if (slots == NULL) {
            return false;
        }
    }
    if (count > 0) {
        memmove(slots, held->slots + held->first, count * sizeof *slots);
    }
    if (grows) {
        free(held->slots);
    }
    *held = (held_events){.slots = slots, .end = count, .room = room, .position = held->position};
    return true;
}

static void deliver(matching_port *port, unsigned s, uint64_t position, const matching_event *event,
                    uint64_t durable)
{
    const matching_order *order =
        event->kind == MATCHING_EVENT_ORDER ? (const matching_order *)(event + 1) : NULL;
    if (event->kind == MATCHING_EVENT_INSTRUMENT) {
        core_list_instrument(port->core, event->instrument);
    } else if (event->kind == MATCHING_EVENT_STATE) {
        /* It is not above what is durable, and not far below. */
        uint64_t sequence = durable - ((uint32_t)durable - event->sequence_low);
        core_set_state(port->core, event->instrument, event->state.state, sequence);
    }
    port->handlers.on_event(port->context, s, position, event, order);
}

/* Returns how many slots were delivered of those held. */
static unsigned deliver_held(matching_port *port, unsigned s, uint64_t durable, uint64_t complete,
                             unsigned budget)
{
    held_events *held = &port->shards[s].held;
    unsigned told = 0;
    while (told < budget && port_has_held(port, s, complete)) {
        const matching_event *event = &held->slots[held->first];
        uint32_t slots = matching_event_slots(event);
        deliver(port, s, held->position, event, durable);
        held->first += slots;
        held->position += slots;
        told += slots;
    }
    if (is_empty(held)) {
        drop(held);
    }
    return told;
}

/* Delivers what the chunk holds, or adds it to what is held, for which there is room if there is
 * any. Returns how many slots were delivered. */
static unsigned take_chunk(matching_port *port, unsigned s, uint64_t position, uint32_t count,
                           uint64_t durable, uint64_t complete)
{
    held_events *held = &port->shards[s].held;
    size_t most = HELD_MOST * port->core->shards[s].events.capacity;
    uint32_t at = 0;
    while (at < count && is_empty(held)) {
        const matching_event *event = &port->chunk[at];
        if (is_early(event, complete) && reserve(held, most)) {
            held->position = position + at;
            break;
        }
        deliver(port, s, position + at, event, durable);
        at += matching_event_slots(event);
    }
    if (at < count) {
        memcpy(held->slots + held->end, port->chunk + at, (count - at) * sizeof *held->slots);
        held->end += count - at;
    }
    return at;
}

bool port_take_events(matching_port *port, unsigned s, uint64_t tail, uint64_t durable,
                      uint64_t complete, unsigned budget)
{
    broadcast *events = &port->core->shards[s].events;
    held_events *held = &port->shards[s].held;
    size_t most = HELD_MOST * events->capacity;
    unsigned told = deliver_held(port, s, durable, complete, budget);
    for (unsigned taken = 0; taken < budget;) {
        if (!is_empty(held) && !reserve(held, most)) {
            told += deliver_held(port, s, durable, UINT64_MAX, told < budget ? budget - told : 1);
            if (told >= budget) {
                return true;
            }
            continue;
        }
        uint64_t position;
        bool lapped;
        uint32_t count = broadcast_read(events, port->number, tail, durable, port->chunk,
                                        CHUNK_SLOTS, &position, &lapped);
        if (lapped) {
            drop(held); /* what comes between is lost */
            if (port->handlers.on_lapped != NULL) {
                port->handlers.on_lapped(port->context, s);
            }
            continue;
        }
        if (count == 0) {
            return told >= budget || port_has_held(port, s, complete);
        }
        taken += count;
        told += take_chunk(port, s, position, count, durable, complete);
    }
    return true;
}
