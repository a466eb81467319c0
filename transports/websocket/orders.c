/* The channel `orders`: a snapshot of a trader's working orders, then every change of them.
 *
 * The snapshot is gathered by one read for each instrument, since each read says up to which event
 * of its shard it reaches. An update that comes while other parts are still awaited goes into the
 * gathered orders, so that what is sent is current and nothing overtakes it.
 *
 * Invariants: a read is referred to by the subscriptions it is gathered for and by its commands in
 * flight; it is freed when the last of these has been answered.
 */
#include <stdlib.h>
#include <string.h>

#include "door.h"
#include "reply.h"

struct ws_orders_read {
    uint32_t slot, generation; /* the connection's */
    char trader_id[MATCHING_TRADER_MAX + 1];
    uint16_t *instruments;
    size_t count, submitted, answered;
    matching_order *orders;
    size_t order_count, order_room;
    bool is_truncated;
    ws_orders_read *next; /* in feeds->reads, while not all are submitted */
};

/* ---- Who follows whom ------------------------------------------------------------------------ */

static size_t bucket_of(const ws_feeds *feeds, uint16_t instrument, const char *trader_id)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ instrument; /* FNV-1a */
    for (; *trader_id != '\0'; trader_id++) {
        hash = (hash ^ (unsigned char)*trader_id) * UINT64_C(0x100000001b3);
    }
    return (size_t)(hash ^ hash >> 32) & (feeds->bucket_count - 1);
}

ws_order_feed *ws_order_feed_find(const ws_feeds *feeds, uint16_t instrument, const char *trader_id)
{
    if (feeds->order_feed_count == 0) {
        return NULL;
    }
    ws_order_feed *feed = feeds->buckets[bucket_of(feeds, instrument, trader_id)];
    while (feed != NULL &&
           (feed->instrument != instrument || strcmp(feed->trader_id, trader_id) != 0)) {
        feed = feed->next;
    }
    return feed;
}

/* Twice the buckets; without memory the chains only get longer. */
static void grow_buckets(ws_feeds *feeds)
{
    ws_feeds larger = *feeds;
    larger.bucket_count = feeds->bucket_count == 0 ? 256 : 2 * feeds->bucket_count;
    larger.buckets = calloc(larger.bucket_count, sizeof *larger.buckets);
    if (larger.buckets == NULL) {
        return;
    }
    for (size_t i = 0; i < feeds->bucket_count; i++) {
        for (ws_order_feed *feed = feeds->buckets[i], *next; feed != NULL; feed = next) {
            next = feed->next;
            ws_order_feed **bucket =
                &larger.buckets[bucket_of(&larger, feed->instrument, feed->trader_id)];
            feed->next = *bucket;
            *bucket = feed;
        }
    }
    free(feeds->buckets);
    *feeds = larger;
}

ws_order_feed *ws_order_feed_get(ws_feeds *feeds, uint16_t instrument, const char *trader_id)
{
    ws_order_feed *feed = ws_order_feed_find(feeds, instrument, trader_id);
    if (feed != NULL) {
        return feed;
    }
    if (feeds->order_feed_count >= feeds->bucket_count) {
        grow_buckets(feeds);
    }
    feed = feeds->bucket_count > 0 ? calloc(1, sizeof *feed) : NULL;
    if (feed == NULL) {
        return NULL;
    }
    feed->instrument = instrument;
    memcpy(feed->trader_id, trader_id, sizeof feed->trader_id);
    feed->watched = matching_port_watch(feeds->port, trader_id);
    ws_order_feed **bucket = &feeds->buckets[bucket_of(feeds, instrument, trader_id)];
    feed->next = *bucket;
    *bucket = feed;
    feeds->order_feed_count++;
    return feed;
}

void ws_order_feed_drop(ws_feeds *feeds, ws_order_feed *feed)
{
    if (feed->feed.count > 0) {
        return;
    }
    ws_order_feed **at = &feeds->buckets[bucket_of(feeds, feed->instrument, feed->trader_id)];
    while (*at != feed) {
        at = &(*at)->next;
    }
    *at = feed->next;
    feeds->order_feed_count--;
    matching_port_unwatch(feeds->port, feed->watched);
    free(feed->feed.list);
    free(feed);
}

/* ---- The snapshot ---------------------------------------------------------------------------- */

ws_orders_read *ws_orders_read_create(ws_connection *connection, const char *trader_id,
                                      const uint16_t *instruments, size_t count)
{
    ws_orders_read *read = calloc(1, sizeof *read);
    uint16_t *copy = malloc(count * sizeof *copy);
    if (read == NULL || copy == NULL) {
        free(read);
        free(copy);
        return NULL;
    }
    memcpy(copy, instruments, count * sizeof *copy);
    memcpy(read->trader_id, trader_id, sizeof read->trader_id);
    read->slot = connection->peer.slot;
    read->generation = connection->peer.generation;
    read->instruments = copy;
    read->count = count;
    return read;
}

void ws_orders_read_destroy(ws_orders_read *read)
{
    free(read->instruments);
    free(read->orders);
    free(read);
}

/* The subscription of an instrument that this snapshot is for; NULL: it is gone. */
static ws_subscription *subscription_of(ws_connection *connection, const ws_orders_read *read,
                                        uint16_t instrument)
{
    for (size_t i = 0; connection != NULL && i < connection->subscription_count; i++) {
        ws_subscription *subscription = &connection->subscriptions[i];
        if (subscription->reading == read && subscription->instrument == instrument) {
            return subscription;
        }
    }
    return NULL;
}

/* Everything asked for is answered: tells the client, unless it no longer wants to know. */
static void finish(ws_door *door, ws_orders_read *read)
{
    ws_connection *connection = ws_connection_find(door, read->slot, read->generation);
    bool wanted = false;
    for (size_t i = 0; connection != NULL && i < connection->subscription_count; i++) {
        if (connection->subscriptions[i].reading == read) {
            connection->subscriptions[i].reading = NULL;
            wanted = read->count > 0;
        }
    }
    if (wanted) {
        ws_write_orders_snapshot(wire_begin(&door->server), door->server.core, read->orders,
                                 read->order_count, read->is_truncated);
        wire_send_reply(&connection->peer);
    }
    ws_orders_read_destroy(read);
}

/* MATCHING_OK or what the port said; whoever is gone needs no more parts. */
static matching_code submit_next(ws_door *door, ws_orders_read *read)
{
    uint16_t index = read->instruments[read->submitted];
    const matching_instrument *instrument = matching_core_instrument(door->server.core, index);
    matching_request request = {
        .action = MATCHING_ACTION_LIST_OPEN_ORDERS,
        .present = MATCHING_FIELD_BIT(MATCHING_FIELD_TRADER_ID) |
                   MATCHING_FIELD_BIT(MATCHING_FIELD_SYMBOL),
        .trader_id = {read->trader_id, strlen(read->trader_id)},
        .symbol = {instrument->symbol, strlen(instrument->symbol)},
    };
    matching_command command;
    matching_error error;
    matching_code code = matching_gateway_prepare(door->server.core, &request, &command, &error);
    if (code != MATCHING_OK) {
        return code;
    }
    matching_text no_id = {NULL, 0};
    ws_pending *pending = ws_pending_add(&door->pending, WS_PENDING_ORDERS, no_id, &command.tag);
    if (pending == NULL) {
        return MATCHING_OVERLOADED;
    }
    pending->read = read;
    pending->instrument = index;
    command.received_ns = matching_monotonic_ns();
    code = matching_port_submit(door->server.port, &command);
    if (code != MATCHING_OK) {
        ws_pending_remove(&door->pending, command.tag);
    }
    return code;
}

void ws_orders_submit(ws_door *door)
{
    while (door->feeds.reads != NULL) {
        ws_orders_read *read = door->feeds.reads;
        bool gone = ws_connection_find(door, read->slot, read->generation) == NULL;
        while (!gone && read->submitted < read->count) {
            matching_code code = submit_next(door, read);
            if (code == MATCHING_OVERLOADED) {
                return; /* the next turn goes on here */
            }
            gone = code != MATCHING_OK; /* the service stops: the rest will not come */
            read->submitted += !gone;
        }
        door->feeds.reads = read->next;
        read->is_truncated = read->is_truncated || read->submitted < read->count;
        read->count = read->submitted;
        if (read->answered == read->count) {
            finish(door, read);
        }
    }
}

void ws_orders_read_start(ws_door *door, ws_orders_read *read)
{
    ws_orders_read **last = &door->feeds.reads;
    while (*last != NULL) {
        last = &(*last)->next;
    }
    *last = read;
    ws_orders_submit(door);
}

/* Room for `more` orders; false: out of memory, the snapshot stays incomplete. */
static bool reserve(ws_orders_read *read, size_t more)
{
    size_t wanted = read->order_count + more;
    if (wanted > read->order_room) {
        size_t room = wanted > 2 * read->order_room ? wanted : 2 * read->order_room;
        matching_order *orders = realloc(read->orders, room * sizeof *orders);
        if (orders == NULL) {
            read->is_truncated = true;
            return false;
        }
        read->orders = orders;
        read->order_room = room;
    }
    return true;
}

void ws_orders_answered(ws_door *door, ws_orders_read *read, uint16_t instrument,
                        const matching_reply *reply)
{
    ws_connection *connection = ws_connection_find(door, read->slot, read->generation);
    ws_subscription *subscription = subscription_of(connection, read, instrument);
    read->answered++;
    if (subscription != NULL) {
        subscription->from_position = reply->events_end;
        read->is_truncated =
            read->is_truncated || reply->code != MATCHING_OK || !reply->orders_complete;
        if (reply->order_count > 0 && reserve(read, reply->order_count)) {
            memcpy(read->orders + read->order_count, reply->orders,
                   reply->order_count * sizeof *reply->orders);
            read->order_count += reply->order_count;
        }
    }
    if (read->answered == read->count) {
        finish(door, read);
    }
}

/* A change of an order after its part of the snapshot was read. */
static void apply(ws_orders_read *read, const matching_order *order)
{
    size_t at = 0;
    while (at < read->order_count && read->orders[at].order_id != order->order_id) {
        at++;
    }
    bool works = matching_order_is_working(order);
    if (at < read->order_count && works) {
        read->orders[at] = *order;
    } else if (at < read->order_count) {
        read->order_count--;
        memmove(&read->orders[at], &read->orders[at + 1],
                (read->order_count - at) * sizeof *read->orders);
    } else if (works && reserve(read, 1)) {
        read->orders[read->order_count++] = *order;
    }
}

void ws_on_order_event(ws_door *door, uint64_t position, const matching_event *event,
                       const matching_order *order)
{
    const ws_order_feed *orders =
        ws_order_feed_find(&door->feeds, order->instrument, order->trader_id);
    matching_span span;
    size_t recipients = 0;
    for (size_t i = 0; orders != NULL && i < orders->feed.count; i++) {
        ws_connection *connection = orders->feed.list[i].connection;
        const ws_subscription *subscription =
            &connection->subscriptions[orders->feed.list[i].index];
        bool in_snapshot = position < subscription->from_position;
        if (subscription->reading != NULL && !in_snapshot) {
            apply(subscription->reading, order);
        }
        if (!subscription->is_live && (in_snapshot || subscription->reading != NULL)) {
            continue;
        }
        if (recipients++ == 0) {
            wire_broadcast_begin(&span);
            ws_write_order_update(wire_begin_shared(&door->server, orders->feed.count),
                                  door->server.core, order, event, (matching_text){NULL, 0});
        }
        ws_send_event(&orders->feed.list[i]);
    }
    if (recipients > 0) {
        ws_broadcast_end(door, &span, WS_ORDERS, order->instrument, recipients);
    }
}
