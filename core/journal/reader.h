/* Reads a shard's journal from a sequence on, and tells how it ends.
 *
 * Reads through a buffer of its own, so that a failing disk is an error like others and a process
 * that writes at the same time cannot change what was found good. Never writes. One thread.
 *
 * What is bad, and what that means: see docs/journal.md. In short, in the last segment a bad record
 * that no whole claim names is a torn tail. All else is damage: a bad record that a claim names or
 * in another segment, a gap, a bad header, and a record whose checksum and chain are right although
 * what it says cannot be, for no accident of a disk makes such a one.
 */
#ifndef MATCHING_JOURNAL_READER_H
#define MATCHING_JOURNAL_READER_H

#include "journal/data_dir.h"
#include "journal/format.h"
#include "matching/command.h"

typedef enum journal_end {
    JOURNAL_MORE = 0,    /* *command is the next one */
    JOURNAL_WHOLE = 1,   /* the end, and zeros after it */
    JOURNAL_TORN = 2,    /* the end; what follows was never claimed: it may be cut off */
    JOURNAL_DAMAGED = 3, /* a bad record at or below a claim, a gap, a wrong chain */
    JOURNAL_REFUSED = 4, /* a newer version or other rules */
    JOURNAL_REMOVED = 5  /* claimed_only: what was being read is superfluous by now; begin again */
} journal_end;

/* Where a journal goes on. */
typedef struct journal_position {
    uint64_t first_sequence; /* of the segment, its name; 0: there is no segment */
    uint64_t offset;         /* in it: of the next record, or of what is wrong */
    uint64_t safe_offset;    /* in it: what is before was on disk, a claim says; 0: not known */
    uint64_t last_sequence;  /* of the last good command; 0: none */
    uint64_t claimed;        /* the highest durable claim among good records */
    uint64_t last_time_ns;   /* of the last good command */
    uint32_t checksum;       /* of the last good record (or the header's `previous`) */
} journal_position;

typedef struct journal_reader journal_reader;

/* How a journal is read: 0, or both. */
#define JOURNAL_CLAIMED_ONLY 1u
#define JOURNAL_GENTLY 2u

/* Begins with the segment that holds sequence `from` (at least 1); commands below it are checked
 * and skipped. A journal that ends before `from` - 1 is damaged; one without any segment ends at 0.
 *
 * CLAIMED_ONLY: stops, JOURNAL_WHOLE, after the highest command that a claim named when this was
 * called, and looks at nothing beyond it: for a directory that another process is writing to. A
 * segment that this process removes in the meantime is JOURNAL_REMOVED: it loses its name before
 * its bytes, so whatever looks bad is asked for its name before it is called so.
 *
 * GENTLY: beside a running service, whose syncs wait for as long as the disk reads many megabytes:
 * so nothing is read ahead. All but journal_reader_open do so anyway.
 *
 * NULL with the reason in error: memory, or a folder that cannot be read. dir is not kept. */
journal_reader *journal_reader_open(const data_dir *dir, unsigned shard, uint64_t from,
                                    unsigned how, char *error, size_t error_size);

/* Goes on at a position where a reader of this process came out, whose last command had that
 * checksum, in a journal that is written meanwhile: only up to what was sealed may be read. That
 * nothing but zeros follows the records of a segment is not looked at. NULL with the reason in
 * error. */
journal_reader *journal_reader_resume(const data_dir *dir, unsigned shard,
                                      const journal_position *at, uint32_t checksum, char *error,
                                      size_t error_size);
void journal_reader_close(journal_reader *reader);

/* For the process that writes the journal, which knows up to where everything is written: `until`.
 * A reader so opened stops there, JOURNAL_WHOLE, and looks at nothing beyond. _go_on lets it go
 * further, after such a stop and up to a later `until`, or to the same one again; after another end
 * it does nothing. The segment in which it stands must not be removed. */
journal_reader *journal_reader_open_until(const data_dir *dir, unsigned shard, uint64_t from,
                                          uint64_t until, char *error, size_t error_size);
void journal_reader_go_on(journal_reader *reader, uint64_t until);

/* Brings to disk what was read, where that may be written only: fdatasync of the segment in which
 * it stands (those before it are on disk). 0 or a negative errno. */
int journal_reader_sync(const journal_reader *reader);

/* The next command. Anything but JOURNAL_MORE is final: asked again it says the same. */
journal_end journal_reader_next(journal_reader *reader, matching_command *command);

/* Where it stands: after the last good record, or at what is wrong. */
const journal_position *journal_reader_position(const journal_reader *reader);

/* The checksum of the record of the last command returned, or skipped (a snapshot keeps it); 0:
 * there was none. */
uint32_t journal_reader_checksum(const journal_reader *reader);

/* After TORN, DAMAGED, REFUSED, REMOVED: one line that names file, offset and reason; ""
 * otherwise. */
const char *journal_reader_trouble(const journal_reader *reader);

/* Bytes of journal read so far and in all, for progress; from the first segment read on. */
void journal_reader_progress(const journal_reader *reader, uint64_t *done, uint64_t *all);

/* Cuts a torn tail off: writes zeros from the position, where a reader said TORN, to the end of the
 * segment, as long as its header says, and syncs. Interrupted, it can be done again. 0 or a
 * negative errno with the reason in error. */
int journal_cut(const data_dir *dir, unsigned shard, const journal_position *at, char *error,
                size_t error_size);

#endif
