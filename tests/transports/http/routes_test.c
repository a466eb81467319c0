/* Tests of transports/http/routes.h: which request becomes which question or which answer, without
 * a socket. What the gateway and the engine refuse is tested with them.
 */
#include "routes.h"

#include "json_text.h"
#include "support/cunit_main.h"

#define BIT(name) MATCHING_FIELD_BIT(MATCHING_FIELD_##name)
#define JSON "application/json"

static matching_core *core;
static matching_access access_rules;
static http_service service;

static void set_up(void)
{
    static const matching_instrument_options instruments[] = {
        {.symbol = "BTCUSDT", .id = 1, .sbe_char = 'B', .tick_size = 1000000, .lot_size = 10000}};
    static matching_counters counters;
    char error[256];
    matching_core_options options;
    matching_core_options_default(&options);
    options.instruments = instruments;
    options.instrument_count = 1;
    options.shards = 1;
    options.ring_size = 16;
    options.max_orders = 64;
    options.max_traders = 16;
    options.retained_orders = 64;
    options.recent_trades = 16;
    core = matching_core_create(&options, error, sizeof error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(core);
    memset(&access_rules, 0, sizeof access_rules);
    counters.sbe_trades = 3;
    counters.sbe_volume['B'] = 12;
    counters.sbe_volume['?'] = 4;
    counters.sbe_volume[0] = 1;
    service = (http_service){
        .core = core, .access = &access_rules, .counters = &counters, .address = "127.0.0.1:8080"};
}

static void tear_down(void)
{
    matching_core_destroy(core);
    core = NULL;
}

typedef struct sample {
    const char *method, *target, *content_type, *body;
} sample;

typedef struct outcome {
    http_next next;
    http_answer answer;
    http_call call;
    char text[256]; /* the target; the call points into it */
    http_target target;
} outcome;

/* The outcome is the caller's to end with finish(). */
static void run(const sample *from, matching_access_level level, const char *origin,
                const char *authorization, const char *peer, outcome *to)
{
    snprintf(to->text, sizeof to->text, "%s", from->target);
    http_target_parse(to->text, strlen(to->text), &to->target);
    http_request request = {.method = from->method,
                            .target = &to->target,
                            .origin = origin,
                            .content_type = from->content_type,
                            .authorization = authorization,
                            .peer = peer,
                            .level = level,
                            .body = from->body,
                            .body_length = from->body != NULL ? strlen(from->body) : 0};
    http_answer_init(&to->answer);
    to->next = http_route(&service, &request, &to->answer, &to->call);
}

static void finish(outcome *from)
{
    if (from->next == HTTP_ASK)
        http_call_fini(&from->call);
    http_answer_fini(&from->answer);
}

static bool body_has(const http_answer *answer, const char *wanted)
{
    size_t length = strlen(wanted);
    for (size_t i = 0; i + length <= answer->body.length; i++)
        if (memcmp(answer->body.data + i, wanted, length) == 0)
            return true;
    return false;
}

typedef struct question_case {
    sample from;
    matching_action action;
    uint32_t present;
} question_case;

static const question_case questions[] = {
    {{"POST", "/api/orders", JSON, "{\"trader_id\":\"a\",\"price\":1,\"unknown\":[]}"},
     MATCHING_ACTION_PLACE,
     BIT(TRADER_ID) | BIT(PRICE)},
    {{"POST", "/api/orders", "Application/JSON; charset=utf-8", "{}"}, MATCHING_ACTION_PLACE, 0},
    {{"POST", "/api/orders", " application/json ", "{}"}, MATCHING_ACTION_PLACE, 0},
    {{"GET", "/api/orders/7", NULL, NULL}, MATCHING_ACTION_GET_ORDER, BIT(ORDER_ID)},
    {{"HEAD", "/api/orders/7", NULL, NULL}, MATCHING_ACTION_GET_ORDER, BIT(ORDER_ID)},
    {{"GET", "/api/orders/9007199254740991?trader_id=a&symbol=B", NULL, NULL},
     MATCHING_ACTION_GET_ORDER,
     BIT(ORDER_ID) | BIT(TRADER_ID) | BIT(SYMBOL)},
    {{"GET", "/api/orders", NULL, NULL}, MATCHING_ACTION_LIST_ORDERS, 0},
    {{"GET", "/api/orders?trader_id=a&symbol=B&status=open&client_order_id=c&after=1&limit=2", NULL,
      NULL},
     MATCHING_ACTION_LIST_ORDERS,
     BIT(TRADER_ID) | BIT(SYMBOL) | BIT(STATUS) | BIT(CLIENT_ORDER_ID) | BIT(AFTER) | BIT(LIMIT)},
    {{"DELETE", "/api/orders/7?trader_id=a", NULL, NULL},
     MATCHING_ACTION_CANCEL,
     BIT(ORDER_ID) | BIT(TRADER_ID)},
    {{"DELETE", "/api/orders/7", "text/plain", "ignored"}, MATCHING_ACTION_CANCEL, BIT(ORDER_ID)},
    {{"POST", "/api/orders/cancel", JSON, "{\"order_id\":7,\"x\":1}"},
     MATCHING_ACTION_CANCEL,
     BIT(ORDER_ID)},
    {{"DELETE", "/api/orders", NULL, NULL}, MATCHING_ACTION_CANCEL_ALL, 0},
    {{"DELETE", "/api/orders?trader_id=a&symbol=", NULL, NULL},
     MATCHING_ACTION_CANCEL_ALL,
     BIT(TRADER_ID) | BIT(SYMBOL)},
    {{"PATCH", "/api/orders/7", JSON, "{\"price\":5}"},
     MATCHING_ACTION_AMEND,
     BIT(ORDER_ID) | BIT(PRICE)},
    {{"PATCH", "/api/orders/7", JSON, "{\"order_id\":7.0}"}, MATCHING_ACTION_AMEND, BIT(ORDER_ID)},
    {{"PATCH", "/api/orders/7", JSON, "{\"order_id\":\"7\"}"},
     MATCHING_ACTION_AMEND,
     BIT(ORDER_ID)},
    {{"GET", "/api/market/depth?symbol=B&levels=5", NULL, NULL},
     MATCHING_ACTION_GET_DEPTH,
     BIT(SYMBOL) | BIT(LEVELS)},
    {{"GET", "/api/market/trades?symbol=B&limit=1&from_id=2&before_id=3", NULL, NULL},
     MATCHING_ACTION_GET_TRADES,
     BIT(SYMBOL) | BIT(LIMIT) | BIT(FROM_ID) | BIT(BEFORE_ID)},
    {{"GET", "/api/market/klines?symbol=B&interval=m1&from=1&to=2&limit=3", NULL, NULL},
     MATCHING_ACTION_GET_KLINES,
     BIT(SYMBOL) | BIT(INTERVAL) | BIT(FROM) | BIT(TO) | BIT(LIMIT)},
    {{"GET", "/api/market/ticker?symbol=B", NULL, NULL}, MATCHING_ACTION_GET_TICKER, BIT(SYMBOL)},
    {{"PATCH", "/api/symbols/BTCUSDT", JSON, "{\"state\":\"halted\"}"},
     MATCHING_ACTION_SET_STATE,
     BIT(SYMBOL) | BIT(STATE)},
    {{"POST", "/api/symbols", JSON,
      "{\"symbol\":\"A\",\"tick_size\":1,\"lot_size\":\"2\",\"id\":3,\"sbe_char\":\"x\"}"},
     MATCHING_ACTION_ADD_INSTRUMENT,
     BIT(SYMBOL) | BIT(TICK_SIZE) | BIT(LOT_SIZE) | BIT(ID) | BIT(SBE_CHAR)},
    {{"GET", "http://localhost/api/orders/7", NULL, NULL},
     MATCHING_ACTION_GET_ORDER,
     BIT(ORDER_ID)},
    {{"GET", "/%61pi/orders/%37", NULL, NULL}, MATCHING_ACTION_GET_ORDER, BIT(ORDER_ID)},
};

static void test_requests_become_questions(void)
{
    set_up();
    for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++) {
        outcome result;
        run(&questions[i].from, MATCHING_ACCESS_FULL, NULL, NULL, "127.0.0.1", &result);
        bool good = result.next == HTTP_ASK && result.call.request.action == questions[i].action &&
                    result.call.request.present == questions[i].present;
        if (!good)
            printf("\n    %s %s\n", questions[i].from.method, questions[i].from.target);
        CU_ASSERT(good);
        finish(&result);
    }
    tear_down();
}

static void test_values_reach_the_question(void)
{
    set_up();
    outcome result;
    sample from = {"PATCH", "/api/orders/42", JSON, "{\"price\":\"1.5\",\"order_id\":42}"};
    run(&from, MATCHING_ACCESS_FULL, NULL, NULL, "::1", &result);
    CU_ASSERT_EQUAL_FATAL(result.next, HTTP_ASK);
    CU_ASSERT_EQUAL(result.call.request.order_id, 42);
    CU_ASSERT_EQUAL(result.call.request.price, 150000000);
    finish(&result);
    from = (sample){"GET", "/api/orders?client_order_id=a%20b+c&after=9", NULL, NULL};
    run(&from, MATCHING_ACCESS_FULL, NULL, NULL, "::1", &result);
    CU_ASSERT_EQUAL_FATAL(result.next, HTTP_ASK);
    CU_ASSERT(http_text_is(result.call.request.client_order_id, "a b c"));
    CU_ASSERT_EQUAL(result.call.request.after, 9);
    finish(&result);
    from = (sample){"GET", "/api/market/depth?levels=ten", NULL, NULL};
    run(&from, MATCHING_ACCESS_FULL, NULL, NULL, "::1", &result);
    CU_ASSERT_EQUAL_FATAL(result.next, HTTP_ASK);
    CU_ASSERT_EQUAL(result.call.request.malformed, BIT(LEVELS));
    finish(&result);
    tear_down();
}

typedef struct answer_case {
    sample from;
    unsigned status;
    const char *has;
} answer_case;

static const answer_case answers[] = {
    {{"GET", "/health", NULL, NULL},
     200,
     "\"status\":\"healthy\",\"service\":\"matching-service\""},
    {{"HEAD", "/health?t=5&t=6", NULL, NULL}, 200, "healthy"},
    {{"GET", "/api/time", NULL, NULL}, 200, "{\"server_time\":1"},
    {{"GET", "/api/events/status", NULL, NULL}, 200, "{\"shards\":[{\"shard\":0,\"commands\":"},
    {{"GET", "/api/events/status", NULL, NULL},
     200,
     "\"sbe\":{\"trades\":3,\"volume\":{\"BTCUSDT\":12},\"unlisted_volume\":5},\"store\":null}"},
    {{"GET", "/metrics?x=1", NULL, NULL}, 400, "INVALID_PARAMETER"},
    {{"GET", "/api/symbols", NULL, NULL}, 200, "{\"symbols\":[{\"symbol\":\"BTCUSDT\",\"id\":1"},
    {{"GET", "/", NULL, NULL}, 200, "curl -s http://127.0.0.1:8080/api/orders"},
    {{"GET", "/api/time?x=1", NULL, NULL}, 400, "\"code\":\"INVALID_PARAMETER\",\"field\":\"x\""},
    /* unknown paths, those of later versions among them */
    {{"GET", "/nope", NULL, NULL}, 404, "UNKNOWN_TYPE"},
    {{"GET", "/api", NULL, NULL}, 404, "UNKNOWN_TYPE"},
    {{"GET", "/api/orders/", NULL, NULL}, 404, "UNKNOWN_TYPE"},
    {{"GET", "/api/orders/1/2", NULL, NULL}, 404, "UNKNOWN_TYPE"},
    {{"GET", "/api/market/candles", NULL, NULL}, 404, "UNKNOWN_TYPE"},
    {{"GET", "/api/market/ticker?levels=1", NULL, NULL},
     400,
     "\"code\":\"INVALID_PARAMETER\",\"field\":\"levels\""},
    {{"GET", "/openapi.json", NULL, NULL}, 200, "{\"openapi\":\"3.1."},
    {{"GET", "/openapi.json?x=1", NULL, NULL}, 400, "this call does not take it"},
    {{"GET", "/%zz", NULL, NULL}, 404, "UNKNOWN_TYPE"},
    {{"GET", "*", NULL, NULL}, 404, "UNKNOWN_TYPE"},
    {{"BREW", "/nope", NULL, NULL}, 404, "UNKNOWN_TYPE"},
    /* methods */
    {{"PUT", "/api/orders", JSON, "{}"}, 405, "GET, HEAD, POST, DELETE, OPTIONS"},
    {{"BREW", "/health", NULL, NULL}, 405, "GET, HEAD, OPTIONS"},
    {{"GET", "/api/orders/cancel", NULL, NULL}, 405, "POST, OPTIONS"},
    {{"get", "/health", NULL, NULL}, 405, "GET"},
    /* bodies */
    {{"POST", "/api/orders", NULL, "{}"}, 415, "INVALID_MESSAGE"},
    {{"POST", "/api/orders", "text/plain", "{}"}, 415, "INVALID_MESSAGE"},
    {{"POST", "/api/orders", "application/jsonx", "{}"}, 415, "INVALID_MESSAGE"},
    {{"POST", "/api/orders", "application/x-www-form-urlencoded", "a=1"}, 415, "INVALID_MESSAGE"},
    {{"PATCH", "/api/orders/1", NULL, "{}"}, 415, "INVALID_MESSAGE"},
    {{"POST", "/api/orders", JSON, NULL}, 400, "INVALID_JSON"},
    {{"POST", "/api/orders", JSON, "{"}, 400, "INVALID_JSON"},
    {{"POST", "/api/orders", JSON, "{\"price\":NaN}"}, 400, "INVALID_JSON"},
    {{"POST", "/api/orders", JSON, "[]"}, 400, "INVALID_MESSAGE"},
    {{"POST", "/api/orders", JSON, "null"}, 400, "INVALID_MESSAGE"},
    {{"POST", "/api/orders", JSON, "5"}, 400, "INVALID_MESSAGE"},
    {{"POST", "/api/orders?price=5", JSON, "{}"}, 400, "\"field\":\"price\""},
    /* ids in the path */
    {{"GET", "/api/orders/0", NULL, NULL}, 400, "\"field\":\"order_id\""},
    {{"GET", "/api/orders/-1", NULL, NULL}, 400, "INVALID_PARAMETER"},
    {{"GET", "/api/orders/01", NULL, NULL}, 400, "INVALID_PARAMETER"},
    {{"GET", "/api/orders/1.0", NULL, NULL}, 400, "INVALID_PARAMETER"},
    {{"GET", "/api/orders/1e3", NULL, NULL}, 400, "INVALID_PARAMETER"},
    {{"GET", "/api/orders/abc", NULL, NULL}, 400, "INVALID_PARAMETER"},
    {{"GET", "/api/orders/%31%00", NULL, NULL}, 400, "INVALID_PARAMETER"},
    {{"GET", "/api/orders/9007199254740992", NULL, NULL}, 400, "INVALID_PARAMETER"},
    {{"GET", "/api/orders/99999999999999999999", NULL, NULL}, 400, "INVALID_PARAMETER"},
    {{"PATCH", "/api/orders/1", JSON, "{\"order_id\":2}"}, 400, "\"field\":\"order_id\""},
    {{"PATCH", "/api/symbols/A", JSON, "{\"symbol\":\"B\"}"}, 400, "\"field\":\"symbol\""},
    /* queries */
    {{"GET", "/api/orders?foo=1", NULL, NULL}, 400, "\"field\":\"foo\""},
    {{"GET", "/api/orders?price=1", NULL, NULL}, 400, "\"field\":\"price\""},
    {{"GET", "/api/orders?limit=1&limit=1", NULL, NULL}, 400, "more than once"},
    {{"GET", "/api/orders?symbol=%zz", NULL, NULL}, 400, "percent-encoding"},
    {{"GET", "/api/orders?=1", NULL, NULL}, 400, "a query parameter:"},
    {{"GET", "/api/orders?%22%ff=1", NULL, NULL}, 400, "a query parameter:"},
    {{"GET", "/api/orders/1?order_id=1", NULL, NULL}, 400, "\"field\":\"order_id\""},
};

static void test_requests_answered_at_once(void)
{
    set_up();
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        outcome result;
        run(&answers[i].from, MATCHING_ACCESS_FULL, NULL, NULL, "127.0.0.1", &result);
        const matching_writer *body = &result.answer.body;
        bool good = result.next == HTTP_ANSWERED && result.answer.status == answers[i].status &&
                    body_has(&result.answer, answers[i].has) &&
                    (result.answer.is_html || matching_json_check(body->data, body->length, 32)) &&
                    (result.answer.allow != 0) == (answers[i].status == 405);
        if (!good)
            printf("\n    %s %s: %u %.*s\n", answers[i].from.method, answers[i].from.target,
                   result.answer.status, (int)body->length, body->data != NULL ? body->data : "");
        CU_ASSERT(good);
        finish(&result);
    }
    tear_down();
}

static unsigned status_for(const char *method, const char *target, matching_access_level level,
                           const char *origin)
{
    outcome result;
    sample from = {method, target, JSON, "{}"};
    run(&from, level, origin, NULL, "127.0.0.1", &result);
    unsigned status = result.next == HTTP_ASK ? 200 : result.answer.status;
    finish(&result);
    return status;
}

static void test_who_is_let_in(void)
{
    static const struct {
        const char *method, *target;
        unsigned market_data; /* the status for an origin let in by "*" */
    } cases[] = {
        {"GET", "/", 200},
        {"GET", "/health", 200},
        {"HEAD", "/health", 200},
        {"GET", "/api/time", 200},
        {"GET", "/api/symbols", 200},
        {"GET", "/api/market/depth", 200},
        {"GET", "/api/market/trades", 200},
        {"GET", "/api/market/ticker", 200},
        {"GET", "/api/events/status", 403},
        {"GET", "/metrics", 403},
        {"GET", "/api/admin/latency", 403},
        {"GET", "/api/orders", 403},
        {"GET", "/api/orders/1", 403},
        {"POST", "/api/orders", 403},
        {"POST", "/api/orders/cancel", 403},
        {"DELETE", "/api/orders", 403},
        {"DELETE", "/api/orders/1", 403},
        {"PATCH", "/api/orders/1", 403},
        {"PATCH", "/api/symbols/BTCUSDT", 403},
        {"POST", "/api/symbols", 403},
        {"OPTIONS", "/api/market/depth", 204},
        {"OPTIONS", "/api/orders", 403},
        {"OPTIONS", "/api/symbols/BTCUSDT", 403},
        {"OPTIONS", "*", 403},
    };
    set_up();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unsigned status = status_for(cases[i].method, cases[i].target, MATCHING_ACCESS_MARKET_DATA,
                                     "https://example.com");
        if (status != cases[i].market_data)
            printf("\n    %s %s: %u\n", cases[i].method, cases[i].target, status);
        CU_ASSERT_EQUAL(status, cases[i].market_data);
        CU_ASSERT_EQUAL(status_for(cases[i].method, cases[i].target, MATCHING_ACCESS_DENIED,
                                   "https://example.com"),
                        403);
        CU_ASSERT_NOT_EQUAL(
            status_for(cases[i].method, cases[i].target, MATCHING_ACCESS_FULL, NULL), 403);
    }
    CU_ASSERT_EQUAL(status_for("GET", "/nope", MATCHING_ACCESS_DENIED, NULL), 403);
    CU_ASSERT_EQUAL(status_for("BREW", "/nope", MATCHING_ACCESS_DENIED, NULL), 403);
    tear_down();
}

static void test_options(void)
{
    set_up();
    outcome result;
    sample from = {"OPTIONS", "/api/orders/5", NULL, NULL};
    run(&from, MATCHING_ACCESS_FULL, "http://localhost", NULL, "127.0.0.1", &result);
    CU_ASSERT_EQUAL(result.answer.status, 204);
    CU_ASSERT_EQUAL(result.answer.body.length, 0);
    CU_ASSERT_EQUAL(result.answer.allow,
                    HTTP_GET | HTTP_HEAD | HTTP_PATCH | HTTP_DELETE | HTTP_OPTIONS);
    CU_ASSERT_TRUE(result.answer.preflight);
    finish(&result);
    from.target = "*";
    run(&from, MATCHING_ACCESS_FULL, NULL, NULL, "127.0.0.1", &result);
    CU_ASSERT_EQUAL(result.answer.status, 204);
    CU_ASSERT_TRUE(result.answer.allow & HTTP_POST);
    CU_ASSERT_FALSE(result.answer.preflight);
    finish(&result);
    from.target = "/nope";
    run(&from, MATCHING_ACCESS_FULL, NULL, NULL, "127.0.0.1", &result);
    CU_ASSERT_EQUAL(result.answer.status, 404);
    finish(&result);
    tear_down();
}

static void check_administration(const sample *from)
{
    static const struct {
        const char *token, *authorization, *peer;
        unsigned status; /* 0: let through */
    } cases[] = {
        {"", NULL, "127.0.0.1", 0},
        {"", NULL, "::1", 0},
        {"", NULL, "192.0.2.1", 403},
        {"", "Bearer x", "192.0.2.1", 403},
        {"", NULL, "", 403},
        {"secret", NULL, "127.0.0.1", 401},
        {"secret", "Bearer wrong", "127.0.0.1", 401},
        {"secret", "Basic secret", "127.0.0.1", 401},
        {"secret", "Bearer secret", "192.0.2.1", 0},
    };
    set_up();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        outcome result;
        snprintf(access_rules.admin_token, sizeof access_rules.admin_token, "%s", cases[i].token);
        run(from, MATCHING_ACCESS_FULL, NULL, cases[i].authorization, cases[i].peer, &result);
        CU_ASSERT_EQUAL(result.next, cases[i].status == 0 ? HTTP_ASK : HTTP_ANSWERED);
        CU_ASSERT_EQUAL(result.answer.status, cases[i].status);
        CU_ASSERT_EQUAL(result.answer.challenge, cases[i].status == 401);
        finish(&result);
    }
    tear_down();
}

static void test_administration(void)
{
    check_administration(
        &(sample){"PATCH", "/api/symbols/BTCUSDT", JSON, "{\"state\":\"halted\"}"});
    check_administration(&(sample){"POST", "/api/symbols", JSON, "{}"});
}

static void test_an_absolute_target_s_host_counts_too(void)
{
    char text[300] = "http://evil.example/health";
    http_target target;
    set_up();
    http_target_parse(text, strlen(text), &target);
    CU_ASSERT_EQUAL(http_access_level(&access_rules, NULL, "localhost:8080", &target),
                    MATCHING_ACCESS_DENIED);
    strcpy(text, "http://127.0.0.1:8080/health");
    http_target_parse(text, strlen(text), &target);
    CU_ASSERT_EQUAL(http_access_level(&access_rules, NULL, "localhost:8080", &target),
                    MATCHING_ACCESS_FULL);
    CU_ASSERT_EQUAL(http_access_level(&access_rules, NULL, "evil.example", &target),
                    MATCHING_ACCESS_DENIED);
    memset(text, 'a', sizeof text);
    memcpy(text, "http://", 7);
    http_target_parse(text, sizeof text, &target);
    CU_ASSERT_EQUAL(http_access_level(&access_rules, NULL, "localhost", &target),
                    MATCHING_ACCESS_DENIED);
    tear_down();
}

static void test_every_code_has_its_status(void)
{
    static const struct {
        matching_code code;
        unsigned status;
    } cases[] = {
        {MATCHING_OK, 200},
        {MATCHING_INVALID_JSON, 400},
        {MATCHING_INVALID_MESSAGE, 400},
        {MATCHING_MISSING_FIELD, 400},
        {MATCHING_INVALID_SIDE, 400},
        {MATCHING_INVALID_PRICE, 400},
        {MATCHING_INVALID_PARAMETER, 400},
        {MATCHING_UNKNOWN_SYMBOL, 404},
        {MATCHING_ORDER_NOT_FOUND, 404},
        {MATCHING_DUPLICATE_CLIENT_ORDER_ID, 409},
        {MATCHING_POST_ONLY_WOULD_CROSS, 422},
        {MATCHING_MARKET_HALTED, 409},
        {MATCHING_RISK_LIMIT, 422},
        {MATCHING_BOOK_FULL, 409},
        {MATCHING_TOO_MANY_CONNECTIONS, 503},
        {MATCHING_MESSAGE_TOO_LARGE, 413},
        {MATCHING_RATE_LIMITED, 429},
        {MATCHING_UNAUTHORIZED, 403},
        {MATCHING_OVERLOADED, 503},
        {MATCHING_SHUTTING_DOWN, 503},
        {MATCHING_INTERNAL_ERROR, 503},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CU_ASSERT_EQUAL(http_status_of(cases[i].code), cases[i].status);
    for (unsigned code = 1; code < MATCHING_CODE_COUNT; code++)
        CU_ASSERT(http_status_of((matching_code)code) >= 400);
    CU_ASSERT_TRUE(http_code_asks_to_retry(MATCHING_OVERLOADED));
    CU_ASSERT_TRUE(http_code_asks_to_retry(MATCHING_RATE_LIMITED));
    CU_ASSERT_FALSE(http_code_asks_to_retry(MATCHING_INTERNAL_ERROR)); /* it may have been done */
    CU_ASSERT_FALSE(http_code_asks_to_retry(MATCHING_INVALID_PRICE));
}

MATCHING_TESTS(MATCHING_TEST(test_requests_become_questions),
               MATCHING_TEST(test_values_reach_the_question),
               MATCHING_TEST(test_requests_answered_at_once), MATCHING_TEST(test_who_is_let_in),
               MATCHING_TEST(test_options), MATCHING_TEST(test_administration),
               MATCHING_TEST(test_an_absolute_target_s_host_counts_too),
               MATCHING_TEST(test_every_code_has_its_status))
