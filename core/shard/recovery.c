/* See recovery.h. Invariant: books leave here only if every command up to their sequence was read
 * and found whole, or stands in a snapshot whose hash was found again. */
#include "shard/recovery.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal/snapshot.h"
#include "matching/gateway.h"

#define COMMANDS_A_LOOK 16384   /* between two looks at progress and stop */
#define BYTES_A_LOOK (1u << 20) /* the same, of a snapshot */

typedef struct recovery {
    books *b;
    const data_dir *dir;
    unsigned shard;
    const recovery_options *options;
    recovery_result *result;
    bool has_books;
    uint64_t oldest_snapshot; /* when it began; 0: there was none */
    char *error;
    size_t error_size;
} recovery;

static int fail(recovery *r, int code, const char *text)
{
    snprintf(r->error, r->error_size, "%s", text);
    return code;
}

static bool is_stopped(const recovery *r)
{
    return r->options->stop != NULL && atomic_load(r->options->stop);
}

static void tell(const recovery *r, const char *what, uint64_t done, uint64_t all)
{
    if (r->options->on_progress != NULL) {
        r->options->on_progress(r->options->context, r->shard, what,
                                all == 0 ? 1 : (double)done / (double)all);
    }
}

/* The shard's oldest snapshot; 0: there is none. */
static uint64_t oldest_snapshot(const recovery *r)
{
    uint64_t *sequences;
    long count = data_dir_list(r->dir, r->shard, DATA_DIR_SNAPSHOT, &sequences);
    uint64_t oldest = count > 0 ? sequences[0] : 0;
    free(sequences);
    return oldest;
}

/* What looks like damage may be a file that was removed while it was read, or before: only what a
 * newer snapshot makes superfluous is removed, and with it goes an older one, or it is the
 * second. */
static int judge_failure(recovery *r, int failed)
{
    if (failed != -EBADMSG || !r->options->claimed_only ||
        oldest_snapshot(r) == r->oldest_snapshot) {
        return failed;
    }
    return fail(r, -ESTALE,
                "files that newer snapshots made superfluous were removed while they were read; "
                "do it again");
}

/* ---- The snapshot ---------------------------------------------------------------------------- */

typedef struct loading {
    const recovery *recovery;
    snapshot_reader *reader;
    size_t unseen; /* bytes since the last look at progress and stop */
} loading;

static bool read_some(void *context, void *bytes, size_t size)
{
    loading *l = context;
    l->unseen += size;
    if (l->unseen >= BYTES_A_LOOK) {
        uint64_t done, all;
        l->unseen = 0;
        snapshot_progress(l->reader, &done, &all);
        tell(l->recovery, "reading the snapshot", done, all);
        if (is_stopped(l->recovery)) {
            return false;
        }
    }
    return snapshot_read(l->reader, bytes, size);
}

/* What keeps the opened snapshot from being used; NULL: it is in the books. */
static const char *fill_books(recovery *r, snapshot_reader *reader, const snapshot_head *head)
{
    loading l = {.recovery = r, .reader = reader};
    matching_state_input input = {.read = read_some, .context = &l};
    const char *wrong = books_load(r->b, &input);
    if (wrong == NULL && !snapshot_at_end(reader)) {
        wrong = "it does not end where it should";
    } else if (wrong == NULL && matching_engine_hash(r->b->engine) != head->state_hash) {
        wrong = "what it says does not lead to the state that it was made of";
    }
    return wrong;
}

/* 0: loaded; -EBADMSG: this one is of no use, the reason is in result->skipped; another errno. */
static int load_snapshot(recovery *r, uint64_t sequence, snapshot_head *head)
{
    char *reason = r->result->skipped;
    size_t reason_size = sizeof r->result->skipped;
    snapshot_reader *reader =
        snapshot_open(r->dir, r->shard, sequence, r->options->pace_us, head, reason, reason_size);
    if (reader == NULL) {
        return -EBADMSG;
    }
    int failed = books_init(r->b, &head->limits, r->options->recent_capacity);
    if (failed != 0) {
        snapshot_close(reader);
        return fail(r, failed, "out of memory for the order books of the data directory");
    }
    const char *wrong = fill_books(r, reader, head);
    if (wrong != NULL) {
        char path[DATA_DIR_PATH_SIZE];
        data_dir_snapshot_path(r->dir, r->shard, sequence, path);
        const char *trouble = snapshot_trouble(reader);
        if (trouble[0] != 0) {
            snprintf(reason, reason_size, "%s", trouble);
        } else {
            snprintf(reason, reason_size, "%.380s: %s", path, wrong);
        }
        books_fini(r->b);
        failed = is_stopped(r) ? -ECANCELED : -EBADMSG;
    } else {
        r->b->sequence = head->sequence;
        r->b->time_ns = head->time_ns;
        r->result->snapshot_sequence = head->sequence;
        r->has_books = true;
    }
    snapshot_close(reader);
    return failed;
}

/* The newest good one. Without any the journal has to begin at the beginning. One of a newer
 * version is not passed over, nor left where it might be needed later: somebody went back to an
 * older program, and has to know. */
static int find_snapshot(recovery *r, snapshot_head *head)
{
    uint64_t *sequences;
    int refused =
        snapshot_check_versions(r->dir, r->shard, r->options->until, r->error, r->error_size);
    if (refused != 0) {
        return refused == -EPROTO ? -EBADMSG : refused;
    }
    long count = data_dir_list(r->dir, r->shard, ".snapshot", &sequences);
    if (count < 0) {
        return fail(r, (int)count, "the shard's folder cannot be read");
    }
    int failed = 0;
    for (long i = count - 1; i >= 0 && failed == 0 && !r->has_books; i--) {
        if (r->options->until != 0 && sequences[i] > r->options->until) {
            continue;
        }
        failed = judge_failure(r, load_snapshot(r, sequences[i], head));
        failed = failed == -EBADMSG ? 0 : failed;
    }
    free(sequences);
    return failed;
}

/* ---- The journal ----------------------------------------------------------------------------- */

static matching_engine_limits limits_of(const recovery *r, const matching_command *command)
{
    matching_engine_limits limits = {.instruments = command->instrument_id,
                                     .shard = r->shard,
                                     .max_orders = (uint64_t)command->price_ticks,
                                     .max_levels = (uint64_t)command->quantity_lots,
                                     .max_traders = (uint64_t)command->display_lots,
                                     .retained_orders = (uint64_t)command->stop_price_ticks};
    while (1u << limits.shard_bits < r->dir->shards) {
        limits.shard_bits++;
    }
    return limits;
}

/* Those of which everything else was decided. */
static bool is_of_limits(const recovery *r, const matching_command *command)
{
    matching_engine_limits said = limits_of(r, command), *used = &r->b->limits;
    return said.instruments == used->instruments && said.max_orders == used->max_orders &&
           said.max_levels == used->max_levels && said.max_traders == used->max_traders &&
           said.retained_orders == used->retained_orders;
}

/* There where it belongs, and nowhere else. */
static bool is_number(int64_t value, bool is_wanted, int64_t most)
{
    return is_wanted ? value > 0 && value <= most : value == 0;
}

static bool is_order(const matching_command *command)
{
    unsigned type = command->order_type;
    bool has_price = type == MATCHING_LIMIT || type == MATCHING_STOP_LIMIT;
    bool is_stop = type == MATCHING_STOP || type == MATCHING_STOP_LIMIT;
    return command->trader_id[0] != 0 && type <= MATCHING_STOP_LIMIT &&
           command->side <= MATCHING_SELL && command->time_in_force <= MATCHING_GTD &&
           command->self_trade <= MATCHING_STP_CANCEL_BOTH &&
           is_number(command->quantity_lots, true, MATCHING_LOTS_MAX) &&
           is_number(command->price_ticks, has_price, MATCHING_TICKS_MAX) &&
           is_number(command->stop_price_ticks, is_stop, MATCHING_TICKS_MAX) &&
           command->display_lots >= 0 &&
           (command->expire_time_ms == 0 || command->time_in_force == MATCHING_GTD);
}

static bool is_addition(const recovery *r, const matching_command *command)
{
    return command->symbol[0] != 0 && command->symbol[MATCHING_SYMBOL_MAX] == 0 &&
           command->instrument_id != 0 && command->price_ticks > 0 && command->quantity_lots > 0 &&
           command->state <= MATCHING_AUCTION &&
           r->b->instruments[command->instrument].symbol[0] == 0;
}

/* The gateway and the shard made it so; a journal that says otherwise is not ours. The engine takes
 * it for granted: what passes here cannot break it. */
static bool is_possible(const recovery *r, const matching_command *command)
{
    if (command->instrument >= r->b->limits.instruments) {
        return false;
    }
    switch (command->type) {
    case MATCHING_PLACE:
        return is_order(command);
    case MATCHING_AMEND:
        return command->price_ticks >= 0 && command->quantity_lots >= 0 &&
               command->stop_price_ticks >= 0;
    case MATCHING_CANCEL:
    case MATCHING_CANCEL_ALL:
        return command->reason <= MATCHING_REASON_DISCONNECT;
    case MATCHING_SET_STATE:
        return command->state <= MATCHING_AUCTION;
    case MATCHING_ADD_INSTRUMENT:
        return is_addition(r, command);
    case MATCHING_SET_LIMITS:
        return is_of_limits(r, command);
    case MATCHING_TICK:
    case MATCHING_RELEASE_GUARDS:
    case MATCHING_CANCEL_GUARDED:
        return true;
    default:
        return false;
    }
}

/* The first command of a history says how large everything is. */
static int begin_history(recovery *r, const matching_command *command)
{
    matching_engine_limits limits = limits_of(r, command);
    if (command->type != MATCHING_SET_LIMITS || matching_engine_size(&limits) == 0) {
        return fail(r, -EBADMSG,
                    "the journal does not begin with its limits: it is not of this program");
    }
    int failed = books_init(r->b, &limits, r->options->recent_capacity);
    if (failed != 0) {
        return fail(r, failed, "out of memory for the order books of the data directory");
    }
    r->has_books = true;
    return 0;
}

static int replay_one(recovery *r, const matching_command *command)
{
    if (!r->has_books) {
        int failed = begin_history(r, command);
        if (failed != 0) {
            return failed;
        }
    }
    if (!is_possible(r, command)) {
        snprintf(r->error, r->error_size,
                 "shard %u, command %" PRIu64 ": whole, but not one that this program writes",
                 r->shard, command->sequence);
        return -EBADMSG;
    }
    books_replay(r->b, command, NULL);
    r->result->commands++;
    return 0;
}

/* Where the journal ends it all. Often it is only because a snapshot could not be used. */
static int fail_at(recovery *r, const journal_reader *reader, journal_end end)
{
    const char *trouble = journal_reader_trouble(reader), *skipped = r->result->skipped;
    snprintf(r->error, r->error_size, "%s%s%s%s", trouble,
             skipped[0] != 0 ? "; a snapshot was passed over: " : "", skipped,
             end == JOURNAL_DAMAGED ? "; nothing was changed, restore the directory from a copy"
                                    : "");
    return end == JOURNAL_REMOVED ? -ESTALE : -EBADMSG;
}

/* The record that the snapshot ends with. */
static int meet_snapshot(recovery *r, journal_reader *reader, const snapshot_head *head)
{
    matching_command command;
    journal_end end = journal_reader_next(reader, &command);
    if (end == JOURNAL_MORE && command.sequence == head->sequence &&
        journal_reader_checksum(reader) == head->previous) {
        return 0;
    }
    if (end == JOURNAL_DAMAGED || end == JOURNAL_REFUSED || end == JOURNAL_REMOVED) {
        return fail_at(r, reader, end);
    }
    snprintf(r->error, r->error_size,
             "shard %u: the snapshot of command %" PRIu64 " and the journal are not of one history",
             r->shard, head->sequence);
    return -EBADMSG;
}

/* There was no command. A reader beside a process that writes may be too early for the first. */
static int meet_nothing(recovery *r)
{
    if (!r->dir->is_begun || r->options->claimed_only) {
        return -ENOENT;
    }
    snprintf(r->error, r->error_size,
             "shard %u has lost its journal: %.300s/shard-%02u has no command any more; restore it "
             "from a copy",
             r->shard, r->dir->path, r->shard);
    return -EBADMSG;
}

/* How far the journal was read. */
static void note_position(recovery *r, const journal_reader *reader, journal_end end)
{
    r->result->end = end;
    r->result->checksum = journal_reader_checksum(reader);
    r->result->position = *journal_reader_position(reader);
}

static int replay(recovery *r, journal_reader *reader)
{
    uint64_t until = r->options->until, done, all;
    journal_end end = JOURNAL_MORE;
    for (uint64_t i = 1; until == 0 || !r->has_books || r->b->sequence < until; i++) {
        matching_command command;
        end = journal_reader_next(reader, &command);
        if (end != JOURNAL_MORE) {
            break;
        }
        int failed = replay_one(r, &command);
        if (failed != 0) {
            return failed;
        }
        if (i % COMMANDS_A_LOOK == 0) {
            journal_reader_progress(reader, &done, &all);
            tell(r, "replaying the journal", done, all);
            if (is_stopped(r)) {
                note_position(r, reader, end);
                return -ECANCELED;
            }
        }
    }
    note_position(r, reader, end);
    if (end == JOURNAL_DAMAGED || end == JOURNAL_REFUSED || end == JOURNAL_REMOVED) {
        return fail_at(r, reader, end);
    }
    if (end == JOURNAL_TORN) {
        snprintf(r->result->trouble, sizeof r->result->trouble, "%s",
                 journal_reader_trouble(reader));
    }
    return r->has_books ? 0 : meet_nothing(r);
}

static unsigned reading(const recovery_options *options)
{
    return (options->claimed_only ? JOURNAL_CLAIMED_ONLY : 0) |
           (options->claimed_only || options->pace_us > 0 ? JOURNAL_GENTLY : 0);
}

int books_recover(books *b, const data_dir *dir, unsigned shard, const recovery_options *options,
                  recovery_result *result, char *error, size_t error_size)
{
    recovery r = {.b = b,
                  .dir = dir,
                  .shard = shard,
                  .options = options,
                  .result = result,
                  .error = error,
                  .error_size = error_size};
    snapshot_head head = {0};
    *result = (recovery_result){0};
    r.oldest_snapshot = options->claimed_only ? oldest_snapshot(&r) : 0;
    int failed = options->ignore_snapshots ? 0 : find_snapshot(&r, &head);
    if (failed == 0) {
        uint64_t from = r.has_books ? head.sequence : 1;
        journal_reader *reader =
            journal_reader_open(dir, shard, from, reading(options), error, error_size);
        failed = reader == NULL ? -EIO : r.has_books ? meet_snapshot(&r, reader, &head) : 0;
        if (failed == 0) {
            failed = replay(&r, reader);
        }
        if (reader != NULL) {
            journal_reader_close(reader);
        }
    }
    if (failed != 0 && r.has_books) {
        books_fini(b);
    }
    return judge_failure(&r, failed);
}

int books_continue(books *b, const data_dir *dir, unsigned shard, const recovery_options *options,
                   recovery_result *result, char *error, size_t error_size)
{
    recovery r = {.b = b,
                  .dir = dir,
                  .shard = shard,
                  .options = options,
                  .result = result,
                  .has_books = true,
                  .error = error,
                  .error_size = error_size};
    result->skipped[0] = result->trouble[0] = 0;
    journal_reader *reader =
        journal_reader_resume(dir, shard, &result->position, result->checksum, error, error_size);
    if (reader == NULL) {
        return -EIO;
    }
    int failed = replay(&r, reader);
    journal_reader_close(reader);
    return failed;
}
