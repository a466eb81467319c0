/* The flat way to read orders: what it takes, and that it leaves everything else. That both ways
 * agree is for tests/fuzz/websocket_flat_fuzz.c; here are the values. */
#include "json_flat.h"

#include "support/cunit_main.h"

#define BIT(field) MATCHING_FIELD_BIT(MATCHING_FIELD_##field)

typedef struct reading {
    matching_request request;
    matching_text id;
    bool taken;
    char *copy; /* without a NUL behind it, so that reading too far is noticed */
} reading;

static void read_bytes(reading *r, const char *text, size_t length)
{
    memset(r, 0, sizeof *r);
    r->copy = malloc(length > 0 ? length : 1);
    memcpy(r->copy, text, length);
    r->taken = matching_json_flat(r->copy, length, &r->request, &r->id);
}

static void read_text(reading *r, const char *text)
{
    read_bytes(r, text, strlen(text));
}

static bool text_is(matching_text text, const char *wanted)
{
    return text.length == strlen(wanted) && memcmp(text.data, wanted, text.length) == 0;
}

static const char everything[] =
    " {  \"type\" : \"limit_order\",  \"trader_id\":\"alice\",\"symbol\":\"BTCUSDT\","
    "\"side\":\"buy\",\"price\":50000.01,\"stop_price\":0,\"quantity\":\"0.25\","
    "\"display_quantity\":1,\"order_id\":123456789012345678,\"expire_time\":1700000000000,"
    "\"time_in_force\":\"GTD\",\"post_only\":true,\"client_order_id\":\"a quite long name\","
    "\"self_trade_prevention\":\"\",\"id\":\"x\"} ";

static void test_every_field_of_an_order_is_read(void)
{
    reading r;
    read_text(&r, everything);
    CU_ASSERT_TRUE_FATAL(r.taken);
    CU_ASSERT_EQUAL(r.request.present, BIT(TYPE) | BIT(TRADER_ID) | BIT(SYMBOL) | BIT(SIDE) |
                                           BIT(PRICE) | BIT(STOP_PRICE) | BIT(QUANTITY) |
                                           BIT(DISPLAY_QUANTITY) | BIT(ORDER_ID) |
                                           BIT(EXPIRE_TIME) | BIT(TIME_IN_FORCE) | BIT(POST_ONLY) |
                                           BIT(CLIENT_ORDER_ID) | BIT(SELF_TRADE_PREVENTION));
    CU_ASSERT_EQUAL(r.request.wrong_type | r.request.malformed, 0);
    CU_ASSERT_TRUE(text_is(r.request.type, "limit_order"));
    CU_ASSERT_TRUE(text_is(r.request.trader_id, "alice"));
    CU_ASSERT_TRUE(text_is(r.request.symbol, "BTCUSDT"));
    CU_ASSERT_TRUE(text_is(r.request.side, "buy"));
    CU_ASSERT_TRUE(text_is(r.request.time_in_force, "GTD"));
    CU_ASSERT_TRUE(text_is(r.request.client_order_id, "a quite long name"));
    CU_ASSERT_EQUAL(r.request.self_trade_prevention.length, 0);
    CU_ASSERT_EQUAL(r.request.price, 5000001000000);
    CU_ASSERT_EQUAL(r.request.stop_price, 0);
    CU_ASSERT_EQUAL(r.request.quantity, 25000000);
    CU_ASSERT_EQUAL(r.request.display_quantity, 100000000);
    CU_ASSERT_EQUAL(r.request.order_id, 123456789012345678);
    CU_ASSERT_EQUAL(r.request.expire_time, 1700000000000);
    CU_ASSERT_TRUE(r.request.post_only);
    CU_ASSERT_TRUE(text_is(r.id, "\"x\""));
    free(r.copy);
}

static void test_no_part_of_a_message_is_taken_for_one(void)
{
    size_t whole = strlen(everything) - 1; /* the last character is a space */
    for (size_t length = 0; length < whole; length++) {
        reading r;
        read_bytes(&r, everything, length);
        CU_ASSERT_FALSE(r.taken);
        free(r.copy);
    }
}

static void test_decimals_are_exact(void)
{
    static const struct {
        const char *text;
        int64_t mantissa;
    } rows[] = {
        {"0", 0},
        {"7", 700000000},
        {"0.00000001", 1},
        {"0.1", 10000000},
        {"1.50", 150000000},
        {"12345678.87654321", 1234567887654321},
        {"9999999999.99999999", 999999999999999999},
        {"\"0\"", 0},
        {"\"1.25\"", 125000000},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[64];
        snprintf(text, sizeof text, "{\"price\":%s}", rows[i].text);
        reading r;
        read_text(&r, text);
        CU_ASSERT_TRUE(r.taken);
        CU_ASSERT_EQUAL(r.request.price, rows[i].mantissa);
        free(r.copy);
    }
}

static void test_ids_are_kept_as_they_were_sent(void)
{
    static const char *const ids[] = {"0", "7", "123456789012345678", "\"\"", "\"a b\"", "\"12\""};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        char text[64];
        snprintf(text, sizeof text, "{\"id\":%s}", ids[i]);
        reading r;
        read_text(&r, text);
        CU_ASSERT_TRUE(r.taken);
        CU_ASSERT_EQUAL(r.request.present, 0);
        CU_ASSERT_TRUE(text_is(r.id, ids[i]));
        free(r.copy);
    }
    reading r;
    read_text(&r, "{\"price\":1}");
    CU_ASSERT_TRUE(r.taken);
    CU_ASSERT_EQUAL(r.id.length, 0);
    free(r.copy);
}

/* Each may be good JSON or not; which, and what it means, is for the ordinary way to say. */
static void test_the_unusual_is_left_alone(void)
{
    static const char *const texts[] = {
        "",
        " ",
        "7",
        "null",
        "[]",
        "{}",
        "{\"price\":1}}",
        "{\"price\":1},",
        "{\"price\":1,}",
        "{,\"price\":1}",
        "{\"price\" 1}",
        "{\"price\",1}",
        "{\"price\":1]",
        "{x\"price\":1}",
        "{\"price\":1,x\"quantity\":1}",
        "{\"price\":}",
        "{\"price\":1 2}",
        "{\"price\":1 \"side\":\"buy\"}",
        "{price:1}",
        "{\"price\":1,\"price\":1}",
        "{\"id\":1,\"id\":1}",
        "{\"other\":1}",
        "{\"\":1}",
        "{\"Price\":1}",
        "{\"prices\":1}",
        "{\"pric\\u0065\":1}",
        "{\"state\":\"halted\"}",
        "{\"price\":null}",
        "{\"price\":true}",
        "{\"price\":-1}",
        "{\"price\":01}",
        "{\"price\":.5}",
        "{\"price\":1.}",
        "{\"price\":1e2}",
        "{\"price\":1.5E2}",
        "{\"price\":0.000000001}",
        "{\"price\":1.000000000}",
        "{\"price\":12345678901}",
        "{\"price\":\"\"}",
        "{\"price\":\"1 \"}",
        "{\"price\":\"1e2\"}",
        "{\"price\":\"-1\"}",
        "{\"price\":[1]}",
        "{\"price\":{}}",
        "{\"order_id\":\"1\"}",
        "{\"order_id\":1.0}",
        "{\"order_id\":-1}",
        "{\"order_id\":1234567890123456789}",
        "{\"order_id\":18446744073709551617}",
        "{\"post_only\":1}",
        "{\"post_only\":\"true\"}",
        "{\"post_only\":truE}",
        "{\"post_only\":faLse}",
        "{\"post_only\":fals",
        "{\"post_only\":trues}",
        "{\"side\":1}",
        "{\"side\":buy}",
        "{\"side\":\"b\\u0075y\"}",
        "{\"trader_id\":\"ali\xc3\xa9\"}",
        "{\"trader_id\":\"eight is\xc3\xa9\"}",
        "{\"trader_id\":\"tab\t\"}",
        "{\"price\":1\n}",
        "{\t\"price\":1}",
        "{\"price\":1,\r\"quantity\":1}",
        "{\"price\":\"1}",
        "{\"price\":1\"}",
        "{\"trader_id\":\"1234567\\\"\"}",
        "{\"id\":-1}",
        "{\"id\":1.5}",
        "{\"id\":1e2}",
        "{\"id\":01}",
        "{\"id\":null}",
        "{\"id\":true}",
        "{\"id\":{}}",
        "{\"id\":\"\\n\"}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        reading r;
        read_text(&r, texts[i]);
        if (r.taken) {
            printf("taken: %s\n", texts[i]);
        }
        CU_ASSERT_FALSE(r.taken);
        free(r.copy);
    }
}

/* Every byte at every place of a string, whichever word of eight it falls in. */
static void test_a_string_is_plain_at_every_place(void)
{
    for (unsigned place = 0; place < 24; place++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            char text[] = "{\"trader_id\":\"abcdefghijklmnopqrstuvwx\"}";
            text[14 + place] = (char)byte;
            reading r;
            read_bytes(&r, text, sizeof text - 1);
            bool plain = byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
            CU_ASSERT_TRUE(r.taken == plain || byte == 0x7f);
            CU_ASSERT_TRUE(!r.taken || r.request.trader_id.length == 24);
            free(r.copy);
        }
    }
}

static void test_very_long_texts_are_left_alone(void)
{
    size_t length = 1025;
    char *text = malloc(length);
    memset(text, ' ', length);
    memcpy(text, "{\"price\":1}", 11);
    reading r;
    read_bytes(&r, text, length - 1);
    CU_ASSERT_TRUE(r.taken);
    free(r.copy);
    read_bytes(&r, text, length);
    CU_ASSERT_FALSE(r.taken);
    free(r.copy);
    free(text);
}

MATCHING_TESTS(MATCHING_TEST(test_every_field_of_an_order_is_read),
               MATCHING_TEST(test_no_part_of_a_message_is_taken_for_one),
               MATCHING_TEST(test_decimals_are_exact),
               MATCHING_TEST(test_ids_are_kept_as_they_were_sent),
               MATCHING_TEST(test_the_unusual_is_left_alone),
               MATCHING_TEST(test_a_string_is_plain_at_every_place),
               MATCHING_TEST(test_very_long_texts_are_left_alone))
