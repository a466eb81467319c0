/* Reads GOLDEN_MESSAGES, which the build names. */
#include "golden.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static golden_message messages[GOLDEN_MAX];
static size_t count;

static void give_up(const char *what)
{
    fprintf(stderr, "%s: %s\n", GOLDEN_MESSAGES, what);
    exit(EXIT_FAILURE);
}

static void take_line(const char *line)
{
    char hex[2 * SBE_MESSAGE_BYTES_MAX + 1];
    golden_message *message = &messages[count];
    if (count == GOLDEN_MAX || sscanf(line, "%39s %176s", message->name, hex) != 2) {
        give_up("not a golden message");
    }
    message->length = strlen(hex) / 2;
    for (size_t i = 0; i < message->length; i++) {
        unsigned byte;
        if (sscanf(hex + 2 * i, "%2x", &byte) != 1) {
            give_up("not hexadecimal");
        }
        message->bytes[i] = (uint8_t)byte;
    }
    count++;
}

size_t golden_messages(const golden_message **all)
{
    *all = messages;
    if (count > 0) {
        return count;
    }
    char line[512];
    FILE *file = fopen(GOLDEN_MESSAGES, "r");
    if (file == NULL) {
        give_up("cannot be read");
    }
    while (fgets(line, sizeof line, file) != NULL) {
        if (line[0] != '#') {
            take_line(line);
        }
    }
    fclose(file);
    return count;
}

const golden_message *golden_find(const char *name)
{
    const golden_message *all;
    size_t found = golden_messages(&all);
    for (size_t i = 0; i < found; i++) {
        if (strcmp(all[i].name, name) == 0) {
            return &all[i];
        }
    }
    give_up(name);
    return NULL;
}
