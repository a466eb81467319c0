/* journal_bench's part with the whole core: orders go through a port, as from a transport, and are
 * answered once they are safe. */
#ifndef MATCHING_BENCH_JOURNAL_PORT_H
#define MATCHING_BENCH_JOURNAL_PORT_H

#include <stddef.h>
#include <stdint.h>

#include "matching/command.h"

typedef struct port_run {
    const char *data_dir; /* made by the run; NULL: in memory */
    uint64_t rate;        /* orders a second, each at its time; 0: as fast as they are taken */
    uint64_t count;       /* of orders at a rate */
    double seconds;       /* without a rate */
    uint64_t *waits;      /* at a rate: ns from when an order was due until its reply, by number */
    double *a_sync;       /* gets how many orders went into each fdatasync; may be NULL */
} port_run;

/* A limit order as clients enter them; each second one trades with the one before. */
matching_command port_order(uint64_t number);

/* Replies a second. Ends the process with a line on any failure. */
double port_measure(const port_run *run);

#endif
