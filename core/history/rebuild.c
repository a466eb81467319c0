/* A store made anew from the journal, for a directory that nobody uses. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "history/history_internal.h"

typedef struct rebuild {
    data_dir dir;
    void (*on_progress)(void *context, unsigned shard, const char *what, double fraction);
    void (*on_note)(void *context, const char *line);
    void *context;
    store *s;
    char *error;
    size_t error_size;
} rebuild;

static void tell_shard(const rebuild *r, const follower *f)
{
    char line[512];
    int used = snprintf(line, sizeof line, "shard %u: stored up to command %" PRIu64, f->number,
                        f->sequence);
    if (f->begins != 0) {
        snprintf(line + used, sizeof line - (size_t)used,
                 "; the journal begins after command %" PRIu64
                 ": of trades and orders of before it only the latest are there, and no candles",
                 f->begins);
    }
    if (r->on_note != NULL) {
        r->on_note(r->context, line);
    }
}

/* Where the journal ends. */
static int find_end(const rebuild *r, unsigned number, uint64_t from, uint64_t *end)
{
    matching_command command;
    journal_reader *reader = journal_reader_open(&r->dir, number, from, 0, r->error, r->error_size);
    if (reader == NULL) {
        return -EIO;
    }
    journal_end outcome;
    while ((outcome = journal_reader_next(reader, &command)) == JOURNAL_MORE) {
    }
    *end = journal_reader_position(reader)->last_sequence;
    if (outcome != JOURNAL_WHOLE && outcome != JOURNAL_TORN) {
        snprintf(r->error, r->error_size, "%s", journal_reader_trouble(reader));
        journal_reader_close(reader);
        return -EBADMSG;
    }
    journal_reader_close(reader);
    return 0;
}

static int follow(rebuild *r, follower *f)
{
    uint64_t end, begun = 0;
    int failed = follower_open(f, NULL);
    bool more = true;
    if (failed != 0) {
        snprintf(r->error, r->error_size, "%s", f->why);
        return failed;
    }
    failed = find_end(r, f->number, f->sequence + 1, &end);
    if (failed != 0) {
        return failed;
    }
    begun = f->sequence;
    while (failed == 0 && more) {
        failed = follower_step(f, end, &more);
        if (r->on_progress != NULL && end > begun) {
            r->on_progress(r->context, f->number, "storing the journal",
                           (double)(f->sequence - begun) / (double)(end - begun));
        }
    }
    if (failed != 0) {
        snprintf(r->error, r->error_size, "%s", f->why);
    }
    return failed;
}

static int do_shard(rebuild *r, unsigned number)
{
    follower f;
    follower_init(&f, &r->dir, number, r->s, true);
    int failed = follow(r, &f);
    if (failed == 0) {
        tell_shard(r, &f);
    }
    follower_fini(&f);
    return failed;
}

static int do_store(rebuild *r)
{
    int failed = 0;
    for (unsigned i = 0; failed == 0 && i < r->dir.shards; i++) {
        failed = do_shard(r, i);
    }
    char trouble[STORE_ERROR_SIZE];
    int closed = store_close(r->s, trouble, sizeof trouble);
    if (failed == 0 && closed != 0) {
        snprintf(r->error, r->error_size, "%s", trouble);
        failed = closed;
    }
    return failed;
}

/* What is no store of this directory is not deleted, and whose it is may be the operator's to know. */
static int make_room(const rebuild *r)
{
    char kept[HISTORY_PATH_SIZE], line[2 * HISTORY_PATH_SIZE + 128];
    int failed = history_clear_store(&r->dir, kept, r->error, r->error_size);
    if (failed == 0 && kept[0] != '\0' && r->on_note != NULL) {
        snprintf(line, sizeof line,
                 "%s/" DATA_DIR_STORE
                 " could not be known for this directory's store: it is kept as "
                 "%s, delete it if nobody needs it",
                 r->dir.path, kept);
        r->on_note(r->context, line);
    }
    return failed;
}

int matching_history_rebuild(const char *path,
                             void (*on_progress)(void *context, unsigned shard, const char *what,
                                                 double fraction),
                             void (*on_note)(void *context, const char *line), void *context,
                             char *error, size_t error_size)
{
    rebuild r = {.on_progress = on_progress,
                 .on_note = on_note,
                 .context = context,
                 .error = error,
                 .error_size = error_size};
    int failed = data_dir_open(&r.dir, path, 0, 0, error, error_size);
    if (failed != 0) {
        return failed == -EBUSY ? failed : -EBADMSG;
    }
    failed = data_dir_add_identity(&r.dir, error, error_size);
    failed = failed == 0 ? make_room(&r) : failed;
    failed = failed == 0 ? history_open_store_whole(&r.s, &r.dir, error, error_size) : failed;
    failed = failed == 0 ? do_store(&r) : failed;
    data_dir_close(&r.dir);
    return failed;
}
