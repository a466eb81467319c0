/* The loop of the door's thread.
 *
 * A turn: libev calls libwebsockets for every socket that is ready, which calls back with what came
 * in; then, before the loop sleeps, on_turn wakes the shards, takes replies and events from the
 * port, publishes what the feeds owe, and writes each connection's outbox once. The loop sleeps
 * only when the port says that nothing waits; a shard then wakes it with lws_cancel_service.
 */
#include <string.h>

#include "connection.h"

#define EVENTS_A_TURN 4096u
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

static int on_websocket(ws_connection *connection, enum lws_callback_reasons reason, void *in,
                        size_t length)
{
    switch (reason) {
    case LWS_CALLBACK_RECEIVE:
        return ws_on_part(connection, in, length);
    case LWS_CALLBACK_SERVER_WRITEABLE:
        return ws_on_writable(connection);
    case LWS_CALLBACK_RECEIVE_PONG:
        connection->seen_ms = connection->door->now_ms;
        return 0;
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        connection->state = WS_OVER; /* no data frame may follow a close frame */
        return 0;
    default:
        return 0;
    }
}

int ws_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                size_t length)
{
    ws_door *door = lws_context_user(lws_get_context(wsi));
    session *own = user;
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
    default:
        return own != NULL && own->connection != NULL
                   ? on_websocket(own->connection, reason, in, length)
                   : 0;
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
        door->dirty[i]->is_dirty = false;
        ws_flush(door->dirty[i]);
    }
    /* Those marked meanwhile: their turn is the next one. */
    door->dirty_count -= count;
    memmove(door->dirty, door->dirty + count, door->dirty_count * sizeof *door->dirty);
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
    matching_port_flush(door->port);
    door->replies_timed = 0;
    bool more = matching_port_poll(door->port, EVENTS_A_TURN);
    ws_feeds_publish(door);
    ws_feeds_load(door);
    ws_tickers_read(door);
    ws_orders_submit(door);
    ws_guard_sweep(door);
    flush_dirty(door);
    if (atomic_load_explicit(&door->stopping, memory_order_acquire)) {
        ws_phase phase = door->phase;
        advance_stop(door);
        more = more || door->phase != phase; /* nothing else would wake the next one */
    }
    /* Asking to be woken also flushes. While `again` is active libev does not sleep. */
    if (more || door->dirty_count > 0 || !matching_port_sleep(door->port)) {
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

static void on_second(struct ev_loop *loop, ev_timer *watcher, int events)
{
    ws_door *door = watcher->data;
    (void)loop;
    (void)events;
    for (uint32_t slot = 0; slot < door->connection_max; slot++) {
        if (door->connections[slot] != NULL) {
            ws_connection_second(door->connections[slot]);
        }
    }
    ws_accept_again(door);
    ws_tickers_second(door);
    lws_cancel_service(door->lws); /* it looks at its own timeouts after an event only */
}

void *ws_loop(void *context)
{
    ws_door *door = context;
    look_at_clock(door);
    ev_check_init(&door->awake, on_awake);
    ev_set_priority(&door->awake, EV_MAXPRI);
    ev_prepare_init(&door->turn, on_turn);
    ev_idle_init(&door->again, on_again);
    ev_timer_init(&door->second, on_second, 1., 1.);
    ev_timer_init(&door->round, on_round, 0., 0.);
    door->awake.data = door->turn.data = door->again.data = door->second.data = door;
    ev_check_start(door->loop, &door->awake);
    ev_prepare_start(door->loop, &door->turn);
    ev_timer_start(door->loop, &door->second);
    ev_run(door->loop, 0);
    ev_idle_stop(door->loop, &door->again);
    ev_timer_stop(door->loop, &door->round);
    ev_timer_stop(door->loop, &door->second);
    ev_prepare_stop(door->loop, &door->turn);
    ev_check_stop(door->loop, &door->awake);
    return NULL;
}
