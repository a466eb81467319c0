/* RocksDB's files, known by their names.
 *
 * RocksDB itself reads names generously (anything that begins with LOG may be an old log to it,
 * and 7.log one of a journal of its own) and deletes what it believes to be its own and needs no
 * longer. So a name counts as RocksDB's only if it is exactly one that it gives.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/store_internal.h"

#define DIGITS "0123456789"
#define NUMBER_DIGITS 6 /* of a file's number, at least: it is padded with zeros */

static bool is_one_of(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* What follows the start, or NULL. */
static const char *after(const char *name, const char *start)
{
    size_t length = strlen(start);
    return strncmp(name, start, length) == 0 ? name + length : NULL;
}

/* What follows a number of so many digits or more, or NULL. */
static const char *after_number(const char *at, size_t least)
{
    size_t digits = at == NULL ? 0 : strspn(at, DIGITS);
    return at != NULL && digits >= least ? at + digits : NULL;
}

static bool is_end(const char *at)
{
    return at != NULL && at[0] == '\0';
}

static store_file_kind kind_of_name(const char *name)
{
    static const char *const begun[] = {"LOG", "LOCK", "IDENTITY"};
    static const char *const alike[] = {"LOG", "MANIFEST-", "OPTIONS-", "METADB-"};
    static const char *const ends[] = {".sst", ".log", ".blob", ".ldb", ".dbtmp"};
    const char *rest = after_number(after(name, "OPTIONS-"), NUMBER_DIGITS);
    const char *of_number = after_number(name, NUMBER_DIGITS);
    if (is_one_of(name, begun, sizeof begun / sizeof begun[0]) ||
        is_end(after_number(after(name, "LOG.old."), 1)) ||
        is_end(after_number(after(name, "MANIFEST-"), NUMBER_DIGITS)) || is_end(rest) ||
        (rest != NULL && strcmp(rest, ".dbtmp") == 0) ||
        (of_number != NULL && strcmp(of_number, ".dbtmp") == 0)) {
        return STORE_FILE_OF_BEGINNING;
    }
    if (strcmp(name, "CURRENT") == 0 || (of_number != NULL && is_one_of(of_number, ends, 3))) {
        return STORE_FILE_OF_DATA;
    }
    for (size_t i = 0; i < sizeof alike / sizeof alike[0]; i++) {
        if (after(name, alike[i]) != NULL) {
            return STORE_FILE_IN_DANGER;
        }
    }
    of_number = after_number(name, 1);
    return of_number != NULL && is_one_of(of_number, ends, sizeof ends / sizeof ends[0])
               ? STORE_FILE_IN_DANGER
               : STORE_FILE_FOREIGN;
}

/* The folder that a file system has by itself where it is mounted: often only root may read it. */
static bool is_empty_lost_and_found(int folder_fd, const char *name)
{
    if (strcmp(name, "lost+found") != 0) {
        return false;
    }
    int fd = openat(folder_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    if (folder == NULL) {
        bool is_forbidden = errno == EACCES;
        if (fd >= 0) {
            close(fd);
        }
        return is_forbidden;
    }
    bool is_empty = true;
    for (struct dirent *entry; is_empty && (entry = readdir(folder)) != NULL;) {
        is_empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    }
    closedir(folder);
    return is_empty;
}

store_file_kind store_file_kind_of(int folder_fd, const char *name)
{
    struct stat status;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
        is_empty_lost_and_found(folder_fd, name)) {
        return STORE_FILE_OF_BEGINNING;
    }
    store_file_kind kind = kind_of_name(name);
    if (kind == STORE_FILE_FOREIGN ||
        (fstatat(folder_fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(status.st_mode))) {
        return kind;
    }
    return STORE_FILE_IN_DANGER;
}
