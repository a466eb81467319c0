/* The ordered levels of one side of a book: a red-black tree over the shared pool of levels.
 *
 * Invariants: in-order is by rising price; the root is black; no red level has a red child; every
 * path to nil has as many black levels; `best` is the extreme level of the side. Level 0 is nil, black,
 * and only its parent link is ever written. Not a map of all prices: a level exists while orders rest.
 * Algorithm: Cormen, Leiserson, Rivest, Stein, "Introduction to Algorithms", chapter 13.
 */
#include "engine/engine_internal.h"

#define NIL 0u

static void rotate(level_record *levels, book_side *side, uint32_t x, bool left)
{
    uint32_t y = left ? levels[x].right : levels[x].left;
    uint32_t inner = left ? levels[y].left : levels[y].right;
    if (left) {
        levels[x].right = inner;
        levels[y].left = x;
    } else {
        levels[x].left = inner;
        levels[y].right = x;
    }
    if (inner != NIL) {
        levels[inner].parent = x;
    }
    uint32_t parent = levels[x].parent;
    levels[y].parent = parent;
    levels[x].parent = y;
    if (parent == NIL) {
        side->root = y;
    } else if (levels[parent].left == x) {
        levels[parent].left = y;
    } else {
        levels[parent].right = y;
    }
}

uint32_t level_find(const matching_engine *engine, const book_side *side, int64_t price_ticks)
{
    const level_record *levels = engine->levels;
    uint32_t at = side->root;
    while (at != NIL && levels[at].price_ticks != price_ticks) {
        at = price_ticks < levels[at].price_ticks ? levels[at].left : levels[at].right;
    }
    return at;
}

static void insert_fixup(level_record *levels, book_side *side, uint32_t z)
{
    while (levels[levels[z].parent].red) {
        uint32_t parent = levels[z].parent, grand = levels[parent].parent;
        bool left = levels[grand].left == parent;
        uint32_t uncle = left ? levels[grand].right : levels[grand].left;
        if (levels[uncle].red) {
            levels[parent].red = 0;
            levels[uncle].red = 0;
            levels[grand].red = 1;
            z = grand;
            continue;
        }
        if (z == (left ? levels[parent].right : levels[parent].left)) {
            z = parent;
            rotate(levels, side, z, left);
            parent = levels[z].parent;
        }
        levels[parent].red = 0;
        levels[grand].red = 1;
        rotate(levels, side, grand, !left);
    }
    levels[side->root].red = 0;
}

/* The caller has seen that a level is free and that the price has none. */
uint32_t level_insert(matching_engine *engine, book_side *side, unsigned side_number,
                      uint16_t instrument, int64_t price_ticks)
{
    level_record *levels = engine->levels;
    uint32_t z = engine->free_level;
    engine_assert(z != NIL);
    engine->free_level = levels[z].right;
    engine->used_levels++;

    uint32_t parent = NIL, at = side->root;
    while (at != NIL) {
        parent = at;
        engine_assert(levels[at].price_ticks != price_ticks);
        at = price_ticks < levels[at].price_ticks ? levels[at].left : levels[at].right;
    }
    levels[z] = (level_record){.price_ticks = price_ticks,
                               .head = NO_SLOT,
                               .tail = NO_SLOT,
                               .parent = parent,
                               .red = 1,
                               .side = (uint8_t)side_number,
                               .instrument = instrument};
    if (parent == NIL) {
        side->root = z;
    } else if (price_ticks < levels[parent].price_ticks) {
        levels[parent].left = z;
    } else {
        levels[parent].right = z;
    }
    insert_fixup(levels, side, z);

    int64_t best = levels[side->best].price_ticks;
    if (side->best == NIL ||
        (side_number == MATCHING_BUY ? price_ticks > best : price_ticks < best)) {
        side->best = z;
    }
    return z;
}

/* The neighbour by price, lower or higher; NIL at the end. */
static uint32_t neighbour(const level_record *levels, uint32_t x, bool lower)
{
    uint32_t child = lower ? levels[x].left : levels[x].right;
    if (child != NIL) {
        for (;;) {
            uint32_t next = lower ? levels[child].right : levels[child].left;
            if (next == NIL) {
                return child;
            }
            child = next;
        }
    }
    uint32_t parent = levels[x].parent;
    while (parent != NIL && x == (lower ? levels[parent].left : levels[parent].right)) {
        x = parent;
        parent = levels[parent].parent;
    }
    return parent;
}

/* The next level behind this one as seen from the other side: lower bids, higher asks. */
uint32_t level_worse(const matching_engine *engine, unsigned side_number, uint32_t level)
{
    return neighbour(engine->levels, level, side_number == MATCHING_BUY);
}

uint32_t level_better(const matching_engine *engine, unsigned side_number, uint32_t level)
{
    return neighbour(engine->levels, level, side_number == MATCHING_SELL);
}

/* The best level of the side that is strictly worse than the price; 0: none. */
uint32_t level_after(const matching_engine *engine, const book_side *side, unsigned side_number,
                     int64_t price_ticks)
{
    const level_record *levels = engine->levels;
    uint32_t found = NIL;
    for (uint32_t at = side->root; at != NIL;) {
        bool worse = side_number == MATCHING_BUY ? levels[at].price_ticks < price_ticks
                                                 : levels[at].price_ticks > price_ticks;
        found = worse ? at : found;
        bool right = worse == (side_number == MATCHING_BUY);
        at = right ? levels[at].right : levels[at].left;
    }
    return found;
}

static void transplant(level_record *levels, book_side *side, uint32_t u, uint32_t v)
{
    uint32_t parent = levels[u].parent;
    if (parent == NIL) {
        side->root = v;
    } else if (levels[parent].left == u) {
        levels[parent].left = v;
    } else {
        levels[parent].right = v;
    }
    levels[v].parent = parent; /* also on nil: remove_fixup starts from there */
}

static void remove_fixup(level_record *levels, book_side *side, uint32_t x)
{
    while (x != side->root && !levels[x].red) {
        uint32_t parent = levels[x].parent;
        bool left = levels[parent].left == x;
        uint32_t w = left ? levels[parent].right : levels[parent].left;
        if (levels[w].red) {
            levels[w].red = 0;
            levels[parent].red = 1;
            rotate(levels, side, parent, left);
            w = left ? levels[parent].right : levels[parent].left;
        }
        uint32_t near = left ? levels[w].left : levels[w].right;
        uint32_t far = left ? levels[w].right : levels[w].left;
        if (!levels[near].red && !levels[far].red) {
            levels[w].red = 1;
            x = parent;
            continue;
        }
        if (!levels[far].red) {
            levels[near].red = 0;
            levels[w].red = 1;
            rotate(levels, side, w, !left);
            w = left ? levels[parent].right : levels[parent].left;
            far = left ? levels[w].right : levels[w].left;
        }
        levels[w].red = levels[parent].red;
        levels[parent].red = 0;
        levels[far].red = 0;
        rotate(levels, side, parent, left);
        x = side->root;
    }
    levels[x].red = 0;
}

void level_remove(matching_engine *engine, book_side *side, uint32_t z)
{
    level_record *levels = engine->levels;
    engine_assert(z != NIL && levels[z].orders == 0);
    if (side->best == z) {
        side->best = level_worse(engine, levels[z].side, z);
    }
    uint32_t x;
    bool removed_black = !levels[z].red;
    if (levels[z].left == NIL) {
        x = levels[z].right;
        transplant(levels, side, z, x);
    } else if (levels[z].right == NIL) {
        x = levels[z].left;
        transplant(levels, side, z, x);
    } else {
        uint32_t y = neighbour(levels, z, false);
        removed_black = !levels[y].red;
        x = levels[y].right;
        if (levels[y].parent == z) {
            levels[x].parent = y;
        } else {
            transplant(levels, side, y, x);
            levels[y].right = levels[z].right;
            levels[levels[y].right].parent = y;
        }
        transplant(levels, side, z, y);
        levels[y].left = levels[z].left;
        levels[levels[y].left].parent = y;
        levels[y].red = levels[z].red;
    }
    if (removed_black) {
        remove_fixup(levels, side, x);
    }
    levels[NIL].parent = NIL;
    levels[z].right = engine->free_level;
    engine->free_level = z;
    engine->used_levels--;
}
