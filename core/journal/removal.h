/* Files of a shard that newer snapshots have made superfluous, while its journal is written.
 *
 * Unlinking a large file frees all its blocks in one transaction of the file system: tens of
 * milliseconds for which each sync beside it waits. So such a file only loses its name, to one that
 * nobody reads and the next start deletes (*.old.tmp). Once that is on the disk its room is used
 * again: by the next segment, by the next snapshot; what is more than these need is given back in
 * pieces.
 *
 * Invariant: the contents of a file change only when its old name is gone for good. Whoever has it
 * open still, and finds it bad, asks whether it still has its name.
 *
 * Thread: those of one shard belong to the thread that makes its snapshots, but the taking.
 */
#ifndef MATCHING_JOURNAL_REMOVAL_H
#define MATCHING_JOURNAL_REMOVAL_H

#include <stdatomic.h>

#include "journal/data_dir.h"

#define REMOVAL_END ".old.tmp"

/* Takes the name of the file away, where `path` is that of a segment or a snapshot. Its contents
 * are as they were until removal_give_back. 0 or a negative errno. */
int removal_rename(const char *path);

/* After the folder was synced: keeps of the shard's files without a name what the next segments and
 * the next snapshot can use, and gives the room of the others back. `gently`: in pieces, with a
 * rest after each. Ends early once *stop (may be NULL) is true, and leaves what is left to the next
 * start. */
void removal_give_back(const data_dir *dir, unsigned shard, bool gently, const atomic_bool *stop);

/* Hands out a file that was kept in the shard's folder (data_dir_open_shard), as `name`, with
 * anything in it: a segment's of any size, a snapshot's. False: there is none. Any thread. */
bool removal_take_segment(int folder_fd, const char *name);
bool removal_take_snapshot(int folder_fd, const char *name);

/* Shortens the file to the size, in pieces with rests. 0 or a negative errno. */
int removal_shorten(int fd, uint64_t size, const atomic_bool *stop);

/* Deletes what was kept and what is left: nobody waits for the disk any more. */
void removal_clean(const data_dir *dir, unsigned shard);

#endif
