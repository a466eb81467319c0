/* Markets: trades to candles, candles to rooms.
 *
 * The door keeps the candles of every instrument by itself, fed by the TRADE events of its port.
 * Trade ids have no gaps, so what is missing is seen: at the start, and after the door was lapped,
 * the trades since the last known one are read from the shard. Where the shard does not have them
 * any more, candles that may lack trades are not told (exact_from_ns).
 *
 * A candle is final by the clock of its shard. Once one has ended by our clock, a ticker is read:
 * the reply is not there before everything of the shard before it is durable, no later trade is
 * earlier than its time, and its events_end says which events have to have come first.
 *
 * Invariants: at the end of a turn a running candle that followers do not know as it is waits for
 * its time (batch_ms after the last telling), and the timer runs.
 */
#include <stdlib.h>
#include <string.h>

#include "door.h"

#define NS_PER_S UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)
#define MS_PER_S 1000.
#define LONGEST_WAIT_MS 1000u

/* Tags of reads: what, and of which instrument or shard. */
#define TAG_TRADES (UINT64_C(1) << 32)
#define TAG_CLOCK (UINT64_C(2) << 32)

bool sio_markets_init(sio_door *door)
{
    matching_core *core = door->server.core;
    size_t limit = matching_core_instrument_limit(core);
    door->shard_count = matching_core_shard_count(core);
    door->markets = calloc(limit, sizeof *door->markets);
    door->dirty = malloc(limit * sizeof *door->dirty);
    door->shards = calloc(door->shard_count, sizeof *door->shards);
    if (door->markets == NULL || door->dirty == NULL || door->shards == NULL) {
        return false;
    }
    for (unsigned s = 0; s < door->shard_count; s++) {
        door->shards[s].next_end_ns = UINT64_MAX;
    }
    return true;
}

void sio_markets_fini(sio_door *door)
{
    for (size_t i = 0; door->markets != NULL && i < door->market_end; i++) {
        for (unsigned interval = 0; interval < MATCHING_INTERVALS; interval++) {
            free(door->markets[i].series[interval].rooms);
            free(door->markets[i].series[interval].kept);
        }
    }
    free(door->markets);
    free(door->dirty);
    free(door->shards);
}

static void open_market(sio_door *door, size_t index)
{
    sio_market *market = &door->markets[index];
    if (market->is_open || matching_core_instrument(door->server.core, index) == NULL) {
        return;
    }
    market->is_open = true;
    matching_candles_init(&market->candles);
    market->next_trade_id = 1;
    market->wants_read = door->wants_reads = true;
    door->market_end = index < door->market_end ? door->market_end : index + 1;
}

static sio_shard *shard_of(sio_door *door, size_t index)
{
    return &door->shards[matching_core_instrument(door->server.core, index)->shard];
}

/* ---- Candles that are over ------------------------------------------------------------------- */

static bool is_exact(const sio_market *market, const matching_candle *candle)
{
    return market->exact_from_ns == 0 || candle->start_s * NS_PER_S > market->exact_from_ns;
}

static void keep(sio_series *series, const matching_candle *candle)
{
    if (series->count == series->kept_room && series->kept_room < SIO_HISTORY_KEPT &&
        series->first == 0) {
        size_t room = series->kept_room == 0 ? 8 : 2 * series->kept_room;
        room = room < SIO_HISTORY_KEPT ? room : SIO_HISTORY_KEPT;
        matching_candle *larger = realloc(series->kept, room * sizeof *larger);
        if (larger != NULL) {
            series->kept = larger;
            series->kept_room = room;
        }
    }
    if (series->kept_room == 0) {
        series->has_dropped = true; /* not even memory for the first */
        return;
    }
    if (series->count == series->kept_room) {
        series->first = (series->first + 1) % series->kept_room;
        series->count--;
        series->has_dropped = true;
    }
    series->kept[(series->first + series->count++) % series->kept_room] = *candle;
}

typedef struct sink_context {
    sio_door *door;
    uint16_t index;
} sink_context;

void sio_write_kline_data(sio_door *door, const sio_room *room, const matching_candle *candle,
                          size_t receivers)
{
    const matching_instrument *instrument =
        matching_core_instrument(door->server.core, room->instrument);
    matching_writer *text = &door->object;
    matching_writer_clear(text);
    matching_write_candle(text, instrument, candle);
    matching_writer *writer = sio_begin(door, receivers);
    sio_begin_event(writer, "kline_data");
    sio_write_kline(writer, instrument->symbol, (matching_interval)room->interval, room->label,
                    (matching_text){text->data, text->length}, matching_unix_ns() / NS_PER_MS);
    MATCHING_WRITE(writer, "]");
}

static void tell_series(sio_door *door, const sio_series *series, const matching_candle *candle)
{
    for (size_t i = 0; i < series->room_count; i++) {
        const sio_room *room = series->rooms[i];
        sio_write_kline_data(door, room, candle, room->count);
        sio_send_to_room(room, true, candle->is_final);
    }
}

static void on_final(void *context, const matching_candle *candle)
{
    const sink_context *sink = context;
    sio_market *market = &sink->door->markets[sink->index];
    sio_series *series = &market->series[candle->interval];
    if (is_exact(market, candle)) {
        keep(series, candle);
        tell_series(sink->door, series, candle);
    }
}

const matching_candle *sio_running(const sio_market *market, unsigned interval)
{
    const matching_candle *candle =
        matching_candles_running(&market->candles, (matching_interval)interval);
    return candle != NULL && is_exact(market, candle) ? candle : NULL;
}

const matching_candle *sio_last_final(const sio_market *market, unsigned interval)
{
    const sio_series *series = &market->series[interval];
    return series->count == 0
               ? NULL
               : &series->kept[(series->first + series->count - 1) % series->kept_room];
}

/* ---- Trades ---------------------------------------------------------------------------------- */

static void mark_dirty(sio_door *door, uint16_t index)
{
    if (!door->markets[index].is_dirty) {
        door->markets[index].is_dirty = true;
        door->dirty[door->dirty_count++] = index;
    }
}

static void take_trade(sio_door *door, uint16_t index, uint64_t time_ns, int64_t price_ticks,
                       int64_t quantity_lots, uint8_t side)
{
    sio_market *market = &door->markets[index];
    sio_shard *shard = shard_of(door, index);
    sink_context sink = {door, index};
    matching_candles_trade(&market->candles, time_ns, price_ticks, quantity_lots, on_final, &sink);
    market->next_trade_id++;
    market->price_ticks = price_ticks;
    market->price_time_ns = time_ns;
    market->price_side = side;
    market->is_price_due = true;
    mark_dirty(door, index);
    uint64_t end_ns = matching_candles_next_end(&market->candles);
    shard->next_end_ns = end_ns < shard->next_end_ns ? end_ns : shard->next_end_ns;
}

static void tell_addition(sio_door *door, const matching_event *event)
{
    const matching_instrument *instrument =
        matching_core_instrument(door->server.core, event->instrument);
    const sio_room *room = door->tokens;
    if (room != NULL && instrument != NULL) {
        matching_writer *writer = sio_begin(door, room->count);
        sio_begin_event(writer, "token_created");
        matching_write_token_created(writer, instrument, event->time_ns);
        MATCHING_WRITE(writer, "]");
        sio_send_to_room(room, false, false);
    }
}

void sio_on_event(void *context, unsigned shard, uint64_t position, const matching_event *event,
                  const matching_order *order)
{
    sio_door *door = context;
    (void)order;
    door->shards[shard].seen_end = position + matching_event_slots(event);
    open_market(door, event->instrument);
    if (event->kind == MATCHING_EVENT_INSTRUMENT) {
        tell_addition(door, event);
    }
    if (event->kind != MATCHING_EVENT_TRADE) {
        return;
    }
    sio_market *market = &door->markets[event->instrument];
    if (!market->is_open) {
        return; /* it is not listed yet; what it has traded is read then */
    }
    if (event->trade.trade_id == market->next_trade_id && !market->wants_read) {
        take_trade(door, event->instrument, event->time_ns, event->trade.price_ticks,
                   event->trade.quantity_lots, event->side);
    } else if (event->trade.trade_id >= market->next_trade_id) {
        market->passed_over = event->trade.trade_id;
        market->wants_read = door->wants_reads = true;
    }
}

void sio_on_lapped(void *context, unsigned shard)
{
    sio_door *door = context;
    for (size_t i = 0; i < door->market_end; i++) {
        if (door->markets[i].is_open &&
            matching_core_instrument(door->server.core, i)->shard == shard) {
            door->markets[i].wants_read = door->wants_reads = true;
        }
    }
    if (door->tokens != NULL) { /* an addition may have been among what was lost */
        for (size_t i = 0; i < door->tokens->count; i++) {
            sio_client_close(door->tokens->members[i].client, "1",
                             LWS_CLOSE_STATUS_POLICY_VIOLATION, "events were lost, connect again");
        }
    }
}

/* ---- Reads ----------------------------------------------------------------------------------- */

static matching_code submit(sio_door *door, matching_action action, size_t index, uint64_t tag,
                            uint64_t from_id)
{
    const matching_instrument *instrument = matching_core_instrument(door->server.core, index);
    matching_request request = {
        .action = action,
        .present = MATCHING_FIELD_BIT(MATCHING_FIELD_SYMBOL),
        .symbol = {instrument->symbol, strlen(instrument->symbol)},
    };
    if (action == MATCHING_ACTION_GET_TRADES) {
        request.present |=
            MATCHING_FIELD_BIT(MATCHING_FIELD_LIMIT) | MATCHING_FIELD_BIT(MATCHING_FIELD_FROM_ID);
        request.limit = MATCHING_PAGE_MAX;
        request.from_id = (int64_t)from_id;
    }
    matching_command command;
    matching_error error;
    matching_code code = matching_gateway_prepare(door->server.core, &request, &command, &error);
    if (code != MATCHING_OK) {
        return code;
    }
    command.tag = tag;
    command.received_ns = matching_monotonic_ns();
    return matching_port_submit(door->server.port, &command);
}

static void read_trades(sio_door *door)
{
    if (!door->wants_reads) {
        return;
    }
    door->wants_reads = false;
    for (size_t i = 0; i < door->market_end; i++) {
        sio_market *market = &door->markets[i];
        if (!market->wants_read || market->is_reading || market->has_failed) {
            continue;
        }
        matching_code code =
            submit(door, MATCHING_ACTION_GET_TRADES, i, TAG_TRADES | i, market->next_trade_id);
        if (code == MATCHING_OVERLOADED) {
            door->wants_reads = true; /* the next turn tries again */
            return;
        }
        market->is_reading = code == MATCHING_OK; /* else the service stops */
    }
}

static void on_trades(sio_door *door, uint16_t index, const matching_reply *reply)
{
    sio_market *market = &door->markets[index];
    market->is_reading = false;
    if (reply->code != MATCHING_OK) {
        market->has_failed = reply->code == MATCHING_INTERNAL_ERROR;
        door->wants_reads = true;
        return;
    }
    if (reply->trade_count > 0 && reply->trades[0].trade_id > market->next_trade_id) {
        market->exact_from_ns = reply->trades[0].time_ns;
        market->next_trade_id = reply->trades[0].trade_id;
        for (unsigned i = 0; i < MATCHING_INTERVALS; i++) {
            market->series[i].count = market->series[i].first = 0;
            market->series[i].has_dropped = false;
        }
    }
    for (size_t i = 0; i < reply->trade_count; i++) {
        const matching_trade *trade = &reply->trades[i];
        if (trade->trade_id == market->next_trade_id) {
            take_trade(door, index, trade->time_ns, trade->price_ticks, trade->quantity_lots,
                       trade->taker_side);
        }
    }
    market->wants_read =
        reply->trade_count == MATCHING_PAGE_MAX || market->passed_over >= market->next_trade_id;
    door->wants_reads = door->wants_reads || market->wants_read;
    if (!market->wants_read) {
        market->known_end = reply->events_end;
    }
}

/* The clocks of those shards where a candle has ended. */
static void read_clocks(sio_door *door, uint64_t now_ns)
{
    for (unsigned s = 0; s < door->shard_count; s++) {
        sio_shard *shard = &door->shards[s];
        if (shard->is_reading || shard->has_mark || now_ns < shard->next_end_ns) {
            continue;
        }
        for (size_t i = 0; i < door->market_end; i++) {
            const sio_market *market = &door->markets[i];
            if (market->is_open && !market->has_failed && shard_of(door, i) == shard) {
                shard->is_reading =
                    submit(door, MATCHING_ACTION_GET_TICKER, i, TAG_CLOCK | s, 0) == MATCHING_OK;
                break;
            }
        }
    }
}

static void on_clock(sio_door *door, unsigned s, const matching_reply *reply)
{
    sio_shard *shard = &door->shards[s];
    shard->is_reading = false;
    if (reply->code == MATCHING_OK && reply->ticker != NULL) {
        shard->has_mark = true;
        shard->mark_ns = reply->ticker->time_ns;
        shard->mark_end = reply->events_end;
    } else if (reply->code == MATCHING_INTERNAL_ERROR) {
        for (size_t i = 0; i < door->market_end; i++) {
            sio_market *market = &door->markets[i];
            market->has_failed =
                market->has_failed || (market->is_open && shard_of(door, i) == shard);
        }
        shard->next_end_ns = UINT64_MAX;
    }
}

void sio_on_reply(void *context, const matching_reply *reply)
{
    sio_door *door = context;
    uint32_t number = (uint32_t)reply->tag;
    if (reply->tag >= TAG_CLOCK) {
        on_clock(door, number, reply);
    } else {
        on_trades(door, (uint16_t)number, reply);
    }
}

/* Ends the candles of a shard that had ended when its clock was read, once all events of before
 * have come. */
static void apply_mark(sio_door *door, unsigned s)
{
    sio_shard *shard = &door->shards[s];
    uint64_t next_end_ns = UINT64_MAX;
    bool is_done = true;
    for (size_t i = 0; i < door->market_end; i++) {
        sio_market *market = &door->markets[i];
        if (!market->is_open || shard_of(door, i) != shard || market->has_failed) {
            continue;
        }
        bool knows = !market->wants_read && !market->is_reading &&
                     (shard->seen_end >= shard->mark_end || market->known_end >= shard->mark_end);
        if (knows) {
            sink_context sink = {door, (uint16_t)i};
            matching_candles_advance(&market->candles, shard->mark_ns, on_final, &sink);
        }
        is_done = is_done && knows;
        uint64_t end_ns = matching_candles_next_end(&market->candles);
        next_end_ns = end_ns < next_end_ns ? end_ns : next_end_ns;
    }
    if (is_done) {
        shard->has_mark = false;
        shard->next_end_ns = next_end_ns;
    }
}

/* ---- Telling --------------------------------------------------------------------------------- */

void sio_write_price_update(sio_door *door, uint16_t instrument, size_t receivers)
{
    const sio_market *market = &door->markets[instrument];
    matching_writer *writer = sio_begin(door, receivers);
    sio_begin_event(writer, "price_update");
    sio_write_price(writer, matching_core_instrument(door->server.core, instrument),
                    market->price_ticks, market->price_time_ns, market->price_side);
    MATCHING_WRITE(writer, "]");
}

/* When it may be told: the wait in ms, 0 now. */
static uint64_t wait_for(const sio_door *door, uint64_t told_ms)
{
    uint64_t due = told_ms + door->server.config->socketio.batch_ms;
    return told_ms == 0 || due <= door->server.now_ms ? 0 : due - door->server.now_ms;
}

/* Tells what may be told. Returns how long something else has to wait, UINT64_MAX: nothing has. */
static uint64_t tell_market(sio_door *door, uint16_t index)
{
    sio_market *market = &door->markets[index];
    uint64_t longest = UINT64_MAX;
    for (unsigned i = 0; i < MATCHING_INTERVALS; i++) {
        sio_series *series = &market->series[i];
        const matching_candle *candle = sio_running(market, i);
        if (series->room_count == 0 || candle == NULL ||
            (candle->start_s == series->told_start_s &&
             candle->update_count == series->told_count)) {
            continue;
        }
        uint64_t wait =
            candle->start_s == series->told_start_s ? wait_for(door, series->told_ms) : 0;
        if (wait > 0) {
            longest = wait < longest ? wait : longest;
            continue;
        }
        tell_series(door, series, candle);
        series->told_start_s = candle->start_s;
        series->told_count = candle->update_count;
        series->told_ms = door->server.now_ms;
    }
    if (market->is_price_due && market->price != NULL) {
        uint64_t wait = wait_for(door, market->price_told_ms);
        if (wait > 0) {
            return wait < longest ? wait : longest;
        }
        sio_write_price_update(door, index, market->price->count);
        sio_send_to_room(market->price, true, false);
        market->price_told_ms = door->server.now_ms;
    }
    market->is_price_due = false;
    return longest;
}

/* Returns the shortest wait of what cannot be told yet. */
static uint64_t tell_markets(sio_door *door)
{
    uint64_t shortest = UINT64_MAX;
    size_t kept = 0;
    for (size_t i = 0; i < door->dirty_count; i++) {
        uint16_t index = door->dirty[i];
        uint64_t wait = tell_market(door, index);
        if (wait == UINT64_MAX) {
            door->markets[index].is_dirty = false;
        } else {
            door->dirty[kept++] = index;
            shortest = wait < shortest ? wait : shortest;
        }
    }
    door->dirty_count = kept;
    return shortest;
}

/* The loop must not sleep past what comes next. */
static void set_timer(sio_door *door, uint64_t now_ns, uint64_t wait_ms)
{
    bool reads = door->server.phase == WIRE_RUNNING;
    for (unsigned s = 0; reads && s < door->shard_count; s++) {
        const sio_shard *shard = &door->shards[s];
        if (shard->next_end_ns == UINT64_MAX || shard->is_reading || shard->has_mark) {
            continue; /* events and replies bring a turn by themselves */
        }
        uint64_t left_ms =
            shard->next_end_ns > now_ns ? (shard->next_end_ns - now_ns) / NS_PER_MS + 1 : 1;
        wait_ms = left_ms < wait_ms ? left_ms : wait_ms;
    }
    ev_timer_stop(door->server.loop, &door->round);
    if (wait_ms != UINT64_MAX) {
        wait_ms = wait_ms < LONGEST_WAIT_MS ? wait_ms : LONGEST_WAIT_MS;
        ev_timer_set(&door->round, (double)wait_ms / MS_PER_S, 0.);
        ev_timer_start(door->server.loop, &door->round);
    }
}

void sio_markets_turn(sio_door *door)
{
    uint64_t now_ns = matching_unix_ns();
    for (unsigned s = 0; s < door->shard_count; s++) {
        if (door->shards[s].has_mark) {
            apply_mark(door, s);
        }
    }
    uint64_t wait_ms = tell_markets(door);
    if (door->server.phase == WIRE_RUNNING) {
        for (size_t i = door->market_end; i < matching_core_instrument_count(door->server.core);
             i++) {
            open_market(door, i);
        }
        read_trades(door);
        read_clocks(door, now_ns);
    }
    set_timer(door, now_ns, wait_ms);
}

/* ---- History --------------------------------------------------------------------------------- */

/* From when on all candles are kept that are over. */
static uint64_t known_since_s(const sio_market *market, const sio_series *series)
{
    if (series->has_dropped) {
        return series->count > 0 ? series->kept[series->first].start_s : UINT64_MAX;
    }
    return market->exact_from_ns == 0 ? 0 : market->exact_from_ns / NS_PER_S + 1;
}

sio_code sio_write_page(sio_door *door, uint16_t instrument, const sio_request *request,
                        matching_writer *writer, sio_error *error)
{
    const sio_market *market = &door->markets[instrument];
    const sio_series *series = &market->series[request->interval];
    if (market->has_failed || market->wants_read || market->is_reading) {
        return sio_error_set(error, SIO_NO_HISTORY, NULL,
                             market->has_failed ? "the journal of this instrument failed"
                                                : "trades are being read, ask again soon");
    }
    uint64_t since_s = known_since_s(market, series);
    size_t skipped = series->count > request->limit ? series->count - request->limit : 0;
    bool has_more = skipped > 0 || since_s > 0;
    if (request->has_from) {
        if (request->from_s < since_s) {
            return sio_error_set(error, SIO_NO_HISTORY, "from",
                                 "candles of so long ago are not kept");
        }
        for (skipped = 0; skipped < series->count &&
                          series->kept[(series->first + skipped) % series->kept_room].start_s <
                              request->from_s;) {
            skipped++;
        }
        has_more = series->count - skipped > request->limit;
    }
    size_t count = series->count - skipped;
    sio_write_history(writer, matching_core_instrument(door->server.core, instrument),
                      request->interval, series->kept, series->kept_room, series->first + skipped,
                      count < request->limit ? count : request->limit, has_more);
    return SIO_FINE;
}
