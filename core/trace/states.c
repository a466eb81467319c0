/* See states.h.
 *
 * Invariants: a place's turn is twice its text's number, plus one while it is written; every store
 * that a reader may see is a release and every load of a reader an acquire, so a reader that has
 * seen any part of another text finds the turn changed.
 */
#include "trace/states.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define WORDS (TRACE_STATE_MAX / sizeof(uint64_t))

typedef struct place {
    _Atomic uint64_t turn; /* 0: nothing yet */
    _Atomic uint64_t length;
    _Atomic uint64_t words[WORDS];
} place;

static struct {
    place *places;
    size_t count;
    _Atomic uint32_t latest;
} the;

bool trace_states_start(size_t places)
{
    assert(the.places == NULL);
    the.places = calloc(places, sizeof *the.places);
    the.count = the.places != NULL ? places : 0;
    return the.places != NULL;
}

void trace_states_free(void)
{
    free(the.places);
    the.places = NULL;
    the.count = 0;
}

static void store(_Atomic uint64_t *to, uint64_t value)
{
    atomic_store_explicit(to, value, memory_order_release);
}

static uint64_t load(const _Atomic uint64_t *from)
{
    return atomic_load_explicit(from, memory_order_acquire);
}

uint32_t trace_states_put(const char *text, size_t length)
{
    uint64_t words[WORDS] = {0};
    assert(length <= TRACE_STATE_MAX);
    uint32_t number = atomic_fetch_add_explicit(&the.latest, 1, memory_order_relaxed) + 1;
    if (the.count == 0 || length == 0 || number == 0) {
        return 0;
    }
    place *own = &the.places[number % the.count];
    uint64_t before = atomic_load_explicit(&own->turn, memory_order_relaxed);
    if (before % 2 != 0 ||
        !atomic_compare_exchange_strong(&own->turn, &before, (uint64_t)number * 2 + 1)) {
        return 0;
    }
    memcpy(words, text, length);
    store(&own->length, length);
    for (size_t i = 0; i * sizeof words[0] < length; i++) {
        store(&own->words[i], words[i]);
    }
    store(&own->turn, (uint64_t)number * 2);
    return number;
}

size_t trace_states_read(uint32_t number, char text[TRACE_STATE_MAX])
{
    uint64_t words[WORDS];
    if (the.count == 0 || number == 0) {
        return 0;
    }
    const place *from = &the.places[number % the.count];
    if (load(&from->turn) != (uint64_t)number * 2) {
        return 0;
    }
    size_t length = load(&from->length);
    length = length < TRACE_STATE_MAX ? length : TRACE_STATE_MAX;
    for (size_t i = 0; i * sizeof words[0] < length; i++) {
        words[i] = load(&from->words[i]);
    }
    if (load(&from->turn) != (uint64_t)number * 2) {
        return 0;
    }
    memcpy(text, words, length);
    return length;
}
