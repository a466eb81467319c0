/* What the feed asks its port for: the candles of the store, trades that are missing, and the time.
 *
 * A shard's clock is read by way of a ticker: the reply is not there before everything of the shard
 * before it is durable, no later trade is earlier than its time, and its events_end says which
 * events have to have come first.
 *
 * Invariant: of an instrument at most one read of trades is under way, one of the store's candles,
 * and of a shard one of its clock. Nothing waits for the store.
 */
#include "market/candle_feed_internal.h"
#include "matching/gateway.h"
#include "matching/history.h"

/* Of reads: what, and of which instrument or shard. */
#define TAG_TRADES (MATCHING_CANDLE_FEED_TAGS | UINT64_C(1) << 32)
#define TAG_STATE (MATCHING_CANDLE_FEED_TAGS | UINT64_C(2) << 32)
#define TAG_CLOCK (MATCHING_CANDLE_FEED_TAGS | UINT64_C(3) << 32)
#define STATE_AGAIN_MS UINT64_C(250) /* after the store had not come so far */

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
void feed_read_missing(matching_candle_feed *feed)
{
    bool asks_store = feed->now_ms >= feed->state_due_ms;
    if (!feed->wants_reads && !(asks_store && feed->state_due_ms != 0)) {
        return;
    }
    feed->wants_reads = false;
    feed->state_due_ms = asks_store ? 0 : feed->state_due_ms;
    for (size_t i = 0; i < feed->market_end; i++) {
        market *m = &feed->markets[i];
        bool knows = !m->wants_read && !m->is_reading;
        m->wants_state = m->wants_state && !(knows && m->exact_from_ns == 0); /* memory had all */
        bool state = m->wants_state && knows && asks_store && !m->is_asking;
        if (m->is_reading || m->has_failed || !(state || m->wants_read)) {
            continue;
        }
        matching_code code = state ? read_state_of(feed, i) : read_trades_of(feed, i);
        if (code == MATCHING_OVERLOADED) {
            feed->wants_reads = true; /* the next turn tries again */
            return;
        }
        *(state ? &m->is_asking : &m->is_reading) = code == MATCHING_OK; /* else it stops */
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
    m->exact_from_ns = reply->exact_from_s > 0 ? reply->exact_from_s * FEED_NS_PER_S - 1 : 0;
    m->next_trade_id = reply->last_trade_id + 1;
    m->wants_read = true;
    for (unsigned i = 0; i < MATCHING_INTERVALS; i++) {
        m->kept[i].has_dropped = true; /* final ones of before are in the store */
    }
    feed_note_change(feed, index);
}

static void on_state(matching_candle_feed *feed, uint16_t index, const matching_reply *reply)
{
    market *m = &feed->markets[index];
    m->is_asking = false;
    feed->wants_reads = true;
    if (is_failure(reply)) {
        fail(feed, index);
    } else if (reply->code == MATCHING_OK && !m->is_reading) {
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
            feed_take_trade(feed, index, trade->time_ns, trade->price_ticks, trade->quantity_lots,
                            trade->taker_side);
        }
    }
    m->wants_read = reply->trade_count == MATCHING_PAGE_MAX || m->passed_over >= m->next_trade_id;
    feed->wants_reads = feed->wants_reads || m->wants_read || m->wants_state;
    if (!m->wants_read) {
        m->known_end = reply->events_end;
    }
}

/* The clocks of those shards where a candle has ended. */
void feed_read_clocks(matching_candle_feed *feed, uint64_t now_ns)
{
    for (unsigned s = 0; s < feed->shard_count; s++) {
        shard_clock *shard = &feed->shards[s];
        if (shard->is_reading || shard->has_mark || now_ns < shard->next_end_ns) {
            continue;
        }
        for (size_t i = 0; i < feed->market_end; i++) {
            const market *m = &feed->markets[i];
            matching_command command;
            if (m->is_open && !m->has_failed && feed_shard_of(feed, i) == s) {
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
            if (feed->markets[i].is_open && feed_shard_of(feed, i) == s) {
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
void feed_apply_mark(matching_candle_feed *feed, unsigned s)
{
    shard_clock *shard = &feed->shards[s];
    uint64_t next_end_ns = UINT64_MAX;
    bool is_done = true;
    for (size_t i = 0; i < feed->market_end; i++) {
        market *m = &feed->markets[i];
        if (!m->is_open || m->has_failed || feed_shard_of(feed, i) != s) {
            continue;
        }
        bool knows = !m->wants_read && !m->is_reading &&
                     (shard->seen_end >= shard->mark_end || m->known_end >= shard->mark_end);
        if (knows) {
            feed_advance(feed, (uint16_t)i, shard->mark_ns);
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
