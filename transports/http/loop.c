/* The door's thread: libmicrohttpd, the port and the deadlines in one event loop.
 *
 * Invariants: the thread sleeps only after the port has been told so and had nothing ready; what is
 * submitted in a turn is flushed in the same turn; nothing here waits for the core.
 *
 * Not the protocol: requests and answers are exchange.c's, what the core is asked asking.c's.
 */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "door.h"

#define NS_PER_MS UINT64_C(1000000)

/* Stopping: a connection that is idle stays for DRAIN_IDLE_MS, so that a request that is just on
 * its way is told SHUTTING_DOWN instead of meeting a closed door; a request that has begun to come
 * may take DRAIN_REQUEST_MS, an answer DRAIN_ALL_MS to be given and taken; the rest of
 * MATCHING_STOP_DEADLINE_MS is for closing. */
#define DRAIN_IDLE_MS 200
#define DRAIN_REQUEST_MS 1000
#define DRAIN_ALL_MS (MATCHING_STOP_DEADLINE_MS - 1500)
#define DRAIN_TURN_MS 20
#define LAST_TURNS_MAX 1000
#define EVENTS_MAX 128

/* While libmicrohttpd has work, its own epoll set tells it of more; this long the loop may wait to
 * hear of first bytes itself. */
#define LOOK_NS UINT64_C(500000)

void http_wake(http_door *door)
{
    uint64_t one = 1;
    ssize_t written;
    do
        written = write(door->wake_fd, &one, sizeof one);
    while (written < 0 && errno == EINTR);
    /* Nobody reads it: the loop hears of each write. It is full after 2^64 of them. */
}

static void cut(http_deadline *deadline)
{
    http_connection_cut((http_connection *)(void *)deadline);
}

static void cut_overdue(http_door *door)
{
    uint64_t now_ns = matching_monotonic_ns();
    http_deadline *due;
    while ((due = http_deadlines_due(&door->deadlines, now_ns)) != NULL)
        cut(due);
}

/* Cuts all that wait like this. */
static void cut_waiting(http_door *door, http_wait wait)
{
    http_deadline *first;
    while ((first = http_deadlines_first(&door->deadlines, wait)) != NULL) {
        http_deadline_set(&door->deadlines, first, HTTP_WAIT_NONE, 0);
        cut(first);
    }
}

/* Of two timeouts; -1: none. */
static int sooner_ms(int one, int other)
{
    return one < 0 || (other >= 0 && other < one) ? other : one;
}

/* Milliseconds that this turn may sleep; -1: until something happens. */
static int turn_timeout_ms(http_door *door)
{
    MHD_UNSIGNED_LONG_LONG daemon_ms;
    uint64_t now_ns = matching_monotonic_ns();
    int timeout_ms = sooner_ms(http_deadlines_timeout_ms(&door->deadlines, now_ns),
                               http_waiting_timeout_ms(door, now_ns));
    if (MHD_get_timeout(door->daemon, &daemon_ms) == MHD_YES)
        timeout_ms = sooner_ms(timeout_ms, (int)(daemon_ms < 60000 ? daemon_ms : 60000));
    return door->is_draining ? sooner_ms(timeout_ms, DRAIN_TURN_MS) : timeout_ms;
}

static void sleep_until_something(http_door *door, bool port_has_more)
{
    struct epoll_event events[EVENTS_MAX];
    int timeout_ms = port_has_more ? 0 : turn_timeout_ms(door);
    if (timeout_ms != 0 && !matching_port_sleep(door->port))
        timeout_ms = 0;
    if (timeout_ms == 0 && door->now_ns - door->looked_ns < LOOK_NS)
        return;
    int count = epoll_wait(door->epoll_fd, events, EVENTS_MAX, timeout_ms);
    door->now_ns = door->looked_ns = matching_monotonic_ns();
    for (int i = 0; i < count; i++) {
        if (events[i].data.ptr != door && events[i].data.ptr != &door->wake_fd)
            http_connection_heard(events[i].data.ptr,
                                  events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR));
    }
}

static void run_daemon(http_door *door)
{
    MHD_run(door->daemon);
    http_connections_hold_fresh(door); /* before it could read from them */
}

static bool run_turn(http_door *door)
{
    door->now_ns = matching_monotonic_ns();
    bool more = matching_port_poll(door->port, 0);
    http_serve_waiting(door);
    door->turn++;
    door->has_queued = false;
    run_daemon(door);
    if (door->has_queued) /* so that the answers do not wait for what this turn has brought */
        run_daemon(door);
    matching_port_flush(door->port);
    cut_overdue(door);
    return more;
}

/* Does a connection wait to be accepted? */
static bool is_called_upon(const http_door *door)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(door->daemon, MHD_DAEMON_INFO_LISTEN_FD);
    struct pollfd listener = {.fd = info != NULL ? info->listen_fd : -1, .events = POLLIN};
    return poll(&listener, 1, 0) == 1 && (listener.revents & POLLIN) != 0;
}

/* Takes what has arrived before the stop: who was connected then has been let in by the kernel. */
static void take_the_last(http_door *door)
{
    for (unsigned turn = 0; turn < LAST_TURNS_MAX && is_called_upon(door); turn++)
        run_turn(door);
    door->looked_ns = 0;
    sleep_until_something(door, true); /* only looks */
    run_turn(door);
}

/* No new connections and no new commands from here on. */
static void begin_drain(http_door *door)
{
    MHD_socket listen_fd = MHD_quiesce_daemon(door->daemon);
    if (listen_fd != MHD_INVALID_SOCKET)
        close(listen_fd);
    matching_port_close(door->port);
    door->is_draining = true;
}

/* What can be written without waiting. */
static void send_the_last(http_door *door)
{
    MHD_UNSIGNED_LONG_LONG timeout_ms;
    for (unsigned turn = 0; turn < LAST_TURNS_MAX; turn++) {
        MHD_run(door->daemon);
        if (MHD_get_timeout(door->daemon, &timeout_ms) != MHD_YES || timeout_ms > 0)
            break;
    }
}

static void drain(http_door *door)
{
    uint64_t start_ns = matching_monotonic_ns();
    begin_drain(door);
    for (;;) {
        bool more = run_turn(door);
        uint64_t elapsed_ms = (matching_monotonic_ns() - start_ns) / NS_PER_MS;
        if (door->connection_count == 0 || elapsed_ms >= DRAIN_ALL_MS)
            break;
        if (elapsed_ms >= DRAIN_IDLE_MS)
            cut_waiting(door, HTTP_WAIT_IDLE);
        if (elapsed_ms >= DRAIN_REQUEST_MS) {
            cut_waiting(door, HTTP_WAIT_HEAD);
            cut_waiting(door, HTTP_WAIT_BODY);
        }
        sleep_until_something(door, more);
    }
    /* libmicrohttpd aborts if it is stopped while something is suspended. */
    cut_waiting(door, HTTP_WAIT_IDLE);
    cut_waiting(door, HTTP_WAIT_HEAD);
    http_give_up_asking(door);
    send_the_last(door);
    MHD_stop_daemon(door->daemon);
    door->daemon = NULL;
}

void *http_loop(void *context)
{
    http_door *door = context;
    while (!atomic_load_explicit(&door->stopping, memory_order_acquire)) {
        bool more = run_turn(door);
        sleep_until_something(door, more);
    }
    take_the_last(door);
    drain(door);
    return NULL;
}
