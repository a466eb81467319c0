/* permessage-deflate's offers (RFC 7692 section 7.1): which one is taken, and what is answered. */
#include "deflate.h"

#include "support/cunit_main.h"

#define AGREED "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
#define NAME "permessage-deflate"

typedef struct row {
    const char *offers;
    unsigned window_bits;
    const char *answer; /* "" where nothing is taken */
} row;

static void expect_rows(const row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char answer[WIRE_ANSWER_MAX];
        memset(answer, 'x', sizeof answer);
        unsigned window_bits = wire_deflate_choose(rows[i].offers, answer);
        if (window_bits != rows[i].window_bits || strcmp(answer, rows[i].answer) != 0) {
            printf("%s: %u %s instead of %u %s\n", rows[i].offers, window_bits, answer,
                   rows[i].window_bits, rows[i].answer);
            CU_FAIL("another answer");
        }
    }
}

#define EXPECT(rows) expect_rows(rows, sizeof(rows) / sizeof(rows)[0])

static void test_offers_that_are_taken(void)
{
    static const row rows[] = {
        {NAME, 15, AGREED},
        {"  " NAME "  ", 15, AGREED},
        {"Permessage-Deflate", 15, AGREED},
        {NAME "; client_max_window_bits", 15, AGREED},
        {NAME ";client_max_window_bits=8", 15, AGREED},
        {NAME "; client_max_window_bits=15; server_no_context_takeover", 15, AGREED},
        {NAME "; server_no_context_takeover; client_no_context_takeover", 15, AGREED},
        {NAME "; Server_Max_Window_Bits=8", 8, AGREED "; server_max_window_bits=8"},
        {NAME " ; server_max_window_bits = \"12\" ", 12, AGREED "; server_max_window_bits=12"},
        {NAME "; server_max_window_bits=15", 15, AGREED "; server_max_window_bits=15"},
    };
    EXPECT(rows);
}

static void test_offers_that_are_declined(void)
{
    static const row rows[] = {
        {"", 0, ""},
        {" , ,", 0, ""},
        {"permessage-bzip2", 0, ""},
        {"permessage-deflat", 0, ""},
        {"permessage-deflate2", 0, ""},
        {NAME "; server_max_window_bits", 0, ""},
        {NAME "; server_max_window_bits=7", 0, ""},
        {NAME "; server_max_window_bits=16", 0, ""},
        {NAME "; server_max_window_bits=010", 0, ""},
        {NAME "; server_max_window_bits=10x", 0, ""},
        {NAME "; client_max_window_bits=7", 0, ""},
        {NAME "; client_max_window_bits=\"\"", 0, ""},
        {NAME "; server_no_context_takeover=1", 0, ""},
        {NAME "; client_no_context_takeover=true", 0, ""},
        {NAME "; server_no_context_takeover; server_no_context_takeover", 0, ""},
        {NAME "; server_max_window_bits=10; server_max_window_bits=10", 0, ""},
        {NAME "; level=9", 0, ""},
    };
    EXPECT(rows);
}

/* In the client's order; one that cannot be taken leads to the next. */
static void test_the_first_good_offer_counts(void)
{
    static const row rows[] = {
        {NAME "; server_max_window_bits=10, " NAME, 10, AGREED "; server_max_window_bits=10"},
        {NAME "; server_max_window_bits=99, " NAME, 15, AGREED},
        {NAME "; what, " NAME "; server_max_window_bits=9", 9, AGREED "; server_max_window_bits=9"},
        {"x; y=\"z\", " NAME, 15, AGREED},
        {"," NAME ",", 15, AGREED},
    };
    EXPECT(rows);
}

/* Nothing is read into what is no list of extensions (RFC 6455 section 9.1). */
static void test_a_broken_header_offers_nothing(void)
{
    static const row rows[] = {
        {NAME ";", 0, ""},
        {NAME "; ;", 0, ""},
        {NAME "; =1", 0, ""},
        {NAME "; server_max_window_bits=", 0, ""},
        {NAME "; server_max_window_bits=\"10", 0, ""},
        {NAME "; server_max_window_bits=\"1 0\"", 0, ""},
        {NAME " server_no_context_takeover", 0, ""},
        {NAME ", (", 0, ""},
        {"= , " NAME, 0, ""},
        {NAME "\x7f", 0, ""},
        {"\"" NAME "\"", 0, ""},
    };
    EXPECT(rows);
}

static void test_names_of_any_length(void)
{
    char offers[600], answer[WIRE_ANSWER_MAX];
    for (unsigned length = 1; length < 500; length++) {
        memset(offers, 'a', length);
        snprintf(offers + length, sizeof offers - length, "; b=c, " NAME);
        CU_ASSERT_EQUAL(wire_deflate_choose(offers, answer), 15);
        int start = snprintf(offers, sizeof offers, NAME "; ");
        memset(offers + start, 'a', length);
        offers[(unsigned)start + length] = '\0';
        CU_ASSERT_EQUAL(wire_deflate_choose(offers, answer), 0);
    }
}

MATCHING_TESTS(MATCHING_TEST(test_offers_that_are_taken),
               MATCHING_TEST(test_offers_that_are_declined),
               MATCHING_TEST(test_the_first_good_offer_counts),
               MATCHING_TEST(test_a_broken_header_offers_nothing),
               MATCHING_TEST(test_names_of_any_length))
