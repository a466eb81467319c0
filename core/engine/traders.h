/* Traders: their names, their working orders, their client order ids.
 *
 * Invariants: a trader's blocks hold exactly its orders that rest or wait, oldest first, `place` of
 * an order says where; a block without any is free; the client table leads from (trader,
 * instrument, client id) to the newest known order of that key, working or ended.
 */
#ifndef MATCHING_ENGINE_TRADERS_H
#define MATCHING_ENGINE_TRADERS_H

#include "engine/engine_internal.h"

uint32_t trader_find(const matching_engine *engine, const char name[MATCHING_TRADER_MAX]);
uint32_t trader_intern(matching_engine *engine, const char name[MATCHING_TRADER_MAX]);
uint32_t trader_add_block(matching_engine *engine, trader_record *trader);
void trader_free_block(matching_engine *engine, trader_record *trader, uint32_t at);
uint32_t client_find(const matching_engine *engine, uint32_t trader, uint16_t instrument,
                     const char client_order_id[CLIENT_ID_BYTES]);
void client_insert(matching_engine *engine, uint32_t slot);
void client_remove(matching_engine *engine, uint32_t slot);

static inline uint64_t word_at(const char *text, size_t index)
{
    uint64_t word;
    memcpy(&word, text + 8 * index, 8);
    return word;
}

static inline bool trader_has_name(const trader_record *trader,
                                   const char name[MATCHING_TRADER_MAX])
{
    return ((word_at(trader->name, 0) ^ word_at(name, 0)) |
            (word_at(trader->name, 1) ^ word_at(name, 1)) |
            (word_at(trader->name, 2) ^ word_at(name, 2)) |
            (word_at(trader->name, 3) ^ word_at(name, 3))) == 0;
}

/* The number of the command's trader; 0: not known. The number that the port remembered is mostly
 * right, and looking at its name is cheaper than looking the name up. */
static inline uint32_t trader_of(const matching_engine *engine, const matching_command *command)
{
    uint32_t hint = command->trader_hint;
    return likely(hint != 0 && hint <= engine->trader_count &&
                  trader_has_name(&engine->traders[hint], command->trader_id))
               ? hint
               : trader_find(engine, command->trader_id);
}

/* The slot's order becomes the newest of a trader's. Returns its place. */
static inline uint32_t trader_add(matching_engine *engine, uint32_t number, uint32_t slot)
{
    trader_record *trader = &engine->traders[number];
    uint32_t at = trader->last;
    if (unlikely(at == 0 || engine->blocks[at].filled == BLOCK_ORDERS)) {
        at = trader_add_block(engine, trader);
    }
    order_block *block = &engine->blocks[at];
    uint32_t position = block->filled++;
    block->slots[position] = slot;
    block->live++;
    return at << BLOCK_BITS | position;
}

static inline void trader_link(matching_engine *engine, order_record *order, uint32_t slot)
{
    order->place = trader_add(engine, order->trader, slot);
}

static inline void trader_unlink(matching_engine *engine, order_record *order, uint32_t slot)
{
    uint32_t at = order->place >> BLOCK_BITS, position = order->place & ((1u << BLOCK_BITS) - 1);
    order_block *block = &engine->blocks[at];
    engine_assert(position < BLOCK_ORDERS && block->slots[position] == slot);
    block->slots[position] = 0;
    block->filled = (uint16_t)(block->filled - (position + 1u == block->filled));
    order->place = 0;
    if (unlikely(--block->live == 0)) {
        trader_free_block(engine, &engine->traders[order->trader], at);
    }
}

#endif
