/* From a data directory to a shard's books: the newest good snapshot, then the journal's commands
 * after it. Writes nothing. The same for a start, for the snapshot worker and for the tools.
 *
 * A snapshot is used only together with the journal's record of its last command, whose checksum it
 * knows: so the two are of one history, and the chain goes on without a gap.
 */
#ifndef MATCHING_RECOVERY_H
#define MATCHING_RECOVERY_H

#include <stdatomic.h>

#include "journal/reader.h"
#include "shard/books.h"

typedef struct recovery_options {
    uint64_t until;        /* stop after this sequence; 0: as far as the journal goes */
    bool claimed_only;     /* the directory is in use: nothing beyond what is known to be durable */
    bool ignore_snapshots; /* from the very beginning */
    bool make_safe; /* books_snapshot: nobody has the journal open, it may not be on disk yet */
    unsigned recent_capacity; /* trades kept for each instrument, at least 1 */
    const atomic_bool *stop;  /* may be NULL; once true: -ECANCELED */
    unsigned pace_us; /* 0: as fast as it goes; else beside a running service: of rest after each
                         block of a snapshot that is read or written, and nothing is read ahead */
    /* May be NULL: what it does and how far it is, 0 ... 1; called now and then. */
    void (*on_progress)(void *context, unsigned shard, const char *what, double fraction);
    void *context;
} recovery_options;

typedef struct recovery_result {
    uint64_t snapshot_sequence; /* the one that was used, 0: none */
    char skipped[512];          /* why a newer snapshot was not used; "": the newest was */
    uint64_t commands;          /* replayed after it */
    journal_end end;            /* WHOLE, TORN, or MORE where `until` ended it */
    journal_position position;  /* where the journal goes on */
    uint32_t checksum;          /* of the record of the last command */
    char trouble[512];          /* TORN: the file and offset where it is cut */
} recovery_result;

/* Builds *b (uninitialised before). 0; -ENOENT: the shard has no command yet (position is set all
 * the same); -EBADMSG: damage, a journal that is gone, or a newer version, with file, offset and
 * reason in error; -ESTALE: claimed_only, and the process that writes there removed what was being
 * read, so nothing is wrong and it is to be done again; or another negative errno. After a failure
 * there is no *b. */
int books_recover(books *b, const data_dir *dir, unsigned shard, const recovery_options *options,
                  recovery_result *result, char *error, size_t error_size);

/* Goes on with books that books_recover made, *result says where: replays what has been journalled
 * since, up to `until`. After -ECANCELED it can go on again; after another failure the books are of
 * no use, and still the caller's. */
int books_continue(books *b, const data_dir *dir, unsigned shard, const recovery_options *options,
                   recovery_result *result, char *error, size_t error_size);

/* Books that stay from one snapshot to the next: all zero, there are none. One thread at a time. */
typedef struct kept_books {
    books books;
    recovery_result at;
    bool are_there;
} kept_books;

void books_forget(kept_books *kept);

typedef struct snapshot_made {
    uint64_t sequence; /* of its last command */
    char skipped[512]; /* why the newest that was there before could not be used; "": it could */
} snapshot_made;

/* Writes the snapshot of what the directory holds up to `until` (0: all). A snapshot must never be
 * ahead of its journal: with make_safe that is brought to the disk first, as a start does it.
 * Nothing is written where that snapshot is there already. `kept` goes on with books from the last
 * time, if there are any and nothing is wrong, and has them afterwards; NULL: they are made for
 * this time. 0 or a negative errno, as above. */
int books_snapshot(const data_dir *dir, unsigned shard, const recovery_options *options,
                   kept_books *kept, snapshot_made *made, char *error, size_t error_size);

/* Removes what is not needed any more: all but the two newest snapshots and the newest one up to
 * keep_from (what is stored elsewhere only up to that command; UINT64_MAX: nothing is), and
 * segments that end before the oldest of these. Where no snapshot is as old as keep_from, the
 * oldest one and all segments stay: whoever has nothing yet begins there. Not after a snapshot was
 * skipped: a bad one counts for nothing, so all stays until there are two good ones. `pace_us` not
 * 0: beside a running service, in pieces (journal/removal.h) and only when the older one was read,
 * with such rests, and found whole; `stop` ends it early. 0; -EBADMSG: that one is bad, so all
 * stays for now; or another negative errno: the folder could not be read or synced, and nothing
 * more is to be removed. The reason is in error. */
int books_remove_old(const data_dir *dir, unsigned shard, uint64_t keep_from, unsigned pace_us,
                     const atomic_bool *stop, char *error, size_t error_size);

#endif
