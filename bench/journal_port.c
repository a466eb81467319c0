/* See journal_port.h. One thread is the client and its port; the core has one shard. */
#define _GNU_SOURCE
#include "bench/journal_port.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "matching/core.h"
#include "matching/port.h"

#define BATCH 100 /* orders before a look at the replies */

/* A client that wakes up for each order would keep a processor to itself. */
#define REST_NS 50000

typedef struct client {
    const port_run *run;
    matching_core *core;
    matching_port *port;
    int wake_fd;
    uint64_t submitted, answered, refused;
    uint64_t begun_ns, every_ns;
    bool is_full; /* the core took no more: only a reply makes room */
} client;

static void fail(const char *what)
{
    fprintf(stderr, "journal_bench: %s\n", what);
    exit(EXIT_FAILURE);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

static _Atomic uint64_t syncs;

/* In the place of the system's, for the whole program: what the journal really does is counted, and
 * the journal need not do it for us. */
int fdatasync(int fd)
{
    atomic_fetch_add_explicit(&syncs, 1, memory_order_relaxed);
    return (int)syscall(SYS_fdatasync, fd);
}

matching_command port_order(uint64_t number)
{
    matching_command command = {.type = MATCHING_PLACE,
                                .side = number % 2 ? MATCHING_SELL : MATCHING_BUY,
                                .price_ticks = (int64_t)(10000 + number / 2 % 64),
                                .quantity_lots = (int64_t)(1 + number / 2 % 100),
                                .order_type = MATCHING_LIMIT,
                                .flags = MATCHING_FLAG_BRIEF,
                                .trader_id = "trader-00"};
    command.trader_id[8] = (char)('0' + number % 10);
    return command;
}

/* ---- The port's handlers --------------------------------------------------------------------- */

static void on_reply(void *context, const matching_reply *reply)
{
    client *c = context;
    c->answered++;
    c->refused += reply->code != MATCHING_OK;
    if (c->run->waits != NULL) {
        c->run->waits[reply->tag] = now_ns() - (c->begun_ns + reply->tag * c->every_ns);
    }
}

static void on_event(void *context, unsigned shard, uint64_t position, const matching_event *event,
                     const matching_order *order)
{
    (void)context; /* a feed would send it; here it is only taken */
    (void)shard;
    (void)position;
    (void)event;
    (void)order;
}

static void wake(void *context)
{
    const client *c = context;
    uint64_t one = 1;
    ssize_t written = write(c->wake_fd, &one, sizeof one);
    (void)written; /* a full counter has woken it already */
}

/* ---- The client ------------------------------------------------------------------------------ */

static void start(client *c)
{
    static const matching_port_handlers handlers = {
        .on_reply = on_reply, .on_event = on_event, .wake = wake};
    static const matching_instrument_options instrument = {
        .symbol = "BTCUSDT", .id = 1, .tick_size = 1000000, .lot_size = 1};
    char error[1024] = "";
    matching_core_options options;
    matching_core_options_default(&options);
    options.instruments = &instrument;
    options.instrument_count = 1;
    options.shards = 1;
    options.data_dir = c->run->data_dir;
    c->wake_fd = eventfd(0, EFD_CLOEXEC);
    c->core = matching_core_create(&options, error, sizeof error);
    if (c->core == NULL || c->wake_fd < 0) {
        fail(error);
    }
    c->port = matching_port_create(c->core, &handlers, c);
    if (c->port == NULL || matching_core_start(c->core, error, sizeof error) != 0) {
        fail(error);
    }
}

static void stop(client *c)
{
    matching_core_stop(c->core);
    matching_core_destroy(c->core);
    close(c->wake_fd);
}

/* As many as are due by now and as the core takes. */
static unsigned submit(client *c, uint64_t now)
{
    unsigned count = 0;
    c->is_full = false;
    while (count < BATCH &&
           (c->every_ns == 0 ||
            (c->submitted < c->run->count && c->begun_ns + c->submitted * c->every_ns <= now))) {
        matching_command command = port_order(c->submitted);
        command.tag = c->submitted;
        if (matching_port_submit(c->port, &command) != MATCHING_OK) {
            c->is_full = true;
            break;
        }
        c->submitted++;
        count++;
    }
    if (count > 0) {
        matching_port_flush(c->port);
    }
    return count;
}

/* Until a reply comes or, unless only replies count, the next order is due. */
static void sleep_until(client *c, bool only_replies, uint64_t due, uint64_t now)
{
    struct timespec pause = {.tv_nsec = due > now + REST_NS ? (long)(due - now) : REST_NS};
    struct pollfd wanted = {.fd = c->wake_fd, .events = POLLIN};
    if (matching_port_sleep(c->port) && ppoll(&wanted, 1, only_replies ? NULL : &pause, NULL) > 0) {
        uint64_t count;
        ssize_t got = read(c->wake_fd, &count, sizeof count);
        (void)got; /* whatever came: look */
    }
}

static bool is_done(const client *c, uint64_t now)
{
    return c->every_ns != 0 ? c->submitted == c->run->count
                            : now >= c->begun_ns + (uint64_t)(c->run->seconds * 1e9);
}

double port_measure(const port_run *run)
{
    client c = {.run = run, .every_ns = run->rate != 0 ? 1000000000ull / run->rate : 0};
    start(&c);
    c.begun_ns = now_ns();
    uint64_t now = c.begun_ns, syncs_before = atomic_load(&syncs);
    bool done = false;
    while (!done || c.answered < c.submitted) {
        unsigned submitted = done ? 0 : submit(&c, now);
        uint64_t answered = c.answered;
        matching_port_poll(c.port, 0);
        now = now_ns();
        done = done || is_done(&c, now);
        if (submitted == 0 && c.answered == answered && (c.answered < c.submitted || !done)) {
            uint64_t due = c.begun_ns + c.submitted * c.every_ns;
            sleep_until(&c, c.is_full || c.every_ns == 0 || done, due, now);
        }
    }
    double took = (double)(now_ns() - c.begun_ns) * 1e-9;
    if (run->a_sync != NULL) {
        *run->a_sync = (double)c.answered / (double)(atomic_load(&syncs) - syncs_before);
    }
    stop(&c);
    if (c.refused > 0) {
        fail("orders were refused");
    }
    return (double)c.answered / took;
}
