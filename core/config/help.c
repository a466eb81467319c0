/* The text of --help and --version.
 *
 * Defaults are taken from matching_config_default, so that they cannot differ from what is run.
 * Invariant: no line is wider than 80 columns.
 */
#include <string.h>

#include "matching/options.h"

/* By door: what to say of it, its flag and its variable. */
static const struct {
    const char *text, *flag, *variable;
} doors[MATCHING_DOOR_COUNT] = {
    [MATCHING_DOOR_WEBSOCKET] = {"JSON over WebSocket at /ws", "--ws-port", "WS_PORT"},
    [MATCHING_DOOR_HTTP] = {"REST over HTTP", "--http-port", "PORT"},
    [MATCHING_DOOR_JSONRPC] = {"JSON-RPC 2.0 over HTTP POST", "--rpc-port", "RPC_PORT"},
    [MATCHING_DOOR_SBE] = {"binary SBE over WebSocket", "--sbe-port", "SBE_PORT"},
    [MATCHING_DOOR_SOCKETIO] = {"Socket.IO candles", "--socketio-port", "SOCKETIO_PORT"},
};

static bool is_available(matching_door door, const char *const *available, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(available[i], matching_door_name(door)) == 0)
            return true;
    return false;
}

static void print_doors(FILE *out, const char *const *available, size_t count)
{
    fputs("Doors (default: websocket; several are joined by commas: websocket,http)\n", out);
    for (matching_door door = 0; door < MATCHING_DOOR_COUNT; door++)
        if (is_available(door, available, count))
            fprintf(out, "  %-21s %s\n", matching_door_name(door), doors[door].text);
    fputs("  all                   every one of them that the file does not disable\n\n", out);
}

static void print_ports(FILE *out, const char *const *available, size_t count,
                        const matching_config *defaults)
{
    fputs("Ports (0 picks a free one; in brackets the default and the environment variable)\n",
          out);
    for (matching_door door = 0; door < MATCHING_DOOR_COUNT; door++) {
        char flag[32];
        if (!is_available(door, available, count))
            continue;
        snprintf(flag, sizeof flag, "%s PORT", doors[door].flag);
        fprintf(out, "  %-21s %s [%u, %s]\n", flag, matching_door_name(door),
                matching_config_door_port(defaults, door), doors[door].variable);
    }
    putc('\n', out);
}

void matching_config_print_help(FILE *out, const char *const *available, size_t available_count)
{
    matching_config defaults;
    matching_config_default(&defaults);
    fputs("Usage: matching [DOOR[,DOOR...] | all] [options]\n"
          "       matching journal verify|dump|replay DIR [--shard N] [--until SEQUENCE]\n"
          "       matching snapshot DIR\n"
          "       matching store rebuild DIR\n\n"
          "An order-matching exchange. Opens one or more doors to one matching core and\n"
          "runs until SIGTERM or SIGINT.\n\n",
          out);
    print_doors(out, available, available_count);
    print_ports(out, available, available_count, &defaults);
    fprintf(out,
            "Options\n"
            "  --bind ADDR           address to listen on [%s]\n"
            "  --insecure            allow an address that other machines can reach\n"
            "  --data-dir DIR        for journal, snapshots, store [%s]\n"
            "  --in-memory           keep nothing on disk: all ends with the process\n"
            "  --config FILE         settings in TOML syntax [none]\n"
            "  --check-config        print the settings as they would be used, and end\n"
            "  --log-level LEVELS    debug, info, warn or error, also of a module, as in\n"
            "                        info,websocket=debug [info, MATCHING_LOG]\n"
            "  --log-format FORMAT   text or json [text]\n"
            "  --log-file FILE       append the log to it; SIGHUP opens it anew [stderr]\n"
            "  --help, -h            print this, and end\n"
            "  --version             print the version, and end\n\n"
            "Tools on a data directory; those of the journal also while a service uses it\n"
            "  journal verify DIR    look at every byte; names the first bad one\n"
            "  journal dump DIR      the commands, as one JSON object a line\n"
            "  journal replay DIR    rebuild the books; prints depth and a state hash\n"
            "  snapshot DIR          write a snapshot of each shard\n"
            "  store rebuild DIR     make the store of trades and orders anew\n"
            "  --shard N             verify, dump, replay: of this shard only\n"
            "  --until SEQUENCE      dump, replay: up to this command of each shard\n\n"
            "A value may follow its flag after a space or after =. A flag wins over the\n"
            "environment, that over the file, and that over the default.\n\n"
            "Exit codes: 0 ended as asked; %d failed while running, such as a port in use;\n"
            "%d the command line, the environment, a file or the data directory is refused.\n",
            defaults.bind, defaults.data_dir, MATCHING_EXIT_RUN, MATCHING_EXIT_USAGE);
}

void matching_config_print_version(FILE *out, const char *version)
{
    fprintf(out, "matching %s\n", version);
}
