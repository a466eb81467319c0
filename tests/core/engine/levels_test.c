/* Tests of price levels: they lie 32 to a page, and a table of 32 places leads to pages in use. */
#include "engine/engine_internal.h"
#include "fixture.h"
#include "support/cunit_main.h"

static fixture f;

/* In no order; some in one page, some on either side of where two meet, some that share a place of
 * the table (1,024 apart), and both ends. */
static const int64_t prices[] = {1056, 31,   64,   1,    1024, 32,
                                 2048, 1055, 33,   1087, 63,   2047,
                                 1025, 1023, 4096, 5,    1029, MATCHING_TICKS_MAX - 1,
                                 2053, 1088, 1031, 3,    9,    MATCHING_TICKS_MAX - 31,
                                 3077, 7,    40,   2,    1057, MATCHING_TICKS_MAX - 32,
                                 3072, 3071, 62,   4,    96,   MATCHING_TICKS_MAX};
enum { PRICES = sizeof prices / sizeof prices[0] };

static void begin(void)
{
    matching_engine_limits limits = fixture_limits();
    fixture_init(&f, &limits);
}

static void end(void)
{
    fixture_fini(&f);
}

static void test_a_sweep_meets_every_level_in_order(void)
{
    for (unsigned side = 0; side < 2; side++) {
        begin();
        for (int i = 0; i < PRICES; i++) {
            accepted(&f, limit_order("a", (matching_side)side, prices[i], 1));
        }
        accepted(&f, market_order("b", (matching_side)!side, PRICES));
        CU_ASSERT_EQUAL(count_events(&f, MATCHING_EVENT_TRADE), PRICES);
        int64_t last = side == MATCHING_SELL ? 0 : MATCHING_TICKS_MAX + 1;
        for (size_t i = 0; i < PRICES; i++) {
            int64_t price = event_of(&f, MATCHING_EVENT_TRADE, i)->event.trade.price_ticks;
            CU_ASSERT_TRUE(side == MATCHING_SELL ? price > last : price < last);
            last = price;
        }
        end();
    }
}

/* Whichever levels are there, each price finds its own and the rest stay as they are. */
static void test_levels_come_and_go_in_any_order(void)
{
    begin();
    uint64_t ids[PRICES];
    for (int round = 1; round <= 3; round++) {
        for (int i = 0; i < PRICES; i++) {
            int which =
                i * (2 * round + 3) % PRICES; /* 5, 7 and 9 times: 5 and 7 have no divisor */
            which = round == 3 ? PRICES - 1 - i : which;
            ids[which] =
                accepted(&f, limit_order("a", MATCHING_SELL, prices[which], round)).order_id;
        }
        for (int i = 0; i < PRICES; i++) {
            CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_SELL, prices[i]), (uint64_t)round);
        }
        for (int i = 0; i < PRICES; i++) {
            accepted(&f, cancel_by_id(ids[i]));
            CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_SELL, prices[i]), 0);
        }
    }
    end();
}

/* A page that one book gave back serves another, at the same prices. */
static void test_pages_change_hands(void)
{
    begin();
    for (uint16_t round = 0; round < 12; round++) {
        matching_command order =
            limit_order("a", round % 2 == 0 ? MATCHING_BUY : MATCHING_SELL, 992 + round, 1);
        order.instrument = round % 3;
        uint64_t id = accepted(&f, order).order_id;
        matching_level levels[2][4];
        matching_depth depth = {.bids = levels[0], .asks = levels[1]};
        for (uint16_t i = 0; i < 3; i++) {
            matching_engine_read_depth(f.engine, i, 4, &depth);
            CU_ASSERT_EQUAL(depth.bid_count, i == order.instrument && order.side == MATCHING_BUY);
            CU_ASSERT_EQUAL(depth.ask_count, i == order.instrument && order.side == MATCHING_SELL);
        }
        accepted(&f, cancel_by_id(id));
    }
    end();
}

enum { FAR = 400 }; /* prices, each on a page of its own */

static int64_t far_price(int which)
{
    return 32 * which + 7;
}

/* The depth shows what rests, and nothing else. */
static void compare_far(const uint64_t ids[FAR], unsigned side)
{
    static matching_level levels[2][FAR];
    matching_depth depth = {.bids = levels[0], .asks = levels[1]};
    matching_engine_read_depth(f.engine, 0, FAR, &depth);
    uint32_t count = side == MATCHING_BUY ? depth.bid_count : depth.ask_count, met = 0;
    for (int i = 0; i < FAR; i++) {
        int which = side == MATCHING_BUY ? FAR - 1 - i : i;
        if (ids[which] != 0) {
            CU_ASSERT_TRUE_FATAL(met < count);
            CU_ASSERT_EQUAL(levels[side][met++].price_ticks, far_price(which));
        }
    }
    CU_ASSERT_EQUAL(met, count);
}

/* Pages that are emptied stay until others are: more of them than stay, and more than there are. */
static void test_emptied_pages_are_passed_and_come_back(void)
{
    static const uint64_t levels[2] = {60, 600};
    for (unsigned run = 0; run < 4; run++) {
        matching_engine_limits limits = fixture_limits();
        limits.max_levels = levels[run / 2];
        fixture_init(&f, &limits);
        unsigned side = run % 2;
        uint64_t ids[FAR] = {0};
        uint32_t random = 7, live = 0;
        for (int i = 0; i < 3000; i++) {
            random = random * 1664525 + 1013904223;
            int which = (int)((random >> 8) % FAR);
            if (ids[which] != 0) {
                accepted(&f, cancel_by_id(ids[which]));
                ids[which] = 0;
                live--;
            } else if (live < 40) {
                ids[which] =
                    accepted(&f, limit_order("a", (matching_side)side, far_price(which), 1))
                        .order_id;
                live++;
            }
            compare_far(ids, side);
        }
        accepted(&f, market_order("b", (matching_side)!side, live));
        CU_ASSERT_EQUAL(count_events(&f, MATCHING_EVENT_TRADE), live);
        end();
    }
}

/* Emptied pages that lie between the best and the next are passed once, not each time. */
static void test_the_way_to_the_next_best_is_short(void)
{
    for (unsigned side = 0; side < 2; side++) {
        begin();
        int last = side == MATCHING_SELL ? FAR : 0;
        accepted(&f, limit_order("a", (matching_side)side, far_price(last), 1));
        for (int i = 1; i < FAR; i++) { /* more often than the line of idle pages is long */
            int which = side == MATCHING_SELL ? FAR - i : i;
            matching_command better = limit_order("a", (matching_side)side, far_price(which), 1);
            accepted(&f, cancel_by_id(accepted(&f, better).order_id));
        }
        uint32_t in_tree = f.engine->new_pages - 1;
        for (uint32_t at = f.engine->free_page; at != 0; at = f.engine->pages[at].right) {
            in_tree--;
        }
        CU_ASSERT_TRUE(in_tree <= 2); /* the one with the order, and the one emptied last */
        end();
    }
}

/* Stops of several pages, and a price that goes back before it comes to the next. */
static void test_stops_wait_at_any_distance(void)
{
    begin();
    uint64_t stops[4];
    static const int64_t at[4] = {130, 1100, 1130, 5000}, gone[4] = {200, 1060, 3000, 7000};
    for (int i = 0; i < 4; i++) {
        stops[i] = accepted(&f, stop_order("s", MATCHING_BUY, at[i], 1, 1)).order_id;
        uint64_t other = accepted(&f, stop_order("s", MATCHING_BUY, gone[i], 1, 1)).order_id;
        accepted(&f, cancel_by_id(other));
    }
    for (int i = 0; i < 4; i++) {
        accepted(&f, limit_order("a", MATCHING_SELL, at[i], 1));
        accepted(&f, limit_order("b", MATCHING_BUY, at[i], 1));
        for (int j = 0; j < 4; j++) {
            CU_ASSERT_EQUAL(order_now(&f, stops[j]).status,
                            j <= i ? MATCHING_OPEN : MATCHING_UNTRIGGERED);
        }
    }
    end();
}

/* One command whose first stop lifts the price over the second, pages away. */
static void test_a_cascade_goes_from_page_to_page(void)
{
    begin();
    uint64_t sell = accepted(&f, stop_order("s", MATCHING_SELL, 50, 1, 1)).order_id;
    uint64_t far = accepted(&f, stop_order("s", MATCHING_BUY, 3000, 3000, 1)).order_id;
    uint64_t near = accepted(&f, stop_order("s", MATCHING_BUY, 100, 0, 1)).order_id;
    accepted(&f, limit_order("a", MATCHING_SELL, 100, 1));
    accepted(&f, limit_order("a", MATCHING_SELL, 3000, 2));
    uint64_t taker = accepted(&f, limit_order("b", MATCHING_BUY, 100, 1)).order_id;
    CU_ASSERT_EQUAL(order_now(&f, taker).status, MATCHING_FILLED);
    CU_ASSERT_EQUAL(order_now(&f, near).status, MATCHING_FILLED);
    CU_ASSERT_EQUAL(order_now(&f, far).status, MATCHING_FILLED);
    CU_ASSERT_EQUAL(order_now(&f, sell).status, MATCHING_UNTRIGGERED);
    end();
}

/* 19,000 times nearly 10^15, shown or hidden, is more than 64 bits hold; 18,300 times is not. */
static void test_totals_are_wider_than_64_bits(void)
{
    enum { MANY = 19000, FEWER = 700 };
    static uint64_t icebergs[MANY], sells[MANY];
    matching_engine_limits limits = fixture_limits();
    limits.max_orders = 2 * MANY + 1;
    fixture_init(&f, &limits);
    for (int i = 0; i < MANY; i++) {
        fixture_apply_unchecked(&f, limit_order("a", MATCHING_SELL, 100, MATCHING_LOTS_MAX));
        CU_ASSERT_EQUAL_FATAL(f.reply.code, MATCHING_OK);
        sells[i] = f.reply.order.order_id;
        fixture_apply_unchecked(&f, iceberg_order("a", MATCHING_BUY, 90, MATCHING_LOTS_MAX,
                                                  MATCHING_LOTS_MAX / 1000 + 1));
        icebergs[i] = f.reply.order.order_id;
    }
    matching_level bids[1], asks[1];
    matching_depth depth = {.bids = bids, .asks = asks};
    matching_engine_read_depth(f.engine, 0, 1, &depth);
    CU_ASSERT_TRUE(asks[0].total_lots == (matching_wide)MATCHING_LOTS_MAX * MANY);
    CU_ASSERT_PTR_NULL(matching_engine_check(f.engine));
    for (int i = 0; i < FEWER; i++) {
        fixture_apply_unchecked(&f, cancel_by_id(sells[i]));
    }
    matching_engine_read_depth(f.engine, 0, 1, &depth);
    CU_ASSERT_TRUE(asks[0].total_lots == (matching_wide)MATCHING_LOTS_MAX * (MANY - FEWER));
    for (int i = 0; i < FEWER; i++) {
        fixture_apply_unchecked(&f, limit_order("a", MATCHING_SELL, 100, MATCHING_LOTS_MAX));
    }
    for (int i = 0; i < FEWER; i++) {
        fixture_apply_unchecked(&f, market_order("b", MATCHING_BUY, MATCHING_LOTS_MAX));
        CU_ASSERT_EQUAL(f.reply.order.status, MATCHING_FILLED);
        fixture_apply_unchecked(&f, cancel_by_id(icebergs[i]));
    }
    fixture_apply(&f, tick_at(now_ms(&f)));
    matching_engine_read_depth(f.engine, 0, 1, &depth);
    CU_ASSERT_TRUE(asks[0].total_lots == (matching_wide)MATCHING_LOTS_MAX * (MANY - FEWER));
    CU_ASSERT_EQUAL(bids[0].orders, MANY - FEWER);
    end();
}

MATCHING_TESTS(MATCHING_TEST(test_a_sweep_meets_every_level_in_order),
               MATCHING_TEST(test_levels_come_and_go_in_any_order),
               MATCHING_TEST(test_pages_change_hands),
               MATCHING_TEST(test_emptied_pages_are_passed_and_come_back),
               MATCHING_TEST(test_the_way_to_the_next_best_is_short),
               MATCHING_TEST(test_stops_wait_at_any_distance),
               MATCHING_TEST(test_a_cascade_goes_from_page_to_page),
               MATCHING_TEST(test_totals_are_wider_than_64_bits))
