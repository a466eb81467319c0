/* A snapshot's file: a head, then bytes in blocks with a checksum each, then an end that tells how
 * many there were. Written beside its name, synced, renamed, the folder synced. docs/snapshots.md.
 *
 * A block is known by its number, whose turn it is, and of which snapshot: none can be missing, at
 * another's place, or left over from another file.
 *
 * Thread: a writer or reader belongs to one thread at a time.
 */
#ifndef MATCHING_JOURNAL_SNAPSHOT_H
#define MATCHING_JOURNAL_SNAPSHOT_H

#include "engine/engine.h"
#include "journal/data_dir.h"

#define SNAPSHOT_MAGIC "MTCHSNAP"
#define SNAPSHOT_VERSION 1u
#define SNAPSHOT_BLOCK_BYTES (256u * 1024) /* of a block's bytes at most; only the last has less */

/* What a snapshot is of. */
typedef struct snapshot_head {
    uint64_t sequence; /* the last command in it */
    uint64_t time_ns;  /* that command's */
    uint32_t previous; /* checksum of that command's record: where the journal goes on */
    uint32_t shard_count;
    uint64_t state_hash; /* matching_engine_hash, compared after loading */
    matching_engine_limits limits;
} snapshot_head;

/* The file's first bytes. Magic, version and checksum keep their places in every version, and so
 * does what the checksum is of: otherwise a newer version could not be told from a flipped bit. */
typedef struct snapshot_file_head {
    char magic[8]; /* SNAPSHOT_MAGIC, no NUL */
    uint32_t version;
    uint32_t checksum; /* CRC32C of these 128 bytes with this field 0 */
    uint32_t rules;    /* JOURNAL_RULES */
    uint32_t shard;
    uint32_t shard_count;
    uint32_t previous;
    uint64_t sequence;
    uint64_t time_ns;
    uint64_t state_hash;
    uint64_t created_ns; /* Unix time */
    uint32_t instruments;
    uint32_t shard_bits;
    uint64_t max_orders, max_levels, max_traders, retained_orders;
    uint64_t reserved[3];
} snapshot_file_head;

_Static_assert(sizeof(snapshot_file_head) == 128, "the format is pinned");
_Static_assert(offsetof(snapshot_file_head, version) == 8, "the format is pinned");
_Static_assert(offsetof(snapshot_file_head, checksum) == 12, "the format is pinned");
_Static_assert(offsetof(snapshot_file_head, sequence) == 32, "the format is pinned");
_Static_assert(offsetof(snapshot_file_head, max_orders) == 72, "the format is pinned");

/* Stands before each block's bytes; after the last block one with length 0, the end. */
typedef struct snapshot_block {
    uint32_t length;   /* of the bytes that follow; 0: the end, nothing follows */
    uint32_t checksum; /* CRC32C of this head with this field 0, then of the bytes */
    uint32_t number;   /* 0, 1, 2, ... */
    uint32_t head;     /* the file head's checksum */
    uint64_t before;   /* bytes in the blocks before it */
} snapshot_block;

_Static_assert(sizeof(snapshot_block) == 24, "the format is pinned");

typedef struct snapshot_writer snapshot_writer;

/* `pace_us`: microseconds of rest after each block that is written (which is then pushed to the
 * disk), so that a journal on the same disk is not held up; 0: as fast as it goes. NULL with the
 * reason in error. */
snapshot_writer *snapshot_create(const data_dir *dir, unsigned shard, const snapshot_head *head,
                                 unsigned pace_us, char *error, size_t error_size);

/* Takes all; false after a failure, from then on. The signature of matching_state_output. */
bool snapshot_write(void *writer, const void *bytes, size_t size);

/* Ends, syncs, renames. 0, or a negative errno with the reason in error, and no file is left. Frees
 * the writer. snapshot_abandon frees it and leaves no file. */
int snapshot_finish(snapshot_writer *writer, char *error, size_t error_size);
void snapshot_abandon(snapshot_writer *writer);

typedef struct snapshot_reader snapshot_reader;

/* Opens the snapshot of that sequence. With `pace_us` not 0 nothing is read ahead, and so many
 * microseconds of rest follow each block: a disk that reads many megabytes at once holds up a
 * journal's sync beside it for as long. NULL with a line that names file, offset and reason. */
snapshot_reader *snapshot_open(const data_dir *dir, unsigned shard, uint64_t sequence,
                               unsigned pace_us, snapshot_head *head, char *error,
                               size_t error_size);

/* The signature of matching_state_input. A block's bytes are handed out only after its checksum was
 * found right. */
bool snapshot_read(void *reader, void *bytes, size_t size);

/* Is all read, and does the end say so? Call last. False: see snapshot_trouble. */
bool snapshot_at_end(snapshot_reader *reader);
const char *
snapshot_trouble(const snapshot_reader *reader); /* names file, offset, reason; "": none */
void snapshot_progress(const snapshot_reader *reader, uint64_t *done, uint64_t *all); /* bytes */
void snapshot_close(snapshot_reader *reader);

/* Reads the whole of a snapshot's file, gently if `pace_us` is not 0 (as above), and looks at
 * nothing but its checksums (verify). 0, or a negative errno (-EINVAL: the file is bad; -EPROTO: it
 * is of a newer version) with a line that names file, offset and reason. */
int snapshot_verify(const data_dir *dir, unsigned shard, uint64_t sequence, unsigned pace_us,
                    snapshot_head *head, char *error, size_t error_size);

/* Is the snapshot of a newer version, or are any of the shard's up to the sequence `until` (0:
 * all)? Then -EPROTO, with a line as above that says what to do; -ENOMEM; otherwise 0, also where a
 * file is bad in another way. */
int snapshot_check_version(const data_dir *dir, unsigned shard, uint64_t sequence, char *error,
                           size_t error_size);
int snapshot_check_versions(const data_dir *dir, unsigned shard, uint64_t until, char *error,
                            size_t error_size);

#endif
