/* What the writer's files share: writer.c (the shard's side), flusher.c (its thread),
 * segment_write.c (files that begin and end), preparer.c (the thread that makes the next file). */
#ifndef MATCHING_JOURNAL_WRITER_INTERNAL_H
#define MATCHING_JOURNAL_WRITER_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "journal/byte_ring.h"
#include "journal/doorbell.h"
#include "journal/format.h"
#include "journal/writer.h"

#define TROUBLE_SIZE (DATA_DIR_PATH_SIZE + 256)

#define SEGMENT_SPARE "spare" /* the next segment's file while it has no name of its own */
#define SEGMENT_MOVED "the data directory was moved away or replaced while it was in use"

/* A segment keeps this much for a last claim and for the zero length behind it. */
#define SEGMENT_RESERVE (sizeof(journal_record) + JOURNAL_ALIGN)
/* So that any record fits a fresh segment. */
#define SEGMENT_MIN (JOURNAL_RECORDS_AT + 4096u)

typedef enum spare_state {
    SPARE_MAKING,   /* the preparer is at it; fd and size are its own */
    SPARE_READY,    /* the flusher may take it */
    SPARE_NO_SPACE, /* the disk is full; it tries again now and then */
    SPARE_NO_FILES, /* the process may open no more files just now; likewise, and others wait */
    SPARE_BAD       /* see trouble; final, and nobody's to change */
} spare_state;

typedef struct spare {
    _Atomic int state; /* spare_state; whoever may change it owns fd and size */
    int fd;            /* -1: none; while MAKING at first that of the segment that is full */
    uint64_t size;
    int code; /* BAD: a negative errno */
    char trouble[TROUBLE_SIZE];
} spare;

/* The flusher's own. */
typedef struct segment {
    int fd;
    uint64_t size;
    uint64_t offset;         /* where the next record goes */
    uint64_t first_sequence; /* its name */
    uint64_t pushed;         /* the system was told to begin writing what comes before */
    char *large;             /* the journal's; NULL: large writes go the way of all others */
    bool is_direct; /* the last one was large; then `large` begins with what its last page has */
} segment;

struct journal {
    /* Set by journal_open, not changed after. */
    const data_dir *dir;
    unsigned shard;
    journal_options options;
    byte_ring ring;
    void *zeros_map, *zeros; /* where that is mapped; PIECE bytes to fill files with */
    int folder_fd; /* the shard's folder, in which segments get their names, whatever becomes of
                      its path; open so that syncing it needs no descriptor */
    char *large; /* LARGE_BUFFER bytes: where large writes are put together; NULL: there are none */
    pthread_t flusher, preparer;
    pthread_mutex_t flushing; /* held by whoever does the flusher's work; it lets go to sleep */

    /* The shard's. Positions count the bytes of records, as byte_ring.h has them. */
    _Alignas(64) uint64_t appended;
    uint64_t freed_seen;
    _Atomic uint64_t handed; /* the flusher may take what is before it */

    /* The flusher's, read by others. */
    _Alignas(64) _Atomic uint64_t freed; /* written; the ring's bytes before it are free again */
    _Atomic uint64_t synced;             /* on disk */
    _Atomic uint64_t safe;               /* a sequence */
    _Atomic uint64_t present_bytes;      /* of the segment that are used; paces the preparer */
    _Atomic uint64_t present_size;       /* of it */
    atomic_bool failed;                  /* failure and failure_code are final */

    /* The flusher's own. */
    _Alignas(64) segment present;
    uint64_t taken;          /* position up to which records are written */
    uint64_t written;        /* the last sequence written ... */
    uint64_t durable;        /* ... and on disk ... */
    uint64_t claimed;        /* ... and told by a claim */
    uint64_t last_time_ns;   /* of any record */
    uint64_t dirty_since_ns; /* monotonic; 0: all commands that are written are on disk */
    uint64_t busy_ns;        /* monotonic, of the last write; idle claims wait for a while */
    uint32_t chain;          /* checksum of the last record */
    bool is_synced;          /* all that is written is on disk, claims too */
    bool is_blocked;         /* the segment is full and the next one is not ready */
    int failure_code;        /* a negative errno */
    char failure[TROUBLE_SIZE];

    /* Requests to the flusher, from any thread. */
    _Alignas(64) doorbell flusher_bell;
    _Atomic uint64_t sync_wanted; /* this position has to be on disk, whatever the policy */
    _Atomic uint64_t seal_wanted; /* 0: no; else position + 1 that has to be in a sealed segment */
    atomic_bool room_wanted;      /* the shard found none */
    atomic_bool stopping;
    _Atomic unsigned waiters; /* in journal_wait */
    pthread_mutex_t mutex;    /* for `changed` alone */
    pthread_cond_t changed;   /* synced or failed */

    /* The preparer. */
    _Alignas(64) doorbell preparer_bell;
    spare next;
    atomic_bool preparer_stopping;
    atomic_bool hurry;             /* somebody waits for it */
    _Atomic(const char *) warning; /* what keeps the next file from being made; "": nothing */
};

uint64_t journal_monotonic_ns(void);
uint64_t journal_unix_ns(void);

/* Flusher's thread: nothing more is safe from now on. `format` tells what could not be done to
 * what. */
void journal_fail(journal *j, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

void *journal_flusher_run(void *journal);

/* The flusher's work on the thread that has handed over, while the flusher sleeps: one write, if it
 * is small and nothing else is to be done. False: it is to be woken. */
bool journal_write_here(journal *j);

#define LARGE_FROM 65536u              /* bytes of a write that goes past the page cache ... */
#define LARGE_BUFFER ((size_t)1 << 20) /* ... at most so many at once */

/* ---- segment_write.c: 0 or a negative errno, EINTR and short writes taken care of ---------- */

int segment_write(int fd, const void *bytes, size_t size, uint64_t offset);
int segment_write_claimed(segment *s, const journal_record *claim, const void *records,
                          size_t size);
int segment_sync(int fd);

/* Where nobody syncs after a write: lets the disk begin with what has come together, so that the
 * sync at the end of the segment has little left to wait for. */
void segment_push(segment *s);

/* A file of zeros becomes the segment that begins with first_sequence: header, name, folder, all
 * on disk on return. The fd is then the segment's; stays the caller's after a failure. */
int segment_begin(const journal *j, int fd, uint64_t size, uint64_t first_sequence,
                  uint32_t previous, segment *out, char *trouble, size_t trouble_size);

/* The segment in which a journal goes on. What nobody claimed yet is written again and synced. */
int segment_continue(const data_dir *dir, unsigned shard, int folder_fd, const journal_position *at,
                     segment *out, char *trouble, size_t trouble_size);

/* ---- preparer.c ---------------------------------------------------------------------------- */

#define PIECE 1048576u /* most bytes of a file of zeros that are written and pushed at once */

/* Makes DIR/shard-NN/spare, of zeros, on disk. `paced`: on the preparer's thread, which lets the
 * journal's own writes go first and gives up with -ECANCELED when it is to stop. */
int preparer_fill(journal *j, bool paced, int *fd, uint64_t *size, char *trouble,
                  size_t trouble_size);
void *preparer_run(void *journal);

/* Deletes what is left of a spare. */
void preparer_clean(const journal *j);

#endif
