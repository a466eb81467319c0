/* The engine's memory, and what is asked about it. What commands do to it begins in apply.c. */
#include "engine/orders.h"

#define CACHE_LINE 64u
#define FAR_FROM_CACHE 50000u /* working orders: some megabytes */
#define LIMIT_MAX (1u << 26)

static uint64_t power_of_two(uint64_t at_least)
{
    uint64_t size = 1;
    while (size < at_least) {
        size *= 2;
    }
    return size;
}

/* Working orders at their limit, the taker that is just being applied, and the retained ones. */
static uint64_t slot_count(const matching_engine_limits *limits)
{
    return limits->max_orders + limits->retained_orders + 1;
}

static size_t round_up(size_t bytes)
{
    return (bytes + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1);
}

/* Traders' lists begin behind the slots, in a cache line of their own. */
static uint64_t lists_at(uint64_t slots)
{
    return round_up(slots * sizeof(order_links)) / sizeof(order_links);
}

#define PLACE(member) (engine != NULL ? (void **)&engine->member : NULL)

/* Gives each array its place behind the engine itself; with engine NULL only adds up. */
static size_t lay_out(const matching_engine_limits *limits, matching_engine *engine)
{
    uint64_t slots = slot_count(limits) + 1; /* [0] is none */
    uint64_t trader_places = power_of_two(2 * limits->max_traders + 2);
    uint64_t client_places = power_of_two(2 * slots);
    struct {
        size_t bytes;
        void **place;
    } parts[] = {
        {slots * sizeof(order_record), PLACE(orders)},
        {(lists_at(slots) + limits->max_traders + 1) * sizeof(order_links), PLACE(links)},
        {slots * sizeof(order_history), PLACE(histories)},
        {slots * sizeof(order_extra), PLACE(extras)},
        {((limits->max_levels + 1) << PAGE_BITS) * sizeof(level_record), PLACE(levels)},
        {(limits->max_levels + 1) * sizeof(page_record), PLACE(pages)},
        {limits->instruments * sizeof(book_record), PLACE(books)},
        {(limits->max_traders + 1) * sizeof(trader_record), PLACE(traders)},
        {trader_places * sizeof(uint32_t), PLACE(trader_table)},
        {client_places * sizeof(uint32_t), PLACE(client_table)},
        {(limits->max_orders + 2) * sizeof(uint32_t), PLACE(expiry_heap)},
        {(limits->max_orders + 2) * sizeof(uint32_t), PLACE(trigger_heap)},
        {(slots >> GROUP_BITS) + 1, PLACE(full_groups)},
    };
    size_t at = round_up(sizeof(matching_engine));
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (engine != NULL) {
            *parts[i].place = (char *)engine + at;
        }
        at += round_up(parts[i].bytes);
    }
    if (engine != NULL) {
        engine->last_slot = (uint32_t)(slots - 1);
        engine->lists = (uint32_t)lists_at(slots);
        engine->slot_mask = power_of_two(slots) - 1;
        engine->client_mask = client_places - 1;
        engine->trader_mask = trader_places - 1;
    }
    return at;
}

size_t matching_engine_size(const matching_engine_limits *limits)
{
    if (limits->instruments < 1 || limits->instruments > MATCHING_INSTRUMENTS_MAX ||
        limits->max_orders < 1 || limits->max_orders > LIMIT_MAX ||
        limits->retained_orders > LIMIT_MAX || limits->max_levels < 1 ||
        limits->max_levels > LIMIT_MAX || limits->max_traders < 1 ||
        limits->max_traders > LIMIT_MAX || limits->shard_bits > 6 ||
        limits->shard >> limits->shard_bits != 0) {
        return 0;
    }
    return lay_out(limits, NULL);
}

matching_engine *matching_engine_init(void *memory, const matching_engine_limits *limits)
{
    engine_assert(matching_engine_size(limits) != 0);
    engine_assert((uintptr_t)memory % CACHE_LINE == 0);
    matching_engine *engine = memory;
    engine->limits = *limits;
    lay_out(limits, engine);
    engine->full_at = limits->max_orders;
    engine->levels_left = (int64_t)limits->max_levels;
    engine->new_pages = engine->new_extras = 1;
    engine->next_expiry_ns = UINT64_MAX;
    engine->pages[0].base = -1;
    for (uint32_t i = 0; i < limits->instruments; i++) {
        book_record *book = &engine->books[i];
        book->tick_size = book->lot_size = 1;
        book->is_plain = 1;
        book->sides[ASKS].best_ticks = book->sides[BUY_STOPS].best_ticks = BEYOND_PRICES;
    }
    return engine;
}

void matching_engine_set_instrument(matching_engine *engine, uint16_t instrument, int64_t tick_size,
                                    int64_t lot_size)
{
    engine_assert(instrument < engine->limits.instruments && tick_size > 0 && lot_size > 0);
    engine->books[instrument].tick_size = tick_size;
    engine->books[instrument].lot_size = lot_size;
}

/* The order of an id that may be anything: where there is no such slot, some other part of the
 * engine's memory: the arrays behind the orders are larger than what a mask can lead beyond. */
static inline const order_record *order_at(const matching_engine *engine, uint64_t order_id)
{
    _Static_assert(sizeof(order_links) + sizeof(order_history) + sizeof(order_extra) >=
                       sizeof(order_record),
                   "see above");
    return &engine->orders[order_number(engine, order_id) & engine->slot_mask];
}

static inline const order_links *links_at(const matching_engine *engine, uint64_t order_id)
{
    _Static_assert(sizeof(order_history) + sizeof(order_extra) >= sizeof(order_links), "likewise");
    return &engine->links[order_number(engine, order_id) & engine->slot_mask];
}

/* The level of the command's price, if it is where it is likely to be. */
static inline const level_record *level_likely(const matching_engine *engine,
                                               const matching_command *command)
{
    uint32_t page =
        engine->books[command->instrument]
            .near[command->side & 1][command->price_ticks >> PAGE_BITS & (NEAR_PAGES - 1)];
    return &engine
                ->levels[page << PAGE_BITS | ((uint32_t)command->price_ticks & (PAGE_LEVELS - 1))];
}

bool matching_engine_is_large(const matching_engine *engine)
{
    return working_count(engine) >= FAR_FROM_CACHE;
}

/* In functions that only prefetch: otherwise the compiler finds that they change nothing and have
 * no value, and leaves out calls of them. */
#define COMPUTES_NOTHING __asm__ volatile("")

/* Without branches: of what type a command is, is as good as random. For a place the order is slot
 * 0, for a cancel the level some level of its book; asking for them too costs nothing. */
static inline void prefetch_named(const matching_engine *engine, const matching_command *far)
{
    COMPUTES_NOTHING;
    __builtin_prefetch(order_at(engine, far->order_id), 1);
    __builtin_prefetch(links_at(engine, far->order_id), 1);
}

/* An order's trader has its other ones anywhere; its neighbours in the queue came when it came. */
static inline void prefetch_around(const matching_engine *engine, const matching_command *middle)
{
    COMPUTES_NOTHING;
    const order_links *links = links_at(engine, middle->order_id);
    __builtin_prefetch(&engine->links[links->older], 1);
    __builtin_prefetch(&engine->links[links->newer], 1);
}

/* What else is far from the caches where very many orders work. */
static inline void prefetch_large(const matching_engine *engine, const matching_command *far,
                                  const matching_command *middle, const matching_command *near)
{
    COMPUTES_NOTHING;
    __builtin_prefetch(&engine->books[far->instrument], 1);
    const order_links *links = links_at(engine, middle->order_id);
    __builtin_prefetch(&engine->links[links->prev], 1);
    __builtin_prefetch(&engine->links[links->next], 1);
    __builtin_prefetch(&engine->levels[order_at(engine, middle->order_id)->level], 1);
    __builtin_prefetch(level_likely(engine, middle), 1);

    const book_record *book = &engine->books[near->instrument];
    uint32_t opposite = book->sides[!near->side].best;
    __builtin_prefetch(&engine->links[level_likely(engine, near)->tail], 1);
    __builtin_prefetch(&engine->orders[engine->levels[opposite].head], 1);
}

void matching_engine_prefetch(const matching_engine *engine, const matching_command *far,
                              const matching_command *middle, const matching_command *near,
                              bool is_large)
{
    prefetch_named(engine, far);
    prefetch_around(engine, middle);
    if (is_large) {
        prefetch_large(engine, far, middle, near);
    }
}

void matching_engine_prefetch_first(const matching_engine *engine, const matching_command *commands,
                                    size_t count, bool is_large)
{
    enum { FAR = MATCHING_PREFETCH_FAR, MIDDLE = MATCHING_PREFETCH_MIDDLE };
    for (size_t i = 0; i < count && i < FAR; i++) {
        prefetch_named(engine, &commands[i]);
    }
    for (size_t i = 0; i < count && i < MIDDLE; i++) {
        prefetch_around(engine, &commands[i]);
    }
    for (size_t i = 0; i < count && i < MIDDLE && is_large; i++) {
        const matching_command *near =
            &commands[i < MATCHING_PREFETCH_NEAR ? 0 : i - MATCHING_PREFETCH_NEAR];
        prefetch_large(engine, &commands[i], &commands[i], near);
    }
}

uint64_t matching_engine_next_expiry(const matching_engine *engine)
{
    return engine->expiry_count == 0 ? 0 : extra_of(engine, engine->expiry_heap[1])->expire_time_ms;
}

const char *matching_engine_trader(const matching_engine *engine, uint32_t trader)
{
    return trader >= 1 && trader <= engine->limits.max_traders ? engine->traders[trader].name : "";
}
