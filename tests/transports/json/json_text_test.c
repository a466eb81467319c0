/* Tests of transports/json/json_text.h: what is JSON by RFC 8259 and what only looks like it. */
#include "json_text.h"

#include <stdlib.h>

#include "support/cunit_main.h"

typedef struct sample {
    const char *text;
    size_t length;
} sample;

#define TEXT(literal)                                                                              \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

static const sample good[] = {
    TEXT("null"),
    TEXT("true"),
    TEXT("false"),
    TEXT("0"),
    TEXT("-0"),
    TEXT("5"),
    TEXT("-12.50"),
    TEXT("1e5"),
    TEXT("1E+5"),
    TEXT("1e-400"),
    TEXT("0e1"),
    TEXT("0.0"),
    TEXT("\"\""),
    TEXT(" \t\r\n[ ] \n"),
    TEXT("{}"),
    TEXT("[1,2,[3,{}]]"),
    TEXT("{\"a\":1,\"a\":2}"),
    TEXT("{ \"a\" : [ true , false , null ] }"),
    TEXT("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"]"),
    TEXT("[\"\\u0000\"]"),
    TEXT("[\"\\ud800\"]"),
    TEXT("{\"\":1}"),
    TEXT("[\"\x7f\"]"),
    /* UTF-8 at the edges of each length */
    TEXT("[\"\xc2\x80\xdf\xbf\"]"),
    TEXT("[\"\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\"]"),
    TEXT("[\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"]"),
};

static const sample bad[] = {
    TEXT(""),
    TEXT(" "),
    TEXT("nul"),
    TEXT("nulll"),
    TEXT("Null"),
    TEXT("TRUE"),
    TEXT("undefined"),
    /* what json-c would take */
    TEXT("NaN"),
    TEXT("[NaN]"),
    TEXT("[Infinity]"),
    TEXT("[-Infinity]"),
    TEXT("[-01]"),
    TEXT("[00]"),
    TEXT("[1.]"),
    TEXT("[-.5]"),
    TEXT("[\"a\tb\"]"),
    TEXT("[\"a\nb\"]"),
    TEXT("[\"\x01\"]"),
    TEXT("[1]\0"),
    TEXT("[1]\0x"),
    TEXT("{\"a\\u0000b\":1}"),
    /* numbers */
    TEXT("[01]"),
    TEXT("[.5]"),
    TEXT("[1e]"),
    TEXT("[1e+]"),
    TEXT("[+1]"),
    TEXT("[-]"),
    TEXT("[--1]"),
    TEXT("[0x10]"),
    TEXT("[1.5.5]"),
    TEXT("[1e5e5]"),
    TEXT("[1e5.5]"),
    TEXT("-"),
    TEXT("1e"),
    /* structure */
    TEXT("[1,]"),
    TEXT("[,1]"),
    TEXT("[1,,2]"),
    TEXT("{\"a\":1,}"),
    TEXT("{,}"),
    TEXT("{\"a\"}"),
    TEXT("{\"a\":}"),
    TEXT("{\"a\" 1}"),
    TEXT("{a:1}"),
    TEXT("{1:1}"),
    TEXT("['a']"),
    TEXT("[1 2]"),
    TEXT("[1}"),
    TEXT("{\"a\":1]"),
    TEXT("["),
    TEXT("{"),
    TEXT("]"),
    TEXT("[1]]"),
    TEXT("[1]x"),
    TEXT("[1] [2]"),
    TEXT("{\"a\":1"),
    TEXT("{\"a\":[1,2}"),
    TEXT("/*x*/[1]"),
    TEXT("[1]//x"),
    TEXT("\f[1]"),
    TEXT("[1]\v"),
    TEXT("\xef\xbb\xbf[1]"),
    /* strings */
    TEXT("\"abc"),
    TEXT("\"\\"),
    TEXT("[\"\\x\"]"),
    TEXT("[\"\\u12G4\"]"),
    TEXT("[\"\\u123"),
    TEXT("[\"\\\0\"]"),
    TEXT("[\"a\0b\"]"),
    TEXT("{\"a\0b\":1}"),
    /* not UTF-8: stray, cut short, overlong, surrogate, beyond U+10FFFF */
    TEXT("[\"\x80\"]"),
    TEXT("[\"\xff\"]"),
    TEXT("[\"\xc3\"]"),
    TEXT("[\"\xe2\x82\"]"),
    TEXT("[\"\xc0\x80\"]"),
    TEXT("[\"\xc1\xbf\"]"),
    TEXT("[\"\xe0\x9f\xbf\"]"),
    TEXT("[\"\xed\xa0\x80\"]"),
    TEXT("[\"\xf0\x8f\xbf\xbf\"]"),
    TEXT("[\"\xf4\x90\x80\x80\"]"),
    TEXT("[\"\xf5\x80\x80\x80\"]"),
    TEXT("{\"\xff\":1}"),
    TEXT("\"\xf0\x90\x80"),
};

/* From memory of exactly its size, so that a sanitizer sees a read beyond the end. */
static bool check(const char *text, size_t length)
{
    char *copy = malloc(length > 0 ? length : 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
    memcpy(copy, text, length);
    bool result = matching_json_check(copy, length, 32);
    free(copy);
    return result;
}

static void test_legal_texts_pass(void)
{
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        bool passed = check(good[i].text, good[i].length);
        if (!passed)
            printf("\n    refused: %s\n", good[i].text);
        CU_ASSERT(passed);
    }
}

static void test_everything_else_is_refused(void)
{
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        bool passed = check(bad[i].text, bad[i].length);
        if (passed)
            printf("\n    accepted: %s\n", bad[i].text);
        CU_ASSERT_FALSE(passed);
    }
}

static void test_every_cut_of_a_text_is_refused(void)
{
    static const char text[] =
        "{\"a\":[1.5e-3,true,null,\"\xe2\x82\xac\\u20ac\"],\"b\":{\"c\":\"d\"}}";
    for (size_t length = 0; length < sizeof text - 1; length++)
        CU_ASSERT_FALSE(check(text, length));
    CU_ASSERT_TRUE(check(text, sizeof text - 1));
}

static void test_nesting_is_bounded(void)
{
    char text[200];
    for (unsigned depth = 1; depth <= 64; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        CU_ASSERT_TRUE(matching_json_check(text, 2 * depth, 64));
        CU_ASSERT_EQUAL(matching_json_check(text, 2 * depth, 32), depth <= 32);
    }
    memset(text, '[', 65);
    memset(text + 65, ']', 65);
    CU_ASSERT_FALSE(matching_json_check(text, 130, 64));
}

static void test_containers_keep_their_kind_at_each_depth(void)
{
    CU_ASSERT_TRUE(check("[{\"a\":[{\"b\":[]}]},[{}]]", 23));
    CU_ASSERT_FALSE(check("[{\"a\":[{\"b\":[}]}]},[{}]]", 24));
    CU_ASSERT_FALSE(check("[[],\"a\":1]", 10));
    CU_ASSERT_FALSE(check("{\"a\":[],1}", 10));
}

MATCHING_TESTS(MATCHING_TEST(test_legal_texts_pass), MATCHING_TEST(test_everything_else_is_refused),
               MATCHING_TEST(test_every_cut_of_a_text_is_refused),
               MATCHING_TEST(test_nesting_is_bounded),
               MATCHING_TEST(test_containers_keep_their_kind_at_each_depth))
