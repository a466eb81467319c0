/* The doors that this program was built with, and their starting and stopping together. */
#ifndef MATCHING_CMD_DOORS_H
#define MATCHING_CMD_DOORS_H

#include "matching/options.h"
#include "matching/transport.h"

/* Subcommand names of the doors that exist, for the options. */
const char *const *doors_available(size_t *count);

typedef struct doors {
    matching_transport transports[MATCHING_DOOR_COUNT];
    matching_access access[MATCHING_DOOR_COUNT];
    matching_counters counters; /* of all of them; zero before init */
    size_t count;
    size_t started;
} doors;

/* Who gets in at a door, by the settings. */
void doors_access(matching_access *access, const matching_config *config, matching_door door);

/* Each enabled door: its state and port, nothing open yet. 0, or -1 with a message in error. */
int doors_init(doors *all, const matching_config *config, matching_core *core, char *error,
               size_t error_size);

/* Opens them in turn and prints a line for each. 0, or -1 with a message in error. */
int doors_start(doors *all, char *error, size_t error_size);

/* The reverse of start: nothing accepted is left unanswered. The core must still run. */
void doors_stop(doors *all);

/* Frees what init made. After the core has stopped, for shards may still wake a port. */
void doors_fini(doors *all);

#endif
