/* The history of a data directory in RocksDB: instruments, trades, ended orders with their fills,
 * candles. Everything in it can be made again from the journal, and it knows how far it has come.
 *
 * Life: open -> one thread adds and commits, any thread reads -> close. No threads of its own but
 * those by which RocksDB writes its files.
 *
 * What is added for a shard becomes visible, all at once, when it is committed together with the
 * sequence of the last command that it contains: the shard's progress. Nothing is written to a log
 * first; memory goes to disk some megabytes at a time. After a crash the store is as it was at some
 * earlier commit (store_progress tells which) and wants all that came after it once more. Until
 * store_safe_sequence says that a command's effects are on disk, the journal must keep the command.
 *
 * Whoever adds sees to this:
 *   - Commits stand between commands, never within one: what is added again after a crash begins
 *     with the command after progress, with all of its effects.
 *   - Effects are added in the shard's order, each once. Where some were missed (a reader of the
 *     shard's events was lapped), store_discard and go on from the journal, from progress + 1.
 *   - Nothing is added that the journal may still lose, or a crash leaves a store that knows more
 *     than the journal. One whose progress lies beyond the journal's end has to be made anew.
 *   - The journal keeps what is above store_safe_sequence. Where little happens, store_flush moves
 *     that on.
 *
 * Functions that can fail return 0 or a negative errno: -EBADMSG where what is there is damaged or
 * contradicts what is added, -EIO where a write failed. docs/store.md has the bytes.
 */
#ifndef MATCHING_STORE_H
#define MATCHING_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "matching/candles.h"
#include "matching/core.h"
#include "matching/port.h"

#define STORE_IDENTITY_SIZE 16
#define STORE_ERROR_SIZE 1024 /* room for any message; longer ones are cut */

typedef struct store store;

typedef struct store_options {
    const char *path;                      /* its folder; the folder that it is in must be there */
    const char *data_dir;                  /* what messages tell the operator to rebuild */
    uint8_t identity[STORE_IDENTITY_SIZE]; /* of the data directory; another's store is refused */
    unsigned shards;
    unsigned max_instruments;
    uint64_t memory_bytes; /* that may wait to be written to files, and up to two commits more */
    uint64_t cache_bytes;  /* for blocks that were read */
    /* What is kept. 0: without end. A little more than that may be there. */
    uint64_t retention_days; /* trades and ended orders */
    uint64_t max_trades;     /* of each instrument */
    uint64_t max_orders;     /* ended ones, of each shard */
    uint64_t max_candles;    /* of an instrument and interval: no candle that began more than so
                                many intervals ago */
    bool in_background;      /* its own threads leave the processor to whoever wakes */
} store_options;

/* Fills in the defaults: all but path, data_dir, identity, shards and max_instruments. */
void store_options_default(store_options *options);

/* Opens the store, and makes it where there is none. NULL with errno set and the reason, and what
 * to do, in error (NUL-terminated): EBADMSG for a folder that holds something else, a newer format,
 * another data directory's store, or damage; EBUSY where a process has it open. */
store *store_open(const store_options *options, char *error, size_t error_size);

/* Writes what is in memory to disk and frees everything. The reason of a failure in error; nothing
 * is lost by one that the journal could not bring back. No other thread may be reading. */
int store_close(store *s, char *error, size_t error_size);

#define STORE_PATH_SIZE 4352

/* What stood in a store's place. */
typedef struct store_aside {
    char from
        [STORE_PATH_SIZE]; /* its place, which differs from options->path where that is a link */
    char path[STORE_PATH_SIZE];             /* its new name; "": it has none */
    bool is_ours;                           /* it is a store of this data directory */
    uint64_t bytes;                         /* of its files */
    uint64_t progress[MATCHING_SHARDS_MAX]; /* of ours: see store_progress */
} store_aside;

/* Makes room at path for a new one: renames what is there, whatever it is, and says whose it is.
 * Nothing to rename is an absent or empty folder, or the mere beginning of a store. Nobody may have
 * it open. -EBUSY: it is a mount point and stays as it is; if aside->is_ours, store_delete_aside
 * empties it. Any other failure leaves it as it is too. */
int store_put_aside(const store_options *options, store_aside *aside, char *error,
                    size_t error_size);

/* Deletes what has been made in its place since, by this process, and gives it its name again. */
int store_put_back(const store_aside *aside, char *error, size_t error_size);

/* Deletes it, which has to be ours. */
int store_delete_aside(const store_aside *aside, char *error, size_t error_size);

/* ---- Adding: one thread, for all shards ------------------------------------------------------ */

/* What a command of the shard led to, in order. On failure the shard's uncommitted additions are
 * lost as by store_discard, and store_why tells the reason. After -EIO or -EBADMSG the store should
 * be closed.
 *
 * An instrument. One that is there already must be the same. */
int store_add_instrument(store *s, const matching_instrument *instrument);

/* A trade of an instrument of the shard; its id follows that of the one before. Counts in the
 * instrument's candles. Where the first one is not trade 1, reads leave out candles that began
 * before it, as they lack trades. */
int store_add_trade(store *s, unsigned shard, const matching_trade *trade);

/* An order that works no longer. */
int store_add_order(store *s, unsigned shard, const matching_order *order);

/* All effects of the shard's commands up to this one have been added: they become visible and the
 * shard's progress. time_ns is a time of the shard that no later command lies before (the command's
 * own, or a later one that a read told): candles that have ended by then become final. The sequence
 * does not go back; the same one again moves the time on. Costs far more than an addition: with
 * 4,000 trades in each a trade costs half of what it does with 1,000. */
int store_commit(store *s, unsigned shard, uint64_t sequence, uint64_t time_ns);

/* Forgets what was added for the shard since its last commit. */
void store_discard(store *s, unsigned shard);

/* Bytes that wait for the shard's commit. */
size_t store_pending(const store *s, unsigned shard);

/* Why the last addition, commit or flush failed. */
const char *store_why(const store *s);

/* Writes all that is committed to disk and waits for it. Without it that happens by itself whenever
 * memory_bytes have gathered. */
int store_flush(store *s);

/* ---- Reading: any thread, may wait for the disk --------------------------------------------- */

/* How far the shard has come: its last command whose effects can be read; 0: none. time_ns (may be
 * NULL): the time of that commit. */
uint64_t store_progress(const store *s, unsigned shard, uint64_t *time_ns);

/* The last command of the shard whose effects, and those of all before it, are on disk. Later ones
 * must stay in the journal. */
uint64_t store_safe_sequence(const store *s, unsigned shard);

/* The instrument with this index; -ENOENT: there is none. */
int store_read_instrument(const store *s, uint16_t index, matching_instrument *out);

/* Up to limit trades of an instrument, oldest first. Without ids (0) the newest; from_id: from
 * there on; before_id: the ones just below it; both: from from_id on, below before_id. */
int store_read_trades(const store *s, uint16_t instrument, uint64_t from_id, uint64_t before_id,
                      size_t limit, matching_trade *out, size_t *count);

typedef struct store_candle_query {
    uint16_t instrument;
    matching_interval interval;
    uint64_t from_s; /* no candle that began earlier; 0: the newest up to to_s are wanted */
    uint64_t to_s;   /* no candle that began later; 0: up to the present one */
    size_t limit;
} store_candle_query;

/* Candles, oldest first, the running one (not final) as of the last commit among them. more: there
 * are further ones beyond the limit: after the last of these if from_s was given, which go on at
 * the last one's start_s + 1, otherwise before the first. */
int store_read_candles(const store *s, const store_candle_query *query, matching_candle *out,
                       size_t *count, bool *more);

/* How the candles of an instrument stood at the last commit, the last trade in them and in the
 * final ones before, and from when on they are whole (0: all are). -ENOENT: nothing has been
 * traded. */
int store_read_running(const store *s, uint16_t instrument, matching_candles *candles,
                       uint64_t *last_trade_id, uint64_t *exact_from_s);

typedef struct store_order_query {
    const char *trader_id; /* NULL: everybody's */
    uint64_t after;        /* order ids above this one */
    uint8_t status;        /* MATCHING_STATUS_ANY, MATCHING_FILLED or MATCHING_CANCELLED */
    bool has_instrument;
    uint16_t instrument;
    size_t limit;
} store_order_query;

/* Ended orders by ascending order id. A read looks at a bounded number of orders, so it may find
 * fewer than limit and yet not be through: as long as *after is not 0 there may be more, which a
 * read with that `after` gives. */
int store_read_orders(const store *s, const store_order_query *query, matching_order *out,
                      size_t *count, uint64_t *after);

/* One ended order by its id, or the latest with this trader and client id in an instrument.
 * -ENOENT: there is none. */
int store_read_order(const store *s, uint64_t order_id, matching_order *out);
int store_read_client_order(const store *s, const char *trader_id, const char *client_order_id,
                            uint16_t instrument, matching_order *out);

/* The trades of an order, working or ended, with ids above after_id, oldest first. */
int store_read_fills(const store *s, uint64_t order_id, uint64_t after_id, size_t limit,
                     matching_trade *out, size_t *count);

#endif
