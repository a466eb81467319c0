/* History: trades, ended orders and candles beyond what a shard holds in memory, from the store.
 *
 * How a door reads it: as everything else, by a command that it submits to its port, and gets the
 * answer through on_reply. Nothing of a door waits for a disk. The core decides where the answer
 * comes from:
 *
 *   READ_TRADES    from memory if the recent trades are all of the page, else from the store
 *   READ_ORDERS    working orders from memory and ended ones from the store, as one page
 *   READ_ORDER     from memory, and from the store what is not there, by either kind of id
 *   READ_CANDLES   from the store
 *
 * The command passes its shard first, so the answer holds all that was applied before it, and
 * leaves when that is durable; then the store is waited for until it has come as far. So an answer
 * has all that was acknowledged when the command came and nothing that may be lost, none of it
 * twice and nothing missing but what retention let go. Answers may overtake each other: go by the
 * tag. With command.source MATCHING_SOURCE_MEMORY only what the shard holds in memory is looked at.
 *
 * READ_CANDLES takes `instrument`, `interval` (matching_interval), `limit` (1 ...
 * MATCHING_PAGE_MAX), `from_s` (no candle that began earlier; 0: the newest up to to_s) and `to_s`
 * (no candle that began later; 0: up to the present one), in Unix seconds. matching_reply has
 * `candles`, oldest first, `candle_count` and `candles_more`: with from_s there are further ones
 * after the last of these, which go on at its start_s + 1; without, before the first, up to its
 * start_s - 1. Pages so asked for have each candle once. The running candle, the one not is_final,
 * can only be the last: a reader that wants none leaves it out. What is final is decided by the
 * shard's clock at the time of the read, also while nobody trades.
 *
 * With `interval` MATCHING_INTERVALS it tells instead how the running candles of all intervals
 * stand in the store, all of one moment: `candles` in order of their interval, `last_trade_id` the
 * last trade in them (0: none is stored), `exact_from_s` from when on candles are whole, `time_ns`
 * the time that they were told last. Whoever resumes from them (matching_candles_resume) goes on
 * with the trade after that.
 *
 * Where the store cannot answer, the reply has the code INTERNAL_ERROR and says why in `history`
 * (matching_history_trouble): doors answer 503 with matching_history_text() as the message. An
 * INTERNAL_ERROR with `history` 0 is the journal's, as for every command. Without a store
 * (--in-memory, store.enabled = false) all answer from memory alone: READ_CANDLES with those of the
 * last MATCHING_PAGE_MAX recent trades, without what may lack earlier ones. CATCHING_UP passes by
 * itself; it is told at once at a start that still replays, and after about two seconds where the
 * store has fallen behind.
 *
 * Thread: all functions here are for any thread, and lock or wait for nothing.
 */
#ifndef MATCHING_HISTORY_H
#define MATCHING_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "matching/candles.h"
#include "matching/core.h"
#include "matching/port.h"

/* matching_reply.history */
typedef enum matching_history_trouble {
    MATCHING_HISTORY_FINE = 0,
    MATCHING_HISTORY_CATCHING_UP = 1, /* the store has not come so far yet: ask again later */
    MATCHING_HISTORY_FAILED = 2       /* the store failed or gave up; a person has to look */
} matching_history_trouble;

/* "history is catching up, ask again soon" and so on; "" for FINE. Static string. */
const char *matching_history_text(unsigned trouble);

/* Is there a store, in whatever state? False: --in-memory or store.enabled = false. */
bool matching_core_has_history(const matching_core *core);

typedef enum matching_history_state {
    MATCHING_HISTORY_STATE_OFF = 0,
    MATCHING_HISTORY_STATE_CATCHING_UP = 1, /* replays from the journal what it lacks */
    MATCHING_HISTORY_STATE_LIVE = 2,
    MATCHING_HISTORY_STATE_FAILED = 3 /* stands still; the journal is not kept for it any more */
} matching_history_state;

/* "off", "catching_up", "live", "failed". Static string. */
const char *matching_history_state_name(unsigned state);

/* How far a shard's history is, for GET /api/events/status. */
typedef struct matching_history_progress {
    matching_history_state state;
    uint64_t stored;  /* sequence of the last command whose effects can be read from the store */
    uint64_t safe;    /* ... whose effects are on disk there */
    uint64_t lag;     /* commands that are durable and not stored yet */
    uint64_t time_ns; /* Unix: the shard's time that the store has come to, 0: none yet */
    const char *why;  /* FAILED: the reason and what to do, else ""; static or the core's */
} matching_history_progress;

matching_history_progress matching_core_history_progress(const matching_core *core, unsigned shard);

/* What is wrong with history, for GET /health's warnings: that it failed, or that it is so far
 * behind that it will be given up. "": nothing. The core's, valid as long as that. */
const char *matching_core_history_warning(const matching_core *core);

/* What a store keeps, and how. */
typedef struct matching_history_options {
    /* 0: without end. A little more than that may be there. */
    uint64_t retention_days; /* of trades and ended orders */
    uint64_t max_trades;     /* of each instrument */
    uint64_t max_orders;     /* ended ones, of each shard */
    uint64_t max_candles;    /* of an instrument and interval */
    uint64_t memory_bytes;   /* that may wait to be written to files */
    uint64_t cache_bytes;    /* for what was read, and files' filters and indexes */
    /* Journal that may wait for the store, of a shard. A store that has fallen further behind is
     * given up: history fails, the journal goes. */
    uint64_t max_backlog_bytes;
} matching_history_options;

void matching_history_options_default(matching_history_options *options);

/* Opens the store in the core's data directory, or makes it, and from the core's start on keeps it
 * up to date on a thread of its own. Main thread, between matching_core_create and
 * matching_core_start, once; the core ends it when it stops. Programs that call it link
 * matching_history. 0, or a negative errno with what to do in error: -EINVAL for a core without a
 * data directory, -EBADMSG for a store that is damaged, or of another directory or version. A store
 * that lacks what the journal no longer has is opened all the same: history has failed then, and
 * matching_core_history_warning says so. */
int matching_history_attach(matching_core *core, const matching_history_options *options,
                            char *error, size_t error_size);

/* Makes the store of a data directory that nobody uses anew, from its journal. Nothing is let go:
 * limits are those of the service that opens it next. The store that was there, or whatever else,
 * is put back on failure; it is kept under another name, which a note tells, if the new one may
 * lack something of it. on_note gets lines to be read; on_progress what is done with a shard and
 * how far it is; either may be NULL. 0 or a negative errno with the reason in error: -EBUSY for a
 * directory in use, or a mount point with somebody's files in the store's place; -EBADMSG for a
 * directory that is damaged. */
int matching_history_rebuild(const char *data_dir,
                             void (*on_progress)(void *context, unsigned shard, const char *what,
                                                 double fraction),
                             void (*on_note)(void *context, const char *line), void *context,
                             char *error, size_t error_size);

#endif
