/* The table of doors. A new transport gets a line here and nothing else outside its folder. */
#include "doors.h"

#include <stdio.h>
#include <string.h>

#ifdef MATCHING_HAS_WEBSOCKET
extern const matching_transport_ops matching_websocket_transport;
#endif
#ifdef MATCHING_HAS_HTTP
extern const matching_transport_ops matching_http_transport;
#endif
#ifdef MATCHING_HAS_SOCKETIO
extern const matching_transport_ops matching_socketio_transport;
#endif
#ifdef MATCHING_HAS_JSONRPC
extern const matching_transport_ops matching_jsonrpc_transport;
#endif
#ifdef MATCHING_HAS_SBE
extern const matching_transport_ops matching_sbe_transport;
#endif

static const struct {
    matching_door door;
    const matching_transport_ops *ops;
} table[] = {
#ifdef MATCHING_HAS_WEBSOCKET
    {MATCHING_DOOR_WEBSOCKET, &matching_websocket_transport},
#endif
#ifdef MATCHING_HAS_HTTP
    {MATCHING_DOOR_HTTP, &matching_http_transport},
#endif
#ifdef MATCHING_HAS_JSONRPC
    {MATCHING_DOOR_JSONRPC, &matching_jsonrpc_transport},
#endif
#ifdef MATCHING_HAS_SBE
    {MATCHING_DOOR_SBE, &matching_sbe_transport},
#endif
#ifdef MATCHING_HAS_SOCKETIO
    {MATCHING_DOOR_SOCKETIO, &matching_socketio_transport},
#endif
};
#define TABLE_SIZE (sizeof table / sizeof table[0])

const char *const *doors_available(size_t *count)
{
    static const char *names[TABLE_SIZE];
    for (size_t i = 0; i < TABLE_SIZE; i++) {
        names[i] = table[i].ops->name;
    }
    *count = TABLE_SIZE;
    return names;
}

static void add_names(char (*to)[MATCHING_ACCESS_NAME_SIZE], size_t *count,
                      const matching_config_list *from)
{
    for (size_t i = 0; i < from->count && *count < MATCHING_ACCESS_NAMES_MAX; i++) {
        snprintf(to[(*count)++], MATCHING_ACCESS_NAME_SIZE, "%s", from->items[i]);
    }
}

/* Who gets in at one door: its own lists and the ones for every door. */
void doors_access(matching_access *access, const matching_config *config, matching_door door)
{
    const matching_config_list *hosts = NULL;
    const matching_config_cors *cors = NULL;
    switch (door) {
    case MATCHING_DOOR_WEBSOCKET:
        hosts = &config->websocket.allow_hosts;
        cors = &config->websocket.cors;
        break;
    case MATCHING_DOOR_HTTP:
        hosts = &config->http.allow_hosts;
        cors = &config->http.cors;
        break;
    case MATCHING_DOOR_JSONRPC:
        hosts = &config->jsonrpc.allow_hosts;
        cors = &config->jsonrpc.cors;
        break;
    case MATCHING_DOOR_SBE:
        hosts = &config->sbe.allow_hosts;
        cors = &config->sbe.cors;
        break;
    case MATCHING_DOOR_SOCKETIO:
        hosts = &config->socketio.allow_hosts;
        cors = &config->socketio.cors;
        break;
    default:
        break;
    }
    memset(access, 0, sizeof *access);
    add_names(access->allow_hosts, &access->allow_host_count, &config->allow_hosts);
    if (hosts != NULL) {
        add_names(access->allow_hosts, &access->allow_host_count, hosts);
    }
    if (cors != NULL && cors->enabled) {
        add_names(access->allow_origins, &access->allow_origin_count, &cors->allow_origins);
    }
    snprintf(access->bind_address, sizeof access->bind_address, "%s", config->bind);
    snprintf(access->admin_token, sizeof access->admin_token, "%s", config->admin.token);
}

int doors_init(doors *all, const matching_config *config, matching_core *core, char *error,
               size_t error_size)
{
    all->count = all->started = 0;
    for (size_t i = 0; i < TABLE_SIZE; i++) {
        if (!matching_config_door_enabled(config, table[i].door)) {
            continue;
        }
        matching_transport *transport = &all->transports[all->count];
        matching_access *access = &all->access[all->count];
        doors_access(access, config, table[i].door);
        memset(transport, 0, sizeof *transport);
        transport->ops = table[i].ops;
        transport->config = config;
        transport->access = access;
        transport->core = core;
        transport->counters = &all->counters;
        all->count++;
        if (transport->ops->init(transport) != 0) {
            snprintf(error, error_size, "%s: %s", transport->ops->name, transport->error);
            return -1;
        }
    }
    if (all->count == 0) {
        snprintf(error, error_size, "no door is enabled: name one, for instance `matching all`");
        return -1;
    }
    return 0;
}

int doors_start(doors *all, char *error, size_t error_size)
{
    for (; all->started < all->count; all->started++) {
        matching_transport *transport = &all->transports[all->started];
        if (transport->ops->start(transport) != 0) {
            snprintf(error, error_size, "%s: %s", transport->ops->name, transport->error);
            return -1;
        }
        printf("listening %s %s\n", transport->ops->name, transport->address);
        fflush(stdout);
    }
    return 0;
}

void doors_stop(doors *all)
{
    while (all->started > 0) {
        matching_transport *transport = &all->transports[--all->started];
        transport->ops->stop(transport);
    }
}

void doors_fini(doors *all)
{
    while (all->count > 0) {
        matching_transport *transport = &all->transports[--all->count];
        transport->ops->fini(transport);
    }
}
