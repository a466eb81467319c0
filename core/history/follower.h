/* Brings one shard's part of the store to where its journal is, and keeps it there.
 *
 * It has books of its own and applies the journal's commands to them, as recovery does, so that
 * what it adds to the store is what the shard told: trades, ended orders with the fills that led
 * there, instruments. The shard does nothing for it. What is behind is read from the same files in
 * the same way as what was written a moment ago, so there is nothing to be lapped by, and what was
 * added twice or left out would be so after every start.
 *
 * Thread: one, that which adds to the store.
 */
#ifndef MATCHING_HISTORY_FOLLOWER_H
#define MATCHING_HISTORY_FOLLOWER_H

#include <stdatomic.h>

#include "journal/reader.h"
#include "shard/books.h"
#include "store/store.h"

#define FOLLOWER_STEP 4096 /* commands of a commit, at most */

typedef struct follower {
    const data_dir *dir;
    unsigned number;
    store *s;
    bool must_sync;          /* what is durable may be written only: see follower_init */
    uint64_t synced_segment; /* the last one that was synced; 0: none */
    uint64_t synced;         /* up to this command it is on disk */
    books b;
    bool has_books;
    journal_reader *reader;
    uint64_t sequence, time_ns; /* of the last command that was applied */
    uint64_t begins;  /* history begins after this command: what was before is gone; 0: it is all */
    uint32_t rest_us; /* between each few commands of a step; 0: none. Whoever steps may set it */
    int failure;      /* of an addition */
    char why[STORE_ERROR_SIZE]; /* of the last failure */
} follower;

/* must_sync: durable commands may not be on disk (journal.sync is not "commit"): they are brought
 * there before their effects are stored, so that a crash cannot leave a store that knows more than
 * its journal. Nothing is read yet; dir and s outlive it. */
void follower_init(follower *f, const data_dir *dir, unsigned number, store *s, bool must_sync);
void follower_fini(follower *f);

/* Brings the books to where the store stands. A store that has nothing yet begins with the
 * journal, or where that was cut short, with the oldest snapshot and what that still has of
 * trades and ended orders. stop: may be NULL; once true: -ECANCELED. 0; -ENODATA: commands that the
 * store lacks were removed from the journal; or another negative errno. The reason is in why. */
int follower_open(follower *f, const atomic_bool *stop);

/* Adds the next commands up to `until`, at most FOLLOWER_STEP of them, and commits. *more: it has
 * not come to `until` yet. 0 or a negative errno, with the reason in why: then it is over. */
int follower_step(follower *f, uint64_t until, bool *more);

/* No command of the shard that is not stored yet lies before this time: candles that have ended are
 * final. As follower_step. */
int follower_tell_time(follower *f, uint64_t time_ns);

/* What the store needs of a directory, without any of the above: see history_link.needed. 0 for a
 * store that has nothing. */
bool follower_can_reach(const data_dir *dir, unsigned number, uint64_t sequence);

#endif
