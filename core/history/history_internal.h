/* What the files of core/history share. */
#ifndef MATCHING_HISTORY_INTERNAL_H
#define MATCHING_HISTORY_INTERNAL_H

#include <pthread.h>
#include <semaphore.h>

#include "history/follower.h"
#include "shard/core_internal.h"
#include "shard/gather.h"

#define READERS 2 /* threads that read the store */

/* What others may know of a shard's follower. */
typedef struct shard_history {
    _Atomic uint64_t stored, time_ns; /* of the last commit */
    _Atomic uint64_t safe;            /* on disk, as of a moment ago */
    uint64_t looked_ns;               /* when that was looked up; the writer's */
    uint64_t behind_since; /* the command from which it was far behind; 0: it is not; likewise */
    atomic_int state;      /* matching_history_state */
    uint64_t wanted_ns;    /* a reader wants to know what was so at this time; under the lock */
    _Atomic uint64_t wants_flush_of; /* up to this command it should be on disk; 0: no wish */
} shard_history;

typedef struct read_list {
    history_read *first, **end;
} read_list;

typedef struct history {
    history_link link; /* first: the core has its address */
    matching_core *core;
    store *s;
    follower *followers;   /* by shard; the writer's, whichever of the two it is */
    shard_history *shards; /* by shard */
    uint64_t max_backlog_bytes;
    pthread_t writer, hurried, readers[READERS];
    unsigned reader_count;
    bool has_writer, has_hurried;
    atomic_bool stopping;
    atomic_bool sleeping; /* the writer has come to where all is stored, and waits */
    int wake_fd;          /* the writer's */
    /* Reads that have just come, the newest first, and a token for each that a reader should look
     * at. Doors and flushers take no lock: who holds it may be of low priority. */
    _Atomic(history_read *) incoming;
    sem_t tokens;
    pthread_mutex_t lock;          /* of writer, readers and snapshot workers */
    bool is_failed;                /* under the lock; the shards' states say it too */
    pthread_cond_t handed;         /* with the lock: is_hurrying has changed, or all shall end */
    bool is_hurrying;              /* the hurried writer's turn; under the lock */
    bool is_hurry_useful;          /* its last turn was; likewise */
    bool is_urgent;                /* somebody waits for what is not stored yet; under the lock */
    read_list waiting;             /* for the writer; under the lock */
    read_list ready;               /* for a reader; under the lock */
    _Atomic(const char *) warning; /* "": nothing is wrong */
} history;

/* ---- reads.c --------------------------------------------------------------------------------- */

void list_init(read_list *list);
void list_add(read_list *list, history_read *read);

/* history_link.read */
void reads_begin(const history_link *link, history_read *read);

/* With the lock: lets those reads go that wait for no more than what is stored, and those that have
 * waited long enough. `all`: every one. */
void reads_release(history *h, bool all);

/* Lets the writer look again. Any thread; never blocks. */
void history_wake(history *h);

/* The thread of a reader. */
void *reads_run(void *context);

/* ---- options.c ------------------------------------------------------------------------------- */

/* Opens the directory's store, or makes it. 0, or a negative errno with what to do in error. */
int history_open_store(store **s, const data_dir *dir, unsigned max_instruments,
                       const matching_history_options *options, char *error, size_t error_size);

/* The same for tools: with the defaults, but for limits, of which there are none. What is let go is
 * for the service to decide, whose configuration a tool does not know. */
int history_open_store_whole(store **s, const data_dir *dir, char *error, size_t error_size);

#define HISTORY_PATH_SIZE (DATA_DIR_PATH_SIZE + sizeof "/" DATA_DIR_STORE)

/* Makes room for a new one; see store_put_aside. */
int history_put_store_aside(const data_dir *dir, store_aside *aside, char *error,
                            size_t error_size);

/* ---- history.c ------------------------------------------------------------------------------- */

/* The store failed, or is given up: nothing is added any more. Any thread. */
void history_fail(history *h, const char *why);
bool history_has_failed(const history *h);

/* For whoever has the followers. Brings the books of all shards to where the store is: 0, or what
 * failed. Then a step of each shard, true: one of them has more. Once none has, until there is more
 * or somebody wants something. */
int history_open_followers(history *h);
bool history_follow_all(history *h);
void history_rest(history *h);

/* ---- writers.c ------------------------------------------------------------------------------- */

/* The threads that write; they end when the history stops. */
void *history_write(void *context);
void *history_write_hurried(void *context);

#endif
