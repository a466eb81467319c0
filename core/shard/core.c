/* The core's life: options, shards, ports. The table of instruments is in instruments.c. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "metrics/recorder.h"
#include "shard/core_internal.h"
#include "shard/order_trace.h"
#include "shard/pages.h"
#include "shard/storage.h"

uint64_t matching_unix_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t matching_monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

_Noreturn void matching_engine_panic(const char *file, int line, const char *what)
{
    fprintf(stderr, "matching: internal error at %s:%d: %s\n", file, line, what);
    abort();
}

void matching_core_options_default(matching_core_options *options)
{
    *options = (matching_core_options){.shards = 0,
                                       .ring_size = 16384,
                                       .batch_size = 100,
                                       .event_ring_size = 1u << 18,
                                       .max_orders = 1048576,
                                       .max_levels = 0,
                                       .max_traders = 1048576,
                                       .retained_orders = 100000,
                                       .memory_at_start = true,
                                       .max_instruments = 1024,
                                       .recent_trades = 1000,
                                       .spin_us = 20,
                                       .serve_max = 16,
                                       .sync = MATCHING_SYNC_COMMIT,
                                       .sync_interval_ms = 100,
                                       .segment_bytes = 64u << 20,
                                       .snapshot_every = 1000000,
                                       .metrics = true};
}

uint64_t core_power_of_two(uint64_t at_least)
{
    uint64_t size = 1;
    while (size < at_least) {
        size *= 2;
    }
    return size;
}

matching_engine_limits core_limits(const matching_core *core, unsigned number)
{
    const matching_core_options *options = &core->options;
    return (matching_engine_limits){.instruments = options->max_instruments,
                                    .shard = number,
                                    .shard_bits = core->shard_bits,
                                    .max_orders = options->max_orders,
                                    .max_levels = options->max_levels != 0 ? options->max_levels
                                                                           : options->max_orders,
                                    .max_traders = options->max_traders,
                                    .retained_orders = options->retained_orders};
}

/* In memory: the configured instruments are simply there. */
static int init_books(matching_core *core, shard *s)
{
    const matching_core_options *options = &core->options;
    matching_engine_limits limits = core_limits(core, s->number);
    int failed = books_init(&s->books, &limits, options->recent_trades);
    if (failed != 0) {
        return failed;
    }
    for (size_t i = 0; i < options->instrument_count; i++) {
        const matching_instrument *instrument = matching_core_instrument(core, i);
        matching_engine_set_instrument(s->books.engine, instrument->index, instrument->tick_size,
                                       instrument->lot_size);
    }
    return 0;
}

static int init_shard(matching_core *core, unsigned number)
{
    const matching_core_options *options = &core->options;
    shard *s = &core->shards[number];
    s->core = core;
    s->number = number;
    s->batch_size = options->batch_size;
    s->spin_us = options->spin_us;
    s->cpu = number < options->cpu_affinity_count ? options->cpu_affinity[number] : -1;
    s->serve_max = options->serve_max;
    pthread_mutex_init(&s->polling, NULL);
    s->wake_fd = eventfd(0, EFD_CLOEXEC);
    s->event_memory = pages_take(options->event_ring_size * sizeof(matching_event));
    s->metrics = options->metrics ? shard_metrics_create(options->max_instruments) : NULL;
    if (s->wake_fd < 0 || s->event_memory == NULL || (options->metrics && s->metrics == NULL)) {
        return -ENOMEM;
    }
    return 0;
}

/* Of what this process may use, not what the machine has: containers and taskset restrict it. */
static unsigned count_cpus(void)
{
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    return sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? (unsigned)CPU_COUNT(&allowed) : 2;
}

unsigned core_default_shards(void)
{
    unsigned shards = count_cpus() / 2;
    return shards < 1 ? 1 : shards > MATCHING_SHARDS_MAX ? MATCHING_SHARDS_MAX : shards;
}

static int check_options(matching_core_options *options, char *error, size_t error_size)
{
    options->event_ring_size = (unsigned)core_power_of_two(options->event_ring_size);
    if (count_cpus() < 2) {
        options->spin_us = 0; /* while a shard looks for work nobody can make any */
        options->serve_max =
            options->serve_max == 0 ? 0 : UINT_MAX; /* nor is its thread any help */
    }
    if (options->max_instruments < 1 || options->max_instruments > MATCHING_INSTRUMENTS_MAX) {
        snprintf(error, error_size, "engine.max_instruments must be 1 to %d",
                 MATCHING_INSTRUMENTS_MAX);
    } else if (options->instrument_count < 1 ||
               options->instrument_count > options->max_instruments) {
        snprintf(error, error_size,
                 "there must be 1 to %u instruments (engine.max_instruments), not %zu",
                 options->max_instruments, options->instrument_count);
    } else if (options->shards > MATCHING_SHARDS_MAX) {
        snprintf(error, error_size, "engine.shards must be at most %d", MATCHING_SHARDS_MAX);
    } else if (options->ring_size < 2 || options->ring_size > 1u << 20 || options->batch_size < 1 ||
               options->event_ring_size < 1024 || options->recent_trades < 1) {
        snprintf(error, error_size,
                 "engine: ring_size, batch_size, event_ring_size or "
                 "recent_trades is out of range");
    } else {
        return 0;
    }
    return -EINVAL;
}

static int take_shards(matching_core *core)
{
    core->shard_count = core->options.shards;
    while (1u << core->shard_bits < core->shard_count) {
        core->shard_bits++;
    }
    core->ring_slots = core_power_of_two(core->options.ring_size);
    size_t bytes = core->shard_count * sizeof(shard);
    core->shards = aligned_alloc(64, (bytes + 63) & ~(size_t)63);
    if (core->shards == NULL) {
        core->shard_count = 0;
        return -ENOMEM;
    }
    memset(core->shards, 0, bytes);
    for (unsigned i = 0; i < core->shard_count; i++) {
        core->shards[i].wake_fd = -1;
    }
    int failed = 0;
    for (unsigned i = 0; failed == 0 && i < core->shard_count; i++) {
        failed = init_shard(core, i);
    }
    return failed;
}

static int begin_in_memory(matching_core *core, char *error, size_t error_size)
{
    int failed = instruments_add_configured(core, error, error_size);
    for (unsigned i = 0; failed == 0 && i < core->shard_count; i++) {
        failed = init_books(core, &core->shards[i]);
        if (failed != 0) {
            snprintf(error, error_size,
                     "shard %u cannot have its memory (%s): lower "
                     "engine.max_orders, max_levels or max_traders",
                     i, strerror(-failed));
        }
    }
    return failed;
}

static int init_core(matching_core *core, char *error, size_t error_size)
{
    int failed = storage_open(core, error, error_size);
    if (failed != 0) {
        return failed;
    }
    snprintf(error, error_size, "out of memory for shards and instruments");
    failed = take_shards(core);
    if (failed == 0) {
        failed = instruments_init(core);
    }
    if (failed != 0) {
        return failed;
    }
    return core->options.data_dir == NULL ? begin_in_memory(core, error, error_size)
                                          : storage_recover(core, error, error_size);
}

matching_core *matching_core_create(const matching_core_options *given, char *error,
                                    size_t error_size)
{
    matching_core_options options = *given;
    int failed = check_options(&options, error, error_size);
    if (failed != 0) {
        errno = -failed;
        return NULL;
    }
    matching_core *core = calloc(1, sizeof *core);
    if (core == NULL) {
        snprintf(error, error_size, "out of memory");
        return NULL;
    }
    core->options = options;
    failed = init_core(core, error, error_size);
    if (failed != 0) {
        matching_core_destroy(core);
        errno = -failed;
        return NULL;
    }
    return core;
}

static ring *take_rings(unsigned count)
{
    ring *rings = aligned_alloc(64, count * sizeof *rings);
    if (rings != NULL) {
        memset(rings, 0, count * sizeof *rings);
    }
    return rings;
}

/* Rings between every port and every shard, now that the ports are known. */
static int connect_ports(matching_core *core, shard *s)
{
    unsigned ports = core->port_count;
    s->port_count = ports;
    s->books.metrics = s->metrics;
    s->commands = take_rings(ports + 1);
    s->replies = take_rings(ports + 1);
    s->extras = take_rings(ports + 1);
    s->answered = calloc(ports + 1, sizeof *s->answered);
    s->wanted = aligned_alloc(64, (ports + 1) * sizeof *s->wanted);
    broadcast_reader *readers = aligned_alloc(64, (ports + 1) * sizeof *readers);
    if ((s->metrics != NULL && !shard_metrics_connect(s->metrics, ports, core->ring_slots)) ||
        s->commands == NULL || s->replies == NULL || s->extras == NULL || s->answered == NULL ||
        s->wanted == NULL || readers == NULL) {
        free(readers);
        return -ENOMEM;
    }
    /* What one mass cancel may bring, and some replies with all the trades that one may have. */
    s->extra_slots =
        core_power_of_two(core->options.max_orders / EXTRA_IDS + 1 + 4 * MATCHING_REPLY_TRADES_MAX);
    broadcast_init(&s->events, s->event_memory, core->options.event_ring_size, readers, ports);
    for (unsigned i = 0; i < ports; i++) {
        atomic_init(&readers[i].lapped, !port_listens(core->ports[i])); /* never in the way */
        atomic_init(&s->wanted[i].sequence, 0);
    }
    if (matching_trace_is_on()) {
        s->traces = shard_traces_create();
        if (s->traces == NULL) {
            return -ENOMEM;
        }
    }
    for (unsigned i = 0; i < ports; i++) {
        size_t command_bytes = (core->ring_slots * sizeof(matching_command) + 63) & ~(size_t)63;
        void *commands = aligned_alloc(64, command_bytes);
        void *replies = aligned_alloc(64, core->ring_slots * sizeof(shard_reply));
        void *extras = pages_take(s->extra_slots * sizeof(shard_extra));
        if (commands == NULL || replies == NULL || extras == NULL) {
            free(commands);
            free(replies);
            pages_give(extras, s->extra_slots * sizeof(shard_extra));
            return -ENOMEM;
        }
        memset(replies, 0, core->ring_slots * sizeof(shard_reply));
        ring_init(&s->commands[i], commands, core->ring_slots, sizeof(matching_command));
        ring_init(&s->replies[i], replies, core->ring_slots, sizeof(shard_reply));
        ring_init(&s->extras[i], extras, s->extra_slots, sizeof(shard_extra));
        shard_metrics_watch(s->metrics, &s->commands[i], &s->replies[i]);
    }
    return 0;
}

int matching_core_start(matching_core *core, char *error, size_t error_size)
{
    int failed = 0;
    for (unsigned i = 0; failed == 0 && i < core->shard_count; i++) {
        failed = connect_ports(core, &core->shards[i]);
    }
    core->started = failed == 0;
    if (failed == 0) {
        storage_start(core);
        ahead_start(core);
    }
    for (unsigned i = 0; failed == 0 && i < core->shard_count; i++) {
        failed = shard_start(&core->shards[i]);
    }
    if (failed != 0) {
        snprintf(error, error_size, "the shards cannot start: %s", strerror(-failed));
        matching_core_stop(core);
        return failed;
    }
    ahead_wait(core);
    return 0;
}

void matching_core_stop(matching_core *core)
{
    for (unsigned i = 0; i < core->shard_count; i++) {
        shard_stop(&core->shards[i]);
    }
    ahead_stop(core);
    storage_close(core, core->started);
    core->started = false;
}

static void fini_shard(matching_core *core, shard *s)
{
    for (unsigned i = 0; i < core->port_count; i++) {
        if (s->commands != NULL) {
            free(s->commands[i].items);
        }
        if (s->replies != NULL) {
            free(s->replies[i].items);
        }
        if (s->extras != NULL) {
            pages_give(s->extras[i].items, s->extra_slots * sizeof(shard_extra));
        }
    }
    free(s->commands);
    free(s->replies);
    free(s->extras);
    free(s->answered);
    free(s->wanted);
    free(s->events.readers);
    pages_give(s->event_memory, core->options.event_ring_size * sizeof(matching_event));
    books_fini(&s->books);
    shard_metrics_destroy(s->metrics);
    free(s->traces);
    if (s->wake_fd >= 0) {
        close(s->wake_fd);
    }
    pthread_mutex_destroy(&s->polling);
}

void matching_core_destroy(matching_core *core)
{
    storage_close(core, false);
    ahead_stop(core);
    for (unsigned i = 0; i < core->shard_count; i++) {
        fini_shard(core, &core->shards[i]);
    }
    for (unsigned i = 0; i < core->port_count; i++) {
        port_destroy(core->ports[i]);
    }
    connection_registry_fini(&core->connections);
    free(core->shards);
    instruments_fini(core);
    free(core);
}

connection_registry *core_connection_registry(matching_core *core)
{
    return &core->connections;
}

const connection_registry *core_connections(const matching_core *core)
{
    return &core->connections;
}

bool matching_core_has_history(const matching_core *core)
{
    return core->history != NULL;
}

matching_history_progress matching_core_history_progress(const matching_core *core, unsigned number)
{
    return core->history != NULL ? core->history->progress(core->history, number)
                                 : (matching_history_progress){.why = ""};
}

const char *matching_core_history_warning(const matching_core *core)
{
    return core->history != NULL ? core->history->warning(core->history) : "";
}

matching_progress matching_core_shard_progress(const matching_core *core, unsigned number)
{
    const shard *one = &core->shards[number];
    return (matching_progress){
        .commands = atomic_load_explicit(&one->durable_sequence, memory_order_acquire),
        .events = atomic_load_explicit(&one->events.tail, memory_order_acquire)};
}

unsigned matching_core_shard_count(const matching_core *core)
{
    return core->shard_count;
}

const char *matching_core_trader(const matching_core *core, unsigned number, uint32_t trader)
{
    return number < core->shard_count
               ? matching_engine_trader(core->shards[number].books.engine, trader)
               : "";
}

int64_t matching_average_price(const matching_instrument *instrument, const matching_order *order)
{
    if (order->filled_lots == 0) {
        return 0;
    }
    matching_wide value = order->notional * (matching_wide)instrument->tick_size;
    matching_wide lots = (matching_wide)order->filled_lots;
    return (int64_t)((value + lots / 2) / lots);
}
