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
    unsigned char byte;
    int fd = open(path, O_RDWR);
    if (fd < 0 || pread(fd, &byte, 1, (off_t)offset) != 1) {
        broken(path);
    }
    byte ^= 0x10;
    if (pwrite(fd, &byte, 1, (off_t)offset) != 1 || close(fd) != 0) {
        broken(path);
    }
}

void folder_put_sealed(const folder *f, const char *name, const char *lines)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s", f->path, name);
    FILE *file = fopen(path, "w");
    if (file == NULL ||
        fprintf(file, "%schecksum %08x\n", lines, checksum_crc32c(0, lines, strlen(lines))) < 0 ||
        fclose(file) != 0) {
        broken(path);
    }
}

static uint64_t sum;

static int add_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status;
    (void)where;
    for (const char *at = path; *at != 0; at++) {
        sum = (sum ^ (unsigned char)*at) * 0x100000001b3u;
    }
    if (kind != FTW_F) {
        return 0;
    }
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        broken(path);
    }
    for (int byte = getc(file); byte != EOF; byte = getc(file)) {
        sum = (sum ^ (unsigned char)byte) * 0x100000001b3u;
    }
    fclose(file);
    return 0;
}

uint64_t folder_sum(const folder *f)
{
    struct dirent **names;
    int count = list(f, "", &names); /* the order of a walk is the file system's */
    uint64_t all = 0;
    for (int i = 0; i < count; i++) {
        char path[600];
        snprintf(path, sizeof path, "%s/shard-00/%s", f->path, names[i]->d_name);
        sum = 0xcbf29ce484222325u;
        nftw(path, add_one, 16, FTW_PHYS);
        all = all * 31 + sum;
    }
    free_names(names, count);
    return all;
}
