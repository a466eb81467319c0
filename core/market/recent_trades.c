/* A ring of the last trades. trade_id is the position, so a range is found without a search. */
#include "market/recent_trades.h"

matching_trade *recent_trades_add(recent_trades *recent)
{
    recent->last_id++;
    return &recent->trades[recent->last_id % recent->capacity];
}

void recent_trades_begin(recent_trades *recent, uint64_t last_id)
{
    recent->last_id = recent->lost_id = last_id;
}

uint64_t recent_trades_oldest(const recent_trades *recent)
{
    uint64_t first = recent->lost_id + 1;
    uint64_t kept =
        recent->last_id >= recent->capacity ? recent->last_id - recent->capacity + 1 : 1;
    return kept > first ? kept : first;
}

size_t recent_trades_read(const recent_trades *recent, uint64_t from_id, uint64_t before_id,
                          size_t limit, matching_trade *out)
{
    uint64_t oldest = recent_trades_oldest(recent);
    uint64_t end = recent->last_id + 1;
    if (before_id != 0 && before_id < end) {
        end = before_id;
    }
    uint64_t begin = from_id != 0 ? from_id : end > limit ? end - limit : 1;
    begin = begin < oldest ? oldest : begin;
    size_t count = 0;
    for (uint64_t id = begin; id < end && count < limit; id++) {
        out[count++] = recent->trades[id % recent->capacity];
    }
    return count;
}
