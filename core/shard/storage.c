/* What the outside may know and ask of the journals behind the shards: health and snapshots. */
#include <stdio.h>

#include "shard/core_internal.h"

bool matching_core_shard_is_healthy(const matching_core *core, unsigned number, char *why,
                                    size_t why_size)
{
    (void)core;
    (void)number;
    if (why_size > 0) {
        why[0] = '\0';
    }
    return true;
}

bool matching_core_is_healthy(const matching_core *core, char *why, size_t why_size)
{
    char reason[160];
    for (unsigned i = 0; i < core->shard_count; i++) {
        if (!matching_core_shard_is_healthy(core, i, reason, sizeof reason)) {
            snprintf(why, why_size, "shard %u: %s", i, reason);
            return false;
        }
    }
    if (why_size > 0) {
        why[0] = '\0';
    }
    return true;
}

matching_code matching_core_request_snapshot(matching_core *core, uint64_t *ticket)
{
    (void)core;
    *ticket = 0;
    return MATCHING_INVALID_PARAMETER; /* a core in memory has nothing to take a snapshot of */
}

bool matching_core_snapshot_done(matching_core *core, uint64_t ticket,
                                 matching_snapshot_result *results)
{
    (void)ticket;
    for (unsigned i = 0; i < core->shard_count; i++) {
        results[i] = (matching_snapshot_result){0, true};
    }
    return true;
}
