/* Tests of matching_engine_check: a check that never fails is worth nothing, so each thing that it
 * can say is provoked by breaking a sound state by hand.
 */
#include "engine/orders.h"
#include "fixture.h"
#include "support/cunit_main.h"

static fixture f;
static matching_engine *e;
static uint32_t bids[10]; /* slots; numbers 6, 7 and 9 are at the best price */
static uint32_t ask, ended, iceberg, stop, dated;

static uint32_t slot_of(matching_command command)
{
    return order_find(e, accepted(&f, command).order_id);
}

/* Bids on seven pages, an ask, an iceberg, two stops, two orders that expire, and an order that has
 * ended and leaves an idle page behind. */
static void begin(void)
{
    matching_engine_limits limits = fixture_limits();
    limits.max_levels += IDLE_PAGES;
    fixture_init_alone(&f, &limits);
    e = f.engine;
    for (int i = 0; i < 10; i++) {
        static const int bases[10] = {100, 97, 103, 95, 98, 101, 104, 104, 97, 104};
        matching_command command =
            limit_order(i % 2 == 0 ? "a" : "b", MATCHING_BUY, bases[i] << PAGE_BITS, 10 + i);
        if (i == 7) {
            set_client_id(&command, "x");
        }
        bids[i] = slot_of(command);
    }
    ask = slot_of(limit_order("a", MATCHING_SELL, (104 << PAGE_BITS) + 5, 5));
    iceberg = slot_of(iceberg_order("b", MATCHING_SELL, 5000, 10, 4));
    matching_command later = stop_order("b", MATCHING_BUY, 6000, 3000, 5);
    later.time_in_force = MATCHING_GTD;
    later.expire_time_ms = now_ms(&f) + 1000;
    stop = slot_of(later);
    slot_of(stop_order("b", MATCHING_SELL, 100, 0, 5));
    later = limit_order("b", MATCHING_SELL, 5100, 3);
    later.time_in_force = MATCHING_GTD;
    later.expire_time_ms = now_ms(&f) + 2000;
    dated = slot_of(later);
    matching_command gone = limit_order("c", MATCHING_SELL, 7000, 5);
    set_client_id(&gone, "z");
    ended = slot_of(gone);
    accepted(&f, cancel_by_id(e->orders[ended].order_id));
    CU_ASSERT_PTR_NULL(matching_engine_check(e));
}

/* So many pages are emptied that one leaves the line of the idle ones. */
static void free_a_page(void)
{
    for (unsigned i = 0; i < IDLE_PAGES && e->free_page == 0; i++) {
        matching_command gone = limit_order("c", MATCHING_SELL, (400 + i) << PAGE_BITS, 5);
        accepted(&f, cancel_by_id(accepted(&f, gone).order_id));
    }
}

/* Ends a test: the damage must have been found, with these words. */
static void found(const char *words, int line)
{
    const char *broken = matching_engine_check(e);
    bool right = broken != NULL && strcmp(broken, words) == 0;
    if (!right) {
        printf("\n    line %d: wanted \"%s\", found \"%s\"", line, words,
               broken != NULL ? broken : "nothing");
    }
    CU_ASSERT_TRUE(right);
    fixture_fini(&f);
}

#define FINDS(words, damage)                                                                       \
    do {                                                                                           \
        begin();                                                                                   \
        damage;                                                                                    \
        found(words, __LINE__);                                                                    \
    } while (0)

static book_side *side(void)
{
    return &e->books[0].sides[BIDS];
}

static level_record *best(void)
{
    return &e->levels[side()->best];
}

static page_record *page_of(uint32_t slot)
{
    return &e->pages[e->orders[slot].level >> PAGE_BITS];
}

static uint32_t page_number(uint32_t slot)
{
    return e->orders[slot].level >> PAGE_BITS;
}

static order_extra *extra(uint32_t slot)
{
    return &e->extras[e->orders[slot].extra];
}

static void test_a_sound_engine_passes(void)
{
    begin();
    CU_ASSERT_PTR_NULL(matching_engine_check(e));
    CU_ASSERT_EQUAL(side()->best_ticks, 104 << PAGE_BITS);
    CU_ASSERT_EQUAL(best()->orders, 3);
    CU_ASSERT_EQUAL(e->free_page, 0);
    free_a_page();
    CU_ASSERT_NOT_EQUAL(e->free_page, 0);
    CU_ASSERT_PTR_NULL(matching_engine_check(e));
    fixture_fini(&f);
}

static void test_broken_orders_are_found(void)
{
    const char *strays = "an order rests at a level that is not its own";
    FINDS(strays, e->orders[bids[6]].price_ticks++);
    FINDS(strays, e->orders[bids[6]].side = MATCHING_SELL);
    FINDS(strays, e->orders[bids[6]].instrument = 1);
    FINDS(strays, e->orders[bids[6]].level++);
    FINDS(strays, e->orders[bids[6]].status = MATCHING_UNTRIGGERED);
    FINDS(strays, e->orders[stop].status = MATCHING_OPEN);
    FINDS(strays, extra(stop)->stop_price_ticks++);

    const char *idle = "an order in a queue is not working";
    FINDS(idle, e->orders[bids[7]].status = MATCHING_CANCELLED);
    FINDS(idle, e->orders[bids[7]].remaining_lots = 0);
    FINDS(idle, e->orders[bids[7]].remaining_lots++);

    const char *fills = "an order's status does not tell its fills";
    FINDS(fills, e->orders[bids[7]].status = MATCHING_PARTIAL);
    FINDS(fills, e->orders[bids[7]].remaining_lots--);
    FINDS(fills, e->histories[bids[7]].surplus = 1);

    const char *shows = "an order shows more or less than it should";
    FINDS(shows, extra(iceberg)->visible_lots = 0);
    FINDS(shows, extra(iceberg)->visible_lots = 5);
    FINDS(shows, e->orders[iceberg].flags &= (uint8_t)~ORDER_ICEBERG);
    FINDS(shows, e->orders[bids[6]].flags |= ORDER_ICEBERG);
    FINDS(shows, extra(bids[7])->display_lots = 50);

    FINDS("a stop is still loaded after a command", e->orders[stop].flags |= ORDER_LOADED);
}

static void test_broken_queues_are_found(void)
{
    FINDS("a queue's links do not agree", e->links[bids[7]].prev = bids[9]);
    const char *count = "a level's count or tail is wrong";
    FINDS(count, best()->tail = bids[7]);
    FINDS(count, best()->orders++);
    FINDS(count, best()->orders--);
    FINDS(count, e->links[bids[9]].next = bids[0]);
    const char *total = "a level's total is not the sum of its orders";
    FINDS(total, best()->total_low--);
    FINDS(total, best()->total_high++);
    FINDS(total, e->levels[e->orders[iceberg].level].hidden_low++);
    FINDS(total, e->levels[e->orders[iceberg].level].hidden_high++);
    FINDS(total, extra(iceberg)->visible_lots--);
}

static void test_broken_pages_are_found(void)
{
    const char *empty = "a page without levels is not idle, or has more than it can";
    FINDS(empty, page_of(bids[1])->used = 0);
    FINDS(empty, page_of(bids[1])->used |= 1ull << PAGE_LEVELS);
    FINDS("a page's bits are not its levels", page_of(bids[1])->used |= 1u << 7);
    FINDS("a page's bits are not its levels", e->levels[e->orders[bids[1]].level + 1].orders = 1);
    const char *blank = "a level without orders is not blank";
    FINDS(blank, e->levels[e->orders[bids[1]].level + 1].head = 1);
    FINDS(blank, e->levels[e->orders[bids[1]].level + 1].tail = 1);
    FINDS(blank, e->levels[e->orders[bids[1]].level + 1].total_low = 1);
    FINDS(blank, e->levels[e->orders[bids[1]].level + 1].total_high = 1);
    FINDS(blank, e->levels[e->orders[bids[1]].level + 1].hidden_low = 1);
    FINDS(blank, e->levels[e->orders[bids[1]].level + 1].hidden_high = 1);
    FINDS("a level cannot be found by its price",
          e->books[0].near[BIDS][104 % NEAR_PAGES] = page_number(ask));
    const char *near = "a short cut leads to a page that is not the side's";
    FINDS(near, e->books[0].near[BIDS][96 % NEAR_PAGES] = page_number(bids[1]));
    FINDS(near, e->books[0].near[SELL_STOPS][97 % NEAR_PAGES] = page_number(bids[1]));
    FINDS(near, e->books[1].near[BIDS][97 % NEAR_PAGES] = page_number(bids[1]));
    FINDS(near, free_a_page(); e->books[0].near[ASKS][NEAR_PAGES - 1] = e->free_page);
}

static void test_broken_sides_are_found(void)
{
    const char *root = "a tree's root or nil is red";
    FINDS(root, e->pages[side()->root].red = 1);
    FINDS(root, e->pages[0].red = 1);
    const char *none = "a side without levels has a best one";
    FINDS(none, e->books[1].sides[ASKS].best = side()->best);
    FINDS(none, e->books[1].sides[BIDS].best_ticks = 5);
    FINDS(none, e->books[1].sides[ASKS].best_ticks = 0);
    const char *best_level = "a side's best level is not its extreme";
    FINDS(best_level, side()->best = 0);
    FINDS(best_level, side()->best = e->orders[bids[2]].level);
    FINDS(best_level, side()->best_ticks++);
}

static void test_broken_trees_are_found(void)
{
    const char *links = "a tree's links do not agree";
    FINDS(links, e->pages[side()->root].parent = page_number(bids[1]));
    FINDS(links, e->pages[page_of(bids[1])->left].parent = side()->root);
    FINDS(links, e->pages[e->pages[e->books[0].sides[ASKS].root].right].parent = 0);
    FINDS("a red page has a red child", page_of(bids[2])->red = 1);
    FINDS("a tree's paths differ in black pages", page_of(bids[3])->red = 0);
    FINDS("a tree is too deep", e->pages[side()->root].right = side()->root);
    FINDS("a tree is too deep", page_of(bids[6])->parent = page_number(bids[6]));
    FINDS("a page is in a tree that is not its own", page_of(bids[1])->instrument = 1);
    FINDS("a page is in a tree that is not its own", page_of(bids[1])->kind = SELL_STOPS);
    FINDS("pages are out of order", page_of(bids[1])->base = 200);
    FINDS("more pages in trees than there are", e->limits.max_levels = 3);
}

static void test_broken_pools_are_found(void)
{
    const char *list = "the free list of pages is broken";
    FINDS(list, free_a_page(); e->pages[e->free_page].base = 7);
    FINDS(list, free_a_page(); e->pages[e->free_page].right = e->free_page);
    FINDS("a level of a free page is not blank", free_a_page();
          e->levels[(e->free_page << PAGE_BITS) + 31].total_low = 1);
    const char *lost = "levels or pages were lost";
    FINDS(lost, free_a_page(); e->free_page = 0);
    FINDS(lost, e->new_pages++);
    FINDS(lost, e->levels_left--);
    FINDS(lost, e->levels_left++);
    FINDS(lost, e->orders[stop].type = MATCHING_STOP); /* nobody needs the level kept for it */
    FINDS(lost, slot_of(limit_order("c", MATCHING_BUY, (97 << PAGE_BITS) + 1, 1));
          e->limits.max_levels -= (uint64_t)e->levels_left + 1; e->levels_left = -1);
    FINDS("a page is in line that was never used", e->idle[7] = e->new_pages);
    FINDS("a free page is in line", free_a_page(); e->pages[e->free_page].in_line = 1);
    FINDS("an idle page was lost", e->idle[0] = 0);
    FINDS("an idle page was lost", page_of(bids[1])->in_line = 1);
    FINDS("the free list of extras runs in a circle",
          (e->free_extra = e->orders[bids[7]].extra, extra(bids[7])->expiry_at = e->free_extra));
    FINDS("extras were lost", e->new_extras++);
    FINDS("extras were lost", e->free_extra = e->orders[bids[7]].extra);
    FINDS("working orders and orders in queues differ", e->full_at--);
    const char *passed = "a group is passed though it is not full of working orders";
    FINDS(passed, e->full_groups[0] = 1);
    FINDS(passed, e->full_groups[0] = 2);
    const char *none = "what stands for none is in use";
    FINDS(none, e->orders[0].order_id = 1);
    FINDS(none, e->pages[0].base = 3);
    FINDS(none, e->pages[0].used = 1);
    FINDS(none, e->links[e->lists].newer = 1);
    FINDS(none, e->extras[0].visible_lots = 1);
}

static void test_broken_books_are_found(void)
{
    FINDS("a book is crossed", (e->books[0].state = MATCHING_AUCTION, e->books[0].is_plain = 0,
                                accepted(&f, limit_order("a", MATCHING_BUY, 5000, 1)),
                                e->books[0].state = MATCHING_TRADING));
    const char *plain = "a book is taken for plainer than it is, or the reverse";
    FINDS(plain, e->books[0].is_plain = 1); /* it has a stop */
    FINDS(plain, e->books[1].is_plain = 0);
    FINDS(plain, e->books[1].state = MATCHING_HALTED);
}

static void test_broken_waiting_orders_are_found(void)
{
    FINDS("a stop waits though its price has come", e->books[0].last_price_ticks = 6000);
    FINDS("a stop waits though its price has come", e->books[0].last_price_ticks = 100);
    FINDS("a cascade has not come to its end", e->trigger_count = 1);
    FINDS("a good-till-date order would never expire",
          (extra(stop)->expiry_at = 0, extra(dated)->expiry_at = 0, e->expiry_count = 0,
           e->next_expiry_ns = UINT64_MAX));
    const char *holds = "the expiry heap holds what does not expire";
    FINDS(holds, e->orders[stop].time_in_force = MATCHING_GTC);
    FINDS(holds, e->expiry_heap[1] = ended);
    FINDS(holds, extra(stop)->expiry_at = 2);
    FINDS("the expiry heap is out of order", extra(stop)->expire_time_ms += 5000);
    FINDS("the expiry heap is out of order", /* at one time the lower id comes first */
          (extra(stop)->expire_time_ms = extra(dated)->expire_time_ms, e->expiry_heap[1] = dated,
           extra(dated)->expiry_at = 1, e->expiry_heap[2] = stop, extra(stop)->expiry_at = 2));
    FINDS("the time of the next expiry is wrong", e->next_expiry_ns++);
    FINDS("the time of the next expiry is wrong", e->next_expiry_ns = UINT64_MAX);
}

static uint32_t list_of(uint32_t slot)
{
    return e->lists + e->orders[slot].trader;
}

static void test_broken_traders_are_found(void)
{
    FINDS("a trader cannot be found by its name", e->traders[1].name[0] = 'z');
    FINDS("a trader is watched by another's name", e->traders[1].watch ^= 1);
    const char *holds = "a trader's list holds what is not its order";
    FINDS(holds, e->orders[bids[2]].trader = 2);
    FINDS(holds, e->links[bids[0]].newer = bids[1]);
    FINDS(holds, e->links[bids[0]].newer = ended);
    FINDS("a trader's orders are not by age", e->links[bids[2]].newer = bids[0]);
    const char *links = "the links of a trader's list do not agree";
    FINDS(links, e->links[bids[2]].older = bids[4]);
    FINDS(links, e->links[bids[0]].newer = bids[4]);
    const char *end = "a trader's list has a wrong end";
    FINDS(end, e->links[list_of(bids[0])].older = bids[0]);
    FINDS(end, e->links[bids[2]].newer = NO_SLOT);
    FINDS("traders' lists miss working orders",
          e->links[list_of(bids[0])].newer = e->links[list_of(bids[0])].older = list_of(bids[0]));
}

static void test_broken_slots_are_found(void)
{
    FINDS("an order cannot be found by its id", e->orders[ended].order_id += 4);
    FINDS("an order is to end in the future", e->orders[ended].end_mark = e->ended_count);
    FINDS("an order works outside the book",
          (e->orders[ended].status = MATCHING_OPEN, e->orders[ended].level = 0));
    FINDS("the count of working orders is wrong",
          (e->orders[ended].status = MATCHING_OPEN, e->orders[ended].level = 1));
    const char *extras = "an order has an extra for nothing, or lacks one";
    FINDS(extras, e->orders[bids[0]].flags |= ORDER_HAS_CLIENT_ID);
    FINDS(extras, e->orders[bids[7]].flags &= (uint8_t)~ORDER_HAS_CLIENT_ID);
    FINDS(extras, e->orders[ask].type = MATCHING_STOP);
    const char *knows = "an order has a client id that it does not know of, or the reverse";
    FINDS(knows, extra(bids[7])->client_order_id[0] = 0);
    FINDS(knows, extra(iceberg)->client_order_id[0] = 'y');
    FINDS("an order cannot be found by its client id", extra(bids[7])->client_order_id[0] = 'y');
    FINDS("an order cannot be found by its client id", extra(ended)->client_order_id[0] = 'w');
    uint64_t free_place = 0;
    FINDS("a client id leads to an order that does not have it", {
        while (e->client_table[free_place] != 0) {
            free_place++;
        }
        e->client_table[free_place] = bids[0];
    });
}

MATCHING_TESTS(
    MATCHING_TEST(test_a_sound_engine_passes), MATCHING_TEST(test_broken_orders_are_found),
    MATCHING_TEST(test_broken_queues_are_found), MATCHING_TEST(test_broken_pages_are_found),
    MATCHING_TEST(test_broken_sides_are_found), MATCHING_TEST(test_broken_trees_are_found),
    MATCHING_TEST(test_broken_pools_are_found), MATCHING_TEST(test_broken_books_are_found),
    MATCHING_TEST(test_broken_waiting_orders_are_found),
    MATCHING_TEST(test_broken_traders_are_found), MATCHING_TEST(test_broken_slots_are_found))
