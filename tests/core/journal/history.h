/* What is in a shard's journal, read without the project's reader: every byte is looked at. */
#ifndef MATCHING_TESTS_JOURNAL_HISTORY_H
#define MATCHING_TESTS_JOURNAL_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "journal/data_dir.h"
#include "journal/reader.h"
#include "matching/command.h"

#define HISTORY_SEGMENTS 256

typedef struct history {
    matching_command *commands; /* sequences 1, 2, ...; heap */
    uint64_t count;
    uint64_t claims; /* records */
    unsigned segments;
    uint64_t first[HISTORY_SEGMENTS]; /* sequence of each segment, ... */
    uint64_t size[HISTORY_SEGMENTS];  /* ... its file's size, ... */
    uint64_t used[HISTORY_SEGMENTS];  /* ... and where its records end */
    journal_position end;
    char trouble[256]; /* "": all is as docs/journal.md has it */
} history;

/* True unless something is wrong; then trouble says what. */
bool history_read(history *h, const data_dir *dir, unsigned shard);
void history_free(history *h);

#endif
