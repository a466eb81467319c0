/* The methods: what each makes of its params, and how it refuses. No core runs; the gateway's own
 * verdicts have their own test.
 */
#include "methods.h"
#include "support/cunit_main.h"

/* A request as a body would bring it. params NULL: none. Valid until the next call. */
static jsonrpc_request request_of(const char *method, const char *params)
{
    static char body[2048];
    static jsonrpc_message message;
    jsonrpc_message_fini(&message);
    if (params != NULL) {
        snprintf(body, sizeof body,
                 "{\"jsonrpc\":\"2.0\",\"method\":\"%s\",\"params\":%s,\"id\":1}", method, params);
    } else {
        snprintf(body, sizeof body, "{\"jsonrpc\":\"2.0\",\"method\":\"%s\",\"id\":1}", method);
    }
    CU_ASSERT_TRUE_FATAL(jsonrpc_message_parse(&message, body, strlen(body), 1));
    CU_ASSERT_EQUAL_FATAL(message.error, 0);
    CU_ASSERT_TRUE_FATAL(message.requests[0].valid);
    return message.requests[0];
}

static bool text_is(matching_text text, const char *expected)
{
    return text.length == strlen(expected) &&
           (text.length == 0 || memcmp(text.data, expected, text.length) == 0);
}

static bool has(const matching_request *request, matching_field field)
{
    return (request->present & MATCHING_FIELD_BIT(field)) != 0;
}

static jsonrpc_call call_of(const char *method, const char *params)
{
    jsonrpc_call call;
    jsonrpc_failure failure;
    jsonrpc_request request = request_of(method, params);
    bool good = jsonrpc_read_call(&request, &call, &failure);
    if (!good) {
        printf("%s %s: %s\n", method, params, failure.message);
    }
    CU_ASSERT_TRUE(good);
    return call;
}

static void test_each_method_has_its_action_and_answer(void)
{
    static const struct {
        const char *method;
        const char *params;
        matching_action action;
        jsonrpc_answer answer;
        bool market_data;
        bool administration;
    } rows[] = {
        {"place_limit_order", "{}", MATCHING_ACTION_PLACE, JSONRPC_ANSWER_PLACED, 0, 0},
        {"place_market_order", "{}", MATCHING_ACTION_PLACE, JSONRPC_ANSWER_PLACED, 0, 0},
        {"place_order", NULL, MATCHING_ACTION_PLACE, JSONRPC_ANSWER_PLACED, 0, 0},
        {"cancel_order", NULL, MATCHING_ACTION_CANCEL, JSONRPC_ANSWER_CANCELLED, 0, 0},
        {"amend_order", NULL, MATCHING_ACTION_AMEND, JSONRPC_ANSWER_PLACED, 0, 0},
        {"cancel_all_orders", NULL, MATCHING_ACTION_CANCEL_ALL, JSONRPC_ANSWER_ORDER_IDS, 0, 0},
        {"get_order", NULL, MATCHING_ACTION_GET_ORDER, JSONRPC_ANSWER_ORDER, 0, 0},
        {"get_open_orders", NULL, MATCHING_ACTION_LIST_OPEN_ORDERS, JSONRPC_ANSWER_ORDERS, 0, 0},
        {"get_depth", NULL, MATCHING_ACTION_GET_DEPTH, JSONRPC_ANSWER_DEPTH, 1, 0},
        {"get_book_status", NULL, MATCHING_ACTION_GET_DEPTH, JSONRPC_ANSWER_BOOK_STATUS, 1, 0},
        {"get_trades", NULL, MATCHING_ACTION_GET_TRADES, JSONRPC_ANSWER_TRADES, 1, 0},
        {"get_klines", NULL, MATCHING_ACTION_GET_KLINES, JSONRPC_ANSWER_KLINES, 1, 0},
        {"get_ticker", NULL, MATCHING_ACTION_GET_TICKER, JSONRPC_ANSWER_TICKER, 1, 0},
        {"get_symbols", NULL, MATCHING_ACTION_NONE, JSONRPC_ANSWER_SYMBOLS, 1, 0},
        {"health", NULL, MATCHING_ACTION_NONE, JSONRPC_ANSWER_HEALTH, 1, 0},
        {"rpc.discover", NULL, MATCHING_ACTION_NONE, JSONRPC_ANSWER_DOCUMENT, 1, 0},
        {"add_symbol", NULL, MATCHING_ACTION_ADD_INSTRUMENT, JSONRPC_ANSWER_ADDED, 0, 1},
        {"set_symbol_state", NULL, MATCHING_ACTION_SET_STATE, JSONRPC_ANSWER_STATE, 0, 1},
        {"execute", "{\"command\":\"LimitOrder\"}", MATCHING_ACTION_PLACE, JSONRPC_ANSWER_PLACED, 0,
         0},
        {"execute", "{\"command\":\"CancelOrder\"}", MATCHING_ACTION_CANCEL,
         JSONRPC_ANSWER_CANCELLED, 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        jsonrpc_call call = call_of(rows[i].method, rows[i].params);
        CU_ASSERT_EQUAL(call.request.action, rows[i].action);
        CU_ASSERT_EQUAL(call.answer, rows[i].answer);
        CU_ASSERT_EQUAL(call.market_data, rows[i].market_data);
        CU_ASSERT_EQUAL(call.administration, rows[i].administration);
    }
}

static void test_the_name_of_a_method_implies_the_type(void)
{
    static const struct {
        const char *method;
        const char *params;
        const char *type; /* "": none given */
    } rows[] = {
        {"place_limit_order", "{}", "limit"},
        {"place_limit_order", "{\"type\":\"market\"}", "limit"},
        {"place_limit_order", "{\"type\":7,\"order_type\":8}", "limit"},
        {"place_market_order", "{\"order_type\":\"limit\"}", "market"},
        {"execute", "{\"command\":\"LimitOrder\"}", "limit"},
        {"execute", "{\"command\":\"IcebergOrder\"}", "limit"},
        {"execute", "{\"command\":\"MarketOrder\",\"type\":\"stop\"}", "market"},
        {"place_order", "{}", ""},
        {"place_order", "{\"type\":\"stop\"}", "stop"},
        {"place_order", "{\"type\":\"STOP_LIMIT\"}", "stop_limit"},
        {"place_order", "{\"order_type\":\"Market\"}", "market"},
        {"place_order", "{\"type\":\"limit\",\"order_type\":\"market\"}", "limit"},
        {"place_order", "{\"type\":null,\"order_type\":\"market\"}", "market"},
        {"place_order", "{\"order_type\":null}", ""},
        {"place_order", "{\"type\":\"Peg\"}", "Peg"},
        {"place_order", "{\"type\":\"\"}", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        jsonrpc_call call = call_of(rows[i].method, rows[i].params);
        bool given = strstr(rows[i].params, "\"\"") != NULL || rows[i].type[0] != '\0';
        CU_ASSERT_EQUAL(has(&call.request, MATCHING_FIELD_TYPE), given);
        CU_ASSERT_TRUE(text_is(call.request.type, rows[i].type));
        CU_ASSERT_EQUAL(call.request.wrong_type, 0);
    }
}

static void test_sides_in_any_case_and_by_letter(void)
{
    static const char *const rows[][2] = {
        {"buy", "buy"},
        {"BUY", "buy"},
        {"Buy", "buy"},
        {"b", "buy"},
        {"B", "buy"},
        {"sell", "sell"},
        {"SELL", "sell"},
        {"s", "sell"},
        {"S", "sell"},
        /* Left for the gateway to refuse. */
        {"", ""},
        {"bu", "bu"},
        {"buyy", "buyy"},
        {"bid", "bid"},
        {" buy", " buy"},
        {"1", "1"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char params[64];
        snprintf(params, sizeof params, "{\"side\":\"%s\"}", rows[i][0]);
        jsonrpc_call call = call_of("place_limit_order", params);
        CU_ASSERT_TRUE(text_is(call.request.side, rows[i][1]));
        CU_ASSERT_TRUE(has(&call.request, MATCHING_FIELD_SIDE));
    }
}

static void test_wrong_types_are_noted(void)
{
    jsonrpc_call call = call_of("place_order", "{\"order_type\":1,\"side\":2,\"price\":\"x\"}");
    CU_ASSERT_EQUAL(call.request.wrong_type, MATCHING_FIELD_BIT(MATCHING_FIELD_TYPE) |
                                                 MATCHING_FIELD_BIT(MATCHING_FIELD_SIDE));
    CU_ASSERT_EQUAL(call.request.malformed, MATCHING_FIELD_BIT(MATCHING_FIELD_PRICE));
    CU_ASSERT_TRUE(has(&call.request, MATCHING_FIELD_TYPE));
}

static void test_book_status_wants_one_level(void)
{
    static const char *const params[] = {NULL,
                                         "{}",
                                         "{\"levels\":50}",
                                         "{\"levels\":\"x\"}",
                                         "{\"levels\":-1}",
                                         "{\"levels\":1e30}"};
    for (size_t i = 0; i < sizeof params / sizeof params[0]; i++) {
        jsonrpc_call call = call_of("get_book_status", params[i]);
        CU_ASSERT_EQUAL(call.request.levels, 1);
        CU_ASSERT_EQUAL(call.request.wrong_type | call.request.malformed, 0);
        CU_ASSERT_TRUE(has(&call.request, MATCHING_FIELD_LEVELS));
    }
    CU_ASSERT_EQUAL(call_of("get_depth", "{\"levels\":50}").request.levels, 50);
}

static void test_unknown_params_are_harmless(void)
{
    jsonrpc_call call =
        call_of("cancel_order", "{\"order_id\":5,\"colour\":{\"a\":[1]},\"ids\":9}");
    CU_ASSERT_EQUAL(call.request.order_id, 5);
    CU_ASSERT_EQUAL(call.request.present, MATCHING_FIELD_BIT(MATCHING_FIELD_ORDER_ID));
}

/* What is read without a tree is read as with one: an unknown member, which is harmless, makes the
 * difference between the two. */
static void test_both_ways_read_the_same(void)
{
    static const struct {
        const char *method;
        const char *params; /* without the last brace */
        bool is_flat;
    } rows[] = {
        {"place_limit_order", "{\"trader_id\":\"a\",\"side\":\"B\",\"price\":5.25,\"quantity\":1",
         true},
        {"place_order", "{ \"type\" : \"STOP\", \"stop_price\":\"7\", \"post_only\":true ", true},
        {"cancel_order", "{\"order_id\":12", true},
        {"get_book_status", "{\"levels\":9", false},
        {"place_order", "{\"order_type\":\"market\"", false},
        {"place_order", "{\"trader_id\":\"a}b\"", false},
        {"place_order", "{\"trader_id\":\"\\u0061\"", false},
        {"place_order", "{\"price\":[1]", false},
        {"add_symbol", "{\"symbol\":\"X\",\"id\":5", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char params[256];
        snprintf(params, sizeof params, "%s}", rows[i].params);
        CU_ASSERT_EQUAL(request_of(rows[i].method, params).flat != NULL, rows[i].is_flat);
        matching_request first = call_of(rows[i].method, params).request;
        char texts[3][64];
        const matching_text from[3] = {first.trader_id, first.side, first.type};
        for (int t = 0; t < 3; t++) {
            snprintf(texts[t], sizeof texts[t], "%.*s", (int)from[t].length,
                     from[t].length > 0 ? from[t].data : "");
        }
        snprintf(params, sizeof params, "%s,\"unknown\":{}}", rows[i].params);
        CU_ASSERT_PTR_NULL(request_of(rows[i].method, params).flat);
        matching_request second = call_of(rows[i].method, params).request;
        CU_ASSERT_TRUE(text_is(second.trader_id, texts[0]) && text_is(second.side, texts[1]) &&
                       text_is(second.type, texts[2]));
        CU_ASSERT_EQUAL(first.action, second.action);
        CU_ASSERT_EQUAL(first.present, second.present);
        CU_ASSERT_EQUAL(first.wrong_type, second.wrong_type);
        CU_ASSERT_EQUAL(first.price, second.price);
        CU_ASSERT_EQUAL(first.stop_price, second.stop_price);
        CU_ASSERT_EQUAL(first.quantity, second.quantity);
        CU_ASSERT_EQUAL(first.order_id, second.order_id);
        CU_ASSERT_EQUAL(first.levels, second.levels);
        CU_ASSERT_EQUAL(first.id, second.id);
        CU_ASSERT_EQUAL(first.post_only, second.post_only);
    }
}

static void test_refusals(void)
{
    static const struct {
        const char *method;
        const char *params;
        int number;
        matching_code code;
        const char *field;
    } rows[] = {
        {"", NULL, JSONRPC_METHOD_NOT_FOUND, MATCHING_UNKNOWN_TYPE, ""},
        {"foobar", NULL, JSONRPC_METHOD_NOT_FOUND, MATCHING_UNKNOWN_TYPE, ""},
        {"foobar", "[]", JSONRPC_METHOD_NOT_FOUND, MATCHING_UNKNOWN_TYPE, ""},
        {"Health", NULL, JSONRPC_METHOD_NOT_FOUND, MATCHING_UNKNOWN_TYPE, ""},
        {"health ", NULL, JSONRPC_METHOD_NOT_FOUND, MATCHING_UNKNOWN_TYPE, ""},
        {"get_candles", NULL, JSONRPC_METHOD_NOT_FOUND, MATCHING_UNKNOWN_TYPE, ""},
        {"rpc.discovers", NULL, JSONRPC_METHOD_NOT_FOUND, MATCHING_UNKNOWN_TYPE, ""},
        {"remove_symbol", NULL, JSONRPC_METHOD_NOT_FOUND, MATCHING_UNKNOWN_TYPE, ""},
        {"get_depth", "[]", JSONRPC_INVALID_PARAMS, MATCHING_INVALID_MESSAGE, ""},
        {"get_depth", "[\"BTCUSDT\"]", JSONRPC_INVALID_PARAMS, MATCHING_INVALID_MESSAGE, ""},
        {"execute", "[]", JSONRPC_INVALID_PARAMS, MATCHING_INVALID_MESSAGE, ""},
        {"execute", NULL, JSONRPC_INVALID_PARAMS, MATCHING_MISSING_FIELD, "command"},
        {"execute", "{}", JSONRPC_INVALID_PARAMS, MATCHING_MISSING_FIELD, "command"},
        {"execute", "{\"command\":null}", JSONRPC_INVALID_PARAMS, MATCHING_MISSING_FIELD,
         "command"},
        {"execute", "{\"command\":1}", JSONRPC_INVALID_PARAMS, MATCHING_INVALID_MESSAGE, "command"},
        {"execute", "{\"command\":\"Stop\"}", JSONRPC_INVALID_PARAMS, MATCHING_UNKNOWN_TYPE,
         "command"},
        {"execute", "{\"command\":\"execute\"}", JSONRPC_INVALID_PARAMS, MATCHING_UNKNOWN_TYPE,
         "command"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        jsonrpc_call call;
        jsonrpc_failure failure;
        jsonrpc_request request = request_of(rows[i].method, rows[i].params);
        CU_ASSERT_FALSE(jsonrpc_read_call(&request, &call, &failure));
        CU_ASSERT_EQUAL(failure.number, rows[i].number);
        CU_ASSERT_EQUAL(failure.code, rows[i].code);
        CU_ASSERT_STRING_EQUAL(failure.field, rows[i].field);
        CU_ASSERT_TRUE(failure.message[0] != '\0');
        CU_ASSERT_EQUAL(failure.order_id, 0);
    }
}

static void test_numbers_of_refusals(void)
{
    static const struct {
        matching_code code;
        bool refused; /* by the engine or a port */
        int number;
    } rows[] = {
        {MATCHING_INVALID_MESSAGE, false, JSONRPC_INVALID_PARAMS},
        {MATCHING_MISSING_FIELD, false, JSONRPC_INVALID_PARAMS},
        {MATCHING_INVALID_SIDE, false, JSONRPC_INVALID_PARAMS},
        {MATCHING_INVALID_PRICE, false, JSONRPC_INVALID_PARAMS},
        {MATCHING_INVALID_PARAMETER, false, JSONRPC_INVALID_PARAMS},
        {MATCHING_UNKNOWN_SYMBOL, false, JSONRPC_REFUSED},
        {MATCHING_INVALID_QUANTITY, true, JSONRPC_REFUSED}, /* amend below what has filled */
        {MATCHING_ORDER_NOT_FOUND, true, JSONRPC_REFUSED},
        {MATCHING_DUPLICATE_CLIENT_ORDER_ID, true, JSONRPC_REFUSED},
        {MATCHING_POST_ONLY_WOULD_CROSS, true, JSONRPC_REFUSED},
        {MATCHING_OVERLOADED, true, JSONRPC_REFUSED},
        {MATCHING_SHUTTING_DOWN, true, JSONRPC_REFUSED},
        {MATCHING_INTERNAL_ERROR, true, JSONRPC_INTERNAL_ERROR},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        matching_error error;
        jsonrpc_failure failure;
        matching_error_set(&error, rows[i].code, MATCHING_FIELD_PRICE, "why");
        error.order_id = 77;
        jsonrpc_failure_from(&failure, &error, rows[i].refused);
        CU_ASSERT_EQUAL(failure.number, rows[i].number);
        CU_ASSERT_EQUAL(failure.code, rows[i].code);
        CU_ASSERT_STRING_EQUAL(failure.field, "price");
        CU_ASSERT_STRING_EQUAL(failure.message, "why");
        CU_ASSERT_EQUAL(failure.order_id, 77);
    }
}

/* The one check that is this door's own: where a missing display_quantity stands among refusals. */
static void test_an_iceberg_needs_its_display_quantity(void)
{
    static const struct {
        const char *params;
        matching_code code;
        const char *field;
    } rows[] = {
        {"{\"command\":\"IcebergOrder\",\"trader_id\":\"t\",\"side\":\"buy\",\"price\":1,"
         "\"quantity\":1}",
         MATCHING_MISSING_FIELD, "display_quantity"},
        {"{\"command\":\"IcebergOrder\",\"trader_id\":\"t\",\"side\":\"up\",\"price\":1,"
         "\"quantity\":1}",
         MATCHING_MISSING_FIELD, "display_quantity"},
        {"{\"command\":\"IcebergOrder\",\"side\":\"buy\",\"price\":1,\"quantity\":1}",
         MATCHING_MISSING_FIELD, "trader_id"},
        {"{\"command\":\"IcebergOrder\",\"trader_id\":1,\"side\":\"buy\",\"price\":1,"
         "\"quantity\":1}",
         MATCHING_INVALID_MESSAGE, "trader_id"},
        {"{\"command\":\"IcebergOrder\",\"trader_id\":\"t\",\"side\":\"buy\",\"price\":1,"
         "\"quantity\":1,\"symbol\":\"NONE\"}",
         MATCHING_MISSING_FIELD, "display_quantity"},
    };
    const matching_instrument_options instrument = {"BTCUSDT", 1, 'B', 1000000, 10000};
    matching_core_options options;
    char error[256];
    matching_core_options_default(&options);
    options.instruments = &instrument;
    options.instrument_count = 1;
    options.shards = 1;
    options.max_orders = options.retained_orders = 1024;
    options.max_traders = 16;
    matching_core *core = matching_core_create(&options, error, sizeof error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(core);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        jsonrpc_call call = call_of("execute", rows[i].params);
        jsonrpc_failure failure;
        matching_command command;
        CU_ASSERT_TRUE(call.iceberg);
        CU_ASSERT_FALSE(jsonrpc_prepare(core, &call, &command, &failure));
        CU_ASSERT_EQUAL(failure.number, JSONRPC_INVALID_PARAMS);
        CU_ASSERT_EQUAL(failure.code, rows[i].code);
        CU_ASSERT_STRING_EQUAL(failure.field, rows[i].field);
    }
    matching_core_destroy(core);
}

MATCHING_TESTS(MATCHING_TEST(test_each_method_has_its_action_and_answer),
               MATCHING_TEST(test_the_name_of_a_method_implies_the_type),
               MATCHING_TEST(test_sides_in_any_case_and_by_letter),
               MATCHING_TEST(test_wrong_types_are_noted),
               MATCHING_TEST(test_book_status_wants_one_level),
               MATCHING_TEST(test_unknown_params_are_harmless),
               MATCHING_TEST(test_both_ways_read_the_same), MATCHING_TEST(test_refusals),
               MATCHING_TEST(test_numbers_of_refusals),
               MATCHING_TEST(test_an_iceberg_needs_its_display_quantity))
