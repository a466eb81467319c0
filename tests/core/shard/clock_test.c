/* Clocks that jump, with and without a death in between: time never goes back for what commands
 * have done, and no read shows a state that a death could undo. The linker's --wrap puts the test's
 * clock in the place of the core's.
 */
#include <string.h>

#include "bench.h"
#include "folder.h"
#include "support/cunit_main.h"

#define MINUTE UINT64_C(60000000000)
#define BEGINNING (UINT64_C(1700000000) * 1000000000)

static uint64_t now_ns;

uint64_t __wrap_matching_unix_ns(void);

uint64_t __wrap_matching_unix_ns(void)
{
    return now_ns;
}

static uint64_t at(unsigned minutes)
{
    return BEGINNING + minutes * MINUTE;
}

static void settle(bench *b)
{
    bench_step(b);
    CU_ASSERT_TRUE(journal_wait(b->core->shards[0].journal));
    bench_settle(b);
}

static const matching_reply *ask(bench *b, matching_command command, uint64_t tag)
{
    CU_ASSERT_EQUAL(submit(&b->probes[0], command, tag), MATCHING_OK);
    settle(b);
    const entry *e = reply_of(&b->probes[0], tag);
    CU_ASSERT_PTR_NOT_NULL_FATAL(e);
    CU_ASSERT_EQUAL(e->reply.code, MATCHING_OK);
    return &e->reply;
}

/* Until that minute. */
static uint64_t place(bench *b, unsigned minute, uint64_t tag)
{
    matching_command order = limit_order(bench_instrument(b, 0, 0), "ann", MATCHING_BUY, 10, 1);
    order.time_in_force = MATCHING_GTD;
    order.expire_time_ms = at(minute) / 1000000;
    return ask(b, order, tag)->order.order_id;
}

static matching_order look_at(bench *b, uint64_t id, uint64_t tag)
{
    matching_command read = {.type = MATCHING_READ_ORDER, .order_id = id};
    return ask(b, read, tag)->order;
}

static void start(bench *b, const folder *f, unsigned minute)
{
    now_ns = at(minute);
    bench_init(b, &(bench_options){.data_dir = f->path});
}

/* It is told at minute 50, by a read; the clock is at minute 5 when the process comes back. */
static void test_what_a_read_shows_is_not_undone_by_a_death(void)
{
    folder f;
    bench b;
    folder_make(&f);
    start(&b, &f, 0);
    uint64_t early = place(&b, 20, 1), late = place(&b, 90, 2);
    now_ns = at(50);
    bench_step(&b); /* the tick */
    matching_order expired = look_at(&b, early, 3);
    CU_ASSERT_EQUAL(expired.status, MATCHING_CANCELLED);
    CU_ASSERT_EQUAL(expired.reason, MATCHING_REASON_EXPIRED);
    CU_ASSERT_EQUAL(look_at(&b, late, 4).status, MATCHING_OPEN);
    uint64_t state = state_of(&b);
    bench_die(&b);

    start(&b, &f, 5);
    CU_ASSERT_EQUAL(state_of(&b), state);
    matching_order again = look_at(&b, early, 1);
    CU_ASSERT_EQUAL(again.status, expired.status);
    CU_ASSERT_EQUAL(again.reason, expired.reason);
    CU_ASSERT_EQUAL(again.updated_ns, expired.updated_ns);
    CU_ASSERT_TRUE(b.core->shards[0].books.time_ns >= at(50)); /* the tick's */
    bench_fini(&b);
    folder_remove(&f);
}

/* A read alone has moved the time to minute 50, and no command after it: an order that ends at
 * minute 60 was open, is open and ends then, whatever the clock shows at the restart. */
static void test_the_time_of_a_read_may_be_forgotten(void)
{
    folder f;
    bench b;
    folder_make(&f);
    start(&b, &f, 0);
    uint64_t id = place(&b, 60, 1);
    now_ns = at(50);
    CU_ASSERT_EQUAL(look_at(&b, id, 2).status, MATCHING_OPEN);
    CU_ASSERT_EQUAL(reply_of(&b.probes[0], 2)->reply.time_ns, at(50));
    uint64_t state = state_of(&b), sequence = b.core->shards[0].books.sequence;
    bench_die(&b);

    start(&b, &f, 5);
    CU_ASSERT_EQUAL(state_of(&b), state);
    CU_ASSERT_EQUAL(b.core->shards[0].books.sequence, sequence);
    CU_ASSERT_EQUAL(look_at(&b, id, 1).status, MATCHING_OPEN);
    now_ns = at(59);
    bench_step(&b);
    CU_ASSERT_EQUAL(look_at(&b, id, 2).status, MATCHING_OPEN);
    now_ns = at(60);
    bench_step(&b);
    CU_ASSERT_EQUAL(look_at(&b, id, 3).reason, MATCHING_REASON_EXPIRED);
    bench_fini(&b);
    folder_remove(&f);
}

/* Set back while it runs and while it does not: commands keep their order in time. */
static void test_a_clock_that_goes_back_holds_up_the_time_of_commands(void)
{
    folder f;
    bench b;
    folder_make(&f);
    start(&b, &f, 100);
    place(&b, 200, 1);
    CU_ASSERT_EQUAL(b.core->shards[0].books.time_ns, at(100));
    now_ns = at(40);
    place(&b, 200, 2);
    CU_ASSERT_EQUAL(b.core->shards[0].books.time_ns, at(100));
    bench_die(&b);
    start(&b, &f, 1);
    place(&b, 200, 1);
    CU_ASSERT_EQUAL(b.core->shards[0].books.time_ns, at(100));
    now_ns = at(101);
    place(&b, 200, 2);
    CU_ASSERT_EQUAL(b.core->shards[0].books.time_ns, at(101));
    uint64_t state = state_of(&b);
    bench_die(&b);
    start(&b, &f, 1); /* and the journal, whose times must not go back, is good */
    CU_ASSERT_EQUAL(state_of(&b), state);
    bench_fini(&b);
    folder_remove(&f);
}

MATCHING_TESTS(MATCHING_TEST(test_what_a_read_shows_is_not_undone_by_a_death),
               MATCHING_TEST(test_the_time_of_a_read_may_be_forgotten),
               MATCHING_TEST(test_a_clock_that_goes_back_holds_up_the_time_of_commands))
