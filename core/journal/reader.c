/* Walks a shard's journal: from record to record along the chain, from segment to segment, and
 * tells a torn tail from damage when it comes to something bad.
 *
 * Invariants: position is after the last good record, in the segment that is open; nothing of a
 * record is used before its checksum and its link to the one before are right; once `end` is not
 * JOURNAL_MORE it stays.
 *
 * Beside a writer (claimed_only) the highest claim is looked for once, at opening. A claim is on
 * disk after all that it names, and files only grow, so everything up to it is there for whoever
 * reads afterwards: nothing needs to be read again, and what is bad below it is damage.
 */
#include "journal/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "journal/codec.h"
#include "journal/segment_read.h"

#define REASON_SIZE 384

struct journal_reader {
    data_dir dir;
    unsigned shard;
    uint64_t from;
    bool claimed_only;
    uint64_t last_wanted; /* nothing is read beyond it; UINT64_MAX: there is no such end */
    uint64_t *segments;   /* the names, ascending */
    size_t segment_count;
    size_t at; /* which of them is open, or is to be opened */
    bool is_open;
    bool is_resumed;
    segment_reader file;
    journal_position position;
    journal_end end;
    uint64_t commands_end;     /* offset after the last command of the segment */
    uint32_t command_checksum; /* of the last command, returned or skipped */
    uint64_t bytes_before;     /* of the segments that are done */
    uint64_t bytes_in_all;
    char trouble[DATA_DIR_PATH_SIZE + REASON_SIZE + 64];
};

/* ---- Ends ------------------------------------------------------------------------------------ */

/* Has the segment at the position lost its name? Whoever removes one takes that first, and no other
 * segment ever gets it. */
static bool was_removed(const journal_reader *r)
{
    char path[DATA_DIR_PATH_SIZE];
    return r->claimed_only && r->position.first_sequence != 0 &&
           data_dir_journal_path(&r->dir, r->shard, r->position.first_sequence, path) &&
           access(path, F_OK) != 0 && errno == ENOENT;
}

/* Ends with something to tell, about the position. */
__attribute__((format(printf, 3, 4))) static void stop(journal_reader *r, journal_end end,
                                                       const char *format, ...)
{
    char path[DATA_DIR_PATH_SIZE], reason[REASON_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    if (was_removed(r)) {
        snprintf(reason, sizeof reason, "it was removed while the journal was read; begin again");
        end = JOURNAL_REMOVED;
    }
    if (r->position.first_sequence == 0 ||
        !data_dir_journal_path(&r->dir, r->shard, r->position.first_sequence, path)) {
        data_dir_shard_path(&r->dir, r->shard, path);
    }
    snprintf(r->trouble, sizeof r->trouble, "%s, offset %" PRIu64 ": %s", path, r->position.offset,
             reason);
    r->end = end;
}

/* Ends where nothing is wrong, unless there should be more. */
static void stop_whole(journal_reader *r)
{
    if (r->position.last_sequence + 1 < r->from) {
        stop(r, JOURNAL_DAMAGED,
             "the journal ends with command %" PRIu64 ", but command %" PRIu64
             " was there once: its end is missing",
             r->position.last_sequence, r->from - 1);
        return;
    }
    r->end = JOURNAL_WHOLE;
}

/* Does somebody know up to where everything is there? */
static bool has_end(const journal_reader *r)
{
    return r->last_wanted != UINT64_MAX;
}

static bool is_last(const journal_reader *r)
{
    return r->at + 1 == r->segment_count;
}

/* Something bad at the position, where nothing says that it was ever on disk: a torn tail? */
static void stop_torn(journal_reader *r, const char *why)
{
    if (r->position.last_sequence + 1 < r->from) {
        stop(r, JOURNAL_DAMAGED, "%s, and command %" PRIu64 " was there once", why, r->from - 1);
        return;
    }
    stop(r, JOURNAL_TORN, "%s; no claim names anything from there on: a torn tail", why);
}

/* Something bad at the position: torn or damaged. */
static void stop_bad(journal_reader *r, const char *why)
{
    uint64_t due = r->position.last_sequence + 1, offset = r->position.offset, claimed;
    if (!is_last(r) || r->file.failure != 0) {
        stop(r, JOURNAL_DAMAGED, "%s", why);
        return;
    }
    while (segment_reader_find_claim(&r->file, &offset, &claimed)) {
        if (claimed >= due) {
            stop(r, JOURNAL_DAMAGED,
                 "%s, but the claim at offset %" PRIu64
                 " says that everything up to command %" PRIu64 " was on disk",
                 why, offset, claimed);
            return;
        }
        offset += JOURNAL_ALIGN;
    }
    if (r->file.failure != 0) {
        stop(r, JOURNAL_DAMAGED, "%s, and what follows cannot be read: %s", why,
             strerror(r->file.failure));
    } else if (due <= r->last_wanted && has_end(r)) {
        stop(r, JOURNAL_DAMAGED,
             "%s, but a claim says that everything up to command %" PRIu64 " was on disk", why,
             r->last_wanted);
    } else {
        stop_torn(r, why);
    }
}

/* ---- Segments -------------------------------------------------------------------------------- */

/* Opens the segment r->at and checks that it goes on where the one before ended. */
static void open_segment(journal_reader *r)
{
    bool is_first = r->position.first_sequence == 0;
    uint64_t name = r->segments[r->at];
    if (!is_first && name != r->position.last_sequence + 1) {
        stop(r, JOURNAL_DAMAGED,
             "the records end with command %" PRIu64 ", but the next segment begins with %" PRIu64
             "%s",
             r->position.last_sequence, name,
             name > r->position.last_sequence ? ": commands are missing" : "");
        return;
    }
    r->position.first_sequence = name;
    r->position.offset = 0;
    int result = segment_reader_open(&r->file, &r->dir, r->shard, name);
    if (result < 0) {
        stop(r, JOURNAL_DAMAGED, "%s", strerror(-result));
        return;
    }
    char text[REASON_SIZE];
    const char *why;
    journal_end end =
        segment_reader_check_header(&r->file, &r->dir, r->shard, &why, text, sizeof text);
    if (end != JOURNAL_MORE) {
        stop(r, end, "%s", why);
        return;
    }
    if (!is_first && r->file.header.previous != r->position.checksum) {
        stop(r, JOURNAL_DAMAGED, "it does not follow the segment before it: the chain is wrong");
        return;
    }
    r->position.offset = r->position.safe_offset = r->commands_end = JOURNAL_RECORDS_AT;
    r->position.checksum = r->file.header.previous;
    r->position.last_sequence = name - 1;
    if (r->position.claimed < name - 1) {
        r->position.claimed = name - 1; /* a segment is begun when that is so */
    }
    r->is_open = true;
}

/* No more records in this segment: only zeros may follow, and then the next one. */
static void end_segment(journal_reader *r)
{
    bool is_known = r->is_resumed && !is_last(r) && r->file.failure == 0;
    uint64_t bytes =
        is_known ? r->file.size : segment_reader_find_bytes(&r->file, r->position.offset);
    char why[REASON_SIZE];
    if (r->file.failure != 0) {
        stop_bad(r, strerror(r->file.failure));
    } else if (bytes < r->file.size) {
        snprintf(why, sizeof why,
                 "the records end here, but at offset %" PRIu64 " there is something", bytes);
        stop_bad(r, why);
    } else if (r->file.size < r->file.header.size_bytes) {
        snprintf(why, sizeof why,
                 "the records end here, and the file at %" PRIu64 " instead of %" PRIu64,
                 r->file.size, r->file.header.size_bytes);
        stop_bad(r, why);
    } else if (has_end(r) && is_last(r)) {
        stop_bad(r, "the records end here"); /* not at last_wanted yet */
    } else if (is_last(r)) {
        stop_whole(r);
    } else {
        segment_reader_forget(&r->file, r->is_resumed);
        r->bytes_before += r->file.size;
        r->is_open = false;
        r->at++;
    }
}

/* ---- Records --------------------------------------------------------------------------------- */

static const char *take_claim(journal_reader *r, const journal_record *record)
{
    if (record->length != sizeof *record || record->reserved != 0) {
        return "a claim that is none of ours";
    }
    if (record->sequence > r->position.last_sequence) {
        return "a claim names a command that is not there";
    }
    if (record->sequence < r->position.claimed) {
        return "a claim names less than the one before it";
    }
    r->position.claimed = record->sequence;
    if (record->sequence == r->position.last_sequence) {
        r->position.safe_offset = r->commands_end;
    }
    return NULL;
}

static const char *take_command(journal_reader *r, const journal_record *record,
                                matching_command *command)
{
    const char *why = journal_decode(record, command);
    if (why != NULL) {
        return why;
    }
    if (record->sequence != r->position.last_sequence + 1) {
        return "a command's sequence is not the next one";
    }
    if (record->time_ns < r->position.last_time_ns) {
        return "a command's time is before that of the command before it";
    }
    r->position.last_sequence = record->sequence;
    r->position.last_time_ns = record->time_ns;
    r->command_checksum = record->checksum;
    r->commands_end = r->position.offset + record->length;
    return NULL;
}

/* Takes one record. True: *command is one to return. */
static bool step(journal_reader *r, matching_command *command)
{
    const char *why;
    if (r->position.last_sequence >= r->last_wanted) {
        stop_whole(r);
        return false;
    }
    const journal_record *record = segment_reader_record(&r->file, r->position.offset, &why);
    if (record == NULL && why == NULL) {
        end_segment(r);
        return false;
    }
    if (record != NULL && record->previous != r->position.checksum) {
        record = NULL;
        why = "the record does not follow the one before it: the chain is wrong";
    }
    if (record == NULL) {
        stop_bad(r, why);
        return false;
    }
    why = record->kind == JOURNAL_CLAIM ? take_claim(r, record) : take_command(r, record, command);
    if (why != NULL) {
        stop(r, JOURNAL_DAMAGED, "%s", why);
        return false;
    }
    r->position.offset += record->length;
    r->position.checksum = record->checksum;
    return record->kind == JOURNAL_COMMAND && record->sequence >= r->from;
}

journal_end journal_reader_next(journal_reader *reader, matching_command *command)
{
    while (reader->end == JOURNAL_MORE) {
        if (!reader->is_open) {
            open_segment(reader);
        } else if (step(reader, command)) {
            return JOURNAL_MORE;
        }
    }
    return reader->end;
}

/* ---- Opening --------------------------------------------------------------------------------- */

/* What is claimed at this moment: whatever came before the last segment, and the highest claim in
 * that. Chain and order are looked at when the records are read. */
static uint64_t find_claimed(journal_reader *r)
{
    char text[REASON_SIZE];
    const char *why;
    uint64_t name = r->segments[r->segment_count - 1], highest = name - 1, claimed;
    if (segment_reader_open(&r->file, &r->dir, r->shard, name) < 0 ||
        segment_reader_check_header(&r->file, &r->dir, r->shard, &why, text, sizeof text) !=
            JOURNAL_MORE) {
        return UINT64_MAX - 1; /* which reading will tell */
    }
    for (uint64_t offset = JOURNAL_RECORDS_AT;
         segment_reader_find_claim(&r->file, &offset, &claimed); offset += sizeof(journal_record)) {
        highest = claimed > highest ? claimed : highest;
    }
    return highest;
}

static void count_bytes(journal_reader *r)
{
    for (size_t i = r->at; i < r->segment_count; i++) {
        if (segment_reader_open(&r->file, &r->dir, r->shard, r->segments[i]) == 0) {
            r->bytes_in_all += r->file.size;
        }
    }
}

/* Chooses where to begin. */
static void begin(journal_reader *r)
{
    if (r->segment_count == 0) {
        stop_whole(r);
        return;
    }
    if (r->segments[0] > r->from) {
        r->position.first_sequence = r->segments[0];
        stop(r, JOURNAL_DAMAGED,
             "the journal begins with command %" PRIu64 ", but command %" PRIu64 " is needed%s",
             r->segments[0], r->from,
             r->claimed_only ? "; if it was removed just now, begin again" : "");
        return;
    }
    while (!is_last(r) && r->segments[r->at + 1] <= r->from) {
        r->at++;
    }
    if (r->claimed_only) {
        r->last_wanted = find_claimed(r);
        r->position.first_sequence = r->segments[r->segment_count - 1];
        if (was_removed(r)) { /* then it may have been looked for in other bytes */
            stop(r, JOURNAL_REMOVED, "it is gone");
            return;
        }
        r->position.first_sequence = 0;
    }
    count_bytes(r);
}

static long list_segments(journal_reader *r)
{
    return data_dir_list(&r->dir, r->shard, DATA_DIR_JOURNAL, &r->segments);
}

/* Lists the segments. */
static journal_reader *make_reader(const data_dir *dir, unsigned shard, uint64_t from, unsigned how,
                                   char *error, size_t error_size)
{
    journal_reader *r = calloc(1, sizeof *r);
    if (r == NULL || !segment_reader_init(&r->file)) {
        snprintf(error, error_size, "there is no memory to read a journal");
        free(r);
        return NULL;
    }
    r->dir = *dir;
    r->dir.lock_fd = -1;
    r->shard = shard;
    r->from = from;
    r->claimed_only = (how & JOURNAL_CLAIMED_ONLY) != 0;
    r->file.is_gentle = (how & JOURNAL_GENTLY) != 0;
    long count = list_segments(r);
    if (count < 0) {
        char path[DATA_DIR_PATH_SIZE];
        data_dir_shard_path(dir, shard, path);
        snprintf(error, error_size, "%s cannot be read: %s", path, strerror((int)-count));
        journal_reader_close(r);
        return NULL;
    }
    r->segment_count = (size_t)count;
    r->last_wanted = UINT64_MAX;
    return r;
}

journal_reader *journal_reader_open(const data_dir *dir, unsigned shard, uint64_t from,
                                    unsigned how, char *error, size_t error_size)
{
    journal_reader *r = make_reader(dir, shard, from, how, error, error_size);
    if (r != NULL) {
        begin(r);
    }
    return r;
}

journal_reader *journal_reader_resume(const data_dir *dir, unsigned shard,
                                      const journal_position *at, uint32_t checksum, char *error,
                                      size_t error_size)
{
    journal_reader *r =
        make_reader(dir, shard, at->last_sequence + 1, JOURNAL_GENTLY, error, error_size);
    if (r == NULL) {
        return NULL;
    }
    while (r->at < r->segment_count && r->segments[r->at] != at->first_sequence) {
        r->at++;
    }
    if (r->at < r->segment_count) {
        open_segment(r);
    }
    if (!r->is_open) {
        snprintf(error, error_size, "%s", r->end != JOURNAL_MORE ? r->trouble : "it is gone");
        journal_reader_close(r);
        return NULL;
    }
    r->is_resumed = true;
    r->position = *at;
    r->commands_end = at->offset;
    r->command_checksum = checksum;
    return r;
}

journal_reader *journal_reader_open_until(const data_dir *dir, unsigned shard, uint64_t from,
                                          uint64_t until, char *error, size_t error_size)
{
    journal_reader *r = make_reader(dir, shard, from, JOURNAL_GENTLY, error, error_size);
    if (r != NULL) {
        r->last_wanted = until;
        begin(r);
    }
    return r;
}

/* The segments as they are now: some may have gone before the open one, others come after it. */
void journal_reader_go_on(journal_reader *r, uint64_t until)
{
    uint64_t *before = r->segments;
    if (r->end != JOURNAL_WHOLE || until <= r->last_wanted) {
        return;
    }
    long count = list_segments(r);
    if (count <= 0) {
        r->segments = before;
        stop(r, JOURNAL_DAMAGED, "its folder cannot be read: %s",
             count < 0 ? strerror((int)-count) : "it is empty");
        return;
    }
    free(before);
    r->segment_count = (size_t)count;
    r->at = 0;
    uint64_t at = r->is_open ? r->position.first_sequence : r->from;
    while (!is_last(r) && r->segments[r->at + 1] <= at) {
        r->at++;
    }
    segment_reader_refresh(&r->file);
    r->last_wanted = until;
    r->end = JOURNAL_MORE;
}

int journal_reader_sync(const journal_reader *r)
{
    return !r->is_open || fdatasync(r->file.fd) == 0 ? 0 : -errno;
}

void journal_reader_close(journal_reader *reader)
{
    if (reader != NULL) {
        segment_reader_fini(&reader->file);
        free(reader->segments);
        free(reader);
    }
}

const journal_position *journal_reader_position(const journal_reader *reader)
{
    return &reader->position;
}

uint32_t journal_reader_checksum(const journal_reader *reader)
{
    return reader->command_checksum;
}

const char *journal_reader_trouble(const journal_reader *reader)
{
    return reader->trouble;
}

void journal_reader_progress(const journal_reader *reader, uint64_t *done, uint64_t *all)
{
    *all = reader->bytes_in_all;
    *done = reader->bytes_before + reader->position.offset;
    if (reader->end != JOURNAL_MORE || *done > *all) {
        *done = *all;
    }
}

/* ---- Cutting --------------------------------------------------------------------------------- */

/* Zeros from one offset to another, synced. 0 or a negative errno. */
static int write_zeros(int fd, uint64_t from, uint64_t to)
{
    static const char zeros[1 << 16];
    while (from < to) {
        size_t size = to - from < sizeof zeros ? (size_t)(to - from) : sizeof zeros;
        ssize_t written = pwrite(fd, zeros, size, (off_t)from);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return written < 0 ? -errno : -EIO;
        }
        from += (uint64_t)written;
    }
    return fsync(fd) == 0 ? 0 : -errno;
}

int journal_cut(const data_dir *dir, unsigned shard, const journal_position *at, char *error,
                size_t error_size)
{
    char path[DATA_DIR_PATH_SIZE];
    journal_header header;
    int result = -EINVAL;
    if (at->offset < JOURNAL_RECORDS_AT ||
        !data_dir_journal_path(dir, shard, at->first_sequence, path)) {
        snprintf(error, error_size, "a journal cannot be cut at offset %" PRIu64, at->offset);
        return result;
    }
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        result = -errno;
    } else {
        ssize_t size = pread(fd, &header, sizeof header, 0);
        result = size == (ssize_t)sizeof header ? 0 : size < 0 ? -errno : -EIO;
        if (result == 0) {
            result = write_zeros(fd, at->offset, header.size_bytes);
        }
        close(fd);
    }
    if (result < 0) {
        snprintf(error, error_size, "%s: the torn tail cannot be cut off: %s", path,
                 strerror(-result));
    }
    return result;
}
