/* Reads a shard's journal from a sequence on, and tells how it ends.
 *
 * Memory-maps one segment at a time. Never writes. One thread.
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
    JOURNAL_REFUSED = 4  /* a newer version or other rules */
} journal_end;

/* Where a journal goes on. */
typedef struct journal_position {
    uint64_t first_sequence; /* of the segment, its name; 0: there is no segment */
    uint64_t offset;         /* in it: of the next record, or of what is wrong */
    uint64_t last_sequence;  /* of the last good command; 0: none */
    uint64_t claimed;        /* the highest durable claim among good records */
    uint64_t last_time_ns;   /* of the last good command */
    uint32_t checksum;       /* of the last good record (or the header's `previous`) */
} journal_position;

typedef struct journal_reader journal_reader;

/* Begins with the segment that holds sequence `from` (at least 1); commands below it are checked
 * and skipped. `previous` is the checksum that the record before `from` must have had, 0: unknown
 * (then it is taken as it is found). until: stop before records that are not claimed durable
 * ("claimed_only", for a journal that is just being written). NULL with the reason in error; no
 * segment at all is not an error: the first next() says JOURNAL_WHOLE, unless `from` is above 1,
 * when it says DAMAGED. */
journal_reader *journal_reader_open(const data_dir *dir, unsigned shard, uint64_t from,
                                    bool claimed_only, char *error, size_t error_size);
void journal_reader_close(journal_reader *reader);

/* The next command. Anything but JOURNAL_MORE is final: asked again it says the same. */
journal_end journal_reader_next(journal_reader *reader, matching_command *command);

/* Where it stands: after the last good record, or at what is wrong. */
const journal_position *journal_reader_position(const journal_reader *reader);

/* The checksum of the record of the last command returned (a snapshot keeps it). */
uint32_t journal_reader_checksum(const journal_reader *reader);

/* After TORN, DAMAGED, REFUSED: one line that names file, offset and reason. */
const char *journal_reader_trouble(const journal_reader *reader);

/* Bytes of journal read so far and in all, for progress. */
void journal_reader_progress(const journal_reader *reader, uint64_t *done, uint64_t *all);

/* Cuts a torn tail off: writes zeros from the position to the end of the last segment and syncs.
 * 0 or a negative errno with the reason in error. */
int journal_cut(const data_dir *dir, unsigned shard, const journal_position *at, char *error,
                size_t error_size);

#endif
