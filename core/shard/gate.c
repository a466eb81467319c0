/* See gate.h. The hand-shake between the shard, which wants a port to hear of a sequence, and the
 * flusher, which raises the gate:
 *
 *   shard:    wanted[port] = sequence; is durable_sequence there already? -> wakes the port itself
 *   flusher:  durable_sequence = sequence; was wanted[port] above what was durable? -> wakes it
 *
 * All of these are sequentially consistent, so at least one of the two sees the other.
 */
#include "shard/gate.h"

#include <string.h>

#include "matching/log.h"
#include "matching/probes.h"
#include "metrics/recorder.h"
#include "shard/core_internal.h"
#include "shard/order_trace.h"
#include "shard/snapshots.h"

static void raise_alone(shard *s, bool has_events)
{
    shard_metrics_durable(s->metrics, s->books.sequence);
    shard_traces_durable(s->traces, s->books.sequence);
    MATCHING_PROBE2(durable, s->number, s->books.sequence);
    atomic_store_explicit(&s->durable_sequence, s->books.sequence, memory_order_release);
    for (unsigned i = 0; i < s->port_count; i++) {
        if (s->answered[i] || has_events) {
            port_notify(core_port(s->core, i), !s->answered[i]);
        }
    }
}

void gate_publish(shard *s, bool has_events)
{
    if (s->journal == NULL) {
        raise_alone(s, has_events);
        return;
    }
    for (unsigned i = 0; i < s->port_count; i++) {
        if (s->answered[i] || (has_events && port_listens(core_port(s->core, i)))) {
            atomic_store(&s->wanted[i].sequence, s->books.sequence);
        }
    }
    journal_hand_over(s->journal);
    if (!gate_is_open(s) && !gate_has_failed(s)) {
        return; /* the flusher will wake them, or whoever sees it fail */
    }
    for (unsigned i = 0; i < s->port_count; i++) {
        if (s->answered[i] || has_events) {
            port_notify(core_port(s->core, i), !s->answered[i]);
        }
    }
}

bool gate_is_open(const shard *s)
{
    return atomic_load(&s->durable_sequence) >= s->books.sequence;
}

void gate_on_safe(void *context, uint64_t sequence)
{
    shard *s = context;
    uint64_t before = atomic_load_explicit(&s->durable_sequence, memory_order_relaxed);
    shard_metrics_durable(s->metrics, sequence);
    shard_traces_durable(s->traces, sequence);
    MATCHING_PROBE2(durable, s->number, sequence);
    atomic_store(&s->durable_sequence, sequence);
    for (unsigned i = 0; i < s->port_count; i++) {
        if (atomic_load(&s->wanted[i].sequence) > before) {
            port_notify(core_port(s->core, i), false);
        }
    }
    snapshots_note_safe(s, sequence);
    const history_link *history = s->core->history;
    if (history != NULL) {
        history->note_safe(history);
    }
}

void gate_on_room(void *context)
{
    shard_wake(context);
}

/* Told when it begins, when it becomes another, and when it has passed. */
void gate_on_warning(void *context, const char *what)
{
    shard *s = context;
    const char *before = atomic_exchange(&s->warning, what);
    if (*what != 0 && (before == NULL || strcmp(before, what) != 0)) {
        matching_log(MATCHING_LOG_WARN, "journal", "shard %u: %s", s->number, what);
    } else if (*what == 0 && before != NULL && *before != 0) {
        matching_log(MATCHING_LOG_INFO, "journal",
                     "shard %u: the journal's next segment is there, all is well again", s->number);
    }
    if (*what != 0) {
        snapshots_on_unsealed(s, what);
    }
}

void gate_on_failed(void *context, const char *what)
{
    shard *s = context;
    matching_log(MATCHING_LOG_ERROR, "journal",
                 "shard %u takes no more commands, mend this and start again; everything "
                 "acknowledged is safe: %s",
                 s->number, what);
    atomic_store(&s->failed, true);
    shard_wake(s);
    for (unsigned i = 0; i < s->port_count; i++) {
        port_notify(core_port(s->core, i), false);
    }
}
