/* Making room for a store that is made anew.
 *
 * Deleted is only what is known for a store of this data directory, or for the beginning of one:
 * RocksDB's own way of deleting knows files by their names alone, and would take somebody else's
 * database, or another directory's store, as readily. All else is renamed, as a whole.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/store_internal.h"

#define ASIDE_MAX 1000 /* folders put aside earlier; nobody has so many */

typedef enum folder_kind { FOLDER_ABSENT = 0, FOLDER_OURS, FOLDER_FOREIGN } folder_kind;

/* Has it the one family that a store has? Opening the default one would not show others. */
static bool has_one_family(rocksdb_options_t *settings, const char *path)
{
    size_t count = 0;
    char *failure = NULL;
    char **names = rocksdb_list_column_families(settings, path, &count, &failure);
    bool has_one = failure == NULL && count == 1 && strcmp(names[0], "default") == 0;
    if (failure == NULL) {
        rocksdb_list_column_families_destroy(names, count);
    }
    rocksdb_free(failure);
    return has_one;
}

/* Is it a store of this data directory? It is not written to, but for RocksDB's empty log. */
static bool is_ours(const store_options *options)
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
               store_judge_format(options, value, length) == STORE_IS_OURS;
        rocksdb_free(value);
        rocksdb_readoptions_destroy(read);
        rocksdb_close(db);
    }
    rocksdb_free(failure);
    rocksdb_options_destroy(settings);
    return good;
}

/* The kind of what is there, or a negative errno. */
static int look(const store_options *options)
{
    DIR *folder = opendir(options->path);
    bool has_current = false, is_database = true;
    if (folder == NULL) {
        return errno == ENOENT ? FOLDER_ABSENT : errno == ENOTDIR ? FOLDER_FOREIGN : -errno;
    }
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        has_current = has_current || strcmp(entry->d_name, "CURRENT") == 0;
        is_database =
            is_database && store_file_kind_of(dirfd(folder), entry->d_name) <= STORE_FILE_OF_DATA;
    }
    closedir(folder);
    if (!is_database) {
        return FOLDER_FOREIGN;
    }
    if (!has_current) { /* data without it is a database that somebody damaged */
        return store_judge_folder(options, false, NULL, 0) == 0 ? FOLDER_OURS : FOLDER_FOREIGN;
    }
    return is_ours(options) ? FOLDER_OURS : FOLDER_FOREIGN;
}

static int put_aside(const char *path, char *kept, size_t kept_size, char *error, size_t error_size)
{
    struct stat status;
    for (unsigned i = 1; i <= ASIDE_MAX; i++) {
        int length = snprintf(kept, kept_size, "%s.aside-%u", path, i);
        if (length >= (int)kept_size) {
            break;
        }
        if (lstat(kept, &status) == 0) {
            continue; /* rename would take the place of an empty folder */
        }
        if (rename(path, kept) == 0) {
            return 0;
        }
        int outcome = -errno;
        snprintf(error, error_size, "%s cannot be renamed to %s: %s", path, kept,
                 strerror(-outcome));
        kept[0] = '\0';
        return outcome;
    }
    kept[0] = '\0';
    snprintf(error, error_size, "%s cannot be put aside: no name is free", path);
    return -EEXIST;
}

static int destroy(const char *path, char *error, size_t error_size)
{
    char *failure = NULL;
    rocksdb_options_t *settings = store_settings_of_reader();
    rocksdb_destroy_db(settings, path, &failure);
    rocksdb_options_destroy(settings);
    int outcome = store_judge(failure, error, error_size);
    /* A link to a folder elsewhere stays: the new store is made there. */
    if (outcome == 0 && rmdir(path) != 0 && errno != ENOENT && errno != ENOTDIR) {
        outcome = -errno;
        snprintf(error, error_size, "%s cannot be removed: %s", path, strerror(-outcome));
    }
    return outcome;
}

int store_clear(const store_options *options, char *kept, size_t kept_size, char *error,
                size_t error_size)
{
    int kind = look(options);
    kept[0] = '\0';
    switch (kind) {
    case FOLDER_ABSENT:
        return 0;
    case FOLDER_OURS:
        return destroy(options->path, error, error_size);
    case FOLDER_FOREIGN:
        return put_aside(options->path, kept, kept_size, error, error_size);
    default:
        snprintf(error, error_size, "the store %s cannot be read: %s", options->path,
                 strerror(-kind));
        return kind;
    }
}
