/* The grammar of one line: names, and values of every kind, legal and not. */
#include "core/config/toml_value.h"

#include "support/cunit_main.h"

static toml_value value;

static void expect_string(const char *text, const char *expected)
{
    const char *problem = toml_value_parse(text, &value);
    CU_ASSERT_PTR_NULL(problem);
    if (problem || strcmp(value.items[0].text, expected) != 0) {
        printf("%s: %s\n", text, problem ? problem : value.items[0].text);
        CU_FAIL("string");
        return;
    }
    CU_ASSERT_EQUAL(value.items[0].kind, TOML_STRING);
}

static void test_strings_take_escapes_and_literal_quotes(void)
{
    expect_string("\"\"", "");
    expect_string("''", "");
    expect_string("\"plain\"", "plain");
    expect_string(" \"a # b ; c\" # comment", "a # b ; c");
    expect_string("'C:\\new # x'\t# comment", "C:\\new # x");
    expect_string("\"\\b\\t\\n\\f\\r\\\"\\\\\"", "\b\t\n\f\r\"\\");
    expect_string("\"\\u0041\\u00e9\\u20AC\\U0001F600\"", "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
    expect_string("\"= [x] {y}\"", "= [x] {y}");
}

static void test_integers_take_signs_underscores_and_bases(void)
{
    static const struct {
        const char *text;
        int64_t integer;
    } cases[] = {
        {"0", 0},
        {"-0", 0},
        {"+7", 7},
        {"-42", -42},
        {"1_000_000", 1000000},
        {"0xff", 255},
        {"0xDEAD_beef", 0xdeadbeef},
        {"0o755", 0755},
        {"0b101", 5},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
        {"12#comment", 12},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CU_ASSERT_PTR_NULL(toml_value_parse(cases[i].text, &value));
        CU_ASSERT_EQUAL(value.items[0].kind, TOML_INTEGER);
        CU_ASSERT_EQUAL(value.items[0].integer, cases[i].integer);
    }
}

static void test_decimals_keep_their_exact_text(void)
{
    static const char *const cases[][2] = {
        {"0.01", "0.01"}, {"+0.5", "0.5"},       {"-1.25", "-1.25"},
        {"1e-2", "1e-2"}, {"1_000.5", "1000.5"}, {"6.02E+3 # c", "6.02E+3"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CU_ASSERT_PTR_NULL(toml_value_parse(cases[i][0], &value));
        CU_ASSERT_EQUAL(value.items[0].kind, TOML_DECIMAL);
        CU_ASSERT_STRING_EQUAL(value.items[0].text, cases[i][1]);
    }
}

static void test_arrays_hold_flat_values_and_a_trailing_comma(void)
{
    CU_ASSERT_PTR_NULL(toml_value_parse("[]", &value));
    CU_ASSERT_TRUE(value.is_array);
    CU_ASSERT_EQUAL(value.count, 0);
    CU_ASSERT_PTR_NULL(toml_value_parse("[ \"a]\" , 'b,#', 3, true, ] # c", &value));
    CU_ASSERT_EQUAL(value.count, 4);
    CU_ASSERT_STRING_EQUAL(value.items[0].text, "a]");
    CU_ASSERT_STRING_EQUAL(value.items[1].text, "b,#");
    CU_ASSERT_EQUAL(value.items[2].integer, 3);
    CU_ASSERT_TRUE(value.items[3].boolean);
}

static void test_an_array_of_the_longest_line_fits(void)
{
    char text[TOML_LINE_SIZE];
    size_t used = 0;
    text[used++] = '[';
    for (int i = 0; i < TOML_ITEMS_MAX; i++) {
        text[used++] = '1';
        text[used++] = ',';
    }
    text[used - 1] = ']';
    text[used] = '\0';
    CU_ASSERT_PTR_NULL(toml_value_parse(text, &value));
    CU_ASSERT_EQUAL(value.count, TOML_ITEMS_MAX);
    text[used - 1] = ',';
    strcpy(text + used, "1]");
    CU_ASSERT_PTR_NOT_NULL(toml_value_parse(text, &value));
    memset(text, 'x', sizeof text);
    text[0] = text[sizeof text - 2] = '"';
    text[sizeof text - 1] = '\0';
    CU_ASSERT_PTR_NULL(toml_value_parse(text, &value));
    CU_ASSERT_EQUAL(strlen(value.items[0].text), sizeof text - 3);
}

static void test_values_that_are_not_toml_are_refused(void)
{
    static const char *const cases[] = {
        "",
        "   ",
        "# only a comment",
        "yes",
        "True",
        "truely",
        "localhost",
        "nan",
        "inf",
        "-inf",
        "\"open",
        "'open",
        "\"a\" b",
        "\"a\"\"b\"",
        "\"\"\"many\"\"\"",
        "'''many'''",
        "\"\\q\"",
        "\"\\u12\"",
        "\"\\u0000\"",
        "\"\\ud800\"",
        "\"\\U00110000\"",
        "\"\\",
        "\"\\u",
        "01",
        "-01",
        "1__0",
        "_1",
        "1_",
        "0x",
        "0x_1",
        "0b2",
        "0o8",
        "+",
        "-",
        "1 2",
        ".5",
        "5.",
        "1.e5",
        "1e",
        "1e+",
        "1.2.3",
        "9223372036854775808",
        "1979-05-27",
        "07:32",
        "[",
        "[1",
        "[1,",
        "[1 2]",
        "[,]",
        "[1,,2]",
        "[[1]]",
        "[1] 2",
        "[1]]",
        "[\"a]",
        "{a = 1}",
        "0xfffffffffffffffff",
        "--1",
        "[1 # ]",
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (toml_value_parse(cases[i], &value) == NULL) {
            printf("taken: %s\n", cases[i]);
            CU_FAIL("a bad value was taken");
        }
}

static void test_names_are_bare_or_quoted_and_dotted(void)
{
    static const char *const cases[][3] = {
        {"port = 1", "port", "= 1"},
        {" a . b-1 . c_2 ]", "a.b-1.c_2", "]"},
        {"symbol.\"A.B\"]", "symbol.A.B", "]"},
        {"'x'.y=", "x.y", "="},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char name[TOML_NAME_SIZE];
        const char *at = cases[i][0];
        CU_ASSERT_PTR_NULL(toml_name_parse(&at, name));
        CU_ASSERT_STRING_EQUAL(name, cases[i][1]);
        CU_ASSERT_STRING_EQUAL(at, cases[i][2]);
    }
    static const char *const bad[] = {
        "",
        "=",
        ".a",
        "a.",
        "a..b",
        "\"a",
        "\"a b\"",
        "\"\"",
        ";x",
        "@",
        "a234567890123456789012345678901234567890123456789012345",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char name[TOML_NAME_SIZE];
        const char *at = bad[i];
        CU_ASSERT_PTR_NOT_NULL(toml_name_parse(&at, name));
    }
}

static void test_lines_are_utf8_without_control_characters(void)
{
    static const char *const good[] = {"",
                                       "tab\there",
                                       "\xc3\xa9",
                                       "\xe2\x82\xac",
                                       "\xf0\x9f\x98\x80",
                                       "\xed\x9f\xbf",
                                       "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {
        "\x01",
        "\x7f",
        "a\rb",
        "\x80",
        "\xc0\x80",
        "\xc3",
        "\xe0\x80\x80",
        "\xed\xa0\x80",
        "\xf0\x80\x80\x80",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xff",
        "\xe2\x82",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        CU_ASSERT_PTR_NULL(toml_line_check(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CU_ASSERT_PTR_NOT_NULL(toml_line_check(bad[i], strlen(bad[i])));
    CU_ASSERT_PTR_NOT_NULL(toml_line_check("a\0b", 3));
}

MATCHING_TESTS(MATCHING_TEST(test_strings_take_escapes_and_literal_quotes),
               MATCHING_TEST(test_integers_take_signs_underscores_and_bases),
               MATCHING_TEST(test_decimals_keep_their_exact_text),
               MATCHING_TEST(test_arrays_hold_flat_values_and_a_trailing_comma),
               MATCHING_TEST(test_an_array_of_the_longest_line_fits),
               MATCHING_TEST(test_values_that_are_not_toml_are_refused),
               MATCHING_TEST(test_names_are_bare_or_quoted_and_dotted),
               MATCHING_TEST(test_lines_are_utf8_without_control_characters))
