/* Events as clients send them, and what is wrong with others. */
#include "request.h"

#include "support/cunit_main.h"

static sio_request request;
static sio_error error;
static bool is_array;

static sio_code read(const char *text)
{
    return sio_request_read((matching_text){text, strlen(text)}, &request, &error, &is_array);
}

static bool is_symbol(const char *wanted)
{
    return request.has_symbol && request.symbol.length == strlen(wanted) &&
           memcmp(request.symbol.data, wanted, request.symbol.length) == 0;
}

static void test_subscriptions_are_read(void)
{
    CU_ASSERT_EQUAL(read("[\"subscribe_kline\",{\"symbol\":\"BTCUSDT\",\"interval\":\"m1\","
                         "\"subscriptionId\":\"a\\\"b\"}]"),
                    SIO_FINE);
    CU_ASSERT_EQUAL(request.kind, SIO_SUBSCRIBE_KLINE);
    CU_ASSERT_EQUAL(request.interval, MATCHING_M1);
    CU_ASSERT_TRUE(is_symbol("BTCUSDT"));
    CU_ASSERT_STRING_EQUAL(request.label, "\"a\\\"b\"");
    sio_request_fini(&request);
    CU_ASSERT_EQUAL(read("[\"unsubscribe_kline\",{\"interval\":\"d1\",\"subscriptionId\":-7}]"),
                    SIO_FINE);
    CU_ASSERT_EQUAL(request.kind, SIO_UNSUBSCRIBE_KLINE);
    CU_ASSERT_FALSE(request.has_symbol);
    CU_ASSERT_STRING_EQUAL(request.label, "-7");
    sio_request_fini(&request);
    CU_ASSERT_EQUAL(read("[\"subscribe_kline\",{\"interval\":\"s1\",\"subscriptionId\":null}]"),
                    SIO_FINE);
    CU_ASSERT_STRING_EQUAL(request.label, "");
    sio_request_fini(&request);
}

static void test_history_has_a_page(void)
{
    CU_ASSERT_EQUAL(read("[\"get_history\",{\"interval\":\"h4\"}]"), SIO_FINE);
    CU_ASSERT_EQUAL(request.limit, 100);
    CU_ASSERT_FALSE(request.has_from);
    sio_request_fini(&request);
    CU_ASSERT_EQUAL(read("[\"get_history\",{\"interval\":\"h4\",\"limit\":500,\"from\":0},1]"),
                    SIO_FINE);
    CU_ASSERT_EQUAL(request.limit, 500);
    CU_ASSERT_TRUE(request.has_from);
    CU_ASSERT_EQUAL(request.from_s, 0);
    sio_request_fini(&request);
}

static void test_topics_are_read(void)
{
    CU_ASSERT_EQUAL(read("[\"subscribe\",{\"topic\":\"price:ETHUSDT\"}]"), SIO_FINE);
    CU_ASSERT_EQUAL(request.topic, SIO_PRICE);
    CU_ASSERT_TRUE(is_symbol("ETHUSDT"));
    sio_request_fini(&request);
    CU_ASSERT_EQUAL(read("[\"unsubscribe\",{\"topic\":\"token_events\"}]"), SIO_FINE);
    CU_ASSERT_EQUAL(request.kind, SIO_UNSUBSCRIBE);
    CU_ASSERT_EQUAL(request.topic, SIO_TOKEN_EVENTS);
    sio_request_fini(&request);
}

static void test_bad_parameters_name_the_field(void)
{
    static const struct {
        const char *text, *field;
    } table[] = {
        {"[\"buy\",{}]", "event"},
        {"[\"\",{}]", "event"},
        {"[\"subscribe_kline\"]", "data"},
        {"[\"subscribe_kline\",null]", "data"},
        {"[\"subscribe_kline\",[]]", "data"},
        {"[\"subscribe_kline\",{\"symbol\":7,\"interval\":\"m1\"}]", "symbol"},
        {"[\"subscribe_kline\",{}]", "interval"},
        {"[\"subscribe_kline\",{\"interval\":\"1m\"}]", "interval"},
        {"[\"subscribe_kline\",{\"interval\":5}]", "interval"},
        {"[\"subscribe_kline\",{\"interval\":\"m1\",\"subscriptionId\":\"\"}]", "subscriptionId"},
        {"[\"subscribe_kline\",{\"interval\":\"m1\",\"subscriptionId\":1.5}]", "subscriptionId"},
        {"[\"subscribe_kline\",{\"interval\":\"m1\",\"subscriptionId\":{}}]", "subscriptionId"},
        {"[\"get_history\",{\"interval\":\"m1\",\"limit\":0}]", "limit"},
        {"[\"get_history\",{\"interval\":\"m1\",\"limit\":501}]", "limit"},
        {"[\"get_history\",{\"interval\":\"m1\",\"limit\":\"5\"}]", "limit"},
        {"[\"get_history\",{\"interval\":\"m1\",\"from\":-1}]", "from"},
        {"[\"get_history\",{\"interval\":\"m1\",\"from\":1.5}]", "from"},
        {"[\"subscribe\",{}]", "topic"},
        {"[\"subscribe\",{\"topic\":\"price:\"}]", "topic"},
        {"[\"subscribe\",{\"topic\":\"prices:BTCUSDT\"}]", "topic"},
        {"[\"subscribe\",{\"topic\":\"token_event\"}]", "topic"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        CU_ASSERT_EQUAL(read(table[i].text), SIO_BAD_PARAMETER);
        CU_ASSERT_TRUE(is_array);
        CU_ASSERT_STRING_EQUAL(error.field, table[i].field);
        sio_request_fini(&request);
    }
}

static void test_a_subscription_id_has_at_most_64_characters(void)
{
    char text[600] = "[\"subscribe_kline\",{\"interval\":\"m1\",\"subscriptionId\":\"";
    for (unsigned i = 0; i < 64; i++) {
        strcat(text, "\xe2\x82\xac"); /* three bytes each */
    }
    size_t length = strlen(text);
    strcat(text, "\"}]");
    CU_ASSERT_EQUAL(read(text), SIO_FINE);
    sio_request_fini(&request);
    strcpy(text + length, "x\"}]");
    CU_ASSERT_EQUAL(read(text), SIO_BAD_PARAMETER);
    sio_request_fini(&request);
    strcpy(text, "[\"subscribe_kline\",{\"interval\":\"m1\",\"subscriptionId\":\"");
    for (unsigned i = 0; i < 64; i++) {
        strcat(text, "\\u0001"); /* the longest that one character becomes */
    }
    strcat(text, "\"}]");
    CU_ASSERT_EQUAL(read(text), SIO_FINE);
    CU_ASSERT_EQUAL(strlen(request.label), 64 * 6 + 2);
    sio_request_fini(&request);
}

/* Another number than the client's would come back: it could not tell whose messages they are. */
static void test_an_integer_id_comes_back_exactly_or_not_at_all(void)
{
    static const struct {
        const char *id;
        bool is_good;
    } table[] = {{"9007199254740993", true},
                 {"9223372036854775807", true},
                 {"-9223372036854775807", true},
                 {"9223372036854775808", false},
                 {"18446744073709551615", false},
                 {"18446744073709551616", false},
                 {"-9223372036854775808", false},
                 {"-9223372036854775809", false},
                 {"1000000000000000000000000000000", false}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        char text[128];
        snprintf(text, sizeof text,
                 "[\"subscribe_kline\",{\"interval\":\"m1\",\"subscriptionId\":%s}]", table[i].id);
        CU_ASSERT_EQUAL(read(text), table[i].is_good ? SIO_FINE : SIO_BAD_PARAMETER);
        if (table[i].is_good) {
            CU_ASSERT_STRING_EQUAL(request.label, table[i].id);
        } else {
            CU_ASSERT_STRING_EQUAL(error.field, "subscriptionId");
        }
        sio_request_fini(&request);
    }
}

static void test_what_is_no_event_breaks_the_protocol(void)
{
    static const char *const table[] = {"[", "[]", "[1,{}]", "{}", "[\"a\"]x", "[NaN]", ""};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        CU_ASSERT_EQUAL(read(table[i]), SIO_BAD_PARAMETER);
        CU_ASSERT_FALSE(is_array);
        sio_request_fini(&request);
    }
}

MATCHING_TESTS(MATCHING_TEST(test_subscriptions_are_read), MATCHING_TEST(test_history_has_a_page),
               MATCHING_TEST(test_topics_are_read),
               MATCHING_TEST(test_bad_parameters_name_the_field),
               MATCHING_TEST(test_a_subscription_id_has_at_most_64_characters),
               MATCHING_TEST(test_an_integer_id_comes_back_exactly_or_not_at_all),
               MATCHING_TEST(test_what_is_no_event_breaks_the_protocol))
