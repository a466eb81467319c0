/* See gather.h. Bounded: at most MATCHING_REPLY_TRADES_MAX trades, MATCHING_PAGE_MAX orders a part,
 * one id for each order that a mass cancel ended. */
#include "shard/gather.h"

#include <stdlib.h>
#include <string.h>

#include "shard/core_internal.h"

bool gather_needed(const matching_command *command)
{
    return (command->flags & MATCHING_FLAG_COLLECT) || command->type == MATCHING_CANCEL_ALL ||
           command->type > MATCHING_READ_ORDER;
}

/* Bytes of read buffers that one part needs. */
static size_t part_bytes(const matching_command *command)
{
    switch (command->type) {
    case MATCHING_READ_ORDERS:
    case MATCHING_READ_OPEN_ORDERS:
        return command->limit * sizeof(matching_order);
    case MATCHING_READ_DEPTH:
        return 2 * command->limit * sizeof(matching_level);
    case MATCHING_READ_TRADES:
        return command->limit * sizeof(matching_trade);
    default:
        return 0;
    }
}

gather *gather_create(const matching_command *command, unsigned shards)
{
    size_t bytes = part_bytes(command);
    gather *g = calloc(1, sizeof *g + shards * sizeof(gather_part));
    if (g == NULL) {
        return NULL;
    }
    g->command = *command;
    g->part_count = g->parts_left = shards;
    g->bulk = bytes > 0;
    /* Twice the room: the second half takes the merged pages. */
    if (bytes > 0 && (g->memory = malloc(2 * shards * bytes)) == NULL) {
        free(g);
        return NULL;
    }
    for (unsigned i = 0; i < shards; i++) {
        gather_part *part = &g->parts[i];
        part->owner = g;
        char *room = (char *)g->memory + i * bytes;
        part->page.orders = (matching_order *)room;
        part->page.capacity = command->limit;
        part->depth.bids = (matching_level *)room;
        part->depth.asks = (matching_level *)room + command->limit;
        part->trades = (matching_trade *)room;
    }
    g->orders = (matching_order *)((char *)g->memory + shards * bytes);
    return g;
}

void gather_free(gather *g)
{
    free(g->trades);
    free(g->order_ids);
    free(g->memory);
    free(g);
}

/* Room for one more element; false: out of memory. */
static bool grow(void **array, size_t count, size_t *room, size_t element)
{
    if (count < *room) {
        return true;
    }
    size_t wanted = *room == 0 ? 8 : 2 * *room;
    void *bigger = realloc(*array, wanted * element);
    if (bigger == NULL) {
        return false;
    }
    *array = bigger;
    *room = wanted;
    return true;
}

/* PLACE and AMEND: the trades that the order took part in. Its id is known from the reply. */
static void gather_trade(gather *g, const matching_core *core, unsigned shard_number,
                         const matching_event *event)
{
    uint64_t id = g->reply.order.order_id;
    if (!g->reply.has_order ||
        (event->trade.maker_order_id != id && event->trade.taker_order_id != id)) {
        return;
    }
    /* Once one is missing none follows: what a reply has are always the first ones. */
    if (g->reply.trades_truncated || g->trade_count == MATCHING_REPLY_TRADES_MAX ||
        !grow((void **)&g->trades, g->trade_count, &g->trade_room, sizeof *g->trades)) {
        g->reply.trades_truncated = 1;
        return;
    }
    core_trade_of(core, shard_number, event, &g->trades[g->trade_count++]);
}

void gather_event(gather *g, const matching_core *core, unsigned shard_number,
                  const matching_event *event, const matching_order *order)
{
    if (g->command.type == MATCHING_CANCEL_ALL) {
        if (event->kind == MATCHING_EVENT_ORDER && order->status == MATCHING_CANCELLED &&
            order->reason == g->command.reason) {
            if (!grow((void **)&g->order_ids, g->order_id_count, &g->order_id_room,
                      sizeof *g->order_ids)) {
                g->reply.ids_truncated = 1;
                return;
            }
            g->order_ids[g->order_id_count++] = order->order_id;
        }
    } else if (event->kind == MATCHING_EVENT_TRADE) {
        gather_trade(g, core, shard_number, event);
    }
}

void gather_lost(gather *g)
{
    if (g->command.type == MATCHING_CANCEL_ALL) {
        g->reply.ids_truncated = 1;
    } else if (g->command.type < MATCHING_READ_ORDER) {
        g->reply.trades_truncated = 1;
    }
}

static int by_id(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static int by_order_id(const void *a, const void *b)
{
    uint64_t x = ((const matching_order *)a)->order_id, y = ((const matching_order *)b)->order_id;
    return x < y ? -1 : x > y;
}

static void finish_orders(gather *g)
{
    size_t count = 0;
    bool complete = true;
    for (unsigned i = 0; i < g->part_count; i++) {
        const gather_part *part = &g->parts[i];
        memcpy(g->orders + count, part->page.orders, part->page.count * sizeof *g->orders);
        count += part->page.count;
        complete = complete && (g->command.type == MATCHING_READ_OPEN_ORDERS ? part->complete
                                                                             : !part->page.more);
    }
    if (g->part_count > 1) {
        qsort(g->orders, count, sizeof *g->orders, by_order_id);
    }
    g->reply.orders = g->orders;
    g->reply.order_count = count < g->command.limit ? count : g->command.limit;
    g->reply.orders_complete = complete && count <= g->command.limit;
}

void gather_finish(gather *g)
{
    matching_reply *reply = &g->reply;
    switch (g->command.type) {
    case MATCHING_READ_ORDERS:
    case MATCHING_READ_OPEN_ORDERS:
        finish_orders(g);
        break;
    case MATCHING_READ_DEPTH:
        reply->depth = &g->parts[0].depth;
        break;
    case MATCHING_READ_TRADES:
        reply->trades = g->parts[0].trades;
        reply->trade_count = g->parts[0].trade_count;
        break;
    case MATCHING_CANCEL_ALL:
        if (g->order_id_count > 1) {
            qsort(g->order_ids, g->order_id_count, sizeof *g->order_ids, by_id);
        }
        reply->order_ids = g->order_ids;
        reply->order_id_count = g->order_id_count;
        break;
    default:
        reply->trades = g->trades;
        reply->trade_count = g->trade_count;
    }
}
