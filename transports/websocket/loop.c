/* The loop of the door's thread.
 *
 * A turn: libev calls receive.c for every WebSocket that something came in from, and libwebsockets
 * for one that takes more and for what is still HTTP; then, before the loop sleeps, on_turn wakes the shards, takes replies and events from the
 * port, publishes what the feeds owe, and writes each connection's outbox once. The loop sleeps
 * only when the port says that nothing waits; a shard then wakes it with lws_cancel_service.
 */
#include <string.h>

#include "connection.h"

#define EVENTS_A_TURN 4096u
#define EVENTS_AT_ONCE 64u
#define HANDED_OUT_A_TURN (1u << 18) /* messages of feeds, counted once for each follower */
#define FETCH_AHEAD 4u
#define TICKS 16u        /* a second, in which each connection is looked at once */
#define PINGS_A_TICK 16u /* at least */
#define CLOSING_MS 3000u /* for the peers to answer the close frames */

/* ---- What libwebsockets calls back with ------------------------------------------------------ */

/* What libwebsockets keeps for each socket. */
typedef struct session {
    ws_connection *connection; /* NULL: not a WebSocket (yet) */
} session;

static int on_established(ws_door *door, struct lws *wsi, session *own)
{
    own->connection = ws_connection_open(door, wsi, ws_http_level(door, wsi));
    return own->connection == NULL ? -1 : 0;
}

static void on_closed(session *own)
{
    if (own != NULL && own->connection != NULL) {
        ws_connection_closed(own->connection);
        own->connection = NULL;
    }
}

int ws_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                size_t length)
{
    ws_door *door = lws_context_user(lws_get_context(wsi));
    session *own = user;
    (void)length;
    switch (reason) {
    case LWS_CALLBACK_PROTOCOL_INIT:
        ws_accept_start(door);
        return 0;
    case LWS_CALLBACK_WSI_CREATE:
        door->socket_count++;
        return 0;
    case LWS_CALLBACK_WSI_DESTROY:
        door->socket_count--;
        on_closed(own);
        return 0;
    case LWS_CALLBACK_HTTP:
        return ws_http_request(door, wsi);
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
        return ws_http_upgrade(door, wsi, in);
    case LWS_CALLBACK_ESTABLISHED:
        return on_established(door, wsi, own);
    case LWS_CALLBACK_CLOSED:
        on_closed(own);
        return 0;
    case LWS_CALLBACK_RAW_ADOPT: /* a CONNECT request ends up here */
    case LWS_CALLBACK_RAW_RX:
        return -1;
    case LWS_CALLBACK_SERVER_WRITEABLE:
        if (own != NULL && own->connection != NULL) {
            ws_on_writable(own->connection);
        }
        return 0;
    default:
        return 0;
    }
}

/* ---- Stopping -------------------------------------------------------------------------------- */

static void begin_answering(ws_door *door)
{
    door->phase = WS_ANSWERING;
    door->phase_deadline_ms = door->now_ms + MATCHING_STOP_DEADLINE_MS - CLOSING_MS;
    ws_accept_stop(door);
}

static void begin_closing(ws_door *door)
{
    door->phase = WS_CLOSING;
    door->phase_deadline_ms = door->now_ms + CLOSING_MS;
    for (uint32_t slot = 0; slot < door->connection_max; slot++) {
        if (door->connections[slot] != NULL) {
            ws_end(door->connections[slot], LWS_CLOSE_STATUS_GOINGAWAY, "the server is stopping",
                   CLOSING_MS);
        }
    }
}

/* Moves on when the phase has done its work or has had its time. */
static void advance_stop(ws_door *door)
{
    bool late = door->now_ms >= door->phase_deadline_ms;
    switch (door->phase) {
    case WS_RUNNING:
        begin_answering(door);
        break;
    case WS_ANSWERING:
        /* Cancels owed to connections that ended before are commands that were accepted. */
        if (!ws_guard_sweeping(&door->guard) || late) {
            matching_port_close(door->port);
        }
        if ((matching_port_in_flight(door->port) == 0 && !ws_guard_sweeping(&door->guard)) ||
            late) {
            begin_closing(door);
        }
        break;
    case WS_CLOSING:
        if (door->connection_count == 0 || late) {
            door->phase = WS_ENDED;
            ev_break(door->loop, EVBREAK_ALL);
        }
        break;
    case WS_ENDED:
        break;
    }
}

/* ---- The turn -------------------------------------------------------------------------------- */

static void flush_dirty(ws_door *door)
{
    size_t count = door->dirty_count;
    for (size_t i = 0; i < count; i++) {
        if (i + FETCH_AHEAD < count) { /* thousands of them are not in the cache */
            __builtin_prefetch(door->dirty[i + FETCH_AHEAD]);
            __builtin_prefetch(&door->dirty[i + FETCH_AHEAD]->outbox);
        }
        door->dirty[i]->is_dirty = false; /* nothing is closed while this goes on */
        ws_flush(door->dirty[i]);
    }
    /* Those marked meanwhile: their turn is the next one. */
    door->dirty_count -= count;
    for (size_t i = 0; i < door->dirty_count; i++) {
        door->dirty[i] = door->dirty[count + i];
        door->dirty[i]->dirty_at = (uint32_t)i;
    }
}

/* A batch of trades to very many followers is written before the next one is taken, or the queues
 * of clients who do read would grow. True: there is more. */
static bool take_from_port(ws_door *door)
{
    bool more = true;
    door->handed_out = 0;
    for (unsigned events = 0;
         more && events < EVENTS_A_TURN && door->handed_out < HANDED_OUT_A_TURN;
         events += EVENTS_AT_ONCE) {
        more = matching_port_poll(door->port, EVENTS_AT_ONCE);
    }
    return more;
}

static void look_at_clock(ws_door *door)
{
    door->now_ns = matching_monotonic_ns();
    door->now_ms = door->now_ns / UINT64_C(1000000);
}

static void on_awake(struct ev_loop *loop, ev_check *watcher, int events)
{
    ws_door *door = watcher->data;
    (void)loop;
    (void)events;
    look_at_clock(door);
}

static void on_turn(struct ev_loop *loop, ev_prepare *watcher, int events)
{
    ws_door *door = watcher->data;
    (void)events;
    door->is_resumed = false;
    matching_port_flush(door->port);
    door->replies_timed = 0;
    bool more = take_from_port(door);
    ws_feeds_publish(door);
    ws_feeds_load(door);
    ws_tickers_read(door);
    ws_orders_submit(door);
    ws_guard_sweep(door);
    flush_dirty(door);
    ws_bound_queues(door);
    if (atomic_load_explicit(&door->stopping, memory_order_acquire)) {
        ws_phase phase = door->phase;
        advance_stop(door);
        more = more || door->phase != phase; /* nothing else would wake the next one */
    }
    /* Asking to be woken also flushes. While `again` is active libev does not sleep. */
    if (more || door->is_resumed || door->dirty_count > 0 || !matching_port_sleep(door->port)) {
        ev_idle_start(loop, &door->again);
    } else {
        ev_idle_stop(loop, &door->again);
    }
}

static void on_again(struct ev_loop *loop, ev_idle *watcher, int events)
{
    (void)loop;
    (void)watcher;
    (void)events; /* being active is all it does */
}

static void on_round(struct ev_loop *loop, ev_timer *watcher, int events)
{
    (void)loop;
    (void)watcher;
    (void)events; /* the turn that follows does the work */
}

/* A part of the connections at a time, and of those that are due not all at once: thousands that came
 * together would be pinged together, and everybody else would wait for that. */
static void look_at_connections(ws_door *door)
{
    uint64_t interval_ticks = (uint64_t)door->config->websocket.heartbeat_interval_s * TICKS;
    door->pings_left = PINGS_A_TICK + 2 * (uint32_t)(door->connection_count / interval_ticks);
    for (uint32_t slot = door->tick; slot < door->connection_max; slot += TICKS) {
        if (door->connections[slot] != NULL) {
            ws_connection_second(door->connections[slot]);
        }
    }
}

static void on_tick(struct ev_loop *loop, ev_timer *watcher, int events)
{
    ws_door *door = watcher->data;
    (void)loop;
    (void)events;
    look_at_connections(door);
    door->tick = (door->tick + 1) % TICKS;
    if (door->tick == 0) {
        ws_accept_again(door);
        ws_tickers_second(door);
        ws_feeds_second(door);
        lws_cancel_service(door->lws); /* it looks at its own timeouts after an event only */
    }
}

void *ws_loop(void *context)
{
    ws_door *door = context;
    look_at_clock(door);
    ev_check_init(&door->awake, on_awake);
    ev_set_priority(&door->awake, EV_MAXPRI);
    ev_prepare_init(&door->turn, on_turn);
    ev_idle_init(&door->again, on_again);
    ev_timer_init(&door->ticks, on_tick, 1. / TICKS, 1. / TICKS);
    ev_timer_init(&door->round, on_round, 0., 0.);
    door->awake.data = door->turn.data = door->again.data = door->ticks.data = door;
    ev_check_start(door->loop, &door->awake);
    ev_prepare_start(door->loop, &door->turn);
    ev_timer_start(door->loop, &door->ticks);
    ev_run(door->loop, 0);
    ev_idle_stop(door->loop, &door->again);
    ev_timer_stop(door->loop, &door->round);
    ev_timer_stop(door->loop, &door->ticks);
    ev_prepare_stop(door->loop, &door->turn);
    ev_check_stop(door->loop, &door->awake);
    return NULL;
}
