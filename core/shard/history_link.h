/* What the core knows of a history that is attached to it; core/history is what there is. So the
 * core itself needs no store, and whoever wants none links none.
 *
 * Functions are for any thread and wait for nothing unless said otherwise.
 */
#ifndef MATCHING_HISTORY_LINK_H
#define MATCHING_HISTORY_LINK_H

#include "matching/history.h"

typedef struct history_link history_link;

/* A read that memory could not answer in full; part of its gather (gather.h), which has the
 * command, what memory had, and where the answer goes. From history_link.read on until
 * port_finish_read it is the history's. */
typedef struct history_read {
    struct history_read *next; /* in one list at a time */
    matching_port *port;
    struct gather *gather;
    uint64_t deadline_ns; /* monotonic: the store is not waited for any longer */
    matching_order *page; /* ended orders that were found so far; heap */
    size_t found;
    uint64_t after; /* where the next step goes on */
} history_read;

struct history_link {
    matching_history_progress (*progress)(const history_link *link, unsigned number);
    const char *(*warning)(const history_link *link);

    /* Takes the read and answers it by port_finish_read, soon, on another thread or in here. */
    void (*read)(const history_link *link, history_read *read);

    /* A shard has something new that is durable. The flusher's thread. */
    void (*note_safe)(const history_link *link);

    /* The last command of the shard that is stored for good: the journal from there on must stay,
     * and a snapshot of it or of an earlier one. UINT64_MAX: it is not needed. The snapshot
     * worker's thread; reads a folder. */
    uint64_t (*needed)(const history_link *link, unsigned number);

    /* Main thread, with the threads of shards, flushers and snapshots ended; nothing is called
     * after it. Stores what little is left, and waits for its threads. */
    void (*stop)(const history_link *link);
};

/* The read is answered, in its gather: hands it to its port's thread. Any thread. */
void port_finish_read(history_read *read);

#endif
