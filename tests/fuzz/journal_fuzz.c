/* Fuzz target: any bytes as the records of a segment that a shard's journal ends with.
 *
 * input: number of records that are sealed, and linked to those before them, before the segment is
 *        read (so that bytes get past the checksums); what byte of the header is changed; by which
 *        bits; the records.
 *
 * What must hold: no crash; commands come in order, and each is what its record's bytes say and no
 * others; nothing is read twice in two ways; beside a writer there is never more than without; a
 * torn tail that was cut off is gone, and nothing else is.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/journal/workshop.h"
#include "journal/checksum.h"

#define RECORDS_MAX ((size_t)8192)
#define SPARE 64 /* zeros behind the records */
#define SEAL_ALL 255

static workshop shop;
static char *bytes;
static journal_header *header; /* the same bytes */
static size_t size;

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void remove_shop(void)
{
    workshop_end(&shop);
    free(bytes);
}

static void make_shop(void)
{
    if (bytes == NULL) {
        workshop_begin(&shop, 1);
        bytes = aligned_alloc(JOURNAL_ALIGN, JOURNAL_RECORDS_AT + RECORDS_MAX + SPARE);
        must(bytes != NULL);
        header = (void *)bytes;
        atexit(remove_shop);
    }
}

/* Seals the records as far as their lengths lead. */
static void seal(unsigned count)
{
    uint32_t previous = 0;
    size_t at = JOURNAL_RECORDS_AT;
    for (unsigned i = 0; (i < count || count == SEAL_ALL) && at + sizeof(journal_record) <= size;
         i++) {
        journal_record *record = (void *)(bytes + at);
        if (record->length < sizeof *record || record->length % JOURNAL_ALIGN != 0 ||
            record->length > size - at) {
            return;
        }
        previous = journal_seal(record, previous);
        at += record->length;
    }
}

static void make_segment(const uint8_t *data, size_t records)
{
    size = JOURNAL_RECORDS_AT + (records + SPARE) / JOURNAL_ALIGN * JOURNAL_ALIGN;
    memset(bytes, 0, size);
    journal_make_header(bytes, 0, 1, 1, 0, size, 1);
    bytes[data[1] % sizeof(journal_header)] ^= (char)data[2];
    header->checksum = 0;
    uint32_t checksum = checksum_crc32c(0, bytes, JOURNAL_RECORDS_AT);
    header->checksum = checksum;
    memcpy(bytes + JOURNAL_RECORDS_AT, data + 3, records);
    seal(data[0]);
    workshop_put(&shop, 0, 1, bytes, size);
}

/* Is the command what the next COMMAND record at or after *at says? Goes there. */
static void must_be_written(const matching_command *command, size_t *at)
{
    union {
        journal_record record;
        char bytes[JOURNAL_RECORD_MAX];
    } again;
    const journal_record *record = (void *)(bytes + *at);
    while (record->kind != JOURNAL_COMMAND) {
        *at += record->length;
        must(*at < size);
        record = (void *)(bytes + *at);
    }
    must(journal_encode(command, again.bytes) == record->length);
    journal_seal(&again.record, record->previous);
    must(memcmp(again.bytes, record, record->length) == 0);
    *at += record->length;
}

/* How it ended; *position: where. */
static journal_end read_all(bool claimed_only, journal_position *position)
{
    char error[DATA_DIR_ERROR_SIZE];
    matching_command command;
    journal_end end;
    size_t at = JOURNAL_RECORDS_AT;
    uint64_t sequence = 0, time_ns = 0;
    journal_reader *reader = journal_reader_open(
        &shop.dir, 0, 1, claimed_only ? JOURNAL_CLAIMED_ONLY : 0, error, sizeof error);
    must(reader != NULL);
    while ((end = journal_reader_next(reader, &command)) == JOURNAL_MORE) {
        must(command.sequence == sequence + 1 && command.time_ns >= time_ns);
        sequence = command.sequence;
        time_ns = command.time_ns;
        must_be_written(&command, &at);
    }
    *position = *journal_reader_position(reader);
    must(position->last_sequence == sequence && position->last_time_ns == time_ns);
    must(position->claimed <= sequence && position->offset <= size);
    must((end == JOURNAL_WHOLE) == (*journal_reader_trouble(reader) == '\0'));
    journal_reader_close(reader);
    return end;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_size)
{
    char error[DATA_DIR_ERROR_SIZE];
    journal_position all, claimed, after;
    if (data_size < 3 || data_size - 3 > RECORDS_MAX) {
        return 0;
    }
    make_shop();
    make_segment(data, data_size - 3);
    journal_end end = read_all(false, &all);
    journal_end end_claimed = read_all(true, &claimed);
    must(end_claimed != JOURNAL_TORN && claimed.last_sequence <= all.last_sequence);
    must(end != JOURNAL_REFUSED || end_claimed == JOURNAL_REFUSED);
    /* Cutting waits for the disk, and makes the file as long as its header says: for some. */
    if (end == JOURNAL_TORN && data_size % 16 == 3 && data[2] == 0) {
        must(journal_cut(&shop.dir, 0, &all, error, sizeof error) == 0);
        must(read_all(false, &after) == JOURNAL_WHOLE);
        must(memcmp(&after, &all, sizeof all) == 0);
    }
    return 0;
}
