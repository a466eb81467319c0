/* Tests of transports/http/target.h: splitting, decoding, and what is malformed. */
#include "target.h"

#include "support/cunit_main.h"

/* Parses a copy of exactly the text's size, so that a sanitizer sees a read beyond it. */
static char *parse(const char *text, size_t length, http_target *target)
{
    char *copy = malloc(length > 0 ? length : 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
    memcpy(copy, text, length);
    http_target_parse(copy, length, target);
    return copy;
}

static bool same(matching_text text, const char *expected, size_t length)
{
    return text.length == length && memcmp(text.data, expected, length) == 0;
}

static void test_paths(void)
{
    static const struct {
        const char *text;
        bool bad;
        size_t count;
        const char *segments[HTTP_SEGMENTS_MAX];
    } cases[] = {
        {"/", false, 0, {0}},
        {"/health", false, 1, {"health"}},
        {"/api/orders/7", false, 3, {"api", "orders", "7"}},
        {"/api/orders/", false, 3, {"api", "orders", ""}},
        {"//", false, 2, {"", ""}},
        {"/a%2Fb/c", false, 2, {"a/b", "c"}},
        {"/%41%6a%6A", false, 1, {"Ajj"}},
        {"/a+b", false, 1, {"a+b"}},
        {"/a?b/c?d", false, 1, {"a"}},
        {"/a/b/c/d", false, 4, {"a", "b", "c", "d"}},
        {"/a/b/c/d/e", true, 4, {"a", "b", "c", "d"}},
        {"/../a", false, 2, {"..", "a"}},
        {"", true, 0, {0}},
        {"?a=1", true, 0, {0}},
        {"api", true, 0, {0}},
        {"/%", true, 1, {""}},
        {"/%4", true, 1, {""}},
        {"/a%4g", true, 1, {"a"}},
        {"/a%g4", true, 1, {"a"}},
        {"http://host", false, 0, {0}},
        {"http://host/", false, 0, {0}},
        {"HTTPS://host:1/a", false, 1, {"a"}},
        {"ftp://host/a", true, 0, {0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        http_target target;
        char *copy = parse(cases[i].text, strlen(cases[i].text), &target);
        bool good = target.bad_path == cases[i].bad && target.segment_count == cases[i].count;
        for (size_t s = 0; good && s < cases[i].count; s++)
            good = http_text_is(target.segments[s], cases[i].segments[s]);
        if (!good)
            printf("\n    %s\n", cases[i].text);
        CU_ASSERT(good);
        free(copy);
    }
}

static void test_a_decoded_nul_stays_in_its_text(void)
{
    http_target target;
    char *copy = parse("/a%00b?c=%00", 12, &target);
    CU_ASSERT(same(target.segments[0], "a\0b", 3));
    CU_ASSERT(same(target.parameters[0].value, "\0", 1));
    free(copy);
}

static void test_queries(void)
{
    http_target target;
    static const char text[] = "/p?a=1&b=&c&&=d&e%3D=%26x+y%2B&f=g=h&bad=1%zz&q?=?";
    char *copy = parse(text, sizeof text - 1, &target);
    static const struct {
        const char *name, *value;
        bool malformed;
    } expected[] = {{"a", "1", false},  {"b", "", false},       {"c", "", false},
                    {"", "d", false},   {"e=", "&x y+", false}, {"f", "g=h", false},
                    {"bad", "1", true}, {"q?", "?", false}};
    CU_ASSERT_EQUAL_FATAL(target.parameter_count, sizeof expected / sizeof expected[0]);
    for (size_t i = 0; i < target.parameter_count; i++) {
        CU_ASSERT(http_text_is(target.parameters[i].name, expected[i].name));
        CU_ASSERT(http_text_is(target.parameters[i].value, expected[i].value));
        CU_ASSERT_EQUAL(target.parameters[i].malformed, expected[i].malformed);
    }
    free(copy);
    copy = parse("/p?", 3, &target);
    CU_ASSERT_EQUAL(target.parameter_count, 0);
    free(copy);
}

static void test_parameters_are_bounded(void)
{
    char text[4 + 4 * (HTTP_PARAMETERS_MAX + 1)] = "/?";
    for (size_t count = 1; count <= HTTP_PARAMETERS_MAX + 1; count++) {
        http_target target;
        strcat(text, "a=1&");
        char *copy = parse(text, strlen(text), &target);
        bool fits = count <= HTTP_PARAMETERS_MAX;
        CU_ASSERT_EQUAL(target.parameter_count, fits ? count : HTTP_PARAMETERS_MAX);
        CU_ASSERT_EQUAL(target.too_many_parameters, !fits);
        free(copy);
    }
}

static void test_the_authority_of_an_absolute_target(void)
{
    http_target target;
    char *copy = parse("http://evil.example:80?a=1", 26, &target);
    CU_ASSERT(http_text_is(target.authority, "evil.example:80"));
    CU_ASSERT_FALSE(target.bad_path);
    CU_ASSERT_EQUAL(target.parameter_count, 1);
    free(copy);
    copy = parse("/a", 2, &target);
    CU_ASSERT_PTR_NULL(target.authority.data);
    free(copy);
}

static void test_the_asterisk(void)
{
    http_target target;
    char *copy = parse("*", 1, &target);
    CU_ASSERT_TRUE(target.is_asterisk);
    free(copy);
    copy = parse("*a", 2, &target);
    CU_ASSERT_FALSE(target.is_asterisk);
    CU_ASSERT_TRUE(target.bad_path);
    free(copy);
}

MATCHING_TESTS(MATCHING_TEST(test_paths), MATCHING_TEST(test_a_decoded_nul_stays_in_its_text),
               MATCHING_TEST(test_queries), MATCHING_TEST(test_parameters_are_bounded),
               MATCHING_TEST(test_the_authority_of_an_absolute_target),
               MATCHING_TEST(test_the_asterisk))
