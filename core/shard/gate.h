/* The gate: replies and events leave only once their command is safe (docs/architecture.md).
 *
 * Without a journal the shard raises it itself, right after each batch; with one the journal's
 * flusher does, when the batch is safe. Ports look at durable_sequence and at nothing else, and are
 * woken by whoever raised it.
 */
#ifndef MATCHING_GATE_H
#define MATCHING_GATE_H

#include "shard/shard.h"

/* Replies and events up to the shard's last command were published: they are on their way to the
 * gate. has_events: among them are events. The shard's thread. */
void gate_publish(shard *s, bool has_events);

/* Is everything that the shard did durable? Then the readers' delay is their own. */
bool gate_is_open(const shard *s);

/* The journal's callbacks; context is the shard. */
void gate_on_safe(void *context, uint64_t sequence);
void gate_on_room(void *context);
void gate_on_failed(void *context, const char *what);
void gate_on_warning(void *context, const char *what); /* on the preparer's thread */

/* Has the journal failed? Nothing that is not yet durable will ever be. Any thread. */
static inline bool gate_has_failed(const shard *s)
{
    return atomic_load_explicit(&s->failed, memory_order_acquire);
}

#endif
