/* Traders: their names, their working orders, their client order ids. See traders.h. */
#include "engine/traders.h"

static inline uint64_t fold(uint64_t a, uint64_t b)
{
    matching_wide product = (matching_wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Two multiplications that do not wait for each other, and one that joins them. */
static inline uint64_t name_hash(const char name[MATCHING_TRADER_MAX])
{
    uint64_t low =
        fold(word_at(name, 0) ^ 0x9E3779B97F4A7C15u, word_at(name, 1) ^ 0xBF58476D1CE4E5B9u);
    uint64_t high =
        fold(word_at(name, 2) ^ 0x94D049BB133111EBu, word_at(name, 3) ^ 0xD6E8FEB86659FD93u);
    return fold(low ^ 0x2545F4914F6CDD1Du, high ^ 0xA0761D6478BD642Fu);
}

uint32_t matching_watch_bucket(const char name[MATCHING_TRADER_MAX])
{
    return (uint32_t)(name_hash(name) >> 32) % MATCHING_WATCH_BUCKETS;
}

/* Where a name is in the trader table, or the free place where it would go. */
static inline uint64_t trader_place(const matching_engine *engine,
                                    const char name[MATCHING_TRADER_MAX])
{
    uint64_t at = name_hash(name) & engine->trader_mask;
    while (engine->trader_table[at] != 0 &&
           !trader_has_name(&engine->traders[engine->trader_table[at]], name)) {
        at = (at + 1) & engine->trader_mask;
    }
    return at;
}

/* 0: not known. */
uint32_t trader_find(const matching_engine *engine, const char name[MATCHING_TRADER_MAX])
{
    return engine->trader_table[trader_place(engine, name)];
}

/* A name that is not known yet; the caller has seen that there is room. */
uint32_t trader_intern(matching_engine *engine, const char name[MATCHING_TRADER_MAX])
{
    engine_assert(engine->trader_count < engine->limits.max_traders);
    uint64_t at = trader_place(engine, name);
    engine_assert(engine->trader_table[at] == 0);
    uint32_t trader = ++engine->trader_count;
    trader_record *record = &engine->traders[trader];
    memcpy(record->name, name, MATCHING_TRADER_MAX);
    record->name[MATCHING_TRADER_MAX] = 0;
    record->watch = (uint16_t)matching_watch_bucket(name);
    uint32_t list = engine->lists + trader;
    engine->links[list].older = engine->links[list].newer = list;
    engine->trader_table[at] = trader;
    return trader;
}

static uint64_t client_hash(uint32_t trader, uint16_t instrument,
                            const char client_order_id[CLIENT_ID_BYTES])
{
    uint64_t hash = (uint64_t)trader << 16 | instrument;
    for (size_t i = 0; i < CLIENT_ID_BYTES / 8; i++) {
        hash = mix64(hash ^ word_at(client_order_id, i));
    }
    uint32_t rest;
    memcpy(&rest, client_order_id + CLIENT_ID_BYTES / 8 * 8, sizeof rest);
    return mix64(hash ^ rest);
}

/* Where a key is in the client table, or the free place where it would go. */
static uint64_t client_place(const matching_engine *engine, uint32_t trader, uint16_t instrument,
                             const char client_order_id[CLIENT_ID_BYTES])
{
    uint64_t at = client_hash(trader, instrument, client_order_id) & engine->client_mask;
    for (; engine->client_table[at] != 0; at = (at + 1) & engine->client_mask) {
        uint32_t slot = engine->client_table[at];
        const order_record *order = &engine->orders[slot];
        if (order->trader == trader && order->instrument == instrument &&
            memcmp(engine->extras[order->extra].client_order_id, client_order_id,
                   CLIENT_ID_BYTES) == 0) {
            break;
        }
    }
    return at;
}

uint32_t client_find(const matching_engine *engine, uint32_t trader, uint16_t instrument,
                     const char client_order_id[CLIENT_ID_BYTES])
{
    return engine->client_table[client_place(engine, trader, instrument, client_order_id)];
}

static uint64_t client_place_of(const matching_engine *engine, uint32_t slot)
{
    const order_record *order = &engine->orders[slot];
    return client_place(engine, order->trader, order->instrument,
                        engine->extras[order->extra].client_order_id);
}

/* The order becomes the one that its key leads to. */
void client_insert(matching_engine *engine, uint32_t slot)
{
    engine->client_table[client_place_of(engine, slot)] = slot;
}

/* Forgets the order's key, unless a newer order has it. Later entries of the run move up, so that
 * no look-up ever meets a gap. */
void client_remove(matching_engine *engine, uint32_t slot)
{
    uint64_t gap = client_place_of(engine, slot);
    if (engine->client_table[gap] != slot) {
        return;
    }
    engine->client_table[gap] = 0;
    for (uint64_t at = (gap + 1) & engine->client_mask; engine->client_table[at] != 0;
         at = (at + 1) & engine->client_mask) {
        uint32_t other = engine->client_table[at];
        const order_record *order = &engine->orders[other];
        uint64_t home = client_hash(order->trader, order->instrument,
                                    engine->extras[order->extra].client_order_id) &
                        engine->client_mask;
        if (((at - home) & engine->client_mask) >= ((at - gap) & engine->client_mask)) {
            engine->client_table[gap] = other;
            engine->client_table[at] = 0;
            gap = at;
        }
    }
}
