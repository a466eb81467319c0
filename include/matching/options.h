/* The command line, and the one call that turns it into settings.
 *
 * Which doors exist is the caller's to say: `available` holds their subcommand names, in the order
 * that help and messages list them. All functions: main thread. Failures as in matching/config.h:
 * -1 with one line in error, exit code MATCHING_EXIT_USAGE.
 */
#ifndef MATCHING_OPTIONS_H
#define MATCHING_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "matching/config.h"

/* Every door the contract knows, whether this version has it or not. */
typedef enum matching_door {
    MATCHING_DOOR_WEBSOCKET = 0,
    MATCHING_DOOR_HTTP = 1,
    MATCHING_DOOR_JSONRPC = 2,
    MATCHING_DOOR_SBE = 3,
    MATCHING_DOOR_SOCKETIO = 4,
    MATCHING_DOOR_COUNT = 5
} matching_door;

typedef enum matching_mode {
    MATCHING_MODE_RUN = 0,
    MATCHING_MODE_CHECK_CONFIG = 1, /* load, print, end */
    MATCHING_MODE_HELP = 2,
    MATCHING_MODE_VERSION = 3,
    MATCHING_MODE_TOOL = 4 /* work on a data directory, and end */
} matching_mode;

/* What is done with a data directory; no settings play a part. */
typedef enum matching_tool {
    MATCHING_TOOL_VERIFY = 0,
    MATCHING_TOOL_DUMP = 1,
    MATCHING_TOOL_REPLAY = 2,
    MATCHING_TOOL_SNAPSHOT = 3,
    MATCHING_TOOL_STORE_REBUILD = 4,
    MATCHING_TOOL_COUNT = 5
} matching_tool;

typedef struct matching_tool_options {
    matching_tool tool;
    const char *dir; /* into argv */
    int shard;       /* this one only; -1: all */
    uint64_t until;  /* sequence of the last command wanted, in each shard; 0: all */
} matching_tool_options;

#define MATCHING_OPTIONS_VALUES 11

typedef struct matching_options {
    matching_mode mode;
    bool exists[MATCHING_DOOR_COUNT]; /* this version has the door */
    bool doors[MATCHING_DOOR_COUNT];  /* named: starts, whatever the file says */
    bool all;                         /* all that exist, but for those that the file disables */
    bool in_memory;
    bool insecure;
    const char *values[MATCHING_OPTIONS_VALUES]; /* into argv, by flag; NULL: not given */
    matching_tool_options tool;                  /* MATCHING_MODE_TOOL */
} matching_options;

/* The door's subcommand, which is also its section and its name in `listening` lines. */
const char *matching_door_name(matching_door door);

/* Whether the settings start this door, and its configured port. */
bool matching_config_door_enabled(const matching_config *config, matching_door door);
uint16_t matching_config_door_port(const matching_config *config, matching_door door);

/* Reads argv. --help and --version win over whatever follows them. options points into argv, which
 * must outlive it. */
int matching_config_parse_command_line(matching_options *options, int argc, char *const *argv,
                                       const char *const *available, size_t available_count,
                                       char *error, size_t error_size);

/* Defaults, then the file of --config, then the environment, then the flags; decides which doors
 * are enabled; checks the whole. */
int matching_config_load(matching_config *config, const matching_options *options, char *error,
                         size_t error_size);

/* The text of --help: at most 80 columns, with the defaults. Lists only what is available. */
void matching_config_print_help(FILE *out, const char *const *available, size_t available_count);

/* "matching VERSION". */
void matching_config_print_version(FILE *out, const char *version);

#endif
