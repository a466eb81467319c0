/* See folder.h. */
#define _GNU_SOURCE
#include "folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "journal/checksum.h"

static void broken(const char *what)
{
    perror(what);
    exit(1);
}

void folder_make(folder *f)
{
    const char *below = getenv("TMPDIR");
    snprintf(f->path, sizeof f->path, "%s/matching-test-XXXXXX", below != NULL ? below : "/tmp");
    if (mkdtemp(f->path) == NULL) {
        broken(f->path);
    }
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

void folder_remove(const folder *f)
{
    nftw(f->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static const char *suffix_wanted;

static int ends_so(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name), wanted = strlen(suffix_wanted);
    return length >= wanted && strcmp(entry->d_name + length - wanted, suffix_wanted) == 0;
}

/* The names of shard 0, in order; the caller frees. */
static int list(const folder *f, const char *suffix, struct dirent ***names)
{
    char path[300];
    snprintf(path, sizeof path, "%s/shard-00", f->path);
    suffix_wanted = suffix;
    int count = scandir(path, names, ends_so, alphasort);
    if (count < 0) {
        broken(path);
    }
    return count;
}

static void free_names(struct dirent **names, int count)
{
    for (int i = 0; i < count; i++) {
        free(names[i]);
    }
    free(names);
}

unsigned folder_count(const folder *f, const char *suffix)
{
    struct dirent **names;
    int count = list(f, suffix, &names);
    free_names(names, count);
    return (unsigned)count;
}

static void pick(const folder *f, const char *suffix, bool last, char *path, unsigned size)
{
    struct dirent **names;
    int count = list(f, suffix, &names);
    path[0] = 0;
    if (count > 0) {
        snprintf(path, size, "%s/shard-00/%s", f->path, names[last ? count - 1 : 0]->d_name);
    }
    free_names(names, count);
}

void folder_first(const folder *f, const char *suffix, char *path, unsigned size)
{
    pick(f, suffix, false, path, size);
}

void folder_last(const folder *f, const char *suffix, char *path, unsigned size)
{
    pick(f, suffix, true, path, size);
}

void folder_flip(const char *path, uint64_t offset)
{
    unsigned char byte = 0;
    int fd = open(path, O_RDWR);
    if (fd < 0 || pread(fd, &byte, 1, (off_t)offset) != 1) {
        broken(path);
    }
    byte ^= 0x10;
    if (pwrite(fd, &byte, 1, (off_t)offset) != 1 || close(fd) != 0) {
        broken(path);
    }
}

void folder_put(const char *path, const char *name, const char *text)
{
    char file[600];
    snprintf(file, sizeof file, "%s/%s", path, name);
    FILE *out = fopen(file, "w");
    if (out == NULL || fputs(text, out) == EOF || fclose(out) != 0) {
        broken(file);
    }
}

void folder_put_unfinished(const folder *f)
{
    static const char *const names[] = {"BEGUN.tmp", "shard-00/00000000000000000009.snapshot.tmp",
                                        "shard-00/00000000000000000001.journal.old.tmp"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        folder_put(f->path, names[i], "x");
    }
}

void folder_put_sealed(const folder *f, const char *name, const char *lines)
{
    char text[2000];
    int length = snprintf(text, sizeof text, "%schecksum %08x\n", lines,
                          checksum_crc32c(0, lines, strlen(lines)));
    if (length >= (int)sizeof text) {
        broken(name);
    }
    folder_put(f->path, name, text);
}

static uint64_t sum; /* of what has been walked over, in whatever order that was */
static size_t root_length;

static int add_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    uint64_t own = 0xcbf29ce484222325u;
    (void)status;
    if (strcmp(path + where->base, "LOCK") == 0) {
        return 0;
    }
    for (const char *at = path + root_length; *at != 0; at++) {
        own = (own ^ (unsigned char)*at) * 0x100000001b3u;
    }
    FILE *file = kind == FTW_F ? fopen(path, "rb") : NULL;
    if (kind == FTW_F && file == NULL) {
        broken(path);
    }
    for (int byte; file != NULL && (byte = getc(file)) != EOF;) {
        own = (own ^ (unsigned char)byte) * 0x100000001b3u;
    }
    if (file != NULL) {
        fclose(file);
    }
    sum += own;
    return 0;
}

uint64_t folder_sum(const folder *f)
{
    sum = 0;
    root_length = strlen(f->path);
    if (nftw(f->path, add_one, 16, FTW_PHYS) != 0) {
        broken(f->path);
    }
    return sum;
}
