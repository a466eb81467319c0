/* The `orders_snapshot` of a trader.
 *
 * It is read in pages, since a shard does not stand still for a trader with a hundred thousand
 * orders, and told in parts, since such a message would be tens of megabytes; all but huge ones are
 * one part. Of each page is known up to which event of its shard it reaches. A change of an order
 * that has been told of is told as an update; one of an order that was read goes into what will be
 * told, or has it told now, before the update; one of an order that was not read yet is none, for
 * its page will show it. So nothing is missing and nothing is told twice.
 *
 * Invariants: a read is in its connection's list, whose first one alone goes on, until it is over
 * or no subscription wants it, so a connection has no more of them than subscriptions. Its commands
 * in flight refer to it, so where nobody wants it before they are answered it is kept among the
 * abandoned ones until they are. No more is read than fits into one part, and only while little
 * waits for the client. What was read is held only while more of its part is under way or waits for
 * the port, and by few reads of a door at once: else a thousand clients would each have a part half
 * made.
 */
#include <stdlib.h>
#include <string.h>

#include "door.h"
#include "reply.h"

#define PAGES_AT_ONCE 4u  /* of different instruments */
#define PART_MAX 10000u   /* orders in one message ... */
#define ORDER_BYTES 400u  /* ... and not more than may wait for a client, at so many each */
#define CHANGED_MAX 1000u /* what was read and not told is changed in place up to so many */
#define BYTES_A_UNIT 64u  /* of work, as for other snapshots */

typedef struct next_page {
    uint16_t instrument;
    uint64_t after; /* an order_id */
} next_page;

enum { OF_CONNECTION, WAITING, LIST_COUNT };

struct ws_orders_read {
    uint32_t slot, generation; /* the connection's */
    bool is_abandoned;         /* ... which has done with it */
    char trader_id[MATCHING_TRADER_MAX + 1];
    uint16_t *instruments;
    size_t count, begun;            /* ... of which the first page was asked for */
    next_page rest[PAGES_AT_ONCE];  /* further ones of these */
    unsigned rest_count, under_way; /* together at most PAGES_AT_ONCE */
    matching_order *orders;         /* read, and not told yet */
    size_t order_count, order_room;
    bool is_truncated;
    size_t subscription_count; /* whose `reading` it is */
    bool has_left;             /* ... and no longer is of others */
    bool is_making;            /* orders are there or under way: counted in feeds->making */
    bool is_waiting;           /* in feeds->reads */
    struct {
        ws_orders_read *next, *previous;
    } links[LIST_COUNT]; /* of its connection, or abandoned; feeds->reads */
};

static void insert(ws_orders_list *list, unsigned kind, ws_orders_read *read, bool at_front)
{
    ws_orders_read *next = at_front ? list->first : NULL;
    ws_orders_read *previous = at_front ? NULL : list->last;
    read->links[kind].next = next;
    read->links[kind].previous = previous;
    *(next != NULL ? &next->links[kind].previous : &list->last) = read;
    *(previous != NULL ? &previous->links[kind].next : &list->first) = read;
}

static void take_out(ws_orders_list *list, unsigned kind, ws_orders_read *read)
{
    ws_orders_read *next = read->links[kind].next, *previous = read->links[kind].previous;
    *(next != NULL ? &next->links[kind].previous : &list->last) = previous;
    *(previous != NULL ? &previous->links[kind].next : &list->first) = next;
}

/* ---- What a subscription knows --------------------------------------------------------------- */

void ws_orders_forget_pages(ws_subscription *subscription)
{
    free(subscription->pages);
    subscription->pages = NULL;
    subscription->page_count = 0;
}

/* Which events the snapshot shows of the order: those before this position. UINT64_MAX: it has not
 * been read yet. */
static uint64_t shown_until(const ws_subscription *subscription, uint64_t order_id)
{
    if (order_id > subscription->read_id) {
        return UINT64_MAX;
    }
    for (size_t i = 0; i < subscription->page_count; i++) {
        if (order_id <= subscription->pages[i].last_id) {
            return subscription->pages[i].from_position;
        }
    }
    return subscription->from_position;
}

bool ws_orders_is_news(const ws_subscription *subscription, uint64_t position, uint64_t order_id)
{
    return position >= shown_until(subscription, order_id);
}

/* The page becomes the last one read. False: out of memory. */
static bool note_page(ws_subscription *subscription, uint64_t last_id, uint64_t from_position)
{
    if (subscription->from_position != UINT64_MAX) {
        size_t count = subscription->page_count;
        ws_orders_page *pages = realloc(subscription->pages, (count + 1) * sizeof *pages);
        if (pages == NULL) {
            return false;
        }
        pages[count] = (ws_orders_page){subscription->read_id, subscription->from_position};
        subscription->pages = pages;
        subscription->page_count++;
    }
    subscription->read_id = last_id;
    subscription->from_position = from_position;
    return true;
}

/* The subscription of an instrument that this snapshot is for; NULL: it is gone. */
static ws_subscription *subscription_of(ws_connection *connection, const ws_orders_read *read,
                                        uint16_t instrument)
{
    for (size_t i = 0; i < connection->subscription_count; i++) {
        ws_subscription *subscription = &connection->subscriptions[i];
        if (subscription->reading == read && subscription->instrument == instrument) {
            return subscription;
        }
    }
    return NULL;
}

/* ---- The read -------------------------------------------------------------------------------- */

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
    read->count = read->subscription_count = count;
    return read;
}

static void destroy(ws_orders_read *read)
{
    free(read->instruments);
    free(read->orders);
    free(read);
}

static void drop_orders(ws_orders_read *read)
{
    free(read->orders);
    read->orders = NULL;
    read->order_count = read->order_room = 0;
}

/* Orders of one message, and of one page. */
static size_t part_size(const ws_door *door)
{
    size_t fit = door->server.limits.queue / ORDER_BYTES;
    return fit < PART_MAX ? fit : PART_MAX;
}

static size_t page_size(const ws_door *door)
{
    size_t part = part_size(door);
    return part < MATCHING_PAGE_MAX ? part : MATCHING_PAGE_MAX;
}

/* Room for `more` orders; false: out of memory, the snapshot stays incomplete. */
static bool reserve(const ws_door *door, ws_orders_read *read, size_t more)
{
    size_t wanted = read->order_count + more, most = part_size(door) + page_size(door);
    if (wanted > read->order_room) {
        size_t room = 2 * read->order_room < most ? 2 * read->order_room : most;
        room = wanted > room || read->order_room == 0 ? wanted : room;
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

/* Neither orders nor pages under way: another one may be made. */
static void settle(ws_feeds *feeds, ws_orders_read *read)
{
    if (read->is_making && read->order_count == 0 && read->under_way == 0) {
        read->is_making = false;
        feeds->making--;
    }
}

/* Leaves out the orders of subscriptions that have left: nothing kept them up since then. */
static void leave_out(const ws_connection *connection, ws_orders_read *read)
{
    bool *is_followed = ws_door_of(connection)->feeds.is_chosen;
    size_t kept = 0;
    for (size_t i = 0; i < connection->subscription_count; i++) {
        const ws_subscription *subscription = &connection->subscriptions[i];
        if (subscription->reading == read) {
            is_followed[subscription->instrument] = true;
        }
    }
    for (size_t i = 0; i < read->order_count; i++) {
        if (is_followed[read->orders[i].instrument]) {
            read->orders[kept++] = read->orders[i];
        }
    }
    read->order_count = kept;
    for (size_t i = 0; i < connection->subscription_count; i++) {
        if (connection->subscriptions[i].reading == read) {
            is_followed[connection->subscriptions[i].instrument] = false;
        }
    }
}

/* Tells what was read. */
static void tell(ws_connection *connection, ws_orders_read *read, bool is_last)
{
    ws_door *door = ws_door_of(connection);
    if (read->has_left) {
        leave_out(connection, read);
    }
    ws_write_orders_snapshot(wire_begin(&door->server), door->server.core, read->orders,
                             read->order_count,
                             !is_last             ? WS_SNAPSHOT_MORE
                             : read->is_truncated ? WS_SNAPSHOT_TRUNCATED
                                                  : WS_SNAPSHOT_WHOLE);
    size_t bytes = door->server.writer.length;
    drop_orders(read);
    settle(&door->feeds, read);
    for (size_t i = 0; i < connection->subscription_count; i++) {
        ws_subscription *subscription = &connection->subscriptions[i];
        if (subscription->reading == read) {
            subscription->read_id = is_last ? UINT64_MAX : subscription->read_id;
            subscription->told_id = subscription->read_id;
            subscription->reading = is_last ? NULL : read;
        }
    }
    wire_send_reply(&connection->peer);
    wire_work(&connection->peer, bytes / BYTES_A_UNIT);
}

/* A change of an order after its page was read. */
static void apply(const ws_door *door, ws_orders_read *read, const matching_order *order)
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
    } else if (works && reserve(door, read, 1)) {
        read->orders[read->order_count++] = *order;
    }
}

void ws_orders_changed(ws_connection *connection, const ws_subscription *subscription,
                       const matching_order *order)
{
    ws_orders_read *read = subscription->reading;
    if (order->order_id <= subscription->told_id) {
        return;
    }
    if (read->order_count <= CHANGED_MAX) {
        apply(ws_door_of(connection), read, order);
    } else {
        tell(connection, read, false);
    }
}

/* ---- How it goes on -------------------------------------------------------------------------- */

/* MATCHING_OK or what the port said. */
static matching_code submit(ws_door *door, ws_orders_read *read, next_page page)
{
    const matching_instrument *instrument =
        matching_core_instrument(door->server.core, page.instrument);
    matching_request request = {
        .action = MATCHING_ACTION_LIST_OPEN_ORDERS,
        .present = MATCHING_FIELD_BIT(MATCHING_FIELD_TRADER_ID) |
                   MATCHING_FIELD_BIT(MATCHING_FIELD_SYMBOL) |
                   MATCHING_FIELD_BIT(MATCHING_FIELD_AFTER) |
                   MATCHING_FIELD_BIT(MATCHING_FIELD_LIMIT),
        .trader_id = {read->trader_id, strlen(read->trader_id)},
        .symbol = {instrument->symbol, strlen(instrument->symbol)},
        .after = (int64_t)page.after,
        .limit = (int64_t)page_size(door),
    };
    matching_command command;
    matching_error error;
    matching_code code = matching_gateway_prepare(door->server.core, &request, &command, &error);
    if (code != MATCHING_OK) {
        return code;
    }
    command.flags |= MATCHING_FLAG_ONE_MOMENT; /* events behind it are changes of what it tells */
    matching_text no_id = {NULL, 0};
    ws_pending *pending = ws_pending_add(&door->pending, WS_PENDING_ORDERS, no_id, &command.tag);
    if (pending == NULL) {
        return MATCHING_OVERLOADED;
    }
    pending->read = read;
    pending->instrument = page.instrument;
    command.received_ns = matching_monotonic_ns();
    code = matching_port_submit(door->server.port, &command);
    if (code != MATCHING_OK) {
        ws_pending_remove(&door->pending, command.tag);
    }
    return code;
}

/* ws_orders_submit goes on with it: before others if it has begun, or its turn had come. */
static void wait_turn(ws_feeds *feeds, ws_orders_read *read)
{
    if (!read->is_waiting) {
        insert(&feeds->reads, WAITING, read, read->is_making || read == feeds->admitted);
        read->is_waiting = true;
    }
}

static void wait_no_more(ws_feeds *feeds, ws_orders_read *read)
{
    if (read->is_waiting) {
        take_out(&feeds->reads, WAITING, read);
        read->is_waiting = false;
    }
}

/* May it ask for a page? One that has begun may; of the others, those first that wait. */
static bool may_ask(ws_feeds *feeds, const ws_orders_read *read)
{
    if (read->is_making) {
        return true;
    }
    if (feeds->making == WS_SNAPSHOTS_AT_ONCE) {
        feeds->are_reads_held_up = true;
        return false;
    }
    return feeds->reads.first == NULL || read == feeds->admitted;
}

static bool has_more(const ws_orders_read *read)
{
    return read->rest_count > 0 || read->begun < read->count;
}

/* Asks for the next page. False: the port is full, or others go first. */
static bool ask(ws_door *door, ws_orders_read *read)
{
    ws_feeds *feeds = &door->feeds;
    if (!may_ask(feeds, read)) {
        wait_turn(feeds, read);
        return false;
    }
    bool is_first = read->rest_count == 0;
    next_page page = is_first ? (next_page){read->instruments[read->begun], 0}
                              : read->rest[read->rest_count - 1];
    matching_code code = submit(door, read, page);
    if (code == MATCHING_OVERLOADED) {
        feeds->are_reads_held_up = true;
        wait_turn(feeds, read);
        return false;
    }
    if (code != MATCHING_OK) { /* the service stops: the rest will not come */
        read->is_truncated = true;
        read->count = read->begun;
        read->rest_count = 0;
        return true;
    }
    feeds->making += !read->is_making;
    read->is_making = true;
    read->under_way++;
    read->begun += is_first;
    read->rest_count -= !is_first;
    return true;
}

/* Nobody wants it any more, or it is over. Its commands in flight may still refer to it. */
static void let_go(ws_connection *connection, ws_orders_read *read)
{
    ws_feeds *feeds = &ws_door_of(connection)->feeds;
    take_out(&connection->reads, OF_CONNECTION, read);
    wait_no_more(feeds, read);
    drop_orders(read);
    feeds->making -= read->is_making;
    read->is_making = false;
    if (read->under_way == 0) {
        destroy(read);
    } else {
        read->is_abandoned = true;
        insert(&feeds->abandoned, OF_CONNECTION, read, true);
    }
}

/* All was read: the client is told. */
static void finish(ws_connection *connection, ws_orders_read *read)
{
    if (read->count > 0) {
        tell(connection, read, true);
    }
    for (size_t i = 0; i < connection->subscription_count; i++) {
        if (connection->subscriptions[i].reading == read) {
            connection->subscriptions[i].reading = NULL;
        }
    }
    let_go(connection, read);
}

/* May more be made for the client now? */
static bool is_ready(const ws_connection *connection)
{
    const wire_peer *peer = &connection->peer;
    return peer->state == WIRE_OPEN && !wire_is_spent(peer) &&
           wire_outbox_length(&peer->outbox) <= peer->server->limits.fresh;
}

/* What was read goes out, or nowhere: it is not held for one who does not read. */
static bool clear_away(ws_connection *connection, ws_orders_read *read)
{
    bool tells = read->order_count > 0 && connection->peer.state == WIRE_OPEN;
    if (tells) {
        tell(connection, read, false);
    } else {
        drop_orders(read);
        settle(&ws_door_of(connection)->feeds, read);
    }
    return tells;
}

bool ws_orders_go_on(ws_connection *connection)
{
    ws_door *door = ws_door_of(connection);
    ws_orders_read *read;
    bool any = false;
    while ((read = connection->reads.first) != NULL) {
        bool is_able = is_ready(connection), more = has_more(read);
        size_t room = read->order_count + (read->under_way + 1) * page_size(door);
        if (is_able && more && read->under_way < PAGES_AT_ONCE && room <= part_size(door)) {
            if (!ask(door, read)) {
                return any;
            }
        } else if (read->under_way > 0) {
            return any;
        } else if (!more && connection->peer.state == WIRE_OPEN) {
            any = true;
            finish(connection, read);
        } else if (!is_able) {
            return clear_away(connection, read) || any;
        } else {
            any = true;
            tell(connection, read, false);
        }
    }
    return any;
}

void ws_orders_read_start(ws_connection *connection, ws_orders_read *read)
{
    insert(&connection->reads, OF_CONNECTION, read, false);
    ws_orders_go_on(connection);
}

void ws_orders_joined(ws_orders_read *read)
{
    read->subscription_count++;
}

void ws_orders_left(ws_connection *connection, ws_orders_read *read)
{
    read->has_left = true;
    if (--read->subscription_count == 0) {
        let_go(connection, read);
    }
}

void ws_orders_submit(ws_door *door)
{
    ws_feeds *feeds = &door->feeds;
    feeds->are_reads_held_up = false;
    while (feeds->reads.first != NULL && !feeds->are_reads_held_up) {
        ws_orders_read *read = feeds->reads.first;
        wait_no_more(feeds, read);
        feeds->admitted = read;
        ws_orders_go_on(ws_connection_find(door, read->slot, read->generation));
        feeds->admitted = NULL;
    }
}

void ws_orders_answered(ws_door *door, ws_orders_read *read, uint16_t instrument,
                        const matching_reply *reply)
{
    read->under_way--;
    if (read->is_abandoned) {
        if (read->under_way == 0) {
            take_out(&door->feeds.abandoned, OF_CONNECTION, read);
            destroy(read);
        }
        return;
    }
    ws_connection *connection = ws_connection_find(door, read->slot, read->generation);
    ws_subscription *subscription = subscription_of(connection, read, instrument);
    if (subscription != NULL) {
        bool good = reply->code == MATCHING_OK && reserve(door, read, reply->order_count);
        bool more = good && !reply->orders_complete;
        uint64_t last_id = more ? reply->orders_until : UINT64_MAX;
        read->is_truncated = read->is_truncated || !good;
        if (!note_page(subscription, last_id, reply->events_end)) {
            wire_out_of_memory(&connection->peer);
            return;
        }
        if (good && reply->order_count > 0) {
            memcpy(read->orders + read->order_count, reply->orders,
                   reply->order_count * sizeof *reply->orders);
            read->order_count += reply->order_count;
        }
        if (more) {
            read->rest[read->rest_count++] = (next_page){instrument, last_id};
        }
    }
    ws_orders_go_on(connection);
}

void ws_orders_fini(ws_feeds *feeds)
{
    while (feeds->abandoned.first != NULL) {
        ws_orders_read *read = feeds->abandoned.first;
        take_out(&feeds->abandoned, OF_CONNECTION, read);
        destroy(read);
    }
}
