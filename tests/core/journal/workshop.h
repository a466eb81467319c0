/* Where tests of the journal make segments byte by byte, spoil them, and read them back.
 *
 * An image is a segment in memory, made with the codec alone and not by the writer, with a table of
 * what stands where. Commands are made from their sequence, so what is read can be told right from
 * wrong without a copy.
 */
#ifndef MATCHING_TESTS_WORKSHOP_H
#define MATCHING_TESTS_WORKSHOP_H

#include "journal/codec.h"
#include "journal/data_dir.h"
#include "journal/reader.h"

#define IMAGE_RECORDS_MAX 4096

typedef struct image_record {
    size_t offset;
    size_t length;
    uint64_t sequence;
    bool is_claim;
} image_record;

typedef struct image {
    char *bytes; /* on the heap */
    size_t size;
    size_t used; /* behind the last record */
    uint64_t first_sequence;
    uint64_t last_sequence;
    uint32_t checksum; /* of the last record */
    size_t count;
    image_record records[IMAGE_RECORDS_MAX];
} image;

/* The command with that sequence: all types, all lengths, times that now and then stand still. */
matching_command workshop_command(uint64_t sequence);

/* A fresh segment. `previous`: checksum of the record before it. */
void image_begin(image *i, unsigned shard, unsigned shards, uint64_t first_sequence,
                 uint32_t previous, size_t size);
void image_claim(image *i, uint64_t sequence);
void image_commands(image *i, unsigned count);
/* Any record, which is linked and sealed here. */
void image_record_of(image *i, journal_record *record);
void image_free(image *i);

/* Claim and commands, as a writer does it that syncs after each write. */
void image_batch(image *i, unsigned count);

/* A data directory in a temporary folder. */
typedef struct workshop {
    char parent[64];
    data_dir dir;
} workshop;

void workshop_begin(workshop *w, unsigned shards);
void workshop_begin_empty(workshop *w); /* the folder alone; dir is not open */
void workshop_end(workshop *w);         /* removes everything */

/* The segment's file gets these bytes. */
void workshop_put(const workshop *w, unsigned shard, uint64_t name, const char *bytes, size_t size);
void workshop_put_image(const workshop *w, const image *i); /* as shard 0 */
void workshop_remove(const workshop *w, unsigned shard, uint64_t name);

/* What came of reading shard 0. */
typedef struct outcome {
    journal_end end;
    uint64_t first;  /* of the commands returned */
    uint64_t count;  /* of the commands returned */
    bool as_written; /* each was the workshop_command of the next sequence */
    journal_position position;
    char trouble[DATA_DIR_PATH_SIZE + 512];
} outcome;

outcome workshop_read(const workshop *w, uint64_t from, bool claimed_only);

#endif
