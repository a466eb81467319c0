/* Who wants to hear of whose orders: counts that all ports share and every shard looks at. A count
 * that was raised before a command was submitted is seen by the shard that applies it, since it
 * goes through the ring after it. */
#include <string.h>

#include "shard/core_internal.h"

#define EVERYBODY MATCHING_WATCH_BUCKETS

static _Atomic uint32_t *count_of(matching_watch *watch, uint32_t watched)
{
    return watched == EVERYBODY ? &watch->everybody : &watch->buckets[watched];
}

uint32_t matching_port_watch(matching_port *port, const char *trader_id)
{
    matching_watch *watch = &port_core(port)->watch;
    uint32_t watched = EVERYBODY;
    if (trader_id != NULL) {
        char name[MATCHING_TRADER_MAX] = {0};
        memcpy(name, trader_id, strnlen(trader_id, sizeof name));
        watched = matching_watch_bucket(name);
    }
    atomic_fetch_add(count_of(watch, watched), 1);
    atomic_fetch_add(&watch->watchers, 1);
    return watched;
}

void matching_port_unwatch(matching_port *port, uint32_t watched)
{
    matching_watch *watch = &port_core(port)->watch;
    atomic_fetch_sub(&watch->watchers, 1);
    atomic_fetch_sub(count_of(watch, watched), 1);
}
