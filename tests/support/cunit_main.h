/* A main() for CUnit tests: a table of functions, one suite, a nonzero exit on any failure.
 *
 *     static void test_something(void) { CU_ASSERT(...); }
 *     MATCHING_TESTS(MATCHING_TEST(test_something), MATCHING_TEST(test_something_else))
 *
 * Run without arguments it runs them all; with arguments only the tests of these names. Not for
 * assertions on other threads: CUnit counts on the main thread only.
 */
#ifndef MATCHING_TESTS_CUNIT_MAIN_H
#define MATCHING_TESTS_CUNIT_MAIN_H

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct matching_test {
    const char *name;
    void (*run)(void);
} matching_test;

static inline bool matching_test_wanted(const char *name, int argc, char **argv)
{
    bool wanted = argc < 2;
    for (int i = 1; i < argc; i++) {
        wanted = wanted || strcmp(argv[i], name) == 0;
    }
    return wanted;
}

/* 0 if every wanted test ran and no assertion failed. */
static inline int matching_run_tests(const char *suite_name, const matching_test *tests,
                                     size_t count, int argc, char **argv)
{
    /* Lines as they come: what a test printed before it crashed is what one needs then. */
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (CU_initialize_registry() != CUE_SUCCESS) {
        fprintf(stderr, "CUnit: %s\n", CU_get_error_msg());
        return EXIT_FAILURE;
    }
    CU_pSuite suite = CU_add_suite(suite_name, NULL, NULL);
    unsigned added = 0;
    for (size_t i = 0; suite != NULL && i < count; i++) {
        if (matching_test_wanted(tests[i].name, argc, argv)) {
            if (CU_add_test(suite, tests[i].name, tests[i].run) == NULL) {
                fprintf(stderr, "CUnit: %s: %s\n", tests[i].name, CU_get_error_msg());
                CU_cleanup_registry();
                return EXIT_FAILURE;
            }
            added++;
        }
    }
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_ErrorCode error = CU_basic_run_tests();
    bool passed = error == CUE_SUCCESS && added > 0 && CU_get_number_of_tests_run() == added &&
                  CU_get_number_of_failures() == 0;
    CU_cleanup_registry();
    return passed ? EXIT_SUCCESS : EXIT_FAILURE;
}

#define MATCHING_TEST(function)                                                                    \
    {                                                                                              \
#function, function                                                                        \
    }

#define MATCHING_TESTS(...)                                                                        \
    int main(int argc, char **argv)                                                                \
    {                                                                                              \
        static const matching_test tests[] = {__VA_ARGS__};                                        \
        return matching_run_tests(argv[0], tests, sizeof tests / sizeof tests[0], argc, argv);     \
    }

#endif
