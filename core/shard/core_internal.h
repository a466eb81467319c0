/* What the files of core/shard know of each other. */
#ifndef MATCHING_CORE_INTERNAL_H
#define MATCHING_CORE_INTERNAL_H

#include "matching/core.h"
#include "matching/port.h"
#include "shard/shard.h"

#define PORTS_MAX 16

struct matching_core {
    matching_core_options options;
    matching_instrument *instruments;
    uint16_t *symbol_table; /* open addressing: instrument index + 1, 0 free */
    size_t symbol_mask;
    _Atomic uint8_t *states; /* matching_state by instrument index */
    shard *shards;
    unsigned shard_count;
    unsigned shard_bits;
    uint64_t ring_slots;
    matching_port *ports[PORTS_MAX];
    unsigned port_count;
    bool started;
};

static inline matching_port *core_port(matching_core *core, unsigned number)
{
    return core->ports[number];
}

/* A TRADE event as the outside sees it. */
void core_trade_of(const matching_core *core, unsigned shard, const matching_event *event,
                   matching_trade *trade);

/* An instrument has a new state. */
void core_set_state(matching_core *core, uint16_t instrument, uint8_t state);

/* Does this port listen to events? One that does not has no cursor in the broadcast rings. */
bool port_listens(const matching_port *port);

/* port.c: wakes the port if it sleeps. only_events: skip ports that do not listen to events. */
void port_notify(matching_port *port, bool only_events);
void port_destroy(matching_port *port);
/* Gives the port its per-shard state once the shards are there. */
int port_attach(matching_port *port, unsigned number);

#endif
