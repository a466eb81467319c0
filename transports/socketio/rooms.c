/* Rooms: a message is made once for all that are in one.
 *
 * A kline room is one series (an instrument's interval) with one subscriptionId, since that stands
 * in the message. Rooms come with their first member and go with their last.
 *
 * Invariants: a member's index and the subscription's position lead to each other; a room is in its
 * bucket, and a kline room in its series too; stale_count counts the stale subscriptions.
 */
#include <stdlib.h>
#include <string.h>

#include "door.h"

#define FIRST_BUCKETS 256u
#define LOOKS_A_UNIT 8u /* of work: a subscription is looked at */

bool sio_rooms_init(sio_door *door)
{
    door->room_buckets = FIRST_BUCKETS;
    door->rooms = calloc(door->room_buckets, sizeof(sio_room *));
    return door->rooms != NULL;
}

void sio_rooms_fini(sio_door *door)
{
    free(door->rooms); /* with the last client the last room went */
}

/* ---- The table ------------------------------------------------------------------------------- */

static uint64_t hash_of(sio_room_kind kind, uint16_t instrument, uint8_t interval,
                        const char *label)
{
    uint64_t hash = (uint64_t)kind << 32 | (uint64_t)instrument << 8 | interval;
    for (; *label != '\0'; label++) {
        hash = (hash ^ (unsigned char)*label) * UINT64_C(0x100000001b3);
    }
    return hash * UINT64_C(0x9e3779b97f4a7c15) >> 32;
}

static sio_room **bucket_of(sio_door *door, const sio_room *room)
{
    return &door->rooms[hash_of(room->kind, room->instrument, room->interval, room->label) &
                        (door->room_buckets - 1)];
}

static sio_room *find(const sio_door *door, sio_room_kind kind, uint16_t instrument,
                      uint8_t interval, const char *label)
{
    sio_room *room =
        door->rooms[hash_of(kind, instrument, interval, label) & (door->room_buckets - 1)];
    while (room != NULL && (room->kind != kind || room->instrument != instrument ||
                            room->interval != interval || strcmp(room->label, label) != 0)) {
        room = room->next;
    }
    return room;
}

static void grow_table(sio_door *door)
{
    size_t count = door->room_buckets;
    sio_room **old = door->rooms;
    sio_room **rooms = calloc(2 * count, sizeof(sio_room *));
    if (rooms == NULL) {
        return; /* longer chains will do */
    }
    door->rooms = rooms;
    door->room_buckets = 2 * count;
    for (size_t i = 0; i < count; i++) {
        for (sio_room *room = old[i], *next; room != NULL; room = next) {
            next = room->next;
            sio_room **bucket = bucket_of(door, room);
            room->next = *bucket;
            *bucket = room;
        }
    }
    free(old);
}

/* Where the market finds the room. */
static bool register_room(sio_door *door, sio_room *room)
{
    sio_series *series = &door->markets[room->instrument].series[room->interval];
    if (room->kind == SIO_ROOM_TOKENS) {
        door->tokens = room;
        return true;
    }
    if (room->kind == SIO_ROOM_PRICE) {
        door->markets[room->instrument].price = room;
        return true;
    }
    if (series->room_count == series->room_room) {
        size_t wanted = series->room_room == 0 ? 4 : 2 * series->room_room;
        sio_room **larger = realloc(series->rooms, wanted * sizeof *larger);
        if (larger == NULL) {
            return false;
        }
        series->rooms = larger;
        series->room_room = wanted;
    }
    room->place = series->room_count;
    series->rooms[series->room_count++] = room;
    matching_candle_feed_follow(door->candles, room->instrument, (matching_interval)room->interval,
                                true);
    return true;
}

static sio_room *create(sio_door *door, sio_room_kind kind, uint16_t instrument, uint8_t interval,
                        const char *label)
{
    size_t length = strlen(label) + 1;
    sio_room *room = calloc(1, sizeof *room + length);
    if (room == NULL) {
        return NULL;
    }
    room->kind = kind;
    room->instrument = instrument;
    room->interval = interval;
    memcpy(room->label, label, length);
    if (!register_room(door, room)) {
        free(room);
        return NULL;
    }
    if (++door->room_count > door->room_buckets) {
        grow_table(door);
    }
    sio_room **bucket = bucket_of(door, room);
    room->next = *bucket;
    *bucket = room;
    return room;
}

static void destroy(sio_door *door, sio_room *room)
{
    sio_room **link = bucket_of(door, room);
    while (*link != room) {
        link = &(*link)->next;
    }
    *link = room->next;
    door->room_count--;
    if (room->kind == SIO_ROOM_TOKENS) {
        door->tokens = NULL;
    } else if (room->kind == SIO_ROOM_PRICE) {
        door->markets[room->instrument].price = NULL;
    } else {
        sio_series *series = &door->markets[room->instrument].series[room->interval];
        sio_room *last = series->rooms[--series->room_count];
        series->rooms[room->place] = last;
        last->place = room->place;
        matching_candle_feed_follow(door->candles, room->instrument,
                                    (matching_interval)room->interval, series->room_count > 0);
    }
    free(room->members);
    free(room);
}

/* ---- Members --------------------------------------------------------------------------------- */

static bool grow(void **list, size_t *room, size_t used, size_t size)
{
    if (used < *room) {
        return true;
    }
    size_t wanted = *room == 0 ? 2 : 2 * *room;
    void *larger = realloc(*list, wanted * size);
    if (larger == NULL) {
        return false;
    }
    *list = larger;
    *room = wanted;
    return true;
}

static sio_subscription *subscription_of(sio_client *client, const sio_room *room)
{
    sio_work(client, client->subscription_count / LOOKS_A_UNIT);
    for (size_t i = 0; room != NULL && i < client->subscription_count; i++) {
        if (client->subscriptions[i].room == room) {
            return &client->subscriptions[i];
        }
    }
    return NULL;
}

sio_code sio_join(sio_client *client, sio_room_kind kind, uint16_t instrument, uint8_t interval,
                  const char *label, bool *already)
{
    sio_door *door = client->door;
    sio_room *room = find(door, kind, instrument, interval, label);
    *already = subscription_of(client, room) != NULL;
    if (*already) {
        return SIO_FINE;
    }
    if (client->subscription_count >= door->server.config->socketio.max_subscriptions_per_client) {
        return SIO_TOO_MANY;
    }
    if (room == NULL) {
        room = create(door, kind, instrument, interval, label);
    }
    void *members = room == NULL ? NULL : room->members, *own = client->subscriptions;
    bool grown =
        room != NULL && grow(&members, &room->member_room, room->count, sizeof(sio_member));
    if (grown) {
        room->members = members;
        grown = grow(&own, &client->subscription_room, client->subscription_count,
                     sizeof(sio_subscription));
        client->subscriptions = own;
    }
    if (!grown) {
        if (room != NULL && room->count == 0) {
            destroy(door, room);
        }
        return SIO_BAD_PARAMETER;
    }
    room->members[room->count] = (sio_member){client, client->subscription_count};
    client->subscriptions[client->subscription_count++] =
        (sio_subscription){.room = room, .position = room->count};
    room->count++;
    sio_tell_count(client, client->subscription_count);
    return SIO_FINE;
}

/* The last one takes the place of the one that goes, in both lists. */
static void leave(sio_client *client, size_t index)
{
    sio_subscription *gone = &client->subscriptions[index];
    sio_room *room = gone->room;
    client->stale_count -= gone->is_stale;
    sio_member *last_member = &room->members[--room->count];
    room->members[gone->position] = *last_member;
    last_member->client->subscriptions[last_member->index].position = gone->position;
    sio_subscription *last = &client->subscriptions[--client->subscription_count];
    if (last != gone) {
        *gone = *last;
        gone->room->members[gone->position].index = index;
    }
    sio_tell_count(client, client->subscription_count);
    if (room->count == 0) {
        destroy(client->door, room);
    }
}

bool sio_leave(sio_client *client, sio_room_kind kind, uint16_t instrument, uint8_t interval,
               const char *label)
{
    const sio_subscription *found =
        subscription_of(client, find(client->door, kind, instrument, interval, label));
    if (found == NULL) {
        return false;
    }
    leave(client, (size_t)(found - client->subscriptions));
    return true;
}

void sio_leave_all(sio_client *client)
{
    sio_work(client, client->subscription_count);
    while (client->subscription_count > 0) {
        leave(client, client->subscription_count - 1);
    }
}

/* ---- Messages -------------------------------------------------------------------------------- */

static void make_stale(sio_subscription *subscription, sio_client *client, bool is_final)
{
    client->stale_count += !subscription->is_stale;
    subscription->is_stale = true;
    subscription->owes_final = subscription->owes_final || is_final;
}

size_t sio_send_to_room(const sio_room *room, bool is_state, bool is_final)
{
    size_t recipients = 0;
    for (size_t i = 0; i < room->count; i++) {
        sio_client *client = room->members[i].client;
        sio_subscription *subscription = &client->subscriptions[room->members[i].index];
        if (!is_state) {
            sio_send(client);
            recipients++;
        } else if (subscription->is_stale) { /* what it is owed comes first */
            subscription->owes_final = subscription->owes_final || is_final;
            if (!is_final) {
                sio_pass_over(client);
            }
        } else if (sio_send_state(client)) {
            recipients++;
        } else {
            make_stale(subscription, client, is_final);
        }
    }
    return recipients;
}

void sio_owe(sio_client *client, sio_room_kind kind, uint16_t instrument, uint8_t interval,
             const char *label)
{
    sio_subscription *subscription =
        subscription_of(client, find(client->door, kind, instrument, interval, label));
    if (subscription == NULL) {
        return;
    }
    make_stale(subscription, client, false);
    if (client->peer != NULL) {
        wire_mark_dirty(client->peer);
    } else {
        sio_mark_ready(client);
    }
}

/* What the writer holds: a state. */
static bool send_made(sio_client *client)
{
    sio_work(client, 1 + client->door->server.writer.length / SIO_BYTES_A_UNIT);
    return sio_send_state(client);
}

/* True: it is owed nothing more. */
static bool send_owed(sio_client *client, sio_subscription *subscription)
{
    sio_door *door = client->door;
    const sio_room *room = subscription->room;
    const sio_market *market = &door->markets[room->instrument];
    if (room->kind == SIO_ROOM_PRICE) {
        if (market->price_ticks == 0) {
            return true;
        }
        sio_write_price_update(door, room->instrument, 1);
        return send_made(client);
    }
    const matching_candle *final = sio_last_final(door, room);
    if (subscription->owes_final && final != NULL) {
        sio_write_kline_data(door, room, final, 1);
        if (!send_made(client)) {
            return false;
        }
    }
    subscription->owes_final = false;
    const matching_candle *running = matching_candle_feed_running(
        door->candles, room->instrument, (matching_interval)room->interval);
    if (running != NULL) {
        sio_write_kline_data(door, room, running, 1);
        return send_made(client);
    }
    return true;
}

bool sio_refresh(sio_client *client)
{
    bool any = false;
    for (size_t i = 0; client->stale_count > 0 && i < client->subscription_count; i++) {
        sio_subscription *subscription = &client->subscriptions[i];
        if (!subscription->is_stale) {
            continue;
        }
        if (sio_is_spent(client) || !send_owed(client, subscription)) {
            return any;
        }
        subscription->is_stale = false;
        client->stale_count--;
        any = true;
    }
    return any;
}
