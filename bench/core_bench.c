/* core_bench FILE [runs [event_slots]]: a file of commands through the real engine, timed.
 *
 * What a shard does with its rings is done here on one thread. Commands are put together in batches
 * of the service's batch size, as a port's ring holds them; each is numbered, stamped and applied,
 * its reply goes into a slot of a reply ring, its events into a broadcast ring; after a batch both
 * are published and read: replies for the engine's order ids, which a client needs to name its
 * orders, events for the trades. The rate is that of the shard's part: from a batch of commands
 * standing there to its last reply and event standing in their rings; the rate with the client's
 * part, putting commands together and reading what came back, is printed too. The totals are sums
 * over the TRADE events that were read, so an event that is missing or wrong shows.
 *
 * A file names orders by its own numbers, the engine by the ids that it gave; the table between
 * them is the client's. A command on an order whose reply is still to come ends the batch before
 * it, as a client would have to wait.
 *
 * Latency is measured in a run of its own, on a new engine: one command at a time, from taking
 * the reply slot until the reply stands in it. The time of an empty measurement is subtracted.
 *
 * File: records of 32 bytes, little endian: u8 type (1 limit, 2 market, 3 cancel, 4 immediate or
 * cancel, 5 replace), u8 side, u16 symbol, u32 quantity, i64 price, u64 order, u64 reserved.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bench/ticks.h"
#include "engine/engine.h"
#include "matching/core.h"
#include "shard/broadcast.h"
#include "shard/ring.h"
#include "shard/shard.h"

#define BATCH 100u            /* matching_core_options_default()'s batch_size, checked below */
#define REPLY_SLOTS 128u      /* a power of two that holds a batch */
#define EVENT_SLOTS 16384u    /* 1 MiB: a reader that keeps up */
#define TRADERS 256u          /* different trader ids */
#define LOOK_UP 16u           /* records that the client looks up ahead */
#define ORDERS (1u << 21)     /* twice the service's default: a file may have a million at work */
#define RUNS_MAX 99           /* of one call */
#define PAGE 4096u            /* memory is touched at this distance before a run */
#define NO_ORDER (1ull << 52) /* an id that no engine here reaches */

enum { LIMIT = 1, MARKET = 2, CANCEL = 3, IMMEDIATE = 4, REPLACE = 5, TYPES = 6 };

typedef struct record {
    uint8_t type, side;
    uint16_t symbol;
    uint32_t quantity;
    int64_t price;
    uint64_t order;
    uint64_t reserved;
} record;

_Static_assert(sizeof(record) == 32, "as the file has it");

typedef struct workload {
    record *records;
    size_t count;
    uint64_t last_order; /* the highest number */
    uint32_t symbols;
} workload;

typedef struct bench {
    matching_engine_limits limits;
    uint64_t event_slots;
    matching_engine *engine;
    size_t engine_bytes;
    broadcast events;
    broadcast_reader reader;
    matching_event *event_memory;
    matching_watch nobody; /* listens to a trader's orders: LEVEL and TRADE events only */
    ring replies;
    shard_reply *reply_memory;
    matching_command commands[BATCH + MATCHING_PREFETCH_FAR];
    uint64_t *engine_ids;                           /* by the file's number; 0: no reply yet */
    char traders[TRADERS + 1][MATCHING_TRADER_MAX]; /* and nobody */
    uint32_t hints[TRADERS];                        /* the engine's numbers of them, from replies */
    uint64_t sequence, time_ns;
    /* What the events and replies said. */
    uint64_t trades, quantity, sum;
    uint64_t refused[MATCHING_CODE_COUNT];
} bench;

static void fail(const char *what)
{
    fprintf(stderr, "core_bench: %s\n", what);
    exit(EXIT_FAILURE);
}

/* Zero-filled pages that are there: what a service has after some time. */
static void *take_memory(size_t bytes)
{
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        fail("out of memory");
    }
    madvise(memory, bytes, MADV_HUGEPAGE);
    for (size_t i = 0; i < bytes; i += PAGE) {
        ((volatile char *)memory)[i] = 0;
    }
    return memory;
}

static workload load(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    fseek(file, 0, SEEK_END);
    long bytes = ftell(file);
    rewind(file);
    if (bytes <= 0 || bytes % (long)sizeof(record) != 0) {
        fail("the file is not a sequence of 32-byte records");
    }
    workload w = {.count = (size_t)bytes / sizeof(record)};
    w.records = take_memory((size_t)bytes + (LOOK_UP + 1) * sizeof(record));
    if (fread(w.records, sizeof(record), w.count, file) != w.count) {
        fail("the file cannot be read");
    }
    fclose(file);
    for (size_t i = 0; i < w.count; i++) {
        const record *r = &w.records[i];
        if (r->type < LIMIT || r->type > REPLACE || r->side > 1 || r->order == 0) {
            fail("a record is not a command");
        }
        w.last_order = r->order > w.last_order ? r->order : w.last_order;
        w.symbols = r->symbol >= w.symbols ? r->symbol + 1u : w.symbols;
    }
    return w;
}

/* Takes the events that were written out of the ring. */
static void read_events(bench *b)
{
    broadcast_publish(&b->events);
    uint64_t tail = atomic_load_explicit(&b->events.tail, memory_order_acquire);
    uint64_t at = atomic_load_explicit(&b->reader.cursor, memory_order_relaxed);
    const matching_event_sink *sink = &b->events.sink;
    while (at < tail) {
        const matching_event *event = &sink->slots[at & sink->mask];
        bool is_trade = event->kind == MATCHING_EVENT_TRADE;
        uint64_t lots = is_trade ? (uint64_t)event->trade.quantity_lots : 0;
        b->trades += is_trade;
        b->quantity += lots;
        b->sum += lots * (uint64_t)event->trade.price_ticks; /* some number where lots is 0 */
        at += matching_event_slots(event);
    }
    atomic_store_explicit(&b->reader.cursor, tail, memory_order_release);
}

static void read_replies(bench *b)
{
    ring_publish(&b->replies);
    uint64_t end = ring_end(&b->replies);
    for (; b->replies.read < end; b->replies.read++) {
        const shard_reply *in = ring_at(&b->replies, b->replies.read);
        const matching_reply *reply = &in->reply;
        if (reply->code != MATCHING_OK) {
            b->refused[reply->code]++;
        }
        /* The order is known by this id, or not at all. */
        b->engine_ids[reply->tag] = reply->has_order ? reply->order.order_id : NO_ORDER;
        uint32_t *hint = &b->hints[reply->tag % TRADERS];
        *hint = reply->has_order ? reply->trader : *hint;
    }
    ring_release(&b->replies);
}

static void make_room(matching_event_sink *sink)
{
    bench *b = sink->context;
    read_events(b);
    if (!broadcast_raise_limit(&b->events)) {
        fail("the event ring stays full");
    }
}

static void start(bench *b, const workload *w)
{
    b->engine_bytes = matching_engine_size(&b->limits);
    if (b->engine_bytes == 0) {
        fail("limits out of range");
    }
    b->engine = matching_engine_init(take_memory(b->engine_bytes), &b->limits);
    b->event_memory = take_memory(b->event_slots * sizeof(matching_event));
    b->reply_memory = take_memory(REPLY_SLOTS * sizeof(shard_reply));
    b->engine_ids = take_memory((w->last_order + 1) * sizeof *b->engine_ids);
    atomic_init(&b->reader.lapped, false);
    broadcast_init(&b->events, b->event_memory, b->event_slots, &b->reader, 1);
    b->events.sink.make_room = make_room;
    b->events.sink.context = b;
    b->events.sink.watch = &b->nobody;
    ring_init(&b->replies, b->reply_memory, REPLY_SLOTS, sizeof(shard_reply));
    memset(b->commands, 0, sizeof b->commands);
    memset(b->refused, 0, sizeof b->refused);
    memset(b->hints, 0, sizeof b->hints);
    for (unsigned i = 0; i < TRADERS; i++) {
        memset(b->traders[i], 0, sizeof b->traders[i]);
        snprintf(b->traders[i], sizeof b->traders[i], "trader-%u", i);
    }
    b->engine_ids[0] = NO_ORDER; /* looked up where a record names no order */
    b->sequence = b->trades = b->quantity = b->sum = 0;
}

static void stop(bench *b, const workload *w)
{
    munmap(b->engine, b->engine_bytes);
    munmap(b->event_memory, b->event_slots * sizeof(matching_event));
    munmap(b->reply_memory, REPLY_SLOTS * sizeof(shard_reply));
    munmap(b->engine_ids, (w->last_order + 1) * sizeof *b->engine_ids);
}

/* What a type of record is as a command. Tables, not branches: which type comes next is what the
 * processor could not foresee. */
static const struct {
    uint8_t type, order_type, time_in_force, flags;
    bool names; /* an order that exists */
} kinds[TYPES] = {
    [LIMIT] = {MATCHING_PLACE, MATCHING_LIMIT, MATCHING_GTC, MATCHING_FLAG_BRIEF, false},
    [MARKET] = {MATCHING_PLACE, MATCHING_MARKET, MATCHING_IOC, MATCHING_FLAG_BRIEF, false},
    [CANCEL] = {MATCHING_CANCEL, MATCHING_LIMIT, MATCHING_GTC, MATCHING_FLAG_BRIEF, true},
    [IMMEDIATE] = {MATCHING_PLACE, MATCHING_LIMIT, MATCHING_IOC, MATCHING_FLAG_BRIEF, false},
    [REPLACE] = {MATCHING_AMEND, MATCHING_LIMIT, MATCHING_GTC,
                 MATCHING_FLAG_BRIEF | MATCHING_FLAG_OPEN_QUANTITY, true},
};

/* The record as the client's command. False: it has to wait for a reply. Members that no record
 * uses stay zero from the start. */
static inline bool build_command(const bench *b, const record *r, matching_command *command)
{
    bool names = kinds[r->type].names;
    unsigned trader = r->order % TRADERS;
    uint64_t target = b->engine_ids[names ? r->order : 0];
    command->order_id = names ? target : 0;
    command->price_ticks = r->price;
    command->quantity_lots = r->quantity;
    command->instrument = r->symbol;
    command->type = kinds[r->type].type;
    command->side = r->side;
    command->order_type = kinds[r->type].order_type;
    command->time_in_force = kinds[r->type].time_in_force;
    command->flags = kinds[r->type].flags;
    command->reason = MATCHING_REASON_USER;
    command->trader_hint = b->hints[trader];
    memcpy(command->trader_id, b->traders[names ? TRADERS : trader], MATCHING_TRADER_MAX);
    command->tag = r->order;
    return target != 0;
}

/* As many commands from `at` on as one batch may have; at least one. */
static size_t build_batch(bench *b, const workload *w, size_t at)
{
    size_t count = 0;
    size_t most = w->count - at < BATCH ? w->count - at : BATCH;
    while (count < most && build_command(b, &w->records[at + count], &b->commands[count])) {
        count++;
        __builtin_prefetch(&b->engine_ids[w->records[at + count + LOOK_UP].order]);
    }
    if (count == 0) { /* every earlier reply has been read: the order was never entered */
        b->engine_ids[w->records[at].order] = NO_ORDER;
        build_command(b, &w->records[at], &b->commands[0]);
        count = 1;
    }
    return count;
}

/* As the shard does it. */
static inline void process(bench *b, matching_command *command)
{
    shard_reply *out = ring_slot(&b->replies);
    matching_reply *reply = &out->reply;
    out->payload = command->payload;
    command->sequence = ++b->sequence;
    command->time_ns = b->time_ns;
    matching_engine_apply(b->engine, command, &b->events.sink, reply);
    reply->tag = command->tag;
    reply->received_ns = command->received_ns;
    reply->shard = 0;
    reply->events_end = b->events.sink.head;
    ring_advance(&b->replies);
}

/* Asks for what commands behind `at` will touch. Behind a batch stand those of an earlier one. */
static inline void prefetch(const bench *b, size_t at, bool is_large)
{
    matching_engine_prefetch(b->engine, &b->commands[at + MATCHING_PREFETCH_FAR],
                             &b->commands[at + MATCHING_PREFETCH_MIDDLE],
                             &b->commands[at + MATCHING_PREFETCH_NEAR], is_large);
}

static void stamp(bench *b)
{
    uint64_t now = matching_unix_ns();
    b->time_ns = now > b->time_ns ? now : b->time_ns;
}

/* Seconds by the clock on the wall, and of this thread on a processor, which says more where others
 * run too; and the part of them that was the engine's: from the first command of a batch being
 * stamped until the reply to its last one is in the ring. */
typedef struct seconds {
    double wall, processor, engine_share;
} seconds;

static double processor_time(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void apply_batch(bench *b, size_t count)
{
    bool is_large = matching_engine_is_large(b->engine);
    stamp(b);
    matching_engine_prefetch_first(b->engine, b->commands, count, is_large);
    for (size_t i = 0; i < count; i++) {
        prefetch(b, i, is_large);
        process(b, &b->commands[i]);
    }
}

static seconds run(bench *b, const workload *w)
{
    uint64_t overhead = ticks_overhead(), engine = 0;
    double processor = processor_time();
    uint64_t from = matching_monotonic_ns(), ticks_from = ticks_start();
    for (size_t at = 0; at < w->count;) {
        size_t count = build_batch(b, w, at);
        uint64_t begun = ticks_start();
        apply_batch(b, count);
        engine += ticks_stop() - begun - overhead;
        read_replies(b);
        read_events(b);
        at += count;
    }
    return (seconds){.wall = (double)(matching_monotonic_ns() - from) * 1e-9,
                     .processor = processor_time() - processor,
                     .engine_share = (double)engine / (double)(ticks_stop() - ticks_from)};
}

/* The same, each command timed for itself. */
static void run_latency(bench *b, const workload *w, uint32_t *ticks)
{
    uint64_t overhead = ticks_overhead();
    for (size_t at = 0; at < w->count;) {
        size_t count = build_batch(b, w, at);
        bool is_large = matching_engine_is_large(b->engine);
        stamp(b);
        matching_engine_prefetch_first(b->engine, b->commands, count, is_large);
        for (size_t i = 0; i < count; i++) {
            uint64_t from = ticks_start();
            prefetch(b, i, is_large);
            process(b, &b->commands[i]);
            uint64_t took = ticks_stop() - from;
            took = took > overhead ? took - overhead : 0;
            ticks[at + i] = took > UINT32_MAX ? UINT32_MAX : (uint32_t)took;
        }
        read_replies(b);
        read_events(b);
        at += count;
    }
}

static void print_percentiles(const char *name, uint32_t *ticks, size_t count, double ns)
{
    static const struct {
        const char *name;
        double share;
    } wanted[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}, {"p99.99", 0.9999}};
    if (count == 0) {
        return;
    }
    qsort(ticks, count, sizeof *ticks, ticks_compare);
    printf("  %-8s n=%-8zu", name, count);
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        printf(" %s=%.0f", wanted[i].name, ticks[(size_t)((double)count * wanted[i].share)] * ns);
    }
    printf(" max=%.0f\n", ticks[count - 1] * ns);
}

static void measure_latency(bench *b, const workload *w)
{
    static const char *const names[TYPES] = {"all",    "limit",     "market",
                                             "cancel", "immediate", "replace"};
    uint32_t *ticks = take_memory(w->count * sizeof *ticks);
    uint32_t *chosen = take_memory(w->count * sizeof *chosen);
    start(b, w);
    uint64_t clock_from = matching_monotonic_ns(), ticks_from = ticks_start();
    run_latency(b, w, ticks);
    double ns =
        (double)(matching_monotonic_ns() - clock_from) / (double)(ticks_stop() - ticks_from);
    stop(b, w);
    printf("  latency in ns, timer overhead of %.0f removed\n", (double)ticks_overhead() * ns);
    for (unsigned type = 0; type < TYPES; type++) {
        size_t count = 0;
        for (size_t i = 0; i < w->count; i++) {
            if (type == 0 || w->records[i].type == type) {
                chosen[count++] = ticks[i];
            }
        }
        print_percentiles(names[type], chosen, count, ns);
    }
}

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static void print_rates(const char *name, double *rates, int runs)
{
    qsort(rates, (size_t)runs, sizeof *rates, compare_doubles);
    printf("%s min=%.2f med=%.2f max=%.2f\n", name, rates[0], rates[runs / 2], rates[runs - 1]);
}

static void print_setup(const bench *b, const workload *w, int runs)
{
    double load[3] = {0};
    if (getloadavg(load, 3) < 1) {
        load[0] = -1;
    }
    printf("# %zu commands, %" PRIu32 " instruments, order numbers up to %" PRIu64
           "; nothing is random but the file\n",
           w->count, w->symbols, w->last_order);
    printf("# limits: max_orders %" PRIu64 ", max_levels %" PRIu64 ", max_traders %" PRIu64
           ", retained_orders %" PRIu64 "; %.0f MiB, touched before each run\n",
           b->limits.max_orders, b->limits.max_levels, b->limits.max_traders,
           b->limits.retained_orders, (double)matching_engine_size(&b->limits) / 1048576);
    printf("# batches of %u, %u reply slots, %" PRIu64 " event slots, %u trader ids (order modulo "
           "that), nobody listens to ORDER events\n",
           BATCH, REPLY_SLOTS, b->event_slots, TRADERS);
    printf("# %d runs on cpu %d, load average %.2f\n", runs, sched_getcpu(), load[0]);
}

static int print_refusals(const bench *b)
{
    uint64_t wrong = 0;
    printf("# refused:");
    for (unsigned code = 1; code < MATCHING_CODE_COUNT; code++) {
        if (b->refused[code] > 0) {
            printf(" %s=%" PRIu64, matching_code_name(code), b->refused[code]);
            wrong += code == MATCHING_ORDER_NOT_FOUND ? 0 : b->refused[code];
        }
    }
    printf("%s\n", wrong > 0 ? "; the limits are too small for this file" : "");
    return wrong > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    static bench b;
    double rates[RUNS_MAX], processor_rates[RUNS_MAX], whole_rates[RUNS_MAX];
    int runs = argc > 2 ? atoi(argv[2]) : 5;
    b.event_slots = argc > 3 ? strtoull(argv[3], NULL, 10) : EVENT_SLOTS;
    if (argc < 2 || argc > 4 || runs < 1 || runs > RUNS_MAX || b.event_slots < 1024 ||
        (b.event_slots & (b.event_slots - 1)) != 0) {
        fprintf(stderr,
                "usage: core_bench FILE [runs, 5 [slots of the event ring, a power of two]]\n");
        return 2;
    }
    workload w = load(argv[1]);
    matching_core_options options;
    matching_core_options_default(&options);
    if (options.batch_size != BATCH) {
        fail("the service's batch size has changed");
    }
    b.limits = (matching_engine_limits){.instruments = w.symbols,
                                        .max_orders = ORDERS,
                                        .max_levels = options.max_levels != 0 ? options.max_levels
                                                                              : options.max_orders,
                                        .max_traders = options.max_traders,
                                        .retained_orders = options.retained_orders};
    print_setup(&b, &w, runs);
    for (int i = 0; i < runs; i++) {
        start(&b, &w);
        seconds took = run(&b, &w);
        double million = (double)w.count / 1e6;
        rates[i] = million / (took.wall * took.engine_share);
        processor_rates[i] = million / (took.processor * took.engine_share);
        whole_rates[i] = million / took.wall;
        stop(&b, &w);
    }
    const char *name = strrchr(argv[1], '/');
    printf("core_bench %s trades=%" PRIu64 " qty=%" PRIu64 " sum=%" PRIu64 " ",
           name != NULL ? name + 1 : argv[1], b.trades, b.quantity, b.sum);
    print_rates("Mops", rates, runs);
    print_rates("# by processor time: Mops", processor_rates, runs);
    print_rates("# with the client's part, by the clock: Mops", whole_rates, runs);
    int status = print_refusals(&b);
    measure_latency(&b, &w);
    return status;
}
