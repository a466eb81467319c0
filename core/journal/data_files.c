/* The names of files in a data directory, and which of them there are. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "journal/data_dir.h"

#define DIGITS 20 /* of a sequence in a name */

bool data_dir_file_path(const data_dir *dir, unsigned shard, const char *name, char *out)
{
    int length = snprintf(out, DATA_DIR_PATH_SIZE, "%s/shard-%02u/%s", dir->path, shard, name);
    return length >= 0 && length < DATA_DIR_PATH_SIZE;
}

bool data_dir_shard_path(const data_dir *dir, unsigned shard, char *out)
{
    int length = snprintf(out, DATA_DIR_PATH_SIZE, "%s/shard-%02u", dir->path, shard);
    return length >= 0 && length < DATA_DIR_PATH_SIZE;
}

static bool sequence_path(const data_dir *dir, unsigned shard, uint64_t sequence,
                          const char *suffix, char *out)
{
    char name[DIGITS + 16];
    snprintf(name, sizeof name, "%0*" PRIu64 "%s", DIGITS, sequence, suffix);
    return data_dir_file_path(dir, shard, name, out);
}

bool data_dir_journal_path(const data_dir *dir, unsigned shard, uint64_t sequence, char *out)
{
    return sequence_path(dir, shard, sequence, DATA_DIR_JOURNAL, out);
}

bool data_dir_snapshot_path(const data_dir *dir, unsigned shard, uint64_t sequence, char *out)
{
    return sequence_path(dir, shard, sequence, DATA_DIR_SNAPSHOT, out);
}

/* Is the name a sequence with the suffix? */
static bool parse_name(const char *name, const char *suffix, uint64_t *sequence)
{
    for (size_t i = 0; i < DIGITS; i++) {
        if (!isdigit((unsigned char)name[i])) {
            return false;
        }
    }
    errno = 0;
    *sequence = strtoull(name, NULL, 10);
    return errno == 0 && strcmp(name + DIGITS, suffix) == 0;
}

static int compare(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

/* Appends all of the folder's; the list grows by doubling. Returns how many, or -errno. */
static long collect(DIR *folder, const char *suffix, uint64_t **list)
{
    long count = 0, room = 0;
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(folder);
        if (entry == NULL) {
            return errno != 0 ? -errno : count;
        }
        uint64_t sequence;
        if (!parse_name(entry->d_name, suffix, &sequence)) {
            continue;
        }
        if (count == room) {
            room = room > 0 ? 2 * room : 64;
            uint64_t *larger = realloc(*list, (size_t)room * sizeof *larger);
            if (larger == NULL) {
                return -ENOMEM;
            }
            *list = larger;
        }
        (*list)[count++] = sequence;
    }
}

long data_dir_list(const data_dir *dir, unsigned shard, const char *suffix, uint64_t **sequences)
{
    char path[DATA_DIR_PATH_SIZE];
    *sequences = NULL;
    if (!data_dir_shard_path(dir, shard, path)) {
        return -ENAMETOOLONG;
    }
    DIR *folder = opendir(path);
    if (folder == NULL) {
        return -errno;
    }
    uint64_t *list = NULL;
    long count = collect(folder, suffix, &list);
    closedir(folder);
    if (count <= 0) {
        free(list);
        return count;
    }
    qsort(list, (size_t)count, sizeof *list, compare);
    *sequences = list;
    return count;
}

int data_dir_open_shard(const data_dir *dir, unsigned shard)
{
    char path[DATA_DIR_PATH_SIZE];
    if (!data_dir_shard_path(dir, shard, path)) {
        return -ENAMETOOLONG;
    }
    bool is_held = dir->lock_fd >= 0;
    const char *name = is_held ? strrchr(path, '/') + 1 : path;
    int fd = openat(is_held ? dir->folder_fd : AT_FDCWD, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 ? fd : -errno;
}

int data_dir_sync(const data_dir *dir, unsigned shard)
{
    int fd = data_dir_open_shard(dir, shard);
    if (fd < 0) {
        return fd;
    }
    int result;
    do {
        result = fsync(fd) == 0 ? 0 : -errno;
    } while (result == -EINTR); /* it did not finish; any other failure is final */
    close(fd);
    return result;
}
