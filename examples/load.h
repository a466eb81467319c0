/* Load on WebSocket connections, and how long the answers took.
 *
 * Open-loop (rate > 0): message n is due at start + n / rate, whatever has become of the ones
 * before. Its latency counts from that moment, not from when it could be sent, so a stall of the
 * service shows in every message that it delayed (leaving those out is known as coordinated
 * omission).
 *
 * Closed-loop (rate 0): as many messages as the window lets through. This finds how much the
 * service can take; latencies would mean little and are not kept.
 *
 * Message n goes to connection n modulo their count and carries n as its id, by which its reply is
 * found. One thread drives everything.
 */
#ifndef LOAD_H
#define LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ws_connection.h"

#define LOAD_MESSAGE_MAX 512

typedef struct load_plan {
    const char *name; /* for progress lines and errors */
    bool is_quiet;    /* no progress lines */
    ws_connection *connections;
    size_t connection_count;

    uint64_t messages; /* how many; 0: until duration_ns is over (closed-loop only) */
    uint64_t rate;     /* messages a second over all connections; 0: closed-loop */
    size_t window;     /* closed-loop: messages of a connection without their reply */
    int64_t duration_ns;

    /* Writes message n, `"id":n` included, at most LOAD_MESSAGE_MAX bytes; returns its length. */
    size_t (*write)(void *context, uint64_t n, char *out);
    void *context;

    /* Where not NULL: every message also causes one event whose text holds this, in the order of
     * the messages, and its delay is measured too. Open-loop only. */
    const char *event_mark;
} load_plan;

typedef struct load_result {
    int64_t *latencies_ns; /* heap, `answered` of them, open-loop only; sorted by load_run */
    int64_t *event_ns;     /* the same for events; NULL without event_mark */
    uint64_t answered;
    uint64_t events;
    uint64_t errors;    /* of them: replies of type error */
    int64_t elapsed_ns; /* closed-loop: from the first message to the last reply */
    char error[256];    /* why load_run failed, or the first reply of type error */
} load_result;

/* Carries the plan out. -1: a connection broke, or nothing came for 10 s; the reason is in error.
 * load_result_free in any case. */
int load_run(const load_plan *plan, load_result *result);
void load_result_free(load_result *result);

/* The value that this share (0.99) of the sorted samples does not exceed. count > 0. */
int64_t load_percentile(const int64_t *sorted, uint64_t count, double share);

/* Nanoseconds of the monotonic clock. */
int64_t load_now(void);

#endif
