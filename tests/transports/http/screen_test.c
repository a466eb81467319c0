/* Tests of transports/http/screen.h: which heads are refused before libmicrohttpd reads them. */
#include "screen.h"

#include <stdio.h>
#include <stdlib.h>

#include "support/cunit_main.h"

#define LINE "GET / HTTP/1.1\r\n"

/* Screens a copy of exactly the text's size, so that a sanitizer sees a read beyond it. */
static http_screening screen(const char *text, size_t length, bool is_whole, http_refusal *refusal)
{
    char *copy = malloc(length > 0 ? length : 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
    memcpy(copy, text, length);
    http_screening found = http_screen(copy, length, is_whole, refusal);
    free(copy);
    return found;
}

static unsigned status_of(const char *text, size_t length, bool is_whole)
{
    http_refusal refusal = {0};
    return screen(text, length, is_whole, &refusal) == HTTP_HEAD_REFUSED ? refusal.status : 0;
}

static void test_good_heads_pass_whole_and_in_pieces(void)
{
    static const char *const heads[] = {
        LINE "\r\n",
        LINE "Host: a\r\n\r\n",
        "get /a?b=c&d HTTP/1.0\n\n",
        "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET  /a b  HTTP/1.9  \r\nHost: a\r\n folded\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 18446744073709551615\r\n\r\n",
        "POST / HTTP/1.1\r\ncontent-length:\t007\r\nCookie: a=b; c=d\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nno: head",
    };
    http_refusal refusal;
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        size_t length = strlen(heads[i]);
        CU_ASSERT_EQUAL(screen(heads[i], length, true, &refusal), HTTP_HEAD_GOOD);
        for (size_t size = 0; size < length; size++) {
            http_screening found = screen(heads[i], size, true, &refusal);
            CU_ASSERT_NOT_EQUAL(found, HTTP_HEAD_REFUSED);
            /* Only a body follows the end of a head. */
            CU_ASSERT_EQUAL(found == HTTP_HEAD_GOOD,
                            size >= 4 && strstr(heads[i], "\r\n\r\n") != NULL &&
                                size >= (size_t)(strstr(heads[i], "\r\n\r\n") + 4 - heads[i]));
            /* Whatever has been read before it. */
            CU_ASSERT_NOT_EQUAL(screen(heads[i] + size, length - size, false, &refusal),
                                HTTP_HEAD_REFUSED);
        }
    }
}

/* Of a body that lies in front it may be. */
static void test_a_nul_in_a_header_is_refused_where_nothing_came_before(void)
{
    static const char head[] = LINE "Host: a\0.b\r\n\r\n",
                      folded[] = LINE "Host: a\r\n \0b\r\n\r\n";
    CU_ASSERT_EQUAL(status_of(head, sizeof head - 1, true), 400);
    CU_ASSERT_EQUAL(status_of(folded, sizeof folded - 1, true), 400);
    CU_ASSERT_EQUAL(status_of(head, sizeof head - 1, false), 0);
}

static void test_what_is_no_http_is_refused_where_nothing_came_before(void)
{
    static const struct {
        const char *text;
        unsigned status;
    } cases[] = {
        {"BLAH\r\n", 400},
        {"GET /\r\n", 400},
        {"GET/orders/HTTP/1.1\r\n", 400},
        {"GET  HTTP/1.1\r\n", 400},
        {"GET / HTTP/1.1x\r\n", 400},
        {"GET / HTTP/1,1\r\n", 400},
        {"GET / http/1.1\r\n", 400},
        {"GET / HTTP/0.9\r\n", 505},
        {"GET / HTTP/2.0\r\n", 505},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
        {"\x16\x03\x01", 400},
        {"{}", 400},
        {LINE "Host\r\n", 400},
        {LINE "Content-Length: \r\n", 400},
        {LINE "Content-Length: -1\r\n", 400},
        {LINE "Content-Length: 1 2\r\n", 400},
        {LINE "Content-Length: 18446744073709551616\r\n", 413},
        {LINE "Content-Length: 100000000000000000000\r\n", 413},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t length = strlen(cases[i].text);
        CU_ASSERT_EQUAL(status_of(cases[i].text, length, true), cases[i].status);
        CU_ASSERT_EQUAL(status_of(cases[i].text, length, false), 0);
    }
}

/* `times` times `piece` between the two others. */
static size_t fill(char *text, const char *before, const char *piece, size_t times,
                   const char *after)
{
    size_t length = (size_t)sprintf(text, "%s", before);
    for (size_t i = 0; i < times; i++)
        length += (size_t)sprintf(text + length, "%s", piece);
    return length + (size_t)sprintf(text + length, "%s", after);
}

static void test_what_takes_too_much_memory_is_refused_whatever_came_before(void)
{
    static char text[1 << 16];
    static const struct {
        const char *before, *piece;
        size_t times;
        const char *after;
        unsigned status;
    } cases[] = {
        {"GET /?a=1", "&a=1", 150, " HTTP/1.1\r\n", 0},
        {"GET /?a=1", "&a=1", 250, " HTTP/1.1\r\n", 400},
        {"GET /?a=1", "&a=1", 250, "", 400},
        {"GET /?", "&", 8000, "", 400},
        {"GET /", "&", 8200, " HTTP/1.1\r\n", 0}, /* no query */
        {"GET /", "a", 14000, " HTTP/1.1\r\n\r\n", 0},
        {"GET /", "a", 14400, " HTTP/1.1\r\n\r\n", 414},
        {"", "a", 14400, "", 414},
        {LINE, "a: b\r\n", 150, "\r\n", 0},
        {LINE, "a: b\r\n", 250, "\r\n", 431},
        {LINE "a: ", "b", 14000, "\r\n\r\n", 0},
        {LINE "a: ", "b", 14400, "", 431},
        {LINE "Cookie: a=b", "; a=b", 100, "\r\n\r\n", 0},
        {LINE "cookie: a=b", "; a=b", 250, "\r\n\r\n", 431},
        {LINE "a: b\r\n", " b\r\n", 250, "\r\n", 431},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t length = fill(text, cases[i].before, cases[i].piece, cases[i].times, cases[i].after);
        CU_ASSERT_EQUAL(status_of(text, length, true), cases[i].status);
        CU_ASSERT_EQUAL(status_of(text, length, false), cases[i].status);
    }
}

static void test_a_target_alone(void)
{
    static char text[1 << 16];
    http_refusal refusal;
    fill(text, "/?a=1", "&a=1", 150, "");
    CU_ASSERT_FALSE(http_target_is_too_much(text, &refusal));
    fill(text, "/?a=1", "&a=1", 250, "");
    CU_ASSERT_TRUE(http_target_is_too_much(text, &refusal));
    CU_ASSERT_EQUAL(refusal.status, 400);
}

MATCHING_TESTS(MATCHING_TEST(test_good_heads_pass_whole_and_in_pieces),
               MATCHING_TEST(test_a_nul_in_a_header_is_refused_where_nothing_came_before),
               MATCHING_TEST(test_what_is_no_http_is_refused_where_nothing_came_before),
               MATCHING_TEST(test_what_takes_too_much_memory_is_refused_whatever_came_before),
               MATCHING_TEST(test_a_target_alone))
