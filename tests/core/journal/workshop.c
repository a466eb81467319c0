/* Segments made by hand, a temporary data directory, and a reader's outcome. */
#include "core/journal/workshop.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define START_NS UINT64_C(1700000000000000000)

/* A test that cannot go on. */
static void need(bool fine, const char *what)
{
    if (!fine) {
        perror(what);
        abort();
    }
}

matching_command workshop_command(uint64_t sequence)
{
    static const uint8_t types[] = {MATCHING_PLACE, MATCHING_PLACE, MATCHING_CANCEL,
                                    MATCHING_PLACE, MATCHING_AMEND, MATCHING_TICK};
    uint64_t mixed = sequence * UINT64_C(0x9E3779B97F4A7C15);
    matching_command command = {
        .sequence = sequence,
        .time_ns = START_NS + sequence / 2 * 1000,
        .type = types[sequence % (sizeof types / sizeof types[0])],
    };
    if (command.type == MATCHING_TICK) {
        return command;
    }
    command.order_id = command.type == MATCHING_PLACE ? 0 : sequence / 2;
    command.instrument = (uint16_t)(mixed >> 8 & 3);
    command.price_ticks = (int64_t)(mixed >> 40);
    command.quantity_lots = (int64_t)(mixed >> 50) + 1;
    command.side = (uint8_t)(mixed & 1);
    command.display_lots = mixed & 2 ? 5 : 0;
    command.stop_price_ticks = mixed & 4 ? 7 : 0;
    command.expire_time_ms = mixed & 8 ? sequence : 0;
    snprintf(command.trader_id, sizeof command.trader_id, "trader-%u", (unsigned)(mixed >> 60));
    if (mixed & 16) {
        snprintf(command.client_order_id, sizeof command.client_order_id, "c%u",
                 (unsigned)(mixed >> 32));
    }
    return command;
}

/* ---- Images ---------------------------------------------------------------------------------- */

void image_begin(image *i, unsigned shard, unsigned shards, uint64_t first_sequence,
                 uint32_t previous, size_t size)
{
    i->bytes = calloc(1, size);
    need(i->bytes != NULL, "calloc");
    i->size = size;
    i->used = JOURNAL_RECORDS_AT;
    i->first_sequence = first_sequence;
    i->last_sequence = first_sequence - 1;
    i->checksum = previous;
    i->count = 0;
    journal_make_header(i->bytes, shard, shards, first_sequence, previous, size, START_NS);
}

void image_free(image *i)
{
    free(i->bytes);
    i->bytes = NULL;
}

void image_record_of(image *i, journal_record *record)
{
    need(i->used + record->length <= i->size && i->count < IMAGE_RECORDS_MAX, "an image is full");
    i->checksum = journal_seal(record, i->checksum);
    memcpy(i->bytes + i->used, record, record->length);
    i->records[i->count++] = (image_record){
        .offset = i->used,
        .length = record->length,
        .sequence = record->sequence,
        .is_claim = record->kind == JOURNAL_CLAIM,
    };
    i->used += record->length;
}

void image_claim(image *i, uint64_t sequence)
{
    journal_record record;
    journal_make_claim(&record, sequence, START_NS);
    image_record_of(i, &record);
}

void image_commands(image *i, unsigned count)
{
    union {
        journal_record record;
        char bytes[JOURNAL_RECORD_MAX];
    } out;
    for (unsigned n = 0; n < count; n++) {
        matching_command command = workshop_command(++i->last_sequence);
        journal_encode(&command, out.bytes);
        image_record_of(i, &out.record);
    }
}

void image_batch(image *i, unsigned count)
{
    image_claim(i, i->last_sequence);
    image_commands(i, count);
}

/* ---- Directories ----------------------------------------------------------------------------- */

void workshop_begin_empty(workshop *w)
{
    snprintf(w->parent, sizeof w->parent, "/tmp/matching-journal-XXXXXX");
    need(mkdtemp(w->parent) != NULL, "mkdtemp");
    w->dir.lock_fd = -1;
}

void workshop_begin(workshop *w, unsigned shards)
{
    char path[128], error[DATA_DIR_ERROR_SIZE];
    workshop_begin_empty(w);
    snprintf(path, sizeof path, "%s/data", w->parent);
    if (data_dir_open(&w->dir, path, shards, 0, error, sizeof error) < 0) {
        fprintf(stderr, "%s\n", error);
        abort();
    }
}

static void remove_all(const char *path)
{
    DIR *folder = opendir(path);
    need(folder != NULL, path);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char inside[1024];
        struct stat status;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        need(snprintf(inside, sizeof inside, "%s/%s", path, entry->d_name) < (int)sizeof inside,
             "a long path");
        need(lstat(inside, &status) == 0, inside);
        if (S_ISDIR(status.st_mode)) {
            remove_all(inside);
        } else {
            need(unlink(inside) == 0, inside);
        }
    }
    closedir(folder);
    need(rmdir(path) == 0, path);
}

void workshop_end(workshop *w)
{
    data_dir_close(&w->dir);
    remove_all(w->parent);
}

void workshop_put(const workshop *w, unsigned shard, uint64_t name, const char *bytes, size_t size)
{
    char path[DATA_DIR_PATH_SIZE];
    need(data_dir_journal_path(&w->dir, shard, name, path), "a long path");
    /* Not emptied first: some file systems then wait for the disk. */
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    need(fd >= 0 && write(fd, bytes, size) == (ssize_t)size && ftruncate(fd, (off_t)size) == 0,
         path);
    close(fd);
}

void workshop_put_image(const workshop *w, const image *i)
{
    workshop_put(w, 0, i->first_sequence, i->bytes, i->size);
}

void workshop_remove(const workshop *w, unsigned shard, uint64_t name)
{
    char path[DATA_DIR_PATH_SIZE];
    need(data_dir_journal_path(&w->dir, shard, name, path) && unlink(path) == 0, "unlink");
}

outcome workshop_read(const workshop *w, uint64_t from, bool claimed_only)
{
    char error[DATA_DIR_ERROR_SIZE];
    outcome o = {.first = 0, .as_written = true};
    journal_reader *reader = journal_reader_open(
        &w->dir, 0, from, claimed_only ? JOURNAL_CLAIMED_ONLY : 0, error, sizeof error);
    need(reader != NULL, error);
    matching_command command;
    while ((o.end = journal_reader_next(reader, &command)) == JOURNAL_MORE) {
        o.first = o.count == 0 ? command.sequence : o.first;
        matching_command expected = workshop_command(from + o.count);
        o.as_written = o.as_written && memcmp(&command, &expected, sizeof command) == 0;
        o.count++;
    }
    o.position = *journal_reader_position(reader);
    snprintf(o.trouble, sizeof o.trouble, "%s", journal_reader_trouble(reader));
    journal_reader_close(reader);
    return o;
}
