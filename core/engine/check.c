/* Walks every invariant of the engine's state; for debug builds, tests and tools only. */
#include "engine/orders.h"
#include "engine/stops.h"

#define TREE_DEPTH_MAX 64

/* What a walk over all books has met. */
typedef struct tally {
    uint64_t orders, levels, pages, reserved;
} tally;

static const char *check_order(const matching_engine *engine, uint32_t slot, uint32_t at,
                               const page_record *page)
{
    const order_record *order = &engine->orders[slot];
    const order_extra *extra = &engine->extras[order->extra];
    bool stops = page->kind >= BUY_STOPS;
    int64_t price = stops ? extra->stop_price_ticks : order->price_ticks;
    if (order->level != at || order->side != page->kind % 2 ||
        order->instrument != page->instrument || price != level_price(engine, at) ||
        stops != (order->status == MATCHING_UNTRIGGERED)) {
        return "an order rests at a level that is not its own";
    }
    if (!record_is_working(order) || order->remaining_lots <= 0 ||
        order->remaining_lots > order->quantity_lots) {
        return "an order in a queue is not working";
    }
    if ((order->status == MATCHING_PARTIAL) != (order->remaining_lots < order->quantity_lots) ||
        (order->status == MATCHING_PARTIAL) != (order_notional(engine, slot) != 0)) {
        return "an order's status does not tell its fills";
    }
    bool iceberg = order->flags & ORDER_ICEBERG;
    int64_t visible = visible_lots(engine, order);
    if (iceberg != (extra->display_lots != 0) || visible <= 0 || visible > order->remaining_lots ||
        (iceberg && visible > extra->display_lots)) {
        return "an order shows more or less than it should";
    }
    return order->flags & ORDER_LOADED ? "a stop is still loaded after a command" : NULL;
}

static const char *check_queue(const matching_engine *engine, uint32_t at, tally *met)
{
    const level_record *level = &engine->levels[at];
    matching_wide total = 0, hidden = 0;
    uint32_t count = 0, previous = NO_SLOT;
    for (uint32_t slot = level->head; count < level->orders; slot = engine->links[slot].next) {
        if (slot == NO_SLOT) {
            return "a level's count or tail is wrong";
        }
        const char *broken = check_order(engine, slot, at, &engine->pages[at >> PAGE_BITS]);
        if (broken != NULL) {
            return broken;
        }
        const order_record *order = &engine->orders[slot];
        if (engine->links[slot].prev != previous) {
            return "a queue's links do not agree";
        }
        total += (matching_wide)visible_lots(engine, order);
        hidden += (matching_wide)(order->remaining_lots - visible_lots(engine, order));
        previous = slot;
        count++;
    }
    if (level->tail != previous || engine->links[previous].next != NO_SLOT) {
        return "a level's count or tail is wrong";
    }
    if (total != level_total(level) || hidden != level_hidden(level)) {
        return "a level's total is not the sum of its orders";
    }
    met->orders += count;
    return NULL;
}

/* Whoever uses a level next finds it so. */
static bool is_blank(const level_record *level)
{
    return (level->total_low | level->hidden_low | level->head | level->tail | level->total_high |
            level->hidden_high) == 0;
}

static bool is_in_line(const matching_engine *engine, uint32_t page)
{
    for (uint32_t i = 0; i < IDLE_PAGES; i++) {
        if (engine->idle[i] == page) {
            return true;
        }
    }
    return false;
}

/* The levels of one page, and that its bits tell which there are. */
static const char *check_levels(const matching_engine *engine, uint32_t at, tally *met)
{
    const page_record *page = &engine->pages[at];
    const book_record *book = &engine->books[page->instrument];
    if ((page->used == 0 && !page->in_line) || page->used >> (PAGE_LEVELS - 1) > 1) {
        return "a page without levels is not idle, or has more than it can";
    }
    if (page->in_line && !is_in_line(engine, at)) {
        return "an idle page was lost";
    }
    for (uint32_t i = 0; i < PAGE_LEVELS; i++) {
        uint32_t level = at << PAGE_BITS | i;
        if ((page->used >> i & 1) != (engine->levels[level].orders != 0)) {
            return "a page's bits are not its levels";
        }
        if (engine->levels[level].orders == 0) {
            if (!is_blank(&engine->levels[level])) {
                return "a level without orders is not blank";
            }
            continue;
        }
        const char *broken = check_queue(engine, level, met);
        if (broken != NULL) {
            return broken;
        }
        if (level_find(engine, book, page->kind, level_price(engine, level)) != level) {
            return "a level cannot be found by its price";
        }
        met->levels++;
    }
    return NULL;
}

/* The red-black rules for one page: links, colours, and black pages on the way up to the root. */
static const char *check_page(const matching_engine *engine, uint32_t at, int *blacks_wanted)
{
    const page_record *pages = engine->pages, *page = &pages[at];
    if ((page->left != 0 && pages[page->left].parent != at) ||
        (page->right != 0 && pages[page->right].parent != at)) {
        return "a tree's links do not agree";
    }
    if (page->red && (pages[page->left].red || pages[page->right].red)) {
        return "a red page has a red child";
    }
    if (page->left != 0 && page->right != 0) {
        return NULL;
    }
    int blacks = 0, depth = 0;
    for (uint32_t up = at; up != 0; up = pages[up].parent) {
        blacks += !pages[up].red;
        if (++depth > TREE_DEPTH_MAX) {
            return "a tree is too deep";
        }
    }
    if (*blacks_wanted >= 0 && blacks != *blacks_wanted) {
        return "a tree's paths differ in black pages";
    }
    *blacks_wanted = blacks;
    return NULL;
}

/* The pages of a side by falling or rising price, from the first one on. */
static const char *check_pages(const matching_engine *engine, uint32_t instrument, unsigned kind,
                               uint32_t first, tally *met)
{
    const page_record *pages = engine->pages;
    int blacks_wanted = -1;
    int64_t previous = 0;
    for (uint32_t at = first; at != 0; at = page_next(engine, at, best_is_highest(kind))) {
        const page_record *page = &pages[at];
        if (page->kind != kind || page->instrument != instrument) {
            return "a page is in a tree that is not its own";
        }
        if (at != first &&
            (best_is_highest(kind) ? page->base >= previous : page->base <= previous)) {
            return "pages are out of order";
        }
        previous = page->base;
        if (++met->pages > engine->limits.max_levels) {
            return "more pages in trees than there are";
        }
        const char *broken = check_page(engine, at, &blacks_wanted);
        if (broken == NULL) {
            broken = check_levels(engine, at, met);
        }
        if (broken != NULL) {
            return broken;
        }
    }
    return NULL;
}

static const char *check_near(const matching_engine *engine, uint32_t instrument, unsigned kind)
{
    for (uint32_t i = 0; i < NEAR_PAGES; i++) {
        uint32_t at = engine->books[instrument].near[kind][i];
        if (at != 0 && (engine->pages[at].base < 0 || engine->pages[at].kind != kind ||
                        engine->pages[at].instrument != instrument ||
                        (engine->pages[at].base & (NEAR_PAGES - 1)) != i)) {
            return "a short cut leads to a page that is not the side's";
        }
    }
    return NULL;
}

/* The best level is the extreme one of the first page that has any. */
static const char *check_best(const matching_engine *engine, const book_side *side, unsigned kind,
                              uint32_t first)
{
    bool highest = best_is_highest(kind);
    while (first != 0 && engine->pages[first].used == 0) {
        first = page_next(engine, first, highest);
    }
    if (first == 0) {
        return side->best == 0 && side->best_ticks == (highest ? 0 : BEYOND_PRICES)
                   ? NULL
                   : "a side without levels has a best one";
    }
    uint64_t used = engine->pages[first].used;
    uint32_t extreme = (uint32_t)(highest ? 63 - __builtin_clzll(used) : __builtin_ctzll(used));
    return side->best == (first << PAGE_BITS | extreme) &&
                   side->best_ticks == level_price(engine, side->best)
               ? NULL
               : "a side's best level is not its extreme";
}

static const char *check_side(const matching_engine *engine, uint32_t instrument, unsigned kind,
                              tally *met)
{
    const page_record *pages = engine->pages;
    const book_side *side = &engine->books[instrument].sides[kind];
    bool highest = best_is_highest(kind);
    if (pages[side->root].red || pages[0].red) {
        return "a tree's root or nil is red";
    }
    if (pages[side->root].parent != 0) {
        return "a tree's links do not agree";
    }
    uint32_t first = side->root, depth = 0;
    for (uint32_t next = first; next != 0; next = highest ? pages[next].right : pages[next].left) {
        if (++depth > TREE_DEPTH_MAX) {
            return "a tree is too deep";
        }
        first = next;
    }
    const char *broken = check_pages(engine, instrument, kind, first, met);
    if (broken == NULL) {
        broken = check_best(engine, side, kind, first);
    }
    return broken != NULL ? broken : check_near(engine, instrument, kind);
}

static const char *check_list(const matching_engine *engine, uint32_t trader, uint64_t *working)
{
    uint64_t newest = 0;
    uint32_t list = engine->lists + trader, previous = list;
    for (uint32_t slot = trader_first(engine, trader); slot != NO_SLOT;
         slot = trader_after(engine, slot)) {
        const order_record *order = &engine->orders[slot];
        if (order->trader != trader || !record_is_working(order)) {
            return "a trader's list holds what is not its order";
        }
        if (order->order_id <= newest || ++*working > working_count(engine)) {
            return "a trader's orders are not by age";
        }
        if (engine->links[slot].older != previous) {
            return "the links of a trader's list do not agree";
        }
        newest = order->order_id;
        previous = slot;
    }
    return engine->links[previous].newer == list && engine->links[list].older == previous
               ? NULL
               : "a trader's list has a wrong end";
}

static const char *check_traders(const matching_engine *engine)
{
    uint64_t working = 0;
    for (uint32_t trader = 1; trader <= engine->trader_count; trader++) {
        if (trader_find(engine, engine->traders[trader].name) != trader) {
            return "a trader cannot be found by its name";
        }
        if (engine->traders[trader].watch != matching_watch_bucket(engine->traders[trader].name)) {
            return "a trader is watched by another's name";
        }
        const char *broken = check_list(engine, trader, &working);
        if (broken != NULL) {
            return broken;
        }
    }
    return working == working_count(engine) ? NULL : "traders' lists miss working orders";
}

/* Does an order like this one need what only some orders have? */
static bool needs_extra(const order_record *order)
{
    return (order->flags & (ORDER_ICEBERG | ORDER_HAS_CLIENT_ID)) != 0 ||
           order->type == MATCHING_STOP || order->type == MATCHING_STOP_LIMIT ||
           order->time_in_force == MATCHING_GTD;
}

/* One of the last retained_orders that ended. Of older ones nothing is promised: where two had the
 * same client id, the newer's slot may be used again first, and takes the key with it. */
static bool is_retained(const matching_engine *engine, const order_record *order)
{
    return engine->ended_count - order->end_mark <= engine->limits.retained_orders;
}

static const char *check_slot(const matching_engine *engine, uint32_t slot)
{
    const order_record *order = &engine->orders[slot];
    const order_extra *extra = &engine->extras[order->extra];
    bool working = record_is_working(order);
    if (order_find(engine, order->order_id) != slot) {
        return "an order cannot be found by its id";
    }
    if ((order->extra != 0) != needs_extra(order)) {
        return "an order has an extra for nothing, or lacks one";
    }
    if (!working && order->end_mark >= engine->ended_count) {
        return "an order is to end in the future";
    }
    if (working && order->time_in_force == MATCHING_GTD && extra->expiry_at == 0) {
        return "a good-till-date order would never expire";
    }
    if (working && order->level == 0) {
        return "an order works outside the book";
    }
    if (((order->flags & ORDER_HAS_CLIENT_ID) != 0) != (extra->client_order_id[0] != 0)) {
        return "an order has a client id that it does not know of, or the reverse";
    }
    if (order->flags & ORDER_HAS_CLIENT_ID) {
        uint32_t found =
            client_find(engine, order->trader, order->instrument, extra->client_order_id);
        if (working ? found != slot : is_retained(engine, order) && found == NO_SLOT) {
            return "an order cannot be found by its client id";
        }
    }
    return NULL;
}

static const char *check_slots(const matching_engine *engine)
{
    uint64_t working = 0, extras = 0, free_extras = 0;
    uint32_t in_group = 0;
    for (uint32_t slot = 1; slot <= engine->last_slot; slot++) {
        const order_record *order = &engine->orders[slot];
        const char *broken = order->order_id != 0 ? check_slot(engine, slot) : NULL;
        if (broken != NULL) {
            return broken;
        }
        bool works = order->order_id != 0 && record_is_working(order);
        working += works;
        in_group += works;
        extras += order->extra != 0;
        if (slot == engine->last_slot || (slot + 1) % (1u << GROUP_BITS) == 0) {
            uint8_t is_full = engine->full_groups[slot >> GROUP_BITS];
            if (is_full > 1 || (is_full && in_group != 1u << GROUP_BITS)) {
                return "a group is passed though it is not full of working orders";
            }
            in_group = 0;
        }
    }
    for (uint32_t at = engine->free_extra; at != 0; at = engine->extras[at].expiry_at) {
        if (++free_extras > engine->last_slot) {
            return "the free list of extras runs in a circle";
        }
    }
    if (extras + free_extras + 1 != engine->new_extras) {
        return "extras were lost";
    }
    return working == working_count(engine) ? NULL : "the count of working orders is wrong";
}

/* Each entry of the client table leads to an order that has its key. */
static const char *check_clients(const matching_engine *engine)
{
    for (uint64_t at = 0; at <= engine->client_mask; at++) {
        uint32_t slot = engine->client_table[at];
        const order_record *order = &engine->orders[slot];
        if (slot != NO_SLOT && (!(order->flags & ORDER_HAS_CLIENT_ID) ||
                                client_find(engine, order->trader, order->instrument,
                                            extra_of(engine, slot)->client_order_id) != slot)) {
            return "a client id leads to an order that does not have it";
        }
    }
    return NULL;
}

static const char *check_expiry(const matching_engine *engine)
{
    for (uint32_t at = 1; at <= engine->expiry_count; at++) {
        uint32_t slot = engine->expiry_heap[at];
        const order_extra *extra = extra_of(engine, slot);
        if (extra->expiry_at != at || !record_is_working(&engine->orders[slot]) ||
            engine->orders[slot].time_in_force != MATCHING_GTD) {
            return "the expiry heap holds what does not expire";
        }
        uint32_t above = engine->expiry_heap[at / 2];
        uint64_t earlier = extra_of(engine, above)->expire_time_ms;
        if (at > 1 && (earlier > extra->expire_time_ms ||
                       (earlier == extra->expire_time_ms &&
                        engine->orders[above].order_id > engine->orders[slot].order_id))) {
            return "the expiry heap is out of order";
        }
    }
    uint64_t next_ms = matching_engine_next_expiry(engine);
    uint64_t next_ns =
        next_ms != 0 && next_ms < UINT64_MAX / 1000000 ? next_ms * 1000000 : UINT64_MAX;
    return engine->next_expiry_ns == next_ns ? NULL : "the time of the next expiry is wrong";
}

/* After a command no stop waits whose condition holds, and the cascade has left nothing behind.
 * *reserved: levels that waiting stop-limit orders may need. */
static const char *check_stops(const matching_engine *engine, uint64_t *reserved)
{
    for (uint32_t i = 1; i <= engine->last_slot; i++) {
        const order_record *order = &engine->orders[i];
        if (order->order_id == 0 || order->status != MATCHING_UNTRIGGERED) {
            continue;
        }
        const book_record *book = &engine->books[order->instrument];
        int64_t last = book->last_price_ticks, stop = extra_of(engine, i)->stop_price_ticks;
        *reserved += order->type == MATCHING_STOP_LIMIT;
        if (book->state == MATCHING_TRADING && last != 0 &&
            (order->side == MATCHING_BUY ? last >= stop : last <= stop)) {
            return "a stop waits though its price has come";
        }
    }
    return engine->trigger_count == 0 ? NULL : "a cascade has not come to its end";
}

/* Pages are in trees or on their free list. */
static const char *check_pools(const matching_engine *engine, const tally *met)
{
    uint64_t free_pages = 0;
    for (uint32_t at = engine->free_page; at != 0; at = engine->pages[at].right) {
        if (++free_pages > engine->limits.max_levels || engine->pages[at].base != -1) {
            return "the free list of pages is broken";
        }
        if (engine->pages[at].in_line) {
            return "a free page is in line";
        }
        for (uint32_t i = 0; i < PAGE_LEVELS; i++) {
            if (!is_blank(&engine->levels[at << PAGE_BITS | i])) {
                return "a level of a free page is not blank";
            }
        }
    }
    for (uint32_t i = 0; i < IDLE_PAGES; i++) {
        if (engine->idle[i] >= engine->new_pages) {
            return "a page is in line that was never used";
        }
    }
    if ((int64_t)(met->levels + met->reserved) !=
            (int64_t)engine->limits.max_levels - engine->levels_left ||
        engine->levels_left < 0 || met->pages + free_pages + 1 != engine->new_pages) {
        return "levels or pages were lost";
    }
    return NULL;
}

/* Number 0 of everything is none, and is read as such. */
static const char *check_none(const matching_engine *engine)
{
    static const order_extra blank;
    bool sound = engine->orders[0].order_id == 0 && engine->pages[0].base == -1 &&
                 engine->pages[0].used == 0 && engine->links[engine->lists].newer == NO_SLOT &&
                 memcmp(&engine->extras[0], &blank, sizeof blank) == 0;
    return sound ? NULL : "what stands for none is in use";
}

const char *matching_engine_check(const matching_engine *engine)
{
    tally met = {0};
    for (uint32_t i = 0; i < engine->limits.instruments; i++) {
        for (unsigned kind = 0; kind < KINDS; kind++) {
            const char *broken = check_side(engine, i, kind, &met);
            if (broken != NULL) {
                return broken;
            }
        }
        const book_record *book = &engine->books[i];
        if (book->state == MATCHING_TRADING && book_is_crossed(engine, (uint16_t)i)) {
            return "a book is crossed";
        }
        if (book->is_plain != (book->state == MATCHING_TRADING && !has_stops(book))) {
            return "a book is taken for plainer than it is, or the reverse";
        }
    }
    if (met.orders != working_count(engine)) {
        return "working orders and orders in queues differ";
    }
    const char *broken = check_none(engine);
    if (broken == NULL) {
        broken = check_traders(engine);
    }
    if (broken == NULL) {
        broken = check_expiry(engine);
    }
    if (broken == NULL) {
        broken = check_stops(engine, &met.reserved);
    }
    if (broken == NULL) {
        broken = check_slots(engine);
    }
    if (broken == NULL) {
        broken = check_clients(engine);
    }
    return broken != NULL ? broken : check_pools(engine, &met);
}
