/* Order slots, trader ids and client order ids.
 *
 * Invariants: order number n lives in slot n & slot_mask or nowhere; a working order's slot is never
 * taken; the trader's list holds exactly its working orders, oldest first; the client table leads from
 * (trader, instrument, client id) to the newest known order of that key, working or ended.
 * Not here: prices and queues (book.c), outcomes (place.c, change.c).
 */
#include "engine/engine_internal.h"

uint32_t order_find(const matching_engine *engine, uint64_t order_id)
{
    uint32_t slot = (uint32_t)(slot_number(engine, order_id) & engine->slot_mask);
    return order_id != 0 && engine->orders[slot].order_id == order_id ? slot : NO_SLOT;
}

/* A slot for a new order, its id set and all else zero. There always is one: slots outnumber
 * working and retained orders. */
uint32_t order_allocate(matching_engine *engine)
{
    for (uint64_t tries = 0; tries <= engine->slot_mask; tries++) {
        uint64_t n = ++engine->last_number;
        uint32_t slot = (uint32_t)(n & engine->slot_mask);
        order_record *order = &engine->orders[slot];
        if (order->order_id != 0) {
            if (record_is_working(order) || engine->ended_count - engine->extras[slot].end_mark <=
                                                engine->limits.retained_orders) {
                continue;
            }
            if (order->flags & ORDER_HAS_CLIENT_ID) {
                client_remove(engine, slot);
            }
        }
        memset(order, 0, sizeof *order);
        memset(&engine->extras[slot], 0, sizeof engine->extras[slot]);
        order->order_id = n << engine->limits.shard_bits | engine->limits.shard;
        order->prev = order->next = NO_SLOT;
        return slot;
    }
    matching_engine_panic(__FILE__, __LINE__, "no free order slot");
}

void trader_link(matching_engine *engine, uint32_t slot)
{
    order_extra *extra = &engine->extras[slot];
    trader_record *trader = &engine->traders[engine->orders[slot].trader];
    extra->trader_prev = trader->last;
    extra->trader_next = NO_SLOT;
    if (trader->last == NO_SLOT) {
        trader->first = slot;
    } else {
        engine->extras[trader->last].trader_next = slot;
    }
    trader->last = slot;
}

static void trader_unlink(matching_engine *engine, uint32_t slot)
{
    const order_extra *extra = &engine->extras[slot];
    trader_record *trader = &engine->traders[engine->orders[slot].trader];
    if (extra->trader_prev == NO_SLOT) {
        trader->first = extra->trader_next;
    } else {
        engine->extras[extra->trader_prev].trader_next = extra->trader_next;
    }
    if (extra->trader_next == NO_SLOT) {
        trader->last = extra->trader_prev;
    } else {
        engine->extras[extra->trader_next].trader_prev = extra->trader_prev;
    }
}

/* A working order, in no queue any more, ends. */
void order_end(apply_context *context, uint32_t slot, matching_status status,
               matching_reason reason)
{
    matching_engine *engine = context->engine;
    order_record *order = &engine->orders[slot];
    engine_assert(record_is_working(order) && order->level == 0);
    trader_unlink(engine, slot);
    if (engine->extras[slot].expiry_at != 0) {
        expiry_remove(engine, slot);
    }
    order->status = (uint8_t)status;
    order->reason = (uint8_t)reason;
    engine->extras[slot].updated_ns = context->command->time_ns;
    engine->extras[slot].end_mark = engine->ended_count++;
    engine->working_count--;
}

void order_copy(const matching_engine *engine, uint32_t slot, matching_order *out)
{
    const order_record *order = &engine->orders[slot];
    const order_extra *extra = &engine->extras[slot];
    out->order_id = order->order_id;
    out->price_ticks = order->price_ticks;
    out->stop_price_ticks = extra->stop_price_ticks;
    out->quantity_lots = order->quantity_lots;
    out->display_lots = extra->display_lots;
    out->filled_lots = order->quantity_lots - order->remaining_lots;
    out->notional = extra->notional;
    out->created_ns = extra->created_ns;
    out->updated_ns = extra->updated_ns;
    out->expire_time_ms = extra->expire_time_ms;
    out->instrument = order->instrument;
    out->side = order->side;
    out->type = order->type;
    out->time_in_force = order->time_in_force;
    out->status = order->status;
    out->reason = order->reason;
    out->self_trade = (uint8_t)record_self_trade(order);
    out->post_only = order->flags & ORDER_POST_ONLY ? 1 : 0;
    memcpy(out->trader_id, engine->traders[order->trader].name, sizeof out->trader_id);
    memcpy(out->client_order_id, extra->client_order_id, sizeof out->client_order_id);
}

/* The order that a command names, working or ended; NO_SLOT if there is none or it is another's. */
uint32_t order_locate(const matching_engine *engine, const matching_command *command)
{
    if (command->order_id == 0) {
        uint32_t trader = trader_find(engine, command->trader_id);
        return trader == 0
                   ? NO_SLOT
                   : client_find(engine, trader, command->instrument, command->client_order_id);
    }
    uint32_t slot = order_find(engine, command->order_id);
    if (slot == NO_SLOT) {
        return NO_SLOT;
    }
    const order_record *order = &engine->orders[slot];
    if (command->trader_id[0] != 0 && trader_find(engine, command->trader_id) != order->trader) {
        return NO_SLOT;
    }
    if ((command->flags & MATCHING_FLAG_HAS_SYMBOL) && order->instrument != command->instrument) {
        return NO_SLOT;
    }
    return slot;
}

static uint64_t hash_words(const char *text, size_t words, uint64_t hash)
{
    for (size_t i = 0; i < words; i++) {
        uint64_t word;
        memcpy(&word, text + 8 * i, 8);
        hash = mix64(hash ^ word);
    }
    return hash;
}

/* Where a name is in the trader table, or the free place where it would go. */
static uint64_t trader_place(const matching_engine *engine, const char name[MATCHING_TRADER_MAX])
{
    uint64_t at = hash_words(name, MATCHING_TRADER_MAX / 8, 0) & engine->trader_mask;
    while (engine->trader_table[at] != 0 &&
           memcmp(engine->traders[engine->trader_table[at]].name, name, MATCHING_TRADER_MAX) != 0) {
        at = (at + 1) & engine->trader_mask;
    }
    return at;
}

/* 0: not known. */
uint32_t trader_find(const matching_engine *engine, const char name[MATCHING_TRADER_MAX])
{
    return engine->trader_table[trader_place(engine, name)];
}

/* The caller has seen that the trader is known or that there is room. */
uint32_t trader_intern(matching_engine *engine, const char name[MATCHING_TRADER_MAX])
{
    uint64_t at = trader_place(engine, name);
    if (engine->trader_table[at] == 0) {
        engine_assert(engine->trader_count < engine->limits.max_traders);
        uint32_t trader = ++engine->trader_count;
        trader_record *record = &engine->traders[trader];
        memcpy(record->name, name, MATCHING_TRADER_MAX);
        record->name[MATCHING_TRADER_MAX] = 0;
        record->first = record->last = NO_SLOT;
        engine->trader_table[at] = trader;
    }
    return engine->trader_table[at];
}

static uint64_t client_hash(uint32_t trader, uint16_t instrument, const char client_order_id[40])
{
    return hash_words(client_order_id, 5, (uint64_t)trader << 16 | instrument);
}

/* Where a key is in the client table, or the free place where it would go. */
static uint64_t client_place(const matching_engine *engine, uint32_t trader, uint16_t instrument,
                             const char client_order_id[40])
{
    uint64_t at = client_hash(trader, instrument, client_order_id) & engine->client_mask;
    for (; engine->client_table[at] != 0; at = (at + 1) & engine->client_mask) {
        uint32_t slot = engine->client_table[at] - 1;
        const order_record *order = &engine->orders[slot];
        if (order->trader == trader && order->instrument == instrument &&
            memcmp(engine->extras[slot].client_order_id, client_order_id, 40) == 0) {
            break;
        }
    }
    return at;
}

uint32_t client_find(const matching_engine *engine, uint32_t trader, uint16_t instrument,
                     const char client_order_id[40])
{
    uint32_t entry =
        engine->client_table[client_place(engine, trader, instrument, client_order_id)];
    return entry == 0 ? NO_SLOT : entry - 1;
}

static uint64_t client_place_of(const matching_engine *engine, uint32_t slot)
{
    const order_record *order = &engine->orders[slot];
    return client_place(engine, order->trader, order->instrument,
                        engine->extras[slot].client_order_id);
}

/* The order becomes the one that its key leads to. */
void client_insert(matching_engine *engine, uint32_t slot)
{
    engine->client_table[client_place_of(engine, slot)] = slot + 1;
}

/* Forgets the order's key, unless a newer order has it. Later entries of the run move up, so that
 * no look-up ever meets a gap. */
void client_remove(matching_engine *engine, uint32_t slot)
{
    uint64_t gap = client_place_of(engine, slot);
    if (engine->client_table[gap] != slot + 1) {
        return;
    }
    engine->client_table[gap] = 0;
    for (uint64_t at = (gap + 1) & engine->client_mask; engine->client_table[at] != 0;
         at = (at + 1) & engine->client_mask) {
        uint32_t other = engine->client_table[at] - 1;
        const order_record *order = &engine->orders[other];
        uint64_t home =
            client_hash(order->trader, order->instrument, engine->extras[other].client_order_id) &
            engine->client_mask;
        if (((at - home) & engine->client_mask) >= ((at - gap) & engine->client_mask)) {
            engine->client_table[gap] = other + 1;
            engine->client_table[at] = 0;
            gap = at;
        }
    }
}
