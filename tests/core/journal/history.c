/* See history.h. */
#include "core/journal/history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal/checksum.h"
#include "journal/codec.h"

static bool wrong(history *h, const char *what, uint64_t at)
{
    snprintf(h->trouble, sizeof h->trouble, "segment %u, byte %llu: %s", h->segments,
             (unsigned long long)at, what);
    return false;
}

static bool add_command(history *h, const journal_record *record, uint64_t at)
{
    if (record->sequence != h->count + 1 || record->time_ns < h->end.last_time_ns) {
        return wrong(h, "sequence or time", at);
    }
    if ((h->count & (h->count + 1)) == 0) { /* 0, 1, 3, 7, ... */
        h->commands = realloc(h->commands, 2 * (h->count + 1) * sizeof *h->commands);
    }
    const char *fault = journal_decode(record, &h->commands[h->count]);
    if (fault != NULL) {
        return wrong(h, fault, at);
    }
    h->count++;
    h->end.last_sequence = record->sequence;
    h->end.last_time_ns = record->time_ns;
    return true;
}

static bool read_record(history *h, const journal_record *record, uint64_t at, uint64_t room)
{
    if (record->length < sizeof *record || record->length > room ||
        record->length % JOURNAL_ALIGN != 0) {
        return wrong(h, "length", at);
    }
    if (!journal_record_is_whole(record) || record->previous != h->end.checksum) {
        return wrong(h, "checksum or chain", at);
    }
    h->end.checksum = record->checksum;
    if (record->kind == JOURNAL_CLAIM) {
        h->claims++;
        if (record->sequence > h->count || record->sequence < h->end.claimed) {
            return wrong(h, "a claim of what does not come before it", at);
        }
        h->end.claimed = record->sequence;
        return true;
    }
    return add_command(h, record, at);
}

static bool read_header(history *h, char *bytes, uint64_t size)
{
    journal_header header;
    memcpy(&header, bytes, sizeof header);
    memset(bytes + offsetof(journal_header, checksum), 0, sizeof header.checksum);
    if (memcmp(header.magic, JOURNAL_MAGIC, sizeof header.magic) != 0 ||
        header.checksum != checksum_crc32c(0, bytes, JOURNAL_RECORDS_AT) ||
        header.version != JOURNAL_VERSION || header.rules != JOURNAL_RULES) {
        return wrong(h, "header", 0);
    }
    if (header.size_bytes != size || header.first_sequence != h->count + 1 ||
        header.previous != h->end.checksum) {
        return wrong(h, "header does not fit", 0);
    }
    h->end.claimed = h->count; /* a segment is begun when all before it is on disk */
    return true;
}

static bool read_segment(history *h, char *bytes, uint64_t size)
{
    if (size < JOURNAL_RECORDS_AT || !read_header(h, bytes, size)) {
        return false;
    }
    uint64_t at = JOURNAL_RECORDS_AT;
    while (at + sizeof(uint32_t) <= size && *(const uint32_t *)(const void *)(bytes + at) != 0) {
        const journal_record *record = (const journal_record *)(const void *)(bytes + at);
        if (!read_record(h, record, at, size - at)) {
            return false;
        }
        at += record->length;
    }
    h->end.offset = h->used[h->segments] = at;
    for (; at < size; at++) {
        if (bytes[at] != 0) {
            return wrong(h, "not zero behind the records", at);
        }
    }
    return true;
}

static bool read_file(history *h, const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
        return wrong(h, "cannot be opened", 0);
    }
    uint64_t size = (uint64_t)ftell(file);
    char *bytes = malloc(size);
    rewind(file);
    bool good = fread(bytes, 1, size, file) == size && read_segment(h, bytes, size);
    h->size[h->segments] = size;
    free(bytes);
    fclose(file);
    return good;
}

bool history_read(history *h, const data_dir *dir, unsigned shard)
{
    memset(h, 0, sizeof *h);
    uint64_t *sequences = NULL;
    long count = data_dir_list(dir, shard, ".journal", &sequences);
    bool good = count >= 0 && count <= HISTORY_SEGMENTS;
    for (long i = 0; good && i < count; i++) {
        char path[DATA_DIR_PATH_SIZE];
        h->first[i] = h->end.first_sequence = sequences[i];
        good = sequences[i] == h->count + 1 &&
               data_dir_journal_path(dir, shard, sequences[i], path) && read_file(h, path);
        h->segments++;
    }
    free(sequences);
    if (!good && h->trouble[0] == '\0') {
        wrong(h, "a name", 0);
    }
    return good;
}

void history_free(history *h)
{
    free(h->commands);
    h->commands = NULL;
}
