/* Tests of OTLP's JSON where a collector of tests would not come: texts that are not UTF-8, and what
 * a collector answers.
 */
#include "trace/otlp.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "support/cunit_main.h"

/* What an error says, written and read back. The caller frees it. */
static char *read_back(const char *text)
{
    static const matching_trace_options options = {.service_name = "s"};
    span_record span = {
        .own = {.trace_high = 1, .span_id = 1}, .name = "n", .kind = 1, .is_error = true};
    strncpy(span.text, text, sizeof span.text - 1);
    otlp_text out = {0};
    otlp_begin(&out, &options, "1");
    otlp_span(&out, &span, 0, true);
    otlp_span(&out, &span, 0, false);
    otlp_end(&out);
    CU_ASSERT_FALSE_FATAL(out.failed);
    struct json_tokener *reader = json_tokener_new();
    json_tokener_set_flags(reader, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    struct json_object *object = json_tokener_parse_ex(reader, out.bytes, (int)out.length);
    CU_ASSERT_PTR_NOT_NULL_FATAL(object);
    struct json_object *at =
        json_object_array_get_idx(json_object_object_get(object, "resourceSpans"), 0);
    at = json_object_array_get_idx(json_object_object_get(at, "scopeSpans"), 0);
    at = json_object_object_get(at, "spans");
    CU_ASSERT_EQUAL_FATAL(json_object_array_length(at), 2);
    at = json_object_array_get_idx(at, 1);
    char *found = strdup(json_object_get_string(
        json_object_object_get(json_object_object_get(at, "status"), "message")));
    json_object_put(object);
    json_tokener_free(reader);
    free(out.bytes);
    return found;
}

static void test_any_bytes_become_json(void)
{
    static const char *const cases[][2] = {
        {"plain", "plain"},
        {"\"quoted\\\" \n\x01\x7f", "\"quoted\\\" \n\x01\x7f"},
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"a\x80z", "a\xef\xbf\xbdz"},             /* a byte that goes on, but nothing began */
        {"\xc3", "\xef\xbf\xbd"},                 /* cut short */
        {"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"}, /* longer than needed */
        {"\xe0\x80\xaf", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* half a surrogate pair */
        {"\xff", "\xef\xbf\xbd"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *found = read_back(cases[i][0]);
        CU_ASSERT_STRING_EQUAL(found, cases[i][1]);
        free(found);
    }
}

static void test_a_partial_success_is_read(void)
{
    CU_ASSERT_EQUAL(otlp_rejected("{}"), 0);
    CU_ASSERT_EQUAL(otlp_rejected(""), 0);
    CU_ASSERT_EQUAL(otlp_rejected("{\"partialSuccess\":{\"rejectedSpans\":\"12\"}}"), 12);
    CU_ASSERT_EQUAL(otlp_rejected("{\"partialSuccess\":{\"rejectedSpans\" : 3}}"), 3);
    CU_ASSERT_EQUAL(otlp_rejected("{\"partialSuccess\":{\"rejectedSpans\":null}}"), 0);
    CU_ASSERT_EQUAL(otlp_rejected("<html>rejectedSpans 5"), 0);
}

MATCHING_TESTS(MATCHING_TEST(test_any_bytes_become_json),
               MATCHING_TEST(test_a_partial_success_is_read))
