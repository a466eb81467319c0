/* The envelope: bodies and what is read out of them, in one line each.
 *
 * A request is written "id method params", where the id is the text to be echoed ("-" for a
 * notification) and params are "-", "{}" or "[]"; "bad" is no request. Requests of a batch stand in
 * square brackets with "|" between them. An error of the whole message is its number.
 */
#include "message.h"
#include "support/cunit_main.h"

#define MAX_BATCH 4

static void describe_request(const jsonrpc_request *request, char *out, size_t size)
{
    if (!request->valid) {
        snprintf(out, size, "bad");
        return;
    }
    CU_ASSERT_EQUAL(request->notification, request->id.length == 0);
    const char *params = request->flat != NULL                                   ? "{}"
                         : request->params == NULL                               ? "-"
                         : json_object_is_type(request->params, json_type_array) ? "[]"
                                                                                 : "{}";
    snprintf(out, size, "%.*s %.*s %s", request->notification ? 1 : (int)request->id.length,
             request->notification ? "-" : request->id.data, (int)request->method.length,
             request->method.data, params);
}

/* The description of a body, in a static buffer. */
static const char *describe(const char *body, size_t length)
{
    static char text[2048];
    jsonrpc_message message;
    /* A copy with nothing after it: a sanitizer sees a step too far. */
    char *copy = malloc(length + 1); /* the byte is in front: malloc(0) may be NULL */
    CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
    char *exact = copy + 1;
    memcpy(exact, body, length);
    CU_ASSERT_TRUE_FATAL(jsonrpc_message_parse(&message, exact, length, MAX_BATCH));
    if (message.error != 0) {
        CU_ASSERT_PTR_NOT_NULL(message.why);
        CU_ASSERT_EQUAL(message.count, 0);
        snprintf(text, sizeof text, "%d", message.error);
    } else {
        char *at = text;
        *text = '\0';
        for (size_t i = 0; i < message.count; i++) {
            char one[512];
            describe_request(&message.requests[i], one, sizeof one);
            at += snprintf(at, sizeof text - (size_t)(at - text), "%s%s",
                           i > 0           ? "|"
                           : message.batch ? "["
                                           : "",
                           one);
        }
        snprintf(at, sizeof text - (size_t)(at - text), "%s", message.batch ? "]" : "");
    }
    jsonrpc_message_fini(&message);
    jsonrpc_message_fini(&message); /* harmless */
    free(copy);
    return text;
}

static void expect(const char *body, const char *expected)
{
    const char *got = describe(body, strlen(body));
    if (strcmp(got, expected) != 0) {
        printf("%s\n  got      %s\n  expected %s\n", body, got, expected);
    }
    CU_ASSERT_STRING_EQUAL(got, expected);
}

/* What only looks plain is left to the tree, or is no JSON. */
static void test_plain_requests(void)
{
#define PLAIN(rest) "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":{\"price\":1}" rest "}"
    expect(PLAIN(",\"id\":12"), "12 m {}");
    expect(PLAIN(",\"id\":123456789012345678901234567890"), "123456789012345678901234567890 m {}");
    expect(PLAIN(",\"id\":\"a b\""), "\"a b\" m {}");
    expect(PLAIN(""), "- m {}");
    expect(PLAIN(",\"id\":1,\"id\":2"), "2 m {}");
    expect(PLAIN(",\"id\":01"), "-32700");
    expect(PLAIN(",\"id\":\"a\tb\""), "-32700");
    expect(PLAIN(",\"id\":-"), "-32700");
    expect(PLAIN(",\"id\":"), "-32700");
    expect(PLAIN(",\"id\":1.0"), "1.0 m {}");
    expect(PLAIN(",\"id\":{}"), "bad");
    expect(PLAIN(",\"id\":1,"), "-32700");
    expect(PLAIN(",\"id\":1") "x", "-32700");
    expect(PLAIN(",\"jsonrpc\":\"1.0\""), "bad");
    expect(" " PLAIN(" , \"id\" : 1 ") " ", "1 m {}");
#undef PLAIN
}

#define CALL(rest) "{\"jsonrpc\":\"2.0\",\"method\":\"m\"" rest "}"

static void test_calls_and_notifications(void)
{
    expect(CALL(",\"id\":1"), "1 m -");
    expect(CALL(""), "- m -");
    expect(CALL(",\"params\":{},\"id\":1"), "1 m {}");
    expect(CALL(",\"params\":[],\"id\":1"), "1 m []");
    expect(CALL(",\"params\":null,\"id\":1"), "1 m -");
    expect(CALL(",\"params\":[1,2]"), "- m []");
    expect(CALL(",\"id\":1,\"unknown\":{\"id\":2}"), "1 m -");
    expect(" \r\n\t" CALL(",\"id\":1") " \r\n\t", "1 m -");
    expect("{ \"id\" : 7 , \"method\" : \"m\" , \"jsonrpc\" : \"2.0\" }", "7 m -");
    expect("{\"jsonrpc\":\"2.0\",\"method\":\"\",\"id\":1}", "1  -");
}

static void test_ids_are_kept_as_sent(void)
{
    static const char *const ids[] = {
        "0",
        "-0",
        "1",
        "-1",
        "1.0",
        "1e2",
        "1E+2",
        "0.10",
        "-12.50e-3",
        "9007199254740993",
        "18446744073709551616",
        "123456789012345678901234567890123456789012345678901234567890",
        "\"\"",
        "\"a\"",
        "\"1\"",
        "\"a b\"",
        "\"\\\"\"",
        "\"\\\\\"",
        "\"\\u0041\\n\"",
        "\"}]{[,:\"",
        "\"\xc3\xa9\xe4\xb8\xad\"",
        "null",
    };
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        char body[256];
        char expected[128];
        snprintf(expected, sizeof expected, "%s m -", ids[i]);
        snprintf(body, sizeof body, CALL(",\"id\":%s"), ids[i]);
        expect(body, expected);
        snprintf(body, sizeof body, "{\"id\":%s,\"jsonrpc\":\"2.0\",\"method\":\"m\"}", ids[i]);
        expect(body, expected);
        snprintf(body, sizeof body, "{\"id\" : %s \n, \"jsonrpc\":\"2.0\",\"method\":\"m\"}",
                 ids[i]);
        expect(body, expected);
    }
}

static void test_the_id_is_the_requests_own(void)
{
    expect(CALL(",\"params\":{\"id\":9},\"id\":1"), "1 m {}");
    expect(CALL(",\"params\":{\"id\":9}"), "- m {}");
    expect(CALL(",\"params\":[{\"id\":9},\"\\\"id\\\":8\"]"), "- m []");
    expect(CALL(",\"Id\":1"), "- m -");
    expect(CALL(",\"id2\":1"), "- m -");
    expect(CALL(",\"i\":1"), "- m -");
    expect(CALL(",\"\":1"), "- m -");
    /* As json-c does: the last of several, and names after their escapes. */
    expect(CALL(",\"id\":1,\"id\":2"), "2 m -");
    expect(CALL(",\"\\u0069d\":3"), "3 m -");
    expect(CALL(",\"i\\u0064\":3"), "3 m -");
    expect(CALL(",\"\\u0069\\u0064\":3"), "3 m -");
    expect(CALL(",\"\\u0069\\u0065\":3"), "- m -");
}

static void test_what_is_no_request(void)
{
    static const char *const bodies[] = {
        "1",
        "\"text\"",
        "true",
        "null",
        "{}",
        "{\"foo\":\"boo\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":1}",
        "{\"jsonrpc\":\"2.0\",\"method\":1,\"params\":\"bar\"}",
        "{\"jsonrpc\":\"2.0\",\"method\":null,\"id\":1}",
        "{\"jsonrpc\":\"1.0\",\"method\":\"m\",\"id\":1}",
        "{\"jsonrpc\":\"2.00\",\"method\":\"m\",\"id\":1}",
        "{\"jsonrpc\":\"2.0\\u0000\",\"method\":\"m\",\"id\":1}",
        "{\"jsonrpc\":2.0,\"method\":\"m\",\"id\":1}",
        "{\"jsonrpc\":null,\"method\":\"m\",\"id\":1}",
        "{\"method\":\"m\",\"id\":1}",
        CALL(",\"id\":{}"),
        CALL(",\"id\":[]"),
        CALL(",\"id\":[1]"),
        CALL(",\"id\":true"),
        CALL(",\"id\":false"),
        CALL(",\"id\":{\"id\":1}"),
        CALL(",\"params\":1,\"id\":1"),
        CALL(",\"params\":\"bar\",\"id\":1"),
        CALL(",\"params\":true"),
    };
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        expect(bodies[i], "bad");
    }
}

static void test_what_is_no_json(void)
{
    static const char *const bodies[] = {
        "",
        " ",
        "{",
        "}",
        "[",
        "{\"jsonrpc\":\"2.0\",\"method\":\"m\"",
        "{\"jsonrpc\": \"2.0\", \"method\": \"foobar, \"params\": \"bar\", \"baz]",
        "[{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":\"1\"},{\"jsonrpc\":\"2.0\",\"method\"]",
        CALL(",\"id\":1") CALL(",\"id\":2"),
        CALL(",\"id\":1") "x",
        CALL(",\"id\":01"),
        CALL(",\"id\":1."),
        CALL(",\"id\":NaN"),
        CALL(",\"id\":'a'"),
        CALL(",\"id\":1,"),
        CALL("/* comment */"),
        CALL(",\"id\":\"\xff\""),
        CALL(",\"id\":\"\n\""),
        "\xef\xbb\xbf" CALL(",\"id\":1"),
        "method=m&id=1",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        expect(bodies[i], "-32700");
    }
    CU_ASSERT_STRING_EQUAL(describe("1\0", 2), "-32700");
    CU_ASSERT_STRING_EQUAL(describe("\0", 1), "-32700");
}

static void test_too_deep_is_no_json_of_ours(void)
{
    char body[512];
    size_t at = 0;
    memset(body, 0, sizeof body);
    for (; at < 100; at++) {
        body[at] = '[';
    }
    for (; at < 200; at++) {
        body[at] = ']';
    }
    expect(body, "-32700");
}

static void test_batches(void)
{
    expect("[]", "-32600");
    expect("[ ]", "-32600");
    expect("[1]", "[bad]");
    expect("[1,2,3]", "[bad|bad|bad]");
    expect("[null]", "[bad]");
    expect("[[]]", "[bad]");
    expect("[" CALL(",\"id\":1") "]", "[1 m -]");
    expect("[" CALL("") "]", "[- m -]");
    expect("[" CALL(",\"id\":\"1\"") "," CALL("") ",{\"foo\":\"boo\"}," CALL(",\"id\":\"5\"") "]",
           "[\"1\" m -|- m -|bad|\"5\" m -]");
    expect(" [ " CALL(",\"id\":1.0") " ,\n" CALL(",\"params\":{\"id\":4}") " , 5 ] ",
           "[1.0 m -|- m {}|bad]");
    expect("[" CALL(",\"id\":1") "," CALL(",\"id\":1") "]", "[1 m -|1 m -]");
    expect("[\"]\",{\"a\":[1,{\"b\":\"}\"}]}," CALL(",\"id\":3") "]", "[bad|bad|3 m -]");
}

static void test_a_batch_over_the_limit_is_refused_whole(void)
{
    expect("[1,2,3,4]", "[bad|bad|bad|bad]");
    expect("[1,2,3,4,5]", "-32600");
}

MATCHING_TESTS(MATCHING_TEST(test_plain_requests), MATCHING_TEST(test_calls_and_notifications),
               MATCHING_TEST(test_ids_are_kept_as_sent),
               MATCHING_TEST(test_the_id_is_the_requests_own),
               MATCHING_TEST(test_what_is_no_request), MATCHING_TEST(test_what_is_no_json),
               MATCHING_TEST(test_too_deep_is_no_json_of_ours), MATCHING_TEST(test_batches),
               MATCHING_TEST(test_a_batch_over_the_limit_is_refused_whole))
