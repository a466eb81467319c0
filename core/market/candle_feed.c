/* Trades to candles, candles to followers. See candle_feed.h.
 *
 * A shard's clock is read by way of a ticker: the reply is not there before everything of the shard
 * before it is durable, no later trade is earlier than its time, and its events_end says which events
 * have to have come first.
 *
 * Invariants: a market's candles hold exactly the trades below next_trade_id, but for those that were
 * lost (exact_from_ns); at the end of a turn a running candle that followers do not know as it is
 * waits for its time, and turn has said how long.
 */
#include "matching/candle_feed.h"

#include <stdlib.h>
#include <string.h>

#include "market/kept_candles.h"
#include "matching/gateway.h"
#include "matching/history.h"

#define NS_PER_S UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)
#define LONGEST_WAIT_MS UINT64_C(1000)

/* Of reads: what, and of which instrument or shard. */
#define TAG_TRADES (MATCHING_CANDLE_FEED_TAGS | UINT64_C(1) << 32)
#define TAG_STATE (MATCHING_CANDLE_FEED_TAGS | UINT64_C(2) << 32)
#define TAG_CLOCK (MATCHING_CANDLE_FEED_TAGS | UINT64_C(3) << 32)
#define STATE_AGAIN_MS UINT64_C(250) /* after the store had not come so far */

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
    uint8_t followed; /* a bit for each interval */
    bool is_dirty;    /* in `dirty` */
    bool wants_read;  /* trades are missing */
    bool wants_state; /* the running candles of the store */
    bool is_reading;
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

static unsigned shard_number(const matching_candle_feed *feed, size_t index)
{
    return matching_core_instrument(feed->options.core, index)->shard;
}

/* ---- Candles --------------------------------------------------------------------------------- */

static bool is_exact(const market *m, const matching_candle *candle)
{
    return m->exact_from_ns == 0 || candle->start_s * NS_PER_S > m->exact_from_ns;
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
    return m->exact_from_ns == 0 ? 0 : m->exact_from_ns / NS_PER_S + 1;
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
static void note_change(matching_candle_feed *feed, uint16_t index)
{
    market *m = &feed->markets[index];
    shard_clock *shard = &feed->shards[shard_number(feed, index)];
    uint64_t end_ns = matching_candles_next_end(&m->candles);
    shard->next_end_ns = end_ns < shard->next_end_ns ? end_ns : shard->next_end_ns;
    if (m->followed != 0 && !m->is_dirty) {
        m->is_dirty = true;
        feed->dirty[feed->dirty_count++] = index;
    }
}

static void take_trade(matching_candle_feed *feed, uint16_t index, uint64_t time_ns,
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
    note_change(feed, index);
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
        take_trade(feed, event->instrument, event->time_ns, event->trade.price_ticks,
                   event->trade.quantity_lots, event->side);
    } else if (event->trade.trade_id >= m->next_trade_id) {
        m->passed_over = event->trade.trade_id;
        m->wants_read = feed->wants_reads = true;
    }
}

void matching_candle_feed_lapped(matching_candle_feed *feed, unsigned shard)
{
    for (size_t i = 0; i < feed->market_end; i++) {
        if (feed->markets[i].is_open && shard_number(feed, i) == shard) {
            feed->markets[i].wants_read = feed->wants_reads = true;
        }
    }
}

/* ---- Reads ----------------------------------------------------------------------------------- */

static void fail(matching_candle_feed *feed, size_t index)
{
    market *m = &feed->markets[index];
    if (m->is_open && !m->has_failed) {
        m->has_failed = true;
        if (feed->handlers.on_failed != NULL) {
            feed->handlers.on_failed(feed->context, (uint16_t)index);
        }
    }
}

/* What the gateway makes of it, for an instrument. */
static matching_code prepare(matching_candle_feed *feed, matching_action action, size_t index,
                             matching_command *command)
{
    matching_request request = {
        .action = action,
        .present = MATCHING_FIELD_BIT(MATCHING_FIELD_SYMBOL),
        .numbered = MATCHING_FIELD_BIT(MATCHING_FIELD_SYMBOL),
        .instrument = matching_core_instrument(feed->options.core, index),
    };
    matching_error error;
    if (action == MATCHING_ACTION_GET_KLINES) {
        request.present |= MATCHING_FIELD_BIT(MATCHING_FIELD_INTERVAL);
        request.interval = (matching_text){"s1", 2};
    }
    return matching_gateway_prepare(feed->options.core, &request, command, &error);
}

static matching_code submit(matching_candle_feed *feed, matching_command *command, uint64_t tag)
{
    command->tag = tag;
    command->received_ns = matching_monotonic_ns();
    return matching_port_submit(feed->options.port, command);
}

static matching_code read_state_of(matching_candle_feed *feed, size_t index)
{
    matching_command command;
    matching_code code = prepare(feed, MATCHING_ACTION_GET_KLINES, index, &command);
    if (code == MATCHING_OK) {
        command.interval = MATCHING_INTERVALS;
        code = submit(feed, &command, TAG_STATE | index);
    }
    return code;
}

/* What was missed comes from the store too, but not all that was ever traded. */
static matching_code read_trades_of(matching_candle_feed *feed, size_t index)
{
    const market *m = &feed->markets[index];
    matching_command command;
    matching_code code = prepare(feed, MATCHING_ACTION_GET_TRADES, index, &command);
    if (code == MATCHING_OK) {
        bool is_first = m->next_trade_id == 1;
        command.from_id = m->next_trade_id;
        command.limit = MATCHING_PAGE_MAX;
        command.source = is_first || m->is_alone ? MATCHING_SOURCE_MEMORY : MATCHING_SOURCE_ANY;
        code = submit(feed, &command, TAG_TRADES | index);
    }
    return code;
}

/* Asks for what is missing. */
static void read_missing(matching_candle_feed *feed)
{
    bool asks_store = feed->now_ms >= feed->state_due_ms;
    if (!feed->wants_reads && !(asks_store && feed->state_due_ms != 0)) {
        return;
    }
    feed->wants_reads = false;
    feed->state_due_ms = asks_store ? 0 : feed->state_due_ms;
    for (size_t i = 0; i < feed->market_end; i++) {
        market *m = &feed->markets[i];
        bool state = m->wants_state && asks_store;
        if (m->is_reading || m->has_failed || !(state || m->wants_read)) {
            continue;
        }
        matching_code code = state ? read_state_of(feed, i) : read_trades_of(feed, i);
        if (code == MATCHING_OVERLOADED) {
            feed->wants_reads = true; /* the next turn tries again */
            return;
        }
        m->is_reading = code == MATCHING_OK; /* else the service stops */
    }
}

/* Trouble of the history is none of the shard's. True: it is the shard that answers no more. */
static bool is_failure(const matching_reply *reply)
{
    return reply->code == MATCHING_INTERNAL_ERROR && reply->history == MATCHING_HISTORY_FINE;
}

/* Goes on where the store is. It may be behind what was taken from memory already, but knows the
 * trades of before that. */
static void resume(matching_candle_feed *feed, uint16_t index, const matching_reply *reply)
{
    market *m = &feed->markets[index];
    matching_candles candles;
    if (m->next_trade_id > 1 && m->exact_from_ns == 0) {
        return; /* nothing was missing */
    }
    if (reply->last_trade_id == 0 ||
        !matching_candles_resume(&candles, reply->time_ns, reply->candles, reply->candle_count)) {
        return;
    }
    m->candles = candles;
    m->exact_from_ns = 0;
    m->next_trade_id = reply->last_trade_id + 1;
    m->wants_read = true;
    for (unsigned i = 0; i < MATCHING_INTERVALS; i++) {
        m->kept[i].has_dropped = true; /* final ones of before are in the store */
    }
    note_change(feed, index);
}

static void on_state(matching_candle_feed *feed, uint16_t index, const matching_reply *reply)
{
    market *m = &feed->markets[index];
    m->is_reading = false;
    feed->wants_reads = true;
    if (is_failure(reply)) {
        fail(feed, index);
    } else if (reply->code == MATCHING_OK) {
        m->wants_state = false;
        resume(feed, index, reply);
    } else if (reply->history == MATCHING_HISTORY_FAILED) {
        m->wants_state = false;
        m->is_alone = true;
    } else {
        feed->state_due_ms = feed->now_ms + STATE_AGAIN_MS;
    }
}

/* Trades before this one are lost: what is kept is not all any more. */
static void begin_after_gap(market *m, const matching_trade *trade)
{
    m->exact_from_ns = trade->time_ns;
    m->next_trade_id = trade->trade_id;
    for (unsigned i = 0; i < MATCHING_INTERVALS; i++) {
        kept_candles_clear(&m->kept[i]);
    }
}

static void on_trades(matching_candle_feed *feed, uint16_t index, const matching_reply *reply)
{
    market *m = &feed->markets[index];
    m->is_reading = false;
    if (reply->code != MATCHING_OK) {
        feed->wants_reads = true;
        m->is_alone = reply->history != MATCHING_HISTORY_FINE;
        if (is_failure(reply)) {
            fail(feed, index);
        }
        return;
    }
    m->is_alone = false;
    if (reply->trade_count > 0 && reply->trades[0].trade_id > m->next_trade_id) {
        begin_after_gap(m, &reply->trades[0]);
    }
    for (size_t i = 0; i < reply->trade_count; i++) {
        const matching_trade *trade = &reply->trades[i];
        if (trade->trade_id == m->next_trade_id) {
            take_trade(feed, index, trade->time_ns, trade->price_ticks, trade->quantity_lots,
                       trade->taker_side);
        }
    }
    m->wants_read = reply->trade_count == MATCHING_PAGE_MAX || m->passed_over >= m->next_trade_id;
    feed->wants_reads = feed->wants_reads || m->wants_read;
    if (!m->wants_read) {
        m->known_end = reply->events_end;
    }
}

/* The clocks of those shards where a candle has ended. */
static void read_clocks(matching_candle_feed *feed, uint64_t now_ns)
{
    for (unsigned s = 0; s < feed->shard_count; s++) {
        shard_clock *shard = &feed->shards[s];
        if (shard->is_reading || shard->has_mark || now_ns < shard->next_end_ns) {
            continue;
        }
        for (size_t i = 0; i < feed->market_end; i++) {
            const market *m = &feed->markets[i];
            matching_command command;
            if (m->is_open && !m->has_failed && shard_number(feed, i) == s) {
                shard->is_reading =
                    prepare(feed, MATCHING_ACTION_GET_TICKER, i, &command) == MATCHING_OK &&
                    submit(feed, &command, TAG_CLOCK | s) == MATCHING_OK;
                break;
            }
        }
    }
}

static void on_clock(matching_candle_feed *feed, unsigned s, const matching_reply *reply)
{
    shard_clock *shard = &feed->shards[s];
    shard->is_reading = false;
    if (reply->code == MATCHING_OK && reply->ticker != NULL) {
        shard->has_mark = true;
        shard->mark_ns = reply->ticker->time_ns;
        shard->mark_end = reply->events_end;
    } else if (reply->code == MATCHING_INTERNAL_ERROR) {
        shard->next_end_ns = UINT64_MAX;
        for (size_t i = 0; i < feed->market_end; i++) {
            if (feed->markets[i].is_open && shard_number(feed, i) == s) {
                fail(feed, i);
            }
        }
    }
}

bool matching_candle_feed_reply(matching_candle_feed *feed, const matching_reply *reply)
{
    if (reply->tag < MATCHING_CANDLE_FEED_TAGS || reply->tag >= 2 * MATCHING_CANDLE_FEED_TAGS) {
        return false;
    }
    uint32_t number = (uint32_t)reply->tag;
    if (reply->tag >= TAG_CLOCK) {
        on_clock(feed, number, reply);
    } else if (reply->tag >= TAG_STATE) {
        on_state(feed, (uint16_t)number, reply);
    } else {
        on_trades(feed, (uint16_t)number, reply);
    }
    return true;
}

/* Ends the candles of a shard that had ended when its clock was read, once all events of before
 * have come. */
static void apply_mark(matching_candle_feed *feed, unsigned s)
{
    shard_clock *shard = &feed->shards[s];
    uint64_t next_end_ns = UINT64_MAX;
    bool is_done = true;
    for (size_t i = 0; i < feed->market_end; i++) {
        market *m = &feed->markets[i];
        if (!m->is_open || m->has_failed || shard_number(feed, i) != s) {
            continue;
        }
        bool knows = !m->wants_read && !m->is_reading &&
                     (shard->seen_end >= shard->mark_end || m->known_end >= shard->mark_end);
        if (knows) {
            sink_context sink = {feed, (uint16_t)i};
            matching_candles_advance(&m->candles, shard->mark_ns, on_final, &sink);
        }
        is_done = is_done && knows;
        uint64_t end_ns = matching_candles_next_end(&m->candles);
        next_end_ns = end_ns < next_end_ns ? end_ns : next_end_ns;
    }
    if (is_done) {
        shard->has_mark = false;
        shard->next_end_ns = next_end_ns;
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

uint64_t matching_candle_feed_turn(matching_candle_feed *feed, uint64_t now_ms, bool reads)
{
    uint64_t now_ns = matching_unix_ns();
    feed->now_ms = now_ms;
    for (unsigned s = 0; s < feed->shard_count; s++) {
        if (feed->shards[s].has_mark) {
            apply_mark(feed, s);
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
    read_missing(feed);
    read_clocks(feed, now_ns);
    if (feed->state_due_ms != 0) {
        uint64_t left_ms = feed->state_due_ms > now_ms ? feed->state_due_ms - now_ms : 1;
        wait_ms = left_ms < wait_ms ? left_ms : wait_ms;
    }
    return wait_for_ends(feed, now_ns, wait_ms);
}
