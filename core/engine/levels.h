/* Price levels: found by price, ordered from the best; a level exists while its queue has orders.
 *
 * Invariants: page->used has a bit for exactly its levels with orders; a page without any is idle;
 * `best` is the extreme level of its side and best_ticks its price. Not here: how pages are
 * kept in order (pages.c), what is in a queue (queues.h).
 */
#ifndef MATCHING_ENGINE_LEVELS_H
#define MATCHING_ENGINE_LEVELS_H

#include "engine/engine_internal.h"

/* Is the best price of such a side its highest? */
static inline bool best_is_highest(unsigned kind)
{
    return ((kind ^ kind >> 1) & 1) == 0; /* BIDS and SELL_STOPS */
}

static inline int64_t level_price(const matching_engine *engine, uint32_t level)
{
    return engine->pages[level >> PAGE_BITS].base << PAGE_BITS | (level & (PAGE_LEVELS - 1));
}

static inline matching_wide level_total(const level_record *level)
{
    return (matching_wide)level->total_high << 64 | level->total_low;
}

static inline matching_wide level_hidden(const level_record *level)
{
    return (matching_wide)level->hidden_high << 64 | level->hidden_low;
}

static inline void level_add_total(level_record *level, int64_t lots)
{
    level->total_low += (uint64_t)lots;
    level->total_high = (uint16_t)(level->total_high + (level->total_low < (uint64_t)lots));
}

static inline void level_take_total(level_record *level, int64_t lots)
{
    level->total_high = (uint16_t)(level->total_high - (level->total_low < (uint64_t)lots));
    level->total_low -= (uint64_t)lots;
}

/* What the market is told of a level, as two words. */
typedef struct level_sum {
    uint64_t total_low, counts;
} level_sum;

static inline matching_wide sum_total(level_sum sum)
{
    return (matching_wide)(uint16_t)(sum.counts >> 32) << 64 | sum.total_low;
}

/* One order more or less, all of which is visible. */
static inline level_sum level_join(level_record *level, int64_t lots)
{
    uint64_t low = level->total_low + (uint64_t)lots;
    uint64_t counts = level->counts + 1 + ((uint64_t)(low < (uint64_t)lots) << 32);
    level->total_low = low;
    level->counts = counts;
    return (level_sum){low, counts};
}

static inline level_sum level_leave(level_record *level, int64_t lots)
{
    uint64_t low = level->total_low - (uint64_t)lots;
    uint64_t counts = level->counts - 1 - ((uint64_t)(level->total_low < (uint64_t)lots) << 32);
    level->total_low = low;
    level->counts = counts;
    return (level_sum){low, counts};
}

static inline void level_add_hidden(level_record *level, int64_t lots)
{
    level->hidden_low += (uint64_t)lots;
    level->hidden_high = (uint16_t)(level->hidden_high + (level->hidden_low < (uint64_t)lots));
}

static inline void level_take_hidden(level_record *level, int64_t lots)
{
    level->hidden_high = (uint16_t)(level->hidden_high - (level->hidden_low < (uint64_t)lots));
    level->hidden_low -= (uint64_t)lots;
}

/* Is there a level to be had, beyond those that waiting stop-limit orders may need? */
static inline bool level_is_free(const matching_engine *engine)
{
    return engine->levels_left > 0;
}

/* The page of a price; 0: there is none. */
static inline uint32_t page_find(const matching_engine *engine, const book_record *book,
                                 unsigned kind, int64_t base)
{
    uint32_t page = book->near[kind][base & (NEAR_PAGES - 1)];
    return likely(engine->pages[page].base == base) ? page
                                                    : page_search(engine, &book->sides[kind], base);
}

/* The level of a price; 0: no order rests there. */
static inline uint32_t level_find(const matching_engine *engine, const book_record *book,
                                  unsigned kind, int64_t price_ticks)
{
    uint32_t page = page_find(engine, book, kind, price_ticks >> PAGE_BITS);
    uint32_t level = page << PAGE_BITS | ((uint32_t)price_ticks & (PAGE_LEVELS - 1));
    return page != 0 && engine->levels[level].orders != 0 ? level : 0;
}

/* The level of a price, for an order that is about to join it. The caller has seen that there is
 * one or that one is free. */
static inline uint32_t level_obtain(matching_engine *engine, book_record *book, unsigned kind,
                                    int64_t price_ticks)
{
    int64_t base = price_ticks >> PAGE_BITS;
    uint32_t page = book->near[kind][base & (NEAR_PAGES - 1)];
    if (unlikely(engine->pages[page].base != base)) {
        page = page_obtain(engine, book, kind, base);
    }
    uint32_t offset = (uint32_t)price_ticks & (PAGE_LEVELS - 1);
    uint32_t level = page << PAGE_BITS | offset;
    /* Whether it is new is as good as random where prices move: written either way. */
    book_side *side = &book->sides[kind];
    engine->pages[page].used |= 1ull << offset;
    engine->levels_left -= engine->levels[level].orders == 0;
    int64_t flip = -(int64_t)!best_is_highest(kind); /* all ones where lower is better */
    bool better = (price_ticks ^ flip) > (side->best_ticks ^ flip);
    side->best = better ? level : side->best;
    side->best_ticks = better ? price_ticks : side->best_ticks;
    return level;
}

/* Of the levels of a page, those below or above one of them. */
static inline uint64_t page_beyond_level(uint64_t used, uint32_t offset, bool lower)
{
    uint64_t below = (1ull << offset) - 1, above = ~below << 1; /* offset is below 63 */
    return used & (above ^ ((above ^ below) & -(uint64_t)lower));
}

/* The one of them that is nearest. */
static inline uint32_t page_nearest(uint32_t page, uint64_t beyond, bool lower)
{
    uint32_t highest = 63 - (uint32_t)__builtin_clzll(beyond);
    uint32_t lowest = (uint32_t)__builtin_ctzll(beyond);
    return page << PAGE_BITS | (lowest ^ ((lowest ^ highest) & -(uint32_t)lower));
}

/* The next level by price, lower or higher; 0 at the end. */
static inline uint32_t level_neighbour(const matching_engine *engine, uint32_t level, bool lower)
{
    uint32_t page = level >> PAGE_BITS;
    uint64_t beyond = page_beyond_level(engine->pages[page].used, level & (PAGE_LEVELS - 1), lower);
    if (unlikely(beyond == 0)) {
        page = page_neighbour(engine, page, lower);
        if (page == 0) {
            return 0;
        }
        beyond = engine->pages[page].used;
    }
    return page_nearest(page, beyond, lower);
}

/* The next level behind this one: lower bids, higher asks. */
static inline uint32_t level_worse(const matching_engine *engine, unsigned kind, uint32_t level)
{
    return level_neighbour(engine, level, best_is_highest(kind));
}

static inline uint32_t level_better(const matching_engine *engine, unsigned kind, uint32_t level)
{
    return level_neighbour(engine, level, !best_is_highest(kind));
}

/* The level's last order has left. */
static inline void level_remove(matching_engine *engine, book_record *book, unsigned kind,
                                uint32_t level)
{
    book_side *side = &book->sides[kind];
    uint32_t page = level >> PAGE_BITS;
    engine_assert(engine->levels[level].orders == 0);
    engine->levels_left++;
    engine->pages[page].used &= ~(1ull << (level & (PAGE_LEVELS - 1)));
    bool is_empty = engine->pages[page].used == 0;
    if (side->best == level) {
        if (unlikely(is_empty)) {
            page_clear_way(engine, page, best_is_highest(kind));
        }
        uint32_t next = level_worse(engine, kind, level);
        side->best = next;
        side->best_ticks = next != 0               ? level_price(engine, next)
                           : best_is_highest(kind) ? 0
                                                   : BEYOND_PRICES;
    }
    if (unlikely(is_empty)) {
        page_leave(engine, page);
    }
}

#endif
