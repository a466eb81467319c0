/* A table of instruments by id: a multiplicative hash, linear probing, at most half full.
 *
 * Invariant: every instrument with an index below `listed` is in a cell. Behind it some may be as
 * well: those that were found behind a gap, an index whose addition is still under way.
 */
#include "sbe_instruments.h"

#include <errno.h>
#include <stdlib.h>

static size_t first_cell(const sbe_instruments *instruments, uint32_t id)
{
    return (size_t)(id * UINT64_C(0x9e3779b97f4a7c15) >> 32) & instruments->mask;
}

/* The cell of an id, or the free one where it belongs. */
static const matching_instrument **cell_of(const sbe_instruments *instruments, uint32_t id)
{
    size_t at = first_cell(instruments, id);
    while (instruments->cells[at] != NULL && instruments->cells[at]->id != id) {
        at = (at + 1) & instruments->mask;
    }
    return &instruments->cells[at];
}

/* Takes up what the core has listed since. */
static void take_up(sbe_instruments *instruments)
{
    size_t count = matching_core_instrument_count(instruments->core);
    bool gap = false;
    for (size_t i = instruments->listed; i < count; i++) {
        const matching_instrument *found = matching_core_instrument(instruments->core, i);
        gap = gap || found == NULL;
        if (found != NULL) {
            *cell_of(instruments, found->id) = found;
        }
        if (!gap) {
            instruments->listed = i + 1;
        }
    }
}

int sbe_instruments_init(sbe_instruments *instruments, const matching_core *core)
{
    size_t cells = 2;
    while (cells < 2 * matching_core_instrument_limit(core)) {
        cells *= 2;
    }
    *instruments = (sbe_instruments){.core = core, .mask = cells - 1};
    instruments->cells = calloc(cells, sizeof(const matching_instrument *));
    if (instruments->cells == NULL) {
        return -ENOMEM;
    }
    take_up(instruments);
    return 0;
}

void sbe_instruments_fini(sbe_instruments *instruments)
{
    free(instruments->cells);
    *instruments = (sbe_instruments){.core = NULL};
}

const matching_instrument *sbe_instruments_find(sbe_instruments *instruments, uint32_t id)
{
    const matching_instrument *found = *cell_of(instruments, id);
    if (found == NULL) {
        take_up(instruments);
        found = *cell_of(instruments, id);
    }
    return found;
}
