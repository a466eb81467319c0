/* Tests of what is kept of a tracestate, and of how long. */
#include "trace/tracestate.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "matching/trace.h"
#include "support/cunit_main.h"
#include "trace/recorder.h"

#define TRACEPARENT "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static char kept[TRACE_STATE_MAX + 1];

static const char *clean(const char *text)
{
    size_t length = tracestate_clean(text, strlen(text), kept);
    CU_ASSERT_FATAL(length <= TRACE_STATE_MAX);
    kept[length] = '\0';
    return kept;
}

/* ---- The list -------------------------------------------------------------------------------- */

static void test_members_are_kept_in_their_order(void)
{
    static const char *const same[] = {
        "a=1",         "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", "a_-*/9=b",  "fw529a3039@dt=FfAx",
        "0tenant@v=x", "a= leading and inner spaces count",       "z=!~@\"\\", "a=1,b=2,c=3",
    };
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        CU_ASSERT_STRING_EQUAL(clean(same[i]), same[i]);
    }
    CU_ASSERT_STRING_EQUAL(clean(" \ta=1\t , ,,b=2 ,"), "a=1,b=2");
    CU_ASSERT_STRING_EQUAL(clean(""), "");
    CU_ASSERT_STRING_EQUAL(clean(" , ,\t"), "");
}

static void test_one_wrong_member_spoils_the_list(void)
{
    static const char *const bad[] = {
        "a",
        "=1",
        "a=",
        "a=1,b",
        "A=1",
        "a b=1",
        "9=1",
        "a=b=c",
        "a=1;b",
        "@v=1",
        "a@=1",
        "a@9=1",
        "a@b@c=1",
        "a=1,a=2",
        "a=\x7f",
        "a=\xc3\xa9",
        "a=1\n",
        "_a=1",
        "a@V=1",
        "a.b=1",
        "-=1",
        ("a=\x01"
         "b"),
        "a =1",
        "t@aaaaaaaaaaaaaaa=1",
    };
    char list[64];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        bool is_pair = strchr(bad[i], ';') != NULL; /* a semicolon is a character like any other */
        CU_ASSERT_STRING_EQUAL(clean(bad[i]), is_pair ? bad[i] : "");
        snprintf(list, sizeof list, "good=1,%s", bad[i]);
        CU_ASSERT_STRING_EQUAL(clean(list), is_pair ? list : "");
    }
}

/* key=vvv…, of so many bytes in all. */
static size_t add_member(char *text, size_t at, const char *key, size_t length)
{
    if (at > 0) {
        text[at++] = ',';
    }
    size_t head = (size_t)sprintf(text + at, "%s=", key);
    memset(text + at + head, 'v', length - head);
    text[at + length] = '\0';
    return at + length;
}

static void test_keys_and_values_have_their_lengths(void)
{
    char text[1024];
    memset(text, 'k', 256);
    memcpy(text + 256, "=1", 3);
    CU_ASSERT_STRING_EQUAL(clean(text), text);
    memset(text, 'k', 257);
    memcpy(text + 257, "=1", 3);
    CU_ASSERT_STRING_EQUAL(clean(text), "");
    add_member(text, 0, "a", 2 + 256);
    CU_ASSERT_STRING_EQUAL(clean(text), text);
    add_member(text, 0, "a", 2 + 257);
    CU_ASSERT_STRING_EQUAL(clean(text), "");
}

static void test_there_are_32_members_at_most(void)
{
    char text[1024] = "", key[8];
    size_t at = 0;
    for (unsigned i = 0; i < 33; i++) {
        CU_ASSERT_STRING_EQUAL(clean(text), text);
        snprintf(key, sizeof key, "k%u", i);
        at = add_member(text, at, key, 8);
    }
    CU_ASSERT_STRING_EQUAL(clean(text), "");
}

static void test_long_members_go_first_and_then_the_last(void)
{
    char text[2048], wanted[1024];
    size_t at = add_member(text, 0, "a", 128), end;
    at = add_member(text, at, "b", 129);
    at = add_member(text, at, "c", 128);
    at = add_member(text, at, "d", 124); /* with three commas exactly as much as fits */
    CU_ASSERT_EQUAL_FATAL(at, TRACE_STATE_MAX);
    CU_ASSERT_STRING_EQUAL(clean(text), text);
    (void)add_member(text, at, "e", 3); /* one too many, but b is long */
    end = add_member(wanted, 0, "a", 128);
    end = add_member(wanted, end, "c", 128);
    end = add_member(wanted, end, "d", 124);
    (void)add_member(wanted, end, "e", 3);
    CU_ASSERT_STRING_EQUAL(clean(text), wanted);
    /* Of two long ones the last goes, if that is enough. */
    at = add_member(text, 0, "a", 200);
    at = add_member(text, at, "b", 200);
    (void)add_member(text, at, "c", 120);
    end = add_member(wanted, 0, "a", 200);
    (void)add_member(wanted, end, "c", 120);
    CU_ASSERT_STRING_EQUAL(clean(text), wanted);
    /* None is long: whole ones from the end. */
    at = 0;
    end = 0;
    for (unsigned i = 0; i < 6; i++) {
        char key[2] = {(char)('a' + i), '\0'};
        at = add_member(text, at, key, 120);
        end = i < 4 ? add_member(wanted, end, key, 120) : end;
    }
    CU_ASSERT_STRING_EQUAL(clean(text), wanted);
}

static void test_several_headers_are_one_list(void)
{
    static matching_tracestate all;
    static char most[MATCHING_TRACESTATE_SIZE];
    matching_tracestate_add(&all, "a=1", 3);
    matching_tracestate_add(&all, "b=2,c=3", 7);
    CU_ASSERT_EQUAL_FATAL(all.length, 11);
    CU_ASSERT_NSTRING_EQUAL(all.text, "a=1,b=2,c=3", 11);
    matching_tracestate_add(&all, most, sizeof most - 12);
    CU_ASSERT_EQUAL(all.length, sizeof most);
    matching_tracestate_add(&all, "", 0);
    CU_ASSERT_EQUAL(all.length, 0);
    matching_tracestate_add(&all, "a=1", 3);
    CU_ASSERT_EQUAL(all.length, 0);
}

/* ---- The ring -------------------------------------------------------------------------------- */

static void test_a_text_stays_until_others_have_come(void)
{
    enum { PLACES = 4 };
    char text[TRACE_STATE_MAX], longest[TRACE_STATE_MAX];
    uint32_t numbers[2 * PLACES];
    CU_ASSERT_EQUAL(trace_states_put("a=1", 3), 0); /* there is no ring */
    CU_ASSERT_EQUAL(trace_states_read(1, text), 0);
    CU_ASSERT_FATAL(trace_states_start(PLACES));
    memset(longest, 'x', sizeof longest);
    for (unsigned i = 0; i < 2 * PLACES; i++) {
        longest[0] = (char)('a' + i);
        numbers[i] = trace_states_put(longest, sizeof longest - i);
        CU_ASSERT_NOT_EQUAL_FATAL(numbers[i], 0);
        for (unsigned j = 0; j <= i; j++) {
            size_t length = trace_states_read(numbers[j], text);
            CU_ASSERT_EQUAL(length, i - j < PLACES ? sizeof longest - j : 0);
            CU_ASSERT_TRUE(length == 0 || text[0] == (char)('a' + j));
        }
    }
    CU_ASSERT_EQUAL(trace_states_put("", 0), 0);
    trace_states_free();
    CU_ASSERT_EQUAL(trace_states_read(numbers[7], text), 0);
}

/* Each thread writes a letter of its own all over, and finds nothing else under its number, if
 * anything. */
static void *put_and_read(void *letter)
{
    char text[TRACE_STATE_MAX], found[TRACE_STATE_MAX];
    memset(text, *(const char *)letter, sizeof text);
    for (unsigned i = 0; i < 20000; i++) {
        size_t length = 1 + i % sizeof text;
        uint32_t number = trace_states_put(text, length);
        size_t kept_length = trace_states_read(number, found);
        if (kept_length != 0 && (kept_length != length || memcmp(found, text, length) != 0)) {
            return letter;
        }
    }
    return NULL;
}

static void test_threads_do_not_see_each_others_texts(void)
{
    enum { THREADS = 3 };
    pthread_t threads[THREADS];
    char letters[THREADS] = {'a', 'b', 'c'};
    CU_ASSERT_FATAL(trace_states_start(2));
    for (unsigned i = 0; i < THREADS; i++) {
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, put_and_read, &letters[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        void *wrong = NULL;
        pthread_join(threads[i], &wrong);
        CU_ASSERT_PTR_NULL(wrong);
    }
    for (unsigned i = 0; i < 2; i++) { /* no place is left as if it were being written */
        char text[TRACE_STATE_MAX];
        CU_ASSERT_EQUAL(trace_states_read(trace_states_put("a=1", 3), text), 3);
    }
    trace_states_free();
}

/* ---- Spans ----------------------------------------------------------------------------------- */

static void begin(matching_span *span, const char *traceparent, const char *state)
{
    matching_span_begin_remote(span, traceparent, traceparent != NULL ? strlen(traceparent) : 0, 0);
    matching_span_state(span, state, strlen(state));
}

static void test_a_trace_has_the_state_that_came_with_it(void)
{
    static const trace_sampler always = {.is_parent_based = true, .is_always = true};
    matching_span span, below, next;
    char text[TRACE_STATE_MAX];
    CU_ASSERT_FATAL(trace_recorder_start(&always, 8, 8));
    begin(&span, TRACEPARENT, " a=1 ");
    CU_ASSERT_EQUAL_FATAL(trace_states_read(span.own.state, text), 3);
    CU_ASSERT_NSTRING_EQUAL(text, "a=1", 3);
    matching_span_begin(&below, &span.own, 0);
    CU_ASSERT_EQUAL(below.own.state, span.own.state);
    matching_span_end(&below, &(matching_span_facts){.name = "below", .link = &span.own});
    CU_ASSERT_EQUAL(trace_peek(0)->own.state, span.own.state);
    CU_ASSERT_EQUAL(trace_peek(0)->link.state, span.own.state);
    matching_span_begin(&next, NULL, 0);
    CU_ASSERT_EQUAL(next.own.state, 0);
    begin(&next, NULL, "a=1"); /* without a traceparent it does not count */
    CU_ASSERT_EQUAL(next.own.state, 0);
    begin(&next, "nonsense", "a=1");
    CU_ASSERT_EQUAL(next.own.state, 0);
    begin(&next, TRACEPARENT, "a");
    CU_ASSERT_EQUAL(next.own.state, 0);
    CU_ASSERT_TRUE(matching_span_is_sampled(&next)); /* the traceparent counts all the same */
    begin(&next, TRACEPARENT, "");
    CU_ASSERT_EQUAL(next.own.state, 0);
    trace_recorder_stop();
    trace_recorder_free();
}

MATCHING_TESTS(MATCHING_TEST(test_members_are_kept_in_their_order),
               MATCHING_TEST(test_one_wrong_member_spoils_the_list),
               MATCHING_TEST(test_keys_and_values_have_their_lengths),
               MATCHING_TEST(test_there_are_32_members_at_most),
               MATCHING_TEST(test_long_members_go_first_and_then_the_last),
               MATCHING_TEST(test_several_headers_are_one_list),
               MATCHING_TEST(test_a_text_stays_until_others_have_come),
               MATCHING_TEST(test_threads_do_not_see_each_others_texts),
               MATCHING_TEST(test_a_trace_has_the_state_that_came_with_it))
