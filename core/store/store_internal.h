/* What the files of core/store share: the handles, the adding side's state, cursors over logs. */
#ifndef MATCHING_STORE_INTERNAL_H
#define MATCHING_STORE_INTERNAL_H

#include <rocksdb/c.h>
#include <stdatomic.h>

#include "store/layout.h"
#include "store/store.h"
#include "store/store_entries.h"

#define STORE_PAGE_TRADES 64 /* entries of a page at most */
#define STORE_PAGE_ORDERS 40
#define STORE_PAGE_BYTES (sizeof(store_page_header) + STORE_PAGE_TRADES * STORE_TRADE_MAX)
#define STORE_OPEN_PAGES 64 /* instruments that can share a batch without splitting pages */

_Static_assert(sizeof(store_page_header) + STORE_PAGE_ORDERS * STORE_ORDER_MAX <= STORE_PAGE_BYTES,
               "a page of orders fits too");

/* Entries oldest ... last are there; last 0: none so far. */
typedef struct log_state {
    uint64_t oldest, last;
    uint64_t oldest_ns;    /* no entry is older, 0: not looked up */
    uint32_t exact_from_s; /* of trades: candles that began before lack some; 0: none do */
} log_state;

/* A page that is being filled. */
typedef struct open_page {
    uint64_t first;
    size_t length; /* of bytes, header included */
    uint16_t log;
    uint16_t count; /* 0: not in use */
    char bytes[STORE_PAGE_BYTES];
} open_page;

/* One order's trades in a row that are not in the batch yet. */
typedef struct fill_run {
    uint64_t order_id, first_trade;
    uint32_t count; /* 0: none */
    uint16_t instrument;
} fill_run;

typedef struct instrument_state {
    matching_candles candles;
    log_state trades;
    uint8_t shard;   /* of an instrument that is here */
    bool is_here;    /* it has been added, perhaps not committed */
    bool is_known;   /* listed in its shard's `mine`: it has traded */
    bool is_touched; /* differs from what is committed, listed in `touched` */
} instrument_state;

/* The adding side of one shard. */
typedef struct shard_writer {
    rocksdb_writebatch_t *batch;
    index_entries entries;
    open_page *pages; /* STORE_OPEN_PAGES, by instrument modulo */
    open_page *ended_page;
    log_state ended, committed_ended;
    fill_run runs[2];  /* by matching_side */
    uint16_t *touched; /* instruments */
    uint16_t *mine;    /* instruments with a state, in no order */
    size_t touched_count, mine_count;
    size_t trim_at;       /* in mine: whose turn it is to be looked at */
    uint64_t next_end_ns; /* no running candle of the shard ends before */
    uint64_t sequence, time_ns;
} shard_writer;

struct store {
    rocksdb_t *db;
    rocksdb_options_t *settings;
    rocksdb_compactionfilter_t *filter;
    rocksdb_env_t *env;
    rocksdb_cache_t *cache;
    rocksdb_writeoptions_t *write;
    rocksdb_readoptions_t *read;
    rocksdb_readoptions_t *read_disk; /* only what is on disk */
    unsigned shards, max_instruments;
    uint64_t memory_bytes, retention_ns, max_trades, max_orders, max_candles;
    instrument_state *instruments; /* the adding thread's */
    shard_writer *writers;         /* likewise */
    char why[STORE_ERROR_SIZE];    /* likewise */
    /* What has been let go, for readers and for RocksDB's threads: committed, maybe not on disk. */
    _Atomic uint64_t *oldest_trades; /* by instrument */
    _Atomic uint64_t *oldest_ended;  /* by shard */
    _Atomic uint64_t now_s;          /* the latest time of a commit */
};

/* ---- store_open.c --------------------------------------------------------------------------- */

/* -EBADMSG or -EIO by RocksDB's error text, which is freed; 0 for NULL. The text in error (may be
 * NULL). */
int store_judge(char *rocksdb_error, char *error, size_t error_size);

/* Judges a folder by its files' names. Without data (it has no CURRENT): 0, it is the beginning of
 * a store. With data: 0, RocksDB will touch nobody's files. -EBADMSG: there are some; or a negative
 * errno. The reason in error. */
int store_judge_folder(const store_options *options, bool has_data, char *error, size_t error_size);

typedef enum store_owner {
    STORE_IS_NONE = 0,
    STORE_IS_OURS,
    STORE_IS_OF_A_VERSION, /* another than this program's */
    STORE_IS_ANOTHERS      /* another data directory's */
} store_owner;

/* Whose store it is, by the value of its format. */
store_owner store_judge_format(const store_options *options, const char *value, size_t length);

/* For opening one just to look (rocksdb_options_destroy). */
rocksdb_options_t *store_settings_of_reader(void);

/* ---- store_files.c -------------------------------------------------------------------------- */

typedef enum store_file_kind {
    STORE_FILE_OF_BEGINNING = 0, /* RocksDB has it before there is any data; no file of anybody */
    STORE_FILE_OF_DATA,
    STORE_FILE_FOREIGN,
    STORE_FILE_IN_DANGER /* likewise, and RocksDB could take it for its own by its name */
} store_file_kind;

/* What an entry of a folder is: by its exact name, as RocksDB gives it, to a regular file. */
store_file_kind store_file_kind_of(int folder_fd, const char *name);

/* ---- store_log.c ---------------------------------------------------------------------------- */

/* Goes through the pages of a log. */
typedef struct log_cursor {
    rocksdb_iterator_t *iterator;
    store_kind kind;      /* STORE_TRADES, STORE_ENDED */
    unsigned log;         /* instrument, shard */
    uint64_t first;       /* of the page */
    unsigned count;       /* its entries */
    const char *at, *end; /* their bytes, valid until the next find */
} log_cursor;

void log_open(log_cursor *cursor, const store *s, store_kind kind, unsigned log);
void log_close(log_cursor *cursor);

/* The page with this entry, or else the first one after it. -ENOENT: there is none. */
int log_find(log_cursor *cursor, uint64_t number);

/* The last page that begins at or before this entry, whether it contains it or not. */
int log_find_before(log_cursor *cursor, uint64_t number);

/* Lets go of the oldest entries as far as the limits want it, in whole pages: adds the deletion to
 * the batch and moves state->oldest. most 0: without end. True: something was let go. */
bool log_trim(const store *s, rocksdb_writebatch_t *batch, store_kind kind, unsigned log,
              log_state *state, uint64_t most, uint64_t now_ns);

/* ---- store_limits.c ------------------------------------------------------------------------- */

/* Candles of the interval that began before are gone; 0: none are. */
uint64_t store_candle_cutoff(const store *s, unsigned interval);

/* A filter that lets go of index entries and candles while RocksDB rewrites its files. */
rocksdb_compactionfilter_t *store_filter(const store *s);

/* ---- store_read.c --------------------------------------------------------------------------- */

/* A copy of the value (rocksdb_free), as of the read options. -ENOENT: there is none. */
int store_get(const store *s, const rocksdb_readoptions_t *read, const char *key, size_t key_length,
              char **value, size_t *length);

/* An instrument's state; -ENOENT: it has never traded. */
int store_get_instrument_state(const store *s, const rocksdb_readoptions_t *read, unsigned index,
                               matching_candles *candles, log_state *trades);

#endif
