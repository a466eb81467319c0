/* The oracle's questions: one order, pages of orders, depth; and the naming of orders. */
#include <stdlib.h>
#include <string.h>

#include "oracle_internal.h"

void oracle_begin(oracle *o, const matching_command *command)
{
    o->command = command;
    memset(&o->reply, 0, sizeof o->reply);
    o->event_count = 0;
    memcpy(o->trader_id, command->trader_id, MATCHING_TRADER_MAX);
    memcpy(o->client_order_id, command->client_order_id, MATCHING_CLIENT_ID_MAX);
}

void oracle_refuse(oracle *o, matching_code code, matching_field field)
{
    o->reply.code = code;
    o->reply.field = field;
}

void oracle_refuse_not_found(oracle *o)
{
    oracle_refuse(o, MATCHING_ORDER_NOT_FOUND,
                  o->command->order_id != 0 ? MATCHING_FIELD_ORDER_ID
                                            : MATCHING_FIELD_CLIENT_ORDER_ID);
}

void oracle_show(oracle *o, const record *r)
{
    o->reply.has_order = true;
    o->reply.order = r->order;
}

void oracle_show_by_id(oracle *o, uint64_t order_id)
{
    for (size_t i = 0; i < o->working_count; i++) {
        if (o->working[i].order.order_id == order_id) {
            oracle_show(o, &o->working[i]);
            return;
        }
    }
    for (size_t i = o->ended_count; i-- > 0;) {
        if (o->ended[i].order.order_id == order_id) {
            oracle_show(o, &o->ended[i]);
            return;
        }
    }
    abort();
}

bool oracle_is_named(const oracle *o, const matching_order *order)
{
    const matching_command *command = o->command;
    if (command->order_id != 0) {
        return order->order_id == command->order_id &&
               (o->trader_id[0] == 0 || strcmp(order->trader_id, o->trader_id) == 0) &&
               (!(command->flags & MATCHING_FLAG_HAS_SYMBOL) ||
                order->instrument == command->instrument);
    }
    return o->client_order_id[0] != 0 && order->instrument == command->instrument &&
           strcmp(order->trader_id, o->trader_id) == 0 &&
           strcmp(order->client_order_id, o->client_order_id) == 0;
}

const oracle_reply *oracle_read_order(oracle *o, const matching_command *command)
{
    oracle_begin(o, command);
    o->reply.may_be_forgotten = false;
    for (size_t i = 0; i < o->working_count; i++) {
        if (oracle_is_named(o, &o->working[i].order)) {
            oracle_show(o, &o->working[i]);
            return &o->reply;
        }
    }
    /* A client id that was used again means the newest of its orders, not the one that ended last:
     * these are the same, as it is free again only when its order has ended. */
    for (size_t i = o->ended_count; i-- > 0;) {
        if (oracle_is_named(o, &o->ended[i].order)) {
            oracle_show(o, &o->ended[i]);
            o->reply.may_be_forgotten = o->ended_count - 1 - i >= o->limits.retained_orders;
            return &o->reply;
        }
    }
    oracle_refuse_not_found(o);
    return &o->reply;
}

static bool is_listed(const oracle *o, const matching_order *order)
{
    const matching_command *command = o->command;
    unsigned wanted = command->status;
    bool status = wanted == MATCHING_STATUS_ANY ||
                  (wanted == MATCHING_STATUS_WORKING ? matching_order_is_working(order)
                                                     : order->status == wanted);
    return status && order->order_id > command->order_id &&
           (o->trader_id[0] == 0 || strcmp(order->trader_id, o->trader_id) == 0) &&
           (o->client_order_id[0] == 0 ||
            strcmp(order->client_order_id, o->client_order_id) == 0) &&
           ((command->flags & MATCHING_FLAG_ALL_SYMBOLS) ||
            order->instrument == command->instrument);
}

static int by_id(const void *a, const void *b)
{
    uint64_t x = ((const matching_order *)a)->order_id, y = ((const matching_order *)b)->order_id;
    return x < y ? -1 : x > y;
}

size_t oracle_orders(oracle *o, const matching_command *command, bool ended, matching_order *orders,
                     size_t capacity)
{
    oracle_begin(o, command);
    const record *records = ended ? o->ended : o->working;
    size_t records_count = ended ? o->ended_count : o->working_count, count = 0;
    size_t first = ended && records_count > o->limits.retained_orders
                       ? records_count - o->limits.retained_orders
                       : 0;
    for (size_t i = first; i < records_count; i++) {
        if (is_listed(o, &records[i].order)) {
            if (count < capacity) {
                orders[count] = records[i].order;
            }
            count++;
        }
    }
    qsort(orders, count < capacity ? count : capacity, sizeof *orders, by_id);
    return count;
}

size_t oracle_depth(const oracle *o, uint16_t instrument, unsigned side, matching_level *levels,
                    size_t capacity)
{
    size_t count = 0;
    for (size_t i = 0; i < o->working_count; i++) {
        const record *r = &o->working[i];
        if (r->order.instrument != instrument || r->order.side != side || !oracle_is_resting(r)) {
            continue;
        }
        size_t at = 0;
        while (at < count && oracle_better(side, levels[at].price_ticks, r->order.price_ticks)) {
            at++;
        }
        if (at == count || levels[at].price_ticks != r->order.price_ticks) {
            if (count == capacity) {
                abort();
            }
            memmove(levels + at + 1, levels + at, (count - at) * sizeof *levels);
            levels[at] = (matching_level){.price_ticks = r->order.price_ticks};
            count++;
        }
        levels[at].total_lots += (matching_wide)r->shown;
        levels[at].orders++;
    }
    return count;
}

uint64_t oracle_next_expiry(const oracle *o)
{
    uint64_t next = 0;
    for (size_t i = 0; i < o->working_count; i++) {
        const matching_order *order = &o->working[i].order;
        if (order->time_in_force == MATCHING_GTD && (next == 0 || order->expire_time_ms < next)) {
            next = order->expire_time_ms;
        }
    }
    return next;
}

size_t oracle_working_count(const oracle *o)
{
    return o->working_count;
}

const matching_order *oracle_working(const oracle *o, size_t index)
{
    return &o->working[index].order;
}

size_t oracle_ended_count(const oracle *o)
{
    return o->ended_count;
}

const matching_order *oracle_ended(const oracle *o, size_t age)
{
    return &o->ended[o->ended_count - 1 - age].order;
}
