/* What the files of the candle feed share: its state, and what they call of each other. */
#ifndef MATCHING_CANDLE_FEED_INTERNAL_H
#define MATCHING_CANDLE_FEED_INTERNAL_H

#include "market/kept_candles.h"
#include "matching/candle_feed.h"

#define FEED_NS_PER_S UINT64_C(1000000000)

/* The running candle of an interval as followers know it. */
typedef struct told {
    uint64_t start_s, count;
    uint64_t at_ms; /* ... since when; 0: never told */
} told;

typedef struct market {
    bool is_open;
    matching_candles candles;
    kept_candles kept[MATCHING_INTERVALS];
    told told[MATCHING_INTERVALS];
    uint8_t followed;       /* a bit for each interval */
    bool is_dirty;          /* in `dirty` */
    bool wants_read;        /* trades are missing */
    bool wants_state;       /* the running candles of the store */
    bool is_asking;         /* ... are being read; nothing waits for that */
    bool is_reading;        /* trades */
    bool is_alone;          /* the store did not help: what memory has must do */
    bool has_failed;        /* its shard answers no reads any more */
    uint64_t next_trade_id; /* all before are in the candles */
    uint64_t told_trade_id; /* on_trade has been called up to this one */
    uint64_t passed_over;   /* the last one that came while trades were missing */
    uint64_t exact_from_ns; /* candles that begin later have all their trades; 0: all have */
    uint64_t known_end;     /* events of the shard before this position are in the candles */
} market;

typedef struct shard_clock {
    uint64_t seen_end;    /* events before this position have come */
    uint64_t next_end_ns; /* of the running candle that ends first; UINT64_MAX: none runs */
    bool is_reading;
    bool has_mark;
    uint64_t mark_ns, mark_end; /* so late it was, and no trade before that position is later */
} shard_clock;

struct matching_candle_feed {
    matching_candle_feed_options options;
    matching_candle_feed_handlers handlers;
    void *context;
    market *markets;   /* by instrument index, room for as many as there can ever be */
    size_t market_end; /* one past the highest known */
    shard_clock *shards;
    unsigned shard_count;
    uint16_t *dirty; /* markets with something to tell */
    size_t dirty_count;
    bool wants_reads;
    uint64_t now_ms;       /* of the turn */
    uint64_t state_due_ms; /* no store is asked for its candles before */
};

/* candle_feed.c: the instrument's shard. */
unsigned feed_shard_of(const matching_candle_feed *feed, size_t index);

/* A trade is taken into the candles; they are others than they were; those that are over by this
 * time are final. */
void feed_take_trade(matching_candle_feed *feed, uint16_t index, uint64_t time_ns,
                     int64_t price_ticks, int64_t quantity_lots, uint8_t side);
void feed_note_change(matching_candle_feed *feed, uint16_t index);
void feed_advance(matching_candle_feed *feed, uint16_t index, uint64_t time_ns);

/* candle_feed_reads.c: asks for the trades and candles that are missing, and for the time of shards
 * where a candle has ended; takes what their time says. */
void feed_read_missing(matching_candle_feed *feed);
void feed_read_clocks(matching_candle_feed *feed, uint64_t now_ns);
void feed_apply_mark(matching_candle_feed *feed, unsigned shard);

#endif
