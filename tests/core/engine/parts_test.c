/* Tests of what an engine tells of its memory: where its arrays are, and how far they are used.
 * Memory was all zero, so what is said to be unused has to be that still.
 */
#include <stdlib.h>

#include "engine/engine_internal.h"
#include "generator.h"
#include "support/cunit_main.h"

#define COMMANDS 6000u

/* More room than the commands need: each array keeps a part that is not used. */
static const market wide = {.name = "wide",
                            .limits = {.instruments = 3,
                                       .max_orders = 20000,
                                       .max_levels = 20000,
                                       .max_traders = 100,
                                       .retained_orders = 20000},
                            .traders = 20,
                            .client_ids = 6,
                            .price_low = 1000,
                            .price_high = 60000,
                            .quantity_high = 20,
                            .passive = 50,
                            .stops = 25};

typedef matching_engine_part parts_of[MATCHING_ENGINE_PARTS];

static bool is_zero(const char *bytes, size_t size)
{
    return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

/* NULL, or what is wrong. */
static const char *find_stray(const parts_of parts)
{
    for (unsigned i = 0; i < MATCHING_ENGINE_PARTS; i++) {
        const matching_engine_part *p = &parts[i];
        if (p->used > p->places) {
            return "more is used than there is";
        }
        const char *unused = (const char *)p->memory + p->used * p->size;
        if (!is_zero(unused, (p->places - p->used) * p->size)) {
            return "something is used behind the mark";
        }
    }
    return NULL;
}

static void test_the_parts_are_all_of_the_memory_behind_the_engine(void)
{
    fixture f;
    parts_of parts;
    fixture_init_alone(&f, &wide.limits);
    matching_engine_parts(f.engine, parts);
    const char *at = (const char *)f.memory + sizeof(matching_engine);
    for (unsigned i = 0; i < MATCHING_ENGINE_PARTS; i++) {
        const char *memory = parts[i].memory;
        CU_ASSERT_TRUE(memory >= at && memory < at + 64);
        at = memory + parts[i].size * parts[i].places;
    }
    const char *end = (const char *)f.memory + matching_engine_size(&wide.limits);
    CU_ASSERT_TRUE(at <= end && at + 64 > end);
    fixture_fini(&f);
}

/* Never less than before; and together no more has changed than `used` tells. */
static bool has_grown(const parts_of before, const parts_of after, uint64_t used_more)
{
    uint64_t more = 0;
    for (unsigned i = 0; i < MATCHING_ENGINE_PARTS; i++) {
        if (after[i].used < before[i].used) {
            return false;
        }
        more += (after[i].used - before[i].used) * after[i].size;
    }
    return more <= used_more;
}

static void test_nothing_is_used_behind_the_marks(void)
{
    static duel d;
    parts_of before, after;
    uint64_t used = 0, now;
    duel_init(&d, &wide.limits);
    generator random = {.market = &wide, .duel = &d, .random_state = 11};
    matching_engine_parts(d.engine.engine, before);
    used = matching_engine_used(d.engine.engine);
    CU_ASSERT_PTR_NULL(find_stray(before));
    for (unsigned i = 1; i <= COMMANDS; i++) {
        matching_command command = generator_next(&random);
        CU_ASSERT_TRUE_FATAL(duel_apply(&d, &command, false));
        matching_engine_parts(d.engine.engine, after);
        now = matching_engine_used(d.engine.engine);
        CU_ASSERT_TRUE_FATAL(now >= used && has_grown(before, after, now - used));
        memcpy(before, after, sizeof before);
        used = now;
        if (i % 500 == 0) {
            CU_ASSERT_PTR_NULL_FATAL(find_stray(after));
        }
    }
    CU_ASSERT_TRUE(d.trades > 100 && d.triggers > 10);
    for (unsigned i = 0; i < MATCHING_ENGINE_PARTS; i++) {
        CU_ASSERT_TRUE(after[i].used > 1); /* every kind of array was in use */
    }
    duel_fini(&d);
}

static matching_command order(unsigned number)
{
    return (matching_command){.type = MATCHING_PLACE,
                              .side = MATCHING_BUY,
                              .order_type = MATCHING_LIMIT,
                              .price_ticks = 100,
                              .quantity_lots = 1 + number % 3,
                              .trader_id = "ann"};
}

/* Numbers go on when all slots have been used; the mark stays at the end. */
static void test_the_mark_of_orders_ends_with_their_slots(void)
{
    fixture f;
    parts_of parts;
    matching_engine_limits limits = fixture_limits();
    limits.max_orders = 5;
    limits.retained_orders = 10;
    fixture_init_alone(&f, &limits);
    uint64_t used = 0;
    for (unsigned i = 0; i < 100; i++) {
        matching_engine_parts(f.engine, parts);
        CU_ASSERT_EQUAL(parts[0].used, i < parts[0].places ? i + 1 : parts[0].places);
        used = matching_engine_used(f.engine);
        CU_ASSERT_EQUAL(fixture_apply(&f, order(i))->code, MATCHING_OK);
        matching_command cancel = {.type = MATCHING_CANCEL, .order_id = f.reply.order.order_id};
        CU_ASSERT_EQUAL(fixture_apply(&f, cancel)->code, MATCHING_OK);
    }
    CU_ASSERT_EQUAL(matching_engine_used(f.engine), used); /* and nobody has to be told */
    fixture_fini(&f);
}

MATCHING_TESTS(MATCHING_TEST(test_the_parts_are_all_of_the_memory_behind_the_engine),
               MATCHING_TEST(test_nothing_is_used_behind_the_marks),
               MATCHING_TEST(test_the_mark_of_orders_ends_with_their_slots))
