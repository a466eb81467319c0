/* What doors count for GET /api/events/status, beside what the core knows.
 *
 * One for the process, owned by whoever wires the doors. Written by doors, read by any thread,
 * without a lock: numbers that are read together need not be of one moment.
 */
#ifndef MATCHING_COUNTERS_H
#define MATCHING_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

/* All zeros: nothing has been counted. */
typedef struct matching_counters {
    _Atomic uint64_t sbe_trades;      /* trades that clients have reported to the SBE door */
    _Atomic uint64_t sbe_volume[256]; /* whole units of these, by their symbol character; at most
                                         UINT64_MAX */
} matching_counters;

#endif
