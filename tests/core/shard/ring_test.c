/* core/shard/ring.h: full, empty, wrap, batches, and two threads. */
#include "shard/ring.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "support/cunit_main.h"

#define SLOTS 8u

static uint64_t memory[SLOTS];

static bool put(ring *r, uint64_t value)
{
    uint64_t *slot = ring_slot(r);
    if (slot == NULL) {
        return false;
    }
    *slot = value;
    ring_advance(r);
    return true;
}

/* Takes one and frees its slot at once. False: nothing there. */
static bool take(ring *r, uint64_t *value)
{
    uint64_t end = ring_end(r);
    if (r->read == end) {
        return false;
    }
    *value = *(uint64_t *)ring_at(r, r->read);
    r->read++;
    ring_release(r);
    return true;
}

static void test_an_empty_ring_has_nothing(void)
{
    ring r;
    uint64_t value;
    ring_init(&r, memory, SLOTS, sizeof memory[0]);
    CU_ASSERT_FALSE(take(&r, &value));
    CU_ASSERT_FALSE(ring_unpublished(&r));
}

static void test_items_show_only_once_published(void)
{
    ring r;
    uint64_t value = 0;
    ring_init(&r, memory, SLOTS, sizeof memory[0]);
    CU_ASSERT_TRUE(put(&r, 7));
    CU_ASSERT_TRUE(ring_unpublished(&r));
    CU_ASSERT_FALSE(take(&r, &value));
    ring_publish(&r);
    CU_ASSERT_FALSE(ring_unpublished(&r));
    CU_ASSERT_TRUE(take(&r, &value));
    CU_ASSERT_EQUAL(value, 7);
    CU_ASSERT_FALSE(take(&r, &value));
}

static void test_a_full_ring_takes_no_more_until_a_slot_is_released(void)
{
    ring r;
    uint64_t value;
    ring_init(&r, memory, SLOTS, sizeof memory[0]);
    for (uint64_t i = 0; i < SLOTS; i++) {
        CU_ASSERT_TRUE(put(&r, i));
    }
    CU_ASSERT_FALSE(put(&r, 99));
    ring_publish(&r);
    CU_ASSERT_FALSE(put(&r, 99));
    r.read++; /* taken, not given back */
    CU_ASSERT_FALSE(put(&r, 99));
    ring_release(&r);
    CU_ASSERT_TRUE(put(&r, SLOTS));
    CU_ASSERT_FALSE(put(&r, 99));
    ring_publish(&r);
    for (uint64_t i = 1; i <= SLOTS; i++) {
        CU_ASSERT_TRUE(take(&r, &value));
        CU_ASSERT_EQUAL(value, i);
    }
    CU_ASSERT_FALSE(take(&r, &value));
}

static void test_order_is_kept_over_many_wraps(void)
{
    ring r;
    ring_init(&r, memory, SLOTS, sizeof memory[0]);
    uint64_t written = 0, read = 0, value;
    for (unsigned turn = 0; turn < 1000; turn++) {
        for (unsigned i = 0; i < turn % (SLOTS + 1); i++) {
            written += put(&r, written);
        }
        ring_publish(&r);
        for (unsigned i = 0; i < (turn * 7) % (SLOTS + 1) && take(&r, &value); i++, read++) {
            CU_ASSERT_EQUAL_FATAL(value, read);
        }
        CU_ASSERT_TRUE_FATAL(written - read <= SLOTS);
    }
    CU_ASSERT_TRUE(written > 10 * SLOTS);
}

static void test_items_lie_in_the_callers_memory(void)
{
    ring r;
    ring_init(&r, memory, SLOTS, sizeof memory[0]);
    for (unsigned i = 0; i < 3 * SLOTS; i++) {
        CU_ASSERT_PTR_EQUAL(ring_slot(&r), &memory[i % SLOTS]);
        ring_advance(&r);
        ring_publish(&r);
        CU_ASSERT_PTR_EQUAL(ring_at(&r, r.read), &memory[i % SLOTS]);
        r.read++;
        ring_release(&r);
    }
}

/* What was passed over does not count against the room. */
static void test_an_empty_ring_begins_again_at_its_first_slot(void)
{
    ring r;
    uint64_t value = 0;
    ring_init(&r, memory, SLOTS, sizeof memory[0]);
    ring_rewind(&r);
    for (uint64_t turn = 0; turn < 5; turn++) {
        for (uint64_t i = 0; i < 3; i++) {
            CU_ASSERT_PTR_EQUAL(ring_slot(&r), &memory[i]);
            CU_ASSERT_TRUE(put(&r, turn + i));
        }
        ring_publish(&r);
        ring_rewind(&r); /* not while something waits */
        for (uint64_t i = 0; i < 3; i++) {
            ring_rewind(&r);
            CU_ASSERT_TRUE(take(&r, &value));
            CU_ASSERT_EQUAL(value, turn + i);
        }
        ring_rewind(&r);
        CU_ASSERT_EQUAL(ring_unpublished(&r), 0);
        CU_ASSERT_FALSE(take(&r, &value));
    }
    CU_ASSERT_TRUE(ring_has_room(&r, SLOTS));
    for (uint64_t i = 0; i < SLOTS; i++) {
        CU_ASSERT_TRUE(put(&r, i));
    }
    CU_ASSERT_FALSE(put(&r, 99));
    ring_publish(&r);
    for (uint64_t i = 0; i < SLOTS; i++) {
        CU_ASSERT_TRUE(take(&r, &value));
        CU_ASSERT_EQUAL(value, i);
    }
    CU_ASSERT_FALSE(take(&r, &value));
}

/* ---- Two threads ---------------------------------------------------------------------------- */

#define ITEMS 300000u
#define WORDS 8u /* an item of a cache line, to see a torn one */

typedef struct traffic {
    ring r;
    uint64_t wrong; /* the consumer's count */
} traffic;

static void *produce(void *argument)
{
    traffic *t = argument;
    for (uint64_t i = 0; i < ITEMS;) {
        uint64_t *slot = ring_slot(&t->r);
        if (slot == NULL) {
            ring_publish(&t->r);
            sched_yield();
            continue;
        }
        for (unsigned w = 0; w < WORDS; w++) {
            slot[w] = i * WORDS + w;
        }
        ring_advance(&t->r);
        if (++i % 5 == 0) {
            ring_publish(&t->r);
            ring_rewind(&t->r);
        }
    }
    ring_publish(&t->r);
    return NULL;
}

static void consume(traffic *t)
{
    for (uint64_t expected = 0; expected < ITEMS;) {
        uint64_t end = ring_end(&t->r);
        if (t->r.read == end) {
            sched_yield();
        }
        for (; t->r.read < end; t->r.read++, expected++) {
            const uint64_t *item = ring_at(&t->r, t->r.read);
            for (unsigned w = 0; w < WORDS; w++) {
                t->wrong += item[w] != expected * WORDS + w;
            }
        }
        ring_release(&t->r);
    }
}

static void test_two_threads_see_every_item_once_and_whole(void)
{
    traffic *t = aligned_alloc(64, (sizeof *t + 63) / 64 * 64);
    void *items = aligned_alloc(64, 64 * WORDS * sizeof(uint64_t));
    CU_ASSERT_PTR_NOT_NULL_FATAL(t);
    CU_ASSERT_PTR_NOT_NULL_FATAL(items);
    t->wrong = 0;
    ring_init(&t->r, items, 64, WORDS * sizeof(uint64_t));
    pthread_t producer;
    CU_ASSERT_EQUAL_FATAL(pthread_create(&producer, NULL, produce, t), 0);
    consume(t);
    pthread_join(producer, NULL);
    CU_ASSERT_EQUAL(t->wrong, 0);
    CU_ASSERT_TRUE(t->r.read >= ITEMS);
    free(items);
    free(t);
}

MATCHING_TESTS(MATCHING_TEST(test_an_empty_ring_has_nothing),
               MATCHING_TEST(test_items_show_only_once_published),
               MATCHING_TEST(test_a_full_ring_takes_no_more_until_a_slot_is_released),
               MATCHING_TEST(test_order_is_kept_over_many_wraps),
               MATCHING_TEST(test_items_lie_in_the_callers_memory),
               MATCHING_TEST(test_an_empty_ring_begins_again_at_its_first_slot),
               MATCHING_TEST(test_two_threads_see_every_item_once_and_whole))
