/* `journal replay`: the books as they were after a command, from the best snapshot and the journal,
 * printed; `snapshot`: as they are after the last, written as a snapshot. */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "history/needed.h"
#include "journal/snapshot.h"
#include "matching/decimal.h"
#include "shard/recovery.h"
#include "tools_internal.h"

#define ATTEMPTS 3 /* beside a process that writes */
#define SHOWN_LEVELS 20u
#define PRICE_WIDTH 20
#define QUANTITY_WIDTH 24
/* Trades of an instrument that a snapshot keeps. What the service was told to keep is a setting,
 * which the tools do not know: this is more than it usually is. */
#define SNAPSHOT_TRADES 10000u

/* ---- Recovering ------------------------------------------------------------------------------ */

static void on_progress(void *context, unsigned shard, const char *what, double fraction)
{
    tool_progress(context, shard, what, (uint64_t)(fraction * 1e6), 1000000);
}

static recovery_options options_of(tool *t, unsigned recent_capacity)
{
    return (recovery_options){.until = t->options->until,
                              .claimed_only = t->live,
                              .recent_capacity = recent_capacity,
                              .pace_us = tool_pace(t),
                              .on_progress = on_progress,
                              .context = t};
}

/* What kept the books from being made. An exit code. */
static int tell_failure(tool *t, unsigned shard, int failed, const char *error)
{
    char prefix[32];
    size_t length = (size_t)snprintf(prefix, sizeof prefix, "shard %u: ", shard);
    const char *text = strncmp(error, prefix, length) == 0 ? error + length : error;
    return tool_tell(t, failed == -EBADMSG ? MATCHING_EXIT_USAGE : MATCHING_EXIT_RUN, shard, "%s",
                     *text != 0 ? text : strerror(-failed));
}

/* As books_recover, whether a process writes there or not. */
static int recover(tool *t, unsigned shard, books *b, recovery_result *result, char *error,
                   size_t error_size)
{
    for (unsigned attempt = 1;; attempt++) {
        recovery_options options = options_of(t, 1);
        int failed = books_recover(b, &t->dir, shard, &options, result, error, error_size);
        bool is_bad = failed == -EBADMSG, is_torn = failed == 0 && result->end == JOURNAL_TORN;
        bool was_overtaken = failed == -ESTALE && attempt < ATTEMPTS;
        if (!was_overtaken && !((is_bad || is_torn) && tool_has_become_live(t))) {
            return failed;
        }
        if (failed == 0) {
            books_fini(b);
        }
    }
}

/* ---- Printing -------------------------------------------------------------------------------- */

/* A level of one side, or room for it; the number of orders comes last. */
static void print_level(const matching_instrument *instrument, const matching_level *level)
{
    char price[MATCHING_DECIMAL_TEXT] = "", quantity[MATCHING_DECIMAL_WIDE_TEXT] = "",
         orders[16] = "";
    if (level != NULL) {
        matching_decimal_print(price, matching_price_of(instrument, level->price_ticks));
        matching_decimal_print_wide(quantity,
                                    level->total_lots * (matching_wide)instrument->lot_size);
        snprintf(orders, sizeof orders, "%u", level->orders);
    }
    printf("%*s %*s %7s", PRICE_WIDTH, price, QUANTITY_WIDTH, quantity, orders);
}

static void print_book(const matching_instrument *instrument, const ticker *t,
                       const recent_trades *recent, const matching_depth *depth)
{
    char last[MATCHING_DECIMAL_TEXT];
    printf("\n%s %s", instrument->symbol, matching_state_name(depth->state));
    if (recent->last_id > 0) {
        matching_decimal_print(last, matching_price_of(instrument, t->last_ticks));
        printf(", last trade %" PRIu64 " at %s", recent->last_id, last);
    }
    printf("\n%*s %*s %7s%*s %*s %7s\n", PRICE_WIDTH, "bid", QUANTITY_WIDTH, "quantity", "orders",
           PRICE_WIDTH, "ask", QUANTITY_WIDTH, "quantity", "orders");
    for (unsigned i = 0; i < depth->bid_count || i < depth->ask_count; i++) {
        print_level(instrument, i < depth->bid_count ? &depth->bids[i] : NULL);
        if (i < depth->ask_count) {
            print_level(instrument, &depth->asks[i]);
        }
        putchar('\n');
    }
    if (!depth->bids_complete || !depth->asks_complete) {
        printf("and more levels: %s\n", depth->bids_complete   ? "asks"
                                        : depth->asks_complete ? "bids"
                                                               : "bids and asks");
    }
}

/* Every instrument that has orders in its book. Returns how many have none. */
static unsigned print_books(const books *b)
{
    matching_level bids[SHOWN_LEVELS], asks[SHOWN_LEVELS];
    unsigned empty = 0;
    for (unsigned i = 0; i < b->instrument_end; i++) {
        matching_depth depth = {.bids = bids, .asks = asks};
        if (b->instruments[i].symbol[0] == 0) {
            continue;
        }
        matching_engine_read_depth(b->engine, (uint16_t)i, SHOWN_LEVELS, &depth);
        if (depth.bid_count == 0 && depth.ask_count == 0) {
            empty++;
        } else {
            print_book(&b->instruments[i], &b->tickers[i], &b->recent[i], &depth);
        }
    }
    return empty;
}

static int print_state(tool *t, unsigned shard, const books *b, const recovery_result *result)
{
    char time[TOOL_TIME_SIZE];
    const char *broken = matching_engine_check(b->engine);
    if (broken != NULL) {
        return tool_tell(t, MATCHING_EXIT_USAGE, shard, "the books contradict themselves: %s",
                         broken);
    }
    printf("shard %u: sequence %" PRIu64 ", %s, snapshot %" PRIu64 " and %" PRIu64
           " commands replayed, state hash %016" PRIx64 "\n",
           shard, b->sequence, tool_time(time, b->time_ns), result->snapshot_sequence,
           result->commands, matching_engine_hash(b->engine));
    unsigned empty = print_books(b);
    if (empty > 0) {
        printf("\ninstruments without orders in the book: %u\n", empty);
    }
    putchar('\n');
    return 0;
}

int tool_replay(tool *t, unsigned shard)
{
    books b;
    recovery_result result;
    char error[TOOL_TEXT_SIZE] = "";
    int failed = recover(t, shard, &b, &result, error, sizeof error);
    if (failed == -ENOENT) {
        printf("shard %u: no commands\n", shard);
        return 0;
    }
    if (failed != 0) {
        int code = tell_failure(t, shard, failed, error);
        if (failed == -EBADMSG && result.position.last_sequence > result.snapshot_sequence) {
            tool_tell(t, code, shard, "--until %" PRIu64 " shows the books before that",
                      result.position.last_sequence);
        }
        return code;
    }
    progress_done(&t->progress);
    if (result.skipped[0] != 0) {
        tool_tell(t, 0, shard, "%s; done without it", result.skipped);
    }
    if (result.end == JOURNAL_TORN) {
        tool_tell(t, 0, shard, "%s; the next start cuts it off", result.trouble);
    }
    int code = print_state(t, shard, &b, &result);
    books_fini(&b);
    return code;
}

/* ---- Snapshots ------------------------------------------------------------------------------- */

/* Says what there is now. */
static int tell_snapshot(tool *t, unsigned shard, uint64_t sequence)
{
    char error[TOOL_TEXT_SIZE];
    snapshot_head head;
    snapshot_reader *reader =
        snapshot_open(&t->dir, shard, sequence, 0, &head, error, sizeof error);
    if (reader == NULL) {
        return tool_tell(t, MATCHING_EXIT_RUN, shard, "%s", error);
    }
    snapshot_close(reader);
    printf("shard %u: snapshot of sequence %" PRIu64 ", state hash %016" PRIx64 "\n", shard,
           sequence, head.state_hash);
    return 0;
}

int tool_snapshot(tool *t, unsigned shard)
{
    char error[TOOL_TEXT_SIZE] = "";
    snapshot_made made;
    uint64_t keep_from;
    recovery_options options = options_of(t, SNAPSHOT_TRADES);
    options.make_safe = true;
    if (matching_history_needed(&t->dir, shard, &keep_from, error, sizeof error) != 0) {
        return tool_tell(t, MATCHING_EXIT_RUN, shard, "%s", error);
    }
    int failed = books_snapshot(&t->dir, shard, &options, NULL, &made, error, sizeof error);
    if (failed == -ENOENT) {
        printf("shard %u: no commands, so no snapshot\n", shard);
        return 0;
    }
    if (failed != 0) {
        return tell_failure(t, shard, failed, error);
    }
    progress_done(&t->progress);
    if (made.skipped[0] != 0) {
        tool_tell(t, 0, shard, "%s; another is written without it, and nothing is removed",
                  made.skipped);
    } else if (books_remove_old(&t->dir, shard, keep_from, false, NULL, error, sizeof error) != 0) {
        tool_tell(t, 0, shard, "what is superfluous stays: %s", error);
    }
    return tell_snapshot(t, shard, made.sequence);
}
