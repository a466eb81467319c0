/* The two texts of a data directory, MANIFEST and BEGUN: what they say, and how they are written so
 * that each is there whole or not at all. For data_dir.c; its header tells what they are for.
 *
 * Both are lines: what it is, `version N`, in MANIFEST more, and last `checksum HEX`, of the lines
 * before it. These keep their places in every version, so that a newer one is known from damage.
 *
 * Thread: the one that opens the directory.
 */
#ifndef MATCHING_JOURNAL_MANIFEST_H
#define MATCHING_JOURNAL_MANIFEST_H

#include "journal/data_dir.h"

/* What went wrong, for the user. Returns -code. */
int manifest_fail(char *error, size_t error_size, int code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* 1: read, dir->shards and identity are set; 0: there is none; or a negative errno with the reason
 * in error: -EPROTO a newer version or another hash, -EBADMSG damaged, -EINVAL something else. */
int manifest_read(data_dir *dir, char *error, size_t error_size);

/* 0, or a negative errno. */
int manifest_write(const data_dir *dir);

/* Gives the directory an identity unless it has one. 0, or a negative errno. */
int manifest_make_identity(data_dir *dir);

/* Is there BEGUN? 1, 0, or a negative errno with the reason, as above. */
int manifest_is_begun(const data_dir *dir, char *error, size_t error_size);

/* fsync of the folder, so that names in it stay. 0, or a negative errno. */
int manifest_sync_folder(const char *path);

#endif
