/* Tests of OTLP's JSON where a collector of tests would not come: texts that are not UTF-8, times
 * and numbers of any size, the longest span, and what a collector answers.
 */
#include "trace/otlp.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "support/cunit_main.h"
#include "trace/states.h"

/* Spans written and read back, the last of them. The caller puts *whole. */
static struct json_object *read_back(otlp_text *out, const span_record *spans, size_t count,
                                     struct json_object **whole)
{
    static const matching_trace_options options = {.service_name = "s"};
    otlp_begin(out, &options, "1");
    for (size_t i = 0; i < count; i++) {
        otlp_span(out, &spans[i], 0, i == 0);
    }
    otlp_end(out);
    CU_ASSERT_FALSE_FATAL(out->failed);
    struct json_tokener *reader = json_tokener_new();
    json_tokener_set_flags(reader, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    *whole = json_tokener_parse_ex(reader, out->bytes, (int)out->length);
    CU_ASSERT_PTR_NOT_NULL_FATAL(*whole);
    json_tokener_free(reader);
    struct json_object *at =
        json_object_array_get_idx(json_object_object_get(*whole, "resourceSpans"), 0);
    at = json_object_array_get_idx(json_object_object_get(at, "scopeSpans"), 0);
    at = json_object_object_get(at, "spans");
    CU_ASSERT_EQUAL_FATAL(json_object_array_length(at), count);
    return json_object_array_get_idx(at, count - 1);
}

static const char *text_of(struct json_object *object, const char *name)
{
    return json_object_get_string(json_object_object_get(object, name));
}

static span_record plain_span(void)
{
    return (span_record){.own = {.trace_high = 1, .span_id = 1}, .name = "n", .kind = 1};
}

/* What an error says is `text`; it is read as `wanted`. */
static void check_text(otlp_text *out, const char *text, const char *wanted)
{
    span_record spans[] = {plain_span(), plain_span()};
    struct json_object *whole;
    size_t length = strlen(text);
    CU_ASSERT_FATAL(length < sizeof spans[1].text);
    memcpy(spans[1].text, text, length);
    spans[1].error_length = (uint16_t)length;
    spans[1].is_error = true;
    struct json_object *span = read_back(out, spans, 2, &whole);
    CU_ASSERT_STRING_EQUAL(text_of(json_object_object_get(span, "status"), "message"), wanted);
    json_object_put(whole);
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
    otlp_text out = {0};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        check_text(&out, cases[i][0], cases[i][1]);
    }
    otlp_free(&out);
}

/* Plain bytes are copied some at a time: one that is not is seen wherever it stands. */
static void test_an_escape_is_seen_at_every_place(void)
{
    static const char others[] = "\"\\\x01\x1f\n\x7f !~#[]";
    otlp_text out = {0};
    for (size_t length = 0; length < 34; length++) {
        char text[40];
        memset(text, 'a', length);
        text[length] = '\0';
        check_text(&out, text, text);
        for (size_t at = 0; at < length; at++) {
            for (const char *other = others; *other != '\0'; other++) {
                text[at] = *other;
                check_text(&out, text, text);
            }
            text[at] = 'a';
        }
    }
    otlp_free(&out);
}

/* Seconds are kept from one time to the next. */
static void test_times_are_whole_numbers_of_any_size(void)
{
    static const uint64_t times[] = {0,
                                     1,
                                     999999999,
                                     1000000000,
                                     UINT64_C(999999999999999999),
                                     UINT64_C(1000000000000000000),
                                     UINT64_C(1700000000000000000),
                                     UINT64_C(1700000000999999999),
                                     UINT64_C(1700000001000000000),
                                     UINT64_C(1700000000012345678),
                                     UINT64_C(9999999999999999999),
                                     UINT64_C(10000000000000000000),
                                     UINT64_MAX};
    enum { TIMES = sizeof times / sizeof times[0] };
    otlp_text out = {0};
    for (size_t i = 0; i < TIMES; i++) {
        for (size_t j = 0; j < TIMES; j++) {
            char wanted[2][24];
            span_record span = plain_span();
            struct json_object *whole;
            span.start_ns = times[i];
            span.end_ns = times[j];
            snprintf(wanted[0], sizeof wanted[0], "%" PRIu64, times[i]);
            snprintf(wanted[1], sizeof wanted[1], "%" PRIu64, times[j]);
            struct json_object *found = read_back(&out, &span, 1, &whole);
            CU_ASSERT_STRING_EQUAL(text_of(found, "startTimeUnixNano"), wanted[0]);
            CU_ASSERT_STRING_EQUAL(text_of(found, "endTimeUnixNano"), wanted[1]);
            json_object_put(whole);
        }
    }
    otlp_free(&out);
}

static const char *attribute(struct json_object *span, size_t index, const char *kind,
                             const char **key)
{
    struct json_object *found =
        json_object_array_get_idx(json_object_object_get(span, "attributes"), index);
    *key = text_of(found, "key");
    return text_of(json_object_object_get(found, "value"), kind);
}

/* More names than are kept, short ones and the longest, twice: the second time some are known. */
static void test_names_and_numbers_are_told_as_they_are(void)
{
    enum { NAMES = 2 * OTLP_NAMES };
    static char names[NAMES][MATCHING_SPAN_NAME_MAX + 1];
    static const int64_t numbers[] = {0, 9, 10, 99, 100, 12345, INT64_MAX, -1, INT64_MIN};
    otlp_text out = {0};
    for (size_t i = 0; i < 2 * NAMES; i++) {
        char *name = names[i % NAMES], wanted[24];
        const char *key;
        struct json_object *whole;
        span_record span = plain_span();
        int64_t number = numbers[i % (sizeof numbers / sizeof numbers[0])];
        memset(name, 'a' + (int)(i % NAMES % 26), 1 + i % NAMES % MATCHING_SPAN_NAME_MAX);
        span.name = name;
        span.fields[0] = (span_record_field){.name = name, .value = (uint64_t)number};
        span.field_count = 1;
        span.events[0] = (matching_trace_event){.name = name, .time_ns = 7};
        span.event_count = 1;
        struct json_object *found = read_back(&out, &span, 1, &whole);
        CU_ASSERT_STRING_EQUAL(text_of(found, "name"), name);
        snprintf(wanted, sizeof wanted, "%" PRId64, number);
        CU_ASSERT_STRING_EQUAL(attribute(found, 0, "intValue", &key), wanted);
        CU_ASSERT_STRING_EQUAL(key, name);
        found = json_object_array_get_idx(json_object_object_get(found, "events"), 0);
        CU_ASSERT_STRING_EQUAL(text_of(found, "name"), name);
        CU_ASSERT_STRING_EQUAL(text_of(found, "timeUnixNano"), "7");
        json_object_put(whole);
    }
    otlp_free(&out);
}

/* The longest span there can be, all of its bytes six times as long in JSON. */
static void test_the_longest_span_has_room(void)
{
    static char name[MATCHING_SPAN_NAME_MAX + 1];
    span_record spans[40];
    otlp_text out = {0};
    struct json_object *whole;
    char state[TRACE_STATE_MAX];
    memset(name, 'n', MATCHING_SPAN_NAME_MAX);
    memset(state, 1, sizeof state);
    CU_ASSERT_FATAL(trace_states_start(1));
    uint32_t number = trace_states_put(state, sizeof state);
    for (size_t i = 0; i < sizeof spans / sizeof spans[0]; i++) {
        span_record *span = &spans[i];
        *span = plain_span();
        span->name = name;
        span->parent_id = span->link.span_id = UINT64_MAX;
        span->own.state = span->link.state = number;
        span->has_remote_parent = span->link.is_remote = span->is_error = true;
        span->field_count = MATCHING_SPAN_FIELDS_MAX;
        span->event_count = MATCHING_SPAN_EVENTS_MAX;
        memset(span->text, 1, sizeof span->text - 1);
        for (unsigned f = 0; f < MATCHING_SPAN_FIELDS_MAX; f++) {
            bool is_text = f == 0;
            span->fields[f] =
                (span_record_field){.name = name,
                                    .is_text = is_text,
                                    .length = (uint16_t)(is_text ? sizeof span->text - 1 : 0),
                                    .value = is_text ? 0 : (uint64_t)INT64_MIN};
        }
        for (unsigned e = 0; e < MATCHING_SPAN_EVENTS_MAX; e++) {
            span->events[e] = (matching_trace_event){.name = name, .time_ns = UINT64_MAX};
        }
    }
    struct json_object *found = read_back(&out, spans, sizeof spans / sizeof spans[0], &whole);
    CU_ASSERT_EQUAL(json_object_array_length(json_object_object_get(found, "attributes")),
                    MATCHING_SPAN_FIELDS_MAX);
    CU_ASSERT_EQUAL(json_object_get_string_len(json_object_object_get(found, "traceState")),
                    TRACE_STATE_MAX);
    json_object_put(whole);
    otlp_free(&out);
    trace_states_free();
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
               MATCHING_TEST(test_an_escape_is_seen_at_every_place),
               MATCHING_TEST(test_times_are_whole_numbers_of_any_size),
               MATCHING_TEST(test_names_and_numbers_are_told_as_they_are),
               MATCHING_TEST(test_the_longest_span_has_room),
               MATCHING_TEST(test_a_partial_success_is_read))
