/* The settings: defaults, the TOML file, the environment, and how they are printed.
 *
 * One plain struct that owns no memory: copy it freely, nothing to free. It is large (some 70 kB),
 * so keep one and pass pointers. The command line is in matching/options.h, whose
 * matching_config_load does all of this in the right order.
 *
 * Functions that can fail return 0, or -1 with one line in error (NUL-terminated) that says where
 * (file:line: key, variable or flag), what is wrong and what is allowed; the config is then
 * unchanged. All such failures are the user's to mend before a start: exit code
 * MATCHING_EXIT_USAGE. All functions: main thread, before anything else runs.
 */
#ifndef MATCHING_CONFIG_H
#define MATCHING_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "matching/core.h"

#define MATCHING_EXIT_RUN 1   /* it started and failed: port in use, disk, memory */
#define MATCHING_EXIT_USAGE 2 /* command line, environment or configuration file refused */

#define MATCHING_CONFIG_ERROR_SIZE 512      /* room for any message */
#define MATCHING_CONFIG_LIST_MAX 32         /* entries of an allow list */
#define MATCHING_CONFIG_NAME_SIZE 256       /* an entry, a token; NUL included */
#define MATCHING_CONFIG_PATH_SIZE 1024      /* NUL included */
#define MATCHING_CONFIG_INSTRUMENTS_MAX 256 /* [symbol.NAME] sections */

typedef struct matching_config_list {
    size_t count;
    char items[MATCHING_CONFIG_LIST_MAX][MATCHING_CONFIG_NAME_SIZE]; /* in lower case */
} matching_config_list;

typedef struct matching_config_cors {
    bool enabled;                       /* false: no CORS header is ever sent */
    matching_config_list allow_origins; /* "https://example.com", "http://[::1]:3000", or "*" */
} matching_config_cors;

/* What the doors for HTTP requests hold their clients to. An address is counted as
 * transports/limits/peer_key.h says. */
typedef struct matching_config_limits {
    uint32_t header_timeout_ms; /* from a request's first byte to the end of its headers */
    uint32_t body_timeout_ms;   /* from there to its last byte */
    uint32_t idle_timeout_ms;   /* without a request, and for an answer to be taken */
    uint32_t max_connections_per_address;         /* 0: none, as for the next two */
    uint32_t max_requests_per_second_per_address; /* /health is not counted */
    uint32_t max_requests_per_second_per_trader;
} matching_config_limits;

typedef enum matching_config_log_format {
    MATCHING_CONFIG_LOG_TEXT = 0,
    MATCHING_CONFIG_LOG_JSON = 1
} matching_config_log_format;

/* Units are in the name; without one it is a count. The TOML keys are the same words, but for
 * heartbeat_interval, client_timeout, ping_interval and ping_timeout, which are in seconds there
 * too. */
typedef struct matching_config {
    /* Keys before the first section. */
    char data_dir[MATCHING_CONFIG_PATH_SIZE];
    char bind[64];  /* a numeric IPv4 or IPv6 address; "localhost" has become 127.0.0.1 */
    bool in_memory; /* no journal, no store */
    bool insecure;  /* only by --insecure, never from a file */
    matching_config_list allow_hosts; /* host names without a port; for every door */

    struct {
        uint32_t shards; /* 0: one for each two cores, or what the data directory has */
        int cpu_affinity[MATCHING_SHARDS_MAX]; /* CPU of each shard, in their order */
        size_t cpu_affinity_count;             /* 0: anywhere */
        uint32_t ring_size;                    /* a power of two */
        uint32_t batch_size;
        uint32_t event_ring_size; /* a power of two */
        uint64_t max_orders;      /* of a shard, as are the next three */
        uint64_t max_levels;      /* 0: as many as orders */
        uint64_t max_traders;
        uint64_t retained_orders; /* ended orders that can still be read */
        bool memory_at_start;     /* for all orders, not as they come */
        uint32_t max_instruments; /* with those added while it runs */
        uint32_t recent_trades;   /* of an instrument */
        uint32_t spin_us;         /* 0: an idle shard sleeps at once */
    } engine;

    struct {
        matching_sync sync;
        uint32_t sync_interval_ms;
        uint64_t segment_bytes;
        uint64_t snapshot_every; /* commands; 0: never */
    } journal;

    /* The doors. enabled: after matching_config_load, whether this door is to be started. */
    struct {
        bool enabled;
        uint16_t port; /* 0: any free one, as for every door */
        uint32_t max_connections;
        uint32_t max_subscriptions_per_client;
        uint32_t heartbeat_interval_s;
        uint32_t client_timeout_s; /* larger than heartbeat_interval_s */
        uint32_t message_batch_size;
        uint32_t message_batch_timeout_ms;
        uint32_t kline_batch_ms; /* between two tellings of one running candle */
        bool permessage_deflate; /* is agreed on with clients that offer it */
        uint32_t max_message_bytes;
        uint32_t max_errors_in_a_row;     /* 0: errors never end a connection */
        uint32_t max_messages_per_second; /* of one connection; 0: as many as it likes */
        uint64_t max_queue_bytes;         /* that wait for one client */
        uint64_t max_total_queue_bytes;   /* memory of what waits for all of them */
        matching_config_list allow_hosts; /* beside the ones for every door */
        matching_config_cors cors;
    } websocket;

    struct {
        bool enabled;
        uint16_t port;
        uint32_t max_connections;
        uint32_t max_body_bytes;
        matching_config_limits limits;
        matching_config_list allow_hosts;
        matching_config_cors cors;
    } http;

    struct {
        bool enabled;
        uint16_t port;
        uint32_t max_connections;
        uint32_t max_body_bytes;
        uint32_t max_batch; /* calls in one batch */
        matching_config_limits limits;
        matching_config_list allow_hosts;
        matching_config_cors cors;
    } jsonrpc;

    struct {
        bool enabled;
        uint16_t port;
        uint32_t max_connections;
        uint32_t max_subscriptions_per_client; /* an instrument's channel is one */
        uint32_t heartbeat_interval_s;
        uint32_t client_timeout_s; /* larger than heartbeat_interval_s */
        uint32_t max_message_bytes;
        uint32_t max_errors_in_a_row; /* 0: errors never end a connection */
        uint64_t max_queue_bytes;     /* as of the WebSocket door, as is the next */
        uint64_t max_total_queue_bytes;
        matching_config_list allow_hosts;
        matching_config_cors cors;
    } sbe;

    struct {
        bool enabled;
        uint16_t port;
        uint32_t max_connections; /* sessions, polling or not */
        uint32_t max_subscriptions_per_client;
        uint32_t ping_interval_s;
        uint32_t ping_timeout_s;
        uint32_t batch_ms; /* between two tellings of one running candle, or of one price */
        uint32_t max_message_bytes;
        uint64_t max_queue_bytes;
        uint64_t max_total_queue_bytes;
        matching_config_list allow_hosts;
        matching_config_cors cors;
    } socketio;

    struct {
        bool enabled;
        uint64_t retention_days; /* 0: for ever, as for the next two */
        uint64_t max_trades;     /* of an instrument */
        uint64_t max_orders;     /* ended ones, of a shard */
        uint64_t max_candles;    /* of an instrument and interval; 0: all */
        uint64_t memory_bytes;   /* that wait to be written to files */
        uint64_t cache_bytes;
        uint64_t max_backlog_bytes; /* of a shard's journal that waits for the store */
    } store;

    struct {
        char log_level[MATCHING_CONFIG_NAME_SIZE]; /* what matching_log_levels_parse takes */
        bool metrics;
        matching_config_log_format log_format;
        char log_file[MATCHING_CONFIG_PATH_SIZE]; /* "": standard error */
    } telemetry;

    struct {
        char token[MATCHING_CONFIG_NAME_SIZE]; /* "": none is set */
    } admin;

    /* In the file's order; the first one is meant where a request names none. Names, ids and
     * sbe_chars (but 0, which is none) are unique. */
    matching_instrument_options instruments[MATCHING_CONFIG_INSTRUMENTS_MAX];
    size_t instrument_count;
    bool instruments_are_defaults; /* no [symbol] section was given */
} matching_config;

void matching_config_default(matching_config *config);

/* Reads a TOML file over what config holds. Any [symbol.NAME] section replaces all instruments.
 * Refuses what it does not know. Blocks on the file. */
int matching_config_load_file(matching_config *config, const char *path, char *error,
                              size_t error_size);

/* WS_PORT, PORT, RPC_PORT, SBE_PORT, SOCKETIO_PORT, MATCHING_LOG. Empty means not set. */
int matching_config_apply_environment(matching_config *config, char *error, size_t error_size);

/* What only shows once all sources are in: a bind beyond loopback without insecure, two enabled
 * doors on one port, timeouts that contradict each other. */
int matching_config_check(const matching_config *config, char *error, size_t error_size);

/* Prints the settings as TOML that matching_config_load_file reads back to the same, except the
 * admin token, which is never printed, and insecure. */
void matching_config_print(const matching_config *config, FILE *out);

#endif
