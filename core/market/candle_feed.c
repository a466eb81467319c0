/* Trades to candles, candles to followers. See candle_feed.h.
 *
 * Invariants: a market's candles hold exactly the trades below next_trade_id, but for those that
 * were lost (exact_from_ns); at the end of a turn a running candle that followers do not know as it
 * is waits for its time, and turn has said how long. What is read, and when, is in
 * candle_feed_reads.c.
 */
#include <stdlib.h>
#include <string.h>

#include "market/candle_feed_internal.h"
#include "matching/history.h"

#define NS_PER_MS UINT64_C(1000000)
#define LONGEST_WAIT_MS UINT64_C(1000)

matching_candle_feed *matching_candle_feed_create(const matching_candle_feed_options *options,
                                                  const matching_candle_feed_handlers *handlers,
                                                  void *context)
{
    matching_candle_feed *feed = calloc(1, sizeof *feed);
    if (feed == NULL) {
        return NULL;
    }
    size_t limit = matching_core_instrument_limit(options->core);
    feed->options = *options;
    feed->handlers = *handlers;
    feed->context = context;
    feed->shard_count = matching_core_shard_count(options->core);
    feed->markets = calloc(limit, sizeof *feed->markets);
    feed->dirty = malloc(limit * sizeof *feed->dirty);
    feed->shards = calloc(feed->shard_count, sizeof *feed->shards);
    if (feed->markets == NULL || feed->dirty == NULL || feed->shards == NULL) {
        matching_candle_feed_destroy(feed);
        return NULL;
    }
    for (unsigned s = 0; s < feed->shard_count; s++) {
        feed->shards[s].next_end_ns = UINT64_MAX;
    }
    return feed;
}

void matching_candle_feed_destroy(matching_candle_feed *feed)
{
    if (feed == NULL) {
        return;
    }
    for (size_t i = 0; i < feed->market_end; i++) {
        for (unsigned interval = 0; interval < MATCHING_INTERVALS; interval++) {
            kept_candles_fini(&feed->markets[i].kept[interval]);
        }
    }
    free(feed->markets);
    free(feed->dirty);
    free(feed->shards);
    free(feed);
}

static void open_market(matching_candle_feed *feed, size_t index)
{
    market *m = &feed->markets[index];
    if (m->is_open || matching_core_instrument(feed->options.core, index) == NULL) {
        return;
    }
    m->is_open = true;
    matching_candles_init(&m->candles);
    m->next_trade_id = 1;
    m->wants_read = feed->wants_reads = true;
    m->wants_state = matching_core_has_history(feed->options.core);
    feed->market_end = index < feed->market_end ? feed->market_end : index + 1;
}

unsigned feed_shard_of(const matching_candle_feed *feed, size_t index)
{
    return matching_core_instrument(feed->options.core, index)->shard;
}

/* ---- Candles --------------------------------------------------------------------------------- */

static bool is_exact(const market *m, const matching_candle *candle)
{
    return m->exact_from_ns == 0 || candle->start_s * FEED_NS_PER_S > m->exact_from_ns;
}

typedef struct sink_context {
    matching_candle_feed *feed;
    uint16_t index;
} sink_context;

static void on_final(void *context, const matching_candle *candle)
{
    const sink_context *sink = context;
    matching_candle_feed *feed = sink->feed;
    market *m = &feed->markets[sink->index];
    const kept_candles *kept = &m->kept[candle->interval];
    if (!is_exact(m, candle) ||
        (kept->count > 0 && kept_candles_at(kept, kept->count - 1)->start_s >= candle->start_s)) {
        return; /* the second: trades were counted anew, and it has been told */
    }
    kept_candles_add(&m->kept[candle->interval], candle, feed->options.kept);
    if ((m->followed & 1u << candle->interval) != 0) {
        feed->handlers.on_candle(feed->context, sink->index, candle);
    }
}

const matching_candle *matching_candle_feed_running(const matching_candle_feed *feed,
                                                    uint16_t instrument, matching_interval interval)
{
    const market *m = &feed->markets[instrument];
    const matching_candle *candle =
        m->is_open ? matching_candles_running(&m->candles, interval) : NULL;
    return candle != NULL && is_exact(m, candle) ? candle : NULL;
}

size_t matching_candle_feed_kept(const matching_candle_feed *feed, uint16_t instrument,
                                 matching_interval interval)
{
    return feed->markets[instrument].kept[interval].count;
}

const matching_candle *matching_candle_feed_final(const matching_candle_feed *feed,
                                                  uint16_t instrument, matching_interval interval,
                                                  size_t number)
{
    return kept_candles_at(&feed->markets[instrument].kept[interval], number);
}

size_t matching_candle_feed_find(const matching_candle_feed *feed, uint16_t instrument,
                                 matching_interval interval, uint64_t start_s)
{
    return kept_candles_find(&feed->markets[instrument].kept[interval], start_s);
}

uint64_t matching_candle_feed_kept_since_s(const matching_candle_feed *feed, uint16_t instrument,
                                           matching_interval interval)
{
    const market *m = &feed->markets[instrument];
    const kept_candles *kept = &m->kept[interval];
    if (kept->has_dropped) {
        return kept->count > 0 ? kept_candles_at(kept, 0)->start_s : UINT64_MAX;
    }
    return m->exact_from_ns == 0 ? 0 : m->exact_from_ns / FEED_NS_PER_S + 1;
}

bool matching_candle_feed_is_behind(const matching_candle_feed *feed, uint16_t instrument)
{
    const market *m = &feed->markets[instrument];
    return !m->is_open || m->wants_read || m->is_reading;
}

bool matching_candle_feed_has_failed(const matching_candle_feed *feed, uint16_t instrument)
{
    return feed->markets[instrument].has_failed;
}

void matching_candle_feed_follow(matching_candle_feed *feed, uint16_t instrument,
                                 matching_interval interval, bool is_followed)
{
    market *m = &feed->markets[instrument];
    unsigned bit = 1u << interval;
    m->followed = (uint8_t)(is_followed ? m->followed | bit : m->followed & ~bit);
}

/* ---- Trades ---------------------------------------------------------------------------------- */

/* The candles are others than they were: somebody may have to be told, and when they end. */
void feed_note_change(matching_candle_feed *feed, uint16_t index)
{
    market *m = &feed->markets[index];
    shard_clock *shard = &feed->shards[feed_shard_of(feed, index)];
    uint64_t end_ns = matching_candles_next_end(&m->candles);
    shard->next_end_ns = end_ns < shard->next_end_ns ? end_ns : shard->next_end_ns;
    if (m->followed != 0 && !m->is_dirty) {
        m->is_dirty = true;
        feed->dirty[feed->dirty_count++] = index;
    }
}

void feed_take_trade(matching_candle_feed *feed, uint16_t index, uint64_t time_ns,
                     int64_t price_ticks, int64_t quantity_lots, uint8_t side)
{
    market *m = &feed->markets[index];
    sink_context sink = {feed, index};
    matching_candles_trade(&m->candles, time_ns, price_ticks, quantity_lots, on_final, &sink);
    bool is_new = m->next_trade_id++ > m->told_trade_id;
    if (is_new && feed->handlers.on_trade != NULL) {
        m->told_trade_id = m->next_trade_id - 1;
        feed->handlers.on_trade(feed->context, index, time_ns, price_ticks, side);
    }
    feed_note_change(feed, index);
}

void feed_advance(matching_candle_feed *feed, uint16_t index, uint64_t time_ns)
{
    sink_context sink = {feed, index};
    matching_candles_advance(&feed->markets[index].candles, time_ns, on_final, &sink);
}

void matching_candle_feed_event(matching_candle_feed *feed, unsigned shard, uint64_t position,
                                const matching_event *event)
{
    market *m = &feed->markets[event->instrument];
    feed->shards[shard].seen_end = position + matching_event_slots(event);
    if (!m->is_open) {
        open_market(feed, event->instrument);
    }
    if (event->kind != MATCHING_EVENT_TRADE || !m->is_open) {
        return; /* not listed yet: what it has traded is read once it is */
    }
    if (event->trade.trade_id == m->next_trade_id && !m->wants_read) {
        feed_take_trade(feed, event->instrument, event->time_ns, event->trade.price_ticks,
                        event->trade.quantity_lots, event->side);
    } else if (event->trade.trade_id >= m->next_trade_id) {
        m->passed_over = event->trade.trade_id;
        m->wants_read = feed->wants_reads = true;
    }
}

void matching_candle_feed_lapped(matching_candle_feed *feed, unsigned shard)
{
    for (size_t i = 0; i < feed->market_end; i++) {
        if (feed->markets[i].is_open && feed_shard_of(feed, i) == shard) {
            feed->markets[i].wants_read = feed->wants_reads = true;
        }
    }
}

/* ---- Telling --------------------------------------------------------------------------------- */

/* How long a candle has to wait before followers may be told of it. */
static uint64_t wait_of(const matching_candle_feed *feed, const told *last,
                        const matching_candle *candle, uint64_t now_ms)
{
    uint64_t due_ms = last->at_ms + feed->options.batch_ms;
    bool is_new = last->at_ms == 0 || candle->start_s != last->start_s;
    return is_new || due_ms <= now_ms ? 0 : due_ms - now_ms;
}

/* Tells what may be told. Returns how long something else has to wait, UINT64_MAX: nothing has. */
static uint64_t tell_market(matching_candle_feed *feed, uint16_t index, uint64_t now_ms)
{
    market *m = &feed->markets[index];
    uint64_t shortest = UINT64_MAX;
    for (unsigned i = 0; i < MATCHING_INTERVALS; i++) {
        told *last = &m->told[i];
        const matching_candle *candle =
            (m->followed & 1u << i) != 0
                ? matching_candle_feed_running(feed, index, (matching_interval)i)
                : NULL;
        if (candle == NULL ||
            (candle->start_s == last->start_s && candle->update_count == last->count)) {
            continue;
        }
        uint64_t wait_ms = wait_of(feed, last, candle, now_ms);
        if (wait_ms > 0) {
            shortest = wait_ms < shortest ? wait_ms : shortest;
            continue;
        }
        *last = (told){candle->start_s, candle->update_count, now_ms};
        feed->handlers.on_candle(feed->context, index, candle);
    }
    return shortest;
}

/* Returns the shortest wait of what cannot be told yet. */
static uint64_t tell_markets(matching_candle_feed *feed, uint64_t now_ms)
{
    uint64_t shortest = UINT64_MAX;
    size_t kept = 0;
    for (size_t i = 0; i < feed->dirty_count; i++) {
        uint16_t index = feed->dirty[i];
        uint64_t wait_ms = tell_market(feed, index, now_ms);
        if (wait_ms == UINT64_MAX) {
            feed->markets[index].is_dirty = false;
        } else {
            feed->dirty[kept++] = index;
            shortest = wait_ms < shortest ? wait_ms : shortest;
        }
    }
    feed->dirty_count = kept;
    return shortest;
}

/* The loop must not sleep past the end of a candle. */
static uint64_t wait_for_ends(const matching_candle_feed *feed, uint64_t now_ns, uint64_t wait_ms)
{
    for (unsigned s = 0; s < feed->shard_count; s++) {
        const shard_clock *shard = &feed->shards[s];
        if (shard->next_end_ns == UINT64_MAX || shard->is_reading || shard->has_mark) {
            continue; /* events and replies bring a turn by themselves */
        }
        uint64_t left_ms =
            shard->next_end_ns > now_ns ? (shard->next_end_ns - now_ns) / NS_PER_MS + 1 : 1;
        wait_ms = left_ms < wait_ms ? left_ms : wait_ms;
    }
    return wait_ms == UINT64_MAX || wait_ms < LONGEST_WAIT_MS ? wait_ms : LONGEST_WAIT_MS;
}

uint64_t matching_candle_feed_turn(matching_candle_feed *feed, uint64_t now_ms, uint64_t unix_ns,
                                   bool reads)
{
    feed->now_ms = now_ms;
    for (unsigned s = 0; s < feed->shard_count; s++) {
        if (feed->shards[s].has_mark) {
            feed_apply_mark(feed, s);
        }
    }
    uint64_t wait_ms = tell_markets(feed, now_ms);
    if (!reads) {
        return wait_ms;
    }
    size_t count = matching_core_instrument_count(feed->options.core);
    for (size_t i = feed->market_end; i < count; i++) {
        open_market(feed, i);
    }
    feed_read_missing(feed);
    feed_read_clocks(feed, unix_ns);
    if (feed->state_due_ms != 0) {
        uint64_t left_ms = feed->state_due_ms > now_ms ? feed->state_due_ms - now_ms : 1;
        wait_ms = left_ms < wait_ms ? left_ms : wait_ms;
    }
    return wait_for_ends(feed, unix_ns, wait_ms);
}
