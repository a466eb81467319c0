/* Tests of admin_snapshot, and of the door before a shard whose journal has failed. */
#include <sched.h>

#include "door_client.h"
#include "support/journal_double.h"

#define SNAPSHOT_CALL CALL("admin_snapshot", "")
#define SNAPSHOT_NOTE "{\"jsonrpc\":\"2.0\",\"method\":\"admin_snapshot\"}"
#define MOST_WAITING 64

static const matching_snapshot_result GOOD[MATCHING_SHARDS_MAX] = {{.sequence = 17},
                                                                   {.sequence = 4}};
static const matching_snapshot_result BAD[MATCHING_SHARDS_MAX] = {{.sequence = 17},
                                                                  {.sequence = 2, .failed = true}};

#define GOOD_RESULT                                                                                \
    "{\"jsonrpc\":\"2.0\",\"result\":{\"success\":true,\"snapshots\":"                             \
    "[{\"shard\":0,\"sequence\":17},{\"shard\":1,\"sequence\":4}]},\"id\":1}"

static service *begin(void (*adjust)(service *))
{
    journal_double_reset();
    return open_service(adjust);
}

static void await_requests(unsigned count)
{
    while (journal_double_requests() < count) {
        sched_yield();
    }
}

/* The door has asked once more, or more often, after all that was before this call. */
static void await_looks(unsigned more)
{
    for (unsigned from = journal_double_looks(); journal_double_looks() - from < more;) {
        sched_yield();
    }
}

static void expect_response(int connection, const char *piece)
{
    response it = read_response(connection);
    bool found = it.status == 200 && strstr(it.body, piece) != NULL;
    if (!found) {
        printf("  got      %d %s\n  expected %s\n", it.status, it.body, piece);
    }
    CU_ASSERT_TRUE(found);
    free(it.body);
}

static bool has_come(int connection)
{
    char byte;
    return recv(connection, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

static void test_without_a_journal_it_is_refused(void)
{
    service *it = begin(NULL);
    int c = dial(it);
    expect(c, SNAPSHOT_CALL, "\"error\":{\"code\":-32000,\"message\":\"there is no journal");
    expect(c, SNAPSHOT_CALL, "\"data\":{\"code\":\"INVALID_PARAMETER\"}},\"id\":1}");
    close(c);
    close_service(it);
}

static void test_it_is_answered_when_the_snapshots_are_there(void)
{
    service *it = begin(NULL);
    journal_double_take_snapshots();
    int c = dial(it);
    int other = dial(it);
    post(c, SNAPSHOT_CALL, "");
    await_requests(1);
    await_looks(2);
    expect(other, HEALTH_CALL, HEALTH_RESULT); /* nobody else waits */
    CU_ASSERT_FALSE(has_come(c));
    journal_double_finish(GOOD);
    expect_response(c, GOOD_RESULT);
    expect(c, HEALTH_CALL, HEALTH_RESULT);
    /* one that is asked for later is another one */
    post(c, SNAPSHOT_CALL, "");
    await_requests(2);
    await_looks(2);
    CU_ASSERT_FALSE(has_come(c));
    journal_double_finish(GOOD);
    expect_response(c, GOOD_RESULT);
    close(c);
    close(other);
    close_service(it);
}

static void test_a_failed_one_is_an_error(void)
{
    service *it = begin(NULL);
    journal_double_take_snapshots();
    int c = dial(it);
    post(c, SNAPSHOT_CALL, "");
    await_requests(1);
    journal_double_finish(BAD);
    expect_response(c, "\"error\":{\"code\":-32603,\"message\":\"the snapshot of shard 1 failed");
    close(c);
    close_service(it);
}

static void test_a_batch_and_a_notification(void)
{
    service *it = begin(NULL);
    journal_double_take_snapshots();
    int c = dial(it);
    free(call(c, SNAPSHOT_NOTE, "", 204)); /* asked for, not waited for */
    CU_ASSERT_EQUAL(journal_double_requests(), 1);
    post(c, "[" SNAPSHOT_CALL "," HEALTH_CALL "," SNAPSHOT_NOTE "," SNAPSHOT_CALL "]", "");
    await_requests(4);
    await_looks(4);
    CU_ASSERT_FALSE(has_come(c));
    journal_double_finish(GOOD);
    expect_response(c, "[" GOOD_RESULT "," HEALTH_RESULT "," GOOD_RESULT "]");
    close(c);
    close_service(it);
}

static void test_it_is_administration(void)
{
    service *it = begin(allow_every_origin); /* which sets a token */
    journal_double_take_snapshots();
    int c = dial(it);
    expect(c, SNAPSHOT_CALL, "\"code\":\"UNAUTHORIZED\"");
    free(call(c, SNAPSHOT_NOTE, "", 204));
    CU_ASSERT_EQUAL(journal_double_requests(), 0);
    post(c, SNAPSHOT_CALL, "Authorization: Bearer token\r\n");
    await_requests(1);
    journal_double_finish(GOOD);
    expect_response(c, GOOD_RESULT);
    close(c);
    close_service(it);
}

static void allow_a_long_batch(service *it)
{
    it->config.jsonrpc.max_batch = MOST_WAITING + 1;
}

/* A client that has gone looks like one that has only closed its half: it keeps its places until it
 * is answered, and then they are free. */
static void test_those_who_wait_are_bounded_and_may_go(void)
{
    service *it = begin(allow_a_long_batch);
    journal_double_take_snapshots();
    char batch[(MOST_WAITING + 1) * sizeof SNAPSHOT_CALL + 2] = "[";
    for (int i = 0; i <= MOST_WAITING; i++) {
        strcat(batch, i == 0 ? SNAPSHOT_CALL : "," SNAPSHOT_CALL);
    }
    strcat(batch, "]");
    int c = dial(it);
    int other = dial(it);
    post(c, batch, "");
    await_requests(MOST_WAITING);
    expect(other, SNAPSHOT_CALL, "\"code\":\"OVERLOADED\"");
    CU_ASSERT_EQUAL(journal_double_requests(), MOST_WAITING);
    close(c);
    journal_double_finish(GOOD);
    for (bool room = false; !room;) {
        post(other, SNAPSHOT_NOTE, "");
        response it_was = read_response(other);
        CU_ASSERT_EQUAL(it_was.status, 204);
        free(it_was.body);
        room = journal_double_requests() > MOST_WAITING;
    }
    post(other, SNAPSHOT_CALL, "");
    await_requests(MOST_WAITING + 2);
    journal_double_finish(GOOD);
    expect_response(other, GOOD_RESULT);
    close(other);
    close_service(it);
}

static void test_a_stop_does_not_wait_for_snapshots(void)
{
    service *it = begin(NULL);
    journal_double_take_snapshots();
    int c = dial(it);
    int gone = dial(it);
    post(c, SNAPSHOT_CALL, "");
    post(gone, SNAPSHOT_CALL, "");
    await_requests(2);
    close(gone);
    it->transport.ops->stop(&it->transport); /* they never get ready */
    expect_response(c, "\"error\":{\"code\":-32000,\"message\":\"the service is shutting down\"");
    close(c);
    matching_core_stop(it->core);
    it->transport.ops->fini(&it->transport);
    matching_core_destroy(it->core);
}

/* ---- A journal that has failed --------------------------------------------------------------- */

static void test_health(void)
{
    static const char get[] = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
    service *it = begin(NULL);
    int c = dial(it);
    journal_double_fail(1, "no space");
    send_text(c, get, sizeof get - 1);
    response health = read_response(c);
    CU_ASSERT_EQUAL(health.status, 503);
    CU_ASSERT_STRING_EQUAL(health.body,
                           "{\"status\":\"failing\",\"service\":\"jsonrpc-matching-service\","
                           "\"shards\":[{\"shard\":1,\"failed\":\"no space\"}]}");
    free(health.body);
    expect(c, HEALTH_CALL,
           "{\"jsonrpc\":\"2.0\",\"result\":{\"status\":\"failing\","
           "\"service\":\"jsonrpc-matching-service\","
           "\"shards\":[{\"shard\":1,\"failed\":\"no space\"}]},\"id\":1}");
    close(c);
    close_service(it);
}

static void test_its_instruments_are_refused(void)
{
    static const char order[] =
        CALL("place_limit_order", "\"trader_id\":\"t\",\"side\":\"buy\",\"price\":1,"
                                  "\"quantity\":1,\"symbol\":\"BTCUSDT\"");
    service *it = begin(NULL);
    int c = dial(it);
    expect(c, order, "\"status\":\"open\"");
    journal_double_fail(matching_core_find_instrument(it->core, "BTCUSDT", 7)->shard, "no space");
    expect(c, order,
           "\"error\":{\"code\":-32603,\"message\":\"the journal failed: what became of "
           "this is known only after a restart\",\"data\":{\"code\":\"INTERNAL_ERROR\"}}");
    expect(c, CALL("get_depth", "\"symbol\":\"BTCUSDT\""), "\"error\":{\"code\":-32603,");
    expect(c, CALL("get_depth", "\"symbol\":\"ETHUSDT\""), "\"result\":");
    close(c);
    close_service(it);
}

MATCHING_TESTS(MATCHING_TEST(test_without_a_journal_it_is_refused),
               MATCHING_TEST(test_it_is_answered_when_the_snapshots_are_there),
               MATCHING_TEST(test_a_failed_one_is_an_error),
               MATCHING_TEST(test_a_batch_and_a_notification),
               MATCHING_TEST(test_it_is_administration),
               MATCHING_TEST(test_those_who_wait_are_bounded_and_may_go),
               MATCHING_TEST(test_a_stop_does_not_wait_for_snapshots), MATCHING_TEST(test_health),
               MATCHING_TEST(test_its_instruments_are_refused))
