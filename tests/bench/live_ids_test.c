/* Tests of the yardstick's table of ids against a plain list: any ids, any order of coming and
 * going, through every size that the table grows to.
 */
#include "bench/live_ids.h"

#include <stdlib.h>
#include <string.h>

#include "support/cunit_main.h"

#define LIVE_MAX ((1u << 17) - 2) /* as the yardstick has it */

typedef struct pair {
    uint64_t outside, engine;
    uint32_t open_lots;
} pair;

static live_ids ids;
static live_id *entries;
static live_order *orders;
static pair *pairs; /* what the table has to hold */
static size_t pair_count;
static uint64_t random_state;

static uint64_t any(void)
{
    uint64_t z = random_state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static void begin(uint32_t live, uint32_t places)
{
    entries = calloc(LIVE_IDS_ENTRIES(live), sizeof *entries);
    orders = calloc(places, sizeof *orders);
    pairs = calloc(live, sizeof *pairs);
    CU_ASSERT_FATAL(entries != NULL && orders != NULL && pairs != NULL);
    live_ids_init(&ids, entries, orders, places);
    pair_count = 0;
    random_state = 1;
}

static void end(void)
{
    free(entries);
    free(orders);
    free(pairs);
}

static bool knows(const pair *p)
{
    uint32_t at = live_ids_search(&ids, p->outside);
    const live_order *order = live_ids_by_engine(&ids, p->engine);
    return live_ids_engine(&ids, at) == p->engine && order->outside == p->outside &&
           order->open_lots == p->open_lots;
}

static bool knows_all(void)
{
    for (size_t i = 0; i < pair_count; i++) {
        if (!knows(&pairs[i])) {
            return false;
        }
    }
    return ids.count == pair_count;
}

static void come(uint64_t outside, uint64_t engine)
{
    pair p = {outside, engine, (uint32_t)any() | 1};
    CU_ASSERT_EQUAL_FATAL(live_ids_engine(&ids, live_ids_search(&ids, outside)), 0);
    CU_ASSERT_TRUE_FATAL(live_ids_insert(&ids, outside, engine, p.open_lots));
    pairs[pair_count++] = p;
}

static void leave(size_t which)
{
    live_ids_remove(&ids, live_ids_search(&ids, pairs[which].outside));
    CU_ASSERT_EQUAL_FATAL(live_ids_engine(&ids, live_ids_search(&ids, pairs[which].outside)), 0);
    pairs[which] = pairs[--pair_count];
}

/* Up to as many as can be live, and all of them away again. What a table of each size holds is
 * looked at just before it grows and just after. */
static void test_it_grows_to_all_that_can_be_live(void)
{
    begin(LIVE_MAX, LIVE_MAX + 2);
    uint64_t number = 0;
    unsigned growths = 0;
    while (pair_count < LIVE_MAX) {
        bool is_full = ids.count == ids.count_most;
        uint32_t mask = ids.entry_mask;
        CU_ASSERT_TRUE_FATAL(!is_full || knows_all());
        come(1 + number * 0x9E3779B1u % (1u << 30), number + 1);
        number++;
        if (ids.entry_mask != mask) {
            growths++;
            CU_ASSERT_TRUE_FATAL(is_full && knows_all());
            CU_ASSERT_TRUE_FATAL((size_t)(ids.entries - entries) + ids.entry_mask <
                                 LIVE_IDS_ENTRIES(LIVE_MAX));
        }
    }
    CU_ASSERT_TRUE(growths > 5);
    CU_ASSERT_TRUE(knows_all());
    while (pair_count > 0) {
        leave(any() % pair_count);
        CU_ASSERT_TRUE_FATAL(pair_count % 20000 != 0 || knows_all());
    }
    for (uint32_t at = 0; at <= ids.entry_mask; at++) {
        CU_ASSERT_EQUAL_FATAL(ids.entries[at].engine, 0);
    }
    end();
}

/* Many coming and going, so that entries move up again and again. Every fourth id or so has more
 * bits than an entry has; engine ids are different modulo the places. */
static void test_ids_of_any_width_come_and_go(void)
{
    enum { LIVE = 3000, PLACES = 4096, STEPS = 200000 };
    begin(LIVE, PLACES);
    uint64_t number = 0;
    uint8_t *taken = calloc(PLACES, 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(taken);
    for (unsigned step = 0; step < STEPS; step++) {
        bool grows = step / 20000 % 2 == 0;
        if (pair_count < LIVE && (pair_count == 0 || any() % 8 < (grows ? 5u : 3u))) {
            while (taken[++number % PLACES]) {
            }
            taken[number % PLACES] = 1;
            /* The low half of several outside ids is the same. */
            uint64_t outside = any() % 4 == 0 ? (number << 32 | 7) : number;
            uint64_t wide = any() % 4 == 0 ? (any() % 1000 + 1) << 31 : 0;
            come(outside, wide | number);
        } else {
            size_t which = any() % pair_count;
            taken[pairs[which].engine % PLACES] = 0;
            leave(which);
        }
        CU_ASSERT_TRUE_FATAL(step % 5000 != 0 || knows_all());
    }
    CU_ASSERT_TRUE(knows_all());
    free(taken);
    end();
}

static void test_an_id_that_is_there_is_not_inserted_again(void)
{
    begin(16, 16);
    for (unsigned wide = 0; wide < 2; wide++) {
        uint64_t outside = 5 + ((uint64_t)wide << 40);
        come(outside, 3 + wide);
        CU_ASSERT_FALSE(live_ids_insert(&ids, outside, 9, 1));
        CU_ASSERT_TRUE(knows_all());
    }
    leave(0);
    come(5, 11); /* free again */
    CU_ASSERT_TRUE(knows_all());
    end();
}

MATCHING_TESTS(MATCHING_TEST(test_it_grows_to_all_that_can_be_live),
               MATCHING_TEST(test_ids_of_any_width_come_and_go),
               MATCHING_TEST(test_an_id_that_is_there_is_not_inserted_again))
