/* The door over real sockets: conversations, notifications, batches, and who may do what. */
#include "door_client.h"

static void test_a_conversation(void)
{
    service *it = open_service(NULL);
    int c = dial(it);
    static const char *const turns[][2] = {
        {CALL("place_limit_order",
              "\"trader_id\":\"alice\",\"side\":\"SELL\",\"price\":50000,\"quantity\":\"1.5\","
              "\"client_order_id\":\"a1\""),
         "\"status\":\"open\""},
        {CALL("place_limit_order",
              "\"trader_id\":\"alice\",\"side\":\"S\",\"price\":50001,\"quantity\":1,"
              "\"client_order_id\":\"a1\""),
         "{\"code\":-32000,"},
        {CALL("place_limit_order",
              "\"trader_id\":\"alice\",\"side\":\"S\",\"price\":50001,\"quantity\":1,"
              "\"client_order_id\":\"a1\""),
         "\"data\":{\"code\":\"DUPLICATE_CLIENT_ORDER_ID\",\"field\":\"client_order_id\","
         "\"order_id\":"},
        {CALL("place_order", "\"trader_id\":\"bob\",\"side\":\"b\",\"order_type\":\"Market\","
                             "\"quantity\":0.5"),
         "\"price\":50000,\"quantity\":0.5"},
        {CALL("get_book_status", ""), "\"best_bid\":null,\"best_ask\":50000,\"spread\":null"},
        {CALL("get_depth", "\"levels\":1"), "\"asks\":[[50000,1,1]]"},
        {CALL("get_trades", ""), "\"buyer\":\"bob\",\"seller\":\"alice\""},
        {CALL("get_ticker", "\"symbol\":\"SOLUSDT\""), "\"symbol\":\"SOLUSDT\",\"last\":null"},
        {CALL("get_order", "\"trader_id\":\"alice\",\"client_order_id\":\"a1\""),
         "\"status\":\"partial\""},
        {CALL("amend_order", "\"trader_id\":\"alice\",\"client_order_id\":\"a1\",\"quantity\":0.5"),
         "{\"code\":-32000,"},
        {CALL("amend_order", "\"trader_id\":\"alice\",\"client_order_id\":\"a1\",\"price\":50002"),
         "\"remaining_quantity\":1"},
        {CALL("get_open_orders", "\"trader_id\":\"alice\""), "\"price\":50002"},
        {CALL("execute", "\"command\":\"CancelOrder\",\"trader_id\":\"alice\","
                         "\"client_order_id\":\"a1\""),
         "\"status\":\"cancelled\""},
        {CALL("execute", "\"command\":\"LimitOrder\",\"trader_id\":\"alice\",\"side\":\"sell\","
                         "\"price\":5e4,\"quantity\":1"),
         "\"status\":\"open\""},
        {CALL("cancel_all_orders", "\"trader_id\":\"alice\""), "\"order_ids\":["},
        {CALL("cancel_order", "\"order_id\":1"), "\"code\":\"ORDER_NOT_FOUND\""},
        {CALL("place_limit_order", "\"side\":\"buy\",\"price\":1,\"quantity\":1"),
         "{\"code\":-32602,"},
        {CALL("place_limit_order", "\"trader_id\":\"bob\",\"side\":\"up\",\"price\":1,"
                                   "\"quantity\":1"),
         "\"invalid side, must be 'buy' or 'sell'\",\"data\":{\"code\":\"INVALID_SIDE\","
         "\"field\":\"side\"}"},
        {CALL("get_depth", "\"symbol\":\"NONE\""), "{\"code\":-32000,"},
        {CALL("set_symbol_state", "\"symbol\":\"ETHUSDT\",\"state\":\"halted\""),
         "{\"symbol\":\"ETHUSDT\",\"state\":\"halted\"}"},
        {CALL("place_limit_order", "\"symbol\":\"ETHUSDT\",\"trader_id\":\"bob\",\"side\":\"buy\","
                                   "\"price\":1,\"quantity\":1"),
         "\"code\":\"MARKET_HALTED\""},
        {CALL("get_symbols", ""), "\"SOLUSDT\""},
        {CALL("add_symbol", "\"symbol\":\"NEW\",\"tick_size\":0.5,\"lot_size\":10"),
         "\"result\":{\"symbol\":\"NEW\",\"id\":4,\"tick_size\":0.5,\"lot_size\":10,"
         "\"timestamp\":"},
        {CALL("add_symbol", "\"symbol\":\"NEW\",\"tick_size\":1,\"lot_size\":1"),
         "\"error\":{\"code\":-32000,\"message\":\"an instrument of this name exists already\","
         "\"data\":{\"code\":\"INVALID_PARAMETER\",\"field\":\"symbol\"}}"},
        {CALL("add_symbol", "\"symbol\":\"new\",\"tick_size\":1,\"lot_size\":1"),
         "\"error\":{\"code\":-32602,"},
        {CALL("get_symbols", ""), "{\"symbol\":\"NEW\",\"id\":4,\"tick_size\":0.5,"
                                  "\"lot_size\":10,\"state\":\"trading\"}]}"},
    };
    for (size_t i = 0; i < sizeof turns / sizeof turns[0]; i++) {
        expect(c, turns[i][0], turns[i][1]);
    }
    close(c);
    close_service(it);
}

static void test_notifications_are_executed_and_not_answered(void)
{
    service *it = open_service(NULL);
    int c = dial(it);
    static const char one[] = "{\"jsonrpc\":\"2.0\",\"method\":\"place_limit_order\",\"params\":"
                              "{\"trader_id\":\"n\",\"side\":\"buy\",\"price\":7,\"quantity\":1}}";
    static const char bad[] = "{\"jsonrpc\":\"2.0\",\"method\":\"no_such_method\"}";
    char batch[512];
    free(call(c, one, "", 204));
    free(call(c, bad, "", 204));
    snprintf(batch, sizeof batch, "[%s,%s,%s]", one, bad, one);
    free(call(c, batch, "", 204));
    expect(c, CALL("get_depth", ""), "\"bids\":[[7,3,3]]");
    snprintf(batch, sizeof batch, "[%s,%s]", one, HEALTH_CALL);
    char *answer = call(c, batch, "", 200);
    CU_ASSERT_STRING_EQUAL(answer, "[" HEALTH_RESULT "]");
    free(answer);
    close(c);
    close_service(it);
}

/* What stands behind a change of the instruments finds it made, whether anybody waits for its
 * answer or not. */
static void test_a_batch_finds_what_its_own_calls_changed(void)
{
#define NOTE(method, params)                                                                       \
    "{\"jsonrpc\":\"2.0\",\"method\":\"" method "\",\"params\":{" params "}}"
#define ADDED(symbol) "\"symbol\":\"" symbol "\",\"tick_size\":1,\"lot_size\":1"
#define IN_STATE(symbol, state) "\"symbol\":\"" symbol "\",\"state\":\"" state "\""
#define BOUGHT(symbol)                                                                             \
    "\"symbol\":\"" symbol "\",\"trader_id\":\"t\",\"side\":\"buy\",\"price\":1,\"quantity\":1"
    static const char answered[] = "[" /* each call with an id */
        CALL("add_symbol", ADDED("ONE")) "," CALL("place_limit_order", BOUGHT("ONE")) "," CALL(
            "set_symbol_state",
            IN_STATE("ONE", "halted")) "," CALL("get_symbols", "") "," CALL("place_limit_order",
                                                                            BOUGHT("ONE")) "]";
    static const char silent[] =
        "[" NOTE("add_symbol", ADDED("TWO")) "," CALL("get_depth", "\"symbol\":\"TWO\"") "," NOTE(
            "set_symbol_state",
            IN_STATE("TWO", "auction")) "," CALL("place_limit_order",
                                                 BOUGHT("TWO")) "," CALL("get_symbols", "") "]";
    static const char *const batches[][3] = {
        {answered, "\"status\":\"open\"", "\"lot_size\":1,\"state\":\"halted\"}]}"},
        {silent, "\"bids\":[]", "\"lot_size\":1,\"state\":\"auction\"}]}"},
    };
    service *it = open_service(NULL);
    int c = dial(it);
    for (size_t i = 0; i < sizeof batches / sizeof batches[0]; i++) {
        char *answer = call(c, batches[i][0], "", 200);
        CU_ASSERT_PTR_NOT_NULL(strstr(answer, batches[i][1]));
        CU_ASSERT_PTR_NOT_NULL(strstr(answer, batches[i][2]));
        CU_ASSERT_PTR_NULL(strstr(answer, "UNKNOWN_SYMBOL"));
        CU_ASSERT_EQUAL(strstr(answer, "MARKET_HALTED") != NULL, i == 0);
        free(answer);
    }
    close(c);
    close_service(it);
#undef NOTE
#undef ADDED
#undef IN_STATE
#undef BOUGHT
}

static void allow_long_batches(service *it)
{
    it->config.jsonrpc.max_batch = 400;
    it->config.jsonrpc.max_body_bytes = 1 << 20;
}

/* More reads at a time than a port takes: the batch waits for itself instead of being refused. */
static void test_a_long_batch_is_answered_in_full_and_in_order(void)
{
    enum { COUNT = 400, SIZE = 200 };
    service *it = open_service(allow_long_batches);
    int c = dial(it);
    char *body = malloc((size_t)COUNT * SIZE);
    CU_ASSERT_PTR_NOT_NULL_FATAL(body);
    size_t at = 0;
    for (int i = 0; i < COUNT; i++) {
        char text[SIZE];
        if (i % 2 == 0) {
            snprintf(text, sizeof text,
                     "%c{\"jsonrpc\":\"2.0\",\"method\":\"place_limit_order\",\"id\":%d,\"params\":"
                     "{\"trader_id\":\"t\",\"side\":\"buy\",\"price\":3,\"quantity\":1}}",
                     i == 0 ? '[' : ',', i);
        } else {
            snprintf(text, sizeof text, ",{\"jsonrpc\":\"2.0\",\"method\":\"get_depth\",\"id\":%d}",
                     i);
        }
        memcpy(body + at, text, strlen(text));
        at += strlen(text);
    }
    memcpy(body + at, "]", 2);
    char *answer = call(c, body, "", 200);
    const char *from = answer;
    for (int i = 0; i < COUNT && from != NULL; i++) {
        char expected[64];
        if (i % 2 == 1) { /* each read sees the orders before it, and no later one */
            snprintf(expected, sizeof expected, "\"bids\":[[3,%d,%d]]", i / 2 + 1, i / 2 + 1);
            from = strstr(from, expected);
            CU_ASSERT_PTR_NOT_NULL_FATAL(from);
        }
        snprintf(expected, sizeof expected, "\"id\":%d}", i);
        from = strstr(from, expected);
        CU_ASSERT_PTR_NOT_NULL(from);
    }
    CU_ASSERT_PTR_NULL(strstr(answer, "error"));
    free(answer);
    free(body);
    close(c);
    close_service(it);
}

static void test_ids_come_back_byte_for_byte(void)
{
    static const char *const ids[] = {"0",
                                      "-0",
                                      "1.0",
                                      "1.50",
                                      "1e2",
                                      "1E+2",
                                      "-7.25e-3",
                                      "9007199254740993",
                                      "18446744073709551616",
                                      "123456789012345678901234567890",
                                      "0.1000000000000000055511151231257827",
                                      "null",
                                      "\"\"",
                                      "\"a\"",
                                      "\"\\u0041\\n\\\"\\\\\\/\"",
                                      "\"\\ud83d\\ude00 \xc3\xa4\"",
                                      "\"]},\\\"id\\\":1\""};
    enum { COUNT = sizeof ids / sizeof ids[0], SIZE = 200 };
    service *it = open_service(NULL);
    int c = dial(it);
    char batch[COUNT * SIZE] = "";
    char wanted[COUNT * SIZE] = "";
    for (size_t i = 0; i < COUNT; i++) {
        char body[SIZE];
        char answer[SIZE];
        snprintf(body, sizeof body, "{\"jsonrpc\":\"2.0\",\"method\":\"health\",\"id\":%s}",
                 ids[i]);
        snprintf(answer, sizeof answer,
                 "{\"jsonrpc\":\"2.0\",\"result\":{\"status\":\"healthy\","
                 "\"service\":\"jsonrpc-matching-service\"},\"id\":%s}",
                 ids[i]);
        char *got = call(c, body, "", 200);
        CU_ASSERT_STRING_EQUAL(got, answer);
        free(got);
        sprintf(batch + strlen(batch), "%c%s", i == 0 ? '[' : ',', body);
        sprintf(wanted + strlen(wanted), "%c%s", i == 0 ? '[' : ',', answer);
    }
    strcat(batch, "]");
    strcat(wanted, "]");
    char *got = call(c, batch, "", 200);
    CU_ASSERT_STRING_EQUAL(got, wanted);
    free(got);
    close(c);
    close_service(it);
}

/* Good, refused, wrong and no call at all, side by side: each has its own answer, in its place. */
static void test_a_batch_may_fail_in_parts(void)
{
#define ORDER(more)                                                                                \
    "{\"jsonrpc\":\"2.0\",\"method\":\"place_limit_order\",\"params\":{\"trader_id\":\"p\","       \
    "\"side\":\"buy\",\"quantity\":1,\"client_order_id\":\"c\"" more "}"
    static const char batch[] = "[" ORDER(",\"price\":4") ",\"id\":1}," ORDER(
        ",\"price\":4") ",\"id\":2},"
                        "7," ORDER(
                            "") ",\"id\":3},{\"jsonrpc\":\"2.0\",\"method\":\"fly\",\"id\":4},"
                                "{\"jsonrpc\":\"2.0\",\"method\":\"fly\"},"
                                "{\"jsonrpc\":\"2.0\",\"method\":\"get_depth\",\"id\":5}]";
#undef ORDER
    static const char *const pieces[] = {
        "[{\"jsonrpc\":\"2.0\",\"result\":{\"order_id\":",
        "\"id\":1},{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32000,",
        ("\"data\":{\"code\":\"DUPLICATE_CLIENT_ORDER_ID\",\"field\":\"client_order_id\","
         "\"order_id\":"),
        "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32600,",
        "\"id\":null},{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32602,",
        "\"id\":3},{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32601,",
        "\"id\":4},{\"jsonrpc\":\"2.0\",\"result\":{\"symbol\":\"BTCUSDT\",\"sequence\":1,",
        "\"bids\":[[4,1,1]],\"asks\":[]},\"id\":5}]"};
    service *it = open_service(NULL);
    int c = dial(it);
    char *answer = call(c, batch, "", 200);
    const char *at = answer;
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0] && at != NULL; i++) {
        at = strstr(at, pieces[i]);
        if (at == NULL) {
            printf("\n  no %s\n  in %s\n", pieces[i], answer);
        }
        CU_ASSERT_PTR_NOT_NULL(at);
    }
    unsigned long placed = 0;
    unsigned long named = 1;
    sscanf(answer, "[{\"jsonrpc\":\"2.0\",\"result\":{\"order_id\":%lu", &placed);
    at = strstr(answer, "\"field\":\"client_order_id\"");
    sscanf(at != NULL ? at : "", "\"field\":\"client_order_id\",\"order_id\":%lu", &named);
    CU_ASSERT_EQUAL(placed, named);
    free(answer);
    close(c);
    close_service(it);
}

static void test_a_star_origin_sees_market_data_only(void)
{
    service *it = open_service(allow_every_origin);
    int c = dial(it);
    char *answer = call(c,
                        "[" CALL("get_depth", "") "," CALL("get_order", "\"order_id\":1") "," CALL(
                            "set_symbol_state", "\"symbol\":\"BTCUSDT\",\"state\":\"halted\"") "]",
                        "Origin: https://page.example\r\nAuthorization: Bearer token\r\n", 200);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "[{\"jsonrpc\":\"2.0\",\"result\":{\"symbol\""));
    const char *first = strstr(answer, "\"code\":\"UNAUTHORIZED\"");
    CU_ASSERT_PTR_NOT_NULL_FATAL(first);
    CU_ASSERT_PTR_NOT_NULL(strstr(first + 1, "\"code\":\"UNAUTHORIZED\""));
    free(answer);
    answer = call(c, CALL("get_order", "\"order_id\":1"), "Origin: https://ours.example\r\n", 200);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "ORDER_NOT_FOUND"));
    free(answer);
    close(c);
    close_service(it);
}

static void test_administration_needs_the_token_where_one_is_set(void)
{
    static const char halt[] =
        CALL("set_symbol_state", "\"symbol\":\"SOLUSDT\",\"state\":\"halted\"");
    service *it = open_service(allow_every_origin);
    int c = dial(it);
    char *answer = call(c, halt, "", 200);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "UNAUTHORIZED"));
    free(answer);
    answer = call(c, halt, "Authorization: Bearer wrong\r\n", 200);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "UNAUTHORIZED"));
    free(answer);
    answer = call(c, halt, "Authorization: Bearer token\r\n", 200);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\"state\":\"halted\""));
    free(answer);
    close(c);
    close_service(it);
}

MATCHING_TESTS(MATCHING_TEST(test_a_conversation),
               MATCHING_TEST(test_notifications_are_executed_and_not_answered),
               MATCHING_TEST(test_a_batch_finds_what_its_own_calls_changed),
               MATCHING_TEST(test_a_long_batch_is_answered_in_full_and_in_order),
               MATCHING_TEST(test_ids_come_back_byte_for_byte),
               MATCHING_TEST(test_a_batch_may_fail_in_parts),
               MATCHING_TEST(test_a_star_origin_sees_market_data_only),
               MATCHING_TEST(test_administration_needs_the_token_where_one_is_set))
