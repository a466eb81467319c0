/* The SBE door as a library: see matching/sbe_gateway.h.
 *
 * The door wants a core. Here it has the smallest there is. No command ever goes there, so
 * its thread sleeps all the time, and clients are not told of its instrument.
 */
#include "matching/sbe_gateway.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "sbe.h"
#include "sbe_messages.h"

#define CONNECTIONS 1024u
#define CONNECTIONS_MAX 1000000u /* these as in the program's configuration */
#define HEARTBEAT_INTERVAL_MAX_S 3600u
#define CLIENT_TIMEOUT_MAX_S 86400u
#define CONNECTION_BYTES_MIN 8192u
#define CONNECTION_BYTES_MAX 65536u
#define HEARTBEAT_INTERVAL_S 30u
#define CLIENT_TIMEOUT_S 60u
#define FEW 16u      /* entries of the core's tables: it has to have some, */
#define EVENTS 1024u /* ... and so many of this one */

/* The public functions that read a Trade in place know its layout themselves. */
_Static_assert(MATCHING_SBE_HEADER_SIZE == SBE_HEADER_BYTES, "a header's size");
_Static_assert(MATCHING_SBE_TRADE_SIZE == SBE_TRADE_BYTES, "a Trade's size");

struct matching_sbe_gateway {
    matching_transport transport;
    matching_sbe_handler handler;
    matching_config config; /* what the door reads of it */
    matching_access access;
    bool is_running; /* the core, at least */
};

static int refuse(char *error, size_t size, int code, const char *why)
{
    snprintf(error, size, "%s", why);
    errno = -code;
    return code;
}

static uint32_t or_default(uint32_t value, uint32_t otherwise)
{
    return value != 0 ? value : otherwise;
}

/* ---- Settings -------------------------------------------------------------------------------- */

static int copy_names(char (*to)[MATCHING_ACCESS_NAME_SIZE], size_t *count,
                      const char *const *names)
{
    for (; names != NULL && *names != NULL; names++) {
        if (*count == MATCHING_ACCESS_NAMES_MAX || strlen(*names) >= MATCHING_ACCESS_NAME_SIZE) {
            return -EINVAL;
        }
        strcpy(to[(*count)++], *names);
    }
    return 0;
}

static int set_access(matching_access *access, const matching_sbe_gateway_options *options,
                      const char *bind)
{
    if (strlen(bind) >= sizeof access->bind_address ||
        copy_names(access->allow_hosts, &access->allow_host_count, options->allow_hosts) != 0 ||
        copy_names(access->allow_origins, &access->allow_origin_count, options->allow_origins) !=
            0) {
        return -EINVAL;
    }
    strcpy(access->bind_address, bind);
    return 0;
}

/* A frame may take half of a connection's bytes, what is read at once a quarter. Of answers twice
 * max_queue_bytes may wait, and their buffer doubles when it grows: another quarter. */
static void set_config(matching_config *config, const matching_sbe_gateway_options *options,
                       uint32_t connection_bytes)
{
    config->sbe.port = options->port;
    config->sbe.max_connections = or_default(options->max_connections, CONNECTIONS);
    config->sbe.heartbeat_interval_s =
        or_default(options->heartbeat_interval_s, HEARTBEAT_INTERVAL_S);
    config->sbe.client_timeout_s = or_default(options->client_timeout_s, CLIENT_TIMEOUT_S);
    config->sbe.max_message_bytes = connection_bytes / 2;
    config->sbe.max_errors_in_a_row = options->max_errors_in_a_row;
    config->sbe.max_queue_bytes = connection_bytes / 16;
    config->sbe.max_total_queue_bytes =
        (uint64_t)connection_bytes * config->sbe.max_connections; /* it bounds itself */
}

static int configure(matching_sbe_gateway *gateway, const matching_sbe_gateway_options *options,
                     char *error, size_t error_size)
{
    const char *bind = options->bind != NULL ? options->bind : "127.0.0.1";
    uint32_t bytes = or_default(options->connection_bytes, CONNECTION_BYTES_MAX);
    if (bytes < CONNECTION_BYTES_MIN || bytes > CONNECTION_BYTES_MAX) {
        return refuse(error, error_size, -EINVAL, "connection_bytes must be 8192 to 65536");
    }
    if (strlen(bind) >= sizeof gateway->config.bind ||
        set_access(&gateway->access, options, bind) != 0) {
        return refuse(error, error_size, -EINVAL,
                      "bind, or a name in allow_hosts or allow_origins, is too long, or there are "
                      "too many of these");
    }
    strcpy(gateway->config.bind, bind);
    set_config(&gateway->config, options, bytes);
    if (options->max_connections > CONNECTIONS_MAX ||
        options->heartbeat_interval_s > HEARTBEAT_INTERVAL_MAX_S ||
        options->client_timeout_s > CLIENT_TIMEOUT_MAX_S) {
        return refuse(error, error_size, -EINVAL,
                      "max_connections must be at most 1000000, heartbeat_interval_s 3600, "
                      "client_timeout_s 86400");
    }
    if (gateway->config.sbe.client_timeout_s <= gateway->config.sbe.heartbeat_interval_s) {
        return refuse(error, error_size, -EINVAL,
                      "client_timeout_s must be larger than heartbeat_interval_s");
    }
    return 0;
}

/* ---- Life ------------------------------------------------------------------------------------ */

static matching_core *create_core(char *error, size_t error_size)
{
    static const matching_instrument_options none = {
        .symbol = "NONE", .id = 1, .tick_size = 1, .lot_size = 1};
    matching_core_options options;
    matching_core_options_default(&options);
    options.instruments = &none;
    options.instrument_count = options.max_instruments = options.shards = 1;
    options.event_ring_size = EVENTS;
    options.ring_size = options.max_levels = FEW;
    options.spin_us = 0;
    options.max_orders = options.max_traders = options.retained_orders = FEW;
    options.recent_trades = 1;
    return matching_core_create(&options, error, error_size);
}

static int make(matching_sbe_gateway *gateway, const matching_sbe_gateway_options *options,
                char *error, size_t error_size)
{
    matching_transport *door = &gateway->transport;
    *door = (matching_transport){
        .ops = &matching_sbe_transport, .config = &gateway->config, .access = &gateway->access};
    int code = configure(gateway, options, error, error_size);
    if (code != 0) {
        return code;
    }
    door->core = create_core(error, error_size);
    if (door->core == NULL) {
        return -ENOMEM;
    }
    code = door->ops->init(door);
    if (code != 0) {
        return refuse(error, error_size, code, door->error);
    }
    size_t message_bytes = gateway->config.sbe.max_message_bytes;
    sbe_take_trades_only(door, message_bytes / 2, message_bytes);
    matching_sbe_set_handler(door, &gateway->handler);
    return 0;
}

matching_sbe_gateway *matching_sbe_gateway_create(const matching_sbe_gateway_options *options,
                                                  const matching_sbe_handler *handler, char *error,
                                                  size_t error_size)
{
    static const matching_sbe_gateway_options defaults = {0};
    matching_sbe_gateway *gateway = calloc(1, sizeof *gateway);
    options = options != NULL ? options : &defaults;
    if (gateway == NULL) {
        refuse(error, error_size, -ENOMEM, "out of memory");
        return NULL;
    }
    gateway->handler = *handler;
    if (make(gateway, options, error, error_size) != 0) {
        matching_sbe_gateway_destroy(gateway);
        return NULL;
    }
    return gateway;
}

int matching_sbe_gateway_start(matching_sbe_gateway *gateway, char *error, size_t error_size)
{
    matching_transport *door = &gateway->transport;
    if (gateway->is_running || door->state == NULL) {
        return refuse(error, error_size, -EINVAL, "a gateway is started once");
    }
    int code = matching_core_start(door->core, error, error_size);
    if (code != 0) {
        return code;
    }
    gateway->is_running = true;
    code = door->ops->start(door);
    return code == 0 ? 0 : refuse(error, error_size, code, door->error);
}

const char *matching_sbe_gateway_address(const matching_sbe_gateway *gateway)
{
    return gateway->transport.address;
}

/* The door goes as well: it still tells of the clients that have not answered, which the handler
 * must not hear of later. */
void matching_sbe_gateway_stop(matching_sbe_gateway *gateway)
{
    gateway->transport.ops->stop(&gateway->transport);
    if (gateway->is_running) {
        matching_core_stop(gateway->transport.core);
        gateway->is_running = false;
    }
    gateway->transport.ops->fini(&gateway->transport);
}

void matching_sbe_gateway_destroy(matching_sbe_gateway *gateway)
{
    if (gateway == NULL) {
        return;
    }
    matching_sbe_gateway_stop(gateway);
    if (gateway->transport.core != NULL) {
        matching_core_destroy(gateway->transport.core);
    }
    free(gateway);
}
