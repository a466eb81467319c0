/* One message at a time on one connection, and how long until it is answered. */
#ifndef MATCHING_BENCH_WS_LOAD_PROBE_H
#define MATCHING_BENCH_WS_LOAD_PROBE_H

#include "load/client.h"
#include "load/target.h"

typedef enum probe_kind {
    PROBE_PING,  /* until the pong */
    PROBE_ORDER, /* a limit order that rests, until its ack; cancelled afterwards */
    PROBE_TRADE  /* a limit order that fills one, until the trade is told to the same connection */
} probe_kind;

typedef struct probe {
    swarm clients; /* the first is the one that asks; more may be added */
    const target *target;
    bool wants_trade, is_answered;
    size_t length; /* of what was sent */
    uint64_t order_id, answered_ns, number;
} probe;

void probe_begin(probe *p, const target *t);
void probe_end(probe *p);

/* Asks `samples` times, after a tenth of that unmeasured, and adds the times. */
void probe_run(probe *p, probe_kind kind, unsigned samples, histogram *times);

/* The rows of one kind of probe. */
extern const char *const probe_names[];

#endif
