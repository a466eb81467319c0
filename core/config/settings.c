/* The table of settings and the rules of its types.
 *
 * Invariants: settings of one section stand together, a section before its subsections, so that
 * the printer can walk the table once; a store either takes the value whole or changes nothing.
 *
 * Not here: instruments (instruments.c), and what only shows between settings (config.c).
 */
#include "settings.h"

#include <arpa/inet.h>
#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "matching/log.h"
#include "origins.h"

#define AT(member) offsetof(matching_config, member), sizeof(((matching_config *)0)->member)
#define BOOLEAN(section, key, member)                                                              \
    {                                                                                              \
        section, key, SETTING_BOOLEAN, AT(member), 0, 0, NULL                                      \
    }
#define INTEGER(section, key, member, min, max)                                                    \
    {                                                                                              \
        section, key, SETTING_INTEGER, AT(member), min, max, NULL                                  \
    }
#define POWER(section, key, member, min, max)                                                      \
    {                                                                                              \
        section, key, SETTING_POWER, AT(member), min, max, NULL                                    \
    }
#define CHOICE(section, key, member, choices)                                                      \
    {                                                                                              \
        section, key, SETTING_CHOICE, AT(member), 0, 0, choices                                    \
    }
#define OTHER(section, key, member, kind)                                                          \
    {                                                                                              \
        section, key, kind, AT(member), 0, 0, NULL                                                 \
    }

/* What every door has. */
#define DOOR(name)                                                                                 \
    BOOLEAN(#name, "enabled", name.enabled), INTEGER(#name, "port", name.port, 0, 65535),          \
        INTEGER(#name, "max_connections", name.max_connections, 1, 1000000)
#define CORS(name)                                                                                 \
    BOOLEAN(#name ".cors", "enabled", name.cors.enabled),                                          \
        OTHER(#name ".cors", "allow_origins", name.cors.allow_origins, SETTING_ORIGINS)
#define ALLOW_HOSTS(name) OTHER(#name, "allow_hosts", name.allow_hosts, SETTING_HOSTS)

#define LIMITS(name)                                                                               \
    INTEGER(#name, "header_timeout_ms", name.limits.header_timeout_ms, 50, 3600000),               \
        INTEGER(#name, "body_timeout_ms", name.limits.body_timeout_ms, 50, 3600000),               \
        INTEGER(#name, "idle_timeout_ms", name.limits.idle_timeout_ms, 50, 3600000),               \
        INTEGER(#name, "max_connections_per_address", name.limits.max_connections_per_address, 0,  \
                1000000),                                                                          \
        INTEGER(#name, "max_requests_per_second_per_address",                                      \
                name.limits.max_requests_per_second_per_address, 0, 1000000),                      \
        INTEGER(#name, "max_requests_per_second_per_trader",                                       \
                name.limits.max_requests_per_second_per_trader, 0, 1000000)

#define BODY_BYTES_MIN 1024
#define BODY_BYTES_MAX (16u << 20)
#define CPU_MAX 1023
#define LISTED(module) " " #module

const setting matching_settings[] = {
    OTHER("", "data_dir", data_dir, SETTING_PATH),
    BOOLEAN("", "in_memory", in_memory),
    OTHER("", "bind", bind, SETTING_BIND),
    OTHER("", "allow_hosts", allow_hosts, SETTING_HOSTS),

    INTEGER("engine", "shards", engine.shards, 0, MATCHING_SHARDS_MAX),
    OTHER("engine", "cpu_affinity", engine.cpu_affinity, SETTING_CPUS),
    POWER("engine", "ring_size", engine.ring_size, 64, 1u << 20),
    INTEGER("engine", "batch_size", engine.batch_size, 1, 65536),
    POWER("engine", "event_ring_size", engine.event_ring_size, 1024, 1u << 26),
    INTEGER("engine", "max_orders", engine.max_orders, 64, 1u << 26),
    INTEGER("engine", "max_levels", engine.max_levels, 0, 1u << 26),
    INTEGER("engine", "max_traders", engine.max_traders, 1, 1u << 24),
    INTEGER("engine", "retained_orders", engine.retained_orders, 0, 1u << 26),
    BOOLEAN("engine", "memory_at_start", engine.memory_at_start),
    INTEGER("engine", "max_instruments", engine.max_instruments, 1, MATCHING_INSTRUMENTS_MAX),
    INTEGER("engine", "recent_trades", engine.recent_trades, 1, 1u << 20),
    INTEGER("engine", "spin_us", engine.spin_us, 0, 1000000),

    CHOICE("journal", "sync", journal.sync, "commit interval none"),
    INTEGER("journal", "sync_interval_ms", journal.sync_interval_ms, 1, 60000),
    INTEGER("journal", "segment_bytes", journal.segment_bytes, 1u << 20, 1ull << 32),
    INTEGER("journal", "snapshot_every", journal.snapshot_every, 0, 1ull << 40),

    DOOR(websocket),
    INTEGER("websocket", "max_subscriptions_per_client", websocket.max_subscriptions_per_client, 1,
            100000),
    INTEGER("websocket", "heartbeat_interval", websocket.heartbeat_interval_s, 1, 3600),
    INTEGER("websocket", "client_timeout", websocket.client_timeout_s, 1, 86400),
    INTEGER("websocket", "message_batch_size", websocket.message_batch_size, 1, 10000),
    INTEGER("websocket", "message_batch_timeout_ms", websocket.message_batch_timeout_ms, 1, 10000),
    INTEGER("websocket", "kline_batch_ms", websocket.kline_batch_ms, 0, 10000),
    BOOLEAN("websocket", "permessage_deflate", websocket.permessage_deflate),
    INTEGER("websocket", "max_message_bytes", websocket.max_message_bytes, BODY_BYTES_MIN,
            BODY_BYTES_MAX),
    INTEGER("websocket", "max_errors_in_a_row", websocket.max_errors_in_a_row, 0, 1000000),
    INTEGER("websocket", "max_messages_per_second", websocket.max_messages_per_second, 0, 1000000),
    INTEGER("websocket", "max_queue_bytes", websocket.max_queue_bytes, 65536, 1u << 30),
    INTEGER("websocket", "max_total_queue_bytes", websocket.max_total_queue_bytes, 1u << 20,
            1ull << 40),
    ALLOW_HOSTS(websocket),
    CORS(websocket),

    DOOR(http),
    INTEGER("http", "max_body_bytes", http.max_body_bytes, BODY_BYTES_MIN, BODY_BYTES_MAX),
    LIMITS(http),
    ALLOW_HOSTS(http),
    CORS(http),

    DOOR(jsonrpc),
    INTEGER("jsonrpc", "max_body_bytes", jsonrpc.max_body_bytes, BODY_BYTES_MIN, BODY_BYTES_MAX),
    INTEGER("jsonrpc", "max_batch", jsonrpc.max_batch, 1, 10000),
    LIMITS(jsonrpc),
    ALLOW_HOSTS(jsonrpc),
    CORS(jsonrpc),

    DOOR(sbe),
    INTEGER("sbe", "max_subscriptions_per_client", sbe.max_subscriptions_per_client, 1, 100000),
    INTEGER("sbe", "heartbeat_interval", sbe.heartbeat_interval_s, 1, 3600),
    INTEGER("sbe", "client_timeout", sbe.client_timeout_s, 1, 86400),
    INTEGER("sbe", "max_message_bytes", sbe.max_message_bytes, BODY_BYTES_MIN, 65536),
    INTEGER("sbe", "max_errors_in_a_row", sbe.max_errors_in_a_row, 0, 1000000),
    INTEGER("sbe", "max_queue_bytes", sbe.max_queue_bytes, 65536, 1u << 30),
    INTEGER("sbe", "max_total_queue_bytes", sbe.max_total_queue_bytes, 1u << 20, 1ull << 40),
    ALLOW_HOSTS(sbe),
    CORS(sbe),
    DOOR(socketio),
    INTEGER("socketio", "max_subscriptions_per_client", socketio.max_subscriptions_per_client, 1,
            100000),
    INTEGER("socketio", "ping_interval", socketio.ping_interval_s, 1, 3600),
    INTEGER("socketio", "ping_timeout", socketio.ping_timeout_s, 1, 3600),
    INTEGER("socketio", "batch_ms", socketio.batch_ms, 0, 10000),
    INTEGER("socketio", "max_message_bytes", socketio.max_message_bytes, BODY_BYTES_MIN,
            BODY_BYTES_MAX),
    INTEGER("socketio", "max_queue_bytes", socketio.max_queue_bytes, 65536, 1u << 30),
    INTEGER("socketio", "max_total_queue_bytes", socketio.max_total_queue_bytes, 1u << 20,
            1ull << 40),
    ALLOW_HOSTS(socketio),
    CORS(socketio),

    BOOLEAN("store", "enabled", store.enabled),
    INTEGER("store", "retention_days", store.retention_days, 0, 36500),
    INTEGER("store", "max_trades", store.max_trades, 0, 1ull << 40),
    INTEGER("store", "max_orders", store.max_orders, 0, 1ull << 40),
    INTEGER("store", "max_candles", store.max_candles, 0, 1ull << 40),
    INTEGER("store", "memory_bytes", store.memory_bytes, 1u << 20, 1ull << 36),
    INTEGER("store", "cache_bytes", store.cache_bytes, 1u << 20, 1ull << 40),
    INTEGER("store", "max_backlog_bytes", store.max_backlog_bytes, 16u << 20, 1ull << 50),

    OTHER("telemetry", "log_level", telemetry.log_level, SETTING_LEVELS),
    CHOICE("telemetry", "log_format", telemetry.log_format, "text json"),
    OTHER("telemetry", "log_file", telemetry.log_file, SETTING_FILE),
    BOOLEAN("telemetry", "metrics", telemetry.metrics),

    OTHER("admin", "token", admin.token, SETTING_TOKEN),
};

const size_t matching_settings_count = sizeof matching_settings / sizeof matching_settings[0];
_Static_assert(sizeof matching_settings / sizeof matching_settings[0] <= SETTINGS_MAX,
               "SETTINGS_MAX is too small");

const setting *matching_setting_find(const char *path)
{
    for (size_t i = 0; i < matching_settings_count; i++) {
        const setting *it = &matching_settings[i];
        size_t length = strlen(it->section);
        const char *key = path;
        if (length > 0) {
            if (strncmp(path, it->section, length) != 0 || path[length] != '.')
                continue;
            key += length + 1;
        }
        if (strcmp(key, it->key) == 0)
            return it;
    }
    return NULL;
}

int matching_setting_section(const char *section)
{
    for (size_t i = 0; i < matching_settings_count; i++)
        if (strcmp(matching_settings[i].section, section) == 0)
            return (int)i;
    return -1;
}

static void number_set(const setting *it, void *member, uint64_t number)
{
    uint16_t two = (uint16_t)number;
    uint32_t four = (uint32_t)number;
    switch (it->size) {
    case sizeof two:
        memcpy(member, &two, sizeof two);
        break;
    case sizeof four:
        memcpy(member, &four, sizeof four);
        break;
    default:
        assert(it->size == sizeof number);
        memcpy(member, &number, sizeof number);
    }
}

uint64_t matching_setting_number(const setting *it, const matching_config *config)
{
    const void *member = (const char *)config + it->offset;
    uint16_t two;
    uint32_t four;
    uint64_t eight;
    switch (it->size) {
    case sizeof(bool):
        return *(const bool *)member;
    case sizeof two:
        memcpy(&two, member, sizeof two);
        return two;
    case sizeof four:
        memcpy(&four, member, sizeof four);
        return four;
    default:
        assert(it->size == sizeof eight);
        memcpy(&eight, member, sizeof eight);
        return eight;
    }
}

static bool integer_store(const setting *it, void *member, int64_t integer)
{
    if (integer < 0 || (uint64_t)integer < it->min || (uint64_t)integer > it->max)
        return false;
    if (it->kind == SETTING_POWER && (integer & (integer - 1)) != 0)
        return false;
    number_set(it, member, (uint64_t)integer);
    return true;
}

static bool choice_store(const setting *it, void *member, const char *text)
{
    size_t length = strlen(text);
    uint64_t number = 0;
    for (const char *at = it->choices; *at; number++) {
        size_t word = strcspn(at, " ");
        if (word == length && memcmp(at, text, word) == 0) {
            number_set(it, member, number);
            return true;
        }
        at += word;
        at += *at == ' ';
    }
    return false;
}

/* The doors want a numeric address, so that none of them ever looks a name up. */
static bool bind_store(const setting *it, void *member, const char *text)
{
    unsigned char address[sizeof(struct in6_addr)];
    if (strcmp(text, "localhost") == 0)
        text = "127.0.0.1";
    if (strlen(text) >= it->size ||
        (inet_pton(AF_INET, text, address) != 1 && inet_pton(AF_INET6, text, address) != 1))
        return false;
    strcpy(member, text);
    return true;
}

static bool text_store(const setting *it, void *member, const char *text)
{
    size_t length = strlen(text);
    matching_log_levels levels;
    if ((length == 0 && it->kind != SETTING_FILE) || length >= it->size)
        return false;
    if (it->kind == SETTING_LEVELS && !matching_log_levels_parse(text, &levels))
        return false;
    for (size_t i = 0; i < length && it->kind == SETTING_TOKEN; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    memcpy(member, text, length + 1);
    return true;
}

static bool list_store(const setting *it, matching_config_list *list, const toml_value *value)
{
    if (!value->is_array || value->count > MATCHING_CONFIG_LIST_MAX)
        return false;
    matching_config_list made = {0};
    for (; made.count < value->count; made.count++) {
        const toml_item *item = &value->items[made.count];
        char *entry = made.items[made.count];
        if (item->kind != TOML_STRING || strlen(item->text) >= MATCHING_CONFIG_NAME_SIZE)
            return false;
        for (size_t i = 0; item->text[i]; i++)
            entry[i] = (char)tolower((unsigned char)item->text[i]);
        if (!(it->kind == SETTING_HOSTS ? matching_host_is_valid : matching_origin_is_valid)(entry))
            return false;
    }
    *list = made;
    return true;
}

static bool cpus_store(matching_config *config, const toml_value *value)
{
    if (!value->is_array || value->count > MATCHING_SHARDS_MAX)
        return false;
    for (size_t i = 0; i < value->count; i++) {
        const toml_item *item = &value->items[i];
        if (item->kind != TOML_INTEGER || item->integer < 0 || item->integer > CPU_MAX)
            return false;
    }
    for (size_t i = 0; i < value->count; i++)
        config->engine.cpu_affinity[i] = (int)value->items[i].integer;
    config->engine.cpu_affinity_count = value->count;
    return true;
}

bool matching_setting_store(const setting *it, matching_config *config, const toml_value *value)
{
    void *member = (char *)config + it->offset;
    const toml_item *item = &value->items[0];
    switch (it->kind) {
    case SETTING_ORIGINS:
    case SETTING_HOSTS:
        return list_store(it, member, value);
    case SETTING_CPUS:
        return cpus_store(config, value);
    case SETTING_BOOLEAN:
        if (value->is_array || item->kind != TOML_BOOLEAN)
            return false;
        memcpy(member, &item->boolean, sizeof item->boolean);
        return true;
    case SETTING_INTEGER:
    case SETTING_POWER:
        return !value->is_array && item->kind == TOML_INTEGER &&
               integer_store(it, member, item->integer);
    default:
        break;
    }
    if (value->is_array || item->kind != TOML_STRING)
        return false;
    return it->kind == SETTING_CHOICE ? choice_store(it, member, item->text)
           : it->kind == SETTING_BIND ? bind_store(it, member, item->text)
                                      : text_store(it, member, item->text);
}

bool matching_setting_store_text(const setting *it, matching_config *config, const char *text)
{
    toml_value value = {.count = 1};
    toml_item *item = &value.items[0];
    *item = (toml_item){.kind = TOML_STRING, .text = text};
    if (it->kind == SETTING_INTEGER || it->kind == SETTING_POWER) {
        size_t length = strlen(text);
        if (length == 0 || length > 18 || strspn(text, "0123456789") != length)
            return false;
        item->kind = TOML_INTEGER;
        for (size_t i = 0; i < length; i++)
            item->integer = item->integer * 10 + (text[i] - '0');
    }
    return matching_setting_store(it, config, &value);
}

void matching_setting_rule(const setting *it, char *out, size_t size)
{
    switch (it->kind) {
    case SETTING_BOOLEAN:
        snprintf(out, size, "must be true or false");
        break;
    case SETTING_INTEGER:
        snprintf(out, size, "must be an integer from %" PRIu64 " to %" PRIu64, it->min, it->max);
        break;
    case SETTING_POWER:
        snprintf(out, size, "must be a power of two from %" PRIu64 " to %" PRIu64, it->min,
                 it->max);
        break;
    case SETTING_CHOICE: {
        int used = snprintf(out, size, "must be one of");
        for (const char *at = it->choices; *at && used > 0 && (size_t)used < size;) {
            int word = (int)strcspn(at, " ");
            used += snprintf(out + used, size - (size_t)used, " \"%.*s\"%s", word, at,
                             at[word] ? "," : "");
            at += word + (at[word] == ' ');
        }
        break;
    }
    case SETTING_PATH:
        snprintf(out, size, "must be a path of 1 to %zu bytes", it->size - 1);
        break;
    case SETTING_FILE:
        snprintf(out, size, "must be a path of at most %zu bytes, or \"\"", it->size - 1);
        break;
    case SETTING_LEVELS:
        snprintf(out, size,
                 "must be debug, info, warn, error, MODULE=LEVEL, or some of these joined by "
                 "commas; modules:" MATCHING_LOG_MODULES(LISTED));
        break;
    case SETTING_BIND:
        snprintf(out, size, "must be a numeric IPv4 or IPv6 address (no brackets) or localhost");
        break;
    case SETTING_TOKEN:
        snprintf(out, size, "must be 1 to %zu printable ASCII characters without spaces",
                 it->size - 1);
        break;
    case SETTING_ORIGINS:
        snprintf(out, size,
                 "must be an array of at most %d origins, each \"*\" or scheme://host[:port] "
                 "without a path, like \"https://example.com\"",
                 MATCHING_CONFIG_LIST_MAX);
        break;
    case SETTING_HOSTS:
        snprintf(out, size,
                 "must be an array of at most %d host names or addresses without a port, like "
                 "\"exchange.example.com\"",
                 MATCHING_CONFIG_LIST_MAX);
        break;
    case SETTING_CPUS:
        snprintf(out, size, "must be an array of at most %d integers from 0 to %d",
                 MATCHING_SHARDS_MAX, CPU_MAX);
        break;
    }
}

void matching_setting_print_string(const char *text, FILE *out)
{
    putc('"', out);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            fprintf(out, "\\u%04x", c);
        else
            putc(c, out);
    }
    putc('"', out);
}

static void array_print(const setting *it, const matching_config *config, FILE *out)
{
    const void *member = (const char *)config + it->offset;
    const matching_config_list *list = member;
    bool cpus = it->kind == SETTING_CPUS;
    size_t count = cpus ? config->engine.cpu_affinity_count : list->count;
    putc('[', out);
    for (size_t i = 0; i < count; i++) {
        fputs(i ? ", " : "", out);
        if (cpus)
            fprintf(out, "%d", config->engine.cpu_affinity[i]);
        else
            matching_setting_print_string(list->items[i], out);
    }
    putc(']', out);
}

void matching_setting_print(const setting *it, const matching_config *config, FILE *out)
{
    const char *text = (const char *)config + it->offset;
    if (it->kind == SETTING_TOKEN) {
        /* A secret has no place in a terminal or a build log. */
        fprintf(out, "# %s is %s\n", it->key, *text ? "set, and not shown" : "not set");
        return;
    }
    fprintf(out, "%s = ", it->key);
    uint64_t number = 0;
    switch (it->kind) {
    case SETTING_BOOLEAN:
        fputs(matching_setting_number(it, config) ? "true" : "false", out);
        break;
    case SETTING_INTEGER:
    case SETTING_POWER:
        fprintf(out, "%" PRIu64, matching_setting_number(it, config));
        break;
    case SETTING_CHOICE:
        text = it->choices;
        for (number = matching_setting_number(it, config); number > 0; number--)
            text += strcspn(text, " ") + 1;
        fprintf(out, "\"%.*s\"", (int)strcspn(text, " "), text);
        break;
    case SETTING_ORIGINS:
    case SETTING_HOSTS:
    case SETTING_CPUS:
        array_print(it, config, out);
        break;
    default:
        matching_setting_print_string(text, out);
    }
    putc('\n', out);
}

int matching_config_fail(char *error, size_t size, const char *format, ...)
{
    if (size == 0)
        return -1;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error, size, format, arguments);
    va_end(arguments);
    /* What the user wrote is quoted in messages; it must not steer the terminal. */
    for (char *at = error; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = '?';
    return -1;
}
