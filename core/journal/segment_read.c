/* Reading one segment's file through a window of its bytes. */
#include "journal/segment_read.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal/checksum.h"
#include "journal/codec.h"

#define WINDOW_SIZE ((size_t)1 << 18)

bool segment_reader_init(segment_reader *s)
{
    memset(s, 0, sizeof *s);
    s->fd = -1;
    s->window = malloc(WINDOW_SIZE);
    return s->window != NULL;
}

static void close_file(segment_reader *s)
{
    if (s->fd >= 0) {
        close(s->fd);
    }
    s->fd = -1;
}

void segment_reader_fini(segment_reader *s)
{
    close_file(s);
    free(s->window);
    s->window = NULL;
}

int segment_reader_open(segment_reader *s, const data_dir *dir, unsigned shard,
                        uint64_t first_sequence)
{
    char path[DATA_DIR_PATH_SIZE];
    struct stat status;
    close_file(s);
    s->failure = 0;
    s->first_sequence = first_sequence;
    s->size = s->window_at = s->window_size = 0;
    memset(&s->header, 0, sizeof s->header);
    if (!data_dir_journal_path(dir, shard, first_sequence, path)) {
        return -ENAMETOOLONG;
    }
    s->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (s->fd < 0 || fstat(s->fd, &status) != 0) {
        int code = errno;
        close_file(s);
        return -code;
    }
    s->size = (uint64_t)status.st_size;
    if (s->is_gentle) { /* before the first read: one that is under way goes on ahead */
        posix_fadvise(s->fd, 0, 0, POSIX_FADV_RANDOM);
    }
    return 0;
}

void segment_reader_forget(const segment_reader *s, bool so)
{
    if (so) {
        posix_fadvise(s->fd, 0, 0, POSIX_FADV_DONTNEED);
    }
}

void segment_reader_refresh(segment_reader *s)
{
    s->window_size = 0;
}

/* ---- Bytes ----------------------------------------------------------------------------------- */

/* Moves the window to the offset: as much as there is. */
static void move_window(segment_reader *s, uint64_t offset)
{
    size_t wanted = s->size - offset < WINDOW_SIZE ? (size_t)(s->size - offset) : WINDOW_SIZE;
    s->window_at = offset;
    s->window_size = 0;
    while (s->window_size < wanted) {
        ssize_t size = pread(s->fd, s->window + s->window_size, wanted - s->window_size,
                             (off_t)(offset + s->window_size));
        if (size < 0 && errno == EINTR) {
            continue;
        }
        if (size <= 0) {
            s->failure = size < 0 ? errno : EIO; /* shorter than it was when it was opened */
            return;
        }
        s->window_size += (size_t)size;
    }
}

/* `size` bytes at the offset, or NULL: there are not so many, or a failure. */
static inline const void *bytes_at(segment_reader *s, uint64_t offset, size_t size)
{
    if (offset + size > s->size) {
        return NULL;
    }
    if (offset < s->window_at || offset + size > s->window_at + s->window_size) {
        move_window(s, offset);
        if (s->window_size < size) {
            return NULL;
        }
    }
    return s->window + (offset - s->window_at);
}

uint64_t segment_reader_find_bytes(segment_reader *s, uint64_t offset)
{
    static const char zeros[4096];
    while (offset < s->size) {
        size_t size = s->size - offset < sizeof zeros ? (size_t)(s->size - offset) : sizeof zeros;
        const char *bytes = bytes_at(s, offset, size);
        if (bytes == NULL) {
            return s->size;
        }
        if (memcmp(bytes, zeros, size) != 0) {
            while (*bytes == 0) {
                bytes++;
                offset++;
            }
            return offset;
        }
        offset += size;
    }
    return s->size;
}

/* ---- Header ---------------------------------------------------------------------------------- */

static bool header_is_whole(const void *page)
{
    const journal_header *header = page;
    uint32_t none = 0;
    size_t behind = offsetof(journal_header, checksum) + sizeof none;
    uint32_t crc = checksum_crc32c(0, page, offsetof(journal_header, checksum));
    crc = checksum_crc32c(crc, &none, sizeof none);
    return header->checksum ==
           checksum_crc32c(crc, (const char *)page + behind, JOURNAL_RECORDS_AT - behind);
}

/* What a header with a right checksum says of the file it is in; NULL: nothing wrong. */
static const char *misplaced(const segment_reader *s, const data_dir *dir, unsigned shard)
{
    const journal_header *header = &s->header;
    if (header->shard != shard || header->shard_count != dir->shards) {
        return "it belongs to another shard or directory";
    }
    if (header->first_sequence != s->first_sequence || header->first_sequence == 0) {
        return "its name is not that of its first command";
    }
    if (header->first_sequence == 1 && header->previous != 0) {
        return "it says that something came before the first command";
    }
    if (header->size_bytes < JOURNAL_RECORDS_AT || header->size_bytes > JOURNAL_SIZE_MAX ||
        header->size_bytes % JOURNAL_ALIGN != 0) {
        return "a segment cannot have the size that it says";
    }
    if (s->size > header->size_bytes) {
        return "the file is longer than its header says";
    }
    return NULL;
}

journal_end segment_reader_check_header(segment_reader *s, const data_dir *dir, unsigned shard,
                                        const char **why, char *text, size_t text_size)
{
    const void *page = bytes_at(s, 0, JOURNAL_RECORDS_AT);
    *why = text;
    if (page == NULL) {
        *why = s->failure != 0 ? strerror(s->failure) : "the file is shorter than a header";
        return JOURNAL_DAMAGED;
    }
    memcpy(&s->header, page, sizeof s->header);
    const journal_header *header = &s->header;
    if (memcmp(header->magic, JOURNAL_MAGIC, sizeof header->magic) != 0) {
        *why = "it does not begin as a segment does";
        return JOURNAL_DAMAGED;
    }
    if (!header_is_whole(page)) {
        snprintf(text, text_size, "the header's checksum is wrong (it says version %" PRIu32 ")",
                 header->version);
        return JOURNAL_DAMAGED;
    }
    if (header->version != JOURNAL_VERSION) {
        snprintf(text, text_size,
                 "it was written by a%s matching: its version is %" PRIu32
                 ", this one knows %u; use the matching that wrote it",
                 header->version > JOURNAL_VERSION ? " newer" : "nother", header->version,
                 JOURNAL_VERSION);
        return JOURNAL_REFUSED;
    }
    if (header->rules != JOURNAL_RULES) {
        snprintf(text, text_size,
                 "it was written under version %" PRIu32
                 " of the matching rules, this matching has %u and would make another history of "
                 "it; use the matching that wrote it",
                 header->rules, JOURNAL_RULES);
        return JOURNAL_REFUSED;
    }
    *why = misplaced(s, dir, shard);
    return *why == NULL ? JOURNAL_MORE : JOURNAL_DAMAGED;
}

/* ---- Records --------------------------------------------------------------------------------- */

const journal_record *segment_reader_record(segment_reader *s, uint64_t offset, const char **why)
{
    *why = NULL;
    const uint32_t *begin = bytes_at(s, offset, sizeof *begin);
    uint32_t length = begin != NULL ? *begin : 0;
    if (length != 0) {
        *why = "a record cannot have the length that it says";
        if (length < sizeof(journal_record) || length > JOURNAL_RECORD_MAX ||
            length % JOURNAL_ALIGN != 0) {
            return NULL;
        }
        /* Read again, it may be another in a file that is being given up. */
        const journal_record *record = bytes_at(s, offset, length);
        if (record != NULL && record->length == length && journal_record_is_whole(record)) {
            return record;
        }
        *why = record != NULL ? "the record's checksum is wrong" : "the record is cut short";
    }
    if (s->failure != 0) {
        *why = strerror(s->failure);
    }
    return NULL;
}

bool segment_reader_find_claim(segment_reader *s, uint64_t *offset, uint64_t *sequence)
{
    for (uint64_t at = *offset; at + sizeof(journal_record) <= s->size; at += JOURNAL_ALIGN) {
        const journal_record *record = bytes_at(s, at, sizeof *record);
        if (record == NULL) {
            return false;
        }
        if (record->length == sizeof *record && record->kind == JOURNAL_CLAIM &&
            record->reserved == 0 && journal_record_is_whole(record)) {
            *offset = at;
            *sequence = record->sequence;
            return true;
        }
    }
    return false;
}
