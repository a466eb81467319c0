/* Who wants to hear of whose orders: counts that all ports share and every shard looks at. A count
 * that was raised before a command was submitted is seen by the shard that applies it, since it
 * goes through the ring after it. */
#include <string.h>

#include "shard/core_internal.h"

/* What watch and follow return: a bucket, everybody, or a bucket of those who are followed. */
#define EVERYBODY MATCHING_WATCH_BUCKETS
#define FOLLOWED (MATCHING_WATCH_BUCKETS + 1)

static uint32_t bucket_of(const char *trader_id)
{
    char name[MATCHING_TRADER_MAX] = {0};
    memcpy(name, trader_id, strnlen(trader_id, sizeof name));
    return matching_watch_bucket(name);
}

static _Atomic uint32_t *count_of(matching_watch *watch, uint32_t watched)
{
    return watched == EVERYBODY ? &watch->everybody : &watch->buckets[watched];
}

uint32_t matching_port_watch(matching_port *port, const char *trader_id)
{
    matching_watch *watch = &port_core(port)->watch;
    uint32_t watched = trader_id == NULL ? EVERYBODY : bucket_of(trader_id);
    atomic_fetch_add(count_of(watch, watched), 1);
    atomic_fetch_add(&watch->watchers, 1);
    return watched;
}

uint32_t matching_port_follow(matching_port *port, const char *trader_id)
{
    uint32_t bucket = bucket_of(trader_id);
    matching_watch *watch = &port_core(port)->watch;
    atomic_fetch_add(&watch->followers[bucket], 1);
    atomic_fetch_add(&watch->following, 1);
    return FOLLOWED + bucket;
}

void matching_port_unwatch(matching_port *port, uint32_t watched)
{
    matching_watch *watch = &port_core(port)->watch;
    if (watched >= FOLLOWED) {
        atomic_fetch_sub(&watch->following, 1);
        atomic_fetch_sub(&watch->followers[watched - FOLLOWED], 1);
        return;
    }
    atomic_fetch_sub(&watch->watchers, 1);
    atomic_fetch_sub(count_of(watch, watched), 1);
}
