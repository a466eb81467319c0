/* Who follows what: subscriptions of connections, followers of feeds.
 *
 * Invariant: subscription i of a connection stands at its `position` in its feed's list, and that
 * entry says i.
 */
#include <stdlib.h>
#include <string.h>

#include "door.h"

#define ALL_CHANNELS (SBE_CHANNEL_TRADES | SBE_CHANNEL_BOOK | SBE_CHANNEL_TRADES_EXACT)

/* What it costs to look at so many of something. */
static size_t looks(size_t count)
{
    return count / 8;
}

static sbe_feed *feed_of(sbe_door *door, const sbe_subscription *subscription)
{
    return &door->feeds.markets[subscription->instrument].feeds[subscription->channel];
}

static void count_subscriptions(const sbe_connection *connection)
{
    matching_connection_subscribed(connection->peer.server->table, connection->peer.entry,
                                   connection->subscription_count);
}

static void remove_at(sbe_connection *connection, size_t index)
{
    sbe_door *door = sbe_door_of(connection);
    sbe_subscription gone = connection->subscriptions[index];
    sbe_feed *feed = feed_of(door, &gone);
    connection->following[gone.instrument] &= (uint8_t) ~(1u << gone.channel);
    sbe_follower moved = feed->list[--feed->count];
    if (gone.position != feed->count) {
        feed->list[gone.position] = moved;
        moved.connection->subscriptions[moved.index].position = gone.position;
    }
    size_t last = --connection->subscription_count;
    if (index != last) {
        connection->subscriptions[index] = connection->subscriptions[last];
        const sbe_subscription *other = &connection->subscriptions[index];
        feed_of(door, other)->list[other->position].index = index;
    }
    connection->stale_count -= gone.is_stale;
    connection->book_count -= gone.channel == SBE_BOOK;
    count_subscriptions(connection);
}

void sbe_unsubscribe_all(sbe_connection *connection)
{
    while (connection->subscription_count > 0) {
        remove_at(connection, connection->subscription_count - 1);
    }
    connection->new_channels = connection->whole = 0;
}

/* ---- Adding ---------------------------------------------------------------------------------- */

/* Room for one more; false: out of memory. */
static bool reserve(sbe_connection *connection, sbe_market *market, sbe_feed *feed, bool is_book)
{
    if (feed->count == feed->room) {
        size_t room = feed->room == 0 ? 4 : 2 * feed->room;
        sbe_follower *list = realloc(feed->list, room * sizeof *list);
        if (list == NULL) {
            return false;
        }
        feed->list = list;
        feed->room = room;
    }
    if (connection->subscription_count == connection->subscription_room) {
        size_t room = connection->subscription_room == 0 ? 4 : 2 * connection->subscription_room;
        sbe_subscription *list = realloc(connection->subscriptions, room * sizeof *list);
        if (list == NULL) {
            return false;
        }
        connection->subscriptions = list;
        connection->subscription_room = room;
    }
    if (is_book && market->view.depth == NULL) {
        market->view.depth = matching_depth_view_create();
    }
    return !is_book || market->view.depth != NULL;
}

static void owe_book(sbe_connection *connection, sbe_subscription *subscription)
{
    sbe_feeds *feeds = &sbe_door_of(connection)->feeds;
    subscription->is_stale = true;
    connection->stale_count++;
    if (wire_view_wants_load(&feeds->markets[subscription->instrument].view)) {
        wire_loads_want(&feeds->loads, connection->peer.server, subscription->instrument);
    }
}

/* Follows a channel that it does not follow yet; a book is owed from then on. */
static bool add(sbe_connection *connection, unsigned channel, uint16_t instrument)
{
    sbe_market *market = &sbe_door_of(connection)->feeds.markets[instrument];
    sbe_feed *feed = &market->feeds[channel];
    if (!reserve(connection, market, feed, channel == SBE_BOOK)) {
        return false;
    }
    size_t index = connection->subscription_count++;
    connection->subscriptions[index] = (sbe_subscription){
        .position = feed->count, .instrument = instrument, .channel = (uint8_t)channel};
    feed->list[feed->count++] = (sbe_follower){connection, index};
    connection->following[instrument] |= (uint8_t)(1u << channel);
    if (channel == SBE_BOOK) {
        connection->book_count++;
        owe_book(connection, &connection->subscriptions[index]);
    }
    count_subscriptions(connection);
    return true;
}

/* The books of these instruments that it follows are to be told, those that it has followed before
 * once more, unless all were told after the message that asks for them had come in. */
static void owe_books(sbe_connection *connection, size_t begin, size_t end)
{
    bool are_told = connection->stale_count == 0 && connection->has_owed_all;
    if (!are_told && connection->stale_count < connection->book_count) {
        wire_work(&connection->peer, looks(connection->subscription_count));
        for (size_t i = 0; i < connection->subscription_count; i++) {
            sbe_subscription *subscription = &connection->subscriptions[i];
            if (subscription->channel == SBE_BOOK && !subscription->is_stale &&
                subscription->instrument >= begin && subscription->instrument < end) {
                owe_book(connection, subscription);
            }
        }
    }
    connection->has_owed_all =
        connection->has_owed_all || connection->stale_count == connection->book_count;
    wire_mark_dirty(&connection->peer);
}

static bool is_full(const sbe_connection *connection)
{
    return connection->subscription_count >=
           connection->peer.server->config->sbe.max_subscriptions_per_client;
}

/* ---- The message ----------------------------------------------------------------------------- */

static matching_code fail(matching_error *error, matching_code code, const char *message)
{
    matching_error_set(error, code, MATCHING_FIELD_NONE, message);
    return code;
}

/* The indexes that a Subscribe is about: *begin to before *end; some may have no instrument. */
static bool range_of(sbe_door *door, uint32_t id, size_t *begin, size_t *end)
{
    const matching_instrument *instrument =
        id == 0 ? NULL : sbe_instruments_find(&door->instruments, id);
    *begin = instrument != NULL ? instrument->index : 0;
    *end = instrument != NULL ? *begin + 1 : door->feeds.listed;
    return id == 0 || instrument != NULL;
}

/* Does it lack this one of the channels? */
static bool lacks(const sbe_connection *connection, unsigned channels, unsigned channel,
                  size_t instrument)
{
    return (channels & 1u << channel) != 0 &&
           (connection->following[instrument] & 1u << channel) == 0 &&
           matching_core_instrument(connection->peer.server->core, instrument) != NULL;
}

/* How many subscriptions a Subscribe would add. */
static size_t count_new(const sbe_connection *connection, unsigned channels, size_t begin,
                        size_t end)
{
    size_t count = 0;
    for (size_t i = begin; i < end; i++) {
        for (unsigned channel = 0; channel < SBE_CHANNEL_COUNT; channel++) {
            count += lacks(connection, channels, channel, i);
        }
    }
    return count;
}

static bool has_marks(sbe_connection *connection)
{
    if (connection->following == NULL) {
        connection->following =
            calloc(matching_core_instrument_limit(connection->peer.server->core), 1);
    }
    return connection->following != NULL;
}

static matching_code subscribe(sbe_connection *connection, unsigned channels, size_t begin,
                               size_t end, matching_error *error)
{
    uint32_t most = connection->peer.server->config->sbe.max_subscriptions_per_client;
    if (!has_marks(connection)) {
        return fail(error, MATCHING_OVERLOADED, NULL);
    }
    wire_work(&connection->peer, looks(end - begin));
    if (connection->subscription_count + count_new(connection, channels, begin, end) > most) {
        return fail(error, MATCHING_TOO_MANY_SUBSCRIPTIONS, NULL);
    }
    for (size_t i = begin; i < end; i++) {
        for (unsigned channel = 0; channel < SBE_CHANNEL_COUNT; channel++) {
            if (!lacks(connection, channels, channel, i)) {
                continue;
            }
            wire_work(&connection->peer, 1);
            if (!add(connection, channel, (uint16_t)i)) {
                return fail(error, MATCHING_OVERLOADED, NULL);
            }
        }
    }
    return MATCHING_OK;
}

static void unsubscribe(sbe_connection *connection, unsigned channels, size_t begin, size_t end)
{
    wire_work(&connection->peer, looks(connection->subscription_count));
    for (size_t i = connection->subscription_count; i-- > 0;) {
        const sbe_subscription *subscription = &connection->subscriptions[i];
        if ((channels & 1u << subscription->channel) && subscription->instrument >= begin &&
            subscription->instrument < end) {
            wire_work(&connection->peer, 1);
            remove_at(connection, i);
        }
    }
}

matching_code sbe_on_subscribe(sbe_connection *connection, const sbe_message *message,
                               matching_error *error)
{
    sbe_door *door = sbe_door_of(connection);
    uint8_t channels = sbe_subscribe_channels(message->block);
    uint8_t action = sbe_subscribe_action(message->block);
    uint32_t id = sbe_subscribe_instrument_id(message->block);
    size_t begin, end;
    if (channels == 0 || (channels & ~ALL_CHANNELS) != 0) {
        return fail(error, MATCHING_INVALID_CHANNEL, NULL);
    }
    if (action > SBE_ACTION_UNSUBSCRIBE) {
        return fail(error, MATCHING_INVALID_PARAMETER, "action must be 0 or 1");
    }
    if (!range_of(door, id, &begin, &end)) {
        matching_error_set(error, MATCHING_UNKNOWN_SYMBOL, MATCHING_FIELD_SYMBOL,
                           "no instrument has this id");
        return error->code;
    }
    if (action == SBE_ACTION_UNSUBSCRIBE) {
        unsubscribe(connection, channels, begin, end);
        connection->new_channels &= id == 0 ? (uint8_t)~channels : UINT8_MAX;
        connection->whole &= (uint8_t)~channels;
        return MATCHING_OK;
    }
    /* Who asks for what it has is not looked at instrument by instrument. */
    bool is_new = (channels & ~connection->whole) != 0;
    matching_code code = is_new ? subscribe(connection, channels, begin, end, error) : MATCHING_OK;
    if (code == MATCHING_OK && id == 0) {
        connection->new_channels |= channels;
        connection->whole |= channels;
    }
    if (code == MATCHING_OK && channels & SBE_CHANNEL_BOOK) {
        owe_books(connection, begin, end);
    }
    return code;
}

/* What it lacks of an instrument that was added. False, with the code, where it does not get it. */
static bool follow_new(sbe_connection *connection, unsigned channels, uint16_t instrument,
                       matching_code *code)
{
    bool has_all = true;
    for (unsigned channel = 0; channel < SBE_CHANNEL_COUNT; channel++) {
        if (!lacks(connection, channels, channel, instrument)) {
            continue;
        }
        *code = is_full(connection) ? MATCHING_TOO_MANY_SUBSCRIPTIONS : MATCHING_OVERLOADED;
        if (is_full(connection) || !add(connection, channel, instrument)) {
            connection->whole &= (uint8_t) ~(1u << channel);
            has_all = false;
        }
    }
    return has_all;
}

void sbe_follow_new(sbe_door *door, uint16_t instrument)
{
    matching_error error;
    matching_code code = MATCHING_OK;
    for (uint32_t slot = 0; slot < door->server.peer_max; slot++) {
        sbe_connection *connection = (sbe_connection *)door->server.peers[slot];
        bool is_open = connection != NULL && connection->peer.state == WIRE_OPEN;
        unsigned channels = is_open ? connection->new_channels : 0;
        if (channels != 0 && !follow_new(connection, channels, instrument, &code)) {
            fail(&error, code, NULL);
            /* First, which one that is; where there is no room for it, that comes later. */
            (void)sbe_tell_instruments(connection);
            sbe_refuse(connection, SBE_SUBSCRIBE, 0, &error);
        }
        if (channels & SBE_CHANNEL_BOOK) {
            owe_books(connection, instrument, (size_t)instrument + 1);
        }
    }
}
