/* One segment's file while it is read: bytes, header, single records. What a record means where it
 * stands is the reader's.
 *
 * Bytes are read, not mapped: a disk that fails is then an error and no signal, and what was found
 * whole stays so while another process writes. One thread. Internal to core/journal.
 */
#ifndef MATCHING_JOURNAL_SEGMENT_READ_H
#define MATCHING_JOURNAL_SEGMENT_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "journal/data_dir.h"
#include "journal/format.h"
#include "journal/reader.h"

typedef struct segment_reader {
    int fd;      /* -1: not open */
    int failure; /* errno of a read that failed, 0: none did */
    uint64_t first_sequence;
    uint64_t size; /* of the file, as it is; once the header is right, at most what that says */
    journal_header header;
    char *window; /* bytes of the file from window_at on; kept from one file to the next */
    uint64_t window_at;
    size_t window_size;
    bool is_gentle; /* set before a segment is opened: nothing of it is read ahead */
} segment_reader;

/* Takes the memory. False: there is none. */
bool segment_reader_init(segment_reader *s);
void segment_reader_fini(segment_reader *s);

/* Opens that segment instead of the one before. 0, or a negative errno. */
int segment_reader_open(segment_reader *s, const data_dir *dir, unsigned shard,
                        uint64_t first_sequence);

/* Is the header right? JOURNAL_MORE: yes. Else DAMAGED or REFUSED, and *why says why (static, or in
 * `text`). Call before anything below. */
journal_end segment_reader_check_header(segment_reader *s, const data_dir *dir, unsigned shard,
                                        const char **why, char *text, size_t text_size);

/* The file has more by now: what follows is read again. */
void segment_reader_refresh(segment_reader *s);

/* The record at the offset, its length and checksum right; valid until the next call of any of
 * these. NULL with *why NULL: the records end here. NULL with *why: it is bad. */
const journal_record *segment_reader_record(segment_reader *s, uint64_t offset, const char **why);

/* The first byte at or after the offset that is not 0; s->size: there is none, or s->failure. */
uint64_t segment_reader_find_bytes(segment_reader *s, uint64_t offset);

/* If so, nobody reads the file again soon: its memory is better used for others. */
void segment_reader_forget(const segment_reader *s, bool so);

/* The next whole claim at or after *offset (aligned), whatever there is in between: sets *offset
 * and *sequence. False: there is none, or s->failure. */
bool segment_reader_find_claim(segment_reader *s, uint64_t *offset, uint64_t *sequence);

#endif
