/* What of a core lives on disk: opens the data directory, recovers the shards, starts journals and
 * the snapshot worker. None of it does anything in a core that has no directory. Main thread.
 */
#ifndef MATCHING_STORAGE_H
#define MATCHING_STORAGE_H

#include "shard/core_internal.h"

/* Takes the directory, and the shard count that it is pinned to into core->options. 0, or a
 * negative errno with what to do in error; -EBADMSG: what is there may not be used with these
 * options. */
int storage_open(matching_core *core, char *error, size_t error_size);

/* Builds the shards' books from it, or empty ones where there is nothing, and the table of
 * instruments; opens the journals; enters what the configuration brings beyond that. Afterwards all
 * of it is on disk. Errors as above. */
int storage_recover(matching_core *core, char *error, size_t error_size);

/* The core starts: all who need the journal are known, so what they do not need may go. */
void storage_start(matching_core *core);

/* The shards' threads have ended. clean: the working orders' guards end with this process, for it
 * was not its connections that ended. Gives the directory back. Again does nothing. */
void storage_close(matching_core *core, bool clean);

/* The limits that the options ask for. */
matching_engine_limits core_limits(const matching_core *core, unsigned shard);

#endif
