/* The door itself: its ops, its thread, and the one loop in which sockets and the port take turns.
 *
 * Invariants: between start and stop only the door's thread touches libevent and the port; other
 * threads write to the eventfd `wake`, nothing else. `wake` stays open until fini, so that a
 * shard's late call meets a descriptor of ours.
 */
#include "jsonrpc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "door.h"
#include "matching/metrics.h"

/* All but CONNECT, which evhttp lets stay open; connections.c makes its 501 for that our 405. */
#define METHODS_SEEN                                                                               \
    (EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE |     \
     EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE | EVHTTP_REQ_PATCH)

#define STOP_ROUNDS 256

static void wake(void *argument)
{
    jsonrpc_door *door = argument;
    const uint64_t one = 1;
    ssize_t written = write(door->wake, &one, sizeof one);
    (void)written; /* a full counter has already woken it */
}

static void on_wake(evutil_socket_t descriptor, short what, void *argument)
{
    (void)what;
    (void)argument;
    uint64_t count;
    ssize_t taken = read(descriptor, &count, sizeof count);
    (void)taken; /* the loop looks at the port and at `stopping` in every turn */
}

static int fail(matching_transport *transport, int error, const char *what)
{
    snprintf(transport->error, sizeof transport->error, "%s: %s", what, strerror(error));
    return -error;
}

/* False: out of memory. */
static bool make_rates(matching_rates **rates, uint32_t per_second)
{
    *rates = per_second > 0 ? matching_rates_create(per_second) : NULL;
    return per_second == 0 || *rates != NULL;
}

static int door_init(matching_transport *transport)
{
    jsonrpc_door *door = calloc(1, sizeof *door);
    if (door == NULL) {
        return fail(transport, ENOMEM, "no memory for the door");
    }
    door->wake = -1;
    door->transport = transport;
    transport->state = door;
    const matching_config_limits *limits = &transport->config->jsonrpc.limits;
    matching_peers_init(&door->peers, limits->max_connections_per_address);
    if (!make_rates(&door->address_rates, limits->max_requests_per_second_per_address) ||
        !make_rates(&door->trader_rates, limits->max_requests_per_second_per_trader)) {
        return fail(transport, ENOMEM, "no memory for the door");
    }
    door->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (door->wake < 0) {
        return fail(transport, errno, "cannot create an eventfd");
    }
    const matching_port_handlers handlers = {.on_reply = jsonrpc_exchange_reply, .wake = wake};
    door->port = matching_port_create(transport->core, &handlers, door);
    if (door->port == NULL) {
        return fail(transport, ENOMEM, "cannot create a port");
    }
    matching_port_name(door->port, transport->ops->name);
    return 0;
}

/* ---- Listening ---- */

static bool address_of(const char *text, uint16_t port, struct sockaddr_storage *address,
                       socklen_t *length)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;
    memset(address, 0, sizeof *address);
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        *length = sizeof *v4;
        return true;
    }
    if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        *length = sizeof *v6;
        return true;
    }
    return false;
}

static void name_address(matching_transport *transport, uint16_t port)
{
    const char *bind_address = transport->config->bind;
    bool v6 = strchr(bind_address, ':') != NULL;
    snprintf(transport->address, sizeof transport->address, v6 ? "[%s]:%u" : "%s:%u", bind_address,
             (unsigned)port);
}

static uint16_t bound_port(evutil_socket_t descriptor)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    memset(&address, 0, sizeof address);
    if (getsockname(descriptor, (struct sockaddr *)&address, &length) != 0) {
        return 0;
    }
    return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                               : ((struct sockaddr_in *)&address)->sin_port);
}

/* Is this the event that reads `wake`? Its argument is the door. */
static int find_door(const struct event_base *base, const struct event *event, void *found)
{
    (void)base;
    if (event_get_callback(event) == on_wake) {
        *(jsonrpc_door **)found = event_get_callback_arg(event);
        return 1;
    }
    return 0;
}

/* Out of descriptors, most likely: to try again at once would only turn the loop. The argument of
 * the listener's callbacks is evhttp's, so the door is looked up by way of the base. */
static void accept_failed(struct evconnlistener *listener, void *unused)
{
    (void)unused;
    jsonrpc_door *door = NULL;
    event_base_foreach_event(evconnlistener_get_base(listener), find_door, &door);
    if (door != NULL) {
        jsonrpc_pause_listening(door);
    }
}

static int listen_on(jsonrpc_door *door)
{
    matching_transport *transport = door->transport;
    const uint16_t port = transport->config->jsonrpc.port;
    struct sockaddr_storage address;
    socklen_t length = 0;
    name_address(transport, port);
    if (!address_of(transport->config->bind, port, &address, &length)) {
        snprintf(transport->error, sizeof transport->error,
                 "cannot listen on %s: not a numeric address, see --bind", transport->address);
        return -EINVAL;
    }
    struct evconnlistener *listener = evconnlistener_new_bind(
        door->base, NULL, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE,
        1024, (struct sockaddr *)&address, (int)length);
    if (listener == NULL) {
        int error = errno != 0 ? errno : EIO;
        snprintf(transport->error, sizeof transport->error, "cannot listen on %s: %s%s",
                 transport->address, strerror(error),
                 error == EADDRINUSE
                     ? "; stop the program that has the port or choose another with --rpc-port"
                     : "");
        return -error;
    }
    door->bound = evhttp_bind_listener(door->http, listener);
    if (door->bound == NULL) {
        evconnlistener_free(listener);
        return fail(transport, ENOMEM, "cannot bind the listener");
    }
    door->listener = listener;
    evconnlistener_set_error_cb(listener, accept_failed);
    name_address(transport, bound_port(evconnlistener_get_fd(listener)));
    return 0;
}

static void relisten(evutil_socket_t unused, short what, void *argument)
{
    (void)unused;
    (void)what;
    jsonrpc_door *door = argument;
    if (door->listener != NULL) {
        evconnlistener_enable(door->listener);
    }
}

/* The loop looks at those who wait in every turn. */
static void turn_is_over(evutil_socket_t unused, short what, void *argument)
{
    (void)unused;
    (void)what;
    (void)argument;
}

static void deadline_passed(evutil_socket_t unused, short what, void *argument)
{
    (void)unused;
    (void)what;
    ((jsonrpc_door *)argument)->expired = true;
}

static int set_up(jsonrpc_door *door)
{
    matching_transport *transport = door->transport;
    struct event_config *options = event_config_new();
    if (options == NULL) {
        return fail(transport, ENOMEM, "no memory for libevent");
    }
    /* One thread owns the base. evhttp switches reading off and on with every request; collected,
     * most of these changes cancel out before the kernel hears of them. */
    event_config_set_flag(options, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
    door->base = event_base_new_with_config(options);
    event_config_free(options);
    if (door->base == NULL) {
        return fail(transport, ENOMEM, "cannot create an event base");
    }
    door->http = evhttp_new(door->base);
    door->wakeup = event_new(door->base, door->wake, EV_READ | EV_PERSIST, on_wake, door);
    door->relisten = evtimer_new(door->base, relisten, door);
    door->deadline = evtimer_new(door->base, deadline_passed, door);
    door->snapshots_timer = evtimer_new(door->base, jsonrpc_snapshots_look, door);
    door->turns_timer = evtimer_new(door->base, turn_is_over, door);
    if (door->http == NULL || door->wakeup == NULL || door->relisten == NULL ||
        door->deadline == NULL || door->snapshots_timer == NULL || door->turns_timer == NULL ||
        event_add(door->wakeup, NULL) != 0) {
        return fail(transport, ENOMEM, "no memory for libevent");
    }
    evhttp_set_allowed_methods(door->http, METHODS_SEEN);
    evhttp_set_max_headers_size(door->http, JSONRPC_HEADERS_MAX);
    evhttp_set_max_body_size(door->http, transport->config->jsonrpc.max_body_bytes);
    evhttp_set_bevcb(door->http, jsonrpc_connection_new, door);
    evhttp_set_gencb(door->http, jsonrpc_request_arrived, door);
    return listen_on(door);
}

/* Frees what set_up made; connections go with evhttp. */
static void tear_down(jsonrpc_door *door)
{
    door->draining = true;
    if (door->http != NULL) {
        door->listener = NULL;
        evhttp_free(door->http);
        event_base_loop(door->base, EVLOOP_NONBLOCK); /* libevent closes sockets in its loop */
    }
    struct event *const events[] = {door->wakeup, door->relisten, door->deadline,
                                    door->snapshots_timer, door->turns_timer};
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        if (events[i] != NULL) {
            event_free(events[i]);
        }
    }
    if (door->base != NULL) {
        event_base_free(door->base);
    }
    free(door->by_socket);
    door->http = NULL;
    door->base = NULL;
    door->wakeup = door->relisten = door->deadline = NULL;
    door->snapshots_timer = door->turns_timer = NULL;
    door->by_socket = NULL;
    door->by_socket_size = 0;
}

/* ---- The loop ---- */

static void run_loop(jsonrpc_door *door, int flags)
{
    door->in_loop = true;
    event_base_loop(door->base, flags);
    door->in_loop = false;
}

/* One look at the sockets, after the port has had its turn; sleeps if there is nothing to do. What
 * the sockets brought is carried out before the next look, and answered where that is done at once:
 * evhttp stops reading from a connection while it handles a request, and the kernel need not hear
 * of it then. */
static void turn(jsonrpc_door *door)
{
    matching_port_flush(door->port);
    bool again = matching_port_poll(door->port, 0);
    jsonrpc_exchanges_resume(door);
    matching_port_flush(door->port);
    int flags = EVLOOP_ONCE;
    if (again || !matching_port_sleep(door->port)) {
        flags |= EVLOOP_NONBLOCK;
    }
    run_loop(door, flags);
}

/* What had arrived when the stop came was accepted: takes it in, without waiting for more. A turn
 * of the loop sees a limited number of sockets, and one request of each. */
static void take_in_the_rest(jsonrpc_door *door)
{
    uint64_t before;
    unsigned rounds = 0;
    do {
        before = door->requests;
        run_loop(door, EVLOOP_NONBLOCK);
    } while (door->requests != before && ++rounds < STOP_ROUNDS);
}

static void drain(jsonrpc_door *door)
{
    const struct timeval limit = {MATCHING_STOP_DEADLINE_MS / 1000,
                                  MATCHING_STOP_DEADLINE_MS % 1000 * 1000L};
    take_in_the_rest(door);
    evhttp_del_accept_socket(door->http, door->bound);
    door->listener = NULL;
    door->bound = NULL;
    take_in_the_rest(door); /* of those whose connection came last */
    door->draining = true;
    event_add(door->deadline, &limit);
    jsonrpc_connections_close_idle(door);
    jsonrpc_snapshots_give_up(door);
    while ((door->busy > 0 || door->exchanges != NULL) && !door->expired) {
        turn(door);
    }
    matching_port_close(door->port);
}

static void *run(void *argument)
{
    jsonrpc_door *door = argument;
    prctl(PR_SET_NAME, "jsonrpc");
    while (!atomic_load_explicit(&door->stopping, memory_order_acquire)) {
        turn(door);
    }
    drain(door);
    return NULL;
}

static int start_thread(jsonrpc_door *door)
{
    /* Signals are the main thread's; a write to a closed socket is an error, not a signal. */
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&door->thread, NULL, run, door);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0) {
        return fail(door->transport, error, "cannot start a thread");
    }
    door->thread_started = true;
    return 0;
}

static int door_start(matching_transport *transport)
{
    jsonrpc_door *door = transport->state;
    int result = set_up(door);
    if (result == 0) {
        result = start_thread(door);
    }
    if (result != 0) {
        tear_down(door);
    }
    return result;
}

static void door_stop(matching_transport *transport)
{
    jsonrpc_door *door = transport->state;
    if (door == NULL || !door->thread_started) {
        return;
    }
    atomic_store_explicit(&door->stopping, true, memory_order_release);
    wake(door);
    pthread_join(door->thread, NULL);
    door->thread_started = false;
    tear_down(door);
}

static void door_fini(matching_transport *transport)
{
    jsonrpc_door *door = transport->state;
    if (door == NULL) {
        return;
    }
    jsonrpc_exchanges_free(door);
    if (door->wake >= 0) {
        close(door->wake);
    }
    matching_peers_fini(&door->peers);
    matching_rates_destroy(door->address_rates);
    matching_rates_destroy(door->trader_rates);
    free(door);
    transport->state = NULL;
}

const matching_transport_ops matching_jsonrpc_transport = {
    .name = "jsonrpc",
    .init = door_init,
    .start = door_start,
    .stop = door_stop,
    .fini = door_fini,
};
