/* Making room for a store that is made anew.
 *
 * What is there is renamed, as a whole, and can be put back. Deleted is only what is known for a
 * store of this data directory, and only when it is asked for: RocksDB's own way of deleting knows
 * files by their names alone, and would take somebody else's database as readily.
 */
#define _GNU_SOURCE /* renameat2 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/store_internal.h"

#define ASIDE_MAX 1000 /* folders put aside earlier; nobody has so many */

typedef enum folder_kind {
    FOLDER_FREE = 0, /* absent, empty, or cut short before there was anything in it */
    FOLDER_OURS,
    FOLDER_FOREIGN
} folder_kind;

/* Has it the one family that a store has? Opening the default one would not show others. */
static bool has_one_family(rocksdb_options_t *settings, const char *path)
{
    size_t count = 0;
    char *failure = NULL;
    char **names = rocksdb_list_column_families(settings, path, &count, &failure);
    bool has_one = failure == NULL && count == 1 && strcmp(names[0], "default") == 0;
    rocksdb_list_column_families_destroy(names, count); /* after a failure too: of none */
    rocksdb_free(failure);
    return has_one;
}

/* False: one of them cannot be read, so nobody knows what the store has. */
static bool read_progress(rocksdb_t *db, rocksdb_readoptions_t *read, unsigned shards,
                          store_aside *aside)
{
    bool good = true;
    for (unsigned i = 0; i < shards && i < MATCHING_SHARDS_MAX; i++) {
        store_progress_value progress = {.version = STORE_VALUE_VERSION};
        char key[STORE_META_KEY], *failure = NULL;
        size_t length = 0, key_length = store_meta_key(key, STORE_PROGRESS_OF, i);
        char *value = rocksdb_get(db, read, key, key_length, &length, &failure);
        if (value != NULL && length == sizeof progress) {
            memcpy(&progress, value, sizeof progress);
        }
        good = good && failure == NULL && (value == NULL || length == sizeof progress) &&
               progress.version == STORE_VALUE_VERSION;
        aside->progress[i] = progress.sequence;
        rocksdb_free(value);
        rocksdb_free(failure);
    }
    return good;
}

/* Is it a store of this data directory? It is not written to, but for RocksDB's empty log. */
static bool is_ours(const store_options *options, store_aside *aside)
{
    char key[STORE_META_KEY], *failure = NULL;
    size_t length = 0, key_length = store_meta_key(key, STORE_FORMAT_OF, 0);
    bool good = false;
    rocksdb_options_t *settings = store_settings_of_reader();
    rocksdb_t *db = NULL;
    if (has_one_family(settings, options->path)) {
        db = rocksdb_open_for_read_only(settings, options->path, 0, &failure);
    }
    if (db != NULL && failure == NULL) {
        rocksdb_readoptions_t *read = rocksdb_readoptions_create();
        char *value = rocksdb_get(db, read, key, key_length, &length, &failure);
        good = failure == NULL && value != NULL &&
               store_judge_format(options, value, length) == STORE_IS_OURS &&
               read_progress(db, read, options->shards, aside);
        rocksdb_free(value);
        rocksdb_readoptions_destroy(read);
        rocksdb_close(db);
    }
    rocksdb_free(failure);
    rocksdb_options_destroy(settings);
    return good;
}

/* The kind of what is there, or a negative errno. */
static int look(const store_options *options, store_aside *aside)
{
    struct stat status;
    DIR *folder = opendir(options->path);
    bool has_current = false, is_database = true;
    if (folder == NULL) { /* a link that leads nowhere is there too */
        int outcome = -errno;
        return outcome == -ENOTDIR                  ? FOLDER_FOREIGN
               : outcome != -ENOENT                 ? outcome
               : lstat(options->path, &status) == 0 ? FOLDER_FOREIGN
                                                    : FOLDER_FREE;
    }
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        store_file_kind kind = store_file_kind_of(dirfd(folder), entry->d_name);
        has_current = has_current || strcmp(entry->d_name, "CURRENT") == 0;
        is_database = is_database && kind <= STORE_FILE_OF_DATA;
    }
    closedir(folder);
    if (!is_database) {
        return FOLDER_FOREIGN;
    }
    if (!has_current) { /* data without it is a database that somebody damaged */
        return store_judge_folder(options, false, NULL, 0) == 0 ? FOLDER_FREE : FOLDER_FOREIGN;
    }
    return is_ours(options, aside) ? FOLDER_OURS : FOLDER_FOREIGN;
}

/* Of the files in it. */
static uint64_t size_of(const char *path)
{
    char *paths[] = {(char *)path, NULL};
    uint64_t bytes = 0;
    FTS *files = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
    for (FTSENT *file; files != NULL && (file = fts_read(files)) != NULL;) {
        bytes += file->fts_info == FTS_F ? (uint64_t)file->fts_statp->st_size : 0;
    }
    if (files != NULL) {
        fts_close(files);
    }
    return bytes;
}

/* Takes nothing's place, not an empty folder's either. 0 or a negative errno. */
static int rename_to(const char *from, const char *to)
{
    struct stat status;
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) {
        return 0;
    }
    if (errno != EINVAL && errno != ENOSYS) {
        return -errno;
    }
    /* The file system cannot tell by itself. */
    return lstat(to, &status) == 0 ? -EEXIST : rename(from, to) == 0 ? 0 : -errno;
}

/* Fails with -EBUSY for a mount point. */
static int put_aside(store_aside *aside, char *error, size_t error_size)
{
    int outcome = -EEXIST;
    for (unsigned i = 1; i <= ASIDE_MAX && outcome == -EEXIST; i++) {
        int length = snprintf(aside->path, sizeof aside->path, "%s.aside-%u", aside->from, i);
        outcome =
            length >= (int)sizeof aside->path ? -ENAMETOOLONG : rename_to(aside->from, aside->path);
    }
    if (outcome == -EBUSY) {
        snprintf(error, error_size,
                 "the store %s is a mount point: move what is in it to another place", aside->from);
    } else if (outcome != 0) {
        snprintf(error, error_size, "%s cannot be renamed to %s: %s", aside->from, aside->path,
                 strerror(-outcome));
    }
    if (outcome != 0) {
        aside->path[0] = '\0';
    }
    return outcome;
}

/* For a folder of this directory's that holds RocksDB's files alone. */
static int destroy(const char *path, char *error, size_t error_size)
{
    char *failure = NULL;
    rocksdb_options_t *settings = store_settings_of_reader();
    rocksdb_destroy_db(settings, path, &failure);
    rocksdb_options_destroy(settings);
    int outcome = store_judge(failure, error, error_size);
    /* A mount point stays: the new store is made there. */
    if (outcome == 0 && rmdir(path) != 0 && errno != ENOENT && errno != EBUSY) {
        outcome = -errno;
        snprintf(error, error_size, "%s cannot be removed: %s", path, strerror(-outcome));
    }
    return outcome;
}

/* Where a link to a folder of ours leads: what is there is renamed there, and the new store made
 * there. Anything else is renamed as it is here: what a link to it leads to is somebody's. */
static int find_place(const store_options *options, store_aside *aside, mode_t *linked)
{
    char real[PATH_MAX];
    struct stat status;
    *linked = 0;
    if (aside->is_ours && lstat(options->path, &status) == 0 && S_ISLNK(status.st_mode)) {
        if (realpath(options->path, real) == NULL || stat(real, &status) != 0) {
            return -errno;
        }
        *linked = status.st_mode;
    }
    int length =
        snprintf(aside->from, sizeof aside->from, "%s", *linked != 0 ? real : options->path);
    return length < (int)sizeof aside->from ? 0 : -ENAMETOOLONG;
}

int store_put_aside(const store_options *options, store_aside *aside, char *error,
                    size_t error_size)
{
    mode_t linked = 0;
    *aside = (store_aside){0};
    int outcome = look(options, aside);
    aside->is_ours = outcome == FOLDER_OURS;
    if (outcome == FOLDER_FREE) {
        return 0;
    }
    outcome = outcome < 0 ? outcome : find_place(options, aside, &linked);
    if (outcome < 0) {
        snprintf(error, error_size, "the store %s cannot be read: %s", options->path,
                 strerror(-outcome));
        return outcome;
    }
    aside->bytes = size_of(aside->from);
    outcome = put_aside(aside, error, error_size);
    if (outcome == 0 && linked != 0 && mkdir(aside->from, linked & 07777) != 0) {
        outcome = -errno;
        snprintf(error, error_size, "%s cannot be made: %s", aside->from, strerror(-outcome));
        rename_to(aside->path, aside->from);
        aside->path[0] = '\0';
    }
    return outcome;
}

int store_put_back(const store_aside *aside, char *error, size_t error_size)
{
    int outcome = destroy(aside->from, error, error_size);
    if (outcome == 0 && (outcome = rename_to(aside->path, aside->from)) != 0) {
        snprintf(error, error_size, "%s cannot be renamed to %s: %s", aside->path, aside->from,
                 strerror(-outcome));
    }
    return outcome;
}

int store_delete_aside(const store_aside *aside, char *error, size_t error_size)
{
    return !aside->is_ours
               ? -EINVAL
               : destroy(aside->path[0] != '\0' ? aside->path : aside->from, error, error_size);
}
