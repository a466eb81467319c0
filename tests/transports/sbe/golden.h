/* The messages of golden/messages.txt for tests: bytes that were put together apart from the
 * program. */
#ifndef MATCHING_TESTS_SBE_GOLDEN_H
#define MATCHING_TESTS_SBE_GOLDEN_H

#include <stddef.h>
#include <stdint.h>

#include "sbe_messages.h"

#define GOLDEN_MAX 40

typedef struct golden_message {
    char name[40];
    uint8_t bytes[SBE_MESSAGE_BYTES_MAX];
    size_t length;
} golden_message;

/* All of them, read once. A file that cannot be read ends the program. */
size_t golden_messages(const golden_message **messages);

/* The one of that name; ends the program if there is none. */
const golden_message *golden_find(const char *name);

#endif
