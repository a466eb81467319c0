/* Traders: their names, their working orders, their client order ids.
 *
 * Invariants: a trader's list holds exactly its orders that rest or wait, oldest first, between
 * the two ends of the entry that stands for the trader; the client table leads from (trader,
 * instrument, client id) to the newest known order of that key, working or ended.
 */
#ifndef MATCHING_ENGINE_TRADERS_H
#define MATCHING_ENGINE_TRADERS_H

#include "engine/engine_internal.h"

uint32_t trader_find(const matching_engine *engine, const char name[MATCHING_TRADER_MAX]);
uint32_t trader_intern(matching_engine *engine, const char name[MATCHING_TRADER_MAX]);
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

/* The slot's order becomes the newest of a trader's. What it is to its neighbours; its own links
 * are the caller's. */
static inline uint64_t trader_append(matching_engine *engine, uint32_t trader, uint32_t slot)
{
    uint32_t list = engine->lists + trader;
    uint32_t newest = engine->links[list].older;
    engine->links[newest].newer = slot;
    engine->links[list].older = slot;
    return (uint64_t)list << 32 | newest;
}

static inline void trader_link(matching_engine *engine, const order_record *order, uint32_t slot)
{
    engine->links[slot].in_list = trader_append(engine, order->trader, slot);
}

static inline void trader_unlink(matching_engine *engine, uint32_t slot)
{
    uint32_t older = engine->links[slot].older, newer = engine->links[slot].newer;
    engine_assert(engine->links[older].newer == slot);
    engine->links[older].newer = newer;
    engine->links[newer].older = older;
}

/* A trader's working orders, oldest first: the first one's slot, and the one after it; NO_SLOT at
 * the end. An order may end once the one after it is known. */
static inline uint32_t trader_after(const matching_engine *engine, uint32_t slot)
{
    uint32_t next = engine->links[slot].newer;
    return next <= engine->last_slot ? next : NO_SLOT;
}

static inline uint32_t trader_first(const matching_engine *engine, uint32_t trader)
{
    return trader_after(engine, engine->lists + trader);
}

#endif
