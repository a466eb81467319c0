/* A disk that tests can hold, break and watch: link matching_journal_disk, and the journal's calls
 * to the system go through here. Not a power cut: what was written stays.
 *
 * It also checks as it goes, under any test: what is claimed was on disk; a segment gets its name
 * only when all before it, its zeros and its header are on disk, and records only when its name is.
 * disk_violations counts what was not so.
 */
#ifndef MATCHING_TESTS_JOURNAL_DISK_H
#define MATCHING_TESTS_JOURNAL_DISK_H

#include <stdbool.h>
#include <stdint.h>

typedef enum disk_call {
    DISK_WRITE, /* pwrite, pwritev */
    DISK_SYNC,  /* fdatasync: of segments, and of the spare's header */
    DISK_FSYNC, /* of the spare, of folders */
    DISK_RENAME,
    DISK_RESERVE, /* fallocate */
    DISK_CALLS
} disk_call;

/* Forgets everything: all calls succeed, nothing is counted yet, and commands up to last_sequence
 * are on disk. */
void disk_reset(uint64_t last_sequence);

uint64_t disk_count(disk_call call);

/* The `nth` call from now on fails with that errno, and all after it if `stays`. */
void disk_fail(disk_call call, uint64_t nth, int error, bool stays);
bool disk_has_failed(void); /* did one? */
void disk_mend(void);

/* Calls of this kind stop before they do anything, until they are released. disk_await_held waits
 * for one that stands there; false after half a minute. */
void disk_hold(disk_call call);
bool disk_await_held(void);
void disk_release(void);

/* Each write takes at most so many bytes, and every second one is interrupted first; 0: no more. */
void disk_shorten_writes(uint64_t most);

/* The last command that was written, and that a sync which returned well has covered. */
uint64_t disk_written(void);
uint64_t disk_synced(void);

/* Writes of records past the page cache that were done. */
uint64_t disk_large_writes(void);

unsigned disk_violations(void);

#endif
