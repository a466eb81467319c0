/* The ordered pages of one side of a book: a red-black tree over the shared pool of pages.
 *
 * Invariants: in-order is by rising price; the root is black; no red page has a red child; every
 * path to nil has as many black pages. Page 0 is nil, black, and only its parent link is ever
 * written. A free page has base -1, so that nothing takes it for what it was. A page without orders
 * is idle, with its bit `in_line` set and its place among engine->idle, or free. What is on a page:
 * levels.h. Algorithm: Cormen, Leiserson, Rivest, Stein, "Introduction to Algorithms", chapter 13.
 */
#include "engine/engine_internal.h"

#define NIL 0u
#define FREE_BASE (-1)

static void rotate(page_record *pages, book_side *side, uint32_t x, bool left)
{
    uint32_t y = left ? pages[x].right : pages[x].left;
    uint32_t inner = left ? pages[y].left : pages[y].right;
    if (left) {
        pages[x].right = inner;
        pages[y].left = x;
    } else {
        pages[x].left = inner;
        pages[y].right = x;
    }
    if (inner != NIL) {
        pages[inner].parent = x;
    }
    uint32_t parent = pages[x].parent;
    pages[y].parent = parent;
    pages[x].parent = y;
    if (parent == NIL) {
        side->root = y;
    } else if (pages[parent].left == x) {
        pages[parent].left = y;
    } else {
        pages[parent].right = y;
    }
}

/* Where a base is in its side's tree; NIL: nowhere, *parent is where it would be. */
static uint32_t descend(const matching_engine *engine, const book_side *side, int64_t base,
                        uint32_t *parent)
{
    const page_record *pages = engine->pages;
    uint32_t at = side->root;
    *parent = NIL;
    while (at != NIL && pages[at].base != base) {
        *parent = at;
        at = base < pages[at].base ? pages[at].left : pages[at].right;
    }
    return at;
}

uint32_t page_search(const matching_engine *engine, const book_side *side, int64_t base)
{
    uint32_t parent;
    return descend(engine, side, base, &parent);
}

static void insert_fixup(page_record *pages, book_side *side, uint32_t z)
{
    while (pages[pages[z].parent].red) {
        uint32_t parent = pages[z].parent, grand = pages[parent].parent;
        bool left = pages[grand].left == parent;
        uint32_t uncle = left ? pages[grand].right : pages[grand].left;
        if (pages[uncle].red) {
            pages[parent].red = 0;
            pages[uncle].red = 0;
            pages[grand].red = 1;
            z = grand;
            continue;
        }
        if (z == (left ? pages[parent].right : pages[parent].left)) {
            z = parent;
            rotate(pages, side, z, left);
            parent = pages[z].parent;
        }
        pages[parent].red = 0;
        pages[grand].red = 1;
        rotate(pages, side, grand, !left);
    }
    pages[side->root].red = 0;
}

/* Puts a free page in its place below its parent. */
static uint32_t insert(matching_engine *engine, book_record *book, unsigned kind, int64_t base,
                       uint32_t parent)
{
    page_record *pages = engine->pages;
    book_side *side = &book->sides[kind];
    uint32_t z = engine->free_page;
    if (z != NIL) {
        engine->free_page = pages[z].right;
    } else {
        z = engine->new_pages++;
        engine_assert(z <= engine->limits.max_levels);
    }

    pages[z] = (page_record){.base = base,
                             .parent = parent,
                             .red = 1,
                             .kind = (uint8_t)kind,
                             .instrument = (uint16_t)(book - engine->books)};
    if (parent == NIL) {
        side->root = z;
    } else if (base < pages[parent].base) {
        pages[parent].left = z;
    } else {
        pages[parent].right = z;
    }
    insert_fixup(pages, side, z);
    return z;
}

/* The neighbour by price, lower or higher; 0 at the end. */
static uint32_t neighbour(const page_record *pages, uint32_t x, bool lower)
{
    uint32_t child = lower ? pages[x].left : pages[x].right;
    if (child != NIL) {
        for (;;) {
            uint32_t next = lower ? pages[child].right : pages[child].left;
            if (next == NIL) {
                return child;
            }
            child = next;
        }
    }
    uint32_t parent = pages[x].parent;
    while (parent != NIL && x == (lower ? pages[parent].left : pages[parent].right)) {
        x = parent;
        parent = pages[parent].parent;
    }
    return parent;
}

/* The next page by price, lower or higher, whether or not it has orders; 0: none. */
uint32_t page_next(const matching_engine *engine, uint32_t page, bool lower)
{
    return neighbour(engine->pages, page, lower);
}

/* The nearest page with orders, lower or higher; 0: none. */
uint32_t page_neighbour(const matching_engine *engine, uint32_t page, bool lower)
{
    do {
        page = neighbour(engine->pages, page, lower);
    } while (page != NIL && engine->pages[page].used == 0);
    return page;
}

/* The nearest page with orders, strictly below or above a base; 0: none. */
uint32_t page_beyond(const matching_engine *engine, const book_side *side, int64_t base, bool lower)
{
    const page_record *pages = engine->pages;
    uint32_t found = NIL;
    for (uint32_t at = side->root; at != NIL;) {
        bool fits = lower ? pages[at].base < base : pages[at].base > base;
        found = fits ? at : found;
        at = fits == lower ? pages[at].right : pages[at].left;
    }
    return found != NIL && pages[found].used == 0 ? page_neighbour(engine, found, lower) : found;
}

static void transplant(page_record *pages, book_side *side, uint32_t u, uint32_t v)
{
    uint32_t parent = pages[u].parent;
    if (parent == NIL) {
        side->root = v;
    } else if (pages[parent].left == u) {
        pages[parent].left = v;
    } else {
        pages[parent].right = v;
    }
    pages[v].parent = parent; /* also on nil: remove_fixup starts from there */
}

static void remove_fixup(page_record *pages, book_side *side, uint32_t x)
{
    while (x != side->root && !pages[x].red) {
        uint32_t parent = pages[x].parent;
        bool left = pages[parent].left == x;
        uint32_t w = left ? pages[parent].right : pages[parent].left;
        if (pages[w].red) {
            pages[w].red = 0;
            pages[parent].red = 1;
            rotate(pages, side, parent, left);
            w = left ? pages[parent].right : pages[parent].left;
        }
        uint32_t near = left ? pages[w].left : pages[w].right;
        uint32_t far = left ? pages[w].right : pages[w].left;
        if (!pages[near].red && !pages[far].red) {
            pages[w].red = 1;
            x = parent;
            continue;
        }
        if (!pages[far].red) {
            pages[near].red = 0;
            pages[w].red = 1;
            rotate(pages, side, w, !left);
            w = left ? pages[parent].right : pages[parent].left;
            far = left ? pages[w].right : pages[w].left;
        }
        pages[w].red = pages[parent].red;
        pages[parent].red = 0;
        pages[far].red = 0;
        rotate(pages, side, parent, left);
        x = side->root;
    }
    pages[x].red = 0;
}

static void take_out(matching_engine *engine, uint32_t z)
{
    page_record *pages = engine->pages;
    book_record *book = &engine->books[pages[z].instrument];
    book_side *side = &book->sides[pages[z].kind];
    uint32_t *near = &book->near[pages[z].kind][pages[z].base & (NEAR_PAGES - 1)];
    engine_assert(z != NIL && pages[z].used == 0);
    if (*near == z) {
        *near = NIL;
    }
    uint32_t x;
    bool removed_black = !pages[z].red;
    if (pages[z].left == NIL) {
        x = pages[z].right;
        transplant(pages, side, z, x);
    } else if (pages[z].right == NIL) {
        x = pages[z].left;
        transplant(pages, side, z, x);
    } else {
        uint32_t y = neighbour(pages, z, false);
        removed_black = !pages[y].red;
        x = pages[y].right;
        if (pages[y].parent == z) {
            pages[x].parent = y;
        } else {
            transplant(pages, side, y, x);
            pages[y].right = pages[z].right;
            pages[pages[y].right].parent = y;
        }
        transplant(pages, side, z, y);
        pages[y].left = pages[z].left;
        pages[pages[y].left].parent = y;
        pages[y].red = pages[z].red;
    }
    if (removed_black) {
        remove_fixup(pages, side, x);
    }
    pages[NIL].parent = NIL;
    pages[z].base = FREE_BASE;
    pages[z].right = engine->free_page;
    engine->free_page = z;
}

/* A page leaves the line, and its tree if it is idle. Where it has left before, or has joined again
 * at another place, its old place names it still: nothing happens then, or it leaves early. */
static void dismiss(matching_engine *engine, uint32_t page)
{
    if (engine->pages[page].in_line) {
        engine->pages[page].in_line = 0;
        if (engine->pages[page].used == 0) {
            take_out(engine, page);
        }
    }
}

/* The line moves on by one. newest: who joins it; NIL: nobody does. */
static void move_line(matching_engine *engine, uint32_t newest)
{
    uint32_t *place = &engine->idle[engine->idle_next++ % IDLE_PAGES];
    uint32_t oldest = *place;
    *place = newest;
    dismiss(engine, oldest);
}

/* A page's last level is gone. */
void page_leave(matching_engine *engine, uint32_t page)
{
    if (!engine->pages[page].in_line) {
        engine->pages[page].in_line = 1;
        move_line(engine, page);
    }
}

/* Takes out the idle pages next to this one, lower or higher: whoever goes from page to page would
 * pass them again and again. */
void page_clear_way(matching_engine *engine, uint32_t page, bool lower)
{
    uint32_t at = neighbour(engine->pages, page, lower);
    while (at != NIL && engine->pages[at].used == 0) {
        uint32_t next = neighbour(engine->pages, at, lower);
        dismiss(engine, at);
        at = next;
    }
}

static bool has_free_page(const matching_engine *engine)
{
    return engine->free_page != NIL || engine->new_pages <= engine->limits.max_levels;
}

/* The page of a price, for a level that is about to exist; `near` leads to it from now on. There
 * are as many pages as levels, so where none is free for a level to come, one is idle. */
uint32_t page_obtain(matching_engine *engine, book_record *book, unsigned kind, int64_t base)
{
    uint32_t parent, page = descend(engine, &book->sides[kind], base, &parent);
    if (page == NIL) {
        if (unlikely(!has_free_page(engine))) {
            for (unsigned i = 0; i < IDLE_PAGES && !has_free_page(engine); i++) {
                move_line(engine, NIL);
            }
            descend(engine, &book->sides[kind], base, &parent);
        }
        page = insert(engine, book, kind, base, parent);
    }
    book->near[kind][base & (NEAR_PAGES - 1)] = page;
    return page;
}
