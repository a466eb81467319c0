/* The channels kline:*: candles of the door's feed (matching/candle_feed.h) to those who follow
 * them.
 *
 * A running candle is a state: who is behind is not told every one, but the newest later. A final
 * candle is not: it waits in the feed, from where all that were missed are sent first. Who has
 * missed more than the feed keeps is ended, so that nobody takes a gap for a time without trades.
 *
 * Invariants: missed_s is 0 for whoever is not stale; a series is followed in the feed exactly
 * while its list is not empty.
 */
#include "door.h"
#include "reply.h"

#define MS_PER_S 1000.

static matching_interval interval_of(unsigned channel)
{
    return (matching_interval)(channel - WS_KLINE);
}

/* False: it is not told now. */
static bool tell(ws_subscriber *follower, const matching_candle *candle)
{
    ws_connection *connection = follower->connection;
    ws_subscription *subscription = &connection->subscriptions[follower->index];
    if (!subscription->is_stale && ws_send_state(follower)) {
        if (candle->is_final && follower->is_batched) {
            wire_batch_flush(&connection->peer); /* it does not wait */
        }
        return true;
    }
    if (subscription->is_stale && !candle->is_final) {
        wire_pass_over(&connection->peer);
    }
    connection->stale_count += !subscription->is_stale;
    subscription->is_stale = true;
    if (candle->is_final && subscription->missed_s == 0) {
        subscription->missed_s = candle->start_s;
    }
    return false;
}

static void on_candle(void *context, uint16_t instrument, const matching_candle *candle)
{
    ws_door *door = context;
    ws_channel channel = WS_KLINE + candle->interval;
    ws_feed *feed = &door->feeds.markets[instrument].feeds[channel];
    matching_span span;
    size_t recipients = 0;
    if (feed->count == 0) {
        return;
    }
    wire_broadcast_begin(&span);
    ws_write_kline(wire_begin_shared(&door->server, feed->count),
                   matching_core_instrument(door->server.core, instrument), candle);
    for (size_t i = 0; i < feed->count; i++) {
        recipients += tell(&feed->list[i], candle);
    }
    ws_broadcast_end(door, &span, channel, instrument, recipients);
}

static void on_failed(void *context, uint16_t instrument)
{
    ws_market_failed(context, instrument);
}

bool ws_klines_init(ws_door *door)
{
    static const matching_candle_feed_handlers handlers = {.on_candle = on_candle,
                                                           .on_failed = on_failed};
    const matching_candle_feed_options options = {
        .core = door->server.core,
        .port = door->server.port,
        .batch_ms = door->server.config->websocket.kline_batch_ms,
        .kept = WS_KLINES_KEPT,
    };
    door->feeds.candles = matching_candle_feed_create(&options, &handlers, door);
    return door->feeds.candles != NULL;
}

void ws_klines_fini(ws_door *door)
{
    matching_candle_feed_destroy(door->feeds.candles);
}

void ws_klines_turn(ws_door *door)
{
    wire_server *server = &door->server;
    uint64_t wait_ms = matching_candle_feed_turn(door->feeds.candles, server->now_ms,
                                                 matching_unix_ns(), server->phase == WIRE_RUNNING);
    ev_timer_stop(server->loop, &door->candle);
    if (wait_ms != UINT64_MAX) {
        ev_timer_set(&door->candle, (double)wait_ms / MS_PER_S, 0.);
        ev_timer_start(server->loop, &door->candle);
    }
}

static bool is_healthy(const ws_door *door, uint16_t instrument)
{
    char why[128];
    const matching_core *core = door->server.core;
    return matching_core_shard_is_healthy(core, matching_core_instrument(core, instrument)->shard,
                                          why, sizeof why);
}

void ws_kline_followed(ws_door *door, uint16_t instrument, unsigned channel)
{
    const ws_market *market = &door->feeds.markets[instrument];
    bool is_followed = market->feeds[channel].count > 0;
    matching_candle_feed_follow(door->feeds.candles, instrument, interval_of(channel), is_followed);
    if (is_followed && !market->view.has_failed && !is_healthy(door, instrument)) {
        ws_market_failed(door, instrument); /* nobody has had to read anything of it since */
    }
}

/* ---- What is owed ---------------------------------------------------------------------------- */

static bool send_candle(ws_connection *connection, const ws_subscription *subscription,
                        const matching_candle *candle)
{
    wire_server *server = connection->peer.server;
    if (wire_outbox_length(&connection->peer.outbox) > server->limits.fresh) {
        return false;
    }
    ws_write_kline(wire_begin(server),
                   matching_core_instrument(server->core, subscription->instrument), candle);
    wire_batch_flush(&connection->peer); /* what it follows upon goes before it */
    return wire_send_state(&connection->peer);
}

/* The final candles that were left out. */
static bool send_missed(ws_connection *connection, ws_subscription *subscription)
{
    const matching_candle_feed *feed = ws_door_of(connection)->feeds.candles;
    matching_interval interval = interval_of(subscription->channel);
    uint16_t instrument = subscription->instrument;
    if (subscription->missed_s < matching_candle_feed_kept_since_s(feed, instrument, interval)) {
        wire_end_slow(&connection->peer);
        return false;
    }
    size_t count = matching_candle_feed_kept(feed, instrument, interval);
    for (size_t i = matching_candle_feed_find(feed, instrument, interval, subscription->missed_s);
         i < count; i++) {
        const matching_candle *candle = matching_candle_feed_final(feed, instrument, interval, i);
        if (!send_candle(connection, subscription, candle)) {
            subscription->missed_s = candle->start_s;
            return false;
        }
    }
    subscription->missed_s = 0;
    return true;
}

bool ws_kline_refresh(ws_connection *connection, ws_subscription *subscription)
{
    if (subscription->missed_s != 0 && !send_missed(connection, subscription)) {
        return false;
    }
    const matching_candle *running =
        matching_candle_feed_running(ws_door_of(connection)->feeds.candles,
                                     subscription->instrument, interval_of(subscription->channel));
    return running == NULL || send_candle(connection, subscription, running);
}
