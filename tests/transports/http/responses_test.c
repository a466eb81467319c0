/* Tests of transports/http/responses.h without a connection: libmicrohttpd then refuses to queue,
 * which is no matter for what is kept.
 */
#include "responses.h"

#include <string.h>

#include "support/cunit_main.h"

static http_responses responses;
static const http_response_headers plain;

static http_response *send_text(const char *text, size_t length)
{
    http_response *kept = NULL;
    http_answer answer;
    http_answer_init(&answer);
    answer.status = 200;
    matching_write(&answer.body, text, length);
    CU_ASSERT_EQUAL(http_responses_send(&responses, NULL, &answer, &plain, &kept), MHD_NO);
    http_answer_fini(&answer);
    return kept;
}

static void test_what_was_given_back_is_used_again(void)
{
    http_response *first = send_text("{\"a\":1}", 7);
    http_response *second = send_text("{\"b\":2}", 7);
    CU_ASSERT_PTR_NOT_NULL_FATAL(first);
    CU_ASSERT_PTR_NOT_NULL_FATAL(second);
    CU_ASSERT_PTR_NOT_EQUAL(first, second); /* the first one is still on its way */
    http_responses_give_back(&responses, first);
    http_response *other = send_text("{\"a\":10}", 8);
    CU_ASSERT_PTR_NOT_EQUAL(other, first);
    CU_ASSERT_PTR_EQUAL(send_text("{\"c\":3}", 7), first);
    CU_ASSERT_EQUAL(responses.spare_count, 0);
    http_responses_give_back(&responses, first);
    http_responses_give_back(&responses, second);
    http_responses_give_back(&responses, other);
    http_responses_give_back(&responses, NULL);
    CU_ASSERT_EQUAL(responses.spare_count, 3);
    http_responses_fini(&responses);
    CU_ASSERT_EQUAL(responses.spare_count, 0);
}

static void test_answers_under_other_headers_are_not_kept(void)
{
    static const struct {
        http_answer answer; /* but for its body */
        http_response_headers headers;
    } cases[] = {
        {{.status = 200, .is_html = true}, {0}},
        {{.status = 200, .is_metrics = true}, {0}},
        {{.status = 401, .challenge = true}, {0}},
        {{.status = 405, .allow = HTTP_GET}, {0}},
        {{.status = 503, .later = true}, {0}},
        {{.status = 204}, {0}},
        {{.status = 200}, {.origin = "http://localhost"}},
        {{.status = 200}, {.request_id = "one"}},
        {{.status = 200}, {.close = true}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        http_answer answer = cases[i].answer;
        http_response *kept;
        MATCHING_WRITE(&answer.body, "{}");
        (void)http_responses_send(&responses, NULL, &answer, &cases[i].headers, &kept);
        CU_ASSERT_PTR_NULL(kept);
        http_answer_fini(&answer);
    }
}

static void test_long_and_empty_answers_are_not_kept(void)
{
    static char text[HTTP_RESPONSE_KEPT_MAX + 1];
    memset(text, 'x', sizeof text);
    CU_ASSERT_PTR_NULL(send_text(text, sizeof text));
    CU_ASSERT_PTR_NULL(send_text(text, 0));
    http_response *longest = send_text(text, sizeof text - 1);
    CU_ASSERT_PTR_NOT_NULL(longest);
    http_responses_give_back(&responses, longest);
    http_responses_fini(&responses);
}

/* Lengths that nobody asks for any more give way to those that somebody does. */
static void test_what_is_kept_is_bounded(void)
{
    enum { OLD = HTTP_RESPONSES_MAX, NEW = HTTP_RESPONSES_MAX / 2 };
    static http_response *kept[OLD + NEW];
    static char text[HTTP_RESPONSE_KEPT_MAX];
    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < OLD + NEW; i++)
        kept[i] = send_text(text, i < OLD ? 100 : 200);
    for (size_t i = 0; i < OLD + NEW; i++)
        http_responses_give_back(&responses, kept[i]);
    CU_ASSERT_EQUAL(responses.spare_count, HTTP_RESPONSES_MAX);
    CU_ASSERT_PTR_NOT_NULL(responses.spare[100]);
    CU_ASSERT_PTR_NOT_NULL(responses.spare[200]);
    http_responses_fini(&responses);
    CU_ASSERT_PTR_NULL(responses.spare[100]);
    CU_ASSERT_PTR_NULL(responses.spare[200]);
}

MATCHING_TESTS(MATCHING_TEST(test_what_was_given_back_is_used_again),
               MATCHING_TEST(test_answers_under_other_headers_are_not_kept),
               MATCHING_TEST(test_long_and_empty_answers_are_not_kept),
               MATCHING_TEST(test_what_is_kept_is_bounded))
