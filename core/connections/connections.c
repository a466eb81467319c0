/* Tables of connections: slots that one thread writes and any thread reads.
 *
 * Invariants: an identity is written between two steps of its slot's sequence, odd in between;
 * every store that a reader may see is a release and every load of a reader an acquire, so a reader
 * that has seen any part of a new identity, or a count that was set back for it, finds the sequence
 * changed. A sample of a second is complete before `sampled` counts it, and overwritten only
 * SAMPLES seconds later.
 *
 * Not here: what counts as a message or an error. That the door says.
 */
#include "registry.h"

#include <assert.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ids.h"
#include "matching/log.h"
#include "shard/pages.h"

#define NS_PER_S UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)

#define SAMPLES 16u /* more than the window has seconds */
#define SAMPLED_FROM MATCHING_CONNECTIONS_RECEIVED
#define SAMPLE_TOTALS (MATCHING_CONNECTIONS_TOTALS - SAMPLED_FROM)

/* Places in an identity. */
enum {
    ID_WORD = 0,
    CONNECTED_WORD = 2, /* Unix milliseconds; 0: the slot is free */
    TRADER_WORD = MATCHING_CONNECTION_TRADER_WORD,
    TRADER_WORDS = MATCHING_TRADER_MAX / 8,
    REMOTE_WORD = TRADER_WORD + TRADER_WORDS,
    REMOTE_WORDS = MATCHING_CONNECTION_REMOTE_SIZE / 8,
    SINCE_WORD = REMOTE_WORD + REMOTE_WORDS, /* monotonic milliseconds */
    WORDS
};

_Static_assert(WORDS == MATCHING_CONNECTION_IDENTITY_WORDS, "an identity is full");
_Static_assert(sizeof(matching_connection) == 192, "three cache lines, the counts in one");
_Static_assert(SAMPLES > MATCHING_CONNECTION_WINDOW_S + 1, "the window fits");

typedef struct sample {
    _Atomic uint64_t time_ns; /* monotonic */
    _Atomic uint64_t totals[SAMPLE_TOTALS];
} sample;

struct connection_table_rest {
    const char *transport;
    uint32_t slot_count;
    _Atomic uint32_t slot_end; /* one past the highest slot that was ever used */
    _Atomic uint64_t sampled;  /* samples so far */
    sample samples[SAMPLES];
    connection_ids ids;
};

static uint64_t load(const _Atomic uint64_t *from)
{
    return atomic_load_explicit(from, memory_order_acquire);
}

static void store(_Atomic uint64_t *to, uint64_t value)
{
    atomic_store_explicit(to, value, memory_order_release);
}

/* ---- The door's side ------------------------------------------------------------------------- */

static void begin_writing(matching_connection *connection)
{
    matching_connection_add(&connection->sequence, 1);
}

static void end_writing(matching_connection *connection)
{
    matching_connection_add(&connection->sequence, 1);
}

static void put_sample(matching_connection_table *table, uint64_t now_ns)
{
    struct connection_table_rest *rest = table->rest;
    sample *to = &rest->samples[load(&rest->sampled) % SAMPLES];
    store(&to->time_ns, now_ns);
    for (size_t i = 0; i < SAMPLE_TOTALS; i++) {
        store(&to->totals[i], load(&table->totals[SAMPLED_FROM + i]));
    }
    matching_connection_add(&rest->sampled, 1);
}

void matching_connections_second(matching_connection_table *table, uint64_t now_ns)
{
    put_sample(table, now_ns);
}

static void free_table(matching_connection_table *table)
{
    if (table->rest != NULL) {
        pages_give(table->slots, table->rest->slot_count * sizeof *table->slots);
    }
    free(table->rest);
    free(table);
}

matching_connection_table *connection_registry_add(connection_registry *registry,
                                                   const char *transport, uint32_t max_connections)
{
    uint32_t count = atomic_load_explicit(&registry->count, memory_order_relaxed);
    matching_connection_table *table = NULL;
    if (count < MATCHING_CONNECTION_TABLES_MAX) {
        table = aligned_alloc(64, sizeof *table);
    }
    if (table == NULL) {
        return NULL;
    }
    memset(table, 0, sizeof *table);
    table->rest = calloc(1, sizeof *table->rest);
    if (table->rest != NULL) {
        table->rest->transport = transport;
        table->rest->slot_count = max_connections;
        table->slots = pages_take(max_connections * sizeof *table->slots);
    }
    if (table->slots == NULL || !connection_ids_refill(&table->rest->ids)) {
        free_table(table);
        return NULL;
    }
    put_sample(table, matching_monotonic_ns());
    registry->tables[count] = table;
    atomic_store_explicit(&registry->count, count + 1, memory_order_release);
    return table;
}

void connection_registry_fini(connection_registry *registry)
{
    uint32_t count = atomic_load_explicit(&registry->count, memory_order_acquire);
    for (uint32_t i = 0; i < count; i++) {
        free_table(registry->tables[i]);
    }
    atomic_store_explicit(&registry->count, 0, memory_order_relaxed);
}

static void set_words(_Atomic uint64_t *to, const uint64_t *from, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        store(&to[i], from[i]);
    }
}

matching_connection *matching_connection_open(matching_connection_table *table, uint32_t slot,
                                              const char *remote)
{
    struct connection_table_rest *rest = table->rest;
    matching_connection *connection = &table->slots[slot];
    uint64_t words[WORDS] = {0};
    uint64_t since_ms = matching_monotonic_ns() / NS_PER_MS;
    assert(slot < rest->slot_count);
    assert(load(&connection->identity[CONNECTED_WORD]) == 0);
    if (!connection_ids_take(&rest->ids, words + ID_WORD)) {
        return NULL;
    }
    words[CONNECTED_WORD] = matching_unix_ns() / NS_PER_MS;
    words[SINCE_WORD] = since_ms;
    memcpy(words + REMOTE_WORD, remote, strnlen(remote, MATCHING_CONNECTION_REMOTE_SIZE - 1));
    begin_writing(connection);
    set_words(connection->identity, words, WORDS);
    for (size_t i = 0; i < MATCHING_CONNECTION_COUNTS; i++) {
        store(&connection->counts[i], i == MATCHING_CONNECTION_SEEN_MS ? since_ms : 0);
    }
    end_writing(connection);
    if (slot >= atomic_load_explicit(&rest->slot_end, memory_order_relaxed)) {
        atomic_store_explicit(&rest->slot_end, slot + 1, memory_order_release);
    }
    matching_connection_add(&table->totals[MATCHING_CONNECTIONS_OPENED], 1);
    return connection;
}

void matching_connection_rename(matching_connection *connection,
                                const char trader_id[MATCHING_TRADER_MAX])
{
    uint64_t words[TRADER_WORDS];
    memcpy(words, trader_id, sizeof words);
    begin_writing(connection);
    set_words(connection->identity + TRADER_WORD, words, TRADER_WORDS);
    end_writing(connection);
}

/* ---- The readers' side ----------------------------------------------------------------------- */

/* A slot as it was at one moment. False: it is free. */
static bool copy_slot(const matching_connection *from, uint64_t words[WORDS],
                      uint64_t counts[MATCHING_CONNECTION_COUNTS])
{
    for (;;) {
        uint64_t before = load(&from->sequence);
        if (before % 2 == 0) {
            for (size_t i = 0; i < WORDS; i++) {
                words[i] = load(&from->identity[i]);
            }
            for (size_t i = 0; i < MATCHING_CONNECTION_COUNTS; i++) {
                counts[i] = load(&from->counts[i]);
            }
            if (load(&from->sequence) == before) {
                return words[CONNECTED_WORD] != 0;
            }
        }
        sched_yield(); /* the writer needs some nanoseconds, unless its CPU was taken from it */
    }
}

static void fill_info(matching_connection_info *info, const char *transport,
                      const uint64_t words[WORDS], uint64_t now_ms)
{
    info->transport = transport;
    connection_id_print(info->id, words + ID_WORD);
    memcpy(info->trader_id, words + TRADER_WORD, MATCHING_TRADER_MAX);
    info->trader_id[MATCHING_TRADER_MAX] = '\0';
    memcpy(info->remote, words + REMOTE_WORD, sizeof info->remote);
    info->connected_ms = words[CONNECTED_WORD];
    /* The clock may be set while a connection lasts, so only what came first is Unix time. */
    uint64_t seen_ms = info->counts[MATCHING_CONNECTION_SEEN_MS];
    uint64_t ago_ms = now_ms > seen_ms ? now_ms - seen_ms : 0;
    info->seen_ms = matching_unix_ns() / NS_PER_MS - ago_ms;
    info->seen_ms = info->seen_ms < info->connected_ms ? info->connected_ms : info->seen_ms;
}

bool connection_registry_next(const connection_registry *registry, uint64_t *position,
                              matching_connection_info *info)
{
    uint64_t words[WORDS];
    uint32_t count = atomic_load_explicit(&registry->count, memory_order_acquire);
    uint64_t number = *position >> 32, slot = *position & UINT32_MAX;
    for (; number < count; number++, slot = 0) {
        const matching_connection_table *table = registry->tables[number];
        uint64_t end = atomic_load_explicit(&table->rest->slot_end, memory_order_acquire);
        for (; slot < end; slot++) {
            if (copy_slot(&table->slots[slot], words, info->counts)) {
                fill_info(info, table->rest->transport, words, matching_monotonic_ns() / NS_PER_MS);
                *position = (number << 32 | slot) + 1;
                return true;
            }
        }
    }
    return false;
}

bool matching_connection_read(const matching_connection_table *table,
                              const matching_connection *connection, matching_connection_info *info)
{
    uint64_t words[WORDS];
    if (!copy_slot(connection, words, info->counts)) {
        return false;
    }
    fill_info(info, table->rest->transport, words, matching_monotonic_ns() / NS_PER_MS);
    return true;
}

/* What the totals were when the window began, and how long ago that was. */
static uint64_t copy_sample(const matching_connection_table *table, uint64_t now_ns,
                            uint64_t totals[SAMPLE_TOTALS])
{
    const struct connection_table_rest *rest = table->rest;
    for (;;) {
        uint64_t sampled = load(&rest->sampled), number = sampled;
        uint64_t oldest = sampled > SAMPLES - 2 ? sampled - (SAMPLES - 2) : 0;
        uint64_t age_ns = 0;
        while (number > oldest && age_ns < MATCHING_CONNECTION_WINDOW_S * NS_PER_S) {
            number--;
            uint64_t time_ns = load(&rest->samples[number % SAMPLES].time_ns);
            age_ns = now_ns > time_ns ? now_ns - time_ns : 0;
        }
        for (size_t i = 0; i < SAMPLE_TOTALS; i++) {
            totals[i] = load(&rest->samples[number % SAMPLES].totals[i]);
        }
        if (load(&rest->sampled) < number + SAMPLES) {
            return age_ns;
        }
    }
}

static void measure_window(const matching_connection_table *table, uint64_t now_ns,
                           matching_connections_metrics *metrics)
{
    uint64_t before[SAMPLE_TOTALS], grown[MATCHING_CONNECTIONS_TOTALS] = {0};
    uint64_t age_ns = copy_sample(table, now_ns, before);
    for (size_t i = 0; i < SAMPLE_TOTALS; i++) {
        grown[SAMPLED_FROM + i] = load(&table->totals[SAMPLED_FROM + i]) - before[i];
    }
    uint64_t messages = grown[MATCHING_CONNECTIONS_RECEIVED] + grown[MATCHING_CONNECTIONS_SENT];
    age_ns = age_ns < NS_PER_MS ? NS_PER_MS : age_ns;
    metrics->messages_a_1000_s += (uint64_t)((matching_wide)messages * (1000 * NS_PER_S) / age_ns);
    metrics->received += grown[MATCHING_CONNECTIONS_RECEIVED];
    metrics->errors += grown[MATCHING_CONNECTIONS_ERRORS];
    metrics->latency_ns += grown[MATCHING_CONNECTIONS_LATENCY_NS];
    metrics->latencies += grown[MATCHING_CONNECTIONS_LATENCIES];
}

void connection_registry_measure(const connection_registry *registry, uint64_t now_ns,
                                 matching_connections_metrics *metrics)
{
    uint32_t count = atomic_load_explicit(&registry->count, memory_order_acquire);
    *metrics = (matching_connections_metrics){0};
    for (uint32_t i = 0; i < count; i++) {
        const matching_connection_table *table = registry->tables[i];
        uint64_t closed = load(&table->totals[MATCHING_CONNECTIONS_CLOSED]);
        uint64_t opened = load(&table->totals[MATCHING_CONNECTIONS_OPENED]); /* never less */
        metrics->opened += opened;
        metrics->active += opened - closed;
        metrics->messages_sent += load(&table->totals[MATCHING_CONNECTIONS_SENT]);
        metrics->subscriptions += load(&table->totals[MATCHING_CONNECTIONS_SUBSCRIPTIONS]);
        measure_window(table, now_ns, metrics);
    }
}

/* ---- The end --------------------------------------------------------------------------------- */

void matching_connection_ended(const matching_connection_info *info, uint64_t duration_ms,
                               unsigned code)
{
    const uint64_t *counts = info->counts;
    const matching_log_field fields[] = {
        {.name = "id", .text = info->id},
        {.name = "trader", .text = info->trader_id},
        {.name = "remote", .text = info->remote},
        {.name = "duration_ms", .number = duration_ms},
        {.name = "messages_received", .number = counts[MATCHING_CONNECTION_MESSAGES_RECEIVED]},
        {.name = "messages_sent", .number = counts[MATCHING_CONNECTION_MESSAGES_SENT]},
        {.name = "bytes_received", .number = counts[MATCHING_CONNECTION_BYTES_RECEIVED]},
        {.name = "bytes_sent", .number = counts[MATCHING_CONNECTION_BYTES_SENT]},
        {.name = "errors", .number = counts[MATCHING_CONNECTION_ERRORS]},
        {.name = "code", .number = code},
    };
    matching_log_fields(MATCHING_LOG_INFO, info->transport, "connection ended", fields,
                        sizeof fields / sizeof fields[0]);
}

static void log_end(const matching_connection_table *table, const matching_connection *connection,
                    unsigned code)
{
    matching_connection_info info;
    uint64_t words[WORDS];
    uint64_t now_ms = matching_monotonic_ns() / NS_PER_MS;
    if (matching_log_wants(MATCHING_LOG_INFO, table->rest->transport) &&
        copy_slot(connection, words, info.counts)) {
        fill_info(&info, table->rest->transport, words, now_ms);
        matching_connection_ended(&info, now_ms - words[SINCE_WORD], code);
    }
}

void matching_connection_close(matching_connection_table *table, matching_connection *connection,
                               unsigned code)
{
    assert(load(&connection->identity[CONNECTED_WORD]) != 0);
    log_end(table, connection, code);
    matching_connection_subscribed(table, connection, 0);
    begin_writing(connection);
    store(&connection->identity[CONNECTED_WORD], 0);
    end_writing(connection);
    matching_connection_add(&table->totals[MATCHING_CONNECTIONS_CLOSED], 1);
}

/* ---- With a core ----------------------------------------------------------------------------- */

matching_connection_table *matching_connections_create(matching_core *core, const char *transport,
                                                       uint32_t max_connections)
{
    return connection_registry_add(core_connection_registry(core), transport, max_connections);
}

bool matching_connections_next(const matching_core *core, uint64_t *position,
                               matching_connection_info *info)
{
    return connection_registry_next(core_connections(core), position, info);
}

bool matching_connections_totals(const matching_core *core, uint32_t number, const char **transport,
                                 uint64_t totals[MATCHING_CONNECTIONS_TOTALS])
{
    const connection_registry *registry = core_connections(core);
    if (number >= atomic_load_explicit(&registry->count, memory_order_acquire)) {
        return false;
    }
    *transport = registry->tables[number]->rest->transport;
    for (unsigned i = 0; i < MATCHING_CONNECTIONS_TOTALS; i++) {
        totals[i] =
            load(&registry->tables[number]->totals[i]); /* CLOSED first, never above OPENED */
    }
    return true;
}

void matching_connections_measure(const matching_core *core, matching_connections_metrics *metrics)
{
    connection_registry_measure(core_connections(core), matching_monotonic_ns(), metrics);
}
