/* Tests of order ids, slots, reads of orders, and the limits: what an engine remembers and what it
 * says when it is full.
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

static void test_order_ids_increase_and_carry_the_shard(void)
{
    begin();
    uint64_t last = 0;
    for (int i = 0; i < 1000; i++) {
        matching_command command =
            i % 2 ? market_order("a", MATCHING_BUY, 1) : limit_order("b", MATCHING_SELL, 100, 1);
        command.instrument = (uint16_t)(i / 2 % 3);
        uint64_t id = accepted(&f, command).order_id;
        CU_ASSERT_TRUE(id > last);
        CU_ASSERT_EQUAL(id & 3, 1); /* shard 1 of two bits */
        last = id;
    }
    end();
}

/* An old order that works keeps its slot; numbers go round it and stay unique. */
static void test_a_working_order_survives_the_reuse_of_all_other_slots(void)
{
    matching_engine_limits limits = fixture_limits();
    limits.max_orders = 3;
    limits.retained_orders = 2;
    fixture_init(&f, &limits);
    matching_command old = limit_order("old", MATCHING_BUY, 1, 1);
    set_client_id(&old, "old");
    uint64_t survivor = accepted(&f, old).order_id, last = survivor;
    for (int i = 0; i < 500; i++) {
        matching_command command = limit_order("a", MATCHING_BUY, 2, 1);
        set_client_id(&command, "again");
        uint64_t id = accepted(&f, command).order_id;
        CU_ASSERT_TRUE(id > last);
        last = id;
        accepted(&f, cancel_by_id(id));
    }
    matching_order order;
    CU_ASSERT_TRUE(read_order(&f, read_by_id(survivor), &order));
    CU_ASSERT_EQUAL(order.status, MATCHING_OPEN);
    CU_ASSERT_STRING_EQUAL(order.trader_id, "old");
    CU_ASSERT_TRUE(read_order(&f, read_by_client_id("old", "old"), &order));
    CU_ASSERT_EQUAL(order.order_id, survivor);
    end();
}

/* An id of a slot's former order must not lead to the one that lives there now. */
/* Whole groups of slots are full, and now and then have a hole again. */
static void test_numbers_skip_the_slots_in_use_and_no_other(void)
{
    enum { ORDERS = 2100, RESTING = 2000, LAST = ORDERS + 1, SLOTS = 4096 };
    static bool rests[SLOTS];
    matching_engine_limits limits = fixture_limits();
    limits.max_orders = ORDERS;
    limits.retained_orders = limits.shard = limits.shard_bits = 0;
    fixture_init(&f, &limits);
    memset(rests, 0, sizeof rests);
    matching_command order = limit_order("a", MATCHING_BUY, 100, 1);
    for (uint64_t number = 1; number <= RESTING; number++) {
        CU_ASSERT_EQUAL_FATAL(accepted(&f, order).order_id, number);
        rests[number] = true;
    }
    uint64_t last = RESTING;
    for (unsigned i = 0; i < 1000; i++) {
        do {
            last++;
        } while (last % SLOTS == 0 || last % SLOTS > LAST || rests[last % SLOTS]);
        CU_ASSERT_EQUAL_FATAL(accepted(&f, order).order_id, last);
        accepted(&f, cancel_by_id(last));
        if (i % 100 == 50) {
            uint64_t hole = 500 + i;
            accepted(&f, cancel_by_id(hole));
            rests[hole] = false;
        }
    }
    end();
}

static void test_id_of_a_forgotten_order_is_not_found(void)
{
    matching_engine_limits limits = fixture_limits();
    limits.max_orders = 1;
    limits.retained_orders = 0;
    fixture_init(&f, &limits);
    uint64_t ids[8];
    for (int i = 0; i < 8; i++) {
        matching_command command = limit_order("a", MATCHING_BUY, 2, 1);
        set_client_id(&command, i == 0 ? "first" : "later");
        ids[i] = accepted(&f, command).order_id;
        if (i < 7) {
            accepted(&f, cancel_by_id(ids[i]));
        }
    }
    matching_order order;
    for (int i = 0; i < 4; i++) {
        CU_ASSERT_FALSE(read_order(&f, read_by_id(ids[i]), &order));
        refused(&f, cancel_by_id(ids[i]), MATCHING_ORDER_NOT_FOUND, MATCHING_FIELD_ORDER_ID);
    }
    CU_ASSERT_FALSE(read_order(&f, read_by_client_id("a", "first"), &order));
    CU_ASSERT_TRUE(read_order(&f, read_by_client_id("a", "later"), &order));
    CU_ASSERT_EQUAL(order.order_id, ids[7]);
    end();
}

/* Orders that end at once, while all other slots are taken. */
static void test_ended_orders_can_still_be_read(void)
{
    enum { WORKING = 3, RETAINED = 4 }; /* together with a taker they fill all 8 slots */
    matching_engine_limits limits = fixture_limits();
    limits.max_orders = WORKING;
    limits.retained_orders = RETAINED;
    fixture_init(&f, &limits);
    for (int i = 0; i < WORKING; i++) {
        accepted(&f, limit_order("rests", MATCHING_SELL, 900 + i, 1));
    }
    uint64_t ids[200];
    for (int i = 0; i < 200; i++) {
        char client[16];
        snprintf(client, sizeof client, "c%d", i);
        matching_command command = limit_order("a", MATCHING_BUY, 100, 1 + i);
        command.time_in_force = MATCHING_IOC;
        set_client_id(&command, client);
        ids[i] = accepted(&f, command).order_id;
        for (int back = 0; back < RETAINED && back <= i; back++) {
            matching_order order;
            snprintf(client, sizeof client, "c%d", i - back);
            CU_ASSERT_TRUE(read_order(&f, read_by_id(ids[i - back]), &order));
            CU_ASSERT_EQUAL(order.quantity_lots, 1 + i - back);
            CU_ASSERT_EQUAL(order.status, MATCHING_CANCELLED);
            CU_ASSERT_EQUAL(order.reason, MATCHING_REASON_IOC);
            CU_ASSERT_TRUE(read_order(&f, read_by_client_id("a", client), &order));
            CU_ASSERT_EQUAL(order.order_id, ids[i - back]);
        }
    }
    end();
}

/* What counts is when an order ended, not when it came, and the configured number is met exactly:
 * the last to end stays readable until as many others have ended, wherever the next slot is. */
static void test_retention_counts_from_the_end_of_an_order(void)
{
    enum { RETAINED = 4 };
    matching_engine_limits limits = fixture_limits();
    limits.max_orders = 3;
    limits.retained_orders = RETAINED;
    fixture_init(&f, &limits);
    accepted(&f, limit_order("rests", MATCHING_SELL, 900, 1));
    accepted(&f, limit_order("rests", MATCHING_SELL, 901, 1));
    matching_command ends_at_once = limit_order("b", MATCHING_BUY, 1, 1);
    ends_at_once.time_in_force = MATCHING_IOC;
    for (int i = 0; i < 200; i++) {
        matching_order order = accepted(&f, limit_order("a", MATCHING_BUY, 1, 1));
        for (int others = i % 11; others > 0; others--) {
            accepted(&f, ends_at_once);
        }
        accepted(&f, cancel_by_id(order.order_id));
        for (int others = 1; others < RETAINED; others++) {
            accepted(&f, ends_at_once);
            matching_order found;
            CU_ASSERT_TRUE(read_order(&f, read_by_id(order.order_id), &found));
        }
        /* the next one takes a slot and does not end: the first is still among the last to end */
        matching_order next = accepted(&f, limit_order("c", MATCHING_BUY, 1, 1)), found;
        CU_ASSERT_TRUE(read_order(&f, read_by_id(order.order_id), &found));
        accepted(&f, cancel_by_id(next.order_id));
    }
    end();
}

static void test_client_id_leads_to_the_newest_ended_order(void)
{
    begin();
    matching_command command = limit_order("a", MATCHING_BUY, 100, 1);
    set_client_id(&command, "x");
    matching_order order;
    for (int i = 0; i < 3; i++) {
        uint64_t id = accepted(&f, command).order_id;
        accepted(&f, cancel_by_id(id));
        CU_ASSERT_TRUE(read_order(&f, read_by_client_id("a", "x"), &order));
        CU_ASSERT_EQUAL(order.order_id, id);
        CU_ASSERT_EQUAL(order.status, MATCHING_CANCELLED);
    }
    end();
}

static void test_read_names_the_field_that_was_not_found(void)
{
    begin();
    matching_command by_id = read_by_id(77), by_client = read_by_client_id("a", "x");
    matching_reply reply;
    memset(&reply, 0, sizeof reply);
    matching_engine_read_order(f.engine, &by_id, &reply);
    CU_ASSERT_EQUAL(reply.code, MATCHING_ORDER_NOT_FOUND);
    CU_ASSERT_EQUAL(reply.field, MATCHING_FIELD_ORDER_ID);
    CU_ASSERT_EQUAL(reply.type, MATCHING_READ_ORDER);
    matching_engine_read_order(f.engine, &by_client, &reply);
    CU_ASSERT_EQUAL(reply.code, MATCHING_ORDER_NOT_FOUND);
    CU_ASSERT_EQUAL(reply.field, MATCHING_FIELD_CLIENT_ORDER_ID);
    end();
}

static void test_read_of_anothers_order_is_not_found(void)
{
    begin();
    matching_command read = read_by_id(accepted(&f, limit_order("a", MATCHING_BUY, 1, 1)).order_id);
    accepted(&f, limit_order("b", MATCHING_BUY, 1, 1));
    matching_order order;
    set_trader(&read, "b");
    CU_ASSERT_FALSE(read_order(&f, read, &order));
    set_trader(&read, "a");
    CU_ASSERT_TRUE(read_order(&f, read, &order));
    end();
}

static size_t read_page(const matching_command *command, matching_order *orders, uint32_t capacity,
                        bool *more)
{
    matching_order_page page = {.orders = orders, .capacity = capacity};
    while (!page.done) {
        matching_engine_read_orders(f.engine, command, &page, 1);
    }
    *more = page.more;
    return page.count;
}

static void test_pages_of_orders_join_without_gaps(void)
{
    begin();
    for (int i = 0; i < 40; i++) {
        matching_command command = i % 4 == 3 ? market_order("a", MATCHING_SELL, 3)
                                              : limit_order("a", MATCHING_BUY, 90 + i % 5, 2);
        accepted(&f, command);
        accepted(&f, limit_order("b", MATCHING_BUY, 1, 1));
    }
    matching_command command = {.type = MATCHING_READ_ORDERS,
                                .flags = MATCHING_FLAG_ALL_SYMBOLS,
                                .status = MATCHING_STATUS_ANY};
    set_trader(&command, "a");
    matching_order all[100], part[7];
    bool more;
    size_t count = read_page(&command, all, 100, &more);
    CU_ASSERT_EQUAL_FATAL(count, 40);
    CU_ASSERT_FALSE(more);
    size_t seen = 0;
    do {
        size_t got = read_page(&command, part, 7, &more);
        for (size_t i = 0; i < got && seen < count; i++) {
            CU_ASSERT_EQUAL(part[i].order_id, all[seen].order_id);
            CU_ASSERT_STRING_EQUAL(part[i].trader_id, "a");
            seen++;
        }
        CU_ASSERT_TRUE_FATAL(got > 0);
        command.order_id = part[got - 1].order_id;
    } while (more);
    CU_ASSERT_EQUAL(seen, count);
    end();
}

static void test_pages_of_orders_filter_by_status(void)
{
    begin();
    uint64_t cancelled = accepted(&f, limit_order("a", MATCHING_BUY, 80, 1)).order_id;
    accepted(&f, cancel_by_id(cancelled));
    uint64_t partial = accepted(&f, limit_order("a", MATCHING_BUY, 100, 5)).order_id;
    uint64_t filled = accepted(&f, market_order("a", MATCHING_SELL, 2)).order_id;
    uint64_t open = accepted(&f, limit_order("a", MATCHING_BUY, 90, 5)).order_id;
    const struct {
        uint8_t status;
        size_t count;
        uint64_t first;
    } rows[] = {{MATCHING_STATUS_ANY, 4, cancelled},
                {MATCHING_STATUS_WORKING, 2, partial},
                {MATCHING_OPEN, 1, open},
                {MATCHING_PARTIAL, 1, partial},
                {MATCHING_FILLED, 1, filled},
                {MATCHING_CANCELLED, 1, cancelled},
                {MATCHING_UNTRIGGERED, 0, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        matching_command command = {.type = MATCHING_READ_ORDERS, .status = rows[i].status};
        matching_order orders[10];
        bool more;
        CU_ASSERT_EQUAL(read_page(&command, orders, 10, &more), rows[i].count);
        if (rows[i].count > 0) {
            CU_ASSERT_EQUAL(orders[0].order_id, rows[i].first);
        }
    }
    end();
}

static void test_full_of_orders(void)
{
    matching_engine_limits limits = fixture_limits();
    limits.max_orders = 2;
    fixture_init(&f, &limits);
    uint64_t ask = accepted(&f, limit_order("a", MATCHING_SELL, 100, 5)).order_id;
    accepted(&f, limit_order("a", MATCHING_SELL, 101, 5));
    refused(&f, limit_order("a", MATCHING_SELL, 102, 5), MATCHING_BOOK_FULL, MATCHING_FIELD_NONE);
    /* all else goes on: what cannot rest trades, what works can be amended and cancelled */
    CU_ASSERT_EQUAL(accepted(&f, market_order("b", MATCHING_BUY, 1)).status, MATCHING_FILLED);
    accepted(&f, amend_by_id(ask, 99, 0));
    accepted(&f, cancel_by_id(ask));
    accepted(&f, limit_order("a", MATCHING_SELL, 102, 5));
    end();
}

static void test_full_of_levels(void)
{
    matching_engine_limits limits = fixture_limits();
    limits.max_levels = 2;
    fixture_init(&f, &limits);
    accepted(&f, limit_order("a", MATCHING_SELL, 100, 5));
    uint64_t bid = accepted(&f, limit_order("a", MATCHING_BUY, 90, 5)).order_id;
    refused(&f, limit_order("a", MATCHING_BUY, 91, 5), MATCHING_BOOK_FULL, MATCHING_FIELD_NONE);
    matching_command elsewhere = limit_order("a", MATCHING_BUY, 90, 5);
    elsewhere.instrument = 1; /* the pool is shared: the same price there is another level */
    refused(&f, elsewhere, MATCHING_BOOK_FULL, MATCHING_FIELD_NONE);
    uint64_t neighbour = accepted(&f, limit_order("b", MATCHING_BUY, 90, 5)).order_id;
    refused(&f, amend_by_id(neighbour, 91, 0), MATCHING_BOOK_FULL, MATCHING_FIELD_NONE);
    accepted(&f, cancel_by_id(neighbour));
    accepted(&f, cancel_by_id(bid));
    accepted(&f, elsewhere);
    end();
}

static void test_full_of_traders(void)
{
    matching_engine_limits limits = fixture_limits();
    limits.max_traders = 2;
    fixture_init(&f, &limits);
    uint64_t ask = accepted(&f, limit_order("a", MATCHING_SELL, 100, 5)).order_id;
    accepted(&f, limit_order("b", MATCHING_SELL, 100, 5));
    refused(&f, limit_order("c", MATCHING_SELL, 100, 5), MATCHING_BOOK_FULL, MATCHING_FIELD_NONE);
    refused(&f, market_order("c", MATCHING_BUY, 5), MATCHING_BOOK_FULL, MATCHING_FIELD_NONE);
    accepted(&f, cancel_by_id(ask));
    accepted(&f, limit_order("a", MATCHING_SELL, 100, 5)); /* known ones go on */
    end();
}

/* A refused order must not use up its trader's place. */
static void test_refused_orders_make_no_trader_known(void)
{
    matching_engine_limits limits = fixture_limits();
    limits.max_traders = 2;
    fixture_init(&f, &limits);
    accepted(&f, limit_order("a", MATCHING_SELL, 100, 5));
    for (int i = 0; i < 5; i++) {
        char name[16];
        snprintf(name, sizeof name, "t%d", i);
        matching_command command = limit_order(name, MATCHING_BUY, 100, 5);
        command.flags |= MATCHING_FLAG_POST_ONLY;
        refused(&f, command, MATCHING_POST_ONLY_WOULD_CROSS, MATCHING_FIELD_PRICE);
    }
    accepted(&f, limit_order("b", MATCHING_BUY, 1, 5));
    end();
}

static void test_limits_out_of_range_are_told(void)
{
    matching_engine_limits good = fixture_limits(), bad;
    CU_ASSERT_TRUE(matching_engine_size(&good) > 0);
    bad = good, bad.instruments = 0;
    CU_ASSERT_EQUAL(matching_engine_size(&bad), 0);
    bad = good, bad.max_orders = 0;
    CU_ASSERT_EQUAL(matching_engine_size(&bad), 0);
    bad = good, bad.max_orders = UINT64_C(1) << 26;
    CU_ASSERT_TRUE(matching_engine_size(&bad) > 0);
    bad.max_orders++;
    CU_ASSERT_EQUAL(matching_engine_size(&bad), 0);
    bad = good, bad.max_levels = 0;
    CU_ASSERT_EQUAL(matching_engine_size(&bad), 0);
    bad = good, bad.max_traders = 0;
    CU_ASSERT_EQUAL(matching_engine_size(&bad), 0);
    bad = good, bad.shard = 4;
    CU_ASSERT_EQUAL(matching_engine_size(&bad), 0);
    bad = good, bad.retained_orders = UINT64_MAX;
    CU_ASSERT_EQUAL(matching_engine_size(&bad), 0);
}

/* Two engines that differ in one thing only, whichever it is, have different hashes. */
static void test_hash_tells_states_apart(void)
{
    matching_command first = limit_order("a", MATCHING_BUY, 100, 5);
    matching_command second = limit_order("b", MATCHING_BUY, 100, 5);
    matching_command changed[] = {first, first, first, first, first, first, first, first};
    changed[0].price_ticks++;
    changed[1].quantity_lots++;
    changed[2].instrument = 1;
    changed[3].side = MATCHING_SELL;
    changed[4].flags |= MATCHING_FLAG_POST_ONLY;
    set_trader(&changed[5], "c");
    set_client_id(&changed[6], "x");
    changed[7] = second;
    enum { CHANGES = sizeof changed / sizeof changed[0] };
    uint64_t hashes[CHANGES + 1];
    for (size_t i = 0; i <= CHANGES; i++) {
        begin();
        accepted(&f, second);
        accepted(&f, i < CHANGES ? changed[i] : first);
        hashes[i] = matching_engine_hash(f.engine);
        for (size_t other = 0; other < i; other++) {
            CU_ASSERT_NOT_EQUAL(hashes[i], hashes[other]);
        }
        end();
    }
    begin();
    accepted(&f, second);
    uint64_t id = accepted(&f, first).order_id;
    uint64_t hash = matching_engine_hash(f.engine);
    CU_ASSERT_EQUAL(hash, hashes[CHANGES]); /* the same commands, the same hash */
    fixture_apply(&f, set_state(2, MATCHING_HALTED));
    CU_ASSERT_NOT_EQUAL(matching_engine_hash(f.engine), hash);
    fixture_apply(&f, set_state(2, MATCHING_TRADING));
    CU_ASSERT_EQUAL(matching_engine_hash(f.engine), hash);
    accepted(&f, cancel_by_id(id));
    CU_ASSERT_NOT_EQUAL(matching_engine_hash(f.engine), hash);
    end();
}

/* What a new trader may come to depends on how many are known, though none of them has an order. */
static void test_hash_tells_how_many_traders_are_known(void)
{
    uint64_t hashes[2];
    for (int i = 0; i < 2; i++) {
        begin();
        for (int n = 0; n < 2; n++) {
            matching_command order = limit_order(i * n == 0 ? "a" : "b", MATCHING_BUY, 100, 5);
            accepted(&f, cancel_by_id(accepted(&f, order).order_id));
        }
        hashes[i] = matching_engine_hash(f.engine);
        end();
    }
    CU_ASSERT_NOT_EQUAL(hashes[0], hashes[1]);
}

/* A queue's order counts: two orders that are alike change places. */
static void test_hash_tells_queues_apart(void)
{
    uint64_t hashes[2];
    for (int i = 0; i < 2; i++) {
        begin();
        uint64_t one = accepted(&f, limit_order("a", MATCHING_BUY, 100, 5)).order_id;
        uint64_t two = accepted(&f, limit_order("a", MATCHING_BUY, 100, 5)).order_id;
        f.time_ns = 1800000000000000000u; /* the same time for what follows, in either case */
        accepted(&f, amend_by_id(i == 0 ? one : two, 0, 6));
        f.time_ns = 1800000000000000000u;
        accepted(&f, amend_by_id(i == 0 ? two : one, 0, 6));
        hashes[i] = matching_engine_hash(f.engine);
        end();
    }
    CU_ASSERT_NOT_EQUAL(hashes[0], hashes[1]);
}

MATCHING_TESTS(MATCHING_TEST(test_order_ids_increase_and_carry_the_shard),
               MATCHING_TEST(test_a_working_order_survives_the_reuse_of_all_other_slots),
               MATCHING_TEST(test_numbers_skip_the_slots_in_use_and_no_other),
               MATCHING_TEST(test_id_of_a_forgotten_order_is_not_found),
               MATCHING_TEST(test_ended_orders_can_still_be_read),
               MATCHING_TEST(test_retention_counts_from_the_end_of_an_order),
               MATCHING_TEST(test_client_id_leads_to_the_newest_ended_order),
               MATCHING_TEST(test_read_names_the_field_that_was_not_found),
               MATCHING_TEST(test_read_of_anothers_order_is_not_found),
               MATCHING_TEST(test_pages_of_orders_join_without_gaps),
               MATCHING_TEST(test_pages_of_orders_filter_by_status),
               MATCHING_TEST(test_full_of_orders), MATCHING_TEST(test_full_of_levels),
               MATCHING_TEST(test_full_of_traders),
               MATCHING_TEST(test_refused_orders_make_no_trader_known),
               MATCHING_TEST(test_limits_out_of_range_are_told),
               MATCHING_TEST(test_hash_tells_states_apart),
               MATCHING_TEST(test_hash_tells_how_many_traders_are_known),
               MATCHING_TEST(test_hash_tells_queues_apart))
