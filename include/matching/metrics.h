/* Metrics: what the core and the doors count and measure, for those who run the service.
 *
 * Each number has one writer at a time and is written by a plain load and store: no lock, no
 * read-modify-write. Whoever reads adds up what the threads have; numbers that are read together
 * need not be of one moment, but none ever goes back. Counts are exact. Times of the stages of an
 * order are taken of one command in 256, at a place in each 256 that looks random, so that no
 * pattern of a client hides one kind of command.
 *
 * With matching_core_options.metrics off nothing of it is counted; what is known anyway, such as
 * connections, is still told.
 */
#ifndef MATCHING_METRICS_H
#define MATCHING_METRICS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "matching/codes.h"
#include "matching/core.h"
#include "matching/port.h"

/* The stages of an order: from one point of its way to the next.
 *
 *   received   the door has its bytes: the turn of the loop in which they came
 *   parsed     it is a command, checked, in the ring of its shard
 *   queued     the shard can see it: the door is through with what came at once, and publishes it
 *   sequenced  the shard begins with it
 *   matched    all that it set off has happened
 *   durable    the gate lets its reply go: it is safe, as journal.sync means it
 *   sent       the door has written its reply, or handed it to its library
 */
typedef enum matching_stage {
    MATCHING_STAGE_PARSE,   /* received -> parsed */
    MATCHING_STAGE_SUBMIT,  /* parsed -> queued */
    MATCHING_STAGE_QUEUE,   /* queued -> sequenced */
    MATCHING_STAGE_MATCH,   /* sequenced -> matched: the shard's own work */
    MATCHING_STAGE_DURABLE, /* matched -> durable */
    MATCHING_STAGE_SEND,    /* durable -> sent */
    MATCHING_STAGE_TOTAL,   /* received -> sent */
    MATCHING_STAGES
} matching_stage;

/* "parse", ..., "total". Any thread. */
const char *matching_stage_name(matching_stage stage);

#define MATCHING_LATENCY_BUCKETS 592 /* that there are at most */

/* Samples above the bucket before, which may have been left out, and at most most_ns. */
typedef struct matching_latency_bucket {
    uint64_t most_ns, count;
} matching_latency_bucket;

typedef struct matching_latency {
    uint64_t count; /* samples since the start; 0: the rest is 0 too */
    uint64_t mean_ns;
    uint64_t p50_ns, p90_ns, p99_ns, p999_ns; /* not less than it was, at most a sixteenth more */
    uint64_t max_ns;                          /* likewise */
    uint32_t bucket_count;
    matching_latency_bucket buckets[MATCHING_LATENCY_BUCKETS]; /* those that are not empty, from low
                                                                  to high; `count` in all */
} matching_latency;

/* One stage, of all doors and shards. Any thread. */
void matching_metrics_latency(const matching_core *core, matching_stage stage,
                              matching_latency *latency);

/* All of it as Prometheus' text format 0.0.4. Any thread; takes some hundred microseconds. */
void matching_metrics_print(const matching_core *core, FILE *out);

/* The door that a port is of, as metrics name it; static. Main thread, before the core starts. */
void matching_port_name(matching_port *port, const char *name);

/* The door refused something by itself; refusals in replies the port counts. MATCHING_OK does
 * nothing. The port's thread. */
void matching_port_refused(matching_port *port, matching_code code);

/* The door has answered a request of HTTP with this status. The port's thread. */
void matching_port_responded(matching_port *port, unsigned status);

/* The door has a connection of HTTP more, or one less. Connections in a table of
 * matching/connections.h count there. The port's thread. */
void matching_port_connected(matching_port *port);
void matching_port_disconnected(matching_port *port);

/* Bytes of bodies that came and went over such connections. The port's thread. */
void matching_port_carried(matching_port *port, uint64_t received, uint64_t sent);

/* The store has all that came of the shard's commands up to this one: what it lags behind is a
 * metric from now on. One thread at a time for each shard. */
void matching_metrics_stored(matching_core *core, unsigned shard, uint64_t sequence);

#endif
