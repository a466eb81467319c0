/* Clients: sessions with what carries them, and what is queued for them.
 *
 * Invariants: a client that is not over is in `clients` and in its bucket; one that is over is in
 * `dead`, is sent nothing, and is freed when the turn ends, so that whoever is walking over rooms
 * can end one. `polled` is the sum of the sessions' bytes.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "door.h"

bool sio_clients_init(sio_door *door)
{
    door->client_max = door->settings.max_connections;
    door->sid_buckets = 1024;
    while (door->sid_buckets < door->client_max) {
        door->sid_buckets *= 2;
    }
    door->clients = malloc(door->client_max * sizeof(sio_client *));
    /* Twice: those that have ended since the last turn may still be in it. */
    door->ready = malloc(2 * door->client_max * sizeof(sio_client *));
    door->by_sid = calloc(door->sid_buckets, sizeof(sio_client *));
    matching_writer_init(&door->object);
    matching_writer_init(&door->answer);
    return door->clients != NULL && door->ready != NULL && door->by_sid != NULL;
}

static void drop_text(sio_door *door)
{
    if (door->text != NULL) {
        eio_text_release(door->text);
        door->text = NULL;
    }
}

static void free_dead(sio_door *door)
{
    while (door->dead != NULL) {
        sio_client *client = door->dead;
        door->dead = client->next;
        sio_leave_all(client);
        free(client->subscriptions);
        free(client);
    }
}

void sio_clients_fini(sio_door *door)
{
    while (door->client_count > 0) {
        sio_client_close(door->clients[0], "1", WIRE_CLOSE_NONE, "");
    }
    free_dead(door);
    drop_text(door);
    matching_writer_fini(&door->object);
    matching_writer_fini(&door->answer);
    free(door->clients);
    free(door->ready);
    free(door->by_sid);
}

/* ---- Begin and end --------------------------------------------------------------------------- */

/* A session's id is all that a stranger would need to take it over: it is random throughout. */
static bool make_id(char out[EIO_SID_SIZE])
{
    unsigned char random[15];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) {
        return false;
    }
    eio_sid_print(random, out);
    return true;
}

static sio_client **bucket_of(const sio_door *door, const char *sid)
{
    uint64_t hash = 0;
    memcpy(&hash, sid, sizeof hash);
    return &door->by_sid[(hash * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (door->sid_buckets - 1)];
}

sio_client *sio_client_find(const sio_door *door, const char *sid)
{
    if (strlen(sid) != EIO_SID_SIZE - 1) {
        return NULL;
    }
    sio_client *client = *bucket_of(door, sid);
    while (client != NULL && strcmp(client->sid, sid) != 0) {
        client = client->next;
    }
    return client;
}

/* False: the system gives no random numbers. */
static bool begin_polling(sio_client *client, const char *remote)
{
    client->polling = wire_session_open(&client->door->server, &client->slot, remote);
    return client->polling != NULL;
}

/* It has ended, or a WebSocket goes on with it. */
static void end_polling(sio_client *client, unsigned code)
{
    if (client->polling != NULL) {
        wire_session_close(&client->door->server, client->slot, client->polling, code);
        client->polling = NULL;
    }
}

sio_client *sio_client_create(sio_door *door, wire_peer *peer, const char *remote)
{
    eio_transport transport = peer != NULL ? EIO_WEBSOCKET : EIO_POLLING;
    uint64_t now_ms = door->server.now_ms;
    sio_client *client = door->client_count < door->client_max ? calloc(1, sizeof *client) : NULL;
    if (client == NULL) {
        return NULL;
    }
    client->door = door;
    client->peer = peer;
    if (!make_id(client->sid) || !make_id(client->client_id) ||
        (peer == NULL && !begin_polling(client, remote))) {
        free(client);
        return NULL;
    }
    client->connect_deadline_ms = now_ms + SIO_CONNECT_MS;
    eio_session_begin(&client->session, transport, &door->terms, now_ms);
    client->place = door->client_count;
    door->clients[door->client_count++] = client;
    sio_client **bucket = bucket_of(door, client->sid);
    client->next = *bucket;
    *bucket = client;
    eio_write_open(sio_begin(door, 1), client->sid, transport == EIO_POLLING, &door->terms);
    sio_reply(client);
    return client;
}

static void forget(sio_client *client)
{
    sio_door *door = client->door;
    sio_client **link = bucket_of(door, client->sid);
    while (*link != client) {
        link = &(*link)->next;
    }
    *link = client->next;
    sio_client *last = door->clients[--door->client_count];
    door->clients[client->place] = last;
    last->place = client->place;
}

/* NULL: its WebSocket has gone, and the entry with it. */
static matching_connection *entry_of(const sio_client *client)
{
    return client->peer != NULL ? client->peer->entry : client->polling;
}

void sio_tell_count(const sio_client *client, size_t subscriptions)
{
    matching_connection *entry = entry_of(client);
    if (entry != NULL) {
        matching_connection_subscribed(client->door->server.table, entry, subscriptions);
    }
}

void sio_tell_error(const sio_client *client)
{
    matching_connection *entry = entry_of(client);
    if (entry != NULL) {
        matching_connection_failed(client->door->server.table, entry);
    }
}

void sio_tell_heard(const sio_client *client, size_t bytes)
{
    const wire_server *server = &client->door->server;
    if (client->polling != NULL) {
        matching_connection_heard(server->table, client->polling, bytes, server->now_ms);
    }
}

void sio_tell_packet(const sio_client *client)
{
    if (client->polling != NULL) {
        matching_connection_received(client->door->server.table, client->polling);
    }
}

void sio_tell_wrote(const sio_client *client, size_t bytes)
{
    if (client->polling != NULL) {
        matching_connection_wrote(client->door->server.table, client->polling, bytes);
    }
}

static void end_peer(wire_peer *peer, unsigned code, const char *reason)
{
    if (peer != NULL) {
        ((sio_connection *)peer)->client = NULL;
        wire_end(peer, code, reason, WIRE_CLOSE_GRACE_MS);
    }
}

/* For those who poll. */
static void answer_poll(sio_client *client, const char *body, size_t length)
{
    wire_exchange *poll = client->poll;
    client->poll = NULL;
    if (poll != NULL) {
        sio_tell_wrote(client, length);
        poll->owner = NULL;
        wire_answer(poll, "200 OK", "text/plain; charset=UTF-8", body, length);
    }
}

void sio_client_close(sio_client *client, const char *last, unsigned code, const char *reason)
{
    sio_door *door = client->door;
    if (client->is_over) {
        return;
    }
    client->is_over = true;
    forget(client);
    sio_history_forget(client);
    door->polled -= client->session.bytes;
    eio_session_end(&client->session);
    answer_poll(client, last, strlen(last));
    sio_drop_post(client);
    wire_share_forget(&door->server, &client->share);
    sio_tell_count(client, 0);
    end_polling(client, code);
    end_peer(client->peer, code, reason);
    end_peer(client->probe, code, reason);
    client->peer = client->probe = NULL;
    client->next = door->dead;
    door->dead = client;
}

/* ---- Work ------------------------------------------------------------------------------------ */

static void on_paid(wire_server *server, wire_share *share)
{
    server->is_resumed = true; /* the next turn goes on with it */
    sio_mark_ready((void *)((char *)share - offsetof(sio_client, share)));
}

void sio_work(sio_client *client, size_t units)
{
    if (client->peer != NULL) {
        wire_work(client->peer, units);
    } else if (!client->is_over) {
        wire_share_use(&client->door->server, &client->share, units, on_paid);
    }
}

bool sio_is_spent(const sio_client *client)
{
    return client->peer != NULL ? wire_is_spent(client->peer) : client->share.is_spent;
}

/* ---- What goes out --------------------------------------------------------------------------- */

matching_writer *sio_begin(sio_door *door, size_t receivers)
{
    drop_text(door);
    return wire_begin_shared(&door->server, receivers);
}

static void slow(sio_client *client)
{
    matching_connection_slow(client->door->server.table, MATCHING_CONNECTIONS_SLOW_CLOSED);
    sio_client_close(client, "1", LWS_CLOSE_STATUS_POLICY_VIOLATION, "slow consumer");
}

/* Queues what the writer holds for the next GET. False: out of memory. */
static bool push(sio_client *client)
{
    sio_door *door = client->door;
    const matching_writer *writer = &door->server.writer;
    if (door->text == NULL && !writer->failed) {
        door->text = eio_text_create(writer->data, writer->length);
    }
    if (door->text == NULL || !eio_session_push(&client->session, door->text)) {
        return false;
    }
    door->polled += writer->length;
    sio_mark_ready(client);
    return true;
}

void sio_reply(sio_client *client)
{
    if (client->peer != NULL && !client->is_over) {
        wire_send_reply(client->peer);
    } else {
        sio_send(client);
    }
}

void sio_send(sio_client *client)
{
    sio_door *door = client->door;
    size_t length = door->server.writer.length;
    if (client->is_over) {
        return;
    }
    if (client->peer != NULL) {
        wire_send_event(client->peer);
    } else if (client->session.bytes + length > door->server.limits.queue ||
               door->polled + length > door->server.limits.all || !push(client)) {
        slow(client);
    }
}

bool sio_send_state(sio_client *client)
{
    if (client->is_over) {
        return true; /* it is owed nothing any more */
    }
    if (client->peer != NULL) {
        return wire_send_state(client->peer);
    }
    if (client->session.bytes > client->door->server.limits.conflate) {
        matching_connection_slow(client->door->server.table, MATCHING_CONNECTIONS_SLOW_CONFLATED);
        return false;
    }
    return push(client);
}

void sio_pass_over(const sio_client *client)
{
    const wire_server *server = &client->door->server;
    if (client->peer != NULL) {
        wire_pass_over(client->peer);
    } else if (!client->is_over && client->session.bytes > server->limits.fresh) {
        matching_connection_slow(server->table, MATCHING_CONNECTIONS_SLOW_CONFLATED);
    }
}

void sio_client_upgraded(sio_client *client)
{
    sio_door *door = client->door;
    door->polled -= client->session.bytes;
    sio_tell_count(client, client->subscription_count);
    for (eio_text *text; (text = eio_session_next(&client->session)) != NULL;) {
        matching_write(sio_begin(door, 1), text->data, text->length);
        sio_send(client);
        eio_text_release(text);
    }
    answer_poll(client, "6", 1);
    end_polling(client, LWS_CLOSE_STATUS_NORMAL);
}

/* ---- The turn -------------------------------------------------------------------------------- */

/* Answers the GET that waits. What is not taken by one does not count as sent: a WebSocket may be
 * the one that sends it. */
static void answer_with_packets(sio_client *client)
{
    sio_door *door = client->door;
    size_t bytes = client->session.bytes, packets = client->session.count;
    matching_writer_clear(&door->answer);
    eio_session_take(&client->session, &door->answer, SIO_ANSWER_BYTES);
    door->polled -= bytes - client->session.bytes;
    if (door->answer.failed) {
        sio_client_close(client, "1", WIRE_CLOSE_NONE, "");
        return;
    }
    for (; packets > client->session.count; packets--) {
        matching_connection_sent(door->server.table, client->polling);
    }
    answer_poll(client, door->answer.data, door->answer.length);
}

void sio_mark_ready(sio_client *client)
{
    if (!client->is_ready && !client->is_over) {
        client->is_ready = true;
        client->door->ready[client->door->ready_count++] = client;
    }
}

static void serve(sio_client *client)
{
    sio_door *door = client->door;
    client->is_ready = false;
    if (!client->is_over && client->has_body && !client->share.is_spent) {
        sio_take_body(client);
    }
    if (client->is_over || client->peer != NULL) {
        return;
    }
    if (client->poll != NULL && eio_session_has_answer(&client->session)) {
        answer_with_packets(client);
        sio_history_drained(client);
    }
    if (!client->is_over && client->stale_count > 0 &&
        client->session.bytes <= door->server.limits.fresh) {
        (void)sio_refresh(client);
    }
}

void sio_clients_turn(sio_door *door)
{
    if (door->server.phase != WIRE_RUNNING && !door->is_stopping) {
        door->is_stopping = true;
        for (size_t i = door->client_count; i-- > 0;) {
            if (door->clients[i]->peer == NULL) { /* the server sees to the WebSockets */
                sio_client_close(door->clients[i], "1", LWS_CLOSE_STATUS_GOINGAWAY,
                                 "the server is stopping");
            }
        }
    }
    while (door->ready_count > 0) { /* one may come back, with less to be done each time */
        serve(door->ready[--door->ready_count]);
    }
    free_dead(door);
}

static void look_at(sio_client *client)
{
    sio_door *door = client->door;
    uint64_t now_ms = door->server.now_ms;
    switch (eio_session_tick(&client->session, now_ms)) {
    case EIO_DO_PING:
        MATCHING_WRITE(sio_begin(door, 1), "2");
        sio_send(client);
        break;
    case EIO_DO_DROP:
        eio_session_probe_gone(&client->session);
        end_peer(client->probe, LWS_CLOSE_STATUS_POLICY_VIOLATION, "no upgrade came");
        client->probe = NULL;
        break;
    case EIO_DO_CLOSE:
        sio_client_close(client, "1", LWS_CLOSE_STATUS_GOINGAWAY, "ping timeout");
        return;
    default:
        break;
    }
    if (!client->is_connected && now_ms >= client->connect_deadline_ms) {
        sio_client_close(client, "1", LWS_CLOSE_STATUS_POLICY_VIOLATION,
                         "no namespace was asked for");
    }
}

void sio_clients_beat(sio_door *door)
{
    for (size_t i = door->client_count; i-- > 0;) { /* one that ends gives its place to the last */
        look_at(door->clients[i]);
    }
}
