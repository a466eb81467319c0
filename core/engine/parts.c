/* How far an engine has used its memory: see matching_engine_parts in engine.h. */
#include "engine/engine_internal.h"

static uint64_t slots_used(const matching_engine *engine)
{
    uint64_t slots = (uint64_t)engine->last_slot + 1, used = engine->last_number + 1;
    return used < slots ? used : slots;
}

void matching_engine_parts(const matching_engine *engine,
                           matching_engine_part parts[MATCHING_ENGINE_PARTS])
{
    const matching_engine_limits *limits = &engine->limits;
    uint64_t slots = (uint64_t)engine->last_slot + 1, used = slots_used(engine);
    /* What is in a heap or the table of client ids has an extra. So heaps never were longer than
     * these are; where in the table the next one comes nobody knows. */
    bool has_extras = engine->new_extras > 1;
    uint64_t heap_places = limits->max_orders + 2;
    uint64_t heap_most = engine->new_extras < heap_places ? engine->new_extras : heap_places;
    uint64_t heap_used = has_extras ? heap_most : 0;
    const matching_engine_part all[] = {
        {engine->orders, sizeof *engine->orders, slots, used, true},
        {engine->links, sizeof *engine->links, slots, used, true},
        {engine->links + engine->lists, sizeof *engine->links, limits->max_traders + 1,
         engine->trader_count + 1ull, false},
        {engine->histories, sizeof *engine->histories, slots, used, true},
        [MATCHING_ENGINE_EXTRAS] = {engine->extras, sizeof *engine->extras, slots,
                                    engine->new_extras, has_extras},
        {engine->levels, sizeof *engine->levels << PAGE_BITS, limits->max_levels + 1,
         engine->new_pages, false},
        {engine->pages, sizeof *engine->pages, limits->max_levels + 1, engine->new_pages, false},
        {engine->books, sizeof *engine->books, limits->instruments, limits->instruments, false},
        {engine->traders, sizeof *engine->traders, limits->max_traders + 1,
         engine->trader_count + 1ull, false},
        {engine->trader_table, sizeof *engine->trader_table, engine->trader_mask + 1,
         engine->trader_mask + 1, false},
        {engine->client_table, sizeof *engine->client_table, engine->client_mask + 1,
         has_extras ? engine->client_mask + 1 : 0, false},
        {engine->expiry_heap, sizeof *engine->expiry_heap, heap_places, heap_used, false},
        {engine->trigger_heap, sizeof *engine->trigger_heap, heap_places, heap_used, false},
        {engine->full_groups, 1, (slots >> GROUP_BITS) + 1, (slots >> GROUP_BITS) + 1, false},
    };
    _Static_assert(sizeof all / sizeof all[0] == MATCHING_ENGINE_PARTS, "each array once");
    memcpy(parts, all, sizeof all);
}

uint64_t matching_engine_used(const matching_engine *engine)
{
    /* With the first extra come the whole table of client ids, and the places 0 of the heaps. */
    uint64_t first_extra = (engine->client_mask + 1) * sizeof *engine->client_table +
                           sizeof *engine->expiry_heap + sizeof *engine->trigger_heap;
    return slots_used(engine) *
               (sizeof *engine->orders + sizeof *engine->links + sizeof *engine->histories) +
           engine->new_extras * (sizeof *engine->extras + sizeof *engine->expiry_heap +
                                 sizeof *engine->trigger_heap) +
           engine->new_pages * (PAGE_LEVELS * sizeof *engine->levels + sizeof *engine->pages) +
           engine->trader_count * (sizeof *engine->traders + sizeof *engine->links) +
           (engine->new_extras > 1 ? first_extra : 0);
}
