/* Tests of the exporter that no collector can be part of: the name of the collector's host is
 * looked up, and whoever knows it does not answer. What a collector makes of it all is in
 * tests/clients.
 */
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <semaphore.h>
#include <unistd.h>

#include "matching/trace.h"
#include "matching/trace_export.h"
#include "support/cunit_main.h"

#define HANGS_S 30 /* the test has failed by then */

static sem_t asked, may_answer, answered;

/* libcurl's, in place of the system's: on a thread of its own. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **found)
{
    (void)node;
    (void)service;
    (void)hints;
    (void)found;
    sem_post(&asked);
    while (sem_wait(&may_answer) != 0 && errno == EINTR) {
    }
    sem_post(&answered);
    return EAI_NONAME;
}

static void record_one(void)
{
    matching_span span;
    matching_span_begin(&span, NULL, 0);
    matching_span_end(&span, &(matching_span_facts){.name = "it", .kind = MATCHING_SPAN_INTERNAL});
}

/* The end does not wait for the name, but only until the request's time is up. */
static void test_a_name_that_is_looked_up_does_not_hold_up_the_end(void)
{
    const matching_trace_options options = {.is_on = true,
                                            .url = "http://collector.invalid:4318/v1/traces",
                                            .service_name = "s",
                                            .ratio = 1,
                                            .timeout_ms = 100,
                                            .give_up_ms = 100,
                                            .queue = 8,
                                            .batch = 1,
                                            .delay_ms = 1};
    char error[256] = "";
    matching_trace_counts counts;
    CU_ASSERT_EQUAL_FATAL(sem_init(&asked, 0, 0), 0);
    CU_ASSERT_EQUAL_FATAL(sem_init(&may_answer, 0, 0), 0);
    CU_ASSERT_EQUAL_FATAL(sem_init(&answered, 0, 0), 0);
    CU_ASSERT_EQUAL_FATAL(matching_trace_start(&options, "1", error, sizeof error), 0);
    record_one();
    while (sem_wait(&asked) != 0 && errno == EINTR) {
    }
    alarm(HANGS_S);
    matching_trace_stop();
    alarm(0);
    matching_trace_counts_get(&counts);
    CU_ASSERT_EQUAL(counts.recorded, 1);
    CU_ASSERT_EQUAL(counts.failed, 1);
    CU_ASSERT_NOT_EQUAL(sem_trywait(&answered), 0); /* it was still looked up */
    sem_post(&may_answer);
    while (sem_wait(&answered) != 0 && errno == EINTR) {
    }
}

MATCHING_TESTS(MATCHING_TEST(test_a_name_that_is_looked_up_does_not_hold_up_the_end))
