/* Response objects as text: every shape of error, and the results that this door writes itself. */
#include "answers.h"
#include "support/cunit_main.h"

static matching_core *core_of_two(void)
{
    static const matching_instrument_options instruments[] = {{"BTCUSDT", 1, 'B', 1000000, 10000},
                                                              {"ETHUSDT", 2, 'E', 1000000, 10000}};
    matching_core_options options;
    char error[256];
    matching_core_options_default(&options);
    options.instruments = instruments;
    options.instrument_count = 2;
    options.shards = 1;
    options.max_orders = options.retained_orders = 1024;
    options.max_traders = 16;
    matching_core *core = matching_core_create(&options, error, sizeof error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(core);
    return core;
}

static matching_text text_of(const char *text)
{
    return (matching_text){text, strlen(text)};
}

static void expect_text(matching_writer *writer, const char *expected)
{
    CU_ASSERT_FALSE(writer->failed);
    bool same =
        writer->length == strlen(expected) && memcmp(writer->data, expected, writer->length) == 0;
    if (!same) {
        printf("got      %.*s\nexpected %s\n", (int)writer->length, writer->data, expected);
    }
    CU_ASSERT_TRUE(same);
    matching_writer_fini(writer);
}

static void test_failures(void)
{
    static const struct {
        jsonrpc_failure failure;
        const char *id;
        const char *expected;
    } rows[] = {
        {{JSONRPC_METHOD_NOT_FOUND, MATCHING_UNKNOWN_TYPE, "", 0, "Method not found"},
         "\"1\"",
         "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32601,\"message\":\"Method not found\","
         "\"data\":{\"code\":\"UNKNOWN_TYPE\"}},\"id\":\"1\"}"},
        {{JSONRPC_INVALID_PARAMS, MATCHING_INVALID_PRICE, "price", 0, "a \"bad\" price\n"},
         "1.0",
         "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32602,\"message\":\"a \\\"bad\\\" price\\n\","
         "\"data\":{\"code\":\"INVALID_PRICE\",\"field\":\"price\"}},\"id\":1.0}"},
        {{JSONRPC_REFUSED, MATCHING_DUPLICATE_CLIENT_ORDER_ID, "client_order_id", 42, "twice"},
         "12345678901234567890123",
         "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32000,\"message\":\"twice\","
         "\"data\":{\"code\":\"DUPLICATE_CLIENT_ORDER_ID\",\"field\":\"client_order_id\","
         "\"order_id\":42}},\"id\":12345678901234567890123}"},
        {{JSONRPC_REFUSED, MATCHING_OVERLOADED, "", 0, "later"},
         "",
         "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32000,\"message\":\"later\","
         "\"data\":{\"code\":\"OVERLOADED\"}},\"id\":null}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        matching_writer writer;
        matching_writer_init(&writer);
        jsonrpc_write_failure(&writer, text_of(rows[i].id), &rows[i].failure);
        expect_text(&writer, rows[i].expected);
    }
}

static void test_what_is_no_request_has_the_id_null(void)
{
    matching_writer writer;
    matching_writer_init(&writer);
    jsonrpc_write_no_request(&writer, JSONRPC_PARSE_ERROR, "Parse error");
    expect_text(&writer,
                "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32700,\"message\":\"Parse error\","
                "\"data\":{\"code\":\"INVALID_JSON\"}},\"id\":null}");
    matching_writer_init(&writer);
    jsonrpc_write_no_request(&writer, JSONRPC_INVALID_REQUEST, "Invalid Request");
    expect_text(&writer,
                "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32600,\"message\":\"Invalid Request\","
                "\"data\":{\"code\":\"INVALID_MESSAGE\"}},\"id\":null}");
}

static void test_results_without_a_command(void)
{
    matching_core *core = core_of_two();
    matching_writer writer;
    jsonrpc_expected expected = {JSONRPC_ANSWER_HEALTH, 0, 0};
    matching_writer_init(&writer);
    jsonrpc_write_result(&writer, core, text_of("1e2"), &expected, NULL);
    expect_text(&writer, "{\"jsonrpc\":\"2.0\",\"result\":{\"status\":\"healthy\","
                         "\"service\":\"jsonrpc-matching-service\"},\"id\":1e2}");
    expected.answer = JSONRPC_ANSWER_SYMBOLS;
    matching_writer_init(&writer);
    jsonrpc_write_result(&writer, core, text_of("null"), &expected, NULL);
    CU_ASSERT_FALSE(writer.failed);
    matching_write(&writer, "", 1); /* the NUL, for strstr */
    CU_ASSERT_PTR_NOT_NULL(strstr(writer.data, "\"ETHUSDT\""));
    matching_writer_fini(&writer);
    matching_core_destroy(core);
}

static void test_the_result_of_a_new_state(void)
{
    static const char *const names[] = {"trading", "halted", "auction"};
    matching_core *core = core_of_two();
    matching_reply reply;
    memset(&reply, 0, sizeof reply);
    for (uint8_t state = 0; state < 3; state++) {
        char text[128];
        matching_writer writer;
        const jsonrpc_expected expected = {JSONRPC_ANSWER_STATE, 1, state};
        matching_writer_init(&writer);
        jsonrpc_write_result(&writer, core, text_of("5"), &expected, &reply);
        snprintf(text, sizeof text,
                 "{\"jsonrpc\":\"2.0\",\"result\":{\"symbol\":\"ETHUSDT\",\"state\":\"%s\"},"
                 "\"id\":5}",
                 names[state]);
        expect_text(&writer, text);
    }
    matching_core_destroy(core);
}

static void test_the_result_of_an_order(void)
{
    matching_core *core = core_of_two();
    matching_reply reply;
    matching_writer writer;
    const jsonrpc_expected expected = {JSONRPC_ANSWER_PLACED, 0, 0};
    memset(&reply, 0, sizeof reply);
    reply.has_order = 1;
    reply.order.order_id = 9;
    reply.order.quantity_lots = 20000;
    reply.order.price_ticks = 100;
    reply.order.status = MATCHING_OPEN;
    matching_writer_init(&writer);
    jsonrpc_write_result(&writer, core, text_of("\"x\""), &expected, &reply);
    CU_ASSERT_FALSE(writer.failed);
    static const char start[] = "{\"jsonrpc\":\"2.0\",\"result\":{\"order_id\":9,";
    static const char end[] = "},\"id\":\"x\"}";
    CU_ASSERT_TRUE_FATAL(writer.length > sizeof start + sizeof end);
    CU_ASSERT_EQUAL(memcmp(writer.data, start, sizeof start - 1), 0);
    CU_ASSERT_EQUAL(memcmp(writer.data + writer.length - (sizeof end - 1), end, sizeof end - 1), 0);
    matching_writer_fini(&writer);
    matching_core_destroy(core);
}

MATCHING_TESTS(MATCHING_TEST(test_failures), MATCHING_TEST(test_what_is_no_request_has_the_id_null),
               MATCHING_TEST(test_results_without_a_command),
               MATCHING_TEST(test_the_result_of_a_new_state),
               MATCHING_TEST(test_the_result_of_an_order))
