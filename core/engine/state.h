/* An engine's whole state to bytes and back (snapshots).
 *
 * The bytes say what there is, not how the engine keeps it: known traders, books, orders in the
 * order of their queues, ended orders that can still be read. So a later engine reads what an
 * earlier one wrote, and what is read is checked, never trusted. docs/snapshots.md has the layout.
 * Both take and give their bytes in pieces, in order; nothing else of the engine's is kept or
 * needed, and no memory is taken.
 *
 * Thread: the engine's. Neither calls anything but what it is given.
 */
#ifndef MATCHING_ENGINE_STATE_H
#define MATCHING_ENGINE_STATE_H

#include "engine/engine.h"

typedef struct matching_state_output {
    /* Takes all of it; false ends the saving. */
    bool (*write)(void *context, const void *bytes, size_t size);
    void *context;
} matching_state_output;

typedef struct matching_state_input {
    /* Gives exactly so much; false (no more, or a bad checksum) ends the loading. */
    bool (*read)(void *context, void *bytes, size_t size);
    void *context;
} matching_state_input;

/* Between two commands. False: output said so. */
bool matching_engine_save(const matching_engine *engine, const matching_state_output *output);

/* Into an engine that was just initialised with the limits that the saved one had. Afterwards both
 * answer every command alike: replies, events, ids, state hash. NULL, or what is wrong with the
 * bytes (static string): the engine is of no use then. */
const char *matching_engine_load(matching_engine *engine, const matching_state_input *input);

#endif
