/* Tests of GET /api/ws/connections and /api/ws/metrics over a real socket: what a door has put into
 * the registry is what a client reads. The other door is a table that this test fills.
 */
#include <json-c/json.h>

#include "door_fixture.h"
#include "matching/connections.h"
#include "monitor.h"
#include "support/cunit_main.h"

#define CONNECTIONS 1003u /* more than a page holds */

static matching_connection_table *table;
static client one;

/* The door under test beside a table with so many connections. */
static void open_both(uint32_t connections)
{
    static const matching_instrument_options instruments[] = {
        {.symbol = "BTCUSDT", .id = 1, .tick_size = 1000000, .lot_size = 10000}};
    char error[256] = "", remote[32];
    prepare();
    core_options.instruments = instruments;
    core_options.instrument_count = 1;
    door = (matching_transport){.ops = &matching_http_transport,
                                .config = &config,
                                .access = &access_rules,
                                .core = matching_core_create(&core_options, error, sizeof error)};
    CU_ASSERT_PTR_NOT_NULL_FATAL(door.core);
    table = matching_connections_create(door.core, "websocket", CONNECTIONS);
    CU_ASSERT_PTR_NOT_NULL_FATAL(table);
    for (uint32_t i = 0; i < connections; i++) {
        snprintf(remote, sizeof remote, "127.0.0.1:%u", i);
        CU_ASSERT_PTR_NOT_NULL_FATAL(matching_connection_open(table, i, remote));
    }
    CU_ASSERT_EQUAL_FATAL(door.ops->init(&door), 0);
    CU_ASSERT_EQUAL_FATAL(matching_core_start(door.core, error, sizeof error), 0);
    CU_ASSERT_EQUAL_FATAL(door.ops->start(&door), 0);
    connect_or_fail(&one);
}

static void close_both(void)
{
    client_close(&one);
    close_door();
}

/* The body of an answer of 200; the caller puts it. */
static struct json_object *get(const char *path)
{
    CU_ASSERT_EQUAL_FATAL(client_ask(&one, &answer, "GET", path, NULL), 200);
    struct json_object *body = json_tokener_parse(answer.body);
    CU_ASSERT_PTR_NOT_NULL_FATAL(body);
    return body;
}

static struct json_object *member(struct json_object *object, const char *name)
{
    struct json_object *found = NULL;
    CU_ASSERT_FATAL(json_object_object_get_ex(object, name, &found));
    return found;
}

static int64_t number(struct json_object *object, const char *name)
{
    return json_object_get_int64(member(object, name));
}

static const char *text(struct json_object *object, const char *name)
{
    return json_object_get_string(member(object, name));
}

static void test_a_connection_has_all_its_members(void)
{
    static const char trader[MATCHING_TRADER_MAX] = "alice";
    open_both(1);
    matching_connection *first = &table->slots[0];
    uint64_t now_ms = matching_unix_ns() / 1000000;
    matching_connection_heard(table, first, 200, matching_monotonic_ns() / 1000000);
    matching_connection_wrote(table, first, 300);
    matching_connection_received(table, first);
    matching_connection_received(table, first);
    matching_connection_sent(table, first);
    matching_connection_failed(table, first);
    matching_connection_subscribed(table, first, 6);
    struct json_object *body = get("/api/ws/connections");
    struct json_object *listed = member(body, "connections");
    CU_ASSERT_EQUAL_FATAL(json_object_array_length(listed), 1);
    struct json_object *it = json_object_array_get_idx(listed, 0);
    CU_ASSERT_EQUAL(strlen(text(it, "id")), 36);
    CU_ASSERT_STRING_EQUAL(text(it, "transport"), "websocket");
    CU_ASSERT_STRING_EQUAL(text(it, "remote_address"), "127.0.0.1:0");
    CU_ASSERT_PTR_NULL(member(it, "trader_id"));
    CU_ASSERT_TRUE(number(it, "connected_at") <= (int64_t)now_ms);
    CU_ASSERT_TRUE(number(it, "last_activity") >= number(it, "connected_at"));
    CU_ASSERT_EQUAL(number(it, "messages_received"), 2);
    CU_ASSERT_EQUAL(number(it, "messages_sent"), 1);
    CU_ASSERT_EQUAL(number(it, "bytes_received"), 200);
    CU_ASSERT_EQUAL(number(it, "bytes_sent"), 300);
    CU_ASSERT_EQUAL(number(it, "errors"), 1);
    CU_ASSERT_EQUAL(number(it, "subscriptions"), 6);
    CU_ASSERT_PTR_NULL(member(body, "next"));
    json_object_put(body);
    matching_connection_trader(first, trader);
    body = get("/api/ws/connections");
    it = json_object_array_get_idx(member(body, "connections"), 0);
    CU_ASSERT_STRING_EQUAL(text(it, "trader_id"), "alice");
    json_object_put(body);
    close_both();
}

/* Those of a page, which must be the connections from this number on; returns how many. */
static unsigned check_page(struct json_object *body, unsigned from)
{
    struct json_object *listed = member(body, "connections");
    unsigned count = (unsigned)json_object_array_length(listed);
    for (unsigned i = 0; i < count; i++) {
        char wanted[32];
        snprintf(wanted, sizeof wanted, "127.0.0.1:%u", from + i);
        CU_ASSERT_STRING_EQUAL(text(json_object_array_get_idx(listed, i), "remote_address"),
                               wanted);
    }
    return count;
}

static void test_pages_follow_each_other(void)
{
    enum { COUNT = 120, LIMIT = 50 };
    char path[128] = "/api/ws/connections?limit=50";
    unsigned seen = 0;
    open_both(COUNT);
    for (unsigned page = 1; page <= 3; page++) {
        struct json_object *body = get(path);
        seen += check_page(body, seen);
        CU_ASSERT_EQUAL(seen, page < 3 ? page * LIMIT : COUNT);
        CU_ASSERT_EQUAL_FATAL(member(body, "next") == NULL, page == 3);
        if (page < 3)
            snprintf(path, sizeof path, "/api/ws/connections?limit=50&after=%lld",
                     (long long)number(body, "next"));
        json_object_put(body);
    }
    /* A page that ends with the last one is the last one. */
    struct json_object *body = get("/api/ws/connections?after=100&limit=20");
    CU_ASSERT_EQUAL(check_page(body, 100), 20);
    CU_ASSERT_PTR_NULL(member(body, "next"));
    json_object_put(body);
    /* Behind the last one is nothing. */
    body = get("/api/ws/connections?after=9007199254740991");
    CU_ASSERT_EQUAL(check_page(body, 0), 0);
    CU_ASSERT_PTR_NULL(member(body, "next"));
    json_object_put(body);
    close_both();
}

static void test_a_page_is_bounded(void)
{
    open_both(CONNECTIONS);
    matching_request request = {.present = 0};
    http_answer page;
    http_answer_init(&page);
    http_monitor_connections(door.core, &request, &page);
    CU_ASSERT_FALSE_FATAL(page.body.failed);
    matching_write(&page.body, "", 1);
    struct json_object *body = json_tokener_parse(page.body.data);
    CU_ASSERT_PTR_NOT_NULL_FATAL(body);
    CU_ASSERT_EQUAL(check_page(body, 0), 1000);
    CU_ASSERT_PTR_NOT_NULL(member(body, "next"));
    json_object_put(body);
    http_answer_fini(&page);
    close_both();
}

static void test_bad_pages_are_refused(void)
{
    static const char *const paths[] = {
        "/api/ws/connections?limit=0",   "/api/ws/connections?limit=1001",
        "/api/ws/connections?limit=x",   "/api/ws/connections?after=-1",
        "/api/ws/connections?after=1.5", "/api/ws/connections?symbol=BTCUSDT",
        "/api/ws/metrics?limit=5"};
    open_both(1);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        CU_ASSERT_EQUAL(client_ask(&one, &answer, "GET", paths[i], NULL), 400);
        CU_ASSERT(client_answer_has(&answer, NULL, "\"code\":\"INVALID_PARAMETER\",\"field\":"));
    }
    close_both();
}

/* Lists are administration; metrics are not. */
static void test_who_may_look(void)
{
    open_both(1);
    client_close(&one);
    snprintf(access_rules.admin_token, sizeof access_rules.admin_token, "secret");
    connect_or_fail(&one);
    CU_ASSERT_EQUAL(client_ask(&one, &answer, "GET", "/api/ws/connections", NULL), 401);
    CU_ASSERT_EQUAL(client_ask(&one, &answer, "GET", "/api/ws/metrics", NULL), 200);
    client_send_text(&one, "GET /api/ws/connections HTTP/1.1\r\nHost: localhost\r\n"
                           "Authorization: Bearer secret\r\n\r\n");
    CU_ASSERT_TRUE(client_read(&one, &answer, false));
    CU_ASSERT_EQUAL(answer.status, 200);
    client_send_text(&one, "GET /api/ws/metrics HTTP/1.1\r\nHost: localhost\r\n"
                           "Origin: https://example.com\r\n\r\n");
    CU_ASSERT_TRUE(client_read(&one, &answer, false));
    CU_ASSERT_EQUAL(answer.status, 403);
    close_both();
}

static void test_metrics(void)
{
    open_both(3);
    matching_connection *first = &table->slots[0];
    struct json_object *body = get("/api/ws/metrics");
    CU_ASSERT_EQUAL(number(body, "messages_per_second"), 0);
    CU_ASSERT_EQUAL(number(body, "average_latency_ms"), 0);
    CU_ASSERT_EQUAL(number(body, "error_rate"), 0);
    json_object_put(body);
    for (int i = 0; i < 8; i++) {
        matching_connection_received(table, first);
        matching_connection_sent(table, first);
    }
    matching_connection_failed(table, first);
    matching_connection_latency(table, 1000000);
    matching_connection_latency(table, 2500000);
    matching_connection_subscribed(table, first, 4);
    matching_connection_close(table, &table->slots[1], 1000);
    body = get("/api/ws/metrics");
    struct json_object *connections = member(body, "connections");
    CU_ASSERT_EQUAL(number(connections, "total_connections"), 3);
    CU_ASSERT_EQUAL(number(connections, "active_connections"), 2);
    CU_ASSERT_EQUAL(number(connections, "total_messages_sent"), 8);
    CU_ASSERT_EQUAL(number(connections, "total_subscriptions"), 4);
    CU_ASSERT_STRING_EQUAL(text(body, "average_latency_ms"), "1.75");
    CU_ASSERT_STRING_EQUAL(text(body, "error_rate"), "0.125");
    CU_ASSERT_TRUE(json_object_get_double(member(body, "messages_per_second")) > 0);
    CU_ASSERT_TRUE(json_object_get_double(member(body, "memory_usage_mb")) > 1);
    json_object_put(body);
    close_both();
}

MATCHING_TESTS(MATCHING_TEST(test_a_connection_has_all_its_members),
               MATCHING_TEST(test_pages_follow_each_other), MATCHING_TEST(test_a_page_is_bounded),
               MATCHING_TEST(test_bad_pages_are_refused), MATCHING_TEST(test_who_may_look),
               MATCHING_TEST(test_metrics))
