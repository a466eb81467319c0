/* The command line of the tools on a data directory. They take no settings: sizes and limits are
 * the directory's own, so neither a file nor the environment is read for them. */
#include "tool_options.h"

#include <string.h>

#include "settings.h"

static const struct {
    const char *group, *name; /* as on the command line; name NULL: the group alone */
    const char *full;
    bool takes_shard, takes_until;
} tools[MATCHING_TOOL_COUNT] = {
    [MATCHING_TOOL_VERIFY] = {"journal", "verify", "journal verify", true, false},
    [MATCHING_TOOL_DUMP] = {"journal", "dump", "journal dump", true, true},
    [MATCHING_TOOL_REPLAY] = {"journal", "replay", "journal replay", true, true},
    [MATCHING_TOOL_SNAPSHOT] = {"snapshot", NULL, "snapshot", false, false},
    [MATCHING_TOOL_STORE_REBUILD] = {"store", "rebuild", "store rebuild", false, false},
};

bool matching_tool_is_named(const char *word)
{
    return strcmp(word, "journal") == 0 || strcmp(word, "snapshot") == 0 ||
           strcmp(word, "store") == 0;
}

/* Digits and nothing else, at most `most`. */
static bool read_number(const char *text, uint64_t most, uint64_t *number)
{
    uint64_t sum = 0;
    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        unsigned digit = (unsigned)(*text - '0');
        if (digit > 9 || sum > (most - digit) / 10)
            return false;
        sum = sum * 10 + digit;
    }
    *number = sum;
    return true;
}

/* Which tool it is. Returns how many words its name has, or -1. */
static int read_name(matching_tool_options *tool, int argc, char *const *argv, char *error,
                     size_t error_size)
{
    if (strcmp(argv[1], "snapshot") == 0) {
        tool->tool = MATCHING_TOOL_SNAPSHOT;
        return 1;
    }
    const char *word = argc > 2 ? argv[2] : "";
    for (matching_tool at = 0; at < MATCHING_TOOL_COUNT; at++) {
        if (tools[at].name != NULL && strcmp(tools[at].group, argv[1]) == 0 &&
            strcmp(tools[at].name, word) == 0) {
            tool->tool = at;
            return 2;
        }
    }
    if (strcmp(argv[1], "store") == 0)
        return matching_config_fail(
            error, error_size,
            "store: '%.40s' is not rebuild; it is used as in matching store "
            "rebuild DIR",
            word);
    return matching_config_fail(error, error_size,
                                "journal: '%.40s' is none of verify, dump, replay; it is used as "
                                "in matching journal verify DIR",
                                word);
}

/* --shard or --until at argv[at]. Returns how many words it took, or -1. */
static int read_flag(matching_tool_options *tool, int argc, char *const *argv, int at, char *error,
                     size_t error_size)
{
    const char *text = argv[at], *full = tools[tool->tool].full;
    size_t length = strcspn(text, "=");
    bool joined = text[length] == '=';
    bool is_shard = length == strlen("--shard") && memcmp(text, "--shard", length) == 0;
    bool is_until = length == strlen("--until") && memcmp(text, "--until", length) == 0;
    if ((!is_shard && !is_until) || (is_shard && !tools[tool->tool].takes_shard) ||
        (is_until && !tools[tool->tool].takes_until))
        return matching_config_fail(error, error_size,
                                    "%s: has no option '%.40s'; see matching --help", full, text);
    const char *value = joined ? text + length + 1 : at + 1 < argc ? argv[at + 1] : "";
    uint64_t number;
    if (is_shard) {
        if (!read_number(value, MATCHING_SHARDS_MAX - 1, &number))
            return matching_config_fail(error, error_size,
                                        "--shard: must be an integer from 0 to %d, not '%.40s'",
                                        MATCHING_SHARDS_MAX - 1, value);
        tool->shard = (int)number;
    } else {
        if (!read_number(value, UINT64_MAX, &number) || number == 0)
            return matching_config_fail(error, error_size,
                                        "--until: must be the sequence of a command, an integer "
                                        "from 1 on, not '%.40s'",
                                        value);
        tool->until = number;
    }
    return joined ? 1 : 2;
}

int matching_tool_parse(matching_options *options, int argc, char *const *argv, char *error,
                        size_t error_size)
{
    matching_tool_options *tool = &options->tool;
    *tool = (matching_tool_options){.shard = -1};
    options->mode = MATCHING_MODE_TOOL;
    for (int at = 2; at < argc; at++) {
        if (strcmp(argv[at], "--help") == 0 || strcmp(argv[at], "-h") == 0) {
            options->mode = MATCHING_MODE_HELP;
            return 0;
        }
    }
    int named = read_name(tool, argc, argv, error, error_size);
    if (named < 0)
        return -1;
    const char *full = tools[tool->tool].full;
    for (int at = 1 + named; at < argc;) {
        int taken = 1;
        if (argv[at][0] == '-')
            taken = read_flag(tool, argc, argv, at, error, error_size);
        else if (tool->dir != NULL)
            return matching_config_fail(error, error_size,
                                        "%s: '%.40s': only one directory is taken", full, argv[at]);
        else
            tool->dir = argv[at];
        if (taken < 0)
            return -1;
        at += taken;
    }
    if (tool->dir == NULL || *tool->dir == '\0')
        return matching_config_fail(error, error_size,
                                    "%s: needs a data directory, as in matching %s ./matching-data",
                                    full, full);
    return 0;
}
