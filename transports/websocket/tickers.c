/* The channel `ticker`: read from the shard, never worked out here.
 *
 * An event that may change a ticker which somebody follows only marks it. Marked ones are read in
 * rounds, at most one each WS_TICKER_INTERVAL_MS, and told if the answer differs from the last one.
 * So however much goes on, a follower gets one message an interval, the shard has one read of an
 * instrument to answer (which in an auction walks the crossed levels), and nothing piles up.
 *
 * Invariants: the instruments in feeds->tickers are those that are marked, each once; a new
 * follower is answered by a read that began after it subscribed, whatever round it is.
 */
#include <assert.h>

#include "door.h"
#include "reply.h"

#define NS_PER_MINUTE UINT64_C(60000000000)
#define MS_PER_S 1000.

void ws_ticker_changed(ws_feeds *feeds, uint16_t instrument)
{
    ws_market *market = &feeds->markets[instrument];
    if (market->feeds[WS_TICKER].count > 0 && !market->ticker.is_waiting &&
        !market->view.has_failed) {
        market->ticker.is_waiting = true;
        feeds->tickers[feeds->ticker_count++] = instrument;
    }
}

void ws_ticker_followed(ws_feeds *feeds, ws_subscription *subscription)
{
    ws_ticker *ticker = &feeds->markets[subscription->instrument].ticker;
    subscription->first_read = ticker->reads_begun + 1;
    ws_ticker_changed(feeds, subscription->instrument);
    ticker->is_urgent = true;
    feeds->has_urgent_ticker = true;
}

/* True: it need not wait any longer. */
static bool begin_read(ws_door *door, uint16_t instrument)
{
    const ws_market *market = &door->feeds.markets[instrument];
    ws_ticker *ticker = &door->feeds.markets[instrument].ticker;
    bool is_followed = market->feeds[WS_TICKER].count > 0 && !market->view.has_failed;
    if (is_followed && ticker->reads_begun != ticker->reads_done) {
        return false;
    }
    if (is_followed) {
        matching_code code =
            ws_read_market(door, MATCHING_ACTION_GET_TICKER, WS_PENDING_TICKER, instrument);
        if (code == MATCHING_OVERLOADED) {
            return false;
        }
        ticker->reads_begun += code == MATCHING_OK; /* else the service stops */
    }
    ticker->is_waiting = false;
    ticker->is_urgent = false;
    return true;
}

/* The loop must not sleep through the next round. */
static void await_round(ws_door *door)
{
    uint64_t due = door->feeds.round_due_ms;
    if (door->feeds.ticker_count > 0 && !ev_is_active(&door->round)) {
        uint64_t wait_ms = due > door->server.now_ms ? due - door->server.now_ms : 1;
        ev_timer_set(&door->round, (double)wait_ms / MS_PER_S, 0.);
        ev_timer_start(door->server.loop, &door->round);
    }
}

void ws_tickers_read(ws_door *door)
{
    ws_feeds *feeds = &door->feeds;
    bool is_due = door->server.now_ms >= feeds->round_due_ms;
    if (feeds->ticker_count > 0 && (is_due || feeds->has_urgent_ticker)) {
        size_t kept = 0;
        feeds->has_urgent_ticker = false;
        for (size_t i = 0; i < feeds->ticker_count; i++) {
            uint16_t instrument = feeds->tickers[i];
            const ws_ticker *ticker = &feeds->markets[instrument].ticker;
            if ((is_due || ticker->is_urgent) && begin_read(door, instrument)) {
                continue;
            }
            feeds->tickers[kept++] = instrument;
            feeds->has_urgent_ticker = feeds->has_urgent_ticker || ticker->is_urgent;
        }
        feeds->ticker_count = kept;
        if (is_due) {
            feeds->round_due_ms = door->server.now_ms + WS_TICKER_INTERVAL_MS;
        }
    }
    await_round(door);
}

static bool is_same(const matching_ticker *a, const matching_ticker *b)
{
    return a->last_ticks == b->last_ticks && a->open_ticks == b->open_ticks &&
           a->high_ticks == b->high_ticks && a->low_ticks == b->low_ticks &&
           a->volume_lots == b->volume_lots && a->count == b->count &&
           a->turnover.words[0] == b->turnover.words[0] &&
           a->turnover.words[1] == b->turnover.words[1] &&
           a->turnover.words[2] == b->turnover.words[2] && a->bid_ticks == b->bid_ticks &&
           a->ask_ticks == b->ask_ticks && a->indicative_ticks == b->indicative_ticks &&
           a->indicative_lots == b->indicative_lots;
}

void ws_ticker_answered(ws_door *door, uint16_t instrument, const matching_reply *reply)
{
    ws_market *market = &door->feeds.markets[instrument];
    ws_ticker *ticker = &market->ticker;
    const ws_feed *feed = &market->feeds[WS_TICKER];
    if (reply->code == MATCHING_INTERNAL_ERROR) {
        ticker->reads_begun--; /* as if it had never been asked for */
        ws_market_failed(door, instrument);
        return;
    }
    assert(reply->code == MATCHING_OK && reply->ticker != NULL);
    bool changed = !is_same(&ticker->told, reply->ticker);
    ticker->told = *reply->ticker;
    ticker->reads_done++;
    if (changed && feed->count > 0) {
        matching_span span;
        wire_broadcast_begin(&span);
        ws_write_ticker(wire_begin_shared(&door->server, feed->count), door->server.core,
                        instrument, &ticker->told);
        ws_broadcast_end(door, &span, WS_TICKER, instrument, ws_send_to_followers(feed));
    }
    for (size_t i = 0; i < feed->count; i++) {
        const ws_connection *connection = feed->list[i].connection;
        if (connection->subscriptions[feed->list[i].index].is_stale) {
            wire_mark_dirty(&feed->list[i].connection->peer); /* may be owed a first one */
        }
    }
}

void ws_tickers_second(ws_door *door)
{
    ws_feeds *feeds = &door->feeds;
    uint64_t minute = matching_unix_ns() / NS_PER_MINUTE;
    if (minute == feeds->ticker_minute) {
        return;
    }
    feeds->ticker_minute = minute;
    for (size_t i = 0; i < feeds->market_end; i++) {
        if (feeds->markets[i].ticker.told.count > 0) {
            ws_ticker_changed(feeds, (uint16_t)i);
        }
    }
}
