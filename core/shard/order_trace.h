/* What an order.match span is made of, on its way from port to shard to gate and back. There are
 * such records only while traces are recorded, and only for commands that were submitted below a
 * span that is sampled.
 *
 * A record belongs to its port, which hands it over with the command and has it back with the
 * reply: both rings keep their order, so the place of a command among those in its ring tells which
 * reply is its own. The gate notes its time before it lets the reply go.
 */
#ifndef MATCHING_ORDER_TRACE_H
#define MATCHING_ORDER_TRACE_H

#include <stdatomic.h>

#include "matching/command.h"
#include "matching/core.h"
#include "matching/port.h"
#include "matching/trace.h"

#define ORDER_TRACES_MAX 256u    /* of a port, from submit until the reply is sent */
#define ORDER_TRACES_WAITING 256 /* of a shard, between it and the gate; a power of two */

typedef struct order_trace order_trace;
struct order_trace {
    order_trace *next;
    matching_trace_context parent;
    uint64_t position; /* its place among the commands of its ring */
    uint64_t received_ns, parsed_ns, queued_ns, sequenced_ns, matched_ns;
    _Atomic uint64_t durable_ns; /* 0: nobody noted it */
    _Atomic uint64_t sequence;   /* 0: the shard is not through with it */
    uint64_t order_id;
    uint32_t shard;
    uint16_t code;
    uint16_t instrument;
    uint8_t type;
    bool has_instrument;
};

typedef struct order_trace_list {
    order_trace *first, *last;
    order_trace *unpublished; /* the first that the shard cannot see yet; NULL: there is none */
} order_trace_list;

/* A port's. */
typedef struct port_traces {
    matching_core *core;
    const char *transport; /* "": not known */
    order_trace *unused;
    order_trace_list answered;   /* taken, and not known to be written yet */
    order_trace_list *under_way; /* by shard, in the order of the ring */
    order_trace records[ORDER_TRACES_MAX];
} port_traces;

/* A shard's: records between it and the gate, in order; the shard moves head, the gate tail. */
typedef struct shard_traces {
    struct {
        uint64_t sequence;
        order_trace *trace;
    } waiting[ORDER_TRACES_WAITING];
    _Alignas(64) _Atomic uint64_t head;
    _Alignas(64) _Atomic uint64_t tail;
} shard_traces;

/* NULL: no memory. */
port_traces *port_traces_create(matching_core *core, unsigned shards);
void port_traces_destroy(port_traces *traces);
shard_traces *shard_traces_create(void);

/* ---- The port's thread ----------------------------------------------------------------------- */

/* A command goes into the ring as its `position`th. NULL: it is not traced. */
order_trace *port_traces_begin(port_traces *traces, unsigned s, uint64_t position,
                               const matching_command *command);
static inline order_trace *port_traces_push(port_traces *traces, unsigned s, uint64_t position,
                                            const matching_command *command)
{
    return traces == NULL || matching_trace_current == NULL
               ? NULL
               : port_traces_begin(traces, s, position, command);
}

/* The shard is about to see what went into the ring. */
void port_traces_queued(order_trace_list *under_way);
static inline void port_traces_publish(port_traces *traces, unsigned s)
{
    if (traces != NULL && traces->under_way[s].unpublished != NULL) {
        port_traces_queued(&traces->under_way[s]);
    }
}

/* A reply comes out of the ring as its `position`th. */
void port_traces_end(port_traces *traces, unsigned s, const matching_reply *reply);
static inline void port_traces_take(port_traces *traces, unsigned s, uint64_t position,
                                    const matching_reply *reply)
{
    if (traces != NULL && traces->under_way[s].first != NULL &&
        traces->under_way[s].first->position == position) {
        port_traces_end(traces, s, reply);
    }
}

/* What was taken has been written: the spans end. */
void port_traces_wrote(port_traces *traces);
static inline void port_traces_turn(port_traces *traces)
{
    if (traces != NULL && traces->answered.first != NULL) {
        port_traces_wrote(traces);
    }
}

/* ---- The shard, and the gate ----------------------------------------------------------------- */

/* The shard begins with its command, and is through with it; it has this sequence. */
void shard_traces_begin(order_trace *trace);
void shard_traces_end(shard_traces *traces, order_trace *trace, uint64_t sequence);

/* The gate is about to let everything go up to this sequence. Whoever raises it, one at a time. */
void shard_traces_note_durable(shard_traces *traces, uint64_t sequence);
static inline void shard_traces_durable(shard_traces *traces, uint64_t sequence)
{
    if (traces != NULL && atomic_load_explicit(&traces->tail, memory_order_relaxed) !=
                              atomic_load_explicit(&traces->head, memory_order_acquire)) {
        shard_traces_note_durable(traces, sequence);
    }
}

#endif
