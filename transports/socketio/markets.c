/* Markets: candles to rooms, trades to prices.
 *
 * Candles are matching/candle_feed.h's. One is written once for all who follow it; rooms, one for
 * each subscriptionId, copy what stands before and behind that. Prices are told at the pace of
 * running candles.
 *
 * Invariants: at the end of a turn a price that followers do not know waits for its time (batch_ms
 * after the last telling), and the timer runs.
 */
#include <stdlib.h>
#include <string.h>

#include "door.h"
#include "matching/history.h"

#define NS_PER_MS UINT64_C(1000000)
#define MS_PER_S 1000.

static void on_candle(void *context, uint16_t instrument, const matching_candle *candle);
static void on_trade(void *context, uint16_t instrument, uint64_t time_ns, int64_t price_ticks,
                     uint8_t taker_side);

bool sio_markets_init(sio_door *door)
{
    static const matching_candle_feed_handlers handlers = {.on_candle = on_candle,
                                                           .on_trade = on_trade};
    matching_core *core = door->server.core;
    const matching_candle_feed_options options = {
        .core = core,
        .port = door->server.port,
        .batch_ms = door->server.config->socketio.batch_ms,
        .kept = matching_core_has_history(core) ? 1 : SIO_HISTORY_KEPT,
    };
    size_t limit = matching_core_instrument_limit(core);
    door->markets = calloc(limit, sizeof *door->markets);
    door->prices = malloc(limit * sizeof *door->prices);
    door->candles = matching_candle_feed_create(&options, &handlers, door);
    return door->markets != NULL && door->prices != NULL && door->candles != NULL;
}

void sio_markets_fini(sio_door *door)
{
    size_t limit = matching_core_instrument_limit(door->server.core);
    for (size_t i = 0; door->markets != NULL && i < limit; i++) {
        for (unsigned interval = 0; interval < MATCHING_INTERVALS; interval++) {
            free(door->markets[i].series[interval].rooms);
        }
    }
    matching_candle_feed_destroy(door->candles);
    free(door->markets);
    free(door->prices);
}

/* ---- Candles --------------------------------------------------------------------------------- */

/* The message of a candle but for the subscriptionId, the same for all rooms of its series: in the
 * door's `object`. Returns where the subscriptionId belongs. */
static size_t make_candle(sio_door *door, uint16_t index, const matching_candle *candle)
{
    const matching_instrument *instrument = matching_core_instrument(door->server.core, index);
    matching_writer *text = &door->object;
    matching_writer_clear(text);
    sio_begin_event(text, "kline_data");
    sio_begin_kline(text, instrument->symbol, (matching_interval)candle->interval);
    size_t place = text->length;
    sio_end_kline(text, instrument, candle, matching_unix_ns() / NS_PER_MS);
    MATCHING_WRITE(text, "]");
    return place;
}

static void write_for_room(sio_door *door, const sio_room *room, size_t place, size_t receivers)
{
    const matching_writer *text = &door->object;
    matching_writer *writer = sio_begin(door, receivers);
    if (text->failed) {
        writer->failed = true;
        return;
    }
    matching_write(writer, text->data, place);
    sio_write_label(writer, room->label);
    matching_write(writer, text->data + place, text->length - place);
}

void sio_write_kline_data(sio_door *door, const sio_room *room, const matching_candle *candle,
                          size_t receivers)
{
    write_for_room(door, room, make_candle(door, room->instrument, candle), receivers);
}

static void end_broadcast(const sio_door *door, matching_span *span, const char *event,
                          uint16_t instrument, size_t recipients)
{
    wire_broadcast_end(&door->server, span, event,
                       matching_core_instrument(door->server.core, instrument)->symbol, recipients,
                       0);
}

static void on_candle(void *context, uint16_t instrument, const matching_candle *candle)
{
    sio_door *door = context;
    const sio_series *series = &door->markets[instrument].series[candle->interval];
    size_t place = make_candle(door, instrument, candle);
    for (size_t i = 0; i < series->room_count; i++) {
        const sio_room *room = series->rooms[i];
        matching_span span;
        wire_broadcast_begin(&span);
        write_for_room(door, room, place, room->count);
        end_broadcast(door, &span, "kline_data", instrument,
                      sio_send_to_room(room, true, candle->is_final));
    }
}

const matching_candle *sio_last_final(const sio_door *door, const sio_room *room)
{
    matching_interval interval = (matching_interval)room->interval;
    size_t count = matching_candle_feed_kept(door->candles, room->instrument, interval);
    return count == 0
               ? NULL
               : matching_candle_feed_final(door->candles, room->instrument, interval, count - 1);
}

/* ---- Events ---------------------------------------------------------------------------------- */

static void on_trade(void *context, uint16_t instrument, uint64_t time_ns, int64_t price_ticks,
                     uint8_t taker_side)
{
    sio_door *door = context;
    sio_market *market = &door->markets[instrument];
    market->price_ticks = price_ticks;
    market->price_time_ns = time_ns;
    market->price_side = taker_side;
    if (!market->is_price_due) {
        market->is_price_due = true;
        door->prices[door->price_count++] = instrument;
    }
}

static void tell_addition(sio_door *door, const matching_event *event)
{
    const matching_instrument *instrument =
        matching_core_instrument(door->server.core, event->instrument);
    const sio_room *room = door->tokens;
    if (room != NULL && instrument != NULL) {
        matching_span span;
        wire_broadcast_begin(&span);
        matching_writer *writer = sio_begin(door, room->count);
        sio_begin_event(writer, "token_created");
        matching_write_token_created(writer, instrument, event->time_ns);
        MATCHING_WRITE(writer, "]");
        end_broadcast(door, &span, "token_created", event->instrument,
                      sio_send_to_room(room, false, false));
    }
}

void sio_on_event(void *context, unsigned shard, uint64_t position, const matching_event *event,
                  const matching_order *order)
{
    sio_door *door = context;
    (void)order;
    if (event->kind == MATCHING_EVENT_INSTRUMENT) {
        tell_addition(door, event);
    }
    matching_candle_feed_event(door->candles, shard, position, event);
}

void sio_on_lapped(void *context, unsigned shard)
{
    sio_door *door = context;
    matching_candle_feed_lapped(door->candles, shard);
    if (door->tokens != NULL) { /* an addition may have been among what was lost */
        for (size_t i = 0; i < door->tokens->count; i++) {
            sio_client_close(door->tokens->members[i].client, "1",
                             LWS_CLOSE_STATUS_POLICY_VIOLATION, "events were lost, connect again");
        }
    }
}

void sio_on_reply(void *context, const matching_reply *reply)
{
    sio_door *door = context;
    if (!matching_candle_feed_reply(door->candles, reply)) {
        sio_history_answered(door, reply);
    }
}

/* ---- Prices ---------------------------------------------------------------------------------- */

void sio_write_price_update(sio_door *door, uint16_t instrument, size_t receivers)
{
    const sio_market *market = &door->markets[instrument];
    matching_writer *writer = sio_begin(door, receivers);
    sio_begin_event(writer, "price_update");
    sio_write_price(writer, matching_core_instrument(door->server.core, instrument),
                    market->price_ticks, market->price_time_ns, market->price_side);
    MATCHING_WRITE(writer, "]");
}

/* Tells the price if it may be told. Returns how long it has to wait, 0: not any more. */
static uint64_t tell_price(sio_door *door, uint16_t index)
{
    sio_market *market = &door->markets[index];
    uint64_t due_ms = market->price_told_ms + door->server.config->socketio.batch_ms;
    if (market->price != NULL && market->price_told_ms != 0 && due_ms > door->server.now_ms) {
        return due_ms - door->server.now_ms;
    }
    if (market->price != NULL) {
        matching_span span;
        wire_broadcast_begin(&span);
        sio_write_price_update(door, index, market->price->count);
        end_broadcast(door, &span, "price_update", index,
                      sio_send_to_room(market->price, true, false));
        market->price_told_ms = door->server.now_ms;
    }
    market->is_price_due = false;
    return 0;
}

/* Returns the shortest wait of what cannot be told yet, UINT64_MAX: there is nothing. */
static uint64_t tell_prices(sio_door *door)
{
    uint64_t shortest = UINT64_MAX;
    size_t kept = 0;
    for (size_t i = 0; i < door->price_count; i++) {
        uint64_t wait_ms = tell_price(door, door->prices[i]);
        if (wait_ms > 0) {
            door->prices[kept++] = door->prices[i];
            shortest = wait_ms < shortest ? wait_ms : shortest;
        }
    }
    door->price_count = kept;
    return shortest;
}

void sio_markets_turn(sio_door *door)
{
    uint64_t candles_ms = matching_candle_feed_turn(
        door->candles, door->server.now_ms, matching_unix_ns(), door->server.phase == WIRE_RUNNING);
    uint64_t prices_ms = tell_prices(door);
    uint64_t wait_ms = candles_ms < prices_ms ? candles_ms : prices_ms;
    ev_timer_stop(door->server.loop, &door->round);
    if (wait_ms != UINT64_MAX) {
        ev_timer_set(&door->round, (double)wait_ms / MS_PER_S, 0.);
        ev_timer_start(door->server.loop, &door->round);
    }
}
