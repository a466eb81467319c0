/* Which variables are told, and what becomes of names that find no room. */
#define _GNU_SOURCE /* environ */
#include "trace/unknown.h"

#include <stdlib.h>
#include <unistd.h>

#include "support/cunit_main.h"

enum { ROOM = 48 };

static char names[ROOM];
static char *variables[4];

/* With an environment of these; NULL: none. */
static const char *told(char *first, char *second, size_t size)
{
    char **before = environ;
    variables[0] = first;
    variables[1] = first != NULL ? second : NULL;
    environ = variables;
    trace_unknown_variables(names, size);
    environ = before;
    return names;
}

static void test_what_is_looked_at_is_not_told(void)
{
    static char ours[] = "OTEL_SERVICE_NAME=a", empty[] = "OTEL_UNKNOWN=";
    static char usual[] = "OTEL_PROPAGATORS=tracecontext", other[] = "OTEL_PROPAGATORS=b3";
    CU_ASSERT_STRING_EQUAL(told(NULL, NULL, ROOM), "");
    CU_ASSERT_STRING_EQUAL(told(ours, empty, ROOM), "");
    CU_ASSERT_STRING_EQUAL(told(usual, other, ROOM), "OTEL_PROPAGATORS");
}

static void test_what_finds_no_room_is_an_ellipsis(void)
{
    static char one[] = "OTEL_ABCD=1", two[] = "OTEL_EFGH=2";
    CU_ASSERT_STRING_EQUAL(told(one, two, ROOM), "OTEL_ABCD, OTEL_EFGH");
    CU_ASSERT_STRING_EQUAL(told(one, two, 16), "OTEL_ABCD, ...");
    CU_ASSERT_STRING_EQUAL(told(one, two, 8), "...");
}

MATCHING_TESTS(MATCHING_TEST(test_what_is_looked_at_is_not_told),
               MATCHING_TEST(test_what_finds_no_room_is_an_ellipsis))
