/* See gather.h. Bounded: at most MATCHING_REPLY_TRADES_MAX trades, MATCHING_PAGE_MAX orders a
 * part, one id for each order that a mass cancel ended. Memory is taken and given back on the
 * port's thread alone. */
#include "shard/gather.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "market/trade_candles.h"
#include "shard/core_internal.h"

#define SPARES_MAX 256u /* of 1.5 KiB */

bool gather_needed(const matching_command *command)
{
    bool may_trade = command->type == MATCHING_PLACE || command->type == MATCHING_AMEND;
    return (may_trade && (command->flags & MATCHING_FLAG_COLLECT)) ||
           command->type == MATCHING_CANCEL_ALL || command->type > MATCHING_READ_ORDER;
}

static size_t candle_room(const matching_command *command)
{
    return command->limit > MATCHING_INTERVALS ? command->limit : MATCHING_INTERVALS;
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
    case MATCHING_READ_CANDLES: /* and the trades that they are made of where there is no store */
        return candle_room(command) * sizeof(matching_candle) +
               MATCHING_PAGE_MAX * sizeof(matching_trade);
    default:
        return 0;
    }
}

bool gather_is_bulk(const matching_command *command)
{
    return part_bytes(command) > 0;
}

/* All zero, but for what takes the trades of one that was used before; NULL: out of memory. */
static gather *take(gather_spares *spares, unsigned shards)
{
    gather *g = shards == 1 ? spares->first : NULL;
    if (g == NULL) {
        return calloc(1, sizeof *g + shards * sizeof(gather_part));
    }
    spares->first = g->next;
    spares->count--;
    memset(g, 0, sizeof *g + offsetof(gather_part, first_trades));
    return g;
}

gather *gather_create(gather_spares *spares, const matching_command *command, unsigned shards)
{
    size_t bytes = part_bytes(command);
    gather *g = take(spares, shards);
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
        part->trades = part->first_trades;
        if (bytes > 0) {
            void *room = (char *)g->memory + i * bytes;
            part->page.orders = room;
            part->page.capacity = command->limit;
            part->depth.bids = room;
            part->depth.asks = part->depth.bids + command->limit;
            part->trades = room;
            part->candles = room;
        }
        if (command->type == MATCHING_READ_CANDLES) {
            part->trades = (matching_trade *)(part->candles + candle_room(command));
        }
    }
    if (bytes > 0) {
        void *merged = (char *)g->memory + shards * bytes;
        g->orders = merged;
    }
    return g;
}

void gather_free(gather_spares *spares, gather *g)
{
    for (unsigned i = 0; i < g->part_count; i++) {
        gather_part *part = &g->parts[i];
        if (!g->bulk && part->trades != part->first_trades) {
            free(part->trades);
        }
        free(part->order_ids);
    }
    free(g->order_ids);
    free(g->memory);
    free(g->read.page);
    if (g->part_count > 1 || spares->count == SPARES_MAX) {
        free(g);
        return;
    }
    g->next = spares->first;
    spares->first = g;
    spares->count++;
}

void gather_spares_fini(gather_spares *spares)
{
    while (spares->first != NULL) {
        gather *g = spares->first;
        spares->first = g->next;
        free(g);
    }
    spares->count = 0;
}

uint64_t gather_extras_most(const matching_command *command, uint64_t max_orders)
{
    if (command->payload == NULL) {
        return 0;
    }
    switch (command->type) {
    case MATCHING_PLACE:
    case MATCHING_AMEND:
        return MATCHING_REPLY_TRADES_MAX;
    case MATCHING_CANCEL_ALL:
        return max_orders / EXTRA_IDS + 1;
    default:
        return 0;
    }
}

/* The next slot; NULL: none is free, which happens only to a port that takes no replies any
 * more. */
static shard_extra *next_extra(gather_part *part, ring *extras)
{
    shard_extra *extra = ring_slot(extras);
    if (extra == NULL) {
        part->truncated = true;
        return NULL;
    }
    ring_advance(extras);
    part->extras++;
    return extra;
}

static void add_id(gather_part *part, ring *extras, uint64_t order_id)
{
    size_t at = part->order_id_count % EXTRA_IDS;
    shard_extra *extra =
        at == 0 ? next_extra(part, extras) : (shard_extra *)ring_at(extras, extras->write - 1);
    if (extra != NULL && !part->truncated) {
        extra->order_ids[at] = order_id;
        part->order_id_count++;
    }
}

static void add_trade(gather_part *part, ring *extras, const matching_event *event)
{
    if (part->trade_count == MATCHING_REPLY_TRADES_MAX) {
        part->truncated = true;
        return;
    }
    shard_extra *extra = next_extra(part, extras);
    if (extra != NULL) {
        extra->trade = *event;
        part->trade_count++;
    }
}

void gather_event(gather_part *part, const matching_command *command, const matching_reply *reply,
                  ring *extras, const matching_event *event, const matching_order *order)
{
    uint64_t id = reply->order.order_id;
    switch (command->type) {
    case MATCHING_CANCEL_ALL:
        if (order != NULL && order->status == MATCHING_CANCELLED &&
            order->reason == command->reason) {
            add_id(part, extras, order->order_id);
        }
        break;
    case MATCHING_PLACE:
    case MATCHING_AMEND:
        if (event->kind == MATCHING_EVENT_TRADE &&
            (event->trade.maker_order_id == id || event->trade.taker_order_id == id)) {
            add_trade(part, extras, event);
        }
        break;
    default:
        break;
    }
}

/* Memory for what the part brings; without it the reply is cut short. */
static bool take_memory(gather_part *part)
{
    if (part->order_id_count > 0) {
        part->order_ids = malloc(part->order_id_count * sizeof *part->order_ids);
        return part->order_ids != NULL;
    }
    if (part->trade_count > GATHER_TRADES_INLINE) {
        matching_trade *trades = malloc(part->trade_count * sizeof *trades);
        part->trades = trades != NULL ? trades : part->first_trades;
        return trades != NULL;
    }
    return true;
}

void gather_take_extras(gather_part *part, const matching_core *core, unsigned number, ring *extras)
{
    if (!take_memory(part)) {
        part->truncated = true;
        part->order_id_count = 0;
        part->trade_count =
            part->trade_count > 0 ? GATHER_TRADES_INLINE : 0; /* the first fit all the same */
    }
    for (size_t i = 0; i < part->trade_count; i++) {
        const shard_extra *extra = ring_at(extras, extras->read + i);
        books_trade_of(&core->shards[number].books, &extra->trade, &part->trades[i]);
    }
    for (size_t i = 0; i < part->order_id_count; i++) {
        const shard_extra *extra = ring_at(extras, extras->read + i / EXTRA_IDS);
        part->order_ids[i] = extra->order_ids[i % EXTRA_IDS];
    }
    extras->read += part->extras;
    ring_release(extras);
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
        complete = complete && part->page.done && !part->page.more;
    }
    if (g->part_count > 1) {
        qsort(g->orders, count, sizeof *g->orders, by_order_id);
    }
    g->reply.orders = g->orders;
    g->reply.orders_until = g->parts[0].page.after;
    g->reply.order_count = count < g->command.limit ? count : g->command.limit;
    g->reply.orders_complete = complete && count <= g->command.limit;
}

static void finish_ids(gather *g)
{
    size_t count = 0, at = 0;
    for (unsigned i = 0; i < g->part_count; i++) {
        count += g->parts[i].order_id_count;
        g->reply.ids_truncated |= g->parts[i].truncated;
    }
    g->order_ids = malloc((count + 1) * sizeof *g->order_ids);
    if (g->order_ids == NULL) {
        g->reply.ids_truncated = 1;
        return;
    }
    for (unsigned i = 0; i < g->part_count; i++) {
        const gather_part *part = &g->parts[i];
        if (part->order_id_count > 0) {
            memcpy(g->order_ids + at, part->order_ids, part->order_id_count * sizeof *g->order_ids);
            at += part->order_id_count;
        }
    }
    qsort(g->order_ids, count, sizeof *g->order_ids, by_id);
    g->reply.order_ids = g->order_ids;
    g->reply.order_id_count = count;
}

void gather_finish(gather *g)
{
    matching_reply *reply = &g->reply;
    const gather_part *first = &g->parts[0];
    switch (g->command.type) {
    case MATCHING_READ_ORDERS:
    case MATCHING_READ_OPEN_ORDERS:
        finish_orders(g);
        break;
    case MATCHING_READ_DEPTH:
        reply->depth = &first->depth;
        break;
    case MATCHING_READ_TICKER:
        reply->ticker = &first->ticker;
        break;
    case MATCHING_CANCEL_ALL:
        finish_ids(g);
        break;
    case MATCHING_READ_CANDLES:
        break;
    default: /* READ_TRADES, and the trades of PLACE and AMEND */
        reply->trades = first->trades;
        reply->trade_count = first->trade_count;
        reply->trades_truncated = first->truncated;
    }
}

/* Could ended orders be among what is asked for? */
static bool wants_ended(const matching_command *command)
{
    return command->status == MATCHING_STATUS_ANY || command->status == MATCHING_FILLED ||
           command->status == MATCHING_CANCELLED;
}

bool gather_wants_history(const gather *g)
{
    const matching_command *command = &g->command;
    bool complete = true;
    if (command->type == MATCHING_READ_CANDLES) {
        return g->reply.code == MATCHING_OK;
    }
    if (command->source != MATCHING_SOURCE_ANY) {
        return false;
    }
    for (unsigned i = 0; i < g->part_count; i++) {
        complete = complete && g->parts[i].complete;
    }
    switch (command->type) {
    case MATCHING_READ_ORDER:
        return g->reply.code == MATCHING_ORDER_NOT_FOUND && !complete;
    case MATCHING_READ_ORDERS:
        return g->reply.code == MATCHING_OK && !complete && wants_ended(command);
    case MATCHING_READ_TRADES:
        return g->reply.code == MATCHING_OK && !complete;
    default:
        return false;
    }
}

void gather_make_candles(gather *g)
{
    const matching_command *command = &g->command;
    gather_part *part = &g->parts[0];
    matching_reply *reply = &g->reply;
    const trade_candles_query query = {.interval = (matching_interval)command->interval,
                                       .from_s = command->from_s,
                                       .to_s = command->to_s,
                                       .limit = command->limit};
    reply->candles = part->candles;
    reply->candle_count = trade_candles_make(part->trades, part->trade_count, reply->time_ns,
                                             &query, part->candles, &reply->candles_more);
}

void gather_refuse(gather *g, unsigned trouble)
{
    matching_reply *reply = &g->reply;
    reply->code = MATCHING_INTERNAL_ERROR;
    reply->field = 0;
    reply->has_order = 0;
    reply->trade_count = reply->order_count = reply->candle_count = 0;
    reply->orders_complete = false;
    reply->history = (uint8_t)trouble;
}
