/* The loop of the server's thread.
 *
 * A turn: libev calls receive.c for every WebSocket that something came in from, and libwebsockets
 * for one that takes more and for what is still HTTP; then, before the loop sleeps, on_turn wakes
 * the shards, takes replies and events from the port, publishes what the feeds owe, and writes each
 * connection's outbox once. Where the door wants it, many commands are seen to in the midst of
 * that, some at a time. The loop sleeps only when the port says that nothing waits; a shard then
 * wakes it with lws_cancel_service.
 */
#include <string.h>

#include "exchange.h"
#include "peer.h"

#define EVENTS_A_TURN 4096u
#define EVENTS_AT_ONCE 64u
#define HANDED_OUT_A_TURN (1u << 18) /* messages of feeds, counted once for each follower */
#define FETCH_AHEAD 4u
#define REPLIES_A_CLOCK 16u /* written within some microseconds */
#define TICKS 16u           /* a second, in which each connection is looked at once */
#define PINGS_A_TICK 16u    /* at least */
#define CLOSING_MS 3000u    /* for the peers to answer the close frames */

/* ---- What libwebsockets calls back with ------------------------------------------------------ */

static int on_established(wire_server *server, struct lws *wsi, wire_socket *own)
{
    own->peer = wire_peer_open(server, wsi, wire_http_level(server, wsi));
    if (own->peer == NULL) {
        wire_upgrade_end(server, wsi, WIRE_STATUS_UPGRADED, "no room for the connection");
        return -1;
    }
    return 0;
}

static void on_closed(wire_socket *own)
{
    if (own != NULL && own->peer != NULL) {
        wire_peer_closed(own->peer);
        own->peer = NULL;
    }
    if (own != NULL) {
        wire_exchange_gone(own);
    }
}

int wire_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                  size_t length)
{
    wire_server *server = lws_context_user(lws_get_context(wsi));
    wire_socket *own = user;
    switch (reason) {
    case LWS_CALLBACK_PROTOCOL_INIT:
        wire_accept_start(server);
        return 0;
    case LWS_CALLBACK_WSI_CREATE:
        server->socket_count++;
        return 0;
    case LWS_CALLBACK_WSI_DESTROY:
        server->socket_count--;
        on_closed(own);
        return 0;
    case LWS_CALLBACK_HTTP:
        return wire_http_request(server, wsi, own);
    case LWS_CALLBACK_HTTP_BODY:
        return wire_exchange_body(own, in, length);
    case LWS_CALLBACK_HTTP_BODY_COMPLETION:
        return wire_exchange_body_done(own);
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
        return wire_http_upgrade(server, wsi, in);
    case LWS_CALLBACK_ADD_HEADERS:
        return wire_http_headers(server, wsi, in);
    case LWS_CALLBACK_ESTABLISHED:
        return on_established(server, wsi, own);
    case LWS_CALLBACK_CLOSED:
        on_closed(own);
        return 0;
    case LWS_CALLBACK_RAW_ADOPT: /* a CONNECT request ends up here */
    case LWS_CALLBACK_RAW_RX:
        return -1;
    case LWS_CALLBACK_SERVER_WRITEABLE:
        if (own != NULL && own->peer != NULL) {
            wire_on_writable(own->peer);
        }
        return 0;
    default:
        return 0;
    }
}

/* ---- Stopping -------------------------------------------------------------------------------- */

static void begin_answering(wire_server *server)
{
    server->phase = WIRE_ANSWERING;
    server->phase_deadline_ms = server->now_ms + MATCHING_STOP_DEADLINE_MS - CLOSING_MS;
    wire_accept_stop(server);
}

static void begin_closing(wire_server *server)
{
    server->phase = WIRE_CLOSING;
    server->phase_deadline_ms = server->now_ms + CLOSING_MS;
    for (uint32_t slot = 0; slot < server->peer_max; slot++) {
        if (server->peers[slot] != NULL) {
            wire_end(server->peers[slot], LWS_CLOSE_STATUS_GOINGAWAY, "the server is stopping",
                     CLOSING_MS);
        }
    }
}

static bool owes(const wire_server *server)
{
    bool (*is_owed)(const wire_peer *) = server->handlers->is_owed;
    for (uint32_t slot = 0; is_owed != NULL && slot < server->peer_max; slot++) {
        const wire_peer *peer = server->peers[slot];
        if (peer != NULL && peer->state == WIRE_OPEN && is_owed(peer)) {
            return true;
        }
    }
    return false;
}

/* Is everything answered that was accepted, and told what came of it? */
static bool has_answered(const wire_server *server, bool has_more)
{
    return !has_more && matching_port_in_flight(server->port) == 0 &&
           !wire_guard_sweeping(&server->guard) && !owes(server);
}

/* Moves on when the phase has done its work or has had its time. has_more: the port has events. */
static void advance_stop(wire_server *server, bool has_more)
{
    bool late = server->now_ms >= server->phase_deadline_ms;
    switch (server->phase) {
    case WIRE_RUNNING:
        begin_answering(server);
        break;
    case WIRE_ANSWERING:
        /* Cancels owed to connections that ended before are commands that were accepted. */
        if (!wire_guard_sweeping(&server->guard) || late) {
            matching_port_close(server->port);
        }
        if (late || has_answered(server, has_more)) {
            begin_closing(server);
        }
        break;
    case WIRE_CLOSING:
        if ((server->peer_count == 0 && server->exchange_count == 0) || late) {
            server->phase = WIRE_ENDED;
            ev_break(server->loop, EVBREAK_ALL);
        }
        break;
    case WIRE_ENDED:
        break;
    }
}

/* ---- The turn -------------------------------------------------------------------------------- */

static void flush_dirty(wire_server *server)
{
    size_t count = server->dirty_count;
    for (size_t i = 0; i < count; i++) {
        if (i + FETCH_AHEAD < count) { /* thousands of them are not in the cache */
            __builtin_prefetch(server->dirty[i + FETCH_AHEAD]);
            __builtin_prefetch(&server->dirty[i + FETCH_AHEAD]->outbox);
        }
        server->dirty[i]->is_dirty = false; /* nothing is closed while this goes on */
        wire_flush(server->dirty[i]);
    }
    /* Those marked meanwhile: their turn is the next one. */
    server->dirty_count -= count;
    for (size_t i = 0; i < server->dirty_count; i++) {
        server->dirty[i] = server->dirty[count + i];
        server->dirty[i]->dirty_at = (uint32_t)i;
    }
}

/* A batch of trades to very many followers is written before the next one is taken, or the queues
 * of clients who do read would grow. True: there is more. */
static bool take_from_port(wire_server *server)
{
    uint32_t wanted = server->settings->events_a_turn;
    uint32_t most = wanted != 0 ? wanted : EVENTS_A_TURN;
    bool more = true;
    server->handed_out = 0;
    for (uint32_t events = 0; more && events < most && server->handed_out < HANDED_OUT_A_TURN;
         events += EVENTS_AT_ONCE) {
        more = matching_port_poll(server->port, EVENTS_AT_ONCE);
    }
    return more;
}

/* Of many commands the first would have left the caches before the turn's end comes to them. */
void wire_commands_at_once(wire_server *server)
{
    size_t most = server->settings->commands_at_once;
    if (most != 0 && matching_port_in_flight(server->port) >= server->in_flight_before + most) {
        matching_port_flush(server->port);
        take_from_port(server);
        flush_dirty(server);
        server->in_flight_before = matching_port_in_flight(server->port);
    }
}

static void look_at_clock(wire_server *server)
{
    server->now_ns = matching_monotonic_ns();
    server->now_ms = server->now_ns / UINT64_C(1000000);
}

static void on_awake(struct ev_loop *loop, ev_check *watcher, int events)
{
    wire_server *server = watcher->data;
    (void)loop;
    (void)events;
    look_at_clock(server);
}

static void on_turn(struct ev_loop *loop, ev_prepare *watcher, int events)
{
    wire_server *server = watcher->data;
    (void)events;
    server->is_resumed = false;
    matching_port_flush(server->port);
    server->replies_timed = 0;
    bool more = take_from_port(server);
    if (server->handlers->on_turn != NULL) {
        server->handlers->on_turn(server);
    }
    wire_guard_sweep(server);
    wire_work_turn(server);
    flush_dirty(server);
    wire_bound_queues(server);
    server->in_flight_before = matching_port_in_flight(server->port);
    if (atomic_load_explicit(&server->stopping, memory_order_acquire)) {
        wire_phase phase = server->phase;
        advance_stop(server, more);
        more = more || server->phase != phase; /* nothing else would wake the next one */
    }
    /* Asking to be woken also flushes. While `again` is active libev does not sleep. */
    if (more || server->is_resumed || server->dirty_count > 0 || server->first_spent != NULL ||
        !matching_port_sleep(server->port)) {
        ev_idle_start(loop, &server->again);
    } else {
        ev_idle_stop(loop, &server->again);
    }
}

static void on_again(struct ev_loop *loop, ev_idle *watcher, int events)
{
    (void)loop;
    (void)watcher;
    (void)events; /* being active is all it does */
}

/* A part of the connections at a time, and of those that are due not all at once: thousands that
 * came together would be pinged together, and everybody else would wait for that. */
static void look_at_connections(wire_server *server)
{
    uint64_t interval_ticks = (uint64_t)server->settings->heartbeat_interval_s * TICKS;
    server->pings_left = PINGS_A_TICK + 2 * (uint32_t)(server->peer_count / interval_ticks);
    for (uint32_t slot = server->tick; slot < server->peer_max; slot += TICKS) {
        if (server->peers[slot] != NULL) {
            wire_peer_second(server->peers[slot]);
        }
    }
}

static void on_tick(struct ev_loop *loop, ev_timer *watcher, int events)
{
    wire_server *server = watcher->data;
    (void)loop;
    (void)events;
    look_at_connections(server);
    server->tick = (server->tick + 1) % TICKS;
    if (server->tick == 0) {
        wire_accept_again(server);
        matching_connections_second(server->table, server->now_ns);
        if (server->handlers->on_second != NULL) {
            server->handlers->on_second(server);
        }
        lws_cancel_service(server->lws); /* it looks at its own timeouts after an event only */
    }
}

uint64_t wire_reply_clock(wire_server *server)
{
    if (server->replies_timed++ % REPLIES_A_CLOCK == 0) {
        server->reply_ns = matching_monotonic_ns();
    }
    return server->reply_ns;
}

void *wire_loop(void *context)
{
    wire_server *server = context;
    look_at_clock(server);
    ev_check_init(&server->awake, on_awake);
    ev_set_priority(&server->awake, EV_MAXPRI);
    ev_prepare_init(&server->turn, on_turn);
    ev_idle_init(&server->again, on_again);
    ev_timer_init(&server->ticks, on_tick, 1. / TICKS, 1. / TICKS);
    server->awake.data = server->turn.data = server->again.data = server->ticks.data = server;
    ev_check_start(server->loop, &server->awake);
    ev_prepare_start(server->loop, &server->turn);
    ev_timer_start(server->loop, &server->ticks);
    wire_batches_start(server);
    ev_run(server->loop, 0);
    ev_idle_stop(server->loop, &server->again);
    ev_timer_stop(server->loop, &server->ticks);
    wire_batches_stop(server);
    ev_prepare_stop(server->loop, &server->turn);
    ev_check_stop(server->loop, &server->awake);
    return NULL;
}
