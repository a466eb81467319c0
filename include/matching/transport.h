/* A transport (a door): bytes of one protocol to requests, replies and events back to bytes.
 *
 * One folder, one ops struct. cmd/ owns the list of transports and calls the ops, all on the main
 * thread; the transport runs its own event loop on its own thread between start and stop. No
 * globals: everything hangs off `state`.
 */
#ifndef MATCHING_TRANSPORT_H
#define MATCHING_TRANSPORT_H

#include <stddef.h>

#include "matching/access.h"
#include "matching/config.h"
#include "matching/core.h"
#include "matching/counters.h"
#include "matching/port.h"

typedef struct matching_transport matching_transport;

typedef struct matching_transport_ops {
    const char *name; /* the subcommand: "websocket", "http", "jsonrpc" */

    /* Allocates the state and creates the port; opens nothing. May block. 0, or a negative errno
     * with the reason in transport->error; fini is called after a failure too. */
    int (*init)(matching_transport *transport);

    /* Binds, fills in transport->address, starts the loop's thread. Returns once connections are
     * accepted. 0, or a negative errno with a reason that names the address and what to do. */
    int (*start)(matching_transport *transport);

    /* Stops accepting, answers what was accepted (waiting for its replies, at most
     * MATCHING_STOP_DEADLINE_MS), flushes, closes, joins the thread. May block that long. Called
     * while the core still runs. */
    void (*stop)(matching_transport *transport);

    /* Frees the state. After stop, or after a failed init or start. */
    void (*fini)(matching_transport *transport);
} matching_transport_ops;

#define MATCHING_STOP_DEADLINE_MS 10000

struct matching_transport {
    const matching_transport_ops *ops;
    const matching_config *config; /* outlives the transport */
    const matching_access *access; /* this door's rules; outlives the transport */
    matching_core *core;           /* outlives the transport */
    matching_counters *counters;   /* outlives the transport; NULL: nobody looks at them */
    void *state;                   /* the transport's own */
    char address[80];              /* "127.0.0.1:9090", set by start */
    char error[256];               /* set by a failing init or start */
};

#endif
