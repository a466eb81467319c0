/* MANIFEST and BEGUN. See manifest.h. Invariant: nothing that such a file says is believed, its
 * version included, before its checksum was found right.
 */
#define _GNU_SOURCE /* memmem */
#include "journal/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "journal/checksum.h"
#include "matching/core.h"

#define MANIFEST "MANIFEST"
#define MANIFEST_LINE "matching data directory\n"
#define BEGUN "BEGUN"
#define BEGUN_LINE "matching data directory has begun\n"
#define VERSION 1u     /* of either */
#define TEXT_SIZE 4096 /* more than any has, in any version */

int manifest_fail(char *error, size_t error_size, int code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error, error_size, format, arguments);
    va_end(arguments);
    return -code;
}

int manifest_sync_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    int result = fsync(fd) == 0 ? 0 : -errno;
    close(fd);
    return result;
}

/* ---- Texts ----------------------------------------------------------------------------------- */

/* Puts the last line behind the others. Returns the length of all. */
static size_t seal_text(char text[TEXT_SIZE], int used)
{
    uint32_t crc = checksum_crc32c(0, text, (size_t)used);
    used += snprintf(text + used, TEXT_SIZE - (size_t)used, "checksum %08x\n", crc);
    return (size_t)used;
}

/* Is its last line the checksum of those before it? */
static bool checksum_is_right(const char *text, size_t size)
{
    enum { LINE = sizeof "checksum 01234567\n" - 1 };
    char line[LINE + 1];
    if (size < LINE) {
        return false;
    }
    snprintf(line, sizeof line, "checksum %08x\n", checksum_crc32c(0, text, size - LINE));
    return memcmp(text + size - LINE, line, LINE) == 0;
}

/* Its length; -ENOENT: there is none; or another negative errno with the reason in error. */
static ssize_t read_text(const data_dir *dir, const char *name, char text[TEXT_SIZE], char *error,
                         size_t error_size)
{
    char path[DATA_DIR_PATH_SIZE + 16];
    snprintf(path, sizeof path, "%s/%s", dir->path, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, text, TEXT_SIZE - 1);
    int code = errno;
    if (fd >= 0) {
        close(fd);
    }
    if (size < 0) {
        return manifest_fail(error, error_size, code, "%s cannot be read: %s", path,
                             strerror(code));
    }
    text[size] = '\0';
    return size;
}

/* First line, checksum and version. 0, or a negative errno. */
static int check_text(const data_dir *dir, const char *name, const char *first_line,
                      const char *text, size_t size, char *error, size_t error_size)
{
    unsigned version = 0;
    bool begins_so = strncmp(text, first_line, strlen(first_line)) == 0 &&
                     sscanf(text + strlen(first_line), "version %9u", &version) == 1;
    bool is_right = checksum_is_right(text, size);
    bool ends_so = memmem(text, size, "\nchecksum ", 10) != NULL;
    if (!begins_so && (is_right || !ends_so)) {
        return manifest_fail(error, error_size, EINVAL,
                             "%s/%s is not that of a data directory of matching; name another "
                             "directory with --data-dir",
                             dir->path, name);
    }
    if (!is_right) {
        return manifest_fail(error, error_size, EBADMSG,
                             "%s/%s is damaged: its checksum is wrong; restore it from a copy",
                             dir->path, name);
    }
    if (version > VERSION) {
        return manifest_fail(
            error, error_size, EPROTO,
            "%s/%s was made by a newer matching: its version is %u, this one knows "
            "%u; start it with the newer one",
            dir->path, name, version, VERSION);
    }
    return 0;
}

/* The file gets its name, for good, once all of it is on disk. */
static int write_text(const data_dir *dir, const char *name, const char *text, size_t size)
{
    char path[DATA_DIR_PATH_SIZE + 16], unfinished[DATA_DIR_PATH_SIZE + 16];
    snprintf(path, sizeof path, "%s/%s", dir->path, name);
    snprintf(unfinished, sizeof unfinished, "%s/%s.tmp", dir->path, name);
    int fd = open(unfinished, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd < 0) {
        return -errno;
    }
    errno = EIO; /* a short write leaves no reason */
    bool written = write(fd, text, size) == (ssize_t)size && fsync(fd) == 0;
    int result = written ? 0 : -errno;
    if (close(fd) != 0 && result == 0) {
        result = -errno;
    }
    if (result == 0 && rename(unfinished, path) != 0) {
        result = -errno;
    }
    return result < 0 ? result : manifest_sync_folder(dir->path);
}

/* ---- MANIFEST -------------------------------------------------------------------------------- */

/* The line that the first version did not have. False: it says something else than it should. */
static bool parse_identity(data_dir *dir, const char *text)
{
    static const char line[] = "\nidentity ";
    const char *at = strstr(text, line);
    memset(dir->identity, 0, sizeof dir->identity);
    if (at == NULL) {
        return true;
    }
    at += sizeof line - 1;
    for (size_t i = 0; i < sizeof dir->identity; i++) {
        unsigned byte;
        if (sscanf(at + 2 * i, "%2x", &byte) != 1) {
            return false;
        }
        dir->identity[i] = (uint8_t)byte;
    }
    return at[2 * sizeof dir->identity] == '\n';
}

/* The lines that are its own, after those that were checked. 0, or a negative errno. */
static int parse_manifest(data_dir *dir, const char *text, char *error, size_t error_size)
{
    unsigned shards;
    char hash[32];
    if (sscanf(text + strlen(MANIFEST_LINE), "version %*u\nshards %9u\nsymbol_hash %31s", &shards,
               hash) != 2 ||
        shards < 1 || shards > MATCHING_SHARDS_MAX || !parse_identity(dir, text)) {
        return manifest_fail(error, error_size, EBADMSG,
                             "%s/" MANIFEST " says things that cannot be", dir->path);
    }
    if (strcmp(hash, DATA_DIR_SYMBOL_HASH) != 0) {
        return manifest_fail(error, error_size, EPROTO,
                             "%s spreads symbols over shards by %s, this matching by %s; start it "
                             "with the one that made it",
                             dir->path, hash, DATA_DIR_SYMBOL_HASH);
    }
    dir->shards = shards;
    return 0;
}

int manifest_read(data_dir *dir, char *error, size_t error_size)
{
    char text[TEXT_SIZE];
    ssize_t size = read_text(dir, MANIFEST, text, error, error_size);
    if (size < 0) {
        return size == -ENOENT ? 0 : (int)size;
    }
    int result = check_text(dir, MANIFEST, MANIFEST_LINE, text, (size_t)size, error, error_size);
    result = result < 0 ? result : parse_manifest(dir, text, error, error_size);
    return result < 0 ? result : 1;
}

int manifest_write(const data_dir *dir)
{
    char text[TEXT_SIZE], identity[2 * DATA_DIR_IDENTITY_SIZE + 1];
    for (size_t i = 0; i < sizeof dir->identity; i++) {
        snprintf(identity + 2 * i, 3, "%02x", dir->identity[i]);
    }
    int used = snprintf(text, sizeof text,
                        MANIFEST_LINE "version %u\nshards %u\nsymbol_hash %s\nidentity %s\n",
                        VERSION, dir->shards, DATA_DIR_SYMBOL_HASH, identity);
    return write_text(dir, MANIFEST, text, seal_text(text, used));
}

int manifest_make_identity(data_dir *dir)
{
    static const uint8_t none[DATA_DIR_IDENTITY_SIZE];
    if (memcmp(dir->identity, none, sizeof none) != 0) {
        return 0;
    }
    ssize_t size = getrandom(dir->identity, sizeof dir->identity, 0);
    return size == (ssize_t)sizeof dir->identity ? 0 : size < 0 ? -errno : -EIO;
}

/* ---- BEGUN ----------------------------------------------------------------------------------- */

int manifest_is_begun(const data_dir *dir, char *error, size_t error_size)
{
    char text[TEXT_SIZE];
    ssize_t size = read_text(dir, BEGUN, text, error, error_size);
    if (size < 0) {
        return size == -ENOENT ? 0 : (int)size;
    }
    if (size == 0) {
        return 1; /* as it was made before it had a version */
    }
    int result = check_text(dir, BEGUN, BEGUN_LINE, text, (size_t)size, error, error_size);
    return result < 0 ? result : 1;
}

int data_dir_note_begun(const data_dir *dir, char *error, size_t error_size)
{
    char text[TEXT_SIZE];
    int used = snprintf(text, sizeof text, BEGUN_LINE "version %u\n", VERSION);
    int result = write_text(dir, BEGUN, text, seal_text(text, used));
    return result == 0
               ? 0
               : manifest_fail(error, error_size, -result, "%s/" BEGUN " cannot be made: %s",
                               dir->path, strerror(-result));
}
