/* See removal.h. */
#define _GNU_SOURCE
#include "journal/removal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PIECE 1048576u   /* given back at once: less than a millisecond's work */
#define REST_NS 2000000l /* after a piece */
#define SEGMENTS_KEPT 2  /* a snapshot makes about so many superfluous */
#define SNAPSHOT_KEPT "snapshot" REMOVAL_END

int removal_rename(const char *path)
{
    char to[DATA_DIR_PATH_SIZE + sizeof REMOVAL_END];
    snprintf(to, sizeof to, "%s" REMOVAL_END, path);
    return rename(path, to) == 0 ? 0 : -errno;
}

static bool is_stopped(const atomic_bool *stop)
{
    return stop != NULL && atomic_load(stop);
}

int removal_shorten(int fd, uint64_t size, const atomic_bool *stop)
{
    const struct timespec rest = {.tv_nsec = REST_NS};
    struct stat status;
    if (fstat(fd, &status) != 0) {
        return -errno;
    }
    uint64_t has = (uint64_t)status.st_size;
    while (has > size && !is_stopped(stop)) {
        has = has - size > PIECE ? has - PIECE : size;
        if (ftruncate(fd, (off_t)has) != 0) {
            return -errno;
        }
        if (has > size) {
            nanosleep(&rest, NULL);
        }
    }
    return has > size ? -ECANCELED : 0;
}

static void give_back(const char *path, bool gently, const atomic_bool *stop)
{
    int fd = gently ? open(path, O_WRONLY | O_CLOEXEC) : -1;
    int code = fd >= 0 ? removal_shorten(fd, 0, stop) : 0;
    if (fd >= 0) {
        close(fd);
    }
    if (code != -ECANCELED) {
        unlink(path);
    }
}

/* Gives the file the name `kept` unless there is one of that name. */
static bool keep(const data_dir *dir, unsigned shard, const char *path, const char *kept)
{
    char to[DATA_DIR_PATH_SIZE];
    return data_dir_file_path(dir, shard, kept, to) && access(to, F_OK) != 0 &&
           rename(path, to) == 0;
}

static void segment_name(unsigned which, char name[32])
{
    snprintf(name, 32, "segment-%u" REMOVAL_END, which);
}

static bool is_kept(const data_dir *dir, unsigned shard, const char *path, const char *name)
{
    char kept[32];
    if (strstr(name, DATA_DIR_SNAPSHOT REMOVAL_END) != NULL) {
        return keep(dir, shard, path, SNAPSHOT_KEPT);
    }
    for (unsigned i = 0; i < SEGMENTS_KEPT; i++) {
        segment_name(i, kept);
        if (keep(dir, shard, path, kept)) {
            return true;
        }
    }
    return false;
}

/* The path of a file of the shard that has lost its name; those that are kept have no digits in
 * front. */
static bool is_nameless(const data_dir *dir, unsigned shard, const char *name, char *path)
{
    size_t length = strlen(name), end = sizeof REMOVAL_END - 1;
    return length > end && strcmp(name + length - end, REMOVAL_END) == 0 && name[0] >= '0' &&
           name[0] <= '9' && data_dir_file_path(dir, shard, name, path);
}

void removal_give_back(const data_dir *dir, unsigned shard, bool gently, const atomic_bool *stop)
{
    char path[DATA_DIR_PATH_SIZE];
    DIR *folder = data_dir_shard_path(dir, shard, path) ? opendir(path) : NULL;
    if (folder == NULL) {
        return;
    }
    for (struct dirent *entry; !is_stopped(stop) && (entry = readdir(folder)) != NULL;) {
        if (is_nameless(dir, shard, entry->d_name, path) &&
            (!gently || !is_kept(dir, shard, path, entry->d_name))) {
            give_back(path, gently, stop);
        }
    }
    closedir(folder);
}

bool removal_take_segment(int folder_fd, const char *name)
{
    char kept[32];
    for (unsigned i = 0; i < SEGMENTS_KEPT; i++) {
        segment_name(i, kept);
        if (renameat(folder_fd, kept, folder_fd, name) == 0) {
            return true;
        }
    }
    return false;
}

bool removal_take_snapshot(int folder_fd, const char *name)
{
    return renameat(folder_fd, SNAPSHOT_KEPT, folder_fd, name) == 0;
}

void removal_clean(const data_dir *dir, unsigned shard)
{
    char path[DATA_DIR_PATH_SIZE], kept[32];
    removal_give_back(dir, shard, false, NULL);
    for (unsigned i = 0; i < SEGMENTS_KEPT; i++) {
        segment_name(i, kept);
        if (data_dir_file_path(dir, shard, kept, path)) {
            unlink(path);
        }
    }
    if (data_dir_file_path(dir, shard, SNAPSHOT_KEPT, path)) {
        unlink(path);
    }
}
