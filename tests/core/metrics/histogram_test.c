/* Tests of the histogram: which bucket a value is in, and what its readers make of that. */
#include "metrics/histogram.h"

#include <stdlib.h>
#include <string.h>

#include "support/cunit_main.h"

#define LARGEST (1ull << HISTOGRAM_BITS)

static histogram_total total;
static histogram one, other;

static void collect(void)
{
    memset(&total, 0, sizeof total);
    histogram_collect(&total, &one);
    histogram_collect(&total, &other);
}

static void forget(void)
{
    memset(&one, 0, sizeof one);
    memset(&other, 0, sizeof other);
}

static void test_buckets_follow_each_other_and_are_narrow(void)
{
    uint64_t below = 0; /* the last bucket's most */
    for (unsigned bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
        uint64_t most = histogram_most(bucket);
        CU_ASSERT_EQUAL_FATAL(histogram_bucket(below + 1), bucket);
        CU_ASSERT_EQUAL_FATAL(histogram_bucket(most), bucket);
        CU_ASSERT_TRUE_FATAL(most - (below + 1) <= (below + 1) / HISTOGRAM_STEPS);
        below = most;
    }
    CU_ASSERT_EQUAL(below, LARGEST);
    CU_ASSERT_EQUAL(histogram_bucket(0), 0);
    CU_ASSERT_EQUAL(histogram_bucket(LARGEST + 1), HISTOGRAM_BUCKETS - 1);
    CU_ASSERT_EQUAL(histogram_bucket(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
}

static void test_the_last_nanosecond_of_a_bucket_is_known(void)
{
    for (unsigned bucket = 0; bucket < HISTOGRAM_BUCKETS - 1; bucket++) {
        uint64_t most_ns = histogram_most_time(bucket);
        CU_ASSERT_TRUE_FATAL(histogram_bucket(histogram_time(most_ns)) <= bucket);
        CU_ASSERT_TRUE_FATAL(histogram_bucket(histogram_time(most_ns + 1)) > bucket);
    }
}

/* Powers of two are what Prometheus is told about. */
static void test_a_power_of_two_counts_as_at_most_itself(void)
{
    forget();
    for (unsigned log2 = 0; log2 <= HISTOGRAM_BITS; log2++) {
        histogram_add(&one, 1ull << log2);
        histogram_add(&other, (1ull << log2) + 1);
    }
    collect();
    for (unsigned log2 = 1; log2 < HISTOGRAM_BITS; log2++) {
        /* 2^0 ... 2^log2, and one more than 2^0 ... 2^(log2 - 1); 2 is one more than 1 */
        CU_ASSERT_EQUAL(histogram_at_most(&total, 1ull << log2), 2 * log2 + 1);
    }
    CU_ASSERT_EQUAL(total.count, 2 * (HISTOGRAM_BITS + 1));
}

/* What is promised is in microseconds, and what is at most that counts as that: not a nanosecond
 * more. */
static void test_times_have_a_border_at_whole_microseconds(void)
{
    static const uint64_t borders_us[] = {1, 2, 4, 5, 8, 10, 16, 1024, 1u << 20};
    for (size_t i = 0; i < sizeof borders_us / sizeof borders_us[0]; i++) {
        uint64_t border = borders_us[i] * 1000;
        forget();
        histogram_add_time(&one, border);
        histogram_add_time(&other, border + 1);
        collect();
        CU_ASSERT_EQUAL(histogram_at_most(&total, borders_us[i] * 1024), 1);
        CU_ASSERT_EQUAL(histogram_quantile_time(&total, 1, 2), border);
        CU_ASSERT_EQUAL(total.sum, 2 * border + 1);
    }
    forget();
    collect();
    CU_ASSERT_EQUAL(histogram_quantile_time(&total, 1, 2), 0);
}

/* Of each time, however short or long, no less is told, and a sixteenth more at most. */
static void test_a_time_is_told_to_a_sixteenth(void)
{
    for (uint64_t ns = 1; ns < 1000000000000u; ns += 1 + ns / 7) {
        forget();
        histogram_add_time(&one, ns);
        collect();
        uint64_t told = histogram_quantile_time(&total, 1, 1);
        CU_ASSERT_TRUE_FATAL(told >= ns && told <= ns + ns / HISTOGRAM_STEPS + 1);
    }
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void test_quantiles_are_those_of_the_values_to_a_sixteenth(void)
{
    enum { COUNT = 5000 };
    static uint64_t values[COUNT];
    static const uint64_t parts[] = {1, 100, 500, 900, 990, 999, 1000};
    uint64_t sum = 0;
    forget();
    srand(7);
    for (size_t i = 0; i < COUNT; i++) {
        values[i] = (uint64_t)rand() >> (rand() % 31);
        sum += values[i];
        histogram_add(i % 3 == 0 ? &one : &other, values[i]);
    }
    qsort(values, COUNT, sizeof values[0], compare);
    collect();
    CU_ASSERT_EQUAL(total.count, COUNT);
    CU_ASSERT_EQUAL(total.sum, sum);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        uint64_t rank = (COUNT * parts[i] + 999) / 1000;
        uint64_t exact = values[rank - 1], told = histogram_quantile(&total, parts[i], 1000);
        CU_ASSERT_TRUE(told >= exact && told <= exact + exact / HISTOGRAM_STEPS + 1);
    }
}

static void test_nothing_has_no_quantiles(void)
{
    forget();
    collect();
    CU_ASSERT_EQUAL(histogram_quantile(&total, 999, 1000), 0);
    CU_ASSERT_EQUAL(histogram_at_most(&total, LARGEST), 0);
}

MATCHING_TESTS(MATCHING_TEST(test_buckets_follow_each_other_and_are_narrow),
               MATCHING_TEST(test_the_last_nanosecond_of_a_bucket_is_known),
               MATCHING_TEST(test_a_power_of_two_counts_as_at_most_itself),
               MATCHING_TEST(test_times_have_a_border_at_whole_microseconds),
               MATCHING_TEST(test_a_time_is_told_to_a_sixteenth),
               MATCHING_TEST(test_quantiles_are_those_of_the_values_to_a_sixteenth),
               MATCHING_TEST(test_nothing_has_no_quantiles))
