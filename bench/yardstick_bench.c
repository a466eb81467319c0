/* yardstick_bench [options] LIBRARY...: how fast libraries with the interface of yardstick.h
 * answer.
 *
 * For each market of scenario.h and each library: a process of its own loads the library, gives
 * it all messages on the first processor while a second thread drains the reports on the next
 * one, and says how long that took, flush included. The reports are hashed afterwards,
 * normalised, and compared with those of the plain book, which are worked out once a market.
 * Libraries take turns, run by run, so that a slow moment of the machine meets them all. Where
 * other programs run too, the rate by processor time of the matching thread says more than the
 * one by the clock.
 *
 * --check does not time: messages are given one by one, every report and, now and then, the best
 * prices and a depth are compared with the plain book, and the first difference is shown.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/plain_queue.h"
#include "bench/reports.h"
#include "bench/scenario.h"
#include "bench/simple_book.h"
#include "bench/yardstick_library.h"

#define QUEUE_CAPACITY (1u << 20)
#define DRAIN_BATCH 256u
#define CHUNKS 64u /* a batching library gets its messages in so many pieces */
#define RUN_SECONDS_MAX 300u
#define RUNS_MAX 99
#define LIBRARIES_MAX 16
#define QUERY_EVERY 97u /* messages, in a check */

typedef struct options {
    bool driver_queue, single, check;
    uint64_t seed;
    uint32_t orders;
    int runs;
    const char *only; /* scenario, NULL: all */
    const char *libraries[LIBRARIES_MAX];
    int library_count;
} options;

typedef struct workload {
    yardstick_message *messages;
    size_t count;
    yardstick_report *expected; /* normalised */
    size_t expected_count, expected_room;
    uint64_t expected_hash;
    uint32_t live_most;
} workload;

/* What a child tells. */
typedef struct outcome {
    double seconds;
    double processor; /* seconds that the matching thread had a processor */
    uint64_t hash, reports;
    bool passed; /* --check */
} outcome;

typedef struct drain {
    const yardstick_transport *transport;
    void *queue;
    yardstick_report *reports;
    size_t count, room;
    atomic_bool done;
} drain;

static void fail(const char *what)
{
    fprintf(stderr, "yardstick_bench: %s\n", what);
    exit(EXIT_FAILURE);
}

static double now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* On a machine with one processor, or where it may not, the thread stays where it is. */
static void pin(unsigned number)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(number, &set);
    pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

static void *drain_reports(void *argument)
{
    drain *d = argument;
    yardstick_report batch[DRAIN_BATCH];
    pin(1);
    for (;;) {
        bool last = atomic_load_explicit(&d->done, memory_order_acquire);
        uint32_t count = d->transport->drain(d->queue, batch, DRAIN_BATCH);
        if (d->count + count > d->room) {
            fail("too many reports");
        }
        memcpy(&d->reports[d->count], batch, count * sizeof *batch);
        d->count += count;
        if (count == 0 && last) {
            return NULL;
        }
    }
}

static void deliver(const yardstick_library *engine, const workload *w, bool single)
{
    if (engine->on_batch != NULL && !single) {
        for (size_t i = 0; i < CHUNKS; i++) {
            size_t from = w->count * i / CHUNKS, to = w->count * (i + 1) / CHUNKS;
            engine->on_batch(&w->messages[from], (uint32_t)(to - from));
        }
    } else {
        for (size_t i = 0; i < w->count; i++) {
            yardstick_library_deliver(engine, &w->messages[i]);
        }
    }
    engine->flush();
}

static void load_or_exit(const char *path, yardstick_library *engine)
{
    const char *missing = yardstick_library_load(path, engine);
    if (missing != NULL) {
        fail(missing);
    }
}

/* In the child. */
static outcome run(const char *path, const workload *w, const options *o)
{
    yardstick_library engine;
    load_or_exit(path, &engine);
    const yardstick_transport *own =
        engine.get_transport != NULL && !o->driver_queue ? engine.get_transport() : NULL;
    drain d = {.transport = own != NULL ? own : &plain_queue_transport, .room = 4 * w->count + 64};
    d.queue = d.transport->create(QUEUE_CAPACITY);
    d.reports = malloc(d.room * sizeof *d.reports);
    pthread_t thread;
    if (d.queue == NULL || d.reports == NULL) {
        fail("out of memory");
    }
    memset(d.reports, 0, w->expected_count * sizeof *d.reports); /* touched beforehand */
    if (pthread_create(&thread, NULL, drain_reports, &d) != 0) {
        fail("no second thread");
    }
    pin(0);
    engine.init(o->seed ^ (uint64_t)getpid(), d.transport, d.queue);
    double processor = now(CLOCK_THREAD_CPUTIME_ID), from = now(CLOCK_MONOTONIC);
    deliver(&engine, w, o->single);
    d.transport->flush(d.queue);
    double seconds = now(CLOCK_MONOTONIC) - from;
    processor = now(CLOCK_THREAD_CPUTIME_ID) - processor;
    atomic_store_explicit(&d.done, true, memory_order_release);
    pthread_join(thread, NULL);
    reports_normalise(d.reports, d.count);
    return (outcome){.seconds = seconds,
                     .processor = processor,
                     .hash = reports_hash(d.reports, d.count),
                     .reports = d.count};
}

/* ---- Checking against the plain book --------------------------------------------------------- */

typedef struct gathered {
    yardstick_report *reports; /* of one message */
    size_t count, room;
} gathered;

static gathered from_engine; /* the interface's push has no context of ours */

static void gather(void *context, const yardstick_report *report)
{
    gathered *g = context;
    if (g->count == g->room) {
        g->room = g->room == 0 ? 64 : 2 * g->room;
        g->reports = realloc(g->reports, g->room * sizeof *g->reports);
        if (g->reports == NULL) {
            fail("out of memory");
        }
    }
    g->reports[g->count++] = *report;
}

static int gather_push(void *handle, const yardstick_report *report)
{
    gather(handle, report);
    return 1;
}

static void gather_flush(void *handle)
{
    (void)handle;
}

static const yardstick_transport gather_transport = {.push = gather_push, .flush = gather_flush};

static bool same_reports(size_t message, gathered *expected)
{
    reports_normalise(expected->reports, expected->count);
    reports_normalise(from_engine.reports, from_engine.count);
    for (size_t i = 0; i < expected->count || i < from_engine.count; i++) {
        char text[200];
        if (i < expected->count && i < from_engine.count &&
            reports_equal(&expected->reports[i], &from_engine.reports[i])) {
            continue;
        }
        printf("message %zu, report %zu\n", message, i);
        if (i < expected->count) {
            reports_describe(&expected->reports[i], text, sizeof text);
            printf("  expected %s\n", text);
        }
        if (i < from_engine.count) {
            reports_describe(&from_engine.reports[i], text, sizeof text);
            printf("  got      %s\n", text);
        }
        return false;
    }
    return true;
}

static bool same_book(const yardstick_library *engine, const simple_book *book, size_t message,
                      int64_t price)
{
    int64_t bid = engine->best_bid(), ask = engine->best_ask();
    bool same = bid == simple_book_best_bid(book) && ask == simple_book_best_ask(book) &&
                engine->depth_at(price, 0) == simple_book_depth_at(book, price, 0) &&
                engine->depth_at(price, 1) == simple_book_depth_at(book, price, 1) &&
                engine->depth_at(bid, 0) == simple_book_depth_at(book, bid, 0) &&
                engine->depth_at(ask, 1) == simple_book_depth_at(book, ask, 1);
    if (!same) {
        printf("after message %zu the book differs: best bid %" PRId64 " expected %" PRId64
               ", best ask %" PRId64 " expected %" PRId64 ", or the depth there or at %" PRId64
               "\n",
               message, bid, simple_book_best_bid(book), ask, simple_book_best_ask(book), price);
    }
    return same;
}

/* In the child. */
static outcome check(const char *path, const workload *w)
{
    yardstick_library engine;
    load_or_exit(path, &engine);
    simple_book *book = simple_book_create();
    gathered expected = {0};
    if (book == NULL) {
        fail("out of memory");
    }
    engine.init(1, &gather_transport, &from_engine);
    bool same = true;
    uint64_t reports = 0;
    for (size_t i = 0; same && i < w->count; i++) {
        const yardstick_message *message = &w->messages[i];
        expected.count = from_engine.count = 0;
        simple_book_apply(book, message, gather, &expected);
        yardstick_library_deliver(&engine, message);
        reports += expected.count;
        same = same_reports(i, &expected);
        if (same && i % QUERY_EVERY == 0) {
            int64_t price = message->type == YARDSTICK_NEW ? message->enter.price_ticks : 1;
            same = same_book(&engine, book, i, price);
        }
    }
    engine.shutdown();
    return (outcome){.reports = reports, .passed = same};
}

/* ---- The table ------------------------------------------------------------------------------- */

/* A library may keep threads and memory, or crash: each run has a process of its own. */
static outcome in_child(const char *path, const workload *w, const options *o)
{
    int ends[2];
    outcome result = {0};
    fflush(stdout);
    if (pipe(ends) != 0) {
        fail("no pipe");
    }
    pid_t child = fork();
    if (child == 0) {
        alarm(RUN_SECONDS_MAX);
        result = o->check ? check(path, w) : run(path, w, o);
        fflush(stdout);
        ssize_t written = write(ends[1], &result, sizeof result);
        _exit(written == (ssize_t)sizeof result ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    close(ends[1]);
    if (child < 0 || read(ends[0], &result, sizeof result) != (ssize_t)sizeof result) {
        fprintf(stderr, "%s did not finish\n", path);
        result = (outcome){0};
    }
    close(ends[0]);
    int status;
    waitpid(child, &status, 0);
    return result;
}

static void keep_expected(void *context, const yardstick_report *report)
{
    workload *w = context;
    if (w->expected_count == w->expected_room) {
        fail("too many reports");
    }
    w->expected[w->expected_count++] = *report;
}

static workload prepare(const scenario *market, const options *o)
{
    workload w = {0};
    w.messages = scenario_generate(market, o->orders, o->seed, &w.count);
    w.expected_room = 4 * w.count;
    w.expected = malloc(w.expected_room * sizeof *w.expected);
    simple_book *book = simple_book_create();
    if (w.messages == NULL || w.expected == NULL || book == NULL) {
        fail("out of memory");
    }
    for (size_t i = 0; i < w.count; i++) {
        simple_book_apply(book, &w.messages[i], keep_expected, &w);
        uint32_t live = simple_book_live(book);
        w.live_most = live > w.live_most ? live : w.live_most;
    }
    size_t trades = 0;
    for (size_t i = 0; i < w.expected_count; i++) {
        trades += w.expected[i].type == YARDSTICK_TRADE;
    }
    reports_normalise(w.expected, w.expected_count);
    w.expected_hash = reports_hash(w.expected, w.expected_count);
    printf("%s: %zu messages, %zu reports, %zu trades, at most %" PRIu32
           " orders rest; hash %016" PRIx64 "\n",
           market->name, w.count, w.expected_count, trades, w.live_most, w.expected_hash);
    simple_book_destroy(book);
    return w;
}

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

typedef struct rates {
    double wall[RUNS_MAX], processor[RUNS_MAX]; /* M messages/s */
    bool right;
} rates;

static double rate(const workload *w, double seconds)
{
    return seconds > 0 ? (double)w->count / seconds / 1e6 : 0;
}

static void print_row(const char *path, rates *r, const options *o)
{
    const char *verdict = r->right ? "equal" : "DIFFERENT";
    if (o->check) {
        printf("  %-36s reports and book %s\n", base_name(path), verdict);
        return;
    }
    printf("  %-36s min=%.2f med=%.2f max=%.2f M messages/s, by processor time med=%.2f; reports "
           "%s\n",
           base_name(path), r->wall[0], r->wall[o->runs / 2], r->wall[o->runs - 1],
           r->processor[o->runs / 2], verdict);
}

/* True: every report was right. worst: by library, lowered to this market's median. */
static bool measure(const workload *w, const options *o, double *worst)
{
    static rates all[LIBRARIES_MAX];
    bool right = true;
    int runs = o->check ? 1 : o->runs;
    for (int k = 0; k < o->library_count; k++) {
        all[k].right = true;
    }
    for (int i = 0; i < runs; i++) {
        for (int k = 0; k < o->library_count; k++) {
            outcome result = in_child(o->libraries[k], w, o);
            all[k].wall[i] = rate(w, result.seconds);
            all[k].processor[i] = rate(w, result.processor);
            all[k].right =
                all[k].right && (o->check ? result.passed : result.hash == w->expected_hash);
        }
    }
    for (int k = 0; k < o->library_count; k++) {
        qsort(all[k].wall, (size_t)runs, sizeof all[k].wall[0], compare_doubles);
        qsort(all[k].processor, (size_t)runs, sizeof all[k].processor[0], compare_doubles);
        double median = all[k].wall[runs / 2];
        worst[k] = median < worst[k] ? median : worst[k];
        right = right && all[k].right;
        print_row(o->libraries[k], &all[k], o);
    }
    return right;
}

static bool parse(int argc, char **argv, options *o)
{
    *o = (options){.seed = 23, .orders = 1000000, .runs = 5};
    int i = 1;
    for (; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--check") == 0) {
            o->check = true;
        } else if (strcmp(argv[i], "--single") == 0) {
            o->single = true;
        } else if (strcmp(argv[i], "--driver-queue") == 0) {
            o->driver_queue = true;
        } else if (strcmp(argv[i], "--seed") == 0) {
            o->seed = strtoull(value, NULL, 10), i++;
        } else if (strcmp(argv[i], "--orders") == 0) {
            o->orders = (uint32_t)strtoul(value, NULL, 10), i++;
        } else if (strcmp(argv[i], "--runs") == 0) {
            o->runs = atoi(value), i++;
        } else if (strcmp(argv[i], "--scenario") == 0) {
            o->only = value, i++;
        } else {
            return false;
        }
    }
    for (; i < argc && o->library_count < LIBRARIES_MAX; i++) {
        o->libraries[o->library_count++] = argv[i];
    }
    return o->library_count > 0 && i == argc && o->runs >= 1 && o->runs <= RUNS_MAX &&
           o->orders >= 1 && o->orders <= SIMPLE_ID_MAX;
}

int main(int argc, char **argv)
{
    options o;
    double worst[LIBRARIES_MAX], load[1] = {0};
    bool right = true;
    if (!parse(argc, argv, &o)) {
        fprintf(stderr, "usage: yardstick_bench [--check] [--driver-queue] [--single] [--seed N] "
                        "[--orders N] [--runs N] [--scenario NAME] LIBRARY...\n");
        return 2;
    }
    if (getloadavg(load, 1) < 1) {
        load[0] = -1;
    }
    printf("# seed %" PRIu64 ", %" PRIu32 " new orders, %d runs, %s, %s, load average %.2f\n",
           o.seed, o.orders, o.runs,
           o.driver_queue ? "the driver's queue" : "the library's own queue where it has one",
           o.single ? "one call a message" : "batches where the library takes them", load[0]);
    for (int k = 0; k < o.library_count; k++) {
        worst[k] = 1e9;
    }
    for (int i = 0; i < SCENARIOS; i++) {
        if (o.only == NULL || strcmp(o.only, scenarios[i].name) == 0) {
            workload w = prepare(&scenarios[i], &o);
            right = measure(&w, &o, worst) && right;
            fflush(stdout);
            free(w.messages);
            free(w.expected);
        }
    }
    for (int k = 0; !o.check && k < o.library_count; k++) {
        printf("worst %-36s %.2f M messages/s\n", base_name(o.libraries[k]), worst[k]);
    }
    return right ? EXIT_SUCCESS : EXIT_FAILURE;
}
