/* See lone_door.h. */
#include "lone_door.h"

#include <stdio.h>
#include <stdlib.h>

#include "support/cunit_main.h"

void lone_door_prepare(lone_door *door)
{
    *door = (lone_door){.server = NULL};
    matching_config_default(&door->config);
}

static matching_core *make_core(unsigned count, unsigned event_ring_size)
{
    char error[256] = "";
    matching_core_options options;
    matching_instrument_options *instruments = calloc(count, sizeof *instruments);
    CU_ASSERT_PTR_NOT_NULL_FATAL(instruments);
    matching_core_options_default(&options);
    for (unsigned i = 0; i < count; i++) {
        instruments[i] =
            (matching_instrument_options){.id = i + 1, .tick_size = 1000000, .lot_size = 10000};
        snprintf(instruments[i].symbol, sizeof instruments[i].symbol, "S%u", i);
    }
    options.instruments = instruments;
    options.instrument_count = options.max_instruments = count;
    options.shards = 1;
    if (event_ring_size != 0) {
        options.event_ring_size = event_ring_size;
    }
    options.max_orders = options.max_traders = options.retained_orders = 1024;
    options.recent_trades = 16;
    matching_core *core = matching_core_create(&options, error, sizeof error);
    free(instruments);
    CU_ASSERT_PTR_NOT_NULL_FATAL(core);
    return core;
}

void lone_door_begin(lone_door *door, const matching_transport_ops *ops, unsigned instruments)
{
    char error[256] = "";
    matching_transport *transport = &door->transport;
    *transport = (matching_transport){.ops = ops,
                                      .config = &door->config,
                                      .access = &door->access,
                                      .core = make_core(instruments, door->event_ring_size)};
    CU_ASSERT_EQUAL_FATAL(ops->init(transport), 0);
    CU_ASSERT_EQUAL_FATAL(matching_core_start(transport->core, error, sizeof error), 0);
    door->server = transport->state;
    door->server->loop = ev_loop_new(0);
}

void lone_door_end(lone_door *door)
{
    matching_core_stop(door->transport.core);
    door->transport.ops->fini(&door->transport); /* the loop too */
    matching_core_destroy(door->transport.core);
}

void lone_door_turn(lone_door *door)
{
    wire_server *server = door->server;
    matching_port_flush(server->port);
    matching_port_poll(server->port, 64);
    server->handlers->on_turn(server);
    wire_work_turn(server);
    for (size_t i = 0; i < server->dirty_count; i++) {
        server->dirty[i]->is_dirty = false;
        wire_flush(server->dirty[i]);
    }
    server->dirty_count = 0;
}

int lone_door_open(lone_door *door, wire_peer *peer, uint32_t slot)
{
    matching_connection *entry = matching_connection_open(door->server->table, slot, "");
    CU_ASSERT_PTR_NOT_NULL_FATAL(entry);
    door->server->peers[slot] = peer;
    peer->slot = slot;
    return lone_open(door->server, peer, entry);
}

void lone_door_close(lone_door *door, wire_peer *peer, int client)
{
    wire_server *server = door->server;
    peer->state = WIRE_OVER;
    wire_work_forget(peer);
    server->handlers->on_closed(peer);
    wire_outbox_free(&peer->outbox, &server->queued);
    matching_connection_close(server->table, peer->entry, 1000);
    server->peers[peer->slot] = NULL;
    lone_close(peer, client);
}
