/* What the store of a directory that nobody uses still needs of its journal; for the tool that
 * takes snapshots there. */
#ifndef MATCHING_HISTORY_NEEDED_H
#define MATCHING_HISTORY_NEEDED_H

#include "journal/data_dir.h"

/* *keep_from: as history_link.needed says it (shard/history_link.h), 0 for a store that has
 * nothing yet; UINT64_MAX without a store, and with one that would have to be made anew. Opens
 * the store, so dir is locked. 0, or a negative errno with the reason in error. */
int matching_history_needed(const data_dir *dir, unsigned number, uint64_t *keep_from, char *error,
                            size_t error_size);

#endif
