/* The channel `orders`: who follows whom, and every change of their orders after the snapshot
 * (orders_snapshot.c).
 *
 * Invariants: an order feed is in the bucket of its instrument and trader, and exists while
 * somebody follows it.
 */
#include <stdlib.h>
#include <string.h>

#include "door.h"
#include "reply.h"

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

/* ---- Changes --------------------------------------------------------------------------------- */

/* Changes of orders that a snapshot is being made of go into that, or have it told first. */
static void note_changes(const ws_order_feed *orders, uint64_t position,
                         const matching_order *order)
{
    for (size_t i = 0; i < orders->feed.count; i++) {
        ws_connection *connection = orders->feed.list[i].connection;
        ws_subscription *subscription = &connection->subscriptions[orders->feed.list[i].index];
        if (subscription->reading != NULL) {
            if (ws_orders_is_news(subscription, position, order->order_id)) {
                ws_orders_changed(connection, subscription, order);
            }
        } else if (subscription->pages != NULL && position >= subscription->from_position) {
            ws_orders_forget_pages(subscription); /* whatever comes is news */
        }
    }
}

static bool is_told(const ws_subscription *subscription, uint64_t position, uint64_t order_id)
{
    return subscription->is_live || (order_id <= subscription->told_id &&
                                     ws_orders_is_news(subscription, position, order_id));
}

void ws_on_order_event(ws_door *door, uint64_t position, const matching_event *event,
                       const matching_order *order)
{
    const ws_order_feed *orders =
        ws_order_feed_find(&door->feeds, order->instrument, order->trader_id);
    matching_span span;
    size_t recipients = 0;
    if (orders == NULL) {
        return;
    }
    note_changes(orders, position, order);
    for (size_t i = 0; i < orders->feed.count; i++) {
        const ws_subscriber *follower = &orders->feed.list[i];
        if (!is_told(&follower->connection->subscriptions[follower->index], position,
                     order->order_id)) {
            continue;
        }
        if (recipients++ == 0) {
            wire_broadcast_begin(&span);
            ws_write_order_update(wire_begin_shared(&door->server, orders->feed.count),
                                  door->server.core, order, event, (matching_text){NULL, 0});
        }
        ws_send_event(follower);
    }
    if (recipients > 0) {
        ws_broadcast_end(door, &span, WS_ORDERS, order->instrument, recipients);
    }
}
