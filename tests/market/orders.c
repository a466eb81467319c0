/* See orders.h. Open addressing, never more than half full. */
#include "market/orders.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void orders_init(known_orders *orders, size_t most)
{
    size_t places = 1024;
    while (places < 2 * most) {
        places *= 2;
    }
    orders->places = calloc(places, sizeof *orders->places);
    if (orders->places == NULL) {
        abort();
    }
    orders->mask = places - 1;
    orders->count = 0;
}

void orders_free(known_orders *orders)
{
    free(orders->places);
    orders->places = NULL;
}

static known_order *place_of(const known_orders *orders, const char *id)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (const char *c = id; *c != '\0'; c++) {
        hash = (hash ^ (unsigned char)*c) * 0x100000001b3u;
    }
    size_t at = (size_t)(hash ^ hash >> 32) & orders->mask;
    while (orders->places[at].id[0] != '\0' && strcmp(orders->places[at].id, id) != 0) {
        at = (at + 1) & orders->mask;
    }
    return &orders->places[at];
}

known_order *orders_add(known_orders *orders, const char *id)
{
    known_order *order = place_of(orders, id);
    if (order->id[0] == '\0' && orders->count <= orders->mask / 2) {
        orders->count++;
    } else if (order->id[0] == '\0' || order->remaining > 0) {
        return NULL;
    }
    *order = (known_order){.remaining = 0};
    snprintf(order->id, sizeof order->id, "%s", id);
    return order;
}

known_order *orders_find(const known_orders *orders, const char *id)
{
    known_order *order = place_of(orders, id);
    return order->id[0] != '\0' ? order : NULL;
}

static int ascending(const void *a, const void *b)
{
    int64_t x = ((const known_level *)a)->price, y = ((const known_level *)b)->price;
    return x < y ? -1 : x > y;
}

static int descending(const void *a, const void *b)
{
    return ascending(b, a);
}

known_level *orders_levels(const known_orders *orders, char side, size_t most, size_t *count)
{
    known_level *levels = malloc((orders->count + 1) * sizeof *levels);
    size_t found = 0, kept = 0;
    if (levels == NULL) {
        abort();
    }
    for (size_t i = 0; i <= orders->mask; i++) {
        const known_order *order = &orders->places[i];
        if (order->id[0] != '\0' && order->side == side && order->remaining > 0) {
            levels[found++] = (known_level){order->price, order->remaining};
        }
    }
    qsort(levels, found, sizeof *levels, side == 'B' ? descending : ascending);
    for (size_t i = 0; i < found; i++) {
        if (kept > 0 && levels[kept - 1].price == levels[i].price) {
            levels[kept - 1].quantity += levels[i].quantity;
        } else {
            levels[kept++] = levels[i];
        }
    }
    *count = kept < most ? kept : most;
    return levels;
}
