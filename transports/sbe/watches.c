/* A hash table of traders with chains; places are stable.
 *
 * Invariants: a watch that is not free is in the bucket of its trader, and the port has been asked
 * for that trader once; `idle` counts those without uses.
 */
#include "watches.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 64u
#define IDLE_MAX 4096u /* beyond that an idle one goes at once */

static uint32_t bucket_of(const sbe_watches *watches, const char *trader_id)
{
    uint64_t hash = 0, part;
    for (size_t i = 0; i < MATCHING_TRADER_MAX; i += sizeof part) {
        memcpy(&part, trader_id + i, sizeof part);
        hash = (hash ^ part) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
    }
    return (uint32_t)hash & (watches->bucket_count - 1);
}

static bool is_of(const sbe_watch *watch, const char *trader_id)
{
    return !watch->is_free && memcmp(watch->trader_id, trader_id, sizeof watch->trader_id) == 0;
}

void sbe_watches_fini(sbe_watches *watches)
{
    free(watches->list);
    free(watches->buckets);
    *watches = (sbe_watches){0};
}

/* Twice the room, and as many buckets. */
static bool grow(sbe_watches *watches)
{
    uint32_t room = watches->room == 0 ? FIRST_ROOM : 2 * watches->room;
    uint32_t *buckets = malloc(room * sizeof *buckets);
    sbe_watch *list = buckets == NULL ? NULL : realloc(watches->list, room * sizeof *watches->list);
    if (list == NULL) {
        free(buckets);
        return false;
    }
    free(watches->buckets);
    watches->first_free = watches->room == 0 ? SBE_NO_WATCH : watches->first_free;
    watches->list = list;
    watches->room = watches->bucket_count = room;
    watches->buckets = buckets;
    memset(buckets, 0xff, room * sizeof *buckets); /* SBE_NO_WATCH */
    for (uint32_t i = 0; i < watches->used; i++) {
        if (!list[i].is_free) {
            uint32_t *bucket = &buckets[bucket_of(watches, list[i].trader_id)];
            list[i].next = *bucket;
            *bucket = i;
        }
    }
    return true;
}

static uint32_t find(const sbe_watches *watches, const char *trader_id)
{
    if (watches->used == 0) {
        return SBE_NO_WATCH;
    }
    if (is_of(&watches->list[watches->last], trader_id)) {
        return watches->last;
    }
    uint32_t at = watches->buckets[bucket_of(watches, trader_id)];
    while (at != SBE_NO_WATCH && !is_of(&watches->list[at], trader_id)) {
        at = watches->list[at].next;
    }
    return at;
}

static uint32_t add(sbe_watches *watches, const char *trader_id)
{
    bool is_full = watches->used == watches->room &&
                   (watches->room == 0 || watches->first_free == SBE_NO_WATCH);
    if (is_full && !grow(watches)) {
        return SBE_NO_WATCH;
    }
    uint32_t at = watches->first_free;
    if (at != SBE_NO_WATCH) {
        watches->first_free = watches->list[at].next;
    } else {
        at = watches->used++;
    }
    uint32_t *bucket = &watches->buckets[bucket_of(watches, trader_id)];
    sbe_watch *watch = &watches->list[at];
    char name[MATCHING_TRADER_MAX + 1] = {0};
    memcpy(name, trader_id, MATCHING_TRADER_MAX);
    *watch = (sbe_watch){.watched = matching_port_follow(watches->port, name), .next = *bucket};
    memcpy(watch->trader_id, trader_id, sizeof watch->trader_id);
    *bucket = at;
    watches->idle++;
    return at;
}

static void drop(sbe_watches *watches, uint32_t at)
{
    sbe_watch *watch = &watches->list[at];
    uint32_t *link = &watches->buckets[bucket_of(watches, watch->trader_id)];
    while (*link != at) {
        link = &watches->list[*link].next;
    }
    *link = watch->next;
    matching_port_unwatch(watches->port, watch->watched);
    watch->is_free = true;
    watch->next = watches->first_free;
    watches->first_free = at;
    watches->idle--;
}

uint32_t sbe_watch_use(sbe_watches *watches, const char *trader_id)
{
    uint32_t at = find(watches, trader_id);
    at = at == SBE_NO_WATCH ? add(watches, trader_id) : at;
    if (at == SBE_NO_WATCH) {
        return at;
    }
    watches->last = at;
    watches->idle -= watches->list[at].uses == 0;
    watches->list[at].uses++;
    return at;
}

void sbe_watch_release(sbe_watches *watches, uint32_t watch)
{
    if (watch == SBE_NO_WATCH || --watches->list[watch].uses > 0) {
        return;
    }
    watches->idle++;
    if (watches->idle > IDLE_MAX) {
        drop(watches, watch);
    }
}

void sbe_watches_second(sbe_watches *watches)
{
    for (uint32_t i = 0; watches->idle > 0 && i < watches->used; i++) {
        if (!watches->list[i].is_free && watches->list[i].uses == 0) {
            drop(watches, i);
        }
    }
}
