/* What snapshots and starts cost, with many orders at rest:
 *
 *   quiet      commands at a fixed rate, no snapshot: what the machine and its disk do by
 *              themselves
 *   snapshots  the same with a snapshot begun every four seconds
 *   windows    the same in short windows, by turns beside a snapshot and without one: tells what a
 *              snapshot does from what the disk does by itself; then with sync = "none", where no
 *              reply waits for the disk
 *   start      from the newest snapshot, and from the journal alone
 *
 * recovery_bench [DIR [orders [rate]]]: DIR is made and deleted; it has to be on the disk that is
 * meant. Commands come at fixed times, whatever the service does; the time from when one was due
 * until its reply is what counts, so a stall shows in all that waits.
 */
#define _GNU_SOURCE
#include <ftw.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "matching/core.h"
#include "matching/port.h"

#define SECONDS 10
#define SNAPSHOT_GAP_NS 4000000000ull /* from one to the next; the segment's successor is ready */
#define ORDERS_DEFAULT 1000000
#define RATE_DEFAULT 50000
#define OPEN_MAX 65536
#define WINDOWS 10 /* of each kind */
#define WINDOW_NS 2000000000ull
#define SETTLE_NS 3000000000ull /* after a snapshot; the file of the journal is made by then */
#define BUCKETS 100000          /* of a microsecond each, the last one for all above */

typedef struct load {
    matching_port *port;
    uint64_t replies, refused;
    uint64_t offered;        /* at a rate */
    uint64_t open[OPEN_MAX]; /* new ones, not yet cancelled */
    size_t open_count;
    uint64_t worst_ns;
    uint32_t buckets[BUCKETS];
    bool measured; /* tags are times */
    int wake_fd;
} load;

static const char *folder;
static uint64_t orders, rate;

static void fail(const char *what)
{
    fprintf(stderr, "recovery_bench: %s\n", what);
    exit(EXIT_FAILURE);
}

static void on_reply(void *context, const matching_reply *reply)
{
    load *l = context;
    l->replies++;
    l->refused += reply->code != MATCHING_OK;
    if (l->measured && reply->type == MATCHING_PLACE && l->open_count < OPEN_MAX) {
        l->open[l->open_count++] = reply->order.order_id;
    }
    if (l->measured) {
        uint64_t took = matching_monotonic_ns() - reply->tag;
        uint64_t bucket = took / 1000;
        l->buckets[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
        l->worst_ns = took > l->worst_ns ? took : l->worst_ns;
    }
}

static void wake(void *context)
{
    const load *l = context;
    uint64_t one = 1;
    if (write(l->wake_fd, &one, sizeof one) != (ssize_t)sizeof one) {
        fail("the wake-up is lost");
    }
}

/* Until this time, or until a reply is there: a processor that it does not use is the service's. */
static void sleep_until(load *l, uint64_t due_ns)
{
    uint64_t now = matching_monotonic_ns(), count;
    if (now >= due_ns || !matching_port_sleep(l->port)) {
        return;
    }
    struct timespec left = {.tv_nsec = (long)(due_ns - now)}; /* less than a second */
    struct pollfd waited = {.fd = l->wake_fd, .events = POLLIN};
    if (ppoll(&waited, 1, &left, NULL) > 0 && read(l->wake_fd, &count, sizeof count) < 0) {
        fail("the wake-up cannot be read");
    }
}

static void on_note(void *context, const char *line)
{
    (void)context;
    printf("  %s\n", line);
}

static matching_core *make_core(load *l, matching_sync sync, uint64_t *took_ns)
{
    static const matching_instrument_options instrument = {
        .symbol = "BENCH", .id = 1, .tick_size = 1000000, .lot_size = 10000};
    matching_core_options options;
    matching_core_options_default(&options);
    options.instruments = &instrument;
    options.instrument_count = 1;
    options.shards = 1;
    options.max_orders = orders + 100000;
    options.data_dir = folder;
    options.sync = sync;
    options.snapshot_every = 0;
    options.on_note = on_note;
    char error[1000];
    uint64_t begun = matching_monotonic_ns();
    matching_core *core = matching_core_create(&options, error, sizeof error);
    if (core == NULL) {
        fail(error);
    }
    *took_ns = matching_monotonic_ns() - begun;
    const matching_port_handlers handlers = {.on_reply = on_reply, .wake = wake};
    memset(l, 0, sizeof *l);
    l->wake_fd = eventfd(0, EFD_CLOEXEC);
    l->port = matching_port_create(core, &handlers, l);
    if (l->port == NULL || matching_core_start(core, error, sizeof error) != 0) {
        fail("the core does not start");
    }
    return core;
}

/* The n-th resting order: below the market, 1,000 prices. */
static matching_command resting(uint64_t n)
{
    matching_command command = {.type = MATCHING_PLACE,
                                .side = MATCHING_BUY,
                                .order_type = MATCHING_LIMIT,
                                .price_ticks = (int64_t)(100000 + n * 7919 % 1000),
                                .quantity_lots = (int64_t)(1 + n % 100),
                                .flags = MATCHING_FLAG_BRIEF};
    snprintf(command.trader_id, sizeof command.trader_id, "trader-%03u", (unsigned)(n % 500));
    return command;
}

static void submit(load *l, const matching_command *command)
{
    while (matching_port_submit(l->port, command) == MATCHING_OVERLOADED) {
        matching_port_flush(l->port);
        matching_port_poll(l->port, 0);
        sched_yield();
    }
}

static void wait_all(load *l)
{
    while (matching_port_in_flight(l->port) > 0) {
        matching_port_flush(l->port);
        matching_port_poll(l->port, 0);
        sched_yield();
    }
}

static void fill(load *l)
{
    uint64_t begun = matching_monotonic_ns();
    for (uint64_t n = 0; n < orders; n++) {
        matching_command command = resting(n);
        submit(l, &command);
        if (n % 64 == 0) {
            matching_port_flush(l->port);
            matching_port_poll(l->port, 0);
        }
    }
    wait_all(l);
    double took = (double)(matching_monotonic_ns() - begun) / 1e9;
    printf("%" PRIu64 " orders at rest, entered in %.1f s\n", orders, took);
}

/* A new order, or the cancel of one that came before: about as many of each. */
static void offer(load *l, uint64_t n, uint64_t due_ns)
{
    matching_command command = resting(n);
    if (l->open_count > 0) {
        command = (matching_command){.type = MATCHING_CANCEL,
                                     .order_id = l->open[--l->open_count],
                                     .reason = MATCHING_REASON_USER,
                                     .flags = MATCHING_FLAG_BRIEF};
    }
    command.tag = due_ns;
    submit(l, &command);
}

static uint64_t percentile(const load *l, double part)
{
    uint64_t all = 0, seen = 0;
    for (size_t i = 0; i < BUCKETS; i++) {
        all += l->buckets[i];
    }
    for (size_t i = 0; i < BUCKETS; i++) {
        seen += l->buckets[i];
        if ((double)seen >= part * (double)all) {
            return i;
        }
    }
    return BUCKETS;
}

/* Snapshots that are asked for while commands come. */
typedef struct snapshots {
    matching_core *core;
    uint64_t every_ns; /* 0: none by itself */
    uint64_t next_ns, ticket, count;
} snapshots;

static bool is_through(const snapshots *s)
{
    matching_snapshot_result result;
    return s->ticket == 0 || matching_core_snapshot_done(s->core, s->ticket, &result);
}

static void ask(snapshots *s)
{
    if (matching_core_request_snapshot(s->core, &s->ticket) != MATCHING_OK) {
        fail("no snapshot can be asked for");
    }
    s->count++;
}

/* Commands at their times, for so long; buckets and worst_ns say what became of them. */
static void drive(load *l, uint64_t for_ns, snapshots *s)
{
    uint64_t begun = matching_monotonic_ns(), gap_ns = 1000000000u / rate;
    memset(l->buckets, 0, sizeof l->buckets);
    l->worst_ns = 0;
    l->measured = true;
    for (uint64_t due = begun; due < begun + for_ns; due += gap_ns) {
        while (matching_monotonic_ns() < due) {
            matching_port_poll(l->port, 0);
            sleep_until(l, due);
        }
        offer(l, l->offered++, due);
        matching_port_flush(l->port);
        if (s->every_ns > 0 && l->offered % 64 == 0 && due >= s->next_ns && is_through(s)) {
            ask(s);
            s->next_ns = due + s->every_ns;
        }
    }
    wait_all(l);
    l->measured = false;
}

static void run(load *l, matching_core *core, bool with_snapshots)
{
    snapshots s = {.core = core,
                   .every_ns = with_snapshots ? SNAPSHOT_GAP_NS : 0,
                   .next_ns = matching_monotonic_ns() + SNAPSHOT_GAP_NS / 4};
    drive(l, SECONDS * 1000000000ull, &s);
    printf("%-10s %" PRIu64 " commands/s: p50 %" PRIu64 " us, p99 %" PRIu64 " us, p99.9 %" PRIu64
           " us, max %.2f ms",
           with_snapshots ? "snapshots" : "quiet", rate, percentile(l, 0.5), percentile(l, 0.99),
           percentile(l, 0.999), (double)l->worst_ns / 1e6);
    printf(with_snapshots ? ", %" PRIu64 " snapshots\n" : "\n", s.count);
    while (!is_through(&s)) {
        sched_yield();
    }
}

/* ---- Windows --------------------------------------------------------------------------------- */

/* What one kind of windows came to, in microseconds. */
typedef struct windows {
    uint64_t p999[WINDOWS], max[WINDOWS];
    unsigned count;
} windows;

static void take(windows *w, load *l, snapshots *s)
{
    drive(l, WINDOW_NS, s);
    w->p999[w->count] = percentile(l, 0.999);
    w->max[w->count++] = l->worst_ns / 1000;
}

static int compare(const void *left, const void *right)
{
    uint64_t x = *(const uint64_t *)left, y = *(const uint64_t *)right;
    return (x > y) - (x < y);
}

static void print_windows(const char *name, windows *w)
{
    qsort(w->p999, w->count, sizeof *w->p999, compare);
    qsort(w->max, w->count, sizeof *w->max, compare);
    printf("  %-18s max: median %6.2f ms, worst %6.2f ms; p99.9: median %6.2f ms, worst %6.2f ms\n",
           name, (double)w->max[w->count / 2] / 1e3, (double)w->max[w->count - 1] / 1e3,
           (double)w->p999[w->count / 2] / 1e3, (double)w->p999[w->count - 1] / 1e3);
}

/* Equal windows with a snapshot under way, from its request to its end, and as many without, turn
 * by turn: what is worse in the first alone is the snapshot's doing, whatever the disk does by
 * itself. */
static void alternate(load *l, matching_core *core, const char *policy)
{
    static windows beside, without;
    snapshots s = {.core = core};
    uint64_t took = 0;
    beside.count = without.count = 0;
    drive(l, SETTLE_NS, &s);
    while (beside.count < WINDOWS) {
        unsigned before = beside.count;
        uint64_t begun = matching_monotonic_ns();
        ask(&s);
        while (beside.count < WINDOWS && (beside.count == before || !is_through(&s))) {
            take(&beside, l, &s);
        }
        while (!is_through(&s)) {
            drive(l, SETTLE_NS / 10, &s); /* beyond the last window */
        }
        took += matching_monotonic_ns() - begun;
        drive(l, SETTLE_NS, &s); /* the journal's next file is made */
        while (without.count < beside.count) {
            take(&without, l, &s);
        }
    }
    printf("windows, sync = \"%s\", %" PRIu64 " commands/s: %d of %.0f s of each kind, %" PRIu64
           " snapshots, %.1f s each\n",
           policy, rate, WINDOWS, WINDOW_NS / 1e9, s.count, (double)took / 1e9 / (double)s.count);
    print_windows("without a snapshot", &without);
    print_windows("beside a snapshot", &beside);
}

static void finish(matching_core *core, load *l)
{
    wait_all(l);
    matching_core_stop(core);
    matching_core_destroy(core);
    close(l->wake_fd);
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

static int remove_snapshot(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)kind;
    (void)where;
    if (strstr(path, ".snapshot") != NULL) {
        printf("  %s: %.1f MB\n", path, (double)status->st_size / 1e6);
        return remove(path);
    }
    return 0;
}

int main(int argc, char **argv)
{
    static load l;
    uint64_t took;
    folder = argc > 1 ? argv[1] : "./recovery-bench-data";
    orders = argc > 2 ? strtoull(argv[2], NULL, 10) : ORDERS_DEFAULT;
    rate = argc > 3 ? strtoull(argv[3], NULL, 10) : RATE_DEFAULT;
    if (orders < 1 || rate < 100 || mkdir(folder, 0700) != 0) {
        fail("give a folder that is not there yet, orders, and a rate of at least 100 a second");
    }
    setvbuf(stdout, NULL, _IOLBF, 0);

    matching_core *core = make_core(&l, MATCHING_SYNC_COMMIT, &took);
    fill(&l);
    finish(core, &l);
    printf("start from the journal\n");
    core = make_core(&l, MATCHING_SYNC_COMMIT, &took);
    printf("  %.3f s in all\n", (double)took / 1e9);
    run(&l, core, false);
    run(&l, core, true);
    alternate(&l, core, "commit");
    finish(core, &l);
    printf("start from the snapshot\n");
    core = make_core(&l, MATCHING_SYNC_COMMIT, &took);
    printf("  %.3f s in all\n", (double)took / 1e9);
    run(&l, core, false);
    finish(core, &l);
    core = make_core(&l, MATCHING_SYNC_NONE, &took);
    alternate(&l, core, "none");
    finish(core, &l);
    nftw(folder, remove_snapshot, 16, FTW_DEPTH | FTW_PHYS);
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    printf("%s\n", l.refused == 0 ? "all commands accepted" : "SOME COMMANDS WERE REFUSED");
    return l.refused == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
