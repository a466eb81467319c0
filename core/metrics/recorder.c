/* Recording that is not for every command. See recorder.h. */
#include "metrics/recorder.h"

#include <stdlib.h>
#include <string.h>

/* ---- Birth and end --------------------------------------------------------------------------- */

static void *take(size_t count, size_t size)
{
    size_t bytes = (count * size + 63) & ~(size_t)63;
    void *memory = aligned_alloc(64, bytes);
    if (memory != NULL) {
        memset(memory, 0, bytes);
    }
    return memory;
}

shard_metrics *shard_metrics_create(size_t instruments)
{
    shard_metrics *m = take(1, sizeof *m);
    if (m == NULL) {
        return NULL;
    }
    m->instruments = take(instruments, sizeof *m->instruments);
    if (m->instruments == NULL) {
        free(m);
        return NULL;
    }
    return m;
}

bool shard_metrics_connect(shard_metrics *m, unsigned ports, uint64_t ring_slots)
{
    /* Of those in a ring at most one in each block is sampled, and the ring may begin and end in
     * the midst of one. */
    uint64_t slots = 2;
    while (slots < (ring_slots >> SAMPLE_LOG2) + 2) {
        slots *= 2;
    }
    m->samples = take(ports + 1, sizeof *m->samples);
    bool good = m->samples != NULL;
    for (; good && m->port_count < ports; m->port_count++) {
        sample_slots *own = &m->samples[m->port_count];
        own->times = take(slots, sizeof *own->times);
        own->mask = slots - 1;
        good = own->times != NULL;
    }
    return good;
}

void shard_metrics_watch(const shard_metrics *m, ring *commands, ring *replies)
{
    if (m != NULL) {
        commands->write_sample = commands->read_sample = replies->read_sample = sample_place(0);
    }
}

void shard_metrics_destroy(shard_metrics *m)
{
    if (m == NULL) {
        return;
    }
    for (unsigned i = 0; i < m->port_count; i++) {
        free(m->samples[i].times);
    }
    free(m->samples);
    free(m->instruments);
    free(m);
}

/* ---- Samples --------------------------------------------------------------------------------- */

/* Clocks of two processors may differ by a little. */
static uint64_t between(uint64_t from_ns, uint64_t to_ns)
{
    return to_ns > from_ns ? to_ns - from_ns : 0;
}

void shard_metrics_end(shard_metrics *m, sample_times *times, uint64_t sequence)
{
    uint64_t head = atomic_load_explicit(&m->waiting_head, memory_order_relaxed);
    times->matched_ns = matching_monotonic_ns();
    if (head - atomic_load_explicit(&m->waiting_tail, memory_order_acquire) == METRIC_GATE_SLOTS) {
        return; /* the disk is far behind: nobody will note when this one is safe */
    }
    m->waiting[head % METRIC_GATE_SLOTS].sequence = sequence;
    m->waiting[head % METRIC_GATE_SLOTS].times = times;
    atomic_store_explicit(&m->waiting_head, head + 1, memory_order_release);
}

void shard_metrics_note_durable(shard_metrics *m, uint64_t sequence)
{
    uint64_t now = matching_monotonic_ns();
    uint64_t head = atomic_load_explicit(&m->waiting_head, memory_order_acquire);
    uint64_t tail = atomic_load_explicit(&m->waiting_tail, memory_order_relaxed);
    while (tail < head && m->waiting[tail % METRIC_GATE_SLOTS].sequence <= sequence) {
        m->waiting[tail % METRIC_GATE_SLOTS].times->durable_ns = now;
        tail++;
    }
    atomic_store_explicit(&m->waiting_tail, tail, memory_order_release);
}

void port_metrics_note_queued(ring *commands)
{
    uint64_t now = matching_monotonic_ns();
    for (sample_times *it = commands->write_unseen; it != NULL; it = it->older) {
        it->queued_ns = now;
    }
    commands->write_unseen = NULL;
}

void port_metrics_sample(port_metrics *own, const sample_times *times, uint64_t received_ns)
{
    if (times->parsed_ns == 0) {
        return;
    }
    histogram *stages = own->stages;
    histogram_add_time(&stages[MATCHING_STAGE_PARSE], between(received_ns, times->parsed_ns));
    histogram_add_time(&stages[MATCHING_STAGE_SUBMIT], between(times->parsed_ns, times->queued_ns));
    histogram_add_time(&stages[MATCHING_STAGE_QUEUE],
                       between(times->queued_ns, times->sequenced_ns));
    histogram_add_time(&stages[MATCHING_STAGE_MATCH],
                       between(times->sequenced_ns, times->matched_ns));
    if (times->durable_ns != 0) {
        histogram_add_time(&stages[MATCHING_STAGE_DURABLE],
                           between(times->matched_ns, times->durable_ns));
        if (own->unsent_count < METRIC_UNSENT_MAX) {
            own->unsent[own->unsent_count].received_ns = received_ns;
            own->unsent[own->unsent_count++].durable_ns = times->durable_ns;
        }
    }
}

void port_metrics_wrote(port_metrics *own)
{
    uint64_t now = matching_monotonic_ns();
    for (unsigned i = 0; i < own->unsent_count; i++) {
        histogram_add_time(&own->stages[MATCHING_STAGE_SEND],
                           between(own->unsent[i].durable_ns, now));
        histogram_add_time(&own->stages[MATCHING_STAGE_TOTAL],
                           between(own->unsent[i].received_ns, now));
    }
    own->unsent_count = 0;
}
