/* Events to messages.
 *
 * Invariants: at the end of a turn every ready view that somebody follows stands at a step, and
 * every follower who is not owed a snapshot has been told of it; `best` is what the last
 * book_update said. A view that nobody follows is not kept up: keeping it costs more than all else
 * that the door does for an order. The first follower has it read again.
 */
#include "feeds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "door.h"
#include "reply.h"

#define BYTES_A_UNIT 64u /* of what is owed, as work: text takes longer to write than to copy */

bool ws_feeds_init(ws_door *door)
{
    ws_feeds *feeds = &door->feeds;
    size_t count = matching_core_instrument_limit(door->server.core);
    feeds->markets = calloc(count, sizeof *feeds->markets);
    feeds->dirty = malloc(count * sizeof *feeds->dirty);
    feeds->tickers = malloc(count * sizeof *feeds->tickers);
    feeds->chosen = malloc(count * sizeof *feeds->chosen);
    feeds->is_chosen = calloc(count, sizeof *feeds->is_chosen);
    feeds->found = calloc(count * WS_CHANNEL_COUNT, sizeof *feeds->found);
    feeds->step = malloc(sizeof *feeds->step);
    bool made = feeds->markets != NULL && feeds->dirty != NULL && feeds->tickers != NULL &&
                feeds->chosen != NULL && feeds->is_chosen != NULL && feeds->found != NULL &&
                feeds->step != NULL && ws_klines_init(door);
    for (size_t i = 0; made && i < matching_core_instrument_count(door->server.core); i++) {
        /* One may be missing: its addition was lost on the way to the disk, a later one was not. */
        made = matching_core_instrument(door->server.core, i) == NULL || ws_market_open(door, i);
    }
    return made;
}

void ws_feeds_fini(ws_door *door)
{
    ws_feeds *feeds = &door->feeds;
    ws_feeds_second(door);
    for (size_t i = 0; i < feeds->market_end; i++) {
        matching_depth_view_destroy(feeds->markets[i].view.depth);
        for (unsigned channel = 0; channel < WS_ORDERS; channel++) {
            free(feeds->markets[i].feeds[channel].list);
        }
    }
    ws_klines_fini(door);
    ws_orders_fini(feeds);
    free(feeds->markets);
    free(feeds->dirty);
    free(feeds->tickers);
    free(feeds->chosen);
    free(feeds->is_chosen);
    free(feeds->found);
    free(feeds->step);
    free(feeds->buckets);
}

bool ws_market_open(ws_door *door, size_t index)
{
    ws_feeds *feeds = &door->feeds;
    ws_market *market = &feeds->markets[index];
    if (market->view.depth != NULL) {
        return true;
    }
    market->view.depth = matching_depth_view_create();
    if (market->view.depth == NULL) {
        return false;
    }
    feeds->market_end = index < feeds->market_end ? feeds->market_end : index + 1;
    ws_follow_new(door, (uint16_t)index);
    return true;
}

/* ---- Events ---------------------------------------------------------------------------------- */

static void mark_dirty(ws_feeds *feeds, uint16_t instrument)
{
    ws_market *market = &feeds->markets[instrument];
    if (!market->is_dirty) {
        market->is_dirty = true;
        feeds->dirty[feeds->dirty_count++] = instrument;
    }
}

/* Somebody is told what the view shows. */
static bool is_followed(const ws_market *market)
{
    return market->feeds[WS_BOOK].count > 0 || market->feeds[WS_DEPTH].count > 0;
}

static void on_level(ws_door *door, const matching_event *event)
{
    ws_market *market = &door->feeds.markets[event->instrument];
    if (is_followed(market)) {
        mark_dirty(&door->feeds, event->instrument);
    } else {
        matching_depth_view_lose(market->view.depth);
    }
    matching_depth_view_apply(market->view.depth, event); /* or notes what it misses */
}

void ws_send_event(const ws_subscriber *follower)
{
    if (follower->is_batched) {
        wire_batch_event(&follower->connection->peer);
    } else {
        wire_send_event(&follower->connection->peer);
    }
}

static void on_trade(ws_door *door, unsigned shard, const matching_event *event)
{
    const ws_feed *feed = &door->feeds.markets[event->instrument].feeds[WS_TRADES];
    if (feed->count == 0) {
        return;
    }
    bool buys = event->side != MATCHING_SELL;
    matching_trade trade = {
        .trade_id = event->trade.trade_id,
        .price_ticks = event->trade.price_ticks,
        .quantity_lots = event->trade.quantity_lots,
        .time_ns = event->time_ns,
        .buy_order_id = buys ? event->trade.taker_order_id : event->trade.maker_order_id,
        .sell_order_id = buys ? event->trade.maker_order_id : event->trade.taker_order_id,
        .instrument = event->instrument,
        .taker_side = event->side,
    };
    const char *maker = matching_core_trader(door->server.core, shard, event->trade.maker_trader);
    const char *taker = matching_core_trader(door->server.core, shard, event->trade.taker_trader);
    memcpy(trade.buyer, buys ? taker : maker, strlen(buys ? taker : maker) + 1);
    memcpy(trade.seller, buys ? maker : taker, strlen(buys ? maker : taker) + 1);
    matching_span span;
    wire_broadcast_begin(&span);
    ws_write_trade(wire_begin_shared(&door->server, feed->count), door->server.core, &trade);
    for (size_t i = 0; i < feed->count; i++) {
        ws_send_event(&feed->list[i]);
    }
    ws_broadcast_end(door, &span, WS_TRADES, event->instrument, feed->count);
}

void ws_on_event(void *context, unsigned shard, uint64_t position, const matching_event *event,
                 const matching_order *order)
{
    ws_door *door = context;
    matching_candle_feed_event(door->feeds.candles, shard, position, event);
    if (!ws_market_open(door, event->instrument)) {
        return; /* nobody can follow it yet; its next event tries again */
    }
    switch (event->kind) {
    case MATCHING_EVENT_TRADE:
        on_trade(door, shard, event);
        ws_ticker_changed(&door->feeds, event->instrument);
        break;
    case MATCHING_EVENT_LEVEL:
        on_level(door, event);
        ws_ticker_changed(&door->feeds, event->instrument);
        break;
    case MATCHING_EVENT_ORDER:
        if (!matching_order_is_working(order)) {
            wire_guard_remove(&door->server.guard, order->order_id);
        }
        ws_on_order_event(door, position, event, order);
        break;
    default:
        break;
    }
}

/* Those who must see every event cannot be told what was lost: here it was the door that was too
 * slow, and for them that is the same. */
static void end_followers(const ws_feed *feed)
{
    for (size_t i = 0; i < feed->count; i++) {
        wire_end_slow(&feed->list[i].connection->peer);
    }
}

void ws_on_lapped(void *context, unsigned shard)
{
    ws_door *door = context;
    ws_feeds *feeds = &door->feeds;
    matching_candle_feed_lapped(feeds->candles, shard);
    for (size_t i = 0; i < feeds->market_end; i++) {
        if (feeds->markets[i].view.depth != NULL &&
            matching_core_instrument(door->server.core, i)->shard == shard) {
            matching_depth_view_lose(feeds->markets[i].view.depth);
            mark_dirty(feeds, (uint16_t)i);
            ws_ticker_changed(feeds, (uint16_t)i);
            end_followers(&feeds->markets[i].feeds[WS_TRADES]);
        }
    }
    for (size_t i = 0; i < feeds->bucket_count; i++) {
        for (ws_order_feed *feed = feeds->buckets[i]; feed != NULL; feed = feed->next) {
            if (matching_core_instrument(door->server.core, feed->instrument)->shard == shard) {
                end_followers(&feed->feed);
            }
        }
    }
}

/* ---- Snapshots that are kept ----------------------------------------------------------------- */

static void drop_snapshot(ws_door *door, ws_market *market)
{
    if (market->snapshot != NULL) {
        wire_frame_release(&door->server.queued, market->snapshot);
        market->snapshot = NULL;
    }
}

void ws_feeds_second(ws_door *door)
{
    ws_feeds *feeds = &door->feeds;
    for (size_t i = 0; feeds->has_snapshots && i < feeds->market_end; i++) {
        drop_snapshot(door, &feeds->markets[i]);
    }
    feeds->has_snapshots = false;
}

/* Begins the message: made once for all who are owed it before the next step, as after a fall of
 * the network that thousands come back from. */
static void begin_snapshot(ws_door *door, uint16_t instrument)
{
    ws_market *market = &door->feeds.markets[instrument];
    uint64_t sequence = matching_depth_view_sequence(market->view.depth);
    if (market->snapshot != NULL && market->snapshot_sequence == sequence) {
        wire_begin_kept(&door->server, market->snapshot);
        return;
    }
    drop_snapshot(door, market);
    ws_write_depth_snapshot(wire_begin_shared(&door->server, SIZE_MAX),
                            matching_core_instrument(door->server.core, instrument),
                            market->view.depth);
    market->snapshot = wire_keep(&door->server);
    market->snapshot_sequence = sequence;
    door->feeds.has_snapshots = true;
}

/* ---- Steps ----------------------------------------------------------------------------------- */

bool ws_send_state(const ws_subscriber *follower)
{
    return follower->is_batched ? wire_batch_state(&follower->connection->peer)
                                : wire_send_state(&follower->connection->peer);
}

size_t ws_send_to_followers(const ws_feed *feed)
{
    size_t recipients = 0;
    for (size_t i = 0; i < feed->count; i++) {
        ws_connection *connection = feed->list[i].connection;
        ws_subscription *subscription = &connection->subscriptions[feed->list[i].index];
        if (subscription->is_stale) {
            wire_pass_over(&connection->peer);
            continue;
        }
        if (ws_send_state(&feed->list[i])) {
            recipients++;
        } else {
            subscription->is_stale = true;
            connection->stale_count++;
        }
    }
    return recipients;
}

void ws_broadcast_end(const ws_door *door, matching_span *span, ws_channel channel,
                      uint16_t instrument, size_t recipients)
{
    wire_broadcast_end(&door->server, span, ws_channel_name(channel),
                       matching_core_instrument(door->server.core, instrument)->symbol, recipients,
                       0);
}

static void publish_depth(ws_door *door, size_t index)
{
    ws_market *market = &door->feeds.markets[index];
    const ws_feed *feed = &market->feeds[WS_DEPTH];
    if (feed->count > 0 && matching_depth_view_step(market->view.depth, door->feeds.step)) {
        matching_span span;
        wire_broadcast_begin(&span);
        ws_write_depth_update(wire_begin_shared(&door->server, feed->count),
                              matching_core_instrument(door->server.core, index), door->feeds.step);
        ws_broadcast_end(door, &span, WS_DEPTH, (uint16_t)index, ws_send_to_followers(feed));
    }
}

static void publish_book(ws_door *door, size_t index)
{
    ws_market *market = &door->feeds.markets[index];
    const ws_feed *feed = &market->feeds[WS_BOOK];
    if (wire_view_move_best(&market->view) && feed->count > 0) {
        matching_span span;
        wire_broadcast_begin(&span);
        ws_write_book_update(wire_begin_shared(&door->server, feed->count),
                             matching_core_instrument(door->server.core, index),
                             &market->view.best);
        ws_broadcast_end(door, &span, WS_BOOK, (uint16_t)index, ws_send_to_followers(feed));
    }
}

static bool wants_load(const ws_market *market)
{
    return is_followed(market) && wire_view_wants_load(&market->view);
}

void ws_feeds_publish(ws_door *door)
{
    ws_feeds *feeds = &door->feeds;
    for (size_t i = 0; i < feeds->dirty_count; i++) {
        size_t index = feeds->dirty[i];
        ws_market *market = &feeds->markets[index];
        market->is_dirty = false;
        drop_snapshot(door, market);
        if (matching_depth_view_ready(market->view.depth)) {
            publish_depth(door, index);
            publish_book(door, index);
        }
        if (wants_load(market)) {
            wire_loads_want(&feeds->loads, &door->server, (uint16_t)index);
        }
    }
    feeds->dirty_count = 0;
}

/* Is there something to be sent afresh? */
static bool is_known(const ws_market *market, const ws_subscription *subscription)
{
    if (ws_channel_is_kline(subscription->channel)) {
        return !market->view.has_failed;
    }
    return subscription->channel == WS_TICKER
               ? market->ticker.reads_done >= subscription->first_read
               : matching_depth_view_ready(market->view.depth);
}

/* What a subscription is owed becomes the message that is being made. */
static void write_fresh(ws_door *door, const ws_subscription *subscription)
{
    const ws_market *market = &door->feeds.markets[subscription->instrument];
    const matching_instrument *instrument =
        matching_core_instrument(door->server.core, subscription->instrument);
    bool known = is_known(market, subscription);
    if (known && subscription->channel == WS_DEPTH) {
        begin_snapshot(door, subscription->instrument);
        return;
    }
    matching_writer *writer = wire_begin(&door->server);
    if (!known) {
        ws_error error;
        ws_error_set(&error, MATCHING_INTERNAL_ERROR, "channels", NULL);
        snprintf(error.message, sizeof error.message,
                 "no %s of %s: its journal failed, nothing comes of it before a restart",
                 ws_channel_name((ws_channel)subscription->channel), instrument->symbol);
        ws_write_error(writer, &error, (matching_text){NULL, 0});
    } else if (subscription->channel == WS_BOOK) {
        ws_write_book_update(writer, instrument, &market->view.best);
    } else {
        ws_write_ticker(writer, door->server.core, subscription->instrument, &market->ticker.told);
    }
}

/* False: not all of it went. */
static bool send_fresh(ws_connection *connection, ws_subscription *subscription)
{
    ws_door *door = ws_door_of(connection);
    const ws_market *market = &door->feeds.markets[subscription->instrument];
    if (wire_outbox_length(&connection->peer.outbox) > door->server.limits.fresh) {
        return false;
    }
    if (ws_channel_is_kline(subscription->channel) && is_known(market, subscription)) {
        return ws_kline_refresh(connection, subscription);
    }
    write_fresh(door, subscription);
    wire_batch_flush(&connection->peer); /* what it follows upon goes before it */
    return wire_send_state(&connection->peer);
}

bool ws_refresh(ws_connection *connection)
{
    ws_door *door = ws_door_of(connection);
    if (connection->peer.state != WIRE_OPEN) {
        return false;
    }
    bool any = ws_orders_go_on(connection);
    for (size_t i = 0; connection->stale_count > 0 && i < connection->subscription_count; i++) {
        ws_subscription *subscription = &connection->subscriptions[i];
        const ws_market *market = &door->feeds.markets[subscription->instrument];
        if (!subscription->is_stale ||
            !(is_known(market, subscription) || market->view.has_failed)) {
            continue;
        }
        size_t before = wire_outbox_length(&connection->peer.outbox);
        if (wire_is_spent(&connection->peer) || !send_fresh(connection, subscription)) {
            break;
        }
        size_t after = wire_outbox_length(&connection->peer.outbox);
        wire_work(&connection->peer, 1 + (after > before ? after - before : 0) / BYTES_A_UNIT);
        subscription->is_stale = false;
        connection->stale_count--;
        any = true;
    }
    return any;
}

/* ---- Loading the views ----------------------------------------------------------------------- */

matching_code ws_read_market(ws_door *door, matching_action action, ws_pending_kind kind,
                             uint16_t index)
{
    uint64_t tag;
    ws_pending *pending = ws_pending_add(&door->pending, kind, (matching_text){NULL, 0}, &tag);
    if (pending == NULL) {
        return MATCHING_OVERLOADED;
    }
    pending->instrument = index;
    matching_code code = wire_read_market(&door->server, action, index, tag);
    if (code != MATCHING_OK) {
        ws_pending_remove(&door->pending, tag);
    }
    return code;
}

static wire_view *wanted_view(wire_server *server, size_t instrument)
{
    ws_market *market = &((ws_door *)server)->feeds.markets[instrument];
    return wants_load(market) ? &market->view : NULL;
}

static matching_code read_depth(wire_server *server, uint16_t instrument)
{
    return ws_read_market((ws_door *)server, MATCHING_ACTION_GET_DEPTH, WS_PENDING_DEPTH,
                          instrument);
}

void ws_feeds_load(ws_door *door)
{
    static const wire_loader LOADER = {.wanted = wanted_view, .read = read_depth};
    wire_loads_submit(&door->feeds.loads, &door->server, door->feeds.market_end, &LOADER);
}

/* May be owed something: looks when the turn ends. */
static void mark_followers(const ws_feed *feed)
{
    for (size_t i = 0; i < feed->count; i++) {
        wire_mark_dirty(&feed->list[i].connection->peer);
    }
}

void ws_feeds_loaded(ws_door *door, uint16_t instrument, const matching_reply *reply)
{
    ws_feeds *feeds = &door->feeds;
    ws_market *market = &feeds->markets[instrument];
    switch (wire_loads_answered(&feeds->loads, &door->server, &market->view, instrument, reply)) {
    case WIRE_VIEW_FAILED:
        ws_market_failed(door, instrument);
        break;
    case WIRE_VIEW_AGAIN:
        break;
    case WIRE_VIEW_LOADED:
        mark_dirty(feeds, instrument);
        mark_followers(&market->feeds[WS_BOOK]);
        mark_followers(&market->feeds[WS_DEPTH]);
        break;
    }
}

void ws_market_failed(ws_door *door, uint16_t instrument)
{
    ws_market *market = &door->feeds.markets[instrument];
    market->view.has_failed = true;
    for (unsigned channel = WS_BOOK; channel < WS_ORDERS; channel++) {
        mark_followers(&market->feeds[channel]);
    }
}
