/* The command line: a subcommand that names doors, and flags; or a tool (tool_options.c).
 *
 * Flags with a value are kept as text and stored through the table of settings, so that they obey
 * the same rules as the file. They are tried once while argv is read, so that a bad one is refused
 * before the file is even looked at.
 *
 * Not here: help (help.c); what the program then does (cmd/).
 */
#include "matching/options.h"

#include <assert.h>
#include <string.h>

#include "settings.h"
#include "tool_options.h"

static const char *const door_names[MATCHING_DOOR_COUNT] = {"websocket", "http", "jsonrpc", "sbe",
                                                            "socketio"};

/* Flags with a value, by their place in matching_options.values. */
static const struct {
    const char *flag;
    const char *path; /* the setting; NULL: not one */
} value_flags[] = {
    {"--config", NULL},
    {"--ws-port", "websocket.port"},
    {"--http-port", "http.port"},
    {"--rpc-port", "jsonrpc.port"},
    {"--sbe-port", "sbe.port"},
    {"--socketio-port", "socketio.port"},
    {"--data-dir", "data_dir"},
    {"--bind", "bind"},
    {"--log-level", "telemetry.log_level"},
    {"--log-format", "telemetry.log_format"},
    {"--log-file", "telemetry.log_file"},
};
#define VALUE_FLAGS (sizeof value_flags / sizeof value_flags[0])
#define CONFIG_FLAG 0
_Static_assert(VALUE_FLAGS == MATCHING_OPTIONS_VALUES, "one value for each flag");

typedef struct parser {
    matching_options *options;
    const char *const *available;
    size_t available_count;
    bool has_subcommand;
    char *error;
    size_t error_size;
} parser;

const char *matching_door_name(matching_door door)
{
    assert((unsigned)door < MATCHING_DOOR_COUNT);
    return door_names[door];
}

static const setting *door_setting(matching_door door, const char *key)
{
    char path[TOML_NAME_SIZE];
    snprintf(path, sizeof path, "%s.%s", matching_door_name(door), key);
    const setting *it = matching_setting_find(path);
    assert(it);
    return it;
}

bool matching_config_door_enabled(const matching_config *config, matching_door door)
{
    return matching_setting_number(door_setting(door, "enabled"), config) != 0;
}

uint16_t matching_config_door_port(const matching_config *config, matching_door door)
{
    return (uint16_t)matching_setting_number(door_setting(door, "port"), config);
}

static bool is_word(const char *text, size_t length, const char *word)
{
    return strlen(word) == length && memcmp(text, word, length) == 0;
}

static matching_door find_door(const char *text, size_t length)
{
    matching_door door = 0;
    while (door < MATCHING_DOOR_COUNT && !is_word(text, length, door_names[door]))
        door++;
    return door;
}

static int refuse_subcommand(const parser *in, const char *text, size_t length, bool known)
{
    char list[160] = "";
    for (size_t i = 0, used = 0; i < in->available_count && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "",
                                 in->available[i]);
    int shown = length < 40 ? (int)length : 40;
    if (known)
        return matching_config_fail(in->error, in->error_size,
                                    "this version has no door '%.*s'; it has: %s", shown, text,
                                    list);
    return matching_config_fail(in->error, in->error_size,
                                "unknown subcommand '%.*s'; use all, or one or more of these "
                                "joined by commas: %s",
                                shown, text, list);
}

/* "websocket", "websocket,http", "all" */
static int subcommand_parse(parser *in, const char *text)
{
    if (in->has_subcommand)
        return matching_config_fail(in->error, in->error_size,
                                    "'%.40s': only one subcommand is taken; join several doors by "
                                    "commas, as in websocket,http",
                                    text);
    in->has_subcommand = true;
    if (matching_tool_is_named(text))
        return matching_config_fail(in->error, in->error_size,
                                    "'%s' has to come first, as in matching %s DIR", text,
                                    strcmp(text, "journal") == 0 ? "journal verify" : text);
    for (;;) {
        size_t length = strcspn(text, ",");
        matching_door door = find_door(text, length);
        if (is_word(text, length, "all")) {
            in->options->all = true;
        } else if (door == MATCHING_DOOR_COUNT || !in->options->exists[door]) {
            return refuse_subcommand(in, text, length, door != MATCHING_DOOR_COUNT);
        } else {
            in->options->doors[door] = true;
        }
        if (text[length] == '\0')
            return 0;
        text += length + 1;
    }
}

/* --in-memory and the like. Returns whether this is one of them. */
static bool plain_flag_parse(matching_options *options, const char *text, size_t length)
{
    if (is_word(text, length, "--in-memory"))
        options->in_memory = true;
    else if (is_word(text, length, "--insecure"))
        options->insecure = true;
    else if (is_word(text, length, "--check-config"))
        options->mode = MATCHING_MODE_CHECK_CONFIG;
    else if (is_word(text, length, "--help") || is_word(text, length, "-h"))
        options->mode = MATCHING_MODE_HELP;
    else if (is_word(text, length, "--version"))
        options->mode = MATCHING_MODE_VERSION;
    else
        return false;
    return true;
}

static int flag_store(matching_config *config, size_t flag, const char *text, char *error,
                      size_t error_size)
{
    const setting *it = matching_setting_find(value_flags[flag].path);
    if (matching_setting_store_text(it, config, text))
        return 0;
    char rule[256];
    matching_setting_rule(it, rule, sizeof rule);
    return matching_config_fail(error, error_size, "%s: %s, not '%.40s'", value_flags[flag].flag,
                                rule, text);
}

/* One flag at argv[at]. Returns how many words it took, or -1. */
static int flag_parse(parser *in, int argc, char *const *argv, int at)
{
    const char *text = argv[at];
    size_t length = strcspn(text, "=");
    bool joined = text[length] == '=';
    if (plain_flag_parse(in->options, text, length)) {
        if (joined)
            return matching_config_fail(in->error, in->error_size, "%.*s: takes no value",
                                        (int)length, text);
        return 1;
    }
    size_t flag = 0;
    while (flag < VALUE_FLAGS && !is_word(text, length, value_flags[flag].flag))
        flag++;
    if (flag == VALUE_FLAGS)
        return matching_config_fail(in->error, in->error_size,
                                    "unknown option '%.40s'; see matching --help", text);
    const char *value = joined ? text + length + 1 : at + 1 < argc ? argv[at + 1] : "";
    if (*value == '\0' || (!joined && strncmp(value, "--", 2) == 0))
        return matching_config_fail(
            in->error, in->error_size, "%s: needs a value, as in %s VALUE or %s=VALUE",
            value_flags[flag].flag, value_flags[flag].flag, value_flags[flag].flag);
    in->options->values[flag] = value;
    matching_config tried;
    if (value_flags[flag].path && flag_store(&tried, flag, value, in->error, in->error_size) != 0)
        return -1;
    return joined ? 1 : 2;
}

int matching_config_parse_command_line(matching_options *options, int argc, char *const *argv,
                                       const char *const *available, size_t available_count,
                                       char *error, size_t error_size)
{
    parser in = {.options = options,
                 .available = available,
                 .available_count = available_count,
                 .error = error,
                 .error_size = error_size};
    memset(options, 0, sizeof *options);
    for (size_t i = 0; i < available_count; i++) {
        matching_door door = find_door(available[i], strlen(available[i]));
        assert(door != MATCHING_DOOR_COUNT);
        options->exists[door] = true;
    }
    if (argc > 1 && matching_tool_is_named(argv[1]))
        return matching_tool_parse(options, argc, argv, error, error_size);
    for (int at = 1; at < argc;) {
        int taken = 1;
        if (argv[at][0] == '-')
            taken = flag_parse(&in, argc, argv, at);
        else if (subcommand_parse(&in, argv[at]) != 0)
            taken = -1;
        if (taken < 0)
            return -1;
        if (options->mode == MATCHING_MODE_HELP || options->mode == MATCHING_MODE_VERSION)
            return 0;
        at += taken;
    }
    return in.has_subcommand ? 0 : subcommand_parse(&in, "websocket");
}

/* A door that is named starts, whatever the file says: a flag beats a file. One that is only meant
 * by "all" starts unless the file disables it. */
static bool doors_enable(matching_config *config, const matching_options *options)
{
    bool any = false;
    for (matching_door door = 0; door < MATCHING_DOOR_COUNT; door++) {
        bool by_all = options->all && options->exists[door];
        bool enabled =
            options->doors[door] || (by_all && matching_config_door_enabled(config, door));
        const setting *it = door_setting(door, "enabled");
        memcpy((char *)config + it->offset, &enabled, sizeof enabled);
        any = any || enabled;
    }
    return any;
}

int matching_config_load(matching_config *config, const matching_options *options, char *error,
                         size_t error_size)
{
    matching_config made;
    matching_config_default(&made);
    const char *file = options->values[CONFIG_FLAG];
    if (file && matching_config_load_file(&made, file, error, error_size) != 0)
        return -1;
    if (matching_config_apply_environment(&made, error, error_size) != 0)
        return -1;
    for (size_t flag = 0; flag < VALUE_FLAGS; flag++)
        if (value_flags[flag].path && options->values[flag] &&
            flag_store(&made, flag, options->values[flag], error, error_size) != 0)
            return -1;
    made.in_memory = made.in_memory || options->in_memory;
    made.insecure = options->insecure;
    if (!doors_enable(&made, options))
        return matching_config_fail(error, error_size,
                                    "%s: every door is disabled there; name one on the command "
                                    "line, or set enabled = true in its section",
                                    file ? file : "configuration");
    if (matching_config_check(&made, error, error_size) != 0)
        return -1;
    *config = made;
    return 0;
}
