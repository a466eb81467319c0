/* Instruments by the ids that the SBE wire has: the core's table has them by name and index.
 *
 * Memory for as many as the core can ever have is taken at init; instruments that are added while
 * the core runs are found without a call. One thread.
 */
#ifndef MATCHING_SBE_INSTRUMENTS_H
#define MATCHING_SBE_INSTRUMENTS_H

#include <stddef.h>
#include <stdint.h>

#include "matching/core.h"

typedef struct sbe_instruments {
    const matching_core *core;
    const matching_instrument **cells; /* open addressing by id; NULL: free */
    size_t mask;
    size_t listed; /* indexes below this one are in the cells */
} sbe_instruments;

/* 0, or -ENOMEM. The core must outlive it. */
int sbe_instruments_init(sbe_instruments *instruments, const matching_core *core);
void sbe_instruments_fini(sbe_instruments *instruments);

/* The instrument of that id; NULL: there is none. No allocation. */
const matching_instrument *sbe_instruments_find(sbe_instruments *instruments, uint32_t id);

#endif
