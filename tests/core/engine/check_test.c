/* Tests of matching_engine_check: a check that never fails is worth nothing, so each invariant is
 * broken by hand and must be found.
 */
#include "engine/engine_internal.h"
#include "fixture.h"
#include "support/cunit_main.h"

static fixture f;
static uint32_t slots[12]; /* of the orders made below */

static uint32_t slot_of(uint64_t order_id)
{
    return order_find(f.engine, order_id);
}

/* Ten bids on seven levels (two of them on the best), an ask, and one order that ended. */
static void begin(void)
{
    matching_engine_limits limits = fixture_limits();
    fixture_init(&f, &limits);
    for (int i = 0; i < 10; i++) {
        static const int prices[10] = {100, 97, 103, 95, 98, 101, 104, 104, 97, 104};
        matching_command command =
            limit_order(i % 2 == 0 ? "a" : "b", MATCHING_BUY, prices[i], 10 + i);
        if (i == 7) {
            set_client_id(&command, "x");
        }
        slots[i] = slot_of(accepted(&f, command).order_id);
    }
    slots[10] = slot_of(accepted(&f, limit_order("a", MATCHING_SELL, 200, 5)).order_id);
    slots[11] = slot_of(accepted(&f, limit_order("a", MATCHING_SELL, 300, 5)).order_id);
    accepted(&f, cancel_by_id(f.engine->orders[slots[11]].order_id));
}

/* Ends a test: the damage must have been found, with these words. */
static void found(const char *words)
{
    const char *broken = matching_engine_check(f.engine);
    CU_ASSERT_PTR_NOT_NULL(broken);
    if (broken != NULL && strcmp(broken, words) != 0) {
        printf("\n    wanted \"%s\", found \"%s\"", words, broken);
    }
    CU_ASSERT_TRUE(broken != NULL && strcmp(broken, words) == 0);
    fixture_fini(&f);
}

static book_side *bids(void)
{
    return &f.engine->books[0].sides[MATCHING_BUY];
}

static level_record *best_bid(void)
{
    return &f.engine->levels[bids()->best];
}

static void test_a_sound_engine_passes(void)
{
    begin();
    CU_ASSERT_PTR_NULL(matching_engine_check(f.engine));
    CU_ASSERT_EQUAL(best_bid()->price_ticks, 104);
    CU_ASSERT_EQUAL(best_bid()->orders, 3);
    fixture_fini(&f);
}

static void test_broken_queues_are_found(void)
{
    begin();
    f.engine->orders[slots[6]].price_ticks = 105;
    found("an order rests at a level that is not its own");
    begin();
    f.engine->orders[slots[6]].side = MATCHING_SELL;
    found("an order rests at a level that is not its own");
    begin();
    f.engine->orders[slots[7]].prev = slots[9];
    found("a queue's links do not agree");
    begin();
    f.engine->orders[slots[7]].status = MATCHING_CANCELLED;
    found("an order in a queue is not working");
    begin();
    f.engine->orders[slots[7]].remaining_lots = 0;
    found("an order in a queue is not working");
    begin();
    f.engine->orders[slots[7]].status = MATCHING_PARTIAL;
    found("an order's status does not tell its fills");
    begin();
    f.engine->extras[slots[7]].notional = 1;
    found("an order's status does not tell its fills");
    begin();
    best_bid()->tail = slots[7];
    found("a level's count or tail is wrong, or it is empty");
    begin();
    best_bid()->orders++;
    found("a level's count or tail is wrong, or it is empty");
    begin();
    best_bid()->orders--;
    found("a queue is longer than its level says");
    begin();
    best_bid()->total_lots--;
    found("a level's total is not the sum of its orders");
}

static void test_broken_trees_are_found(void)
{
    begin();
    f.engine->levels[bids()->root].red = 1;
    found("a tree's root or nil is red");
    begin();
    f.engine->levels[0].red = 1;
    found("a tree's root or nil is red");
    begin();
    uint32_t left = f.engine->levels[bids()->root].left;
    f.engine->levels[left].red = !f.engine->levels[left].red;
    const char *broken = matching_engine_check(f.engine);
    CU_ASSERT_TRUE(broken != NULL &&
                   (strcmp(broken, "a red level has a red child") == 0 ||
                    strcmp(broken, "a tree's paths differ in black levels") == 0));
    fixture_fini(&f);
    begin();
    best_bid()->price_ticks = 99;
    for (uint32_t slot = best_bid()->head; slot != NO_SLOT; slot = f.engine->orders[slot].next) {
        f.engine->orders[slot].price_ticks = 99;
    }
    found("a level cannot be found by its price");
    begin();
    bids()->best = level_worse(f.engine, MATCHING_BUY, bids()->best);
    found("a side's best level is not its extreme");
    begin();
    bids()->best = 0;
    found("a side has a best level and no tree, or the reverse");
    begin();
    best_bid()->instrument = 1;
    found("a level is in a tree that is not its own");
}

static void test_broken_counts_are_found(void)
{
    begin();
    f.engine->used_levels--;
    found("more levels in trees than are in use");
    begin();
    f.engine->used_levels++;
    found("levels were lost");
    begin();
    f.engine->free_level = f.engine->levels[f.engine->free_level].right;
    found("levels were lost");
    begin();
    f.engine->levels[f.engine->free_level].right = f.engine->free_level;
    found("the free list of levels runs in a circle");
    begin();
    f.engine->working_count++;
    found("working orders and orders in queues differ");
}

static void test_a_crossed_book_is_found(void)
{
    begin();
    level_record *ask = &f.engine->levels[f.engine->books[0].sides[MATCHING_SELL].best];
    ask->price_ticks = f.engine->orders[slots[10]].price_ticks = 104;
    found("a book is crossed");
}

static void test_broken_waiting_orders_are_found(void)
{
    static const char *const words[] = {
        "a stop waits though its price has come",     "levels for stop-limit orders are not kept",
        "a cascade has not come to its end",          "a good-till-date order would never expire",
        "the expiry heap holds what does not expire", "a stop is still loaded after a command",
        "an order shows more or less than it should"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        begin();
        matching_command stop = stop_order("a", MATCHING_BUY, 500, 400, 5);
        stop.time_in_force = MATCHING_GTD;
        stop.expire_time_ms = now_ms(&f) + 1000;
        uint32_t waiting = slot_of(accepted(&f, stop).order_id);
        CU_ASSERT_PTR_NULL(matching_engine_check(f.engine));
        switch (i) {
        case 0:
            f.engine->books[0].last_price_ticks = 500;
            break;
        case 1:
            f.engine->reserved_levels = 0;
            break;
        case 2:
            f.engine->trigger_count = 1;
            break;
        case 3:
            f.engine->extras[waiting].expiry_at = 0;
            f.engine->expiry_count = 0;
            break;
        case 4:
            f.engine->orders[waiting].time_in_force = MATCHING_GTC;
            break;
        case 5:
            f.engine->orders[waiting].flags |= ORDER_LOADED;
            break;
        default:
            f.engine->orders[slots[6]].visible_lots--;
        }
        found(words[i]);
    }
}

static void test_broken_look_ups_are_found(void)
{
    begin();
    f.engine->traders[1].name[0] = 'z';
    found("a trader cannot be found by its name");
    begin();
    f.engine->orders[slots[2]].trader = 2;
    found("a trader's list of working orders is broken");
    begin();
    f.engine->traders[1].last = slots[0];
    found("a trader's list has a wrong end");
    begin();
    f.engine->traders[1].first = f.engine->traders[1].last = NO_SLOT;
    found("traders' lists miss working orders");
    begin();
    f.engine->orders[slots[11]].order_id += 4;
    found("an order cannot be found by its id");
    begin();
    f.engine->orders[slots[11]].level = 3;
    found("an order works outside the book, or rests though it ended");
    begin();
    f.engine->extras[slots[7]].client_order_id[0] = 'y';
    found("an order cannot be found by its client id");
}

MATCHING_TESTS(MATCHING_TEST(test_a_sound_engine_passes),
               MATCHING_TEST(test_broken_queues_are_found),
               MATCHING_TEST(test_broken_trees_are_found),
               MATCHING_TEST(test_broken_counts_are_found),
               MATCHING_TEST(test_a_crossed_book_is_found),
               MATCHING_TEST(test_broken_waiting_orders_are_found),
               MATCHING_TEST(test_broken_look_ups_are_found))
