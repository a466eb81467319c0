/* Where metrics are written: one for each port, by its thread; one for each shard, by whoever works
 * for it; one for each journal, by whoever does its flusher's work.
 *
 * The times of a command's stages travel beside it. A sampled command is known by how many went
 * through its ring before it, and so is its reply, since each command has one reply and both rings
 * keep their order (slots that a ring passes over do not count); so there is a slot for it that the
 * port, the shard, the gate and the port again write and read in turn. What hands it from one to
 * the other is what hands over the command, its sequence and its reply.
 */
#ifndef MATCHING_RECORDER_H
#define MATCHING_RECORDER_H

#include <stdbool.h>

#include "matching/candle_feed.h"
#include "matching/command.h"
#include "matching/metrics.h"
#include "metrics/histogram.h"
#include "shard/ring.h"

#define SAMPLE_LOG2 8u   /* of so many commands of a ring, as a power of two, one is sampled */
#define METRIC_TYPES 64u /* of commands, a power of two */
#define METRIC_STATUSES 6u
#define METRIC_UNSENT_MAX 64u
#define METRIC_GATE_SLOTS 64u /* a power of two */

/* The place that is sampled in a block of 1 << SAMPLE_LOG2 places: in each another one, as if by
 * chance. */
static inline uint64_t sample_place(uint64_t block)
{
    uint64_t chosen = (block + 1) * 0x9e3779b97f4a7c15u >> (64 - SAMPLE_LOG2);
    return (block << SAMPLE_LOG2) + chosen;
}

/* Is it this one? next: the next one, which moves on; UINT64_MAX: there is none. */
static inline bool is_sampled(uint64_t *next, uint64_t position)
{
    if (position != *next) {
        return false;
    }
    *next = sample_place((position >> SAMPLE_LOG2) + 1);
    return true;
}

/* Monotonic times of a sampled command. */
typedef struct sample_times {
    _Alignas(64) uint64_t parsed_ns; /* 0: it is no order, nothing is measured */
    uint64_t queued_ns, sequenced_ns, matched_ns;
    uint64_t durable_ns;        /* 0: nobody noted it */
    struct sample_times *older; /* the port's: another that the shard cannot see yet */
} sample_times;

/* The slots for a port's ring to one shard: more than it can have sampled commands in it. */
typedef struct sample_slots {
    sample_times *times;
    uint64_t mask;
} sample_slots;

static inline sample_times *sample_at(const sample_slots *slots, uint64_t position)
{
    return &slots->times[position >> SAMPLE_LOG2 & slots->mask];
}

typedef struct port_metrics {
    const char *name;
    _Atomic uint64_t answered[METRIC_TYPES]; /* by type */
    _Atomic uint64_t refused[MATCHING_CODE_COUNT];
    _Atomic uint64_t responses[METRIC_STATUSES]; /* of HTTP, by the status' first digit */
    _Atomic uint64_t disconnected, connected;    /* connections of HTTP */
    _Atomic uint64_t bytes_received, bytes_sent; /* of bodies over these */
    histogram stages[MATCHING_STAGES];
    unsigned unsent_count;
    struct {
        uint64_t received_ns, durable_ns;
    } unsent[METRIC_UNSENT_MAX]; /* taken, and not known to be written yet */
} port_metrics;

typedef struct instrument_metrics {
    _Atomic uint64_t orders, trades;
} instrument_metrics;

typedef struct journal_metrics {
    histogram sync_ns;
    _Atomic uint64_t bytes, writes;
} journal_metrics;

typedef struct shard_metrics {
    instrument_metrics *instruments; /* by index */
    sample_slots *samples;           /* by port number */
    unsigned port_count;
    histogram batch_ns, batch_commands;
    journal_metrics journal;
    _Atomic uint64_t snapshot_ns; /* Unix time of the newest one; 0: there is none */
    _Atomic uint64_t snapshots, snapshots_failed;
    _Atomic uint64_t stored; /* a sequence, and one; 0: there is no store */
    /* Samples between the shard and the gate, in order; the shard moves head, the gate tail. */
    struct {
        uint64_t sequence;
        sample_times *times;
    } waiting[METRIC_GATE_SLOTS];
    _Alignas(64) _Atomic uint64_t waiting_head;
    _Alignas(64) _Atomic uint64_t waiting_tail;
} shard_metrics;

/* NULL: no memory. */
shard_metrics *shard_metrics_create(size_t instruments);
void shard_metrics_destroy(shard_metrics *m);

/* The ports are known. False: no memory. */
bool shard_metrics_connect(shard_metrics *m, unsigned ports, uint64_t ring_slots);

/* These are the rings between a port and the shard: their first samples. */
void shard_metrics_watch(const shard_metrics *m, ring *commands, ring *replies);

/* ---- The port's thread ----------------------------------------------------------------------- */

/* A command goes into the ring. */
static inline void port_metrics_push(const shard_metrics *m, unsigned port, ring *commands,
                                     const matching_command *command)
{
    uint64_t position = ring_written(commands);
    if (is_sampled(&commands->write_sample, position)) {
        bool is_order = command->type >= MATCHING_PLACE && command->type <= MATCHING_AMEND;
        sample_times *times = sample_at(&m->samples[port], position);
        times->parsed_ns = is_order ? matching_monotonic_ns() : 0;
        times->older = commands->write_unseen;
        commands->write_unseen = times;
    }
}

/* What is in the ring is about to be published. */
void port_metrics_note_queued(ring *commands);
static inline void port_metrics_publish(ring *commands)
{
    if (commands->write_unseen != NULL) {
        port_metrics_note_queued(commands);
    }
}

/* A reply comes out of the ring. */
void port_metrics_sample(port_metrics *own, const sample_times *times, uint64_t received_ns);
static inline void port_metrics_take(port_metrics *own, const shard_metrics *m, unsigned port,
                                     ring *replies, const matching_reply *reply)
{
    uint64_t position = ring_taken(replies);
    if (is_sampled(&replies->read_sample, position)) {
        port_metrics_sample(own, sample_at(&m->samples[port], position), reply->received_ns);
    }
}

/* The transport is handed a reply. What the candles' feed asks for itself is refused as long as the
 * store is catching up, which no client is told. */
static inline void port_metrics_answer(port_metrics *own, const matching_reply *reply)
{
    if (own != NULL) {
        bool is_told =
            reply->tag < MATCHING_CANDLE_FEED_TAGS || reply->tag >= 2 * MATCHING_CANDLE_FEED_TAGS;
        metric_add(&own->answered[reply->type % METRIC_TYPES], 1);
        if (reply->code != MATCHING_OK && is_told) {
            metric_add(&own->refused[reply->code], 1);
        }
    }
}

/* What was taken has been written. */
void port_metrics_wrote(port_metrics *own);
static inline void port_metrics_turn(port_metrics *own)
{
    if (own != NULL && own->unsent_count > 0) {
        port_metrics_wrote(own);
    }
}

/* ---- The shard ------------------------------------------------------------------------------- */

/* Begins with the ring's next command. NULL: it is not sampled. */
static inline sample_times *shard_metrics_begin(const shard_metrics *m, unsigned port,
                                                ring *commands)
{
    uint64_t position = ring_taken(commands);
    if (!is_sampled(&commands->read_sample, position)) {
        return NULL;
    }
    sample_times *times = sample_at(&m->samples[port], position);
    times->durable_ns = 0;
    times->sequenced_ns = matching_monotonic_ns();
    return times->parsed_ns != 0 ? times : NULL;
}

/* It is through with a sampled one, which has this sequence. */
void shard_metrics_end(shard_metrics *m, sample_times *times, uint64_t sequence);

/* A command has been answered; a trade has happened. */
static inline void shard_metrics_command(shard_metrics *m, const matching_command *command,
                                         const matching_reply *reply)
{
    if (command->type == MATCHING_PLACE && reply->code == MATCHING_OK && m != NULL) {
        metric_add(&m->instruments[command->instrument].orders, 1);
    }
}
static inline void shard_metrics_trade(shard_metrics *m, const matching_event *event)
{
    if (m != NULL) {
        metric_add(&m->instruments[event->instrument].trades, 1);
    }
}

/* A batch of so many commands ends; began_ns: the time that it was stamped with. Of one during
 * which the clock was set back nothing is told. */
static inline void shard_metrics_batch(shard_metrics *m, uint64_t began_ns, uint64_t commands)
{
    if (m == NULL || commands == 0) {
        return;
    }
    uint64_t now_ns = matching_unix_ns();
    if (now_ns >= began_ns) {
        histogram_add_time(&m->batch_ns, now_ns - began_ns);
        if (commands == 1) { /* there are most of these, and there is nothing to work out */
            histogram_add(&m->batch_commands, 1);
        } else {
            histogram_add(&m->batch_commands, commands);
        }
    }
}

/* ---- The gate -------------------------------------------------------------------------------- */

/* Is about to let everything go up to this sequence. Whoever raises it, one at a time. */
void shard_metrics_note_durable(shard_metrics *m, uint64_t sequence);
static inline void shard_metrics_durable(shard_metrics *m, uint64_t sequence)
{
    if (m != NULL && atomic_load_explicit(&m->waiting_tail, memory_order_relaxed) !=
                         atomic_load_explicit(&m->waiting_head, memory_order_acquire)) {
        shard_metrics_note_durable(m, sequence);
    }
}

/* ---- The journal and snapshots --------------------------------------------------------------- */

static inline void journal_metrics_synced(journal_metrics *m, uint64_t took_ns)
{
    if (m != NULL) {
        histogram_add_time(&m->sync_ns, took_ns);
    }
}
static inline void journal_metrics_wrote(journal_metrics *m, uint64_t bytes)
{
    if (m != NULL) {
        metric_add(&m->bytes, bytes);
        metric_add(&m->writes, 1);
    }
}

/* The snapshots' worker has tried to make one; or none can be tried, and no worker is at the
 * shard. */
static inline void shard_metrics_snapshot(shard_metrics *m, bool failed)
{
    if (m != NULL) {
        metric_add(failed ? &m->snapshots_failed : &m->snapshots, 1);
        if (!failed) {
            atomic_store_explicit(&m->snapshot_ns, matching_unix_ns(), memory_order_relaxed);
        }
    }
}

#endif
