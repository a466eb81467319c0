/* Opening a data directory: LOCK, the shards' folders, and what is in them. MANIFEST and BEGUN are
 * in manifest.c.
 *
 * Invariants: a directory with a MANIFEST has all its folders, for they are made and synced before
 * it, so a folder that is missing later is a loss and not a fresh start; in one with BEGUN each of
 * them has commands, so likewise an empty one. Nothing is written to a
 * directory that is refused. MANIFEST never changes once it has its name,
 * but for the identity that an older one gets.
 */
#define _GNU_SOURCE /* flock */
#include "journal/data_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "journal/manifest.h"
#include "matching/core.h"

#define PID_SIZE 32

/* ---- What is in a directory ------------------------------------------------------------------ */

static bool ends_with(const char *name, const char *end)
{
    size_t length = strlen(name);
    return length >= strlen(end) && strcmp(name + length - strlen(end), end) == 0;
}

static bool is_unfinished(const char *name, const char *path)
{
    (void)path;
    return ends_with(name, ".tmp");
}

/* May a directory without a MANIFEST hold this? What an interrupted beginning of ours leaves, and
 * what every file system's top folder has. */
static bool is_beginning(const char *name, const char *path)
{
    unsigned shard;
    char rest;
    if (strcmp(name, "LOCK") == 0 || strcmp(name, "MANIFEST.tmp") == 0 ||
        strcmp(name, "lost+found") == 0) {
        return true;
    }
    if (sscanf(name, "shard-%2u%c", &shard, &rest) != 1) {
        return false;
    }
    DIR *folder = opendir(path);
    bool empty = folder != NULL;
    for (struct dirent *entry; empty && (entry = readdir(folder)) != NULL;) {
        empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    }
    if (folder != NULL) {
        closedir(folder);
    }
    return empty;
}

/* Calls `visit` for each name in the folder but . and .., with its path, and hands out the first
 * one that it says `stop_at` to. 1: found; 0: not; or a negative errno. */
static int find_entry(const char *folder_path, bool (*visit)(const char *name, const char *path),
                      bool stop_at, char found[DATA_DIR_PATH_SIZE])
{
    DIR *folder = opendir(folder_path);
    if (folder == NULL) {
        return -errno;
    }
    int result = 0;
    while (result == 0) {
        errno = 0;
        struct dirent *entry = readdir(folder);
        if (entry == NULL) {
            result = -errno;
            break;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        int length = snprintf(found, DATA_DIR_PATH_SIZE, "%s/%s", folder_path, entry->d_name);
        if (length >= DATA_DIR_PATH_SIZE) {
            result = -ENAMETOOLONG;
        } else if (visit(entry->d_name, found) == stop_at) {
            result = 1;
        }
    }
    closedir(folder);
    return result;
}

/* 0, or a negative errno when the directory belongs to somebody else. */
static int refuse_foreign(const data_dir *dir, char *error, size_t error_size)
{
    char found[DATA_DIR_PATH_SIZE];
    int result = find_entry(dir->path, is_beginning, false, found);
    if (result < 0) {
        return manifest_fail(error, error_size, -result, "%s cannot be read: %s", dir->path,
                             strerror(-result));
    }
    if (result > 0) {
        return manifest_fail(
            error, error_size, ENOTEMPTY,
            "%s is no data directory of matching: it has no MANIFEST, but there is %s; "
            "name another with --data-dir, or put the MANIFEST back if it was lost",
            dir->path, found);
    }
    return 0;
}

/* Calls it for the directory and each shard's folder: 0, or the first negative errno. */
static int for_each_folder(const data_dir *dir,
                           int (*look_at)(const char *folder, char *error, size_t error_size),
                           char *error, size_t error_size)
{
    char folder[DATA_DIR_PATH_SIZE];
    int result = look_at(dir->path, error, error_size);
    for (unsigned i = 0; result == 0 && i < dir->shards; i++) {
        result = data_dir_shard_path(dir, i, folder)
                     ? look_at(folder, error, error_size)
                     : manifest_fail(error, error_size, ENAMETOOLONG, "%s: the path is too long",
                                     dir->path);
    }
    return result;
}

static int refuse_unreadable(const char *folder, char *error, size_t error_size)
{
    char found[DATA_DIR_PATH_SIZE];
    int result = find_entry(folder, is_unfinished, true, found);
    return result >= 0 ? 0
                       : manifest_fail(error, error_size, result == -ENOENT ? EBADMSG : -result,
                                       "%s cannot be read: %s; a shard's folder is "
                                       "part of the history, restore it from a copy",
                                       folder, strerror(-result));
}

static int remove_from(const char *folder, char *error, size_t error_size)
{
    char found[DATA_DIR_PATH_SIZE];
    int result;
    while ((result = find_entry(folder, is_unfinished, true, found)) > 0) {
        if (unlink(found) != 0) {
            int code = errno;
            return manifest_fail(error, error_size, code, "%s cannot be removed: %s", found,
                                 strerror(code));
        }
    }
    return result == 0 ? 0 : refuse_unreadable(folder, error, error_size);
}

int data_dir_remove_unfinished(const data_dir *dir, char *error, size_t error_size)
{
    return for_each_folder(dir, remove_from, error, error_size);
}

/* ---- The lock -------------------------------------------------------------------------------- */

/* Two locks: that of the folder itself, which nobody can take away from under a process by deleting
 * a file, and that of LOCK, which tells who holds them. A program that knows LOCK alone is refused
 * by that, and refuses this one by it. */

/* A tool that asks whether somebody writes here has a lock for a moment: that refuses nobody. */
static int lock_file(int fd)
{
    const struct timespec moment = {.tv_nsec = 10000000};
    for (int attempt = 0;; attempt++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
            return 0;
        }
        if (errno != EWOULDBLOCK || attempt == 4) {
            return -errno;
        }
        nanosleep(&moment, NULL);
    }
}

/* There are file systems that lock files only. */
static bool has_no_folder_locks(int code)
{
    return code == EBADF || code == EINVAL || code == ENOLCK || code == EOPNOTSUPP;
}

static int fail_in_use(const data_dir *dir, const char *lock, char *error, size_t error_size)
{
    char pid[PID_SIZE] = "";
    int fd = open(lock, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? 0 : pread(fd, pid, sizeof pid - 1, 0);
    pid[size > 0 ? size : 0] = '\0';
    pid[strcspn(pid, "\n")] = '\0';
    if (fd >= 0) {
        close(fd);
    }
    return manifest_fail(error, error_size, EBUSY,
                         "%s is in use by process %s; stop that first, or name another directory "
                         "with --data-dir",
                         dir->path, *pid ? pid : "(unknown, its LOCK was deleted)");
}

static int lock_folder(data_dir *dir, const char *lock, char *error, size_t error_size)
{
    int fd = open(dir->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        int code = errno;
        return manifest_fail(error, error_size, code, "%s cannot be opened: %s", dir->path,
                             strerror(code));
    }
    int denied = -lock_file(fd);
    if (denied != 0 && !has_no_folder_locks(denied)) {
        close(fd);
        return denied == EWOULDBLOCK
                   ? fail_in_use(dir, lock, error, error_size)
                   : manifest_fail(error, error_size, denied, "%s cannot be locked: %s", dir->path,
                                   strerror(denied));
    }
    dir->folder_fd = fd;
    return 0;
}

static int lock_named(data_dir *dir, const char *lock, char *error, size_t error_size)
{
    char pid[PID_SIZE];
    int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0) {
        int code = errno;
        return manifest_fail(error, error_size, code,
                             "%s cannot be opened: %s; the data directory must be writable", lock,
                             strerror(code));
    }
    int denied = -lock_file(fd);
    if (denied != 0) {
        close(fd);
        return denied == EWOULDBLOCK
                   ? fail_in_use(dir, lock, error, error_size)
                   : manifest_fail(error, error_size, denied, "%s cannot be locked: %s", lock,
                                   strerror(denied));
    }
    int length = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    errno = EIO; /* a short write leaves no reason */
    if (ftruncate(fd, 0) != 0 || pwrite(fd, pid, (size_t)length, 0) != length) {
        int code = errno;
        close(fd);
        return manifest_fail(error, error_size, code, "%s cannot be written: %s", lock,
                             strerror(code));
    }
    dir->lock_fd = fd;
    return 0;
}

static int take_lock(data_dir *dir, char *error, size_t error_size)
{
    char lock[DATA_DIR_PATH_SIZE + 16];
    snprintf(lock, sizeof lock, "%s/LOCK", dir->path);
    int result = lock_folder(dir, lock, error, error_size);
    if (result == 0) {
        result = lock_named(dir, lock, error, error_size);
        if (result < 0) {
            close(dir->folder_fd);
        }
    }
    return result;
}

/* Is the lock of the file or folder held? It is asked for, shared with others that ask. */
static bool is_locked(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    bool held = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    close(fd);
    return held;
}

bool data_dir_is_in_use(const char *path)
{
    char lock[DATA_DIR_PATH_SIZE];
    return is_locked(path) ||
           (snprintf(lock, sizeof lock, "%s/LOCK", path) < (int)sizeof lock && is_locked(lock));
}

bool data_dir_is_in_place(const data_dir *dir)
{
    struct stat held, named;
    return dir->lock_fd < 0 || (fstat(dir->folder_fd, &held) == 0 && stat(dir->path, &named) == 0 &&
                                held.st_dev == named.st_dev && held.st_ino == named.st_ino);
}

void data_dir_close(data_dir *dir)
{
    if (dir->lock_fd >= 0) {
        close(dir->lock_fd);
        close(dir->folder_fd);
    }
    dir->lock_fd = -1;
}

/* ---- Opening --------------------------------------------------------------------------------- */

static int set_path(data_dir *dir, const char *path, char *error, size_t error_size)
{
    memset(dir, 0, sizeof *dir);
    dir->lock_fd = -1;
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/') {
        length--;
    }
    if (length == 0 || length > DATA_DIR_PATH_SIZE - 64) { /* the files' names come after it */
        return manifest_fail(error, error_size, length == 0 ? EINVAL : ENAMETOOLONG,
                             "the data directory's path is %s", length == 0 ? "empty" : "too long");
    }
    memcpy(dir->path, path, length);
    return 0;
}

static int find_folder(const data_dir *dir, char *error, size_t error_size)
{
    struct stat status;
    if (stat(dir->path, &status) != 0) {
        int code = errno;
        return manifest_fail(error, error_size, code, "the data directory %s cannot be read: %s",
                             dir->path, strerror(code));
    }
    if (!S_ISDIR(status.st_mode)) {
        return manifest_fail(error, error_size, ENOTDIR, "%s is a file, not a data directory",
                             dir->path);
    }
    return 0;
}

/* Makes the directory unless it is there. Folders above it are not made: one that is missing is
 * rather a disk that is not mounted. */
static int make_folder(const data_dir *dir, char *error, size_t error_size)
{
    struct stat status;
    if (mkdir(dir->path, 0750) == 0) {
        return 0;
    }
    int code = errno;
    if (code == EEXIST && stat(dir->path, &status) == 0 && S_ISDIR(status.st_mode)) {
        return 0;
    }
    return manifest_fail(error, error_size, code == EEXIST ? ENOTDIR : code,
                         "the data directory %s cannot be made: %s%s", dir->path,
                         strerror(code == EEXIST ? ENOTDIR : code),
                         code == ENOENT ? "; make the folder that it is to be in first" : "");
}

/* The folder that has this one, as a path. */
static void parent_of(const char *path, char out[DATA_DIR_PATH_SIZE + 4])
{
    snprintf(out, DATA_DIR_PATH_SIZE + 4, "%s/..", path);
}

/* The shards' folders and then the MANIFEST; folders beyond them that an interrupted beginning left
 * are taken away. The lock is held and the directory has nothing. */
static int begin(data_dir *dir, char *error, size_t error_size)
{
    char path[DATA_DIR_PATH_SIZE + 4];
    int result = 0;
    for (unsigned shard = 0; shard < MATCHING_SHARDS_MAX && result == 0; shard++) {
        if (!data_dir_shard_path(dir, shard, path)) {
            result = -ENAMETOOLONG;
        } else if (shard >= dir->shards) {
            result = rmdir(path) == 0 || errno == ENOENT ? 0 : -errno;
        } else {
            result = mkdir(path, 0750) == 0 || errno == EEXIST ? 0 : -errno;
        }
    }
    result = result < 0 ? result : manifest_sync_folder(dir->path);
    result = result < 0 ? result : manifest_make_identity(dir);
    result = result < 0 ? result : manifest_write(dir);
    if (result == 0) {
        parent_of(dir->path, path);
        result = manifest_sync_folder(path);
    }
    if (result < 0) {
        return manifest_fail(error, error_size, -result,
                             "the data directory %s cannot be begun: %s", dir->path,
                             strerror(-result));
    }
    dir->is_new = true;
    return 0;
}

static int refuse_shards(const data_dir *dir, unsigned shards, char *error, size_t error_size)
{
    return manifest_fail(
        error, error_size, EINVAL,
        "%s was made with %u shard%s, not %u, which cannot be changed; set shards = %u in "
        "[engine] or leave it out, or name another directory with --data-dir",
        dir->path, dir->shards, dir->shards == 1 ? "" : "s", shards, dir->shards);
}

/* 1: there is one that may be used so; 0: it may be begun; or a negative errno. `wanted` is the
 * number of shards if it is begun. */
static int look(data_dir *dir, unsigned shards, unsigned wanted, char *error, size_t error_size)
{
    int found = manifest_read(dir, error, error_size);
    if (found > 0 && shards != 0 && shards != dir->shards) {
        return refuse_shards(dir, shards, error, error_size);
    }
    if (found == 0 && wanted == 0) {
        return manifest_fail(
            error, error_size, ENOENT,
            "%s is no data directory of matching: it has no MANIFEST; name one that "
            "has, or put the MANIFEST back if it was lost",
            dir->path);
    }
    int begun = found > 0 ? manifest_is_begun(dir, error, error_size) : 0;
    dir->is_begun = begun > 0;
    int foreign = found == 0 ? refuse_foreign(dir, error, error_size) : 0;
    return foreign < 0 ? foreign : begun < 0 ? begun : found;
}

int data_dir_open(data_dir *dir, const char *path, unsigned shards, unsigned default_shards,
                  char *error, size_t error_size)
{
    unsigned wanted = shards != 0 ? shards : default_shards;
    int result = set_path(dir, path, error, error_size);
    if (result == 0 && wanted > MATCHING_SHARDS_MAX) {
        result = manifest_fail(error, error_size, EINVAL, "%u shards are too many, at most %u",
                               wanted, MATCHING_SHARDS_MAX);
    }
    if (result == 0) {
        result =
            wanted > 0 ? make_folder(dir, error, error_size) : find_folder(dir, error, error_size);
    }
    if (result == 0) {
        result = look(dir, shards, wanted, error, error_size);
    }
    if (result < 0) {
        return result;
    }
    result = take_lock(dir, error, error_size);
    if (result < 0) {
        return result;
    }
    /* Another process may have begun it in the meantime. */
    result = look(dir, shards, wanted, error, error_size);
    if (result > 0) {
        result = for_each_folder(dir, refuse_unreadable, error, error_size);
    } else if (result == 0) {
        dir->shards = wanted;
        result = begin(dir, error, error_size);
    }
    if (result < 0) {
        data_dir_close(dir);
    }
    return result;
}

int data_dir_open_read_only(data_dir *dir, const char *path, char *error, size_t error_size)
{
    int result = set_path(dir, path, error, error_size);
    if (result == 0) {
        result = find_folder(dir, error, error_size);
    }
    if (result == 0) {
        result = look(dir, 0, 0, error, error_size);
    }
    return result < 0 ? result : 0;
}

int data_dir_add_identity(data_dir *dir, char *error, size_t error_size)
{
    static const uint8_t none[DATA_DIR_IDENTITY_SIZE];
    if (memcmp(dir->identity, none, sizeof none) != 0) {
        return 0;
    }
    int result = manifest_make_identity(dir);
    result = result < 0 ? result : manifest_write(dir);
    return result == 0
               ? 0
               : manifest_fail(error, error_size, -result, "%s/MANIFEST cannot be written: %s",
                               dir->path, strerror(-result));
}
