/* See kept_candles.h. */
#include "market/kept_candles.h"

#include <stdlib.h>

#define FIRST_ROOM 8u

void kept_candles_fini(kept_candles *kept)
{
    free(kept->ring);
    *kept = (kept_candles){0};
}

void kept_candles_clear(kept_candles *kept)
{
    kept->first = kept->count = 0;
    kept->has_dropped = false;
}

/* The ring is full and has not turned yet: it may become larger. */
static void grow(kept_candles *kept, size_t most)
{
    size_t room = kept->room == 0 ? FIRST_ROOM : 2 * kept->room;
    room = room < most ? room : most;
    matching_candle *larger = realloc(kept->ring, room * sizeof *larger);
    if (larger != NULL) {
        kept->ring = larger;
        kept->room = room;
    }
}

void kept_candles_add(kept_candles *kept, const matching_candle *candle, size_t most)
{
    if (kept->count == kept->room && kept->room < most && kept->first == 0) {
        grow(kept, most);
    }
    if (kept->room == 0) {
        kept->has_dropped = true; /* not even memory for the first */
        return;
    }
    if (kept->count == kept->room) {
        kept->first = (kept->first + 1) % kept->room;
        kept->count--;
        kept->has_dropped = true;
    }
    kept->ring[(kept->first + kept->count++) % kept->room] = *candle;
}

const matching_candle *kept_candles_at(const kept_candles *kept, size_t number)
{
    return number < kept->count ? &kept->ring[(kept->first + number) % kept->room] : NULL;
}

size_t kept_candles_find(const kept_candles *kept, uint64_t start_s)
{
    size_t low = 0, high = kept->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (kept_candles_at(kept, middle)->start_s < start_s) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}
