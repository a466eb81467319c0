/* The histogram that ws_load reads its percentiles from, held to the sorted values themselves. */
#include <stdlib.h>

#include "load/histogram.h"
#include "support/cunit_main.h"

#define VALUES 20000

static histogram h, other;

static void begin(void)
{
    h = other = (histogram){0};
}

static int compare(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static void test_an_empty_one_says_zero(void)
{
    begin();
    CU_ASSERT_EQUAL(histogram_at(&h, 0.5), 0);
    CU_ASSERT_EQUAL(histogram_at(&h, 1), 0);
}

static void test_small_values_are_exact(void)
{
    begin();
    for (uint64_t value = 1; value <= 100; value++) {
        histogram_add(&h, value);
    }
    CU_ASSERT_EQUAL(histogram_at(&h, 0), 1);
    CU_ASSERT_EQUAL(histogram_at(&h, 0.5), 50);
    CU_ASSERT_EQUAL(histogram_at(&h, 0.99), 99);
    CU_ASSERT_EQUAL(histogram_at(&h, 1), 100);
}

static void test_a_percentile_is_never_too_low_and_hardly_too_high(void)
{
    static uint64_t values[VALUES];
    static const double parts[] = {0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1};
    uint64_t seed = 11;
    begin();
    for (size_t i = 0; i < VALUES; i++) { /* of all sizes up to 2^63 */
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        values[i] = (seed >> 1) >> (i % 63);
        histogram_add(i % 2 == 0 ? &h : &other, values[i]);
    }
    histogram_merge(&h, &other);
    qsort(values, VALUES, sizeof values[0], compare);
    for (size_t k = 0; k < sizeof parts / sizeof parts[0]; k++) {
        double rank = parts[k] * VALUES;
        uint64_t exact = values[(size_t)(rank + 0.999999) - 1], read = histogram_at(&h, parts[k]);
        CU_ASSERT(read >= exact);
        CU_ASSERT(read - exact <= exact / 128);
    }
    CU_ASSERT_EQUAL(h.count, VALUES);
    CU_ASSERT_EQUAL(histogram_at(&h, 1), values[VALUES - 1]);
}

static void test_the_largest_values_have_a_place(void)
{
    begin();
    histogram_add(&h, UINT64_MAX);
    CU_ASSERT_EQUAL(histogram_at(&h, 0.5), UINT64_MAX);
}

MATCHING_TESTS(MATCHING_TEST(test_an_empty_one_says_zero),
               MATCHING_TEST(test_small_values_are_exact),
               MATCHING_TEST(test_a_percentile_is_never_too_low_and_hardly_too_high),
               MATCHING_TEST(test_the_largest_values_have_a_place))
