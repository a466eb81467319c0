/* The settings as a whole: defaults, environment, the checks between settings, printing.
 *
 * Not here: single values and their rules (settings.c), files (toml_file.c), flags (options.c).
 */
#include "matching/config.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "instruments.h"
#include "matching/options.h"
#include "settings.h"

static const matching_config_limits default_limits = {
    .header_timeout_ms = 5000, .body_timeout_ms = 10000, .idle_timeout_ms = 60000};

void matching_config_default(matching_config *config)
{
    memset(config, 0, sizeof *config);
    strcpy(config->data_dir, "./matching-data");
    strcpy(config->bind, "127.0.0.1");

    config->engine.ring_size = 16384;
    config->engine.batch_size = 100;
    config->engine.event_ring_size = 262144;
    config->engine.max_orders = 1048576;
    config->engine.max_traders = 1048576;
    config->engine.retained_orders = 100000;
    config->engine.memory_at_start = true;
    config->engine.max_instruments = 1024;
    config->engine.recent_trades = 1000;
    config->engine.spin_us = 20;

    config->journal.sync = MATCHING_SYNC_COMMIT;
    config->journal.sync_interval_ms = 100;
    config->journal.segment_bytes = 64u << 20;
    config->journal.snapshot_every = 1000000;

    config->websocket.enabled = true;
    config->websocket.port = 9090;
    config->websocket.max_connections = 10000;
    config->websocket.max_subscriptions_per_client = 50;
    config->websocket.heartbeat_interval_s = 30;
    config->websocket.client_timeout_s = 60;
    config->websocket.message_batch_size = 100;
    config->websocket.message_batch_timeout_ms = 50;
    config->websocket.kline_batch_ms = 50;
    config->websocket.permessage_deflate = true;
    config->websocket.max_message_bytes = 65536;
    config->websocket.max_errors_in_a_row = 100;
    config->websocket.max_queue_bytes = 4u << 20;
    config->websocket.max_total_queue_bytes = 1u << 30;
    config->websocket.cors.enabled = true;

    config->http.enabled = true;
    config->http.port = 8080;
    config->http.max_connections = 10000;
    config->http.max_body_bytes = 65536;
    config->http.limits = default_limits;
    config->http.cors.enabled = true;

    config->jsonrpc.enabled = true;
    config->jsonrpc.port = 3030;
    config->jsonrpc.max_connections = 10000;
    config->jsonrpc.max_body_bytes = 65536;
    config->jsonrpc.max_batch = 100;
    config->jsonrpc.limits = default_limits;
    config->jsonrpc.cors.enabled = true;

    config->sbe.enabled = true;
    config->sbe.port = 9001;
    config->sbe.max_connections = 10000;
    config->sbe.max_subscriptions_per_client = 4096;
    config->sbe.heartbeat_interval_s = 30;
    config->sbe.client_timeout_s = 60;
    config->sbe.max_message_bytes = 65536;
    config->sbe.max_errors_in_a_row = 100;
    config->sbe.max_queue_bytes = 4u << 20;
    config->sbe.max_total_queue_bytes = 1u << 30;
    config->sbe.cors.enabled = true;

    config->socketio.enabled = true;
    config->socketio.port = 9092;
    config->socketio.max_connections = 10000;
    config->socketio.max_subscriptions_per_client = 50;
    config->socketio.ping_interval_s = 25;
    config->socketio.ping_timeout_s = 20;
    config->socketio.batch_ms = 50;
    config->socketio.max_message_bytes = 65536;
    config->socketio.max_queue_bytes = 4u << 20;
    config->socketio.max_total_queue_bytes = 1u << 30;
    config->socketio.cors.enabled = true;

    config->store.enabled = true;
    config->store.max_candles = 500000;
    config->store.memory_bytes = 128u << 20;
    config->store.cache_bytes = 32u << 20;
    config->store.max_backlog_bytes = 8ull << 30;

    strcpy(config->telemetry.log_level, "info");
    config->telemetry.metrics = true;
    config->telemetry.log_format = MATCHING_CONFIG_LOG_TEXT;
    matching_instruments_default(config);
}

int matching_config_apply_environment(matching_config *config, char *error, size_t error_size)
{
    static const struct {
        const char *name, *path;
    } variables[] = {
        {"WS_PORT", "websocket.port"},      {"PORT", "http.port"},
        {"RPC_PORT", "jsonrpc.port"},       {"SBE_PORT", "sbe.port"},
        {"SOCKETIO_PORT", "socketio.port"}, {"MATCHING_LOG", "telemetry.log_level"},
    };
    matching_config changed = *config; /* a bad variable leaves no good one behind */
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        const char *text = getenv(variables[i].name);
        if (!text || !*text)
            continue;
        const setting *it = matching_setting_find(variables[i].path);
        if (!matching_setting_store_text(it, &changed, text)) {
            char rule[256];
            matching_setting_rule(it, rule, sizeof rule);
            return matching_config_fail(error, error_size, "environment %s: %s, not '%.40s'",
                                        variables[i].name, rule, text);
        }
    }
    *config = changed;
    return 0;
}

/* Loopback means that only processes of this machine can connect. */
static bool is_loopback(const char *address)
{
    struct in_addr four;
    struct in6_addr six;
    if (inet_pton(AF_INET, address, &four) == 1)
        return ntohl(four.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, address, &six) != 1)
        return false;
    return IN6_IS_ADDR_LOOPBACK(&six) || (IN6_IS_ADDR_V4MAPPED(&six) && six.s6_addr[12] == 127);
}

int matching_config_check(const matching_config *config, char *error, size_t error_size)
{
    if (!config->insecure && !is_loopback(config->bind))
        return matching_config_fail(
            error, error_size,
            "bind %s: other machines could reach it, and nobody has to say who they are before "
            "they trade; use a loopback address such as 127.0.0.1, or add --insecure if the "
            "network in front of it keeps strangers out",
            config->bind);
    if (config->websocket.client_timeout_s <= config->websocket.heartbeat_interval_s)
        return matching_config_fail(error, error_size,
                                    "websocket.client_timeout: must be larger than "
                                    "websocket.heartbeat_interval, which is %u",
                                    config->websocket.heartbeat_interval_s);
    if (config->sbe.client_timeout_s <= config->sbe.heartbeat_interval_s)
        return matching_config_fail(error, error_size,
                                    "sbe.client_timeout: must be larger than "
                                    "sbe.heartbeat_interval, which is %u",
                                    config->sbe.heartbeat_interval_s);
    if (config->instrument_count > config->engine.max_instruments)
        return matching_config_fail(error, error_size,
                                    "engine.max_instruments: must be at least the number of "
                                    "instruments that are configured, which is %zu, not %u",
                                    config->instrument_count, config->engine.max_instruments);
    if (config->store.max_backlog_bytes / 4 < config->journal.segment_bytes)
        return matching_config_fail(error, error_size,
                                    "store.max_backlog_bytes: must be at least four times "
                                    "journal.segment_bytes, which is %" PRIu64,
                                    config->journal.segment_bytes);
    for (matching_door one = 0; one < MATCHING_DOOR_COUNT; one++) {
        uint16_t port = matching_config_door_port(config, one);
        if (port == 0 || !matching_config_door_enabled(config, one))
            continue;
        for (matching_door other = one + 1; other < MATCHING_DOOR_COUNT; other++)
            if (matching_config_door_enabled(config, other) &&
                matching_config_door_port(config, other) == port)
                return matching_config_fail(
                    error, error_size,
                    "port %u: %s and %s cannot both have it; change one of them by its flag, its "
                    "environment variable or the key port in its section",
                    port, matching_door_name(one), matching_door_name(other));
    }
    return 0;
}

void matching_config_print(const matching_config *config, FILE *out)
{
    const char *section = "";
    for (size_t i = 0; i < matching_settings_count; i++) {
        const setting *it = &matching_settings[i];
        if (strcmp(it->section, section) != 0)
            fprintf(out, "\n[%s]\n", it->section);
        section = it->section;
        matching_setting_print(it, config, out);
    }
    matching_instruments_print(config, out);
}
