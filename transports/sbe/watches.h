/* Whose CHANGE events this door asks for: the traders with working orders that came in here.
 *
 * To ask a port costs as much as the rest of an order, so a trader who is asked for once stays so
 * for a while after the last of its orders.
 */
#ifndef MATCHING_SBE_WATCHES_H
#define MATCHING_SBE_WATCHES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "matching/port.h"

#define SBE_NO_WATCH UINT32_MAX

typedef struct sbe_watch {
    char trader_id[MATCHING_TRADER_MAX]; /* zero-padded */
    uint32_t watched;                    /* what the port said */
    uint32_t uses;                       /* orders; 0: idle */
    uint32_t next;                       /* in its bucket or the free list, SBE_NO_WATCH: none */
    bool is_free;
} sbe_watch;

/* All zeros but the port: empty. */
typedef struct sbe_watches {
    matching_port *port;
    sbe_watch *list;
    uint32_t room, used, first_free;
    uint32_t *buckets;
    uint32_t bucket_count; /* a power of two */
    uint32_t last;         /* the trader asked for last */
    size_t idle;
} sbe_watches;

void sbe_watches_fini(sbe_watches *watches);

/* A trader's (32 bytes, zero-padded) events come from now on; one more order uses that.
 * SBE_NO_WATCH: out of memory. */
uint32_t sbe_watch_use(sbe_watches *watches, const char *trader_id);

/* One order less; SBE_NO_WATCH is passed over. */
void sbe_watch_release(sbe_watches *watches, uint32_t watch);

/* Once a second: nobody is asked for in vain. */
void sbe_watches_second(sbe_watches *watches);

#endif
