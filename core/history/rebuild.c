/* A store made anew from the journal, for a directory that nobody uses.
 *
 * What was there is renamed first, and deleted last: only a store of this directory, and only when
 * the new one has all that it had. A journal that turns out to be damaged puts it back.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "history/history_internal.h"

typedef struct rebuild {
    data_dir dir;
    void (*on_progress)(void *context, unsigned shard, const char *what, double fraction);
    void (*on_note)(void *context, const char *line);
    void *context;
    store *s;
    store_aside *aside; /* what was there before */
    bool has_less;      /* the new one, than what was there may have had */
    char *error;
    size_t error_size;
} rebuild;

static void tell(const rebuild *r, const char *line)
{
    if (r->on_note != NULL) {
        r->on_note(r->context, line);
    }
}

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
    tell(r, line);
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
        r->has_less = r->has_less || f.begins != 0 || r->aside->progress[number] > f.sequence;
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

/* Can the journal replace what a store had? 0; -EBADMSG with the reason in error. */
static int check_journal(const rebuild *r)
{
    for (unsigned i = 0; i < r->dir.shards; i++) {
        uint64_t *segments = NULL, end = 0;
        long count = data_dir_list(&r->dir, i, DATA_DIR_JOURNAL, &segments);
        bool is_whole = count > 0 && segments[0] == 1;
        free(segments);
        int failed = is_whole ? find_end(r, i, 1, &end) : 0;
        if (failed != 0) {
            return failed;
        }
        if (!is_whole || end < r->aside->progress[i]) {
            snprintf(r->error, r->error_size,
                     "the store %s is a mount point and holds what the journal of shard %u no "
                     "longer has: move what is in it to another place",
                     r->aside->from, i);
            return -EBADMSG;
        }
    }
    return 0;
}

static int make_room(const rebuild *r)
{
    int failed = history_put_store_aside(&r->dir, r->aside, r->error, r->error_size);
    if (failed == -EBUSY && r->aside->is_ours) { /* then the way back is the journal alone */
        failed = check_journal(r);
        failed = failed == 0 ? store_delete_aside(r->aside, r->error, r->error_size) : failed;
    }
    return failed;
}

/* What becomes of what was there. */
static void settle(const rebuild *r, int failed)
{
    const store_aside *aside = r->aside;
    char line[2 * STORE_PATH_SIZE + STORE_ERROR_SIZE + 256], why[STORE_ERROR_SIZE] = "";
    if (aside->path[0] == '\0') {
        return;
    }
    if (failed != 0) {
        if (store_put_back(aside, why, sizeof why) != 0) {
            snprintf(line, sizeof line, "what was in %s is kept as %s (%" PRIu64 " bytes): %s",
                     aside->from, aside->path, aside->bytes, why);
            tell(r, line);
        }
        return;
    }
    if (aside->is_ours && !r->has_less) {
        if (store_delete_aside(aside, why, sizeof why) != 0) {
            snprintf(line, sizeof line, "what was in %s is %s and can be deleted: %s", aside->from,
                     aside->path, why);
            tell(r, line);
        }
        return;
    }
    snprintf(line, sizeof line,
             "%s %s: it is kept as %s (%" PRIu64 " bytes), delete it if nobody needs it",
             aside->from,
             aside->is_ours ? "held what the journal no longer has"
                            : "could not be known for this directory's store",
             aside->path, aside->bytes);
    tell(r, line);
}

int matching_history_rebuild(const char *path,
                             void (*on_progress)(void *context, unsigned shard, const char *what,
                                                 double fraction),
                             void (*on_note)(void *context, const char *line), void *context,
                             char *error, size_t error_size)
{
    store_aside aside = {0};
    rebuild r = {.aside = &aside,
                 .on_progress = on_progress,
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
    settle(&r, failed);
    data_dir_close(&r.dir);
    return failed;
}
