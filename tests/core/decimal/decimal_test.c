/* Tests of include/matching/decimal.h: what is a number, what is exact, what does not fit, and that
 * a printed value reads back as itself.
 */
#include "matching/decimal.h"

#include <inttypes.h>

#include "support/cunit_main.h"

#define ONE MATCHING_DECIMAL_ONE

typedef struct accepted {
    const char *text;
    int64_t mantissa;
} accepted;

static const accepted accepted_numbers[] = {
    {"0", 0},
    {"-0", 0},
    {"0.0", 0},
    {"-0.00000000000", 0},
    {"1", ONE},
    {"-1", -ONE},
    {"50000", 50000 * ONE},
    {"0.25", ONE / 4},
    {"-3.5", -7 * ONE / 2},
    {"0.00000001", 1},
    {"-0.00000001", -1},
    {"1.10000000000", 11 * ONE / 10},
    {"1.0000000000000000000000000000000000000000", ONE},
    {"12345.67890123", 1234567890123},
    /* exponents */
    {"5e4", 50000 * ONE},
    {"5E4", 50000 * ONE},
    {"5e+4", 50000 * ONE},
    {"5E-4", 5 * ONE / 10000},
    {"1e0", ONE},
    {"1e00", ONE},
    {"1e-08", 1},
    {"1e-8", 1},
    {"10e-9", 1},
    {"1.5e-7", 15},
    {"0.000000001e1", 1},
    {"0.000000000000000000000000000001e30", ONE},
    {"123456789e-8", 123456789},
    {"100000000000000000000000000000000e-32", ONE},
    /* zero stays zero whatever its exponent */
    {"0e400", 0},
    {"0e-400", 0},
    {"0.000e99999999999999999999", 0},
    {"-0e-99999999999999999999", 0},
    /* the bounds of the mantissa */
    {"92233720368", 92233720368 * ONE},
    {"92233720368.54775807", INT64_MAX},
    {"92233720368.547758070000000000", INT64_MAX},
    {"9223372036854775807e-8", INT64_MAX},
    {"9.223372036854775807e10", INT64_MAX},
    {"-92233720368.54775807", -INT64_MAX},
};

static const char *const refused_numbers[] = {
    /* not in the grammar */
    "",
    "-",
    "+1",
    ".5",
    "-.5",
    "5.",
    "5.e4",
    "e4",
    "5e",
    "5e+",
    "5e-",
    "5e1.5",
    "5ee1",
    "01",
    "-01",
    "00",
    "00.5",
    "0x10",
    "1f",
    "1,5",
    "1 000",
    " 1",
    "1 ",
    "\t1",
    "1\n",
    "--1",
    "1-",
    "1.2.3",
    "1_000",
    "NaN",
    "nan",
    "Infinity",
    "-Infinity",
    "inf",
    "true",
    "null",
    "\"1\"",
    "\xd9\xa1",
    /* more than eight decimals are needed */
    "0.000000001",
    "1.000000001",
    "1e-9",
    "-1e-9",
    "15e-9",
    "0.1234567890123456789012345678901234567890",
    "1e-400",
    "1e-99999999999999999999",
    "1e-2147483648",
    "1e-9223372036854775808",
    /* does not fit */
    "92233720368.54775808",
    "-92233720368.54775809",
    "92233720369",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551616",
    "1e11",
    "1e400",
    "-1e400",
    "1e99999999999999999999",
    "1e2147483647",
    "1e2147483648",
    "1e4294967296",
    "1e9223372036854775807",
    "1e18446744073709551616",
    "999999999999999999999999999999999999999999",
};

static void test_accepted_numbers_are_exact(void)
{
    for (size_t i = 0; i < sizeof accepted_numbers / sizeof accepted_numbers[0]; i++) {
        const accepted *row = &accepted_numbers[i];
        int64_t mantissa = 77;
        bool ok = matching_decimal_parse(row->text, strlen(row->text), &mantissa);
        if (!ok || mantissa != row->mantissa) {
            printf("\n    \"%s\": %s %" PRId64 ", wanted %" PRId64, row->text,
                   ok ? "gave" : "refused", mantissa, row->mantissa);
        }
        CU_ASSERT_TRUE(ok);
        CU_ASSERT_EQUAL(mantissa, row->mantissa);
    }
}

static void test_refused_numbers_leave_the_result_alone(void)
{
    for (size_t i = 0; i < sizeof refused_numbers / sizeof refused_numbers[0]; i++) {
        int64_t mantissa = 77;
        bool ok = matching_decimal_parse(refused_numbers[i], strlen(refused_numbers[i]), &mantissa);
        if (ok) {
            printf("\n    \"%s\" was read as %" PRId64, refused_numbers[i], mantissa);
        }
        CU_ASSERT_FALSE(ok);
        CU_ASSERT_EQUAL(mantissa, 77);
    }
}

/* The text is not NUL-terminated in a received message: what follows it must not count. */
static void test_only_the_given_length_is_read(void)
{
    int64_t mantissa = 0;
    CU_ASSERT_TRUE(matching_decimal_parse("12.5e3garbage", 4, &mantissa));
    CU_ASSERT_EQUAL(mantissa, 125 * ONE / 10);
    CU_ASSERT_TRUE(matching_decimal_parse("1234", 1, &mantissa));
    CU_ASSERT_EQUAL(mantissa, ONE);
    CU_ASSERT_FALSE(matching_decimal_parse("12.5", 3, &mantissa));
    CU_ASSERT_FALSE(matching_decimal_parse("1e5", 2, &mantissa));
    CU_ASSERT_FALSE(matching_decimal_parse("1\0", 2, &mantissa));
    CU_ASSERT_FALSE(matching_decimal_parse("1\0002", 3, &mantissa));
    CU_ASSERT_FALSE(matching_decimal_parse("", 0, &mantissa));
}

/* Long digit strings are legal JSON. They must neither overflow a counter nor be misread; beyond
 * 100,000 characters a text is refused, whatever it says. */
static void test_long_digit_strings(void)
{
    enum { LONGEST = 100000, DIGITS = 90000 };
    char *text = malloc(LONGEST + 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    int64_t mantissa = 0;

    memset(text, '0', LONGEST + 1);
    text[0] = '7';
    text[1] = '.';
    CU_ASSERT_TRUE(matching_decimal_parse(text, LONGEST, &mantissa)); /* 7.000... */
    CU_ASSERT_EQUAL(mantissa, 7 * ONE);
    CU_ASSERT_FALSE(matching_decimal_parse(text, LONGEST + 1, &mantissa));

    text[LONGEST - 1] = '1'; /* 7.000...01 */
    CU_ASSERT_FALSE(matching_decimal_parse(text, LONGEST, &mantissa));

    memset(text, '9', LONGEST);
    CU_ASSERT_FALSE(matching_decimal_parse(text, LONGEST, &mantissa));

    /* 1 followed by many zeros, brought back by its exponent */
    memset(text, '0', LONGEST);
    text[0] = '1';
    int tail = snprintf(text + DIGITS + 1, 16, "e-%d", DIGITS);
    CU_ASSERT_TRUE(matching_decimal_parse(text, (size_t)(DIGITS + 1 + tail), &mantissa));
    CU_ASSERT_EQUAL(mantissa, ONE);

    /* 0.000...01 with many decimals, brought back likewise */
    memset(text, '0', LONGEST);
    text[1] = '.';
    text[DIGITS + 1] = '1';
    tail = snprintf(text + DIGITS + 2, 16, "e%d", DIGITS);
    CU_ASSERT_TRUE(matching_decimal_parse(text, (size_t)(DIGITS + 2 + tail), &mantissa));
    CU_ASSERT_EQUAL(mantissa, ONE);
    free(text);
}

typedef struct printed {
    int64_t mantissa;
    const char *text;
} printed;

static void test_printing_has_no_trailing_zeros(void)
{
    static const printed rows[] = {
        {0, "0"},
        {1, "0.00000001"},
        {-1, "-0.00000001"},
        {10, "0.0000001"},
        {ONE / 4, "0.25"},
        {-ONE / 4, "-0.25"},
        {ONE, "1"},
        {-ONE, "-1"},
        {ONE + 1, "1.00000001"},
        {10 * ONE, "10"},
        {100 * ONE, "100"},
        {50000 * ONE, "50000"},
        {-7 * ONE / 2, "-3.5"},
        {1234567890123, "12345.67890123"},
        {1200000000, "12"},
        {1020000000, "10.2"},
        {99999999, "0.99999999"},
        {INT64_MAX, "92233720368.54775807"},
        {-INT64_MAX, "-92233720368.54775807"},
        {INT64_MIN, "-92233720368.54775808"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[MATCHING_DECIMAL_TEXT];
        memset(text, '#', sizeof text);
        size_t length = matching_decimal_print(text, rows[i].mantissa);
        CU_ASSERT_STRING_EQUAL(text, rows[i].text);
        CU_ASSERT_EQUAL(length, strlen(rows[i].text));
    }
}

/* Around every number of digits, and around every number of bits. */
static void test_integers_are_printed(void)
{
    uint64_t edges[84] = {0};
    size_t count = 0;
    for (uint64_t power = 1; count < 20; power *= 10) {
        edges[count++] = power;
    }
    for (unsigned bit = 0; bit < 64; bit++) {
        edges[count++] = UINT64_C(1) << bit;
    }
    for (size_t i = 0; i < count; i++) {
        for (int step = -1; step <= 1; step++) {
            uint64_t value = edges[i] + (uint64_t)step;
            char text[MATCHING_UNSIGNED_TEXT], wanted[32];
            snprintf(wanted, sizeof wanted, "%" PRIu64, value);
            CU_ASSERT_EQUAL(matching_unsigned_print(text, value), strlen(wanted));
            CU_ASSERT_STRING_EQUAL(text, wanted);
        }
    }
}

static void test_wide_printing(void)
{
    static const struct {
        uint64_t high, low;
        const char *text;
    } rows[] = {
        {0, 0, "0"},
        {0, 1, "0.00000001"},
        {0, 25000000, "0.25"},
        {0, 100000000, "1"},
        {0, UINT64_MAX, "184467440737.09551615"},
        {1, 0, "184467440737.09551616"},
        {UINT64_MAX, UINT64_MAX, "3402823669209384634633746074317.68211455"},
        /* 10^15 orders of 10^15 lots: the digits around the 64-bit halves are zeros */
        {54210108624, 5076944270305263616u, "10000000000000000000000"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[MATCHING_DECIMAL_WIDE_TEXT];
        memset(text, '#', sizeof text);
        size_t length =
            matching_decimal_print_wide(text, (matching_wide)rows[i].high << 64 | rows[i].low);
        CU_ASSERT_STRING_EQUAL(text, rows[i].text);
        CU_ASSERT_EQUAL(length, strlen(rows[i].text));
    }
}

static void test_turnover_printing(void)
{
    static const struct {
        uint64_t words[3];
        const char *text;
    } rows[] = {
        {{0, 0, 0}, "0"},
        {{1, 0, 0}, "0.0000000000000001"},
        {{1500000000000000, 0, 0}, "0.15"},
        {{10000000000000000, 0, 0}, "1"},
        {{UINT64_MAX, 0, 0}, "1844.6744073709551615"},
        {{0, 1, 0}, "1844.6744073709551616"},
        {{0, 0, 1}, "34028236692093846346337.4607431768211456"},
        {{UINT64_MAX, UINT64_MAX, UINT64_MAX},
         "627710173538668076383578942320766641610235.5444464034512895"},
        /* 10^32: all digits but one are zeros */
        {{9632337040368467968u, 5421010862427u, 0}, "10000000000000000"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[MATCHING_TURNOVER_TEXT];
        matching_turnover sum;
        memset(text, '#', sizeof text);
        memcpy(sum.words, rows[i].words, sizeof sum.words);
        size_t length = matching_turnover_print(text, &sum);
        CU_ASSERT_STRING_EQUAL(text, rows[i].text);
        CU_ASSERT_EQUAL(length, strlen(rows[i].text));
    }
}

static void test_turnover_arithmetic_carries(void)
{
    const matching_wide most = ~(matching_wide)0;
    matching_turnover sum = {{0}}, other = {{0}};
    char text[MATCHING_TURNOVER_TEXT];
    for (unsigned i = 0; i < 3; i++) {
        matching_turnover_add(&sum, most);
    }
    matching_turnover_add(&sum, 3); /* 3 x 2^128 */
    CU_ASSERT(sum.words[0] == 0 && sum.words[1] == 0 && sum.words[2] == 3);
    matching_turnover_add(&other, most);
    matching_turnover_multiply(&other, 3); /* 3 less than that */
    matching_turnover_subtract(&sum, &other);
    CU_ASSERT(sum.words[0] == 3 && sum.words[1] == 0 && sum.words[2] == 0);
    matching_turnover_add_all(&sum, &other);
    matching_turnover_subtract(&sum, &other);
    matching_turnover_multiply(&sum, 5000000000000000);
    matching_turnover_print(text, &sum);
    CU_ASSERT_STRING_EQUAL(text, "1.5");
    matching_turnover_subtract(&sum, &sum);
    matching_turnover_print(text, &sum);
    CU_ASSERT_STRING_EQUAL(text, "0");
}

static uint64_t random_state = 20120621;

static uint64_t next_random(void)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return random_state ^ random_state >> 29;
}

static void test_what_is_printed_reads_back(void)
{
    for (unsigned i = 0; i < 200000; i++) {
        int64_t mantissa = (int64_t)next_random();
        mantissa >>= next_random() % 64;
        char text[MATCHING_DECIMAL_TEXT];
        size_t length = matching_decimal_print(text, mantissa);
        int64_t back = ~mantissa;
        bool same = matching_decimal_parse(text, length, &back) && back == mantissa;
        if (!same) {
            printf("\n    %" PRId64 " printed as %s", mantissa, text);
            CU_FAIL_FATAL("a printed mantissa did not read back");
        }
        if (mantissa >= 0) {
            char wide[MATCHING_DECIMAL_WIDE_TEXT];
            CU_ASSERT_EQUAL(matching_decimal_print_wide(wide, (matching_wide)mantissa), length);
            CU_ASSERT_STRING_EQUAL(wide, text);
        }
    }
}

MATCHING_TESTS(MATCHING_TEST(test_accepted_numbers_are_exact),
               MATCHING_TEST(test_refused_numbers_leave_the_result_alone),
               MATCHING_TEST(test_only_the_given_length_is_read),
               MATCHING_TEST(test_long_digit_strings),
               MATCHING_TEST(test_printing_has_no_trailing_zeros),
               MATCHING_TEST(test_integers_are_printed), MATCHING_TEST(test_wide_printing),
               MATCHING_TEST(test_turnover_printing),
               MATCHING_TEST(test_turnover_arithmetic_carries),
               MATCHING_TEST(test_what_is_printed_reads_back))
