/* What the files of a port share. */
#ifndef MATCHING_PORT_INTERNAL_H
#define MATCHING_PORT_INTERNAL_H

#include "metrics/recorder.h"
#include "shard/core_internal.h"
#include "shard/gather.h"
#include "shard/hints.h"
#include "shard/order_trace.h"

#define CHUNK_SLOTS 256

/* Events that have been taken out of the ring and not been delivered yet, one behind the other. */
typedef struct held_events {
    matching_event *slots; /* heap; NULL: there are none */
    size_t first, end, room;
    uint64_t position; /* of the first among the shard's events */
} held_events;

typedef struct port_shard {
    uint64_t in_flight;
    bool is_heavy; /* among the commands that are not yet published is one that may take long */
    held_events held;
} port_shard;

struct matching_port {
    matching_core *core;
    matching_port_handlers handlers;
    void *context;
    unsigned number;
    port_shard *shards;
    size_t in_flight; /* replies owed to the transport */
    size_t bulk_reads;
    size_t history_reads; /* that the history has now */
    gather *gathers;      /* under way, wherever they are; the newest first */
    gather_spares spare_gathers;
    bool closed;
    bool is_taking; /* replies and events are being delivered */
    matching_event *chunk;
    hint *hints;
    _Atomic(history_read *) finished; /* by the history, the newest first */
    port_metrics *metrics;            /* NULL: there are none */
    port_traces *traces;              /* NULL: none are recorded */
    _Alignas(64) atomic_bool sleeping;
};

/* port_events.c. Up to which command the shard's events may be told: those above it are of one of
 * this port's that is not through yet, so that its reply is not there. To be looked at after the
 * tail of the events, and before the replies. */
uint64_t port_complete(const matching_port *port, unsigned s);

/* Delivers events below tail that are durable, at most about `budget` slots. True: there are
 * more. */
bool port_take_events(matching_port *port, unsigned s, uint64_t tail, uint64_t durable,
                      uint64_t complete, unsigned budget);

/* Events are held that may be told now. */
bool port_has_held(const matching_port *port, unsigned s, uint64_t complete);

#endif
