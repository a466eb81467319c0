/* Tests of transports/http/deadlines.h with a clock of its own. */
#include "deadlines.h"

#include "support/cunit_main.h"

#define SECOND UINT64_C(1000000000)

static const matching_config_limits limits = {
    .header_timeout_ms = 5000, .body_timeout_ms = 10000, .idle_timeout_ms = 60000};

static void test_nothing_waits_at_first(void)
{
    http_deadlines deadlines;
    http_deadlines_init(&deadlines, &limits);
    CU_ASSERT_EQUAL(http_deadlines_timeout_ms(&deadlines, 5 * SECOND), -1);
    CU_ASSERT_PTR_NULL(http_deadlines_due(&deadlines, UINT64_MAX));
}

static void test_each_wait_has_its_length(void)
{
    static const struct {
        http_wait wait;
        uint64_t length_s;
    } cases[] = {
        {HTTP_WAIT_IDLE, 60}, {HTTP_WAIT_HEAD, 5}, {HTTP_WAIT_BODY, 10}, {HTTP_WAIT_SEND, 60}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        http_deadlines deadlines;
        http_deadline one = {0};
        http_deadlines_init(&deadlines, &limits);
        http_deadline_set(&deadlines, &one, cases[i].wait, 7);
        uint64_t due = 7 + cases[i].length_s * SECOND;
        CU_ASSERT_EQUAL(http_deadlines_timeout_ms(&deadlines, 7), (int)cases[i].length_s * 1000);
        CU_ASSERT_EQUAL(http_deadlines_timeout_ms(&deadlines, due - 1), 1);
        CU_ASSERT_EQUAL(http_deadlines_timeout_ms(&deadlines, due), 0);
        CU_ASSERT_PTR_NULL(http_deadlines_due(&deadlines, due - 1));
        CU_ASSERT_PTR_EQUAL(http_deadlines_due(&deadlines, due), &one);
        CU_ASSERT_PTR_NULL(http_deadlines_due(&deadlines, due));
        CU_ASSERT_EQUAL(one.wait, HTTP_WAIT_NONE);
    }
}

static void test_a_new_wait_replaces_the_old_one(void)
{
    http_deadlines deadlines;
    http_deadline one = {0};
    http_deadlines_init(&deadlines, &limits);
    http_deadline_set(&deadlines, &one, HTTP_WAIT_HEAD, 0);
    http_deadline_set(&deadlines, &one, HTTP_WAIT_BODY, 4 * SECOND);
    CU_ASSERT_PTR_NULL(http_deadlines_due(&deadlines, 13 * SECOND));
    CU_ASSERT_PTR_NULL(http_deadlines_first(&deadlines, HTTP_WAIT_HEAD));
    CU_ASSERT_PTR_EQUAL(http_deadlines_first(&deadlines, HTTP_WAIT_BODY), &one);
    http_deadline_set(&deadlines, &one, HTTP_WAIT_NONE, 0);
    CU_ASSERT_PTR_NULL(http_deadlines_due(&deadlines, UINT64_MAX));
    http_deadline_set(&deadlines, &one, HTTP_WAIT_NONE, 0);
}

/* Seeded random moves against a plain array. */
static void test_many_waits_come_due_in_order(void)
{
    enum { COUNT = 40, STEPS = 20000 };
    static const uint64_t lengths_s[HTTP_WAIT_COUNT] = {0, 60, 5, 10, 60};
    static http_deadline waits[COUNT];
    uint64_t due[COUNT] = {0}; /* 0: not waiting */
    http_deadlines deadlines;
    http_deadlines_init(&deadlines, &limits);
    uint64_t now = 1;
    uint32_t random = 12345;
    for (int step = 0; step < STEPS; step++) {
        random = random * 1664525 + 1013904223;
        size_t i = (random >> 8) % COUNT;
        http_wait wait = (http_wait)((random >> 16) % HTTP_WAIT_COUNT);
        now += (random >> 20) * 1000000;
        http_deadline *late;
        while ((late = http_deadlines_due(&deadlines, now)) != NULL) {
            CU_ASSERT(due[late - waits] != 0 && due[late - waits] <= now);
            due[late - waits] = 0;
        }
        for (size_t k = 0; k < COUNT; k++)
            CU_ASSERT(due[k] == 0 || due[k] > now);
        http_deadline_set(&deadlines, &waits[i], wait, now);
        due[i] = wait == HTTP_WAIT_NONE ? 0 : now + lengths_s[wait] * SECOND;
    }
}

MATCHING_TESTS(MATCHING_TEST(test_nothing_waits_at_first),
               MATCHING_TEST(test_each_wait_has_its_length),
               MATCHING_TEST(test_a_new_wait_replaces_the_old_one),
               MATCHING_TEST(test_many_waits_come_due_in_order))
