/* The codec, inbound: what a text frame is taken for, and which fault is told. */
#include "message.h"

#include "support/cunit_main.h"

typedef struct reading {
    ws_message message;
    ws_error error;
    matching_code code;
    char *copy; /* without a NUL behind it, so that reading too far is noticed */
} reading;

static void read_text(reading *r, const char *text, size_t length)
{
    r->copy = malloc(length > 0 ? length : 1);
    memcpy(r->copy, text, length);
    r->code = ws_message_read(r->copy, length, &r->message, &r->error);
}

static void read_message(reading *r, const char *text)
{
    read_text(r, text, strlen(text));
}

static void done(reading *r)
{
    ws_message_fini(&r->message);
    free(r->copy);
}

static bool text_is(matching_text text, const char *wanted)
{
    return text.length == strlen(wanted) &&
           (text.length == 0 || memcmp(text.data, wanted, text.length) == 0);
}

static void expect_error(const char *text, matching_code code, const char *field)
{
    reading r;
    read_message(&r, text);
    if (r.code != code || strcmp(r.error.field, field) != 0) {
        printf("%s: %s %s, expected %s %s\n", text, matching_code_name(r.code),
               r.code != MATCHING_OK ? r.error.field : "", matching_code_name(code), field);
    }
    CU_ASSERT_EQUAL(r.code, code);
    CU_ASSERT_EQUAL(r.error.code, code);
    CU_ASSERT_STRING_EQUAL(r.error.field, field);
    CU_ASSERT_NOT_EQUAL(r.error.message[0], '\0');
    done(&r);
}

static void test_types_lead_to_actions(void)
{
    static const struct {
        const char *text;
        matching_action action;
        const char *order_type;
    } rows[] = {
        {"{\"type\":\"limit_order\"}", MATCHING_ACTION_PLACE, "limit"},
        {"{\"type\":\"market_order\"}", MATCHING_ACTION_PLACE, "market"},
        {"{\"type\":\"stop_order\"}", MATCHING_ACTION_PLACE, "stop"},
        {"{\"type\":\"stop_order\",\"price\":1}", MATCHING_ACTION_PLACE, "stop_limit"},
        {"{\"type\":\"stop_order\",\"price\":null}", MATCHING_ACTION_PLACE, "stop"},
        {"{\"type\":\"cancel_order\"}", MATCHING_ACTION_CANCEL, NULL},
        {"{\"type\":\"amend_order\"}", MATCHING_ACTION_AMEND, NULL},
        {"{\"type\":\"get_order\"}", MATCHING_ACTION_GET_ORDER, NULL},
        {"{\"type\":\"cancel_all\"}", MATCHING_ACTION_CANCEL_ALL, NULL},
    };
    const uint32_t type_bit = MATCHING_FIELD_BIT(MATCHING_FIELD_TYPE);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        reading r;
        read_message(&r, rows[i].text);
        CU_ASSERT_EQUAL_FATAL(r.code, MATCHING_OK);
        CU_ASSERT_EQUAL(r.message.type->kind, WS_COMMAND);
        CU_ASSERT_EQUAL(r.message.request.action, rows[i].action);
        CU_ASSERT_EQUAL((r.message.request.present & type_bit) != 0, rows[i].order_type != NULL);
        if (rows[i].order_type != NULL) {
            CU_ASSERT_TRUE(text_is(r.message.request.type, rows[i].order_type));
        }
        done(&r);
    }
}

static void test_fields_of_an_order_are_read(void)
{
    reading r;
    read_message(&r, "{\"type\":\"limit_order\",\"trader_id\":\"alice\",\"side\":\"buy\","
                     "\"price\":50000.01,\"quantity\":\"0.25\",\"colour\":\"red\",\"id\":1}");
    CU_ASSERT_EQUAL_FATAL(r.code, MATCHING_OK);
    CU_ASSERT_TRUE(text_is(r.message.request.trader_id, "alice"));
    CU_ASSERT_EQUAL(r.message.request.price, 5000001000000);
    CU_ASSERT_EQUAL(r.message.request.quantity, 25000000);
    CU_ASSERT_EQUAL(r.message.request.wrong_type, 0);
    done(&r);
}

static void test_an_id_comes_back_as_it_was_sent(void)
{
    static const char *const ids[] = {
        "1",
        "-0",
        "-0.50e1",
        "12345678901234567890123456789012345678901234567890",
        "1E400",
        "0.10",
        "\"\"",
        "\"a b\"",
        "\"\\\"\"",
        "\"\\u00e9\\n\"",
        "\"\\\\\"",
        "\"]},\\\\\\\"\"",
        "\"\xc3\xa9\xf0\x9d\x84\x9e\"",
        "18446744073709551616",
    };
    static const char *const around[] = {
        "{\"type\":\"ping\",\"id\":%s}",
        " { \"id\" : %s , \"type\" : \"ping\" } ",
        "{\"a\":[{\"id\":7},\"}\"],\"type\":\"ping\",\"\\u0069d\":%s\t}",
        "{\"id\":\"first\",\"type\":\"ping\",\"b\":{\"c\":{}},\"i\\u0064\":%s}",
        "{\"\\\"id\":5,\"id\\\\\":6,\"ID\":7,\"id\":%s,\"idx\":8,\"type\":\"ping\"}",
    };
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        for (size_t k = 0; k < sizeof around / sizeof around[0]; k++) {
            const char *gap = strstr(around[k], "%s");
            char text[256];
            snprintf(text, sizeof text, "%.*s%s%s", (int)(gap - around[k]), around[k], ids[i],
                     gap + 2);
            reading r;
            read_message(&r, text);
            CU_ASSERT_EQUAL(r.code, MATCHING_OK);
            if (!text_is(r.message.id, ids[i])) {
                printf("%s: %.*s\n", text, (int)r.message.id.length, r.message.id.data);
                CU_FAIL("another id");
            }
            done(&r);
        }
    }
}

static void test_no_id_and_null_are_the_same(void)
{
    reading r;
    read_message(&r, "{\"type\":\"ping\",\"id\":null}");
    CU_ASSERT_EQUAL(r.code, MATCHING_OK);
    CU_ASSERT_EQUAL(r.message.id.length, 0);
    done(&r);
}

/* What is refused unread. */
static void test_the_id_of_an_unread_message(void)
{
    static const struct {
        const char *text, *id;
    } rows[] = {
        {"{\"type\":\"subscribe\",\"channels\":[\"trades\",\"book\"],\"id\":7}", "7"},
        {"{\"id\":\"a\\\"}\",\"type\":\"subscribe\",\"symbols\":[{\"id\":1}]}", "\"a\\\"}\""},
        {" { \"x\" : {\"id\":[1]} , \"\\u0069d\" : -1.5e3 } ", "-1.5e3"},
        {"{\"id\":1,\"id\":2}", "2"},
        {"{\"id\":2,\"id\":null}", ""},
        {"{\"x\":{\"id\":1}}", ""},
        {"{\"id\":true}", ""},
        {"{\"id\":[1]}", ""},
        {"{\"id\":{}}", ""},
        {"[{\"id\":1}]", ""},
        {"\"id\"", ""},
        {"{\"id\":1", ""},
        {"{\"id\":01}", ""},
        {"{\"id\":1}}", ""},
        {"{\"id\":\"\t\"}", ""},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t length = strlen(rows[i].text);
        char *copy = malloc(length > 0 ? length : 1); /* reading too far is noticed */
        memcpy(copy, rows[i].text, length);
        matching_text id = ws_message_id(copy, length);
        if (!text_is(id, rows[i].id)) {
            printf("%s: %.*s\n", rows[i].text, (int)id.length, id.data);
            CU_FAIL("another id");
        }
        free(copy);
    }
}

static void test_an_unread_message_is_looked_at_as_far_as_it_is_short(void)
{
    char text[WS_UNREAD_BYTES_MAX + 1];
    memset(text, ' ', sizeof text);
    memcpy(text, "{\"id\":5}", 8);
    CU_ASSERT_TRUE(text_is(ws_message_id(text, WS_UNREAD_BYTES_MAX), "5"));
    CU_ASSERT_EQUAL(ws_message_id(text, WS_UNREAD_BYTES_MAX + 1).length, 0);
}

/* `count` times this unit within quotes. */
static void expect_long_id(const char *unit, unsigned count, matching_code code)
{
    char text[2048] = "{\"type\":\"ping\",\"id\":\"";
    for (unsigned i = 0; i < count; i++) {
        strcat(text, unit);
    }
    strcat(text, "\"}");
    reading r;
    read_message(&r, text);
    CU_ASSERT_EQUAL(r.code, code);
    CU_ASSERT_EQUAL(r.message.id.length, code == MATCHING_OK ? count * strlen(unit) + 2 : 0);
    CU_ASSERT_TRUE(strlen(text) > WS_UNREAD_BYTES_MAX ||
                   ws_message_id(text, strlen(text)).length == r.message.id.length);
    done(&r);
}

static void test_an_id_has_at_most_64_characters(void)
{
    static const char *const units[] = {"x",       "\xc3\xa9",       "\xf0\x9d\x84\x9e",
                                        "\\u00e9", "\\ud834\\udd1e", "\\n",
                                        "\\ud834", "\\uDD1E",        "\\u0000"};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        expect_long_id(units[i], 64, MATCHING_OK);
        expect_long_id(units[i], 65, MATCHING_INVALID_PARAMETER);
    }
    expect_error("{\"type\":\"ping\",\"id\":"
                 "12345678901234567890123456789012345678901234567890123456789012345}",
                 MATCHING_INVALID_PARAMETER, "id");
}

static void test_what_is_no_message(void)
{
    expect_error("", MATCHING_INVALID_JSON, "");
    expect_error("{", MATCHING_INVALID_JSON, "");
    expect_error("{\"type\":\"ping\"}{\"type\":\"ping\"}", MATCHING_INVALID_JSON, "");
    expect_error("{\"type\":\"ping\",}", MATCHING_INVALID_JSON, "");
    expect_error("NaN", MATCHING_INVALID_JSON, "");
    expect_error("null", MATCHING_INVALID_MESSAGE, "");
    expect_error("[]", MATCHING_INVALID_MESSAGE, "");
    expect_error("\"ping\"", MATCHING_INVALID_MESSAGE, "");
    expect_error("{}", MATCHING_MISSING_FIELD, "type");
    expect_error("{\"type\":null}", MATCHING_MISSING_FIELD, "type");
    expect_error("{\"type\":1}", MATCHING_INVALID_MESSAGE, "type");
    expect_error("{\"type\":\"Ping\"}", MATCHING_UNKNOWN_TYPE, "type");
    expect_error("{\"type\":\"\"}", MATCHING_UNKNOWN_TYPE, "type");
    expect_error("{\"type\":\"ping\\u0000\"}", MATCHING_UNKNOWN_TYPE, "type");
    expect_error("{\"type\":\"ping\",\"id\":true}", MATCHING_INVALID_MESSAGE, "id");
    expect_error("{\"type\":\"ping\",\"id\":{}}", MATCHING_INVALID_MESSAGE, "id");
    expect_error("{\"type\":\"dance\",\"id\":[]}", MATCHING_INVALID_MESSAGE, "id");
}

static void test_an_error_after_the_id_keeps_the_id(void)
{
    reading r;
    read_message(&r, "{\"type\":\"dance\",\"id\":5}");
    CU_ASSERT_EQUAL(r.code, MATCHING_UNKNOWN_TYPE);
    CU_ASSERT_TRUE(text_is(r.message.id, "5"));
    done(&r);
}

static void test_subscriptions_name_channels_and_symbols(void)
{
    reading r;
    read_message(
        &r, "{\"type\":\"subscribe\",\"channels\":[\"trades\",\"orders\",\"ticker\",\"trades\"],"
            "\"symbols\":[\"A\",\"B\"],\"trader_id\":\"t\",\"batch\":false}");
    CU_ASSERT_EQUAL_FATAL(r.code, MATCHING_OK);
    CU_ASSERT_EQUAL(r.message.channels, WS_CHANNEL_BIT(WS_TRADES) | WS_CHANNEL_BIT(WS_TICKER) |
                                            WS_CHANNEL_BIT(WS_ORDERS));
    CU_ASSERT_EQUAL(json_object_array_length(r.message.symbols), 2);
    CU_ASSERT_TRUE(text_is(r.message.request.trader_id, "t"));
    done(&r);
    read_message(&r, "{\"type\":\"unsubscribe\",\"channels\":[\"orders\"],\"symbols\":null}");
    CU_ASSERT_EQUAL(r.code, MATCHING_OK);
    CU_ASSERT_PTR_NULL(r.message.symbols);
    done(&r);
}

static void test_faulty_subscriptions(void)
{
#define SUBSCRIBE "{\"type\":\"subscribe\","
    expect_error(SUBSCRIBE "\"x\":1}", MATCHING_MISSING_FIELD, "channels");
    expect_error(SUBSCRIBE "\"channels\":\"book\"}", MATCHING_INVALID_MESSAGE, "channels");
    expect_error(SUBSCRIBE "\"channels\":[1]}", MATCHING_INVALID_MESSAGE, "channels");
    expect_error(SUBSCRIBE "\"channels\":[\"book\",null]}", MATCHING_INVALID_MESSAGE, "channels");
    expect_error(SUBSCRIBE "\"channels\":[]}", MATCHING_INVALID_CHANNEL, "channels");
    expect_error(SUBSCRIBE "\"channels\":[\"book\",\"weather\"]}", MATCHING_INVALID_CHANNEL,
                 "channels");
    expect_error(SUBSCRIBE "\"channels\":[\"ticker\",\"kline:m2\"]}", MATCHING_INVALID_INTERVAL,
                 "channels");
    expect_error(SUBSCRIBE "\"channels\":[\"orders\"]}", MATCHING_MISSING_FIELD, "trader_id");
    expect_error(SUBSCRIBE "\"channels\":[\"weather\",\"orders\"]}", MATCHING_MISSING_FIELD,
                 "trader_id");
    expect_error(SUBSCRIBE "\"channels\":[\"book\"],\"symbols\":\"A\"}", MATCHING_INVALID_MESSAGE,
                 "symbols");
    expect_error(SUBSCRIBE "\"channels\":[\"book\"],\"symbols\":[]}", MATCHING_INVALID_PARAMETER,
                 "symbols");
    expect_error(SUBSCRIBE "\"channels\":[\"book\"],\"trader_id\":5}", MATCHING_INVALID_MESSAGE,
                 "trader_id");
    expect_error(SUBSCRIBE "\"channels\":[\"book\"],\"batch\":1}", MATCHING_INVALID_MESSAGE,
                 "batch");
    expect_error(SUBSCRIBE "\"channels\":[\"book\"],\"compression\":\"zip\"}",
                 MATCHING_INVALID_PARAMETER, "compression");
    expect_error(SUBSCRIBE "\"channels\":[\"weather\"],\"compression\":5}",
                 MATCHING_INVALID_MESSAGE, "compression");
    expect_error("{\"type\":\"unsubscribe\"}", MATCHING_MISSING_FIELD, "channels");
}

static void test_cancel_on_disconnect_needs_a_boolean(void)
{
    reading r;
    read_message(&r, "{\"type\":\"cancel_on_disconnect\",\"enabled\":true}");
    CU_ASSERT_EQUAL(r.code, MATCHING_OK);
    CU_ASSERT_TRUE(r.message.enabled);
    done(&r);
    expect_error("{\"type\":\"cancel_on_disconnect\"}", MATCHING_MISSING_FIELD, "enabled");
    expect_error("{\"type\":\"cancel_on_disconnect\",\"enabled\":\"true\"}",
                 MATCHING_INVALID_MESSAGE, "enabled");
}

MATCHING_TESTS(MATCHING_TEST(test_types_lead_to_actions),
               MATCHING_TEST(test_fields_of_an_order_are_read),
               MATCHING_TEST(test_an_id_comes_back_as_it_was_sent),
               MATCHING_TEST(test_no_id_and_null_are_the_same),
               MATCHING_TEST(test_an_id_has_at_most_64_characters),
               MATCHING_TEST(test_the_id_of_an_unread_message),
               MATCHING_TEST(test_an_unread_message_is_looked_at_as_far_as_it_is_short),
               MATCHING_TEST(test_what_is_no_message),
               MATCHING_TEST(test_an_error_after_the_id_keeps_the_id),
               MATCHING_TEST(test_subscriptions_name_channels_and_symbols),
               MATCHING_TEST(test_faulty_subscriptions),
               MATCHING_TEST(test_cancel_on_disconnect_needs_a_boolean))
