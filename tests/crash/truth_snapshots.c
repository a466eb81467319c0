/* Recovery from each snapshot that a folder has. See truth.h. */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "crash/process.h"
#include "crash/segments.h"
#include "crash/truth.h"
#include "journal/checksum.h"
#include "shard/recovery.h"

static bool add_checksum(void *context, const void *bytes, size_t size)
{
    uint32_t *checksum = context;
    *checksum = checksum_crc32c(*checksum, bytes, size);
    return true;
}

static uint32_t checksum_of(const books *b)
{
    uint32_t checksum = 0;
    matching_state_output output = {.write = add_checksum, .context = &checksum};
    books_save(b, &output);
    return checksum;
}

/* From this snapshot (0: from none) and the journal after it: the same as what was followed? */
static void check_one(const truth_shard *s, const data_dir *all, uint64_t sequence)
{
    recovery_options options = {.recent_capacity = TRUTH_RECENT};
    recovery_result result;
    char error[600] = "";
    books b;
    if (books_recover(&b, all, s->number, &options, &result, error, sizeof error) != 0) {
        process_give_up("shard %u from snapshot %" PRIu64 ": %s", s->number, sequence, error);
    }
    const char *broken = matching_engine_check(b.engine);
    if (result.snapshot_sequence != sequence || b.sequence != s->sequence) {
        process_give_up("shard %u: recovered from snapshot %" PRIu64 " to %" PRIu64
                        " instead of %" PRIu64 " to %" PRIu64 " %s",
                        s->number, result.snapshot_sequence, b.sequence, sequence, s->sequence,
                        result.skipped);
    }
    uint64_t hash = matching_engine_hash(b.engine);
    uint64_t wanted = matching_engine_hash(s->duel.engine.engine);
    if (broken != NULL || hash != wanted || checksum_of(&b) != checksum_of(&s->books)) {
        process_give_up("shard %u: snapshot %" PRIu64 " and its tail lead to another state: hash "
                        "%016" PRIx64 " instead of %016" PRIx64 ", checksum of all %08x instead of "
                        "%08x %s",
                        s->number, sequence, hash, wanted, checksum_of(&b), checksum_of(&s->books),
                        broken != NULL ? broken : "");
    }
    books_fini(&b);
}

/* With one of the folder's snapshots and no other. `view` has links to its segments. */
static void check_from(const truth_shard *s, const data_dir *dir, const data_dir *view,
                       uint64_t sequence)
{
    char from[PATH_MAX], to[PATH_MAX];
    data_dir_snapshot_path(dir, s->number, sequence, from);
    data_dir_snapshot_path(view, s->number, sequence, to);
    if (symlink(from, to) != 0) {
        process_give_up("%s cannot be linked", to);
    }
    check_one(s, view, sequence);
    unlink(to);
}

unsigned truth_check_snapshots(truth *t, const char *folder)
{
    data_dir all, dir, view;
    char error[600], path[LIFE_PATH_SIZE + 8];
    unsigned checked = 0;
    snprintf(path, sizeof path, "%s.view", t->journals);
    segments_create(path, t->shards);
    segments_gather(folder, path, t->shards);
    if (data_dir_open_read_only(&all, t->journals, error, sizeof error) != 0 ||
        data_dir_open_read_only(&dir, folder, error, sizeof error) != 0 ||
        data_dir_open_read_only(&view, path, error, sizeof error) != 0) {
        process_give_up("%s", error);
    }
    for (unsigned i = 0; i < t->shards; i++) {
        uint64_t *sequences;
        long count = data_dir_list(&dir, i, ".snapshot", &sequences);
        check_one(&t->shard[i], &all, 0);
        for (long k = 0; k < count; k++, checked++) {
            check_from(&t->shard[i], &dir, &view, sequences[k]);
        }
        free(sequences);
    }
    data_dir_close(&all);
    data_dir_close(&dir);
    data_dir_close(&view);
    segments_remove(path);
    return checked;
}
