/* The tables of a core, which matching/connections.h is about. */
#ifndef MATCHING_CONNECTION_REGISTRY_H
#define MATCHING_CONNECTION_REGISTRY_H

#include "matching/connections.h"

typedef struct connection_registry {
    matching_connection_table *tables[MATCHING_CONNECTION_TABLES_MAX];
    _Atomic uint32_t count; /* released when a table is whole */
} connection_registry;

/* The core's. shard/core.c has it. */
connection_registry *core_connection_registry(matching_core *core);
const connection_registry *core_connections(const matching_core *core);

/* What matching_connections_create does, without a core. */
matching_connection_table *connection_registry_add(connection_registry *registry,
                                                   const char *transport, uint32_t max_connections);
void connection_registry_fini(connection_registry *registry);

/* What the functions of the same name do, without a core. now_ns: monotonic. */
bool connection_registry_next(const connection_registry *registry, uint64_t *position,
                              matching_connection_info *info);
void connection_registry_measure(const connection_registry *registry, uint64_t now_ns,
                                 matching_connections_metrics *metrics);

#endif
