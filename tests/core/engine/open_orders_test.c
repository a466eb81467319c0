/* Tests of the page of a trader's working orders: its order, how pages join, and the bounded steps in
 * which it is read while orders come and go.
 */
#include "fixture.h"
#include "support/cunit_main.h"

static fixture f;

static void begin(void)
{
    matching_engine_limits limits = fixture_limits();
    fixture_init(&f, &limits);
}

static void end(void)
{
    fixture_fini(&f);
}

static void test_open_orders_come_oldest_first(void)
{
    begin();
    uint64_t ids[5];
    for (int i = 0; i < 5; i++) {
        ids[i] = accepted(&f, limit_order("a", MATCHING_BUY, 100 - i, 5)).order_id;
    }
    accepted(&f, amend_by_id(ids[0], 50, 0)); /* lost its priority, not its age */
    accepted(&f, cancel_by_id(ids[2]));
    matching_command command = {.type = MATCHING_READ_OPEN_ORDERS};
    set_trader(&command, "a");
    matching_order orders[5];
    bool complete = false;
    CU_ASSERT_EQUAL(open_orders(&f, &command, orders, 5, &complete), 4);
    CU_ASSERT_TRUE(complete);
    CU_ASSERT_EQUAL(orders[0].order_id, ids[0]);
    CU_ASSERT_EQUAL(orders[1].order_id, ids[1]);
    CU_ASSERT_EQUAL(orders[2].order_id, ids[3]);
    CU_ASSERT_EQUAL(orders[3].order_id, ids[4]);
    CU_ASSERT_EQUAL(open_orders(&f, &command, orders, 3, &complete), 3);
    CU_ASSERT_FALSE(complete);
    end();
}

/* Pages join, also where the order that one ended with has ended meanwhile, or never was the
 * trader's. */
static void test_pages_of_open_orders_join(void)
{
    enum { COUNT = 40, PAGE = 7 };
    begin();
    uint64_t ids[COUNT], foreign = 0;
    for (int i = 0; i < COUNT; i++) {
        ids[i] = accepted(&f, limit_order("a", MATCHING_BUY, 100, 5)).order_id;
        if (i == COUNT / 2) {
            foreign = accepted(&f, limit_order("b", MATCHING_BUY, 100, 5)).order_id;
        }
    }
    matching_command command = {.type = MATCHING_READ_OPEN_ORDERS};
    matching_order orders[COUNT];
    bool complete = false;
    unsigned read = 0;
    set_trader(&command, "a");
    while (!complete && read < COUNT) {
        size_t got = open_orders(&f, &command, orders, PAGE, &complete);
        for (size_t i = 0; i < got && read < COUNT; i++, read++) {
            CU_ASSERT_EQUAL(orders[i].order_id, ids[read]);
        }
        command.order_id = ids[read - 1];
        if (read / PAGE % 2 == 0) {
            accepted(&f, cancel_by_id(command.order_id));
        }
    }
    CU_ASSERT_EQUAL(read, COUNT);
    CU_ASSERT_TRUE(complete);
    command.order_id = foreign;
    CU_ASSERT_TRUE(open_orders(&f, &command, orders, 1, &complete) == 1);
    CU_ASSERT_EQUAL(orders[0].order_id, ids[COUNT / 2 + 1]);
    for (uint64_t beside = 0; beside < 2; beside++) { /* other shards' ids, one above, one below */
        command.order_id = ids[3] + 1 - 2 * beside;
        CU_ASSERT_TRUE(open_orders(&f, &command, orders, 1, &complete) == 1);
        CU_ASSERT_EQUAL(orders[0].order_id, ids[4 - beside]);
    }
    command.order_id = ids[COUNT - 1];
    CU_ASSERT_EQUAL(open_orders(&f, &command, orders, 1, &complete), 0);
    CU_ASSERT_TRUE(complete);
    end();
}

/* Between two steps the order where the first stopped ends, and `more` behind it: with few of them
 * the next step finds its place by number, with many it begins at the oldest again. */
static void test_steps_of_open_orders_go_on_where_orders_end(void)
{
    enum { COUNT = 60, BUDGET = 6 };
    for (unsigned more = 0; more <= 2 * BUDGET; more++) {
        begin();
        uint64_t ids[COUNT];
        bool expected[COUNT];
        for (int i = 0; i < COUNT; i++) {
            ids[i] = accepted(&f, limit_order("a", MATCHING_BUY, 100, 5)).order_id;
            expected[i] = true;
        }
        matching_command command = {.type = MATCHING_READ_OPEN_ORDERS};
        set_trader(&command, "a");
        matching_order orders[COUNT];
        matching_order_page page = {.orders = orders, .capacity = COUNT};
        unsigned steps = 0;
        for (; !page.done && steps < 10 * COUNT; steps++) {
            matching_engine_read_open_orders(f.engine, &command, &page, BUDGET);
            for (int i = 0, ended = 0; i < COUNT && !page.done && ended <= (int)more; i++) {
                if (ids[i] >= page.next_id) {
                    ended++;
                    if (order_now(&f, ids[i]).status == MATCHING_OPEN) {
                        accepted(&f, cancel_by_id(ids[i]));
                        expected[i] = ids[i] <= page.after;
                    }
                }
            }
        }
        CU_ASSERT_TRUE(page.done && steps > 1);
        CU_ASSERT_FALSE(page.more);
        uint32_t at = 0;
        for (int i = 0; i < COUNT; i++) {
            if (expected[i]) {
                CU_ASSERT_TRUE(at < page.count && orders[at].order_id == ids[i]);
                at++;
            }
        }
        CU_ASSERT_EQUAL(at, page.count);
        end();
    }
}

/* Half of a step may go into looking for the place by number: an order that comes soon is found;
 * for one that does not the step goes on with the other half from the oldest. */
static void test_a_step_of_open_orders_searches_for_half_of_it(void)
{
    enum { COUNT = 12, HALF = 3, GONE = 8 };
    for (unsigned gap = HALF - 1; gap <= HALF + 20; gap += 21) {
        begin();
        uint64_t ids[COUNT];
        for (unsigned i = 0; i < COUNT; i++) {
            ids[i] = accepted(&f, limit_order("a", MATCHING_BUY, 100, 5)).order_id;
            for (unsigned k = 1; i == GONE && k < gap; k++) {
                accepted(&f, limit_order("b", MATCHING_BUY, 99, 5));
            }
        }
        accepted(&f, cancel_by_id(ids[GONE]));
        matching_command command = {.type = MATCHING_READ_OPEN_ORDERS, .order_id = ids[GONE]};
        set_trader(&command, "a");
        matching_order orders[COUNT];
        matching_order_page page = {.orders = orders, .capacity = COUNT};
        matching_engine_read_open_orders(f.engine, &command, &page, 2 * HALF);
        CU_ASSERT_EQUAL(page.done, gap < HALF);
        if (gap >= HALF) {
            CU_ASSERT_EQUAL(page.count, 0);
            CU_ASSERT_EQUAL(page.next_id, ids[HALF]);
        }
        while (!page.done) {
            matching_engine_read_open_orders(f.engine, &command, &page, 2 * HALF);
        }
        CU_ASSERT_EQUAL(page.count, COUNT - GONE - 1);
        CU_ASSERT_EQUAL(orders[0].order_id, ids[GONE + 1]);
        end();
    }
}

/* An order of somebody else takes the place of the one where a step stopped. */
static void test_steps_of_open_orders_know_a_taken_place(void)
{
    enum { COUNT = 8, BUDGET = 4 };
    matching_engine_limits limits = fixture_limits();
    limits.max_orders = COUNT;
    limits.retained_orders = 0;
    fixture_init(&f, &limits);
    uint64_t ids[COUNT];
    for (int i = 0; i < COUNT; i++) {
        ids[i] = accepted(&f, limit_order("a", MATCHING_BUY, 100, 5)).order_id;
    }
    matching_command command = {.type = MATCHING_READ_OPEN_ORDERS};
    set_trader(&command, "a");
    matching_order orders[COUNT], known;
    matching_order_page page = {.orders = orders, .capacity = COUNT};
    matching_engine_read_open_orders(f.engine, &command, &page, BUDGET);
    CU_ASSERT_FALSE_FATAL(page.done);
    CU_ASSERT_EQUAL(page.next_id, ids[BUDGET]);
    accepted(&f, cancel_by_id(ids[BUDGET]));
    uint64_t other = accepted(&f, limit_order("b", MATCHING_BUY, 99, 5)).order_id;
    while (read_order(&f, read_by_id(ids[BUDGET]), &known)) {
        accepted(&f, cancel_by_id(other));
        other = accepted(&f, limit_order("b", MATCHING_BUY, 99, 5)).order_id;
    }
    while (!page.done) {
        matching_engine_read_open_orders(f.engine, &command, &page, BUDGET);
    }
    CU_ASSERT_EQUAL(page.count, COUNT - 1);
    for (uint32_t i = 0; i < page.count; i++) {
        CU_ASSERT_EQUAL(orders[i].order_id, ids[i + (i >= BUDGET)]);
    }
    end();
}

MATCHING_TESTS(MATCHING_TEST(test_open_orders_come_oldest_first),
               MATCHING_TEST(test_pages_of_open_orders_join),
               MATCHING_TEST(test_steps_of_open_orders_go_on_where_orders_end),
               MATCHING_TEST(test_a_step_of_open_orders_searches_for_half_of_it),
               MATCHING_TEST(test_steps_of_open_orders_know_a_taken_place))
