/* A data directory: who may use it, and what it was made with.
 *
 * MANIFEST is text: a line `matching data directory`, then `version 1`, `shards N`,
 * `symbol_hash NAME`, `identity HEX`, `checksum HEX` (CRC32C of the lines before it). It is written
 * once, to a temporary name, synced and renamed; one of an older version, which has no identity,
 * gets one with its first store. BEGUN is text too: that it is there says that the first start came
 * to its end. The lock is a flock on the directory, which no deleted file gives free, and one on
 * LOCK, which names the holder's pid.
 *
 * Thread: the struct is not written after opening, so any thread may ask for paths and lists.
 */
#ifndef MATCHING_DATA_DIR_H
#define MATCHING_DATA_DIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DATA_DIR_SYMBOL_HASH "fnv1a-223" /* how symbols find their shard (shard/instruments.c) */
#define DATA_DIR_PATH_SIZE 4096
#define DATA_DIR_ERROR_SIZE                                                                        \
    (2 * DATA_DIR_PATH_SIZE + 256)  /* room for any message of core/journal */
#define DATA_DIR_JOURNAL ".journal" /* what the names of files end in, see data_dir_list */
#define DATA_DIR_SNAPSHOT ".snapshot"
#define DATA_DIR_STORE "store"    /* the folder of the history (core/store) */
#define DATA_DIR_IDENTITY_SIZE 16 /* bytes */

typedef struct data_dir {
    char path[DATA_DIR_PATH_SIZE];
    unsigned shards;
    uint8_t identity[DATA_DIR_IDENTITY_SIZE]; /* by chance; all zero: it has none yet */
    bool is_new;                              /* made by this open */
    bool is_begun; /* each shard had a command before this open: one without has lost them */
    int lock_fd;   /* LOCK, locked; -1: opened for reading */
    int folder_fd; /* the directory, locked too, while LOCK is */
} data_dir;

/* Opens for writing: makes the directory, its shards' folders and its MANIFEST where there are none
 * yet (`shards`, or default_shards where that is 0; both 0: it has to be there), takes the lock. 0
 * for shards takes what the directory has. Refuses, with what to do in error: a directory in use
 * (naming the pid), a foreign one (not empty, no MANIFEST), another shard count or hash, a newer
 * version, a MANIFEST that is damaged, a shard's folder that is missing. 0, or a negative errno:
 * -EBUSY in use, -EBADMSG damaged. Writes nothing to a directory that is there but LOCK. The folder
 * that the directory is in has to be there: one that is missing may be a disk that is not
 * mounted. */
int data_dir_open(data_dir *dir, const char *path, unsigned shards, unsigned default_shards,
                  char *error, size_t error_size);

/* Deletes what was never finished, *.tmp, once all that may refuse the directory has looked at it:
 * a refused one stays as it is. 0, or a negative errno. */
int data_dir_remove_unfinished(const data_dir *dir, char *error, size_t error_size);

/* From now on each shard has a command on disk: makes the file BEGUN and syncs it. Before that, a
 * first start that was cut short has left some shards without, and nobody was told anything; after
 * it they are lost. 0, or a negative errno. */
int data_dir_note_begun(const data_dir *dir, char *error, size_t error_size);

/* A directory that was made before there were identities gets its own. Opened for writing, nothing
 * refused it. 0, or a negative errno. */
int data_dir_add_identity(data_dir *dir, char *error, size_t error_size);

/* For reading: no lock, nothing is written; works beside a process that writes. */
int data_dir_open_read_only(data_dir *dir, const char *path, char *error, size_t error_size);

/* Does a process have it open for writing? It may have gone, or come, right after the answer. Any
 * thread. */
bool data_dir_is_in_use(const char *path);

/* Is what the path names still the directory that was opened for writing? Not where somebody has
 * moved it away, or put another in its place: then the names of files lead into a history that is
 * none of ours. Ask before one is made or renamed; where it must not be another's even if the
 * directory goes at that very moment, do it in the folder of data_dir_open_shard. True for one that
 * was opened for reading. Any thread. */
bool data_dir_is_in_place(const data_dir *dir);

/* Gives the lock back. Nothing for one that is not open (all zero but lock_fd = -1). */
void data_dir_close(data_dir *dir);

/* DIR/shard-NN, DIR/shard-NN/<sequence>.journal, .snapshot, DIR/shard-NN/NAME. Written to out
 * (DATA_DIR_PATH_SIZE); true unless it does not fit. */
bool data_dir_shard_path(const data_dir *dir, unsigned shard, char *out);
bool data_dir_journal_path(const data_dir *dir, unsigned shard, uint64_t sequence, char *out);
bool data_dir_snapshot_path(const data_dir *dir, unsigned shard, uint64_t sequence, char *out);
bool data_dir_file_path(const data_dir *dir, unsigned shard, const char *name, char *out);

/* The sequences of the shard's files whose names end so (".journal"), ascending, on the heap
 * (*sequences; the caller frees). Returns how many, or a negative errno. */
long data_dir_list(const data_dir *dir, unsigned shard, const char *suffix, uint64_t **sequences);

/* The shard's folder: that of the directory which is held, wherever its path leads by now, if it is
 * opened for writing. A descriptor, the caller's, or a negative errno. */
int data_dir_open_shard(const data_dir *dir, unsigned shard);

/* fsync of the shard's folder, so that names in it stay. 0 or a negative errno. */
int data_dir_sync(const data_dir *dir, unsigned shard);

#endif
