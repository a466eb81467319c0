/* See follower.h. Invariant: the books are those of `sequence`, and the store has been given the
 * effects of all commands up to there, and of none after it. */
#include "history/follower.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shard/recovery.h"

#define PENDING_MAX ((size_t)8 << 20) /* bytes of a commit, rather less than more */
#define IMPORTED_TRADES 10000         /* of each instrument, from a snapshot */
#define PAGE_ORDERS 1000
#define PACE_US 1        /* trading goes on beside it: see recovery_options */
#define PIECE 128        /* commands between two rests */
#define HURRIED_STEP 512 /* commands of a commit: less than a millisecond of a processor at once */

void follower_init(follower *f, const data_dir *dir, unsigned number, store *s, bool must_sync)
{
    *f = (follower){.dir = dir, .number = number, .s = s, .must_sync = must_sync};
}

void follower_fini(follower *f)
{
    if (f->has_books) {
        books_fini(&f->b);
    }
    if (f->reader != NULL) {
        journal_reader_close(f->reader);
    }
    f->has_books = false;
    f->reader = NULL;
}

static int fail(follower *f, int code, const char *why)
{
    if (why != f->why) {
        snprintf(f->why, sizeof f->why, "%s", why);
    }
    return code;
}

/* ---- What a command leads to ----------------------------------------------------------------- */

static void on_event(void *context, const matching_event *event, const matching_order *order)
{
    follower *f = context;
    matching_trade trade = {0};
    if (f->failure != 0) {
        return;
    }
    if (event->kind == MATCHING_EVENT_TRADE) {
        books_trade_of(&f->b, event, &trade);
        f->failure = store_add_trade(f->s, f->number, &trade);
    } else if (order != NULL && !matching_order_is_working(order)) {
        f->failure = store_add_order(f->s, f->number, order);
    } else if (event->kind == MATCHING_EVENT_INSTRUMENT) {
        f->failure = store_add_instrument(f->s, &f->b.instruments[event->instrument]);
    }
}

/* Brings what was read to disk. A sync covers all that was written by then of the reader's segment,
 * which who is behind reads in many steps; those before it were on disk when they were left. */
static int sync_journal(follower *f, uint64_t written)
{
    uint64_t segment = journal_reader_position(f->reader)->first_sequence;
    if (!f->must_sync || (segment == f->synced_segment && f->sequence <= f->synced)) {
        return 0;
    }
    int failed = journal_reader_sync(f->reader);
    if (failed != 0) {
        store_discard(f->s, f->number);
        snprintf(f->why, sizeof f->why, "the journal cannot be synced: %s", strerror(-failed));
        return failed;
    }
    f->synced_segment = segment;
    f->synced = written;
    return 0;
}

/* written: commands up to there were in the journal before this is called. */
static int commit(follower *f, uint64_t written, uint64_t time_ns)
{
    int failed = sync_journal(f, written);
    if (failed != 0) {
        return failed;
    }
    failed = store_commit(f->s, f->number, f->sequence, time_ns);
    return failed == 0 ? 0 : fail(f, failed, store_why(f->s));
}

int follower_tell_time(follower *f, uint64_t time_ns)
{
    return commit(f, f->sequence, time_ns);
}

int follower_step(follower *f, uint64_t until, bool *more)
{
    matching_command command;
    journal_end end = JOURNAL_MORE;
    unsigned count = 0;
    journal_reader_go_on(f->reader, until);
    unsigned most = f->rest_us != 0 ? HURRIED_STEP : FOLLOWER_STEP;
    while (count < most && store_pending(f->s, f->number) < PENDING_MAX) {
        end = journal_reader_next(f->reader, &command);
        if (end != JOURNAL_MORE) {
            break;
        }
        books_replay_told(&f->b, &command, on_event, f);
        if (f->failure != 0) {
            return fail(f, f->failure, store_why(f->s));
        }
        f->sequence = command.sequence;
        f->time_ns = command.time_ns;
        count++;
        if (f->rest_us != 0 && count % PIECE == 0) {
            usleep(f->rest_us);
        }
    }
    if (end != JOURNAL_MORE && end != JOURNAL_WHOLE) {
        store_discard(f->s, f->number);
        return fail(f, -EBADMSG, journal_reader_trouble(f->reader));
    }
    *more = f->sequence < until;
    return count > 0 ? commit(f, until, f->time_ns) : 0;
}

/* ---- Where it begins ------------------------------------------------------------------------- */

/* The names of the shard's files, ascending; none where the folder cannot be read. */
static long list(const data_dir *dir, unsigned number, const char *suffix, uint64_t **names)
{
    *names = NULL;
    long count = data_dir_list(dir, number, suffix, names);
    return count < 0 ? 0 : count;
}

bool follower_can_reach(const data_dir *dir, unsigned number, uint64_t sequence)
{
    uint64_t *segments, *snapshots;
    long segment_count = list(dir, number, DATA_DIR_JOURNAL, &segments);
    long snapshot_count = list(dir, number, DATA_DIR_SNAPSHOT, &snapshots);
    bool can = segment_count > 0 && segments[0] == 1;
    for (long i = 0; i < snapshot_count && segment_count > 0 && !can; i++) {
        can = snapshots[i] >= segments[0] && snapshots[i] <= sequence;
    }
    free(segments);
    free(snapshots);
    return can;
}

static int recover(follower *f, uint64_t until, unsigned recent, const atomic_bool *stop)
{
    recovery_options options = {
        .until = until, .recent_capacity = recent, .stop = stop, .pace_us = PACE_US};
    recovery_result result;
    int failed = books_recover(&f->b, f->dir, f->number, &options, &result, f->why, sizeof f->why);
    if (failed != 0) {
        return failed;
    }
    f->has_books = true;
    f->sequence = f->b.sequence;
    f->time_ns = f->b.time_ns;
    if (f->sequence != until) {
        snprintf(f->why, sizeof f->why,
                 "it has shard %u up to command %" PRIu64 ", but the journal ends with %" PRIu64,
                 f->number, until, f->sequence);
        return -EBADMSG;
    }
    return 0;
}

/* Ended orders that the books still know. */
static int import_orders(follower *f)
{
    matching_order *orders = malloc(PAGE_ORDERS * sizeof *orders);
    matching_command command = {.type = MATCHING_READ_ORDERS,
                                .flags = MATCHING_FLAG_ALL_SYMBOLS,
                                .status = MATCHING_STATUS_ANY,
                                .limit = PAGE_ORDERS};
    int failed = orders == NULL ? fail(f, -ENOMEM, "no memory") : 0;
    bool more = failed == 0;
    while (more && failed == 0) {
        matching_order_page page = {.orders = orders, .capacity = PAGE_ORDERS};
        while (!page.done) {
            matching_engine_read_orders(f->b.engine, &command, &page, UINT32_MAX);
        }
        for (uint32_t i = 0; i < page.count && failed == 0; i++) {
            failed = matching_order_is_working(&orders[i])
                         ? 0
                         : store_add_order(f->s, f->number, &orders[i]);
        }
        more = page.more;
        command.order_id = page.count > 0 ? orders[page.count - 1].order_id : 0;
    }
    free(orders);
    return failed;
}

/* Trades that the books still know. */
static int import_trades(follower *f, unsigned instrument)
{
    recent_trades *recent = &f->b.recent[instrument];
    int failed = 0;
    for (uint64_t id = recent_trades_oldest(recent); id <= recent->last_id && failed == 0; id++) {
        matching_trade *trade = &recent->trades[id % recent->capacity];
        trade->instrument = (uint16_t)instrument;
        failed = store_add_trade(f->s, f->number, trade);
    }
    return failed;
}

/* The journal does not go back to the beginning: what the oldest snapshot has is where this history
 * begins, all of it in one commit. */
static int import(follower *f, uint64_t sequence, const atomic_bool *stop)
{
    int failed = recover(f, sequence, IMPORTED_TRADES, stop);
    for (unsigned i = 0; failed == 0 && i < f->b.instrument_end; i++) {
        if (f->b.instruments[i].symbol[0] != 0) {
            failed = store_add_instrument(f->s, &f->b.instruments[i]);
            failed = failed == 0 ? import_trades(f, i) : failed;
            failed = failed != 0 ? fail(f, failed, store_why(f->s)) : 0;
        }
    }
    if (failed == 0) {
        failed = import_orders(f);
        failed = failed == 0 ? store_commit(f->s, f->number, f->sequence, f->time_ns) : failed;
        failed = failed != 0 ? fail(f, failed, store_why(f->s)) : 0;
    }
    f->begins = sequence;
    return failed;
}

static int begin(follower *f, const atomic_bool *stop)
{
    uint64_t *segments, *snapshots, oldest = 0;
    long segment_count = list(f->dir, f->number, DATA_DIR_JOURNAL, &segments);
    long snapshot_count = list(f->dir, f->number, DATA_DIR_SNAPSHOT, &snapshots);
    bool is_whole = segment_count > 0 && segments[0] == 1;
    for (long i = snapshot_count - 1; i >= 0 && segment_count > 0; i--) {
        oldest = snapshots[i] >= segments[0] ? snapshots[i] : oldest;
    }
    free(segments);
    free(snapshots);
    /* The first command tells the limits: it has no effects that are stored. */
    return is_whole      ? recover(f, 1, 1, stop)
           : oldest == 0 ? fail(f, -ENODATA, "there is no journal and no snapshot to begin with")
                         : import(f, oldest, stop);
}

int follower_open(follower *f, const atomic_bool *stop)
{
    uint64_t stored = store_progress(f->s, f->number, NULL);
    int failed;
    if (stored == 0) {
        failed = begin(f, stop);
    } else if (!follower_can_reach(f->dir, f->number, stored)) {
        snprintf(f->why, sizeof f->why,
                 "it has shard %u up to command %" PRIu64
                 ", and what came after it is no longer in the journal",
                 f->number, stored);
        failed = -ENODATA;
    } else {
        failed = recover(f, stored, 1, stop);
    }
    if (failed == 0) {
        f->reader = journal_reader_open_until(f->dir, f->number, f->sequence + 1, f->sequence,
                                              f->why, sizeof f->why);
        failed = f->reader == NULL ? -EIO : 0;
    }
    return failed;
}
