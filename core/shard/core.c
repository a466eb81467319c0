/* The core's life: options, instruments, shards, ports. Look-ups by name and number. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "shard/core_internal.h"

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
                                       .recent_trades = 1000,
                                       .spin_us = 20};
}

static uint64_t power_of_two(uint64_t at_least)
{
    uint64_t size = 1;
    while (size < at_least) {
        size *= 2;
    }
    return size;
}

/* FNV-1a with a seed, and a finaliser, for its low bits alone spread names badly. The hash also says
 * which shard has a symbol, so it never changes. With this seed the default instruments get different
 * shards for every shard count that has room for that. */
#define SYMBOL_SEED 223u

static uint64_t symbol_hash(const char *symbol, size_t length)
{
    uint64_t hash = 0xcbf29ce484222325u ^ SYMBOL_SEED;
    for (size_t i = 0; i < length; i++) {
        hash = (hash ^ (unsigned char)symbol[i]) * 0x100000001b3u;
    }
    hash = (hash ^ hash >> 32) * 0x9E3779B97F4A7C15u;
    hash = (hash ^ hash >> 29) * 0xBF58476D1CE4E5B9u;
    return hash ^ hash >> 32;
}

const matching_instrument *matching_core_find_instrument(const matching_core *core,
                                                         const char *symbol, size_t length)
{
    if (length == 0 || length > MATCHING_SYMBOL_MAX) {
        return NULL;
    }
    size_t at = symbol_hash(symbol, length) & core->symbol_mask;
    for (; core->symbol_table[at] != 0; at = (at + 1) & core->symbol_mask) {
        const matching_instrument *found = &core->instruments[core->symbol_table[at] - 1];
        if (strlen(found->symbol) == length && memcmp(found->symbol, symbol, length) == 0) {
            return found;
        }
    }
    return NULL;
}

static int add_instruments(matching_core *core, char *error, size_t error_size)
{
    const matching_core_options *options = &core->options;
    core->symbol_mask = (size_t)power_of_two(2 * options->instrument_count + 1) - 1;
    core->instruments = calloc(options->instrument_count, sizeof *core->instruments);
    core->symbol_table = calloc(core->symbol_mask + 1, sizeof *core->symbol_table);
    core->states = calloc(options->instrument_count, sizeof *core->states);
    if (core->instruments == NULL || core->symbol_table == NULL || core->states == NULL) {
        snprintf(error, error_size, "out of memory for %zu instruments", options->instrument_count);
        return -ENOMEM;
    }
    for (size_t i = 0; i < options->instrument_count; i++) {
        const matching_instrument_options *from = &options->instruments[i];
        matching_instrument *to = &core->instruments[i];
        size_t length = strnlen(from->symbol, sizeof from->symbol);
        if (length == 0 || length > MATCHING_SYMBOL_MAX || from->tick_size <= 0 ||
            from->lot_size <= 0 || matching_core_find_instrument(core, from->symbol, length)) {
            snprintf(error, error_size, "instrument %zu (%.16s) has a bad or repeated name or size",
                     i + 1, from->symbol);
            return -EINVAL;
        }
        memcpy(to->symbol, from->symbol, length);
        to->id = from->id;
        to->index = (uint16_t)i;
        to->sbe_char = from->sbe_char;
        to->tick_size = from->tick_size;
        to->lot_size = from->lot_size;
        uint64_t hash = symbol_hash(to->symbol, length);
        to->shard = (uint8_t)(hash % core->shard_count);
        size_t at = hash & core->symbol_mask;
        while (core->symbol_table[at] != 0) {
            at = (at + 1) & core->symbol_mask;
        }
        core->symbol_table[at] = (uint16_t)(i + 1);
    }
    return 0;
}

/* Zero-filled pages, taken from the machine only when first written. */
static void *take_pages(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static int init_engine(matching_core *core, shard *s)
{
    const matching_core_options *options = &core->options;
    matching_engine_limits limits = {.instruments = (uint32_t)options->instrument_count,
                                     .shard = s->number,
                                     .shard_bits = core->shard_bits,
                                     .max_orders = options->max_orders,
                                     .max_levels = options->max_levels != 0 ? options->max_levels
                                                                            : options->max_orders,
                                     .max_traders = options->max_traders,
                                     .retained_orders = options->retained_orders};
    s->engine_bytes = matching_engine_size(&limits);
    if (s->engine_bytes == 0) {
        return -EINVAL;
    }
    s->engine_memory = take_pages(s->engine_bytes);
    if (s->engine_memory == NULL) {
        return -ENOMEM;
    }
    s->engine = matching_engine_init(s->engine_memory, &limits);
    for (size_t i = 0; i < options->instrument_count; i++) {
        matching_engine_set_instrument(s->engine, (uint16_t)i, core->instruments[i].tick_size,
                                       core->instruments[i].lot_size);
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
    s->wake_fd = eventfd(0, EFD_CLOEXEC);
    s->recent = calloc(options->instrument_count, sizeof *s->recent);
    s->event_memory = take_pages(options->event_ring_size * sizeof(matching_event));
    if (s->wake_fd < 0 || s->recent == NULL || s->event_memory == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < options->instrument_count; i++) {
        s->recent[i].capacity = options->recent_trades;
        if (core->instruments[i].shard == number) {
            s->recent[i].trades = calloc(options->recent_trades, sizeof(matching_trade));
            if (s->recent[i].trades == NULL) {
                return -ENOMEM;
            }
        }
    }
    return init_engine(core, s);
}

static unsigned default_shards(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    long shards = cores / 2;
    return shards < 1 ? 1 : shards > MATCHING_SHARDS_MAX ? MATCHING_SHARDS_MAX : (unsigned)shards;
}

static int check_options(matching_core_options *options, char *error, size_t error_size)
{
    options->shards = options->shards == 0 ? default_shards() : options->shards;
    options->event_ring_size = (unsigned)power_of_two(options->event_ring_size);
    if (options->instrument_count < 1 || options->instrument_count > MATCHING_INSTRUMENTS_MAX) {
        snprintf(error, error_size, "there must be 1 to %d instruments", MATCHING_INSTRUMENTS_MAX);
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

matching_core *matching_core_create(const matching_core_options *given, char *error,
                                    size_t error_size)
{
    matching_core_options options = *given;
    if (check_options(&options, error, error_size) != 0) {
        return NULL;
    }
    matching_core *core = calloc(1, sizeof *core);
    if (core == NULL) {
        snprintf(error, error_size, "out of memory");
        return NULL;
    }
    core->options = options;
    core->shard_count = options.shards;
    while (1u << core->shard_bits < core->shard_count) {
        core->shard_bits++;
    }
    core->ring_slots = power_of_two(options.ring_size);
    size_t bytes = core->shard_count * sizeof(shard);
    core->shards = aligned_alloc(64, (bytes + 63) & ~(size_t)63);
    if (core->shards == NULL) {
        free(core);
        snprintf(error, error_size, "out of memory");
        return NULL;
    }
    memset(core->shards, 0, bytes);
    for (unsigned i = 0; i < core->shard_count; i++) {
        core->shards[i].wake_fd = -1;
    }
    int failed = add_instruments(core, error, error_size);
    for (unsigned i = 0; failed == 0 && i < core->shard_count; i++) {
        failed = init_shard(core, i);
        if (failed != 0) {
            snprintf(error, error_size,
                     "shard %u cannot have its memory (%s): lower "
                     "engine.max_orders, max_levels or max_traders",
                     i, strerror(-failed));
        }
    }
    if (failed != 0) {
        matching_core_destroy(core);
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
    s->commands = take_rings(ports + 1);
    s->replies = take_rings(ports + 1);
    s->extras = take_rings(ports + 1);
    s->answered = calloc(ports + 1, sizeof *s->answered);
    broadcast_reader *readers = aligned_alloc(64, (ports + 1) * sizeof *readers);
    if (s->commands == NULL || s->replies == NULL || s->extras == NULL || s->answered == NULL ||
        readers == NULL) {
        free(readers);
        return -ENOMEM;
    }
    /* What one mass cancel may bring, and some replies with all the trades that one may have. */
    s->extra_slots =
        power_of_two(core->options.max_orders / EXTRA_IDS + 1 + 4 * MATCHING_REPLY_TRADES_MAX);
    broadcast_init(&s->events, s->event_memory, core->options.event_ring_size, readers, ports);
    for (unsigned i = 0; i < ports; i++) {
        atomic_init(&readers[i].lapped, !port_listens(core->ports[i])); /* never in the way */
    }
    for (unsigned i = 0; i < ports; i++) {
        size_t command_bytes = (core->ring_slots * sizeof(matching_command) + 63) & ~(size_t)63;
        void *commands = aligned_alloc(64, command_bytes);
        void *replies = aligned_alloc(64, core->ring_slots * sizeof(shard_reply));
        void *extras = take_pages(s->extra_slots * sizeof(shard_extra));
        if (commands == NULL || replies == NULL || extras == NULL) {
            free(commands);
            free(replies);
            if (extras != NULL) {
                munmap(extras, s->extra_slots * sizeof(shard_extra));
            }
            return -ENOMEM;
        }
        memset(replies, 0, core->ring_slots * sizeof(shard_reply));
        ring_init(&s->commands[i], commands, core->ring_slots, sizeof(matching_command));
        ring_init(&s->replies[i], replies, core->ring_slots, sizeof(shard_reply));
        ring_init(&s->extras[i], extras, s->extra_slots, sizeof(shard_extra));
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
    for (unsigned i = 0; failed == 0 && i < core->shard_count; i++) {
        failed = shard_start(&core->shards[i]);
    }
    if (failed != 0) {
        snprintf(error, error_size, "the shards cannot start: %s", strerror(-failed));
        matching_core_stop(core);
    }
    return failed;
}

void matching_core_stop(matching_core *core)
{
    for (unsigned i = 0; i < core->shard_count; i++) {
        shard_stop(&core->shards[i]);
    }
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
        if (s->extras != NULL && s->extras[i].items != NULL) {
            munmap(s->extras[i].items, s->extra_slots * sizeof(shard_extra));
        }
    }
    free(s->commands);
    free(s->replies);
    free(s->extras);
    free(s->answered);
    free(s->events.readers);
    for (size_t i = 0; s->recent != NULL && i < core->options.instrument_count; i++) {
        free(s->recent[i].trades);
    }
    free(s->recent);
    if (s->event_memory != NULL) {
        munmap(s->event_memory, core->options.event_ring_size * sizeof(matching_event));
    }
    if (s->engine_memory != NULL) {
        munmap(s->engine_memory, s->engine_bytes);
    }
    if (s->wake_fd >= 0) {
        close(s->wake_fd);
    }
}

void matching_core_destroy(matching_core *core)
{
    for (unsigned i = 0; i < core->shard_count; i++) {
        fini_shard(core, &core->shards[i]);
    }
    for (unsigned i = 0; i < core->port_count; i++) {
        port_destroy(core->ports[i]);
    }
    free(core->shards);
    free(core->instruments);
    free(core->symbol_table);
    free((void *)core->states);
    free(core);
}

unsigned matching_core_shard_count(const matching_core *core)
{
    return core->shard_count;
}

size_t matching_core_instrument_count(const matching_core *core)
{
    return core->options.instrument_count;
}

const matching_instrument *matching_core_instrument(const matching_core *core, size_t index)
{
    return index < core->options.instrument_count ? &core->instruments[index] : NULL;
}

void core_set_state(matching_core *core, uint16_t instrument, uint8_t state)
{
    atomic_store_explicit(&core->states[instrument], state, memory_order_relaxed);
}

matching_state matching_core_state(const matching_core *core, size_t index)
{
    return index < core->options.instrument_count
               ? (matching_state)atomic_load_explicit(&core->states[index], memory_order_relaxed)
               : MATCHING_HALTED;
}

const char *matching_core_trader(const matching_core *core, unsigned number, uint32_t trader)
{
    return number < core->shard_count ? matching_engine_trader(core->shards[number].engine, trader)
                                      : "";
}

void core_trade_of(const matching_core *core, unsigned number, const matching_event *event,
                   matching_trade *trade)
{
    bool buys = event->side != MATCHING_SELL; /* without a taker (auction) the buyer stands there */
    const char *maker = matching_core_trader(core, number, event->trade.maker_trader);
    const char *taker = matching_core_trader(core, number, event->trade.taker_trader);
    trade->trade_id = event->trade.trade_id;
    trade->price_ticks = event->trade.price_ticks;
    trade->quantity_lots = event->trade.quantity_lots;
    trade->time_ns = event->time_ns;
    trade->buy_order_id = buys ? event->trade.taker_order_id : event->trade.maker_order_id;
    trade->sell_order_id = buys ? event->trade.maker_order_id : event->trade.taker_order_id;
    trade->instrument = event->instrument;
    trade->taker_side = event->side;
    memcpy(trade->buyer, buys ? taker : maker, sizeof trade->buyer);
    memcpy(trade->seller, buys ? maker : taker, sizeof trade->seller);
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
