/* The last trades of one instrument, kept by its shard's thread. */
#ifndef MATCHING_RECENT_TRADES_H
#define MATCHING_RECENT_TRADES_H

#include "matching/port.h"

typedef struct recent_trades {
    matching_trade *trades; /* a ring of `capacity`, trade_id t at t % capacity; owner's memory */
    uint64_t capacity;
    uint64_t last_id; /* trade ids come without gaps; 0: none yet */
    uint64_t lost_id; /* trades up to it were never put here; 0: none were left out */
} recent_trades;

/* Room for the next trade; the caller fills it in, with trade_id = last_id. */
matching_trade *recent_trades_add(recent_trades *recent);

/* The next trade is the one after last_id; of those before it there will be none. For a ring that
 * has no trades yet. */
void recent_trades_begin(recent_trades *recent, uint64_t last_id);

/* The id of the oldest trade that is there; above last_id: there is none. */
uint64_t recent_trades_oldest(const recent_trades *recent);

/* Copies up to limit trades, oldest first. Without ids the newest ones; from_id: from there on;
 * before_id: the ones just below it; both: from from_id on, below before_id. Returns how many. */
size_t recent_trades_read(const recent_trades *recent, uint64_t from_id, uint64_t before_id,
                          size_t limit, matching_trade *out);

#endif
