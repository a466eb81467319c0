/* Which orders are whose, and which events their owners know already. No port: none is watched. */
#include "door.h"

#include "support/cunit_main.h"

static sbe_working_table table;
static sbe_connection one, two;

static matching_reply reply_of(uint64_t order_id, uint64_t sequence, uint64_t events_end)
{
    return (matching_reply){.order = {.order_id = order_id, .status = MATCHING_OPEN},
                            .sequence = sequence,
                            .events_end = events_end};
}

static sbe_working *enter(sbe_connection *owner, uint64_t order_id, uint64_t events_end)
{
    matching_reply reply = reply_of(order_id, 1, events_end);
    const sbe_pending request = {.watch = SBE_NO_WATCH};
    CU_ASSERT_TRUE(sbe_working_add(&table, owner, &request, &reply));
    return sbe_working_find(&table, order_id);
}

static void change(const sbe_working *entry, uint64_t sequence, uint64_t events_end)
{
    matching_reply reply = reply_of(entry->order.order_id, sequence, events_end);
    CU_ASSERT_TRUE(sbe_working_changed(&table, entry, &reply));
}

/* As the port delivers it. */
static bool is_told(const sbe_working *entry, uint64_t position, uint64_t sequence)
{
    matching_event event = {.sequence_low = (uint32_t)sequence, .kind = MATCHING_EVENT_ORDER};
    sbe_working_passed(&table, 0, position);
    return sbe_working_is_told(&table, entry, 0, position, &event);
}

static void end(void)
{
    sbe_working_release(&table, &one);
    sbe_working_release(&table, &two);
    CU_ASSERT_EQUAL(table.count, 0);
    sbe_working_fini(&table);
}

static void test_events_of_the_entry_are_told_with_its_answer(void)
{
    const sbe_working *entry = enter(&one, 5, 100);
    CU_ASSERT_TRUE(is_told(entry, 94, 1));
    CU_ASSERT_FALSE(is_told(entry, 100, 2));
    end();
}

/* The answer to an amend comes before the events of what somebody else did just before it. */
static void test_a_fill_before_an_own_change_is_told(void)
{
    const sbe_working *entry = enter(&one, 5, 100);
    const sbe_working *other = enter(&one, 6, 100);
    change(entry, 8, 130);
    change(entry, 11, 160);
    CU_ASSERT_FALSE(is_told(entry, 106, 7)); /* the fill */
    CU_ASSERT_TRUE(is_told(entry, 120, 8));
    CU_ASSERT_FALSE(is_told(other, 124, 8)); /* which the change has brought about */
    CU_ASSERT_FALSE(is_told(entry, 136, 9));
    CU_ASSERT_TRUE(is_told(entry, 150, 11));
    CU_ASSERT_FALSE(is_told(entry, 160, 12));
    end();
}

static void test_only_the_owner_knows_of_its_changes(void)
{
    sbe_working *entry = enter(&one, 5, 100);
    change(entry, 8, 130);
    sbe_working_remove(&table, entry); /* as if the id had another owner */
    const sbe_working *others = enter(&two, 5, 100);
    CU_ASSERT_FALSE(is_told(others, 120, 8));
    end();
}

static void test_changes_without_events_are_not_kept(void)
{
    const sbe_working *entry = enter(&one, 5, 100);
    for (uint64_t sequence = 2; sequence < 1000; sequence++) {
        change(entry, sequence, 130);
    }
    CU_ASSERT_EQUAL(table.changes[0].end - table.changes[0].begin, 1);
    for (uint64_t i = 0; i < 100000; i++) { /* those that have passed make room */
        change(entry, 1000 + i, 140 + 10 * i);
        CU_ASSERT_TRUE(is_told(entry, 135 + 10 * i, 1000 + i));
    }
    CU_ASSERT_TRUE(table.changes[0].room <= 64);
    end();
}

static void test_orders_are_found_until_they_are_removed(void)
{
    enum { COUNT = 20000 };
    for (uint64_t id = 1; id <= COUNT; id++) {
        enter(id % 3 == 0 ? &two : &one, id * 64, 1);
    }
    for (uint64_t id = 1; id <= COUNT; id += 2) {
        sbe_working_remove(&table, sbe_working_find(&table, id * 64));
    }
    size_t owned = 0;
    for (uint64_t id = 1; id <= COUNT; id++) {
        const sbe_working *entry = sbe_working_find(&table, id * 64);
        CU_ASSERT_EQUAL(entry != NULL, id % 2 == 0);
        owned += entry != NULL && entry->owner == &two && id % 3 == 0;
    }
    CU_ASSERT_EQUAL(owned, two.working.count);
    sbe_working_release(&table, &two);
    CU_ASSERT_EQUAL(table.count, one.working.count);
    CU_ASSERT_PTR_NULL(sbe_working_find(&table, 6 * 64));
    CU_ASSERT_PTR_NOT_NULL(sbe_working_find(&table, 8 * 64));
    end();
}

MATCHING_TESTS(MATCHING_TEST(test_events_of_the_entry_are_told_with_its_answer),
               MATCHING_TEST(test_a_fill_before_an_own_change_is_told),
               MATCHING_TEST(test_only_the_owner_knows_of_its_changes),
               MATCHING_TEST(test_changes_without_events_are_not_kept),
               MATCHING_TEST(test_orders_are_found_until_they_are_removed))
