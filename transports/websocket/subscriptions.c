/* Who follows what: subscriptions of connections, followers of feeds.
 *
 * Invariants: subscription i of a connection stands at its `position` in its feed's list, and that
 * entry says i; an order feed exists exactly while its list is not empty.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "door.h"

#define READ_UNITS 8u /* of work: a shard is asked, and answers */

bool ws_feed_reserve(ws_feed *feed, size_t more)
{
    if (feed->room - feed->count >= more) {
        return true;
    }
    size_t room = feed->room == 0 ? 4 : 2 * feed->room;
    while (room - feed->count < more) {
        room *= 2;
    }
    ws_subscriber *list = realloc(feed->list, room * sizeof *list);
    if (list == NULL) {
        return false;
    }
    feed->list = list;
    feed->room = room;
    return true;
}

/* The feed of a channel; NULL: an order feed that nobody follows yet. */
static ws_feed *feed_of(ws_feeds *feeds, ws_channel channel, uint16_t instrument,
                        const char *trader_id)
{
    if (channel == WS_ORDERS) {
        ws_order_feed *orders = ws_order_feed_find(feeds, instrument, trader_id);
        return orders != NULL ? &orders->feed : NULL;
    }
    return &feeds->markets[instrument].feeds[channel];
}

static ws_subscription *find(ws_connection *connection, const ws_feed *feed)
{
    for (size_t i = 0; feed != NULL && i < connection->subscription_count; i++) {
        if (connection->subscriptions[i].feed == feed) {
            return &connection->subscriptions[i];
        }
    }
    return NULL;
}

/* ---- Many at once: the connection's subscriptions by what they are to ---------------------- */

static uint32_t *place_of(ws_connection *connection, unsigned channel, uint16_t instrument)
{
    ws_door *door = ws_door_of(connection);
    return &door->feeds
                .found[channel * matching_core_instrument_limit(door->server.core) + instrument];
}

/* From here to forget_all `found` finds them, those to orders where they are this trader's. */
static void find_all(ws_connection *connection, const char *trader_id)
{
    for (size_t i = 0; i < connection->subscription_count; i++) {
        const ws_subscription *subscription = &connection->subscriptions[i];
        const ws_order_feed *orders = (const ws_order_feed *)subscription->feed;
        if (subscription->channel != WS_ORDERS || strcmp(orders->trader_id, trader_id) == 0) {
            *place_of(connection, subscription->channel, subscription->instrument) =
                (uint32_t)i + 1;
        }
    }
}

static void forget_all(ws_connection *connection)
{
    for (size_t i = 0; i < connection->subscription_count; i++) {
        const ws_subscription *subscription = &connection->subscriptions[i];
        *place_of(connection, subscription->channel, subscription->instrument) = 0;
    }
}

static ws_subscription *found(ws_connection *connection, unsigned channel, uint16_t instrument)
{
    uint32_t place = *place_of(connection, channel, instrument);
    return place > 0 ? &connection->subscriptions[place - 1] : NULL;
}

/* What it costs to look at so many of something. */
static size_t looks(size_t count)
{
    return count / 8;
}

static void owe_snapshot(ws_connection *connection, ws_subscription *subscription)
{
    if (!subscription->is_stale) {
        subscription->is_stale = true;
        connection->stale_count++;
    }
    wire_mark_dirty(&connection->peer);
}

/* For those who look from outside. */
static void tell_count(ws_connection *connection)
{
    wire_peer *peer = &connection->peer;
    matching_connection_subscribed(peer->server->table, peer->entry,
                                   connection->subscription_count);
}

/* The caller has made room in both lists. */
static ws_subscription *add(ws_connection *connection, ws_feed *feed, ws_channel channel,
                            uint16_t instrument)
{
    size_t index = connection->subscription_count++;
    ws_subscription *subscription = &connection->subscriptions[index];
    *subscription = (ws_subscription){.feed = feed,
                                      .position = feed->count,
                                      .instrument = instrument,
                                      .channel = (uint8_t)channel,
                                      .from_position = UINT64_MAX};
    feed->list[feed->count++] = (ws_subscriber){connection, (uint32_t)index, false};
    tell_count(connection);
    return subscription;
}

static void set_batched(ws_subscription *subscription, bool is_batched)
{
    subscription->is_batched = is_batched;
    subscription->feed->list[subscription->position].is_batched = is_batched;
}

static void remove_at(ws_connection *connection, size_t index)
{
    ws_subscription gone = connection->subscriptions[index];
    ws_feed *feed = gone.feed;
    ws_subscriber moved = feed->list[--feed->count];
    if (gone.position != feed->count) {
        feed->list[gone.position] = moved;
        moved.connection->subscriptions[moved.index].position = gone.position;
    }
    size_t last = --connection->subscription_count;
    if (index != last) {
        connection->subscriptions[index] = connection->subscriptions[last];
        const ws_subscription *other = &connection->subscriptions[index];
        other->feed->list[other->position].index = (uint32_t)index;
    }
    connection->stale_count -= gone.is_stale;
    tell_count(connection);
    if (ws_channel_is_kline(gone.channel)) {
        ws_kline_followed(ws_door_of(connection), gone.instrument, gone.channel);
    }
    if (gone.channel == WS_ORDERS) {
        ws_orders_forget_pages(&gone);
        if (gone.reading != NULL) {
            ws_orders_left(connection, gone.reading);
        }
        ws_order_feed_drop(&ws_door_of(connection)->feeds, (ws_order_feed *)feed);
    }
}

void ws_unsubscribe_all(ws_connection *connection)
{
    while (connection->subscription_count > 0) {
        remove_at(connection, connection->subscription_count - 1);
    }
}

/* The instruments that the message names, each once, into feeds->chosen. Returns how many; 0 with
 * *error filled in. */
static size_t choose_instruments(ws_door *door, const ws_message *message, ws_error *error)
{
    ws_feeds *feeds = &door->feeds;
    size_t count = 0;
    if (message->symbols == NULL) {
        for (size_t i = 0; i < matching_core_instrument_count(door->server.core); i++) {
            if (matching_core_instrument(door->server.core, i) != NULL && ws_market_open(door, i)) {
                feeds->chosen[count++] = (uint16_t)i;
            }
        }
        return count;
    }
    size_t given = json_object_array_length(message->symbols);
    for (size_t i = 0; i < given; i++) {
        struct json_object *symbol = json_object_array_get_idx(message->symbols, i);
        const matching_instrument *instrument =
            matching_core_find_instrument(door->server.core, json_object_get_string(symbol),
                                          (size_t)json_object_get_string_len(symbol));
        if (instrument == NULL) {
            ws_error_set(error, MATCHING_UNKNOWN_SYMBOL, "symbols",
                         "symbols names an instrument that does not exist");
            break;
        }
        if (!ws_market_open(door, instrument->index)) {
            ws_error_set(error, MATCHING_OVERLOADED, "", NULL);
            break;
        }
        if (!feeds->is_chosen[instrument->index]) {
            feeds->is_chosen[instrument->index] = true;
            feeds->chosen[count++] = instrument->index;
        }
    }
    for (size_t i = 0; i < count; i++) {
        feeds->is_chosen[feeds->chosen[i]] = false;
    }
    return error->code == MATCHING_OK ? count : 0;
}

/* The trader that a channel `orders` is about, checked as the gateway does. Empty: none was given.
 */
static matching_code read_trader(const ws_door *door, const ws_message *message,
                                 char trader_id[MATCHING_TRADER_MAX + 1], ws_error *error)
{
    memset(trader_id, 0, MATCHING_TRADER_MAX + 1);
    if (!(message->channels & WS_CHANNEL_BIT(WS_ORDERS)) ||
        !(message->request.present & MATCHING_FIELD_BIT(MATCHING_FIELD_TRADER_ID))) {
        return MATCHING_OK;
    }
    matching_request request = {.action = MATCHING_ACTION_LIST_OPEN_ORDERS,
                                .present = MATCHING_FIELD_BIT(MATCHING_FIELD_TRADER_ID),
                                .trader_id = message->request.trader_id};
    matching_command command;
    matching_error wrong;
    if (matching_gateway_prepare(door->server.core, &request, &command, &wrong) != MATCHING_OK) {
        ws_error_from(error, &wrong);
        return wrong.code;
    }
    memcpy(trader_id, command.trader_id, MATCHING_TRADER_MAX);
    return MATCHING_OK;
}

/* How many subscriptions the message would add. */
static size_t count_new(ws_connection *connection, unsigned channels, size_t chosen)
{
    ws_feeds *feeds = &ws_door_of(connection)->feeds;
    size_t count = 0;
    for (unsigned channel = 0; channel < WS_CHANNEL_COUNT; channel++) {
        for (size_t i = 0; (channels & WS_CHANNEL_BIT(channel)) && i < chosen; i++) {
            count += found(connection, channel, feeds->chosen[i]) == NULL;
        }
    }
    return count;
}

/* Room for `more` subscriptions of the connection. */
static bool make_room(ws_connection *connection, size_t more)
{
    size_t wanted = connection->subscription_count + more;
    if (wanted <= connection->subscription_room) {
        return true;
    }
    ws_subscription *larger =
        realloc(connection->subscriptions, wanted * sizeof *connection->subscriptions);
    if (larger == NULL) {
        return false;
    }
    connection->subscriptions = larger;
    connection->subscription_room = wanted;
    return true;
}

/* Makes room everywhere, so that nothing can fail once the first subscription is in. */
static bool reserve(ws_connection *connection, unsigned channels, size_t chosen, size_t more,
                    const char *trader_id)
{
    ws_feeds *feeds = &ws_door_of(connection)->feeds;
    if (!make_room(connection, more)) {
        return false;
    }
    for (unsigned channel = 0; channel < WS_ORDERS; channel++) {
        for (size_t i = 0; (channels & WS_CHANNEL_BIT(channel)) && i < chosen; i++) {
            if (!ws_feed_reserve(&feeds->markets[feeds->chosen[i]].feeds[channel], 1)) {
                return false;
            }
        }
    }
    bool made = true;
    for (size_t i = 0; made && (channels & WS_CHANNEL_BIT(WS_ORDERS)) && i < chosen; i++) {
        ws_order_feed *feed = ws_order_feed_get(feeds, feeds->chosen[i], trader_id);
        made = feed != NULL && ws_feed_reserve(&feed->feed, 1);
    }
    for (size_t i = 0; !made && i < chosen; i++) { /* those made for nothing */
        ws_order_feed *feed = ws_order_feed_find(feeds, feeds->chosen[i], trader_id);
        if (feed != NULL) {
            ws_order_feed_drop(feeds, feed);
        }
    }
    return made;
}

/* What a subscription has beside its channel and instrument. */
typedef struct options {
    bool follows_new, is_batched;
} options;

/* Every channel but orders. A repeated subscription (NULL: it is none) is none more; its snapshot
 * comes again. */
static void follow_market(ws_connection *connection, ws_subscription *subscription,
                          ws_channel channel, uint16_t instrument, options wanted)
{
    ws_market *market = &ws_door_of(connection)->feeds.markets[instrument];
    ws_feed *feed = &market->feeds[channel];
    if (channel == WS_DEPTH && feed->count == 0) {
        matching_depth_view_step(market->view.depth,
                                 NULL); /* nobody was told of the steps before */
    }
    if (subscription == NULL) {
        subscription = add(connection, feed, channel, instrument);
    }
    subscription->follows_new = subscription->follows_new || wanted.follows_new;
    set_batched(subscription, wanted.is_batched);
    if (channel != WS_TRADES) {
        owe_snapshot(connection, subscription);
        wire_loads_want(&ws_door_of(connection)->feeds.loads, connection->peer.server,
                        instrument); /* nobody may have followed it before */
    }
    if (ws_channel_is_kline(channel)) {
        ws_kline_followed(ws_door_of(connection), instrument, channel);
    }
    if (channel == WS_TICKER) {
        ws_ticker_followed(&ws_door_of(connection)->feeds, subscription);
    }
}

/* Instruments whose snapshot is not being gathered already come to the front of feeds->chosen. */
static size_t follow_orders(ws_connection *connection, size_t chosen, const char *trader_id,
                            options wanted)
{
    ws_feeds *feeds = &ws_door_of(connection)->feeds;
    size_t count = 0;
    for (size_t i = 0; i < chosen; i++) {
        uint16_t instrument = feeds->chosen[i];
        ws_subscription *subscription = found(connection, WS_ORDERS, instrument);
        if (subscription == NULL) {
            ws_feed *feed = feed_of(feeds, WS_ORDERS, instrument, trader_id);
            subscription = add(connection, feed, WS_ORDERS, instrument);
            *place_of(connection, WS_ORDERS, instrument) = (uint32_t)connection->subscription_count;
        }
        subscription->follows_new = subscription->follows_new || wanted.follows_new;
        set_batched(subscription, wanted.is_batched);
        if (subscription->reading == NULL) {
            feeds->chosen[count++] = instrument;
        }
    }
    return count;
}

static unsigned channels_of(const ws_connection *connection)
{
    unsigned channels = 0;
    for (size_t i = 0; i < connection->subscription_count; i++) {
        channels |= WS_CHANNEL_BIT(connection->subscriptions[i].channel);
    }
    return channels;
}

/* Begins the snapshot. Its answer cannot come before this turn is over, so `subscribed` precedes
 * it. */
static void start_orders(ws_connection *connection, size_t chosen, const char *trader_id,
                         options wanted)
{
    ws_feeds *feeds = &ws_door_of(connection)->feeds;
    size_t count = follow_orders(connection, chosen, trader_id, wanted);
    wire_work(&connection->peer, READ_UNITS * count);
    if (count == 0) {
        return;
    }
    ws_orders_read *read = ws_orders_read_create(connection, trader_id, feeds->chosen, count);
    if (read == NULL) {
        wire_end(&connection->peer, LWS_CLOSE_STATUS_UNEXPECTED_CONDITION, "out of memory",
                 WIRE_CLOSE_GRACE_MS);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        ws_subscription *subscription = found(connection, WS_ORDERS, feeds->chosen[i]);
        subscription->is_live = subscription->is_live || subscription->from_position != UINT64_MAX;
        ws_orders_forget_pages(subscription);
        subscription->reading = read;
        subscription->from_position = UINT64_MAX;
        subscription->read_id = subscription->told_id = 0;
    }
    ws_orders_read_start(connection, read);
}

/* The chosen instruments' channels, the trader's orders among them. */
static matching_code subscribe(ws_connection *connection, const ws_message *message, size_t chosen,
                               const char *trader_id, ws_error *error)
{
    ws_door *door = ws_door_of(connection);
    uint32_t most = door->server.config->websocket.max_subscriptions_per_client;
    size_t more = count_new(connection, message->channels, chosen);
    if (more > 0 && connection->subscription_count + more > most) {
        ws_error_set(error, MATCHING_TOO_MANY_SUBSCRIPTIONS, "channels", NULL);
        snprintf(error->message, sizeof error->message,
                 "at most %u subscriptions a connection, one for each channel and symbol; %zu are "
                 "there, %zu more were asked for",
                 most, connection->subscription_count, more);
        return error->code;
    }
    if (!reserve(connection, message->channels, chosen, more, trader_id)) {
        return ws_error_set(error, MATCHING_OVERLOADED, "", NULL);
    }
    wire_work(&connection->peer, more);
    options wanted = {.follows_new = message->symbols == NULL, .is_batched = message->batch};
    for (unsigned channel = 0; channel < WS_ORDERS; channel++) {
        for (size_t i = 0; (message->channels & WS_CHANNEL_BIT(channel)) && i < chosen; i++) {
            uint16_t instrument = door->feeds.chosen[i];
            follow_market(connection, found(connection, channel, instrument), (ws_channel)channel,
                          instrument, wanted);
        }
    }
    if (message->channels & WS_CHANNEL_BIT(WS_TICKER)) {
        wire_work(&connection->peer, READ_UNITS * chosen);
    }
    if (message->channels & WS_CHANNEL_BIT(WS_ORDERS)) {
        start_orders(connection, chosen, trader_id, wanted);
    }
    return MATCHING_OK;
}

matching_code ws_subscribe(ws_connection *connection, const ws_message *message, unsigned *channels,
                           ws_error *error)
{
    ws_door *door = ws_door_of(connection);
    char trader_id[MATCHING_TRADER_MAX + 1];
    if ((message->channels & WS_CHANNEL_BIT(WS_ORDERS)) &&
        connection->peer.level != MATCHING_ACCESS_FULL) {
        return ws_error_set(error, MATCHING_UNAUTHORIZED, "channels",
                            "this origin may follow market data only");
    }
    *error = (ws_error){.code = MATCHING_OK};
    if (read_trader(door, message, trader_id, error) != MATCHING_OK) {
        return error->code;
    }
    matching_connection_trader(connection->peer.entry, trader_id);
    size_t chosen = choose_instruments(door, message, error);
    if (chosen == 0) {
        return error->code;
    }
    wire_work(&connection->peer, looks(chosen * (size_t)__builtin_popcount(message->channels)) +
                                     looks(connection->subscription_count));
    find_all(connection, trader_id);
    matching_code code = subscribe(connection, message, chosen, trader_id, error);
    forget_all(connection);
    *channels = channels_of(connection);
    return code;
}

/* ---- Instruments that come later ------------------------------------------------------------- */

static bool is_last_in(const ws_feed *feed, const ws_connection *connection)
{
    return feed->count > 0 && feed->list[feed->count - 1].connection == connection;
}

/* `orders` of an instrument that nobody has traded yet: there is nothing to take a snapshot of. If
 * the one of the other instruments is still being gathered, updates go into it. */
static void follow_new_orders(ws_connection *connection, ws_feed *feed, uint16_t instrument,
                              const ws_subscription *like)
{
    ws_subscription *subscription = add(connection, feed, WS_ORDERS, instrument);
    subscription->follows_new = true;
    subscription->from_position = 0;
    subscription->is_live = like->is_live;
    subscription->reading = like->reading;
    if (like->reading != NULL) {
        ws_orders_joined(like->reading);
    }
    subscription->read_id = UINT64_MAX;
    subscription->told_id = like->reading != NULL ? 0 : UINT64_MAX;
    set_batched(subscription, like->is_batched);
}

/* Follows the new instrument as `like` follows an older one. False: it can have no more.
 */
static bool follow_like(ws_connection *connection, uint16_t instrument, const ws_subscription *like)
{
    ws_door *door = ws_door_of(connection);
    ws_channel channel = (ws_channel)like->channel;
    ws_feed *feed = NULL;
    if (channel == WS_ORDERS) {
        const char *trader_id = ((const ws_order_feed *)like->feed)->trader_id;
        ws_order_feed *orders = ws_order_feed_get(&door->feeds, instrument, trader_id);
        feed = orders != NULL ? &orders->feed : NULL;
    } else {
        feed = &door->feeds.markets[instrument].feeds[channel];
    }
    if (feed != NULL && (is_last_in(feed, connection) || find(connection, feed) != NULL)) {
        return true;
    }
    bool allowed = connection->subscription_count <
                   door->server.config->websocket.max_subscriptions_per_client;
    bool made = feed != NULL && allowed && make_room(connection, 1) && ws_feed_reserve(feed, 1);
    if (made && channel == WS_ORDERS) {
        follow_new_orders(connection, feed, instrument, like);
    } else if (made) {
        follow_market(connection, NULL, channel, instrument,
                      (options){.follows_new = true, .is_batched = like->is_batched});
    } else if (feed != NULL && channel == WS_ORDERS) {
        ws_order_feed_drop(&door->feeds, (ws_order_feed *)feed);
    }
    if (!made && allowed) {
        wire_end(&connection->peer, LWS_CLOSE_STATUS_UNEXPECTED_CONDITION, "out of memory",
                 WIRE_CLOSE_GRACE_MS);
    }
    return made;
}

void ws_follow_new(ws_door *door, uint16_t instrument)
{
    for (uint32_t slot = 0; slot < door->server.peer_max; slot++) {
        ws_connection *connection = (ws_connection *)door->server.peers[slot];
        size_t count = connection != NULL ? connection->subscription_count : 0;
        for (size_t i = 0; i < count && connection->peer.state == WIRE_OPEN; i++) {
            ws_subscription like = connection->subscriptions[i];
            if (like.follows_new && !follow_like(connection, instrument, &like)) {
                break;
            }
        }
    }
}

matching_code ws_unsubscribe(ws_connection *connection, const ws_message *message,
                             unsigned *channels, ws_error *error)
{
    ws_door *door = ws_door_of(connection);
    ws_feeds *feeds = &door->feeds;
    char trader_id[MATCHING_TRADER_MAX + 1];
    *error = (ws_error){.code = MATCHING_OK};
    if (read_trader(door, message, trader_id, error) != MATCHING_OK) {
        return error->code;
    }
    size_t chosen = choose_instruments(door, message, error);
    if (chosen == 0) {
        return error->code;
    }
    wire_work(&connection->peer, looks(chosen) + looks(connection->subscription_count));
    for (size_t i = 0; i < chosen; i++) {
        feeds->is_chosen[feeds->chosen[i]] = true;
    }
    *channels = 0;
    for (size_t i = connection->subscription_count; i-- > 0;) {
        const ws_subscription *subscription = &connection->subscriptions[i];
        const ws_order_feed *orders = (const ws_order_feed *)subscription->feed;
        unsigned bit = WS_CHANNEL_BIT(subscription->channel);
        bool other_trader = subscription->channel == WS_ORDERS && trader_id[0] != '\0' &&
                            strcmp(orders->trader_id, trader_id) != 0;
        if ((message->channels & bit) && feeds->is_chosen[subscription->instrument] &&
            !other_trader) {
            *channels |= bit;
            wire_work(&connection->peer, 1);
            remove_at(connection, i);
        }
    }
    for (size_t i = 0; i < chosen; i++) {
        feeds->is_chosen[feeds->chosen[i]] = false;
    }
    return MATCHING_OK;
}
