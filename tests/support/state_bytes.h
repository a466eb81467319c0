/* Saved state in memory: an output that grows and an input that ends.
 *
 * Header only, for what is on both sides of core: tests of the engine, of books, of snapshots.
 */
#ifndef MATCHING_TESTS_STATE_BYTES_H
#define MATCHING_TESTS_STATE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/state.h"

typedef struct state_bytes {
    unsigned char *bytes;
    size_t size, room;
    size_t at;    /* read so far */
    size_t limit; /* writing: no more than that is taken; 0: any number */
} state_bytes;

static inline bool state_bytes_write(void *context, const void *bytes, size_t size)
{
    state_bytes *s = (state_bytes *)context;
    if (s->limit != 0 && size > s->limit - s->size) {
        return false;
    }
    if (size > s->room - s->size) {
        s->room = 2 * (s->size + size);
        s->bytes = (unsigned char *)realloc(s->bytes, s->room);
        if (s->bytes == NULL) {
            fprintf(stderr, "out of memory\n");
            abort();
        }
    }
    if (size > 0) { /* nothing may be at NULL */
        memcpy(s->bytes + s->size, bytes, size);
    }
    s->size += size;
    return true;
}

static inline bool state_bytes_read(void *context, void *bytes, size_t size)
{
    state_bytes *s = (state_bytes *)context;
    if (size > s->size - s->at) {
        return false;
    }
    memcpy(bytes, s->bytes + s->at, size);
    s->at += size;
    return true;
}

/* Empty, to be written again. */
static inline matching_state_output state_bytes_output(state_bytes *s)
{
    s->size = 0;
    return (matching_state_output){state_bytes_write, s};
}

/* From the beginning. */
static inline matching_state_input state_bytes_input(state_bytes *s)
{
    s->at = 0;
    return (matching_state_input){state_bytes_read, s};
}

static inline bool state_bytes_equal(const state_bytes *a, const state_bytes *b)
{
    return a->size == b->size && (a->size == 0 || memcmp(a->bytes, b->bytes, a->size) == 0);
}

static inline void state_bytes_free(state_bytes *s)
{
    free(s->bytes);
    *s = (state_bytes){0};
}

#endif
