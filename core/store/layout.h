/* The bytes of the store: keys and values. docs/store.md tells it in words; a golden test pins it.
 *
 * Numbers in keys are big-endian, so that RocksDB's order of bytes is their order; numbers in
 * values are little-endian. Each value begins with its version. Reserved bytes are 0.
 *
 * Trades of an instrument and ended orders of a shard are logs: entries numbered without gaps, some
 * dozens together on a page, which is one value. A page's key has the number of its first entry.
 */
#ifndef MATCHING_STORE_LAYOUT_H
#define MATCHING_STORE_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "matching/candles.h"
#include "matching/core.h"
#include "matching/port.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the structs are the bytes on disk");

#define STORE_MAGIC "MTCHSTOR"
#define STORE_FORMAT 1u        /* raised whenever an older program could not read it */
#define STORE_VALUE_VERSION 1u /* of each value's layout */

/* What a key begins with: all is in one column family, since only so what RocksDB has on disk is
 * always all up to some commit and nothing after it. */
typedef enum store_kind {
    STORE_FORMAT_OF = 'F',     /* 0: store_format */
    STORE_INSTRUMENT_OF = 'I', /* index: store_instrument */
    STORE_PROGRESS_OF = 'P',   /* shard: store_progress_value */
    STORE_STATE_OF = 'S',      /* instrument: store_state */
    STORE_CANDLES = 'c',       /* instrument, interval, start: a final candle */
    STORE_ENDED = 'e',         /* shard, number: a page of store_order, as they ended */
    STORE_BY_ID = 'i',         /* order_id, 0: store_ended; order_id, trade_id: store_fill */
    STORE_BY_CLIENT = 'k',     /* trader NUL client NUL instrument order_id: store_place */
    STORE_BY_TRADER = 'o',     /* trader NUL order_id: store_place */
    STORE_TRADES = 't'         /* instrument, trade_id: a page of store_trade */
} store_kind;

#define STORE_META_KEY 3    /* kind, u16 */
#define STORE_LOG_KEY 11    /* kind, u16 instrument or shard, u64 number */
#define STORE_ID_KEY 17     /* kind, u64 order_id, u64 trade_id */
#define STORE_CANDLE_KEY 12 /* kind, u16, u8, u64 */
#define STORE_TRADER_KEY_MAX (1 + MATCHING_TRADER_MAX + 1 + 8)
#define STORE_CLIENT_KEY_MAX (1 + MATCHING_TRADER_MAX + 1 + MATCHING_CLIENT_ID_MAX + 1 + 2 + 8)

typedef struct store_format {
    char magic[8]; /* STORE_MAGIC, no NUL */
    uint32_t version;
    uint32_t shards;
    uint8_t identity[16];
} store_format;

typedef struct store_instrument {
    uint8_t version;
    uint8_t shard;
    char sbe_char;
    uint8_t reserved;
    uint32_t id;
    int64_t tick_size, lot_size; /* mantissas of 10^-8 */
    char symbol[MATCHING_SYMBOL_MAX];
} store_instrument;

/* Entries `oldest` ... `last` of a log are there; last 0: there has been none. */
typedef struct store_progress_value {
    uint8_t version;
    uint8_t reserved[7];
    uint64_t sequence, time_ns;
    uint64_t oldest, last; /* of STORE_ENDED */
} store_progress_value;

/* Followed by store_running, `running` times. */
typedef struct store_state {
    uint8_t version;
    uint8_t running;
    uint16_t reserved;
    uint32_t exact_from_s; /* candles that began before lack trades; 0: none do */
    uint64_t time_ns;      /* the latest that its candles were told */
    uint64_t oldest, last; /* of STORE_TRADES */
} store_state;

typedef struct store_candle {
    uint8_t version;
    uint8_t reserved[7];
    int64_t open_ticks, high_ticks, low_ticks, close_ticks;
    uint64_t volume_low, volume_high; /* lots */
    uint64_t update_count;
} store_candle;

typedef struct store_running {
    uint8_t interval;
    uint8_t reserved[7];
    uint64_t start_s;
    store_candle candle;
} store_running;

typedef struct store_page_header {
    uint8_t version;
    uint8_t reserved;
    uint16_t count;
    uint32_t reserved_too;
} store_page_header;

/* Followed by the names of buyer and seller. Its id is its place in the log. */
typedef struct store_trade {
    uint64_t time_ns;
    int64_t price_ticks, quantity_lots;
    uint64_t buy_order_id, sell_order_id;
    uint8_t taker_side;
    uint8_t buyer_length, seller_length;
    uint8_t reserved[5];
} store_trade;

/* Followed by the trader's name and the client id. */
typedef struct store_order {
    uint64_t order_id;
    int64_t price_ticks, quantity_lots, filled_lots, stop_price_ticks, display_lots;
    uint64_t notional_low, notional_high; /* ticks x lots */
    uint64_t created_ns, updated_ns, expire_time_ms;
    uint16_t instrument;
    uint8_t status, reason, side, type, time_in_force, self_trade, post_only;
    uint8_t trader_length, client_length;
    uint8_t reserved[5];
} store_order;

/* Where an ended order is in STORE_ENDED, and what lists are filtered by. */
typedef struct store_place {
    uint8_t version;
    uint8_t shard;
    uint8_t status;
    uint8_t reserved;
    uint16_t instrument;
    uint16_t index; /* on its page, from 0 */
    uint64_t page;  /* number of the page's first order */
} store_place;

/* An order's trades in a row: trade_id of the key and the count - 1 that follow it. */
typedef struct store_fill {
    uint8_t version;
    uint8_t reserved;
    uint16_t instrument;
    uint32_t count;
} store_fill;

/* By id: with its last trades in a row, which have no store_fill of their own. */
typedef struct store_ended {
    store_place place;
    uint64_t first_trade;
    uint32_t count; /* 0: none */
    uint32_t reserved;
} store_ended;

_Static_assert(sizeof(store_format) == 32, "the format is pinned");
_Static_assert(sizeof(store_instrument) == 40, "the format is pinned");
_Static_assert(offsetof(store_instrument, symbol) == 24, "the format is pinned");
_Static_assert(sizeof(store_progress_value) == 40, "the format is pinned");
_Static_assert(sizeof(store_state) == 32, "the format is pinned");
_Static_assert(sizeof(store_candle) == 64, "the format is pinned");
_Static_assert(sizeof(store_running) == 80, "the format is pinned");
_Static_assert(sizeof(store_page_header) == 8, "the format is pinned");
_Static_assert(sizeof(store_trade) == 48, "the format is pinned");
_Static_assert(offsetof(store_trade, taker_side) == 40, "the format is pinned");
_Static_assert(sizeof(store_order) == 104, "the format is pinned");
_Static_assert(offsetof(store_order, instrument) == 88, "the format is pinned");
_Static_assert(sizeof(store_place) == 16, "the format is pinned");
_Static_assert(sizeof(store_fill) == 8, "the format is pinned");
_Static_assert(sizeof(store_ended) == 32, "the format is pinned");

#define STORE_TRADE_MAX (sizeof(store_trade) + 2 * (size_t)MATCHING_TRADER_MAX)
#define STORE_ORDER_MAX (sizeof(store_order) + MATCHING_TRADER_MAX + MATCHING_CLIENT_ID_MAX)
#define STORE_STATE_MAX (sizeof(store_state) + MATCHING_INTERVALS * sizeof(store_running))

/* ---- Keys: each writes to out and returns the length ---------------------------------------- */

size_t store_meta_key(char *out, store_kind kind, unsigned number);
size_t store_log_key(char *out, store_kind kind, unsigned log, uint64_t number);
size_t store_id_key(char *out, uint64_t order_id, uint64_t trade_id);
size_t store_trader_key(char *out, const char *trader_id, uint64_t order_id);
size_t store_client_key(char *out, const char *trader_id, const char *client_order_id,
                        unsigned instrument, uint64_t order_id);
size_t store_candle_key(char *out, unsigned instrument, unsigned interval, uint64_t start_s);

/* A big-endian number at the given place of a key. */
uint64_t store_key_number(const char *at, size_t bytes);

/* ---- Values: put returns the length; get is false for bytes that put has not written --------- */

size_t store_put_instrument(char *out, const matching_instrument *instrument);
bool store_get_instrument(const char *value, size_t length, uint16_t index,
                          matching_instrument *instrument);

/* An instrument's state; the candles' `changed` is not kept. */
size_t store_put_state(char *out, const matching_candles *candles, uint32_t exact_from_s,
                       uint64_t oldest, uint64_t last);
bool store_get_state(const char *value, size_t length, matching_candles *candles,
                     uint32_t *exact_from_s, uint64_t *oldest, uint64_t *last);

/* A final candle; interval and start are in the key. */
size_t store_put_candle(char *out, const matching_candle *candle);
bool store_get_candle(const char *value, size_t length, const char *key, matching_candle *candle);

size_t store_put_trade(char *out, const matching_trade *trade);
size_t store_put_order(char *out, const matching_order *order);

/* One entry at *at, which moves on to the next. trade_id and instrument are the caller's. */
bool store_get_trade(const char **at, const char *end, matching_trade *trade);
bool store_get_order(const char **at, const char *end, matching_order *order);

#endif
