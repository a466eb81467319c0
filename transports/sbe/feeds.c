/* Events to market data.
 *
 * Invariants: at the end of a turn no trades wait to be sent, and every follower of a book who is
 * not owed a fresh one has been told of `best`. A view that nobody follows is not kept up: the
 * first follower has it read again.
 */
#include "feeds.h"

#include <stdlib.h>
#include <string.h>

#include "door.h"

#define GATHERED_MAX (WIRE_JOINED_MAX - SBE_TRADE_EXACT_BYTES) /* bytes of trades: then they go */

bool sbe_feeds_init(sbe_door *door)
{
    sbe_feeds *feeds = &door->feeds;
    size_t count = matching_core_instrument_limit(door->server.core);
    feeds->listed = matching_core_instrument_count(door->server.core);
    matching_writer_init(&feeds->trades);
    matching_writer_init(&feeds->exact);
    feeds->markets = calloc(count, sizeof *feeds->markets);
    feeds->dirty = malloc(count * sizeof *feeds->dirty);
    return feeds->markets != NULL && feeds->dirty != NULL;
}

void sbe_feeds_fini(sbe_door *door)
{
    sbe_feeds *feeds = &door->feeds;
    size_t count = matching_core_instrument_limit(door->server.core);
    for (size_t i = 0; feeds->markets != NULL && i < count; i++) {
        matching_depth_view_destroy(feeds->markets[i].view.depth);
        for (unsigned channel = 0; channel < SBE_CHANNEL_COUNT; channel++) {
            free(feeds->markets[i].feeds[channel].list);
        }
    }
    free(feeds->markets);
    free(feeds->dirty);
    matching_writer_fini(&feeds->trades);
    matching_writer_fini(&feeds->exact);
}

static void mark_dirty(sbe_feeds *feeds, uint16_t instrument)
{
    sbe_market *market = &feeds->markets[instrument];
    if (!market->is_dirty) {
        market->is_dirty = true;
        feeds->dirty[feeds->dirty_count++] = instrument;
    }
}

/* ---- Trades ---------------------------------------------------------------------------------- */

/* The server counts frames as messages; this one has so many beyond the first. */
static void count_sent(const sbe_connection *connection, size_t more)
{
    matching_connection *entry = connection->peer.entry;
    matching_connection_add(&entry->counts[MATCHING_CONNECTION_MESSAGES_SENT], more);
    matching_connection_add(&connection->peer.server->table->totals[MATCHING_CONNECTIONS_SENT],
                            more);
}

static void end_broadcast(const sbe_door *door, matching_span *span, sbe_channel channel,
                          uint16_t instrument, size_t recipients, size_t count)
{
    static const char *const names[SBE_CHANNEL_COUNT] = {
        [SBE_TRADES] = "trades", [SBE_BOOK] = "book", [SBE_EXACT] = "trades_exact"};
    wire_broadcast_end(&door->server, span, names[channel],
                       matching_core_instrument(door->server.core, instrument)->symbol, recipients,
                       count);
}

static void send_gathered(sbe_door *door, matching_writer *gathered, sbe_channel channel,
                          size_t message_bytes)
{
    const sbe_feed *feed = &door->feeds.markets[door->feeds.trading].feeds[channel];
    if (gathered->length > 0 && feed->count > 0) {
        matching_span span;
        wire_broadcast_begin(&span);
        matching_writer *writer = wire_begin_shared(&door->server, feed->count);
        matching_write(writer, gathered->data, gathered->length);
        writer->failed = writer->failed || gathered->failed;
        for (size_t i = 0; i < feed->count; i++) {
            sbe_connection *connection = feed->list[i].connection;
            if (sbe_answers_wait(connection) && !writer->failed) {
                sbe_tell_behind(connection, (const uint8_t *)gathered->data, gathered->length,
                                message_bytes);
            } else {
                count_sent(connection, gathered->length / message_bytes - 1);
                wire_send_event(&connection->peer);
            }
        }
        end_broadcast(door, &span, channel, door->feeds.trading, feed->count,
                      gathered->length / message_bytes);
    }
    matching_writer_clear(gathered);
}

static void send_trades(sbe_door *door)
{
    send_gathered(door, &door->feeds.trades, SBE_TRADES, SBE_TRADE_BYTES);
    send_gathered(door, &door->feeds.exact, SBE_EXACT, SBE_TRADE_EXACT_BYTES);
}

void sbe_on_trade_event(sbe_door *door, const matching_event *event)
{
    sbe_feeds *feeds = &door->feeds;
    const sbe_market *market = &feeds->markets[event->instrument];
    const matching_instrument *instrument =
        matching_core_instrument(door->server.core, event->instrument);
    if (market->feeds[SBE_TRADES].count + market->feeds[SBE_EXACT].count == 0) {
        return;
    }
    if (feeds->trading != event->instrument || feeds->trades.length > GATHERED_MAX ||
        feeds->exact.length > GATHERED_MAX) {
        send_trades(door);
        feeds->trading = event->instrument;
    }
    uint8_t *out;
    if (market->feeds[SBE_TRADES].count > 0 &&
        (out = (uint8_t *)matching_writer_reserve(&feeds->trades, SBE_TRADE_BYTES)) != NULL) {
        sbe_trade trade;
        sbe_report_trade(&trade, instrument, event);
        matching_writer_advance(&feeds->trades, sbe_trade_write(out, SBE_TRADE_BYTES, &trade));
    }
    if (market->feeds[SBE_EXACT].count > 0 &&
        (out = (uint8_t *)matching_writer_reserve(&feeds->exact, SBE_TRADE_EXACT_BYTES)) != NULL) {
        sbe_trade_exact trade;
        sbe_report_trade_exact(&trade, instrument, event);
        matching_writer_advance(&feeds->exact,
                                sbe_trade_exact_write(out, SBE_TRADE_EXACT_BYTES, &trade));
    }
}

/* ---- Books ----------------------------------------------------------------------------------- */

void sbe_on_level_event(sbe_door *door, const matching_event *event)
{
    sbe_market *market = &door->feeds.markets[event->instrument];
    if (market->view.depth == NULL) {
        return;
    }
    if (market->feeds[SBE_BOOK].count > 0) {
        mark_dirty(&door->feeds, event->instrument);
    } else {
        matching_depth_view_lose(market->view.depth);
    }
    matching_depth_view_apply(market->view.depth, event); /* or notes what it misses */
}

static void write_book(const sbe_door *door, matching_writer *writer, uint16_t index)
{
    const sbe_market *market = &door->feeds.markets[index];
    const matching_view_best *best = &market->view.best;
    uint8_t message[SBE_BOOK_UPDATE_BYTES];
    sbe_book_update update;
    sbe_report_book(&update, matching_core_instrument(door->server.core, index), best->bid_ticks,
                    best->bid_lots, best->ask_ticks, best->ask_lots, market->sequence);
    sbe_book_update_write(message, sizeof message, &update);
    matching_write(writer, (const char *)message, sizeof message);
}

static void publish_book(sbe_door *door, uint16_t index)
{
    sbe_market *market = &door->feeds.markets[index];
    const sbe_feed *feed = &market->feeds[SBE_BOOK];
    matching_depth_view_step(market->view.depth, NULL);
    market->sequence = matching_depth_view_sequence(market->view.depth);
    if (!wire_view_move_best(&market->view) || feed->count == 0) {
        return;
    }
    matching_span span;
    size_t recipients = 0;
    wire_broadcast_begin(&span);
    write_book(door, wire_begin_shared(&door->server, feed->count), index);
    for (size_t i = 0; i < feed->count; i++) {
        sbe_connection *connection = feed->list[i].connection;
        sbe_subscription *subscription = &connection->subscriptions[feed->list[i].index];
        if (subscription->is_stale) {
            wire_pass_over(&connection->peer);
            continue;
        }
        if (wire_send_state(&connection->peer)) {
            recipients++;
        } else {
            subscription->is_stale = true;
            connection->stale_count++;
        }
    }
    end_broadcast(door, &span, SBE_BOOK, index, recipients, 0);
}

static bool wants_load(const sbe_market *market)
{
    return market->feeds[SBE_BOOK].count > 0 && wire_view_wants_load(&market->view);
}

void sbe_feeds_publish(sbe_door *door)
{
    sbe_feeds *feeds = &door->feeds;
    send_trades(door);
    for (size_t i = 0; i < feeds->dirty_count; i++) {
        sbe_market *market = &feeds->markets[feeds->dirty[i]];
        market->is_dirty = false;
        if (matching_depth_view_ready(market->view.depth)) {
            publish_book(door, feeds->dirty[i]);
        }
        if (wants_load(market)) {
            wire_loads_want(&feeds->loads, &door->server, feeds->dirty[i]);
        }
    }
    feeds->dirty_count = 0;
}

/* ---- Loading the views ----------------------------------------------------------------------- */

static wire_view *wanted_view(wire_server *server, size_t instrument)
{
    sbe_market *market = &((sbe_door *)server)->feeds.markets[instrument];
    return wants_load(market) ? &market->view : NULL;
}

static matching_code read_depth(wire_server *server, uint16_t index)
{
    sbe_door *door = (sbe_door *)server;
    uint64_t tag;
    sbe_pending *pending = sbe_pending_add(&door->pending, SBE_PENDING_DEPTH, &tag);
    if (pending == NULL) {
        return MATCHING_OVERLOADED;
    }
    pending->instrument = index;
    matching_code code = wire_read_market(&door->server, MATCHING_ACTION_GET_DEPTH, index, tag);
    if (code != MATCHING_OK) {
        sbe_pending_remove(&door->pending, tag);
    }
    return code;
}

void sbe_feeds_load(sbe_door *door)
{
    static const wire_loader LOADER = {.wanted = wanted_view, .read = read_depth};
    wire_loads_submit(&door->feeds.loads, &door->server,
                      matching_core_instrument_count(door->server.core), &LOADER);
}

void sbe_feeds_loaded(sbe_door *door, uint16_t instrument, const matching_reply *reply)
{
    sbe_feeds *feeds = &door->feeds;
    sbe_market *market = &feeds->markets[instrument];
    switch (wire_loads_answered(&feeds->loads, &door->server, &market->view, instrument, reply)) {
    case WIRE_VIEW_FAILED:
        break; /* which is told */
    case WIRE_VIEW_AGAIN:
        return;
    case WIRE_VIEW_LOADED:
        mark_dirty(feeds, instrument);
        break;
    }
    for (size_t i = 0; i < market->feeds[SBE_BOOK].count; i++) { /* they may be owed one */
        wire_mark_dirty(&market->feeds[SBE_BOOK].list[i].connection->peer);
    }
}

/* ---- What is lost ---------------------------------------------------------------------------- */

/* Those who must see every event cannot be told what was lost. */
static void end_followers(const sbe_feed *feed)
{
    for (size_t i = 0; i < feed->count; i++) {
        wire_end(&feed->list[i].connection->peer, LWS_CLOSE_STATUS_POLICY_VIOLATION,
                 "events were lost", WIRE_CLOSE_GRACE_MS);
    }
}

void sbe_feeds_lapped(sbe_door *door, unsigned shard)
{
    for (size_t i = 0; i < matching_core_instrument_count(door->server.core); i++) {
        const matching_instrument *instrument = matching_core_instrument(door->server.core, i);
        const sbe_market *market = &door->feeds.markets[i];
        if (instrument == NULL || instrument->shard != shard) {
            continue;
        }
        if (market->view.depth != NULL) {
            matching_depth_view_lose(market->view.depth);
            mark_dirty(&door->feeds, (uint16_t)i);
        }
        end_followers(&market->feeds[SBE_TRADES]);
        end_followers(&market->feeds[SBE_EXACT]);
    }
    size_t count = matching_core_instrument_count(door->server.core);
    while (door->feeds.listed < count) { /* additions may have been among what was lost, */
        sbe_follow_new(door, (uint16_t)door->feeds.listed++);
    }
    for (uint32_t slot = 0; slot < door->server.peer_max; slot++) {
        sbe_connection *connection = (sbe_connection *)door->server.peers[slot];
        if (connection != NULL) { /* ... and states */
            connection->told = 0;
            wire_mark_dirty(&connection->peer);
        }
    }
}

/* ---- What a connection is owed --------------------------------------------------------------- */

static bool has_room(const sbe_connection *connection)
{
    return wire_outbox_length(&connection->peer.outbox) <= connection->peer.server->limits.fresh;
}

static void tell_instrument(sbe_connection *connection, size_t index)
{
    const matching_core *core = connection->peer.server->core;
    const matching_instrument *instrument = matching_core_instrument(core, index);
    uint8_t message[SBE_INSTRUMENT_BYTES];
    sbe_instrument told;
    if (instrument == NULL) {
        return; /* it is told when it is there */
    }
    sbe_report_instrument(&told, instrument, matching_core_state(core, index));
    sbe_instrument_write(message, sizeof message, &told);
    wire_join_event(&connection->peer, message, sizeof message);
}

bool sbe_tell_instruments(sbe_connection *connection)
{
    size_t before = connection->told;
    size_t listed = sbe_door_of(connection)->feeds.listed;
    while (connection->told < listed && has_room(connection) && !wire_is_spent(&connection->peer)) {
        tell_instrument(connection, connection->told++);
        wire_work(&connection->peer, 1);
    }
    return connection->told != before;
}

void sbe_on_instrument(sbe_door *door, uint16_t instrument, bool is_new)
{
    size_t *listed = &door->feeds.listed;
    *listed = *listed > instrument ? *listed : (size_t)instrument + 1;
    for (uint32_t slot = 0; slot < door->server.peer_max; slot++) {
        sbe_connection *connection = (sbe_connection *)door->server.peers[slot];
        if (connection == NULL) {
            continue;
        }
        wire_mark_dirty(&connection->peer);
        if (connection->told > instrument && !wire_is_behind(&connection->peer)) {
            tell_instrument(connection, instrument);
        } else if (connection->told > instrument) {
            connection->told = instrument; /* later, and those after it once more */
        }
    }
    if (is_new) {
        sbe_follow_new(door, instrument);
    }
}

/* The book of a shard whose journal has failed before it was read is not known, and stays so. */
static void refuse_book(sbe_connection *connection)
{
    matching_error error;
    matching_error_set(&error, MATCHING_INTERNAL_ERROR, MATCHING_FIELD_NONE, NULL);
    sbe_refuse(connection, SBE_SUBSCRIBE, 0, &error);
}

static bool tell_books(sbe_connection *connection)
{
    sbe_door *door = sbe_door_of(connection);
    bool any = false;
    for (size_t i = 0; connection->stale_count > 0 && i < connection->subscription_count; i++) {
        sbe_subscription *subscription = &connection->subscriptions[i];
        const sbe_market *market = &door->feeds.markets[subscription->instrument];
        bool is_known = market->view.depth != NULL && matching_depth_view_ready(market->view.depth);
        if (!subscription->is_stale || !(is_known || market->view.has_failed)) {
            continue;
        }
        if (!has_room(connection) || wire_is_spent(&connection->peer)) {
            break;
        }
        wire_work(&connection->peer, 1);
        if (is_known) {
            matching_writer *writer = wire_begin(&door->server);
            write_book(door, writer, subscription->instrument);
            wire_join_event(&connection->peer, writer->data, writer->length);
        } else {
            refuse_book(connection);
        }
        subscription->is_stale = false;
        connection->stale_count--;
        any = true;
    }
    return any;
}

bool sbe_refresh(sbe_connection *connection)
{
    bool any = sbe_tell_instruments(connection);
    any = sbe_release(connection) || any;
    return tell_books(connection) || any;
}
