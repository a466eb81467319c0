/* A ring by number. Invariants: tail - head <= room <= SBE_OWED_MAX; the messages have as much room
 * as the lengths, or none.
 */
#include "owed.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 64u

void sbe_owed_fini(sbe_owed *owed)
{
    free(owed->lengths);
    free(owed->messages);
    *owed = (sbe_owed){0};
}

static size_t place_of(const sbe_owed *owed, uint64_t number)
{
    return (size_t)(number & (owed->room - 1));
}

/* Twice the room. What is owed keeps its numbers, not its places. */
bool sbe_owed_reserve(sbe_owed *owed)
{
    if (sbe_owed_count(owed) < owed->room) {
        return true;
    }
    if (owed->room == SBE_OWED_MAX) {
        return false;
    }
    sbe_owed larger = *owed;
    larger.room = owed->room == 0 ? FIRST_ROOM : 2 * owed->room;
    larger.lengths = malloc(larger.room);
    larger.messages = owed->messages == NULL ? NULL : malloc(larger.room * sizeof *larger.messages);
    if (larger.lengths == NULL || (owed->messages != NULL && larger.messages == NULL)) {
        free(larger.lengths);
        free(larger.messages);
        return false;
    }
    for (uint64_t number = owed->head; number < owed->tail; number++) {
        size_t from = place_of(owed, number), to = place_of(&larger, number);
        larger.lengths[to] = owed->lengths[from];
        if (owed->messages != NULL) {
            memcpy(larger.messages[to], owed->messages[from], sizeof larger.messages[to]);
        }
    }
    free(owed->lengths);
    free(owed->messages);
    *owed = larger;
    return true;
}

bool sbe_owed_store(sbe_owed *owed, uint64_t number, const uint8_t *message, size_t length)
{
    if (owed->messages == NULL) {
        owed->messages = malloc(owed->room * sizeof *owed->messages);
        if (owed->messages == NULL) {
            return false;
        }
    }
    size_t at = place_of(owed, number);
    memcpy(owed->messages[at], message, length);
    owed->lengths[at] = (uint8_t)length;
    owed->stored++;
    return true;
}

bool sbe_owed_add_message(sbe_owed *owed, const uint8_t *message, size_t length)
{
    uint64_t number = owed->tail;
    sbe_owed_add(owed, SBE_OWED_NOTHING);
    return sbe_owed_store(owed, number, message, length);
}
