/* A folder that lives as long as a test. */
#ifndef MATCHING_TESTS_FOLDER_H
#define MATCHING_TESTS_FOLDER_H

#include <stdint.h>

typedef struct folder {
    char path[256];
} folder;

/* Below TMPDIR or /tmp. remove takes everything in it along. */
void folder_make(folder *f);
void folder_remove(const folder *f);

/* How many files of shard 0 end so; the path of the first or last of them by name ("" : none). */
unsigned folder_count(const folder *f, const char *suffix);
void folder_first(const folder *f, const char *suffix, char *path, unsigned size);
void folder_last(const folder *f, const char *suffix, char *path, unsigned size);

/* Changes a byte of a file. */
void folder_flip(const char *path, uint64_t offset);

/* Files as an interrupted start, snapshot and removal leave them, each with a byte. */
void folder_put_unfinished(const folder *f);

/* A file of any folder, with this text. */
void folder_put(const char *path, const char *name, const char *text);

/* The file of the folder with these lines and a last one with their checksum. */
void folder_put_sealed(const folder *f, const char *name, const char *lines);

/* A number that stands for all names and bytes in it, but for LOCK, which tells who looked at it
 * last. */
uint64_t folder_sum(const folder *f);

#endif
