/* Tests of transports/json/json_reader.h: types, exact numbers, and what is told of each field. */
#include "json_reader.h"

#include <inttypes.h>

#include "support/cunit_main.h"

#define ONE MATCHING_DECIMAL_ONE
#define BIT(name) MATCHING_FIELD_BIT(MATCHING_FIELD_##name)

typedef enum verdict { TAKEN, ABSENT, WRONG_TYPE, MALFORMED } verdict;

typedef struct member_case {
    const char *value; /* JSON */
    verdict verdict;
    int64_t number;
} member_case;

static const member_case decimals[] = {
    {"50000", TAKEN, 50000 * ONE},
    {"0.25", TAKEN, ONE / 4},
    {"5e4", TAKEN, 50000 * ONE},
    {"5E4", TAKEN, 50000 * ONE},
    {"0.1e-7", TAKEN, 1},
    {"0.1e-8", MALFORMED, 0},
    {"-1", TAKEN, -ONE},
    {"-0", TAKEN, 0},
    {"-0.0", TAKEN, 0},
    {"0.10000000000000000000000000000000000000000", TAKEN, ONE / 10},
    {"0.1234567890123456789012345678901234567890", MALFORMED, 0},
    {"92233720368", TAKEN, 92233720368 * ONE},
    {"92233720368.54775807", TAKEN, INT64_MAX},
    {"92233720368.54775808", MALFORMED, 0},
    {"92233720369", MALFORMED, 0},
    {"9007199254740993", MALFORMED, 0},
    {"1e400", MALFORMED, 0},
    {"-1e400", MALFORMED, 0},
    {"1e-400", MALFORMED, 0},
    {"9223372036854775807", MALFORMED, 0},
    {"9223372036854775808", MALFORMED, 0},
    {"18446744073709551615", MALFORMED, 0},
    {"18446744073709551616", MALFORMED, 0},
    {"-9223372036854775808", MALFORMED, 0},
    {"-9223372036854775809", MALFORMED, 0},
    {"12345678901234567890123", MALFORMED, 0},
    /* 0.1 + 0.2 in double is not 0.3: text is what counts */
    {"0.3", TAKEN, 3 * ONE / 10},
    {"4503599627.37049601", TAKEN, 450359962737049601},
    {"\"50000\"", TAKEN, 50000 * ONE},
    {"\"0.25\"", TAKEN, ONE / 4},
    {"\"5e4\"", TAKEN, 50000 * ONE},
    {"\"-1\"", TAKEN, -ONE},
    {"\"\"", MALFORMED, 0},
    {"\" 50000\"", MALFORMED, 0},
    {"\"50000 \"", MALFORMED, 0},
    {"\"+5\"", MALFORMED, 0},
    {"\"05\"", MALFORMED, 0},
    {"\"0x10\"", MALFORMED, 0},
    {"\"NaN\"", MALFORMED, 0},
    {"\"Infinity\"", MALFORMED, 0},
    {"\"1,5\"", MALFORMED, 0},
    {"\"5\\u0000\"", MALFORMED, 0},
    {"\"\xd9\xa5\"", MALFORMED, 0}, /* an Arabic-Indic five */
    {"true", WRONG_TYPE, 0},
    {"false", WRONG_TYPE, 0},
    {"[]", WRONG_TYPE, 0},
    {"[5]", WRONG_TYPE, 0},
    {"{}", WRONG_TYPE, 0},
    {"null", ABSENT, 0},
};

static const member_case integers[] = {
    {"1", TAKEN, 1},
    {"0", TAKEN, 0},
    {"-1", TAKEN, -1},
    {"-0", TAKEN, 0},
    {"5.0", TAKEN, 5},
    {"5e0", TAKEN, 5},
    {"50e-1", TAKEN, 5},
    {"5.000e2", TAKEN, 500},
    {"1.5e1", TAKEN, 15},
    {"-1.5e1", TAKEN, -15},
    {"0.0e9999999999999999999", TAKEN, 0},
    {"0e-99", TAKEN, 0},
    {"1700000000000.0", TAKEN, 1700000000000},
    {"1.7e12", TAKEN, 1700000000000},
    {"9007199254740991", TAKEN, 9007199254740991},
    {"9007199254740993", TAKEN, 9007199254740993},
    {"9223372036854775806", TAKEN, INT64_MAX - 1},
    {"9223372036854775807.0", TAKEN, INT64_MAX},
    {"9223372036854775808", MALFORMED, 0},
    {"9223372036854775808.0", MALFORMED, 0},
    {"18446744073709551615", MALFORMED, 0},
    {"18446744073709551616", MALFORMED, 0},
    {"-9223372036854775809", MALFORMED, 0},
    {"99999999999999999999", MALFORMED, 0},
    {"1e19", MALFORMED, 0},
    {"1e400", MALFORMED, 0},
    {"1e99999999999999999999", MALFORMED, 0},
    {"1.5", WRONG_TYPE, 0},
    {"1e-1", WRONG_TYPE, 0},
    {"1e-400", WRONG_TYPE, 0},
    {"0.1234567890123456789012345678901234567890", WRONG_TYPE, 0},
    {"\"1\"", WRONG_TYPE, 0},
    {"\"\"", WRONG_TYPE, 0},
    {"true", WRONG_TYPE, 0},
    {"[1]", WRONG_TYPE, 0},
    {"{}", WRONG_TYPE, 0},
    {"null", ABSENT, 0},
};

/* Parses {"name":value} and hands over the request; texts in it are dead by then. */
static matching_request read_one(const char *name, const char *value)
{
    char text[256];
    int length = snprintf(text, sizeof text, "{\"%s\":%s}", name, value);
    struct json_object *object = NULL;
    matching_request request = {.action = MATCHING_ACTION_PLACE, .present = ~0u};
    CU_ASSERT_EQUAL_FATAL(matching_json_parse(text, (size_t)length, &object), MATCHING_OK);
    matching_json_request(object, &request);
    json_object_put(object);
    return request;
}

static verdict verdict_of(const matching_request *request, matching_field field)
{
    uint32_t bit = MATCHING_FIELD_BIT(field);
    CU_ASSERT_EQUAL(request->present & ~bit, 0);
    CU_ASSERT_EQUAL((request->wrong_type | request->malformed) & ~request->present, 0);
    CU_ASSERT_EQUAL(request->wrong_type & request->malformed, 0);
    if (request->wrong_type & bit)
        return WRONG_TYPE;
    if (request->malformed & bit)
        return MALFORMED;
    return request->present & bit ? TAKEN : ABSENT;
}

static void check_number(const char *name, matching_field field, const int64_t *variable,
                         const matching_request *request, const member_case *expected)
{
    verdict found = verdict_of(request, field);
    if (found != expected->verdict || *variable != expected->number)
        printf("\n    %s: %s gave %d, %" PRId64 "\n", name, expected->value, (int)found, *variable);
    CU_ASSERT_EQUAL(found, expected->verdict);
    CU_ASSERT_EQUAL(*variable, expected->number);
    CU_ASSERT_EQUAL(request->action, MATCHING_ACTION_PLACE);
}

static void test_decimals_are_exact_or_malformed(void)
{
    for (size_t i = 0; i < sizeof decimals / sizeof decimals[0]; i++) {
        matching_request request = read_one("price", decimals[i].value);
        check_number("price", MATCHING_FIELD_PRICE, &request.price, &request, &decimals[i]);
        request = read_one("stop_price", decimals[i].value);
        check_number("stop_price", MATCHING_FIELD_STOP_PRICE, &request.stop_price, &request,
                     &decimals[i]);
        request = read_one("quantity", decimals[i].value);
        check_number("quantity", MATCHING_FIELD_QUANTITY, &request.quantity, &request,
                     &decimals[i]);
        request = read_one("display_quantity", decimals[i].value);
        check_number("display_quantity", MATCHING_FIELD_DISPLAY_QUANTITY, &request.display_quantity,
                     &request, &decimals[i]);
    }
}

static void test_integers_are_exact_or_refused(void)
{
    static const struct {
        const char *name;
        matching_field field;
        size_t offset;
    } fields[] = {
        {"order_id", MATCHING_FIELD_ORDER_ID, offsetof(matching_request, order_id)},
        {"expire_time", MATCHING_FIELD_EXPIRE_TIME, offsetof(matching_request, expire_time)},
        {"after", MATCHING_FIELD_AFTER, offsetof(matching_request, after)},
        {"levels", MATCHING_FIELD_LEVELS, offsetof(matching_request, levels)},
        {"limit", MATCHING_FIELD_LIMIT, offsetof(matching_request, limit)},
        {"from_id", MATCHING_FIELD_FROM_ID, offsetof(matching_request, from_id)},
        {"before_id", MATCHING_FIELD_BEFORE_ID, offsetof(matching_request, before_id)},
        {"from", MATCHING_FIELD_FROM, offsetof(matching_request, from)},
        {"to", MATCHING_FIELD_TO, offsetof(matching_request, to)},
        {"id", MATCHING_FIELD_ID, offsetof(matching_request, id)},
    };
    for (size_t i = 0; i < sizeof integers / sizeof integers[0]; i++) {
        for (size_t f = 0; f < sizeof fields / sizeof fields[0]; f++) {
            matching_request request = read_one(fields[f].name, integers[i].value);
            const void *variable = (const char *)&request + fields[f].offset;
            check_number(fields[f].name, fields[f].field, variable, &request, &integers[i]);
        }
    }
}

static void test_long_numbers_are_read_in_full(void)
{
    char value[2001]; /* 7.000... */
    memset(value, '0', sizeof value);
    memcpy(value, "7.", 2);
    value[sizeof value - 1] = '\0';
    char text[5000];
    int length = snprintf(text, sizeof text, "{\"order_id\":%s,\"price\":%s}", value, value);
    matching_request request = {0};
    struct json_object *object = NULL;
    CU_ASSERT_EQUAL_FATAL(matching_json_parse(text, (size_t)length, &object), MATCHING_OK);
    matching_json_request(object, &request);
    CU_ASSERT_EQUAL(request.wrong_type | request.malformed, 0);
    CU_ASSERT_EQUAL(request.order_id, 7);
    CU_ASSERT_EQUAL(request.price, 7 * ONE);
    json_object_put(object);
}

static void test_text_takes_strings_only(void)
{
    static const char *const names[] = {"symbol", "trader_id",     "side",
                                        "type",   "time_in_force", "self_trade_prevention",
                                        "state",  "status",        "client_order_id"};
    static const char *const wrong[] = {"1", "1.5", "true", "[]", "{}", "[\"a\"]"};
    for (size_t n = 0; n < sizeof names / sizeof names[0]; n++) {
        matching_field field = matching_field_find(names[n], strlen(names[n]));
        CU_ASSERT_NOT_EQUAL(field, MATCHING_FIELD_NONE);
        for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
            matching_request request = read_one(names[n], wrong[i]);
            CU_ASSERT_EQUAL(verdict_of(&request, field), WRONG_TYPE);
        }
        matching_request request = read_one(names[n], "\"x\"");
        CU_ASSERT_EQUAL(verdict_of(&request, field), TAKEN);
        request = read_one(names[n], "null");
        CU_ASSERT_EQUAL(verdict_of(&request, field), ABSENT);
    }
}

static void test_text_keeps_its_length(void)
{
    static const char text[] = "{\"trader_id\":\"a\\u0000b\",\"symbol\":\"\",\"side\":\"\\u00e9\"}";
    struct json_object *object = NULL;
    matching_request request = {0};
    CU_ASSERT_EQUAL_FATAL(matching_json_parse(text, sizeof text - 1, &object), MATCHING_OK);
    matching_json_request(object, &request);
    CU_ASSERT_EQUAL(request.trader_id.length, 3);
    CU_ASSERT_EQUAL(memcmp(request.trader_id.data, "a\0b", 3), 0);
    CU_ASSERT_EQUAL(request.symbol.length, 0);
    CU_ASSERT_TRUE(request.present & BIT(SYMBOL));
    CU_ASSERT_EQUAL(request.side.length, 2);
    json_object_put(object);
}

static void test_booleans_take_booleans_only(void)
{
    static const char *const wrong[] = {"1", "0", "\"true\"", "\"\"", "[]", "{}", "1.0"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        matching_request request = read_one("post_only", wrong[i]);
        CU_ASSERT_EQUAL(verdict_of(&request, MATCHING_FIELD_POST_ONLY), WRONG_TYPE);
        CU_ASSERT_FALSE(request.post_only);
    }
    CU_ASSERT_TRUE(read_one("post_only", "true").post_only);
    matching_request request = read_one("post_only", "false");
    CU_ASSERT_FALSE(request.post_only);
    CU_ASSERT_EQUAL(verdict_of(&request, MATCHING_FIELD_POST_ONLY), TAKEN);
}

static void test_other_members_are_left_alone(void)
{
    static const char text[] =
        "{\"ids\":{\"deep\":[1,2]},\"Price\":1,\"price \":2,\"\":3,\"pric\":4,"
        "\"trader_id\":\"t\",\"order\":null}";
    struct json_object *object = NULL;
    matching_request request = {0};
    CU_ASSERT_EQUAL_FATAL(matching_json_parse(text, sizeof text - 1, &object), MATCHING_OK);
    matching_json_request(object, &request);
    CU_ASSERT_EQUAL(request.present, BIT(TRADER_ID));
    json_object_put(object);
}

static void test_the_last_of_equal_names_counts(void)
{
    static const char text[] = "{\"price\":1,\"price\":true,\"price\":\"2\",\"quantity\":1,"
                               "\"quantity\":null}";
    struct json_object *object = NULL;
    matching_request request = {0};
    CU_ASSERT_EQUAL_FATAL(matching_json_parse(text, sizeof text - 1, &object), MATCHING_OK);
    matching_json_request(object, &request);
    CU_ASSERT_EQUAL(request.present, BIT(PRICE));
    CU_ASSERT_EQUAL(request.wrong_type, 0);
    CU_ASSERT_EQUAL(request.price, 2 * ONE);
    json_object_put(object);
}

static void test_any_value_may_be_the_text(void)
{
    static const char *const texts[] = {"null", "true", "5", "-5", "1.5e3", "\"a\"", "[]", "{}"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct json_object *value = (struct json_object *)1;
        CU_ASSERT_EQUAL(matching_json_parse(texts[i], strlen(texts[i]), &value), MATCHING_OK);
        CU_ASSERT_EQUAL(value == NULL, i == 0);
        json_object_put(value);
    }
}

static void test_bad_text_gives_nothing(void)
{
    static const char *const texts[] = {"", "nul", "{", "[NaN]", "{\"a\":1}}", "{\"a\":1} x"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct json_object *value = (struct json_object *)1;
        CU_ASSERT_EQUAL(matching_json_parse(texts[i], strlen(texts[i]), &value),
                        MATCHING_INVALID_JSON);
        CU_ASSERT_PTR_NULL(value);
    }
    struct json_object *value = NULL;
    CU_ASSERT_EQUAL(matching_json_parse("[1]\0", 4, &value), MATCHING_INVALID_JSON);
    char deep[2 * (MATCHING_JSON_DEPTH_MAX + 1)];
    for (size_t depth = MATCHING_JSON_DEPTH_MAX; depth <= MATCHING_JSON_DEPTH_MAX + 1; depth++) {
        memset(deep, '[', depth);
        memset(deep + depth, ']', depth);
        bool fits = depth <= MATCHING_JSON_DEPTH_MAX;
        CU_ASSERT_EQUAL(matching_json_parse(deep, 2 * depth, &value),
                        fits ? MATCHING_OK : MATCHING_INVALID_JSON);
        json_object_put(value);
    }
}

static void test_a_big_string_is_read(void)
{
    size_t size = 1 << 20;
    char *text = malloc(size + 32);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    int head = sprintf(text, "{\"trader_id\":\"");
    memset(text + head, 'x', size);
    memcpy(text + (size_t)head + size, "\"}", 2);
    struct json_object *object = NULL;
    matching_request request = {0};
    CU_ASSERT_EQUAL_FATAL(matching_json_parse(text, (size_t)head + size + 2, &object), MATCHING_OK);
    matching_json_request(object, &request);
    CU_ASSERT_EQUAL(request.trader_id.length, size);
    json_object_put(object);
    free(text);
}

static void test_plain_text_is_read_by_the_field_s_type(void)
{
    static const struct {
        matching_field field;
        const char *text;
        verdict verdict;
        int64_t number;
    } cases[] = {
        {MATCHING_FIELD_LEVELS, "20", TAKEN, 20},
        {MATCHING_FIELD_LEVELS, "-1", TAKEN, -1},
        {MATCHING_FIELD_LEVELS, "2e1", TAKEN, 20},
        {MATCHING_FIELD_LEVELS, "", MALFORMED, 0},
        {MATCHING_FIELD_LEVELS, " 20", MALFORMED, 0},
        {MATCHING_FIELD_LEVELS, "20 ", MALFORMED, 0},
        {MATCHING_FIELD_LEVELS, "+20", MALFORMED, 0},
        {MATCHING_FIELD_LEVELS, "020", MALFORMED, 0},
        {MATCHING_FIELD_LEVELS, "2.5", MALFORMED, 0},
        {MATCHING_FIELD_LEVELS, "ten", MALFORMED, 0},
        {MATCHING_FIELD_LEVELS, "[20]", MALFORMED, 0},
        {MATCHING_FIELD_LEVELS, "99999999999999999999", MALFORMED, 0},
        {MATCHING_FIELD_PRICE, "0.25", TAKEN, ONE / 4},
        {MATCHING_FIELD_PRICE, "", MALFORMED, 0},
        {MATCHING_FIELD_PRICE, "1e400", MALFORMED, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        matching_request request = {0};
        matching_request_from_text(&request, cases[i].field, cases[i].text, strlen(cases[i].text));
        verdict found = verdict_of(&request, cases[i].field);
        int64_t number = cases[i].field == MATCHING_FIELD_LEVELS ? request.levels : request.price;
        if (found != cases[i].verdict || number != cases[i].number)
            printf("\n    \"%s\" gave %d, %" PRId64 "\n", cases[i].text, (int)found, number);
        CU_ASSERT_EQUAL(found, cases[i].verdict);
        CU_ASSERT_EQUAL(number, cases[i].number);
    }
    matching_request request = {0};
    matching_request_from_text(&request, MATCHING_FIELD_SYMBOL, "a\0b", 3);
    CU_ASSERT_EQUAL(request.symbol.length, 3);
    matching_request_from_text(&request, MATCHING_FIELD_POST_ONLY, "true", 4);
    CU_ASSERT_TRUE(request.post_only);
    matching_request_from_text(&request, MATCHING_FIELD_POST_ONLY, "yes", 3);
    CU_ASSERT_TRUE(request.malformed & BIT(POST_ONLY));
    CU_ASSERT_FALSE(request.post_only);
    matching_request_from_text(&request, MATCHING_FIELD_NONE, "x", 1);
    CU_ASSERT_EQUAL(request.present, BIT(SYMBOL) | BIT(POST_ONLY));
}

MATCHING_TESTS(MATCHING_TEST(test_decimals_are_exact_or_malformed),
               MATCHING_TEST(test_integers_are_exact_or_refused),
               MATCHING_TEST(test_long_numbers_are_read_in_full),
               MATCHING_TEST(test_text_takes_strings_only),
               MATCHING_TEST(test_text_keeps_its_length),
               MATCHING_TEST(test_booleans_take_booleans_only),
               MATCHING_TEST(test_other_members_are_left_alone),
               MATCHING_TEST(test_the_last_of_equal_names_counts),
               MATCHING_TEST(test_any_value_may_be_the_text),
               MATCHING_TEST(test_bad_text_gives_nothing), MATCHING_TEST(test_a_big_string_is_read),
               MATCHING_TEST(test_plain_text_is_read_by_the_field_s_type))
